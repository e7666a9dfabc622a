//! The syncer on two real clusters, driven and looked at by kubectl.

mod approvals;
mod carries;
mod gitops;
mod keeps;
mod kubeconfigs;
mod pulls;
mod pushes;
mod stage;
mod unreachable;
mod writers;
