//! What a plan says about the objects of one tenant: the worst of it for each, and what is certain about the rest.

use super::overview_state::{OverviewCell, OverviewState};
use super::plan_state;
use super::ranked::too_many_suspended;
use crate::api::{ConnectionMode, ConnectionSpec, EXPIRES, Kind, Object, Variable, names};
use crate::engine::check::missing_inputs;
use crate::engine::model::code::Code;
use crate::engine::model::field::Field;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Inventory, Ready, Supply, Sync, TenantView, World};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::opt_in::Expiry;
use crate::engine::model::plan::{Action, ActionKind, FieldChange, Note, Op, Plan, Target};
use crate::engine::model::record::{Record, Writer};
use crate::engine::plan::stops;
use crate::engine::syncs::{self, Order};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What is known about a part of the writers of a tenant.
type NotCarriedOut = HashMap<(Kind, String), OverviewCell>;

/// The objects of one tenant, indexed once.
pub struct ObjectStates<'a> {
    pub tenant: &'a str,
    pub view: &'a TenantView,
    /// The plan of the tenant; `None` if it is not planned.
    pub target: Option<&'a Target>,
    /// The live resources; `None` if they could not be read.
    pub inventory: Option<&'a Inventory>,
    /// The syncs that are carried out into the tenant, and those that are suspended but planned as if they were not: what
    /// waits for them is known, and the rest is as they declare it.
    pub carried: Vec<&'a Sync>,
    /// Why not all that is declared for the tenant is known; `None`: it is.
    pub unknown: Option<String>,
    /// Whether syncs were passed over here, which clusters carry out: one that is not known may be among them.
    has_syncs_for_clusters: bool,
    /// The objects that plan or findings speak of.
    judged: HashMap<(Kind, &'a str), OverviewCell>,
    /// The objects that syncs would bring which are not carried out, or which are not known here.
    withheld: NotCarriedOut,
    /// Whether only what is said of one object is indexed.
    is_part: bool,
    /// The actions, now or later, with whether they wait.
    actions: HashMap<&'a ObjectId, (&'a Action, bool)>,
}

/// What is the same for all tenants.
pub struct Grounds<'a> {
    pub(super) world: &'a World,
    plan: &'a Plan,
    order: Order<'a>,
    findings: HashMap<&'a str, Vec<&'a Finding>>,
    /// The actions that wait for a suspended tenant.
    held: BTreeSet<&'a str>,
}

impl<'a> Grounds<'a> {
    /// Indexes what tenants share.
    pub fn of(world: &'a World, plan: &'a Plan) -> Self {
        let mut findings: HashMap<&str, Vec<&Finding>> = HashMap::new();
        for finding in &plan.findings {
            if let Some(tenant) = &finding.tenant {
                findings.entry(tenant).or_default().push(finding);
            }
        }
        Grounds { world, plan, order: syncs::order(world), findings, held: plan.held() }
    }

    /// The findings of a tenant.
    pub fn findings(&self, tenant: &str) -> &[&'a Finding] {
        self.findings.get(tenant).map_or(&[], Vec::as_slice)
    }

