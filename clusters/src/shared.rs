//! The clusters of this process, and namespaces in them.
//!
//! A cluster takes seconds to start, a namespace hundredths: so tests share clusters, and each has a
//! namespace for itself.

use crate::audit::{Mark, Request};
use crate::kubectl::run;
use crate::{Cluster, Error, Options};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

/// How much of the API server's log a failed test shows.
const TAIL: usize = 40;

type Slot = &'static OnceLock<Cluster>;

/// Clusters that have been asked for: the one state that outlives a test. They end with the process.
static CLUSTERS: Mutex<BTreeMap<Options, Slot>> = Mutex::new(BTreeMap::new());

/// The cluster `name` of this process, with our CRDs; started when first asked for.
///
/// # Panics
///
/// If it cannot be started: a test cannot go on then.
pub fn shared(name: &str) -> &'static Cluster {
    shared_with(Options::named(name))
}

/// Several shared clusters; those not started yet are started side by side.
///
/// # Panics
///
/// As [`shared`].
pub fn shared_all<const N: usize>(names: [&str; N]) -> [&'static Cluster; N] {
    std::thread::scope(|scope| {
        for name in names {
            scope.spawn(move || shared(name));
        }
    });
    names.map(shared)
}

/// The cluster of this process that is as `options` say.
///
/// # Panics
///
/// As [`shared`].
pub fn shared_with(options: Options) -> &'static Cluster {
    let mut clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
    let slot: Slot = clusters.entry(options.clone()).or_insert_with(|| Box::leak(Box::default()));
    // Let go before the start, so that others can start beside it.
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
    /// A new namespace for one test.
    ///
    /// # Panics
    ///
    /// If it cannot be made: the test cannot go on then.
    pub fn namespace(&self, prefix: &str) -> Namespace<'_> {
        Namespace::create(self, prefix).unwrap_or_else(|error| fail(&error))
    }
}

/// A namespace for one test. If the test fails, it shows what the API server logged and was asked here.
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

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster that it is in.
    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// kubectl in this namespace, as the administrator.
    pub fn kubectl(&self) -> Command {
        let mut kubectl = self.cluster.kubectl();
        kubectl.args(["--namespace", &self.name]);
        kubectl
    }

    /// The requests for this namespace since it was made.
    pub fn audit(&self) -> Result<Vec<Request>, Error> {
        self.audit_since(self.mark)
    }

    /// The requests for this namespace since `mark`.
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
