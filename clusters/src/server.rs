//! One server: a process that logs to a file and goes with its supervisor.

use crate::Error;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// The API server's name.
pub(crate) const APISERVER: &str = "kube-apiserver";

/// How much of a log an error shows.
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
    /// Only the main thread may: see [`crate::child`].
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
            // What is set here, proxies for one, is no business of theirs.
            .env_clear()
            .current_dir(folder)
            // Ctrl-C in a terminal is for the supervisor, which ends them in order.
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

    /// An error if it has ended.
    pub(crate) fn still_running(&mut self) -> Result<(), Error> {
        match self.process.try_wait() {
            Ok(Some(status)) => Err(self.ended(status)),
            _ => Ok(()),
        }
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        tail(&self.log, TAIL)
    }

    fn ended(&self, status: ExitStatus) -> Error {
        Error::ServerEnded { server: self.name, status, log: self.tail() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killed, not asked: an API server with a watch open takes half a minute to end by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a server of that name logs to.
pub(crate) fn log_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

/// The last lines of a file; of one that cannot be read, none.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}
