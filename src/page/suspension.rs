//! What a form or an address of a suspension names: a tenant or a sync, and whether it is suspended or goes on.

use super::fields::FormFields;
use crate::api::Kind;

/// A suspension, or its end.
#[derive(Clone, Copy)]
pub(super) struct AskedSuspension<'f> {
    pub(super) kind: Kind,
    pub(super) name: &'f str,
    pub(super) suspends: bool,
}

/// What is named; else what is wrong, and what to do.
pub(super) fn asked(fields: &FormFields) -> Result<AskedSuspension<'_>, (&'static str, &'static str)> {
    let (kind, name) = match (fields.filled("tenant"), fields.filled("sync")) {
        (Some(tenant), None) => (Kind::Tenant, tenant),
        (None, Some(sync)) => (Kind::TenantSync, sync),
        _ => return Err(("it is not said what is suspended", "choose a tenant or a sync")),
    };
    match fields.switch("suspend") {
        Some(suspends) => Ok(AskedSuspension { kind, name, suspends }),
        None => Err(("suspend is neither on nor off", "choose Suspend or Resume")),
    }
}
