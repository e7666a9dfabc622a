//! Two clusters: the hub and source in one, the target in the other, and the same content in both.

use super::process::Process;
use super::raw::{Client, Stamped, connections};
use crate::clusters::load::Load;
use crate::{Outcome, generate};
use serde_json::{Value, json};
use stablekey::api::{Kind, Resource};
use stablekey::engine::model::item::ObjectId;
use stablekey::kubernetes::list::PAGE;
use stablekey::kubernetes::paths::Paths;
use stablekey_clusters::audit::{Request, span};
use stablekey_clusters::{Namespace, run_with_input, shared_all};
use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub const SYNC: &str = "us-to-eu";
pub const LONG: Duration = Duration::from_secs(300);

/// Everything that a measurement needs.
pub struct Stage {
    /// The hub and source.
    pub us: Namespace<'static>,
    /// The target.
    pub eu: Namespace<'static>,
    /// Another source and target, small.
    other: [Namespace<'static>; 2],
    /// The administrator of the source's cluster.
    pub source: Client,
    /// The administrator of the target's cluster.
    pub target: Client,
    keys: Vec<String>,
    key_elsewhere: String,
}

impl Stage {
    /// Brings the source and the hub there; the target is empty.
    pub fn prepare(resources: usize) -> Outcome<Self> {
        let [us, eu] = shared_all(["bench-us", "bench-eu"]);
        let stage = Stage {
            us: us.namespace("source"),
            eu: eu.namespace("target"),
            other: [us.namespace("other"), eu.namespace("other")],
            source: Client::of(us)?,
            target: Client::of(eu)?,
            keys: Vec::new(),
            key_elsewhere: String::new(),
        };
        let (resources, few) = (generate::resources(resources), generate::resources(30));
        let key_elsewhere = keys(&few).next().ok_or("nothing was generated")?;
        let stage = Stage { keys: keys(&resources).collect(), key_elsewhere, ..stage };
        Load::on(us.kubeconfig())?.create(&resources, stage.us.name(), 64)?;
        let components: Vec<Resource> = resources.into_iter().filter(|r| r.kind() == Kind::Component).collect();
        Load::on(eu.kubeconfig())?.create(&components, stage.eu.name(), 64)?;
        stage.tenants(&stage.us, &stage.eu)?;
        let [other_us, other_eu] = &stage.other;
        Load::on(us.kubeconfig())?.create(&few, other_us.name(), 64)?;
        stage.tenants(other_us, other_eu)?;
        Ok(stage)
    }

