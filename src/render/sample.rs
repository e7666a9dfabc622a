//! A realistic world for tests: dev, US and EU, with most of the cases that can occur.

use crate::api::*;
use crate::engine::model::inventory::{Inventory, Sync, TenantView, View, World};
use crate::engine::model::item::Item;
use crate::engine::model::plan::{Plan, Scope};
use crate::engine::model::record::Writer;
use crate::engine::plan::{plan, simulate};
use std::sync::Arc;

pub(super) fn component(key: &str, type_: &str, oauth2: Option<OAuth2>, inputs: &[(&str, &str)]) -> Item {
    let known = |what: &str| TypeInput {
        required: what.contains('r').then_some(true),
        secret: what.contains('s').then_some(true),
        endpoint: what.contains('e').then_some(true),
    };
    let inputs = inputs.iter().map(|(name, what)| (name.to_string(), known(what))).collect();
    let types = vec![ConnectionType { key: type_.into(), oauth2, inputs }];
    Item::Component(Arc::new(Object::new(key, ComponentSpec { key: key.into(), public: None, types })))
}

pub(super) fn connection(
    key: &str,
    component: &str,
    type_: &str,
    credentials: Credentials,
    inputs: &[(&str, Input)],
) -> Item {
    let spec = ConnectionSpec {
        stable_key: key.into(),
        title: None,
        description: None,
        component: ComponentRef::new(component, true),
        type_: type_.into(),
        credentials,
        embedded_workflows: None,
        inputs: inputs.iter().map(|(n, i)| (n.to_string(), i.clone())).collect(),
        test: None,
        replaces: vec![],
        deletion_policy: None,
    };
    Item::Connection(Arc::new(Object::new(names::of_stable_key(key), spec)))
}

pub(super) fn titled(item: Item, title: &str, description: &str) -> Item {
    let Item::Connection(mut connection) = item else { return item };
    let spec = &mut Arc::make_mut(&mut connection).spec;
    spec.title = (!title.is_empty()).then(|| title.to_string());
    spec.description = (!description.is_empty()).then(|| description.to_string());
    Item::Connection(connection)
}

/// An integration; each use is `(variable, component, flow, step)`.
pub(super) fn integration(name: &str, variables: Vec<Variable>, uses: &[(&str, &str, &str, &str)]) -> Item {
    let mut known = Uses { digest: format!("{:0>64}", name.len()), ..Uses::default() };
    for (variable, component, flow, step) in uses {
        let by = User::Step { flow: flow.to_string(), step: step.to_string() };
        let component = Some(ComponentRef::new(*component, true));
        known.variables.entry(variable.to_string()).or_default().push(Use {
            by,
            component,
            input: "connection".into(),
        });
        if !known.flows.iter().any(|f| f == flow) {
            known.flows.push(flow.to_string());
        }
    }
    let definition = Some(Definition::File(format!("{name}.definition")));
    let spec = IntegrationSpec { title: Some(name.replace('-', " ")), connections: variables, definition };
    Item::Integration(Arc::new(Object::new(name, spec)), Some(Arc::new(known)))
}

pub(super) fn customer(number: usize, connection: &str) -> Item {
    let spec = CustomerCredentialsSpec {
        customer: format!("Customer {number}"),
        connection: connection.into(),
        name: None,
        origin: Some(Origin::Customer),
        inputs: [("instanceUrl".to_string(), Input::value("https://acme.example"))].into(),
    };
    Item::CustomerCredentials(Arc::new(Object::new(format!("{connection}-{number}"), spec)))
}

pub(super) fn sync(name: &str, from: &str, to: &str, integrations: &[&str], connections: ConnectionMode) -> Sync {
    let spec = TenantSyncSpec {
        from: from.into(),
        to: vec![to.into()],
        integrations: integrations.iter().map(ToString::to_string).collect(),
        connections: Some(connections),
        ..TenantSyncSpec::default()
    };
    Sync { writer: Writer::Sync(name.into()), spec: Arc::new(spec) }
}

