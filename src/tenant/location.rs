//! The trait of all kinds of locations.

use crate::api::{Object, TenantSpec};
use crate::engine::model::inventory::{Capabilities, Inventory};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, Change, DefinitionFrom};
use crate::kubernetes::error::RequestError;
use crate::manifest::{FileProblem, SourcePlace};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The location of one tenant's resources.
///
/// The engine decides, a location obeys. A location never writes more than the given change, and never overwrites an
/// object that differs from the change's `before`.
pub trait Location: Send + Sync {
    /// Reads everything at one moment.
    fn snapshot(&self) -> Result<Snapshot, LocationError>;

    /// Reads an integration's definition.
    fn definition(&self, integration: &str) -> Result<Vec<u8>, LocationError>;

    /// Returns what the location can do.
    fn capabilities(&self) -> Capabilities;

    /// Returns the maximum size of a definition, in bytes.
    fn largest_definition(&self) -> u64 {
        u64::MAX
    }

    /// Returns the actions that it would refuse, and why, if it can tell without applying them.
    fn dry_run(&self, actions: &[&Action]) -> Result<Vec<(ObjectId, LocationError)>, LocationError> {
        let _ = actions;
        Ok(Vec::new())
    }

    /// Checks what this location needs of the user and the machine, one by one.
    fn diagnose(&self) -> Vec<HealthCheck> {
        let what = "it can be read";
        vec![match self.snapshot() {
            Ok(_) => HealthCheck::good(what),
            Err(error) => HealthCheck::bad(what, error.to_string(), "correct that"),
        }]
    }

    /// Begins to write. `coming` are the changes that may follow, in order.
    fn begin<'a>(&'a self, coming: &[&Change]) -> Result<Box<dyn Session + 'a>, LocationError>;
}

/// Something that a location needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What it is: `the folder can be written`.
    pub what: String,
    pub state: Health,
}

/// Whether something that a location needs is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    Bad {
        why: String,
        /// What to do.
        fix: String,
    },
    /// It was not checked.
    Unknown {
        why: String,
    },
}

impl HealthCheck {
    pub fn good(what: impl Into<String>) -> Self {
        HealthCheck { what: what.into(), state: Health::Good }
    }

    pub fn bad(what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        HealthCheck { what: what.into(), state: Health::Bad { why: why.into(), fix: fix.into() } }
    }

    pub fn unknown(what: impl Into<String>, why: impl Into<String>) -> Self {
        HealthCheck { what: what.into(), state: Health::Unknown { why: why.into() } }
    }
}

/// Exclusive write access to a location, which ends when it is dropped.
pub trait Session {
    /// Applies one change, and its ownership record. After an error the object is as before, unless the error is
    /// [`LocationError::Unsure`].
    fn apply(&mut self, action: &Action, definition: Option<&[u8]>) -> Result<(), LocationError>;

    /// Applies independent actions, and reports each as it is done; `bytes` reads their definitions. `stop` is checked
    /// before each action: actions that did not begin are not reported.
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

    /// Reads one object, to learn the result of a change whose answer was lost.
    fn read_one(&mut self, id: &ObjectId) -> Result<Option<Item>, LocationError>;

    /// Ends the writes: records are complete, and reads see everything that was written.
    fn settle(&mut self) -> Result<(), LocationError>;

    /// Returns the number of requests since it began, if the location counts them.
    fn calls(&self) -> Option<Calls> {
        None
    }
}

/// Requests that were sent to a location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub reads: usize,
    /// Those that change something, repeated ones included.
    pub writes: usize,
}

/// The content of a location or a source.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The resources and ownership records.
    pub inventory: Arc<Inventory>,
    /// The position of each resource in its file, if it is in one.
    pub origins: Arc<BTreeMap<ObjectId, SourcePlace>>,
    /// The documents of each object that cannot be used: the invalid one, or all of a doubled one.
    pub unusable: Arc<BTreeMap<ObjectId, Vec<SourcePlace>>>,
    /// The problems in its files.
    pub problems: Vec<FileProblem>,
    /// Number of documents of other kinds.
    pub other_kinds: usize,
    /// The Tenants in the location itself: in a cluster, those of its namespace that have no location.
    pub own: Vec<Object<TenantSpec>>,
    /// The organization on the platform: no two tenants are one.
    pub organization: Option<String>,
    /// What every plan says about the location.
    pub cautions: Vec<String>,
}

impl Snapshot {
    /// Takes what is the same from an earlier reading, so that both are in memory once.
    pub fn share(&mut self, before: &Snapshot) {
        if !Arc::ptr_eq(&self.inventory, &before.inventory) && self.inventory.is_same_as(&before.inventory) {
            self.inventory = Arc::clone(&before.inventory);
        }
        let is_same = |(a, b): (&SourcePlace, &SourcePlace)| {
            Arc::ptr_eq(&a.file, &b.file) && a.range == b.range && a.item == b.item
        };
        let (now, then) = (&self.origins, &before.origins);
        if now.len() == then.len() && now.keys().eq(then.keys()) && now.values().zip(then.values()).all(is_same) {
            self.origins = Arc::clone(&before.origins);
        }
    }
}

/// Why a location did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Another process is writing.
    #[error("{who} is being written by another apply: wait until it is done")]
    Busy {
        /// The location.
        who: String,
    },
    /// The object differs from what the plan was based on.
    #[error("{object} was changed since it was planned: plan again")]
    Changed { object: ObjectId },
    /// The location refuses the change as it is.
    #[error("{object}: {why}")]
    Refused {
        object: ObjectId,
        /// The reason, and what to do.
        why: String,
    },
    /// It is larger than the location accepts: only other content helps.
    #[error("{object}: {why}")]
    TooLarge {
        object: ObjectId,
        /// How large it is, and how large it may be.
        why: String,
    },
    /// The account has no permission.
    #[error("{what}: {why}")]
    Forbidden {
        /// The location.
        what: String,
        /// What is forbidden, and to whom.
        why: String,
        /// The Role that grants it, as YAML.
        role: String,
    },
    /// A read or write failed.
    #[error("{what}: {why}")]
    Failed {
        /// What was read or written.
        what: String,
        why: String,
    },
    /// It may have been done: the answer was lost.
    #[error("{object}: it is not known whether the change was made: {why}")]
    Unsure { object: ObjectId, why: String },
}

impl LocationError {
    /// Returns the failure as one word for logs, metrics, events and conditions.
    pub fn reason(&self) -> &'static str {
        match self {
            LocationError::Busy { .. } => "Busy",
            LocationError::Changed { .. } => "Changed",
            LocationError::Refused { .. } => "Refused",
            LocationError::TooLarge { .. } => "TooLarge",
            LocationError::Forbidden { .. } => "Forbidden",
            LocationError::Failed { .. } => "Unreachable",
            LocationError::Unsure { .. } => "NoAnswer",
        }
    }

    /// Returns the Role that grants missing permissions.
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
