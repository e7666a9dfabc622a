//! The releases of syncs with stages: which one is on its way, and by which stages.
//!
//! A release begins when the source of a sync carries something new. Its stages are those of the spec at that moment. An
//! edit of them counts from the next release on; or once this one is through; or when a person or a tool requests a
//! reconciliation. Whether a stage is open is not decided here, but by the plan of each target, from what is live and
//! from the receipts.

use crate::api::{Object, ReleaseStatus, Stage, TargetStatus, TenantSyncSpec, TenantSyncStatus};
use crate::engine::model::canonical::Digest;
use crate::engine::model::stages::Underway;
use crate::engine::sync_rules::requested_at;
use std::collections::BTreeMap;

/// The state of a source and of a sync's spec, by their counters: the release is the same while they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SourceState {
    /// The number of the connection to the source.
    pub epoch: u64,
    /// The number of changes that this connection saw.
    pub changes: u64,
    /// The generation of the sync's spec.
    pub generation: i64,
}

/// The releases of a hub's syncs.
#[derive(Debug, Default)]
pub(super) struct Releases(BTreeMap<String, OnItsWay>);

/// The release of one sync.
#[derive(Debug)]
struct OnItsWay {
    /// The uid of the sync. A sync that is created again begins again.
    uid: String,
    digest: String,
    began: String,
    stages: Vec<Stage>,
    /// The request to reconcile that was considered last.
    requested: Option<String>,
    /// The state of the source for which the release was computed.
    computed_for: Option<SourceState>,
}

/// A sync as it is in the hub.
#[derive(Clone, Copy)]
pub(super) struct StagedSync<'a> {
    pub uid: &'a str,
    pub object: &'a Object<TenantSyncSpec>,
    /// Its status, as far as it was written.
    pub written: &'a TenantSyncStatus,
}

impl Releases {
    /// Whether the release of a sync must be computed.
    pub(super) fn is_stale(&self, sync: &str, uid: &str, state: SourceState) -> bool {
        self.0.get(sync).is_none_or(|known| known.uid != uid || known.computed_for != Some(state))
    }

    /// Takes the release that a sync carries now, if it was computed again, and begins it if it is new. `receipts` are
    /// those of its targets.
    pub(super) fn observe(
        &mut self,
        name: &str,
        sync: StagedSync<'_>,
        computed: Option<(&Digest, SourceState)>,
        receipts: &BTreeMap<String, String>,
        time: &str,
    ) {
        let spec = &sync.object.spec;
        let requested = requested_at(&sync.object.metadata);
        if self.0.get(name).is_none_or(|known| known.uid != sync.uid) {
            let resumed = OnItsWay::resumed(&sync);
            self.0.remove(name);
            self.0.extend(resumed.map(|resumed| (name.to_string(), resumed)));
        }
        let computed = computed.map(|(digest, state)| (digest.to_string(), state));
        let Some(known) = self.0.get_mut(name) else {
            self.0.extend(computed.map(|(digest, state)| {
                let (began, stages) = (time.to_string(), spec.stages.clone());
                let (uid, computed_for) = (sync.uid.to_string(), Some(state));
                (name.to_string(), OnItsWay { uid, digest, began, stages, requested, computed_for })
            }));
            return;
        };
        let is_new = computed.as_ref().is_some_and(|(digest, _)| known.digest != *digest);
        if let Some((digest, state)) = computed {
            (known.digest, known.computed_for) = (digest, Some(state));
        }
        let is_asked = requested.is_some() && requested != known.requested;
        known.requested = requested;
        if is_new || (known.stages != spec.stages && (is_asked || known.underway(receipts).is_through())) {
            known.stages.clone_from(&spec.stages);
            known.began = time.to_string();
        }
    }

    /// Returns what is remembered of a sync's release, with the receipts of its targets.
    pub(super) fn underway(&self, sync: &str, receipts: &BTreeMap<String, String>) -> Option<Underway> {
        Some(self.0.get(sync)?.underway(receipts))
    }

