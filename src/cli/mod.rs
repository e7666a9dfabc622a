//! The command line: one file per subcommand. Each reads input, calls the engine, and reports the result.

mod adopt;
mod apply;
mod approve;
mod asking;
mod bind;
mod choose;
mod ci;
mod commits;
mod complete;
mod completions;
mod controller;
mod crds;
mod demo;
mod doctor;
mod edit;
mod explain;
mod export;
mod forget;
mod hub;
mod import;
mod init;
mod keep;
mod kept;
mod naming;
mod new;
mod options;
mod output;
mod plan;
mod plan_file;
mod planning;
mod promote;
mod prompt;
mod reconcile;
mod remove;
mod rename_key;
mod render;
mod revert;
mod schema;
mod set;
mod snapshot;
mod status;
mod stored;
mod suspend;
mod switch;
mod ui;
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
    after_help = "Exit codes: 0 nothing to do · 1 an error · 2 there are actions · 3 something declared is unresolved.\nStart with an example: stablekey demo\nWith a project of your own: stablekey init\nOr with a tenant on the platform: stablekey import --tenant us-prod --from https://app.prismatic.io"
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
    Suspend(suspend::Suspend),
    Resume(suspend::Resume),
    Reconcile(reconcile::Reconcile),
    Import(import::ImportArgs),
    Export(export::Export),
    Render(render::Render),
    Adopt(adopt::Adopt),
    Forget(forget::ForgetCommand),
    Keep(keep::KeepCommand),
    Promote(promote::PromoteCommand),
    RenameKey(rename_key::RenameKeyCommand),
    Revert(revert::RevertCommand),
    New(new::New),
    Set(set::SetCommand),
    Remove(remove::Remove),
    Init(init::Init),
    Demo(demo::Demo),
    Bind(bind::BindCommand),
    Switch(switch::SwitchCommand),
    Ci(ci::Ci),
    Snapshot(snapshot::SnapshotCommand),
    Doctor(doctor::Doctor),
    Ui(ui::Ui),
    Schema(schema::Schema),
    Completions(completions::Completions),
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
    /// The exit code.
    code: u8,
}

