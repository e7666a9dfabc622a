//! The status for a terminal.

use crate::render::findings;
use crate::render::invocation::Invocation;
use crate::render::page::{Page, Span, command, faint, plain, strong, width};
use crate::render::plan_text::as_far_as;
use crate::render::style::{Style, Tone};
use crate::report::matrix::{Cell, Matrix};
use crate::report::status::{Status, SyncState, TenantLine, What};
use crate::text::{self as escape, and, count, thousands};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use std::collections::BTreeSet;
use std::ops::Range;

/// Rows of the matrix, and items of a list, that one page shows.
const MOST: usize = 60;

/// The status for a terminal.
pub fn status_text(status: &Status, typed: &Invocation, style: Style) -> String {
    let mut page = Page::new(style);
    for line in &status.passed_over {
        page.wrap(0, 2, &[faint(line)]);
    }
    tenants(status, &mut page);
    components(status, &mut page);
    matrix(&mut page, &status.matrix);
    out_of_sync(status, &mut page);
    if !status.findings.is_empty() {
        page.gap();
        page.line(0, &[strong("checks")]);
        findings::by_tenant(&mut page, 2, &status.findings);
    }
    page.gap();
    if !status.todo.is_empty() {
        let items = count(status.todo.len(), "manual step", "manual steps");
        let todo = command(format!("{} --todo", typed.status()));
        page.wrap(0, 2, &[plain(format!("{items} pending: ")), todo]);
    }
    if !status.out_of_sync.is_empty() {
        page.wrap(0, 2, &[plain("Preview the fix: "), command(typed.plan())]);
    }
    page.finish()
}

fn tenants(status: &Status, page: &mut Page) {
    page.line(0, &[strong("tenants")]);
    let columns = status.tenants.iter().map(|t| width(&t.tenant)).max().unwrap_or(0);
    for tenant in &status.tenants {
        let name = strong(&tenant.tenant);
        if let Some(why) = &tenant.unreachable {
            page.labelled(2, name, columns, &[Span::new(Tone::Bad, format!("✗ unreachable: {why}"))]);
            continue;
        }
        let mark = match tenant.state {
            SyncState::Unknown => plain("· "),
            SyncState::InSync if tenant.summary.is_empty() => Span::new(Tone::Good, "✓ "),
            SyncState::InSync | SyncState::Differs => Span::new(Tone::Careful, "! "),
        };
        let is_planned = tenant.state != SyncState::Unknown || !tenant.summary.is_empty();
        let not_planned = if is_planned { "" } else { ", not planned" };
        page.labelled(2, name, columns, &[mark, plain(facts(tenant)), plain(not_planned)]);
        if !tenant.summary.is_empty() {
            page.wrap(columns + 6, columns + 6, &[Span::new(Tone::Careful, &tenant.summary)]);
        }
    }
}

fn components(status: &Status, page: &mut Page) {
    if status.components.is_empty() {
        return;
    }
    page.gap();
    page.line(0, &[strong("components")]);
    let columns = status.components.iter().map(|c| width(&c.component.to_string())).max().unwrap_or(0).min(32);
    for line in &status.components {
        const KEYS: usize = 8;
        let keys: Vec<&str> = line.connections.iter().take(KEYS).map(String::as_str).collect();
        let more = line.connections.len().saturating_sub(KEYS);
        let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
        page.labelled(2, plain(line.component.to_string()), columns, &[plain(keys.join(", ")), faint(more)]);
    }
}

fn out_of_sync(status: &Status, page: &mut Page) {
    page.gap();
    whether_in_sync(status, page);
    if status.out_of_sync.is_empty() {
        return;
    }
    page.line(0, &[strong("out of sync")]);
    let columns = status.out_of_sync.iter().map(|o| width(&o.tenant)).max().unwrap_or(0);
    for item in status.out_of_sync.iter().take(MOST) {
        let tone = match item.what {
            What::Blocked => Tone::Bad,
            What::NeedsApproval | What::Drifted => Tone::Careful,
            What::Update | What::Create | What::Delete | What::Adopt | What::Kept => Tone::Plain,
        };
        let what = Span::new(tone, item.what.as_str());
        let spans = [what, plain("  "), strong(item.object.to_string()), plain(format!("  {}", item.text))];
        page.labelled(2, plain(&item.tenant), columns, &spans);
    }
    more(page, status.out_of_sync.len());
}

/// Says that nothing differs only of tenants that were read and planned whole.
fn whether_in_sync(status: &Status, page: &mut Page) {
    let unread: Vec<&str> =
        status.tenants.iter().filter(|t| t.unreachable.is_some()).map(|t| t.tenant.as_str()).collect();
    let planned: Vec<&TenantLine> = status.tenants.iter().filter(|t| t.state != SyncState::Unknown).collect();
    let of_which = if planned.len() == status.tenants.len() {
        String::new()
    } else {
        let names: Vec<&str> = planned.iter().map(|t| t.tenant.as_str()).collect();
        format!(" for {}", and(&names))
    };
    match status.state {
        SyncState::InSync => {
            let as_far_as = as_far_as(&status.scope);
            let but = match status.overridden {
                0 => String::new(),
                1 => ", but for 1 field that is decided otherwise".to_string(),
                many => format!(", but for {} fields that are decided otherwise", thousands(many)),
            };
            let text = format!("nothing differs from what is declared{of_which}{as_far_as}{but}");
            match but.is_empty() {
                true => page.line(0, &[Span::new(Tone::Good, "✓"), plain(format!(" in sync: {text}"))]),
                false => page.wrap(0, 2, &[plain(format!("nothing to do: {text}"))]),
            }
        }
        SyncState::Differs if status.out_of_sync.is_empty() => {
            let see = if status.findings.is_empty() { "what is suspended waits" } else { "see the checks" };
            page.line(0, &[strong("out of sync"), plain(format!(": {see}"))]);
        }
        SyncState::Differs => {}
        SyncState::Unknown => {
            let why = if unread.is_empty() {
                "no tenant was planned".to_string()
            } else {
                format!("{} cannot be read", and(&unread))
            };
            page.line(0, &[Span::new(Tone::Bad, "? unknown"), plain(format!(": {why}"))]);
        }
    }
}

