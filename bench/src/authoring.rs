//! Edits of one connection in a project of 10,000 documents, beside `plan` of the same; completion of its keys.

use crate::files::STABLEKEY;
use crate::report::{Figure, Machine, time};
use crate::{Outcome, generate, measure};
use stablekey::api::*;
use stablekey::manifest::to_yaml;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Number of documents of the project.
pub const DOCUMENTS: usize = 10_000;
const OF_PLAN: f64 = 1.3;
const OF_COMPLETION: Duration = Duration::from_millis(100);
const ROUNDS: usize = 9;

const TENANT: &str = "\
apiVersion: stablekey.dev/v1alpha1
kind: Tenant
metadata: {name: us-prod}
spec:
  location: {directory: {path: us-prod}}
";

/// Runs all measurements of the group.
pub fn figures(_: &mut Machine) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for (what, is_one) in [("in a file each", false), ("in one file", true)] {
        let folder = tempfile::tempdir()?;
        write(folder.path(), is_one)?;
        let (plan, edit, complete) = measured(folder.path())?;
        let ratio = edit.as_secs_f64() / plan.as_secs_f64();
        let name = format!("set of one connection of {DOCUMENTS} documents {what}");
        figures.push(Figure::beside(name, time(edit), format!("plan {}", time(plan)), ratio, OF_PLAN));
        figures.push(Figure::of_time(format!("completion of their keys, {what}"), complete, OF_COMPLETION));
    }
    Ok(figures)
}

/// Writes the project.
pub fn write(root: &Path, is_one: bool) -> Outcome<()> {
    std::fs::write(root.join("tenants.yaml"), TENANT)?;
    let folder = root.join("us-prod");
    std::fs::create_dir(&folder)?;
    if is_one {
        std::fs::write(folder.join("all.yaml"), generate::yaml(DOCUMENTS)?)?;
        return Ok(());
    }
    for resource in generate::resources(DOCUMENTS) {
        let of_kind = folder.join(resource.kind().plural());
        std::fs::create_dir_all(&of_kind)?;
        std::fs::write(of_kind.join(format!("{}.yaml", resource.metadata().name)), to_yaml(&resource)?)?;
    }
    Ok(())
}

/// The medians of plan, of an edit with the plan before and after it, and of a completion.
fn measured(root: &Path) -> Outcome<(Duration, Duration, Duration)> {
    let resources = generate::resources(DOCUMENTS);
    let mut connections = resources.iter().filter_map(|resource| match resource {
        Resource::Connection(connection) => Some(&connection.spec.stable_key),
        _ => None,
    });
    let key = connections.nth(1_000).ok_or("no connection was generated")?;
    let command = |arguments: &[&str]| {
        let mut command = Command::new(STABLEKEY);
        command.args(arguments).current_dir(root).env("GIT_CEILING_DIRECTORIES", root);
        command
    };
    let plan = || command(&["plan"]);
    let edit = || command(&["set", key, "scopes=api web", "--dry-run"]);
    let complete = || {
        let mut command = command(&["--", "stablekey", "set", &key[..4]]);
        command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2").env("_CLAP_COMPLETE_COMP_TYPE", "9");
        command.env("_CLAP_COMPLETE_SPACE", "false").env("_CLAP_IFS", "\n");
        command
    };
    let exit = plan().output()?.status.code().ok_or("plan was ended")?;
    let mut samples = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        samples[0].push(measure::run(&mut plan(), exit)?);
        samples[1].push(measure::run(&mut edit(), 0)?);
        samples[2].push(measure::run(&mut complete(), 0)?);
    }
    let [plan, edit, complete] = samples.map(measure::median);
    Ok((plan, edit, complete))
}
