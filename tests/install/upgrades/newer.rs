//! Objects that an earlier version does not know, when it takes over again.

use super::Version;
use super::cluster::{TestEnv, apply, change_over, connection, differences, install_crds, opted_in, populate};
use serde_json::{Value, json};
use stablekey::api::Kind;
use stablekey_clusters::{Cluster, Options};
use stablekey_testing::objects::*;

/// Objects that the version before the platform cannot read, or reads in part.
fn newer() -> Vec<Value> {
    let further = CustomerCredentials::new("acme", "portal").named("acme-further").set(Some("further"));
    let stages = Sync::new("staged", "us", "eu").stages(&[&["eu"]]).mirror().of_integrations(&["staged"]);
    let platform = json!({"location": {"prismatic": {"url": "https://app.prismatic.io"}}});
    let git = json!({"url": "https://git.example/repository", "branch": "main"});
    let fetched = Tenant::new("fetched").in_namespace_by_secret("elsewhere", "stablekey-kubeconfigs", "fetched");
    let mut dated = opted_in("dated");
    dated["metadata"]["annotations"]["stablekey.dev/expires"] = json!("2030-01-31");
    vec![
        further.input("baseUrl", "https://acme.example").json(),
        with(stages.json(), "/spec/mode", "Apply"),
        document(Kind::Tenant, "platform", platform),
        with(fetched.json(), "/spec/source", json!({"git": git})),
        versioned("first"),
        connection("staged", "first"),
        Integration::new("staged").uses(&["staged"]).json(),
        Integration::new("lead-versioned").uses(&["versioned"]).json(),
        with(connection("signs-in", "first"), "/spec/credentials", "User"),
        dated,
        with(connection("dated", "first"), "/spec/inputs/password/secretRef/name", "dated"),
    ]
}

/// A connection whose reference to a Secret has a version.
fn versioned(note: &str) -> Value {
    with(connection("versioned", note), "/spec/inputs/password/secretRef/version", "2")
}

const READY: &str = ".status.conditions[?(@.type==\"Ready\")].reason";
const STATE: &str = ".status.targets[0].state";

/// What changes: the limits of going back that docs/compatibility.md names. The version before the platform takes the
/// binding Secret of a customer's further set for that of another object, and writes references to Secrets in targets
/// of syncs without their version.
const LOST: [&str; 4] = [
    "eu/Connection/versioned annotations",
    "eu/Connection/versioned generation",
    "eu/Connection/versioned spec",
    "us/Secret/acme-further.customer-binding is gone",
];

/// All else stays, what cannot be read is reported, and everything is Ready again with the next upgrade.
#[test]
fn what_an_earlier_version_cannot_read_stays_and_is_reported() {
    let this = Version::this();
    let earlier = super::named("before-platform");
    let cluster = Cluster::start(&Options::named("newer")).unwrap();
    let env = TestEnv::new(&cluster, &this);
    let operator = env.start(&this);
    populate(&env, &env.kubeconfig_of_eu());
    let also = r#"[{"op":"add","path":"/spec/integrations/-","value":"lead-versioned"}]"#;
    env.kubectl("us", &format!("patch tenantsync/us-to-eu --type=json --patch {also}"));
    apply(&env.us, &list(&newer()));
    env.until("us", "tenantsync/staged", STATE, "InSync");
    env.until_ready("us", "customercredentials/acme-further");
    env.until_ready("us", "connection/dated");
    const VERSION: &str = ".spec.inputs.password.secretRef.version";
    env.until("eu", "connection/versioned", VERSION, "2");
    env.until_ready("eu", "integration/lead-versioned");
    env.reconcile("settled", &["us-to-eu", "waits", "staged"]);

    let (before, mark) = (env.everything(), cluster.mark().unwrap());
    let operator = change_over(&env, operator, earlier);
    for (object, reason) in [
        ("tenantsync/staged", "Unreadable"),
        ("tenant/platform", "Unreadable"),
        ("tenant/fetched", "Unreadable"),
        ("connection/signs-in", "ObjectInvalid"),
        ("connection/dated", "SecretUnreadable"),
        ("customercredentials/acme-portal", "CustomerTwice"),
        ("customercredentials/acme-further", "CustomerTwice"),
    ] {
        env.until("us", object, READY, reason);
    }
    env.reconcile("back", &["us-to-eu", "waits"]);
    let further = "us/Secret/acme-further.customer-binding";
    let changed = differences(&before, &env.everything());
    let parts: Vec<&str> = changed.iter().map(|change| change.split(':').next().unwrap()).collect();
    assert_eq!(parts, LOST, "{changed:#?}");
    assert_eq!(env.field("eu", "connection/versioned", VERSION), "");
    let written = env.written(mark);
    let written = written.iter().filter(|write| !write.contains(" status ") && !write.contains("/stablekey-plan-"));
    let mut written: Vec<&String> = written.collect();
    written.sort();
    assert_eq!(written, ["delete secrets/acme-further.customer-binding  200", "patch connections/versioned  200"]);

    apply(&env.us, &versioned("second"));
    env.until("eu", "connection/versioned", ".spec.inputs.note.value", "second");
    let operator = change_over(&env, operator, &this);
    env.until_ready("us", "customercredentials/acme-further");
    env.until_ready("us", "customercredentials/acme-portal");
    env.until("us", "tenantsync/staged", STATE, "InSync");
    env.reconcile("again", &["us-to-eu", "waits", "staged"]);
    // A reference that is in a target is the target's: the version does not come back by itself.
    assert_eq!(env.field("eu", "connection/versioned", VERSION), "");
    let again = differences(&before, &env.everything());
    let again =
        again.iter().filter(|change| !change.contains("/Connection/versioned ") && !change.contains("/Secret/"));
    assert_eq!(again.collect::<Vec<_>>(), [""; 0]);
    env.until(
        "us",
        &format!("secret/{}", further.rsplit('/').next().unwrap()),
        ".type",
        "servicebinding.io/salesforce",
    );
    operator.end();
}

/// In the wrong order, the operator before the CRDs, work goes on; a status with new fields is refused and the log says
/// why, until the CRDs are applied.
#[test]
fn the_operator_before_its_crds_works_and_its_statuses_wait() {
    let (this, earlier) = (Version::this(), super::named("before-platform"));
    let cluster = Cluster::start(&Options::named("operator-first")).unwrap();
    let env = TestEnv::new(&cluster, earlier);
    let operator = env.start(earlier);
    populate(&env, &env.kubeconfig_of_eu());
    let mut operator = change_over(&env, operator, &this);
    apply(&env.us, &with(connection("chat", "next"), "/spec/title", "Chat"));
    env.until("eu", "connection/chat", ".spec.inputs.note.value", "next");
    let line = operator.syncer().wait_for_log("its status cannot be written");
    assert!(line["why"].as_str().unwrap().contains(".status.receipts: field not declared in schema"), "{line}");
    install_crds(&cluster, &this);
    env.reconcile("crds", &["us-to-eu", "waits"]);
    assert_ne!(env.field("us", "tenantsync/us-to-eu", ".status.receipts"), "");
    operator.end();
}
