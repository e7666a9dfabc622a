//! The diff of a file, as a person reads it before the file is written.

use super::file_change::FileChange;
use crate::manifest::{self, Content, Differing};
use crate::platform::definition;
use similar::udiff::UnifiedHunkHeader;
use similar::{DiffOp, DiffTag, TextDiff};
use std::collections::BTreeSet;

/// The lines around a change.
const CONTEXT: usize = 3;

/// The unified diff of one file. `secret` are names of inputs that hold secrets, beside those that say so.
pub(super) fn unified(file: &FileChange, secret: &BTreeSet<String>) -> String {
    let path = file.path.display();
    let Some(Differing { before, after, lines_above }) = shown(file, secret) else {
        return format!("{path} changes; its content is not shown\n");
    };
    let name = |content: &Option<Content>| match content {
        Some(_) => path.to_string(),
        None => "/dev/null".to_string(),
    };
    let diff = TextDiff::from_lines(&before, &after);
    let mut unified = String::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        if unified.is_empty() {
            unified = format!("--- {}\n+++ {}\n", name(&file.before), name(&file.after));
        }
        let ops: Vec<DiffOp> = hunk.ops().iter().map(|op| below(*op, lines_above)).collect();
        unified.push_str(&format!("{}\n", UnifiedHunkHeader::new(&ops)));
        let hunk = hunk.to_string();
        unified.push_str(hunk.split_once('\n').map_or("", |(_, lines)| lines));
    }
    unified
}

/// The same change, this many lines further down.
fn below(op: DiffOp, lines: u32) -> DiffOp {
    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
    let (tag, old, new) = (op.tag(), op.old_range(), op.new_range());
    let (old_index, new_index) = (old.start + lines, new.start + lines);
    match tag {
        DiffTag::Equal => DiffOp::Equal { old_index, new_index, len: old.len() },
        DiffTag::Delete => DiffOp::Delete { old_index, old_len: old.len(), new_index },
        DiffTag::Insert => DiffOp::Insert { old_index, new_index, new_len: new.len() },
        DiffTag::Replace => DiffOp::Replace { old_index, old_len: old.len(), new_index, new_len: new.len() },
    }
}

/// What is shown of a file.
fn shown(file: &FileChange, secret: &BTreeSet<String>) -> Option<Differing> {
    let contents = (file.before.as_ref().map(Content::as_bytes), file.after.as_ref().map(Content::as_bytes));
    if let (Some(before), Some(after)) = contents
        && is_manifest(file)
        && !is_definition(file)
    {
        let (before, after) = (std::str::from_utf8(before).ok()?, std::str::from_utf8(after).ok()?);
        return Some(manifest::differing(before, after, CONTEXT, secret));
    }
    let text = |content| text(file, content, secret);
    Some(Differing { before: text(contents.0)?, after: text(contents.1)?, lines_above: 0 })
}

/// Whether the file is a definition, or becomes or was one.
pub(super) fn is_definition(file: &FileChange) -> bool {
    let mut contents = file.before.iter().chain(&file.after);
    contents.any(|content| definition::read(content.as_bytes()).is_ok())
}

pub(super) fn is_manifest(file: &FileChange) -> bool {
    file.path.file_name().is_some_and(|name| manifest::is_manifest(name.as_encoded_bytes()))
}

/// The text of a content, in which literal secrets are hidden; `None` if it is not text, or a definition in which secrets
/// cannot be told from the rest.
pub(super) fn text(file: &FileChange, content: Option<&[u8]>, secret: &BTreeSet<String>) -> Option<String> {
    let Some(bytes) = content else { return Some(String::new()) };
    if definition::read(bytes).is_ok() {
        return definition::empty_secrets(bytes).ok().and_then(|(emptied, _)| String::from_utf8(emptied).ok());
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let is_definition = file.path.extension().is_some_and(|extension| extension == "definition");
    match (is_manifest(file), is_definition) {
        (true, _) => Some(manifest::without_secrets(text, secret)),
        (false, true) => None,
        (false, false) => Some(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(path: &str, before: Option<&str>, after: Option<&str>) -> String {
        let content = |text: &str| Content::from(text.to_string());
        unified(
            &FileChange { path: path.into(), before: before.map(content), after: after.map(content) },
            &BTreeSet::new(),
        )
    }

    /// A file of some documents of two lines each, below a licence.
    fn documents(changed: Option<usize>) -> String {
        let value = |number| if changed == Some(number) { "changed" } else { "same" };
        let all = (0..20).map(|number| format!("---\nname: d{number}\ninputs: {{a: {}}}\n", value(number)));
        format!("# A licence\n\n{}", all.collect::<String>())
    }

    #[test]
    fn a_document_of_a_large_file_is_shown_at_its_lines() {
        for changed in [0, 1, 10, 19] {
            let (before, after) = (documents(None), documents(Some(changed)));
            let whole = TextDiff::from_lines(&before, &after);
            let whole = whole.unified_diff().context_radius(CONTEXT).header("a.yaml", "a.yaml").to_string();
            assert_eq!(diff("a.yaml", Some(&before), Some(&after)), whole, "{changed}");
        }
    }

    #[test]
    fn documents_that_come_and_go_are_shown_at_their_lines() {
        let all = documents(None);
        let without = |name: &str| {
            let documents = all.split_inclusive("---\n").filter(|text| !text.starts_with(&format!("name: {name}\n")));
            documents.collect::<String>()
        };
        for (before, after) in [
            (all.clone(), without("d7")),
            (without("d7"), all.clone()),
            (all.clone(), without("d0")),
            (all.clone(), without("d19")),
            (all.clone(), format!("{all}---\nname: new\n")),
            (all.clone(), all.trim_end().to_string()),
            (all.clone(), String::from("# nothing left\n")),
        ] {
            let whole = TextDiff::from_lines(&before, &after);
            let whole = whole.unified_diff().context_radius(CONTEXT).header("a.yaml", "a.yaml").to_string();
            assert_eq!(diff("a.yaml", Some(&before), Some(&after)), whole);
        }
        assert_eq!(diff("a.yaml", Some(&all), Some(&all)), "");
    }

    #[test]
    fn a_secret_beside_the_change_is_hidden() {
        let text = |scopes: &str| {
            format!("---\ninputs: {{password: {{value: hunter2}}}}\n---\ninputs: {{scopes: {{value: {scopes}}}}}\n")
        };
        let shown = diff("a.yaml", Some(&text("api")), Some(&text("web")));
        assert!(shown.contains(" inputs: {password: {value: •••}}") && shown.contains("+inputs: {scopes"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
