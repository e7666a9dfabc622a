//! What came of an apply: what was done, what was not and why, and the proof.

use super::escape::line;
use super::invocation::Invocation;
use super::json::{Layout, json};
use super::ranked;
use super::style::Style;
use super::tally::Tally;
use crate::apply::{Outcome, Receipt, Report};
use crate::engine::plan::Plan;
use serde_json::{Value, json as value};
use std::fmt::Write;

/// An apply and the plan after it.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    /// What became of each action.
    pub report: &'a Report,
    /// The digests.
    pub receipt: &'a Receipt,
    /// What is left.
    pub after: &'a Plan,
}

impl Applied<'_> {
    /// For a terminal.
    pub fn text(&self, typed: &Invocation, _style: Style) -> String {
        let mut text = String::new();
        for (id, outcome) in &self.report.outcomes {
            let (mark, why) = match outcome {
                Outcome::Done => ("✓", String::new()),
                Outcome::Failed(error) => ("✗", format!(": {error}")),
                Outcome::HeldBack { by } => ("–", format!(": waits for {by}")),
                Outcome::NotApproved => ("–", ": needs approval".to_string()),
                Outcome::Suspended => ("–", ": its tenant is suspended".to_string()),
                Outcome::Interrupted => ("–", ": interrupted before it".to_string()),
            };
            let _ = writeln!(text, "{mark} {}", line(&format!("{id}{why}")));
        }
        let _ = writeln!(text, "\n{}", self.sentence());
        if self.report.done() > 0 {
            let Receipt { plan, declared, live } = self.receipt;
            let _ = writeln!(text, "Receipt: plan {plan}\n         declared {declared}\n         live {live}");
        }
        if !self.after.writes_nothing() {
            let _ = writeln!(text, "Next: {}", typed.plan());
        }
        for line in self.left() {
            let _ = writeln!(text, "{line}. See {}", typed.plan());
        }
        text
    }

    /// What is as it is, and not as it is declared, although everything is done that may be.
    fn left(&self) -> Vec<String> {
        let targets = ranked::targets(self.after);
        let suspended = targets.iter().flat_map(|t| t.suspended().into_iter().map(|s| (t.target.tenant.as_str(), s)));
        let mut left: Vec<String> =
            suspended.map(|(tenant, what)| line(&format!("{tenant}: {what}")).into_owned()).collect();
        if self.after.is_empty() {
            // What is decided, and what people do by hand, is no difference.
            let tally = Tally { by_hand: 0, overridden: 0, suspended: 0, ..Tally::of_plan(self.after, &targets) };
            let sentence = tally.sentence();
            left.extend((!sentence.is_empty()).then(|| format!("What no action can do: {sentence}")));
        }
        left
    }

    /// For a pull-request comment.
    pub fn markdown(&self) -> String {
        let mut text = format!("**{}**\n\n", self.sentence());
        for (id, outcome) in self.report.undone() {
            let _ = writeln!(text, "- {}: {}", super::markdown::escape(id), super::markdown::escape(&why(outcome)));
        }
        for line in self.left() {
            let _ = writeln!(text, "- {}", super::markdown::escape(&line));
        }
        let Receipt { plan, declared, live } = self.receipt;
        let _ = writeln!(text, "\nReceipt: plan `{plan}`, declared `{declared}`, live `{live}`");
        text
    }

    /// For programs.
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
        let applied = value!({
            "schema": "stablekey.dev/applied/v1",
            "outcomes": outcomes,
            "receipt": self.receipt,
            "left": self.after.actions().count(),
            "counts": self.after.counts,
            "exit": self.after.exit_of_apply(),
        });
        json(&applied, Layout::Pretty)
    }

    fn sentence(&self) -> String {
        let done = self.report.done();
        let undone = self.report.undone().count();
        let left = self.after.actions().count();
        match (undone, left) {
            (0, 0) => format!("{done} done. Read back and planned again: no action is left."),
            (0, left) => {
                format!("{done} done. Planned again: {left} to do, which the changes themselves or others brought.")
            }
            (undone, left) => format!("{done} done, {undone} not done. Planned again: {left} to do."),
        }
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Failed(_) => "failed",
        Outcome::HeldBack { .. } => "heldBack",
        Outcome::NotApproved => "notApproved",
        Outcome::Suspended => "suspended",
        Outcome::Interrupted => "interrupted",
    }
}

fn why(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => String::new(),
        Outcome::Failed(error) => error.to_string(),
        Outcome::HeldBack { by } => format!("waits for {by}"),
        Outcome::NotApproved => "needs approval".to_string(),
        Outcome::Suspended => "its tenant is suspended".to_string(),
        Outcome::Interrupted => "interrupted before it".to_string(),
    }
}
