//! Decides which parts of a document an error may show: those that the schema allows.

use super::problem::Show;
use super::scalar::Plain;
use super::schema::{Schema, SchemaShape};
use super::source::first_line_of;
use super::tree::{Id, NodeKind, Tree};
use super::words::is_identifier;
use crate::api::sensitive;
use std::ops::Range;

/// All scalars of the tree, with whether they may be shown. `schema` describes the node `root`; other nodes are not
/// shown.
pub(super) fn spans(tree: &Tree<'_>, root: Id, schema: Option<&Schema>) -> Vec<(Range<usize>, Show)> {
    let mut spans = Vec::new();
    collect(tree, root, schema, false, &mut spans);
    spans
}

/// The end of the part of a text that is shown. The text may include what was a separate field: a line that lost its
/// colon, or a quoted text whose beginning was removed.
fn shown_to(text: &str, span: Range<usize>) -> usize {
    let line = first_line_of(text, span);
    let shown = text.get(line.clone()).unwrap_or_default();
    let is_quoted = shown.starts_with(['"', '\'']);
    let cut = shown.find(['"', '\'']).filter(|_| !is_quoted);
    cut.map_or(line.end, |at| line.start + at)
}

fn collect(tree: &Tree<'_>, id: Id, schema: Option<&Schema>, private: bool, out: &mut Vec<(Range<usize>, Show)>) {
    let node = tree.node(id);
    let private = private || schema.is_some_and(|schema| schema.private);
    match &node.kind {
        NodeKind::Alias(_) => out.push((node.span(), Show::No)),
        NodeKind::Scalar { .. } => {
            let open = match schema.map(|schema| &schema.shape) {
                Some(SchemaShape::Text { .. }) => !schema.is_some_and(|schema| schema.private),
                Some(SchemaShape::Bool) => matches!(tree.plain(id), Some(Plain::Bool(_))),
                Some(SchemaShape::Int { .. }) => tree.plain(id) == Some(Plain::Int),
                _ => false,
            };
            // A value that is a secret by itself is hidden in every field.
            let open = open && !tree.scalar(id).is_some_and(sensitive::has_secret);
            let span = node.span();
            let shown_to = if open { shown_to(tree.text, span.clone()) } else { span.start };
            out.push((span.start..shown_to, Show::Yes));
            out.push((shown_to..span.end, Show::No));
        }
        NodeKind::List { items, .. } => {
            let item = match schema.map(|schema| &schema.shape) {
                Some(SchemaShape::List { item, .. }) => Some(item.as_ref()),
                _ => None,
            };
            for id in items {
                collect(tree, *id, item, private, out);
            }
        }
        NodeKind::Map { entries, .. } => {
            for entry in entries.iter().filter(|entry| !entry.merged) {
                let key = tree.scalar(entry.key).unwrap_or("");
                let child = schema.and_then(|schema| match &schema.shape {
                    SchemaShape::Map { .. } => schema.child(key),
                    SchemaShape::Dict { value, .. } => Some(value.as_ref()),
                    _ => None,
                });
                // A name is not secret; but a single text in braces may be a value that lost its name.
                let alone = tree.is_null(entry.value);
                let named = match child {
                    Some(child) => !(alone && child.private),
                    None => !private && !alone && is_identifier(key),
                };
                let show = if named { Show::Yes } else { Show::No };
                out.push((tree.node(entry.key).span(), show));
                collect(tree, entry.value, child, private, out);
            }
        }
    }
}
