//! Tenants that do not answer, and servers that stop and come back.

use super::env::*;
use bytes::Bytes;
use http::StatusCode;
use stablekey_clusters::{shared, shared_all};
use stablekey_testing::proxy::{Fate, Pieces};
use stablekey_testing::replica::until;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_frozen_target_blocks_no_other_and_continues_later() {
    let env = TestEnv::new("frozen");
    let frozen = shared("frozen");
    let west = env.target("west", frozen);
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync_to(&["eu", "west"], "Apply")]);
    until_target_state(&env, "eu", "InSync");
    until_target_state(&env, "west", "InSync");

    frozen.pause().unwrap();
    let mut slowest = Duration::ZERO;
    for scopes in ["1", "2", "3", "4", "5"] {
        let begun = Instant::now();
        env.in_us(&[connection("crm", scopes)]);
        until_field(&env.eu, "connection/crm", SCOPES, scopes);
        slowest = slowest.max(begun.elapsed());
    }
    // Less than the timeout of one request to the frozen server: nothing waited for it.
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    until_target_state(&env, "west", "Unreachable");
    until_target_state(&env, "eu", "InSync");
    until_ready(&env.us, "tenant/west", "Unreachable");
    assert_eq!(ready(&env.us, "tenant/west", "status"), "False");
    assert!(ready(&env.us, "tenant/west", "message").contains("cannot be reached"));
    assert_eq!(ready(&env.us, "tenant/eu", "status"), "True");
    assert_eq!(ready(&env.us, SYNC, "reason"), "Unreachable");

    frozen.resume().unwrap();
    until_field(&west, "connection/crm", SCOPES, "5");
    until_target_state(&env, "west", "InSync");
    until_ready(&env.us, "tenant/west", "Watched");

    frozen.restart_apiserver().unwrap();
    env.in_us(&[connection("crm", "6"), connection("erp", "6"), integration("lead", &["crm", "erp"])]);
    until_field(&west, "connection/erp", SCOPES, "6");
    until_field(&west, "connection/crm", SCOPES, "6");
    until_target_state(&env, "west", "InSync");
    frozen.kill_apiserver().unwrap();
}

#[test]
fn a_target_frozen_at_the_start_is_reported_and_blocks_no_other() {
    let env = TestEnv::new("asleep");
    let asleep = shared("asleep");
    let west = env.target("west", asleep);
    asleep.pause().unwrap();
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync_to(&["eu", "west"], "Apply")]);
    until_field(&env.eu, "connection/crm", SCOPES, "api");
    until_target_state(&env, "west", "Unreachable");
    until_target_state(&env, "eu", "InSync");
    asleep.resume().unwrap();
    until_field(&west, "connection/crm", SCOPES, "api");
    until_target_state(&env, "west", "InSync");
    asleep.kill_apiserver().unwrap();
}

#[test]
fn the_hub_and_source_is_restarted_and_frozen_and_nothing_is_lost() {
    let [us, eu] = shared_all(["restarted", "eu"]);
    let env = TestEnv::on("restarted", us, eu);
    let mut syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    us.restart_apiserver().unwrap();
    env.in_us(&[connection("crm", "1")]);
    until_field(&env.eu, "connection/crm", SCOPES, "1");
    // Longer than the Lease: it cannot be renewed, and is acquired again.
    us.pause().unwrap();
    syncer.wait_for_log("lost the Lease");
    us.resume().unwrap();
    env.in_us(&[connection("crm", "2")]);
    until_field(&env.eu, "connection/crm", SCOPES, "2");
    until_target_state(&env, "eu", "InSync");
    us.kill_apiserver().unwrap();
}

/// The answer of a server that has not loaded its Roles, and of one whose Roles do not grant it.
fn refusal() -> Fate {
    let message = "connections is forbidden: User \"x\" cannot do that to resource \"connections\" in the namespace";
    let status =
        serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": 403});
    let bytes = Bytes::from(status.to_string());
    Fate::Pieces(StatusCode::FORBIDDEN, Pieces(Arc::new(move |number| (number == 0).then(|| bytes.clone()))))
}

