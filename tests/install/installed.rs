//! manifests/ in clusters: CRDs and policies once, and the rest in a namespace of each test.

use crate::renderings::kustomized;
use crate::tools::repository;
use serde_json::{Value, json};
use stablekey_clusters::{Cluster, Namespace, Options, run, run_with_input, shared_with};
use stablekey_testing::manifests::{in_namespace, list};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Starts a cluster with the CRDs and the policies in force.
fn cluster(name: &'static str) -> &'static Cluster {
    let cluster = shared_with(Options::named(name).with_controllers());
    run(cluster.kubectl().args(["apply", "--server-side", "-k"]).arg(repository("manifests/policies"))).unwrap();
    let namespace = cluster.namespace("in-force");
    let account = Account::new(install(&namespace, &["binder"]), "stablekey-binder");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "any"}});
    until("the policies are in force", || account.apply("--dry-run=server", &secret).is_err());
    cluster
}

/// Returns the cluster of the hubs.
pub fn us() -> &'static Cluster {
    static US: OnceLock<&Cluster> = OnceLock::new();
    US.get_or_init(|| cluster("installed-us"))
}

/// Returns another cluster.
pub fn eu() -> &'static Cluster {
    static EU: OnceLock<&Cluster> = OnceLock::new();
    EU.get_or_init(|| cluster("installed-eu"))
}

/// Applies folders of manifests/ to a namespace.
pub fn install<'n>(namespace: &'n Namespace<'static>, folders: &[&str]) -> &'n Namespace<'static> {
    apply(namespace, &list(&in_namespace(kustomized(folders), namespace.name())));
    namespace
}

/// Applies an object as the administrator.
#[track_caller]
pub fn apply(namespace: &Namespace<'_>, object: &Value) {
    let mut kubectl = namespace.kubectl();
    kubectl.args(["apply", "--server-side", "--force-conflicts", "-f", "-"]);
    run_with_input(&mut kubectl, &object.to_string()).unwrap_or_else(|error| panic!("{error}"));
}

/// An account of manifests/ in a namespace, with a real token.
pub struct Account {
    pub user: String,
    pub kubeconfig: PathBuf,
    pub namespace: String,
    cluster: &'static Cluster,
}

impl Account {
    pub fn new(namespace: &Namespace<'static>, name: &str) -> Self {
        let cluster = namespace.cluster();
        let token = cluster.token(namespace.name(), name).unwrap();
        Account {
            user: format!("system:serviceaccount:{}:{name}", namespace.name()),
            kubeconfig: cluster.kubeconfig_of(&token).unwrap(),
            cluster,
            namespace: namespace.name().to_string(),
        }
    }

    /// Returns a kubectl with these words as arguments, in its namespace.
    pub fn kubectl(&self, words: &str) -> Command {
        let mut kubectl = self.cluster.kubectl_as(&self.kubeconfig);
        kubectl.args(["--namespace", &self.namespace]).args(words.split_whitespace());
        kubectl
    }

    pub fn apply(&self, flags: &str, object: &Value) -> Result<String, String> {
        let mut kubectl = self.kubectl(&format!("apply --server-side --force-conflicts {flags} -f -"));
        run_with_input(&mut kubectl, &object.to_string()).map_err(|error| error.to_string())
    }
}

/// Retries until it is true.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
