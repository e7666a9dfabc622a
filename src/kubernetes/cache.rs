//! The cache of a namespace, updated by lists, by watches, and by the answers to own writes. Events that arrive late
//! are recognized by their resource version, and ignored.

use super::budget::{Named, Weighs};
use super::config_maps::is_name_of_definition;
use super::list::MOST;
use super::object::{Live, Version, is_after};
use crate::api::*;
use crate::engine::model::inventory::{Capabilities, Holders, Inventory, Ready};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::record::Record;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A change of the objects of one kind.
#[derive(Debug)]
pub enum Delta<T> {
    /// All objects: those that are missing are gone.
    All(Vec<T>),
    /// The current state of one object.
    Set(T),
    /// A relist begins: all objects follow one by one until [`Delta::Only`]. Meanwhile the old and the new objects are
    /// both cached.
    Again,
    /// A relist ends: objects that are not in it, and were not written since its resource version, are gone.
    Only {
        /// The names of the objects in the list.
        names: BTreeSet<String>,
        /// The resource version of the list.
        revision: String,
    },
    /// One object was deleted.
    Gone {
        name: String,
        /// The resource version of the deletion.
        revision: String,
    },
}

/// A change in a namespace.
#[derive(Debug)]
pub enum NamespaceDelta {
    /// Of a kind that tenants contain.
    Items(Kind, Box<Delta<Live<Item>>>),
    /// Of the namespace's Tenants.
    Tenants(Box<Delta<Live<Object<TenantSpec>>>>),
    /// Of the ConfigMaps with definitions.
    Definitions(Delta<CachedDefinition>),
}

/// A ConfigMap with a definition.
#[derive(Debug)]
pub struct CachedDefinition {
    /// The ConfigMap's name.
    pub name: String,
    /// The connections that the definition uses; `None` if it cannot be read.
    pub uses: Option<Arc<Uses>>,
}

impl Weighs for CachedDefinition {
    fn weight(&self) -> usize {
        self.name.len() + self.uses.as_ref().map_or(0, |uses| uses.weight())
    }
}

impl Named for CachedDefinition {
    fn name(&self) -> &str {
        &self.name
    }
}

/// The objects of a namespace.
#[derive(Debug, Default)]
pub struct Contents {
    /// The resources, with their ownership records and the field owners.
    pub inventory: Arc<Inventory>,
    /// The uid and resource version of each object.
    pub versions: Arc<BTreeMap<ObjectId, Version>>,
    /// The Tenants whose location is this namespace: there should be one.
    pub own: Vec<Object<TenantSpec>>,
}

/// The objects that must be reconciled after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedObjects {
    /// These objects; none if nothing relevant changed.
    Objects(BTreeSet<ObjectId>),
    /// Everything: the namespace's own Tenant changed.
    Everything,
}

/// The cached objects of one namespace.
#[derive(Debug)]
pub struct Cache {
    inventory: Arc<Inventory>,
    versions: Arc<BTreeMap<ObjectId, Version>>,
    tenants: BTreeMap<String, (Object<TenantSpec>, Version)>,
    /// The uses of each definition; `None` if it exists and cannot be read.
    definitions: BTreeMap<String, Option<Arc<Uses>>>,
    /// The limit, and the size of the cached objects, in total and each. A definition has no kind.
    most_bytes: Option<usize>,
    bytes: usize,
    weights: HashMap<(Option<Kind>, String), usize>,
    /// The kinds that are being relisted: their old and new objects may both be cached.
    again: BTreeSet<Option<Kind>>,
    /// The namespace exceeds the limit: nothing is cached.
    is_over: bool,
    /// The readiness of an integration changed since the last question.
    has_turned: bool,
}

/// The kinds that tenants contain.
const KINDS: [Kind; 4] = [Kind::Component, Kind::Connection, Kind::CustomerCredentials, Kind::Integration];

