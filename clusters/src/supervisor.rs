//! A cluster, from the inside: starts, monitors and stops its servers.
//!
//! It prints one line of JSON ([`Answer`]) when the cluster is ready, then reads commands, one per line, from its
//! standard input, and answers each with such a line. When that input ends, or on SIGINT, SIGTERM or SIGHUP, it kills
//! the servers and deletes the folder.

use crate::authority::{Authority, write, write_kubeconfig};
use crate::flags::{self, file};
use crate::kubectl::kubectl;
use crate::port::Port;
use crate::server::{self, Server};
use crate::{Error, Options, control_plane};
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The command that kills the API server.
pub const KILL_APISERVER: &str = "kill-apiserver";
/// The command that kills the API server if it runs, and starts it again at the same address.
pub const RESTART_APISERVER: &str = "restart-apiserver";

/// How long a server may take to start: long, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// The polling interval.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A line of the supervisor's output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// The current state of the cluster.
    Ready(Ready),
    /// A command failed.
    Failed {
        /// The message, for people.
        error: String,
    },
}

/// A cluster that is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The API server's address.
    pub server: String,
    /// The audit log.
    pub audit: PathBuf,
    /// The folder of all files of the cluster.
    pub folder: PathBuf,
    /// The folder of the binaries.
    pub binaries: PathBuf,
    /// The API server's process; absent while it is killed.
    pub apiserver_pid: Option<u32>,
    /// etcd's process.
    pub etcd_pid: u32,
    /// The controller manager's process, if it runs.
    pub controller_manager_pid: Option<u32>,
}

enum Event {
    Stop,
    Command(String),
}

/// Runs a cluster until it is stopped. Must be called on the main thread: see [`crate::child`].
pub fn serve(options: &Options, binaries: Option<PathBuf>) -> ExitCode {
    match run(options, binaries) {
        Ok(()) | Err(Error::Stopped) => ExitCode::SUCCESS,
        Err(error) => {
            say(&Answer::Failed { error: error.to_string() });
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, binaries: Option<PathBuf>) -> Result<(), Error> {
    let binaries = binaries.map_or_else(control_plane::folder, Ok)?;
    let mut supervisor = Supervisor::start(options, binaries, listen()?)?;
    say(&Answer::Ready(supervisor.ready()));
    while let Ok(Event::Command(command)) = supervisor.events.recv() {
        match supervisor.carry_out(&command) {
            Ok(()) => say(&Answer::Ready(supervisor.ready())),
            Err(Error::Stopped) => break,
            Err(error) => say(&Answer::Failed { error: error.to_string() }),
        }
    }
    Ok(())
}

/// Prints one line for the parent. If the parent is gone, the input has ended too.
fn say(answer: &Answer) {
    let line = serde_json::to_string(answer).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Listens for commands on standard input, and for signals.
fn listen() -> Result<Receiver<Event>, Error> {
    let (sender, receiver) = channel();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::io("signals"))?;
    let on_signal = sender.clone();
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            let _ = on_signal.send(Event::Stop);
        }
    });
    std::thread::spawn(move || read_commands(&sender));
    Ok(receiver)
}

fn read_commands(sender: &Sender<Event>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if sender.send(Event::Command(line)).is_err() {
            return;
        }
    }
    let _ = sender.send(Event::Stop);
}

/// The servers of a cluster. Fields are dropped in this order: those that depend on others first.
struct Supervisor {
    controller_manager: Option<Server>,
    apiserver: Option<Server>,
    etcd: Server,
    port: Port,
    flags: Vec<String>,
    binaries: PathBuf,
    events: Receiver<Event>,
    folder: TempDir,
}

