//! The plan: tenants in the order of their syncs, sources before targets.

mod action;
mod blocked;
mod customers;
mod digest;
mod draft;
mod input;
mod let_go;
pub mod manual;
mod overrides;
mod reading;
mod redirects;
mod removal;
mod resend;
mod senders;
mod sent_before;
mod staged;
mod supply;
mod suspended;
mod tenant;

use crate::engine::model::finding::Finding;
use crate::engine::model::plan::*;
pub use digest::of_writers as digests;
pub use redirects::{between as redirects_between, concerned_keys};
pub use removal::{is_too_many, measured_by};
pub use staged::{gates, has_stages};
pub use suspended::{MOST_ALONE, add_waiting_objects, stops};

use super::check::{self, Elsewhere};
use super::diff::{Declaration, Difference, Extent, Sides, WriterPresence, difference};
use super::feeds::Origins;
use super::hashes::Hashes;
use super::model::canonical::FieldHash;
use super::model::code::{Code, Severity};
use super::model::command::EditCommand;
use super::model::field::{Field, FieldKind};
use super::model::inventory::{Inventory, Sync, View, World};
use super::model::item::{Item, ObjectId};
use super::model::record::{Record, Writer};
use super::model::stages::{Gates, Release};
use super::promote::{Promotion, SourceSide, TargetSide, promote};
use super::resolve::Replacements;
use super::stages;
use super::syncs::{self, Order};
use crate::api::{AllowedAction, ConnectionMode, ConnectionSpec, Kind, Object, Override, matches, names};
use crate::near_miss::near_misses;
use input::{TenantInput, Withheld, WriterState, policy_owners, writes_connections};
use reading::Unknowns;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tenant::{PlannedTenant, plan_tenant};

/// Plans a world: the changes that bring every tenant in scope to its desired state. What waits for an earlier stage of
/// a sync is in the plan, apart from the actions.
///
/// The plan is a function of the world and the scope: equal inputs give equal bytes. [`super::narrowing`] narrows a
/// plan, [`super::closure`] plans a part; here `scope.integrations` is only recorded.
pub fn plan(world: &World, scope: &Scope) -> Plan {
    let mut plan = staged::plan_with_waiting(world, scope);
    suspended::add_waiting(world, scope, &mut plan);
    plan
}

/// Plans a world without the actions that wait for an earlier stage, and without counting those of suspended syncs,
/// which would need a second plan.
pub fn plan_uncounted(world: &World, scope: &Scope) -> Plan {
    staged::plan_without_waiting(world, scope)
}

/// A plan in which some syncs wait in some tenants, and what the syncs with stages carry by it.
struct GatedPlan {
    plan: Plan,
    /// The releases of the syncs whose source was planned.
    releases: BTreeMap<Writer, Release>,
}

