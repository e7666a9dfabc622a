//! What an apply writes to tenants in folders: the jobs of `ci/`, run as they are written in a clone that is thrown away,
//! commit it to the branch.

use super::{applied, chat};
use crate::scaffold::init::shell;
use serde_json::Value;
use stablekey_testing::cli::repository;
use stablekey_testing::objects::{Document as _, Integration};
use stablekey_testing::project::CommandOutput;
use stablekey_testing::work_tree::{WorkTree, git_in};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;

const GITHUB: [(&str, &str); 2] = [("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/heads/main")];
const GITLAB: [(&str, &str); 2] = [("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "main")];

/// The lines of the job that applies.
fn script(file: &str) -> String {
    let text = std::fs::read_to_string(repository(&format!("ci/{file}"))).unwrap();
    let job: Value = serde_saphyr::from_str(&text).unwrap();
    let steps = job["jobs"]["apply"]["steps"].as_array();
    let step = steps.and_then(|steps| steps.iter().find(|step| step["name"] == "Apply"));
    let script = step.map_or(&job["stablekey-apply"]["script"][0], |step| &step["run"]);
    script.as_str().unwrap().to_string()
}

/// A repository that others push to, and a merge in it that an apply brings to prod.
struct Remote {
    tree: WorkTree,
    folder: TempDir,
}

impl Remote {
    fn new() -> Self {
        let tree = applied();
        let folder = tempfile::tempdir().unwrap();
        git_in(folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "."]);
        tree.git(&["remote", "add", "origin", folder.path().to_str().unwrap()]);
        tree.branch("change");
        tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
        tree.write("dev/notes.yaml", &Integration::new("notes").title("notes").binds("Chat", "chat").yaml());
        tree.commit("change");
        tree.switch("main");
        tree.git(&["merge", "--quiet", "--no-ff", "--message", "Merge", "change"]);
        tree.git(&["push", "--quiet", "origin", "main"]);
        Remote { tree, folder }
    }

    fn git(&self, arguments: &[&str]) -> String {
        git_in(self.folder.path(), arguments)
    }

    /// Runs something before each push is taken; the push is refused if it fails.
    fn before_push(&self, script: &str) {
        let hook = self.folder.path().join("hooks/pre-receive");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a job in a new clone, as a runner makes one.
    fn job(&self, script: &str, variables: &[(&str, &str)]) -> CommandOutput {
        let runner = tempfile::tempdir().unwrap();
        let url = format!("file://{}", self.folder.path().display());
        git_in(runner.path(), &["clone", "--quiet", "--depth", "2", &url, "clone"]);
        let clone = runner.path().join("clone");
        // Files of the job itself are nobody's change.
        std::fs::write(clone.join("job.log"), "started").unwrap();
        run(script, &clone, variables)
    }
}

fn run(script: &str, folder: &Path, variables: &[(&str, &str)]) -> CommandOutput {
    let mut job = shell(script, folder);
    for name in ["GITHUB_EVENT_PATH", "GITHUB_STEP_SUMMARY", "CI_COMMIT_BEFORE_SHA", "CI_MERGE_REQUEST_IID"] {
        job.env_remove(name);
    }
    job.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    CommandOutput::of(&job.envs(variables.iter().copied()).output().unwrap())
}

#[test]
fn the_jobs_commit_what_they_write_in_folders() {
    for (file, variables) in [("github/stablekey-apply.yml", &GITHUB), ("gitlab/apply.yml", &GITLAB)] {
        let remote = Remote::new();
        let merge = remote.git(&["rev-parse", "main"]);
        let output = remote.job(&script(file), variables);
        assert_eq!(output.code, 0, "{}", output.all);
        assert!(output.err.contains("of tenants in folders to main, as "), "{}", output.err);
        assert!(output.err.contains("\n  prod/connections/chat.yaml"), "{}", output.err);
        assert!(!output.all.contains("changed in this checkout only"), "{}", output.all);
        assert!(remote.git(&["show", "main:prod/connections/chat.yaml"]).contains("Team chat"));
        // One commit on top of the merge, which starts no pipeline, with nothing but what was written.
        assert_eq!(remote.git(&["rev-parse", "main^"]), merge);
        let message = remote.git(&["log", "-1", "--format=%B", "main"]);
        assert!(message.lines().next().unwrap().ends_with(" [skip ci]"), "{message}");
        let changed = remote.git(&["diff", "--name-only", "main^", "main"]);
        assert!(changed.lines().all(|file| file.starts_with("prod/")), "{changed}");
        assert!(
            changed.contains("prod/stablekey.lock") && changed.contains("prod/integrations/notes.yaml"),
            "{changed}"
        );
        // Then nothing is left, and nothing is pushed.
        let tip = remote.git(&["rev-parse", "main"]);
        let output = remote.job(&script(file), variables);
        assert_eq!(output.code, 0, "{}", output.all);
        assert_eq!(remote.git(&["rev-parse", "main"]), tip);
    }
}

/// A file that Git ignores would be lost with the job: the next one would take what a sync wrote for a person's.
#[test]
fn a_file_that_git_ignores_is_an_error() {
    let remote = Remote::new();
    remote.tree.write(".gitignore", "*.lock\n");
    remote.tree.git(&["rm", "--quiet", "--cached", "prod/stablekey.lock"]);
    remote.tree.git(&["add", ".gitignore"]);
    remote.tree.git(&["commit", "--quiet", "--message", "ignore"]);
    remote.tree.git(&["push", "--quiet", "origin", "main"]);
    let output = remote.job(&script("github/stablekey-apply.yml"), &GITHUB);
    assert!(output.code == 1 && output.err.contains("Git ignores"), "{}", output.all);
    assert!(output.err.contains("\n  prod/stablekey.lock"), "{}", output.err);
}

/// What waits for an approval holds nothing else back.
#[test]
fn what_was_done_is_committed_where_something_waits() {
    let remote = Remote::new();
    remote.tree.write("dev/chat.yaml", &chat("new.example", "Team chat"));
    remote.tree.commit("move");
    remote.tree.git(&["push", "--quiet", "origin", "main"]);
    let output = remote.job(&script("github/stablekey-apply.yml"), &GITHUB);
    assert_eq!(output.code, 2, "{}", output.all);
    assert!(remote.git(&["show", "main:prod/integrations/notes.yaml"]).contains("notes"));
    assert!(!remote.git(&["show", "main:prod/connections/chat.yaml"]).contains("new.example"));
}

/// A merge between the apply and its push: the job of that merge writes the files again.
#[test]
fn a_branch_that_moves_on_is_not_overwritten() {
    let remote = Remote::new();
    remote.tree.write("README.md", "newer");
    let newer = remote.tree.commit("newer");
    remote.tree.git(&["push", "--quiet", "origin", "main:refs/heads/next"]);
    remote.before_push(&format!("env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {newer}; exit 1"));
    let output = remote.job(&script("github/stablekey-apply.yml"), &GITHUB);
    assert_eq!(output.code, 2, "{}", output.all);
    let said = format!("main is at {} by now", &newer[..10]);
    assert!(output.err.contains(&said) && output.err.contains("writes them again"), "{}", output.err);
    assert_eq!(remote.git(&["rev-parse", "main"]), newer);
    remote.before_push("exit 0");
    let output = remote.job(&script("github/stablekey-apply.yml"), &GITHUB);
    assert_eq!(output.code, 0, "{}", output.all);
    assert_eq!(remote.git(&["rev-parse", "main^"]), newer);
}

/// The remote took the push, and its answer was lost.
#[test]
fn a_push_whose_answer_is_lost_is_found() {
    let remote = Remote::new();
    let hook = remote.folder.path().join("hooks/reference-transaction");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let script = "#!/bin/sh\nif [ \"$1\" = committed ] && grep -q refs/heads/main; then kill -9 $PPID; fi\n";
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let before = remote.git(&["rev-parse", "main"]);
    let output = remote.job(&self::script("github/stablekey-apply.yml"), &GITHUB);
    assert!(output.code == 0 && output.err.contains("Pushed"), "{}", output.all);
    assert_eq!(remote.git(&["rev-parse", "main^"]), before);
}

#[test]
fn a_branch_that_takes_no_push_is_an_error() {
    let remote = Remote::new();
    remote.before_push("echo protected branch >&2; exit 1");
    let tip = remote.git(&["rev-parse", "main"]);
    let output = remote.job(&script("gitlab/apply.yml"), &GITLAB);
    assert_eq!(output.code, 1, "{}", output.all);
    for words in [
        "cannot be pushed to main",
        "\n  prod/connections/chat.yaml",
        "open a pull request with these files",
        "the server says: protected branch",
    ] {
        assert!(output.err.contains(words), "{words}: {}", output.err);
    }
    assert!(!output.err.contains("ci promote"), "it has nothing of these files: {}", output.err);
    assert_eq!(remote.git(&["rev-parse", "main"]), tip);
}

/// Without --push a person commits; and a push needs to know where to.
#[test]
fn the_files_are_named_without_a_push() {
    let remote = Remote::new();
    let output = remote.job("stablekey ci apply", &GITHUB);
    assert_eq!(output.code, 0, "{}", output.all);
    for words in ["changed in this checkout only", "stablekey ci apply --push", "\n  prod/connections/chat.yaml"] {
        assert!(output.err.contains(words), "{words}: {}", output.err);
    }
    assert!(output.out.contains("::warning title=stablekey::"), "{}", output.out);
    let output = remote.job("stablekey ci apply --push", &[]);
    assert_eq!(output.code, 1, "{}", output.all);
    assert!(output.err.contains("--branch main"), "{}", output.err);
}
