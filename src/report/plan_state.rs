//! What an entry of a plan means for its object: the state that all views show.

use super::overview_state::OverviewState;
use crate::api::Kind;
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::finding::Finding;
use crate::engine::model::plan::{Action, ActionKind, Note};

/// The state that an action means, which may have to wait.
pub fn of_action(action: &Action, waits: bool) -> OverviewState {
    match action.action {
        _ if waits => OverviewState::Waiting,
        _ if !action.needs_approval.is_empty() => OverviewState::NeedsApproval,
        ActionKind::Create => OverviewState::Create,
        ActionKind::Update => OverviewState::Update,
        ActionKind::Adopt => OverviewState::Adopt,
        ActionKind::Delete => OverviewState::Delete,
    }
}

/// The state that a note means. What was decided by a source or an override is as it is declared, and a customer's step
/// is seen at the connection.
pub fn of_note(note: &Note) -> Option<OverviewState> {
    match note {
        Note::Blocked { .. } => Some(OverviewState::Blocked),
        // What the policy ignores is the tenant's own.
        Note::Drift { ignored: true, .. } | Note::Kept { .. } => Some(OverviewState::Kept),
        Note::Drift { .. } => Some(OverviewState::Drift),
        Note::Manual { object, .. } => (object.kind != Kind::CustomerCredentials).then_some(OverviewState::NotReady),
        Note::Overridden { .. } => None,
    }
}

/// The state that a finding means. Most warnings mean none.
pub fn of_finding(finding: &Finding) -> Option<OverviewState> {
    match finding.code {
        Code::BindingMissing | Code::IntegrationMissing => Some(OverviewState::Missing),
        Code::BindingUnknown | Code::DefinitionUnread => Some(OverviewState::Unknown),
        Code::BindingNotReady
        | Code::InputMissing
        | Code::CustomerInputMissing
        | Code::SecretMissing
        | Code::SecretKeyMissing
        | Code::SecretNotForKey
        | Code::SecretUnreadable
        | Code::CredentialsExpired
        | Code::SecretExpired
        | Code::HostNotPinned
        | Code::ConsentNeeded
        | Code::ConnectionNotReady => Some(OverviewState::NotReady),
        _ => (finding.severity != Severity::Warning).then_some(OverviewState::Blocked),
    }
}
