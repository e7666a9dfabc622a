//! New objects and new projects by command: what they write, and what the plan says afterwards.

#[cfg(target_os = "linux")]
mod asked;
mod components;
mod customers;
mod demo;
pub mod init;
mod overrides;
mod syncs;
mod tenants;
