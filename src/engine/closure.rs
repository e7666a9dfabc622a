//! The closure of a change: a key and the integrations that use it, planned by the same functions on a smaller world,
//! with the same actions as in the whole plan.

use super::model::canonical::FieldHash;
use super::model::code::{Code, Severity};
use super::model::field::FieldValue;
use super::model::finding::Finding;
use super::model::inventory::{Inventory, Misnamed, Sync, TenantView, View, World};
use super::model::item::{Item, ObjectId};
use super::model::plan::{ActionKind, Plan, Scope};
use super::plan::{add_waiting_objects, concerned_keys, digests, gates, has_stages, plan_uncounted};
use super::syncs;
use crate::api::*;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Below this number of objects, copying all takes no measurable time.
const MANY: usize = 1_000;

/// An index of the users of each stable key over all tenants, built once to find a closure quickly. Keys are stored as
/// the names of their connections: keys with the same name belong to the same object.
#[derive(Debug, Default)]
pub struct Index {
    integrations: HashMap<String, BTreeSet<String>>,
    keys: HashMap<String, BTreeSet<String>>,
    /// Keys that are linked by `replaces`, in both directions.
    aliases: HashMap<String, BTreeSet<String>>,
    credentials: HashMap<String, BTreeSet<String>>,
    /// Connections that refer to a key of a Secret, themselves or by their customers, by name and key of the Secret.
    secrets: HashMap<(String, String), BTreeSet<String>>,
    /// Connections that referred to a key of a Secret in the past, themselves or by their customers, by the hash in
    /// ownership records.
    left: HashMap<FieldHash, BTreeSet<String>>,
    /// The objects that overrides name. Whether each override matches is decided on these, for any change, where their
    /// source was read.
    overridden: Seeds,
    /// The number of steps that a fact can travel: longer chains of syncs need more.
    rounds: usize,
}

/// The objects that changed.
#[derive(Clone, Debug, Default)]
pub struct Seeds {
    /// Stable keys of connections.
    pub keys: BTreeSet<String>,
    /// Names of integrations.
    pub integrations: BTreeSet<String>,
}

impl Index {
    /// Indexes a world.
    pub fn of(world: &World) -> Self {
        let targets: BTreeSet<&String> = world.syncs.iter().flat_map(|sync| sync.spec.targets()).collect();
        let mut index = Index { rounds: 2 + 2 * targets.len(), ..Index::default() };
        for view in world.tenants.values() {
            for inventory in [Some(&view.live), view.source.as_ref()].into_iter().flatten().filter_map(View::inventory)
            {
                index.add(inventory);
            }
        }
        for o in world.syncs.iter().flat_map(|s| &s.spec.overrides) {
            if let (Some(integration), Some(key)) = (&o.integration, &o.stable_key) {
                index.uses(integration, key);
            }
            index.overridden.integrations.extend(o.integration.clone());
            index.overridden.keys.extend(o.stable_key.as_ref().map(|key| names::of_stable_key(key)));
            match o.object.as_deref().and_then(ObjectId::parse) {
                Some(ObjectId { kind: Kind::Integration, name }) => drop(index.overridden.integrations.insert(name)),
                Some(ObjectId { kind: Kind::Connection, name }) => drop(index.overridden.keys.insert(name)),
                _ => {}
            }
        }
        index
    }

    fn add(&mut self, inventory: &Inventory) {
        inventory.integrations.iter().for_each(|(name, integration)| self.add_integration(name, &integration.spec));
        inventory.connections.values().for_each(|connection| self.add_connection(connection));
        inventory.customer_credentials.iter().for_each(|(name, c)| self.add_credentials(name, &c.spec));
        for (id, record) in &inventory.records {
            for key in record.sent.keys() {
                let connection = match id.kind {
                    Kind::CustomerCredentials => {
                        inventory.customer_credentials.get(&id.name).map(|c| &c.spec.connection)
                    }
                    _ => Some(&id.name),
                };
                if let Some(connection) = connection {
                    self.left.entry(*key).or_default().insert(names::of_stable_key(connection));
                }
            }
        }
    }

