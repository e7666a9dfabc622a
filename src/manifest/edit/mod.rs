//! Edits in place: only the necessary lines change; comments, order and style are kept.
//!
//! After every edit the document is parsed again and compared with the intended result. An edit that would change more,
//! or less, is rejected.

mod identity;
mod layout;
mod lists;
mod progress;
mod render;
mod rewrite;
mod splice;
#[cfg(test)]
mod tests;
mod value;

use super::cut::cut;
use super::locate;
use super::tree::{self, NodeKind, Tree};
use granit_parser::ScalarStyle;
pub(super) use lists::{ListEdit, edit_lists};
pub use rewrite::{DocumentEdit, Rewrite, Rewritten, rewrite};
use splice::{Splice, SpliceDraft};
#[cfg(test)]
use std::ops::Range;
use value::Value;

/// A change to one document.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Sets a field. Missing maps on its path are created. In a list, a step of the path is the identity of an item: its
    /// `name`, else its `key`; the value of a missing item is a whole item.
    Set {
        /// The names from the document root: `["spec", "inputs", "scopes"]`.
        path: Vec<String>,
        /// A string, a boolean, a small map or a list.
        value: serde_json::Value,
    },
    /// Removes a field, if it exists. A parent that is empty then is removed too, if an empty one is not written.
    Remove {
        /// The names from the document root.
        path: Vec<String>,
    },
}

/// An edit that cannot be made safely. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The document cannot be parsed.
    #[error("the document cannot be read any more: run `stablekey validate`, fix it, and try again")]
    Unreadable,
    /// The edit affects an alias, an anchor or `<<`.
    #[error("it is shared by an anchor, so that other places would change too: edit it manually")]
    Shared,
    /// A part of the path is not a map.
    #[error("the path to it leads through a value that is no map: edit it manually")]
    NoMap,
    /// The list has several items of this name.
    #[error("several items of its list have the name {name:?}: give all but one another name, and try again")]
    Doubled {
        /// The name or key.
        name: String,
    },
    /// The list has no item of this name, and a part of one is not enough to add it.
    #[error("its list has no item with the name {name:?}: add the item first")]
    NoItem {
        /// The name or key.
        name: String,
    },
    /// An item of a list would lose its name or get another one.
    #[error("an item's name says which item it is: remove the item, and set one with the other name")]
    Name,
    /// The layout is too unusual for an automatic edit.
    #[error("it is written in a way that only a person should change: edit it manually")]
    Layout,
    /// The edit would have changed something else, or not everything.
    #[error("writing it would change more than it should: edit it manually")]
    Unfaithful,
    /// One edit of several, with its path.
    #[error("{path}: {why}")]
    At {
        /// The path, with dots.
        path: String,
        /// The reason why it cannot be made.
        why: Box<EditError>,
    },
}

/// Maps and lists that are not written when they are empty.
const EMPTIED: [&str; 6] = ["inputs", "test", "connections", "replaces", "labels", "annotations"];

/// Edits one document of a file: the document in `range` of `text` (for an element of a `List`, that of the list, and
/// the `item`). Returns the whole file.
#[cfg(test)]
fn edit(text: &str, range: Range<usize>, item: Option<u32>, edits: &[Edit]) -> Result<String, EditError> {
    let rewritten = rewrite(text, &[Rewrite { range, item, what: DocumentEdit::Edit(edits.to_vec()) }]);
    rewritten.results.into_iter().collect::<Result<(), _>>()?;
    rewritten.text.ok_or(EditError::Unreadable)
}

/// Edits the only document of a file.
pub fn edit_only(text: &str, edits: Vec<Edit>) -> Result<String, EditError> {
    let with_content =
        |range: &std::ops::Range<usize>| tree::parse(&text[range.clone()]).is_ok_and(|tree| tree.is_some());
    let ranges: Vec<_> = cut(text).into_iter().map(|slice| slice.range).filter(with_content).collect();
    let Ok([range]) = <[_; 1]>::try_from(ranges) else { return Err(EditError::Unreadable) };
    let rewritten = rewrite(text, &[Rewrite { range, item: None, what: DocumentEdit::Edit(edits) }]);
    rewritten.results.into_iter().collect::<Result<(), _>>()?;
    rewritten.text.ok_or(EditError::Unreadable)
}

/// Converts a JSON document to YAML, with the keys in the same order and invisible characters escaped. `None` if it is
/// not a map.
pub(super) fn spelled_out(json: &str) -> Option<String> {
    let tree = parse(json).ok()?;
    let Value::Map(entries) = Value::of(&tree, tree.root) else { return None };
    Some(written(&entries))
}

