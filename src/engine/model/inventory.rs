//! What the engine is given: every tenant as it was read, and the syncs between them.

use super::field::Field;
use super::item::{Item, ObjectId};
use super::record::{Record, Writer};
use crate::api::*;
use crate::near_miss;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Objects of one kind, by name.
pub type Objects<S> = BTreeMap<String, Arc<Object<S>>>;

/// Everything that a plan is made from.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// By name.
    pub tenants: BTreeMap<String, TenantView>,
    /// In the order of their writers.
    pub syncs: Vec<Sync>,
    /// Syncs that may not write now: they wait for an approval that was not given. They count against no other.
    pub waiting: BTreeSet<Writer>,
    /// Writers that are there and cannot be read, or do not hold: nothing that they declared stops, and where
    /// they may write nothing is removed.
    pub stopped: BTreeMap<Writer, Targets>,
    /// Files outside all tenants that cannot be read: any of them could hold a Tenant or a sync.
    pub unread: BTreeSet<String>,
    /// Where this is a part of another world: the syncs that name an integration which is nowhere there, each
    /// with its target and the name. Else that is looked up here.
    pub misnamed: Option<Misnamed>,
}

/// Names of integrations in syncs that are nowhere, by sync and target.
pub type Misnamed = BTreeMap<(Writer, String), String>;

/// The tenants that a writer which does not hold may write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// None here: it is for others to carry out.
    None,
    /// Any: what it says of that cannot be read.
    Unknown,
    /// These.
    Named(BTreeSet<String>),
}

impl Targets {
    /// Whether it may write in a tenant.
    pub fn includes(&self, tenant: &str) -> bool {
        match self {
            Targets::None => false,
            Targets::Unknown => true,
            Targets::Named(tenants) => tenants.contains(tenant),
        }
    }
}

/// One tenant as it was read.
#[derive(Clone, Debug)]
pub struct TenantView {
    /// What its Tenant says; of two, the stricter of both already.
    pub spec: TenantSpec,
    /// What is in its place.
    pub live: View,
    /// What its source declares; `None` where it has none.
    pub source: Option<View>,
    /// Updates and deletes that were carried out a short while ago: they count where a large share of a
    /// tenant needs approval, so that many small passes cannot do what one large one may not.
    pub recent: usize,
    /// How many objects there were before these, where more were made since: what a share is measured by.
    pub before: Option<usize>,
}

/// The result of reading a location or a source.
#[derive(Clone, Debug)]
pub enum View {
    /// It was read.
    Read(Arc<Inventory>),
    /// It could not be read, and why.
    Unreachable(String),
}

impl View {
    /// What was read.
    pub fn inventory(&self) -> Option<&Arc<Inventory>> {
        match self {
            View::Read(inventory) => Some(inventory),
            View::Unreachable(_) => None,
        }
    }
}

/// A sync, written down or not.
#[derive(Clone, Debug)]
pub struct Sync {
    /// As whom it writes.
    pub writer: Writer,
    /// What it says.
    pub spec: Arc<TenantSyncSpec>,
}

/// The fields of an object that others than we hold, and who.
pub type Holders = BTreeMap<Field<'static>, Arc<str>>;

/// Whether a location says that a connection can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It can.
    Yes,
    /// It could, before it changed last: whether it can now nobody has looked at yet.
    Was,
    /// It cannot.
    No,
}

/// A tenant's resources. A connection is found by its stable key through its name, which is made of it.
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
    /// What the definitions say, by integration. Missing where there is no definition or it cannot be read.
    pub uses: BTreeMap<String, Arc<Uses>>,
    /// What we wrote, by object: also of objects that are gone.
    pub records: BTreeMap<ObjectId, Arc<Record>>,
    /// Who else holds a field, where the location knows (a cluster does).
    pub holders: BTreeMap<ObjectId, Arc<Holders>>,
    /// Integrations whose definition was taken away from where they say that it is.
    pub definitions_gone: BTreeSet<String>,
    /// Whether a connection can be used there, by its name, where the location says so; see `knows_readiness`.
    pub readiness: BTreeMap<String, Ready>,
    /// Whether the location says of its connections whether they can be used: one of which it says nothing cannot yet.
    pub knows_readiness: bool,
    /// Objects that were named but cannot be used (invalid, or there twice), and why.
    pub invalid: BTreeMap<ObjectId, String>,
    /// Files that could hold anything.
    pub unparsed: BTreeSet<String>,
    /// The text of what cannot be used and may name Secrets, by what it is called; `None` where that is unknown too.
    pub unread: BTreeMap<String, Option<Arc<str>>>,
    /// Objects that are not written, though they count, and why.
    pub read_only: BTreeMap<ObjectId, ReadOnly>,
}

/// Why an object that counts is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadOnly {
    /// Its file is not the tenant's alone.
    Shared(String),
    /// It is written in a way that only a person should change.
    Manual(String),
}

impl std::fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadOnly::Shared(why) | ReadOnly::Manual(why) => f.write_str(why),
        }
    }
}

impl Inventory {
    /// The connection with exactly this stable key.
    pub fn connection(&self, key: &str) -> Option<&Arc<Object<ConnectionSpec>>> {
        // Most keys are their connection's name as they are.
        let named = self.connections.get(key).or_else(|| self.connections.get(&names::of_stable_key(key)));
        named.filter(|c| c.spec.stable_key == key)
    }

