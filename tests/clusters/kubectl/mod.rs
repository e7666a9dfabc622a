//! Stablekey's custom resources with real kubectl and real API servers. A module per topic; each test has a namespace
//! of its own, and a cluster of its own if it changes what all namespaces share.

mod approval;
mod bounds;
mod cases;
mod columns;
mod definitions;
mod everyday;
mod folders;
mod in_use;
mod policies;
mod rules;
mod sources;
mod support;
mod two_managers;
mod upgrade;
