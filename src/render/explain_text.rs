//! Explanations for a terminal and as Markdown.

use super::bindings_text::{binding_row, mark};
use super::explain::{IntegrationExplanation, KeyExplanation, KeyInTenant, sync_lines};
use super::markdown::{Comment, escape as md};
use super::page::{Span, TextPage, faint, heading, plain, strong, width};
use super::style::{Style, Tone};
use super::waiting_writes;
use crate::report::binding::{BindingRow, places};
use crate::text::{and, count};

impl IntegrationExplanation {
    /// The explanation as text for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = TextPage::new(style);
        let narrowed: Vec<&str> = self.flow.iter().chain(&self.step).map(String::as_str).collect();
        let narrowed = if narrowed.is_empty() { String::new() } else { format!("  {}", narrowed.join(" › ")) };
        let declared = self.not_applied().map(|text| format!("  {text}")).unwrap_or_default();
        let head = [heading(&self.integration), plain(" in "), strong(&self.tenant), plain(narrowed), plain(declared)];
        page.wrap(0, 2, &head);
        waiting_writes::show(&mut page, &self.waits, 2);
        let columns = self.bindings.iter().map(|row| width(&row.variable)).max().unwrap_or(0).min(40);
        for row in &self.bindings {
            page.gap();
            binding_row(&mut page, row, columns);
            reasons(&mut page, row, 6);
        }
        page.finish()
    }

    /// The explanation as Markdown for a pull request comment.
    pub fn markdown(&self) -> String {
        let mut comment = Comment::new(String::new(), "stablekey explain");
        comment.add(&format!("## {} in {}\n\n", md(&self.integration), md(&self.tenant)));
        if let Some(text) = self.not_applied() {
            comment.add(&format!("{}\n\n", md(&text)));
        }
        comment.section("", &waiting_writes::items(&self.waits), "\n");
        comment.section("", &self.bindings.iter().map(item).collect::<Vec<_>>(), "");
        comment.finish()
    }

    /// Says that it is not there yet, and who declares it.
    fn not_applied(&self) -> Option<String> {
        self.declared_by.as_ref().map(|writer| format!("declared by {writer}, not applied yet"))
    }
}

fn reasons(page: &mut TextPage, row: &BindingRow, indent: usize) {
    let label = |text: &str| faint(text);
    page.labelled(indent, label("because"), 10, &[plain(&row.rule)]);
    for other in &row.considered {
        page.labelled(
            indent,
            label("considered"),
            10,
            &[strong(&other.stable_key), plain(format!(": {}", other.why_not))],
        );
    }
    let used =
        if row.used_by.is_empty() { "nothing that the definition shows".to_string() } else { places(&row.used_by) };
    page.labelled(indent, label("used by"), 10, &[plain(used)]);
}

fn item(row: &BindingRow) -> String {
    let key = row.stable_key.as_deref().unwrap_or("its own connection");
    let resolved = row.connection.as_ref().and_then(|c| c.stable_key.as_deref()).filter(|resolved| *resolved != key);
    let resolved = resolved.map(|resolved| format!(" → {}", md(resolved))).unwrap_or_default();
    let connection = row.connection.as_ref().map(|c| format!(" ({})", md(&c.words()))).unwrap_or_default();
    let mut out = format!(
        "- {} **{}**: {}{resolved}{connection}<br>because {}\n",
        mark(row.state).0,
        md(&row.variable),
        md(key),
        md(&row.rule)
    );
    for other in &row.considered {
        out.push_str(&format!("  - considered {}: {}\n", md(&other.stable_key), md(&other.why_not)));
    }
    if let Some(fix) = &row.fix {
        out.push_str(&format!("  - → {}\n", md(fix)));
    }
    if !row.used_by.is_empty() {
        out.push_str(&format!("  - used by {}\n", md(&places(&row.used_by))));
    }
    out
}

