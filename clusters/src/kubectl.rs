//! kubectl of the servers' version.

use crate::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Returns the kubectl of `binaries` for the cluster and user of `kubeconfig`, with its cache in `folder`.
pub(crate) fn kubectl(binaries: &Path, kubeconfig: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binaries.join("kubectl"));
    command
        .env("KUBECONFIG", kubeconfig)
        // Another cluster will get the same port some day, so the cache must not outlive this one.
        .env("KUBECACHEDIR", cache(folder))
        // The aliases and defaults of the user who runs the tests must not matter.
        .env("KUBERC", "off")
        .stdin(Stdio::null());
    command
}

/// Returns its cache of the cluster in `folder`.
pub(crate) fn cache(folder: &Path) -> PathBuf {
    folder.join("kubectl-cache")
}

/// Runs a command to its end and returns its output; fails with its error output unless it succeeded.
pub fn run(command: &mut Command) -> Result<String, Error> {
    let output = command.output().map_err(Error::io(shown(command)))?;
    succeeded(command, output)
}

/// Like [`run`], with `input` on the command's standard input.
pub fn run_with_input(command: &mut Command, input: &str) -> Result<String, Error> {
    let failed = |what: &str| Error::io(what.to_owned());
    let what = shown(command);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = piped.spawn().map_err(failed(&what))?;
    let stdin = process.stdin.take();
    // On a thread: a command that writes before it has read everything would block on this process, and vice versa.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
        process.wait_with_output()
    });
    succeeded(command, output.map_err(failed(&what))?)
}

fn succeeded(command: &Command, output: Output) -> Result<String, Error> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(Error::Command { command: shown(command), status: output.status, stderr })
}

/// Formats the command line roughly as a person would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
