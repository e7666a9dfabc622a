//! Connections to API servers: one per server and run, opened when it is first needed.

use super::client::{Server, ServerCredentials};
use crate::api::{self, KubernetesLocation};
use crate::io_error::{self, Words};
use crate::near_miss::what_there_is;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError, NamedCluster};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The default timeout of one request.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The timeout for opening a connection.
const CONNECTING: Duration = Duration::from_secs(10);
/// Number of threads for I/O.
const THREADS: usize = 2;

/// The API servers of a run.
#[derive(Debug)]
pub struct Servers {
    request_timeout: Duration,
    runtime: OnceLock<Result<Arc<Runtime>, String>>,
    /// By context; without one the in-cluster account or the current context.
    made: Mutex<BTreeMap<Option<String>, Server>>,
}

impl Default for Servers {
    fn default() -> Self {
        Servers::with_timeout(DEFAULT_TIMEOUT)
    }
}

impl Servers {
    /// Creates servers whose requests time out after `request_timeout`.
    pub fn with_timeout(request_timeout: Duration) -> Self {
        Servers { request_timeout, runtime: OnceLock::new(), made: Mutex::default() }
    }

    /// Returns the server of a location, or why it cannot be reached at all.
    pub fn of(&self, location: &KubernetesLocation) -> Result<Server, String> {
        let context = match &location.kubeconfig {
            Some(api::Kubeconfig::Context(context)) => Some(context.clone()),
            None => None,
            Some(api::Kubeconfig::SecretRef(_)) => {
                return Err("its kubeconfig is in a Secret, which the operator reads; the command line takes \
                            kubeconfig: {context: …}"
                    .to_string());
            }
        };
        let mut made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(server) = made.get(&context) {
            return Ok(server.clone());
        }
        // What failed may be there the next time: a kubeconfig that is written, a plugin that is installed.
        let server = self.connect(context.as_deref())?;
        made.insert(context, server.clone());
        Ok(server)
    }

    /// Returns the server of a kubeconfig's current context.
    pub async fn connect_by(&self, kubeconfig: Kubeconfig, name: &str) -> Result<Server, String> {
        let runtime = self.runtime()?;
        let names_proxy = kubeconfig.clusters.iter().any(names_proxy);
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let config = config.map_err(|error| format!("{name}: {error}"))?;
        self.server(directly(config, names_proxy), name, runtime)
    }

    fn connect(&self, context: Option<&str>) -> Result<Server, String> {
        let runtime = self.runtime()?;
        let (config, credentials) = runtime.block_on(configured(context))?;
        let name = context.map_or_else(|| config.cluster_url.to_string(), str::to_string);
        Ok(self.server(config, &name, runtime)?.with_credentials(credentials))
    }

    fn server(&self, config: Config, name: &str, runtime: Arc<Runtime>) -> Result<Server, String> {
        let entered = runtime.enter();
        let client = client(config, self.request_timeout).map_err(|error| format!("{name}: {error}"))?;
        drop(entered);
        Ok(Server::new(client, runtime, name, self.request_timeout))
    }

    fn runtime(&self) -> Result<Arc<Runtime>, String> {
        let runtime = self.runtime.get_or_init(|| {
            let built = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
            built.map(Arc::new).map_err(|error| format!("no threads can be started: {error}"))
        });
        runtime.clone()
    }
}

/// Reads a context of the usual kubeconfig files; without a name the current context, or the account of the Pod.
async fn configured(context: Option<&str>) -> Result<(Config, ServerCredentials), String> {
    let options = KubeConfigOptions { context: context.map(str::to_string), ..KubeConfigOptions::default() };
    let found = match Kubeconfig::read() {
        Ok(kubeconfig) => match check_context(&kubeconfig, context) {
            Ok(()) => {
                let credentials = context.or(kubeconfig.current_context.as_deref()).unwrap_or_default().into();
                let names_proxy = kubeconfig.clusters.iter().any(names_proxy);
                let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                let config = config.map(|config| directly(config, names_proxy));
                config.map(|config| (config, ServerCredentials::Context(credentials))).map_err(|error| unusable(&error))
            }
            Err(why) => Err(why),
        },
        Err(error) => Err(unusable(&error)),
    };
    match (context, found) {
        (_, Ok(found)) => Ok(found),
        (Some(_), Err(why)) => Err(why),
        (None, Err(why)) => {
            let config = Config::incluster();
            let config = config.map_err(|_| format!("{why}; and there is no in-cluster account, since this is no Pod"));
            Ok((directly(config?, false), ServerCredentials::Pod))
        }
    }
}

/// Whether a cluster of a kubeconfig names a proxy, which is not supported: the connection says so.
fn names_proxy(cluster: &NamedCluster) -> bool {
    cluster.cluster.as_ref().is_some_and(|cluster| cluster.proxy_url.is_some())
}

/// Leaves out the proxy of the environment: it is for Git servers and the platform, and API servers are reached directly.
fn directly(mut config: Config, names_proxy: bool) -> Config {
    if !names_proxy {
        config.proxy_url = None;
    }
    config
}

