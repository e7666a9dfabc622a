//! Git: commits of a repository on this machine or of a remote, and the files of each, read without a checkout. Neither
//! the user's nor the machine's configuration of Git is read, and no hook runs; only [`command`] runs the `git` command.

pub mod command;
pub mod credentials;
mod error;
pub mod failure;
pub mod fetched;
mod history;
pub mod quota;
pub mod reference;
pub mod remote;
mod repository;
mod transport;
mod tree;
pub mod url;
pub mod work_tree;

pub use crate::http_client::client::{Authorities, AuthoritiesError, Proxies};
pub use crate::secret::Secret;
pub use error::GitError;
pub use gix::ObjectId;
pub use history::{FileCommit, FileHistory};
pub use repository::{Commit, Repository, blob_id};
