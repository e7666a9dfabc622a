//! The status for a terminal.

use crate::render::findings;
use crate::render::invocation::Invocation;
use crate::render::page::{Span, TextPage, command, faint, heading, pad, plain, strong, width};
use crate::render::plan_text::as_far_as;
use crate::render::style::{Style, Tone};
use crate::report::matrix::{Cell, Matrix};
use crate::report::status::{OutOfSyncKind, StatusReport, TenantLine, TenantState};
use crate::text::{self as escape, and, count, thousands};
use std::collections::BTreeSet;
use std::ops::Range;

/// The maximum number of rows of the matrix, and of items of a list.
const MOST: usize = 60;

/// Renders the status as text for a terminal.
pub fn status_text(status: &StatusReport, typed: &Invocation, style: Style) -> String {
    let mut page = TextPage::new(style);
    for line in &status.passed_over {
        page.wrap(0, 2, &[faint(line)]);
    }
    tenants(status, &mut page);
    components(status, &mut page);
    matrix(&mut page, &status.matrix);
    out_of_sync(status, &mut page);
    if !status.findings.is_empty() {
        page.gap();
        page.line(0, &[heading("checks")]);
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

fn tenants(status: &StatusReport, page: &mut TextPage) {
    const HEADS: [&str; 7] = ["TENANT", "REGION", "ENV", "CONNECTIONS", "INTEGRATIONS", "BOUND", "CUSTOMERS"];
    let rows: Vec<[String; 7]> = status.tenants.iter().map(cells).collect();
    // Empty columns are omitted.
    let columns = |at: usize| {
        let widest = rows.iter().map(|row| width(&row[at])).max().unwrap_or(0);
        if widest == 0 { 0 } else { widest.max(HEADS[at].len()) }
    };
    let mut widths: [usize; 7] = std::array::from_fn(columns);
    // If a row is wider than the page, the least important column is omitted first.
    for at in [6, 2, 1, 4, 3] {
        let row: usize = widths.iter().filter(|columns| **columns > 0).map(|columns| columns + 2).sum();
        if row <= page.columns() {
            break;
        }
        widths[at] = 0;
    }
    let line = |cells: &[&str; 7]| {
        let shown = cells.iter().zip(widths).enumerate().filter(|(_, (_, columns))| *columns > 0);
        let padded = shown.map(|(at, (cell, columns))| {
            let blank = " ".repeat(columns - width(cell));
            // Names are aligned left, numbers right.
            if at < 3 { format!("{cell}{blank}") } else { format!("{blank}{cell}") }
        });
        padded.collect::<Vec<_>>().join("  ")
    };
    let hang = line(&HEADS).len() + 4;
    let head = if hang + "STATE".len() <= page.columns() { "  STATE" } else { "" };
    page.line(2, &[faint(format!("{}{head}", line(&HEADS)))]);
    for (tenant, row) in status.tenants.iter().zip(&rows) {
        let cells = std::array::from_fn(|at| row[at].as_str());
        let state = state(tenant);
        let is_short = hang + state.width() <= page.columns();
        let (name, rest) = (pad(&row[0], widths[0]), line(&cells));
        let rest = rest.strip_prefix(name.as_str()).unwrap_or_default().to_string();
        let first = [strong(name), plain(rest), plain("  "), state.clone()];
        if is_short {
            page.line(2, &first);
        } else {
            page.line(2, &first[..2]);
            let pieces = if tenant.unreachable.is_some() { vec![state] } else { state.counts() };
            page.wrap(6, 6, &pieces);
        }
    }
}

/// The cells of a tenant's row, except its state.
fn cells(tenant: &TenantLine) -> [String; 7] {
    let text = |text: &Option<String>| text.as_deref().map(cell).unwrap_or_default();
    let [mut connections, mut integrations, mut bound, mut customers] = std::array::from_fn(|_| "?".to_string());
    if tenant.unreachable.is_none() {
        (connections, integrations) = (thousands(tenant.connections), thousands(tenant.integrations));
        bound = format!("{}/{}", thousands(tenant.bound), thousands(tenant.variables));
        customers = tenant.customers.filter(|number| *number > 0).map(thousands).unwrap_or_default();
    } else {
        customers.clear();
    }
    [cell(&tenant.tenant), text(&tenant.region), text(&tenant.environment), connections, integrations, bound, customers]
}

/// The state of a tenant in a few words.
fn state(tenant: &TenantLine) -> Span {
    match (&tenant.unreachable, tenant.state, tenant.summary.as_str()) {
        (Some(why), ..) => Span::new(Tone::Bad, format!("✗ unreachable: {why}")),
        (None, TenantState::Unknown, "") => plain("· not planned"),
        (None, TenantState::InSync, "") => Span::new(Tone::Good, "✓ in sync"),
        (None, _, summary) => Span::new(Tone::Careful, format!("! {summary}")),
    }
}

fn components(status: &StatusReport, page: &mut TextPage) {
    if status.components.is_empty() {
        return;
    }
    page.gap();
    page.line(0, &[heading("components")]);
    let columns = status.components.iter().map(|c| width(&c.component.to_string())).max().unwrap_or(0).min(32);
    for line in &status.components {
        const KEYS: usize = 8;
        let keys: Vec<&str> = line.connections.iter().take(KEYS).map(String::as_str).collect();
        let more = line.connections.len().saturating_sub(KEYS);
        let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
        page.labelled(2, plain(line.component.to_string()), columns, &[plain(keys.join(", ")), faint(more)]);
    }
}

fn out_of_sync(status: &StatusReport, page: &mut TextPage) {
    page.gap();
    whether_in_sync(status, page);
    if status.out_of_sync.is_empty() {
        return;
    }
    page.line(0, &[heading("out of sync")]);
    let columns = status.out_of_sync.iter().map(|o| width(&o.tenant)).max().unwrap_or(0);
    for item in status.out_of_sync.iter().take(MOST) {
        let tone = match item.what {
            OutOfSyncKind::Blocked => Tone::Bad,
            OutOfSyncKind::NeedsApproval | OutOfSyncKind::Drifted | OutOfSyncKind::AwaitsStage => Tone::Careful,
            OutOfSyncKind::Update
            | OutOfSyncKind::Create
            | OutOfSyncKind::Delete
            | OutOfSyncKind::Adopt
            | OutOfSyncKind::Kept => Tone::Plain,
        };
        let what = Span::new(tone, item.what.as_str());
        let spans = [what, plain("  "), strong(item.object.to_string()), plain(format!("  {}", item.text))];
        page.labelled(2, plain(&item.tenant), columns, &spans);
    }
    more(page, status.out_of_sync.len());
}

/// Reports that nothing differs, only for tenants that were read and planned completely.
fn whether_in_sync(status: &StatusReport, page: &mut TextPage) {
    let unread: Vec<&str> =
        status.tenants.iter().filter(|t| t.unreachable.is_some()).map(|t| t.tenant.as_str()).collect();
    let planned: Vec<&TenantLine> = status.tenants.iter().filter(|t| t.state != TenantState::Unknown).collect();
    let of_which = if planned.len() == status.tenants.len() {
        String::new()
    } else {
        let names: Vec<&str> = planned.iter().map(|t| t.tenant.as_str()).collect();
        format!(" for {}", and(&names))
    };
    match status.state {
        TenantState::InSync => {
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
        TenantState::Differs if status.out_of_sync.is_empty() => {
            let see = if status.findings.is_empty() { "what is suspended waits" } else { "see the checks" };
            page.line(0, &[heading("out of sync"), plain(format!(": {see}"))]);
        }
        TenantState::Differs => {}
        TenantState::Unknown => {
            let why = if unread.is_empty() {
                "no tenant was planned".to_string()
            } else {
                format!("{} cannot be read", and(&unread))
            };
            page.line(0, &[Span::new(Tone::Bad, "? unknown"), plain(format!(": {why}"))]);
        }
    }
}

fn more(page: &mut TextPage, all: usize) {
    if let Some(more) = all.checked_sub(MOST).filter(|more| *more > 0) {
        page.line(2, &[faint(format!("… and {} more; --output json lists them all", thousands(more)))]);
    }
}

fn matrix(page: &mut TextPage, matrix: &Matrix) {
    let keys = matrix.rows.iter().map(|row| MarkRow {
        name: cell(&row.stable_key),
        kind: Some(cell(&row.kind())),
        cells: &row.cells,
    });
    let integrations =
        matrix.integrations.iter().map(|row| MarkRow { name: cell(&row.name), kind: None, cells: &row.cells });
    let of_keys = Grid::of("stable key", Some("component/type"), &matrix.tenants, keys);
    let of_integrations = Grid::of("integration", None, &matrix.tenants, integrations);
    let mut used: BTreeSet<Cell> = BTreeSet::new();
    for grid in [of_keys, of_integrations] {
        if !grid.rows.is_empty() {
            used.extend(grid.rows.iter().flat_map(|row| row.cells));
            grid.show(page);
        }
    }
    if used.is_empty() {
        return;
    }
    let meaning = |cell: Cell| [plain("   "), mark(cell), faint(format!(" {}", cell.meaning())).whole()];
    page.wrap(2, 2, &used.into_iter().flat_map(meaning).skip(1).collect::<Vec<_>>());
    // Two keys that are similar to each other are reported once.
    let mut shown: BTreeSet<&str> = BTreeSet::new();
    for row in matrix.rows.iter().filter(|row| !row.near_misses.is_empty()).take(MOST) {
        if row.near_misses.iter().all(|near| shown.contains(near.stable_key.as_str())) {
            continue;
        }
        shown.insert(&row.stable_key);
        let near: Vec<String> = row.near_misses.iter().map(|n| format!("{} in {}", n.stable_key, n.tenant)).collect();
        let text =
            [strong(&row.stable_key), plain(format!(" exists in one tenant only; similar: {}", near.join(", ")))];
        page.wrap(2, 6, &text);
    }
}

/// The mark of a cell in its colour.
fn mark(cell: Cell) -> Span {
    let tone = match cell {
        Cell::Conflict | Cell::Missing | Cell::Blocked => Tone::Bad,
        Cell::Differs | Cell::NotReady | Cell::Planned => Tone::Careful,
        Cell::Present => Tone::Good,
        Cell::Unknown | Cell::Absent => Tone::Faint,
    };
    Span::new(tone, cell.mark()).whole()
}

/// The maximum length of a name in a table.
const WIDEST: usize = 48;

/// A name as a cell of a table.
fn cell(text: &str) -> String {
    escape::shorten(&escape::line(text), WIDEST).into_owned()
}

/// A row with a mark for every tenant.
struct MarkRow<'m> {
    name: String,
    kind: Option<String>,
    cells: &'m [Cell],
}

/// A table of marks, with a column for each tenant.
struct Grid<'m> {
    name: &'static str,
    kind: Option<&'static str>,
    tenants: Vec<String>,
    /// The rows, sorted by name.
    rows: Vec<MarkRow<'m>>,
    more: usize,
}

impl<'m> Grid<'m> {
    /// Builds a table from rows that are sorted worst first: of many rows, the first ones are shown.
    fn of(
        name: &'static str,
        kind: Option<&'static str>,
        tenants: &[String],
        rows: impl ExactSizeIterator<Item = MarkRow<'m>>,
    ) -> Self {
        let all = rows.len();
        let mut rows: Vec<MarkRow<'m>> = rows.take(MOST).collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        let tenants = tenants.iter().map(|tenant| cell(tenant)).collect();
        Grid { name, kind, tenants, more: all, rows }
    }

    fn show(&self, page: &mut TextPage) {
        let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let names = widest(&mut self.rows.iter().map(|row| width(&row.name)).chain([width(self.name)]));
        let kinds = self.rows.iter().filter_map(|row| row.kind.as_deref()).chain(self.kind);
        let kinds = widest(&mut kinds.map(|kind| width(kind) + 2));
        for (tenants, has_kinds) in self.tables(page.columns(), 2 + names, kinds) {
            page.gap();
            let kind = |text: Option<&str>| {
                if has_kinds { format!("  {}", pad(text.unwrap_or(""), kinds - 2)) } else { String::new() }
            };
            let shown = self.tenants.get(tenants.clone()).unwrap_or_default();
            let head = shown.iter().map(|tenant| format!("  {tenant}")).collect::<String>();
            page.line(2, &[faint(format!("{}{}{head}", pad(self.name, names), kind(self.kind)))]);
            for row in &self.rows {
                let mut line = vec![plain(format!("{}{}", pad(&row.name, names), kind(row.kind.as_deref())))];
                for (cell, tenant) in row.cells.get(tenants.clone()).unwrap_or_default().iter().zip(shown) {
                    let (before, after) = (width(tenant).saturating_sub(1) / 2, width(tenant) / 2);
                    line.extend([plain(" ".repeat(2 + before)), mark(*cell), plain(" ".repeat(after))]);
                }
                page.line(2, &line);
            }
        }
        more(page, self.more);
    }

    /// The tenants of each table, and whether it has a column for kinds. One table if it fits; else without the kinds,
    /// which the list of components shows; else the tenants in as many tables as necessary.
    fn tables(&self, columns: usize, names: usize, kinds: usize) -> Vec<(Range<usize>, bool)> {
        let widths: Vec<usize> = self.tenants.iter().map(|tenant| width(tenant) + 2).collect();
        let all = names + widths.iter().sum::<usize>();
        if all <= columns {
            return vec![(0..widths.len(), kinds > 0 && all + kinds <= columns)];
        }
        let mut tables: Vec<(Range<usize>, bool)> = Vec::new();
        let mut used = columns;
        for (at, wide) in widths.iter().enumerate() {
            match tables.last_mut().filter(|_| used + wide <= columns) {
                Some((tenants, _)) => tenants.end = at + 1,
                None => {
                    tables.push((at..at + 1, false));
                    used = names;
                }
            }
            used += wide;
        }
        tables
    }
}
