//! Words for messages: suggestions, and spellings of fields.

use super::problem::shown;
use super::schema::{Schema, SchemaField, SchemaShape};
use strsim::osa_distance;

/// Whether a text is a plausible field name and may be shown. One with digits inside may be a password that a broken
/// file turned into a name.
pub(super) fn is_identifier(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let word = text.trim_end_matches(|c: char| c.is_ascii_digit());
    text.len() <= 40
        && text.len() - word.len() <= 2
        && word.bytes().next().is_some_and(letter)
        && word.bytes().all(|b| letter(b) || b == b'-')
}

/// A text as JSON, which every YAML parser reads correctly.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::String(shown(text)).to_string()
}

/// The spelling of a field, with `…` for its value.
pub(super) fn example(name: &str, schema: &Schema) -> String {
    match &schema.shape {
        SchemaShape::Text { options, .. } if !options.is_empty() => format!("{name}: {}", options.join(" | ")),
        SchemaShape::Text { .. } | SchemaShape::Any => format!("{name}: …"),
        SchemaShape::Bool => format!("{name}: true"),
        SchemaShape::Int { .. } => format!("{name}: 1"),
        SchemaShape::List { .. } => format!("{name}: […]"),
        SchemaShape::Dict { .. } => format!("{name}: {{…}}"),
        SchemaShape::Map { fields, .. } => format!("{name}: {}", example_fields(fields)),
    }
}

/// The spelling of the required fields.
pub(super) fn example_fields(fields: &[SchemaField]) -> String {
    let required: Vec<_> = fields.iter().filter(|field| field.required).collect();
    let parts: Vec<_> = required.iter().map(|field| example(&field.name, &field.schema)).collect();
    if parts.is_empty() { "{…}".into() } else { format!("{{{}}}", parts.join(", ")) }
}

/// The spelling of a map with this field only.
pub(super) fn alternative(field: &SchemaField) -> String {
    format!("{{{}}}", example(&field.name, &field.schema))
}

/// The name that was probably meant: similar in spelling, or equal except for case and separators.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |text: &str| -> String {
        text.chars().take(80).filter(|c| !matches!(c, '_' | '-' | ' ' | '.')).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = fold(text);
    names
        .map(|name| {
            let folded = fold(name);
            (osa_distance(&wanted, &folded), folded.chars().count(), name)
        })
        .filter(|(distance, length, _)| *distance <= 1 + length / 5 && distance * 2 < *length)
        .min_by_key(|(distance, ..)| *distance)
        .map(|(.., name)| name)
}
