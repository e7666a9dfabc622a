//! Pages that say why something was not done, and what to do.

use super::asked::{MisnamedAddress, MisnamedHelp};
use super::html::line;
use super::layout::page;
use super::message::{notice, refusal, steps};
use super::near::did_you_mean;
use super::reply::{self, Reply};
use super::request::Request;
use crate::author::AuthorError;
use crate::near_miss::{near_misses, near_or_all};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// A page that says what is wrong, and what to do.
pub(super) fn refused(request: &Request, status: u16, title: &str, message: &str, help: &str) -> Reply {
    refused_with(request, status, title, refusal(message, help))
}

fn refused_with(request: &Request, status: u16, title: &str, refusal: Markup) -> Reply {
    reply::page(status, page(request, None, title, html! { h1 { (title) } (refusal) }))
}

/// A page that says that a name of the address names nothing, with links to what it may mean.
pub(super) fn unknown<'a>(
    request: &Request,
    (status, title): (u16, &str),
    message: &str,
    given: &str,
    there: impl IntoIterator<Item = &'a str>,
) -> Reply {
    let there: BTreeSet<&str> = there.into_iter().collect();
    let near = near_misses(given, there.iter().copied());
    let help = did_you_mean(request, given, &near).unwrap_or_else(|| steps(&near_or_all(given, there)));
    refused_with(request, status, title, notice(message, help))
}

/// A page that says that an address asks for what is not there.
pub(super) fn misnamed(request: &Request, why: &MisnamedAddress) -> Reply {
    match &why.help {
        MisnamedHelp::Text(help) => refused(request, why.status, why.title, &why.message, help),
        MisnamedHelp::Names(given, there) => {
            let there = there.iter().map(String::as_str);
            unknown(request, (why.status, why.title), &why.message, given, there)
        }
    }
}

/// A page that says why an edit cannot be made: what it names is not there, or a rule forbids it.
pub(super) fn refused_edit(request: &Request, title: &str, error: &AuthorError) -> Reply {
    let (status, question) = match error {
        AuthorError::Unknown { name, near, .. } => (404, did_you_mean(request, name, near)),
        _ => (409, None),
    };
    let refusal = match question {
        Some(question) => notice(&error.to_string(), question),
        None => edit_refusal(error),
    };
    refused_with(request, status, title, refusal)
}

/// Why an edit cannot be made, with what to do.
pub(super) fn edit_refusal(error: &AuthorError) -> Markup {
    notice(&error.to_string(), edit_help(error))
}

/// What to do about an edit that cannot be made.
pub(super) fn edit_help(error: &AuthorError) -> Markup {
    html! {
        (steps(&error.help()))
        @if let AuthorError::Suspended { tenant, .. } = error { p.then { a href="/syncs" { "Resume " (line(tenant)) " in Syncs" } } }
    }
}
