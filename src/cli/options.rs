//! Options that several commands share.

use super::{Failure, output::Format};
use crate::engine::plan::Scope;
use crate::render::Invocation;
use crate::tenant::project::{Given, Project, open};
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The root, as the argument of a command.
#[derive(Debug, Args)]
pub struct RootArgument {
    /// The folder with the tenants
    #[arg(default_value = ".")]
    root: PathBuf,
    /// Manifests that declare a tenant: TENANT=PATH
    #[arg(long = "source", value_name = "TENANT=PATH", value_parser = tenant_and_path)]
    sources: Vec<(String, PathBuf)>,
}

/// The root, as an option of a command.
#[derive(Debug, Args)]
pub struct RootOption {
    /// The folder with the tenants
    #[arg(long, default_value = ".")]
    pub root: PathBuf,
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
        read(Given { root: self.root.clone(), paths: Vec::new(), sources: self.sources.iter().cloned().collect() })
    }
}

impl RootOption {
    /// As the person typed it, where it is not the current folder.
    pub fn typed(&self) -> Option<String> {
        Some(self.root.display().to_string()).filter(|root| root != ".")
    }

    /// Reads the project.
    pub fn open(&self) -> Result<Project, Failure> {
        read(Given { root: self.root.clone(), paths: Vec::new(), sources: BTreeMap::new() })
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
            tenants: self.tenants.iter().cloned().collect(),
            integrations: self.integrations.iter().cloned().collect(),
            syncs: self.syncs.iter().cloned().collect(),
        }
    }
}

fn tenant_and_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((tenant, path)) if !tenant.is_empty() && !path.is_empty() => Ok((tenant.to_string(), PathBuf::from(path))),
        _ => Err("write TENANT=PATH".to_string()),
    }
}
