//! Tests of the platform's answer and of the query.

pub(crate) mod api_types;

use super::*;
use crate::api::{Credentials, Input, OAuth2, Resource, rules};
use crate::platform::import::{Existing, ImportFile, ImportNote, ImportedTenant, Reusable, UnfitKey, files};
use proptest::prelude::*;
use serde_json::{Value, json};

const CANARY: &str = "canary-5ecret-in-a-coal-mine";

fn plan(answer: &Value) -> ImportedTenant {
    plan_text(&answer.to_string())
}

fn plan_text(answer: &str) -> ImportedTenant {
    plan_tenant(&read_answer(answer.as_bytes()).unwrap(), &[], &Reusable::none(), &Existing::default())
}

/// A connection of acme/oauth2 with this key, managedBy, variableScope and inputs.
fn connection(key: &str, by: &str, scope: &str, inputs: Value) -> Value {
    json!({
        "id": format!("id-{key}"), "key": "Acme", "stableKey": key, "description": "", "managedBy": by, "variableScope": scope,
        "status": "ACTIVE", "defaultForComponent": false, "customer": null,
        "connection": {"key": "oauth2", "component": {"key": "acme", "public": false}},
        "inputs": {"nodes": inputs}, "customerConfigVariables": {"totalCount": 0}
    })
}

fn acme() -> Value {
    json!({"key": "acme", "public": false, "connections": {"nodes": [{"key": "oauth2", "oauth2Type": "AUTHORIZATION_CODE", "inputs": {"nodes": [
        {"key": "authorizeUrl", "type": "STRING", "required": true},
        {"key": "scopes", "type": "STRING", "required": false},
        {"key": "clientId", "type": "STRING", "required": true},
        {"key": "clientSecret", "type": "PASSWORD", "required": true},
        {"key": "apiToken", "type": "STRING", "required": false},
        {"key": "derived", "type": "TEMPLATE", "required": true}
    ]}}]}})
}

fn answer(connections: Vec<Value>) -> Value {
    json!({"data": {"scopedConfigVariables": {"nodes": connections, "pageInfo": {"hasNextPage": false, "endCursor": "x"}},
        "components": {"nodes": [acme()], "pageInfo": {"hasNextPage": false, "endCursor": "x"}}, "customers": {"totalCount": 3}}})
}

