//! The operator beside a plain client that sends only the necessary requests: the syncer between two clusters, the
//! binder in one.

pub mod credentials;
pub mod process;
pub mod raw;
pub mod test_env;

use crate::report::{Figure, Machine, time};
use crate::{Outcome, measure, peers};
use credentials::Credentials;
use process::Process;
use std::time::Duration;
use test_env::TestEnv;

const SMALL: usize = 1_000;
pub const LARGE: usize = 10_000;
/// Number of changes that are timed in a run, and number of runs.
const SAMPLES: usize = 500;
const RUNS: usize = 5;
const BURST: usize = 1_000;
const IN_FLIGHT: usize = 64;
/// How long it is observed while nothing happens.
const REST: Duration = Duration::from_secs(60);

const LATENCY: f64 = 3.0;
const GROWTH: f64 = 1.5;
const START: f64 = 3.0;
const CEILING: f64 = 0.8;
const ELSEWHERE: Duration = Duration::from_secs(1);
const MEMORY: [(usize, u64); 2] = [(SMALL, 48_000_000), (LARGE, 150_000_000)];
const IDLE: Duration = Duration::from_millis(600);

/// Latencies of several runs.
#[derive(Clone, Copy)]
pub struct Latency {
    /// The median.
    pub half: Duration,
    /// The 99th percentile.
    pub most: Duration,
}

/// Runs all measurements of the group.
pub fn figures(machine: &mut Machine) -> Outcome<Vec<Figure>> {
    if peers::kubectl().is_none() {
        machine.left_out("the operator: go is not here to build a control plane");
        return Ok(Vec::new());
    }
    Ok([syncer()?, binder()?].into_iter().flatten().collect())
}

fn syncer() -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut ours = Vec::new();
    for (resources, memory) in MEMORY {
        step("syncer", resources, "is prepared");
        let env = TestEnv::prepare(resources)?;
        let process = env.start()?;
        env.settle()?;
        step("syncer", resources, "changes");
        ours.push(latencies(|| env.change(SAMPLES))?);
        let there = format!("{resources} resources in each of 2 clusters");
        figures.extend(at_rest("syncer", &process, &there, memory)?);
        if resources == LARGE {
            step("syncer", resources, "bursts");
            figures.extend(burst(&env, &process)?);
            drop(process);
            step("syncer", resources, "starts");
            figures.extend(start(&env)?);
            step("plain client", resources, "changes");
            let raw = latencies(|| env.relay(SAMPLES))?;
            let what = format!("one change in the source → in the target, {LARGE} resources there");
            figures.extend(beside(&what, &ours, raw));
        }
    }
    Ok(figures)
}

fn binder() -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut ours = Vec::new();
    for (resources, memory) in MEMORY {
        step("binder", resources, "is prepared");
        let env = Credentials::prepare(resources)?;
        let process = env.start()?;
        step("binder", resources, "changes");
        ours.push(latencies(|| env.change(SAMPLES))?);
        figures.extend(at_rest("binder", &process, &format!("{resources} resources"), memory)?);
        if resources == LARGE {
            drop(process);
            step("plain client", resources, "changes");
            let raw = latencies(|| env.relay(SAMPLES))?;
            let what = format!("test credential changed → in its binding Secret, {LARGE} resources there");
            figures.extend(beside(&what, &ours, raw));
        }
    }
    Ok(figures)
}

/// Prints the current measurement, which takes minutes.
fn step(who: &str, resources: usize, what: &str) {
    eprintln!("{who} with {resources} resources: {what}");
}

fn at_rest(role: &str, process: &Process, there: &str, memory: u64) -> Outcome<[Figure; 2]> {
    let rest = process.at_rest(REST)?;
    Ok([
        Figure::of_memory(format!("memory of the {role} at rest, {there}"), rest.memory, memory),
        Figure::of_time(format!("processor time of the {role} at rest in 60 s, {there}"), rest.processor, IDLE),
    ])
}

/// Returns the medians of several runs.
pub fn latencies(mut run: impl FnMut() -> Outcome<Vec<Duration>>) -> Outcome<Latency> {
    let (mut half, mut most) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut samples = run()?;
        samples.sort_unstable();
        let at = |share: usize| samples.get((samples.len() - 1) * share / 100).copied().ok_or("nothing was measured");
        half.push(at(50)?);
        most.push(at(99)?);
    }
    Ok(Latency { half: measure::median(half), most: measure::median(most) })
}

fn beside(what: &str, ours: &[Latency], raw: Latency) -> Vec<Figure> {
    let [small, large] = ours else { return Vec::new() };
    let figure = |share: &str, ours: Duration, theirs: Duration| {
        let against = format!("one watch event and one PATCH {}", time(theirs));
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        Figure::beside(format!("{what}, {share}"), time(ours), against, ratio, LATENCY)
    };
    let growth = large.half.as_secs_f64() / small.half.as_secs_f64();
    let against = format!("{} with {SMALL}", time(small.half));
    vec![
        figure("p50", large.half, raw.half),
        figure("p99", large.most, raw.most),
        Figure::beside(format!("{what}, p50"), time(large.half), against, growth, GROWTH),
    ]
}

/// Measures many changes at the same time, and one elsewhere meanwhile.
fn burst(env: &TestEnv, process: &Process) -> Outcome<[Figure; 2]> {
    let (mut runs, mut elsewhere) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (took, other) = env.burst(process, BURST, IN_FLIGHT)?;
        elsewhere.push(other);
        runs.push((took, env.raw_burst(BURST, IN_FLIGHT)?));
    }
    // Each beside its peer of the same minute, because machines have faster and slower ones.
    runs.sort_by(|(a, x), (b, y)| (x.as_secs_f64() / a.as_secs_f64()).total_cmp(&(y.as_secs_f64() / b.as_secs_f64())));
    let (ours, raw) = runs.get(RUNS / 2).copied().ok_or("nothing was measured")?;
    Ok([
        Figure::faster(
            format!("{BURST} changes at once, first write to last"),
            ours,
            &format!("the same PATCHes, {IN_FLIGHT} in flight,"),
            raw,
            CEILING,
        ),
        Figure::of_time("meanwhile one change elsewhere", measure::median(elsewhere), ELSEWHERE),
    ])
}

/// Measures a start with everything in sync: lists, no writes, and a status that answers a request.
fn start(env: &TestEnv) -> Outcome<[Figure; 1]> {
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        raw.push(env.lists()?);
        ours.push(env.settled_start()?);
    }
    let (ours, raw) = (measure::median(ours), measure::median(raw));
    let what = format!("start on a settled {LARGE} in each of 2 clusters: no write, no list twice");
    let against = format!("the same lists {}", time(raw));
    Ok([Figure::beside(what, time(ours), against, ours.as_secs_f64() / raw.as_secs_f64(), START)])
}
