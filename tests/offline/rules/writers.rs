//! Writers: a tenant's source, and each sync.

use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, world};

const X: &str = "eu/Connection/crm";
const I: &str = "eu/Integration/i";

/// us copies a connection and an integration to eu.
fn us_to_eu() -> Given {
    world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic").title("CRM").integration("i").title("I").binds("CRM", "crm")
        })
        .tenant("eu", |t| t.accepts("us").allows_delete())
        .sync("s", "us", "eu")
        .mirror()
        .prune()
}

/// "Two that want the same of a field share it".
#[test]
fn two_writers_share_equal_values() {
    let w = us_to_eu().tenant("eu", |t| t.declares().connection("crm", "http/basic").title("CRM"));
    let done = w.applied();
    assert_eq!(done.writers(X, "title"), ["source", "sync/s"]);
    done.plan().is_empty();
}

#[test]
fn a_shared_field_is_kept_while_one_writer_wants_it() {
    let w = us_to_eu()
        .tenant("eu", |t| t.declares().connection("crm", "http/basic").title("CRM"))
        .applied()
        .tenant("eu", |t| t.declares().edit("Connection/crm").without_title());
    w.plan().action(X).is_adopt().only_records("title");
    let done = w.applied();
    assert_eq!(done.value(X, "title"), Some("CRM".into()));
    assert_eq!(done.writers(X, "title"), ["sync/s"]);
    done.plan().is_empty();
}

/// Another tenant copies a connection and an integration to eu, with another title.
fn and_ap_to_eu(w: Given, title: &str) -> Given {
    w.tenant("ap", |t| t.connection("crm", "http/basic").title(title).integration("j").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("ap"))
        .sync("s2", "ap", "eu")
        .mirror()
}

/// "two syncs that differ conflict on that object, which stays as it is".
#[test]
fn two_syncs_that_differ_conflict_and_the_object_is_unchanged() {
    let w = and_ap_to_eu(us_to_eu().applied(), "Other");
    let plan = w.plan();
    assert_eq!(plan.finding(Code::WriterConflict).object.as_ref().unwrap().to_string(), "Connection/crm");
    plan.leaves_alone(X).exits(1);
}

/// A conflict of writers blocks only that object; what needs it continues if it is live.
///
/// "A conflict of writers holds back that object only; what needs it goes on if it is live".
#[test]
fn a_conflict_blocks_that_object_only() {
    // Live: what needs it continues.
    let w = and_ap_to_eu(us_to_eu().tenant("eu", |t| t.connection("crm", "http/basic")), "Other");
    w.plan().action(I).is_create();
    // Not live: what needs it would lack it.
    and_ap_to_eu(us_to_eu(), "Other").plan().blocks(I, Code::BindingMissing);
}

