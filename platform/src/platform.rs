//! A stack: its organizations, and how it behaves.

use crate::store::Store;
use crate::switches::Switches;
use crate::tenant::Tenant;
use crate::validation::Unknown;
use std::sync::Arc;

/// One or several organizations of one user, on one stack.
#[derive(Clone, Debug)]
pub struct Platform {
    pub(crate) tenants: Vec<Arc<Tenant>>,
    pub(crate) behaviour: Behaviour,
}

/// How a stack behaves where the real one is not known, or is old or slow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behaviour {
    pub switches: Switches,
    pub unknown: Unknown,
    pub lag: u64,
    pub unstable_order: bool,
    pub suggests: bool,
}

impl Behaviour {
    /// What the stack does not know, the switches included.
    pub fn unknown(&self) -> Unknown {
        let mut unknown = self.unknown.clone();
        if !self.switches.has_tree_location {
            unknown.add("ScopedConfigVariable.treeLocation");
        }
        if !self.switches.has_updated_at {
            unknown.add("Integration.updatedAt");
        }
        unknown
    }
}

impl Platform {
    pub fn new(organization: Store) -> Self {
        Platform { tenants: vec![Arc::new(Tenant::new(organization))], behaviour: Behaviour::default() }
    }

    /// Adds an organization. A refresh without a tenant id chooses the first.
    #[must_use]
    pub fn and(mut self, organization: Store) -> Self {
        self.tenants.push(Arc::new(Tenant::new(organization)));
        self
    }

    #[must_use]
    pub fn switches(mut self, switches: Switches) -> Self {
        self.behaviour.switches = switches;
        self
    }

    /// Makes the stack older: it does not know `Type.field` or `Type.field(argument)`.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.behaviour.unknown.add(name);
        self
    }

    /// Makes reads late: a write is not seen by the next requests that only read.
    #[must_use]
    pub fn lag(mut self, requests: u64) -> Self {
        self.behaviour.lag = requests;
        self
    }

    /// Changes the order of root lists from request to request where the client asks for none.
    #[must_use]
    pub fn unstable_order(mut self) -> Self {
        self.behaviour.unstable_order = true;
        self
    }

    /// Ends refusals of unknown fields and arguments with guesses, as graphql-core does unless it is told not to:
    /// `Did you mean 'createdAt'?`.
    #[must_use]
    pub fn suggestions(mut self) -> Self {
        self.behaviour.suggests = true;
        self
    }
}
