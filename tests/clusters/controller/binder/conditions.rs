//! The conditions of connections and customer credentials.

use super::env::*;
use serde_json::{Value, json};
use stablekey_clusters::{Cluster, Options, run};
use stablekey_testing::replica::until;

const CRM: &str = "connection/crm";

fn password(keys: &str, annotations: Value) -> Value {
    source("app", keys, annotations, json!({"password": CANARY}))
}

#[test]
fn a_connections_requirements_are_reported_and_sufficient() {
    let env = TestEnv::new("needs");
    let mut binder = env.binder();
    let credentials = |words: &str| env.wait_for_condition(CRM, "CredentialsReady", words);
    env.apply(&[connection("crm", "OrganizationGlobal", json!({"password": of_secret("app", "password")}))]);
    let why = env.ready(CRM, "False InputMissing");
    assert!(why.starts_with("SK0105 crm needs baseUrl: "), "{why}");
    env.wait_for_condition(CRM, "Stalled", "True InputMissing");
    assert_eq!(env.field(CRM, ".status.observedGeneration"), "1");
    env.apply(&[global("crm")]);
    let why = env.ready(CRM, "False SecretMissing");
    assert!(why.starts_with("SK0133 Secret app (for password) is not there or has not opted in: supply it, with label stablekey.dev/for: connections and annotation stablekey.dev/keys: crm"), "{why}");
    credentials("False SecretMissing");
    assert_eq!(env.field(CRM, ".status.observedGeneration"), "2");
    env.apply(&[source("app", "crm", json!({}), json!({"other": CANARY}))]);
    assert!(env.ready(CRM, "False SecretKeyMissing").starts_with("SK0134 "));
    env.apply(&[password("slack", json!({}))]);
    assert!(env.ready(CRM, "False SecretNotForKey").starts_with("SK0135 "));
    env.apply(&[password("slack,crm", json!({"stablekey.dev/hosts": "elsewhere.example"}))]);
    assert!(env.ready(CRM, "False HostNotPinned").starts_with("SK0138 "));
    env.apply(&[password("crm", json!({"stablekey.dev/hosts": "login.example"}))]);
    env.ready(CRM, "True Complete");
    credentials("True Supplied");
    env.until_secret("crm.binding", "password", CANARY);
    // An endpoint that changes its host gets no secret.
    env.patch(CRM, &json!({"spec": {"inputs": {"baseUrl": {"value": "https://evil.example"}}}}));
    env.ready(CRM, "False HostNotPinned");
    assert!(!env.secret("crm.binding").unwrap().iter().any(|(_, v)| v.contains("evil")));
    env.apply(&[global("crm"), password("crm", json!({}))]);
    env.ready(CRM, "True Complete");
    // The opt-in is withdrawn.
    env.kubectl("label secret app stablekey.dev/for-");
    env.ready(CRM, "False SecretMissing");
    env.kubectl("label secret app stablekey.dev/for=connections");
    env.ready(CRM, "True Complete");
    let events = env.events(CRM);
    for said in ["Warning", "InputMissing", "SK0133", "HostNotPinned", "Normal", "Complete"] {
        assert!(events.contains(said), "{said}:\n{events}");
    }
    env.assert_no_secret_leaked(&mut binder);
}

#[test]
fn expiry_is_reported_before_and_enforced_after_by_the_clock_alone() {
    let env = TestEnv::new("expires");
    let mut binder = env.binder_with(&["--log-level", "debug"]);
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    env.apply(&[
        password("crm", json!({"stablekey.dev/expires": at.to_string()})),
        global("crm"),
        integration("lead", &["crm"]),
    ]);
    env.wait_for_condition(CRM, "CredentialsReady", "True ExpiringSoon");
    assert_eq!(env.field(CRM, ".status.expires"), at.to_string());
    assert!(env.ready(CRM, "False SecretExpired").starts_with("SK0137 Secret app expired at "));
    env.ready("integration/lead", "False ConnectionNotReady");
    env.apply(&[password("crm", json!({"stablekey.dev/expires": "2999-01-01T00:00:00Z"}))]);
    env.ready(CRM, "True Complete");
    env.ready("integration/lead", "True Bound");
    let labels = format!("{{tenant_namespace=\"{}\",connection=\"crm\"}}", env.here.name());
    let metric = format!("stablekey_connection_expires_timestamp_seconds{labels}");
    assert_eq!(binder.metric(&metric), Some(32_472_144_000.0));
    // A day counts as a time does.
    env.apply(&[password("crm", json!({"stablekey.dev/expires": "2999-01-02"}))]);
    until("the day is known", || binder.metric(&metric) == Some(32_472_230_400.0));
    assert!(binder.metric("stablekey_last_success_timestamp_seconds{role=\"binder\"}").is_some());
    // At this level the log has the decision and its reason.
    let decided = binder.wait_for_log("\"reason\":\"SecretExpired\"");
    assert_eq!((&decided["message"], &decided["object"]), (&json!("decided"), &json!("Connection/crm")));
    assert!(decided["why"].as_str().unwrap().starts_with("SK0137 Secret app expired at "), "{decided}");
    env.kubectl("delete integration lead");
    env.until_field(CRM, ".status.usedByCount", "0");
    env.kubectl("delete connection crm");
    until("it is forgotten", || binder.metric(&metric).is_none());
    env.assert_no_secret_leaked(&mut binder);
}

