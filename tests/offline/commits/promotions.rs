//! `ci promote`: a promotion as a branch of a real Git server, and a pull request on fakes of GitHub and GitLab.

use super::chat;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stablekey_testing::certificates::Authority;
use stablekey_testing::forge::{Fault, GitHub, GitLab, GitLabRights, Rights};
use stablekey_testing::git_server::{GitServer, PASSWORD, Pushes, Step, USER};
use stablekey_testing::objects::{Document as _, Integration, Tenant};
use stablekey_testing::project::{CommandOutput, Project};
use stablekey_testing::work_tree::{WorkTree, git_in};
use stablekey_testing::yaml;
use tempfile::TempDir;

const BRANCH: &str = "stablekey/promote-dev-prod";

/// A clone of a repository on a server, with tenants dev and prod.
pub struct Clone {
    pub tree: WorkTree,
    folder: TempDir,
    pub server: GitServer,
    authority: Authority,
}

/// An integration of dev that prod lacks.
fn greet(title: &str) -> String {
    Integration::new("greet").title(title).binds("Chat", "chat").yaml()
}

impl Clone {
    pub fn new() -> Self {
        let prod = Tenant::new("prod").in_folder("prod").accepts("dev");
        let project = Project::empty()
            .with("tenants.yaml", &yaml::file(&[Tenant::new("dev").in_folder("dev").yaml(), prod.yaml()]))
            .with("dev/chat.yaml", &chat("chat.example", "Chat"))
            .with("dev/greet.yaml", &greet("Greet"))
            .with("prod/chat.yaml", &chat("chat.prod.example", "Chat"));
        let folder = tempfile::tempdir().unwrap();
        git_in(folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "tenants.git"]);
        git_in(&folder.path().join("tenants.git"), &["config", "http.receivepack", "true"]);
        let authority = Authority::new();
        let server = GitServer::start(folder.path(), &authority);
        let ours = Clone { tree: WorkTree::of(project), folder, server, authority };
        ours.tree.git(&["remote", "add", "origin", &ours.server.url("tenants.git")]);
        ours.push();
        ours
    }

    /// Brings main to the server, as somebody else may.
    fn push(&self) {
        let path = self.folder.path().join("tenants.git");
        self.tree.git(&["push", "--quiet", path.to_str().unwrap(), "main"]);
    }

    /// Runs git in the repository on the server.
    fn there(&self, arguments: &[&str]) -> String {
        git_in(&self.folder.path().join("tenants.git"), arguments)
    }

    /// Promotes, and checks that the person's own work tree stays.
    pub fn promote(&self, more: &[&str], variables: &[(&str, &str)]) -> CommandOutput {
        let certificate = self.tree.path("../authority.pem");
        std::fs::write(&certificate, &self.authority.pem).unwrap();
        let header = format!("Authorization: Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
        let own = [
            ("GIT_SSL_CAINFO", certificate.to_str().unwrap()),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "http.extraHeader"),
            ("GIT_CONFIG_VALUE_0", &header),
        ];
        let before = self.tree.git(&["rev-parse", "HEAD"]);
        let output =
            self.tree.run_with(&[&["ci", "promote", "dev", "prod"], more].concat(), &[&own, variables].concat());
        assert!(!output.all.contains("CANARY"), "{}", output.all);
        assert_eq!(self.tree.git(&["status", "--porcelain"]), "");
        assert_eq!(self.tree.git(&["rev-parse", "HEAD"]), before);
        assert_eq!(self.tree.git(&["branch", "--list"]), "* main");
        assert_eq!(self.tree.git(&["worktree", "list"]).lines().count(), 1);
        output
    }

    pub fn on_github(&self, github: &GitHub, rights: Rights) -> CommandOutput {
        let repository = github.repository();
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_API_URL", github.url()),
            ("GITHUB_REPOSITORY", &repository),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_TOKEN", github.token(rights)),
        ];
        self.promote(&[], &variables)
    }
}

