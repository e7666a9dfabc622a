//! The volume guard, summed over passes: many small passes cannot do what one large one may not.

use crate::engine::item::ObjectId;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// How long a target must have been as declared before what was changed in it no longer counts.
const SETTLED: Duration = Duration::from_secs(600);

/// What was updated and deleted in a target since it was last settled, or a change of it was approved.
#[derive(Debug, Default)]
pub struct Guard {
    /// By an operator before this one.
    before: usize,
    changed: BTreeSet<ObjectId>,
    last: Option<Instant>,
}

impl Guard {
    /// Where an operator before this one left off.
    pub fn resumed(before: usize, now: Instant) -> Self {
        Guard { before, changed: BTreeSet::new(), last: (before > 0).then_some(now) }
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

    /// The target is as declared. Has it been so for long, the count begins anew.
    pub fn settled(&mut self, now: Instant) {
        if self.last.is_some_and(|last| now.duration_since(last) >= SETTLED) {
            *self = Guard::default();
        }
    }

    /// A person approved what was done: the count begins anew.
    pub fn approved(&mut self) {
        *self = Guard::default();
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
        let (mut guard, now) = (Guard::resumed(2, Instant::now()), Instant::now());
        guard.changed(objects(&["a"]), now);
        guard.changed(objects(&["a", "b"]), now);
        guard.settled(now + Duration::from_secs(60));
        assert_eq!(guard.count(), 4);
    }

    #[test]
    fn the_count_begins_anew_once_it_was_settled_for_long_or_approved() {
        let now = Instant::now();
        let mut guard = Guard::default();
        guard.changed(objects(&["a"]), now);
        guard.settled(now + SETTLED);
        assert_eq!(guard.count(), 0);
        guard.changed(objects(&["a"]), now);
        guard.approved();
        assert_eq!(guard.count(), 0);
    }
}
