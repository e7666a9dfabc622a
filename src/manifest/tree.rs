//! A document as a tree of nodes with positions.
//!
//! An alias points to the node that it repeats and is never copied, so that a small file stays small; a tree is built
//! without recursion, so that depth needs no stack.

use super::limits;
use super::scalar::{self, Plain};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, StructureStyle};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// The nodes of a document, made by [`parse`]. An id is valid only for its own tree.
pub struct Tree<'t> {
    /// The slice that was parsed.
    pub text: &'t str,
    /// The outermost node.
    pub root: Id,
    /// The bytes of all scalars, with aliases unfolded.
    pub unfolded_bytes: u64,
    /// The first node that is nested deeper than [`limits::DEPTH`] only because aliases are unfolded.
    pub unfolded_too_deep: Option<Id>,
    nodes: Vec<Node<'t>>,
}

/// The id of a node in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u32);

/// A scalar, a map, a list or an alias.
pub struct Node<'t> {
    start: u32,
    end: u32,
    after: u32,
    /// The kind of the node.
    pub kind: NodeKind<'t>,
    /// Whether an alias repeats the node: a change affects both.
    pub repeated: bool,
    /// The explicit tag.
    pub tag: Tag,
}

pub enum NodeKind<'t> {
    Scalar {
        text: Cow<'t, str>,
        style: ScalarStyle,
    },
    /// Keys with values, in order; entries that `<<` merges come last, and `<<` itself is separate.
    Map {
        entries: Vec<MapEntry>,
        merge: Option<MapEntry>,
        flow: bool,
    },
    /// A list of items.
    List {
        items: Vec<Id>,
        flow: bool,
    },
    /// The alias `*name`, with the node that it repeats.
    Alias(Id),
}

/// A key and its value.
#[derive(Clone, Copy)]
pub struct MapEntry {
    /// The key of the entry.
    pub key: Id,
    /// The value of the entry.
    pub value: Id,
    /// Whether the entry was merged by `<<`.
    pub merged: bool,
}

/// An explicit tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// No tag.
    None,
    /// A string, independent of its content: `!!str` or `!`.
    String,
    /// Another tag of the YAML schema: it is either redundant or wrong.
    Core,
    /// An unknown tag.
    Other,
}

/// The reason why a slice is not a document, with its position.
#[derive(Debug)]
pub struct SyntaxFault {
    /// The byte offset in the slice.
    pub at: usize,
    /// The kind of the fault.
    pub kind: FaultKind,
}

/// The reason why a slice is not a document.
#[derive(Debug)]
pub enum FaultKind {
    /// It is not valid YAML.
    Syntax(ErrorKind),
    /// It exceeds the number of nodes.
    TooManyNodes,
    /// It merges something that is not a map by `<<`.
    NoMapToMerge {
        /// The byte at which `<<` begins.
        key: usize,
    },
    /// It has an alias within the node that the alias repeats.
    AliasOfItself,
    /// A second document begins without `---` in column 0.
    SecondDocument,
}

impl<'t> Tree<'t> {
    /// All nodes with their ids, in the order of their beginnings.
    pub fn nodes(&self) -> impl Iterator<Item = (Id, &Node<'t>)> {
        (0..).map(Id).zip(&self.nodes)
    }

