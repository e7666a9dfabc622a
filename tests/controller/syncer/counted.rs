//! By count, not by luck: whatever happens to any one request of a run, the end is the same.
//!
//! `cargo test` tries a sample, spread evenly; `SOAK=1 cargo test` tries every request.

use super::stage::*;
use crate::proxy::{Fate, Proxy, Seen};
use crate::replica::{Replica, account, command, until};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tempfile::TempDir;

/// How many requests of each kind of trouble are tried where not all are.
const SAMPLE: usize = 2;
const LONG: Duration = Duration::from_secs(60);
const ALLOWED: [&str; 3] = ["Create", "Update", "Delete"];

/// What happens to one request.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    KilledAfter,
    AnswerLost,
    Conflict,
    Busy,
    Broken,
    WatchesCut,
}

/// What becomes of the requests to both API servers, which are counted together.
#[derive(Default)]
struct Meter {
    seen: usize,
    /// Which of them meets what.
    trouble: Option<(usize, Fate)>,
    /// Only these are counted.
    counts: Option<fn(&Seen) -> bool>,
    /// Who is killed is heard no more.
    killed: bool,
}

impl Meter {
    fn meets(&mut self, seen: &Seen) -> Fate {
        if self.killed {
            return Fate::Swallow;
        }
        if !seen.is_of_work() || self.counts.is_some_and(|counts| !counts(seen)) {
            return Fate::Pass;
        }
        self.seen += 1;
        match &self.trouble {
            Some((number, fate)) if *number == self.seen => {
                self.killed = matches!(fate, Fate::DoAndTell(_));
                fate.clone()
            }
            _ => Fate::Pass,
        }
    }
}

/// A hub and a target, the ways to them, and the command line that looks at the same.
struct Ground {
    stage: Stage,
    meter: Arc<Mutex<Meter>>,
    hub: Proxy,
    _target: Proxy,
    folder: TempDir,
}

impl Ground {
    /// What is there before the run: a part of the workload, and something that is nobody's business of ours.
    fn new(prefix: &str, mode: &str) -> Self {
        let stage = Stage::new(prefix);
        let meter = Arc::<Mutex<Meter>>::default();
        let look = || {
            let meter = meter.clone();
            move |seen: &Seen| meter.lock().unwrap().meets(seen)
        };
        let hub = Proxy::of(stage.us.cluster(), &account(&stage.us, "syncer"), look());
        let target = stage.way_to_eu(look());
        let ground = Ground { folder: tempfile::tempdir().unwrap(), meter, hub, _target: target, stage };
        ground.describe();
        let policy = json!({"acceptFrom": ["us"], "policy": {"actions": ALLOWED}});
        ground.stage.in_eu(&[tenant("eu", policy), connection("theirs", "theirs")]);
        let mut hub = ground.stage.eu_elsewhere();
        hub["spec"]["policy"] = json!({"actions": ALLOWED});
        let abc = ["a", "b", "c"].map(|key| connection(key, "api"));
        ground.stage.in_us(&abc);
        ground.stage.in_us(&[hub, integration("one", &["a", "b"]), integration("two", &["c"])]);
        let before = ground.cli(&["apply", "--yes"]);
        assert_eq!(before.0, 0, "{}", before.1);
        kubectl(&ground.stage.us, &["delete", "integration/two"]);
        let mut pruning = sync(mode);
        pruning["spec"]["prune"] = json!(true);
        ground.stage.in_us(&[
            connection("a", "api refresh"),
            connection("d", "api"),
            connection("e", "api"),
            definition("three-v1", "d"),
            defined("three", &["c", "d", "e"]),
            integration("four", &["e"]),
            pruning,
        ]);
        ground
    }

