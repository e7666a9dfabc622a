//! The real command, killed and interrupted while it writes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::{files, run, said, stablekey};
use tempfile::TempDir;

const CONNECTIONS: usize = 120;

/// Two tenants; everything of one goes to the other.
fn project() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join("tenants.yaml"),
        "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: us}\nspec: {place: {directory: {path: us}}}\n---\n\
         apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: eu}\nspec: {place: {directory: {path: eu}}, acceptFrom: [us]}\n---\n\
         apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {name: us-to-eu}\nspec: {from: us, to: [eu], integrations: ['*'], connections: Mirror}\n",
    )
    .unwrap();
    fs::create_dir(root.path().join("us")).unwrap();
    fs::create_dir(root.path().join("eu")).unwrap();
    let mut yaml = String::new();
    for n in 0..CONNECTIONS {
        let _ = write!(
            yaml,
            "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {{name: key-{n}}}\nspec:\n  stableKey: key-{n}\n  component: {{key: http}}\n  type: basic\n  credentials: OrganizationGlobal\n  inputs: {{username: {{value: u}}}}\n---\n"
        );
    }
    for part in 0..CONNECTIONS / 60 {
        let _ = write!(
            yaml,
            "apiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {{name: integration-{part}}}\nspec:\n  connections:\n"
        );
        for n in part * 60..(part + 1) * 60 {
            let _ = writeln!(yaml, "    - {{name: v{n}, stableKey: key-{n}}}");
        }
        yaml.push_str("---\n");
    }
    fs::write(root.path().join("us/all.yaml"), yaml).unwrap();
    root
}

fn written(root: &Path) -> usize {
    let folder = root.join("eu/connections");
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().filter(|e| e.file_name().to_string_lossy().ends_with(".yaml")).count()
}

/// Starts an apply and waits until it has written so many connections, or is done.
fn apply_until(root: &Path, count: usize) -> Child {
    let mut command = stablekey(root, &["apply", "--yes"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while written(root) < count && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child
}

fn everything_is_there(root: &Path) {
    assert_eq!(written(root), CONNECTIONS);
    let plan = run(root, &["plan"]);
    assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
    let left: Vec<String> =
        files(root).into_keys().filter(|f| f.contains(".stablekey-tmp-") || f.ends_with(".approved")).collect();
    assert_eq!(left, Vec::<String>::new(), "nothing is left lying about");
}

#[test]
fn kill_9_at_any_moment_loses_nothing() {
    let root = project();
    for count in [0, 1, 2, 5, 17, 40, 80, 119] {
        let mut child = apply_until(root.path(), count);
        child.kill().unwrap();
        child.wait().unwrap();
        let check = run(root.path(), &["validate"]);
        assert_eq!(check.status.code(), Some(0), "every file is whole: {}", said(&check));
    }
    let last = run(root.path(), &["apply", "--yes"]);
    assert_eq!(last.status.code(), Some(0), "{}", said(&last));
    everything_is_there(root.path());
}

#[test]
fn ctrl_c_finishes_the_write_in_hand_and_says_what_is_done() {
    let root = project();
    let child = apply_until(root.path(), 3);
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    if signalled.success() && output.status.code() == Some(1) {
        let text = said(&output);
        assert!(text.contains("interrupted before it"), "{text}");
        assert!(text.contains("✓ eu/Connection/"), "{text}");
        assert!(text.contains("not done"), "{text}");
    }
    let last = run(root.path(), &["apply", "--yes"]);
    assert_eq!(last.status.code(), Some(0), "{}", said(&last));
    everything_is_there(root.path());
}

#[test]
fn two_applies_at_once_do_not_mix() {
    let root = project();
    let first = apply_until(root.path(), 1);
    let second = run(root.path(), &["apply", "--yes"]);
    let first = first.wait_with_output().unwrap();
    let refused = said(&second).contains("is being written by another apply");
    assert!(refused || first.status.code() == Some(0), "{} {}", said(&first), said(&second));
    let last = run(root.path(), &["apply", "--yes"]);
    assert_eq!(last.status.code(), Some(0), "{}", said(&last));
    everything_is_there(root.path());
}
