//! Which Secrets the sender sends, and where.

use super::env::*;
use crate::controller::syncer::env::*;
use stablekey_testing::objects::*;
use stablekey_testing::replica::until;

/// "per tenant, the opted-in Secrets of the one namespace that its location names", held to their hosts, and sent again
/// when their version says so.
#[test]
fn a_secret_is_sent_for_its_keys_and_to_its_hosts() {
    let env = SenderEnv::new("opted-in");
    env.in_us(&[archive("db.example").json(), Integration::new("any").json()]);
    // It is there, and did not opt in.
    apply(&env.secrets, &[secret("archive-db", serde_json::json!({"password": "CANARY-password"}))]);
    let mut sync = sync_from_us("us-to-eu", "eu", "Apply");
    sync["spec"]["connections"] = "Mirror".into();
    let uses = Integration::new("reports").title("Reports").uses(&["archive"]).json();
    env.in_us(&[uses, sync]);
    let _sender = env.sender();
    let blocked = |words: &str| {
        until(words, || field(&env.us, SYNC, &of_target("eu", "blocked")).contains(words));
        assert_eq!(mutations(&env.eu), [""; 0]);
    };
    blocked("kubectl label -n");
    env.archive_secret(&[("stablekey.dev/keys", "another")]);
    blocked("does not serve archive");
    env.archive_secret(&[("stablekey.dev/hosts", "other.example")]);
    blocked("does not plainly name");
    env.archive_secret(&[("stablekey.dev/hosts", "db.example"), ("stablekey.dev/version", "1")]);
    until("it is made", || env.sent("archive", "password").as_deref() == Some("CANARY-password"));

    // Another version means that the content changed.
    kubectl(&env.secrets, &["patch", "secret", "archive-db", "-p", r#"{"stringData":{"password":"CANARY-second"}}"#]);
    env.again(SYNC, "1");
    assert_eq!(env.sent("archive", "password").as_deref(), Some("CANARY-password"));
    kubectl(&env.secrets, &["annotate", "--overwrite", "secret", "archive-db", "stablekey.dev/version=2"]);
    until("it is sent again", || env.sent("archive", "password").as_deref() == Some("CANARY-second"));
    assert!(!everything_said(&env).contains("CANARY"));
}

/// "no two the same".
#[test]
fn two_tenants_do_not_share_their_secrets() {
    let env = SenderEnv::new("shared");
    let us = fake(stablekey_platform::Region::Us);
    let second = env.on_platform("second", &us, Some(&env.secrets));
    env.in_us(&[env.tokens(&[("eu", &env.eu), ("second", &us)]), second]);
    let _sender = env.sender();
    until_ready(&env.us, EU, "SecretsShared");
    until_ready(&env.us, "tenant/second", "SecretsShared");
    // Nor are two Tenants one organization.
    let same = env.on_platform("second", &env.eu, None);
    env.in_us(&[env.tokens(&[("eu", &env.eu), ("second", &env.eu)]), same]);
    until_ready(&env.us, EU, "SameOrganization");
    until_ready(&env.us, "tenant/second", "SameOrganization");
}
