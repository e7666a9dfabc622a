//! How much of a target was changed lately. The share that needs approval is cumulative: splitting a large change into
//! small passes does not avoid the approval.

use crate::engine::model::item::ObjectId;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// How long a target must have been as declared before what was changed in it no longer counts.
const SETTLED: Duration = Duration::from_secs(600);

/// What was updated and deleted in a target since it was last settled, or a change of it was approved.
#[derive(Debug, Default)]
pub struct ChangeBudget {
    /// By an operator before this one.
    before: usize,
    changed: BTreeSet<ObjectId>,
    /// How many objects there were when the count began: what was made since does not make the share smaller.
    base: Option<usize>,
    last: Option<Instant>,
}

impl ChangeBudget {
    /// Where an operator before this one left off.
    pub fn resumed(before: usize, base: Option<usize>, now: Instant) -> Self {
        ChangeBudget { before, changed: BTreeSet::new(), base, last: (before > 0 || base.is_some()).then_some(now) }
    }

    /// How many objects there were when the count began; `None` where nothing is counted.
    pub fn base(&self) -> Option<usize> {
        self.base.filter(|_| self.last.is_some())
    }

    /// Something is about to be done in a target of so many objects.
    pub fn begins(&mut self, objects: usize) {
        if self.last.is_none() {
            self.base = Some(objects);
        }
    }

    /// Something was done that is no update and no delete: the count has begun all the same.
    pub fn touched(&mut self, now: Instant) {
        self.last.get_or_insert(now);
    }

    /// How many objects were changed.
    pub fn count(&self) -> usize {
        self.before + self.changed.len()
    }

    /// How many there will be once these are changed too.
    pub fn count_with<'a>(&self, objects: impl IntoIterator<Item = &'a ObjectId>) -> usize {
        self.count() + objects.into_iter().filter(|id| !self.changed.contains(*id)).count()
    }

    /// These were updated or deleted now.
    pub fn changed(&mut self, objects: impl IntoIterator<Item = ObjectId>, now: Instant) {
        let before = self.changed.len();
        self.changed.extend(objects);
        if self.changed.len() > before {
            self.last = Some(now);
        }
    }

    /// The target is as declared. Has it been so for long, the count starts again.
    pub fn settled(&mut self, now: Instant) {
        if self.last.is_some_and(|last| now.duration_since(last) >= SETTLED) {
            *self = ChangeBudget::default();
        }
    }

    /// A person approved what was done: the count starts again.
    pub fn approved(&mut self) {
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
    fn small_passes_add_up_and_an_object_counts_once() {
        let (mut budget, now) = (ChangeBudget::resumed(2, None, Instant::now()), Instant::now());
        budget.changed(objects(&["a"]), now);
        budget.changed(objects(&["a", "b"]), now);
        budget.settled(now + Duration::from_secs(60));
        assert_eq!(budget.count(), 4);
    }

    /// "The volume guard's base does not grow with creates of the same wave."
    #[test]
    fn what_is_made_in_a_wave_does_not_make_the_share_smaller() {
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
