//! "What we wrote is kept with the object."

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, GivenTenant, world};

const X: &str = "prod/Connection/crm";

/// A tenant whose source declares a connection with a title and scopes.
fn declared(location: impl FnOnce(GivenTenant) -> GivenTenant) -> Given {
    world().tenant("prod", |t| {
        location(t).declares().connection("crm", "salesforce/oauth2").title("CRM").input("scopes", "api")
    })
}

fn same_in_place(t: GivenTenant) -> GivenTenant {
    t.connection("crm", "salesforce/oauth2").title("CRM").input("scopes", "api")
}

/// The same, all of it ours already.
fn settled() -> Given {
    let w = declared(|t| t).applied();
    w.plan().is_empty();
    w
}

/// Row 1: "recorded: no | live: absent | written".
#[test]
fn unrecorded_and_absent_is_written() {
    let w = declared(|t| t.connection("crm", "salesforce/oauth2").title("CRM"));
    w.plan().action(X).is_update().sets("inputs.scopes").only_records("title");
    assert_eq!(w.applied().writers(X, "inputs.scopes"), ["source"]);
}

/// Row 1, where absent is read as a value: it is absent all the same. "An absent field is not managed by
/// a writer, and is read as the value given above".
#[test]
fn unrecorded_and_absent_is_written_though_absent_reads_as_a_value() {
    let w = world().tenant("prod", |t| {
        t.connection("crm", "http/basic").declares().connection("crm", "http/basic").embedded(true)
    });
    w.plan().action(X).is_update().sets("embeddedWorkflows");
    w.plan().holds_nothing();
    w.applied().plan().is_empty();
}

