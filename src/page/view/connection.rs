//! A connection field by field, a column per tenant: what is equal is quiet, what differs is loud.

use super::mark;
use super::offer::offer;
use super::plan_entry::{actions_of_field, below, place};
use crate::api::Kind;
use crate::api::names;
use crate::engine::model::inventory::View;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::record::Writer;
use crate::git::{FileCommit, Repository};
use crate::manifest::{SourcePlace, locate_all};
use crate::page::address::{self, PageAddress};
use crate::page::forms;
use crate::page::layout::{self, NavEntry, line, text};
use crate::page::refusals;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::report::connection_fields::{
    ConnectionFields, ConnectionInTenant, FieldCell, FieldGroup, FieldRow, FieldState, ShownValue, WrittenBy,
};
use crate::report::overview::OverviewState;
use crate::text::count;
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The most integrations that are listed.
const MOST: usize = 50;

/// Shows a connection.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    let key = request.fields.text("key");
    let fields = ConnectionFields::of(&shown.planned.world, &shown.planned.plan, key);
    let row = shown.overview.connections.iter().find(|row| *row.key == *key);
    if !fields.is_anywhere() && row.is_none() {
        let keys = shown.overview.connections.iter().map(|row| &*row.key);
        let mut message = format!("No tenant that could be read has a connection {}.", line(key));
        let unread = shown.overview.tenants.iter().filter(|tenant| tenant.unknown.is_some());
        let unread: Vec<&str> = unread.map(|tenant| &*tenant.name).collect();
        if !unread.is_empty() {
            message.push_str(&format!(" Not all of {} could be read: it may be there.", line(&unread.join(", "))));
        }
        return refusals::unknown(request, (404, "No such connection"), &message, key, keys);
    }
    let component = row.map_or("", |row| &*row.component);
    let name = row.map_or("", |row| &*row.component_name);
    let open = fields.tenants.iter().filter(|tenant| !tenant.cell.state.is_quiet()).count();
    let waits = fields.tenants.iter().filter(|tenant| tenant.action.is_some()).count();
    let main = html! {
        div.head {
            div {
                nav.crumbs aria-label="Where this is" {
                    a href="/components" { "Components" } span { "/" }
                    @if !name.is_empty() { a href=(address::component(name)) { (line(name)) } span { "/" } }
                }
                h1.key { (line(key)) }
                p { (line(component)) }
            }
            @if waits > 0 { div.do { a.button.main href=(PageAddress::new("/plan").with("q", &names::of_stable_key(key)).text()) { "Review " (count(waits, "change", "changes")) } } }
        }
        div.facts {
            span { b { (open) } " of " (count(fields.tenants.len(), "tenant", "tenants")) " open" }
            (users(&fields))
        }
        (table(request, shown, &fields, key))
        div.three { (used_by(&fields)) (history(shown, key)) (remarks(&fields)) }
    };
    layout::reply(request, Some(NavEntry::Components), key, main)
}

fn users(fields: &ConnectionFields) -> Markup {
    let integrations: std::collections::BTreeSet<&str> =
        fields.tenants.iter().flat_map(|tenant| &tenant.used_by).map(|one| one.name.as_str()).collect();
    let customers: usize = fields.tenants.iter().map(|tenant| tenant.customers).sum();
    html! {
        span { b { (integrations.len()) } @if integrations.len() == 1 { " integration uses it" } @else { " integrations use it" } }
        @if customers > 0 { span { b { (customers) } @if customers == 1 { " customer" } @else { " customers" } } }
    }
}

/// The state in a tenant, beside its mark.
fn words(tenant: &ConnectionInTenant) -> String {
    line(if tenant.cell.say.is_empty() { tenant.cell.state.word() } else { &tenant.cell.say })
}

/// Whether the plan sets or clears the switch for embedded workflows in a tenant; `None` if it changes nothing.
fn planned_embedded(shown: &ShownProject, tenant: &str, key: &str) -> Option<bool> {
    let id = ObjectId::new(Kind::Connection, names::of_stable_key(key));
    let target = shown.planned.plan.targets.iter().find(|target| target.tenant == tenant)?;
    let action = target.actions.iter().chain(&target.waiting).find(|action| action.change.object == id)?;
    match &action.change.after {
        Some(Item::Connection(connection)) => Some(connection.spec.embedded_workflows == Some(true)),
        _ => None,
    }
}

