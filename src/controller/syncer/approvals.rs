//! The approvals of a hub's syncs. They are kept in the syncs' statuses, where only the operator writes, are bound to
//! the annotation that gave them, and are consumed when carried out. A recurring change needs a new approval.

use crate::api::{API_VERSION, ApprovalStatus, Kind, SyncMode};
use crate::apply::consent::{Approvals, StoredApproval};
use crate::apply::covered;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Plan, Target};
use crate::engine::model::record::Writer;
use crate::engine::sync_rules;
use crate::engine::sync_rules::Begun;
use crate::kubernetes::client::{ApiRequest, Server};
use crate::kubernetes::error::{RequestContext, explained};
use crate::kubernetes::paths::Paths;
use crate::tenant::cluster::body::to_bytes;
use crate::tenant::location::LocationError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The field manager of approvals in a status. It differs from the one that writes the other fields.
const MANAGER: &str = "stablekey-syncer-approvals";
/// How many bytes of an action's digest an approval keeps.
const SHORT: usize = 16;
/// Maximum number of actions over all approvals of a sync, because a status has limited size. An approval with more
/// actions is consumed as soon as it begins.
const ROOM: usize = 40_000;
type Short = [u8; SHORT];

/// Returns the beginning of a digest; `None` if it is not one.
fn short(digest: &str) -> Option<Short> {
    let digits = digest.strip_prefix("sha256:")?.get(..2 * SHORT)?;
    let mut out = [0; SHORT];
    for (byte, at) in out.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(out)
}

/// The approvals of one sync.
#[derive(Debug, Default)]
struct OfSync {
    /// The uid of the sync. A sync that is created again has no approvals.
    uid: String,
    /// The digests in its annotation.
    standing: BTreeSet<String>,
    /// The remaining actions of each approval that was begun, by target and digest. None left: it is consumed.
    begun: Left,
    /// The same, as written to the status.
    written: Left,
}

type Left = BTreeMap<(String, String), BTreeSet<Short>>;

/// The approvals of a hub. Each is written to its sync's status before it is used.
#[derive(Debug)]
pub(super) struct Ledger {
    server: Server,
    paths: Paths,
    state: Mutex<BTreeMap<String, OfSync>>,
    /// Serializes writes, because each one writes everything that is known.
    writing: Mutex<()>,
}

/// The state of the digests in a sync's annotation, for one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GivenApprovals {
    /// Digests that may be used.
    pub usable: BTreeSet<String>,
    /// Digests that were carried out partly.
    pub begun: BTreeSet<String>,
    /// Digests that were carried out.
    pub spent: BTreeSet<String>,
}

