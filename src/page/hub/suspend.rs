//! Suspends a tenant or a sync of the hub, and lets it go on, after showing what waits.

use super::shown::HubShown;
use super::words::{button, refused, settle};
use crate::api::{Kind, SyncMode};
use crate::hub::suspension::{self, HubPause};
use crate::hub::{HubFailure, OpenHub};
use crate::page::PageHub;
use crate::page::address::PageAddress;
use crate::page::fields::FormFields;
use crate::page::forms;
use crate::page::layout::{self, NavEntry, line};
use crate::page::reply::{self, Reply};
use crate::page::request::Request;
use crate::page::suspension::{AskedSuspension, asked};
use maud::html;
use std::sync::Arc;

/// The page that shows what a suspension or its end means.
pub(super) fn address(kind: Kind, name: &str, suspends: bool) -> String {
    let field = if kind == Kind::Tenant { "tenant" } else { "sync" };
    PageAddress::new("/suspend").with(field, name).with("suspend", if suspends { "on" } else { "off" }).text()
}

/// What a form or an address names.
fn named(fields: &FormFields) -> Result<AskedSuspension<'_>, HubFailure> {
    asked(fields).map_err(|(message, help)| HubFailure::new(message, help))
}

/// Shows what it means, with the form that does it.
pub(super) fn ask(request: &Request, shown: &HubShown) -> Reply {
    let named = named(&request.fields)
        .and_then(|asked| Ok((asked, suspension::is_suspended(&shown.hub, asked.kind, asked.name)?)));
    let (AskedSuspension { kind, name, suspends }, is_suspended) = match named {
        Ok(named) => named,
        Err(failure) => return refused(request, "Not possible", &failure, "/syncs"),
    };
    let word = if suspends { "Suspend" } else { "Resume" };
    let title = format!("{word} {kind} {name}");
    let waits = suspension::waits(&shown.hub, kind, name);
    let writes_at_once = shown.hub.contents.syncs.get(name).is_some_and(|sync| {
        kind == Kind::TenantSync && sync.spec.as_ref().is_ok_and(|spec| spec.mode == Some(SyncMode::Apply))
    });
    let right = match kind {
        Kind::Tenant => &shown.rights.tenants,
        _ if !suspends && writes_at_once => &shown.rights.approval,
        _ => &shown.rights.syncs,
    };
    let main = html! {
        div.head { div { h1 { (line(&title)) } p { "Nothing is changed yet." } } }
        @if is_suspended == suspends {
            p { @if suspends { "It is suspended already." } @else { "It is not suspended." } }
            p { a.button href="/syncs" { "Back" } }
        } @else {
            div.told { p {
                @if suspends { "Nothing is written from then on; what is being written is finished. Plans and statuses go on." }
                @else if writes_at_once { "The syncer then writes without asking, as its mode is Apply." }
                @else { "What waits goes on as each sync's mode has it." }
            }
            p { "If Git or another tool applies that object, change it there too: it would be set back." } }
            @if !waits.is_empty() {
                section { h2 { "As it was planned last" } ul.plain { @for one in &waits { li { (line(one)) } } } }
            }
            form.consent method="post" action="/suspend" data-keep {
                (forms::token(request))
                @for field in ["tenant", "sync", "suspend"] {
                    @if request.fields.has(field) { input type="hidden" name=(field) value=(request.fields.text(field)); }
                }
                input type="hidden" name="spec" value=(suspension::spec_digest(&shown.hub, kind, name).unwrap_or_default());
                span.dim { "At once, and with your own account." }
                a.button href="/syncs" { "Cancel" }
                (button(&format!("{word} {name}"), " main", right.as_deref()))
            }
        }
    };
    layout::reply(request, Some(NavEntry::Syncs), &title, main)
}

/// Does what the form names.
pub(super) fn suspend(request: &Request, from: &PageHub) -> Reply {
    match suspended(request, from) {
        Ok(()) => {
            settle(request);
            reply::see_other("/syncs")
        }
        Err(failure) => {
            let again = named(&request.fields).map(|asked| address(asked.kind, asked.name, asked.suspends));
            refused(request, "Nothing was changed", &failure, again.as_deref().unwrap_or("/syncs"))
        }
    }
}

fn suspended(request: &Request, from: &PageHub) -> Result<(), HubFailure> {
    let AskedSuspension { kind, name, suspends } = named(&request.fields)?;
    let mut hub = OpenHub::open(from.address.clone(), Arc::clone(&from.servers))?;
    let shown = Some(request.fields.text("spec"));
    suspension::suspend(&mut hub, &HubPause { kind, name, suspends, dry_run: false, shown }).map(drop)
}
