//! The senders of keys of Secrets, and their hosts: the connections and customer credentials of a tenant, before and
//! after a change.

use super::draft::{Draft, SecretKey};
use crate::api::*;
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::redirect::{Inputs, Strictest, goes_to, inputs_of, overlaid, with_test};
use crate::engine::resolve::{Asker, Replacements, Resolution, resolve_credentials, resolve_key};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// What decides which inputs of a tenant are endpoints and secrets: the types of connections in it before and after a
/// change and in its sources, and its ownership records.
#[derive(Clone, Copy)]
pub(super) struct KnownTypes<'d> {
    pub tenant: &'d str,
    pub before: &'d Inventory,
    pub after: &'d Inventory,
    upstream: Option<&'d BTreeMap<String, Arc<Inventory>>>,
}

impl<'d> KnownTypes<'d> {
    /// Those of a tenant that is planned.
    pub(super) fn of(draft: &'d Draft<'_>) -> Self {
        let input = draft.input;
        KnownTypes { upstream: Some(&input.upstream), ..KnownTypes::between(input.tenant, input.live, &draft.after) }
    }

    /// Those of a tenant before and after a change that has no other source.
    pub(super) fn between(tenant: &'d str, before: &'d Inventory, after: &'d Inventory) -> Self {
        KnownTypes { tenant, before, after, upstream: None }
    }

    /// All possible types of a connection, and the endpoints that are recorded for it and for those that it replaces.
    pub(super) fn strictest(self, spec: &ConnectionSpec) -> Strictest<'d> {
        let upstream = self.upstream.into_iter().flat_map(BTreeMap::values).map(Arc::as_ref);
        let known = upstream.chain([self.before, self.after]);
        let mut types: Vec<&ConnectionType> = known.flat_map(|inventory| inventory.types_of(spec)).collect();
        types.dedup_by(|a, b| std::ptr::eq(*a, *b));
        let keys = std::iter::once(&spec.stable_key).chain(&spec.replaces);
        Strictest::of(types).remembering(keys.filter_map(|key| self.remembered(key)))
    }

    /// The inputs that a type once declared as endpoints, from the ownership record of a connection.
    fn remembered(self, key: &str) -> Option<&'d BTreeSet<String>> {
        let id = ObjectId::new(Kind::Connection, names::of_stable_key(key));
        self.before.record(self.tenant, &id).map(|record| &record.endpoints)
    }
}

/// All possible types of a connection in a tenant that is planned.
pub(super) fn strictest<'d>(draft: &'d Draft<'_>, spec: &ConnectionSpec) -> Strictest<'d> {
    KnownTypes::of(draft).strictest(spec)
}

/// The keys of Secrets that an object refers to.
pub(super) fn named_by(item: Option<&Item>) -> BTreeSet<SecretKey> {
    let keys = item.and_then(Sender::of_item).into_iter().flat_map(Sender::keys);
    keys.map(|(secret, key)| (secret.to_string(), key.to_string())).collect()
}

/// An object whose inputs are sent together.
#[derive(Clone, Copy)]
pub(super) enum Sender<'d> {
    Connection(&'d Object<ConnectionSpec>),
    Credentials(&'d Object<CustomerCredentialsSpec>),
}

impl<'d> Sender<'d> {
    pub(super) fn of_item(item: &'d Item) -> Option<Self> {
        match item {
            Item::Connection(c) => Some(Sender::Connection(c)),
            Item::CustomerCredentials(c) => Some(Sender::Credentials(c)),
            Item::Component(_) | Item::Integration(..) => None,
        }
    }

    pub(super) fn id(self) -> ObjectId {
        match self {
            Sender::Connection(c) => ObjectId::new(Kind::Connection, c.name()),
            Sender::Credentials(c) => ObjectId::new(Kind::CustomerCredentials, c.name()),
        }
    }

    fn is(self, other: Sender<'_>) -> bool {
        match (self, other) {
            (Sender::Connection(a), Sender::Connection(b)) => a.name() == b.name(),
            (Sender::Credentials(a), Sender::Credentials(b)) => a.name() == b.name(),
            _ => false,
        }
    }

    /// An input, or a test input.
    pub(super) fn input(self, field: &Field<'_>) -> Option<&'d Input> {
        let name = field.name.as_ref();
        match (self, field.kind) {
            (Sender::Connection(c), FieldKind::Input) => c.spec.inputs.get(name),
            (Sender::Connection(c), FieldKind::TestInput) => c.spec.test.as_ref()?.inputs.get(name),
            (Sender::Credentials(c), FieldKind::Input) => c.spec.inputs.get(name),
            _ => None,
        }
    }

    /// The inputs that refer to keys of Secrets, in production and in tests.
    pub(super) fn secret_inputs(self) -> impl Iterator<Item = &'d Input> {
        let (inputs, test) = match self {
            Sender::Connection(c) => (&c.spec.inputs, c.spec.test.as_ref()),
            Sender::Credentials(c) => (&c.spec.inputs, None),
        };
        let test = test.into_iter().flat_map(|test| test.inputs.values());
        inputs.values().chain(test).filter(|input| matches!(input, Input::SecretRef(_)))
    }

    /// The keys of Secrets that it refers to, in production and in tests.
    pub(super) fn keys(self) -> impl Iterator<Item = (&'d str, &'d str)> {
        self.secret_inputs().filter_map(|input| match input {
            Input::SecretRef(secret) => Some((secret.name.as_str(), secret.key.as_str())),
            Input::Value(_) | Input::PerCustomer(_) => None,
        })
    }
}

/// A tenant before or after a change.
pub(super) struct Side<'d> {
    types: KnownTypes<'d>,
    inventory: &'d Inventory,
    /// The objects that refer to a key of a Secret that joins another object.
    naming: HashMap<(&'d str, &'d str), Vec<Sender<'d>>>,
    /// The hosts of each key, computed on demand.
    sent: RefCell<HashMap<SecretKey, Rc<Sent>>>,
    /// The recorded endpoints of the objects that refer to each key, computed on demand.
    remembered: RefCell<HashMap<SecretKey, Rc<BTreeSet<&'d BTreeSet<String>>>>>,
    /// The hosts that the customers of a stable key supply, computed on demand.
    given: RefCell<HashMap<&'d str, Rc<BTreeSet<String>>>>,
    /// What stands for older keys, if anything does.
    replacements: OnceCell<Option<Replacements>>,
    /// Customer credentials, by their stable key.
    customers: OnceCell<HashMap<&'d str, Vec<&'d Object<CustomerCredentialsSpec>>>>,
}

