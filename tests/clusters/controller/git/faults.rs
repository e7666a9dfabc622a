//! What cannot be read is unknown, never empty: nothing is written because of it, and nothing removed.

use super::env::*;
use crate::controller::syncer::env::*;
use serde_json::{Value, json};
use stablekey_testing::git_repository::{File, Files};
use stablekey_testing::git_server::{Fault, PASSWORD, Step, USER};
use stablekey_testing::objects::*;
use stablekey_testing::replica::{Replica, until};
use std::time::Duration;

/// What the tenant has before something goes wrong.
fn before() -> [Value; 2] {
    [with(connection("crm", "api"), "/spec/deletionPolicy", "Delete"), integration("lead", &["crm"])]
}

/// A tenant whose source prunes and was applied.
fn applied(prefix: &str) -> (GitEnv, Replica, String) {
    let env = GitEnv::new(prefix);
    let commit = env.commit(&before());
    env.in_us(&[env.pruning_tenant()]);
    let syncer = env.syncer();
    env.until_applied(&commit);
    (env, syncer, commit)
}

/// Waits for this reason; then asserts that everything is still there after another reconcile.
#[track_caller]
fn nothing_is_removed(env: &GitEnv, reason: &str, words: &str) {
    until_ready(&env.us, US, reason);
    let mark = env.us.cluster().mark().unwrap();
    env.again(&format!("after {reason}"));
    let message = env.message();
    assert!(message.contains(words) && !message.contains("CANARY"), "{message}");
    assert_eq!(env.written(mark), [""; 0]);
    for object in ["connection/crm", "integration/lead"] {
        assert_ne!(field(&env.us, object, ".metadata.uid"), "", "{object}");
    }
}

/// The next good commit is applied.
#[track_caller]
fn recovers(env: &GitEnv) {
    let mut objects = before();
    objects[0]["spec"]["inputs"]["scopes"]["value"] = json!("recovered");
    let commit = env.commit(&objects);
    env.again("now");
    env.until_applied(&commit);
    assert_eq!(field(&env.us, "connection/crm", SCOPES), "recovered");
}

#[test]
fn a_server_that_fails_is_unknown() {
    let (env, _syncer, commit) = applied("server");
    for (step, fault, reason, words) in [
        (Step::Capabilities, Fault::Say(503, Vec::new(), "CANARY"), "Unreachable", "HTTP 503"),
        (
            Step::Capabilities,
            Fault::Say(404, Vec::new(), "CANARY"),
            "RepositoryNotFound",
            "no repository at this address",
        ),
        (Step::List, Fault::Silent, "TimedOut", "within 3 s"),
        (Step::Capabilities, Fault::Drip(Duration::from_millis(500)), "TimedOut", "within 3 s"),
        (Step::Capabilities, Fault::Say(200, Vec::new(), "<html>CANARY</html>"), "NotGit", "as a Git server does"),
    ] {
        env.server.fault(step, fault);
        env.again(words);
        nothing_is_removed(&env, reason, words);
        env.server.heal();
        env.again(&format!("{words} healed"));
        env.until_applied(&commit);
    }
    recovers(&env);
}

#[test]
fn wrong_credentials_are_unknown() {
    let (env, _syncer, _) = applied("password");
    env.in_us(&[env.credentials(USER, "CANARY-wrong")]);
    nothing_is_removed(&env, "CredentialsRefused", "does not accept the credentials");
    env.in_us(&[env.credentials(USER, PASSWORD)]);
    recovers(&env);
}

#[test]
fn a_branch_that_is_deleted_is_unknown() {
    let (env, _syncer, commit) = applied("branch");
    env.repository.git(&["update-ref", "-d", "refs/heads/main"]);
    nothing_is_removed(&env, "RevisionNotFound", "it has no branch main");
    env.repository.git(&["update-ref", "refs/heads/main", &commit]);
    recovers(&env);
}

