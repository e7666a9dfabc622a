//! What a sync of one integration to a tenant would do, as a plan. Nothing is written.

use super::plan;
use crate::api::Kind;
use crate::engine::model::plan::Scope;
use crate::engine::model::record::Writer;
use crate::page::address::{self, PageAddress};
use crate::page::layout::{self, NavEntry, line};
use crate::page::refusals;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::project::planned;
use maud::html;
use std::collections::BTreeSet;

/// Shows the plan of one integration.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    let (name, from, to) = (request.fields.text("name"), request.fields.text("from"), request.fields.text("to"));
    for tenant in [from, to] {
        if !shown.project.tenants.contains_key(tenant) {
            let message = format!("There is no tenant {}.", line(tenant));
            let there = shown.project.tenants.keys().map(String::as_str);
            return refusals::unknown(request, (404, "No such tenant"), &message, tenant, there);
        }
    }
    if from == to {
        let help = "Choose another tenant in the integration.";
        let message = format!("{} is the tenant that it comes from.", line(to));
        return refusals::refused(request, 400, "The same tenant", &message, help);
    }
    // What cannot be read may have it: then the plan says so.
    let read = shown.planned.world.tenants.get(from).and_then(|view| view.live.inventory());
    if let Some(read) = read
        && !read.integrations.contains_key(name)
        && read.unparsed.is_empty()
        && !read.invalid.keys().any(|id| id.kind == Kind::Integration && id.name == name)
    {
        let message = format!("{} has no integration {}.", line(from), line(name));
        let there = read.integrations.keys().map(String::as_str);
        return refusals::unknown(request, (404, "No such integration"), &message, name, there);
    }
    // The sync that brings it, with its overrides; an ad-hoc sync where there is none.
    let brings = shown.project.syncs.iter().find_map(|sync| match &sync.writer {
        Writer::Sync(sync_name) if sync.spec.from == from && sync.spec.goes_to(to) && sync.spec.selects(name) => {
            Some(sync_name.clone())
        }
        _ => None,
    });
    let accepts =
        shown.project.tenants.get(to).is_some_and(|tenant| tenant.spec.accept_from.iter().any(|one| one == from));
    let scope = Scope {
        tenants: BTreeSet::from([to.to_string()]),
        integrations: BTreeSet::from([name.to_string()]),
        syncs: BTreeSet::from([brings.clone().unwrap_or_else(|| format!("{from}:{to}"))]),
        ..Scope::default()
    };
    let made = planned::plan(&shown.project, &scope).plan;
    let title = format!("{name} to {to}");
    let main = html! {
        div.head { div {
            nav.crumbs aria-label="Where this is" { a href="/integrations" { "Integrations" } span { "/" } a href=(address::integration(name, from)) { (line(name)) } span { "/" } }
            h1 { "What if " (line(name)) " goes to " (line(to)) }
            p {
                @match &brings {
                    Some(sync) => { "By sync " (line(sync)) ", with its overrides. " },
                    None => { "By an ad-hoc sync from " (line(from)) ". " },
                }
                (plan::sentence(&made))
            }
        } div.do { a.button href=(PageAddress::new("/plan").with("tenant", to).text()) { "Whole plan of " (line(to)) } } }
        @if !accepts {
            div.notice.warn { p { (line(to)) " does not accept syncs from " (line(from)) ": add it to acceptFrom of its Tenant. Until then nothing of this is written." } }
        }
        (plan::targets(shown, &made))
    };
    layout::reply(request, Some(NavEntry::Integrations), &title, main)
}
