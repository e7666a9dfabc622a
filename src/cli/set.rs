//! `stablekey set`.

use super::CommandFailure;
use super::edit::EditOptions;
use super::output::Output;
use super::prompt::Prompts;
use super::values::{ValueOptions, secret_ref};
use crate::api::Input;
use crate::author::question::{Answer, Form, Question};
use crate::author::set::{SetConnection, Settable, SettableInput, set, settable};
use crate::author::{Draft, Values};
use clap::Args;

/// Alter a connection in its manifest
///
/// In a tenant that a sync feeds, a value is written where the tenant's own source declares it, else as an override of
/// the sync, with --reason. The diff and what the plan would say are shown before anything is written; an edit that
/// makes the plan worse needs --force. Secrets are references, never values; how to supply a new one is said.
///
/// Without a change it asks, on a terminal, what changes, and for the new value.
///
/// Examples:
///   stablekey set --tenant us-prod salesforce-oauth scopes='api refresh_token'
///   stablekey set --tenant eu-prod salesforce-oauth scopes=api --reason 'EU app'
///   stablekey set hubspot-oauth --secret clientSecret=hubspot-eu/clientSecret
///   stablekey set warehouse --embedded on --test host=test.us.example \
///     --test-secret password=warehouse-test/password
///   stablekey set warehouse
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct SetCommand {
    /// The stable key of the connection, or Connection/NAME
    key: String,
    #[command(flatten)]
    values: ValueOptions,
    /// Remove an input, test.INPUT, title or description, or its override (repeatable)
    #[arg(long, value_name = "INPUT")]
    unset: Vec<String>,
    /// The tenant; by default the one that declares the connection
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Why the value differs in this tenant, for an override
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    edit: EditOptions,
}

impl SetCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let values = self.values.values(&self.unset)?;
        let project = self.edit.open()?;
        let mut asked = SetConnection { tenant: self.tenant, key: self.key, values, reason: self.reason };
        if asked.values.is_empty() {
            let settable = settable(&project, &asked)?;
            let Some(prompts) = self.edit.prompts(output) else { return Err(nothing(&settable)) };
            asked.values = ask(&prompts, &settable, output)?;
            asked.tenant = Some(settable.tenant);
        }
        let mut draft = Draft::new(&project);
        set(&mut draft, &asked)?.iter().for_each(|said| output.note(said));
        self.edit.finish(draft, output)
    }
}

/// The failure where no change is given and nobody can be asked.
fn nothing(settable: &Settable) -> CommandFailure {
    let Settable { tenant, key, inputs, example, .. } = settable;
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let names = if names.is_empty() { "no inputs".to_string() } else { format!("the inputs {}", names.join(", ")) };
    let help = format!(
        "{key} of {tenant} has {names}; give INPUT=VALUE, --secret, --per-customer, --test, --test-secret, --embedded, \
         --title, --description or --unset, for example:\n{example}"
    );
    CommandFailure::new("nothing is to be changed", help)
}

/// Something of a connection that a person can choose to change.
#[derive(Clone)]
enum Target {
    Input(SettableInput),
    Title,
    Description,
    Embedded,
}

/// Asks what changes, and for its new value.
fn ask(prompts: &Prompts, settable: &Settable, output: &mut Output) -> Result<Values, CommandFailure> {
    let inputs = settable.inputs.iter().cloned().map(Target::Input);
    let targets: Vec<Target> = inputs.chain([Target::Title, Target::Description, Target::Embedded]).collect();
    let lines: Vec<String> = targets.iter().map(|target| target.line(settable)).collect();
    let question = format!("What changes of {} in {}?", settable.key, settable.tenant);
    let chosen = prompts.select(&question, "type to narrow the list", &lines, 0)?;
    let Some(target) = targets.get(chosen) else { return Ok(Values::default()) };
    let question = target.question(settable);
    loop {
        match target.values(&prompts.ask(&question)?) {
            Ok(values) => return Ok(values),
            Err(wrong) => output.failure(&wrong),
        }
    }
}

impl Target {
    fn name(&self) -> &str {
        match self {
            Target::Input(input) => &input.name,
            Target::Title => "title",
            Target::Description => "description",
            Target::Embedded => "use for embedded workflows",
        }
    }

    fn present(&self, settable: &Settable) -> Option<String> {
        match self {
            Target::Input(input) => input.present.clone(),
            Target::Title => settable.title.clone(),
            Target::Description => settable.description.clone(),
            Target::Embedded => Some(if settable.embedded { "on" } else { "off" }.to_string()),
        }
    }

    fn line(&self, settable: &Settable) -> String {
        match self.present(settable) {
            Some(present) => format!("{}  (now {present})", self.name()),
            None => self.name().to_string(),
        }
    }

    fn question(&self, settable: &Settable) -> Question<()> {
        let suggested = self.present(settable);
        let (help, form) = match self {
            // Nothing is typed after the present reference: a secret that is pasted would become a part of it.
            Target::Input(input) if input.is_secret => (
                "a reference NAME/KEY to a Secret, never the secret itself",
                Form::Reference { suggested, required: true },
            ),
            Target::Embedded => {
                ("customers may use it in the embedded workflow builder", Form::YesNo { suggested: settable.embedded })
            }
            Target::Input(_) | Target::Title | Target::Description => {
                ("empty removes it", Form::Text { suggested, required: false, completions: Vec::new() })
            }
        };
        let text = self.name().to_string();
        Question { asked: (), text, help: help.to_string(), form, flag: String::new() }
    }

    fn values(&self, answer: &Answer) -> Result<Values, CommandFailure> {
        let text = Some(answer.text().trim()).filter(|text| !text.is_empty());
        let mut values = Values::default();
        match self {
            Target::Input(input) => {
                let value = match (text, input.is_secret) {
                    (None, _) => None,
                    (Some(reference), true) => Some(secret_ref("--secret", &input.name, reference)?),
                    (Some(_), false) => Some(Input::value(answer.text())),
                };
                values.inputs.insert(input.name.clone(), value);
            }
            Target::Title => values.title = Some(text.map(str::to_string)),
            Target::Description => values.description = Some(text.map(str::to_string)),
            Target::Embedded => values.embedded = Some(answer.is_yes()),
        }
        Ok(values)
    }
}
