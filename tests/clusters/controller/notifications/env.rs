//! Tenants `us` and `eu` on two clusters, a receiver of notifications, and operators that send them.

use crate::controller::operator::options;
use crate::controller::syncer::env::*;
use serde_json::{Value, json};
use stablekey::controller::options::GitOptions;
use stablekey::controller::{NotificationOptions, Options, Role};
use stablekey::git::remote::Limits;
use stablekey_clusters::Namespace;
use stablekey_testing::forge::WebhookReceiver;
use stablekey_testing::manifests;
use stablekey_testing::objects::*;
use stablekey_testing::permissions::{granted, permissions_of, refused};
use stablekey_testing::replica::{Replica, until};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The variables of an operator that this program is.
const NAMESPACE: &str = "STABLEKEY_TEST_NOTIFY";
const ROLE: &str = "STABLEKEY_TEST_NOTIFY_ROLE";
const GIT: &str = "STABLEKEY_TEST_NOTIFY_GIT";
const FETCHED: &str = "STABLEKEY_TEST_NOTIFY_FETCHED";

pub const SECRET: &str = "stablekey-notifications";
/// A part of the addresses and tokens, which appears nowhere else.
pub const CANARY: &str = "CANARY-notify";

/// The operator, as this program starts itself: the product's own program sends nothing to this machine.
#[test]
#[ignore = "it is the operator of other tests"]
fn operator() {
    let Ok(namespace) = std::env::var(NAMESPACE) else { return };
    let role = if std::env::var(ROLE).unwrap() == "binder" { Role::Binder } else { Role::Syncer };
    let git = std::env::var(GIT).unwrap();
    let notifications = NotificationOptions {
        secret: SECRET.to_string(),
        patience: Duration::from_millis(100),
        reread: Duration::from_secs(1),
        allows_loopback: true,
    };
    let options = Options {
        notifications: Some(notifications),
        git: GitOptions {
            hosts: git.split(',').filter(|host| !host.is_empty()).map(str::to_string).collect(),
            folder: std::env::var(FETCHED).unwrap().into(),
            limits: Limits { time: Duration::from_secs(3), bytes: 64 << 20 },
            allows_loopback: true,
        },
        ..options(role, "notifier", namespace)
    };
    stablekey::controller::run(&options).unwrap();
}

/// Starts an operator with the account of its role and of notifications.
pub fn operator_of(namespace: &Namespace<'_>, role: &'static str, git: (&str, &Path)) -> Replica {
    let base = if git.0.is_empty() { role } else { "syncer-git" };
    let account = manifests::account(namespace.cluster(), namespace.name(), base);
    manifests::add_roles(namespace.cluster(), namespace.name(), &format!("notifications/{role}"));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "controller::notifications::env::operator", "--ignored", "--nocapture"]);
    command.env("KUBECONFIG", account).env(NAMESPACE, namespace.name()).env(ROLE, role);
    command.env(GIT, git.0).env(FETCHED, git.1);
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Replica::by(command)
}

pub struct NotifyEnv {
    pub clusters: TestEnv,
    pub receiver: WebhookReceiver,
}

/// Asserts with the audit log that nothing was forbidden to the account of manifests/.
impl Drop for NotifyEnv {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_nothing_was_forbidden(&self.clusters.us, "syncer");
        }
    }
}

#[track_caller]
pub fn assert_nothing_was_forbidden(namespace: &Namespace<'_>, role: &'static str) {
    let user = format!("system:serviceaccount:{}:stablekey-{role}", namespace.name());
    let mut rights = permissions_of(namespace.cluster(), role);
    let roles = manifests::add_roles(namespace.cluster(), namespace.name(), &format!("notifications/{role}"));
    rights.extend(roles.iter().flat_map(granted));
    assert_eq!(refused(&namespace.audit().unwrap(), &user, &rights), [""; 0]);
}

impl NotifyEnv {
    pub fn new(prefix: &str) -> Self {
        NotifyEnv { clusters: TestEnv::new(&format!("{prefix}-notify")), receiver: WebhookReceiver::start() }
    }

    /// Writes the Secret with destinations on the receiver: name and text, in which `URL` is its address.
    pub fn destinations(&self, texts: &[(&str, &str)]) {
        write_destinations(&self.clusters.us, self.receiver.url(), texts);
    }

    pub fn syncer(&self) -> Replica {
        operator_of(&self.clusters.us, "syncer", ("", Path::new("/nowhere")))
    }

    /// Sets the sync to mode Plan, and waits until the operator knows.
    pub fn plans_only(&self) {
        self.clusters.in_us(&[sync("Plan")]);
        until_field(&self.clusters.us, SYNC, ".status.mode", "Plan");
    }

    /// Waits until there are this many messages at a path; returns topic and state of each, in order.
    #[track_caller]
    pub fn until_messages(&self, path: &str, count: usize) -> Vec<String> {
        until(format!("{count} messages at {path}"), || self.receiver.messages(path).len() >= count);
        self.told(path)
    }

    pub fn told(&self, path: &str) -> Vec<String> {
        told(&self.receiver, path)
    }

    /// Waits until it is recorded that a destination was told of the sync `us-to-eu`.
    #[track_caller]
    pub fn until_recorded(&self, destination: &str, topic: &str, count: u64) {
        until(format!("{destination} was told of {topic}"), || {
            let record: Value = serde_json::from_str(&self.record()).unwrap_or_default();
            let known = &record["destinations"][destination][format!("TenantSync/us-to-eu eu {topic}")];
            known["number"].as_u64().is_some_and(|number| number >= count) && known["trying"].is_null()
        });
    }

    /// Returns the record of what was delivered.
    pub fn record(&self) -> String {
        field(&self.clusters.us, "configmap/stablekey-notified-syncer", ".data.delivered\\.json")
    }
}

/// Topic and state of each message at a path.
pub fn told(receiver: &WebhookReceiver, path: &str) -> Vec<String> {
    let text = |message: &Value, field: &str| message[field].as_str().unwrap_or_default().to_string();
    let messages = receiver.messages(path);
    messages.iter().map(|message| format!("{} {}", text(message, "topic"), text(message, "state"))).collect()
}

pub fn write_destinations(namespace: &Namespace<'_>, url: &str, texts: &[(&str, &str)]) {
    let data: serde_json::Map<String, Value> =
        texts.iter().map(|(name, text)| (name.to_string(), json!(text.replace("URL", url)))).collect();
    let secret = secret(SECRET, Value::Object(data));
    apply(namespace, &[with(secret, "/metadata/annotations", json!({"stablekey.dev/hosts": url}))]);
}
