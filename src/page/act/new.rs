//! Adds a connection: the questions of the platform's own dialog, in its order. What decides the others is chosen by
//! links, one at a time; then one form has the rest.

use super::proposed::Proposed;
use super::review;
use crate::api::sensitive;
use crate::author::connection::{Answers, Asked, Interview, Next, Whose, credentials};
use crate::author::question::{Answer, Choice, Form, Question};
use crate::author::{AuthorError, Draft};
use crate::page::address::{self, PageAddress};
use crate::page::fields::FormFields;
use crate::page::forms;
use crate::page::layout::{self, NavEntry, line, text};
use crate::page::refusals;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::project::Project;
use crate::text::and;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// The answers that stand in the address: none can be a secret.
const CHOSEN: [&str; 8] = ["tenant", "component", "whose", "credentials", "type", "key", "own-key", "like"];

/// What the address keeps from one choice to the next: the answers, and where the edit leads once it is written.
const CARRIED: [&str; 9] = ["tenant", "component", "whose", "credentials", "type", "key", "own-key", "like", "back"];

/// The most questions of a form; a type with more inputs is not known.
const MOST: usize = 500;

/// Shows the next choice, or the form with the rest.
pub(crate) fn ask(request: &Request, shown: &ShownProject) -> Reply {
    dialog(request, shown, None)
}

/// Shows what would be written.
pub(crate) fn review(request: &Request, shown: &ShownProject) -> Reply {
    if review::asks_again(request) {
        return dialog(request, shown, None);
    }
    match propose(&shown.project, &request.fields) {
        Ok(proposed) => review::show(request, "new", &proposed, None),
        Err(error) => dialog(request, shown, Some(&error)),
    }
}

/// The answers that were chosen so far.
fn chosen(fields: &FormFields) -> Result<Answers, AuthorError> {
    let text = |name: &str| fields.filled(name).map(str::to_string);
    let whose = match fields.filled("whose") {
        Some("Customer") => Some(Whose::Customers),
        _ => None,
    };
    Ok(Answers {
        tenant: text("tenant"),
        component: text("component"),
        whose,
        credentials: fields.filled("credentials").map(credentials).transpose()?,
        type_: text("type"),
        key: text("key"),
        like: text("like"),
        has_own_key: fields.has("own-key"),
        ..Answers::default()
    })
}

fn dialog(request: &Request, shown: &ShownProject, wrong: Option<&AuthorError>) -> Reply {
    let fields = &request.fields;
    let interview = Interview::new(&shown.project);
    let mut answers = match chosen(fields) {
        Ok(answers) => answers,
        Err(error) => return refusals::refused_edit(request, "Add connection", &error),
    };
    // The key stands in the form too, where a person may change it, unless it decides what else is asked.
    if fields.has("values") && fields.filled("component").is_some() {
        answers.key = None;
    }
    let next = match interview.next(&answers) {
        Ok(next) => next,
        Err(error) => return refusals::refused_edit(request, "Add connection", &error),
    };
    let inner = match next {
        Next::Ask(question) if is_choice(&question) => choice(request, &question),
        _ => form(request, &questions(&interview, answers.clone()), &answers),
    };
    let main = html! {
        div.head { div {
            nav.crumbs aria-label="Where this is" {
                a href="/components" { "Components" } span { "/" }
                @if let Some(component) = fields.filled("component") { a href=(address::component(component)) { (line(component)) } span { "/" } }
            }
            h1 { "Add connection" }
        } }
        @if let Some(error) = wrong { (refusals::edit_refusal(error)) }
        (answered(request))
        (inner)
    };
    layout::reply(request, Some(NavEntry::Components), "Add connection", main)
}

/// Whether a question decides which others follow.
fn is_choice(question: &Question<Asked>) -> bool {
    matches!(
        question.asked,
        Asked::Tenant | Asked::Component | Asked::Whose | Asked::WhoSupplies | Asked::Type | Asked::SameAs
    )
}

