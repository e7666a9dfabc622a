//! `ci plan` and `ci apply`: the result of a merge is planned, and carried out after it.

use super::{applied, chat};
use serde_json::{Value, json};
use stablekey_testing::forge::{GitHub, GitLab, GitLabRights, Rights};
use stablekey_testing::objects::{Connection, Document as _, Integration, Sync, Tenant};
use stablekey_testing::work_tree::{WorkTree, git_in};
use stablekey_testing::yaml;

#[test]
fn the_result_of_the_merge_is_planned() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/notes.yaml", &Integration::new("notes").title("notes").binds("Chat", "chat").yaml());
    tree.commit("change");
    // The base moved on: what it did is not the change's, and is not undone by it.
    tree.switch("main");
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("base");
    tree.switch("change");
    let report = tree.path("../report");
    let output = tree.stablekey(&["ci", "plan", "--base", "main", "--report", report.to_str().unwrap()]);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(output.out.contains("Integration/notes"), "{}", output.out);
    assert!(!output.out.contains("Team chat"), "{}", output.out);
    let stored: Value = serde_json::from_slice(&std::fs::read(report.join("report.json")).unwrap()).unwrap();
    assert_eq!(stored["schema"], "stablekey.dev/change-report/v1");
    let comment = std::fs::read_to_string(report.join("comment.md")).unwrap();
    assert!(comment.starts_with("<!-- stablekey:change . -->\n"), "{comment}");
}

#[test]
fn a_conflict_is_an_error_that_names_the_files() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("chat.example", "One"));
    tree.commit("one");
    tree.switch("main");
    tree.write("dev/chat.yaml", &chat("chat.example", "Other"));
    tree.commit("other");
    let output = tree.stablekey(&["ci", "plan", "--base", "main", "--head", "change"]);
    assert_eq!(output.code, 1);
    assert!(output.err.contains("conflicts with main in dev/chat.yaml"), "{}", output.err);
}

#[test]
fn on_github_the_merge_commit_is_compared_with_its_first_parent() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/lost.yaml", &Integration::new("lost").title("lost").binds("Nowhere", "nowhere").yaml());
    tree.commit("change");
    tree.switch("main");
    tree.commit("base");
    tree.git(&["merge", "--quiet", "--no-ff", "--message", "merge", "change"]);
    let event = tree.path("../event.json");
    let repository = json!({"full_name": "acme/connections"});
    let head = json!({"repo": repository, "sha": tree.git(&["rev-parse", "change"])});
    let request = json!({"number": 7, "base": {"ref": "main", "repo": repository}, "head": head});
    std::fs::write(&event, json!({ "pull_request": request }).to_string()).unwrap();
    let summary = tree.path("../summary.md");
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
        ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
    ];
    let output = tree.run_with(&["ci", "plan"], &variables);
    assert_eq!(output.code, 3, "{}", output.all);
    let annotation = "::error file=dev/lost.yaml,line=";
    assert!(output.out.lines().any(|line| line.starts_with(annotation)), "{}", output.out);
    assert!(std::fs::read_to_string(&summary).unwrap().contains("SK0101"));
    // A clone with the merge commit alone.
    let clone = tempfile::tempdir().unwrap();
    let url = format!("file://{}", tree.root().display());
    git_in(clone.path(), &["clone", "--quiet", "--depth", "1", &url, "clone"]);
    let mut command = stablekey_testing::cli::stablekey(&clone.path().join("clone"), &["ci", "plan"]);
    let output = command.envs(variables).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(err.contains("fetch-depth: 2"), "{err}");
}