impl CommandFailure {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        CommandFailure { message: message.into(), help: help.into(), problems: Vec::new(), code: 1 }
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

/// Why these bytes are no plan file; `None` if they are one.
pub fn why_no_plan(bytes: &[u8]) -> Option<String> {
    plan_file::PlanFile::parse(bytes).err().map(|error| error.to_string())
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

/// The options of a hub, which may stand before the command too: kubectl hands them to a plugin as they were typed.
const HUB_OPTIONS: [&str; 3] = ["-n", "--namespace", "--context"];

/// Moves a hub's options that stand before the command behind it.
fn hub_options_last(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut rest = arguments.into_iter();
    let (mut before, mut moved) = (Vec::from_iter(rest.next()), Vec::new());
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy().into_owned();
        let of_hub = |option: &str| {
            let value = text.strip_prefix(option);
            value.is_some_and(|value| value.is_empty() || value.starts_with('=') || !option.starts_with("--"))
        };
        match HUB_OPTIONS.into_iter().find(|option| of_hub(option)) {
            Some(option) => {
                moved.push(argument);
                if option == text {
                    moved.extend(rest.next());
                }
            }
            None => {
                let is_command = !text.starts_with('-');
                before.push(argument);
                if is_command {
                    before.append(&mut moved);
                    break;
                }
                if text == "--color" {
                    before.extend(rest.next());
                }
            }
        }
    }
    before.extend(moved);
    before.extend(rest);
    before
}

/// Parses the arguments and runs the command.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match complete::is_asked(|| filled(Arguments::command()), &arguments) {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(1);
        }
    }
    let arguments = match parse(hub_options_last(arguments)) {
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
        Command::Suspend(command) => command.run(&mut output),
        Command::Resume(command) => command.run(&mut output),
        Command::Reconcile(command) => command.run(&mut output),
        Command::Import(command) => command.run(&mut output),
        Command::Export(command) => command.run(&mut output),
        Command::Render(command) => command.run(&mut output),
        Command::Adopt(command) => command.run(&mut output),
        Command::Forget(command) => command.run(&mut output),
        Command::Keep(command) => command.run(&mut output),
        Command::Promote(command) => command.run(&mut output),
        Command::RenameKey(command) => command.run(&mut output),
        Command::Revert(command) => command.run(&mut output),
        Command::New(command) => command.run(&mut output),
        Command::Set(command) => command.run(&mut output),
        Command::Remove(command) => command.run(&mut output),
        Command::Init(command) => command.run(&mut output),
        Command::Demo(command) => command.run(&mut output),
        Command::Bind(command) => command.run(&mut output),
        Command::Switch(command) => command.run(&mut output),
        Command::Ci(command) => command.run(&mut output),
        Command::Snapshot(command) => command.run(&mut output),
        Command::Doctor(command) => command.run(&mut output),
        Command::Ui(command) => command.run(&mut output),
        Command::Schema(command) => command.run(&mut output),
        Command::Completions(command) => command.run(&mut output),
        Command::Crds(command) => command.run(&mut output),
        Command::Controller(command) => command.run(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `act` with each command, those with subcommands too, and its names.
    fn every_command(command: &clap::Command, above: &str, act: &mut dyn FnMut(&str, &clap::Command)) {
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            let name = format!("{above} {}", command.get_name());
            act(&name, command);
            every_command(command, &name, act);
        }
    }

    /// "Help text is documentation": at 80 columns each paragraph is broken once, and no example is.
    #[test]
    fn help_reads_well_on_a_terminal_of_80_columns() {
        let mut commands = Vec::new();
        every_command(&filled(Arguments::command()), "", &mut |name, command| {
            commands.push((name.to_string(), command.clone()));
        });
        let is_there = |wanted: &str| commands.iter().any(|(name, _)| name == wanted);
        assert!(is_there(" render") && is_there(" new connection"));
        for (name, command) in commands {
            let about = command.get_long_about().map(ToString::to_string).unwrap_or_default();
            let help = command.term_width(80).render_long_help().to_string();
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

    /// Calls `act` with each command that has no subcommands, and its names.
    fn each_command(command: &clap::Command, above: &str, act: &mut dyn FnMut(&str, &clap::Command)) {
        for command in command.get_subcommands() {
            let name = format!("{above} {}", command.get_name());
            match command.has_subcommands() {
                true => each_command(command, &name, act),
                false => act(&name, command),
            }
        }
    }

    /// The words of a command, as a shell divides it.
    fn shell_words(line: &str) -> Vec<String> {
        let (mut words, mut quote) = (vec![String::new()], None);
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '"' | '\'') => quote = Some(c),
                (None, ' ') => words.push(String::new()),
                (_, c) => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// "`--help` with an example for every command": and each is a command line that is accepted.
    #[test]
    fn the_help_of_every_command_has_examples_that_are_accepted() {
        let mut seen = 0;
        each_command(&Arguments::command(), "stablekey", &mut |name, command| {
            if command.get_name() == "help" {
                return;
            }
            let help = command.get_long_about().map(ToString::to_string).unwrap_or_default();
            for line in help.lines().filter(|line| line.starts_with(' ')) {
                assert!(crate::text::width(line) <= 80, "{name}: wider than 80 columns, break it with \\: {line}");
            }
            // A long line goes on in the next.
            let help = help.replace("\\\n", "");
            let examples: Vec<&str> = help.lines().skip_while(|line| *line != "Examples:").skip(1).collect();
            let examples = examples
                .into_iter()
                .take_while(|line| line.starts_with("  "))
                .filter(|line| line.contains("stablekey"));
            let commands =
                examples.flat_map(|line| line.trim().split(" | ")).map(|line| line.split(" # ").next().unwrap());
            let examples: Vec<Vec<String>> =
                commands.filter(|command| command.starts_with("stablekey ")).map(shell_words).collect();
            assert!(!examples.is_empty(), "{name}: its help has no line `Examples:` with examples below it\n{help}");
            for example in examples {
                let parsed = parse(example.iter().map(OsString::from));
                assert!(parsed.is_ok(), "{name}: {}: {}", example.join(" "), parsed.unwrap_err());
                seen += 1;
            }
        });
        assert!(seen > 20, "{seen}");
    }

    /// "`-C` on every command": but on those that read no project.
    #[test]
    fn every_command_that_reads_a_project_takes_its_folder() {
        const WITHOUT: [&str; 7] = ["approve", "completions", "controller", "crds", "demo", "help", "reconcile"];
        each_command(&Arguments::command(), "stablekey", &mut |name, command| {
            let takes = command.get_arguments().any(|argument| argument.get_short() == Some('C'));
            let word = command.get_name();
            assert_eq!(takes, !WITHOUT.contains(&word), "{name}: -C DIR");
        });
    }

    /// "`kubectl stablekey` takes -n and --context".
    #[test]
    fn options_of_a_hub_may_stand_before_the_command() {
        let moved = |line: &str| {
            let words = hub_options_last(line.split(' ').map(OsString::from).collect());
            words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(moved("kubectl-stablekey -n us-prod status"), "kubectl-stablekey status -n us-prod");
        assert_eq!(moved("s --context us -nus-prod status x"), "s status --context us -nus-prod x");
        assert_eq!(
            moved("s --namespace=a --color never --context=b plan"),
            "s --color never plan --namespace=a --context=b"
        );
        for line in ["s", "s status", "s status -n a --context b", "s --version", "s -n", "s -n a", "s --namespaces a"]
        {
            assert_eq!(moved(line), line);
        }
    }

    #[test]
    fn a_paragraph_is_one_line_and_an_example_stays() {
        assert_eq!(paragraphs("a\nb\n\n  c d\n  e\nf\ng\n\nh"), "a b\n\n  c d\n  e\nf g\n\nh");
    }
}
