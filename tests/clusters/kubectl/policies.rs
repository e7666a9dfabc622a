//! manifests/policies, in a cluster with controllers that the policy tests share.

use crate::kubectl::support::{apply_by, document, error_of, kubectl, output_of, repository, set_status, until, with};
use serde_json::{Value, json};
use stablekey::api::Kind;
use stablekey_clusters::{Cluster, Namespace, Options, run, shared_with};
use std::path::PathBuf;
use std::sync::OnceLock;

/// A user with all permissions on syncs except approve.
pub const EDITOR: &str = "editor";
/// A user who may approve too.
pub const APPROVER: &str = "approver";

/// A cluster with the policies in force, and the kubeconfigs of two users.
pub struct Guarded {
    pub cluster: &'static Cluster,
    editor: PathBuf,
    approver: PathBuf,
}

/// The permissions of the users, in every namespace.
const ROLES: [&str; 5] = [
    "create clusterrole edit-syncs --verb=get,list,create,update,patch,delete \
     --resource=tenantsyncs.stablekey.dev,tenantsyncs.stablekey.dev/status,tenants.stablekey.dev",
    "create clusterrole approve-syncs --verb=approve --resource=tenantsyncs.stablekey.dev,tenants.stablekey.dev",
    "create clusterrolebinding editor --clusterrole=edit-syncs --user=editor",
    "create clusterrolebinding approver-edits --clusterrole=edit-syncs --user=approver",
    "create clusterrolebinding approver --clusterrole=approve-syncs --user=approver",
];

pub fn guarded() -> &'static Guarded {
    static GUARDED: OnceLock<Guarded> = OnceLock::new();
    GUARDED.get_or_init(|| {
        let cluster = shared_with(Options::named("guarded").with_controllers());
        for words in ROLES {
            output_of(&mut with(cluster.kubectl(), words));
        }
        output_of(with(cluster.kubectl(), "apply --server-side -k").arg(repository("manifests/policies")));
        let user = |name| cluster.user(name, None).unwrap();
        let guarded = Guarded { cluster, editor: user(EDITOR), approver: user(APPROVER) };
        guarded.wait_until_in_force();
        guarded
    })
}

impl Guarded {
    pub fn namespace(&self) -> Namespace<'static> {
        self.cluster.namespace("guarded")
    }

    /// Returns a kubectl as one of the two users.
    pub fn kubectl(&self, user: &str, namespace: &Namespace, words: &str) -> std::process::Command {
        let kubeconfig = if user == EDITOR { &self.editor } else { &self.approver };
        with(self.cluster.kubectl_as(kubeconfig), &format!("--namespace {} {words}", namespace.name()))
    }

    pub fn apply(&self, user: &str, namespace: &Namespace, sync: &Value) -> Result<String, String> {
        apply_by(self.kubectl(user, namespace, ""), "--server-side --force-conflicts", sync)
    }

    /// A policy takes effect with a short delay: retries a request until it is refused.
    fn wait_until_in_force(&self) {
        let namespace = self.cluster.namespace("in-force");
        used_connection(&namespace, "crm", 1);
        until("a connection in use is not deleted", || {
            run(&mut kubectl(&namespace, "delete connection crm --dry-run=server")).err()
        });
        let sync = sync(json!({"mode": "Apply"}));
        until("mode Apply takes the verb approve", || {
            apply_by(self.kubectl(EDITOR, &namespace, ""), "--server-side --dry-run=server", &sync).err()
        });
        let tenant = tenant(json!({"source": {"git": {"url": "https://git.example/x.git", "branch": "main"}}}));
        until("a source in Git takes the verb approve", || {
            apply_by(self.kubectl(EDITOR, &namespace, ""), "--server-side --dry-run=server", &tenant).err()
        });
    }
}

/// Returns a sync, with `more` in its spec.
pub fn sync(more: Value) -> Value {
    let mut spec = json!({"from": "us-prod", "to": ["eu-prod"], "integrations": ["lead-*"]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document(Kind::TenantSync, "us-to-eu", spec)
}

/// Returns a Tenant, with this spec.
pub fn tenant(spec: Value) -> Value {
    document(Kind::Tenant, "us-prod", spec)
}

/// Creates a connection whose status says that `count` integrations are bound to it.
pub fn used_connection(namespace: &Namespace, key: &str, count: usize) {
    apply_by(namespace.kubectl(), "--server-side", &crate::kubectl::support::connection(key)).unwrap();
    let used_by: Vec<Value> =
        (0..count).map(|number| json!({"kind": "Integration", "name": format!("lead-router-{number}")})).collect();
    set_status(namespace, &format!("connection/{key}"), &json!({"usedBy": used_by, "usedByCount": count}));
}

#[test]
fn the_expressions_use_existing_fields() {
    let guarded = guarded();
    for policy in ["connections-in-use.stablekey.dev", "approve-syncs.stablekey.dev", "approve-sources.stablekey.dev"] {
        let status = until("the controller has looked at the policy", || {
            let json = output_of(&mut with(
                guarded.cluster.kubectl(),
                &format!("get validatingadmissionpolicy {policy} -o json"),
            ));
            let policy: Value = serde_json::from_str(&json).unwrap();
            let looked = policy["status"]["observedGeneration"] == policy["metadata"]["generation"];
            looked.then(|| policy["status"].clone())
        });
        assert_eq!(status["typeChecking"], json!({}), "{policy}: {status}");
    }
}

#[test]
fn the_users_differ_only_in_the_verb() {
    let guarded = guarded();
    let namespace = guarded.namespace();
    for user in [EDITOR, APPROVER] {
        assert_eq!(
            output_of(&mut guarded.kubectl(user, &namespace, "auth can-i update tenantsyncs.stablekey.dev")),
            "yes\n"
        );
    }
    assert_eq!(
        output_of(&mut guarded.kubectl(APPROVER, &namespace, "auth can-i approve tenantsyncs.stablekey.dev")),
        "yes\n"
    );
    error_of(&mut guarded.kubectl(EDITOR, &namespace, "auth can-i approve tenantsyncs.stablekey.dev"));
}
