//! The approvals of a hub's syncs, and of the sources in Git of its Tenants. They are kept in the statuses of these
//! objects, where only the operator writes, are bound to the annotation that gave them, and are consumed when carried
//! out. A recurring change needs a new approval.

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
/// Maximum number of actions over all approvals of an object, because a status has limited size. An approval with more
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

/// The approvals of one TenantSync or Tenant.
#[derive(Debug, Default)]
struct OfObject {
    /// The uid of the object. One that is created again has no approvals.
    uid: String,
    /// The digests in its annotation.
    standing: BTreeSet<String>,
    /// The remaining actions of each approval that was begun, by target and digest. None left: it is consumed.
    begun: Left,
    /// The same, as written to the status.
    written: Left,
}

type Left = BTreeMap<(String, String), BTreeSet<Short>>;

/// The approvals of a hub. Each is written to the status of its object before it is used.
#[derive(Debug)]
pub(super) struct Ledger {
    server: Server,
    paths: Paths,
    state: Mutex<BTreeMap<ObjectId, OfObject>>,
    /// Serializes writes, because each one writes everything that is known.
    writing: Mutex<()>,
}

/// Returns the object whose annotation approves what a writer wants in a target: the TenantSync, or the Tenant of a
/// source. `None`: no annotation does.
pub(super) fn approved_at(writer: &Writer, target: &str) -> Option<ObjectId> {
    match writer {
        Writer::Sync(sync) => Some(ObjectId::new(Kind::TenantSync, sync)),
        Writer::Source => Some(ObjectId::new(Kind::Tenant, target)),
        Writer::Promote(_) | Writer::Adopt => None,
    }
}

/// Returns the writer that an object's annotation approves.
fn writer_of(object: &ObjectId) -> Writer {
    match object.kind {
        Kind::Tenant => Writer::Source,
        _ => Writer::Sync(object.name.clone()),
    }
}

