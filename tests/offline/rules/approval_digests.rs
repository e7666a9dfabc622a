//! The digest of an action covers its values, the object as it is, and the causes of its decision, but not whether
//! these are planned or live.

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey::engine::model::inventory::View;
use stablekey_testing::world::{Given, GivenTenant, Planned, PlannedAction, path, world};
use std::sync::Arc;

const X: &str = "prod/Connection/crm";
const I: &str = "eu/Integration/i";

fn declared(title: &'static str) -> impl FnOnce(GivenTenant) -> GivenTenant {
    move |t| t.declares().connection("crm", "http/basic").title(title).input("scopes", "api")
}

/// The connection is about to get a new title.
fn moving() -> Given {
    world().tenant("prod", declared("a")).applied().tenant("prod", declared("b"))
}

fn digest(w: &Given, id: &str) -> String {
    w.plan().action(id).digest()
}

/// "covers its values".
#[test]
fn a_digest_covers_the_values() {
    let other = moving().tenant("prod", |t| t.declares().edit("Connection/crm").title("c"));
    assert_ne!(digest(&moving(), X), digest(&other, X));
}

/// A field that the action does not touch is covered.
///
/// "the object as it is".
#[test]
fn a_digest_covers_the_object_as_it_is() {
    let other = moving().tenant("prod", |t| t.edit("Connection/crm").input("theirs", "x"));
    assert_ne!(digest(&moving(), X), digest(&other, X));
}

/// "not … unrelated objects".
#[test]
fn a_digest_does_not_cover_unrelated_objects() {
    let other = moving().tenant("prod", |t| {
        t.location().connection("other", "http/basic").integration("user").binds("CRM", "crm").customer("Acme", "crm")
    });
    assert_ne!(moving().plan().action(X).action.impact, other.plan().action(X).action.impact);
    assert_eq!(digest(&moving(), X), digest(&other, X));
}

/// `at`, texts and counts are not in a digest, nor are the marks of the whole target.
///
/// "`at`, texts and counts are in no digest".
#[test]
fn the_marks_of_the_whole_target_are_in_no_digest() {
    let marked = moving().tenant("prod", |t| t.approval(0, 0));
    marked.plan().action(X).needs_approval(Code::TooManyChanges);
    assert_eq!(digest(&moving(), X), digest(&marked, X));
}

/// The mark of a redirect is covered, because it changes the decision.
#[test]
fn the_mark_of_a_redirect_is_in_the_digest() {
    let w = |known: bool| {
        world()
            .tenant("prod", |t| {
                t.declares().connection("crm", "http/basic").input("region", "a").secret("password", "s")
            })
            .applied()
            .tenant("prod", |t| {
                let t = t.declares().edit("Connection/crm").input("region", "b").location();
                if known { t.component("http/basic").has_endpoint("region") } else { t }
            })
    };
    w(true).plan().action(X).needs_approval(Code::CredentialRedirect);
    assert_ne!(digest(&w(false), X), digest(&w(true), X));
}

