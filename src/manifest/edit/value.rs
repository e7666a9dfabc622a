//! Values independent of their formatting: the intended result of an edit.

use super::identity::{IDENTITY, KEYED_LISTS, identity, position};
use super::{EMPTIED, Edit, EditError};
use crate::manifest::scalar::Plain;
use crate::manifest::tree::{Id, NodeKind, Tree};

/// A value that keeps the order of its keys.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Text(String),
    /// A number or another plain scalar, as written.
    Other(String),
    Map(Vec<(String, Value)>),
    List(Vec<Value>),
    /// An alias, as written; it is not resolved.
    Alias(String),
    /// A value that `<<` merged, as written at its anchor.
    Merged(String),
    /// A key that is not a string.
    Opaque,
}

impl Value {
    /// Reads the value of a node.
    pub(super) fn of(tree: &Tree<'_>, id: Id) -> Value {
        let node = tree.node(id);
        let written = |id: Id| tree.text.get(tree.node(id).span()).unwrap_or_default().to_string();
        match &node.kind {
            NodeKind::Alias(_) => Value::Alias(written(id)),
            NodeKind::Scalar { text, .. } => match tree.plain(id) {
                None => Value::Text(text.to_string()),
                Some(Plain::Null) => Value::Null,
                Some(Plain::Bool(value)) => Value::Bool(value),
                Some(_) => Value::Other(text.to_string()),
            },
            NodeKind::List { items, .. } => Value::List(items.iter().map(|id| Value::of(tree, *id)).collect()),
            NodeKind::Map { entries, .. } => {
                let value = |e: &crate::manifest::tree::MapEntry| match (tree.scalar(e.key), e.merged) {
                    (None, _) => (String::new(), Value::Opaque),
                    (Some(key), true) => (key.to_string(), Value::Merged(written(e.value))),
                    (Some(key), false) => (key.to_string(), Value::of(tree, e.value)),
                };
                Value::Map(entries.iter().map(value).collect())
            }
        }
    }

