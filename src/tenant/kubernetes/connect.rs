//! Connections to API servers: one for each that tenants of a run are in, made when it is first asked for.

use super::server::Server;
use crate::api::{self, KubernetesPlace};
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// How long one request may take where nobody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(10);
/// Threads that move bytes and read answers.
const THREADS: usize = 2;

/// The API servers of a run.
#[derive(Debug)]
pub struct Servers {
    patience: Duration,
    runtime: OnceLock<Result<Arc<Runtime>, String>>,
    /// By context; without one the in-cluster account or the current context.
    made: Mutex<BTreeMap<Option<String>, Result<Server, String>>>,
}

impl Default for Servers {
    fn default() -> Self {
        Servers::with_patience(PATIENCE)
    }
}

impl Servers {
    /// Servers of which each answers within `patience`, or counts as not reachable.
    pub fn with_patience(patience: Duration) -> Self {
        Servers { patience, runtime: OnceLock::new(), made: Mutex::default() }
    }

    /// The server that a place names; what is wrong, in words, where it cannot even be asked.
    pub fn of(&self, place: &KubernetesPlace) -> Result<Server, String> {
        let context = match &place.kubeconfig {
            Some(api::Kubeconfig::Context(context)) => Some(context.clone()),
            None => None,
            Some(api::Kubeconfig::SecretRef(_)) => {
                return Err("its kubeconfig is in a Secret, which the operator reads; the command line takes \
                            kubeconfig: {context: …}"
                    .to_string());
            }
        };
        let mut made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        made.entry(context).or_insert_with_key(|context| self.connect(context.as_deref())).clone()
    }

    /// The server that a kubeconfig's current context names.
    pub async fn connect_by(&self, kubeconfig: Kubeconfig, name: &str) -> Result<Server, String> {
        let runtime = self.runtime()?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        self.server(config.map_err(|error| format!("{name}: {error}"))?, name, runtime)
    }

    fn connect(&self, context: Option<&str>) -> Result<Server, String> {
        let runtime = self.runtime()?;
        let config = runtime.block_on(async {
            match context {
                Some(context) => {
                    let options =
                        KubeConfigOptions { context: Some(context.to_string()), ..KubeConfigOptions::default() };
                    Config::from_kubeconfig(&options).await.map_err(|error| format!("context {context}: {error}"))
                }
                None => Config::infer()
                    .await
                    .map_err(|error| format!("there is neither a current context nor an in-cluster account: {error}")),
            }
        })?;
        let name = context.map_or_else(|| config.cluster_url.to_string(), str::to_string);
        self.server(config, &name, runtime)
    }

    fn server(&self, config: Config, name: &str, runtime: Arc<Runtime>) -> Result<Server, String> {
        let entered = runtime.enter();
        let client = client(config, self.patience).map_err(|error| format!("{name}: {error}"))?;
        drop(entered);
        Ok(Server::new(client, runtime, name, self.patience))
    }

    fn runtime(&self) -> Result<Arc<Runtime>, String> {
        let runtime = self.runtime.get_or_init(|| {
            let built = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
            built.map(Arc::new).map_err(|error| format!("no threads can be started: {error}"))
        });
        runtime.clone()
    }
}

/// A client that leaves it to [`Server`] what is asked again, and how long is waited.
pub fn client(mut config: Config, patience: Duration) -> Result<kube::Client, kube::Error> {
    config.default_retry = false;
    config.connect_timeout = Some(patience.min(CONNECTING));
    config.read_timeout = None;
    config.write_timeout = None;
    kube::Client::try_from(config)
}
