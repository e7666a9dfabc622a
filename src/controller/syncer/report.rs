//! What the syncer says: statuses, events on transitions, a line of the log for each change.

use super::super::context::Context;
use super::super::events::{Importance, Transition, reference};
use crate::api::{API_VERSION, Condition, Kind};
use crate::engine::model::item::ObjectId;
use crate::kubernetes::client::{Ask, RequestFailure};
use crate::kubernetes::paths::Paths;
use crate::tenant::cluster::body::to_bytes;
use serde::Serialize;
use serde_json::json;

/// Writes the status of an object of the hub, and gives the object as it is then. What is gone needs none.
pub async fn write_status<S: Serialize>(
    context: &Context,
    paths: &Paths,
    id: &ObjectId,
    status: &S,
) -> Result<Vec<u8>, RequestFailure> {
    let body = json!({
        "apiVersion": API_VERSION,
        "kind": id.kind.as_str(),
        "metadata": {"name": id.name},
        "status": status,
    });
    let ask = Ask::apply(format!("{}/status", paths.object(id)), to_bytes(&body));
    match context.server.ask(&ask).await {
        Err(trouble) if trouble.code().is_some_and(|code| code.as_u16() == 404) => Ok(Vec::new()),
        answer => answer,
    }
}

/// Tells of what turned: by an event and a line of the log. Of Ready where it, or its reason, is another; of what
/// else is said (warnings, what is kept and what drifted, approvals of nothing) where it says something new.
pub fn tell_transition(
    context: &Context,
    paths: &Paths,
    id: &ObjectId,
    uid: &str,
    before: &[Condition],
    now: &[Condition],
) {
    for condition in now.iter().filter(|now| is_news(before, now)) {
        let object = reference(paths, id, uid);
        let importance = match (condition.type_.as_str(), condition.status.as_str(), condition.reason.as_str()) {
            ("Ready", "True", _) | ("Ready", _, "Applying" | "AwaitingApproval" | "Suspended") => Importance::Normal,
            ("Kept", ..) => Importance::Normal,
            _ => Importance::Warning,
        };
        let (reason, why) = (&condition.reason, &condition.message);
        match importance {
            Importance::Normal => {
                tracing::info!(object = %id, condition = condition.type_, reason, why, "condition changed")
            }
            Importance::Warning => {
                tracing::warn!(object = %id, condition = condition.type_, reason, why, "condition changed")
            }
        }
        let action = if id.kind == Kind::Tenant { "Follow" } else { "Sync" };
        let reason = if condition.type_ == "Ready" { reason } else { &condition.type_ };
        let transition = Transition { object, importance, reason: reason.clone(), action, note: why.clone() };
        context.events.tell(transition);
    }
}

fn is_news(before: &[Condition], now: &Condition) -> bool {
    let before = before.iter().find(|before| before.type_ == now.type_);
    match now.type_.as_str() {
        "Ready" => !before.is_some_and(|before| before.status == now.status && before.reason == now.reason),
        // They say what Ready says.
        "InSync" | "Reconciling" | "Stalled" => false,
        _ => before.is_none_or(|before| before.message != now.message),
    }
}
