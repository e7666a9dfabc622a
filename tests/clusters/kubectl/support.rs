//! Helpers for objects and kubectl's output.

use serde_json::{Value, json};
use stablekey::api::Credentials;
use stablekey_clusters::{Namespace, run, run_with_input};
pub use stablekey_testing::cli::repository;
use stablekey_testing::objects::{Connection, Document as _};
pub use stablekey_testing::objects::{document, list};
use std::process::Command;
use std::time::{Duration, Instant};

/// Returns the smallest valid connection; its name is its key.
pub fn connection(key: &str) -> Value {
    Connection::new(key, "salesforce/oauth2").credentials(Credentials::Customer).json()
}

/// Runs a command that succeeds, and returns its output.
#[track_caller]
pub fn output_of(command: &mut Command) -> String {
    run(command).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a command that fails, and returns its error.
#[track_caller]
pub fn error_of(command: &mut Command) -> String {
    match run(command) {
        Ok(said) => panic!("it should have been refused, and said {said}"),
        Err(error) => no(error),
    }
}

/// Normalizes kubectl's refusal to the text of every version. Before 1.36 servers report only the type of a value that
/// no rule accepts, and of numbers their value.
pub fn no(error: impl std::fmt::Display) -> String {
    let value = regex_lite::Regex::new(r#"(Invalid value: )(?:"(?:object|array|integer)": |-?[0-9]+: (a percentage))"#);
    value.unwrap().replace_all(&error.to_string(), "$1$2").into_owned()
}

/// Returns a kubectl with `arguments`, separated by spaces.
pub fn kubectl(namespace: &Namespace, arguments: &str) -> Command {
    with(namespace.kubectl(), arguments)
}

/// Adds `arguments`, separated by spaces.
pub fn with(mut command: Command, arguments: &str) -> Command {
    command.args(arguments.split_whitespace());
    command
}

/// Runs `kubectl apply`, with `flags`, of one document or a [`list`].
pub fn apply(namespace: &Namespace, flags: &str, document: &Value) -> Result<String, String> {
    apply_by(namespace.kubectl(), flags, document)
}

/// Like `apply`, with the given kubectl.
pub fn apply_by(kubectl: Command, flags: &str, document: &Value) -> Result<String, String> {
    let mut command = with(kubectl, &format!("apply {flags} -f -"));
    run_with_input(&mut command, &document.to_string()).map_err(no)
}

/// Returns an object of the cluster.
#[track_caller]
pub fn get(namespace: &Namespace, object: &str) -> Value {
    serde_json::from_str(&output_of(&mut kubectl(namespace, &format!("get {object} -o json")))).unwrap()
}

/// Writes a status as the operator would.
#[track_caller]
pub fn set_status(namespace: &Namespace, object: &str, status: &Value) {
    let patch = json!({"status": status}).to_string();
    let words = format!("patch {object} --subresource=status --type=merge --patch");
    output_of(kubectl(namespace, &words).arg(patch));
}

/// Retries until there is an answer; fails after a timeout.
#[track_caller]
pub fn until<T>(what: &str, mut request: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = request() {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
    }
}
