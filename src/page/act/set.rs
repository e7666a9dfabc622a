//! Alters a connection in one tenant: its values, its test credentials, the toggle of embedded workflows.

use super::proposed::Proposed;
use super::{reason, review};
use crate::api::{ConnectionSpec, Input, Kind, names, sensitive};
use crate::author::set::{EmptiedField, SetConnection, Settable, SettableInput, is_settable, set, settable};
use crate::author::{AuthorError, Draft, Values, secret_ref};
use crate::engine::model::canonical::Digest;
use crate::engine::model::plan::{ActionKind, FieldChange, Op, Plan};
use crate::page::address::{self, PageAddress};
use crate::page::fields::FormFields;
use crate::page::forms;
use crate::page::layout::{self, NavEntry, line};
use crate::page::refusals;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::project::Project;
use maud::{Markup, html};
use std::collections::BTreeMap;

const REASON: &str = "Needed where a sync brings the value: the change becomes an override of the sync.";

/// A connection as the form shows it.
struct Present {
    settable: Settable,
    spec: ConnectionSpec,
    /// Names what the form shows, so that a form that is old overwrites nothing.
    seen: String,
}

fn asked(fields: &FormFields) -> SetConnection {
    SetConnection {
        tenant: fields.filled("tenant").map(str::to_string),
        key: fields.text("key").to_string(),
        values: Values::default(),
        reason: fields.filled("reason").map(str::to_string),
    }
}

fn present(project: &Project, fields: &FormFields) -> Result<Present, AuthorError> {
    let settable = settable(project, &asked(fields))?;
    let tenant = project.tenants.get(&settable.tenant);
    let read = tenant.into_iter().flat_map(|tenant| [tenant.source.as_ref(), Some(&tenant.live)]).flatten();
    let mut found = read.filter_map(|read| read.as_ref().ok()?.inventory.connection(&settable.key));
    let spec = found
        .next()
        .map(|connection| connection.spec.clone())
        .ok_or_else(|| AuthorError::unknown(&format!("connection in {}:", settable.tenant), &settable.key, []))?;
    let seen = Digest::of(format!("{:?}{:?}{:?}", settable, tests(&settable, &spec), spec.inputs.len()).as_bytes())
        .to_string();
    Ok(Present { settable, spec, seen })
}

/// The inputs of the test credentials, as a form shows them.
fn tests(settable: &Settable, spec: &ConnectionSpec) -> Vec<SettableInput> {
    let inputs = spec.test.as_ref().map(|test| &test.inputs);
    let of = |input: &SettableInput| SettableInput {
        name: input.name.clone(),
        is_secret: input.is_secret,
        hides_literal: input.hides_literal,
        emptied: EmptiedField::Removed,
        present: match inputs.and_then(|inputs| inputs.get(&input.name)) {
            Some(Input::Value(value)) if !input.is_secret && !input.hides_literal && !sensitive::has_secret(value) => {
                Some(value.clone())
            }
            Some(Input::SecretRef(secret)) if !secret.is_unknown() => Some(format!("{}/{}", secret.name, secret.key)),
            _ => None,
        },
    };
    settable.inputs.iter().map(of).collect()
}

/// The values that the plan gives to fields of a connection, by their names in the form, where they are shown. A form
/// shows what is desired: what a person types instead is a change, also where it is live now.
fn pending(plan: &Plan, settable: &Settable) -> BTreeMap<String, String> {
    let name = names::of_stable_key(&settable.key);
    let target = plan.targets.iter().filter(|target| target.tenant == settable.tenant);
    let actions = target.flat_map(|target| target.actions.iter().chain(&target.waiting));
    let of_it = actions.filter(|action| {
        action.action == ActionKind::Update
            && action.change.object.kind == Kind::Connection
            && action.change.object.name == name
    });
    let shown =
        |input: &str| settable.inputs.iter().any(|one| one.name == input && !one.is_secret && !one.hides_literal);
    let of = |change: &FieldChange| {
        let to = change.to.as_ref()?.value();
        let path = change.field.path();
        let (field, value) = match path.iter().map(AsRef::as_ref).collect::<Vec<&str>>()[..] {
            ["inputs", input] if shown(input) => (format!("in.{input}"), to.get("value")?.as_str()?),
            [field @ ("title" | "description")] => (field.to_string(), to.as_str()?),
            _ => return None,
        };
        (!sensitive::has_secret(value)).then(|| (field, value.to_string()))
    };
    of_it.flat_map(|action| &action.fields).filter(|change| change.op == Op::Set).filter_map(of).collect()
}

