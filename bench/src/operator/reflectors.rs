//! Our watches and cache beside reflectors of kube-runtime, over the same namespace: what a cache of our own gains.
//!
//! Each runs in a process of its own and holds the four kinds of a tenant. The reflectors drop `managedFields`;
//! ours keeps what is needed of them, and the records besides.

use super::credentials::Credentials;
use crate::report::{Figure, bytes, time};
use crate::{Outcome, measure};
use futures_util::StreamExt as _;
use kube::Api;
use kube::api::ObjectMeta;
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
/// Our own watches and cache stay only while they take at most two thirds of what the reflectors take.
const GAIN: f64 = 2.0 / 3.0;
/// How long memory has to settle after the lists.
const REST: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);
const BUDGET: usize = 1 << 30;

/// Memory at rest and time until everything is listed, ours beside the reflectors'.
pub fn figures(there: &Credentials, resources: usize) -> Outcome<[Figure; 2]> {
    let [ours, theirs] = ["--cache", "--reflectors"].map(|task| Measured::of(task, there));
    let (ours, theirs) = (ours?, theirs?);
    Ok([
        Figure::beside(
            format!("memory of our watches and cache alone, {resources} resources"),
            bytes(ours.memory),
            format!("kube-runtime reflectors {}", bytes(theirs.memory)),
            ours.memory as f64 / theirs.memory as f64,
            GAIN,
        ),
        Figure::beside(
            format!("time until they hold all {resources}"),
            time(ours.start),
            format!("kube-runtime reflectors {}", time(theirs.start)),
            ours.start.as_secs_f64() / theirs.start.as_secs_f64(),
            1.0,
        ),
    ])
}

struct Measured {
    memory: u64,
    start: Duration,
}

impl Measured {
    fn of(task: &str, there: &Credentials) -> Outcome<Measured> {
        let (mut memory, mut start) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let begin = Instant::now();
            let mut process = Watching::start(task, there)?;
            process.wait_until_all_is_held()?;
            start.push(begin.elapsed());
            std::thread::sleep(REST);
            memory.push(process.memory()?);
        }
        Ok(Measured { memory: measure::median(memory), start: measure::median(start) })
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

    fn wait_until_all_is_held(&mut self) -> Outcome<()> {
        let output = self.0.stdout.as_mut().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if line == "all is held\n" { Ok(()) } else { Err(format!("it ended: {line:?}").into()) }
    }

    fn memory(&self) -> Outcome<u64> {
        super::process::status_of(self.0.id(), "VmRSS:")
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The process with our watches and cache.
pub fn cache(name: &str) -> Outcome<()> {
    let kubeconfig = Kubeconfig::from_env()?.ok_or("no KUBECONFIG")?;
    let servers = Servers::with_timeout(PATIENCE);
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

/// The process with reflectors of kube-runtime.
pub fn reflectors(name: &str) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let _held = runtime.block_on(async {
        let config = kube::Config::from_kubeconfig(&KubeConfigOptions::default()).await?;
        let client = kube::Client::try_from(config)?;
        let held = (
            reflect(Api::<Component>::namespaced(client.clone(), name)),
            reflect(Api::<Connection>::namespaced(client.clone(), name)),
            reflect(Api::<Integration>::namespaced(client.clone(), name)),
            reflect(Api::<CustomerCredentials>::namespaced(client, name)),
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

fn reflect<K>(api: Api<K>) -> Store<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let (held, writer) = store();
    let drop_managed_fields = |object: &mut K| {
        let meta: &mut ObjectMeta = object.meta_mut();
        meta.managed_fields = None;
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
