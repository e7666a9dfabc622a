//! One cluster, seen from a test.

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

/// What a cluster should be like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Options {
    /// What it is called: its context in every kubeconfig.
    pub name: String,
    /// Whether namespaces are emptied, owners' objects collected and quotas counted: whether
    /// kube-controller-manager runs.
    pub controllers: bool,
    /// Flags more for kube-apiserver.
    pub apiserver_flags: Vec<String>,
}

impl Options {
    /// A cluster of that name, without controllers.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), controllers: false, apiserver_flags: Vec::new() }
    }

    /// The same with controllers.
    #[must_use]
    pub fn with_controllers(self) -> Self {
        Self { controllers: true, ..self }
    }
}

/// A running cluster. Dropping it ends it, and nothing is left of it.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    ready: Ready,
    link: Mutex<Link>,
    /// How many files and namespaces have been named.
    named: AtomicU32,
    /// Where the audit log ended when its API server was killed.
    killed: AtomicU64,
}

/// The way to the supervisor.
#[derive(Debug)]
struct Link {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The API server that runs now.
    apiserver: Option<u32>,
}

impl Cluster {
    /// Starts a cluster and waits until it is ready.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let mut command = Command::new(supervisor()?);
        command.arg("serve").arg("--name").arg(&options.name).arg("--binaries").arg(control_plane::folder()?);
        if options.controllers {
            command.arg("--controllers");
        }
        for flag in &options.apiserver_flags {
            command.arg("--apiserver-flag").arg(flag);
        }
        // Ctrl-C in a terminal is for us; our end is the supervisor's.
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

    /// What it is called: its context in every kubeconfig.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.ready.kubeconfig
    }

    /// The API server's address.
    pub fn server(&self) -> &str {
        &self.ready.server
    }

    /// All that the cluster keeps; goes with it.
    pub fn folder(&self) -> &Path {
        &self.ready.folder
    }

    /// Where kubectl and the servers' binaries are.
    pub fn binaries(&self) -> &Path {
        &self.ready.binaries
    }

    /// The processes: the supervisor first, then the servers that run.
    pub fn pids(&self) -> Vec<u32> {
        let link = self.link();
        let servers = [Some(self.ready.etcd_pid), link.apiserver, self.ready.controller_manager_pid];
        std::iter::once(link.process.id()).chain(servers.into_iter().flatten()).collect()
    }

    /// kubectl, as the administrator.
    pub fn kubectl(&self) -> Command {
        self.kubectl_as(self.kubeconfig())
    }

    /// kubectl, as the user of a kubeconfig.
    pub fn kubectl_as(&self, kubeconfig: &Path) -> Command {
        kubectl::kubectl(self.binaries(), kubeconfig, self.folder())
    }

    /// A token of a ServiceAccount that exists, as a pod would be given one.
    pub fn token(&self, namespace: &str, account: &str) -> Result<String, Error> {
        let token = run(self.kubectl().args(["create", "token", account, "--namespace", namespace]))?;
        Ok(token.trim_end().to_owned())
    }

    /// A kubeconfig for whoever has `token`.
    pub fn kubeconfig_of(&self, token: &str) -> Result<PathBuf, Error> {
        self.kubeconfig_by(Proof::Token(token.to_owned()))
    }

    /// A kubeconfig for the user `name`, member of `group`, who may do what RBAC says.
    pub fn user(&self, name: &str, group: Option<&str>) -> Result<PathBuf, Error> {
        self.kubeconfig_by(Authority::of(self.folder())?.user(name, group)?)
    }

    fn kubeconfig_by(&self, proof: Proof) -> Result<PathBuf, Error> {
        let path = self.folder().join(self.unique("user"));
        write_kubeconfig(&path, &self.name, self.server(), self.folder(), proof)?;
        Ok(path)
    }

    /// Makes kubectl ask anew which kinds there are.
    pub(crate) fn forget_discovery(&self) -> Result<(), Error> {
        let cache = kubectl::cache(self.folder());
        match std::fs::remove_dir_all(&cache) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(cache.display().to_string())(error)),
            _ => Ok(()),
        }
    }

    /// The audit log's present end, for [`Self::audit_since`].
    pub fn mark(&self) -> Result<Mark, Error> {
        audit::end(&self.ready.audit)
    }

    /// Every request so far.
    pub fn audit(&self) -> Result<Vec<Request>, Error> {
        self.audit_since(Mark::START)
    }

    /// Every request received after `mark`, in the order of arrival. One whose answer anybody has is among them.
    pub fn audit_since(&self, mark: Mark) -> Result<Vec<Request>, Error> {
        audit::since(&self.ready.audit, mark, Mark(self.killed.load(Ordering::SeqCst)))
    }

    /// The end of the API server's log.
    pub fn log_tail(&self, lines: usize) -> String {
        server::tail(&server::log_of(self.folder(), server::APISERVER), lines)
    }

    /// Freezes the API server: connections are made, and nothing answers.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// Kills the API server: connections are refused, and what etcd has stays.
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

    /// A name that begins with `prefix` and that nothing else in this cluster has been given.
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

    /// The end of its input ends the supervisor, which ends the servers and deletes the folder.
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
        // A supervisor that was killed could not.
        let _ = std::fs::remove_dir_all(&self.ready.folder);
    }
}

/// The supervisor's program: beside the one that runs, or built there.
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
