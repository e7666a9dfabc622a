//! Options that several commands share.

use super::{Failure, output::Format};
use crate::api::Kind;
use crate::engine::plan::Scope;
use crate::render::Invocation;
use crate::tenant::kubernetes::connect::Servers;
use crate::tenant::project::{Given, Project, open};
use clap::Args;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The clusters that tenants are in.
#[derive(Debug, Args)]
pub struct ClusterOptions {
    /// How long a cluster may take for one answer, in seconds; then it counts as unreachable
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    request_timeout: Duration,
    /// Connections are kept for what is read after an apply.
    #[arg(skip)]
    servers: OnceLock<Arc<Servers>>,
}

impl ClusterOptions {
    fn servers(&self) -> Arc<Servers> {
        self.servers.get_or_init(|| Arc::new(Servers::with_patience(self.request_timeout))).clone()
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.filter(|d| !d.is_zero()).ok_or_else(|| "write a number of seconds, more than 0".to_string())
}

/// The root, as the argument of a command.
#[derive(Debug, Args)]
pub struct RootArgument {
    /// The folder with the tenants
    #[arg(default_value = ".")]
    root: PathBuf,
    /// Manifests that declare a tenant: TENANT=PATH
    #[arg(long = "source", value_name = "TENANT=PATH", value_parser = tenant_and_path)]
    sources: Vec<(String, PathBuf)>,
    #[command(flatten)]
    clusters: ClusterOptions,
}

/// The root, as an option of a command.
#[derive(Debug, Args)]
pub struct RootOption {
    /// The folder with the tenants
    #[arg(long, default_value = ".")]
    pub root: PathBuf,
    #[command(flatten)]
    clusters: ClusterOptions,
}

/// How the result is written.
#[derive(Debug, Args)]
pub struct FormatOption {
    /// The form of the result
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    pub output: Format,
}

/// What a plan is narrowed to.
#[derive(Clone, Debug, Default, Args)]
pub struct Narrowing {
    /// Only this tenant (repeatable)
    #[arg(long = "tenant", value_name = "TENANT")]
    pub tenants: Vec<String>,
    /// Only this integration and the connections that it uses (repeatable)
    #[arg(long = "integration", value_name = "NAME")]
    pub integrations: Vec<String>,
    /// Only this sync; FROM:TO adds one that is not written down (repeatable)
    #[arg(long = "sync", value_name = "NAME|FROM:TO")]
    pub syncs: Vec<String>,
}

impl RootArgument {
    /// What the person typed, as far as the next command needs it too.
    pub fn invocation(&self, narrowing: &Narrowing) -> Invocation {
        let root = self.root.display().to_string();
        let sources = self.sources.iter().flat_map(|(t, p)| ["--source".to_string(), format!("{t}={}", p.display())]);
        let narrowed = narrowing.arguments().chain(sources).collect();
        Invocation { root: (root != ".").then_some(root), narrowed, is_apply: false }
    }

    /// Reads the project.
    pub fn open(&self) -> Result<Project, Failure> {
        read(Given {
            root: self.root.clone(),
            sources: self.sources.iter().cloned().collect(),
            servers: Some(self.clusters.servers()),
            ..Given::default()
        })
    }
}

impl RootOption {
    /// As the person typed it, where it is not the current folder.
    pub fn typed(&self) -> Option<String> {
        Some(self.root.display().to_string()).filter(|root| root != ".")
    }

    /// Reads the project.
    pub fn open(&self) -> Result<Project, Failure> {
        read(Given { root: self.root.clone(), servers: Some(self.clusters.servers()), ..Given::default() })
    }
}

fn read(given: Given) -> Result<Project, Failure> {
    if !given.root.is_dir() {
        let message = format!("{} is no folder", given.root.display());
        return Err(Failure::new(message, "give the folder in which the Tenants and their folders lie"));
    }
    Ok(open(&given, &mut std::io::empty()))
}

impl Narrowing {
    /// As arguments.
    fn arguments(&self) -> impl Iterator<Item = String> {
        let of = |option: &str, values: &[String]| {
            values.iter().flat_map(|v| [option.to_string(), v.clone()]).collect::<Vec<_>>()
        };
        let all = [of("--tenant", &self.tenants), of("--integration", &self.integrations), of("--sync", &self.syncs)];
        all.into_iter().flatten()
    }

    /// As the plan writes it down.
    pub fn scope(&self) -> Scope {
        Scope {
            tenants: self.tenants.iter().map(|name| Kind::Tenant.name_in(name).to_string()).collect(),
            integrations: self.integrations.iter().map(|name| Kind::Integration.name_in(name).to_string()).collect(),
            // A plan calls it by its writer: sync/us-to-eu.
            syncs: self
                .syncs
                .iter()
                .map(|name| Kind::TenantSync.name_in(name.strip_prefix("sync/").unwrap_or(name)).to_string())
                .collect(),
        }
    }
}

fn tenant_and_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((tenant, path)) if !tenant.is_empty() && !path.is_empty() => Ok((tenant.to_string(), PathBuf::from(path))),
        _ => Err("write TENANT=PATH".to_string()),
    }
}
