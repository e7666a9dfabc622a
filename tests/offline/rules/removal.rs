//! "An object goes only where its writer prunes (`prune: true` of the sync, or beside `source`), with an allowed
//! Delete, made by us, all recorded fields unchanged, and nothing that still uses it".

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey::engine::model::inventory::View;
use stablekey_testing::world::{Given, world};

const X: &str = "eu/Connection/crm";
const I: &str = "eu/Integration/i";
const I_NAME: &str = "Integration/i";

/// What us had and eu got: an integration and its connection, which eu lets go.
fn carried() -> Given {
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
    carried().tenant("us", |t| t.without("Integration/i").without("Connection/crm"))
}

#[test]
fn what_may_go_goes_users_first() {
    let plan = dropped().plan();
    plan.action(I).is_delete();
    plan.action(X).is_delete().waits_for(I);
    assert_eq!(plan.ids(), [I, X]);
    let done = plan.done();
    assert!(!done.has(X) && done.record(X).is_none());
    done.plan().is_empty().exits(0);
}

/// "only where its writer prunes".
/// "What a writer no longer declares and that stays (no prune, not ours) is counted in every plan."
#[test]
fn nothing_goes_without_prune_and_what_stays_is_counted_in_every_plan() {
    let mut w = dropped();
    std::sync::Arc::make_mut(&mut w.world.syncs[0].spec).prune = None;
    let plan = w.plan();
    plan.is_empty().exits(0);
    assert!(plan.holds(I, "").contains("sync/s does not prune"));
    assert!(plan.holds(X, "").contains("sync/s does not prune"));
    assert_eq!(w.applied().plan().plan.counts.kept, 2);
    // What nobody could read is not called undeclared.
    w.clone().tenant("us", |t| t.unparsed("us/x.yaml")).plan().holds_nothing();
    w.without_sync("s").plan().holds_nothing();
}

