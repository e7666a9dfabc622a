//! A cluster, as a test sees it.

use crate::audit::{self, Mark, Request};
use crate::authority::{Authority, Proof, write_kubeconfig};
use crate::supervisor::{Answer, KILL_APISERVER, RESTART_APISERVER, Ready};
use crate::{Error, control_plane, kubectl, run, server};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
const SUPERVISOR: &str = "stablekey-clusters";

/// The options of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Options {
    /// The name of the cluster, and of its context in every kubeconfig.
    pub name: String,
    /// Whether kube-controller-manager runs, which empties namespaces, collects garbage and counts quotas.
    pub controllers: bool,
    /// Additional flags for kube-apiserver.
    pub apiserver_flags: Vec<String>,
}

impl Options {
    /// Returns the options of a cluster of that name, without controllers.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), controllers: false, apiserver_flags: Vec::new() }
    }

    /// Enables controllers.
    #[must_use]
    pub fn with_controllers(self) -> Self {
        Self { controllers: true, ..self }
    }
}

/// A running cluster. Dropping it stops it and deletes its files.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    ready: Ready,
    link: Mutex<Link>,
    /// Counter for unique names of files and namespaces.
    named: AtomicU32,
    /// The end of the audit log when the API server was killed.
    killed: AtomicU64,
}

/// The connection to the supervisor.
#[derive(Debug)]
struct Link {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The process of the running API server.
    apiserver: Option<u32>,
}

