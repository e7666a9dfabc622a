//! The diff of a file for a screen that others may see: a line is shown only where all of it is known to be public.

use super::diff;
use super::file_change::FileChange;
use super::project_secrets::ProjectSecrets;
use crate::api::sensitive::HIDDEN;
use crate::manifest::{self, Content, PublicLine, PublicParts, Unshown, kustomization};
use crate::tenant::directory::lock_file;
use similar::{ChangeTag, TextDiff};
use std::collections::BTreeSet;

/// The lines around a change.
const CONTEXT: usize = 3;

/// The diff of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicDiff {
    /// The path, as shown to people.
    pub path: String,
    /// `create`, `update` or `delete`.
    pub what: &'static str,
    /// The lines around each change.
    pub lines: Vec<DiffLine>,
}

/// A line of a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffLine {
    /// The next lines begin at this line of the file as it is.
    At(u32),
    /// A line that stays.
    Same(String),
    /// A line that goes.
    Old(String),
    /// A line that comes.
    New(String),
    /// Lines that stay and are not shown: how many and what they are.
    NotShown(usize, String),
}

impl PublicDiff {
    pub(super) fn of(file: &FileChange, secret: &ProjectSecrets) -> Self {
        PublicDiff { path: file.path.display().to_string(), what: file.what(), lines: lines(file, secret) }
    }
}

fn lines(file: &FileChange, secret: &ProjectSecrets) -> Vec<DiffLine> {
    let is_lock = file.path.file_name().is_some_and(|name| name == lock_file::NAME);
    if is_lock || diff::is_definition(file) {
        // A lock has no secret, and those of a definition are taken out.
        let text =
            |content: &Option<Content>| diff::text(file, content.as_ref().map(Content::as_bytes), secret.names());
        return match (text(&file.before), text(&file.after)) {
            (Some(before), Some(after)) => hunks(&whole(&before, &after, |line| Ok(line.to_string()))),
            _ => no_text(),
        };
    }
    let text = |content: &'_ Option<Content>| match content {
        None => Some(String::new()),
        Some(content) => std::str::from_utf8(content.as_bytes()).ok().map(str::to_string),
    };
    let (Some(before), Some(after)) = (text(&file.before), text(&file.after)) else { return no_text() };
    let path = file.path.to_string_lossy();
    if kustomization::is_one(&path) {
        return hunks(&whole(&before, &after, of_kustomization));
    }
    match diff::is_manifest(file) {
        true => hunks(&manifest::public_parts(&before, &after, CONTEXT, &|place| secret.shows(place))),
        false => hunks(&whole(&before, &after, |_| Err(Unshown::OtherDocument))),
    }
}

fn no_text() -> Vec<DiffLine> {
    vec![DiffLine::NotShown(1, "the content is no text".to_string())]
}

/// Two texts, each line of which is judged by itself.
fn whole<'t>(before: &'t str, after: &'t str, shown: impl Fn(&str) -> Result<String, Unshown>) -> PublicParts<'t> {
    let lines = |text: &'t str| {
        let of = |whole: &'t str| PublicLine { whole, shown: shown(whole.trim_end_matches(['\n', '\r'])) };
        text.split_inclusive('\n').map(of).collect()
    };
    PublicParts { before: lines(before), after: lines(after), lines_above: 0 }
}

/// A line of a kustomization: names of files, and keys.
fn of_kustomization(text: &str) -> Result<String, Unshown> {
    let is_of = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let trimmed = text.trim_ascii();
    let item = trimmed.strip_prefix("- ").unwrap_or(trimmed);
    let is_file = [".yaml", ".yml", ".json", ".definition"].iter().any(|end| item.ends_with(end));
    if trimmed.is_empty() || trimmed == "---" || is_file && is_of(item, "._-/=") {
        return Ok(text.to_string());
    }
    if trimmed.starts_with('#') {
        return Err(Unshown::Comment);
    }
    match item.split_once(':') {
        Some((key, "")) if is_of(key, "") => Ok(text.to_string()),
        Some((key, _)) if is_of(key, "") => {
            let indent = text.len() - text.trim_ascii_start().len() + trimmed.len() - item.len();
            Ok(format!("{}{key}: {HIDDEN}", &text[..indent]))
        }
        _ => Err(Unshown::Value),
    }
}

/// The lines around each change. Lines are compared as they are, so that a change of what is hidden is one.
fn hunks(parts: &PublicParts<'_>) -> Vec<DiffLine> {
    let whole = |lines: &[PublicLine<'_>]| lines.iter().map(|line| line.whole.to_string()).collect::<Vec<_>>();
    let (before, after) = (whole(&parts.before), whole(&parts.after));
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.iter().map(String::as_str).collect(), after.iter().map(String::as_str).collect());
    let diff = TextDiff::from_slices(&before, &after);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(CONTEXT) {
        if let Some(first) = group.first() {
            lines.push(DiffLine::At(number(parts.lines_above, first.old_range().start)));
        }
        let mut passed = Passed::default();
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let old = change.old_index().and_then(|at| parts.before.get(at));
            let new = change.new_index().and_then(|at| parts.after.get(at));
            match (change.tag(), old, new) {
                (ChangeTag::Equal, Some(line), _) => match &line.shown {
                    Ok(text) => {
                        passed.end(&mut lines);
                        lines.push(DiffLine::Same(text.clone()));
                    }
                    Err(why) => passed.add(*why),
                },
                (ChangeTag::Delete, Some(line), _) => {
                    passed.end(&mut lines);
                    lines.push(DiffLine::Old(changed(line)));
                }
                (ChangeTag::Insert, _, Some(line)) => {
                    passed.end(&mut lines);
                    lines.push(DiffLine::New(changed(line)));
                }
                _ => {}
            }
        }
        passed.end(&mut lines);
    }
    lines
}