/// A job may check out the change itself, whose last commit may be a merge of the base into it.
#[test]
fn a_merge_of_the_base_into_the_change_is_no_merge_of_the_change() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/lost.yaml", &Integration::new("lost").title("lost").binds("Nowhere", "nowhere").yaml());
    tree.commit("change");
    tree.switch("main");
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("base");
    tree.switch("change");
    tree.git(&["merge", "--quiet", "--no-ff", "--message", "Merge main into change", "main"]);
    let event = tree.path("../event.json");
    let repository = json!({"full_name": "acme/connections"});
    let head = json!({"repo": repository, "sha": tree.git(&["rev-parse", "change"])});
    let request = json!({"number": 7, "base": {"ref": "main", "repo": repository}, "head": head});
    std::fs::write(&event, json!({ "pull_request": request }).to_string()).unwrap();
    let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_PATH", event.to_str().unwrap())];
    let output = tree.run_with(&["ci", "plan"], &variables);
    assert_eq!(output.code, 3, "{}", output.all);
    assert!(output.out.contains("Integration/lost") && !output.out.contains("Team chat"), "{}", output.out);
    assert!(output.out.contains("run:\n  stablekey ci plan --base main\n"), "{}", output.out);
    assert!(!output.out.contains("stablekey apply"), "{}", output.out);
    // What is not of the pull request is not planned as if it were: the base itself would be a change that does nothing.
    tree.switch("main");
    let output = tree.run_with(&["ci", "plan"], &variables);
    assert!(output.code == 1 && output.err.contains("which is not of this pull request"), "{}", output.all);
}

/// What a manifest says is no command to the runner of GitHub, wherever a line of the log begins.
#[test]
fn the_log_of_a_job_takes_no_commands_from_manifests() {
    let tree = applied();
    tree.branch("change");
    let title = format!("{} ##[add-mask]y", ["::error::x"; 20].join(" "));
    tree.write("dev/chat.yaml", &chat("chat.example", &title));
    tree.commit("title");
    let output = tree.run_with(&["ci", "plan", "--base", "main"], &[("GITHUB_ACTIONS", "true")]);
    assert!(output.code == 0 && output.all.matches("::error::x").count() >= 4, "{}", output.all);
    for line in output.all.lines() {
        let is_command = line.trim_start().starts_with("::") || line.contains("##[");
        assert!(!is_command, "{line}");
    }
}

/// A run that is of no branch writes nothing.
/// Whatever the event says, and whatever branch is given.
#[test]
fn a_pull_request_is_not_applied() {
    let tree = applied();
    let _there = remote(&tree);
    for more in [&[][..], &["--branch", "main"]] {
        let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/pull/7/merge"), ("GITHUB_BASE_REF", "main")];
        let output = tree.run_with(&[&["ci", "apply"], more].concat(), &variables);
        let words = "this run is of pull request 7, which is not merged";
        assert!(output.code == 1 && output.err.contains(words), "{}", output.all);
    }
}

#[test]
fn only_what_is_merged_is_applied() {
    let tree = applied();
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("rename");
    let event = tree.path("../event.json");
    let repository = json!({"full_name": "acme/connections"});
    let request = json!({"number": 7, "base": {"ref": "main", "repo": repository}, "head": {"repo": repository}});
    std::fs::write(&event, json!({ "pull_request": request }).to_string()).unwrap();
    let github = ("GITHUB_ACTIONS", "true");
    for (variables, words) in [
        (vec![github, ("GITHUB_EVENT_PATH", event.to_str().unwrap())], "pull request 7, which is not merged"),
        (vec![github, ("GITHUB_REF", "refs/pull/7/merge")], "pull request 7, which is not merged"),
        (vec![github, ("GITHUB_REF", "refs/notes/x")], "not known which branch"),
        (vec![github, ("GITHUB_REF", "refs/tags/v1")], "of tag v1"),
        (vec![("GITLAB_CI", "true"), ("CI_MERGE_REQUEST_IID", "7")], "merge request 7"),
        (vec![("GITLAB_CI", "true"), ("CI_COMMIT_TAG", "v1")], "of tag v1"),
        // There is no remote.
        (vec![github, ("GITHUB_REF", "refs/heads/main")], "the branch main of the remote cannot be read"),
    ] {
        let output = tree.run_with(&["ci", "apply"], &variables);
        assert!(output.code == 1 && output.err.contains(words), "{words}: {}", output.all);
        assert_eq!(tree.git(&["status", "--porcelain"]), "");
    }
    // On a person's own machine it says what it did not ask.
    let output = tree.stablekey(&["ci", "apply"]);
    assert!(output.code == 0 && output.err.contains("give the branch: --branch NAME"), "{}", output.all);
    assert!(output.err.contains("changed in this checkout only") && output.err.contains("prod/connections/chat.yaml"));
}

