//! The ownership record: what Stablekey wrote is stored with the object.

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, GivenTenant, world};

const X: &str = "prod/Connection/crm";

/// A tenant whose source has a connection with a title and scopes.
fn declared(location: impl FnOnce(GivenTenant) -> GivenTenant) -> Given {
    world().tenant("prod", |t| {
        location(t).declares().connection("crm", "salesforce/oauth2").title("CRM").input("scopes", "api")
    })
}

fn same_in_place(t: GivenTenant) -> GivenTenant {
    t.connection("crm", "salesforce/oauth2").title("CRM").input("scopes", "api")
}

/// The same, applied already.
fn settled() -> Given {
    let w = declared(|t| t).applied();
    w.plan().is_empty();
    w
}

/// Not recorded and absent: the field is written.
#[test]
fn unrecorded_and_absent_is_written() {
    let w = declared(|t| t.connection("crm", "salesforce/oauth2").title("CRM"));
    w.plan().action(X).is_update().sets("inputs.scopes").only_records("title");
    assert_eq!(w.applied().writers(X, "inputs.scopes"), ["source"]);
}

/// An absent field counts as absent, even if its absence means a value. No writer manages it.
///
/// "An absent field is not managed by a writer, and is read as the value given above".
#[test]
fn unrecorded_and_absent_is_written_even_with_a_default() {
    let w = world().tenant("prod", |t| {
        t.connection("crm", "http/basic").declares().connection("crm", "http/basic").embedded(true)
    });
    w.plan().action(X).is_update().sets("embeddedWorkflows");
    w.plan().holds_nothing();
    w.applied().plan().is_empty();
}

/// Absent and the value that absence means are equal in a diff.
///
/// "absent and read value are equal in diff".
#[test]
fn absent_and_default_are_equal() {
    let w = world().tenant("prod", |t| {
        t.connection("crm", "http/basic")
            .declares()
            .connection("crm", "http/basic")
            .embedded(false)
            .deletion(DeletionPolicy::Retain)
    });
    w.plan().action(X).is_adopt().only_records("embeddedWorkflows").only_records("deletionPolicy");
    w.applied().plan().is_empty();
}

/// "No default is ever written into an object".
#[test]
fn no_default_is_written() {
    let w = world().tenant("prod", |t| t.declares().connection("crm", "http/basic")).applied();
    for field in ["embeddedWorkflows", "deletionPolicy", "title"] {
        assert_eq!(w.value(X, field), None, "{field}");
    }
}

/// Not recorded and equal to the desired value: only recorded.
#[test]
fn unrecorded_and_in_sync_is_only_recorded() {
    let w = declared(same_in_place);
    w.plan().action(X).is_adopt().only_records("title").only_records("inputs.scopes").only_records("type");
    let done = w.applied();
    assert!(!done.record(X).unwrap().made, "it was there before us");
    done.plan().is_empty().exits(0);
}

/// Not recorded and different: the target's own value is kept, with its owner; nothing else is blocked.
#[test]
fn unrecorded_and_different_is_kept() {
    let w = declared(|t| t.connection("crm", "salesforce/oauth2").title("Our CRM"));
    let plan = w.plan();
    assert_eq!(plan.holds(X, "title"), "prod");
    plan.action(X).is_update().sets("inputs.scopes").does_not_touch("title");
    let done = plan.done();
    assert_eq!(done.value(X, "title"), Some("Our CRM".into()));
    done.plan().is_empty().exits(0);
}

/// The manager of a kept field is named if the location knows it.
#[test]
fn a_kept_field_names_its_owner() {
    let w = declared(|t| t.connection("crm", "salesforce/oauth2").title("Our CRM").holds("title", "kubectl-edit"));
    assert_eq!(w.plan().holds(X, "title"), "kubectl-edit");
}

/// Recorded and equal to the desired value: the record is updated.
#[test]
fn recorded_and_in_sync_updates_the_record() {
    let w = settled()
        .tenant("prod", |t| t.edit("Connection/crm").title("New").declares().edit("Connection/crm").title("New"));
    w.plan().action(X).is_adopt().only_records("title").does_not_touch("inputs.scopes");
    w.applied().plan().is_empty();
    // From now on it is managed: a later change of the source is an update, not kept.
    w.applied().tenant("prod", |t| t.declares().edit("Connection/crm").title("Newer")).plan().action(X).sets("title");
}

