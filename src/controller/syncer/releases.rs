//! The releases of syncs with stages: which one is on its way, and by which stages.
//!
//! A release begins when the source of a sync carries something new. Its stages are those of the spec at that moment. An
//! edit of them, also one to `to`, counts from the next release on; or once this one is through; or when a person or a
//! tool requests a reconciliation. Until then the remembered stages hold, whatever the spec says: [`Releases::stages`] is
//! the one place that knows. Whether a stage is open is not decided here, but by the plan of each target, from what is
//! live and from the receipts.

use crate::api::{Object, ReleaseStatus, Stage, TenantSyncSpec, TenantSyncStatus};
use crate::engine::model::canonical::Digest;
use crate::engine::model::stages::Underway;
use crate::engine::sync_rules::requested_at;
use std::collections::{BTreeMap, BTreeSet};

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
pub(super) struct Releases {
    syncs: BTreeMap<String, KnownSync>,
    /// The number of releases that began or were resumed so far.
    begun: u64,
}

/// What is remembered of one sync.
#[derive(Debug)]
struct KnownSync {
    /// The uid of the sync. A sync that is created again begins again.
    uid: String,
    /// The request to reconcile that was considered last.
    requested: Option<String>,
    /// The release on its way, or the last one; `None` without stages.
    release: Option<OnItsWay>,
}

/// The release of one sync.
#[derive(Debug)]
struct OnItsWay {
    underway: Underway,
    began: String,
    number: ReleaseNumber,
    /// The state of the source for which the release was computed.
    computed_for: Option<SourceState>,
}

/// A release of a sync, as this process knows it: one that begins again has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReleaseNumber(u64);

/// A release of a sync that is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BegunRelease {
    pub number: ReleaseNumber,
    pub underway: Underway,
}

/// A release on its way through the stages of a sync, in one target.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReleaseHere<'a> {
    pub digest: &'a str,
    /// The position of the target's stage; `None`: it takes part from the next release on.
    pub stage: Option<usize>,
    /// The release that the target had a receipt for before.
    pub before: Option<&'a str>,
}

impl BegunRelease {
    /// Returns the release in a target. `before` is the release that the target had a receipt for: one that began again
    /// since is another.
    pub(super) fn here<'a>(&'a self, target: &str, before: Option<&'a str>) -> ReleaseHere<'a> {
        let Underway { release, stages, .. } = &self.underway;
        ReleaseHere {
            digest: release,
            stage: stages.iter().position(|stage| stage.to.iter().any(|to| to == target)),
            before: before.filter(|before| before != release || self.underway.has_receipt(target)),
        }
    }
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
    /// Takes up the release that an earlier operator process wrote to the status of a sync; returns whether this is
    /// another sync of a known name. One that is known goes on.
    pub(super) fn resume(&mut self, name: &str, uid: &str, written: &TenantSyncStatus) -> bool {
        let known = self.syncs.get(name);
        if known.is_some_and(|known| known.uid == uid) {
            return false;
        }
        let is_another = known.is_some();
        self.begun += 1;
        let release = written.release.clone().filter(|release| !release.stages.is_empty());
        let release = release.map(|release| OnItsWay::resumed(release, ReleaseNumber(self.begun)));
        let requested = written.last_handled_reconcile_at.clone();
        self.syncs.insert(name.to_string(), KnownSync { uid: uid.to_string(), requested, release });
        is_another
    }

    /// Whether the release of a sync must be computed.
    pub(super) fn is_stale(&self, sync: &str, uid: &str, state: SourceState) -> bool {
        let known = self.syncs.get(sync).filter(|known| known.uid == uid);
        known.and_then(|known| known.release.as_ref()).is_none_or(|release| release.computed_for != Some(state))
    }

