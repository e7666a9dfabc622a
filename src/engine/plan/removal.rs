//! Removal: an object goes only where a sync prunes, the tenant allows it, we made it, nobody changed
//! it since, and nothing uses it.

use super::digest;
use super::model::*;
use super::tenant::Draft;
use crate::api::*;
use crate::engine::bindings::Bindings;
use crate::engine::canonical::Digest;
use crate::engine::code::Code;
use crate::engine::diff::Standing;
use crate::engine::field::{Field, FieldKind};
use crate::engine::item::{Item, ObjectId};
use crate::engine::record::{Record, Writer};
use crate::engine::resolve::Replacements;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Adds the deletes of what no writer declares any more; integrations first, since they use connections.
pub(super) fn remove(draft: &mut Draft<'_>) {
    let input = draft.input;
    let undeclared: Vec<(&ObjectId, &Record, Item)> = input
        .live
        .records
        .iter()
        .filter(|(id, record)| record.tenant == input.tenant && !input.declared.contains_key(*id))
        .filter_map(|(id, record)| Some((id, record.as_ref(), input.live.get(id)?)))
        .collect();
    let (connections, integrations): (Vec<_>, Vec<_>) =
        undeclared.into_iter().partition(|(id, ..)| id.kind == Kind::Connection);
    for (id, record, live) in integrations {
        consider(draft, id, record, live, &BTreeMap::new());
    }
    if !connections.is_empty() {
        let in_use = in_use(draft);
        for (id, record, live) in connections {
            consider(draft, id, record, live, &in_use);
        }
    }
}

fn consider(draft: &mut Draft<'_>, id: &ObjectId, record: &Record, live: Item, in_use: &BTreeMap<String, String>) {
    let Some(writers) = stopped(draft, id, record) else { return };
    match obstacle(draft, id, record, &live, in_use) {
        None => delete(draft, id, live, record, writers),
        Some(why) => draft.notes.push(Note::Held {
            object: id.clone(),
            path: Vec::new(),
            by: draft.input.tenant.to_string(),
            text: Some(format!("no longer declared; it stays: {why}")),
            from: None,
            to: None,
        }),
    }
}

/// The writers of an object, where all of them have stopped declaring it and prune.
fn stopped(draft: &mut Draft<'_>, id: &ObjectId, record: &Record) -> Option<BTreeSet<Writer>> {
    let input = draft.input;
    let writers: BTreeSet<Writer> = record.writers().into_iter().cloned().collect();
    for gone in writers.iter().filter(|w| input.standing(w, id) == Standing::Gone) {
        draft.orphaned.entry(gone.clone()).or_default().insert(id.clone());
    }
    let prunes =
        |w: &Writer| input.standing(w, id) == Standing::Stopped && input.writers.get(w).is_some_and(|s| s.prunes);
    (!writers.is_empty() && writers.iter().all(prunes)).then_some(writers)
}

/// What keeps an object from being removed.
fn obstacle(
    draft: &Draft<'_>,
    id: &ObjectId,
    record: &Record,
    live: &Item,
    in_use: &BTreeMap<String, String>,
) -> Option<String> {
    let input = draft.input;
    if let Some(file) = draft.broken_file().or_else(|| input.world.unread.first().map(String::as_str)) {
        return Some(format!("nothing is removed while {file} cannot be read"));
    }
    if let Some(why) = input.live.read_only.get(id) {
        return Some(why.clone());
    }
    if let (Kind::Connection, Some(user)) = (id.kind, may_use_any(draft)) {
        return Some(format!("{user} cannot be read and may use it"));
    }
    if !record.made {
        return Some("others made it".to_string());
    }
    if !input.view.spec.allows(AllowedAction::Delete) {
        return Some("policy.actions of the tenant has no Delete".to_string());
    }
    let changed = record.fields.iter().find(|(field, wrote)| live.value(field).map(|v| v.hash()) != Some(wrote.hash));
    if let Some((field, _)) = changed {
        return Some(format!("{field} was changed since we wrote it"));
    }
    match live {
        Item::Connection(c) if !c.spec.may_be_deleted() => Some("its deletionPolicy is not Delete".to_string()),
        Item::Connection(_) => in_use.get(&id.name).map(|user| format!("{user} uses it")),
        Item::CustomerCredentials(c) if c.spec.is_of_customer() => Some("the customer supplied it".to_string()),
        _ => None,
    }
}

