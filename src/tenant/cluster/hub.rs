//! A hub, read with a person's own account: its Tenants and TenantSyncs, the plans that wait there, and the one
//! annotation that a person sets. Secrets are never read.

use super::body::to_bytes;
use super::read;
use super::read::{absence, config_map};
use crate::api::*;
use crate::engine::model::item::ObjectId;
use crate::engine::sync_rules::{approved_digests, requested_at as requested_at_of};
use crate::kubernetes::budget::Budget;
use crate::kubernetes::client::{ApiRequest, RequestFailure, Server};
use crate::kubernetes::error::{RequestContext, explained};
use crate::kubernetes::object;
use crate::kubernetes::object::{Depth, Live};
use crate::kubernetes::paths::{Paths, segment};
use crate::kubernetes::role::{approver_role, hub_role, writer_role};
use crate::kubernetes::watch::{WatchHandle, WatchHandler, WatchSet};
use crate::kubernetes::{kinds, list};
use crate::tenant::location::LocationError;
use http::{Method, StatusCode};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The field manager of a person's own writes to a hub.
const MANAGER: &str = "stablekey";
/// The Lease of the role that carries out syncs.
pub const SYNCER_LEASE: &str = "stablekey-syncer";
/// The Lease of the role that carries out syncs into tenants on the platform.
pub const SENDER_LEASE: &str = "stablekey-sender";
/// The policy that asks for the verb approve (manifests/policies/approve-syncs.yaml), as a refusal names it.
const APPROVE_POLICY: &str = "approve-syncs.stablekey.dev";

/// The client for a namespace with Tenants and TenantSyncs, with the account of the command line's user.
#[derive(Clone, Debug)]
pub struct HubClient {
    server: Server,
    paths: Paths,
}

#[derive(Debug, Default)]
pub struct HubContents {
    /// By name.
    pub tenants: BTreeMap<String, HubTenant>,
    /// By name.
    pub syncs: BTreeMap<String, HubSync>,
}

#[derive(Clone, Debug)]
pub struct HubTenant {
    /// The spec, or why it cannot be read.
    pub spec: Result<TenantSpec, String>,
    /// The status that the syncer wrote.
    pub status: TenantStatus,
    /// Whether the status is of the current generation.
    pub is_observed: bool,
    /// A write names this version, so that it fails after a concurrent change.
    pub resource_version: String,
}

/// A TenantSync of a hub.
#[derive(Clone, Debug)]
pub struct HubSync {
    pub name: String,
    /// The spec, or why it cannot be read.
    pub spec: Result<TenantSyncSpec, String>,
    /// The status that the syncer wrote.
    pub status: TenantSyncStatus,
    /// Whether the status is of the current generation.
    pub is_observed: bool,
    /// The digests in its annotation.
    pub standing: BTreeSet<String>,
    /// The last request to reconcile, in Stablekey's own annotation.
    pub requested_at: Option<String>,
    /// All of them together, as the syncer puts them into the status once it has handled them.
    pub requests: Option<String>,
    /// A write names this version, so that it fails after a concurrent change.
    pub resource_version: String,
}

/// Why an object of a hub was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotSet {
    /// The object was changed meanwhile.
    #[error("the {} changed meanwhile", if *.0 == Kind::Tenant { "tenant" } else { "sync" })]
    Changed(Kind),
    /// The object is gone.
    #[error("the {} was deleted meanwhile", if *.0 == Kind::Tenant { "tenant" } else { "sync" })]
    Gone(Kind),
    /// The account may change the object, but not so without the verb approve.
    #[error("{why}")]
    NeedsApprove {
        /// The server's message: who requested what.
        why: String,
        /// The Role that grants it, as YAML.
        role: String,
    },
    /// The account has no permission.
    #[error("{why}")]
    Forbidden {
        /// The server's message: who requested what.
        why: String,
        /// The Role that grants it, as YAML.
        role: String,
    },
    /// The answer was lost: it may be set.
    #[error("no answer came: {0}")]
    Unsure(String),
    /// The server cannot be reached, or refuses it.
    #[error("{0}")]
    Refused(String),
}

