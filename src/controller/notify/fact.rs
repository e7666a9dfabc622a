//! The current state of an object, as far as somebody may want to be notified of it.

use crate::engine::model::item::ObjectId;
use crate::forge::CommitState;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a fact is about. A destination chooses by topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::controller) enum Topic {
    /// A target is in sync with what is desired, or cannot be.
    Sync,
    /// Others changed what Stablekey wrote.
    Drift,
    /// A plan waits for an approval.
    Approval,
    /// A token or a Secret expires.
    Credentials,
    /// The state of a commit, for the server that it came from. No destination chooses it: it is what those are for that
    /// write commit statuses.
    Commit,
}

impl Topic {
    /// The topics that a destination can choose.
    pub(super) const CHOICES: [Topic; 4] = [Topic::Sync, Topic::Drift, Topic::Approval, Topic::Credentials];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Topic::Sync => "Sync",
            Topic::Drift => "Drift",
            Topic::Approval => "Approval",
            Topic::Credentials => "Credentials",
            Topic::Commit => "Commit",
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::controller) enum Severity {
    Info,
    Warning,
    Error,
}

impl Severity {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// What is so now. Its texts contain no value of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::controller) struct Fact {
    /// The state, as one word in CamelCase; empty if there is nothing to tell: no drift, nothing that waits.
    pub state: String,
    /// What of it: the digest that waits, the values that drifted. Another one is another fact.
    pub version: String,
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Why, and what to do: lines, of which some are commands.
    pub text: String,
    /// It may pass by itself: it is not sent before it has lasted for a while.
    pub may_pass: bool,
    /// The commit that it is the state of.
    pub commit: Option<CommitFact>,
}

/// The commit of a source in Git, and its state in the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::controller) struct CommitFact {
    /// The address of the repository.
    pub url: String,
    /// The id of the commit.
    pub commit: String,
    pub state: CommitState,
}

impl Fact {
    /// There is nothing to tell.
    pub(in crate::controller) fn none() -> Self {
        Fact {
            state: String::new(),
            version: String::new(),
            severity: Severity::Info,
            title: String::new(),
            text: String::new(),
            may_pass: false,
            commit: None,
        }
    }

    /// Credentials expire soon, or have expired: the reason of the condition, its message, and what expires when.
    pub(in crate::controller) fn expires(name: &str, reason: &str, message: &str, what: &str) -> Self {
        let is_over = reason.contains("Expired");
        Fact {
            state: reason.to_string(),
            version: what.to_string(),
            severity: if is_over { Severity::Error } else { Severity::Warning },
            title: format!("credentials of {name} {}", if is_over { "expired" } else { "expire soon" }),
            text: message.to_string(),
            ..Fact::none()
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.state.is_empty()
    }

    /// A hash that identifies the fact; empty if there is nothing to tell.
    pub(super) fn hash(&self) -> String {
        if self.is_none() {
            return String::new();
        }
        let mut hash = Sha256::new();
        for part in [&self.state, &self.version] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a fact is about: an object, for a sync one of its targets, and a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub object: ObjectId,
    pub tenant: Option<String>,
    pub topic: Topic,
}

impl fmt::Display for Subject {
    /// The key under which a delivery is kept. None of its parts has a blank.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.object, self.tenant.as_deref().unwrap_or("-"), self.topic.as_str())
    }
}

/// The facts about one object. What is not known now is absent: it stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::controller) struct ObjectFacts {
    /// The object's uid.
    pub uid: String,
    /// The targets of a sync. What was known of others is forgotten.
    tenants: BTreeSet<String>,
    facts: BTreeMap<(Option<String>, Topic), Fact>,
}

impl ObjectFacts {
    pub(in crate::controller) fn of(uid: &str) -> Self {
        ObjectFacts { uid: uid.to_string(), ..ObjectFacts::default() }
    }

    /// Adds a target of a sync.
    pub(in crate::controller) fn has_target(&mut self, tenant: &str) {
        self.tenants.insert(tenant.to_string());
    }

    /// Adds a fact, for a sync about one of its targets.
    pub(in crate::controller) fn add(&mut self, tenant: Option<&str>, topic: Topic, fact: Fact) {
        self.facts.insert((tenant.map(str::to_string), topic), fact);
    }

    #[cfg(test)]
    pub(in crate::controller) fn get(&self, tenant: Option<&str>, topic: Topic) -> Option<&Fact> {
        self.facts.get(&(tenant.map(str::to_string), topic))
    }

    pub(super) fn tenants(&self) -> &BTreeSet<String> {
        &self.tenants
    }

    pub(super) fn into_facts(self) -> impl Iterator<Item = ((Option<String>, Topic), Fact)> {
        self.facts.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_state_or_version_is_another_fact() {
        let fact = |state: &str, version: &str| Fact { state: state.into(), version: version.into(), ..Fact::none() };
        assert_eq!(fact("Drifted", "a").hash(), fact("Drifted", "a").hash());
        assert_ne!(fact("Drifted", "a").hash(), fact("Drifted", "b").hash());
        assert_ne!(fact("ab", "c").hash(), fact("a", "bc").hash());
        assert_eq!(Fact::none().hash(), "");
    }
}
