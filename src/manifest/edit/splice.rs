//! The next small change of an edit.
//!
//! One change at a time: a scalar, an entry, an item. The text is parsed again after each, so that changes are
//! independent.

use super::identity::{IDENTITY, identity, position};
use super::layout::{Holder, Result, TextLayout};
use super::render::{self, TextStyle};
use super::value::{Value, entry_above, nested, new_item};
use super::{EMPTIED, EditError};
use crate::manifest::tree::{Id, MapEntry, NodeKind, Tag, Tree};
use granit_parser::ScalarStyle;
use std::ops::Range;

/// A byte range of the text and its replacement.
#[derive(Debug)]
pub(super) struct Splice {
    pub at: Range<usize>,
    pub with: String,
}

impl Splice {
    pub(super) fn new(at: Range<usize>, with: impl Into<String>) -> Vec<Splice> {
        vec![Splice { at, with: with.into() }]
    }
}

/// A document while it is edited.
pub(super) struct SpliceDraft<'a, 't> {
    pub layout: TextLayout<'a, 't>,
    pub root: Id,
    pub newline: &'a str,
    pub json: bool,
}

/// The end of a path in a document.
pub(super) enum PathEnd<'p> {
    Node(Id, Holder),
    /// The path ends early: at the map or list that lacks the rest, or at an empty node.
    Lacks {
        id: Id,
        holder: Holder,
        key: &'p str,
        rest: &'p [&'p str],
    },
}

impl<'a, 't> SpliceDraft<'a, 't> {
    pub(super) fn tree(&self) -> &'a Tree<'t> {
        self.layout.tree
    }

    /// The next change that sets `path` to `value`; empty if it is set.
    pub(super) fn set(&self, path: &[&str], value: &Value) -> Result<Vec<Splice>> {
        if let Some((field, above)) = path.split_last()
            && IDENTITY.contains(field)
            && let PathEnd::Node(item, Holder::List { .. }) = self.find(above)?
            && let Some(name) = above.last()
        {
            let own = identity(|other| match other == *field {
                true => Some(*value == Value::Text(name.to_string())),
                false => self.string(item, other).map(|text| text == *name),
            });
            if own != Some(true) {
                return Err(EditError::Name);
            }
        }
        match self.find(path)? {
            PathEnd::Node(_, Holder::List { .. }) if path.last().copied() != value.identity() => Err(EditError::Name),
            PathEnd::Node(id, holder) => self.replace(id, &holder, value),
            PathEnd::Lacks { id, holder, key, rest } => {
                if self.tree().is_null(id) {
                    return self.replace(id, &holder, &nested(key, rest, value.clone())?);
                }
                let Some((step, below)) = rest.split_first() else { return Err(EditError::Layout) };
                match self.tree().node(id).kind {
                    NodeKind::Map { .. } => self.insert_entry(id, step, &nested(step, below, value.clone())?),
                    NodeKind::List { .. } => {
                        self.insert_item(id, self.tree().items(id).len(), &new_item(step, below, value.clone())?)
                    }
                    _ => Err(EditError::NoMap),
                }
            }
        }
    }

