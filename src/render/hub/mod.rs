//! A hub as its syncer reports it: the state of each sync in each target, and the waiting plans.

mod compare;
mod details;
mod explain;
mod kept;
mod plan;
mod status;
mod syncer;

pub use compare::Comparison;
pub use details::Section;
pub use explain::HubExplanation;
pub use kept::{KeptAction, KeptChange, KeptPlan};
pub use plan::HubPlan;
pub use status::{HubStatus, HubSyncStatus, HubTenantStatus};
pub use syncer::SyncerSign;

use super::invocation::Hub;
use super::waiting_plan::WaitingPlan;
use crate::api::{Condition, TargetStatus};
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
fn exit_of(target: &TargetStatus) -> u8 {
    let counts = target.counts.clone().unwrap_or_default();
    match target.state.as_str() {
        "InSync" | "Suspended" => 0,
        "AwaitingApproval" | "AwaitingStage" | "Applying" if counts.blocked + counts.drift > 0 => 3,
        "AwaitingApproval" | "AwaitingStage" | "Applying" => 2,
        "NotAccepted" | "Blocked" | "Drifted" => 3,
        _ => 1,
    }
}

impl HubPart {
    /// The exit code for it. In sync counts only if the syncer has reconciled the current spec of the sync.
    pub fn exit(&self) -> u8 {
        match exit_of(&self.target) {
            0 if !self.is_observed => 1,
            exit => exit,
        }
    }
}

/// The exit code with the highest precedence: an error, then unresolved, then actions.
pub fn worst(exits: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |exit: &u8| [0, 2, 3, 1].iter().position(|known| known == exit).unwrap_or(usize::MAX);
    exits.into_iter().max_by_key(rank).unwrap_or(0)
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

    /// "Unknown is never empty": what the syncer reported before the last change of the sync may not hold any more.
    #[test]
    fn what_was_not_reconciled_is_not_in_sync() {
        let exit = |state: &str| HubPart { is_observed: false, ..part(state, None) }.exit();
        assert_eq!(["InSync", "Suspended", "AwaitingApproval", "Drifted"].map(exit), [1, 1, 2, 3]);
        assert_eq!(part("InSync", None).exit(), 0);
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
    fn a_cut_plan_reports_that_only_the_first_actions_are_stored() {
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
