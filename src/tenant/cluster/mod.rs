//! Tenants whose location is a namespace of a Kubernetes cluster.

pub mod body;
mod doctor;
pub mod followed;
pub mod hub;
pub mod read;
mod session;

use super::location::{HealthCheck, Location, LocationError, Session, Snapshot};
use crate::engine::model::inventory::{Capabilities, Inventory};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, Change};
use crate::kubernetes::cache::{Contents, NamespaceDelta};
use crate::kubernetes::client::Server;
use crate::kubernetes::object::Version;
use crate::kubernetes::paths::Paths;
use followed::FollowedNamespace;
use session::ClusterSession;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

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

    /// Follows the namespace until the handle is dropped, and calls `changed` when something of it changed, or may have.
    pub fn follow(&self, changed: impl Fn() + Send + Sync + 'static) -> FollowedNamespace {
        FollowedNamespace::start(&self.server, &self.paths, changed)
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
