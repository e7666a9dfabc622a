//! Typical mistakes and their messages. One snapshot, so that they can be read together.

use crate::manifest::read_text;
use std::fmt::Write;

const GOOD: &str = r#"apiVersion: stablekey.dev/v1alpha1
kind: Connection
metadata:
  name: salesforce-oauth
spec:
  stableKey: salesforce-oauth
  title: Salesforce
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationCustomer
  inputs:
    authorizeUrl: {value: "https://login.example/authorize"}
    clientSecret: {secretRef: {name: salesforce-app, key: clientSecret}}
    instanceUrl: {perCustomer: true}
  replaces: [sf_old]
"#;

/// The valid document with one change.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

fn problems(text: &str) -> String {
    let reading = read_text("connection.yaml", text.to_string());
    let problems = reading.problems();
    assert!(!problems.is_empty(), "nothing was found in:\n{text}");
    assert!(reading.documents.is_empty(), "it was read all the same:\n{text}");
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn the_good_document_is_good() {
    let reading = read_text("connection.yaml", GOOD.to_string());
    assert_eq!(reading.problems(), Vec::<&crate::manifest::FileProblem>::new());
    assert_eq!(reading.documents.len(), 1);
}

#[test]
fn mistakes() {
    let cases: Vec<(&str, String)> = vec![
        ("a field misspelt", with("stableKey:", "stable_key:")),
        ("a field that is not there", with("  type: oauth2", "  type: oauth2\n  owner: me")),
        ("a field missing", with("  type: oauth2\n", "")),
        ("a field missing deeper", with("{key: salesforce}", "{public: false}")),
        ("a field at the wrong level", with("spec:\n  stableKey", "stableKey: a\nspec:\n  stableKey")),
        ("no spec", GOOD.split("spec:").next().unwrap_or("").to_string()),
        ("an unknown value", with("OrganizationCustomer", "OrganisationCustomer")),
        ("a boolean where a text belongs", with("title: Salesforce", "title: on")),
        ("a number where a text belongs", with("stableKey: salesforce-oauth", "stableKey: 0644")),
        ("a time where a text belongs", with("title: Salesforce", "title: 12:30")),
        ("an input value not quoted", with("\"https://login.example/authorize\"", "1_000")),
        ("a key not quoted", with("instanceUrl:", "y:")),
        ("a label not quoted", with("spec:", "  labels: {tier: 1}\nspec:")),
        ("a text where a boolean belongs", with("perCustomer: true", "perCustomer: \"true\"")),
        ("perCustomer: false", with("perCustomer: true", "perCustomer: false")),
        ("a secret as a text", with("{secretRef: {name: salesforce-app, key: clientSecret}}", "hunter2")),
        (
            "a secret as a value",
            with("{secretRef: {name: salesforce-app, key: clientSecret}}", "{value: hunter2} # hunter2"),
        ),
        ("an input of two kinds", with("{perCustomer: true}", "{perCustomer: true, value: hunter2}")),
        ("an input of no kind", with("{perCustomer: true}", "{}")),
        ("an input of an unknown kind", with("{perCustomer: true}", "{valeu: hunter2}")),
        ("a text where a map belongs", with("{key: salesforce}", "salesforce")),
        ("a text where a list belongs", with("[sf_old]", "sf_old")),
        ("a key twice", with("  type: oauth2", "  type: oauth2\n  type: basic")),
        ("no stable key", with("stableKey: salesforce-oauth", "stableKey: Sales Force")),
        ("another name than the key's", with("name: salesforce-oauth", "name: salesforce")),
        ("too long a text", with("title: Salesforce", &format!("title: {}", "x".repeat(300)))),
        ("three at once", with("  type: oauth2\n", "  typ: oauth2\n").replace("[sf_old]", "[on]")),
        ("an unknown kind", with("kind: Connection", "kind: Conection")),
        ("an unknown version", with("v1alpha1", "v2")),
        ("no apiVersion", with("apiVersion: stablekey.dev/v1alpha1\n", "")),
        ("no kind", with("kind: Connection\n", "")),
        ("no name", with("  name: salesforce-oauth\n", "  labels: {a: b}\n")),
        ("no name, no metadata", with("metadata:\n  name: salesforce-oauth\n", "")),
        ("a tag", with("title: Salesforce", "title: !secret x")),
        ("a tab", with("  title: Salesforce", "\ttitle: Salesforce")),
        ("no blank after the colon", with("title: Salesforce", "title:Salesforce")),
        ("a colon in a text", with("title: Salesforce", "title: Salesforce: the CRM")),
        ("a quote not closed", with("\"https://login.example/authorize\"", "\"https://login.example/authorize")),
        ("a brace not closed", with("{perCustomer: true}", "{perCustomer: true")),
        ("a bracket not closed", with("[sf_old]", "[sf_old")),
        ("bad indentation", with("  type: oauth2", "   type: oauth2")),
        ("a reserved character", with("title: Salesforce", "title: @Salesforce")),
        ("a template", with("title: Salesforce", "title: {{ .Values.title }}")),
        ("an unknown alias", with("title: Salesforce", "title: *title")),
        (
            "a conflict left by Git",
            with("  type: oauth2", "<<<<<<< HEAD\n  type: oauth2\n=======\n  type: basic\n>>>>>>> x"),
        ),
    ];
    let mut out = String::new();
    for (what, text) in cases {
        writeln!(out, "## {what}\n\n{}", problems(&text)).unwrap();
    }
    assert!(!out.contains("hunter2"));
    insta::assert_snapshot!(out);
}
