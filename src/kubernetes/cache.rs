//! A namespace kept in memory, as it is told of it: by lists, by watches, and by the answers to our own
//! writes. What comes late is known by its revision and passed over.

use super::budget::{Named, Weighs};
use super::config_maps::is_name_of_definition;
use super::list::MOST;
use super::object::{Live, Version, is_after};
use crate::api::*;
use crate::engine::model::inventory::{Holders, Inventory, Ready};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::record::Record;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What is told of the objects of one kind.
#[derive(Debug)]
pub enum Delta<T> {
    /// All that are there: what is not among them is gone.
    All(Vec<T>),
    /// One, as it is now.
    Set(T),
    /// All of them are told again from here on, each as it is now, until [`Delta::Only`]: what was known and what is told
    /// are both there meanwhile.
    Again,
    /// Those that are there as of a revision: what is not among them, and was not written since, is gone.
    Only {
        /// Their names.
        names: BTreeSet<String>,
        /// As of which revision.
        revision: String,
    },
    /// One is gone.
    Gone {
        /// Its name.
        name: String,
        /// As of which revision.
        revision: String,
    },
}

/// What is told of a namespace.
#[derive(Debug)]
pub enum NamespaceDelta {
    /// Of a kind that lies in tenants.
    Items(Kind, Box<Delta<Live<Item>>>),
    /// Of its Tenants.
    Tenants(Box<Delta<Live<Object<TenantSpec>>>>),
    /// Of the ConfigMaps with definitions.
    Definitions(Delta<CachedDefinition>),
}

/// A ConfigMap with a definition.
#[derive(Debug)]
pub struct CachedDefinition {
    /// The ConfigMap's name.
    pub name: String,
    /// What the definition says; `None` where it cannot be read.
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

/// What is in a namespace.
#[derive(Debug, Default)]
pub struct Contents {
    /// Its resources, with what we wrote and who else holds what.
    pub inventory: Arc<Inventory>,
    /// What a write must know.
    pub versions: Arc<BTreeMap<ObjectId, Version>>,
    /// The Tenants that are of this namespace itself: there should be one.
    pub own: Vec<Object<TenantSpec>>,
}

/// What has to be looked at again because of what was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// These objects; none where nothing of interest changed.
    Objects(BTreeSet<ObjectId>),
    /// Everything: what the namespace's own Tenant says changed.
    Everything,
}

/// A namespace, as far as it was told of.
#[derive(Debug, Default)]
pub struct Cache {
    inventory: Arc<Inventory>,
    versions: Arc<BTreeMap<ObjectId, Version>>,
    tenants: BTreeMap<String, (Object<TenantSpec>, Version)>,
    /// What they say; `None`: they are there, and cannot be read.
    definitions: BTreeMap<String, Option<Arc<Uses>>>,
    /// How many bytes are kept at most, and are, of what: a kind of ours, or else a definition.
    most_bytes: Option<usize>,
    bytes: usize,
    weights: HashMap<(Option<Kind>, String), usize>,
    /// What is being listed again: meanwhile what was known and what is told may both be kept.
    again: BTreeSet<Option<Kind>>,
    /// There is more than is kept: what is known is not all.
    is_over: bool,
}

/// What lies in tenants.
const KINDS: [Kind; 4] = [Kind::Component, Kind::Connection, Kind::CustomerCredentials, Kind::Integration];

impl Cache {
    /// Whether there is more in the namespace than is kept of any: then nothing of it can be relied on, until it is
    /// listed anew.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Keeps no more than so many bytes of a namespace.
    pub fn bounded(most_bytes: usize) -> Self {
        Cache { most_bytes: Some(most_bytes), ..Cache::default() }
    }

