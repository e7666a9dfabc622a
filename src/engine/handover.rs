//! The handover of a tenant to a sync: which differences become overrides, and what the tenant's own source need not
//! declare any more. Afterwards the plan has nothing to change in objects that the tenant has, and a change in the
//! sync's source is an update there.

use super::diff::{Declaration, Extent};
use super::model::field::{Field, FieldKind, FieldValue};
use super::model::inventory::{Inventory, Sync, View, World};
use super::model::item::{Item, ObjectId};
use super::model::plan::Scope;
use super::plan::{plan_uncounted, simulate};
use super::promote::{SourceSide, TargetSide, promote};
use super::resolve::Replacements;
use crate::api::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The maximum number of overrides of a sync.
const MOST_OVERRIDES: usize = 256;
/// How often overrides can lead to further connections; more is never needed.
const MOST_ROUNDS: usize = 64;

/// What changes when a sync begins to feed a tenant.
#[derive(Clone, Debug, Default)]
pub struct Handover {
    /// The overrides to add to the sync.
    pub overrides: Vec<Override>,
    /// What the tenant's own source declares and the sync brings.
    pub taken: BTreeMap<ObjectId, Taken>,
    /// Objects whose component, type or credentials differ, with the field: the sync cannot bring them.
    pub other_kind: BTreeMap<ObjectId, Field<'static>>,
    /// Differences that stay as the source declares them, since no value of an override can say them, or the sync has
    /// no room.
    pub stays: BTreeMap<ObjectId, BTreeSet<Field<'static>>>,
}

/// The part of an object that the tenant's own source need not declare any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All of it.
    Whole,
    /// These fields; the sync does not bring the others.
    Fields(BTreeSet<Field<'static>>),
}

/// A tenant that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{tenant} cannot be read: {why}")]
pub struct Unread {
    pub tenant: String,
    pub why: String,
}

/// Compares what a sync declares in a tenant with what the tenant would have without it. `world` may have the sync
/// already. Each difference becomes an override with this reason, except a pending update of the sync itself.
pub fn handover(world: &World, sync: &Sync, tenant: &str, reason: &str) -> Result<Handover, Unread> {
    let mut without = world.clone();
    without.syncs.retain(|other| other.writer != sync.writer);
    let settled = simulate(&without, &plan_uncounted(&without, &Scope::default()));
    let from = read(&settled, &sync.spec.from)?;
    let there = read(&settled, tenant)?;
    let source = world.tenants.get(tenant).and_then(|view| view.source.as_ref());
    let own = match source {
        None => None,
        Some(View::Read(own)) => Some(own.clone()),
        Some(View::Unreachable(why)) => return Err(Unread { tenant: tenant.to_string(), why: why.clone() }),
    };
    let target = Target { tenant, live: read(world, tenant)?, there: &there, own: own.as_deref(), sync, reason };
    let replacements = Replacements::of(&sync.spec.from, &from);
    let side = SourceSide { tenant: &sync.spec.from, inventory: &from, replacements: &replacements };
    let mut result = Handover::default();
    let mut carried = sync.clone();
    let mut left = own.clone();
    // An override may bind a variable to another connection, which the sync brings then.
    for _ in 0..MOST_ROUNDS {
        let to = TargetSide { tenant, inventory: &there, own_source: left.as_deref() };
        let promotion = promote(&carried, side, to, &|_| None);
        let before = (result.overrides.len(), result.taken.clone());
        (result.stays, result.other_kind) = (BTreeMap::new(), BTreeMap::new());
        for (id, declaration) in &promotion.declarations {
            target.object(id, declaration, &mut result);
        }
        if before == (result.overrides.len(), result.taken.clone()) {
            break;
        }
        let spec = Arc::make_mut(&mut carried.spec);
        spec.overrides.extend(result.overrides.iter().skip(before.0).cloned());
        left = own.as_deref().map(|own| Arc::new(without_taken(own, &result.taken)));
    }
    Ok(result)
}

fn read(world: &World, tenant: &str) -> Result<Arc<Inventory>, Unread> {
    let unread = |why: &str| Unread { tenant: tenant.to_string(), why: why.to_string() };
    match world.tenants.get(tenant).map(|view| &view.live) {
        Some(View::Read(inventory)) => Ok(inventory.clone()),
        Some(View::Unreachable(why)) => Err(unread(why)),
        None => Err(unread("there is no such tenant")),
    }
}

/// A source without what a sync brings.
fn without_taken(own: &Inventory, taken: &BTreeMap<ObjectId, Taken>) -> Inventory {
    let mut left = own.clone();
    for (id, taken) in taken {
        match (taken, own.get(id)) {
            (Taken::Whole, _) => left.remove(id),
            (Taken::Fields(fields), Some(item)) => {
                left.insert(fields.iter().fold(item, |item, field| item.with(field, None)));
            }
            (Taken::Fields(_), None) => {}
        }
    }
    left
}

/// The tenant that the sync feeds.
struct Target<'a> {
    tenant: &'a str,
    /// Its live state.
    live: Arc<Inventory>,
    /// Its state without the sync, after the plan.
    there: &'a Inventory,
    /// What its own source declares.
    own: Option<&'a Inventory>,
    sync: &'a Sync,
    reason: &'a str,
}

