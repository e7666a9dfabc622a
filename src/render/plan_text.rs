//! The plan as text: tenant by tenant, the worst first.

use super::action_text;
use super::findings;
use super::invocation::Invocation;
use super::page::{Span, TextPage, command, faint, heading, plain, strong, width};
use super::style::{Style, Tone};
use crate::engine::model::canonical::Digest;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, Note, Plan, Scope, State, Target};
use crate::report::passed_over::passed_over;
use crate::report::ranked;
use crate::report::ranked::Ranked;
use crate::report::tally::Tally;
use crate::text::{and, count, thousands};
use std::collections::BTreeSet;

/// The maximum length of lists that need no decision: JSON has every item.
pub(super) const MOST: usize = 40;

/// Renders the plan as text. `typed` has the arguments that suggested commands repeat.
pub fn plan_text(plan: &Plan, typed: &Invocation, style: Style) -> String {
    let mut page = TextPage::new(style);
    let targets = ranked::targets(plan);
    let everywhere = ranked::of_no_target(plan);
    let tally = Tally::of_plan(plan, &targets);
    for line in passed_over(plan) {
        page.wrap(0, 2, &[faint(line)]);
    }
    if plan.exit == 0 && everywhere.is_empty() && targets.iter().all(Ranked::is_quiet) {
        page.line(
            0,
            &[Span::new(Tone::Good, "✓"), plain(format!(" Nothing to do: {}", as_declared(plan, &tally, typed)))],
        );
        return page.finish();
    }
    if !everywhere.is_empty() {
        page.line(0, &[heading("all tenants")]);
        findings::list(&mut page, 2, &everywhere);
    }
    let (quiet, loud): (Vec<_>, Vec<_>) = targets.iter().partition(|t| t.is_quiet());
    for ranked in loud {
        page.gap();
        target(&mut page, ranked, typed);
    }
    page.gap();
    let all_read = plan.targets.iter().all(|target| target.state != State::Unreachable);
    let (known, unknown): (Vec<&Ranked<'_>>, Vec<_>) = quiet.iter().partition(|t| all_read && t.target.known);
    quiet_tenants(&mut page, &known, true);
    quiet_tenants(&mut page, &unknown, false);
    page.gap();
    page.wrap(0, 2, &strong(format!("{}.", tally.sentence())).counts());
    for NextCommand { lead, command: next } in next(plan, &tally, typed) {
        page.wrap(0, 2, &[plain(lead)]);
        next.lines().for_each(|next| page.line(2, &[command(next)]));
    }
    page.finish()
}

fn as_declared(plan: &Plan, tally: &Tally, typed: &Invocation) -> String {
    let names: Vec<&str> = plan.targets.iter().map(|t| t.tenant.as_str()).collect();
    let who = match names.len() {
        0 => "no tenant is in scope".to_string(),
        1 => format!("{} is in sync", and(&names)),
        2..=6 => format!("{} are in sync", and(&names)),
        many => format!("all {} tenants are in sync", thousands(many)),
    };
    let who = format!("{who}{}", as_far_as(&plan.scope));
    let rest = Tally { adopt: 0, ..*tally }.sentence();
    if rest.is_empty() { format!("{who}.") } else { format!("{who} ({rest}; {} shows them).", typed.status()) }
}

/// The limitation of a narrowed plan: the rest of its tenants is unknown.
pub(super) fn as_far_as(scope: &Scope) -> String {
    let named = |what: &str, names: &BTreeSet<String>| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("{what} {}", and(&names)))
    };
    let reverted = scope.revert.as_ref().map(ToString::to_string);
    let parts = named("integration", &scope.integrations).into_iter().chain(named("sync", &scope.syncs));
    let parts: Vec<String> = parts.chain(reverted).collect();
    if parts.is_empty() { String::new() } else { format!(", as far as {} goes", parts.join(" and ")) }
}

