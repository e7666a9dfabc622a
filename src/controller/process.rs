//! One process of the operator, from start to end.

use super::binder;
use super::context::Context;
use super::election::{Election, LeaderState, Timings};
use super::events::Events;
use super::log::{self, ReconcileIds, random};
use super::metrics::Metrics;
use super::options::Options;
use super::probes::http::Health;
use super::probes::readiness::Readiness;
use super::probes::role::RoleStatus;
use super::role::Role;
use super::stop::{Stop, Stopper};
use super::syncer;
use super::webhooks::{self, PollRequests, Webhooks};
use crate::api::KubernetesLocation;
use crate::kubernetes::budget::Turns;
use crate::kubernetes::client::Server;
use crate::kubernetes::connect::Servers;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{error, info};

/// How long the last events may take to be sent when the process ends.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// An error that ends the operator.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no cluster to work in.
    #[error("{0}")]
    Cluster(String),
    /// The address of the probes cannot be listened on.
    #[error("{address} cannot be listened on: {why}")]
    Listen { address: SocketAddr, why: std::io::Error },
    /// The file with the metrics' token cannot be read.
    #[error("the metrics' token cannot be read from {}: {why}", file.display())]
    MetricsToken { file: PathBuf, why: std::io::Error },
    /// The file with the secret of webhooks cannot be read.
    #[error("the secret of webhooks cannot be read from {}: {why}", file.display())]
    WebhookSecret { file: PathBuf, why: std::io::Error },
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
    /// A role's work ended.
    #[error("the {role} ended: {why}")]
    Role { role: Role, why: String },
    /// A panic, that is a bug. Its message may be secret; the log has its location.
    #[error("internal error: report it, with the last lines of the log")]
    Mistake,
}

impl Fault {
    /// Returns what to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            Fault::Cluster(_) => "run it in a cluster, or name one: KUBECONFIG, or kubectl config use-context",
            Fault::Listen { .. } => "give a free one: --listen 0.0.0.0:8081",
            Fault::MetricsToken { .. } => "write a token to it, or leave out --metrics-token-file",
            Fault::WebhookSecret { .. } => "write the secret to it, as the Git server has it",
            Fault::Signals(_) | Fault::Role { .. } | Fault::Mistake => {
                "start it again; if it goes on, the log says more"
            }
        }
    }
}

/// Runs the operator until SIGTERM or SIGINT. A second signal ends it at once.
pub fn run(options: &Options) -> Result<(), Fault> {
    take_small_pages();
    log::start(options.log_format, options.log_level);
    options.log();
    let result = connect(options).and_then(|(servers, server, metrics)| {
        let result = server.wait(serve(options, &servers, &server, metrics));
        // The process ends without waiting for threads that are still reading.
        std::mem::forget((servers, server));
        result
    });
    match &result {
        Ok(()) => info!("ended"),
        Err(fault) => error!(why = %fault, help = fault.help(), "ended"),
    }
    result
}

fn connect(options: &Options) -> Result<(Arc<Servers>, Server, Metrics), Fault> {
    let namespace = options.namespaces.first().cloned().unwrap_or_default();
    let servers = Arc::new(Servers::with_timeout(options.request_timeout));
    let home = KubernetesLocation { namespace, kubeconfig: None };
    let server = servers.of(&home).map_err(Fault::Cluster)?;
    let metrics = Metrics::new();
    let server = server.observed(metrics.observer(server.name())).settling();
    Ok((servers, server, metrics))
}

