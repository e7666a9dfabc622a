//! TenantSync: makes a target's integrations those of a source tenant, bound there by stable key.

use super::{Condition, names, rules, sensitive};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Makes the integrations of other tenants, and, if asked, their connection definitions, those of a
/// source tenant. It names only Tenants of its own namespace, and a target takes it only where its
/// `acceptFrom` names the source.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
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
    printcolumn(name = "To", type_ = "string", json_path = ".spec.to"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "In Sync", type_ = "string", json_path = ".status.conditions[?(@.type=='InSync')].status"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!self.to.exists(t, t == self.from)").message(rules::SYNC_TO_ITSELF).field_path(".to"))]
pub struct TenantSyncSpec {
    /// The tenant that is copied.
    #[schemars(length(min = 1, max = 253))]
    pub from: String,
    /// The tenants that it is copied to.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 253)))]
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
    /// For the operator: Plan waits for approval, Apply does not. Absent is read as Plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SyncMode>,
    /// What is different in one tenant, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub overrides: Vec<Override>,
}

/// What a sync does with the connections that its integrations use.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionMode {
    /// Writes none.
    Match,
    /// Writes those that the target lacks; theirs from then on.
    Create,
    /// Keeps them the same, but for what the target holds.
    Mirror,
}

/// Whether the operator waits for approval.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// It waits.
    Plan,
    /// It does not.
    Apply,
}

/// What is different in one tenant: an input's value (stableKey, input, value), or another stable
/// key for a variable (integration, variable, stableKey).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.input) && has(self.value) && !has(self.integration) && !has(self.variable)) || (has(self.integration) && has(self.variable) && !has(self.input) && !has(self.value))").message(rules::OVERRIDE_SHAPE),
    validation = Rule::new(format!("!has(self.input) || !{}", sensitive::cel_is_sensitive("self.input"))).message(rules::SECRET_OVERRIDE).field_path(".value"),
)]
pub struct Override {
    /// The target that it holds for.
    #[schemars(length(min = 1, max = 253))]
    pub tenant: String,
    /// The connection whose input differs, or the one that the variable means there.
    #[schemars(regex(pattern = names::STABLE_KEY), length(max = 63))]
    pub stable_key: String,
    /// The input whose value differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub input: Option<String>,
    /// Its value there. Never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub value: Option<String>,
    /// The integration whose variable differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub integration: Option<String>,
    /// The variable that means another connection there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub variable: Option<String>,
    /// Why: for those who come after.
    #[schemars(length(min = 1, max = 8192))]
    pub reason: String,
}

/// What the operator found.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TenantSyncStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
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
}

/// How a sync stands in one target.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// The target.
    #[schemars(length(min = 1, max = 253))]
    pub tenant: String,
    /// One word: InSync, Applying, AwaitingApproval, Drifted, Blocked, Failed, Unreachable, NotAccepted, Invalid.
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
    /// The first actions; `stablekey plan` shows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub actions: Vec<String>,
    /// The first that are blocked, each with its check and what is in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 8192)))]
    pub blocked: Vec<String>,
    /// Updates and deletes since the target was last settled or a change was approved: what the share that
    /// needs approval is measured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<i64>,
    /// The proof of what was carried out last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptStatus>,
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
    pub held: i64,
    pub drift: i64,
    pub by_hand: i64,
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