/// One line for the tenants without actions, with their warnings. It is qualified if not everything that is declared
/// for them could be read.
fn quiet_tenants(page: &mut TextPage, quiet: &[&Ranked<'_>], all_read: bool) {
    let (plain_ones, others): (Vec<&Ranked<'_>>, Vec<_>) =
        quiet.iter().copied().partition(|t| Tally::of(t) == Tally::default());
    let (good, known) = match all_read {
        true => (Span::new(Tone::Good, "✓ "), ""),
        false => (plain("· "), ", as far as is known"),
    };
    if !plain_ones.is_empty() {
        let names: Vec<&str> = plain_ones.iter().map(|t| t.target.tenant.as_str()).collect();
        page.wrap(0, 2, &[good.clone(), plain(format!("{}: nothing to do{known}", and(&names)))]);
    }
    for other in others {
        let text = format!("{}: nothing to do{known}", other.target.tenant);
        page.wrap(0, 2, &[good.clone(), plain(text), faint(format!(" ({})", Tally::of(other).sentence()))]);
    }
}

fn target(page: &mut TextPage, ranked: &Ranked<'_>, typed: &Invocation) {
    let tenant = &ranked.target.tenant;
    let mut head = vec![heading(tenant), plain("  ")];
    for suspended in ranked.suspended() {
        head.extend([Span::new(Tone::Careful, suspended), plain("; ")]);
    }
    let tally = Tally { suspended: 0, ..Tally::of(ranked) }.sentence();
    if tally.is_empty() {
        head.pop();
    }
    head.extend(faint(tally).counts());
    page.wrap(0, 4, &head);
    page.opens();
    if ranked.target.state == State::Unreachable {
        let why = ranked.target.why.as_deref().unwrap_or("it cannot be read");
        let at = ranked.at.map(|at| faint(format!("  {at}")));
        let head = [Span::new(Tone::Bad, "✗ unreachable")].into_iter().chain(at).collect::<Vec<_>>();
        page.wrap(2, 6, &head);
        page.wrap(6, 6, &[plain(why)]);
        page.wrap(6, 6, &[plain(format!("→ nothing is planned in {tenant} until it can be read; the others go on"))]);
        // Findings about an unreadable tenant: from the syncs into it, and from its source.
        for found in [&ranked.errors, &ranked.unresolved, &ranked.warnings] {
            findings::list(page, 2, found);
        }
        return;
    }
    found(page, &ranked.errors);
    cut(page, &ranked.blocked, "blocked", |page, note| {
        page.apart();
        blocked(page, note);
    });
    found(page, &ranked.unresolved);
    kept_variables(page, ranked, typed);
    for action in &ranked.needs_approval {
        page.apart();
        action_text::action(page, action);
    }
    if !ranked.needs_approval.is_empty() {
        page.apart();
    }
    approve(page, 4, ranked, typed);
    drifted(page, ranked, typed);
    for (actions, what) in [(&ranked.updates, "updates"), (&ranked.creates, "creates"), (&ranked.deletes, "deletes")] {
        cut(page, actions, what, |page, action| {
            page.apart();
            action_text::action(page, action);
        });
    }
    waiting(page, ranked);
    if !(ranked.adopts.is_empty() && ranked.kept.is_empty() && ranked.overridden.is_empty()) {
        page.apart();
    }
    adopts(page, &ranked.adopts);
    kept(page, ranked, typed);
    overridden(page, ranked);
    found(page, &ranked.warnings);
    manual(page, ranked);
}

/// The findings that are not shown above.
fn found(page: &mut TextPage, findings: &[&Finding]) {
    if !findings.is_empty() {
        page.apart();
        findings::list(page, 2, findings);
    }
}

/// Shows every item of a list, or the first of a long list and the number of the others.
fn cut<T>(page: &mut TextPage, items: &[T], what: &str, mut show: impl FnMut(&mut TextPage, &T)) {
    for item in items.iter().take(MOST) {
        show(page, item);
    }
    if let Some(more) = items.len().checked_sub(MOST).filter(|more| *more > 0) {
        page.line(4, &[faint(format!("… and {} more {what}; --output json lists them all", thousands(more)))]);
    }
}

fn blocked(page: &mut TextPage, note: &Note) {
    let Note::Blocked { object, code, text, fix, commands } = note else { return };
    let head = [Span::new(Tone::Bad, "✗ blocked"), plain("  "), strong(object.to_string()), faint(format!("  {code}"))];
    page.wrap(2, 6, &head);
    page.wrap(6, 6, &[plain(text)]);
    page.wrap(6, 8, &[plain(format!("→ {fix}"))]);
    findings::commands(page, 8, commands);
}

/// Shows what waits for an earlier stage, and why. The actions are named only: they are like those of that stage.
fn waiting(page: &mut TextPage, ranked: &Ranked<'_>) {
    if ranked.target.waiting.is_empty() {
        return;
    }
    page.apart();
    for text in ranked.stages() {
        page.wrap(2, 6, &[Span::new(Tone::Careful, "◌ waits"), plain(format!("  {text}"))]);
    }
    cut(page, &ranked.target.waiting, "waiting", |page, action| {
        let (head, more) = action_text::waiting(action, ranked.target);
        page.wrap(6, 10, &[plain(head), faint(more)]);
    });
}

/// Shows the commands that approve the actions of a tenant; returns whether there are any. In a pipeline they are shown at
/// the end: what is approved here may be done, or be another digest, by then.
pub(super) fn approve(page: &mut TextPage, indent: usize, ranked: &Ranked<'_>, typed: &Invocation) -> bool {
    let digests = if ranked.target.suspended { Vec::new() } else { digests_to_approve(ranked, typed) };
    for ApprovalCommand { writer, digest, needs_others } in digests.iter().filter(|_| !typed.in_pipeline) {
        let more = if *needs_others { ", and apply what needs no approval" } else { "" };
        let what = format!("to approve all that {writer} does in {}{more}:", ranked.target.tenant);
        page.wrap(indent, indent + 2, &[plain(what)]);
        page.line(indent + 2, &[command(typed.approve(digest, *needs_others))]);
    }
    !digests.is_empty()
}

/// What one command approves.
pub(super) struct ApprovalCommand<'a> {
    pub(super) writer: &'a str,
    pub(super) digest: &'a Digest,
    /// Whether its actions wait for actions that it does not approve. In a hub the syncer applies these.
    pub(super) needs_others: bool,
}

/// Whether any of these actions waits for an action that is not among them.
pub(super) fn need_others(actions: &[&Action]) -> bool {
    let ids: BTreeSet<&str> = actions.iter().map(|action| action.id.as_str()).collect();
    actions.iter().flat_map(|action| &action.after).any(|id| !ids.contains(id.as_str()))
}

/// The smallest set of digests that covers every action that needs approval, with their writers.
pub(super) fn digests_to_approve<'a>(ranked: &Ranked<'a>, typed: &Invocation) -> Vec<ApprovalCommand<'a>> {
    let mut chosen = Vec::new();
    let mut left: Vec<&Action> = ranked.needs_approval.clone();
    while let Some(action) = left.first() {
        let writers: BTreeSet<String> = action.writers.iter().map(ToString::to_string).collect();
        let Some((writer, digest)) = ranked.target.digests.iter().find(|(w, _)| writers.contains(*w)) else {
            left.remove(0);
            continue;
        };
        let own: Vec<&Action> =
            ranked.target.actions.iter().filter(|a| a.writers.iter().any(|w| w.to_string() == *writer)).collect();
        chosen.push(ApprovalCommand { writer, digest, needs_others: typed.hub.is_none() && need_others(&own) });
        left.retain(|a| !a.writers.iter().any(|w| w.to_string() == *writer));
    }
    chosen
}

