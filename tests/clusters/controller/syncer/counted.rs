//! Injects a fault into every single request of a run: the result must be the same.
//!
//! `cargo test` tries an evenly spread sample; `SOAK=1 cargo test` tries every request.

use super::env::*;
use http::StatusCode;
use serde_json::{Value, json};
use stablekey_testing::objects::*;
use stablekey_testing::project::{CommandOutput, Project};
use stablekey_testing::proxy::{Fate, Proxy, Seen};
use stablekey_testing::replica::{Replica, account, command, until};
use stablekey_testing::yaml;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// Number of requests that are tried per kind of fault, unless all are.
const SAMPLE: usize = 2;
const LONG: Duration = Duration::from_secs(60);
const ALLOWED: [&str; 3] = ["Create", "Update", "Delete"];

/// A fault of one request.
#[derive(Clone, Copy, Debug)]
enum Fault {
    KilledAfter,
    AnswerLost,
    Conflict,
    Busy,
    Broken,
    WatchesCut,
}

/// Counts the requests to both API servers together, and decides what happens to each.
#[derive(Default)]
struct RequestCounter {
    seen: usize,
    /// The number of the request that gets the fault.
    fault: Option<(usize, Fate)>,
    /// Only these requests are counted.
    counts: Option<fn(&Seen) -> bool>,
    /// After the kill nothing of the process is forwarded.
    killed: bool,
}

impl RequestCounter {
    fn meets(&mut self, seen: &Seen) -> Fate {
        if self.killed {
            return Fate::Swallow;
        }
        if !seen.is_of_work() || self.counts.is_some_and(|counts| !counts(seen)) {
            return Fate::Pass;
        }
        self.seen += 1;
        match &self.fault {
            Some((number, fate)) if *number == self.seen => {
                self.killed = matches!(fate, Fate::DoAndTell(_));
                fate.clone()
            }
            _ => Fate::Pass,
        }
    }
}

/// A hub and a target, proxies to them, and a command line for the same tenants.
struct CountedEnv {
    env: TestEnv,
    meter: Arc<Mutex<RequestCounter>>,
    hub: Proxy,
    _target: Proxy,
    project: Project,
}

impl CountedEnv {
    /// Sets up the objects before the run: a part of the workload, and an object that Stablekey does not manage.
    fn new(prefix: &str, mode: &str) -> Self {
        let env = TestEnv::new(prefix);
        let meter = Arc::<Mutex<RequestCounter>>::default();
        let read_one = || {
            let meter = meter.clone();
            move |seen: &Seen| meter.lock().unwrap().meets(seen)
        };
        let hub = Proxy::of(env.us.cluster(), &account(&env.us, "syncer"), read_one());
        let target = env.proxy_to_eu(read_one());
        let counted = CountedEnv { project: Project::empty(), meter, hub, _target: target, env };
        counted.describe();
        let policy = json!({"acceptFrom": ["us"], "policy": {"actions": ALLOWED}});
        counted.env.in_eu(&[tenant("eu", policy), connection("theirs", "theirs")]);
        let mut hub = counted.env.remote_eu();
        hub["spec"]["policy"] = json!({"actions": ALLOWED});
        let abc = ["a", "b", "c"].map(|key| connection(key, "api"));
        counted.env.in_us(&abc);
        counted.env.in_us(&[hub, integration("one", &["a", "b"]), integration("two", &["c"])]);
        let before = counted.cli(&["apply", "--yes"]);
        assert_eq!(before.0, 0, "{}", before.1);
        kubectl(&counted.env.us, &["delete", "integration/two"]);
        let mut pruning = sync(mode);
        pruning["spec"]["prune"] = json!(true);
        counted.env.in_us(&[
            connection("a", "api refresh"),
            connection("d", "api"),
            connection("e", "api"),
            definition("three-v1", "d"),
            defined("three", &["c", "d", "e"]),
            integration("four", &["e"]),
            pruning,
        ]);
        counted
    }

