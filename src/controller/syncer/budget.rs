//! How much of a target was changed recently. The share that needs approval is cumulative: splitting a large change
//! into small ones does not avoid approval.

use crate::engine::model::item::ObjectId;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// How long a target must have been in sync before earlier changes no longer count.
const SETTLED: Duration = Duration::from_secs(600);

/// The objects of a target that were updated and deleted since it was last settled, or since an approved change.
#[derive(Debug, Default)]
pub(super) struct ChangeBudget {
    /// Changes by an earlier operator process.
    before: usize,
    changed: BTreeSet<ObjectId>,
    /// Number of objects when the count began. Objects created since then do not make the share smaller.
    base: Option<usize>,
    last: Option<Instant>,
}

impl ChangeBudget {
    /// Continues the count of an earlier operator process.
    pub(super) fn resumed(before: usize, base: Option<usize>, now: Instant) -> Self {
        ChangeBudget { before, changed: BTreeSet::new(), base, last: (before > 0 || base.is_some()).then_some(now) }
    }

    /// Returns the number of objects when the count began; `None` if nothing is counted.
    pub(super) fn base(&self) -> Option<usize> {
        self.base.filter(|_| self.last.is_some())
    }

    /// Starts the count before a write in a target of this many objects, unless it has started.
    pub(super) fn begins(&mut self, objects: usize) {
        if self.last.is_none() {
            self.base = Some(objects);
        }
    }

    /// Records a change that is neither an update nor a delete. It starts the count too.
    pub(super) fn touched(&mut self, now: Instant) {
        self.last.get_or_insert(now);
    }

    /// Returns the number of changed objects.
    pub(super) fn count(&self) -> usize {
        self.before + self.changed.len()
    }

    /// Returns the number of changed objects, these included.
    pub(super) fn count_with<'a>(&self, objects: impl IntoIterator<Item = &'a ObjectId>) -> usize {
        self.count() + objects.into_iter().filter(|id| !self.changed.contains(*id)).count()
    }

    /// Records updated or deleted objects.
    pub(super) fn changed(&mut self, objects: impl IntoIterator<Item = ObjectId>, now: Instant) {
        let before = self.changed.len();
        self.changed.extend(objects);
        if self.changed.len() > before {
            self.last = Some(now);
        }
    }

    /// Records that the target is in sync. After some time of that the count starts again.
    pub(super) fn settled(&mut self, now: Instant) {
        if self.last.is_some_and(|last| now.duration_since(last) >= SETTLED) {
            *self = ChangeBudget::default();
        }
    }

    /// Records that a person approved the changes: the count starts again.
    pub(super) fn approved(&mut self) {
        *self = ChangeBudget::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    fn objects(names: &[&str]) -> Vec<ObjectId> {
        names.iter().map(|name| ObjectId::new(Kind::Connection, *name)).collect()
    }

    #[test]
    fn small_reconciles_add_up_and_an_object_counts_once() {
        let (mut budget, now) = (ChangeBudget::resumed(2, None, Instant::now()), Instant::now());
        budget.changed(objects(&["a"]), now);
        budget.changed(objects(&["a", "b"]), now);
        budget.settled(now + Duration::from_secs(60));
        assert_eq!(budget.count(), 4);
    }

    /// Creates of the same change do not make the share smaller.
    #[test]
    fn creates_do_not_make_the_share_smaller() {
        let (mut budget, now) = (ChangeBudget::default(), Instant::now());
        budget.begins(10);
        assert_eq!(budget.base(), None, "nothing is done yet");
        budget.touched(now);
        budget.begins(500);
        budget.changed(objects(&["a"]), now);
        assert_eq!(budget.base(), Some(10));
        budget.settled(now + SETTLED);
        budget.begins(500);
        budget.touched(now + SETTLED);
        assert_eq!(budget.base(), Some(500));
    }

    #[test]
    fn the_count_starts_again_once_it_was_settled_for_long_or_approved() {
        let now = Instant::now();
        let mut budget = ChangeBudget::default();
        budget.changed(objects(&["a"]), now);
        budget.settled(now + SETTLED);
        assert_eq!(budget.count(), 0);
        budget.changed(objects(&["a"]), now);
        budget.approved();
        assert_eq!(budget.count(), 0);
    }
}