/// Shows the form.
pub(crate) fn ask(request: &Request, shown: &ShownProject) -> Reply {
    form(request, shown, None)
}

/// Shows what would be written.
pub(crate) fn review(request: &Request, shown: &ShownProject) -> Reply {
    if review::asks_again(request) {
        return form(request, shown, None);
    }
    match propose(&shown.project, &request.fields) {
        Ok(proposed) => review::show(request, "set", &proposed, None),
        Err(error) => form(request, shown, Some(&error)),
    }
}

fn form(request: &Request, shown: &ShownProject, wrong: Option<&AuthorError>) -> Reply {
    let fields = &request.fields;
    let present = match is_settable(&shown.project, &asked(fields)).and_then(|()| present(&shown.project, fields)) {
        Ok(present) => present,
        Err(error) => return refusals::refused_edit(request, "Edit connection", &error),
    };
    let Present { settable, spec, seen } = &present;
    let pending = pending(&shown.planned.plan, settable);
    let is_per_customer = |name: &str| spec.inputs.get(name).is_some_and(Input::is_per_customer);
    let is_test_first = fields.text("part") == "test";
    // The toggle alone is the other form that leads here.
    let is_again = fields.has("seen") || fields.has("embedded");
    let title = format!("Edit {} in {}", settable.key, settable.tenant);
    let main = html! {
        div.head { div {
            nav.crumbs aria-label="Where this is" { a href="/" { "Overview" } span { "/" } a href=(address::connection(&settable.key)) { (line(&settable.key)) } span { "/" } }
            h1 { (line(&title)) }
            p { "Nothing is written before you have seen the diff." }
        } }
        (reason::refusal(wrong))
        form.fields method="post" action="/set" data-keep {
            (forms::token(request))
            input type="hidden" name="tenant" value=(settable.tenant);
            input type="hidden" name="key" value=(settable.key);
            input type="hidden" name="seen" value=(seen);
            input type="hidden" name="part" value=(if is_test_first { "test" } else { "" });
            input type="hidden" name="back" value=(address::connection(&settable.key));
            @if is_test_first { (test_inputs(fields, &tests(settable, spec), true)) }
            @if !settable.inputs.is_empty() {
                fieldset {
                    legend { "Values" }
                    @for one in &settable.inputs {
                        (input(fields, one, "in.", pending.get(&format!("in.{}", one.name)), is_per_customer(&one.name)))
                        @if spec.credentials != crate::api::Credentials::OrganizationGlobal && !is_per_customer(&one.name) {
                            label.tick {
                                input type="checkbox" name="per-customer" value=(one.name) checked[fields.all("per-customer").any(|name| name == one.name)];
                                " each customer has their own " (line(&one.name))
                            }
                        }
                    }
                }
            }
            @if !is_test_first { (test_inputs(fields, &tests(settable, spec), false)) }
            fieldset {
                legend { "Connection" }
                (plain(fields, "title", "Title", pending.get("title"), settable.title.as_deref()))
                (plain(fields, "description", "Description", pending.get("description"), settable.description.as_deref()))
                label.tick {
                    input type="checkbox" name="embedded" value="on" checked[if is_again { fields.text("embedded") == "on" } else { settable.embedded }];
                    " Use for embedded workflows"
                }
                input type="hidden" name="has-embedded" value="1";
            }
            fieldset {
                legend { "Reason" }
                (reason::field(fields, (&settable.tenant, REASON), wrong, |from| PageAddress::new("/set").with("tenant", from).with("key", &settable.key).text()))
            }
            div.do { a.button href=(address::connection(&settable.key)) { "Cancel" } button.button.main { "Review" } }
        }
    };
    layout::reply(request, Some(NavEntry::Components), &title, main)
}

