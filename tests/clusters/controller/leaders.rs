//! Leader election between two replicas.

use stablekey_clusters::{Namespace, run, run_with_input, shared};
use stablekey_testing::replica::{Replica, account, command, until};
use std::time::{Duration, Instant};

/// A short Lease, so that tests need not wait; in whole seconds, because a Lease has no fractions.
const LASTS: Duration = Duration::from_secs(6);
const BINDER: [&str; 4] = ["--role", "binder", "--lease-duration", "6s"];

fn namespace() -> Namespace<'static> {
    shared("us").namespace("lease")
}

fn replica(namespace: &Namespace<'_>, name: &str) -> Replica {
    Replica::start(namespace, &[&BINDER[..], &["--pod-name", name]].concat())
}

fn lease(namespace: &Namespace<'_>, field: &str) -> String {
    let path = format!("jsonpath={{.spec.{field}}}");
    run(namespace.kubectl().args(["get", "lease", "stablekey-binder", "-o", &path])).unwrap()
}

/// Starts two replicas: the first leads, and the second stands by.
fn two(namespace: &Namespace<'_>) -> (Replica, Replica) {
    let mut first = replica(namespace, "first");
    first.wait_for_log("leads");
    let second = replica(namespace, "second");
    until("the second stands by", || second.get("/readyz").body == "binder: standby\n");
    assert!(first.leads("binder") && !second.leads("binder"));
    (first, second)
}

#[test]
fn one_of_two_replicas_leads_and_keeps_its_lease() {
    let namespace = namespace();
    let (first, second) = two(&namespace);
    assert!(lease(&namespace, "holderIdentity").starts_with("first_"));
    assert_eq!(lease(&namespace, "leaseDurationSeconds"), "6");
    let renewed = lease(&namespace, "renewTime");
    let start = Instant::now();
    until("it was renewed for longer than it lasts", || {
        assert!(first.leads("binder") && !second.leads("binder"));
        start.elapsed() > LASTS + LASTS / 3
    });
    assert_ne!(lease(&namespace, "renewTime"), renewed);
    assert_eq!(lease(&namespace, "leaseTransitions"), "0");
}

#[test]
fn two_roles_have_two_leases() {
    let namespace = namespace();
    // One account with the permissions of both roles.
    let binder = account(&namespace, "binder");
    account(&namespace, "syncer");
    let user = format!("--serviceaccount={}:stablekey-binder", namespace.name());
    for role in ["stablekey-syncer", "stablekey-lease-syncer"] {
        run(namespace.kubectl().args(["create", "rolebinding", &format!("both-{role}"), "--role", role, &user]))
            .unwrap();
    }
    let mut both = Replica::by(command(&namespace, &binder, &["--role", "both"]));
    both.wait_for_log("leads");
    both.wait_for_log("leads");
    let names = run(namespace.kubectl().args(["get", "leases", "-o", "name"])).unwrap();
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        ["stablekey-binder", "stablekey-syncer"].map(|n| format!("lease.coordination.k8s.io/{n}"))
    );
    until("both have read what there is", || both.get("/readyz").body == "binder: leads\nsyncer: leads\n");
}

#[test]
fn after_a_kill_another_replica_leads_when_the_lease_expires() {
    let namespace = namespace();
    let (mut first, mut second) = two(&namespace);
    first.signal("-KILL");
    first.end();
    let killed = Instant::now();
    second.wait_for_log("leads");
    let took = killed.elapsed();
    // It was renewed at most a third of its duration before.
    assert!(took > LASTS / 3 && took < LASTS * 3, "{took:?}");
    assert!(second.leads("binder"));
    assert_eq!(lease(&namespace, "leaseTransitions"), "1");
}

#[test]
fn a_terminated_leader_releases_the_lease_at_once() {
    let namespace = namespace();
    let long = ["--role", "binder", "--lease-duration", "600s"];
    let mut first = Replica::start(&namespace, &long);
    first.wait_for_log("leads");
    let asked = Instant::now();
    first.signal("-TERM");
    assert!(first.end().success(), "{:?}", first.log);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(lease(&namespace, "holderIdentity"), "");
    assert!(first.log.iter().any(|line| line.contains("released the Lease")), "{:?}", first.log);
    // The next holder does not wait for the ten minutes.
    let mut second = Replica::start(&namespace, &long);
    second.wait_for_log("leads");
    assert!(lease(&namespace, "holderIdentity").len() > 1);
}

#[test]
fn a_standby_takes_over_from_a_terminated_leader() {
    let namespace = namespace();
    let (mut first, mut second) = two(&namespace);
    first.signal("-INT");
    second.wait_for_log("leads");
    assert_eq!(first.end().code(), Some(0));
}

#[test]
fn a_suspended_leader_notices_the_lost_lease_at_once() {
    let namespace = namespace();
    let (mut first, mut second) = two(&namespace);
    first.signal("-STOP");
    second.wait_for_log("leads");
    first.signal("-CONT");
    // Its first answer after it continues.
    assert!(!first.leads("binder"));
    first.wait_for_log("stands by");
    assert!(second.leads("binder"));
    // It stands by.
    second.signal("-TERM");
    first.wait_for_log("leads");
    assert!(first.leads("binder"));
}

