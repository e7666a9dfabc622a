//! Suspends a tenant or a sync, and ends that.

use super::proposed::Proposed;
use super::review;
use crate::api::Kind;
use crate::author::suspend::suspend;
use crate::author::{AuthorError, Draft};
use crate::engine::model::item::ObjectId;
use crate::page::fields::FormFields;
use crate::page::layout;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::project::Project;

/// Shows what would be written.
pub(crate) fn review(request: &Request, shown: &ShownProject) -> Reply {
    let error = match propose(&shown.project, &request.fields) {
        Ok(proposed) => return review::show(request, "suspend", &proposed, None),
        Err(error) => error,
    };
    layout::refused_edit(request, "Not possible", &error)
}

/// The edit.
pub(super) fn propose(project: &Project, fields: &FormFields) -> Result<Proposed, AuthorError> {
    let (kind, name) = match (fields.filled("tenant"), fields.filled("sync")) {
        (Some(tenant), None) => (Kind::Tenant, tenant),
        (None, Some(sync)) => (Kind::TenantSync, sync),
        _ => return Err(AuthorError::refused("it is not said what is suspended", "choose a tenant or a sync")),
    };
    let unsaid = || AuthorError::refused("suspend is neither on nor off", "choose Suspend or Resume");
    let suspends = fields.switch("suspend").ok_or_else(unsaid)?;
    let id = ObjectId::new(kind, name);
    let mut draft = Draft::new(project);
    suspend(&mut draft, &id, suspends)?;
    let word = if suspends { "Suspend" } else { "Resume" };
    Ok(Proposed {
        title: format!("{word} {id}"),
        notes: Vec::new(),
        edited: draft.finish()?,
        records: None,
        then: "/syncs".to_string(),
    })
}
