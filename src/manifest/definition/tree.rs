//! A YAML document as a tree that knows where each value stands. It borrows the text, resolves
//! aliases without copying, and refuses what could hide a value from a reader: duplicate keys,
//! merge keys, second documents. It has no `Debug`: values may be secrets.

use super::{DefinitionError, MAX_DEPTH, MAX_NODES, MAX_VISITS, encoding};
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A parsed document.
pub(super) struct Tree<'a> {
    text: &'a str,
    nodes: Vec<Node<'a>>,
    /// How many more nodes readers may visit: aliases may unfold to more than there are.
    visits: Cell<usize>,
}

struct Node<'a> {
    /// Bytes of the value itself, without tag and anchor. Of a block collection only the start counts.
    span: Range<usize>,
    /// Where the token before the value ends.
    after: usize,
    line: usize,
    content: Content<'a>,
}

enum Content<'a> {
    Scalar(Cow<'a, str>, ScalarStyle),
    Mapping(Vec<(usize, usize)>, StructureStyle),
    Sequence(Vec<usize>, StructureStyle),
    Alias(usize),
}

impl Node<'_> {
    fn keys(&self) -> impl Iterator<Item = usize> {
        let entries = if let Content::Mapping(entries, _) = &self.content { entries.as_slice() } else { &[] };
        entries.iter().map(|(key, _)| *key)
    }
}

/// A value in a tree. Reading goes through aliases.
#[derive(Clone, Copy)]
pub(super) struct View<'t> {
    tree: &'t Tree<'t>,
    id: usize,
}

/// A collection that is being read: its node, and the key that waits for a value.
struct Open {
    id: usize,
    key: Option<usize>,
}

impl<'a> Tree<'a> {
    /// Reads one document. `None` where there is none at all.
    pub fn parse(text: &'a str) -> Result<Option<Tree<'a>>, DefinitionError> {
        let base = encoding::mark(text);
        let source = text.get(base..).unwrap_or_default();
        let options = granit_parser::options! { emit_comments: false };
        let mut builder = Builder { base, at: base, nodes: Vec::new(), open: Vec::new(), anchors: HashMap::new() };
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(source, options) {
            let (event, span) = event.map_err(|error| syntax(&error))?;
            if let Event::DocumentStart(..) = event {
                documents += 1;
                if documents > 1 {
                    return Err(DefinitionError::SecondDocument { line: span.start.line() });
                }
            }
            builder.event(event, span)?;
        }
        let nodes = builder.nodes;
        Ok((!nodes.is_empty()).then(|| Tree { text, visits: Cell::new(MAX_VISITS), nodes }))
    }

    /// The document's value.
    pub fn root(&self) -> View<'_> {
        View { tree: self, id: 0 }
    }

    /// Whether readers had to visit more than they may: what they found is then not all.
    pub fn exhausted(&self) -> bool {
        self.visits.get() == 0
    }

    /// Every scalar that is no key, where it stands.
    pub fn scalar_values(&self) -> impl Iterator<Item = View<'_>> {
        let keys: HashSet<usize> = self.nodes.iter().flat_map(|node| node.keys()).collect();
        self.scalars().filter(move |view| !keys.contains(&view.id))
    }

    /// Every scalar of the document, keys included, where it stands.
    pub fn scalars(&self) -> impl Iterator<Item = View<'_>> {
        let is_scalar = |(_, node): &(usize, &Node)| matches!(node.content, Content::Scalar(..));
        self.nodes.iter().enumerate().filter(is_scalar).map(|(id, _)| View { tree: self, id })
    }
}

fn syntax(error: &granit_parser::ScanError) -> DefinitionError {
    let (line, column) = (error.marker().line(), error.marker().col() + 1);
    if matches!(error.kind(), granit_parser::ErrorKind::RecursionLimitExceeded) {
        return DefinitionError::TooDeep { line };
    }
    let why = error.info();
    // The parser's own words are about YAML, but may quote the name of an anchor or a tag.
    let why = if why.contains(['"', '\'', '`']) { "its structure is broken here".to_string() } else { why.to_string() };
    DefinitionError::Syntax { line, column, why }
}

struct Builder<'a> {
    base: usize,
    /// Where the last token ended.
    at: usize,
    nodes: Vec<Node<'a>>,
    open: Vec<Open>,
    anchors: HashMap<usize, usize>,
}

