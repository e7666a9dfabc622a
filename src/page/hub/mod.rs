//! The page over a hub: what its syncer reports, the plans that wait there, and what a person may do about them. The API
//! server decides about every change.

mod approve;
mod asked;
mod overview;
pub(super) mod reader;
mod receipts;
mod reconcile;
mod rights;
pub(super) mod shown;
mod state;
mod suspend;
mod syncs;
mod target;
mod words;

use super::layout;
use super::reply::{self, Reply};
use super::request::Request;
use super::{PageHub, act};
use crate::page::forms;
use crate::page::refusals;
use maud::html;
use shown::HubShown;

/// A view of what was read.
type HubView = fn(&Request, &HubShown) -> Reply;

/// Answers a request for a view.
pub(super) fn get(request: &Request, from: &PageHub) -> Reply {
    let view: HubView = match request.uri.path() {
        "/" => overview::show,
        "/target" => return with_shown(request, |shown| target::show(request, from, shown)),
        "/syncs" => syncs::show,
        "/suspend" => suspend::ask,
        "/receipts" => receipts::show,
        path => return nothing(request, &format!("There is no page {path} over a hub.")),
    };
    with_shown(request, |shown| match asked::is_there(request.uri.path(), &request.fields, shown) {
        Ok(()) => view(request, shown),
        Err(why) => refusals::misnamed(request, &why),
    })
}

/// Answers a form of this session.
pub(super) fn post(request: &Request, from: &PageHub) -> Reply {
    match request.uri.path() {
        "/read" => act::read(request),
        "/approve" => approve::approve(request, from),
        "/suspend" => suspend::suspend(request, from),
        "/reconcile" => reconcile::reconcile(request, from),
        path => nothing(request, &format!("There is no form {path} over a hub.")),
    }
}

fn nothing(request: &Request, message: &str) -> Reply {
    refusals::refused(request, 404, "Nothing here", message, "")
}

fn with_shown(request: &Request, view: impl FnOnce(&HubShown) -> Reply) -> Reply {
    match &request.reading.hub {
        Some(shown) => view(shown),
        None if request.reading.failure.is_some() => {
            let main = html! { h1 { "Nothing can be shown" } (forms::read_again(request)) };
            reply::page(200, layout::page(request, None, "Not read", main))
        }
        None => reply::page(200, layout::not_yet(request)),
    }
}
