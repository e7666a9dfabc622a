//! Policy: allowed actions, drift, and the share of changes that needs approval.

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, world};

const X: &str = "prod/Connection/crm";

fn declared() -> Given {
    world().tenant("prod", |t| t.declares().connection("crm", "http/basic").title("CRM"))
}

fn changed() -> Given {
    declared().applied().tenant("prod", |t| t.declares().edit("Connection/crm").title("New"))
}

/// "actions allowed (absent: Create and Update)".
#[test]
fn absent_actions_are_read_as_create_and_update() {
    declared().plan().action(X).is_create();
    changed().plan().action(X).is_update();
}

/// A desired change that is not allowed is blocked: it stays unresolved.
#[test]
fn a_forbidden_action_is_blocked() {
    let w = declared().tenant("prod", |t| t.allows(&[AllowedAction::Update]));
    w.plan().blocks(X, Code::NotAllowed);
    w.plan().is_empty().exits(3);
    let w = changed().tenant("prod", |t| t.allows(&[AllowedAction::Create]));
    w.plan().blocks(X, Code::NotAllowed);
    w.plan().is_empty().exits(3);
    declared().tenant("prod", |t| t.allows(&[])).plan().is_empty().exits(3);
}

/// What waits for a connection that may not be created is blocked too.
#[test]
fn dependents_of_a_forbidden_action_are_blocked() {
    let w = world()
        .tenant("us", |t| t.connection("crm", "http/basic").integration("i").binds("CRM", "crm"))
        .tenant("prod", |t| t.accepts("us").allows(&[AllowedAction::Update]))
        .sync("s", "us", "prod")
        .mirror();
    w.plan().blocks("prod/Integration/i", Code::BindingMissing);
}

/// "drift (`Ignore`, `Detect`, `Correct`; absent: Detect)".
#[test]
fn absent_drift_is_read_as_detect() {
    let w = declared().applied().tenant("prod", |t| t.edit("Connection/crm").title("Theirs"));
    assert!(w.plan().drifted(X, "title"));
    w.plan().is_empty().exits(3);
}

/// With Ignore, drift is kept and does not change the exit code.
#[test]
fn ignored_drift_is_kept_and_does_not_change_the_exit_code() {
    let w = declared().applied().tenant("prod", |t| t.drift(Drift::Ignore).edit("Connection/crm").title("Theirs"));
    w.plan().is_empty().exits(0);
}

/// Drift that may not be reverted is blocked.
#[test]
fn correct_needs_update_to_be_allowed() {
    let w = declared().applied().tenant("prod", |t| {
        t.drift(Drift::Correct).allows(&[AllowedAction::Create]).edit("Connection/crm").title("Theirs")
    });
    w.plan().blocks(X, Code::NotAllowed);
    w.plan().is_empty().exits(3);
}

/// A tenant with `live` managed connections, of which `moved` have a new title.
fn many(live: usize, moved: usize) -> Given {
    let declare = |title: &'static str, count: usize| {
        move |mut t: stablekey_testing::world::GivenTenant| {
            t = t.declares();
            for n in 0..count {
                t = t.connection(&format!("c{n}"), "http/basic").title(title);
            }
            t
        }
    };
    world().tenant("prod", declare("a", live)).applied().tenant("prod", declare("b", moved))
}

fn needs_approval(w: &Given) -> usize {
    w.plan().plan.counts.needs_approval
}

/// The share of updates and deletes among the live objects, if there are `from` or more of them; the default is 30 % of
/// 10. Above it all updates and deletes of the target need approval.
///
/// "(updates + deletes) ÷ live objects of the target before the plan, where those are `from` or more; then all updates
/// and deletes of that target need approval".
#[test]
fn too_many_changes_all_need_approval() {
    assert_eq!(needs_approval(&many(10, 2)), 0);
    assert_eq!(needs_approval(&many(10, 3)), 3);
    assert_eq!(needs_approval(&many(9, 9)), 0);
    many(10, 3).plan().action("prod/Connection/c0").needs_approval(Code::TooManyChanges);
}

/// The tenant's policy sets the share.
#[test]
fn the_tenant_sets_the_share() {
    let of =
        |live, moved, percent, from| needs_approval(&many(live, moved).tenant("prod", |t| t.approval(percent, from)));
    assert_eq!(of(4, 2, 50, 4), 2);
    assert_eq!(of(4, 1, 50, 4), 0);
    assert_eq!(of(4, 4, 50, 5), 0);
    assert_eq!(of(4, 1, 0, 0), 1);
    assert_eq!(of(4, 4, 100, 0), 4);
    assert_eq!(of(4, 3, 100, 0), 0);
}

/// Creates and adoptions neither count nor need approval.
#[test]
fn creates_and_adoptions_are_not_counted() {
    let w = world().tenant("prod", |mut t| {
        t = t.approval(1, 0);
        for n in 0..10 {
            t = t
                .location()
                .connection(&format!("c{n}"), "http/basic")
                .declares()
                .connection(&format!("c{n}"), "http/basic");
            t = t.connection(&format!("n{n}"), "http/basic");
        }
        t
    });
    assert_eq!(needs_approval(&w), 0);
    let one =
        w.applied().tenant("prod", |t| t.declares().edit("Connection/c0").title("x").connection("m", "http/basic"));
    one.plan().action("prod/Connection/c0").needs_approval(Code::TooManyChanges);
    one.plan().action("prod/Connection/m").needs_no_approval();
}

/// The policy of the target applies, not that of the source.
#[test]
fn the_policy_of_the_target_applies() {
    let w = world()
        .tenant("us", |t| t.allows(&[]).integration("i").title("x"))
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu");
    w.plan().action("eu/Integration/i").is_create();
}
