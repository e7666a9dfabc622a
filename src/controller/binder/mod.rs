//! The binder: what the connections, customer credentials and integrations of one tenant namespace are
//! found to be, and the binding Secrets that should be there.
//!
//! ```text
//! watches ─▶ desk ─▶ Binder: what is due ─▶ agenda ─▶ pass: look ─▶ binding Secrets ─▶ status
//!              ▲                                                          │
//!              └────────────────────── answers ───────────────────────────┘
//! ```
//!
//! | File | What it is |
//! |---|---|
//! | `desk`, `follow`, `hear`, `known` | one namespace: what is told of it, and taken in |
//! | `agenda` | what is to be looked at, in which order, when again |
//! | `pass`, `look`, `write` | one object: look, write its binding Secrets, then its status |
//! | `leftovers` | binding Secrets of objects that are gone |
//! | `definitions` | the definitions' ConfigMaps: their owners, and whether they can be read |
//! | `report`, `tally`, `queues` | events, and what is measured |
//! | all others | what is found: the pure half |
//!
//! The half that decides is pure, but for what it remembers: [`Binder`] is told of every change that was watched and says which
//! objects are to be looked at again; asked for one object, it says what its status should be and which
//! binding Secrets must be written. No I/O, no clock, no client: the present time is given.
//!
//! Values of Secrets are in [`crate::secret::SecretBytes`] on their whole way, from what was watched
//! ([`ObservedSecret`]) to the body of what is written ([`WantedBinding::body`]).

mod agenda;
mod base64;
mod candidates;
mod connection;
mod credentials;
mod definitions;
mod desk;
mod doubts;
mod due;
mod fingerprint;
mod follow;
mod gather;
mod hear;
mod hosts;
mod index;
mod integration;
mod kin;
mod known;
mod leftovers;
mod look;
mod pass;
mod problem;
mod queues;
mod report;
mod seen;
mod slot;
mod source;
mod state;
mod status;
mod tally;
#[cfg(test)]
mod tests;
mod verdict;
mod wanted;
mod works;
mod write;

use super::context::Context;
use desk::NamespaceWorker;
use queues::Backlog;
use std::sync::Arc;
use tokio::task::JoinSet;

pub use definitions::Readable;
pub use due::Due;
pub use fingerprint::Salt;
pub use seen::{BindingSecret, ObservedSecret, Unreadable};
pub use source::{Expiry, Keys, SourceSecret};
pub use state::{Binder, InventoryChange, LiveObject};
pub use status::{Status, status_body};
pub use verdict::{ConnectionVerdict, CredentialsVerdict, IntegrationVerdict};
pub use wanted::{Because, How, Owner, WantedBinding};

/// The field manager of everything that the binder writes.
pub const MANAGER: &str = "stablekey-binder";

/// What is said where we stumbled.
const MISTAKE: &str = "a mistake of ours: report it, with the last lines of the log";

/// Does the binder's work, until it is asked to end.
pub async fn run(context: Context) -> Result<(), String> {
    let salt = Arc::new(Salt::random());
    let queues = Backlog::new(context.metrics.clone());
    let mut desks = JoinSet::new();
    for namespace in context.namespaces.iter() {
        desks.spawn(NamespaceWorker::new(context.clone(), namespace, salt.clone(), queues.of(namespace)).run());
    }
    while let Some(ended) = desks.join_next().await {
        ended.map_err(|_| MISTAKE.to_string())??;
    }
    Ok(())
}