    /// The objects of a tenant; `only`: only what is said of this one.
    pub fn tenant(&self, tenant: &str, only: Option<&ObjectId>) -> Option<ObjectStates<'a>> {
        let (tenant, view) = self.world.tenants.get_key_value(tenant)?;
        let target = self.plan.targets.iter().find(|target| target.tenant == *tenant);
        let inventory = view.live.inventory().map(AsRef::as_ref);
        let mut states = ObjectStates {
            tenant,
            view,
            target,
            inventory,
            carried: self.carried(tenant, target),
            unknown: self.unknown(tenant, view, target),
            has_syncs_for_clusters: self.plan.skipped.for_clusters > 0,
            judged: HashMap::new(),
            withheld: NotCarriedOut::new(),
            is_part: only.is_some(),
            actions: HashMap::new(),
        };
        let concerns = |id: &ObjectId| only.is_none_or(|only| only == id);
        if let Some(target) = target {
            states.take_plan(target, &self.held, &concerns);
        }
        for finding in self.findings(tenant) {
            let Some(id) = finding.object.as_ref() else { continue };
            if concerns(id) {
                states.judge(id, of_finding(finding, self.world, inventory));
            }
            // Customers' credentials are seen at their connection.
            if let Some(connection) = states
                .connection_of(id)
                .filter(|name| only.is_none_or(|only| only.kind == Kind::Connection && only.name == *name))
            {
                let judged = of_finding(finding, self.world, inventory);
                if let Some((name, _)) = inventory.and_then(|i| i.connections.get_key_value(&connection)) {
                    states.put(Kind::Connection, name, judged);
                }
            }
        }
        states.withhold(self, only);
        Some(states)
    }

    /// The syncs that are carried out into a tenant: those that are accepted, and have no error there.
    fn carried(&self, tenant: &str, target: Option<&Target>) -> Vec<&'a Sync> {
        let into = self.order.into.get(tenant).into_iter().flatten().copied();
        let is_planned = target.is_some_and(|target| target.waits_for_resume.is_complete);
        let is_idle = |sync: &&Sync| is_planned && sync.spec.is_suspended() && sync.spec.goes_to(tenant);
        into.chain(self.world.syncs.iter().filter(is_idle))
            .filter(|sync| !self.plan.findings.iter().any(|finding| stops(finding, &sync.writer, tenant)))
            .collect()
    }

    /// Why not all that is declared for a tenant is known.
    fn unknown(&self, tenant: &str, view: &TenantView, target: Option<&Target>) -> Option<String> {
        if let Some(why) = view.live.unreachable() {
            return Some(why.to_string());
        }
        let scope = &self.plan.scope;
        let Some(target) = target else { return Some("it is not planned".to_string()) };
        if !scope.integrations.is_empty() || !scope.syncs.is_empty() || scope.revert.is_some() {
            return Some("only a part of it is planned".to_string());
        }
        if let Some(file) = self.world.unread.first() {
            return Some(format!("{file} cannot be read and could hold a sync"));
        }
        let of_sync = |finding: &&&Finding| {
            finding.code == Code::ObjectInvalid && finding.object.as_ref().is_some_and(|o| o.kind == Kind::TenantSync)
        };
        if let Some(finding) = self.findings(tenant).iter().find(of_sync) {
            return Some(finding.text.clone());
        }
        if let Some((writer, _)) = self.world.stopped.iter().find(|(_, targets)| targets.includes(tenant)) {
            return Some(format!("{writer} cannot be read"));
        }
        let lost = self.world.syncs.iter().find(|sync| {
            sync.spec.goes_to(tenant)
                && self.world.tenants.get(&sync.spec.from).is_none_or(|from| from.live.inventory().is_none())
        });
        if let Some(sync) = lost {
            return Some(format!("{} copies {}, which cannot be read", sync.writer, sync.spec.from));
        }
        if view.live.inventory().is_some_and(|live| live.is_not_asked) {
            return Some("its location was not asked".to_string());
        }
        if target.waits_for_resume.are_too_many {
            return Some(too_many_suspended());
        }
        (!target.known).then(|| "not all that is declared for it could be read".to_string())
    }
}

impl<'a> ObjectStates<'a> {
    /// The state of what is there or not, apart from what is missing, and what it is elsewhere.
    pub fn state(&self, kind: Kind, name: &str, is_there: bool) -> OverviewCell {
        let (there, absent) =
            (OverviewCell::of(OverviewState::InSync, ""), OverviewCell::of(OverviewState::Absent, ""));
        let mut judged = match &self.unknown {
            Some(_) => OverviewCell::of(OverviewState::Unknown, ""),
            None if is_there => there,
            None => absent,
        };
        if let Some(found) = self.judged.get(&(kind, name)) {
            judged = judged.or_worse(found.clone());
        }
        if self.withheld.is_empty() {
            return judged;
        }
        match self.withheld.get(&(kind, name.to_string())) {
            Some(found) => judged.or_worse(found.clone()),
            None => judged,
        }
    }

