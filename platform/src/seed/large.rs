//! A large organization, for benchmarks.

use super::{ConnectionSeed, CredentialSeed, Organization, SeedError};
use crate::store::{Component, ConnectionType, Store};
use std::fmt::Write as _;

/// The tenant id of the large organization.
const TENANT: &str = "1a46e000-0000-4000-8000-000000000001";

/// Builds an organization with so many connections and integrations: each integration binds three connections, has one
/// version and one instance. Each tenth connection adds a customer, and each connection for customers has credentials
/// of two of them.
pub fn large(connections: usize, integrations: usize) -> Result<Store, SeedError> {
    let api_key = ConnectionType::new("apiKey", "API Key").input("host").secret("apiKey");
    let mut organization = Organization::new("Large", TENANT)
        .component(Component::public("http", "HTTP").connection(api_key.clone()))
        .component(Component::private("acme", "Acme").connection(api_key))
        .component(Component::public("webhook-triggers", "Webhook"));
    let customers = connections / 10 + 2;
    for number in 0..customers {
        organization = organization.customer(&customer(number), Some(&format!("customer-{number}")));
    }
    for number in 0..connections {
        let key = stable_key(number);
        let kind = if number % 3 == 0 { "acme/apiKey" } else { "http/apiKey" };
        let seed = match number % 4 {
            0 => ConnectionSeed::customer(&key, kind)
                .input("host", "https://api.example.invalid")
                .customer_input("apiKey"),
            1 => ConnectionSeed::organization_customer(&key, kind)
                .input("host", "https://api.example.invalid")
                .customer_input("apiKey"),
            2 => ConnectionSeed::user(&key, kind).input("host", "https://api.example.invalid").customer_input("apiKey"),
            _ => ConnectionSeed::organization_global(&key, kind)
                .input("host", "https://api.example.invalid")
                .input("apiKey", &format!("secret-{number}")),
        };
        organization = organization.connection(seed.key(&format!("Connection {number}")).description("For benchmarks"));
        for of in [number, number + 1].into_iter().filter(|_| number % 4 < 2) {
            let credential = CredentialSeed::of(&customer(of % customers), &key);
            organization = organization.credential(credential.input("apiKey", &format!("secret-{number}-{of}")));
        }
    }
    for number in 0..integrations {
        let name = format!("Integration {number:05}");
        organization = organization
            .integration(&definition(&name, number, connections))
            .publish(&name, "First version")
            .instance(&format!("{name} of a customer"), &name, 1, &customer(number % customers));
    }
    organization.store()
}

fn customer(number: usize) -> String {
    format!("Customer {number:05}")
}

fn stable_key(number: usize) -> String {
    format!("connection-{number:05}")
}

fn definition(name: &str, number: usize, connections: usize) -> String {
    let mut text = format!(
        "definitionVersion: 7\nname: {name}\ndescription: Moves records\ncategory: Benchmarks\nlabels: [large]\n\
         documentation: \"\"\nendpointType: flow_specific\nisCodeNative: false\nrequiredConfigVars:\n"
    );
    let bound = (0..connections.min(3)).map(|at| (number * 3 + at) % connections);
    for (at, connection) in bound.clone().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "  - key: Connection {at}\n    dataType: connection\n    useScopedConfigVar: {}\n    meta:\n      \
             visibleToCustomerDeployer: true\n      visibleToOrgDeployer: true\n",
            stable_key(connection)
        );
    }
    text.push_str("  - {key: Interval, dataType: schedule, scheduleType: custom, defaultValue: '*/5 * * * *'}\n");
    text.push_str(
        "configPages:\n  - name: Settings\n    elements: [{type: configVar, value: Interval}]\nflows:\n  - name: Move\n    \
         isSynchronous: false\n    endpointSecurityType: customer_optional\n    steps:\n      - name: Trigger\n        \
         isTrigger: true\n        action: {key: webhook, component: {key: webhook-triggers, isPublic: true, version: LATEST}}\n",
    );
    for (at, connection) in bound.enumerate() {
        let (component, public) = if connection % 3 == 0 { ("acme", false) } else { ("http", true) };
        let _ = write!(
            text,
            "      - name: Step {at}\n        action: {{key: get, component: {{key: {component}, isPublic: {public}, \
             version: LATEST}}}}\n        inputs:\n          connection: {{type: configVar, value: Connection {at}}}\n          \
             url: {{type: value, value: /records}}\n"
        );
    }
    text
}
