//! The labels of metrics. No label has a name that Prometheus adds itself (`job`, `instance`, `namespace`, `pod`,
//! `container`, `node`, `service`, `endpoint`, `cluster`).

use crate::controller::role::Role;
use crate::kubernetes::client::ApiRequest;
use http::Method;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcileOutcome {
    /// Everything is up to date: nothing was written.
    Unchanged,
    /// Something was written.
    Written,
    /// Something is blocked: the conditions say why.
    HeldBack,
    /// It failed and is retried.
    Failed,
}

impl ReconcileOutcome {
    /// Returns the name that metrics and logs use.
    pub const fn as_str(self) -> &'static str {
        match self {
            ReconcileOutcome::Unchanged => "unchanged",
            ReconcileOutcome::Written => "written",
            ReconcileOutcome::HeldBack => "held_back",
            ReconcileOutcome::Failed => "failed",
        }
    }
}

impl EncodeLabelValue for ReconcileOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        self.as_str().encode(encoder)
    }
}

/// The result of a poll of a source in Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GitPollOutcome {
    /// The commit that is known already.
    Unchanged,
    /// A new commit was fetched.
    Fetched,
    /// The server did not answer as it should, or what was fetched could not be stored.
    Failed,
}

impl EncodeLabelValue for GitPollOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        let name = match self {
            GitPollOutcome::Unchanged => "unchanged",
            GitPollOutcome::Fetched => "fetched",
            GitPollOutcome::Failed => "failed",
        };
        name.encode(encoder)
    }
}

/// What became of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotificationOutcome {
    /// The destination accepted it.
    Sent,
    /// The destination did not accept it now: it is sent again.
    Failed,
    /// The destination will never accept it.
    Refused,
}

impl EncodeLabelValue for NotificationOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        let name = match self {
            NotificationOutcome::Sent => "sent",
            NotificationOutcome::Failed => "failed",
            NotificationOutcome::Refused => "refused",
        };
        name.encode(encoder)
    }
}

impl EncodeLabelValue for Role {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        self.as_str().encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByNotification {
    pub tenant_namespace: String,
    pub destination: String,
    pub result: NotificationOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByVersion {
    pub version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByRole {
    pub role: Role,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByDuty {
    pub role: Role,
    pub kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByOutcome {
    pub role: Role,
    pub kind: &'static str,
    pub outcome: ReconcileOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByCode {
    pub role: Role,
    pub code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByRequest {
    pub target: String,
    pub verb: &'static str,
    pub code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByPlatformRequest {
    pub tenant: String,
    pub form: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByGitPoll {
    pub tenant: String,
    pub result: GitPollOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByBinding {
    pub tenant_namespace: String,
    pub ready: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByTarget {
    pub tenant_namespace: String,
    pub state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByNamespace {
    pub tenant_namespace: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByTenant {
    pub tenant: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByConnection {
    pub tenant_namespace: String,
    pub connection: String,
}

/// Returns the verb of a request, as in RBAC and audit logs.
pub(super) fn verb(request: &ApiRequest) -> &'static str {
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let has = |parameter: &str| query.split('&').any(|p| p.split_once('=').is_some_and(|(name, _)| name == parameter));
    match request.method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ if has("watch") => "watch",
        _ if has("limit") => "list",
        _ => "get",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_verb_of_the_audit_log() {
        let asks = ["/a", "/a?limit=500&continue=x", "/a?allowWatchBookmarks=true&watch=1", "/a?labelSelector=limit"];
        assert_eq!(asks.map(|path| verb(&ApiRequest::get(path))), ["get", "list", "watch", "get"]);
        let others = [ApiRequest::post("/a", vec![]), ApiRequest::put("/a", vec![]), ApiRequest::apply("/a", vec![])];
        assert_eq!(others.map(|request| verb(&request)), ["create", "update", "patch"]);
        assert_eq!(verb(&ApiRequest::delete("/a", vec![])), "delete");
    }
}
