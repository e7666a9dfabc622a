//! `stablekey validate`.

use super::options::FormatOption;
use super::output::{Format, Output};
use super::{Failure, planning};
use crate::engine::code::Severity;
use crate::engine::plan::Scope;
use crate::render;
use crate::tenant::project::{Given, open};
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Check files: shapes, bounds, references
///
/// Reads files and folders (`-` is standard input), says everything that is wrong at once, with file,
/// line and what to do, and checks every reference. Files in which no Tenant stands are taken as one
/// tenant. Exit codes: 0 all is well, 1 something is wrong, 3 a binding is missing.
#[derive(Debug, Args)]
pub struct Validate {
    /// Files and folders; `-` is standard input
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    format: FormatOption,
}

impl Validate {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, Failure> {
        let root = match self.paths.as_slice() {
            [one] if one.is_dir() => one.clone(),
            _ => PathBuf::from("."),
        };
        let given = Given { root, paths: self.paths, sources: BTreeMap::new() };
        let project = open(&given, &mut std::io::stdin().lock());
        let planned = planning::make(&project, &Scope::default())?;
        let mut findings = planned.plan.findings;
        match self.format.output {
            Format::Text => {
                output.problems(&project.problems);
                // What is wrong in files was said above, with its line.
                findings.retain(|f| !f.code.is_of_reading());
                let objects = project.objects();
                output.result(&render::findings::text(&findings, project.problems.len(), objects, project.other_kinds, output.style()))?;
            }
            Format::Json => output.result(&render::findings::json(&findings, project.problems.len()))?,
            Format::Markdown => output.result(&render::findings::markdown(&findings))?,
        }
        let severity = |s: Severity| findings.iter().any(|f| f.severity == s);
        Ok(match () {
            () if severity(Severity::Error) || !project.problems.is_empty() => 1,
            () if severity(Severity::Unreached) => 3,
            () => 0,
        })
    }
}