/// The Lease of a hub's syncer, as far as the account may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncerLease {
    /// It exists.
    There {
        /// The holder; `None` if it was released.
        holder: Option<String>,
        /// When it was last renewed.
        renewed: Option<Timestamp>,
        /// Its duration.
        lasts: Duration,
    },
    /// There is none in the hub's namespace.
    Absent,
    /// The account may not read it, or there was no answer.
    Unknown,
}

impl Default for HubSync {
    fn default() -> Self {
        HubSync {
            name: String::new(),
            spec: Err(String::new()),
            status: TenantSyncStatus::default(),
            is_observed: true,
            standing: BTreeSet::new(),
            requested_at: None,
            requests: None,
            resource_version: String::new(),
        }
    }
}

impl HubClient {
    /// Creates the client for a namespace of a server.
    pub fn new(server: Server, namespace: &str) -> Self {
        HubClient { server, paths: Paths::of(namespace) }
    }

    pub fn namespace(&self) -> &str {
        self.paths.namespace()
    }

    /// Reads the Tenants and TenantSyncs.
    pub fn read(&self) -> Result<HubContents, LocationError> {
        match self.server.wait(self.lists()) {
            // The list of a namespace that does not exist is empty.
            Ok(contents) if contents.tenants.is_empty() && contents.syncs.is_empty() => {
                self.checked()?;
                Ok(contents)
            }
            Err(LocationError::Forbidden { what, why, .. }) => {
                self.checked()?;
                Err(LocationError::Forbidden { what, why, role: hub_role(self.namespace()) })
            }
            other => other,
        }
    }

    async fn lists(&self) -> Result<HubContents, LocationError> {
        let (tenants, syncs) = (
            kinds::objects::<TenantSpec>(&self.paths, Kind::Tenant, Depth::WithStatus),
            kinds::objects::<TenantSyncSpec>(&self.paths, Kind::TenantSync, Depth::WithStatus),
        );
        let budget = Budget::of(read::MOST_BYTES);
        let (tenants, syncs) = futures_util::try_join!(
            list::list(&self.server, &self.paths, &tenants, &budget),
            list::list(&self.server, &self.paths, &syncs, &budget),
        )?;
        let tenants = tenants.items.into_iter().map(|live| (live.name.clone(), HubTenant::of(live)));
        let syncs = syncs.items.into_iter().map(|live| (live.name.clone(), HubSync::of(live)));
        Ok(HubContents { tenants: tenants.collect(), syncs: syncs.collect() })
    }

    /// Fails if the namespace itself does not exist.
    fn checked(&self) -> Result<(), LocationError> {
        match self.server.wait(absence(&self.server, &self.paths)) {
            Some(why) => Err(LocationError::Failed { what: self.server.name().to_string(), why }),
            None => Ok(()),
        }
    }

