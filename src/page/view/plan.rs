//! The plan of all tenants, and the form that applies it.

use super::offer::offer;
use super::{act, bare_mark, diff, page_of};
use crate::api::sensitive;
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::finding::{At, Finding};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, Impact, Note, Plan, State, Target};
use crate::engine::model::record::Writer;
use crate::page::consent::{applicable, digest_of_plan};
use crate::page::layout::{self, NavEntry, RowPages, line, text, with};
use crate::page::plans_shown;
use crate::page::reply::{self, Reply};
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::project::{Project, planned};
use crate::render::{self, Invocation, JsonLayout};
use crate::report::overview_state::{OverviewState, StateCounts};
use crate::report::tally::Tally;
use crate::text::{capital, count, thousands};
use maud::{Markup, html};
use std::path::Path;

/// The entries of a page.
const ROWS: usize = 50;

/// An entry of the plan.
enum Entered<'p> {
    Action(&'p Action),
    Waiting(&'p Action),
    Note(&'p Note),
    Finding(&'p Finding),
}

impl<'p> Entered<'p> {
    fn state(&self) -> Option<OverviewState> {
        Some(match self {
            Entered::Action(action) => of_action(action),
            Entered::Waiting(_) => OverviewState::Waiting,
            Entered::Note(Note::Blocked { .. }) => OverviewState::Blocked,
            // As the overview has it: what the policy ignores is the tenant's own.
            Entered::Note(Note::Drift { ignored: true, .. }) => OverviewState::Kept,
            Entered::Note(Note::Drift { .. }) => OverviewState::Drift,
            Entered::Note(Note::Kept { .. }) => OverviewState::Kept,
            Entered::Note(Note::Manual { .. } | Note::Overridden { .. }) => return None,
            Entered::Finding(finding) => match finding.severity {
                Severity::Error => OverviewState::Blocked,
                Severity::Unreached if finding.code == Code::BindingUnknown => OverviewState::Unknown,
                Severity::Unreached => OverviewState::Missing,
                Severity::Warning => return None,
            },
        })
    }

    fn object(&self) -> Option<&'p ObjectId> {
        match self {
            Entered::Action(action) | Entered::Waiting(action) => Some(&action.change.object),
            Entered::Note(note) => Some(note.object()),
            Entered::Finding(finding) => finding.object.as_ref(),
        }
    }

    /// Whether it has these letters, which are small.
    fn matches(&self, wanted: &str) -> bool {
        let has = |text: &str| text.to_lowercase().contains(wanted);
        if self.object().is_some_and(|id| has(&id.to_string())) {
            return true;
        }
        match self {
            Entered::Action(action) | Entered::Waiting(action) => {
                action.fields.iter().any(|change| has(&change.field.to_string())) || has(&action.reason.text)
            }
            Entered::Note(Note::Blocked { text, .. }) => has(text),
            Entered::Note(Note::Drift { path, .. } | Note::Kept { path, .. }) => has(&path.join(".")),
            Entered::Note(_) => false,
            Entered::Finding(finding) => has(&finding.text),
        }
    }
}

/// The state that an action means for its object.
pub(in crate::page) fn of_action(action: &Action) -> OverviewState {
    match action.action {
        _ if !action.needs_approval.is_empty() => OverviewState::NeedsApproval,
        ActionKind::Create => OverviewState::Create,
        ActionKind::Update => OverviewState::Update,
        ActionKind::Adopt => OverviewState::Adopt,
        ActionKind::Delete => OverviewState::Delete,
    }
}

/// The entries of a target, worst first; manual steps and overridden values have views of their own.
fn entries<'p>(plan: &'p Plan, target: &'p Target) -> Vec<Entered<'p>> {
    let here =
        |finding: &&Finding| finding.severity != Severity::Warning && finding.tenant.as_ref() == Some(&target.tenant);
    let mut all: Vec<Entered<'p>> = plan.findings.iter().filter(here).map(Entered::Finding).collect();
    let is_shown = |note: &&Note| !matches!(note, Note::Manual { .. } | Note::Overridden { .. });
    all.extend(target.notes.iter().filter(is_shown).map(Entered::Note));
    let held = plan.held();
    let of_action = |action: &'p Action| match held.contains(action.id.as_str()) {
        true => Entered::Waiting(action),
        false => Entered::Action(action),
    };
    all.extend(target.actions.iter().map(of_action));
    all.extend(target.waiting.iter().map(Entered::Waiting));
    // The order of execution stays within a state.
    all.sort_by_key(Entered::state);
    all
}

/// Shows the plan.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    show_again(request, shown, html! {})
}

