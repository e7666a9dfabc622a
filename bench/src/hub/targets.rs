//! One source and twenty targets: how soon a change is in each.

use super::{step, watches};
use crate::clusters::load::Load;
use crate::operator::process::Process;
use crate::operator::raw::{Client, Stamped, connections, connections_everywhere};
use crate::operator::test_env::{self, LONG, SYNC, apply, document, keys, new_value, policy, stamp, sync};
use crate::operator::{Latency, latencies};
use crate::report::{Figure, time};
use crate::{Outcome, generate};
use serde_json::{Value, json};
use stablekey::api::{Kind, Resource};
use stablekey::engine::model::item::ObjectId;
use stablekey::kubernetes::MANAGER;
use stablekey::kubernetes::paths::Paths;
use stablekey_clusters::{Namespace, shared_all};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

const TARGETS: usize = 20;
/// In the source, and in each target.
const RESOURCES: usize = 500;
/// Number of changes in a run; each is awaited in every target.
const SAMPLES: usize = 100;
const BAR: f64 = 1.2;
/// Watches of a source: Tenants, components, connections, integrations, ConfigMaps with definitions.
const OF_A_SOURCE: usize = 5;
/// Watches of a target: CustomerCredentials in addition.
const OF_A_TARGET: usize = OF_A_SOURCE + 1;
/// Watches of a hub: TenantSyncs, the Secret with kubeconfigs, and its Tenants.
const OF_A_HUB: usize = 3;

struct Targets {
    us: Namespace<'static>,
    there: Vec<Namespace<'static>>,
    source: Client,
    target: Client,
    keys: Vec<String>,
}

/// Measures how soon a change of the source is in every target, and counts the watches.
pub fn figures() -> Outcome<Vec<Figure>> {
    step("20 targets are prepared");
    let targets = Targets::prepare()?;
    let marks = (targets.us.cluster().mark()?, targets.there().cluster().mark()?);
    let process = Process::start("syncer", targets.us.cluster(), &[&targets.us])?;
    targets.settle()?;
    let all: Vec<&Namespace<'_>> = targets.there.iter().collect();
    let mut figures = vec![
        watches::figure("the syncer has open in 20 targets", &all, marks.1, OF_A_TARGET)?,
        watches::figure(
            "it has open in its hub, which is a source too",
            &[&targets.us],
            marks.0,
            OF_A_SOURCE + OF_A_HUB,
        )?,
    ];
    step("20 targets: changes");
    let ours = latencies(|| targets.change(SAMPLES))?;
    drop(process);
    step("20 targets: changes by a plain client");
    let raw = latencies(|| targets.relay(SAMPLES))?;
    let figure = |share: &str, of: fn(&Latency) -> Duration| {
        let what = format!("one change in the source → in each of {TARGETS} targets, {share}");
        let (ours, raw) = (of(&ours), of(&raw));
        let against = format!("one watch event and the same {TARGETS} PATCHes {}", time(raw));
        Figure::beside(what, time(ours), against, ours.as_secs_f64() / raw.as_secs_f64(), BAR)
    };
    figures.extend([figure("p50", |latency| latency.half), figure("p99", |latency| latency.most)]);
    Ok(figures)
}

impl Targets {
    /// Prepares a source with everything, and targets with components.
    fn prepare() -> Outcome<Self> {
        let [us, eu] = shared_all(["bench-us", "bench-eu"]);
        let here = us.namespace("hub");
        let there: Vec<Namespace<'static>> = (0..TARGETS).map(|_| eu.namespace("one-of-many")).collect();
        let resources = generate::resources(RESOURCES);
        let keys = keys(&resources).collect();
        Load::on(us.kubeconfig())?.create(&resources, here.name(), 64)?;
        let components: Vec<Resource> = resources.into_iter().filter(|r| r.kind() == Kind::Component).collect();
        let kubeconfig = std::fs::read_to_string(eu.kubeconfig())?;
        let policy = policy();
        let (mut kubeconfigs, mut objects) = (BTreeMap::new(), vec![document("Tenant", "us", json!({}))]);
        let names: Vec<String> = (0..TARGETS).map(|number| format!("eu-{number:02}")).collect();
        for (name, namespace) in names.iter().zip(&there) {
            Load::on(eu.kubeconfig())?.create(&components, namespace.name(), 64)?;
            apply(namespace, &[document("Tenant", name, json!({"acceptFrom": ["us"], "policy": policy}))])?;
            kubeconfigs.insert(name, &kubeconfig);
            let reference = json!({"secretRef": {"name": "stablekey-kubeconfigs", "key": name}});
            let location = json!({"kubernetes": {"namespace": namespace.name(), "kubeconfig": reference}});
            objects.push(document("Tenant", name, json!({"location": location, "policy": policy})));
        }
        let metadata = json!({"name": "stablekey-kubeconfigs"});
        objects.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": kubeconfigs}));
        objects.push(sync(SYNC, &names.iter().map(String::as_str).collect::<Vec<_>>()));
        apply(&here, &objects)?;
        Ok(Targets { source: Client::of(us)?, target: Client::of(eu)?, us: here, there, keys })
    }

