//! Objects that a plan removes in a tenant, for the tenants that copy it.

use crate::api::{Kind, Variable, names};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind};
use std::collections::{BTreeSet, HashMap};

/// The objects that a plan removes in one tenant, with the actions that do so: copies of the tenant wait for them.
#[derive(Debug, Default)]
pub(super) struct LetGo(HashMap<ObjectId, BTreeSet<String>>);

impl LetGo {
    /// Collects the objects that these actions remove.
    pub(super) fn by(actions: &[Action]) -> Self {
        let mut let_go = LetGo::default();
        for action in actions {
            let mut gone: Vec<ObjectId> = Vec::new();
            if action.action == ActionKind::Delete {
                gone.push(action.change.object.clone());
            }
            let after = named(action.change.after.as_ref());
            // A connection that an integration no longer uses is not copied any more.
            let dropped = named(action.change.before.as_ref()).into_iter().filter(|key| !after.contains(key));
            gone.extend(dropped.map(|key| ObjectId::new(Kind::Connection, names::of_stable_key(key))));
            for id in gone {
                let_go.0.entry(id).or_default().insert(action.id.clone());
            }
        }
        let_go
    }

    /// The actions that remove the original of an object that is removed here.
    pub(super) fn of<'s>(&'s self, item: &Item) -> impl Iterator<Item = String> + use<'s> {
        let older = match item {
            Item::Connection(connection) => connection.spec.replaces.clone(),
            _ => Vec::new(),
        };
        let older = older.into_iter().map(|key| ObjectId::new(Kind::Connection, names::of_stable_key(&key)));
        let ids: Vec<ObjectId> = std::iter::once(item.id()).chain(older).collect();
        ids.into_iter().filter_map(|id| self.0.get(&id)).flatten().cloned()
    }
}

/// The stable keys that an integration refers to.
fn named(item: Option<&Item>) -> BTreeSet<&str> {
    match item {
        Some(Item::Integration(i, _)) => i.spec.connections.iter().filter_map(Variable::stable_key).collect(),
        _ => BTreeSet::new(),
    }
}
