//! Tenant: one organization on one stack.

use super::union::exactly_one;
use super::{Condition, SecretKeyRef, rules};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// One organization on one stack: us-prod, eu-prod, dev.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[kube(
    group = "stablekey.dev",
    version = "v1alpha1",
    kind = "Tenant",
    plural = "tenants",
    namespaced,
    status = "TenantStatus",
    shortname = "ten",
    category = "stablekey",
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region"),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct TenantSpec {
    /// Where its stack is: us, eu.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub region: Option<String>,
    /// What it is for: dev, staging, prod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub environment: Option<String>,
    /// Where its resources are. In files required; in a cluster absent means this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationSpec>,
    /// What is declared for it, apart from syncs. In files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Whether nothing is written to it: it is read, planned and reported. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// The tenants whose syncs it takes. Absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub accept_from: Vec<String>,
    /// What we may do to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
}

exactly_one! {
    /// Where a tenant's resources are: exactly one of directory, kubernetes.
    pub enum LocationSpec as raw_location ("has(self.directory) != has(self.kubernetes)", "a location is exactly one of directory, kubernetes") {
        /// A folder of YAML.
        Directory(directory: DirectoryLocation),
        /// A namespace of a cluster.
        Kubernetes(kubernetes: KubernetesLocation),
    }
}

/// A folder of YAML.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryLocation {
    /// Relative, below the root given to the command; no symlink may lead out of it.
    #[schemars(length(min = 1, max = 253))]
    pub path: String,
}

/// A namespace of a cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesLocation {
    /// The namespace.
    #[schemars(regex(pattern = super::names::NAMESPACE), length(min = 1, max = 63))]
    pub namespace: String,
    /// How to reach the cluster. Absent: the in-cluster account, or the current context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<Kubeconfig>,
}

exactly_one! {
    /// How to reach a cluster: exactly one of context, secretRef.
    pub enum Kubeconfig as raw_kubeconfig ("has(self.context) != has(self.secretRef)", "a kubeconfig is exactly one of context, secretRef") {
        /// A context of the usual kubeconfig files: for the command line.
        Context(context: String, #[schemars(length(min = 1, max = 253))]),
        /// A key of a Secret that holds a kubeconfig: for the operator.
        SecretRef(secret_ref: SecretKeyRef),
    }
}

/// Manifests that declare a tenant.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Relative, below the root given to the command; no symlink may lead out of it.
    #[schemars(length(min = 1, max = 253))]
    pub path: String,
    /// Whether what it no longer declares is removed. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<bool>,
}

/// What we may do to a tenant. It governs only what Stablekey does, not what others write.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The actions allowed. Create: make objects. Update: change objects that are there. Delete: remove objects. Absent
    /// is read as Create and Update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 3))]
    pub actions: Option<Vec<AllowedAction>>,
    /// What happens to live values that differ from what we wrote. Absent is read as Detect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// Which share of changes needs approval. Absent is read as 30 percent of 10 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalShare>,
}

/// An action that a tenant allows.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AllowedAction {
    /// Make objects.
    Create,
    /// Change objects that are there.
    Update,
    /// Remove objects.
    Delete,
}

/// What happens to live values that differ from what was written. Ignore: nothing, and nothing is reported. Detect: they
/// are reported and left. Correct: they are reported and put right. Absent is read as Detect.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drift {
    /// Nothing, and nothing is said.
    Ignore,
    /// They are reported and left.
    Detect,
    /// They are reported and put right.
    Correct,
}

/// From which share of changes on approval is needed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalShare {
    /// Updates and deletes, in percent of the live objects. Absent is read as 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    #[x_kube(validation = Rule::new("self >= 0 && self <= 100").message(rules::PERCENT))]
    pub percent: Option<i32>,
    /// Only where there are this many live objects or more. Absent is read as 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub from: Option<i32>,
}

/// What the operator found.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready and its reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl TenantSpec {
    /// Whether nothing is written to it.
    pub fn is_suspended(&self) -> bool {
        self.suspend.unwrap_or(false)
    }

    /// Whether what its source no longer declares is removed.
    pub fn source_prunes(&self) -> bool {
        self.source.as_ref().and_then(|source| source.prune).unwrap_or(false)
    }

    /// Whether we may do this to it.
    pub fn allows(&self, action: AllowedAction) -> bool {
        match self.policy.as_ref().and_then(|p| p.actions.as_ref()) {
            Some(actions) => actions.contains(&action),
            None => action != AllowedAction::Delete,
        }
    }

    /// The policy that allows no more than either: fewer actions, the earlier of Ignore, Detect, Correct,
    /// the smaller share.
    pub fn stricter_policy(&self, other: &TenantSpec) -> Option<Policy> {
        if self.policy.is_none() && other.policy.is_none() {
            return None;
        }
        let all = [AllowedAction::Create, AllowedAction::Update, AllowedAction::Delete];
        let ((percent, from), (other_percent, other_from)) = (self.approval(), other.approval());
        let smaller = |a: u32, b: u32| i32::try_from(a.min(b)).ok();
        Some(Policy {
            actions: Some(all.into_iter().filter(|action| self.allows(*action) && other.allows(*action)).collect()),
            drift: Some(self.drift().min(other.drift())),
            approval: Some(ApprovalShare { percent: smaller(percent, other_percent), from: smaller(from, other_from) }),
        })
    }

    /// What happens to drift.
    pub fn drift(&self) -> Drift {
        self.policy.as_ref().and_then(|p| p.drift).unwrap_or(Drift::Detect)
    }

    /// The share of changes that needs approval: percent, and from how many live objects on.
    pub fn approval(&self) -> (u32, u32) {
        let share = self.policy.as_ref().and_then(|p| p.approval).unwrap_or_default();
        let or = |value: Option<i32>, default: u32| value.map_or(default, |v| u32::try_from(v).unwrap_or(0));
        (or(share.percent, 30), or(share.from, 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_policies_the_stricter_holds_whichever_is_asked() {
        let policy = |actions: &[AllowedAction], drift, percent, from| TenantSpec {
            policy: Some(Policy {
                actions: Some(actions.to_vec()),
                drift: Some(drift),
                approval: Some(ApprovalShare { percent: Some(percent), from: Some(from) }),
            }),
            ..TenantSpec::default()
        };
        let a = policy(&[AllowedAction::Create, AllowedAction::Delete], Drift::Correct, 10, 50);
        let b = policy(&[AllowedAction::Update, AllowedAction::Delete], Drift::Ignore, 90, 2);
        let strict = a.stricter_policy(&b);
        assert_eq!(strict, b.stricter_policy(&a));
        assert_eq!(strict, policy(&[AllowedAction::Delete], Drift::Ignore, 10, 2).policy);
        // What is absent is read as its value.
        let plain = TenantSpec::default();
        assert_eq!(plain.stricter_policy(&plain), None);
        let with = TenantSpec { policy: a.stricter_policy(&plain), ..TenantSpec::default() };
        assert_eq!((with.allows(AllowedAction::Create), with.allows(AllowedAction::Delete)), (true, false));
        assert_eq!((with.drift(), with.approval()), (Drift::Detect, (10, 10)));
    }
}
