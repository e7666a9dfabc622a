//! An apply over folders: many updates in one file, many new files beside Git's own checkout of them, and the memory of
//! a large plan in its two forms.

use crate::files::STABLEKEY;
use crate::report::{Figure, Machine, bytes, time};
use crate::{Outcome, generate, measure};
use stablekey::api::*;
use stablekey::manifest::to_yaml;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const UPDATES: usize = 1_000;
const OF_UPDATES: Duration = Duration::from_secs(2);
/// The limit for ten times as many objects, as a multiple of the time.
const LINEAR: f64 = 12.0;
const NEW: usize = 11_000;
const OF_CHECKOUT: f64 = 3.0;
const ROUNDS: usize = 3;
const PLANNED: usize = 20_000;
const OF_TEXT: f64 = 1.5;

/// A tenant whose objects may all change without approval.
const TENANT: &str = "\
apiVersion: stablekey.dev/v1alpha1
kind: Tenant
metadata: {name: prod}
spec:
  location: {directory: {path: prod}}
  source: {path: declared}
  policy: {approval: {percent: 100, from: 1000000}}
";

/// Runs all measurements of the group.
pub fn figures(machine: &mut Machine) -> Outcome<Vec<Figure>> {
    let mut figures = updates()?;
    machine.peer("git", measure::first_line("git", &["--version"]));
    figures.push(creates()?);
    figures.push(memory()?);
    Ok(figures)
}

/// A root with one tenant, its source and its folder.
struct Root {
    folder: tempfile::TempDir,
}

impl Root {
    fn new() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("tenants.yaml"), TENANT)?;
        for path in ["prod", "declared", "state"] {
            std::fs::create_dir_all(folder.path().join(path))?;
        }
        Ok(Root { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(STABLEKEY);
        command.args(arguments).current_dir(self.path());
        command.env("XDG_STATE_HOME", self.path().join("state")).env("GIT_CEILING_DIRECTORIES", self.path());
        command
    }

    fn apply(&self) -> Outcome<Duration> {
        measure::run(&mut self.command(&["apply", "--yes"]), 0)
    }

    fn declare(&self, text: &str) -> Outcome<()> {
        Ok(std::fs::write(self.path().join("declared/all.yaml"), text)?)
    }
}

fn documents(resources: Vec<Resource>) -> Outcome<String> {
    let mut text = String::new();
    for resource in resources {
        write!(text, "---\n{}", to_yaml(&resource)?)?;
    }
    Ok(text)
}

fn updates() -> Outcome<Vec<Figure>> {
    let of = |count: usize| -> Outcome<Duration> {
        let text = documents(generate::connections(count, false))?;
        let root = Root::new()?;
        root.declare(&text)?;
        std::fs::write(root.path().join("prod/all.yaml"), &text)?;
        root.apply()?;
        root.declare(&text.replace("title: ", "title: New "))?;
        let took = root.apply()?;
        let there = std::fs::read_to_string(root.path().join("prod/all.yaml"))?;
        if there.matches("title: New ").count() != count {
            return Err("the updates are not there".into());
        }
        Ok(took)
    };
    let (few, many) = (of(UPDATES)?, of(10 * UPDATES)?);
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    Ok(vec![
        Figure::of_time("apply 1,000 updates in one file", few, OF_UPDATES),
        Figure::beside("ten times as many", time(many), format!("1,000 {}", time(few)), ratio, LINEAR),
    ])
}

fn creates() -> Outcome<Figure> {
    let text = documents(generate::resources(NEW))?;
    // Nothing is removed in between: a file system that has just lost many files is slow to create new ones.
    let roots = (0..ROUNDS).map(|_| Root::new()).collect::<Outcome<Vec<Root>>>()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for root in &roots {
        root.declare(&text)?;
        ours.push(root.apply()?);
        theirs.push(checkout(root.path())?);
    }
    let (ours, theirs) = (measure::median(ours), measure::median(theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    let what = "apply of 11,000 new objects in a folder";
    Ok(Figure::beside(what, time(ours), format!("git checkout {}", time(theirs)), ratio, OF_CHECKOUT))
}

/// Returns how long Git takes to write the same files.
fn checkout(root: &Path) -> Outcome<Duration> {
    let git = |folder: &str, arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0"]);
        command.args(arguments).current_dir(root.join(folder));
        command
    };
    for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "--message", "all"]] {
        measure::run(&mut git("prod", arguments), 0)?;
    }
    measure::run(&mut git("", &["clone", "--quiet", "--no-checkout", "prod", "clone"]), 0)?;
    measure::run(&mut git("clone", &["checkout", "--quiet", "HEAD", "--", "."]), 0)
}

fn memory() -> Outcome<Figure> {
    let root = Root::new()?;
    root.declare(&documents(generate::connections(PLANNED, false))?)?;
    let path = root.path().display().to_string();
    let of = |more: &[&str]| measure::memory_of(&root.command(&[&["plan", &path], more].concat()), 2);
    let (json, text) = (of(&["-o", "json"])?, of(&[])?);
    let ratio = json as f64 / text as f64;
    let what = "memory of plan -o json of 20,000 creates";
    Ok(Figure::beside(what, bytes(json), format!("as text {}", bytes(text)), ratio, OF_TEXT))
}
