//! The messages of conditions, as people read them: they must say what to do.

use super::*;

fn all(tenant: &Namespace) -> String {
    let inventory = &tenant.cache.inventory;
    let mut out = String::new();
    let mut add = |name: String, conditions: &[NewCondition]| {
        for c in conditions {
            out.push_str(&format!("{name} {} {}\n", c.type_, condition_text(std::slice::from_ref(c), c.type_)));
        }
    };
    for name in inventory.connections.keys().chain(inventory.invalid.keys().map(|id| &id.name)) {
        add(format!("conn/{name}"), &tenant.connection(name).conditions);
    }
    for name in inventory.customer_credentials.keys() {
        add(format!("cc/{name}"), &tenant.credentials(name).conditions);
    }
    for name in inventory.integrations.keys() {
        add(format!("intg/{name}"), &tenant.integration(name).conditions);
    }
    out
}

fn secret_ref(name: &str, key: &str) -> Value {
    json!({"secretRef": {"name": name, "key": key}})
}

#[test]
fn of_connections() {
    let mut tenant = global();
    let whole = [("password", CANARY)];
    tenant.source("pinned", json!({HOSTS: "login.example"}), &whole);
    tenant.source("expired", json!({EXPIRES: "2026-05-31T00:00:00Z"}), &whole);
    tenant.source("soon", json!({EXPIRES: "2026-06-09T00:00:00Z"}), &whole);
    tenant.source("unclear", json!({HOSTS: "https://login.example/"}), &whole);
    tenant.source("for-slack", json!({KEYS: "slack"}), &whole);
    let with = |secret: &str, key: &str| json!({"baseUrl": {"value": "https://other.example"}, "password": secret_ref(secret, key)});
    let cases = [
        ("a-missing", with("nowhere", "password")),
        ("b-no-key", with("soon", "pass")),
        ("c-not-for", with("for-slack", "password")),
        ("d-host", with("pinned", "password")),
        ("e-expired", with("expired", "password")),
        ("f-soon", with("soon", "password")),
        ("g-unclear", with("unclear", "password")),
        ("h-literal", json!({"baseUrl": {"value": "https://x.example"}, "password": {"value": CANARY}})),
        ("i-two", json!({"type": {"value": "x"}, "password": secret_ref("nowhere", "password")})),
        ("j-per-customer", json!({"baseUrl": {"perCustomer": true}, "password": secret_ref("soon", "password")})),
    ];
    for (name, inputs) in cases {
        tenant.put(Kind::Connection, name, basic(name, "OrganizationGlobal", inputs));
    }
    tenant.settle();
    tenant.secret(json!({"name": "k-taken.binding", "uid": "x"}), "Opaque", &[]);
    tenant.put(Kind::Connection, "k-taken", basic("k-taken", "OrganizationGlobal", with("soon", "password")));
    let oauth = |token: Value| {
        json!({
        "stableKey": "l-oauth", "component": {"key": "salesforce"}, "type": "oauth2", "credentials": "OrganizationGlobal",
        "inputs": {"authorizeUrl": {"value": "https://x.example"}, "clientSecret": secret_ref("soon", "password"),
                   "refreshToken": token}})
    };
    tenant.put(Kind::Connection, "l-oauth", oauth(secret_ref("sf-token", "token")));
    let mut none = oauth(json!(null));
    none["stableKey"] = json!("m-oauth");
    none["inputs"].as_object_mut().unwrap().remove("refreshToken");
    none["replaces"] = json!(["crm"]);
    tenant.put(Kind::Connection, "m-oauth", none);
    let id = ObjectId::new(Kind::Connection, "n-invalid");
    tenant.change(CacheChange::Invalid { id, why: "it cannot be read by this version of stablekey".into() });
    insta::assert_snapshot!(all(&tenant));
}

#[test]
fn of_customers_and_integrations() {
    let mut tenant = of_customers();
    let of = |customer: &str, connection: &str, inputs: Value| json!({"customer": customer, "connection": connection, "inputs": inputs});
    tenant.put(Kind::CustomerCredentials, "a-well", of("1", "crm", acme_url()));
    tenant.put(Kind::CustomerCredentials, "b-lacks", of("2", "crm", json!({})));
    tenant.put(
        Kind::CustomerCredentials,
        "c-global",
        of("3", "crm", json!({"baseUrl": {"value": "x"}, "note": {"value": "y"}})),
    );
    tenant.put(Kind::CustomerCredentials, "d-nobody", of("4", "nobody", json!({})));
    tenant.put(Kind::CustomerCredentials, "e-twice", of("5", "crm", acme_url()));
    tenant.put(Kind::CustomerCredentials, "f-twice", of("5", "crm", acme_url()));
    tenant.put(Kind::CustomerCredentials, "g-one-for-all", of("6", "ours", json!({})));
    tenant.put(Kind::CustomerCredentials, "h-unknown", of("6", "broken", json!({})));
    tenant.settle();
    tenant.put(Kind::CustomerCredentials, "i-pending", of("7", "crm", acme_url()));
    tenant.put(Kind::Connection, "ours", basic("ours", "OrganizationGlobal", json!({})));
    let id = ObjectId::new(Kind::Connection, "broken");
    tenant.change(CacheChange::Invalid { id, why: "a field is missing".into() });
    let variables = ["crm", "ours", "broken", "crn", "nothing-like-it"];
    let variables: Vec<Value> =
        variables.iter().map(|key| json!({"name": format!("The {key}"), "stableKey": key})).collect();
    tenant.put(Kind::Integration, "lead-router", json!({"connections": variables}));
    tenant.put(Kind::Integration, "well", json!({"connections": [{"name": "CRM", "stableKey": "crm"}]}));
    insta::assert_snapshot!(all(&tenant));
}
