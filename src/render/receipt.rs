//! The result of an apply: what was done, what was not and why, and the receipt.

use super::invocation::Invocation;
use super::json::{JsonLayout, json};
use super::page::{Span, TextPage, command, faint, plain};
use super::plan_text;
use super::style::{Style, Tone};
use crate::api::Kind;
use crate::apply::{Outcome, Receipt, Report};
use crate::engine::model::canonical::short;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Note, Plan};
use crate::manifest::kustomization::KustomizationChanges;
use crate::report::ranked;
use crate::report::tally::Tally;
use crate::tenant::location::{Calls, LocationError};
use crate::text::count;
use serde_json::{Value, json as value};
use std::fmt::Write;

/// An apply and the plan after it.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    /// The outcome of each action.
    pub report: &'a Report,
    /// The changes of kustomizations, by tenant.
    pub kustomizations: &'a [(String, KustomizationChanges)],
    /// The digests and the remaining plan after reading back, or the reason why that failed.
    pub after: Result<(&'a Receipt, &'a Plan), &'a str>,
    /// The exit code of the command.
    pub exit: u8,
}

impl Applied<'_> {
    /// The result as text for a terminal.
    pub fn text(&self, typed: &Invocation, style: Style) -> String {
        let mut page = TextPage::new(style);
        for (id, outcome) in &self.report.outcomes {
            let (mark, tone) = match outcome {
                Outcome::Done => ("✓", Tone::Good),
                Outcome::Failed(_) => ("✗", Tone::Bad),
                Outcome::HeldBack { .. }
                | Outcome::NotApproved
                | Outcome::Later
                | Outcome::Suspended
                | Outcome::Interrupted => ("–", Tone::Careful),
            };
            let why = why(outcome);
            let why = if why.is_empty() { why } else { format!(": {why}") };
            page.wrap(0, 2, &[Span::new(tone, mark), plain(format!(" {id}{why}"))]);
        }
        for (tenant, error) in &self.report.unsettled {
            page.wrap(0, 2, &[Span::new(Tone::Bad, "✗"), plain(format!(" {}", unsettled(tenant, error)))]);
        }
        kustomizations(&mut page, self.kustomizations);
        for (tenant, Calls { reads, writes }) in &self.report.calls {
            let text = format!(
                "  {tenant}: {} and {} sent",
                count(*reads, "read", "reads"),
                count(*writes, "write", "writes")
            );
            page.wrap(0, 2, &[faint(text)]);
        }
        for finding in self.still_differ() {
            let tenant = finding.tenant.as_deref().unwrap_or_default();
            page.wrap(0, 2, &[Span::new(Tone::Careful, "!"), plain(format!(" {tenant}: {}", finding.text))]);
        }
        page.gap();
        page.wrap(0, 0, &[plain(self.sentence())]);
        let Ok((receipt, after)) = self.after else {
            page.wrap(0, 2, &[plain("Next: "), command(typed.plan())]);
            return page.finish();
        };
        if self.report.done() > 0 {
            let Receipt { plan, declared, live } = receipt;
            page.line(0, &[plain("Receipt:")]);
            for (name, digest) in [("plan", plan), ("declared", declared), ("live", live)] {
                page.line(0, &[plain(format!("  {name:8} {}", short(&digest.to_string())))]);
            }
        }
        for (who, text) in self.still_to_do(after) {
            page.wrap(0, 2, &[plain(format!("  {who}: {text}"))]);
        }
        // Actions that only lack approval are approved directly; for all others the plan shows the obstacle.
        let is_open = |outcome: &Outcome| matches!(outcome, Outcome::NotApproved | Outcome::HeldBack { .. });
        let is_only_open = self.report.undone().all(|(_, outcome)| is_open(outcome));
        let mut asks = false;
        for target in &ranked::targets(after) {
            asks |= plan_text::approve(&mut page, 0, target, typed);
        }
        if !(after.writes_nothing() || asks && is_only_open) {
            page.wrap(0, 2, &[plain("Next: "), command(typed.plan())]);
        }
        for line in left(after) {
            page.wrap(0, 2, &[plain(format!("{line}. See ")), command(typed.plan())]);
        }
        page.finish()
    }

    /// The result as Markdown for a pull request comment.
    pub fn markdown(&self) -> String {
        let mut text = format!("**{}**\n\n", self.sentence());
        for (id, outcome) in self.report.undone() {
            let _ = writeln!(text, "- {}: {}", super::markdown::escape(id), super::markdown::escape(&why(outcome)));
        }
        for (tenant, error) in &self.report.unsettled {
            let _ = writeln!(text, "- {}", super::markdown::escape(&unsettled(tenant, error)));
        }
        for (tenant, changes) in self.kustomizations {
            let _ = writeln!(
                text,
                "- {}",
                super::markdown::escape(&format!("{tenant}/kustomization.yaml: {}", signed(changes).join(", ")))
            );
        }
        for finding in self.still_differ() {
            text.push_str(&super::findings::item(finding));
        }
        if let Ok((Receipt { plan, declared, live }, after)) = self.after {
            for line in left(after) {
                let _ = writeln!(text, "- {}", super::markdown::escape(&line));
            }
            let [plan, declared, live] = [plan, declared, live].map(ToString::to_string);
            let (plan, declared, live) = (short(&plan), short(&declared), short(&live));
            let _ = writeln!(text, "\nReceipt: plan `{plan}`, declared `{declared}`, live `{live}`");
        }
        text
    }

    /// The result as JSON.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let outcomes: Vec<Value> = self
            .report
            .outcomes
            .iter()
            .map(|(id, outcome)| match outcome {
                Outcome::Done => value!({"id": id, "outcome": "done"}),
                other => value!({"id": id, "outcome": word(other), "why": why(other)}),
            })
            .collect();
        let mut applied = match self.after {
            Ok((receipt, after)) => {
                let mut result = value!({
                    "receipt": receipt,
                    "left": after.actions().count(),
                    "counts": after.counts,
                    "exit": self.exit,
                });
                if after.awaits_stage() {
                    result["waiting"] = after.waiting().count().into();
                }
                result
            }
            Err(why) => value!({"receipt": null, "left": null, "exit": self.exit, "why": why}),
        };
        if let Ok((_, after)) = self.after {
            let steps = self.still_to_do(after);
            if !steps.is_empty() {
                applied["manual"] = steps.iter().map(|(who, text)| value!({"who": who, "text": text})).collect();
            }
        }
        applied["schema"] = "stablekey.dev/applied/v1".into();
        applied["outcomes"] = outcomes.into();
        if !self.kustomizations.is_empty() {
            let of = |(tenant, changes): &(String, KustomizationChanges)| value!({"tenant": tenant, "come": changes.come, "go": changes.go});
            applied["kustomizations"] = self.kustomizations.iter().map(of).collect();
        }
        if !self.report.calls.is_empty() {
            let of = |(tenant, calls): &(String, Calls)| value!({"tenant": tenant, "reads": calls.reads, "writes": calls.writes});
            applied["calls"] = self.report.calls.iter().map(of).collect();
        }
        if !self.report.unsettled.is_empty() {
            let unsettled =
                |(tenant, error): &(String, LocationError)| value!({"tenant": tenant, "why": error.to_string()});
            applied["unsettled"] = self.report.unsettled.iter().map(unsettled).collect();
        }
        json(&applied, JsonLayout::Pretty)
    }

    /// The steps that the integrations which were written leave to people: a draft is published, instances are moved.
    fn still_to_do<'p>(&self, after: &'p Plan) -> Vec<(&'p str, &'p str)> {
        let is_done = |tenant: &str, object: &ObjectId| {
            let id = format!("{tenant}/{object}");
            object.kind == Kind::Integration
                && self.report.outcomes.iter().any(|(done, outcome)| *done == id && *outcome == Outcome::Done)
        };
        let notes = after.targets.iter().flat_map(|target| target.notes.iter().map(move |note| (target, note)));
        let steps = notes.filter_map(|(target, note)| match note {
            Note::Manual { object, who, text, .. } if is_done(&target.tenant, object) => Some((*who, text.as_str())),
            _ => None,
        });
        steps.collect()
    }

    /// The findings about kustomizations after the apply.
    fn still_differ(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.after.as_ref().ok().map(|(_, after)| &after.findings);
        findings.into_iter().flatten().filter(|finding| finding.code == Code::KustomizationDiffers)
    }

    fn sentence(&self) -> String {
        let done = self.report.done();
        let undone = self.report.undone().count();
        let (left, waiting) = match self.after {
            Ok((_, after)) => (after.actions().count(), after.waiting().count()),
            Err(why) => return format!("{done} done, {undone} not done. What is left is not known: {why}"),
        };
        let waits = match waiting {
            0 => String::new(),
            many => format!(" {} for an earlier stage.", count(many, "action waits", "actions wait")),
        };
        let sentence = match (undone, left) {
            (0, left) if !self.report.unsettled.is_empty() => {
                format!("{done} done, and not recorded everywhere. Planned again: {left} to do.")
            }
            (0, 0) if waiting > 0 => format!("{done} done. Read back and planned again: no other action is left."),
            (0, 0) => format!("{done} done. Read back and planned again: no action is left."),
            (0, left) => {
                format!("{done} done. Planned again: {left} to do, which the changes themselves or others brought.")
            }
            (undone, left) => format!("{done} done, {undone} not done. Planned again: {left} to do."),
        };
        format!("{sentence}{waits}")
    }
}

