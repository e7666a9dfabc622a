//! TenantSync: copies integrations from a source tenant to targets, bound there by stable key.

use super::{Condition, DeletionPolicy, SecretRef, True, names, rules, sensitive};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Copies the integrations of a source tenant and, if configured, their connection definitions to other tenants. It
/// refers only to Tenants in its own namespace, and takes effect in a target only if the target's `acceptFrom` lists
/// the source.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[kube(
    group = "stablekey.dev",
    version = "v1alpha1",
    kind = "TenantSync",
    plural = "tenantsyncs",
    namespaced,
    status = "TenantSyncStatus",
    shortname = "tsync",
    category = "stablekey",
    printcolumn(name = "From", type_ = "string", json_path = ".spec.from"),
    printcolumn(name = "To", type_ = "string", json_path = ".status.to"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".status.mode"),
    printcolumn(name = "In Sync", type_ = "string", json_path = ".status.conditions[?(@.type=='InSync')].status"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.to) != has(self.stages)").message(rules::SYNC_TARGETS),
    validation = Rule::new("!has(self.to) || !self.to.exists(t, t == self.from)").message(rules::SYNC_TO_ITSELF).field_path(".to"),
    validation = Rule::new("!has(self.stages) || !self.stages.exists(s, s.to.exists(t, t == self.from))").message(rules::STAGE_TO_ITSELF).field_path(".stages"),
)]
pub struct TenantSyncSpec {
    /// The source tenant.
    #[schemars(length(min = 1, max = 253))]
    pub from: String,
    /// The target tenants, each once. Either `to` or `stages` is required.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 253)))]
    #[x_kube(validation = Rule::new("self.all(x, self.exists_one(y, y == x))").message(rules::SYNC_TWICE))]
    pub to: Vec<String>,
    /// The target tenants in stages, instead of `to`: at most 32 in all, each in one stage. A stage waits until every
    /// target of the stages before it has the release (what the sync carries now), and the sync's integrations are
    /// Ready there with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(
        validation = Rule::new("self.map(s, size(s.to)).sum() <= 32").message(rules::STAGES_TARGETS),
        validation = Rule::new("self.all(s, s.to.all(t, self.filter(r, t in r.to).size() == 1))").message(rules::STAGES_TWICE),
    )]
    pub stages: Vec<Stage>,
    /// The integrations to copy, by metadata.name; `*` matches any run of characters.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 253)))]
    pub integrations: Vec<String>,
    /// What happens to the connections that the integrations use. Match: none is written. Create: those that the target
    /// lacks are created and then belong to the target. Mirror: they are kept the same, except for values that the
    /// target keeps. Absent is read as Match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<ConnectionMode>,
    /// Whether objects that the sync no longer declares are removed from the target. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<bool>,
    /// Whether nothing is written for the sync. It remains a writer: what it wrote does not count as no longer
    /// declared. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// Whether a different version of a component in a definition is ignored. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_component_versions: Option<bool>,
    /// Whether `prune` may also delete a connection that the sync created and that has no deletionPolicy of its own in
    /// the target. Absent is read as Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_deletion: Option<DeletionPolicy>,
    /// The mode of the operator: Plan waits for approval, Apply does not. Absent is read as Plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SyncMode>,
    /// Differences in single tenants, each with a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub overrides: Vec<Override>,
}

/// A stage of a sync: the targets that get a release together.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// The target tenants of the stage, each once.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 253)))]
    #[x_kube(validation = Rule::new("self.all(x, self.exists_one(y, y == x))").message(rules::STAGE_TWICE))]
    pub to: Vec<String>,
}

/// What a sync does with the connections that its integrations use. Match: none is written. Create: those that the
/// target lacks are created and then belong to the target. Mirror: they are kept the same, except for values that the
/// target keeps. Absent is read as Match.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionMode {
    /// None is written.
    Match,
    /// Those that the target lacks are created and then belong to the target.
    Create,
    /// They are kept the same, except for values that the target keeps.
    Mirror,
}

/// Whether the operator waits for approval. Plan: it waits for every change. Apply: it waits only for actions that need
/// approval. Absent is read as Plan.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// It waits for every change.
    Plan,
    /// It waits only for actions that need approval.
    Apply,
}

/// The fields of a connection of which an override gives a value.
pub const FIELDS_WITH_VALUE: [&str; 3] = ["title", "description", "embeddedWorkflows"];

