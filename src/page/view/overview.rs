//! Keys and integrations by tenant, worst first, with what needs a person above.

use super::offer::offer;
use super::plan_entry::place;
use super::{bare_mark, mark, mark_as, mark_with_word};
use crate::page::address::{self, PageAddress};
use crate::page::consent::applicable;
use crate::page::html::LOGO;
use crate::page::layout::{self, NavEntry, line, text, with};
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::row_pages::RowPages;
use crate::page::shown::ShownProject;
use crate::report::overview::{
    Attention, AttentionLink, Overview, OverviewRow, OverviewState, RowCounts, StepGroup, TenantHealth,
};
use crate::text::{capital, count, thousands};
use maud::{DOCTYPE, Markup, html};

/// The most entries of what needs attention.
const ATTENTION: usize = 8;
/// The most cells of a static overview.
const STATIC_CELLS: usize = 10_000;
/// Up to this number of tenants words stand beside the glyphs.
const FEW: usize = 8;

/// Shows the connections.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    matrix(request, shown, request.fields.text("list") == "integrations", NavEntry::Overview)
}

/// Shows the integrations.
pub(in crate::page) fn integrations(request: &Request, shown: &ShownProject) -> Reply {
    matrix(request, shown, true, NavEntry::Integrations)
}

fn matrix(request: &Request, shown: &ShownProject, is_of_integrations: bool, entry: NavEntry) -> Reply {
    let overview = &shown.overview;
    let path = if entry == NavEntry::Integrations { "/integrations" } else { "/" };
    let (rows, counts) = match is_of_integrations {
        true => (&overview.integrations, &overview.counts.integrations),
        false => (&overview.connections, &overview.counts.keys),
    };
    let wanted = request.fields.text("q").trim().to_lowercase();
    let only = OverviewState::of_class(request.fields.text("show"));
    let tenant = overview.tenants.iter().position(|one| *one.name == *request.fields.text("tenant"));
    let is_meant = |row: &&OverviewRow| {
        let state = |state: OverviewState| match tenant {
            Some(at) => row.cells.get(at).is_some_and(|cell| cell.state == state),
            None => row.has(state),
        };
        let is_open = |at: usize| row.cells.get(at).is_some_and(|cell| !cell.state.is_quiet());
        let is_of_tenant = match (only, tenant) {
            (Some(OverviewState::InSync), None) => row.is_quiet(),
            (Some(only), _) => state(only),
            (None, Some(at)) => is_open(at),
            (None, None) => true,
        };
        is_of_tenant && (wanted.is_empty() || row.matches(&wanted))
    };
    let found: Vec<&OverviewRow> = rows.iter().filter(is_meant).collect();
    let pages = RowPages::of_matrix(request, found.len());
    let list = html! {
        section #list aria-label=(if is_of_integrations { "Integrations in every tenant" } else { "Connections in every tenant" }) {
            div.bar {
                @if entry == NavEntry::Overview {
                    nav.tabs aria-label="What to list" {
                        a href=(with(request, "/", "list", "")) aria-current=[(!is_of_integrations).then_some("page")] { "Connections " (thousands(overview.counts.keys.total)) }
                        a href=(with(request, "/", "list", "integrations")) aria-current=[is_of_integrations.then_some("page")] { "Integrations " (thousands(overview.counts.integrations.total)) }
                    }
                }
                form role="search" method="get" action=(path) data-search {
                    @for name in ["list", "show", "tenant"] { @if request.fields.has(name) { input type="hidden" name=(name) value=(request.fields.text(name)); } }
                    label.sr for="q" { "Search" }
                    input #q type="search" name="q" value=(request.fields.text("q")) placeholder=(if is_of_integrations { "Search integrations" } else { "Search keys, components, titles" });
                }
            }
            div.bar { (chips(request, path, only, counts)) }
            @if let Some(at) = tenant {
                p.dim { "Only " b { (line(request.fields.text("tenant"))) } ". " a href=(with(request, path, "tenant", "")) { "All tenants" } @if only.is_none() { ", " (tenant_words(overview.tenants.get(at))) } }
            }
            @if rows.is_empty() {
                p { @if is_of_integrations { "There is no integration yet." } @else { "There is no connection yet. " a href="/new" { "Add one" } " or run " code { "stablekey import" } "." } }
            } @else if found.is_empty() { p { "Nothing matches. " a href=(path) { "Show all" } } } @else {
                (table(shown, &found, &pages, !is_of_integrations))
                (pages.footer(|page| with(request, path, "page", page)))
            }
        }
    };
    let main = match entry {
        NavEntry::Overview => html! { (head(shown)) (two(shown)) (list) },
        _ => html! {
            div.head { div { h1 { "Integrations" } p { (count(overview.counts.integrations.total, "integration", "integrations")) " in " (count(overview.tenants.len(), "tenant", "tenants")) } } }
            (list)
        },
    };
    layout::reply(request, Some(entry), if entry == NavEntry::Overview { "Overview" } else { "Integrations" }, main)
}

