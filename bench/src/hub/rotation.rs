//! One Secret that 3,900 connections use: how long its new value takes to reach all binding Secrets.

use super::memory::{Peaks, restart};
use super::{ELSEWHERE, step, watches};
use crate::clusters::load::Load;
use crate::operator::process::Process;
use crate::operator::raw::{Client, Stamped, secrets};
use crate::operator::test_env::{LONG, apply, document, new_value};
use crate::report::{Figure, time};
use crate::{Outcome, generate, measure};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use stablekey::api::Kind;
use stablekey::kubernetes::paths::Paths;
use stablekey_clusters::audit::Request;
use stablekey_clusters::{Namespace, shared};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 3_900;
/// The number of objects that the binder writes concurrently.
const IN_FLIGHT: usize = 32;
const RUNS: usize = 3;
const BAR: f64 = 1.5;
const MANAGER: &str = "stablekey-binder";
const BINDINGS: &str = "stablekey.dev/for=binding";
const COPIES: &str = "bench=copy";
/// The Secret of all connections but one, and that of the one.
const SHARED: &str = "of-all";
const OTHER: &str = "of-apart";
const APART: &str = "apart";
/// How long no event must arrive before none is in flight.
const QUIET: Duration = Duration::from_secs(5);
/// Four custom resources, Tenants, Secrets, ConfigMaps with definitions.
const KINDS: usize = 7;

struct Rotation {
    here: Namespace<'static>,
    copies: Namespace<'static>,
    client: Client,
}

/// Measures how long a rotation takes, how long another change takes meanwhile, and the peak memory.
pub fn figures() -> Outcome<Vec<Figure>> {
    step("a Secret of 3,900 connections is prepared");
    let rotation = Rotation::prepare()?;
    drop(rotation.start()?);
    let mark = rotation.here.cluster().mark()?;
    let process = rotation.start()?;
    let mut peaks = Peaks::after_start("the binder, 3,900 connections", &process)?;
    let mut figures = vec![watches::figure("the binder has open", &[&rotation.here], mark, KINDS)?];
    step("a Secret of 3,900 connections: is rotated");
    let (mut runs, mut elsewhere) = (Vec::new(), Vec::new());
    rotation.copy()?;
    peaks.of("a Secret of all is rotated", &process, || {
        let (took, other) = rotation.rotate()?;
        elsewhere.push(other);
        runs.push((took, rotation.raw()?));
        Ok(())
    })?;
    for _ in 1..RUNS {
        let (took, other) = rotation.rotate()?;
        elsewhere.push(other);
        runs.push((took, rotation.raw()?));
    }
    // Each beside its peer of the same minute.
    runs.sort_by(|(a, x), (b, y)| (a.as_secs_f64() / x.as_secs_f64()).total_cmp(&(b.as_secs_f64() / y.as_secs_f64())));
    let (ours, raw) = runs.get(RUNS / 2).copied().ok_or("nothing was measured")?;
    let what = format!("a Secret of {CONNECTIONS} connections changed → in all binding Secrets");
    let against = format!("the same PATCHes, {IN_FLIGHT} in flight, {}", time(raw));
    figures.push(Figure::beside(what, time(ours), against, ours.as_secs_f64() / raw.as_secs_f64(), BAR));
    figures.push(Figure::of_time("meanwhile another Secret of the namespace", measure::median(elsewhere), ELSEWHERE));
    peaks.of("all listed again, its API server restarted", &process, || {
        let listed = ["components", "connections", "customercredentials", "integrations", "secrets"];
        restart(&[(&rotation.here, &listed)])?;
        std::thread::sleep(QUIET);
        Ok(())
    })?;
    figures.extend(peaks.figures());
    Ok(figures)
}

impl Rotation {
    fn prepare() -> Outcome<Self> {
        let cluster = shared("bench-us");
        let (here, copies) = (cluster.namespace("rotated"), cluster.namespace("copies"));
        let client = Client::of(cluster)?;
        Load::on(cluster.kubeconfig())?.create(&generate::resources(30), here.name(), 64)?;
        apply(&here, &[document("Tenant", "us", json!({})), credential(SHARED), credential(OTHER)])?;
        let path = Paths::of(here.name()).kind(Kind::Connection);
        let of_all = (0..CONNECTIONS).map(|number| tested(&format!("tested-{number:04}"), SHARED));
        let connections = of_all.chain([tested(APART, OTHER)]).map(|object| (path.clone(), object));
        client.create_all(&connections.collect::<Vec<_>>(), 64)?;
        Ok(Rotation { here, copies, client })
    }

    /// Starts the binder, and waits until it is idle.
    fn start(&self) -> Outcome<Process> {
        let paths = Paths::of(self.here.name());
        let process = Process::start("binder", self.here.cluster(), &[&self.here])?;
        let deadline = Instant::now() + LONG;
        loop {
            let mark = self.here.cluster().mark()?;
            std::thread::sleep(QUIET);
            let requests = self.here.audit_since(mark)?;
            let is_idle = !requests.iter().any(|request| request.writes() && request.resource != "leases");
            if is_idle {
                let all = self.client.get(&format!("{}?labelSelector={}", paths.secrets(), escaped(BINDINGS)))?;
                let there = all["items"].as_array().map_or(0, Vec::len);
                if there > CONNECTIONS {
                    return Ok(process);
                }
                if Instant::now() > deadline {
                    return Err(format!("only {there} binding Secrets were made").into());
                }
            }
        }
    }

