//! Confused deputies: who may little tries to have the syncer do more, each with a real account.

use super::env::*;
use serde_json::{Value, json};
use stablekey_clusters::{Cluster, Namespace, run, run_with_input, shared};
use stablekey_testing::objects::*;
use stablekey_testing::project::Project;
use stablekey_testing::replica::until;
use std::path::PathBuf;
use std::process::Command;

/// Whoever has these rights in a namespace: kubectl, as that account.
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

    /// One who edits what is in a tenant, and nothing else.
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

/// "a dev editor mirrors a connection that points prod's secret at another host".
#[test]
fn an_editor_of_the_source_does_not_point_the_targets_secret_at_another_host() {
    let env = TestEnv::new("redirected");
    let editor = Account::editor(&env.us);
    let _syncer = env.syncer();
    let url = |url: &str| with(connection("crm", "api"), json!({"tokenUrl": {"value": url}}));
    env.in_us(&[url("https://good.example"), integration("lead", &["crm"]), sync("Apply")]);
    until_stands(&env, "eu", "InSync");

    // By another value, by an endpoint more, by taking it away, and by a new kind of input.
    let attacks = [
        url("https://evil.example"),
        with(url("https://good.example"), json!({"apiHost": {"value": "evil.example"}})),
        connection("crm", "api"),
        with(connection("crm", "api"), json!({"tokenUrl": {"perCustomer": true}})),
    ];
    for attack in attacks {
        editor.kubectl().args(["delete", "connection", "crm", "--ignore-not-found"]).output().unwrap();
        editor.apply(&[attack, connection("told", "x"), integration("told", &["told"])]).unwrap();
        until_stands(&env, "eu", "AwaitingApproval");
        assert!(field(&env.us, SYNC, &of_target("eu", "actions")).contains("SK0107"));
        assert_eq!(token_url(&env, "connection/crm"), "https://good.example");
        assert_eq!(field(&env.eu, "connection/crm", ".spec.inputs.apiHost.value"), "");
    }
    // What was first a harmless value and becomes an endpoint in small steps waits all the same.
    editor.apply(&[with(url("https://good.example"), json!({"note": {"value": "plain"}}))]).unwrap();
    until_field(&env.eu, "connection/crm", ".spec.inputs.note.value", "plain");
    editor.apply(&[with(url("https://good.example"), json!({"note": {"value": "https://evil.example"}}))]).unwrap();
    until_stands(&env, "eu", "AwaitingApproval");
    assert_eq!(field(&env.eu, "connection/crm", ".spec.inputs.note.value"), "plain");
}

