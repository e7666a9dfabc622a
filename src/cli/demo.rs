//! `stablekey demo`.

use super::CommandFailure;
use super::output::Output;
use crate::render::Invocation;
use crate::tenant::directory::disk::{self, RealDisk};
use crate::text::count;
use clap::{Args, ValueEnum};
use include_dir::{Dir, include_dir};
use std::path::{Path, PathBuf};

/// Write an example project to try Stablekey on: no account, no cluster
///
/// Examples:
///   stablekey demo
///   stablekey demo ~/tryout --example first
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Demo {
    /// The folder to write: a new one, or an empty one
    #[arg(value_name = "DIR", default_value = "stablekey-demo")]
    folder: PathBuf,
    /// The example: us-eu (three tenants and their syncs), first (two small files) or dev-prod (a source in Git)
    #[arg(long, value_name = "NAME", default_value = "us-eu", hide_possible_values = true)]
    example: Example,
}

/// An example project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Example {
    UsEu,
    First,
    DevProd,
}

static US_EU: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/examples/us-eu");
static FIRST: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/examples/first");
static DEV_PROD: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/examples/dev-prod");

impl Example {
    fn files(self) -> &'static Dir<'static> {
        match self {
            Example::UsEu => &US_EU,
            Example::First => &FIRST,
            Example::DevProd => &DEV_PROD,
        }
    }
}

impl Demo {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let folder = &self.folder;
        let is_new = is_free(folder)?;
        let mut files = Vec::new();
        collect(self.example.files(), &mut files);
        let mut written: Vec<PathBuf> = Vec::new();
        for (path, bytes) in &files {
            let path = folder.join(path);
            if let Err(error) = disk::write_atomically(&RealDisk, &path, bytes) {
                give_up(folder, is_new, &written);
                let failure = CommandFailure::writing(&path, &error);
                return Err(CommandFailure { message: format!("{}; nothing was kept", failure.message), ..failure });
            }
            written.push(path);
        }
        let next = Invocation { root: Some(folder.display().to_string()), ..Invocation::default() };
        output.result(&format!(
            "{} in {}.\nNext: {}",
            count(files.len(), "file", "files"),
            crate::text::line(&folder.display().to_string()),
            next.plan()
        ))?;
        Ok(0)
    }
}

/// Fails if a folder cannot be filled; returns whether it is new.
fn is_free(folder: &Path) -> Result<bool, CommandFailure> {
    let Ok(metadata) = folder.symlink_metadata() else { return Ok(true) };
    let help = "name a folder that is not there yet: stablekey demo FOLDER";
    if !metadata.is_dir() {
        return Err(CommandFailure::new(format!("{} is no folder", folder.display()), help));
    }
    let mut entries = std::fs::read_dir(folder).map_err(|error| CommandFailure::reading(folder, &error))?;
    match entries.next() {
        None => Ok(false),
        Some(_) => Err(CommandFailure::new(format!("{} is not empty: nothing was written", folder.display()), help)),
    }
}

/// The files of an embedded folder, each with its path below it.
fn collect(folder: &'static Dir<'static>, files: &mut Vec<(&'static Path, &'static [u8])>) {
    files.extend(folder.files().map(|file| (file.path(), file.contents())));
    folder.dirs().for_each(|folder| collect(folder, files));
}

/// Removes what was written. What cannot be removed is a part of an example, and nothing else.
fn give_up(folder: &Path, is_new: bool, written: &[PathBuf]) {
    for path in written {
        let _ = std::fs::remove_file(path);
    }
    if is_new {
        let _ = std::fs::remove_dir_all(folder);
    }
}