impl Ledger {
    /// Creates the approvals of the syncs of a namespace.
    pub(super) fn new(server: Server, paths: Paths) -> Self {
        Ledger { server, paths, state: Mutex::default(), writing: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, BTreeMap<String, OfSync>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the digests in a sync's annotation. For a sync that was not known, or is another object, also the begun
    /// approvals of its status. An approval whose digest was removed from the annotation ends.
    pub(super) fn observe(&self, sync: &str, uid: &str, standing: BTreeSet<String>, written: &[ApprovalStatus]) {
        let mut state = self.state();
        let known = state.entry(sync.to_string()).or_default();
        if known.uid != uid {
            let begun = written.iter().map(|a| ((a.tenant.clone(), a.digest.clone()), unpacked(&a.left)));
            let begun: Left = begun.collect();
            *known = OfSync { uid: uid.to_string(), written: begun.clone(), begun, ..OfSync::default() };
        }
        known.begun.retain(|(_, digest), _| standing.contains(digest));
        known.standing = standing;
    }

    /// Returns the uid of a sync.
    pub(super) fn uid(&self, sync: &str) -> Option<String> {
        self.state().get(sync).map(|known| known.uid.clone()).filter(|uid| !uid.is_empty())
    }

    /// Drops all other syncs.
    pub(super) fn retain(&self, is_there: impl Fn(&str) -> bool) {
        self.state().retain(|sync, _| is_there(sync));
    }

    /// Returns the state of the digests in a sync's annotation, for one target.
    pub(super) fn given(&self, sync: &str, target: &str) -> GivenApprovals {
        let state = self.state();
        let Some(known) = state.get(sync) else { return GivenApprovals::default() };
        let mut given = GivenApprovals::default();
        for digest in &known.standing {
            match known.begun.get(&(target.to_string(), digest.clone())) {
                Some(left) if left.is_empty() => drop(given.spent.insert(digest.clone())),
                Some(_) => {
                    given.begun.insert(digest.clone());
                    given.usable.insert(digest.clone());
                }
                None => drop(given.usable.insert(digest.clone())),
            }
        }
        given
    }

    /// Whether a sync may write now; see [`sync_rules::may_write`].
    pub(super) fn may_write(
        &self,
        sync: &str,
        mode: Option<SyncMode>,
        waits: impl FnOnce() -> BTreeSet<(String, String)>,
    ) -> bool {
        let (state, unknown) = (self.state(), OfSync::default());
        let known = state.get(sync).unwrap_or(&unknown);
        let begun =
            known.begun.iter().map(|((tenant, digest), left)| Begun { tenant, digest, is_spent: left.is_empty() });
        sync_rules::may_write(mode, &known.standing, begun, waits)
    }

    /// Drops the remaining approved actions of these syncs in a target that are no longer planned: they are done, or no
    /// longer needed. Only for a full plan in which everything could be read.
    pub(super) fn narrow<'s>(
        self: &Arc<Self>,
        syncs: impl Iterator<Item = &'s String>,
        plan: &Plan,
        target: &str,
    ) -> Result<(), LocationError> {
        let in_full = self.of(plan).in_full(target);
        let is_done = |short: &Short| !in_full.contains_key(short);
        for sync in syncs {
            let is_narrower = {
                let state = self.state();
                let begun = state.get(sync).into_iter().flat_map(|known| &known.begun);
                begun.into_iter().any(|((tenant, _), left)| tenant == target && left.iter().any(is_done))
            };
            if is_narrower {
                self.change(sync, |known| {
                    let of_target = known.begun.iter_mut().filter(|((tenant, _), _)| tenant == target);
                    of_target.for_each(|(_, left)| left.retain(|short| !is_done(short)));
                })?;
            }
        }
        Ok(())
    }

    /// Returns the syncs whose status still has an approval that was withdrawn. If it were given again, it would count
    /// as consumed after a restart.
    pub(super) fn to_forget(&self) -> Vec<String> {
        let state = self.state();
        let stands = |known: &OfSync| known.written.keys().any(|approval| !known.begun.contains_key(approval));
        state.iter().filter(|(_, known)| stands(known)).map(|(sync, _)| sync.clone()).collect()
    }

    /// Removes withdrawn approvals from the status of a sync.
    pub(super) fn forget(&self, sync: &str) -> Result<(), LocationError> {
        self.change(sync, |_| {})
    }

    /// Writes a change of a sync's approvals to its status, and then applies it.
    fn change(&self, sync: &str, change: impl FnOnce(&mut OfSync)) -> Result<(), LocationError> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (uid, written, mut begun) = {
            let state = self.state();
            let Some(known) = state.get(sync) else { return Ok(()) };
            let begun = OfSync { begun: known.begun.clone(), ..OfSync::default() };
            (known.uid.clone(), known.written.clone(), begun)
        };
        change(&mut begun);
        if begun.begun == written {
            return Ok(());
        }
        let approvals: Vec<ApprovalStatus> = begun.begun.iter().map(status).collect();
        let body = json!({
            "apiVersion": API_VERSION, "kind": Kind::TenantSync.as_str(), "metadata": {"name": sync, "uid": uid},
            "status": {"approvals": approvals},
        });
        let id = ObjectId::new(Kind::TenantSync, sync);
        let request = ApiRequest::apply_by(format!("{}/status", self.paths.object(&id)), MANAGER, to_bytes(&body));
        let doing = RequestContext { verb: "patch", resource: "tenantsyncs/status", object: None };
        let answer = self.server.wait(self.server.request(&request));
        answer.map_err(|failure| explained(failure, &self.server, &self.paths, &doing))?;
        if let Some(known) = self.state().get_mut(sync).filter(|known| known.uid == uid) {
            known.written = begun.begun.clone();
            // An approval that was withdrawn meanwhile stays so.
            known.begun = begun.begun.into_iter().filter(|((_, digest), _)| known.standing.contains(digest)).collect();
        }
        Ok(())
    }

