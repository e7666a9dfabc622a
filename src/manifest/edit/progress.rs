//! The progress of an edit: each change must leave less to do than there was before it.

use super::value::Value;
use super::{Edit, EditError};
use std::collections::HashMap;

/// An edit that is being made, change by change.
pub(super) struct Progress {
    target: Value,
    left: Option<usize>,
}

impl Progress {
    /// Begins an edit of a document with this value.
    pub(super) fn begin(document: &Value, edit: &Edit) -> Result<Self, EditError> {
        let mut target = document.clone();
        target.apply(edit)?;
        Ok(Progress { target, left: None })
    }

    /// Verifies that the last change brought the document nearer to its target. A text that its parser reads otherwise
    /// than it was written would be changed for ever.
    pub(super) fn verify(&mut self, document: &Value) -> Result<(), EditError> {
        let left = changes(document, &self.target);
        match self.left.replace(left) {
            Some(before) if left >= before => Err(EditError::Unfaithful),
            _ => Ok(()),
        }
    }
}

/// The number of changes from one value to another: of entries, items and scalars.
fn changes(from: &Value, to: &Value) -> usize {
    match (from, to) {
        (Value::Map(was), Value::Map(is)) => {
            let in_order = was.len() == is.len() && was.iter().zip(is).all(|((a, _), (b, _))| a == b);
            if in_order {
                return was.iter().zip(is).map(|((_, a), (_, b))| changes(a, b)).sum();
            }
            let old: HashMap<&str, &Value> = was.iter().map(|(key, value)| (key.as_str(), value)).collect();
            let kept: Vec<(&Value, &Value)> =
                is.iter().filter_map(|(key, value)| Some((*old.get(key.as_str())?, value))).collect();
            if kept.is_empty() {
                return 1;
            }
            let gone_and_new = (was.len() - kept.len().min(was.len())) + (is.len() - kept.len());
            kept.into_iter().map(|(a, b)| changes(a, b)).sum::<usize>() + gone_and_new
        }
        (Value::List(was), Value::List(is)) if !was.is_empty() && !is.is_empty() => {
            // As edits of lists do: items that come or go do so after the equal ones at the beginning.
            let same = was.iter().zip(is).take_while(|(a, b)| a.has_same_value(b)).count();
            let pairs = was[same..].iter().rev().zip(is[same..].iter().rev());
            pairs.map(|(a, b)| changes(a, b)).sum::<usize>() + was.len().abs_diff(is.len())
        }
        _ => usize::from(!from.has_same_value(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_change_counts() {
        for (from, to, count) in [
            (json!({"a": 1}), json!({"a": 1}), 0),
            (json!({"a": 1, "b": {"c": 1}}), json!({"a": 2, "b": {"c": 1, "d": {"e": 1}}}), 2),
            (json!({"a": 1}), json!({"b": 1}), 1),
            (json!({"a": 1, "b": 1, "c": 1}), json!({"a": 1}), 2),
            (json!({"a": null}), json!({"a": {"b": 1}}), 1),
            (json!(["a", "b", "c"]), json!(["a", "c"]), 1),
            (json!(["a", "c"]), json!(["a", "b", "c", "d"]), 3),
            (json!([]), json!(["a", "b"]), 1),
        ] {
            assert_eq!(changes(&Value::of_json(&from), &Value::of_json(&to)), count, "{from} {to}");
        }
    }
}
