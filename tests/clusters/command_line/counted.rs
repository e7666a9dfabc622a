//! Kills the command line after each of its requests, and runs it again.

use crate::command_line::env::{TestEnv, connection, integration};
use http::StatusCode;
use stablekey_clusters::run_with_input;
use stablekey_testing::cli::files;
use stablekey_testing::proxy::{Fate, Proxy};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// A workload that creates, changes and deletes, beside an object that Stablekey does not manage.
fn workload(prefix: &str) -> TestEnv {
    let env = TestEnv::with_a_source(prefix);
    env.apply();
    run_with_input(env.eu.kubectl().args(["apply", "-f", "-"]), &connection("theirs", "theirs")).unwrap();
    env.write("us/connections/a.yaml", &connection("a", "api refresh_token"));
    env.write("us/connections/d.yaml", &connection("d", "api"));
    env.write("us/integrations/three.yaml", &integration("three", &["c", "d"]));
    env.remove("us/integrations/two.yaml");
    env
}

/// Approvals are stored until the receipt, in the user's state folder and never in the cluster.
///
/// "An apply keeps the approved list until its receipt, in the user's state folder".
#[test]
fn a_kill_after_any_request_does_not_change_the_result() {
    let mut fair = workload("fair");
    let digest = fair.digest();
    let proxy = Proxy::to(fair.eu.cluster(), |_| Fate::Pass);
    fair.connect_with(&proxy.kubeconfig);
    let answer = fair.run(&["apply", "--approve", &digest]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let requests = proxy.seen().len();
    let expected = fair.content();
    assert!(requests > 15, "{requests}");
    for last in 1..=requests {
        let mut env = workload("killed");
        let digest = env.digest();
        let (tell, told) = mpsc::channel();
        let proxy = Proxy::to(env.eu.cluster(), move |seen| match seen.number.cmp(&last) {
            Ordering::Less => Fate::Pass,
            Ordering::Equal => Fate::DoAndTell(tell.clone()),
            Ordering::Greater => Fate::Swallow,
        });
        env.connect_with(&proxy.kubeconfig);
        let mut child = env.command(&["apply", "--approve", &digest]).spawn().unwrap();
        told.recv_timeout(LONG).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        env.connect_directly();
        assert_eq!(env.kubectl(&["get", "configmaps", "-l", "stablekey.dev/plan", "-o", "name"]), "");
        let again = env.run(&["apply", "--approve", &digest]);
        assert_eq!(again.code, 0, "killed after request {last} of {requests}: {again:?}");
        assert_eq!(env.content(), expected, "killed after request {last} of {requests}");
        assert_eq!(files(env.state()).len(), 0, "no approval is left: {last} of {requests}");
        let made = created(&env);
        assert!(made.iter().all(|(_, count)| *count == 1), "killed after {last}: {made:?}");
    }
}

/// Returns how often each object was created, according to the audit log.
fn created(env: &TestEnv) -> Vec<(String, usize)> {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for request in env.eu.audit().unwrap() {
        if request.group == "stablekey.dev" && request.code == 201 && !request.uri.contains("dryRun") {
            *made.entry(format!("{}/{}", request.resource, request.name)).or_default() += 1;
        }
    }
    made.into_iter().collect()
}

/// After any fault of a request, one or two more runs lead to the same result.
#[test]
fn any_fault_of_any_request_is_overcome() {
    let mut fair = workload("fair");
    let proxy = Proxy::to(fair.eu.cluster(), |_| Fate::Pass);
    fair.connect_with(&proxy.kubeconfig);
    fair.apply();
    let (requests, expected) = (proxy.seen().len(), fair.content());
    let fates = [
        Fate::CutAfter,
        Fate::CutBefore,
        Fate::DoAndSay(StatusCode::SERVICE_UNAVAILABLE),
        Fate::Say(StatusCode::TOO_MANY_REQUESTS, Some("0")),
        Fate::Say(StatusCode::INTERNAL_SERVER_ERROR, None),
        Fate::Say(StatusCode::CONFLICT, None),
    ];
    // Each request gets one of the faults; with `make soak` each request gets all of them.
    let all = std::env::var_os("SOAK").is_some();
    let meets = |number: usize, fate: usize| all || number % fates.len() == fate;
    let faults = (1..=requests).flat_map(|number| (0..fates.len()).map(move |fate| (number, fate)));
    for (number, fate) in faults.filter(|(number, fate)| meets(*number, *fate)) {
        let fate = fates[fate].clone();
        let mut env = workload("troubled");
        let this = fate.clone();
        let proxy =
            Proxy::to(env.eu.cluster(), move |seen| if seen.number == number { this.clone() } else { Fate::Pass });
        env.connect_with(&proxy.kubeconfig);
        let first = env.run(&["apply", "--yes"]);
        assert!(first.code == 0 || first.code == 1 || first.code == 2, "{fate:?} of {number}: {first:?}");
        env.connect_directly();
        env.apply();
        assert_eq!(env.content(), expected, "{fate:?} of request {number}: {first:?}");
        assert!(created(&env).iter().all(|(_, count)| *count == 1), "{fate:?} of request {number}");
    }
}