    /// The node itself, which may be an alias.
    pub fn node(&self, id: Id) -> &Node<'t> {
        &self.nodes[id.0 as usize]
    }

    /// The node, or the one that it repeats if it is an alias.
    pub fn resolve(&self, id: Id) -> &Node<'t> {
        self.node(self.target(id))
    }

    /// The id of the node, or of the one that it repeats.
    pub fn target(&self, id: Id) -> Id {
        match self.node(id).kind {
            NodeKind::Alias(target) => target,
            _ => id,
        }
    }

    /// The text of a scalar.
    pub fn scalar(&self, id: Id) -> Option<&str> {
        match &self.resolve(id).kind {
            NodeKind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The type that kubectl reads for a scalar, if it is not a string.
    pub fn plain(&self, id: Id) -> Option<Plain> {
        match self.resolve(id) {
            Node { kind: NodeKind::Scalar { text, style: ScalarStyle::Plain }, tag, .. } if *tag != Tag::String => {
                scalar::plain(text)
            }
            _ => None,
        }
    }

    /// Whether the node is null, which equals absence.
    pub fn is_null(&self, id: Id) -> bool {
        self.plain(id) == Some(Plain::Null)
    }

    /// The entries of a map; empty for other nodes.
    pub fn entries(&self, id: Id) -> &[MapEntry] {
        match &self.resolve(id).kind {
            NodeKind::Map { entries, .. } => entries,
            _ => &[],
        }
    }

    /// Whether the node is a map.
    pub fn is_map(&self, id: Id) -> bool {
        matches!(self.resolve(id).kind, NodeKind::Map { .. })
    }

    /// The items of a list; `None` for other nodes.
    pub fn list(&self, id: Id) -> Option<&[Id]> {
        match &self.resolve(id).kind {
            NodeKind::List { items, .. } => Some(items),
            _ => None,
        }
    }

    /// The items of a list; empty for other nodes.
    pub fn items(&self, id: Id) -> &[Id] {
        self.list(id).unwrap_or_default()
    }

    /// The entry of a map with this key.
    pub fn entry(&self, map: Id, key: &str) -> Option<MapEntry> {
        self.entries(map).iter().find(|entry| self.scalar(entry.key) == Some(key)).copied()
    }

    /// The value of a map with this key, unless it is null.
    pub fn get(&self, map: Id, key: &str) -> Option<Id> {
        self.entry(map, key).map(|entry| entry.value).filter(|value| !self.is_null(*value))
    }
}

impl Node<'_> {
    /// The byte range in the slice: for a scalar including its quotes; for a block map or list from its first key to
    /// the end of its last value.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The offset of the end of the token before the node.
    pub fn after(&self) -> usize {
        self.after as usize
    }
}

/// Parses the only document in `text`; `None` without a document.
pub fn parse(text: &str) -> Result<Option<Tree<'_>>, SyntaxFault> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: limits::DEPTH,
        block_nesting_limit: limits::DEPTH,
    };
    let mut builder = TreeBuilder {
        nodes: Vec::with_capacity(64),
        open: Vec::new(),
        anchors: HashMap::new(),
        merged: 0,
        at: 0,
        unfolded: Vec::new(),
        too_deep: None,
        root: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| SyntaxFault {
            at: error.marker().byte_offset().unwrap_or_else(|| offset_of_char(text, error.marker().index())),
            kind: FaultKind::Syntax(error.kind().clone()),
        })?;
        builder.event(event, &span)?;
    }
    let TreeBuilder { nodes, root, unfolded, too_deep, .. } = builder;
    Ok(root.map(|root| Tree {
        text,
        root,
        unfolded_bytes: unfolded.get(root.0 as usize).map_or(0, |unfolded| unfolded.bytes),
        unfolded_too_deep: too_deep,
        nodes,
    }))
}

fn offset_of_char(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

struct TreeBuilder<'t> {
    nodes: Vec<Node<'t>>,
    open: Vec<OpenNode>,
    anchors: HashMap<usize, Id>,
    /// The number of entries that `<<` merged.
    merged: usize,
    /// The end of the last token.
    at: u32,
    /// By node.
    unfolded: Vec<Unfolded>,
    too_deep: Option<Id>,
    root: Option<Id>,
}

/// The size of a node with aliases unfolded.
#[derive(Clone, Copy, Default)]
struct Unfolded {
    bytes: u64,
    depth: usize,
}

/// A map or list that is not closed yet.
struct OpenNode {
    id: Id,
    anchor: usize,
    /// Alternating keys and values, or items.
    children: Vec<Id>,
}

