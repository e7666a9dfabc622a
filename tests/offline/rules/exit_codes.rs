//! The exit codes of a plan.

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, world};

fn settled() -> Given {
    world()
        .tenant("prod", |t| {
            t.declares().connection("crm", "http/basic").title("CRM").integration("i").binds("CRM", "crm")
        })
        .applied()
}

#[test]
fn nothing_to_do_is_0() {
    world().plan().exits(0);
    settled().plan().exits(0);
}

/// "Else 2: actions".
#[test]
fn actions_are_2() {
    settled().tenant("prod", |t| t.declares().edit("Connection/crm").title("New")).plan().exits(2);
    settled().tenant("prod", |t| t.declares().connection("new", "http/basic")).plan().exits(2);
}

/// Missing bindings count in tenants without a writer too.
///
/// "Else 3: blocked, missing (in tenants with no writer too)".
#[test]
fn missing_in_tenants_with_no_writer_is_3_too() {
    let w = world().tenant("prod", |t| t.integration("i").binds("CRM", "crm"));
    w.plan().exits(3).finding(Code::BindingMissing);
    // 3 takes precedence over actions.
    w.tenant("prod", |t| t.declares().connection("new", "http/basic")).plan().exits(3);
}

/// "drift left under Detect".
#[test]
fn drift_kept_under_detect_is_3() {
    let drifted = |drift| settled().tenant("prod", |t| t.drift(drift).edit("Connection/crm").title("Theirs"));
    drifted(Drift::Detect).plan().exits(3);
    drifted(Drift::Ignore).plan().exits(0);
    drifted(Drift::Correct).plan().exits(2);
}

/// "a sync not accepted".
#[test]
fn a_sync_not_accepted_is_3() {
    let w = world().tenant("us", |t| t.integration("i")).tenant("eu", |t| t).sync("s", "us", "eu");
    w.plan().exits(3).finding(Code::SyncNotAccepted);
}

/// A location occupied by another component, type or credentials.
///
/// "a location occupied by another component, type or credentials".
#[test]
fn an_occupied_location_is_3() {
    let w = world().tenant("prod", |t| t.connection("crm", "http/oauth2").declares().connection("crm", "http/basic"));
    w.plan().exits(3);
}

/// Unreadable, invalid, a cycle, conflicting writers, unreachable: 1 takes precedence over everything.
#[test]
fn errors_are_1() {
    let w = settled().tenant("prod", |t| t.declares().edit("Connection/crm").title("New"));
    w.clone().tenant("prod", |t| t.location().unparsed("x.yaml")).plan().exits(1);
    w.clone().tenant("prod", |t| t.location().invalid("Connection/other")).plan().exits(1);
    w.clone().tenant("other", |t| t.unreachable()).plan().exits(1);
    let ring = w
        .clone()
        .tenant("a", |t| t.accepts("b"))
        .tenant("b", |t| t.accepts("a"))
        .sync("ab", "a", "b")
        .sync("ba", "b", "a");
    ring.plan().exits(1);
    let conflict = w
        .tenant("us", |t| t.connection("k", "http/basic").title("US").integration("j").binds("K", "k"))
        .tenant("ap", |t| t.connection("k", "http/basic").title("AP").integration("l").binds("K", "k"))
        .tenant("prod", |t| t.accepts("us").accepts("ap"))
        .sync("s", "us", "prod")
        .mirror()
        .sync("s2", "ap", "prod")
        .mirror();
    conflict.plan().exits(1).finding(Code::WriterConflict);
}

/// Kept fields, manual steps and warnings do not change the exit code.
///
/// "Kept, manual, warnings … are none of these".
#[test]
fn kept_manual_and_warnings_are_0() {
    let kept = world()
        .tenant("prod", |t| {
            t.connection("crm", "http/basic").title("Theirs").declares().connection("crm", "http/basic").title("Ours")
        })
        .applied();
    kept.plan().exits(0).holds("prod/Connection/crm", "title");
    let warned = settled().tenant("prod", |t| t.component("http/basic").requires("host"));
    warned.plan().exits(0).finding(Code::InputMissing);
}

/// A kept variable is 3. One that the target's own source or an override sets is decided, and is not.
///
/// "a kept variable is 3; one that the target's own source or an override declares is decided and is not".
#[test]
fn a_kept_variable_is_3_and_one_that_is_decided_is_not() {
    let kept = world()
        .tenant("us", |t| t.connection("crm", "http/basic").integration("i").binds("CRM", "crm"))
        .tenant("eu", |t| {
            t.accepts("us")
                .connection("crm", "http/basic")
                .connection("crm-eu", "http/basic")
                .integration("i")
                .binds("CRM", "crm-eu")
        })
        .sync("s", "us", "eu");
    kept.applied().plan().is_empty().exits(3).holds("eu/Integration/i", "connections.CRM");
    let decided = [
        kept.clone().tenant("eu", |t| t.declares().integration("i").binds("CRM", "crm-eu")),
        kept.clone().overriding_variable("eu", "i", "CRM", "crm-eu"),
        kept.keeping("eu", "Integration/i", "connections.CRM"),
    ];
    for w in decided {
        w.plan().holds_nothing();
        w.applied().plan().is_empty().exits(0).holds_nothing();
    }
}

/// `apply` exits by the plan afterwards: a blocked action that is left is 3.
///
/// "`apply` exits by the plan after it".
#[test]
fn the_plan_after_an_apply_decides_the_exit_code() {
    let w =
        world().tenant("prod", |t| t.declares().connection("crm", "http/basic").integration("i").binds("CRM", "gone"));
    w.plan().exits(3);
    w.applied().plan().is_empty().exits(3);
}
