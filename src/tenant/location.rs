//! Where the resources of a tenant are: one trait, whatever the kind of location.

use crate::api::{Object, TenantSpec};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, Change, DefinitionFrom};
use crate::kubernetes::error::RequestError;
use crate::manifest::{FileProblem, SourcePlace};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where the resources of one tenant are.
///
/// The engine decides, a location obeys. A location never writes more than the change that it is given, and
/// never over an object that is not as the change says.
pub trait Location: Send + Sync {
    /// Reads everything, as it is at one moment.
    fn snapshot(&self) -> Result<Snapshot, LocationError>;

    /// The bytes of an integration's definition.
    fn definition(&self, integration: &str) -> Result<Vec<u8>, LocationError>;

    /// The largest definition that it takes, in bytes.
    fn largest_definition(&self) -> u64 {
        u64::MAX
    }

    /// What it would say to each of these actions, where it can tell without doing them: only those that
    /// it would refuse, and why.
    fn dry_run(&self, actions: &[&Action]) -> Result<Vec<(ObjectId, LocationError)>, LocationError> {
        let _ = actions;
        Ok(Vec::new())
    }

    /// Takes the place for writing. `coming` are the changes that may be asked for, in order.
    fn begin<'a>(&'a self, coming: &[&Change]) -> Result<Box<dyn Session + 'a>, LocationError>;
}

/// A location taken for writing. Dropping it lets it go.
pub trait Session {
    /// Carries out one change, record included. An error leaves the object as it was, unless it is
    /// [`LocationError::Unsure`].
    fn apply(&mut self, action: &Action, definition: Option<&[u8]>) -> Result<(), LocationError>;

    /// Carries out actions none of which rests on another, and tells of each as it is done; `bytes` reads
    /// the definitions that they bring. `stop` is asked before each: what was not begun is not told of.
    fn apply_all(
        &mut self,
        actions: &[&Action],
        bytes: &(dyn Fn(&DefinitionFrom) -> Result<Vec<u8>, LocationError> + Sync),
        stop: &dyn Fn() -> bool,
        done: &mut dyn FnMut(usize, Result<(), LocationError>),
    ) {
        for (position, action) in actions.iter().enumerate().take_while(|_| !stop()) {
            let definition = action.change.definition.as_ref().map(bytes).transpose();
            done(position, definition.and_then(|definition| self.apply(action, definition.as_deref())));
        }
    }

    /// One object as it is now: to learn what became of a change whose answer was lost.
    fn look(&mut self, id: &ObjectId) -> Result<Option<Item>, LocationError>;

    /// Ends the writing: records are complete; reads see all that was written.
    fn settle(&mut self) -> Result<(), LocationError>;
}

/// What was read of a location or a source.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The resources and records.
    pub inventory: Arc<Inventory>,
    /// Where each stands, where it stands in a file.
    pub origins: Arc<BTreeMap<ObjectId, SourcePlace>>,
    /// What is wrong in its files.
    pub problems: Vec<FileProblem>,
    /// Documents of other kinds.
    pub other_kinds: usize,
    /// The Tenants that the location itself holds: in a cluster, those of its namespace without a location.
    pub own: Vec<Object<TenantSpec>>,
}

/// Why a location did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Somebody else is writing.
    #[error("{who} is being written by another apply: wait until it is done")]
    Busy {
        /// The location.
        who: String,
    },
    /// The object is not as the plan saw it.
    #[error("{object} was changed since it was planned: plan again")]
    Changed {
        /// The object.
        object: ObjectId,
    },
    /// The change cannot be made there as it is.
    #[error("{object}: {why}")]
    Refused {
        /// The object.
        object: ObjectId,
        /// Why, and what to do.
        why: String,
    },
    /// It is larger than the location takes: only another content helps.
    #[error("{object}: {why}")]
    TooLarge {
        /// The object.
        object: ObjectId,
        /// How large it is, and how large it may be.
        why: String,
    },
    /// We may not.
    #[error("{what}: {why}")]
    Forbidden {
        /// The location.
        what: String,
        /// What is not allowed, and to whom.
        why: String,
        /// The Role that would do, as YAML.
        role: String,
    },
    /// Reading or writing failed.
    #[error("{what}: {why}")]
    Failed {
        /// What was read or written.
        what: String,
        /// Why.
        why: String,
    },
    /// It may have been done: the answer was lost.
    #[error("{object}: it is not known whether the change was made: {why}")]
    Unsure {
        /// The object.
        object: ObjectId,
        /// Why.
        why: String,
    },
}

impl LocationError {
    /// The Role that would do, where rights are missing.
    pub fn role(&self) -> Option<&str> {
        match self {
            LocationError::Forbidden { role, .. } => Some(role),
            _ => None,
        }
    }
}

impl From<RequestError> for LocationError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Refused { object, why } => LocationError::Refused { object, why },
            RequestError::TooLarge { object, why } => LocationError::TooLarge { object, why },
            RequestError::Forbidden { what, why, role } => LocationError::Forbidden { what, why, role },
            RequestError::Failed { what, why } => LocationError::Failed { what, why },
            RequestError::Unsure { object, why } => LocationError::Unsure { object, why },
        }
    }
}