fn facts(tenant: &TenantLine) -> String {
    let mut facts: Vec<String> = tenant.region.iter().chain(&tenant.environment).cloned().collect();
    facts.push(count(tenant.connections, "connection", "connections"));
    facts.push(count(tenant.integrations, "integration", "integrations"));
    if tenant.variables > 0 {
        facts.push(format!("{} of {} bound", thousands(tenant.bound), thousands(tenant.variables)));
    }
    if tenant.customers > 0 {
        facts.push(count(tenant.customers, "customer", "customers"));
    }
    facts.join(", ")
}

fn more(page: &mut Page, all: usize) {
    if let Some(more) = all.checked_sub(MOST).filter(|more| *more > 0) {
        page.line(2, &[faint(format!("… and {} more; --output json lists them all", thousands(more)))]);
    }
}

fn matrix(page: &mut Page, matrix: &Matrix) {
    if matrix.rows.is_empty() {
        return;
    }
    page.gap();
    for (position, shape) in shapes(page.columns(), matrix).iter().enumerate() {
        if position > 0 {
            page.gap();
        }
        table(page, matrix, shape);
    }
    more(page, matrix.rows.len());
    let used = Cell::ALL.iter().filter(|cell| matrix.rows.iter().any(|row| row.cells.contains(cell)));
    let legend = used.flat_map(|cell| [plain("   "), faint(format!("{} {}", cell.mark(), cell.meaning())).whole()]);
    page.wrap(2, 2, &legend.skip(1).collect::<Vec<_>>());
    // Two keys that are like each other are said once.
    let mut said: BTreeSet<&str> = BTreeSet::new();
    for row in matrix.rows.iter().filter(|row| !row.near_misses.is_empty()).take(MOST) {
        if row.near_misses.iter().all(|near| said.contains(near.stable_key.as_str())) {
            continue;
        }
        said.insert(&row.stable_key);
        let near: Vec<String> = row.near_misses.iter().map(|n| format!("{} in {}", n.stable_key, n.tenant)).collect();
        let text =
            [strong(&row.stable_key), plain(format!(" exists in one tenant only; similar: {}", near.join(", ")))];
        page.wrap(2, 6, &text);
    }
}

/// Which columns one table of the matrix has.
struct Shape {
    /// Whether it says what the connections connect to.
    kinds: bool,
    tenants: Range<usize>,
}

/// The longest name that a table shows whole.
const WIDEST: usize = 48;

/// A name as it stands in a table.
fn cell(text: &str) -> String {
    escape::shorten(&escape::line(text), WIDEST).into_owned()
}

/// One table where it fits; else without the kinds, which the components above it tell; else the tenants
/// side by side in as many tables as they need.
fn shapes(columns: usize, matrix: &Matrix) -> Vec<Shape> {
    // A cell has a blank on either side.
    let widest = |texts: &mut dyn Iterator<Item = String>| texts.map(|text| width(&text) + 2).max().unwrap_or(2);
    let head = |text: &str| std::iter::once(text.to_string());
    let rows = || matrix.rows.iter().take(MOST);
    let keys = 1 + widest(&mut head(KEY).chain(rows().map(|row| cell(&row.stable_key))));
    let kinds = widest(&mut head(KIND).chain(rows().map(|row| cell(&row.kind()))));
    let tenants: Vec<usize> = matrix.tenants.iter().map(|tenant| width(&cell(tenant)) + 2).collect();
    let all = keys + tenants.iter().sum::<usize>();
    if all <= columns {
        return vec![Shape { kinds: all + kinds <= columns, tenants: 0..tenants.len() }];
    }
    let mut shapes: Vec<Shape> = Vec::new();
    let mut used = columns;
    for (at, wide) in tenants.iter().enumerate() {
        match shapes.last_mut().filter(|_| used + wide <= columns) {
            Some(shape) => shape.tenants.end = at + 1,
            None => {
                shapes.push(Shape { kinds: false, tenants: at..at + 1 });
                used = keys;
            }
        }
        used += wide;
    }
    shapes
}

const KEY: &str = "stable key";
const KIND: &str = "component/type";

fn table(page: &mut Page, matrix: &Matrix, shape: &Shape) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let of_tenants = |names: &[String]| names.get(shape.tenants.clone()).unwrap_or_default().to_vec();
    let kind = |text: String| shape.kinds.then_some(text);
    let head = std::iter::once(KEY.to_string()).chain(kind(KIND.to_string()));
    table.set_header(head.chain(of_tenants(&matrix.tenants).iter().map(|t| cell(t))));
    for row in matrix.rows.iter().take(MOST) {
        let names = std::iter::once(cell(&row.stable_key)).chain(kind(cell(&row.kind())));
        let marks: Vec<String> = row.cells.iter().map(|c| c.mark().to_string()).collect();
        table.add_row(names.chain(of_tenants(&marks)));
    }
    for column in table.column_iter_mut().skip(1 + usize::from(shape.kinds)) {
        column.set_cell_alignment(CellAlignment::Center);
    }
    for (position, line) in table.lines().enumerate() {
        page.line(1, &[if position == 0 { strong(line) } else { plain(line) }]);
    }
}