/// What one tenant can do with the connection.
fn head(request: &Request, shown: &ShownProject, tenant: &ConnectionInTenant, key: &str) -> Markup {
    let query = |path: &'static str| PageAddress::new(path).with("tenant", &tenant.tenant).with("key", key);
    // The button edits what is declared in the tenant's own source; what is live may still be another value.
    let view = shown.planned.world.tenants.get(&tenant.tenant);
    let says_on = |read: &View| Some(read.inventory()?.connection(key)?.spec.embedded_workflows == Some(true));
    let live = view.and_then(|view| says_on(&view.live));
    // Without a source, what the plan brings is desired.
    let declared = view.and_then(|view| says_on(view.source.as_ref()?));
    let declared = declared.or_else(|| planned_embedded(shown, &tenant.tenant, key)).or(live);
    let is_on = declared == Some(true);
    let has_manifests = shown.planned.world.tenants.get(&tenant.tenant).is_some_and(|view| view.spec.has_manifests());
    html! {
        b { (line(&tenant.tenant)) }
        span.state { (mark(tenant.cell.state)) " " (words(tenant)) }
        @if tenant.is_there && has_manifests {
            div.then {
                a href=(query("/set").text()) aria-label={ "Edit in " (line(&tenant.tenant)) } { "Edit" }
                a href=(query("/set").with("part", "test").text()) aria-label={ "Test credentials in " (line(&tenant.tenant)) } { "Test credentials" }
            }
            form method="post" action="/set" {
                (forms::token(request))
                input type="hidden" name="tenant" value=(tenant.tenant);
                input type="hidden" name="key" value=(key);
                input type="hidden" name="part" value="embedded";
                input type="hidden" name="back" value=(address::connection(key));
                input type="hidden" name="embedded" value=(if is_on { "off" } else { "on" });
                button.switch aria-pressed=(if is_on { "true" } else { "false" }) aria-label={ "Embedded workflows in " (line(&tenant.tenant)) } { i {} "Embedded" }
                @if let Some(live) = live.filter(|live| *live != is_on) { " " span.dim { "live: " (if live { "on" } else { "off" }) } }
            }
        } @else if !tenant.is_there && has_manifests && !matches!(tenant.cell.state, OverviewState::Create | OverviewState::Unknown) {
            div.then { a href=(PageAddress::new("/new").with("tenant", &tenant.tenant).with("key", key).with("back", &address::connection(key)).text()) aria-label={ "Create in " (line(&tenant.tenant)) } { "Create" } }
        }
    }
}

/// The files and lines of the fields, by tenant and field path.
type Places = BTreeMap<(usize, usize), String>;

/// Where each value stands: in the file that declares it for the tenant, else in the tenant's own folder.
fn places(shown: &ShownProject, fields: &ConnectionFields) -> Places {
    let id = ObjectId::new(Kind::Connection, names::of_stable_key(&fields.key));
    let mut found = Places::new();
    let mut at = Vec::new();
    let mut wanted = Vec::new();
    for (y, row) in fields.rows.iter().enumerate() {
        for (x, (cell, tenant)) in row.cells.iter().zip(&fields.tenants).enumerate() {
            if !cell.value.is_there() {
                continue;
            }
            if let WrittenBy::Override { sync, position, .. } = &cell.by {
                let place = shown.place_of_override(sync, *position).map(|at| place(&shown.project.root, at));
                found.extend(place.map(|place| ((y, x), place)));
                continue;
            }
            let source = match &cell.by {
                WrittenBy::Writers(writers) => source_of(shown, writers),
                _ => None,
            };
            let of =
                |tenant: &str| shown.project.declared(tenant, &id).or_else(|| shown.project.origin(Some(tenant), &id));
            if let Some(place) = source.and_then(of).or_else(|| of(&tenant.tenant)) {
                at.push((y, x));
                wanted.push((place, row.field.document_path()));
            }
        }
    }
    let lines = locate_all(&wanted);
    let place = |(at, ((place, _), line)): (_, (&(&SourcePlace, _), Option<u32>))| {
        Some((at, format!("{}:{}", below(&shown.project.root, &place.file.path), line?)))
    };
    found.extend(at.into_iter().zip(wanted.iter().zip(lines)).filter_map(place));
    found
}

/// The tenant that a sync copies a value from, where only one writes it.
fn source_of<'s>(shown: &'s ShownProject, writers: &[Writer]) -> Option<&'s str> {
    let [writer] = writers else { return None };
    let sync = shown.project.syncs.iter().find(|sync| sync.writer == *writer)?;
    Some(&sync.spec.from)
}