    /// Adds the current state of one object. Its previous state remains: a closure that is too large has the same
    /// actions.
    pub fn take(&mut self, item: &Item) {
        match item {
            Item::Component(_) => {}
            Item::Connection(connection) => self.add_connection(connection),
            Item::CustomerCredentials(credentials) => self.add_credentials(credentials.name(), &credentials.spec),
            Item::Integration(integration, _) => self.add_integration(integration.name(), &integration.spec),
        }
    }

    fn add_integration(&mut self, name: &str, spec: &IntegrationSpec) {
        for key in spec.connections.iter().filter_map(Variable::stable_key) {
            self.uses(name, key);
        }
    }

    fn add_connection(&mut self, connection: &Object<ConnectionSpec>) {
        let test = connection.spec.test.iter().flat_map(|test| test.inputs.values());
        self.sends(connection.spec.inputs.values().chain(test), connection.name());
        for older in &connection.spec.replaces {
            let (older, newer) = (names::of_stable_key(older), connection.name().to_string());
            self.aliases.entry(older.clone()).or_default().insert(newer.clone());
            self.aliases.entry(newer).or_default().insert(older);
        }
    }

    fn add_credentials(&mut self, name: &str, spec: &CustomerCredentialsSpec) {
        let connection = names::of_stable_key(&spec.connection);
        self.sends(spec.inputs.values(), &connection);
        self.credentials.entry(connection).or_default().insert(name.to_string());
    }

    fn sends<'i>(&mut self, inputs: impl Iterator<Item = &'i Input>, connection: &str) {
        for input in inputs {
            if let Input::SecretRef(secret) = input {
                let of_key = self.secrets.entry((secret.name.clone(), secret.key.clone())).or_default();
                if !of_key.contains(connection) {
                    of_key.insert(connection.to_string());
                }
            }
        }
    }

    /// The connections that refer to one of these keys of Secrets.
    fn sharers(&self, keys: &BTreeSet<(String, String)>) -> BTreeSet<String> {
        let left = keys.iter().filter(|_| !self.left.is_empty());
        let left = left.filter_map(|(name, key)| self.left.get(&FieldValue::Input(&Input::secret(name, key)).hash()));
        let named = keys.iter().filter_map(|key| self.secrets.get(key));
        self.with_aliases(named.chain(left).flatten().cloned().collect())
    }

    fn uses(&mut self, integration: &str, key: &str) {
        let key = names::of_stable_key(key);
        for (map, from, to) in
            [(&mut self.integrations, key.as_str(), integration), (&mut self.keys, integration, key.as_str())]
        {
            match map.get_mut(from) {
                Some(set) => drop(set.insert(to.to_string())),
                None => drop(map.insert(from.to_string(), BTreeSet::from([to.to_string()]))),
            }
        }
    }

    fn with_aliases(&self, keys: BTreeSet<String>) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut next: Vec<String> = keys.into_iter().collect();
        while let Some(key) = next.pop() {
            if all.insert(key.clone()) {
                next.extend(self.aliases.get(&key).into_iter().flatten().cloned());
            }
        }
        all
    }

    fn keys_of<'a>(&'a self, integrations: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
        self.with_aliases(integrations.into_iter().filter_map(|i| self.keys.get(i)).flatten().cloned().collect())
    }

    fn integrations_of<'a>(&'a self, keys: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
        keys.into_iter().filter_map(|k| self.integrations.get(k)).flatten().cloned().collect()
    }

    /// The connections with these keys, the objects that belong to them in any tenant, and these integrations.
    fn objects(&self, world: &World, keys: &BTreeSet<String>, integrations: BTreeSet<String>) -> BTreeSet<ObjectId> {
        let views = world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]);
        let inventories: Vec<_> = views.flatten().filter_map(View::inventory).collect();
        // All components: the suggestion for a wrong name needs all other names.
        let components: BTreeSet<String> = inventories.iter().flat_map(|i| i.components.keys().cloned()).collect();
        let credentials = keys.iter().filter_map(|key| self.credentials.get(key)).flatten().cloned();
        let of = |kind: Kind| move |name: String| ObjectId { kind, name };
        (components.into_iter().map(of(Kind::Component)))
            .chain(keys.iter().cloned().map(of(Kind::Connection)))
            .chain(credentials.map(of(Kind::CustomerCredentials)))
            .chain(integrations.into_iter().map(of(Kind::Integration)))
            .collect()
    }
}

