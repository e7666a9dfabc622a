//! A hub as a person's own account reads it: its Tenants and TenantSyncs, the plans that wait there, and the one
//! annotation that a person sets. No Secret is read.

use super::body::to_bytes;
use super::read;
use super::read::{absence, config_map};
use crate::api::*;
use crate::engine::model::item::ObjectId;
use crate::engine::sync_rules::approved_digests;
use crate::kubernetes::budget::Budget;
use crate::kubernetes::client::{Ask, RequestFailure, Server};
use crate::kubernetes::error::{RequestContext, explained};
use crate::kubernetes::object;
use crate::kubernetes::object::{Depth, Live};
use crate::kubernetes::paths::{Paths, segment};
use crate::kubernetes::role::{approver_role, hub_role};
use crate::kubernetes::{kinds, list};
use crate::tenant::location::LocationError;
use http::{Method, StatusCode};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// As whom a person's own writes to a hub are recorded.
const MANAGER: &str = "stablekey";

/// A namespace with Tenants and TenantSyncs, by the account of whoever runs the command line.
#[derive(Debug)]
pub struct HubClient {
    server: Server,
    paths: Paths,
}

/// What stands in a hub.
#[derive(Debug, Default)]
pub struct HubContents {
    /// By name.
    pub tenants: BTreeMap<String, HubTenant>,
    /// By name.
    pub syncs: BTreeMap<String, HubSync>,
}

/// A Tenant of a hub.
#[derive(Clone, Debug)]
pub struct HubTenant {
    /// What it says, or why it cannot be read.
    pub spec: Result<TenantSpec, String>,
    /// What the syncer found.
    pub status: TenantStatus,
}

/// A TenantSync of a hub.
#[derive(Clone, Debug)]
pub struct HubSync {
    /// Its name.
    pub name: String,
    /// What it says, or why it cannot be read.
    pub spec: Result<TenantSyncSpec, String>,
    /// What the syncer found.
    pub status: TenantSyncStatus,
    /// Whether the syncer has reconciled what it says now.
    pub is_observed: bool,
    /// The digests that stand in its annotation.
    pub standing: BTreeSet<String>,
    /// Which state of it this is: a write names it, so that it changes nothing else.
    resource_version: String,
}

/// Why the annotation of a sync was not set.
#[derive(Debug, thiserror::Error)]
pub enum NotSet {
    /// Somebody changed the sync meanwhile.
    #[error("the sync changed meanwhile")]
    Changed,
    /// The account may not.
    #[error("{why}")]
    Forbidden {
        /// The words of the server, with who asked for what.
        why: String,
        /// The Role that would do, as YAML.
        role: String,
    },
    /// The answer was lost: it may be set.
    #[error("no answer came: {0}")]
    Unsure(String),
    /// The server cannot be asked, or says no.
    #[error("{0}")]
    Refused(String),
}

/// What the Lease of a hub's syncer says, as far as the account may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncerLease {
    /// It is there.
    There {
        /// Who holds it; `None`: nobody.
        holder: Option<String>,
        /// When it was written last.
        renewed: Option<Timestamp>,
        /// How long it lasts.
        lasts: Duration,
    },
    /// There is none in the hub's namespace.
    Absent,
    /// The account may not read it, or no answer came.
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
            resource_version: String::new(),
        }
    }
}

impl HubClient {
    /// The hub in a namespace of a server.
    pub fn new(server: Server, namespace: &str) -> Self {
        HubClient { server, paths: Paths::of(namespace) }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.paths.namespace()
    }

    /// Reads the Tenants and TenantSyncs.
    pub fn read(&self) -> Result<HubContents, LocationError> {
        match self.server.wait(self.lists()) {
            // A list of a namespace that is not there is empty.
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

    /// An error where the namespace itself is not there.
    fn checked(&self) -> Result<(), LocationError> {
        match self.server.wait(absence(&self.server, &self.paths)) {
            Some(why) => Err(LocationError::Failed { what: self.server.name().to_string(), why }),
            None => Ok(()),
        }
    }

    /// The Lease of this name in the hub's namespace.
    pub fn lease(&self, name: &str) -> SyncerLease {
        let path =
            format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}", segment(self.namespace()), segment(name));
        match self.server.wait(self.server.ask(&Ask::get(path))) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_or(SyncerLease::Unknown, read_lease),
            Err(trouble) if trouble.is_absent() => SyncerLease::Absent,
            Err(_) => SyncerLease::Unknown,
        }
    }