/// A difference in one tenant: a value or secretRef of an input, or the value of a field, of a connection (stableKey
/// with input or field); another stable key for a variable (integration, variable, stableKey); or a field that the sync
/// leaves unchanged (object, field, keep: true).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(rules::cel_override_shape()).message(rules::OVERRIDE_SHAPE),
    validation = Rule::new(format!("!has(self.input) || !has(self.value) || !{}", sensitive::cel_is_sensitive("self.input"))).message(rules::SECRET_LITERAL).field_path(".value"),
    validation = Rule::new(format!("!has(self.input) || !has(self.value) || !{}", sensitive::cel_is_secret_itself("self.value"))).message(rules::SECRET_VALUE).field_path(".value"),
    validation = Rule::new(format!("has(self.input) || !has(self.value) || !{}", sensitive::cel_is_secret_itself("self.value"))).message(rules::SECRET_TEXT).field_path(".value"),
    validation = Rule::new("!has(self.field) || has(self.object) || self.field in ['title', 'description', 'embeddedWorkflows']").message(rules::OVERRIDE_FIELD).field_path(".field"),
    validation = Rule::new("!has(self.field) || !has(self.value) || self.field != 'embeddedWorkflows' || self.value in ['true', 'false']").message(rules::OVERRIDE_EMBEDDED).field_path(".value"),
    validation = Rule::new("!has(self.field) || !has(self.value) || self.field != 'title' || size(self.value) <= 253").message(rules::OVERRIDE_TITLE).field_path(".value"),
)]
pub struct Override {
    /// The target that the override applies to.
    #[schemars(length(min = 1, max = 253))]
    pub tenant: String,
    /// The connection that differs, or the one that the variable is bound to in the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = names::STABLE_KEY), length(max = 63))]
    pub stable_key: Option<String>,
    /// The input that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub input: Option<String>,
    /// The value of the input or field in the target. Never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub value: Option<String>,
    /// The key of a Secret that the input refers to in the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// The field that differs: title, description or embeddedWorkflows of the connection. With `object`, the field that
    /// the sync leaves unchanged, as a path below spec: `definition`, `inputs.scopes`, `connections.Salesforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 516))]
    pub field: Option<String>,
    /// The integration whose variable differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub integration: Option<String>,
    /// The variable that is bound to another connection in the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub variable: Option<String>,
    /// The object whose field is left unchanged: `Connection/salesforce-oauth` or `Integration/lead-router`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(Connection|Integration)/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"), length(max = 265))]
    pub object: Option<String>,
    /// Leaves the field unchanged in the target: the sync neither writes nor compares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<True>,
    /// The reason, for later readers.
    #[schemars(length(min = 1, max = 8192))]
    pub reason: String,
}

/// The item that an override changes in its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overridden<'a> {
    /// An input of the connection with a stable key.
    Input {
        /// The stable key of the connection.
        stable_key: &'a str,
        /// The name of the input.
        input: &'a str,
    },
    /// A field of the connection with a stable key.
    Field {
        /// The stable key of the connection.
        stable_key: &'a str,
        /// `title`, `description` or `embeddedWorkflows`.
        field: &'a str,
    },
    /// A variable of an integration.
    Variable {
        /// The name of the integration.
        integration: &'a str,
        /// The name of the variable.
        variable: &'a str,
    },
    /// A field that the sync leaves unchanged.
    Kept {
        /// `Kind/name`.
        object: &'a str,
        /// The path below spec.
        field: &'a str,
    },
}

impl Override {
    /// The item that the override changes; `None` for an invalid shape.
    pub fn changes(&self) -> Option<Overridden<'_>> {
        match (&self.stable_key, &self.input, &self.field, &self.integration, &self.variable, &self.object) {
            (Some(stable_key), Some(input), None, None, None, None) => Some(Overridden::Input { stable_key, input }),
            (Some(stable_key), None, Some(field), None, None, None) => Some(Overridden::Field { stable_key, field }),
            (Some(_), None, None, Some(integration), Some(variable), None) => {
                Some(Overridden::Variable { integration, variable })
            }
            (None, None, Some(field), None, None, Some(object)) => Some(Overridden::Kept { object, field }),
            _ => None,
        }
    }
}

impl std::fmt::Display for Overridden<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Overridden::Input { stable_key, input } => write!(f, "input {input} of {stable_key}"),
            Overridden::Field { stable_key, field } => write!(f, "{field} of {stable_key}"),
            Overridden::Variable { integration, variable } => write!(f, "variable {variable:?} of {integration}"),
            Overridden::Kept { object, field } => write!(f, "{field} of {object}"),
        }
    }
}