/// The changes of kustomizations as text for a terminal.
pub fn kustomizations_text(written: &[(String, KustomizationChanges)], style: Style) -> String {
    let mut page = TextPage::new(style);
    kustomizations(&mut page, written);
    page.finish()
}

fn kustomizations(page: &mut TextPage, written: &[(String, KustomizationChanges)]) {
    /// The maximum number of lines; the file has all.
    const MOST: usize = 12;
    for (tenant, changes) in written {
        page.wrap(0, 2, &[Span::new(Tone::Good, "✓"), plain(format!(" {tenant}/kustomization.yaml"))]);
        let entries = signed(changes);
        entries.iter().take(MOST).for_each(|entry| page.line(4, &[plain(entry)]));
        if let Some(more) = entries.len().checked_sub(MOST).filter(|more| *more > 0) {
            page.line(4, &[faint(format!("… and {more} more"))]);
        }
    }
}

fn signed(changes: &KustomizationChanges) -> Vec<String> {
    let go = changes.go.iter().map(|entry| format!("- {entry}"));
    changes.come.iter().map(|entry| format!("+ {entry}")).chain(go).collect()
}

/// The remaining differences, although every allowed action is done.
fn left(after: &Plan) -> Vec<String> {
    let targets = ranked::targets(after);
    let suspended = targets.iter().flat_map(|t| t.suspended().into_iter().map(|s| (t.target.tenant.as_str(), s)));
    let mut left: Vec<String> = suspended.map(|(tenant, what)| format!("{tenant}: {what}")).collect();
    let waiting = targets.iter().flat_map(|t| t.stages().into_iter().map(|s| (t.target.tenant.as_str(), s)));
    left.extend(waiting.map(|(tenant, what)| format!("{tenant}: {what}")));
    if after.is_empty() {
        // Overridden values and manual steps are not differences.
        let tally = Tally { manual: 0, overridden: 0, suspended: 0, ..Tally::of_plan(after, &targets) };
        let sentence = tally.sentence();
        left.extend((!sentence.is_empty()).then(|| format!("Not applied: {sentence}")));
    }
    left
}

