//! The command over files, beside kubeconform and kubectl in the same run.

use crate::report::{Figure, Machine, time};
use crate::{Outcome, generate, measure, peers};
use stablekey::api::{Kind, crd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The program that `make bench` built just before.
pub const STABLEKEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/stablekey");
const KUBECONFORM: &str = "github.com/yannh/kubeconform/cmd/kubeconform";
const DOCUMENTS: usize = 10_000;
const OF_KUBECONFORM: f64 = 0.5;
const OF_KUBECTL: f64 = 0.25;
const START: Duration = Duration::from_millis(10);

/// Runs all measurements of the group.
pub fn figures(machine: &mut Machine) -> Outcome<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let large = write(folder.path(), "large.yaml", &generate::yaml(DOCUMENTS)?)?;
    let small = write(folder.path(), "small.yaml", &generate::one_document()?)?;
    let mut figures = validate(machine, folder.path(), &large)?;
    figures.extend(start(machine, &small)?);
    Ok(figures)
}

fn write(folder: &Path, name: &str, text: &str) -> Outcome<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

fn validate(machine: &mut Machine, folder: &Path, file: &Path) -> Outcome<Vec<Figure>> {
    let megabytes = std::fs::metadata(file)?.len() as f64 / 1e6;
    let what = format!("validate 10,000 documents in one file of {megabytes:.1} MB");
    let mut ours = Command::new(STABLEKEY);
    ours.arg("validate").arg(file);
    let Some(binary) = peers::build(KUBECONFORM)? else {
        machine.left_out("validate beside kubeconform: go is not here to build it");
        return Ok(Vec::new());
    };
    machine.peer("kubeconform", measure::first_line(&binary, &["-v"]));
    let mut theirs = Command::new(&binary);
    theirs.arg("-schema-location").arg(schemas(folder)?.join("{{.ResourceKind}}.json")).arg(file);
    let times = measure::side_by_side(7, &mut [ours, theirs])?;
    Ok(vec![beside(what, "kubeconform", &times, OF_KUBECONFORM)])
}

fn start(machine: &mut Machine, small: &Path) -> Outcome<Vec<Figure>> {
    let mut version = Command::new(STABLEKEY);
    version.arg("--version");
    let mut validate = Command::new(STABLEKEY);
    validate.arg("validate").arg(small);
    let mut commands = vec![version, validate];
    match peers::kubectl() {
        Some(binary) => {
            let version = measure::first_line(&binary, &["version", "--client"]);
            machine.peer("kubectl", version.map(|line| line.replace("Client Version: ", "")));
            let mut kubectl = Command::new(binary);
            kubectl.args(["version", "--client"]);
            commands.push(kubectl);
        }
        None => machine.left_out("start beside kubectl: go is not here to build it"),
    }
    let times = measure::side_by_side(21, &mut commands)?;
    let mut figures = Vec::new();
    for (what, ours) in ["stablekey --version", "validate one small file (a connection)"].into_iter().zip(&times) {
        figures.push(Figure::of_time(what, *ours, START));
        if let Some(theirs) = times.get(2) {
            figures.push(beside(what.into(), "kubectl version --client", &[*ours, *theirs], OF_KUBECTL));
        }
    }
    Ok(figures)
}

fn beside(what: String, peer: &str, times: &[Duration], bar: f64) -> Figure {
    let [ours, theirs] = times else { return Figure::beside(what, String::new(), String::new(), f64::NAN, bar) };
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    Figure::beside(what, time(*ours), format!("{peer} {}", time(*theirs)), ratio, bar)
}

/// Writes the schemas of the custom resources for kubeconform: one file per kind, no network.
fn schemas(folder: &Path) -> Outcome<PathBuf> {
    let schemas = folder.join("schemas");
    std::fs::create_dir_all(&schemas)?;
    for kind in Kind::ALL {
        let version = crd(kind).spec.versions.into_iter().next();
        let schema = version.and_then(|v| v.schema?.open_api_v3_schema).ok_or("a kind without a schema")?;
        let name = format!("{}.json", kind.as_str().to_lowercase());
        std::fs::write(schemas.join(name), serde_json::to_string(&schema)?)?;
    }
    Ok(schemas)
}
