//! A hub as its syncer reports it: the state of each sync in each target, and the waiting plans.

mod compare;
mod details;
mod explain;
mod kept;
mod plan;
mod status;
mod syncer;

pub use compare::Comparison;
pub use explain::HubExplanation;
pub use kept::KeptAction;
pub use plan::HubPlan;
pub use status::{HubStatus, HubSyncStatus, HubTenantStatus};
pub use syncer::SyncerSign;

use super::invocation::{Hub, quoted};
use super::page::{Span, TextPage, command, heading, plain};
use super::style::Tone;
use super::waiting_plan::WaitingPlan;
use crate::api::{Condition, TargetStatus};
use crate::text::{count, thousands};
use std::collections::BTreeSet;

/// The state of a target that the syncer has not reported yet.
const UNKNOWN: &str = "Unknown";

/// A sync in one of its targets.
#[derive(Debug)]
pub struct HubPart {
    /// The hub, the sync and the target.
    pub hub: Hub,
    /// The status of the sync for the target.
    pub target: TargetStatus,
    /// Whether the syncer has reconciled the current spec of the sync.
    pub is_observed: bool,
    /// The plan that waits for approval.
    pub waiting: Option<WaitingPlan>,
    /// The comparison with a plan of a person's own contexts.
    pub compared: Option<Comparison>,
    /// Further facts from the hub.
    pub facts: HubFacts,
}

/// Facts about a sync and its target beside the status of the target.
#[derive(Clone, Debug, Default)]
pub struct HubFacts {
    /// The source tenant of the sync.
    pub source: Option<String>,
    /// The namespace with the target's own Tenant, if it is not in the hub.
    pub target_namespace: Option<String>,
    /// The objects that the sync names, as `Kind/name`.
    pub named: BTreeSet<String>,
    /// The conditions of the sync.
    pub conditions: Vec<Condition>,
}

/// The status of a target that the syncer has not planned yet.
pub fn not_planned(tenant: &str) -> TargetStatus {
    TargetStatus {
        tenant: tenant.to_string(),
        state: UNKNOWN.to_string(),
        message: Some("the syncer has not planned it yet: is it running?".to_string()),
        ..TargetStatus::default()
    }
}

/// The exit code for a target's status.
pub fn exit_of(target: &TargetStatus) -> u8 {
    let counts = target.counts.clone().unwrap_or_default();
    match target.state.as_str() {
        "InSync" | "Suspended" => 0,
        "AwaitingApproval" | "Applying" if counts.blocked + counts.drift > 0 => 3,
        "AwaitingApproval" | "Applying" => 2,
        "NotAccepted" | "Blocked" | "Drifted" => 3,
        _ => 1,
    }
}

/// The exit code with the highest precedence: an error, then unresolved, then actions.
pub fn worst(exits: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |exit: &u8| [0, 2, 3, 1].iter().position(|known| known == exit).unwrap_or(usize::MAX);
    exits.into_iter().max_by_key(rank).unwrap_or(0)
}

impl HubPart {
    /// The title `us-to-eu → eu-prod`.
    fn title(&self) -> String {
        format!("{} → {}", self.hub.sync, self.hub.tenant)
    }

    /// Whether the syncer waits for approval.
    pub fn awaits_approval(&self) -> bool {
        self.target.state == "AwaitingApproval"
    }

