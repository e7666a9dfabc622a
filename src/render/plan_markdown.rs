//! The plan as Markdown for a pull request comment.

use super::action_text::{self, impact};
use super::change;
use super::findings::{commands_as_markdown, item as finding};
use super::invocation::Invocation;
use super::markdown::{Comment, command, escape as md, fence, row, rule};
use super::plan_text::{ApprovalCommand, as_far_as, digests_to_approve, next};
use crate::api::Kind;
use crate::engine::model::canonical::Json;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, ActionKind, FieldChange, Note, Op, Plan, State};
use crate::report::passed_over::passed_over;
use crate::report::ranked;
use crate::report::ranked::{KeptFields, OverriddenFields, Ranked};
use crate::report::tally::Tally;
use crate::report::value;
use crate::text::{count, shorten};
use similar::ChangeTag;

/// The maximum number of characters of a value in a comment.
const MOST: usize = 600;
/// The maximum number of listed parts of a definition.
const MOST_PARTS: usize = 24;

/// The plan as Markdown, at most 65,536 characters long.
pub fn plan_markdown(plan: &Plan, typed: &Invocation) -> String {
    let targets = ranked::targets(plan);
    let tally = Tally::of_plan(plan, &targets);
    let passed_over: String = passed_over(plan).iter().map(|line| format!("{}.\n\n", md(line))).collect();
    let head = format!("## Stablekey plan\n\n{passed_over}");
    if plan.exit == 0 && ranked::of_no_target(plan).is_empty() && targets.iter().all(Ranked::is_quiet) {
        let rest = tally.sentence();
        let rest = if rest.is_empty() { String::new() } else { format!(" ({rest})") };
        let as_far_as = md(&as_far_as(&plan.scope));
        return format!("{head}✅ Nothing to do: everything is in sync{as_far_as}{rest}.\n");
    }
    let closing =
        next(plan, &tally, typed).into_iter().map(|next| format!("\n{}\n\n{}", md(&next.lead), command(&next.command)));
    let closing: String = closing.collect();
    let mut comment = Comment::new(closing, &typed.plan());
    comment.add(&format!("{head}**{}.**\n\n", md(&tally.sentence())));
    table(&mut comment, &targets);
    approvals(&mut comment, &targets, typed);
    let everywhere: Vec<String> = ranked::of_no_target(plan).into_iter().map(finding).collect();
    comment.section("\n**All tenants**\n\n", &everywhere, "");
    for ranked in targets.iter().filter(|t| !t.is_quiet()) {
        let needs_eyes = !ranked.errors.is_empty() || !ranked.blocked.is_empty() || !ranked.needs_approval.is_empty();
        let open = if needs_eyes { " open" } else { "" };
        let tally = Tally { suspended: 0, ..Tally::of(ranked) }.sentence();
        let tally: Vec<String> = ranked.suspended().into_iter().chain(Some(tally).filter(|t| !t.is_empty())).collect();
        let (tenant, tally) = (md(&ranked.target.tenant), md(&tally.join("; ")));
        let open = format!("\n<details{open}><summary><b>{tenant}</b>: {tally}</summary>\n\n");
        comment.section(&open, &items(ranked, typed), "\n</details>\n");
    }
    comment.finish()
}