fn test_inputs(fields: &FormFields, inputs: &[SettableInput], is_open: bool) -> Markup {
    html! {
        @if !inputs.is_empty() {
            details open[is_open || inputs.iter().any(|input| input.present.is_some())] {
                summary { "Test credentials" }
                p.dim { "Used while an integration is being built, in place of the values." }
                @for one in inputs { (input(fields, one, "test.", None, false)) }
            }
        }
    }
}

fn input(
    fields: &FormFields,
    input: &SettableInput,
    prefix: &str,
    pending: Option<&String>,
    is_per_customer: bool,
) -> Markup {
    let name = format!("{prefix}{}", input.name);
    let id = format!("f-{name}");
    // A reference that was typed wrongly is not shown again: it may be the secret itself.
    let typed = touched(fields, &name).filter(|typed| !input.is_secret || secret_ref(typed).is_some());
    let shown = pending.map(String::as_str).or(input.present.as_deref()).unwrap_or_default();
    let value = typed.unwrap_or(shown);
    html! {
        (was(&name, shown))
        div.field {
            label for=(id) { (line(&input.name)) @if prefix == "test." { " for tests" } }
            (forms::text_field(&id, &name, value, input.is_secret.then_some("NAME/KEY of a Secret"), Some(&format!("{id}-help"))))
            (meanwhile(fields, &name, shown))
            p.help id={ (id) "-help" } {
                @if is_per_customer { "each customer has their own; a value here would be the same for all" }
                @else if input.is_secret { "a reference to a Secret, never the secret itself" }
                @else if pending.is_some() { (will_be(input.present.as_deref())) }
                @else if input.present.is_some() {
                    @match input.emptied {
                        EmptiedField::Removed => "empty removes it",
                        EmptiedField::GivesWay => "empty removes what is declared here",
                        EmptiedField::Refused => "nothing here declares it: it can have another value, not none",
                    }
                }
                @else { "not set" }
            }
        }
    }
}

/// What a person typed into a field; `None` if it is what the form showed, which may be old by now.
fn touched<'f>(fields: &'f FormFields, name: &str) -> Option<&'f str> {
    let typed = fields.get(name).ok().flatten()?;
    let was = fields.get(&format!("was.{name}")).ok().flatten();
    (was != Some(typed)).then_some(typed)
}

/// What the form shows in a field.
fn was(name: &str, shown: &str) -> Markup {
    html! { input type="hidden" name={ "was." (name) } value=(shown); }
}

/// Says what is there now, where a person typed something else over what was there.
fn meanwhile(fields: &FormFields, name: &str, shown: &str) -> Markup {
    let was = fields.get(&format!("was.{name}")).ok().flatten();
    let is_other = was.is_some_and(|was| was != shown) && touched(fields, name).is_some_and(|typed| typed != shown);
    html! {
        @if is_other {
            p.wanted { @if shown.is_empty() { "Meanwhile it was emptied." } @else { "Meanwhile it became: " (line(shown)) } }
        }
    }
}

/// Says that the plan changes a field.
fn will_be(present: Option<&str>) -> Markup {
    html! { "the plan changes it" @match present { Some(present) => { "; now it is " (line(present)) } None => {} } }
}

fn plain(fields: &FormFields, name: &str, title: &str, pending: Option<&String>, present: Option<&str>) -> Markup {
    let id = format!("f-{name}");
    // What is not sent stays as it is.
    if present.is_some_and(sensitive::has_secret) {
        return html! { p.dim { (title) ": it looks like a secret, so it is not shown. Change it in the file." } };
    }
    let shown = pending.map(String::as_str).or(present).unwrap_or_default();
    let value = touched(fields, name).unwrap_or(shown);
    let help = format!("{id}-help");
    html! {
        (was(name, shown))
        div.field {
            label for=(id) { (title) }
            (forms::text_field(&id, name, value, None, pending.map(|_| help.as_str())))
            (meanwhile(fields, name, shown))
            @if pending.is_some() { p.help id=(help) { (will_be(present)) } }
        }
    }
}

