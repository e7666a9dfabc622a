//! Real Kubernetes control planes for tests: kube-apiserver and etcd, started in two to three seconds, each cluster on
//! a port and in a temporary folder of its own.
//!
//! ```no_run
//! let us = stablekey_clusters::shared("us");
//! let namespace = us.namespace("plans");
//! stablekey_clusters::run(namespace.kubectl().args(["get", "connections"]))?;
//! # Ok::<(), stablekey_clusters::Error>(())
//! ```
//!
//! A cluster has RBAC, an audit log of every request, and real ServiceAccount tokens. A test uses a [`shared`] cluster
//! and a [`Namespace`] in it; a test that breaks its cluster starts one of its own with [`Cluster::start`].
//!
//! Nothing is left behind, however a test ends. A separate process, the supervisor, runs the servers:
//!
//! ```text
//! test ──stdin──▶ stablekey-clusters serve ──▶ etcd, kube-apiserver, kube-controller-manager
//! ```
//!
//! - When the test ends, the supervisor's input ends: it kills the servers and deletes the folder.
//! - When the supervisor is killed, the kernel kills the servers: each requested that ([`child`]) before it became a
//!   server.
//!
//! | File | Content |
//! |---|---|
//! | `shared` | the clusters of this process, and namespaces in them |
//! | `cluster` | one cluster, as a test sees it |
//! | `crds` | Stablekey's custom resources in it |
//! | `audit` | its requests, and their users |
//! | `supervisor` | one cluster, from the inside: starts, monitors and stops its servers |
//! | `server`, `child` | one server, and how it dies with its supervisor |
//! | `flags` | the flags of the servers |
//! | `authority` | certificates, and the kubeconfigs that contain them |
//! | `port` | a port that no other process gets |
//! | `control_plane` | the binaries |
//! | `kubectl` | kubectl of the servers' version |
//! | `us_eu` | `make clusters` |

pub mod audit;
mod authority;
pub mod child;
mod cluster;
mod control_plane;
mod crds;
mod error;
mod flags;
mod kubectl;
mod port;
mod server;
mod shared;
pub mod supervisor;
pub mod us_eu;

pub use cluster::{Cluster, Options};
pub use error::Error;
pub use kubectl::{run, run_with_input};
pub use shared::{Namespace, shared, shared_all, shared_with};
