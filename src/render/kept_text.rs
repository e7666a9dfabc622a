//! Approvals of a plan that an unfinished apply left.

use super::invocation::Invocation;
use super::page::{TextPage, faint, heading, plain, strong};
use super::plan_text::need_others;
use super::style::Style;
use crate::apply::consent::StoredApproval;
use crate::engine::model::plan::{Action, Plan};
use crate::text::{count, thousands};

/// The approvals that still cover a part of a plan, by tenant; `None` without any.
pub fn kept_text(
    plan: &Plan,
    kept: &[(&str, Vec<StoredApproval>)],
    typed: &Invocation,
    style: Style,
) -> Option<String> {
    let mut page = TextPage::new(style);
    let mut any = false;
    for target in &plan.targets {
        let of_target = kept.iter().filter(|(tenant, _)| *tenant == target.tenant).flat_map(|(_, kept)| kept);
        for kept in of_target {
            let is_theirs = |action: &&Action| action.writers.iter().any(|w| kept.of.contains(&w.to_string()));
            let covers = |action: &&Action| kept.covers.contains(&action.digest.to_string());
            let (approved, new): (Vec<&Action>, Vec<&Action>) =
                target.actions.iter().filter(|action| is_theirs(action) || covers(action)).partition(covers);
            let Some(digest) = kept.given.first().filter(|_| !approved.is_empty()) else { continue };
            if !any {
                page.line(0, &[heading("Approved before, in an apply that did not finish")]);
                any = true;
            }
            let writers: Vec<&str> = kept.of.iter().map(String::as_str).collect();
            let actions = count(approved.len(), "action", "actions");
            let head = [strong(&target.tenant), plain(format!("  {actions} of {}", writers.join(" and ")))];
            page.wrap(2, 4, &head);
            if new.is_empty() {
                page.wrap(4, 6, &[faint("to finish them, no new approval is needed:")]);
                page.line(6, &[strong(typed.approve(digest, need_others(&approved)))]);
            } else {
                let (new, are) = (thousands(new.len()), if new.len() == 1 { "action is" } else { "actions are" });
                page.wrap(4, 6, &[faint(format!("{new} {are} new since then: approve the plan again"))]);
            }
        }
    }
    any.then(|| page.finish())
}
