//! Customer credentials: the connection's inputs, completed by the customer's.

use super::*;

/// Each CustomerCredentials gets its own binding Secret (global inputs, completed by the customer's), named in its own
/// status.
///
/// "OrganizationCustomer … one per CustomerCredentials (global inputs, the customer's beside them), named in *its*
/// status". "Customer … the same, from credentials that the host application wrote".
#[test]
fn each_customer_has_a_binding_secret_of_their_own() {
    for (credentials, origin) in [("OrganizationCustomer", "Organization"), ("Customer", "Customer")] {
        let mut tenant = of_customers();
        let mut spec = tenant.cache.inventory.connections["crm"].spec.clone();
        spec.credentials = serde_json::from_value(json!(credentials)).unwrap();
        tenant.put(Kind::Connection, "crm", serde_json::to_value(spec).unwrap());
        let mut theirs = acme(acme_url());
        theirs["origin"] = json!(origin);
        let due = tenant.put(Kind::CustomerCredentials, "acme-crm", theirs);
        assert_eq!(due.connections, ["crm".to_string()].into());
        let evaluated = tenant.credentials("acme-crm");
        let text = |k: &str, v: &str| (k.to_string(), v.to_string());
        assert_eq!(
            data(&evaluated.bindings[0]),
            [
                text("baseUrl", "https://acme.example"),
                text("note", "ours"),
                text("password", CANARY),
                text("provider", "stablekey"),
                text("type", "salesforce")
            ]
        );
        assert_eq!(tenant.settle(), ["acme-crm.customer-binding"]);
        assert_eq!(tenant.settle(), [""; 0]);
        let evaluated = tenant.credentials("acme-crm");
        assert_eq!(ready(&evaluated.conditions), "True Complete");
        assert_eq!(evaluated.status.binding, Some(BindingRef { name: "acme-crm.customer-binding".into() }));
        assert_eq!(tenant.connection("crm").status.binding, None);
    }
}

/// There is exactly one CustomerCredentials per connection and customer: two are an error on both. Neither binding
/// Secret is written, and existing ones are kept.
#[test]
fn two_credentials_of_one_customer_are_an_error_on_both() {
    let mut tenant = of_customers();
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    tenant.settle();
    let due = tenant.put(Kind::CustomerCredentials, "b", acme(json!({"baseUrl": {"value": "https://b.example"}})));
    assert_eq!(due.credentials, ["a".to_string(), "b".to_string()].into());
    for name in ["a", "b"] {
        let evaluated = tenant.credentials(name);
        assert_eq!(ready(&evaluated.conditions), "False CustomerTwice");
        assert!(evaluated.bindings.is_empty());
        assert_eq!(evaluated.status.binding.is_some(), name == "a");
    }
    let due = tenant.gone(Kind::CustomerCredentials, "b");
    assert!(due.credentials.contains("a"));
    assert_eq!(ready(&tenant.credentials("a").conditions), "True Complete");
}

/// Duplicates are counted after `replaces`.
#[test]
fn two_keys_of_one_connection_count_as_one() {
    let mut tenant = of_customers();
    let mut spec = serde_json::to_value(&tenant.cache.inventory.connections["crm"].spec).unwrap();
    spec["replaces"] = json!(["sf_old"]);
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    tenant.put(
        Kind::CustomerCredentials,
        "b",
        json!({"customer": "Acme, Inc.", "connection": "sf_old", "inputs": acme_url()}),
    );
    assert_eq!(ready(&tenant.credentials("a").conditions), "False BindingPending");
    assert_eq!(ready(&tenant.credentials("b").conditions), "False CustomerConnectionMissing");
    let due = tenant.put(Kind::Connection, "crm", spec);
    assert_eq!(due.credentials, ["a".to_string(), "b".to_string()].into());
    assert_eq!(ready(&tenant.credentials("a").conditions), "False CustomerTwice");
    assert_eq!(ready(&tenant.credentials("b").conditions), "False CustomerTwice");
    assert_eq!(tenant.connection("crm").status.customers, Some(1));
}

/// A `secretRef` of customer credentials requires a Secret that opted in for the connection's key as well.
#[test]
fn a_customers_secret_must_opt_in_for_the_connections_key() {
    let mut tenant = of_customers();
    tenant.source("acme", json!({KEYS: "slack"}), &[("url", "https://acme.example")]);
    tenant.put(Kind::CustomerCredentials, "a", acme(json!({"baseUrl": {"secretRef": {"name": "acme", "key": "url"}}})));
    assert_eq!(ready(&tenant.credentials("a").conditions), "False SecretNotForKey");
    let due = tenant.source("acme", json!({KEYS: "crm"}), &[("url", "https://acme.example")]);
    assert_eq!(due, Affected { credentials: ["a".to_string()].into(), ..Affected::default() });
    assert_eq!(tenant.settle(), ["a.customer-binding"]);
}

