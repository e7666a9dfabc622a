//! What a client of the fake sees, over real HTTP on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod auth;
mod client;
mod connections;
mod credentials;
mod faults;
mod integrations;
mod organizations;
mod pages;
mod program;
mod queries;
mod strict;
mod switches;
mod tls;