/// Plans a world in which these syncs wait.
fn plan_gated(world: &World, scope: &Scope, gates: &Gates) -> GatedPlan {
    let order = syncs::order(world);
    let misnamed = world.misnamed.clone().unwrap_or_else(|| syncs::misnamed(world));
    let elsewhere = Elsewhere::of(world);
    let concerned = concerned(&order, scope);
    let syncs = in_order_of_writers(world);
    let mut findings = order.findings.clone();
    let mut planned: BTreeMap<&str, PlannedTenant> = BTreeMap::new();
    let mut targets = BTreeMap::new();
    // The inventories after the plan; those of tenants out of scope are live.
    let mut inventories: BTreeMap<&str, &Inventory> = BTreeMap::new();
    let mut releases = BTreeMap::new();
    for &name in &order.tenants {
        let Some(view) = world.tenants.get(name) else { continue };
        let in_scope = scope.tenants.is_empty() || scope.tenants.contains(name);
        if concerned.contains(name) {
            findings.extend(reading::findings(name, view));
        }
        let live = match &view.live {
            View::Read(live) => live,
            View::Unreachable(why) => {
                if in_scope {
                    targets.insert(name, unreachable(name, why));
                }
                continue;
            }
        };
        inventories.insert(name, live.as_ref());
        if !concerned.contains(name) {
            // Neither planned nor a source: the targets are planned independently.
            continue;
        }
        let mut input = TenantInput {
            tenant: name,
            view,
            live,
            declared: BTreeMap::new(),
            embedded: BTreeMap::new(),
            promotions: BTreeMap::new(),
            writers: BTreeMap::new(),
            upstream: BTreeMap::new(),
            reading: Unknowns::of(&view.live),
            elsewhere: &elsewhere,
            world,
            misnamed: &misnamed,
            revert: scope.revert.as_ref().filter(|revert| revert.tenant == name),
        };
        if let Some(source) = &view.source {
            input.reading.depends_on(&Unknowns::of(source));
        }
        let mut emptied = BTreeSet::new();
        if in_scope {
            declare_source(&mut input, &mut emptied);
            let (order, planned) = (&order, &planned);
            for &sync in syncs.iter().filter(|sync| sync.spec.goes_to(name)) {
                let writers = Writers { order, scope, gates, planned };
                declare_sync(&writers, sync, &mut input, &mut emptied, &mut findings);
            }
            let prunes = |writer| input.writers.get(writer).is_some_and(|state| state.prunes);
            findings.extend(emptied.iter().map(|writer| emptied_finding(writer, name, prunes(writer))));
            findings.extend(invalid_sync_findings(&input));
        }
        let mut result = plan_tenant(&input);
        let base = removal::measured_by(view.before, live.len(), view.spec.approval());
        removal::mark(&mut result.target, base, view.recent, view.spec.approval(), &emptied);
        result.target.digests = digest::of_writers(&result.target.actions);
        result.target.suspended = view.spec.is_suspended();
        if in_scope {
            findings.append(&mut result.findings);
            targets.insert(name, std::mem::replace(&mut result.target, unreachable(name, "")));
        }
        for sync in syncs.iter().filter(|sync| sync.spec.from == name && !world.stages_of(sync).is_empty()) {
            let from = SourceSide { tenant: name, inventory: &result.after, replacements: &result.replacements };
            releases.insert(sync.writer.clone(), stages::release(sync, from));
        }
        planned.insert(name, result);
    }
    inventories.extend(planned.iter().map(|(name, planned)| (*name, planned.after.as_ref())));
    let inventories: Vec<(&str, &Inventory)> = inventories.into_iter().collect();
    findings.extend(check::across(&inventories, world));
    findings.retain(|f| f.tenant.as_deref().is_none_or(|tenant| concerned.contains(tenant)) && is_of_scope(f, scope));
    let mut targets: Vec<Target> = targets.into_values().collect();
    drop_unused(world, scope, gates, &targets, &mut findings);
    drop_commands(world, &mut targets, &mut findings);
    route_commands(world, &mut targets, &mut findings);
    GatedPlan { plan: assemble(scope, targets, findings), releases }
}

/// Drops the findings about unused connections of tenants to which a user may still come: the plan leaves something out,
/// or something is blocked, unresolved or unknown. One that is there twice is reported as that.
fn drop_unused(world: &World, scope: &Scope, gates: &Gates, targets: &[Target], findings: &mut Vec<Finding>) {
    let is_blocked = |note: &Note| matches!(note, Note::Blocked { object, .. } if object.kind == Kind::Integration);
    let waits = |sync: &Sync| sync.spec.is_suspended() || world.waiting.contains(&sync.writer);
    let of_waiting = world.syncs.iter().filter(|s| waits(s)).flat_map(|s| s.spec.targets());
    let of_waiting: BTreeSet<&String> = of_waiting.collect();
    let is_gated = |tenant: &String| gates.of_tenant(tenant).next().is_some();
    let is_narrowed = !scope.syncs.is_empty() || !scope.integrations.is_empty();
    let is_settled = |t: &&Target| !is_narrowed && t.known && !t.notes.iter().any(is_blocked);
    let settled = targets.iter().filter(is_settled).map(|t| &t.tenant);
    let settled: BTreeSet<&String> =
        settled.filter(|tenant| !of_waiting.contains(tenant) && !is_gated(tenant)).collect();
    let wrong = findings.iter().filter(|f| f.severity != Severity::Warning);
    let wrong: BTreeSet<Option<String>> = wrong.map(|f| f.tenant.clone()).collect();
    let twice = findings.iter().filter(|f| f.code == Code::ConnectionTwice);
    let twice: BTreeSet<_> = twice.map(|f| (f.tenant.clone(), f.object.clone())).collect();
    findings.retain(|f| {
        let is_clear = !wrong.contains(&None) && !wrong.contains(&f.tenant);
        let is_settled = || f.tenant.as_ref().is_some_and(|tenant| settled.contains(tenant));
        let is_once = || !twice.contains(&(f.tenant.clone(), f.object.clone()));
        f.code != Code::ConnectionUnused || is_clear && is_settled() && is_once()
    });
}

