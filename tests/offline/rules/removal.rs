//! An object is removed only if its writer prunes (`prune: true` of the sync, or beside `source`), Delete is allowed, a
//! sync or source created it, all recorded fields are unchanged, and nothing uses it.

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey::engine::model::inventory::View;
use stablekey_testing::world::{Given, world};

const X: &str = "eu/Connection/crm";
const I: &str = "eu/Integration/i";
const I_NAME: &str = "Integration/i";

/// An integration and its connection that us had and eu got; eu allows their deletion.
fn copied() -> Given {
    world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic")
                .title("CRM")
                .integration("i")
                .binds("CRM", "crm")
                .integration("other")
                .title("stays")
        })
        .tenant("eu", |t| t.accepts("us").allows_delete().approval(100, 100))
        .sync("s", "us", "eu")
        .mirror()
        .prune()
        .applied()
        .tenant("eu", |t| t.edit("Connection/crm").deletion(DeletionPolicy::Delete))
}

/// The source drops both.
fn dropped() -> Given {
    copied().tenant("us", |t| t.without("Integration/i").without("Connection/crm"))
}

#[test]
fn removals_begin_with_the_users() {
    let plan = dropped().plan();
    plan.action(I).is_delete();
    plan.action(X).is_delete().waits_for(I);
    assert_eq!(plan.ids(), [I, X]);
    let done = plan.done();
    assert!(!done.has(X) && done.record(X).is_none());
    done.plan().is_empty().exits(0);
}

/// Without prune nothing is removed. What a writer no longer wants and that is kept (no prune, created by others) is
/// counted in every plan.
///
/// "only where its writer prunes". "What a writer no longer declares and that stays (no prune, not ours) is counted in
/// every plan".
#[test]
fn without_prune_nothing_is_removed_and_kept_objects_are_counted() {
    let mut w = dropped();
    std::sync::Arc::make_mut(&mut w.world.syncs[0].spec).prune = None;
    let plan = w.plan();
    plan.is_empty().exits(0);
    assert!(plan.holds(I, "").contains("sync/s does not prune"));
    assert!(plan.holds(X, "").contains("sync/s does not prune"));
    assert_eq!(w.applied().plan().plan.counts.kept, 2);
    // What cannot be read is not counted.
    w.clone().tenant("us", |t| t.unparsed("us/x.yaml")).plan().holds_nothing();
    w.without_sync("s").plan().holds_nothing();
}

/// A tenant whose source had two connections and an integration, and now has one connection.
fn source_with_dropped_objects() -> Given {
    world()
        .tenant("eu", |t| {
            t.allows_delete()
                .declares()
                .connection("crm", "http/basic")
                .title("CRM")
                .deletion(DeletionPolicy::Delete)
                .connection("other", "http/basic")
                .integration("i")
                .binds("CRM", "crm")
                .location()
        })
        .applied()
        .tenant("eu", |t| t.declares().without("Connection/crm").without("Integration/i").location())
}

/// The same for a source.
#[test]
fn a_source_without_prune_removes_nothing_and_kept_objects_are_counted() {
    let plan = source_with_dropped_objects().plan();
    plan.is_empty().exits(0);
    assert!(plan.holds(X, "").contains("source does not prune"));
    assert!(plan.holds(I, "").contains("source does not prune"));
}

/// With `prune` beside `source`.
///
/// "(… or beside `source`)".
#[test]
fn a_source_that_prunes_removes_undesired_objects() {
    let w = source_with_dropped_objects().tenant("eu", |t| t.source_prunes());
    let plan = w.plan();
    plan.action(I).is_delete();
    assert_eq!(plan.action(X).is_delete().waits_for(I).writers(), ["source"]);
    plan.done().plan().is_empty().holds_nothing().exits(0);
    // The same rules as for a sync.
    w.clone().tenant("eu", |t| t.edit("Connection/crm").deletion(DeletionPolicy::Retain)).plan().leaves_alone(X);
    w.clone().tenant("eu", |t| t.edit("Connection/crm").title("Theirs")).plan().leaves_alone(X);
    w.clone().tenant("eu", |t| t.customer("Acme", "crm")).plan().leaves_alone(X);
    w.clone().tenant("eu", |t| t.allows(&[AllowedAction::Create])).plan().is_empty();
}