/// The number of a line in its file, from 1.
fn number(above: u32, at: usize) -> u32 {
    above.saturating_add(u32::try_from(at).unwrap_or(u32::MAX)).saturating_add(1)
}

/// A line that comes or goes is there, also where nothing of it is shown.
fn changed(line: &PublicLine<'_>) -> String {
    let indent = line.whole.len() - line.whole.trim_start_matches(' ').len();
    match &line.shown {
        Ok(text) => text.clone(),
        Err(Unshown::Comment) => format!("{}# {HIDDEN}", &line.whole[..indent]),
        Err(_) => format!("{}{HIDDEN}", &line.whole[..indent]),
    }
}

/// Lines that stay and were not shown since the last one that was.
#[derive(Default)]
struct Passed {
    number: usize,
    why: BTreeSet<Unshown>,
}

impl Passed {
    fn add(&mut self, why: Unshown) {
        self.number += 1;
        self.why.insert(why);
    }

    fn end(&mut self, lines: &mut Vec<DiffLine>) {
        let Passed { number, why } = std::mem::take(self);
        if number == 0 {
            return;
        }
        let words = why.into_iter().map(|why| match why {
            Unshown::Comment => "comments",
            Unshown::OtherDocument => "other documents",
            Unshown::Value => "values that may be secret",
        });
        lines.push(DiffLine::NotShown(number, words.collect::<Vec<_>>().join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(path: &str, before: Option<&str>, after: Option<&str>) -> Vec<DiffLine> {
        let content = |text: &str| Content::from(text.to_string());
        let file = FileChange { path: path.into(), before: before.map(content), after: after.map(content) };
        PublicDiff::of(&file, &ProjectSecrets::default()).lines
    }

    fn at(line: u32) -> DiffLine {
        DiffLine::At(line)
    }

    #[test]
    fn a_change_of_what_is_hidden_is_shown_as_one() {
        let text = |token: &str, host: &str| {
            format!(
                "# c4n4ry\napiVersion: stablekey.dev/v1alpha1\nkind: Connection\nspec:\n  inputs:\n    # c4n4ry\n    \
                 apiToken: {{value: {token}}}\n    # c4n4ry\n    # c4n4ry\n    host: {{value: {host}}} # c4n4ry\n---\nkind: Secret\ndata: {{a: c4n4ry}}\n"
            )
        };
        let (old, new) = (DiffLine::Old, DiffLine::New);
        let same = |text: &str| DiffLine::Same(text.to_string());
        let hidden = |number, what: &str| DiffLine::NotShown(number, what.to_string());
        assert_eq!(
            diff("a.yaml", Some(&text("c4n4ry", "a")), Some(&text("c4n4ry2", "b"))),
            [
                at(4),
                same("spec:"),
                same("  inputs:"),
                hidden(1, "comments"),
                old("    apiToken: {value: •••}".to_string()),
                new("    apiToken: {value: •••}".to_string()),
                hidden(2, "comments"),
                old("    host: {value: a} # •••".to_string()),
                new("    host: {value: b} # •••".to_string()),
                same("---"),
                hidden(2, "other documents"),
            ]
        );
    }

    #[test]
    fn lines_have_the_numbers_of_the_file() {
        let documents = |last: &str| {
            let all = (0..20).map(|at| if at == 19 { last.to_string() } else { at.to_string() });
            let all = all.map(|title| {
                format!("---\napiVersion: stablekey.dev/v1alpha1\nkind: Connection\nspec: {{title: t{title}}}\n")
            });
            all.collect::<String>()
        };
        let lines = diff("a.yaml", Some(&documents("x")), Some(&documents("y")));
        assert_eq!(lines[0], at(77), "{lines:?}");
        assert!(lines.contains(&DiffLine::New("spec: {title: ty}".to_string())));
    }

    #[test]
    fn files_that_are_no_manifests_of_ours() {
        let kustomization = "resources:\n- a.yaml\nsecretGenerator:\n- literals:\n  - a=c4n4ry\nnamePrefix: c4n4ry\n";
        let shown = format!("{:?}", diff("kustomization.yaml", None, Some(kustomization)));
        assert!(
            !shown.contains("c4n4ry") && shown.contains("- a.yaml") && shown.contains("namePrefix: •••"),
            "{shown}"
        );
        let other = format!("{:?}", diff("notes.txt", Some("c4n4ry\n"), Some("c4n4ry\nc4n4ry\n")));
        assert!(!other.contains("c4n4ry") && other.contains("New(\"•••\")"), "{other}");
        let lock = format!("{:?}", diff("stablekey.lock", None, Some("stablekey.lock v1\nConnection/a b made\n")));
        assert!(lock.contains("Connection/a b made"), "{lock}");
    }
}