impl Default for Cache {
    fn default() -> Self {
        // Nothing reports readiness until something there has a Ready condition.
        let can = Capabilities { knows_readiness: false, ..Capabilities::CLUSTER };
        Cache {
            inventory: Arc::new(Inventory { can, ..Inventory::default() }),
            versions: Arc::default(),
            tenants: BTreeMap::new(),
            definitions: BTreeMap::new(),
            most_bytes: None,
            bytes: 0,
            weights: HashMap::new(),
            again: BTreeSet::new(),
            is_over: false,
            has_turned: false,
        }
    }
}

impl Cache {
    /// Whether the namespace exceeds a limit. Nothing of it can be used until it is listed again.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Creates a cache that is limited to this many bytes.
    pub fn bounded(most_bytes: usize) -> Self {
        Cache { most_bytes: Some(most_bytes), ..Cache::default() }
    }

    /// Whether the readiness of an integration changed since the last call. No object has to be reconciled for that; a
    /// later stage of a sync may wait for it.
    pub fn take_turned(&mut self) -> bool {
        std::mem::take(&mut self.has_turned)
    }

    /// Empties the cache if the namespace exceeds a limit.
    fn enforce_limits(&mut self) {
        let of_kind = |kind| self.weights.keys().filter(|(of, _)| *of == kind).count();
        let times = if self.again.is_empty() { 1 } else { 2 };
        let most = MOST * times;
        let has_many = self.weights.len() > most && KINDS.iter().any(|kind| of_kind(Some(*kind)) > most);
        let is_over = self.most_bytes.is_some_and(|most| self.bytes > most * times)
            || has_many
            || self.definitions.len() > MOST * times
            || self.tenants.len() > MOST * times;
        if is_over {
            *self = Cache { is_over, most_bytes: self.most_bytes, ..Cache::default() };
        }
    }

    /// Updates the size of one object.
    fn set_weight(&mut self, kind: Option<Kind>, name: &str, weight: Option<usize>) {
        let before = match weight {
            Some(weight) => self.weights.insert((kind, name.to_string()), weight),
            None => self.weights.remove(&(kind, name.to_string())),
        };
        self.bytes = self.bytes.saturating_sub(before.unwrap_or(0)) + weight.unwrap_or(0);
    }

    /// Returns the resources.
    pub fn inventory(&self) -> &Arc<Inventory> {
        &self.inventory
    }

    /// Returns the uid and resource version of each object.
    pub fn versions(&self) -> &Arc<BTreeMap<ObjectId, Version>> {
        &self.versions
    }

    /// Returns the Tenants whose location is this namespace: there should be one.
    pub fn own(&self) -> Vec<Object<TenantSpec>> {
        let own = self.tenants.values().map(|(tenant, _)| tenant).filter(|tenant| tenant.spec.location.is_none());
        own.cloned().collect()
    }

    /// Returns all objects.
    pub fn into_contents(self) -> Contents {
        Contents { own: self.own(), inventory: self.inventory, versions: self.versions }
    }

    /// Applies a change, and returns the objects that must be reconciled because of it.
    pub fn apply(&mut self, delta: NamespaceDelta) -> ChangedObjects {
        if self.is_over {
            return ChangedObjects::Objects(BTreeSet::new());
        }
        let changed = self.apply_delta(delta);
        self.enforce_limits();
        let knows_readiness = !self.inventory.readiness.is_empty();
        let is_changed = self.inventory.can.knows_readiness != knows_readiness;
        if is_changed {
            Arc::make_mut(&mut self.inventory).can.knows_readiness = knows_readiness;
        }
        // The first object with a Ready condition changes the meaning of all objects without one.
        if self.is_over || is_changed { ChangedObjects::Everything } else { changed }
    }

    fn apply_delta(&mut self, delta: NamespaceDelta) -> ChangedObjects {
        match delta {
            NamespaceDelta::Items(kind, delta) => ChangedObjects::Objects(self.apply_items(kind, *delta)),
            NamespaceDelta::Tenants(delta) => self.apply_tenants(*delta),
            NamespaceDelta::Definitions(delta) => ChangedObjects::Objects(self.apply_definitions(delta)),
        }
    }

