//! What was approved of the syncs of a hub: kept in their statuses, where only the operator writes, bound to the
//! annotation that gave it, and spent when it is carried out. What recurs needs a new approval.

use crate::api::{API_VERSION, ApprovalStatus, Kind, SyncMode};
use crate::apply::consent::{Approvals, KeptApproval};
use crate::apply::covered;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Plan, Target};
use crate::engine::model::record::Writer;
use crate::engine::sync_rules;
use crate::engine::sync_rules::Begun;
use crate::kubernetes::client::{Ask, Server};
use crate::kubernetes::error::{RequestContext, explained};
use crate::kubernetes::paths::Paths;
use crate::tenant::cluster::body::to_bytes;
use crate::tenant::location::LocationError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who writes approvals to a status: the other parts of it are written meanwhile.
const MANAGER: &str = "stablekey-syncer-approvals";
/// How much of a digest is kept of each action that an approval covers, in bytes.
const SHORT: usize = 16;
/// How many actions are kept over all approvals of a sync: a status has room for little more. One with more is
/// spent as it is begun.
const ROOM: usize = 40_000;
type Short = [u8; SHORT];

/// The beginning of a digest; `None` where it is none.
fn short(digest: &str) -> Option<Short> {
    let digits = digest.strip_prefix("sha256:")?.get(..2 * SHORT)?;
    let mut out = [0; SHORT];
    for (byte, at) in out.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(out)
}

/// What was approved of one sync.
#[derive(Debug, Default)]
struct OfSync {
    /// Which object: one that is made again was approved nothing.
    uid: String,
    /// The digests that stand in its annotation.
    standing: BTreeSet<String>,
    /// What is left of each approval that was begun, by target and digest. Nothing left: it is spent.
    begun: Left,
    /// The same, as the status has it.
    written: Left,
}

type Left = BTreeMap<(String, String), BTreeSet<Short>>;

/// The approvals of a hub. Each is written to the status of its sync before anything is done by it.
#[derive(Debug)]
pub struct Ledger {
    server: Server,
    paths: Paths,
    state: Mutex<BTreeMap<String, OfSync>>,
    /// One write at a time: what is written is all that is known.
    writing: Mutex<()>,
}

/// What is known of the digests that a sync's annotation has, in one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenApprovals {
    /// Those that may still be used.
    pub usable: BTreeSet<String>,
    /// Those of which a part is carried out.
    pub begun: BTreeSet<String>,
    /// Those that were carried out.
    pub spent: BTreeSet<String>,
}

