//! Edits of lists whose items have no names: append or remove items.

use super::layout::Result;
use super::layout::TextLayout;
use super::splice::{PathEnd, Splice, SpliceDraft};
use super::value::Value;
use super::{EditError, is_json, newline, parse, spliced};
use crate::manifest::cut::cut;

/// A change of a top-level list of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ListEdit {
    /// Appends items; the list is created if it does not exist.
    Append {
        /// The list's key.
        list: &'static str,
        items: Vec<serde_json::Value>,
    },
    /// Removes one item; the list is removed with its last item.
    Drop {
        /// The list's key.
        list: &'static str,
        /// The index of the item.
        index: usize,
    },
}

/// Applies changes to lists of a file with one document, one after the other.
pub(crate) fn edit_lists(text: &str, edits: &[ListEdit]) -> Result<String> {
    let mut new = text.to_string();
    let mut expected = {
        let tree = parse(text)?;
        Value::of(&tree, tree.root)
    };
    for edit in edits {
        edit_value(&mut expected, edit).ok_or(EditError::NoMap)?;
        let mut done = 0;
        loop {
            let splices = {
                let tree = parse(&new)?;
                let layout = TextLayout { tree: &tree };
                let draft = SpliceDraft { layout, root: tree.root, newline: newline(&new), json: is_json(&tree) };
                next_splices(&draft, edit, &mut done)?
            };
            if splices.is_empty() {
                break;
            }
            new = spliced(&new, splices)?;
        }
    }
    let tree = parse(&new).map_err(|_| EditError::Unfaithful)?;
    let holds = expected.has_same_value(&Value::of(&tree, tree.root)) && cut(&new).len() == cut(text).len().max(1);
    if holds { Ok(new) } else { Err(EditError::Unfaithful) }
}

