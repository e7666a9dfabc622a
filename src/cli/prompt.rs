//! Questions on a terminal: a choice, several, a text, yes or no.
//!
//! A person leaves a question with Escape or Ctrl-C: nothing was written then, and the exit code is 130. A signal that
//! ends the command leaves the terminal as it was.

use super::CommandFailure;
use super::output::Output;
use crate::api::sensitive;
use crate::author::question::{Answer, Choice, Form, Question};
use crate::author::secret_ref;
use crate::near_miss::listed;
use inquire::autocompletion::{Autocomplete, Replacement};
use inquire::ui::RenderConfig;
use inquire::validator::{Validation, ValueRequiredValidator};
use inquire::{Confirm, CustomUserError, InquireError, MultiSelect, Select, Text};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;

/// The exit code after Escape or Ctrl-C: that of a command which SIGINT ended.
const INTERRUPTED: u8 = 130;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PromptError {
    /// The person left the question.
    #[error("Aborted. Nothing was changed.")]
    Left,
    /// The terminal does not work.
    #[error("the terminal cannot show a question: {0}")]
    Terminal(String),
}

impl From<InquireError> for PromptError {
    fn from(error: InquireError) -> Self {
        match error {
            InquireError::OperationCanceled | InquireError::OperationInterrupted => PromptError::Left,
            other => PromptError::Terminal(other.to_string()),
        }
    }
}

impl From<PromptError> for CommandFailure {
    fn from(error: PromptError) -> Self {
        let (help, code) = match &error {
            PromptError::Left => ("run the command again to start again", INTERRUPTED),
            PromptError::Terminal(_) => ("give the answers as options: --help lists them", 1),
        };
        CommandFailure { code, ..CommandFailure::new(error.to_string(), help) }
    }
}

/// A terminal that questions are asked on.
pub(super) struct Prompts {
    style: RenderConfig<'static>,
}

impl Prompts {
    /// Prepares the terminal; `None` if standard input is no terminal, or nobody would see a question.
    pub(super) fn open(output: &Output) -> Option<Self> {
        if !output.can_ask() {
            return None;
        }
        restore_on_signals();
        let style = if output.asks_in_color() { RenderConfig::default_colored() } else { RenderConfig::empty() };
        Some(Prompts { style })
    }

    /// Asks for one of several. Typing narrows the list.
    pub(super) fn select(
        &self,
        text: &str,
        help: &str,
        choices: &[String],
        suggested: usize,
    ) -> Result<usize, PromptError> {
        let start = suggested.min(choices.len().saturating_sub(1));
        let prompt = Select::new(text, choices.iter().collect()).with_starting_cursor(start);
        let chosen = prompt.with_help_message(help).with_render_config(self.style).raw_prompt()?;
        Ok(chosen.index)
    }

    /// Asks for any number of several.
    pub(super) fn several(
        &self,
        text: &str,
        help: &str,
        choices: &[String],
        suggested: &[usize],
    ) -> Result<Vec<usize>, PromptError> {
        let prompt = MultiSelect::new(text, choices.iter().collect()).with_default(suggested);
        let shown = |chosen: &[inquire::list_option::ListOption<&&String>]| match chosen {
            [] => "none".to_string(),
            chosen => chosen.iter().map(|choice| choice.value.as_str()).collect::<Vec<_>>().join(", "),
        };
        let prompt = prompt.with_help_message(help).with_render_config(self.style).with_formatter(&shown);
        Ok(prompt.raw_prompt()?.into_iter().map(|chosen| chosen.index).collect())
    }

    /// Asks for a text. A suggested text of a question that may be left empty stands there to be edited.
    pub(super) fn text(&self, text: &str, help: &str, form: &TextForm<'_>) -> Result<String, PromptError> {
        let shown = |answer: &str| form.shown(answer);
        let mut prompt = Text::new(text).with_help_message(help).with_render_config(self.style).with_formatter(&shown);
        prompt = match (form.suggested, form.required) {
            (Some(suggested), true) => prompt.with_default(suggested),
            (Some(suggested), false) => prompt.with_initial_value(suggested),
            (None, true) => prompt.with_validator(ValueRequiredValidator::new("an answer is needed")),
            (None, false) => prompt,
        };
        if form.is_search {
            // A validator outlives the question.
            let names = form.completions.to_vec();
            prompt = prompt.with_validator(move |answer: &str| {
                let form = TextForm { completions: &names, is_search: true, ..TextForm::default() };
                Ok(form.several(answer).map_or(Validation::Valid, |several| Validation::Invalid(several.into())))
            });
        }
        if !form.completions.is_empty() {
            prompt = prompt.with_autocomplete(Completions(form.completions.to_vec()));
        }
        Ok(prompt.prompt()?)
    }