/// The same below a message.
pub(in crate::page) fn show_again(request: &Request, shown: &ShownProject, notice: Markup) -> Reply {
    let plan = &shown.planned.plan;
    let fields = &request.fields;
    let (tenant, wanted) = (fields.text("tenant"), fields.text("q").trim().to_lowercase());
    let only = OverviewState::of_class(fields.text("show"));
    let mut counts = StateCounts::default();
    let mut all: Vec<(&Target, Entered<'_>)> = Vec::new();
    for target in plan.targets.iter().filter(|target| tenant.is_empty() || target.tenant == tenant) {
        for entry in entries(plan, target) {
            if let Some(state) = entry.state() {
                counts.add(state);
            }
            all.push((target, entry));
        }
    }
    let total = all.len();
    all.retain(|(_, entry)| {
        only.is_none_or(|only| entry.state() == Some(only)) && (wanted.is_empty() || entry.matches(&wanted))
    });
    let page = fields.text("page").parse::<usize>().unwrap_or(1).max(1);
    let first = (page - 1).saturating_mul(ROWS).min(all.len());
    let rows: Vec<&(&Target, Entered<'_>)> = all.iter().skip(first).take(ROWS).collect();
    let pages = RowPages { first, shown: rows.len(), all: all.len(), size: ROWS };
    let chip = |state: Option<OverviewState>, word: &str, number: usize| {
        let to = with(request, "/plan", "show", state.map_or("", OverviewState::class));
        html! {
            a href=(to) aria-current=[(only == state).then_some("true")] {
                @match state { Some(state) => (bare_mark(state)), None => span.i.none aria-hidden="true" { "∗" } }
                (word) " " span { (thousands(number)) }
            }
        }
    };
    let main = html! {
        div.head {
            div { h1 { "Plan" } p { (sentence(plan)) " " a href="/steps" { (capital(&shown.steps.counts.words())) } "." } }
            div.do { a.button href="/plan.md" { "As Markdown" } a.button href="/plan.json" { "As JSON" } }
        }
        (notice)
        (nowhere(shown, plan))
        section aria-label="Changes" {
            div.bar {
                nav.chips aria-label="Show only" {
                    (chip(None, "All", total))
                    @for (state, number) in counts.iter() { (chip(Some(state), &capital(state.word()), number)) }
                }
                form role="search" method="get" action="/plan" data-search {
                    @for name in ["show", "tenant"] { @if fields.has(name) { input type="hidden" name=(name) value=(fields.text(name)); } }
                    label.sr for="q" { "Search the plan" }
                    input #q type="search" name="q" value=(fields.text("q")) placeholder="Search objects and fields";
                }
            }
            @if plan.targets.len() > 1 {
                nav.chips aria-label="Tenants" {
                    a href=(with(request, "/plan", "tenant", "")) aria-current=[tenant.is_empty().then_some("true")] { "All tenants" }
                    @for target in &plan.targets {
                        a href=(with(request, "/plan", "tenant", &target.tenant)) aria-current=[(tenant == target.tenant).then_some("true")] { (line(&target.tenant)) }
                    }
                }
            }
            div #list {
                @for (at, (target, entry)) in rows.iter().enumerate() {
                    @if at == 0 || rows.get(at - 1).is_some_and(|(above, _)| above.tenant != target.tenant) { (head(shown, target)) }
                    (self::entry(shown, target, entry))
                }
                @for target in plan.targets.iter().filter(|target| is_quiet(plan, target) && (tenant.is_empty() || target.tenant == tenant)) {
                    @if wanted.is_empty() && only.is_none() && page == 1 { (head(shown, target)) }
                }
                @if rows.is_empty() && total > 0 { p.dim { "Nothing here matches." } }
            }
            (warnings(shown, plan, tenant))
            @if pages.all > ROWS { (pages.footer(|page| with(request, "/plan", "page", page))) }
        }
        @if ["q", "show", "tenant"].iter().any(|name| fields.filled(name).is_some()) {
            // Who applies has seen all that is applied.
            div.consent { span.dim { "Only a part of the plan is shown." } a.button href="/plan" { "Show the whole plan, to apply it" } }
        } @else { (consent(request, &shown.project, plan, "/apply", html! {})) }
    };
    layout::reply(request, Some(NavEntry::Plan), "Plan", main)
}

/// The warnings of a tenant, or of all.
fn warnings(shown: &ShownProject, plan: &Plan, tenant: &str) -> Markup {
    let is_meant = |finding: &&Finding| {
        finding.severity == Severity::Warning && (tenant.is_empty() || finding.tenant.as_deref() == Some(tenant))
    };
    let all: Vec<&Finding> = plan.findings.iter().filter(is_meant).collect();
    html! {
        @if !all.is_empty() {
            details.warnings data-key="warnings" {
                summary { "Warnings " span.count { (thousands(all.len())) } }
                @for finding in all.iter().take(ROWS) {
                    div.step { @if let Some(tenant) = &finding.tenant { b { (line(tenant)) } " " } span.dim { (finding.code.to_string()) } (of_finding(shown, finding)) }
                }
                @if all.len() > ROWS { p.dim { "and " (thousands(all.len() - ROWS)) " more" } }
            }
        }
    }
}

/// The plan of what is put back, with the same parts.
pub(in crate::page) fn targets(_request: &Request, shown: &ShownProject, plan: &Plan) -> Markup {
    html! {
        @for target in &plan.targets {
            (head(shown, target))
            @let all = entries(plan, target);
            @for entry in all.iter().take(ROWS) { (self::entry(shown, target, entry)) }
            @if all.len() > ROWS { p.dim { "and " (thousands(all.len() - ROWS)) " more" } }
        }
    }
}

/// The counts in a sentence.
pub(in crate::page) fn sentence(plan: &Plan) -> String {
    // Manual steps are counted with those that no plan names.
    let tally = Tally { manual: 0, ..Tally::of_plan(plan, &crate::report::ranked::targets(plan)) };
    let tally = tally.sentence();
    match tally.is_empty() {
        true if plan.exit == 0 => "Nothing to apply.".to_string(),
        true => "Nothing to apply, but not all could be read.".to_string(),
        false => format!("{tally}."),
    }
}

fn is_quiet(plan: &Plan, target: &Target) -> bool {
    entries(plan, target).is_empty()
}

/// What belongs to no tenant of the plan.
fn nowhere(shown: &ShownProject, plan: &Plan) -> Markup {
    let findings = crate::report::ranked::of_no_target(plan);
    html! {
        @for finding in findings.iter().filter(|finding| finding.severity != Severity::Warning).take(ROWS) {
            div.notice.bad { (of_finding(shown, finding)) }
        }
    }
}

/// The head of a tenant.
fn head(shown: &ShownProject, target: &Target) -> Markup {
    let spec = shown.project.tenants.get(&target.tenant).map(|tenant| &tenant.spec);
    let about = spec.into_iter().flat_map(|spec| [spec.region.clone(), spec.environment.clone()]).flatten();
    let about: Vec<String> = about.collect();
    let changes = count(target.actions.len(), "change", "changes");
    // A plan that is complete for what is known says nothing of what is not.
    let health = shown.overview.tenants.iter().find(|tenant| *tenant.name == *target.tenant);
    let is_known = target.known && health.is_none_or(|health| health.unknown.is_none());
    html! {
        div.tenant #{ "t-" (target.tenant) } {
            h2 { (line(&target.tenant)) }
            @if !about.is_empty() { span.dim { (line(&about.join(" · "))) } }
            span.dim {
                @if target.state == State::Unreachable { "cannot be read" }
                @else if target.actions.is_empty() && !is_known { "not all could be read" }
                @else if target.actions.is_empty() { "nothing to apply" }
                @else { (changes) }
            }
            @if target.suspended { span.tag { "suspended" } }
            @for (sync, waits) in &target.suspended_syncs { span.tag { (line(sync)) " is suspended: " (count(*waits, "action waits", "actions wait")) } }
            span.end {
                @for (writer, digest) in &target.digests { span { (line(writer)) " " code title=(digest.to_string()) { (crate::engine::model::canonical::short(&digest.to_string())) } " " } }
            }
        }
        @if let Some(why) = &target.why { p.why { (text(why)) } }
        @for (writer, wait) in &target.stages { p.why { (line(&writer.to_string())) " " (line(&wait.to_string())) } }
    }
}

