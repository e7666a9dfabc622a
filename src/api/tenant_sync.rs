//! TenantSync: makes a target's integrations those of a source tenant, bound there by stable key.

use super::{Condition, DeletionPolicy, SecretKeyRef, True, names, rules, sensitive};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Makes the integrations of other tenants, and, if asked, their connection definitions, those of a
/// source tenant. It names only Tenants of its own namespace, and a target takes it only where its
/// `acceptFrom` names the source.
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
#[x_kube(validation = Rule::new("!self.to.exists(t, t == self.from)").message(rules::SYNC_TO_ITSELF).field_path(".to"))]
pub struct TenantSyncSpec {
    /// The tenant that is copied.
    #[schemars(length(min = 1, max = 253))]
    pub from: String,
    /// The tenants that it is copied to, each once.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 253)))]
    #[x_kube(validation = Rule::new("self.all(x, self.exists_one(y, y == x))").message(rules::SYNC_TWICE))]
    pub to: Vec<String>,
    /// Which integrations, by metadata.name; `*` matches any run of characters.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 253)))]
    pub integrations: Vec<String>,
    /// What happens to the connections that they use: Match writes none, Create writes those that
    /// the target lacks (theirs from then on), Mirror keeps them the same but for what the target
    /// holds. Absent is read as Match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<ConnectionMode>,
    /// Whether what is no longer declared is removed from the target. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<bool>,
    /// Whether nothing is written for it. It stays a writer: nothing that it wrote counts as no longer
    /// declared. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// Whether another version of a component in a definition is no difference. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_component_versions: Option<bool>,
    /// Whether `prune` may also delete a connection that the sync made and that has no deletionPolicy of its
    /// own in the target. Absent is read as Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_deletion: Option<DeletionPolicy>,
    /// For the operator: Plan waits for approval, Apply does not. Absent is read as Plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SyncMode>,
    /// What is different in one tenant, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub overrides: Vec<Override>,
}

/// What a sync does with the connections that its integrations use. Match: it writes none. Create: it writes those that
/// the target lacks, which are the target's from then on. Mirror: it keeps them the same, but for what the target keeps.
/// Absent is read as Match.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionMode {
    /// Writes none.
    Match,
    /// Writes those that the target lacks; theirs from then on.
    Create,
    /// Keeps them the same, but for what the target holds.
    Mirror,
}

/// Whether the operator waits for approval. Plan: it waits. Apply: it waits only for what needs approval. Absent is
/// read as Plan.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// It waits.
    Plan,
    /// It does not.
    Apply,
}

/// What is different in one tenant: an input's value or secretRef, or the value of a field, of a connection
/// (stableKey with input or field); another stable key for a variable (integration, variable, stableKey); or
/// a field that the sync leaves alone there (object, field, keep: true).
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
    /// The target that it holds for.
    #[schemars(length(min = 1, max = 253))]
    pub tenant: String,
    /// The connection that differs, or the one that the variable means there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = names::STABLE_KEY), length(max = 63))]
    pub stable_key: Option<String>,
    /// The input that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub input: Option<String>,
    /// Its value there, or that of the field. Never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub value: Option<String>,
    /// The key of a Secret that the input has there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
    /// The field that differs: title, description or embeddedWorkflows of the connection; with `object`, the
    /// field that is left alone, as it is written below spec: `definition`, `inputs.scopes`,
    /// `connections.Salesforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 516))]
    pub field: Option<String>,
    /// The integration whose variable differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub integration: Option<String>,
    /// The variable that means another connection there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub variable: Option<String>,
    /// The object of which a field is left alone: `Connection/salesforce-oauth` or `Integration/lead-router`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(Connection|Integration)/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"), length(max = 265))]
    pub object: Option<String>,
    /// The sync leaves the field alone there: it neither writes nor compares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<True>,
    /// Why: for those who come after.
    #[schemars(length(min = 1, max = 8192))]
    pub reason: String,
}

/// What an override changes in its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overridden<'a> {
    /// An input of the connection with a stable key.
    Input {
        /// The key.
        stable_key: &'a str,
        /// The input.
        input: &'a str,
    },
    /// A field of the connection with a stable key.
    Field {
        /// The key.
        stable_key: &'a str,
        /// `title`, `description` or `embeddedWorkflows`.
        field: &'a str,
    },
    /// A variable of an integration.
    Variable {
        /// The integration.
        integration: &'a str,
        /// Its variable.
        variable: &'a str,
    },
    /// A field that is left alone.
    Kept {
        /// `Kind/name`.
        object: &'a str,
        /// As it is written below spec.
        field: &'a str,
    },
}

