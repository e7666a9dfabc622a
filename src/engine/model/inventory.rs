//! The input of the engine: every tenant as it was read, and the syncs between them.

pub use super::facts::{
    Capabilities, ConnectionFacts, Foreign, IntegrationFacts, OfferedSecret, Publishing, RecordIn, Status, Supply,
};
use super::field::Field;
use super::item::{Item, ObjectId};
use super::record::{Record, Writer};
use super::stages::{Gates, Underway};
use crate::api::*;
use crate::near_miss;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Objects of one kind, by name.
pub type Objects<S> = BTreeMap<String, Arc<Object<S>>>;

/// The input of a plan.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The tenants, by name.
    pub tenants: BTreeMap<String, TenantView>,
    /// The syncs, sorted by writer.
    pub syncs: Vec<Sync>,
    /// Syncs that wait for an approval and may not write now. They do not conflict with others.
    pub waiting: BTreeSet<Writer>,
    /// Writers that exist but are unreadable or invalid. What they declared before does not count as no longer
    /// declared, and nothing is removed from tenants that they may write to.
    pub stopped: BTreeMap<Writer, Targets>,
    /// Unreadable files outside all tenants: any of them may contain a Tenant or a TenantSync.
    pub unread: BTreeSet<String>,
    /// The syncs that name a nonexistent integration, each with its target and the name, if this world is a part of
    /// another one. If `None`, they are looked up in this world.
    pub misnamed: Option<Misnamed>,
    /// The releases of syncs with stages that an operator remembers, by sync; see [`World::stages_of`]. `None`: nobody
    /// does, so that a release begins with the plan, and what is live is the only receipt.
    pub underway: Option<BTreeMap<Writer, Underway>>,
    /// The syncs that wait for an earlier stage, if this world is a part of another one. If `None`, they are decided in
    /// this world.
    pub gates: Option<Gates>,
    /// The time of the plan; `None`: nothing is called expired. It decides findings only, and no action.
    pub now: Option<Timestamp>,
}

impl World {
    /// Returns the stages that hold for a sync, none if all of its targets are open: those of the release that an
    /// operator remembers, which are the ones when it began; else those of its spec.
    pub fn stages_of<'w>(&'w self, sync: &'w Sync) -> &'w [Stage] {
        let underway = self.underway.as_ref().and_then(|underway| underway.get(&sync.writer));
        underway.map_or(&sync.spec.stages, |underway| &underway.stages)
    }
}

/// Names of nonexistent integrations in syncs, by sync and target.
pub type Misnamed = BTreeMap<(Writer, String), String>;

/// The tenants that an invalid writer may write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// None here: another installation carries it out.
    None,
    /// Any tenant, since its targets are unreadable.
    Unknown,
    /// The tenants with these names.
    Named(BTreeSet<String>),
}

impl Targets {
    /// Whether it may write to a tenant.
    pub fn includes(&self, tenant: &str) -> bool {
        match self {
            Targets::None => false,
            Targets::Unknown => true,
            Targets::Named(tenants) => tenants.contains(tenant),
        }
    }
}

/// A tenant as it was read.
#[derive(Clone, Debug)]
pub struct TenantView {
    /// The secrets to send again, as `KEY` or `KEY/INPUT`.
    pub resend: BTreeSet<String>,
    /// The spec of the Tenant. For two Tenants it already has the stricter policy.
    pub spec: TenantSpec,
    /// The live state at the tenant's location.
    pub live: View,
    /// The state that the tenant's source declares; `None` without a source.
    pub source: Option<View>,
    /// The number of recent updates and deletes. They count toward the share that needs approval: the threshold is
    /// cumulative, so splitting a large change does not avoid approval.
    pub recent: usize,
    /// The number of objects before the recent changes, if objects were created since: the basis of the share.
    pub before: Option<usize>,
}

/// The result of reading a location or a source.
#[derive(Clone, Debug)]
pub enum View {
    /// The resources that were read.
    Read(Arc<Inventory>),
    /// It could not be read, for this reason.
    Unreachable(String),
}

impl View {
    /// The resources, if they could be read.
    pub fn inventory(&self) -> Option<&Arc<Inventory>> {
        match self {
            View::Read(inventory) => Some(inventory),
            View::Unreachable(_) => None,
        }
    }

    /// Why they could not be read.
    pub fn unreachable(&self) -> Option<&str> {
        match self {
            View::Read(_) => None,
            View::Unreachable(why) => Some(why),
        }
    }
}

/// A TenantSync, or an ad-hoc sync.
#[derive(Clone, Debug)]
pub struct Sync {
    /// The writer that stands for the sync.
    pub writer: Writer,
    /// The spec of the sync.
    pub spec: Arc<TenantSyncSpec>,
}