    /// Returns the approvals for the reconcile that made this plan.
    pub(super) fn of<'l>(self: &'l Arc<Self>, plan: &'l Plan) -> OfPlan<'l> {
        OfPlan { ledger: self, plan }
    }
}

fn status(((tenant, digest), left): (&(String, String), &BTreeSet<Short>)) -> ApprovalStatus {
    let bytes: Vec<u8> = left.iter().flatten().copied().collect();
    let left = (!bytes.is_empty()).then(|| STANDARD_NO_PAD.encode(bytes));
    ApprovalStatus { tenant: tenant.clone(), digest: digest.clone(), left }
}

/// An entry that cannot be parsed counts as consumed.
fn unpacked(left: &Option<String>) -> BTreeSet<Short> {
    let bytes = left.as_ref().and_then(|left| STANDARD_NO_PAD.decode(left).ok()).unwrap_or_default();
    bytes.chunks_exact(SHORT).filter_map(|chunk| chunk.try_into().ok()).collect()
}

/// The approvals of the syncs into the target of a plan. Approvals keep only the beginning of each digest; the plan has
/// the full ones.
pub(super) struct OfPlan<'l> {
    ledger: &'l Ledger,
    plan: &'l Plan,
}

impl OfPlan<'_> {
    fn target(&self, tenant: &str) -> Option<&Target> {
        self.plan.targets.iter().find(|target| target.tenant == tenant)
    }

    fn in_full(&self, tenant: &str) -> BTreeMap<Short, String> {
        // What waits for an earlier stage is still planned.
        let actions = self.target(tenant).into_iter().flat_map(|target| target.actions.iter().chain(&target.waiting));
        actions.flat_map(covered).filter_map(|digest| Some((short(&digest)?, digest))).collect()
    }

    fn syncs(&self) -> Vec<String> {
        self.ledger.state().keys().cloned().collect()
    }
}

