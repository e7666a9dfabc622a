//! `stablekey forget`.

use super::CommandFailure;
use super::edit::EditOptions;
use super::output::{Output, OutputFormat};
use crate::apply::write_records;
use crate::author::forget::{Forgotten, forget};
use crate::engine::model::item::ObjectId;
use crate::project::Project;
use crate::render::{self, JsonLayout};
use crate::text::count;
use clap::Args;
use serde_json::json;

/// The schema of the JSON, where the record is not in a file.
const SCHEMA: &str = "stablekey.dev/forget/v1";

/// Drop what a vanished writer left in the ownership record
///
/// A writer is source, sync/NAME, promote/FROM or adopt, as a plan names it. What only this writer wrote is the tenant's
/// own afterwards; no value changes. A writer that still exists is refused: it would take the values over again.
///
/// Examples:
///   stablekey forget eu-prod sync/us-to-eu
///   stablekey forget eu-prod promote/us-prod --dry-run
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ForgetCommand {
    /// The tenant
    tenant: String,
    /// The writer: source, sync/NAME, promote/FROM or adopt
    writer: String,
    #[command(flatten)]
    edit: EditOptions,
}

impl ForgetCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.edit.open()?;
        let forgotten = forget(&project, &self.tenant, &self.writer)?;
        match &forgotten.edited {
            Some(edited) => self.edit.carry_out(edited, output),
            None => self.write_there(&project, &forgotten, output),
        }
    }

    /// Writes records that are kept with the objects, or apart from them on a server.
    fn write_there(&self, project: &Project, forgotten: &Forgotten, output: &mut Output) -> Result<u8, CommandFailure> {
        let Forgotten { tenant, writer, actions, .. } = forgotten;
        if self.edit.output == OutputFormat::Markdown {
            return Err(CommandFailure::new("this has no Markdown form", "give -o text or -o json"));
        }
        // The record of an object that is not there goes with the next apply.
        let live: Vec<_> = actions.iter().filter(|action| action.change.before.is_some()).collect();
        let objects: Vec<&ObjectId> = live.iter().map(|action| &action.change.object).collect();
        let names: Vec<String> = objects.iter().map(ToString::to_string).collect();
        let number = count(objects.len(), "object", "objects");
        let what = format!("{writer} in the record of {number} of {tenant}: {}", names.join(", "));
        let is_text = self.edit.output == OutputFormat::Text;
        if !self.edit.dry_run {
            self.edit.consent(&format!("Forget {what}?"), output)?;
            write_records(project, tenant, &live).map_err(|why| {
                let help = "what was written before stays; run it again to finish";
                CommandFailure::new(format!("{writer} is not forgotten everywhere in {tenant}: {why}"), help)
            })?;
        }
        let written = !self.edit.dry_run;
        if is_text {
            let done = if written { "Forgotten" } else { "Would be forgotten (--dry-run)" };
            output.result(&format!("{done}: {what}"))?;
        } else {
            let json = json!({
                "schema": SCHEMA,
                "tenant": tenant,
                "writer": writer,
                "objects": names,
                "written": written,
            });
            let text = render::json(&json, JsonLayout::Pretty).map_err(|error| {
                CommandFailure::new(format!("it has no JSON form: {error}"), "internal error: report it")
            })?;
            output.result(&text)?;
        }
        Ok(0)
    }
}