/// What was chosen so far, each with a link that takes it back.
fn answered(request: &Request) -> Markup {
    let names = [
        ("tenant", "Tenant"),
        ("component", "Component"),
        ("whose", "Whose credentials"),
        ("credentials", "Credentials"),
        ("type", "Type"),
        ("like", "Like"),
        ("key", "Stable key"),
    ];
    let given: Vec<(&str, &str, &str)> =
        names.iter().filter_map(|(name, title)| Some((*name, *title, request.fields.filled(name)?))).collect();
    // Taking one back takes back what was chosen after it.
    let without = |name: &str| {
        let at = CHOSEN.iter().position(|one| *one == name).unwrap_or(0);
        CHOSEN[..at]
            .iter()
            .chain(&["back"])
            .fold(PageAddress::new("/new"), |address, one| address.with(one, request.fields.text(one)))
            .text()
    };
    html! {
        @if !given.is_empty() {
            dl.chosen {
                @for (name, title, value) in given {
                    div { dt { (title) } dd { (line(value)) " " a href=(without(name)) aria-label={ "Change " (title) } { "change" } } }
                }
            }
        }
    }
}

fn choice(request: &Request, question: &Question<Asked>) -> Markup {
    let name = match question.asked {
        Asked::Tenant => "tenant",
        Asked::Component => "component",
        Asked::Whose => "whose",
        Asked::WhoSupplies => "credentials",
        Asked::Type => "type",
        _ => "key",
    };
    let to = |value: &str| {
        let name = match (&question.asked, value) {
            (Asked::Whose, value) if value != "Customer" => "credentials",
            (Asked::SameAs, "") => "own-key",
            _ => name,
        };
        let value = if value.is_empty() { "1" } else { value };
        CARRIED
            .iter()
            .filter(|one| **one != name)
            .fold(PageAddress::new("/new"), |address, one| address.with(one, request.fields.text(one)))
            .with(name, value)
            .text()
    };
    let (choices, is_open): (Vec<Choice>, bool) = match &question.form {
        Form::Choice { choices, .. } => (choices.clone(), false),
        Form::Search { names } => (names.iter().map(|name| same(name)).collect(), false),
        Form::Text { completions, .. } => (completions.iter().map(|name| same(name)).collect(), true),
        _ => (Vec::new(), true),
    };
    // In a terminal the help names keys of the keyboard.
    let help = if question.asked == Asked::Component { "what it connects to" } else { &question.help };
    html! {
        section aria-labelledby="h-question" {
            h2 #h-question { (line(&question.text)) }
            p.dim { (text(help)) }
            ul.choices {
                @for choice in &choices { li { a.button href=(to(&choice.value)) { (line(&choice.text)) } } }
            }
            @if is_open {
                form.inline method="get" action="/new" {
                    @for one in CARRIED.iter().filter(|one| **one != name && request.fields.has(one)) {
                        input type="hidden" name=(one) value=(request.fields.text(one));
                    }
                    label { (line(&question.text)) " " input type="text" name=(name) required; }
                    button.button { "Continue" }
                }
            }
        }
    }
}

fn same(name: &str) -> Choice {
    Choice { value: name.to_string(), text: name.to_string() }
}

/// The questions of the form. A value stands in for each answer, since the questions follow each other.
fn questions(interview: &Interview<'_>, mut answers: Answers) -> Vec<Question<Asked>> {
    let mut questions = Vec::new();
    while questions.len() < MOST {
        let Ok(Next::Ask(question)) = interview.next(&answers) else { break };
        if is_choice(&question) {
            break;
        }
        let stand_in = match (&question.asked, &question.form) {
            (Asked::PerCustomer, _) => Answer::Several(Vec::new()),
            (Asked::HasTest, _) => Answer::Yes(true),
            (Asked::TestValue(_) | Asked::TestSecret(_), _) => Answer::Text(String::new()),
            (_, Form::Proposal { proposed, .. }) => Answer::Text(proposed.clone()),
            (asked, _) => question
                .suggestion()
                .filter(|answer| *asked == Asked::Title || *answer != Answer::Text(String::new()))
                .unwrap_or_else(|| {
                    Answer::Text(if matches!(asked, Asked::Secret(_)) { "a/a" } else { "a" }.to_string())
                }),
        };
        let taken = answers.take(&question.asked, &stand_in);
        questions.push(question);
        if taken.is_err() {
            break;
        }
    }
    questions
}