/// The next change; empty if `done` counts all changes.
fn next_splices(draft: &SpliceDraft<'_, '_>, edit: &ListEdit, done: &mut usize) -> Result<Vec<Splice>> {
    match edit {
        ListEdit::Append { items, .. } if *done >= items.len() => Ok(Vec::new()),
        ListEdit::Append { list, items } => {
            let values = items.iter().skip(*done).map(Value::of_json);
            match draft.find(&[list])? {
                PathEnd::Node(id, _) if draft.tree().list(id).is_some() => {
                    let is_plain = !draft.layout.is_flow(id) && !draft.tree().items(id).is_empty();
                    // In brackets, every item changes where the next one is inserted.
                    let values: Vec<Value> = values.take(if is_plain { usize::MAX } else { 1 }).collect();
                    *done += values.len();
                    let end = draft.tree().items(id).len();
                    let splices = values.iter().map(|value| draft.insert_item(id, end, value));
                    Ok(splices.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
                }
                // The list does not exist, or is empty.
                _ => {
                    *done = items.len();
                    draft.set(&[list], &Value::List(values.collect()))
                }
            }
        }
        ListEdit::Drop { .. } if *done > 0 => Ok(Vec::new()),
        ListEdit::Drop { list, index } => {
            *done = 1;
            match draft.find(&[list])? {
                PathEnd::Node(id, _) if draft.tree().items(id).len() > 1 => draft.remove_element(id, *index),
                PathEnd::Node(..) => draft.remove(&[list]),
                PathEnd::Lacks { .. } => Err(EditError::Layout),
            }
        }
    }
}

/// Applies a change of a list to the value; `None` if there is no such list or item.
fn edit_value(value: &mut Value, edit: &ListEdit) -> Option<()> {
    let Value::Map(entries) = value else { return None };
    let (ListEdit::Append { list: key, .. } | ListEdit::Drop { list: key, .. }) = edit;
    let position = entries.iter().position(|(name, _)| name == key);
    match edit {
        ListEdit::Append { list, items } => {
            let more = items.iter().map(Value::of_json);
            match position.map(|at| &mut entries[at].1) {
                Some(Value::List(items)) => items.extend(more),
                Some(nothing @ Value::Null) => *nothing = Value::List(more.collect()),
                Some(_) => return None,
                None => entries.push(((*list).to_string(), Value::List(more.collect()))),
            }
        }
        ListEdit::Drop { index, .. } => {
            let at = position?;
            let Value::List(items) = &mut entries[at].1 else { return None };
            if *index >= items.len() {
                return None;
            }
            items.remove(*index);
            if items.is_empty() {
                entries.remove(at);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn append(list: &'static str, item: serde_json::Value) -> ListEdit {
        ListEdit::Append { list, items: vec![item] }
    }

    #[track_caller]
    fn becomes(before: &str, edits: &[ListEdit], after: &str) {
        assert_eq!(edit_lists(before, edits).as_deref(), Ok(after));
        let (before, after) = (before.replace('\n', "\r\n"), after.replace('\n', "\r\n"));
        assert_eq!(edit_lists(&before, edits).as_deref(), Ok(after.as_str()));
    }

    #[test]
    fn an_item_comes_to_the_end_in_the_style_of_the_others() {
        let patch = json!({"target": {"kind": "A"}, "patch": "- op: x\n  path: /y\n"});
        becomes(
            "a: 1\nresources:\n- x.yaml # x\n# last\nb: 2\n",
            &[append("resources", json!("y.yaml"))],
            "a: 1\nresources:\n- x.yaml # x\n- y.yaml\n# last\nb: 2\n",
        );
        becomes("resources: [x.yaml]\n", &[append("resources", json!("y.yaml"))], "resources: [x.yaml, y.yaml]\n");
        becomes(
            "a: 1\n",
            &[append("resources", json!("x.yaml")), append("resources", json!("y.yaml"))],
            "a: 1\nresources:\n  - x.yaml\n  - y.yaml\n",
        );
        becomes(
            "resources: # none yet\n",
            &[append("resources", json!("x.yaml"))],
            "resources: # none yet\n  - x.yaml\n",
        );
        becomes(
            "a: 1\n",
            &[append("patches", patch.clone()), append("patches", patch)],
            "a: 1\npatches:\n  - patch: |\n      - op: x\n        path: /y\n    target:\n      kind: A\n  - patch: |\n      - op: x\n        path: /y\n    target:\n      kind: A\n",
        );
    }

    #[test]
    fn many_come_at_once() {
        let more = [ListEdit::Append { list: "resources", items: vec![json!("b"), json!("c"), json!("d")] }];
        becomes("resources:\n- w\na: 1\n", &more, "resources:\n- w\n- b\n- c\n- d\na: 1\n");
        becomes("resources: [w]\n", &more, "resources: [w, b, c, d]\n");
        becomes("resources: []\n", &more, "resources:\n  - b\n  - c\n  - d\n");
        becomes("a: 1\n", &more, "a: 1\nresources:\n  - b\n  - c\n  - d\n");
    }

    #[test]
    fn an_item_goes_with_its_lines_and_the_list_with_its_last() {
        let drop = |index| ListEdit::Drop { list: "resources", index };
        let text = "resources:\n  # one\n  - x.yaml\n  - y.yaml # y\na: 1\n";
        becomes(text, &[drop(0)], "resources:\n  # one\n  - y.yaml # y\na: 1\n");
        becomes(text, &[drop(1), drop(0)], "a: 1\n");
        becomes("resources: [x, y]\n", &[drop(0)], "resources: [y]\n");
    }

    #[test]
    fn values_that_are_no_list_or_are_shared_are_left_alone() {
        let add = [append("resources", json!("x"))];
        assert_eq!(edit_lists("resources: 7\n", &add), Err(EditError::NoMap));
        assert_eq!(edit_lists("a: &l [x]\nresources: *l\n", &add), Err(EditError::NoMap));
        assert_eq!(edit_lists("resources: &l [x]\na: *l\n", &add), Err(EditError::Shared));
        assert_eq!(edit_lists("a: [\n", &add), Err(EditError::Unreadable));
    }
}