    /// What is known of a component.
    pub fn component(&self, reference: &ComponentRef) -> Option<&ComponentSpec> {
        Some(&self.component_object(reference)?.spec)
    }

    /// The resource of a component.
    pub fn component_object(&self, reference: &ComponentRef) -> Option<&Object<ComponentSpec>> {
        let key = &reference.key;
        let named = self.components.get(key).filter(|_| reference.is_public());
        let object = named.or_else(|| self.components.get(&names::of_component(key, reference.is_public())))?;
        (object.spec.key == reference.key).then_some(object.as_ref())
    }

    /// What is known of a connection's type.
    pub fn connection_type(&self, connection: &ConnectionSpec) -> Option<&ConnectionType> {
        self.component(&connection.component)?.connection_type(&connection.type_)
    }

    /// The types that a connection may be of: its own where that is known. Where its type names nothing, every
    /// type of its component, and where its component names nothing, of the one that was probably meant: a wrong
    /// name switches no rule off.
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

    /// Whether a connection works, as far as that is known: its definition is complete, and the location does not say that
    /// it cannot be used.
    pub fn is_usable(&self, connection: &Object<ConnectionSpec>) -> bool {
        !self.is_unready(connection.name()) && missing_inputs(&connection.spec, self).is_empty()
    }

    /// Whether it works, or did before it changed last: what is bound to it is to be kept working.
    pub fn was_usable(&self, connection: &Object<ConnectionSpec>) -> bool {
        let was =
            !self.knows_readiness || self.readiness.get(connection.name()).is_some_and(|ready| *ready != Ready::No);
        was && missing_inputs(&connection.spec, self).is_empty()
    }

    /// Whether the location says that a connection cannot be used, or does not say yet that it can.
    pub fn is_unready(&self, connection: &str) -> bool {
        self.knows_readiness && self.readiness.get(connection) != Some(&Ready::Yes)
    }

    /// Whether syncs made an object of a tenant: what a sync brings is checked at its source.
    pub fn is_brought(&self, tenant: &str, id: &ObjectId) -> bool {
        let by_syncs = |record: &Record| record.fields.values().all(|wrote| wrote.writers.iter().all(Writer::is_sync));
        self.record(tenant, id).is_some_and(|record| record.made && by_syncs(record))
    }

    /// Whether an object is there.
    pub fn has(&self, id: &ObjectId) -> bool {
        match id.kind {
            Kind::Component => self.components.contains_key(&id.name),
            Kind::Connection => self.connections.contains_key(&id.name),
            Kind::CustomerCredentials => self.customer_credentials.contains_key(&id.name),
            Kind::Integration => self.integrations.contains_key(&id.name),
            Kind::Tenant | Kind::TenantSync => false,
        }
    }

    /// One object.
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

    /// Puts an object in, over one of the same kind and name.
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

    /// Takes an object out.
    pub fn remove(&mut self, id: &ObjectId) {
        match id.kind {
            Kind::Component => drop(self.components.remove(&id.name)),
            Kind::Connection => {
                self.connections.remove(&id.name);
                self.readiness.remove(&id.name);
            }
            Kind::CustomerCredentials => drop(self.customer_credentials.remove(&id.name)),
            Kind::Integration => {
                self.integrations.remove(&id.name);
                self.definitions_gone.remove(&id.name);
                self.uses.remove(&id.name);
            }
            Kind::Tenant | Kind::TenantSync => {}
        }
    }

    /// Every object, by kind and name.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        let components = self.components.values().cloned().map(Item::Component);
        let connections = self.connections.values().cloned().map(Item::Connection);
        let credentials = self.customer_credentials.values().cloned().map(Item::CustomerCredentials);
        let integrations =
            self.integrations.iter().map(|(name, o)| Item::Integration(o.clone(), self.uses.get(name).cloned()));
        components.chain(connections).chain(credentials).chain(integrations)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.components.len() + self.connections.len() + self.customer_credentials.len() + self.integrations.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who else holds a field.
    pub fn holder(&self, id: &ObjectId, field: &Field<'_>) -> Option<String> {
        // A map of owned names is one of borrowed names too.
        let kept: &BTreeMap<Field<'_>, Arc<str>> = self.holders.get(id)?;
        kept.get(field).map(ToString::to_string)
    }

    /// The record of an object, where it is one of this tenant.
    pub fn record(&self, tenant: &str, id: &ObjectId) -> Option<&Arc<Record>> {
        self.records.get(id).filter(|record| record.tenant == tenant)
    }
}

/// Whether an input has a value: one that is blank has none.
pub fn is_given(input: Option<&Input>) -> bool {
    match input {
        None => false,
        Some(Input::Value(value)) => !value.trim().is_empty(),
        Some(Input::SecretRef(_) | Input::PerCustomer(_)) => true,
    }
}

/// The inputs that a connection's type requires and that it lacks; none where the type is not known.
pub fn missing_inputs<'a>(connection: &ConnectionSpec, inventory: &'a Inventory) -> Vec<&'a str> {
    let Some(type_) = inventory.connection_type(connection) else { return Vec::new() };
    let required =
        type_.inputs.iter().filter(|(name, input)| input.is_required() && !is_given(connection.inputs.get(*name)));
    required.map(|(name, _)| name.as_str()).collect()
}
