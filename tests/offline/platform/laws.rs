//! Laws of writes, on every pair of positions of the fake's switches: a plan after an apply is empty, nothing is touched
//! that the plan does not name, and an apply that is killed anywhere ends as one that is not.

use super::{Workplace, with};
use proptest::sample::subsequence;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use stablekey_platform::{Fault, Region, Server, Store, Switches};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// A change of the source.
type Edit = fn(&Workplace);

/// The changes that a source may have, each independent of the others.
const EDITS: [(&str, Edit); 11] = [
    ("a new connection", |ours| {
        ours.write("us-prod/connections/archive.yaml", &copy(ours, "warehouse", "archive"));
    }),
    ("a new connection of customers", |ours| {
        ours.write("us-prod/connections/crm-2.yaml", &copy(ours, "salesforce-crm", "crm-2"));
    }),
    ("a new connection of users", |ours| {
        ours.write("us-prod/connections/chat.yaml", &copy(ours, "slack-personal", "chat"));
    }),
    ("a title", |ours| ours.replace("us-prod/connections/warehouse.yaml", "title: Warehouse", "title: Data warehouse")),
    ("a value", |ours| ours.replace("us-prod/connections/warehouse.yaml", "value: exporter", "value: reader")),
    ("a description", |ours| {
        ours.replace("us-prod/connections/acme-erp.yaml", "description: Our own ERP", "description: The ERP");
    }),
    ("a value that customers inherit", |ours| {
        ours.replace("us-prod/connections/salesforce-crm.yaml", "value: api refresh_token", "value: api");
    }),
    ("a binding", |ours| {
        ours.replace("us-prod/integrations/order-sync.yaml", "stableKey: acme-erp", "stableKey: warehouse");
    }),
    ("a definition", |ours| {
        let file = "us-prod/integrations/order-sync.definition";
        let text = ours.read(file);
        assert!(text.contains("*/5 * * * *"), "{text}");
        ours.write(file, &text.replace("*/5 * * * *", "*/7 * * * *"));
    }),
    ("credentials for tests", |ours| {
        let file = "us-prod/connections/warehouse.yaml";
        let yaml = ours.read(file);
        ours.write(file, &format!("{yaml}  test:\n    inputs:\n      username:\n        value: tester\n"));
    }),
    ("credentials of a customer", |ours| {
        ours.write(
            "us-prod/credentials/of-one.yaml",
            "apiVersion: stablekey.dev/v1alpha1\nkind: CustomerCredentials\nmetadata: {name: of-one}\nspec:\n  customer: \
             Hooli\n  connection: slack-notifications\n  name: second\n  inputs:\n    isUser: {value: \"true\"}\n",
        );
    }),
];

/// A copy of a connection under another stable key.
fn copy(ours: &Workplace, key: &str, other: &str) -> String {
    let yaml = ours.read(&format!("us-prod/connections/{key}.yaml"));
    yaml.replace(&format!("stableKey: {key}"), &format!("stableKey: {other}"))
        .replace(&format!("  name: {key}\nspec"), &format!("  name: {other}\nspec"))
}

/// A tenant that was imported, with all secrets that its source names.
fn imported(server: &Server) -> Workplace {
    let ours = Workplace::with_profiles(&[("us", server)]);
    ours.import("us-prod", server, "us").exits(0);
    let mut secrets: Vec<(String, String)> = Vec::new();
    for file in std::fs::read_dir(ours.root().join("us-prod/connections")).unwrap() {
        let yaml = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let named = yaml.split("secretRef:").skip(1).filter_map(|rest| {
            let of = |word: &str| Some(rest.split_once(word)?.1.lines().next()?.trim().to_string());
            Some(format!("{}/{}", of("name: ")?, of("key: ")?))
        });
        secrets.extend(named.map(|name| (name.clone(), format!("secret of {name}"))));
    }
    let secrets: Vec<(&str, &str)> = secrets.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
    ours.secrets("us-prod", &secrets);
    ours
}

/// Some of the edits, the same ones in each run for a number.
fn some_edits(number: u8) -> Vec<(&'static str, Edit)> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[number; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    subsequence(EDITS.to_vec(), 2..=5).new_tree(&mut runner).unwrap().current()
}

