//! Recognizes documents of other kinds by their text, without parsing.

use crate::api::{GROUP, Kind};
use strsim::osa_distance;

/// The maximum edit distance of a misspelt group.
const NEAR: usize = 2;

/// Whether an apiVersion is a misspelling of Stablekey's: its group in another case or with a letter or two changed, or
/// no group with one of Stablekey's kinds.
pub(super) fn is_nearly_ours(version: &str, kind: Option<&str>) -> bool {
    match version.split_once('/') {
        Some((GROUP, _)) => false,
        // A shortened group or another suffix, with one of Stablekey's kinds: `stablekey/v1alpha1`, `stablekey.io/v1`.
        Some((group, _)) => {
            let is_ours = || group.split('.').next().is_some_and(|first| first.eq_ignore_ascii_case("stablekey"));
            is_near(group) || kind.is_some_and(|kind| Kind::parse(kind).is_some()) && is_ours()
        }
        None => is_near(version) || kind.is_some_and(|kind| Kind::parse(kind).is_some()),
    }
}

fn is_near(group: &str) -> bool {
    group.len().abs_diff(GROUP.len()) <= NEAR && osa_distance(&group.to_ascii_lowercase(), GROUP) <= NEAR
}

/// Whether the name of Stablekey's group occurs in a file that is not UTF-8 text.
pub(super) fn names_us(bytes: &[u8]) -> bool {
    let wide: Vec<u8>;
    // UTF-16 has a zero beside each ASCII letter.
    let bytes = if bytes.contains(&0) {
        wide = bytes.iter().copied().filter(|byte| *byte != 0).collect();
        &wide
    } else {
        bytes
    };
    bytes.windows(GROUP.len()).any(|window| window.eq_ignore_ascii_case(GROUP.as_bytes()))
}

/// Whether a document that cannot be parsed may be one of Stablekey's: its group occurs in it, or one of its kinds
/// without another group's apiVersion above.
pub(super) fn could_be_ours(text: &str) -> bool {
    if names_us(text.as_bytes()) {
        return true;
    }
    let mut other_group = false;
    for line in text.lines().map(|line| line.trim_start_matches(['\u{feff}', ' ', '\t', '-', '{'])) {
        let value = |key: &str| {
            let rest = line.trim_start_matches(['"', '\'']).strip_prefix(key)?.trim_start_matches(['"', '\'']);
            Some(rest.trim_start().strip_prefix(':')?.trim().trim_matches(['"', '\'', ',', '}']))
        };
        if let Some(version) = value("apiVersion") {
            other_group |= !is_nearly_ours(version, None);
        } else if value("kind").is_some_and(|kind| Kind::parse(kind).is_some()) && !other_group {
            return true;
        }
    }
    false
}

/// Whether the document is certainly neither one of Stablekey's nor a list that could contain some. `false` if only
/// parsing can decide.
///
/// It is certain if every unindented line is plain (so that the outermost map begins there, unquoted), and exactly one
/// of them is `apiVersion:`, with another group, beside a kind.
pub(super) fn is_foreign(text: &str) -> bool {
    let mut api_version = None;
    let mut kind = None;
    let mut is_list = false;
    // A text with the group's name may contain Stablekey's resources.
    if names_us(text.as_bytes()) {
        return false;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in text.split(['\n', '\r']).enumerate() {
        match line.as_bytes().first() {
            None | Some(b' ' | b'\t' | b'#') => {}
            Some(b'-') if number == 0 && line.trim_end() == "---" => {}
            Some(b'-') => {
                if line.starts_with("---") || api_version.is_none() && !is_list {
                    return false;
                }
            }
            Some(byte) if byte.is_ascii_alphabetic() => {
                if let Some(value) = line.strip_prefix("apiVersion:") {
                    if api_version.replace(value.trim()).is_some() {
                        return false;
                    }
                } else if let Some(value) = line.strip_prefix("kind:") {
                    kind = Some(value.trim());
                    is_list |= value.trim().ends_with("List");
                }
            }
            _ => return false,
        }
    }
    // Half a document may have an apiVersion without a kind.
    let has_kind = kind.is_some_and(|kind| kind.bytes().next().is_some_and(|b| b.is_ascii_alphabetic()));
    has_kind
        && api_version.is_some_and(|value| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'/');
            let group = value.split('/').next().unwrap_or("");
            !value.is_empty()
                && value.bytes().all(plain)
                && group != GROUP
                && !is_nearly_ours(value, kind)
                && !(is_list && value == "v1")
        })
}

