//! Locations of a tenant's resources: one trait, and a module per kind of location.

pub mod cluster;
pub mod directory;
pub mod location;
pub mod prismatic;

use cluster::ClusterLocation;
use directory::FolderLocation;
use location::Location;
use prismatic::OrganizationLocation;
use std::sync::Arc;

/// A location of any kind.
#[derive(Clone, Debug)]
pub enum TenantLocation {
    /// A folder of YAML files.
    Folder(FolderLocation),
    /// A namespace of a cluster.
    Cluster(Arc<ClusterLocation>),
    /// An organization on the platform.
    Organization(Arc<OrganizationLocation>),
}

impl TenantLocation {
    /// Returns the folder, if it is one.
    pub fn folder(&self) -> Option<&FolderLocation> {
        match self {
            TenantLocation::Folder(location) => Some(location),
            TenantLocation::Cluster(_) | TenantLocation::Organization(_) => None,
        }
    }

    /// Returns it as a trait object.
    pub fn as_location(&self) -> &dyn Location {
        match self {
            TenantLocation::Folder(location) => location,
            TenantLocation::Cluster(location) => location.as_ref(),
            TenantLocation::Organization(location) => location.as_ref(),
        }
    }
}