    fn apply_items(&mut self, kind: Kind, delta: Delta<Live<Item>>) -> BTreeSet<ObjectId> {
        match delta {
            Delta::All(all) => {
                let gone = self.absent(kind, &all);
                let changed = all.into_iter().filter_map(|live| self.set(kind, live)).collect::<Vec<_>>();
                changed.into_iter().chain(gone.into_iter().filter_map(|id| self.drop(id))).collect()
            }
            Delta::Set(live) => self.set(kind, live).into_iter().collect(),
            Delta::Again => {
                self.again.insert(Some(kind));
                BTreeSet::new()
            }
            Delta::Only { names, revision } => {
                self.again.remove(&Some(kind));
                let is_gone = |(id, known): &(&ObjectId, &Version)| {
                    id.kind == kind && !names.contains(&id.name) && !is_after(&known.resource_version, &revision)
                };
                let gone: Vec<ObjectId> = self.versions.iter().filter(is_gone).map(|(id, _)| id.clone()).collect();
                gone.into_iter().filter_map(|id| self.drop(id)).collect()
            }
            Delta::Gone { name, revision } => {
                let id = ObjectId::new(kind, name);
                let late = self.versions.get(&id).is_some_and(|known| is_after(&known.resource_version, &revision));
                if late { BTreeSet::new() } else { self.drop(id).into_iter().collect() }
            }
        }
    }

    /// Returns the cached objects of a kind that are not among these.
    fn absent(&self, kind: Kind, all: &[Live<Item>]) -> Vec<ObjectId> {
        let there: BTreeSet<&str> = all.iter().map(|live| live.name.as_str()).collect();
        let known = self.versions.keys().filter(|id| id.kind == kind && !there.contains(id.name.as_str()));
        known.cloned().collect()
    }

    fn set(&mut self, kind: Kind, live: Live<Item>) -> Option<ObjectId> {
        let Live { read, name, version, record, others, ready, weight, .. } = live;
        let id = ObjectId::new(kind, name);
        if self.versions.get(&id).is_some_and(|known| known.is_after(&version)) {
            return None;
        }
        self.set_weight(Some(kind), &id.name, Some(weight as usize));
        let read = read.map(|item| self.with_uses(item));
        let is_changed = kind == Kind::Connection && read.is_ok() && self.turn(&id.name, ready);
        if kind == Kind::Integration && read.is_ok() {
            self.turn_integration(&id.name, ready);
        }
        let changed = self.differs(&id, read.as_ref(), record.as_ref(), &others);
        Arc::make_mut(&mut self.versions).insert(id.clone(), version);
        if !changed {
            return is_changed.then_some(id);
        }
        let inventory = Arc::make_mut(&mut self.inventory);
        match read {
            Ok(item) => {
                let is_gone = is_gone(&self.definitions, &item);
                inventory.invalid.remove(&id);
                inventory.insert(item);
                if is_gone {
                    inventory.definitions_gone.insert(id.name.clone());
                }
            }
            Err(why) => {
                inventory.remove(&id);
                inventory.invalid.insert(id.clone(), why);
            }
        }
        match record {
            Some(record) => drop(inventory.records.insert(id.clone(), Arc::new(record))),
            None => drop(inventory.records.remove(&id)),
        }
        match others.is_empty() {
            false => drop(inventory.holders.insert(id.clone(), others)),
            true => drop(inventory.holders.remove(&id)),
        }
        Some(id)
    }

    /// Updates the readiness of a connection; returns whether it changed in a way that others may wait for.
    fn turn(&mut self, connection: &str, ready: Option<Ready>) -> bool {
        if self.inventory.readiness.get(connection).copied() == ready {
            return false;
        }
        let inventory = Arc::make_mut(&mut self.inventory);
        match ready {
            Some(ready) => drop(inventory.readiness.insert(connection.to_string(), ready)),
            None => drop(inventory.readiness.remove(connection)),
        }
        true
    }

