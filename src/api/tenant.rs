//! Tenant: one organization of the platform on one stack.

use super::union::exactly_one;
use super::{ApprovalStatus, Condition, SecretKeyRef, TargetStatus, True, names, rules};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One organization of the platform on one stack: us-prod, eu-prod, dev.
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
    /// The region of the stack: us, eu.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub region: Option<String>,
    /// The purpose of the tenant: dev, staging, prod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub environment: Option<String>,
    /// The location of its resources. Required in files; in a cluster, absent means this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationSpec>,
    /// The manifests that declare the tenant, in addition to syncs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Whether Stablekey writes nothing to the tenant, but still reads, plans and reports it. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// The tenants whose syncs the tenant accepts. Absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub accept_from: Vec<String>,
    /// The actions that Stablekey may take in the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
}

exactly_one! {
    /// The location of a tenant's resources: exactly one of directory, kubernetes, prismatic.
    pub enum LocationSpec as raw_location (
        "[has(self.directory), has(self.kubernetes), has(self.prismatic)].filter(x, x).size() == 1",
        "a location is exactly one of directory, kubernetes, prismatic"
    ) {
        /// A folder of YAML.
        Directory(directory: DirectoryLocation),
        /// A namespace of a cluster.
        Kubernetes(kubernetes: KubernetesLocation),
        /// An organization on the integration platform itself.
        Prismatic(prismatic: PrismaticLocation),
    }
}

/// A folder of YAML.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryLocation {
    /// The path below the root given to the command; no symlink may lead out of the root.
    #[schemars(length(min = 1, max = 253))]
    pub path: String,
}

/// A namespace of a cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesLocation {
    /// The name of the namespace.
    #[schemars(regex(pattern = names::NAMESPACE), length(min = 1, max = 63))]
    pub namespace: String,
    /// The kubeconfig for the cluster. Absent: the in-cluster account, or the current context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<Kubeconfig>,
}

exactly_one! {
    /// How to connect to a cluster: exactly one of context, secretRef.
    pub enum Kubeconfig as raw_kubeconfig ("has(self.context) != has(self.secretRef)", "a kubeconfig is exactly one of context, secretRef") {
        /// A context of the usual kubeconfig files: for the command line.
        Context(context: String, #[schemars(length(min = 1, max = 253))]),
        /// A key of a Secret that holds a kubeconfig: for the operator.
        SecretRef(secret_ref: SecretKeyRef),
    }
}

/// An organization on the integration platform.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PrismaticLocation {
    /// The stack, as an origin: `https://app.prismatic.io`.
    #[schemars(regex(pattern = names::ORIGIN), length(min = 1, max = 253))]
    pub url: String,
    /// The id of the organization, for users who have several on one stack. Absent: the only one, or the one that the
    /// platform chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub tenant_id: Option<String>,
    /// The source of the token. Absent: as prism does, PRISM_REFRESH_TOKEN or PRISM_ACCESS_TOKEN, else its default
    /// profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_from: Option<TokenFrom>,
    /// The source of the content of secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SecretsFrom>,
    /// Whether an imported integration is published too. Absent is read as false: it stays a draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<bool>,
}

