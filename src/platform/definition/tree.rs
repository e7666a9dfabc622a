//! A YAML document as a tree that knows where each value stands. It borrows the text, resolves
//! aliases without copying, and refuses what could hide a value from a reader: duplicate keys,
//! merge keys, second documents. It has no `Debug`: values may be secrets.

mod view;

pub(super) use view::ValueView;

use super::{DefinitionError, MAX_DEPTH, MAX_NODES, MAX_VISITS, encoding};
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A parsed document.
pub(super) struct DefinitionTree<'a> {
    text: &'a str,
    nodes: Vec<DefinitionNode<'a>>,
    /// How many more nodes readers may visit: aliases may unfold to more than there are.
    visits: Cell<usize>,
}

struct DefinitionNode<'a> {
    /// Bytes of the value itself, without tag and anchor. Of a block collection only the start counts.
    span: Range<usize>,
    /// Where the token before the value ends.
    after: usize,
    line: usize,
    content: NodeContent<'a>,
}

enum NodeContent<'a> {
    Scalar(Cow<'a, str>, ScalarStyle),
    Mapping(Vec<(usize, usize)>, StructureStyle),
    Sequence(Vec<usize>, StructureStyle),
    Alias(usize),
}

impl DefinitionNode<'_> {
    fn keys(&self) -> impl Iterator<Item = usize> {
        let entries = if let NodeContent::Mapping(entries, _) = &self.content { entries.as_slice() } else { &[] };
        entries.iter().map(|(key, _)| *key)
    }
}

/// A collection that is being read: its node, and the key that waits for a value.
struct OpenCollection {
    id: usize,
    key: Option<usize>,
}

impl<'a> DefinitionTree<'a> {
    /// Reads one document. `None` where there is none at all.
    pub fn parse(text: &'a str) -> Result<Option<DefinitionTree<'a>>, DefinitionError> {
        let base = encoding::mark(text);
        let source = text.get(base..).unwrap_or_default();
        let options = granit_parser::options! { emit_comments: false };
        let mut builder =
            DefinitionBuilder { base, at: base, nodes: Vec::new(), open: Vec::new(), anchors: HashMap::new() };
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
        Ok((!nodes.is_empty()).then(|| DefinitionTree { text, visits: Cell::new(MAX_VISITS), nodes }))
    }

    /// The document's value.
    pub fn root(&self) -> ValueView<'_> {
        ValueView { tree: self, id: 0 }
    }

    /// Whether readers had to visit more than they may: what they found is then not all.
    pub fn exhausted(&self) -> bool {
        self.visits.get() == 0
    }

    /// Every scalar that is no key, where it stands.
    pub fn scalar_values(&self) -> impl Iterator<Item = ValueView<'_>> {
        let keys: HashSet<usize> = self.nodes.iter().flat_map(|node| node.keys()).collect();
        self.scalars().filter(move |view| !keys.contains(&view.id))
    }

    /// Every scalar of the document, keys included, where it stands.
    pub fn scalars(&self) -> impl Iterator<Item = ValueView<'_>> {
        let is_scalar = |(_, node): &(usize, &DefinitionNode)| matches!(node.content, NodeContent::Scalar(..));
        self.nodes.iter().enumerate().filter(is_scalar).map(|(id, _)| ValueView { tree: self, id })
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

struct DefinitionBuilder<'a> {
    base: usize,
    /// Where the last token ended.
    at: usize,
    nodes: Vec<DefinitionNode<'a>>,
    open: Vec<OpenCollection>,
    anchors: HashMap<usize, usize>,
}

impl<'a> DefinitionBuilder<'a> {
    fn event(&mut self, event: Event<'a>, span: Span) -> Result<(), DefinitionError> {
        match event {
            Event::Scalar(text, style, anchor, _) => self.add(NodeContent::Scalar(text, style), span, anchor)?,
            Event::MappingStart(style, anchor, _) => {
                self.add(NodeContent::Mapping(Vec::new(), style), span, anchor)?;
                self.enter(span)?;
            }
            Event::SequenceStart(style, anchor, _) => {
                self.add(NodeContent::Sequence(Vec::new(), style), span, anchor)?;
                self.enter(span)?;
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                let target = target.ok_or(DefinitionError::CannotEdit { line: span.start.line() })?;
                self.add(NodeContent::Alias(target), span, 0)?;
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

    fn add(&mut self, content: NodeContent<'a>, span: Span, anchor: usize) -> Result<(), DefinitionError> {
        if self.nodes.len() >= MAX_NODES {
            return Err(DefinitionError::TooManyNodes);
        }
        let (id, bytes) = (self.nodes.len(), self.bytes(span));
        let after = self.at;
        self.at = match content {
            // A block collection's start token is empty.
            NodeContent::Mapping(_, StructureStyle::Block) | NodeContent::Sequence(_, StructureStyle::Block) => self.at,
            _ => bytes.end.max(self.at),
        };
        self.nodes.push(DefinitionNode { span: bytes, after, line: span.start.line(), content });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        let Some(parent) = self.open.last_mut() else { return Ok(()) };
        match self.nodes.get_mut(parent.id).map(|node| &mut node.content) {
            Some(NodeContent::Sequence(items, _)) => items.push(id),
            Some(NodeContent::Mapping(entries, _)) => match parent.key.take() {
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
        self.open.push(OpenCollection { id: self.nodes.len().saturating_sub(1), key: None });
        Ok(())
    }

    fn leave(&mut self, span: Span) -> Result<(), DefinitionError> {
        let end = self.bytes(span).end;
        let Some(closed) = self.open.pop() else { return Ok(()) };
        let Some(node) = self.nodes.get_mut(closed.id) else { return Ok(()) };
        let flow = match &node.content {
            NodeContent::Mapping(_, style) | NodeContent::Sequence(_, style) => *style == StructureStyle::Flow,
            _ => false,
        };
        if flow {
            node.span.end = end;
            self.at = self.at.max(end);
        }
        self.check_keys(closed.id)
    }

    fn check_keys(&self, mapping: usize) -> Result<(), DefinitionError> {
        let Some(DefinitionNode { content: NodeContent::Mapping(entries, _), .. }) = self.nodes.get(mapping) else {
            return Ok(());
        };
        let mut seen = HashSet::with_capacity(entries.len());
        for (key, _) in entries {
            let key = match self.nodes.get(*key) {
                Some(DefinitionNode { content: NodeContent::Alias(target), .. }) => self.nodes.get(*target),
                other => other,
            };
            let Some(DefinitionNode { content: NodeContent::Scalar(text, style), line, .. }) = key else { continue };
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
