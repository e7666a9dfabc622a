//! The API of Kubernetes as this project needs it: a client, lists, watches, and a cache of a namespace. It knows our
//! custom resources, and no tenants.

pub mod annotation;
pub mod budget;
pub mod cache;
mod certificate;
pub mod client;
pub mod config_maps;
pub mod connect;
pub mod error;
pub mod kinds;
pub mod kubeconfig;
pub mod list;
pub mod managed_fields;
pub mod object;
pub mod paths;
pub mod role;
mod settling;
pub mod watch;

/// The field manager of everything that we write to a tenant: command line and operator alike.
pub const MANAGER: &str = "stablekey-syncer";
