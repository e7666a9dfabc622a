//! 200 connections, 50 integrations and three clusters: edits continue while API servers are restarted and one is
//! frozen.

use crate::controller::binder::env::{CANARY, app, component, global, integration, with};
use crate::controller::syncer::env::{TestEnv, apply, kubectl, remote_tenant, sync_to, tenant, until_target_state};
use serde_json::{Value, json};
use stablekey_clusters::{Namespace, run, run_with_input, shared_all};
use stablekey_testing::objects::list;
use stablekey_testing::replica::{Replica, until};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const CONNECTIONS: usize = 200;
const INTEGRATIONS: usize = 50;
/// Integrations that are deleted, one per round.
const LEAVING: usize = 6;
/// Number of connections that change in a round.
const CHANGED: usize = 10;
const BINDER: [&str; 6] = ["--role", "binder", "--lease-duration", "3s", "--request-timeout", "3s"];

/// The desired state of the source: the note of every connection, and the binding of each integration.
#[derive(Clone, Default)]
struct Declared {
    connections: BTreeMap<String, String>,
    integrations: BTreeMap<String, Vec<String>>,
}

impl Declared {
    fn first() -> Self {
        let mut declared = Declared::default();
        for number in 0..CONNECTIONS {
            declared.connections.insert(format!("c{number:03}"), "first".into());
        }
        let all = (0..INTEGRATIONS).map(|n| format!("i{n:02}")).chain((0..LEAVING).map(|n| format!("leaving-{n}")));
        for (number, name) in all.enumerate() {
            let keys = (0..4).map(|more| format!("c{:03}", (number * 4 + more) % CONNECTIONS));
            declared.integrations.insert(name, keys.collect());
        }
        declared
    }

    fn connection(&self, key: &str) -> Value {
        with(global(key), "/spec/inputs/note", json!({"value": self.connections[key]}))
    }

