//! The operator: a version takes over from another while both run, in a cluster with objects of every kind.

use super::{Version, earlier};
use crate::installed::until;
use http::StatusCode;
use serde_json::{Value, json};
use stablekey::api::{Credentials, Input, Kind};
use stablekey_clusters::audit::Mark;
use stablekey_clusters::{Cluster, Namespace, Options, run, run_with_input};
use stablekey_testing::manifests::{in_namespace, kustomized, list as list_of};
use stablekey_testing::objects::*;
use stablekey_testing::proxy::{Fate, Proxy};
use stablekey_testing::replica::{Replica, wait_for_field};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tenant us, which is also the hub, and tenant eu, with the accounts of the operator.
pub struct TestEnv<'c> {
    cluster: &'c Cluster,
    pub us: Namespace<'c>,
    pub eu: Namespace<'c>,
}

/// The processes of the operator: the binder of both tenants, and the syncer.
pub struct Operator([Replica; 3]);

/// The accounts of the operator, by namespace and folder of manifests.
const ACCOUNTS: [(&str, &str); 4] =
    [("us", "binder"), ("us", "syncer"), ("eu", "binder"), ("eu", "tenant-access/target")];

impl<'c> TestEnv<'c> {
    /// Installs a version in an empty cluster.
    pub fn new(cluster: &'c Cluster, version: &Version) -> Self {
        install_crds(cluster, version);
        let env = TestEnv { cluster, us: cluster.namespace("us"), eu: cluster.namespace("eu") };
        env.install_policies(version);
        env.install_accounts(version);
        env
    }

    fn namespace(&self, name: &str) -> &Namespace<'c> {
        if name == "us" { &self.us } else { &self.eu }
    }

    /// Applies the policies and the ClusterRoles of a version.
    pub fn install_policies(&self, version: &Version) {
        for folder in ["policies", "rbac"] {
            apply_folder(self.cluster, version, folder);
        }
    }

    /// Applies the operator's folders of manifests of a version, with its accounts.
    pub fn install_accounts(&self, version: &Version) {
        for (namespace, folder) in ACCOUNTS {
            let folder = version.folder.join("manifests").join(folder);
            let objects = kustomized(self.cluster.kubectl(), folder.to_str().unwrap());
            let objects = in_namespace(objects, self.namespace(namespace).name());
            apply(self.namespace(namespace), &list_of(&objects));
        }
    }

    fn account(&self, namespace: &str, name: &str) -> PathBuf {
        let token = self.cluster.token(self.namespace(namespace).name(), name).unwrap();
        self.cluster.kubeconfig_of(&token).unwrap()
    }

    /// Returns the kubeconfig of the account that the hub uses in eu.
    pub fn kubeconfig_of_eu(&self) -> String {
        std::fs::read_to_string(self.account("eu", "stablekey-target")).unwrap()
    }

    /// Starts the operator of a version, with the accounts of its manifests.
    pub fn start(&self, version: &Version) -> Operator {
        let process = |namespace: &str, role: &str| {
            let mut command = Command::new(&version.program);
            command.args(["controller", "--role", role, "--namespace", self.namespace(namespace).name()]);
            command.args(["--listen", "127.0.0.1:0", "--lease-duration", "15s", "--request-timeout", "5s"]);
            command.args(["--delete-after", "1s"]).stdin(Stdio::null());
            command.env("KUBECONFIG", self.account(namespace, &format!("stablekey-{role}")));
            Replica::by(command)
        };
        Operator([process("us", "binder"), process("eu", "binder"), process("us", "syncer")])
    }

    /// Requests a reconciliation of these syncs, and waits for it.
    pub fn reconcile(&self, at: &str, syncs: &[&str]) {
        let names = syncs.join(" ");
        self.kubectl("us", &format!("annotate --overwrite tenantsync {names} stablekey.dev/requestedAt={at}"));
        for sync in syncs {
            self.until("us", &format!("tenantsync/{sync}"), ".status.lastHandledReconcileAt", at);
        }
    }

    pub fn kubectl(&self, namespace: &str, words: &str) -> String {
        run(self.namespace(namespace).kubectl().args(words.split(' '))).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn field(&self, namespace: &str, object: &str, path: &str) -> String {
        let get = ["get", object, "-o", &format!("jsonpath={{{path}}}")];
        run(self.namespace(namespace).kubectl().args(get)).unwrap_or_default()
    }

    pub fn until(&self, namespace: &str, object: &str, path: &str, value: &str) {
        let what = format!("{object} {path} is {value}");
        wait_for_field(&what, || self.namespace(namespace).kubectl(), object, path, value);
    }

    pub fn until_ready(&self, namespace: &str, object: &str) {
        self.until(namespace, object, ".status.conditions[?(@.type==\"Ready\")].status", "True");
    }

    /// Returns what upgrades must not change, by object: its uid, spec or data, labels and annotations; of Secrets the
    /// resourceVersion too.
    pub fn everything(&self) -> BTreeMap<String, Value> {
        let of = |name: &'static str| {
            let got = run(self.namespace(name).kubectl().args(["get", "stablekey,secrets,configmaps", "-o", "json"]));
            let got: Value = serde_json::from_str(&got.unwrap()).unwrap();
            let items = got["items"].as_array().unwrap().clone();
            items.into_iter().map(move |item| (id(name, &item), unchanging(&item)))
        };
        ["us", "eu"].into_iter().flat_map(of).collect()
    }

    /// Returns the waiting plan as the command line of a version shows it, from the ConfigMap in the hub.
    fn shown_to_approvers(&self, version: &Version) -> String {
        let state = tempfile::tempdir().unwrap();
        let arguments = ["plan", "--namespace", self.us.name(), "--sync", "waits"];
        let mut plan = version.command(state.path(), state.path(), &arguments);
        let output = plan.env("KUBECONFIG", self.cluster.kubeconfig()).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2), "{shown}{}", String::from_utf8_lossy(&output.stderr));
        assert!(shown.contains("later"), "{shown}");
        shown
    }

    /// Approves a waiting plan with the command line of a version.
    fn approve(&self, sync: &str, digest: &str, version: &Version) {
        let state = tempfile::tempdir().unwrap();
        let arguments = ["approve", sync, "--namespace", self.us.name(), "--yes", "--digest", digest];
        let mut approve = version.command(state.path(), state.path(), &arguments);
        run(approve.env("KUBECONFIG", self.cluster.kubeconfig())).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Returns the operator's writes since a mark, except to Leases and events.
    pub fn written(&self, since: Mark) -> Vec<String> {
        let requests = self.cluster.audit_since(since).unwrap().into_iter();
        let ours = requests.filter(|request| {
            let accounts = ["stablekey-binder", "stablekey-syncer", "stablekey-target"];
            accounts.iter().any(|account| request.user.ends_with(account))
                && request.writes()
                && !["leases", "events"].contains(&request.resource.as_str())
        });
        ours.map(|r| format!("{} {}/{} {} {}", r.verb, r.resource, r.name, r.subresource, r.code)).collect()
    }
}