pub(super) fn tenant(accept_from: &[&str], items: Vec<Item>) -> TenantView {
    let mut inventory = Inventory::default();
    items.into_iter().for_each(|item| inventory.insert(item));
    let spec = TenantSpec {
        region: Some("eu".into()),
        environment: Some("prod".into()),
        accept_from: accept_from.iter().map(ToString::to_string).collect(),
        ..TenantSpec::default()
    };
    TenantView {
        spec,
        live: View::Read(Arc::new(inventory)),
        source: None,
        recent: 0,
        before: None,
        resend: Default::default(),
    }
}

pub(super) fn live<'a>(world: &'a mut World, tenant: &str) -> &'a mut Inventory {
    match &mut world.tenants.get_mut(tenant).unwrap().live {
        View::Read(inventory) => Arc::make_mut(inventory),
        View::Unreachable(_) => panic!("{tenant} cannot be read"),
    }
}

/// Changes one connection of a tenant.
pub(super) fn edit(world: &mut World, tenant: &str, name: &str, change: impl FnOnce(&mut ConnectionSpec)) {
    change(&mut Arc::make_mut(live(world, tenant).connections.get_mut(name).unwrap()).spec);
}

pub(super) fn components() -> Vec<Item> {
    let oauth = Some(OAuth2::AuthorizationCode);
    vec![
        component(
            "salesforce",
            "oauth2",
            oauth,
            &[("authorizeUrl", "re"), ("clientSecret", "rs"), ("instanceUrl", "e"), ("scopes", "")],
        ),
        component("slack", "oauth2", oauth, &[("clientId", "r"), ("clientSecret", "rs"), ("scopes", "")]),
        component("hubspot", "oauth2", oauth, &[("clientSecret", "rs"), ("scopes", "")]),
        component("http", "apiKey", None, &[("apiKey", "rs"), ("baseUrl", "re")]),
    ]
}

fn salesforce() -> Item {
    let inputs = [
        ("authorizeUrl", Input::value("https://login.salesforce.example/services/oauth2/authorize")),
        ("clientSecret", Input::secret("salesforce-app", "clientSecret")),
        ("instanceUrl", Input::PER_CUSTOMER),
        ("scopes", Input::value("api")),
    ];
    titled(
        connection("salesforce-oauth", "salesforce", "oauth2", Credentials::OrganizationCustomer, &inputs),
        "Salesforce",
        "CRM of the sales team",
    )
}

fn slack(title: &str) -> Item {
    let inputs = [
        ("clientId", Input::value("4711.0815")),
        ("clientSecret", Input::secret("slack-app", "clientSecret")),
        ("scopes", Input::value("chat:write")),
    ];
    titled(connection("slack-bot", "slack", "oauth2", Credentials::OrganizationGlobal, &inputs), title, "")
}

fn hubspot(scopes: &str) -> Item {
    let inputs = [("clientSecret", Input::secret("hubspot-app", "clientSecret")), ("scopes", Input::value(scopes))];
    titled(connection("hubspot-crm", "hubspot", "oauth2", Credentials::Customer, &inputs), "HubSpot", "")
}

fn billing_api(key: &str) -> Item {
    let inputs =
        [("apiKey", Input::secret("billing", "apiKey")), ("baseUrl", Input::value("https://billing.example/v2"))];
    connection(key, "http", "apiKey", Credentials::OrganizationGlobal, &inputs)
}

fn integrations() -> Vec<Item> {
    vec![
        integration(
            "lead-router",
            vec![
                Variable::bound("Salesforce Connection", "salesforce-oauth"),
                Variable::bound("Slack", "slack-bot"),
                Variable::own("Warehouse", ComponentRef::new("postgres", true), "postgres"),
            ],
            &[
                ("Salesforce Connection", "salesforce", "New Lead", "Get lead"),
                ("Salesforce Connection", "salesforce", "New Lead", "Update lead"),
                ("Salesforce Connection", "http", "Nightly", "Raw query"),
                ("Slack", "slack", "New Lead", "Notify"),
            ],
        ),
        integration(
            "lead-scorer",
            vec![
                Variable::bound("HubSpot", "hubspot-crm"),
                Variable::bound("Salesforce Connection", "salesforce-oauth"),
            ],
            &[
                ("HubSpot", "hubspot", "Score", "List deals"),
                ("Salesforce Connection", "salesforce", "Score", "Write score"),
            ],
        ),
        integration(
            "billing-sync",
            vec![Variable::bound("Billing API", "billing-api")],
            &[("Billing API", "http", "Nightly", "Fetch invoices"), ("Billing API", "http", "Nightly", "Confirm")],
        ),
    ]
}