fn drifted(page: &mut TextPage, ranked: &Ranked<'_>, typed: &Invocation) {
    let tenant = &ranked.target.tenant;
    cut(page, &ranked.drifted, "drifted", |page, drifted| {
        page.apart();
        let (object, fields, by) = (drifted.object, &drifted.fields, drifted.by());
        let head = [Span::new(Tone::Careful, "≠ drifted"), plain("  "), strong(object.to_string())];
        page.wrap(2, 6, &head);
        page.wrap(
            6,
            6,
            &[plain(format!(
                "{} changed in {tenant}{by} after Stablekey wrote it, and is left unchanged",
                and(fields)
            ))],
        );
        would_change(page, &drifted.parts);
        if put_back_or_keep(page, typed, tenant, object, drifted.field()) {
            return;
        }
        // For a target with two Tenants, the stricter policy applies.
        let put_back =
            format!("→ to put it back: policy.drift: Correct in Tenant {tenant}, in the hub and in its own cluster");
        page.wrap(6, 8, &[plain(put_back)]);
        page.wrap(8, 8, &[plain("to keep it: change it where it is declared, or override it in the sync")]);
    });
}

/// Shows the commands that end a difference: the desired value is put back, or the live value becomes the desired one.
/// Returns whether there are any: a hub has none.
fn put_back_or_keep(
    page: &mut TextPage,
    typed: &Invocation,
    tenant: &str,
    object: &ObjectId,
    field: Option<&str>,
) -> bool {
    let (Some(revert), Some(keep)) = (typed.revert(tenant, object, field), typed.keep(tenant, object, field)) else {
        return false;
    };
    page.wrap(6, 8, &[plain("→ to put the desired value back:")]);
    page.line(10, &[command(revert)]);
    page.wrap(8, 8, &[plain("to keep what is there:")]);
    page.line(10, &[command(keep)]);
    true
}

