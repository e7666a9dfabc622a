//! Removal: an object is deleted only if its writer prunes, the tenant allows it, Stablekey created it, nobody changed
//! it since, and nothing uses it.

use super::draft::Draft;
use super::{digest, redirects, senders, sent_before};
use crate::api::*;
use crate::engine::bindings::Bindings;
use crate::engine::diff::WriterPresence;
use crate::engine::model::code::Code;
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::*;
use crate::engine::model::record::{Record, Writer};
use crate::engine::resolve::{Replacements, resolve_credentials};
use crate::text::count;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Adds deletes of objects that no writer declares any more; integrations first, since they use connections.
pub(super) fn remove(draft: &mut Draft<'_>) {
    let input = draft.input;
    let undeclared: Vec<(&ObjectId, &Record, Item)> = input
        .live
        .records
        .iter()
        .filter(|(id, record)| record.tenant == input.tenant && !input.declared.contains_key(*id))
        .filter_map(|(id, record)| Some((id, record.as_ref(), input.live.get(id)?)))
        .collect();
    // Users first: integrations use connections, and connections use components.
    let of = |wanted: &dyn Fn(Kind) -> bool| undeclared.iter().filter(|(id, ..)| wanted(id.kind)).collect::<Vec<_>>();
    for (id, record, live) in of(&|kind| !matches!(kind, Kind::Connection | Kind::Component)) {
        consider(draft, id, record, live.clone(), &BTreeMap::new());
    }
    let connections = of(&|kind| kind == Kind::Connection);
    let used = if connections.is_empty() { BTreeMap::new() } else { in_use(draft) };
    for (id, record, live) in connections {
        consider(draft, id, record, live.clone(), &used);
    }
    let components = of(&|kind| kind == Kind::Component);
    let used = if components.is_empty() { BTreeMap::new() } else { components_in_use(draft) };
    for (id, record, live) in components {
        consider(draft, id, record, live.clone(), &used);
    }
}

fn consider(draft: &mut Draft<'_>, id: &ObjectId, record: &Record, live: Item, in_use: &BTreeMap<String, String>) {
    let writers: BTreeSet<Writer> = record.writers().into_iter().cloned().collect();
    let Some(whoever_stays) = stopped(draft, id, &writers) else { return };
    let waits = || writers.iter().find_map(|w| draft.input.writers.get(w)?.removes_not.clone());
    let why = whoever_stays
        .or_else(|| draft.input.may_be_declared(id))
        .or_else(waits)
        .or_else(|| obstacle(draft, id, record, &live, &writers, in_use));
    match why {
        None => delete(draft, id, live, record, writers),
        Some(why) => draft.notes.push(Note::Kept {
            object: id.clone(),
            path: Vec::new(),
            by: draft.input.tenant.to_string(),
            text: Some(format!("no longer declared; it stays: {why}")),
            from: None,
            to: None,
            parts: Vec::new(),
        }),
    }
}

/// Whether the writers of an object have stopped declaring it, and the reason why it is kept if one of them does not
/// remove it; `None` if that is unknown, or no writer has stopped.
fn stopped(draft: &mut Draft<'_>, id: &ObjectId, writers: &BTreeSet<Writer>) -> Option<Option<String>> {
    let input = draft.input;
    let presence: Vec<(&Writer, WriterPresence)> = writers.iter().map(|w| (w, input.presence(w, id))).collect();
    for (gone, _) in presence.iter().filter(|(_, presence)| *presence == WriterPresence::Gone) {
        draft.orphaned.entry((*gone).clone()).or_default().insert(id.clone());
    }
    let any = |wanted: WriterPresence| presence.iter().any(|(_, presence)| *presence == wanted);
    if any(WriterPresence::Unsure) || !any(WriterPresence::Stopped) {
        return None;
    }
    let prunes = |w: &Writer| input.writers.get(w).is_some_and(|state| state.prunes);
    Some(presence.into_iter().find_map(|(writer, presence)| match presence {
        WriterPresence::Stopped | WriterPresence::Unsure if prunes(writer) => None,
        WriterPresence::Stopped | WriterPresence::Unsure => Some(format!("{writer} does not prune")),
        WriterPresence::Gone => {
            let is_there = input.world.syncs.iter().any(|sync| sync.writer == *writer);
            let how = if is_there { "which no longer goes here" } else { "which is gone" };
            Some(format!("{writer}, {how}, wrote it too"))
        }
        WriterPresence::Lasting => Some(format!("{writer} wrote it too")),
    }))
}

