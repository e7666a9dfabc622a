//! Questions for what a command needs and was not given: on a terminal only.

use super::CommandFailure;
use super::output::Output;
use crate::near_miss::meant;
use crate::text;
use std::io::{self, Write};

/// Somebody who answers questions.
pub(super) trait Ask {
    /// Asks for a text; an empty answer is the suggested one.
    fn text(&mut self, question: &str, suggested: Option<&str>) -> Result<String, CommandFailure>;
    /// Asks for one of several.
    fn choose(&mut self, question: &str, choices: &[&str]) -> Result<String, CommandFailure>;
}

/// The options of a command, completed by questions where that is possible.
pub(super) struct Asking<'a> {
    person: Option<Box<dyn Ask + 'a>>,
}

/// What is said where a value is missing and nobody can be asked.
pub(super) struct Missing {
    /// What is missing: `the tenant to copy from`.
    pub what: &'static str,
    /// How to give it: a command.
    pub help: &'static str,
}

impl<'a> Asking<'a> {
    /// Asks on the terminal, if there is one.
    pub(super) fn open(output: &Output) -> Self {
        // The lock is not held between questions: what follows asks too.
        let terminal =
            || Lines { input: |line: &mut String| std::io::stdin().read_line(line), shown: std::io::stderr() };
        Asking { person: output.can_ask().then(|| Box::new(terminal()) as Box<dyn Ask>) }
    }

    #[cfg(test)]
    pub(super) fn of(person: impl Ask + 'a) -> Self {
        Asking { person: Some(Box::new(person)) }
    }

    /// Whether somebody can be asked.
    pub(super) fn is_open(&self) -> bool {
        self.person.is_some()
    }

    /// The given value, or the answer.
    pub(super) fn text(
        &mut self,
        given: Option<String>,
        question: &str,
        suggested: Option<&str>,
        missing: &Missing,
    ) -> Result<String, CommandFailure> {
        match (given, &mut self.person) {
            (Some(given), _) => Ok(given),
            (None, Some(person)) => person.text(question, suggested),
            (None, None) => Err(missing.failure()),
        }
    }

    /// The given value, or the one that is chosen. Of one there is nothing to choose.
    pub(super) fn choice(
        &mut self,
        given: Option<String>,
        question: &str,
        choices: &[&str],
        missing: &Missing,
    ) -> Result<String, CommandFailure> {
        match (given, &mut self.person, choices) {
            (Some(given), ..) => Ok(given),
            (None, Some(_), [one]) => Ok((*one).to_string()),
            (None, Some(person), [_, ..]) => person.choose(question, choices),
            (None, ..) => Err(missing.failure()),
        }
    }
}

impl Missing {
    fn failure(&self) -> CommandFailure {
        CommandFailure::new(format!("{} is not given", self.what), format!("for example:\n{}", self.help))
    }
}

/// Questions line by line.
struct Lines<R, W> {
    /// Reads one line.
    input: R,
    shown: W,
}

impl<R: FnMut(&mut String) -> io::Result<usize>, W: Write> Lines<R, W> {
    /// Shows a question and reads the answer; an ended input is no answer.
    fn line(&mut self, question: &str) -> Result<String, CommandFailure> {
        let _ = write!(self.shown, "{} ", text::lines(question));
        let _ = self.shown.flush();
        let mut line = String::new();
        match (self.input)(&mut line) {
            Ok(1..) => Ok(line.trim().to_string()),
            Ok(0) | Err(_) => {
                Err(CommandFailure::new("Aborted. Nothing was changed.", "run the command again to start anew"))
            }
        }
    }
}

impl<R: FnMut(&mut String) -> io::Result<usize>, W: Write> Ask for Lines<R, W> {
    fn text(&mut self, question: &str, suggested: Option<&str>) -> Result<String, CommandFailure> {
        let shown = match suggested {
            Some(suggested) => format!("{question} [{suggested}]:"),
            None => format!("{question}:"),
        };
        loop {
            let answer = self.line(&shown)?;
            match (answer.is_empty(), suggested) {
                (false, _) => return Ok(answer),
                (true, Some(suggested)) => return Ok(suggested.to_string()),
                (true, None) => {}
            }
        }
    }

    fn choose(&mut self, question: &str, choices: &[&str]) -> Result<String, CommandFailure> {
        let listed: String =
            choices.iter().enumerate().map(|(index, choice)| format!("  {} {choice}\n", index + 1)).collect();
        let _ = write!(self.shown, "{}\n{}", text::lines(question), text::lines(&listed));
        loop {
            let answer = self.line("Number or name [1]:")?;
            let number = if answer.is_empty() { Some(1) } else { answer.parse::<usize>().ok() };
            let by_number = number.and_then(|number| choices.get(number.checked_sub(1)?));
            if let Some(chosen) = by_number.or_else(|| choices.iter().find(|choice| **choice == answer)) {
                return Ok((*chosen).to_string());
            }
            let near = meant(&answer, choices.iter().copied());
            let near = near.map_or_else(|| "choose one of them".to_string(), |near| format!("did you mean {near}?"));
            let _ = writeln!(self.shown, "There is no {}: {near}", text::line(&answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead as _;

    const MISSING: Missing = Missing { what: "the tenant", help: "stablekey new component KEY --tenant TENANT" };

    fn asked(
        answers: &'static str,
        run: impl FnOnce(&mut Asking<'_>) -> Result<String, CommandFailure>,
    ) -> (String, String) {
        let mut shown = Vec::new();
        let result = {
            let mut left = answers.as_bytes();
            let mut asking = Asking::of(Lines { input: |line: &mut String| left.read_line(line), shown: &mut shown });
            run(&mut asking).unwrap_or_else(|failure| failure.message)
        };
        (result, String::from_utf8(shown).unwrap())
    }

    #[test]
    fn a_choice_is_made_by_number_or_name_and_a_wrong_one_is_named() {
        let choose = |answers| asked(answers, |a| a.choice(None, "Which?", &["us-prod", "eu-prod"], &MISSING));
        assert_eq!(choose("\n").0, "us-prod");
        assert_eq!(choose("2\n").0, "eu-prod");
        let (chosen, shown) = choose("9\neu-prd\neu-prod\n");
        assert_eq!(chosen, "eu-prod");
        assert!(shown.contains("  1 us-prod\n  2 eu-prod\n") && shown.contains("did you mean eu-prod?"), "{shown}");
        assert_eq!(choose("").0, "Aborted. Nothing was changed.");
        assert_eq!(asked("", |a| a.choice(None, "Which?", &["one"], &MISSING)).0, "one");
    }

    #[test]
    fn a_text_is_asked_until_there_is_one() {
        assert_eq!(asked("\n\nacme\n", |a| a.text(None, "Name", None, &MISSING)).0, "acme");
        let (answer, shown) = asked("\n", |a| a.text(None, "Name", Some("eu"), &MISSING));
        assert_eq!((answer.as_str(), shown.as_str()), ("eu", "Name [eu]: "));
        assert_eq!(asked("", |a| a.text(Some("given".into()), "Name", None, &MISSING)).0, "given");
    }

    #[test]
    fn without_a_terminal_it_is_said_what_is_missing() {
        let failure = Asking { person: None }.text(None, "Name", None, &MISSING).unwrap_err();
        assert_eq!(failure.message, "the tenant is not given");
        assert!(failure.help.ends_with("\nstablekey new component KEY --tenant TENANT"));
    }
}