/// A missing input is reported on the object that can supply it.
#[test]
fn a_missing_input_is_reported_where_it_can_be_supplied() {
    let mut tenant = of_customers();
    tenant.put(Kind::CustomerCredentials, "a", acme(json!({})));
    let lacks =
        "False CustomerInputMissing: SK0115 crm needs input baseUrl of each customer: give it a value or a secretRef";
    assert_eq!(condition_text(&tenant.credentials("a").conditions, "Ready"), lacks);
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    // A Secret of the organization that is deleted blocks every customer.
    let due = tenant.change(CacheChange::SecretGone("sf-app".into()));
    assert!(due.credentials.contains("a") && due.connections.contains("crm"));
    assert_eq!(ready(&tenant.credentials("a").conditions), "False SecretMissing");
    let due = tenant.gone(Kind::Connection, "crm");
    assert!(due.credentials.contains("a"));
    assert_eq!(ready(&tenant.credentials("a").conditions), "False CustomerConnectionMissing");
}

/// A connection with one set of credentials for all has no binding Secrets of customers.
#[test]
fn credentials_for_a_global_connection_are_reported() {
    let mut tenant = global();
    tenant.put(Kind::CustomerCredentials, "a", acme(json!({})));
    assert_eq!(ready(&tenant.credentials("a").conditions), "False CustomerOnGlobal");
    assert!(tenant.credentials("a").bindings.is_empty());
}

/// A binding Secret and the status that names it have the same uid, customer and connection.
#[test]
fn a_binding_of_one_customer_is_never_anothers() {
    // Another customer under the same name: the object was created again, or its customer was still mutable.
    for is_again in [true, false] {
        let mut tenant = of_customers();
        tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
        tenant.settle();
        assert!(tenant.credentials("a").status.binding.is_some());
        let second = json!({"customer": "Second", "connection": "crm", "inputs": {}});
        match is_again {
            true => tenant.put_again(Kind::CustomerCredentials, "a", second),
            false => tenant.put(Kind::CustomerCredentials, "a", second),
        };
        let evaluated = tenant.credentials("a");
        assert_eq!(evaluated.status.binding, None);
        assert!(matches!(evaluated.bindings[0].how, How::Delete { .. }), "Acme's values are not left for Second");
        tenant.settle();
        let second = json!({"customer": "Second", "connection": "crm", "inputs": acme_url()});
        tenant.put(Kind::CustomerCredentials, "a", second);
        assert_eq!(tenant.settle(), ["a.customer-binding"]);
        assert!(tenant.credentials("a").status.binding.is_some());
    }
    // The same name and customer, another object.
    let mut tenant = of_customers();
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    tenant.settle();
    tenant.put_again(Kind::CustomerCredentials, "a", acme(acme_url()));
    assert_eq!(tenant.credentials("a").status.binding, None);
    assert!(matches!(tenant.credentials("a").bindings[0].how, How::Replace { .. }));
}

/// Deleted CustomerCredentials delete their binding Secret. The binding Secret of a deleted connection is kept and
/// reported.
///
/// "CustomerCredentials deleted: their binding goes with them. Connection deleted: … else it stays and is listed".
#[test]
fn leftover_bindings_are_deleted_or_reported() {
    use super::super::evaluate::leftover::Fate;
    let mut tenant = of_customers();
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    tenant.settle();
    assert_eq!(leftover::fate(&tenant.cache, "a.customer-binding"), Fate::Stays);
    tenant.gone(Kind::CustomerCredentials, "a");
    assert!(matches!(leftover::fate(&tenant.cache, "a.customer-binding"), Fate::Goes(wanted) if wanted.is_due()));
    let mut tenant = global();
    tenant.settle();
    tenant.gone(Kind::Connection, "crm");
    assert_eq!(leftover::fate(&tenant.cache, "crm.binding"), Fate::Left(ObjectId::new(Kind::Connection, "crm")));
    assert_eq!(leftover::leftovers(&tenant.cache), ["crm.binding"]);
}

/// The binding Secret is owned by its credentials, so it is deleted with them.
#[test]
fn a_customers_binding_secret_is_owned_by_their_credentials() {
    let mut tenant = of_customers();
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    let body: Value = serde_json::from_slice(tenant.credentials("a").bindings[0].body().expose()).unwrap();
    let owner = json!([{"apiVersion": API_VERSION, "kind": "CustomerCredentials", "name": "a", "uid": "uid-of-a"}]);
    assert_eq!(body["metadata"]["ownerReferences"], owner);
}
