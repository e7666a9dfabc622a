//! `stablekey validate`.

use super::options::{FormatOption, with_tenants};
use super::output::{Output, OutputFormat};
use super::{CommandFailure, planning};
use crate::engine::model::code::Severity;
use crate::engine::model::plan::Scope;
use crate::project::planned;
use crate::project::{ProjectArgs, UNNAMED, open};
use crate::render::{self, Findings, JsonLayout};
use clap::Args;
use std::path::PathBuf;

/// Check files: shapes, bounds, references
///
/// Reads files and folders (`-` is standard input), reports all problems at once, with file, line and what to do, and
/// checks every reference. A single folder is a root, with a Tenant somewhere below it; files without a Tenant, named
/// one by one, are read as one tenant. Exit codes: 0 valid, 1 a problem, 3 a binding is missing.
///
/// Examples:
///   stablekey validate examples/us-eu
///   stablekey validate us-prod/connections/*.yaml
///   helm template chart | stablekey validate -
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Validate {
    /// Files and folders; `-` is standard input; by default the current folder
    paths: Vec<PathBuf>,
    /// The folder with the tenants, in place of files
    #[arg(long, short = 'C', value_name = "DIR", default_value = ".", conflicts_with = "paths")]
    root: PathBuf,
    #[command(flatten)]
    format: FormatOption,
}

impl Validate {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let root = match self.paths.as_slice() {
            [] => Some(self.root),
            [one] if one.is_dir() => Some(one.clone()),
            _ => None,
        };
        let project = match root {
            Some(root) => with_tenants(open(&ProjectArgs { root, ..ProjectArgs::default() }, &mut std::io::empty()))?,
            None => {
                let given = ProjectArgs { root: PathBuf::from("."), paths: self.paths, ..ProjectArgs::default() };
                let from_pipe = given.paths.iter().any(|path| path.as_os_str() == "-");
                let project = open(&given, &mut std::io::stdin().lock());
                let is_empty = project.problems.iter().all(|problem| problem.file == "-" && problem.line == 0);
                if from_pipe && is_empty && project.objects() == 0 && project.other_kinds == 0 {
                    let help = "check the command before the pipe: it failed, or wrote elsewhere";
                    return Err(CommandFailure::new("nothing came through standard input", help));
                }
                project
            }
        };
        let planned = planning::make(&project, &Scope::default())?;
        let mut findings = planned.plan.findings;
        // Problems of files are reported for each file, with their line.
        findings.retain(|f| !f.code.is_of_reading());
        let text = self.format.output == OutputFormat::Text;
        if text {
            output.problems(&project.problems);
        }
        let shown_above = text && output.style().problems_seen;
        if !shown_above {
            findings.splice(0..0, project.problems.iter().map(planned::finding));
        }
        for finding in &mut findings {
            finding.tenant.take_if(|tenant| tenant == UNNAMED);
        }
        let mut report = Findings::new(&findings, project.objects(), project.other_kinds);
        if shown_above {
            report.shown_above = project.problems.len();
        }
        output.result(&match self.format.output {
            OutputFormat::Text => report.text(output.style()),
            OutputFormat::Json => render::json(&report, JsonLayout::Pretty)
                .map_err(|e| CommandFailure::new(e.to_string(), "internal error: report it"))?,
            OutputFormat::Markdown => report.markdown(),
        })?;
        let severity = |s: Severity| findings.iter().any(|f| f.severity == s);
        Ok(if severity(Severity::Error) || !project.problems.is_empty() {
            1
        } else if severity(Severity::Unreached) {
            3
        } else {
            0
        })
    }
}