impl Seeds {
    /// Adds an object that changed. Returns whether a closure can be planned of it: of a component it is everything that
    /// uses it.
    pub fn add(&mut self, id: &ObjectId, inventories: &[&Inventory]) -> bool {
        match id.kind {
            Kind::Connection => drop(self.keys.insert(id.name.clone())),
            Kind::Integration => drop(self.integrations.insert(id.name.clone())),
            Kind::CustomerCredentials => {
                let known = inventories.iter().filter_map(|inventory| inventory.customer_credentials.get(&id.name));
                self.keys.extend(known.map(|known| names::of_stable_key(&known.spec.connection)));
            }
            Kind::Component | Kind::Tenant | Kind::TenantSync => return false,
        }
        true
    }

    /// The number of seeds.
    pub fn len(&self) -> usize {
        self.keys.len() + self.integrations.len()
    }

    /// Whether there are no seeds.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.integrations.is_empty()
    }

    /// Removes and returns at most `most` seeds, those of one closure together: a closure of which only a few seeds are
    /// taken has to be planned again for each of the others.
    pub fn take(&mut self, most: usize, index: &Index) -> Seeds {
        if self.len() <= most {
            return std::mem::take(self);
        }
        let mut taken = Seeds::default();
        let mut next: VecDeque<ObjectId> = VecDeque::new();
        let mut queued: HashSet<ObjectId> = HashSet::new();
        while taken.len() < most {
            let Some(seed) = next.pop_front().or_else(|| self.first()) else { break };
            let (mine, set) = match seed.kind {
                Kind::Integration => (&mut self.integrations, &mut taken.integrations),
                _ => (&mut self.keys, &mut taken.keys),
            };
            if !mine.remove(&seed.name) {
                continue;
            }
            set.insert(seed.name.clone());
            let integrations = match seed.kind {
                Kind::Integration => BTreeSet::from([seed.name]),
                _ => index.integrations_of([&seed.name]),
            };
            let of = |kind: Kind| move |name: &String| ObjectId::new(kind, name);
            let keys = integrations.iter().filter_map(|i| index.keys.get(i)).flatten();
            let keys = keys.filter(|key| self.keys.contains(*key)).map(of(Kind::Connection));
            let changed = integrations.iter().filter(|name| self.integrations.contains(*name));
            // As many as fit: the users of a key may be many.
            let room = most.saturating_sub(taken.len() + next.len());
            let new = keys.chain(changed.map(of(Kind::Integration))).filter(|id| queued.insert(id.clone()));
            next.extend(new.take(room));
        }
        taken
    }

    fn first(&self) -> Option<ObjectId> {
        let key = self.keys.first().map(|name| ObjectId::new(Kind::Connection, name));
        key.or_else(|| self.integrations.first().map(|name| ObjectId::new(Kind::Integration, name)))
    }
}

/// The objects that a closure plans: those that changed, and their users.
#[derive(Clone, Debug)]
pub struct Core {
    keys: BTreeSet<String>,
    integrations: BTreeSet<String>,
    credentials: BTreeSet<String>,
}

impl Core {
    /// A key with the integrations that use it, or an integration with the connections that it uses.
    pub fn of(index: &Index, seeds: &Seeds) -> Self {
        let mut keys = index.with_aliases(seeds.keys.iter().map(|key| names::of_stable_key(key)).collect());
        let mut integrations = index.integrations_of(&keys);
        integrations.extend(seeds.integrations.iter().cloned());
        keys.extend(index.keys_of(&seeds.integrations));
        let credentials = keys.iter().filter_map(|k| index.credentials.get(k)).flatten().cloned().collect();
        Core { keys, integrations, credentials }
    }