/// Everything that an organization has of ours, without ids and times.
fn content(store: &Store) -> BTreeMap<String, Value> {
    let inputs = |inputs: &[stablekey_platform::store::Expression]| -> Value {
        let sorted: BTreeMap<&str, Value> =
            inputs.iter().map(|input| (input.name.as_str(), json!([input.value, input.meta]))).collect();
        json!(sorted)
    };
    let mut content = BTreeMap::new();
    for found in store.connections.iter().filter(|found| found.parent.is_none()) {
        let value = json!([found.key, found.description, format!("{:?}", found.scope), inputs(&found.inputs)]);
        content.insert(format!("Connection/{}", found.stable_key), value);
    }
    for found in &store.credentials {
        let connection = store.connection(&found.connection).unwrap();
        let whose = if found.is_test { "tests".to_string() } else { format!("{:?} {:?}", found.customer, found.key) };
        content.insert(format!("CustomerCredentials/{} {whose}", connection.stable_key), inputs(&found.inputs));
    }
    for found in &store.integrations {
        content.insert(
            format!("Integration/{} {:?}", found.name, found.customer),
            json!([found.draft.text, found.versions.len()]),
        );
    }
    content
}

/// The words that a plan may name a changed object by.
fn planned(ours: &Workplace) -> BTreeSet<String> {
    let output = ours.command(&["plan", "--allow-loopback", "-o", "json"]).output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let actions = plan["targets"].as_array().unwrap().iter().flat_map(|target| target["actions"].as_array().unwrap());
    actions.map(|action| action["id"].as_str().unwrap().trim_start_matches("us-prod/").to_string()).collect()
}

/// Approves and applies all that is planned.
fn apply(ours: &Workplace) {
    let file = ours.home().join("plan.json");
    let file = file.to_str().unwrap();
    ours.run(&["plan", "--allow-loopback", "--out", file]);
    ours.run(&["apply", "--allow-loopback", "--plan", file]);
}

#[test]
fn a_plan_after_an_apply_is_empty_and_nothing_else_is_touched() {
    let rows: Vec<Switches> = Switches::pairs().collect();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let rows = &rows;
            scope.spawn(move || {
                for (number, row) in rows.iter().enumerate().filter(|(number, _)| number % 2 == half) {
                    let us = with(Region::Us, *row);
                    let ours = imported(&us);
                    let before = us.read(content);
                    let edits = some_edits(u8::try_from(number).unwrap());
                    let names: Vec<&str> = edits.iter().map(|(name, _)| *name).collect();
                    edits.iter().for_each(|(_, edit)| edit(&ours));
                    let named = planned(&ours);
                    assert!(!named.is_empty(), "{names:?}");
                    apply(&ours);
                    let after = us.read(content);
                    let keys = before.keys().chain(after.keys());
                    let touched: BTreeSet<&String> = keys.filter(|key| before.get(*key) != after.get(*key)).collect();
                    for touched in touched {
                        let is_named = named.iter().any(|named| is_part_of(touched, named));
                        assert!(is_named, "{names:?} {row:?}: {touched} changed, and the plan names {named:?}");
                    }
                    assert_eq!(planned(&ours), BTreeSet::new(), "{names:?} {row:?}");
                }
            });
        }
    });
}

/// Whether what changed belongs to an object of the plan.
fn is_part_of(touched: &str, named: &str) -> bool {
    let (kind, name) = named.split_once('/').unwrap();
    match kind {
        "Integration" => touched.to_lowercase().replace(' ', "-").starts_with(&format!("integration/{name}")),
        "CustomerCredentials" => touched.starts_with("CustomerCredentials/slack-notifications "),
        _ => touched == named || touched == format!("CustomerCredentials/{name} tests"),
    }
}

