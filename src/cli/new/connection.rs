//! `stablekey new connection`.

use crate::api::Input;
use crate::author::connection::{Answers, Asked, Interview, NewConnection, Next, credentials};
use crate::author::question::{Answer, Choice, Form, Question};
use crate::author::{AuthorError, Draft, Values};
use crate::cli::CommandFailure;
use crate::cli::edit::EditOptions;
use crate::cli::output::Output;
use crate::cli::prompt::Prompts;
use crate::cli::values::ValueOptions;
use crate::near_miss::listed;
use clap::Args;
use std::collections::BTreeSet;

/// Make a connection
///
/// Asks, on a terminal, what the platform's own dialog asks: the component, whose credentials, the connection type, the
/// global values and the inputs that each customer has of their own, test credentials, the stable key. An option answers
/// its question. Without a terminal, or with --yes, the suggested answers are taken, and only what has none must be
/// given. Secrets are references, never values; how to supply each of them is said.
///
/// The same key in the next tenant takes component, type, credentials and global values from the connection of the
/// other tenant.
///
/// Examples:
///   stablekey new connection
///   stablekey new connection --tenant eu-prod --key hubspot-oauth --yes
///   stablekey new connection --component salesforce --credentials Customer \
///     authorizeUrl=https://login.example/authorize \
///     tokenUrl=https://login.example/token \
///     clientId=my-app --secret clientSecret=salesforce-app/clientSecret
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct NewConnectionCommand {
    #[command(flatten)]
    values: ValueOptions,
    /// The tenant; needed if there are several
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// The component: its key, with .private if a public component has the same key
    #[arg(long, value_name = "COMPONENT")]
    component: Option<String>,
    /// The connection type of the component
    #[arg(long = "type", value_name = "TYPE")]
    type_: Option<String>,
    /// Whose credentials, and who supplies them: Customer (each customer signs in), OrganizationCustomer (you supply a
    /// set for each customer), OrganizationGlobal (one set of yours for all customers) or User (each user of a customer
    /// signs in)
    #[arg(long, value_name = "WHOSE")]
    credentials: Option<String>,
    /// The stable key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    edit: EditOptions,
}

impl NewConnectionCommand {
    pub(crate) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let answers = self.answers()?;
        let project = self.edit.open()?;
        let interview = Interview::new(&project);
        let first = interview.next(&answers)?;
        let prompts = Prompts::open(output);
        let made = Asking { interview, prompts, takes_suggestions: self.edit.yes }.all(answers, first, output)?;
        for warning in &made.warnings {
            output.note(&format!("warning: {warning}"));
        }
        let mut draft = Draft::new(&project);
        made.write(&mut draft)?;
        self.edit.finish(draft, output)
    }

    /// What the options answer.
    fn answers(&self) -> Result<Answers, CommandFailure> {
        let mut values = self.values.values(&[])?;
        let per_customer = take_per_customer(&mut values);
        Ok(Answers {
            tenant: self.tenant.clone(),
            component: self.component.clone(),
            credentials: self.credentials.as_deref().map(credentials).transpose()?,
            type_: self.type_.clone(),
            key: self.key.clone(),
            per_customer,
            values,
            ..Answers::default()
        })
    }
}

/// The inputs of `--per-customer`, which are then all that each customer has of their own; an empty one stands for none.
fn take_per_customer(values: &mut Values) -> Option<BTreeSet<String>> {
    let given = values.inputs.iter().filter(|(_, input)| matches!(input, Some(Input::PerCustomer(_))));
    let names: BTreeSet<String> = given.map(|(name, _)| name.clone()).collect();
    values.inputs.remove("");
    (!names.is_empty()).then(|| names.into_iter().filter(|name| !name.is_empty()).collect())
}

/// Gets the open answers: from a person, or those that are suggested.
struct Asking<'p> {
    interview: Interview<'p>,
    prompts: Option<Prompts>,
    /// Whether suggested answers are taken although a person could be asked.
    takes_suggestions: bool,
}

impl Asking<'_> {
    fn all(&self, answers: Answers, first: Next, output: &mut Output) -> Result<NewConnection, CommandFailure> {
        let (mut answers, mut next) = (answers, first);
        loop {
            let question = match next {
                Next::Done(made) => return Ok(*made),
                Next::Ask(question) => question,
            };
            (answers, next) = match (&self.prompts, question.suggestion()) {
                (Some(prompts), None) => self.ask(prompts, &question, &answers, output)?,
                (Some(prompts), Some(_)) if !self.takes_suggestions => {
                    self.ask(prompts, &question, &answers, output)?
                }
                (_, Some(suggested)) => self.with(&answers, &question.asked, &suggested)?,
                (None, None) => return Err(self.missing(&question, answers)),
            };
        }
    }

    /// Asks until the answer fits.
    fn ask(
        &self,
        prompts: &Prompts,
        question: &Question<Asked>,
        answers: &Answers,
        output: &mut Output,
    ) -> Result<(Answers, Next), CommandFailure> {
        loop {
            let answer = prompts.ask(question)?;
            match self.with(answers, &question.asked, &answer) {
                Ok(next) => return Ok(next),
                Err(wrong) => output.failure(&wrong.into()),
            }
        }
    }

    fn with(&self, answers: &Answers, asked: &Asked, answer: &Answer) -> Result<(Answers, Next), AuthorError> {
        let mut answers = answers.clone();
        answers.take(asked, answer)?;
        let next = self.interview.next(&answers)?;
        Ok((answers, next))
    }

    /// The error for a question that nobody can answer. All required values that are missing are named at once.
    fn missing(&self, question: &Question<Asked>, mut answers: Answers) -> CommandFailure {
        let mut flags: Vec<String> = Vec::new();
        let mut open = Some(question.clone());
        while let Some(question) = open {
            let is_suggested = question.suggestion();
            flags.extend(is_suggested.is_none().then(|| question.flag.clone()));
            // To find the others, a value stands in for one that is missing.
            let stand_in = match &question.asked {
                Asked::Value(_) => Some(Answer::Text("a".to_string())),
                Asked::Secret(_) => Some(Answer::Text("a/a".to_string())),
                _ => None,
            };
            let Some(answer) = is_suggested.or(stand_in) else { break };
            open = match self.with(&answers, &question.asked, &answer) {
                Ok((with, Next::Ask(next))) => {
                    answers = with;
                    Some(next)
                }
                _ => None,
            };
        }
        let why = match &question.form {
            Form::Proposal { why, proposed } if proposed.is_empty() => format!("; {why}"),
            Form::Proposal { why, proposed } => format!("; {why}, and {proposed} is free"),
            _ => String::new(),
        };
        let there = there(&question.form);
        let message = format!("{} is not given, and there is no terminal to ask on{why}", question.text);
        CommandFailure::new(message, format!("give {}{there}", flags.join(" ")))
    }
}

/// The possible answers, for a message.
fn there(form: &Form) -> String {
    let names: Vec<&str> = match form {
        Form::Choice { choices, .. } => choices.iter().map(|Choice { value, .. }| value.as_str()).collect(),
        Form::Text { completions, .. } => completions.iter().map(String::as_str).collect(),
        Form::Several { .. } | Form::Reference { .. } | Form::Proposal { .. } | Form::YesNo { .. } => Vec::new(),
    };
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    if names.is_empty() { String::new() } else { format!(": {}", listed(&names)) }
}
