//! Tenant `us` in a namespace of cluster `us`, which is also the hub; tenant `eu` in a namespace of cluster `eu`.

use crate::manifests;
use crate::objects::*;
use crate::permissions::{permissions_of, refused};
use crate::proxy::{Fate, Proxy, Seen};
use crate::replica::{Replica, until, wait_for_field};
use serde_json::{Value, json};
use stablekey::api::Kind;
use stablekey_clusters::audit::Mark;
use stablekey_clusters::{Cluster, Namespace, run, run_with_input, shared_all};
use std::fs;

pub struct TestEnv {
    pub us: Namespace<'static>,
    pub eu: Namespace<'static>,
}

/// Asserts with the audit log that nothing was forbidden to the accounts of manifests/.
impl Drop for TestEnv {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let accounts = [(&self.us, "stablekey-syncer", "syncer"), (&self.eu, "stablekey-target", TARGET)];
        for (namespace, account, folder) in accounts {
            let user = format!("system:serviceaccount:{}:{account}", namespace.name());
            let rights = permissions_of(namespace.cluster(), folder);
            assert_eq!(refused(&namespace.audit().unwrap(), &user, &rights), [""; 0]);
        }
    }
}

impl TestEnv {
    /// Creates two tenants, of which `eu` accepts `us`.
    pub fn new(prefix: &str) -> Self {
        let [us, eu] = shared_all(["us", "eu"]);
        TestEnv::on(prefix, us, eu)
    }

    /// Like `new`, on these clusters.
    pub fn on(prefix: &str, us: &'static Cluster, eu: &'static Cluster) -> Self {
        let env = TestEnv { us: us.namespace(&format!("{prefix}-us")), eu: eu.namespace(&format!("{prefix}-eu")) };
        env.in_us(&[tenant("us", json!({}))]);
        env.add_kubeconfig("eu", &env.eu);
        env
    }