fn entry(shown: &ShownProject, target: &Target, entry: &Entered<'_>) -> Markup {
    let tenant = &target.tenant;
    match entry {
        Entered::Action(action) => {
            of_change(shown, tenant, action, of_action(action), &capital(action.action.as_str()))
        }
        Entered::Waiting(action) => of_change(shown, tenant, action, OverviewState::Waiting, "Waits"),
        Entered::Note(note) => of_note(tenant, note),
        Entered::Finding(finding) => {
            let state = entry.state().unwrap_or(OverviewState::Unknown);
            let at = finding.at.as_ref().map(|at| place(&shown.project.root, at)).unwrap_or_default();
            details(
                (state, if finding.severity == Severity::Error { "Error" } else { "Unresolved" }),
                (tenant, finding.object.as_ref(), None),
                &format!("{} {at}", finding.code),
                html! { (finding.code.to_string()) },
                true,
                of_finding(shown, finding),
            )
        }
    }
}

/// One entry: a line, and below it what there is to know. `part` tells it from others of the same word and object.
fn details(
    (state, word): (OverviewState, &str),
    (tenant, id, key): (&str, Option<&ObjectId>, Option<&str>),
    part: &str,
    end: Markup,
    is_open: bool,
    inner: Markup,
) -> Markup {
    let title = html! {
        @match id {
            Some(id) => {
                b { (line(key.unwrap_or(&id.name))) } " " span.dim { (id.kind.to_string().to_lowercase()) }
            },
            None => { b { (line(tenant)) } },
        }
    };
    let inner = html! {
        (inner)
        @if let Some(to) = id.and_then(|id| page_of(tenant, id, key)) { p.then { a href=(to) { "Open " (line(key.or(id.map(|id| id.name.as_str())).unwrap_or_default())) } } }
    };
    let object = id.map(ObjectId::to_string).unwrap_or_default();
    act(&format!("{tenant} {object} {word} {part}"), state, (word, title), end, is_open, inner)
}

