//! The positions of the parts of a document in its text that the parser's spans do not contain.

use super::EditError;
use crate::manifest::tree::{Id, MapEntry, NodeKind, Tag, Tree};
use granit_parser::ScalarStyle;
use std::ops::Range;

pub(super) type Result<T> = std::result::Result<T, EditError>;

/// A tree and its text.
#[derive(Clone, Copy)]
pub(super) struct TextLayout<'a, 't> {
    pub tree: &'a Tree<'t>,
}

/// The parent of a node.
#[derive(Clone, Copy)]
pub(super) enum Holder {
    Root,
    Map { map: Id, entry: MapEntry },
    List { list: Id, index: usize },
}

impl<'t> TextLayout<'_, 't> {
    pub(super) fn text(&self) -> &'t str {
        self.tree.text
    }

    pub(super) fn is_flow(&self, id: Id) -> bool {
        matches!(self.tree.node(id).kind, NodeKind::Map { flow: true, .. } | NodeKind::List { flow: true, .. })
    }

    /// The offset of the beginning of the line at `at`.
    pub(super) fn line_start(&self, at: usize) -> usize {
        self.text()[..at].rfind(['\n', '\r']).map_or(0, |at| at + 1)
    }

    /// The offset of the end of the line at `at`, before its line break.
    pub(super) fn line_end(&self, at: usize) -> usize {
        self.text()[at..].find(['\n', '\r']).map_or(self.text().len(), |n| at + n)
    }

    /// The offset of the line after that of `at`.
    pub(super) fn next_line(&self, at: usize) -> usize {
        let end = self.line_end(at);
        let rest = &self.text()[end..];
        end + if rest.starts_with("\r\n") { 2 } else { usize::from(!rest.is_empty()) }
    }

    /// The column of an offset, in characters from 0.
    pub(super) fn column(&self, at: usize) -> usize {
        let line = &self.text()[self.line_start(at)..at];
        line.strip_prefix('\u{feff}').unwrap_or(line).chars().count()
    }

    /// The text before `at` on its line.
    pub(super) fn before(&self, at: usize) -> &'t str {
        let line = &self.text()[self.line_start(at)..at];
        line.strip_prefix('\u{feff}').unwrap_or(line)
    }

    /// The offset after the colon of an entry. For `? key` there is none that an edit could rely on.
    pub(super) fn after_colon(&self, entry: &MapEntry) -> Result<usize> {
        let key = self.tree.node(entry.key).span();
        let rest = &self.text()[key.end..];
        let gap = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        match rest[gap..].starts_with(':') && !self.before(key.start).trim_end().ends_with('?') {
            true => Ok(key.end + gap + 1),
            false => Err(EditError::Layout),
        }
    }

    /// The tags and anchors that begin at `from`, and blanks: the range of each tag, with the blanks after it, and the
    /// end of the last one.
    fn properties(&self, from: usize, in_flow: bool) -> (Vec<Range<usize>>, usize) {
        let (mut tags, mut end, mut at) = (Vec::new(), from, from);
        loop {
            let rest = &self.text()[at..];
            at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
            if let Some(tag) = tags.last_mut().filter(|tag: &&mut Range<usize>| tag.end == end) {
                tag.end = at;
            }
            let rest = &self.text()[at..];
            let is_end = |c: char| c.is_whitespace() || (in_flow && matches!(c, ',' | '[' | ']' | '{' | '}'));
            let length = match rest.strip_prefix("!<").and_then(|rest| rest.find('>')) {
                Some(length) => length + 3,
                None if rest.starts_with(['!', '&']) => rest.find(is_end).unwrap_or(rest.len()),
                None => return (tags, end),
            };
            if rest.starts_with('!') {
                tags.push(at..at + length);
            }
            at += length;
            end = at;
        }
    }

    /// The offset after the tags and anchors that begin at `from`; `from` if there are none.
    pub(super) fn after_properties(&self, from: usize, in_flow: bool) -> usize {
        self.properties(from, in_flow).1
    }

    /// The byte range of a node's tag and the blanks after it, or those before it where nothing follows on its line.
    pub(super) fn tag(&self, id: Id, holder: &Holder) -> Result<Option<Range<usize>>> {
        if self.tree.node(id).tag == Tag::None {
            return Ok(None);
        }
        let (from, in_flow) = match holder {
            Holder::Map { map, entry } => (self.after_colon(entry)?, self.is_flow(*map)),
            Holder::List { list, index } if !self.is_flow(*list) => (self.dash(*list, *index)? + 1, false),
            // After `[` or `,`.
            Holder::List { .. } => (self.tree.node(id).after(), true),
            Holder::Root => return Err(EditError::Layout),
        };
        let (tags, end) = self.properties(from, in_flow);
        match <[Range<usize>; 1]>::try_from(tags) {
            Ok([tag]) if self.tree.node(id).span().is_empty() && tag.end >= end => {
                let before = self.text()[..tag.start].trim_end_matches([' ', '\t']).len();
                Ok(Some(before..end))
            }
            // Above a block, nothing else may be left on the line.
            Ok([tag]) if tag.end == self.line_end(tag.end) => {
                let before = self.text()[..tag.start].trim_end_matches([' ', '\t']).len();
                Ok(Some(before..tag.end))
            }
            Ok([tag]) => Ok(Some(tag)),
            Err(_) => Err(EditError::Layout),
        }
    }

    /// The offset of the dash of an item of a block list.
    pub(super) fn dash(&self, list: Id, index: usize) -> Result<usize> {
        let items = self.tree.items(list);
        let id = items.get(index).copied().ok_or(EditError::Layout)?;
        let start = self.start(id);
        let line = self.line_start(start);
        let mut before = self.text()[..start].trim_end();
        // A tag and an anchor stand between the dash and the value.
        while let Some((rest, word)) = before.get(line..).and_then(|line| line.rsplit_once([' ', '\t']))
            && word.starts_with(['!', '&'])
        {
            before = &before[..line + rest.trim_end().len()];
        }
        let dash = before.strip_suffix('-').ok_or(EditError::Layout)?.len();
        // Only blanks, or the dashes of outer lists, precede it.
        match self.before(dash).trim_matches([' ', '-']).is_empty() {
            true => Ok(dash),
            false => Err(EditError::Layout),
        }
    }

    /// The offset of a node's beginning: for a block scalar, that of its `|` or `>`.
    fn start(&self, id: Id) -> usize {
        let node = self.tree.node(id);
        let start = node.span().start;
        match node.kind {
            NodeKind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } => {
                self.text()[..start].rfind(['|', '>']).unwrap_or(start)
            }
            _ => start,
        }
    }

    /// The offset of the end of an entry's value, without comments.
    pub(super) fn entry_end(&self, entry: &MapEntry) -> Result<usize> {
        let colon = self.after_colon(entry)?;
        match self.end(entry.value, self.column(self.tree.node(entry.key).span().start))? {
            Some(end) => Ok(end.max(colon)),
            None => Ok(self.after_properties(colon, false)),
        }
    }

    /// The offset of the end of an entry's value in braces, without comments.
    pub(super) fn flow_entry_end(&self, entry: &MapEntry) -> usize {
        match self.tree.node(entry.value).span() {
            span if span.is_empty() => match self.after_colon(entry) {
                Ok(colon) => self.after_properties(colon, true),
                Err(_) => self.tree.node(entry.key).span().end,
            },
            span => span.end,
        }
    }

    /// The offset of the end of an item's value, without comments.
    pub(super) fn item_end(&self, list: Id, index: usize) -> Result<usize> {
        let id = self.tree.items(list).get(index).copied().ok_or(EditError::Layout)?;
        if self.is_flow(list) {
            return Ok(self.tree.node(id).span().end);
        }
        let dash = self.dash(list, index)?;
        Ok(self.end(id, self.column(dash))?.unwrap_or(dash + 1))
    }

    /// The offset of a node's end; `None` for an empty node. `indent` is the column of its parent.
    pub(super) fn end(&self, id: Id, indent: usize) -> Result<Option<usize>> {
        let node = self.tree.node(id);
        Ok(match &node.kind {
            NodeKind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } => {
                Some(self.block_text(self.start(id), indent).end)
            }
            NodeKind::Map { entries, merge, flow: false } => {
                let mut end = node.span().start;
                for entry in entries.iter().filter(|entry| !entry.merged).chain(merge) {
                    end = end.max(self.entry_end(entry)?);
                }
                Some(end)
            }
            NodeKind::List { items, flow: false } => {
                let mut end = node.span().start;
                for index in 0..items.len() {
                    end = end.max(self.item_end(id, index)?);
                }
                Some(end)
            }
            _ if node.span().is_empty() => None,
            _ => Some(node.span().end),
        })
    }

    /// The byte range of a block scalar, from its `|` or `>` to the end of its last line. Its lines are indented more
    /// than `indent`.
    pub(super) fn block_text(&self, mark: usize, indent: usize) -> Range<usize> {
        let head = self.line_end(mark);
        let keeps = self.text()[mark..head].contains('+');
        let (mut end, mut at) = (head, self.next_line(mark));
        while at < self.text().len() {
            let line = &self.text()[at..self.line_end(at)];
            let width = line.len() - line.trim_start_matches(' ').len();
            let blank = line.trim().is_empty();
            if !blank && width <= indent {
                break;
            }
            if !blank || keeps {
                end = self.line_end(at);
            }
            at = self.next_line(at);
        }
        mark..end
    }

    /// The byte range of a scalar, including its quotes or block.
    pub(super) fn scalar(&self, id: Id, holder: &Holder) -> Result<Range<usize>> {
        let node = self.tree.node(id);
        let NodeKind::Scalar { style, .. } = &node.kind else { return Err(EditError::Layout) };
        if !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            return Ok(node.span());
        }
        let (from, indent) = match holder {
            Holder::Map { entry, .. } => {
                (self.after_colon(entry)?, self.column(self.tree.node(entry.key).span().start))
            }
            Holder::List { list, index } => (self.dash(*list, *index)? + 1, self.column(self.dash(*list, *index)?)),
            Holder::Root => return Err(EditError::Layout),
        };
        let from = self.after_properties(from, false);
        let rest = &self.text()[from..];
        let mark = from + rest.len() - rest.trim_start_matches([' ', '\t']).len();
        match self.text()[mark..].starts_with(['|', '>']) {
            true => Ok(self.block_text(mark, indent)),
            false => Err(EditError::Layout),
        }
    }

    /// Whether a node is an alias, or contains something that an alias repeats.
    pub(super) fn is_shared(&self, id: Id) -> bool {
        let node = self.tree.node(id);
        node.repeated
            || match &node.kind {
                NodeKind::Alias(_) => true,
                NodeKind::Scalar { .. } => false,
                NodeKind::List { items, .. } => items.iter().any(|id| self.is_shared(*id)),
                NodeKind::Map { entries, merge, .. } => {
                    let shared = |entry: &MapEntry| self.is_shared(entry.key) || self.is_shared(entry.value);
                    merge.is_some() || entries.iter().any(shared)
                }
            }
    }
}
