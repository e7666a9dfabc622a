//! Confused deputies: people with fewer permissions who try to make the binder act for them.

use super::*;

/// A Secret of somebody else with the binding Secret's name is never overwritten, and never named in a status.
#[test]
fn a_foreign_secret_is_never_overwritten() {
    let whole = global().connection("crm").bindings.remove(0);
    let ours = stored(&whole, MANAGER, 5000);
    let copied = stored(&whole, "kubectl-client-side-apply", 5000);
    let with = |pointer: &str, value: Value| {
        let mut secret = ours.clone();
        *secret.pointer_mut(pointer).unwrap() = value;
        secret
    };
    let taken = [
        json!({"metadata": {"name": "crm.binding", "uid": "x"}, "type": "Opaque"}),
        // Copied YAML is not Stablekey's, however similar it looks.
        copied,
        with("/metadata/managedFields/0/operation", json!("Update")),
        // Stablekey's, but of another object, or modified.
        with("/metadata/annotations/stablekey.dev~1binding-of", json!("Connection/slack")),
        with("/metadata/annotations/stablekey.dev~1binding-of", json!("Connection/crm/test")),
        with("/metadata/labels/stablekey.dev~1for", json!("nothing")),
        with("/type", json!("Opaque")),
        // A Secret that opted in.
        json!({"metadata": {"name": "crm.binding", "uid": "x", "labels": {FOR: FOR_CONNECTIONS}}, "type": "Opaque"}),
    ];
    for there in taken {
        let mut tenant = global();
        let seen = ObservedSecret::parse(there.to_string().as_bytes(), &tenant.cache.salt).unwrap();
        let due = tenant.change(CacheChange::Secret(seen));
        assert!(due.connections.contains("crm"));
        let evaluated = tenant.connection("crm");
        assert_eq!(ready(&evaluated.conditions), "False BindingNameTaken", "{there}");
        assert_eq!((evaluated.bindings.len(), evaluated.status.binding), (0, None));
        tenant.change(CacheChange::SecretGone("crm.binding".into()));
        assert_eq!(tenant.connection("crm").bindings[0].how, How::Create);
    }
    let mut tenant = global();
    let seen = ObservedSecret::parse(ours.to_string().as_bytes(), &tenant.cache.salt).unwrap();
    tenant.change(CacheChange::Secret(seen));
    assert_eq!(ready(&tenant.connection("crm").conditions), "True Complete");
}

/// A foreign Secret without Stablekey's label is not watched, so it is read from time to time.
#[test]
fn a_foreign_secret_that_occupies_the_name_is_reported() {
    let mut tenant = global();
    tenant.secret(json!({"name": "crm.binding", "uid": "x"}), "Opaque", &[]);
    assert!(tenant.cache.is_in_the_way("crm.binding") && affected::is_wanted(&tenant.cache, "crm.binding"));
    tenant.change(CacheChange::SecretGone("crm.binding".into()));
    tenant.settle();
    assert!(!tenant.cache.is_in_the_way("crm.binding"));
}

/// The type of a Secret is immutable: one that was made for another component is not named, and is made again.
#[test]
fn a_secret_of_another_component_is_created_again() {
    let mut tenant = global();
    tenant.settle();
    let mut spec = basic("crm", "OrganizationGlobal", global_inputs());
    spec["component"] = json!({"key": "hubspot"});
    tenant.put(Kind::Connection, "crm", spec);
    let evaluated = tenant.connection("crm");
    assert_eq!(ready(&evaluated.conditions), "False BindingPending");
    assert_eq!(evaluated.status.binding, None);
    assert!(matches!(evaluated.bindings[0].how, How::Replace { .. }));
}

