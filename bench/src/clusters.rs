//! Tenants in clusters: the command beside kubectl and beside a plain load, alternating on the same cluster.

pub mod load;
mod memory;
pub mod test_cluster;

use crate::report::{Figure, Machine};
use crate::{Outcome, generate, measure, peers};
use load::Load;
use stablekey::kubernetes::client::IN_FLIGHT;
use stablekey::kubernetes::list::PAGE;
use stablekey_clusters::Namespace;
use stablekey_clusters::audit::{Request, span};
use std::collections::BTreeMap;
use std::time::Duration;
use test_cluster::{TENANT, TestCluster};

const CONNECTIONS: usize = 1_000;
const CHANGED: usize = CONNECTIONS / 10;
/// How often a command that creates everything is measured, and one that only reads.
const MAKING: usize = 3;
const LOOKING: usize = 5;

const PLAN: f64 = 20.0;
const PLAN_SERVER: f64 = 5.0;
const WRITE_PHASE: f64 = 0.9;
const APPLY: f64 = 1.8;
const AGAIN: f64 = 20.0;

/// Exit codes of stablekey.
const NOTHING: i32 = 0;
const ACTIONS: i32 = 2;
/// The exit code of `kubectl diff` if there is a difference.
const DIFFERENT: i32 = 1;

/// Runs all measurements of the group.
pub fn figures(machine: &mut Machine) -> Outcome<Vec<Figure>> {
    let Some(kubectl) = peers::kubectl() else {
        machine.left_out("tenants in clusters: go is not here to build a control plane");
        return Ok(Vec::new());
    };
    let version = measure::first_line(kubectl, &["version", "--client"]);
    machine.peer("kubectl", version.map(|line| line.replace("Client Version: ", "")));
    let mut figures = small()?;
    figures.extend(memory::figures()?);
    Ok(figures)
}

/// Measures with the number of connections that a person may wait for.
fn small() -> Outcome<Vec<Figure>> {
    let test_cluster = TestCluster::prepare("bench")?;
    test_cluster.declare(&generate::connections(CONNECTIONS, false))?;
    let mut figures = Vec::new();
    let (ours, theirs) = apply(&test_cluster, &mut figures)?;
    figures.push(apply_again(&test_cluster, &ours, &theirs)?);
    figures.push(requests(&test_cluster, &ours)?);
    test_cluster.declare(&generate::connections(CONNECTIONS, true))?;
    figures.extend(plan(&test_cluster, &ours, &theirs)?);
    Ok(figures)
}

/// Measures applying everything. Returns the last namespaces: stablekey's, and kubectl's.
fn apply<'g>(test_cluster: &'g TestCluster, figures: &mut Vec<Figure>) -> Outcome<(Namespace<'g>, Namespace<'g>)> {
    let load = Load::on(test_cluster.cluster.kubeconfig())?;
    let (mut whole, mut writes, mut raw, mut kubectl) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..MAKING {
        let ours = test_cluster.cluster.namespace("ours");
        whole.push(measure::run(&mut test_cluster.stablekey("apply", &ours, &["--yes"])?, NOTHING)?);
        writes.push(write_phase(&ours)?);

        let bare = test_cluster.cluster.namespace("raw");
        load.apply(&load.bodies(ours.name())?, bare.name(), IN_FLIGHT)?;
        raw.push(write_phase(&bare)?);

        let theirs = test_cluster.cluster.namespace("theirs");
        kubectl.push(measure::run(&mut test_cluster.kubectl_apply(&theirs), NOTHING)?);
        last = Some((ours, theirs));
    }
    let what = format!("apply of {CONNECTIONS} new connections");
    figures.push(Figure::faster(
        format!("{what}, first write to last"),
        measure::median(writes),
        &format!("the same PATCHes, {IN_FLIGHT} in flight,"),
        measure::median(raw),
        WRITE_PHASE,
    ));
    let peer = "kubectl apply --server-side";
    figures.push(Figure::faster(what, measure::median(whole), peer, measure::median(kubectl), APPLY));
    Ok(last.ok_or("nothing was measured")?)
}

