//! One screen for one integration in one tenant: each variable with its connection and how to fix it, then the plan for
//! the integration.

use super::invocation::Invocation;
use super::page::{Span, TextPage, faint, plain, strong, width};
use super::plan_text::plan_text;
use super::style::{Style, Tone};
use crate::engine::model::inventory::World;
use crate::engine::model::plan::Plan;
use crate::engine::plan::simulate_whole;
use crate::near_miss::near_misses;
use crate::report::binding;
use crate::report::binding::{BindingRow, BindingState, Scene, places};

/// The bindings after `plan`, and the plan, which is narrowed by the caller.
pub fn bindings_text(
    world: &World,
    plan: &Plan,
    tenant: &str,
    integration: &str,
    typed: &Invocation,
    style: Style,
) -> String {
    let mut page = TextPage::new(style);
    let after = simulate_whole(world, plan);
    match Scene::of(&after, tenant) {
        None => page.wrap(
            0,
            2,
            &[Span::new(Tone::Bad, "✗ "), strong(tenant), plain(" cannot be read: nothing is known of its bindings")],
        ),
        Some(scene) => {
            // The content that a sync would write counts, even if it is blocked: that is the question.
            let promised = binding::promised(&after, tenant, Some(integration));
            let by = |rows: Vec<BindingRow>, by: String| (rows, by);
            let found = match promised.first() {
                Some(one) => Some(by(scene.promised(one), format!("declared by {}", one.writer))),
                None => scene.live(integration).map(|rows| by(rows, String::new())),
            };
            match found {
                Some((rows, by)) => screen(&mut page, tenant, integration, &rows, &by),
                None => absent(&mut page, &scene, integration),
            }
        }
    }
    page.gap();
    page.finish() + &plan_text(plan, typed, style)
}

fn screen(page: &mut TextPage, tenant: &str, integration: &str, rows: &[BindingRow], by: &str) {
    let bound = rows.iter().filter(|row| row.state.is_well() || row.state == BindingState::NotReady).count();
    let head = [
        strong(integration),
        plain(" in "),
        strong(tenant),
        plain(format!("  {bound} of {} bound", rows.len())),
        faint(if by.is_empty() { String::new() } else { format!("  {by}") }),
    ];
    page.wrap(0, 2, &head);
    let columns = rows.iter().map(|row| width(&row.variable)).max().unwrap_or(0).min(40);
    // Variables with problems come first.
    let (well, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.state.is_well());
    for row in others.into_iter().chain(well) {
        binding_row(page, row, columns);
        if !row.used_by.is_empty() {
            page.wrap(6, 8, &[faint(format!("used by {}", places(&row.used_by)))]);
        }
    }
}

/// One variable: mark, key, connection, and how to fix it.
pub(super) fn binding_row(page: &mut TextPage, row: &BindingRow, columns: usize) {
    let (mark, tone) = mark(row.state);
    let mut spans = vec![match (&row.stable_key, row.state) {
        (Some(key), _) => strong(key),
        (None, _) => plain("its own"),
    }];
    match (&row.connection, row.state) {
        (Some(connection), state) => {
            let resolved = connection.stable_key.as_ref().filter(|key| Some(*key) != row.stable_key.as_ref());
            spans.extend(resolved.map(|key| plain(format!(" → {key}"))));
            spans.push(faint(format!("  {}", connection.words())));
            spans.extend(state_word(state).map(|text| Span::new(tone, format!("  {text}"))));
        }
        (None, state) => spans.extend(state_word(state).map(|text| Span::new(tone, format!("  {text}")))),
    }
    page.labelled(2, Span::new(tone, format!("{mark} {}", row.variable)), columns + 2, &spans);
    if let Some(fix) = &row.fix {
        page.wrap(6, 8, &[plain(format!("→ {fix}"))]);
    }
}

/// The mark for a state.
pub(super) fn mark(state: BindingState) -> (&'static str, Tone) {
    match state {
        BindingState::Bound | BindingState::Own | BindingState::Foreign => ("✓", Tone::Good),
        BindingState::NotReady => ("◌", Tone::Careful),
        BindingState::Differs => ("≠", Tone::Bad),
        BindingState::Unknown => ("?", Tone::Careful),
        BindingState::Missing => ("✗", Tone::Bad),
    }
}

/// The word for a state; `None` if the mark is enough.
pub(super) fn state_word(state: BindingState) -> Option<&'static str> {
    match state {
        BindingState::Bound | BindingState::Own => None,
        BindingState::Foreign => Some("not the tenant's own"),
        BindingState::NotReady => Some("not ready"),
        BindingState::Differs => Some("another component or type than in the source"),
        BindingState::Unknown => Some("unknown"),
        BindingState::Missing => Some("missing"),
    }
}

fn absent(page: &mut TextPage, scene: &Scene<'_>, integration: &str) {
    let text = format!("{} has no integration {integration}, and no sync would add one", scene.tenant);
    page.wrap(0, 2, &[Span::new(Tone::Bad, "✗ "), plain(text)]);
    let near = near_misses(integration, scene.inventory.integrations.keys().map(String::as_str));
    if !near.is_empty() {
        page.wrap(2, 4, &[plain(format!("→ did you mean {}?", near.join(" or ")))]);
    }
}
