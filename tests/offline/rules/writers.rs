//! "A tenant's source and each sync are writers."

use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, world};

const X: &str = "eu/Connection/crm";
const I: &str = "eu/Integration/i";

/// us carries a connection and an integration to eu.
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

/// "Two that want the same of a field share it."
#[test]
fn two_writers_that_want_the_same_share_it() {
    let w = us_to_eu().tenant("eu", |t| t.declares().connection("crm", "http/basic").title("CRM"));
    let done = w.applied();
    assert_eq!(done.writers(X, "title"), ["source", "sync/s"]);
    done.plan().is_empty();
}

/// What two share stays while one of them declares it.
#[test]
fn what_two_share_stays_while_one_declares_it() {
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

/// Another tenant carries a connection and an integration to eu, with another title.
fn and_ap_to_eu(w: Given, title: &str) -> Given {
    w.tenant("ap", |t| t.connection("crm", "http/basic").title(title).integration("j").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("ap"))
        .sync("s2", "ap", "eu")
        .mirror()
}

/// "two syncs that differ conflict on that object, which stays as it is."
#[test]
fn two_syncs_that_differ_conflict_and_the_object_stays_as_it_is() {
    let w = and_ap_to_eu(us_to_eu().applied(), "Other");
    let plan = w.plan();
    assert_eq!(plan.finding(Code::WriterConflict).object.as_ref().unwrap().to_string(), "Connection/crm");
    plan.leaves_alone(X).exits(1);
}

/// "A conflict of writers holds back that object only; what needs it goes on if it is live."
#[test]
fn a_conflict_holds_back_that_object_only() {
    // Live: what needs it goes on.
    let w = and_ap_to_eu(us_to_eu().tenant("eu", |t| t.connection("crm", "http/basic")), "Other");
    w.plan().action(I).is_create();
    // Not live: what needs it would miss it.
    and_ap_to_eu(us_to_eu(), "Other").plan().blocks(I, Code::BindingMissing);
}

/// "A target's own source goes before a sync: what it declares is decided (note `overridden`, by the source; no
/// exit code …)".
#[test]
fn what_the_targets_own_source_declares_is_decided() {
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
        // What only the source decided is the source's alone; what both want is of both.
        assert_eq!(done.writers(X, "title"), ["source"]);
        assert_eq!(done.writers(X, "type"), ["source", "sync/s"]);
        let after = done.plan();
        after.is_empty().exits(0).has_no_drift().holds_nothing().overridden(X, "title");
    }
}

/// "… variables too".
#[test]
fn what_the_targets_own_source_binds_is_decided() {
    let w = us_to_eu().tenant("eu", |t| {
        t.declares().connection("crm-eu", "http/basic").integration("i").binds("CRM", "crm-eu").title("I")
    });
    let plan = w.plan();
    plan.overridden(I, "connections.CRM");
    // "What a sync uses: as bound in the target": nothing in eu uses crm.
    plan.leaves_alone(X).action(I).is_create();
    let done = plan.done();
    assert_eq!(done.value(I, "connections.CRM"), Some(serde_json::json!({"stableKey": "crm-eu"})));
    assert_eq!(done.writers(I, "connections.CRM"), ["source"]);
    done.plan().is_empty().exits(0);
    // What it binds must be there and fit, or the sync does not write the integration.
    let missing = us_to_eu().tenant("eu", |t| t.declares().integration("i").binds("CRM", "gone"));
    assert!(missing.plan().blocks(I, Code::BindingMissing).contains("gone"));
    let other = us_to_eu()
        .tenant("us", |t| t.edit("Integration/i").defined("d1"))
        .tenant("eu", |t| t.declares().connection("mail", "smtp/basic").integration("i").binds("CRM", "mail"));
    other.plan().blocks(I, Code::KeyDiffers);
    other.plan().action(I).does_not_touch("definition");
}