    /// Takes the release that a sync carries now, if it was computed again, and begins it if it is new.
    pub(super) fn observe(
        &mut self,
        name: &str,
        sync: StagedSync<'_>,
        computed: Option<(&Digest, SourceState)>,
        time: &str,
    ) {
        self.resume(name, sync.uid, sync.written);
        let Some(known) = self.syncs.get_mut(name) else { return };
        let spec = &sync.object.spec.stages;
        let requested = requested_at(&sync.object.metadata);
        let is_asked = requested.is_some() && requested != known.requested;
        known.requested = requested;
        let computed = computed.map(|(digest, state)| (digest.to_string(), state));
        let Some(release) = &mut known.release else {
            if let Some((release, state)) = computed.filter(|_| !spec.is_empty()) {
                self.begun += 1;
                known.release = Some(OnItsWay {
                    underway: Underway { release, stages: spec.clone(), received: BTreeSet::new() },
                    began: time.to_string(),
                    number: ReleaseNumber(self.begun),
                    computed_for: Some(state),
                });
            }
            return;
        };
        let carried = computed.as_ref().map(|(digest, _)| digest.as_str());
        let is_new = carried.is_some_and(|carried| carried != release.underway.release);
        let begins = release.underway.goes_on(carried, spec, is_asked);
        if let Some((_, state)) = computed {
            release.computed_for = Some(state);
        }
        if is_new {
            self.begun += 1;
            release.number = ReleaseNumber(self.begun);
        }
        if begins {
            release.began = time.to_string();
        }
        if release.underway.stages.is_empty() {
            // All of its targets are open from now on.
            known.release = None;
        }
    }

    /// Records the receipt of a target. One for a release that is no longer on its way, or that began again since, is
    /// none.
    pub(super) fn received(&mut self, sync: &str, target: &str, number: ReleaseNumber) {
        let release = self.syncs.get_mut(sync).and_then(|known| known.release.as_mut());
        if let Some(release) = release.filter(|release| release.number == number) {
            release.underway.received.insert(target.to_string());
        }
    }

    fn on_its_way(&self, sync: &str) -> Option<&OnItsWay> {
        self.syncs.get(sync)?.release.as_ref()
    }

    /// Returns what is remembered of a sync's release.
    pub(super) fn underway(&self, sync: &str) -> Option<&Underway> {
        Some(&self.on_its_way(sync)?.underway)
    }

    /// Returns the release of a sync that is on its way.
    pub(super) fn begun(&self, sync: &str) -> Option<BegunRelease> {
        let OnItsWay { underway, number, .. } = self.on_its_way(sync)?;
        Some(BegunRelease { number: *number, underway: underway.clone() })
    }

    /// Returns the stages that hold for a sync: those of the release on its way, else those of the spec. None: all of
    /// its targets are open.
    pub(super) fn stages<'a>(&'a self, sync: &str, spec: &'a TenantSyncSpec) -> &'a [Stage] {
        self.underway(sync).map_or(&spec.stages, |underway| &underway.stages)
    }

    /// Whether a sync has stages: those that hold, or those that an edit gives it.
    pub(super) fn has_stages(&self, sync: &str, spec: &TenantSyncSpec) -> bool {
        !spec.stages.is_empty() || !self.stages(sync, spec).is_empty()
    }

    /// Returns the targets of the stages before a target's own, by the stages that hold and by those of the spec, which
    /// may hold from the next reconcile on.
    pub(super) fn earlier<'a>(
        &'a self,
        sync: &str,
        spec: &'a TenantSyncSpec,
        target: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let is_before = move |stage: &&Stage| !stage.to.iter().any(|to| to == target);
        let earlier = move |stages: &'a [Stage]| stages.iter().take_while(is_before).flat_map(|stage| &stage.to);
        earlier(self.stages(sync, spec)).chain(earlier(&spec.stages)).map(String::as_str)
    }

    /// Whether a target is in the first stage, of the release on its way as well as of the spec.
    pub(super) fn is_first(&self, sync: &str, spec: &TenantSyncSpec, target: &str) -> bool {
        let is_first = |stages: &[Stage]| stages.first().is_none_or(|stage| stage.to.iter().any(|to| to == target));
        is_first(&spec.stages) && is_first(self.stages(sync, spec))
    }

    /// Whether an edit of the stages counts from now on, because the release is through.
    pub(super) fn has_edit_due(&self, sync: &str, spec: &TenantSyncSpec) -> bool {
        self.underway(sync).is_some_and(|underway| underway.stages != spec.stages && underway.is_through())
    }

    /// Returns the release for the status of a sync.
    pub(super) fn status(&self, sync: &str) -> Option<ReleaseStatus> {
        let OnItsWay { underway, began, .. } = self.on_its_way(sync)?;
        let of_stages: BTreeSet<&String> = underway.stages.iter().flat_map(|stage| &stage.to).collect();
        Some(ReleaseStatus {
            digest: underway.release.clone(),
            began: began.clone(),
            stages: underway.stages.clone(),
            stage: underway.stage().and_then(|stage| i64::try_from(stage).ok()),
            received_by: underway.received.iter().filter(|tenant| of_stages.contains(tenant)).cloned().collect(),
        })
    }

    /// Drops all other syncs.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.syncs.retain(|sync, _| is_there(sync));
    }
}