    /// Adds the context to every command in a text of the syncer.
    fn with_context(&self, text: &str) -> String {
        let Some(context) = &self.hub.context else { return text.to_string() };
        let (at, there) = (format!(" -n {}", self.hub.namespace), format!(" --context {}", quoted(context)));
        let is_command = |line: &str| ["stablekey ", "kubectl "].iter().any(|p| line.trim_start().starts_with(p));
        let lines = text.split('\n').map(|line| match line.find(&at) {
            Some(found) if is_command(line) && !line.contains(" --context ") && ends_word(line, found + at.len()) => {
                let (before, after) = line.split_at(found);
                format!("{before}{there}{after}")
            }
            _ => line.to_string(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A note that only the first actions are stored, if that is the case.
    fn cut(&self) -> Option<String> {
        let waiting = self.waiting.as_ref().filter(|waiting| waiting.shown < waiting.actions)?;
        let (shown, all) = (thousands(waiting.shown), count(waiting.actions, "action", "actions"));
        let tenant = &self.hub.tenant;
        Some(format!(
            "Only the first {shown} of {all} are kept in the hub and shown here; the digest covers all of them. \
             --target {tenant}=CONTEXT plans all of them again with your own context."
        ))
    }

    /// The message beside the state: that of the status, or one that is made here.
    fn message(&self) -> Option<String> {
        let has =
            |word: &str| self.sections().iter().any(|section| section.word == word && !section.entries.is_empty());
        let number = |count: Option<i64>| count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let counts = self.target.counts.as_ref();
        match self.target.state.as_str() {
            // The list of blocked changes shows it, with what to do here.
            "Blocked" if has("blocked") => None,
            "Drifted" if has("drifted") => {
                let drift = number(counts.map(|counts| counts.drift)).max(self.target.drifted.len());
                Some(count(drift, "field drifted", "fields drifted"))
            }
            _ if self.target.message.is_some() => self.target.message.clone(),
            "InSync" => Some(self.in_sync()),
            "Applying" => Some("changes are being carried out".to_string()),
            _ => None,
        }
    }

    /// A note that the syncer has not reconciled the current spec of the sync, if that is the case.
    fn unobserved(&self) -> Option<&'static str> {
        (!self.is_observed).then_some("the syncer has not reconciled the last change of the sync yet")
    }

    /// All lines about the target, if no plan is shown.
    fn lines(&self) -> Vec<String> {
        let message = self.message().map(|message| self.with_context(&message));
        let message = message.iter().flat_map(|message| message.split('\n')).map(str::to_string);
        message.chain(self.unobserved().map(str::to_string)).chain(self.section_lines()).collect()
    }

    /// Adds the heading and the syncer's message to a page; without commands if a plan with these commands follows.
    fn head(&self, page: &mut TextPage) {
        let tone = match exit_of(&self.target) {
            0 if !self.differs() => Tone::Good,
            0 | 2 => Tone::Careful,
            _ => Tone::Bad,
        };
        let head = [heading(self.title()), plain("  "), Span::new(tone, &self.target.state), plain("  ")];
        let message = self.message().unwrap_or_default();
        self.status_text(page, 0, &head, if self.waiting.is_some() { first(&message) } else { &message });
        self.unobserved().iter().for_each(|line| page.wrap(2, 2, &[plain(line)]));
    }

    /// Adds the digest, on a line of its own, and the command to approve it to a page.
    fn approve(&self, page: &mut TextPage, is_asked: bool) {
        if let Some(digest) = self.target.digest.as_ref().filter(|_| self.awaits_approval()) {
            page.line(2, &[plain(format!("digest of what {} does in {}:", self.hub.sync, self.hub.tenant))]);
            page.line(2, &[command(digest)]);
            if !is_asked {
                page.line(2, &[plain("to approve it:")]);
                page.line(2, &[command(self.hub.approve())]);
            }
        }
    }
}

/// The first line of a message, if the page shows the commands elsewhere.
fn first(message: &str) -> &str {
    let first = message.split('\n').next().unwrap_or_default();
    first.strip_suffix(": look first, then approve").unwrap_or(first)
}

/// Whether a word ends at this position.
fn ends_word(line: &str, at: usize) -> bool {
    line.get(at..).is_none_or(|rest| rest.is_empty() || rest.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Style;
    use serde_json::json;

    fn part(state: &str, kept: Option<(usize, &str)>) -> HubPart {
        let hub = Hub { context: Some("us".into()), namespace: "hub".into(), sync: "s".into(), tenant: "eu".into() };
        let target = TargetStatus {
            tenant: "eu".into(),
            state: state.into(),
            digest: Some("sha256:00".into()),
            message: Some("first\nstablekey approve s --tenant eu -n hub".into()),
            ..TargetStatus::default()
        };
        let waiting = kept.map(|(actions, text)| {
            let kept = json!({
                "schema": "x", "sync": "s", "tenant": "eu", "digest": "sha256:00", "actions": actions, "shown": 500,
                "plan": {}, "text": text, "markdown": text,
            });
            serde_json::from_str(&kept.to_string()).unwrap()
        });
        HubPart { hub, target, is_observed: true, waiting, compared: None, facts: HubFacts::default() }
    }

    fn plan(part: HubPart) -> HubPlan {
        HubPlan { parts: vec![part], ..HubPlan::default() }
    }

    fn text(part: HubPart) -> String {
        plan(part).text(Style::default())
    }

    /// "Never 'in sync' beside a difference": also if only the person's own plan differs.
    #[test]
    fn what_ones_own_contexts_see_otherwise_is_not_in_sync() {
        let in_sync = |is_same: bool, unread: Option<&str>| {
            let mut part = part("InSync", None);
            (part.target.digest, part.target.message) = (None, None);
            let mut compared = Comparison::default();
            (compared.is_same, compared.unread) = (is_same, unread.map(str::to_string));
            part.compared = Some(compared);
            plan(part)
        };
        assert_eq!(in_sync(true, None).exit(), 0);
        let differs = in_sync(false, None);
        assert_eq!(differs.exit(), 2);
        let text = differs.text(Style::default());
        assert!(text.contains("planned with your own contexts it differs"), "{text}");
        // A plan that could not be made is an error, not a difference.
        assert_eq!(in_sync(false, Some("there is no context eu")).exit(), 1);
    }

    #[test]
    fn a_kept_plan_is_shown_as_it_is_with_commands_for_this_context() {
        let kept = "eu  2 to create\n  \u{1b}[2Jevil\nNext:\n  stablekey approve s --tenant eu -n hub\n";
        let shown = text(part("AwaitingApproval", Some((500, kept))));
        assert!(shown.contains("\n  \\u{1b}[2Jevil\n"), "a terminal obeys none of it: {shown}");
        assert!(shown.contains("Next:\n  stablekey approve s --tenant eu --context us -n hub\n"), "{shown}");
        assert!(shown.contains("\n  sha256:00\n") && !shown.contains("Only the first"), "{shown}");
    }

    #[test]
    fn where_only_the_first_actions_are_kept_that_is_said() {
        let shown = text(part("AwaitingApproval", Some((1_234, "x"))));
        assert!(shown.contains("Only the first 500 of 1,234 actions are kept"), "{shown}");
        let markdown = plan(part("AwaitingApproval", Some((1_234, "x")))).markdown();
        assert!(markdown.contains("Only the first 500 of 1,234 actions"), "{markdown}");
    }

    #[test]
    fn where_nothing_waits_one_line_shows_the_state() {
        let shown = text(part("Blocked", None));
        assert_eq!(shown, "s → eu  Blocked  first\n  stablekey approve s --tenant eu --context us -n hub\n");
        assert_eq!(text(HubPart { target: not_planned("eu"), ..part("", None) }).lines().count(), 1);
    }
}