/// Recorded and unchanged: the field is updated.
#[test]
fn recorded_and_unchanged_is_updated() {
    let w = settled().tenant("prod", |t| t.declares().edit("Connection/crm").input("scopes", "api refresh"));
    let plan = w.plan();
    let change =
        plan.action(X).is_update().sets("inputs.scopes").does_not_touch("title").change("inputs.scopes").cloned();
    let change = change.unwrap();
    assert_eq!(change.from, Some(serde_json::json!({"value": "api"}).into()));
    assert_eq!(change.to, Some(serde_json::json!({"value": "api refresh"}).into()));
    plan.done().plan().is_empty();
}

/// Recorded, unchanged and no longer desired: the field is removed.
///
/// "removed if no longer declared".
#[test]
fn recorded_unchanged_and_no_longer_desired_is_removed() {
    let w = settled().tenant("prod", |t| t.declares().edit("Connection/crm").without_input("scopes").without_title());
    w.plan().action(X).is_update().removes("inputs.scopes").removes("title");
    let done = w.applied();
    assert_eq!(done.value(X, "title"), None);
    assert!(done.writers(X, "title").is_empty());
    done.plan().is_empty();
}

/// Recorded and different: drift, which is kept unless the policy is Correct.
#[test]
fn drift_is_reported_and_kept_under_detect() {
    let w = settled().tenant("prod", |t| t.edit("Connection/crm").title("Theirs"));
    let plan = w.plan();
    assert!(plan.drifted(X, "title"));
    plan.is_empty().exits(3);
}

/// "drift, also where the source moved".
#[test]
fn drift_is_drift_even_if_the_source_changed() {
    let w = settled().tenant("prod", |t| {
        t.edit("Connection/crm").title("Theirs").declares().edit("Connection/crm").title("New").input("scopes", "all")
    });
    let plan = w.plan();
    assert!(plan.drifted(X, "title"));
    plan.action(X).is_update().sets("inputs.scopes").does_not_touch("title");
    assert_eq!(plan.done().value(X, "title"), Some("Theirs".into()));
}

/// With Correct it is reverted.
///
/// "Correct updates".
#[test]
fn correct_updates_what_drifted() {
    let w = settled().tenant("prod", |t| t.drift(Drift::Correct).edit("Connection/crm").title("Theirs"));
    let plan = w.plan();
    assert!(!plan.drifted(X, "title"));
    plan.action(X).is_update().sets("title");
    assert_eq!(plan.action(X).action.reason.code, "drift");
    assert_eq!(plan.done().value(X, "title"), Some("CRM".into()));
    plan.done().plan().is_empty().exits(0);
}

/// A field that others removed has drifted too.
#[test]
fn a_field_that_others_removed_has_drifted() {
    let w = settled().tenant("prod", |t| t.edit("Connection/crm").without_input("scopes"));
    assert!(w.plan().drifted(X, "inputs.scopes"));
    w.plan().is_empty();
    let w = w.tenant("prod", |t| t.drift(Drift::Correct));
    w.plan().action(X).is_update().sets("inputs.scopes");
}

/// "no longer declared: left and forgotten".
#[test]
fn drift_of_an_undesired_field_is_kept_and_forgotten() {
    let w = settled().tenant("prod", |t| {
        t.drift(Drift::Correct).edit("Connection/crm").title("Theirs").declares().edit("Connection/crm").without_title()
    });
    w.plan().action(X).is_adopt().forgets("title");
    let done = w.applied();
    assert_eq!(done.value(X, "title"), Some("Theirs".into()));
    assert!(done.writers(X, "title").is_empty());
    done.plan().is_empty().exits(0);
}

/// If it is gone already, there is nothing to remove.
#[test]
fn a_removed_undesired_field_is_only_forgotten() {
    let w = world()
        .tenant("prod", |t| t.declares().connection("crm", "http/basic").embedded(false).title("CRM"))
        .applied()
        .tenant("prod", |t| {
            let t = t.location().connection("crm", "http/basic");
            t.declares().connection("crm", "http/basic")
        });
    w.plan().action(X).is_adopt().forgets("embeddedWorkflows").forgets("title");
    w.applied().plan().is_empty();
}