/// The hosts to which the objects of a side send a key of a Secret.
#[derive(Default)]
pub(super) struct Sent {
    members: HashMap<ObjectId, BTreeSet<String>>,
    /// The first two objects by name: one of them differs from any given object.
    first_two: Vec<ObjectId>,
    /// The number of objects that send the key to each host.
    hosts: HashMap<String, usize>,
}

impl Sent {
    /// The first other object that refers to the key.
    pub(super) fn other(&self, own: &ObjectId) -> Option<&ObjectId> {
        self.first_two.iter().find(|id| *id != own)
    }

    /// Whether another object sends the key to a host.
    pub(super) fn goes(&self, own: &ObjectId, host: &str) -> bool {
        let mine = self.members.get(own).is_some_and(|mine| mine.contains(host));
        self.hosts.get(host).is_some_and(|count| *count > usize::from(mine))
    }

    /// The hosts that other objects send the key to.
    pub(super) fn hosts<'s>(&'s self, own: &'s ObjectId) -> impl Iterator<Item = &'s String> {
        self.hosts.keys().filter(|host| self.goes(own, host))
    }
}

impl<'d> Side<'d> {
    pub(super) fn of(types: KnownTypes<'d>, inventory: &'d Inventory, joining: &BTreeSet<(&str, &str)>) -> Self {
        let mut naming: HashMap<_, Vec<Sender<'d>>> = HashMap::new();
        // In most plans no secret joins an object, and the index is not needed.
        if !joining.is_empty() {
            let connections = inventory.connections.values().map(|c| Sender::Connection(c));
            let credentials = inventory.customer_credentials.values().map(|c| Sender::Credentials(c));
            for sender in connections.chain(credentials) {
                for key in sender.keys().filter(|key| joining.contains(key)) {
                    naming.entry(key).or_default().push(sender);
                }
            }
        }
        Side {
            types,
            inventory,
            naming,
            sent: RefCell::default(),
            remembered: RefCell::default(),
            given: RefCell::default(),
            replacements: OnceCell::new(),
            customers: OnceCell::new(),
        }
    }