    /// Reads the Lease of this name in the hub's namespace.
    pub fn lease(&self, name: &str) -> SyncerLease {
        let path =
            format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}", segment(self.namespace()), segment(name));
        match self.server.wait(self.server.request(&ApiRequest::get(path))) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_or(SyncerLease::Unknown, read_lease),
            Err(failure) if failure.is_absent() => SyncerLease::Absent,
            Err(_) => SyncerLease::Unknown,
        }
    }

    /// Returns the namespaces of this cluster that have TenantSyncs; `None` if the account may not list them.
    pub fn hubs(&self) -> Option<BTreeSet<String>> {
        #[derive(Deserialize)]
        struct ItemList {
            items: Vec<ListItem>,
        }
        #[derive(Deserialize)]
        struct ListItem {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        struct Metadata {
            #[serde(default)]
            namespace: String,
        }
        // The first page is enough to suggest a name.
        let path = format!("/apis/{API_VERSION}/{}?limit={}", Kind::TenantSync.plural(), list::PAGE);
        let bytes = self.server.wait(self.server.request(&ApiRequest::get(path))).ok()?;
        let list: ItemList = serde_json::from_slice(&bytes).ok()?;
        Some(list.items.into_iter().map(|item| item.metadata.namespace).filter(|name| !name.is_empty()).collect())
    }

    /// Reads a waiting plan; `None` if there is no such ConfigMap, or no plan in it.
    pub fn waiting_plan(&self, config_map_name: &str) -> Result<Option<Vec<u8>>, LocationError> {
        // The name becomes a part of a path, so an invalid one in a status is ignored.
        if !names::is_object_name(config_map_name) {
            return Ok(None);
        }
        let map = self.server.wait(config_map(&self.server, &self.paths, config_map_name));
        match map {
            Err(LocationError::Forbidden { what, why, .. }) => {
                Err(LocationError::Forbidden { what, why, role: hub_role(self.namespace()) })
            }
            map => Ok(map?.and_then(|map| map.plan().map(<[u8]>::to_vec))),
        }
    }

    /// Reads a sync; `None` if there is none.
    pub fn sync(&self, name: &str) -> Result<Option<HubSync>, LocationError> {
        let request = ApiRequest::get(self.paths.object(&ObjectId::new(Kind::TenantSync, name)));
        match self.server.wait(self.server.request(&request)) {
            Ok(bytes) => Ok(object::read_whole(&String::from_utf8_lossy(&bytes)).map(HubSync::of)),
            Err(failure) if failure.is_absent() => Ok(None),
            Err(failure) => {
                let doing = RequestContext { verb: "get", resource: Kind::TenantSync.plural(), object: None };
                Err(explained(failure, &self.server, &self.paths, &doing).into())
            }
        }
    }

    /// Sets the digests in the annotation of a sync, unless it was changed since it was read.
    pub fn approve(&self, sync: &HubSync, digests: &BTreeSet<String>) -> Result<(), NotSet> {
        let digests: Vec<&str> = digests.iter().map(String::as_str).collect();
        let value = (!digests.is_empty()).then(|| digests.join(","));
        let body = json!({"metadata": {
            "resourceVersion": sync.resource_version,
            "annotations": {APPROVE: value},
        }});
        let id = ObjectId::new(Kind::TenantSync, &sync.name);
        self.patch(&id, &body, false, || approver_role(self.namespace())).map_err(|not_set| match not_set {
            // Nothing can be approved without that verb.
            NotSet::NeedsApprove { why, role } => NotSet::Forbidden { why, role },
            other => other,
        })
    }

    /// Sets `suspend: true` of a Tenant or TenantSync, or takes it away, unless it was changed since it was read. With
    /// `dry_run` the server only checks it.
    pub fn suspend(&self, object: &HubObject<'_>, suspend: bool, dry_run: bool) -> Result<(), NotSet> {
        let (id, version) = match object {
            HubObject::Tenant(name, tenant) => (ObjectId::new(Kind::Tenant, *name), &tenant.resource_version),
            HubObject::Sync(sync) => (ObjectId::new(Kind::TenantSync, &sync.name), &sync.resource_version),
        };
        let body = json!({
            "metadata": {"resourceVersion": version},
            "spec": {"suspend": suspend.then_some(true)},
        });
        self.patch(&id, &body, dry_run, || writer_role(self.namespace(), id.kind))
    }

    /// Requests a reconciliation of a sync.
    pub fn request(&self, sync: &str, at: &str) -> Result<(), NotSet> {
        let body = json!({"metadata": {"annotations": {REQUESTED_AT: at}}});
        let id = ObjectId::new(Kind::TenantSync, sync);
        self.patch(&id, &body, false, || writer_role(self.namespace(), id.kind))
    }

    /// Whether the account may do this to objects of a kind, as the server says it; `None` if it does not say.
    pub fn may(&self, verb: &str, kind: Kind) -> Option<bool> {
        #[derive(Deserialize)]
        struct Reviewed {
            status: Allowed,
        }
        #[derive(Deserialize)]
        struct Allowed {
            #[serde(default)]
            allowed: bool,
        }
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "group": GROUP, "resource": kind.plural(), "verb": verb, "namespace": self.namespace(),
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer = self.server.wait(self.server.request(&ApiRequest::post(path, to_bytes(&body)))).ok()?;
        serde_json::from_slice::<Reviewed>(&answer).ok().map(|reviewed| reviewed.status.allowed)
    }

    /// Watches the Tenants and TenantSyncs until the handle is dropped. The events only say that something changed.
    pub fn watch(&self, on_event: WatchHandler<()>) -> WatchHandle {
        let mut watches = WatchSet::new(&self.server, &self.paths, on_event);
        watches.watch(kinds::objects::<TenantSpec>(&self.paths, Kind::Tenant, Depth::Spec), |_| ());
        watches.watch(kinds::objects::<TenantSyncSpec>(&self.paths, Kind::TenantSync, Depth::Spec), |_| ());
        watches.done()
    }

    /// Returns who has the verb approve on tenantsyncs by a RoleBinding of the namespace; `None` if the account may not
    /// read them. Bindings for the whole cluster, such as those of its administrators, are not searched.
    pub fn approvers(&self) -> Option<BTreeSet<String>> {
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let get = |path: String| self.server.wait(self.server.request(&ApiRequest::get(path))).ok();
        let namespace = segment(self.namespace());
        let bindings = get(format!("{rbac}/namespaces/{namespace}/rolebindings?limit={}", list::PAGE))?;
        let bindings: BindingList = serde_json::from_slice(&bindings).ok()?;
        let mut grants: BTreeMap<(String, String), bool> = BTreeMap::new();
        let mut approvers = BTreeSet::new();
        for Binding { role_ref: RoleRef { kind, name }, subjects } in bindings.items {
            let path = match kind.as_str() {
                "ClusterRole" => format!("{rbac}/clusterroles/{}", segment(&name)),
                _ => format!("{rbac}/namespaces/{namespace}/roles/{}", segment(&name)),
            };
            let grants = grants.entry((kind, name)).or_insert_with(|| {
                let role = get(path).and_then(|role| serde_json::from_slice::<GrantingRole>(&role).ok());
                role.is_some_and(|role| role.rules.iter().any(RoleRule::grants_approve))
            });
            if *grants {
                approvers.extend(subjects.iter().map(ToString::to_string));
            }
        }
        Some(approvers)
    }

    /// Changes an object by a merge patch. `role` grants it.
    fn patch(&self, id: &ObjectId, body: &Value, dry_run: bool, role: impl FnOnce() -> String) -> Result<(), NotSet> {
        let dry_run = if dry_run { "&dryRun=All" } else { "" };
        let request = ApiRequest {
            method: Method::PATCH,
            path: format!("{}?fieldManager={MANAGER}{dry_run}", self.paths.object(id)),
            content: "application/merge-patch+json",
            body: to_bytes(body),
        };
        let sent = self.server.wait(self.server.request(&request));
        sent.map(drop).map_err(|failure| self.not_set(id.kind, failure, role))
    }

    fn not_set(&self, kind: Kind, failure: RequestFailure, role: impl FnOnce() -> String) -> NotSet {
        if failure.is_absent() {
            return NotSet::Gone(kind);
        }
        match failure {
            RequestFailure::Refused(refused) if refused.code == StatusCode::CONFLICT => NotSet::Changed(kind),
            RequestFailure::Refused(refused) if refused.code == StatusCode::FORBIDDEN => {
                let why = refused.message.clone();
                match why.contains(APPROVE_POLICY) {
                    true => NotSet::NeedsApprove { why, role: approver_role(self.namespace()) },
                    false => NotSet::Forbidden { why, role: role() },
                }
            }
            RequestFailure::NoAnswer(why) => NotSet::Unsure(why),
            other => NotSet::Refused(other.to_string()),
        }
    }
}