/// Drops the commands that would edit manifests of a tenant which has none in files.
fn drop_commands(world: &World, targets: &mut [Target], findings: &mut [Finding]) {
    let has_manifests = |tenant: &str| world.tenants.get(tenant).is_some_and(|view| view.spec.has_manifests());
    for finding in findings.iter_mut().filter(|f| f.tenant.as_deref().is_some_and(|tenant| !has_manifests(tenant))) {
        finding.commands.retain(|command| !command.edits_manifests());
    }
    for target in targets.iter_mut().filter(|target| !has_manifests(&target.tenant)) {
        for note in &mut target.notes {
            if let Note::Blocked { commands, .. } = note {
                commands.retain(|command| !command.edits_manifests());
            }
        }
    }
}

/// Makes each command that changes a connection one that works where a sync brings the connection: it is changed in the
/// tenant that it comes from, or by an override with a reason.
fn route_commands(world: &World, targets: &mut [Target], findings: &mut [Finding]) {
    if !world.syncs.iter().any(|sync| sync.spec.connection_mode() == ConnectionMode::Mirror) {
        return;
    }
    let mut origins = Origins::new(world);
    let has_manifests = |tenant: &&str| world.tenants.get(*tenant).is_some_and(|view| view.spec.has_manifests());
    let mut route = |commands: &mut Vec<EditCommand>| {
        let route = |command: EditCommand| {
            let brought = command.changes().and_then(|(tenant, key)| origins.of(tenant, &names::of_stable_key(key)));
            match brought {
                Some(from) => command.where_brought(Some(from).filter(has_manifests)),
                None => vec![command],
            }
        };
        *commands = std::mem::take(commands).into_iter().flat_map(route).collect();
    };
    findings.iter_mut().for_each(|finding| route(&mut finding.commands));
    for note in targets.iter_mut().flat_map(|target| &mut target.notes) {
        if let Note::Blocked { commands, .. } = note {
            route(commands);
        }
    }
}

/// The tenants in scope, and the sources of their syncs.
fn concerned<'a>(order: &Order<'a>, scope: &Scope) -> BTreeSet<&'a str> {
    let in_scope = |t: &&str| scope.tenants.is_empty() || scope.tenants.contains(*t);
    let mut concerned: BTreeSet<&str> = order.tenants.iter().copied().filter(in_scope).collect();
    // Sources come before their targets.
    for target in order.tenants.iter().rev() {
        if concerned.contains(target) {
            concerned.extend(order.into.get(target).into_iter().flatten().map(|sync| sync.spec.from.as_str()));
        }
    }
    concerned
}

/// Whether a finding concerns a sync in scope, or no sync.
fn is_of_scope(finding: &Finding, scope: &Scope) -> bool {
    match &finding.object {
        Some(id) if id.kind == Kind::TenantSync => scope.carries(&Writer::Sync(id.name.clone())),
        _ => true,
    }
}

/// Sorts the syncs by writer, so that a plan does not depend on the order of reading.
fn in_order_of_writers(world: &World) -> Vec<&Sync> {
    let mut syncs: Vec<&Sync> = world.syncs.iter().collect();
    let targets = |sync: &Sync| sync.spec.targets().cloned().collect::<Vec<_>>();
    syncs.sort_by(|a, b| a.writer.cmp(&b.writer).then_with(|| targets(a).cmp(&targets(b))));
    syncs
}

