//! Two replicas, one active.

use stablekey_clusters::{Namespace, run, run_with_input, shared};
use stablekey_testing::replica::{Replica, account, command, until};
use std::time::{Duration, Instant};

/// Short, so that tests need not wait; whole seconds, as a Lease can say.
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

/// Two replicas, of which the first leads and the second stands by.
fn two(namespace: &Namespace<'_>) -> (Replica, Replica) {
    let mut first = replica(namespace, "first");
    first.says("leads");
    let second = replica(namespace, "second");
    until("the second stands by", || second.get("/readyz").body == "binder: standby\n");
    assert!(first.leads("binder") && !second.leads("binder"));
    (first, second)
}

#[test]
fn of_two_one_leads_and_keeps_its_lease() {
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
    // One account with the rights of both.
    let binder = account(&namespace, "binder");
    account(&namespace, "syncer");
    let user = format!("--serviceaccount={}:stablekey-binder", namespace.name());
    for role in ["stablekey-syncer", "stablekey-lease-syncer"] {
        run(namespace.kubectl().args(["create", "rolebinding", &format!("both-{role}"), "--role", role, &user]))
            .unwrap();
    }
    let mut both = Replica::by(command(&namespace, &binder, &["--role", "both"]));
    both.says("leads");
    both.says("leads");
    let names = run(namespace.kubectl().args(["get", "leases", "-o", "name"])).unwrap();
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        ["stablekey-binder", "stablekey-syncer"].map(|n| format!("lease.coordination.k8s.io/{n}"))
    );
    until("both have read what there is", || both.get("/readyz").body == "binder: leads\nsyncer: leads\n");
}

#[test]
fn after_a_holder_that_was_killed_another_leads_when_the_lease_has_ended() {
    let namespace = namespace();
    let (mut first, mut second) = two(&namespace);
    first.signal("-KILL");
    first.end();
    let killed = Instant::now();
    second.says("leads");
    let took = killed.elapsed();
    // It was renewed at most a third of its time before.
    assert!(took > LASTS / 3 && took < LASTS * 3, "{took:?}");
    assert!(second.leads("binder"));
    assert_eq!(lease(&namespace, "leaseTransitions"), "1");
}

#[test]
fn a_holder_that_is_asked_to_end_releases_and_another_leads_at_once() {
    let namespace = namespace();
    let long = ["--role", "binder", "--lease-duration", "600s"];
    let mut first = Replica::start(&namespace, &long);
    first.says("leads");
    let asked = Instant::now();
    first.signal("-TERM");
    assert!(first.end().success(), "{:?}", first.log);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(lease(&namespace, "holderIdentity"), "");
    assert!(first.log.iter().any(|line| line.contains("released the Lease")), "{:?}", first.log);
    // The next does not wait for the ten minutes.
    let mut second = Replica::start(&namespace, &long);
    second.says("leads");
    assert!(lease(&namespace, "holderIdentity").len() > 1);
}

#[test]
fn one_that_stands_by_takes_over_from_one_that_is_asked_to_end() {
    let namespace = namespace();
    let (mut first, mut second) = two(&namespace);
    first.signal("-INT");
    second.says("leads");
    assert_eq!(first.end().code(), Some(0));
}

#[test]
fn one_that_was_stopped_for_longer_than_the_lease_knows_at_once() {
    let namespace = namespace();
    let (mut first, mut second) = two(&namespace);
    first.signal("-STOP");
    second.says("leads");
    first.signal("-CONT");
    // The first thing that it says.
    assert!(!first.leads("binder"));
    first.says("stands by");
    assert!(second.leads("binder"));
    // It waits for its turn.
    second.signal("-TERM");
    first.says("leads");
    assert!(first.leads("binder"));
}

#[test]
fn while_the_lease_cannot_be_renewed_it_is_lost_and_taken_again_later() {
    let cluster = stablekey_clusters::Cluster::start(&stablekey_clusters::Options::named("frozen")).unwrap();
    cluster.install_crds().unwrap();
    let namespace = cluster.namespace("lease");
    let mut only = replica(&namespace, "only");
    only.says("leads");
    cluster.pause().unwrap();
    only.says("lost the Lease");
    assert!(!only.leads("binder"));
    until("it says what it waits for", || only.get("/readyz").code == 503);
    let waits = only.get("/readyz").body;
    assert!(waits.starts_with("binder: waits for Lease stablekey-binder in namespace lease-0: no answer"), "{waits}");
    cluster.resume().unwrap();
    only.says("leads");
    until("it has read what there is", || only.get("/readyz").code == 200);
}

#[test]
fn a_lease_that_somebody_deletes_is_made_again_by_its_holder() {
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

/// Somebody edits how long it lasts, and its holder is gone.
#[test]
fn a_lease_that_says_it_lasts_for_years_or_nothing_at_all_is_taken_over() {
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
        replica.says("leads");
        let took = start.elapsed();
        assert!(took > Duration::from_secs(2) && took < Duration::from_secs(most), "{took:?}");
        assert_eq!(self::lease(&namespace, "leaseDurationSeconds"), "2");
        drop(replica);
        run(namespace.kubectl().args(["delete", "lease", "stablekey-binder"])).unwrap();
    }
}

/// Of a holder that lives an edit takes nothing.
#[test]
fn a_holder_whose_lease_is_edited_goes_on_leading() {
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
fn without_the_right_to_leases_it_waits_and_says_so() {
    let namespace = namespace();
    let nobody = namespace.cluster().user("nobody", None).unwrap();
    let mut replica = Replica::by(command(&namespace, &nobody, &BINDER));
    let said = replica.says("cannot be asked for");
    assert!(said["why"].as_str().unwrap().contains("cannot get resource \"leases\""), "{said}");
    let ready = replica.get("/readyz");
    assert_eq!(ready.code, 503);
    assert!(ready.body.contains("User \"nobody\" cannot get resource \"leases\""), "{}", ready.body);
    assert_eq!(replica.get("/healthz").code, 200);
    replica.signal("-TERM");
    assert!(replica.end().success());
}

#[test]
fn the_rights_that_the_documentation_gives_are_enough() {
    let namespace = namespace();
    let documentation = include_str!("../../../docs/operator.md");
    let about_leases = |part: &&str| part.contains("coordination.k8s.io");
    let rules = documentation.split("```yaml\n").find(about_leases).unwrap().split("```").next().unwrap();
    let role = format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: leases}}\n{rules}");
    run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), &role).unwrap();
    run(namespace.kubectl().args(["create", "rolebinding", "leases", "--role=leases", "--user=operator"])).unwrap();
    let operator = namespace.cluster().user("operator", None).unwrap();
    let mut replica = Replica::by(command(&namespace, &operator, &BINDER));
    replica.says("leads");
    let renewed = lease(&namespace, "renewTime");
    until("it is renewed", || lease(&namespace, "renewTime") != renewed);
    replica.signal("-TERM");
    assert!(replica.end().success());
    assert_eq!(lease(&namespace, "holderIdentity"), "");
}
