//! A sync with stages: the next stage waits until each target of the one before has the release, and is Ready with it.

use stablekey::engine::model::code::Code;
use stablekey::engine::model::inventory::Ready;
use stablekey::engine::model::plan::Scope;
use stablekey::engine::model::record::Writer;
use stablekey::engine::model::stages::{Release, Underway};
use stablekey::engine::plan::simulate;
use stablekey::engine::promote::SourceSide;
use stablekey::engine::resolve::Replacements;
use stablekey::engine::stages;
use stablekey_testing::world::{Given, Planned, world};
use std::collections::{BTreeMap, BTreeSet};

const DEV: &str = "dev-2/Integration/i";
const US: &str = "us/Integration/i";
const EU: &str = "eu/Integration/i";

/// dev copies a connection and an integration to dev-2, and then to us and eu.
fn releases() -> Given {
    world()
        .tenant("dev", |t| {
            t.in_folder().connection("crm", "http/basic").title("CRM").integration("i").title("I").binds("CRM", "crm")
        })
        .tenant("dev-2", |t| t.in_folder().accepts("dev").allows_delete())
        .tenant("us", |t| t.in_folder().accepts("dev").allows_delete())
        .tenant("eu", |t| t.in_folder().accepts("dev").allows_delete())
        .sync("s", "dev", "dev-2")
        .mirror()
        .prune()
        .stages(&[&["dev-2"], &["us", "eu"]])
}

/// The source changes the title of the integration.
fn retitled(given: Given, title: &str) -> Given {
    given.tenant("dev", |t| t.edit("Integration/i").title(title))
}

fn release(given: &Given) -> Release {
    let source = given.live("dev");
    let replacements = Replacements::of("dev", source);
    let sync = given.world.syncs.iter().find(|sync| sync.writer == writer()).unwrap();
    stages::release(sync, SourceSide { tenant: "dev", inventory: source, replacements: &replacements })
}

fn writer() -> Writer {
    Writer::Sync("s".into())
}

/// An operator remembers that these targets have a receipt for the release of now.
fn with_receipts(mut given: Given, of: &[&str]) -> Given {
    let release = release(&given).digest.to_string();
    let stages = given.world.syncs.iter().find(|sync| sync.writer == writer()).unwrap().spec.stages.clone();
    let received = of.iter().map(ToString::to_string).collect();
    given.world.underway = Some([(writer(), Underway { release, stages, received })].into());
    given
}

/// Its actions are in the plan and are not carried out, as those of a suspended tenant; the exit code is 2 in both.
///
/// "the next stage waits until each target of the one before has a receipt for this release".
#[test]
fn a_later_stage_waits_until_the_one_before_has_the_release() {
    let first = releases().plan();
    first.action(DEV).is_create();
    let why = first.waits(US);
    assert!(why.starts_with("waits for stage 1: dev-2 does not have release sha256:"), "{why}");
    assert!(why.ends_with(": 2 actions are left"), "{why}");
    first.waits(EU);
    first.exits(2);
    assert_eq!((first.plan.counts.create, first.plan.counts.waiting), (2, 4));
    // Applied as far as it goes, the next stage opens.
    let second = first.done().plan();
    second.waits_for_no_stage().action(US).is_create();
    second.action(EU).is_create();
    second.leaves_alone(DEV);
    second.done().plan().is_empty().exits(0);
}

#[test]
fn what_only_waits_is_not_done_and_the_exit_code_says_so() {
    let w = releases().tenant("dev-2", |t| t.suspended());
    let plan = w.plan();
    let why = plan.waits(US);
    assert!(why.contains("dev-2 is suspended, and 2 actions wait there"), "{why}");
    assert!(plan.plan.writes_nothing() && !plan.plan.is_empty());
    assert_eq!((plan.plan.exit, plan.plan.exit_of_apply()), (2, 2));
    // In a suspended tenant it counts in a plan only.
    let all = w.tenant("us", |t| t.suspended()).tenant("eu", |t| t.suspended()).plan();
    assert_eq!((all.plan.exit, all.plan.exit_of_apply()), (2, 0));
}

