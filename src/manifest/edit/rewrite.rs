//! Makes all changes to one file at once: the file is cut once, and each of its documents is parsed only as often as
//! its own changes need.

use super::layout::TextLayout;
use super::progress::Progress;
use super::splice::{Splice, SpliceDraft};
use super::value::Value;
use super::{Edit, EditError, check, comments_around, is_json, newline, one, parse, spliced, without_items};
use crate::manifest::cut::cut;
use crate::manifest::locate;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A change of one object in a file.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// The range of its document in the text; for an element of a `List`, that of the list.
    pub range: Range<usize>,
    /// The index in the list.
    pub item: Option<u32>,
    /// The operation on the object.
    pub what: DocumentEdit,
}

/// An operation on an object.
#[derive(Clone, Debug)]
pub enum DocumentEdit {
    /// Edits its document.
    Edit(Vec<Edit>),
    /// Removes it from the file.
    Remove,
}

/// A file after its changes.
#[derive(Debug)]
pub struct Rewritten {
    /// The new text; `None` if nothing is left.
    pub text: Option<String>,
    /// The result of each change, in order. A failed change has no effect.
    pub results: Vec<Result<(), EditError>>,
}

/// Makes several changes to one file. Each is made completely or not at all.
pub fn rewrite(text: &str, changes: &[Rewrite]) -> Rewritten {
    let mut results: Vec<Result<(), EditError>> = changes.iter().map(|_| Ok(())).collect();
    let mut by_document: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, change) in changes.iter().enumerate() {
        by_document.entry(change.range.start).or_default().push(index);
    }
    let slices: Vec<Range<usize>> = cut(text).into_iter().map(|slice| slice.range).collect();
    let mut fates: Vec<DocumentFate> = slices.iter().map(|_| DocumentFate::Kept).collect();
    for indices in by_document.values() {
        let range = changes[indices[0]].range.clone();
        let Ok(at) = slices.binary_search_by_key(&range.start, |slice| slice.start) else {
            indices.iter().for_each(|index| results[*index] = Err(EditError::Unreadable));
            continue;
        };
        if slices[at] != range {
            indices.iter().for_each(|index| results[*index] = Err(EditError::Unreadable));
            continue;
        }
        let of_it: Vec<&Rewrite> = indices.iter().map(|index| &changes[*index]).collect();
        let (fate, outcomes) = document(&text[range], &of_it);
        fates[at] = fate;
        indices.iter().zip(outcomes).for_each(|(index, outcome)| results[*index] = outcome);
    }
    let file = CutFile { text, slices: &slices };
    let text = file.assembled(&fates).unwrap_or_else(|| {
        // Removing one document would remove or change another one, so the documents are removed one by one.
        let gone: Vec<usize> = (0..fates.len()).filter(|at| matches!(fates[*at], DocumentFate::Gone)).collect();
        gone.iter().for_each(|at| fates[*at] = DocumentFate::Kept);
        let mut left = file.assembled(&fates).unwrap_or_else(|| {
            // Even the edits alone fail: nothing is done.
            fates.iter_mut().for_each(|fate| *fate = DocumentFate::Kept);
            results.iter_mut().filter(|result| result.is_ok()).for_each(|result| *result = Err(EditError::Unfaithful));
            Some(text.to_string())
        });
        let gone: Vec<usize> = gone
            .into_iter()
            .filter(|at| results_of(&by_document, &slices, *at).any(|index| results[index].is_ok()))
            .collect();
        for at in gone {
            fates[at] = DocumentFate::Gone;
            match file.assembled(&fates) {
                Some(text) => left = text,
                None => {
                    fates[at] = DocumentFate::Kept;
                    let of_it = results_of(&by_document, &slices, at);
                    of_it.for_each(|index| results[index] = Err(EditError::Unfaithful));
                }
            }
        }
        left
    });
    Rewritten { text, results }
}

/// The results of the changes of a document.
fn results_of<'m>(
    by_document: &'m BTreeMap<usize, Vec<usize>>,
    slices: &[Range<usize>],
    at: usize,
) -> impl Iterator<Item = usize> + use<'m> {
    let start = slices.get(at).map(|slice| slice.start);
    start.and_then(|start| by_document.get(&start)).into_iter().flatten().copied()
}