    /// Converts a JSON value, with its keys in the order in which people write them.
    pub(super) fn of_json(json: &serde_json::Value) -> Value {
        use serde_json::Value as Json;
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::String(text) => Value::Text(text.clone()),
            Json::Number(number) => Value::Other(number.to_string()),
            Json::Array(items) => Value::List(items.iter().map(Value::of_json).collect()),
            Json::Object(map) => {
                let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.clone(), Value::of_json(value))).collect();
                entries.sort_by_key(|(key, _)| rank(key));
                Value::Map(entries)
            }
        }
    }

    /// Whether both values are equal, independent of the order of keys.
    pub(super) fn has_same_value(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Map(ours), Value::Map(theirs)) => {
                let same = |(key, value): &(String, Value)| {
                    let mut of_key = theirs.iter().filter(|(name, _)| name == key);
                    let found = of_key.next().is_some_and(|(_, other)| value.has_same_value(other));
                    found && of_key.next().is_none()
                };
                ours.len() == theirs.len() && (ours.iter().all(same) || self == other)
            }
            (Value::List(ours), Value::List(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| a.has_same_value(b))
            }
            _ => self == other,
        }
    }

    /// The value under a key.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Whether two maps are versions of one map, not different maps.
    pub(super) fn shares_keys(&self, other: &Value) -> bool {
        matches!((self, other), (Value::Map(a), Value::Map(_)) if a.iter().any(|(key, _)| other.get(key).is_some()))
    }

    /// Applies an edit to the whole value, as the specification of edits.
    pub(super) fn apply(&mut self, edit: &Edit) -> Result<(), EditError> {
        match edit {
            Edit::Set { path, value } => {
                let parts: Vec<&str> = path.iter().map(String::as_str).collect();
                self.set(&parts, "", Value::of_json(value)).map_err(|why| why.at(path))
            }
            Edit::Remove { path } => {
                let parts: Vec<&str> = path.iter().map(String::as_str).collect();
                self.remove(&parts).map_err(|why| why.at(path))
            }
        }
    }

    fn set(&mut self, path: &[&str], key: &str, value: Value) -> Result<(), EditError> {
        let Some((step, rest)) = path.split_first() else {
            self.become_like(value);
            return Ok(());
        };
        match self {
            Value::Null => *self = nested(key, path, value)?,
            Value::Map(entries) => match entries.iter_mut().find(|(name, _)| name == step) {
                Some((_, child)) => return child.set(rest, step, value),
                None => entries.push((step.to_string(), nested(step, rest, value)?)),
            },
            Value::List(items) => match position(items.iter().map(Value::identity), step)? {
                Some(index) => return items[index].set(rest, "", value),
                None => items.push(new_item(step, rest, value)?),
            },
            _ => return Err(EditError::NoMap),
        }
        Ok(())
    }

    /// Replaces a map, but keeps the order of the keys that remain.
    fn become_like(&mut self, value: Value) {
        if !self.shares_keys(&value) {
            *self = value;
            return;
        }
        if let (Value::Map(old), Value::Map(new)) = (self, value) {
            old.retain(|(key, _)| new.iter().any(|(name, _)| name == key));
            for (key, value) in new {
                match old.iter_mut().find(|(name, _)| *name == key) {
                    Some((_, place)) => place.become_like(value),
                    None => old.push((key, value)),
                }
            }
        }
    }

    /// Removes the value at a path; the parent decides whether a value that is empty then is removed too.
    fn remove(&mut self, path: &[&str]) -> Result<(), EditError> {
        let Some((step, rest)) = path.split_first() else { return Ok(()) };
        let emptied = |key: &str, value: &Value| EMPTIED.contains(&key) && value.is_empty();
        match self {
            Value::Map(entries) => {
                let Some(at) = entries.iter().position(|(name, _)| name == step) else { return Ok(()) };
                if rest.is_empty() {
                    entries.remove(at);
                } else {
                    let was_empty = entries[at].1.is_empty();
                    entries[at].1.remove(rest)?;
                    if !was_empty && emptied(step, &entries[at].1) {
                        entries.remove(at);
                    }
                }
            }
            Value::List(items) => {
                let Some(at) = position(items.iter().map(Value::identity), step)? else { return Ok(()) };
                if rest.is_empty() {
                    items.remove(at);
                } else {
                    items[at].remove(rest)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it is an empty map or list.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Value::Map(entries) => entries.is_empty(),
            Value::List(items) => items.is_empty(),
            _ => false,
        }
    }

    /// The identity of a list item.
    pub(super) fn identity(&self) -> Option<&str> {
        identity(|field| match self.get(field) {
            Some(Value::Text(text)) => Some(text.as_str()),
            _ => None,
        })
    }
}

/// The rank of a key among others: what names a thing comes first, the reason for it last.
fn rank(key: &str) -> usize {
    const FIRST: [&str; 6] = ["name", "tenant", "integration", "variable", "stableKey", "object"];
    const OTHER: usize = FIRST.len();
    match FIRST.iter().position(|first| *first == key) {
        Some(rank) => rank,
        None => OTHER + usize::from(key == "reason"),
    }
}

/// The fields of a connection, in the order in which people write them.
const OF_CONNECTION: [&str; 11] = [
    "stableKey",
    "title",
    "description",
    "component",
    "type",
    "credentials",
    "embeddedWorkflows",
    "inputs",
    "test",
    "replaces",
    "deletionPolicy",
];

/// The entry below which a new one is written, among those with these keys: in a connection, the last of those that come
/// before it. `None` if it is written at the end.
pub(super) fn entry_above(key: &str, keys: &[&str]) -> Option<usize> {
    let rank = |key: &str| OF_CONNECTION.iter().position(|known| *known == key);
    let new = rank(key).filter(|_| keys.contains(&"stableKey") && keys.contains(&"component"))?;
    keys.iter().rposition(|there| rank(there).is_some_and(|there| there < new))
}

/// Builds nested maps with `value` at `path`, below the key `key`.
pub(super) fn nested(key: &str, path: &[&str], value: Value) -> Result<Value, EditError> {
    Ok(match path.split_first() {
        None => value,
        Some((step, rest)) if KEYED_LISTS.contains(&key) => Value::List(vec![new_item(step, rest, value)?]),
        Some((step, rest)) => Value::Map(vec![(step.to_string(), nested(step, rest, value)?)]),
    })
}

/// An item that is new in its list: a whole one, with the identity by which the path names it as its first field.
pub(super) fn new_item(name: &str, rest: &[&str], mut value: Value) -> Result<Value, EditError> {
    match (rest, value.identity() == Some(name)) {
        ([], true) => {
            if let Value::Map(entries) = &mut value {
                entries.sort_by_key(|(field, _)| !IDENTITY.contains(&field.as_str()));
            }
            Ok(value)
        }
        ([], false) => Err(EditError::Name),
        _ => Err(EditError::NoItem { name: name.to_string() }),
    }
}