/// Returns the time from the first connection that arrived at the server to its last answer. Storing the approval is a
/// part of the whole command only.
fn write_phase(namespace: &Namespace<'_>) -> Outcome<Duration> {
    let requests = namespace.audit()?;
    let writes = requests.iter().filter(|request| request.writes() && request.resource == "connections");
    let writes: Vec<&Request> = writes.collect();
    let made = writes.iter().filter(|request| request.code == 201).count();
    if (made, writes.len()) != (CONNECTIONS, CONNECTIONS) {
        return Err(format!("{made} of {} writes made something, not {CONNECTIONS}", writes.len()).into());
    }
    Ok(span(writes))
}

/// Measures applying again, with nothing to do.
fn apply_again(test_cluster: &TestCluster, ours: &Namespace<'_>, theirs: &Namespace<'_>) -> Outcome<Figure> {
    let mark = test_cluster.cluster.mark()?;
    let mut again = test_cluster.stablekey("apply", ours, &["--yes"])?;
    let (mut samples, mut kubectl) = (Vec::new(), Vec::new());
    for _ in 0..LOOKING {
        samples.push(measure::run(&mut again, NOTHING)?);
        kubectl.push(measure::run(&mut test_cluster.kubectl_apply(theirs), NOTHING)?);
    }
    let writes = ours.audit_since(mark)?.iter().filter(|request| request.writes()).count();
    if writes > 0 {
        return Err(format!("applying again wrote {writes} times").into());
    }
    let what = "apply again: 0 writes by the audit log";
    let peer = "kubectl apply --server-side again";
    Ok(Figure::faster(what, measure::median(samples), peer, measure::median(kubectl), AGAIN))
}

/// Counts the requests of a plan with nothing to do: a list of each kind, by pages.
fn requests(test_cluster: &TestCluster, ours: &Namespace<'_>) -> Outcome<Figure> {
    let mark = test_cluster.cluster.mark()?;
    measure::run(&mut test_cluster.stablekey("plan", ours, &[])?, NOTHING)?;
    // The server itself sends requests too.
    let asked = test_cluster.cluster.audit_since(mark)?;
    let asked: Vec<&Request> = asked.iter().filter(|request| !request.user.starts_with("system:")).collect();
    let mut lists: BTreeMap<&str, usize> = BTreeMap::new();
    for request in &asked {
        if request.verb != "list" {
            return Err(format!("a plan asks more than lists: {request}").into());
        }
        *lists.entry(&request.resource).or_default() += 1;
    }
    let pages = CONNECTIONS.div_ceil(PAGE);
    let most = |resource: &str| if resource == "connections" { pages } else { 1 };
    if let Some((resource, count)) = lists.iter().find(|(resource, count)| **count > most(resource)) {
        return Err(format!("a plan lists {resource} {count} times, not {}", most(resource)).into());
    }
    let expected = lists.keys().map(|resource| most(resource)).sum::<usize>();
    let what = format!("requests of a plan of {CONNECTIONS} connections with nothing to do: only lists");
    let against = format!("{} kinds, {PAGE} a page: {expected}", lists.len());
    Ok(Figure::beside(what, asked.len().to_string(), against, asked.len() as f64 / expected as f64, 1.0))
}

/// Measures a plan in which one in ten connections differs.
fn plan(test_cluster: &TestCluster, ours: &Namespace<'_>, theirs: &Namespace<'_>) -> Outcome<[Figure; 2]> {
    let counted = test_cluster.stablekey("plan", ours, &["--output", "json"])?.output()?;
    let counted: serde_json::Value = serde_json::from_slice(&counted.stdout)?;
    if counted["counts"]["update"] != CHANGED || counted["targets"][0]["tenant"] != TENANT {
        return Err(format!("the plan counts {}, not {CHANGED} updates", counted["counts"]).into());
    }
    let mut plan = test_cluster.stablekey("plan", ours, &[])?;
    let mut plan_server = test_cluster.stablekey("plan", ours, &["--server"])?;
    let (mut samples, mut asking, mut kubectl) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..LOOKING {
        samples.push(measure::run(&mut plan, ACTIONS)?);
        asking.push(measure::run(&mut plan_server, ACTIONS)?);
        kubectl.push(measure::run(&mut test_cluster.kubectl_diff(theirs), DIFFERENT)?);
    }
    let peer = "kubectl diff --server-side";
    let theirs = measure::median(kubectl);
    let figure = |command: &str, samples, bar| {
        let what = format!("{command} of {CONNECTIONS} connections, {CHANGED} changed");
        Figure::faster(what, measure::median(samples), peer, theirs, bar)
    };
    Ok([figure("plan", samples, PLAN), figure("plan --server", asking, PLAN_SERVER)])
}
