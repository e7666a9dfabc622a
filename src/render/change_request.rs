//! The text of a pull request that Stablekey opens.

use super::change_report::ChangeReport;
use super::markdown::{LIMIT, escape};

/// A change, with what a person should know about it.
pub struct ChangeRequest<'a> {
    pub report: &'a ChangeReport,
    pub notes: &'a [String],
    /// What only people can do.
    pub steps: &'a [String],
}

impl ChangeRequest<'_> {
    /// The text, at most 65,536 characters long. `whole` is the command that shows what does not fit.
    pub fn text(&self, whole: &str) -> String {
        let mut text = self.report.markdown("", whole, true);
        let notes = self.notes.iter().map(|note| format!("- {}\n", escape(note)));
        let steps = self.steps.iter().map(|step| format!("- [ ] {}\n", escape(step)));
        let mut left = LIMIT.saturating_sub(text.chars().count());
        for (title, lines) in
            [("\n**Steps for people**\n\n", steps.collect::<Vec<_>>()), ("\n**Notes**\n\n", notes.collect())]
        {
            let section = lines.iter().fold(title.to_string(), |section, line| section + line);
            let length = section.chars().count();
            if !lines.is_empty() && length <= left {
                text.push_str(&section);
                left -= length;
            }
        }
        text
    }
}