exactly_one! {
    /// The source of a token of the platform: exactly one of profile, env, secretRef. A token is sent only to the hosts
    /// that whoever holds it names.
    pub enum TokenFrom as raw_token_from (
        "[has(self.profile), has(self.env), has(self.secretRef)].filter(x, x).size() == 1",
        "a token comes from exactly one of profile, env, secretRef"
    ) {
        /// A profile of prism's own configuration, which names its stack.
        Profile(profile: String, #[schemars(length(min = 1, max = 253))]),
        /// An environment variable whose name begins with STABLEKEY_TOKEN_.
        Env(env: String, #[schemars(regex(pattern = names::TOKEN_VARIABLE), length(min = 1, max = 253))]),
        /// A key of a Secret that names its hosts in the annotation stablekey.dev/hosts: for the operator.
        SecretRef(secret_ref: SecretKeyRef),
    }
}

exactly_one! {
    /// The source of the content of secrets: exactly one of directory, env, namespace.
    pub enum SecretsFrom as raw_secrets_from (
        "[has(self.directory), has(self.env), has(self.namespace)].filter(x, x).size() == 1",
        "secrets come from exactly one of directory, env: true, namespace"
    ) {
        /// A folder with a file per secret, `<secret name>/<key>`: absolute, or relative to the root.
        Directory(directory: String, #[schemars(length(min = 1, max = 253))]),
        /// The environment variables STABLEKEY_SECRET_<TENANT>__<NAME>__<KEY>.
        Env(env: True),
        /// A namespace with Secrets that opt in: for the operator.
        Namespace(namespace: String, #[schemars(regex(pattern = names::NAMESPACE), length(min = 1, max = 63))]),
    }
}

/// Manifests that declare a tenant: exactly one of path, git.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.path) != has(self.git)").message(rules::SOURCE))]
pub struct Source {
    /// The path below the root given to the command; no symlink may lead out of the root. For the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub path: Option<String>,
    /// A repository of Git. For the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Box<GitSource>>,
    /// Whether objects that the source no longer declares are removed. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<bool>,
}

/// A folder of a repository on a Git server, at a branch, a tag or a commit: exactly one of the three.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.branch), has(self.tag), has(self.commit)].filter(x, x).size() == 1").message(rules::GIT_REFERENCE))]
pub struct GitSource {
    /// The address of the repository, as `git clone` takes it: `https://host/path`, without a user name or password.
    /// The operator reads only from the hosts of its option `--git-host`.
    #[schemars(regex(pattern = names::GIT_URL), length(min = 1, max = 1024))]
    pub url: String,
    /// The branch, without `refs/heads/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub branch: Option<String>,
    /// The tag, without `refs/tags/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub tag: Option<String>,
    /// The full name of the commit: 40 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = names::COMMIT), length(min = 40, max = 40))]
    pub commit: Option<String>,
    /// The folder with the manifests, below the root of the repository. Absent: the whole repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub path: Option<String>,
    /// How often the server is asked for a new commit: a number with the unit s, m or h. Absent is read as 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = names::INTERVAL), length(min = 2, max = 8))]
    pub interval: Option<String>,
    /// The Secret with the credentials, in the namespace of the Tenant. Absent: none are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<GitSecretRef>,
}

/// A Secret for a Git server. It has either `username` and `password`, or `bearerToken`; the annotation
/// stablekey.dev/hosts names the hosts that they are sent to. `ca.crt` may have the certificates of the authorities that
/// are trusted there, instead of those that the system trusts.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct GitSecretRef {
    /// The Secret's name.
    #[schemars(regex(pattern = names::OBJECT_NAME), length(min = 1, max = 253))]
    pub name: String,
}

/// The actions that Stablekey may take in a tenant. The policy governs only Stablekey, not other writers.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The allowed actions. Create: create objects. Update: change existing objects. Delete: remove objects. Absent is
    /// read as Create and Update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 3))]
    pub actions: Option<Vec<AllowedAction>>,
    /// What happens to live values that differ from what Stablekey wrote. Absent is read as Detect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// The share of changes that needs approval. Absent is read as 30 percent of 10 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalShare>,
}

/// An action that a tenant allows.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AllowedAction {
    /// Create objects.
    Create,
    /// Change existing objects.
    Update,
    /// Remove objects.
    Delete,
}

/// What happens to live values that differ from what Stablekey wrote. Ignore: they are neither reported nor changed.
/// Detect: they are reported. Correct: they are reported and set to the desired value. Absent is read as Detect.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drift {
    /// They are neither reported nor changed.
    Ignore,
    /// They are reported.
    Detect,
    /// They are reported and set to the desired value.
    Correct,
}

/// The share of changes from which approval is needed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalShare {
    /// Updates and deletes, in percent of the live objects. Absent is read as 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    #[x_kube(validation = Rule::new("self >= 0 && self <= 100").message(rules::PERCENT))]
    pub percent: Option<i32>,
    /// The minimum number of live objects for the rule to apply. Absent is read as 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub from: Option<i32>,
}

/// The observed state of a tenant.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready and the conditions that explain it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The last request to reconcile that was answered: the annotation `stablekey.dev/requestedAt`, or Flux's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub last_handled_reconcile_at: Option<String>,
    /// The state of the source in Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceStatus>,
    /// The approvals of what the source declares that the operator began to carry out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tenant".into(), "digest".into()]))]
    pub approvals: Vec<ApprovalStatus>,
}

/// The observed state of a tenant's source in Git.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// The commit that was read last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub seen: Option<String>,
    /// The commit that was applied last: nothing of it was left when it was planned again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub applied: Option<String>,
    /// What is left to do in the tenant for it to be as the source declares, and the receipt of the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetStatus>,
}

