//! Edits in place: only the lines that must change do, and comments, order and style stay.
//!
//! After every edit the document is parsed again and compared with what the edit means. What would
//! change more, or less, is not returned.

mod layout;
mod lists;
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
pub use lists::{ListEdit, edit_lists};
pub use rewrite::{DocumentEdit, Rewrite, Rewritten, rewrite};
use splice::{Splice, SpliceDraft};
#[cfg(test)]
use std::ops::Range;
use value::Value;

/// A change to one document.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Gives a field a value. Maps on the way are made where they are not there. In `connections` a
    /// step is the `name` of an item, and its value a whole item.
    Set {
        /// Names from the document down: `["spec", "inputs", "scopes"]`.
        path: Vec<String>,
        /// Strings, booleans, small maps and lists.
        value: serde_json::Value,
    },
    /// Takes a field away, if it is there. What is empty then goes too, where absent is how empty is
    /// written.
    Remove {
        /// Names from the document down.
        path: Vec<String>,
    },
}

/// An edit that cannot be made safely. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The document cannot be parsed.
    #[error("the document cannot be read any more: run `stablekey validate`, fix it, and try again")]
    Unreadable,
    /// An alias, an anchor or `<<` is concerned.
    #[error("it is shared by an anchor, so that other places would change too: edit it manually")]
    Shared,
    /// The path leads through something that is no map.
    #[error("the path to it leads through a value that is no map: edit it manually")]
    NoMap,
    /// An item of a list is known by its name, and would get another, or none.
    #[error("an item's name says which item it is: remove the item, and set one with the other name")]
    Name,
    /// It is written in a way that a program had better not touch.
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
        /// Why it cannot be made.
        why: Box<EditError>,
    },
}

/// Maps and lists that are not written when they are empty.
const EMPTIED: [&str; 6] = ["inputs", "test", "connections", "replaces", "labels", "annotations"];

/// Changes one document of a file: the document in `range` of `text` (for an element of a `List`,
/// that of the list, and which `item`). Returns the whole file.
#[cfg(test)]
fn edit(text: &str, range: Range<usize>, item: Option<u32>, edits: &[Edit]) -> Result<String, EditError> {
    let rewritten = rewrite(text, &[Rewrite { range, item, what: DocumentEdit::Edit(edits.to_vec()) }]);
    rewritten.results.into_iter().collect::<Result<(), _>>()?;
    rewritten.text.ok_or(EditError::Unreadable)
}

/// A JSON document as YAML, its keys in their order, what is invisible in its texts escaped. `None` where it
/// is no map.
pub(super) fn spelled_out(json: &str) -> Option<String> {
    let tree = parse(json).ok()?;
    let Value::Map(entries) = Value::of(&tree, tree.root) else { return None };
    Some(written(&entries))
}

/// A map as a YAML document, its keys in this order.
pub(super) fn document<'v>(entries: impl IntoIterator<Item = (&'v str, &'v serde_json::Value)>) -> String {
    let entries: Vec<_> = entries.into_iter().map(|(key, value)| (key.to_string(), Value::of_json(value))).collect();
    written(&entries)
}

fn written(entries: &[(String, Value)]) -> String {
    let style = render::TextStyle { newline: "\n", json: false, spread: true, step: 2 };
    format!("{}\n", render::block_map(entries, 0, style))
}

/// Whether two documents say the same, however each is written.
pub(super) fn say_the_same(one: &str, other: &str) -> bool {
    let (Ok(one), Ok(other)) = (parse(one), parse(other)) else { return false };
    Value::of(&one, one.root).says_the_same(&Value::of(&other, other.root))
}

/// The file with one more document at its end.
pub fn append_document(text: &str, yaml: &str) -> String {
    let newline = newline(if text.is_empty() { yaml } else { text });
    let yaml = yaml.replace("\r\n", "\n").replace('\n', newline);
    if text.trim().is_empty() {
        return yaml;
    }
    let end = if text.ends_with(['\n', '\r']) { "" } else { newline };
    let mark = |yaml: &str| if yaml.starts_with("---") { String::new() } else { format!("---{newline}") };
    if !end.is_empty() && ends_in_text(text) {
        // A line break would become part of the text that the file ends with: the new document goes first.
        let before = if yaml.ends_with(['\n', '\r']) { "" } else { newline };
        return format!("{yaml}{before}{}{text}", mark(text));
    }
    format!("{text}{end}{}{yaml}", mark(&yaml))
}

/// Whether a file ends with a text after `|` or `>` that keeps its line break: one more would become part of it.
/// Readers differ about what it says without one.
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

/// The file without one document, or without one `item` of a list; `None` where nothing is left.
#[cfg(test)]
fn remove_document(text: &str, range: Range<usize>, item: Option<u32>) -> Result<Option<String>, EditError> {
    let rewritten = rewrite(text, &[Rewrite { range, item, what: DocumentEdit::Remove }]);
    rewritten.results.into_iter().collect::<Result<(), _>>().map(|()| rewritten.text)
}

/// The comments at the left edge before and after what a document says.
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
    // What stands right above a document is about it; a licence is about the file.
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

    fn no_map(path: &[String]) -> Self {
        EditError::NoMap.at(path)
    }
}

/// Makes one edit, change by change.
fn one(text: &str, item: Option<u32>, edit: &Edit) -> Result<String, EditError> {
    /// More changes than any value of ours has parts.
    const ENOUGH: usize = 1_000;
    let mut text = text.to_string();
    for _ in 0..ENOUGH {
        let change = {
            let tree = parse(&text)?;
            let draft = SpliceDraft {
                layout: layout::TextLayout { tree: &tree },
                root: locate::root(&tree, item).ok_or(EditError::Unreadable)?,
                newline: newline(&text),
                json: is_json(&tree),
            };
            rewrite::next(&draft, edit)?
        };
        if change.is_empty() {
            return Ok(text);
        }
        text = spliced(&text, change)?;
    }
    Err(EditError::Layout)
}

/// A text with parts of it replaced. What is inserted at one place keeps its order.
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

/// The law: the new text says what the old one said, with the edits of each item applied, and nothing else.
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
    let holds = expected.says_the_same(&Value::of(&new_tree, new_tree.root)) && cut(new).len() == cut(old).len().max(1);
    if holds { Ok(()) } else { Err(EditError::Unfaithful) }
}

fn item_of(value: &mut Value, item: u32) -> Option<&mut Value> {
    let Value::Map(entries) = value else { return None };
    let (_, items) = entries.iter_mut().find(|(key, _)| key == "items")?;
    let Value::List(items) = items else { return None };
    items.get_mut(usize::try_from(item).ok()?)
}

/// A list's text without some of its items, which come in their order; `None` where those were all.
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

/// The line break of a text: its first.
fn newline(text: &str) -> &'static str {
    match text.find(['\n', '\r']) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        _ => "\n",
    }
}

/// Whether a document is written as JSON: braces, and its first key in double quotes.
fn is_json(tree: &Tree<'_>) -> bool {
    let first = tree.entries(tree.root).first().map(|entry| &tree.node(entry.key).kind);
    let quoted = matches!(first, Some(NodeKind::Scalar { style: ScalarStyle::DoubleQuoted, .. }));
    quoted && matches!(tree.node(tree.root).kind, NodeKind::Map { flow: true, .. })
}
