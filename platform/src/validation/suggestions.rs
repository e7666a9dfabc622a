//! What a client may have meant, as graphql-core guesses it.

use super::Unknown;
use juniper::meta::MetaType;
use juniper::{DefaultScalarValue, SchemaType};

/// The most guesses that a message has.
const MOST: usize = 5;

/// Returns the guesses for a message about an unknown field or argument, as the end of its text.
pub(super) fn suggestions(schema: &SchemaType<DefaultScalarValue>, unknown: &Unknown, message: &str) -> Option<String> {
    let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
    let [name, place] = quoted[..] else { return None };
    let known: Vec<String> = if message.starts_with("Cannot query field ") {
        let fields = match schema.concrete_type_by_name(place)? {
            MetaType::Object(object) => &object.fields,
            MetaType::Interface(interface) => &interface.fields,
            _ => return None,
        };
        let names = fields.iter().map(|field| field.name.to_string());
        names.filter(|field| !unknown.field(place, field) && !field.starts_with("__")).collect()
    } else if message.starts_with("Unknown argument ") {
        let (kind, field) = place.split_once('.')?;
        let field = schema.concrete_type_by_name(kind)?.field_by_name(field)?;
        let names = field.arguments.iter().flatten().map(|argument| argument.name.to_string());
        names.filter(|argument| !unknown.argument(kind, &field.name, argument)).collect()
    } else {
        return None;
    };
    // A name as long as this may differ in so many letters.
    let threshold = name.chars().count() * 2 / 5 + 1;
    let mut near: Vec<(usize, String)> = known
        .into_iter()
        .map(|known| (distance(name, &known), known))
        .filter(|(distance, _)| *distance <= threshold)
        .collect();
    near.sort();
    let near: Vec<String> = near.into_iter().take(MOST).map(|(_, known)| format!("'{known}'")).collect();
    let list = match &near[..] {
        [] => return None,
        [one] => one.clone(),
        [one, other] => format!("{one} or {other}"),
        [all @ .., last] => format!("{}, or {last}", all.join(", ")),
    };
    Some(format!(" Did you mean {list}?"))
}

/// Counts the letters that two names differ in. An exchange of two neighbours counts once, another case of all once.
fn distance(a: &str, b: &str) -> usize {
    if a == b {
        return 0;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    if a == b {
        return 1;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + cost);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn names_are_compared_by_letters() {
        assert_eq!(distance("updatedAt", "createdAt"), 3);
        assert_eq!(distance("stableKey", "stabelKey"), 1);
        assert_eq!(distance("STABLEKEY", "stableKey"), 1);
        assert_eq!(distance("a", ""), 1);
    }
}
