//! Nothing is written if nothing changed.

use super::env::*;
use serde_json::json;
use stablekey_clusters::audit::Mark;
use stablekey_testing::replica::until;

/// Returns the writes since a mark, except those of Leases.
fn writes(env: &TestEnv, since: Mark) -> Vec<String> {
    let requests = env.here.audit_since(since).unwrap().into_iter().filter(|r| r.writes() && r.resource != "leases");
    requests.map(|r| format!("{} {}/{} {}", r.verb, r.resource, r.name, r.subresource).trim_end().to_string()).collect()
}

fn settled() -> (TestEnv, stablekey_testing::replica::Replica) {
    let env = TestEnv::new("quiet");
    let binder = env.binder_with(&["--resync", "1s"]);
    let test = json!({"inputs": {"password": of_secret("app", "password")}});
    env.apply(&[
        app(),
        with(with(global("crm"), "/spec/test", test), "/spec/deletionPolicy", json!("Delete")),
        of_customers("crm-each"),
        connection("lacks", "OrganizationGlobal", json!({})),
        customer("acme", "Acme", "crm-each", json!({"baseUrl": {"value": "https://acme.example"}})),
        integration("lead", &["crm", "crm-each", "none"]),
        integration("good", &["crm"]),
    ]);
    env.ready("integration/lead", "False BindingMissing");
    env.ready("integration/good", "True Bound");
    env.ready("customercredentials/acme", "True Complete");
    env.ready("connection/lacks", "False InputMissing");
    env.until_field("connection/crm", ".status.usedByCount", "2");
    env.until_field("connection/crm-each", ".status.customers", "1");
    // Events are sent asynchronously.
    until("all is said", || ["lead", "good"].iter().all(|name| !env.events(&format!("integration/{name}")).is_empty()));
    (env, binder)
}

fn reconciles(binder: &stablekey_testing::replica::Replica) -> f64 {
    let outcomes = ["unchanged", "held_back"];
    let of =
        |outcome| format!("stablekey_reconciles_total{{role=\"binder\",kind=\"Connection\",outcome=\"{outcome}\"}}");
    outcomes.iter().filter_map(|outcome| binder.metric(&of(outcome))).sum()
}

#[test]
fn a_second_reconcile_and_a_second_start_write_nothing() {
    let (env, mut binder) = settled();
    let (mark, before) = (env.here.cluster().mark().unwrap(), reconciles(&binder));
    until("everything was looked at again, twice", || reconciles(&binder) >= before + 6.0);
    assert_eq!(writes(&env, mark), [""; 0]);
    binder.signal("-TERM");
    assert!(binder.end().success());
    let mark = env.here.cluster().mark().unwrap();
    let again = env.binder_with(&["--resync", "1s"]);
    until("everything was looked at, twice", || reconciles(&again) >= 6.0);
    assert_eq!(writes(&env, mark), [""; 0]);
}

#[test]
fn a_change_writes_only_what_it_must() {
    let (env, binder) = settled();
    let mark = env.here.cluster().mark().unwrap();
    let next = format!("{CANARY}-2");
    env.apply(&[source("app", "*", pinned(), json!({"password": next}))]);
    for secret in ["crm.binding", "crm.test-binding", "acme.customer-binding"] {
        env.until_secret(secret, "password", &next);
    }
    let before = reconciles(&binder);
    until("everything was looked at again, twice", || reconciles(&binder) >= before + 6.0);
    let mut written = writes(&env, mark);
    written.sort();
    // One of kubectl, and three of the binder.
    assert_eq!(
        written,
        [
            "patch secrets/acme.customer-binding",
            "patch secrets/app",
            "patch secrets/crm.binding",
            "patch secrets/crm.test-binding"
        ]
    );
    // A title affects nothing except the generation that the status has observed.
    let mark = env.here.cluster().mark().unwrap();
    env.patch("connection/crm", &json!({"spec": {"title": "CRM"}}));
    env.until_field("connection/crm", ".status.observedGeneration", "2");
    let before = reconciles(&binder);
    until("everything was looked at again, twice", || reconciles(&binder) >= before + 6.0);
    assert_eq!(writes(&env, mark), ["patch connections/crm", "patch connections/crm status"]);
    // A change of Ready is one write of the status and one event.
    let mark = env.here.cluster().mark().unwrap();
    env.kubectl("delete connection lacks");
    env.patch("integration/good", &json!({"spec": {"connections": [{"name": "X", "stableKey": "nowhere"}]}}));
    env.ready("integration/good", "False BindingMissing");
    env.until_field("connection/crm", ".status.usedByCount", "1");
    until("it is said", || env.events("integration/good").contains("nowhere"));
    let mut written = writes(&env, mark);
    written.sort();
    written.retain(|write| !write.starts_with("create events"));
    assert_eq!(
        written,
        [
            "delete connections/lacks",
            "patch connections/crm status",
            "patch integrations/good",
            "patch integrations/good status"
        ]
    );
}