/// A promotion of which only the record is left is nothing that anybody could judge.
#[test]
fn a_record_alone_is_no_promotion() {
    let ours = Clone::new();
    ours.tree.write("prod/greet.yaml", &greet("Greet"));
    ours.tree.commit("by hand");
    ours.push();
    let output = ours.promote(&[], &[]);
    assert!(output.code == 0 && output.err.contains("Nothing to promote"), "{}", output.all);
    assert_eq!(ours.there(&["branch", "--list", "stablekey/*"]), "");
    let output = ours.promote(&["--base", "mian"], &[]);
    assert!(output.code == 1 && output.err.contains("the remote has no branch mian"), "{}", output.all);
}

/// What Git ignores would be missing in the branch: the record of what was promoted, or all of it.
#[test]
fn what_git_ignores_is_not_promoted_in_part() {
    for (ignored, file) in [("*.lock", "prod/stablekey.lock"), ("integrations", "prod/integrations/greet.yaml")] {
        let ours = Clone::new();
        ours.tree.write(".gitignore", &format!("{ignored}\n"));
        ours.tree.commit("ignore");
        ours.push();
        let output = ours.promote(&[], &[]);
        assert!(output.code == 1 && output.err.contains("Git ignores") && output.err.contains(file), "{}", output.all);
        assert_eq!(ours.there(&["branch", "--list", "stablekey/*"]), "");
    }
}

/// "Opens the promotion from dev to prod as a branch with the plan as its text."
#[test]
fn a_promotion_is_a_branch_and_a_pull_request() {
    let ours = Clone::new();
    let github = GitHub::start();
    let output = ours.on_github(&github, Rights::Write);
    assert_eq!(output.code, 0, "{}", output.all);
    let page = "The pull request is open. https://github.com/acme/connections/pull/1";
    assert!(output.err.contains(page), "{}", output.err);
    let [request] = github.pull_requests().try_into().unwrap();
    assert_eq!((request.head.as_str(), request.base.as_str()), (BRANCH, "main"));
    assert_eq!(request.title, "Promote dev to prod");
    assert!(request.body.contains("Integration/greet") && request.body.contains("The merge itself changes prod"));
    assert!(!request.body.contains("/tmp") && request.body.chars().count() <= 65_536, "{}", request.body);
    assert!(ours.there(&["show", &format!("{BRANCH}:prod/integrations/greet.yaml")]).contains("stableKey: chat"));
    assert_eq!(ours.there(&["rev-list", "--count", &format!("main..{BRANCH}")]), "1");
    // Again: nothing to push, and nothing to write.
    let tip = ours.there(&["rev-parse", BRANCH]);
    ours.server.take_seen();
    let sent = github.exchanges().len();
    assert_eq!(ours.on_github(&github, Rights::Write).code, 0);
    assert!(ours.server.take_seen().iter().all(|seen| seen.step != Step::Push));
    assert!(github.exchanges()[sent..].iter().all(|exchange| exchange.method == "GET"));
    assert_eq!(ours.there(&["rev-parse", BRANCH]), tip);
    // The base moved on: the branch is replaced by what is to be promoted now.
    ours.tree.write("dev/greet.yaml", &greet("Good morning"));
    ours.tree.commit("title");
    ours.push();
    let output = ours.on_github(&github, Rights::Write);
    assert!(output.code == 0 && output.err.contains("The pull request is up to date."), "{}", output.all);
    let [request] = github.pull_requests().try_into().unwrap();
    assert!(request.body.contains("Good morning"), "{}", request.body);
    assert_eq!(ours.there(&["rev-parse", &format!("{BRANCH}^")]), ours.there(&["rev-parse", "main"]));
    // Merged: there is nothing to promote any more.
    ours.there(&["update-ref", "refs/heads/main", BRANCH]);
    let output = ours.on_github(&github, Rights::Write);
    assert!(output.code == 0 && output.err.contains("Nothing to promote"), "{}", output.all);
}

