//! What is said of connections and customer credentials, where people look for it.

use super::stage::*;
use crate::replica::until;
use serde_json::{Value, json};
use stablekey_clusters::{Cluster, Options, run};

const CRM: &str = "connection/crm";

fn password(keys: &str, annotations: Value) -> Value {
    source("app", keys, annotations, json!({"password": CANARY}))
}

#[test]
fn what_a_connection_needs_is_said_and_is_enough() {
    let stage = Stage::new("needs");
    let mut binder = stage.binder();
    let credentials = |words: &str| stage.says(CRM, "CredentialsReady", words);
    stage.apply(&[connection("crm", "OrganizationGlobal", json!({"password": of_secret("app", "password")}))]);
    let why = stage.ready(CRM, "False InputMissing");
    assert!(why.starts_with("SK0105 crm needs baseUrl: "), "{why}");
    stage.says(CRM, "Stalled", "True InputMissing");
    assert_eq!(stage.field(CRM, ".status.observedGeneration"), "1");
    stage.apply(&[global("crm")]);
    let why = stage.ready(CRM, "False SecretMissing");
    assert!(why.starts_with("SK0133 Secret app (for password) is not there or has not opted in: supply it, with label stablekey.dev/for: connections and annotation stablekey.dev/keys: crm"), "{why}");
    credentials("False SecretMissing");
    assert_eq!(stage.field(CRM, ".status.observedGeneration"), "2");
    stage.apply(&[source("app", "crm", json!({}), json!({"other": CANARY}))]);
    assert!(stage.ready(CRM, "False SecretKeyMissing").starts_with("SK0134 "));
    stage.apply(&[password("slack", json!({}))]);
    assert!(stage.ready(CRM, "False SecretNotForKey").starts_with("SK0135 "));
    stage.apply(&[password("slack,crm", json!({"stablekey.dev/hosts": "elsewhere.example"}))]);
    assert!(stage.ready(CRM, "False HostNotPinned").starts_with("SK0138 "));
    stage.apply(&[password("crm", json!({"stablekey.dev/hosts": "login.example"}))]);
    stage.ready(CRM, "True Complete");
    credentials("True Supplied");
    stage.until_secret("crm.binding", "password", CANARY);
    // An endpoint that moves away takes no secret along.
    stage.patch(CRM, &json!({"spec": {"inputs": {"baseUrl": {"value": "https://evil.example"}}}}));
    stage.ready(CRM, "False HostNotPinned");
    assert!(!stage.secret("crm.binding").unwrap().iter().any(|(_, v)| v.contains("evil")));
    stage.apply(&[global("crm"), password("crm", json!({}))]);
    stage.ready(CRM, "True Complete");
    // The opt-in is taken away.
    stage.kubectl("label secret app stablekey.dev/for-");
    stage.ready(CRM, "False SecretMissing");
    stage.kubectl("label secret app stablekey.dev/for=connections");
    stage.ready(CRM, "True Complete");
    let events = stage.events(CRM);
    for said in ["Warning", "InputMissing", "SK0133", "HostNotPinned", "Normal", "Complete"] {
        assert!(events.contains(said), "{said}:\n{events}");
    }
    stage.keeps_its_secrets(&mut binder);
}

#[test]
fn a_secret_that_expires_is_told_before_and_held_after_by_the_clock_alone() {
    let stage = Stage::new("expires");
    let mut binder = stage.binder_with(&["--log-level", "debug"]);
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    stage.apply(&[
        password("crm", json!({"stablekey.dev/expires": at.to_string()})),
        global("crm"),
        integration("lead", &["crm"]),
    ]);
    stage.says(CRM, "CredentialsReady", "True ExpiringSoon");
    assert_eq!(stage.field(CRM, ".status.expires"), at.to_string());
    assert!(stage.ready(CRM, "False SecretExpired").starts_with("SK0137 Secret app expired at "));
    stage.ready("integration/lead", "False ConnectionNotReady");
    stage.apply(&[password("crm", json!({"stablekey.dev/expires": "2999-01-01T00:00:00Z"}))]);
    stage.ready(CRM, "True Complete");
    stage.ready("integration/lead", "True Bound");
    let labels = format!("{{tenant_namespace=\"{}\",connection=\"crm\"}}", stage.here.name());
    let metric = format!("stablekey_connection_expires_timestamp_seconds{labels}");
    assert_eq!(binder.metric(&metric), Some(32_472_144_000.0));
    assert!(binder.metric("stablekey_last_success_timestamp_seconds{role=\"binder\"}").is_some());
    // At this level it says what it decided, and why.
    let decided = binder.says("\"reason\":\"SecretExpired\"");
    assert_eq!((&decided["message"], &decided["object"]), (&json!("decided"), &json!("Connection/crm")));
    assert!(decided["why"].as_str().unwrap().starts_with("SK0137 Secret app expired at "), "{decided}");
    stage.kubectl("delete integration lead");
    stage.until_field(CRM, ".status.usedByCount", "0");
    stage.kubectl("delete connection crm");
    until("it is forgotten", || binder.metric(&metric).is_none());
    stage.keeps_its_secrets(&mut binder);
}