fn form(request: &Request, questions: &[Question<Asked>], answers: &Answers) -> Markup {
    let fields = &request.fields;
    let theirs = questions.iter().find(|question| question.asked == Asked::PerCustomer);
    let (per_customer, suggested): (&[String], &[usize]) = match theirs.map(|question| &question.form) {
        Some(Form::Several { choices, suggested }) => (choices, suggested),
        _ => (&[], &[]),
    };
    let is_ticked = |name: &String| match fields.has("values") {
        true => fields.all("per-customer").any(|ticked| ticked == name),
        false => per_customer.iter().position(|one| one == name).is_some_and(|at| suggested.contains(&at)),
    };
    let tests: Vec<&Question<Asked>> =
        questions.iter().filter(|q| matches!(q.asked, Asked::TestValue(_) | Asked::TestSecret(_))).collect();
    let of = |asked: Asked| questions.iter().find(|question| question.asked == asked);
    html! {
        form.fields method="post" action="/new" data-keep {
            (forms::token(request))
            input type="hidden" name="values" value="1";
            input type="hidden" name="back" value=(fields.text("back"));
            @for one in CHOSEN.iter().filter(|one| **one != "key" && fields.has(one)) {
                input type="hidden" name=(one) value=(fields.text(one));
            }
            @if questions.iter().any(|q| matches!(q.asked, Asked::Value(_) | Asked::Secret(_))) {
                fieldset {
                    legend { "Global values" }
                    @for question in questions {
                        @if let Asked::Value(name) | Asked::Secret(name) = &question.asked {
                            (input(fields, question, &format!("in.{name}"), is_ticked(name)))
                            @if per_customer.contains(name) {
                                label.tick { input type="checkbox" name="per-customer" value=(name) checked[is_ticked(name)]; " each customer has their own " (name) }
                            }
                        }
                    }
                }
            }
            @if !tests.is_empty() {
                details open[fields.after("test.").any(|(_, value)| !value.is_empty())] {
                    summary { "Test credentials" }
                    p.dim { "Used while an integration is being built, in place of the values above. Empty for none." }
                    @for question in tests {
                        @if let Asked::TestValue(name) | Asked::TestSecret(name) = &question.asked {
                            (input(fields, question, &format!("test.{name}"), false))
                        }
                    }
                }
            }
            fieldset {
                legend { "Connection" }
                @if let Some(Question { text, help, form: Form::YesNo { suggested }, .. }) = of(Asked::Embedded) {
                    label.tick {
                        input type="checkbox" name="embedded" checked[if fields.has("values") { fields.has("embedded") } else { *suggested }];
                        " " (line(text))
                    }
                    p.help { (line(help)) }
                }
                @match (of(Asked::Key), &answers.key) {
                    (Some(question), _) => (input(fields, question, "key", false)),
                    (None, Some(key)) => input type="hidden" name="key" value=(key);,
                    _ => {},
                }
                @if let Some(question) = of(Asked::Title) { (input(fields, question, "title", false)) }
                div.field {
                    label for="f-description" { "Description" }
                    input #f-description type="text" name="description" value=(fields.text("description"));
                }
            }
            div.do { button.button.main { "Review" } }
        }
    }
}

/// Whether a form was sent without a value that it needs.
fn is_lacking(question: &Question<Asked>, fields: &FormFields) -> bool {
    let is_theirs = |name: &str| fields.all("per-customer").any(|theirs| theirs == name);
    let is_required = match &question.form {
        Form::Text { required, .. } | Form::Reference { required, .. } => *required,
        Form::Proposal { .. } => true,
        _ => false,
    };
    let is_empty = match &question.asked {
        Asked::Value(name) | Asked::Secret(name) => !is_theirs(name) && fields.filled(&format!("in.{name}")).is_none(),
        Asked::TestValue(name) | Asked::TestSecret(name) => {
            fields.after("test.").any(|(_, value)| !value.trim().is_empty())
                && fields.filled(&format!("test.{name}")).is_none()
        }
        Asked::Key => fields.filled("key").is_none(),
        _ => false,
    };
    fields.has("values") && is_required && is_empty
}

