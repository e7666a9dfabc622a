//! Components and their connections as text.

use super::invocation::Invocation;
use super::page::{Span, TextPage, command, faint, heading, plain, strong, width};
use super::style::{Style, Tone};
use crate::report::components::{ComponentConnections, ComponentsReport, KeyInTenant};
use crate::report::matrix::Cell;
use crate::text::{and, count};

/// The maximum number of keys of a component.
const MOST: usize = 60;

/// Renders components and their connections in every tenant as text for a terminal.
pub fn components_text(report: &ComponentsReport, typed: &Invocation, style: Style) -> String {
    let mut page = TextPage::new(style);
    let columns = report.tenants.iter().map(|tenant| width(tenant)).max().unwrap_or(0);
    if report.components.is_empty() {
        page.line(0, &[plain("no tenant has a component or a connection yet")]);
    }
    for (position, component) in report.components.iter().enumerate() {
        if position > 0 {
            page.gap();
        }
        of_component(component, columns, typed, &mut page);
    }
    page.finish()
}

fn of_component(component: &ComponentConnections, columns: usize, typed: &Invocation, page: &mut TextPage) {
    let types: Vec<&str> = component.types.iter().map(String::as_str).collect();
    let types = if types.is_empty() { String::new() } else { format!("  types: {}", types.join(", ")) };
    page.line(0, &[heading(component.component.to_string()), faint(types)]);
    for key in component.connections.iter().take(MOST) {
        page.line(2, &[strong(&key.stable_key)]);
        for (tenant, there) in &key.tenants {
            page.labelled(4, plain(tenant), columns, &in_tenant(there));
        }
    }
    if let Some(more) = component.connections.len().checked_sub(MOST).filter(|more| *more > 0) {
        page.line(2, &[faint(format!("and {more} more: -o json lists all"))]);
    }
    if component.connections.is_empty() {
        page.line(2, &[plain("no connection in any tenant")]);
    }
    let add = typed.edit(["new", "connection", "--component", component.component.typed().as_str()]);
    page.wrap(2, 4, &[plain("Add one: "), command(add)]);
}

fn in_tenant(there: &KeyInTenant) -> Vec<Span> {
    let tone = match there.state {
        Cell::Present => Tone::Good,
        Cell::Absent | Cell::Unknown => Tone::Faint,
        Cell::Planned => Tone::Plain,
        Cell::Conflict | Cell::Missing | Cell::Blocked | Cell::Differs | Cell::NotReady => Tone::Bad,
    };
    let mark = Span::new(tone, there.state.mark());
    let Some(shown) = &there.connection else {
        return vec![mark, plain(" "), Span::new(tone, there.state.meaning())];
    };
    let of = &shown.connection;
    let mut parts = vec![of.connection.words()];
    parts.extend(shown.title.clone());
    if there.state != Cell::Present {
        parts.push(there.state.meaning().to_string());
    }
    if !of.lacks.is_empty() {
        parts.push(format!("lacks {}", and(&of.lacks)));
    }
    if shown.test_inputs > 0 {
        parts.push("test credentials".to_string());
    }
    if shown.embedded_workflows {
        parts.push("embedded workflows".to_string());
    }
    parts.push(match of.used_by.len() {
        0 => "unused".to_string(),
        users => format!("used by {}", count(users, "integration", "integrations")),
    });
    if of.customers > 0 {
        parts.push(count(of.customers, "customer", "customers"));
    }
    vec![mark, plain(" "), plain(parts.join(" · "))]
}