impl<'t> TreeBuilder<'t> {
    fn event(&mut self, event: Event<'t>, span: &granit_parser::Span) -> Result<(), SyntaxFault> {
        let range = span.byte_range().unwrap_or(0..0);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = NodeKind::Scalar { text, style };
                let id = self.add(range, kind, tag.as_deref())?;
                self.attach(id, anchor);
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor).copied() else {
                    return Err(SyntaxFault { at: range.start, kind: FaultKind::AliasOfItself });
                };
                if let Some(node) = usize::try_from(target.0).ok().and_then(|target| self.nodes.get_mut(target)) {
                    node.repeated = true;
                }
                let id = self.add(range, NodeKind::Alias(target), None)?;
                self.unfolded[id.0 as usize] = self.unfolded[target.0 as usize];
                self.attach(id, 0);
            }
            Event::MappingStart(style, anchor, tag) => {
                let kind = NodeKind::Map { entries: Vec::new(), merge: None, flow: style == StructureStyle::Flow };
                let id = self.begin(range, kind, tag.as_deref())?;
                self.open.push(OpenNode { id, anchor, children: Vec::new() });
            }
            Event::SequenceStart(style, anchor, tag) => {
                let kind = NodeKind::List { items: Vec::new(), flow: style == StructureStyle::Flow };
                let id = self.begin(range, kind, tag.as_deref())?;
                self.open.push(OpenNode { id, anchor, children: Vec::new() });
            }
            Event::MappingEnd | Event::SequenceEnd => self.close(range.end)?,
            Event::DocumentStart(..) if self.root.is_some() => {
                return Err(SyntaxFault { at: range.start, kind: FaultKind::SecondDocument });
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds a map or list. The parser limits block and flow collections separately; together they have one limit.
    fn begin(
        &mut self,
        range: Range<usize>,
        kind: NodeKind<'t>,
        tag: Option<&granit_parser::Tag>,
    ) -> Result<Id, SyntaxFault> {
        if self.open.len() >= limits::DEPTH {
            return Err(SyntaxFault { at: range.start, kind: FaultKind::Syntax(ErrorKind::RecursionLimitExceeded) });
        }
        self.add(range, kind, tag)
    }

    fn add(
        &mut self,
        range: Range<usize>,
        kind: NodeKind<'t>,
        tag: Option<&granit_parser::Tag>,
    ) -> Result<Id, SyntaxFault> {
        let at = range.start;
        let (Ok(id), Ok(start), Ok(end)) =
            (u32::try_from(self.nodes.len()), u32::try_from(range.start), u32::try_from(range.end))
        else {
            return Err(SyntaxFault { at, kind: FaultKind::TooManyNodes });
        };
        if self.nodes.len() >= limits::NODES {
            return Err(SyntaxFault { at, kind: FaultKind::TooManyNodes });
        }
        let (id, after, end) = (Id(id), self.at, end.max(start));
        // The start of a block collection has no token.
        if !matches!(kind, NodeKind::Map { flow: false, .. } | NodeKind::List { flow: false, .. }) {
            self.at = end.max(after);
        }
        let bytes = if let NodeKind::Scalar { text, .. } = &kind { text.len() as u64 } else { 0 };
        self.unfolded.push(Unfolded { bytes, depth: 1 });
        self.nodes.push(Node { start, end, after, kind, repeated: false, tag: Tag::of(tag) });
        Ok(id)
    }

    /// Attaches a finished node to its parent. Only then can an alias repeat it, so no alias forms a cycle.
    fn attach(&mut self, id: Id, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        match self.open.last_mut() {
            Some(open) => open.children.push(id),
            None => self.root = Some(id),
        }
    }

    fn close(&mut self, end: usize) -> Result<(), SyntaxFault> {
        let Some(OpenNode { id, anchor, children }) = self.open.pop() else { return Ok(()) };
        let of_children = children.iter().map(|child| self.unfolded[child.0 as usize]);
        let unfolded = of_children.fold(Unfolded::default(), |all, child| Unfolded {
            bytes: all.bytes.saturating_add(child.bytes),
            depth: all.depth.max(child.depth),
        });
        self.unfolded[id.0 as usize] = Unfolded { depth: unfolded.depth + 1, ..unfolded };
        if unfolded.depth > limits::DEPTH {
            self.too_deep.get_or_insert(id);
        }
        // The end of a block collection has no token: it is the end of its last child.
        let last = children.last().map_or(0, |child| self.nodes[child.0 as usize].end);
        let (entries, merged) = match self.nodes[id.0 as usize].kind {
            NodeKind::Map { .. } => self.merge(pairs(&children))?,
            _ => (Vec::new(), None),
        };
        let node = &mut self.nodes[id.0 as usize];
        let flow = match &mut node.kind {
            NodeKind::Map { entries: own, merge, flow } => {
                (*own, *merge) = (entries, merged);
                *flow
            }
            NodeKind::List { items, flow } => {
                *items = children;
                *flow
            }
            _ => false,
        };
        let end = if flow { u32::try_from(end).unwrap_or(u32::MAX) } else { last };
        if flow {
            self.at = end.max(self.at);
        }
        node.end = end.max(node.start);
        self.attach(id, anchor);
        Ok(())
    }

    /// Merges the entries of `<<`: a map's own keys have precedence, then those of the first listed map.
    fn merge(&mut self, mut entries: Vec<MapEntry>) -> Result<(Vec<MapEntry>, Option<MapEntry>), SyntaxFault> {
        let is_merge = |nodes: &[Node<'_>], entry: &MapEntry| match &nodes[entry.key.0 as usize] {
            Node { kind: NodeKind::Scalar { text, style: ScalarStyle::Plain }, tag: Tag::None, .. } => text == "<<",
            _ => false,
        };
        let Some(at) = entries.iter().position(|entry| is_merge(&self.nodes, entry)) else {
            return Ok((entries, None));
        };
        let merge = entries.remove(at);
        let start = |id: Id| self.nodes[id.0 as usize].start as usize;
        let fault = |kind| SyntaxFault { at: start(merge.value), kind };
        let target = |id: Id| match self.nodes[id.0 as usize].kind {
            NodeKind::Alias(target) => target,
            _ => id,
        };
        let sources = match &self.nodes[target(merge.value).0 as usize].kind {
            NodeKind::List { items, .. } => items.iter().map(|id| target(*id)).collect(),
            _ => vec![target(merge.value)],
        };
        let key_text = |id: Id| match &self.nodes[target(id).0 as usize].kind {
            NodeKind::Scalar { text, .. } => Some(text.as_ref()),
            _ => None,
        };
        let mut seen: std::collections::HashSet<&str> = entries.iter().filter_map(|e| key_text(e.key)).collect();
        for source in sources {
            let NodeKind::Map { entries: more, .. } = &self.nodes[source.0 as usize].kind else {
                return Err(fault(FaultKind::NoMapToMerge { key: start(merge.key) }));
            };
            for entry in more {
                if key_text(entry.key).is_some_and(|key| seen.insert(key)) {
                    entries.push(MapEntry { merged: true, ..*entry });
                    self.merged += 1;
                }
            }
            if self.merged + self.nodes.len() > limits::NODES {
                return Err(fault(FaultKind::TooManyNodes));
            }
        }
        Ok((entries, Some(merge)))
    }
}

