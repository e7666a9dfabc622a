//! Documents of one's own.

use crate::prism::{Prism, us};
use serde_json::json;

const CONNECTION: &str = "query ($key: String) {scopedConfigVariables(stableKey: $key) {nodes {stableKey key}}}";

#[test]
fn a_query_is_an_argument_or_a_file() {
    let server = us();
    let prism = Prism::of(&server);
    let expected = json!({"scopedConfigVariables": {"nodes": [{"stableKey": "acme-erp", "key": "Acme ERP"}]}});
    let variables = r#"{"key": "acme-erp"}"#;
    assert_eq!(prism.run(&["graphql:query", CONNECTION, "--variables", variables]).json(), expected);
    let (file, variables) = (prism.file("query.graphql", CONNECTION), prism.file("variables.json", variables));
    let run = prism.run(&["graphql:query", "--file", &file, "--variables", &format!("@{variables}"), "--raw"]);
    assert_eq!(run.json(), expected);
    let requests = server.take_requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!((&*request.query, request.variables), (CONNECTION, json!({"key": "acme-erp"})));
    }
}

/// prism drops errors beside data: what it prints may lack a part, and its exit code is 0 all the same.
#[test]
fn an_error_of_a_field_is_dropped() {
    let server = us();
    let query = r#"{integration(id: "nope") {id} authenticatedUser {name}}"#;
    let answer = Prism::of(&server).run(&["graphql:query", query]).json();
    assert_eq!(answer, json!({"integration": null, "authenticatedUser": {"name": "Ada"}}));
}

#[test]
fn a_refused_document_is_an_error() {
    let server = us();
    let prism = Prism::of(&server);
    let error = "Error: GraphQL query failed: Cannot query field 'nope' on type 'RootQuery'.";
    assert_eq!(prism.run(&["graphql:query", "{nope}"]).failure(), (2, error));
    let wrong = prism.run(&["graphql:query", CONNECTION, "--variables", r#"{"key": 1}"#]);
    let (code, error) = wrong.failure();
    assert!(code == 2 && error.contains("Variable '$key' got invalid value"), "{error}");
}
