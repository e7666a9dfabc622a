//! Whether prism 10.4.0, the platform's own CLI, is content with the fake: a client that we did not write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod integrations;
mod lists;
mod prism;
mod queries;
mod stablekey;
mod tokens;