/// "absent and read value are equal in diff".
#[test]
fn absent_and_read_value_are_equal() {
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

/// "No default is ever written into an object."
#[test]
fn no_default_is_written() {
    let w = world().tenant("prod", |t| t.declares().connection("crm", "http/basic")).applied();
    for field in ["embeddedWorkflows", "deletionPolicy", "title"] {
        assert_eq!(w.value(X, field), None, "{field}");
    }
}

/// Row 1: "recorded: no | live: as declared | only recorded".
#[test]
fn unrecorded_and_as_declared_is_only_recorded() {
    let w = declared(same_in_place);
    w.plan().action(X).is_adopt().only_records("title").only_records("inputs.scopes").only_records("type");
    let done = w.applied();
    assert!(!done.record(X).unwrap().made, "it was there before us");
    done.plan().is_empty().exits(0);
}

/// Row 2: "recorded: no | live: other | the target's: kept, said by whom; nothing else is held back".
#[test]
fn unrecorded_and_other_is_the_targets() {
    let w = declared(|t| t.connection("crm", "salesforce/oauth2").title("Our CRM"));
    let plan = w.plan();
    assert_eq!(plan.holds(X, "title"), "prod");
    plan.action(X).is_update().sets("inputs.scopes").does_not_touch("title");
    let done = plan.done();
    assert_eq!(done.value(X, "title"), Some("Our CRM".into()));
    done.plan().is_empty().exits(0);
}

/// "kept, said by whom": where the location knows the manager, it is named.
#[test]
fn held_is_said_by_whom() {
    let w = declared(|t| t.connection("crm", "salesforce/oauth2").title("Our CRM").holds("title", "kubectl-edit"));
    assert_eq!(w.plan().holds(X, "title"), "kubectl-edit");
}

/// Row 3: "recorded: yes | live: as declared | the record follows".
#[test]
fn recorded_and_as_declared_the_record_follows() {
    let w = settled()
        .tenant("prod", |t| t.edit("Connection/crm").title("New").declares().edit("Connection/crm").title("New"));
    w.plan().action(X).is_adopt().only_records("title").does_not_touch("inputs.scopes");
    w.applied().plan().is_empty();
    // Now it is ours: a later change of the source is an update, not kept.
    w.applied().tenant("prod", |t| t.declares().edit("Connection/crm").title("Newer")).plan().action(X).sets("title");
}

/// Row 4: "recorded: yes | live: as recorded | updated".
#[test]
fn recorded_and_as_recorded_is_updated() {
    let w = settled().tenant("prod", |t| t.declares().edit("Connection/crm").input("scopes", "api refresh"));
    let plan = w.plan();
    let change =
        plan.action(X).is_update().sets("inputs.scopes").does_not_touch("title").change("inputs.scopes").cloned();
    let change = change.unwrap();
    assert_eq!(change.from, Some(serde_json::json!({"value": "api"}).into()));
    assert_eq!(change.to, Some(serde_json::json!({"value": "api refresh"}).into()));
    plan.done().plan().is_empty();
}

/// Row 4: "removed if no longer declared".
#[test]
fn recorded_as_recorded_and_no_longer_declared_is_removed() {
    let w = settled().tenant("prod", |t| t.declares().edit("Connection/crm").without_input("scopes").without_title());
    w.plan().action(X).is_update().removes("inputs.scopes").removes("title");
    let done = w.applied();
    assert_eq!(done.value(X, "title"), None);
    assert!(done.writers(X, "title").is_empty());
    done.plan().is_empty();
}

/// Row 5: "recorded: yes | live: other | drift: … else left".
#[test]
fn drift_is_reported_and_left_under_detect() {
    let w = settled().tenant("prod", |t| t.edit("Connection/crm").title("Theirs"));
    let plan = w.plan();
    assert!(plan.drifted(X, "title"));
    plan.is_empty().exits(3);
}

/// Row 5: "drift, also where the source moved".
#[test]
fn drift_is_drift_also_where_the_source_moved() {
    let w = settled().tenant("prod", |t| {
        t.edit("Connection/crm").title("Theirs").declares().edit("Connection/crm").title("New").input("scopes", "all")
    });
    let plan = w.plan();
    assert!(plan.drifted(X, "title"));
    plan.action(X).is_update().sets("inputs.scopes").does_not_touch("title");
    assert_eq!(plan.done().value(X, "title"), Some("Theirs".into()));
}

/// Row 5: "Correct updates".
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

/// Row 5, for a field that others took away: no value is another value.
#[test]
fn a_field_that_others_took_away_has_drifted() {
    let w = settled().tenant("prod", |t| t.edit("Connection/crm").without_input("scopes"));
    assert!(w.plan().drifted(X, "inputs.scopes"));
    w.plan().is_empty();
    let w = w.tenant("prod", |t| t.drift(Drift::Correct));
    w.plan().action(X).is_update().sets("inputs.scopes");
}

/// Row 5: "no longer declared: left and forgotten".
#[test]
fn drift_that_is_no_longer_declared_is_left_and_forgotten() {
    let w = settled().tenant("prod", |t| {
        t.drift(Drift::Correct).edit("Connection/crm").title("Theirs").declares().edit("Connection/crm").without_title()
    });
    w.plan().action(X).is_adopt().forgets("title");
    let done = w.applied();
    assert_eq!(done.value(X, "title"), Some("Theirs".into()));
    assert!(done.writers(X, "title").is_empty());
    done.plan().is_empty().exits(0);
}

/// The same where it is gone already: there is nothing to remove.
#[test]
fn what_is_gone_and_no_longer_declared_is_only_forgotten() {
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

/// "The table is for fields of objects that a writer declares; an object that none declares is a matter
/// of removal only" and "keeps every field and its record".
#[test]
fn an_object_that_none_declares_keeps_every_field_and_its_record() {
    let before = settled();
    let w = before.clone().tenant("prod", |t| t.allows_delete().declares().without("Connection/crm"));
    w.plan().leaves_alone(X).is_empty();
    assert_eq!(w.applied().record(X), before.record(X));
}

/// "Where another manager holds a field too, removing it releases it: dropped from the record, said
/// once, not planned again."
#[test]
fn removing_what_another_manager_holds_too_releases_it() {
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

/// "An object that is gone is made again while declared, whatever drift says."
#[test]
fn an_object_that_is_gone_is_made_again_whatever_drift_says() {
    for drift in [Drift::Ignore, Drift::Detect, Drift::Correct] {
        let w = settled().tenant("prod", |t| t.drift(drift).without("Connection/crm"));
        w.plan().action(X).is_create().sets("title");
        w.plan().has_no_drift();
        w.applied().plan().is_empty();
    }
}

/// "Only a component, type or credentials that differ hold back a whole connection and what needs it."
#[test]
fn a_connection_of_another_kind_holds_back_itself_and_what_needs_it() {
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

/// The same for the type, the credentials and the stable key itself ("Stable key, component, type and
/// credentials are immutable").
#[test]
fn what_never_changes_is_never_changed() {
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

/// "per field (an input or a variable is one)"; "Each variable is a field, and so is each input; the
/// target's unrecorded ones stay."
#[test]
fn the_targets_own_inputs_and_variables_stay() {
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
    // Nor do they go when the source takes its own away.
    let w = done.tenant("prod", |t| t.declares().edit("Integration/i").without_variable("Ours"));
    w.plan().action("prod/Integration/i").removes("connections.Ours").does_not_touch("connections.Theirs");
}

/// "tenant, writer, whether we made it, and per field … a short hash … and who wrote it."
#[test]
fn a_record_says_tenant_writer_hash_and_whether_we_made_it() {
    let w = settled();
    let line = w.record(X).unwrap().encode();
    assert!(line.starts_with("prod made "), "{line}");
    let title = line.split(' ').find(|word| word.starts_with("title=")).unwrap();
    let (hash, writers) = title.trim_start_matches("title=").split_once('@').unwrap();
    assert_eq!((hash.len(), writers), (16, "source"));
}

/// "a short hash, never of a secret": of a secret there is only the reference to hash.
#[test]
fn a_secret_is_recorded_by_its_reference() {
    let put = |secret: &str| {
        world().tenant("prod", |t| t.declares().connection("crm", "http/basic").secret("password", secret)).applied()
    };
    assert_eq!(put("s").record(X), put("s").record(X));
    assert_ne!(put("s").record(X), put("other").record(X));
}

/// "A record that names another tenant is none."
#[test]
fn a_record_that_names_another_tenant_is_none() {
    let w = settled().tenant("prod", |t| {
        t.edit("Connection/crm").record_names("staging").declares().edit("Connection/crm").title("New")
    });
    assert_eq!(w.plan().holds(X, "title"), "prod");
    w.plan().action(X).is_adopt().only_records("inputs.scopes");
    let done = w.applied();
    let record = done.record(X).unwrap();
    assert!(record.tenant == "prod" && !record.made, "{record:?}");
    // Nor does it let anything be removed.
    let gone = settled().tenant("prod", |t| {
        t.allows_delete().edit("Connection/crm").record_names("staging").declares().without("Connection/crm")
    });
    gone.plan().is_empty();
}

/// "`Create` records that we made the object, and no field."
#[test]
fn create_records_that_we_made_it_and_no_field() {
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

/// "adopt writes only the record, is an action, is allowed wherever Update is".
#[test]
fn adopt_is_allowed_wherever_update_is() {
    let w = declared(same_in_place);
    w.clone().tenant("prod", |t| t.allows(&[AllowedAction::Update])).plan().action(X).is_adopt();
    let denied = w.tenant("prod", |t| t.allows(&[AllowedAction::Create]));
    // What is declared is reached: nothing is blocked.
    denied.plan().is_empty().blocks_nothing().exits(0);
}

/// "adopt … includes 'the record follows'", and needs no approval of its own.
#[test]
fn adopt_changes_no_value() {
    let w = declared(same_in_place).tenant("prod", |t| t.approval(0, 0));
    let plan = w.plan();
    plan.action(X).is_adopt().needs_no_approval();
    let (before, after) = (w.live("prod"), plan.done());
    assert_eq!(before.connections, after.live("prod").connections);
}
