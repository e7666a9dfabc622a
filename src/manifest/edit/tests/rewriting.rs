//! Several changes to one file have the same result as each change alone.

use super::super::*;
use crate::manifest::cut::cut;
use proptest::prelude::*;
use serde_json::json;

/// A file with this number of documents, or of items of a list.
fn file(is_list: bool, count: usize) -> String {
    let body = |n: usize, pad: &str| {
        format!(
            "{pad}kind: Connection # {n}\n{pad}spec:\n{pad}  title: T{n}\n{pad}  inputs:\n{pad}    a: {{value: x{n}}}\n"
        )
    };
    match is_list {
        false => (0..count).map(|n| format!("---\n{}", body(n, ""))).collect(),
        true => {
            let item = |n: usize| {
                let item = body(n, "    ");
                format!("  - {}", item.trim_start())
            };
            format!("kind: List\nitems:\n{}", (0..count).map(item).collect::<String>())
        }
    }
}

fn change(text: &str, is_list: bool, at: usize, what: DocumentEdit) -> Rewrite {
    match is_list {
        false => Rewrite { range: cut(text)[at].range.clone(), item: None, what },
        true => Rewrite { range: cut(text)[0].range.clone(), item: Some(u32::try_from(at).unwrap()), what },
    }
}

fn set(path: &[&str], value: serde_json::Value) -> Edit {
    Edit::Set { path: path.iter().map(ToString::to_string).collect(), value }
}

fn whats() -> impl Strategy<Value = Option<DocumentEdit>> {
    let edits = |kind: u8| match kind {
        0 => vec![set(&["spec", "title"], json!("New"))],
        1 => vec![set(&["spec", "inputs", "b"], json!({"value": "y"})), set(&["spec", "title"], json!("Both"))],
        2 => vec![Edit::Remove { path: ["spec", "inputs", "a"].map(String::from).to_vec() }],
        // The path leads through a text.
        _ => vec![set(&["spec", "title", "deeper"], json!("no"))],
    };
    prop_oneof![
        1 => Just(None),
        3 => (0_u8..4).prop_map(move |kind| Some(DocumentEdit::Edit(edits(kind)))),
        1 => Just(Some(DocumentEdit::Remove)),
    ]
}

proptest! {
    #[test]
    fn all_at_once_are_one_by_one(is_list: bool, whats in proptest::collection::vec(whats(), 1..7)) {
        let text = file(is_list, whats.len());
        let changes: Vec<Rewrite> = whats
            .iter()
            .enumerate()
            .filter_map(|(at, what)| Some(change(&text, is_list, at, what.clone()?)))
            .collect();
        let at_once = rewrite(&text, &changes);
        // From the last to the first, so that the other positions stay valid; edits before removals.
        let mut one_by_one = Some(text.clone());
        let mut results: Vec<Result<(), EditError>> = changes.iter().map(|_| Ok(())).collect();
        let asked: Vec<(usize, DocumentEdit)> =
            whats.iter().enumerate().filter_map(|(at, what)| Some((at, what.clone()?))).collect();
        for removes in [false, true] {
            for (index, (at, what)) in asked.iter().enumerate().rev() {
                let Some(now) = one_by_one.clone() else { continue };
                if matches!(what, DocumentEdit::Remove) != removes {
                    continue;
                }
                let Rewritten { text, results: of_one } = rewrite(&now, &[change(&now, is_list, *at, what.clone())]);
                one_by_one = text;
                results[index] = of_one.into_iter().next().unwrap();
            }
        }
        prop_assert_eq!(at_once.text, one_by_one);
        prop_assert_eq!(at_once.results, results);
    }
}

#[test]
fn what_cannot_be_changed_holds_back_no_neighbour() {
    let text = "kind: Connection\nspec: &s\n  title: A\nmore: *s\n---\nkind: Connection\nspec:\n  title: B\n";
    let to_c = |at| change(text, false, at, DocumentEdit::Edit(vec![set(&["spec", "title"], json!("C"))]));
    let Rewritten { text: new, results } = rewrite(text, &[to_c(0), to_c(1)]);
    assert_eq!(new.as_deref(), Some(text.replace("title: B", "title: C").as_str()));
    assert!(
        matches!(&results[0], Err(EditError::At { path, why }) if path == "spec.title" && **why == EditError::Shared)
    );
    assert_eq!(results[1], Ok(()));
}

#[test]
fn of_a_file_of_which_all_goes_nothing_is_left() {
    let text = file(false, 3);
    let all: Vec<Rewrite> = (0..3).map(|at| change(&text, false, at, DocumentEdit::Remove)).collect();
    assert!(rewrite(&text, &all).text.is_none());
    let but_one = rewrite(&text, &all[1..]);
    assert_eq!(but_one.text.unwrap(), file(false, 1));
}

fn edited(text: &str, path: &[&str], value: serde_json::Value) -> String {
    let rewritten = rewrite(text, &[change(text, false, 0, DocumentEdit::Edit(vec![set(path, value)]))]);
    assert_eq!(rewritten.results, [Ok(())], "{text}");
    rewritten.text.unwrap()
}

/// "comments … survive": including those beside a value, in every form of it.
#[test]
fn a_comment_beside_a_value_stays() {
    let of = |value: &str| format!("kind: X\nspec:\n  title: {value}\n  other: y # why\n");
    let title = |value: &str, new: &str| edited(&of(value), &["spec", "title"], json!(new));
    assert_eq!(title("a  # in step", "b"), of("b  # in step"));
    assert_eq!(title("a  # in step", "b\nc"), of("|- # in step\n    b\n    c"));
    assert_eq!(title("|- # in step\n    b\n    c", "d\ne"), of("|- # in step\n    d\n    e"));
    assert_eq!(title("|- # in step\n    b\n    c", "d"), of("d # in step"));
    assert_eq!(title("|-\n    b\n    c", "d"), of("d"));
    assert_eq!(title("'a #1'", "b\nc"), of("|-\n    b\n    c"));
}

/// An anchor without an alias does not share anything.
#[test]
fn an_anchor_without_an_alias_stops_nothing() {
    let text = "kind: X\nspec: &s\n  title: &t T\n  list: &l [a]\n";
    assert_eq!(edited(text, &["spec", "title"], json!("New")), text.replace("&t T", "&t New"));
    assert_eq!(edited(text, &["spec", "list"], json!(["a", "b"])), text.replace("[a]", "[a, b]"));
    let rewritten = rewrite(&text.replace("[a]", "[a]\n  other: *t"), &[]);
    assert!(rewritten.text.is_some());
}

/// Text above the first document is kept, also after a byte order mark.
#[test]
fn a_licence_behind_a_byte_order_mark_stays() {
    let documents = file(false, 2);
    for head in ["# SPDX-License-Identifier: MIT\n\n", "\u{feff}# SPDX-License-Identifier: MIT\n\n"] {
        let text = format!("{head}{}", documents.trim_start_matches("---\n"));
        let left = rewrite(&text, &[change(&text, false, 0, DocumentEdit::Remove)]).text.unwrap();
        assert!(left.starts_with(head), "{left:?}");
    }
}