    /// Asks for yes or no.
    pub(super) fn confirm(&self, text: &str, help: &str, suggested: bool) -> Result<bool, PromptError> {
        let mut prompt = Confirm::new(text).with_default(suggested).with_render_config(self.style);
        if !help.is_empty() {
            prompt = prompt.with_help_message(help);
        }
        Ok(prompt.prompt()?)
    }

    /// Asks a question of any form.
    pub(super) fn ask<A>(&self, question: &Question<A>) -> Result<Answer, PromptError> {
        let Question { text, help, form, .. } = question;
        let of_text = |form: TextForm<'_>| self.text(&format!("{text}:"), help, &form).map(Answer::Text);
        match form {
            Form::Choice { choices, suggested } => {
                let texts: Vec<String> = choices.iter().map(|choice| choice.text.clone()).collect();
                let chosen = self.select(&format!("{text}?"), help, &texts, suggested.unwrap_or_default())?;
                let value = choices.get(chosen).map(|Choice { value, .. }| value.clone());
                Ok(Answer::Text(value.unwrap_or_default()))
            }
            Form::Several { choices, suggested } => {
                let chosen = self.several(&format!("{text}?"), help, choices, suggested)?;
                Ok(Answer::Several(chosen.into_iter().filter_map(|at| choices.get(at).cloned()).collect()))
            }
            Form::Text { suggested, required, completions } => {
                let suggested = suggested.as_deref();
                of_text(TextForm { suggested, required: *required, completions, ..TextForm::default() })
            }
            Form::Search { names } => {
                let form = TextForm { required: true, completions: names, is_search: true, ..TextForm::default() };
                let answer = self.text(&format!("{text}:"), help, &form)?;
                Ok(Answer::Text(form.found(&answer).unwrap_or(&answer).to_string()))
            }
            Form::Reference { suggested, required } => of_text(TextForm {
                suggested: suggested.as_deref(),
                required: *required,
                is_reference: true,
                ..TextForm::default()
            }),
            Form::Proposal { proposed, .. } => {
                let suggested = Some(proposed.as_str()).filter(|proposed| !proposed.is_empty());
                of_text(TextForm { suggested, required: true, ..TextForm::default() })
            }
            Form::YesNo { suggested } => Ok(Answer::Yes(self.confirm(&format!("{text}?"), help, *suggested)?)),
        }
    }
}

/// What a text may be.
#[derive(Default)]
pub(super) struct TextForm<'a> {
    /// The text that is taken unless another one is given.
    pub suggested: Option<&'a str>,
    /// Whether it may not be empty.
    pub required: bool,
    /// Texts that complete a beginning.
    pub completions: &'a [String],
    /// Whether it is a reference to a Secret.
    pub is_reference: bool,
    /// Whether a part of a completion stands for it, where no other one has that part.
    pub is_search: bool,
}

impl TextForm<'_> {
    /// The completions that a part of a name may stand for; the name itself stands for itself.
    fn meant(&self, answer: &str) -> Vec<&String> {
        let wanted = answer.trim().to_lowercase();
        match self.completions.iter().find(|name| **name == answer.trim()) {
            Some(name) => vec![name],
            None => self.completions.iter().filter(|name| name.to_lowercase().contains(&wanted)).collect(),
        }
    }

    /// The only completion that an answer stands for.
    fn found(&self, answer: &str) -> Option<&str> {
        match self.meant(answer).as_slice() {
            [one] if self.is_search && !answer.trim().is_empty() => Some(one),
            _ => None,
        }
    }

    /// The completions to choose from, if an answer stands for several.
    fn several(&self, answer: &str) -> Option<String> {
        let meant = self.meant(answer);
        let is_unclear = self.is_search && meant.len() > 1 && !answer.trim().is_empty();
        let names: Vec<&str> = meant.iter().map(|name| name.as_str()).collect();
        is_unclear.then(|| format!("several have {:?} in their name: {}", answer.trim(), listed(&names)))
    }

    /// The answer as it stays on the terminal: what may be a secret does not.
    fn shown(&self, answer: &str) -> String {
        if let Some(found) = self.found(answer) {
            return found.to_string();
        }
        let is_odd = self.is_reference && !answer.trim().is_empty() && secret_ref(answer).is_none();
        if is_odd || sensitive::has_secret(answer) { "(hidden)".to_string() } else { answer.to_string() }
    }
}