/// The effect of the changes on a document.
enum DocumentFate {
    Kept,
    Edited(String),
    Gone,
}

/// A file that was cut into documents.
struct CutFile<'t> {
    text: &'t str,
    slices: &'t [Range<usize>],
}

impl CutFile<'_> {
    /// Assembles the file from its documents, `Some(None)` if nothing is left; `None` if an unchanged document would
    /// change.
    fn assembled(&self, fates: &[DocumentFate]) -> Option<Option<String>> {
        // Growing would copy the whole file.
        let new = fates.iter().map(|fate| if let DocumentFate::Edited(new) = fate { new.len() } else { 0 });
        let mut left = String::with_capacity(self.text.len() + new.sum::<usize>());
        let mut kept: Vec<&str> = Vec::with_capacity(self.slices.len());
        let mut at = 0;
        let is_nothing = fates.iter().all(|fate| matches!(fate, DocumentFate::Gone));
        if is_nothing && !fates.is_empty() {
            return Some(None);
        }
        for (slice, fate) in self.slices.iter().zip(fates) {
            left.push_str(&self.text[at..slice.start]);
            at = slice.end;
            let old = &self.text[slice.clone()];
            match fate {
                DocumentFate::Kept => {
                    kept.push(old);
                    left.push_str(old);
                }
                DocumentFate::Edited(new) => {
                    kept.push(new);
                    left.push_str(new);
                }
                DocumentFate::Gone => {
                    let (head, tail) = comments_around(old);
                    // Text above the first document of a file, such as a licence, does not belong to that document.
                    if left.trim().is_empty() {
                        left.push_str(head);
                    }
                    left.push_str(tail);
                }
            }
        }
        left.push_str(&self.text[at..]);
        let still: Vec<&str> = cut(&left).into_iter().filter_map(|slice| left.get(slice.range)).collect();
        let is_kept = |(kept, still): (&&str, &&str)| {
            let more = still.strip_prefix(kept).or_else(|| still.strip_suffix(kept));
            more.is_some_and(|more| more.lines().all(|line| line.trim().is_empty() || line.starts_with('#')))
        };
        let holds = kept.len() == still.len() && kept.iter().zip(&still).all(is_kept);
        holds.then_some(Some(left))
    }
}

/// One document after its changes, with the result of each.
fn document(old: &str, changes: &[&Rewrite]) -> (DocumentFate, Vec<Result<(), EditError>>) {
    if let [Rewrite { item: None, what, .. }] = changes {
        return match what {
            DocumentEdit::Remove => (DocumentFate::Gone, vec![Ok(())]),
            DocumentEdit::Edit(edits) => match edited(old, None, edits) {
                Ok(new) => (DocumentFate::Edited(new), vec![Ok(())]),
                Err(error) => (DocumentFate::Kept, vec![Err(error)]),
            },
        };
    }
    let mut results: Vec<Result<(), EditError>> = changes.iter().map(|_| Ok(())).collect();
    let edits: Vec<(usize, u32, &[Edit])> = changes
        .iter()
        .enumerate()
        .filter_map(|(index, change)| match (&change.what, change.item) {
            (DocumentEdit::Edit(edits), Some(item)) => Some((index, item, edits.as_slice())),
            _ => None,
        })
        .collect();
    let mut text = items(old, &edits, &mut results);
    let mut removed: Vec<(u32, usize)> = changes
        .iter()
        .enumerate()
        .filter_map(|(index, change)| matches!(change.what, DocumentEdit::Remove).then_some((change.item?, index)))
        .collect();
    removed.sort_unstable();
    let items: Vec<u32> = removed.iter().map(|(item, _)| *item).collect();
    match without_items(&text, &items) {
        Ok(Some(new)) => text = new,
        Ok(None) => return (DocumentFate::Gone, results),
        // One of the items cannot be removed: the items are removed from the last to the first, so that the other
        // indexes stay valid.
        Err(_) => {
            for (item, index) in removed.into_iter().rev() {
                match without_items(&text, &[item]) {
                    Ok(Some(new)) => text = new,
                    Ok(None) => return (DocumentFate::Gone, results),
                    Err(error) => results[index] = Err(error),
                }
            }
        }
    }
    // A document with one object has one change.
    for (_, result) in changes.iter().zip(&mut results).filter(|(change, _)| change.item.is_none()) {
        *result = Err(EditError::Unreadable);
    }
    (DocumentFate::Edited(text), results)
}