/// The obstacle to removing an object.
fn obstacle(
    draft: &Draft<'_>,
    id: &ObjectId,
    record: &Record,
    live: &Item,
    writers: &BTreeSet<Writer>,
    in_use: &BTreeMap<String, String>,
) -> Option<String> {
    let input = draft.input;
    if let Some(file) = draft.broken_file().or_else(|| input.world.unread.first().map(String::as_str)) {
        return Some(format!("nothing is removed while {file} cannot be read"));
    }
    if let Some(why) = input.live.read_only.get(id) {
        return Some(why.to_string());
    }
    if let (Kind::Connection, Some(user)) = (id.kind, may_use_any(draft)) {
        return Some(format!("{user} may use it: what it uses cannot be read"));
    }
    if !record.made {
        return Some("others made it".to_string());
    }
    if !input.view.spec.allows(AllowedAction::Delete) {
        return Some("policy.actions of the tenant has no Delete".to_string());
    }
    let changed =
        record.fields.iter().find(|(field, wrote)| !live.value(field).is_some_and(|v| v.is_recorded_as(wrote.hash)));
    if let Some((field, _)) = changed {
        return Some(format!("{field} was changed since Stablekey wrote it"));
    }
    // Its own policy counts; without one, that of the syncs that created it.
    let of_syncs = || writers.iter().all(|w| input.writers.get(w).is_some_and(|state| state.deletes_connections));
    let may_be_deleted = |c: &ConnectionSpec| c.may_be_deleted() || (c.deletion_policy.is_none() && of_syncs());
    if id.kind == Kind::Connection && input.live.facts.get(&id.name).is_some_and(|facts| facts.is_kept) {
        return Some("your account may not remove it on the platform".to_string());
    }
    match live {
        Item::Connection(c) if !may_be_deleted(&c.spec) => Some("its deletionPolicy is not Delete".to_string()),
        Item::Connection(_) => in_use.get(&id.name).map(|user| format!("{user} uses it")),
        Item::CustomerCredentials(c) if c.spec.is_of_customer() => Some("the customer supplied it".to_string()),
        // A component declares secrets and endpoints as long as it has a connection.
        Item::Component(_) => in_use.get(&id.name).map(|user| format!("{user} uses it")),
        _ => None,
    }
}

/// An unreadable item of the tenant that may use any of its connections.
fn may_use_any(draft: &Draft<'_>) -> Option<ObjectId> {
    let invalid = draft.after.invalid.keys();
    let users = |id: &&ObjectId| matches!(id.kind, Kind::Integration | Kind::CustomerCredentials);
    let unread = draft.after.uses.iter().filter(|(_, uses)| uses.may_use_more()).map(|(name, _)| name);
    let unread = unread.map(|name| ObjectId::new(Kind::Integration, name));
    invalid.filter(users).cloned().chain(unread).next()
}

/// The user of each connection in the tenant after the plan, including declared users that are blocked; by the
/// connection's name.
fn in_use(draft: &Draft<'_>) -> BTreeMap<String, String> {
    let replacements = Replacements::of(draft.input.tenant, &draft.after);
    let bindings = Bindings::of(draft.input.tenant, &draft.after, &replacements);
    let bound = draft.wanted.iter().flat_map(|(id, wanted)| wanted.iter().map(move |c| (c.name(), id)));
    let mut wanted: BTreeMap<&str, &ObjectId> = bound.collect();
    // Declared credentials that are blocked count too: the connection declares which of their inputs are secrets.
    let declared = draft.input.declared.iter().filter(|(id, _)| id.kind == Kind::CustomerCredentials);
    let declared: Vec<(String, &ObjectId)> = declared
        .flat_map(|(id, declarations)| declarations.iter().map(move |d| (id, d)))
        .filter_map(|(id, d)| match &d.item {
            Item::CustomerCredentials(c) => {
                let meant = resolve_credentials(draft.input.tenant, c, &draft.after, &replacements);
                Some((meant.connection()?.name().to_string(), id))
            }
            _ => None,
        })
        .collect();
    wanted.extend(declared.iter().map(|(connection, id)| (connection.as_str(), *id)));
    let workflows: BTreeMap<&str, &str> = draft
        .after
        .workflows
        .iter()
        .flat_map(|(workflow, keys)| keys.iter().map(move |key| (key.as_str(), workflow.as_str())))
        .collect();
    let by_workflow = |connection: &String| {
        let key = draft.after.connections.get(connection).map(|c| c.spec.stable_key.as_str())?;
        let unread = || {
            draft.after.unread_workflows.first().map(|workflow| format!("{workflow}, which cannot be read, perhaps"))
        };
        workflows.get(key).map(|workflow| format!("workflow {workflow:?}")).or_else(unread)
    };
    let user = |connection: &String| {
        let integration = bindings.users(connection).next().map(|row| format!("Integration/{}", row.integration));
        integration
            .or_else(|| bindings.customers(connection).first().map(|c| format!("CustomerCredentials/{c}")))
            .or_else(|| wanted.get(connection.as_str()).map(ToString::to_string))
            .or_else(|| by_workflow(connection))
    };
    draft.after.connections.keys().filter_map(|name| Some((name.clone(), user(name)?))).collect()
}