fn adopts(page: &mut TextPage, actions: &[&Action]) {
    let (forgotten, actions): (Vec<&Action>, Vec<&Action>) =
        actions.iter().partition(|action| action.reason.code == "undeclared");
    cut(page, &forgotten, "adopts", |page, action| {
        let object = strong(action.change.object.to_string());
        page.wrap(2, 6, &[faint("= adopt"), plain("  "), object, plain(format!("  {}", action.reason.text))]);
    });
    if actions.is_empty() {
        return;
    }
    let names: Vec<String> = actions.iter().take(MOST).map(|a| a.change.object.to_string()).collect();
    let more = actions.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
    let come = if actions.len() == 1 { "comes" } else { "come" };
    let objects = count(actions.len(), "existing object", "existing objects");
    let text = format!("{objects} {come} under management; no field changes: {}{more}", names.join(", "));
    page.wrap(2, 6, &[faint("= adopt"), plain(format!("  {text}"))]);
}

fn kept_variables(page: &mut TextPage, ranked: &Ranked<'_>, typed: &Invocation) {
    let tenant = &ranked.target.tenant;
    cut(page, &ranked.kept_variables, "kept", |page, kept| {
        page.apart();
        let head = [Span::new(Tone::Bad, "✗ kept"), plain("  "), strong(kept.object.to_string())];
        page.wrap(2, 6, &head);
        page.wrap(6, 6, &[plain(format!("{}: {}", and(&kept.fields), kept.keeps(tenant, "binding")))]);
        if put_back_or_keep(page, typed, tenant, kept.object, kept.field()) {
            return;
        }
        page.wrap(6, 8, &[plain(format!("→ bind it in {tenant} as it is declared"))]);
        let keep = format!("to keep it: declare it in the source of {tenant}, or override it in the sync (keep: true)");
        page.wrap(8, 8, &[plain(keep)]);
    });
}

/// An overridden value is decided: nothing has to be done.
fn overridden(page: &mut TextPage, ranked: &Ranked<'_>) {
    cut(page, &ranked.overridden, "overridden", |page, overridden| {
        let (object, fields) = (overridden.object.to_string(), and(&overridden.fields));
        let what = format!("  {fields} {}", overridden.by());
        page.wrap(2, 6, &[faint("· overridden"), plain("  "), strong(object), plain(what)]);
        would_change(page, &overridden.parts);
    });
}

fn kept(page: &mut TextPage, ranked: &Ranked<'_>, typed: &Invocation) {
    let tenant = &ranked.target.tenant;
    cut(page, &ranked.kept, "kept", |page, kept| {
        let what = match (kept.fields.as_slice(), kept.text) {
            (_, Some(text)) => text.to_string(),
            ([], None) => format!("is kept as it is, for {}", kept.by),
            (fields, None) => format!("{}: {}", and(fields), kept.keeps(tenant, "value")),
        };
        let object = kept.object.to_string();
        page.wrap(2, 6, &[faint("· kept"), plain("  "), strong(object), plain(format!("  {what}"))]);
        would_change(page, &kept.parts);
        // It needs no decision: the commands are named without a sentence.
        if kept.text.is_none() && !kept.paths.is_empty() {
            let (revert, keep) =
                (typed.revert(tenant, kept.object, kept.field()), typed.keep(tenant, kept.object, kept.field()));
            revert.into_iter().chain(keep).for_each(|next| page.line(6, &[command(next)]));
        }
    });
}

