//! Words and marks of a hub's states, and what its pages share.

use crate::api::Condition;
use crate::hub::HubFailure;
use crate::page::address::PageAddress;
use crate::page::layout::{self, text};
use crate::page::message;
use crate::page::reply::{self, Reply};
use crate::page::request::Request;
use maud::{Markup, html};

/// The page of a sync in one of its targets.
pub(super) fn target(sync: &str, tenant: &str) -> String {
    PageAddress::new("/target").with("sync", sync).with("tenant", tenant).text()
}

/// A condition of a sync in one line: what to do about it stands on the page of a target.
pub(super) fn headline_of(condition: &Condition) -> String {
    format!("{}: {}", condition.type_, condition.message.lines().next().unwrap_or_default())
}

/// Reads the hub again after a change, so that the next page shows it.
pub(super) fn settle(request: &Request) {
    request.desk.read_again();
    request.desk.wait_for_reading(request.reading.read);
}

/// The page that says what the server refused, or what changed. `then` leads on, to what is there now. It stays until
/// somebody leaves it: events do not replace the answer to a form.
pub(super) fn refused(request: &Request, title: &str, failure: &HubFailure, then: &str) -> Reply {
    let HubFailure { message, help, role } = failure;
    let main = html! {
        h1 data-keep { (title) }
        (message::refusal(message, help))
        @if let Some(role) = role {
            p { "This Role grants it, bound to whoever does this:" }
            pre.command { (text(role)) }
        }
        p { a.button href=(then) { "Look at it again" } }
    };
    let status = if role.is_some() { 403 } else { 409 };
    reply::page(status, layout::page(request, None, title, main))
}

/// A button, disabled with the reason beside it.
pub(super) fn button(label: &str, class: &str, refused: Option<&str>) -> Markup {
    html! {
        @if let Some(why) = refused { span.dim { (text(why)) } " " }
        button class={ "button" (class) } disabled[refused.is_some()] { (label) }
    }
}