fn table(request: &Request, shown: &ShownProject, fields: &ConnectionFields, key: &str) -> Markup {
    let places = places(shown, fields);
    let all = request.fields.text("show") == "all";
    let different = fields.rows.iter().filter(|row| fields.differs(row)).count();
    let is_all = all || different == 0;
    let to = |show: &str| PageAddress::new("/connection").with("key", key).with("show", show).text();
    let parts = [
        (FieldGroup::About, None),
        (FieldGroup::Inputs, Some("Inputs")),
        (FieldGroup::TestInputs, Some("Test credentials")),
        (FieldGroup::Metadata, Some("Labels and annotations")),
    ];
    html! {
        section aria-label="Fields in every tenant" {
            @if different > 0 {
                div.bar { nav.chips aria-label="Fields" {
                    a href=(to("")) aria-current=[(!is_all).then_some("true")] { span.i.change aria-hidden="true" { "~" } "Different fields " (different) }
                    a href=(to("all")) aria-current=[is_all.then_some("true")] { "All fields " (fields.rows.len()) }
                } }
            }
            div.scroll tabindex="0" role="region" aria-label="Fields by tenant" {
                table.f {
                    colgroup { col.c-field; col span=(fields.tenants.len().max(1)); }
                    thead { tr { th scope="col" { "Field" } @for tenant in &fields.tenants { th scope="col" #{ "t-" (tenant.tenant) } { (head(request, shown, tenant, key)) } } } }
                    @for (group, title) in parts {
                        @let rows: Vec<(usize, &FieldRow)> = fields.rows.iter().enumerate().filter(|(_, row)| row.group == group && (is_all || fields.differs(row))).collect();
                        @if !rows.is_empty() {
                            tbody {
                                @if let Some(title) = title { tr.part { th scope="rowgroup" colspan=(fields.tenants.len() + 1) { (title) } } }
                                @for (y, row) in rows {
                                    tr {
                                        th scope="row" { (line(&row.label())) @if row.is_required { span.must { " required" } } }
                                        @for (x, (cell, tenant)) in row.cells.iter().zip(&fields.tenants).enumerate() {
                                            td data-t=(tenant.tenant) .same[cell.is_as_first && x > 0 && !cell.state.is_open()] { (value(fields, row, cell, tenant, places.get(&(y, x)))) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn value(
    fields: &ConnectionFields,
    row: &FieldRow,
    cell: &FieldCell,
    tenant: &ConnectionInTenant,
    place: Option<&String>,
) -> Markup {
    let id = ObjectId::new(Kind::Connection, names::of_stable_key(&fields.key));
    let state = match cell.state {
        FieldState::Update => Some(OverviewState::Update),
        FieldState::Waiting => Some(OverviewState::Waiting),
        FieldState::Drift | FieldState::DriftIgnored => Some(OverviewState::Drift),
        FieldState::Kept => Some(OverviewState::Kept),
        FieldState::Unknown => Some(OverviewState::Unknown),
        _ => None,
    };
    let is_plain = matches!(cell.value, ShownValue::PerCustomer | ShownValue::Absent | ShownValue::Hidden);
    html! {
        @if cell.value.is_there() || cell.state != FieldState::Absent {
            span.v.plain[is_plain] {
                @if let Some(state) = state { (mark(state)) " " }
                @match &cell.desired {
                    Some(desired) if cell.value.is_there() && desired.is_there() => { del { (line(&cell.value.words())) } " " ins { (line(&desired.words())) } },
                    Some(desired) if desired.is_there() => ins { (line(&desired.words())) },
                    Some(_) => del { (line(&cell.value.words())) },
                    None => (line(&cell.value.words())),
                }
            }
            @if cell.value == ShownValue::PerCustomer { span.own { (count(cell.given, "customer has it", "customers have it")) } }
            @if cell.by != WrittenBy::Nobody || cell.value.is_there() {
                span.own {
                    @if cell.by.syncs().is_empty() { (line(&cell.by.words())) } @else { a href="/syncs" { (line(&cell.by.words())) } }
                    @if let Some(place) = place { " · " code { (line(place)) } }
                }
            }
            @if matches!(cell.state, FieldState::Drift | FieldState::DriftIgnored | FieldState::Kept) {
                (actions_of_field(&tenant.tenant, &id, &row.field.to_string()))
            }
        } @else { span.v.plain { "not set" } }
    }
}

fn used_by(fields: &ConnectionFields) -> Markup {
    let mut by_name: BTreeMap<&str, (usize, usize, Vec<&str>)> = BTreeMap::new();
    for tenant in &fields.tenants {
        for one in &tenant.used_by {
            let (flows, steps, tenants) = by_name.entry(&one.name).or_default();
            (*flows, *steps) = ((*flows).max(one.flows), (*steps).max(one.steps));
            tenants.push(&tenant.tenant);
        }
    }
    html! {
        section aria-labelledby="h-used" {
            h2 #h-used { "Used by " span.count { (by_name.len()) } }
            @if by_name.is_empty() { p.dim { "No integration that could be read uses it." } }
            ul.tree {
                @for (name, (flows, steps, tenants)) in by_name.iter().take(MOST) {
                    li {
                        a href=(address::integration(name, tenants.first().copied().unwrap_or_default())) { (line(name)) }
                        span { (count(*flows, "flow", "flows")) " · " (count(*steps, "step", "steps")) " · " (line(&tenants.join(", "))) }
                    }
                }
                @if by_name.len() > MOST { li.dim { "and " (by_name.len() - MOST) " more" } }
            }
            @for tenant in fields.tenants.iter().filter(|tenant| tenant.customers > 0) {
                p.dim { (line(&tenant.tenant)) ": " (count(tenant.customers, "customer", "customers")) }
            }
        }
    }
}

/// The most commits that are listed.
const COMMITS: usize = 8;

/// The commits that changed the file in which the connection is declared, by tenant.
fn history(shown: &ShownProject, key: &str) -> Markup {
    let id = ObjectId::new(Kind::Connection, names::of_stable_key(key));
    let Ok(repository) = Repository::around(&shown.project.root) else { return html! {} };
    let mut files: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for tenant in shown.project.tenants.keys() {
        let declared = shown.project.declared(tenant, &id).or_else(|| shown.project.origin(Some(tenant), &id));
        if let Some(path) = declared.and_then(|place| repository.below(Path::new(&place.file.path))) {
            files.entry(path).or_insert(tenant);
        }
    }
    let mut commits: Vec<(FileCommit, Vec<&str>)> = Vec::new();
    let mut is_cut = false;
    for (path, tenant) in files {
        let found = repository.history(&path, COMMITS);
        is_cut |= found.is_cut;
        for commit in found.commits {
            match commits.iter_mut().find(|(known, _)| known.id == commit.id) {
                Some((_, tenants)) => tenants.push(tenant),
                None => commits.push((commit, vec![tenant])),
            }
        }
    }
    commits.sort_by_key(|(commit, _)| std::cmp::Reverse(commit.seconds));
    html! {
        section aria-labelledby="h-history" {
            h2 #h-history { "History" }
            @if commits.is_empty() { p.dim { "No commit has it yet." } }
            ul.tree {
                @for (commit, tenants) in commits.iter().take(COMMITS) {
                    @let short = commit.id.get(..10).unwrap_or(&commit.id);
                    li {
                        span { (line(&commit.subject)) " · " (line(&tenants.join(", "))) }
                        span {
                            (day(commit.seconds)) " "
                            @match repository.page_of(commit) { Some(page) => a href=(page) rel="noreferrer" title=(line(&commit.author)) { (short) }, None => code title=(line(&commit.author)) { (short) } }
                        }
                    }
                }
                @if is_cut || commits.len() > COMMITS { li.dim { "Older commits are not shown." } }
            }
        }
    }
}

/// The day of a commit, in UTC.
fn day(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// What the plan says of it: of each tenant in which something is open, and then of others.
fn remarks(fields: &ConnectionFields) -> Markup {
    let has_remarks = |tenant: &&ConnectionInTenant| {
        !tenant.remarks.is_empty() || !tenant.lacks.is_empty() || tenant.unknown.is_some()
    };
    let (open, others): (Vec<_>, Vec<_>) = fields.tenants.iter().partition(|tenant| !tenant.cell.state.is_quiet());
    html! {
        (remarks_of("h-open", "What is open", &open))
        (remarks_of("h-notes", "Notes", &others.into_iter().filter(has_remarks).collect::<Vec<_>>()))
    }
}

fn remarks_of(id: &str, title: &str, tenants: &[&ConnectionInTenant]) -> Markup {
    html! {
        @if !tenants.is_empty() {
            section aria-labelledby=(id) {
                h2 #(id) { (title) " " span.count { (tenants.len()) } }
                @for tenant in tenants {
                    div.step {
                        p { b { (line(&tenant.tenant)) } @if !tenant.cell.state.is_quiet() { " " (mark(tenant.cell.state)) " " (words(tenant)) } }
                        @if let Some(why) = &tenant.unknown { p { "Not all that is declared for it is known: " (text(why)) ". " a href="/problems" { "See problems" } } }
                        @if !tenant.lacks.is_empty() { p { "It lacks " (line(&tenant.lacks.join(", "))) } }
                        @for remark in &tenant.remarks {
                            p { (text(&remark.text)) }
                            @if let Some(fix) = &remark.fix { p.dim { "→ " (text(fix)) } }
                            @for command in &remark.commands { (offer(command)) }
                        }
                    }
                }
            }
        }
    }
}