/// The parts of a definition that differ from the desired one.
fn would_change(page: &mut TextPage, parts: &[&String]) {
    if !parts.is_empty() {
        page.wrap(6, 8, &[plain("to be in sync, the definition would change:")]);
        action_text::parts(page, 8, parts);
    }
}

fn manual(page: &mut TextPage, ranked: &Ranked<'_>) {
    if ranked.manual.is_empty() {
        return;
    }
    page.gap();
    let columns = ranked.manual.iter().map(|todo| width(&todo.whom())).max().unwrap_or(0);
    page.line(2, &[strong("manual steps")]);
    cut(page, &ranked.manual, "manual", |page, todo| {
        page.labelled(4, plain(todo.whom()), columns, &[plain(&todo.text)]);
    });
}

/// A suggested command with the text around it.
pub(super) struct NextCommand {
    pub lead: String,
    /// The command; each of several on its own line.
    pub command: String,
}

impl NextCommand {
    fn new(lead: impl Into<String>, command: String) -> Self {
        NextCommand { lead: lead.into(), command }
    }
}

/// Commands, each on its own line.
fn commands(all: impl Iterator<Item = String>) -> String {
    all.collect::<Vec<_>>().join("\n")
}

/// The suggested next commands.
pub(super) fn next(plan: &Plan, tally: &Tally, typed: &Invocation) -> Vec<NextCommand> {
    let mut lines = Vec::new();
    if tally.errors + tally.unreachable > 0 {
        lines.push(NextCommand::new("Next: fix the errors, then run:", typed.plan()));
    } else if plan.is_empty() && plan.exit != 0 {
        lines.push(NextCommand::new("Nothing to apply. Fix the items marked →, then run:", typed.plan()));
    } else if plan.writes_nothing() && !plan.is_empty() {
        let is_suspended = |t: &&Target| t.suspended && !(t.actions.is_empty() && t.waiting.is_empty());
        let suspended: Vec<&str> = plan.targets.iter().filter(is_suspended).map(|t| t.tenant.as_str()).collect();
        let (tenants, are) = if suspended.len() == 1 { ("Tenant", "is") } else { ("Tenants", "are") };
        if !suspended.is_empty() {
            let lead = format!("Next: nothing to apply while {tenants} {} {are} suspended. To go on:", and(&suspended));
            lines.push(NextCommand::new(lead, commands(suspended.iter().map(|name| typed.resume(name)))));
        }
        if plan.awaits_stage() {
            let lead = "Nothing to apply until the stage before is done. Then run:";
            lines.push(NextCommand::new(lead, typed.apply()));
        }
    }
    let waiting = plan.targets.iter().flat_map(|target| &target.suspended_syncs).filter(|(_, count)| **count > 0);
    let waiting: BTreeSet<&str> = waiting.map(|(sync, _)| sync.as_str()).collect();
    if !waiting.is_empty() {
        let syncs = and(&waiting.iter().collect::<Vec<_>>());
        let waits = if waiting.len() == 1 { "waits: it is suspended" } else { "wait: they are suspended" };
        let names = waiting.iter().map(|sync| sync.strip_prefix("sync/").unwrap_or(sync));
        let resumed = commands(names.map(|name| typed.resume(name)));
        lines.push(NextCommand::new(format!("{syncs} {waits}. To see what would be done:"), resumed));
    }
    let can_be_written = |target: &Target| !target.suspended && !target.actions.is_empty();
    if plan.targets.iter().any(can_be_written) && !typed.is_apply {
        let asks = match tally.needs_approval {
            // The plan file is the consent.
            _ if typed.plan_file.is_some() => "does what the file shows, without asking",
            0 => "asks before it writes",
            _ => "asks before what needs approval",
        };
        let lead = if lines.is_empty() { "Next" } else { "What is planned can be applied already" };
        lines.push(NextCommand::new(format!("{lead} ({asks}):"), typed.apply()));
    }
    lines
}
