//! The programs that hack/ builds, and how to run them.

use stablekey_clusters::{run, run_with_input};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a script of hack/ that builds programs, and returns the folder that it prints.
pub fn built(script: &str) -> PathBuf {
    let output = Command::new(repository(script)).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{script} failed; what it said is above");
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}

/// Returns helm, kstatus, health or rules.
pub fn tool(name: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    Command::new(FOLDER.get_or_init(|| built("hack/tools/build")).join(name))
}

/// Returns a kubectl for what needs no cluster.
pub fn kubectl() -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    Command::new(FOLDER.get_or_init(|| built("hack/control-plane/build")).join("kubectl"))
}

/// Returns a helm with `home` as its home folder.
pub fn helm(home: &Path) -> Command {
    let mut helm = tool("helm");
    for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        helm.env(folder, home);
    }
    helm.env_remove("KUBECONFIG").env_remove("HELM_NAMESPACE");
    helm
}

/// Runs a command with a file of the repository and these objects on standard input; returns its output lines, one per
/// object.
#[track_caller]
pub fn of_each(command: &mut Command, objects: &[serde_json::Value]) -> Vec<String> {
    let input: String = objects.iter().map(ToString::to_string).collect();
    let said = run_with_input(command, &input).unwrap_or_else(|error| panic!("{error}"));
    let lines: Vec<String> = said.lines().map(str::to_string).collect();
    assert_eq!(lines.len(), objects.len(), "{said}");
    lines
}

#[track_caller]
pub fn output_of(command: &mut Command) -> String {
    run(command).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a command that must fail for this reason.
#[track_caller]
pub fn fails_with(command: &mut Command, text: &str) {
    let error = error_of(command);
    assert!(error.contains(text), "{text}: {error}");
}

#[track_caller]
pub fn error_of(command: &mut Command) -> String {
    match run(command) {
        Ok(output) => panic!("it should have been refused, and its output is {output}"),
        Err(error) => error.to_string(),
    }
}