/// Completes a text to one of several.
#[derive(Clone)]
struct Completions(Vec<String>);

impl Completions {
    fn matching(&self, input: &str) -> Vec<&String> {
        let wanted = input.trim().to_lowercase();
        let starts = |text: &&String| text.to_lowercase().starts_with(&wanted);
        let holds = |text: &&String| !starts(text) && text.to_lowercase().contains(&wanted);
        self.0.iter().filter(starts).chain(self.0.iter().filter(holds)).collect()
    }
}

impl Autocomplete for Completions {
    fn get_suggestions(&mut self, input: &str) -> Result<Vec<String>, CustomUserError> {
        Ok(self.matching(input).into_iter().cloned().collect())
    }

    fn get_completion(&mut self, input: &str, highlighted: Option<String>) -> Result<Replacement, CustomUserError> {
        if highlighted.is_some() {
            return Ok(highlighted);
        }
        let mut matching = self.matching(input).into_iter();
        let Some(first) = matching.next() else { return Ok(None) };
        let common = matching.fold(first.as_str(), |common, other| {
            let same = common.char_indices().zip(other.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
            &common[..same.unwrap_or(common.len().min(other.len()))]
        });
        Ok((common.len() > input.trim().len()).then(|| common.to_string()))
    }
}

/// Lets a signal that ends the command restore the terminal first: while a question is open, keys are read raw, and the
/// cursor may be hidden.
fn restore_on_signals() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let before = tcgetattr(std::io::stdin()).ok();
        let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]) else { return };
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                restore(before.as_ref());
                std::process::exit(128 + signal);
            }
        });
    });
}

fn restore(before: Option<&Termios>) {
    const SHOW_CURSOR: &str = "\u{1b}[?25h";
    const NO_PASTE_MARKS: &str = "\u{1b}[?2004l";
    if let Some(before) = before {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
    }
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = write!(stderr, "{NO_PASTE_MARKS}{SHOW_CURSOR}\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completions() -> Completions {
        Completions(["salesforce", "salesloft", "slack", "my-sales"].map(str::to_string).to_vec())
    }

    #[test]
    fn tab_completes_to_what_all_matches_have_in_common() {
        let complete = |input: &str| completions().get_completion(input, None).unwrap();
        assert_eq!(complete("sla").as_deref(), Some("slack"));
        assert_eq!(complete("salesf").as_deref(), Some("salesforce"));
        assert_eq!(complete("SALESL").as_deref(), Some("salesloft"));
        assert_eq!(complete("s"), None);
        assert_eq!(complete("x"), None);
        assert_eq!(completions().get_completion("s", Some("slack".into())).unwrap().as_deref(), Some("slack"));
    }

    #[test]
    fn what_begins_with_the_text_is_listed_first() {
        assert_eq!(completions().get_suggestions("sales").unwrap(), ["salesforce", "salesloft", "my-sales"]);
        assert_eq!(completions().get_suggestions("").unwrap().len(), 4);
    }

    #[test]
    fn a_part_of_a_name_stands_for_the_only_one_that_has_it() {
        let names = completions().0;
        let form = TextForm { completions: &names, is_search: true, ..TextForm::default() };
        assert_eq!(
            (form.found("FORCE"), form.found("slack"), form.found("x")),
            (Some("salesforce"), Some("slack"), None)
        );
        assert_eq!(form.shown("loft"), "salesloft");
        assert_eq!(
            form.several("sales").unwrap(),
            "several have \"sales\" in their name: salesforce, salesloft, my-sales"
        );
        assert_eq!((form.found("sales"), form.several("slack"), form.several("")), (None, None, None));
        let names = ["mail".to_string(), "email".to_string()];
        let form = TextForm { completions: &names, is_search: true, ..TextForm::default() };
        assert_eq!((form.found("mail"), form.found("email")), (Some("mail"), Some("email")));
    }

    #[test]
    fn no_secret_stays_on_the_terminal() {
        let of = |is_reference| TextForm { required: true, is_reference, ..TextForm::default() };
        assert_eq!(of(true).shown("crm-app/clientSecret"), "crm-app/clientSecret");
        assert_eq!(of(true).shown("hunter2"), "(hidden)");
        assert_eq!(of(true).shown(""), "");
        assert_eq!(of(false).shown("api refresh"), "api refresh");
        assert_eq!(of(false).shown("https://user:hunter2@crm.example"), "(hidden)");
    }
}