    /// The state of a connection that is there.
    pub fn of_connection(&self, connection: &Object<ConnectionSpec>) -> OverviewCell {
        let judged = self.state(Kind::Connection, connection.name(), true);
        match self.inventory.and_then(|inventory| unready(connection, inventory)) {
            // It names what is missing.
            Some(unready) => unready.or_worse(judged),
            None => judged,
        }
    }

    /// The state of a stable key that no connection of the tenant has.
    pub fn of_lacking(&self, key: &str) -> OverviewCell {
        let judged = self.state(Kind::Connection, &names::of_stable_key(key), false);
        let is_foreign = self.inventory.is_some_and(|inventory| inventory.foreign.contains_key(key));
        if is_foreign && judged.state == OverviewState::Absent {
            return OverviewCell::of(OverviewState::Absent, "not the tenant's own");
        }
        judged
    }

    /// Whether the plan creates the connection with a stable key, now or later.
    pub fn creates(&self, key: &str) -> bool {
        let id = ObjectId::new(Kind::Connection, names::of_stable_key(key));
        self.actions.get(&id).is_some_and(|(action, _)| action.action == ActionKind::Create)
    }

    /// The objects of this kind that plan or findings speak of.
    pub fn judged(&self, kind: Kind) -> impl Iterator<Item = (&'a str, &OverviewCell)> {
        self.judged.iter().filter(move |((of, _), _)| *of == kind).map(|((_, name), judged)| (*name, judged))
    }

    /// The objects of this kind that syncs would bring which are not carried out.
    pub fn withheld(&self, kind: Kind) -> impl Iterator<Item = (&str, &OverviewCell)> {
        self.withheld.iter().filter(move |((of, _), _)| *of == kind).map(|((_, name), judged)| (name.as_str(), judged))
    }

    /// The name by which people know an object: of a connection, its stable key.
    pub fn name_of(&self, id: &ObjectId) -> String {
        let live = (id.kind == Kind::Connection).then(|| self.inventory?.connections.get(&id.name)).flatten();
        let planned = || match &self.action(id)?.0.change.after {
            Some(Item::Connection(connection)) => Some(connection.spec.stable_key.clone()),
            _ => None,
        };
        let key = live.map(|connection| connection.spec.stable_key.clone());
        key.or_else(|| planned().filter(|_| id.kind == Kind::Connection)).unwrap_or_else(|| id.name.clone())
    }

    /// The action on an object, now or later, with whether it waits.
    pub fn action(&self, id: &ObjectId) -> Option<(&'a Action, bool)> {
        self.actions.get(id).copied()
    }