fn tenant_words(health: Option<&TenantHealth>) -> String {
    health.map(TenantHealth::long_words).unwrap_or_default()
}

fn head(shown: &ShownProject) -> Markup {
    let overview = &shown.overview;
    html! {
        div.head {
            div { h1 { "Overview" } p { (sentence(overview)) } }
            div.do { a.button href="/new" { "Add connection" } a.button.main href="/plan" { "Review plan" } }
        }
        @if !shown.project.problems.is_empty() {
            div.notice.bad { p { a href="/problems" { (count(shown.project.problems.len(), "problem in files", "problems in files")) } ": what they may hold is unknown" } }
        }
    }
}

fn sentence(overview: &Overview) -> String {
    format!(
        "{} and {} in {}",
        count(overview.counts.keys.total, "connection", "connections"),
        count(overview.counts.integrations.total, "integration", "integrations"),
        count(overview.tenants.len(), "tenant", "tenants")
    )
}

fn two(shown: &ShownProject) -> Markup {
    let attention = &shown.overview.attention;
    html! {
        div.two {
            section aria-labelledby="h-attention" {
                h2 #h-attention { "Needs attention " span.count { (thousands(attention.len())) } }
                @if attention.is_empty() { p.dim { (untroubled(shown)) } }
                ol.rows { @for one in attention.iter().take(ATTENTION) { (attends(shown, one)) } }
                @if attention.len() > ATTENTION {
                    details.more-list data-key="more" {
                        summary { (thousands(attention.len() - ATTENTION)) " more" }
                        ol.rows { @for one in attention.iter().skip(ATTENTION).take(92) { (attends(shown, one)) } }
                        @if attention.len() > 100 { p.dim { "The plan lists all." } }
                    }
                }
            }
            (people(shown, shown.steps.groups()))
        }
    }
}

/// What stands where nothing needs a person.
fn untroubled(shown: &ShownProject) -> Markup {
    let changes = applicable(&shown.planned.plan).count();
    let is_quiet = shown.overview.tenants.iter().all(|tenant| tenant.worst.is_quiet());
    html! {
        @if changes > 0 { "No problems. " a href="/plan" { (count(changes, "change", "changes")) " can be applied" } "." }
        @else if is_quiet { "Nothing. Every tenant is in sync." }
        @else { "No problems. What is not in sync stands below." }
    }
}

/// The name and the tenants before the sentence.
fn heading(one: &Attention) -> Markup {
    html! {
        @if !one.name.is_empty() {
            b { (line(&about(one))) }
            @if let Some(tenants) = in_tenants(one) { " in " (line(&tenants)) }
            ": "
        }
    }
}

/// What an entry is about: its name, or the tenants where it is about these as a whole.
fn about(one: &Attention) -> String {
    match one.object {
        None if one.tenants.len() > 1 && one.tenants.iter().any(|tenant| **tenant == *one.name) => {
            crate::text::and(&one.tenants)
        }
        _ => one.name.clone(),
    }
}

