//! Kills the binder after each of its requests and starts it again; and injects every fault into each request. `cargo
//! test` tries a sample, SOAK=1 all.

use super::env::*;
use http::StatusCode;
use serde_json::{Value, json};
use stablekey_testing::proxy::{Fate, Proxy};
use stablekey_testing::replica::{Replica, account, command, until};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(10);
const SHORT_LEASE: [&str; 6] = ["--role", "binder", "--lease-duration", "2s", "--request-timeout", "3s"];
/// The sampling interval: one of this many requests is tried.
const SAMPLE: usize = 6;

/// Objects of every kind: connections, customers, integrations; some incomplete, some foreign.
fn workload(prefix: &str) -> TestEnv {
    let env = TestEnv::new(prefix);
    let test = json!({"inputs": {"password": of_secret("app", "password")}});
    let theirs = secret("taken.binding", json!({"theirs": "x"}));
    let definition = json!({"configMap": {"name": "lead-1"}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lead-1", "labels": {"stablekey.dev/definition": "true"}}, "data": {"definition": "definitionVersion: 7\nname: Lead\nflows: []\n"}});
    env.apply_as_the_syncer(&[map]);
    env.apply(&[
        app(),
        theirs,
        with(global("crm"), "/spec/test", test),
        of_customers("crm-each"),
        global("taken"),
        customer("acme", "Acme", "crm-each", json!({"baseUrl": {"value": "https://acme.example"}})),
        with(integration("lead", &["crm", "crm-each"]), "/spec/definition", definition),
        integration("second", &["crm", "none"]),
    ]);
    env
}

fn replica(env: &TestEnv, kubeconfig: &Path) -> Replica {
    Replica::by(command(&env.here, kubeconfig, &SHORT_LEASE))
}

/// Returns the final objects, without fields that differ between runs.
fn content(env: &TestEnv) -> Value {
    let text = env.kubectl("get connections,customercredentials,integrations,secrets,configmaps -o json");
    let objects: Value = serde_json::from_str(&text).unwrap();
    let of = |object: &Value| {
        let mut object = object.clone();
        for condition in object["status"]["conditions"].as_array_mut().into_iter().flatten() {
            condition["lastTransitionTime"] = json!(null);
        }
        let owners = object["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
        json!([object["kind"], object["metadata"]["name"], object["status"], object["data"], object["type"], owners])
    };
    objects["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|o| o["metadata"]["name"] != "kube-root-ca.crt")
        .map(of)
        .collect()
}

/// Returns how often each binding Secret was created, according to the audit log.
fn made(env: &TestEnv) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for request in env.here.audit().unwrap() {
        if request.resource == "secrets" && request.code == 201 && request.name.contains("binding") {
            *made.entry(request.name).or_default() += 1;
        }
    }
    made
}

/// Runs without a fault; returns the number of requests and the final objects.
fn run_without_fault() -> (usize, Value) {
    let env = workload("fair");
    let proxy = Proxy::of(env.here.cluster(), &account(&env.here, "binder"), |_| Fate::Pass);
    let _binder = replica(&env, &proxy.kubeconfig);
    env.ready("integration/lead", "True Bound");
    env.ready("integration/second", "False BindingMissing");
    env.ready("connection/taken", "False BindingNameTaken");
    env.until_field("connection/crm", ".status.usedByCount", "2");
    env.until_field("configmap/lead-1", ".metadata.ownerReferences[0].name", "lead");
    env.ready("customercredentials/acme", "True Complete");
    (proxy.seen().len(), content(&env))
}

fn is_soak() -> bool {
    std::env::var_os("SOAK").is_some()
}

/// A text that is computed when it is shown.
struct Lazy<F>(F);

impl<F: Fn() -> String> Display for Lazy<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0())
    }
}

fn settles(env: &TestEnv, expected: &Value, what: impl Display) {
    let different = || {
        let (is, expected) = (content(env), expected.as_array().unwrap());
        let objects = is.as_array().unwrap().iter().filter(|object| !expected.contains(object));
        objects.map(|object| format!("\n  {object}")).collect::<String>()
    };
    until(Lazy(|| format!("{what}{}", different())), || content(env) == *expected);
    let twice: Vec<_> = made(env).into_iter().filter(|(name, count)| *count != 1 && name != "taken.binding").collect();
    assert!(twice.is_empty(), "{what}: {twice:?}");
}

#[test]
fn a_kill_after_any_request_does_not_change_the_result() {
    let (requests, expected) = run_without_fault();
    assert!(requests > 20, "{requests}");
    let tried: Vec<_> = (1..=requests).filter(|number| is_soak() || number.is_multiple_of(SAMPLE)).collect();
    for &last in &tried {
        let env = workload("killed");
        let (tell, told) = mpsc::channel();
        let proxy =
            Proxy::of(env.here.cluster(), &account(&env.here, "binder"), move |seen| match seen.number.cmp(&last) {
                Ordering::Less => Fate::Pass,
                Ordering::Equal => Fate::DoAndTell(tell.clone()),
                Ordering::Greater => Fate::Swallow,
            });
        let binder = replica(&env, &proxy.kubeconfig);
        // It may have lost its Lease before, and stopped.
        let _ = told.recv_timeout(LONG);
        drop(binder);
        let _again = replica(&env, &account(&env.here, "binder"));
        settles(&env, &expected, format_args!("killed after request {last} of {requests}"));
    }
    eprintln!("the binder, killed after: {} of {requests} requests, each got over", tried.len());
}

#[test]
fn any_fault_of_any_request_is_overcome() {
    let (requests, expected) = run_without_fault();
    let fates = [
        Fate::CutAfter,
        Fate::CutBefore,
        Fate::DoAndSay(StatusCode::SERVICE_UNAVAILABLE),
        Fate::Say(StatusCode::TOO_MANY_REQUESTS, Some("0")),
        Fate::Say(StatusCode::INTERNAL_SERVER_ERROR, None),
        Fate::Say(StatusCode::CONFLICT, None),
        Fate::Say(StatusCode::FORBIDDEN, None),
        Fate::Swallow,
        Fate::CutWatches,
    ];
    // Each fault is injected into at least one request.
    let is_of_sample = |number: usize, fate: usize| number == (fate + 1) * requests / (fates.len() + 1);
    let faults = (1..=requests).flat_map(|number| (0..fates.len()).map(move |fate| (number, fate)));
    let faults: Vec<_> = faults.filter(|(number, fate)| is_soak() || is_of_sample(*number, *fate)).collect();
    for (number, fate) in &faults {
        let (number, fate, this) = (*number, fates[*fate].clone(), fates[*fate].clone());
        let env = workload("troubled");
        let proxy = Proxy::of(env.here.cluster(), &account(&env.here, "binder"), move |seen| {
            if seen.number == number { this.clone() } else { Fate::Pass }
        });
        let _binder = replica(&env, &proxy.kubeconfig);
        let asked = || proxy.seen().into_iter().find(|seen| seen.number == number);
        let what = Lazy(|| format!("{fate:?} of request {number} of {requests}, {:?}", asked()));
        settles(&env, &expected, what);
        assert!(proxy.seen().iter().any(|seen| seen.writes()));
    }
    eprintln!("the binder, {} faults, {requests} requests: {} met, each got over", fates.len(), faults.len());
}