    /// A string in a map.
    fn string(&self, map: Id, key: &str) -> Option<&'a str> {
        let value = self.tree().get(map, key)?;
        self.tree().scalar(value).filter(|_| self.tree().plain(value).is_none())
    }

    /// The identity of a list item.
    fn identity(&self, item: Id) -> Option<&'a str> {
        identity(|field| self.string(item, field))
    }

    pub(super) fn find<'p>(&self, path: &'p [&'p str]) -> Result<PathEnd<'p>> {
        let (mut id, mut holder, mut key) = (self.root, Holder::Root, "");
        for (depth, step) in path.iter().enumerate() {
            let node = self.tree().node(id);
            if node.repeated {
                return Err(EditError::Shared);
            }
            let lacks = PathEnd::Lacks { id, holder, key, rest: &path[depth..] };
            match &node.kind {
                NodeKind::Alias(_) => return Err(EditError::Shared),
                NodeKind::Map { .. } => match self.tree().entry(id, step) {
                    Some(MapEntry { merged: true, .. }) => return Err(EditError::Shared),
                    Some(entry) => (holder, id) = (Holder::Map { map: id, entry }, entry.value),
                    None => return Ok(lacks),
                },
                NodeKind::List { items, .. } => match position(items.iter().map(|item| self.identity(*item)), step)? {
                    Some(index) => (holder, id) = (Holder::List { list: id, index }, items[index]),
                    None => return Ok(lacks),
                },
                NodeKind::Scalar { .. } if self.tree().is_null(id) => return Ok(lacks),
                NodeKind::Scalar { .. } => return Err(EditError::NoMap),
            }
            key = step;
        }
        Ok(PathEnd::Node(id, holder))
    }

    fn replace(&self, id: Id, holder: &Holder, new: &Value) -> Result<Vec<Splice>> {
        let old = Value::of(self.tree(), id);
        if old.has_same_value(new) {
            return Ok(Vec::new());
        }
        if self.tree().node(id).repeated || matches!(self.tree().node(id).kind, NodeKind::Alias(_)) {
            return Err(EditError::Shared);
        }
        match (&old, new) {
            (Value::Map(_), Value::Map(entries)) if old.shares_keys(new) => self.replace_map(id, entries),
            (Value::List(was), Value::List(is)) if !was.is_empty() && !is.is_empty() => self.replace_items(id, was, is),
            _ if self.layout.is_shared(id) => Err(EditError::Shared),
            _ => self.replace_whole(id, holder, new),
        }
    }

    fn replace_map(&self, id: Id, new: &[(String, Value)]) -> Result<Vec<Splice>> {
        for (key, value) in new {
            match self.tree().entry(id, key) {
                None => return self.insert_entry(id, key, value),
                Some(MapEntry { merged: true, .. }) => return Err(EditError::Shared),
                Some(entry) => {
                    let change = self.replace(entry.value, &Holder::Map { map: id, entry }, value)?;
                    if !change.is_empty() {
                        return Ok(change);
                    }
                }
            }
        }
        let is_gone =
            |entry: &&MapEntry| self.tree().scalar(entry.key).is_none_or(|key| new.iter().all(|(name, _)| name != key));
        match self.tree().entries(id).iter().find(is_gone) {
            Some(entry) if entry.merged || self.layout.is_shared(entry.value) => Err(EditError::Shared),
            Some(entry) => self.remove_entry(id, entry),
            None => Ok(Vec::new()),
        }
    }

    fn replace_items(&self, id: Id, was: &[Value], is: &[Value]) -> Result<Vec<Splice>> {
        let same = was.iter().zip(is).take_while(|(a, b)| a.has_same_value(b)).count();
        let (was_rest, is_rest) = (&was[same..], &is[same..]);
        let tail = was_rest.iter().rev().zip(is_rest.iter().rev()).take_while(|(a, b)| a.has_same_value(b)).count();
        let (gone, come) = (was_rest.len() - tail, is_rest.len() - tail);
        let item = self.tree().items(id).get(same).copied();
        match (item, is_rest.first()) {
            (Some(item), _) if gone > come => match self.layout.is_shared(item) {
                true => Err(EditError::Shared),
                false => self.remove_item(id, same),
            },
            (_, Some(value)) if come > gone => self.insert_item(id, same, value),
            (Some(item), Some(value)) => self.replace(item, &Holder::List { list: id, index: same }, value),
            _ => Ok(Vec::new()),
        }
    }

    /// Replaces a value by one of another form.
    fn replace_whole(&self, id: Id, holder: &Holder, new: &Value) -> Result<Vec<Splice>> {
        let node = self.tree().node(id);
        let in_flow = match holder {
            Holder::Map { map, .. } => self.layout.is_flow(*map),
            Holder::List { list, .. } => self.layout.is_flow(*list),
            Holder::Root => false,
        };
        match &node.kind {
            NodeKind::Scalar { style, .. } if !node.span().is_empty() || is_block(*style) => {
                let is_null = self.tree().is_null(id) && !new.is_empty() && node.tag == Tag::None;
                if is_null && let Some(filled) = self.spread_first(id, holder, new)? {
                    return Ok(filled);
                }
                let at = self.layout.scalar(id, holder)?;
                let with = match new {
                    Value::Text(text) => self.text_like(text, *style, in_flow, holder),
                    value => render::flow(value, self.json),
                };
                self.without_tag(id, holder, self.beside_its_comment(at, with, is_block(*style)))
            }
            NodeKind::Scalar { .. } => self.fill(id, holder, in_flow, new),
            NodeKind::Map { flow: true, .. } | NodeKind::List { flow: true, .. } => {
                let is_first = self.is_empty(id) && !new.is_empty() && node.tag == Tag::None;
                let filled = match is_first {
                    true => self.spread_first(id, holder, new)?,
                    false => None,
                };
                let change = filled.unwrap_or_else(|| Splice::new(node.span(), self.in_braces(id, new)));
                self.without_tag(id, holder, change)
            }
            _ => self.without_tag(id, holder, self.replace_block(id, holder, new)?),
        }
    }

    /// Adds the removal of a node's tag to a change that replaces the node: the tag is that of the old value.
    fn without_tag(&self, id: Id, holder: &Holder, mut change: Vec<Splice>) -> Result<Vec<Splice>> {
        if let Some(tag) = self.layout.tag(id, holder)? {
            change.push(Splice { at: tag, with: String::new() });
        }
        Ok(change)
    }

    /// Writes the first content of an empty map or list, or of a null, below its key, as blocks are; `None` where it
    /// stays in its brackets: in JSON, or beside other maps in braces.
    fn spread_first(&self, id: Id, holder: &Holder, new: &Value) -> Result<Option<Vec<Splice>>> {
        let Holder::Map { map, entry } = holder else { return Ok(None) };
        let span = self.tree().node(id).span();
        let colon = self.layout.after_colon(entry)?;
        if self.json || self.layout.is_flow(*map) || self.layout.text()[colon..span.end].contains(['\n', '\r']) {
            return Ok(None);
        }
        let Some(below) = self.below_key(*map, entry, new, true) else { return Ok(None) };
        let before = self.layout.text()[colon..span.start].trim_end_matches([' ', '\t']).len();
        let end = self.layout.line_end(span.end);
        Ok(Some(vec![
            Splice { at: colon + before..span.end, with: String::new() },
            Splice { at: end..end, with: below },
        ]))
    }

    /// Formats a value for the lines below its key; `None` if it is written beside the key. `first` is that it is the
    /// first content of an empty one, which is spread unless its neighbours are in braces.
    fn below_key(&self, map: Id, entry: &MapEntry, value: &Value, first: bool) -> Option<String> {
        let indent = self.layout.column(self.tree().node(entry.key).span().start);
        let name = self.tree().scalar(entry.key).unwrap_or("");
        let others: Vec<MapEntry> =
            self.tree().entries(map).iter().filter(|other| other.key != entry.key).copied().collect();
        let style = self.style(self.is_spread(&others));
        let whole = render::entry(name, value, indent, style);
        let has_maps = |value: &Value| match value {
            Value::Map(_) => true,
            Value::List(items) => items.iter().any(|item| matches!(item, Value::Map(_))),
            _ => false,
        };
        match whole.find(self.newline).filter(|_| matches!(value, Value::Map(_) | Value::List(_))) {
            Some(at) => Some(whole[at..].to_string()),
            None if first && has_maps(value) && !others.iter().any(|other| self.is_braced(other)) => {
                Some(render::below(value, indent + style.step, style))
            }
            None => None,
        }
    }

    /// Whether the value of an entry is a map in braces that has entries.
    fn is_braced(&self, entry: &MapEntry) -> bool {
        matches!(&self.tree().node(entry.value).kind, NodeKind::Map { flow: true, entries, .. } if !entries.is_empty())
    }

    /// Whether small maps beside these entries are written on several lines.
    fn is_spread(&self, others: &[MapEntry]) -> bool {
        let is_block =
            |entry: &MapEntry| matches!(self.tree().node(entry.value).kind, NodeKind::Map { flow: false, .. });
        others.iter().any(is_block) && !others.iter().any(|entry| self.is_braced(entry))
    }

    fn is_empty(&self, id: Id) -> bool {
        self.tree().entries(id).is_empty() && self.tree().items(id).is_empty()
    }

    fn text_like(&self, text: &str, style: ScalarStyle, in_flow: bool, holder: &Holder) -> String {
        if self.json {
            return render::double_quoted(text, self.json);
        }
        if let (false, Holder::Map { entry, .. }) = (in_flow, holder) {
            let indent = self.layout.column(self.tree().node(entry.key).span().start) + self.step();
            if let Some(literal) = render::literal(text, indent, self.newline) {
                return literal;
            }
        }
        render::like(text, if is_block(style) { ScalarStyle::Plain } else { style }, self.json)
    }

    /// Replaces a scalar and keeps the comment beside it: for a block scalar, the comment after `|` or `>`.
    fn beside_its_comment(&self, at: Range<usize>, with: String, was_block: bool) -> Vec<Splice> {
        let text = self.layout.text();
        let rest = if was_block { at.start } else { at.end }..self.layout.line_end(at.start);
        let comment = text.get(rest.clone()).and_then(|rest| Some(&rest[rest.find(" #")? + 1..]));
        let is_block = with.starts_with(['|', '>']);
        match comment {
            Some(comment) if was_block || is_block => {
                let (head, below) = match with.find(self.newline).filter(|_| is_block) {
                    Some(end) => with.split_at(end),
                    None => (with.as_str(), ""),
                };
                let end = if was_block { at.end } else { rest.end };
                Splice::new(at.start..end, format!("{head} {comment}{below}"))
            }
            _ => Splice::new(at, with),
        }
    }

    /// Writes a value in place of an empty node.
    fn fill(&self, id: Id, holder: &Holder, in_flow: bool, new: &Value) -> Result<Vec<Splice>> {
        let Holder::Map { map, entry } = holder else { return Err(EditError::Layout) };
        let key = self.tree().node(entry.key);
        let colon = match self.layout.after_colon(entry) {
            Ok(colon) => colon,
            Err(_) if in_flow => {
                return Ok(Splice::new(key.span().end..key.span().end, format!(": {}", render::flow(new, self.json))));
            }
            Err(error) => return Err(error),
        };
        // Behind an anchor. A tag goes.
        let tag = self.layout.tag(id, holder)?;
        let at = self.layout.after_properties(colon, in_flow);
        let at = match &tag {
            Some(tag) if tag.end >= at => tag.start,
            _ => at,
        };
        let below = if in_flow || new.is_empty() { None } else { self.below_key(*map, entry, new, false) };
        let change = match below {
            // Below the key, after a comment beside it.
            Some(below) => {
                let end = self.layout.line_end(at);
                Splice::new(end..end, below)
            }
            None => Splice::new(at..at, format!(" {}", render::flow(new, self.json))),
        };
        Ok(change.into_iter().chain(tag.map(|at| Splice { at, with: String::new() })).collect())
    }

    /// Replaces a block map or list; a comment beside the key is kept.
    pub(super) fn replace_block(&self, id: Id, holder: &Holder, new: &Value) -> Result<Vec<Splice>> {
        let start = self.tree().node(id).span().start;
        if let (NodeKind::Map { .. }, Value::Map(entries), false) = (&self.tree().node(id).kind, new, new.is_empty()) {
            let indent = self.layout.column(start);
            let end = self.layout.end(id, indent)?.ok_or(EditError::Layout)?;
            return Ok(Splice::new(start..end, render::block_map(entries, indent, self.style(true))));
        }
        let Holder::Map { entry, .. } = holder else { return Err(EditError::Layout) };
        let colon = self.layout.after_colon(entry)?;
        let end = self.layout.entry_end(entry)?;
        let head = self.layout.line_end(colon);
        if head >= start || !self.layout.text()[head..start].trim_matches(['-', ' ', '\t', '\r', '\n']).is_empty() {
            return Err(EditError::Layout);
        }
        let value = Splice { at: colon..colon, with: format!(" {}", render::flow(new, self.json)) };
        Ok(vec![value, Splice { at: head..end, with: String::new() }])
    }

    pub(super) fn insert_entry(&self, map: Id, key: &str, value: &Value) -> Result<Vec<Splice>> {
        let NodeKind::Map { entries, merge, flow } = &self.tree().node(map).kind else { return Err(EditError::NoMap) };
        if merge.is_some() || self.tree().node(map).repeated {
            return Err(EditError::Shared);
        }
        let Some(last) = entries.last() else {
            return self.insert_first(map, &Value::Map(vec![(key.to_string(), value.clone())]));
        };
        if *flow {
            let start = self.tree().node(last.key).span().start;
            let end = self.layout.flow_entry_end(last);
            let others = entries.iter().map(|entry| entry.value);
            let entry = |value: String| format!("{}: {value}", render::flow_text(key, self.json));
            return self.insert_in_flow(map, start, end, others, value, &entry);
        }
        let indent = self.layout.column(self.tree().node(last.key).span().start);
        let keys: Vec<&str> = entries.iter().map(|entry| self.tree().scalar(entry.key).unwrap_or_default()).collect();
        let above = entry_above(key, &keys).and_then(|at| entries.get(at)).unwrap_or(last);
        let end = self.layout.line_end(self.layout.entry_end(above)?);
        let spread = self.is_spread(entries);
        let text = render::entry(key, value, indent, self.style(spread));
        Ok(Splice::new(end..end, format!("{}{text}", render::break_to(indent, self.style(spread)))))
    }

    pub(super) fn insert_item(&self, list: Id, index: usize, value: &Value) -> Result<Vec<Splice>> {
        let NodeKind::List { items, flow } = &self.tree().node(list).kind else { return Err(EditError::NoMap) };
        if self.tree().node(list).repeated {
            return Err(EditError::Shared);
        }
        let Some(last) = items.last() else { return self.insert_first(list, &Value::List(vec![value.clone()])) };
        if *flow {
            return match items.get(index) {
                Some(next) => {
                    let at = self.tree().node(*next).span().start;
                    let lead = self.layout.before(at);
                    Ok(match self.begins_line(list, at) {
                        true => {
                            let text = self.beside(list, lead, items.iter().copied(), value);
                            Splice::new(at..at, format!("{text},{}{lead}", self.newline))
                        }
                        false => Splice::new(at..at, format!("{}, ", render::flow(value, self.json))),
                    })
                }
                None => {
                    let span = self.tree().node(*last).span();
                    self.insert_in_flow(list, span.start, span.end, items.iter().copied(), value, &|text| text)
                }
            };
        }
        let dash = self.layout.dash(list, 0)?;
        let indent = self.layout.column(dash);
        let spread = items.iter().any(|item| matches!(self.tree().node(*item).kind, NodeKind::Map { flow: false, .. }));
        let text = render::item(value, indent, self.style(spread));
        if index < items.len() {
            let at = self.layout.dash(list, index)?;
            return Ok(Splice::new(at..at, format!("{text}{}", render::break_to(indent, self.style(spread)))));
        }
        let end = self.layout.line_end(self.layout.item_end(list, items.len() - 1)?);
        Ok(Splice::new(end..end, format!("{}{text}", render::break_to(indent, self.style(spread)))))
    }

    /// Inserts the first entry or item into `{}` or `[]`.
    fn insert_first(&self, id: Id, whole: &Value) -> Result<Vec<Splice>> {
        let span = self.tree().node(id).span();
        let inner = span.start + 1..span.end.saturating_sub(1);
        if !self.layout.text().get(inner).is_some_and(|inner| inner.trim().is_empty()) {
            return Err(EditError::Layout);
        }
        let spread = self.spread_first(id, &self.holder_of(id), whole)?;
        Ok(spread.unwrap_or_else(|| Splice::new(span, self.in_braces(id, whole))))
    }

    /// Whether the node at `at` in `{…}` or `[…]` begins a line.
    fn begins_line(&self, id: Id, at: usize) -> bool {
        self.layout.before(at).trim().is_empty() && self.layout.line_start(at) > self.tree().node(id).span().start
    }

    /// The indentation of the line at `at`.
    fn lead(&self, at: usize) -> &'t str {
        let line = self.layout.before(at);
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    fn is_of_lines(&self, id: Id) -> bool {
        self.layout.is_flow(id) && self.layout.text()[self.tree().node(id).span()].contains(['\n', '\r'])
    }

    /// Formats a value that replaces `id`, which is in braces: on several lines if the old one is, or if it is empty in
    /// JSON that is.
    fn in_braces(&self, id: Id, new: &Value) -> String {
        let start = self.tree().node(id).span().start;
        let lead = self.lead(start);
        let is_empty = self.is_empty(id);
        let above = match self.holder_of(id) {
            Holder::Map { map, entry } => Some((map, self.tree().node(entry.key).span().start)),
            Holder::List { list, .. } => Some((list, start)),
            Holder::Root => None,
        };
        let unit = above.filter(|(above, at)| self.begins_line(*above, *at)).map(|(above, _)| self.unit(above, lead));
        let spread = self.is_of_lines(id) || (is_empty && self.json && unit.is_some());
        if !spread {
            return render::flow(new, self.json);
        }
        let unit = unit.unwrap_or("  ");
        render::flow_lines(new, &render::LineStyle { lead, unit }, self.style(false))
    }

    /// The indentation of the content of `id` relative to it; `lead` is the indentation of its lines.
    fn unit(&self, id: Id, lead: &'t str) -> &'t str {
        let around = self.lead(self.tree().node(id).span().start);
        let unit = lead.strip_prefix(around).filter(|unit| !unit.is_empty());
        unit.unwrap_or(if lead.starts_with('\t') { "\t" } else { "  " })
    }

    /// Formats another value on its own line in `{…}` or `[…]`, in the style of its neighbours.
    fn beside(&self, id: Id, lead: &'t str, others: impl Iterator<Item = Id>, value: &Value) -> String {
        let is_full = |id: &Id| !self.tree().entries(*id).is_empty() || !self.tree().items(*id).is_empty();
        let others: Vec<Id> = others.filter(is_full).collect();
        let spread = others.iter().any(|id| self.is_of_lines(*id)) || (others.is_empty() && self.json);
        if !spread {
            return render::flow(value, self.json);
        }
        render::flow_lines(value, &render::LineStyle { lead, unit: self.unit(id, lead) }, self.style(false))
    }

    /// Inserts an entry or item at the end of `{…}` or `[…]`; `start` and `end` are those of the last one, `others` the
    /// values beside it.
    fn insert_in_flow(
        &self,
        id: Id,
        start: usize,
        end: usize,
        others: impl Iterator<Item = Id>,
        value: &Value,
        whole: &dyn Fn(String) -> String,
    ) -> Result<Vec<Splice>> {
        let rest = &self.layout.text()[end..self.layout.line_end(end)];
        let after = rest.trim_start();
        let has_comma = after.starts_with(',');
        if !self.begins_line(id, start) {
            // `[a, b,]`: the trailing comma is kept.
            return Ok(Splice::new(end..end, format!(", {}", whole(render::flow(value, self.json)))));
        }
        let lead = self.layout.before(start);
        let text = whole(self.beside(id, lead, others, value));
        let line = format!("{}{lead}", self.newline);
        let tail = after.trim_start_matches(',').trim_start();
        if !tail.is_empty() && !tail.starts_with('#') {
            return Ok(Splice::new(end..end, format!(",{line}{text}")));
        }
        let line_end = end + rest.len();
        let comma = if has_comma { "" } else { "," };
        let tail = if has_comma { "," } else { "" };
        Ok(vec![
            Splice { at: end..end, with: comma.into() },
            Splice { at: line_end..line_end, with: format!("{line}{text}{tail}") },
        ])
    }

    /// Finds the parent of a node.
    pub(super) fn holder_of(&self, wanted: Id) -> Holder {
        fn search(tree: &Tree<'_>, at: Id, wanted: Id) -> Option<Holder> {
            match &tree.node(at).kind {
                NodeKind::Map { entries, .. } => entries.iter().filter(|entry| !entry.merged).find_map(|entry| {
                    let found = Holder::Map { map: at, entry: *entry };
                    if entry.value == wanted { Some(found) } else { search(tree, entry.value, wanted) }
                }),
                NodeKind::List { items, .. } => items.iter().enumerate().find_map(|(index, item)| {
                    let found = Holder::List { list: at, index };
                    if *item == wanted { Some(found) } else { search(tree, *item, wanted) }
                }),
                _ => None,
            }
        }
        search(self.tree(), self.tree().root, wanted).unwrap_or(Holder::Root)
    }

    /// The indentation of blocks in this document: that of the last top-level block, or two.
    fn step(&self) -> usize {
        let tree = self.tree();
        let mut steps = tree.entries(self.root).iter().filter_map(|entry| {
            let first = match &tree.node(entry.value).kind {
                NodeKind::Map { entries, flow: false, .. } => entries.first()?,
                _ => return None,
            };
            let column = |entry: &MapEntry| self.layout.column(tree.node(entry.key).span().start);
            column(first).checked_sub(column(entry)).filter(|step| (1..=8).contains(step))
        });
        steps.next_back().unwrap_or(2)
    }

    fn style(&self, spread: bool) -> TextStyle<'a> {
        TextStyle { newline: self.newline, json: self.json, spread, step: self.step() }
    }

    /// The change that removes the node at `path`; empty if there is none.
    pub(super) fn remove(&self, path: &[&str]) -> Result<Vec<Splice>> {
        let (PathEnd::Node(..), mut path) = (self.find(path)?, path) else { return Ok(Vec::new()) };
        // A map or list that would be empty is removed too, if an empty one is not written.
        while let Some((_, above)) = path.split_last() {
            let is_emptied = above.last().is_some_and(|key| EMPTIED.contains(key));
            let PathEnd::Node(holder, _) = self.find(above)? else { break };
            let alone = self.tree().entries(holder).len().max(self.tree().items(holder).len()) == 1;
            if !(is_emptied && alone) {
                break;
            }
            path = above;
        }
        let PathEnd::Node(id, holder) = self.find(path)? else { return Ok(Vec::new()) };
        if self.layout.is_shared(id) {
            return Err(EditError::Shared);
        }
        match holder {
            Holder::Root => Err(EditError::Layout),
            Holder::Map { map, entry } => self.remove_entry(map, &entry),
            Holder::List { list, index } => self.remove_item(list, index),
        }
    }

    /// The change that removes an item of a list, independent of its kind.
    pub(super) fn remove_element(&self, list: Id, index: usize) -> Result<Vec<Splice>> {
        match self.tree().items(list).get(index) {
            Some(item) if self.layout.is_shared(*item) => Err(EditError::Shared),
            Some(_) => self.remove_item(list, index),
            None => Err(EditError::Layout),
        }
    }

    pub(super) fn remove_entry(&self, map: Id, entry: &MapEntry) -> Result<Vec<Splice>> {
        let NodeKind::Map { entries, merge, flow } = &self.tree().node(map).kind else { return Err(EditError::NoMap) };
        if merge.is_some() || self.tree().node(map).repeated {
            return Err(EditError::Shared);
        }
        let index = entries.iter().position(|e| e.key == entry.key).ok_or(EditError::Layout)?;
        let start = |entry: &MapEntry| self.tree().node(entry.key).span().start;
        if *flow {
            let parts: Vec<_> = entries.iter().map(|entry| start(entry)..self.layout.flow_entry_end(entry)).collect();
            return Ok(self.remove_in_flow(map, &parts, index));
        }
        let end = self.layout.entry_end(entry)?;
        if entries.len() == 1 {
            let holder = self.holder_of(map);
            return self.replace_block(map, &holder, &Value::Map(Vec::new()));
        }
        self.remove_lines(start(entry), end, entries.get(index + 1).map(start))
    }

    pub(super) fn remove_item(&self, list: Id, index: usize) -> Result<Vec<Splice>> {
        let NodeKind::List { items, flow } = &self.tree().node(list).kind else { return Err(EditError::NoMap) };
        if self.tree().node(list).repeated {
            return Err(EditError::Shared);
        }
        if *flow {
            let parts: Vec<_> = items.iter().map(|item| self.tree().node(*item).span()).collect();
            return Ok(self.remove_in_flow(list, &parts, index));
        }
        if items.len() == 1 {
            let holder = self.holder_of(list);
            return self.replace_block(list, &holder, &Value::List(Vec::new()));
        }
        let next = if index + 1 < items.len() { Some(self.layout.dash(list, index + 1)?) } else { None };
        self.remove_lines(self.layout.dash(list, index)?, self.layout.item_end(list, index)?, next)
    }

    /// Removes complete lines. After a dash (`- name: x`), the next entry takes the position of the first.
    fn remove_lines(&self, start: usize, end: usize, next: Option<usize>) -> Result<Vec<Splice>> {
        if self.layout.before(start).trim().is_empty() {
            let from = start - self.layout.before(start).len();
            let to = self.layout.next_line(end);
            if to < self.layout.text().len() || self.layout.line_end(end) < to {
                return Ok(Splice::new(from..to, ""));
            }
            // The last line of a file without a final line break: the break before it is removed.
            let before = &self.layout.text()[..from];
            let from =
                before.strip_suffix("\r\n").or_else(|| before.strip_suffix(['\n', '\r'])).unwrap_or(before).len();
            return Ok(Splice::new(from..to, ""));
        }
        // A comment beside a removed value is removed too; one on its own line would have no line any more.
        match next {
            Some(next) => {
                let rest = self.layout.text()[end..self.layout.line_end(end).min(next)].trim_start();
                let below = &self.layout.text()[self.layout.line_end(end).min(next)..next];
                let fits = (rest.is_empty() || rest.starts_with('#')) && below.trim().is_empty();
                if fits { Ok(Splice::new(start..next, "")) } else { Err(EditError::Layout) }
            }
            None => Err(EditError::Layout),
        }
    }

    fn remove_in_flow(&self, id: Id, parts: &[Range<usize>], index: usize) -> Vec<Splice> {
        let text = self.layout.text();
        let (part, is_last) = (&parts[index], index + 1 == parts.len());
        let rest = &text[part.end..self.layout.line_end(part.end)];
        let after = rest.trim_start();
        let comma = if after.starts_with(',') { part.end + rest.len() - after.len() + 1 } else { part.end };
        let tail = text[comma..self.layout.line_end(comma)].trim_start();
        let span = self.tree().node(id).span();
        let own_lines = self.layout.before(part.start).trim().is_empty()
            && (tail.is_empty() || tail.starts_with('#'))
            && self.layout.line_start(part.start) > span.start;
        let before_comma = index.checked_sub(1).filter(|_| is_last).and_then(|before| {
            let end = parts[before].end;
            let at = end + text[end..part.start].find(',')?;
            text[end..at].trim().is_empty().then_some(at..at + 1)
        });
        match (own_lines, before_comma) {
            (true, before) => {
                let lines = self.layout.line_start(part.start)..self.layout.next_line(part.end);
                let keeps_comma = comma > part.end;
                let comma = before.filter(|_| !keeps_comma).map(|at| Splice { at, with: String::new() });
                comma.into_iter().chain([Splice { at: lines, with: String::new() }]).collect()
            }
            (false, Some(_)) => Splice::new(parts[index - 1].end..part.end, ""),
            (false, None) => match parts.get(index + 1) {
                Some(next) => Splice::new(part.start..next.start, ""),
                None => Splice::new(part.start..comma, ""),
            },
        }
    }
}

fn is_block(style: ScalarStyle) -> bool {
    matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
}