    /// The namespaces of this cluster that have TenantSyncs; `None` where the account may not list them.
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
        // The first page says enough: a person looks for a name.
        let path = format!("/apis/{API_VERSION}/{}?limit={}", Kind::TenantSync.plural(), list::PAGE);
        let bytes = self.server.wait(self.server.ask(&Ask::get(path))).ok()?;
        let list: ItemList = serde_json::from_slice(&bytes).ok()?;
        Some(list.items.into_iter().map(|item| item.metadata.namespace).filter(|name| !name.is_empty()).collect())
    }

    /// The bytes of a plan that waits; `None` where there is no such ConfigMap, or none in it.
    pub fn waiting_plan(&self, config_map_name: &str) -> Result<Option<Vec<u8>>, LocationError> {
        // It stands in a path: a status that names something else names nothing.
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

    /// A sync as it is now; `None` where there is none.
    pub fn sync(&self, name: &str) -> Result<Option<HubSync>, LocationError> {
        let ask = Ask::get(self.paths.object(&ObjectId::new(Kind::TenantSync, name)));
        match self.server.wait(self.server.ask(&ask)) {
            Ok(bytes) => Ok(object::read_whole(&String::from_utf8_lossy(&bytes)).map(HubSync::of)),
            Err(trouble) if trouble.is_absent() => Ok(None),
            Err(trouble) => {
                let doing = RequestContext { verb: "get", resource: Kind::TenantSync.plural(), object: None };
                Err(explained(trouble, &self.server, &self.paths, &doing).into())
            }
        }
    }

    /// Sets the digests that stand in the annotation of a sync, if that is as it was read.
    pub fn approve(&self, sync: &HubSync, digests: &BTreeSet<String>) -> Result<(), NotSet> {
        let digests: Vec<&str> = digests.iter().map(String::as_str).collect();
        let value = (!digests.is_empty()).then(|| digests.join(","));
        let body = json!({"metadata": {
            "resourceVersion": sync.resource_version,
            "annotations": {APPROVE: value},
        }});
        let path = self.paths.object(&ObjectId::new(Kind::TenantSync, &sync.name));
        let ask = Ask {
            method: Method::PATCH,
            path: format!("{path}?fieldManager={MANAGER}"),
            content: "application/merge-patch+json",
            body: to_bytes(&body),
        };
        self.server.wait(self.server.ask(&ask)).map(drop).map_err(|trouble| self.not_set(trouble))
    }

    fn not_set(&self, trouble: RequestFailure) -> NotSet {
        match trouble {
            RequestFailure::Refused(refused) if refused.code == StatusCode::CONFLICT => NotSet::Changed,
            RequestFailure::Refused(refused) if refused.code == StatusCode::FORBIDDEN => {
                NotSet::Forbidden { why: refused.message.clone(), role: approver_role(self.namespace()) }
            }
            RequestFailure::NoAnswer(why) => NotSet::Unsure(why),
            other => NotSet::Refused(other.to_string()),
        }
    }
}

impl HubTenant {
    fn of(live: Live<Object<TenantSpec>>) -> Self {
        HubTenant { status: status(&live), spec: live.read.map(|tenant| tenant.spec) }
    }
}

impl HubSync {
    fn of(live: Live<Object<TenantSyncSpec>>) -> Self {
        let status: TenantSyncStatus = status(&live);
        let annotation = live.read.as_ref().ok().and_then(|sync| sync.metadata.annotations.get(APPROVE));
        let standing = annotation.map(|text| approved_digests(text)).unwrap_or_default();
        HubSync {
            name: live.name,
            is_observed: status.observed_generation.is_some_and(|observed| observed >= live.generation),
            spec: live.read.map(|sync| sync.spec),
            status,
            standing,
            resource_version: live.version.resource_version,
        }
    }

    /// Whether a digest was approved and carried out in a target, so that it needs a new approval.
    pub fn is_spent(&self, tenant: &str, digest: &str) -> bool {
        self.approvals_of(tenant, digest).any(|approval| approval.left.is_none())
    }

    /// Whether a digest was approved for a target, and a part of it is not carried out yet.
    pub fn is_begun(&self, tenant: &str, digest: &str) -> bool {
        self.approvals_of(tenant, digest).any(|approval| approval.left.is_some())
    }

    fn approvals_of(&self, tenant: &str, digest: &str) -> impl Iterator<Item = &ApprovalStatus> {
        self.status.approvals.iter().filter(move |approval| approval.tenant == tenant && approval.digest == digest)
    }

    /// How it stands in a target.
    pub fn target(&self, tenant: &str) -> Option<&TargetStatus> {
        self.status.targets.iter().find(|target| target.tenant == tenant)
    }

    /// What stands in the annotation and is still of use in other targets than these.
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

/// How long a Lease lasts that does not say so: the default of the operator.
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

/// What an object's status says; nothing, where that cannot be read.
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

    /// Other approvals stay while they are of use: current in another target, or begun there.
    #[test]
    fn approving_one_target_takes_back_no_other() {
        let sync = sync(
            "a, b,c,d,,e",
            &[("eu", "a"), ("us", "b"), ("ap", "d")],
            &[("us", "c", Some("AAAA")), ("ap", "d", None), ("eu", "e", Some("AAAA"))],
        );
        let kept = sync.standing_elsewhere(&["eu".to_string()].into());
        // a is of the target that is approved now, d was carried out, e was begun in that target.
        assert_eq!(kept, ["b".to_string(), "c".to_string()].into());
        assert!(sync.is_spent("ap", "d") && !sync.is_spent("eu", "d") && !sync.is_spent("us", "c"));
        assert!(sync.is_begun("us", "c") && !sync.is_begun("ap", "d"));
    }

    #[test]
    fn a_lease_says_who_holds_it_and_since_when() {
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
    fn a_sync_is_read_with_what_is_known_of_it() {
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
