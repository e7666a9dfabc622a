//! Test data: one generator for every figure, the same on every machine.
//!
//! Six inputs per connection; one integration of twenty steps, bound to ten connections, per ten of them.

use stablekey::api::*;
use stablekey::engine::model::inventory::{Inventory, Sync, TenantView, View, World};
use stablekey::engine::model::item::Item;
use stablekey::engine::model::plan::Counts;
use stablekey::engine::model::record::{Record, Writer, Wrote};
use stablekey::manifest::{WriteError, to_yaml};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// The source, and the target.
pub const TENANTS: [&str; 2] = ["us-prod", "eu-prod"];
const SYNC: &str = "us-to-eu";
const TYPE: &str = "oauth2";
const PER_INTEGRATION: usize = 10;

const COMPONENTS: [&str; 20] = [
    "salesforce",
    "slack",
    "hubspot",
    "netsuite",
    "postgres",
    "dynamics",
    "shopify",
    "stripe",
    "zendesk",
    "jira",
    "servicenow",
    "snowflake",
    "quickbooks",
    "marketo",
    "workday",
    "dropbox",
    "sftp",
    "mysql",
    "asana",
    "intercom",
];

/// The differences between the two tenants: each is one connection in this many.
const CHANGED: Every = Every { of: 100, at: 7 };
const MISSING: Every = Every { of: 500, at: 3 };
const DRIFTED: Every = Every { of: 700, at: 5 };

/// One number in `of`.
struct Every {
    of: usize,
    at: usize,
}

impl Every {
    fn hits(&self, number: usize) -> bool {
        number % self.of == self.at
    }

    fn hits_below(&self, end: usize) -> usize {
        (0..end).filter(|number| self.hits(*number)).count()
    }
}

/// Returns two tenants and a sync that mirrors the first to the second, as after an apply; since then a few connections
/// were changed, removed and edited manually.
pub fn world(connections: usize) -> World {
    let [from, to] = TENANTS;
    let mut source = inventory(connections);
    let mut target = inventory(connections);
    record_all(&mut target, to);
    for number in 0..connections {
        let key = stable_key(number);
        if CHANGED.hits(number) {
            edit(&mut source, &key, |spec| {
                spec.inputs.insert("scopes".into(), Input::value("api refresh_token openid profile"));
            });
        }
        if DRIFTED.hits(number) {
            edit(&mut target, &key, |spec| spec.title = Some("Edited by hand".into()));
        }
        if MISSING.hits(number)
            && let Some(connection) = target.connections.remove(&key)
        {
            target.records.remove(&Item::Connection(connection).id());
        }
    }
    let view = |spec, inventory| TenantView {
        spec,
        live: View::Read(Arc::new(inventory)),
        source: None,
        recent: 0,
        before: None,
        resend: Default::default(),
    };
    let accepting = TenantSpec { accept_from: vec![from.into()], ..tenant("eu") };
    World {
        tenants: [(from.into(), view(tenant("us"), source)), (to.into(), view(accepting, target))].into(),
        syncs: vec![Sync { writer: Writer::Sync(SYNC.into()), spec: Arc::new(mirror(from, to)) }],
        ..World::default()
    }
}

/// Returns the expected counts of a plan of [`world`], without manual steps.
pub fn expected(connections: usize) -> Counts {
    Counts {
        create: MISSING.hits_below(connections),
        update: CHANGED.hits_below(connections),
        drift: DRIFTED.hits_below(connections),
        ..Counts::default()
    }
}

/// Returns the stable key of a connection that differs in the two tenants.
pub fn changed_key(position: usize) -> String {
    stable_key(position * CHANGED.of + CHANGED.at)
}

/// Returns the name of an integration.
pub fn integration_name(number: usize) -> String {
    integration(number, 0..0).0.name().to_string()
}

/// Returns the name of a component that connections use.
pub fn component_name() -> String {
    COMPONENTS.first().copied().unwrap_or_default().to_string()
}

/// Returns one connection as a file.
pub fn one_document() -> Result<String, WriteError> {
    to_yaml(&Resource::from(Object::new(stable_key(0), connection(0))))
}

