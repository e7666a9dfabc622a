//! Suspends a Tenant or a TenantSync, and ends that.

use super::draft::Draft;
use super::error::AuthorError;
use super::pause::Pause;
use crate::engine::model::item::ObjectId;
use crate::manifest::Edit;
use serde_json::json;

/// Sets `suspend: true`, or takes it away: absent is read as false.
pub fn suspend(draft: &mut Draft<'_>, id: &ObjectId, suspend: bool) -> Result<(), AuthorError> {
    let unreadable = || AuthorError::Unreadable { what: id.to_string(), why: "it is in no file".to_string() };
    let at = draft.project.origins.get(id).ok_or_else(unreadable)?;
    let path = vec!["spec".to_string(), "suspend".to_string()];
    let edit = match suspend {
        true => Edit::Set { path, value: json!(true) },
        false => Edit::Remove { path },
    };
    draft.pauses(Pause { object: id.clone(), suspends: suspend });
    draft.edit(at, vec![edit])
}