    /// The connection that a stable key resolves to for the tenant's own people.
    pub(super) fn connection(&self, key: &str) -> Option<&'d Object<ConnectionSpec>> {
        match self.replacements() {
            Some(replacements) => self.found(&resolve_key(key, self.inventory, replacements, Asker::default())),
            None => self.named(key),
        }
    }

    /// The connection that customer credentials are for.
    pub(super) fn connection_of(
        &self,
        credentials: &Object<CustomerCredentialsSpec>,
    ) -> Option<&'d Object<ConnectionSpec>> {
        match self.replacements() {
            Some(replacements) => {
                self.found(&resolve_credentials(self.types.tenant, credentials, self.inventory, replacements))
            }
            None => self.named(&credentials.spec.connection),
        }
    }

    /// What stands for older keys; `None` if nothing does, as in most tenants.
    fn replacements(&self) -> Option<&Replacements> {
        let replacements = self.replacements.get_or_init(|| {
            let is_any = self.inventory.connections.values().any(|c| !c.spec.replaces.is_empty());
            is_any.then(|| Replacements::of(self.types.tenant, self.inventory))
        });
        replacements.as_ref()
    }

    fn found(&self, resolution: &Resolution) -> Option<&'d Object<ConnectionSpec>> {
        self.inventory.connections.get(resolution.connection()?.name()).map(Arc::as_ref)
    }

    /// The connection with exactly this stable key.
    pub(super) fn named(&self, key: &str) -> Option<&'d Object<ConnectionSpec>> {
        self.inventory.connection(key).map(Arc::as_ref)
    }

    /// The customer credentials for exactly this key.
    pub(super) fn customers(&self, key: &str) -> &[&'d Object<CustomerCredentialsSpec>] {
        let all = self.customers.get_or_init(|| {
            let mut by_key: HashMap<&str, Vec<_>> = HashMap::new();
            for credentials in self.inventory.customer_credentials.values() {
                by_key.entry(credentials.spec.connection.as_str()).or_default().push(credentials.as_ref());
            }
            by_key
        });
        all.get(key).map_or(&[], Vec::as_slice)
    }

    /// The inputs that an object sends in production.
    pub(super) fn inputs(&self, sender: Sender<'d>) -> Inputs<'d> {
        match sender {
            Sender::Connection(c) => inputs_of(&c.spec),
            Sender::Credentials(c) => {
                let connection = self.connection_of(c).map(|c| inputs_of(&c.spec));
                overlaid(connection.unwrap_or_default(), &c.spec.inputs)
            }
        }
    }

    /// Whether another object refers to a key.
    pub(super) fn is_named_by_others(&self, key: (&str, &str), own: Sender<'_>) -> bool {
        let naming: &HashMap<(&str, &str), Vec<Sender<'d>>> = &self.naming;
        naming.get(&key).is_some_and(|naming| naming.iter().any(|sender| !sender.is(own)))
    }

    /// The recorded endpoints of the objects that refer to a key.
    pub(super) fn remembered_by_naming(&self, key: (&str, &str)) -> Rc<BTreeSet<&'d BTreeSet<String>>> {
        let naming: &HashMap<(&str, &str), Vec<Sender<'d>>> = &self.naming;
        let Some(naming) = naming.get(&key) else { return Rc::default() };
        let key = (key.0.to_string(), key.1.to_string());
        if let Some(remembered) = self.remembered.borrow().get(&key) {
            return Rc::clone(remembered);
        }
        let specs = naming.iter().filter_map(|sender| self.spec_of(*sender));
        let remembered = specs.filter_map(|spec| self.types.remembered(&spec.stable_key));
        let remembered = Rc::new(remembered.filter(|names| !names.is_empty()).collect::<BTreeSet<_>>());
        self.remembered.borrow_mut().insert(key, Rc::clone(&remembered));
        remembered
    }

    /// The hosts to which the objects of this side send a key.
    pub(super) fn sent(&self, key: (&str, &str)) -> Rc<Sent> {
        let naming: &HashMap<(&str, &str), Vec<Sender<'d>>> = &self.naming;
        let Some(naming) = naming.get(&key) else { return Rc::default() };
        let key = (key.0.to_string(), key.1.to_string());
        if let Some(sent) = self.sent.borrow().get(&key) {
            return Rc::clone(sent);
        }
        let mut sent = Sent::default();
        for sender in naming {
            let hosts = self.hosts_of(*sender);
            hosts.iter().for_each(|host| *sent.hosts.entry(host.clone()).or_default() += 1);
            sent.members.insert(sender.id(), hosts);
        }
        let mut ids: Vec<&ObjectId> = sent.members.keys().collect();
        ids.sort_unstable();
        sent.first_two = ids.into_iter().take(2).cloned().collect();
        let sent = Rc::new(sent);
        self.sent.borrow_mut().insert(key, Rc::clone(&sent));
        sent
    }

    /// The hosts that all customers of a key supply.
    pub(super) fn given(&self, key: &'d str) -> Rc<BTreeSet<String>> {
        if let Some(given) = self.given.borrow().get(key) {
            return Rc::clone(given);
        }
        let customers = self.customers(key).iter().flat_map(|c| self.hosts_of(Sender::Credentials(c)));
        let given: Rc<BTreeSet<String>> = Rc::new(customers.collect());
        self.given.borrow_mut().insert(key, Rc::clone(&given));
        given
    }

    /// The connection whose type describes an object's inputs.
    pub(super) fn spec_of(&self, sender: Sender<'d>) -> Option<&'d ConnectionSpec> {
        match sender {
            Sender::Connection(c) => Some(&c.spec),
            Sender::Credentials(c) => self.connection_of(c).map(|c| &c.spec),
        }
    }

    /// The hosts that an object sends its secrets to, in production and in tests.
    pub(super) fn hosts_of(&self, sender: Sender<'d>) -> BTreeSet<String> {
        let Some(spec) = self.spec_of(sender) else { return Strictest::default().hosts(&self.inputs(sender)) };
        let types = self.types.strictest(spec);
        let mut hosts = goes_to(&types, &self.inputs(sender), &spec.component);
        if let (Sender::Connection(c), Some(_)) = (sender, &spec.test) {
            hosts.extend(goes_to(&types, &with_test(&c.spec), &spec.component));
        }
        hosts
    }
}