impl HubTenant {
    fn of(live: Live<Object<TenantSpec>>) -> Self {
        let status: TenantStatus = status(&live);
        HubTenant {
            is_observed: status.observed_generation.is_some_and(|observed| observed >= live.generation),
            status,
            spec: live.read.map(|tenant| tenant.spec),
            resource_version: live.version.resource_version,
        }
    }
}

impl HubSync {
    fn of(live: Live<Object<TenantSyncSpec>>) -> Self {
        let status: TenantSyncStatus = status(&live);
        let metadata = live.read.as_ref().ok().map(|sync| &sync.metadata);
        let annotation = |name: &str| metadata.and_then(|metadata| metadata.annotations.get(name));
        let standing = annotation(APPROVE).map(|text| approved_digests(text)).unwrap_or_default();
        let requested_at = annotation(REQUESTED_AT).cloned();
        let requests = metadata.and_then(requested_at_of);
        HubSync {
            name: live.name,
            is_observed: status.observed_generation.is_some_and(|observed| observed >= live.generation),
            spec: live.read.map(|sync| sync.spec),
            status,
            standing,
            requested_at,
            requests,
            resource_version: live.version.resource_version,
        }
    }

    /// Whether an approved digest was carried out in a target, so that it needs a new approval.
    pub fn is_spent(&self, tenant: &str, digest: &str) -> bool {
        self.approvals_of(tenant, digest).any(|approval| approval.left.is_none())
    }

