//! `stablekey remove`.

use super::CommandFailure;
use super::edit::EditOptions;
use super::output::Output;
use crate::author::{Draft, customer, sync};
use crate::near_miss::meant;
use crate::text::quoted;
use clap::Args;

/// Remove a customer's credentials, and list what only a person can revoke
///
/// Examples:
///   stablekey remove eu-prod customer 'Acme, Inc.'
///   stablekey remove --all customer 'Acme, Inc.'
///
/// All credentials that you supply for the customer are taken out of the files. What customers supplied themselves, and
/// what stays valid in other systems, is listed.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    override_usage = "stablekey remove [OPTIONS] <TENANT> customer <NAME>\n       stablekey remove [OPTIONS] --all customer <NAME>"
)]
pub(super) struct Remove {
    /// The tenant (unless --all is given), what to remove (customer), and its name
    #[arg(required = true, num_args = 1..=3, value_names = ["TENANT", "customer", "NAME"])]
    words: Vec<String>,
    /// In every tenant
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    edit: EditOptions,
}

impl Remove {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let usage = "write: stablekey remove TENANT customer NAME, or stablekey remove --all customer NAME";
        let wrong = |message: &str| CommandFailure::new(message, usage);
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let (tenant, what, name) = match (words.as_slice(), self.all) {
            ([what, name], true) => (None, *what, *name),
            // The tenant is named, and --all says that it is every one.
            ([_, what, name], true) => (None, *what, *name),
            ([tenant, what, name], false) => (Some(*tenant), *what, *name),
            (["customer", _], false) => return Err(wrong("no tenant is given")),
            ([tenant, name], false) => {
                let help = format!("stablekey remove {} customer {}", quoted(tenant), quoted(name));
                return Err(CommandFailure::new(
                    "what is to be removed is not given",
                    format!("to remove a customer:\n{help}"),
                ));
            }
            _ => return Err(wrong("what is to be removed is not given")),
        };
        if what != "customer" {
            let help = match meant(what, ["customer"]) {
                Some(near) => format!("did you mean {near}?"),
                None => usage.to_string(),
            };
            return Err(CommandFailure::new(format!("{what} cannot be removed"), help));
        }
        let project = self.edit.open()?;
        if let Some(tenant) = tenant {
            crate::author::tenant(&project, tenant)?;
        }
        let all = sync::tenants(&project);
        let tenants: Vec<&str> = tenant.map_or(all, |tenant| vec![tenant]);
        let mut draft = Draft::new(&project);
        customer::remove(&mut draft, &tenants, name)?;
        self.edit.finish(draft, output)
    }
}
