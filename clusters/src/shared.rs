//! The clusters of this process, and namespaces in them.
//!
//! A cluster takes seconds to start and a namespace hundredths, so tests share clusters, and each has a namespace of
//! its own.

use crate::audit::{Mark, Request};
use crate::kubectl::run;
use crate::{Cluster, Error, Options};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Number of lines of the API server's log that a failed test shows.
const TAIL: usize = 40;

type Slot = &'static OnceLock<Cluster>;

/// The shared clusters: the only state that outlives a test. They end with the process.
static CLUSTERS: Mutex<BTreeMap<Options, Slot>> = Mutex::new(BTreeMap::new());

/// Returns the cluster `name` of this process, with the CRDs; the first call starts it.
///
/// # Panics
///
/// If it cannot be started, because a test cannot continue then.
pub fn shared(name: &str) -> &'static Cluster {
    shared_with(Options::named(name))
}

/// Returns several shared clusters; those that are not running are started in parallel.
///
/// # Panics
///
/// Like [`shared`].
pub fn shared_all<const N: usize>(names: [&str; N]) -> [&'static Cluster; N] {
    std::thread::scope(|scope| {
        for name in names {
            scope.spawn(move || shared(name));
        }
    });
    names.map(shared)
}

/// Returns the cluster of this process with these options.
///
/// # Panics
///
/// Like [`shared`].
pub fn shared_with(options: Options) -> &'static Cluster {
    let mut clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
    let slot: Slot = clusters.entry(options.clone()).or_insert_with(|| Box::leak(Box::default()));
    // Released before the start, so that others can start in parallel.
    drop(clusters);
    slot.get_or_init(|| start(&options).unwrap_or_else(|error| fail(&error)))
}

fn start(options: &Options) -> Result<Cluster, Error> {
    let cluster = Cluster::start(options)?;
    cluster.install_crds()?;
    Ok(cluster)
}

#[expect(clippy::panic, reason = "a test that has no cluster, or cannot ask it, has failed")]
fn fail(error: &Error) -> ! {
    panic!("{error}")
}

impl Cluster {
    /// Creates a namespace for one test.
    ///
    /// # Panics
    ///
    /// If it cannot be created, because the test cannot continue then.
    pub fn namespace(&self, prefix: &str) -> Namespace<'_> {
        Namespace::create(self, prefix).unwrap_or_else(|error| fail(&error))
    }
}

/// A namespace for one test. If the test fails, it shows the API server's log and the requests in the namespace.
#[derive(Debug)]
pub struct Namespace<'a> {
    cluster: &'a Cluster,
    name: String,
    mark: Mark,
}

impl<'a> Namespace<'a> {
    fn create(cluster: &'a Cluster, prefix: &str) -> Result<Self, Error> {
        let name = cluster.unique(prefix);
        let mark = cluster.mark()?;
        run(cluster.kubectl().args(["create", "namespace", &name]))?;
        Ok(Self { cluster, name, mark })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the cluster of the namespace.
    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// Returns a kubectl of the administrator in this namespace.
    pub fn kubectl(&self) -> Command {
        let mut kubectl = self.cluster.kubectl();
        kubectl.args(["--namespace", &self.name]);
        kubectl
    }

    /// Returns the requests in this namespace since it was created.
    pub fn audit(&self) -> Result<Vec<Request>, Error> {
        self.audit_since(self.mark)
    }

    /// Returns the requests in this namespace since `mark`.
    pub fn audit_since(&self, mark: Mark) -> Result<Vec<Request>, Error> {
        let mut requests = self.cluster.audit_since(mark)?;
        requests.retain(|request| request.namespace == self.name);
        Ok(requests)
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show();
        }
    }
}

impl Namespace<'_> {
    #[expect(clippy::print_stderr, reason = "for whoever reads why a test failed")]
    fn show(&self) {
        eprintln!("\nasked of {} in namespace {}:", self.cluster.name(), self.name);
        match self.audit() {
            Ok(requests) => requests.iter().for_each(|request| eprintln!("  {request}")),
            Err(error) => eprintln!("  {error}"),
        }
        eprintln!("the end of its API server's log:");
        self.cluster.log_tail(TAIL).lines().for_each(|line| eprintln!("  {line}"));
    }
}