/// The observed state of a sync.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TenantSyncStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The targets, comma-separated; the targets of a later stage after `then`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8300))]
    pub to: Option<String>,
    /// The effective mode: Plan if none is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SyncMode>,
    /// Ready, InSync and the conditions that explain them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The last value of the annotation that requested a reconciliation, after that reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub last_handled_reconcile_at: Option<String>,
    /// The state of each target, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tenant".into()]))]
    pub targets: Vec<TargetStatus>,
    /// Approvals from the annotation `stablekey.dev/approve` that were begun. Each is used once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tenant".into(), "digest".into()]))]
    pub approvals: Vec<ApprovalStatus>,
    /// The last changes that the sync carried out, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub receipts: Vec<SyncReceipt>,
    /// The release that is on its way through the stages, or was the last one; absent without stages. An edit from
    /// stages to `to` leaves it until it is through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseStatus>,
}

/// A release on its way through the stages of a sync.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// The digest of what the sync carries, before overrides.
    #[schemars(length(min = 1, max = 253))]
    pub digest: String,
    /// When it began (RFC 3339).
    #[schemars(length(max = 253))]
    pub began: String,
    /// The stages that hold for it, which are those when it began. An edit of the spec's stages, or from stages to `to`, counts
    /// from the next release on, or once this one is through, or when a reconciliation is requested.
    #[schemars(length(min = 1, max = 8))]
    pub stages: Vec<Stage>,
    /// The stage that it is in, counted from 1; absent once every target has a receipt for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<i64>,
    /// The targets of its stages that have a receipt for it since it began, sorted; also one that was taken out of the
    /// sync meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub received_by: Vec<String>,
}

/// A change that a sync carried out in a target.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SyncReceipt {
    /// The name of the target.
    #[schemars(length(min = 1, max = 253))]
    pub tenant: String,
    /// When it was verified (RFC 3339).
    #[schemars(length(max = 253))]
    pub at: String,
    /// The digest of the actions.
    #[schemars(length(max = 253))]
    pub digest: String,
    /// The actions that were carried out.
    pub counts: ReceiptCounts,
    /// The state of the sync in the target afterwards: InSync, or what is left.
    #[schemars(length(max = 253))]
    pub result: String,
    /// With stages, the release that the target has with it; absent if anything is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub release: Option<String>,
}

/// The number of actions that were carried out, by kind.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct ReceiptCounts {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub create: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub update: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub adopt: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delete: i64,
}

fn is_zero(count: &i64) -> bool {
    *count == 0
}

/// How many receipts a status has.
pub const RECEIPTS: usize = 16;

/// An approval of which the operator began to carry out actions.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalStatus {
    /// The target of the approval.
    #[schemars(length(min = 1, max = 253))]
    pub tenant: String,
    /// The approved digest.
    #[schemars(length(min = 1, max = 253))]
    pub digest: String,
    /// The actions that are not carried out yet: the first 16 bytes of each action's digest, in base64. Absent: none is
    /// left, and the approval is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000000))]
    pub left: Option<String>,
}

/// The observed state of a sync in one target.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// The name of the target.
    #[schemars(length(min = 1, max = 253))]
    pub tenant: String,
    /// The state: InSync, Suspended, AwaitingStage, Applying, AwaitingApproval, Drifted, Blocked, Failed, Unreachable,
    /// NotAccepted or Invalid.
    #[schemars(length(max = 253))]
    pub state: String,
    /// The stage of the target, counted from 1; absent without stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<i64>,
    /// The release that the target has a receipt for: nothing of it was left when it was planned again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub release: Option<String>,
    /// The reason, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub message: Option<String>,
    /// The digest of the pending actions, to be set in `stablekey.dev/approve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub digest: Option<String>,
    /// The number of pending actions, and of obstacles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<TargetCounts>,
    /// The location of the complete plan that waits for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_plan: Option<WaitingPlanStatus>,
    /// The first pending actions, those that wait for an earlier stage included; `stablekey plan` shows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub actions: Vec<String>,
    /// The first blocked changes, each with its check and the obstacle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub blocked: Vec<String>,
    /// The first fields that the target keeps, each with their owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub kept: Vec<String>,
    /// The first fields that others changed after Stablekey wrote them, and that are left unchanged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub drifted: Vec<String>,
    /// The first manual steps: supply a Secret, give a consent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub manual: Vec<String>,
    /// The first warnings about probable mistakes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub warnings: Vec<String>,
    /// Updates and deletes since the target was last in sync for ten minutes, or a change was approved: the basis of
    /// the share that needs approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<i64>,
    /// The number of objects at the beginning of that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<i64>,
    /// The receipt of the last change that was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptStatus>,
}

