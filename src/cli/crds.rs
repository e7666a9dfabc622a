//! `stablekey crds`.

use super::CommandFailure;
use super::output::Output;
use crate::api::{Kind, crd_yaml};
use crate::render;
use crate::tenant::directory::disk;
use crate::tenant::directory::disk::RealDisk;
use clap::Args;
use std::path::PathBuf;

/// Write the CustomResourceDefinitions
///
/// Without a folder, all are written to standard output, ready for `kubectl apply -f -`.
///
/// Examples:
///   stablekey crds | kubectl apply --server-side -f -
///   stablekey crds --dir crds
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Crds {
    /// Write one file per kind into this folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Write the reference of all fields, as Markdown, instead
    #[arg(long, conflicts_with = "dir")]
    reference: bool,
    /// Write the explanation of all checks, as Markdown, instead
    #[arg(long, conflicts_with_all = ["dir", "reference"])]
    checks: bool,
}

impl Crds {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        if self.reference {
            output.result(&render::reference())?;
            return Ok(0);
        }
        if self.checks {
            output.result(&render::checks())?;
            return Ok(0);
        }
        let mut all = String::new();
        for kind in Kind::ALL {
            let yaml = crd_yaml(kind).map_err(|error| {
                CommandFailure::new(
                    format!("the definition of {kind} cannot be written: {error}"),
                    "internal error: report it",
                )
            })?;
            match &self.dir {
                None => all.push_str(&format!("---\n{yaml}")),
                Some(folder) => {
                    let path = folder.join(format!("{}.yaml", kind.plural()));
                    disk::write_named(&RealDisk, &path, yaml.as_bytes())
                        .map_err(|error| CommandFailure::writing(&path, &error))?;
                }
            }
        }
        output.result(&all)?;
        Ok(0)
    }
}
