//! Puts the desired value back, for one object or one field of it.

use super::apply::{self, AppliedPart};
use super::named::named;
use crate::engine::model::plan::{Plan, Scope};
use crate::engine::model::revert::Revert;
use crate::page::address::PageAddress;
use crate::page::consent::applicable;
use crate::page::layout::{self, line};
use crate::page::refusals;
use crate::page::reply::{self, Reply};
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::page::view;
use crate::project::planned;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// The plan of what is put back, or why there is none.
fn planned(request: &Request, shown: &ShownProject) -> Result<(Scope, Plan, String), Box<Reply>> {
    let (tenant, object, field) = named(&shown.project, Some(&shown.planned.plan), &request.fields)
        .map_err(|error| Box::new(refusals::refused_edit(request, "Revert", &error)))?;
    let what = match &field {
        Some(field) => format!("{field} of {tenant}/{object}"),
        None => format!("{tenant}/{object}"),
    };
    if let Err(error) = crate::author::goes_on(&shown.project, &tenant) {
        return Err(Box::new(refusals::refused_edit(request, "Revert", &error)));
    }
    if let Err(error) = crate::author::is_known(&shown.project, &tenant, &object) {
        return Err(Box::new(refusals::refused_edit(request, "Revert", &error)));
    }
    let revert = Revert { tenant: tenant.clone(), object, field };
    let scope = Scope { tenants: BTreeSet::from([tenant]), revert: Some(revert), ..Scope::default() };
    let plan = planned::plan(&shown.project, &scope).plan;
    Ok((scope, plan, what))
}

/// Shows what would be put back.
pub(crate) fn show(request: &Request, shown: &ShownProject) -> Reply {
    show_again(request, shown, html! {})
}

/// The same below a message.
fn show_again(request: &Request, shown: &ShownProject, notice: Markup) -> Reply {
    let (_, plan, what) = match planned(request, shown) {
        Ok(planned) => planned,
        Err(reply) => return *reply,
    };
    let title = format!("Revert {what}");
    let main = html! {
        div.head { div { h1 { (line(&title)) } p { "The desired value replaces the live one. Nothing is written yet." } } }
        (notice)
        @if applicable(&plan).next().is_none() {
            div.notice { p { (line(&what)) " has not drifted, and is not kept: there is nothing to put back." } }
        } @else {
            (view::plan::targets(shown, &plan))
            (view::apply_form::apply_form(request, &shown.project, &plan, "/revert", html! {
                @for name in ["tenant", "object", "field"] {
                    input type="hidden" name=(name) value=(request.fields.text(name));
                }
            }))
        }
    };
    reply::page(200, layout::page(request, None, &title, main))
}

/// Begins to put it back.
pub(crate) fn begin(request: &Request, shown: &ShownProject) -> Reply {
    match planned(request, shown) {
        Ok((scope, plan, what)) => {
            let again =
                |notice| show_again(&request.for_view("/revert", &["tenant", "object", "field"]), shown, notice);
            let names = ["tenant", "object", "field"];
            let address =
                names.iter().fold(PageAddress::new("/revert"), |at, name| at.with(name, request.fields.text(name)));
            let part = AppliedPart { title: format!("Revert {what}"), scope, address: address.text() };
            apply::begin_with(request, &shown.folder, &plan, part, again)
        }
        Err(reply) => *reply,
    }
}
