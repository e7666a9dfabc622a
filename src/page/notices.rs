//! What to know on every page: whether it shows what is there now, and why not.

use super::PageSubject;
use super::desk::{Reading, UnwatchedTenant};
use super::forms::read_again;
use super::html::{line, text};
use super::message::steps;
use super::request::{Request, WRITTEN};
use crate::text::{capital, count, quoted};
use jiff::Timestamp;
use maud::{Markup, html};

/// Whether what is shown is what is there now.
pub(super) fn state(reading: &Reading) -> Markup {
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
pub(super) fn notices(request: &Request) -> Markup {
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