/// The tenants of an entry, where its name does not say them.
fn in_tenants(one: &Attention) -> Option<String> {
    let says = one.tenants.iter().any(|tenant| **tenant == *one.name);
    (!one.tenants.is_empty() && !says).then(|| crate::text::and(&one.tenants))
}

fn attends(shown: &ShownProject, one: &Attention) -> Markup {
    let (to, word) = match &one.link {
        AttentionLink::Plan => ("/plan?show=approve".to_string(), "Review"),
        AttentionLink::Connection(key) => (address::connection(key), "Open"),
        AttentionLink::Integration(name) => {
            (address::integration(name, one.tenants.first().map_or("", |t| t.as_str())), "Open")
        }
        AttentionLink::Tenant(name) => (PageAddress::new("/plan").with("tenant", name).text(), "See the plan"),
        AttentionLink::Sync(_) => ("/syncs".to_string(), "See syncs"),
        AttentionLink::Steps => ("/steps".to_string(), "What to do"),
        AttentionLink::Nowhere => ("/problems".to_string(), "See problems"),
    };
    html! {
        li {
            (mark_as(one.state, one.word()))
            div {
                (heading(one)) (text(&one.sentence))
                @for detail in &one.details { div.about { (text(detail)) } }
                @if let Some(at) = &one.at { div.about { code { (line(&place(&shown.project.root, at))) } } }
                @for command in one.commands.iter().take(1) { (offer(command)) }
            }
            a href=(to) aria-label={ (word) ": " (line(&one.name)) } { (word) }
        }
    }
}

fn people(shown: &ShownProject, steps: &[StepGroup]) -> Markup {
    let counts = shown.steps.counts;
    html! {
        section aria-labelledby="h-people" {
            h2 #h-people { "Manual steps " span.count { (thousands(counts.all)) } }
            @if steps.is_empty() { p.dim { "None." } } @else {
                p.dim { (capital(&counts.words())) "." }
                dl.people {
                    @for group in steps {
                        dt { a href=(PageAddress::new("/steps").with("who", &group.who).text()) { (line(&group.who)) } span { (thousands(group.count)) } }
                        dd { (line(&group.summary)) }
                    }
                }
                a.more href="/steps" { "All steps, with links" }
            }
        }
    }
}

fn chips(request: &Request, path: &'static str, only: Option<OverviewState>, counts: &RowCounts) -> Markup {
    let chip = |state: Option<OverviewState>, word: &str, number: usize| {
        let to = with(request, path, "show", state.map_or("", OverviewState::class));
        html! {
            a href=(to) aria-current=[(only == state).then_some("true")] {
                @match state { Some(state) => (bare_mark(state)), None => span.i.none aria-hidden="true" { "∗" } }
                (word) " " span { (thousands(number)) }
            }
        }
    };
    html! {
        nav.chips aria-label="Show only" {
            (chip(None, "All", counts.total))
            @for (state, number) in counts.listed() { (chip(Some(state), &capital(state.word()), number)) }
        }
    }
}

/// The matrix of the rows of one page. Those that are in sync everywhere come last, below a head that counts all of them
/// that were found.
pub(in crate::page) fn table(
    shown: &ShownProject,
    found: &[&OverviewRow],
    pages: &RowPages,
    is_of_keys: bool,
) -> Markup {
    let rows: Vec<&OverviewRow> = pages.rows(found).copied().collect();
    let number = found.iter().filter(|row| row.is_quiet()).count();
    grid(&shown.overview, (&rows, number), is_of_keys, true)
}