/// The component marks secrets for as long as any object of it exists.
#[test]
fn a_component_is_removed_after_its_objects() {
    let w = world()
        .tenant("eu", |t| {
            t.allows_delete()
                .approval(100, 100)
                .source_prunes()
                .declares()
                .component("http/basic")
                .has_secret("pin")
                .connection("crm", "http/basic")
                .deletion(DeletionPolicy::Delete)
                .connection("mail", "smtp/basic")
                .location()
        })
        .applied()
        .tenant("eu", |t| t.declares().without("Component/http").location());
    assert!(w.plan().holds("eu/Component/http", "").contains("Connection/crm uses it"));
    w.plan().is_empty();
    let owned =
        w.clone().tenant("eu", |t| t.integration("i").owns("Own", "http/basic").declares().without("Connection/crm"));
    assert!(owned.plan().holds("eu/Component/http", "").contains("Integration/i uses it"));
    let gone = w.tenant("eu", |t| t.declares().without("Connection/crm").location());
    gone.plan().action("eu/Component/http").is_delete().waits_for(X);
    gone.applied().plan().is_empty();
}

/// Unread is unknown: what an unreadable source may contain is kept.
///
/// "Unread is unknown".
#[test]
fn a_source_that_cannot_be_read_removes_nothing() {
    let w = source_with_dropped_objects().tenant("eu", |t| t.source_prunes());
    w.clone().tenant("eu", |t| t.declares().unreachable()).plan().is_empty().holds_nothing().exits(1);
    w.clone().tenant("eu", |t| t.declares().unparsed("declared/x.yaml")).plan().is_empty().exits(1);
    // An integration that cannot be read may use any connection.
    w.clone().tenant("eu", |t| t.declares().invalid("Integration/i")).plan().leaves_alone(X).leaves_alone(I).exits(1);
    // If a tenant no longer has a source, its writer is gone.
    let gone = w.tenant("eu", |t| t.without_source());
    gone.plan().is_empty().finding(Code::WriterGone);
}

/// A source that has become empty needs approval, too.
///
/// "A writer that has become empty needs approval".
#[test]
fn a_source_that_has_become_empty_needs_approval() {
    let w = source_with_dropped_objects().tenant("eu", |t| t.source_prunes().approval(100, 100).declares_nothing());
    let plan = w.plan();
    plan.finding(Code::SourceEmpty);
    plan.action(I).is_delete().needs_approval(Code::SourceEmpty);
    plan.action(X).is_delete().needs_approval(Code::SourceEmpty);
}

/// A removal that fails or waits in staging waits in prod.
///
/// "so what fails or waits in staging waits in prod".
#[test]
fn a_removal_in_prod_follows_the_one_in_staging() {
    let w = world()
        .tenant("dev", |t| {
            t.connection("crm", "http/basic").integration("i").binds("CRM", "crm").integration("other").title("x")
        })
        .tenant("staging", |t| t.accepts("dev").allows_delete().approval(100, 100))
        .tenant("prod", |t| t.accepts("staging").allows_delete().approval(100, 100))
        .sync("s1", "dev", "staging")
        .mirror()
        .prune()
        .deletes_connections()
        .sync("s2", "staging", "prod")
        .mirror()
        .prune()
        .deletes_connections()
        .applied();
    let gone = w.clone().tenant("dev", |t| t.without("Integration/i"));
    let plan = gone.plan();
    plan.action("prod/Integration/i").is_delete().waits_for("staging/Integration/i");
    plan.action("prod/Connection/crm").is_delete().waits_for("prod/Integration/i").waits_for("staging/Integration/i");
    plan.done().plan().is_empty();
    let unbound = w.tenant("dev", |t| t.edit("Integration/i").without_variable("CRM"));
    unbound.plan().action("prod/Connection/crm").is_delete().waits_for("staging/Integration/i");
}