/// The digest that the plan of a change asks to approve.
fn digest(tree: &WorkTree) -> String {
    let markdown = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "markdown"]).out;
    let line =
        markdown.lines().find(|line| line.starts_with("Stablekey-Approve: ")).unwrap_or_else(|| panic!("{markdown}"));
    line.to_string()
}

/// Merges a branch into main, with a message.
fn merge(tree: &WorkTree, branch: &str, message: &str) {
    tree.switch("main");
    tree.git(&["merge", "--quiet", "--no-ff", "--message", message, branch]);
}

#[test]
fn what_needs_no_approval_is_applied_after_a_merge() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("rename");
    merge(&tree, "change", "Merge");
    let output = tree.stablekey(&["ci", "apply"]);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(tree.read("prod/connections/chat.yaml").contains("Team chat"));
    // A job that is run again finds nothing to do.
    assert_eq!(tree.stablekey(&["ci", "apply"]).code, 0);
}

#[test]
fn a_trailer_of_the_merge_commit_approves_and_nobody_elses() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("new.example", "Chat"));
    tree.write("dev/notes.yaml", &Integration::new("notes").title("notes").binds("Chat", "chat").yaml());
    tree.commit("move");
    let trailer = digest(&tree);
    // The author of the change cannot approve it in a commit of theirs.
    tree.commit(&format!("approve\n\n{trailer}"));
    tree.switch("main");
    tree.git(&["merge", "--quiet", "--ff-only", "change"]);
    let output = tree.stablekey(&["ci", "apply"]);
    assert_eq!(output.code, 2, "{}", output.all);
    assert!(output.err.contains("only in a merge commit"), "{}", output.err);
    assert!(output.err.contains("stablekey ci apply --approve sha256:"), "{}", output.err);
    assert!(!tree.read("prod/connections/chat.yaml").contains("new.example"));

    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("new.example", "Chat"));
    tree.commit("move");
    let trailer = digest(&tree);
    merge(&tree, "change", &format!("Merge the change\n\n{trailer}"));
    let output = tree.stablekey(&["ci", "apply"]);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(tree.read("prod/connections/chat.yaml").contains("new.example"));
    // The same job again: what was approved is done.
    let output = tree.stablekey(&["ci", "apply"]);
    assert_eq!(output.code, 0, "{}", output.all);
}

#[test]
fn an_approval_is_void_where_what_is_live_moved() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("new.example", "Chat"));
    tree.write("dev/notes.yaml", &Integration::new("notes").title("notes").yaml());
    tree.commit("move");
    let trailer = digest(&tree);
    merge(&tree, "change", &format!("Merge\n\n{trailer}"));
    let live = tree.read("prod/connections/chat.yaml");
    tree.write("prod/connections/chat.yaml", &live.replace("https://chat.example", "https://moved.example"));
    let output = tree.stablekey(&["ci", "apply"]);
    assert!(output.err.contains("is void"), "{}", output.all);
    assert!(tree.path("prod/integrations/notes.yaml").exists(), "the rest is done: {}", output.all);
    assert!(tree.read("prod/connections/chat.yaml").contains("moved.example"));
}