impl OnItsWay {
    fn resumed(release: ReleaseStatus, number: ReleaseNumber) -> Self {
        let ReleaseStatus { digest, began, stages, stage: _, received_by } = release;
        let underway = Underway { release: digest, stages, received: received_by.into_iter().collect() };
        OnItsWay { underway, began, number, computed_for: None }
    }
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

    /// The same sync with `to` instead of stages.
    fn unstaged(to: &[&str]) -> Object<TenantSyncSpec> {
        let to = to.iter().map(ToString::to_string).collect();
        Object::new("s", TenantSyncSpec { to, ..TenantSyncSpec::default() })
    }

    fn digest(release: &str) -> Digest {
        Digest::of(release.as_bytes())
    }

    fn observe(releases: &mut Releases, object: &Object<TenantSyncSpec>, release: &str, time: &str) {
        let written = TenantSyncStatus::default();
        let sync = StagedSync { uid: "uid", object, written: &written };
        releases.observe("s", sync, Some((&digest(release), STATE)), time);
    }

    /// Targets that are found in sync by a reconcile that begins and ends now.
    fn receive(releases: &mut Releases, targets: &[&str]) {
        let number = releases.begun("s").unwrap().number;
        targets.iter().for_each(|target| releases.received("s", target, number));
    }

    /// When the release of the sync began, and its stages.
    fn known(releases: &Releases) -> (String, Vec<Stage>) {
        let status = releases.status("s").unwrap();
        (status.began, status.stages)
    }

    /// "targets are fixed when it begins".
    #[test]
    fn an_edit_of_the_stages_counts_from_the_next_release_on() {
        let mut releases = Releases::default();
        let (before, after) = (sync(&[&["a"], &["b"]]), sync(&[&["b"], &["c"]]));
        observe(&mut releases, &before, "r1", "1");
        receive(&mut releases, &["a"]);
        observe(&mut releases, &after, "r1", "2");
        assert_eq!(known(&releases), ("1".to_string(), before.spec.stages.clone()));
        assert!(!releases.is_first("s", &after.spec, "a") && !releases.is_first("s", &after.spec, "b"));
        assert_eq!(releases.stages("s", &after.spec), before.spec.stages);
        assert_eq!(releases.stages("another", &after.spec), after.spec.stages);
        observe(&mut releases, &after, "r2", "3");
        assert_eq!(known(&releases), ("3".to_string(), after.spec.stages.clone()));
        assert!(releases.is_first("s", &after.spec, "b") && !releases.is_first("s", &after.spec, "c"));
    }

    #[test]
    fn an_edit_of_the_stages_counts_once_the_release_is_through_or_when_it_is_asked_for() {
        let (before, mut after) = (sync(&[&["a"], &["b"]]), sync(&[&["a"], &["b"], &["c"]]));
        let mut releases = Releases::default();
        observe(&mut releases, &before, "r1", "1");
        receive(&mut releases, &["a"]);
        assert!(!releases.has_edit_due("s", &after.spec));
        receive(&mut releases, &["b"]);
        assert!(!releases.has_edit_due("s", &before.spec), "it is no edit");
        assert!(releases.has_edit_due("s", &after.spec));
        observe(&mut releases, &after, "r1", "2");
        assert_eq!(known(&releases), ("2".to_string(), after.spec.stages.clone()));
        // It is the same release: who has it needs no other receipt.
        assert_eq!(releases.status("s").unwrap().received_by, ["a", "b"]);
        let mut releases = Releases::default();
        observe(&mut releases, &before, "r1", "1");
        after.metadata.annotations.insert(REQUESTED_AT.into(), "now".into());
        observe(&mut releases, &after, "r1", "2");
        assert_eq!(known(&releases).1, after.spec.stages);
        // A request that was considered is none.
        after.spec.stages = stages(&[&["a"], &["x"], &["b"]]);
        observe(&mut releases, &after, "r1", "3");
        assert_ne!(known(&releases).1, after.spec.stages);
    }

