//! Confused deputies: what somebody with fewer rights would have the binder do for them.

use super::*;

/// "a binding name that is somebody's Secret": never written over, never named in a status.
#[test]
fn somebodys_secret_is_never_written_over() {
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
        // Copied YAML is not ours, however much it looks like it.
        copied,
        with("/metadata/managedFields/0/operation", json!("Update")),
        // Ours, but of another object, or no longer what we made.
        with("/metadata/annotations/stablekey.dev~1binding-of", json!("Connection/slack")),
        with("/metadata/annotations/stablekey.dev~1binding-of", json!("Connection/crm/test")),
        with("/metadata/labels/stablekey.dev~1for", json!("nothing")),
        with("/type", json!("Opaque")),
        // One that opted in.
        json!({"metadata": {"name": "crm.binding", "uid": "x", "labels": {FOR: FOR_CONNECTIONS}}, "type": "Opaque"}),
    ];
    for there in taken {
        let mut tenant = global();
        let seen = ObservedSecret::parse(there.to_string().as_bytes(), &tenant.cache.salt).unwrap();
        let due = tenant.change(CacheChange::Secret(seen));
        assert!(due.connections.contains("crm"));
        let verdict = tenant.connection("crm");
        assert_eq!(ready(&verdict.conditions), "False BindingNameTaken", "{there}");
        assert_eq!((verdict.bindings.len(), verdict.status.binding), (0, None));
        tenant.change(CacheChange::SecretGone("crm.binding".into()));
        assert_eq!(tenant.connection("crm").bindings[0].how, How::Create);
    }
    let mut tenant = global();
    let seen = ObservedSecret::parse(ours.to_string().as_bytes(), &tenant.cache.salt).unwrap();
    tenant.change(CacheChange::Secret(seen));
    assert_eq!(ready(&tenant.connection("crm").conditions), "True Complete");
}

/// Somebody's Secret without our label is watched by nobody: it is asked for now and then.
#[test]
fn what_is_in_the_way_is_named() {
    let mut tenant = global();
    tenant.secret(json!({"name": "crm.binding", "uid": "x"}), "Opaque", &[]);
    assert!(tenant.cache.is_in_the_way("crm.binding") && affected::is_wanted(&tenant.cache, "crm.binding"));
    tenant.change(CacheChange::SecretGone("crm.binding".into()));
    tenant.settle();
    assert!(!tenant.cache.is_in_the_way("crm.binding"));
}

/// The type of a Secret never changes: one that was made for another component is not named, and is made anew.
#[test]
fn a_secret_of_another_component_is_made_anew() {
    let mut tenant = global();
    tenant.settle();
    let mut spec = basic("crm", "OrganizationGlobal", global_inputs());
    spec["component"] = json!({"key": "hubspot"});
    tenant.put(Kind::Connection, "crm", spec);
    let verdict = tenant.connection("crm");
    assert_eq!(ready(&verdict.conditions), "False BindingPending");
    assert_eq!(verdict.status.binding, None);
    assert!(matches!(verdict.bindings[0].how, How::Replace { .. }));
}

/// "a customer's credentials that name a global input": not ready, and nothing is written for them.
#[test]
fn a_customer_cannot_give_a_global_input() {
    let mut tenant = of_customers();
    for (input, value) in [
        ("password", json!({"secretRef": {"name": "sf-app", "key": "password"}})),
        ("note", json!({"value": "theirs"})),
        ("unknown", json!({"value": "x"})),
    ] {
        let mut inputs = acme_url();
        inputs[input] = value;
        tenant.put(Kind::CustomerCredentials, "a", acme(inputs));
        let verdict = tenant.credentials("a");
        assert_eq!(ready(&verdict.conditions), "False CustomerInputNotPerCustomer");
        assert!(verdict.bindings.is_empty());
        assert!(said(&verdict.conditions, "Stalled").starts_with("True CustomerInputNotPerCustomer"));
    }
}

/// "a per-customer endpoint is checked in each customer's binding": our Secret goes where it may only.
#[test]
fn a_customer_cannot_have_our_secret_sent_elsewhere() {
    let mut tenant = of_customers();
    tenant.source("sf-app", json!({KEYS: "crm", HOSTS: "acme.example"}), &[("password", CANARY)]);
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    assert_eq!(tenant.credentials("a").bindings.len(), 1);
    for url in ["https://evil.example", "https://acme.example@evil.example", "https://evil.example\\@acme.example"] {
        tenant.put(Kind::CustomerCredentials, "a", acme(json!({"baseUrl": {"value": url}})));
        let verdict = tenant.credentials("a");
        assert_eq!(ready(&verdict.conditions), "False HostNotPinned");
        assert!(verdict.bindings.is_empty());
        assert!(!said(&verdict.conditions, "Ready").contains("evil"));
    }
}

/// "a dev editor mirrors a connection that points prod's secret at another host"
#[test]
fn a_connection_cannot_point_a_pinned_secret_elsewhere() {
    let mut tenant = global();
    tenant.source("sf-app", json!({KEYS: "crm", HOSTS: "login.example"}), &[("password", CANARY)]);
    tenant.settle();
    let mut inputs = global_inputs();
    inputs["baseUrl"] = json!({"value": "https://evil.example"});
    tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", inputs));
    let verdict = tenant.connection("crm");
    assert_eq!(ready(&verdict.conditions), "False HostNotPinned");
    // The binding Secret stays as it is: the old address, the old secret.
    assert!(verdict.bindings.is_empty() && verdict.status.binding.is_some());
}

/// "a `replaces` that arrives by a sync and names prod's own key": "A `replaces` that came by a sync serves
/// only what that sync wrote."
#[test]
fn a_replaces_that_came_by_a_sync_gets_no_secret_and_no_customer() {
    let mut tenant = of_customers();
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    tenant.put(Kind::Integration, "own", json!({"connections": [{"name": "CRM", "stableKey": "crm"}]}));
    let mut spec = serde_json::to_value(&tenant.cache.inventory.connections["crm"].spec).unwrap();
    spec["stableKey"] = json!("evil");
    spec["replaces"] = json!(["crm"]);
    let record = "eu made replaces=0123456789abcdef@sync/dev-to-eu";
    tenant.put_recorded(Kind::Connection, "evil", spec.clone(), Some(record));
    let verdict = tenant.connection("evil");
    assert_eq!(ready(&verdict.conditions), "False SecretNotForKey");
    assert!(said(&verdict.conditions, "OlderKeysAnswered").starts_with("True AnsweredForSync"));
    assert_eq!((verdict.status.customers, verdict.status.used_by_count), (Some(0), Some(0)));
    assert_eq!(tenant.integration("own").status.bindings[0].connection.as_deref(), Some("crm"));
    assert_eq!(tenant.credentials("a").bindings.len(), 1);
    // A record that names another tenant is none: then it is the tenant's own people's.
    tenant.put_recorded(Kind::Connection, "evil", spec, Some("dev made replaces=0123456789abcdef@sync/dev-to-eu"));
    assert_eq!(tenant.connection("evil").status.used_by_count, Some(1));
}