/// The user of each component, by the component's name: in the tenant after the plan, and declared for it even if
/// blocked.
fn components_in_use(draft: &Draft<'_>) -> BTreeMap<String, String> {
    let mut used = BTreeMap::new();
    let declared = draft.input.declared.values().flatten().map(|d| d.item.clone());
    for item in draft.after.items().chain(declared) {
        for component in components_of(&item) {
            used.entry(component).or_insert_with(|| item.id().to_string());
        }
    }
    used
}

/// The names of the components of a connection, or of an integration's own connections.
pub(super) fn components_of(item: &Item) -> Vec<String> {
    let name = |component: &ComponentRef| names::of_component(&component.key, component.is_public());
    match item {
        Item::Connection(c) => vec![name(&c.spec.component)],
        Item::Integration(i, _) => {
            let own = |v: &Variable| if let Means::Own(own) = &v.means { Some(name(&own.component)) } else { None };
            i.spec.connections.iter().filter_map(own).collect()
        }
        Item::Component(_) | Item::CustomerCredentials(_) => Vec::new(),
    }
}

fn delete(draft: &mut Draft<'_>, id: &ObjectId, live: Item, record: &Record, writers: BTreeSet<Writer>) {
    let mut after = match &live {
        Item::Connection(connection) => {
            let mut after = actions_that_let_go(draft, connection);
            after.extend(actions_that_replace(draft, connection));
            after
        }
        Item::Component(component) => {
            let was_of_it = |a: &&Action| a.change.before.iter().flat_map(components_of).any(|c| c == component.name());
            draft.actions.iter().filter(was_of_it).map(|a| a.id.clone()).collect()
        }
        _ => BTreeSet::new(),
    };
    after.extend(writers.iter().filter_map(|w| draft.input.writers.get(w)).flat_map(|w| w.let_go.of(&live)));
    after.extend(draft.redirects.of(&senders::named_by(Some(&live))).cloned());
    let redirect = redirects::of_removal(draft, &live);
    let left = sent_before::left_by(draft, &live, record);
    let names: Vec<String> = writers.iter().map(ToString::to_string).collect();
    let text = format!("{} no longer declares it", names.join(" and "));
    let reason = Reason { code: "undeclared", text };
    let mut action = Action::of(draft.input.tenant, id, ActionKind::Delete, reason);
    (action.writers, action.after) = (writers, after);
    action.fields = lost(draft, &live, record);
    (action.change.before, action.change.left) = (Some(live), left);
    action.needs_approval.extend(redirect);
    action.needs_approval.extend(lost_for_good(draft, id));
    action.digest = digest::of_action(&action, &Value::Null);
    draft.actions.push(action);
    let inventory = Arc::make_mut(&mut draft.after);
    inventory.remove(id);
    inventory.records.remove(id);
}

/// What a removal ends that nobody can bring back: sign-ins of customers, and old versions of integrations.
fn lost_for_good(draft: &Draft<'_>, id: &ObjectId) -> Option<Approval> {
    let facts = draft.input.live.facts.get(&id.name).filter(|_| id.kind == Kind::Connection)?;
    let unknown = |what: &str| format!("{what}, how many is unknown,");
    let versions = match facts.integrations {
        Some(0) => None,
        Some(some) => Some(format!("old versions of {}", count(some, "integration", "integrations"))),
        None => Some(unknown("old versions of integrations")),
    };
    let customers = match facts.sets.or(facts.customers) {
        Some(0) => None,
        Some(some) => Some(format!("the credentials of {}", count(some, "customer", "customers"))),
        None => Some(unknown("the credentials of customers")),
    };
    let why = match (versions, customers) {
        (None, None) => return None,
        (Some(versions), None) => format!("{versions} use it, and can never be enabled again"),
        (None, Some(customers)) => format!("{customers} go with it"),
        (Some(versions), Some(customers)) => {
            format!("{versions} use it, and can never be enabled again; {customers} go with it")
        }
    };
    Some(Approval { code: Code::VersionsLost, why })
}

