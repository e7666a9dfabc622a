//! Stages: a target of the next stage waits until the one before has the release and is Ready with it.
//!
//! The Ready conditions are set by kubectl, except in the last test, where a binder runs in the first stage.

use super::env::*;
use serde_json::{Value, json};
use stablekey_clusters::audit::Mark;
use stablekey_clusters::{Namespace, shared};
use stablekey_testing::objects::{Component, Document as _, Sync, secret, with};
use stablekey_testing::proxy::Fate;
use stablekey_testing::replica::{Replica, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const RELEASES: &str = "tenantsync/releases";

/// Tenant `us`, and the targets `eu` and `ap` of two stages.
struct StagedEnv {
    env: TestEnv,
    ap: Namespace<'static>,
}

fn staged(mode: &str, stages: &[&[&str]]) -> Value {
    with(Sync::new("releases", "us", "eu").mirror().stages(stages).json(), "/spec/mode", mode)
}

fn title(title: &str) -> Value {
    with(integration("lead", &["crm"]), "/spec/title", title)
}

/// Sets the Ready conditions of what the sync writes, for the current generation.
fn turn(namespace: &Namespace<'_>, status: &str) {
    for object in ["connection/crm", "integration/lead"] {
        let generation: i64 = field(namespace, object, ".metadata.generation").parse().unwrap();
        let ready = json!({
            "type": "Ready", "status": status, "reason": "Test", "message": "", "observedGeneration": generation,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let patch = json!({"status": {"conditions": [ready]}}).to_string();
        kubectl(namespace, &["patch", object, "--subresource=status", "--type=merge", "--patch", &patch]);
    }
}

impl StagedEnv {
    fn new(prefix: &str, mode: &str) -> Self {
        StagedEnv::with_connection(prefix, mode, connection("crm", "api"))
    }

    fn with_connection(prefix: &str, mode: &str, connection: Value) -> Self {
        let env = TestEnv::new(prefix);
        let ap = env.target("ap", shared("us"));
        env.in_us(&[connection, title("First"), staged(mode, &[&["eu"], &["ap"]])]);
        StagedEnv { env, ap }
    }

    /// Like `new`, with both targets in sync, and Ready.
    fn settled(prefix: &str) -> (Self, Replica) {
        let all = StagedEnv::new(prefix, "Apply");
        let syncer = all.env.syncer();
        for (name, namespace) in [("eu", &all.env.eu), ("ap", &all.ap)] {
            all.until_state(name, "InSync");
            turn(namespace, "True");
        }
        all.until_status(".release.stage", "");
        (all, syncer)
    }

    fn status(&self, path: &str) -> String {
        field(&self.env.us, RELEASES, &format!(".status{path}"))
    }

    fn of(&self, target: &str, path: &str) -> String {
        field(&self.env.us, RELEASES, &of_target(target, path))
    }

    #[track_caller]
    fn until_status(&self, path: &str, value: &str) {
        until_field(&self.env.us, RELEASES, &format!(".status{path}"), value);
    }

    #[track_caller]
    fn until_state(&self, target: &str, state: &str) {
        until_field(&self.env.us, RELEASES, &of_target(target, "state"), state);
    }

    /// Waits until a target waits, for this.
    #[track_caller]
    fn until_waits(&self, target: &str, why: &str) {
        let message = || self.of(target, "message");
        until(format!("{target} waits for {why}"), || {
            self.of(target, "state") == "AwaitingStage" && message().contains(why)
        });
    }

    fn title_in(namespace: &Namespace<'_>) -> String {
        field(namespace, "integration/lead", ".spec.title")
    }

    fn approve(&self, digest: &str) {
        kubectl(&self.env.us, &["annotate", "--overwrite", RELEASES, &format!("stablekey.dev/approve={digest}")]);
    }
}

fn is_empty(namespace: &Namespace<'_>) -> bool {
    kubectl(namespace, &["get", "connections,integrations", "-o", "name"]).is_empty()
}

/// "the next stage waits until each target of the one before has a receipt for this release and its integrations are Ready
/// there now, not before".
#[test]
fn a_stage_waits_until_the_one_before_is_ready_with_the_release() {
    let all = StagedEnv::new("stages", "Apply");
    let _syncer = all.env.syncer();
    all.until_state("eu", "InSync");
    all.until_waits("ap", "waits for stage 1: eu is not Ready with release sha256:");
    assert!(all.of("ap", "message").ends_with(": Integration/lead"), "{}", all.of("ap", "message"));
    assert!(is_empty(&all.ap));
    let release = all.status(".release.digest");
    assert_eq!((all.of("eu", "release"), all.of("ap", "release")), (release.clone(), String::new()));
    assert_eq!((all.of("eu", "stage"), all.of("ap", "stage")), ("1".to_string(), "2".to_string()));
    assert_eq!((all.status(".release.stage"), all.status(".to")), ("2".to_string(), "eu, then ap".to_string()));
    assert_eq!(all.of("ap", "counts.awaitingStage"), "2");
    assert_eq!(all.of("ap", "digest"), "", "nothing can be approved yet");
    let table = kubectl(&all.env.us, &["get", "tenantsyncs"]);
    assert!(table.contains("eu, then ap"), "{table}");

    // A person with access to the hub alone sees it too.
    let person = Person::approver(&all.env);
    let status = person.run(&["status"]);
    assert_eq!(status.code, 2, "{}", status.words());
    assert!(status.out.contains("releases → ap  AwaitingStage"), "{}", status.out);
    assert!(status.out.contains("eu is not Ready with release"), "{}", status.out);
    let plan = person.run(&["plan"]);
    assert_eq!(plan.code, 2, "{}", plan.words());
    assert!(plan.out.contains("waits for stage 1"), "{}", plan.out);
    let explained = person.run(&["explain", "ap"]);
    assert!(explained.out.contains("waits for stage 1"), "{}", explained.words());

    turn(&all.env.eu, "False");
    reconcile_again(&all.env, RELEASES, "still");
    assert!(is_empty(&all.ap));
    turn(&all.env.eu, "True");
    all.until_state("ap", "InSync");
    assert_eq!(StagedEnv::title_in(&all.ap), "First");
    all.until_status(".release.stage", "");
    assert_eq!(all.of("ap", "release"), release);
    assert!(person.run(&["status"]).code == 0);

    // Once it is through, an integration that is not Ready takes nothing back, and nothing is written.
    let marks: Vec<(&Namespace<'_>, Mark)> =
        [&all.env.eu, &all.ap].map(|namespace| (namespace, namespace.cluster().mark().unwrap())).into();
    turn(&all.env.eu, "False");
    reconcile_again(&all.env, RELEASES, "again");
    all.until_state("ap", "InSync");
    for (namespace, mark) in marks {
        assert_eq!(written(namespace, mark), [""; 0]);
    }
}

/// "approval per stage".
#[test]
fn each_stage_is_approved_for_itself() {
    let all = StagedEnv::new("stageapproval", "Plan");
    let _syncer = all.env.syncer();
    all.until_state("eu", "AwaitingApproval");
    all.until_waits("ap", "eu does not have release");
    assert!(all.of("ap", "message").contains("2 actions are left"), "{}", all.of("ap", "message"));
    let first = all.of("eu", "digest");
    assert_eq!(all.of("ap", "digest"), "");
    all.approve(&first);
    all.until_state("eu", "InSync");
    turn(&all.env.eu, "True");
    // The second stage is open, and what approved the first approves nothing of it.
    all.until_state("ap", "AwaitingApproval");
    let second = all.of("ap", "digest");
    assert!(second.starts_with("sha256:") && second != first, "{first} {second}");
    all.approve(&format!("{first},sha256:0000"));
    reconcile_again(&all.env, RELEASES, "again");
    assert!(is_empty(&all.ap));
    assert_eq!(all.of("ap", "state"), "AwaitingApproval");

    let person = Person::approver(&all.env);
    let approved = person.run(&["approve", "releases", "--tenant", "ap", "--digest", &second, "--yes"]);
    assert_eq!(approved.code, 0, "{}", approved.words());
    all.until_state("ap", "InSync");
    assert_eq!(StagedEnv::title_in(&all.ap), "First");
}

/// "a later change never overtakes".
#[test]
fn a_second_change_during_the_first_does_not_overtake() {
    let (all, _syncer) = StagedEnv::settled("overtake");
    let mark = all.ap.cluster().mark().unwrap();
    // The first change arrives in eu, which was Ready before it.
    all.env.in_us(&[title("Second")]);
    until_field(&all.env.eu, "integration/lead", ".spec.title", "Second");
    all.until_waits("ap", "eu is not Ready with release");
    let second = all.status(".release.digest");
    // Meanwhile comes another. The release that was on its way ends in eu.
    all.env.in_us(&[title("Third")]);
    until_field(&all.env.eu, "integration/lead", ".spec.title", "Third");
    until("the next release is on its way", || all.status(".release.digest") != second);
    all.until_waits("ap", "eu is not Ready with release");
    assert_eq!(StagedEnv::title_in(&all.ap), "First");
    turn(&all.env.eu, "True");
    until_field(&all.ap, "integration/lead", ".spec.title", "Third");
    all.until_state("ap", "InSync");
    let patches = written(&all.ap, mark).into_iter().filter(|write| write.contains("integrations/lead")).count();
    assert_eq!(patches, 1, "ap never had the second");
}

/// The release and its stages are in the status: another process goes on where the one before ended.
#[test]
fn a_restarted_operator_goes_on_with_the_release() {
    let (all, mut syncer) = StagedEnv::settled("restart");
    all.env.in_us(&[title("Second")]);
    until_field(&all.env.eu, "integration/lead", ".spec.title", "Second");
    all.until_waits("ap", "eu is not Ready with release");
    let release = || [".release.digest", ".release.began", ".release.stages"].map(|path| all.status(path));
    let before = release();
    syncer.signal("-KILL");
    syncer.end();
    // Meanwhile the stages are edited: they are fixed for the release on its way.
    all.env.in_us(&[staged("Apply", &[&["ap"], &["eu"]])]);
    let _syncer = all.env.syncer();
    reconcile_again_without_asking(&all);
    all.until_waits("ap", "eu is not Ready with release");
    assert_eq!(release(), before);
    assert_eq!(StagedEnv::title_in(&all.ap), "First");
    turn(&all.env.eu, "True");
    until_field(&all.ap, "integration/lead", ".spec.title", "Second");
    // Once it is through, the edit counts.
    until("the edit counts", || all.status(".release.stages").starts_with("[{\"to\":[\"ap\"]}"));
    assert_eq!((all.of("ap", "stage"), all.of("eu", "stage")), ("1".to_string(), "2".to_string()));
    assert_eq!(release()[0], before[0], "it is the same release");
}

/// Waits until the spec was observed, without a request to reconcile.
fn reconcile_again_without_asking(all: &StagedEnv) {
    let generation = field(&all.env.us, RELEASES, ".metadata.generation");
    all.until_status(".observedGeneration", &generation);
}

/// "targets are fixed when it begins": a target that is added takes part from the next release on, or when it is asked
/// for.
#[test]
fn stages_are_fixed_when_a_release_begins() {
    let (all, _syncer) = StagedEnv::settled("fixed");
    let west = all.env.target("west", shared("us"));
    all.env.in_us(&[title("Second")]);
    all.until_waits("ap", "eu is not Ready with release");
    all.env.in_us(&[staged("Apply", &[&["eu", "west"], &["ap"]])]);
    all.until_waits("west", "takes part from the next release on");
    assert!(is_empty(&west));
    // A request to reconcile makes the edit count, and west is in the first stage.
    reconcile_again(&all.env, RELEASES, "now");
    until_field(&west, "integration/lead", ".spec.title", "Second");
    all.until_waits("ap", "west is not Ready with release");
    assert_eq!(StagedEnv::title_in(&all.ap), "First");
    turn(&west, "True");
    turn(&all.env.eu, "True");
    all.until_state("ap", "InSync");
    assert_eq!(StagedEnv::title_in(&all.ap), "Second");
}

/// The sync with `to` instead of stages.
fn unstaged(to: &[&str]) -> Value {
    with(Sync::new("releases", "us", "eu").mirror().to(to).json(), "/spec/mode", "Apply")
}

/// "targets are fixed when it begins": with `to` instead of stages, the stages hold until the release is through.
#[test]
fn an_edit_to_to_opens_nothing_while_a_release_is_on_its_way() {
    let (all, mut syncer) = StagedEnv::settled("toto");
    all.env.in_us(&[title("Second")]);
    all.until_waits("ap", "eu is not Ready with release");
    let release = || [".release.digest", ".release.began", ".release.stages"].map(|path| all.status(path));
    let before = release();
    all.env.in_us(&[unstaged(&["eu", "ap"])]);
    reconcile_again_without_asking(&all);
    all.until_waits("ap", "eu is not Ready with release");
    assert_eq!((release(), all.status(".to")), (before.clone(), "eu, ap".to_string()));
    // Nor after a restart.
    syncer.signal("-KILL");
    syncer.end();
    all.env.in_us(&[unstaged(&["ap", "eu"])]);
    let _syncer = all.env.syncer();
    reconcile_again_without_asking(&all);
    all.until_waits("ap", "eu is not Ready with release");
    assert_eq!((release(), all.of("ap", "stage")), (before, "2".to_string()));
    assert_eq!(StagedEnv::title_in(&all.ap), "First");
    turn(&all.env.eu, "True");
    until_field(&all.ap, "integration/lead", ".spec.title", "Second");
    // Once it is through, the edit counts: every target is open.
    all.until_status(".release", "");
    all.env.in_us(&[title("Third")]);
    until_field(&all.ap, "integration/lead", ".spec.title", "Third");
    until_field(&all.env.eu, "integration/lead", ".spec.title", "Third");
    // From `to` to stages, the edit counts at once.
    all.env.in_us(&[staged("Apply", &[&["eu"], &["ap"]])]);
    all.until_status(".release.stages", "[{\"to\":[\"eu\"]},{\"to\":[\"ap\"]}]");
    all.env.in_us(&[title("Fourth")]);
    until_field(&all.env.eu, "integration/lead", ".spec.title", "Fourth");
    all.until_waits("ap", "eu is not Ready with release");
    // A person who asks for it has the edit count at once.
    all.env.in_us(&[unstaged(&["eu", "ap"])]);
    reconcile_again(&all.env, RELEASES, "now");
    until_field(&all.ap, "integration/lead", ".spec.title", "Fourth");
}

/// A target that has the release and is taken out holds nothing back.
#[test]
fn a_target_that_is_taken_out_keeps_its_receipt() {
    let (all, _syncer) = StagedEnv::settled("takenout");
    all.env.in_us(&[title("Second")]);
    all.until_waits("ap", "eu is not Ready with release");
    all.until_status(".release.receivedBy", "[\"eu\"]");
    all.env.in_us(&[staged("Apply", &[&["ap"]])]);
    until_field(&all.ap, "integration/lead", ".spec.title", "Second");
    all.until_status(".release.stages", "[{\"to\":[\"ap\"]}]");
    all.until_status(".release.stage", "");
}

/// What cannot be read is not known to be Ready.
#[test]
fn an_unreachable_target_holds_back_the_next_stage() {
    let (all, _syncer) = StagedEnv::settled("unreached");
    let is_down = Arc::new(AtomicBool::new(false));
    let down = is_down.clone();
    let proxy = all.env.proxy_to_eu(move |_| if down.load(Ordering::SeqCst) { Fate::CutBefore } else { Fate::Pass });
    until("the proxy is in use", || proxy.seen().iter().any(|seen| seen.path.contains("/integrations")));
    all.until_state("eu", "InSync");
    is_down.store(true, Ordering::SeqCst);
    proxy.cut_watches();
    all.env.in_us(&[title("Second")]);
    all.until_state("eu", "Unreachable");
    all.until_waits("ap", "waits for stage 1: eu cannot be read");
    assert_eq!(StagedEnv::title_in(&all.ap), "First");
    is_down.store(false, Ordering::SeqCst);
    until_field(&all.env.eu, "integration/lead", ".spec.title", "Second");
    turn(&all.env.eu, "True");
    until_field(&all.ap, "integration/lead", ".spec.title", "Second");
}

/// With a real binder in the first stage: a secret that is missing there holds back the next.
#[test]
fn a_missing_secret_of_the_first_stage_holds_back_the_next() {
    let all = StagedEnv::with_connection(
        "bound",
        "Apply",
        with(connection("crm", "api"), "/spec/credentials", "OrganizationGlobal"),
    );
    all.env.in_eu(&[Component::new("salesforce/oauth2")
        .has_input("scopes")
        .requires("clientSecret")
        .has_secret("clientSecret")
        .json()]);
    let _syncer = all.env.syncer();
    let _binder =
        Replica::start(&all.env.eu, &["--role", "binder", "--lease-duration", "3s", "--request-timeout", "5s"]);
    all.until_state("eu", "InSync");
    until_field(&all.env.eu, "connection/crm", ".status.conditions[?(@.type==\"Ready\")].status", "False");
    all.until_waits("ap", "eu is not Ready with release");
    assert!(is_empty(&all.ap));
    let app = secret("app", json!({"clientSecret": "it"}));
    let app = with(app, "/metadata/labels", json!({"stablekey.dev/for": "connections"}));
    all.env.in_eu(&[with(app, "/metadata/annotations", json!({"stablekey.dev/keys": "crm"}))]);
    all.until_state("ap", "InSync");
    assert_eq!(StagedEnv::title_in(&all.ap), "First");
}