/// "an allowed Delete".
#[test]
fn nothing_is_removed_if_delete_is_not_allowed() {
    let w = dropped().tenant("eu", |t| t.allows(&[AllowedAction::Create, AllowedAction::Update]));
    assert!(w.plan().holds(I, "").contains("Delete"));
    w.plan().is_empty().exits(0);
}

#[test]
fn nothing_that_others_created_is_removed() {
    let w = world()
        .tenant("us", |t| t.integration("i").title("I").integration("other").title("stays"))
        .tenant("eu", |t| t.accepts("us").allows_delete().integration("i").title("I"))
        .sync("s", "us", "eu")
        .prune()
        .applied()
        .tenant("us", |t| t.without("Integration/i"));
    assert!(w.plan().holds(I, "").contains("others made it"));
    w.plan().is_empty();
}

/// An object without a record is not removed.
#[test]
fn nothing_without_a_record_is_removed() {
    let w = copied().tenant("eu", |t| t.integration("theirs").title("x").connection("their-crm", "http/basic"));
    w.plan().is_empty();
}

/// All recorded fields must be unchanged.
///
/// "all recorded fields unchanged".
#[test]
fn nothing_that_was_changed_since_is_removed() {
    let w = dropped().tenant("eu", |t| t.edit("Connection/crm").title("Theirs"));
    assert!(w.plan().holds(X, "").contains("title"));
    w.plan().leaves_alone(X);
}

/// Bound by a variable, or named by CustomerCredentials.
///
/// "and nothing that still uses it". "bound by a variable … or named by CustomerCredentials".
#[test]
fn nothing_in_use_is_removed() {
    let bound = dropped().tenant("eu", |t| t.integration("theirs").binds("CRM", "crm"));
    assert!(bound.plan().holds(X, "").contains("Integration/theirs"));
    bound.plan().leaves_alone(X).action(I).is_delete();
    let named = dropped().tenant("eu", |t| t.customer("Acme", "crm"));
    assert!(named.plan().holds(X, "").contains("uses it"));
    named.plan().leaves_alone(X);
}

/// Nor what a desired integration would use, if it could be written.
#[test]
fn nothing_that_a_desired_integration_would_use_is_removed() {
    let w = dropped()
        .tenant("us", |t| t.edit("Integration/other").binds("CRM", "crm"))
        .tenant("ap", |t| t.integration("other").title("another"))
        .tenant("eu", |t| t.accepts("ap"))
        .sync("s2", "ap", "eu");
    w.plan().finding(Code::WriterConflict);
    assert!(w.plan().holds(X, "").contains("Integration/other"));
    w.applied().plan().is_empty();
}

/// Nor what desired credentials are for, if they could be written: the component marks their secrets.
#[test]
fn nothing_that_desired_credentials_are_for_is_removed() {
    let w = world()
        .tenant("eu", |t| {
            t.allows_delete()
                .approval(100, 100)
                .source_prunes()
                .component("http/basic")
                .has_secret("pin")
                .declares()
                .connection("crm", "http/basic")
                .per_customer("pin")
                .deletion(DeletionPolicy::Delete)
                .connection("other", "http/basic")
                .location()
        })
        .applied()
        .tenant("eu", |t| {
            t.declares().without("Connection/crm").customer("Acme", "crm").input("pin", "CANARY").location()
        });
    let plan = w.plan();
    plan.blocks("eu/CustomerCredentials/acme-crm", Code::SecretLiteral);
    assert!(plan.holds(X, "").contains("CustomerCredentials/acme-crm uses it"), "{plan}");
    plan.done().plan().is_empty();
}