    fn integration(&self, name: &str) -> Value {
        integration(name, &self.integrations[name].iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn all(&self) -> Vec<Value> {
        let connections = self.connections.keys().map(|key| self.connection(key));
        connections.chain(self.integrations.keys().map(|name| self.integration(name))).collect()
    }

    /// Edits one round: changes connections, adds one with an integration that uses it, and deletes one integration.
    fn edit(&mut self, round: usize) -> (Vec<Value>, Option<String>) {
        let mut keys: BTreeSet<String> =
            (0..CHANGED).map(|n| format!("c{:03}", (round * 7 + n * 13) % CONNECTIONS)).collect();
        let (new, user) = (format!("new-{round:03}"), format!("i{:02}", round % INTEGRATIONS));
        self.integrations.get_mut(&user).unwrap().push(new.clone());
        keys.insert(new);
        for key in &keys {
            self.connections.insert(key.clone(), format!("round {round}"));
        }
        let changed = keys.iter().map(|key| self.connection(key)).chain([self.integration(&user)]).collect();
        let leaving = format!("leaving-{round}");
        (changed, self.integrations.remove(&leaving).map(|_| leaving))
    }

    /// Reads the same from a namespace, without objects that Stablekey does not manage.
    fn of(namespace: &Namespace<'_>) -> Option<Self> {
        let text = run(namespace.kubectl().args(["get", "connections,integrations", "-o", "json"])).ok()?;
        let list: Value = serde_json::from_str(&text).unwrap();
        let mut there = Declared::default();
        for item in list["items"].as_array().unwrap().iter().filter(|item| item["metadata"]["name"] != THEIRS) {
            let name = item["metadata"]["name"].as_str().unwrap().to_string();
            if item["kind"] == "Connection" {
                let note = item["spec"]["inputs"]["note"]["value"].as_str().unwrap_or_default();
                there.connections.insert(name, note.to_string());
            } else {
                let keys = item["spec"]["connections"].as_array().unwrap().iter();
                let keys = keys.map(|variable| variable["stableKey"].as_str().unwrap_or_default().to_string());
                there.integrations.insert(name, keys.collect());
            }
        }
        Some(there)
    }

    /// Describes the differences.
    fn differs(&self, there: &Self) -> Option<String> {
        let connections = self.connections != there.connections;
        let of = |all: &BTreeMap<String, Vec<String>>| all.iter().map(|(k, v)| format!("{k} {v:?}")).collect();
        let (these, those): (BTreeSet<String>, BTreeSet<String>) = (of(&self.integrations), of(&there.integrations));
        let first = these.symmetric_difference(&those).next();
        let one = self.connections.iter().find(|(key, note)| there.connections.get(*key) != Some(note));
        (connections || first.is_some()).then(|| format!("{one:?} {first:?}"))
    }
}

/// A connection in each target that Stablekey does not manage.
const THEIRS: &str = "theirs";

/// Retries until it succeeds, because the API server may be down.
fn retry(what: &str, mut asks: impl FnMut() -> Result<String, stablekey_clusters::Error>) {
    until(what, || asks().is_ok());
}

#[test]
fn edits_continue_while_one_cluster_is_frozen_and_nothing_is_lost() {
    let [us, eu, ap] = shared_all(["restarts-us", "restarts-eu", "restarts-ap"]);
    let env = TestEnv::on("amid", us, eu);
    let west = env.target("ap", ap);
    let there = [&env.eu, &west];
    // More edits than would pass without approval.
    let policy = json!({"actions": ["Create", "Update", "Delete"], "approval": {"percent": 100, "from": 100_000}});
    for (name, namespace) in ["eu", "ap"].into_iter().zip(there) {
        let accepts = tenant(name, json!({"acceptFrom": ["us"], "policy": policy}));
        apply(namespace, &[accepts, component(), app(), global(THEIRS)]);
        let mut in_hub = remote_tenant(name, namespace);
        in_hub["spec"]["policy"] = policy.clone();
        env.in_us(&[in_hub]);
    }
    let mut sync = sync_to(&["eu", "ap"], "Apply");
    sync["spec"]["prune"] = json!(true);
    let mut declared = Declared::first();
    env.in_us(&[component(), app()]);
    env.in_us(&declared.all());
    env.in_us(&[sync.clone()]);
    let mut replicas = vec![env.syncer()];
    replicas.extend([&env.us, there[0], there[1]].map(|namespace| Replica::start(namespace, &BINDER)));
    until_target_state(&env, "eu", "InSync");
    until_target_state(&env, "ap", "InSync");

    let (rounds, ends) = (AtomicUsize::new(0), AtomicBool::new(false));
    let more = |count: usize| {
        let before = rounds.load(Ordering::SeqCst);
        until("edits go on", || rounds.load(Ordering::SeqCst) >= before + count);
    };
    std::thread::scope(|scope| {
        let editor = scope.spawn(|| {
            while !ends.load(Ordering::SeqCst) {
                let (changed, gone) = declared.edit(rounds.load(Ordering::SeqCst));
                let list = list(&changed).to_string();
                let flags = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
                retry("it is edited", || run_with_input(env.us.kubectl().args(flags), &list));
                if let Some(name) = gone {
                    let flags = ["delete", "integration", &name, "--ignore-not-found"];
                    retry("it is removed", || run(env.us.kubectl().args(flags)));
                }
                rounds.fetch_add(1, Ordering::SeqCst);
            }
        });
        // Stops the editor at the end of the test, even after a panic.
        let _ends = OnDrop(|| ends.store(true, Ordering::SeqCst));
        more(2);
        ap.pause().unwrap();
        // The other targets do not wait for the frozen one.
        for _ in 0..2 {
            let latest = format!("new-{:03}", rounds.load(Ordering::SeqCst));
            until("it comes to the other", || {
                run(env.eu.kubectl().args(["get", "connection", &latest, "-o", "name"])).is_ok()
            });
        }
        eu.restart_apiserver().unwrap();
        more(2);
        us.restart_apiserver().unwrap();
        more(2);
        ap.resume().unwrap();
        ap.restart_apiserver().unwrap();
        more(2);
        ends.store(true, Ordering::SeqCst);
        editor.join().unwrap();
    });

    for (name, namespace) in ["eu", "ap"].into_iter().zip(there) {
        until(format!("{name} has all of it"), || {
            let now = Declared::of(namespace);
            let differs = now.map_or(Some("not read".into()), |now| declared.differs(&now));
            differs.inspect(|differs| eprintln!("{name}: {differs}")).is_none()
        });
        until_target_state(&env, name, "InSync");
        // Every binding Secret has the current value of its connection, and everything is ready.
        until(format!("{name} is bound"), || bound(namespace).as_ref() == Some(&declared.connections));
        let ready = "jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}";
        until("all are ready", || {
            let ready = kubectl(namespace, &["get", "integrations", "-o", ready]);
            ready.split(' ').all(|status| status == "True") && ready.split(' ').count() == INTEGRATIONS
        });
        let requests = namespace.audit().unwrap();
        let user = format!("system:serviceaccount:{}:stablekey-target", namespace.name());
        let mut made: BTreeMap<String, usize> = BTreeMap::new();
        for request in requests.iter().filter(|r| r.user == user && r.code == 201) {
            *made.entry(format!("{}/{}", request.resource, request.name)).or_default() += 1;
        }
        assert!(made.len() > CONNECTIONS && made.values().all(|count| *count == 1), "{made:?}");
        assert!(!requests.iter().any(|r| r.user == user && r.writes() && r.name == THEIRS));
    }
    let said = plan(&env, there, &sync);
    assert!(said.0 == 0, "{}", said.1);
    for (replica, namespace) in replicas.iter_mut().zip([&env.us, &env.us, there[0], there[1]]) {
        let metrics = replica.get("/metrics").body;
        // A refusal by an API server that has not loaded its Roles yet does not count as a failure.
        assert!(!metrics.contains("code=\"Forbidden\""), "{metrics}");
        replica.signal("-TERM");
        assert!(replica.end().success());
        let all = "stablekey,configmaps,leases,events.events.k8s.io";
        let objects = kubectl(namespace, &["get", all, "-o", "yaml", "--show-managed-fields"]);
        for text in [replica.log.join("\n"), metrics, objects, said.1.clone()] {
            assert!(!text.contains(CANARY), "{text}");
        }
    }
    eprintln!("{} rounds of edits", rounds.load(Ordering::SeqCst));
    // Stops the clusters, which other tests do not need.
    for cluster in [us, eu, ap] {
        cluster.kill_apiserver().unwrap();
    }
}

/// Returns the note in the binding Secret of every copied connection.
fn bound(namespace: &Namespace<'_>) -> Option<BTreeMap<String, String>> {
    let get = ["get", "secrets", "-l", "stablekey.dev/for=binding", "-o", "json"];
    let list: Value = serde_json::from_str(&run(namespace.kubectl().args(get)).ok()?).unwrap();
    let note = |secret: &Value| {
        let data: BTreeMap<String, k8s_openapi::ByteString> = serde_json::from_value(secret["data"].clone()).unwrap();
        assert_eq!(data["password"].0, CANARY.as_bytes());
        let name = secret["metadata"]["name"].as_str().unwrap().strip_suffix(".binding").unwrap().to_string();
        (name, data.get("note").map(|note| String::from_utf8(note.0.clone()).unwrap()).unwrap_or_default())
    };
    let all = list["items"].as_array().unwrap().iter().map(note);
    Some(all.filter(|(name, _)| name != THEIRS).collect())
}

/// Returns what the command line, which has the same engine, would do.
fn plan(env: &TestEnv, there: [&Namespace<'_>; 2], sync: &Value) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let location = |name: &str, namespace: &Namespace<'_>, accepts: Value| {
        let context = namespace.cluster().name();
        let location = json!({"kubernetes": {"namespace": namespace.name(), "kubeconfig": {"context": context}}});
        let policy = json!({"actions": ["Create", "Update", "Delete"]});
        tenant(name, json!({"acceptFrom": accepts, "location": location, "policy": policy})).to_string() + "\n---\n"
    };
    let text = location("us", &env.us, json!([]))
        + &location("eu", there[0], json!(["us"]))
        + &location("ap", there[1], json!(["us"]))
        + &sync.to_string();
    std::fs::write(folder.path().join("all.yaml"), text).unwrap();
    let ways = [&env.us, there[0], there[1]].map(|n| n.cluster().kubeconfig().display().to_string()).join(":");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stablekey"));
    command.arg("plan").current_dir(folder.path()).env("KUBECONFIG", ways).env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout) + &text(&output.stderr))
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
