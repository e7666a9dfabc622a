//! Tenants that do not answer, and servers that go away and come back.

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
fn a_target_that_is_frozen_holds_up_no_other_and_goes_on_when_it_answers_again() {
    let env = TestEnv::new("frozen");
    let frozen = shared("frozen");
    let west = env.target("west", frozen);
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync_to(&["eu", "west"], "Apply")]);
    until_stands(&env, "eu", "InSync");
    until_stands(&env, "west", "InSync");

    frozen.pause().unwrap();
    let mut slowest = Duration::ZERO;
    for scopes in ["1", "2", "3", "4", "5"] {
        let begun = Instant::now();
        env.in_us(&[connection("crm", scopes)]);
        until_field(&env.eu, "connection/crm", SCOPES, scopes);
        slowest = slowest.max(begun.elapsed());
    }
    // Less than one request to the frozen server takes: nothing waited for it.
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    until_stands(&env, "west", "Unreachable");
    until_stands(&env, "eu", "InSync");
    until_ready(&env.us, "tenant/west", "Unreachable");
    assert_eq!(ready(&env.us, "tenant/west", "status"), "False");
    assert!(ready(&env.us, "tenant/west", "message").contains("cannot be reached"));
    assert_eq!(ready(&env.us, "tenant/eu", "status"), "True");
    assert_eq!(ready(&env.us, SYNC, "reason"), "Unreachable");

    frozen.resume().unwrap();
    until_field(&west, "connection/crm", SCOPES, "5");
    until_stands(&env, "west", "InSync");
    until_ready(&env.us, "tenant/west", "Followed");

    frozen.restart_apiserver().unwrap();
    env.in_us(&[connection("crm", "6"), connection("erp", "6"), integration("lead", &["crm", "erp"])]);
    until_field(&west, "connection/erp", SCOPES, "6");
    until_field(&west, "connection/crm", SCOPES, "6");
    until_stands(&env, "west", "InSync");
    frozen.kill_apiserver().unwrap();
}

#[test]
fn a_target_that_is_frozen_at_the_start_is_told_and_holds_up_no_other() {
    let env = TestEnv::new("asleep");
    let asleep = shared("asleep");
    let west = env.target("west", asleep);
    asleep.pause().unwrap();
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync_to(&["eu", "west"], "Apply")]);
    until_field(&env.eu, "connection/crm", SCOPES, "api");
    until_stands(&env, "west", "Unreachable");
    until_stands(&env, "eu", "InSync");
    asleep.resume().unwrap();
    until_field(&west, "connection/crm", SCOPES, "api");
    until_stands(&env, "west", "InSync");
    asleep.kill_apiserver().unwrap();
}

#[test]
fn the_hub_and_source_is_restarted_and_frozen_and_nothing_is_lost() {
    let [us, eu] = shared_all(["restarted", "eu"]);
    let env = TestEnv::on("restarted", us, eu);
    let mut syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync("Apply")]);
    until_stands(&env, "eu", "InSync");
    us.restart_apiserver().unwrap();
    env.in_us(&[connection("crm", "1")]);
    until_field(&env.eu, "connection/crm", SCOPES, "1");
    // Longer than the Lease lasts: it cannot be renewed, and is taken again.
    us.pause().unwrap();
    syncer.says("lost the Lease");
    us.resume().unwrap();
    env.in_us(&[connection("crm", "2")]);
    until_field(&env.eu, "connection/crm", SCOPES, "2");
    until_stands(&env, "eu", "InSync");
    us.kill_apiserver().unwrap();
}

/// Said by a server that has not read its Roles, and by one whose Roles do not say more.
fn refusal() -> Fate {
    let message = "connections is forbidden: User \"x\" cannot do that to resource \"connections\" in the namespace";
    let status =
        serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": 403});
    let bytes = Bytes::from(status.to_string());
    Fate::Pieces(StatusCode::FORBIDDEN, Pieces(Arc::new(move |number| (number == 0).then(|| bytes.clone()))))
}

