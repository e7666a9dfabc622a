//! Wrong documents are refused, in the words of graphql-core.

use crate::client::{ask, data, refused, start, store, us};
use serde_json::json;
use stablekey_platform::{Platform, Switches};

#[test]
fn ten_wrong_documents_are_refused() {
    let server = us();
    let cases = [
        // An enum as a string.
        (
            "{integrations(sortBy: [{field: \"NAME\", direction: ASC}]) {nodes {id}}}",
            json!({}),
            "Enum 'IntegrationOrderField' cannot represent non-enum value: \"NAME\".",
        ),
        // A variable of another type.
        (
            "query($m: Int) {scopedConfigVariables(managedBy: $m) {nodes {id}}}",
            json!({}),
            "Variable '$m' of type 'Int' used in position expecting type 'String'.",
        ),
        // A variable that may be null, for an argument that may not.
        (
            "query($id: ID) {integration(id: $id) {id}}",
            json!({"id": "x"}),
            "Variable '$id' of type 'ID' used in position expecting type 'ID!'.",
        ),
        // An unknown field.
        (
            "{scopedConfigVariables {nodes {nope}}}",
            json!({}),
            "Cannot query field 'nope' on type 'ScopedConfigVariable'.",
        ),
        // An unknown argument.
        (
            "{scopedConfigVariables(nope: 1) {nodes {id}}}",
            json!({}),
            "Unknown argument 'nope' on field 'RootQuery.scopedConfigVariables'.",
        ),
        // A missing argument.
        (
            "{integration {id}}",
            json!({}),
            "Field 'integration' argument 'id' of type 'ID!' is required, but it was not provided.",
        ),
        // An unknown field of an input.
        (
            "mutation {deleteIntegration(input: {nope: 1}) {errors {field}}}",
            json!({}),
            "Field 'nope' is not defined by type 'DeleteIntegrationInput'.",
        ),
        // No selection of an object.
        (
            "{authenticatedUser}",
            json!({}),
            "Field 'authenticatedUser' of type 'AuthenticatedUser' must have a selection of subfields. \
             Did you mean 'authenticatedUser { ... }'?",
        ),
        // A selection of a scalar.
        (
            "{authenticatedUser {email {x}}}",
            json!({}),
            "Field 'email' must not have a selection since type 'String!' has no subfields.",
        ),
        // A variable that is not defined.
        ("query A {integration(id: $id) {id}}", json!({}), "Variable '$id' is not defined by operation 'A'."),
    ];
    for (query, variables, message) in cases {
        assert_eq!(refused(&server, query, variables), [message], "{query}");
    }
}

#[test]
fn more_wrong_documents_are_refused() {
    let server = us();
    let cases = [
        ("{scopedConfigVariables(key: 5) {nodes {id}}}", "String cannot represent a non string value: 5"),
        ("{scopedConfigVariables(first: \"5\") {nodes {id}}}", "Int cannot represent non-integer value: \"5\""),
        ("{integration(id: null) {id}}", "Expected value of type 'ID!', found null."),
        (
            "{scopedConfigVariables(sortBy: [{field: NOPE, direction: ASC}]) {nodes {id}}}",
            "Value 'NOPE' does not exist in 'ScopedConfigVariableOrderField' enum.",
        ),
        (
            "{scopedConfigVariables(sortBy: [{field: KEY}]) {nodes {id}}}",
            "Field 'ScopedConfigVariableOrder.direction' of required type 'OrderDirection!' was not provided.",
        ),
        ("query($a: Int) {authenticatedUser {id}}", "Variable '$a' is never used."),
        ("{...nope}", "Unknown fragment 'nope'."),
        ("{authenticatedUser {id}", "Syntax Error: Unexpected <EOF>."),
        (
            "query A {authenticatedUser {id}} query B {authenticatedUser {id}}",
            "Must provide operation name if query contains multiple operations.",
        ),
        ("{reusableConnections {nodes {id}}}", "Cannot query field 'id' on type 'ReusableConnection'."),
    ];
    for (query, message) in cases {
        assert_eq!(refused(&server, query, json!({})), [message], "{query}");
    }
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let server = us();
    let answer = ask(
        &server,
        "{\n  scopedConfigVariables(nope: 1) {\n    nodes { one id }\n  }\n  two\n  customers(first: \"a\") { nodes { id } }\n}",
        json!({}),
    );
    let places: Vec<_> =
        answer["errors"].as_array().unwrap().iter().map(|e| (&e["message"], &e["locations"][0])).collect();
    assert_eq!(
        places,
        [
            (
                &json!("Unknown argument 'nope' on field 'RootQuery.scopedConfigVariables'."),
                &json!({"line": 2, "column": 25})
            ),
            (&json!("Cannot query field 'one' on type 'ScopedConfigVariable'."), &json!({"line": 3, "column": 13})),
            (&json!("Cannot query field 'two' on type 'RootQuery'."), &json!({"line": 5, "column": 3})),
            (&json!("Int cannot represent non-integer value: \"a\""), &json!({"line": 6, "column": 20})),
        ]
    );
}