fn table(comment: &mut Comment, targets: &[Ranked<'_>]) {
    let columns =
        ["", "Tenant", "Create", "Update", "Delete", "Adopt", "Needs approval", "Blocked", "Drifted", "Kept", "Manual"];
    let head = row(&columns.map(str::to_string)) + &rule(columns.len());
    let rows: Vec<String> = targets
        .iter()
        .map(|ranked| {
            let t = Tally::of(ranked);
            let numbers = [
                t.create,
                t.update,
                t.delete,
                t.adopt,
                t.needs_approval,
                t.blocked + t.missing,
                t.drifted,
                t.kept,
                t.manual,
            ];
            let number = |n: usize| if n == 0 { "·".to_string() } else { n.to_string() };
            let cells = [mark(ranked).to_string(), md(&ranked.target.tenant)];
            row(&cells.into_iter().chain(numbers.map(number)).collect::<Vec<_>>())
        })
        .collect();
    comment.section(&head, &rows, "");
}

fn mark(ranked: &Ranked<'_>) -> &'static str {
    if ranked.target.state == State::Unreachable || !ranked.errors.is_empty() {
        "❌"
    } else if !(ranked.blocked.is_empty() && ranked.unresolved.is_empty() && ranked.kept_variables.is_empty()) {
        "⛔"
    } else if !ranked.needs_approval.is_empty() || !ranked.drifted.is_empty() {
        "⚠️"
    } else if ranked.is_suspended() {
        "⏸️"
    } else if !ranked.target.actions.is_empty() {
        "✏️"
    } else if !ranked.target.waiting.is_empty() {
        "⏳"
    } else if !ranked.warnings.is_empty() {
        "⚠️"
    } else if ranked.differs() {
        "ℹ️"
    } else if !ranked.target.known {
        "❔"
    } else {
        "✅"
    }
}

fn approvals(comment: &mut Comment, targets: &[Ranked<'_>], typed: &Invocation) {
    let items: Vec<String> = targets
        .iter()
        .flat_map(|ranked| digests_to_approve(ranked, typed).into_iter().map(move |found| (ranked, found)))
        .map(|(ranked, ApprovalCommand { writer, digest, needs_others })| {
            let what = count(ranked.needs_approval.len(), "action needs", "actions need");
            let more = if needs_others { ", with what needs no approval," } else { "" };
            let tenant = &ranked.target.tenant;
            let title = format!("{what} approval in {tenant}; all that {writer} does there{more} is approved by:");
            format!("{}\n{}\n", md(&title), command(&typed.approve(digest, needs_others)))
        })
        .collect();
    comment.section("\n", &items, "");
}

fn items(ranked: &Ranked<'_>, typed: &Invocation) -> Vec<String> {
    let tenant = &ranked.target.tenant;
    let mut items = Vec::new();
    if ranked.target.state == State::Unreachable {
        let why = ranked.target.why.as_deref().unwrap_or("it cannot be read");
        items.push(format!("❌ **unreachable**: {}\n", md(why)));
    }
    items.extend(ranked.errors.iter().map(|f| finding(f)));
    items.extend(ranked.blocked.iter().map(|note| blocked(note)));
    items.extend(ranked.unresolved.iter().map(|f| finding(f)));
    for one in &ranked.kept_variables {
        items.push(kept(one, tenant, "⛔ "));
        items.extend(put_back_or_keep(typed, tenant, one.object, &one.paths));
    }
    for drifted in &ranked.drifted {
        let (object, fields) = (md(&drifted.object.to_string()), md(&drifted.fields.join(", ")));
        items.push(format!(
            "- ≠ **drifted** {object}: {fields} changed there{} and is left unchanged\n",
            md(&drifted.by())
        ));
        items.extend(parts(&drifted.parts));
        items.extend(put_back_or_keep(typed, tenant, drifted.object, &drifted.paths));
    }
    for actions in [&ranked.needs_approval, &ranked.updates, &ranked.creates, &ranked.deletes] {
        items.extend(actions.iter().map(|a| action(a)));
    }
    items.extend(ranked.stages().iter().map(|text| format!("- ⏳ {}\n", md(text))));
    items.extend(ranked.target.waiting.iter().map(|action| {
        let (head, more) = action_text::waiting(action, ranked.target);
        format!("  - {}{}\n", md(&head), md(&more))
    }));
    items.extend(adopts(&ranked.adopts));
    for one in &ranked.kept {
        items.push(kept(one, tenant, ""));
        items.extend(parts(&one.parts));
        if one.text.is_none() {
            items.extend(put_back_or_keep(typed, tenant, one.object, &one.paths));
        }
    }
    for decided in &ranked.overridden {
        items.push(overridden(decided));
        items.extend(parts(&decided.parts));
    }
    items.extend(ranked.warnings.iter().map(|f| finding(f)));
    if !ranked.manual.is_empty() {
        items.push("\n**Manual steps**\n\n".to_string());
    }
    items.extend(ranked.manual.iter().map(|todo| format!("- [ ] {}: {}\n", md(&todo.whom()), md(&todo.text))));
    items
}

/// The commands that end a difference, below an item.
fn put_back_or_keep(typed: &Invocation, tenant: &str, object: &ObjectId, paths: &[String]) -> Option<String> {
    let field = match paths {
        [] => return None,
        [one] => Some(one.as_str()),
        _ => None,
    };
    Some(fence("sh", &[typed.revert(tenant, object, field)?, typed.keep(tenant, object, field)?]))
}

/// The parts of a definition that differ from the desired one, below an item.
fn parts(parts: &[&String]) -> Vec<String> {
    let more = parts.len().checked_sub(MOST_PARTS).filter(|more| *more > 0);
    let first = parts.iter().take(MOST_PARTS).map(|part| format!("  - {}\n", md(&shorten(part, MOST))));
    first.chain(more.map(|more| format!("  - … and {more} more\n"))).collect()
}

fn blocked(note: &Note) -> String {
    let Note::Blocked { object, code, text, fix, commands } = note else { return String::new() };
    let commands = commands_as_markdown(commands);
    format!("- ⛔ {code} **blocked {}**: {}<br>→ {}{commands}\n", md(&object.to_string()), md(text), md(fix))
}

fn kept(kept: &KeptFields<'_>, tenant: &str, mark: &str) -> String {
    let what = match kept.text {
        Some(text) => text.to_string(),
        None if kept.fields.is_empty() => format!("kept as it is, for {}", kept.by),
        None => {
            let what = if mark.is_empty() { "value" } else { "binding" };
            format!("{}: {}", kept.fields.join(", "), kept.keeps(tenant, what))
        }
    };
    format!("- {mark}**kept** {}: {}\n", md(&kept.object.to_string()), md(&what))
}

fn overridden(overridden: &OverriddenFields<'_>) -> String {
    let (object, fields) = (md(&overridden.object.to_string()), md(&overridden.fields.join(", ")));
    format!("- **overridden** {object}: {fields} {}\n", md(&overridden.by()))
}

fn adopts(actions: &[&Action]) -> Option<String> {
    let names: Vec<String> = actions.iter().take(20).map(|a| md(&a.change.object.to_string())).collect();
    let more = actions.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let objects = count(actions.len(), "object", "objects");
    (!names.is_empty()).then(|| {
        format!("- **adopt** {objects}, which come under management without a change: {}{more}\n", names.join(", "))
    })
}

fn action(action: &Action) -> String {
    let kind = action.action.as_str();
    let at = action.at.as_ref().map(|at| format!(" ({})", md(&at.to_string()))).unwrap_or_default();
    let mut out = format!("\n**{kind} {}**{at}\n\n", md(&action.change.object.to_string()));
    for approval in &action.needs_approval {
        out.push_str(&format!("⚠️ needs approval: {} {}\n\n", approval.code, md(&approval.why)));
    }
    let lines: Vec<String> = action.fields.iter().flat_map(|c| field(c, action.action)).collect();
    if !lines.is_empty() {
        out.push_str(&fence("diff", &lines));
        out.push('\n');
    }
    let is_integration = action.change.object.kind == Kind::Integration;
    let impact = impact(&action.impact, is_integration).map(|text| format!("; {}", md(&text))).unwrap_or_default();
    out.push_str(&format!("{}{impact}\n\n", md(&action.reason.text)));
    out
}

/// One change as lines of a diff.
pub(super) fn field(change: &FieldChange, kind: ActionKind) -> Vec<String> {
    let name = &change.field;
    if !matches!(change.op, Op::Set | Op::Remove) {
        return vec![format!("  {name} {}", change::operation_text(change.op, change.by.as_deref()))];
    }
    if kind == ActionKind::Create && change.field.kind == crate::engine::model::field::FieldKind::StableKey {
        return Vec::new();
    }
    let (from, to) = (change.from.as_ref().map(Json::value), change.to.as_ref().map(Json::value));
    if let (Some(from), Some(to)) = (from.as_ref().and_then(value::text), to.as_ref().and_then(value::text))
        && (from.contains('\n') || to.contains('\n'))
    {
        let lines = change::lines(from, to).into_iter().map(|line| match line {
            None => "  …".to_string(),
            Some((ChangeTag::Equal, text)) => format!("    {}", shorten(&text, MOST)),
            Some((tag, text)) => format!("{tag}   {}", shorten(&text, MOST)),
        });
        return [format!("  {name}:")].into_iter().chain(lines).collect();
    }
    let line =
        |sign: char, value, other| format!("{sign} {name}: {}", shorten(&value::words_beside(value, other), MOST));
    let removed = from.as_ref().map(|v| line('-', v, to.as_ref()));
    let values = removed.into_iter().chain(to.as_ref().map(|v| line('+', v, from.as_ref())));
    let more =
        change.parts.len().checked_sub(MOST_PARTS).filter(|more| *more > 0).map(|more| format!("  … and {more} more"));
    values
        .chain(change.parts.iter().take(MOST_PARTS).map(|part| shorten(part, MOST).into_owned()))
        .chain(more)
        .collect()
}
