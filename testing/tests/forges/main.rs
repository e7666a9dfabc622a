//! The fakes of GitHub and GitLab answer as the real ones are known to, are as GitHub's own description has them, and
//! clients that others wrote are content with them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod client;
mod clients;
mod described;
mod github;
mod gitlab;