#[test]
fn a_promotion_is_a_merge_request_on_gitlab() {
    let ours = Clone::new();
    let gitlab = GitLab::start();
    let variables = [
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", gitlab.url()),
        ("CI_PROJECT_ID", gitlab.project()),
        ("CI_COMMIT_BRANCH", "main"),
        ("STABLEKEY_GITLAB_TOKEN", gitlab.token(GitLabRights::Api)),
    ];
    // What was sent is looked for before it is sent again.
    gitlab.fail("POST", "/merge_requests", Fault::CutAfter, 1);
    let output = ours.promote(&["greet"], &variables);
    assert!(output.code == 0 && output.err.contains("The merge request is open."), "{}", output.all);
    let [request] = gitlab.merge_requests().try_into().unwrap();
    assert_eq!((request.source.as_str(), request.target.as_str()), (BRANCH, "main"));
    assert_eq!(request.title, "Promote greet from dev to prod");
    assert!(request.description.contains("Integration/greet"), "{}", request.description);
    ours.tree.write("dev/greet.yaml", &greet("Good morning"));
    ours.tree.commit("title");
    ours.push();
    assert_eq!(ours.promote(&["greet"], &variables).code, 0);
    let [request] = gitlab.merge_requests().try_into().unwrap();
    assert!(request.description.contains("Good morning"), "{}", request.description);
}

/// "Without a token it leaves the branch and prints the text."
#[test]
fn without_a_token_the_text_is_printed() {
    let ours = Clone::new();
    let output = ours.promote(&["--branch", "promote/1"], &[]);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(output.out.contains("Integration/greet") && output.err.contains("this is no pipeline"), "{}", output.all);
    assert!(ours.there(&["log", "-1", "--format=%B", "promote/1"]).contains("Promote dev to prod"));
    // One that may not open pull requests: the branch is there, and the job says that it failed.
    let github = GitHub::start();
    let output = ours.on_github(&github, Rights::Read);
    assert_eq!(output.code, 1, "{}", output.all);
    assert!(output.out.contains("Integration/greet") && output.err.contains("no pull request is opened"));
    assert!(github.pull_requests().is_empty());
}

#[test]
fn what_cannot_be_promoted_leaves_no_branch() {
    let ours = Clone::new();
    let refused = |more: &[&str], words: &str| {
        let output = ours.promote(more, &[]);
        assert!(output.code == 1 && output.err.contains(words), "{words}: {}", output.all);
        assert_eq!(ours.there(&["branch", "--list", "--format=%(refname:short)"]), "main");
    };
    refused(&["--base", "nowhere"], "the remote has no branch nowhere");
    refused(&["--base", "a..b"], "give the name of a branch");
    refused(&["--branch", "main"], "main is the base itself");
    refused(&["gret"], "greet");
    // What is read is not this work tree, and is in a folder that nobody knows.
    let head = ours.there(&["rev-parse", "main"]);
    let output = ours.promote(&["gret"], &[]);
    assert!(output.err.contains(&format!("main at {}, as the remote has it: ", &head[..10])), "{}", output.err);
    assert!(!output.err.contains("stablekey-") || !output.err.contains("/tree"), "{}", output.err);
    ours.server.pushes(Pushes::Forbidden);
    refused(&[], "cannot be pushed");
    ours.server.pushes(Pushes::Done);
    // What somebody added to the branch stays.
    assert_eq!(ours.promote(&[], &[]).code, 0);
    let parent = ours.there(&["rev-parse", BRANCH]);
    let tree = ours.there(&["rev-parse", "main^{tree}"]);
    let theirs = ours.there(&["commit-tree", &tree, "-p", &parent, "-m", "by hand"]);
    ours.there(&["update-ref", &format!("refs/heads/{BRANCH}"), &theirs]);
    let output = ours.promote(&[], &[]);
    assert!(output.code == 1 && output.err.contains("has commits of somebody else"), "{}", output.all);
    assert_eq!(ours.there(&["rev-parse", BRANCH]), theirs);
    // Also what they put below a commit of ours, or into it: both keep its message.
    let other = ours.there(&["rev-parse", "main^{tree}"]);
    let message = ours.there(&["log", "-1", "--format=%B", &parent]);
    let below = ours.there(&["commit-tree", &other, "-p", "main", "-m", "by hand"]);
    let own = ours.there(&["rev-parse", &format!("{parent}^{{tree}}")]);
    let above = ours.there(&["commit-tree", &own, "-p", &below, "-m", &message]);
    let amended = ours.there(&["commit-tree", &other, "-p", "main", "-m", &message]);
    for theirs in [above, amended] {
        ours.there(&["update-ref", &format!("refs/heads/{BRANCH}"), &theirs]);
        let output = ours.promote(&[], &[]);
        assert!(output.code == 1 && output.err.contains("has commits of somebody else"), "{}", output.all);
        assert_eq!(ours.there(&["rev-parse", BRANCH]), theirs);
    }
    ours.there(&["update-ref", &format!("refs/heads/{BRANCH}"), &parent]);
    assert_eq!(ours.promote(&[], &[]).code, 0);
}

