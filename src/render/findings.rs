//! Findings of the checks: as text, Markdown and JSON (by [`super::json::json`]).

use super::markdown::{self, Comment, escape as md};
use super::page::{Span, TextPage, command, faint, heading, plain, strong};
use super::style::{Style, Tone};
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::text::{count, thousands};
use serde::Serialize;
use std::collections::BTreeMap;

/// The maximum number of findings with the same code in one list; JSON has all.
const MOST_OF_A_CODE: usize = 10;

/// The output of `validate` if everything could be read.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings<'a> {
    /// The schema `stablekey.dev/findings/v1`.
    pub schema: &'static str,
    /// The findings, worst first.
    pub findings: &'a [Finding],
    /// The number of Stablekey's documents that were read.
    pub documents: usize,
    /// The number of skipped documents of other kinds.
    pub other_kinds: usize,
    /// The number of errors that were shown with their lines before.
    #[serde(skip)]
    pub shown_above: usize,
}

impl<'a> Findings<'a> {
    /// Builds the output from findings, sorted worst first.
    pub fn new(findings: &'a [Finding], documents: usize, other_kinds: usize) -> Self {
        Findings { schema: "stablekey.dev/findings/v1", findings, documents, other_kinds, shown_above: 0 }
    }

    /// The findings as text for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = TextPage::new(style);
        by_tenant(&mut page, 0, self.findings);
        page.gap();
        let tone =
            if self.number(Severity::Error) + self.number(Severity::Unreached) > 0 { Tone::Bad } else { Tone::Good };
        let nothing = self.documents == 0 && tone == Tone::Good;
        let tone = if nothing { Tone::Careful } else { tone };
        // If no document was read, nothing is known to be valid.
        let mark = if nothing {
            "! "
        } else if tone == Tone::Good {
            "✓ "
        } else {
            "✗ "
        };
        page.wrap(0, 2, &[Span::new(tone, mark), plain(self.sentence())]);
        page.finish()
    }

    /// The findings as Markdown for a pull request comment.
    pub fn markdown(&self) -> String {
        let mut comment = Comment::new(format!("\n{}\n", self.sentence()), "stablekey validate");
        comment.add("## Stablekey: validate\n\n");
        comment.section("", &self.findings.iter().map(item).collect::<Vec<_>>(), "");
        comment.finish()
    }

    fn number(&self, severity: Severity) -> usize {
        let above = if severity == Severity::Error { self.shown_above } else { 0 };
        self.findings.iter().filter(|f| f.severity == severity).count() + above
    }

    fn sentence(&self) -> String {
        let documents = count(self.documents, "document", "documents");
        let passed = match self.other_kinds {
            0 => String::new(),
            other => format!("; {} of other kinds passed over", thousands(other)),
        };
        let parts: Vec<String> = [
            (Severity::Error, "error", "errors"),
            (Severity::Unreached, "unresolved", "unresolved"),
            (Severity::Warning, "warning", "warnings"),
        ]
        .into_iter()
        .map(|(severity, one, many)| (self.number(severity), one, many))
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, many)| count(number, one, many))
        .collect();
        match parts.is_empty() {
            true => format!("{documents} valid{passed}"),
            false => format!("{documents} read: {}{passed}", parts.join(", ")),
        }
    }
}

/// Adds findings to the page, grouped by tenant, in the given order.
pub(super) fn by_tenant(page: &mut TextPage, indent: usize, findings: &[Finding]) {
    let mut tenants: Vec<(Option<&str>, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        let tenant = finding.tenant.as_deref();
        match tenants.iter_mut().find(|(t, _)| *t == tenant) {
            Some((_, findings)) => findings.push(finding),
            None => tenants.push((tenant, vec![finding])),
        }
    }
    for (tenant, findings) in tenants {
        page.gap();
        page.line(indent, &[heading(tenant.unwrap_or("all tenants"))]);
        list(page, indent + 2, &findings);
    }
}

