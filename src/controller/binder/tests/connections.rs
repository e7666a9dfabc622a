//! Connections: the meaning of Ready, and the content of the status.

use super::*;

/// A condition's reason is the check's name in CamelCase, and its message begins with the code.
#[test]
fn a_reason_is_a_check_and_its_message_begins_with_the_code() {
    let mut tenant = global();
    tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", json!({"note": {"value": "x"}})));
    let said = condition_text(&tenant.connection("crm").conditions, "Ready");
    assert_eq!(said, "False InputMissing: SK0105 crm needs baseUrl, password: give each a value or a secretRef");
}

/// `kubectl wait` returns once every row is bound and its connection is Ready, and not before: Ready is true only once
/// the binding Secret exists and is up to date.
#[test]
fn ready_is_true_once_the_binding_secret_exists() {
    let mut tenant = global();
    let before = tenant.connection("crm");
    assert_eq!(ready(&before.conditions), "False BindingPending");
    assert_eq!(condition_text(&before.conditions, "Reconciling").split(':').next(), Some("True BindingPending"));
    assert_eq!(before.status.binding, None);
    assert_eq!(tenant.settle(), ["crm.binding"]);
    let after = tenant.connection("crm");
    assert_eq!(ready(&after.conditions), "True Complete");
    assert_eq!(condition_text(&after.conditions, "Reconciling"), "-");
    assert_eq!(after.status.binding, Some(BindingRef { name: "crm.binding".into() }));
}

/// Ready of a connection for customers means that its definition is complete; its customers are counted.
///
/// "Ready of a connection whose credentials are customers' means that its definition is complete; customers are
/// counts".
#[test]
fn ready_of_a_customers_connection_means_that_its_definition_is_complete() {
    let mut tenant = of_customers();
    assert_eq!(ready(&tenant.connection("crm").conditions), "True Complete");
    assert_eq!(tenant.connection("crm").status.customers, Some(0));
    // Broken credentials of one customer do not affect the connection.
    tenant.put(Kind::CustomerCredentials, "a", acme(json!({})));
    tenant.put(Kind::CustomerCredentials, "b", acme(json!({})));
    tenant.put(Kind::CustomerCredentials, "c", json!({"customer": "Zen", "connection": "crm"}));
    let evaluated = tenant.connection("crm");
    assert_eq!((ready(&evaluated.conditions).as_str(), evaluated.status.customers), ("True Complete", Some(2)));
    assert_eq!((evaluated.status.binding, evaluated.bindings.len()), (None, 0));
    assert_eq!(global().connection("crm").status.customers, None);
}

/// An authorization-code connection is ready once the Secret that its token input names exists, and is `ConsentNeeded`
/// before.
#[test]
fn an_authorization_code_connection_waits_for_its_token() {
    let mut tenant = global();
    tenant.source("sf-oauth", json!({}), &[("clientSecret", CANARY)]);
    let mut spec = json!({
        "stableKey": "crm", "component": {"key": "salesforce"}, "type": "oauth2", "credentials": "OrganizationGlobal",
        "inputs": {"authorizeUrl": {"value": "https://login.example/authorize"},
                   "clientSecret": {"secretRef": {"name": "sf-oauth", "key": "clientSecret"}}},
    });
    tenant.put(Kind::Connection, "crm", spec.clone());
    // Without an input for the token no reference is broken, so the inputs suffice to ask for consent.
    assert_eq!(ready(&tenant.connection("crm").conditions), "False ConsentNeeded");
    assert_eq!(tenant.connection("crm").bindings.len(), 1);
    let text = |tenant: &Namespace| condition_text(&tenant.connection("crm").conditions, "Ready");
    assert!(text(&tenant).contains("name it with a secretRef in input refreshToken"), "{}", text(&tenant));
    // The message names an input that exists: a type without a token input gets one.
    let mut without = component();
    without["types"][1]["inputs"].as_object_mut().unwrap().remove("refreshToken");
    tenant.put(Kind::Component, "salesforce", without);
    let add = "type oauth2 of Component salesforce has no input for it: add one there (refreshToken: {secret: true})";
    assert!(text(&tenant).contains(add), "{}", text(&tenant));
    tenant.put(Kind::Component, "salesforce", component());
    spec["inputs"]["refreshToken"] = json!({"secretRef": {"name": "sf-token", "key": "token"}});
    tenant.put(Kind::Connection, "crm", spec);
    let waiting = tenant.connection("crm");
    assert_eq!(ready(&waiting.conditions), "False ConsentNeeded");
    assert!(condition_text(&waiting.conditions, "CredentialsReady").starts_with("False ConsentNeeded"));
    assert_eq!(waiting.bindings.len(), 0);
    assert_eq!(condition_text(&waiting.conditions, "Stalled"), "-");
    let due = tenant.source("sf-token", json!({KEYS: "crm"}), &[("token", CANARY)]);
    assert_eq!(due.connections, ["crm".to_string()].into());
    tenant.settle();
    assert_eq!(ready(&tenant.connection("crm").conditions), "True Complete");
}

/// Checks that need a missing component report nothing.
#[test]
fn a_missing_component_causes_no_findings() {
    let mut tenant = Namespace::new();
    tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", json!({})));
    tenant.settle();
    assert_eq!(ready(&tenant.connection("crm").conditions), "True Complete");
    let due = tenant.put(Kind::Component, "salesforce", component());
    assert_eq!(due.connections, ["crm".to_string()].into());
    assert_eq!(ready(&tenant.connection("crm").conditions), "False InputMissing");
}