/// Makes the edits of a document.
fn edited(old: &str, item: Option<u32>, edits: &[Edit]) -> Result<String, EditError> {
    let mut new = old.to_string();
    for edit in edits {
        new = one(&new, item, edit).map_err(|why| why.at(edit.path()))?;
    }
    check(old, &new, &[(item, edits)])?;
    Ok(new)
}

/// Edits several items of a list, all on one tree at a time. An item with an edit that cannot be made stays unchanged.
fn items(old: &str, edits: &[(usize, u32, &[Edit])], results: &mut [Result<(), EditError>]) -> String {
    let mut dropped: BTreeSet<usize> = BTreeSet::new();
    loop {
        let active: Vec<&(usize, u32, &[Edit])> = edits.iter().filter(|(index, ..)| !dropped.contains(index)).collect();
        match together(old, &active) {
            Ok(new) => {
                let made: Vec<(Option<u32>, &[Edit])> = active.iter().map(|(_, item, e)| (Some(*item), *e)).collect();
                if check(old, &new, &made).is_ok() {
                    return new;
                }
                break;
            }
            Err(failed) if failed.is_empty() => break,
            Err(failed) => {
                for (index, error) in failed {
                    dropped.insert(index);
                    results[index] = Err(error);
                }
            }
        }
    }
    // The conflict shows only in the whole document: each item is edited separately, so that one does not block others.
    let mut text = old.to_string();
    for (index, item, edits) in edits.iter().filter(|(index, ..)| !dropped.contains(index)) {
        match edited(&text, Some(*item), edits) {
            Ok(new) => text = new,
            Err(error) => results[*index] = Err(error),
        }
    }
    text
}

/// Applies the next change of every item on one tree, until none is left; or returns the failures. An empty list of
/// failures means that the changes conflict with each other.
fn together(old: &str, edits: &[&(usize, u32, &[Edit])]) -> Result<String, Vec<(usize, EditError)>> {
    let mut text = old.to_string();
    let mut at: Vec<(usize, Option<Progress>)> = edits.iter().map(|_| (0, None)).collect();
    loop {
        let mut splices: Vec<Splice> = Vec::new();
        let mut failed = Vec::new();
        {
            let Ok(tree) = parse(&text) else { return Err(Vec::new()) };
            for ((index, item, edits), (at, progress)) in edits.iter().zip(&mut at) {
                let Some(root) = locate::root(&tree, Some(*item)) else {
                    failed.push((*index, EditError::Unreadable));
                    continue;
                };
                let layout = TextLayout { tree: &tree };
                let draft = SpliceDraft { layout, root, newline: newline(&text), json: is_json(&tree) };
                while let Some(edit) = edits.get(*at) {
                    match next(&draft, edit, progress) {
                        Ok(change) if change.is_empty() => (*at, *progress) = (*at + 1, None),
                        Ok(mut change) => {
                            splices.append(&mut change);
                            break;
                        }
                        Err(why) => {
                            failed.push((*index, why.at(edit.path())));
                            break;
                        }
                    }
                }
            }
        }
        match (failed.is_empty(), splices.is_empty()) {
            (false, _) => return Err(failed),
            (true, true) => return Ok(text),
            (true, false) => text = spliced(&text, splices).map_err(|_| Vec::new())?,
        }
    }
}

/// The next change of an edit; empty if the edit is done. `progress` is that of the edit, `None` before its first
/// change; a change without progress is an error.
pub(super) fn next(
    draft: &SpliceDraft<'_, '_>,
    edit: &Edit,
    progress: &mut Option<Progress>,
) -> Result<Vec<Splice>, EditError> {
    let path: Vec<&str> = edit.path().iter().map(String::as_str).collect();
    let change = match edit {
        Edit::Set { value, .. } => draft.set(&path, &Value::of_json(value))?,
        Edit::Remove { .. } => draft.remove(&path)?,
    };
    if !change.is_empty() {
        let document = Value::of(draft.tree(), draft.root);
        let progress = match progress {
            Some(progress) => progress,
            nothing => nothing.insert(Progress::begin(&document, edit)?),
        };
        progress.verify(&document)?;
    }
    Ok(change)
}
