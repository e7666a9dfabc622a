//! A Kubernetes API client for this project: requests, lists, watches, and a cache of a namespace. It knows Stablekey's
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

/// The field manager of all writes to a tenant, for the command line and the operator.
pub const MANAGER: &str = "stablekey-syncer";
