//! Suspends a tenant or a sync, and ends that.

use super::proposed::Proposed;
use super::review;
use crate::author::suspend::suspend;
use crate::author::{AuthorError, Draft};
use crate::engine::model::item::ObjectId;
use crate::page::fields::FormFields;
use crate::page::refusals;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::page::suspension::{self, AskedSuspension};
use crate::project::Project;

/// Shows what would be written.
pub(crate) fn review(request: &Request, shown: &ShownProject) -> Reply {
    let error = match propose(&shown.project, &request.fields) {
        Ok(proposed) => return review::show(request, "suspend", &proposed, None),
        Err(error) => error,
    };
    refusals::refused_edit(request, "Not possible", &error)
}

/// The edit.
pub(super) fn propose(project: &Project, fields: &FormFields) -> Result<Proposed, AuthorError> {
    let asked = suspension::asked(fields).map_err(|(message, help)| AuthorError::refused(message, help))?;
    let AskedSuspension { kind, name, suspends } = asked;
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
