//! Places: where a tenant's resources are. One trait, a file a kind of place.

pub mod cluster;
pub mod directory;
pub mod location;

use cluster::ClusterPlace;
use directory::DirectoryPlace;
use location::Place;

/// A place of any kind.
#[derive(Debug)]
pub enum TenantPlace {
    /// A folder of YAML.
    Folder(DirectoryPlace),
    /// A namespace of a cluster.
    Cluster(Box<ClusterPlace>),
}

impl TenantPlace {
    /// The folder, where it is one.
    pub fn folder(&self) -> Option<&DirectoryPlace> {
        match self {
            TenantPlace::Folder(place) => Some(place),
            TenantPlace::Cluster(_) => None,
        }
    }

    /// As every place is used.
    pub fn as_place(&self) -> &dyn Place {
        match self {
            TenantPlace::Folder(place) => place,
            TenantPlace::Cluster(place) => place.as_ref(),
        }
    }
}
