//! Two clusters: the hub and source in one, the target in the other, with the same objects in both.

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

/// The clusters and clients of a measurement.
pub struct TestEnv {
    /// The hub and source.
    pub us: Namespace<'static>,
    pub eu: Namespace<'static>,
    /// Another, small source and target.
    other: [Namespace<'static>; 2],
    /// The administrator of the source's cluster.
    pub source: Client,
    /// The administrator of the target's cluster.
    pub target: Client,
    keys: Vec<String>,
    key_elsewhere: String,
}

impl TestEnv {
    /// Creates the source and the hub; the target is empty.
    pub fn prepare(resources: usize) -> Outcome<Self> {
        let [us, eu] = shared_all(["bench-us", "bench-eu"]);
        let env = TestEnv {
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
        let env = TestEnv { keys: keys(&resources).collect(), key_elsewhere, ..env };
        Load::on(us.kubeconfig())?.create(&resources, env.us.name(), 64)?;
        let components: Vec<Resource> = resources.into_iter().filter(|r| r.kind() == Kind::Component).collect();
        Load::on(eu.kubeconfig())?.create(&components, env.eu.name(), 64)?;
        env.tenants(&env.us, &env.eu)?;
        let [other_us, other_eu] = &env.other;
        Load::on(us.kubeconfig())?.create(&few, other_us.name(), 64)?;
        env.tenants(other_us, other_eu)?;
        Ok(env)
    }

    /// Creates the Tenants and the sync of a pair of namespaces in the first, and the target's own Tenant in the
    /// second.
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

    /// Like `start`, with a log level.
    pub fn start_logging(&self, level: &str) -> Outcome<Process> {
        Process::start_logging(level, "syncer", self.us.cluster(), &[&self.us, &self.other[0]])
    }

    /// Waits until everything is in sync.
    pub fn settle(&self) -> Outcome<()> {
        for namespace in [&self.us, &self.other[0]] {
            self.until(namespace, |status| status["targets"][0]["state"] == "InSync")?;
        }
        Ok(())
    }

    fn until(&self, namespace: &Namespace<'_>, holds: impl Fn(&Value) -> bool) -> Outcome<()> {
        until(&self.source, namespace.name(), SYNC, holds)
    }

    /// Requests a full reconcile, and waits for it.
    pub fn reconcile_everything(&self) -> Outcome<()> {
        let request = self.request()?;
        self.until(&self.us, |status| status["lastHandledReconcileAt"] == request)
    }

    /// Requests a full reconcile; returns the value that the status answers with.
    fn request(&self) -> Outcome<String> {
        let request = format!("{:?}", Instant::now());
        let annotation = json!({"metadata": {"annotations": {"stablekey.dev/requestedAt": request}}});
        let path = Paths::of(self.us.name()).object(&ObjectId::new(Kind::TenantSync, SYNC));
        self.source.patch(&path, &annotation)?;
        Ok(request)
    }

    /// Changes one connection of the source at a time; returns how long each takes to reach the target.
    pub fn change(&self, samples: usize) -> Outcome<Vec<Duration>> {
        let there = Paths::of(self.eu.name());
        let (told, _following) = self.target.watch(&there, connections(&there))?;
        each(&told, samples, |number| Ok((self.set(number)?, Instant::now())))
    }

    /// The same with a client that only forwards what its watch delivers.
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

    /// Sets a connection of the source to a new value.
    fn set(&self, number: usize) -> Outcome<Stamped> {
        let (id, value) = self.change_of(number);
        self.source.patch(&Paths::of(self.us.name()).object(&id), &stamp(&value))?;
        Ok((id.name, value))
    }

    /// Returns a connection, and a new value for it.
    fn change_of(&self, number: usize) -> (ObjectId, String) {
        let name = self.keys.get(number % self.keys.len()).cloned().unwrap_or_default();
        (ObjectId::new(Kind::Connection, name), new_value(number))
    }

    /// Makes many changes while the operator is stopped, then continues it. Returns how long it writes, and how long
    /// one change elsewhere takes meanwhile.
    pub fn burst(&self, process: &Process, changes: usize, in_flight: usize) -> Outcome<(Duration, Duration)> {
        let (here, there) = (Paths::of(self.us.name()), Paths::of(self.eu.name()));
        let changed: Vec<_> = (0..changes).map(|number| self.change_of(number)).collect();
        let patches: Vec<_> = changed.iter().map(|(id, value)| (here.object(id), stamp(value))).collect();
        // Of two changes of one object the last counts.
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

    /// Sends the PATCHes of as many changes with a plain client that ignores the answers.
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
            // The create had a resource version that requires the absence of the object.
            object["metadata"].as_object_mut().and_then(|metadata| metadata.remove("resourceVersion"));
            *body = object.to_string().into_bytes();
        }
        let there = Paths::of(scratch.name());
        // The observer of the operator's burst takes processor time, so it runs here too.
        let (told, _following) = self.target.watch(&there, connections(&there))?;
        let mark = cluster.mark()?;
        load.apply(&bodies, scratch.name(), in_flight)?;
        for _ in 0..bodies.len() {
            told.recv_timeout(LONG)?;
        }
        let requests = scratch.audit_since(mark)?;
        Ok(span(requests.iter().filter(|r| r.writes()).collect::<Vec<_>>()))
    }

    /// Lists both tenants with a plain client, one cluster after the other, because they share the machine.
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

    /// Starts with everything in sync; returns the time until everything is reconciled. Fails if anything was written
    /// but the answer to the request, or a list was requested twice.
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

/// Returns the names of the connections.
pub fn keys(resources: &[Resource]) -> impl Iterator<Item = String> {
    resources.iter().filter(|r| r.kind() == Kind::Connection).map(|r| r.metadata().name.clone())
}

/// A policy without approvals, because measurements change more than the default allows.
pub fn policy() -> Value {
    json!({"approval": {"percent": 100, "from": 1_000_000}})
}

/// A sync of everything, from one tenant to others.
pub fn sync(name: &str, to: &[&str]) -> Value {
    let spec = json!({"from": "us", "to": to, "integrations": ["*"], "connections": "Mirror", "mode": "Apply"});
    document("TenantSync", name, spec)
}

/// Waits until the status of a sync matches.
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

/// Returns a new value.
pub fn new_value(number: usize) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{number} at {}", now.as_nanos())
}

pub fn stamp(value: &str) -> Value {
    json!({"spec": {"inputs": {"stamp": {"value": value}}}})
}

/// Makes changes one at a time; returns for each the time from when it was made until the awaited event arrives.
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