#[test]
fn wrong_variables_are_refused() {
    let server = us();
    let create = "mutation($input: CreateScopedConfigVariableInput!) {createScopedConfigVariable(input: $input) {errors {field}}}";
    let input = json!({"key": 1, "stableKey": "a", "inputs": [{"value": "x"}], "nope": null});
    let mut messages = refused(&server, create, json!({"input": input}));
    messages.sort();
    assert_eq!(
        messages,
        [
            "Variable '$input' got invalid value 1 at 'input.key'; String cannot represent a non string value: 1",
            "Variable '$input' got invalid value {...} at 'input.inputs[0]'; Field 'name' of required type 'String!' was not provided.",
            "Variable '$input' got invalid value {...}; Field 'nope' is not defined by type 'CreateScopedConfigVariableInput'.",
            "Variable '$input' got invalid value {...}; Field 'variableScope' of required type 'String!' was not provided.",
        ]
    );
    assert_eq!(
        refused(&server, create, json!({})),
        ["Variable '$input' of required type 'CreateScopedConfigVariableInput!' was not provided."]
    );
    assert_eq!(
        refused(&server, create, json!({"input": null})),
        ["Variable '$input' of non-null type 'CreateScopedConfigVariableInput!' must not be null."]
    );
    let by_order = "query($s: [IntegrationOrder]) {integrations(sortBy: $s) {nodes {id}}}";
    assert_eq!(
        refused(&server, by_order, json!({"s": [{"field": "NOPE", "direction": "ASC"}]})),
        [
            "Variable '$s' got invalid value \"NOPE\" at 's[0].field'; Value 'NOPE' does not exist in 'IntegrationOrderField' enum."
        ]
    );
    // A single object stands for a list of one.
    data(&server, by_order, json!({"s": {"field": "NAME", "direction": "ASC"}}));
}

#[test]
fn an_older_stack_does_not_know_newer_fields() {
    let server = start(Platform::new(store()).switches(Switches {
        has_tree_location: false,
        has_updated_at: false,
        ..Switches::default()
    }));
    let answer = ask(&server, "{scopedConfigVariables {nodes {id treeLocation}}}", json!({}));
    assert_eq!(
        answer,
        json!({"errors": [{
            "message": "Cannot query field 'treeLocation' on type 'ScopedConfigVariable'.",
            "locations": [{"line": 1, "column": 35}],
        }]})
    );
    assert_eq!(
        refused(&server, "{integrations {nodes {updatedAt}}}", json!({})),
        ["Cannot query field 'updatedAt' on type 'Integration'."]
    );
    // Fields of the same name on other types stay.
    data(&server, "{scopedConfigVariables {nodes {updatedAt}}}", json!({}));
    let newer = us();
    data(&newer, "{scopedConfigVariables {nodes {treeLocation}} integrations {nodes {updatedAt}}}", json!({}));
}

#[test]
fn a_stack_can_lack_any_field_and_argument() {
    let platform = Platform::new(store())
        .without("ScopedConfigVariable.customers")
        .without("RootQuery.reusableConnections")
        .without("RootQuery.scopedConfigVariables(variableScope_In)")
        .without("CreateCustomerConfigVariableInput.key");
    let server = start(platform);
    // What belongs to an unknown field is not looked into; a fragment is.
    let query = "{
        reusableConnections(nope: 1) {nope}
        scopedConfigVariables(variableScope_In: [1]) {nodes {...f}}
        customers {nope}
    }
    fragment f on ScopedConfigVariable {customers(first: \"x\") {nope}}";
    assert_eq!(
        refused(&server, query, json!({})),
        [
            "Cannot query field 'reusableConnections' on type 'RootQuery'.",
            "Unknown argument 'variableScope_In' on field 'RootQuery.scopedConfigVariables'.",
            "Cannot query field 'nope' on type 'CustomerConnection'.",
            "Cannot query field 'customers' on type 'ScopedConfigVariable'.",
        ]
    );
    let literal =
        "mutation {createCustomerConfigVariable(input: {scopedConfigVariable: \"x\", key: \"a\"}) {errors {field}}}";
    let message = "Field 'key' is not defined by type 'CreateCustomerConfigVariableInput'.";
    assert_eq!(refused(&server, literal, json!({})), [message]);
    let variable =
        "mutation($i: CreateCustomerConfigVariableInput!) {createCustomerConfigVariable(input: $i) {errors {field}}}";
    assert_eq!(
        refused(&server, variable, json!({"i": {"scopedConfigVariable": "x", "key": "a"}})),
        [format!("Variable '$i' got invalid value {{...}}; {message}")]
    );
}

#[test]
fn a_refusal_can_guess_what_was_meant() {
    let platform = Platform::new(store()).suggestions().without("Integration.updatedAt").without("Integration.labels");
    let server = start(platform);
    for (query, message) in [
        (
            "{integrations {nodes {updatedAt}}}",
            "Cannot query field 'updatedAt' on type 'Integration'. Did you mean 'createdAt'?",
        ),
        (
            // graphql-js says the same.
            "{integrations {nodes {versionComent}}}",
            "Cannot query field 'versionComent' on type 'Integration'. \
             Did you mean 'versionComment', 'versionNumber', 'versionCreatedAt', or 'versionSequence'?",
        ),
        ("{integrations {nodes {label}}}", "Cannot query field 'label' on type 'Integration'. Did you mean 'name'?"),
        (
            "{scopedConfigVariables(stablekey: \"a\") {nodes {id}}}",
            "Unknown argument 'stablekey' on field 'RootQuery.scopedConfigVariables'. Did you mean 'stableKey'?",
        ),
    ] {
        assert_eq!(refused(&server, query, json!({})), [message]);
    }
}