    /// With `to` instead of stages, the stages of the release on its way hold as well: no target opens early.
    #[test]
    fn an_edit_from_stages_to_to_opens_nothing_while_a_release_is_on_its_way() {
        let before = sync(&[&["a"], &["b"]]);
        for mut after in [unstaged(&["a", "b"]), sync(&[&["a", "b"]]), sync(&[])] {
            let begin = || {
                let mut releases = Releases::default();
                observe(&mut releases, &before, "r1", "1");
                receive(&mut releases, &["a"]);
                releases
            };
            let holds = |releases: &Releases| releases.stages("s", &after.spec) == before.spec.stages;
            let mut releases = begin();
            assert!(holds(&releases), "before it was observed");
            observe(&mut releases, &after, "r1", "2");
            assert!(holds(&releases) && releases.has_stages("s", &after.spec));
            assert!(releases.is_first("s", &after.spec, "a") && !releases.is_first("s", &after.spec, "b"));
            let earlier = |target| releases.earlier("s", &after.spec, target).collect::<BTreeSet<_>>();
            assert_eq!((earlier("a"), earlier("b")), (BTreeSet::new(), ["a"].into()));
            // Once it is through, the edit counts.
            receive(&mut releases, &["b"]);
            assert!(releases.has_edit_due("s", &after.spec));
            observe(&mut releases, &after, "r1", "3");
            assert_eq!(releases.stages("s", &after.spec), after.spec.stages);
            assert_eq!(releases.status("s").is_none(), after.spec.stages.is_empty(), "absent without stages");
            // Or with the next release; or when a person asks for it.
            let mut releases = begin();
            observe(&mut releases, &after, "r2", "2");
            assert_eq!(releases.stages("s", &after.spec), after.spec.stages);
            after.metadata.annotations.insert(REQUESTED_AT.into(), "now".into());
            let mut releases = begin();
            observe(&mut releases, &after, "r1", "2");
            assert_eq!(releases.stages("s", &after.spec), after.spec.stages);
            assert!(releases.is_first("s", &after.spec, "b") || !after.spec.goes_to("b"));
        }
    }

    /// From `to` to stages, a release begins with the edit: what is not written yet goes through them.
    #[test]
    fn an_edit_from_to_to_stages_counts_at_once() {
        let (before, after) = (unstaged(&["a", "b"]), sync(&[&["a"], &["b"]]));
        let mut releases = Releases::default();
        observe(&mut releases, &before, "r1", "1");
        assert!(releases.status("s").is_none() && !releases.has_stages("s", &before.spec));
        assert!(releases.has_stages("s", &after.spec) && !releases.is_first("s", &after.spec, "b"));
        observe(&mut releases, &after, "r1", "2");
        assert_eq!(known(&releases), ("2".to_string(), after.spec.stages.clone()));
        assert_eq!(releases.underway("s").unwrap().stage(), Some(1));
    }

    /// "a receipt for this release": not for one with the same digest that was on its way before.
    #[test]
    fn a_release_that_comes_again_needs_new_receipts() {
        let object = sync(&[&["a"], &["b"]]);
        let mut releases = Releases::default();
        observe(&mut releases, &object, "r1", "1");
        receive(&mut releases, &["a", "b"]);
        let of_the_first = releases.begun("s").unwrap();
        observe(&mut releases, &object, "r2", "2");
        observe(&mut releases, &object, "r1", "3");
        let now = releases.begun("s").unwrap();
        let digest = digest("r1").to_string();
        assert!(now.number != of_the_first.number && now.underway.release == digest);
        let before = |release: &BegunRelease| release.here("a", Some(&digest)).before.map(str::to_string);
        assert_eq!((before(&of_the_first), before(&now)), (Some(digest.clone()), None));
        let stage = |releases: &Releases| releases.underway("s").unwrap().stage();
        assert_eq!(stage(&releases), Some(1));
        // Nor does a reconcile that was planned with the first.
        releases.received("s", "a", of_the_first.number);
        assert_eq!(stage(&releases), Some(1));
        receive(&mut releases, &["a"]);
        assert_eq!(stage(&releases), Some(2));
    }