impl<'a> Builder<'a> {
    fn event(&mut self, event: Event<'a>, span: Span) -> Result<(), DefinitionError> {
        match event {
            Event::Scalar(text, style, anchor, _) => self.add(Content::Scalar(text, style), span, anchor)?,
            Event::MappingStart(style, anchor, _) => {
                self.add(Content::Mapping(Vec::new(), style), span, anchor)?;
                self.enter(span)?;
            }
            Event::SequenceStart(style, anchor, _) => {
                self.add(Content::Sequence(Vec::new(), style), span, anchor)?;
                self.enter(span)?;
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                let target = target.ok_or(DefinitionError::CannotEdit { line: span.start.line() })?;
                self.add(Content::Alias(target), span, 0)?;
            }
            Event::MappingEnd | Event::SequenceEnd => self.leave(span)?,
            _ => {}
        }
        Ok(())
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let range = span.byte_range().unwrap_or_default();
        range.start + self.base..range.end.max(range.start) + self.base
    }

    fn add(&mut self, content: Content<'a>, span: Span, anchor: usize) -> Result<(), DefinitionError> {
        if self.nodes.len() >= MAX_NODES {
            return Err(DefinitionError::TooManyNodes);
        }
        let (id, bytes) = (self.nodes.len(), self.bytes(span));
        let after = self.at;
        self.at = match content {
            // A block collection's start token is empty.
            Content::Mapping(_, StructureStyle::Block) | Content::Sequence(_, StructureStyle::Block) => self.at,
            _ => bytes.end.max(self.at),
        };
        self.nodes.push(Node { span: bytes, after, line: span.start.line(), content });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        let Some(parent) = self.open.last_mut() else { return Ok(()) };
        match self.nodes.get_mut(parent.id).map(|node| &mut node.content) {
            Some(Content::Sequence(items, _)) => items.push(id),
            Some(Content::Mapping(entries, _)) => match parent.key.take() {
                None => parent.key = Some(id),
                Some(key) => entries.push((key, id)),
            },
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, span: Span) -> Result<(), DefinitionError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(DefinitionError::TooDeep { line: span.start.line() });
        }
        self.open.push(Open { id: self.nodes.len().saturating_sub(1), key: None });
        Ok(())
    }

    fn leave(&mut self, span: Span) -> Result<(), DefinitionError> {
        let end = self.bytes(span).end;
        let Some(closed) = self.open.pop() else { return Ok(()) };
        let Some(node) = self.nodes.get_mut(closed.id) else { return Ok(()) };
        let flow = match &node.content {
            Content::Mapping(_, style) | Content::Sequence(_, style) => *style == StructureStyle::Flow,
            _ => false,
        };
        if flow {
            node.span.end = end;
            self.at = self.at.max(end);
        }
        self.check_keys(closed.id)
    }

    fn check_keys(&self, mapping: usize) -> Result<(), DefinitionError> {
        let Some(Node { content: Content::Mapping(entries, _), .. }) = self.nodes.get(mapping) else { return Ok(()) };
        let mut seen = HashSet::with_capacity(entries.len());
        for (key, _) in entries {
            let key = match self.nodes.get(*key) {
                Some(Node { content: Content::Alias(target), .. }) => self.nodes.get(*target),
                other => other,
            };
            let Some(Node { content: Content::Scalar(text, style), line, .. }) = key else { continue };
            if text == "<<" && *style == ScalarStyle::Plain {
                return Err(DefinitionError::MergeKey { line: *line });
            }
            if !seen.insert(text.as_ref()) {
                return Err(DefinitionError::DuplicateKey { line: *line });
            }
        }
        Ok(())
    }
}

impl<'t> View<'t> {
    fn own(self) -> Option<&'t Node<'t>> {
        self.tree.nodes.get(self.id)
    }

    fn node(self) -> Option<&'t Node<'t>> {
        match self.own() {
            Some(Node { content: Content::Alias(target), .. }) => self.tree.nodes.get(*target),
            other => other,
        }
    }

