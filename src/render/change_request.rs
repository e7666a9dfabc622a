//! The text of a pull request that Stablekey opens.

use super::change_report::ChangeReport;
use super::markdown::{LIMIT, escape, fence};

/// A change, with what a person should know about it.
pub struct ChangeRequest<'a> {
    pub report: &'a ChangeReport,
    /// What a merge approves.
    pub approvals: &'a [String],
    pub notes: &'a [String],
    /// What only people can do.
    pub steps: &'a [String],
}

impl ChangeRequest<'_> {
    /// The text, at most 65,536 characters long. `whole` is the command that shows what does not fit.
    pub fn text(&self, whole: &str) -> String {
        let report = self.report.markdown("", whole, true);
        let mut left = LIMIT.saturating_sub(report.chars().count());
        let mut section = |title: &str, mark: &str, items: &[String]| {
            let items: Vec<String> = items.iter().map(|text| item(mark, text)).collect();
            let section = format!("{title}\n\n{}", items.concat());
            let length = section.chars().count() + 1;
            if items.is_empty() || length > left {
                return String::new();
            }
            left -= length;
            section
        };
        // What a merge decides is read first.
        let approvals = section("**⚠️ A merge approves:**", "", self.approvals);
        let gap = if approvals.is_empty() { "" } else { "\n" };
        let steps = section("\n**Steps for people**", "[ ] ", self.steps);
        let notes = section("\n**Notes**", "", self.notes);
        format!("{approvals}{gap}{report}{steps}{notes}")
    }
}

/// An item of a list. The lines after the first are commands to copy.
fn item(mark: &str, text: &str) -> String {
    let (first, commands) = text.split_once('\n').unwrap_or((text, ""));
    let head = format!("- {mark}{}\n", escape(first));
    if commands.is_empty() {
        return head;
    }
    let commands: Vec<String> = commands.lines().map(str::to_string).collect();
    let block: String = fence("sh", &commands).lines().map(|line| format!("  {line}\n")).collect();
    format!("{head}\n{block}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_in_a_block_of_their_item() {
        assert_eq!(item("[ ] ", "look"), "- [ ] look\n");
        assert_eq!(
            item("[ ] ", "create it:\nkubectl create x\nkubectl label x a=`b`"),
            "- [ ] create it:\n\n  ```sh\n  kubectl create x\n  kubectl label x a=`b`\n  ```\n\n"
        );
    }
}
