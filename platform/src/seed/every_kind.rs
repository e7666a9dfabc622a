//! One company in two regions, with an object of every kind, and differences between the two.

use super::{ConnectionSeed, CredentialSeed, Organization, SeedError};
use crate::kinds::Status;
use crate::store::{Component, ConnectionType, Store};

const ORDER_SYNC: &str = include_str!("definitions/order-sync.yaml");
const SLACK_ALERTS: &str = include_str!("definitions/slack-alerts.yaml");
const WAREHOUSE_EXPORT: &str = include_str!("definitions/warehouse-export.yaml");
const TICKET_ROUTER: &str = include_str!("definitions/ticket-router.yaml");
const HOOLI_REPORT: &str = include_str!("definitions/hooli-report.yaml");
const WELCOME: &str = include_str!("definitions/welcome.yaml");

/// One of the company's two tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    Us,
    /// Some connections are missing here, or differ.
    Eu,
}

impl Region {
    pub fn tenant_id(self) -> &'static str {
        match self {
            Region::Us => "6f0c1a52-0b4e-4c1d-8a55-1f0d5a6c0001",
            Region::Eu => "6f0c1a52-0b4e-4c1d-8a55-1f0d5a6c0002",
        }
    }
}

/// Builds the tenant of a region.
pub fn every_kind(region: Region) -> Result<Store, SeedError> {
    let name = match region {
        Region::Us => "Acme Corp (US)",
        Region::Eu => "Acme Corp (EU)",
    };
    let mut organization = components(Organization::new(name, region.tenant_id()), region)
        .customer("Hooli", Some("hooli"))
        .customer("Globex", Some("globex-1"))
        .customer("Umbrella GmbH", None);
    if region == Region::Us {
        organization = organization.customer("Initech", Some("initech"));
    }
    instances(integrations(credentials(connections(organization, region), region), region), region).store()
}

/// The versions of a public component differ between regions, the connection types do not.
fn components(organization: Organization, region: Region) -> Organization {
    let version = |us, eu| if region == Region::Us { us } else { eu };
    let basic = || ConnectionType::new("basic", "Basic Authentication").input("username").secret("password");
    let api_key = || ConnectionType::new("apiKey", "API Key").input("host").secret("apiKey");
    let salesforce = Component::public("salesforce", "Salesforce")
        .connection(ConnectionType::authorization_code("oauth2", "OAuth 2.0").optional("instanceUrl"))
        .connection(basic().input("loginUrl"));
    let slack = Component::public("slack", "Slack")
        .connection(ConnectionType::authorization_code("oauth2", "OAuth 2.0").optional("isUser"));
    let postgres = ConnectionType::new("postgres", "PostgreSQL").input("host").input("database").input("username");
    organization
        .component(salesforce.clone().version(version(49, 1)))
        .component(salesforce.version(version(50, 2)))
        .component(slack.version(version(31, 7)))
        .component(Component::public("http", "HTTP").connection(api_key()).connection(basic()).version(version(12, 12)))
        .component(Component::public("postgres", "PostgreSQL").connection(postgres.secret("password")))
        .component(Component::private("acme", "Acme").connection(api_key()).version(version(4, 3)))
        .component(Component::public("schedule-triggers", "Schedule"))
        .component(Component::public("webhook-triggers", "Webhook"))
        .component(Component::public("branch", "Branch"))
        .component(Component::public("loop", "Loop"))
}

