//! The files of an import into a directory tenant.

use super::ImportedTenant;
use crate::api::{DirectoryLocation, Kind, LocationSpec, Object, PrismaticLocation, Resource, Source, TenantSpec};
use crate::manifest::{WriteError, to_yaml};

/// A file to write.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedFile {
    /// The path below the tenant's folder, with `/`.
    pub path: String,
    /// The complete content.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for ImportedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.path, self.bytes.len())
    }
}

/// The files that an import writes below the tenant's folder, sorted by path.
pub fn files(import: &ImportedTenant) -> Result<Vec<ImportedFile>, WriteError> {
    let mut files = Vec::new();
    let mut add = |resource: Resource| -> Result<(), WriteError> {
        let path = format!("{}/{}.yaml", resource.kind().plural(), resource.metadata().name);
        files.push(ImportedFile { path, bytes: to_yaml(&resource)?.into_bytes() });
        Ok(())
    };
    for component in &import.components {
        add(Resource::from(component.clone()))?;
    }
    for connection in &import.connections {
        add(Resource::from(connection.clone()))?;
    }
    for integration in &import.integrations {
        add(Resource::from(integration.object.clone()))?;
    }
    for integration in &import.integrations {
        let path = format!("{}/{}.definition", Kind::Integration.plural(), integration.object.name());
        files.push(ImportedFile { path, bytes: integration.definition.clone() });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The Tenant whose location is the folder at this path.
pub fn folder_tenant(path: &str) -> TenantSpec {
    let location = LocationSpec::Directory(DirectoryLocation { path: path.to_string() });
    TenantSpec { location: Some(location), ..TenantSpec::default() }
}

/// The Tenant whose location is on the platform, and whose source is the folder at this path.
pub fn platform_tenant(location: PrismaticLocation, path: &str) -> TenantSpec {
    TenantSpec {
        location: Some(LocationSpec::Prismatic(location)),
        source: Some(Source::of_path(path)),
        ..TenantSpec::default()
    }
}

/// Appends a Tenant to `tenants.yaml`: the existing bytes do not change.
pub fn tenant_document(existing: &str, name: &str, spec: TenantSpec) -> Result<String, WriteError> {
    let document = to_yaml(&Resource::from(Object::new(name, spec)))?;
    if existing.trim_start_matches('\u{feff}').trim().is_empty() {
        return Ok(format!("{existing}{document}"));
    }
    let line = if existing.contains("\r\n") { "\r\n" } else { "\n" };
    let between = if existing.ends_with('\n') { "" } else { line };
    let document = document.replace('\n', line);
    Ok(format!("{existing}{between}---{line}{document}"))
}
