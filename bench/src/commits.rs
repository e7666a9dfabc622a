//! What a change of the files does, from one commit to another, in a project of 10,000 documents, beside `validate` of
//! the same files.

use crate::authoring::{self, DOCUMENTS};
use crate::files::STABLEKEY;
use crate::report::{Figure, Machine, time};
use crate::{Outcome, generate, measure};
use stablekey::api::{Input, Resource};
use stablekey::manifest::to_yaml;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const OF_VALIDATE: f64 = 2.0;
/// How much longer it may take than reading the project.
const MORE: Duration = Duration::from_millis(100);
const ROUNDS: usize = 9;

/// Runs all measurements of the group.
pub fn figures(_: &mut Machine) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for (what, is_one) in [("in a file each", false), ("in one file", true)] {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        authoring::write(root, is_one)?;
        git(root, &["init", "--quiet", "--initial-branch=main"])?;
        commit(root)?;
        git(root, &["checkout", "--quiet", "-b", "change"])?;
        change(root, is_one)?;
        commit(root)?;
        let [validate, plan] = measured(root)?;
        let name = format!("plan --from main --to HEAD, one of {DOCUMENTS} documents {what} changed");
        let ratio = plan.as_secs_f64() / validate.as_secs_f64();
        figures.push(Figure::beside(name, time(plan), format!("validate {}", time(validate)), ratio, OF_VALIDATE));
        let more = plan.saturating_sub(validate);
        figures.push(Figure::of_time(format!("the same, more than validate, {what}"), more, MORE));
    }
    Ok(figures)
}

/// Runs a command of Git that reads no configuration of this machine.
fn git(root: &Path, arguments: &[&str]) -> Outcome<()> {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ann", "-c", "user.email=ann@acme.example", "-c", "gc.auto=0"]).args(arguments);
    command.current_dir(root).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("git {arguments:?}: {error}").into()) }
}

/// Commits all files, packed as a clone has them.
fn commit(root: &Path) -> Outcome<()> {
    git(root, &["add", "--all"])?;
    git(root, &["commit", "--quiet", "--message", "Change"])?;
    git(root, &["repack", "--quiet", "-a", "-d"])
}

/// Gives one connection another input.
fn change(root: &Path, is_one: bool) -> Outcome<()> {
    let mut resources = generate::resources(DOCUMENTS);
    let mut connections = resources.iter_mut().filter_map(|resource| match resource {
        Resource::Connection(connection) => Some(connection),
        _ => None,
    });
    let connection = connections.nth(1_000).ok_or("no connection was generated")?;
    Arc::make_mut(connection).spec.inputs.insert("stamp".into(), Input::value("changed"));
    let changed = Resource::Connection(connection.clone());
    let folder = root.join("us-prod");
    let (path, text): (PathBuf, String) = if is_one {
        (folder.join("all.yaml"), generate::file_of(&resources)?)
    } else {
        (folder.join(format!("connections/{}.yaml", changed.metadata().name)), to_yaml(&changed)?)
    };
    Ok(std::fs::write(path, text)?)
}

/// The medians of `validate` and of `plan`.
fn measured(root: &Path) -> Outcome<[Duration; 2]> {
    let command = |arguments: &[&str]| {
        let mut command = Command::new(STABLEKEY);
        command.args(arguments).current_dir(root).env("GIT_CEILING_DIRECTORIES", root);
        command
    };
    let validate = || command(&["validate"]);
    let plan = || command(&["plan", "--from", "main", "--to", "HEAD"]);
    let exit = plan().output()?.status.code().ok_or("plan was ended")?;
    let mut samples = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        samples[0].push(measure::run(&mut validate(), 0)?);
        samples[1].push(measure::run(&mut plan(), exit)?);
    }
    Ok(samples.map(measure::median))
}
