//! By count, not by luck: the command line is killed after each of its requests, and run again.

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

/// A workload that creates, changes and removes, beside something that is nobody's business of ours.
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

/// "An apply keeps the approved list until its receipt, in the user's state folder": none is in the cluster.
#[test]
fn killed_after_any_request_and_run_again_the_end_is_the_same() {
    let mut fair = workload("fair");
    let digest = fair.digest();
    let proxy = Proxy::to(fair.eu.cluster(), |_| Fate::Pass);
    fair.by(&proxy.kubeconfig);
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
        env.by(&proxy.kubeconfig);
        let mut child = env.command(&["apply", "--approve", &digest]).spawn().unwrap();
        told.recv_timeout(LONG).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        env.straight();
        assert_eq!(env.kubectl(&["get", "configmaps", "-l", "stablekey.dev/plan", "-o", "name"]), "");
        let again = env.run(&["apply", "--approve", &digest]);
        assert_eq!(again.code, 0, "killed after request {last} of {requests}: {again:?}");
        assert_eq!(env.content(), expected, "killed after request {last} of {requests}");
        assert_eq!(files(env.state()).len(), 0, "no approval is left: {last} of {requests}");
        let made = created(&env);
        assert!(made.iter().all(|(_, count)| *count == 1), "killed after {last}: {made:?}");
    }
}

/// How often each of our objects was made: by the audit log.
fn created(env: &TestEnv) -> Vec<(String, usize)> {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for request in env.eu.audit().unwrap() {
        if request.group == "stablekey.dev" && request.code == 201 && !request.uri.contains("dryRun") {
            *made.entry(format!("{}/{}", request.resource, request.name)).or_default() += 1;
        }
    }
    made.into_iter().collect()
}

/// Whatever fault a request meets: one run, or a second, ends the same.
#[test]
fn any_trouble_with_any_request_is_got_over() {
    let mut fair = workload("fair");
    let proxy = Proxy::to(fair.eu.cluster(), |_| Fate::Pass);
    fair.by(&proxy.kubeconfig);
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
    // Each request meets one of them; `make soak` has each meet all.
    let all = std::env::var_os("SOAK").is_some();
    let meets = |number: usize, fate: usize| all || number % fates.len() == fate;
    let faults = (1..=requests).flat_map(|number| (0..fates.len()).map(move |fate| (number, fate)));
    for (number, fate) in faults.filter(|(number, fate)| meets(*number, *fate)) {
        let fate = fates[fate].clone();
        let mut env = workload("troubled");
        let this = fate.clone();
        let proxy =
            Proxy::to(env.eu.cluster(), move |seen| if seen.number == number { this.clone() } else { Fate::Pass });
        env.by(&proxy.kubeconfig);
        let first = env.run(&["apply", "--yes"]);
        assert!(first.code == 0 || first.code == 1 || first.code == 2, "{fate:?} of {number}: {first:?}");
        env.straight();
        env.apply();
        assert_eq!(env.content(), expected, "{fate:?} of request {number}: {first:?}");
        assert!(created(&env).iter().all(|(_, count)| *count == 1), "{fate:?} of request {number}");
    }
}
