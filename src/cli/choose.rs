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
        let connections = choices.connections.iter().map(line);
        let lines: Vec<String> = connections.chain(["a new connection".to_string()]).collect();
        let question = format!("Connection of {}?", choices.what);
        let chosen = prompts.select(&question, "type to narrow the list", &lines, 0)?;
        return match choices.connections.get(chosen) {
            Some(choice) => Ok(choice.key.clone()),
            None => {
                let help = format!("make it, then run this command again:\n{}", choices.new);
                Err(CommandFailure::new("nothing was changed: there is no new connection yet", help))
            }
        };
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