    /// Writes the same tenants and sync for the command line.
    fn describe(&self) {
        let us = Tenant::new("us").allows_delete().in_namespace(self.env.us.name(), "us");
        let eu = Tenant::new("eu").accepts("us").allows_delete().in_namespace(self.env.eu.name(), "eu");
        let mut pruning = sync("Apply");
        pruning["spec"]["prune"] = json!(true);
        self.project.write("all.yaml", &yaml::file(&[us.yaml(), eu.yaml(), pruning.to_string()]));
    }

    fn cli(&self, arguments: &[&str]) -> (i32, String) {
        let ways = [&self.env.us, &self.env.eu].map(|n| n.cluster().kubeconfig().display().to_string()).join(":");
        let mut command = self.project.command_with_state(arguments);
        let output = CommandOutput::of(&command.env("KUBECONFIG", ways).output().unwrap());
        (output.code, output.all)
    }

    fn syncer(&self) -> Replica {
        Replica::by(command(&self.env.us, &self.hub.kubeconfig, &SYNCER))
    }

    fn meets(&self, number: usize, fate: Fate) {
        self.meter.lock().unwrap().fault = Some((number, fate));
    }

    /// Waits for the last request of the process, kills it and starts another.
    fn kill_and_restart(&self, syncer: Replica, told: &Receiver<()>) -> Replica {
        // If it needed fewer requests this time, there is nothing to kill it after.
        if told.recv_timeout(LONG).is_ok() {
            drop(syncer);
            // Deletes the Lease instead of waiting for it: takeover is tested elsewhere.
            kubectl(&self.env.us, &["delete", "lease", "stablekey-syncer", "--ignore-not-found"]);
            self.meter.lock().unwrap().killed = false;
            return self.syncer();
        }
        syncer
    }

    /// Returns the spec and the ownership record of every object.
    fn content(&self) -> String {
        let columns = "-o=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.spec} {.metadata.annotations.stablekey\\.dev/wrote}{\"\\n\"}{end}";
        kubectl(&self.env.eu, &["get", "components,connections,customercredentials,integrations", columns])
    }

    /// Asserts that the engine finds nothing to do, each object was created once, and nothing else was changed.
    fn ends_well(&self, what: &str) -> String {
        until_target_state(&self.env, "eu", "InSync");
        until("nothing is left to do", || self.content().contains("Integration/four"));
        let (code, said) = self.cli(&["plan"]);
        assert_eq!(code, 0, "{what}: {said}");
        let mut made: BTreeMap<String, usize> = BTreeMap::new();
        let requests = self.env.eu.audit().unwrap();
        for request in requests.iter().filter(|r| r.group == "stablekey.dev" && r.code == 201) {
            *made.entry(format!("{}/{}", request.resource, request.name)).or_default() += 1;
        }
        assert!(made.values().all(|count| *count == 1), "{what}: {made:?}");
        let touched = requests.iter().filter(|r| r.writes() && r.name == "theirs" && !r.agent.starts_with("kubectl"));
        assert_eq!(touched.count(), 0, "{what}");
        until("no approval is begun", || field(&self.env.us, SYNC, ".status.approvals[*].left").is_empty());
        let waiting = ["get", "configmaps", "-l", "stablekey.dev/plan", "-o", "name"];
        until("no plan waits", || kubectl(&self.env.us, &waiting).is_empty());
        self.content()
    }
}

fn definition(name: &str, key: &str) -> Value {
    let text = format!(
        "definitionVersion: 7\nname: Three\nconfigPages:\n  - name: Connections\n    elements:\n      - {{type: configVar, value: Use of {key}}}\n\
         requiredConfigVars:\n  - {{key: Use of {key}, dataType: connection, useScopedConfigVar: {key}}}\nflows: []\n"
    );
    let labels = json!({"stablekey.dev/definition": "true"});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": {"definition": text}})
}

fn defined(name: &str, keys: &[&str]) -> Value {
    let mut integration = integration(name, keys);
    integration["spec"]["definition"] = json!({"configMap": {"name": format!("{name}-v1")}});
    integration
}

/// Runs without a fault; returns the number of requests and the final objects.
fn run_without_fault() -> &'static (usize, String) {
    static FAIR: OnceLock<(usize, String)> = OnceLock::new();
    FAIR.get_or_init(|| {
        let counted = CountedEnv::new("fair", "Apply");
        let _syncer = counted.syncer();
        let content = counted.ends_well("without a fault");
        let seen = counted.meter.lock().unwrap().seen;
        (seen, content)
    })
}

