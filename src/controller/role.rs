//! The roles of the operator.

use crate::kubernetes::MANAGER;
use crate::tenant::cluster::hub::{SENDER_LEASE, SYNCER_LEASE};
use std::fmt;

/// A part of the operator, with an account and a Lease of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reconciles connections, customer credentials and integrations of its own cluster, and writes binding Secrets.
    Binder,
    /// Reconciles Tenants and TenantSyncs: copies from sources to targets.
    Syncer,
    /// Reconciles the Tenants that are on the platform, and the TenantSyncs into them.
    Sender,
}

impl Role {
    /// All roles, in order.
    pub const ALL: [Role; 3] = [Role::Binder, Role::Syncer, Role::Sender];

    /// Returns the name that flags, logs and metrics use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Binder => "binder",
            Role::Syncer => "syncer",
            Role::Sender => "sender",
        }
    }

    /// Returns the name of the role's Lease.
    pub const fn lease(self) -> &'static str {
        match self {
            Role::Binder => "stablekey-binder",
            Role::Syncer => SYNCER_LEASE,
            Role::Sender => SENDER_LEASE,
        }
    }

    /// Returns the field manager of its writes.
    pub const fn manager(self) -> &'static str {
        match self {
            Role::Binder => "stablekey-binder",
            Role::Syncer | Role::Sender => MANAGER,
        }
    }

    /// Returns the reporting controller of its events.
    pub const fn controller(self) -> &'static str {
        match self {
            Role::Binder => "stablekey.dev/binder",
            Role::Syncer => "stablekey.dev/syncer",
            Role::Sender => "stablekey.dev/sender",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
