//! Tenant `us` in a namespace of a cluster, which is also the hub; its source is the folder `tenants/us` of a repository
//! on a Git server.

use crate::controller::operator::options;
use crate::controller::syncer::env::*;
use serde_json::{Value, json};
use stablekey::controller::bearer::TokenFile;
use stablekey::controller::options::GitOptions;
use stablekey::controller::webhooks::WebhookOptions;
use stablekey::controller::{Options, Role};
use stablekey::git::remote::Limits;
use stablekey_clusters::audit::Mark;
use stablekey_clusters::{Namespace, shared};
use stablekey_testing::certificates::Authority;
use stablekey_testing::git_repository::{File, Files, GitRepository};
use stablekey_testing::git_server::{GitServer, PASSWORD, USER};
use stablekey_testing::manifests;
use stablekey_testing::objects::*;
use stablekey_testing::permissions::{permissions_of, refused};
use stablekey_testing::replica::{Replica, until};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub const US: &str = "tenant/us";
/// The roles of a syncer with sources in Git.
pub const SYNCER_GIT: &str = "syncer-git";
/// The variables of an operator that this program is.
const NAMESPACE: &str = "STABLEKEY_TEST_GIT";
const HOSTS: &str = "STABLEKEY_TEST_GIT_HOSTS";
const CACHE: &str = "STABLEKEY_TEST_GIT_FOLDER";
const BYTES: &str = "STABLEKEY_TEST_GIT_BYTES";
const WEBHOOKS: &str = "STABLEKEY_TEST_GIT_WEBHOOKS";

/// The operator, as this program starts itself: the product's own program refuses a Git server on this machine.
#[test]
#[ignore = "it is the operator of other tests"]
fn operator() {
    let Ok(namespace) = std::env::var(NAMESPACE) else { return };
    let hosts = std::env::var(HOSTS).unwrap();
    let options = Options {
        git: GitOptions {
            hosts: hosts.split(',').filter(|host| !host.is_empty()).map(str::to_string).collect(),
            folder: std::env::var(CACHE).unwrap().into(),
            limits: Limits { time: Duration::from_secs(3), bytes: std::env::var(BYTES).unwrap().parse().unwrap() },
            allows_loopback: true,
        },
        webhooks: std::env::var_os(WEBHOOKS).map(|file| WebhookOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            github: Some(TokenFile::new(file.clone().into())),
            gitlab: Some(TokenFile::new(file.into())),
            peers: None,
        }),
        ..options(Role::Syncer, "syncer", namespace)
    };
    stablekey::controller::run(&options).unwrap();
}

pub struct GitEnv {
    pub us: Namespace<'static>,
    pub server: GitServer,
    pub repository: GitRepository,
    /// Maximum size of a fetch, in bytes.
    pub bytes: u64,
    authority: Authority,
    /// Where the operator fetches to.
    pub cache: TempDir,
    _repositories: TempDir,
}

/// Asserts with the audit log that nothing was forbidden to the account of manifests/.
impl Drop for GitEnv {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let user = format!("system:serviceaccount:{}:stablekey-syncer", self.us.name());
            let rights = permissions_of(self.us.cluster(), SYNCER_GIT);
            assert_eq!(refused(&self.us.audit().unwrap(), &user, &rights), [""; 0]);
        }
    }
}

impl GitEnv {
    /// Creates the server with an empty repository, and the Secret with its credentials.
    pub fn new(prefix: &str) -> Self {
        let repositories = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let server = GitServer::start(repositories.path(), &authority);
        let env = GitEnv {
            us: shared("us").namespace(&format!("{prefix}-git")),
            server,
            repository: GitRepository::new(&repositories.path().join("tenants.git")),
            bytes: 64 << 20,
            authority,
            cache: tempfile::tempdir().unwrap(),
            _repositories: repositories,
        };
        env.in_us(&[env.credentials(USER, PASSWORD)]);
        env
    }

