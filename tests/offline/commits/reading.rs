//! The files of a commit are read as those on disk are.

use super::{applied, chat};
use serde_json::Value;
use stablekey_testing::cli::repository;
use stablekey_testing::objects::{Document as _, Integration};
use stablekey_testing::project::Project;
use stablekey_testing::work_tree::{WorkTree, git_in};
use std::os::unix::fs::symlink;

/// The plan of what is on disk, and what the same plan says at a commit.
fn both(tree: &WorkTree, root: &str) -> (Value, Value) {
    let plan = tree.stablekey(&["plan", "-o", "json", "-C", root]);
    let on_disk: Value = serde_json::from_str(&plan.out).unwrap_or_else(|error| panic!("{error}: {}", plan.all));
    // From a commit without any file to this one: all that there is, was added.
    let empty = tree.git(&["commit-tree", "-m", "nothing", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"]);
    let at = tree.stablekey(&["plan", "-o", "json", "-C", root, "--from", &empty, "--to", "HEAD"]);
    let mut change: Value = serde_json::from_str(&at.out).unwrap_or_else(|error| panic!("{error}: {}", at.all));
    (on_disk, change["added"].take())
}

#[test]
fn every_example_is_planned_at_a_commit_as_on_disk() {
    let mut read = 0;
    for entry in std::fs::read_dir(repository("examples")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !entry.path().join("tenants.yaml").exists() || name == "platform" {
            continue;
        }
        let tree = WorkTree::of(Project::example(&name));
        let (on_disk, at_commit) = both(&tree, ".");
        assert_eq!(on_disk["targets"], at_commit["targets"], "{name}");
        assert_eq!(on_disk["findings"], at_commit["findings"], "{name}");
        read += 1;
    }
    assert!(read > 1);
}

#[test]
fn a_project_in_a_folder_of_its_repository_is_read_there() {
    let project = Project::empty();
    let inner = applied();
    for (path, bytes) in stablekey_testing::cli::files(inner.root()) {
        if !path.starts_with(".git") {
            project.write(&format!("platform/{path}"), &String::from_utf8(bytes).unwrap());
        }
    }
    let tree = WorkTree::of(project);
    let (on_disk, at_commit) = both(&tree, "platform");
    assert_eq!(on_disk["targets"], at_commit["targets"]);
    // The path of a file is that from the folder of the command.
    tree.branch("change");
    tree.write("platform/dev/chat.yaml", "a: [");
    tree.commit("broken");
    let output = tree.run_with(&["ci", "plan", "--base", "main", "-C", "platform"], &[("GITHUB_ACTIONS", "true")]);
    assert_eq!(output.code, 1, "{}", output.all);
    assert!(output.out.contains("::error file=platform/dev/chat.yaml,line=1"), "{}", output.all);
    // Without the folder of the project it is not known what the change does.
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 3, "{}", output.all);
    assert!(
        !output.out.contains("does nothing") && output.out.contains("did you mean the root platform?"),
        "{}",
        output.out
    );
    for (option, what) in [("--tenant", "tenant"), ("--sync", "sync")] {
        let output = tree.stablekey(&["ci", "plan", "--base", "main", "-C", "platform", option, "nope"]);
        assert!(output.code == 1 && output.err.contains(&format!("there is no {what} nope")), "{}", output.all);
    }
}

#[test]
fn links_are_followed_within_a_tenant_and_refused_elsewhere() {
    let tree = applied();
    tree.write("shared/crm.yaml", &chat("crm.example", "CRM").replace("chat", "crm"));
    symlink("../shared/crm.yaml", tree.path("dev/crm.yaml")).unwrap();
    tree.commit("links");
    let (on_disk, at_commit) = both(&tree, ".");
    assert_eq!(on_disk["targets"], at_commit["targets"]);
    for (target, why) in [
        ("../../outside.yaml", "out of the root"),
        ("/etc/hostname", "out of the root"),
        ("nowhere.yaml", "leads nowhere"),
        ("../prod/connections/chat.yaml", "folder of tenant prod"),
    ] {
        let _ = std::fs::remove_file(tree.path("dev/bad.yaml"));
        symlink(target, tree.path("dev/bad.yaml")).unwrap();
        tree.commit("bad link");
        let output = tree.stablekey(&["plan", "--from", "HEAD^", "--to", "HEAD"]);
        assert_eq!(output.code, 1, "{target}: {}", output.all);
        assert!(output.err.contains(why), "{target}: {}", output.err);
        tree.git(&["rm", "--quiet", "dev/bad.yaml"]);
        tree.commit("without");
    }
    // A circle of links ends.
    symlink("b.yaml", tree.path("dev/a.yaml")).unwrap();
    symlink("a.yaml", tree.path("dev/b.yaml")).unwrap();
    tree.commit("circle");
    assert_eq!(tree.stablekey(&["plan", "--from", "HEAD^", "--to", "HEAD"]).code, 1);
}

/// What is not in the commit is unknown: nothing is removed because of it.
#[test]
fn submodules_and_pointers_of_lfs_could_hold_anything() {
    let tree = applied();
    let commit = tree.git(&["rev-parse", "HEAD"]);
    tree.git(&["rm", "--quiet", "dev/chat.yaml"]);
    tree.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},dev/more")]);
    tree.git(&["commit", "--quiet", "--message", "submodule"]);
    let output = tree.stablekey(&["plan", "--from", "main^", "--to", "main"]);
    assert_eq!(output.code, 1, "{}", output.all);
    assert!(output.err.contains("submodule"), "{}", output.err);
    assert!(!output.out.contains("delete"), "{}", output.out);
    let tree = applied();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
    tree.write("dev/chat.yaml", pointer);
    tree.commit("lfs");
    let output = tree.stablekey(&["plan", "--from", "main^", "--to", "main"]);
    assert_eq!(output.code, 1, "{}", output.all);
    assert!(output.err.contains("Git LFS"), "{}", output.err);
    assert!(!output.out.contains("delete"), "{}", output.out);
    // The same on disk, and for a definition.
    assert_eq!(tree.stablekey(&["plan"]).code, 1);
}

