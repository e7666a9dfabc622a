//! Classifies texts: placeholders, URLs, secrets.

/// Whether a value is only a placeholder. A closed list, so that no real value is lost: `REDACTED`, `TODO`, `changeme`,
/// `xxx…`, `***…`, `REPLACE-ME`, `<anything>`, `your-…`, `Add your … here`.
pub fn is_placeholder(value: &str) -> bool {
    let folded: String =
        value.trim().chars().filter(|c| !matches!(c, '-' | '_' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    let only = |c: char| folded.len() >= 3 && folded.chars().all(|other| other == c);
    matches!(
        folded.as_str(),
        "redacted" | "todo" | "tbd" | "changeme" | "replaceme" | "placeholder" | "replacethistext"
    ) || only('x')
        || only('*')
        || (folded.starts_with('<') && folded.ends_with('>'))
        || (value.trim().to_ascii_lowercase().starts_with("your") && value.trim()[4..].starts_with(['-', '_', ' ']))
        || (folded.starts_with("addyour") && folded.ends_with("here"))
}

/// Whether a key is a UUID.
pub(super) fn is_uuid(key: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    key.split('-').count() == lengths.len()
        && key
            .split('-')
            .zip(lengths)
            .all(|(part, length)| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a template is a single expression: it refers to a value and contains none.
pub(super) fn is_one_expression(value: &str) -> bool {
    let inner = value.trim().strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
    inner.is_some_and(|inner| !inner.contains(['{', '}', '"', '\'']))
}

/// Whether a name is that of a header whose value is a credential, although no list of secret names has it.
pub(super) fn is_secret_header(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie"].iter().any(|header| name.eq_ignore_ascii_case(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_a_closed_list() {
        for placeholder in [
            "REDACTED",
            "<client id>",
            "xxx",
            "XXXX-XXXX",
            "changeme",
            "change-me",
            "your-secret",
            "Your API key",
            "TODO",
            "Add your host here",
            "***",
            "REPLACE-ME",
        ] {
            assert!(is_placeholder(placeholder), "{placeholder}");
        }
        for value in ["", "xx", "s3cr3t", "yours", "https://example.com", "todo list", "ÿ", "yourä"] {
            assert!(!is_placeholder(value), "{value}");
        }
    }

    #[test]
    fn uuids_and_expressions() {
        assert!(is_uuid("28471cca-f691-4660-9cf1-de4d254ae2ec") && !is_uuid("helloWorldComponent"));
        assert!(is_one_expression("{{ configVars.key }}") && !is_one_expression("Bearer {{x}}"));
        assert!(!is_one_expression("{{ x || \"s3cr3t\" }}"));
    }
}
