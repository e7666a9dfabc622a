//! What goes wrong on the platform, and with the sender itself.

use super::env::*;
use crate::controller::syncer::env::*;
use serde_json::json;
use stablekey_platform::{Answer, Fault, Region};
use stablekey_testing::replica::until;

/// "a dead token is Ready=False with who must do what", and it recovers by itself.
#[test]
fn a_dead_token_says_who_must_do_what() {
    let env = SenderEnv::new("dead");
    let dead = annotated(
        stablekey_testing::objects::secret("stablekey-tokens", json!({"eu": "CANARY-dead"})),
        &[("stablekey.dev/hosts", &env.eu.url().replace("http://", ""))],
    );
    env.in_us(&[dead]);
    let _sender = env.sender();
    until_ready(&env.us, EU, "TokenRefused");
    let message = ready(&env.us, EU, "message");
    assert!(message.contains("Secret stablekey-tokens") && message.contains("prism login"), "{message}");
    assert!(!everything_said(&env).contains("CANARY"));
    let events = field(&env.us, "events", ".items[*].reason");
    assert!(events.contains("TokenRefused"), "{events}");

    // A token that says no host is sent nowhere.
    let nowhere = stablekey_testing::objects::secret("stablekey-tokens", json!({"eu": env.eu.refresh_token()}));
    kubectl(&env.us, &["annotate", "secret", "stablekey-tokens", "stablekey.dev/hosts-"]);
    env.in_us(&[nowhere]);
    until("it is refused", || ready(&env.us, EU, "message").contains("does not say to which hosts"));
    env.eu.take_token_requests();
    env.in_us(&[env.tokens(&[("eu", &env.eu)])]);
    until_ready(&env.us, EU, "Polled");
}

/// "backoff on 429 that slows this tenant only".
#[test]
fn too_many_requests_slow_only_that_tenant() {
    let env = SenderEnv::new("slow");
    let us = fake(Region::Us);
    env.in_us(&[env.tokens(&[("eu", &env.eu), ("other", &us)]), env.on_platform("other", &us, None)]);
    for request in 0..2_000 {
        env.eu.fault_after(request, Fault::Answer(Answer::too_many(None)));
    }
    let sender = env.sender();
    until_ready(&env.us, EU, "TooManyRequests");
    until_ready(&env.us, "tenant/other", "Polled");
    let reads = |tenant: &str| {
        let name = format!("stablekey_platform_read_duration_seconds_count{{tenant=\"{tenant}\"}}");
        sender.metric(&name).unwrap_or_default()
    };
    let (slow, other) = (reads("eu"), reads("other"));
    until("the other tenant is read at its pace", || reads("other") >= other + 6.0);
    let slow = reads("eu") - slow;
    assert!(slow < reads("other") - other, "{slow}");
    env.eu.clear_faults();
    kubectl(&env.us, &["annotate", "--overwrite", EU, "stablekey.dev/requestedAt=1"]);
    until_ready(&env.us, EU, "Polled");
}

/// Killed after a request, and started again: each key is made once, and the sender that follows does not wait.
#[test]
fn a_killed_sender_is_taken_up() {
    let env = SenderEnv::new("killed");
    env.archive();
    env.archive_secret(&[]);
    env.in_us(&[sync_from_us("us-to-eu", "eu", "Apply")]);
    // The answer of the create comes after the process is gone.
    env.eu.fault_on("StablekeyCreateConnection", 0, Fault::Slow(std::time::Duration::from_secs(3)));
    let sender = env.sender();
    until("it is made", || env.sent("archive", "host").is_some());
    sender.signal("-KILL");
    drop(sender);
    let _sender = env.sender();
    until_state(&env, SYNC, "eu", "InSync");
    let made = env.eu.read(|store| store.connections.iter().filter(|c| c.stable_key == "archive").count());
    assert_eq!(made, 1);
    let imported = env.eu.read(|store| store.integrations.iter().filter(|i| i.name == "Archive Export").count());
    assert_eq!(imported, 1);
}

/// "after losing it, it starts no pass and no write": frozen within a write, and thawed when another one has gone on.
#[test]
fn a_frozen_sender_writes_nothing_more() {
    let env = SenderEnv::new("frozen");
    env.archive();
    env.archive_secret(&[]);
    env.in_us(&[sync_from_us("us-to-eu", "eu", "Apply")]);
    env.eu.fault_on("StablekeyCreateConnection", 0, Fault::Slow(std::time::Duration::from_secs(1)));
    let frozen = env.sender();
    until("it is made", || env.sent("archive", "host").is_some());
    frozen.signal("-STOP");
    let other = env.sender();
    until_state(&env, SYNC, "eu", "InSync");
    assert!(other.leads("sender"));
    frozen.signal("-CONT");
    until("it does not lead any more", || !frozen.leads("sender"));
    env.again(SYNC, "1");
    let made = mutations(&env.eu);
    assert_eq!(made, ["StablekeyCreateConnection", "StablekeyImportIntegration"]);
    until_state(&env, SYNC, "eu", "InSync");
}
