//! Confused deputies: people with few permissions try to make the syncer act for them, each with a real account.

use super::env::*;
use serde_json::{Value, json};
use stablekey_clusters::{Cluster, Namespace, run, run_with_input, shared};
use stablekey_testing::objects::*;
use stablekey_testing::project::Project;
use stablekey_testing::replica::until;
use std::path::PathBuf;
use std::process::Command;

/// An account with given permissions in a namespace, used with kubectl.
struct Account {
    kubeconfig: PathBuf,
    namespace: String,
    cluster: &'static Cluster,
}

impl Account {
    /// `rules`: verbs and resources.
    fn new(namespace: &Namespace<'static>, name: &str, rules: &[(&str, &str)]) -> Self {
        let cluster = namespace.cluster();
        kubectl(namespace, &["create", "serviceaccount", name]);
        for (number, (verbs, resources)) in rules.iter().enumerate() {
            let role = format!("{name}-{number}");
            let resources: Vec<String> = resources.split(',').map(|r| format!("{r}.stablekey.dev")).collect();
            let (verbs, resources) = (format!("--verb={verbs}"), format!("--resource={}", resources.join(",")));
            kubectl(namespace, &["create", "role", &role, &verbs, &resources]);
            let account = format!("--serviceaccount={}:{name}", namespace.name());
            kubectl(namespace, &["create", "rolebinding", &role, &format!("--role={role}"), &account]);
        }
        let token = cluster.token(namespace.name(), name).unwrap();
        let kubeconfig = cluster.kubeconfig_of(&token).unwrap();
        Account { kubeconfig, namespace: namespace.name().to_string(), cluster }
    }

    /// An editor of a tenant's objects, and nothing else.
    fn editor(namespace: &Namespace<'static>) -> Self {
        let kinds = "connections,integrations,components,customercredentials";
        Account::new(namespace, "editor", &[("get,list,watch,create,update,patch,delete", kinds)])
    }

    fn kubectl(&self) -> Command {
        let mut kubectl = self.cluster.kubectl_as(&self.kubeconfig);
        kubectl.args(["--namespace", &self.namespace]);
        kubectl
    }

    fn apply(&self, objects: &[Value]) -> Result<String, String> {
        let list = list(objects).to_string();
        let mut command = self.kubectl();
        command.args(["apply", "--server-side", "--force-conflicts", "-f", "-"]);
        run_with_input(&mut command, &list).map_err(|error| error.to_string())
    }
}

fn with(mut connection: Value, inputs: Value) -> Value {
    for (name, input) in inputs.as_object().unwrap() {
        connection["spec"]["inputs"][name] = input.clone();
    }
    connection
}

fn token_url(env: &TestEnv, connection: &str) -> String {
    field(&env.eu, connection, ".spec.inputs.tokenUrl.value")
}