/// Formats a map as a YAML document, with the keys in this order.
pub(super) fn document<'v>(entries: impl IntoIterator<Item = (&'v str, &'v serde_json::Value)>) -> String {
    let entries: Vec<_> = entries.into_iter().map(|(key, value)| (key.to_string(), Value::of_json(value))).collect();
    written(&entries)
}

fn written(entries: &[(String, Value)]) -> String {
    let style = render::TextStyle { newline: "\n", json: false, spread: true, step: 2 };
    format!("{}\n", render::block_map(entries, 0, style))
}

/// Whether two documents have the same value, independent of their formatting.
pub(super) fn have_same_value(one: &str, other: &str) -> bool {
    let (Ok(one), Ok(other)) = (parse(one), parse(other)) else { return false };
    Value::of(&one, one.root).has_same_value(&Value::of(&other, other.root))
}

/// Appends a document to a file.
pub fn append_document(text: &str, yaml: &str) -> String {
    let newline = newline(if text.is_empty() { yaml } else { text });
    let yaml = yaml.replace("\r\n", "\n").replace('\n', newline);
    if text.trim().is_empty() {
        return yaml;
    }
    let end = if text.ends_with(['\n', '\r']) { "" } else { newline };
    let mark = |yaml: &str| if yaml.starts_with("---") { String::new() } else { format!("---{newline}") };
    if !end.is_empty() && ends_in_text(text) {
        // A line break would become part of the block scalar at the end of the file, so the new document is prepended.
        let before = if yaml.ends_with(['\n', '\r']) { "" } else { newline };
        return format!("{yaml}{before}{}{text}", mark(text));
    }
    format!("{text}{end}{}{yaml}", mark(&yaml))
}

/// Whether a file ends with a block scalar that keeps its line break: another one would become part of it. YAML parsers
/// disagree on its value without a line break.
fn ends_in_text(text: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut deepest = usize::MAX;
    for line in text.lines().rev().filter(|line| !line.trim().is_empty()) {
        if indent(line) >= deepest {
            continue;
        }
        let is_first = deepest == usize::MAX;
        deepest = indent(line);
        let header = line.split_whitespace().last().filter(|_| !is_first).unwrap_or_default();
        if header.starts_with(['|', '>']) {
            return !header.contains('-');
        }
        if deepest == 0 {
            break;
        }
    }
    false
}

/// Removes one document, or one `item` of a list, from a file; `None` if nothing is left.
#[cfg(test)]
fn remove_document(text: &str, range: Range<usize>, item: Option<u32>) -> Result<Option<String>, EditError> {
    let rewritten = rewrite(text, &[Rewrite { range, item, what: DocumentEdit::Remove }]);
    rewritten.results.into_iter().collect::<Result<(), _>>().map(|()| rewritten.text)
}

/// The unindented comments before and after the content of a document.
fn comments_around(text: &str) -> (&str, &str) {
    let is_comment = |line: &str| {
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        line.starts_with('#') || line.trim().is_empty()
    };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let count = |mut lines: Box<dyn Iterator<Item = &&str> + '_>| {
        lines.by_ref().take_while(|line| is_comment(line)).map(|line| line.len()).sum::<usize>()
    };
    let above = text.get(..count(Box::new(lines.iter()))).unwrap_or_default();
    // A comment right above a document describes it; a licence describes the file.
    let folded = above.to_ascii_lowercase();
    let is_licence = ["copyright", "licen", "spdx"].iter().any(|word| folded.contains(word));
    let to_blank = above.split_inclusive('\n').rev().skip_while(|line| !line.trim().is_empty());
    let head = if is_licence { above.len() } else { to_blank.map(str::len).sum() };
    let tail = count(Box::new(lines.iter().rev())).min(text.len() - head);
    let tail = text.get(text.len() - tail..).unwrap_or_default();
    (text.get(..head).unwrap_or_default(), if tail.trim().is_empty() { "" } else { tail })
}

impl Edit {
    fn path(&self) -> &[String] {
        match self {
            Edit::Set { path, .. } | Edit::Remove { path } => path,
        }
    }
}

impl EditError {
    /// The path of the edit, with dots.
    pub fn path(&self) -> Option<&str> {
        match self {
            EditError::At { path, .. } => Some(path),
            _ => None,
        }
    }

    fn at(self, path: &[String]) -> Self {
        match self {
            EditError::At { .. } => self,
            why => EditError::At { path: path.join("."), why: Box::new(why) },
        }
    }
}

