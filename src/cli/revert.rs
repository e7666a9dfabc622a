//! `stablekey revert`.

use super::apply::{Apply, RevertConsent};
use super::options::{RootOption, SourceOption};
use super::output::Output;
use super::{CommandFailure, naming, planning};
use crate::api::Kind;
use crate::author;
use crate::engine::model::plan::Scope;
use crate::engine::model::revert::Revert;
use crate::project::{Project, planned};
use clap::Args;
use std::collections::BTreeSet;

/// Put the desired value back where a tenant differs
///
/// Ends drift, and takes back what a tenant keeps of its own: the live value becomes the desired one, whatever the
/// policy for drift is. Only the named object changes; with FIELD only that field. It is planned, shown and approved as
/// an apply is. To keep the live value instead, use stablekey keep.
///
/// Examples:
///   stablekey revert eu-prod Connection/slack-bot inputs.scopes
///   stablekey revert eu-prod Integration/lead-router connections.CRM
///   stablekey revert eu-prod Connection/slack-bot --yes
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RevertCommand {
    /// The tenant
    tenant: String,
    /// The object: KIND/NAME, for example Connection/salesforce-oauth or conn/salesforce-oauth
    #[arg(value_name = "KIND/NAME")]
    object: String,
    /// The field, as the plan shows it: inputs.scopes; by default all that differ
    field: Option<String>,
    #[command(flatten)]
    root: RootOption,
    #[command(flatten)]
    sources: SourceOption,
    #[command(flatten)]
    consent: RevertConsent,
}

impl RevertCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let RevertCommand { tenant, object, field, root, sources, consent } = self;
        let root = root.into_argument(sources);
        let project = root.open()?;
        let revert = find(&project, &tenant, &object, field.as_deref(), output)?;
        let apply = Apply::of_revert(root, &revert, consent);
        let scope = apply.scope();
        if let Some(nothing) = nothing_to_put_back(&project, &scope, &revert) {
            author::is_known(&project, &revert.tenant, &revert.object)?;
            output.result(&nothing)?;
            return Ok(0);
        }
        apply.carry_out(project, scope, None, output)
    }
}

/// Finds a live object of a tenant, and one of its fields.
pub(super) fn find(
    project: &Project,
    tenant: &str,
    object: &str,
    field: Option<&str>,
    output: &mut Output,
) -> Result<Revert, CommandFailure> {
    let tenant = Kind::Tenant.name_in(tenant);
    planning::known("tenant", tenant, project.tenants.keys())?;
    let read = project.tenants.get(tenant).map(|found| found.live.as_ref());
    let snapshot = match read {
        Some(Ok(snapshot)) => snapshot,
        Some(Err(why)) => {
            return Err(CommandFailure::new(format!("{tenant} cannot be read: {why}"), "fix that first"));
        }
        None => return Err(CommandFailure::new(format!("there is no tenant {tenant}"), "name another one")),
    };
    let names = naming::KnownNames { project, tenant, snapshot };
    let object = naming::object(names, object, output)?;
    let scope = Scope { tenants: BTreeSet::from([tenant.to_string()]), ..Scope::default() };
    let field = match field {
        Some(typed) => {
            Some(author::named_field(project, &planned::plan(project, &scope).plan, tenant, &object, typed)?)
        }
        None => None,
    };
    Ok(Revert { tenant: tenant.to_string(), object, field })
}

/// Why there is nothing to put back, if there is nothing.
fn nothing_to_put_back(project: &Project, scope: &Scope, revert: &Revert) -> Option<String> {
    let Revert { tenant, object, field } = revert;
    let plan = planned::plan(project, scope).plan;
    if !plan.is_empty() || plan.exit != 0 {
        return None;
    }
    let what = match field {
        Some(field) => format!("{field} of {tenant}/{object}"),
        None => format!("{tenant}/{object}"),
    };
    let whole = planned::plan(project, &Scope { revert: None, ..scope.clone() }).plan;
    let actions = whole.targets.iter().filter(|target| target.tenant == *tenant).flat_map(|target| &target.actions);
    let changes = |change: &crate::engine::model::plan::FieldChange| field.as_ref().is_none_or(|f| *f == change.field);
    let mut of_it = actions.filter(|action| action.change.object == *object);
    Some(match of_it.any(|action| action.fields.iter().any(changes)) {
        true => {
            format!("{what} has not drifted, and is not kept: there is nothing to put back. The next apply changes it.")
        }
        false => format!("{what} has not drifted, and is not kept: there is nothing to put back."),
    })
}
