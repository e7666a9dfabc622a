//! The choice of a connection that `--to` would name, and of a step that `--step` would: on a terminal one is picked,
//! elsewhere they are listed.

use super::CommandFailure;
use super::prompt::Prompts;
use crate::author::designer::{Choice, Choices, StepChoice, Steps};
use crate::text::quoted;

/// Chooses one of the connections that fit.
pub(super) fn choose(choices: &Choices, prompts: Option<&Prompts>) -> Result<String, CommandFailure> {
    if choices.connections.is_empty() {
        let message = format!("{} needs a connection", choices.what);
        return Err(CommandFailure::new(message, choices.how_to_make_one()));
    }
    if let Some(prompts) = prompts {
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

/// Chooses one of the steps of an integration.
pub(super) fn choose_step<'s>(steps: &'s Steps, prompts: Option<&Prompts>) -> Result<&'s StepChoice, CommandFailure> {
    let of = format!("{} of {}", steps.integration, steps.tenant);
    if steps.steps.is_empty() {
        let (message, help) = &steps.none;
        return Err(CommandFailure::new(message.clone(), help.clone()));
    }
    if let Some(prompts) = prompts {
        let lines: Vec<String> = steps.steps.iter().map(|step| step_line(step, &step.path)).collect();
        let question = format!("Step of {of}?");
        let chosen = prompts.select(&question, "type to narrow the list", &lines, 0)?;
        if let Some(step) = steps.steps.get(chosen) {
            return Ok(step);
        }
    }
    let flag = |step: &StepChoice| if step.is_data_source { "--data-source" } else { "--step" };
    let lines = steps.steps.iter().map(|step| step_line(step, &format!("\n{} {}", flag(step), quoted(&step.path))));
    let help = format!("give one of these:{}", lines.collect::<String>());
    Err(CommandFailure::new(format!("no step is named for {of}"), help))
}

/// A step in one line, with what it uses.
fn step_line(step: &StepChoice, named: &str) -> String {
    match &step.uses {
        Some(uses) => format!("{named}  # {uses}"),
        None => named.to_string(),
    }
}

/// A connection in one line: its key, title and type.
fn line(choice: &Choice) -> String {
    match &choice.title {
        Some(title) => format!("{}  # {title}, {}", choice.key, choice.type_),
        None => format!("{}  # {}", choice.key, choice.type_),
    }
}