/// Just after it was away a server refuses what its Roles allow: nobody needs to hear of that.
#[test]
fn what_is_refused_by_a_server_that_has_just_come_back_is_asked_again() {
    let env = TestEnv::new("too-early");
    let (lost, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let takes_one = |count: &AtomicUsize| count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
    let _way = env.way_to_eu({
        let (lost, refused) = (lost.clone(), refused.clone());
        move |seen| match seen.path.contains("/connections") {
            true if seen.writes() && takes_one(&lost).is_ok() => Fate::CutBefore,
            true if seen.writes() && takes_one(&refused).is_ok() => refusal(),
            _ => Fate::Pass,
        }
    });
    let mut syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync("Apply")]);
    until_stands(&env, "eu", "InSync");
    refused.store(3, Ordering::SeqCst);
    lost.store(1, Ordering::SeqCst);
    env.in_us(&[connection("crm", "1")]);
    until_field(&env.eu, "connection/crm", SCOPES, "1");
    assert_eq!((lost.load(Ordering::SeqCst), refused.load(Ordering::SeqCst)), (0, 0));
    assert_eq!(syncer.metric("stablekey_failures_total{role=\"syncer\",code=\"Forbidden\"}"), None);
    // A right that is missing is told all the same, after few tries, also where the server was away before.
    const MANY: usize = 1_000;
    refused.store(MANY, Ordering::SeqCst);
    lost.store(1, Ordering::SeqCst);
    env.in_us(&[connection("crm", "2")]);
    let told = syncer.says("cannot do that to resource");
    assert_eq!(told["code"], "Forbidden", "{told}");
    assert!(MANY - refused.load(Ordering::SeqCst) <= 5, "{}", refused.load(Ordering::SeqCst));
    until_stands(&env, "eu", "Failed");
    refused.store(0, Ordering::SeqCst);
    until_stands(&env, "eu", "InSync");
}

#[test]
fn watches_that_are_cut_again_and_again_lose_nothing_and_list_nothing_anew() {
    let env = TestEnv::new("cut");
    let cut = Arc::new(AtomicUsize::new(0));
    let proxy = env.way_to_eu({
        let cut = cut.clone();
        // Every write in the target cuts all that is watched there.
        move |seen| {
            if seen.writes() && cut.fetch_add(1, Ordering::SeqCst) < 100 { Fate::CutWatches } else { Fate::Pass }
        }
    });
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync("Apply")]);
    until_stands(&env, "eu", "InSync");
    for scopes in ["1", "2", "3"] {
        env.in_us(&[connection("crm", scopes)]);
        until_field(&env.eu, "connection/crm", SCOPES, scopes);
        let patch = serde_json::json!({"spec": {"inputs": {"scopes": {"value": "theirs"}}}}).to_string();
        kubectl(&env.eu, &["patch", "connection/crm", "--type=merge", "--field-manager=kubectl-edit", "-p", &patch]);
        until_stands(&env, "eu", "Drifted");
        let back = patch.replace("theirs", scopes);
        kubectl(&env.eu, &["patch", "connection/crm", "--type=merge", "--field-manager=kubectl-edit", "-p", &back]);
        until_stands(&env, "eu", "InSync");
    }
    assert!(cut.load(Ordering::SeqCst) > 3);
    let lists = proxy.seen().into_iter().filter(|seen| seen.path.contains("/connections?limit")).count();
    assert_eq!(lists, 1);
}

#[test]
fn what_is_written_while_it_freezes_is_finished_later_and_each_key_made_once() {
    let env = TestEnv::new("midway");
    let writes = Arc::new(AtomicUsize::new(0));
    let swallows = Arc::new(AtomicUsize::new(4));
    let _way = env.way_to_eu({
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
    until_stands(&env, "eu", "Unreachable");
    swallows.store(usize::MAX, Ordering::SeqCst);
    until_stands(&env, "eu", "InSync");
    let made = env.eu.audit().unwrap();
    let mut made: Vec<&str> =
        made.iter().filter(|r| r.code == 201 && r.resource == "connections").map(|r| r.name.as_str()).collect();
    made.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(made, keys);
}