    /// Whether a target is in the first stage, of the release on its way as well as of the spec.
    pub(super) fn is_first(&self, sync: &str, spec: &TenantSyncSpec, target: &str) -> bool {
        let is_first = |stages: &[Stage]| stages.first().is_none_or(|stage| stage.to.iter().any(|to| to == target));
        is_first(&spec.stages) && self.0.get(sync).is_none_or(|known| is_first(&known.stages))
    }

    /// Whether an edit of the stages counts from now on, because the release is through.
    pub(super) fn has_edit_due(&self, sync: &str, spec: &TenantSyncSpec, receipts: &BTreeMap<String, String>) -> bool {
        let known = self.0.get(sync).filter(|known| known.stages != spec.stages);
        known.is_some_and(|known| known.underway(receipts).is_through())
    }

    /// Returns the release for the status of a sync.
    pub(super) fn status(&self, sync: &str, targets: &[TargetStatus]) -> Option<ReleaseStatus> {
        let known = self.0.get(sync)?;
        let stage = known.underway(&receipts(targets)).stage();
        Some(ReleaseStatus {
            digest: known.digest.clone(),
            began: known.began.clone(),
            stages: known.stages.clone(),
            stage: stage.and_then(|stage| i64::try_from(stage).ok()),
        })
    }

    /// Drops all other syncs.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|sync, _| is_there(sync));
    }
}

impl OnItsWay {
    /// Continues the release of an earlier operator process.
    fn resumed(sync: &StagedSync<'_>) -> Option<Self> {
        let ReleaseStatus { digest, began, stages, .. } = sync.written.release.clone()?;
        Some(OnItsWay {
            uid: sync.uid.to_string(),
            digest,
            began,
            stages,
            requested: sync.written.last_handled_reconcile_at.clone(),
            computed_for: None,
        })
    }

    fn underway(&self, receipts: &BTreeMap<String, String>) -> Underway {
        Underway { release: self.digest.clone(), stages: self.stages.clone(), receipts: receipts.clone() }
    }
}

