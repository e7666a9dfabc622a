//! `stablekey new`: writes new objects.

mod component;
mod connection;
mod customer;
mod override_;
mod sync;
pub(super) mod tenant;

use super::CommandFailure;
use super::output::Output;
use clap::{Args, Subcommand};

pub(super) use sync::follow;

/// Write a new object: a connection, a tenant, a sync, a component, credentials of a customer, an override
///
/// The YAML, the file that it goes to, and what the plan would say are shown before anything is written.
///
/// Examples:
///   stablekey new connection
///   stablekey new tenant eu --location platform --url https://app.prismatic.io
///   stablekey new sync us-prod eu-prod --connections Mirror
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, arg_required_else_help = true)]
pub(super) struct New {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Connection(connection::NewConnectionCommand),
    Tenant(tenant::NewTenantCommand),
    Sync(sync::NewSyncCommand),
    Override(override_::NewOverrideCommand),
    Customer(customer::NewCustomerCommand),
    Component(component::NewComponentCommand),
}

impl New {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        match self.what {
            What::Connection(command) => command.run(output),
            What::Tenant(command) => command.run(output),
            What::Sync(command) => command.run(output),
            What::Override(command) => command.run(output),
            What::Customer(command) => command.run(output),
            What::Component(command) => command.run(output),
        }
    }
}
