//! Which input names say "secret". One closed list, for files and for the cluster's CEL rule.

/// Words that make an input's name sensitive, whatever stands around them. Between the words of
/// one entry `-`, `_`, a blank or a dot may stand.
pub const WORDS: [&[&str]; 17] = [
    &["secret"],
    &["passw"],
    &["passphrase"],
    &["passcode"],
    &["pwd"],
    &["token"],
    &["credential"],
    &["api", "key"],
    &["access", "key"],
    &["private", "key"],
    &["signing", "key"],
    &["encryption", "key"],
    &["shared", "key"],
    &["account", "key"],
    &["master", "key"],
    &["connection", "string"],
    &["bearer"],
];

/// Endings that say that a name is about a secret and is none (`tokenUrl`, `passwordPolicy`).
pub const EXEMPT_ENDINGS: [&str; 10] =
    ["url", "uri", "endpoint", "host", "type", "id", "name", "expiry", "ttl", "policy"];

/// Whether a literal value under this name is refused.
pub fn is_sensitive(name: &str) -> bool {
    let folded: String =
        name.chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).map(|c| c.to_ascii_lowercase()).collect();
    !EXEMPT_ENDINGS.iter().any(|ending| folded.ends_with(ending))
        && WORDS.iter().any(|words| contains_in_a_row(&folded, words))
}

fn contains_in_a_row(text: &str, words: &[&str]) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    text.match_indices(first).any(|(at, _)| {
        let mut left = &text[at + first.len()..];
        rest.iter().all(|word| left.strip_prefix(word).map(|after| left = after).is_some())
    })
}

/// The same as [`is_sensitive`], as a CEL expression over the string `variable`.
pub fn cel_is_sensitive(variable: &str) -> String {
    let words = WORDS.map(|words| words.join("[-_ .]?")).join("|");
    let endings = EXEMPT_ENDINGS.join("|");
    format!("({variable}.matches('(?i)({words})') && !{variable}.matches('(?i)({endings})$'))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_secret_are_sensitive() {
        for name in
            ["clientSecret", "password", "api_key", "API-Key", "accessToken", "private.key", "Connection String"]
        {
            assert!(is_sensitive(name), "{name}");
        }
    }

    #[test]
    fn names_about_a_secret_are_exempt() {
        for name in [
            "tokenUrl",
            "tokenType",
            "tokenExpiry",
            "apiKeyHeaderName",
            "passwordPolicy",
            "accessKeyId",
            "username",
            "scopes",
        ] {
            assert!(!is_sensitive(name), "{name}");
        }
    }
}