/// Adds findings of one tenant to the page. Those that repeat a problem of a file that was shown are only counted.
pub(super) fn list(page: &mut TextPage, indent: usize, findings: &[&Finding]) {
    let mut of_code: BTreeMap<Code, usize> = BTreeMap::new();
    // A warning is of something else than the file: it says what a broken sync means for a tenant.
    let is_of_file = |f: &&&Finding| f.severity == Severity::Error && f.code.is_of_reading() && f.at.is_some();
    let is_seen = |f: &&&Finding| page.problems_are_seen() && is_of_file(f);
    let (seen, findings): (Vec<&&Finding>, Vec<&&Finding>) = findings.iter().partition(is_seen);
    if !seen.is_empty() {
        let errors = format!("✗ {}", count(seen.len(), "error", "errors"));
        page.wrap(indent, indent + 4, &[Span::new(Tone::Bad, errors), plain(" in files, shown above")]);
    }
    for finding in findings {
        let seen = of_code.entry(finding.code).or_default();
        *seen += 1;
        if *seen <= MOST_OF_A_CODE {
            one(page, indent, finding);
        }
    }
    for (code, seen) in of_code {
        if let Some(more) = seen.checked_sub(MOST_OF_A_CODE).filter(|more| *more > 0) {
            let text =
                format!("… and {} more {code} ({}); --output json lists them all", thousands(more), code.title());
            page.wrap(indent, indent + 4, &[faint(text)]);
        }
    }
}

fn one(page: &mut TextPage, indent: usize, finding: &Finding) {
    let (word, tone) = match finding.severity {
        Severity::Error => ("✗ error", Tone::Bad),
        Severity::Unreached => ("✗ unresolved", Tone::Bad),
        Severity::Warning => ("! warning", Tone::Careful),
    };
    let mut head = vec![Span::new(tone, word)];
    if let Some(object) = &finding.object {
        head.extend([plain("  "), strong(object.to_string())]);
    }
    head.push(faint(format!("  {}", finding.code)));
    head.extend(finding.at.as_ref().map(|at| faint(format!("  {at}"))));
    page.wrap(indent, indent + 4, &head);
    page.wrap(indent + 4, indent + 4, &[plain(&finding.text)]);
    if !finding.fix.is_empty() {
        page.wrap(indent + 4, indent + 6, &[plain(format!("→ {}", finding.fix))]);
    }
    commands(page, indent + 6, &finding.commands);
}

/// Adds the commands that make an edit, each on a line of its own, so that it can be pasted.
pub(super) fn commands(page: &mut TextPage, indent: usize, commands: &[EditCommand]) {
    commands.iter().for_each(|edit| page.line(indent, &[command(edit.to_string())]));
}

/// The commands that make an edit, as blocks below an item of a list.
pub(super) fn commands_as_markdown(commands: &[EditCommand]) -> String {
    let block = |edit: &EditCommand| markdown::command(&edit.to_string()).trim_end().replace('\n', "\n  ");
    commands.iter().map(|edit| format!("\n\n  {}", block(edit))).collect()
}

/// Formats one finding as an item of a Markdown list.
pub(super) fn item(finding: &Finding) -> String {
    let word = match finding.severity {
        Severity::Error => "❌",
        Severity::Unreached => "⛔",
        Severity::Warning => "⚠️",
    };
    let subject: Vec<String> =
        finding.tenant.iter().map(|t| md(t)).chain(finding.object.iter().map(|o| md(&o.to_string()))).collect();
    let at = finding.at.as_ref().map(|at| format!(" ({})", md(&at.to_string()))).unwrap_or_default();
    let fix = if finding.fix.is_empty() { String::new() } else { format!("<br>→ {}", md(&finding.fix)) };
    let subject = if subject.is_empty() { String::new() } else { format!(" **{}**", subject.join(" ")) };
    let commands = commands_as_markdown(&finding.commands);
    format!("- {word} {}{subject}{at}: {}{fix}{commands}\n", finding.code, md(&finding.text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;
    use crate::engine::model::finding::At;
    use crate::engine::model::item::ObjectId;

    /// On a terminal the problems of files are above: only they are not repeated.
    #[test]
    fn a_warning_about_what_cannot_be_read_is_shown_beside_the_problems_of_files() {
        let of = |severity: Severity, text: &str| {
            let id = ObjectId::new(Kind::TenantSync, "s");
            let at = Some(At { file: "syncs.yaml".to_string(), line: 1 });
            Finding { at, ..Finding::of(Code::ObjectInvalid, "eu", id, text, "correct it").of_severity(severity) }
        };
        let findings = [of(Severity::Error, "its document is wrong"), of(Severity::Warning, "what it does is unknown")];
        let mut page = TextPage::new(Style { problems_seen: true, ..Style::default() });
        list(&mut page, 0, &findings.iter().collect::<Vec<_>>());
        let text = page.finish();
        assert!(text.contains("✗ 1 error in files, shown above") && !text.contains("document is wrong"), "{text}");
        assert!(text.contains("what it does is unknown"), "{text}");
    }
}