/// A development editor mirrors a connection that points the production secret at another host.
#[test]
fn an_editor_of_the_source_cannot_redirect_the_targets_secret() {
    let env = TestEnv::new("redirected");
    let editor = Account::editor(&env.us);
    let _syncer = env.syncer();
    let url = |url: &str| with(connection("crm", "api"), json!({"tokenUrl": {"value": url}}));
    env.in_us(&[url("https://good.example"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");

    // With another value, an additional endpoint, a removed endpoint, and another kind of input.
    let attacks = [
        url("https://evil.example"),
        with(url("https://good.example"), json!({"apiHost": {"value": "evil.example"}})),
        connection("crm", "api"),
        with(connection("crm", "api"), json!({"tokenUrl": {"perCustomer": true}})),
    ];
    for attack in attacks {
        editor.kubectl().args(["delete", "connection", "crm", "--ignore-not-found"]).output().unwrap();
        editor.apply(&[attack, connection("told", "x"), integration("told", &["told"])]).unwrap();
        until_target_state(&env, "eu", "AwaitingApproval");
        assert!(field(&env.us, SYNC, &of_target("eu", "actions")).contains("SK0107"));
        assert_eq!(token_url(&env, "connection/crm"), "https://good.example");
        assert_eq!(field(&env.eu, "connection/crm", ".spec.inputs.apiHost.value"), "");
    }
    // A harmless value that becomes an endpoint in small steps waits nevertheless.
    editor.apply(&[with(url("https://good.example"), json!({"note": {"value": "plain"}}))]).unwrap();
    until_field(&env.eu, "connection/crm", ".spec.inputs.note.value", "plain");
    editor.apply(&[with(url("https://good.example"), json!({"note": {"value": "https://evil.example"}}))]).unwrap();
    until_target_state(&env, "eu", "AwaitingApproval");
    assert_eq!(field(&env.eu, "connection/crm", ".spec.inputs.note.value"), "plain");
}

/// A TenantSync names a tenant of another namespace, or one that does not accept it.
#[test]
fn a_sync_reaches_only_tenants_of_its_namespace_that_accept_it() {
    let env = TestEnv::new("reaches");
    // A namespace of the same cluster, which the operator's account may write, and which accepts every source.
    let victim = shared("us").namespace("victim");
    apply(
        &victim,
        &[tenant("victim", json!({"acceptFrom": ["us", "eu", "mine"]})), connection("crm", "of the victim")],
    );
    let rights = [("get,list,watch,create,update,patch,delete", "tenants,tenantsyncs,connections,integrations")];
    let attacker = Account::new(&env.us, "attacker", &rights);
    let _syncer = env.syncer();
    let mark = env.us.cluster().mark().unwrap();
    let to = |name: &str, target: &str| {
        let mut sync = sync_to(&[target], "Apply");
        sync["metadata"]["name"] = json!(name);
        sync
    };
    let by_the_operators_own_account =
        tenant("sneaked", json!({"location": {"kubernetes": {"namespace": victim.name()}}}));
    attacker
        .apply(&[
            connection("crm", "of the attacker"),
            integration("lead", &["crm"]),
            to("by-name", "victim"),
            to("by-path", &format!("{}/victim", victim.name())),
            by_the_operators_own_account,
            to("by-own-account", "sneaked"),
            // A Tenant in the hub claims that eu accepts it; only eu's own Tenant decides.
            {
                let mut eu = env.remote_eu();
                eu["spec"]["acceptFrom"] = json!(["us"]);
                eu
            },
            to("not-accepted", "eu"),
        ])
        .unwrap();
    env.in_eu(&[tenant("eu", json!({"acceptFrom": ["other"]}))]);
    let state = |sync: &str, target: &str| field(&env.us, &format!("tenantsync/{sync}"), &of_target(target, "state"));
    until("not accepted", || state("not-accepted", "eu") == "NotAccepted");
    until("not known", || state("by-name", "victim") == "Invalid");
    until("unresolved", || state("by-own-account", "sneaked") == "Unreachable");
    until_ready(&env.us, "tenant/sneaked", "KubeconfigMissing");
    let by_path = format!("{}/victim", victim.name());
    until("not known by a path", || state("by-path", &by_path) == "Invalid");
    assert_eq!(field(&victim, "connection/crm", SCOPES), "of the victim");
    let asked = env.us.cluster().audit_since(mark).unwrap().into_iter();
    let asked: Vec<_> = asked.filter(|r| r.namespace == victim.name() && !r.agent.starts_with("kubectl")).collect();
    assert!(asked.is_empty(), "{asked:?}");
}

/// Someone who may write TenantSyncs but not approve sets an approval, or mode `Apply`.
#[test]
fn an_editor_of_syncs_cannot_approve() {
    let guarded = shared("guarded");
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/policies/approve-syncs.yaml");
    run(guarded.kubectl().args(["apply", "-f", policy])).unwrap();
    let env = TestEnv::on("unapproved", guarded, shared("eu"));
    let rights = [("get,list,watch,create,update,patch,delete", "tenantsyncs")];
    let writer = Account::new(&env.us, "writer", &rights);
    until("the policy is in force", || {
        let mut applies = sync("Apply");
        applies["metadata"]["name"] = json!("probe");
        let mut command = writer.kubectl();
        command.args(["create", "--dry-run=server", "-f", "-"]);
        run_with_input(&mut command, &applies.to_string())
            .is_err_and(|error| error.to_string().contains("takes the verb approve"))
    });
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"])]);
    writer.apply(&[sync("Plan")]).unwrap();
    until_target_state(&env, "eu", "AwaitingApproval");
    reconcile_again(&env, SYNC, "1");
    let digest = field(&env.us, SYNC, &of_target("eu", "digest"));
    let refused = |arguments: &[&str]| {
        let said = run(writer.kubectl().args(arguments)).unwrap_err().to_string();
        assert!(said.contains("takes the verb approve"), "{said}");
    };
    refused(&["annotate", SYNC, &format!("stablekey.dev/approve={digest}")]);
    refused(&["patch", SYNC, "--type=merge", "-p", "{\"spec\": {\"mode\": \"Apply\"}}"]);
    let mut approved = sync("Plan");
    approved["metadata"]["name"] = json!("again");
    approved["metadata"]["annotations"] = json!({"stablekey.dev/approve": digest});
    assert!(writer.apply(&[approved]).unwrap_err().contains("takes the verb approve"));
    // A status approves nothing, even if they could write it: the operator reads only the annotation.
    let mut status = guarded.kubectl();
    let approved =
        json!({"metadata": {"annotations": {"stablekey.dev/approve": digest}}, "spec": {"mode": "Apply"}}).to_string();
    run(status.args(["-n", env.us.name(), "patch", SYNC, "--subresource=status", "--type=merge", "-p", &approved]))
        .unwrap();
    reconcile_again(&env, SYNC, "2");
    assert_eq!(kubectl(&env.eu, &["get", "connections,integrations", "-o", "name"]), "");
    // An approver can.
    kubectl(&env.us, &["annotate", SYNC, &format!("stablekey.dev/approve={digest}")]);
    until_target_state(&env, "eu", "InSync");
    // In mode Apply they may not change what it copies, or where to, either.
    env.in_us(&[sync("Apply")]);
    for change in
        ["{\"spec\": {\"from\": \"west\"}}", "{\"spec\": {\"prune\": true}}", "{\"spec\": {\"to\": [\"us-2\"]}}"]
    {
        refused(&["patch", SYNC, "--type=merge", "-p", change]);
    }
}

/// A `replaces` that a sync copies names production's own key.
#[test]
fn a_copied_replaces_does_not_resolve_the_targets_own_key() {
    let env = TestEnv::new("replaces");
    let editor = Account::editor(&env.us);
    env.in_eu(&[connection("prod-crm", "of prod"), integration("theirs", &["prod-crm"])]);
    let _syncer = env.syncer();
    let mut taking = connection("taking", "of dev");
    taking["spec"]["replaces"] = json!(["prod-crm"]);
    editor.apply(&[taking, integration("lead", &["taking"]), integration("other", &["prod-crm"])]).unwrap();
    env.in_us(&[sync("Apply")]);
    until_field(&env.eu, "integration/lead", ".metadata.name", "lead");
    reconcile_again(&env, SYNC, "1");
    // The existing integration is unchanged.
    let eu = Tenant::new("eu").in_namespace(env.eu.name(), "eu").yaml();
    let project = Project::empty().with("eu.yaml", &eu);
    let bound = |integration: &str| -> String {
        let mut explain = project.command(&["explain", "eu", integration, "-o", "json"]);
        let said = explain.env("KUBECONFIG", env.eu.cluster().kubeconfig()).output().unwrap().stdout;
        let said: Value = serde_json::from_slice(&said).unwrap();
        said["bindings"][0]["connection"]["stableKey"].as_str().unwrap().to_string()
    };
    assert_eq!(bound("theirs"), "prod-crm");
    assert_eq!(bound("lead"), "taking");
    assert_eq!(field(&env.eu, "connection/prod-crm", SCOPES), "of prod");
    assert_eq!(field(&env.eu, "integration/theirs", ".spec.connections[0].stableKey"), "prod-crm");
}

/// An ownership record that was copied from another object or tenant does not count.
#[test]
fn a_copied_record_does_not_count() {
    let env = TestEnv::new("records");
    let editor = Account::editor(&env.eu);
    let _syncer = env.syncer();
    let mut pruning = sync("Apply");
    pruning["spec"]["prune"] = json!(true);
    let policy = json!({"acceptFrom": ["us"], "policy": {"actions": ["Create", "Update", "Delete"]}});
    env.in_eu(&[tenant("eu", policy)]);
    let mut hub = env.remote_eu();
    hub["spec"]["policy"] = json!({"actions": ["Create", "Update", "Delete"]});
    env.in_us(&[hub, connection("crm", "api"), integration("lead", &["crm"]), integration("keeps", &["crm"]), pruning]);
    until_target_state(&env, "eu", "InSync");
    let copy = |name: &str| -> Value { serde_json::from_str(&kubectl(&env.eu, &["get", name, "-o", "json"])).unwrap() };
    let renamed = |mut object: Value, name: &str| {
        let annotations = object["metadata"]["annotations"].clone();
        object["metadata"] = json!({"name": name, "annotations": annotations});
        object
    };
    // An unmanaged integration with the record of a managed one: it is not desired, but that is no reason to delete it.
    let stray = renamed(copy("integration/lead"), "stray");
    assert!(stray["metadata"]["annotations"]["stablekey.dev/wrote"].is_string());
    // A connection with another value, and the record of one that was written as it is: that is no drift to revert.
    let mut kept = renamed(copy("connection/crm"), "erp");
    kept["spec"]["stableKey"] = json!("erp");
    kept["spec"]["inputs"]["scopes"] = json!({"value": "theirs"});
    editor.apply(&[stray, kept]).unwrap();
    env.in_us(&[connection("erp", "of us"), integration("lead", &["crm", "erp"])]);
    until_field(&env.eu, "integration/lead", ".spec.connections[1].stableKey", "erp");
    reconcile_again(&env, SYNC, "1");
    assert_eq!(field(&env.eu, "connection/erp", SCOPES), "theirs");
    assert_eq!(field(&env.eu, "integration/stray", ".metadata.name"), "stray");
    // The same with another tenant, written by somebody who even uses Stablekey's field manager.
    let mut foreign = renamed(copy("integration/keeps"), "foreign");
    let record =
        foreign["metadata"]["annotations"]["stablekey.dev/wrote"].as_str().unwrap().replace("\"eu\"", "\"west\"");
    foreign["metadata"]["annotations"]["stablekey.dev/wrote"] = json!(record);
    foreign["metadata"]["namespace"] = json!(env.eu.name());
    let mut as_us = editor.kubectl();
    as_us.args(["apply", "--server-side", "--field-manager=stablekey-syncer", "-f", "-"]);
    run_with_input(&mut as_us, &foreign.to_string()).unwrap();
    reconcile_again(&env, SYNC, "2");
    assert_eq!(field(&env.eu, "integration/foreign", ".metadata.name"), "foreign");
    // Managed objects are deleted.
    kubectl(&env.us, &["delete", "integration/keeps"]);
    until("it is gone", || field(&env.eu, "integration/keeps", ".metadata.name").is_empty());
    reconcile_again(&env, SYNC, "3");
    assert_eq!(kubectl(&env.eu, &["get", "integrations", "-o", "name"]).lines().count(), 3);
}

/// The syncer's account in a target may read no Secret.
#[test]
fn a_syncer_reads_no_secret_of_a_tenant() {
    let env = TestEnv::new("secretless");
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    let asked = env.eu.audit().unwrap();
    let by_us: Vec<_> = asked.iter().filter(|r| r.user.ends_with(":stablekey-target")).collect();
    assert!(by_us.len() > 8 && by_us.iter().all(|r| r.resource != "secrets" && r.code != 403), "{by_us:?}");
}