impl Cluster {
    /// Starts a cluster, and waits until it is ready.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let mut command = Command::new(supervisor()?);
        command.arg("serve").arg("--name").arg(&options.name).arg("--binaries").arg(control_plane::folder()?);
        if options.controllers {
            command.arg("--controllers");
        }
        for flag in &options.apiserver_flags {
            command.arg("--apiserver-flag").arg(flag);
        }
        // Ctrl-C in a terminal is for the test; the supervisor ends with it.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(Error::io(SUPERVISOR))?;
        let (commands, answers) = (process.stdin.take(), process.stdout.take());
        let answers = BufReader::new(answers.ok_or(Error::SupervisorGone)?);
        let mut link = Link { process, commands, answers, apiserver: None };
        let ready = link.answer()?;
        Ok(Self {
            name: options.name.clone(),
            ready,
            link: Mutex::new(link),
            named: AtomicU32::new(0),
            killed: AtomicU64::new(0),
        })
    }

    /// Returns the name of the cluster, and of its context in every kubeconfig.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.ready.kubeconfig
    }

    /// Returns the API server's address.
    pub fn server(&self) -> &str {
        &self.ready.server
    }

    /// Returns the folder of all files of the cluster, which is deleted with it.
    pub fn folder(&self) -> &Path {
        &self.ready.folder
    }

    /// Returns the folder of kubectl and the servers' binaries.
    pub fn binaries(&self) -> &Path {
        &self.ready.binaries
    }

    /// Returns the processes: the supervisor first, then the running servers.
    pub fn pids(&self) -> Vec<u32> {
        let link = self.link();
        let servers = [Some(self.ready.etcd_pid), link.apiserver, self.ready.controller_manager_pid];
        std::iter::once(link.process.id()).chain(servers.into_iter().flatten()).collect()
    }

    /// Returns a kubectl of the administrator.
    pub fn kubectl(&self) -> Command {
        self.kubectl_as(self.kubeconfig())
    }

    /// Returns a kubectl of the user of a kubeconfig.
    pub fn kubectl_as(&self, kubeconfig: &Path) -> Command {
        kubectl::kubectl(self.binaries(), kubeconfig, self.folder())
    }

    /// Returns a token of an existing ServiceAccount, like that of a Pod.
    pub fn token(&self, namespace: &str, account: &str) -> Result<String, Error> {
        let token = run(self.kubectl().args(["create", "token", account, "--namespace", namespace]))?;
        Ok(token.trim_end().to_owned())
    }

    /// Returns a kubeconfig with `token`.
    pub fn kubeconfig_of(&self, token: &str) -> Result<PathBuf, Error> {
        self.kubeconfig_by(Proof::Token(token.to_owned()))
    }

    /// Returns a kubeconfig for the user `name`, member of `group`, with permissions by RBAC.
    pub fn user(&self, name: &str, group: Option<&str>) -> Result<PathBuf, Error> {
        self.kubeconfig_by(Authority::of(self.folder())?.user(name, group)?)
    }

    fn kubeconfig_by(&self, proof: Proof) -> Result<PathBuf, Error> {
        let path = self.folder().join(self.unique("user"));
        write_kubeconfig(&path, &self.name, self.server(), self.folder(), proof)?;
        Ok(path)
    }

    /// Clears kubectl's cache of API resources.
    pub(crate) fn forget_discovery(&self) -> Result<(), Error> {
        let cache = kubectl::cache(self.folder());
        match std::fs::remove_dir_all(&cache) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(cache.display().to_string())(error)),
            _ => Ok(()),
        }
    }

    /// Returns the current end of the audit log, for [`Self::audit_since`].
    pub fn mark(&self) -> Result<Mark, Error> {
        audit::end(&self.ready.audit)
    }

    /// Returns every request so far.
    pub fn audit(&self) -> Result<Vec<Request>, Error> {
        self.audit_since(Mark::START)
    }

    /// Returns every request received after `mark`, in the order of arrival. Requests that any client has an answer to
    /// are included.
    pub fn audit_since(&self, mark: Mark) -> Result<Vec<Request>, Error> {
        audit::since(&self.ready.audit, mark, Mark(self.killed.load(Ordering::SeqCst)))
    }

    /// Returns the end of the API server's log.
    pub fn log_tail(&self, lines: usize) -> String {
        server::tail(&server::log_of(self.folder(), server::APISERVER), lines)
    }

    /// Freezes the API server: connections are accepted, and nothing is answered.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Resumes a frozen API server.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// Kills the API server: connections are refused, and etcd's data is kept.
    pub fn kill_apiserver(&self) -> Result<(), Error> {
        self.link().ask(KILL_APISERVER)?;
        self.killed.store(self.mark()?.0, Ordering::SeqCst);
        Ok(())
    }

    /// Starts the API server again at the same address, killing it first if it runs, and waits until it is ready.
    pub fn restart_apiserver(&self) -> Result<(), Error> {
        self.kill_apiserver()?;
        self.link().ask(RESTART_APISERVER)
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let pid = self.link().apiserver.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let pid = pid.ok_or_else(|| Error::Supervisor("its API server does not run".into()))?;
        kill_process(pid, signal).map_err(|error| Error::io("a signal to the API server")(error.into()))
    }

    /// Returns a name with this prefix that is unique in this cluster.
    pub(crate) fn unique(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.named.fetch_add(1, Ordering::Relaxed))
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn ask(&mut self, command: &str) -> Result<(), Error> {
        let commands = self.commands.as_mut().ok_or(Error::SupervisorGone)?;
        writeln!(commands, "{command}").map_err(|_| Error::SupervisorGone)?;
        self.answer().map(|_| ())
    }

    fn answer(&mut self) -> Result<Ready, Error> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(Error::io(SUPERVISOR))?;
        match serde_json::from_str(&line) {
            Ok(Answer::Ready(ready)) => {
                self.apiserver = ready.apiserver_pid;
                Ok(ready)
            }
            Ok(Answer::Failed { error }) => Err(Error::Supervisor(error)),
            Err(_) => Err(Error::SupervisorGone),
        }
    }

    /// The supervisor ends with its input, stops the servers and deletes the folder.
    fn end(&mut self) {
        self.commands = None;
        let _ = self.process.wait();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.link.get_mut().unwrap_or_else(PoisonError::into_inner).end();
        // A killed supervisor could not.
        let _ = std::fs::remove_dir_all(&self.ready.folder);
    }
}

/// Returns the supervisor's program: beside the running one, or built there.
fn supervisor() -> Result<PathBuf, Error> {
    let running = std::env::current_exe().map_err(Error::io("where this program is"))?;
    // A test is target/<profile>/deps/<name>, a program target/<profile>/<name>.
    let folder = running.parent().unwrap_or(&running);
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let program = folder.join(SUPERVISOR);
    if !program.is_file() {
        build_supervisor(folder)?;
    }
    if program.is_file() { Ok(program) } else { Err(Error::NoSupervisor(folder.to_owned())) }
}

/// `folder` is target/<profile>.
fn build_supervisor(folder: &Path) -> Result<(), Error> {
    let (Some(target), Some(profile)) = (folder.parent(), folder.file_name()) else {
        return Err(Error::NoSupervisor(folder.to_owned()));
    };
    let profile = if profile == "debug" { "dev".as_ref() } else { profile };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", SUPERVISOR, "--manifest-path", MANIFEST]);
    cargo.arg("--profile").arg(profile).arg("--target-dir").arg(target);
    run(&mut cargo).map(|_| ())
}
