//! A server: a process that logs to a file and dies with its supervisor.

use crate::Error;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

pub(crate) const APISERVER: &str = "kube-apiserver";

/// Number of log lines that an error shows.
const TAIL: usize = 30;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    process: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `name` from `binaries`, which logs to `<name>.log` in `folder`.
    ///
    /// Must be called on the main thread: see [`crate::child`].
    pub(crate) fn start(
        name: &'static str,
        binaries: &Path,
        folder: &Path,
        arguments: &[String],
    ) -> Result<Self, Error> {
        let log = log_of(folder, name);
        let file = File::options().create(true).append(true).open(&log).map_err(Error::io(name))?;
        let errors = file.try_clone().map_err(Error::io(name))?;
        let process = Command::new(std::env::current_exe().map_err(Error::io("where this program is"))?)
            .arg("child")
            .arg(std::process::id().to_string())
            .arg(binaries.join(name))
            .args(arguments)
            // Variables of this environment, such as proxies, must not affect the servers.
            .env_clear()
            .current_dir(folder)
            // Ctrl-C in a terminal is for the supervisor, which stops them in order.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .map_err(Error::io(name))?;
        Ok(Self { name, process, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Fails if it has ended.
    pub(crate) fn still_running(&mut self) -> Result<(), Error> {
        match self.process.try_wait() {
            Ok(Some(status)) => Err(self.ended(status)),
            _ => Ok(()),
        }
    }

    /// Returns the end of its log.
    pub(crate) fn tail(&self) -> String {
        tail(&self.log, TAIL)
    }

    fn ended(&self, status: ExitStatus) -> Error {
        Error::ServerEnded { server: self.name, status, log: self.tail() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killed, not terminated: an API server with an open watch takes half a minute to end by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the log file of a server.
pub(crate) fn log_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

/// Returns the last lines of a file; none if it cannot be read.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}