    /// Changes the shared Secret and, as soon as writes begin, another one. Returns how long each takes to reach its
    /// binding Secrets.
    fn rotate(&self) -> Outcome<(Duration, Duration)> {
        let paths = Paths::of(self.here.name());
        let (told, _following) = self.client.watch(&paths, secrets(&paths, BINDINGS))?;
        let (value, other) = (new_value(0), new_value(1));
        let mark = self.here.cluster().mark()?;
        let start = Instant::now();
        self.client.patch(&paths.secret(SHARED), &json!({"stringData": {"value": value}}))?;
        let first = told.recv_timeout(LONG)?;
        self.client.patch(&paths.secret(OTHER), &json!({"stringData": {"value": other}}))?;
        let changed = Instant::now();
        let mut elsewhere = None;
        let mut having = BTreeSet::from([first.0]);
        while having.len() < CONNECTIONS || elsewhere.is_none() {
            let (name, now) = told.recv_timeout(LONG)?;
            if now == value {
                having.insert(name);
            } else if now == other {
                elsewhere = Some(changed.elapsed());
            }
        }
        let took = start.elapsed();
        quiet(&told)?;
        let requests = self.here.audit_since(mark)?;
        let writes = |resource: &str| requests.iter().filter(|r| r.writes() && r.resource == resource).count();
        let by: BTreeMap<&str, usize> = ["secrets", "connections"].map(|resource| (resource, writes(resource))).into();
        let conflicts = requests.iter().filter(|r: &&Request| r.code == 409).count();
        step(&format!("rotated in {}; writes: {by:?}, conflicts: {conflicts}", time(took)));
        Ok((took, elsewhere.unwrap_or_default()))
    }

    /// Copies what the binder made to a namespace that no binder watches.
    fn copy(&self) -> Outcome<()> {
        self.client.apply_all(&self.bodies("first")?, MANAGER, IN_FLIGHT)
    }

    /// Sends the PATCHes of a rotation with a plain client that ignores the answers; returns the time until all are
    /// reported.
    fn raw(&self) -> Outcome<Duration> {
        let paths = Paths::of(self.copies.name());
        let value = new_value(0);
        let bodies = self.bodies(&value)?;
        let (told, _following) = self.client.watch(&paths, secrets(&paths, COPIES))?;
        let start = Instant::now();
        self.client.apply_all(&bodies, MANAGER, IN_FLIGHT)?;
        for _ in 0..bodies.len() {
            told.recv_timeout(LONG)?;
        }
        Ok(start.elapsed())
    }

    /// Returns what the binder sends for each binding Secret of the rotated one, with this value.
    fn bodies(&self, value: &str) -> Outcome<Vec<(String, Value)>> {
        let (here, there) = (Paths::of(self.here.name()), Paths::of(self.copies.name()));
        let all = self.client.get(&format!("{}?labelSelector={}", here.secrets(), escaped(BINDINGS)))?;
        let items = all["items"].as_array().ok_or("this is no list")?;
        let body = |item: &Value| {
            let metadata = &item["metadata"];
            let name = metadata["name"].as_str().filter(|name| !name.starts_with(APART))?;
            let mut data = item["data"].as_object()?.clone();
            data.insert("clientSecret".into(), serde_json::to_value(ByteString(value.as_bytes().to_vec())).ok()?);
            let body = json!({
                "apiVersion": "v1", "kind": "Secret", "type": item["type"], "data": data,
                "metadata": {
                    "name": name, "labels": {"bench": "copy"}, "annotations": metadata["annotations"],
                    "ownerReferences": metadata["ownerReferences"],
                },
            });
            Some((there.secret(name), body))
        };
        Ok(items.iter().filter_map(body).collect())
    }
}

/// Waits until no event arrives.
fn quiet(told: &Receiver<Stamped>) -> Outcome<()> {
    loop {
        match told.recv_timeout(QUIET) {
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn escaped(selector: &str) -> String {
    selector.replace('/', "%2F").replace('=', "%3D")
}

fn tested(name: &str, secret: &str) -> Value {
    let value = |value: &str| json!({"value": value});
    let of_ours = json!({"secretRef": {"name": secret, "key": "value"}});
    let inputs = json!({
        "authorizeUrl": value("https://login.example/authorize"), "tokenUrl": value("https://login.example/token"),
        "clientId": value("id"), "instanceUrl": {"perCustomer": true}, "clientSecret": of_ours,
    });
    let component = json!({"key": "salesforce", "public": true});
    let spec = json!({
        "stableKey": name, "component": component, "type": "oauth2", "credentials": "OrganizationCustomer",
        "inputs": inputs, "test": {"inputs": {"clientSecret": of_ours}},
    });
    document("Connection", name, spec)
}

fn credential(name: &str) -> Value {
    let labels = json!({"stablekey.dev/for": "connections"});
    // Customers supply an endpoint, so the organization's secret must be pinned.
    let annotations = json!({"stablekey.dev/keys": "*", "stablekey.dev/hosts": "login.example"});
    let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"value": "first"}})
}