/// "Path gone or empty (never "delete everything")".
#[test]
fn a_path_that_is_gone_or_empty_removes_nothing() {
    let (env, _syncer, _) = applied("path");
    env.repository.commit("main", &[("README.md".to_string(), File::Regular(b"moved".to_vec()))].into());
    nothing_is_removed(&env, "PathNotFound", "has no folder tenants/us");
    env.repository.commit("main", &[("tenants/us".to_string(), File::Regular(b"x".to_vec()))].into());
    until("it is a file", || env.message().contains("but a file"));
    nothing_is_removed(&env, "PathNotFound", "but a file");
    // There, and without manifests: that may be meant, and a person says so.
    let empty: Files = [("tenants/us/.gitkeep".to_string(), File::Regular(Vec::new()))].into();
    env.repository.commit("main", &empty);
    nothing_is_removed(&env, "AwaitingApproval", "await approval");
    recovers(&env);
}

/// A commit of a few kilobytes with more paths than any memory: its tenant is unknown, and the syncer goes on.
#[test]
fn a_commit_that_repeats_itself_is_unknown() {
    let (env, _syncer, _) = applied("repeats");
    env.repository.commit_repeating("main", 40, "a.yaml");
    env.in_us(&[with(env.pruning_tenant(), "/spec/source/git/path", "a")]);
    nothing_is_removed(&env, "TooLarge", "MiB of manifests at a ");
    env.in_us(&[env.pruning_tenant()]);
    recovers(&env);
}

#[test]
fn submodules_pointers_and_links_out_of_the_tree_are_unknown() {
    let (env, _syncer, commit) = applied("odd");
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n";
    for (name, path, file, words) in [
        ("a submodule", "tenants/us/more", File::Submodule(commit.clone()), "tenants/us/more"),
        ("the folder as a submodule", "tenants/us", File::Submodule(commit.clone()), "submodule"),
        ("a pointer of LFS", "tenants/us/connections/crm.yaml", File::Regular(lfs.into()), "Git LFS"),
        (
            "a link out",
            "tenants/us/connections/crm.yaml",
            File::Link("../../../../etc/passwd".into()),
            "out of the root",
        ),
        ("a link to nothing", "tenants/us/connections/crm.yaml", File::Link("gone.yaml".into()), "crm.yaml"),
    ] {
        // Only the integration and what is odd: the connection would be removed.
        let mut files = source(&before()[1..]);
        files.retain(|there, _| path != "tenants/us" || !there.starts_with("tenants/us"));
        files.insert(path.to_string(), file);
        let odd = env.repository.commit("main", &files);
        until_field(&env.us, US, ".status.source.seen", &odd);
        let mark = env.us.cluster().mark().unwrap();
        env.again(&name.replace(' ', "-"));
        assert_ne!(ready(&env.us, US, "status"), "True", "{name}");
        let message = env.message();
        assert!(message.contains(words), "{name}: {message}");
        assert_eq!(env.written(mark), [""; 0], "{name}");
        assert_ne!(field(&env.us, "connection/crm", ".metadata.uid"), "", "{name}");
    }
    recovers(&env);
}

/// "One bad resource holds back itself and what needs it, nothing else."
#[test]
fn a_commit_with_one_broken_file_removes_nothing() {
    let (env, _syncer, _) = applied("broken");
    let mut objects = before();
    objects[0]["spec"]["inputs"]["scopes"]["value"] = json!("more");
    let mut files = source(&objects[..1]);
    files.insert("tenants/us/connections/erp.yaml".into(), File::Regular(b"kind: [Connection\n  - {".to_vec()));
    env.repository.commit("main", &files);
    // The update of what is known goes on.
    until_field(&env.us, "connection/crm", SCOPES, "more");
    until("it is named", || env.message().contains("tenants/us/connections/erp.yaml"));
    assert_ne!(ready(&env.us, US, "status"), "True");
    assert_ne!(field(&env.us, "integration/lead", ".metadata.uid"), "", "it may be in the file that cannot be read");
    recovers(&env);
}

