//! Destinations that do not answer, that refuse, and that are described wrongly.

use super::env::*;
use crate::controller::syncer::env::*;
use stablekey_testing::forge::Fault;
use stablekey_testing::replica::until;

/// "Retried, deduplicated over restarts": a destination that does not answer gets the message later, with the same id, and
/// delays no other.
#[test]
fn a_destination_that_does_not_answer_is_told_later() {
    let env = NotifyEnv::new("later");
    env.destinations(&[("ops", "webhook: {url: URL/ops}"), ("other", "webhook: {url: URL/other}")]);
    env.receiver.fail("/ops", Fault::Status(503), 2);
    env.receiver.fail("/ops", Fault::CutAfter, 1);
    env.clusters.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let syncer = env.syncer();
    assert_eq!(env.until_messages("/other", 1), ["Sync InSync"]);
    until("it was refused", || !env.receiver.exchanges("/ops").is_empty());
    env.until_recorded("other", "Sync", 1);
    drop(syncer);
    let syncer = env.syncer();
    assert_eq!(env.until_messages("/ops", 1), ["Sync InSync"]);
    let ids: Vec<String> =
        env.receiver.exchanges("/ops").iter().map(|seen| seen.json()["id"].as_str().unwrap().to_string()).collect();
    assert!(ids.len() >= 4, "{ids:?}");
    assert!(ids.iter().all(|id| *id == ids[0]), "what was cut off may have arrived: {ids:?}");
    assert_eq!(env.told("/other").len(), 1);
    let failed = format!("{{tenant_namespace=\"{}\",destination=\"ops\",result=\"failed\"}}", env.clusters.us.name());
    until("it is counted", || syncer.metric(&format!("stablekey_notifications_total{failed}")).is_some());
}

/// A receiver that never ends its answer, and one that redirects elsewhere: the first costs no memory and delays nobody, the
/// second is not followed. The Secret is gone for a moment: nothing is sent twice.
#[test]
fn a_secret_that_is_made_again_sends_nothing_again() {
    let env = NotifyEnv::new("again");
    env.destinations(&[("ops", "webhook: {url: URL/ops}"), ("elsewhere", "webhook: {url: URL/elsewhere}")]);
    env.receiver.fail("/elsewhere", Fault::Status(302), 1_000);
    env.clusters.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let mut syncer = env.syncer();
    assert_eq!(env.until_messages("/ops", 1), ["Sync InSync"]);
    env.until_recorded("ops", "Sync", 1);
    syncer.wait_for_log("it answered 302, and no redirect is followed");
    kubectl(&env.clusters.us, &["delete", "secret", SECRET]);
    env.plans_only();
    env.clusters.in_us(&[connection("crm", "more")]);
    syncer.wait_for_log("there is no Secret stablekey-notifications");
    env.destinations(&[("ops", "webhook: {url: URL/ops}")]);
    kubectl(&env.clusters.us, &["annotate", SYNC, "stablekey.dev/requestedAt=1"]);
    assert_eq!(env.until_messages("/ops", 2), ["Sync InSync", "Approval AwaitingApproval"]);
}

/// A message that is refused for good is not sent again; the next one is.
#[test]
fn a_message_that_is_refused_does_not_block_the_next() {
    let env = NotifyEnv::new("refused");
    env.destinations(&[("ops", "webhook: {url: URL/ops}")]);
    env.receiver.fail("/ops", Fault::Status(400), 1);
    env.clusters.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let _syncer = env.syncer();
    until("it was refused", || env.receiver.exchanges("/ops").len() == 1);
    until_target_state(&env.clusters, "eu", "InSync");
    env.plans_only();
    env.clusters.in_us(&[connection("crm", "more")]);
    assert_eq!(env.until_messages("/ops", 1), ["Approval AwaitingApproval"]);
}

/// "A wrong name never switches a rule off": what is described wrongly is not used, an event of the Secret says why, and
/// the others are used. No value is in any text.
#[test]
fn what_is_described_wrongly_is_reported() {
    let env = NotifyEnv::new("wrong");
    let unknown = "webhook: {url: URL/unknown}\ntenants: [eus]";
    let elsewhere = format!("slack: {{url: 'https://elsewhere.example/{CANARY}'}}");
    let misspelt = format!("slack: {{url: URL/slack/{CANARY}}}\ntopic: [Drift]");
    env.destinations(&[
        ("elsewhere", &elsewhere),
        ("good", "webhook: {url: URL/good}"),
        ("misspelt", &misspelt),
        ("unknown", unknown),
    ]);
    env.clusters.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let mut syncer = env.syncer();
    assert_eq!(env.until_messages("/good", 1), ["Sync InSync"]);
    let events = || {
        let of_secret = format!("--field-selector=regarding.name={SECRET}");
        kubectl(&env.clusters.us, &["get", "events.events.k8s.io", &of_secret, "-o", "jsonpath={.items[*].note}"])
    };
    until("there are events", || {
        events()
            .contains("destination misspelt of Secret stablekey-notifications is not used: topic is not a field of it")
            && events().contains("the Secret's annotation stablekey.dev/hosts does not name")
            && events().contains(
                "destination unknown chooses eus, and no Tenant or TenantSync has that name; did you mean eu?",
            )
    });
    assert_eq!(env.told("/slack"), [""; 0]);
    // A new destination is told of what became well since the Secret was last read. So it is read once more first.
    let good = ("good", "webhook: {url: URL/good}");
    env.destinations(&[good, ("second", "webhook: {url: URL/second}"), ("misspelt", &misspelt)]);
    syncer.wait_for_log("notifications are sent to good, second");
    // Mended, it is used.
    env.destinations(&[good, ("misspelt", "webhook: {url: URL/mended}")]);
    env.plans_only();
    env.clusters.in_us(&[connection("crm", "more")]);
    env.until_messages("/good", 2);
    assert_eq!(env.until_messages("/mended", 1), ["Approval AwaitingApproval"]);
    syncer.wait_for_log("notified");
    assert!(!syncer.log.join("\n").contains(CANARY) && !events().contains(CANARY));
}