async fn serve(options: &Options, servers: &Arc<Servers>, server: &Server, metrics: Metrics) -> Result<(), Fault> {
    if let Some(file) = &options.metrics_token {
        file.check().map_err(|why| Fault::MetricsToken { file: file.path().to_path_buf(), why })?;
    }
    let (stopper, stop) = Stop::new();
    let stopper = Arc::new(stopper);
    let signals = Signals::listen().map_err(Fault::Signals)?;
    let cannot = |why| Fault::Listen { address: options.listen, why };
    let listener = TcpListener::bind(options.listen).await.map_err(cannot)?;
    info!(address = %listener.local_addr().map_err(cannot)?, cluster = server.name(), "serves /healthz, /readyz and /metrics");
    let readiness = Readiness::of(options.namespaces.len());
    let health = Health { metrics, readiness, metrics_token: options.metrics_token.clone(), ..Health::default() };
    // Spawned tasks are aborted when this value is dropped.
    let mut besides = JoinSet::new();
    besides.spawn(health.clone().serve(listener));
    besides.spawn(signals.wait(stopper.clone()));
    let polls = PollRequests::default();
    if let Some(options) = &options.webhooks {
        for file in options.github.iter().chain(&options.gitlab) {
            file.check().map_err(|why| Fault::WebhookSecret { file: file.path().to_path_buf(), why })?;
        }
        let cannot = |why| Fault::Listen { address: options.listen, why };
        let listener = webhooks::listen(options).await.map_err(cannot)?;
        besides.spawn(Webhooks::new(options, polls.clone()).serve(listener));
    }
    let mut roles = JoinSet::new();
    let turns = Turns::default();
    for role in &options.roles {
        let process = RoleProcess {
            role: *role,
            options: options.clone(),
            servers: servers.clone(),
            server: server.clone(),
            health: health.clone(),
            stop: stop.clone(),
            passes: Arc::new(ReconcileIds::default()),
            turns: turns.clone(),
            polls: polls.clone(),
        };
        roles.spawn(process.lead());
    }
    let mut result = Ok(());
    while let Some(ended) = roles.join_next().await {
        let ended = ended.unwrap_or(Err(Fault::Mistake));
        // If one role cannot continue, the process is restarted. The other role releases its Lease first.
        stopper.stop();
        result = result.and(ended);
    }
    result
}

/// The signals that end a process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let before = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // The order matters: only the second signal may find the flag set.
            signal_hook::flag::register_conditional_shutdown(signal, 1, before.clone())?;
            signal_hook::flag::register(signal, before.clone())?;
        }
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(mut self, stopper: Arc<Stopper>) {
        let signal = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        info!(signal, "shutting down; a second signal ends the process at once");
        stopper.stop();
        std::future::pending().await
    }
}

struct RoleProcess {
    role: Role,
    options: Options,
    servers: Arc<Servers>,
    server: Server,
    health: Health,
    stop: Stop,
    passes: Arc<ReconcileIds>,
    turns: Turns,
    polls: PollRequests,
}

impl RoleProcess {
    /// Stands by and leads, until the process is asked to end.
    async fn lead(self) -> Result<(), Fault> {
        let election = Election {
            server: self.server.clone(),
            namespace: self.options.lease_namespace.clone(),
            name: self.role.lease().to_string(),
            identity: format!("{}_{:08x}", self.options.pod_name, random() >> 32),
            timings: Timings::of(self.options.lease_duration),
        };
        let status = RoleStatus::new(self.role, &self.health, &election);
        let on_state = |standing: LeaderState| status.set(standing);
        let work = |leadership| work(self.context(leadership, &election.identity));
        let ended = election.lead(&self.stop, on_state, work).await.unwrap_or(Ok(()));
        ended.map_err(|why| Fault::Role { role: self.role, why })
    }

    fn context(&self, leadership: super::election::Leadership, identity: &str) -> Context {
        let led = leadership.clone();
        let server = self.server.guarded(Arc::new(move || led.holds()));
        Context {
            role: self.role,
            events: Events::new(&server, self.role, identity, leadership.clone()),
            server,
            servers: self.servers.clone(),
            namespaces: self.options.namespaces.clone().into(),
            leadership,
            stop: self.stop.clone(),
            metrics: self.health.metrics.clone(),
            readiness: self.health.readiness.clone(),
            heartbeats: self.health.heartbeats.clone(),
            passes: self.passes.clone(),
            resync: self.options.resync,
            delete_after: self.options.delete_after,
            tenant_limit: self.options.tenant_limit,
            turns: self.turns.clone(),
            replica: self.options.pod_name.as_str().into(),
            platform: self.options.platform,
            git: Arc::new(self.options.git.clone()),
            polls: self.polls.clone(),
            notifications: self.options.notifications.clone(),
        }
    }
}

/// Runs a role's work, and sends its events in parallel.
async fn work(context: Context) -> Result<(), String> {
    let events = context.events.clone();
    let work = async {
        let done = work_of_role(context).await;
        events.flush(LAST_EVENTS).await;
        done
    };
    tokio::select! {
        done = work => done,
        never = events.send() => match never {},
    }
}

async fn work_of_role(context: Context) -> Result<(), String> {
    match context.role {
        Role::Binder => binder::run(context).await,
        Role::Syncer | Role::Sender => syncer::run(context).await,
    }
}

/// Disables transparent huge pages. The caches are small and scattered, and in huge pages they would take almost twice
/// the memory. A short command is faster with huge pages, so only the operator does this.
fn take_small_pages() {
    // An error means that the kernel has no such setting.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