impl Target<'_> {
    /// Compares one object.
    fn object(&self, id: &ObjectId, declaration: &Declaration, result: &mut Handover) {
        // What a sync only creates belongs to the tenant once it is there.
        if declaration.extent == Extent::Existence {
            return;
        }
        let Some(theirs) = self.there.get(id) else { return };
        let (ours, theirs) = (self.comparable(declaration.item.clone()), self.comparable(theirs));
        let own = self.own.and_then(|own| own.get(id)).map(|own| self.comparable(own));
        let mut brought = BTreeSet::new();
        for (field, value) in ours.fields(false) {
            let there = self.value(&field, &theirs, own.as_ref());
            if there.is_some_and(|there| there.is(&value)) || self.is_pending(id, &field) {
                brought.insert(field.into_owned());
            } else if field.kind.is_immutable() {
                result.other_kind.insert(id.clone(), field.into_owned());
                return;
            } else if there.is_none() && field.kind == FieldKind::EmbeddedWorkflows {
                // A person sets it, and the tenant says nothing of it.
            } else if declaration.overrides.as_ref().is_none_or(|o| o.decision(&field).is_none()) {
                let key = match &ours {
                    Item::Connection(connection) => Some(connection.spec.stable_key.as_str()),
                    _ => None,
                };
                let new = self.override_of(id, key, &field, &value, there);
                let is_full = self.sync.spec.overrides.len() + result.overrides.len() >= MOST_OVERRIDES;
                // The source goes before a sync, so that an override of what it declares has no effect.
                let is_declared = own.as_ref().is_some_and(|own| own.written(&field).is_some());
                if is_full || new.keep.is_some() && is_declared {
                    result.stays.entry(id.clone()).or_default().insert(field.into_owned());
                } else {
                    result.overrides.push(new);
                }
            }
        }
        if let Some(own) = own
            && let Some(taken) = taken(&own, brought)
        {
            result.taken.insert(id.clone(), taken);
        }
    }

    /// An object without what the location does not know.
    fn comparable(&self, mut item: Item) -> Item {
        if !self.live.can.has_labels {
            item.forget_labels();
        }
        if self.live.can.has_no_empty_inputs {
            item.forget_empty_inputs();
        }
        item
    }

    /// The value of a field in the tenant. Where a person sets the toggle for embedded workflows, the source says it.
    fn value<'i>(&self, field: &Field<'_>, theirs: &'i Item, own: Option<&'i Item>) -> Option<FieldValue<'i>> {
        if field.kind == FieldKind::EmbeddedWorkflows && !self.live.can.writes_embedded {
            return own.and_then(|own| own.written(field));
        }
        theirs.value(field)
    }

    /// Whether a field is as this sync wrote it: a difference is then an update that waits.
    fn is_pending(&self, id: &ObjectId, field: &Field<'_>) -> bool {
        let Some(record) = self.live.record(self.tenant, id) else { return false };
        let Some(wrote) = record.wrote(field) else { return false };
        let live = self.live.get(id);
        let as_recorded = live.and_then(|live| Some(live.value(field)?.is_recorded_as(wrote.hash))).unwrap_or(false);
        as_recorded && wrote.writers.contains(&self.sync.writer)
    }

    /// The override that keeps the tenant's value; `keep` where no value can say it.
    fn override_of(
        &self,
        id: &ObjectId,
        key: Option<&str>,
        field: &Field<'_>,
        ours: &FieldValue<'_>,
        theirs: Option<FieldValue<'_>>,
    ) -> Override {
        let base = Override { tenant: self.tenant.to_string(), reason: self.reason.to_string(), ..Override::default() };
        let name = || Some(field.name.to_string());
        let of_connection = || Override { stable_key: key.map(str::to_string), ..base.clone() };
        let of_field = |value: &str| Override {
            field: Some(field.path().join(".")),
            value: Some(value.to_string()),
            ..of_connection()
        };
        match (field.kind, ours, theirs) {
            (FieldKind::Input, _, Some(FieldValue::Input(Input::Value(value)))) => {
                Override { input: name(), value: Some(value.clone()), ..of_connection() }
            }
            (FieldKind::Input, _, Some(FieldValue::Input(Input::SecretRef(secret)))) => {
                Override { input: name(), secret_ref: Some(secret.clone()), ..of_connection() }
            }
            (FieldKind::Title | FieldKind::Description, _, Some(FieldValue::Text(text))) if key.is_some() => {
                of_field(text)
            }
            (FieldKind::EmbeddedWorkflows, _, Some(FieldValue::Bool(value))) => {
                of_field(if value { "true" } else { "false" })
            }
            (FieldKind::Variable, FieldValue::Variable(ours), Some(FieldValue::Variable(theirs)))
                if ours.stable_key().is_some() && theirs.stable_key().is_some() =>
            {
                Override {
                    stable_key: theirs.stable_key().map(str::to_string),
                    integration: Some(id.name.clone()),
                    variable: name(),
                    ..base
                }
            }
            _ => {
                Override { object: Some(id.to_string()), field: Some(field.path().join(".")), keep: Some(True), ..base }
            }
        }
    }
}

/// The part of an object in a source that is brought by a sync; `None` if there is none.
fn taken(own: &Item, brought: BTreeSet<Field<'static>>) -> Option<Taken> {
    let is_left = |field: &Field<'_>| {
        let brought: &BTreeSet<Field<'_>> = &brought;
        !brought.contains(field) && !field.kind.is_immutable()
    };
    if !own.fields(true).iter().any(|(field, _)| is_left(field)) {
        return Some(Taken::Whole);
    }
    // What identifies an object stays as long as anything of it does.
    let fields: BTreeSet<Field<'static>> =
        brought.into_iter().filter(|field| !field.kind.is_immutable() && own.written(field).is_some()).collect();
    (!fields.is_empty()).then_some(Taken::Fields(fields))
}
