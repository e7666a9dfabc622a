//! The two roles of the operator.

use std::fmt;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Connections, customer credentials and integrations of its own cluster; binding Secrets.
    Binder,
    /// Tenants and TenantSyncs: from sources to targets.
    Syncer,
}

impl Role {
    /// Both, in order.
    pub const ALL: [Role; 2] = [Role::Binder, Role::Syncer];

    /// As it stands in flags, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Binder => "binder",
            Role::Syncer => "syncer",
        }
    }

    /// The Lease that whoever does it holds.
    pub const fn lease(self) -> &'static str {
        match self {
            Role::Binder => "stablekey-binder",
            Role::Syncer => "stablekey-syncer",
        }
    }

    /// As who it speaks in events.
    pub const fn controller(self) -> &'static str {
        match self {
            Role::Binder => "stablekey.dev/binder",
            Role::Syncer => "stablekey.dev/syncer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