fn us_to_eu() -> Given {
    world()
        .tenant("us", |t| t.connection("crm", "http/basic").integration("i").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .mirror()
}

/// An integration's digest is the same before and after its connection is created.
///
/// "what decided it, not whether that is planned or live already".
#[test]
fn a_digest_is_the_same_for_planned_and_live_dependencies() {
    let live = us_to_eu().tenant("eu", |t| t.connection("crm", "http/basic"));
    assert_eq!(digest(&us_to_eu(), I), digest(&live, I));
}

/// Bound to another connection it is another action.
///
/// "what decided it".
#[test]
fn a_digest_covers_what_a_variable_is_bound_to() {
    let told = |replaced: bool| {
        world()
            .tenant("us", |t| t.connection("crm", "http/basic").integration("i").binds("CRM", "crm"))
            .tenant("eu", |t| {
                let t = t.accepts("us").connection("crm", "http/basic");
                if replaced { t.connection("new", "http/basic").replaces("crm") } else { t }
            })
            .sync("s", "us", "eu")
    };
    assert_ne!(digest(&told(false), I), digest(&told(true), I));
}

/// The digest of a target and writer is the hash of its sorted action digests. An action that two writers want is in
/// both.
///
/// "A digest (one per target and writer) is the hash of its sorted action digests; an action that two writers want is
/// in both".
#[test]
fn one_digest_per_target_and_writer() {
    let w = us_to_eu().tenant("eu", |t| t.declares().connection("crm", "http/basic"));
    let plan = w.plan();
    let digests = &plan.target("eu").digests;
    assert_eq!(digests.keys().collect::<Vec<_>>(), ["source", "sync/s"]);
    assert_ne!(digests["source"], digests["sync/s"]);
    // A change of one writer does not change the other's digest.
    let more = w.tenant("eu", |t| t.declares().connection("more", "http/basic")).plan();
    assert_eq!(more.target("eu").digests["sync/s"], digests["sync/s"]);
    assert_ne!(more.target("eu").digests["source"], digests["source"]);
}

#[test]
fn a_plan_without_actions_has_no_digest() {
    assert!(us_to_eu().applied().plan().target("eu").digests.is_empty());
}

fn covers(first: PlannedAction<'_>, then: PlannedAction<'_>) -> bool {
    first.action.digest == then.action.digest || first.action.change.resumptions.contains(&then.action.digest)
}

/// The world after an interrupted action: the object written and the record not (update), or the record written and the
/// object not (create).
fn cut(plan: &Planned, id: &str) -> Given {
    let mut w = plan.world.clone();
    let acts = plan.action(id);
    let view = w.world.tenants.get_mut(stablekey_testing::world::split(id).0).unwrap();
    let View::Read(inventory) = &mut view.live else { panic!() };
    let inventory = Arc::make_mut(inventory);
    let change = &acts.action.change;
    match (&change.before, &change.after) {
        (None, Some(_)) => drop(inventory.records.insert(change.object.clone(), change.record.clone().unwrap())),
        (Some(_), Some(after)) => inventory.insert(after.clone()),
        (_, None) => inventory.remove(&change.object),
    }
    w
}

/// An update of which only the record is left.
///
/// "what is left after a crash needs no new approval".
#[test]
fn the_rest_of_an_update_needs_no_new_approval() {
    let tell: [fn(GivenTenant) -> GivenTenant; 4] = [
        |t| t.declares().edit("Connection/crm").title("b"),
        |t| t.declares().edit("Connection/crm").without_title().without_input("scopes"),
        |t| t.declares().edit("Connection/crm").embedded(true).secret("password", "s"),
        |t| t.edit("Connection/crm").input("x", "1").declares().edit("Connection/crm").input("x", "1").title("b"),
    ];
    for change in tell {
        let plan = world().tenant("prod", declared("a")).applied().tenant("prod", change).plan();
        plan.action(X).is_update();
        let rest = cut(&plan, X).plan();
        assert!(covers(plan.action(X), rest.action(X).is_adopt()), "{plan}\n{rest}");
        assert_eq!(rest.done().live("prod").records, plan.done().live("prod").records);
        rest.done().plan().is_empty();
    }
}

/// A correction of drift together with another change: the record is unchanged by the correction.
#[test]
fn the_rest_of_a_correction_needs_no_new_approval() {
    let w = world().tenant("prod", declared("a")).applied().tenant("prod", |t| {
        t.drift(Drift::Correct).edit("Connection/crm").title("Theirs").declares().edit("Connection/crm").input("x", "1")
    });
    let plan = w.plan();
    plan.action(X).sets("title").sets("inputs.x");
    let rest = cut(&plan, X).plan();
    assert!(covers(plan.action(X), rest.action(X).is_adopt().does_not_touch("title")), "{plan}\n{rest}");
}

/// The removal of a field whose absence means a value, interrupted.
#[test]
fn the_rest_of_removing_a_default_needs_no_new_approval() {
    let w = world()
        .tenant("prod", |t| {
            t.declares().connection("crm", "http/basic").embedded(true).deletion(DeletionPolicy::Delete)
        })
        .applied()
        .tenant("prod", |t| t.declares().connection("crm", "http/basic"));
    let plan = w.plan();
    plan.action(X).is_update().removes("embeddedWorkflows");
    let rest = cut(&plan, X).plan();
    assert!(covers(plan.action(X), rest.action(X)), "{plan}\n{rest}");
}

/// The same for a redirect, which needed approval.
#[test]
fn the_rest_of_a_redirect_needs_no_new_approval() {
    let host = |host: &'static str| {
        move |t: GivenTenant| t.declares().connection("crm", "http/basic").input("host", host).secret("password", "s")
    };
    let plan = world().tenant("prod", host("a")).applied().tenant("prod", host("b")).plan();
    plan.action(X).needs_approval(Code::CredentialRedirect);
    let rest = cut(&plan, X).plan();
    assert!(covers(plan.action(X), rest.action(X).is_adopt().needs_no_approval()));
}

/// A create of which only the record was written is the same create.
#[test]
fn the_rest_of_a_create_needs_no_new_approval() {
    for w in [world().tenant("prod", declared("a")), us_to_eu().create()] {
        let plan = w.plan();
        let id = plan.ids()[0].to_string();
        let rest = cut(&plan, &id).plan();
        assert_eq!(plan.action(&id).digest(), rest.action(&id).is_create().digest());
    }
}