#[test]
fn a_required_sign_in_is_reported_with_who_and_where() {
    let env = TestEnv::new("consent");
    let _binder = env.binder();
    let inputs =
        json!({"authorizeUrl": {"value": "https://login.example"}, "refreshToken": of_secret("token", "refresh")});
    let crm = with(connection("crm", "OrganizationGlobal", inputs), "/spec/type", json!("oauth2"));
    env.apply(&[crm]);
    let why = env.ready(CRM, "False ConsentNeeded");
    assert!(why.starts_with("SK0139 sign in for crm, and put the token into Secret token, key refresh"), "{why}");
    env.apply(&[source("token", "crm", json!({}), json!({"refresh": CANARY}))]);
    env.ready(CRM, "True Complete");
}

#[test]
fn a_customer_sets_only_per_customer_inputs() {
    let env = TestEnv::new("customers");
    let mut binder = env.binder();
    let url = |host: &str| json!({"baseUrl": {"value": format!("https://{host}.example")}});
    env.apply(&[app(), of_customers("crm"), customer("acme", "Acme", "crm", url("acme"))]);
    env.ready("customercredentials/acme", "True Complete");
    env.ready(CRM, "True Complete");
    // The attacker is a customer, who supplies an address for an input of the organization.
    let attack = json!({"baseUrl": {"value": "https://acme.example"}, "note": {"value": "https://evil.example"}});
    env.apply(&[customer("evil", "Evil", "crm", attack)]);
    let why = env.ready("customercredentials/evil", "False CustomerInputNotPerCustomer");
    assert!(why.starts_with("SK0114 input note is not per customer in crm"), "{why}");
    assert_eq!(env.secret("evil.customer-binding"), None);
    // Two for one customer are an error on both; the existing Secret is kept.
    env.apply(&[customer("acme-2", "Acme", "crm", url("other"))]);
    env.ready("customercredentials/acme", "False CustomerTwice");
    env.ready("customercredentials/acme-2", "False CustomerTwice");
    env.until_secret("acme.customer-binding", "baseUrl", "https://acme.example");
    env.kubectl("delete customercredentials acme-2");
    env.ready("customercredentials/acme", "True Complete");
    env.ready(CRM, "True Complete");
    env.until_field(CRM, ".status.customers", "2");
    env.assert_no_secret_leaked(&mut binder);
}

#[test]
fn an_unreadable_object_affects_only_itself() {
    // An older schema, which accepts objects that this version cannot read.
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start(&Options::named("lenient")).unwrap()));
    run(cluster.kubectl().args(["apply", "--server-side", "-f"]).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/crds")))
        .unwrap();
    let input = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/inputs/additionalProperties/x-kubernetes-validations";
    let patch = json!([{"op": "remove", "path": input}]).to_string();
    let kubectl = |words: &[&str]| run(cluster.kubectl().args(words)).unwrap();
    kubectl(&["wait", "--for=condition=Established", "crds", "--all", "--timeout=60s"]);
    kubectl(&["patch", "crd", "connections.stablekey.dev", "--type=json", "--patch", &patch]);
    let env = TestEnv::of(cluster, "lenient");
    let _binder = env.binder();
    stablekey_testing::replica::until("the schema is lenient", || {
        let list =
            json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "odd"}, "spec":
            connection("odd", "OrganizationGlobal", json!({"baseUrl": {}}))["spec"]})
            .to_string();
        stablekey_clusters::run_with_input(env.here.kubectl().args(["apply", "--server-side", "-f", "-"]), &list)
            .is_ok()
    });
    env.apply(&[app(), global("crm"), integration("lead", &["crm"]), integration("odd", &["odd"])]);
    let why = env.ready("connection/odd", "False ObjectInvalid");
    assert!(why.starts_with("SK0125 it cannot be read by this version of stablekey"), "{why}");
    env.ready("integration/odd", "False BindingUnknown");
    env.ready(CRM, "True Complete");
    env.ready("integration/lead", "True Bound");
    env.apply(&[global("odd")]);
    env.ready("integration/odd", "True Bound");
}

#[test]
fn a_refusal_of_the_cluster_is_reported_and_retried() {
    let env = TestEnv::new("refused");
    let kubectl = |words: &str| env.kubectl(words);
    kubectl(
        "create role binder --verb=* --resource=*.stablekey.dev,leases.coordination.k8s.io,events.events.k8s.io,configmaps",
    );
    kubectl(
        "create role status --verb=patch --resource=connections.stablekey.dev/status,integrations.stablekey.dev/status",
    );
    kubectl("create role reads --verb=get,list,watch --resource=secrets");
    for role in ["binder", "status", "reads"] {
        kubectl(&format!("create rolebinding {role} --role={role} --user=reader"));
    }
    let account = env.here.cluster().user("reader", None).unwrap();
    let mut binder =
        stablekey_testing::replica::Replica::by(stablekey_testing::replica::command(&env.here, &account, &ARGUMENTS));
    env.apply(&[app(), global("crm"), integration("lead", &["crm"])]);
    let why = env.ready(CRM, "False ServerRefuses");
    assert!(why.starts_with("SK0132 the cluster does not let Secret crm.binding be written: "), "{why}");
    assert!(why.contains("User \"reader\" cannot patch resource \"secrets\""), "{why}");
    env.ready("integration/lead", "False ConnectionNotReady");
    kubectl("create role writes --verb=create,patch --resource=secrets");
    kubectl("create rolebinding writes --role=writes --user=reader");
    env.ready(CRM, "True Complete");
    env.ready("integration/lead", "True Bound");
    env.assert_no_secret_leaked(&mut binder);
}