fn pairs(children: &[Id]) -> Vec<MapEntry> {
    children.chunks_exact(2).map(|pair| MapEntry { key: pair[0], value: pair[1], merged: false }).collect()
}

impl Tag {
    fn of(tag: Option<&granit_parser::Tag>) -> Tag {
        match tag {
            None => Tag::None,
            Some(tag) => match tag.core_suffix() {
                Some("str") => Tag::String,
                Some(_) => Tag::Core,
                None if tag.handle() == "!" && tag.suffix().is_empty()
                    || tag.handle().is_empty() && tag.suffix() == "!" =>
                {
                    Tag::String
                }
                None => Tag::Other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(text: &str) -> String {
        fn one(tree: &Tree<'_>, id: Id, depth: usize, out: &mut String) {
            use std::fmt::Write;
            let node = tree.node(id);
            let what = match &node.kind {
                NodeKind::Scalar { style, .. } => format!("{style:?}"),
                NodeKind::Map { flow, .. } => format!("map flow={flow}"),
                NodeKind::List { flow, .. } => format!("list flow={flow}"),
                NodeKind::Alias(_) => "alias".into(),
            };
            writeln!(out, "{:depth$}{what} {:?}", "", &tree.text[node.span()], depth = depth * 2).unwrap();
            if let NodeKind::Map { entries, .. } = &node.kind {
                for e in entries {
                    one(tree, e.key, depth + 1, out);
                    one(tree, e.value, depth + 2, out);
                }
            }
            if let NodeKind::List { items, .. } = &node.kind {
                for e in items {
                    one(tree, *e, depth + 1, out);
                }
            }
        }
        let tree = parse(text).unwrap().unwrap();
        let mut out = String::new();
        one(&tree, tree.root, 0, &mut out);
        out
    }

    #[test]
    fn spans_are_exact() {
        insta::assert_snapshot!(dump(
            "# c\n--- # d\na: 'b'  # e\nm:\n  x: {p: \"q\", r: [1, 2]} # f\n  empty:\n  block: |\n    t1\n    t2\n\n  # g\nlist:\n- i\n- k: v\n  w: &z\n    u: 1\n- *z\n# end\n? q\n: r\nlast: plain\n  more\n\n# tail\n"
        ));
    }

    #[test]
    fn crlf_and_bom_do_not_move_spans() {
        insta::assert_snapshot!(dump("\u{feff}a: ä\r\nb: |-\r\n  c\r\n\r\nd: \"e\"\r\n"));
    }
}