    /// Creates another tenant that accepts `us`.
    pub fn target(&self, name: &str, cluster: &'static Cluster) -> Namespace<'static> {
        let namespace = cluster.namespace(name);
        self.add_kubeconfig(name, &namespace);
        namespace
    }

    /// Makes a namespace the location of tenant `name`, and adds its kubeconfig to the hub.
    fn add_kubeconfig(&self, name: &str, namespace: &Namespace<'_>) {
        apply(namespace, &[tenant(name, json!({"acceptFrom": ["us"]}))]);
        self.in_us(&[kubeconfig_secret(name, &target_access(namespace)), remote_tenant(name, namespace)]);
    }

    /// Puts a proxy before `eu`, with the account that manifests/ create there.
    pub fn proxy_to_eu(&self, decide: impl FnMut(&Seen) -> Fate + Send + 'static) -> Proxy {
        let account = manifests::account(self.eu.cluster(), self.eu.name(), TARGET);
        let proxy = Proxy::of(self.eu.cluster(), &account, decide);
        self.in_us(&[kubeconfig_secret("eu", &fs::read_to_string(&proxy.kubeconfig).unwrap())]);
        proxy
    }

    /// Returns the Tenant `eu` of the hub.
    pub fn remote_eu(&self) -> Value {
        remote_tenant("eu", &self.eu)
    }

    pub fn in_us(&self, objects: &[Value]) {
        apply(&self.us, objects);
    }

    pub fn in_eu(&self, objects: &[Value]) {
        apply(&self.eu, objects);
    }

    /// Starts a process with the syncer role in the namespace of `us`.
    pub fn syncer(&self) -> Replica {
        syncer(&self.us)
    }
}

/// Flags with short intervals, so that tests need not wait.
pub const SYNCER: [&str; 8] =
    ["--role", "syncer", "--lease-duration", "3s", "--request-timeout", "3s", "--delete-after", "1s"];

/// Starts a process with the syncer role in a namespace.
pub fn syncer(namespace: &Namespace<'_>) -> Replica {
    Replica::start(namespace, &SYNCER)
}

const TARGET: &str = "tenant-access/target";
/// The only Secret that a syncer may read, with the kubeconfigs of all tenants.
pub const KUBECONFIGS: &str = "secret/stablekey-kubeconfigs";

/// Returns the Secret with the kubeconfig of a tenant.
pub fn kubeconfig_secret(name: &str, kubeconfig: &str) -> Value {
    secret("stablekey-kubeconfigs", json!({name: kubeconfig}))
}

/// Returns the kubeconfig of the account that manifests/ create for a syncer in another cluster which writes here.
pub fn target_access(namespace: &Namespace<'_>) -> String {
    access(namespace, TARGET)
}

/// Returns the kubeconfig of the account that only reads here.
pub fn source_access(namespace: &Namespace<'_>) -> String {
    access(namespace, "tenant-access/source")
}

fn access(namespace: &Namespace<'_>, folder: &'static str) -> String {
    fs::read_to_string(manifests::account(namespace.cluster(), namespace.name(), folder)).unwrap()
}

/// Returns the Tenant that a hub has for a namespace elsewhere.
pub fn remote_tenant(name: &str, namespace: &Namespace<'_>) -> Value {
    Tenant::new(name).in_namespace_by_secret(namespace.name(), "stablekey-kubeconfigs", name).json()
}

pub fn apply(namespace: &Namespace<'_>, objects: &[Value]) {
    let flags = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    run_with_input(namespace.kubectl().args(flags), &list(objects).to_string()).unwrap();
}

pub fn kubectl(namespace: &Namespace<'_>, arguments: &[&str]) -> String {
    run(namespace.kubectl().args(arguments)).unwrap()
}

/// Returns a field of an object; empty if it has none.
pub fn field(namespace: &Namespace<'_>, object: &str, path: &str) -> String {
    run(namespace.kubectl().args(["get", object, "-o", &format!("jsonpath={{{path}}}")])).unwrap_or_default()
}

pub fn until_field(namespace: &Namespace<'_>, object: &str, path: &str, value: &str) {
    wait_for_field(&format!("{object} {path} is {value}"), || namespace.kubectl(), object, path, value);
}

pub fn tenant(name: &str, spec: Value) -> Value {
    document(Kind::Tenant, name, spec)
}

pub fn connection(key: &str, scopes: &str) -> Value {
    Connection::new(key, "salesforce/oauth2").input("scopes", scopes).secret("clientSecret", "app").json()
}

pub fn integration(name: &str, keys: &[&str]) -> Value {
    Integration::new(name).uses(keys).json()
}

pub fn sync(mode: &str) -> Value {
    sync_to(&["eu"], mode)
}

pub fn sync_to(targets: &[&str], mode: &str) -> Value {
    with(Sync::new("us-to-eu", "us", &targets.join(" ")).mirror().json(), "/spec/mode", mode)
}

/// Waits until the sync has this state in a target.
pub fn until_target_state(env: &TestEnv, target: &str, state: &str) {
    until_field(&env.us, SYNC, &of_target(target, "state"), state);
}

/// Returns the path of a field of a target in a sync's status.
pub fn of_target(target: &str, path: &str) -> String {
    format!(".status.targets[?(@.tenant==\"{target}\")].{path}")
}

pub const SYNC: &str = "tenantsync/us-to-eu";
pub const SCOPES: &str = ".spec.inputs.scopes.value";

/// Returns a field of the Ready condition of an object.
pub fn ready(namespace: &Namespace<'_>, object: &str, what: &str) -> String {
    field(namespace, object, &format!(".status.conditions[?(@.type==\"Ready\")].{what}"))
}

/// Waits for the reason of the Ready condition.
pub fn until_ready(namespace: &Namespace<'_>, object: &str, reason: &str) {
    until_field(namespace, object, ".status.conditions[?(@.type==\"Ready\")].reason", reason);
}

/// Returns the kubeconfig of another account with a syncer's permissions in a target.
pub fn another_account(namespace: &Namespace<'_>, name: &str) -> String {
    target_access(namespace);
    kubectl(namespace, &["create", "serviceaccount", name]);
    let account = format!("--serviceaccount={}:{name}", namespace.name());
    kubectl(namespace, &["create", "rolebinding", name, "--role=stablekey-target", &account]);
    let token = namespace.cluster().token(namespace.name(), name).unwrap();
    fs::read_to_string(namespace.cluster().kubeconfig_of(&token).unwrap()).unwrap()
}

/// Returns the program's writes in a namespace since a mark: verb and object.
pub fn written(namespace: &Namespace<'_>, since: Mark) -> Vec<String> {
    let ours = namespace.audit_since(since).unwrap().into_iter();
    let ours = ours.filter(|r| r.writes() && !r.agent.starts_with("kubectl") && r.resource != "leases");
    ours.map(|r| format!("{} {}/{} {}", r.verb, r.resource, r.name, r.code)).collect()
}

/// A sync of mode Plan whose plan waits, once a syncer runs: a connection and an integration that eu lacks.
pub fn waiting(prefix: &str) -> TestEnv {
    let env = TestEnv::new(prefix);
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Plan")]);
    env
}

/// Returns the digest of what waits in eu.
pub fn digest(env: &TestEnv) -> String {
    field(&env.us, SYNC, &of_target("eu", "digest"))
}

/// Requests a reconcile and waits for it, so that the status is current.
pub fn reconcile_again(env: &TestEnv, sync: &str, at: &str) {
    kubectl(&env.us, &["annotate", "--overwrite", sync, &format!("stablekey.dev/requestedAt={at}")]);
    until("it was handled", || field(&env.us, sync, ".status.lastHandledReconcileAt") == at);
}
