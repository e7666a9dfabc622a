//! Moves a step, a data source or all uses of a variable to another connection.

use super::proposed::Proposed;
use super::{reason, review};
use crate::api::ComponentRef;
use crate::author::designer::{Choices, Missing, Moved, SwitchConnection, switch};
use crate::author::{AuthorError, Draft};
use crate::page::address::{self, PageAddress};
use crate::page::fields::FormFields;
use crate::page::forms;
use crate::page::layout::{self, NavEntry, line};
use crate::page::refusals;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::project::Project;
use maud::html;

/// The fields that say what moves.
const MOVED: [&str; 3] = ["step", "data-source", "variable"];

const REASON: &str = "Where a sync brings the integration, all uses of a variable can be switched in one tenant, as an \
                      override of the sync.";

fn asked(fields: &FormFields) -> SwitchConnection {
    let text = |name: &str| fields.filled(name).map(str::to_string);
    SwitchConnection {
        tenant: text("tenant"),
        integration: text("integration"),
        moved: (text("step").map(Moved::Step))
            .or_else(|| text("data-source").map(Moved::DataSource))
            .or_else(|| text("variable").map(Moved::Variable)),
        input: text("input"),
        to: text("to"),
        reason: text("reason"),
    }
}

fn what(fields: &FormFields) -> String {
    let of = |name: &str, word: &str| fields.filled(name).map(|value| format!("{word} {value}"));
    let what =
        of("step", "step").or_else(|| of("data-source", "data source")).or_else(|| of("variable", "all uses of"));
    what.unwrap_or_default()
}

/// Shows the connections that fit.
pub(crate) fn ask(request: &Request, shown: &ShownProject) -> Reply {
    dialog(request, shown, None)
}

/// Shows what would be written.
pub(crate) fn review(request: &Request, shown: &ShownProject) -> Reply {
    if review::asks_again(request) {
        return dialog(request, shown, None);
    }
    match propose(&shown.project, &request.fields) {
        Ok(proposed) => review::show(request, "switch", &proposed, None),
        Err(error) => dialog(request, shown, Some(&error)),
    }
}

fn dialog(request: &Request, shown: &ShownProject, wrong: Option<&AuthorError>) -> Reply {
    let fields = &request.fields;
    let open = SwitchConnection { to: None, ..asked(fields) };
    let mut draft = Draft::new(&shown.project);
    let choices = match switch(&mut draft, &open, false).map(|switched| switched.missing) {
        Ok(Some(Missing::Connection(choices))) => choices,
        Ok(_) => {
            return refusals::refused(
                request,
                400,
                "Nothing to switch",
                "It is not said what moves.",
                "Open the integration, and choose a step or a variable there.",
            );
        }
        Err(error) => return refusals::refused_edit(request, "Not possible", &error),
    };
    let Choices { what: step, tenant, connections, bound, component, type_, .. } = &choices;
    let back = address::integration(fields.text("integration"), tenant);
    let at = |tenant: &str| {
        let address = PageAddress::new("/switch").with("tenant", tenant);
        ["integration", "input"].iter().chain(&MOVED).fold(address, |at, name| at.with(name, fields.text(name))).text()
    };
    let here = at(tenant);
    let component = component.as_ref().map(ComponentRef::typed).unwrap_or_default();
    let add = PageAddress::new("/new").with("tenant", tenant).with("component", &component);
    let add = add.with("type", type_.as_deref().unwrap_or_default()).with("back", &here).text();
    let main = html! {
        div.head { div {
            nav.crumbs aria-label="Where this is" { a href="/integrations" { "Integrations" } span { "/" } a href=(back) { (line(fields.text("integration"))) } span { "/" } }
            h1 { "Switch " (line(&what(fields))) }
            p { "Connections of " (line(tenant)) " that fit " (line(step)) "." }
        } div.do { a.button href=(add) { "Create one" } } }
        (reason::refusal(wrong))
        form.fields method="post" action="/switch" data-keep {
            (forms::token(request))
            input type="hidden" name="tenant" value=(tenant);
            input type="hidden" name="back" value=(back);
            @for name in ["integration", "input"].iter().chain(&MOVED) {
                @if let Some(value) = fields.filled(name) { input type="hidden" name=(name) value=(value); }
            }
            @if connections.is_empty() { p { "No connection of " (line(tenant)) " fits. Create one." } }
            ul.choices {
                @for choice in connections {
                    li { button.button name="to" value=(choice.key) {
                        span.key { (line(&choice.key)) }
                        @if bound.as_ref() == Some(&choice.key) { span.tag { "bound now" } }
                        span.dim { @if let Some(title) = &choice.title { (line(title)) " · " } (line(&choice.type_)) }
                    } }
                }
            }
            details open[wrong.is_some()] {
                summary { "In this tenant only" }
                (reason::field(fields, (tenant, REASON), wrong, at))
            }
        }
    };
    layout::reply(request, Some(NavEntry::Integrations), "Switch", main)
}

/// The edit that moves the uses.
pub(super) fn propose(project: &Project, fields: &FormFields) -> Result<Proposed, AuthorError> {
    let asked = asked(fields);
    if asked.to.is_none() {
        return Err(AuthorError::refused("no connection is chosen", "choose one"));
    }
    let mut draft = Draft::new(project);
    let switched = switch(&mut draft, &asked, false)?;
    if switched.missing.is_some() {
        return Err(AuthorError::refused(
            "it is not said what moves",
            "choose a step or a variable of the integration",
        ));
    }
    let integration = fields.text("integration");
    Ok(Proposed {
        title: format!("Switch {} of {integration} to {}", what(fields), fields.text("to")),
        notes: switched.left_out,
        edited: draft.finish()?,
        records: None,
        then: address::integration(integration, fields.text("tenant")),
    })
}