/// Each resource that stops a promotion is named: they are not this work tree's.
#[test]
fn all_that_stops_a_promotion_is_named() {
    let ours = Clone::new();
    for name in ["one", "two", "three"] {
        ours.tree.write(&format!("dev/{name}.yaml"), &Integration::new(name).title(name).binds("X", name).yaml());
        let connection = chat("chat.example", "Chat").replace("chat", name);
        ours.tree.write(&format!("dev/c-{name}.yaml"), &connection);
    }
    ours.tree.commit("three more");
    ours.push();
    let output = ours.promote(&[], &[]);
    assert_eq!(output.code, 1, "{}", output.all);
    for name in ["one", "two", "three"] {
        assert!(output.err.contains(&format!("prod/Integration/{name}: ")), "{name}: {}", output.err);
    }
    assert!(output.err.contains("--fill") && !output.err.contains("more)"), "{}", output.err);
}

/// The address of a remote may be a path from the work tree, as for `git push` there.
#[test]
fn a_remote_may_be_a_relative_path() {
    let ours = Clone::new();
    let path = ours.folder.path().join("tenants.git");
    let up = "../".repeat(ours.tree.root().components().count());
    let relative = format!("{up}{}", path.strip_prefix("/").unwrap().display());
    ours.tree.git(&["remote", "set-url", "origin", &relative]);
    let output = ours.promote(&[], &[]);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(ours.there(&["branch", "--list"]).contains(BRANCH));
    assert_eq!(ours.tree.git(&["for-each-ref", "refs/stablekey-promote"]), "");
}

/// What a promotion leaves that is killed is removed by the next one, and what one has that runs is not.
#[test]
fn what_a_killed_promotion_left_is_removed() {
    let ours = Clone::new();
    let left = |name: &str| {
        let tree = ours.folder.path().join(name).join("tree");
        ours.tree.git(&["update-ref", &format!("refs/stablekey-promote/{name}"), "main"]);
        ours.tree.git(&["worktree", "add", "--quiet", "--detach", tree.to_str().unwrap(), "main"]);
        tree
    };
    let refs = || ours.tree.git(&["for-each-ref", "--format=%(refname)", "refs/stablekey-promote"]);
    let (whole, gone) = (left("stablekey-one"), left("stablekey-other"));
    std::fs::remove_dir_all(gone.parent().unwrap()).unwrap();
    ours.tree.git(&["update-ref", "refs/stablekey-promote/stablekey-third", "main"]);
    assert_eq!(ours.promote(&[], &[]).code, 0);
    assert_eq!(refs(), "");
    assert!(!whole.parent().unwrap().exists());
    // As long as one runs.
    let lock = std::fs::File::open(ours.tree.path(".git/stablekey-promote")).unwrap();
    lock.lock_shared().unwrap();
    ours.tree.git(&["update-ref", "refs/stablekey-promote/stablekey-runs", "main"]);
    assert_eq!(ours.promote(&[], &[]).code, 0);
    assert_eq!(refs(), "refs/stablekey-promote/stablekey-runs");
    drop(lock);
    assert_eq!(ours.promote(&[], &[]).code, 0);
    assert_eq!(refs(), "");
}