    /// Adds keys and their users.
    fn with(&self, keys: BTreeSet<String>, index: &Index) -> Self {
        let mut larger = self.clone();
        larger.integrations.extend(index.integrations_of(&keys));
        larger.credentials.extend(keys.iter().filter_map(|k| index.credentials.get(k)).flatten().cloned());
        larger.keys.extend(keys);
        larger
    }

    /// Whether the closure plans this object.
    pub fn contains(&self, id: &ObjectId) -> bool {
        match id.kind {
            Kind::Connection => self.keys.contains(&id.name),
            Kind::Integration => self.integrations.contains(&id.name),
            Kind::CustomerCredentials => self.credentials.contains(&id.name),
            Kind::Component | Kind::Tenant | Kind::TenantSync => false,
        }
    }
}

/// A part of a world that was planned again after a change.
#[derive(Debug)]
pub struct PlannedPart {
    /// The objects that were planned.
    pub core: Core,
    /// The objects that were planned, and those that their plan depends on.
    pub world: World,
    pub plan: Plan,
}

impl PlannedPart {
    /// Plans the closure of `seeds` in a world, after a change since the plan `before`. `None` where the whole world is
    /// planned as fast, or more changed than the closure: another error of an override stops a sync or lets it continue.
    pub fn of(world: &World, index: &Index, seeds: &Seeds, before: &Plan) -> Option<Self> {
        // Which stages are open is decided on the whole.
        if has_stages(world) {
            return None;
        }
        // Any user of a key can make it missing, so all users of the closure's keys belong to the part.
        let keys = Core::of(index, seeds).keys;
        let seeds = Seeds { keys, integrations: seeds.integrations.clone() };
        let core = Core::of(index, &seeds);
        let wanted = around(&core, index, world)?;
        let plan_again = |world: &World| plan_with_overrides(world, index, &seeds, &before.scope);
        let mut plan = plan_again(world);
        if errors_of_overrides(&plan) != errors_of_overrides(before) {
            return None;
        }
        add_waiting_objects(world, plan_again, &mut plan);
        Some(PlannedPart { world: part_of(world, &wanted, None, false), core, plan })
    }

    /// The plan of the whole world: that of before the change, with this part instead of what it was. Of the
    /// marks of whole targets only "too many" is kept: the plan of everything has all.
    pub fn put_into(&self, before: &Plan) -> Plan {
        let mut whole = before.clone();
        retain(&mut whole, &|id| !self.core.contains(id));
        for (target, was) in whole.targets.iter_mut().zip(&before.targets) {
            let Some(part) = self.plan.targets.iter().find(|part| part.tenant == target.tenant) else { continue };
            let too_many = was.actions.iter().flat_map(|action| &action.needs_approval);
            let too_many = too_many.clone().find(|approval| approval.code == Code::TooManyChanges);
            target.actions.extend(part.actions.iter().cloned().map(|mut action| {
                let is_counted = matches!(action.action, ActionKind::Update | ActionKind::Delete);
                action.needs_approval.extend(too_many.filter(|_| is_counted).cloned());
                action
            }));
            target.waiting.extend(part.waiting.iter().cloned());
            target.notes.extend(part.notes.iter().cloned());
            target.concerned.extend(part.concerned.iter().map(|(id, writers)| (id.clone(), writers.clone())));
            target.digests = digests(&target.actions);
            let (waits, of_part) = (&mut target.waits_for_resume, &part.waits_for_resume);
            waits.objects.retain(|id| !self.core.contains(id));
            waits.objects.extend(of_part.objects.iter().filter(|id| self.core.contains(id)).cloned());
            waits.is_complete &= of_part.is_complete;
            waits.are_too_many |= of_part.are_too_many;
        }
        let is_of_part = |finding: &&Finding| finding.object.as_ref().is_some_and(|id| self.core.contains(id));
        whole.findings.extend(self.plan.findings.iter().filter(is_of_part).cloned());
        whole.findings.sort_by_key(|finding| finding.severity);
        whole.recount();
        whole
    }
}