/// US and EU after the first apply: everything is in sync.
pub(super) fn in_sync() -> World {
    let mut us = components();
    us.extend([salesforce(), slack("Slack"), hubspot("crm.read"), billing_api("billing-api")]);
    us.extend(integrations());
    let mut eu = components();
    eu.extend([slack("Slack EU"), billing_api("billing_api_eu")]);
    eu.extend((0..41).map(|n| customer(n, "salesforce-oauth")));
    let mut world = World::default();
    world.tenants.insert("dev".into(), tenant(&[], components()));
    world.tenants.insert("us-prod".into(), tenant(&["dev"], us));
    world.tenants.insert("eu-prod".into(), tenant(&["us-prod"], eu));
    world.syncs.push(sync("us-to-eu", "us-prod", "eu-prod", &["lead-*"], ConnectionMode::Mirror));
    let overrides = &mut Arc::make_mut(&mut world.syncs[0].spec).overrides;
    overrides.push(Override {
        tenant: "eu-prod".into(),
        stable_key: Some("salesforce-oauth".into()),
        input: Some("scopes".into()),
        value: Some("api eu".into()),
        reason: "the EU org has its own scopes".into(),
        ..Override::default()
    });
    let first = plan(&world, &Scope::default());
    simulate(&world, &first)
}

/// A later state: a missing key with a similar one, drift, a kept value, an override, a redirect that needs approval, a
/// consent to give, a conflict, an unreachable tenant.
pub(super) fn busy() -> World {
    let mut world = in_sync();
    edit(&mut world, "us-prod", "salesforce-oauth", |spec| {
        spec.inputs.insert(
            "authorizeUrl".into(),
            Input::value("https://eu.login.salesforce.example/services/oauth2/authorize"),
        );
        spec.description = Some("CRM of the sales team\nAsk #sales-ops before you change it\n".into());
    });
    edit(&mut world, "eu-prod", "hubspot-crm", |spec| {
        spec.inputs.insert("scopes".into(), Input::value("crm.read crm.write"));
    });
    edit(&mut world, "eu-prod", "slack-bot", |spec| {
        spec.inputs.insert("scopes".into(), Input::value("chat:write files:write"));
    });
    // A new integration with a connection that EU lacks: it is created, and consent is requested.
    let inputs = [("clientId", Input::value("12.34")), ("clientSecret", Input::secret("slack-alerts", "clientSecret"))];
    let alerts = titled(
        connection("slack-alerts", "slack", "oauth2", Credentials::OrganizationGlobal, &inputs),
        "Slack alerts",
        "",
    );
    let uses = [("Alerts", "slack", "Stale lead", "Warn")];
    live(&mut world, "us-prod").insert(alerts);
    live(&mut world, "us-prod").insert(integration(
        "lead-alerts",
        vec![Variable::bound("Alerts", "slack-alerts")],
        &uses,
    ));
    // Connections are only matched: EU has the key in another spelling.
    world.syncs.push(sync("billing", "us-prod", "eu-prod", &["billing-*"], ConnectionMode::Match));
    // Two writers with different titles for one connection.
    live(&mut world, "dev").insert(hubspot("crm.everything"));
    let variables = vec![Variable::bound("HubSpot", "hubspot-crm")];
    live(&mut world, "dev").insert(integration("beta-scorer", variables, &[]));
    let eu = world.tenants.get_mut("eu-prod").unwrap();
    eu.spec.accept_from.push("dev".into());
    world.syncs.push(sync("beta", "dev", "eu-prod", &["beta-*"], ConnectionMode::Mirror));
    let mut unreachable = tenant(&["us-prod"], vec![]);
    unreachable.live = View::Unreachable("the folder ap-prod is not there".into());
    world.tenants.insert("ap-prod".into(), unreachable);
    world
}

pub(super) fn planned(world: &World) -> Plan {
    plan(world, &Scope::default())
}
