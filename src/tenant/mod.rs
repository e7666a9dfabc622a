//! Locations: where a tenant's resources are. One trait, a file a kind of location.

pub mod cluster;
pub mod directory;
pub mod location;

use cluster::ClusterLocation;
use directory::FolderLocation;
use location::Location;

/// A location of any kind.
#[derive(Debug)]
pub enum TenantLocation {
    /// A folder of YAML.
    Folder(FolderLocation),
    /// A namespace of a cluster.
    Cluster(Box<ClusterLocation>),
}

impl TenantLocation {
    /// The folder, where it is one.
    pub fn folder(&self) -> Option<&FolderLocation> {
        match self {
            TenantLocation::Folder(location) => Some(location),
            TenantLocation::Cluster(_) => None,
        }
    }

    /// As every location is used.
    pub fn as_location(&self) -> &dyn Location {
        match self {
            TenantLocation::Folder(location) => location,
            TenantLocation::Cluster(location) => location.as_ref(),
        }
    }
}
