//! A source in a folder and targets in clusters, and the command line on them.

use stablekey_clusters::{Cluster, Namespace, run, run_with_input, shared};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Tenant `us` in a folder of YAML; tenant `eu` in a namespace of cluster `eu`, which accepts it.
pub struct Stage {
    root: TempDir,
    /// The state folder of whoever runs the command line.
    state: TempDir,
    pub eu: Namespace<'static>,
    /// What the command line finds as its kubeconfig.
    pub kubeconfig: PathBuf,
    pub patience: &'static str,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Answer { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// All of it, to look for words in: lines are wrapped for people.
    pub fn words(&self) -> String {
        format!("{} {}", self.out, self.err).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

pub const SYNC: &str = "apiVersion: stablekey.dev/v1alpha1
kind: TenantSync
metadata: {name: us-to-eu}
spec: {from: us, to: [eu], integrations: ['*'], connections: Mirror, prune: true}
";

pub fn connection(key: &str, scopes: &str) -> String {
    format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {{name: {key}}}\nspec:\n  stableKey: {key}\n  \
         title: Title of {key}\n  component: {{key: salesforce}}\n  type: oauth2\n  credentials: OrganizationCustomer\n  \
         inputs:\n    scopes: {{value: \"{scopes}\"}}\n    clientSecret: {{secretRef: {{name: app, key: clientSecret}}}}\n"
    )
}

pub fn integration(name: &str, keys: &[&str]) -> String {
    let mut text = format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {{name: {name}}}\nspec:\n  connections:\n"
    );
    for key in keys {
        writeln!(text, "  - {{name: Use of {key}, stableKey: {key}}}").unwrap();
    }
    text
}

impl Stage {
    pub fn new(prefix: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let eu = shared("eu").namespace(prefix);
        let own = "{\"apiVersion\": \"stablekey.dev/v1alpha1\", \"kind\": \"Tenant\", \"metadata\": {\"name\": \"eu\"}, \
                   \"spec\": {\"acceptFrom\": [\"us\"], \"policy\": {\"actions\": [\"Create\", \"Update\", \"Delete\"]}}}";
        run_with_input(eu.kubectl().args(["apply", "-f", "-"]), own).unwrap();
        let kubeconfig = eu.cluster().kubeconfig().to_path_buf();
        let state = tempfile::tempdir().unwrap();
        let stage = Stage { root, state, eu, kubeconfig, patience: "30" };
        let tenants = format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: us}}\nspec: {{location: {{directory: {{path: us}}}}}}\n---\n\
             apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: eu}}\nspec:\n  acceptFrom: [us]\n  \
             policy: {{actions: [Create, Update, Delete]}}\n  \
             location: {{kubernetes: {{namespace: {}, kubeconfig: {{context: eu}}}}}}\n",
            stage.eu.name()
        );
        stage.write("tenants.yaml", &tenants);
        stage.write("syncs.yaml", SYNC);
        stage
    }

    /// With the connections `a`, `b`, `c` and integrations over them in `us`.
    pub fn with_a_source(prefix: &str) -> Self {
        let stage = Stage::new(prefix);
        for key in ["a", "b", "c"] {
            stage.write(&format!("us/connections/{key}.yaml"), &connection(key, "api"));
        }
        stage.write("us/integrations/one.yaml", &integration("one", &["a", "b"]));
        stage.write("us/integrations/two.yaml", &integration("two", &["c"]));
        stage
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn state(&self) -> &Path {
        self.state.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.root().join(path)).unwrap();
    }

    /// Changes what the Tenants say.
    pub fn edit_tenants(&self, from: &str, to: &str) {
        let tenants = fs::read_to_string(self.root().join("tenants.yaml")).unwrap();
        assert!(tenants.contains(from), "{from:?} is not in {tenants}");
        self.write("tenants.yaml", &tenants.replace(from, to));
    }

    /// Tenant `eu` is in the namespace `integrations` of another cluster from now on.
    pub fn move_to(&mut self, cluster: &Cluster) {
        self.edit_tenants(self.eu.name(), "integrations");
        self.edit_tenants("context: eu", &format!("context: {}", cluster.name()));
        self.by(cluster.kubeconfig());
    }

    /// Goes another way to the cluster from now on.
    pub fn by(&mut self, kubeconfig: &Path) {
        self.kubeconfig = kubeconfig.to_path_buf();
    }

    /// Goes straight to the cluster from now on.
    pub fn straight(&mut self) {
        self.kubeconfig = self.eu.cluster().kubeconfig().to_path_buf();
    }

    /// The command line, at the root.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stablekey"));
        command.args(arguments).current_dir(self.root()).env("KUBECONFIG", &self.kubeconfig).env("NO_COLOR", "1");
        command.env_remove("CI").env("XDG_STATE_HOME", self.state.path());
        command.args(["--request-timeout", self.patience]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(&self.command(arguments).output().unwrap())
    }

    /// Applies, and proves that nothing is left.
    pub fn apply(&self) -> Answer {
        let answer = self.run(&["apply", "--yes"]);
        assert_eq!(answer.code, 0, "{}\n{}", answer.out, answer.err);
        answer
    }

    /// The digest of the sync, as `plan` shows it.
    pub fn digest(&self) -> String {
        let plan: serde_json::Value = serde_json::from_str(&self.run(&["plan", "-o", "json"]).out).unwrap();
        let digests =
            plan["targets"].as_array().unwrap().iter().find_map(|target| target["digests"].get("sync/us-to-eu"));
        digests.unwrap().as_str().unwrap().to_string()
    }

    pub fn kubectl(&self, arguments: &[&str]) -> String {
        run(self.eu.kubectl().args(arguments)).unwrap()
    }

    /// The names of what is in `eu`, as kind/name.
    pub fn names(&self) -> Vec<String> {
        let kinds = "components,connections,customercredentials,integrations";
        self.kubectl(&["get", kinds, "-o", "name"]).lines().map(|line| line.replace(".stablekey.dev", "")).collect()
    }

    /// The spec of every object and its record, without what an API server counts.
    pub fn content(&self) -> String {
        let columns = "-o=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.spec} {.metadata.annotations.stablekey\\.dev/wrote}{\"\\n\"}{end}";
        self.kubectl(&["get", "components,connections,customercredentials,integrations", columns])
    }
}
