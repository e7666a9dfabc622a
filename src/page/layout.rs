//! What all pages share: the head and the bar on top.

use super::PageSubject;
use super::address::PageAddress;
use super::html::head;
pub(super) use super::html::{LOGO, line, text};
use super::notices::{notices, state};
use super::reply::{self, Reply};
use super::request::{Request, WRITTEN};
use maud::{DOCTYPE, Markup, html};

/// The entries of the bar on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NavEntry {
    Overview,
    Components,
    Integrations,
    Plan,
    Syncs,
    Receipts,
}

impl NavEntry {
    const OF_FOLDER: [NavEntry; 6] = [
        NavEntry::Overview,
        NavEntry::Components,
        NavEntry::Integrations,
        NavEntry::Plan,
        NavEntry::Syncs,
        NavEntry::Receipts,
    ];
    const OF_HUB: [NavEntry; 3] = [NavEntry::Overview, NavEntry::Syncs, NavEntry::Receipts];

    const fn name(self) -> &'static str {
        match self {
            NavEntry::Overview => "Overview",
            NavEntry::Components => "Components",
            NavEntry::Integrations => "Integrations",
            NavEntry::Plan => "Plan",
            NavEntry::Syncs => "Syncs",
            NavEntry::Receipts => "Receipts",
        }
    }

    const fn address(self) -> &'static str {
        match self {
            NavEntry::Overview => "/",
            NavEntry::Components => "/components",
            NavEntry::Integrations => "/integrations",
            NavEntry::Plan => "/plan",
            NavEntry::Syncs => "/syncs",
            NavEntry::Receipts => "/receipts",
        }
    }
}

/// A whole page.
pub(super) fn page(request: &Request, entry: Option<NavEntry>, title: &str, main: Markup) -> Markup {
    let Request { reading, desk, .. } = request;
    let (entries, counted, count): (&[NavEntry], _, _) = match &desk.options.shows {
        PageSubject::Folder(_) => {
            let actions = reading.shown.as_ref().map_or(0, |shown| shown.planned.plan.actions().count());
            (&NavEntry::OF_FOLDER, NavEntry::Plan, actions)
        }
        PageSubject::Hub(_) => {
            (&NavEntry::OF_HUB, NavEntry::Overview, reading.hub.as_ref().map_or(0, |hub| hub.waits_for_approval()))
        }
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body data-version=(reading.version) data-comparing[reading.is_comparing] {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    a.brand href="/" { (maud::PreEscaped(LOGO)) "Stablekey" }
                    nav aria-label="Main" {
                        @for &one in entries {
                            a href=(one.address()) aria-current=[(entry == Some(one)).then_some("page")] {
                                (one.name())
                                @if one == counted && count > 0 { span.count { (crate::text::thousands(count)) } }
                            }
                        }
                    }
                    div.state {
                        span title=(line(&desk.place())) { (line(&desk.name())) }
                        (state(reading))
                    }
                }
                main #main tabindex="-1" {
                    (notices(request))
                    (main)
                }
            }
        }
    }
}

/// A page as an answer.
pub(super) fn reply(request: &Request, entry: Option<NavEntry>, title: &str, main: Markup) -> Reply {
    reply::page(200, page(request, entry, title, main))
}

/// The page before the first reading is done.
pub(super) fn not_yet(request: &Request) -> Markup {
    let main = html! {
        h1 { "Reading …" }
        p.dim { "The tenants of " code { (line(&request.desk.place())) } " are read and compared. This page shows them as soon as that is done." }
        // Without script it asks again.
        noscript { meta http-equiv="refresh" content="1"; }
    };
    page(request, None, "Reading", main)
}

/// An address of the same view with one field of the query changed, from the first page of a list on.
pub(super) fn with(request: &Request, path: &'static str, name: &str, value: &str) -> String {
    let mut address = PageAddress::new(path);
    for (key, old) in request.fields.iter().filter(|(key, _)| ![name, "page", WRITTEN].contains(key)) {
        address = address.with(key, old);
    }
    address.with(name, value).text()
}
