//! A YAML document as a tree with the position of each value. It borrows the text, resolves aliases without copies, and
//! rejects everything that could hide a value from a reader: duplicate keys, merge keys, second documents. It has no
//! `Debug`, since values may be secrets.

mod view;

pub(super) use view::ValueView;

use super::{DefinitionError, MAX_VISITS, encoding};
use crate::manifest::limits;
use crate::manifest::tree::{self, FaultKind, Id, MapEntry, NodeKind, SyntaxFault, Tree};
use granit_parser::{ErrorKind, ScalarStyle};
use std::cell::Cell;
use std::collections::HashSet;

/// A parsed document.
pub(super) struct DefinitionTree<'a> {
    tree: Tree<'a>,
    /// The number of bytes before the tree's text: a byte order mark.
    base: usize,
    /// The offset of each line in the tree's text.
    lines: Vec<usize>,
    /// The remaining number of nodes that may be visited, which limits the expansion of aliases.
    visits: Cell<usize>,
}

impl<'a> DefinitionTree<'a> {
    /// Reads one document. `None` if there is none.
    pub(super) fn parse(text: &'a str) -> Result<Option<DefinitionTree<'a>>, DefinitionError> {
        let base = encoding::mark(text);
        let source = text.get(base..).unwrap_or_default();
        let parsed = tree::parse(source).map_err(|fault| unreadable(source, fault))?;
        let Some(tree) = parsed else { return Ok(None) };
        // Whoever reads a definition reads what an alias repeats each time.
        if tree.unfolded_bytes > source.len() as u64 + limits::ALIASED_BYTES as u64 {
            return Err(DefinitionError::TooManyNodes);
        }
        let lines = line_starts(source.as_bytes());
        let tree = DefinitionTree { tree, base, lines, visits: Cell::new(MAX_VISITS) };
        if let Some(id) = tree.tree.unfolded_too_deep {
            return Err(DefinitionError::TooDeep { line: tree.line(id) });
        }
        tree.check_keys()?;
        Ok(Some(tree))
    }

    /// The root value of the document.
    pub(super) fn root(&self) -> ValueView<'_> {
        ValueView { tree: self, id: self.tree.root }
    }

    /// Whether the limit on visited nodes was reached: results are then incomplete.
    pub(super) fn exhausted(&self) -> bool {
        self.visits.get() == 0
    }

    /// All keys of maps.
    pub(super) fn keys(&self) -> impl Iterator<Item = ValueView<'_>> {
        let entries = self.tree.nodes().flat_map(|(_, node)| match &node.kind {
            NodeKind::Map { entries, .. } => entries.as_slice(),
            _ => &[],
        });
        entries.map(|entry| ValueView { tree: self, id: entry.key })
    }

    /// All scalars except keys, with their positions.
    pub(super) fn scalar_values(&self) -> impl Iterator<Item = ValueView<'_>> {
        let keys: HashSet<Id> = self.keys().map(|key| key.id).collect();
        self.scalars().filter(move |view| !keys.contains(&view.id))
    }

    /// All scalars including keys, with their positions.
    pub(super) fn scalars(&self) -> impl Iterator<Item = ValueView<'_>> {
        let scalars = self.tree.nodes().filter(|(_, node)| matches!(node.kind, NodeKind::Scalar { .. }));
        scalars.map(|(id, _)| ValueView { tree: self, id })
    }

    fn line(&self, id: Id) -> usize {
        line_of(&self.lines, self.tree.node(id).span().start)
    }

    /// Rejects keys that could hide a value: merge keys and duplicates.
    fn check_keys(&self) -> Result<(), DefinitionError> {
        let merge_key = |id| Err(DefinitionError::MergeKey { line: self.line(id) });
        for (_, node) in self.tree.nodes() {
            let NodeKind::Map { entries, merge, .. } = &node.kind else { continue };
            if let Some(MapEntry { key, .. }) = merge {
                return merge_key(*key);
            }
            let mut seen = HashSet::with_capacity(entries.len());
            for MapEntry { key, .. } in entries {
                let NodeKind::Scalar { text, style } = &self.tree.resolve(*key).kind else { continue };
                if text == "<<" && *style == ScalarStyle::Plain {
                    return merge_key(*key);
                }
                if !seen.insert(text.as_ref()) {
                    return Err(DefinitionError::DuplicateKey { line: self.line(*key) });
                }
            }
        }
        Ok(())
    }
}

fn line_starts(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
}

/// The line of a byte, from 1.
fn line_of(lines: &[usize], at: usize) -> usize {
    lines.partition_point(|start| *start <= at)
}

fn unreadable(text: &str, fault: SyntaxFault) -> DefinitionError {
    // Only the lines up to the fault: a large file of several documents is left at its second one.
    let last = match fault.kind {
        FaultKind::NoMapToMerge { key } => key.max(fault.at),
        _ => fault.at,
    };
    let lines = line_starts(text.as_bytes().get(..last + 2).unwrap_or(text.as_bytes()));
    let line = line_of(&lines, fault.at);
    let why = match fault.kind {
        FaultKind::TooManyNodes => return DefinitionError::TooManyNodes,
        FaultKind::NoMapToMerge { key } => return DefinitionError::MergeKey { line: line_of(&lines, key) },
        FaultKind::AliasOfItself => return DefinitionError::AliasOfItself { line },
        FaultKind::SecondDocument => return DefinitionError::SecondDocument { line },
        FaultKind::Syntax(ErrorKind::RecursionLimitExceeded) => return DefinitionError::TooDeep { line },
        FaultKind::Syntax(error) => error.to_string(),
    };
    let before = lines.get(line - 1).and_then(|start| text.get(*start..fault.at));
    let column = before.map_or(0, |before| before.chars().count()) + 1;
    // The parser's message may quote the name of an anchor or a tag.
    let why = if why.contains(['"', '\'', '`']) { "its structure is broken here".to_string() } else { why };
    DefinitionError::Syntax { line, column, why }
}