#[test]
fn an_unrenewable_lease_is_lost_and_acquired_again_later() {
    let cluster = stablekey_clusters::Cluster::start(&stablekey_clusters::Options::named("frozen")).unwrap();
    cluster.install_crds().unwrap();
    let namespace = cluster.namespace("lease");
    let mut only = replica(&namespace, "only");
    only.wait_for_log("leads");
    cluster.pause().unwrap();
    only.wait_for_log("lost the Lease");
    assert!(!only.leads("binder"));
    // First it stands by; an answer of its probe has code and text together.
    let waits = "binder: waits for Lease stablekey-binder in namespace lease-0: no answer";
    until("it says what it waits for", || {
        let probe = only.get("/readyz");
        probe.code == 503 && probe.body.starts_with(waits)
    });
    cluster.resume().unwrap();
    only.wait_for_log("leads");
    until("it has read what there is", || only.get("/readyz").code == 200);
}

#[test]
fn a_deleted_lease_is_created_again_by_its_holder() {
    let namespace = namespace();
    let (first, second) = two(&namespace);
    let holder = lease(&namespace, "holderIdentity");
    let uid = |namespace: &Namespace<'_>| {
        run(namespace.kubectl().args([
            "get",
            "lease",
            "stablekey-binder",
            "--ignore-not-found",
            "-o",
            "jsonpath={.metadata.uid}",
        ]))
        .unwrap()
    };
    let before = uid(&namespace);
    run(namespace.kubectl().args(["delete", "lease", "stablekey-binder"])).unwrap();
    until("it is there again", || ![String::new(), before.clone()].contains(&uid(&namespace)));
    assert_eq!(lease(&namespace, "holderIdentity"), holder);
    assert!(first.leads("binder") && !second.leads("binder"));
}

/// Somebody edits the duration, and the holder is gone.
#[test]
fn a_lease_with_an_absurd_duration_is_taken_over() {
    let namespace = namespace();
    let short = ["--role", "binder", "--lease-duration", "2s"];
    for (lasts, most) in [("leaseDurationSeconds: 2147483647, ", 60), ("", 20)] {
        let spec = format!("{{{lasts}holderIdentity: gone, renewTime: '2026-01-01T00:00:00.000000Z'}}");
        let lease = format!(
            "{{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {{name: stablekey-binder}}, spec: {spec}}}"
        );
        let start = Instant::now();
        run_with_input(namespace.kubectl().args(["create", "-f", "-"]), &lease).unwrap();
        let mut replica = Replica::start(&namespace, &short);
        replica.wait_for_log("leads");
        let took = start.elapsed();
        assert!(took > Duration::from_secs(2) && took < Duration::from_secs(most), "{took:?}");
        assert_eq!(self::lease(&namespace, "leaseDurationSeconds"), "2");
        drop(replica);
        run(namespace.kubectl().args(["delete", "lease", "stablekey-binder"])).unwrap();
    }
}

/// A running holder does not lose the Lease by an edit.
#[test]
fn a_holder_keeps_leading_after_its_lease_is_edited() {
    let namespace = namespace();
    let (first, second) = two(&namespace);
    for lasts in ["2147483647", "1", "null"] {
        let patch = format!("{{\"spec\": {{\"leaseDurationSeconds\": {lasts}}}}}");
        run(namespace.kubectl().args(["patch", "lease", "stablekey-binder", "--type=merge", "-p", &patch])).unwrap();
        until("it is as its holder says", || lease(&namespace, "leaseDurationSeconds") == "6");
        assert!(first.leads("binder") && !second.leads("binder"), "{lasts}");
    }
    assert_eq!(lease(&namespace, "leaseTransitions"), "0");
}

#[test]
fn without_permission_for_leases_it_waits_and_reports_it() {
    let namespace = namespace();
    let nobody = namespace.cluster().user("nobody", None).unwrap();
    let mut replica = Replica::by(command(&namespace, &nobody, &BINDER));
    let said = replica.wait_for_log("cannot be read or written");
    assert!(said["why"].as_str().unwrap().contains("cannot get resource \"leases\""), "{said}");
    let ready = replica.get("/readyz");
    assert_eq!(ready.code, 503);
    assert!(ready.body.contains("User \"nobody\" cannot get resource \"leases\""), "{}", ready.body);
    assert_eq!(replica.get("/healthz").code, 200);
    replica.signal("-TERM");
    assert!(replica.end().success());
}

#[test]
fn the_documented_permissions_are_enough() {
    let namespace = namespace();
    let documentation = include_str!("../../../docs/operator.md");
    let about_leases = |part: &&str| part.contains("coordination.k8s.io");
    let rules = documentation.split("```yaml\n").find(about_leases).unwrap().split("```").next().unwrap();
    let role = format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: leases}}\n{rules}");
    run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), &role).unwrap();
    run(namespace.kubectl().args(["create", "rolebinding", "leases", "--role=leases", "--user=operator"])).unwrap();
    let operator = namespace.cluster().user("operator", None).unwrap();
    let mut replica = Replica::by(command(&namespace, &operator, &BINDER));
    replica.wait_for_log("leads");
    let renewed = lease(&namespace, "renewTime");
    until("it is renewed", || lease(&namespace, "renewTime") != renewed);
    replica.signal("-TERM");
    assert!(replica.end().success());
    assert_eq!(lease(&namespace, "holderIdentity"), "");
}