/// Just after it was down a server forbids what its Roles grant, which is not reported.
#[test]
fn a_refusal_by_a_restarted_server_is_retried() {
    let env = TestEnv::new("too-early");
    let (lost, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let takes_one = |count: &AtomicUsize| count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
    let _way = env.proxy_to_eu({
        let (lost, refused) = (lost.clone(), refused.clone());
        move |seen| match seen.path.contains("/connections") {
            true if seen.writes() && takes_one(&lost).is_ok() => Fate::CutBefore,
            true if seen.writes() && takes_one(&refused).is_ok() => refusal(),
            _ => Fate::Pass,
        }
    });
    let mut syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    refused.store(3, Ordering::SeqCst);
    lost.store(1, Ordering::SeqCst);
    env.in_us(&[connection("crm", "1")]);
    until_field(&env.eu, "connection/crm", SCOPES, "1");
    assert_eq!((lost.load(Ordering::SeqCst), refused.load(Ordering::SeqCst)), (0, 0));
    assert_eq!(syncer.metric("stablekey_failures_total{role=\"syncer\",code=\"Forbidden\"}"), None);
    // A missing permission is reported nevertheless, after few attempts, even if the server was down before.
    const MANY: usize = 1_000;
    refused.store(MANY, Ordering::SeqCst);
    lost.store(1, Ordering::SeqCst);
    env.in_us(&[connection("crm", "2")]);
    let told = syncer.wait_for_log("cannot do that to resource");
    assert_eq!(told["code"], "Forbidden", "{told}");
    assert!(MANY - refused.load(Ordering::SeqCst) <= 5, "{}", refused.load(Ordering::SeqCst));
    until_target_state(&env, "eu", "Failed");
    refused.store(0, Ordering::SeqCst);
    until_target_state(&env, "eu", "InSync");
}

#[test]
fn repeatedly_cut_watches_lose_nothing_and_list_nothing_again() {
    let env = TestEnv::new("cut");
    let cut = Arc::new(AtomicUsize::new(0));
    let proxy = env.proxy_to_eu({
        let cut = cut.clone();
        // Every write in the target breaks all watches there.
        move |seen| {
            if seen.writes() && cut.fetch_add(1, Ordering::SeqCst) < 100 { Fate::CutWatches } else { Fate::Pass }
        }
    });
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    for scopes in ["1", "2", "3"] {
        env.in_us(&[connection("crm", scopes)]);
        until_field(&env.eu, "connection/crm", SCOPES, scopes);
        let patch = serde_json::json!({"spec": {"inputs": {"scopes": {"value": "theirs"}}}}).to_string();
        kubectl(&env.eu, &["patch", "connection/crm", "--type=merge", "--field-manager=kubectl-edit", "-p", &patch]);
        until_target_state(&env, "eu", "Drifted");
        let back = patch.replace("theirs", scopes);
        kubectl(&env.eu, &["patch", "connection/crm", "--type=merge", "--field-manager=kubectl-edit", "-p", &back]);
        until_target_state(&env, "eu", "InSync");
    }
    assert!(cut.load(Ordering::SeqCst) > 3);
    let lists = proxy.seen().into_iter().filter(|seen| seen.path.contains("/connections?limit")).count();
    assert_eq!(lists, 1);
}

#[test]
fn writes_during_a_freeze_are_finished_later_and_create_each_key_once() {
    let env = TestEnv::new("midway");
    let writes = Arc::new(AtomicUsize::new(0));
    let swallows = Arc::new(AtomicUsize::new(4));
    let _way = env.proxy_to_eu({
        let (writes, swallows) = (writes.clone(), swallows.clone());
        move |seen| {
            let written =
                if seen.writes() { writes.fetch_add(1, Ordering::SeqCst) } else { writes.load(Ordering::SeqCst) };
            if written >= swallows.load(Ordering::SeqCst) { Fate::Swallow } else { Fate::Pass }
        }
    });
    let _syncer = env.syncer();
    let keys: Vec<String> = (0..12).map(|n| format!("c{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut all: Vec<_> = keys.iter().map(|key| connection(key, "api")).collect();
    all.extend([integration("lead", &keys), sync("Apply")]);
    env.in_us(&all);
    until("writes are swallowed", || writes.load(Ordering::SeqCst) > 5);
    until_ready(&env.us, "tenant/eu", "Unreachable");
    until_target_state(&env, "eu", "Unreachable");
    swallows.store(usize::MAX, Ordering::SeqCst);
    until_target_state(&env, "eu", "InSync");
    let made = env.eu.audit().unwrap();
    let mut made: Vec<&str> =
        made.iter().filter(|r| r.code == 201 && r.resource == "connections").map(|r| r.name.as_str()).collect();
    made.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(made, keys);
}