/// "a TenantSync that names a tenant of another namespace or one that does not accept it".
#[test]
fn a_sync_reaches_no_tenant_of_another_namespace_and_none_that_does_not_accept_it() {
    let env = TestEnv::new("reaches");
    // A namespace of the same cluster, which the operator's account may write, and which takes from anybody.
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
            // Its own Tenant in the hub says that eu accepts it; that is for eu to say.
            {
                let mut eu = env.eu_elsewhere();
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

/// "an approval, or mode `Apply`, by one who may write TenantSyncs but not approve".
#[test]
fn who_may_write_syncs_but_not_approve_has_nothing_written() {
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
    until_stands(&env, "eu", "AwaitingApproval");
    looked_again(&env, SYNC, "1");
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
    // By the status, were it theirs to write, nothing is approved: the operator reads the annotation only.
    let mut status = guarded.kubectl();
    let approved =
        json!({"metadata": {"annotations": {"stablekey.dev/approve": digest}}, "spec": {"mode": "Apply"}}).to_string();
    run(status.args(["-n", env.us.name(), "patch", SYNC, "--subresource=status", "--type=merge", "-p", &approved]))
        .unwrap();
    looked_again(&env, SYNC, "2");
    assert_eq!(kubectl(&env.eu, &["get", "connections,integrations", "-o", "name"]), "");
    // Who may, does.
    kubectl(&env.us, &["annotate", SYNC, &format!("stablekey.dev/approve={digest}")]);
    until_stands(&env, "eu", "InSync");
    // In mode Apply a change of what it carries, or where to, is not theirs either.
    env.in_us(&[sync("Apply")]);
    for change in
        ["{\"spec\": {\"from\": \"west\"}}", "{\"spec\": {\"prune\": true}}", "{\"spec\": {\"to\": [\"us-2\"]}}"]
    {
        refused(&["patch", SYNC, "--type=merge", "-p", change]);
    }
}

/// "a `replaces` that arrives by a sync and names prod's own key".
#[test]
fn a_replaces_that_arrives_does_not_answer_for_the_targets_own_key() {
    let env = TestEnv::new("replaces");
    let editor = Account::editor(&env.us);
    env.in_eu(&[connection("prod-crm", "of prod"), integration("theirs", &["prod-crm"])]);
    let _syncer = env.syncer();
    let mut taking = connection("taking", "of dev");
    taking["spec"]["replaces"] = json!(["prod-crm"]);
    editor.apply(&[taking, integration("lead", &["taking"]), integration("other", &["prod-crm"])]).unwrap();
    env.in_us(&[sync("Apply")]);
    until_field(&env.eu, "integration/lead", ".metadata.name", "lead");
    looked_again(&env, SYNC, "1");
    // Of the integration that was there nothing changed.
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

/// "a record copied from another object or tenant".
#[test]
fn a_record_that_was_copied_is_none() {
    let env = TestEnv::new("records");
    let editor = Account::editor(&env.eu);
    let _syncer = env.syncer();
    let mut pruning = sync("Apply");
    pruning["spec"]["prune"] = json!(true);
    let policy = json!({"acceptFrom": ["us"], "policy": {"actions": ["Create", "Update", "Delete"]}});
    env.in_eu(&[tenant("eu", policy)]);
    let mut hub = env.eu_elsewhere();
    hub["spec"]["policy"] = json!({"actions": ["Create", "Update", "Delete"]});
    env.in_us(&[hub, connection("crm", "api"), integration("lead", &["crm"]), integration("keeps", &["crm"]), pruning]);
    until_stands(&env, "eu", "InSync");
    let copy = |name: &str| -> Value { serde_json::from_str(&kubectl(&env.eu, &["get", name, "-o", "json"])).unwrap() };
    let renamed = |mut object: Value, name: &str| {
        let annotations = object["metadata"]["annotations"].clone();
        object["metadata"] = json!({"name": name, "annotations": annotations});
        object
    };
    // An integration that is nobody's, with the record of one that is ours: that it is not declared is no
    // reason to remove it.
    let stray = renamed(copy("integration/lead"), "stray");
    assert!(stray["metadata"]["annotations"]["stablekey.dev/wrote"].is_string());
    // One whose value differs, with the record of one that was written as it is: that is no drift to correct.
    let mut kept = renamed(copy("connection/crm"), "erp");
    kept["spec"]["stableKey"] = json!("erp");
    kept["spec"]["inputs"]["scopes"] = json!({"value": "theirs"});
    editor.apply(&[stray, kept]).unwrap();
    env.in_us(&[connection("erp", "of us"), integration("lead", &["crm", "erp"])]);
    until_field(&env.eu, "integration/lead", ".spec.connections[1].stableKey", "erp");
    looked_again(&env, SYNC, "1");
    assert_eq!(field(&env.eu, "connection/erp", SCOPES), "theirs");
    assert_eq!(field(&env.eu, "integration/stray", ".metadata.name"), "stray");
    // The same of another tenant, put there by somebody who even calls himself as we do.
    let mut foreign = renamed(copy("integration/keeps"), "foreign");
    let record =
        foreign["metadata"]["annotations"]["stablekey.dev/wrote"].as_str().unwrap().replace("\"eu\"", "\"west\"");
    foreign["metadata"]["annotations"]["stablekey.dev/wrote"] = json!(record);
    foreign["metadata"]["namespace"] = json!(env.eu.name());
    let mut as_us = editor.kubectl();
    as_us.args(["apply", "--server-side", "--field-manager=stablekey-syncer", "-f", "-"]);
    run_with_input(&mut as_us, &foreign.to_string()).unwrap();
    looked_again(&env, SYNC, "2");
    assert_eq!(field(&env.eu, "integration/foreign", ".metadata.name"), "foreign");
    // What is ours goes.
    kubectl(&env.us, &["delete", "integration/keeps"]);
    until("it is gone", || field(&env.eu, "integration/keeps", ".metadata.name").is_empty());
    looked_again(&env, SYNC, "3");
    assert_eq!(kubectl(&env.eu, &["get", "integrations", "-o", "name"]).lines().count(), 3);
}

/// A target's credentials are never asked for: the account that a syncer has there may read no Secret.
#[test]
fn a_syncer_asks_for_no_secret_of_a_tenant() {
    let env = TestEnv::new("secretless");
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_stands(&env, "eu", "InSync");
    let asked = env.eu.audit().unwrap();
    let by_us: Vec<_> = asked.iter().filter(|r| r.user.ends_with(":stablekey-target")).collect();
    assert!(by_us.len() > 8 && by_us.iter().all(|r| r.resource != "secrets" && r.code != 403), "{by_us:?}");
}
