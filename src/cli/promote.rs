//! `stablekey promote`.

use super::CommandFailure;
use super::edit::EditOptions;
use super::output::Output;
use crate::author::Draft;
use crate::author::promote::{Promotion, promote};
use clap::Args;

/// Copy integrations of a tenant into the manifests of another
///
/// It is a sync that is not written down: the same rules, bound in the target by stable key, carried out on the
/// manifests of the target. These are its source or, without one, its folder. What was written is recorded in
/// stablekey.lock beside them, and the result is a diff to commit: the way to promote where a pull request decides and
/// another tool applies. The target must accept the source (acceptFrom).
///
/// Examples:
///   stablekey promote us-prod eu-prod lead-router
///   stablekey promote us-prod eu-prod lead-router --fill
///   stablekey promote us-prod eu-prod 'lead-*' --dry-run
///
/// With --fill, connections that the target lacks are written as the source has them, with references to secrets in
/// place of secrets, and with the manual steps that complete them. They are the target's own from then on.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct PromoteCommand {
    #[command(flatten)]
    promotion: PromotionArguments,
    #[command(flatten)]
    edit: EditOptions,
}

/// What is promoted.
#[derive(Clone, Debug, Args)]
pub(super) struct PromotionArguments {
    /// The tenant to copy
    pub(super) from: String,
    /// The tenant whose manifests change
    pub(super) to: String,
    /// The integrations; * matches any run of characters; by default all
    #[arg(value_name = "INTEGRATION")]
    pub(super) integrations: Vec<String>,
    /// Also write the connections that the target lacks
    #[arg(long)]
    fill: bool,
}

impl From<PromotionArguments> for Promotion {
    fn from(given: PromotionArguments) -> Self {
        let PromotionArguments { from, to, integrations, fill } = given;
        Promotion { from, to, integrations, fill }
    }
}

impl PromoteCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.edit.open()?;
        let mut draft = Draft::new(&project);
        let told = promote(&mut draft, &self.promotion.into())?;
        let edited = draft.finish()?;
        told.notes.iter().chain(&told.needs_approval).for_each(|note| output.note(note));
        // A typed answer approves what is shown; --yes does not.
        if let (Some(first), true, false) = (told.needs_approval.first(), self.edit.yes, self.edit.force) {
            let message = format!("it needs approval, and --yes gives none: {first}; nothing was written");
            return Err(CommandFailure::new(message, "answer on a terminal, or write it all the same: --force"));
        }
        self.edit.carry_out(&edited, output)
    }
}