/// Nor what one of two conflicting syncs would use.
#[test]
fn nothing_that_a_conflicting_sync_would_use_is_removed() {
    let w = dropped()
        .tenant("us", |t| t.edit("Integration/other").binds("CRM", "crm"))
        .tenant("ap", |t| t.connection("crm-2", "http/basic").integration("other").binds("CRM", "crm-2"))
        .tenant("eu", |t| t.accepts("ap").connection("crm-2", "http/basic"))
        .sync("s2", "ap", "eu");
    w.plan().finding(Code::WriterConflict);
    assert!(w.plan().holds(X, "").contains("Integration/other"));
    w.applied().plan().is_empty();
}

/// "(through `replaces` too)".
#[test]
fn nothing_in_use_through_replaces_is_removed() {
    let w = world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic")
                .replaces("old")
                .integration("i")
                .binds("CRM", "crm")
                .integration("other")
                .title("x")
        })
        .tenant("eu", |t| t.accepts("us").allows_delete())
        .sync("s", "us", "eu")
        .mirror()
        .prune()
        .applied()
        .tenant("us", |t| t.edit("Integration/other").binds("CRM", "old").without("Integration/i"))
        .applied()
        .tenant("eu", |t| t.edit("Connection/crm").deletion(DeletionPolicy::Delete))
        .tenant("us", |t| t.without("Connection/crm"));
    assert!(w.plan().holds(X, "").contains("uses it"));
    w.plan().leaves_alone(X);
}

/// A Connection needs its own `deletionPolicy: Delete` in the target.
#[test]
fn no_connection_is_removed_without_its_own_deletion_policy() {
    let retained = dropped().tenant("eu", |t| t.edit("Connection/crm").deletion(DeletionPolicy::Retain));
    assert!(retained.plan().holds(X, "").contains("deletionPolicy"));
    retained.plan().leaves_alone(X).action(I).is_delete();
    // The policy of the source does not count in the target.
    let elsewhere = world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic")
                .deletion(DeletionPolicy::Delete)
                .integration("i")
                .binds("CRM", "crm")
                .integration("other")
                .title("x")
        })
        .tenant("eu", |t| t.accepts("us").allows_delete())
        .sync("s", "us", "eu")
        .mirror()
        .prune()
        .applied()
        .tenant("us", |t| t.without("Integration/i").without("Connection/crm"));
    elsewhere.plan().leaves_alone(X);
}

/// Without a policy of its own, the sync's `connectionDeletion: Delete` counts.
///
/// "or, where it has none, the sync's `connectionDeletion: Delete`".
#[test]
fn without_a_policy_the_syncs_connection_deletion_counts() {
    let without = dropped().tenant("eu", |t| t.edit("Connection/crm").without_deletion());
    without.plan().leaves_alone(X);
    without.clone().deletes_connections().plan().action(X).is_delete();
    // Its own policy takes precedence.
    let retained =
        without.deletes_connections().tenant("eu", |t| t.edit("Connection/crm").deletion(DeletionPolicy::Retain));
    assert!(retained.plan().holds(X, "").contains("deletionPolicy"));
}

/// What mode Create created belongs to the target.
///
/// "theirs from then on".
#[test]
fn objects_of_mode_create_are_never_removed() {
    let w = world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic").integration("i").binds("CRM", "crm").integration("other").title("x")
        })
        .tenant("eu", |t| t.accepts("us").allows_delete())
        .sync("s", "us", "eu")
        .create()
        .prune()
        .applied()
        .tenant("eu", |t| t.edit("Connection/crm").deletion(DeletionPolicy::Delete))
        .tenant("us", |t| t.without("Integration/i").without("Connection/crm"));
    w.plan().leaves_alone(X).action(I).is_delete();
}

/// What one sync dropped and another would create again is kept.
#[test]
fn an_object_that_another_sync_would_recreate_is_kept() {
    let w = dropped()
        .tenant("dev", |t| t.connection("crm", "http/basic").integration("k").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("dev"))
        .sync("s2", "dev", "eu")
        .create();
    w.plan().leaves_alone(X).action("eu/Integration/k").is_create();
    w.applied().plan().is_empty();
}