/// A target's own source takes precedence over a sync (note `overridden`, no exit code).
///
/// "A target's own source goes before a sync: what it declares is decided (note `overridden`, by the source; no exit
/// code …)".
#[test]
fn the_targets_own_source_takes_precedence() {
    let own =
        |w: Given| w.tenant("eu", |t| t.declares().connection("crm", "http/basic").title("EU").input("scopes", "eu"));
    for before in [us_to_eu(), us_to_eu().applied(), us_to_eu().tenant("eu", |t| t.connection("crm", "http/basic"))] {
        let w = own(before);
        let plan = w.plan();
        plan.finds_no(Code::WriterConflict).holds_nothing();
        assert_eq!(
            plan.overridden(X, "title"),
            [("sync/s".to_string(), r#""EU""#.to_string(), r#""CRM""#.to_string())]
        );
        let done = plan.done();
        assert_eq!(done.value(X, "title"), Some("EU".into()));
        // A value that only the source set is the source's; a value that both want belongs to both.
        assert_eq!(done.writers(X, "title"), ["source"]);
        assert_eq!(done.writers(X, "type"), ["source", "sync/s"]);
        let after = done.plan();
        after.is_empty().exits(0).has_no_drift().holds_nothing().overridden(X, "title");
    }
}

/// Variables, too.
///
/// "… variables too".
#[test]
fn the_targets_own_binding_takes_precedence() {
    let w = us_to_eu().tenant("eu", |t| {
        t.declares().connection("crm-eu", "http/basic").integration("i").binds("CRM", "crm-eu").title("I")
    });
    let plan = w.plan();
    plan.overridden(I, "connections.CRM");
    // A sync uses connections as they are bound in the target: nothing in eu uses crm.
    plan.leaves_alone(X).action(I).is_create();
    let done = plan.done();
    assert_eq!(done.value(I, "connections.CRM"), Some(serde_json::json!({"stableKey": "crm-eu"})));
    assert_eq!(done.writers(I, "connections.CRM"), ["source"]);
    done.plan().is_empty().exits(0);
    // The connection that it binds must exist and match, or the sync does not write the integration.
    let missing = us_to_eu().tenant("eu", |t| t.declares().integration("i").binds("CRM", "gone"));
    assert!(missing.plan().blocks(I, Code::BindingMissing).contains("gone"));
    let other = us_to_eu()
        .tenant("us", |t| t.edit("Integration/i").defined("d1"))
        .tenant("eu", |t| t.declares().connection("mail", "smtp/basic").integration("i").binds("CRM", "mail"));
    other.plan().blocks(I, Code::KeyDiffers);
    other.plan().action(I).does_not_touch("definition");
}

/// Two syncs that differ only where the source decides do not conflict.
#[test]
fn syncs_do_not_conflict_if_the_source_decides() {
    let w =
        and_ap_to_eu(us_to_eu(), "Other").tenant("eu", |t| t.declares().connection("crm", "http/basic").title("EU"));
    let plan = w.plan();
    plan.finds_no(Code::WriterConflict);
    let overridden: Vec<String> = plan.overridden(X, "title").into_iter().map(|(writer, ..)| writer).collect();
    assert_eq!(overridden, ["sync/s", "sync/s2"]);
    plan.done().plan().is_empty().exits(0);
}

/// "kept is only what no writer declares there".
#[test]
fn only_fields_without_a_writer_are_kept() {
    let w = us_to_eu().tenant("eu", |t| t.connection("crm", "http/basic").title("EU"));
    assert_eq!(w.plan().holds(X, "title"), "eu");
    let declared = w.tenant("eu", |t| t.declares().connection("crm", "http/basic").title("EU"));
    declared.plan().holds_nothing().overridden(X, "title");
}

/// A field that the source drops is the sync's again, but only once the source was read completely.
#[test]
fn a_field_that_the_source_drops_is_the_syncs_again() {
    let decided =
        us_to_eu().tenant("eu", |t| t.declares().connection("crm", "http/basic").title("EU").input("a", "b")).applied();
    let let_go = |w: Given| w.tenant("eu", |t| t.declares().edit("Connection/crm").without_title());
    let w = let_go(decided.clone());
    w.plan().overrides_nothing().action(X).is_update().sets("title");
    assert_eq!(w.applied().writers(X, "title"), ["sync/s"]);
    // Unread is unknown: a source that cannot be read drops nothing.
    for unread in [
        let_go(decided.clone()).tenant("eu", |t| t.declares().unparsed("declared/x.yaml")),
        decided.clone().tenant("eu", |t| t.declares().unreachable()),
    ] {
        unread.plan().leaves_alone(X).exits(1);
    }
}

/// Fields of another kind of connection are not written to this one.
///
/// "Only a component, type or credentials that differ hold back a whole connection".
#[test]
fn nothing_is_written_to_a_connection_of_another_kind() {
    let w = us_to_eu()
        .tenant("us", |t| t.edit("Connection/crm").input("scopes", "api"))
        .tenant("eu", |t| t.declares().connection("crm", "http/oauth2").title("EU"));
    let plan = w.plan();
    plan.finds_no(Code::WriterConflict).overridden(X, "type");
    assert_eq!(plan.action(X).is_create().writers(), ["source"]);
    plan.action(X).does_not_touch("inputs.scopes");
    plan.blocks(I, Code::KeyDiffers);
    plan.exits(3).done().plan().is_empty();
}

/// A secretRef of the target's own is not a difference from the sync's.
#[test]
fn the_targets_own_secret_is_no_difference() {
    let w = us_to_eu()
        .tenant("us", |t| t.edit("Connection/crm").secret("password", "us"))
        .tenant("eu", |t| t.declares().connection("crm", "http/basic").title("CRM").secret("password", "eu"));
    w.plan().overrides_nothing();
    // If one side is a secret, the other is hidden.
    let value = w.tenant("eu", |t| t.declares().edit("Connection/crm").input("password", "CANARY"));
    let plan = value.plan();
    let [(_, own, _)] = &plan.overridden(X, "inputs.password")[..] else { panic!("{plan}") };
    assert_eq!(own, r#"{"hidden":true}"#);
}

/// A conflict names every writer that takes part, including those that agree.
#[test]
fn a_conflict_names_every_writer() {
    let w = world()
        .tenant("a", |t| t.connection("crm", "http/basic").title("1").integration("i").binds("CRM", "crm"))
        .tenant("b", |t| t.connection("crm", "http/basic").title("2").integration("i").binds("CRM", "crm"))
        .tenant("c", |t| t.connection("crm", "http/basic").title("1").integration("i").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("a").accepts("b").accepts("c"))
        .sync("from-a", "a", "eu")
        .mirror()
        .sync("from-b", "b", "eu")
        .mirror()
        .sync("from-c", "c", "eu")
        .mirror();
    let text = w.plan().finding(Code::WriterConflict).text.clone();
    for writer in ["sync/from-a", "sync/from-b", "sync/from-c"] {
        assert!(text.contains(writer), "{text}");
    }
}

/// Two syncs that would create the same object differently conflict: neither creates it.
#[test]
fn two_creates_that_differ_conflict() {
    let w = world()
        .tenant("a", |t| t.connection("crm", "http/basic").title("1").integration("i").binds("CRM", "crm"))
        .tenant("b", |t| t.connection("crm", "http/basic").title("2").integration("j").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("a").accepts("b"))
        .sync("from-a", "a", "eu")
        .create()
        .sync("from-b", "b", "eu")
        .create();
    w.plan().finding(Code::WriterConflict);
    w.plan().leaves_alone(X).exits(1);
    // Once it exists it is the target's, and no sync wants anything of it.
    w.tenant("eu", |t| t.connection("crm", "http/basic").title("3")).plan().finds_no(Code::WriterConflict);
}

/// A sync in mode Create beside one in mode Mirror: only what the mirror wants is recorded.
#[test]
fn create_beside_mirror_records_only_what_mirror_wants() {
    let w = world()
        .tenant("a", |t| t.connection("crm", "http/basic").input("extra", "1").integration("i").binds("CRM", "crm"))
        .tenant("b", |t| t.connection("crm", "http/basic").title("2").integration("j").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("a").accepts("b"))
        .sync("from-a", "a", "eu")
        .create()
        .sync("from-b", "b", "eu")
        .mirror();
    w.plan().action(X).is_create().sets("title").sets("inputs.extra");
    let done = w.applied();
    assert_eq!(done.writers(X, "title"), ["sync/from-b"]);
    assert!(done.writers(X, "inputs.extra").is_empty());
    assert!(done.value(X, "inputs.extra").is_some());
    done.plan().is_empty();
}

/// A target lacks an object only if neither its location nor its own source has it.
///
/// "A target *lacks* what neither its location nor its own source has".
#[test]
fn a_target_does_not_lack_what_its_own_source_has() {
    let w = world()
        .tenant("us", |t| t.connection("crm", "http/basic").title("US").integration("i").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("us").declares().connection("crm", "http/basic").title("EU"))
        .sync("s", "us", "eu")
        .create();
    assert_eq!(w.plan().action(X).is_create().writers(), ["source"]);
    let done = w.applied();
    assert_eq!(done.value(X, "title"), Some("EU".into()));
    assert_eq!(done.writers(X, "title"), ["source"]);
    done.plan().is_empty();
}

/// Only a writer that was read completely in this plan can drop an object: one that is gone cannot.
///
/// "Only a writer that was read whole in this plan can stop declaring: one that is gone …".
#[test]
fn a_missing_writer_removes_nothing_and_is_reported() {
    let before = us_to_eu().applied();
    let gone = before.clone().without_sync("s");
    gone.plan().is_empty();
    // Its objects are kept and reported as orphaned.
    assert!(gone.plan().finding(Code::WriterGone).text.contains("sync/s is unknown here"));
    gone.plan().exits(0);
    // A warning alone does not mean out of sync.
    let status = stablekey::report::status::StatusReport::of(&gone.world, &gone.plan().plan);
    assert_eq!(status.state, stablekey::report::status::TenantState::InSync);
    let text = stablekey::render::status_text(&status, &Default::default(), Default::default());
    assert!(text.contains("✓ in sync") && text.contains("SK0128") && !text.contains("out of sync"), "{text}");
    assert_eq!(gone.applied().live("eu").records, before.live("eu").records);
}

/// A renamed sync takes over its objects, and nothing is removed.
#[test]
fn a_renamed_writer_removes_nothing() {
    let w = us_to_eu().applied().without_sync("s").sync("renamed", "us", "eu").mirror().prune();
    w.plan().action(X).is_adopt();
    let done = w.applied();
    assert_eq!(done.writers(X, "title"), ["sync/renamed"]);
    done.plan().is_empty().finds_no(Code::WriterGone);
}

/// "… unreachable …".
#[test]
fn an_unreachable_writer_removes_nothing() {
    let w = us_to_eu().applied().tenant("us", |t| t.unreachable());
    w.plan().is_empty().exits(1);
    let source = world()
        .tenant("eu", |t| t.declares().connection("crm", "http/basic").title("CRM"))
        .applied()
        .tenant("eu", |t| t.declares().unreachable());
    source.plan().is_empty().exits(1);
}

/// Nor is a field of an object that another writer has.
///
/// "… or broken removes nothing".
#[test]
fn a_broken_writer_removes_nothing() {
    let w = us_to_eu()
        .tenant("eu", |t| t.declares().connection("crm", "http/basic").input("scopes", "api"))
        .applied()
        .tenant("us", |t| t.without("Integration/i").without("Connection/crm").unparsed("us/broken.yaml"));
    w.plan().is_empty().exits(1);
    // Fixed, and still without it: now it is dropped.
    w.tenant("us", |t| t.fixed()).plan().action(X).removes("title").does_not_touch("inputs.scopes");
}

/// A writer that is out of scope removes nothing either.
#[test]
fn a_sync_that_is_not_accepted_any_more_removes_nothing() {
    let w = us_to_eu().applied().tenant("eu", |t| t.accepts_nobody()).tenant("us", |t| t.without("Integration/i"));
    w.plan().is_empty().exits(3);
}

/// A chain of syncs: what a broken file far upstream may feed is not pruned.
#[test]
fn a_broken_file_upstream_prunes_nothing_downstream() {
    let w = world()
        .tenant("dev", |t| t.connection("crm", "http/basic").integration("i").binds("CRM", "crm"))
        .tenant("us", |t| t.accepts("dev"))
        .tenant("eu", |t| t.accepts("us").allows_delete())
        .sync("s1", "dev", "us")
        .mirror()
        .sync("s2", "us", "eu")
        .mirror()
        .prune()
        .applied()
        .tenant("dev", |t| t.without("Integration/i").unparsed("dev/i.yaml"))
        .tenant("us", |t| t.without("Integration/i"));
    w.plan().leaves_alone(I);
    w.tenant("dev", |t| t.fixed()).plan().action(I).is_delete();
}

#[test]
fn syncs_that_form_a_cycle_are_errors_on_all() {
    let w = world()
        .tenant("a", |t| t.accepts("c").integration("i"))
        .tenant("b", |t| t.accepts("a"))
        .tenant("c", |t| t.accepts("b"))
        .tenant("d", |t| t.accepts("a"))
        .sync("ab", "a", "b")
        .sync("bc", "b", "c")
        .sync("ca", "c", "a")
        .sync("ad", "a", "d");
    let plan = w.plan();
    let on: Vec<String> =
        plan.findings(Code::SyncRing).iter().map(|f| f.object.as_ref().unwrap().to_string()).collect();
    assert_eq!(on.len(), 3, "{plan}");
    assert!(!on.contains(&"TenantSync/ad".to_string()), "{on:?}");
    // Syncs outside the cycle are applied.
    assert_eq!(plan.ids(), ["d/Integration/i"]);
    plan.exits(1);
}

/// A sync reads its source with the actions of this plan; an action depends on those that make what it copies.
#[test]
fn a_sync_reads_its_source_as_it_will_be() {
    let w = world()
        .tenant("dev", |t| t.connection("crm", "http/basic").integration("i").binds("CRM", "crm"))
        .tenant("a-staging", |t| t.accepts("dev"))
        .tenant("a-prod", |t| t.accepts("a-staging"))
        .sync("s1", "dev", "a-staging")
        .mirror()
        .sync("s2", "a-staging", "a-prod")
        .mirror();
    let plan = w.plan();
    plan.action("a-prod/Connection/crm").is_create().waits_for("a-staging/Connection/crm");
    plan.action("a-prod/Integration/i")
        .is_create()
        .waits_for("a-staging/Integration/i")
        .waits_for("a-prod/Connection/crm");
    // The actions of a target are in an order in which they can be applied.
    for target in &plan.plan.targets {
        let at = |id: &str| target.actions.iter().position(|a| a.id == id);
        for action in &target.actions {
            assert!(action.after.iter().all(|before| at(before) < at(&action.id)), "{plan}");
        }
    }
    plan.done().plan().is_empty();
}

/// What fails or waits in staging waits in prod.
///
/// "… so what fails or waits in staging waits in prod".
#[test]
fn a_blocked_action_in_staging_does_not_reach_prod() {
    let w = world()
        .tenant("dev", |t| t.integration("i").binds("CRM", "crm"))
        .tenant("staging", |t| t.accepts("dev"))
        .tenant("prod", |t| t.accepts("staging"))
        .sync("s1", "dev", "staging")
        .sync("s2", "staging", "prod");
    w.plan().blocks("staging/Integration/i", Code::BindingMissing);
    w.plan().is_empty();
}

/// An action waits for those that make what it needs: customer credentials for their connection.
#[test]
fn customer_credentials_wait_for_their_connection() {
    let w = world()
        .tenant("prod", |t| t.declares().connection("crm", "http/basic").per_customer("user").customer("Acme", "crm"));
    w.plan().action("prod/CustomerCredentials/acme-crm").waits_for("prod/Connection/crm");
}

/// An ad-hoc sync is never looked for again, never orphaned, and cannot drop an object.
///
/// "never looked for again, never orphaned, cannot stop declaring".
#[test]
fn an_ad_hoc_sync_is_never_looked_for_again() {
    let w = world()
        .tenant("us", |t| t.connection("crm", "http/basic").integration("i").title("I").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("us").allows_delete().connection("crm", "http/basic"))
        .promotion("us", "eu");
    let mut done = w.applied();
    assert_eq!(done.writers(I, "title"), ["promote/us"]);
    done.world.syncs.clear();
    done.plan().is_empty().finds_no(Code::WriterGone);
    // Also if somebody else has the object without the field.
    let w = done.tenant("eu", |t| t.declares().integration("i").binds("CRM", "crm"));
    w.plan().action(I).is_adopt().does_not_touch("title");
}

/// An ad-hoc sync needs acceptance too.
///
/// "`acceptFrom` holds for it".
#[test]
fn accept_from_applies_to_ad_hoc_syncs() {
    let w = world().tenant("us", |t| t.integration("i")).tenant("eu", |t| t).promotion("us", "eu");
    w.plan().finding(Code::SyncNotAccepted);
    w.plan().is_empty().exits(3);
}

/// An action that two writers want names both.
///
/// "an action that two writers want".
#[test]
fn an_action_names_its_writers() {
    let w = us_to_eu().tenant("eu", |t| t.declares().connection("crm", "http/basic").title("CRM"));
    assert_eq!(w.plan().action(X).writers(), ["source", "sync/s"]);
    assert_eq!(w.plan().action(I).writers(), ["sync/s"]);
}

/// A sync that names a tenant that does not exist is an error.
///
/// "Syncs … It names only Tenants".
#[test]
fn a_sync_to_a_missing_tenant_is_an_error() {
    let w = us_to_eu().without_tenant("us");
    w.plan().finding(Code::SyncUnknownTenant);
    w.plan().is_empty().exits(1);
}
