//! Connections that replace others: which objects are evaluated again because of it, and that memoized results are
//! right.

use super::*;

const MANY: usize = 40;

/// crm replaces old. Both are for customers and complete; the customers name either.
fn replaced() -> Namespace {
    let mut tenant = of_customers();
    let mut spec = serde_json::to_value(&tenant.cache.inventory.connections["crm"].spec).unwrap();
    spec["replaces"] = json!(["old"]);
    tenant.put(Kind::Connection, "crm", spec.clone());
    spec["stableKey"] = json!("old");
    spec.as_object_mut().unwrap().remove("replaces");
    tenant.put(Kind::Connection, "old", spec);
    tenant
}

fn of_customer(n: usize) -> Value {
    json!({"customer": format!("c{n}"), "connection": (["old", "crm"][n % 2]), "inputs": acme_url()})
}

/// New credentials of a customer affect themselves and the connection that counts them, and no other customer.
#[test]
fn a_new_customer_of_a_replaced_key_is_evaluated_alone() {
    let mut tenant = replaced();
    for n in 0..MANY {
        let name = format!("c{n}");
        let due = tenant.put(Kind::CustomerCredentials, &name, of_customer(n));
        assert_eq!((due.credentials, due.connections), ([name].into(), ["crm".to_string()].into()));
        let variables = json!({"connections": [{"name": "CRM", "stableKey": "old"}]});
        let due = tenant.put(Kind::Integration, &format!("i{n}"), variables);
        assert_eq!((due.integrations.len(), due.connections.len(), due.credentials.len()), (1, 1, 0));
    }
    tenant.settle();
    // The binding Secret of one customer is deleted.
    let due = tenant.change(CacheChange::SecretGone("c1.customer-binding".into()));
    assert_eq!((due.len(), due.credentials), (1, ["c1".to_string()].into()));
    // A title decides nothing for others.
    let mut spec = serde_json::to_value(&tenant.cache.inventory.connections["crm"].spec).unwrap();
    spec["title"] = json!("CRM");
    let due = tenant.put(Kind::Connection, "crm", spec);
    assert_eq!((due.len(), due.connections), (1, ["crm".to_string()].into()));
}

/// A change that makes a connection work or fail affects every object that names one of its keys.
///
/// "A working binding waits for a working one … and happens by itself once it is Ready".
#[test]
fn a_change_of_readiness_affects_every_alias() {
    let mut tenant = global();
    let inputs = |secret: &str| json!({"baseUrl": {"value": "https://login.example"}, "password": {"secretRef": {"name": secret, "key": "password"}}});
    let mut next = basic("next", "OrganizationGlobal", inputs("later"));
    next["replaces"] = json!(["crm"]);
    tenant.put(Kind::Connection, "next", next.clone());
    tenant.settle();
    tenant.put(Kind::Integration, "lead", json!({"connections": [{"name": "CRM", "stableKey": "crm"}]}));
    let bound = |tenant: &Namespace| tenant.integration("lead").status.bindings[0].connection.clone().unwrap();
    let lead = || std::collections::BTreeSet::from(["lead".to_string()]);
    assert_eq!(bound(&tenant), "crm");
    // The Secret exists, but the binding Secret is not written yet.
    tenant.source("later", json!({}), &[("password", CANARY)]);
    assert_eq!(bound(&tenant), "crm");
    let wanted = tenant.connection("next").bindings.remove(0);
    assert_eq!(tenant.write(&wanted).integrations, lead());
    assert_eq!(bound(&tenant), "next");
    // The Secret is deleted and created again; then the component requires another input.
    assert_eq!(tenant.change(CacheChange::SecretGone("later".into())).integrations, lead());
    assert_eq!(bound(&tenant), "crm");
    tenant.source("later", json!({}), &[("password", CANARY)]);
    assert_eq!(bound(&tenant), "next");
    let mut more = component();
    more["types"][0]["inputs"]["note"] = json!({"required": true});
    tenant.put(Kind::Component, "salesforce", more);
    assert_eq!(bound(&tenant), "next", "of two that do not work it is the newest");
    next["inputs"]["note"] = json!({"value": "n"});
    let mut old = basic("crm", "OrganizationGlobal", global_inputs());
    old["inputs"]["note"] = json!({"value": "n"});
    assert_eq!(tenant.put(Kind::Connection, "crm", old).integrations, lead());
    assert_eq!(bound(&tenant), "crm");
    assert_eq!(tenant.put(Kind::Connection, "next", next).integrations, lead());
    assert_eq!(bound(&tenant), "next");
    assert_eq!(tenant.gone(Kind::Connection, "next").integrations, lead());
    assert_eq!(bound(&tenant), "crm");
}

/// A misspelled component name never disables a rule: a component that is created later may be the intended one.
///
/// "A wrong name fails, it never switches a rule off".
#[test]
fn a_misspelled_component_is_evaluated_again_when_one_is_created() {
    let mut tenant = Namespace::new();
    tenant.put(Kind::Component, "slack", json!({"key": "slack", "types": []}));
    tenant.source("sf-app", json!({HOSTS: "login.example"}), &[("password", CANARY)]);
    let mut inputs = global_inputs();
    inputs["baseUrl"] = json!({"value": "https://login.example"});
    inputs["note"] = json!({"value": "evil"});
    let mut spec = basic("crm", "OrganizationGlobal", inputs);
    spec["component"] = json!({"key": "salesforse"});
    tenant.put(Kind::Connection, "crm", spec);
    assert_eq!(ready(&tenant.connection("crm").conditions), "False BindingPending");
    let mut meant = component();
    meant["types"][0]["inputs"]["note"] = json!({"endpoint": true});
    let due = tenant.put(Kind::Component, "salesforce", meant);
    assert_eq!(due.connections, ["crm".to_string()].into());
    assert_eq!(ready(&tenant.connection("crm").conditions), "False HostNotPinned");
    assert_eq!(tenant.gone(Kind::Component, "salesforce").connections, ["crm".to_string()].into());
    assert_eq!(tenant.put(Kind::Component, "zendesk", json!({"key": "zendesk", "types": []})).connections.len(), 0);
}
