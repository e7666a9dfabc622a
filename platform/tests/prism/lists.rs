//! Lists, by their columns.

use crate::prism::{Prism, integration, us};
use serde_json::{Value, json};
use stablekey_platform::{Platform, Server, seed};

/// Runs prism for a list with all columns.
fn list(server: &Server, arguments: &[&str]) -> Vec<Value> {
    let arguments = [arguments, &["--extended", "--output", "json"]].concat();
    match Prism::of(server).run(&arguments).json() {
        Value::Array(rows) => rows,
        other => panic!("{other}"),
    }
}

#[track_caller]
fn column<'r>(rows: &'r [Value], name: &str) -> Vec<&'r str> {
    rows.iter().map(|row| row[name].as_str().unwrap_or_else(|| panic!("{row}"))).collect()
}

#[track_caller]
fn row<'r>(rows: &'r [Value], name: &str, value: &str) -> &'r Value {
    rows.iter().find(|row| row[name] == value).unwrap()
}

#[test]
fn connections_are_listed() {
    let server = us();
    let rows = list(&server, &["organization:connections:list"]);
    let expected = json!({
        "stableKey": "salesforce-crm", "description": "The customer's own CRM", "managedBy": "CUSTOMER",
        "customer": "N/A", "component": "salesforce",
    });
    assert_eq!(row(&rows, "stableKey", "salesforce-crm"), &expected);
    assert_eq!(row(&rows, "stableKey", "hooli-api")["customer"], "Hooli (hooli)");
    assert_eq!(row(&rows, "stableKey", "slack-build-only")["managedBy"], "SYSTEM");
    let keys: Vec<String> = server.read(|store| store.connections.iter().map(|c| c.stable_key.clone()).collect());
    assert_eq!(column(&rows, "stableKey"), keys);

    let rows = list(&server, &["organization:connections:list", "--managed-by", "customer"]);
    assert_eq!(column(&rows, "stableKey"), ["salesforce-crm"]);
}

#[test]
fn integrations_are_listed() {
    let server = us();
    let rows = list(&server, &["integrations:list"]);
    let names = ["Order Sync", "Warehouse Export", "Ticket Router", "Hooli Report", "Slack Alerts"];
    assert_eq!(column(&rows, "name"), names);
    assert_eq!(column(&rows, "id"), names.map(|name| integration(&server, name)));
    assert_eq!(column(&rows, "versionNumber"), ["3", "1", "1", "1", "1"]);
    assert_eq!((&rows[0]["labels"], &rows[0]["category"]), (&json!("[\"crm\",\"erp\"]"), &json!("Sales")));
    assert_eq!((&rows[3]["customerName"], &rows[3]["customerExternalId"]), (&json!("Hooli"), &json!("hooli")));

    let rows = list(&server, &["integrations:list", "--org-only", "--search", "REPORT"]);
    assert_eq!(rows, [] as [Value; 0]);
    let rows = list(&server, &["integrations:list", "--showAllVersions", "--search", "sync"]);
    // The draft is first.
    assert_eq!(column(&rows, "versionNumber"), ["3", "1", "2", "3"]);
}

#[test]
fn every_page_of_a_list_is_asked_for() {
    let server = Server::builder(Platform::new(seed::large(3, 205).unwrap())).token("token").start().unwrap();
    let rows = list(&server, &["integrations:list"]);
    let names: Vec<String> = server.read(|store| store.integrations.iter().map(|i| i.name.clone()).collect());
    assert_eq!(column(&rows, "name"), names);
    assert_eq!(server.counts().requests, 3);
}

#[test]
fn components_are_listed() {
    let server = us();
    let rows = list(&server, &["components:list"]);
    assert_eq!((rows.len(), &row(&rows, "key", "salesforce")["versionNumber"]), (9, &json!("50")));
    assert_eq!(row(&rows, "key", "acme")["public"], "false");
    let rows = list(&server, &["components:list", "--showAllVersions", "--search", "salesforce"]);
    assert_eq!(column(&rows, "versionNumber"), ["49", "50"]);
}

#[test]
fn customers_and_instances_are_listed() {
    let server = us();
    let rows = list(&server, &["customers:list"]);
    assert_eq!(column(&rows, "name"), ["Hooli", "Globex", "Umbrella GmbH", "Initech"]);
    let rows = list(&server, &["instances:list"]);
    let names: Vec<String> =
        server.read(|store| store.instances.iter().filter(|i| !i.is_system).map(|i| i.name.clone()).collect());
    assert_eq!(column(&rows, "name"), names);
}
