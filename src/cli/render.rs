//! `stablekey render`: prints a tenant's folder in the form for a cluster.

use super::options::RootOption;
use super::output::Output;
use super::{CommandFailure, planning};
use crate::api::{Kind, LocationSpec};
use crate::project::ProjectTenant;
use crate::project::deliver;
use clap::Args;

/// Print a tenant's objects for kubectl, definitions included
///
/// Each object of the tenant's folder is printed unchanged. An exported definition becomes an immutable ConfigMap,
/// named by its digest, and the Integration refers to it in place of the file.
///
/// For a tenant in a cluster, its source is printed. No cluster is accessed. If anything cannot be read, nothing is
/// printed.
///
/// Examples:
///   stablekey render us-prod | kubectl apply --server-side -n us-prod -f -
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Render {
    /// The tenant
    tenant: String,
    #[command(flatten)]
    root: RootOption,
}

impl Render {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.root.open_files()?;
        let name = Kind::Tenant.name_in(&self.tenant);
        planning::known("tenant", name, project.tenants.keys())
            .map_err(|wrong| self.root.or_as_root(&self.tenant, wrong))?;
        let Some(tenant) = project.tenants.get(name).filter(|tenant| has_folder(tenant)) else {
            let message = format!("{name} is in a cluster and has no folder: there is nothing to print");
            return Err(CommandFailure::new(message, "render a directory tenant, or one with a source"));
        };
        let snapshot = tenant.live.as_ref().map_err(|why| CommandFailure {
            problems: project.own_problems.clone(),
            ..CommandFailure::new(format!("{name} cannot be read: {why}"), "fix that first; nothing was printed")
        })?;
        let inventory = &snapshot.inventory;
        let unusable = inventory.unparsed.len() + inventory.invalid.len();
        let wrong = |count: usize, problems| {
            let what = if count == 1 { "1 file or object".to_string() } else { format!("{count} files or objects") };
            let message = format!("{what} of {name} cannot be rendered: nothing was printed");
            CommandFailure { problems, ..CommandFailure::new(message, "correct what is shown above") }
        };
        if unusable > 0 {
            return Err(wrong(unusable, snapshot.problems.clone()));
        }
        let bytes = |integration: &str| match &tenant.location {
            Some(location) => location.as_location().definition(integration),
            None => project.definition_beside(name, integration),
        };
        let text = deliver::stream(snapshot, &bytes).map_err(|problems| wrong(problems.len(), problems))?;
        output.result(&text)?;
        Ok(0)
    }
}

/// Whether a tenant has a folder, as its location or as its source.
fn has_folder(tenant: &ProjectTenant) -> bool {
    tenant.source.is_some() || !matches!(tenant.spec.location, Some(LocationSpec::Kubernetes(_)))
}