impl KeyExplanation {
    /// The explanation as text for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = TextPage::new(style);
        page.wrap(0, 2, &[heading(&self.stable_key), faint(format!("  {}", self.sum()))]);
        for tenant in &self.tenants {
            page.gap();
            in_tenant(&mut page, tenant);
        }
        sync_lines(&mut page, &self.sync_lines());
        page.finish()
    }

    /// The explanation as Markdown for a pull request comment.
    pub fn markdown(&self) -> String {
        let mut comment = Comment::new(String::new(), "stablekey explain");
        comment.add(&format!("## {}\n\n{}\n", md(&self.stable_key), md(&self.sum())));
        for tenant in &self.tenants {
            let items: Vec<String> = tenant
                .integrations
                .iter()
                .flat_map(|i| i.variables.iter().map(move |v| (i, v)))
                .map(|(i, v)| format!("- {} {}, {}\n", mark(v.state).0, md(&i.name), md(&variable(v))))
                .collect();
            comment.add(&format!("\n**{}**: {}\n", md(&tenant.tenant), md(&facts(tenant).join("; "))));
            comment.section("\n", &[waiting_writes::items(&tenant.waits), items].concat(), "");
        }
        let lines: Vec<String> = self.sync_lines().iter().map(|line| format!("- {}\n", md(line))).collect();
        comment.section("\n**Syncs**\n\n", &lines, "");
        comment.finish()
    }

    fn sum(&self) -> String {
        let integrations: usize = self.tenants.iter().map(|t| t.integrations.len()).sum();
        let customers: usize = self.tenants.iter().map(|t| t.customers).sum();
        let there = self.tenants.iter().filter(|t| t.connection.is_some()).count();
        format!(
            "in {there} of {}; {} and {} depend on it",
            count(self.tenants.len(), "tenant", "tenants"),
            count(integrations, "integration", "integrations"),
            count(customers, "customer", "customers")
        )
    }

    fn sync_lines(&self) -> Vec<String> {
        let syncs = self.syncs.iter().map(ToString::to_string);
        let overrides =
            self.overrides.iter().map(|o| format!("{} overrides {} in {}: {}", o.writer, o.what, o.tenant, o.reason));
        syncs.chain(overrides).collect()
    }
}

fn in_tenant(page: &mut TextPage, tenant: &KeyInTenant) {
    let (mark_of, tone) = match tenant.connection {
        _ if !tenant.read => ("?", Tone::Careful),
        _ if tenant.invalid.is_some() => ("✗", Tone::Bad),
        Some(_) if !tenant.ready => ("◌", Tone::Careful),
        Some(_) => ("✓", Tone::Good),
        None => ("·", Tone::Faint),
    };
    let head = [
        Span::new(tone, mark_of),
        plain(" "),
        strong(&tenant.tenant),
        plain(format!("  {}", facts(tenant).join("; "))),
    ];
    page.wrap(0, 4, &head);
    waiting_writes::show(page, &tenant.waits, 4);
    for integration in &tenant.integrations {
        for row in &integration.variables {
            let (mark, tone) = mark(row.state);
            let spans =
                [Span::new(tone, mark), plain(" "), strong(&integration.name), plain(format!(", {}", variable(row)))];
            page.wrap(4, 8, &spans);
            if let Some(fix) = &row.fix {
                page.wrap(8, 10, &[plain(format!("→ {fix}"))]);
            }
        }
    }
}

fn variable(row: &BindingRow) -> String {
    let used = if row.used_by.is_empty() { String::new() } else { format!(": {}", places(&row.used_by)) };
    format!("{:?}{used}", row.variable)
}

/// That a tenant cannot be read, and why.
pub(super) fn unread(why: Option<&str>) -> String {
    match why {
        Some(why) => format!("cannot be read: {why}"),
        None => "cannot be read".to_string(),
    }
}

fn facts(tenant: &KeyInTenant) -> Vec<String> {
    if !tenant.read {
        return vec![unread(tenant.unreachable.as_deref())];
    }
    let mut facts = vec![match (&tenant.connection, &tenant.invalid, &tenant.declared) {
        (Some(connection), _, _) => connection.words(),
        (None, Some(why), _) => format!("its connection is invalid: {why}"),
        (None, None, Some(declared)) => format!("{}; declared by source, not applied yet", declared.words()),
        (None, None, None) if !tenant.reported.is_empty() => "none of the tenant's own".to_string(),
        (None, None, None) => "no connection".to_string(),
    }];
    let mut say = |what: &str, names: &[String]| {
        facts.extend((!names.is_empty()).then(|| format!("{what} {}", and(names))));
    };
    say("replaces", &tenant.replaces);
    say("named in `replaces` of", &tenant.replaced_by);
    say("written by", &tenant.written_by);
    facts.extend((tenant.customers > 0).then(|| count(tenant.customers, "customer", "customers")));
    facts.extend(tenant.reported.iter().cloned());
    facts
}
