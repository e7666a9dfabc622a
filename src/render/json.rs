//! Everything as JSON: canonical (sorted keys), compact for machines or pretty for people.

use serde::Serialize;
use serde_json::{Map, Value};

/// How JSON is laid out. The keys are sorted either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Canonical bytes, without blanks: the same on every machine.
    Compact,
    /// Indented by two, with a newline at the end.
    Pretty,
}

/// `value` (a plan, a status, an explanation, findings) as JSON.
pub fn json(value: &impl Serialize, layout: Layout) -> Result<String, serde_json::Error> {
    match layout {
        Layout::Compact => crate::engine::canonical::to_string(value),
        Layout::Pretty => {
            let mut text = serde_json::to_string_pretty(&sorted(serde_json::to_value(value)?))?;
            text.push('\n');
            Ok(crate::text::json(&text).into_owned())
        }
    }
}

/// With sorted keys, whether or not another crate makes serde_json keep the order of insertion.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
