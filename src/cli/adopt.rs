//! `stablekey adopt`.

use super::options::RootOption;
use super::output::Output;
use super::{CommandFailure, naming, planning};
use crate::api::{AllowedAction, rules};
use crate::author::goes_on;
use crate::engine::adopt;
use crate::engine::check;
use crate::render::Invocation;
use crate::tenant::location::LocationError;
use clap::Args;

/// Take ownership of live values
///
/// Only the ownership record is written: the values become managed, as if Stablekey had written them, and none changes.
/// A later apply may change them, where something else is desired. To end drift, use stablekey revert or stablekey keep.
///
/// Examples:
///   stablekey adopt eu-prod Connection/salesforce-oauth
///   stablekey adopt eu-prod conn/salesforce-oauth -C examples/us-eu
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Adopt {
    /// The tenant
    tenant: String,
    /// The object: KIND/NAME, for example Connection/salesforce-oauth or conn/salesforce-oauth
    #[arg(value_name = "KIND/NAME")]
    object: String,
    #[command(flatten)]
    root: RootOption,
}

impl Adopt {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.root.open()?;
        if self.tenant.contains('/') && project.tenants.contains_key(&self.object) {
            let message = format!("{} is a tenant, and must come first", self.object);
            return Err(CommandFailure::new(message, format!("stablekey adopt {} {}", self.object, self.tenant)));
        }
        planning::known("tenant", &self.tenant, project.tenants.keys())
            .map_err(|wrong| self.root.or_as_root(&self.tenant, wrong))?;
        let tenant = project.tenants.get(&self.tenant);
        let Some((tenant, location)) = tenant.and_then(|t| Some((t, t.location.as_ref()?))) else {
            return Err(CommandFailure::new(format!("{} cannot be written", self.tenant), "fix its location first"));
        };
        let snapshot = tenant.live.as_ref().map_err(|why| CommandFailure::new(why.clone(), "fix that first"))?;
        let names = naming::KnownNames { project: &project, tenant: &self.tenant, snapshot };
        let id = naming::object(names, &self.object, output)?;
        goes_on(&project, &self.tenant)?;
        if !tenant.spec.allows(AllowedAction::Update) {
            let message = format!("the policy of {} does not allow Update", self.tenant);
            return Err(CommandFailure::new(
                message,
                "adopting is allowed wherever Update is: add it to policy.actions",
            ));
        }
        let inventory = &snapshot.inventory;
        let item = inventory.get(&id);
        let literals = item.as_ref().map(|item| check::secret_literals(item, &[inventory])).unwrap_or_default();
        if let Some(why) = item.as_ref().and_then(|item| check::unread_type(item, &[inventory])) {
            let message = format!("{why}: which inputs of {id} are secrets is unknown");
            return Err(CommandFailure::new(message, "correct that first"));
        }
        if !literals.is_empty() {
            let message = format!("SK0120: {} of {id} is a secret and is written as a value", literals.join(", "));
            return Err(CommandFailure::new(message, rules::SECRET_LITERAL));
        }
        let Some(action) = adopt::adopt(&self.tenant, &snapshot.inventory, &id) else {
            output.result(&format!("{}/{id} is recorded as it is already.", self.tenant))?;
            return Ok(0);
        };
        let failed = |error: LocationError| CommandFailure::new(error.to_string(), "nothing was recorded; try again");
        let mut session = location.as_location().begin(&[&action.change]).map_err(failed)?;
        session.apply(&action, None).map_err(failed)?;
        session.settle().map_err(failed)?;
        let fields: Vec<String> = action.fields.iter().map(|c| c.field.to_string()).collect();
        let next = Invocation { root: self.root.typed(), ..Invocation::default() }.plan();
        output.result(&format!("{}/{id}: {} recorded.\nNext: {next}", self.tenant, fields.join(", ")))?;
        Ok(0)
    }
}