/// The releases that targets have receipts for.
pub(super) fn receipts(targets: &[TargetStatus]) -> BTreeMap<String, String> {
    targets.iter().filter_map(|target| Some((target.tenant.clone(), target.release.clone()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::REQUESTED_AT;

    const STATE: SourceState = SourceState { epoch: 1, changes: 1, generation: 1 };

    fn stages(of: &[&[&str]]) -> Vec<Stage> {
        of.iter().map(|to| Stage { to: to.iter().map(ToString::to_string).collect() }).collect()
    }

    fn sync(of: &[&[&str]]) -> Object<TenantSyncSpec> {
        Object::new("s", TenantSyncSpec { stages: stages(of), ..TenantSyncSpec::default() })
    }

    fn digest(release: &str) -> Digest {
        Digest::of(release.as_bytes())
    }

    fn with_receipts(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(tenant, release)| (tenant.to_string(), digest(release).to_string())).collect()
    }

    /// Observes a release, and returns its digest, its beginning and its stages.
    fn observed(
        releases: &mut Releases,
        object: &Object<TenantSyncSpec>,
        release: &str,
        receipts: &[(&str, &str)],
        time: &str,
    ) -> (Digest, String, Vec<Stage>) {
        let written = TenantSyncStatus::default();
        let sync = StagedSync { uid: "uid", object, written: &written };
        releases.observe("s", sync, Some((&digest(release), STATE)), &with_receipts(receipts), time);
        let known = &releases.0["s"];
        assert_eq!(known.digest, digest(release).to_string());
        (digest(release), known.began.clone(), known.stages.clone())
    }

    /// "targets are fixed when it begins".
    #[test]
    fn an_edit_of_the_stages_counts_from_the_next_release_on() {
        let mut releases = Releases::default();
        let (before, after) = (sync(&[&["a"], &["b"]]), sync(&[&["b"], &["c"]]));
        assert_eq!(observed(&mut releases, &before, "r1", &[], "1").2, before.spec.stages);
        let (_, began, stages) = observed(&mut releases, &after, "r1", &[("a", "r1")], "2");
        assert_eq!((began.as_str(), &stages), ("1", &before.spec.stages));
        assert!(!releases.is_first("s", &after.spec, "a") && !releases.is_first("s", &after.spec, "b"));
        let (_, began, stages) = observed(&mut releases, &after, "r2", &[("a", "r1")], "3");
        assert_eq!((began.as_str(), &stages), ("3", &after.spec.stages));
        assert!(releases.is_first("s", &after.spec, "b") && !releases.is_first("s", &after.spec, "c"));
    }

    #[test]
    fn an_edit_of_the_stages_counts_once_the_release_is_through_or_when_it_is_asked_for() {
        let (before, mut after) = (sync(&[&["a"], &["b"]]), sync(&[&["a"], &["b"], &["c"]]));
        let through: &[(&str, &str)] = &[("a", "r1"), ("b", "r1")];
        let mut releases = Releases::default();
        observed(&mut releases, &before, "r1", &[], "1");
        assert!(!releases.has_edit_due("s", &before.spec, &with_receipts(through)), "it is no edit");
        assert!(!releases.has_edit_due("s", &after.spec, &with_receipts(&[("a", "r1")])));
        assert!(releases.has_edit_due("s", &after.spec, &with_receipts(through)));
        let (_, began, stages) = observed(&mut releases, &after, "r1", through, "2");
        assert_eq!((began.as_str(), &stages), ("2", &after.spec.stages));
        let mut releases = Releases::default();
        observed(&mut releases, &before, "r1", &[], "1");
        after.metadata.annotations.insert(REQUESTED_AT.into(), "now".into());
        assert_eq!(observed(&mut releases, &after, "r1", &[], "2").2, after.spec.stages);
        // A request that was considered is none.
        after.spec.stages = stages_of_three();
        assert_ne!(observed(&mut releases, &after, "r1", &[], "3").2, after.spec.stages);
    }

    fn stages_of_three() -> Vec<Stage> {
        stages(&[&["a"], &["x"], &["b"]])
    }

    #[test]
    fn another_process_goes_on_with_the_release_of_the_status() {
        let object = sync(&[&["b"], &["a"]]);
        let release = ReleaseStatus {
            digest: digest("r1").to_string(),
            began: "1".into(),
            stages: stages(&[&["a"], &["b"]]),
            stage: Some(2),
        };
        let written = TenantSyncStatus { release: Some(release.clone()), ..TenantSyncStatus::default() };
        let observe = |uid: &str, written: &TenantSyncStatus| {
            let mut releases = Releases::default();
            let sync = StagedSync { uid, object: &object, written };
            assert!(releases.is_stale("s", uid, STATE));
            releases.observe("s", sync, Some((&digest("r1"), STATE)), &with_receipts(&[("a", "r1")]), "2");
            assert!(!releases.is_stale("s", uid, STATE) && releases.is_stale("s", "other", STATE));
            let a =
                TargetStatus { tenant: "a".into(), release: Some(digest("r1").to_string()), ..TargetStatus::default() };
            releases.status("s", &[a]).unwrap()
        };
        assert_eq!(observe("uid", &written), release);
        // A sync that is created again has no status.
        let new = observe("uid", &TenantSyncStatus::default());
        assert_eq!((new.began.as_str(), new.stages, new.stage), ("2", object.spec.stages.clone(), Some(1)));
    }

    #[test]
    fn a_source_that_cannot_be_read_begins_nothing() {
        let (object, written) = (sync(&[&["a"], &["b"]]), TenantSyncStatus::default());
        let mut releases = Releases::default();
        let staged = StagedSync { uid: "uid", object: &object, written: &written };
        releases.observe("s", staged, None, &BTreeMap::new(), "1");
        assert!(releases.underway("s", &BTreeMap::new()).is_none() && releases.is_stale("s", "uid", STATE));
        releases.observe("s", staged, Some((&digest("r1"), STATE)), &BTreeMap::new(), "2");
        releases.observe("s", staged, None, &BTreeMap::new(), "3");
        assert_eq!(releases.underway("s", &BTreeMap::new()).unwrap().release, digest("r1").to_string());
        releases.retain(|_| false);
        assert!(releases.underway("s", &BTreeMap::new()).is_none());
    }
}
