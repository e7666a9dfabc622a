//! What a shell completes: names from the project at hand.
//!
//! An argument is completed by the words of its value's name, so that a new command needs no line here: `TENANT`,
//! `KEY`, `INTEGRATION`, `STEP`, `COMPONENT` and so on ([`WORDS`]).

use crate::api::Kind;
use crate::engine::model::code::Code;
use crate::project::names::{FoundName, ProjectNames};
use clap::builder::ValueHint;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{Bash, CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The variable that asks for completions instead of a run.
pub(super) const VARIABLE: &str = "COMPLETE";

/// The shells that are known, and kubectl.
pub(super) const SHELLS: Shells<'static> = Shells(&[&Bash, &Elvish, &Fish, &Powershell, &Zsh, &Kubectl]);

/// The names that an argument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Tenants,
    Keys,
    Integrations,
    Flows,
    Steps,
    Components,
    Types,
    Syncs,
    Customers,
    Variables,
    Inputs,
    Objects,
    Codes,
    Shells,
}

/// The names of values, by word.
const WORDS: [(&str, &[Names]); 19] = [
    ("TENANT", &[Names::Tenants]),
    ("FROM", &[Names::Tenants]),
    ("TO", &[Names::Tenants]),
    ("KEY", &[Names::Keys]),
    ("OLD", &[Names::Keys]),
    ("STABLE_KEY", &[Names::Keys]),
    ("INTEGRATION", &[Names::Integrations]),
    ("FLOW", &[Names::Flows]),
    ("STEP", &[Names::Steps]),
    ("COMPONENT", &[Names::Components]),
    ("SEARCH", &[Names::Components]),
    ("SYNC", &[Names::Syncs]),
    ("TENANTSYNC", &[Names::Syncs]),
    ("CUSTOMER", &[Names::Customers]),
    ("VARIABLE", &[Names::Variables]),
    ("INPUT", &[Names::Inputs]),
    ("KIND", &[Names::Objects]),
    ("CODE", &[Names::Codes]),
    ("TYPE", &[Names::Types]),
];

/// The names of values of which the words alone do not tell what they are: by option, or by command and argument.
fn of_argument(command: &str, id: &str) -> Option<&'static [Names]> {
    Some(match (command, id) {
        ("explain", "name") => &[Names::Keys, Names::Integrations, Names::Tenants, Names::Codes],
        (_, "step") => &[Names::Steps],
        (_, "variable" | "data_source") => &[Names::Variables],
        (_, "integrations") => &[Names::Integrations],
        (_, "syncs") => &[Names::Syncs],
        ("import", "tenant") => &[Names::Tenants],
        ("export", "names") => &[Names::Tenants, Names::Integrations],
        ("remove", "words") => &[Names::Tenants, Names::Customers],
        ("suspend" | "resume", "name") => &[Names::Tenants, Names::Syncs],
        ("completions", "shell") => &[Names::Shells],
        // One name is that of the integration.
        ("bind" | "switch", "tenant") => &[Names::Tenants, Names::Integrations],
        (_, "integration") => &[Names::Integrations],
        // The variable of an environment.
        (_, "token_env") => &[],
        _ => return None,
    })
}

/// Whether completions were asked for, in place of a run; they are then written.
pub(super) fn is_asked(factory: impl Fn() -> clap::Command, arguments: &[OsString]) -> Result<bool, clap::Error> {
    if std::env::var_os(VARIABLE).is_none() {
        return Ok(false);
    }
    let folder = std::env::current_dir().ok();
    let words: Vec<OsString> = words(arguments).to_vec();
    let factory = || completed(before_the_command(factory()), &words);
    CompleteEnv::with_factory(factory).shells(SHELLS).try_complete(arguments.iter().cloned(), folder.as_deref())
}

/// Writes the script that makes a shell ask for completions. `program` is what the shell runs.
pub(super) fn script(shell: &dyn EnvCompleter, program: &str) -> io::Result<Vec<u8>> {
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "stablekey", "stablekey", program, &mut script)?;
    Ok(script)
}

/// The words that are completed: those after `--`.
fn words(arguments: &[OsString]) -> &[OsString] {
    let start = arguments.iter().position(|argument| argument == "--").map_or(arguments.len(), |at| at + 1);
    arguments.get(start..).unwrap_or_default()
}

/// A hub's options may stand before the command, as a plugin of kubectl gets them.
fn before_the_command(command: clap::Command) -> clap::Command {
    let option = |name: &'static str| clap::Arg::new(name).long(name).value_name("NAME").hide(true);
    command.arg(option("namespace").short('n')).arg(option("context"))
}

