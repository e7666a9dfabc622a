//! Options of a command that are completed by questions, on a terminal only.

use super::CommandFailure;
use super::edit::EditOptions;
use super::output::Output;
use super::prompt::{Prompts, TextForm};

/// Asks for options that are not given, if somebody can be asked.
pub(super) struct Asking {
    prompts: Option<Prompts>,
}

/// What is said where a value is missing and nobody can be asked.
pub(super) struct Missing {
    /// What is missing: `the tenant to copy from`.
    pub what: &'static str,
    /// How to give it: a command.
    pub help: &'static str,
}

impl Asking {
    /// Asks on the terminal, if there is one, and nobody said yes to all.
    pub(super) fn open(edit: &EditOptions, output: &Output) -> Self {
        Asking { prompts: edit.prompts(output) }
    }

    /// Whether somebody can be asked.
    pub(super) fn is_open(&self) -> bool {
        self.prompts.is_some()
    }

    /// The given value, or the answer.
    pub(super) fn text(
        &self,
        given: Option<String>,
        question: &str,
        suggested: Option<&str>,
        missing: &Missing,
    ) -> Result<String, CommandFailure> {
        self.answer(given, question, suggested, missing, false)
    }

    /// A reference to a Secret. An answer that is none, which may be the secret itself, does not stay on the screen.
    pub(super) fn reference(&self, question: &str, missing: &Missing) -> Result<String, CommandFailure> {
        self.answer(None, question, None, missing, true)
    }

    fn answer(
        &self,
        given: Option<String>,
        question: &str,
        suggested: Option<&str>,
        missing: &Missing,
        is_reference: bool,
    ) -> Result<String, CommandFailure> {
        match (given, &self.prompts) {
            (Some(given), _) => Ok(given),
            (None, Some(prompts)) => {
                let form = TextForm { suggested, required: true, is_reference, ..TextForm::default() };
                Ok(prompts.text(&format!("{question}:"), "", &form)?)
            }
            (None, None) => Err(missing.failure()),
        }
    }

    /// The given value, or the one that is chosen. Of one there is nothing to choose.
    pub(super) fn choice(
        &self,
        given: Option<String>,
        question: &str,
        hint: &str,
        choices: &[&str],
        missing: &Missing,
    ) -> Result<String, CommandFailure> {
        match (given, &self.prompts, choices) {
            (Some(given), ..) => Ok(given),
            (None, Some(_), [one]) => Ok((*one).to_string()),
            (None, Some(prompts), [first, ..]) => {
                let texts: Vec<String> = choices.iter().map(ToString::to_string).collect();
                let chosen = prompts.select(&format!("{question}?"), hint, &texts, 0)?;
                Ok(choices.get(chosen).unwrap_or(first).to_string())
            }
            (None, ..) => Err(missing.failure()),
        }
    }
}

impl Missing {
    fn failure(&self) -> CommandFailure {
        CommandFailure::new(format!("{} is not given", self.what), format!("for example:\n{}", self.help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_it_is_said_what_is_missing() {
        let missing = Missing { what: "the tenant", help: "stablekey new component KEY --tenant TENANT" };
        let nobody = Asking { prompts: None };
        assert_eq!(nobody.text(Some("given".into()), "Name", None, &missing).unwrap(), "given");
        let failure = nobody.choice(None, "In which tenant", "", &["eu"], &missing).unwrap_err();
        assert_eq!(failure.message, "the tenant is not given");
        assert!(failure.help.ends_with("\nstablekey new component KEY --tenant TENANT"));
    }
}