    /// The Secret with the credentials of the server, and its authority.
    pub fn credentials(&self, username: &str, password: &str) -> Value {
        let data = json!({"username": username, "password": password, "ca.crt": self.authority.pem});
        with(secret("stablekey-git", data), "/metadata/annotations", json!({"stablekey.dev/hosts": self.server.host()}))
    }

    /// The source of tenant `us`, with changes.
    pub fn git(&self, changes: Value) -> Value {
        let mut git = json!({
            "url": self.server.url("tenants.git"), "branch": "main", "path": "tenants/us", "interval": "1s",
            "secretRef": {"name": "stablekey-git"},
        });
        for (field, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(git.as_object_mut().unwrap().remove(field)),
                value => git[field] = value.clone(),
            }
        }
        git
    }

    /// The Tenant `us`, whose source does not prune.
    pub fn tenant(&self) -> Value {
        tenant("us", json!({"source": {"git": self.git(json!({}))}}))
    }

    /// The Tenant `us`, whose source prunes.
    pub fn pruning_tenant(&self) -> Value {
        let policy = json!({"actions": ["Create", "Update", "Delete"], "approval": {"percent": 100, "from": 10}});
        tenant("us", json!({"source": {"git": self.git(json!({})), "prune": true}, "policy": policy}))
    }

    pub fn in_us(&self, objects: &[Value]) {
        apply(&self.us, objects);
    }

    /// Commits these objects as all that the source has, one file each.
    pub fn commit(&self, objects: &[Value]) -> String {
        self.repository.commit("main", &source(objects))
    }

    /// Starts the operator.
    pub fn syncer(&self) -> Replica {
        let host = self.server.host();
        self.syncer_of(&[&host])
    }

    /// Starts an operator that reads from these hosts.
    pub fn syncer_of(&self, hosts: &[&str]) -> Replica {
        Replica::by(self.command(hosts))
    }

    /// Starts the operator with webhooks, whose secret is in this file.
    pub fn syncer_with_webhooks(&self, secret: &Path) -> Replica {
        let mut command = self.command(&[&self.server.host()]);
        command.env(WEBHOOKS, secret);
        Replica::by(command)
    }

    fn command(&self, hosts: &[&str]) -> Command {
        let account = manifests::account(self.us.cluster(), self.us.name(), SYNCER_GIT);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "controller::git::env::operator", "--ignored", "--nocapture"]);
        command.env("KUBECONFIG", account).env(NAMESPACE, self.us.name()).env(HOSTS, hosts.join(","));
        command.env(CACHE, self.cache.path()).env(BYTES, self.bytes.to_string());
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Waits until this commit was applied.
    #[track_caller]
    pub fn until_applied(&self, commit: &str) {
        until_field(&self.us, US, ".status.source.applied", commit);
        until_ready(&self.us, US, "InSync");
    }

    /// Returns a field of the source's status.
    pub fn status(&self, path: &str) -> String {
        field(&self.us, US, &format!(".status.source.{path}"))
    }

    /// Returns the message of the Tenant's Ready condition.
    pub fn message(&self) -> String {
        ready(&self.us, US, "message")
    }

    /// Asks for a reconcile of the Tenant, and waits for it.
    pub fn again(&self, at: &str) {
        kubectl(&self.us, &["annotate", "--overwrite", US, &format!("stablekey.dev/requestedAt={at}")]);
        until("it was handled", || field(&self.us, US, ".status.lastHandledReconcileAt") == at);
    }

    /// Returns the operator's writes since a mark, except of statuses, events and Leases.
    pub fn written(&self, since: Mark) -> Vec<String> {
        let writes = written(&self.us, since).into_iter();
        writes.filter(|write| !write.contains("tenants/us") && !write.contains("events")).collect()
    }
}

/// The files of a source with these objects, and something beside it.
pub fn source(objects: &[Value]) -> Files {
    let file = |object: &Value| {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let path = format!("tenants/us/{}s/{name}.yaml", kind.to_lowercase());
        (path, File::Regular(object.to_string().into_bytes()))
    };
    let readme = ("README.md".to_string(), File::Regular(b"# Tenants".to_vec()));
    objects.iter().map(file).chain([readme]).collect()
}