fn meta(scope: &str) -> String {
    format!(r#"{{"managedBy":"org","inputScope":"{scope}"}}"#)
}

#[test]
fn a_tenant_is_imported_as_it_is() {
    let org = connection(
        "acme-oauth",
        "ORG",
        "CUSTOMER",
        json!([
            {"name": "authorizeUrl", "value": "https://a.example/authorize", "hasValue": true, "meta": meta("org")},
            {"name": "scopes", "value": "read", "hasValue": true, "meta": meta("ORG")},
            {"name": "clientSecret", "value": CANARY, "hasValue": true, "meta": meta("org")},
            {"name": "apiToken", "value": CANARY, "hasValue": true, "meta": meta("org")},
            {"name": "unknown", "value": CANARY, "hasValue": true, "meta": meta("org")},
            {"name": "derived", "value": "x", "hasValue": true, "meta": meta("org")},
            {"name": "instanceUrl", "value": "", "hasValue": false, "meta": {"inputScope": "CUSTOMER"}},
        ]),
    );
    let mut global = connection(
        "acme-global",
        "org",
        "org",
        json!([{"name": "scopes", "value": "all", "hasValue": true}, {"name": "clientSecret", "value": null, "hasValue": true}]),
    );
    global["defaultForComponent"] = json!(true);
    global["status"] = json!("PENDING");
    let mut customer = connection(
        "acme-customer",
        "CUSTOMER",
        "CUSTOMER",
        json!([{"name": "clientId", "value": null, "hasValue": false}]),
    );
    customer["customerConfigVariables"] = json!({"totalCount": 41});
    let import = plan(&answer(vec![org, global, customer]));
    assert!(!import.has_errors());
    let files = files(&import).unwrap();
    let text: Vec<String> =
        files.iter().map(|f| format!("# {}\n{}", f.path, String::from_utf8(f.bytes.clone()).unwrap())).collect();
    insta::assert_snapshot!("tenant_files", text.join("---\n"));
    insta::assert_snapshot!("tenant_report", crate::platform::import::report(&import, &files, "us-prod"));
    for resource in import
        .connections
        .iter()
        .cloned()
        .map(Resource::from)
        .chain(import.components.iter().cloned().map(Resource::from))
    {
        assert_eq!(rules::violations(&resource), []);
    }
}

#[test]
fn whose_credentials_they_are_follows_from_two_fields() {
    let of = |by: &str, scope: &str| {
        plan(&answer(vec![connection("k", by, scope, json!([]))])).connections.first().map(|c| c.spec.credentials)
    };
    assert_eq!(of("customer", "customer"), Some(Credentials::Customer));
    assert_eq!(of("ORG", "CUSTOMER"), Some(Credentials::OrganizationCustomer));
    assert_eq!(of("Org", "org"), Some(Credentials::OrganizationGlobal));
    assert_eq!(of("system", "org"), None);
    assert_eq!(of("customer", "org"), None);
}

#[test]
fn keys_that_cannot_be_ours_are_listed() {
    let key = |key: &str| connection(key, "org", "org", json!([]));
    let mut of_customer = key("one-customer");
    of_customer["customer"] = json!({"id": "x"});
    let mut typeless = key("typeless");
    typeless["connection"] = Value::Null;
    let all = vec![
        key(&"k".repeat(64)),
        key("a b"),
        key("A_b"),
        key("a-B"),
        connection("sys", "SYSTEM", "ORG", json!([])),
        of_customer,
        typeless,
        key("good"),
    ];
    let import = plan(&answer(all));
    let whys: Vec<UnfitKey> = import
        .notes
        .iter()
        .filter_map(|n| if let ImportNote::Skipped { why, .. } = n { Some(why.clone()) } else { None })
        .collect();
    assert_eq!(
        whys,
        [
            UnfitKey::TooLong,
            UnfitKey::Characters,
            UnfitKey::SameName { other: "a-B".into() },
            UnfitKey::SameName { other: "A_b".into() },
            UnfitKey::Platform,
            UnfitKey::OneCustomer,
            UnfitKey::NoType
        ]
    );
    assert_eq!(import.connections.len(), 1);
    insta::assert_snapshot!(crate::platform::import::report(&import, &[], "us-prod"));
}

#[test]
fn an_answer_is_read_in_every_shape() {
    let (a, b) = (connection("a", "org", "org", json!([])), connection("b", "org", "org", json!([])));
    let page = |connections: Value, more: bool, cursor: &str| json!({"data": {"scopedConfigVariables": {"edges": connections, "pageInfo": {"hasNextPage": more, "endCursor": cursor}}, "components": [acme()]}});
    let first = page(json!([{"node": a}]), true, "c1");
    let second = page(json!([{"node": a}, {"node": b}]), false, "c2");
    for text in [
        format!("{first}{second}"),
        format!("\u{feff}{first}\n{second}\n"),
        json!([first, second]).to_string(),
        answer(vec![a.clone(), b.clone()]).to_string(),
    ] {
        let import = plan_text(&text);
        assert_eq!(import.connections.len(), 2, "{text}");
        assert_eq!(import.components[0].spec.types[0].oauth2, Some(OAuth2::AuthorizationCode));
        assert!(!import.has_errors());
    }
    let import = plan(&first);
    assert_eq!(
        import.notes[0].to_string(),
        "the answer does not hold all connections: run the query again with the variable connectionsAfter set to \"c1\", and pipe all answers in together"
    );
    assert!(import.has_errors());
}

/// "Every list must come with its total, null is unknown": a missing page, a null list or a null element.
#[test]
fn what_is_missing_in_an_answer_is_unknown() {
    let (a, b) = (connection("a", "org", "org", json!([])), connection("b", "org", "org", json!([])));
    let of = |connections: Value| json!({"data": {"scopedConfigVariables": connections, "components": [acme()]}});
    for (answer, why) in [
        (of(json!({"nodes": [a], "totalCount": 2})), "it has 1 of 2"),
        (of(json!({"nodes": [a, null]})), "1 of them are null"),
        (of(json!({"edges": [{"node": a}, {"node": null}, null]})), "2 of them are null"),
        (of(json!(null)), "no list of them"),
        (json!({"data": {"components": [acme()]}}), "no list of them"),
    ] {
        let import = plan(&answer);
        let message = import.notes[0].to_string();
        assert!(
            import.has_errors() && message.contains("does not hold all connections") && message.contains(why),
            "{message}"
        );
    }
    // The page in the middle is missing, although the last one was received.
    let page = |nodes: Value, more: bool| {
        of(json!({"nodes": nodes, "totalCount": 3, "pageInfo": {"hasNextPage": more, "endCursor": "c"}}))
    };
    let (first, last) = (page(json!([a]), true), page(json!([b]), false));
    assert!(plan_text(&format!("{first}{last}")).notes[0].to_string().contains("it has 2 of 3"));
    // One page with errors invalidates all of them: nothing is imported.
    let broken = json!({"data": {"components": [acme()]}, "errors": [{"message": "timeout"}]});
    let read = read_answer(format!("{first}{broken}").as_bytes());
    assert!(read.unwrap_err().to_string().contains("timeout"));
}

#[test]
fn what_is_no_answer_says_what_to_do() {
    let wrong = json!({"data": {"scopedConfigVariables": {"nodes": [{"stableKey": 5, "key": CANARY}]}}}).to_string();
    let cases = [
        "",
        "<html>x",
        "{\"data\":",
        "nope",
        "{}",
        "{\"data\": null, \"errors\": [{\"message\": \"Signature has\\nexpired\"}]}",
        "{\"data\": {\"components\": null}}",
        &wrong,
    ];
    let error = |case: &&str| read_answer(case.as_bytes()).unwrap_err();
    let messages: Vec<String> = cases.iter().map(error).map(|error| format!("{error}\n  {}", error.help())).collect();
    insta::assert_snapshot!(messages.join("\n"));
    assert!(!messages.join("").contains(CANARY));
}

#[test]
fn definitions_bind_to_what_the_tenant_has() {
    let bytes = crate::platform::definition::tests::named("reusable-one.yml").1;
    let file = [ImportFile { name: "reusable-one.yml", bytes: &bytes }];
    let text = answer(vec![connection("orchard-api-key", "org", "org", json!([]))]).to_string();
    // The definition's steps use this component.
    let read = read_answer(text.replace("\"acme\"", "\"orchard\"").as_bytes()).unwrap();
    let import = plan_tenant(&read, &file, &Reusable::none(), &Existing::default());
    assert!(!import.notes.iter().any(|note| matches!(note, ImportNote::WhichType { .. })));
    assert_eq!(import.components.iter().filter(|c| c.spec.key == "orchard").count(), 1);
    let again = plan_tenant(
        &read,
        &file,
        &Reusable::none(),
        &Existing {
            connections: &import.connections,
            components: &import.components,
            integrations: &[],
            elsewhere: &[],
            is_all: false,
            ..Existing::default()
        },
    );
    assert!(again.connections.is_empty() && again.components.is_empty());
    let mut changed = import.connections.clone();
    changed[0].spec.title = Some("Ours".into());
    let differs =
        plan_tenant(&read, &[], &Reusable::none(), &Existing { connections: &changed, ..Existing::default() });
    assert!(
        differs.notes.contains(&ImportNote::Differs { key: "orchard-api-key".into() })
            && differs.connections.is_empty()
    );
    // A connection that the platform no longer has, and one that may have replaced it.
    let other = answer(vec![connection("orchard-new", "org", "org", json!([]))]).to_string();
    let other = read_answer(other.replace("\"acme\"", "\"orchard\"").as_bytes()).unwrap();
    let existing = Existing { connections: &import.connections, ..Existing::default() };
    let gone = plan_tenant(&other, &[], &Reusable::none(), &existing);
    let is_told = |near: Option<&str>| ImportNote::ConnectionGone {
        key: "orchard-api-key".into(),
        near: near.map(str::to_string),
    };
    assert!(gone.notes.contains(&is_told(Some("orchard-new"))), "{:?}", gone.notes);
    // A missing page may contain it.
    let mut cut: Value = serde_json::from_str(&text).unwrap();
    cut["data"]["scopedConfigVariables"] = json!({"nodes": [], "pageInfo": {"hasNextPage": true, "endCursor": "x"}});
    let cut = plan_tenant(&read_answer(cut.to_string().as_bytes()).unwrap(), &[], &Reusable::none(), &existing);
    assert!(!cut.notes.iter().any(|note| matches!(note, ImportNote::ConnectionGone { .. })), "{:?}", cut.notes);
}

#[test]
fn a_canary_in_every_value_leaves_only_where_it_is_known_to_be_none() {
    for name in ["clientSecret", "apiToken", "unknown", "derived", "scopes"] {
        for value in [json!(CANARY), json!([CANARY]), json!({"a": CANARY}), json!(format!("https://u:{CANARY}@h"))] {
            for has in [json!(true), json!(false), Value::Null] {
                for scope in ["org", "customer", ""] {
                    if name == "scopes" && value == json!(CANARY) {
                        continue;
                    }
                    let input = json!([{"name": name, "value": value, "hasValue": has, "meta": meta(scope)}]);
                    let text = answer(vec![connection("k", "org", "customer", input)]).to_string();
                    let read = read_answer(text.as_bytes()).unwrap();
                    let import = plan_tenant(&read, &[], &Reusable::none(), &Existing::default());
                    let files = files(&import).unwrap();
                    let bytes: Vec<u8> = files.iter().flat_map(|file| file.bytes.clone()).collect();
                    let messages: String = import.notes.iter().map(ToString::to_string).collect();
                    let all = format!("{read:?}{import:?}{files:?}{messages}{}", String::from_utf8(bytes).unwrap());
                    assert!(!all.contains(CANARY), "{name} {value} {has} {scope}");
                }
            }
        }
    }
}

#[test]
fn an_unknown_type_keeps_no_value() {
    let input = json!([{"name": "anything", "value": "x", "hasValue": true, "meta": meta("org")}]);
    let import = plan(&answer(vec![connection("My_Key", "org", "customer", input)]));
    assert_eq!(import.connections[0].spec.inputs["anything"], Input::secret("my-key", "anything"));
}

#[test]
fn the_query_asks_for_what_we_read() {
    for field in [
        "scopedConfigVariables",
        "stableKey",
        "managedBy",
        "variableScope",
        "status",
        "description",
        "defaultForComponent",
        "hasValue",
        "value",
        "meta",
        "type",
        "required",
        "oauth2Type",
        "totalCount",
        "hasNextPage",
        "endCursor",
        "customers",
        "components",
        "public",
        "customerConfigVariables",
    ] {
        assert!(QUERY.contains(field), "{field}");
    }
    assert_eq!(graphql_parser::parse_query::<String>(QUERY).unwrap().definitions.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_makes_it_panic(at in any::<usize>(), to in any::<usize>(), with in "[\\[\\]{}:,\"a0-]{0,4}", tail in any::<Vec<u8>>()) {
        let input = json!([{"name": "scopes", "value": "x", "hasValue": true, "meta": meta("org")}]);
        let mut text = answer(vec![connection("k", "org", "org", input)]).to_string().into_bytes();
        let at = at % text.len();
        let end = (at + to % 40).min(text.len());
        text.splice(at..end, with.bytes());
        text.extend(tail.iter().take(8));
        if let Ok(read) = read_answer(&text) {
            plan_tenant(&read, &[], &Reusable::none(), &Existing::default());
        }
    }
}
