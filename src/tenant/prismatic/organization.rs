//! An organization as the platform returned it.

use super::pages::{ListFailure, Listed};
use super::record::OrganizationIdentity;
use crate::platform::answer::Answer;
use crate::platform::answer::document::{ComponentAnswer, ReusableConnection};
use crate::platform::answer::organization::{IntegrationAnswer, SetAnswer, WorkflowAnswer};
use std::collections::{BTreeMap, BTreeSet};

/// What the project needs to know of an organization, besides what it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Stable keys that the project names.
    pub keys: BTreeSet<String>,
    /// Titles of integrations that the project names.
    pub titles: BTreeSet<String>,
    /// The keys of connections of which the source declares credentials of customers.
    pub credentials_of: BTreeSet<String>,
}

/// An organization as it was read.
#[derive(Default)]
pub(super) struct Organization {
    pub identity: Option<OrganizationIdentity>,
    pub answer: Answer,
    pub integrations: Vec<IntegrationAnswer>,
    /// The definitions by the platform's id, without secrets.
    pub definitions: BTreeMap<String, Result<Vec<u8>, String>>,
    pub workflows: Vec<WorkflowAnswer>,
    pub sets: Vec<SetAnswer>,
    /// The credentials of customers, with their inputs, by the stable key of a connection of which some are declared.
    pub credentials: BTreeMap<String, Result<Vec<SetAnswer>, ListFailure>>,
    /// The lists that could not be read, by what is in them.
    pub unread: BTreeMap<&'static str, ListFailure>,
    /// Those that could not be read and in which no object is: what they tell of objects is unknown.
    pub unread_facts: BTreeMap<&'static str, ListFailure>,
    /// Lists, and the status of connections, that this stack does not have.
    pub without: BTreeSet<&'static str>,
}

impl Organization {
    /// A list, or nothing of it and that it could not be read.
    pub(super) fn taken<T: Default>(&mut self, what: &'static str, list: Result<T, ListFailure>) -> T {
        list.unwrap_or_else(|failure| {
            self.unread.insert(what, failure);
            T::default()
        })
    }
}

impl Listed for ReusableConnection {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Listed for ComponentAnswer {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Listed for IntegrationAnswer {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Listed for WorkflowAnswer {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Listed for SetAnswer {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}