impl Operator {
    fn until_it_leads(&self) {
        let [us, eu, syncer] = &self.0;
        for (replica, role) in [(us, "binder"), (eu, "binder"), (syncer, "syncer")] {
            until("the new process leads", || leads(replica, role));
            until("it is ready", || replica.get("/readyz").code == 200);
            until("its queue is empty", || {
                replica.metric(&format!("stablekey_queue_depth{{role=\"{role}\"}}")) == Some(0.0)
            });
        }
    }

    pub fn syncer(&mut self) -> &mut Replica {
        self.0.last_mut().unwrap()
    }

    pub fn end(mut self) {
        for replica in &mut self.0 {
            replica.signal("-TERM");
            assert!(replica.end().success());
        }
    }
}

/// Whether a process leads. One that has just started has no such metric yet.
fn leads(replica: &Replica, role: &str) -> bool {
    replica.metric(&format!("stablekey_leader{{role=\"{role}\"}}")) == Some(1.0)
}

fn id(namespace: &str, item: &Value) -> String {
    format!("{namespace}/{}/{}", item["kind"].as_str().unwrap(), item["metadata"]["name"].as_str().unwrap())
}

fn unchanging(item: &Value) -> Value {
    let metadata = &item["metadata"];
    let mut annotations = metadata["annotations"].clone();
    if let Some(all) = annotations.as_object_mut() {
        all.remove("stablekey.dev/requestedAt");
    }
    let is_plan = metadata["name"].as_str().is_some_and(|name| name.starts_with("stablekey-plan-"));
    let definitions = if is_plan { Value::Null } else { item["binaryData"].clone() };
    let version = if item["kind"] == "Secret" { metadata["resourceVersion"].clone() } else { Value::Null };
    json!({
        "uid": metadata["uid"], "labels": metadata["labels"], "annotations": annotations, "version": version,
        "spec": item["spec"], "data": item["data"], "binaryData": definitions, "generation": metadata["generation"],
        "owners": metadata["ownerReferences"],
    })
}

