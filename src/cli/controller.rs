//! `stablekey controller`.

use super::CommandFailure;
use crate::controller::bearer::TokenFile;
use crate::controller::log::LogFormat;
use crate::controller::options::{
    GitOptions, delete_after, git_host, git_limit, git_timeout, lease_duration, namespace, request_timeout, resync,
    tenant_limit,
};
use crate::controller::webhooks::WebhookOptions;
use crate::controller::{self, NotificationOptions, Options, Role};
use crate::git::remote::Limits;
use crate::tenant::prismatic::PlatformSettings;
use clap::{ArgGroup, Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tracing::Level;

/// Run the operator: keep every tenant in sync, continuously
///
/// In a cluster it uses its in-cluster account; elsewhere KUBECONFIG and its current context. One replica is active per
/// role, as decided by the Leases stablekey-binder, stablekey-syncer and stablekey-sender; the others stand by. It serves
/// /healthz, /readyz (what it waits for, one line each) and /metrics on the address of --listen. Logs go to standard error.
/// SIGTERM and SIGINT end it within seconds and release its Leases; a second signal ends it at once. Every option can
/// also be set by its environment variable. Exit codes: 0 ended on request, 1 an error.
///
/// Examples:
///   stablekey controller --role binder --namespace us-prod
///   stablekey controller --role syncer --namespace hub --resync 5m
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, group = ArgGroup::new("webhook_secret").multiple(true))]
pub(super) struct Controller {
    /// The role of this process
    #[arg(long, value_name = "ROLE", env = "STABLEKEY_ROLE", hide_env_values = true)]
    role: Roles,
    /// A namespace to watch (repeatable, or comma-separated)
    #[arg(
        long = "namespace",
        value_name = "NAMESPACE",
        required = true,
        value_delimiter = ',',
        value_parser = namespace,
        env = "STABLEKEY_NAMESPACE",
        hide_env_values = true
    )]
    namespaces: Vec<String>,
    /// The namespace of its Leases [default: the first --namespace]
    #[arg(
        long,
        value_name = "NAMESPACE",
        value_parser = namespace,
        env = "STABLEKEY_LEASE_NAMESPACE",
        hide_env_values = true
    )]
    lease_namespace: Option<String>,
    /// Lease duration: after a replica is killed, another takes over after this time
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "15s",
        value_parser = lease_duration,
        env = "STABLEKEY_LEASE_DURATION",
        hide_env_values = true
    )]
    lease_duration: Duration,
    /// The address that serves health, readiness and metrics
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8080",
        value_parser = listen,
        env = "STABLEKEY_LISTEN",
        hide_env_values = true
    )]
    listen: SocketAddr,
    /// A file with the bearer token that /metrics requires [default: none is required]
    ///
    /// It is read at every request. /healthz and /readyz never require a token.
    #[arg(long, value_name = "FILE", env = "STABLEKEY_METRICS_TOKEN_FILE", hide_env_values = true)]
    metrics_token_file: Option<PathBuf>,
    /// Full resync interval
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10m",
        value_parser = resync,
        env = "STABLEKEY_RESYNC",
        hide_env_values = true
    )]
    resync: Duration,
    /// How long a source must be complete and unchanged before anything is deleted because of it
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        value_parser = delete_after,
        env = "STABLEKEY_DELETE_AFTER",
        hide_env_values = true
    )]
    delete_after: Duration,
    /// The maximum memory for the data of one tenant; a tenant with more data counts as unreachable
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "48Mi",
        value_parser = tenant_limit,
        env = "STABLEKEY_TENANT_LIMIT",
        hide_env_values = true
    )]
    tenant_limit: usize,
    /// API request timeout; a cluster that takes longer counts as unreachable
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        value_parser = request_timeout,
        env = "STABLEKEY_REQUEST_TIMEOUT",
        hide_env_values = true
    )]
    request_timeout: Duration,
    /// A host that sources in Git are read from, as host or host:port (repeatable, or comma-separated) [default: none]
    ///
    /// Without it no source in Git is read. Credentials go only to hosts that their Secret names too.
    #[arg(
        long = "git-host",
        value_name = "HOST",
        value_delimiter = ',',
        value_parser = git_host,
        env = "STABLEKEY_GIT_HOSTS",
        hide_env_values = true
    )]
    git_hosts: Vec<String>,
    /// The folder for what is fetched from Git
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "/tmp/stablekey",
        env = "STABLEKEY_GIT_FOLDER",
        hide_env_values = true
    )]
    git_folder: PathBuf,
    /// The maximum size of a fetch from Git; a repository that sends more cannot be read
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "256Mi",
        value_parser = git_limit,
        env = "STABLEKEY_GIT_LIMIT",
        hide_env_values = true
    )]
    git_limit: u64,
    /// How long a question to a Git server, or a fetch, may take
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "60s",
        value_parser = git_timeout,
        env = "STABLEKEY_GIT_TIMEOUT",
        hide_env_values = true
    )]
    git_timeout: Duration,
    /// The address that receives webhooks of Git servers, at /github and /gitlab [default: none are received]
    ///
    /// A webhook means "ask this server now", and nothing more. It must be signed with the secret of its server.
    #[arg(
        long,
        value_name = "ADDRESS",
        value_parser = listen,
        requires = "webhook_secret",
        env = "STABLEKEY_WEBHOOK_LISTEN",
        hide_env_values = true
    )]
    webhook_listen: Option<SocketAddr>,
    /// A file with the secret of GitHub's webhooks [default: none are received from GitHub]
    #[arg(
        long,
        value_name = "FILE",
        group = "webhook_secret",
        env = "STABLEKEY_WEBHOOK_GITHUB_SECRET_FILE",
        hide_env_values = true
    )]
    webhook_github_secret_file: Option<PathBuf>,
    /// A file with the token of GitLab's webhooks [default: none are received from GitLab]
    #[arg(
        long,
        value_name = "FILE",
        group = "webhook_secret",
        env = "STABLEKEY_WEBHOOK_GITLAB_TOKEN_FILE",
        hide_env_values = true
    )]
    webhook_gitlab_token_file: Option<PathBuf>,
    /// A host and port at which all replicas are found: one that stands by passes webhooks on [default: none]
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_parser = peers,
        requires = "webhook_listen",
        env = "STABLEKEY_WEBHOOK_PEERS",
        hide_env_values = true
    )]
    webhook_peers: Option<String>,
    /// The Secret with the destinations of notifications, in each --namespace [default: none are sent]
    ///
    /// Each of its keys is a destination: a webhook, Slack, or GitHub or GitLab for the status of commits. Its annotation
    /// stablekey.dev/hosts names the hosts that may be sent to.
    #[arg(
        long,
        value_name = "SECRET",
        value_parser = secret_name,
        env = "STABLEKEY_NOTIFICATIONS",
        hide_env_values = true
    )]
    notifications: Option<String>,
    /// The format of log lines
    #[arg(long, value_name = "FORMAT", default_value = "json", env = "STABLEKEY_LOG_FORMAT", hide_env_values = true)]
    log_format: LogFormat,
    /// The least severe level that is logged
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "STABLEKEY_LOG_LEVEL", hide_env_values = true)]
    log_level: LogLevel,
    /// The name of this replica in its Leases [default: HOSTNAME]
    #[arg(long, value_name = "NAME", value_parser = pod_name, env = "POD_NAME", hide_env_values = true)]
    pod_name: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Roles {
    /// Connections, customer credentials, integrations; reads and writes Secrets
    Binder,
    /// Tenants and TenantSyncs; does not access the Secrets of tenants
    Syncer,
    /// Tenants on the platform, and the TenantSyncs into them; sends the Secrets that opted in
    Sender,
    /// Binder and syncer, for one cluster or for a test
    Both,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogLevel {
    /// Problems that a person must solve
    Error,
    /// Failures that are tried again
    Warn,
    /// One line per change
    Info,
    /// Also each decision about an object, and its reason
    Debug,
}

impl Controller {
    pub(super) fn run(self) -> Result<u8, CommandFailure> {
        let options = self.options();
        match controller::run(&options) {
            Ok(()) => Ok(0),
            // The last line of the log reports the error: a program that reads JSON reads nothing else.
            Err(_) if options.log_format == LogFormat::Json => Ok(1),
            Err(fault) => Err(CommandFailure::new(fault.to_string(), fault.help())),
        }
    }

    fn options(self) -> Options {
        let mut namespaces = Vec::new();
        for namespace in self.namespaces {
            if !namespaces.contains(&namespace) {
                namespaces.push(namespace);
            }
        }
        let first = namespaces.first().cloned().unwrap_or_default();
        let host = || std::env::var("HOSTNAME").ok().filter(|host| pod_name(host).is_ok());
        Options {
            roles: match self.role {
                Roles::Binder => vec![Role::Binder],
                Roles::Syncer => vec![Role::Syncer],
                Roles::Sender => vec![Role::Sender],
                Roles::Both => vec![Role::Binder, Role::Syncer],
            },
            namespaces,
            lease_namespace: self.lease_namespace.unwrap_or(first),
            lease_duration: self.lease_duration,
            listen: self.listen,
            metrics_token: self.metrics_token_file.map(TokenFile::new),
            log_format: self.log_format,
            log_level: match self.log_level {
                LogLevel::Error => Level::ERROR,
                LogLevel::Warn => Level::WARN,
                LogLevel::Info => Level::INFO,
                LogLevel::Debug => Level::DEBUG,
            },
            request_timeout: self.request_timeout,
            resync: self.resync,
            delete_after: self.delete_after,
            tenant_limit: self.tenant_limit,
            pod_name: self.pod_name.or_else(host).unwrap_or_else(|| "stablekey".to_string()),
            platform: PlatformSettings::default(),
            git: GitOptions {
                hosts: self.git_hosts,
                folder: self.git_folder,
                limits: Limits { time: self.git_timeout, bytes: self.git_limit },
                allows_loopback: false,
            },
            webhooks: self.webhook_listen.map(|listen| WebhookOptions {
                listen,
                github: self.webhook_github_secret_file.map(TokenFile::new),
                gitlab: self.webhook_gitlab_token_file.map(TokenFile::new),
                peers: self.webhook_peers,
            }),
            notifications: self.notifications.map(NotificationOptions::of),
        }
    }
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and a port, such as 0.0.0.0:8080 or [::]:8080".to_string())
}

/// Checks a host and port.
fn peers(text: &str) -> Result<String, String> {
    let is_peers = text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    match is_peers {
        true => Ok(text.to_string()),
        false => Err("write a host and a port, such as stablekey-webhooks:8081".to_string()),
    }
}

/// Checks the name of a Secret.
fn secret_name(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= 253 && text.split('.').all(is_label) {
        return Ok(text.to_string());
    }
    Err("write the name of a Secret, such as stablekey-notifications".to_string())
}

/// Checks the name of a pod.
fn pod_name(text: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if (1..=253).contains(&text.len()) && text.chars().all(is_name) {
        return Ok(text.to_string());
    }
    Err("write the name of the pod: letters, digits, - and .".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_every_flag() {
        let documentation = include_str!("../../docs/operator.md");
        let command = Controller::augment_args(clap::Command::new("controller"));
        let flags: Vec<_> = command.get_arguments().collect();
        assert_eq!(documentation.lines().filter(|line| line.starts_with("| `--")).count(), flags.len());
        for flag in flags {
            let (long, env) = (flag.get_long().unwrap(), flag.get_env().unwrap().to_str().unwrap());
            let default = flag.get_default_values().first().map(|value| format!("`{}`", value.to_str().unwrap()));
            let row = format!("| `--{long}` | `{env}` | {}", default.unwrap_or_default());
            assert!(documentation.contains(&row), "docs/operator.md should have a row that begins {row}");
        }
    }
}