/// A tenant with a source that declared two connections and an integration, and now one connection.
fn source_let_go() -> Given {
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

/// A source, too, removes only where it prunes; what stays is counted.
#[test]
fn a_source_without_prune_removes_nothing_and_what_stays_is_counted() {
    let plan = source_let_go().plan();
    plan.is_empty().exits(0);
    assert!(plan.holds(X, "").contains("source does not prune"));
    assert!(plan.holds(I, "").contains("source does not prune"));
}

/// "(… or beside `source`)".
#[test]
fn a_source_that_prunes_removes_what_it_no_longer_declares() {
    let w = source_let_go().tenant("eu", |t| t.source_prunes());
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

/// "A wrong name never switches a rule off": what a component says of secrets holds while anything is of it.
#[test]
fn a_component_goes_after_everything_that_is_of_it() {
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
    assert!(w.plan().holds("eu/Component/http", "").contains("Connection/crm is of it"));
    w.plan().is_empty();
    let owned =
        w.clone().tenant("eu", |t| t.integration("i").owns("Own", "http/basic").declares().without("Connection/crm"));
    assert!(owned.plan().holds("eu/Component/http", "").contains("Integration/i is of it"));
    let gone = w.tenant("eu", |t| t.declares().without("Connection/crm").location());
    gone.plan().action("eu/Component/http").is_delete().waits_for(X);
    gone.applied().plan().is_empty();
}

/// "Unread is unknown": what an unreadable source may hold stays.
#[test]
fn a_source_that_cannot_be_read_removes_nothing() {
    let w = source_let_go().tenant("eu", |t| t.source_prunes());
    w.clone().tenant("eu", |t| t.declares().unreachable()).plan().is_empty().holds_nothing().exits(1);
    w.clone().tenant("eu", |t| t.declares().unparsed("declared/x.yaml")).plan().is_empty().exits(1);
    // An integration that cannot be read may use any connection.
    w.clone().tenant("eu", |t| t.declares().invalid("Integration/i")).plan().leaves_alone(X).leaves_alone(I).exits(1);
    // A tenant that has no source any more has a writer that is gone.
    let gone = w.tenant("eu", |t| t.without_source());
    gone.plan().is_empty().finding(Code::WriterGone);
}

/// "A writer that has become empty needs approval": a source too.
#[test]
fn a_source_that_has_become_empty_needs_approval() {
    let w = source_let_go().tenant("eu", |t| t.source_prunes().approval(100, 100).declares_nothing());
    let plan = w.plan();
    plan.finding(Code::SourceEmpty);
    plan.action(I).is_delete().needs_approval(Code::SourceEmpty);
    plan.action(X).is_delete().needs_approval(Code::SourceEmpty);
}

/// "so what fails or waits in staging waits in prod": what goes, too.
#[test]
fn what_goes_in_staging_goes_in_prod_after_it() {
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
fn nothing_goes_where_delete_is_not_allowed() {
    let w = dropped().tenant("eu", |t| t.allows(&[AllowedAction::Create, AllowedAction::Update]));
    assert!(w.plan().holds(I, "").contains("Delete"));
    w.plan().is_empty().exits(0);
}

/// "made by us".
#[test]
fn nothing_goes_that_others_made() {
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

/// What nobody wrote is nobody's to remove.
#[test]
fn nothing_goes_that_we_did_not_write() {
    let w = carried().tenant("eu", |t| t.integration("theirs").title("x").connection("their-crm", "http/basic"));
    w.plan().is_empty();
}

/// "all recorded fields unchanged".
#[test]
fn nothing_goes_that_was_changed_since() {
    let w = dropped().tenant("eu", |t| t.edit("Connection/crm").title("Theirs"));
    assert!(w.plan().holds(X, "").contains("title"));
    w.plan().leaves_alone(X);
}

/// "and nothing that still uses it": "bound by a variable … or named by CustomerCredentials".
#[test]
fn nothing_goes_that_is_in_use() {
    let bound = dropped().tenant("eu", |t| t.integration("theirs").binds("CRM", "crm"));
    assert!(bound.plan().holds(X, "").contains("Integration/theirs"));
    bound.plan().leaves_alone(X).action(I).is_delete();
    let named = dropped().tenant("eu", |t| t.customer("Acme", "crm"));
    assert!(named.plan().holds(X, "").contains("uses it"));
    named.plan().leaves_alone(X);
}

/// Nor what a declared integration would use, could it be written.
#[test]
fn nothing_goes_that_a_declared_integration_would_use() {
    let w = dropped()
        .tenant("us", |t| t.edit("Integration/other").binds("CRM", "crm"))
        .tenant("ap", |t| t.integration("other").title("another"))
        .tenant("eu", |t| t.accepts("ap"))
        .sync("s2", "ap", "eu");
    w.plan().finding(Code::WriterConflict);
    assert!(w.plan().holds(X, "").contains("Integration/other"));
    w.applied().plan().is_empty();
}

/// Nor what declared credentials are for, could they be written: their secrets are secrets because of it.
#[test]
fn nothing_goes_that_declared_credentials_are_for() {
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

/// Nor what one of two syncs that differ would use.
#[test]
fn nothing_goes_that_one_of_two_syncs_that_differ_would_use() {
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
fn nothing_goes_that_is_in_use_through_replaces() {
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

/// "a Connection also needs its own `deletionPolicy: Delete` in the target."
#[test]
fn no_connection_goes_without_its_own_deletion_policy_in_the_target() {
    let retained = dropped().tenant("eu", |t| t.edit("Connection/crm").deletion(DeletionPolicy::Retain));
    assert!(retained.plan().holds(X, "").contains("deletionPolicy"));
    retained.plan().leaves_alone(X).action(I).is_delete();
    // That of the source says nothing of the target.
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

/// "or, where it has none, the sync's `connectionDeletion: Delete`."
#[test]
fn where_it_has_no_policy_the_syncs_connection_deletion_counts() {
    let without = dropped().tenant("eu", |t| t.edit("Connection/crm").without_deletion());
    without.plan().leaves_alone(X);
    without.clone().deletes_connections().plan().action(X).is_delete();
    // Its own goes before.
    let retained =
        without.deletes_connections().tenant("eu", |t| t.edit("Connection/crm").deletion(DeletionPolicy::Retain));
    assert!(retained.plan().holds(X, "").contains("deletionPolicy"));
}

/// "theirs from then on": what Create made is not removed.
#[test]
fn what_create_made_is_never_removed() {
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

/// What one sync let go and another would make again stays: it is still wanted there.
#[test]
fn what_another_sync_would_make_again_stays() {
    let w = dropped()
        .tenant("dev", |t| t.connection("crm", "http/basic").integration("k").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("dev"))
        .sync("s2", "dev", "eu")
        .create();
    w.plan().leaves_alone(X).action("eu/Integration/k").is_create();
    w.applied().plan().is_empty();
}

/// What two wrote goes only when both have stopped, and both prune.
#[test]
fn what_two_wrote_goes_only_when_both_have_stopped() {
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

/// "A writer that has become empty needs approval": whatever is taken away for it.
#[test]
fn a_writer_that_has_become_empty_needs_approval() {
    let w = carried().tenant("us", |t| t.without("Integration/i").without("Integration/other"));
    let plan = w.plan();
    plan.action(I).is_delete().needs_approval(Code::SourceEmpty);
    plan.action(X).is_delete().needs_approval(Code::SourceEmpty);
    plan.finding(Code::SourceEmpty);
    // Also a field of an object that another declares.
    let shared = carried()
        .tenant("eu", |t| t.declares().integration("other").defined("d"))
        .applied()
        .tenant("us", |t| t.without("Integration/i").without("Integration/other"));
    shared.plan().action("eu/Integration/other").is_update().removes("title").needs_approval(Code::SourceEmpty);
}

/// "'Empty' is said of a writer that declared something before and now declares nothing."
#[test]
fn a_writer_that_never_declared_anything_is_not_empty() {
    let w = world().tenant("us", |t| t).tenant("eu", |t| t.accepts("us")).sync("s", "us", "eu");
    w.plan().finds_no(Code::SourceEmpty).finding(Code::SyncMatchesNothing);
    // Nor is one that cannot be read.
    let broken =
        carried().tenant("us", |t| t.without("Integration/i").without("Integration/other").unparsed("us/x.yaml"));
    broken.plan().finds_no(Code::SourceEmpty);
    let invalid = carried().tenant("us", |t| t.without("Integration/other").invalid("Integration/i"));
    invalid.plan().finds_no(Code::SourceEmpty);
    let source = world()
        .tenant("eu", |t| t.declares().connection("crm", "http/basic"))
        .applied()
        .tenant("eu", |t| t.declares().without("Connection/crm").unparsed("declared/x.yaml"));
    source.plan().finds_no(Code::SourceEmpty);
}

/// What is gone already, and declared no longer, is nobody's: there is nothing to do.
#[test]
fn what_is_gone_already_needs_no_action() {
    let w = dropped().tenant("eu", |t| t.without("Integration/i").without("Connection/crm"));
    w.plan().is_empty().exits(0);
}

/// An integration that lets go comes before the connection that it used.
#[test]
fn a_connection_goes_after_those_that_let_go_of_it() {
    let w = carried().tenant("us", |t| {
        t.connection("new", "http/basic").edit("Integration/i").binds("CRM", "new").without("Connection/crm")
    });
    w.plan().action(I).is_update();
    w.plan().action(X).is_delete().waits_for(I);
    w.applied().plan().is_empty();
}

/// "Any prefix of an apply ends in the same state": a star is no name that could be another, also once nothing of
/// what it matched is left.
#[test]
fn a_star_that_matches_nothing_is_no_misspelt_name() {
    let emptied = dropped().tenant("us", |t| t.without("Integration/other"));
    emptied.plan().action(X).is_delete();
    let mut half = emptied.tenant("eu", |t| t.without(I_NAME).without("Integration/other"));
    let View::Read(eu) = &mut half.world.tenants.get_mut("eu").unwrap().live else { panic!() };
    std::sync::Arc::make_mut(eu).records.retain(|id, _| id.kind != Kind::Integration);
    half.plan().action(X).is_delete();
}