/// Two syncs that differ where the source decides have nothing to differ about.
#[test]
fn syncs_do_not_conflict_where_the_source_decides() {
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
fn kept_is_only_what_no_writer_declares_there() {
    let w = us_to_eu().tenant("eu", |t| t.connection("crm", "http/basic").title("EU"));
    assert_eq!(w.plan().holds(X, "title"), "eu");
    let declared = w.tenant("eu", |t| t.declares().connection("crm", "http/basic").title("EU"));
    declared.plan().holds_nothing().overridden(X, "title");
}

/// What the source lets go of is the sync's again, and no sooner than the source was read whole.
#[test]
fn what_the_source_lets_go_of_is_the_syncs_again() {
    let decided =
        us_to_eu().tenant("eu", |t| t.declares().connection("crm", "http/basic").title("EU").input("a", "b")).applied();
    let let_go = |w: Given| w.tenant("eu", |t| t.declares().edit("Connection/crm").without_title());
    let w = let_go(decided.clone());
    w.plan().overrides_nothing().action(X).is_update().sets("title");
    assert_eq!(w.applied().writers(X, "title"), ["sync/s"]);
    // "Unread is unknown": of a source that cannot be read nothing is let go.
    for unread in [
        let_go(decided.clone()).tenant("eu", |t| t.declares().unparsed("declared/x.yaml")),
        decided.clone().tenant("eu", |t| t.declares().unreachable()),
    ] {
        unread.plan().leaves_alone(X).exits(1);
    }
}

/// "Only a component, type or credentials that differ hold back a whole connection": what belongs to another
/// kind of connection is of no use to this one.
#[test]
fn of_another_kind_nothing_of_the_sync_is_written() {
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

/// A secretRef that crosses is no wish of the sync's where the target names its own.
#[test]
fn the_targets_own_secret_is_no_difference() {
    let w = us_to_eu()
        .tenant("us", |t| t.edit("Connection/crm").secret("password", "us"))
        .tenant("eu", |t| t.declares().connection("crm", "http/basic").title("CRM").secret("password", "eu"));
    w.plan().overrides_nothing();
    // Where one side is a secret, the other is not shown.
    let value = w.tenant("eu", |t| t.declares().edit("Connection/crm").input("password", "CANARY"));
    let plan = value.plan();
    let [(_, own, _)] = &plan.overridden(X, "inputs.password")[..] else { panic!("{plan}") };
    assert_eq!(own, r#"{"hidden":true}"#);
}

/// Every writer that takes part in a conflict is named, those that agree too.
#[test]
fn a_conflict_names_all_who_take_part() {
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

/// Two that would create the same object differently conflict too: neither is made.
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
    // Once it is there, it is the target's: nobody wants anything of it.
    w.tenant("eu", |t| t.connection("crm", "http/basic").title("3")).plan().finds_no(Code::WriterConflict);
}

/// One that creates and one that mirrors: only what the mirror wants is recorded.
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

/// "A target *lacks* what neither its location nor its own source has."
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

/// "Only a writer that was read whole in this plan can stop declaring: one that is gone …"
#[test]
fn a_writer_that_is_gone_removes_nothing_and_is_reported() {
    let before = us_to_eu().applied();
    let gone = before.clone().without_sync("s");
    gone.plan().is_empty();
    // "what a vanished writer wrote stays and is reported as orphaned."
    assert!(gone.plan().finding(Code::WriterGone).text.contains("sync/s is unknown here"));
    gone.plan().exits(0);
    // A warning alone is not out of sync.
    let status = stablekey::report::status::StatusReport::of(&gone.world, &gone.plan().plan);
    assert_eq!(status.state, stablekey::report::status::SyncState::InSync);
    let text = stablekey::render::status_text(&status, &Default::default(), Default::default());
    assert!(text.contains("✓ in sync") && text.contains("SK0128") && !text.contains("out of sync"), "{text}");
    assert_eq!(gone.applied().live("eu").records, before.live("eu").records);
}

/// "… renamed …": the new name takes over what it declares, and nothing is removed.
#[test]
fn a_writer_that_is_renamed_removes_nothing() {
    let w = us_to_eu().applied().without_sync("s").sync("renamed", "us", "eu").mirror().prune();
    w.plan().action(X).is_adopt();
    let done = w.applied();
    assert_eq!(done.writers(X, "title"), ["sync/renamed"]);
    done.plan().is_empty().finds_no(Code::WriterGone);
}

/// "… unreachable …"
#[test]
fn a_writer_that_is_unreachable_removes_nothing() {
    let w = us_to_eu().applied().tenant("us", |t| t.unreachable());
    w.plan().is_empty().exits(1);
    let source = world()
        .tenant("eu", |t| t.declares().connection("crm", "http/basic").title("CRM"))
        .applied()
        .tenant("eu", |t| t.declares().unreachable());
    source.plan().is_empty().exits(1);
}

/// "… or broken removes nothing": also no field of an object that another declares.
#[test]
fn a_writer_that_is_broken_removes_nothing() {
    let w = us_to_eu()
        .tenant("eu", |t| t.declares().connection("crm", "http/basic").input("scopes", "api"))
        .applied()
        .tenant("us", |t| t.without("Integration/i").without("Connection/crm").unparsed("us/broken.yaml"));
    w.plan().is_empty().exits(1);
    // Mended, and still without it: now it has stopped.
    w.tenant("us", |t| t.fixed()).plan().action(X).removes("title").does_not_touch("inputs.scopes");
}

/// A source that became a sync's is still asked: what is out of scope removes nothing either.
#[test]
fn a_sync_that_is_not_accepted_any_more_removes_nothing() {
    let w = us_to_eu().applied().tenant("eu", |t| t.accepts_nobody()).tenant("us", |t| t.without("Integration/i"));
    w.plan().is_empty().exits(3);
}

/// A chain of syncs: what a broken file far upstream feeds is not pruned.
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

/// "Syncs that form a ring of tenants are errors on all."
#[test]
fn syncs_that_form_a_ring_are_errors_on_all() {
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
    // What is not in the ring goes on.
    assert_eq!(plan.ids(), ["d/Integration/i"]);
    plan.exits(1);
}

/// "A sync reads its source with the actions that this plan will make; an action rests on those that
/// make what it copies".
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
    // Within a target actions stand in an order in which they can be carried out.
    for target in &plan.plan.targets {
        let at = |id: &str| target.actions.iter().position(|a| a.id == id);
        for action in &target.actions {
            assert!(action.after.iter().all(|before| at(before) < at(&action.id)), "{plan}");
        }
    }
    plan.done().plan().is_empty();
}

/// "… so what fails or waits in staging waits in prod."
#[test]
fn what_is_blocked_in_staging_does_not_reach_prod() {
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

/// Promotions are "never looked for again, never orphaned, cannot stop declaring".
#[test]
fn a_promotion_is_never_looked_for_again() {
    let w = world()
        .tenant("us", |t| t.connection("crm", "http/basic").integration("i").title("I").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("us").allows_delete().connection("crm", "http/basic"))
        .promotion("us", "eu");
    let mut done = w.applied();
    assert_eq!(done.writers(I, "title"), ["promote/us"]);
    done.world.syncs.clear();
    done.plan().is_empty().finds_no(Code::WriterGone);
    // Also where somebody else declares the object without the field.
    let w = done.tenant("eu", |t| t.declares().integration("i").binds("CRM", "crm"));
    w.plan().action(I).is_adopt().does_not_touch("title");
}

/// "`acceptFrom` holds for it": a promotion too.
#[test]
fn accept_from_holds_for_a_promotion() {
    let w = world().tenant("us", |t| t.integration("i")).tenant("eu", |t| t).promotion("us", "eu");
    w.plan().finding(Code::SyncNotAccepted);
    w.plan().is_empty().exits(3);
}

/// "an action that two writers want" is said to be of both.
#[test]
fn an_action_says_for_whom_it_is() {
    let w = us_to_eu().tenant("eu", |t| t.declares().connection("crm", "http/basic").title("CRM"));
    assert_eq!(w.plan().action(X).writers(), ["source", "sync/s"]);
    assert_eq!(w.plan().action(I).writers(), ["sync/s"]);
}

/// "Syncs … It names only Tenants": one that is not there is an error on the sync.
#[test]
fn a_sync_to_a_tenant_that_is_not_there_is_an_error() {
    let w = us_to_eu().without_tenant("us");
    w.plan().finding(Code::SyncUnknownTenant);
    w.plan().is_empty().exits(1);
}