    /// The same tenants and sync for the command line.
    fn describe(&self) {
        let location = |name: &str, namespace: &str, accepts: &str| {
            format!(
                "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {name}}}\nspec:\n  acceptFrom: [{accepts}]\n  \
                 policy: {{actions: [Create, Update, Delete]}}\n  location: {{kubernetes: {{namespace: {namespace}, kubeconfig: {{context: {name}}}}}}}\n---\n"
            )
        };
        let mut pruning = sync("Apply");
        pruning["spec"]["prune"] = json!(true);
        let text = location("us", self.stage.us.name(), "")
            + &location("eu", self.stage.eu.name(), "us")
            + &pruning.to_string();
        fs::write(self.folder.path().join("all.yaml"), text).unwrap();
    }

    fn cli(&self, arguments: &[&str]) -> (i32, String) {
        let ways = [&self.stage.us, &self.stage.eu].map(|n| n.cluster().kubeconfig().display().to_string()).join(":");
        let mut command = Command::new(env!("CARGO_BIN_EXE_stablekey"));
        command.args(arguments).current_dir(self.folder.path()).env("KUBECONFIG", ways).env("NO_COLOR", "1");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout) + &text(&output.stderr))
    }

    fn syncer(&self) -> Replica {
        Replica::by(command(&self.stage.us, &self.hub.kubeconfig, &SYNCER))
    }

    fn meets(&self, number: usize, fate: Fate) {
        self.meter.lock().unwrap().trouble = Some((number, fate));
    }

    /// Waits until the process was heard for the last time, kills it and starts another.
    fn kill_and_start_again(&self, syncer: Replica, told: &Receiver<()>) -> Replica {
        // Where it needed fewer requests this time there is nothing to kill it after.
        if told.recv_timeout(LONG).is_ok() {
            drop(syncer);
            // Its Lease would be waited for: that another takes over by itself is tested elsewhere.
            kubectl(&self.stage.us, &["delete", "lease", "stablekey-syncer", "--ignore-not-found"]);
            self.meter.lock().unwrap().killed = false;
            return self.syncer();
        }
        syncer
    }

    /// The spec of every object and its record.
    fn content(&self) -> String {
        let columns = "-o=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.spec} {.metadata.annotations.stablekey\\.dev/wrote}{\"\\n\"}{end}";
        kubectl(&self.stage.eu, &["get", "components,connections,customercredentials,integrations", columns])
    }

    /// The end: as the engine says, as without trouble, each made once, nothing else touched.
    fn ends_well(&self, what: &str) -> String {
        until_stands(&self.stage, "eu", "InSync");
        until("nothing is left to do", || self.content().contains("Integration/four"));
        let (code, said) = self.cli(&["plan"]);
        assert_eq!(code, 0, "{what}: {said}");
        let mut made: BTreeMap<String, usize> = BTreeMap::new();
        let requests = self.stage.eu.audit().unwrap();
        for request in requests.iter().filter(|r| r.group == "stablekey.dev" && r.code == 201) {
            *made.entry(format!("{}/{}", request.resource, request.name)).or_default() += 1;
        }
        assert!(made.values().all(|count| *count == 1), "{what}: {made:?}");
        let touched = requests.iter().filter(|r| r.writes() && r.name == "theirs" && !r.agent.starts_with("kubectl"));
        assert_eq!(touched.count(), 0, "{what}");
        until("no approval is begun", || field(&self.stage.us, SYNC, ".status.approvals[*].left").is_empty());
        let waiting = ["get", "configmaps", "-l", "stablekey.dev/plan", "-o", "name"];
        until("no plan waits", || kubectl(&self.stage.us, &waiting).is_empty());
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

/// How many requests a run takes, and what is there in the end.
fn fair() -> &'static (usize, String) {
    static FAIR: OnceLock<(usize, String)> = OnceLock::new();
    FAIR.get_or_init(|| {
        let ground = Ground::new("fair", "Apply");
        let _syncer = ground.syncer();
        let content = ground.ends_well("without trouble");
        let seen = ground.meter.lock().unwrap().seen;
        (seen, content)
    })
}

