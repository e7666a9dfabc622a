//! Finds the position of a field in its document.

use super::problem::FileProblem;
use super::source::{Position, SourcePlace, line_breaks};
use super::tree::{self, Id, NodeKind, Tree};
use super::{mask, schema};
use crate::api::Kind;
use std::collections::BTreeMap;
use std::ops::Range;

/// The position of a field, given as a path from the document root: names of fields, and for items of lists their index
/// or their `name`. For an absent field, that of its nearest existing ancestor.
pub fn locate(origin: &SourcePlace, path: &[&str]) -> Option<Position> {
    if let (true, None, Some(at)) = (path.is_empty(), origin.item, first_key(origin.text())) {
        return Some(origin.position(at));
    }
    let tree = tree::parse(origin.text()).ok()??;
    let at = nearest(&tree, root(&tree, origin.item)?, path)?;
    Some(origin.position(at.start))
}

/// The lines of fields of many documents: a document or a list that contains several of them is parsed once.
pub fn locate_all(wanted: &[(&SourcePlace, Vec<String>)]) -> Vec<Option<u32>> {
    let mut lines: Vec<Option<u32>> = vec![None; wanted.len()];
    let mut documents: BTreeMap<(&str, usize), Vec<usize>> = BTreeMap::new();
    for (index, (origin, path)) in wanted.iter().enumerate() {
        match path.is_empty() && origin.item.is_none() {
            // The begin of a document is mostly found without parsing.
            true => lines[index] = locate(origin, &[]).map(|at| at.line),
            false => documents.entry((&origin.file.path, origin.range.start)).or_default().push(index),
        }
    }
    for indices in documents.values() {
        let Some(first) = indices.first().and_then(|index| wanted.get(*index)) else { continue };
        if let [only] = indices[..] {
            let path: Vec<&str> = first.1.iter().map(String::as_str).collect();
            lines[only] = locate(first.0, &path).map(|at| at.line);
            continue;
        }
        let Some(tree) = tree::parse(first.0.text()).ok().flatten() else { continue };
        // In ascending order, so that each line break is counted once.
        let offset = |index: &usize| {
            let (origin, path) = wanted.get(*index)?;
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            Some((*index, nearest(&tree, root(&tree, origin.item)?, &path)?.start))
        };
        let mut offsets: Vec<(usize, usize)> = indices.iter().filter_map(offset).collect();
        offsets.sort_by_key(|(_, offset)| *offset);
        let (mut at, mut line) = (0, first.0.first_line);
        for (index, offset) in offsets {
            line += line_breaks(tree.text.as_bytes().get(at..offset).unwrap_or_default());
            at = offset;
            lines[index] = Some(line);
        }
    }
    lines
}

/// The offset of the first key if the document begins with a plain one, which most do: found without parsing.
fn first_key(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let rest = line.strip_prefix('\u{feff}').unwrap_or(line);
        let rest = rest.trim_start_matches(' ');
        let start = at + line.len() - rest.len();
        at += line.len();
        let is_nothing = |text: &str| text.trim().is_empty() || text.trim_start().starts_with('#');
        match rest.strip_prefix("---") {
            Some(after) if is_nothing(after) => {}
            Some(_) => return None,
            None if is_nothing(rest) || rest.starts_with('%') => {}
            None => return rest.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(start),
        }
    }
    None
}

fn nearest(tree: &Tree<'_>, root: Id, path: &[&str]) -> Option<Range<usize>> {
    (0..=path.len()).rev().find_map(|length| find(tree, root, path.get(..length)?))
}

/// The text of a field, also of a document that violates its schema: so the folder of an invalid Tenant is known.
pub fn text_at(origin: &SourcePlace, path: &[&str]) -> Option<String> {
    let tree = tree::parse(origin.text()).ok()??;
    let mut id = root(&tree, origin.item)?;
    for step in path {
        id = tree.get(id, step)?;
    }
    tree.scalar(id).map(str::to_string)
}

/// The texts of a map in a document, by key.
pub fn texts_below(origin: &SourcePlace, path: &[&str]) -> BTreeMap<String, String> {
    let read = || {
        let tree = tree::parse(origin.text()).ok()??;
        let mut id = root(&tree, origin.item)?;
        for step in path {
            id = tree.get(id, step)?;
        }
        let text = |id: Id| tree.scalar(id).map(str::to_string);
        Some(tree.entries(id).iter().filter_map(|entry| Some((text(entry.key)?, text(entry.value)?))).collect())
    };
    read().unwrap_or_default()
}

/// A problem with a field of a valid document that only a comparison with other documents reveals.
pub fn problem(
    origin: &SourcePlace,
    kind: Kind,
    path: &[&str],
    message: impl Into<String>,
    help: impl Into<String>,
) -> FileProblem {
    let words = (message.into(), help.into());
    let shown = |words: &(String, String)| {
        let tree = tree::parse(origin.text()).ok()??;
        let root = root(&tree, origin.item)?;
        let at = nearest(&tree, root, path)?;
        let spans = mask::spans(&tree, root, Some(schema::of(kind)));
        Some(FileProblem::at(&origin.file, origin.text(), origin.first_line, at, &spans, words.clone()))
    };
    shown(&words).unwrap_or_else(|| FileProblem::of_file(&origin.file.path, words.0, words.1))
}

/// The node of the document: the root, or an item of the list at the root.
pub(super) fn root(tree: &Tree<'_>, item: Option<u32>) -> Option<Id> {
    match item {
        None => Some(tree.root),
        Some(item) => tree.items(tree.get(tree.root, "items")?).get(usize::try_from(item).ok()?).copied(),
    }
}

/// The byte range of a field: that of a scalar value, else that of the key.
pub(super) fn find(tree: &Tree<'_>, root: Id, path: &[&str]) -> Option<Range<usize>> {
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

/// Finds an item of a list by its `name`, else by its index.
pub(super) fn item(tree: &Tree<'_>, list: Id, step: &str) -> Option<Id> {
    let items = tree.items(list);
    let named = |id: &&Id| tree.get(**id, "name").and_then(|name| tree.scalar(name)) == Some(step);
    items.iter().find(named).or_else(|| items.get(step.parse::<usize>().ok()?)).copied()
}
