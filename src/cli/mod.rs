//! The command line: one file per subcommand. Each reads input, calls the engine, and reports the result.

mod adopt;
mod apply;
mod approve;
mod controller;
mod crds;
mod doctor;
mod edit;
mod explain;
mod export;
mod hub;
mod import;
mod keep;
mod kept;
mod naming;
mod options;
mod output;
mod plan;
mod plan_file;
mod planning;
mod render;
mod revert;
mod set;
mod status;
mod validate;
mod values;

use crate::io_error::{self, Words};
use crate::manifest::FileProblem;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Wider lines are hard to read.
const WIDEST_HELP: usize = 100;

/// Keep the connections of an integration platform the same across tenants.
///
/// Connections, their stable keys and the integrations bound to them are YAML, per tenant. A tenant is a folder, a
/// namespace of Kubernetes, or an organization on the platform itself. Stablekey compares what you want with what each
/// tenant has, shows what is missing and what a change would break, applies exactly what it showed, and proves the
/// result.
#[derive(Debug, Parser)]
#[command(name = "stablekey", version, max_term_width = WIDEST_HELP, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 nothing to do · 1 an error · 2 there are actions · 3 something declared is unresolved.\nStart with: stablekey plan examples/first\nOr with a tenant on the platform: stablekey import --tenant us-prod --from https://app.prismatic.io"
)]
struct Arguments {
    /// Colour the output: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    color: output::Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::Validate),
    Plan(plan::PlanCommand),
    Apply(apply::Apply),
    Status(status::StatusArgs),
    Explain(explain::Explain),
    Approve(approve::Approve),
    Import(import::ImportArgs),
    Export(export::Export),
    Render(render::Render),
    Adopt(adopt::Adopt),
    Keep(keep::KeepCommand),
    Revert(revert::RevertCommand),
    Set(set::SetCommand),
    Doctor(doctor::Doctor),
    Crds(crds::Crds),
    Controller(controller::Controller),
}

/// The failure of a command: what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct CommandFailure {
    message: String,
    help: String,
    /// Problems of files, which may be the cause.
    problems: Vec<FileProblem>,
}

impl CommandFailure {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        CommandFailure { message: message.into(), help: help.into(), problems: Vec::new() }
    }

    /// A file that could not be written.
    fn writing(path: &Path, error: &std::io::Error) -> Self {
        let Words { why, help } = io_error::writing(path, error);
        CommandFailure::new(format!("{} cannot be written: {why}", path.display()), help)
    }

    /// A file that could not be read.
    fn reading(path: &Path, error: &std::io::Error) -> Self {
        let Words { why, help } = io_error::reading(path, error);
        CommandFailure::new(format!("{} cannot be read: {why}", path.display()), help)
    }
}

/// Parses the arguments. Help is as wide as the terminal, or as COLUMNS.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let mut command = filled(Arguments::command());
    if let Some(columns) = output::wanted_columns() {
        command = command.term_width(columns.min(WIDEST_HELP));
    }
    Arguments::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// Joins each paragraph of the help into one line, so that it is wrapped once, at the width of the terminal. Lines that
/// begin with a blank are examples and stay unchanged.
fn filled(command: clap::Command) -> clap::Command {
    let about = command.get_long_about().map(ToString::to_string);
    let command = match about {
        Some(about) => command.long_about(paragraphs(&about)),
        None => command,
    };
    command.mut_subcommands(filled)
}

fn paragraphs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut continues = false;
    for line in text.lines() {
        let is_prose = !line.is_empty() && !line.starts_with(' ');
        if !out.is_empty() {
            out.push(if continues && is_prose { ' ' } else { '\n' });
        }
        out.push_str(line);
        continues = is_prose;
    }
    out
}

/// Parses the arguments and runs the command.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match parse(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // `--help` and `--version` are handled here too. Exit code 2 means "there are actions", so invalid
            // arguments exit with 1.
            let code = if error.use_stderr() { 1 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let mut output = output::Output::new(arguments.color);
    let result = match arguments.command {
        Command::Validate(command) => command.run(&mut output),
        Command::Plan(command) => command.run(&mut output),
        Command::Apply(command) => command.run(&mut output),
        Command::Status(command) => command.run(&mut output),
        Command::Explain(command) => command.run(&mut output),
        Command::Approve(command) => command.run(&mut output),
        Command::Import(command) => command.run(&mut output),
        Command::Export(command) => command.run(&mut output),
        Command::Render(command) => command.run(&mut output),
        Command::Adopt(command) => command.run(&mut output),
        Command::Keep(command) => command.run(&mut output),
        Command::Revert(command) => command.run(&mut output),
        Command::Set(command) => command.run(&mut output),
        Command::Doctor(command) => command.run(&mut output),
        Command::Crds(command) => command.run(&mut output),
        Command::Controller(command) => command.run(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(name: &str, columns: usize) -> String {
        let mut command = filled(Arguments::command()).term_width(columns);
        let found = command.find_subcommand_mut(name).unwrap();
        found.clone().term_width(columns).render_long_help().to_string()
    }

    /// "Help text is documentation": at 80 columns each paragraph is broken once, and no example is.
    #[test]
    fn help_reads_well_on_a_terminal_of_80_columns() {
        let arguments = Arguments::command();
        let names: Vec<&str> = arguments.get_subcommands().map(|command| command.get_name()).collect();
        assert!(names.contains(&"render"), "{names:?}");
        for name in names {
            let about = arguments.find_subcommand(name).unwrap().get_long_about().unwrap().to_string();
            let help = help(name, 80);
            let lines: Vec<&str> = help.split("\nUsage:").next().unwrap().lines().collect();
            for line in help.lines() {
                assert!(crate::text::width(line) <= 80, "{name}: {line}");
            }
            for example in about.lines().filter(|line| line.starts_with(' ')) {
                assert!(lines.contains(&example), "{name} breaks an example: {example}\n{help}");
            }
            for pair in lines.windows(2) {
                let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
                let next = pair[1].split(' ').next().unwrap();
                let has_room = crate::text::width(pair[0]) + 1 + crate::text::width(next) <= 80;
                assert!(!(is_prose(pair[0]) && is_prose(pair[1]) && has_room), "{name}: {pair:?}\n{help}");
            }
        }
    }

    #[test]
    fn a_paragraph_is_one_line_and_an_example_stays() {
        assert_eq!(paragraphs("a\nb\n\n  c d\n  e\nf\ng\n\nh"), "a b\n\n  c d\n  e\nf g\n\nh");
    }
}
