//! The choice of a connection that `--to` would name.

use super::CommandFailure;
use super::output::Output;
use crate::author::designer::{Choice, Choices};

/// Chooses one of the connections that fit.
pub(super) fn choose(choices: &Choices, _output: &mut Output) -> Result<String, CommandFailure> {
    if choices.connections.is_empty() {
        let message = format!("{} needs a connection", choices.what);
        return Err(CommandFailure::new(message, choices.how_to_make_one()));
    }
    let lines: Vec<String> = choices.connections.iter().map(|choice| format!("\n--to {}", line(choice))).collect();
    let message = format!("no connection is named for {}", choices.what);
    Err(CommandFailure::new(message, format!("give one of these:{}", lines.concat())))
}

/// A connection in one line: its key, title and type.
fn line(choice: &Choice) -> String {
    match &choice.title {
        Some(title) => format!("{}  # {title}, {}", choice.key, choice.type_),
        None => format!("{}  # {}", choice.key, choice.type_),
    }
}
