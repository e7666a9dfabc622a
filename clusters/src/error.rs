//! What can go wrong with a cluster, and what to do then.

use std::path::PathBuf;

/// Why a cluster could not be started or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or process of ours could not be read, written or started.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A command did not succeed.
    #[error("`{command}` failed ({status}): {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// No supervisor, and none could be built.
    #[error("no stablekey-clusters in {0}: run `cargo build -p stablekey-clusters`")]
    NoSupervisor(PathBuf),
    /// The supervisor said why it could not do what it was asked.
    #[error("the cluster: {0}")]
    Supervisor(String),
    /// The supervisor is gone.
    #[error("the cluster's supervisor ended without an answer")]
    SupervisorGone,
    /// A server ended by itself.
    #[error("{server} ended by itself ({status}); the end of its log:\n{log}")]
    ServerEnded {
        /// Which.
        server: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// A server did not become ready in time.
    #[error("waited {seconds} s in vain until {what}; the end of the log:\n{log}")]
    Late {
        /// What was waited for.
        what: &'static str,
        /// How long.
        seconds: u64,
        /// The end of the server's log.
        log: String,
    },
    /// Told to stop while starting.
    #[error("told to stop")]
    Stopped,
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
}

impl Error {
    /// For `map_err`: what was tried when the system refused.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |cause| Self::Io { what, cause }
    }
}