/// Checks that a kubeconfig has a context and what that names; the error lists what it has.
fn check_context(kubeconfig: &Kubeconfig, wanted: Option<&str>) -> Result<(), String> {
    let names = || kubeconfig.contexts.iter().map(|context| context.name.as_str());
    let name = match wanted.or(kubeconfig.current_context.as_deref()).filter(|name| !name.is_empty()) {
        Some(name) => name,
        None => {
            return Err(format!(
                "no context is the current one; {}: name one in the Tenant (kubeconfig: {{context: …}}), or kubectl \
                 config use-context",
                what_there_is("", names())
            ));
        }
    };
    let Some(context) = kubeconfig.contexts.iter().find(|context| context.name == name) else {
        return Err(format!("there is no context {name} in the kubeconfig; {}", what_there_is(name, names())));
    };
    let context = context.context.as_ref();
    let cluster = context.map(|context| context.cluster.as_str()).unwrap_or_default();
    let clusters = || kubeconfig.clusters.iter().map(|cluster| cluster.name.as_str());
    if !clusters().any(|there| there == cluster) {
        let there = what_there_is(cluster, clusters());
        return Err(format!("context {name} of the kubeconfig names cluster {cluster:?}, which is not in it; {there}"));
    }
    let users = || kubeconfig.auth_infos.iter().map(|user| user.name.as_str());
    match context.and_then(|context| context.user.as_deref()).filter(|user| !user.is_empty()) {
        Some(user) if !users().any(|there| there == user) => {
            let there = what_there_is(user, users());
            Err(format!("context {name} of the kubeconfig names user {user:?}, which is not in it; {there}"))
        }
        _ => Ok(()),
    }
}

/// Returns why a kubeconfig cannot be used. Its content is not shown, because it contains credentials.
fn unusable(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::FindPath => "there is no kubeconfig: set KUBECONFIG, or write ~/.kube/config".to_string(),
        KubeconfigError::ReadConfig(error, path) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("there is no kubeconfig {}: set KUBECONFIG, or write it", path.display())
        }
        KubeconfigError::ReadConfig(error, path) => {
            let Words { why, help } = io_error::reading(path, error);
            format!("the kubeconfig {} cannot be read: {why}; {help}", path.display())
        }
        KubeconfigError::Parse(_) => "the kubeconfig cannot be parsed: kubectl config view says where".to_string(),
        other => format!("the kubeconfig cannot be used: {other}"),
    }
}

/// Creates a client that leaves retries and timeouts to [`Server`].
pub fn client(mut config: Config, request_timeout: Duration) -> Result<kube::Client, kube::Error> {
    config.default_retry = false;
    config.connect_timeout = Some(request_timeout.min(CONNECTING));
    config.read_timeout = None;
    config.write_timeout = None;
    kube::Client::try_from(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(current: &str) -> Kubeconfig {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: \"{current}\"\n\
             contexts:\n- {{name: eu, context: {{cluster: eu-1, user: me}}}}\n- {{name: us, context: {{cluster: us-1, user: me}}}}\n\
             - {{name: old, context: {{cluster: gone, user: me}}}}\n- {{name: lost, context: {{cluster: eu-1, user: nobody}}}}\n\
             clusters:\n- {{name: eu-1, cluster: {{server: \"https://eu\"}}}}\n- {{name: us-1, cluster: {{server: \"https://us\"}}}}\n\
             users:\n- {{name: me, user: {{token: CANARY}}}}\n"
        );
        Kubeconfig::from_yaml(&text).unwrap()
    }

    /// A context that does not exist is reported with those that do.
    #[test]
    fn a_missing_context_is_reported_with_existing_ones() {
        let why = |current: &str, wanted: Option<&str>| check_context(&kubeconfig(current), wanted).unwrap_err();
        assert_eq!(
            why("eu", Some("eu-prd")),
            "there is no context eu-prd in the kubeconfig; did you mean eu? there are eu, lost, old, us"
        );
        assert!(why("gone", None).contains("there is no context gone"), "{}", why("gone", None));
        assert!(why("", None).starts_with("no context is the current one; there are eu,"), "{}", why("", None));
        assert!(why("eu", Some("old")).contains("names cluster \"gone\", which is not in it; there are eu-1, us-1"));
        assert!(why("eu", Some("lost")).contains("names user \"nobody\", which is not in it; there is me"));
        assert!(check_context(&kubeconfig("eu"), None).is_ok() && check_context(&kubeconfig(""), Some("us")).is_ok());
    }

    #[test]
    fn a_kubeconfig_that_cannot_be_parsed_is_not_shown() {
        let error = Kubeconfig::from_yaml("users: [{name: me, user: {token: CANARY}}").unwrap_err();
        assert!(!unusable(&error).contains("CANARY"), "{}", unusable(&error));
    }

    /// A proxy in the environment is for other servers; one that a kubeconfig names is refused by the client.
    #[test]
    fn the_proxy_of_the_environment_is_not_for_api_servers() {
        let with = || {
            let mut config = Config::new("https://x".parse().unwrap());
            config.proxy_url = Some("http://proxy.example:3128".parse().unwrap());
            config
        };
        assert!(directly(with(), false).proxy_url.is_none());
        assert!(directly(with(), true).proxy_url.is_some());
        let cluster = |text: &str| serde_json::from_str::<NamedCluster>(text).unwrap();
        assert!(names_proxy(&cluster(r#"{"name": "x", "cluster": {"proxy-url": "http://p"}}"#)));
        assert!(!names_proxy(&cluster(r#"{"name": "x", "cluster": {"server": "https://x"}}"#)));
    }
}