/// "What the base has already is listed apart and gates nothing": also a folder that was unknown before, with entries
/// that are not read.
#[test]
fn what_was_unknown_and_is_the_same_gates_nothing() {
    let tree = applied();
    let commit = tree.git(&["rev-parse", "HEAD"]);
    let tenants = tree.read("tenants.yaml").replace("acceptFrom", "acceptsFrom");
    tree.write("tenants.yaml", &tenants);
    symlink("stablekey.lock", tree.path("prod/link")).unwrap();
    symlink("nowhere", tree.path("prod/dangling")).unwrap();
    tree.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},prod/more")]);
    tree.git(&["add", "tenants.yaml", "prod"]);
    tree.git(&["commit", "--quiet", "--message", "unknown"]);
    tree.branch("change");
    tree.write("README.md", "more");
    tree.git(&["add", "README.md"]);
    tree.git(&["commit", "--quiet", "--message", "readme"]);
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 0, "{}", output.all);
    std::fs::remove_file(tree.path("prod/link")).unwrap();
    symlink("../README.md", tree.path("prod/link")).unwrap();
    tree.git(&["add", "prod/link"]);
    tree.git(&["commit", "--quiet", "--message", "another link"]);
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 3, "{}", output.all);
}

#[test]
fn a_shallow_clone_is_told_its_depth() {
    let tree = applied();
    tree.commit("second");
    let clone = tempfile::tempdir().unwrap();
    let url = format!("file://{}", tree.root().display());
    git_in(clone.path(), &["clone", "--quiet", "--depth", "1", &url, "clone"]);
    let project = clone.path().join("clone");
    let run = |arguments: &[&str]| {
        let output = stablekey_testing::cli::run(&project, arguments);
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, err) = run(&["plan", "--from", "HEAD^", "--to", "HEAD"]);
    assert_eq!(code, 1);
    assert!(err.contains("depth of 1") && err.contains("fetch-depth: 0"), "{err}");
    assert_eq!(err.matches("error:").count(), 1, "{err}");
    // A branch that only the remote has is found.
    git_in(&project, &["switch", "--quiet", "--detach", "HEAD"]);
    git_in(&project, &["branch", "--quiet", "-D", "main"]);
    assert_eq!(run(&["plan", "--from", "main", "--to", "HEAD"]).0, 0);
    // One branch alone, as a job may have it: the command that is named brings the other one with its history.
    let only = clone.path().join("only");
    tree.branch("fix");
    tree.commit("fix");
    git_in(clone.path(), &["clone", "--quiet", "--depth", "1", "--branch", "fix", &url, "only"]);
    let plan = || stablekey_testing::cli::run(&only, &["ci", "plan", "--base", "main"]);
    let output = plan();
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let command = err.lines().find_map(|line| line.strip_prefix("    git ")).unwrap_or_else(|| panic!("{err}"));
    git_in(&only, &command.split(' ').collect::<Vec<_>>());
    assert_eq!(plan().status.code(), Some(0));
    let (code, err) = run(&["plan", "--from", "elsewhere", "--to", "HEAD"]);
    assert_eq!(code, 1);
    assert!(err.contains("elsewhere"), "{err}");
}

