//! Secrets of a tenant: those that opted in, and existing and desired binding Secrets.
//!
//! Values stay in [`crate::secret::SecretBytes`] from the watch event ([`observed::ObservedSecret`]) to the body of the
//! write ([`desired::DesiredSecret::body`]).

pub(super) mod base64;
pub(super) mod desired;
pub(super) mod fingerprint;
pub(super) mod naming;
pub(super) mod observed;
pub(super) mod source;

use crate::controller::role::Role;

/// The field manager of all writes of the binder.
pub(super) const MANAGER: &str = Role::Binder.manager();
