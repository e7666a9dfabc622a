//! What the sender writes.

use super::env::*;
use crate::controller::syncer::env::*;
use serde_json::json;
use stablekey_platform::Region;
use stablekey_testing::objects::*;
use stablekey_testing::replica::until;

/// "A sync goes cluster → platform": a connection is made, an integration is imported bound to it, and nothing else is
/// ever sent.
#[test]
fn a_cluster_is_sent_to_the_platform() {
    let env = SenderEnv::new("sends");
    env.archive();
    env.archive_secret(&[]);
    env.in_us(&[sync_from_us("us-to-eu", "eu", "Apply")]);
    let mut sender = env.sender();
    until_state(&env, SYNC, "eu", "InSync");
    assert_eq!(mutations(&env.eu), ["StablekeyCreateConnection", "StablekeyImportIntegration"]);
    assert_eq!(env.sent("archive", "password").as_deref(), Some("CANARY-password"));
    let bound = env.eu.read(|store| {
        let imported = store.integrations.iter().find(|integration| integration.name == "Archive Export");
        imported.is_some_and(|integration| integration.draft.text.contains("useScopedConfigVar: archive"))
    });
    assert!(bound);
    assert_eq!(ready(&env.us, EU, "status"), "True");
    assert!(ready(&env.us, EU, "message").contains("connections"), "{}", ready(&env.us, EU, "message"));

    // Several reads later nothing more was written, there or in a status.
    let mark = env.us.cluster().mark().unwrap();
    env.again(SYNC, "1");
    let reads = || env.eu.counts().requests;
    let before = reads();
    until("it is read again", || reads() > before + 20);
    assert_eq!(mutations(&env.eu), [""; 0]);
    let statuses: Vec<String> =
        written(&env.us, mark).into_iter().filter(|line| !line.contains("tenantsyncs/us-to-eu")).collect();
    assert_eq!(statuses, [""; 0]);

    // A change of the source is sent at once.
    env.in_us(&[archive("db.example").title("The archive").json()]);
    let title =
        || env.eu.read(|store| store.connections.iter().find(|c| c.stable_key == "archive").unwrap().key.clone());
    until("it is updated", || title() == "The archive");
    until_state(&env, SYNC, "eu", "InSync");
    assert_eq!(mutations(&env.eu), ["StablekeyUpdateConnection"]);
    // A secret that would go to another host waits for a person.
    env.in_us(&[archive("evil.example").json()]);
    until_state(&env, SYNC, "eu", "AwaitingApproval");
    assert_eq!(env.sent("archive", "host").as_deref(), Some("db.example"));

    // Tokens and secrets are in no log and in no object of the hub.
    sender.signal("-TERM");
    assert!(sender.end().success());
    let text = everything_said(&env) + &sender.log.join("\n");
    for canary in ["CANARY-password", "CANARY-access", "CANARY-refresh", "us-client-secret"] {
        assert!(!text.contains(canary), "{canary}");
    }
}

/// "platform → platform", and the syncer leaves both alone.
#[test]
fn a_platform_is_sent_to_another_one() {
    let env = SenderEnv::new("across");
    let us = fake(Region::Us);
    let mut source = env.on_platform("us-platform", &us, None);
    source["spec"]["location"]["prismatic"]["tokenFrom"]["secretRef"]["key"] = json!("us");
    let mut eu = env.on_platform("eu", &env.eu, Some(&env.secrets));
    eu["spec"]["acceptFrom"] = json!(["us-platform"]);
    env.eu.change(|store| {
        let gone =
            store.integrations.iter().find(|integration| integration.name == "Warehouse Export").unwrap().id.clone();
        store.instances.retain(|instance| instance.integration != gone);
        store.integrations.retain(|integration| integration.id != gone);
    });
    let mut sync = Sync::new("across", "us-platform", "eu").of_integrations(&["warehouse-export"]).json();
    sync["spec"]["mode"] = json!("Apply");
    env.in_us(&[env.tokens(&[("eu", &env.eu), ("us", &us)]), source, eu, sync]);
    let _syncer = stablekey_testing::replica::Replica::start(&env.us, &SYNCER);
    let _sender = env.sender();
    until_ready(&env.us, "tenant/us-platform", "Polled");
    until_state(&env, "tenantsync/across", "eu", "InSync");
    assert_eq!(mutations(&env.eu), ["StablekeyImportIntegration"]);

    // From the platform into a cluster, no role can carry it out; and different roles write to a mixed sync's targets.
    let cluster = tenant("us", json!({"acceptFrom": ["us-platform"]}));
    let back = Sync::new("back", "us-platform", "us").json();
    let mixed = Sync::new("mixed", "us-platform", "us eu").json();
    env.in_us(&[cluster, back, mixed]);
    until_state(&env, "tenantsync/back", "us", "Unreachable");
    assert!(ready(&env.us, "tenantsync/back", "message").contains("stablekey apply"));
    until_ready(&env.us, "tenantsync/mixed", "MixedTargets");
    assert!(ready(&env.us, "tenantsync/mixed", "message").contains("make two syncs"));
    assert_eq!(mutations(&env.eu), [""; 0]);
    assert_eq!(mutations(&us), [""; 0]);
}
