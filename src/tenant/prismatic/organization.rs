//! An organization as the platform returned it.

use super::definitions::ReadDefinition;
use super::pages::{ListFailure, Listed};
use super::record::OrganizationIdentity;
use crate::platform::answer::Answer;
use crate::platform::answer::document::{ComponentAnswer, ReusableConnection};
use crate::platform::answer::organization::{IntegrationAnswer, SetAnswer, WorkflowAnswer};
use std::collections::{BTreeMap, BTreeSet};

/// What the stable keys of connections begin with that `stablekey doctor` makes, and deletes again.
pub(super) const DOCTORS: &str = "stablekey-doctor-";

/// The title of these connections.
pub(super) const DOCTORS_TITLE: &str = "Stablekey doctor: it is deleted again";

/// Whether a connection is one of doctor's, perhaps left by a run that was interrupted.
pub(super) fn is_of_doctor(found: &ReusableConnection) -> bool {
    let has_number = |key: &str| key.strip_prefix(DOCTORS).is_some_and(|number| number.parse::<u32>().is_ok());
    found.stable_key.as_deref().is_some_and(has_number)
        && found.key.as_deref().is_some_and(|key| key.starts_with(DOCTORS_TITLE))
}

/// What the project needs to know of an organization, besides what it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Stable keys that the project names.
    pub keys: BTreeSet<String>,
    /// Titles of integrations that the project names.
    pub titles: BTreeSet<String>,
    /// The keys of connections of which the source declares credentials of customers.
    pub credentials_of: BTreeSet<String>,
    /// The platform's ids of integrations that were imported, with the last version before: instances may still run it.
    pub imported: BTreeMap<String, u64>,
}

/// An organization as it was read.
#[derive(Default)]
pub(super) struct Organization {
    pub identity: Option<OrganizationIdentity>,
    pub answer: Answer,
    pub integrations: Vec<IntegrationAnswer>,
    /// The definitions by the platform's id, without secrets.
    pub definitions: BTreeMap<String, Result<ReadDefinition, String>>,
    pub workflows: Vec<WorkflowAnswer>,
    pub sets: Vec<SetAnswer>,
    /// The credentials of customers, with their inputs, by the stable key of a connection of which some are declared.
    pub credentials: BTreeMap<String, Result<Vec<SetAnswer>, ListFailure>>,
    /// Number of instances that run a version from before the last import, by the platform's id of their integration.
    pub behind: BTreeMap<String, usize>,
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