/// An object that no writer wants keeps every field and its record; only removal may apply.
///
/// "The table is for fields of objects that a writer declares; an object that none declares is a matter of removal
/// only". "keeps every field and its record".
#[test]
fn an_undesired_object_keeps_every_field_and_its_record() {
    let before = settled();
    let w = before.clone().tenant("prod", |t| t.allows_delete().declares().without("Connection/crm"));
    w.plan().leaves_alone(X).is_empty();
    assert_eq!(w.applied().record(X), before.record(X));
}

/// Removing a field that another manager owns too releases it: it is dropped from the record, reported once, and not
/// planned again.
///
/// "Where another manager holds a field too, removing it releases it: dropped from the record, said once, not planned
/// again".
#[test]
fn removing_a_field_of_another_manager_releases_it() {
    let w = settled().tenant("prod", |t| {
        t.edit("Connection/crm").holds("title", "kubectl-edit").declares().edit("Connection/crm").without_title()
    });
    let plan = w.plan();
    assert_eq!(
        plan.action(X).is_adopt().releases("title").change("title").unwrap().by.as_deref(),
        Some("kubectl-edit")
    );
    let done = plan.done();
    assert_eq!(done.value(X, "title"), Some("CRM".into()));
    assert!(done.writers(X, "title").is_empty());
    done.plan().is_empty().exits(0);
}

/// A deleted object is created again while it is desired, whatever the drift policy.
///
/// "An object that is gone is made again while declared, whatever drift says".
#[test]
fn a_deleted_object_is_created_again_under_any_drift_policy() {
    for drift in [Drift::Ignore, Drift::Detect, Drift::Correct] {
        let w = settled().tenant("prod", |t| t.drift(drift).without("Connection/crm"));
        w.plan().action(X).is_create().sets("title");
        w.plan().has_no_drift();
        w.applied().plan().is_empty();
    }
}

/// Only another component, type or credentials block a whole connection and what needs it.
///
/// "Only a component, type or credentials that differ hold back a whole connection and what needs it".
#[test]
fn a_connection_of_another_kind_blocks_itself_and_what_needs_it() {
    let w = world().tenant("prod", |t| {
        t.connection("crm", "hubspot/oauth2")
            .declares()
            .connection("crm", "salesforce/oauth2")
            .title("CRM")
            .connection("chat", "slack/oauth2")
            .integration("needs-it")
            .binds("CRM", "crm")
            .integration("needs-it-not")
            .binds("Chat", "chat")
    });
    let plan = w.plan();
    plan.blocks(X, Code::Occupied);
    plan.blocks("prod/Integration/needs-it", Code::Occupied);
    plan.leaves_alone(X).leaves_alone("prod/Integration/needs-it").exits(3);
    plan.action("prod/Connection/chat").is_create();
    plan.action("prod/Integration/needs-it-not").is_create();
}

/// The same for the immutable fields: type, credentials and the stable key itself.
///
/// "Stable key, component, type and credentials are immutable".
#[test]
fn immutable_fields_are_never_changed() {
    let live: [fn(GivenTenant) -> GivenTenant; 3] = [
        |t| t.connection("crm", "salesforce/basic"),
        |t| t.connection("crm", "salesforce/oauth2").credentials(Credentials::Customer),
        |t| t.connection("CRM", "salesforce/oauth2"),
    ];
    for location in live {
        let w = declared(location).tenant("prod", |t| t.drift(Drift::Correct));
        w.plan().blocks(X, Code::Occupied);
        w.plan().is_empty().exits(3);
    }
}