    /// Taken out, a target that has the release holds nothing back, and one that has not does.
    #[test]
    fn a_target_that_was_taken_out_keeps_its_receipt() {
        let (before, after) = (sync(&[&["a"], &["b"]]), sync(&[&["b"]]));
        let mut releases = Releases::default();
        observe(&mut releases, &before, "r1", "1");
        receive(&mut releases, &["a"]);
        observe(&mut releases, &after, "r1", "2");
        let status = releases.status("s").unwrap();
        assert_eq!((status.stage, status.received_by.clone()), (Some(2), vec!["a".to_string()]));
        // In another process too.
        let written = TenantSyncStatus { release: Some(status), ..TenantSyncStatus::default() };
        let mut releases = Releases::default();
        releases.resume("s", "uid", &written);
        assert!(releases.underway("s").unwrap().has_receipt("a"));
        receive(&mut releases, &["b"]);
        assert!(releases.has_edit_due("s", &after.spec));
    }

    #[test]
    fn another_process_goes_on_with_the_release_of_the_status() {
        let object = unstaged(&["b", "a"]);
        let release = ReleaseStatus {
            digest: digest("r1").to_string(),
            began: "1".into(),
            stages: stages(&[&["a"], &["b"]]),
            stage: Some(2),
            received_by: vec!["a".into()],
        };
        let written = TenantSyncStatus { release: Some(release.clone()), ..TenantSyncStatus::default() };
        let mut releases = Releases::default();
        // Before anything is reconciled.
        assert!(!releases.resume("s", "uid", &written));
        assert_eq!(
            (releases.stages("s", &object.spec), releases.status("s")),
            (&*release.stages, Some(release.clone()))
        );
        assert!(releases.is_stale("s", "uid", STATE));
        let sync = StagedSync { uid: "uid", object: &object, written: &written };
        releases.observe("s", sync, Some((&digest("r1"), STATE)), "2");
        assert!(!releases.is_stale("s", "uid", STATE) && releases.is_stale("s", "other", STATE));
        assert_eq!(releases.status("s"), Some(release));
        // What was written meanwhile is not taken up again.
        assert!(!releases.resume("s", "uid", &TenantSyncStatus::default()) && releases.status("s").is_some());
    }

    /// A sync that is created again has no status, and begins again.
    #[test]
    fn a_sync_that_is_created_again_begins_again() {
        let (before, after) = (sync(&[&["a"], &["b"]]), unstaged(&["a", "b"]));
        let mut releases = Releases::default();
        observe(&mut releases, &before, "r1", "1");
        receive(&mut releases, &["a"]);
        let of_the_first = releases.begun("s").unwrap();
        assert!(releases.resume("s", "other", &TenantSyncStatus::default()));
        assert!(releases.status("s").is_none() && !releases.has_stages("s", &after.spec));
        let written = TenantSyncStatus::default();
        let staged = StagedSync { uid: "other", object: &before, written: &written };
        releases.observe("s", staged, Some((&digest("r1"), STATE)), "2");
        releases.received("s", "a", of_the_first.number);
        assert_eq!(releases.underway("s").unwrap().stage(), Some(1));
    }

    #[test]
    fn a_source_that_cannot_be_read_begins_nothing() {
        let (object, written) = (sync(&[&["a"], &["b"]]), TenantSyncStatus::default());
        let mut releases = Releases::default();
        let staged = StagedSync { uid: "uid", object: &object, written: &written };
        releases.observe("s", staged, None, "1");
        assert!(releases.underway("s").is_none() && releases.is_stale("s", "uid", STATE));
        releases.observe("s", staged, Some((&digest("r1"), STATE)), "2");
        releases.observe("s", staged, None, "3");
        assert_eq!(releases.underway("s").unwrap().release, digest("r1").to_string());
        releases.retain(|_| false);
        assert!(releases.underway("s").is_none());
    }
}