/// A merge commit that its author made, and that arrives by fast-forward, approves nothing.
#[test]
fn the_event_says_whose_merge_commit_it_is() {
    let tree = applied();
    let before = tree.git(&["rev-parse", "main"]);
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("new.example", "Chat"));
    tree.commit("move");
    let trailer = digest(&tree);
    tree.switch("main");
    tree.git(&["switch", "--quiet", "--create", "other"]);
    tree.commit("other");
    tree.switch("change");
    tree.git(&["merge", "--quiet", "--no-ff", "--message", &format!("Merge other\n\n{trailer}"), "other"]);
    tree.switch("main");
    tree.git(&["merge", "--quiet", "--ff-only", "change"]);
    let remote = remote(&tree);
    let event = tree.path("../event.json");
    let push = |before: &str| std::fs::write(&event, json!({ "before": before }).to_string()).unwrap();
    push(&before);
    let event_path = event.to_str().unwrap();
    let github = [("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/heads/main"), ("GITHUB_EVENT_PATH", event_path)];
    let gitlab = [("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "main"), ("CI_COMMIT_BEFORE_SHA", before.as_str())];
    for variables in [&github[..], &gitlab] {
        let output = tree.run_with(&["ci", "apply"], variables);
        assert_eq!(output.code, 2, "{}", output.all);
        assert!(output.err.contains("was not made by the merge"), "{}", output.err);
        assert!(!tree.read("prod/connections/chat.yaml").contains("new.example"));
        // How to approve is said once, and last.
        assert_eq!(output.all.matches("--approve sha256:").count(), 1, "{}", output.all);
        assert!(output.err.trim_end().lines().last().unwrap().contains("Stablekey-Approve: sha256:"), "{}", output.err);
    }
    // A run by hand does not tell what the branch was.
    let output = tree.run_with(&["ci", "apply"], &github[..2]);
    assert!(output.code == 2 && output.err.contains("started by hand or by schedule"), "{}", output.all);
    // Where GitLab merges by fast-forward, an author can make such a commit on the branch itself.
    let parent = tree.git(&["rev-parse", "HEAD^1"]);
    let forge = GitLab::start();
    let iid = forge.open_merge_request("change", "main");
    let head = tree.git(&["rev-parse", "HEAD"]);
    forge.push(iid, &head);
    forge.merge(iid, None);
    let on_gitlab = |token: Option<&str>| {
        let mut variables = vec![
            ("GITLAB_CI", "true"),
            ("CI_COMMIT_BRANCH", "main"),
            ("CI_COMMIT_BEFORE_SHA", parent.as_str()),
            ("CI_API_V4_URL", forge.url()),
            ("CI_PROJECT_ID", forge.project()),
        ];
        variables.extend(token.map(|token| ("STABLEKEY_GITLAB_TOKEN", token)));
        tree.run_with(&["ci", "apply", "-o", "json"], &variables)
    };
    let api = Some(forge.token(GitLabRights::Api));
    for (token, why) in [
        (None, "STABLEKEY_GITLAB_TOKEN is not set"),
        (Some("CANARY-of-nobody"), "the token is not accepted"),
        (api, "GitLab knows no merge that made that commit"),
    ] {
        let output = on_gitlab(token);
        assert!(output.code == 2 && output.err.contains(why), "{}", output.all);
        assert!(!output.all.contains("CANARY"), "{}", output.all);
    }
    // Where the first parent is what the branch was, whoever merged wrote the message.
    push(&parent);
    let output = tree.run_with(&["ci", "apply", "-o", "json"], &github);
    assert_eq!(output.code, 0, "{}", output.all);
    let result: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(result["exit"], 0, "{result}");
    // A merge that GitLab made counts: what it approves is done by now.
    forge.push(iid, &parent);
    forge.merge(iid, Some(&head));
    let output = on_gitlab(api);
    assert!(output.code == 0 && output.err.contains("is void"), "{}", output.all);
    drop(remote);
}

/// GitHub knows whose commit it is too, and what the author of the pull request wrote.
#[test]
fn github_is_asked_who_made_a_merge_commit() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("new.example", "Chat"));
    let last = tree.commit("move");
    let trailer = digest(&tree);
    merge(&tree, "change", &format!("Merge\n\n{trailer}"));
    let _remote = remote(&tree);
    let [head, before] = ["HEAD", "HEAD^1"].map(|revision| tree.git(&["rev-parse", revision]));
    let event = tree.path("../event.json");
    std::fs::write(&event, json!({ "before": before }).to_string()).unwrap();
    let github = GitHub::start();
    let repository = github.repository();
    let apply = |token: &str| {
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
            ("GITHUB_API_URL", github.url()),
            ("GITHUB_REPOSITORY", &repository),
            ("GITHUB_TOKEN", token),
        ];
        tree.run_with(&["ci", "apply"], &variables)
    };
    let (main, release) = (github.open_pull_request("change", "main"), github.open_pull_request("change", "release"));
    [main, release].iter().for_each(|number| github.push(*number, &last));
    let refused = |token: &str, why: &str| {
        let output = apply(token);
        assert!(output.code == 2 && output.err.contains(why), "{why}: {}", output.all);
        assert!(!tree.read("prod/connections/chat.yaml").contains("new.example"), "{why}");
    };
    refused("CANARY-of-nobody", "the token is not accepted");
    let token = github.token(Rights::Write);
    refused(token, "GitHub knows no merge that made that commit");
    github.merge(release, &head);
    refused(token, "GitHub knows no merge that made that commit");
    github.merge(main, &head);
    github.describe(main, &format!("Please merge\n\n{trailer}"));
    refused(token, "the title or the description of the request has it too");
    github.describe(main, "Please merge");
    let output = apply(token);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(tree.read("prod/connections/chat.yaml").contains("new.example"));
}