/// Each variable and each input is a field of its own; the target's unrecorded ones are kept.
///
/// "per field (an input or a variable is one)". "Each variable is a field, and so is each input; the target's
/// unrecorded ones stay".
#[test]
fn the_targets_own_inputs_and_variables_are_kept() {
    let w = world().tenant("prod", |t| {
        t.connection("crm", "http/basic")
            .input("theirs", "1")
            .integration("i")
            .binds("Theirs", "crm")
            .declares()
            .connection("crm", "http/basic")
            .input("ours", "2")
            .integration("i")
            .binds("Ours", "crm")
    });
    w.plan().action(X).sets("inputs.ours").does_not_touch("inputs.theirs");
    w.plan().action("prod/Integration/i").sets("connections.Ours").does_not_touch("connections.Theirs");
    let done = w.applied();
    assert!(done.value(X, "inputs.theirs").is_some());
    assert!(done.value("prod/Integration/i", "connections.Theirs").is_some());
    done.plan().is_empty();
    // Nor are they removed when the source removes its own.
    let w = done.tenant("prod", |t| t.declares().edit("Integration/i").without_variable("Ours"));
    w.plan().action("prod/Integration/i").removes("connections.Ours").does_not_touch("connections.Theirs");
}

/// A record has the tenant, whether Stablekey created the object, and per field a short hash and its writers.
///
/// "tenant, writer, whether we made it, and per field … a short hash … and who wrote it".
#[test]
fn a_record_has_tenant_writers_hashes_and_made() {
    let w = settled();
    let line = w.record(X).unwrap().encode();
    assert!(line.starts_with("prod made "), "{line}");
    let title = line.split(' ').find(|word| word.starts_with("title=")).unwrap();
    let (hash, writers) = title.trim_start_matches("title=").split_once('@').unwrap();
    assert_eq!((hash.len(), writers), (16, "source"));
}

/// The hash is that of the reference, never of a secret.
///
/// "a short hash, never of a secret".
#[test]
fn a_secret_is_recorded_by_its_reference() {
    let put = |secret: &str| {
        world().tenant("prod", |t| t.declares().connection("crm", "http/basic").secret("password", secret)).applied()
    };
    assert_eq!(put("s").record(X), put("s").record(X));
    assert_ne!(put("s").record(X), put("other").record(X));
}

/// A record that names another tenant does not count.
///
/// "A record that names another tenant is none".
#[test]
fn a_record_that_names_another_tenant_does_not_count() {
    let w = settled().tenant("prod", |t| {
        t.edit("Connection/crm").record_names("staging").declares().edit("Connection/crm").title("New")
    });
    assert_eq!(w.plan().holds(X, "title"), "prod");
    w.plan().action(X).is_adopt().only_records("inputs.scopes");
    let done = w.applied();
    let record = done.record(X).unwrap();
    assert!(record.tenant == "prod" && !record.made, "{record:?}");
    // Nor does it allow a removal.
    let gone = settled().tenant("prod", |t| {
        t.allows_delete().edit("Connection/crm").record_names("staging").declares().without("Connection/crm")
    });
    gone.plan().is_empty();
}

/// In mode `Create` the record says that Stablekey created the object, and has no field.
///
/// "`Create` records that we made the object, and no field".
#[test]
fn create_records_made_and_no_field() {
    let w = world()
        .tenant("us", |t| t.connection("crm", "http/basic").title("CRM").integration("i").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .create();
    w.plan().action("eu/Connection/crm").is_create().sets("title");
    let done = w.applied();
    let record = done.record("eu/Connection/crm").unwrap();
    assert!(record.made && record.fields.is_empty(), "{record:?}");
    done.plan().is_empty();
}

/// An adoption writes only the record, is an action, and is allowed wherever Update is.
///
/// "adopt writes only the record, is an action, is allowed wherever Update is".
#[test]
fn adopt_is_allowed_if_update_is() {
    let w = declared(same_in_place);
    w.clone().tenant("prod", |t| t.allows(&[AllowedAction::Update])).plan().action(X).is_adopt();
    let denied = w.tenant("prod", |t| t.allows(&[AllowedAction::Create]));
    // The desired value is live: nothing is blocked.
    denied.plan().is_empty().blocks_nothing().exits(0);
}

/// An adoption needs no approval of its own.
#[test]
fn adopt_changes_no_value() {
    let w = declared(same_in_place).tenant("prod", |t| t.approval(0, 0));
    let plan = w.plan();
    plan.action(X).is_adopt().needs_no_approval();
    let (before, after) = (w.live("prod"), plan.done());
    assert_eq!(before.connections, after.live("prod").connections);
}
