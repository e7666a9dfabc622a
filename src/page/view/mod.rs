//! A file per view: what was read, as HTML.

pub(super) mod apply_form;
pub(super) mod components;
pub(super) mod connection;
pub(super) mod diff;
pub(super) mod integration;
mod offer;
pub(super) mod overview;
pub(super) mod plan;
mod plan_entry;
pub(super) mod plan_export;
pub(super) mod problems;
pub(super) mod receipt;
pub(super) mod receipts;
pub(super) mod steps;
pub(super) mod syncs;
pub(super) mod what_if;

use super::address;
use super::html::line;
use crate::api::Kind;
use crate::engine::model::item::ObjectId;
use crate::report::overview_state::OverviewState;
use maud::{Markup, html};

/// The mark of a state: a glyph, a tint where something is to be done, and the word for who cannot see or read these.
pub(super) fn mark(state: OverviewState) -> Markup {
    mark_as(state, state.word())
}

/// The glyph and tint of a state with another word: what failed, or cannot be read, looks like what is missing.
///
/// The word is an attribute: as an element out of sight, 250 of them made the first paint of a table a fifth longer.
pub(super) fn mark_as(state: OverviewState, word: &str) -> Markup {
    html! { span class={ "i " (state.class()) } role="img" title=(word) { (state.glyph()) } }
}

/// The same where a host may drop the style: then the word is seen.
fn mark_with_word(state: OverviewState, word: &str) -> Markup {
    html! { span class={ "i " (state.class()) } { (state.glyph()) span.sr { " " (word) } } }
}

/// The mark beside a text that says the same.
pub(super) fn bare_mark(state: OverviewState) -> Markup {
    html! { span class={ "i " (state.class()) } aria-hidden="true" { (state.glyph()) } }
}

/// One entry of a plan: a line with its word and title, and below it what there is to know. By its key the script finds
/// the entry again after a refresh, to leave it open or closed.
pub(super) fn act(
    key: &str,
    state: OverviewState,
    (word, title): (&str, Markup),
    end: Markup,
    is_open: bool,
    inner: Markup,
) -> Markup {
    html! {
        details.act data-key=(line(key)) open[is_open] {
            summary { (mark(state)) span { (word) } span { (title) } span.dim { (end) } }
            div.in { (inner) }
        }
    }
}

/// The page of an object of a tenant.
pub(super) fn page_of(tenant: &str, id: &ObjectId, key: Option<&str>) -> Option<String> {
    match id.kind {
        Kind::Connection => Some(address::connection(key.unwrap_or(&id.name))),
        Kind::Integration => Some(address::integration(&id.name, tenant)),
        _ => None,
    }
}