/// The stable key of the connection that an action is about.
pub(in crate::page) fn key_of(action: &Action) -> Option<&str> {
    let item = action.change.after.as_ref().or(action.change.before.as_ref())?;
    match item {
        Item::Connection(connection) => Some(&connection.spec.stable_key),
        _ => None,
    }
}

fn of_change(shown: &ShownProject, tenant: &str, action: &Action, state: OverviewState, word: &str) -> Markup {
    let id = &action.change.object;
    let needs = !action.needs_approval.is_empty();
    let end = html! { @if needs { "needs approval" } @else { (impact(&action.impact)) } };
    let inner = html! {
        @for approval in &action.needs_approval { p.why { b.loud { (text(&approval.why)) } " (" (approval.code.to_string()) ")" } }
        p.why { (text(&action.reason.text)) @if needs && !impact(&action.impact).is_empty() { ". Affects " (impact(&action.impact)) "." } }
        @for by in &action.overrides { p.why { "Override of " (line(&by.writer.to_string())) ": " (line(&by.field.to_string())) " · “" (line(&by.reason)) "”" } }
        (diff::fields(action.at.as_ref().map(|at| place(&shown.project.root, at)), &action.fields))
        @if !action.after.is_empty() { p.dim { "After " (line(&action.after.iter().take(5).cloned().collect::<Vec<_>>().join(", "))) } }
        p.dim { "By " (line(&action.writers.iter().map(Writer::to_string).collect::<Vec<_>>().join(", "))) }
    };
    let object = (tenant, Some(id), key_of(action));
    details((state, word), object, action.action.as_str(), end, needs || action.action == ActionKind::Update, inner)
}