/// The state of the digests in an annotation, for one target.
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
    /// Creates the approvals of a namespace.
    pub(super) fn new(server: Server, paths: Paths) -> Self {
        Ledger { server, paths, state: Mutex::default(), writing: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, BTreeMap<ObjectId, OfObject>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the digests in the annotation of an object. For one that was not known, or is another one now, also the
    /// begun approvals of its status. An approval whose digest was removed from the annotation ends.
    pub(super) fn observe(&self, object: &ObjectId, uid: &str, standing: BTreeSet<String>, written: &[ApprovalStatus]) {
        let mut state = self.state();
        let known = state.entry(object.clone()).or_default();
        if known.uid != uid {
            let begun = written.iter().map(|a| ((a.tenant.clone(), a.digest.clone()), unpacked(&a.left)));
            let begun: Left = begun.collect();
            *known = OfObject { uid: uid.to_string(), written: begun.clone(), begun, ..OfObject::default() };
        }
        known.begun.retain(|(_, digest), _| standing.contains(digest));
        known.standing = standing;
    }

    /// Returns the uid of a sync.
    pub(super) fn uid(&self, sync: &str) -> Option<String> {
        let state = self.state();
        state.get(&ObjectId::new(Kind::TenantSync, sync)).map(|known| known.uid.clone()).filter(|uid| !uid.is_empty())
    }

    /// Drops all other objects.
    pub(super) fn retain(&self, is_there: impl Fn(&ObjectId) -> bool) {
        self.state().retain(|object, _| is_there(object));
    }

    /// Returns the state of the digests that approve what a writer wants in a target.
    pub(super) fn given(&self, writer: &Writer, target: &str) -> GivenApprovals {
        let state = self.state();
        let known = approved_at(writer, target).and_then(|object| state.get(&object));
        let Some(known) = known else { return GivenApprovals::default() };
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
        let (state, unknown) = (self.state(), OfObject::default());
        let known = state.get(&ObjectId::new(Kind::TenantSync, sync)).unwrap_or(&unknown);
        let begun =
            known.begun.iter().map(|((tenant, digest), left)| Begun { tenant, digest, is_spent: left.is_empty() });
        sync_rules::may_write(mode, &known.standing, begun, waits)
    }

    /// Drops the remaining approved actions of these writers in a target that are no longer planned: they are done, or
    /// no longer needed. Only for a full plan in which everything could be read.
    pub(super) fn narrow(
        self: &Arc<Self>,
        writers: impl Iterator<Item = Writer>,
        plan: &Plan,
        target: &str,
    ) -> Result<(), LocationError> {
        let in_full = self.of(plan).in_full(target);
        let is_done = |short: &Short| !in_full.contains_key(short);
        for object in writers.filter_map(|writer| approved_at(&writer, target)) {
            let is_narrower = {
                let state = self.state();
                let begun = state.get(&object).into_iter().flat_map(|known| &known.begun);
                begun.into_iter().any(|((tenant, _), left)| tenant == target && left.iter().any(is_done))
            };
            if is_narrower {
                self.change(&object, |known| {
                    let of_target = known.begun.iter_mut().filter(|((tenant, _), _)| tenant == target);
                    of_target.for_each(|(_, left)| left.retain(|short| !is_done(short)));
                })?;
            }
        }
        Ok(())
    }

    /// Returns the objects whose status still has an approval that was withdrawn. If it were given again, it would count
    /// as consumed after a restart.
    pub(super) fn to_forget(&self) -> Vec<ObjectId> {
        let state = self.state();
        let stands = |known: &OfObject| known.written.keys().any(|approval| !known.begun.contains_key(approval));
        state.iter().filter(|(_, known)| stands(known)).map(|(object, _)| object.clone()).collect()
    }

    /// Removes withdrawn approvals from the status of an object.
    pub(super) fn forget(&self, object: &ObjectId) -> Result<(), LocationError> {
        self.change(object, |_| {})
    }

    /// Writes a change of an object's approvals to its status, and then applies it.
    fn change(&self, object: &ObjectId, change: impl FnOnce(&mut OfObject)) -> Result<(), LocationError> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (uid, written, mut begun) = {
            let state = self.state();
            let Some(known) = state.get(object) else { return Ok(()) };
            let begun = OfObject { begun: known.begun.clone(), ..OfObject::default() };
            (known.uid.clone(), known.written.clone(), begun)
        };
        change(&mut begun);
        if begun.begun == written {
            return Ok(());
        }
        let approvals: Vec<ApprovalStatus> = begun.begun.iter().map(status).collect();
        let body = json!({
            "apiVersion": API_VERSION, "kind": object.kind.as_str(), "metadata": {"name": object.name, "uid": uid},
            "status": {"approvals": approvals},
        });
        let request = ApiRequest::apply_by(format!("{}/status", self.paths.object(object)), MANAGER, to_bytes(&body));
        let resource = if object.kind == Kind::Tenant { "tenants/status" } else { "tenantsyncs/status" };
        let doing = RequestContext { verb: "patch", resource, object: None };
        let answer = self.server.wait(self.server.request(&request));
        answer.map_err(|failure| explained(failure, &self.server, &self.paths, &doing))?;
        if let Some(known) = self.state().get_mut(object).filter(|known| known.uid == uid) {
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

/// The approvals of the writers of the target of a plan. Approvals keep only the beginning of each digest; the plan has
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

    fn objects(&self) -> Vec<ObjectId> {
        self.ledger.state().keys().cloned().collect()
    }
}

impl Approvals for OfPlan<'_> {
    fn kept(&self, tenant: &str) -> Result<Vec<StoredApproval>, LocationError> {
        let in_full = self.in_full(tenant);
        let state = self.ledger.state();
        let begun = state.iter().flat_map(|(object, known)| known.begun.iter().map(move |begun| (object, begun)));
        let of_tenant = begun.filter(|(_, ((of, _), left))| of == tenant && !left.is_empty());
        let kept = of_tenant.map(|(object, ((_, digest), left))| StoredApproval {
            given: [digest.clone()].into(),
            of: [writer_of(object).to_string()].into(),
            covers: left.iter().filter_map(|short| in_full.get(short)).cloned().collect(),
        });
        Ok(kept.collect())
    }

    fn keep(&self, tenant: &str, new: &[StoredApproval]) -> Result<(), LocationError> {
        for kept in new {
            for writer in &kept.of {
                let object = Writer::parse(writer).and_then(|writer| approved_at(&writer, tenant));
                let Some(object) = object else { continue };
                let left: BTreeSet<Short> = kept.covers.iter().filter_map(|digest| short(digest)).collect();
                self.ledger.change(&object, |known| {
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
        for object in self.objects() {
            self.ledger.change(&object, |known| {
                for ((of, digest), begun) in known.begun.iter_mut().filter(|(_, begun)| !begun.is_empty()) {
                    if of != tenant {
                        continue;
                    }
                    let covers: BTreeSet<String> = begun.iter().filter_map(|s| in_full.get(s)).cloned().collect();
                    let writer = writer_of(&object).to_string();
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

    fn sync() -> ObjectId {
        ObjectId::new(Kind::TenantSync, "s")
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
        ledger.observe(&sync(), "uid", standing(&[1, 2, 3]), &status);
        let given = ledger.given(&Writer::Sync("s".into()), "eu");
        assert_eq!((given.spent, given.begun, given.usable), (standing(&[1]), standing(&[2]), standing(&[2, 3])));
        // Another target has its own.
        assert_eq!(ledger.given(&Writer::Sync("s".into()), "us").usable, standing(&[1, 2, 3]));
        // An approver adds a digest: the old ones do not become usable again.
        ledger.observe(&sync(), "uid", standing(&[1, 2, 3, 4]), &[]);
        assert_eq!(ledger.given(&Writer::Sync("s".into()), "eu").spent, standing(&[1]));
        // Withdrawn and given again.
        assert_eq!(ledger.to_forget(), []);
        ledger.observe(&sync(), "uid", standing(&[2]), &status);
        assert_eq!(ledger.to_forget(), [sync()]);
        ledger.observe(&sync(), "uid", standing(&[1, 2]), &status);
        assert_eq!(ledger.given(&Writer::Sync("s".into()), "eu").usable, standing(&[1, 2]));
    }

    /// The source of a tenant is approved at its Tenant, and at no TenantSync of the same name.
    #[test]
    fn a_source_is_approved_at_its_tenant() {
        let ledger = ledger();
        ledger.observe(&ObjectId::new(Kind::Tenant, "eu"), "uid", standing(&[1]), &[]);
        ledger.observe(&ObjectId::new(Kind::TenantSync, "eu"), "uid", standing(&[2]), &[]);
        assert_eq!(ledger.given(&Writer::Source, "eu").usable, standing(&[1]));
        assert_eq!(ledger.given(&Writer::Source, "us").usable, standing(&[]));
        assert_eq!(ledger.given(&Writer::Sync("eu".into()), "eu").usable, standing(&[2]));
    }

    #[test]
    fn a_new_object_has_no_earlier_approvals() {
        let ledger = ledger();
        ledger.observe(&sync(), "old", standing(&[2]), &[written(2, &[9])]);
        ledger.observe(&sync(), "new", standing(&[2]), &[]);
        assert_eq!(ledger.given(&Writer::Sync("s".into()), "eu").begun, standing(&[]));
        let waits = |of: &[u8]| of.iter().map(|number| ("eu".to_string(), digest(*number))).collect();
        assert!(!ledger.may_write("s", None, || waits(&[7])), "what stands there matches nothing");
        assert!(ledger.may_write("s", None, || waits(&[7, 2])));
        ledger.retain(|_| false);
        assert_eq!(ledger.given(&Writer::Sync("s".into()), "eu"), GivenApprovals::default());
    }
}
