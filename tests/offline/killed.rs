//! The real command, killed and interrupted while it writes.

use stablekey::api::Credentials;
use stablekey_testing::cli::{files, run, said, stablekey, stablekey_of};
use stablekey_testing::objects::{Connection, Document as _, Integration, Sync, Tenant};
use stablekey_testing::project::Project;
use stablekey_testing::yaml;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const CONNECTIONS: usize = 120;

/// Creates two tenants, of which one is copied completely to the other.
fn project() -> Project {
    let us = Tenant::new("us").in_folder("us");
    let eu = Tenant::new("eu").in_folder("eu").accepts("us");
    let sync = Sync::new("us-to-eu", "us", "eu").mirror();
    let mut all: Vec<String> = (0..CONNECTIONS).map(|n| connection(&format!("key-{n}"))).collect();
    for part in 0..CONNECTIONS / 60 {
        let integration = Integration::new(&format!("integration-{part}"));
        let keys = part * 60..(part + 1) * 60;
        let integration = keys.fold(integration, |it, n| it.binds(&format!("v{n}"), &format!("key-{n}")));
        all.push(integration.yaml());
    }
    Project::empty()
        .with("tenants.yaml", &yaml::file(&[us.yaml(), eu.yaml(), sync.yaml()]))
        .with("us/all.yaml", &yaml::file(&all))
        .with_folder("eu")
}

fn connection(key: &str) -> String {
    Connection::new(key, "http/basic").credentials(Credentials::OrganizationGlobal).input("username", "u").yaml()
}

fn written(root: &Path) -> usize {
    let folder = root.join("eu/connections");
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".yaml") && !name.starts_with('.')).count()
}

/// Starts an apply, and waits until it has written this many connections or is done.
fn apply_until(root: &Path, count: usize) -> Child {
    wait_until(stablekey(root, &["apply", "--yes"]), root, count)
}

fn wait_until(mut command: Command, root: &Path, count: usize) -> Child {
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
    let left: Vec<String> = files(root).into_keys().filter(|f| f.contains(".stablekey-tmp-")).collect();
    assert_eq!(left, Vec::<String>::new(), "nothing is left lying about");
}

#[test]
fn kill_9_at_any_moment_loses_nothing() {
    let root = project();
    for count in [0, 1, 2, 5, 17, 40, 80, 119] {
        let mut child = apply_until(root.root(), count);
        child.kill().unwrap();
        child.wait().unwrap();
        let check = run(root.root(), &["validate"]);
        assert_eq!(check.status.code(), Some(0), "every file is whole: {}", said(&check));
    }
    let last = run(root.root(), &["apply", "--yes"]);
    assert_eq!(last.status.code(), Some(0), "{}", said(&last));
    everything_is_there(root.root());
}

/// Returns the digest of the sync that `plan` shows.
fn digest(root: &Path) -> String {
    let plan: serde_json::Value = serde_json::from_slice(&run(root, &["plan", "-o", "json"]).stdout).unwrap();
    let target = plan["targets"].as_array().unwrap().iter().find(|target| target["tenant"] == "eu").unwrap().clone();
    target["digests"]["sync/us-to-eu"].as_str().unwrap().to_string()
}

/// What is left after a kill needs no new approval; new actions void it and are named; what was carried out is
/// consumed. `--yes` never uses stored approvals.
///
/// "What is left after a crash needs no new approval; new actions void it and are named; what was carried out is
/// consumed. `--yes` never uses what is kept".
#[test]
fn an_apply_after_kill_9_is_finished_by_the_same_approval() {
    for count in [1, 17, 80] {
        let (root, state) = (project(), tempfile::tempdir().unwrap());
        let root = root.root();
        let digest = digest(root);
        let approve = |digest: &str| stablekey_of(state.path(), root, &["apply", "--approve", digest]);
        let mut child = wait_until(approve(&digest), root, count);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!((1..CONNECTIONS).contains(&written(root)), "it was killed half-way");
        assert_eq!(files(state.path()).len(), 1, "the approval is kept, outside the tree");

        let plan = stablekey_of(state.path(), root, &["plan"]).output().unwrap();
        assert!(said(&plan).contains("Approved before, in an apply that did not finish"), "{}", said(&plan));
        assert!(said(&plan).contains(&format!("--approve {}", &digest[..19])), "{}", said(&plan));

        // Another user, and CI, have stored no approval.
        let elsewhere = tempfile::tempdir().unwrap();
        let other = stablekey_of(elsewhere.path(), root, &["apply", "--approve", &digest]).output().unwrap();
        let ci = run(root, &["apply", "--approve", &digest]);
        for refused in [other, ci] {
            assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
            assert!(said(&refused).contains("is no digest of this plan"), "{}", said(&refused));
        }

        // A new action voids it, and is named.
        let new = root.join("us/new.yaml");
        let bound = Integration::new("brand-new").binds("v", "brand-new");
        fs::write(&new, yaml::file(&[connection("brand-new"), bound.yaml()])).unwrap();
        let before = written(root);
        let void = approve(&digest).output().unwrap();
        assert_eq!(void.status.code(), Some(1), "{}", said(&void));
        assert!(said(&void).contains("eu/Connection/brand-new, eu/Integration/brand-new"), "{}", said(&void));
        assert_eq!(written(root), before, "nothing is written");
        fs::remove_file(&new).unwrap();

        let last = approve(&digest.to_uppercase().replace("SHA256", " sha256")).output().unwrap();
        assert_eq!(last.status.code(), Some(0), "{}", said(&last));
        everything_is_there(root);
        assert_eq!(files(state.path()).len(), 0, "no approval is left");
    }
}

#[test]
fn ctrl_c_finishes_the_current_write_and_reports_what_is_done() {
    let root = project();
    let child = apply_until(root.root(), 3);
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    if signalled.success() && output.status.code() == Some(1) {
        let text = said(&output);
        assert!(text.contains("interrupted before it"), "{text}");
        assert!(text.contains("✓ eu/Connection/"), "{text}");
        assert!(text.contains("not done"), "{text}");
    }
    let last = run(root.root(), &["apply", "--yes"]);
    assert_eq!(last.status.code(), Some(0), "{}", said(&last));
    everything_is_there(root.root());
}

#[test]
fn two_applies_at_once_do_not_mix() {
    let root = project();
    let first = apply_until(root.root(), 1);
    let second = run(root.root(), &["apply", "--yes"]);
    let first = first.wait_with_output().unwrap();
    let refused = said(&second).contains("is being written by another apply");
    assert!(refused || first.status.code() == Some(0), "{} {}", said(&first), said(&second));
    let last = run(root.root(), &["apply", "--yes"]);
    assert_eq!(last.status.code(), Some(0), "{}", said(&last));
    everything_is_there(root.root());
}