/// A matrix, of which a number of rows is in sync everywhere.
fn grid(overview: &Overview, (rows, number): (&[&OverviewRow], usize), is_of_keys: bool, links: bool) -> Markup {
    let is_many = overview.tenants.len() > FEW;
    let quiet = rows.iter().position(|row| row.is_quiet());
    let columns = overview.tenants.len() + if is_of_keys { 3 } else { 2 };
    html! {
        div.scroll tabindex="0" role="region" aria-label=(if is_of_keys { "Connections by tenant" } else { "Integrations by tenant" }) {
            table.m.many[is_many] data-matrix[links] {
                colgroup { col.c-key; @if is_of_keys { col.c-kind.wide; } col.c-use.wide; col span=(overview.tenants.len().max(1)); }
                thead { tr {
                    th scope="col" { (if is_of_keys { "Stable key" } else { "Integration" }) }
                    @if is_of_keys { th.wide scope="col" { "Component" } }
                    th.wide scope="col" { (if is_of_keys { "Used by" } else { "Variables" }) }
                    @for tenant in &overview.tenants { th scope="col" { (column(tenant, links)) } }
                } }
                tbody {
                    @for (at, row) in rows.iter().enumerate() {
                        @if quiet == Some(at) && at > 0 { tr.group { th colspan=(columns) scope="rowgroup" { "In sync everywhere " span.count { (thousands(number)) } } } }
                        (self::row(overview, row, is_of_keys, links))
                    }
                }
            }
        }
    }
}

fn column(tenant: &TenantHealth, links: bool) -> Markup {
    let class = match tenant.worst {
        _ if tenant.unreachable.is_some() => "bad",
        OverviewState::InSync | OverviewState::Absent => "fine",
        OverviewState::Missing | OverviewState::Blocked => "bad",
        OverviewState::Create | OverviewState::Update | OverviewState::Adopt | OverviewState::Delete => "todo",
        OverviewState::Kept => "quiet",
        _ => "warn",
    };
    let (words, long) = (tenant.words(), tenant.long_words());
    let inner = html! {
        b { (line(&tenant.name)) }
        span class={ "dot " (class) } { (words) @if let Some(more) = long.strip_prefix(&words).filter(|more| !more.is_empty()) { span.sr { (more) } } }
    };
    let title = (long != words).then_some(long.as_str());
    html! {
        @if links { a href=(PageAddress::new("/").with("tenant", &tenant.name).text()) title=[title] { (inner) } } @else { (inner) }
    }
}

fn row(overview: &Overview, row: &OverviewRow, is_of_keys: bool, links: bool) -> Markup {
    let to = |anchor: &str| match is_of_keys {
        true => format!(
            "{}{}",
            address::connection(&row.key),
            if anchor.is_empty() { String::new() } else { format!("#t-{anchor}") }
        ),
        false => address::integration(&row.key, anchor),
    };
    html! {
        tr {
            th scope="row" { @if links { a.key href=(to("")) { (line(&row.key)) } } @else { span.key { (line(&row.key)) } } }
            @if is_of_keys { td.dim.wide { (line(&row.component)) } }
            td.dim.wide.num { (thousands(row.used_by)) }
            @for (tenant, cell) in overview.tenants.iter().zip(&row.cells) {
                td {
                    @let inner = html! {
                        @if links { (mark(cell.state)) } @else { (mark_with_word(cell.state, cell.state.word())) }
                        @if !cell.say.is_empty() { span.say { (line(&cell.say)) } }
                    };
                    @if links && !cell.state.is_quiet() { a href=(to(&tenant.name)) { (inner) } } @else { (inner) }
                }
            }
        }
    }
}