    fn there(&self) -> &Namespace<'static> {
        &self.there[0]
    }

    /// Waits until every target is in sync.
    fn settle(&self) -> Outcome<()> {
        test_env::until(&self.source, self.us.name(), SYNC, |status| {
            let states = status["targets"].as_array().map_or(&[][..], Vec::as_slice);
            states.len() == TARGETS && states.iter().all(|target| target["state"] == "InSync")
        })
    }

    /// Changes one connection at a time; returns how long each takes to reach each target.
    fn change(&self, samples: usize) -> Outcome<Vec<Duration>> {
        let paths = Paths::of(self.there().name());
        let (told, _following) = self.target.watch_timed(&paths, connections_everywhere())?;
        let mut took = Vec::with_capacity(samples * TARGETS);
        for number in 0..samples {
            let change = self.set(number)?;
            took.extend(self.arrivals(&told, &change, Instant::now())?);
        }
        Ok(took)
    }

    /// The same with a client that sends only the PATCHes that the syncer sent.
    fn relay(&self, samples: usize) -> Outcome<Vec<Duration>> {
        let (here, there) = (Paths::of(self.us.name()), Paths::of(self.there().name()));
        let mut bodies = self.bodies()?;
        let (heard, _hearing) = self.source.watch(&here, connections(&here))?;
        let (told, _following) = self.target.watch_timed(&there, connections_everywhere())?;
        let mut took = Vec::with_capacity(samples * TARGETS);
        for number in 0..samples {
            let change = self.set(number)?;
            let changed = Instant::now();
            while heard.recv_timeout(LONG)? != change {}
            let (name, value) = &change;
            let patches = bodies.get_mut(name).ok_or("nothing is known of it")?;
            patches.iter_mut().for_each(|(_, body)| body["spec"]["inputs"]["stamp"] = json!({"value": value}));
            self.target.apply_all(patches, MANAGER, TARGETS)?;
            took.extend(self.arrivals(&told, &change, changed)?);
        }
        Ok(took)
    }

    /// Sets a connection of the source to a new value.
    fn set(&self, number: usize) -> Outcome<Stamped> {
        let name = self.keys.get(number % self.keys.len()).cloned().unwrap_or_default();
        let (id, value) = (ObjectId::new(Kind::Connection, name), new_value(number));
        self.source.patch(&Paths::of(self.us.name()).object(&id), &stamp(&value))?;
        Ok((id.name, value))
    }

    /// Returns how long a change takes to be reported by each target.
    fn arrivals(
        &self,
        told: &Receiver<(Instant, Stamped)>,
        (name, value): &Stamped,
        changed: Instant,
    ) -> Outcome<Vec<Duration>> {
        let mut missing: BTreeSet<String> =
            self.there.iter().map(|namespace| format!("{}/{name}", namespace.name())).collect();
        let mut took = Vec::with_capacity(TARGETS);
        while !missing.is_empty() {
            let (at, (name, now)) = told.recv_timeout(LONG)?;
            if now == *value && missing.remove(&name) {
                took.push(at.saturating_duration_since(changed));
            }
        }
        Ok(took)
    }

    /// Returns what the syncer sends to each target, by connection.
    fn bodies(&self) -> Outcome<BTreeMap<String, Vec<(String, Value)>>> {
        let load = Load::on(self.there().cluster().kubeconfig())?;
        let mut bodies: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
        for namespace in &self.there {
            let paths = Paths::of(namespace.name());
            for (name, body) in load.bodies(namespace.name())? {
                let mut body: Value = serde_json::from_slice(&body)?;
                // The create had a resource version that requires the absence of the object.
                body["metadata"].as_object_mut().and_then(|metadata| metadata.remove("resourceVersion"));
                let path = paths.object(&ObjectId::new(Kind::Connection, &name));
                bodies.entry(name).or_default().push((path, body));
            }
        }
        Ok(bodies)
    }
}