/// A bare repository as the remote of a clone, with its main.
fn remote(tree: &WorkTree) -> tempfile::TempDir {
    let remote = tempfile::tempdir().unwrap();
    git_in(remote.path(), &["init", "--quiet", "--bare", "--initial-branch=main"]);
    tree.git(&["remote", "add", "origin", remote.path().to_str().unwrap()]);
    tree.git(&["push", "--quiet", "origin", "main"]);
    remote
}

/// A filter of Git changes what is checked out: the plan was of the commit.
#[test]
fn a_checkout_that_is_not_its_commit_is_refused() {
    let tree = applied();
    tree.write("tenants.yaml", &format!("# $Id$\n{}", tree.read("tenants.yaml")));
    tree.commit("a keyword");
    tree.write(".gitattributes", "tenants.yaml ident\n");
    tree.commit("ident");
    assert_eq!(tree.stablekey(&["ci", "apply"]).code, 0);
    std::fs::remove_file(tree.path("tenants.yaml")).unwrap();
    tree.git(&["checkout", "--", "tenants.yaml"]);
    assert!(tree.read("tenants.yaml").contains("$Id: "), "{}", tree.read("tenants.yaml"));
    let output = tree.stablekey(&["ci", "apply"]);
    assert!(output.code == 1 && output.err.contains("is not what commit"), "{}", output.all);
    // Other line ends are no difference.
    let text = tree.git(&["show", "HEAD:tenants.yaml"]);
    tree.write("tenants.yaml", &format!("{text}\n").replace('\n', "\r\n"));
    let output = tree.stablekey(&["ci", "apply"]);
    assert_eq!(output.code, 0, "{}", output.all);
}