/// Plans the closure of `seeds`: the actions and notes for the changed objects and their users, equal to those of the
/// whole plan except for marks that depend on the whole target.
pub fn plan_closure(world: &World, index: &Index, seeds: &Seeds, scope: &Scope) -> Plan {
    let mut plan = plan_with_overrides(world, index, seeds, scope);
    drop_marks_of_whole_targets(&mut plan);
    plan
}

/// The errors of overrides, each with its sync, tenant and text.
fn errors_of_overrides(plan: &Plan) -> BTreeSet<(&ObjectId, Option<&str>, &str)> {
    let is_error = |finding: &&Finding| finding.severity != Severity::Warning;
    let errors = plan.findings.iter().filter(is_error).filter_map(|finding| {
        let sync = finding.object.as_ref().filter(|id| id.kind == Kind::TenantSync)?;
        let is_of_override = finding.path.get(1).is_some_and(|part| part == "overrides");
        is_of_override.then_some((sync, finding.tenant.as_deref(), finding.text.as_str()))
    });
    errors.collect()
}

/// Plans a closure, with the errors of overrides, which are decided on the part.
fn plan_with_overrides(world: &World, index: &Index, seeds: &Seeds, scope: &Scope) -> Plan {
    let core = Core::of(index, seeds);
    let misnamed = world.misnamed.clone().unwrap_or_else(|| syncs::misnamed(world));
    // Which stages are open is decided on the whole.
    let gated = has_stages(world).then(|| World { gates: Some(gates(world, scope)), ..world.clone() });
    let world = gated.as_ref().unwrap_or(world);
    let (mut all, mut with_gone) = (core.clone(), false);
    // A redirect is decided together with all objects that refer to the secret, and with the records of deleted
    // objects.
    let mut plan = loop {
        let mut plan = plan_around(world, index, &all, scope, &misnamed, with_gone);
        retain(&mut plan, &|id| all.contains(id));
        let keys: BTreeSet<_> = plan.actions().flat_map(|(_, action)| concerned_keys(action)).collect();
        let sharers = index.sharers(&keys);
        if keys.is_empty() || with_gone && sharers.is_subset(&all.keys) {
            break plan;
        }
        (all, with_gone) = (all.with(sharers, index), true);
    };
    retain(&mut plan, &|id| core.contains(id));
    drop_undecided(&mut plan);
    plan
}

fn plan_around(world: &World, index: &Index, core: &Core, scope: &Scope, misnamed: &Misnamed, with_gone: bool) -> Plan {
    let Some(wanted) = around(core, index, world) else { return plan_uncounted(world, scope) };
    plan_uncounted(&part_of(world, &wanted, Some(misnamed.clone()), with_gone), scope)
}

/// A world with only these objects in each tenant.
fn part_of(world: &World, wanted: &BTreeSet<ObjectId>, misnamed: Option<Misnamed>, with_gone: bool) -> World {
    World {
        waiting: world.waiting.clone(),
        tenants: world.tenants.iter().map(|(name, view)| (name.clone(), smaller(view, wanted, with_gone))).collect(),
        syncs: world.syncs.clone(),
        stopped: world.stopped.clone(),
        unread: world.unread.clone(),
        misnamed,
        underway: world.underway.clone(),
        gates: world.gates.clone(),
        now: world.now,
    }
}

/// The objects that a plan of `core` can depend on; `None` if they are so many that planning the whole world is faster
/// than copying them, or if they may be any.
fn around(core: &Core, index: &Index, world: &World) -> Option<BTreeSet<ObjectId>> {
    let views = world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]);
    let largest = views.flatten().filter_map(View::inventory).map(|inventory| inventory.len()).max().unwrap_or(0);
    if has_misspelt_override(world) {
        return None;
    }
    let (mut keys, mut integrations) = (core.keys.clone(), core.integrations.clone());
    for _ in 0..index.rounds {
        if keys.len() + integrations.len() >= MANY.max(largest / 8) {
            return None;
        }
        keys.extend(index.keys_of(&integrations));
        integrations.extend(index.integrations_of(&keys));
    }
    // An override matches if its object is copied, and an integration is copied with all connections that it uses.
    let overridden = index.with_aliases(index.overridden.keys.clone());
    let mut named = index.integrations_of(&overridden);
    named.extend(index.overridden.integrations.iter().cloned());
    keys.extend(overridden);
    keys.extend(index.keys_of(&named));
    integrations.extend(named);
    if keys.len() + integrations.len() >= MANY.max(largest / 8) {
        return None;
    }
    Some(index.objects(world, &keys, integrations))
}

