//! Notifications, to a receiver and to fakes of GitHub and GitLab on this machine; the clusters are real.

mod env;
mod faults;
mod sent;