    /// Keeps no more than a namespace may have.
    fn bound(&mut self) {
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

    /// So much is kept of this now.
    fn weigh(&mut self, kind: Option<Kind>, name: &str, weight: Option<usize>) {
        let before = match weight {
            Some(weight) => self.weights.insert((kind, name.to_string()), weight),
            None => self.weights.remove(&(kind, name.to_string())),
        };
        self.bytes = self.bytes.saturating_sub(before.unwrap_or(0)) + weight.unwrap_or(0);
    }

    /// The resources.
    pub fn inventory(&self) -> &Arc<Inventory> {
        &self.inventory
    }

    /// What a write must know of each.
    pub fn versions(&self) -> &Arc<BTreeMap<ObjectId, Version>> {
        &self.versions
    }

    /// The Tenants that are of this namespace itself: there should be one.
    pub fn own(&self) -> Vec<Object<TenantSpec>> {
        let own = self.tenants.values().map(|(tenant, _)| tenant).filter(|tenant| tenant.spec.location.is_none());
        own.cloned().collect()
    }

    /// All of it.
    pub fn into_contents(self) -> Contents {
        Contents { own: self.own(), inventory: self.inventory, versions: self.versions }
    }

    /// Takes in what is told, and says what has to be looked at because of it.
    pub fn hear(&mut self, heard: NamespaceDelta) -> Due {
        if self.is_over {
            return Due::Objects(BTreeSet::new());
        }
        let due = self.take_in(heard);
        self.bound();
        let knows_readiness = !self.inventory.readiness.is_empty();
        let turned = self.inventory.knows_readiness != knows_readiness;
        if turned {
            Arc::make_mut(&mut self.inventory).knows_readiness = knows_readiness;
        }
        // The first that says whether it is ready says of all others that they do not.
        if self.is_over || turned { Due::Everything } else { due }
    }

    fn take_in(&mut self, heard: NamespaceDelta) -> Due {
        match heard {
            NamespaceDelta::Items(kind, news) => Due::Objects(self.hear_of_items(kind, *news)),
            NamespaceDelta::Tenants(news) => self.hear_of_tenants(*news),
            NamespaceDelta::Definitions(news) => Due::Objects(self.hear_of_definitions(news)),
        }
    }

    fn hear_of_items(&mut self, kind: Kind, news: Delta<Live<Item>>) -> BTreeSet<ObjectId> {
        match news {
            Delta::All(all) => {
                let gone = self.absent(kind, &all);
                let due = all.into_iter().filter_map(|live| self.set(kind, live)).collect::<Vec<_>>();
                due.into_iter().chain(gone.into_iter().filter_map(|id| self.drop(id))).collect()
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

    /// The objects of a kind that are known and not among these.
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
        self.weigh(Some(kind), &id.name, Some(weight as usize));
        let read = read.map(|item| self.with_uses(item));
        let turned = kind == Kind::Connection && read.is_ok() && self.turn(&id.name, ready);
        let changed = self.differs(&id, read.as_ref(), record.as_ref(), &others);
        Arc::make_mut(&mut self.versions).insert(id.clone(), version);
        if !changed {
            return turned.then_some(id);
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

    /// Takes in whether a connection is ready; whether that is news which something may wait for.
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

    /// Whether anything changed but what counts as bookkeeping: a status, a revision.
    fn differs(&self, id: &ObjectId, read: Result<&Item, &String>, record: Option<&Record>, others: &Holders) -> bool {
        let known = self.inventory.get(id);
        let same = match read {
            Ok(item) => known.is_some() && Item::same(known.as_ref(), Some(item)),
            Err(why) => self.inventory.invalid.get(id) == Some(why),
        };
        let held = self.inventory.holders.get(id).map(AsRef::as_ref);
        !same
            || self.inventory.records.get(id).map(AsRef::as_ref) != record
            || held.map_or(!others.is_empty(), |held| held != others)
    }

    fn drop(&mut self, id: ObjectId) -> Option<ObjectId> {
        Arc::make_mut(&mut self.versions).remove(&id)?;
        self.weigh(Some(id.kind), &id.name, None);
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

    fn hear_of_tenants(&mut self, news: Delta<Live<Object<TenantSpec>>>) -> Due {
        let before = self.own();
        match news {
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
        if before == self.own() { Due::Objects(BTreeSet::new()) } else { Due::Everything }
    }

    fn set_tenant(&mut self, live: Live<Object<TenantSpec>>) {
        let known = self.tenants.get(&live.name);
        if known.is_some_and(|(_, known)| known.is_after(&live.version)) {
            return;
        }
        match live.read {
            Ok(tenant) => {
                self.weigh(Some(Kind::Tenant), &live.name, Some(live.weight as usize));
                self.tenants.insert(live.name, (tenant, live.version));
            }
            Err(_) => self.drop_tenant(&live.name),
        }
    }

    fn drop_tenant(&mut self, name: &str) {
        self.weigh(Some(Kind::Tenant), name, None);
        self.tenants.remove(name);
    }

    fn hear_of_definitions(&mut self, news: Delta<CachedDefinition>) -> BTreeSet<ObjectId> {
        let mut changed = BTreeSet::new();
        match news {
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
        let due = users.iter().map(|user| ObjectId::new(Kind::Integration, user.name())).collect();
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
        due
    }

    fn undefine(&mut self, name: &str) -> bool {
        self.weigh(None, name, None);
        self.definitions.remove(name).is_some()
    }

    /// Takes in what a ConfigMap says; whether that is new.
    fn define(&mut self, name: &str, uses: Option<Arc<Uses>>) -> bool {
        self.weigh(None, name, Some(uses.as_ref().map_or(0, |uses| uses.weight())));
        let digest = |uses: &Option<Arc<Uses>>| uses.as_ref().map(|uses| uses.digest.clone());
        let is_new = self.definitions.get(name).is_none_or(|known| digest(known) != digest(&uses));
        if is_new {
            self.definitions.insert(name.to_string(), uses);
        }
        is_new
    }
}

/// Whether an integration names a ConfigMap of ours that is not there. One that people named is theirs to bring.
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
        let version = Version { uid: "u".into(), resource_version: revision.into(), held: Arc::default() };
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

    fn objects(ids: &[(Kind, &str)]) -> Due {
        Due::Objects(ids.iter().map(|(kind, name)| ObjectId::new(*kind, *name)).collect())
    }

    fn title(mirror: &Cache, name: &str) -> Option<String> {
        mirror.inventory().connections.get(name)?.spec.title.clone()
    }

    #[test]
    fn a_change_is_due_and_a_new_revision_alone_is_not() {
        let mut mirror = Cache::default();
        assert_eq!(mirror.hear(set(connection("a", "A", "10"))), objects(&[(Kind::Connection, "a")]));
        assert_eq!(mirror.hear(set(connection("a", "A", "11"))), objects(&[]));
        let id = ObjectId::new(Kind::Connection, "a");
        assert_eq!(mirror.versions()[&id].resource_version, "11");
        assert_eq!(mirror.hear(set(connection("a", "B", "12"))), objects(&[(Kind::Connection, "a")]));
    }

    #[test]
    fn what_comes_late_is_passed_over() {
        let mut mirror = Cache::default();
        mirror.hear(set(connection("a", "new", "100")));
        // 99 is before 100 as a number, and after it as a text.
        assert_eq!(mirror.hear(set(connection("a", "old", "99"))), objects(&[]));
        let gone = |revision: &str| Delta::Gone { name: "a".into(), revision: revision.into() };
        assert_eq!(mirror.hear(NamespaceDelta::Items(Kind::Connection, Box::new(gone("99")))), objects(&[]));
        assert_eq!(title(&mirror, "a").as_deref(), Some("new"));
        assert_eq!(
            mirror.hear(NamespaceDelta::Items(Kind::Connection, Box::new(gone("101")))),
            objects(&[(Kind::Connection, "a")])
        );
        assert_eq!(title(&mirror, "a"), None);
    }

    /// A collection that is told again object by object: what is not in it goes, whoever told of it, but for what was
    /// written since.
    #[test]
    fn what_is_listed_again_is_all_that_is_left() {
        let of = |delta| NamespaceDelta::Items(Kind::Connection, Box::new(delta));
        let only = |names: &[&str]| Delta::Only {
            names: names.iter().map(ToString::to_string).collect(),
            revision: "20".into(),
        };
        let mut mirror = Cache::default();
        for (name, revision) in [("a", "10"), ("b", "11"), ("ours", "21")] {
            mirror.hear(set(connection(name, "A", revision)));
        }
        assert_eq!(mirror.hear(of(Delta::Again)), objects(&[]));
        // It was told when the list was cut off, and is gone from the next.
        mirror.hear(set(connection("cut", "A", "15")));
        assert_eq!(mirror.hear(set(connection("a", "A", "10"))), objects(&[]));
        let gone = objects(&[(Kind::Connection, "b"), (Kind::Connection, "cut")]);
        assert_eq!(mirror.hear(of(only(&["a"]))), gone);
        assert_eq!(mirror.inventory().connections.keys().collect::<Vec<_>>(), ["a", "ours"]);
    }

    /// While it is told again what was known and what is told are both there; afterwards the bound is what it was.
    #[test]
    fn what_is_replaced_by_as_much_is_not_too_much() {
        let of = |delta| NamespaceDelta::Items(Kind::Connection, Box::new(delta));
        let heavy = |name: &str| Live { weight: 60, ..connection(name, "A", "10") };
        let only = |names: &[&str]| Delta::Only {
            names: names.iter().map(ToString::to_string).collect(),
            revision: "20".into(),
        };
        let mut mirror = Cache::bounded(100);
        mirror.hear(set(heavy("old")));
        mirror.hear(of(Delta::Again));
        mirror.hear(set(heavy("new")));
        assert!(!mirror.is_over());
        mirror.hear(of(only(&["new"])));
        assert!(!mirror.is_over() && title(&mirror, "new").is_some());
        mirror.hear(set(heavy("more")));
        assert!(mirror.is_over());
        // Never more than twice as much.
        let mut mirror = Cache::bounded(100);
        mirror.hear(of(Delta::Again));
        for name in ["a", "b", "c"] {
            mirror.hear(set(heavy(name)));
        }
        assert!(!mirror.is_over());
        mirror.hear(set(heavy("d")));
        assert!(mirror.is_over());
    }

    #[test]
    fn a_list_makes_due_what_differs_and_what_is_gone_from_it() {
        let mut mirror = Cache::default();
        let all = |all| NamespaceDelta::Items(Kind::Connection, Box::new(Delta::All(all)));
        mirror.hear(all(vec![connection("a", "A", "1"), connection("b", "B", "2"), connection("c", "C", "3")]));
        let due = mirror.hear(all(vec![connection("a", "A", "1"), connection("b", "other", "9")]));
        assert_eq!(due, objects(&[(Kind::Connection, "b"), (Kind::Connection, "c")]));
        assert_eq!(mirror.inventory().len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_invalid_until_it_can() {
        let mut mirror = Cache::default();
        mirror.hear(set(connection("a", "A", "1")));
        let broken = live("a", "2", Err("it cannot be read".into()));
        assert_eq!(mirror.hear(set(broken)), objects(&[(Kind::Connection, "a")]));
        assert!(mirror.inventory().connections.is_empty() && mirror.inventory().invalid.len() == 1);
        mirror.hear(set(connection("a", "A", "3")));
        assert!(mirror.inventory().connections.len() == 1 && mirror.inventory().invalid.is_empty());
    }

    #[test]
    fn an_integration_says_what_its_definition_says_whichever_comes_first() {
        let uses = |digest: &str| Some(Arc::new(Uses { digest: digest.into(), ..Uses::default() }));
        let defined = |name: &str, digest| Delta::Set(CachedDefinition { name: name.into(), uses: uses(digest) });
        let mut mirror = Cache::default();
        mirror.hear(NamespaceDelta::Definitions(defined("one", "1")));
        mirror.hear(NamespaceDelta::Items(Kind::Integration, Box::new(Delta::Set(integration("first", "one")))));
        mirror.hear(NamespaceDelta::Items(Kind::Integration, Box::new(Delta::Set(integration("second", "two")))));
        let digest = |mirror: &Cache, name: &str| mirror.inventory().uses.get(name).map(|uses| uses.digest.clone());
        assert_eq!(digest(&mirror, "first").as_deref(), Some("1"));
        assert_eq!(digest(&mirror, "second"), None);
        let due = mirror.hear(NamespaceDelta::Definitions(defined("two", "2")));
        assert_eq!(due, objects(&[(Kind::Integration, "second")]));
        assert_eq!(digest(&mirror, "second").as_deref(), Some("2"));
        let gone = Delta::Gone { name: "one".into(), revision: "9".into() };
        assert_eq!(mirror.hear(NamespaceDelta::Definitions(gone)), objects(&[(Kind::Integration, "first")]));
        assert_eq!(digest(&mirror, "first"), None);
    }

    #[test]
    fn the_own_tenant_decides_over_everything() {
        let mut mirror = Cache::default();
        let tenant = |accept: &[&str], revision: &str| {
            let spec: TenantSpec = serde_json::from_value(json!({"acceptFrom": accept})).unwrap();
            let version = Version { uid: "u".into(), resource_version: revision.into(), held: Arc::default() };
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
        assert_eq!(mirror.hear(tenant(&["us"], "1")), Due::Everything);
        assert_eq!(mirror.hear(tenant(&["us"], "2")), objects(&[]));
        assert_eq!(mirror.hear(tenant(&[], "3")), Due::Everything);
        assert_eq!(mirror.own().len(), 1);
    }
}
