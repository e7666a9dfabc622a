//! Peak memory of an operator process, beside its memory at rest.

use super::step;
use crate::Outcome;
use crate::operator::process::Process;
use crate::operator::test_env::{LONG, TestEnv};
use crate::report::{Figure, bytes};
use stablekey_clusters::audit::Mark;
use stablekey_clusters::{Cluster, Error, Namespace};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// 5,000 of them are connections.
const RESOURCES: usize = 5_521;
const BURST: usize = 5_000;
const IN_FLIGHT: usize = 64;
/// How long nothing happens before resident memory counts as rest.
const REST: Duration = Duration::from_secs(20);
const PEAK: f64 = 1.5;

/// Resident memory at rest, and the peaks.
pub struct Peaks {
    what: String,
    rest: u64,
    peaks: Vec<(&'static str, u64)>,
}

impl Peaks {
    /// Measures a process that has just started and is idle.
    pub fn after_start(what: impl Into<String>, process: &Process) -> Outcome<Self> {
        let start = process.peak_memory()?;
        std::thread::sleep(REST);
        Ok(Peaks { what: what.into(), rest: process.memory()?, peaks: vec![("start", start)] })
    }

    /// Measures the peak during some work.
    pub fn of(&mut self, work: &'static str, process: &Process, does: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
        process.forget_peak()?;
        does()?;
        self.peaks.push((work, process.peak_memory()?));
        std::thread::sleep(REST);
        step(&format!("{}: {work} leaves {} resident", self.what, bytes(process.memory()?)));
        Ok(())
    }

    /// Returns each peak beside the rest.
    pub fn figures(self) -> Vec<Figure> {
        let figure = |(work, peak): (&str, u64)| {
            let what = format!("peak memory of {}: {work}", self.what);
            let ratio = peak as f64 / self.rest as f64;
            Figure::beside(what, bytes(peak), format!("at rest {}", bytes(self.rest)), ratio, PEAK)
        };
        self.peaks.into_iter().map(figure).collect()
    }
}

/// Measures the syncer.
pub fn figures() -> Outcome<Vec<Figure>> {
    step("memory of the syncer");
    let env = TestEnv::prepare(RESOURCES)?;
    let first = env.start()?;
    env.settle()?;
    drop(first);
    let process = env.start()?;
    env.reconcile_everything()?;
    let mut peaks = Peaks::after_start("the syncer, 5,000 connections in each of 2 clusters", &process)?;
    peaks.of("a burst of 5,000 changes", &process, || {
        env.burst(&process, BURST, IN_FLIGHT)?;
        env.reconcile_everything()
    })?;
    peaks.of("all listed again, its API servers restarted", &process, || {
        // CustomerCredentials of a source are not watched.
        let of_source = ["components", "connections", "integrations", "configmaps"];
        let of_target = ["components", "connections", "customercredentials", "integrations", "configmaps"];
        restart(&[(&env.us, &of_source), (&env.eu, &of_target)])?;
        env.reconcile_everything()
    })?;
    Ok(peaks.figures())
}

/// Restarts the API servers of some namespaces, and waits until these resources were listed again in each.
pub fn restart(listed: &[(&Namespace<'_>, &[&str])]) -> Outcome<()> {
    let clusters: Vec<&Cluster> = listed.iter().map(|(namespace, _)| namespace.cluster()).collect();
    // After this write the resource versions of the watches are too old to continue from.
    clusters.iter().for_each(|cluster| drop(cluster.namespace("newer")));
    let marks: Vec<Mark> = clusters.iter().map(|cluster| cluster.mark()).collect::<Result<_, _>>()?;
    std::thread::scope(|scope| {
        let restarts: Vec<_> =
            clusters.iter().map(|cluster| scope.spawn(move || cluster.restart_apiserver())).collect();
        let done = restarts.into_iter().map(|restart| restart.join().unwrap_or(Err(Error::SupervisorGone)));
        done.collect::<Result<Vec<()>, _>>()
    })?;
    let deadline = Instant::now() + LONG;
    for ((namespace, resources), mark) in listed.iter().zip(marks) {
        loop {
            let requests = namespace.audit_since(mark)?;
            let lists = requests.iter().filter(|request| request.verb == "list" && request.code == 200);
            let listed: BTreeSet<&str> = lists.map(|request| request.resource.as_str()).collect();
            if resources.iter().all(|resource| listed.contains(resource)) {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!("only {listed:?} were listed again").into());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    Ok(())
}