    /// The value that an alias stands for; itself where it is none.
    pub fn resolved(self) -> View<'t> {
        match self.own() {
            Some(Node { content: Content::Alias(target), .. }) => View { tree: self.tree, id: *target },
            _ => self,
        }
    }

    /// The same place in the same tree.
    pub fn is(self, other: View<'_>) -> bool {
        self.id == other.id
    }

    /// Pays for reading this many children; false where readers have read too much.
    fn visit(self, children: usize) -> bool {
        let left = self.tree.visits.get().saturating_sub(children + 1);
        self.tree.visits.set(left);
        left > 0
    }

    /// The value of this key of a mapping.
    pub fn get(self, key: &str) -> Option<View<'t>> {
        self.entries().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The text of this key of a mapping, where it is a scalar and not null.
    pub fn text_of(self, key: &str) -> Option<&'t str> {
        self.get(key).filter(|value| !value.is_null()).and_then(View::text)
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
    pub fn entries(self) -> impl Iterator<Item = (View<'t>, View<'t>)> {
        let tree = self.tree;
        let entries = match self.node() {
            Some(Node { content: Content::Mapping(entries, _), .. }) if self.visit(entries.len()) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(move |(key, value)| (View { tree, id: *key }, View { tree, id: *value }))
    }

    /// Items of a sequence, in order; nothing where it is none.
    pub fn items(self) -> impl Iterator<Item = View<'t>> {
        let tree = self.tree;
        let items = match self.node() {
            Some(Node { content: Content::Sequence(items, _), .. }) if self.visit(items.len()) => items.as_slice(),
            _ => &[],
        };
        items.iter().map(move |id| View { tree, id: *id })
    }

    /// Whether it is a mapping.
    pub fn is_mapping(self) -> bool {
        matches!(self.node(), Some(Node { content: Content::Mapping(..), .. }))
    }

    /// Whether it is a sequence.
    pub fn is_sequence(self) -> bool {
        matches!(self.node(), Some(Node { content: Content::Sequence(..), .. }))
    }

    /// Whether it is a mapping or sequence in brackets.
    pub fn is_flow(self) -> bool {
        matches!(
            self.node().map(|node| &node.content),
            Some(Content::Mapping(_, StructureStyle::Flow) | Content::Sequence(_, StructureStyle::Flow))
        )
    }

    /// The text of a scalar.
    pub fn text(self) -> Option<&'t str> {
        match self.node() {
            Some(Node { content: Content::Scalar(text, _), .. }) => Some(text),
            _ => None,
        }
    }

    fn style(self) -> Option<ScalarStyle> {
        match self.node() {
            Some(Node { content: Content::Scalar(_, style), .. }) => Some(*style),
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
        matches!(self.node(), Some(Node { content: Content::Scalar(Cow::Owned(_), _), .. }))
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
            Content::Mapping(entries, StructureStyle::Block) => entries.last().map(|(key, value)| [*key, *value]),
            Content::Sequence(items, StructureStyle::Block) => items.last().map(|item| [*item, *item]),
            Content::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded) => return self.block_end(),
            Content::Scalar(..) if node.span.is_empty() => return self.nothing_end(),
            _ => return node.span.end,
        };
        let children = last.filter(|_| depth > 0).into_iter().flatten();
        let ends = children.map(|id| View { tree: self.tree, id }.end_within(depth - 1));
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
            Content::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded) => Some(self.header()?..self.block_end()),
            Content::Scalar(..) if self.own()?.span.is_empty() => Some(self.nothing_end()..self.nothing_end()),
            Content::Scalar(..) | Content::Alias(_) => Some(self.own()?.span.clone()),
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
    pub fn same(self, other: View<'_>, except: &dyn Fn(View<'_>, View<'_>) -> Option<bool>) -> bool {
        self.same_within(other, except, MAX_DEPTH)
    }

    fn same_within(self, other: View<'_>, except: &dyn Fn(View<'_>, View<'_>) -> Option<bool>, depth: usize) -> bool {
        if let Some(verdict) = except(self.resolved(), other.resolved()) {
            return verdict;
        }
        let (Some(mine), Some(theirs)) = (self.own(), other.own()) else { return false };
        let child = |(mine, theirs): (&usize, &usize)| {
            let (mine, theirs) = (View { tree: self.tree, id: *mine }, View { tree: other.tree, id: *theirs });
            depth > 0 && mine.same_within(theirs, except, depth - 1)
        };
        match (&mine.content, &theirs.content) {
            // A plain scalar may mean another type than a quoted one.
            (Content::Scalar(a, style), Content::Scalar(b, other_style)) => {
                a == b && (*style == ScalarStyle::Plain) == (*other_style == ScalarStyle::Plain)
            }
            (Content::Sequence(a, _), Content::Sequence(b, _)) => a.len() == b.len() && a.iter().zip(b).all(child),
            (Content::Mapping(a, _), Content::Mapping(b, _)) => {
                let pair = |((k, v), (other_k, other_v)): (&(usize, usize), &(usize, usize))| {
                    child((k, other_k)) && child((v, other_v))
                };
                a.len() == b.len() && a.iter().zip(b).all(pair)
            }
            // Aliases stand for what is compared where it is anchored.
            (Content::Alias(_), Content::Alias(_)) => true,
            _ => false,
        }
    }
}