/// The number of bytes that identify a plan.
pub(super) const HEAD: u64 = 256;

/// Whether a file begins as the JSON of a plan does: its keys are sorted.
pub(super) fn is_plan(head: &[u8]) -> bool {
    let plain: Vec<u8> = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    plain.starts_with(br#"{"counts":{"adopt":"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_kinds_are_recognized_by_their_text() {
        for text in [
            "apiVersion: v1\nkind: Secret\n",
            "---\n# c\nkind: Deployment\napiVersion: apps/v1\nspec:\n- a\n",
            "\u{feff}apiVersion: v1\r\nkind: Secret\r\n",
        ] {
            assert!(is_foreign(text), "{text}");
        }
    }

    #[test]
    fn what_could_be_ours_is_parsed() {
        for text in [
            "apiVersion: stablekey.dev/v1alpha1\n",
            "apiVersion: stablekey.dev/v2\n",
            "apiVersion: v1\nkind: List\nitems:\n- a\n",
            "apiVersion: v1\nkind: Lst\nitems:\n- apiVersion: stablekey.dev/v1alpha1\n",
            "{apiVersion: v1}",
            "\"apiVersion\": v1\n",
            "  apiVersion: v1\n",
            "x: \"\napiVersion: v1\n\"\n",
            "apiVersion: v1\napiVersion: stablekey.dev/v1alpha1\n",
            "apiVersion: &a v1\n",
            "apiVersion: v1 # c\n",
            "--- {a: b}\napiVersion: v1\n",
            "a: b\n",
            "",
            // "A group is nearly ours if it is ours in another case or at most two letters away, or missing
            // with one of our kinds."
            "apiVersion: stabelkey.dev/v1alpha1\nkind: Integration\n",
            "apiVersion: Stablekey.dev/v1alpha1\n",
            "apiVersion: v1alpha1\nkind: Connection\n",
        ] {
            assert!(!is_foreign(text), "{text}");
        }
    }

    #[test]
    fn a_group_within_two_letters_is_nearly_ours() {
        for version in ["stabelkey.dev/v1alpha1", "STABLEKEY.DEV/v1alpha1", "stablekeys.dev/v1", "stablekey.de/v1"] {
            assert!(is_nearly_ours(version, Some("Deployment")), "{version}");
        }
        for version in ["stablekey.dev/v1alpha1", "stablekey.dev/v2", "apps/v1", "stable.example.dev/v1"] {
            assert!(!is_nearly_ours(version, Some("Connection")), "{version}");
        }
        assert!(is_nearly_ours("v1alpha1", Some("Connection")) && is_nearly_ours("stablekey.dev", None));
        assert!(is_nearly_ours("v1", Some("Integration")) && is_nearly_ours("stablekey/v1alpha1", Some("Connection")));
        assert!(!is_nearly_ours("stablekeys.example/v1", Some("Deployment")));
        assert!(!is_nearly_ours("v1", Some("Secret")) && !is_nearly_ours("v2", Some("Thing")));
    }

    /// "Outside tenants' folders only an unparsable file in which `stablekey.dev` occurs (or a `kind:` of ours
    /// with no other group's apiVersion above it) counts."
    #[test]
    fn of_what_cannot_be_parsed_only_what_may_be_ours_counts() {
        for text in
            ["a: [\n# stablekey.dev\n", "kind: Tenant\na: [", "{\"kind\": \"Connection\", ", "a: {\n  kind: TenantSync"]
        {
            assert!(could_be_ours(text), "{text}");
        }
        for text in
            ["{{- range }}\nkind: Deployment\n", "apiVersion: backstage.io/v1alpha1\nkind: Component\na: [", "a: [", ""]
        {
            assert!(!could_be_ours(text), "{text}");
        }
        assert!(names_us(&"x stablekey.dev/v1".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()));
    }
}
