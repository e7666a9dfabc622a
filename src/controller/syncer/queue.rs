//! The work queue of one target: what must be reconciled, and when. The current time is an argument.

use crate::api::Kind;
use crate::engine::closure::{Index, Seeds};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::ActionKind;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long no change must have arrived before a full reconcile.
const QUIET: Duration = Duration::from_secs(1);
/// Maximum delay of a full reconcile.
const LATEST: Duration = Duration::from_secs(10);
/// The first retry interval after a failure. It doubles each time.
const PAUSE: Duration = Duration::from_millis(200);
/// The maximum retry interval.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Maximum number of concurrent incremental reconciles in a target, so that one change does not wait for a thousand
/// others.
const PASSES: usize = 4;
/// The size of the first batch of many changes. Each further batch is twice what is being written, so that the next
/// changes are planned while these are written.
const FIRST: usize = 64;
/// Maximum number of actions of an incremental reconcile. A further change of one of its objects waits for all of them,
/// and their objects are in memory twice: before and after.
pub(super) const IN_A_PASS: usize = 512;
/// With this many writes in flight the server is busy: planning more would only use memory.
const MAX_IN_FLIGHT: usize = 2 * IN_A_PASS;

/// What to reconcile now.
#[derive(Debug)]
pub(super) enum Job {
    /// The changed objects, and the objects that use them.
    Part(Seeds),
    /// Everything.
    Whole,
}

/// The unique number of a reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PassId(pub u64);

/// The queue of one target.
#[derive(Debug, Default)]
pub(super) struct TargetQueue {
    changed: Changed,
    whole_at: Option<Instant>,
    /// When the full reconcile was first delayed.
    put_off: Option<Instant>,
    /// The running incremental reconciles. While one writes an object, no other reconciles it.
    passes: BTreeMap<PassId, PassInFlight>,
    /// The running full reconcile.
    whole: Option<PassId>,
    /// It is still planning. Until its writes are known, nothing else begins.
    plans: bool,
    /// When a failure is retried. Changes do not wait for it.
    again_at: Option<Instant>,
    pause: Option<Duration>,
}

/// Changed objects that were not reconciled yet.
#[derive(Debug, Default)]
struct Changed {
    seeds: Seeds,
    /// Since when the oldest of them waits.
    since: Option<Instant>,
}

/// The writes of a reconcile.
#[derive(Debug, Default)]
struct PassInFlight {
    objects: BTreeMap<ObjectId, Writing>,
    /// Whether a person approved it.
    approved: bool,
    /// Changes that wait for its end.
    after: Changed,
    /// The objects for which the target's watch delivered an event meanwhile: either its own write, or one of another
    /// client.
    reported: BTreeSet<ObjectId>,
}

/// A write of an object.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub kind: ActionKind,
    /// The object after the write.
    pub after: Option<Item>,
}

impl Changed {
    fn add(&mut self, id: &ObjectId, now: Instant) {
        match id.kind {
            Kind::Connection => drop(self.seeds.keys.insert(id.name.clone())),
            Kind::Integration => drop(self.seeds.integrations.insert(id.name.clone())),
            // Only a full reconcile decides what they affect.
            Kind::Component | Kind::CustomerCredentials | Kind::Tenant | Kind::TenantSync => return,
        }
        self.since.get_or_insert(now);
    }

    /// Removes at most this many objects.
    fn take(&mut self, most: usize, index: &Index) -> Seeds {
        let seeds = self.seeds.take(most, index);
        if self.seeds.is_empty() {
            self.since = None;
        }
        seeds
    }

    fn append(&mut self, mut other: Changed) {
        self.seeds.keys.append(&mut other.seeds.keys);
        self.seeds.integrations.append(&mut other.seeds.integrations);
        self.since = [self.since, other.since].into_iter().flatten().min();
    }
}

