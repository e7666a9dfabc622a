//! The state of a sync in one of its targets, and of a tenant, as marks and words: what the syncer reported, where it is
//! known that it still holds.

use super::shown::HubShown;
use crate::render::hub::HubPart;
use crate::report::overview_state::OverviewState;
use crate::tenant::cluster::hub::HubTenant;

/// A state with what to say about it.
pub(super) struct HubState {
    pub(super) mark: OverviewState,
    /// In words: `in sync`, `needs approval`.
    pub(super) word: String,
    /// Why it may be another one by now.
    pub(super) doubt: Option<String>,
}

impl HubState {
    /// The state of a sync in one of its targets.
    pub(super) fn of(shown: &HubShown, part: &HubPart) -> Self {
        let doubt = shown.doubt().or_else(|| part.unobserved().map(str::to_string));
        HubState::doubted(reported(part), word(&part.target.state), doubt)
    }

    /// The state of a tenant: its own, or the worst of the syncs into it.
    pub(super) fn of_tenant(shown: &HubShown, name: &str, tenant: &HubTenant, parts: &[HubPart]) -> Self {
        let ready = tenant.status.conditions.iter().find(|condition| condition.type_ == "Ready");
        let unobserved =
            || (!tenant.is_observed).then(|| "the syncer has not reconciled its last change yet".to_string());
        let (mark, word) = match (&tenant.spec, ready) {
            (Err(_), _) => (OverviewState::Blocked, "Unreadable"),
            (Ok(_), None) => (OverviewState::Unknown, "Unknown"),
            (Ok(_), Some(ready)) if ready.status == "True" => (OverviewState::InSync, ready.reason.as_str()),
            (Ok(_), Some(ready)) => (OverviewState::Missing, ready.reason.as_str()),
        };
        let doubt = shown.doubt().or_else(|| unobserved().filter(|_| ready.is_some()));
        let own = HubState::doubted(mark, word, doubt);
        let of_syncs = parts.iter().filter(|part| part.hub.tenant == name).map(|part| HubState::of(shown, part).mark);
        HubState { mark: of_syncs.min().map_or(own.mark, |worst| worst.min(own.mark)), ..own }
    }

    /// What needs a person still does, as far as anybody knows; all else is unknown where there is a doubt.
    fn doubted(mark: OverviewState, word: &str, doubt: Option<String>) -> Self {
        match &doubt {
            Some(_) if mark > OverviewState::Drift => {
                HubState { mark: OverviewState::Unknown, word: OverviewState::Unknown.word().to_string(), doubt }
            }
            _ => HubState { mark, word: word.to_string(), doubt },
        }
    }
}

/// The mark of a state, as it was reported.
fn reported(part: &HubPart) -> OverviewState {
    match part.target.state.as_str() {
        "Failed" | "Unreachable" => OverviewState::Missing,
        "Blocked" | "NotAccepted" | "Invalid" => OverviewState::Blocked,
        "AwaitingApproval" => OverviewState::NeedsApproval,
        "Drifted" => OverviewState::Drift,
        "Applying" => OverviewState::Update,
        "AwaitingStage" | "Suspended" => OverviewState::Waiting,
        "InSync" if part.sections().iter().any(|section| section.word == "kept") => OverviewState::Kept,
        "InSync" => OverviewState::InSync,
        _ => OverviewState::Unknown,
    }
}

/// The words of a state, as the syncer reports it.
pub(super) fn word(state: &str) -> &str {
    match state {
        "InSync" => "in sync",
        "Suspended" => "suspended",
        "AwaitingStage" => "waits for a stage",
        "Applying" => "being applied",
        "AwaitingApproval" => "needs approval",
        "Drifted" => "drifted",
        "Blocked" => "blocked",
        "Failed" => "failed",
        "Unreachable" => "cannot be reached",
        "NotAccepted" => "not accepted",
        "Invalid" => "invalid",
        "Unknown" => "not planned yet",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Nothing is green beside a difference; unknown is never empty."
    #[test]
    fn what_may_not_hold_any_more_is_unknown_and_what_needs_a_person_still_does() {
        let doubted = |mark: OverviewState| {
            let state = HubState::doubted(mark, "as reported", Some("no syncer".to_string()));
            (state.mark, state.word)
        };
        for calm in [OverviewState::InSync, OverviewState::Kept, OverviewState::Waiting, OverviewState::Update] {
            assert_eq!(doubted(calm), (OverviewState::Unknown, "unknown".to_string()));
        }
        for loud in [OverviewState::Missing, OverviewState::Blocked, OverviewState::NeedsApproval, OverviewState::Drift]
        {
            assert_eq!(doubted(loud), (loud, "as reported".to_string()));
        }
        let known = HubState::doubted(OverviewState::InSync, "in sync", None);
        assert_eq!((known.mark, known.word.as_str()), (OverviewState::InSync, "in sync"));
    }
}
