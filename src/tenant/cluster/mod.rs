//! Tenants whose location is a namespace of a Kubernetes cluster.

pub mod body;
mod doctor;
pub mod hub;
pub mod read;
mod session;

use super::location::{HealthCheck, Location, LocationError, Session, Snapshot};
use crate::api::Kind;
use crate::engine::model::inventory::{Capabilities, Inventory};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, Change};
use crate::kubernetes::budget::Budget;
use crate::kubernetes::cache::{Contents, NamespaceDelta};
use crate::kubernetes::client::Server;
use crate::kubernetes::error::RequestError;
use crate::kubernetes::object::Version;
use crate::kubernetes::paths::Paths;
use crate::kubernetes::watch::{self, WatchEvent, WatchHandle};
use session::ClusterSession;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The most memory of objects that a watch delivered and that were not evaluated yet, in bytes.
const WATCHED: usize = 256 * 1024 * 1024;

/// A namespace.
pub struct ClusterLocation {
    tenant: String,
    server: Server,
    paths: Paths,
    /// The last read objects, which writes are checked against.
    read: Mutex<Option<LastRead>>,
    /// Whether a session is open.
    taken: AtomicBool,
    /// Receives the server's answers to writes.
    listener: Option<Listener>,
}

/// Receives an object as it is after a write.
pub type Listener = Arc<dyn Fn(NamespaceDelta) + Send + Sync>;

/// The last read objects, and the metadata that a write needs.
#[derive(Clone)]
struct LastRead {
    inventory: Arc<Inventory>,
    versions: Arc<BTreeMap<ObjectId, Version>>,
}

impl std::fmt::Debug for ClusterLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClusterLocation({} of {})", self.paths.namespace(), self.server.name())
    }
}

impl ClusterLocation {
    /// Creates the location of `tenant` in a namespace of a server.
    pub fn new(tenant: &str, server: Server, namespace: &str) -> Self {
        ClusterLocation {
            tenant: tenant.to_string(),
            server,
            paths: Paths::of(namespace),
            read: Mutex::default(),
            taken: AtomicBool::new(false),
            listener: None,
        }
    }

    /// Creates a location whose objects are cached already, so that it need not be read. Answers to writes are passed
    /// to `listener`, like watch events.
    pub fn knowing(
        mut self,
        inventory: Arc<Inventory>,
        versions: Arc<BTreeMap<ObjectId, Version>>,
        listener: Listener,
    ) -> Self {
        self.read = Mutex::new(Some(LastRead { inventory, versions }));
        self.listener = Some(listener);
        self
    }

    /// Calls `changed` when an object of the namespace changed, or may have, until the handle is dropped; with the reason
    /// while changes may go unnoticed.
    pub fn follow(&self, changed: impl Fn(Option<&RequestError>) + Send + Sync + 'static) -> WatchHandle {
        // The first list has nothing new, but what changed before it would be missed: it counts once as a whole.
        let listed: Mutex<BTreeSet<&'static str>> = Mutex::default();
        let lost: Mutex<BTreeMap<&'static str, RequestError>> = Mutex::default();
        let on_event = move |event: WatchEvent<NamespaceDelta>| {
            let mut listed = listed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut lost = lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let is_change = match event {
                WatchEvent::Watched(resource) => listed.insert(resource) | lost.remove(resource).is_some(),
                WatchEvent::Changed(delta, _) => listed.contains(resource_of(&delta)),
                // A server that is down is reported again and again.
                WatchEvent::Lost(resource, why) => lost.insert(resource, why).is_none(),
                WatchEvent::Rewound(_) => true,
            };
            drop(listed);
            let why = lost.values().next().cloned();
            drop(lost);
            if is_change {
                changed(why.as_ref());
            }
        };
        let mut watches = watch::namespace(&self.server, &self.paths, Budget::of(WATCHED), Arc::new(on_event));
        watch::customers(&mut watches);
        watches.done()
    }

    fn contents(&self) -> Result<Contents, LocationError> {
        let contents = self.server.wait(read::contents(&self.server, &self.paths))?;
        let read = LastRead { inventory: contents.inventory.clone(), versions: contents.versions.clone() };
        *self.last_read() = Some(read);
        Ok(contents)
    }

    /// Fails if the namespace itself does not exist.
    fn checked(&self) -> Result<(), LocationError> {
        match self.server.wait(read::absence(&self.server, &self.paths)) {
            Some(why) => Err(LocationError::Failed { what: self.server.name().to_string(), why }),
            None => Ok(()),
        }
    }

    fn last_read(&self) -> std::sync::MutexGuard<'_, Option<LastRead>> {
        self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns what was read last, or reads it now.
    fn known(&self) -> Result<LastRead, LocationError> {
        let last = self.last_read().clone();
        last.map_or_else(
            || self.contents().map(|Contents { inventory, versions, .. }| LastRead { inventory, versions }),
            Ok,
        )
    }
}

/// The resource that a change is of.
fn resource_of(delta: &NamespaceDelta) -> &'static str {
    match delta {
        NamespaceDelta::Tenants(_) => Kind::Tenant.plural(),
        NamespaceDelta::Items(kind, _) => kind.plural(),
        NamespaceDelta::Definitions(_) => "configmaps",
    }
}

impl Location for ClusterLocation {
    fn snapshot(&self) -> Result<Snapshot, LocationError> {
        let contents = match self.contents() {
            // The list of a namespace that does not exist is empty.
            Ok(contents) if contents.inventory.is_empty() && contents.own.is_empty() => {
                self.checked()?;
                contents
            }
            // In a namespace that does not exist everything is forbidden.
            Err(forbidden @ LocationError::Forbidden { .. }) => {
                self.checked()?;
                return Err(forbidden);
            }
            other => other?,
        };
        Ok(Snapshot { inventory: contents.inventory, own: contents.own, ..Snapshot::default() })
    }

    fn definition(&self, integration: &str) -> Result<Vec<u8>, LocationError> {
        self.server.wait(read::definition(&self.server, &self.paths, integration))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::CLUSTER
    }

    fn largest_definition(&self) -> u64 {
        crate::kubernetes::config_maps::LARGEST
    }

    fn begin<'a>(&'a self, _: &[&Change]) -> Result<Box<dyn Session + 'a>, LocationError> {
        // Other processes are detected by uid and resourceVersion of each object.
        if self.taken.swap(true, Ordering::SeqCst) {
            return Err(LocationError::Busy { who: self.tenant.clone() });
        }
        let session = self.known().map(|read| ClusterSession::of(self, read));
        if session.is_err() {
            self.taken.store(false, Ordering::SeqCst);
        }
        Ok(Box::new(session?))
    }

    fn diagnose(&self) -> Vec<HealthCheck> {
        self.checks()
    }

    fn dry_run(&self, actions: &[&Action]) -> Result<Vec<(ObjectId, LocationError)>, LocationError> {
        session::dry_run(self, &self.known()?, actions)
    }
}
