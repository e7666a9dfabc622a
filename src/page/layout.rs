//! What all pages share: the head, the bar on top, and how a form, a note and a refusal look.

use super::PageSubject;
use super::address::PageAddress;
use super::asked::{MisnamedAddress, MisnamedHelp};
use super::desk::{Reading, UnwatchedTenant};
use super::html::head;
pub(super) use super::html::{LOGO, line, text};
use super::near::did_you_mean;
use super::reply::{self, Reply};
use super::request::{Request, WRITTEN};
use crate::author::AuthorError;
use crate::near_miss::{near_misses, near_or_all};
use crate::text::{capital, count, quoted};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};
use std::collections::BTreeSet;

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

/// Whether what is shown is what is there now.
fn state(reading: &Reading) -> Markup {
    let (class, text) = match reading {
        Reading { is_comparing: true, .. } => ("live busy", "Comparing …"),
        Reading { failure: Some(_), .. } => ("live bad", "Not read"),
        Reading { unwatched: Some(_), .. } => ("live warn", "Not watched"),
        Reading { unwatched_tenants, .. } if !unwatched_tenants.is_empty() => ("live warn", "Not watched"),
        _ => ("live", "Live"),
    };
    html! { span #state class=(class) role="status" { (text) } }
}

/// What to know on every page.
fn notices(request: &Request) -> Markup {
    let written = request.fields.text(WRITTEN).parse::<u16>().ok().map(usize::from);
    let Reading { failure, unwatched, unwatched_tenants, shown, hub, read_at, .. } = &request.reading;
    let what = match request.desk.options.shows {
        PageSubject::Folder(_) => "The project cannot be read: ",
        PageSubject::Hub(_) => "",
    };
    html! {
        @if let Some(written) = written {
            div.notice.good role="status" { p { @if written == 0 { "The ownership record is written." } @else { "Written: " (count(written, "file", "files")) "." } } }
        }
        @if let Some(failure) = failure {
            div.notice.bad role="alert" {
                p { b { (what) } (text(&failure.message)) }
                (steps(&failure.help))
                (read_again(request))
                @if shown.is_some() || hub.is_some() {
                    p.dim { "What was read before" @if let Some(at) = read_at { ", at " (time(*at)) "," } " is shown. What was in sync then is unknown now." }
                }
            }
        }
        @if let Some((sentence, commands)) = hub.as_ref().and_then(|hub| hub.dead_syncer()) {
            div.notice.bad role="alert" { p { (text(&capital(&sentence))) "." } @for command in commands { pre.command { (line(&command)) } } }
        }
        @if let Some(why) = unwatched {
            div.notice.warn {
                p { "Changes of files are not noticed by themselves: " (text(why)) }
                (read_again(request))
            }
        }
        @if !unwatched_tenants.is_empty() {
            div.notice.warn {
                @for one in unwatched_tenants { (unnoticed(one)) }
                p { "Until changes are noticed, tenants are read every minute, and by this button:" }
                (read_again(request))
            }
        }
    }
}

/// That changes of a tenant are not noticed, and what to do.
fn unnoticed(one: &UnwatchedTenant) -> Markup {
    let UnwatchedTenant { tenant, context, namespace, why, is_forbidden } = one;
    let flag = context.iter().map(|context| format!(" --context {}", quoted(context))).collect::<String>();
    html! {
        p { "Changes of " b { (line(tenant)) } " (" @if let Some(context) = context { "context " (line(context)) ", " } "namespace " (line(namespace)) ") are not noticed: " (text(why)) }
        @if *is_forbidden {
            p { "Your account needs the verbs list and watch there. This says whether it has them:" }
            pre.command { "kubectl auth can-i watch connections.stablekey.dev" (line(&flag)) " -n " (line(namespace)) }
        }
    }
}

/// A moment of this day, for who was there: `18:20 UTC`.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%H:%M UTC").to_string()
}

/// The button that reads everything again.
pub(super) fn read_again(request: &Request) -> Markup {
    html! {
        form method="post" action="/read" {
            (token(request))
            input type="hidden" name="back" value=(request.here());
            button.button { "Read again" }
        }
    }
}

/// A field for a text. One of several lines keeps them: browsers take line breaks out of other fields.
pub(super) fn text_field(id: &str, name: &str, value: &str, hint: Option<&str>, help: Option<&str>) -> Markup {
    html! {
        @if value.contains('\n') {
            // The first line break after the tag is none of the text.
            textarea id=(id) name=(name) rows=(value.lines().count().clamp(2, 20)) placeholder=[hint] aria-describedby=[help] autocomplete="off" spellcheck="false" { "\n" (value) }
        } @else {
            input id=(id) type="text" name=(name) value=(value) placeholder=[hint] aria-describedby=[help] autocomplete="off" spellcheck="false";
        }
    }
}

/// The hidden field that each form carries.
pub(super) fn token(request: &Request) -> Markup {
    html! { input type="hidden" name="token" value=(request.visitor.token); }
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

/// A message with what to do, whose commands stand on lines of their own.
pub(super) fn refusal(message: &str, help: &str) -> Markup {
    notice(message, steps(help))
}

fn notice(message: &str, help: Markup) -> Markup {
    html! { div.notice.bad role="alert" { p { (text(message)) } (help) } }
}

/// What to do: a command is shown as one that can be copied.
pub(super) fn steps(help: &str) -> Markup {
    html! {
        @for line in help.lines().filter(|line| !line.trim().is_empty()) {
            @if line.trim_start().starts_with("stablekey ") || line.trim_start().starts_with("kubectl ") {
                pre.command { (self::line(line.trim())) }
            } @else {
                p { (text(line)) }
            }
        }
    }
}

/// An address of the same view with one field of the query changed, from the first page of a list on.
pub(super) fn with(request: &Request, path: &'static str, name: &str, value: &str) -> String {
    let mut address = PageAddress::new(path);
    for (key, old) in request.fields.iter().filter(|(key, _)| ![name, "page", WRITTEN].contains(key)) {
        address = address.with(key, old);
    }
    address.with(name, value).text()
}
