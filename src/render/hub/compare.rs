//! Compares a plan that waits in a hub with the same plan, made again with a person's own contexts.

use super::kept::{KeptAction, KeptPlan, Selector};
use crate::render::page::{Span, TextPage, faint, plain, strong};
use crate::render::style::Tone;
use crate::render::waiting_plan::WaitingPlan;
use std::collections::{BTreeMap, BTreeSet};

/// The differences between two plans of one sync for one target.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The reason why there is no plan to compare with.
    pub unread: Option<String>,
    /// Whether both plans have the same digest.
    pub is_same: bool,
    only_hub: Vec<KeptAction>,
    only_own: Vec<KeptAction>,
    /// Whether the hub stores only a part of its actions.
    is_cut: bool,
}

impl Comparison {
    /// The result if the second plan could not be made.
    pub fn unread(why: String) -> Self {
        Comparison { unread: Some(why), ..Comparison::default() }
    }

    /// Compares the plan that waits in a hub, if any, with the person's own plan as JSON and its digest, if it has
    /// actions.
    pub fn of(
        (kept, hub_digest): (Option<&WaitingPlan>, Option<&str>),
        own: Option<(&str, &str)>,
    ) -> Result<Self, serde_json::Error> {
        let is_same = hub_digest == own.map(|(_, digest)| digest);
        let plan = |json: Option<&str>| json.map_or_else(|| Ok(KeptPlan::default()), KeptPlan::read);
        let (hub, own) = (plan(kept.map(|kept| kept.plan.get()))?, plan(own.map(|(json, _)| json))?);
        if is_same {
            return Ok(Comparison { is_same, ..Comparison::default() });
        }
        let digests = |plan: &KeptPlan| plan.actions().map(|action| action.digest.clone()).collect::<BTreeSet<_>>();
        let (in_hub, in_own) = (digests(&hub), digests(&own));
        let only = |plan: &KeptPlan, other: &BTreeSet<String>| {
            plan.actions().filter(|action| !other.contains(&action.digest)).cloned().collect()
        };
        Ok(Comparison {
            unread: None,
            is_same,
            only_hub: only(&hub, &in_own),
            only_own: only(&own, &in_hub),
            is_cut: kept.is_some_and(|kept| kept.shown < kept.actions),
        })
    }

    /// The same comparison, limited to some objects.
    pub(super) fn concerning(&self, meant: &Selector) -> Self {
        let of = |actions: &[KeptAction]| actions.iter().filter(|action| action.concerns(meant)).cloned().collect();
        Comparison {
            unread: self.unread.clone(),
            is_same: self.is_same,
            only_hub: of(&self.only_hub),
            only_own: of(&self.only_own),
            is_cut: self.is_cut,
        }
    }

    /// Whether there is a difference to show.
    pub(super) fn has_differences(&self) -> bool {
        !self.only_hub.is_empty() || !self.only_own.is_empty()
    }

    /// The result in one sentence.
    fn sentence(&self) -> String {
        let with = "Planned again with your own contexts:";
        match &self.unread {
            Some(why) => format!("Not planned again: {why}"),
            None if self.is_same => format!("{with} as the hub keeps it."),
            None if self.only_hub.is_empty() && self.only_own.is_empty() => {
                format!("{with} another digest, but no difference in what is compared.")
            }
            None => format!("{with} it differs."),
        }
    }

    /// Each group of differences as lines, with its heading.
    fn differences(&self) -> Vec<(String, Vec<String>)> {
        let hub: BTreeMap<&str, &KeptAction> = self.only_hub.iter().map(|a| (a.object(), a)).collect();
        let own: BTreeMap<&str, &KeptAction> = self.only_own.iter().map(|a| (a.object(), a)).collect();
        let lines = |one: &BTreeMap<&str, &KeptAction>| one.values().map(|action| action.line()).collect::<Vec<_>>();
        let cut = if self.is_cut { ", of which only the first are compared" } else { "" };
        let all = [(format!("only in the hub's plan{cut}:"), lines(&hub)), ("only in yours:".to_string(), lines(&own))];
        all.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
    }

    /// Adds the comparison to a page.
    pub(super) fn show(&self, page: &mut TextPage) {
        let tone = if self.is_same && self.unread.is_none() { Tone::Good } else { Tone::Careful };
        page.wrap(0, 2, &[Span::new(tone, self.sentence())]);
        for (title, lines) in self.differences() {
            page.line(2, &[strong(title)]);
            lines.iter().for_each(|line| page.wrap(4, 6, &[plain(line)]));
        }
        if !self.is_same && self.unread.is_none() {
            let why = "The tenants changed since the syncer planned, or your account reads something else than the \
                       syncer's: run it again; if it stays, ask before you approve.";
            page.wrap(2, 2, &[faint(why)]);
        }
    }

    /// The comparison as lines of text.
    pub fn lines(&self) -> Vec<String> {
        let differences = self.differences().into_iter();
        let differences = differences.flat_map(|(title, lines)| {
            [format!("  {title}")].into_iter().chain(lines.into_iter().map(|line| format!("    {line}")))
        });
        [self.sentence()].into_iter().chain(differences).collect()
    }

    /// The comparison as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        let whole = |actions: &[KeptAction]| actions.iter().map(|action| action.whole.clone()).collect::<Vec<_>>();
        serde_json::json!({
            "same": self.is_same && self.unread.is_none(),
            "why": self.unread,
            "onlyInHub": whole(&self.only_hub),
            "onlyInOwn": whole(&self.only_own),
        })
    }
}
