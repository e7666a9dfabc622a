//! `plan --git URL@REF`: a project on a Git server, without a clone.

use super::{applied, chat};
use serde_json::Value;
use stablekey_testing::certificates::Authority;
use stablekey_testing::git_server::{Fault, GitServer, PASSWORD, Step, TOKEN, USER};
use stablekey_testing::objects::{Document as _, Integration};
use stablekey_testing::project::{CommandOutput, Project};
use stablekey_testing::work_tree::{WorkTree, git_in};
use tempfile::TempDir;

/// A server with tenants.git, and a folder of somebody who has no clone.
struct Server {
    tree: WorkTree,
    folder: TempDir,
    server: GitServer,
    authority: Authority,
    elsewhere: Project,
}

impl Server {
    fn of(tree: WorkTree) -> Self {
        let folder = tempfile::tempdir().unwrap();
        git_in(folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "tenants.git"]);
        let authority = Authority::new();
        let server = GitServer::start(folder.path(), &authority);
        let ours = Server { tree, folder, server, authority, elsewhere: Project::empty().with_folder("tmp") };
        ours.push();
        ours
    }

    /// Brings all branches to the server.
    fn push(&self) {
        let path = self.folder.path().join("tenants.git");
        self.tree.git(&["push", "--quiet", "--force", path.to_str().unwrap(), "--all"]);
    }

    /// Plans with these variables.
    fn plan_as(&self, arguments: &[&str], variables: &[(&str, &str)]) -> CommandOutput {
        let mut command = self.elsewhere.command(&[&["plan", "--allow-loopback"], arguments].concat());
        let certificate = self.elsewhere.path("../authority.pem");
        std::fs::write(&certificate, &self.authority.pem).unwrap();
        for name in ["USERNAME", "PASSWORD", "TOKEN", "HOSTS"] {
            command.env_remove(format!("STABLEKEY_GIT_{name}"));
        }
        command.env("SSL_CERT_FILE", certificate).env("TMPDIR", self.elsewhere.path("tmp"));
        command.envs(variables.iter().copied());
        let output = CommandOutput::of(&command.output().unwrap());
        assert!(!output.all.contains("CANARY"), "{}", output.all);
        assert!(self.elsewhere.files("").is_empty(), "nothing is left: {:?}", self.elsewhere.files("").keys());
        output
    }

    fn plan(&self, revision: &str, more: &[&str]) -> CommandOutput {
        let at = format!("{}@{revision}", self.server.url("tenants.git"));
        let hosts = self.server.host();
        let user = [("STABLEKEY_GIT_USERNAME", USER), ("STABLEKEY_GIT_PASSWORD", PASSWORD)];
        self.plan_as(&[&["--git", &at], more].concat(), &[&user[..], &[("STABLEKEY_GIT_HOSTS", &hosts)]].concat())
    }
}

/// "Without a checkout: `--git URL@REF`".
#[test]
fn a_project_on_a_server_is_planned_as_its_clone_is() {
    let tree = applied();
    tree.branch("change/title");
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("title");
    let commit = tree.git(&["rev-parse", "HEAD"]);
    let there = Server::of(tree);
    let json = |output: CommandOutput| -> Value {
        let mut plan: Value = serde_json::from_str(&output.out).unwrap_or_else(|_| panic!("{}", output.all));
        plan.as_object_mut().unwrap().remove("from");
        plan.as_object_mut().unwrap().remove("to");
        plan
    };
    assert_eq!(there.plan("main", &[]).code, 0);
    let output = there.plan("change/title", &["-o", "json"]);
    assert_eq!(output.code, 2, "{}", output.all);
    assert!(output.err.contains("run stablekey apply in a clone"), "{}", output.err);
    assert_eq!(json(output), json(there.tree.stablekey(&["plan", "-o", "json"])));
    for revision in ["change/title", "refs/heads/change/title", &commit] {
        let output = there.plan(revision, &["--from", "main", "-o", "json"]);
        assert_eq!(output.code, 2, "{}", output.all);
        let of_clone = there.tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "json"]);
        assert_eq!(json(output), json(of_clone));
    }
    let hosts = there.server.host();
    let at = format!("{}@main", there.server.url("tenants.git"));
    let token = [("STABLEKEY_GIT_TOKEN", TOKEN), ("STABLEKEY_GIT_HOSTS", hosts.as_str())];
    assert_eq!(there.plan_as(&["--git", &at], &token).code, 0);
}