    /// The Tenants and the sync of a pair of namespaces, in the first and, the target's own, in the second.
    fn tenants(&self, from: &Namespace<'_>, to: &Namespace<'_>) -> Outcome<()> {
        let kubeconfig = std::fs::read_to_string(to.cluster().kubeconfig())?;
        let reference = json!({"secretRef": {"name": "eu", "key": "value"}});
        let location = json!({"kubernetes": {"namespace": to.name(), "kubeconfig": reference}});
        let policy = policy();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "eu"}, "stringData": {"value": kubeconfig},
        });
        apply(to, &[document("Tenant", "eu", json!({"acceptFrom": ["us"], "policy": policy}))])?;
        apply(
            from,
            &[
                secret,
                document("Tenant", "us", json!({})),
                document("Tenant", "eu", json!({"location": location, "policy": policy})),
                sync(SYNC, &["eu"]),
            ],
        )
    }

    /// Starts the operator.
    pub fn start(&self) -> Outcome<Process> {
        self.start_logging("warn")
    }

    /// The same, with a log of this level.
    pub fn start_logging(&self, level: &str) -> Outcome<Process> {
        Process::start_logging(level, "syncer", self.us.cluster(), &[&self.us, &self.other[0]])
    }

    /// Waits until everything is as declared.
    pub fn settle(&self) -> Outcome<()> {
        for namespace in [&self.us, &self.other[0]] {
            self.until(namespace, |status| status["targets"][0]["state"] == "InSync")?;
        }
        Ok(())
    }

    fn until(&self, namespace: &Namespace<'_>, holds: impl Fn(&Value) -> bool) -> Outcome<()> {
        until(&self.source, namespace.name(), SYNC, holds)
    }

    /// Asks for a look at everything, and waits until it was.
    pub fn look_at_everything(&self) -> Outcome<()> {
        let request = self.request()?;
        self.until(&self.us, |status| status["lastHandledReconcileAt"] == request)
    }

    /// Asks for a look at everything: what a status that answers it says.
    fn request(&self) -> Outcome<String> {
        let request = format!("{:?}", Instant::now());
        let annotation = json!({"metadata": {"annotations": {"stablekey.dev/requestedAt": request}}});
        let path = Paths::of(self.us.name()).object(&ObjectId::new(Kind::TenantSync, SYNC));
        self.source.patch(&path, &annotation)?;
        Ok(request)
    }

    /// Changes one connection of the source after the other, and how long each takes to be in the target.
    pub fn change(&self, samples: usize) -> Outcome<Vec<Duration>> {
        let there = Paths::of(self.eu.name());
        let (told, _following) = self.target.watch(&there, connections(&there))?;
        each(&told, samples, |number| Ok((self.set(number)?, Instant::now())))
    }

    /// The same, with a client that does nothing but send on what it is told.
    pub fn relay(&self, samples: usize) -> Outcome<Vec<Duration>> {
        let (here, there) = (Paths::of(self.us.name()), Paths::of(self.eu.name()));
        let (heard, _hearing) = self.source.watch(&here, connections(&here))?;
        let (told, _following) = self.target.watch(&there, connections(&there))?;
        each(&told, samples, |number| {
            let stamped = self.set(number)?;
            let changed = Instant::now();
            while heard.recv_timeout(LONG)? != stamped {}
            let (name, value) = &stamped;
            self.target.patch(&there.object(&ObjectId::new(Kind::Connection, name)), &stamp(value))?;
            Ok((stamped, changed))
        })
    }

    /// Changes a connection of the source to what it never was.
    fn set(&self, number: usize) -> Outcome<Stamped> {
        let (id, value) = self.change_of(number);
        self.source.patch(&Paths::of(self.us.name()).object(&id), &stamp(&value))?;
        Ok((id.name, value))
    }

    /// A connection, and a value that there was never before.
    fn change_of(&self, number: usize) -> (ObjectId, String) {
        let name = self.keys.get(number % self.keys.len()).cloned().unwrap_or_default();
        (ObjectId::new(Kind::Connection, name), new_value(number))
    }

    /// So many changes while the operator is held; then it is let go. How long it writes, and how long one
    /// change elsewhere takes meanwhile.
    pub fn burst(&self, process: &Process, changes: usize, in_flight: usize) -> Outcome<(Duration, Duration)> {
        let (here, there) = (Paths::of(self.us.name()), Paths::of(self.eu.name()));
        let changed: Vec<_> = (0..changes).map(|number| self.change_of(number)).collect();
        let patches: Vec<_> = changed.iter().map(|(id, value)| (here.object(id), stamp(value))).collect();
        // Of what is changed twice the last counts.
        let mut missing: BTreeMap<String, String> = changed.into_iter().map(|(id, value)| (id.name, value)).collect();
        let (told, _following) = self.target.watch(&there, connections(&there))?;
        let [other_us, other_eu] = &self.other;
        let other_there = Paths::of(other_eu.name());
        let (elsewhere, _too) = self.target.watch(&other_there, connections(&other_there))?;
        let mark = self.eu.cluster().mark()?;
        process.signal("-STOP")?;
        let sent = self.source.patch_all(&patches, in_flight);
        process.signal("-CONT")?;
        sent?;
        let (name, first) = told.recv_timeout(LONG)?;
        let is_new = |missing: &BTreeMap<String, String>, name: &str, value: &str| {
            missing.get(name).is_some_and(|awaited| awaited == value)
        };
        if is_new(&missing, &name, &first) {
            missing.remove(&name);
        }
        let one = ObjectId::new(Kind::Connection, &self.key_elsewhere);
        self.source.patch(&Paths::of(other_us.name()).object(&one), &stamp(&new_value(0)))?;
        let changed = Instant::now();
        while elsewhere.recv_timeout(LONG)?.0 != one.name {}
        let other = changed.elapsed();
        while !missing.is_empty() {
            let (name, value) =
                told.recv_timeout(LONG).map_err(|_| format!("{} of {changes} changes did not come", missing.len()))?;
            if is_new(&missing, &name, &value) {
                missing.remove(&name);
            }
        }
        let requests = self.eu.audit_since(mark)?;
        let writes: Vec<&Request> = requests.iter().filter(|r| r.writes() && r.resource == "connections").collect();
        Ok((span(writes), other))
    }

    /// The PATCHes of as many changes, by a plain client that looks at no answer.
    pub fn raw_burst(&self, changes: usize, in_flight: usize) -> Outcome<Duration> {
        let cluster = self.eu.cluster();
        let scratch = cluster.namespace("raw");
        let load = Load::on(cluster.kubeconfig())?;
        let mut bodies = load.bodies(self.eu.name())?;
        bodies.truncate(changes);
        load.apply(&bodies, scratch.name(), in_flight)?;
        for (number, (_, body)) in bodies.iter_mut().enumerate() {
            let mut object: Value = serde_json::from_slice(body)?;
            object["spec"]["inputs"]["stamp"] = json!({"value": new_value(number)});
            // What made it said that it is not there.
            object["metadata"].as_object_mut().and_then(|metadata| metadata.remove("resourceVersion"));
            *body = object.to_string().into_bytes();
        }
        let there = Paths::of(scratch.name());
        // Whoever looks at the operator's burst takes from the processor: here too.
        let (told, _following) = self.target.watch(&there, connections(&there))?;
        let mark = cluster.mark()?;
        load.apply(&bodies, scratch.name(), in_flight)?;
        for _ in 0..bodies.len() {
            told.recv_timeout(LONG)?;
        }
        let requests = scratch.audit_since(mark)?;
        Ok(span(requests.iter().filter(|r| r.writes()).collect::<Vec<_>>()))
    }

    /// All lists of both tenants, by a plain client: one cluster after the other, as one after the other they
    /// share the machine.
    pub fn lists(&self) -> Outcome<Duration> {
        let start = Instant::now();
        for (client, namespace) in [(&self.source, &self.us), (&self.target, &self.eu)] {
            let paths = Paths::of(namespace.name());
            for kind in [Kind::Tenant, Kind::Component, Kind::Connection, Kind::CustomerCredentials, Kind::Integration]
            {
                client.list(&paths.kind(kind), PAGE)?;
            }
        }
        Ok(start.elapsed())
    }

    /// Starts where everything is as declared; how long it takes to have looked at all of it. It fails where
    /// anything was written but the answer to the request, or a list was asked for twice.
    pub fn settled_start(&self) -> Outcome<Duration> {
        let request = self.request()?;
        let marks = (self.us.cluster().mark()?, self.eu.cluster().mark()?);
        let start = Instant::now();
        let process = self.start()?;
        self.until(&self.us, |status| status["lastHandledReconcileAt"] == request)?;
        let took = start.elapsed();
        drop(process);
        let there = self.eu.audit_since(marks.1)?;
        if let Some(write) = there.iter().find(|request| request.writes()) {
            return Err(format!("it wrote: {write}").into());
        }
        let pages = |kind: Kind| self.keys.len().div_ceil(PAGE) * usize::from(kind == Kind::Connection);
        for kind in [Kind::Connection, Kind::Component] {
            let lists = there.iter().filter(|r| r.verb == "list" && r.resource == kind.plural()).count();
            if lists > pages(kind).max(1) {
                return Err(format!("{} were listed by {lists} requests", kind.plural()).into());
            }
        }
        let writes = self.us.audit_since(marks.0)?.into_iter().filter(|r| r.writes() && r.resource != "leases");
        match writes.count() {
            0 | 1 => Ok(took),
            more => Err(format!("it wrote {more} times to the hub").into()),
        }
    }
}

