//! A process of the operator, as a test sees it.

use crate::cli::program;
use crate::manifests;
use stablekey_clusters::Namespace;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The longest wait. It ends what hangs and says nothing about speed: two cores that also run other tests, three API
/// servers among them, need more than a minute for some hundred objects.
const LONG: Duration = Duration::from_secs(180);

/// A running process, which is killed when this is dropped.
pub struct Replica {
    process: Child,
    lines: Receiver<String>,
    /// The lines of its log that were read so far.
    pub log: Vec<String>,
    address: String,
}

/// The answer to an HTTP request.
#[derive(Debug)]
pub struct HttpAnswer {
    pub code: u16,
    pub content: String,
    pub body: String,
}

/// Returns the command in a namespace, with a free port.
pub fn command(namespace: &Namespace<'_>, kubeconfig: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(["controller", "--listen", "127.0.0.1:0", "--namespace", namespace.name()]).args(arguments);
    command.env("KUBECONFIG", kubeconfig).stdin(Stdio::null());
    command
}

/// Creates the account of a role in a namespace, according to its manifests.
pub fn account(namespace: &Namespace<'_>, role: &'static str) -> PathBuf {
    manifests::account(namespace.cluster(), namespace.name(), role)
}

impl Replica {
    /// Starts a process with the account of its role, and waits until its probes answer.
    pub fn start(namespace: &Namespace<'_>, arguments: &[&str]) -> Self {
        let role = if arguments.contains(&"syncer") { "syncer" } else { "binder" };
        Replica::by(command(namespace, &account(namespace, role), arguments))
    }

    pub fn by(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(process.stderr.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || errors.lines().map_while(Result::ok).all(|line| tell.send(line).is_ok()));
        let mut replica = Replica { process, lines, log: Vec::new(), address: String::new() };
        replica.address = replica.wait_for_log("serves /healthz")["address"].as_str().unwrap().to_string();
        replica
    }

    /// Waits for a log line.
    pub fn wait_for_log(&mut self, words: &str) -> serde_json::Value {
        let deadline = Instant::now() + LONG;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("never said {words:?}, but:\n{}", self.log.join("\n"));
            };
            let said = line.contains(words).then(|| serde_json::from_str(&line).unwrap());
            self.log.push(line);
            if let Some(said) = said {
                return said;
            }
        }
    }

    /// Sends a GET request.
    pub fn get(&self, path: &str) -> HttpAnswer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        let content = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap();
        HttpAnswer { code, content: content.to_string(), body: body.to_string() }
    }

    /// Returns the value of a metric, given with its labels.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").body;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Returns its peak memory, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok()).unwrap()
    }

    pub fn leads(&self, role: &str) -> bool {
        self.metric(&format!("stablekey_leader{{role=\"{role}\"}}")).unwrap() == 1.0
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        let mut end = None;
        until("it ends", || {
            end = self.process.try_wait().unwrap();
            end.is_some()
        });
        self.log.extend(self.lines.iter());
        end.unwrap()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            self.log.extend(self.lines.iter());
            eprintln!("\na replica said:\n{}", self.log.join("\n"));
        }
    }
}

/// Retries until it is true, at growing intervals.
#[track_caller]
pub fn until(what: impl std::fmt::Display, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    let mut pause = Duration::from_millis(5);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {} s", LONG.as_secs());
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Waits until a field of an object has a value. Uses a watch, because polling takes processor time from the processes
/// that are waited for.
#[track_caller]
pub fn wait_for_field(what: &str, kubectl: impl Fn() -> Command, object: &str, path: &str, value: &str) {
    let field = || {
        let get = ["get", object, "-o", &format!("jsonpath={{{path}}}")];
        stablekey_clusters::run(kubectl().args(get)).unwrap_or_default()
    };
    let is = format!("--for=jsonpath={{{path}}}={value}");
    let deadline = Instant::now() + LONG;
    // `kubectl wait` cannot wait for an absent field, and ends when its watch does.
    let waited =
        || !value.is_empty() && stablekey_clusters::run(kubectl().args(["wait", &is, object, "--timeout=10s"])).is_ok();
    while !waited() {
        let last = field();
        if last == value {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: not within {} s, but {last:?}", LONG.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}
