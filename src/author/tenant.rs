//! A new Tenant, with its folder.

use super::draft::Draft;
use super::editor_settings;
use super::error::AuthorError;
use super::structure;
use crate::api::{
    Kind, Kubeconfig, KubernetesLocation, LocationSpec, Object, PrismaticLocation, Resource, Source, TenantSpec,
    TokenFrom, names,
};
use crate::engine::model::item::ObjectId;
use crate::platform::import::{folder_tenant, platform_tenant};
use crate::project::Project;
use crate::tenant::directory::disk::TEMPORARY;
use std::fs::DirEntry;
use std::path::{Component, Path};

/// Where a new tenant is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In a folder.
    Directory {
        /// The folder, below the root.
        path: String,
    },
    /// In a namespace of a cluster.
    Kubernetes { context: Option<String>, namespace: String },
    /// On the platform.
    Platform { url: String, tenant_id: Option<String>, token_from: Option<TokenFrom> },
}

/// A new tenant, as a person asks for it.
#[derive(Clone, Debug)]
pub struct NewTenant {
    pub name: String,
    pub whereabouts: Whereabouts,
    /// The folder with its manifests, where its location is not that folder; by default its name.
    pub source: Option<String>,
    pub region: Option<String>,
    pub environment: Option<String>,
    /// The tenants whose syncs it takes.
    pub accept_from: Vec<String>,
}

impl NewTenant {
    /// The spec of the Tenant.
    pub fn spec(&self) -> TenantSpec {
        let source = || self.source.clone().unwrap_or_else(|| self.name.clone());
        let spec = match &self.whereabouts {
            Whereabouts::Directory { path } => {
                let source = self.source.clone().map(Source::of_path);
                TenantSpec { source, ..folder_tenant(path) }
            }
            Whereabouts::Kubernetes { context, namespace } => {
                let kubeconfig = context.clone().map(Kubeconfig::Context);
                let location = KubernetesLocation { namespace: namespace.clone(), kubeconfig };
                TenantSpec {
                    location: Some(LocationSpec::Kubernetes(location)),
                    source: Some(Source::of_path(source())),
                    ..TenantSpec::default()
                }
            }
            Whereabouts::Platform { url, tenant_id, token_from } => {
                let location = PrismaticLocation {
                    url: url.trim().trim_end_matches('/').to_string(),
                    tenant_id: tenant_id.clone(),
                    token_from: token_from.clone(),
                    secrets: None,
                    publish: None,
                };
                platform_tenant(location, &source())
            }
        };
        let (region, environment) = (self.region.clone(), self.environment.clone());
        TenantSpec { region, environment, accept_from: self.accept_from.clone(), ..spec }
    }

    /// The folders of the tenant, below the root.
    pub fn folders(&self) -> Vec<String> {
        self.spec().folders()
    }
}

/// A name of a tenant says where it is: `us-prod` is in region us, environment prod.
pub fn said_by_name(name: &str) -> (Option<String>, Option<String>) {
    const REGIONS: [&str; 8] = ["us", "eu", "uk", "ca", "au", "ap", "jp", "in"];
    const ENVIRONMENTS: [&str; 7] = ["prod", "production", "staging", "stage", "test", "dev", "sandbox"];
    let part = |of: &[&str]| name.split(['-', '.']).find(|part| of.contains(part)).map(str::to_string);
    (part(&REGIONS), part(&ENVIRONMENTS))
}

/// Adds a Tenant, and its folders where they are not there yet. The Tenant is written last, so that the same command
/// finishes one that was interrupted; a Tenant that is there and equal stays.
pub fn add(draft: &mut Draft<'_>, asked: &NewTenant) -> Result<(), AuthorError> {
    let project = draft.project;
    let is_there = project.tenants.get(&asked.name).is_some_and(|there| there.spec == asked.spec());
    if !is_there {
        structure::is_new(project, &ObjectId::new(Kind::Tenant, &asked.name))?;
    }
    for other in &asked.accept_from {
        super::home::tenant(project, other)?;
    }
    for folder in asked.folders().iter().filter(|_| !is_there) {
        is_free(project, &asked.name, folder)?;
    }
    for folder in asked.folders() {
        if let Some(keep) = keep(&project.root, &folder) {
            draft.put_new(&project.root.join(keep), Vec::new())?;
        }
    }
    editor_settings::add(draft, &asked.folders())?;
    if !is_there {
        structure::add(draft, &Resource::from(Object::new(&asked.name, asked.spec())))?;
    }
    Ok(())
}

/// The file below the root that keeps a new folder in Git, which knows no empty folder; `None` where none is needed.
pub(super) fn keep(root: &Path, folder: &str) -> Option<String> {
    // What an interrupted command left there is removed.
    let is_left = |entry: &DirEntry| entry.file_name().to_string_lossy().starts_with(TEMPORARY);
    let mut entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let is_filled = entries.any(|entry| !is_left(&entry));
    (!is_filled).then(|| format!("{}/.gitkeep", folder.trim_end_matches('/')))
}

/// Fails if a folder is another tenant's, or cannot be one.
pub(super) fn is_free(project: &Project, tenant: &str, folder: &str) -> Result<(), AuthorError> {
    let is_below = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if folder.trim().is_empty() || !Path::new(folder).components().all(is_below) {
        let message = format!("{folder:?} cannot be the folder of {tenant}");
        return Err(AuthorError::refused(message, "give a path below the root, such as tenants/eu-prod"));
    }
    let path = project.root.join(folder);
    if let Some(owner) = project.owner(&path) {
        let message = format!("{} is a folder of tenant {owner}", path.display());
        return Err(AuthorError::refused(message, "give another folder, or another name"));
    }
    if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()) {
        let message = format!("{} is no folder", path.display());
        return Err(AuthorError::refused(message, format!("give {tenant} another folder, or move that file")));
    }
    Ok(())
}

/// The token of a tenant in the environment, as names of variables are written.
pub fn token_variable(tenant: &str) -> String {
    let name = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("STABLEKEY_TOKEN_{}", tenant.chars().map(name).collect::<String>())
}

/// Whether a text can be the name of a tenant.
pub fn is_name(name: &str) -> bool {
    names::is_object_name(name)
}
