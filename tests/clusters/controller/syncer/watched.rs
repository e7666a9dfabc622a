//! What an operator sees of the syncer: metrics, readiness, the log.

use super::env::*;
use serde_json::{Value, json};
use stablekey_testing::objects::*;
use stablekey_testing::proxy::Fate;
use stablekey_testing::replica::Replica;
use stablekey_testing::replica::until;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn metrics_show_results_failures_and_target_states() {
    let env = TestEnv::new("metrics");
    let syncer = env.syncer();
    let targets =
        |state: &str| format!("stablekey_targets{{tenant_namespace=\"{}\",state=\"{state}\"}}", env.us.name());
    let looks = |outcome: &str| {
        syncer
            .metric(&format!("stablekey_reconciles_total{{role=\"syncer\",kind=\"TenantSync\",outcome=\"{outcome}\"}}"))
    };
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    until("it is in sync", || syncer.metric(&targets("InSync")) == Some(1.0));
    assert_eq!(syncer.metric(&targets("Unreachable")), Some(0.0));
    assert!(looks("written").unwrap() >= 1.0 && looks("unchanged").unwrap() >= 1.0);
    until("nothing is due", || syncer.metric("stablekey_queue_depth{role=\"syncer\"}") == Some(0.0));
    assert!(syncer.metric("stablekey_queue_wait_seconds_count{role=\"syncer\"}").unwrap() >= 2.0);
    assert!(syncer.metric("stablekey_api_requests_total{target=\"eu\",verb=\"patch\",code=\"200\"}").unwrap() >= 2.0);

    let patch = json!({"spec": {"inputs": {"scopes": {"value": "theirs"}}}}).to_string();
    kubectl(&env.eu, &["patch", "connection/crm", "--type=merge", "--field-manager=kubectl-edit", "-p", &patch]);
    until_target_state(&env, "eu", "Drifted");
    until("it has drifted", || syncer.metric("stablekey_drifted_objects{tenant=\"eu\"}") == Some(1.0));
    until("it grows older", || syncer.metric("stablekey_drift_age_seconds{tenant=\"eu\"}").unwrap() > 0.0);
    until("it is counted", || syncer.metric(&targets("Drifted")) == Some(1.0));

    kubectl(&env.eu, &["create", "quota", "few", "--hard=count/connections.stablekey.dev=0"]);
    let counted = json!({"status": {"hard": {"count/connections.stablekey.dev": "0"}, "used": {"count/connections.stablekey.dev": "0"}}});
    kubectl(&env.eu, &["patch", "quota", "few", "--subresource=status", "--type=merge", "-p", &counted.to_string()]);
    until("the quota is in force", || {
        let probe = json!({"apiVersion": "v1", "kind": "List", "items": [connection("probe", "x")]}).to_string();
        let mut dry_run = env.eu.kubectl();
        stablekey_clusters::run_with_input(dry_run.args(["create", "--dry-run=server", "-f", "-"]), &probe).is_err()
    });
    env.in_us(&[connection("erp", "api"), integration("billing", &["erp"])]);
    until_target_state(&env, "eu", "Failed");
    assert!(syncer.metric("stablekey_failures_total{role=\"syncer\",code=\"Refused\"}").unwrap() >= 1.0);
    // A failure is retried, and blocks nothing else.
    kubectl(&env.eu, &["delete", "quota", "few"]);
    until_field(&env.eu, "integration/billing", ".metadata.name", "billing");
    kubectl(&env.us, &["delete", SYNC]);
    until("nothing is said of it any more", || syncer.metric("stablekey_drifted_objects{tenant=\"eu\"}").is_none());
}

