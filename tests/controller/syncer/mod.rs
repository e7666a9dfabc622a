//! The syncer on two real clusters, driven and looked at by kubectl.

mod approvals;
mod carries;
mod counted;
mod deletes;
mod deputies;
mod gitops;
mod hostile;
mod hub;
mod keeps;
mod kubeconfigs;
mod pulls;
mod pushes;
mod renames;
mod replicas;
pub mod stage;
mod unreachable;
mod watched;
mod writers;