/// Returns the parts of objects that differ.
pub fn differences(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let of = |id: &String| match (before.get(id), after.get(id)) {
        (Some(Value::Object(was)), Some(Value::Object(is))) => {
            let parts = was.iter().filter(|(part, value)| is.get(*part) != Some(value));
            parts.map(|(part, value)| format!("{id} {part}: {value} became {}", is[part])).collect()
        }
        (Some(_), _) => vec![format!("{id} is gone")],
        (None, _) => vec![format!("{id} is new")],
    };
    ids.into_iter().flat_map(of).collect()
}

/// Applies a folder of manifests/ of a version, as the documentation does.
fn apply_folder(cluster: &Cluster, version: &Version, folder: &str) {
    let folder = version.folder.join("manifests").join(folder);
    run(cluster.kubectl().args(["apply", "--server-side", "-k"]).arg(folder)).unwrap();
}

pub fn install_crds(cluster: &Cluster, version: &Version) {
    apply_folder(cluster, version, "crds");
    let folder = version.folder.join("crds");
    run(cluster.kubectl().args(["wait", "--for=condition=Established", "--timeout=60s", "-f"]).arg(&folder)).unwrap();
    // kubectl finds the kinds a moment later.
    until("the kinds are found", || run(cluster.kubectl().args(["get", "stablekey", "-A"])).is_ok());
}

#[track_caller]
pub fn apply(namespace: &Namespace<'_>, object: &Value) {
    let mut kubectl = namespace.kubectl();
    kubectl.args(["apply", "--server-side", "--force-conflicts", "-f", "-"]);
    run_with_input(&mut kubectl, &object.to_string()).unwrap_or_else(|error| panic!("{error}"));
}

fn component() -> Value {
    let basic = Component::new("salesforce/basic").requires("baseUrl").has_endpoint("baseUrl");
    basic.requires("password").has_secret("password").has_input("note").json()
}

/// A connection whose input `note` these tests edit.
pub fn connection(key: &str, note: &str) -> Value {
    let connection = Connection::new(key, "salesforce/basic").credentials(Credentials::OrganizationGlobal);
    let connection = connection.input("baseUrl", "https://login.example");
    connection.input("note", note).with_input("password", Input::secret("app", "password")).json()
}

/// A connection of customers, who supply the address.
fn of_customers(key: &str) -> Value {
    let inputs =
        json!({"baseUrl": {"perCustomer": true}, "password": {"secretRef": {"name": "portal", "key": "password"}}});
    with(with(connection(key, ""), "/spec/credentials", "OrganizationCustomer"), "/spec/inputs", inputs)
}

pub fn opted_in(name: &str) -> Value {
    let annotations = json!({"stablekey.dev/keys": "*", "stablekey.dev/hosts": "login.example,acme.example"});
    let labels = json!({"stablekey.dev/for": "connections"});
    let app = secret(name, json!({"password": "not to be shown"}));
    with(with(app, "/metadata/labels", labels), "/metadata/annotations", annotations)
}

fn definition() -> Value {
    let text = "definitionVersion: 7\nname: Lead\nrequiredConfigVars:\n- {key: CRM, dataType: connection, useScopedConfigVar: crm}\nflows: []\n";
    let metadata = json!({"name": "lead-exported", "labels": {"stablekey.dev/definition": "true"}});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"definition": text}})
}

fn sync(name: &str, integrations: &[&str], mode: &str) -> Value {
    let sync = Sync::new(name, "us", "eu").mirror().of_integrations(integrations);
    with(sync.json(), "/spec/mode", mode)
}

/// The syncs of these tests.
const SYNCS: [&str; 3] = ["us-to-eu", "waits", "careful"];
const STATE: &str = ".status.targets[0].state";