/// Simulates the tenants after every action of the plan; used to verify the laws.
pub fn simulate(world: &World, plan: &Plan) -> World {
    simulate_actions(world, plan.actions())
}

/// Simulates the tenants after every action of the plan, and every action that waits for an earlier stage.
pub fn simulate_whole(world: &World, plan: &Plan) -> World {
    simulate_actions(world, plan.actions().chain(plan.waiting()))
}

fn simulate_actions<'p>(world: &World, actions: impl Iterator<Item = (&'p Target, &'p Action)>) -> World {
    let mut world = world.clone();
    for (target, action) in actions {
        let Some(view) = world.tenants.get_mut(&target.tenant) else { continue };
        let View::Read(inventory) = &mut view.live else { continue };
        let inventory = Arc::make_mut(inventory);
        let change = &action.change;
        match &change.after {
            Some(item) => inventory.insert(item.clone()),
            None => inventory.remove(&change.object),
        }
        match &change.record {
            Some(record) => drop(inventory.records.insert(change.object.clone(), record.clone())),
            None => drop(inventory.records.remove(&change.object)),
        }
        let of_tenant = ObjectId::new(Kind::Tenant, &target.tenant);
        keep_sent_hosts(&mut inventory.records, &of_tenant, &change.left);
    }
    world
}

/// Keeps the hosts of a deleted object's secrets in the tenant's own record.
pub fn keep_sent_hosts(
    records: &mut BTreeMap<ObjectId, Arc<Record>>,
    tenant: &ObjectId,
    left: &BTreeMap<FieldHash, FieldHash>,
) {
    if !left.is_empty() {
        let record = records.entry(tenant.clone()).or_insert_with(|| Arc::new(Record::of(&tenant.name)));
        Arc::make_mut(record).sent.extend(left);
    }
}

impl Scope {
    /// Whether a sync is in scope. `FROM:TO` names the ad-hoc sync that it adds.
    pub(super) fn carries(&self, writer: &Writer) -> bool {
        let named = |name: &String| match writer {
            Writer::Promote(from) => name.split_once(':').is_some_and(|(named, _)| named == from),
            Writer::Sync(sync) => name == sync || *name == writer.to_string(),
            Writer::Source | Writer::Adopt => false,
        };
        self.syncs.is_empty() || self.syncs.iter().any(named)
    }
}

fn unreachable(tenant: &str, why: &str) -> Target {
    Target { why: Some(why.to_string()), ..Target::empty(tenant, State::Unreachable) }
}

fn declare_source(input: &mut TenantInput<'_>, emptied: &mut BTreeSet<Writer>) {
    let Some(source) = &input.view.source else { return };
    let reading = Unknowns::of(source);
    for item in source.inventory().into_iter().flat_map(|source| source.items()) {
        let declaration = Declaration {
            writer: Writer::Source,
            item,
            extent: Extent::Whole,
            from: input.tenant.to_string(),
            after: BTreeSet::new(),
            ignores_versions: false,
            overrides: None,
        };
        input.declare(declaration.item.id(), declaration);
    }
    if input.declared.is_empty() && reading.is_whole() && has_written(input, &Writer::Source) {
        emptied.insert(Writer::Source);
    }
    let prunes = input.view.spec.source_prunes();
    input.writers.insert(Writer::Source, WriterState { prunes, ..WriterState::read(reading) });
}

/// Whether an existing object was written for a writer.
fn has_written(input: &TenantInput<'_>, writer: &Writer) -> bool {
    let ours = input.live.records.iter().filter(|(id, r)| r.tenant == input.tenant && input.live.get(id).is_some());
    ours.flat_map(|(_, r)| r.fields.values()).any(|wrote| wrote.writers.contains(writer))
}

/// What decides whether a sync is carried out in a tenant.
struct Writers<'a> {
    order: &'a Order<'a>,
    scope: &'a Scope,
    gates: &'a Gates,
    planned: &'a BTreeMap<&'a str, PlannedTenant>,
}