#[test]
fn the_root_is_a_folder_of_the_repository() {
    let inner = applied();
    let outer = Project::empty();
    stablekey_testing::cli::copy_folder(inner.root(), &outer.path("tenants"));
    let _ = std::fs::remove_dir_all(outer.path("tenants/.git"));
    outer.write("tenants/dev/lost.yaml", &Integration::new("lost").binds("Nowhere", "nowhere").yaml());
    let there = Server::of(WorkTree::of(outer));
    let output = there.plan("main", &["-C", "tenants"]);
    assert_eq!(output.code, 3, "{}", output.all);
    assert!(output.all.contains("tenants/dev/lost.yaml:"), "{}", output.all);
    for (root, words) in [
        ("elsewhere", "there is no folder elsewhere in that commit"),
        ("/", "with --git, ROOT is the folder in that repository"),
        ("../tenants", "with --git, ROOT is the folder in that repository"),
    ] {
        let output = there.plan("main", &["-C", root]);
        assert!(output.code == 1 && output.err.contains(words), "{root}: {}", output.all);
    }
}

/// "One error that says what to do for each failure".
#[test]
fn each_failure_says_what_to_do() {
    let there = Server::of(applied());
    let url = there.server.url("tenants.git");
    let hosts = there.server.host();
    let git = |at: &str, variables: &[(&str, &str)], words: &[&str]| {
        let output = there.plan_as(&["--git", at], variables);
        let has_all = words.iter().all(|words| output.err.contains(words));
        assert!(output.code == 1 && has_all && output.out.is_empty(), "{at} {words:?}: {}", output.all);
    };
    let at = format!("{url}@main");
    let hosts_of_it = ("STABLEKEY_GIT_HOSTS", hosts.as_str());
    let password = |password| ("STABLEKEY_GIT_PASSWORD", password);
    let good = [("STABLEKEY_GIT_USERNAME", USER), password(PASSWORD), hosts_of_it];
    git(&at, &[], &["asks for credentials (HTTP 401)", "set STABLEKEY_GIT_PASSWORD"]);
    for address in
        ["file:///srv/x.git@main", "../x", "/srv/x@main", "git@host.example:x.git@main", "ssh://git@h/x@main"]
    {
        git(address, &[], &["does not begin with https://", "clone it with git", "-C DIR"]);
    }
    git(&at, &[password("CANARY-wrong"), hosts_of_it], &["does not accept the credentials", "renew"]);
    git(&at, &[password(PASSWORD)], &["does not say to which hosts", "set STABLEKEY_GIT_HOSTS"]);
    let other = ("STABLEKEY_GIT_HOSTS", "git.acme.example");
    git(&at, &[password(PASSWORD), other], &["belongs to git.acme.example", "it is not sent there"]);
    git(&at, &[password("CANARY\nx"), hosts_of_it], &["cannot be sent", "set the variable again"]);
    git(&format!("{url}@nowhere"), &good, &["at nowhere: it has no branch or tag nowhere", "correct the name"]);
    git(&format!("{url}@a..b"), &good, &["give a branch, a tag, or a commit by its full name"]);
    git(&format!("{url}x@main"), &good, &["there is no repository at this address", "correct the url"]);
    git(&url, &good, &["names no branch, tag or commit", "@main"]);
    git("https://ann:CANARY@git.acme.example/x@main", &good, &["has a user name or password in it"]);
    git("https://ann:CANARY@git.acme.example/x", &good, &["names no branch, tag or commit"]);
    there.server.fault(Step::List, Fault::Say(503, Vec::new(), "CANARY"));
    git(&at, &good, &["has an error of its own (HTTP 503)", "run it again in a while"]);
    there.server.fault(Step::List, Fault::Say(200, Vec::new(), "<html>CANARY</html>"));
    git(&at, &good, &["does not answer as a Git server does"]);
    let stranger = there.elsewhere.path("../stranger.pem");
    std::fs::write(&stranger, Authority::new().pem).unwrap();
    let stranger = ("SSL_CERT_FILE", stranger.to_str().unwrap());
    git(&at, &[&good[..], &[stranger]].concat(), &["its certificate is not accepted", "set SSL_CERT_FILE"]);
    // Without the option of tests, this machine is not read.
    let output = CommandOutput::of(&there.elsewhere.command(&["plan", "--git", &at]).output().unwrap());
    assert!(output.code == 1 && output.err.contains("a server on this machine is not read"), "{}", output.all);
    let output = there.plan_as(&["--git", &at, "--to", "main"], &good);
    assert!(output.code != 0 && output.err.contains("cannot be used with"), "{}", output.all);
}

/// What Stablekey wrote on the platform is recorded in refs of the repository: without it nothing would be managed.
#[test]
fn a_tenant_on_the_platform_is_read_in_a_clone_only() {
    let platform = "  location:\n    prismatic: {url: https://app.prismatic.io}\n  source: {path: us}\n";
    let us = format!("apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: us}}\nspec:\n{platform}");
    let project = Project::empty().with("tenants.yaml", &us).with("us/greet.yaml", &Integration::new("greet").yaml());
    let there = Server::of(WorkTree::of(project));
    let output = there.plan("main", &[]);
    assert_eq!(output.code, 1, "{}", output.all);
    let words = output.all.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("is read only in a clone"), "{}", output.all);
}