/// Returns connections of one tenant. With `changed`, the first of every ten has another value.
pub fn connections(count: usize, changed: bool) -> Vec<Resource> {
    let made = (0..count).map(|number| {
        let mut spec = connection(number);
        if changed && number % 10 == 0 {
            spec.inputs.insert("scopes".into(), Input::value("api refresh_token openid profile"));
        }
        Resource::from(Object::new(stable_key(number), spec))
    });
    made.collect()
}

/// Returns resources of one tenant, of every kind. The integrations come without their definitions, which are separate
/// files.
pub fn resources(count: usize) -> Vec<Resource> {
    let rest = count.saturating_sub(COMPONENTS.len());
    let connections = rest * PER_INTEGRATION / (PER_INTEGRATION + 1);
    let inventory = inventory(connections);
    let made = inventory.items().take(count).map(|item| {
        let mut resource = item.to_resource();
        if let Resource::Integration(integration) = &mut resource {
            Arc::make_mut(integration).spec.definition = None;
        }
        resource
    });
    made.collect()
}

/// Returns documents of one tenant as one file.
pub fn yaml(documents: usize) -> Result<String, WriteError> {
    file_of(&resources(documents))
}

/// Returns these documents as one file.
pub fn file_of(resources: &[Resource]) -> Result<String, WriteError> {
    let mut text = String::new();
    for resource in resources {
        text.push_str("---\n");
        text.push_str(&to_yaml(resource)?);
    }
    Ok(text)
}

/// Returns a sync that mirrors the first of [`TENANTS`] to the second.
pub fn sync() -> Resource {
    let [from, to] = TENANTS;
    Resource::from(Object::new(SYNC, mirror(from, to)))
}

fn tenant(region: &str) -> TenantSpec {
    TenantSpec { region: Some(region.into()), environment: Some("prod".into()), ..TenantSpec::default() }
}

fn mirror(from: &str, to: &str) -> TenantSyncSpec {
    TenantSyncSpec {
        from: from.into(),
        to: vec![to.into()],
        integrations: vec!["*".into()],
        connections: Some(ConnectionMode::Mirror),
        ..TenantSyncSpec::default()
    }
}

fn inventory(connections: usize) -> Inventory {
    let mut inventory = Inventory::default();
    for key in COMPONENTS {
        inventory.insert(Item::Component(Arc::new(Object::new(key, component(key)))));
    }
    // In the order in which a folder is read.
    let mut numbers: Vec<usize> = (0..connections).collect();
    numbers.sort_by_cached_key(|number| stable_key(*number));
    for number in numbers {
        inventory.insert(Item::Connection(Arc::new(Object::new(stable_key(number), connection(number)))));
    }
    for number in 0..connections.div_ceil(PER_INTEGRATION) {
        let bound = number * PER_INTEGRATION..connections.min((number + 1) * PER_INTEGRATION);
        let (object, uses) = integration(number, bound);
        inventory.insert(Item::Integration(Arc::new(object), Some(Arc::new(uses))));
    }
    inventory
}

fn component(key: &str) -> ComponentSpec {
    let input = |required: bool, secret: bool, endpoint: bool| TypeInput {
        required: Some(required),
        secret: secret.then_some(true),
        endpoint: endpoint.then_some(true),
    };
    let inputs = [
        ("authorizeUrl", input(true, false, true)),
        ("tokenUrl", input(true, false, true)),
        ("clientId", input(true, false, false)),
        ("clientSecret", input(true, true, false)),
        ("scopes", input(false, false, false)),
        ("refreshToken", input(false, true, false)),
        ("instanceUrl", input(false, false, true)),
    ];
    let inputs = inputs.map(|(name, input)| (name.to_string(), input)).into();
    let type_ = ConnectionType { key: TYPE.into(), oauth2: Some(OAuth2::AuthorizationCode), inputs };
    ComponentSpec { key: key.into(), public: None, types: vec![type_] }
}

