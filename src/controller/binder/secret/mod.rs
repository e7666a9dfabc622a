//! Secrets of a tenant: those that opted in, and the binding Secrets, as they are and as they should be.
//!
//! Values are in [`crate::secret::SecretBytes`] on their whole way, from what was watched
//! ([`observed::ObservedSecret`]) to the body of what is written ([`desired::DesiredSecret::body`]).

pub mod base64;
pub mod desired;
pub mod fingerprint;
pub mod hosts;
pub mod naming;
pub mod observed;
pub mod source;

/// The field manager of everything that the binder writes.
pub const MANAGER: &str = "stablekey-binder";
