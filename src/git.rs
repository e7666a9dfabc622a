//! Git: commits of a repository, and the files of each, read without a checkout.

pub mod command;
mod error;
mod repository;
mod tree;

pub use error::GitError;
pub use repository::{Commit, Repository};
