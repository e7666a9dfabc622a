//! A process of the operator, and its resource usage.

use crate::Outcome;
use crate::files::STABLEKEY;
use stablekey_clusters::{Cluster, Namespace};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A running process of the operator, with its log.
pub struct Process {
    child: Child,
    log: Arc<Mutex<Vec<(Instant, String)>>>,
}

/// The usage of an idle process.
pub struct Rest {
    /// Resident memory, in bytes.
    pub memory: u64,
    /// Processor time.
    pub processor: Duration,
}

impl Process {
    /// Starts a role for some namespaces.
    pub fn start(role: &str, cluster: &Cluster, namespaces: &[&Namespace<'_>]) -> Outcome<Self> {
        Process::start_logging("warn", role, cluster, namespaces)
    }

    /// Like `start`, with a log level.
    pub fn start_logging(level: &str, role: &str, cluster: &Cluster, namespaces: &[&Namespace<'_>]) -> Outcome<Self> {
        let mut command = Command::new(STABLEKEY);
        command.args(["controller", "--role", role, "--listen", "127.0.0.1:0", "--log-level", level]);
        command.args(namespaces.iter().flat_map(|namespace| ["--namespace", namespace.name()]));
        command.env("KUBECONFIG", cluster.kubeconfig());
        Process::of(command)
    }

    /// Starts the process of a command.
    pub fn of(mut command: Command) -> Outcome<Self> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().ok_or("no log")?).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), line));
            }
        });
        Ok(Process { child, log })
    }

    /// Returns when it logged a line with these words.
    pub fn logged(&self, words: &str) -> Vec<Instant> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|(_, line)| line.contains(words)).map(|(at, _)| *at).collect()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) -> Outcome<()> {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        if sent.success() { Ok(()) } else { Err("the operator is gone".into()) }
    }

    /// Measures the usage of the idle process.
    pub fn at_rest(&self, time: Duration) -> Outcome<Rest> {
        let before = self.processor()?;
        std::thread::sleep(time);
        Ok(Rest { processor: self.processor()?.saturating_sub(before), memory: self.memory()? })
    }

    /// Returns its resident memory, in bytes.
    pub fn memory(&self) -> Outcome<u64> {
        status_of(self.child.id(), "VmRSS:")
    }

    /// Returns the peak resident memory since it was reset, in bytes.
    pub fn peak_memory(&self) -> Outcome<u64> {
        status_of(self.child.id(), "VmHWM:")
    }

    /// Resets the peak to the current resident memory.
    pub fn forget_peak(&self) -> Outcome<()> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    fn processor(&self) -> Outcome<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("no stat")?;
        let ticks: Vec<u64> = fields.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        // A tick is a hundredth of a second on Linux.
        Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
    }
}

/// Returns a memory field of a process's status, in bytes.
pub fn status_of(process: u32, field: &'static str) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or(field)?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

impl Drop for Process {
    fn drop(&mut self) {
        // Releases its Lease.
        let _ = self.signal("-TERM");
        let _ = self.child.wait();
    }
}