#[test]
fn a_rewritten_history_is_read_as_it_is_now() {
    let (env, _syncer, _) = applied("rewritten");
    let mut objects = before();
    objects[0]["spec"]["inputs"]["scopes"]["value"] = json!("rewritten");
    let commit = env.repository.replace("main", &source(&objects));
    env.until_applied(&commit);
    assert_eq!(field(&env.us, "connection/crm", SCOPES), "rewritten");
}

/// The last of two commits wins, and what the first one made is not left behind.
#[test]
fn two_commits_in_quick_succession_end_as_the_second() {
    let (env, _syncer, _) = applied("quick");
    for number in 0..5 {
        let mut objects = before();
        objects[0]["spec"]["inputs"]["scopes"]["value"] = json!(format!("{number} a"));
        let extra = with(connection("extra", "x"), "/spec/deletionPolicy", "Delete");
        env.commit(&[&objects[..], &[extra]].concat());
        objects[0]["spec"]["inputs"]["scopes"]["value"] = json!(format!("{number} b"));
        let second = env.commit(&objects);
        env.until_applied(&second);
        assert_eq!(field(&env.us, "connection/crm", SCOPES), format!("{number} b"));
        until("what only the first had is gone", || field(&env.us, "connection/extra", ".metadata.uid").is_empty());
    }
}

/// "A revert (the rollback that we recommend)".
#[test]
fn a_revert_brings_the_state_of_before() {
    let (env, _syncer, _) = applied("revert");
    let mut objects = before();
    objects[0]["spec"]["inputs"]["scopes"]["value"] = json!("wrong");
    let extra = with(connection("extra", "x"), "/spec/deletionPolicy", "Delete");
    let wrong = env.commit(&[&objects[..], &[extra]].concat());
    env.until_applied(&wrong);
    let reverted = env.commit(&before());
    env.until_applied(&reverted);
    assert_eq!(field(&env.us, "connection/crm", SCOPES), "api");
    assert_eq!(field(&env.us, "connection/extra", ".metadata.uid"), "");
}

/// "Retry-After": the server is left alone as long as it asks for, and the target is not held up as long: a request is
/// answered with the failure that is known.
#[test]
fn a_server_that_asks_to_wait_is_left_alone_and_requests_are_answered() {
    let (env, _syncer, _) = applied("wait");
    let wait = vec![("retry-after", "3600".to_string())];
    env.server.fault(Step::Capabilities, Fault::Say(429, wait, "CANARY"));
    env.again("first");
    nothing_is_removed(&env, "TooManyRequests", "come back after 3600 s");
    env.server.heal();
    env.server.take_seen();
    env.again("second");
    assert_eq!(ready(&env.us, US, "reason"), "TooManyRequests");
    assert_eq!(env.server.take_seen().len(), 0);
}

/// A repository that sends more than the limit is not read, and one below it is.
#[test]
fn a_large_repository_is_bounded() {
    let mut env = GitEnv::new("large");
    env.bytes = 4 << 20;
    let mut files = source(&before());
    // Random: it cannot be packed.
    let mut state = 1_u64;
    let noise = (0..8 << 20).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    files.insert("video.bin".to_string(), File::Regular(noise.collect()));
    env.repository.commit("main", &files);
    env.in_us(&[env.tenant()]);
    let _syncer = env.syncer();
    until_ready(&env.us, US, "TooLarge");
    assert!(env.message().contains("4 MiB"), "{}", env.message());
    files.remove("video.bin");
    let small = env.repository.replace("main", &files);
    env.again("now");
    env.until_applied(&small);
}

/// An operator that starts again goes on with the commit that it applied, and leaves nothing of the one before.
#[test]
fn a_restart_writes_nothing_and_leaves_no_folders() {
    let (env, syncer, commit) = applied("restart");
    drop(syncer);
    let mark = env.us.cluster().mark().unwrap();
    let _syncer = env.syncer();
    env.again("now");
    env.until_applied(&commit);
    assert_eq!(env.written(mark), [""; 0]);
    let folders = || walk(env.cache.path()).into_iter().filter(|path| path.ends_with("HEAD")).count();
    assert_eq!(folders(), 1);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