/// Makes one edit, change by change.
fn one(text: &str, item: Option<u32>, edit: &Edit) -> Result<String, EditError> {
    let mut text = text.to_string();
    let mut progress = None;
    loop {
        let change = {
            let tree = parse(&text)?;
            let draft = SpliceDraft {
                layout: layout::TextLayout { tree: &tree },
                root: locate::root(&tree, item).ok_or(EditError::Unreadable)?,
                newline: newline(&text),
                json: is_json(&tree),
            };
            rewrite::next(&draft, edit, &mut progress)?
        };
        if change.is_empty() {
            return Ok(text);
        }
        text = spliced(&text, change)?;
    }
}

/// Replaces parts of a text. Texts that are inserted at the same position keep their order.
fn spliced(text: &str, mut splices: Vec<Splice>) -> Result<String, EditError> {
    splices.sort_by_key(|splice| splice.at.start);
    let mut new = String::with_capacity(text.len());
    let mut at = 0;
    for splice in splices {
        new.push_str(text.get(at..splice.at.start).ok_or(EditError::Layout)?);
        new.push_str(&splice.with);
        at = splice.at.end;
    }
    new.push_str(text.get(at..).ok_or(EditError::Layout)?);
    Ok(new)
}

/// Verifies that the new text equals the old one with the edits of each item applied, and nothing else.
fn check(old: &str, new: &str, edits: &[(Option<u32>, &[Edit])]) -> Result<(), EditError> {
    let (old_tree, new_tree) = (parse(old)?, parse(new).map_err(|_| EditError::Unfaithful)?);
    let mut expected = Value::of(&old_tree, old_tree.root);
    for (item, edits) in edits {
        let document = match item {
            None => Some(&mut expected),
            Some(item) => item_of(&mut expected, *item),
        };
        let document = document.ok_or(EditError::Unreadable)?;
        edits.iter().try_for_each(|edit| document.apply(edit))?;
    }
    let holds =
        expected.has_same_value(&Value::of(&new_tree, new_tree.root)) && cut(new).len() == cut(old).len().max(1);
    if holds { Ok(()) } else { Err(EditError::Unfaithful) }
}

fn item_of(value: &mut Value, item: u32) -> Option<&mut Value> {
    let Value::Map(entries) = value else { return None };
    let (_, items) = entries.iter_mut().find(|(key, _)| key == "items")?;
    let Value::List(items) = items else { return None };
    items.get_mut(usize::try_from(item).ok()?)
}

/// The text of a list without some of its items, sorted by index; `None` if no item is left.
fn without_items(text: &str, removed: &[u32]) -> Result<Option<String>, EditError> {
    let tree = parse(text)?;
    let items = tree.get(tree.root, "items").ok_or(EditError::Unreadable)?;
    if removed.is_empty() || tree.items(items).len() <= removed.len() {
        return Ok((removed.is_empty()).then(|| text.to_string()));
    }
    let removed: Vec<usize> = removed.iter().filter_map(|item| usize::try_from(*item).ok()).collect();
    let draft = SpliceDraft {
        layout: layout::TextLayout { tree: &tree },
        root: tree.root,
        newline: newline(text),
        json: is_json(&tree),
    };
    let mut splices = Vec::new();
    for index in &removed {
        splices.extend(draft.remove_element(items, *index)?);
    }
    let new = spliced(text, splices)?;
    let mut expected = Value::of(&tree, tree.root);
    if let Value::Map(entries) = &mut expected
        && let Some((_, Value::List(items))) = entries.iter_mut().find(|(key, _)| key == "items")
    {
        let mut position = 0;
        items.retain(|_| {
            position += 1;
            removed.binary_search(&(position - 1)).is_err()
        });
    }
    let new_tree = parse(&new).map_err(|_| EditError::Unfaithful)?;
    if expected == Value::of(&new_tree, new_tree.root) { Ok(Some(new)) } else { Err(EditError::Unfaithful) }
}

fn parse(text: &str) -> Result<Tree<'_>, EditError> {
    tree::parse(text).ok().flatten().ok_or(EditError::Unreadable)
}

/// The line break of a text: the first one in it.
fn newline(text: &str) -> &'static str {
    match text.find(['\n', '\r']) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        _ => "\n",
    }
}

/// Whether a document is written as JSON: with braces, and the first key in double quotes.
fn is_json(tree: &Tree<'_>) -> bool {
    let first = tree.entries(tree.root).first().map(|entry| &tree.node(entry.key).kind);
    let quoted = matches!(first, Some(NodeKind::Scalar { style: ScalarStyle::DoubleQuoted, .. }));
    quoted && matches!(tree.node(tree.root).kind, NodeKind::Map { flow: true, .. })
}
