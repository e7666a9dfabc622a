//! Binds a definition's connection variables to reusable connections, in the form that the platform exports
//! (`useScopedConfigVar: KEY`). All other bytes are unchanged.

use super::tree::{DefinitionTree, ValueView};
use super::{DefinitionError, parse, to_utf8, variables};
use crate::api::names;
use std::collections::BTreeMap;
use std::ops::Range;

/// The fields of the integration's own connection that a bound variable does not have.
const OWN_FIELDS: [&str; 3] = ["connection", "inputs", "onPremiseConnectionConfig"];
const BOUND_FIELD: &str = "useScopedConfigVar";

/// Binds variables of a definition to stable keys. Other variables are unchanged; without any bindings, the same bytes
/// are returned. A code-native variable keeps its own `stableKey`. A UTF-16 definition is returned as UTF-8 if anything
/// changes.
pub fn bind(bytes: &[u8], bindings: &[(&str, &str)]) -> Result<Vec<u8>, DefinitionError> {
    if bindings.is_empty() {
        return Ok(bytes.to_vec());
    }
    let text = to_utf8(bytes)?;
    let tree = parse(&text)?;
    let mut edits = BTreeMap::new();
    for (variable, key) in bindings {
        if !names::is_stable_key(key) {
            return Err(DefinitionError::NotAStableKey { key: key.to_string() });
        }
        let entry = entry(&tree, variable)?;
        for edit in edits_of(&text, entry, key)? {
            edits.insert(edit.range.start, edit);
        }
    }
    if edits.is_empty() {
        return Ok(bytes.to_vec());
    }
    let bound = splice(&text, edits.values())?;
    check(&tree, &bound, bindings)?;
    Ok(bound.into_bytes())
}

struct ByteEdit {
    range: Range<usize>,
    with: String,
    line: usize,
}

fn entry<'t>(tree: &'t DefinitionTree<'t>, variable: &str) -> Result<ValueView<'t>, DefinitionError> {
    let mut entries = variables::connections(tree.root());
    entries.find(|entry| entry.text_of("key") == Some(variable)).ok_or_else(|| DefinitionError::NoSuchVariable {
        variable: variable.to_string(),
        known: variables::names(tree.root()),
    })
}

/// The edits of one entry of requiredConfigVars.
fn edits_of(text: &str, entry: ValueView<'_>, key: &str) -> Result<Vec<ByteEdit>, DefinitionError> {
    let cannot = |at: ValueView<'_>| DefinitionError::CannotEdit { line: at.line() };
    let written = scalar(key);
    let bound = entry.get(BOUND_FIELD).filter(|value| !value.is_null());
    if let Some(value) = bound
        && value.text() == Some(key)
        && !OWN_FIELDS.iter().any(|field| entry.get(field).is_some())
    {
        return Ok(Vec::new());
    }
    let mut edits = Vec::new();
    let mut placed = false;
    let mut previous_end = entry.start();
    let has_bound_field = entry.get(BOUND_FIELD).is_some();
    for (name, value) in entry.entries() {
        let field = name.text().unwrap_or_default();
        let range = name.start()..value.end().max(name.end());
        let line = name.line();
        if field == BOUND_FIELD {
            edits.push(ByteEdit { range: range.clone(), with: format!("{BOUND_FIELD}: {written}"), line });
            placed = true;
        } else if OWN_FIELDS.contains(&field) {
            // The bound field replaces the first of them, so that the first field of a mapping is never removed.
            if !placed && !has_bound_field {
                edits.push(ByteEdit { range: range.clone(), with: format!("{BOUND_FIELD}: {written}"), line });
                placed = true;
            } else if entry.is_flow() {
                if previous_end <= entry.start() {
                    return Err(cannot(name));
                }
                edits.push(ByteEdit { range: previous_end..range.end, with: String::new(), line });
            } else {
                edits.push(ByteEdit {
                    range: whole_lines(text, &range).ok_or_else(|| cannot(name))?,
                    with: String::new(),
                    line,
                });
            }
        }
        previous_end = range.end;
    }
    if placed { Ok(edits) } else { Err(cannot(entry)) }
}

/// The complete lines of a block field, including the last line break. `None` if it shares its first line with other
/// content.
fn whole_lines(text: &str, range: &Range<usize>) -> Option<Range<usize>> {
    let start = text.get(..range.start)?.rfind('\n').map_or(0, |at| at + 1);
    if !text.get(start..range.start)?.bytes().all(|byte| byte == b' ') {
        return None;
    }
    let rest = text.get(range.end..)?;
    let end = rest.find('\n').map_or(text.len(), |at| range.end + at + 1);
    Some(start..end)
}

/// A stable key as a scalar, with quotes if it could be read as another type.
fn scalar(key: &str) -> String {
    let reserved = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let plain =
        key.starts_with(|c: char| c.is_ascii_alphabetic()) && !reserved.contains(&key.to_ascii_lowercase().as_str());
    if plain { key.to_string() } else { format!("\"{key}\"") }
}

fn splice<'e>(text: &str, edits: impl Iterator<Item = &'e ByteEdit>) -> Result<String, DefinitionError> {
    let mut bound = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        let before = text.get(at..edit.range.start).ok_or(DefinitionError::CannotEdit { line: edit.line })?;
        bound.push_str(before);
        bound.push_str(&edit.with);
        at = edit.range.end;
    }
    bound.push_str(text.get(at..).unwrap_or_default());
    Ok(bound)
}

/// Verifies that the bound definition equals the old one except for the bound variables, and that those still have
/// their other fields.
fn check(tree: &DefinitionTree<'_>, bound: &str, bindings: &[(&str, &str)]) -> Result<(), DefinitionError> {
    let line = bindings.first().and_then(|(variable, _)| entry(tree, variable).ok()).map_or(1, ValueView::line);
    let cannot = DefinitionError::CannotEdit { line };
    let after = DefinitionTree::parse(bound).ok().flatten().ok_or_else(|| cannot.clone())?;
    let mut entries = Vec::with_capacity(bindings.len());
    for (variable, key) in bindings {
        entries.push((entry(tree, variable)?, *key));
    }
    let verdict = |before: ValueView<'_>, after: ValueView<'_>| {
        let (_, key) = entries.iter().find(|(entry, _)| entry.resolved().is(before))?;
        Some(is_bound(before, after, key))
    };
    if tree.root().same(after.root(), &verdict) { Ok(()) } else { Err(cannot) }
}

fn is_bound(before: ValueView<'_>, after: ValueView<'_>, key: &str) -> bool {
    let ours =
        |name: ValueView<'_>| name.text().is_some_and(|field| field == BOUND_FIELD || OWN_FIELDS.contains(&field));
    let others = |view: ValueView<'_>| view.entries().filter(|(name, _)| !ours(*name)).count();
    let kept = before.entries().filter(|(name, _)| !ours(*name)).all(|(name, value)| {
        name.text().and_then(|field| after.get(field)).is_some_and(|other| value.same(other, &|_, _| None))
    });
    kept && others(before) == others(after)
        && after.text_of(BOUND_FIELD) == Some(key)
        && !OWN_FIELDS.iter().any(|field| after.get(field).is_some())
}
