//! Objects, and what kubectl says of them.

use serde_json::{Value, json};
use stablekey::api::Credentials;
use stablekey_clusters::{Namespace, run, run_with_input};
pub use stablekey_testing::cli::repository;
use stablekey_testing::objects::{Connection, Document as _};
pub use stablekey_testing::objects::{document, list};
use std::process::Command;
use std::time::{Duration, Instant};

/// A connection that is as small as one may be; its name is its key.
pub fn connection(key: &str) -> Value {
    Connection::new(key, "salesforce/oauth2").credentials(Credentials::Customer).json()
}

/// What a command said that succeeded.
#[track_caller]
pub fn says(command: &mut Command) -> String {
    run(command).unwrap_or_else(|error| panic!("{error}"))
}

/// What a command said that did not.
#[track_caller]
pub fn refuses(command: &mut Command) -> String {
    match run(command) {
        Ok(said) => panic!("it should have been refused, and said {said}"),
        Err(error) => no(error),
    }
}

/// kubectl's no, in words that every version has: before 1.36 servers tell only of what type a value was
/// that no rule lets in, then of numbers which it was.
pub fn no(error: impl std::fmt::Display) -> String {
    let value = regex_lite::Regex::new(r#"(Invalid value: )(?:"(?:object|array|integer)": |-?[0-9]+: (a percentage))"#);
    value.unwrap().replace_all(&error.to_string(), "$1$2").into_owned()
}

/// kubectl with `arguments`, a word each.
pub fn kubectl(namespace: &Namespace, arguments: &str) -> Command {
    with(namespace.kubectl(), arguments)
}

/// A command with `arguments`, a word each.
pub fn with(mut command: Command, arguments: &str) -> Command {
    command.args(arguments.split_whitespace());
    command
}

/// `kubectl apply`, with `flags`, of one document or a [`list`].
pub fn apply(namespace: &Namespace, flags: &str, document: &Value) -> Result<String, String> {
    apply_by(namespace.kubectl(), flags, document)
}

/// The same by whoever `kubectl` is.
pub fn apply_by(kubectl: Command, flags: &str, document: &Value) -> Result<String, String> {
    let mut command = with(kubectl, &format!("apply {flags} -f -"));
    run_with_input(&mut command, &document.to_string()).map_err(no)
}

/// An object as it is in the cluster.
#[track_caller]
pub fn get(namespace: &Namespace, object: &str) -> Value {
    serde_json::from_str(&says(&mut kubectl(namespace, &format!("get {object} -o json")))).unwrap()
}

/// Writes a status as the operator would.
#[track_caller]
pub fn set_status(namespace: &Namespace, object: &str, status: &Value) {
    let patch = json!({"status": status}).to_string();
    let words = format!("patch {object} --subresource=status --type=merge --patch");
    says(kubectl(namespace, &words).arg(patch));
}

/// Asks, each time a whole kubectl, until there is an answer; fails if there is none in time.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
    }
}