fn declare_sync(
    writers: &Writers<'_>,
    sync: &Sync,
    input: &mut TenantInput<'_>,
    emptied: &mut BTreeSet<Writer>,
    findings: &mut Vec<Finding>,
) {
    let Writers { order, scope, gates, planned } = *writers;
    let from = sync.spec.from.as_str();
    let waits = gates.is_closed(&sync.writer, input.tenant);
    let carried = order.into.get(input.tenant).is_some_and(|syncs| syncs.iter().any(|s| std::ptr::eq(*s, sync)));
    let of_this = |reading: Unknowns, withheld: Withheld| WriterState {
        withheld,
        writes_connections: writes_connections(&sync.spec),
        ..WriterState::read(reading)
    };
    if !carried || waits || !scope.carries(&sync.writer) {
        let withheld = match scope.carries(&sync.writer) {
            true => withheld(sync, input, planned, waits),
            // The syncs out of scope are considered when the plan is narrowed.
            false => Withheld::Nothing,
        };
        input.writers.insert(sync.writer.clone(), of_this(Unknowns::broken(), withheld));
        return;
    }
    let Some(source) = planned.get(from) else {
        input.reading.depends_on(&Unknowns::broken());
        let withheld = Withheld::Anything("copies a tenant that cannot be read");
        input.writers.insert(sync.writer.clone(), of_this(Unknowns::broken(), withheld));
        return;
    };
    let reading = source.reading.clone();
    input.reading.depends_on(&reading);
    let misnamed = input.misnamed.get(&(sync.writer.clone(), input.tenant.to_string()));
    let state = WriterState {
        prunes: sync.spec.prunes(),
        deletes_connections: sync.spec.deletes_connections(),
        let_go: source.let_go.clone(),
        removes_not: misnamed.map(|name| format!("{} names {name}, which no integration has", sync.writer)),
        ..of_this(reading.clone(), Withheld::AsRead)
    };
    input.writers.insert(sync.writer.clone(), state);
    input.upstream.insert(from.to_string(), source.after.clone());
    let from_it = SourceSide { tenant: from, inventory: &source.after, replacements: &source.replacements };
    let promotion = promoted(sync, from_it, input, &|id| source.made_by.get(id).cloned());
    let of_sync = sync_findings(sync, input.tenant, &source.after, &reading, &promotion, input.world);
    let is_wrong = of_sync.iter().any(|f| f.severity == Severity::Error);
    findings.extend(of_sync);
    if is_wrong {
        // The sync is invalid for this tenant: it writes nothing there, and nothing counts as no longer declared.
        let declared = promotion.declarations.into_iter().map(|(id, _)| id).collect();
        let withheld = Withheld::These(declared, "writes nothing here until its errors are corrected");
        input.writers.insert(sync.writer.clone(), of_this(Unknowns::broken(), withheld));
        return;
    }
    if promotion.selected == 0 && reading.is_whole() && has_written(input, &sync.writer) {
        emptied.insert(sync.writer.clone());
    }
    input.add(&sync.writer, promotion);
}

/// The declarations of a sync in the tenant.
fn promoted(
    sync: &Sync,
    from: SourceSide<'_>,
    input: &TenantInput<'_>,
    made_by: &dyn Fn(&ObjectId) -> Option<String>,
) -> Promotion {
    let target = with_own_source(input);
    let to = TargetSide {
        tenant: input.tenant,
        inventory: &target,
        own_source: input.view.source.as_ref().and_then(View::inventory).map(AsRef::as_ref),
    };
    promote(sync, from, to, made_by)
}