fn connections(mut organization: Organization, region: Region) -> Organization {
    let is_us = region == Region::Us;
    let login =
        if is_us { "https://login.salesforce.example.invalid" } else { "https://eu.salesforce.example.invalid" };
    let erp = if is_us { "https://us.erp.example.invalid" } else { "https://eu.erp.example.invalid" };
    let slack = |seed: ConnectionSeed| {
        seed.input("authorizeUrl", "https://slack.example.invalid/oauth/v2/authorize")
            .input("tokenUrl", "https://slack.example.invalid/api/oauth.v2.access")
            .input("scopes", "chat:write channels:read")
    };
    organization = organization
        .connection(
            ConnectionSeed::customer("salesforce-crm", "salesforce/oauth2")
                .key("Salesforce")
                .description("The customer's own CRM")
                .input("authorizeUrl", &format!("{login}/services/oauth2/authorize"))
                .input("tokenUrl", &format!("{login}/services/oauth2/token"))
                .input("scopes", "api refresh_token")
                .input("clientId", if is_us { "us-client" } else { "eu-client" })
                .input("clientSecret", if is_us { "us-client-secret" } else { "eu-client-secret" })
                .customer_input("instanceUrl")
                .status(Status::Active)
                .default_for_component(),
        )
        .connection(
            slack(ConnectionSeed::organization_customer("slack-notifications", "slack/oauth2"))
                .key("Slack notifications")
                .description("Posts as our app in the customer's workspace")
                .input("clientId", "slack-client")
                .input("clientSecret", "slack-client-secret")
                .customer_input("isUser")
                .status(if is_us { Status::Active } else { Status::Pending }),
        )
        .connection(
            ConnectionSeed::organization_global("acme-erp", "acme/apiKey")
                .key("Acme ERP")
                .description("Our own ERP")
                .input("host", erp)
                .input("apiKey", if is_us { "us-erp-secret" } else { "eu-erp-secret" }),
        )
        .connection(
            ConnectionSeed::organization_global("warehouse", "postgres/postgres")
                .key("Warehouse")
                .input("host", "db.example.invalid")
                .input("database", "warehouse")
                .input("username", "exporter")
                .input("password", "warehouse-secret"),
        )
        .connection(
            slack(ConnectionSeed::user("slack-personal", "slack/oauth2"))
                .key("Personal Slack")
                .input("clientId", "slack-personal-client")
                .input("clientSecret", "slack-personal-secret")
                .status(Status::Active),
        )
        .connection(
            slack(ConnectionSeed::user("slack-personal", "slack/oauth2"))
                .leaf_of("slack-personal")
                .key("ada@hooli.example.invalid")
                .status(Status::Active),
        )
        .connection(
            ConnectionSeed::organization_global("hooli-api", "http/apiKey")
                .key("Hooli API")
                .owned_by("Hooli")
                .input("host", "https://api.hooli.example.invalid")
                .input("apiKey", "hooli-secret"),
        )
        .connection(slack(ConnectionSeed::build_only("slack-build-only", "slack/oauth2")).key("Slack (test only)"))
        .connection(
            ConnectionSeed::organization_global("legacy-billing", "http/basic")
                .key("Billing")
                .input("username", "billing")
                .input("password", "billing-secret")
                .status(Status::Error),
        );
    if !is_us {
        return organization;
    }
    organization
        .connection(
            ConnectionSeed::organization_global("http-status", "http/apiKey")
                .key("Status API")
                .input("host", "https://status.example.invalid")
                .input("apiKey", "status-secret"),
        )
        .connection(
            slack(ConnectionSeed::organization_global("slack-internal", "slack/oauth2"))
                .key("Internal Slack")
                .input("clientId", "internal-client")
                .input("clientSecret", "internal-client-secret")
                .status(Status::Pending),
        )
        .connection(
            slack(ConnectionSeed::user("slack-personal", "slack/oauth2"))
                .leaf_of("slack-personal")
                .key("bob@globex.example.invalid")
                .status(Status::Pending),
        )
}

fn credentials(organization: Organization, region: Region) -> Organization {
    let salesforce =
        |customer: &str, url: &str| CredentialSeed::of(customer, "salesforce-crm").input("instanceUrl", url);
    let organization = organization
        .credential(salesforce("Hooli", "https://hooli.salesforce.example.invalid").key("Sales").status(Status::Active))
        .credential(
            salesforce("Hooli", "https://hooli-dev.salesforce.example.invalid").key("Service").status(Status::Active),
        )
        .credential(salesforce("Globex", "https://globex.salesforce.example.invalid").status(Status::Error))
        .credential(CredentialSeed::of("Hooli", "slack-notifications").status(Status::Active))
        .credential(CredentialSeed::test("acme-erp").input("apiKey", "test-erp-secret"));
    match region {
        Region::Us => organization.credential(CredentialSeed::of("Initech", "slack-notifications")),
        Region::Eu => organization,
    }
}

fn integrations(organization: Organization, region: Region) -> Organization {
    // The first version of Order Sync used a connection that nothing active uses any more.
    let first = ORDER_SYNC.replace("useScopedConfigVar: acme-erp", "useScopedConfigVar: legacy-billing");
    let organization = organization
        .integration(&first)
        .publish("Order Sync", "First version")
        .draft("Order Sync", ORDER_SYNC)
        .publish("Order Sync", "Use the new ERP")
        .integration(WAREHOUSE_EXPORT)
        .publish("Warehouse Export", "First version")
        .integration(TICKET_ROUTER)
        .publish("Ticket Router", "Built from 5f0e6a5")
        .integration_of("Hooli", HOOLI_REPORT)
        .publish("Hooli Report", "First version")
        .workflow(WELCOME);
    if region == Region::Eu {
        return organization;
    }
    let faster = ORDER_SYNC.replace("*/15 * * * *", "*/5 * * * *");
    organization
        .draft("Order Sync", &faster)
        .publish("Order Sync", "Copy every five minutes")
        .integration(SLACK_ALERTS)
        .publish("Slack Alerts", "First version")
}

fn instances(organization: Organization, region: Region) -> Organization {
    let organization = organization
        .instance_with("Orders of Hooli", "Order Sync", 2, "Hooli", &[("salesforce-crm", "Sales")])
        .instance("Orders of Globex", "Order Sync", 2, "Globex")
        .instance("Tickets of Umbrella", "Ticket Router", 1, "Umbrella GmbH")
        .instance("Figures", "Hooli Report", 1, "Hooli")
        .disable("Orders of Globex");
    if region == Region::Eu {
        return organization;
    }
    organization
        .instance_with("Service orders of Hooli", "Order Sync", 3, "Hooli", &[("salesforce-crm", "Service")])
        .instance("Alerts of Hooli", "Slack Alerts", 1, "Hooli")
        .instance("Alerts of Initech", "Slack Alerts", 1, "Initech")
}