    /// Whether an approved digest was carried out partly in a target.
    pub fn is_begun(&self, tenant: &str, digest: &str) -> bool {
        self.approvals_of(tenant, digest).any(|approval| approval.left.is_some())
    }

    fn approvals_of(&self, tenant: &str, digest: &str) -> impl Iterator<Item = &ApprovalStatus> {
        self.status.approvals.iter().filter(move |approval| approval.tenant == tenant && approval.digest == digest)
    }

    /// Returns its status in a target.
    pub fn target(&self, tenant: &str) -> Option<&TargetStatus> {
        self.status.targets.iter().find(|target| target.tenant == tenant)
    }

    /// Returns the digests of the annotation that are still needed in targets other than these.
    pub fn standing_elsewhere(&self, tenants: &BTreeSet<String>) -> BTreeSet<String> {
        let others = || self.status.targets.iter().filter(|target| !tenants.contains(&target.tenant));
        let is_of_use = |digest: &&String| {
            others().any(|target| {
                let is_current = target.digest.as_ref() == Some(*digest) && !self.is_spent(&target.tenant, digest);
                is_current || self.is_begun(&target.tenant, digest)
            })
        };
        self.standing.iter().filter(is_of_use).cloned().collect()
    }
}

/// An object of a hub that can be suspended.
#[derive(Clone, Copy, Debug)]
pub enum HubObject<'h> {
    Tenant(&'h str, &'h HubTenant),
    Sync(&'h HubSync),
}

#[derive(Deserialize)]
struct BindingList {
    items: Vec<Binding>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    role_ref: RoleRef,
    #[serde(default)]
    subjects: Vec<RoleSubject>,
}

#[derive(Deserialize)]
struct RoleRef {
    kind: String,
    name: String,
}

/// Whom a binding gives a role to.
#[derive(Deserialize)]
struct RoleSubject {
    kind: String,
    name: String,
    namespace: Option<String>,
}

impl std::fmt::Display for RoleSubject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RoleSubject { kind, name, namespace } = self;
        match namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{name}"),
            None => write!(f, "{kind} {name}"),
        }
    }
}