/// Something of the tenant that cannot be read and may use any of its connections.
fn may_use_any(draft: &Draft<'_>) -> Option<ObjectId> {
    let invalid = draft.after.invalid.keys();
    let users = |id: &&ObjectId| matches!(id.kind, Kind::Integration | Kind::CustomerCredentials);
    let unread = draft.after.uses.iter().filter(|(_, uses)| uses.unread.is_some()).map(|(name, _)| name);
    let unread = unread.map(|name| ObjectId::new(Kind::Integration, name));
    invalid.filter(users).cloned().chain(unread).next()
}

/// What uses each connection of the tenant as it will be, or would if it could be written; by the
/// connection's name.
fn in_use(draft: &Draft<'_>) -> BTreeMap<String, String> {
    let replacements = Replacements::of(draft.input.tenant, &draft.after);
    let bindings = Bindings::of(draft.input.tenant, &draft.after, &replacements);
    let bound = draft.wanted.iter().flat_map(|(id, variables)| variables.values().map(move |c| (c.name(), id)));
    let wanted: BTreeMap<&str, &ObjectId> = bound.collect();
    let user = |connection: &String| {
        let integration = bindings.users(connection).next().map(|row| format!("Integration/{}", row.integration));
        integration
            .or_else(|| bindings.customers(connection).first().map(|c| format!("CustomerCredentials/{c}")))
            .or_else(|| wanted.get(connection.as_str()).map(ToString::to_string))
    };
    draft.after.connections.keys().filter_map(|name| Some((name.clone(), user(name)?))).collect()
}

fn delete(draft: &mut Draft<'_>, id: &ObjectId, live: Item, record: &Record, writers: BTreeSet<Writer>) {
    let after = match &live {
        Item::Connection(connection) => actions_that_let_go(draft, connection),
        _ => BTreeSet::new(),
    };
    let names: Vec<String> = writers.iter().map(ToString::to_string).collect();
    let mut action = Action {
        id: format!("{}/{id}", draft.input.tenant),
        digest: Digest::of(&[]),
        action: ActionKind::Delete,
        writers,
        reason: Reason { code: "undeclared", text: format!("{} no longer declares it", names.join(" and ")) },
        after,
        fields: lost(draft, &live, record),
        impact: Impact::default(),
        needs_approval: Vec::new(),
        at: None,
        change: Change {
            object: id.clone(),
            before: Some(live),
            after: None,
            record: None,
            definition: None,
            resumptions: Vec::new(),
        },
    };
    action.digest = digest::of_action(&action, &Value::Null);
    draft.actions.push(action);
    let inventory = Arc::make_mut(&mut draft.after);
    inventory.remove(id);
    inventory.records.remove(id);
}

/// What goes with an object though we never wrote it: what the target's people added, which nothing brings back.
fn lost(draft: &Draft<'_>, live: &Item, record: &Record) -> Vec<FieldChange> {
    let secrets = draft.secret_literals(live);
    // That it may be deleted is why it is.
    let is_theirs = |field: &Field<'_>| {
        record.wrote(field).is_none() && field.kind != FieldKind::DeletionPolicy && !field.kind.is_immutable()
    };
    let fields = live.fields(true).into_iter().filter(|(field, _)| is_theirs(field));
    let taken = fields.map(|(field, value)| {
        let is_secret = field.is_input() && secrets.contains(&field.name.as_ref());
        let from = if is_secret { json!({"hidden": true}).into() } else { value.to_json() };
        FieldChange { field: field.into_owned(), op: Op::Remove, from: Some(from), to: None, by: None }
    });
    taken.collect()
}

/// The actions after which integrations no longer use a connection: they must come first.
fn actions_that_let_go(draft: &Draft<'_>, connection: &Object<ConnectionSpec>) -> BTreeSet<String> {
    let answers = |key: &str| connection.spec.stable_key == key || connection.spec.replaces.iter().any(|k| k == key);
    let names_it = |item: &Option<Item>| match item {
        Some(Item::Integration(i, _)) => i.spec.connections.iter().filter_map(Variable::stable_key).any(answers),
        _ => false,
    };
    draft.actions.iter().filter(|a| names_it(&a.change.before)).map(|a| a.id.clone()).collect()
}

/// Whether so many updates and deletes need approval: a share of the live objects, in percent and from how
/// many live objects on.
pub fn is_too_many(changes: usize, live: usize, (percent, from): (u32, u32)) -> bool {
    live >= from as usize && changes * 100 >= live * percent as usize
}

/// Marks what a person must approve because of the whole target: too many changes, and writers that
/// have become empty.
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