/// What a sync that is not carried out would declare: it is suspended, waits for an earlier stage, or is part of a cycle.
/// A sync that the tenant does not accept declares nothing.
fn withheld(sync: &Sync, input: &TenantInput<'_>, planned: &BTreeMap<&str, PlannedTenant>, waits: bool) -> Withheld {
    let from = &sync.spec.from;
    if !input.view.spec.accept_from.contains(from) {
        return Withheld::Nothing;
    }
    let (why, unread) = match (sync.spec.is_suspended(), waits) {
        (true, _) => ("is suspended", "is suspended, and copies a tenant that cannot be read"),
        (false, true) => {
            ("waits for an earlier stage", "waits for an earlier stage, and copies a tenant that cannot be read")
        }
        (false, false) => return Withheld::Anything("is not carried out"),
    };
    let source = planned.get(from.as_str()).map(|source| source.after.clone());
    let source = source.or_else(|| input.world.tenants.get(from)?.live.inventory().cloned());
    let is_read =
        |source: &Arc<Inventory>| source.unparsed.is_empty() && !source.uses.values().any(|uses| uses.may_use_more());
    let Some(source) = source.filter(is_read) else {
        return Withheld::Anything(unread);
    };
    let replacements = Replacements::of(from, &source);
    let from = SourceSide { tenant: from, inventory: &source, replacements: &replacements };
    let mut ids: BTreeSet<ObjectId> =
        promoted(sync, from, input, &|_| None).declarations.into_iter().map(|(id, _)| id).collect();
    ids.extend(source.invalid.keys().cloned());
    Withheld::These(ids, why)
}

/// The maximum number of names in a message.
const FEW: usize = 8;

/// The target with its own source applied: its existing objects and its replacements.
fn with_own_source(input: &TenantInput<'_>) -> Arc<Inventory> {
    let Some(source) = input.view.source.as_ref().and_then(View::inventory) else { return input.live.clone() };
    let mut inventory = input.live.clone();
    for connection in source.connections.values() {
        let item = match input.live.connections.get(connection.name()) {
            None => Some(Item::Connection(connection.clone())),
            Some(live) if live.spec.replaces == connection.spec.replaces => None,
            Some(live) => after_own_source(input, live),
        };
        if let Some(item) = item {
            Arc::make_mut(&mut inventory).insert(item);
        }
    }
    let replacing = input.live.connections.values().filter(|c| !c.spec.replaces.is_empty());
    for connection in replacing.filter(|c| !source.connections.contains_key(c.name())) {
        let live = Item::Connection(connection.clone());
        if source_dropped_replaces(input, &live) {
            Arc::make_mut(&mut inventory).insert(live.with(&Field::of(FieldKind::Replaces), None));
        }
    }
    inventory
}

/// Whether a connection replaces older keys only because the tenant's own source declared it before, and no longer
/// does.
fn source_dropped_replaces(input: &TenantInput<'_>, live: &Item) -> bool {
    let field = Field::of(FieldKind::Replaces);
    let id = live.id();
    let wrote = input.live.record(input.tenant, &id).and_then(|r| r.fields.get(&field));
    wrote.is_some_and(|wrote| {
        wrote.writers.iter().all(|w| w.is_sync() || input.presence(w, &id) == WriterPresence::Stopped)
            && live.written(&field).is_some_and(|now| now.is_recorded_as(wrote.hash))
    })
}

/// A live connection with the declarations of its own source applied.
fn after_own_source(input: &TenantInput<'_>, live: &Arc<Object<ConnectionSpec>>) -> Option<Item> {
    let live = Item::Connection(live.clone());
    let id = live.id();
    let declarations = input.declared.get(&id).filter(|_| input.view.spec.allows(AllowedAction::Update))?;
    let of_source: Vec<Declaration> = declarations.iter().filter(|d| d.writer == Writer::Source).cloned().collect();
    let sides = Sides {
        tenant: input.tenant,
        live: Some(&live),
        record: input.live.record(input.tenant, &id),
        declarations: &of_source,
        drift: input.view.spec.drift(),
        presence: &|writer| input.presence(writer, &id),
        holder: &|field| input.live.holder(&id, field),
        hashes: &Hashes::default(),
        definition_is_gone: false,
        revert: None,
    };
    match difference(&sides)? {
        Difference::Fields(fields) => Some(live.with(&Field::of(FieldKind::Replaces), Some(&fields.after))),
        _ => None,
    }
}

