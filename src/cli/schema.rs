//! `stablekey schema`.

use super::CommandFailure;
use super::options::with_tenants;
use super::output::Output;
use crate::api::Kind;
use crate::manifest::{editor, is_json_schema, json_schema};
use crate::project::{Project, ProjectArgs, open};
use crate::tenant::directory::disk::{self, RealDisk};
use clap::Args;
use std::path::{Path, PathBuf};

/// The maximum size of a file that is replaced or completed, in bytes.
const MOST: u64 = 8_000_000;

/// Write the JSON Schema of all kinds, for editors
///
/// Editors with the YAML language server then check manifests while you type, complete fields and values, and show what
/// they mean. One schema serves all kinds: it reports nothing about other YAML.
///
/// With --vscode, it writes .vscode/stablekey.schema.json and, in .vscode/settings.json, the setting yaml.schemas for the
/// folders of the tenants and the files of Tenants and TenantSyncs. What is in the settings stays.
///
/// Examples:
///   stablekey schema --vscode -C examples/us-eu
///   stablekey schema --out stablekey.schema.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Schema {
    /// Write to this file instead of standard output (-). Only a schema that stablekey wrote is replaced
    #[arg(long, value_name = "FILE", conflicts_with = "vscode")]
    out: Option<PathBuf>,
    /// Write the schema and the editor's settings into .vscode, for all tenants of the project
    #[arg(long)]
    vscode: bool,
    /// The folder with the tenants
    #[arg(long, short = 'C', value_name = "DIR", default_value = ".")]
    root: PathBuf,
}

impl Schema {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let schema = json_schema().map_err(|error| {
            CommandFailure::new(format!("the schema has no JSON form: {error}"), "internal error: report it")
        })?;
        if self.vscode {
            let project = with_tenants(open(
                &ProjectArgs { root: self.root.clone(), ..ProjectArgs::default() },
                &mut std::io::empty(),
            ))?;
            let globs = globs(&project);
            let below = |file: &str| match self.root.as_os_str() == "." {
                true => PathBuf::from(file),
                false => self.root.join(file),
            };
            let (schema_file, settings_file) = (below(editor::SCHEMA), below(editor::SETTINGS));
            // Both are looked at before one is written.
            may_be_replaced(&schema_file)?;
            let settings = completed_settings(&settings_file, &globs)?;
            write(&schema_file, &schema)?;
            if let Some(settings) = settings {
                write(&settings_file, &settings)?;
            }
            output.result(&format!(
                "Wrote {}; {} applies it to {}",
                schema_file.display(),
                settings_file.display(),
                globs.join(", ")
            ))?;
            return Ok(0);
        }
        match self.out.filter(|file| file.as_os_str() != "-") {
            None => output.result(&schema)?,
            Some(file) => {
                may_be_replaced(&file)?;
                write(&file, &schema)?;
            }
        }
        Ok(0)
    }
}

/// The globs of a project's manifests: the folders of its tenants, and the files of Tenants and TenantSyncs.
fn globs(project: &Project) -> Vec<String> {
    let below = |path: &str| {
        let path = Path::new(path);
        path.strip_prefix(&project.root).unwrap_or(path).display().to_string()
    };
    let folders = project.tenants.values().flat_map(|tenant| tenant.spec.folders());
    let structure = project.origins.iter().filter(|(id, _)| matches!(id.kind, Kind::Tenant | Kind::TenantSync));
    let files = structure.map(|(_, origin)| below(&origin.file.path));
    let (folders, files): (Vec<String>, Vec<String>) = (folders.collect(), files.collect());
    editor::globs(folders.iter().map(String::as_str), files.iter().map(String::as_str))
}

/// The settings to write; `None` if they are complete.
fn completed_settings(file: &Path, globs: &[String]) -> Result<Option<String>, CommandFailure> {
    let there = text(file)?;
    match editor::with_schema(there.as_deref(), editor::SCHEMA, globs) {
        Ok(settings) => Ok(Some(settings).filter(|settings| Some(settings) != there.as_ref())),
        Err(error) => {
            let help = format!("nothing was written. Add these lines to it:\n{}", editor::lines(editor::SCHEMA, globs));
            Err(CommandFailure::new(format!("{} cannot be completed: {error}", file.display()), help))
        }
    }
}

/// Fails if a file is there that stablekey did not write.
fn may_be_replaced(file: &Path) -> Result<(), CommandFailure> {
    match text(file)? {
        Some(text) if !is_json_schema(&text) => {
            let message = format!("{} is no schema that stablekey wrote: it stays as it is", file.display());
            Err(CommandFailure::new(message, "give another name, or move the file away"))
        }
        _ => Ok(()),
    }
}

fn text(file: &Path) -> Result<Option<String>, CommandFailure> {
    if std::fs::symlink_metadata(file).is_ok_and(|found| !found.is_file()) {
        let message = format!("{} is no regular file: nothing was written", file.display());
        return Err(CommandFailure::new(message, "give another name"));
    }
    let bytes = disk::read(file, MOST).map_err(|error| CommandFailure::reading(file, &error))?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| {
        CommandFailure::new(format!("{} is no UTF-8", file.display()), "give another name, or move the file away")
    })
}

fn write(file: &Path, text: &str) -> Result<(), CommandFailure> {
    disk::write_named(&RealDisk, file, text.as_bytes()).map_err(|error| CommandFailure::writing(file, &error))
}
