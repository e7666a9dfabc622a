//! A hub as its syncer describes it: how each sync stands in each target, and the plans that wait there.

mod compare;
mod explain;
mod kept;
mod plan;
mod status;

pub use compare::Comparison;
pub use explain::HubExplanation;
pub use kept::KeptAction;
pub use plan::HubPlan;
pub use status::{HubStatus, HubSyncStatus, HubTenantStatus};

use super::escape::{count, thousands};
use super::invocation::Hub;
use super::page::{Page, Span, command, plain, strong};
use super::style::Tone;
use super::waiting_plan::WaitingPlan;
use crate::api::TargetStatus;

/// The state of a target of which the syncer has said nothing yet.
const UNKNOWN: &str = "Unknown";

/// A sync in one of its targets.
#[derive(Debug)]
pub struct HubPart {
    /// The hub, and which of its syncs and targets.
    pub hub: Hub,
    /// What the status of the sync says of the target.
    pub target: TargetStatus,
    /// Whether the syncer has reconciled what the sync says now.
    pub is_observed: bool,
    /// The plan that waits there.
    pub waiting: Option<WaitingPlan>,
    /// What a plan by a person's own contexts has otherwise.
    pub compared: Option<Comparison>,
}

/// What the syncer says of a target that it has not planned yet.
pub fn not_planned(tenant: &str) -> TargetStatus {
    TargetStatus {
        tenant: tenant.to_string(),
        state: UNKNOWN.to_string(),
        message: Some("the syncer has not planned it yet: is it running?".to_string()),
        ..TargetStatus::default()
    }
}

/// What a target's status means as an exit code.
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

/// Of several exit codes the one that says most: an error, what is not reached, actions.
pub fn worst(exits: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |exit: &u8| [0, 2, 3, 1].iter().position(|known| known == exit).unwrap_or(usize::MAX);
    exits.into_iter().max_by_key(rank).unwrap_or(0)
}

impl HubPart {
    /// `us-to-eu → eu-prod`.
    fn title(&self) -> String {
        format!("{} → {}", self.hub.sync, self.hub.tenant)
    }

    /// Whether the syncer asks for approval.
    pub fn awaits_approval(&self) -> bool {
        self.target.state == "AwaitingApproval"
    }

    /// A kept text, in which every command names the context too.
    fn with_context(&self, text: &str) -> String {
        let plain = Hub { context: None, ..self.hub.clone() };
        let text = text.replace(&plain.approve(), &self.hub.approve());
        text.replace(&plain.plan(), &self.hub.plan())
    }

    /// That only the first actions are kept, where that is so.
    fn cut(&self) -> Option<String> {
        let waiting = self.waiting.as_ref().filter(|waiting| waiting.shown < waiting.actions)?;
        let (shown, all) = (thousands(waiting.shown), count(waiting.actions, "action", "actions"));
        let tenant = &self.hub.tenant;
        Some(format!(
            "Only the first {shown} of {all} are kept in the hub and shown here; the digest covers all of them. \
             --target {tenant}=CONTEXT plans all of them again with your own context."
        ))
    }

    /// What is said of it where no plan is shown: one line, and what its message has on lines of its own.
    fn lines(&self) -> Vec<String> {
        let message = self.target.message.as_deref().unwrap_or("in sync");
        let not_observed = "the syncer has not reconciled the last change of the sync yet".to_string();
        let message = message.split('\n').map(str::to_string);
        message.chain((!self.is_observed).then_some(not_observed)).collect()
    }

    /// Puts the heading on a page, with what is said where no plan is shown.
    fn head(&self, page: &mut Page) {
        let tone = match exit_of(&self.target) {
            0 => Tone::Good,
            2 => Tone::Careful,
            _ => Tone::Bad,
        };
        let mut head = vec![strong(self.title()), plain("  "), Span::new(tone, &self.target.state)];
        let lines = if self.waiting.is_none() { self.lines() } else { Vec::new() };
        let mut lines = lines.iter();
        if let Some(first) = lines.next() {
            head.push(plain(format!("  {}", self.with_context(first))));
        }
        page.wrap(0, 2, &head);
        for line in lines {
            page.line(2, &[command(self.with_context(line))]);
        }
        if self.waiting.is_some() && !self.is_observed {
            page.wrap(2, 2, &[plain("the syncer has not reconciled the last change of the sync yet")]);
        }
    }

    /// Puts the digest, alone on its line, and the command to approve it on a page.
    fn approve(&self, page: &mut Page) {
        if let Some(digest) = self.target.digest.as_ref().filter(|_| self.awaits_approval()) {
            page.line(2, &[plain(format!("digest of what {} does in {}:", self.hub.sync, self.hub.tenant))]);
            page.line(2, &[command(digest)]);
            page.line(2, &[plain("to approve it:")]);
            page.line(2, &[command(self.hub.approve())]);
        }
    }
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
        HubPart { hub, target, is_observed: true, waiting, compared: None }
    }

    fn text(part: HubPart) -> String {
        HubPlan { parts: vec![part] }.text(Style::default())
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
        let markdown = HubPlan { parts: vec![part("AwaitingApproval", Some((1_234, "x")))] }.markdown();
        assert!(markdown.contains("Only the first 500 of 1,234 actions"), "{markdown}");
    }

    #[test]
    fn where_nothing_waits_one_line_says_how_it_stands() {
        let shown = text(part("Blocked", None));
        assert_eq!(shown, "s → eu  Blocked  first\n  stablekey approve s --tenant eu --context us -n hub\n");
        assert_eq!(text(HubPart { target: not_planned("eu"), ..part("", None) }).lines().count(), 1);
    }
}
