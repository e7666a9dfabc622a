//! A suspended tenant is read, also as a source; nothing is written to it.

use stablekey::engine::model::code::Code;
use stablekey::report::overview::{Overview, OverviewState};
use stablekey::report::status::{StatusReport, TenantLine, TenantState};
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

/// Its actions count in a plan (exit code 2), and not after an apply.
///
/// "its actions count (2 in plan, not in apply)".
#[test]
fn the_actions_of_a_suspended_tenant_count_in_a_plan_and_not_after_an_apply() {
    let w = us_to_eu().tenant("eu", |t| t.suspended());
    let plan = w.plan();
    plan.action(X).is_create();
    plan.exits(2);
    assert!(plan.target("eu").suspended && !plan.target("us").suspended);
    assert!(plan.plan.writes_nothing());
    assert_eq!(plan.plan.exit_of_apply(), 0);
    // An apply reports actions of other tenants, and what is unresolved, nevertheless.
    let more = w.clone().tenant("ap", |t| t.declares().connection("k", "http/basic"));
    assert!(!more.plan().plan.writes_nothing());
    assert_eq!(more.plan().plan.exit_of_apply(), 2);
    let missing = w.tenant("eu", |t| t.integration("other").binds("X", "gone"));
    assert_eq!(missing.plan().plan.exit_of_apply(), 3);
}

/// It is read as a source, and what depends on its pending actions waits.
///
/// "read, also as a source". "what depends on them waits".
#[test]
fn copies_of_a_suspended_tenant_wait_for_its_pending_actions() {
    let w = world()
        .tenant("dev", |t| t.connection("crm", "http/basic").integration("i").title("I").binds("CRM", "crm"))
        .tenant("staging", |t| t.accepts("dev").integration("j").title("J"))
        .tenant("prod", |t| t.accepts("staging"))
        .sync("s1", "dev", "staging")
        .mirror()
        .sync("s2", "staging", "prod")
        .mirror()
        .tenant("staging", |t| t.suspended());
    let plan = w.plan();
    plan.action("prod/Connection/crm").is_create().waits_for("staging/Connection/crm");
    plan.action("prod/Integration/i").is_create().waits_for("staging/Integration/i");
    // What exists already is copied.
    assert!(plan.action("prod/Integration/j").is_create().action.after.is_empty());
}

/// A suspended sync is still a writer (its objects are not dropped), and writes nothing.
///
/// "A suspended sync is still a writer (nothing that it declared stops) … and writes nothing".
#[test]
fn a_suspended_sync_drops_nothing_and_writes_nothing() {
    let w = us_to_eu().applied().suspended();
    let moved = w
        .clone()
        .tenant("us", |t| t.edit("Connection/crm").title("New").integration("k").title("K"))
        .tenant("eu", |t| t.edit("Connection/crm").input("scopes", "own"));
    moved.plan().is_empty().exits(0).has_no_drift().finds_no(Code::WriterGone);
    // The number of its waiting actions is known nevertheless.
    assert_eq!(moved.plan().target("eu").suspended_syncs, [("sync/s".to_string(), 2)].into());
    // Dropped by its source, the same.
    let dropped = w.clone().tenant("us", |t| t.without("Integration/i").without("Connection/crm"));
    dropped.plan().is_empty().exits(0).holds_nothing().finds_no(Code::SourceEmpty);
    assert_eq!(dropped.plan().target("eu").suspended_syncs["sync/s"], 1);
    // Also beside another writer that drops them.
    let shared = w
        .tenant("eu", |t| t.declares().connection("crm", "http/basic").title("CRM").input("scopes", "api"))
        .applied()
        .tenant("eu", |t| t.source_prunes().declares().without("Connection/crm").connection("other", "http/basic"));
    shared.plan().leaves_alone(X);
    // Resumed, it continues.
    moved.of_sync("s").resumed().plan().action(X).is_update().sets("title");
}

/// "conflicts with nobody".
#[test]
fn a_suspended_sync_conflicts_with_nobody() {
    let w = us_to_eu()
        .suspended()
        .tenant("ap", |t| t.connection("crm", "http/basic").title("AP").integration("j").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("ap"))
        .sync("s2", "ap", "eu")
        .mirror();
    w.plan().finds_no(Code::WriterConflict).action(X).is_create().sets("title");
    assert_eq!(w.applied().value(X, "title"), Some("AP".into()));
    w.plan().leaves_alone(I);
    // Nor does it close a cycle.
    let ring = us_to_eu().suspended().tenant("us", |t| t.accepts("eu")).sync("back", "eu", "us");
    ring.plan().finds_no(Code::SyncRing).exits(0);
    ring.of_sync("s").resumed().plan().finding(Code::SyncRing);
}

/// An object that a suspended sync would create does not exist for another sync.
#[test]
fn objects_of_a_suspended_sync_do_not_exist_yet() {
    let w = us_to_eu().suspended().tenant("eu", |t| t.declares().integration("own").binds("CRM", "crm"));
    w.plan().leaves_alone(X).finding(Code::BindingMissing);
}

