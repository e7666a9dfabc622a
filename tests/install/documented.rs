//! Runs the installation commands of the documentation on two real clusters.

use crate::tools::{error_of, output_of, repository, tool};
use stablekey_clusters::{Cluster, Options, run, run_with_input};
use stablekey_testing::replica::Replica;
use std::path::Path;
use std::process::{Command, Stdio};

/// Returns the shell blocks below a heading, as one script.
pub fn script(document: &str, heading: &str) -> String {
    blocks(document, heading).concat()
}

/// Returns the shell blocks below a heading.
pub fn blocks(document: &str, heading: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository(document)).unwrap();
    let (_, rest) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{document} has no {heading}"));
    let section = rest.split("\n#").next().unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_string());
    let blocks: Vec<String> = blocks.collect();
    assert!(!blocks.is_empty(), "{document}: {heading} has no commands");
    blocks
}

/// Starts clusters with these names, which are also their contexts.
pub fn clusters<const N: usize>(names: [&'static str; N]) -> [Cluster; N] {
    std::thread::scope(|scope| {
        let start = |name| scope.spawn(move || Cluster::start(&Options::named(name).with_controllers()).unwrap());
        names.map(start).map(|started| started.join().unwrap())
    })
}

/// A shell that knows clusters by their contexts, in a folder that looks like the repository.
pub struct Shell<'a> {
    clusters: &'a [Cluster],
    pub folder: tempfile::TempDir,
}

impl<'a> Shell<'a> {
    pub fn new(clusters: &'a [Cluster]) -> Self {
        Shell::in_copy(clusters, &repository(""))
    }

    /// Like `new`, in a copy of another version.
    pub fn in_copy(clusters: &'a [Cluster], version: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["manifests", "examples"] {
            std::os::unix::fs::symlink(version.join(name), folder.path().join(name)).unwrap();
        }
        Shell { clusters, folder }
    }

    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        output_of(self.bash(&["-euo", "pipefail"], script).stdin(Stdio::null()))
    }

    /// Like `run`, with a person who types.
    #[track_caller]
    pub fn run_typing(&self, typed: &str, script: &str) -> String {
        run_with_input(&mut self.bash(&["-euo", "pipefail"], script), typed).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a script that must fail in the shell of a person, which goes on after a command that failed. Returns what
    /// it reported.
    #[track_caller]
    pub fn error_of_person(&self, script: &str) -> String {
        error_of(self.bash(&[], script).stdin(Stdio::null()))
    }

    fn bash(&self, options: &[&str], script: &str) -> Command {
        let helm = tool("helm");
        let folders = [self.clusters[0].binaries(), Path::new(helm.get_program()).parent().unwrap()]
            .map(|path| path.display().to_string());
        let stablekey = Path::new(env!("CARGO_BIN_EXE_stablekey")).parent().unwrap().display();
        let path = format!("{stablekey}:{}:{}", folders.join(":"), std::env::var("PATH").unwrap());
        let kubeconfigs = self.clusters.iter().map(|cluster| cluster.kubeconfig().display().to_string());
        let kubeconfigs = kubeconfigs.collect::<Vec<_>>().join(":");
        let mut bash = Command::new("bash");
        bash.args(options).args(["-c", script]).current_dir(self.folder.path());
        bash.env("PATH", path).env("KUBECONFIG", kubeconfigs).env("HOME", self.folder.path());
        bash
    }
}

#[test]
fn the_documented_commands_install_a_working_operator() {
    let clusters = clusters(["us", "eu"]);
    let shell = Shell::new(&clusters);
    let document = "docs/operator.md";
    shell.run(&script(document, "### With Helm"));
    // Makes room for the other way to install it.
    for cluster in ["us", "eu"] {
        shell.run(&format!("helm uninstall stablekey --kube-context {cluster} --namespace {cluster}-prod"));
        shell.run(&format!("kubectl --context {cluster} delete namespace {cluster}-prod"));
    }
    shell.run(&script(document, "### With Kustomize"));
    shell.run(&script(document, "### A tenant in another cluster"));
    shell.run(&script(document, "### A tenant's folder"));
    for cluster in ["us", "eu"] {
        let path = "{.items[*].spec.definition.configMap.name}";
        let named =
            format!("kubectl --context {cluster} --namespace {cluster}-prod get integrations -o jsonpath='{path}'");
        let maps = shell.run(&named);
        assert!(maps.split(' ').count() >= 2, "{maps}");
        shell.run(&format!("kubectl --context {cluster} --namespace {cluster}-prod get configmaps {maps}"));
    }

    // There are no nodes: the Deployment's process runs here, with its arguments and its account.
    let token = clusters[0].token("us-prod", "stablekey-syncer").unwrap();
    let mut syncer = Command::new(env!("CARGO_BIN_EXE_stablekey"));
    let words = "get deployment stablekey-syncer --output=jsonpath={.spec.template.spec.containers[0].args[*]}";
    let arguments = shell.run(&format!("kubectl --context us --namespace us-prod {words}"));
    assert_eq!(arguments, "controller --role syncer");
    syncer.args(arguments.split(' ')).args(["--namespace", "us-prod", "--listen", "127.0.0.1:0"]);
    syncer.env("KUBECONFIG", clusters[0].kubeconfig_of(&token).unwrap()).stdin(Stdio::null());
    let _running = Replica::by(syncer);
    let said = shell.run(&script(document, "### Tenants and a sync"));
    assert!(said.contains("tenant.stablekey.dev/eu-prod condition met"), "{said}");
    assert!(said.contains("us-to-eu"), "{said}");

    // Uninstall.
    shell.run("kubectl --context us delete -k examples/install/us-prod");
    assert_eq!(
        run(clusters[0].kubectl().args(["get", "tenants", "--namespace=us-prod", "--output=name"]))
            .unwrap()
            .lines()
            .count(),
        2
    );
}
