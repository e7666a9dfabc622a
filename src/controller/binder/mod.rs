//! The binder: what the connections, customer credentials and integrations of one tenant namespace are
//! found to be, and the binding Secrets that should be there.
//!
//! Pure, but for what it remembers: [`Binder`] is told of every change that was watched and says which
//! objects are to be looked at again; asked for one object, it says what its status should be and which
//! binding Secrets must be written. No I/O, no clock, no client: the present time is given.
//!
//! Values of Secrets are in [`crate::secret::SecretBytes`] on their whole way, from what was watched
//! ([`Seen`]) to the body of what is written ([`WantedBinding::body`]).

mod base64;
mod candidates;
mod connection;
mod credentials;
mod due;
mod fingerprint;
mod gather;
mod hosts;
mod index;
mod integration;
mod kin;
mod problem;
mod seen;
mod slot;
mod source;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod verdict;
mod wanted;

pub use due::Due;
pub use fingerprint::Salt;
pub use seen::{BindingSecret, Seen, Unreadable};
pub use source::{Expiry, Keys, SourceSecret};
pub use state::{Binder, Change, Live};
pub use status::{Status, status_body};
pub use verdict::{ConnectionVerdict, CredentialsVerdict, IntegrationVerdict};
pub use wanted::{How, Owner, WantedBinding};

/// The field manager of everything that the binder writes.
pub const MANAGER: &str = "stablekey-binder";
