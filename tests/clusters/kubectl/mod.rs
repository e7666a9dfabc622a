//! Our kinds as a kubectl user meets them: real kubectl, real API servers. A module a theme; each test
//! has a namespace of its own, and a cluster of its own where it changes what all namespaces share.

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
mod support;
mod two_managers;
mod upgrade;