/// The environments that are production, whatever their case.
pub const PRODUCTION: [&str; 2] = ["prod", "production"];

impl TenantSpec {
    /// Whether manifests of the tenant are in files, where a command can edit them: its folder, or its source.
    pub fn has_manifests(&self) -> bool {
        self.source_path().is_some() || matches!(self.location, Some(LocationSpec::Directory(_)))
    }

    /// The folders of its manifests: its location, if that is a folder, and its source.
    pub fn folders(&self) -> Vec<String> {
        let location = match &self.location {
            Some(LocationSpec::Directory(directory)) => Some(directory.path.clone()),
            _ => None,
        };
        location.into_iter().chain(self.source_path().map(str::to_string)).collect()
    }

    /// The folder of files that declares the tenant.
    pub fn source_path(&self) -> Option<&str> {
        self.source.as_ref()?.path.as_deref()
    }

    /// The repository of Git that declares the tenant.
    pub fn git(&self) -> Option<&GitSource> {
        self.source.as_ref()?.git.as_deref()
    }

    /// Whether the tenant serves customers, as its environment says; `None` if it says nothing.
    pub fn is_production(&self) -> Option<bool> {
        let environment = self.environment.as_deref().map(str::trim).filter(|text| !text.is_empty())?;
        Some(PRODUCTION.iter().any(|production| environment.eq_ignore_ascii_case(production)))
    }

    /// Whether Stablekey writes nothing to the tenant.
    pub fn is_suspended(&self) -> bool {
        self.suspend.unwrap_or(false)
    }

    /// Whether objects that the source no longer declares are removed.
    pub fn source_prunes(&self) -> bool {
        self.source.as_ref().and_then(|source| source.prune).unwrap_or(false)
    }

    /// Whether the policy allows an action.
    pub fn allows(&self, action: AllowedAction) -> bool {
        match self.policy.as_ref().and_then(|p| p.actions.as_ref()) {
            Some(actions) => actions.contains(&action),
            None => action != AllowedAction::Delete,
        }
    }

    /// Combines two policies so that the result allows no more than either: the common actions, the earlier of Ignore,
    /// Detect, Correct, and the smaller share.
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

    /// The share of changes that needs approval: percent, and the minimum number of live objects.
    pub fn approval(&self) -> (u32, u32) {
        let share = self.policy.as_ref().and_then(|p| p.approval).unwrap_or_default();
        let or = |value: Option<i32>, default: u32| value.map_or(default, |v| u32::try_from(v).unwrap_or(0));
        (or(share.percent, 30), or(share.from, 10))
    }
}

/// How often a Git server is asked, unless a source says otherwise.
const INTERVAL: Duration = Duration::from_secs(60);
/// The longest time between two questions.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

impl Source {
    /// The source in a folder of files.
    pub fn of_path(path: impl Into<String>) -> Self {
        Source { path: Some(path.into()), ..Source::default() }
    }
}

impl GitSource {
    /// How often the server is asked for a new commit.
    pub fn interval(&self) -> Duration {
        self.interval.as_deref().and_then(interval).unwrap_or(INTERVAL)
    }
}

/// Parses a number with the unit s, m or h; `None` if it is none of these, or zero.
fn interval(text: &str) -> Option<Duration> {
    let seconds = [("s", 1), ("m", 60), ("h", 3_600)];
    let (number, seconds) = seconds.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)))?;
    let seconds: u64 = number.parse::<u32>().ok().map(|number| u64::from(number) * seconds)?;
    (seconds > 0).then(|| Duration::from_secs(seconds).min(LONGEST_INTERVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_number_with_a_unit() {
        let of = |text: &str| GitSource { interval: Some(text.into()), ..GitSource::default() }.interval().as_secs();
        assert_eq!([of("5s"), of("2m"), of("1h"), of("99999h")], [5, 120, 3_600, 86_400]);
        assert_eq!(GitSource::default().interval(), INTERVAL);
        // The schema refuses these.
        assert_eq!([of("0s"), of("5"), of("s"), of("-1s"), of("1d")], [60; 5]);
    }

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
        // An absent field is read as its default.
        let plain = TenantSpec::default();
        assert_eq!(plain.stricter_policy(&plain), None);
        let with = TenantSpec { policy: a.stricter_policy(&plain), ..TenantSpec::default() };
        assert_eq!((with.allows(AllowedAction::Create), with.allows(AllowedAction::Delete)), (true, false));
        assert_eq!((with.drift(), with.approval()), (Drift::Detect, (10, 10)));
    }
}