/// The fields of an object that others own, with the owners.
pub type Holders = BTreeMap<Field<'static>, Arc<str>>;

/// The readiness of a connection or an integration, as its location reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It is ready.
    Yes,
    /// It was ready before its last change, which is not evaluated yet.
    Was,
    /// It is not ready.
    No,
}

/// The resources of a tenant. A connection is found by the name that is derived from its stable key.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Components by name.
    pub components: Objects<ComponentSpec>,
    /// Connections by name.
    pub connections: Objects<ConnectionSpec>,
    /// Customer credentials by name.
    pub customer_credentials: Objects<CustomerCredentialsSpec>,
    /// Integrations by name.
    pub integrations: Objects<IntegrationSpec>,
    /// The uses of connection variables, by integration. Absent without a readable definition.
    pub uses: BTreeMap<String, Arc<Uses>>,
    /// The ownership records, by object; includes those of deleted objects.
    pub records: BTreeMap<ObjectId, Arc<Record>>,
    /// The other owners of fields, if the location knows them (a cluster does).
    pub holders: BTreeMap<ObjectId, Arc<Holders>>,
    /// Integrations whose file or ConfigMap of the definition was removed.
    pub definitions_gone: BTreeSet<String>,
    /// The readiness of connections, by name, if the location reports it; see [`Capabilities::knows_readiness`].
    pub readiness: BTreeMap<String, Ready>,
    /// The readiness of integrations, by name, if the location reports it; see
    /// [`Capabilities::reports_ready_integrations`].
    pub ready_integrations: BTreeMap<String, Ready>,
    /// What the location can do.
    pub can: Capabilities,
    /// Which secrets can be sent there.
    pub supply: Supply,
    /// Connections that are there and are not the tenant's own, by stable key.
    pub foreign: BTreeMap<String, Foreign>,
    /// Whether the location was not asked, so that it may have connections that are not here.
    pub is_not_asked: bool,
    /// What only the platform knows of connections, by name.
    pub facts: BTreeMap<String, Arc<ConnectionFacts>>,
    /// What only the platform knows of integrations, by name.
    pub integration_facts: BTreeMap<String, Arc<IntegrationFacts>>,
    /// The stable keys that embedded workflows use, by the workflow's name.
    pub workflows: BTreeMap<String, BTreeSet<String>>,
    /// Workflows that could not be read: each may use any connection.
    pub unread_workflows: BTreeSet<String>,
    /// Objects that cannot be used (invalid or duplicate), with the reason.
    pub invalid: BTreeMap<ObjectId, String>,
    /// Files that could not be parsed and may contain any object.
    pub unparsed: BTreeSet<String>,
    /// The text of unusable items that may refer to Secrets, by their description; `None` if the text is unknown.
    pub unread: BTreeMap<String, Option<Arc<str>>>,
    /// Objects that count but are not written, with the reason.
    pub read_only: BTreeMap<ObjectId, ReadOnly>,
}

/// The reason why an object is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadOnly {
    /// Its file does not belong to this tenant alone.
    Shared(String),
    /// Its file has a structure that needs a manual edit.
    Manual(String),
    /// It is written in code: only the platform's own tools publish it.
    CodeNative,
}

impl std::fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadOnly::Shared(why) | ReadOnly::Manual(why) => f.write_str(why),
            ReadOnly::CodeNative => f.write_str("it is written in code, and is only read here"),
        }
    }
}

impl Inventory {
    /// Whether another inventory is certainly the same: its objects are those of this one, not only equal ones.
    pub fn is_same_as(&self, other: &Inventory) -> bool {
        fn same<K: Ord, T: ?Sized>(a: &BTreeMap<K, Arc<T>>, b: &BTreeMap<K, Arc<T>>) -> bool {
            a.len() == b.len() && a.iter().zip(b).all(|((a, one), (b, other))| a == b && Arc::ptr_eq(one, other))
        }
        let Inventory {
            components,
            connections,
            customer_credentials,
            integrations,
            uses,
            records,
            holders,
            definitions_gone,
            readiness,
            ready_integrations,
            can,
            supply,
            foreign,
            is_not_asked,
            facts,
            integration_facts,
            workflows,
            unread_workflows,
            invalid,
            unparsed,
            unread,
            read_only,
        } = self;
        same(components, &other.components)
            && same(connections, &other.connections)
            && same(customer_credentials, &other.customer_credentials)
            && same(integrations, &other.integrations)
            && *uses == other.uses
            && *records == other.records
            && same(holders, &other.holders)
            && *definitions_gone == other.definitions_gone
            && *readiness == other.readiness
            && *ready_integrations == other.ready_integrations
            && *can == other.can
            && *supply == other.supply
            && *foreign == other.foreign
            && *is_not_asked == other.is_not_asked
            && same(facts, &other.facts)
            && same(integration_facts, &other.integration_facts)
            && *workflows == other.workflows
            && *unread_workflows == other.unread_workflows
            && *invalid == other.invalid
            && *unparsed == other.unparsed
            && *unread == other.unread
            && *read_only == other.read_only
    }

