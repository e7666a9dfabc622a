//! `stablekey new connection`.

use crate::api::{Credentials, Input};
use crate::author::connection::{Answers, Asked, Interview, NewConnection, Next, credentials};
use crate::author::question::{Answer, Choice, Form, Question};
use crate::author::{AuthorError, Draft, Values};
use crate::cli::CommandFailure;
use crate::cli::edit::EditOptions;
use crate::cli::output::Output;
use crate::cli::prompt::Prompts;
use crate::cli::values::ValueOptions;
use crate::near_miss::listed;
use crate::project::Project;
use crate::text::quoted;
use clap::Args;
use std::cell::Cell;
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
/// What a person answered is not lost: an answer of no, Escape or a failed write shows the same answers as a command.
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
    /// A connection of the tenant, by its key: what no option gives is suggested as it is there
    #[arg(long, value_name = "KEY")]
    like: Option<String>,
    #[command(flatten)]
    edit: EditOptions,
}

impl NewConnectionCommand {
    pub(crate) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let answers = self.answers()?;
        let project = self.edit.open()?;
        let interview = Interview::new(&project);
        let first = interview.next(&answers)?;
        let prompts = self.edit.prompts(output);
        let asking = Asking {
            project: &project,
            interview,
            prompts,
            takes_suggestions: self.edit.yes,
            has_asked: Cell::new(false),
            sources: self.edit.sources.arguments().iter().map(|word| format!(" {}", quoted(word))).collect(),
        };
        let (answers, made) = asking.all(answers, first, output)?;
        for warning in &made.warnings {
            output.note(&format!("warning: {warning}"));
        }
        let mut draft = Draft::new(&project);
        made.write(&mut draft)?;
        self.edit.finish(draft, output).map_err(|failure| asking.with_command(failure, &answers, Some(&made)))
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
            like: self.like.clone(),
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
    project: &'p Project,
    interview: Interview<'p>,
    prompts: Option<Prompts>,
    /// Whether suggested answers are taken although a person could be asked.
    takes_suggestions: bool,
    /// Whether a person answered a question.
    has_asked: Cell<bool>,
    /// The sources of tenants that were given, as words of a command.
    sources: String,
}

