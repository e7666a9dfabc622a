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
        self.problems(&failure.problems);
        self.note(&format!("error: {}\n  = help: {}", failure.message, failure.help));
    }

    /// Asks for a typed yes. `None` where there is no terminal to ask on.
    pub fn confirm(&mut self, question: &str) -> Option<bool> {
        let input = std::io::stdin();
        if !input.is_terminal() {
            return None;
        }
        let _ = write!(std::io::stderr().lock(), "{question} ");
        let mut answer = String::new();
        let read = input.read_line(&mut answer);
        Some(read.is_ok() && answer.trim() == "yes")
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
