//! Stablekey's watches and cache beside reflectors of kube-runtime, over the same namespace: what an own cache gains.
//!
//! Each runs in a process of its own and watches the four kinds of a tenant. A plan needs to know who owns which
//! field, so the peer keeps objects as they come, with `managedFields`; Stablekey's cache keeps what it needs of them.
//! A second peer drops them, and could therefore not serve a plan.

use crate::hub::memory::restart;
use crate::operator::LARGE;
use crate::operator::credentials::Credentials;
use crate::operator::process::status_of;
use crate::report::{Figure, Machine, bytes, time};
use crate::{Outcome, measure, peers};
use futures_util::StreamExt as _;
use kube::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::reflector::{Store, store};
use kube::runtime::{WatchStreamExt as _, watcher};
use stablekey::api::{Component, Connection, CustomerCredentials, Integration};
use stablekey::kubernetes::budget::Budget;
use stablekey::kubernetes::cache::{Cache, NamespaceDelta};
use stablekey::kubernetes::connect::Servers;
use stablekey::kubernetes::paths::Paths;
use stablekey::kubernetes::watch::{CUSTOMERS, WATCHED, WatchEvent, customers, namespace};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const RUNS: usize = 3;
/// Stablekey's watches and cache are kept only while they take at most two thirds of what the reflectors take.
const GAIN: f64 = 2.0 / 3.0;
/// What is gained elsewhere is no reason: it only must not be lost.
const LEAN: f64 = 1.5;
const START: f64 = 1.25;
/// How long memory settles after the lists.
const REST: Duration = Duration::from_secs(5);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const BUDGET: usize = 1 << 30;

/// Measures memory at rest and the time until everything is listed, beside the reflectors.
pub fn figures(machine: &mut Machine) -> Outcome<Vec<Figure>> {
    if peers::kubectl().is_none() {
        machine.left_out("the caches: go is not here to build a control plane");
        return Ok(Vec::new());
    }
    let there = Credentials::prepare(LARGE)?;
    let [ours, whole, lean] = ["--cache", "--reflectors", "--lean-reflectors"].map(|task| Measured::of(task, &there));
    let (ours, whole, lean) = (ours?, whole?, lean?);
    let memory = |what: &str, peer: &str, ours: u64, theirs: u64, bar: f64| {
        let what = format!("memory of the watches and the cache alone, {LARGE} resources: {what}");
        Figure::beside(what, bytes(ours), format!("{peer} {}", bytes(theirs)), ours as f64 / theirs as f64, bar)
    };
    let (peer, lean_peer) = ("kube-runtime reflectors", "the same without managedFields");
    Ok(vec![
        memory("peak, all listed again", peer, ours.peak, whole.peak, GAIN),
        memory("peak, all listed again", lean_peer, ours.peak, lean.peak, LEAN),
        memory("at rest", peer, ours.rest, whole.rest, LEAN),
        memory("at rest", lean_peer, ours.rest, lean.rest, LEAN),
        Figure::beside(
            format!("time until all {LARGE} are cached"),
            time(ours.start),
            format!("{peer} {}", time(whole.start)),
            ours.start.as_secs_f64() / whole.start.as_secs_f64(),
            START,
        ),
    ])
}

struct Measured {
    /// The most that was resident, an API server that was restarted included: everything is listed again then.
    peak: u64,
    rest: u64,
    start: Duration,
}

impl Measured {
    fn of(task: &str, there: &Credentials) -> Outcome<Measured> {
        let (mut peak, mut rest, mut start) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let begin = Instant::now();
            let mut process = Watching::start(task, there)?;
            process.wait_until_all_is_cached()?;
            start.push(begin.elapsed());
            std::thread::sleep(REST);
            rest.push(process.memory("VmRSS:")?);
            restart(&[(there.namespace(), &["components", "connections", "customercredentials", "integrations"])])?;
            std::thread::sleep(REST);
            peak.push(process.memory("VmHWM:")?);
        }
        Ok(Measured { peak: measure::median(peak), rest: measure::median(rest), start: measure::median(start) })
    }
}

/// A process that watches until its input ends.
struct Watching(Child);

impl Watching {
    fn start(task: &str, there: &Credentials) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([task, there.namespace().name()]).env("KUBECONFIG", there.namespace().cluster().kubeconfig());
        Ok(Watching(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?))
    }

    fn wait_until_all_is_cached(&mut self) -> Outcome<()> {
        let output = self.0.stdout.as_mut().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if line == "all is held\n" { Ok(()) } else { Err(format!("it ended: {line:?}").into()) }
    }

    fn memory(&self, field: &'static str) -> Outcome<u64> {
        status_of(self.0.id(), field)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Runs the process with Stablekey's watches and cache.
pub fn cache(name: &str) -> Outcome<()> {
    let kubeconfig = Kubeconfig::from_env()?.ok_or("no KUBECONFIG")?;
    let servers = Servers::with_timeout(DEFAULT_TIMEOUT);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let server = runtime.block_on(servers.connect_by(kubeconfig, "cluster")).map_err(|error| error.to_string())?;
    let cache = Arc::new(Mutex::new(Cache::default()));
    let (done, all) = channel();
    let kept = cache.clone();
    let on_event = move |event: WatchEvent<NamespaceDelta>| match event {
        WatchEvent::Changed(delta, _) => {
            kept.lock().unwrap_or_else(PoisonError::into_inner).apply(delta);
        }
        WatchEvent::Watched(resource) => {
            let _ = done.send(resource);
        }
        WatchEvent::Lost(..) | WatchEvent::Rewound(_) => {}
    };
    let mut watches = namespace(&server, &Paths::of(name), Budget::of(BUDGET), Arc::new(on_event));
    customers(&mut watches);
    let _watches = watches.done();
    let mut missing: BTreeSet<&str> = WATCHED.into_iter().chain([CUSTOMERS]).collect();
    while !missing.is_empty() {
        missing.remove(all.recv()?);
    }
    until_input_ends()
}

/// What reflectors keep of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    All,
    AllButManagedFields,
}

/// Runs the process with reflectors of kube-runtime.
pub fn reflectors(name: &str, keeps: Keeps) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let _held = runtime.block_on(async {
        let config = kube::Config::from_kubeconfig(&KubeConfigOptions::default()).await?;
        let client = kube::Client::try_from(config)?;
        let held = (
            reflect(Api::<Component>::namespaced(client.clone(), name), keeps),
            reflect(Api::<Connection>::namespaced(client.clone(), name), keeps),
            reflect(Api::<Integration>::namespaced(client.clone(), name), keeps),
            reflect(Api::<CustomerCredentials>::namespaced(client, name), keeps),
        );
        tokio::try_join!(
            held.0.wait_until_ready(),
            held.1.wait_until_ready(),
            held.2.wait_until_ready(),
            held.3.wait_until_ready()
        )?;
        Outcome::Ok(held)
    })?;
    until_input_ends()
}

fn reflect<K>(api: Api<K>, keeps: Keeps) -> Store<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let (held, writer) = store();
    let drop_managed_fields = move |object: &mut K| {
        if keeps == Keeps::AllButManagedFields {
            object.meta_mut().managed_fields = None;
        }
    };
    let events = watcher(api, watcher::Config::default()).default_backoff().modify(drop_managed_fields);
    let events = events.reflect(writer);
    tokio::spawn(events.for_each(|_| std::future::ready(())));
    held
}

#[allow(clippy::print_stdout)]
fn until_input_ends() -> Outcome<()> {
    println!("all is held");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