    /// The action on an object of which not all else may be indexed, now or later.
    pub fn action_on(&self, id: &ObjectId) -> Option<&'a Action> {
        if !self.is_part {
            return self.action(id).map(|(action, _)| action);
        }
        let target = self.target?;
        target.actions.iter().chain(&target.waiting).find(|action| action.change.object == *id)
    }

    /// The connections that the plan creates, now or later.
    pub fn created(&self) -> impl Iterator<Item = &'a Arc<Object<ConnectionSpec>>> {
        self.actions.values().filter_map(|(action, _)| match &action.change.after {
            Some(Item::Connection(connection)) if action.action == ActionKind::Create => Some(connection),
            _ => None,
        })
    }

    /// The notes about an object.
    pub fn notes(&self, id: &'a ObjectId) -> impl Iterator<Item = &'a Note> {
        self.target.into_iter().flat_map(|target| &target.notes).filter(move |note| note.object() == id)
    }

    fn take_plan(&mut self, target: &'a Target, held: &BTreeSet<&str>, concerns: &dyn Fn(&ObjectId) -> bool) {
        let waiting = target.waiting.iter().map(|action| (action, true));
        let actions = target.actions.iter().map(|action| (action, held.contains(action.id.as_str())));
        for (action, waits) in actions.chain(waiting) {
            let id = &action.change.object;
            if concerns(id) {
                self.actions.insert(id, (action, waits));
                self.judge(id, Some(of_action(action, waits)));
            }
        }
        for note in &target.notes {
            let id = note.object();
            // A step beside an action is a part of it.
            let is_beside = matches!(note, Note::Manual { .. }) && self.actions.contains_key(id);
            if concerns(id) && !is_beside {
                self.judge(id, of_note(note));
            }
        }
    }

    fn judge(&mut self, id: &'a ObjectId, judged: Option<OverviewCell>) {
        self.put(id.kind, &id.name, judged);
    }

    fn put(&mut self, kind: Kind, name: &'a str, judged: Option<OverviewCell>) {
        let Some(judged) = judged else { return };
        match self.judged.get_mut(&(kind, name)) {
            Some(before) if judged.state < before.state => *before = judged,
            Some(_) => {}
            None => drop(self.judged.insert((kind, name), judged)),
        }
    }

    /// The name of the connection that customers' credentials are for.
    fn connection_of(&self, id: &ObjectId) -> Option<String> {
        let credentials = (id.kind == Kind::CustomerCredentials)
            .then(|| self.inventory?.customer_credentials.get(&id.name))
            .flatten()?;
        Some(names::of_stable_key(&credentials.spec.connection))
    }

    /// Adds what syncs would bring that are not carried out, and what unknown syncs wrote: whether it differs is unknown.
    fn withhold(&mut self, grounds: &Grounds<'a>, only: Option<&ObjectId>) {
        let is_carried = |sync: &Sync| self.carried.iter().any(|carried| std::ptr::eq(*carried, sync));
        let idle = grounds.world.syncs.iter().filter(|sync| sync.spec.goes_to(self.tenant) && !is_carried(sync));
        let mut withheld = NotCarriedOut::new();
        let waiting = || OverviewCell::of(OverviewState::Waiting, "sync suspended");
        for id in self.target.into_iter().flat_map(|target| &target.waits_for_resume.objects) {
            add(&mut withheld, id.kind, id.name.clone(), &waiting());
        }
        for sync in idle {
            let judged = match sync.spec.is_suspended() {
                true => waiting(),
                false => OverviewCell::of(OverviewState::Unknown, "sync not carried out"),
            };
            let Some(from) = grounds.world.tenants.get(&sync.spec.from) else { continue };
            let views = [Some(&from.live), from.source.as_ref()].into_iter().flatten();
            let read: Vec<&Inventory> = views.filter_map(|view| Some(view.inventory()?.as_ref())).collect();
            brought(sync, &read, &judged, &mut withheld);
        }
        if let Some(inventory) = self.inventory {
            self.unknown_writers(grounds.world, inventory, only, &mut withheld);
        }
        if let Some(only) = only {
            withheld.retain(|(kind, name), _| *kind == only.kind && *name == only.name);
        }
        self.withheld = withheld;
    }

    /// Adds the objects with a record of a sync that is not carried out: where others may write, an unknown one may
    /// want something else now.
    fn unknown_writers(
        &self,
        world: &World,
        inventory: &Inventory,
        only: Option<&ObjectId>,
        withheld: &mut NotCarriedOut,
    ) {
        let carried: BTreeSet<&Writer> = self.carried.iter().map(|sync| &sync.writer).collect();
        let known: BTreeSet<&Writer> =
            world.syncs.iter().filter(|s| s.spec.goes_to(self.tenant)).map(|s| &s.writer).collect();
        let judge = |writers: &BTreeSet<Writer>| {
            let idle = writers.iter().find(|writer| matches!(writer, Writer::Sync(_)) && !carried.contains(writer))?;
            match known.contains(idle) {
                true => Some(OverviewCell::of(OverviewState::Unknown, "sync not carried out")),
                false if inventory.can.has_other_writers || self.has_syncs_for_clusters => {
                    Some(OverviewCell::of(OverviewState::Unknown, format!("{idle}")))
                }
                false => None,
            }
        };
        // Most fields share one set of writers.
        let mut seen: HashMap<usize, Option<OverviewCell>> = HashMap::new();
        let mut of_record = |record: &Record| {
            let sets = record.fields.values().map(|wrote| &wrote.writers);
            let mut last = None;
            sets.filter(|writers| last.replace(Arc::as_ptr(writers)) != Some(Arc::as_ptr(writers)))
                .find_map(|writers| seen.entry(Arc::as_ptr(writers).addr()).or_insert_with(|| judge(writers)).clone())
        };
        let mut take = |id: &ObjectId, record: &Record| {
            if record.tenant == self.tenant
                && let Some(judged) = of_record(record)
            {
                add(withheld, id.kind, id.name.clone(), &judged);
            }
        };
        match only {
            Some(id) => inventory.records.get(id).into_iter().for_each(|record| take(id, record)),
            None => inventory.records.iter().for_each(|(id, record)| take(id, record)),
        }
    }
}

