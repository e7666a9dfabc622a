//! Which parts of a document may be shown in an error: by what the schema says of them, else not.

use super::problem::Show;
use super::scalar::Plain;
use super::schema::{Schema, SchemaShape};
use super::source::first_line_of;
use super::tree::{Id, NodeKind, Tree};
use super::words::is_identifier;
use crate::api::sensitive;
use std::ops::Range;

/// Every scalar of the tree, and whether it may be shown. `root` is what `schema` describes; whatever
/// stands elsewhere is not shown.
pub fn spans(tree: &Tree<'_>, root: Id, schema: Option<&Schema>) -> Vec<(Range<usize>, Show)> {
    let mut spans = Vec::new();
    collect(tree, root, schema, false, &mut spans);
    spans
}

/// How far a text that may be shown is shown. It may go on with what was a field of its own: a line that lost its colon,
/// a quoted text after what went.
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
            // What is a secret itself is one wherever somebody writes it.
            let is_secret =
                |text: &str| sensitive::is_secret_itself(text) || sensitive::looks_like_token(text).is_some();
            let open = open && !tree.scalar(id).is_some_and(is_secret);
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
                // A name says nothing secret; but what stands alone in braces may be a value that lost its name.
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
