//! An integration: its flows and steps with the connection at each, and its bindings in every tenant.

use super::plan_entry::{self, entries_of};
use super::{bare_mark, mark};
use crate::api::{Kind, sensitive};
use crate::author::Draft;
use crate::author::designer::{self, BindStep, Missing, StepChoice, SwitchConnection, bind, switch};
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, Note};
use crate::page::address::{self, PageAddress};
use crate::page::layout::{self, NavEntry, line, text};
use crate::page::refusals;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::report::binding::{BindingRow, BindingState, Scene, Used};
use crate::report::overview_state::OverviewState;
use crate::report::plan_state;
use crate::text::count;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// The most steps that are listed.
const MOST: usize = 400;

/// The state of a binding, as other views mark states.
fn state(binding: BindingState) -> OverviewState {
    match binding {
        BindingState::Bound | BindingState::Own | BindingState::Foreign => OverviewState::InSync,
        BindingState::NotReady => OverviewState::NotReady,
        BindingState::Differs => OverviewState::Differs,
        BindingState::Unknown => OverviewState::Unknown,
        BindingState::Missing => OverviewState::Missing,
    }
}

/// Shows an integration, as one tenant has it beside the others.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    let name = request.fields.text("name");
    let world = &shown.planned.world;
    let live = |tenant: &str| world.tenants.get(tenant).and_then(|view| view.live.inventory()).map(AsRef::as_ref);
    let holding: Vec<&str> = world
        .tenants
        .iter()
        .filter(|(_, view)| {
            let read = [Some(&view.live), view.source.as_ref()].into_iter().flatten();
            read.filter_map(|read| read.inventory())
                .any(|read: &std::sync::Arc<Inventory>| read.integrations.contains_key(name))
        })
        .map(|(tenant, _)| tenant.as_str())
        .collect();
    let asked = request.fields.text("tenant");
    // Where nothing is asked, the tenant in which it can be edited.
    let is_origin = |tenant: &&str| designer::is_origin(&shown.project, world, tenant, name);
    let tenant = holding.iter().copied().find(|one| *one == asked);
    let tenant = tenant.or_else(|| holding.iter().copied().find(is_origin)).or(holding.first().copied());
    let Some(tenant) = tenant else {
        let names =
            world.tenants.values().filter_map(|view| view.live.inventory()).flat_map(|read| read.integrations.keys());
        let message = format!("No tenant that could be read has an integration {}.", line(name));
        return refusals::unknown(request, (404, "No such integration"), &message, name, names.map(String::as_str));
    };
    let is_elsewhere = !asked.is_empty() && tenant != asked;
    let title = live(tenant).and_then(|read| read.integrations.get(name)).and_then(|one| one.spec.title.clone());
    let rows: BTreeMap<&str, Vec<BindingRow>> = world
        .tenants
        .keys()
        .filter_map(|tenant| Some((tenant.as_str(), Scene::of_integration(world, tenant, name)?.live(name)?)))
        .collect();
    let main = html! {
        div.head {
            div {
                nav.crumbs aria-label="Where this is" { a href="/integrations" { "Integrations" } span { "/" } }
                h1 { (line(name)) }
                p { @if let Some(title) = &title { (line(title)) " · " } "as " (line(tenant)) " has it" }
            }
            @if holding.len() > 1 {
                nav.chips aria-label="Tenant" {
                    @for one in &holding { a href=(address::integration(name, one)) aria-current=[(*one == tenant).then_some("true")] { (line(one)) } }
                }
            }
        }
        @if is_elsewhere { div.notice { p {
            @if is_unknown(shown, asked) { "Whether " (line(asked)) " has integration " (line(name)) " is unknown: not all of it could be read." }
            @else { (line(asked)) " has no integration " (line(name)) "." }
            " This is that of " (line(tenant)) "."
        } } }
        (bindings(request, shown, name, &rows))
        (changes(shown, name))
        div.three {
            (tree(shown, name, tenant, rows.get(tenant).map_or(&[], Vec::as_slice)))
            (what_if(shown, name, tenant))
        }
    };
    layout::reply(request, Some(NavEntry::Integrations), name, main)
}