/// Only what is merged is applied, whatever brings something else into the checkout: a person, a filter of Git, a submodule
/// or a link that only a reader of the disk follows.
#[test]
fn what_is_not_in_the_commit_is_not_applied() {
    let evil = chat("evil.example", "Chat");
    let good = |tree: &WorkTree| tree.read("dev/chat.yaml");
    type Case<'c> = (&'c str, &'c dyn Fn(&WorkTree));
    let own = |host: &str| Connection::new("own", "chat/oauth2").input("baseUrl", host).yaml();
    let cases: [Case<'_>; 8] = [
        // A target's own, which no sync brings: another sync may bring it on.
        ("prod/own.yaml", &|tree| {
            tree.write("prod/own.yaml", &own("https://own.example"));
            tree.commit("own");
            tree.write("prod/own.yaml", &own("https://evil.example"));
        }),
        ("dev/chat.yaml", &|tree| tree.write("dev/chat.yaml", &evil)),
        ("dev/new.yaml", &|tree| tree.write("dev/new.yaml", &Integration::new("new").title("new").yaml())),
        ("tenants.yaml", &|tree| tree.write("tenants.yaml", &tree.read("tenants.yaml").replace("Mirror", "Create"))),
        // Git takes it for changed by a person from the first: the commit has what the filter would take out.
        ("dev/chat.yaml", &|tree| {
            tree.write(".gitattributes", "*.yaml ident\n");
            tree.commit("ident");
            tree.write("../chat.yaml", &format!("{}# $Id: old $\n", good(tree)));
            let blob = tree.git(&["hash-object", "-w", "--no-filters", "../chat.yaml"]);
            tree.git(&["update-index", "--cacheinfo", &format!("100644,{blob},dev/chat.yaml")]);
            tree.git(&["commit", "--quiet", "--message", "keyword"]);
            std::fs::remove_file(tree.path("dev/chat.yaml")).unwrap();
            tree.git(&["checkout", "--", "dev/chat.yaml"]);
        }),
        ("dev/chat.yaml", &|tree| {
            tree.write("shared/chat.txt", &format!("{}# $Id$\n", good(tree)));
            std::fs::remove_file(tree.path("dev/chat.yaml")).unwrap();
            std::os::unix::fs::symlink("../shared/chat.txt", tree.path("dev/chat.yaml")).unwrap();
            tree.commit("link");
            tree.write(".gitattributes", "*.txt ident\n");
            tree.commit("ident");
            std::fs::remove_file(tree.path("shared/chat.txt")).unwrap();
            tree.git(&["checkout", "--", "shared/chat.txt"]);
        }),
        ("dev/chat.yaml", &|tree| {
            tree.write("data/chat.yaml", &evil);
            std::fs::remove_file(tree.path("dev/chat.yaml")).unwrap();
            std::os::unix::fs::symlink(tree.path("data/chat.yaml"), tree.path("dev/chat.yaml")).unwrap();
            tree.commit("an absolute link");
        }),
        ("dev/other/chat.yaml", &|tree| {
            let other = tree.path("../other");
            std::fs::create_dir(&other).unwrap();
            git_in(&other, &["init", "--quiet", "--initial-branch=main"]);
            std::fs::write(other.join("chat.yaml"), Connection::new("more", "chat/oauth2").yaml()).unwrap();
            git_in(&other, &["add", "--all"]);
            git_in(&other, &["commit", "--quiet", "--message", "other"]);
            let from = other.to_str().unwrap();
            tree.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", from, "dev/other"]);
            tree.commit("submodule");
        }),
    ];
    for (file, make) in cases {
        let tree = applied();
        make(&tree);
        let before = tree.git(&["status", "--porcelain"]);
        let output = tree.stablekey(&["ci", "apply"]);
        let said = format!("{file} in the checkout is not what commit");
        assert!(output.code == 1 && output.err.contains(&said), "{file}: {}", output.all);
        assert_eq!(tree.git(&["status", "--porcelain"]), before, "{file}");
        assert!(!tree.read("prod/connections/chat.yaml").contains("evil"), "{file}");
    }
    // What an earlier apply left in a target's folder is live there, and what the project does not read is nobody's.
    let tree = applied();
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.write(".stablekeyignore", "vendor\n");
    tree.write("vendor/x.yaml", "$Id$\n");
    tree.write(".gitattributes", "vendor/* ident\n");
    tree.commit("title");
    std::fs::remove_file(tree.path("vendor/x.yaml")).unwrap();
    tree.git(&["checkout", "--", "vendor/x.yaml"]);
    for _ in 0..2 {
        let output = tree.stablekey(&["ci", "apply"]);
        assert_eq!(output.code, 0, "{}", output.all);
    }
    // A clone has no empty folder, and an apply makes it.
    let made = applied();
    let sync = Sync::new("down", "dev", "new").mirror();
    let new = Tenant::new("new").in_folder("new").accepts("dev");
    made.write("more.yaml", &yaml::file(&[new.yaml(), sync.yaml()]));
    made.commit("a tenant");
    std::fs::create_dir(made.path("new")).unwrap();
    for _ in 0..2 {
        let output = made.stablekey(&["ci", "apply"]);
        assert_eq!(output.code, 0, "{}", output.all);
    }
    // What the job wrote, and what is somebody else's, decides nothing.
    tree.write("stablekey-report/report.json", "{\"schema\": \"stablekey.dev/change/v1\"}");
    tree.write("dev/values.yaml", "a: 1\n");
    assert_eq!(tree.stablekey(&["ci", "apply"]).code, 0);
    std::fs::remove_file(tree.path("dev/values.yaml")).unwrap();
    // A filter makes no live state.
    tree.write(".gitattributes", "prod/** filter=x\n");
    tree.commit("filter");
    tree.write("prod/connections/chat.yaml", &tree.read("prod/connections/chat.yaml").replace("Team", "Their"));
    assert_eq!(tree.stablekey(&["ci", "apply"]).code, 1);
}

