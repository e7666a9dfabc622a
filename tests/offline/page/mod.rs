//! The page over HTTP: `stablekey ui` as a process, and a client that sends exactly the headers that a test gives.

mod apply;
mod canary;
mod client;
mod edits;
mod filters;
mod fixtures;
mod integration;
mod safety;
mod served;
mod syncs;
mod unknown;