impl Approvals for OfPlan<'_> {
    fn kept(&self, tenant: &str) -> Result<Vec<StoredApproval>, LocationError> {
        let in_full = self.in_full(tenant);
        let state = self.ledger.state();
        let begun = state.iter().flat_map(|(sync, known)| known.begun.iter().map(move |begun| (sync, begun)));
        let of_tenant = begun.filter(|(_, ((of, _), left))| of == tenant && !left.is_empty());
        let kept = of_tenant.map(|(sync, ((_, digest), left))| StoredApproval {
            given: [digest.clone()].into(),
            of: [Writer::Sync(sync.clone()).to_string()].into(),
            covers: left.iter().filter_map(|short| in_full.get(short)).cloned().collect(),
        });
        Ok(kept.collect())
    }

    fn keep(&self, tenant: &str, new: &[StoredApproval]) -> Result<(), LocationError> {
        for kept in new {
            for writer in &kept.of {
                let Some(sync) = writer.strip_prefix("sync/") else { continue };
                let left: BTreeSet<Short> = kept.covers.iter().filter_map(|digest| short(digest)).collect();
                self.ledger.change(sync, |known| {
                    let room = ROOM.saturating_sub(known.begun.values().map(BTreeSet::len).sum());
                    for digest in &kept.given {
                        let left = if left.len() <= room { left.clone() } else { BTreeSet::new() };
                        known.begun.insert((tenant.to_string(), digest.clone()), left);
                    }
                })?;
            }
        }
        Ok(())
    }

    fn consume(&self, tenant: &str, left: &mut dyn FnMut(&mut StoredApproval) -> bool) -> Result<(), LocationError> {
        let in_full = self.in_full(tenant);
        for sync in self.syncs() {
            self.ledger.change(&sync, |known| {
                for ((of, digest), begun) in known.begun.iter_mut().filter(|(_, begun)| !begun.is_empty()) {
                    if of != tenant {
                        continue;
                    }
                    let covers: BTreeSet<String> = begun.iter().filter_map(|s| in_full.get(s)).cloned().collect();
                    let writer = Writer::Sync(sync.clone()).to_string();
                    let mut kept =
                        StoredApproval { given: [digest.clone()].into(), of: [writer].into(), covers: covers.clone() };
                    let stays = left(&mut kept);
                    let done = covers.difference(&kept.covers).filter_map(|digest| short(digest));
                    done.for_each(|done| {
                        begun.remove(&done);
                    });
                    if !stays {
                        begun.clear();
                    }
                }
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> String {
        format!("sha256:{}", format!("{number:02x}").repeat(32))
    }

    fn ledger() -> Ledger {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = runtime.block_on(async { kube::Client::try_from(config).unwrap() });
        let request_timeout = std::time::Duration::from_secs(1);
        Ledger::new(Server::new(client, Arc::new(runtime), "nowhere", request_timeout), Paths::of("hub"))
    }

    fn written(number: u8, left: &[u8]) -> ApprovalStatus {
        let left: BTreeSet<Short> = left.iter().filter_map(|number| short(&digest(*number))).collect();
        status((&("eu".to_string(), digest(number)), &left))
    }

    fn standing(numbers: &[u8]) -> BTreeSet<String> {
        numbers.iter().map(|number| digest(*number)).collect()
    }

    #[test]
    fn written_approvals_are_read_back() {
        let approval = written(7, &[1, 2, 3]);
        assert_eq!(unpacked(&approval.left).len(), 3);
        assert_eq!(unpacked(&written(7, &[]).left).len(), 0);
        assert_eq!(unpacked(&Some("no base64!".to_string())).len(), 0);
        assert!(short("sha256:zz").is_none() && short(&digest(9)).is_some());
    }

    /// An approval is bound to the annotation that gave it, and consumed when carried out: a recurring change needs a
    /// new one.
    ///
    /// "Bound to the annotation that gave it, and consumed when carried out: what recurs needs a new approval".
    #[test]
    fn a_consumed_digest_stays_consumed_while_it_is_annotated() {
        let ledger = ledger();
        let status = [written(1, &[]), written(2, &[9])];
        ledger.observe("s", "uid", standing(&[1, 2, 3]), &status);
        let given = ledger.given("s", "eu");
        assert_eq!((given.spent, given.begun, given.usable), (standing(&[1]), standing(&[2]), standing(&[2, 3])));
        // Another target has its own.
        assert_eq!(ledger.given("s", "us").usable, standing(&[1, 2, 3]));
        // An approver adds a digest: the old ones do not become usable again.
        ledger.observe("s", "uid", standing(&[1, 2, 3, 4]), &[]);
        assert_eq!(ledger.given("s", "eu").spent, standing(&[1]));
        // Withdrawn and given again.
        assert_eq!(ledger.to_forget(), [""; 0]);
        ledger.observe("s", "uid", standing(&[2]), &status);
        assert_eq!(ledger.to_forget(), ["s"]);
        ledger.observe("s", "uid", standing(&[1, 2]), &status);
        assert_eq!(ledger.given("s", "eu").usable, standing(&[1, 2]));
    }

    #[test]
    fn a_new_object_has_no_earlier_approvals() {
        let ledger = ledger();
        ledger.observe("s", "old", standing(&[2]), &[written(2, &[9])]);
        ledger.observe("s", "new", standing(&[2]), &[]);
        assert_eq!(ledger.given("s", "eu").begun, standing(&[]));
        let waits = |of: &[u8]| of.iter().map(|number| ("eu".to_string(), digest(*number))).collect();
        assert!(!ledger.may_write("s", None, || waits(&[7])), "what stands there matches nothing");
        assert!(ledger.may_write("s", None, || waits(&[7, 2])));
        ledger.retain(|_| false);
        assert_eq!(ledger.given("s", "eu"), GivenApprovals::default());
    }
}