/// The overview as one file without script: what is not in sync, and counts of the rest. It is legible without its style.
pub(in crate::page) fn static_file(overview: &Overview, (name, read_at): (&str, &str), most: usize) -> String {
    let open = |rows: &[OverviewRow]| -> usize { rows.iter().filter(|row| !row.is_quiet()).count() };
    // Many tenants make wide rows: the file stays small all the same.
    let most = most.min(STATIC_CELLS / overview.tenants.len().max(1));
    let of_keys = open(&overview.connections).min(most);
    let part = |title: &str, rows: &[OverviewRow], counts: &RowCounts, most: usize| {
        let is_of_keys = std::ptr::eq(rows, overview.connections.as_slice());
        let shown: Vec<&OverviewRow> = rows.iter().filter(|row| !row.is_quiet()).take(most).collect();
        html! {
            section {
                h2 { (title) }
                p { (thousands(counts.total)) " in all, " (thousands(counts.in_sync_everywhere)) " in sync everywhere, " (thousands(open(rows))) " not." }
                p { @for (state, number) in counts.listed() { (bare_mark(state)) " " (capital(state.word())) ": " (thousands(number)) ". " } }
                @if !shown.is_empty() { (grid(overview, (&shown, 0), is_of_keys, false)) }
                @if open(rows) > shown.len() { p { (thousands(open(rows) - shown.len())) " more are not in sync: " code { "stablekey status" } " lists them." } }
            }
        }
    };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "Overview of " (name) " · Stablekey" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                style { (maud::PreEscaped(include_str!("../page.css"))) }
            }
            body {
                header.top { span.brand { (maud::PreEscaped(LOGO)) "Stablekey" } div.state { span { (line(name)) } } }
                main {
                    div.head { div { h1 { "Overview" } p { (sentence(overview)) } p.dim { (line(read_at)) } } }
                    @for tenant in overview.tenants.iter().filter(|tenant| tenant.unreachable.is_some()) {
                        p.notice.bad { b { (line(&tenant.name)) } " cannot be read: " (text(tenant.unreachable.as_deref().unwrap_or_default())) }
                    }
                    @if !overview.attention.is_empty() {
                        section { h2 { "Needs attention " span.count { (thousands(overview.attention.len())) } }
                            ol.rows { @for one in overview.attention.iter().take(100) { (attends_plainly(one)) } }
                            @if overview.attention.len() > 100 { p { "and " (thousands(overview.attention.len() - 100)) " more" } }
                        }
                    }
                    (part("Connections", &overview.connections, &overview.counts.keys, of_keys))
                    (part("Integrations", &overview.integrations, &overview.counts.integrations, most - of_keys))
                }
            }
        }
    };
    markup.into_string()
}

fn attends_plainly(one: &Attention) -> Markup {
    html! {
        li { (mark_with_word(one.state, one.word())) div {
            (heading(one)) (text(&one.sentence))
            @for detail in &one.details { div.about { (text(detail)) } }
        } span {} }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::overview::OverviewCell;

    fn overview(keys: usize, tenants: usize) -> Overview {
        let cells = || (0..tenants).map(|_| OverviewCell::of(OverviewState::NeedsApproval, "scopes, host"));
        let row =
            |number: usize| OverviewRow::new(&format!("salesforce-oauth-{number:05}"), "salesforce · oauth2", cells());
        Overview {
            tenants: (0..tenants).map(|number| TenantHealth::new(&format!("tenant-{number}"))).collect(),
            connections: (0..keys).map(row).collect(),
            integrations: (0..keys).map(row).collect(),
            ..Overview::default()
        }
    }

    /// "rows not in sync, at most 1,000, counts of the rest; ≤ 2 MB; no script".
    #[test]
    fn a_static_overview_is_bounded() {
        for tenants in [1, 5, 8, 20, 200] {
            let html = static_file(&overview(3_000, tenants), ("acme", ""), 1_000);
            assert!(html.len() <= 2_000_000, "{tenants}: {}", html.len());
            assert!(html.matches("<tr>").count() <= 1_000 + 2, "{tenants}");
            assert!(!html.contains("<script") && !html.contains("<a "), "{tenants}");
            assert!(html.contains("more are not in sync"), "{tenants}");
        }
        let html = static_file(&overview(0, 0), ("<b>", "Read today."), 1_000);
        assert!(html.contains("Overview of &lt;b&gt;") && html.contains("Read today."), "{html}");
    }
}