/// Whether an override names what its source lacks, where not all of the source could be read. Then it is an error only
/// beside a similar name, which any object may have.
fn has_misspelt_override(world: &World) -> bool {
    let is_misspelt = |sync: &Sync| {
        let Some(from) = world.tenants.get(&sync.spec.from).filter(|_| !sync.spec.overrides.is_empty()) else {
            return false;
        };
        let views = [Some(&from.live), from.source.as_ref()];
        let read: Vec<&Inventory> =
            views.into_iter().flatten().filter_map(View::inventory).map(AsRef::as_ref).collect();
        let is_whole =
            read.iter().all(|read| read.invalid.is_empty() && read.unparsed.is_empty() && read.unread.is_empty());
        let lacks = |o: &Override| {
            let object = o.object.as_deref().and_then(ObjectId::parse);
            let has = |read: &&Inventory| {
                o.integration.as_ref().is_none_or(|name| read.integrations.contains_key(name))
                    && o.stable_key.as_ref().is_none_or(|key| read.connection(key).is_some())
                    && object.as_ref().is_none_or(|id| read.has(id))
            };
            !read.iter().any(has)
        };
        !is_whole && sync.spec.overrides.iter().any(lacks)
    };
    world.syncs.iter().any(is_misspelt)
}

fn smaller(view: &TenantView, wanted: &BTreeSet<ObjectId>, with_gone: bool) -> TenantView {
    let shrink = |view: &View| match view {
        View::Unreachable(why) => View::Unreachable(why.clone()),
        View::Read(inventory) => View::Read(Arc::new(part(inventory, wanted, with_gone))),
    };
    let source = view.source.as_ref().map(shrink);
    TenantView {
        spec: view.spec.clone(),
        live: shrink(&view.live),
        source,
        recent: view.recent,
        before: view.before,
        resend: view.resend.clone(),
    }
}

fn part(whole: &Inventory, wanted: &BTreeSet<ObjectId>, with_gone: bool) -> Inventory {
    let mut part =
        Inventory { invalid: whole.invalid.clone(), unparsed: whole.unparsed.clone(), ..Inventory::default() };
    part.read_only.clone_from(&whole.read_only);
    part.unread.clone_from(&whole.unread);
    part.can = whole.can;
    part.supply.clone_from(&whole.supply);
    part.is_not_asked = whole.is_not_asked;
    part.foreign.clone_from(&whole.foreign);
    part.workflows.clone_from(&whole.workflows);
    part.unread_workflows.clone_from(&whole.unread_workflows);
    // An integration that may use any connection may use one of this part.
    let unknown = whole.uses.iter().filter(|(_, uses)| uses.may_use_more());
    let unknown = unknown.map(|(name, _)| ObjectId::new(Kind::Integration, name)).filter(|id| !wanted.contains(id));
    part.invalid.extend(unknown.map(|id| (id, "which connections it uses is unknown".to_string())));
    if with_gone {
        let is_gone = |(id, _): &(&ObjectId, _)| !whole.has(id) && id.kind != Kind::Component;
        part.records.extend(whole.records.iter().filter(is_gone).map(|(id, record)| (id.clone(), record.clone())));
    }
    for id in wanted {
        if let Some(item) = whole.get(id) {
            part.insert(item);
        }
        if id.kind == Kind::Integration && whole.definitions_gone.contains(&id.name) {
            part.definitions_gone.insert(id.name.clone());
        }
        if let Some(ready) = whole.readiness.get(&id.name).filter(|_| id.kind == Kind::Connection) {
            part.readiness.insert(id.name.clone(), *ready);
        }
        if let Some(ready) = whole.ready_integrations.get(&id.name).filter(|_| id.kind == Kind::Integration) {
            part.ready_integrations.insert(id.name.clone(), *ready);
        }
        if let Some(facts) = whole.facts.get(&id.name).filter(|_| id.kind == Kind::Connection) {
            part.facts.insert(id.name.clone(), facts.clone());
        }
        if let Some(facts) = whole.integration_facts.get(&id.name).filter(|_| id.kind == Kind::Integration) {
            part.integration_facts.insert(id.name.clone(), facts.clone());
        }
        if let Some(record) = whole.records.get(id) {
            let mut record = record.clone();
            if id.kind == Kind::Component {
                // Objects of the component may be outside this part: its removal is decided on the whole world.
                Arc::make_mut(&mut record).made = false;
            }
            part.records.insert(id.clone(), record);
        }
        if let Some(holders) = whole.holders.get(id) {
            part.holders.insert(id.clone(), holders.clone());
        }
    }
    part
}