/// Fields of a deleted object that Stablekey never wrote: additions of the target's people, which cannot be restored.
fn lost(draft: &Draft<'_>, live: &Item, record: &Record) -> Vec<FieldChange> {
    let secrets = draft.secret_literals(live);
    let is_unknown = draft.unread_type(live).is_some();
    // A deletionPolicy of Delete is the reason for the removal.
    let is_theirs = |field: &Field<'_>| {
        record.wrote(field).is_none() && field.kind != FieldKind::DeletionPolicy && !field.kind.is_immutable()
    };
    let fields = live.fields(true).into_iter().filter(|(field, _)| is_theirs(field));
    let taken = fields.map(|(field, value)| {
        let is_secret = field.is_input() && (is_unknown || secrets.contains(&field.name.as_ref()));
        let from = if is_secret { json!({"hidden": true}).into() } else { value.to_json() };
        FieldChange {
            field: field.into_owned(),
            op: Op::Remove,
            from: Some(from),
            to: None,
            parts: Vec::new(),
            by: None,
        }
    });
    taken.collect()
}

/// The actions on connections that replace this one: if one of them waits or fails, this connection is kept.
fn actions_that_replace(draft: &Draft<'_>, connection: &Object<ConnectionSpec>) -> Vec<String> {
    let keys = || std::iter::once(&connection.spec.stable_key).chain(&connection.spec.replaces);
    let replaces = |action: &&Action| match &action.change.after {
        Some(Item::Connection(newer)) => newer.spec.replaces.iter().any(|older| keys().any(|key| key == older)),
        _ => false,
    };
    let writes = draft.actions.iter().filter(|action| action.action != ActionKind::Adopt);
    writes.filter(replaces).map(|action| action.id.clone()).collect()
}

/// The actions after which integrations no longer use a connection; they must be done before.
fn actions_that_let_go(draft: &Draft<'_>, connection: &Object<ConnectionSpec>) -> BTreeSet<String> {
    let resolves = |key: &str| connection.spec.stable_key == key || connection.spec.replaces.iter().any(|k| k == key);
    let names_it = |item: &Option<Item>| match item {
        Some(Item::Integration(i, _)) => i.spec.connections.iter().filter_map(Variable::stable_key).any(resolves),
        _ => false,
    };
    draft.actions.iter().filter(|a| names_it(&a.change.before)).map(|a| a.id.clone()).collect()
}

/// The number of objects that a share is based on: those before the recent changes, if they are many enough for the
/// rule.
pub fn measured_by(before: Option<usize>, live: usize, (_, from): (u32, u32)) -> usize {
    before.filter(|before| *before >= from as usize).map_or(live, |before| before.min(live))
}

/// Whether this number of updates and deletes needs approval: a share of the live objects, in percent and from a
/// minimum number of live objects.
pub fn is_too_many(changes: usize, live: usize, (percent, from): (u32, u32)) -> bool {
    live >= from as usize && changes * 100 >= live * percent as usize
}

/// Marks actions that need approval because of the whole target: too many changes, and writers that declare nothing any
/// more.
pub(super) fn mark(target: &mut Target, live: usize, recent: usize, approval: (u32, u32), emptied: &BTreeSet<Writer>) {
    let changes = |a: &Action| matches!(a.action, ActionKind::Update | ActionKind::Delete);
    let changed = target.actions.iter().filter(|a| changes(a)).count();
    if changed > 0 && is_too_many(changed + recent, live, approval) {
        let before = if recent > 0 { format!(" after {recent} a short while ago") } else { String::new() };
        let why = format!("{changed} of {live} objects would change{before}: {} % or more", approval.0);
        for action in target.actions.iter_mut().filter(|a| changes(a)) {
            action.needs_approval.push(Approval { code: Code::TooManyChanges, why: why.clone() });
        }
    }
    for action in target.actions.iter_mut().filter(|a| changes(a)) {
        if let Some(writer) = action.writers.iter().find(|w| emptied.contains(w)) {
            let why = format!("{writer} declared something before and declares nothing now");
            action.needs_approval.push(Approval { code: Code::SourceEmpty, why });
        }
    }
}
