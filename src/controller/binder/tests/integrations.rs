//! Integrations: one row per variable.

use super::*;

fn router(tenant: &mut Namespace) -> Affected {
    tenant.put(
        Kind::Integration,
        "lead-router",
        json!({"connections": [
            {"name": "CRM", "stableKey": "crm"},
            {"name": "Warehouse", "own": {"component": {"key": "postgres"}, "type": "postgres"}},
            {"name": "Chat", "stableKey": "slakc"},
            {"name": "Old", "stableKey": "sf_old"},
        ]}),
    )
}

fn rows(tenant: &Namespace) -> Vec<String> {
    let status = tenant.integration("lead-router").status;
    status.bindings.iter().map(|row| format!("{} {} {}", row.name, row.reason, row.ready)).collect()
}

/// `status.bindings` has one row per variable; Ready is true only if all are bound.
///
/// "Integration: `status.bindings`, a row per variable; Ready only when all are bound".
#[test]
fn there_is_a_row_per_variable_in_their_order() {
    let mut tenant = global();
    let due = router(&mut tenant);
    assert_eq!(due.connections, ["crm".to_string()].into());
    assert_eq!(
        rows(&tenant),
        ["CRM ConnectionNotReady false", "Warehouse Own true", "Chat BindingMissing false", "Old BindingMissing false"]
    );
    assert_eq!(tenant.integration("lead-router").status.bound.as_deref(), Some("2/4"));
    assert_eq!(ready(&tenant.integration("lead-router").conditions), "False ConnectionNotReady");
    tenant.settle();
    assert_eq!(rows(&tenant)[0], "CRM Bound true");
    // A similar key becomes a candidate as soon as it exists.
    let chat = |key: &str| json!({"stableKey": key, "component": {"key": "slack"}, "type": "bot", "credentials": "OrganizationGlobal"});
    let due = tenant.put(Kind::Connection, "slack", chat("slack"));
    assert!(due.integrations.contains("lead-router"));
    assert_eq!(tenant.integration("lead-router").status.bindings[2].candidates, ["slack"]);
    let due = tenant.gone(Kind::Connection, "slack");
    assert!(due.integrations.contains("lead-router"));
    assert!(tenant.integration("lead-router").status.bindings[2].candidates.is_empty());
    // A connection that replaces the key answers.
    let mut crm = basic("crm", "OrganizationGlobal", global_inputs());
    crm["replaces"] = json!(["sf_old"]);
    assert!(tenant.put(Kind::Connection, "crm", crm).integrations.contains("lead-router"));
    assert!(tenant.put(Kind::Connection, "slakc", chat("slakc")).integrations.contains("lead-router"));
    tenant.settle();
    assert_eq!(rows(&tenant), ["CRM Bound true", "Warehouse Own true", "Chat Bound true", "Old Bound true"]);
    let evaluated = tenant.integration("lead-router");
    assert_eq!((evaluated.status.bound.as_deref(), ready(&evaluated.conditions).as_str()), (Some("4/4"), "True Bound"));
    assert_eq!(evaluated.status.bindings[3].connection.as_deref(), Some("crm"));
}

/// An invalid connection makes the bindings to it unknown.
///
/// "A document that parses but is invalid holds back the object that it names".
#[test]
fn a_variable_of_an_invalid_connection_is_unknown() {
    let mut tenant = global();
    router(&mut tenant);
    let id = ObjectId::new(Kind::Connection, "crm");
    let due = tenant.change(CacheChange::Invalid { id, why: "a field is missing".into() });
    assert!(due.integrations.contains("lead-router"));
    assert_eq!(rows(&tenant)[0], "CRM BindingUnknown false");
    // Two object names that only an invalid connection of the key could have.
    let id = ObjectId::new(Kind::Connection, "sf-old");
    let due = tenant.change(CacheChange::Invalid { id, why: "a field is missing".into() });
    assert!(due.integrations.contains("lead-router"));
    assert_eq!(rows(&tenant)[3], "Old BindingUnknown false");
}

/// An integration is affected only if the readiness of its connection changes; a new password changes only the
/// connection.
#[test]
fn integrations_are_affected_only_when_readiness_changes() {
    let mut tenant = global();
    tenant.settle();
    router(&mut tenant);
    let (evaluated, due) = tenant.publish("crm", now());
    assert_eq!(ready(&evaluated.unwrap().conditions), "True Complete");
    assert!(due.integrations.contains("lead-router"));
    assert!(tenant.publish("crm", now()).1.is_empty());
    let due = tenant.source("sf-app", json!({EXPIRES: "2026-06-02T00:00:00Z"}), &[("password", "new")]);
    assert!(due.integrations.is_empty());
    tenant.settle();
    assert!(tenant.publish("crm", now()).1.is_empty());
    let titled = json!({"title": "CRM"});
    let mut spec = basic("crm", "OrganizationGlobal", global_inputs());
    spec.as_object_mut().unwrap().extend(titled.as_object().unwrap().clone());
    assert_eq!(
        tenant.put(Kind::Connection, "crm", spec),
        Affected { connections: ["crm".to_string()].into(), ..Affected::default() }
    );
    // Time changes it too: the published result is valid until then.
    let later = "2026-06-02T00:00:00Z".parse().unwrap();
    let row = |at| {
        evaluate::integration::integration(&tenant.cache, "lead-router", at).unwrap().status.bindings.remove(0).reason
    };
    assert_eq!((row(now()), row(later)), ("Bound".into(), "ConnectionNotReady".into()));
    assert!(tenant.publish("crm", later).1.integrations.contains("lead-router"));
}