#[test]
fn somebody_has_to_sign_in_and_it_is_said_who_and_where() {
    let stage = Stage::new("consent");
    let _binder = stage.binder();
    let inputs =
        json!({"authorizeUrl": {"value": "https://login.example"}, "refreshToken": of_secret("token", "refresh")});
    let crm = with(connection("crm", "OrganizationGlobal", inputs), "/spec/type", json!("oauth2"));
    stage.apply(&[crm]);
    let why = stage.ready(CRM, "False ConsentNeeded");
    assert!(why.starts_with("SK0139 sign in for crm, and put the token into Secret token, key refresh"), "{why}");
    stage.apply(&[source("token", "crm", json!({}), json!({"refresh": CANARY}))]);
    stage.ready(CRM, "True Complete");
}

#[test]
fn a_customer_gives_what_is_theirs_and_nothing_else() {
    let stage = Stage::new("customers");
    let mut binder = stage.binder();
    let url = |host: &str| json!({"baseUrl": {"value": format!("https://{host}.example")}});
    stage.apply(&[app(), of_customers("crm"), customer("acme", "Acme", "crm", url("acme"))]);
    stage.ready("customercredentials/acme", "True Complete");
    stage.ready(CRM, "True Complete");
    // The attacker is a customer: their own address for an input of ours.
    let attack = json!({"baseUrl": {"value": "https://acme.example"}, "note": {"value": "https://evil.example"}});
    stage.apply(&[customer("evil", "Evil", "crm", attack)]);
    let why = stage.ready("customercredentials/evil", "False CustomerInputNotPerCustomer");
    assert!(why.starts_with("SK0114 input note is not per customer in crm"), "{why}");
    assert_eq!(stage.secret("evil.customer-binding"), None);
    // Two for one customer are an error on both; what was there stays.
    stage.apply(&[customer("acme-2", "Acme", "crm", url("other"))]);
    stage.ready("customercredentials/acme", "False CustomerTwice");
    stage.ready("customercredentials/acme-2", "False CustomerTwice");
    stage.until_secret("acme.customer-binding", "baseUrl", "https://acme.example");
    stage.kubectl("delete customercredentials acme-2");
    stage.ready("customercredentials/acme", "True Complete");
    stage.ready(CRM, "True Complete");
    stage.until_field(CRM, ".status.customers", "2");
    stage.keeps_its_secrets(&mut binder);
}

#[test]
fn what_cannot_be_read_hurts_only_itself() {
    // A schema of another time: it lets through what this version cannot read.
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start(&Options::named("lenient")).unwrap()));
    run(cluster.kubectl().args(["apply", "--server-side", "-f"]).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/crds")))
        .unwrap();
    let input = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/inputs/additionalProperties/x-kubernetes-validations";
    let patch = json!([{"op": "remove", "path": input}]).to_string();
    let kubectl = |words: &[&str]| run(cluster.kubectl().args(words)).unwrap();
    kubectl(&["wait", "--for=condition=Established", "crds", "--all", "--timeout=60s"]);
    kubectl(&["patch", "crd", "connections.stablekey.dev", "--type=json", "--patch", &patch]);
    let stage = Stage::of(cluster, "lenient");
    let _binder = stage.binder();
    crate::replica::until("the schema is lenient", || {
        let list =
            json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "odd"}, "spec":
            connection("odd", "OrganizationGlobal", json!({"baseUrl": {}}))["spec"]})
            .to_string();
        stablekey_clusters::run_with_input(stage.here.kubectl().args(["apply", "--server-side", "-f", "-"]), &list)
            .is_ok()
    });
    stage.apply(&[app(), global("crm"), integration("lead", &["crm"]), integration("odd", &["odd"])]);
    let why = stage.ready("connection/odd", "False ObjectInvalid");
    assert!(why.starts_with("SK0125 it cannot be read by this version of stablekey"), "{why}");
    stage.ready("integration/odd", "False BindingUnknown");
    stage.ready(CRM, "True Complete");
    stage.ready("integration/lead", "True Bound");
    stage.apply(&[global("odd")]);
    stage.ready("integration/odd", "True Bound");
}

#[test]
fn what_the_cluster_refuses_is_said_and_tried_again() {
    let stage = Stage::new("refused");
    let kubectl = |words: &str| stage.kubectl(words);
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
    let account = stage.here.cluster().user("reader", None).unwrap();
    let mut binder = crate::replica::Replica::by(crate::replica::command(&stage.here, &account, &ARGUMENTS));
    stage.apply(&[app(), global("crm"), integration("lead", &["crm"])]);
    let why = stage.ready(CRM, "False ServerRefuses");
    assert!(why.starts_with("SK0132 the cluster does not let Secret crm.binding be written: "), "{why}");
    assert!(why.contains("User \"reader\" cannot patch resource \"secrets\""), "{why}");
    stage.ready("integration/lead", "False ConnectionNotReady");
    kubectl("create role writes --verb=create,patch --resource=secrets");
    kubectl("create rolebinding writes --role=writes --user=reader");
    stage.ready(CRM, "True Complete");
    stage.ready("integration/lead", "True Bound");
    stage.keeps_its_secrets(&mut binder);
}