/// "and its integrations are Ready there now, not before".
#[test]
fn a_later_stage_waits_until_the_integrations_are_ready_with_the_release() {
    // A namespace reports whether an integration is ready.
    let ready = |given: Given, ready| given.tenant("dev-2", |t| t.reports("i", ready));
    let w = world()
        .tenant("dev", |t| t.integration("i").title("I"))
        .tenant("dev-2", |t| t.accepts("dev"))
        .tenant("us", |t| t.accepts("dev"))
        .sync("s", "dev", "dev-2")
        .stages(&[&["dev-2"], &["us"]]);
    let w = w.applied();
    let why = w.plan().waits(US);
    let digest = release(&w).digest.to_string();
    let short = &digest[.."sha256:".len() + 12];
    assert_eq!(why, format!("waits for stage 1: dev-2 is not Ready with release {short}: Integration/i"));
    for not_yet in [Ready::No, Ready::Was] {
        ready(w.clone(), not_yet).plan().waits(US);
    }
    let through = ready(w, Ready::Yes);
    through.plan().waits_for_no_stage().action(US).is_create();
    // Once it has changed there, what was Ready before says nothing.
    let again = retitled(through.applied(), "II").applied();
    ready(again.clone(), Ready::Was).plan().waits(US);
    ready(again, Ready::Yes).plan().action(US).is_update().sets("title");
}

/// "Ready in a directory: the definition is complete".
#[test]
fn in_a_folder_an_integration_is_ready_if_its_definition_is_complete() {
    let component = |t: stablekey_testing::world::GivenTenant| t.component("http/basic").requires("host");
    let w = releases().tenant("dev", component).tenant("dev-2", component).applied();
    let why = w.plan().waits(US);
    assert!(why.contains("dev-2 is not Ready with release sha256:") && why.ends_with(": Integration/i"), "{why}");
    let complete = w.tenant("dev-2", |t| t.edit("Connection/crm").input("host", "h"));
    complete.plan().waits_for_no_stage().action(US).is_create();
}

/// "a later change never overtakes": the newer one goes to the first stage, and what it superseded ends where it is.
#[test]
fn a_newer_change_goes_through_the_stages_from_the_first() {
    let through_dev = releases().applied();
    // us has the first release, eu has not.
    let half = through_dev.plan_of(&Scope { tenants: BTreeSet::from(["us".to_string()]), ..Scope::default() }).done();
    half.plan().leaves_alone(US).action(EU).is_create();
    let newer = retitled(half, "II");
    let plan = newer.plan();
    plan.action(DEV).is_update().sets("title");
    plan.waits(US);
    plan.waits(EU);
    let second = plan.done().plan();
    second.action(US).is_update();
    second.action(EU).is_create();
    second.done().plan().is_empty();
    // Taken back before the first stage had it, nothing waits any more.
    retitled(newer, "I").plan().leaves_alone(DEV).waits_for_no_stage().action(EU).is_create();
}

#[test]
fn what_is_unresolved_in_a_stage_holds_back_the_next() {
    // Drift that is left.
    let w = releases().applied().tenant("dev-2", |t| t.edit("Integration/i").title("theirs"));
    let why = retitled(w.clone(), "II").plan().waits(US);
    assert!(why.ends_with(": 1 thing is unresolved"), "{why}");
    let corrected = w.tenant("dev-2", |t| t.drift(stablekey::api::Drift::Correct));
    retitled(corrected, "II").plan().action(DEV).is_update();
    // A blocked integration.
    let blocked = releases().tenant("dev-2", |t| t.connection("crm", "other/basic"));
    let plan = blocked.plan();
    plan.blocks(DEV, Code::Occupied);
    assert!(plan.waits(US).contains("unresolved"));
    // A sync that is not accepted.
    let refused = releases().tenant("dev-2", |t| t.accepts_nobody());
    let why = refused.plan().waits(US);
    assert!(why.contains(Code::SyncNotAccepted.as_str()), "{why}");
    // A tenant that cannot be read is never done; one that is not there neither.
    let unread = releases().tenant("dev-2", |t| t.unreachable()).plan();
    assert!(unread.waits(US).contains("dev-2 cannot be read: no route to host"));
    let absent = releases().without_tenant("dev-2").plan();
    assert!(absent.waits(US).contains("there is no Tenant dev-2"));
    absent.exits(1);
}

#[test]
fn a_value_that_a_target_keeps_holds_back_nothing() {
    let w = releases().tenant("dev-2", |t| t.connection("crm", "http/basic").title("CRM").input("note", "own"));
    w.applied().plan().waits_for_no_stage().action(US).is_create();
}