#[test]
fn what_is_no_repository_and_what_is_no_commit_are_errors() {
    let project = Project::example("us-eu");
    let output = project.run(&["plan", "--from", "main"]);
    assert_eq!(output.code, 1);
    assert!(output.err.contains("no Git repository") && output.err.contains("--git URL@REF"), "{}", output.err);
    // Only a command with that option advises it.
    for command in [&["ci", "plan", "--base", "main"][..], &["ci", "apply"], &["ci", "promote", "dev", "eu-prod"]] {
        let output = project.run(command);
        assert!(output.code == 1 && output.err.contains("no Git repository"), "{command:?}: {}", output.err);
        assert!(output.err.contains("a clone") && !output.err.contains("--git"), "{command:?}: {}", output.err);
    }
    let tree = WorkTree::of(project);
    for name in ["man", "main:tenants.yaml", "", "-x", "HEAD^{tree}"] {
        let output = tree.stablekey(&["plan", &format!("--from={name}")]);
        assert_eq!(output.code, 1, "{name}: {}", output.all);
        assert!(output.err.contains("there is no commit"), "{name}: {}", output.err);
    }
    assert_eq!(tree.stablekey(&["plan", "--to", "main"]).code, 1);
    // A commit is no folder.
    let output = tree.stablekey(&["ci", "plan", "main"]);
    assert!(output.code == 1 && output.err.contains("\n    stablekey ci plan --base main\n"), "{}", output.all);
    // A branch without the folder.
    let output = tree.stablekey(&["plan", "-C", "us-prod", "--from", "main"]);
    assert_eq!(output.code, 1, "{}", output.all);
}

/// A branch that lacks commits of the base shows them backwards: that is said, and what to ask instead.
#[test]
fn what_a_branch_lacks_is_said() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("title");
    let said = "HEAD lacks 1 commit of main, which this comparison shows backwards";
    for arguments in [&["plan", "--from", "main"][..], &["plan", "--from", "main", "--to", "HEAD"]] {
        assert!(!tree.stablekey(arguments).err.contains("lacks"), "{arguments:?}");
    }
    tree.switch("main");
    tree.write("dev/more.yaml", &Integration::new("more").title("more").yaml());
    tree.commit("more");
    tree.switch("change");
    for arguments in [&["plan", "--from", "main"][..], &["plan", "--from", "main", "--to", "HEAD"]] {
        let output = tree.stablekey(arguments);
        assert!(
            output.err.contains(said) && output.err.contains("\n  stablekey ci plan --base main\n"),
            "{}",
            output.err
        );
    }
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert!(!output.all.contains("lacks") && !output.out.contains("more"), "{}", output.all);
}