    /// The connection with exactly this stable key.
    pub fn connection(&self, key: &str) -> Option<&Arc<Object<ConnectionSpec>>> {
        // Most keys equal the name of their connection.
        let named = self.connections.get(key).or_else(|| self.connections.get(&names::of_stable_key(key)));
        named.filter(|c| c.spec.stable_key == key)
    }

    /// The spec of a component.
    pub fn component(&self, reference: &ComponentRef) -> Option<&ComponentSpec> {
        Some(&self.component_object(reference)?.spec)
    }

    pub fn component_object(&self, reference: &ComponentRef) -> Option<&Object<ComponentSpec>> {
        let key = &reference.key;
        let named = self.components.get(key).filter(|_| reference.is_public());
        let object = named.or_else(|| self.components.get(&names::of_component(key, reference.is_public())))?;
        (object.spec.key == reference.key).then_some(object.as_ref())
    }

    /// Whether the account may not change an object.
    pub fn is_locked(&self, id: &ObjectId) -> bool {
        id.kind == crate::api::Kind::Connection && self.facts.get(&id.name).is_some_and(|facts| facts.is_locked)
    }

    pub fn connection_type(&self, connection: &ConnectionSpec) -> Option<&ConnectionType> {
        self.component(&connection.component)?.connection_type(&connection.type_)
    }

    /// The possible types of a connection: its own type if it exists. If it does not exist, all types of its component;
    /// if the component does not exist, those of the one that was probably meant. So a wrong name does not disable a
    /// rule.
    pub fn types_of(&self, connection: &ConnectionSpec) -> impl Iterator<Item = &ConnectionType> {
        let known = self.component(&connection.component).map(|component| {
            component.connection_type(&connection.type_).map_or(component.types.as_slice(), std::slice::from_ref)
        });
        let key = &connection.component.key;
        let is_unknown = known.is_none() && !self.components.is_empty();
        let near = is_unknown.then(|| near_miss::meant(key, self.components.values().map(|c| c.spec.key.as_str())));
        let meant = move |c: &&Arc<Object<ComponentSpec>>| c.spec.key == *key || near == Some(Some(&c.spec.key));
        let others = is_unknown.then(|| self.components.values().filter(meant).flat_map(|c| &c.spec.types));
        known.unwrap_or_default().iter().chain(others.into_iter().flatten())
    }

    /// Whether a connection can be used: its definition is complete, and its location does not report that it is not
    /// ready.
    pub fn is_usable(&self, connection: &Object<ConnectionSpec>) -> bool {
        !self.is_unready(connection.name()) && missing_inputs(&connection.spec, self).is_empty()
    }

    /// Whether a connection can be used, or could before its last change: its bindings must keep working.
    pub fn was_usable(&self, connection: &Object<ConnectionSpec>) -> bool {
        let was =
            !self.can.knows_readiness || self.readiness.get(connection.name()).is_some_and(|ready| *ready != Ready::No);
        was && missing_inputs(&connection.spec, self).is_empty()
    }

    /// Whether the location reports that a connection is not ready, or does not report yet that it is.
    pub fn is_unready(&self, connection: &str) -> bool {
        self.can.knows_readiness && self.readiness.get(connection) != Some(&Ready::Yes)
    }

    /// Whether a sync created an object: it is then checked in its source.
    pub fn is_brought(&self, tenant: &str, id: &ObjectId) -> bool {
        let by_syncs = |record: &Record| record.fields.values().all(|wrote| wrote.writers.iter().all(Writer::is_sync));
        self.record(tenant, id).is_some_and(|record| record.made && by_syncs(record))
    }

    /// Whether an object exists.
    pub fn has(&self, id: &ObjectId) -> bool {
        match id.kind {
            Kind::Component => self.components.contains_key(&id.name),
            Kind::Connection => self.connections.contains_key(&id.name),
            Kind::CustomerCredentials => self.customer_credentials.contains_key(&id.name),
            Kind::Integration => self.integrations.contains_key(&id.name),
            Kind::Tenant | Kind::TenantSync => false,
        }
    }