/// A literal is refused, and not shown, if its name or its type marks it as secret.
///
/// "A literal where the type or the name says secret … is refused without being shown".
#[test]
fn a_secret_as_a_literal_is_refused() {
    let mut tenant = global();
    let inputs = json!({"baseUrl": {"value": "https://x.example"}, "password": {"value": CANARY}});
    tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", inputs));
    let evaluated = tenant.connection("crm");
    assert_eq!(ready(&evaluated.conditions), "False SecretLiteral");
    assert_eq!(evaluated.bindings.len(), 0);
    assert!(condition_text(&evaluated.conditions, "Stalled").starts_with("True SecretLiteral"));
}

/// `status.usedBy` names the first 64 integrations, and `usedByCount` counts all. A name counts once, across
/// `replaces`.
///
/// "`status.usedBy`".
#[test]
fn users_are_named_and_counted() {
    let mut tenant = global();
    for n in (0..70).rev() {
        let two = json!({"connections": [{"name": "A", "stableKey": "crm"}, {"name": "B", "stableKey": "crm"}]});
        tenant.put(Kind::Integration, &format!("flow-{n:02}"), two);
    }
    let status = tenant.connection("crm").status;
    assert_eq!((status.used_by.len(), status.used_by_count), (64, Some(70)));
    assert_eq!((status.used_by[0].kind.as_str(), status.used_by[0].name.as_str()), ("Integration", "flow-00"));
    let mut newer = basic("crm-2", "OrganizationGlobal", global_inputs());
    newer["replaces"] = json!(["crm"]);
    let due = tenant.put(Kind::Connection, "crm-2", newer);
    assert_eq!(due.connections, ["crm".to_string(), "crm-2".to_string()].into());
    assert_eq!(due.integrations.len(), 70);
    assert_eq!(tenant.connection("crm").status.used_by_count, Some(0));
    assert_eq!(tenant.connection("crm-2").status.used_by_count, Some(70));
}

/// If component, type or credentials differ, the connection does not answer for the older key. Two connections that
/// replace one key, and a cycle, are errors on all of them, and the old binding is kept.
///
/// "Where one of the three differs, the older key is not answered".
#[test]
fn unresolved_replacements_are_reported_and_block_nothing_else() {
    let mut tenant = global();
    let newer = |key: &str, credentials: &str| {
        let mut spec = basic(key, credentials, json!({"baseUrl": {"value": "https://x.example"}}));
        spec["component"] = json!({"key": "unknown"});
        spec["replaces"] = json!(["crm"]);
        spec
    };
    tenant.put(Kind::Connection, "crm-2", newer("crm-2", "OrganizationGlobal"));
    tenant.settle();
    let conditions = tenant.connection("crm-2").conditions;
    assert!(
        condition_text(&conditions, "OlderKeysAnswered").starts_with("False ReplacesDiffers: SK0119"),
        "{conditions:?}"
    );
    assert_eq!(ready(&conditions), "True Complete");
    tenant.gone(Kind::Connection, "crm");
    assert!(condition_text(&tenant.connection("crm-2").conditions, "OlderKeysAnswered").starts_with("True Answered"));
    tenant.put(Kind::Connection, "crm-3", newer("crm-3", "OrganizationGlobal"));
    for name in ["crm-2", "crm-3"] {
        assert!(
            condition_text(&tenant.connection(name).conditions, "OlderKeysAnswered")
                .starts_with("False ReplacesAmbiguous")
        );
    }
}

/// A resource that cannot be decoded affects only itself.
#[test]
fn an_unreadable_object_is_reported_on_itself() {
    let mut tenant = global();
    tenant.settle();
    let id = ObjectId::new(Kind::Connection, "slack");
    let due = tenant.change(CacheChange::Invalid { id, why: "a field is missing".into() });
    assert_eq!(due.connections, ["slack".to_string()].into());
    let conditions = tenant.connection("slack").conditions;
    assert_eq!(condition_text(&conditions, "Ready"), "False ObjectInvalid: SK0125 a field is missing: correct it");
    assert_eq!(ready(&tenant.connection("crm").conditions), "True Complete");
}

/// A reconcile writes the status at most once, and not at all without a change.
#[test]
fn an_unchanged_status_is_not_written() {
    let mut tenant = global();
    tenant.settle();
    let evaluated = tenant.connection("crm");
    let time = |second| Time(Timestamp::from_second(second).unwrap());
    let body = evaluated.body("crm", &ConnectionStatus::default(), 3, &time(10)).unwrap();
    assert_eq!(body["metadata"], json!({"name": "crm"}));
    let mut kept: ConnectionStatus = serde_json::from_value(body["status"].clone()).unwrap();
    assert_eq!(kept.observed_generation, Some(3));
    // Conditions of other controllers, and the order of conditions, are not a change.
    kept.conditions.reverse();
    kept.conditions.push(Condition { type_: "Theirs".into(), ..kept.conditions[0].clone() });
    assert_eq!(evaluated.body("crm", &kept, 3, &time(20)), None);
    let next = evaluated.body("crm", &kept, 4, &time(20)).unwrap();
    assert_eq!(next["status"]["conditions"][0]["lastTransitionTime"], "1970-01-01T00:00:10Z");
}