#[test]
fn a_repeatedly_refused_object_does_not_slow_others_down() {
    let env = TestEnv::new("refused-one");
    kubectl(&env.eu, &["create", "quota", "few", "--hard=count/connections.stablekey.dev=1"]);
    let counted = json!({"status": {"hard": {"count/connections.stablekey.dev": "1"}, "used": {"count/connections.stablekey.dev": "1"}}});
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    kubectl(&env.eu, &["patch", "quota", "few", "--subresource=status", "--type=merge", "-p", &counted.to_string()]);
    env.in_us(&[connection("erp", "0"), integration("billing", &["erp"])]);
    until_target_state(&env, "eu", "Failed");
    // By now the next retry is later than all of these changes together may take.
    let begun = std::time::Instant::now();
    for scopes in ["1", "2", "3", "4", "5", "6"] {
        env.in_us(&[connection("crm", scopes)]);
        until_field(&env.eu, "connection/crm", SCOPES, scopes);
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(field(&env.us, SYNC, &of_target("eu", "message")).contains("exceeded quota"));
}

#[test]
fn readiness_names_what_is_waited_for() {
    let env = TestEnv::new("ready");
    let kept = Arc::new(AtomicBool::new(true));
    let _way = env.proxy_to_eu({
        let kept = kept.clone();
        move |seen| {
            while seen.path.contains("/connections?") && kept.load(Ordering::SeqCst) {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            Fate::Pass
        }
    });
    let patient = ["--role", "syncer", "--lease-duration", "3s", "--request-timeout", "60s"];
    let syncer = Replica::start(&env.us, &patient);
    until("it waits for connections", || {
        let ready = syncer.get("/readyz");
        let waits = ready.body.starts_with("syncer: waits for ") && ready.body.contains("connections");
        ready.code == 503 && waits && ready.body.contains(" of tenant eu\n")
    });
    assert_eq!(syncer.get("/healthz").code, 200);
    kept.store(false, Ordering::SeqCst);
    until("it is ready", || syncer.get("/readyz").code == 200);
    assert_eq!(syncer.get("/readyz").body, "syncer: leads\n");
    // An unreachable tenant does not make a replica unready.
    kubectl(&env.us, &["delete", KUBECONFIGS]);
    until_ready(&env.us, "tenant/eu", "KubeconfigMissing");
    assert_eq!(syncer.get("/readyz").code, 200);
}

#[test]
fn the_lines_of_a_reconcile_have_one_id_and_no_canary() {
    let env = TestEnv::new("log");
    let mut syncer = env.syncer();
    let secret = secret("app", json!({"clientSecret": "CANARY-secret"}));
    env.in_us(&[
        secret,
        connection("crm", "CANARY-value"),
        connection("erp", "CANARY-value"),
        integration("lead", &["crm", "erp"]),
        sync("Apply"),
    ]);
    until_target_state(&env, "eu", "InSync");
    let metrics = syncer.get("/metrics").body;
    let status = kubectl(&env.us, &["get", SYNC, "-o", "jsonpath={.status}"]);
    let events = kubectl(&env.us, &["get", "events", "-o", "json"]);
    syncer.signal("-TERM");
    assert!(syncer.end().success());
    let lines: Vec<Value> = syncer.log.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done: Vec<&Value> = lines.iter().filter(|line| line["message"] == "done").collect();
    assert_eq!(done.len(), 3, "a line per change: {done:?}");
    assert!(done.iter().all(|line| line["span"]["what"] == "eu" && line["span"]["pass"].is_string()), "{done:?}");
    let together = done.iter().filter(|line| line["span"]["pass"] == done[2]["span"]["pass"]).count();
    assert!(together >= 2, "the integration and what it rests on: {done:?}");
    for (what, text) in [("log", syncer.log.join("\n")), ("metrics", metrics), ("status", status), ("events", events)] {
        assert!(!text.contains("CANARY"), "in the {what}: {text}");
    }
}

/// A full reconcile of 7,000 objects delays no unrelated change, even while none of its writes is answered.
#[test]
fn a_long_full_reconcile_delays_no_other_change() {
    let env = TestEnv::new("long");
    let (swallows, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (is_on, count) = (swallows.clone(), asked.clone());
    let _proxy = env.proxy_to_eu(move |seen| {
        let is_it = seen.writes() && seen.path.contains("/connections/old-") && is_on.load(Ordering::Relaxed);
        if seen.path.contains("/connections/old-0?") && is_it {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if is_it { Fate::Swallow } else { Fate::Pass }
    });
    let arguments = ["--role", "syncer", "--lease-duration", "3s", "--request-timeout", "60s"];
    let _syncer = Replica::start(&env.us, &arguments);
    let keys: Vec<String> = (0..20).map(|n| format!("old-{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut all: Vec<_> = keys.iter().map(|key| connection(key, "api")).collect();
    all.extend([integration("lead", &keys), sync("Apply")]);
    env.in_us(&all);
    until_target_state(&env, "eu", "InSync");
    // The sync is renamed: every ownership record is written again.
    swallows.store(true, Ordering::Relaxed);
    let mut renamed = sync("Apply");
    renamed["metadata"]["name"] = json!("renamed");
    kubectl(&env.us, &["delete", SYNC]);
    env.in_us(&[renamed]);
    until("all is being written", || asked.load(Ordering::Relaxed) == 1);
    env.in_us(&[connection("fresh", "api"), integration("uses-fresh", &["fresh"])]);
    until_field(&env.eu, "integration/uses-fresh", ".metadata.name", "uses-fresh");
    assert_eq!(asked.load(Ordering::Relaxed), 1, "it came while nothing else was answered");
}