fn sync_findings(
    sync: &Sync,
    tenant: &str,
    source: &Inventory,
    reading: &Unknowns,
    promotion: &Promotion,
    world: &World,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let from = &sync.spec.from;
    for pattern in &sync.spec.integrations {
        let id = ObjectId::new(Kind::Integration, pattern);
        let is_pattern = pattern.contains('*');
        let known = if is_pattern { reading.is_whole() } else { reading.knows(&id) };
        if !known || source.integrations.keys().any(|name| matches(pattern, name)) {
            continue;
        }
        let near = near_misses(pattern, source.integrations.keys().map(String::as_str));
        let there = || source.integrations.keys().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
        let fix = match near.first() {
            Some(near) => format!("did you mean {near}?"),
            None if source.integrations.is_empty() => format!("{from} has no integration"),
            None => format!("correct it, or take it out; {from} has {}", there()),
        };
        let (code, text) = match is_pattern {
            true => (Code::SyncMatchesNothing, format!("{pattern} matches no integration of {from}")),
            false => (Code::IntegrationMissing, format!("{from} has no integration {pattern}")),
        };
        let text = format!("{}: {text}", sync.writer);
        findings.push(Finding::of_sync(code, &sync.writer, Some(tenant), text, fix).at_path(&["spec", "integrations"]));
    }
    if sync.spec.prunes() && world.tenants.get(tenant).is_some_and(|view| !view.spec.allows(AllowedAction::Delete)) {
        let text =
            format!("{} prunes, and the policy of {tenant} does not allow Delete: nothing is removed", sync.writer);
        let owners = world.tenants.get(tenant).map(|view| policy_owners(tenant, &view.spec)).unwrap_or_default();
        let fix = format!("add Delete to policy.actions of {owners}, or take prune out");
        findings.push(
            Finding::of_sync(Code::PruneNeedsDelete, &sync.writer, Some(tenant), text, fix).at_path(&["spec", "prune"]),
        );
    }
    for (first, second) in &promotion.doubled {
        let what = sync.spec.overrides.get(*second).and_then(Override::changes);
        let what = what.map_or_else(|| "nothing".to_string(), |what| what.to_string());
        let text = format!("overrides {} and {} both change {what}", first + 1, second + 1);
        let fix = format!("keep one of them; until then {} writes nothing to {tenant}", sync.writer);
        let finding = Finding::of_sync(Code::OverrideTwice, &sync.writer, Some(tenant), text, fix);
        findings.push(finding.at_path(&["spec", "overrides", &second.to_string()]));
    }
    findings.extend(overrides::findings(sync, tenant, source, reading, promotion, world));
    findings
}

fn emptied_finding(writer: &Writer, tenant: &str, prunes: bool) -> Finding {
    let text = format!("{writer} declared something in {tenant} before and declares nothing now");
    let meant = if prunes { "approve what it removes" } else { "nothing is removed, since it does not prune" };
    let fix = format!("if that is meant, {meant}; else look for what went missing in its source");
    Finding::of_sync(Code::SourceEmpty, writer, Some(tenant), text, fix)
}

/// Findings about an invalid sync, or one that names a nonexistent tenant, which may copy to this tenant: its
/// declarations are unknown.
fn invalid_sync_findings(input: &TenantInput<'_>) -> Vec<Finding> {
    let tenant = input.tenant;
    let stopped = input.world.stopped.iter().filter(|(_, targets)| targets.includes(tenant));
    let misdirected = input.world.syncs.iter().filter(|sync| input.may_be_meant_by(sync)).map(|sync| &sync.writer);
    let finding = |writer: &Writer| {
        let text = format!("{writer} does not hold: what it would declare in {tenant} is unknown");
        let finding = Finding::of_sync(Code::ObjectInvalid, writer, Some(tenant), text, "correct its document");
        finding.of_severity(Severity::Warning)
    };
    stopped.map(|(writer, _)| writer).chain(misdirected).map(finding).collect()
}

fn assemble(scope: &Scope, targets: Vec<Target>, mut findings: Vec<Finding>) -> Plan {
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.severity, f.tenant.clone(), f.code, f.object.clone());
        (key(a), &a.text, &a.fix).cmp(&(key(b), &b.text, &b.fix))
    });
    findings.dedup();
    let mut plan = Plan {
        schema: PLAN_SCHEMA,
        scope: scope.clone(),
        targets,
        findings,
        skipped: Skipped::default(),
        counts: Counts::default(),
        exit: 0,
    };
    plan.recount();
    plan
}