/// Adds completions to every argument that takes a name.
fn completed(command: clap::Command, words: &[OsString]) -> clap::Command {
    let name = command.get_name().to_string();
    command
        .mut_args(|argument| match taken(&name, &argument) {
            Taken::Names(what, ending) => {
                let words = words.to_vec();
                let completer = move |current: &OsStr| Asked::new(&words).candidates(what, ending, current);
                argument.add(ArgValueCompleter::new(completer))
            }
            Taken::Path(hint) => argument.value_hint(hint),
            Taken::Other => argument,
        })
        .mut_subcommands(|command| completed(command, words))
}

/// What an argument takes.
#[derive(Debug)]
enum Taken {
    /// Names, and what follows a name at once.
    Names(&'static [Names], &'static str),
    Path(ValueHint),
    Other,
}

fn taken(command: &str, argument: &clap::Arg) -> Taken {
    let takes_value = argument.get_action().takes_values();
    if !takes_value || argument.get_possible_values().iter().any(|value| !value.is_hide_set()) {
        return Taken::Other;
    }
    let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    // `TENANT=PATH`: the rest is a person's.
    let (name, ending) = match value.split_once('=') {
        Some((name, _)) if !name.contains('[') => (name, "="),
        _ => (value.as_str(), ""),
    };
    if let Some(what) = of_argument(command, argument.get_id().as_str()) {
        return if what.is_empty() { Taken::Other } else { Taken::Names(what, ending) };
    }
    let mut words = name.split(|c: char| !c.is_ascii_uppercase() && c != '_').filter(|word| !word.is_empty());
    if let Some((_, what)) = words.find_map(|word| WORDS.iter().find(|(known, _)| *known == word)) {
        // `COMPONENT/TYPE` is both.
        let what = if name == "COMPONENT/TYPE" { &[Names::Types][..] } else { *what };
        return Taken::Names(what, ending);
    }
    match name {
        "DIR" | "FOLDER" | "ROOT" => Taken::Path(ValueHint::DirPath),
        "FILE" | "PATHS" | "FILES" => Taken::Path(ValueHint::AnyPath),
        _ => Taken::Other,
    }
}

/// What was typed before the word.
struct Asked<'w> {
    words: &'w [OsString],
    names: ProjectNames,
}

impl<'w> Asked<'w> {
    fn new(words: &'w [OsString]) -> Self {
        Asked { words, names: ProjectNames::read(&root(words)) }
    }

    /// The names that begin with what was typed, each once, with what they are.
    fn candidates(&self, what: &[Names], ending: &str, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(current) = current.to_str() else { return Vec::new() };
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for names in what {
            let found = self.of(*names, current).into_iter();
            for (name, about) in found.filter(|(name, _)| name.starts_with(current) && !name.starts_with('-')) {
                all.entry(name).or_insert(about);
            }
        }
        all.into_iter()
            .map(|(name, about)| {
                let about = Some(about).filter(|about| !about.is_empty()).map(|about| crate::text::line(&about).into());
                CompletionCandidate::new(format!("{name}{ending}")).help(about.map(|text: String| text.into()))
            })
            .collect()
    }

    /// Names with a short description.
    fn of(&self, what: Names, current: &str) -> Vec<(String, String)> {
        let tenant = self.tenant();
        let tenant = tenant.as_deref();
        let found = |kind| self.names.of(kind, tenant).into_iter();
        let key = |found: &FoundName| found.mention.key.clone().unwrap_or_else(|| found.mention.name.clone());
        let title = |found: &FoundName| found.mention.title.clone().unwrap_or_default();
        let parts = |kind| found(kind).flat_map(|found| found.mention.parts.iter().map(move |part| (part, found)));
        match what {
            Names::Tenants => {
                let tenants = self.names.of(Kind::Tenant, None).into_iter();
                tenants.map(|found| (found.mention.name.clone(), String::new())).collect()
            }
            Names::Keys => found(Kind::Connection).map(|found| (key(found), title(found))).collect(),
            Names::Integrations => {
                found(Kind::Integration).map(|found| (found.mention.name.clone(), title(found))).collect()
            }
            Names::Flows => self.steps().into_iter().map(|named| (named.flow, String::new())).collect(),
            Names::Steps => self.steps().into_iter().map(|named| (named.step, named.flow)).collect(),
            Names::Components => found(Kind::Component).map(|found| (key(found), String::new())).collect(),
            Names::Types => {
                let component = self.word(|word| found(Kind::Component).any(|found| key(found) == word));
                let is_of = |found: &FoundName| component.as_deref().is_none_or(|component| key(found) == component);
                let types = parts(Kind::Component).filter(|(_, found)| is_of(found));
                // An option of its own takes the type alone; with the component before it, both.
                types
                    .flat_map(|(part, found)| {
                        let whole = format!("{}/{part}", key(found));
                        let both = component.is_none() || current.contains('/');
                        [if both { whole } else { part.clone() }].map(|name| (name, String::new()))
                    })
                    .collect()
            }
            Names::Syncs => {
                let syncs = self.names.of(Kind::TenantSync, None).into_iter();
                syncs.map(|found| (found.mention.name.clone(), String::new())).collect()
            }
            Names::Customers => {
                let customers = found(Kind::CustomerCredentials);
                customers.filter_map(|found| Some((found.mention.customer.clone()?, String::new()))).collect()
            }
            Names::Variables => {
                let integration = self.integration();
                let is_of = |found: &FoundName| integration.as_ref().is_none_or(|name| found.mention.name == *name);
                parts(Kind::Integration)
                    .filter(|(_, found)| is_of(found))
                    .map(|(part, found)| (part.clone(), title(found)))
                    .collect()
            }
            Names::Inputs => {
                let typed = self.word(|word| found(Kind::Connection).any(|found| key(found) == word));
                let is_of = |found: &FoundName| typed.as_deref().is_some_and(|typed| key(found) == typed);
                parts(Kind::Connection)
                    .filter(|(_, found)| is_of(found))
                    .map(|(part, _)| (part.clone(), String::new()))
                    .collect()
            }
            Names::Objects => [Kind::Connection, Kind::Integration, Kind::Component, Kind::CustomerCredentials]
                .into_iter()
                .flat_map(|kind| found(kind).map(move |found| (kind, found)))
                .map(|(kind, found)| (format!("{kind}/{}", found.mention.name), title(found)))
                .collect(),
            Names::Shells => SHELLS.names().map(|name| (name.to_string(), String::new())).collect(),
            Names::Codes => {
                Code::ALL.iter().map(|code| (code.as_str().to_string(), code.title().to_string())).collect()
            }
        }
    }