#[test]
fn an_older_commit_does_not_undo_a_newer_one() {
    let tree = applied();
    let _remote = remote(&tree);
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("new.example", "First"));
    tree.commit("first");
    let trailer = digest(&tree);
    merge(&tree, "change", &format!("Merge first\n\n{trailer}"));
    let first = tree.git(&["rev-parse", "HEAD"]);
    let event = tree.path("../event.json");
    std::fs::write(&event, json!({"before": tree.git(&["rev-parse", "HEAD^1"])}).to_string()).unwrap();
    let event = ("GITHUB_EVENT_PATH", event.to_str().unwrap());
    let of_main = [("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/heads/main"), event];
    // What was never pushed is not applied.
    let output = tree.run_with(&["ci", "apply"], &of_main);
    assert!(output.code == 1 && output.err.contains("is not on the branch main of the remote"), "{}", output.all);
    tree.write("dev/chat.yaml", &chat("new.example", "Second"));
    tree.commit("second merge");
    tree.git(&["push", "--quiet", "origin", "main"]);
    // The run of the older commit says what it leaves, and the approval that is not used.
    tree.git(&["checkout", "--quiet", "--detach", &first]);
    let output = tree.run_with(&["ci", "apply"], &of_main);
    assert_eq!(output.code, 2, "{}", output.all);
    assert!(output.err.contains("nothing is written") && output.err.contains("1 action is left"), "{}", output.all);
    assert!(output.err.contains("Approvals were not used") && output.err.contains("ci apply --approve sha256:"));
    assert_eq!(tree.git(&["status", "--porcelain"]), "");
    // A remote that does not answer is no reason to write.
    tree.git(&["remote", "set-url", "origin", "/nowhere"]);
    assert_eq!(tree.run_with(&["ci", "apply"], &of_main).code, 1);
    assert_eq!(tree.git(&["status", "--porcelain"]), "");
}

/// A newer commit may need nothing that the older one has: then nothing is left, and only then its run is green.
#[test]
fn an_older_commit_with_nothing_to_do_is_green() {
    let tree = applied();
    let _remote = remote(&tree);
    let first = tree.git(&["rev-parse", "HEAD"]);
    tree.write("README.md", "words");
    tree.commit("words");
    tree.git(&["push", "--quiet", "origin", "main"]);
    tree.git(&["checkout", "--quiet", "--detach", &first]);
    let output = tree.run_with(&["ci", "apply"], &[("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/heads/main")]);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(output.err.contains("nothing is written, and nothing is left to do"), "{}", output.all);
}