/// What two syncs wrote is removed only when both have dropped it, and both prune.
#[test]
fn an_object_of_two_writers_is_removed_when_both_dropped_it() {
    let both = world()
        .tenant("a", |t| t.integration("i").title("I").integration("other").title("x"))
        .tenant("b", |t| t.integration("i").title("I").integration("more").title("x"))
        .tenant("eu", |t| t.accepts("a").accepts("b").allows_delete())
        .sync("from-a", "a", "eu")
        .prune()
        .sync("from-b", "b", "eu")
        .applied();
    let one = both.clone().tenant("a", |t| t.without("Integration/i"));
    one.plan().action(I).is_adopt();
    let stopped = both.tenant("a", |t| t.without("Integration/i")).tenant("b", |t| t.without("Integration/i"));
    stopped.plan().leaves_alone(I);
}

/// A writer that has become empty needs approval, whatever is removed.
///
/// "A writer that has become empty needs approval".
#[test]
fn a_writer_that_has_become_empty_needs_approval() {
    let w = copied().tenant("us", |t| t.without("Integration/i").without("Integration/other"));
    let plan = w.plan();
    plan.action(I).is_delete().needs_approval(Code::SourceEmpty);
    plan.action(X).is_delete().needs_approval(Code::SourceEmpty);
    plan.finding(Code::SourceEmpty);
    // Also a field of an object that another writer has.
    let shared = copied()
        .tenant("eu", |t| t.declares().integration("other").defined("d"))
        .applied()
        .tenant("us", |t| t.without("Integration/i").without("Integration/other"));
    shared.plan().action("eu/Integration/other").is_update().removes("title").needs_approval(Code::SourceEmpty);
}

/// Empty is a writer that had objects before and has none now.
#[test]
fn a_writer_that_never_had_objects_is_not_empty() {
    let w = world().tenant("us", |t| t).tenant("eu", |t| t.accepts("us")).sync("s", "us", "eu");
    w.plan().finds_no(Code::SourceEmpty).finding(Code::SyncMatchesNothing);
    // Nor is one that cannot be read.
    let broken =
        copied().tenant("us", |t| t.without("Integration/i").without("Integration/other").unparsed("us/x.yaml"));
    broken.plan().finds_no(Code::SourceEmpty);
    let invalid = copied().tenant("us", |t| t.without("Integration/other").invalid("Integration/i"));
    invalid.plan().finds_no(Code::SourceEmpty);
    let source = world()
        .tenant("eu", |t| t.declares().connection("crm", "http/basic"))
        .applied()
        .tenant("eu", |t| t.declares().without("Connection/crm").unparsed("declared/x.yaml"));
    source.plan().finds_no(Code::SourceEmpty);
}

/// An object that is gone already and no longer wanted needs no action.
#[test]
fn an_object_that_is_gone_already_needs_no_action() {
    let w = dropped().tenant("eu", |t| t.without("Integration/i").without("Connection/crm"));
    w.plan().is_empty().exits(0);
}

/// An integration that drops its binding is updated before the connection is removed.
#[test]
fn a_connection_is_removed_after_its_former_users_are_updated() {
    let w = copied().tenant("us", |t| {
        t.connection("new", "http/basic").edit("Integration/i").binds("CRM", "new").without("Connection/crm")
    });
    w.plan().action(I).is_update();
    w.plan().action(X).is_delete().waits_for(I);
    w.applied().plan().is_empty();
}

/// Any prefix of an apply leads to the same state: a star is not a misspelled name, even when nothing that it matched
/// is left.
#[test]
fn a_star_that_matches_nothing_is_no_misspelled_name() {
    let emptied = dropped().tenant("us", |t| t.without("Integration/other"));
    emptied.plan().action(X).is_delete();
    let mut half = emptied.tenant("eu", |t| t.without(I_NAME).without("Integration/other"));
    let View::Read(eu) = &mut half.world.tenants.get_mut("eu").unwrap().live else { panic!() };
    std::sync::Arc::make_mut(eu).records.retain(|id, _| id.kind != Kind::Integration);
    half.plan().action(X).is_delete();
}
