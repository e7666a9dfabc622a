//! Stable keys, and Kubernetes names that are derived from them and from other texts.

/// The maximum length of a stable key and of a name, in characters.
pub const MAX: usize = 63;

/// The maximum length of an input name, in characters.
pub const MAX_INPUT: usize = 253;

/// The pattern of a stable key, as a regular expression (RE2).
pub const STABLE_KEY: &str = "^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$";
/// The pattern of the name of a Secret or a ConfigMap.
pub const OBJECT_NAME: &str = "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$";
/// The pattern of a key in the data of a Secret or a ConfigMap.
pub const DATA_KEY: &str = "^[-._a-zA-Z0-9]{1,253}$";
/// The pattern of the name of a namespace.
pub const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

/// The pattern of an origin: scheme and host, perhaps a port, and nothing after it.
pub const ORIGIN: &str = "^https?://([A-Za-z0-9][A-Za-z0-9.-]*|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?$";
/// The pattern of the name of an environment variable that may hold a token of the platform.
pub const TOKEN_VARIABLE: &str = "^STABLEKEY_TOKEN_[A-Za-z0-9_]+$";

/// The pattern of the address of a repository of Git: https, a host, perhaps a port, and a path.
pub const GIT_URL: &str = "^https://([A-Za-z0-9][A-Za-z0-9.-]*|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?/[^\\s?#@\\\\]+$";
/// The pattern of the full name of a commit.
pub const COMMIT: &str = "^[0-9a-f]{40}$";
/// The pattern of a time between two questions: a number with a unit.
pub const INTERVAL: &str = "^[1-9][0-9]{0,5}[smh]$";

/// Whether `text` is a valid stable key.
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
    // A key that is none may have any characters.
    name.truncate((0..=MAX).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0));
    name
}

/// Whether `name` is the name of the Connection with this stable key. Does not allocate.
pub fn is_of_stable_key(name: &str, key: &str) -> bool {
    name.len() == key.len()
        && name.bytes().zip(key.bytes()).all(|(n, k)| n == if k == b'_' { b'-' } else { k.to_ascii_lowercase() })
}

/// Derives a Kubernetes name from any text (a component key, a title): lower case, every other run of characters as one
/// `-`, cut to 63 characters and trimmed. Empty if the text has no ASCII letter or digit.
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

/// Whether [`of_text`] drops letters or digits, so that another text may get the same name.
pub fn loses_letters(text: &str) -> bool {
    text.chars().any(|c| c.is_alphanumeric() && !c.is_ascii()) || text.trim().chars().count() > MAX
}

/// The usual key of a connection, `component-type`; `None` if their names have no letters that a key can have.
pub fn usual_key(component: &str, type_: &str) -> Option<String> {
    let key = of_text(&format!("{component}-{type_}"));
    is_stable_key(&key).then_some(key)
}

/// Appends an ending to a name, and cuts the name so that both fit the maximum length.
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

/// Whether `text` is a valid `metadata.name` (RFC 1123 subdomain).
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

    /// Whoever asks may name anything.
    #[test]
    fn a_key_of_other_letters_is_cut_between_two() {
        assert_eq!(of_stable_key(&"é".repeat(40)).chars().count(), 31);
        assert_eq!(of_stable_key(&"a".repeat(80)).len(), MAX);
    }

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