fn component_of(number: usize) -> &'static str {
    COMPONENTS[Random::of(number).below(COMPONENTS.len())]
}

/// The same as the connection's name.
fn stable_key(number: usize) -> String {
    format!("{}-{number:06}", component_of(number))
}

fn connection(number: usize) -> ConnectionSpec {
    let mut random = Random::of(number);
    let component = component_of(number);
    let key = stable_key(number);
    let site = format!("https://{component}-{:04x}.example", random.next() >> 48);
    let mut inputs: BTreeMap<String, Input> = [
        ("authorizeUrl", Input::value(format!("{site}/authorize"))),
        ("tokenUrl", Input::value(format!("{site}/token"))),
        ("clientId", Input::value(format!("id-{:08x}", random.next() >> 32))),
        ("clientSecret", Input::secret(key.clone(), "clientSecret")),
        ("scopes", Input::value("api refresh_token openid")),
        ("instanceUrl", Input::PER_CUSTOMER),
    ]
    .map(|(name, input)| (name.to_string(), input))
    .into();
    let credentials = if random.below(2) == 0 { Credentials::Customer } else { Credentials::OrganizationCustomer };
    if credentials == Credentials::OrganizationCustomer {
        // The organization has the tokens of its customers: nobody signs in.
        inputs.insert("refreshToken".into(), Input::PER_CUSTOMER);
    }
    ConnectionSpec {
        title: Some(format!("{component} {number}")),
        description: None,
        component: ComponentRef::new(component, true),
        type_: TYPE.into(),
        credentials,
        embedded_workflows: Some(random.below(2) == 0),
        inputs,
        test: None,
        replaces: Vec::new(),
        deletion_policy: None,
        stable_key: key,
    }
}

fn integration(number: usize, bound: std::ops::Range<usize>) -> (Object<IntegrationSpec>, Uses) {
    let name = format!("flow-{number:06}");
    let mut random = Random::of(number);
    let mut uses = Uses { flows: vec!["New Lead".into(), "Nightly".into()], ..Uses::default() };
    while uses.digest.len() < 64 {
        let _ = write!(uses.digest, "{:016x}", random.next());
    }
    let mut connections = Vec::new();
    for number in bound {
        let component = component_of(number);
        let variable = format!("{component} {number}");
        let steps = uses.flows.iter().map(|flow| Use {
            by: User::Step { flow: flow.clone(), step: format!("Call {component} {number}") },
            component: Some(ComponentRef::new(component, true)),
            input: "connection".into(),
        });
        uses.variables.insert(variable.clone(), steps.collect());
        connections.push(Variable::bound(variable, stable_key(number)));
    }
    let definition = Some(Definition::File(format!("{name}.definition")));
    (Object::new(name, IntegrationSpec { title: Some(format!("Flow {number}")), connections, definition }), uses)
}

/// Records every object as created by the sync, parsed from its line in `stablekey.lock`.
fn record_all(inventory: &mut Inventory, tenant: &str) {
    let writers = Arc::new(BTreeSet::from([Writer::Sync(SYNC.into())]));
    let items: Vec<Item> = inventory.items().filter(|item| item.kind() != Kind::Component).collect();
    for item in items {
        let wrote = |hash| Wrote { hash, writers: writers.clone() };
        let fields = item.fields(false).into_iter().map(|(field, value)| (field.into_owned(), wrote(value.hash())));
        let record = Record { tenant: tenant.into(), made: true, fields: fields.collect(), ..Record::default() };
        inventory.records.extend(Record::decode(&record.encode()).map(|record| (item.id(), Arc::new(record))));
    }
}

fn edit(inventory: &mut Inventory, key: &str, change: impl FnOnce(&mut ConnectionSpec)) {
    if let Some(connection) = inventory.connections.get_mut(key) {
        change(&mut Arc::make_mut(connection).spec);
    }
}

/// xorshift64*: enough for names, and the same everywhere.
struct Random(u64);

impl Random {
    /// Starts a sequence of its own for every number.
    fn of(number: usize) -> Self {
        let mut random = Random((number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }
}