/// An update whose definition was written first, interrupted after that.
#[test]
fn the_rest_of_an_update_whose_definition_went_first_needs_no_new_approval() {
    let w = us_to_eu()
        .tenant("us", |t| t.edit("Integration/i").defined("d1").title("a"))
        .applied()
        .tenant("us", |t| t.edit("Integration/i").defined("d2").title("b"));
    let plan = w.plan();
    let mut half = plan.world.clone();
    let view = half.world.tenants.get_mut("eu").unwrap();
    let View::Read(inventory) = &mut view.live else { panic!() };
    let change = &plan.action(I).action.change;
    let halfway = change.before.as_ref().unwrap().with(&path("definition"), change.after.as_ref());
    Arc::make_mut(inventory).insert(halfway);
    let rest = half.plan();
    assert!(covers(plan.action(I), rest.action(I).is_update().sets("title").only_records("definition")));
    // Interrupted again, before the record.
    let rest = cut(&plan, I).plan();
    assert!(covers(plan.action(I), rest.action(I).is_adopt()));
}

/// A change of somebody else meanwhile is a new action, which voids the approval.
///
/// "new actions void it".
#[test]
fn concurrent_changes_are_not_covered() {
    let plan = moving().plan();
    let meddled = cut(&plan, X).tenant("prod", |t| t.edit("Connection/crm").title("Theirs").input("scopes", "b"));
    let rest = meddled.plan();
    assert!(rest.plan.is_empty() || !covers(plan.action(X), rest.action(X)), "{rest}");
    let more = cut(&plan, X).tenant("prod", |t| t.declares().edit("Connection/crm").input("scopes", "more"));
    assert!(!covers(plan.action(X), more.plan().action(X)));
}

/// A create that was interrupted after its record, which does not say where its secrets go: in mode `Create`, and for a
/// customer's credentials whose host is their connection's.
#[test]
fn the_rest_of_a_create_that_is_not_recorded_needs_no_new_approval() {
    let w = world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic")
                .input("host", "a")
                .secret("password", "s")
                .integration("i")
                .binds("V", "crm")
        })
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .create();
    let made = |w: &Given, id: &str| {
        let plan = w.plan();
        assert!(plan.action(id).action.needs_approval.is_empty(), "{plan}");
        let rest = cut(&plan, id).plan();
        rest.action(id).needs_approval(Code::CredentialRedirect);
        assert!(covers(plan.action(id), rest.action(id)), "{plan}\n{rest}");
    };
    made(&w, "eu/Connection/crm");
    let w = world().tenant("prod", |t| {
        let t = t.connection("crm", "http/basic").input("host", "a").per_customer("pin");
        t.declares().customer("Acme", "crm").secret("pin", "acme")
    });
    made(&w, "prod/CustomerCredentials/acme-crm");
}

/// A replacement that is created together with what it replaces needs approval in either order.
#[test]
fn the_rest_of_a_replacement_beside_what_it_replaces_needs_no_new_approval() {
    let w = world().tenant("prod", |t| {
        let t = t.declares().connection("crm", "http/basic").input("host", "a");
        t.connection("new", "http/basic").input("host", "b").secret("password", "s").replaces("crm")
    });
    let plan = w.plan();
    plan.action("prod/Connection/new").needs_approval(Code::CredentialRedirect);
    let mut half = w.clone();
    let made = plan.action(X).action.change.clone();
    let view = half.world.tenants.get_mut("prod").unwrap();
    let View::Read(inventory) = &mut view.live else { panic!() };
    let inventory = Arc::make_mut(inventory);
    inventory.records.insert(made.object.clone(), made.record.clone().unwrap());
    inventory.insert(made.after.clone().unwrap());
    let rest = half.plan();
    assert!(covers(plan.action("prod/Connection/new"), rest.action("prod/Connection/new")), "{plan}\n{rest}");
}

/// A hidden value is covered: another value is another action.
#[test]
fn a_value_that_is_not_shown_is_covered() {
    let w = |value: &str| {
        world()
            .tenant("prod", |t| t.declares().connection("crm", "http/basic").secret("region", "s"))
            .applied()
            .tenant("prod", |t| t.declares().edit("Connection/crm").input("region", value))
    };
    let plan = w("a").plan();
    let shown = plan.action(X).action.fields.iter().find(|c| c.field.is_input()).unwrap().to.clone().unwrap();
    assert_eq!(shown.value()["hidden"], true);
    assert_ne!(digest(&w("a"), X), digest(&w("b"), X));
    let rest = cut(&plan, X).plan();
    assert!(covers(plan.action(X), rest.action(X).is_adopt()), "{plan}\n{rest}");
}
