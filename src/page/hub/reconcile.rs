//! Asks the syncer to read and plan again.

use super::words::{refused, settle};
use crate::hub::{HubFailure, OpenHub, request};
use crate::page::PageHub;
use crate::page::act::back;
use crate::page::reply::{self, Reply};
use crate::page::request::Request;
use jiff::Timestamp;
use std::sync::Arc;

/// Requests a reconciliation of one sync, or of all.
pub(super) fn reconcile(request: &Request, from: &PageHub) -> Reply {
    let then = back(request.fields.text("back"));
    match requested(request, from) {
        Ok(()) => {
            settle(request);
            reply::see_other(then)
        }
        Err(failure) => refused(request, "Not requested", &failure, then),
    }
}

fn requested(request: &Request, from: &PageHub) -> Result<(), HubFailure> {
    let hub = OpenHub::open(from.address.clone(), Arc::clone(&from.servers))?;
    let only = request.fields.filled("sync");
    let syncs: Vec<&String> = hub.contents.syncs.keys().filter(|name| only.is_none_or(|only| only == *name)).collect();
    if syncs.is_empty() {
        let message = only.map_or("there is no TenantSync".to_string(), |only| format!("there is no sync {only} now"));
        return Err(HubFailure::new(message, "the overview shows what there is"));
    }
    // Another request of the same second must differ.
    let at = Timestamp::now().to_string();
    syncs.into_iter().try_for_each(|sync| request::reconcile(&hub, sync, &at))
}
