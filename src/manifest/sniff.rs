//! Telling documents of other kinds by their text alone, so that they cost nothing.

use crate::api::GROUP;

/// Whether the document is surely none of ours and no list that could hold ours. `false` where only
/// parsing can tell.
///
/// Sure is: every line at the left edge is plain (so that the outermost map stands there, unquoted),
/// and exactly one of them is `apiVersion:`, of another group.
pub fn is_foreign(text: &str) -> bool {
    let mut api_version = None;
    let mut is_list = false;
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
                    is_list |= value.trim().ends_with("List");
                }
            }
            _ => return false,
        }
    }
    api_version.is_some_and(|value| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'/');
        let group = value.split('/').next().unwrap_or("");
        !value.is_empty() && value.bytes().all(plain) && group != GROUP && !(is_list && value == "v1")
    })
}

/// How much of a file tells whether it is a plan.
pub const HEAD: u64 = 256;

/// Whether a file begins as the JSON of a plan does: its keys are sorted.
pub fn is_plan(head: &[u8]) -> bool {
    let plain: Vec<u8> = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    plain.starts_with(br#"{"counts":{"adopt":"#)
}

#[cfg(test)]
mod tests {
    use super::is_foreign;

    #[test]
    fn other_kinds_are_told_by_their_text() {
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
        ] {
            assert!(!is_foreign(text), "{text}");
        }
    }
}
