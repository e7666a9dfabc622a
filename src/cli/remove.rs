//! `stablekey remove`.

use super::CommandFailure;
use super::edit::EditOptions;
use super::output::Output;
use crate::author::{self, Draft, customer};
use crate::engine::model::command::EditCommand;
use crate::near_miss::meant;
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
        let root = self.edit.root.typed();
        let line = |words: &[&str]| {
            let mut command = EditCommand::of(words);
            command.below(root.as_deref());
            command.to_string()
        };
        let in_tenant = |tenant: &str, name: &str| line(&["remove", tenant, "customer", name]);
        let usage = format!(
            "write one of these:\n{}\n{}",
            in_tenant("TENANT", "NAME"),
            line(&["remove", "--all", "customer", "NAME"])
        );
        let wrong = |message: &str, help: &str| CommandFailure::new(message, help);
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let (tenant, what, name) = match (words.as_slice(), self.all) {
            ([what, name], true) => (None, *what, *name),
            // The tenant is named, and --all says that it is every one.
            ([_, what, name], true) => (None, *what, *name),
            ([tenant, what, name], false) => (Some(*tenant), *what, *name),
            (["customer", name], false) => {
                let help = format!("name the tenant:\n{}", in_tenant("TENANT", name));
                return Err(wrong("no tenant is given", &help));
            }
            ([tenant, "customer"], false) => {
                let help = format!("give the name of the customer:\n{}", in_tenant(tenant, "NAME"));
                return Err(wrong("the name of the customer is missing", &help));
            }
            (["customer"], true) => {
                let help =
                    format!("give the name of the customer:\n{}", line(&["remove", "--all", "customer", "NAME"]));
                return Err(wrong("the name of the customer is missing", &help));
            }
            ([tenant, name], false) => {
                let help = format!("to remove a customer:\n{}", in_tenant(tenant, name));
                return Err(wrong("what is to be removed is not given", &help));
            }
            _ => return Err(wrong("what is to be removed is not given", &usage)),
        };
        if what != "customer" {
            let help = match meant(what, ["customer"]) {
                Some(near) => format!("did you mean {near}?"),
                None => usage,
            };
            return Err(CommandFailure::new(format!("{what} cannot be removed"), help));
        }
        let project = self.edit.open()?;
        if let Some(tenant) = tenant {
            crate::author::tenant(&project, tenant)?;
        }
        let all = author::tenants(&project);
        let tenants: Vec<&str> = tenant.map_or(all, |tenant| vec![tenant]);
        let mut draft = Draft::new(&project);
        customer::remove(&mut draft, &tenants, name)?;
        self.edit.finish(draft, output)
    }
}