/// Customer credentials that name a global input are not ready, and nothing is written for them.
#[test]
fn a_customer_cannot_set_a_global_input() {
    let mut tenant = of_customers();
    for (input, value) in [
        ("password", json!({"secretRef": {"name": "sf-app", "key": "password"}})),
        ("note", json!({"value": "theirs"})),
        ("unknown", json!({"value": "x"})),
    ] {
        let mut inputs = acme_url();
        inputs[input] = value;
        tenant.put(Kind::CustomerCredentials, "a", acme(inputs));
        let evaluated = tenant.credentials("a");
        assert_eq!(ready(&evaluated.conditions), "False CustomerInputNotPerCustomer");
        assert!(evaluated.bindings.is_empty());
        assert!(condition_text(&evaluated.conditions, "Stalled").starts_with("True CustomerInputNotPerCustomer"));
    }
}

/// A per-customer endpoint is checked in each customer's binding: the organization's secret goes only to pinned hosts.
#[test]
fn a_customer_cannot_redirect_the_organizations_secret() {
    let mut tenant = of_customers();
    tenant.source("sf-app", json!({KEYS: "crm", HOSTS: "acme.example"}), &[("password", CANARY)]);
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    assert_eq!(tenant.credentials("a").bindings.len(), 1);
    for url in ["https://evil.example", "https://acme.example@evil.example", "https://evil.example\\@acme.example"] {
        tenant.put(Kind::CustomerCredentials, "a", acme(json!({"baseUrl": {"value": url}})));
        let evaluated = tenant.credentials("a");
        assert_eq!(ready(&evaluated.conditions), "False HostNotPinned");
        assert!(evaluated.bindings.is_empty());
        assert!(!condition_text(&evaluated.conditions, "Ready").contains("evil"));
    }
}

/// A mirrored connection that points the production secret at another host gets no secret.
#[test]
fn a_connection_cannot_point_a_pinned_secret_elsewhere() {
    let mut tenant = global();
    tenant.source("sf-app", json!({KEYS: "crm", HOSTS: "login.example"}), &[("password", CANARY)]);
    tenant.settle();
    let mut inputs = global_inputs();
    inputs["baseUrl"] = json!({"value": "https://evil.example"});
    tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", inputs));
    let evaluated = tenant.connection("crm");
    assert_eq!(ready(&evaluated.conditions), "False HostNotPinned");
    // The binding Secret stays as it is: the old address, the old secret.
    assert!(evaluated.bindings.is_empty() && evaluated.status.binding.is_some());
}

/// A `replaces` that came by a sync serves only what that sync wrote: a mirrored connection that replaces production's
/// own key gets neither its Secret nor its customers.
///
/// "A `replaces` that came by a sync serves only what that sync wrote".
#[test]
fn a_copied_replaces_gets_no_secret_and_no_customer() {
    let mut tenant = of_customers();
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    tenant.put(Kind::Integration, "own", json!({"connections": [{"name": "CRM", "stableKey": "crm"}]}));
    let mut spec = serde_json::to_value(&tenant.cache.inventory.connections["crm"].spec).unwrap();
    spec["stableKey"] = json!("evil");
    spec["replaces"] = json!(["crm"]);
    let record = "eu made replaces=0123456789abcdef@sync/dev-to-eu";
    tenant.put_recorded(Kind::Connection, "evil", spec.clone(), Some(record));
    let evaluated = tenant.connection("evil");
    assert_eq!(ready(&evaluated.conditions), "False SecretNotForKey");
    assert!(condition_text(&evaluated.conditions, "OlderKeysAnswered").starts_with("True AnsweredForSync"));
    assert_eq!((evaluated.status.customers, evaluated.status.used_by_count), (Some(0), Some(0)));
    assert_eq!(tenant.integration("own").status.bindings[0].connection.as_deref(), Some("crm"));
    assert_eq!(tenant.credentials("a").bindings.len(), 1);
    // A record that names another tenant does not count: the object then belongs to the tenant itself.
    tenant.put_recorded(Kind::Connection, "evil", spec, Some("dev made replaces=0123456789abcdef@sync/dev-to-eu"));
    assert_eq!(tenant.connection("evil").status.used_by_count, Some(1));
}
