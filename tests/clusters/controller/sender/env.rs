//! Tenant `us` in a namespace of a cluster, which is also the hub; tenant `eu` on a fake of the platform, with its secrets
//! in another namespace.

use crate::controller::operator::options;
use crate::controller::syncer::env::*;
use serde_json::{Value, json};
use stablekey::controller::{Options, Role};
use stablekey::tenant::prismatic::PlatformSettings;
use stablekey_clusters::{Namespace, run, shared};
use stablekey_platform::{Platform, Region, Server, seed};
use stablekey_testing::manifests;
use stablekey_testing::objects::*;
use stablekey_testing::permissions::{permissions_of, refused};
use stablekey_testing::replica::Replica;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub const EU: &str = "tenant/eu";
/// The variable with the namespace of an operator that this program is.
const NAMESPACE: &str = "STABLEKEY_TEST_SENDER";
const WAREHOUSE_EXPORT: &str = include_str!("../../../../platform/src/seed/definitions/warehouse-export.yaml");

/// The operator, as this program starts itself: the product's own program refuses a platform on this machine.
#[test]
#[ignore = "it is the operator of other tests"]
fn operator() {
    let Ok(namespace) = std::env::var(NAMESPACE) else { return };
    let options = Options {
        platform: PlatformSettings {
            allows_loopback: true,
            pause: Duration::from_millis(10),
            interval: Duration::from_secs(1),
        },
        ..options(Role::Sender, "sender", namespace)
    };
    stablekey::controller::run(&options).unwrap();
}

pub struct SenderEnv {
    pub us: Namespace<'static>,
    /// The namespace with the secrets of `eu`.
    pub secrets: Namespace<'static>,
    pub eu: Server,
    cache: TempDir,
}

/// Asserts with the audit log that nothing was forbidden to the account of manifests/.
impl Drop for SenderEnv {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let rights = permissions_of(self.us.cluster(), "sender");
            let mut requests = self.us.audit().unwrap();
            // Attacks are tried with kubectl.
            requests.retain(|request| !request.agent.starts_with("kubectl"));
            assert_eq!(refused(&requests, &self.user(), &rights), [""; 0]);
        }
    }
}

impl SenderEnv {
    /// Creates both tenants. `eu` accepts `us`.
    pub fn new(prefix: &str) -> Self {
        let us = shared("us");
        let namespace = us.namespace(&format!("{prefix}-hub"));
        let env = SenderEnv {
            secrets: us.namespace(&format!("{prefix}-secrets")),
            us: namespace,
            eu: fake(Region::Eu),
            cache: tempfile::tempdir().unwrap(),
        };
        env.allow_secrets(&env.secrets);
        let eu = env.on_platform("eu", &env.eu, Some(&env.secrets));
        env.in_us(&[tenant("us", json!({})), env.tokens(&[("eu", &env.eu)]), eu]);
        env
    }

