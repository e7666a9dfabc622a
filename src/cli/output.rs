//! Where output goes: results to standard output, everything else to standard error.

use super::Failure;
use crate::manifest::Problem;
use crate::render::Style;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, and not where NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For a pull-request comment.
    Markdown,
}

/// Standard output and standard error.
pub struct Output {
    color: bool,
}

impl Output {
    /// Decides about colour.
    pub fn new(color: Color) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
        };
        Output { color }
    }

    /// How text for standard output looks.
    pub fn style(&self) -> Style {
        let width = terminal_width().unwrap_or(100);
        Style { colour: self.color, width }
    }

    /// How text beside the result looks: on standard error.
    fn aside_style(&self) -> Style {
        Style { colour: self.color && std::io::stderr().is_terminal(), ..self.style() }
    }

    /// Writes a result. A reader that went away (`| head`) is no error.
    pub fn result(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())?;
        if text.is_empty() || text.ends_with('\n') { Ok(()) } else { self.bytes(b"\n") }
    }

    /// Writes a result as it is.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::new(format!("cannot write the result: {error}"), "make room, or write elsewhere"))
            }
            _ => Ok(()),
        }
    }

    /// Says something beside the result.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Says what is wrong in files.
    pub fn problems(&mut self, problems: &[Problem]) {
        for problem in problems {
            self.note(&format!("{}\n", problem.to_string().trim_end()));
        }
    }

    /// Says which rights would do.
    pub fn roles<'r>(&mut self, roles: impl IntoIterator<Item = &'r str>) {
        for role in roles.into_iter().collect::<BTreeSet<_>>() {
            self.note(&format!("rights are missing; this Role would do, bound to whoever runs this:\n\n{role}"));
        }
    }

    /// Says why a command could not be carried out.
    pub fn failure(&mut self, failure: &Failure) {
        self.note(&format!("error: {}\n  = help: {}", failure.message, failure.help));
    }

    /// Whether there is a terminal to ask on: one that shows the question, and one that takes the answer.
    pub fn can_ask(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Whether a person sees the result.
    pub fn is_seen(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// Shows text on standard error, where the result goes elsewhere.
    pub fn show_aside(&mut self, text: impl FnOnce(Style) -> String) {
        let text = text(self.aside_style());
        self.note(text.trim_end());
    }

    /// Asks for a typed yes.
    pub fn confirm(&mut self, question: &Question) -> bool {
        let _ = write!(std::io::stderr().lock(), "{} ", question.text());
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.is_ok() && question.accepts(&answer)
    }
}

/// What is asked before changes are made.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// How many changes.
    pub changes: usize,
    /// How many of them need approval.
    pub needing: usize,
}

impl Question {
    fn text(self) -> String {
        let Question { changes, needing } = self;
        let changes = if changes == 1 { "1 change".to_string() } else { format!("{changes} changes") };
        match needing {
            0 => format!("Apply {changes}? Type 'yes':"),
            _ if self.changes == 1 => format!("Apply {changes}, which needs approval? Type 'yes':"),
            1 => format!("Apply {changes}, 1 of which needs approval? Type 'yes':"),
            more => format!("Apply {changes}, {more} of which need approval? Type 'yes':"),
        }
    }

    /// A single letter is typed too easily to approve anything by it.
    fn accepts(self, answer: &str) -> bool {
        let answer = answer.trim().to_ascii_lowercase();
        answer == "yes" || (self.needing == 0 && answer == "y")
    }
}

/// The width of the terminal, where there is one and it says so.
fn terminal_width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let columns = std::env::var("COLUMNS").ok()?.parse().ok()?;
    (columns >= 40).then_some(columns)
}

#[cfg(test)]
mod tests {
    use super::Question;

    #[test]
    fn a_question_says_what_a_yes_does() {
        let text = |changes, needing| Question { changes, needing }.text();
        assert_eq!(text(1, 0), "Apply 1 change? Type 'yes':");
        assert_eq!(text(6, 0), "Apply 6 changes? Type 'yes':");
        assert_eq!(text(1, 1), "Apply 1 change, which needs approval? Type 'yes':");
        assert_eq!(text(6, 1), "Apply 6 changes, 1 of which needs approval? Type 'yes':");
        assert_eq!(text(6, 2), "Apply 6 changes, 2 of which need approval? Type 'yes':");
    }

    #[test]
    fn where_something_needs_approval_only_the_word_counts() {
        let (safe, needing) = (Question { changes: 2, needing: 0 }, Question { changes: 2, needing: 1 });
        for yes in ["yes\n", "YES", " Yes "] {
            assert!(safe.accepts(yes) && needing.accepts(yes));
        }
        for y in ["y\n", "Y"] {
            assert!(safe.accepts(y) && !needing.accepts(y));
        }
        for no in ["", "\n", "n", "no", "yess", "yes please", "ye", "да", "yes\nno"] {
            assert!(!safe.accepts(no) && !needing.accepts(no), "{no:?}");
        }
    }
}
