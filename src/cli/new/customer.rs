//! `stablekey new customer`.

use crate::api::Input;
use crate::author::Draft;
use crate::author::customer::{NewCustomer, add, per_customer};
use crate::cli::CommandFailure;
use crate::cli::asking::{Asking, Missing};
use crate::cli::edit::EditOptions;
use crate::cli::output::Output;
use crate::cli::values::{inputs, secret_ref};
use clap::Args;

/// Write the credentials of a customer for a connection
///
/// For connections whose credentials the organization supplies per customer (OrganizationCustomer). All inputs that the
/// connection marks perCustomer are given; secrets are references, never values.
///
/// Examples:
///   stablekey new customer 'Acme, Inc.' --tenant eu-prod \
///     --connection salesforce-oauth instanceUrl=https://acme.example \
///     --secret password=acme-salesforce/password
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct NewCustomerCommand {
    /// The customer: any text that identifies them for you
    customer: Option<String>,
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
    connection: Option<String>,
    /// The name of a further set of the same customer for the same connection
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    #[command(flatten)]
    edit: EditOptions,
}

impl NewCustomerCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let mut inputs = inputs(&self.inputs, &self.secrets)?;
        let project = self.edit.open()?;
        let asking = Asking::open(&self.edit, output);
        let help = "stablekey new customer 'Acme, Inc.' --tenant eu-prod --connection salesforce-oauth";
        let missing = |what| Missing { what, help };
        let is_asked = self.connection.is_none() && asking.is_open();
        let customer = asking.text(self.customer, "The customer", None, &missing("the customer"))?;
        let tenant = super::tenant::only(&project, self.tenant, &asking)?;
        let keys = per_customer(&project, &tenant);
        let listed: Vec<&str> = keys.keys().map(String::as_str).collect();
        let connection =
            asking.choice(self.connection, "For which connection", "", &listed, &missing("the connection"))?;
        for wanted in keys.get(&connection).into_iter().flatten().filter(|_| is_asked) {
            if inputs.contains_key(&wanted.name) {
                continue;
            }
            let name = &wanted.name;
            let input = match wanted.is_secret {
                true => {
                    let question = format!("{name}, as NAME/KEY of a Secret");
                    secret_ref("--secret", name, &asking.reference(&question, &missing("an input"))?)?
                }
                false => Input::value(asking.text(None, name, None, &missing("an input"))?),
            };
            inputs.insert(name.clone(), input);
        }
        let set = self.set;
        let mut draft = Draft::new(&project);
        add(&mut draft, &NewCustomer { tenant, customer, connection, set, inputs })?;
        self.edit.finish(draft, output)
    }
}