/// One field of the form. A reference that was typed wrongly is not shown again: it may be the secret itself.
fn input(fields: &FormFields, question: &Question<Asked>, name: &str, is_theirs: bool) -> Markup {
    let (suggested, required, is_reference, why) = match &question.form {
        Form::Text { suggested, required, .. } => (suggested.clone(), *required, false, None),
        Form::Reference { suggested, required } => (suggested.clone(), *required, true, None),
        Form::Proposal { proposed, why } => (Some(proposed.clone()), true, false, Some(why)),
        _ => (None, false, false, None),
    };
    let typed = fields.get(name).ok().flatten().map(str::to_string);
    let typed = typed.filter(|typed| !is_reference || crate::author::secret_ref(typed).is_some());
    let value = match (typed, is_theirs) {
        (Some(typed), _) => typed,
        (None, true) => String::new(),
        (None, false) => suggested.filter(|value| !sensitive::has_secret(value)).unwrap_or_default(),
    };
    let id = format!("f-{name}");
    html! {
        div.field {
            label for=(id) { (line(&question.text)) @if required && !is_theirs { span.must { " required" } } }
            (forms::text_field(&id, name, &value, is_reference.then_some("NAME/KEY of a Secret"), Some(&format!("{id}-help"))))
            p.help id={ (id) "-help" } { @if is_lacking(question, fields) { b.wanted { "Fill this in:" } " " } (text(&question.help)) @if let Some(why) = why { "; " (text(why)) } }
        }
    }
}

/// The edit that adds the connection.
pub(super) fn propose(project: &Project, fields: &FormFields) -> Result<Proposed, AuthorError> {
    let interview = Interview::new(project);
    let mut answers = chosen(fields)?;
    answers.values.description = fields.filled("description").map(|text| Some(text.to_string()));
    let theirs: BTreeSet<&str> = fields.all("per-customer").collect();
    if let Some(name) = theirs.iter().find(|name| fields.filled(&format!("in.{name}")).is_some()) {
        let message = format!("each customer has their own {name}, and a global value is typed as well");
        return Err(AuthorError::refused(message, "leave the value empty, or take the tick away"));
    }
    let lacking: Vec<String> = questions(&interview, answers.clone())
        .into_iter()
        .filter(|question| is_lacking(question, fields))
        .map(|question| question.text)
        .collect();
    if !lacking.is_empty() {
        return Err(AuthorError::refused(
            format!("not filled in: {}", and(&lacking)),
            "fill in what is marked, and review again",
        ));
    }
    let made = loop {
        match interview.next(&answers)? {
            Next::Done(made) => break made,
            Next::Ask(question) => {
                let Some(answer) = answer(&question, fields) else {
                    return Err(AuthorError::refused(format!("{} is not given", question.text), question.help));
                };
                answers.take(&question.asked, &answer)?;
            }
        }
    };
    let mut draft = Draft::new(project);
    made.write(&mut draft)?;
    let key = &made.spec.stable_key;
    Ok(Proposed {
        title: format!("Add {key} to {}", made.tenant),
        notes: made.warnings.clone(),
        edited: draft.finish()?,
        records: None,
        // Who came from a step goes on there.
        then: fields
            .filled("back")
            .filter(|back| back.starts_with("/switch"))
            .map_or_else(|| address::connection(key), str::to_string),
    })
}

fn answer(question: &Question<Asked>, fields: &FormFields) -> Option<Answer> {
    let typed = |name: String| Some(Answer::Text(fields.get(&name).ok()??.to_string()));
    match &question.asked {
        Asked::PerCustomer => Some(Answer::Several(fields.all("per-customer").map(str::to_string).collect())),
        Asked::Value(name) | Asked::Secret(name) => typed(format!("in.{name}")).or(Some(Answer::Text(String::new()))),
        Asked::HasTest => Some(Answer::Yes(fields.after("test.").any(|(_, value)| !value.trim().is_empty()))),
        Asked::TestValue(name) | Asked::TestSecret(name) => {
            typed(format!("test.{name}")).or(Some(Answer::Text(String::new())))
        }
        Asked::Embedded => Some(Answer::Yes(fields.has("embedded"))),
        Asked::Title => Some(Answer::Text(fields.text("title").to_string())),
        Asked::Key => fields.filled("key").map(|key| Answer::Text(key.to_string())),
        Asked::Tenant | Asked::Component | Asked::Whose | Asked::WhoSupplies | Asked::Type | Asked::SameAs => None,
    }
}