/// Keeps what concerns the objects that `wanted` names, and what concerns no object.
pub(super) fn retain(plan: &mut Plan, wanted: &dyn Fn(&ObjectId) -> bool) {
    for target in &mut plan.targets {
        target.actions.retain(|action| wanted(&action.change.object));
        // Of a whole world a few may be wanted.
        target.actions.shrink_to_fit();
        target.waiting.retain(|action| wanted(&action.change.object));
        target.notes.retain(|note| wanted(note.object()));
        target.digests = digests(&target.actions);
    }
    plan.findings.retain(|finding| match &finding.object {
        Some(id) if id.kind.in_tenant() => wanted(id),
        _ => true,
    });
    plan.recount();
}

/// Removes marks that depend on a whole target or on everything that a writer declares: a plan of a part cannot decide
/// them.
pub fn drop_marks_of_whole_targets(plan: &mut Plan) {
    drop_undecided(plan);
    plan.findings.retain(|finding| finding.code != Code::OverrideMatchesNothing);
    plan.recount();
}

/// Drops the same marks except errors of overrides: a part has all objects that these need.
fn drop_undecided(plan: &mut Plan) {
    for action in plan.targets.iter_mut().flat_map(|target| &mut target.actions) {
        action.needs_approval.retain(|approval| !approval.code.is_of_whole_target());
    }
    plan.findings.retain(|finding| {
        let is_of_sync = matches!(
            finding.code,
            Code::TooManyChanges | Code::SourceEmpty | Code::SyncMatchesNothing | Code::IntegrationMissing
        );
        !is_of_sync && !finding.code.needs_all_objects()
    });
    plan.recount();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two integrations with three connections each, interleaved by name.
    fn index() -> Index {
        let mut index = Index::default();
        for (integration, keys) in [("odd", ["a", "c", "e"]), ("even", ["b", "d", "f"])] {
            keys.iter().for_each(|key| index.uses(integration, key));
        }
        index
    }

    fn names(seeds: &Seeds) -> String {
        let all = seeds.keys.iter().chain(&seeds.integrations);
        all.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_closure_is_taken_as_a_whole() {
        let of = |keys: &[&str], integrations: &[&str]| Seeds {
            keys: keys.iter().map(ToString::to_string).collect(),
            integrations: integrations.iter().map(ToString::to_string).collect(),
        };
        let mut seeds = of(&["a", "b", "c", "d", "e", "f", "g"], &["even"]);
        assert_eq!(names(&seeds.take(3, &index())), "a c e");
        assert_eq!(names(&seeds.take(5, &index())), "b d f g even");
        assert!(seeds.is_empty());
        // All seeds if they are few, and never more than requested.
        let mut seeds = of(&["a", "c"], &["even"]);
        assert_eq!(names(&seeds.clone().take(9, &index())), "a c even");
        assert_eq!((names(&seeds.take(1, &index())), seeds.len()), ("a".to_string(), 2));
        let mut seeds = of(&[], &["even", "odd"]);
        assert_eq!((names(&seeds.take(1, &Index::default())), names(&seeds)), ("even".into(), "odd".into()));
    }
}