impl Supervisor {
    fn start(options: &Options, binaries: PathBuf, events: Receiver<Event>) -> Result<Self, Error> {
        let prefix = format!("stablekey-{}-", options.name);
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().map_err(Error::io("a temporary folder"))?;
        let port = Port::free().map_err(Error::io("a free port"))?;
        let path = folder.path();
        let administrator = Authority::found(path)?.administrator()?;
        write_kubeconfig(&path.join(file::KUBECONFIG), &options.name, &address(&port), path, administrator)?;
        write(&path.join(file::AUDIT_POLICY), flags::AUDIT_POLICY)?;

        let etcd = Server::start("etcd", &binaries, path, &flags::etcd(path))?;
        let flags = options.apiserver_flags.clone();
        let mut supervisor =
            Self { controller_manager: None, apiserver: None, etcd, port, flags, binaries, events, folder };
        // It waits for etcd by itself.
        supervisor.start_apiserver()?;
        if options.controllers {
            supervisor.start_controllers()?;
        }
        Ok(supervisor)
    }

    fn carry_out(&mut self, command: &str) -> Result<(), Error> {
        match command {
            KILL_APISERVER => self.apiserver = None,
            RESTART_APISERVER => {
                self.apiserver = None;
                self.start_apiserver()?;
            }
            _ => return Err(Error::Supervisor(format!("no such command: {command}"))),
        }
        Ok(())
    }

    fn start_apiserver(&mut self) -> Result<(), Error> {
        let path = self.folder.path();
        let flags = flags::apiserver(path, self.port.number(), &self.flags);
        self.apiserver = Some(Server::start(server::APISERVER, &self.binaries, path, &flags)?);
        // The cheap check first: most of the time it does not listen yet.
        let port = self.port.number();
        self.wait_until("the API server listens", |_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())?;
        self.wait_until("the API server is ready", |supervisor| supervisor.kubectl(&["get", "--raw=/readyz"]))
    }

    fn start_controllers(&mut self) -> Result<(), Error> {
        let path = self.folder.path();
        let flags = flags::controller_manager(path);
        self.controller_manager = Some(Server::start("kube-controller-manager", &self.binaries, path, &flags)?);
        self.wait_until("the controllers have made the account default", |supervisor| {
            supervisor.kubectl(&["get", "serviceaccount", "default", "--namespace=default"])
        })
    }

    /// Whether kubectl succeeds as the administrator.
    fn kubectl(&self, arguments: &[&str]) -> bool {
        let path = self.folder.path();
        let mut command = kubectl(&self.binaries, &path.join(file::KUBECONFIG), path);
        command.arg("--request-timeout=10s").args(arguments);
        command.output().is_ok_and(|output| output.status.success())
    }

    /// Polls until it is true; fails if a server ends, or on a stop request.
    fn wait_until(&mut self, what: &'static str, holds: impl Fn(&Self) -> bool) -> Result<(), Error> {
        let start = Instant::now();
        while !holds(self) {
            self.all_running()?;
            if start.elapsed() > PATIENCE {
                return Err(Error::Late { what, seconds: PATIENCE.as_secs(), log: self.last_log() });
            }
            match self.events.recv_timeout(LOOK_AGAIN) {
                // A client sends no command before the answer to the last one.
                Err(RecvTimeoutError::Timeout) | Ok(Event::Command(_)) => {}
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Err(Error::Stopped),
            }
        }
        Ok(())
    }

    fn all_running(&mut self) -> Result<(), Error> {
        let others = self.apiserver.iter_mut().chain(self.controller_manager.iter_mut());
        std::iter::once(&mut self.etcd).chain(others).try_for_each(Server::still_running)
    }

    /// Returns the end of the log of the last started server.
    fn last_log(&self) -> String {
        let started = [self.controller_manager.as_ref(), self.apiserver.as_ref()];
        started.into_iter().flatten().next().unwrap_or(&self.etcd).tail()
    }

    fn ready(&self) -> Ready {
        let path: &Path = self.folder.path();
        Ready {
            kubeconfig: path.join(file::KUBECONFIG),
            server: address(&self.port),
            audit: path.join(file::AUDIT),
            folder: path.to_owned(),
            binaries: self.binaries.clone(),
            apiserver_pid: self.apiserver.as_ref().map(Server::pid),
            etcd_pid: self.etcd.pid(),
            controller_manager_pid: self.controller_manager.as_ref().map(Server::pid),
        }
    }
}

fn address(port: &Port) -> String {
    format!("https://127.0.0.1:{}", port.number())
}