impl Asking<'_> {
    fn all(
        &self,
        answers: Answers,
        first: Next,
        output: &mut Output,
    ) -> Result<(Answers, NewConnection), CommandFailure> {
        let (mut answers, mut next) = (answers, first);
        loop {
            let question = match next {
                Next::Done(made) => return Ok((answers, *made)),
                Next::Ask(question) => question,
            };
            (answers, next) = match (&self.prompts, question.suggestion()) {
                (Some(prompts), None) => self.ask(prompts, &question, &answers, output)?,
                (Some(prompts), Some(_)) if !self.takes_suggestions => {
                    self.ask(prompts, &question, &answers, output)?
                }
                (_, Some(suggested)) => self.with(&answers, &question.asked, &suggested)?,
                (None, None) => return Err(Missing { asking: self }.failure(question, answers)),
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
            let answer = prompts.ask(question).map_err(|error| self.with_command(error.into(), answers, None))?;
            match self.with(answers, &question.asked, &answer) {
                Ok(next) => {
                    self.has_asked.set(true);
                    return Ok(next);
                }
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

    /// A failure, with the command that repeats what a person answered: no answer is lost.
    fn with_command(&self, failure: CommandFailure, answers: &Answers, made: Option<&NewConnection>) -> CommandFailure {
        if !self.has_asked.get() {
            return failure;
        }
        let command = format!("{}{}", answers.command(self.project, made), self.sources);
        let help = format!("{}; the same answers as a command:\n{command}", failure.help.trim_end_matches('.'));
        CommandFailure { help, ..failure }
    }
}

/// Finds what is missing where nobody can be asked: all of it at once.
struct Missing<'a, 'p> {
    asking: &'a Asking<'p>,
}

/// A missing answer.
#[derive(Clone, PartialEq)]
struct Line {
    /// The question.
    text: String,
    /// The option, with the possible answers.
    option: String,
    /// Whether the possible answers are listed, so that it needs a line.
    is_long: bool,
    /// The answers of other questions with which it is missing: `--type apiKey`.
    with: Vec<String>,
}

impl Missing<'_, '_> {
    fn failure(&self, question: Question<Asked>, answers: Answers) -> CommandFailure {
        let why = match &question.form {
            Form::Proposal { why, proposed } if proposed.is_empty() => format!("; {why}"),
            Form::Proposal { why, proposed } => format!("; {why}, and {proposed} is free"),
            _ => String::new(),
        };
        let lines = self.open(question, answers);
        let sure: Vec<&Line> = lines.iter().filter(|line| line.with.is_empty()).collect();
        let texts: Vec<&str> = sure.iter().map(|line| line.text.as_str()).collect();
        let verb = if texts.len() == 1 { "is" } else { "are" };
        let nobody =
            if self.asking.takes_suggestions { "--yes asks nothing" } else { "there is no terminal to ask on" };
        let message = format!("{} {verb} not given, and {nobody}{why}", texts.join(", "));
        let options = |lines: &[&Line]| lines.iter().map(|line| line.option.as_str()).collect::<Vec<_>>().join(" ");
        if lines.len() == 1 || !lines.iter().any(|line| line.is_long) {
            return CommandFailure::new(message, format!("give {}", options(&sure)));
        }
        let (long, short): (Vec<&Line>, Vec<&Line>) = sure.into_iter().partition(|line| line.is_long);
        let mut help = vec!["give each of these".to_string()];
        help.extend(long.iter().map(|line| line.option.clone()));
        help.extend((!short.is_empty()).then(|| options(&short)));
        let mut conditions: Vec<&Vec<String>> = lines.iter().map(|line| &line.with).collect();
        conditions.retain(|with| !with.is_empty());
        conditions.dedup();
        for with in conditions {
            let of_it: Vec<&Line> = lines.iter().filter(|line| line.with == *with).collect();
            help.push(format!("with {} also {}", with.join(" "), options(&of_it)));
        }
        CommandFailure::new(message, help.join("\n"))
    }

    /// What is missing from a question on. To find the rest, a value stands in for one that is missing; where the rest
    /// depends on a choice, each is tried.
    fn open(&self, question: Question<Asked>, answers: Answers) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut open = Some((question, answers));
        while let Some((question, answers)) = open.take() {
            let suggested = question.suggestion();
            if suggested.is_none() {
                lines.push(line(&question));
            }
            let stand_in = match (&question.asked, &question.form) {
                (Asked::Value(_), _) => Some(Answer::Text("a".to_string())),
                (Asked::Secret(_), _) => Some(Answer::Text("a/a".to_string())),
                (_, Form::Proposal { proposed, .. }) => Some(Answer::Text(proposed.clone())),
                (Asked::Tenant, Form::Choice { choices, .. }) => {
                    choices.first().map(|first| Answer::Text(first.value.clone()))
                }
                _ => None,
            };
            match (suggested.or(stand_in), &question.asked) {
                (Some(answer), asked) => {
                    open = match self.asking.with(&answers, asked, &answer) {
                        Ok((answers, Next::Ask(next))) => Some((next, answers)),
                        _ => None,
                    };
                }
                // The rest depends on it, but for this.
                (None, Asked::Component) if answers.credentials.is_none() && answers.key.is_none() => {
                    lines.push(of_credentials(Credentials::ALL.iter()));
                }
                (None, _) => lines.extend(self.after(&question, &answers)),
            }
        }
        lines
    }

    /// What is missing after a choice: what is so for each, then what is so for some.
    fn after(&self, question: &Question<Asked>, answers: &Answers) -> Vec<Line> {
        let Form::Choice { choices, .. } = &question.form else { return Vec::new() };
        let values: Vec<String> = match question.asked {
            Asked::Whose => Credentials::ALL.iter().map(|known| known.as_str().to_string()).collect(),
            _ => choices.iter().map(|choice| choice.value.clone()).collect(),
        };
        // Credentials are one option, in however many questions they are asked for.
        let asked = match &question.asked {
            Asked::Whose => &Asked::WhoSupplies,
            asked => asked,
        };
        let after: Vec<(String, Vec<Line>)> = values
            .into_iter()
            .map(|value| {
                let lines = match self.asking.with(answers, asked, &Answer::Text(value.clone())) {
                    Ok((answers, Next::Ask(next))) => self.open(next, answers),
                    _ => Vec::new(),
                };
                (value, lines)
            })
            .collect();
        let is_everywhere = |line: &Line| after.iter().all(|(_, lines)| lines.contains(line));
        let common: Vec<Line> =
            after.iter().take(1).flat_map(|(_, lines)| lines.clone()).filter(is_everywhere).collect();
        let name = question.flag.split(' ').next().unwrap_or_default();
        let some = after.iter().flat_map(|(value, lines)| {
            let lines = lines.iter().filter(|line| !is_everywhere(line)).cloned();
            lines.map(move |line| Line { with: [vec![format!("{name} {value}")], line.with].concat(), ..line })
        });
        common.iter().cloned().chain(some).collect()
    }
}

fn line(question: &Question<Asked>) -> Line {
    match (&question.asked, &question.form) {
        (Asked::Whose, _) => of_credentials(Credentials::ALL.iter()),
        _ => {
            let there = there(&question.form);
            let option = format!("{}{there}", question.flag);
            Line { text: question.text.clone(), option, is_long: !there.is_empty(), with: Vec::new() }
        }
    }
}

fn of_credentials<'c>(all: impl Iterator<Item = &'c Credentials>) -> Line {
    let all: Vec<&str> = all.map(|known| known.as_str()).collect();
    let option = format!("--credentials WHOSE: {}", listed(&all));
    Line { text: "Whose credentials".to_string(), option, is_long: true, with: Vec::new() }
}

/// The possible answers, for a message.
fn there(form: &Form) -> String {
    let names: Vec<&str> = match form {
        Form::Choice { choices, .. } => choices.iter().map(|Choice { value, .. }| value.as_str()).collect(),
        Form::Text { completions: names, .. } | Form::Search { names } => names.iter().map(String::as_str).collect(),
        Form::Several { .. } | Form::Reference { .. } | Form::Proposal { .. } | Form::YesNo { .. } => Vec::new(),
    };
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    if names.is_empty() { String::new() } else { format!(": {}", listed(&names)) }
}
