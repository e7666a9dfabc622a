//! The flags `--sync NAME`, `--tenant` and `--integration`, which narrow a plan.

use stablekey::api::Drift;
use stablekey::engine::closure::{Index, Seeds, plan_closure};
use stablekey::engine::model::code::Code;
use stablekey::engine::model::plan::Scope;
use stablekey_testing::world::{Given, GivenTenant, world};

fn tenants(names: &[&str]) -> Scope {
    Scope { tenants: names.iter().map(ToString::to_string).collect(), ..Scope::default() }
}

fn syncs(names: &[&str]) -> Scope {
    Scope { syncs: names.iter().map(ToString::to_string).collect(), ..Scope::default() }
}

fn two_targets() -> Given {
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
fn narrowed_to_a_sync_the_other_is_not_applied() {
    let plan = two_targets().plan_of(&syncs(&["to-eu"]));
    plan.action("eu/Integration/i").is_create();
    plan.leaves_alone("ap/Integration/i");
}

/// A sync that is out of scope still counts as a writer.
#[test]
fn narrowing_removes_nothing() {
    let w = two_targets().applied().tenant("us", |t| t.without("Integration/i").declares().without("Integration/j"));
    w.plan().action("eu/Integration/i").is_delete();
    w.plan_of(&syncs(&["to-ap"])).leaves_alone("eu/Integration/i");
}

/// A problem elsewhere is not reported in a narrowed plan.
#[test]
fn problems_elsewhere_are_not_reported() {
    let w = two_targets().tenant("ap", |t| t.accepts_nobody().unparsed("ap/x.yaml")).applied();
    let plan = w.plan_of(&tenants(&["eu"]));
    plan.finds_no(Code::SyncNotAccepted).finds_no(Code::FileBroken);
    two_targets().tenant("ap", |t| t.accepts_nobody()).plan_of(&syncs(&["to-eu"])).finds_no(Code::SyncNotAccepted);
}

/// But a problem of its sources is.
#[test]
fn problems_of_the_sources_of_a_narrowed_plan_are_reported() {
    let w = two_targets().applied().tenant("us", |t| t.location().unreachable());
    w.plan_of(&tenants(&["eu"])).is_empty().exits(1).finding(Code::TenantUnreachable);
}

fn closure(w: &Given, integration: &str) -> stablekey::engine::model::plan::Plan {
    let seeds = Seeds { integrations: [integration.to_string()].into(), ..Seeds::default() };
    plan_closure(&w.world, &Index::of(&w.world), &seeds, &Scope::default())
}

/// Narrowed to an integration, the plan has it and the connections that it uses.
#[test]
fn narrowed_to_an_integration_its_dependencies_are_planned_too() {
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

/// A part of a large world, however large the part, has the same actions as in the whole.
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

/// A narrowed plan does not report that a sync or an override matches nothing.
#[test]
fn a_narrowed_plan_reports_nothing_about_the_whole() {
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

fn integrations(names: &[&str]) -> Scope {
    Scope { integrations: names.iter().map(ToString::to_string).collect(), ..Scope::default() }
}

fn integration_names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("i{n:02}")).collect()
}

/// Twelve integrations that prod has by a sync, and dev no longer has.
fn lost_all() -> Given {
    let names = integration_names(12);
    let all = |t: GivenTenant| names.iter().fold(t, |t, name| t.integration(name).title("x"));
    let none = |t: GivenTenant| names.iter().fold(t, |t, name| t.without(&format!("Integration/{name}")));
    world()
        .tenant("dev", all)
        .tenant("prod", |t| t.accepts("dev").allows_delete())
        .sync("up", "dev", "prod")
        .prune()
        .applied()
        .tenant("dev", none)
}

/// A narrowed plan keeps every mark (too many, empty, redirect) that the whole plan would set.
///
/// "A narrowed plan … keeps every mark (too many, empty, redirect) that the whole plan would set".
#[test]
fn narrowed_to_every_integration_the_deletes_still_need_approval() {
    let names = integration_names(12);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let scope = integrations(&names);
    let plan = lost_all().plan_of(&scope);
    assert_eq!(plan.ids().len(), 12);
    for name in &names {
        let action = plan.action(&format!("prod/Integration/{name}")).is_delete();
        action.needs_approval(Code::TooManyChanges).needs_approval(Code::SourceEmpty);
    }
    plan.finding(Code::SourceEmpty);
    lost_all().plan_of(&integrations(&["i00"])).action("prod/Integration/i00").needs_approval(Code::TooManyChanges);
}

/// A mark of the whole target also applies to one sync of two.
#[test]
fn narrowed_to_a_sync_the_share_of_the_whole_target_counts() {
    let moved = |t: GivenTenant| (0..3).fold(t, |t, n| t.edit(&format!("Integration/i{n:02}")).title("y"));
    let names = integration_names(6);
    let all = |t: GivenTenant| names.iter().fold(t, |t, name| t.integration(name).title("x"));
    let w = world()
        .tenant("a", |t| all(t).without("Integration/i03").without("Integration/i04").without("Integration/i05"))
        .tenant("b", |t| all(t).without("Integration/i00").without("Integration/i01").without("Integration/i02"))
        .tenant("prod", |t| t.accepts("a").accepts("b").approval(100, 1))
        .sync("of-a", "a", "prod")
        .sync("of-b", "b", "prod")
        .applied()
        .tenant("a", moved)
        .tenant("b", |t| (3..6).fold(t, |t, n| t.edit(&format!("Integration/i{n:02}")).title("y")));
    w.plan().action("prod/Integration/i00").needs_approval(Code::TooManyChanges);
    let plan = w.plan_of(&syncs(&["of-a"]));
    assert_eq!(plan.ids(), ["prod/Integration/i00", "prod/Integration/i01", "prod/Integration/i02"]);
    for id in plan.ids() {
        plan.action(id).needs_approval(Code::TooManyChanges);
    }
}

/// Changes that reach a tenant through another one that is out of scope count too.
#[test]
fn narrowed_to_a_tenant_the_share_of_the_whole_plan_counts() {
    let names = integration_names(4);
    let w = world()
        .tenant("dev", |t| names.iter().fold(t, |t, name| t.integration(name).title("x")))
        .tenant("staging", |t| t.accepts("dev"))
        .tenant("prod", |t| t.accepts("staging").approval(75, 1))
        .sync("first", "dev", "staging")
        .sync("then", "staging", "prod")
        .applied()
        .tenant("staging", |t| t.edit("Integration/i00").title("y").drift(Drift::Ignore))
        .tenant("dev", |t| (1..4).fold(t, |t, n| t.edit(&format!("Integration/i{n:02}")).title("y")));
    let plan = w.plan_of(&tenants(&["prod"]));
    assert_eq!(plan.ids(), ["prod/Integration/i00"]);
    w.plan().action("prod/Integration/i00").needs_approval(Code::TooManyChanges);
    plan.action("prod/Integration/i00").needs_approval(Code::TooManyChanges);
}

/// Two syncs that differ conflict on the object, even if only one of them is in scope.
#[test]
fn narrowing_ends_no_conflict() {
    let w = world()
        .tenant("a", |t| t.integration("i").title("A").integration("of-a").title("A"))
        .tenant("b", |t| t.integration("i").title("B"))
        .tenant("prod", |t| t.accepts("a").accepts("b"))
        .sync("of-a", "a", "prod")
        .sync("of-b", "b", "prod");
    w.plan().exits(1).leaves_alone("prod/Integration/i");
    let plan = w.plan_of(&syncs(&["of-a"]));
    plan.exits(1).leaves_alone("prod/Integration/i").finding(Code::WriterConflict);
    plan.action("prod/Integration/of-a").is_create();
}

/// `--sync FROM:TO` adds a Match sync of all integrations, and narrows to it.
///
/// "`--sync FROM:TO` adds an unwritten Match sync of all integrations … and narrows to it".
#[test]
fn an_ad_hoc_sync_narrows_to_itself() {
    let w = two_targets().tenant("dev", |t| t.integration("k").title("K")).tenant("eu", |t| t.accepts("dev"));
    let w = w.promotion("dev", "eu");
    let plan = w.plan_of(&syncs(&["dev:eu"]));
    assert_eq!(plan.ids(), ["eu/Integration/k"]);
    let both = w.plan_of(&syncs(&["dev:eu", "to-ap"]));
    assert_eq!(both.ids(), ["ap/Integration/i", "ap/Integration/j", "eu/Integration/k", "us/Integration/j"]);
}

/// Narrowed to a sync: its writes, and what they wait for; not what sources have besides.
#[test]
fn narrowed_to_a_sync_sources_supply_only_what_it_needs() {
    let w = world()
        .tenant("us", |t| {
            t.integration("i")
                .binds("CRM", "crm")
                .declares()
                .connection("crm", "http/basic")
                .connection("x", "http/basic")
        })
        .tenant("eu", |t| t.accepts("us").declares().connection("y", "http/basic"))
        .sync("s", "us", "eu")
        .create();
    let plan = w.plan_of(&syncs(&["s"]));
    assert_eq!(plan.ids(), ["eu/Connection/crm", "eu/Integration/i", "us/Connection/crm"]);
    plan.action("eu/Connection/crm").waits_for("us/Connection/crm");
}

/// An override of another integration matches as it does in the whole plan.
///
/// "The same actions as in the whole plan".
#[test]
fn an_override_matches_in_a_closure_as_in_the_whole() {
    let w = world()
        .tenant("us", |t| {
            let t = t.declares().connection("crm", "http/basic").integration("i").title("T").binds("CRM", "crm");
            t.integration("k").title("K")
        })
        .tenant("eu", |t| t.accepts("us"))
        .tenant("ap", |t| t.accepts("eu"))
        .sync("s", "us", "eu")
        .mirror()
        .sync("t", "eu", "ap")
        .mirror()
        .keeping("ap", "Integration/i", "title");
    let whole = w.plan();
    let part = closure(&w, "k");
    let action = part.actions().map(|(_, action)| action).find(|action| action.id == "ap/Integration/k").unwrap();
    assert_eq!(action.digest, whole.action("ap/Integration/k").action.digest);
}

/// Where not all of the source was read, an override that names nothing is an error only beside a similar name. Any object
/// may have it, so a part of the world does not decide that.
#[test]
fn a_part_writes_nothing_that_a_misspelt_override_stops() {
    let of = |key: &str| {
        world()
            .tenant("us", |t| {
                t.connection("crm", "http/basic")
                    .connection("warehouse", "http/basic")
                    .integration("i")
                    .binds("CRM", "crm")
                    .integration("j")
                    .binds("DB", "warehouse")
                    .invalid("Connection/other")
            })
            .tenant("eu", |t| t.accepts("us"))
            .sync("s", "us", "eu")
            .mirror()
            .overriding_input("eu", key, "host", "eu.example")
    };
    let wrong = of("warehuose");
    wrong.plan().is_empty().finding(Code::OverrideMatchesNothing);
    assert_eq!(closure(&wrong, "i").actions().count(), 0);
    let right = closure(&of("warehouse"), "i");
    let ids: Vec<&str> = right.actions().map(|(_, a)| a.id.as_str()).collect();
    assert_eq!(ids, ["eu/Connection/crm", "eu/Integration/i"]);
}