/// The names of the connections.
pub fn keys(resources: &[Resource]) -> impl Iterator<Item = String> {
    resources.iter().filter(|r| r.kind() == Kind::Connection).map(|r| r.metadata().name.clone())
}

/// Measurements change more than a person would let pass.
pub fn policy() -> Value {
    json!({"approval": {"percent": 100, "from": 1_000_000}})
}

/// A sync of everything, from the one tenant to others.
pub fn sync(name: &str, to: &[&str]) -> Value {
    let spec = json!({"from": "us", "to": to, "integrations": ["*"], "connections": "Mirror", "mode": "Apply"});
    document("TenantSync", name, spec)
}

/// Waits until the status of a sync is as it should be.
pub fn until(hub: &Client, namespace: &str, sync: &str, holds: impl Fn(&Value) -> bool) -> Outcome<()> {
    let path = Paths::of(namespace).object(&ObjectId::new(Kind::TenantSync, sync));
    let deadline = Instant::now() + LONG;
    loop {
        let status = hub.get(&path)?["status"].take();
        if holds(&status) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("not settled: {status}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What there was never before.
pub fn new_value(number: usize) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{number} at {}", now.as_nanos())
}

pub fn stamp(value: &str) -> Value {
    json!({"spec": {"inputs": {"stamp": {"value": value}}}})
}

/// Makes changes one after the other; of each, how long from the moment that it gives until what it awaits is
/// told of.
pub fn each(
    told: &Receiver<Stamped>,
    samples: usize,
    mut change: impl FnMut(usize) -> Outcome<(Stamped, Instant)>,
) -> Outcome<Vec<Duration>> {
    let mut took = Vec::with_capacity(samples);
    for number in 0..samples {
        let (awaited, changed) = change(number)?;
        while told.recv_timeout(LONG)? != awaited {}
        took.push(changed.elapsed());
    }
    Ok(took)
}

pub fn document(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

pub fn apply(namespace: &Namespace<'_>, objects: &[Value]) -> Outcome<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    run_with_input(namespace.kubectl().args(["apply", "--server-side", "-f", "-"]), &list)?;
    Ok(())
}
