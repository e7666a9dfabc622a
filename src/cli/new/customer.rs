//! `stablekey new customer`.

use crate::author::Draft;
use crate::author::customer::{NewCustomer, add};
use crate::cli::CommandFailure;
use crate::cli::edit::EditOptions;
use crate::cli::output::Output;
use crate::cli::values::inputs;
use clap::Args;

/// Write the credentials of a customer for a connection
///
/// For connections whose credentials the organization supplies per customer (OrganizationCustomer). All inputs that the
/// connection marks perCustomer are given; secrets are references, never values.
///
/// Examples:
///   stablekey new customer 'Acme, Inc.' --tenant eu-prod --connection salesforce-oauth \
///     instanceUrl=https://acme.example --secret password=acme-salesforce/password
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct NewCustomerCommand {
    /// The customer: any text that identifies them for you
    customer: String,
    /// A value of an input (repeatable)
    #[arg(value_name = "INPUT=VALUE")]
    inputs: Vec<String>,
    /// A key of a Secret for an input; a version says that the content changed: NAME/KEY@2 (repeatable)
    #[arg(long = "secret", value_name = "INPUT=NAME/KEY")]
    secrets: Vec<String>,
    /// The tenant; by default the only one
    #[arg(long)]
    tenant: Option<String>,
    /// The stable key of the connection
    #[arg(long, value_name = "KEY")]
    connection: String,
    /// The name of a further set of the same customer for the same connection
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    #[command(flatten)]
    edit: EditOptions,
}

impl NewCustomerCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let inputs = inputs(&self.inputs, &self.secrets)?;
        let project = self.edit.open()?;
        let tenant = super::tenant::only(&project, self.tenant)?;
        let (customer, connection, set) = (self.customer, self.connection, self.set);
        let mut draft = Draft::new(&project);
        add(&mut draft, &NewCustomer { tenant, customer, connection, set, inputs })?;
        self.edit.finish(draft, output)
    }
}
