//! Secrets of a tenant: those that opted in, and existing and desired binding Secrets.
//!
//! Values stay in [`crate::secret::SecretBytes`] from the watch event ([`observed::ObservedSecret`]) to the body of the
//! write ([`desired::DesiredSecret::body`]).

pub mod base64;
pub mod desired;
pub mod fingerprint;
pub mod hosts;
pub mod naming;
pub mod observed;
pub mod source;

/// The field manager of all writes of the binder.
pub const MANAGER: &str = "stablekey-binder";
