//! The syncer on two real clusters, driven and looked at by kubectl.

mod approvals;
mod keeps;
mod pushes;
mod stage;
