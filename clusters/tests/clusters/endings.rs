//! Nothing is left of a test's clusters, however the test ends.
//!
//! Each of these tests runs the test `holds_clusters` of this binary in a process of its own, and ends that process in
//! some way.

use crate::support::{runs, until};
use rustix::process::{Pid, Signal, kill_process};
use stablekey_clusters::{Cluster, Options, run, shared};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How `holds_clusters` ends by itself; unset if another test is run.
const ENDING: &str = "STABLEKEY_CLUSTERS_ENDING";

/// Starts a cluster, prints its processes and files, and ends as requested.
#[test]
#[ignore = "run by the others, in a process of its own"]
fn holds_clusters() {
    let Ok(ending) = std::env::var(ENDING) else { return };
    let shared = ending == "fail";
    let own = (!shared).then(|| Cluster::start(&Options::named("held")).unwrap());
    let cluster = own.as_ref().unwrap_or_else(|| stablekey_clusters::shared("held"));
    let namespace = cluster.namespace("told");
    run(namespace.kubectl().args(["create", "configmap", "of-the-failed-test"])).unwrap();

    let pids: Vec<String> = cluster.pids().iter().map(u32::to_string).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nHELD {} {}", cluster.folder().display(), pids.join(" ")).unwrap();
    out.flush().unwrap();
    drop(out);
    match ending.as_str() {
        "abort" => std::process::abort(),
        "fail" => panic!("as told"),
        // Until it is killed.
        _ => std::io::stdin().read_to_end(&mut Vec::new()).map(drop).unwrap(),
    }
}

struct HoldingProcess {
    process: Child,
    pids: Vec<u32>,
    folder: PathBuf,
}

impl HoldingProcess {
    fn start(ending: &str) -> Self {
        // Tests that were started in the background ignore an interrupt, and so do their children.
        let mut process = Command::new("env")
            .arg("--default-signal=INT")
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "endings::holds_clusters", "--nocapture"])
            .env(ENDING, ending)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let held = lines.find_map(|line| line.strip_prefix("HELD ").map(str::to_owned)).expect("it starts a cluster");
        // Its other output must be read.
        std::thread::spawn(move || lines.for_each(drop));
        let mut words = held.split(' ');
        let folder = PathBuf::from(words.next().unwrap());
        Self { process, folder, pids: words.map(|pid| pid.parse().unwrap()).collect() }
    }

    fn signal(&self, signal: Signal) {
        kill(self.process.id(), signal);
    }

    /// Waits for the process, then until nothing is left; returns its error output.
    fn nothing_is_left(mut self) -> String {
        let stderr = self.process.stderr.take().unwrap();
        drop(self.process.stdin.take());
        assert!(!self.process.wait().unwrap().success());
        assert!(self.pids.len() >= 3, "a supervisor, etcd and an API server: {:?}", self.pids);
        until("its processes are gone", || !self.pids.iter().any(|pid| runs(*pid)));
        until("its folder is gone", || !self.folder.exists());
        std::io::read_to_string(stderr).unwrap()
    }
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn killed() {
    let held = HoldingProcess::start("wait");
    held.signal(Signal::KILL);
    held.nothing_is_left();
}

#[test]
fn interrupted() {
    let held = HoldingProcess::start("wait");
    held.signal(Signal::INT);
    held.nothing_is_left();
}

#[test]
fn aborted() {
    HoldingProcess::start("abort").nothing_is_left();
}

#[test]
fn failed_and_shows_requests_and_log() {
    let said = HoldingProcess::start("fail").nothing_is_left();
    assert!(said.contains("asked of held in namespace told-0:"), "{said}");
    assert!(said.contains("201 create /api/v1/namespaces/told-0/configmaps"), "{said}");
    assert!(said.contains("the end of its API server's log:"), "{said}");
}

#[test]
fn before_it_was_ready() {
    // No input from the start: as if its parent had been killed right after it began.
    let folder = tempfile::tempdir().unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_stablekey-clusters"));
    serve.args(["serve", "--binaries"]).arg(shared("us").binaries()).env("TMPDIR", folder.path()).stdin(Stdio::null());
    assert_eq!(run(&mut serve).unwrap(), "");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn clusters_to_try_out() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_stablekey-clusters"))
        .arg("us-eu")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut kubeconfigs: Vec<PathBuf> = Vec::new();
    for line in said.by_ref().take_while(|line| !line.starts_with("To try")) {
        kubeconfigs.extend(line.trim_start().strip_prefix("export KUBECONFIG=").map(PathBuf::from));
    }
    assert_eq!(kubeconfigs.len(), 3, "one, the other, and both");

    for (kubeconfig, namespace, expected) in [
        (&kubeconfigs[0], "integrations", ["connection.stablekey.dev/zendesk-oauth", "tenant.stablekey.dev/us-prod"]),
        (&kubeconfigs[0], "integrations-dev", ["connection.stablekey.dev/slack-bot", "tenant.stablekey.dev/dev"]),
        (
            &kubeconfigs[1],
            "integrations",
            ["connection.stablekey.dev/zendesk-oauth-eu", "tenant.stablekey.dev/eu-prod"],
        ),
    ] {
        let mut kubectl = shared("us").kubectl_as(kubeconfig);
        let listed = run(kubectl.args(["get", "stablekey", "--output=name", "--namespace", namespace])).unwrap();
        assert!(expected.iter().all(|name| listed.lines().any(|line| line == *name)), "{listed}");
    }

    // A sync updates something there, including a definition.
    let line = said.find(|line| line.contains("stablekey plan ")).unwrap();
    let mut stablekey = Command::new(Path::new(env!("CARGO_BIN_EXE_stablekey-clusters")).with_file_name("stablekey"));
    stablekey.args(line.split_whitespace().skip(1)).env("KUBECONFIG", &kubeconfigs[2]).stdin(Stdio::null());
    let planned = stablekey.output().unwrap();
    let planned = (planned.status.code(), String::from_utf8_lossy(&planned.stdout).into_owned());
    assert!(planned.0 == Some(2) && planned.1.contains("~ update  Integration/lead-router"), "{planned:?}");

    kill(process.id(), Signal::INT);
    assert!(process.wait().unwrap().success());
    // It has waited for its supervisors.
    assert!(kubeconfigs.iter().all(|kubeconfig| !kubeconfig.exists()));
}

/// The servers die with it.
pub fn when_the_supervisor_is_killed(pids: Vec<u32>) {
    assert!(pids.iter().all(|pid| runs(*pid)), "{pids:?}");
    kill(pids[0], Signal::KILL);
    until("the servers are gone", || !pids[1..].iter().any(|pid| runs(*pid)));
}
