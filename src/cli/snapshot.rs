//! `stablekey snapshot`.

use super::CommandFailure;
use super::ci::CiRun;
use super::options::RootArgument;
use super::output::Output;
use crate::project::stored::StoredProject;
use crate::render::{self, JsonLayout};
use crate::tenant::directory::disk::{RealDisk, write_named};
use clap::Args;
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// Store what tenants have now, without secrets, for a run that may not read them
///
/// A pull request of a fork is planned without credentials: with `plan --snapshot` it reads this file in place of the
/// tenants in clusters and on the platform. Tenants in folders are in the tree already. The file has no secret and no
/// reference to one; customers are counts, and definitions are digests and names of flows and steps. Other values of
/// connections are in it, such as addresses: in the pipeline of a public repository it is written only with --public.
///
/// Examples:
///   stablekey snapshot --out snapshot.json
///   stablekey plan --snapshot snapshot.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct SnapshotCommand {
    #[command(flatten)]
    root: RootArgument,
    /// The file that is written; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Write it even if everybody can read the repository
    #[arg(long)]
    public: bool,
}

impl SnapshotCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.root.open()?;
        let stored = StoredProject::of(&project, Timestamp::now());
        // Tenants in folders are in the tree already: nothing of them is told.
        if !self.public && !stored.is_empty() && !CiRun::of_environment().is_private() {
            let message =
                "the repository of this pipeline is public, or its visibility is not known: nothing is written";
            let help = "everybody could read the snapshot, which has the values of connections that are no secrets: if \
                        that is right, give --public";
            return Err(CommandFailure::new(message, help));
        }
        output.problems(&project.problems);
        let json = render::json(&stored, JsonLayout::Pretty).map_err(|error| {
            CommandFailure::new(format!("the snapshot has no JSON form: {error}"), "internal error: report it")
        })?;
        match self.out.as_path() {
            path if path == Path::new("-") => output.result(&json)?,
            path => write_named(&RealDisk, path, json.as_bytes()).map_err(|e| CommandFailure::writing(path, &e))?,
        }
        if stored.is_empty() {
            output.note("All tenants are folders of the tree: the snapshot has none.");
        }
        let unread = stored.unread();
        if unread.is_empty() {
            return Ok(0);
        }
        let why = |name: &str| {
            let why = project.tenants.get(name).and_then(|tenant| tenant.live.as_ref().err());
            format!("{name}: {}", why.map_or("it was not asked", String::as_str))
        };
        let what = match self.out.as_path() {
            path if path == Path::new("-") => "the snapshot".to_string(),
            path => path.display().to_string(),
        };
        let reasons: Vec<String> = unread.iter().map(|name| why(name)).collect();
        let message = format!("{what} is written without what could not be read: {}", reasons.join("; "));
        let help = "a plan with it knows nothing of these tenants; see that they can be read, then write it again";
        Err(CommandFailure::new(message, help))
    }
}
