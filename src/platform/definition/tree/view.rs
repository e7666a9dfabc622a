//! A value in a tree: what it says, where it is written, whether it is the same as another.

use super::{DefinitionNode, DefinitionTree, NodeContent};
use crate::platform::definition::MAX_DEPTH;
use granit_parser::{ScalarStyle, StructureStyle};
use std::borrow::Cow;
use std::ops::Range;

/// A value in a tree. Reading goes through aliases.
#[derive(Clone, Copy)]
pub(in crate::platform::definition) struct ValueView<'t> {
    pub(super) tree: &'t DefinitionTree<'t>,
    pub(super) id: usize,
}

impl<'t> ValueView<'t> {
    fn own(self) -> Option<&'t DefinitionNode<'t>> {
        self.tree.nodes.get(self.id)
    }

    fn node(self) -> Option<&'t DefinitionNode<'t>> {
        match self.own() {
            Some(DefinitionNode { content: NodeContent::Alias(target), .. }) => self.tree.nodes.get(*target),
            other => other,
        }
    }

    /// The value that an alias stands for; itself where it is none.
    pub fn resolved(self) -> ValueView<'t> {
        match self.own() {
            Some(DefinitionNode { content: NodeContent::Alias(target), .. }) => {
                ValueView { tree: self.tree, id: *target }
            }
            _ => self,
        }
    }

    /// The same place in the same tree.
    pub fn is(self, other: ValueView<'_>) -> bool {
        self.id == other.id
    }

    /// Pays for reading this many children; false where readers have read too much.
    fn visit(self, children: usize) -> bool {
        let left = self.tree.visits.get().saturating_sub(children + 1);
        self.tree.visits.set(left);
        left > 0
    }

    /// The value of this key of a mapping.
    pub fn get(self, key: &str) -> Option<ValueView<'t>> {
        self.entries().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The text of this key of a mapping, where it is a scalar and not null.
    pub fn text_of(self, key: &str) -> Option<&'t str> {
        self.get(key).filter(|value| !value.is_null()).and_then(ValueView::text)
    }

    /// Whether this key of a mapping is a true or a false.
    pub fn flag(self, key: &str) -> Option<bool> {
        match self.text_of(key)? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// Keys and values of a mapping, in order; nothing where it is none.
    pub fn entries(self) -> impl Iterator<Item = (ValueView<'t>, ValueView<'t>)> {
        let tree = self.tree;
        let entries = match self.node() {
            Some(DefinitionNode { content: NodeContent::Mapping(entries, _), .. }) if self.visit(entries.len()) => {
                entries.as_slice()
            }
            _ => &[],
        };
        entries.iter().map(move |(key, value)| (ValueView { tree, id: *key }, ValueView { tree, id: *value }))
    }

    /// Items of a sequence, in order; nothing where it is none.
    pub fn items(self) -> impl Iterator<Item = ValueView<'t>> {
        let tree = self.tree;
        let items = match self.node() {
            Some(DefinitionNode { content: NodeContent::Sequence(items, _), .. }) if self.visit(items.len()) => {
                items.as_slice()
            }
            _ => &[],
        };
        items.iter().map(move |id| ValueView { tree, id: *id })
    }

    /// Whether it is a mapping.
    pub fn is_mapping(self) -> bool {
        matches!(self.node(), Some(DefinitionNode { content: NodeContent::Mapping(..), .. }))
    }

    /// Whether it is a sequence.
    pub fn is_sequence(self) -> bool {
        matches!(self.node(), Some(DefinitionNode { content: NodeContent::Sequence(..), .. }))
    }

    /// Whether it is a mapping or sequence in brackets.
    pub fn is_flow(self) -> bool {
        matches!(
            self.node().map(|node| &node.content),
            Some(NodeContent::Mapping(_, StructureStyle::Flow) | NodeContent::Sequence(_, StructureStyle::Flow))
        )
    }

    /// The text of a scalar.
    pub fn text(self) -> Option<&'t str> {
        match self.node() {
            Some(DefinitionNode { content: NodeContent::Scalar(text, _), .. }) => Some(text),
            _ => None,
        }
    }

    fn style(self) -> Option<ScalarStyle> {
        match self.node() {
            Some(DefinitionNode { content: NodeContent::Scalar(_, style), .. }) => Some(*style),
            _ => None,
        }
    }

    /// Whether it is a null.
    pub fn is_null(self) -> bool {
        self.is_plain() && matches!(self.text(), Some("" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether it is a scalar without quotes, on no block.
    pub fn is_plain(self) -> bool {
        self.style() == Some(ScalarStyle::Plain)
    }

    /// Whether its text is written otherwise than it reads (escapes, folded lines).
    pub fn is_rewritten(self) -> bool {
        matches!(self.node(), Some(DefinitionNode { content: NodeContent::Scalar(Cow::Owned(_), _), .. }))
    }

    /// The line where it begins, from 1.
    pub fn line(self) -> usize {
        self.own().map_or(1, |node| node.line)
    }

    /// Where it begins.
    pub fn start(self) -> usize {
        self.own().map_or(0, |node| node.span.start)
    }

    /// Where its text ends: of a block collection, where its last value does.
    pub fn end(self) -> usize {
        self.end_within(MAX_DEPTH)
    }

    fn end_within(self, depth: usize) -> usize {
        let Some(node) = self.own() else { return 0 };
        let last = match &node.content {
            NodeContent::Mapping(entries, StructureStyle::Block) => entries.last().map(|(key, value)| [*key, *value]),
            NodeContent::Sequence(items, StructureStyle::Block) => items.last().map(|item| [*item, *item]),
            NodeContent::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded) => return self.block_end(),
            NodeContent::Scalar(..) if node.span.is_empty() => return self.nothing_end(),
            _ => return node.span.end,
        };
        let children = last.filter(|_| depth > 0).into_iter().flatten();
        let ends = children.map(|id| ValueView { tree: self.tree, id }.end_within(depth - 1));
        ends.max().unwrap_or(node.span.start).max(node.after)
    }

    /// Where a value that is not written ends: after the `:` or `-` before it.
    fn nothing_end(self) -> usize {
        let Some(node) = self.own() else { return 0 };
        let rest = self.tree.text.get(node.after..).unwrap_or_default();
        let indicator = rest.trim_start();
        let at = node.after + (rest.len() - indicator.len());
        if indicator.starts_with([':', '-']) { at + 1 } else { node.after }
    }

    /// Where the last text of a block scalar ends, without the line breaks after it.
    fn block_end(self) -> usize {
        let Some(node) = self.own() else { return 0 };
        let text = self.tree.text.get(node.span.clone()).unwrap_or_default();
        let kept = text.trim_end_matches(['\n', '\r', ' ', '\t']).len();
        if kept > 0 { node.span.start + kept } else { self.header().map_or(node.span.start, |at| at + 1) }
    }

    /// The bytes of a scalar as they are written, a block scalar's header included. `None` for
    /// other values.
    pub fn written(self) -> Option<Range<usize>> {
        match self.own()?.content {
            NodeContent::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded) => {
                Some(self.header()?..self.block_end())
            }
            NodeContent::Scalar(..) if self.own()?.span.is_empty() => Some(self.nothing_end()..self.nothing_end()),
            NodeContent::Scalar(..) | NodeContent::Alias(_) => Some(self.own()?.span.clone()),
            _ => None,
        }
    }

    /// Where a block scalar's `|` or `>` stands: between the token before and its text there are
    /// only indicators, blanks, comments, a tag and an anchor.
    fn header(self) -> Option<usize> {
        let node = self.own()?;
        let mut rest = self.tree.text.get(node.after..node.span.start)?;
        loop {
            rest = rest.trim_start();
            let skip = match rest.chars().next()? {
                '|' | '>' => return Some(node.span.start - rest.len()),
                '#' => rest.find('\n').unwrap_or(rest.len()),
                '&' | '!' => rest.find(char::is_whitespace).unwrap_or(rest.len()),
                other => other.len_utf8(),
            };
            rest = rest.get(skip..)?;
        }
    }

    /// Whether two values are the same, but for what `except` says of values of this tree: there
    /// it says whether the other may stand in its place.
    pub fn same(self, other: ValueView<'_>, except: &dyn Fn(ValueView<'_>, ValueView<'_>) -> Option<bool>) -> bool {
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
        let (Some(mine), Some(theirs)) = (self.own(), other.own()) else { return false };
        let child = |(mine, theirs): (&usize, &usize)| {
            let (mine, theirs) =
                (ValueView { tree: self.tree, id: *mine }, ValueView { tree: other.tree, id: *theirs });
            depth > 0 && mine.same_within(theirs, except, depth - 1)
        };
        match (&mine.content, &theirs.content) {
            // A plain scalar may mean another type than a quoted one.
            (NodeContent::Scalar(a, style), NodeContent::Scalar(b, other_style)) => {
                a == b && (*style == ScalarStyle::Plain) == (*other_style == ScalarStyle::Plain)
            }
            (NodeContent::Sequence(a, _), NodeContent::Sequence(b, _)) => {
                a.len() == b.len() && a.iter().zip(b).all(child)
            }
            (NodeContent::Mapping(a, _), NodeContent::Mapping(b, _)) => {
                let pair = |((k, v), (other_k, other_v)): (&(usize, usize), &(usize, usize))| {
                    child((k, other_k)) && child((v, other_v))
                };
                a.len() == b.len() && a.iter().zip(b).all(pair)
            }
            // Aliases stand for what is compared where it is anchored.
            (NodeContent::Alias(_), NodeContent::Alias(_)) => true,
            _ => false,
        }
    }
}