    /// Updates the readiness of an integration.
    fn turn_integration(&mut self, integration: &str, ready: Option<Ready>) {
        if self.inventory.ready_integrations.get(integration).copied() == ready {
            return;
        }
        self.has_turned = true;
        let ready_integrations = &mut Arc::make_mut(&mut self.inventory).ready_integrations;
        match ready {
            Some(ready) => drop(ready_integrations.insert(integration.to_string(), ready)),
            None => drop(ready_integrations.remove(integration)),
        }
    }

    /// Whether anything changed besides status and resource version.
    fn differs(&self, id: &ObjectId, read: Result<&Item, &String>, record: Option<&Record>, others: &Holders) -> bool {
        let known = self.inventory.get(id);
        let same = match read {
            Ok(item) => known.is_some() && Item::same(known.as_ref(), Some(item)),
            Err(why) => self.inventory.invalid.get(id) == Some(why),
        };
        let owned = self.inventory.holders.get(id).map(AsRef::as_ref);
        !same
            || self.inventory.records.get(id).map(AsRef::as_ref) != record
            || owned.map_or(!others.is_empty(), |owned| owned != others)
    }

    fn drop(&mut self, id: ObjectId) -> Option<ObjectId> {
        Arc::make_mut(&mut self.versions).remove(&id)?;
        self.set_weight(Some(id.kind), &id.name, None);
        let inventory = Arc::make_mut(&mut self.inventory);
        inventory.remove(&id);
        inventory.invalid.remove(&id);
        inventory.records.remove(&id);
        inventory.holders.remove(&id);
        Some(id)
    }

    fn with_uses(&self, item: Item) -> Item {
        match item {
            Item::Integration(object, _) => {
                let uses = config_map(&object.spec).and_then(|name| self.definitions.get(name)).cloned();
                Item::Integration(object, uses.flatten())
            }
            other => other,
        }
    }

    fn apply_tenants(&mut self, delta: Delta<Live<Object<TenantSpec>>>) -> ChangedObjects {
        let before = self.own();
        match delta {
            Delta::All(all) => {
                let known: Vec<String> = self.tenants.keys().cloned().collect();
                known.iter().for_each(|name| self.drop_tenant(name));
                all.into_iter().for_each(|live| self.set_tenant(live));
            }
            Delta::Set(live) => self.set_tenant(live),
            Delta::Again => drop(self.again.insert(Some(Kind::Tenant))),
            Delta::Only { names, revision } => {
                self.again.remove(&Some(Kind::Tenant));
                let gone = |(name, (_, known)): (&String, &(Object<TenantSpec>, Version))| {
                    let is_gone = !names.contains(name) && !is_after(&known.resource_version, &revision);
                    is_gone.then(|| name.clone())
                };
                let gone: Vec<String> = self.tenants.iter().filter_map(gone).collect();
                gone.iter().for_each(|name| self.drop_tenant(name));
            }
            Delta::Gone { name, revision } => {
                let known = self.tenants.get(&name);
                if !known.is_some_and(|(_, known)| is_after(&known.resource_version, &revision)) {
                    self.drop_tenant(&name);
                }
            }
        }
        if before == self.own() { ChangedObjects::Objects(BTreeSet::new()) } else { ChangedObjects::Everything }
    }

    fn set_tenant(&mut self, live: Live<Object<TenantSpec>>) {
        let known = self.tenants.get(&live.name);
        if known.is_some_and(|(_, known)| known.is_after(&live.version)) {
            return;
        }
        match live.read {
            Ok(tenant) => {
                self.set_weight(Some(Kind::Tenant), &live.name, Some(live.weight as usize));
                self.tenants.insert(live.name, (tenant, live.version));
            }
            Err(_) => self.drop_tenant(&live.name),
        }
    }

    fn drop_tenant(&mut self, name: &str) {
        self.set_weight(Some(Kind::Tenant), name, None);
        self.tenants.remove(name);
    }