fn unsettled(tenant: &str, error: &LocationError) -> String {
    format!("{tenant}: what was done there is done, but could not be recorded: {error}")
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Failed(_) => "failed",
        Outcome::HeldBack { .. } => "heldBack",
        Outcome::NotApproved => "notApproved",
        Outcome::Later => "later",
        Outcome::Suspended => "suspended",
        Outcome::Interrupted => "interrupted",
    }
}

fn why(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => String::new(),
        Outcome::Failed(error) => error.to_string(),
        Outcome::HeldBack { by } => format!("waits for {by}"),
        Outcome::NotApproved => "not approved".to_string(),
        Outcome::Later => "not yet".to_string(),
        Outcome::Suspended => "its tenant is suspended".to_string(),
        Outcome::Interrupted => "interrupted before it".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "A full disk still reports what was done": also if it can be neither recorded nor read back.
    #[test]
    fn what_was_done_is_reported_after_any_failure() {
        let full = LocationError::Failed { what: "eu/stablekey.lock".into(), why: "No space left on device".into() };
        let outcomes = vec![
            ("eu/Connection/a".to_string(), Outcome::Done),
            ("eu/Connection/b".to_string(), Outcome::Failed(full.clone())),
        ];
        let report = Report { outcomes, unsettled: vec![("eu".to_string(), full)], calls: Vec::new() };
        let applied = Applied { report: &report, kustomizations: &[], after: Err("root is no folder"), exit: 1 };
        let text = applied.text(&Invocation::default(), Style { width: 1_000, ..Style::default() });
        for expected in [
            "✓ eu/Connection/a\n",
            "✗ eu/Connection/b: eu/stablekey.lock: No space left on device\n",
            "✗ eu: what was done there is done, but could not be recorded: eu/stablekey.lock: No space left on device\n",
            "1 done, 1 not done. What is left is not known: root is no folder\n",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(applied.markdown().contains("could not be recorded"));
        let json: Value = serde_json::from_str(&applied.json().unwrap()).unwrap();
        assert_eq!(json["exit"], 1);
        assert_eq!(json["outcomes"].as_array().map(Vec::len), Some(2));
        assert_eq!(json["unsettled"][0]["tenant"], "eu");
    }
}
