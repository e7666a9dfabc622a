//! Hides literal secrets in a file that is shown.

use super::cut::cut;
use super::scalar::Plain;
use super::source::line_breaks;
use super::tree::{self, Id, NodeKind, Tree};
use crate::api::GROUP;
use crate::api::sensitive::{self, HIDDEN};
use std::collections::BTreeSet;
use std::ops::Range;

/// Returns the text with every literal secret hidden: what is a secret by its name, or by itself. `secret` are further
/// names of inputs. A document that cannot be parsed is hidden as a whole.
pub fn without_secrets(text: &str, secret: &BTreeSet<String>) -> String {
    shown(text, &parts(text), secret)
}

/// The parts of two texts around what differs, with literal secrets hidden.
pub struct Differing {
    /// The part of the one text.
    pub before: String,
    /// The part of the other text.
    pub after: String,
    /// The number of lines in front of the parts, the same in both texts.
    pub lines_above: u32,
}

/// Returns the documents that differ in two texts, with some documents above and below. Other documents of large files
/// are not even parsed.
pub fn differing(before: &str, after: &str, around: usize, secret: &BTreeSet<String>) -> Differing {
    let (parts_before, parts_after) = (parts(before), parts(after));
    let is_same = |(a, b): &(&Part, &Part)| before.get(a.range()) == after.get(b.range());
    let above = parts_before.iter().zip(&parts_after).take_while(is_same).count();
    let below = parts_before[above..].iter().rev().zip(parts_after[above..].iter().rev()).take_while(is_same).count();
    let from = above.saturating_sub(around);
    let shown =
        |text: &str, parts: &[Part]| shown(text, &parts[from..parts.len() - below.saturating_sub(around)], secret);
    let start = parts_before.get(from).or(parts_after.get(from)).map_or(0, |part| part.range().start);
    Differing {
        before: shown(before, &parts_before),
        after: shown(after, &parts_after),
        lines_above: line_breaks(before.get(..start).unwrap_or_default().as_bytes()),
    }
}

/// A document with the comments above it that belong to none; the last part of a file may have no document.
struct Part {
    comments: Range<usize>,
    document: Range<usize>,
}

impl Part {
    fn range(&self) -> Range<usize> {
        self.comments.start..self.document.end
    }
}

/// Divides a text; the parts cover it.
fn parts(text: &str) -> Vec<Part> {
    let mut at = 0;
    let mut parts: Vec<Part> = Vec::new();
    for slice in cut(text) {
        parts.push(Part { comments: at..slice.range.start, document: slice.range.clone() });
        at = slice.range.end;
    }
    if at < text.len() {
        parts.push(Part { comments: at..text.len(), document: text.len()..text.len() });
    }
    parts
}

fn shown(text: &str, parts: &[Part], secret: &BTreeSet<String>) -> String {
    let mut shown = String::new();
    for part in parts {
        shown.push_str(text.get(part.comments.clone()).unwrap_or_default());
        let document = text.get(part.document.clone()).unwrap_or_default();
        match tree::parse(document) {
            Ok(Some(tree)) => hide(document, secrets(&tree, secret), &mut shown),
            Ok(None) => shown.push_str(document),
            Err(_) => {
                shown.push_str(HIDDEN);
                shown.push('\n');
            }
        }
    }
    shown
}

fn hide(document: &str, mut spans: Vec<Range<usize>>, shown: &mut String) {
    spans.sort_by_key(|span| span.start);
    let mut at = 0;
    for span in spans {
        shown.push_str(document.get(at..span.start).unwrap_or_default());
        shown.push_str(HIDDEN);
        at = span.end.max(at);
    }
    shown.push_str(document.get(at..).unwrap_or_default());
}

/// The spans of literal secrets.
fn secrets(tree: &Tree<'_>, secret: &BTreeSet<String>) -> Vec<Range<usize>> {
    let text = |key: &str| tree.get(tree.root, key).and_then(|id| tree.scalar(id));
    let mut spans = Vec::new();
    let of_document = Names {
        named: "",
        are_inputs: !text("apiVersion").is_some_and(|version| version.starts_with(GROUP)),
        is_secret: text("kind") == Some("Secret"),
        secret,
    };
    collect(tree, tree.root, of_document, &mut spans);
    spans
}