/// The other writers of a tenant go on; what depends on something that waits, waits with it.
#[test]
fn other_writers_of_a_tenant_go_on_while_a_stage_waits() {
    let w =
        releases().tenant("us", |t| t.declares().connection("own", "http/basic").integration("j").binds("V", "own"));
    let plan = w.plan();
    plan.action("us/Connection/own").is_create();
    plan.action("us/Integration/j").is_create();
    plan.waits(US);
    let depends = releases()
        .tenant("ap", |t| t.in_folder().connection("crm", "http/basic").integration("j").title("J").binds("V", "crm"))
        .tenant("us", |t| t.accepts("ap"))
        .sync("other", "ap", "us");
    let plan = depends.plan();
    plan.waits("us/Integration/j");
    plan.blocks_nothing().exits(2);
    let done = plan.done().plan();
    done.action("us/Integration/j").waits_for("us/Connection/crm");
}

/// Two syncs with opposite stages share an object: neither waits for the other for ever.
#[test]
fn a_shared_object_waits_only_for_the_sync_that_waits() {
    let w = world()
        .tenant("dev", |t| {
            t.in_folder()
                .connection("crm", "http/basic")
                .title("CRM")
                .integration("i")
                .title("I")
                .binds("CRM", "crm")
                .integration("j")
                .title("J")
                .binds("CRM", "crm")
        })
        .tenant("us", |t| t.in_folder().accepts("dev"))
        .tenant("eu", |t| t.in_folder().accepts("dev"))
        .sync("a", "dev", "us")
        .mirror()
        .of_integrations(&["i"])
        .stages(&[&["us"], &["eu"]])
        .sync("b", "dev", "us")
        .mirror()
        .of_integrations(&["j"])
        .stages(&[&["eu"], &["us"]]);
    let plan = w.plan();
    assert_eq!(plan.action("us/Connection/crm").is_create().writers(), ["sync/a"]);
    assert_eq!(plan.action("eu/Connection/crm").is_create().writers(), ["sync/b"]);
    plan.waits("us/Integration/j");
    plan.waits("eu/Integration/i");
    let mut given = plan.done();
    // An operator without receipts yet: that b will own the connection in us too waits for b alone.
    let mut of_operator = given.clone();
    of_operator.world.underway = Some(BTreeMap::new());
    let plan = of_operator.plan();
    plan.waits("us/Connection/crm");
    let [a, b] = ["a", "b"].map(|name| Writer::Sync(name.to_string()));
    assert_eq!((plan.target("us").waiting_of(&a).count(), plan.target("us").waiting_of(&b).count()), (0, 2));
    assert_eq!((plan.target("eu").waiting_of(&a).count(), plan.target("eu").waiting_of(&b).count()), (2, 0));
    for _ in 0..3 {
        given = given.applied();
    }
    given.plan().is_empty().exits(0);
    assert!(given.has("us/Integration/j") && given.has("eu/Integration/i"));
}

/// "approval per stage": a digest of one target approves nothing of another, and what waits has none to use.
#[test]
fn what_waits_has_no_digest_among_those_that_can_be_approved() {
    let plan = releases().plan();
    assert!(plan.target("us").digests.is_empty() && !plan.target("dev-2").digests.is_empty());
    let waits = plan.target("us").stages[&writer()].digest.clone().unwrap();
    assert!(plan.target("dev-2").digests.values().all(|digest| *digest != waits));
    // When the stage opens, the digest is the same: nothing else changed there.
    let open = plan.done().plan();
    assert_eq!(open.target("us").digests["sync/s"], waits);
}