/// Adds the objects that a sync would bring from what was read of its source: what is live there and what is declared,
/// of which either may bind what the other has.
fn brought(sync: &Sync, source: &[&Inventory], judged: &OverviewCell, withheld: &mut NotCarriedOut) {
    let brings_connections = sync.spec.connection_mode() != ConnectionMode::Match;
    let mut keys: HashSet<&str> = HashSet::new();
    let integrations = source.iter().flat_map(|read| read.integrations.values());
    for integration in integrations.filter(|integration| sync.spec.selects(integration.name())) {
        add(withheld, Kind::Integration, integration.name().to_string(), judged);
        keys.extend(integration.spec.connections.iter().filter_map(Variable::stable_key));
    }
    if brings_connections {
        for connection in source.iter().flat_map(|read| read.connections.values()) {
            let is_used = keys.contains(connection.spec.stable_key.as_str())
                || connection.spec.replaces.iter().any(|older| keys.contains(older.as_str()));
            if is_used {
                add(withheld, Kind::Connection, connection.name().to_string(), judged);
            }
        }
    }
}

fn add(withheld: &mut NotCarriedOut, kind: Kind, name: String, judged: &OverviewCell) {
    let known = withheld.entry((kind, name)).or_insert_with(|| judged.clone());
    if judged.state < known.state {
        *known = judged.clone();
    }
}

/// Why a connection cannot be used.
fn unready(connection: &Object<ConnectionSpec>, inventory: &Inventory) -> Option<OverviewCell> {
    let lacks = missing_inputs(&connection.spec, inventory);
    if !lacks.is_empty() {
        return Some(OverviewCell::of(OverviewState::NotReady, few(&lacks)));
    }
    if !inventory.is_unready(connection.name()) {
        return None;
    }
    let is_evaluated = inventory.readiness.get(connection.name()) != Some(&Ready::Was);
    let say = match inventory.facts.get(connection.name()).is_some_and(|facts| facts.sign_in.is_some()) {
        true => "sign in",
        false if is_evaluated => "",
        false => "being evaluated",
    };
    Some(OverviewCell::of(OverviewState::NotReady, say))
}

/// The first of several names, with the number of the others: `host +2`.
pub(super) fn few(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => one.to_string(),
        [one, others @ ..] => format!("{one} +{}", others.len()),
    }
}

/// The name of a field in few words: an input's own name.
pub(super) fn short<'f>(field: &'f Field<'_>) -> Cow<'f, str> {
    match field.name.is_empty() {
        false => Cow::Borrowed(&field.name),
        true => Cow::Owned(field.path().pop().unwrap_or_default()),
    }
}

fn of_action(action: &Action, waits: bool) -> OverviewCell {
    let changes = |change: &&FieldChange| matches!(change.op, Op::Set | Op::Remove);
    let fields: Vec<Cow<'_, str>> = action.fields.iter().filter(changes).map(|change| short(&change.field)).collect();
    let fields: Vec<&str> = fields.iter().map(AsRef::as_ref).collect();
    let say = match action.action {
        ActionKind::Update if !fields.is_empty() => Cow::Owned(few(&fields)),
        kind => Cow::Borrowed(kind.as_str()),
    };
    OverviewCell::of(plan_state::of_action(action, waits), say)
}