/// The edit, of what differs from what the form showed.
pub(super) fn propose(project: &Project, fields: &FormFields) -> Result<Proposed, AuthorError> {
    let Present { settable, spec, seen } = present(project, fields)?;
    // The toggle alone shows nothing else that could be overwritten.
    let is_toggle = fields.text("part") == "embedded";
    if !is_toggle && fields.text("seen") != seen {
        return Err(AuthorError::refused(
            format!("{} of {} changed since the form was opened", settable.key, settable.tenant),
            "compare it with what you typed: the form below has what is there now where you typed nothing else",
        ));
    }
    // What the form showed, which is what the plan gives a field.
    let was = |name: &str| fields.get(&format!("was.{name}")).ok().flatten();
    let mut values = Values::default();
    let theirs: Vec<&str> = fields.all("per-customer").collect();
    for input in &settable.inputs {
        let typed = fields.get(&format!("in.{}", input.name)).ok().flatten();
        let is_theirs = theirs.contains(&input.name.as_str());
        if is_theirs {
            if typed.is_some_and(|typed| !typed.trim().is_empty() && Some(typed) != input.present.as_deref()) {
                let message = format!("each customer has their own {}, and a value is typed as well", input.name);
                return Err(AuthorError::refused(message, "leave the value as it is, or take the tick away"));
            }
            values.inputs.insert(input.name.clone(), Some(Input::PER_CUSTOMER));
        } else if let Some(changed) = changed(input, was(&format!("in.{}", input.name)), typed)? {
            values.inputs.insert(input.name.clone(), changed);
        }
    }
    for input in &tests(&settable, &spec) {
        let typed = fields.get(&format!("test.{}", input.name)).ok().flatten();
        if let Some(changed) = changed(input, None, typed)? {
            values.test.insert(input.name.clone(), changed);
        }
    }
    let text = |name: &str, present: &Option<String>| {
        let typed = fields.get(name).ok().flatten()?.trim();
        let typed = Some(typed).filter(|typed| !typed.is_empty());
        let shown = was(name).or(present.as_deref()).map(str::trim).filter(|shown| !shown.is_empty());
        (typed != shown).then(|| typed.map(str::to_string))
    };
    values.title = text("title", &settable.title);
    values.description = text("description", &settable.description);
    if is_toggle || fields.has("has-embedded") {
        let unsaid = || AuthorError::refused("embedded is neither on nor off", "go back, and try again");
        // A box that is not ticked is not sent.
        let is_unticked = !is_toggle && !fields.has("embedded");
        let wanted = if is_unticked { false } else { fields.switch("embedded").ok_or_else(unsaid)? };
        values.embedded = Some(wanted).filter(|wanted| *wanted != settable.embedded);
    }
    let asked = SetConnection { tenant: Some(settable.tenant.clone()), values, ..asked(fields) };
    let mut draft = Draft::new(project);
    let notes = match asked.values.is_empty() {
        true => Vec::new(),
        false => set(&mut draft, &asked)?,
    };
    Ok(Proposed {
        title: format!("Change {} in {}", settable.key, settable.tenant),
        notes,
        edited: draft.finish()?,
        records: None,
        then: address::connection(&settable.key),
    })
}

/// The new value of an input; `None` if it stays.
fn changed(
    input: &SettableInput,
    was: Option<&str>,
    typed: Option<&str>,
) -> Result<Option<Option<Input>>, AuthorError> {
    let Some(typed) = typed else { return Ok(None) };
    let is_same = typed == was.or(input.present.as_deref()).unwrap_or_default();
    if is_same {
        return Ok(None);
    }
    if typed.trim().is_empty() {
        return Ok(Some(None));
    }
    if !input.is_secret {
        return Ok(Some(Some(Input::value(typed))));
    }
    match secret_ref(typed) {
        Some(secret) => Ok(Some(Some(Input::SecretRef(secret)))),
        None => Err(AuthorError::refused(
            format!("{}: it is no reference to a Secret", input.name),
            "name a Secret and its key, not the secret itself: NAME/KEY",
        )),
    }
}
