//! The choice of a connection that `--to` would name: on a terminal one is picked, elsewhere they are listed.

use super::CommandFailure;
use super::output::Output;
use super::prompt::Prompts;
use crate::author::designer::{Choice, Choices};

/// Chooses one of the connections that fit.
pub(super) fn choose(choices: &Choices, output: &Output) -> Result<String, CommandFailure> {
    if choices.connections.is_empty() {
        let message = format!("{} needs a connection", choices.what);
        return Err(CommandFailure::new(message, choices.how_to_make_one()));
    }
    if let Some(prompts) = Prompts::open(output) {
        let lines: Vec<String> = choices.connections.iter().map(line).collect();
        let help = "type to narrow the list; for a new one, leave with Escape and run: stablekey new connection";
        let chosen = prompts.select(&format!("Connection of {}?", choices.what), help, &lines, 0)?;
        if let Some(choice) = choices.connections.get(chosen) {
            return Ok(choice.key.clone());
        }
    }
    let lines: Vec<String> = choices.connections.iter().map(|choice| format!("\n--to {}", line(choice))).collect();
    let message = format!("no connection is named for {}", choices.what);
    Err(CommandFailure::new(
        message,
        format!("give one of these:{}\nor make a new one:\n{}", lines.concat(), choices.new),
    ))
}

/// A connection in one line: its key, title and type.
fn line(choice: &Choice) -> String {
    match &choice.title {
        Some(title) => format!("{}  # {title}, {}", choice.key, choice.type_),
        None => format!("{}  # {}", choice.key, choice.type_),
    }
}