    /// The tenant that was typed.
    fn tenant(&self) -> Option<String> {
        let tenants = self.names.of(Kind::Tenant, None);
        self.word(|word| tenants.iter().any(|found| found.mention.name == word))
    }

    /// The integration that was typed.
    fn integration(&self) -> Option<String> {
        let integrations = self.names.of(Kind::Integration, None);
        self.word(|word| integrations.iter().any(|found| found.mention.name == word))
    }

    fn steps(&self) -> Vec<crate::platform::definition::NamedStep> {
        let tenant = self.tenant();
        self.integration().map(|name| self.names.steps(&name, tenant.as_deref())).unwrap_or_default()
    }

    /// The first complete word that is one of these names; the last word is the one to complete.
    fn word(&self, is_one: impl Fn(&str) -> bool) -> Option<String> {
        let typed = self.words.split_last().map(|(_, before)| before).unwrap_or_default();
        let values = typed.iter().skip(2).filter_map(|word| word.to_str());
        let values =
            values.map(|word| word.split_once('=').filter(|_| word.starts_with("--")).map_or(word, |(_, v)| v));
        values.into_iter().find(|word| is_one(word)).map(str::to_string)
    }
}

/// The root that was typed: `-C DIR`, or the first word after the command that is a folder; else the current folder.
fn root(words: &[OsString]) -> PathBuf {
    let typed: Vec<&str> = words.iter().skip(1).filter_map(|word| word.to_str()).collect();
    for (at, word) in typed.iter().enumerate() {
        let value = match *word {
            "-C" | "--root" => typed.get(at + 1).copied(),
            word => word.strip_prefix("--root=").or_else(|| word.strip_prefix("-C")),
        };
        if let Some(folder) = value.filter(|folder| !folder.is_empty()) {
            return home(folder);
        }
    }
    const WITH_ROOT: [&str; 4] = ["plan", "apply", "status", "validate"];
    let takes_root = typed.first().is_some_and(|command| WITH_ROOT.contains(command));
    let is_value = |at: usize| typed.get(at - 1).is_some_and(|before| before.starts_with('-') && !before.contains('='));
    let words = typed.iter().enumerate().skip(1).filter(|(at, word)| !word.starts_with('-') && !is_value(*at));
    let folder = words.map(|(_, word)| home(word)).find(|path| takes_root && path.is_dir());
    folder.unwrap_or_else(|| PathBuf::from("."))
}

/// A shell hands `~/folder` on as it was typed.
fn home(folder: &str) -> PathBuf {
    let below = folder.strip_prefix("~/").and_then(|rest| Some(Path::new(&std::env::var_os("HOME")?).join(rest)));
    below.unwrap_or_else(|| PathBuf::from(folder))
}

/// Completions of a plugin of kubectl: an executable `kubectl_complete-stablekey` prints a candidate a line, with a tab
/// before its description, and at last a number that says what else kubectl may offer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kubectl;

