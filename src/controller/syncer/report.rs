//! What the syncer says: statuses, events on transitions, a line of the log for each change.

use super::super::context::Context;
use super::super::events::{Importance, Transition, reference};
use crate::api::{API_VERSION, Condition, Kind};
use crate::engine::item::ObjectId;
use crate::tenant::kubernetes::{Ask, Paths, Trouble, to_bytes};
use serde::Serialize;
use serde_json::json;

/// Writes the status of an object of the hub, and gives the object as it is then. What is gone needs none.
pub async fn write_status<S: Serialize>(
    context: &Context,
    paths: &Paths,
    id: &ObjectId,
    status: &S,
) -> Result<Vec<u8>, Trouble> {
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

/// Tells of a Ready that turned, or has another reason: by an event and a line of the log.
pub fn tell_transition(
    context: &Context,
    paths: &Paths,
    id: &ObjectId,
    uid: &str,
    before: &[Condition],
    now: &[Condition],
) {
    let ready = |conditions: &[Condition]| conditions.iter().find(|c| c.type_ == "Ready").cloned();
    let (before, Some(now)) = (ready(before), ready(now)) else { return };
    if before.is_some_and(|before| before.status == now.status && before.reason == now.reason) {
        return;
    }
    let object = reference(paths, id, uid);
    let importance = match (now.status.as_str(), now.reason.as_str()) {
        ("True", _) | (_, "Applying" | "AwaitingApproval" | "Suspended") => Importance::Normal,
        _ => Importance::Warning,
    };
    match importance {
        Importance::Normal => tracing::info!(object = %id, reason = now.reason, why = now.message, "turned"),
        Importance::Warning => tracing::warn!(object = %id, reason = now.reason, why = now.message, "turned"),
    }
    let action = if id.kind == Kind::Tenant { "Follow" } else { "Sync" };
    context.events.tell(Transition { object, importance, reason: now.reason, action, note: now.message });
}
