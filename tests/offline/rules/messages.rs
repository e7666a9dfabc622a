//! The messages of a plan: complete, not repeated, in words, and with what to do.

use stablekey::api::{ComponentRef, DeletionPolicy};
use stablekey::engine::model::code::Code;
use stablekey::render::{self, Invocation, Style};
use stablekey_testing::world::*;

/// Never a value as JSON in place of words.
#[test]
fn a_taken_name_is_explained_in_words() {
    let mut w = world().tenant("prod", |t| {
        t.connection("crm", "hubspot/oauth2")
            .declares()
            .connection("crm", "mail/basic")
            .integration("i")
            .binds("M", "crm")
    });
    let text = w.plan().blocks("prod/Connection/crm", Code::Occupied).to_string();
    assert_eq!(
        text,
        "the name is taken: the connection there is hubspot/oauth2, OrganizationCustomer and is declared as \
         mail/basic, OrganizationCustomer; component, type and credentials never change"
    );
    w.edit_live("prod", |inventory| {
        let crm = inventory.connections.get_mut("crm").unwrap();
        std::sync::Arc::make_mut(crm).spec.component = ComponentRef::new("mail", false);
    });
    let plan = w.plan();
    let text = plan.blocks("prod/Connection/crm", Code::Occupied);
    assert!(text.contains("there is mail (private)/oauth2") && !text.contains(['{', '}']), "{text}");
}

/// Stable keys that have the same Kubernetes name.
#[test]
fn a_name_taken_by_another_key_names_that_key() {
    let w = world().tenant("prod", |t| t.connection("CRM", "a/b").declares().connection("crm", "a/b"));
    let plan = w.plan();
    let text = plan.blocks("prod/Connection/crm", Code::Occupied);
    assert_eq!(text, "the name is taken: the stable key is CRM there and declared as crm, and it never changes");
}

/// Objects of a writer that is gone are kept and reported as orphaned, with what they are and what ends it: adopting
/// does not.
///
/// "What a vanished writer wrote stays and is reported as orphaned".
#[test]
fn orphaned_objects_are_named_with_a_fix() {
    let w = world()
        .tenant("dev", |t| t.connection("crm", "a/b").integration("i").binds("CRM", "crm"))
        .tenant("prod", |t| t.accepts("dev").in_folder())
        .sync("up", "dev", "prod")
        .mirror()
        .applied();
    let gone = w.clone().without_sync("up");
    let plan = gone.plan();
    let found = plan.finding(Code::WriterGone);
    assert_eq!(found.text, "sync/up is gone; what it wrote stays in prod: Connection/crm, Integration/i");
    assert!(!found.fix.contains("adopt") && found.fix.contains("stablekey.lock"), "{}", found.fix);
    // The advice does end it: another writer with the same objects, or no record.
    let other = gone.clone().sync("other", "dev", "prod").mirror();
    other.applied().plan().finds_no(Code::WriterGone).is_empty();
    let mut forgotten = gone;
    forgotten.edit_live("prod", |inventory| inventory.records.clear());
    forgotten.plan().finds_no(Code::WriterGone).is_empty();
}

/// A sync is not reported as gone in a cluster, whose objects may be written from a hub that is not read here.
#[test]
fn an_unknown_writer_in_a_cluster_is_not_called_gone() {
    let tenants = world()
        .tenant("dev", |t| t.connection("crm", "a/b").integration("i").binds("CRM", "crm"))
        .tenant("prod", |t| t.accepts("dev"));
    let plan = tenants.sync("up", "dev", "prod").mirror().applied().without_sync("up").plan();
    let found = plan.finding(Code::WriterGone);
    assert_eq!(found.text, "sync/up is unknown here; what it wrote stays in prod: Connection/crm, Integration/i");
    assert!(found.fix.contains("of a hub") && found.fix.contains("stablekey.dev/wrote"), "{}", found.fix);
    plan.exits(0);
}