impl EnvCompleter for Kubectl {
    fn name(&self) -> &'static str {
        "kubectl"
    }

    fn is(&self, name: &str) -> bool {
        name == "kubectl"
    }

    fn write_registration(&self, var: &str, _: &str, _: &str, completer: &str, buf: &mut dyn Write) -> io::Result<()> {
        writeln!(buf, "#!/bin/sh\n{var}=kubectl exec {} -- stablekey \"$@\"", crate::render::quoted(completer))
    }

    fn write_complete(
        &self,
        cmd: &mut clap::Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        /// What kubectl knows as "offer no files".
        const NO_FILES: &str = ":4";
        let last = args.len().saturating_sub(1);
        for candidate in clap_complete::engine::complete(cmd, args, last, current_dir)? {
            write!(buf, "{}", candidate.get_value().to_string_lossy())?;
            if let Some(help) = candidate.get_help().map(ToString::to_string) {
                write!(buf, "\t{}", help.lines().next().unwrap_or_default())?;
            }
            writeln!(buf)?;
        }
        writeln!(buf, "{NO_FILES}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use stablekey_testing::cli::repository;

    fn completions(line: &[&str]) -> Vec<String> {
        let root = repository("examples/us-eu");
        let mut words: Vec<OsString> = ["stablekey"].iter().chain(line).map(OsString::from).collect();
        words.splice(2..2, ["-C".into(), root.into_os_string()]);
        let last = words.len() - 1;
        let mut command = completed(before_the_command(super::super::Arguments::command()), &words);
        let found = clap_complete::engine::complete(&mut command, words, last, None).unwrap();
        let names = found.iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with('-')).collect()
    }

    #[test]
    fn names_come_from_the_project_at_hand() {
        assert_eq!(completions(&["status", "--tenant", ""]), ["dev", "eu-prod", "us-prod"]);
        assert_eq!(completions(&["status", "--tenant", "e"]), ["eu-prod"]);
        assert_eq!(completions(&["status", "--tenant=e"]).len(), 0);
        assert!(completions(&["explain", "slack"]).contains(&"slack-bot".to_string()));
        assert!(completions(&["explain", "SK010"]).contains(&"SK0101".to_string()));
        assert!(completions(&["explain", "us-prod", "lead"]).contains(&"lead-router".to_string()));
        assert!(completions(&["adopt", "us-prod", "Conn"]).contains(&"Connection/slack-bot".to_string()));
        assert!(!completions(&["status", "--sync", ""]).is_empty());
        let steps = completions(&["explain", "us-prod", "lead-router", "--step", ""]);
        assert!(!steps.is_empty());
    }

    #[test]
    fn the_root_is_found_in_what_was_typed() {
        let root = |line: &[&str]| root(&line.iter().map(OsString::from).collect::<Vec<_>>());
        for line in [
            &["stablekey", "plan", "-C", "/tmp", ""][..],
            &["stablekey", "plan", "-C/tmp", ""],
            &["stablekey", "plan", "--root=/tmp", ""],
            &["stablekey", "plan", "--tenant", "us", "/tmp", "--sync", ""],
        ] {
            assert_eq!(root(line), Path::new("/tmp"), "{line:?}");
        }
        assert_eq!(root(&["stablekey", "plan", "--tenant", "/tmp", ""]), Path::new("."));
        assert_eq!(root(&["stablekey", "explain", "/tmp", ""]), Path::new("."));
    }

    /// Every argument whose value is a name is completed.
    #[test]
    fn arguments_that_take_names_are_completed() {
        fn look(command: &clap::Command, found: &mut Vec<String>) {
            for argument in command.get_arguments() {
                if let Taken::Names(what, ending) = taken(command.get_name(), argument) {
                    found.push(format!("{} {}: {what:?}{ending}", command.get_name(), argument.get_id()));
                }
            }
            command.get_subcommands().for_each(|command| look(command, found));
        }
        let mut found = Vec::new();
        look(&super::super::Arguments::command(), &mut found);
        for wanted in [
            "plan tenants: [Tenants]",
            "plan integrations: [Integrations]",
            "plan syncs: [Syncs]",
            "plan sources: [Tenants]=",
            "plan resend: [Keys]",
            "explain integration: [Integrations]",
            "explain flow: [Flows]",
            "explain step: [Steps]",
            "adopt tenant: [Tenants]",
            "doctor measure: [Types]",
            "approve sync: [Syncs]",
            "set key: [Keys]",
            "set tenant: [Tenants]",
            "bind integration: [Integrations]",
            "switch tenant: [Tenants, Integrations]",
            "bind step: [Steps]",
            "bind to: [Keys]",
            "switch variable: [Variables]",
            "switch from: [Keys]",
            "suspend name: [Tenants, Syncs]",
            "export names: [Tenants, Integrations]",
            "remove words: [Tenants, Customers]",
            "override integration: [Integrations]",
            "completions shell: [Shells]",
        ] {
            assert!(found.iter().any(|line| line == wanted), "{wanted}\n{}", found.join("\n"));
        }
    }
}