#[derive(Deserialize)]
struct GrantingRole {
    #[serde(default)]
    rules: Vec<RoleRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct RoleRule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

impl RoleRule {
    fn grants_approve(&self) -> bool {
        let has = |list: &[String], wanted: &str| list.iter().any(|one| one == wanted || one == "*");
        has(&self.api_groups, GROUP) && has(&self.resources, Kind::TenantSync.plural()) && has(&self.verbs, "approve")
    }
}

/// The duration of a Lease that has none: the default of the operator.
const LASTS: Duration = Duration::from_secs(15);

fn read_lease(lease: Lease) -> SyncerLease {
    let spec = lease.spec.unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    SyncerLease::There {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        renewed: spec.renew_time.map(|time| time.0),
        lasts: seconds.map_or(LASTS, Duration::from_secs),
    }
}

/// Returns an object's status; the default if it cannot be read.
fn status<T: DeserializeOwned + Default, O>(live: &Live<O>) -> T {
    live.status.as_ref().and_then(|status| serde_json::from_str(status.get()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(standing: &str, targets: &[(&str, &str)], approvals: &[(&str, &str, Option<&str>)]) -> HubSync {
        let target = |(tenant, digest): &(&str, &str)| TargetStatus {
            tenant: tenant.to_string(),
            digest: Some(digest.to_string()),
            ..TargetStatus::default()
        };
        let approval = |(tenant, digest, left): &(&str, &str, Option<&str>)| ApprovalStatus {
            tenant: tenant.to_string(),
            digest: digest.to_string(),
            left: left.map(str::to_string),
        };
        let status = TenantSyncStatus {
            targets: targets.iter().map(target).collect(),
            approvals: approvals.iter().map(approval).collect(),
            ..TenantSyncStatus::default()
        };
        HubSync { status, standing: approved_digests(standing), ..HubSync::default() }
    }

    /// Other approvals are kept while they are needed: valid in another target, or begun there.
    #[test]
    fn approving_one_target_withdraws_no_other_approval() {
        let sync = sync(
            "a, b,c,d,,e",
            &[("eu", "a"), ("us", "b"), ("ap", "d")],
            &[("us", "c", Some("AAAA")), ("ap", "d", None), ("eu", "e", Some("AAAA"))],
        );
        let kept = sync.standing_elsewhere(&["eu".to_string()].into());
        // a belongs to the target that is approved now, d was carried out, e was begun in that target.
        assert_eq!(kept, ["b".to_string(), "c".to_string()].into());
        assert!(sync.is_spent("ap", "d") && !sync.is_spent("eu", "d") && !sync.is_spent("us", "c"));
        assert!(sync.is_begun("us", "c") && !sync.is_begun("ap", "d"));
    }

    #[test]
    fn a_role_grants_approve_by_its_name_or_a_star() {
        let rule = |json: &str| serde_json::from_str::<RoleRule>(json).unwrap().grants_approve();
        assert!(rule(
            r#"{"apiGroups": ["stablekey.dev"], "resources": ["tenantsyncs"], "verbs": ["patch", "approve"]}"#
        ));
        assert!(rule(r#"{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}"#));
        for not in [
            r#"{"apiGroups": ["stablekey.dev"], "resources": ["tenantsyncs"], "verbs": ["patch"]}"#,
            r#"{"apiGroups": [""], "resources": ["tenantsyncs"], "verbs": ["approve"]}"#,
            r#"{"apiGroups": ["stablekey.dev"], "resources": ["tenants"], "verbs": ["approve"]}"#,
            r#"{"nonResourceURLs": ["*"], "verbs": ["*"]}"#,
        ] {
            assert!(!rule(not), "{not}");
        }
    }

    #[test]
    fn a_lease_has_its_holder_and_renewal() {
        let read = |json: &str| read_lease(serde_json::from_str(json).unwrap());
        let at = "2026-11-28T00:41:03.5Z".parse::<Timestamp>().unwrap();
        assert_eq!(
            read(
                r#"{"metadata": {}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 3,
                "renewTime": "2026-11-28T00:41:03.500000Z"}}"#
            ),
            SyncerLease::There { holder: Some("a".into()), renewed: Some(at), lasts: Duration::from_secs(3) }
        );
        let nobody = SyncerLease::There { holder: None, renewed: None, lasts: LASTS };
        assert_eq!(read(r#"{"metadata": {}, "spec": {"holderIdentity": "", "leaseDurationSeconds": -1}}"#), nobody);
        assert_eq!(read(r#"{"metadata": {}}"#), nobody);
    }

    #[test]
    fn a_sync_is_read_with_its_status() {
        let json = r#"{"metadata": {"name": "s", "resourceVersion": "7", "generation": 3,
                "annotations": {"stablekey.dev/approve": "sha256:1,sha256:2"}},
            "spec": {"from": "us", "to": ["eu"], "integrations": ["*"]},
            "status": {"observedGeneration": 2, "targets": [{"tenant": "eu", "state": "InSync"}]}}"#;
        let sync = HubSync::of(object::read_whole(json).unwrap());
        assert_eq!((sync.name.as_str(), sync.standing.len(), sync.is_observed), ("s", 2, false));
        assert_eq!(sync.target("eu").unwrap().state, "InSync");
        assert_eq!(sync.resource_version, "7");
    }
}
