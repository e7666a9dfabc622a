//! The form that applies a plan: it names the digest of what the page shows.

use crate::engine::model::plan::Plan;
use crate::page::consent::{applicable, digest_of_plan};
use crate::page::forms;
use crate::page::plans_shown;
use crate::page::request::Request;
use crate::project::{Project, planned};
use crate::text::{count, thousands};
use maud::{Markup, html};

/// The form that applies a plan. `more` are further fields.
pub(in crate::page) fn apply_form(request: &Request, project: &Project, plan: &Plan, to: &str, more: Markup) -> Markup {
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
                (forms::token(request))
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
