//! "`--sync NAME`, `--tenant`, `--integration` narrow".

use crate::fixtures::{Told, world};
use stablekey::engine::closure::{Index, Seeds, plan_closure};
use stablekey::engine::code::Code;
use stablekey::engine::plan::Scope;

fn tenants(names: &[&str]) -> Scope {
    Scope { tenants: names.iter().map(ToString::to_string).collect(), ..Scope::default() }
}

fn syncs(names: &[&str]) -> Scope {
    Scope { syncs: names.iter().map(ToString::to_string).collect(), ..Scope::default() }
}

fn two_targets() -> Told {
    world()
        .tenant("us", |t| t.integration("i").title("I").declares().integration("j").title("J"))
        .tenant("ap", |t| t.accepts("us"))
        .tenant("eu", |t| t.accepts("us").allows_delete())
        .sync("to-ap", "us", "ap")
        .sync("to-eu", "us", "eu")
        .prune()
}

#[test]
fn narrowed_to_a_tenant_only_that_tenant_is_written() {
    let plan = two_targets().plan_of(&tenants(&["eu"]));
    assert_eq!(plan.ids(), ["eu/Integration/i"]);
    assert_eq!(plan.plan.targets.len(), 1);
    let waiting = &plan.action("eu/Integration/i").action.after;
    assert!(waiting.is_empty(), "what is not planned cannot be waited for: {waiting:?}");
}

#[test]
fn narrowed_to_a_sync_the_other_is_not_carried_out() {
    let plan = two_targets().plan_of(&syncs(&["to-eu"]));
    plan.action("eu/Integration/i").is_create();
    plan.leaves_alone("ap/Integration/i");
}

/// A sync that is out of scope does not stop declaring.
#[test]
fn narrowing_removes_nothing() {
    let w = two_targets().applied().tenant("us", |t| t.without("Integration/i").declares().without("Integration/j"));
    w.plan().action("eu/Integration/i").is_delete();
    w.plan_of(&syncs(&["to-ap"])).leaves_alone("eu/Integration/i");
}

/// What is wrong elsewhere is not said of a narrowed plan …
#[test]
fn what_is_wrong_elsewhere_is_not_said() {
    let w = two_targets().tenant("ap", |t| t.accepts_nobody().unparsed("ap/x.yaml")).applied();
    let plan = w.plan_of(&tenants(&["eu"]));
    plan.finds_no(Code::SyncNotAccepted).finds_no(Code::FileBroken);
    two_targets().tenant("ap", |t| t.accepts_nobody()).plan_of(&syncs(&["to-eu"])).finds_no(Code::SyncNotAccepted);
}

/// … but what feeds it is.
#[test]
fn what_feeds_a_narrowed_plan_is_said() {
    let w = two_targets().applied().tenant("us", |t| t.place().unreachable());
    w.plan_of(&tenants(&["eu"])).is_empty().exits(1).finding(Code::TenantUnreachable);
}

fn closure(w: &Told, integration: &str) -> stablekey::engine::plan::Plan {
    let seeds = Seeds { integrations: [integration.to_string()].into(), ..Seeds::default() };
    plan_closure(&w.world, &Index::of(&w.world), &seeds, &Scope::default())
}

/// Narrowed to an integration: it, and the connections that it uses.
#[test]
fn narrowed_to_an_integration_what_it_uses_is_planned_too() {
    let w = world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic")
                .connection("chat", "http/basic")
                .integration("i")
                .binds("CRM", "crm")
                .integration("j")
                .binds("Chat", "chat")
        })
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .mirror();
    let plan = closure(&w, "i");
    let ids: Vec<&str> = plan.actions().map(|(_, a)| a.id.as_str()).collect();
    assert_eq!(ids, ["eu/Connection/crm", "eu/Integration/i"]);
    let whole = w.plan();
    for (_, action) in plan.actions() {
        assert_eq!(action.digest, whole.action(&action.id).action.digest);
    }
}

/// A part of a large world, however large the part: the same actions as in the whole.
#[test]
fn a_large_part_has_the_actions_of_the_whole() {
    let w = world()
        .tenant("us", |t| {
            (0..1_200).fold(t, |t, n| {
                t.connection(&format!("key-{n}"), "http/basic")
                    .integration(&format!("i-{n}"))
                    .binds("CRM", &format!("key-{n}"))
            })
        })
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .mirror();
    let whole = w.plan();
    for many in [1, 100, 600, 1_199] {
        let seeds = Seeds { keys: (0..many).map(|n| format!("key-{n}")).collect(), ..Seeds::default() };
        let part = plan_closure(&w.world, &Index::of(&w.world), &seeds, &Scope::default());
        assert_eq!(part.actions().count(), 2 * many);
        for (_, action) in part.actions() {
            assert_eq!(action.digest, whole.action(&action.id).action.digest);
            assert_eq!(action.needs_approval.len(), 0);
        }
    }
}

/// A part says nothing of the whole: no sync matches nothing, and no override either.
#[test]
fn a_part_says_nothing_of_the_whole() {
    let w = world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic").integration("i").binds("CRM", "crm").integration("j").title("x")
        })
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .mirror()
        .overriding_input("eu", "crm", "scopes", "x")
        .sync("only-j", "us", "eu")
        .of_integrations(&["i"]);
    w.plan().finds_no(Code::SyncMatchesNothing).finds_no(Code::OverrideMatchesNothing);
    let codes: Vec<Code> = closure(&w, "j").findings.iter().map(|f| f.code).collect();
    assert!(!codes.contains(&Code::SyncMatchesNothing) && !codes.contains(&Code::OverrideMatchesNothing), "{codes:?}");
}
