//! Stable keys and the Kubernetes names made of them and of other texts.

/// The longest stable key and the longest name, in characters.
pub const MAX: usize = 63;

/// The longest name of an input, in characters.
pub const MAX_INPUT: usize = 253;

/// What a stable key must match, as a regular expression (RE2).
pub const STABLE_KEY: &str = "^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$";
/// A name of a Secret or a ConfigMap, as Kubernetes takes it.
pub const OBJECT_NAME: &str = "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$";
/// A key in their data.
pub const DATA_KEY: &str = "^[-._a-zA-Z0-9]{1,253}$";
/// A namespace.
pub const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

/// Whether `text` can be a stable key.
pub fn is_stable_key(text: &str) -> bool {
    let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes.len() <= MAX
        && bytes.iter().all(inner)
}

/// The name of the Connection with this stable key: lower case, `_` as `-`.
pub fn of_stable_key(key: &str) -> String {
    let mut name = key.to_ascii_lowercase().replace('_', "-");
    name.truncate(MAX);
    name
}

/// Whether `name` is the name of the Connection with this stable key. Allocates nothing.
pub fn is_of_stable_key(name: &str, key: &str) -> bool {
    name.len() == key.len()
        && name.bytes().zip(key.bytes()).all(|(n, k)| n == if k == b'_' { b'-' } else { k.to_ascii_lowercase() })
}

/// A Kubernetes name for any text (a component key, a title): lower case, every other run of
/// characters one `-`, cut to 63, trimmed. Empty where the text has no letter or digit of ASCII.
pub fn of_text(text: &str) -> String {
    let mut name = String::with_capacity(text.len().min(MAX));
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let mut name = name.trim_start_matches('-').to_string();
    name.truncate(MAX);
    name.truncate(name.trim_end_matches('-').len());
    name
}

/// Whether [`of_text`] leaves letters or digits of a text out, so that another text may get the same name.
pub fn loses_letters(text: &str) -> bool {
    text.chars().any(|c| c.is_alphanumeric() && !c.is_ascii()) || text.trim().chars().count() > MAX
}

/// A name with an ending, none longer than a name may be.
pub fn with_ending(name: &str, ending: &str) -> String {
    let room = MAX.saturating_sub(ending.len() + 1);
    let cut: String = name.chars().take(room).collect();
    format!("{}-{ending}", cut.trim_end_matches('-'))
}

/// The name of the Component with this key; `.private` is added where it is not public.
pub fn of_component(key: &str, public: bool) -> String {
    let mut name = of_text(key);
    if !public {
        name.push_str(".private");
    }
    name
}

/// Whether `text` can be `metadata.name`: RFC 1123 subdomain, as the API server demands.
pub fn is_object_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            let bytes = label.as_bytes();
            let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            edge(bytes.first())
                && edge(bytes.last())
                && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_keys_are_those_of_the_model() {
        for good in ["a", "A_b-9", "salesforce-oauth", &"k".repeat(63)] {
            assert!(is_stable_key(good), "{good}");
        }
        for bad in ["", "-a", "a-", "_a", "a.b", "ä", "a b", &"k".repeat(64)] {
            assert!(!is_stable_key(bad), "{bad}");
        }
    }

    #[test]
    fn a_name_is_the_key_in_lower_case_with_hyphens() {
        assert_eq!(of_stable_key("Sales_Force"), "sales-force");
        assert!(is_of_stable_key("sales-force", "Sales_Force"));
        assert!(!is_of_stable_key("sales_force", "Sales_Force"));
    }

    #[test]
    fn texts_become_names() {
        assert_eq!(of_text("Lead  Router (v2)"), "lead-router-v2");
        assert_eq!(of_text("--x--"), "x");
        assert_eq!(of_text("äöü"), "");
        assert_eq!(of_text(&format!("{}-b", "a".repeat(62))), "a".repeat(62));
        assert_eq!(of_component("acme", false), "acme.private");
    }

    #[test]
    fn object_names_are_those_of_kubernetes() {
        for good in ["a", "acme.private", "a-b.c9"] {
            assert!(is_object_name(good), "{good}");
        }
        for bad in ["", "A", "a_b", ".a", "a.", "-a", "a..b", &"a".repeat(254)] {
            assert!(!is_object_name(bad), "{bad}");
        }
    }
}