/// The plan that waits for approval, stored in the hub.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WaitingPlanStatus {
    /// The name of the ConfigMap in this namespace, key `plan.json.gz`.
    #[schemars(length(min = 1, max = 253))]
    pub config_map: String,
    /// The digest of the stored bytes. Other content is not shown.
    #[schemars(length(min = 1, max = 253))]
    pub digest: String,
}

/// The numbers of pending actions and obstacles of a sync in a target.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct TargetCounts {
    pub create: i64,
    pub update: i64,
    pub adopt: i64,
    pub delete: i64,
    pub needs_approval: i64,
    pub blocked: i64,
    pub kept: i64,
    pub drift: i64,
    pub manual: i64,
    /// The actions that wait because the sync or the target is suspended. Those of a suspended sync are in no other
    /// count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub suspended: i64,
    /// The actions that wait for an earlier stage. They are in no other count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub awaiting_stage: i64,
}

/// The receipt of a change that was carried out.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptStatus {
    /// The time of the change (RFC 3339).
    #[schemars(length(max = 253))]
    pub at: String,
    /// The digest of the actions.
    #[schemars(length(max = 253))]
    pub plan: String,
    /// The digest of the desired state.
    #[schemars(length(max = 253))]
    pub declared: String,
    /// The digest of the live state.
    #[schemars(length(max = 253))]
    pub live: String,
}

impl TenantSyncSpec {
    /// All targets, in the order of the stages.
    pub fn targets(&self) -> impl Iterator<Item = &String> + Clone {
        self.to.iter().chain(self.stages.iter().flat_map(|stage| &stage.to))
    }

    /// Whether a tenant is a target.
    pub fn goes_to(&self, tenant: &str) -> bool {
        self.targets().any(|target| target == tenant)
    }

    /// Takes a target out.
    pub fn drop_target(&mut self, tenant: &str) {
        self.to.retain(|to| to != tenant);
        self.stages.iter_mut().for_each(|stage| stage.to.retain(|to| to != tenant));
        self.stages.retain(|stage| !stage.to.is_empty());
    }

    /// The targets in words: `dev-2, then us-prod, eu-prod`.
    pub fn targets_in_words(&self) -> String {
        let stages = self.stages.iter().map(|stage| &stage.to);
        let stages = Some(&self.to).filter(|to| !to.is_empty()).into_iter().chain(stages);
        stages.map(|to| to.join(", ")).collect::<Vec<_>>().join(", then ")
    }

    /// Where a target stands: the list that names it, as a path below spec.
    pub fn path_of(&self, target: &str) -> Vec<String> {
        let of_stage = self.stages.iter().position(|stage| stage.to.iter().any(|to| to == target));
        match of_stage {
            Some(stage) => ["stages", &stage.to_string(), "to"].map(str::to_string).to_vec(),
            None => vec!["to".to_string()],
        }
    }

    /// The effective mode for connections.
    pub fn connection_mode(&self) -> ConnectionMode {
        self.connections.unwrap_or(ConnectionMode::Match)
    }

    /// Whether objects that the sync no longer declares are removed.
    pub fn prunes(&self) -> bool {
        self.prune.unwrap_or(false)
    }

    /// Whether a different version of a component is ignored.
    pub fn ignores_component_versions(&self) -> bool {
        self.ignore_component_versions.unwrap_or(false)
    }

    /// Whether nothing is written for the sync.
    pub fn is_suspended(&self) -> bool {
        self.suspend.unwrap_or(false)
    }

    /// Whether the sync may delete a connection that it created and that has no deletionPolicy.
    pub fn deletes_connections(&self) -> bool {
        self.connection_deletion == Some(DeletionPolicy::Delete)
    }

    /// Whether the sync carries the integration of this name.
    pub fn selects(&self, integration: &str) -> bool {
        self.integrations.iter().any(|pattern| matches(pattern, integration))
    }
}

/// Whether `pattern` matches the whole text; `*` matches any run of characters.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or("");
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_matches_any_run() {
        for (pattern, text) in
            [("lead-*", "lead-router"), ("*", ""), ("*-eu", "lead-eu"), ("a*b*c", "axxbyybc"), ("a", "a"), ("a**", "a")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("lead-*", "lead"), ("a*a", "a"), ("a", "ab"), ("a*b*c", "acb"), ("", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
