//! Shows an edit before it is written: its diff, and what it changes in the plan.

use super::back;
use super::proposed::Proposed;
use crate::author::Edited;
use crate::engine::model::plan::{Action, ActionKind};
use crate::page::forms;
use crate::page::layout::{self, line, text};
use crate::page::message;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::view::diff;
use maud::{Markup, html};

/// Shows an edit, with the form that writes it. `kind` names the edit for that form.
pub(super) fn show(request: &Request, kind: &str, proposed: &Proposed, notice: Option<Markup>) -> Reply {
    let Proposed { title, notes, edited, then, .. } = proposed;
    let files = crate::text::count(edited.files.len(), "file", "files");
    let back_to = back(request.fields.text("back"));
    let main = html! {
        div.head { div {
            h1 { (line(title)) }
            p { @if proposed.is_empty() { "Nothing to change: the files say so already." } @else { "Nothing is written yet." } }
        } }
        @if let Some(notice) = notice { (notice) }
        @for note in notes { div.notice { p { (text(note)) } } }
        @if !proposed.is_empty() {
            (worse(edited))
            section aria-labelledby="h-files" {
                h2 #h-files { "Files " span.count { (edited.files.len()) } }
                (diff::files(&edited.public_diff()))
            }
            (consequences(edited))
            form.consent method="post" action="/write" data-keep {
                (forms::token(request))
                input type="hidden" name="kind" value=(kind);
                input type="hidden" name="digest" value=(proposed.digest());
                @for (name, value) in request.fields.iter().filter(|(name, _)| !OWN.contains(name)) {
                    input type="hidden" name=(name) value=(value);
                }
                span.dim { "Then review the plan." }
                @if !edited.consequences.worse.is_empty() {
                    label { input type="checkbox" name="force" required; " Write it although the plan becomes worse" }
                }
                a.button href=(back_to) { "Cancel" }
                button.button.main {
                    @if edited.files.is_empty() { "Write the ownership record" } @else { "Write " (files) }
                }
                // After the button that Enter presses.
                @if is_typed(request, kind) {
                    button.button name=(AGAIN) value="1" formaction={ "/" (kind) } formnovalidate { "Back to the form" }
                }
            }
        } @else {
            p { a.button href=(then) { "Back" } }
        }
    };
    layout::reply(request, None, title, main)
}

/// The field that asks for the form again, with what was typed.
const AGAIN: &str = "again";

/// The fields that the second form has of its own.
const OWN: [&str; 5] = ["token", "kind", "digest", "force", AGAIN];

/// Whether the form is asked for again, after its review.
pub(super) fn asks_again(request: &Request) -> bool {
    request.fields.has(AGAIN)
}

/// Whether what is reviewed was typed into a form.
fn is_typed(request: &Request, kind: &str) -> bool {
    let fields = &request.fields;
    match kind {
        "new" => true,
        "set" => fields.has("seen"),
        "keep" | "switch" => fields.has("reason"),
        _ => false,
    }
}

fn worse(edited: &Edited) -> Markup {
    let worse = &edited.consequences.worse;
    html! {
        @if !worse.is_empty() {
            div.notice.bad role="alert" {
                p { b { "The plan becomes worse." } }
                ul { @for worse in worse { li { (text(worse)) } } }
                @if let Some(advice) = &edited.advice { p { (text(advice)) } }
                @if let Some(fix) = edited.fix_of_worse() { p { "Or first run:" } pre.command { (line(&fix.to_string())) } }
            }
        }
    }
}

/// What the edit changes in the plan.
fn consequences(edited: &Edited) -> Markup {
    let after = &edited.consequences;
    let (actions, waits): (Vec<&Action>, Vec<&Action>) = match &edited.pause {
        Some(pause) => (pause.actions(&edited.before, &edited.after), Vec::new()),
        None => edited.new_actions_by_wait(),
    };
    let title = match &edited.pause {
        Some(pause) if pause.suspends => "These actions wait from now on",
        _ => "The next apply does",
    };
    html! {
        @if let Some(pause) = &edited.pause { p { (pause.text()) } }
        @if actions.is_empty() {
            @if edited.pause.is_none() && waits.is_empty() { p.dim { "The next apply does nothing more." } }
        } @else {
            (list(title, actions.into_iter().map(sentence)))
        }
        (list(Edited::WAITS, waits.into_iter().map(sentence)))
        (list("Fixed", after.fixed.iter().cloned()))
        (list("Kept", after.kept.iter().cloned()))
        (list("New warnings", after.warnings.iter().cloned()))
        @if !edited.manual.is_empty() {
            section { h2 { "Manual steps " span.count { (edited.manual.len()) } }
                @for step in &edited.manual { div.step { (message::steps(step)) } } }
        }
    }
}

fn sentence(action: &Action) -> String {
    let fields: Vec<String> = match action.action {
        ActionKind::Update => action.fields.iter().map(|change| change.field.to_string()).collect(),
        _ => Vec::new(),
    };
    let approval = if action.needs_approval.is_empty() { "" } else { " (needs approval)" };
    let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
    format!("{} {}{fields}{approval}", action.action.as_str(), action.id)
}

/// The most lines of a list.
const MOST: usize = 20;

fn list(title: &str, lines: impl Iterator<Item = String>) -> Markup {
    let lines: Vec<String> = lines.collect();
    html! {
        @if !lines.is_empty() {
            section {
                h2 { (title) " " span.count { (lines.len()) } }
                ul.plain {
                    @for one in lines.iter().take(MOST) { li { (text(one)) } }
                    @if lines.len() > MOST { li.dim { "and " (lines.len() - MOST) " more" } }
                }
            }
        }
    }
}
