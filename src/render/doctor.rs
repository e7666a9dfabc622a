//! The checks of a tenant, as text and JSON.

use super::json::{JsonLayout, json};
use super::page::{Span, TextPage, faint, plain, strong};
use super::style::{Style, Tone};
use crate::tenant::location::{Health, HealthCheck};
use crate::text::count;
use serde_json::{Value, json as value};

/// The checks as text for a terminal: a line each, and under each that failed what to do.
pub fn doctor_text(tenant: &str, checks: &[HealthCheck], style: Style) -> String {
    let mut page = TextPage::new(style);
    page.line(0, &[strong(tenant)]);
    for HealthCheck { what, state } in checks {
        match state {
            Health::Good => page.wrap(2, 4, &[Span::new(Tone::Good, "✓"), plain(format!(" {what}"))]),
            Health::Bad { why, fix } => {
                page.wrap(2, 4, &[Span::new(Tone::Bad, "✗"), plain(format!(" {what}: {why}"))]);
                let mut lines = fix.lines();
                page.wrap(4, 6, &[plain(format!("→ {}", lines.next().unwrap_or_default()))]);
                lines.for_each(|line| page.line(6, &[Span::new(Tone::Strong, line).whole()]));
            }
            Health::Unknown { why } => {
                page.wrap(2, 4, &[Span::new(Tone::Careful, "?"), plain(format!(" {what}: not checked. ")), faint(why)]);
            }
        }
    }
    page.gap();
    page.wrap(0, 0, &[plain(sentence(checks))]);
    page.finish()
}

fn sentence(checks: &[HealthCheck]) -> String {
    let bad = checks.iter().filter(|check| matches!(check.state, Health::Bad { .. })).count();
    let unknown = checks.iter().filter(|check| matches!(check.state, Health::Unknown { .. })).count();
    let checked = count(checks.len() - unknown, "check", "checks");
    let unknown = if unknown == 0 { String::new() } else { format!(", {unknown} not checked") };
    match bad {
        0 => format!("{checked}, all good{unknown}."),
        bad => format!("{checked}, {bad} failed{unknown}. Fix the items marked →."),
    }
}

/// The checks as JSON.
pub fn doctor_json(tenant: &str, checks: &[HealthCheck]) -> Result<String, serde_json::Error> {
    let of = |HealthCheck { what, state }: &HealthCheck| match state {
        Health::Good => value!({"check": what, "state": "good"}),
        Health::Bad { why, fix } => value!({"check": what, "state": "bad", "why": why, "fix": fix}),
        Health::Unknown { why } => value!({"check": what, "state": "unknown", "why": why}),
    };
    let checks: Vec<Value> = checks.iter().map(of).collect();
    json(&value!({"schema": "stablekey.dev/doctor/v1", "tenant": tenant, "checks": checks}), JsonLayout::Pretty)
}
