//! Makes a live value the desired one.

use super::named::{address_of, named};
use super::proposed::Proposed;
use super::{reason, review};
use crate::api::Kind;
use crate::author::AuthorError;
use crate::author::keep::{KeepLive, Kept, keep};
use crate::engine::model::item::ObjectId;
use crate::page::address::{self, PageAddress};
use crate::page::fields::FormFields;
use crate::page::forms;
use crate::page::layout::{self, line};
use crate::page::refusals;
use crate::page::reply::{self, Reply};
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::project::Project;
use maud::html;

const REASON: &str = "The live value becomes an override of the sync, with this reason.";

/// Asks for the reason. Where none is needed, shows what would be written.
pub(crate) fn ask(request: &Request, shown: &ShownProject) -> Reply {
    match propose(&shown.project, &request.fields) {
        Ok(proposed) => review::show(request, "keep", &proposed, None),
        // Only the reason is missing where any reason would do.
        Err(_) if asked(&shown.project, &request.fields, Some("any".to_string())).is_ok() => form(request, shown, None),
        Err(error @ AuthorError::Unknown { .. }) => refusals::refused_edit(request, "Keep", &error),
        Err(error) => form(request, shown, Some(&error)),
    }
}

/// Shows what would be written.
pub(crate) fn review(request: &Request, shown: &ShownProject) -> Reply {
    if review::asks_again(request) {
        return match asked(&shown.project, &request.fields, Some("any".to_string())) {
            Err(error @ AuthorError::Unknown { .. }) => refusals::refused_edit(request, "Keep", &error),
            _ => form(request, shown, None),
        };
    }
    match propose(&shown.project, &request.fields) {
        Ok(proposed) => review::show(request, "keep", &proposed, None),
        Err(error) => form(request, shown, Some(&error)),
    }
}

fn form(request: &Request, shown: &ShownProject, wrong: Option<&AuthorError>) -> Reply {
    let fields = &request.fields;
    let title = format!("Keep {} of {} in {}", fields.text("field"), fields.text("object"), fields.text("tenant"));
    let main = html! {
        h1 { (line(&title)) }
        (reason::refusal(wrong))
        form.fields method="post" action="/keep" data-keep {
            (forms::token(request))
            @for name in ["tenant", "object", "field", "back"] {
                input type="hidden" name=(name) value=(fields.text(name));
            }
            (reason::field(fields, (fields.text("tenant"), REASON), wrong, |from| at(shown, fields, from)))
            div.do { a.button href=(super::back(fields.text("back"))) { "Cancel" } button.button.main { "Review" } }
        }
    };
    reply::page(200, layout::page(request, None, &title, main))
}

/// Where the object is edited in another tenant.
fn at(shown: &ShownProject, fields: &FormFields, tenant: &str) -> String {
    match fields.text("object").split_once('/') {
        Some(("Connection", name)) => {
            let key = shown.key_of(tenant, &ObjectId::new(Kind::Connection, name));
            PageAddress::new("/set").with("tenant", tenant).with("key", key.as_deref().unwrap_or(name)).text()
        }
        Some(("Integration", name)) => address::integration(name, tenant),
        _ => "/".to_string(),
    }
}

/// The edit that keeps the value.
pub(super) fn propose(project: &Project, fields: &FormFields) -> Result<Proposed, AuthorError> {
    asked(project, fields, fields.filled("reason").map(str::to_string))
}

fn asked(project: &Project, fields: &FormFields, reason: Option<String>) -> Result<Proposed, AuthorError> {
    let (tenant, object, field) = named(project, None, fields)?;
    let then = address_of(project, &tenant, &object);
    let title = format!("Keep {} of {tenant}/{object}", fields.filled("field").unwrap_or("what differs"));
    let Kept { edited, records } = keep(project, &KeepLive { tenant: tenant.clone(), object, field, reason })?;
    Ok(Proposed { title, notes: Vec::new(), edited, records: Some((tenant, records)), then })
}