/// The names above a value.
#[derive(Clone, Copy)]
struct Names<'t> {
    /// The nearest key that names a value.
    named: &'t str,
    /// Whether names say what is secret: in our own documents, those of inputs.
    are_inputs: bool,
    /// Whether the document is a Secret: everything below `data` and `stringData` is secret.
    is_secret: bool,
    /// Names of inputs that their types mark as secret.
    secret: &'t BTreeSet<String>,
}

fn collect<'t>(tree: &'t Tree<'_>, id: Id, above: Names<'t>, spans: &mut Vec<Range<usize>>) {
    let Names { named, are_inputs, is_secret, secret } = above;
    match &tree.node(id).kind {
        NodeKind::Alias(_) => {}
        NodeKind::Scalar { .. } => {
            let text = tree.scalar(id).unwrap_or_default();
            let is_literal = are_inputs && (sensitive::hides(named) || secret.contains(named))
                || is_secret && matches!(named, "data" | "stringData")
                || sensitive::has_secret(text);
            let is_text = !matches!(tree.plain(id), Some(Plain::Bool(_) | Plain::Null));
            if is_literal && is_text && !text.is_empty() {
                spans.push(tree.node(id).span());
            }
        }
        NodeKind::List { items, .. } => items.iter().for_each(|id| collect(tree, *id, above, spans)),
        NodeKind::Map { entries, .. } => {
            // The value of an override is that of the input which stands beside it.
            let input = tree.get(id, "input").and_then(|input| tree.scalar(input));
            for entry in entries.iter().filter(|entry| !entry.merged) {
                let key = tree.scalar(entry.key).unwrap_or_default();
                let is_data = is_secret && matches!(named, "data" | "stringData");
                let named = if key == "value" || is_data { named } else { key };
                let named = input.filter(|_| key == "value").unwrap_or(named);
                let is_of_input = input.is_some() && key == "value";
                let below = Names { named, are_inputs: are_inputs || key == "inputs" || is_of_input, ..above };
                collect(tree, entry.value, below, spans);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_secrets(text: &str) -> String {
        super::without_secrets(text, &BTreeSet::from(["pin".to_string()]))
    }

    #[test]
    fn an_input_that_its_type_marks_is_hidden_wherever_it_stands() {
        let text = "apiVersion: stablekey.dev/v1alpha1\nspec:\n  pin: shown\n  inputs: {pin: {value: 4711}, pins: {value: x}}\n  \
                    test: {inputs: {pin: {value: 4712}}}\n  overrides: [{input: pin, value: 4713}]\n";
        let shown = without_secrets(text);
        assert!(
            !shown.contains("471") && shown.contains("pin: shown") && shown.contains("pins: {value: x}"),
            "{shown}"
        );
    }

    #[test]
    fn a_literal_secret_is_hidden_and_a_reference_is_not() {
        let text = "apiVersion: stablekey.dev/v1alpha1\nspec:\n  credentials: Customer\n  inputs:\n    clientSecret: {value: hunter2}\n    scopes: {value: api}\n    password:\n      \
                    secretRef: {name: app, key: password}\n---\nkind: Secret\nstringData:\n  any: hunter3\n";
        let shown = without_secrets(text);
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(
            shown.contains("clientSecret: {value: •••}") && shown.contains("{name: app, key: password}"),
            "{shown}"
        );
        assert!(shown.contains("scopes: {value: api}") && shown.contains("credentials: Customer"), "{shown}");
    }

    #[test]
    fn the_value_of_an_override_is_hidden_by_its_input_and_a_mark_is_not() {
        let text = "apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nspec:\n  overrides:\n    - input: password\n      \
                    value: hunter2\n    - input: scopes\n      value: api\n  inputs:\n    pin: {secret: true}\n";
        let shown = without_secrets(text);
        assert!(
            !shown.contains("hunter2") && shown.contains("value: api") && shown.contains("secret: true"),
            "{shown}"
        );
    }

    #[test]
    fn what_cannot_be_parsed_is_hidden_as_a_whole() {
        assert_eq!(without_secrets("a: b\n---\n\"hunter2: {\n"), "a: b\n•••\n");
    }
}
