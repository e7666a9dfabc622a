//! The errors of a cluster, and what to do about them.

use std::path::PathBuf;

/// Why a cluster could not be started or queried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or process could not be read, written or started.
    #[error("{what}: {cause}")]
    Io {
        /// What was attempted.
        what: String,
        /// The system's error.
        cause: std::io::Error,
    },
    /// A command failed.
    #[error("`{command}` failed ({status}): {stderr}")]
    Command {
        /// The command line.
        command: String,
        status: std::process::ExitStatus,
        /// Its error output.
        stderr: String,
    },
    /// There is no supervisor, and building it failed.
    #[error("no stablekey-clusters in {0}: run `cargo build -p stablekey-clusters`")]
    NoSupervisor(PathBuf),
    /// The supervisor reported an error.
    #[error("the cluster: {0}")]
    Supervisor(String),
    /// The supervisor is gone.
    #[error("the cluster's supervisor ended without an answer")]
    SupervisorGone,
    /// A server ended by itself.
    #[error("{server} ended by itself ({status}); the end of its log:\n{log}")]
    ServerEnded {
        server: &'static str,
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
    /// It was stopped while starting.
    #[error("told to stop")]
    Stopped,
    /// A certificate could not be created.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
}

impl Error {
    /// Returns a function for `map_err` that adds what was attempted.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |cause| Self::Io { what, cause }
    }
}