/// A row per variable, a column per tenant.
fn bindings(_request: &Request, shown: &ShownProject, name: &str, rows: &BTreeMap<&str, Vec<BindingRow>>) -> Markup {
    let tenants: Vec<&String> = shown.planned.world.tenants.keys().collect();
    let variables: Vec<&str> = {
        let mut seen = BTreeSet::new();
        let all = rows.values().flatten().map(|row| row.variable.as_str());
        all.filter(|variable| seen.insert(*variable)).collect()
    };
    let row = |tenant: &str, variable: &str| rows.get(tenant)?.iter().find(|row| row.variable == variable);
    html! {
        section aria-labelledby="h-bindings" {
            h2 #h-bindings { "Variables " span.count { (variables.len()) } }
            @if variables.is_empty() { p.dim { "It has no connection variables." } } @else {
                div.scroll tabindex="0" role="region" aria-label="Bindings by tenant" {
                    table.m data-matrix {
                        thead { tr { th scope="col" { "Variable" } @for tenant in &tenants { th scope="col" { b { (line(tenant)) } } } } }
                        tbody {
                            @for variable in &variables {
                                tr {
                                    th scope="row" { (line(variable)) }
                                    @for tenant in &tenants {
                                        td {
                                            @match row(tenant, variable) {
                                                Some(row) => (bound(shown, tenant, name, row)),
                                                None if rows.contains_key(tenant.as_str()) => (mark(OverviewState::Absent)),
                                                None => (absent(shown, tenant, name)),
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
}

/// What the plan does with the integration in each tenant, and what holds it back.
fn changes(shown: &ShownProject, name: &str) -> Markup {
    let plan = &shown.planned.plan;
    let (id, held) = (ObjectId::new(Kind::Integration, name), plan.held());
    let found: Vec<_> = plan
        .targets
        .iter()
        .flat_map(|target| entries_of(plan, &held, target, &id).into_iter().map(move |entry| (target, entry)))
        .collect();
    html! {
        @if !found.is_empty() {
            section aria-labelledby="h-changes" {
                h2 #h-changes { "Changes and problems " span.count { (found.len()) } }
                @for (at, (target, entry)) in found.iter().take(MOST).enumerate() {
                    @if at == 0 || found.get(at - 1).is_some_and(|(above, _)| above.tenant != target.tenant) { h3 { (line(&target.tenant)) } }
                    (plan_entry::entry(shown, target, entry))
                }
                @if found.len() > MOST { p.dim { "and " (found.len() - MOST) " more" } }
                p.then { a href=(PageAddress::new("/plan").with("q", name).text()) { "Show them in the plan" } }
            }
        }
    }
}

/// The state of the integration in a tenant.
fn of_tenant(shown: &ShownProject, tenant: &str, name: &str) -> OverviewState {
    let cell = shown.overview.integrations.iter().find(|row| *row.key == *name);
    let at = shown.overview.tenants.iter().position(|one| *one.name == *tenant);
    cell.zip(at).and_then(|(row, at)| row.cells.get(at)).map_or(OverviewState::Unknown, |cell| cell.state)
}

/// Whether not all that is declared for a tenant is known.
fn is_unknown(shown: &ShownProject, tenant: &str) -> bool {
    shown.overview.tenants.iter().any(|one| *one.name == *tenant && one.unknown.is_some())
}

/// A tenant without the integration, or that could not be read.
fn absent(shown: &ShownProject, tenant: &str, name: &str) -> Markup {
    mark(of_tenant(shown, tenant, name))
}

/// What the plan says of a variable of the integration.
fn of_variable(shown: &ShownProject, tenant: &str, name: &str, variable: &str) -> Option<OverviewState> {
    let target = shown.planned.plan.targets.iter().find(|target| target.tenant == tenant)?;
    let is_it = |id: &ObjectId| id.kind == Kind::Integration && id.name == name;
    let is_meant = |field: &Field<'_>| field.kind == FieldKind::Variable && field.name == variable;
    let changes =
        |action: &&Action| is_it(&action.change.object) && action.fields.iter().any(|change| is_meant(&change.field));
    let is_noted = |path: &[String]| Field::parse(&path.join(".")).is_some_and(|field| is_meant(&field));
    let acts = target.actions.iter().find(changes).map(|action| plan_state::of_action(action, false));
    let waits = || target.waiting.iter().find(changes).map(|_| OverviewState::Waiting);
    let noted = || {
        target.notes.iter().find_map(|note| match note {
            Note::Drift { path, .. } if is_it(note.object()) && is_noted(path) => Some(OverviewState::Drift),
            Note::Kept { path, .. } if is_it(note.object()) && is_noted(path) => Some(OverviewState::Kept),
            _ => None,
        })
    };
    acts.or_else(waits).or_else(noted)
}

/// The state of a variable in a tenant.
fn state_of_binding(shown: &ShownProject, tenant: &str, name: &str, row: &BindingRow) -> OverviewState {
    match state(row.state) {
        // A live binding that works may differ from what is declared, or that may be unknown.
        state if state.is_quiet() => match of_variable(shown, tenant, name, &row.variable) {
            Some(found) => found,
            // Whether another value is declared is unknown.
            None if is_unknown(shown, tenant) => OverviewState::Unknown,
            None => match of_tenant(shown, tenant, name) {
                // What is blocked was not compared, variable by variable.
                OverviewState::Unknown | OverviewState::Blocked | OverviewState::Missing => OverviewState::Unknown,
                OverviewState::Waiting => OverviewState::Waiting,
                _ => state,
            },
        },
        state => state,
    }
}

fn bound(shown: &ShownProject, tenant: &str, name: &str, row: &BindingRow) -> Markup {
    let state = state_of_binding(shown, tenant, name, row);
    let key = row.stable_key.as_deref();
    html! {
        @match key {
            Some(key) => { a href=(address::connection(key)) title=(text(row.fix.as_deref().unwrap_or(&row.rule))) { (mark(state)) span.say.key { (line(key)) } } },
            None => { (mark(state)) span.say { "its own" } },
        }
    }
}

/// The flows and steps that use connections.
fn tree(shown: &ShownProject, name: &str, tenant: &str, rows: &[BindingRow]) -> Markup {
    let asked = SwitchConnection {
        tenant: Some(tenant.to_string()),
        integration: Some(name.to_string()),
        moved: None,
        input: None,
        to: None,
        reason: None,
    };
    let mut draft = Draft::new(&shown.project);
    let switchable = switch(&mut draft, &asked, false).map(|switched| switched.missing);
    html! {
        section aria-labelledby="h-steps" {
            h2 #h-steps { "Flows and steps" }
            @match switchable {
                Ok(found) => {
                    @if let Some(Missing::Step(steps)) = &found { (steps_of(name, tenant, &steps.steps)) } @else { p.dim { "No step uses a connection." } }
                    (unbound(shown, name, tenant))
                },
                Err(error) => {
                    (uses(shown, name, tenant, rows))
                    details data-key="why" { summary { "It cannot be edited in this tenant" } p { (text(&error.to_string())) } (refusals::edit_help(&error)) }
                },
            }
            @if rows.iter().any(|row| row.stable_key.is_some()) {
                h2 { "All uses of a variable" }
                ul.tree {
                    @for row in rows.iter().filter(|row| row.stable_key.is_some()) {
                        li {
                            span { (line(&row.variable)) " " span.dim { (count(row.used_by.len(), "use", "uses")) } }
                            span { span.key { (line(row.stable_key.as_deref().unwrap_or_default())) } " "
                                (switch_link(name, tenant, ("variable", &row.variable), "Switch all", &format!("Switch all uses of {}", row.variable))) }
                        }
                    }
                }
            }
        }
    }
}

/// The link that switches what a part of the definition uses. A part whose name has a secret in it cannot be named in an
/// address.
fn switch_link(name: &str, tenant: &str, (what, part): (&str, &str), word: &str, label: &str) -> Markup {
    let to = PageAddress::new("/switch").with("tenant", tenant).with("integration", name).with(what, part).text();
    html! {
        @if sensitive::has_secret(part) { span.dim { "its name has a secret in it" } }
        @else { a href=(to) aria-label=(line(label)) { (word) } }
    }
}

/// The steps in the order of the definition, below their flow.
fn steps_of(name: &str, tenant: &str, steps: &[StepChoice]) -> Markup {
    let parts = |step: &StepChoice| -> (String, String) {
        // Before it is split: a part of an address tells its password.
        let path = sensitive::masked(&step.path);
        match (step.is_data_source, path.split_once('/')) {
            (true, _) => ("Data sources".to_string(), path.into_owned()),
            (false, Some((flow, rest))) => (flow.to_string(), rest.to_string()),
            (false, None) => (String::new(), path.into_owned()),
        }
    };
    html! {
        ul.tree {
            @for (at, step) in steps.iter().take(MOST).enumerate() {
                @let (flow, rest) = parts(step);
                @if at == 0 || steps.get(at - 1).is_some_and(|above| parts(above).0 != flow) { li.flow { b { (line(&flow)) } } }
                li.step {
                    span { (line(&rest)) }
                    span {
                        @match &step.uses { Some(uses) => (line(uses)), None => "no connection yet" } " "
                        @let what = if step.is_data_source { "data-source" } else { "step" };
                        (switch_link(name, tenant, (what, &step.path), "Switch", &format!("Switch {rest}")))
                    }
                }
            }
            @if steps.len() > MOST { li.dim { "and " (steps.len() - MOST) " more" } }
        }
    }
}

/// The steps that have no connection yet.
fn unbound(shown: &ShownProject, name: &str, tenant: &str) -> Markup {
    let asked =
        BindStep { tenant: Some(tenant.to_string()), integration: Some(name.to_string()), ..BindStep::default() };
    let mut draft = Draft::new(&shown.project);
    match bind(&mut draft, &asked) {
        Ok(Some(Missing::Step(steps))) if !steps.steps.is_empty() => html! {
            details data-key="unbound" { summary { "Steps without a connection (" (steps.steps.len()) ")" } (steps_of(name, tenant, &steps.steps)) }
        },
        _ => html! {},
    }
}

/// The same, where the definition is not changed here.
fn uses(shown: &ShownProject, name: &str, tenant: &str, rows: &[BindingRow]) -> Markup {
    let mut flows: BTreeMap<&str, Vec<(&str, &BindingRow)>> = BTreeMap::new();
    for row in rows {
        for used in &row.used_by {
            let (flow, step) = match used {
                Used::Step { flow, step } => (flow.as_str(), step.as_str()),
                Used::DataSource { variable } => ("Data sources", variable.as_str()),
            };
            flows.entry(flow).or_default().push((step, row));
        }
    }
    html! {
        ul.tree {
            @for (flow, steps) in &flows {
                li.flow { b { (line(flow)) } }
                @for (step, row) in steps.iter().take(MOST) {
                    li.step { span { (line(step)) } span { (bare_mark(state_of_binding(shown, tenant, name, row))) " " (line(row.stable_key.as_deref().unwrap_or("its own"))) } }
                }
            }
            @if flows.is_empty() { li.dim { "No use of a connection is known." } }
        }
    }
}

/// The tenants for which a plan can be made beside it.
fn what_if(shown: &ShownProject, name: &str, tenant: &str) -> Markup {
    let others: Vec<&String> = shown.planned.world.tenants.keys().filter(|other| *other != tenant).collect();
    html! {
        section aria-labelledby="h-what-if" {
            h2 #h-what-if { "What if this goes to …" }
            @if others.is_empty() { p.dim { "There is no other tenant." } }
            ul.tree {
                @for other in others {
                    li {
                        span { (line(other)) }
                        span { a href=(PageAddress::new("/what-if").with("name", name).with("from", tenant).with("to", other).text()) aria-label={ "Plan it to " (line(other)) } { "Plan it" } }
                    }
                }
            }
        }
    }
}
