//! A source in a folder, targets in clusters, and the command line.

use stablekey_clusters::{Cluster, Namespace, run, run_with_input, shared};
use stablekey_testing::objects::{Connection, Document as _, Integration, Sync, Tenant};
pub use stablekey_testing::project::CommandOutput;
use stablekey_testing::project::Project;
use stablekey_testing::yaml;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tenant `us` in a folder of YAML; tenant `eu` in a namespace of cluster `eu`, which accepts it.
pub struct TestEnv {
    pub project: Project,
    pub eu: Namespace<'static>,
    /// The kubeconfig of the command line.
    pub kubeconfig: PathBuf,
    pub request_timeout: &'static str,
}

pub fn sync_yaml() -> String {
    Sync::new("us-to-eu", "us", "eu").mirror().prune().yaml()
}

pub fn connection(key: &str, scopes: &str) -> String {
    let connection = Connection::new(key, "salesforce/oauth2").title(&format!("Title of {key}"));
    connection.input("scopes", scopes).secret("clientSecret", "app").yaml()
}

pub fn integration(name: &str, keys: &[&str]) -> String {
    Integration::new(name).uses(keys).yaml()
}

impl TestEnv {
    pub fn new(prefix: &str) -> Self {
        let eu = shared("eu").namespace(prefix);
        let own = Tenant::new("eu").accepts("us").allows_delete();
        run_with_input(eu.kubectl().args(["apply", "-f", "-"]), &own.yaml()).unwrap();
        let kubeconfig = eu.cluster().kubeconfig().to_path_buf();
        let there = own.in_namespace(eu.name(), "eu");
        let project = Project::empty()
            .with("tenants.yaml", &yaml::file(&[Tenant::new("us").in_folder("us").yaml(), there.yaml()]))
            .with("syncs.yaml", &sync_yaml());
        // No approval is stored yet.
        fs::create_dir(project.state()).unwrap();
        TestEnv { project, eu, kubeconfig, request_timeout: "30" }
    }

    /// Creates an environment with the connections `a`, `b`, `c` and integrations that use them in `us`.
    pub fn with_a_source(prefix: &str) -> Self {
        let env = TestEnv::new(prefix);
        for key in ["a", "b", "c"] {
            env.write(&format!("us/connections/{key}.yaml"), &connection(key, "api"));
        }
        env.write("us/integrations/one.yaml", &integration("one", &["a", "b"]));
        env.write("us/integrations/two.yaml", &integration("two", &["c"]));
        env
    }

    pub fn root(&self) -> &Path {
        self.project.root()
    }

    pub fn state(&self) -> &Path {
        self.project.state()
    }

    pub fn write(&self, path: &str, text: &str) {
        self.project.write(path, text);
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.project.path(path)).unwrap();
    }

    /// Edits the Tenants.
    pub fn edit_tenants(&self, from: &str, to: &str) {
        let tenants = fs::read_to_string(self.root().join("tenants.yaml")).unwrap();
        assert!(tenants.contains(from), "{from:?} is not in {tenants}");
        self.write("tenants.yaml", &tenants.replace(from, to));
    }

    /// Moves tenant `eu` to the namespace `integrations` of another cluster.
    pub fn move_to(&mut self, cluster: &Cluster) {
        self.edit_tenants(self.eu.name(), "integrations");
        self.edit_tenants("context: eu", &format!("context: {}", cluster.name()));
        self.connect_with(cluster.kubeconfig());
    }

    /// Connects to the cluster with this kubeconfig from now on.
    pub fn connect_with(&mut self, kubeconfig: &Path) {
        self.kubeconfig = kubeconfig.to_path_buf();
    }

    /// Connects to the cluster directly from now on.
    pub fn connect_directly(&mut self) {
        self.kubeconfig = self.eu.cluster().kubeconfig().to_path_buf();
    }

    /// Returns the command line, run at the root.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.command_with_state(arguments);
        command.env("KUBECONFIG", &self.kubeconfig).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.args(["--request-timeout", self.request_timeout]);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(&self.command(arguments).output().unwrap())
    }

    /// Applies, and asserts that nothing is left to do.
    pub fn apply(&self) -> CommandOutput {
        let answer = self.run(&["apply", "--yes"]);
        assert_eq!(answer.code, 0, "{}\n{}", answer.out, answer.err);
        answer
    }

    /// Returns the digest of the sync that `plan` shows.
    pub fn digest(&self) -> String {
        let plan: serde_json::Value = serde_json::from_str(&self.run(&["plan", "-o", "json"]).out).unwrap();
        let digests =
            plan["targets"].as_array().unwrap().iter().find_map(|target| target["digests"].get("sync/us-to-eu"));
        digests.unwrap().as_str().unwrap().to_string()
    }

    pub fn kubectl(&self, arguments: &[&str]) -> String {
        run(self.eu.kubectl().args(arguments)).unwrap()
    }

    /// Returns the names of the objects in `eu`, as kind/name.
    pub fn names(&self) -> Vec<String> {
        let kinds = "components,connections,customercredentials,integrations";
        self.kubectl(&["get", kinds, "-o", "name"]).lines().map(|line| line.replace(".stablekey.dev", "")).collect()
    }

    /// Returns the spec and the ownership record of every object, without server-generated fields.
    pub fn content(&self) -> String {
        let columns = "-o=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.spec} {.metadata.annotations.stablekey\\.dev/wrote}{\"\\n\"}{end}";
        self.kubectl(&["get", "components,connections,customercredentials,integrations", columns])
    }
}