/// A place in a file, as text that can be copied: seen from the root of the project.
pub(in crate::page) fn place(root: &Path, at: &At) -> String {
    format!("{}:{}", below(root, &at.file), at.line)
}

/// A path seen from the root of the project.
pub(in crate::page) fn below(root: &Path, file: &str) -> String {
    Path::new(file).strip_prefix(root).map_or_else(|_| file.to_string(), |below| below.display().to_string())
}

/// What an action affects: `2 integrations, 3 steps, 118 customers`.
pub(in crate::page) fn impact(impact: &Impact) -> String {
    let number = impact.integrations.len();
    let steps: usize = impact.integrations.iter().map(|one| one.steps).sum();
    let parts = [
        (number > 0).then(|| count(number, "integration", "integrations")),
        (steps > 0).then(|| count(steps, "step", "steps")),
        (impact.customers > 0).then(|| count(impact.customers, "customer", "customers")),
        impact.instances.filter(|number| *number > 0).map(|number| count(number, "instance", "instances")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn of_note(tenant: &str, note: &Note) -> Markup {
    let id = note.object();
    let object = (tenant, Some(id), None);
    match note {
        Note::Blocked { code, text: why, fix, commands, .. } => {
            let inner = html! {
                p.why { (text(why)) }
                p.why { "→ " (text(fix)) }
                @for command in commands { (offer(command)) }
            };
            details(
                (OverviewState::Blocked, "Blocked"),
                object,
                &code.to_string(),
                html! { (code.to_string()) },
                true,
                inner,
            )
        }
        Note::Drift { path, from, to, parts, by, ignored, .. } => {
            let name = path.join(".");
            let inner = html! {
                p.why { (line(&name)) " changed in " (line(tenant)) " after Stablekey wrote it" @if let Some(by) = by { ", by " (line(by)) } "." @if *ignored { " The policy of the tenant ignores drift." } }
                div.diff { (diff::values(&name, from.as_ref(), to.as_ref(), parts)) }
                (actions_of_field(tenant, id, &name))
            };
            details((OverviewState::Drift, "Drift"), object, &name, html! { (line(&name)) }, false, inner)
        }
        Note::Kept { path, from, to, parts, by, text: why, .. } => {
            let name = path.join(".");
            let inner = html! {
                p.why { @match why { Some(why) => (text(why)), None => { (line(tenant)) " keeps its own value, of " (line(by)) "." } } }
                div.diff { (diff::values(&name, from.as_ref(), to.as_ref(), parts)) }
                (actions_of_field(tenant, id, &name))
            };
            details((OverviewState::Kept, "Kept"), object, &name, html! { (line(&name)) }, false, inner)
        }
        Note::Overridden { .. } | Note::Manual { .. } => html! {},
    }
}

/// The links that end a difference of a field.
pub(in crate::page) fn actions_of_field(tenant: &str, id: &ObjectId, field: &str) -> Markup {
    let query = |path: &'static str| {
        crate::page::address::PageAddress::new(path)
            .with("tenant", tenant)
            .with("object", &id.to_string())
            .with("field", field)
            .text()
    };
    html! { p.then { a href=(query("/revert")) { "Revert" } a href=(query("/keep")) { "Keep" } } }
}

/// A finding, with what to do.
pub(in crate::page) fn of_finding(shown: &ShownProject, finding: &Finding) -> Markup {
    html! {
        p.why { @if let Some(at) = &finding.at { code { (line(&place(&shown.project.root, at))) } " " } (text(&finding.text)) }
        @if !finding.fix.is_empty() { p.why { "→ " (text(&finding.fix)) } }
        @for command in &finding.commands { (offer(command)) }
    }
}

/// The form that applies a plan. `more` are further fields.
pub(in crate::page) fn consent(request: &Request, project: &Project, plan: &Plan, to: &str, more: Markup) -> Markup {
    let all = applicable(plan).count();
    let needing = applicable(plan).filter(|(_, action)| !action.needs_approval.is_empty()).count();
    let rest = all - needing;
    let files = planned::kustomizations(project, plan)
        .iter()
        .filter(|(_, due)| due.changes.as_ref().is_ok_and(|c| !c.is_empty()))
        .count();
    let runs = request.desk.running.last().is_some_and(|run| run.progress().end.is_none());
    html! {
        @if runs {
            div.consent { span.dim { "An apply runs." } a.button.main href="/apply" { "Show it" } }
        } @else if all > 0 {
            @let digest = digest_of_plan(project, plan);
            (remembered(request, &digest, plan))
            form.consent method="post" action=(to) {
                (layout::token(request))
                input type="hidden" name="digest" value=(digest);
                (more)
                span.dim {
                    "Apply " (count(all, "change", "changes"))
                    @if needing > 0 { ", " (thousands(needing)) @if needing == 1 { " of which needs approval" } @else { " of which need approval" } }
                    @if files > 0 { "; " (count(files, "kustomization.yaml", "kustomizations")) " brought up to date" }
                }
                @if needing > 0 {
                    label { input type="checkbox" name="approve"; " I have read the " (thousands(needing)) " that " @if needing == 1 { "needs" } @else { "need" } " approval" }
                    @if rest > 0 { button.button name="what" value="rest" { "Apply the other " (thousands(rest)) } }
                    button.button.main name="what" value="all" { "Approve and apply " (thousands(all)) }
                } @else {
                    button.button.main name="what" value="all" { "Apply " (thousands(all)) }
                }
            }
        }
    }
}

/// Remembers the plan of a form, and shows nothing.
fn remembered(request: &Request, digest: &str, plan: &Plan) -> Markup {
    request.desk.plans_shown.remember(digest, || plans_shown::actions(plan));
    html! {}
}

/// A plan of what was read before is no plan: who takes it elsewhere does not see that.
fn not_read(request: &Request) -> Option<Reply> {
    let failure = request.reading.failure.as_ref()?;
    Some(layout::refused(
        request,
        503,
        "No plan",
        &format!("The project cannot be read: {}", failure.message),
        &failure.help,
    ))
}

/// The plan as Markdown, for a pull request.
pub(in crate::page) fn markdown(request: &Request, shown: &ShownProject) -> Reply {
    if let Some(refused) = not_read(request) {
        return refused;
    }
    let text = render::plan_markdown(&shown.planned.plan, &typed(shown));
    reply::text("text/markdown; charset=utf-8", sensitive::masked(&text).into_owned())
}

/// The plan as JSON.
pub(in crate::page) fn json(request: &Request, shown: &ShownProject) -> Reply {
    if let Some(refused) = not_read(request) {
        return refused;
    }
    match render::json(&shown.planned.plan, JsonLayout::Pretty) {
        Ok(json) => reply::text("application/json", sensitive::masked(&json).into_owned()),
        Err(error) => {
            layout::refused(request, 500, "No JSON", &error.to_string(), "This is an internal error: report it.")
        }
    }
}

fn typed(shown: &ShownProject) -> Invocation {
    let root = shown.folder.root.display().to_string();
    Invocation { root: (root != ".").then_some(root), ..Invocation::default() }
}
