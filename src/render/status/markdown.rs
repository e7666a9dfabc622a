//! The status, and the list of manual steps, as Markdown.

use crate::render::findings;
use crate::render::invocation::Invocation;
use crate::render::markdown::{Comment, escape as md, row, rule};
use crate::report::matrix::Cell;
use crate::report::status::{StatusReport, TenantState, Todo};

/// The status as Markdown for an issue or a comment.
pub fn status_markdown(status: &StatusReport, typed: &Invocation) -> String {
    let mut comment = Comment::new(String::new(), &typed.status());
    comment.add("## Stablekey status\n\n");
    let head = ["Tenant", "Connections", "Integrations", "Bound", "Customers", "State"].map(str::to_string);
    let tenants: Vec<String> = status.tenants.iter().map(tenant).collect();
    comment.section(&(row(&head) + &rule(head.len())), &tenants, "");
    let head: Vec<String> = ["Stable key".to_string(), "Component/type".to_string()]
        .into_iter()
        .chain(status.matrix.tenants.iter().map(|t| md(t)))
        .collect();
    let rows: Vec<String> = status
        .matrix
        .rows
        .iter()
        .map(|r| {
            let names = [md(&r.stable_key), md(&r.kind())];
            row(&names.into_iter().chain(r.cells.iter().map(|c| c.mark().to_string())).collect::<Vec<_>>())
        })
        .collect();
    comment.section(&format!("\n{}{}", row(&head), rule(head.len())), &rows, "");
    let used = Cell::ALL.iter().filter(|cell| status.matrix.rows.iter().any(|row| row.cells.contains(cell)));
    let legend: Vec<String> = used.map(|cell| format!("{} {}", cell.mark(), cell.meaning())).collect();
    comment.add(&format!("\n{}\n", legend.join(", ")));
    let items: Vec<String> = status
        .out_of_sync
        .iter()
        .map(|o| {
            format!("- {} **{}** {}: {}\n", md(&o.tenant), md(o.what.as_str()), md(&o.object.to_string()), md(&o.text))
        })
        .collect();
    comment.section("\n**Out of sync**\n\n", &items, "");
    let checks: Vec<String> = status.findings.iter().map(findings::item).collect();
    comment.section("\n**Checks**\n\n", &checks, "");
    comment.finish()
}

/// The manual steps as a checklist.
pub fn todo_markdown(status: &StatusReport, typed: &Invocation) -> String {
    let unread = status.tenants.iter().filter_map(|tenant| Some((tenant, tenant.unreachable.as_ref()?)));
    let unread: Vec<String> = unread
        .map(|(tenant, why)| {
            format!("- ? {} cannot be read, so its steps are not known: {}\n", md(&tenant.tenant), md(why))
        })
        .collect();
    if status.todo.is_empty() && unread.is_empty() {
        return "No manual steps are pending.\n".to_string();
    }
    let mut comment = Comment::new(String::new(), &format!("{} --todo --output json", typed.status()));
    comment.section("", &status.todo.iter().map(todo).chain(unread).collect::<Vec<_>>(), "");
    comment.finish()
}

fn tenant(line: &crate::report::status::TenantLine) -> String {
    let state = match (&line.unreachable, line.summary.as_str(), line.state) {
        (Some(why), ..) => format!("❌ unreachable: {}", md(why)),
        (None, "", TenantState::Unknown) => "not planned".to_string(),
        (None, "", TenantState::InSync) => "✅".to_string(),
        (None, "", TenantState::Differs) => "⚠️".to_string(),
        (None, summary, _) => md(summary),
    };
    let bound = format!("{}/{}", line.bound, line.variables);
    let customers = line.customers.map(|number| number.to_string()).unwrap_or_default();
    let numbers = [line.connections.to_string(), line.integrations.to_string(), bound, customers];
    row(&[md(&line.tenant)].into_iter().chain(numbers).chain([state]).collect::<Vec<_>>())
}

fn todo(todo: &Todo) -> String {
    let objects: Vec<String> = todo.objects.iter().map(ToString::to_string).collect();
    let (text, link) = without_link(&todo.text);
    let (text, who, objects) = (md(text), md(&todo.who), md(&objects.join(", ")));
    format!("- [ ] {}: {text}{link} ({who}, {objects})\n", md(&todo.tenant))
}

/// Splits off the link at the end of a step: where a person signs in. Any other address in a text stays without a link.
fn without_link(text: &str) -> (&str, String) {
    let is_link = |word: &str| {
        let is_web = ["https://", "http://"].iter().any(|scheme| word.starts_with(scheme));
        is_web && word.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '`'))
    };
    match text.rsplit_once(": ") {
        Some((before, word)) if is_link(word) => (before, format!(": <{word}>")),
        _ => (text, String::new()),
    }
}