/// Applies objects of every kind, and waits until the operator is done with them: bindings, a sync that applies, one
/// that waits for approval; then a value of eu's own, and drift.
pub fn populate(env: &TestEnv<'_>, eu_kubeconfig: &str) {
    let tenant = |name: &str, spec: Value| document(Kind::Tenant, name, spec);
    let eu = json!({"acceptFrom": ["us"], "policy": {"actions": ["Create", "Update", "Delete"]}});
    let acme = CustomerCredentials::new("acme", "portal").input("baseUrl", "https://acme.example").json();
    let own = with(connection("chat", "us"), "/spec/title", "Chat of eu");
    apply(&env.eu, &list(&[tenant("eu", eu), component(), opted_in("app"), opted_in("portal"), own]));
    let remote = Tenant::new("eu").in_namespace_by_secret(env.eu.name(), "stablekey-kubeconfigs", "eu");
    let lead = Integration::new("lead").binds("CRM", "crm").definition_map("lead-exported");
    let mut carries = sync("us-to-eu", &["lead", "portal", "notify"], "Apply");
    carries["spec"]["overrides"] =
        json!([{"tenant": "eu", "stableKey": "crm", "input": "note", "value": "Europe", "reason": "a test"}]);
    carries["spec"]["prune"] = json!(true);
    apply(
        &env.us,
        &list(&[
            tenant("us", json!({})),
            secret("stablekey-kubeconfigs", json!({"eu": eu_kubeconfig})),
            remote.json(),
            component(),
            opted_in("app"),
            opted_in("portal"),
            acme.clone(),
            connection("crm", "first"),
            with(connection("chat", "us"), "/spec/title", "Chat"),
            of_customers("portal"),
            connection("later", "first"),
            definition(),
            lead.json(),
            Integration::new("portal").uses(&["portal"]).json(),
            Integration::new("notify").title("Notify").uses(&["chat"]).json(),
            Integration::new("later").uses(&["later"]).json(),
            carries,
            sync("waits", &["later"], "Plan"),
        ]),
    );
    // Only a person may create it beside a customer's credentials.
    env.until("eu", "integration/portal", ".metadata.name", "portal");
    apply(&env.eu, &acme);
    for namespace in ["us", "eu"] {
        for object in ["connection/crm", "integration/lead", "integration/portal", "customercredentials/acme-portal"] {
            env.until(namespace, object, ".metadata.name", object.split('/').nth(1).unwrap());
            env.until_ready(namespace, object);
        }
        for binding in ["crm.binding", "chat.binding", "acme-portal.customer-binding"] {
            env.until(namespace, &format!("secret/{binding}"), ".metadata.name", binding);
        }
    }
    env.until("us", "tenantsync/us-to-eu", STATE, "InSync");
    env.until("us", "tenantsync/waits", STATE, "AwaitingApproval");
    assert_eq!(env.field("eu", "connection/chat", ".spec.title"), "Chat of eu");
    env.kubectl("eu", r#"patch integration/notify --type=merge --patch {"spec":{"title":"Edited"}}"#);
    env.until("us", "tenantsync/us-to-eu", STATE, "Drifted");
}

/// Approves a sync of two connections, of which eu refuses one: the approval stays begun. The command line of another
/// version than the operator's gives it.
fn begin_an_approval(env: &TestEnv<'_>, refuses: &AtomicBool, note: &str, by: &Version) {
    refuses.store(true, Ordering::SeqCst);
    let half = Integration::new("half").uses(&["bad", "good"]).json();
    apply(
        &env.us,
        &list(&[connection("bad", note), connection("good", note), half, sync("careful", &["half"], "Plan")]),
    );
    let careful = "tenantsync/careful";
    until("the change waits", || {
        env.field("us", careful, STATE) == "AwaitingApproval"
            && env.field("us", careful, ".status.targets[0].actions").contains("good")
    });
    let digest = env.field("us", careful, ".status.targets[0].digest");
    env.approve("careful", &digest, by);
    env.until("eu", "connection/good", ".spec.inputs.note.value", note);
    env.until("us", careful, STATE, "Failed");
    let approvals = env.field("us", careful, ".status.approvals");
    assert!(approvals.contains(&digest), "{approvals}");
}

/// Returns what the statuses of the syncs say: mode, state, counts, digest, kept and drifted fields, begun approvals.
fn states(env: &TestEnv<'_>) -> Vec<Value> {
    let syncs: Value = serde_json::from_str(&env.kubectl("us", "get tenantsyncs -o json")).unwrap();
    let syncs = syncs["items"].as_array().unwrap().iter().map(|sync| {
        let target = &sync["status"]["targets"][0];
        let of_target = ["state", "counts", "digest", "kept", "drifted"].map(|field| target[field].clone());
        json!([sync["metadata"]["name"], of_target, sync["status"]["approvals"]])
    });
    syncs.collect()
}

/// Starts the operator of a version while another leads, then ends that: the Leases go over.
pub fn change_over(env: &TestEnv<'_>, from: Operator, to: &Version) -> Operator {
    let operator = env.start(to);
    assert!(!leads(operator.0.last().unwrap(), "syncer"), "the other one still leads");
    from.end();
    operator.until_it_leads();
    operator
}

/// Lets one version take over from another, whose process still runs: nothing is written but statuses, and everything
/// stays as it is.
#[track_caller]
fn take_over(env: &TestEnv<'_>, from: Operator, to: &Version, at: &str) -> Operator {
    env.reconcile(&format!("before-{at}"), &SYNCS);
    let (before, before_states, mark) = (env.everything(), states(env), env.cluster.mark().unwrap());
    let waits = env.shown_to_approvers(to);
    let operator = change_over(env, from, to);
    env.reconcile(&format!("after-{at}"), &SYNCS);
    // A retry may be under way.
    until("the statuses are as before", || states(env) == before_states);
    assert_eq!(differences(&before, &env.everything()), [""; 0]);
    let written = env.written(mark);
    let (statuses, others): (Vec<&String>, Vec<&String>) = written.iter().partition(|write| write.contains(" status "));
    // A requested reconciliation stores the waiting plans again.
    let others: Vec<&String> =
        others.into_iter().filter(|write| !write.contains("configmaps/stablekey-plan-")).collect();
    assert_eq!(others, [""; 0]);
    assert_eq!(env.shown_to_approvers(to), waits);
    // Settled: a further reconciliation writes only that it was handled.
    let mark = env.cluster.mark().unwrap();
    env.reconcile(&format!("again-{at}"), &SYNCS);
    let again = env.written(mark);
    let again: Vec<&String> = again.iter().filter(|write| !write.contains("configmaps/stablekey-plan-")).collect();
    assert!(again.len() <= 3 && again.iter().all(|write| write.contains("tenantsyncs/")), "{again:#?}");
    assert!(statuses.len() <= 40, "{statuses:#?}");
    operator
}

/// Work goes on: an edit of the source crosses, a begun approval is finished and spent, and what waits still waits.
fn work_goes_on(env: &TestEnv<'_>, refuses: &AtomicBool, note: &str) {
    let chat = with(connection("chat", note), "/spec/title", "Chat");
    apply(&env.us, &chat);
    assert_ne!(env.field("eu", "connection/bad", ".spec.inputs.note.value"), note);
    refuses.store(false, Ordering::SeqCst);
    env.until("eu", "connection/bad", ".spec.inputs.note.value", note);
    env.until("us", "tenantsync/careful", STATE, "InSync");
    assert_eq!(env.field("us", "tenantsync/careful", ".status.approvals[?(@.covers)].covers"), "");
    assert_eq!(env.field("eu", "connection/later", ".metadata.name"), "", "nobody approved it");
    env.until("eu", "connection/chat", ".spec.inputs.note.value", note);
    // The binding Secrets follow their connection.
    for namespace in [&env.us, &env.eu] {
        until("the binding Secret has it", || {
            let get = ["get", "secret/chat.binding", "-o", "go-template={{.data.note | base64decode}}"];
            run(namespace.kubectl().args(get)).is_ok_and(|content| content == note)
        });
    }
}

#[test]
fn the_operator_is_upgraded_and_goes_back_without_a_write() {
    let this = Version::this();
    for earlier in earlier() {
        let cluster = Cluster::start(&Options::named("upgrades")).unwrap();
        let env = TestEnv::new(&cluster, earlier);
        let refuses = Arc::new(AtomicBool::new(false));
        let proxy = Proxy::of(&cluster, &env.account("eu", "stablekey-target"), {
            let refuses = refuses.clone();
            move |seen| match seen.writes() && seen.path.contains("/connections/bad") && refuses.load(Ordering::SeqCst)
            {
                true => Fate::Say(StatusCode::FORBIDDEN, None),
                false => Fate::Pass,
            }
        });
        let operator = env.start(earlier);
        populate(&env, &std::fs::read_to_string(&proxy.kubeconfig).unwrap());
        begin_an_approval(&env, &refuses, "one", &this);

        // Upgrade, in the documented order.
        install_crds(&cluster, &this);
        env.install_policies(&this);
        env.install_accounts(&this);
        let operator = take_over(&env, operator, &this, "upgrade");
        work_goes_on(&env, &refuses, "one");

        // Back: the CRDs and the policies stay.
        begin_an_approval(&env, &refuses, "two", earlier);
        env.install_accounts(earlier);
        let operator = take_over(&env, operator, earlier, "back");
        work_goes_on(&env, &refuses, "two");

        // And up again.
        begin_an_approval(&env, &refuses, "three", &this);
        env.install_accounts(&this);
        let operator = take_over(&env, operator, &this, "again");
        work_goes_on(&env, &refuses, "three");
        operator.end();
    }
}
