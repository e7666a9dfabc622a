//! A value in a tree: its content, its position, and comparison with another.

use super::DefinitionTree;
use crate::manifest::tree::{Id, Node, NodeKind};
use crate::platform::definition::MAX_DEPTH;
use granit_parser::ScalarStyle;
use std::borrow::Cow;
use std::ops::Range;

/// A value in a tree. Readers resolve aliases.
#[derive(Clone, Copy)]
pub(in crate::platform::definition) struct ValueView<'t> {
    pub(super) tree: &'t DefinitionTree<'t>,
    pub(super) id: Id,
}

impl<'t> ValueView<'t> {
    fn own(self) -> &'t Node<'t> {
        self.tree.tree.node(self.id)
    }

    fn node(self) -> &'t Node<'t> {
        self.tree.tree.resolve(self.id)
    }

    fn at(self, id: Id) -> ValueView<'t> {
        ValueView { id, ..self }
    }

    /// The byte range of the value, without tag and anchor. For a block collection, only its start is exact.
    fn span(self) -> Range<usize> {
        let (span, base) = (self.own().span(), self.tree.base);
        span.start + base..span.end + base
    }

    /// The end of the token before the value.
    fn after(self) -> usize {
        self.own().after() + self.tree.base
    }

    fn text_at(self, range: Range<usize>) -> Option<&'t str> {
        let base = self.tree.base;
        self.tree.tree.text.get(range.start.checked_sub(base)?..range.end.checked_sub(base)?)
    }

    /// The value that an alias refers to; the value itself if it is not an alias.
    pub(crate) fn resolved(self) -> ValueView<'t> {
        self.at(self.tree.tree.target(self.id))
    }

    /// Whether both are the same node of the same tree.
    pub(crate) fn is(self, other: ValueView<'_>) -> bool {
        self.id == other.id
    }

    /// Counts visited children against the limit; false if it is exceeded.
    fn visit(self, children: usize) -> bool {
        let left = self.tree.visits.get().saturating_sub(children + 1);
        self.tree.visits.set(left);
        left > 0
    }

    /// The value of a key in a mapping.
    pub(crate) fn get(self, key: &str) -> Option<ValueView<'t>> {
        self.entries().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The text of a key in a mapping, if it is a scalar and not null.
    pub(crate) fn text_of(self, key: &str) -> Option<&'t str> {
        self.get(key).filter(|value| !value.is_null()).and_then(ValueView::text)
    }

    /// Whether a key in a mapping is a boolean.
    pub(crate) fn flag(self, key: &str) -> Option<bool> {
        match self.text_of(key)? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// Keys and values of a mapping, in order; empty for other values.
    pub(crate) fn entries(self) -> impl Iterator<Item = (ValueView<'t>, ValueView<'t>)> {
        let entries = match &self.node().kind {
            NodeKind::Map { entries, .. } if self.visit(entries.len()) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(move |entry| (self.at(entry.key), self.at(entry.value)))
    }

    /// Items of a sequence, in order; empty for other values.
    pub(crate) fn items(self) -> impl Iterator<Item = ValueView<'t>> {
        let items = match &self.node().kind {
            NodeKind::List { items, .. } if self.visit(items.len()) => items.as_slice(),
            _ => &[],
        };
        items.iter().map(move |id| self.at(*id))
    }

    /// Whether the value is a mapping.
    pub(crate) fn is_mapping(self) -> bool {
        matches!(self.node().kind, NodeKind::Map { .. })
    }

    /// Whether the value is a sequence.
    pub(crate) fn is_sequence(self) -> bool {
        matches!(self.node().kind, NodeKind::List { .. })
    }

    /// Whether the value is a mapping or sequence in brackets.
    pub(crate) fn is_flow(self) -> bool {
        matches!(self.node().kind, NodeKind::Map { flow: true, .. } | NodeKind::List { flow: true, .. })
    }

    /// The text of a scalar.
    pub(crate) fn text(self) -> Option<&'t str> {
        match &self.node().kind {
            NodeKind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    fn style(self) -> Option<ScalarStyle> {
        match self.node().kind {
            NodeKind::Scalar { style, .. } => Some(style),
            _ => None,
        }
    }

    /// Whether the value is null.
    pub(crate) fn is_null(self) -> bool {
        self.is_plain() && matches!(self.text(), Some("" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether the value is a plain scalar, without quotes or block.
    pub(crate) fn is_plain(self) -> bool {
        self.style() == Some(ScalarStyle::Plain)
    }

    /// Whether the source of a scalar differs from its text (escapes, folded lines).
    pub(crate) fn is_rewritten(self) -> bool {
        matches!(self.node().kind, NodeKind::Scalar { text: Cow::Owned(_), .. })
    }

    /// The line of its beginning, from 1.
    pub(crate) fn line(self) -> usize {
        self.tree.line(self.id)
    }

    /// The offset of its beginning.
    pub(crate) fn start(self) -> usize {
        self.span().start
    }

    /// The end of its text: for a block collection, that of its last value.
    pub(crate) fn end(self) -> usize {
        let (mut end, mut open) = (self.start(), vec![self]);
        while let Some(value) = open.pop() {
            let last = match &value.own().kind {
                NodeKind::Map { entries, flow: false, .. } => entries.last().map(|last| [last.key, last.value]),
                NodeKind::List { items, flow: false } => items.last().map(|last| [*last, *last]),
                _ => {
                    end = end.max(value.own_end());
                    continue;
                }
            };
            end = end.max(value.after());
            open.extend(last.into_iter().flatten().map(|id| self.at(id)));
        }
        end
    }

    /// The end of a value that is not a block collection.
    fn own_end(self) -> usize {
        match self.own().kind {
            NodeKind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } => self.block_end(),
            NodeKind::Scalar { .. } if self.span().is_empty() => self.nothing_end(),
            _ => self.span().end,
        }
    }

    /// The end of an absent value: after the `:` or `-` before it.
    fn nothing_end(self) -> usize {
        let after = self.after();
        let rest = self.text_at(after..self.tree.base + self.tree.tree.text.len()).unwrap_or_default();
        let indicator = rest.trim_start();
        let at = after + (rest.len() - indicator.len());
        if indicator.starts_with([':', '-']) { at + 1 } else { after }
    }

    /// The end of the last line of a block scalar, without the line breaks after it.
    fn block_end(self) -> usize {
        let span = self.span();
        let text = self.text_at(span.clone()).unwrap_or_default();
        let kept = text.trim_end_matches(['\n', '\r', ' ', '\t']).len();
        if kept > 0 { span.start + kept } else { self.header().map_or(span.start, |at| at + 1) }
    }

    /// The byte range of a scalar in the source, including the header of a block scalar. `None` for other values.
    pub(crate) fn written(self) -> Option<Range<usize>> {
        match self.own().kind {
            NodeKind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } => {
                Some(self.header()?..self.block_end())
            }
            NodeKind::Scalar { .. } if self.span().is_empty() => Some(self.nothing_end()..self.nothing_end()),
            NodeKind::Scalar { .. } | NodeKind::Alias(_) => Some(self.span()),
            _ => None,
        }
    }

    /// The offset of a block scalar's `|` or `>`: between the token before and its text there are only indicators,
    /// blanks, comments, a tag and an anchor.
    fn header(self) -> Option<usize> {
        let start = self.span().start;
        let mut rest = self.text_at(self.after()..start)?;
        loop {
            rest = rest.trim_start();
            let skip = match rest.chars().next()? {
                '|' | '>' => return Some(start - rest.len()),
                '#' => rest.find('\n').unwrap_or(rest.len()),
                '&' | '!' => rest.find(char::is_whitespace).unwrap_or(rest.len()),
                other => other.len_utf8(),
            };
            rest = rest.get(skip..)?;
        }
    }

    /// Whether two values are equal. For values of this tree that `except` covers, it decides whether the other value
    /// is accepted.
    pub(crate) fn same(
        self,
        other: ValueView<'_>,
        except: &dyn Fn(ValueView<'_>, ValueView<'_>) -> Option<bool>,
    ) -> bool {
        self.same_within(other, except, MAX_DEPTH)
    }

    fn same_within(
        self,
        other: ValueView<'_>,
        except: &dyn Fn(ValueView<'_>, ValueView<'_>) -> Option<bool>,
        depth: usize,
    ) -> bool {
        if let Some(verdict) = except(self.resolved(), other.resolved()) {
            return verdict;
        }
        let child = |mine: Id, theirs: Id| depth > 0 && self.at(mine).same_within(other.at(theirs), except, depth - 1);
        match (&self.own().kind, &other.own().kind) {
            // A plain scalar may have another type than a quoted one.
            (NodeKind::Scalar { text, style }, NodeKind::Scalar { text: other_text, style: other_style }) => {
                text == other_text && (*style == ScalarStyle::Plain) == (*other_style == ScalarStyle::Plain)
            }
            (NodeKind::List { items: a, .. }, NodeKind::List { items: b, .. }) => {
                a.len() == b.len() && a.iter().zip(b).all(|(mine, theirs)| child(*mine, *theirs))
            }
            (NodeKind::Map { entries: a, .. }, NodeKind::Map { entries: b, .. }) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|(mine, theirs)| child(mine.key, theirs.key) && child(mine.value, theirs.value))
            }
            // The anchored values of aliases are compared at their own positions.
            (NodeKind::Alias(_), NodeKind::Alias(_)) => true,
            _ => false,
        }
    }
}
