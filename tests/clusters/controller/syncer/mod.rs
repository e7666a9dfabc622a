//! The syncer on two real clusters, driven and observed with kubectl.

mod approvals;
mod carries;
mod commands;
mod confused_deputies;
mod counted;
mod deletes;
pub mod env;
mod gitops;
mod hostile;
mod hub;
mod keeps;
mod kubeconfigs;
mod page;
mod pulls;
mod pushes;
mod renames;
mod replicas;
mod stages;
mod unreachable;
mod watched;
mod writers;