/// What is on disk only is in no comparison of commits.
#[test]
fn what_is_not_committed_is_said() {
    let tree = applied();
    tree.branch("change");
    tree.commit("nothing");
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    let said = "1 file is changed on disk and in no commit";
    for arguments in [&["plan", "--from", "main", "--to", "HEAD"][..], &["ci", "plan", "--base", "main"]] {
        let output = tree.stablekey(arguments);
        assert!(output.code == 0 && output.err.contains(said), "{}", output.all);
    }
    assert!(!tree.stablekey(&["plan", "--from", "main"]).err.contains(said));
    tree.commit("title");
    assert!(!tree.stablekey(&["ci", "plan", "--base", "main"]).err.contains("on disk"));
}

/// A folder that is given on the command line is in no commit: it is refused, and not passed over.
#[test]
fn a_source_on_the_command_line_is_refused() {
    let tree = applied();
    tree.write("other/chat.yaml", &chat("chat.example", "Team chat"));
    for arguments in [
        (&["plan", "--from", "main", "--source", "dev=other"][..], "cannot be used with '--source"),
        (&["ci", "plan", "--base", "main", "--source", "dev=other"], "is of the files on disk only"),
        (&["ci", "plan", "--base", "main", "--source", "nobody=nothing"], "is of the files on disk only"),
    ] {
        let (arguments, why) = arguments;
        let output = tree.stablekey(arguments);
        assert!(output.code == 1 && output.err.contains(why), "{}", output.all);
    }
}

#[test]
fn a_range_and_a_repository_without_commits_are_named() {
    let tree = applied();
    let output = tree.stablekey(&["plan", "--from", "main..HEAD"]);
    assert!(output.code == 1 && output.err.contains("--from main --to HEAD"), "{}", output.all);
    let empty = tempfile::tempdir().unwrap();
    git_in(empty.path(), &["init", "--quiet", "--initial-branch=main"]);
    let path = empty.path().to_str().unwrap();
    for arguments in [&["plan", "-C", path, "--from", "HEAD"][..], &["ci", "plan", "-C", path, "--base", "main"]] {
        let output = tree.stablekey(arguments);
        assert!(output.code == 1 && output.err.contains("has no commit yet"), "{}", output.all);
    }
}

/// Each mistake has its own line, in the output and in annotations, also where several have the same words.
#[test]
fn each_problem_has_its_line() {
    let tree = applied();
    tree.branch("change");
    let tenants = tree.read("tenants.yaml").replace("location:", "lokation:");
    tree.write("tenants.yaml", &tenants);
    tree.commit("misspelt");
    let lines: Vec<usize> =
        tenants.lines().enumerate().filter(|(_, line)| line.contains("lokation")).map(|(line, _)| line + 1).collect();
    assert_eq!(lines.len(), 2);
    let output = tree.run_with(&["ci", "plan", "--base", "main"], &[("GITHUB_ACTIONS", "true")]);
    for line in &lines {
        assert!(output.out.contains(&format!("file=tenants.yaml,line={line},")), "{line}: {}", output.out);
    }
    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("chat.example", "Chat").replace("title:", "titel:").replace("inputs:", "input:"));
    tree.commit("misspelt");
    let output = tree.run_with(&["ci", "plan", "--base", "main"], &[("GITHUB_ACTIONS", "true")]);
    let errors: Vec<&str> = output.out.lines().filter(|line| line.starts_with("::error file=dev/chat.yaml")).collect();
    for word in ["titel", "input"] {
        assert!(errors.iter().any(|line| line.contains(word)), "{word}: {}", output.out);
    }
    assert!(!errors.iter().any(|line| line.contains("line=1,")), "{errors:?}");
    let comment = tree.stablekey(&["plan", "--from", "main", "-o", "markdown"]).out;
    assert!(comment.contains("titel") && comment.contains("input&#96; →"), "{comment}");
}

/// What the change removes itself is to be put back: one like another tenant's would have that tenant's values.
#[test]
fn a_connection_that_the_change_removes_is_to_be_put_back() {
    let tree = applied();
    tree.branch("change");
    std::fs::remove_file(tree.path("dev/chat.yaml")).unwrap();
    tree.commit("remove");
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]);
    assert!(
        output.code != 0 && output.out.contains("the change removes it (dev/chat.yaml): put it back"),
        "{}",
        output.all
    );
    assert!(!output.out.contains("new connection --tenant dev"), "{}", output.out);
}