/// Nine tenants copy to one, by syncs that are suspended, and it to another.
fn nine_into_one(are_suspended: bool) -> Given {
    let into = (1..=9).fold(world(), |w, n| {
        let (from, key, sync) = (format!("from-{n}"), format!("key-{n}"), format!("s{n}"));
        let w = w
            .tenant(&from, |t| t.connection(&key, "http/basic").integration(&format!("i{n}")).binds("CRM", &key))
            .tenant("one", |t| t.accepts(&from))
            .sync(&sync, &from, "one")
            .mirror();
        if are_suspended { w.suspended() } else { w }
    });
    into.tenant("further", |t| t.accepts("one").connection("own", "http/basic")).sync("on", "one", "further").mirror()
}

fn line<'s>(status: &'s StatusReport, tenant: &str) -> &'s TenantLine {
    status.tenants.iter().find(|line| line.tenant == tenant).unwrap()
}

/// Each is planned alone only where they are few: of more, what waits is unknown where they lead to, also further on.
#[test]
fn what_waits_for_many_suspended_syncs_of_one_tenant_is_unknown_where_they_lead_to() {
    let planned = nine_into_one(true).plan();
    let (world, plan) = (&planned.world.world, &planned.plan);
    let overview = Overview::of(world, plan);
    let row = overview.connections.iter().find(|row| &*row.key == "own").unwrap();
    let column = overview.tenants.iter().position(|tenant| &*tenant.name == "further").unwrap();
    assert_eq!(row.cells[column].state, OverviewState::Unknown);
    let applied = nine_into_one(false).applied();
    let suspended = (1..=9).fold(applied, |w, n| w.of_sync(&format!("s{n}")).suspended()).plan();
    let status = StatusReport::of(&suspended.world.world, &suspended.plan);
    assert_eq!(
        (line(&status, "further").state, line(&status, "one").state),
        (TenantState::Unknown, TenantState::Unknown)
    );
    assert!(line(&status, "further").summary.contains("more than 8 suspended syncs"), "{:?}", line(&status, "further"));
    assert_eq!(line(&status, "from-1").state, TenantState::InSync);
}

/// Pairs of syncs into tenants of their own are few each, however many pairs there are.
#[test]
fn what_waits_for_many_pairs_of_suspended_syncs_is_known() {
    let pairs = (1..=5).fold(world(), |w, n| {
        let to = format!("to-{n}");
        ["a", "b"].into_iter().fold(w, |w, side| {
            let (from, key, sync) = (format!("{side}-{n}"), format!("{side}-key-{n}"), format!("{side}{n}"));
            w.tenant(&from, |t| t.connection(&key, "http/basic").integration(&key).binds("CRM", &key))
                .tenant(&to, |t| t.accepts(&from))
                .sync(&sync, &from, &to)
                .mirror()
        })
    });
    let suspended = (1..=5)
        .fold(pairs.applied(), |w, n| w.of_sync(&format!("a{n}")).suspended().of_sync(&format!("b{n}")).suspended());
    let planned = suspended.plan();
    let status = StatusReport::of(&planned.world.world, &planned.plan);
    assert!(status.tenants.iter().all(|line| line.state == TenantState::InSync), "{:?}", status.tenants);
    let moved = suspended.tenant("b-3", |t| t.edit("Connection/b-key-3").title("New")).plan();
    let status = StatusReport::of(&moved.world.world, &moved.plan);
    let differs: Vec<&str> =
        status.tenants.iter().filter(|line| line.state != TenantState::InSync).map(|line| &*line.tenant).collect();
    assert_eq!(differs, ["to-3"]);
}

/// Those that lead to tenants of their own need not be planned alone, however many they are.
#[test]
fn what_waits_for_many_suspended_syncs_of_tenants_of_their_own_is_known() {
    let w = (1..=12).fold(world().tenant("dev", |t| t.connection("crm", "http/basic")), |w, n| {
        let (to, sync) = (format!("to-{n}"), format!("s{n}"));
        w.tenant("dev", |t| t.integration("i").binds("CRM", "crm"))
            .tenant(&to, |t| t.accepts("dev"))
            .sync(&sync, "dev", &to)
            .mirror()
    });
    let applied = (1..=12).fold(w.applied(), |w, n| w.of_sync(&format!("s{n}")).suspended());
    let planned = applied.plan();
    let status = StatusReport::of(&planned.world.world, &planned.plan);
    assert!(status.tenants.iter().all(|line| line.state == TenantState::InSync), "{:?}", status.tenants);
    let moved = applied.tenant("dev", |t| t.edit("Connection/crm").title("New")).plan();
    let status = StatusReport::of(&moved.world.world, &moved.plan);
    assert!((1..=12).all(|n| line(&status, &format!("to-{n}")).state == TenantState::Differs), "{:?}", status.tenants);
}