impl TargetQueue {
    /// Enqueues objects that changed in a source.
    pub(super) fn changed<'a>(&mut self, objects: impl IntoIterator<Item = &'a ObjectId>, now: Instant) {
        for id in objects {
            let writing = self.passes.values_mut().find(|pass| pass.objects.contains_key(id));
            writing.map_or(&mut self.changed, |pass| &mut pass.after).add(id, now);
            self.put_off(now);
        }
    }

    /// Enqueues objects that changed in the target itself. For an object that is being written, the event is mostly the
    /// write itself: it is reconciled again only if it differs from what was written.
    pub(super) fn changed_here<'a>(&mut self, objects: impl IntoIterator<Item = &'a ObjectId>, now: Instant) {
        for id in objects {
            match self.passes.values_mut().find(|pass| pass.objects.contains_key(id)) {
                Some(pass) => drop(pass.reported.insert(id.clone())),
                None => self.changed.add(id, now),
            }
            self.put_off(now);
        }
    }

    /// Enqueues objects again for when this reconcile ends.
    pub(super) fn changed_after<'a>(
        &mut self,
        pass: PassId,
        objects: impl IntoIterator<Item = &'a ObjectId>,
        now: Instant,
    ) {
        let after = self.passes.get_mut(&pass).map_or(&mut self.changed, |pass| &mut pass.after);
        objects.into_iter().for_each(|id| after.add(id, now));
    }

    /// Schedules a full reconcile for when no further change arrives: for targets that have no incremental ones.
    pub(super) fn everything_when_quiet(&mut self, now: Instant) {
        self.put_off(now);
    }

    /// Whether a full reconcile is due.
    pub(super) fn is_everything_due(&self, now: Instant) -> bool {
        self.whole.is_none() && self.everything_at().is_some_and(|at| at <= now)
    }

    /// Schedules a full reconcile now.
    pub(super) fn everything_now(&mut self, now: Instant) {
        self.whole_at = Some(now);
    }

    /// Schedules a full reconcile for then at the latest.
    pub(super) fn everything_by(&mut self, then: Instant) {
        self.whole_at = Some(self.whole_at.map_or(then, |at| at.min(then)));
    }

    /// Retries failures at once, because a person or a tool asked for it.
    pub(super) fn retry_now(&mut self, now: Instant) {
        self.pause = None;
        self.everything_now(now);
    }

    /// Returns what to reconcile now. A full reconcile runs as `next` until [`TargetQueue::whole_done`]. An incremental
    /// one (`index` says which objects belong together) counts from [`TargetQueue::begun`] on.
    pub(super) fn take(&mut self, now: Instant, next: PassId, index: &Index) -> Option<Job> {
        if self.everything_at().is_some_and(|at| at <= now) && self.whole.is_none() {
            if !self.is_idle() {
                return None;
            }
            // A full reconcile covers the queued changes.
            *self = TargetQueue { whole: Some(next), plans: true, pause: self.pause, ..TargetQueue::default() };
            return Some(Job::Whole);
        }
        if !self.may_begin() {
            return None;
        }
        let in_flight: usize = self.passes.values().map(|pass| pass.objects.len()).sum();
        Some(Job::Part(self.changed.take((2 * in_flight).clamp(FIRST, IN_A_PASS), index)))
    }

    /// Returns how many changes are queued.
    pub(super) fn waiting(&self) -> usize {
        self.changed.seeds.len()
    }

    /// Records the writes of an incremental reconcile.
    pub(super) fn begun(&mut self, pass: PassId, objects: BTreeMap<ObjectId, Writing>) {
        self.passes.insert(pass, PassInFlight { objects, ..PassInFlight::default() });
    }

    /// Ends an incremental reconcile. Enqueues what waited for it, and the objects that are not as it wrote them;
    /// `now_is` returns the cached objects.
    pub(super) fn part_done(&mut self, pass: PassId, now_is: impl Fn(&ObjectId) -> Option<Item>, now: Instant) {
        let Some(done) = self.passes.remove(&pass) else { return };
        self.changed.append(done.after);
        for id in &done.reported {
            let written = done.objects.get(id).and_then(|writing| writing.after.as_ref());
            if !Item::same(now_is(id).as_ref(), written) {
                self.changed.add(id, now);
            }
        }
    }

    /// Whether this is the running full reconcile. The events of an earlier one are ignored.
    pub(super) fn is_whole(&self, pass: PassId) -> bool {
        self.whole == Some(pass)
    }

    /// Records the writes of the full reconcile. From now on other objects may be reconciled in parallel.
    pub(super) fn whole_begun(
        &mut self,
        pass: PassId,
        objects: BTreeMap<ObjectId, Writing>,
        approved: bool,
        now: Instant,
    ) {
        if !self.is_whole(pass) {
            return;
        }
        self.plans = false;
        if let Some(before) = self.passes.insert(pass, PassInFlight { objects, approved, ..PassInFlight::default() }) {
            self.changed.append(before.after);
            before.reported.iter().for_each(|id| self.changed.add(id, now));
        }
    }

    /// Whether a full reconcile is running.
    pub(super) fn is_whole_running(&self) -> bool {
        self.whole.is_some()
    }

    /// Ends the full reconcile.
    pub(super) fn whole_done(&mut self, pass: PassId) {
        if self.is_whole(pass) {
            (self.whole, self.plans) = (None, false);
            self.passes.remove(&pass);
        }
    }

    /// Returns the objects that are being updated without an approval.
    pub(super) fn being_updated(&self) -> impl Iterator<Item = &ObjectId> {
        let unattended = self.passes.values().filter(|pass| !pass.approved).flat_map(|pass| &pass.objects);
        unattended.filter(|(_, writing)| writing.kind == ActionKind::Update).map(|(id, _)| id)
    }

    /// Ends the retries after a full reconcile without failures.
    pub(super) fn recovered(&mut self) {
        (self.again_at, self.pause) = (None, None);
    }

    /// Schedules a full reconcile after a failure, at growing intervals.
    pub(super) fn failed(&mut self, now: Instant) {
        self.try_again(LONGEST_PAUSE, now);
    }

    /// Schedules a full reconcile after a refusal: the interval grows to the resync interval.
    pub(super) fn refused(&mut self, resync: Duration, now: Instant) {
        self.try_again(resync.max(LONGEST_PAUSE), now);
    }

    fn try_again(&mut self, longest: Duration, now: Instant) {
        let pause = self.pause.map_or(PAUSE, |pause| (pause * 2).min(longest));
        (self.pause, self.again_at) = (Some(pause), Some(now + pause));
    }

    /// Returns the writes of the running reconciles.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = (PassId, &BTreeMap<ObjectId, Writing>)> {
        self.passes.iter().map(|(pass, writing)| (*pass, &writing.objects))
    }

    /// Returns when the next reconcile is due; `None` if none is until something changes or ends.
    pub(super) fn wakes(&self, now: Instant) -> Option<Instant> {
        let everything = self.everything_at();
        if everything.is_some_and(|at| at <= now) && !self.is_idle() && self.whole.is_none() {
            return None;
        }
        let parts = self.changed.since.filter(|_| self.may_begin());
        [parts, everything.filter(|_| self.whole.is_none())].into_iter().flatten().min()
    }

    /// Returns how much is due and since when; a full reconcile counts as one.
    pub(super) fn depth(&self, now: Instant) -> (usize, Option<Instant>) {
        let whole = self.everything_at().filter(|at| *at <= now);
        let waiting = || self.passes.values().map(|pass| &pass.after).chain([&self.changed]);
        let since = waiting().filter_map(|changed| changed.since).chain(whole).min();
        (waiting().map(|changed| changed.seeds.len()).sum::<usize>() + usize::from(whole.is_some()), since)
    }

    fn put_off(&mut self, now: Instant) {
        let first = *self.put_off.get_or_insert(now);
        self.whole_at = Some((now + QUIET).min(first + LATEST));
    }

    fn everything_at(&self) -> Option<Instant> {
        [self.whole_at, self.again_at].into_iter().flatten().min()
    }

    fn is_idle(&self) -> bool {
        self.whole.is_none() && self.passes.is_empty()
    }

    /// Returns how many objects the incremental reconciles write. A full reconcile does not count against the limit.
    fn in_flight_of_parts(&self) -> usize {
        let parts = self.passes.iter().filter(|(pass, _)| Some(**pass) != self.whole);
        parts.map(|(_, pass)| pass.objects.len()).sum()
    }

    /// Whether there is a change to reconcile, and a further reconcile may run.
    fn may_begin(&self) -> bool {
        !self.changed.seeds.is_empty()
            && self.in_flight_of_parts() < MAX_IN_FLIGHT
            && !self.plans
            && self.passes.len() < PASSES + usize::from(self.whole.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Object;
    use serde_json::json;
    use std::sync::Arc;

    const WHOLE: PassId = PassId(99);

    fn connection(name: &str) -> ObjectId {
        ObjectId::new(Kind::Connection, name)
    }

    /// Returns a connection with this content.
    fn item(name: &str, says: &str) -> Item {
        let spec = json!({"stableKey": name, "component": {"key": "x"}, "type": says, "credentials": "Customer"});
        Item::Connection(Arc::new(Object::new(name, serde_json::from_value(spec).unwrap())))
    }

    /// Ends a reconcile whose writes are in the cache.
    fn end(queue: &mut TargetQueue, pass: PassId, now: Instant) {
        queue.part_done(pass, |id| Some(item(&id.name, "new")), now);
    }

    fn taken(queue: &mut TargetQueue, now: Instant) -> Vec<String> {
        match queue.take(now, WHOLE, &Index::default()) {
            Some(Job::Part(seeds)) => seeds.keys.into_iter().collect(),
            other => panic!("{other:?}"),
        }
    }

    fn begin(queue: &mut TargetQueue, pass: u64, names: &[&str]) -> PassId {
        let writing = |name: &str| Writing { kind: ActionKind::Update, after: Some(item(name, "new")) };
        let objects = names.iter().map(|name| (connection(name), writing(name))).collect();
        queue.begun(PassId(pass), objects);
        PassId(pass)
    }

    #[test]
    fn a_change_is_reconciled_at_once_and_everything_when_quiet() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        queue.changed([&connection("a")], now);
        assert_eq!(queue.depth(now), (1, Some(now)));
        assert_eq!(taken(&mut queue, now), ["a"]);
        let pass = begin(&mut queue, 1, &["a"]);
        assert!(queue.take(now, WHOLE, &Index::default()).is_none());
        end(&mut queue, pass, now);
        assert!(queue.take(now, WHOLE, &Index::default()).is_none());
        assert_eq!(queue.wakes(now), Some(now + QUIET));
        assert!(matches!(queue.take(now + QUIET, WHOLE, &Index::default()), Some(Job::Whole)));
        queue.whole_done(WHOLE);
        assert_eq!(queue.wakes(now + QUIET), None);
        assert_eq!(queue.depth(now + QUIET), (0, None));
    }

    /// An unrelated change is written meanwhile.
    #[test]
    fn a_full_reconcile_does_not_block_other_objects() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        queue.everything_now(now);
        assert!(matches!(queue.take(now, WHOLE, &Index::default()), Some(Job::Whole)));
        queue.changed([&connection("b")], now);
        assert!(queue.take(now, WHOLE, &Index::default()).is_none(), "what it writes is not known yet");
        let writing = Writing { kind: ActionKind::Update, after: Some(item("a", "new")) };
        queue.whole_begun(PassId(98), BTreeMap::new(), false, now);
        assert!(queue.take(now, WHOLE, &Index::default()).is_none(), "an earlier pass says nothing");
        queue.whole_begun(WHOLE, BTreeMap::from([(connection("a"), writing)]), false, now);
        queue.changed([&connection("a")], now);
        assert_eq!(taken(&mut queue, now), ["b"]);
        let pass = begin(&mut queue, 1, &["b"]);
        end(&mut queue, pass, now);
        assert!(queue.take(now, WHOLE, &Index::default()).is_none(), "a is being written");
        end(&mut queue, WHOLE, now);
        queue.whole_done(WHOLE);
        assert_eq!(taken(&mut queue, now), ["a"]);
    }

    #[test]
    fn everything_is_reconciled_even_if_it_is_never_quiet() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        for n in 0..40 {
            queue.changed([&connection("a")], now + Duration::from_millis(500) * n);
        }
        assert!(matches!(queue.take(now + LATEST, WHOLE, &Index::default()), Some(Job::Whole)));
    }

    #[test]
    fn a_failure_is_retried_at_growing_intervals_until_it_succeeds() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        let fails = |queue: &mut TargetQueue, at: Instant| {
            assert!(matches!(queue.take(at, WHOLE, &Index::default()), Some(Job::Whole)));
            queue.whole_done(WHOLE);
            queue.failed(at);
        };
        queue.everything_now(now);
        fails(&mut queue, now);
        assert!(queue.take(now, WHOLE, &Index::default()).is_none());
        assert_eq!(queue.wakes(now), Some(now + PAUSE));
        fails(&mut queue, now + PAUSE);
        assert_eq!(queue.wakes(now + PAUSE), Some(now + PAUSE + PAUSE * 2));
        queue.retry_now(now + PAUSE);
        assert!(matches!(queue.take(now + PAUSE, WHOLE, &Index::default()), Some(Job::Whole)));
        queue.whole_done(WHOLE);
        queue.recovered();
        queue.everything_now(now);
        fails(&mut queue, now);
        assert_eq!(queue.wakes(now), Some(now + PAUSE));
    }

    #[test]
    fn a_change_neither_waits_for_a_failure_nor_shortens_its_retry() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        for _ in 0..20 {
            queue.failed(now);
        }
        assert_eq!(queue.wakes(now), Some(now + LONGEST_PAUSE));
        queue.changed([&connection("a")], now);
        assert_eq!(taken(&mut queue, now), ["a"]);
        let pass = begin(&mut queue, 1, &["a"]);
        end(&mut queue, pass, now);
        queue.failed(now);
        assert_eq!(queue.again_at, Some(now + LONGEST_PAUSE));
    }

    #[test]
    fn a_change_waits_only_for_a_write_of_its_own_object() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        let first = begin(&mut queue, 1, &["a", "b"]);
        queue.changed([&connection("a"), &connection("c")], now);
        assert_eq!(queue.wakes(now), Some(now));
        assert_eq!(taken(&mut queue, now), ["c"]);
        let second = begin(&mut queue, 2, &["c"]);
        queue.changed_after(second, [&connection("d")], now);
        assert_eq!(queue.depth(now), (2, Some(now)), "they wait, and are counted");
        assert!(queue.take(now, WHOLE, &Index::default()).is_none());
        end(&mut queue, first, now);
        assert_eq!(taken(&mut queue, now), ["a"]);
        end(&mut queue, second, now);
        assert_eq!(taken(&mut queue, now), ["d"]);
    }

    #[test]
    fn an_unchanged_write_is_not_reconciled_again() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        let pass = begin(&mut queue, 1, &["a", "b", "c"]);
        queue.changed_here(&[connection("a"), connection("b"), connection("d")], now);
        assert_eq!(taken(&mut queue, now), ["d"], "what is not being written is");
        queue.part_done(pass, |id| (id.name == "a").then(|| item("a", "new")), now);
        assert_eq!(taken(&mut queue, now), ["b"], "it is gone");
        let pass = begin(&mut queue, 2, &["a", "b"]);
        queue.changed_here(&[connection("a"), connection("b")], now);
        queue.part_done(pass, |id| Some(item(&id.name, if id.name == "a" { "another's" } else { "new" })), now);
        assert_eq!(taken(&mut queue, now), ["a"]);
        assert_eq!(queue.wakes(now), Some(now + QUIET), "and everything once it is quiet");
    }

    #[test]
    fn many_changes_are_reconciled_in_growing_batches() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        let all: Vec<ObjectId> = (0..1_000).map(|n| connection(&format!("{n:03}"))).collect();
        queue.changed(&all, now);
        let mut seen = BTreeSet::new();
        for (pass, (count, left)) in [(64, 936), (128, 808), (384, 424), (424, 0)].into_iter().enumerate() {
            let some = taken(&mut queue, now);
            assert_eq!((some.len(), queue.waiting()), (count, left));
            assert_eq!(queue.depth(now), (left, (left > 0).then_some(now)));
            begin(&mut queue, pass as u64, &some.iter().map(String::as_str).collect::<Vec<_>>());
            seen.extend(some);
        }
        assert_eq!(seen.len(), all.len());
        assert!(queue.take(now, WHOLE, &Index::default()).is_none());
        let integrations: Vec<ObjectId> = (0..200).map(|n| ObjectId::new(Kind::Integration, n.to_string())).collect();
        let mut queue = TargetQueue::default();
        queue.changed(integrations.iter().chain(&all[..40]), now);
        let Some(Job::Part(seeds)) = queue.take(now, WHOLE, &Index::default()) else { panic!("nothing is due") };
        assert_eq!((seeds.keys.len(), seeds.integrations.len()), (40, FIRST - 40));
    }

    #[test]
    fn the_number_of_parallel_reconciles_is_bounded() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        let passes: Vec<_> = (0..PASSES as u64).map(|n| begin(&mut queue, n, &[&n.to_string()])).collect();
        queue.changed([&connection("a")], now);
        assert!(queue.take(now, WHOLE, &Index::default()).is_none());
        assert_eq!(queue.wakes(now), Some(now + QUIET), "it is woken by what is done");
        end(&mut queue, passes[2], now);
        assert_eq!(taken(&mut queue, now), ["a"]);
    }

    #[test]
    fn a_full_reconcile_runs_alone() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        let pass = begin(&mut queue, 1, &["a"]);
        queue.everything_now(now);
        queue.changed([&connection("a"), &connection("b")], now);
        queue.everything_now(now);
        assert!(queue.take(now, WHOLE, &Index::default()).is_none(), "nothing new begins before it");
        assert_eq!(queue.wakes(now), None, "and it does not wake until the pass is done");
        end(&mut queue, pass, now);
        assert!(matches!(queue.take(now, WHOLE, &Index::default()), Some(Job::Whole)));
        queue.changed([&connection("a")], now);
        assert!(queue.take(now, WHOLE, &Index::default()).is_none());
        assert_eq!(queue.wakes(now), None);
        queue.whole_done(WHOLE);
        assert_eq!(taken(&mut queue, now), ["a"]);
    }

    #[test]
    fn events_of_an_earlier_reconcile_are_ignored() {
        let (mut queue, now) = (TargetQueue::default(), Instant::now());
        queue.everything_now(now);
        end(&mut queue, PassId(7), now);
        assert!(matches!(queue.take(now, WHOLE, &Index::default()), Some(Job::Whole)));
        end(&mut queue, PassId(7), now);
        queue.everything_now(now);
        assert!(queue.take(now, WHOLE, &Index::default()).is_none());
    }
}