impl Override {
    /// What it changes; `None` where it has none of the shapes.
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

/// What the operator found.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TenantSyncStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The targets, as one text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub to: Option<String>,
    /// The mode as it is read: Plan where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SyncMode>,
    /// Ready, InSync and their reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The value of the annotation that asked for a reconciliation last, once that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub last_handled_reconcile_at: Option<String>,
    /// How it stands in each target, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tenant".into()]))]
    pub targets: Vec<TargetStatus>,
    /// What was approved and begun, while it stands in the annotation `stablekey.dev/approve`: it is used once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tenant".into(), "digest".into()]))]
    pub approvals: Vec<ApprovalStatus>,
}

/// An approval that was begun.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalStatus {
    /// The target.
    #[schemars(length(min = 1, max = 253))]
    pub tenant: String,
    /// The digest that was approved.
    #[schemars(length(min = 1, max = 253))]
    pub digest: String,
    /// What of it is not carried out yet: the first 16 bytes of each action's digest, in base64. Absent: nothing;
    /// the approval is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000000))]
    pub left: Option<String>,
}

/// How a sync stands in one target.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// The target.
    #[schemars(length(min = 1, max = 253))]
    pub tenant: String,
    /// One word: InSync, Suspended, Applying, AwaitingApproval, Drifted, Blocked, Failed, Unreachable, NotAccepted, Invalid.
    #[schemars(length(max = 253))]
    pub state: String,
    /// Why, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub message: Option<String>,
    /// The digest of what is to be done: what `stablekey.dev/approve` takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub digest: Option<String>,
    /// How much there is to do, and what is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<TargetCounts>,
    /// Where what is to be approved is kept whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_plan: Option<WaitingPlanStatus>,
    /// The first actions; `stablekey plan` shows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub actions: Vec<String>,
    /// The first that are blocked, each with its check and what is in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub blocked: Vec<String>,
    /// The first fields that are the target's own, each with who holds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub kept: Vec<String>,
    /// The first fields that others changed since they were written, and that are left so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub drifted: Vec<String>,
    /// The first things that people must do: supply a Secret, give a consent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub manual: Vec<String>,
    /// The first things that are probably not meant so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub warnings: Vec<String>,
    /// Updates and deletes since the target was last settled or a change was approved: what the share that
    /// needs approval is measured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<i64>,
    /// How many objects there were when that count began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<i64>,
    /// The proof of what was carried out last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptStatus>,
}

/// The plan that waits for approval, as the hub keeps it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WaitingPlanStatus {
    /// The ConfigMap of this namespace, key `plan.json.gz`.
    #[schemars(length(min = 1, max = 253))]
    pub config_map: String,
    /// Over its bytes: another content is not shown.
    #[schemars(length(min = 1, max = 253))]
    pub digest: String,
}

/// How much there is to do in a target for a sync.
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
}

/// The proof that something was carried out.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptStatus {
    /// When (RFC 3339).
    #[schemars(length(max = 253))]
    pub at: String,
    /// Over the actions that were done.
    #[schemars(length(max = 253))]
    pub plan: String,
    /// Over what is declared.
    #[schemars(length(max = 253))]
    pub declared: String,
    /// Over what is live.
    #[schemars(length(max = 253))]
    pub live: String,
}

impl TenantSyncSpec {
    /// What happens to connections.
    pub fn connection_mode(&self) -> ConnectionMode {
        self.connections.unwrap_or(ConnectionMode::Match)
    }

    /// Whether what is no longer declared is removed.
    pub fn prunes(&self) -> bool {
        self.prune.unwrap_or(false)
    }

    /// Whether another version of a component is no difference.
    pub fn ignores_component_versions(&self) -> bool {
        self.ignore_component_versions.unwrap_or(false)
    }

    /// Whether nothing is written for it.
    pub fn is_suspended(&self) -> bool {
        self.suspend.unwrap_or(false)
    }

    /// Whether a connection that it made, and that has no deletionPolicy, may be deleted by it.
    pub fn deletes_connections(&self) -> bool {
        self.connection_deletion == Some(DeletionPolicy::Delete)
    }

    /// Whether the sync carries the integration of this name.
    pub fn selects(&self, integration: &str) -> bool {
        self.integrations.iter().any(|pattern| matches(pattern, integration))
    }
}

/// Whether `pattern` matches the whole of `text`; `*` matches any run of characters.
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