    /// The user of the sender's account.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:stablekey-sender", self.us.name())
    }

    /// Lets the sender read the Secrets of a namespace, as manifests/ do.
    pub fn allow_secrets(&self, namespace: &Namespace<'_>) {
        let cluster = self.us.cluster();
        let mut objects = manifests::in_namespace(
            manifests::kustomized(cluster.kubectl(), "tenant-access/secrets"),
            namespace.name(),
        );
        for binding in objects.values_mut().filter(|object| object["kind"] == "RoleBinding") {
            binding["subjects"][0]["namespace"] = json!(self.us.name());
        }
        apply(namespace, &objects.into_values().collect::<Vec<_>>());
    }

    /// The Secret with a token for each of these.
    pub fn tokens(&self, of: &[(&str, &Server)]) -> Value {
        let tokens = of.iter().map(|(name, server)| (name.to_string(), server.refresh_token().into()));
        let hosts: Vec<String> = of.iter().map(|(_, server)| server.url().replace("http://", "")).collect();
        let secret = secret("stablekey-tokens", Value::Object(tokens.collect()));
        annotated(secret, &[("stablekey.dev/hosts", &hosts.join(","))])
    }

    /// A Tenant on the platform that accepts `us`.
    pub fn on_platform(&self, name: &str, server: &Server, secrets: Option<&Namespace<'_>>) -> Value {
        let mut location =
            json!({"url": server.url(), "tokenFrom": {"secretRef": {"name": "stablekey-tokens", "key": name}}});
        if let Some(secrets) = secrets {
            location["secrets"] = json!({"namespace": secrets.name()});
        }
        tenant(name, json!({"location": {"prismatic": location}, "acceptFrom": ["us"]}))
    }

    pub fn in_us(&self, objects: &[Value]) {
        apply(&self.us, objects);
    }

    /// A connection of `us` with a secret, and an integration that uses it.
    pub fn archive(&self) {
        let definition = WAREHOUSE_EXPORT.replace("Warehouse Export", "Archive Export").replace("warehouse", "archive");
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "archive-v1", "labels": {"stablekey.dev/definition": "true"}},
            "data": {"definition": definition},
        });
        let integration = Integration::new("archive-export")
            .title("Archive Export")
            .binds("Database", "archive")
            .owns("Reports", "salesforce/oauth2")
            .definition_map("archive-v1");
        self.in_us(&[map, archive("db.example").json(), integration.json()]);
    }

    /// Opts a Secret in for the connection.
    pub fn archive_secret(&self, annotations: &[(&str, &str)]) {
        let secret = with(
            secret("archive-db", json!({"password": "CANARY-password"})),
            "/metadata/labels",
            json!({"stablekey.dev/for": "connections"}),
        );
        let annotations = [&[("stablekey.dev/keys", "archive")], annotations].concat();
        apply(&self.secrets, &[annotated(secret, &annotations)]);
    }

    /// Starts a process with the sender role, with the account of manifests/.
    pub fn sender(&self) -> Replica {
        let account = manifests::account(self.us.cluster(), self.us.name(), "sender");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "controller::sender::env::operator", "--ignored", "--nocapture"]);
        command.env("KUBECONFIG", account).env(NAMESPACE, self.us.name()).env("XDG_CACHE_HOME", self.cache.path());
        Replica::by({
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command
        })
    }

    /// The value of an input of a connection on the platform.
    pub fn sent(&self, key: &str, input: &str) -> Option<String> {
        self.eu.read(|store| {
            let connection = store.connections.iter().find(|connection| connection.stable_key == key)?;
            connection.inputs.iter().find(|sent| sent.name == input)?.value.clone()
        })
    }

    /// Asks for a reconcile of a sync, and waits for it.
    pub fn again(&self, sync: &str, at: &str) {
        kubectl(&self.us, &["annotate", "--overwrite", sync, &format!("stablekey.dev/requestedAt={at}")]);
        until_field(&self.us, sync, ".status.lastHandledReconcileAt", at);
    }
}

/// The connection of `us`, at this host.
pub fn archive(host: &str) -> Connection {
    Connection::new("archive", "postgres/postgres")
        .title("Archive")
        .credentials(stablekey::api::Credentials::OrganizationGlobal)
        .input("host", host)
        .input("database", "archive")
        .input("username", "exporter")
        .secret_key("password", "archive-db", "password")
}

pub fn annotated(mut object: Value, annotations: &[(&str, &str)]) -> Value {
    for (name, value) in annotations {
        object["metadata"]["annotations"][name] = json!(value);
    }
    object
}

/// A stack of the platform, with an organization of every kind of connection.
pub fn fake(region: Region) -> Server {
    let platform = Platform::new(seed::every_kind(region).unwrap());
    Server::builder(platform).token("CANARY-access").refresh_token("CANARY-refresh").start().unwrap()
}

/// The mutations that a stack got since the last call.
pub fn mutations(server: &Server) -> Vec<String> {
    let requests = server.take_requests();
    requests.into_iter().filter(|request| request.writes).flat_map(|request| request.operations).collect()
}

/// A sync from `us`.
pub fn sync_from_us(name: &str, to: &str, mode: &str) -> Value {
    let mut sync = Sync::new(name, "us", to).mirror().json();
    sync["spec"]["mode"] = json!(mode);
    sync
}

/// Waits until a sync has this state in a target.
pub fn until_state(env: &SenderEnv, sync: &str, target: &str, state: &str) {
    until_field(&env.us, sync, &of_target(target, "state"), state);
}

/// All text of a namespace's statuses, events and ConfigMaps.
pub fn everything_said(env: &SenderEnv) -> String {
    let get = ["get", "tenants,tenantsyncs,events,configmaps", "-o", "yaml"];
    run(env.us.kubectl().args(get)).unwrap()
}