    fn apply_definitions(&mut self, delta: Delta<CachedDefinition>) -> BTreeSet<ObjectId> {
        let mut changed = BTreeSet::new();
        match delta {
            Delta::All(all) => {
                let there: BTreeSet<&str> = all.iter().map(|defined| defined.name.as_str()).collect();
                let known = self.definitions.keys().filter(|name| !there.contains(name.as_str()));
                let gone: Vec<String> = known.cloned().collect();
                let gone = gone.into_iter().filter(|name| self.undefine(name)).collect::<Vec<_>>();
                changed.extend(gone);
                changed.extend(all.into_iter().filter_map(|d| self.define(&d.name, d.uses).then_some(d.name)));
            }
            Delta::Set(defined) => {
                changed.extend(self.define(&defined.name, defined.uses).then_some(defined.name));
            }
            Delta::Again => drop(self.again.insert(None)),
            Delta::Only { names, .. } => {
                self.again.remove(&None);
                let gone: Vec<String> =
                    self.definitions.keys().filter(|name| !names.contains(*name)).cloned().collect();
                changed.extend(gone.into_iter().filter(|name| self.undefine(name)));
            }
            Delta::Gone { name, .. } => changed.extend(self.undefine(&name).then_some(name)),
        }
        if changed.is_empty() {
            return BTreeSet::new();
        }
        let uses_one = |i: &&Arc<Object<IntegrationSpec>>| config_map(&i.spec).is_some_and(|map| changed.contains(map));
        let users: Vec<Arc<Object<IntegrationSpec>>> =
            self.inventory.integrations.values().filter(uses_one).cloned().collect();
        let changed = users.iter().map(|user| ObjectId::new(Kind::Integration, user.name())).collect();
        for user in users {
            let item = self.with_uses(Item::Integration(user, None));
            let (is_gone, name) = (is_gone(&self.definitions, &item), item.metadata().name.clone());
            let inventory = Arc::make_mut(&mut self.inventory);
            inventory.insert(item);
            match is_gone {
                true => {
                    inventory.definitions_gone.insert(name);
                }
                false => {
                    inventory.definitions_gone.remove(&name);
                }
            }
        }
        changed
    }

    fn undefine(&mut self, name: &str) -> bool {
        self.set_weight(None, name, None);
        self.definitions.remove(name).is_some()
    }

    /// Updates the definition of a ConfigMap; returns whether it changed.
    fn define(&mut self, name: &str, uses: Option<Arc<Uses>>) -> bool {
        self.set_weight(None, name, Some(uses.as_ref().map_or(0, |uses| uses.weight())));
        let digest = |uses: &Option<Arc<Uses>>| uses.as_ref().map(|uses| uses.digest.clone());
        let is_new = self.definitions.get(name).is_none_or(|known| digest(known) != digest(&uses));
        if is_new {
            self.definitions.insert(name.to_string(), uses);
        }
        is_new
    }
}

/// Whether an integration names a ConfigMap of Stablekey that does not exist. People bring the ConfigMaps that they
/// name.
fn is_gone(definitions: &BTreeMap<String, Option<Arc<Uses>>>, item: &Item) -> bool {
    match item {
        Item::Integration(object, _) => config_map(&object.spec)
            .is_some_and(|name| !definitions.contains_key(name) && is_name_of_definition(name, object.name())),
        _ => false,
    }
}