/// "digest of what the sync carries, before overrides".
#[test]
fn a_release_is_what_the_source_has_and_nothing_else() {
    let base = releases();
    let digest = |given: &Given| release(given).digest;
    let same = [
        base.clone().overriding_field("us", "crm", "title", "US"),
        base.clone().tenant("us", |t| t.connection("crm", "http/basic").title("other")),
        base.clone().tenant("dev", |t| t.edit("Connection/crm").test_input("user", "u")),
        base.clone().tenant("dev", |t| t.edit("Integration/i").label("team", "a")),
        base.clone().tenant("dev", |t| t.connection("unused", "http/basic")),
        base.clone().tenant("dev", |t| t.customer("Acme", "crm")),
        base.clone().stages(&[&["us"], &["dev-2"]]),
    ];
    for given in &same {
        assert_eq!(digest(given), digest(&base));
    }
    let others = [
        retitled(base.clone(), "II"),
        base.clone().tenant("dev", |t| t.edit("Connection/crm").input("scopes", "api")),
        base.clone().tenant("dev", |t| t.edit("Integration/i").defined("0123")),
        base.clone().tenant("dev", |t| t.integration("k").title("K")),
        base.clone().of_integrations(&["none-*"]),
    ];
    let digests: BTreeSet<_> = others.iter().map(digest).collect();
    assert_eq!(digests.len(), others.len());
    assert!(!digests.contains(&digest(&base)));
    // A sync that writes no connection carries none.
    let matching = |given: &Given| {
        let mut given = given.clone();
        std::sync::Arc::make_mut(&mut given.world.syncs[0].spec).connections = None;
        digest(&given)
    };
    assert_eq!(matching(&others[1]), matching(&base));
}

/// A literal that its type calls a secret never crosses: no digest tells of it.
#[test]
fn a_release_has_no_digest_of_a_secret() {
    let with = |value: &str| {
        releases()
            .tenant("dev", |t| t.component("http/basic").has_secret("pin").edit("Connection/crm").input("pin", value))
    };
    assert_eq!(release(&with("1234")).digest, release(&with("5678")).digest);
}

/// Where an operator remembers receipts, a stage needs them as well as what is live.
#[test]
fn an_operator_needs_the_receipts_of_the_stage_before() {
    let w = releases().applied();
    let why = with_receipts(w.clone(), &[]).plan().waits(US);
    assert!(why.contains("dev-2 has no receipt for release sha256:"), "{why}");
    with_receipts(w.clone(), &["dev-2"]).plan().waits_for_no_stage().action(US).is_create();
    // A receipt for another release is none, and one that is no longer true opens nothing.
    let stale = retitled(with_receipts(w.clone(), &["dev-2"]), "II").applied();
    stale.plan().waits(US);
    let moved = with_receipts(w, &["dev-2"]).tenant("dev-2", |t| t.without("Integration/i"));
    moved.plan().action(DEV).is_create();
    moved.plan().waits(US);
}

/// "targets are fixed when it begins".
#[test]
fn the_stages_are_those_of_when_the_release_began() {
    let began = with_receipts(releases().applied(), &[]);
    // Moved to the first stage meanwhile, us still waits.
    let edited = began.clone().stages(&[&["dev-2", "us"], &["eu"]]);
    edited.plan().waits(US);
    // A target that was added takes part from the next release on.
    let added = began.clone().tenant("ap", |t| t.in_folder().accepts("dev")).stages(&[&["dev-2", "ap"], &["us", "eu"]]);
    let why = added.plan().waits("ap/Integration/i");
    assert!(why.starts_with("takes part from the next release on"), "{why}");
    // One that was taken out is not written, and holds back the rest unless it had the release.
    let out = began.stages(&[&["us", "eu"]]);
    let why = out.plan().waits(US);
    assert!(why.contains("dev-2 was taken out of the stages before it had release sha256:"), "{why}");
    let mut had = out;
    let underway = had.world.underway.as_mut().unwrap().get_mut(&writer()).unwrap();
    underway.received.insert("dev-2".into());
    had.plan().waits_for_no_stage().action(US).is_create();
    // With the next release the edit counts.
    let mut next = retitled(edited, "II");
    let carried = release(&next).digest.to_string();
    let spec = next.world.syncs[0].spec.clone();
    let underway = next.world.underway.as_mut().unwrap().get_mut(&writer()).unwrap();
    assert!(underway.goes_on(Some(&carried), &spec.stages, false));
    next.plan().action(US).is_create();
}

