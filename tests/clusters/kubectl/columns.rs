//! The columns of `kubectl get`.

use crate::kubectl::support::{apply, connection, document, kubectl, list, output_of, set_status};
use serde_json::{Value, json};
use stablekey::api::Kind;
use stablekey_clusters::{Namespace, shared};

fn condition(type_: &str, status: &str) -> Value {
    json!({"type": type_, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

/// Creates one or two objects of each kind, with the status that the operator would write.
fn populate(namespace: &Namespace) {
    let mut crm = connection("Salesforce_OAuth");
    crm["metadata"]["name"] = json!("salesforce-oauth");
    crm["spec"]["embeddedWorkflows"] = json!(true);
    let overriding = json!({"tenant": "eu-prod", "stableKey": "crm", "input": "url", "value": "x", "reason": "r"});
    let sync = json!({"from": "us-prod", "to": ["eu-prod", "dev"], "integrations": ["lead-*"], "mode": "Plan", "overrides": [overriding]});
    let objects = [
        crm,
        connection("warehouse"),
        document(Kind::Component, "salesforce", json!({"key": "salesforce"})),
        document(Kind::Component, "billing.private", json!({"key": "billing", "public": false})),
        document(
            Kind::CustomerCredentials,
            "acme-sf",
            json!({"customer": "Acme, Inc.", "connection": "Salesforce_OAuth", "origin": "Customer"}),
        ),
        document(
            Kind::Integration,
            "lead-router",
            json!({"title": "Lead router", "connections": [{"name": "CRM", "stableKey": "Salesforce_OAuth"}]}),
        ),
        document(Kind::Tenant, "us-prod", json!({"region": "us", "environment": "prod"})),
        document(Kind::TenantSync, "us-to-eu", sync),
    ];
    apply(namespace, "--server-side", &list(&objects)).unwrap();

    let ready = |status: &str| json!({"conditions": [condition("Ready", status)]});
    let used = json!([{"kind": "Integration", "name": "lead-router"}]);
    set_status(
        namespace,
        "connection/salesforce-oauth",
        &json!({"usedBy": used, "usedByCount": 12, "conditions": [condition("Reconciling", "False"), condition("Ready", "True")]}),
    );
    set_status(namespace, "customercredentials/acme-sf", &ready("True"));
    set_status(
        namespace,
        "integration/lead-router",
        &json!({"bound": "3/4", "conditions": [condition("Ready", "False")]}),
    );
    set_status(namespace, "tenant/us-prod", &ready("Unknown"));
    set_status(
        namespace,
        "tenantsync/us-to-eu",
        &json!({"conditions": [condition("Ready", "True"), condition("InSync", "False")]}),
    );
}

/// Removes the ages of objects from a table, which are in its last column.
fn without_ages(table: &str) -> String {
    let line = |line: &str| match line.rsplit_once(' ') {
        Some((before, age)) if age.starts_with(|c: char| c.is_ascii_digit()) => format!("{before} <age>\n"),
        _ => format!("{}\n", line.trim_end()),
    };
    table.lines().map(line).collect()
}

#[test]
fn columns() {
    let namespace = shared("us").namespace("columns");
    populate(&namespace);
    let mut shown = String::new();
    for words in [
        "get tenants",
        "get components",
        "get connections",
        "get connections -o wide",
        "get customercredentials",
        "get integrations",
        "get tenantsyncs",
        "get stablekey",
    ] {
        let table = without_ages(&output_of(&mut kubectl(&namespace, words)));
        shown.push_str(&format!("$ kubectl {words}\n{table}\n"));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn short_names_and_singulars_work() {
    let namespace = shared("us").namespace("columns");
    populate(&namespace);
    for (plural, others) in [
        ("tenants", ["ten", "tenant"]),
        ("components", ["comp", "component"]),
        ("connections", ["conn", "connection"]),
        ("customercredentials", ["cc", "customercredentials.stablekey.dev"]),
        ("integrations", ["intg", "integration"]),
        ("tenantsyncs", ["tsync", "tenantsync"]),
    ] {
        let named = |name: &str| output_of(&mut kubectl(&namespace, &format!("get {name} -o name")));
        let wanted = named(plural);
        assert!(!wanted.is_empty(), "{plural}");
        for other in others {
            assert_eq!(named(other), wanted, "{other}");
        }
    }
}