    /// Returns one object.
    pub fn get(&self, id: &ObjectId) -> Option<Item> {
        match id.kind {
            Kind::Component => self.components.get(&id.name).cloned().map(Item::Component),
            Kind::Connection => self.connections.get(&id.name).cloned().map(Item::Connection),
            Kind::CustomerCredentials => {
                self.customer_credentials.get(&id.name).cloned().map(Item::CustomerCredentials)
            }
            Kind::Integration => {
                let object = self.integrations.get(&id.name)?.clone();
                Some(Item::Integration(object, self.uses.get(&id.name).cloned()))
            }
            Kind::Tenant | Kind::TenantSync => None,
        }
    }

    /// The number of customers with credentials; `None` where the location tells only how many each connection has.
    pub fn customers(&self) -> Option<usize> {
        if self.facts.values().any(|facts| facts.customers.is_some_and(|number| number > 0)) {
            return None;
        }
        let known = self.customer_credentials.values().map(|credentials| credentials.spec.customer.as_str());
        Some(known.collect::<BTreeSet<_>>().len())
    }

    /// The number of customers that the location tells for the connection with this name.
    pub fn told_customers(&self, connection: &str) -> usize {
        self.facts.get(connection).and_then(|facts| facts.customers).unwrap_or_default()
    }

    /// Inserts an object, or replaces one with the same kind and name.
    pub fn insert(&mut self, item: Item) {
        let name = item.metadata().name.clone();
        match item {
            Item::Component(o) => {
                self.components.insert(name, o);
            }
            Item::Connection(o) => {
                self.connections.insert(name, o);
            }
            Item::CustomerCredentials(o) => {
                self.customer_credentials.insert(name, o);
            }
            Item::Integration(o, uses) => {
                match uses {
                    Some(uses) => {
                        self.definitions_gone.remove(&name);
                        self.uses.insert(name.clone(), uses)
                    }
                    None => self.uses.remove(&name),
                };
                self.integrations.insert(name, o);
            }
        }
    }

    /// Removes an object.
    pub fn remove(&mut self, id: &ObjectId) {
        match id.kind {
            Kind::Component => drop(self.components.remove(&id.name)),
            Kind::Connection => {
                self.connections.remove(&id.name);
                self.readiness.remove(&id.name);
                self.facts.remove(&id.name);
            }
            Kind::CustomerCredentials => drop(self.customer_credentials.remove(&id.name)),
            Kind::Integration => {
                self.integrations.remove(&id.name);
                self.ready_integrations.remove(&id.name);
                self.definitions_gone.remove(&id.name);
                self.uses.remove(&id.name);
                self.integration_facts.remove(&id.name);
            }
            Kind::Tenant | Kind::TenantSync => {}
        }
    }

    /// All objects, sorted by kind and name.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        let components = self.components.values().cloned().map(Item::Component);
        let connections = self.connections.values().cloned().map(Item::Connection);
        let credentials = self.customer_credentials.values().cloned().map(Item::CustomerCredentials);
        let integrations =
            self.integrations.iter().map(|(name, o)| Item::Integration(o.clone(), self.uses.get(name).cloned()));
        components.chain(connections).chain(credentials).chain(integrations)
    }

    /// The number of objects.
    pub fn len(&self) -> usize {
        self.components.len() + self.connections.len() + self.customer_credentials.len() + self.integrations.len()
    }

    /// Whether there are no objects.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The other owner of a field; `None` also where the location does not know owners.
    pub fn holder(&self, id: &ObjectId, field: &Field<'_>) -> Option<String> {
        if !self.can.knows_field_owners {
            return None;
        }
        // A map with owned names can be read as one with borrowed names.
        let kept: &BTreeMap<Field<'_>, Arc<str>> = self.holders.get(id)?;
        kept.get(field).map(ToString::to_string)
    }

    /// The ownership record of an object, if it belongs to this tenant.
    pub fn record(&self, tenant: &str, id: &ObjectId) -> Option<&Arc<Record>> {
        self.records.get(id).filter(|record| record.tenant == tenant)
    }
}

/// Whether an input has a value; a blank value counts as none.
pub fn is_given(input: Option<&Input>) -> bool {
    match input {
        None => false,
        Some(Input::Value(value)) => !value.trim().is_empty(),
        Some(Input::SecretRef(_) | Input::PerCustomer(_)) => true,
    }
}

/// The required inputs that a connection lacks; none if its type is unknown.
pub fn missing_inputs<'a>(connection: &ConnectionSpec, inventory: &'a Inventory) -> Vec<&'a str> {
    let Some(type_) = inventory.connection_type(connection) else { return Vec::new() };
    let required =
        type_.inputs.iter().filter(|(name, input)| input.is_required() && !is_given(connection.inputs.get(*name)));
    required.map(|(name, _)| name.as_str()).collect()
}