fn config_map(spec: &IntegrationSpec) -> Option<&str> {
    match &spec.definition {
        Some(Definition::ConfigMap(reference)) => Some(&reference.name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn connection(name: &str, title: &str, revision: &str) -> Live<Item> {
        let spec = json!({
            "stableKey": name, "component": {"key": "http"}, "type": "basic", "credentials": "OrganizationGlobal",
            "title": title,
        });
        let object = Object::new(name, serde_json::from_value(spec).unwrap());
        live(name, revision, Ok(Item::Connection(Arc::new(object))))
    }

    fn live(name: &str, revision: &str, read: Result<Item, String>) -> Live<Item> {
        let version = Version { uid: "u".into(), resource_version: revision.into(), owned: Arc::default() };
        Live {
            read,
            name: name.into(),
            version,
            record: None,
            others: Arc::default(),
            ready: None,
            generation: 1,
            status: None,
            weight: 1,
        }
    }

    fn integration(name: &str, config_map: &str) -> Live<Item> {
        let spec = json!({"definition": {"configMap": {"name": config_map}}});
        let object = Object::new(name, serde_json::from_value(spec).unwrap());
        live(name, "5", Ok(Item::Integration(Arc::new(object), None)))
    }

    fn set(live: Live<Item>) -> NamespaceDelta {
        NamespaceDelta::Items(Kind::Connection, Box::new(Delta::Set(live)))
    }

    fn objects(ids: &[(Kind, &str)]) -> ChangedObjects {
        ChangedObjects::Objects(ids.iter().map(|(kind, name)| ObjectId::new(*kind, *name)).collect())
    }

    fn title(cache: &Cache, name: &str) -> Option<String> {
        cache.inventory().connections.get(name)?.spec.title.clone()
    }

    #[test]
    fn a_change_is_reported_and_a_new_revision_alone_is_not() {
        let mut cache = Cache::default();
        assert_eq!(cache.apply(set(connection("a", "A", "10"))), objects(&[(Kind::Connection, "a")]));
        assert_eq!(cache.apply(set(connection("a", "A", "11"))), objects(&[]));
        let id = ObjectId::new(Kind::Connection, "a");
        assert_eq!(cache.versions()[&id].resource_version, "11");
        assert_eq!(cache.apply(set(connection("a", "B", "12"))), objects(&[(Kind::Connection, "a")]));
    }

    #[test]
    fn late_events_are_ignored() {
        let mut cache = Cache::default();
        cache.apply(set(connection("a", "new", "100")));
        // 99 is less than 100 as a number, and greater as a string.
        assert_eq!(cache.apply(set(connection("a", "old", "99"))), objects(&[]));
        let gone = |revision: &str| Delta::Gone { name: "a".into(), revision: revision.into() };
        assert_eq!(cache.apply(NamespaceDelta::Items(Kind::Connection, Box::new(gone("99")))), objects(&[]));
        assert_eq!(title(&cache, "a").as_deref(), Some("new"));
        assert_eq!(
            cache.apply(NamespaceDelta::Items(Kind::Connection, Box::new(gone("101")))),
            objects(&[(Kind::Connection, "a")])
        );
        assert_eq!(title(&cache, "a"), None);
    }

    /// A relist removes every object that it does not contain and that was not written since.
    #[test]
    fn a_relist_removes_missing_objects() {
        let of = |delta| NamespaceDelta::Items(Kind::Connection, Box::new(delta));
        let only = |names: &[&str]| Delta::Only {
            names: names.iter().map(ToString::to_string).collect(),
            revision: "20".into(),
        };
        let mut cache = Cache::default();
        for (name, revision) in [("a", "10"), ("b", "11"), ("ours", "21")] {
            cache.apply(set(connection(name, "A", revision)));
        }
        assert_eq!(cache.apply(of(Delta::Again)), objects(&[]));
        // It was delivered before the list restarted, and is not in the restarted list.
        cache.apply(set(connection("cut", "A", "15")));
        assert_eq!(cache.apply(set(connection("a", "A", "10"))), objects(&[]));
        let gone = objects(&[(Kind::Connection, "b"), (Kind::Connection, "cut")]);
        assert_eq!(cache.apply(of(only(&["a"]))), gone);
        assert_eq!(cache.inventory().connections.keys().collect::<Vec<_>>(), ["a", "ours"]);
    }

    /// During a relist the old and the new objects may both be cached; afterwards the limit is as before.
    #[test]
    fn a_relist_may_double_the_size() {
        let of = |delta| NamespaceDelta::Items(Kind::Connection, Box::new(delta));
        let heavy = |name: &str| Live { weight: 60, ..connection(name, "A", "10") };
        let only = |names: &[&str]| Delta::Only {
            names: names.iter().map(ToString::to_string).collect(),
            revision: "20".into(),
        };
        let mut cache = Cache::bounded(100);
        cache.apply(set(heavy("old")));
        cache.apply(of(Delta::Again));
        cache.apply(set(heavy("new")));
        assert!(!cache.is_over());
        cache.apply(of(only(&["new"])));
        assert!(!cache.is_over() && title(&cache, "new").is_some());
        cache.apply(set(heavy("more")));
        assert!(cache.is_over());
        // Never more than twice the limit.
        let mut cache = Cache::bounded(100);
        cache.apply(of(Delta::Again));
        for name in ["a", "b", "c"] {
            cache.apply(set(heavy(name)));
        }
        assert!(!cache.is_over());
        cache.apply(set(heavy("d")));
        assert!(cache.is_over());
    }

    #[test]
    fn a_list_reports_changed_and_removed_objects() {
        let mut cache = Cache::default();
        let all = |all| NamespaceDelta::Items(Kind::Connection, Box::new(Delta::All(all)));
        cache.apply(all(vec![connection("a", "A", "1"), connection("b", "B", "2"), connection("c", "C", "3")]));
        let changed = cache.apply(all(vec![connection("a", "A", "1"), connection("b", "other", "9")]));
        assert_eq!(changed, objects(&[(Kind::Connection, "b"), (Kind::Connection, "c")]));
        assert_eq!(cache.inventory().len(), 2);
    }

    #[test]
    fn an_unreadable_object_is_invalid_until_fixed() {
        let mut cache = Cache::default();
        cache.apply(set(connection("a", "A", "1")));
        let broken = live("a", "2", Err("it cannot be read".into()));
        assert_eq!(cache.apply(set(broken)), objects(&[(Kind::Connection, "a")]));
        assert!(cache.inventory().connections.is_empty() && cache.inventory().invalid.len() == 1);
        cache.apply(set(connection("a", "A", "3")));
        assert!(cache.inventory().connections.len() == 1 && cache.inventory().invalid.is_empty());
    }

    #[test]
    fn an_integration_has_its_definitions_uses_in_either_order() {
        let uses = |digest: &str| Some(Arc::new(Uses { digest: digest.into(), ..Uses::default() }));
        let defined = |name: &str, digest| Delta::Set(CachedDefinition { name: name.into(), uses: uses(digest) });
        let mut cache = Cache::default();
        cache.apply(NamespaceDelta::Definitions(defined("one", "1")));
        cache.apply(NamespaceDelta::Items(Kind::Integration, Box::new(Delta::Set(integration("first", "one")))));
        cache.apply(NamespaceDelta::Items(Kind::Integration, Box::new(Delta::Set(integration("second", "two")))));
        let digest = |cache: &Cache, name: &str| cache.inventory().uses.get(name).map(|uses| uses.digest.clone());
        assert_eq!(digest(&cache, "first").as_deref(), Some("1"));
        assert_eq!(digest(&cache, "second"), None);
        let changed = cache.apply(NamespaceDelta::Definitions(defined("two", "2")));
        assert_eq!(changed, objects(&[(Kind::Integration, "second")]));
        assert_eq!(digest(&cache, "second").as_deref(), Some("2"));
        let gone = Delta::Gone { name: "one".into(), revision: "9".into() };
        assert_eq!(cache.apply(NamespaceDelta::Definitions(gone)), objects(&[(Kind::Integration, "first")]));
        assert_eq!(digest(&cache, "first"), None);
    }

    #[test]
    fn a_change_of_the_own_tenant_affects_everything() {
        let mut cache = Cache::default();
        let tenant = |accept: &[&str], revision: &str| {
            let spec: TenantSpec = serde_json::from_value(json!({"acceptFrom": accept})).unwrap();
            let version = Version { uid: "u".into(), resource_version: revision.into(), owned: Arc::default() };
            NamespaceDelta::Tenants(Box::new(Delta::Set(Live {
                read: Ok(Object::new("eu", spec)),
                name: "eu".into(),
                version,
                record: None,
                others: Arc::default(),
                ready: None,
                generation: 1,
                status: None,
                weight: 1,
            })))
        };
        assert_eq!(cache.apply(tenant(&["us"], "1")), ChangedObjects::Everything);
        assert_eq!(cache.apply(tenant(&["us"], "2")), objects(&[]));
        assert_eq!(cache.apply(tenant(&[], "3")), ChangedObjects::Everything);
        assert_eq!(cache.own().len(), 1);
    }
}
