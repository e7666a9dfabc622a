//! Approves what waits in a target: exactly what the page showed, as the person.

use super::shown::one;
use super::target::actions;
use super::words::{refused, settle, target};
use crate::hub::approval::{self, approvals, unkept};
use crate::hub::{HubFailure, OpenHub, waiting};
use crate::page::PageHub;
use crate::page::plans_shown;
use crate::page::reply::{self, Reply};
use crate::page::request::Request;
use crate::render::hub::{HubPart, KeptPlan};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Approves what the form names.
pub(super) fn approve(request: &Request, from: &PageHub) -> Reply {
    let fields = &request.fields;
    let then = target(fields.text("sync"), fields.text("tenant"));
    match approved(request, from) {
        Ok(()) => {
            settle(request);
            reply::see_other(&then)
        }
        Err(failure) => refused(request, "Nothing was approved", &failure, &then),
    }
}

fn approved(request: &Request, from: &PageHub) -> Result<(), HubFailure> {
    let fields = &request.fields;
    let (sync, tenant, digest) = (fields.text("sync"), fields.text("tenant"), fields.text("digest"));
    if !fields.has("read") {
        let message = "nothing was approved: the box that says you read what it does is not ticked";
        return Err(HubFailure::new(message, "read it, tick the box, and approve it"));
    }
    let mut hub = OpenHub::open(from.address.clone(), Arc::clone(&from.servers))?;
    let parts = waiting::plans(&mut hub, &one(sync, tenant))?;
    unkept(&parts)?;
    let waits = approvals(&parts);
    match waits.get(tenant) {
        Some(now) if now == digest => {
            approval::approve(&hub, sync, &BTreeMap::from([(tenant.to_string(), digest.to_string())]))
        }
        Some(now) => {
            let what =
                what_changed(request, parts.first(), digest).map(|what| format!(" ({what})")).unwrap_or_default();
            let message = format!("nothing was approved: what waits in {tenant} changed since it was shown{what}");
            Err(HubFailure::new(message, format!("look at what waits now, which has another digest:\n{now}")))
        }
        None => {
            let state = parts.first().map(|part| part.target.state.as_str()).unwrap_or("gone");
            let message = format!("nothing was approved: nothing waits in {tenant} now, where {sync} is {state}");
            Err(HubFailure::new(message, "the overview shows the state"))
        }
    }
}

fn what_changed(request: &Request, now: Option<&HubPart>, digest: &str) -> Option<String> {
    let plan = KeptPlan::read(now?.waiting.as_ref()?.plan.get()).ok()?;
    plans_shown::changes(&*request.desk.plans_shown.of(digest)?, &actions(&plan))
}
