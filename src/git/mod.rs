//! Git: a commit of a remote, brought into a folder of this machine without a work tree. It reads neither the user's nor
//! the machine's configuration of Git, runs no program and no hook.

pub mod credentials;
pub mod failure;
pub mod reference;
pub mod remote;
mod transport;
pub mod url;

pub use crate::http_client::client::{Authorities, AuthoritiesError, Proxies};
pub use crate::secret::Secret;