/// Returns the numbers of the requests to try: all, or a sample that depends on `turn`.
fn sampled_requests(requests: usize, turn: usize) -> Vec<usize> {
    if std::env::var_os("SOAK").is_some() {
        return (1..=requests).collect();
    }
    let step = requests / SAMPLE;
    (0..SAMPLE).map(|number| 1 + (number * step + turn * step / 6) % requests).collect()
}

fn fate(fault: Fault, tell: &Sender<()>) -> Fate {
    match fault {
        Fault::KilledAfter => Fate::DoAndTell(tell.clone()),
        Fault::AnswerLost => Fate::CutAfter,
        Fault::Conflict => Fate::Say(StatusCode::CONFLICT, None),
        Fault::Busy => Fate::Say(StatusCode::TOO_MANY_REQUESTS, Some("1")),
        Fault::Broken => Fate::Say(StatusCode::INTERNAL_SERVER_ERROR, None),
        Fault::WatchesCut => Fate::CutWatches,
    }
}

fn assert_overcome(fault: Fault) {
    let (requests, expected) = run_without_fault();
    let tried = sampled_requests(*requests, fault as usize);
    for number in &tried {
        let what = format!("{fault:?}, request {number} of {requests}");
        let counted = CountedEnv::new("counted", "Apply");
        let (tell, told) = channel();
        counted.meets(*number, fate(fault, &tell));
        let mut syncer = counted.syncer();
        if let Fault::KilledAfter = fault {
            syncer = counted.kill_and_restart(syncer, &told);
        }
        assert_eq!(counted.ends_well(&what), *expected, "{what}");
        drop(syncer);
    }
    eprintln!("{fault:?}: {} of {requests} requests, each got over", tried.len());
}

#[test]
fn killed_and_restarted_after_any_request() {
    assert_overcome(Fault::KilledAfter);
}

#[test]
fn the_answer_to_any_request_is_lost() {
    assert_overcome(Fault::AnswerLost);
}

#[test]
fn a_conflict_as_the_answer_to_any_request() {
    assert_overcome(Fault::Conflict);
}

#[test]
fn a_busy_server_at_any_request() {
    assert_overcome(Fault::Busy);
}

#[test]
fn a_server_error_as_the_answer_to_any_request() {
    assert_overcome(Fault::Broken);
}

#[test]
fn all_watches_cut_at_any_request() {
    assert_overcome(Fault::WatchesCut);
}

/// An approved plan that was interrupted is finished by the same approval.
#[test]
fn an_approved_plan_killed_after_any_write_is_finished_by_the_same_approval() {
    let begin = || {
        let counted = CountedEnv::new("approved", "Plan");
        let syncer = counted.syncer();
        until_target_state(&counted.env, "eu", "AwaitingApproval");
        reconcile_again(&counted.env, SYNC, "now");
        // Counts the writes in the target from here on.
        let mut meter = counted.meter.lock().unwrap();
        meter.seen = 0;
        meter.counts = Some(|seen| seen.writes() && !seen.path.contains("/status"));
        drop(meter);
        (counted, syncer)
    };
    let approve = |counted: &CountedEnv| {
        let digest = field(&counted.env.us, SYNC, &of_target("eu", "digest"));
        kubectl(&counted.env.us, &["annotate", SYNC, &format!("stablekey.dev/approve={digest}")]);
    };
    let (counted, syncer) = begin();
    approve(&counted);
    let expected = counted.ends_well("approved");
    let writes = counted.meter.lock().unwrap().seen;
    assert!(writes > 7, "{writes}");
    drop(syncer);
    let tried = sampled_requests(writes, 3);
    for number in &tried {
        let (counted, syncer) = begin();
        let (tell, told) = channel();
        counted.meets(*number, Fate::DoAndTell(tell));
        approve(&counted);
        let syncer = counted.kill_and_restart(syncer, &told);
        let what = format!("approved, killed after write {number} of {writes}");
        assert_eq!(counted.ends_well(&what), expected, "{what}");
        drop(syncer);
    }
    eprintln!("approved and killed: {} of {writes} writes, each finished", tried.len());
}