/// A delete shows which fields of it no writer wants.
///
/// "The ordered changes … each with reason, field changes".
#[test]
fn a_delete_shows_manual_additions_of_the_target() {
    let w = world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic").input("url", "https://a.example").integration("i").binds("CRM", "crm")
        })
        .tenant("eu", |t| t.accepts("us").allows_delete().component("http/basic").has_secret("pin"))
        .sync("s", "us", "eu")
        .mirror()
        .prune()
        .applied()
        .tenant("eu", |t| {
            t.edit("Connection/crm")
                .deletion(DeletionPolicy::Delete)
                .title("CRM of EU")
                .test_input("user", "eu-tester")
                .label("team", "eu")
                .edit("Integration/i")
                .title("theirs")
        })
        .tenant("us", |t| t.without("Integration/i").without("Connection/crm"));
    let plan = w.plan();
    let lost = plan.action("eu/Connection/crm").is_delete();
    let fields: Vec<String> = lost.action.fields.iter().map(|c| c.field.to_string()).collect();
    assert_eq!(fields, ["title", "test.inputs.user", "metadata.labels.team", "metadata.annotations.team"]);
    assert_eq!(lost.change("title").unwrap().from.as_ref().unwrap().value(), "CRM of EU");
    assert_eq!(plan.action("eu/Integration/i").is_delete().action.fields.len(), 1);
    // A secret that stands there as a literal is not shown.
    let w = w.tenant("eu", |t| t.edit("Connection/crm").input("pin", "CANARY"));
    let plan = w.plan();
    let pin = plan.action("eu/Connection/crm").change("inputs.pin").unwrap().from.clone().unwrap().value();
    assert_eq!(pin, serde_json::json!({"hidden": true}));
    assert!(!plan.json().contains("CANARY"));
    // Without additions of others nothing is lost.
    let untouched = world()
        .tenant("us", |t| t.integration("i").title("I"))
        .tenant("eu", |t| t.accepts("us").allows_delete())
        .sync("s", "us", "eu")
        .prune()
        .applied()
        .tenant("us", |t| t.without("Integration/i").integration("j"));
    assert!(untouched.plan().action("eu/Integration/i").is_delete().action.fields.is_empty());
}

/// After a rename, the Secret of the old key serves the new one: following the plan's advice takes nothing away.
#[test]
fn a_secret_that_serves_another_key_keeps_serving_it() {
    let world = world()
        .tenant("us", |t| t.connection("dwh", "a/b").replaces("warehouse").secret("password", "warehouse"))
        .tenant("us", |t| t.integration("i").binds("W", "dwh"))
        .tenant("eu", |t| t.accepts("us").connection("warehouse", "a/b").secret("password", "warehouse"))
        .sync("s", "us", "eu")
        .mirror();
    let plan = world.plan();
    let steps = plan.manual("eu/Connection/dwh");
    let text = "add dwh to its annotation stablekey.dev/keys, beside what it has";
    assert!(steps.iter().any(|(_, _, step)| step.contains(text)), "{steps:?}");
}

/// A Secret that several connections or inputs need is one manual step, with every key that it must opt in for.
#[test]
fn one_secret_is_one_manual_step() {
    let w = world()
        .tenant("us", |t| {
            let t = ["crm", "chat", "mail"]
                .into_iter()
                .fold(t, |t, key| t.connection(key, "a/b").secret("clientSecret", "app").secret("clientId", "app"));
            t.integration("i").binds("A", "crm").binds("B", "chat").binds("C", "mail")
        })
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .mirror();
    let plan = w.plan();
    assert_eq!(plan.manual("eu/Connection/crm").len(), 1, "{plan}");
    let text = render::plan_text(&plan.plan, &Invocation::default(), Style { width: 500, ..Style::default() });
    let supply = "supply Secret app with keys clientId, clientSecret (label stablekey.dev/for: connections; add \
                  chat,crm,mail to its annotation stablekey.dev/keys, beside what it has)";
    assert_eq!(text.matches("supply Secret").count(), 1, "{text}");
    assert!(text.contains(supply), "{text}");
    let status = stablekey::report::status::StatusReport::of(&w.world, &plan.plan);
    let todo: Vec<(&str, &str, usize)> =
        status.todo.iter().map(|t| (&*t.tenant, t.text.as_str(), t.objects.len())).collect();
    assert_eq!(todo, [("eu", supply, 3), ("us", supply, 3)]);
}