impl Ledger {
    /// Of the syncs of a namespace.
    pub fn new(server: Server, paths: Paths) -> Self {
        Ledger { server, paths, state: Mutex::default(), writing: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, BTreeMap<String, OfSync>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a sync's annotation says; of one that was not known, or is another object, what its status
    /// says was begun. An approval that is taken back ends.
    pub fn observe(&self, sync: &str, uid: &str, standing: BTreeSet<String>, written: &[ApprovalStatus]) {
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

    /// The uid of a sync.
    pub fn uid(&self, sync: &str) -> Option<String> {
        self.state().get(sync).map(|known| known.uid.clone()).filter(|uid| !uid.is_empty())
    }

    /// Only these syncs are left.
    pub fn retain(&self, is_there: impl Fn(&str) -> bool) {
        self.state().retain(|sync, _| is_there(sync));
    }

    /// What is known of the digests of a sync's annotation in one target.
    pub fn given(&self, sync: &str, target: &str) -> GivenApprovals {
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
    pub fn may_write(
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

    /// Of what is left of the approvals of these syncs in a target, only what is planned there stays: the rest is done,
    /// or was taken back. Of a whole plan in which everything could be read.
    pub fn narrow<'s>(
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

    /// The syncs of which an approval that was taken back stands in the status still: given again it would count as
    /// spent after a restart.
    pub fn to_forget(&self) -> Vec<String> {
        let state = self.state();
        let stands = |known: &OfSync| known.written.keys().any(|approval| !known.begun.contains_key(approval));
        state.iter().filter(|(_, known)| stands(known)).map(|(sync, _)| sync.clone()).collect()
    }

    /// Takes what was taken back out of the status of a sync.
    pub fn forget(&self, sync: &str) -> Result<(), LocationError> {
        self.change(sync, |_| {})
    }

    /// Changes what is known of a sync, once that is written.
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
        let ask = Ask::apply_by(format!("{}/status", self.paths.object(&id)), MANAGER, to_bytes(&body));
        let doing = RequestContext { verb: "patch", resource: "tenantsyncs/status", object: None };
        let answer = self.server.wait(self.server.ask(&ask));
        answer.map_err(|trouble| explained(trouble, &self.server, &self.paths, &doing))?;
        if let Some(known) = self.state().get_mut(sync).filter(|known| known.uid == uid) {
            known.written = begun.begun.clone();
            // What was taken back meanwhile stays so.
            known.begun = begun.begun.into_iter().filter(|((_, digest), _)| known.standing.contains(digest)).collect();
        }
        Ok(())
    }

    /// What a pass that planned this uses of it.
    pub fn of<'l>(self: &'l Arc<Self>, plan: &'l Plan) -> OfPlan<'l> {
        OfPlan { ledger: self, plan }
    }
}

fn status(((tenant, digest), left): (&(String, String), &BTreeSet<Short>)) -> ApprovalStatus {
    let bytes: Vec<u8> = left.iter().flatten().copied().collect();
    let left = (!bytes.is_empty()).then(|| STANDARD_NO_PAD.encode(bytes));
    ApprovalStatus { tenant: tenant.clone(), digest: digest.clone(), left }
}

/// What cannot be read is spent.
fn unpacked(left: &Option<String>) -> BTreeSet<Short> {
    let bytes = left.as_ref().and_then(|left| STANDARD_NO_PAD.decode(left).ok()).unwrap_or_default();
    bytes.chunks_exact(SHORT).filter_map(|chunk| chunk.try_into().ok()).collect()
}

/// The approvals of the syncs into the target of a plan. What is kept of an action is the beginning of its digest,
/// which says in full only what the plan has.
pub struct OfPlan<'l> {
    ledger: &'l Ledger,
    plan: &'l Plan,
}

impl OfPlan<'_> {
    fn target(&self, tenant: &str) -> Option<&Target> {
        self.plan.targets.iter().find(|target| target.tenant == tenant)
    }

    fn in_full(&self, tenant: &str) -> BTreeMap<Short, String> {
        let actions = self.target(tenant).into_iter().flat_map(|target| &target.actions);
        actions.flat_map(covered).filter_map(|digest| Some((short(&digest)?, digest))).collect()
    }

    fn syncs(&self) -> Vec<String> {
        self.ledger.state().keys().cloned().collect()
    }
}

impl Approvals for OfPlan<'_> {
    fn kept(&self, tenant: &str) -> Result<Vec<KeptApproval>, LocationError> {
        let in_full = self.in_full(tenant);
        let state = self.ledger.state();
        let begun = state.iter().flat_map(|(sync, known)| known.begun.iter().map(move |begun| (sync, begun)));
        let of_tenant = begun.filter(|(_, ((of, _), left))| of == tenant && !left.is_empty());
        let kept = of_tenant.map(|(sync, ((_, digest), left))| KeptApproval {
            given: [digest.clone()].into(),
            of: [Writer::Sync(sync.clone()).to_string()].into(),
            covers: left.iter().filter_map(|short| in_full.get(short)).cloned().collect(),
        });
        Ok(kept.collect())
    }

    fn keep(&self, tenant: &str, new: &[KeptApproval]) -> Result<(), LocationError> {
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

    fn consume(&self, tenant: &str, left: &mut dyn FnMut(&mut KeptApproval) -> bool) -> Result<(), LocationError> {
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
                        KeptApproval { given: [digest.clone()].into(), of: [writer].into(), covers: covers.clone() };
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
        let patience = std::time::Duration::from_secs(1);
        Ledger::new(Server::new(client, Arc::new(runtime), "nowhere", patience), Paths::of("hub"))
    }

    fn written(number: u8, left: &[u8]) -> ApprovalStatus {
        let left: BTreeSet<Short> = left.iter().filter_map(|number| short(&digest(*number))).collect();
        status((&("eu".to_string(), digest(number)), &left))
    }

    fn standing(numbers: &[u8]) -> BTreeSet<String> {
        numbers.iter().map(|number| digest(*number)).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let approval = written(7, &[1, 2, 3]);
        assert_eq!(unpacked(&approval.left).len(), 3);
        assert_eq!(unpacked(&written(7, &[]).left).len(), 0);
        assert_eq!(unpacked(&Some("no base64!".to_string())).len(), 0);
        assert!(short("sha256:zz").is_none() && short(&digest(9)).is_some());
    }

    /// "Bound to the annotation that gave it, and consumed when carried out: what recurs needs a new approval."
    #[test]
    fn what_is_spent_stays_so_while_it_stands_in_the_annotation() {
        let ledger = ledger();
        let status = [written(1, &[]), written(2, &[9])];
        ledger.observe("s", "uid", standing(&[1, 2, 3]), &status);
        let given = ledger.given("s", "eu");
        assert_eq!((given.spent, given.begun, given.usable), (standing(&[1]), standing(&[2]), standing(&[2, 3])));
        // Another target has its own.
        assert_eq!(ledger.given("s", "us").usable, standing(&[1, 2, 3]));
        // An approver adds one: the old ones are no newer by that.
        ledger.observe("s", "uid", standing(&[1, 2, 3, 4]), &[]);
        assert_eq!(ledger.given("s", "eu").spent, standing(&[1]));
        // Taken back and given again.
        assert_eq!(ledger.to_forget(), [""; 0]);
        ledger.observe("s", "uid", standing(&[2]), &status);
        assert_eq!(ledger.to_forget(), ["s"]);
        ledger.observe("s", "uid", standing(&[1, 2]), &status);
        assert_eq!(ledger.given("s", "eu").usable, standing(&[1, 2]));
    }

    #[test]
    fn an_object_that_is_made_again_was_approved_nothing_before() {
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