/// "killed after each request and each push": whatever was done, the next apply ends as if nothing had happened.
#[test]
fn an_apply_that_is_killed_anywhere_ends_the_same() {
    let whole = || {
        let us = with(Region::Us, Switches::default());
        let ours = imported(&us);
        EDITS.iter().for_each(|(_, edit)| edit(&ours));
        us.take_requests();
        (us, ours)
    };
    let (us, ours) = whole();
    apply(&ours);
    let expected = us.read(content);
    let requests = us.take_requests();
    // From the second reading, which the apply begins with.
    let first = requests.iter().position(|request| request.writes).unwrap() - 1;
    let last = requests.iter().rposition(|request| request.writes).unwrap() + 2;
    assert!(requests.iter().filter(|request| request.writes).count() >= EDITS.len() - 1);
    let positions: Vec<usize> = (first..=last).collect();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (positions, expected) = (&positions, &expected);
            scope.spawn(move || {
                for (turn, position) in positions.iter().enumerate().filter(|(turn, _)| turn % 2 == half) {
                    let (us, ours) = whole();
                    let file = ours.home().join("plan.json");
                    let file = file.to_str().unwrap();
                    ours.run(&["plan", "--allow-loopback", "--out", file]);
                    let planning = us.take_requests().len();
                    let running = Arc::new(Mutex::new(None));
                    let kill = kill(&running);
                    // Before the request is carried out, or after.
                    let fault =
                        if turn % 4 < 2 { Fault::between(move |_| kill()) } else { Fault::edited(move |_| kill()) };
                    us.fault_after(position - planning, fault);
                    let mut lock = running.lock().unwrap();
                    let mut apply = ours.command(&["apply", "--allow-loopback", "--plan", file]);
                    let mut child = apply.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                    *lock = Some(child.id());
                    drop(lock);
                    let ended = child.wait().unwrap();
                    assert!(ended.code().is_none(), "it was not killed at request {position}");
                    us.clear_faults();
                    super::laws::apply(&ours);
                    assert_eq!(us.read(content), *expected, "killed at request {position}");
                    assert_eq!(planned(&ours), BTreeSet::new(), "killed at request {position}");
                }
            });
        }
    });
}

/// Ends the process with this number, at once.
fn kill(running: &Arc<Mutex<Option<u32>>>) -> impl FnOnce() + Send + use<> {
    let running = Arc::clone(running);
    move || {
        let process = running.lock().unwrap().unwrap();
        assert!(Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
    }
}

/// "two runs at once through one record: one writes, the other says who".
#[test]
fn of_two_runs_at_once_one_writes() {
    let us = with(Region::Us, Switches::default());
    let ours = Arc::new(imported(&us));
    EDITS[0].1(&ours);
    us.take_requests();
    let second = Arc::clone(&ours);
    let (said, heard) = std::sync::mpsc::channel();
    us.fault_on(
        "StablekeyCreateConnection",
        0,
        Fault::edited(move |_| {
            let output = second.command(&["apply", "--yes", "--allow-loopback"]).output().unwrap();
            said.send(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()).unwrap();
        }),
    );
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    let said = heard.recv().unwrap();
    assert!(said.contains("writes to us-prod since") || said.contains("us-prod ("), "{said}");
    let writes = us.take_requests().into_iter().filter(|request| request.writes).count();
    assert_eq!(writes, 1, "{said}");
    ours.plan(&[]).exits(0);
}

/// "without a shared record a doubled key is shown, errors on both, written to neither".
#[test]
fn without_a_shared_record_a_doubled_key_is_shown() {
    let us = with(Region::Us, Switches { unique_keys: false, ..Switches::default() });
    // Two machines, each with a record of its own.
    let (ours, theirs) = (imported(&us), imported(&us));
    EDITS[0].1(&ours);
    EDITS[0].1(&theirs);
    us.fault_on(
        "StablekeyCreateConnection",
        0,
        Fault::between(|store| {
            let mut other = store.connections.iter().find(|found| found.stable_key == "warehouse").unwrap().clone();
            (other.id, other.stable_key) = ("other".to_string(), "archive".to_string());
            // It is made a moment later than ours.
            other.created += 1_000_000;
            store.connections.push(other);
        }),
    );
    let applied = ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1);
    applied.prints("somebody else made a connection with this key at the same time");
    us.take_requests();
    for place in [&ours, &theirs] {
        place.plan(&[]).exits(1).prints("SK0125").prints("archive");
        place.run(&["apply", "--yes", "--allow-loopback"]).exits(1);
    }
    assert!(us.take_requests().iter().all(|request| !request.writes));
}

/// Of two at once, the younger goes where this run made it.
#[test]
fn of_two_with_one_key_the_younger_of_ours_goes() {
    let us = with(Region::Us, Switches { unique_keys: false, ..Switches::default() });
    let ours = imported(&us);
    EDITS[0].1(&ours);
    us.fault_on(
        "StablekeyCreateConnection",
        0,
        Fault::between(|store| {
            let mut other = store.connections.iter().find(|found| found.stable_key == "warehouse").unwrap().clone();
            (other.id, other.stable_key) = ("other".to_string(), "archive".to_string());
            store.connections.push(other);
        }),
    );
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1).prints("was changed since it was planned");
    let left = us.read(|store| {
        let left = store.connections.iter().filter(|found| found.stable_key == "archive");
        left.map(|found| found.id.clone()).collect::<Vec<_>>()
    });
    assert_eq!(left, ["other"]);
}
