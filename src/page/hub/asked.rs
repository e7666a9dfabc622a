//! What an address asks for over a hub.

use super::shown::HubShown;
use crate::page::asked::{MisnamedAddress, named};
use crate::page::fields::FormFields;
use crate::report::overview_state::OverviewState;
use std::collections::BTreeSet;

/// What the values of the fields of an address over a hub may be, by view.
pub(super) fn is_there(path: &str, fields: &FormFields, shown: &HubShown) -> Result<(), MisnamedAddress> {
    match path {
        "/" => {
            named("state", "show", fields, 400, || OverviewState::ALL.into_iter().map(OverviewState::class).collect())
        }
        "/suspend" => {
            let syncs = || shown.hub.contents.syncs.keys().map(String::as_str).collect();
            let tenants = || shown.hub.contents.tenants.keys().map(String::as_str).collect();
            named("sync", "sync", fields, 404, syncs)?;
            named("tenant", "tenant", fields, 404, tenants)?;
            named("choice", "suspend", fields, 400, || BTreeSet::from(["on", "off"]))
        }
        _ => Ok(()),
    }
}