/// "targets are fixed when it begins": an edit to `to`, or to one stage, opens nothing while a release is on its way.
#[test]
fn an_edit_to_to_opens_nothing_while_a_release_is_on_its_way() {
    let began = with_receipts(releases().applied(), &[]);
    let one_stage = began.clone().stages(&[&["dev-2", "us", "eu"]]);
    for edited in [began.clone().to(&["dev-2", "us", "eu"]), one_stage] {
        let plan = edited.plan();
        plan.leaves_alone(US).leaves_alone(EU);
        assert!(plan.waits(US).contains("dev-2 has no receipt for release sha256:"));
        // A narrowed plan lets wait what the whole lets wait.
        let us = Scope { tenants: BTreeSet::from(["us".to_string()]), ..Scope::default() };
        edited.plan_of(&us).leaves_alone(US).waits(US);
        // Nor does it while the source gets something with the same plan.
        let chained = edited
            .tenant("first", |t| t.in_folder().integration("k").title("K"))
            .tenant("dev", |t| t.accepts("first"))
            .sync("into-dev", "first", "dev");
        let plan = chained.plan();
        plan.action("dev/Integration/k").is_create();
        plan.leaves_alone(US).waits(US);
    }
    // Once nobody remembers it, every target is open.
    let mut through = began.to(&["dev-2", "us", "eu"]);
    through.world.underway = Some(BTreeMap::new());
    through.plan().waits_for_no_stage().action(US).is_create();
}

/// A narrowed plan lets wait what the whole lets wait.
#[test]
fn narrowing_opens_no_stage() {
    let w = releases();
    let narrowed = |scope: Scope| w.plan_of(&scope);
    let one = |name: &str| BTreeSet::from([name.to_string()]);
    let of = |plan: Planned| {
        plan.waits(US);
        plan.leaves_alone(US).exits(2);
    };
    of(narrowed(Scope { tenants: one("us"), ..Scope::default() }));
    of(narrowed(Scope { integrations: one("i"), ..Scope::default() }));
    of(narrowed(Scope { syncs: one("s"), ..Scope::default() }));
    // Of another integration, another tenant or another sync nothing waits.
    let more = w.clone().tenant("dev", |t| t.integration("k").title("K"));
    let plan = more.plan_of(&Scope { integrations: one("k"), ..Scope::default() });
    plan.waits("us/Integration/k");
    assert!(plan.plan.waiting().all(|(_, action)| action.id.ends_with("/k")));
    let dev = narrowed(Scope { tenants: one("dev-2"), ..Scope::default() });
    dev.waits_for_no_stage().action(DEV).is_create();
}

/// Suspended, a sync waits with everything; resumed, it goes on with the first stage.
#[test]
fn a_suspended_sync_counts_what_waits_in_every_stage() {
    let w = releases().suspended();
    let plan = w.plan();
    plan.waits_for_no_stage().exits(0);
    let waiting = |tenant: &str| plan.target(tenant).suspended_syncs["sync/s"];
    assert_eq!((waiting("dev-2"), waiting("us"), waiting("eu")), (2, 2, 2));
    w.resumed().plan().waits(US);
}

/// What a later stage removes waits too, and nobody else removes it meanwhile.
#[test]
fn a_removal_goes_through_the_stages() {
    let w = releases()
        .tenant("dev", |t| t.integration("k").title("K"))
        .applied()
        .applied()
        .tenant("dev", |t| t.without("Integration/k"));
    let plan = w.plan();
    plan.action("dev-2/Integration/k").is_delete();
    plan.waits("us/Integration/k");
    let after = simulate(&w.world, &plan.plan);
    let second = Given { world: after }.plan();
    second.action("us/Integration/k").is_delete();
    second.done().plan().is_empty();
}

/// A chain of syncs with stages: what comes to the source with the plan is part of the release.
#[test]
fn a_release_has_what_comes_to_its_source_with_the_plan() {
    let w = world()
        .tenant("dev", |t| t.in_folder().integration("i").title("I"))
        .tenant("staging", |t| t.in_folder().accepts("dev"))
        .tenant("us", |t| t.in_folder().accepts("staging"))
        .tenant("eu", |t| t.in_folder().accepts("staging"))
        .sync("s1", "dev", "staging")
        .sync("s2", "staging", "us")
        .stages(&[&["us"], &["eu"]]);
    let plan = w.plan();
    plan.action(US).is_create().waits_for("staging/Integration/i");
    plan.waits(EU);
    plan.done().plan().action(EU).is_create();
    // If the stage of the sync into its source waits, so does all of it.
    let gated = w.tenant("first", |t| t.in_folder().accepts("dev")).of_sync("s1").stages(&[&["first"], &["staging"]]);
    let plan = gated.plan();
    plan.action("first/Integration/i").is_create();
    plan.waits("staging/Integration/i");
    plan.waits(US);
    plan.waits(EU);
    let mut given = gated;
    for _ in 0..3 {
        given = given.applied();
    }
    given.plan().is_empty();
    assert!(given.has(EU));
}