/// Of so many requests those that are tried: all, or a sample that differs with `turn`.
fn tried(requests: usize, turn: usize) -> Vec<usize> {
    if std::env::var_os("SOAK").is_some() {
        return (1..=requests).collect();
    }
    let step = requests / SAMPLE;
    (0..SAMPLE).map(|number| 1 + (number * step + turn * step / 6) % requests).collect()
}

fn fate(trouble: Trouble, tell: &Sender<()>) -> Fate {
    match trouble {
        Trouble::KilledAfter => Fate::DoAndTell(tell.clone()),
        Trouble::AnswerLost => Fate::CutAfter,
        Trouble::Conflict => Fate::Say(StatusCode::CONFLICT, None),
        Trouble::Busy => Fate::Say(StatusCode::TOO_MANY_REQUESTS, Some("1")),
        Trouble::Broken => Fate::Say(StatusCode::INTERNAL_SERVER_ERROR, None),
        Trouble::WatchesCut => Fate::CutWatches,
    }
}

fn got_over(trouble: Trouble) {
    let (requests, expected) = fair();
    let tried = tried(*requests, trouble as usize);
    for number in &tried {
        let what = format!("{trouble:?}, request {number} of {requests}");
        let ground = Ground::new("counted", "Apply");
        let (tell, told) = channel();
        ground.meets(*number, fate(trouble, &tell));
        let mut syncer = ground.syncer();
        if let Trouble::KilledAfter = trouble {
            syncer = ground.kill_and_start_again(syncer, &told);
        }
        assert_eq!(ground.ends_well(&what), *expected, "{what}");
        drop(syncer);
    }
    eprintln!("{trouble:?}: {} of {requests} requests, each got over", tried.len());
}

#[test]
fn killed_after_any_request_and_started_again() {
    got_over(Trouble::KilledAfter);
}

#[test]
fn the_answer_to_any_request_lost_after_it_was_done() {
    got_over(Trouble::AnswerLost);
}

#[test]
fn a_conflict_in_the_place_of_any_answer() {
    got_over(Trouble::Conflict);
}

#[test]
fn a_server_that_is_busy_at_any_request() {
    got_over(Trouble::Busy);
}

#[test]
fn an_error_of_the_server_in_the_place_of_any_answer() {
    got_over(Trouble::Broken);
}

#[test]
fn every_watch_cut_at_any_request() {
    got_over(Trouble::WatchesCut);
}

/// "an approved plan killed half-way is finished by the same approval".
#[test]
fn an_approved_plan_that_is_killed_after_any_write_is_finished_by_the_same_approval() {
    let begin = || {
        let ground = Ground::new("approved", "Plan");
        let syncer = ground.syncer();
        until_stands(&ground.stage, "eu", "AwaitingApproval");
        looked_again(&ground.stage, SYNC, "now");
        // The writes in the target, from here on.
        let mut meter = ground.meter.lock().unwrap();
        meter.seen = 0;
        meter.counts = Some(|seen| seen.writes() && !seen.path.contains("/status"));
        drop(meter);
        (ground, syncer)
    };
    let approve = |ground: &Ground| {
        let digest = field(&ground.stage.us, SYNC, &of_target("eu", "digest"));
        kubectl(&ground.stage.us, &["annotate", SYNC, &format!("stablekey.dev/approve={digest}")]);
    };
    let (ground, syncer) = begin();
    approve(&ground);
    let expected = ground.ends_well("approved");
    let writes = ground.meter.lock().unwrap().seen;
    assert!(writes > 7, "{writes}");
    drop(syncer);
    let tried = tried(writes, 3);
    for number in &tried {
        let (ground, syncer) = begin();
        let (tell, told) = channel();
        ground.meets(*number, Fate::DoAndTell(tell));
        approve(&ground);
        let syncer = ground.kill_and_start_again(syncer, &told);
        let what = format!("approved, killed after write {number} of {writes}");
        assert_eq!(ground.ends_well(&what), expected, "{what}");
        drop(syncer);
    }
    eprintln!("approved and killed: {} of {writes} writes, each finished", tried.len());
}
