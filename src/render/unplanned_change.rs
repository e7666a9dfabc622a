//! What stands in the comment of a change that could not be planned: an earlier report would be taken for the change's.

use super::change_report::{LARGEST_REPORT, fork_warning};
use super::json::JsonLayout;
use super::markdown::escape as md;
use crate::text::shorten;
use serde::{Deserialize, Serialize};

/// The schema of its JSON.
const SCHEMA: &str = "stablekey.dev/unplanned-change/v1";
/// The most characters of a text.
const LONGEST: usize = 1_000;
/// The most problems that are shown.
const MOST: usize = 20;

/// Why a change could not be planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnplannedChange {
    schema: String,
    message: String,
    help: String,
    /// Problems of files, which may be the cause.
    problems: Vec<String>,
}

impl UnplannedChange {
    /// What is wrong, what to do, and the problems of files.
    pub fn new(message: &str, help: &str, problems: Vec<String>) -> Self {
        UnplannedChange { schema: SCHEMA.to_string(), message: message.to_string(), help: help.to_string(), problems }
    }

    /// Reads a stored one, whoever wrote it; `None` if it is something else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let is_small = u64::try_from(bytes.len()).is_ok_and(|size| size <= LARGEST_REPORT);
        let parsed: Option<Self> = is_small.then(|| serde_json::from_slice(bytes).ok()).flatten();
        parsed.filter(|parsed| parsed.schema == SCHEMA)
    }

    /// It as JSON.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        super::json::json(self, JsonLayout::Pretty)
    }

    /// The comment. One that somebody else may have written says so.
    pub fn markdown(&self, marker: &str, is_own: bool) -> String {
        let text = |text: &str| md(&shorten(text, LONGEST));
        let problems = self.problems.iter().take(MOST).map(|problem| format!("- {}\n", text(problem)));
        let problems: String = problems.collect();
        let warning = if is_own { String::new() } else { format!("{}\n", fork_warning()) };
        format!(
            "{marker}\n## Stablekey: what this change does\n\n{warning}❌ **It could not be planned:** {}\n\n→ {}\n\n{problems}",
            text(&self.message),
            text(&self.help),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stored_and_read_again_as_text_only() {
        let change = UnplannedChange::new("@all conflicts in <b>", "merge main\nthere", vec!["x".repeat(2_000); 30]);
        let stored = change.json().unwrap();
        assert_eq!(UnplannedChange::parse(stored.as_bytes()).as_ref(), Some(&change));
        for other in ["{}", "[]", &stored.replace("unplanned-change/v1", "unplanned-change/v2")] {
            assert_eq!(UnplannedChange::parse(other.as_bytes()), None, "{other}");
        }
        let comment = change.markdown("<!-- marker -->", true);
        assert!(comment.starts_with("<!-- marker -->\n## ") && comment.contains("could not be planned"), "{comment}");
        assert!(!comment.contains("@all") && !comment.contains("<b>") && comment.chars().count() < 30_000, "{comment}");
        assert!(!comment.contains("anybody"));
        assert!(change.markdown("", false).contains("anybody could have written"));
    }
}
