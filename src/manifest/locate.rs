//! Where a field stands in its document.

use super::node::{self, Id, NodeKind, Tree};
use super::source::{Origin, Position};
use std::ops::Range;

/// The place of a field, given as a path below the document: names of fields, and for items of lists
/// their position or their `name`. Where it is not written, its nearest ancestor that is.
pub fn locate(origin: &Origin, path: &[&str]) -> Option<Position> {
    let tree = node::parse(origin.text()).ok()??;
    let root = root(&tree, origin.item)?;
    let at = (0..=path.len()).rev().find_map(|length| find(&tree, root, &path[..length]))?;
    Some(origin.position(at.start))
}

/// The document's own node: the root, or an item of the list that the root is.
pub fn root(tree: &Tree<'_>, item: Option<u32>) -> Option<Id> {
    match item {
        None => Some(tree.root),
        Some(item) => tree.items(tree.get(tree.root, "items")?).get(usize::try_from(item).ok()?).copied(),
    }
}

/// The bytes of a field: of its value where that is a scalar, else of its key.
pub fn find(tree: &Tree<'_>, root: Id, path: &[&str]) -> Option<Range<usize>> {
    let mut id = root;
    let mut at = match tree.entries(root).first() {
        Some(entry) => tree.node(entry.key).span(),
        None => tree.node(root).span(),
    };
    for step in path {
        let node = tree.resolve(id);
        match &node.kind {
            NodeKind::Map { .. } => {
                let entry = tree.entry(id, step)?;
                let value = tree.node(entry.value);
                let is_scalar = matches!(value.kind, NodeKind::Scalar { .. }) && !value.span().is_empty();
                at = if is_scalar { value.span() } else { tree.node(entry.key).span() };
                id = entry.value;
            }
            NodeKind::List { .. } => {
                id = item(tree, id, step)?;
                at = tree.entries(id).first().map_or(tree.node(id).span(), |entry| tree.node(entry.key).span());
            }
            _ => return None,
        }
    }
    Some(at)
}

/// An item of a list, by its `name`, else by its position.
pub fn item(tree: &Tree<'_>, list: Id, step: &str) -> Option<Id> {
    let items = tree.items(list);
    let named = |id: &&Id| tree.get(**id, "name").and_then(|name| tree.scalar(name)) == Some(step);
    items.iter().find(named).or_else(|| items.get(step.parse::<usize>().ok()?)).copied()
}