fn of_note(note: &Note) -> Option<OverviewCell> {
    let last = |path: &[String]| Cow::Owned(path.last().cloned().unwrap_or_default());
    let say = match note {
        Note::Blocked { code, .. } => Cow::Borrowed(in_short(*code)),
        // Drift that is corrected is an action.
        Note::Drift { left: false, .. } => return None,
        Note::Drift { ignored: true, path, .. } => Cow::Owned(format!("{}, drift ignored", last(path))),
        Note::Drift { path, .. } | Note::Kept { path, .. } => last(path),
        Note::Manual { secret: Some(_), .. } => Cow::Borrowed("Secret"),
        Note::Manual { .. } => Cow::Borrowed("manual step"),
        Note::Overridden { .. } => Cow::Borrowed(""),
    };
    plan_state::of_note(note).map(|state| OverviewCell::of(state, say))
}

pub(super) fn of_finding(finding: &Finding, world: &World, inventory: Option<&Inventory>) -> Option<OverviewCell> {
    if finding.code == Code::CredentialsExpire && soonest(finding, inventory).is_some() {
        let days = soonest(finding, inventory).zip(world.now).map(|(at, now)| days(now, at));
        let say = match days {
            Some(1) => Cow::Borrowed("1 day"),
            Some(days) => Cow::Owned(format!("{days} days")),
            None => Cow::Borrowed(""),
        };
        return Some(OverviewCell::of(OverviewState::Expiring, say));
    }
    plan_state::of_finding(finding).map(|state| OverviewCell::of(state, in_short(finding.code)))
}

/// When the first of an object's credentials expires.
fn soonest(finding: &Finding, inventory: Option<&Inventory>) -> Option<Timestamp> {
    let (item, inventory) = (inventory?.get(finding.object.as_ref()?)?, inventory?);
    let own = item.metadata().annotations.get(EXPIRES).and_then(|text| Expiry::parse(text).at);
    let Supply::Secrets { there, .. } = &inventory.supply else { return own };
    let of_secrets = item.secret_refs().filter_map(|reference| there.get(&reference.name)?.opt_in.expires.as_ref()?.at);
    of_secrets.chain(own).min()
}

/// The whole days from now to a later time.
fn days(now: Timestamp, at: Timestamp) -> i64 {
    at.duration_since(now).as_hours() / 24
}

/// A check in few words.
const fn in_short(code: Code) -> &'static str {
    match code {
        Code::BindingMissing => "no connection",
        Code::BindingUnknown => "binding unknown",
        Code::BindingNotReady => "connection not ready",
        Code::BindingWaits => "waits for a connection",
        Code::WriterConflict => "conflict",
        Code::Occupied => "name taken",
        Code::KeyDiffers => "another kind",
        Code::NotAllowed => "not allowed",
        Code::ObjectInvalid => "invalid",
        Code::SecretLiteral => "secret as a value",
        Code::SecretMissing | Code::SecretAbsent | Code::SecretNotForKey | Code::SecretUnreadable => "Secret",
        Code::SecretKeyMissing => "key of a Secret",
        Code::HostNotPinned => "host",
        Code::ConsentNeeded => "sign in",
        Code::InputMissing | Code::CustomerInputMissing => "input missing",
        Code::CredentialsExpired | Code::SecretExpired => "expired",
        Code::DefinitionMissing | Code::DefinitionUnread => "definition",
        Code::ComponentNotPublished => "component",
        Code::CodeNative => "in code",
        Code::ServerRefuses => "refused",
        Code::EditByHand => "edit by hand",
        Code::AccountMayNot => "not permitted",
        Code::ConnectionNotReady => "does not work",
        _ => "",
    }
}
