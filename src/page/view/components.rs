//! Components, and the connections of each in every tenant: the platform's connections page.

use super::overview::table;
use crate::page::address::{self, PageAddress};
use crate::page::layout::{self, NavEntry, line, with};
use crate::page::refusals;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::row_pages::RowPages;
use crate::page::shown::ShownProject;
use crate::report::overview::OverviewRow;
use crate::text::count;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Shows the components, or the connections of one.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    match request.fields.filled("component") {
        Some(component) => of_component(request, shown, component),
        None => all(request, shown),
    }
}

fn all(request: &Request, shown: &ShownProject) -> Reply {
    let wanted = request.fields.text("q").trim().to_lowercase();
    let mut components: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for name in shown.components.iter() {
        components.entry(name).or_default();
    }
    for row in &shown.overview.connections {
        let (keys, open) = components.entry(&row.component_name).or_default();
        *keys += 1;
        *open += usize::from(!row.is_quiet());
    }
    components.retain(|name, _| !name.is_empty() && name.to_lowercase().contains(&wanted));
    let main = html! {
        div.head {
            div { h1 { "Components" } p { (count(components.len(), "component", "components")) @if components.len() == 1 { ", with its connections in every tenant" } @else { ", with their connections in every tenant" } } }
            div.do { a.button.main href="/new" { "Add connection" } }
        }
        div.bar {
            form role="search" method="get" action="/components" data-search {
                label.sr for="q" { "Search components" }
                input #q type="search" name="q" value=(request.fields.text("q")) placeholder="Search components";
            }
        }
        ul.tree #list {
            @for (name, (keys, open)) in &components {
                li {
                    a href=(address::component(name)) { (line(name)) }
                    span { (count(*keys, "connection", "connections")) @if *open > 0 { " · " (open) " open" } }
                }
            }
            @if components.is_empty() { li.dim { "No component matches." } }
        }
    };
    layout::reply(request, Some(NavEntry::Components), "Components", main)
}

fn of_component(request: &Request, shown: &ShownProject, component: &str) -> Reply {
    let rows: Vec<&OverviewRow> =
        shown.overview.connections.iter().filter(|row| *row.component_name == *component).collect();
    let is_known = !rows.is_empty() || shown.components.contains(component);
    if !is_known {
        let message = format!("No tenant has a component {}.", line(component));
        let there = shown.components.iter().map(String::as_str);
        return refusals::unknown(request, (404, "No such component"), &message, component, there);
    }
    let pages = RowPages::of_matrix(request, rows.len());
    let main = html! {
        div.head {
            div {
                nav.crumbs aria-label="Where this is" { a href="/components" { "Components" } span { "/" } }
                h1 { (line(component)) }
                p { (count(rows.len(), "connection", "connections")) " in " (count(shown.overview.tenants.len(), "tenant", "tenants")) }
            }
            div.do { a.button.main href=(PageAddress::new("/new").with("component", component).with("back", &address::component(component)).text()) { "Add connection" } }
        }
        @if rows.is_empty() { p { "It has no connection yet. Add one." } } @else {
            (table(shown, &rows, &pages, true))
            (footer(request, &pages))
        }
    };
    layout::reply(request, Some(NavEntry::Components), component, main)
}

fn footer(request: &Request, pages: &RowPages) -> Markup {
    pages.footer(|page| with(request, "/components", "page", page))
}