/// The published result of a connection is not used after a change, reconciled or not.
#[test]
fn outdated_results_are_not_used() {
    let mut tenant = global();
    router(&mut tenant);
    tenant.settle();
    tenant.publish("crm", now());
    assert_eq!(rows(&tenant)[0], "CRM Bound true");
    tenant.change(CacheChange::SecretGone("sf-app".into()));
    assert_eq!(rows(&tenant)[0], "CRM ConnectionNotReady false");
}

/// An Integration is not Ready if its definition was not delivered (`definition: {file}` in a cluster), or is missing,
/// broken or of an unsupported version.
///
/// "An Integration that comes to a cluster with `definition: {file}` is not Ready (DefinitionNotDelivered)".
#[test]
fn an_integration_without_a_readable_definition_is_not_ready() {
    let mut tenant = Namespace::new();
    let of = |tenant: &Namespace| condition_text(&tenant.integration("i").conditions, "Ready");
    // Somebody must act, so the condition Stalled is true.
    let stalled =
        |tenant: &Namespace| condition_text(&tenant.integration("i").conditions, "Stalled").starts_with("True ");
    let map = |readable| CacheChange::Definition { config_map: "i-1".into(), readable };
    let is_due = Affected { integrations: ["i".to_string()].into(), ..Affected::default() };
    tenant.put(Kind::Integration, "i", json!({"definition": {"file": "i.definition"}}));
    assert_eq!(
        of(&tenant),
        "False DefinitionNotDelivered: SK0145 its definition is i.definition, a file that was not delivered to eu. \
         Deliver it:\nstablekey render eu | kubectl apply --server-side --namespace ns -f -"
    );
    assert!(stalled(&tenant));
    // The command stands alone on its line, whatever else the message contains.
    let variable = json!({"name": "CRM", "stableKey": "crm"});
    tenant.put(Kind::Integration, "i", json!({"definition": {"file": "i.definition"}, "connections": [variable]}));
    assert!(of(&tenant).contains("\nstablekey render eu | kubectl apply --server-side --namespace ns -f -\nSK0101 "));
    assert!(tenant.change(map(Readable::Yes)).is_empty(), "nobody names it yet");
    tenant.change(CacheChange::DefinitionGone("i-1".into()));
    tenant.put(Kind::Integration, "i", json!({"definition": {"configMap": {"name": "i-1"}}}));
    assert_eq!(
        of(&tenant),
        "False DefinitionMissing: SK0145 its definition is in ConfigMap i-1, which is not there or lacks the label \
         stablekey.dev/definition: \"true\""
    );
    assert!(!stalled(&tenant), "it may be on its way");
    assert_eq!(tenant.change(map(Readable::No("line 1: it is no YAML".into()))), is_due);
    assert_eq!(
        of(&tenant),
        "False DefinitionUnreadable: SK0145 the definition in ConfigMap i-1 cannot be read: line 1: it is no YAML"
    );
    assert!(stalled(&tenant));
    assert_eq!(tenant.change(map(Readable::Newer("version 9".into()))), is_due);
    assert_eq!(
        of(&tenant),
        "False DefinitionUnread: SK0147 the definition in ConfigMap i-1 is of version 9, which is not read: update \
         stablekey, or export the integration in a version that is read"
    );
    assert!(stalled(&tenant));
    assert_eq!(tenant.change(map(Readable::Yes)), is_due);
    assert!(tenant.change(map(Readable::Yes)).is_empty(), "that is no news");
    assert!(!stalled(&tenant));
    assert_eq!(ready(&tenant.integration("i").conditions), "True Bound");
    assert_eq!(tenant.change(CacheChange::DefinitionGone("i-1".into())), is_due);
    assert_eq!(ready(&tenant.integration("i").conditions), "False DefinitionMissing");
    // Its variables are listed nevertheless, with their problems.
    tenant.put(
        Kind::Integration,
        "i",
        json!({"definition": {"configMap": {"name": "i-1"}}, "connections": [
            {"name": "CRM", "stableKey": "crm"},
        ]}),
    );
    let evaluated = tenant.integration("i");
    assert_eq!((evaluated.status.bound.as_deref(), evaluated.status.bindings.len()), (Some("0/1"), 1));
    assert!(condition_text(&evaluated.conditions, "Ready").contains("SK0101"), "{evaluated:?}");
    // A ConfigMap with another definition does not affect it.
    let other = CacheChange::Definition { config_map: "i-2".into(), readable: Readable::Yes };
    assert!(tenant.change(other).is_empty());
}

#[test]
fn an_integration_without_variables_is_ready() {
    let mut tenant = Namespace::new();
    tenant.put(Kind::Integration, "i", json!({}));
    let evaluated = tenant.integration("i");
    assert_eq!((ready(&evaluated.conditions).as_str(), evaluated.status.bound.as_deref()), ("True Bound", Some("0/0")));
}
