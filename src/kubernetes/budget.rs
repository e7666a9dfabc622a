//! Limits how many bytes of a server's answers are in memory at the same time. A hostile server must not take the
//! memory that others need.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit of the budget, in bytes.
const UNIT: usize = 1024;
/// Maximum number of list pages that are read at the same time: each may be as large as an answer can be.
const PAGES: usize = 2;

/// A value with a known size in memory.
pub trait Weighs {
    /// Returns its approximate size in bytes.
    fn weight(&self) -> usize;
}

/// An object of a collection, with a unique name.
pub trait Named: Weighs {
    fn name(&self) -> &str;
}

impl Weighs for String {
    fn weight(&self) -> usize {
        self.len()
    }
}

impl<A: Weighs, B: Weighs> Weighs for (A, B) {
    fn weight(&self) -> usize {
        self.0.weight() + self.1.weight()
    }
}

impl Named for String {
    fn name(&self) -> &str {
        self
    }
}

impl<A: Named, B: Weighs> Named for (A, B) {
    fn name(&self) -> &str {
        self.0.name()
    }
}

impl<T: Weighs> Weighs for [T] {
    fn weight(&self) -> usize {
        self.iter().map(Weighs::weight).sum()
    }
}

/// The memory budget of one namespace.
#[derive(Clone, Debug)]
pub struct Budget {
    most: usize,
    room: Arc<Semaphore>,
    pages: Arc<Semaphore>,
    turns: Turns,
}

/// A semaphore for relists, shared by all namespaces: one reads at a time.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Turns(Arc::new(Semaphore::new(1)))
    }
}

/// A part of a budget that is taken until this is dropped.
#[derive(Debug, Default)]
pub struct Taken {
    _room: Vec<OwnedSemaphorePermit>,
}

impl Taken {
    /// Joins both parts.
    pub fn and(mut self, other: Taken) -> Taken {
        self._room.extend(other._room);
        self
    }
}

impl From<Option<OwnedSemaphorePermit>> for Taken {
    fn from(permit: Option<OwnedSemaphorePermit>) -> Self {
        Taken { _room: permit.into_iter().collect() }
    }
}

impl Budget {
    /// Creates a budget of this many bytes.
    pub fn of(most: usize) -> Self {
        let units = (most / UNIT).min(Semaphore::MAX_PERMITS);
        let (room, pages) = (Arc::new(Semaphore::new(units)), Arc::new(Semaphore::new(PAGES)));
        Budget { most, room, pages, turns: Turns::default() }
    }

    /// Shares relist turns with other budgets.
    pub fn in_turn(self, turns: &Turns) -> Self {
        Budget { turns: turns.clone(), ..self }
    }

    /// Waits for a relist turn.
    pub async fn turn(&self) -> Taken {
        self.turns.0.clone().acquire_owned().await.ok().into()
    }

    /// Returns the size of the budget in bytes.
    pub fn most(&self) -> usize {
        self.most
    }

    fn units(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT).min(self.most / UNIT).max(1)).unwrap_or(u32::MAX)
    }

    /// Waits until this many bytes are free, and takes them.
    pub async fn take(&self, bytes: usize) -> Taken {
        self.room.clone().acquire_many_owned(self.units(bytes)).await.ok().into()
    }

    /// Takes this many bytes if they are free now.
    pub fn try_take(&self, bytes: usize) -> Option<Taken> {
        if bytes > self.most {
            return None;
        }
        Some(Some(self.room.clone().try_acquire_many_owned(self.units(bytes)).ok()?).into())
    }

    /// Waits until a page may be read.
    pub async fn page(&self) -> Taken {
        self.pages.clone().acquire_owned().await.ok().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn dropped_memory_is_released() {
        let budget = Budget::of(10 * UNIT);
        let first = budget.try_take(6 * UNIT).unwrap();
        assert!(budget.try_take(5 * UNIT).is_none());
        let second = budget.try_take(1).unwrap();
        drop(first.and(second));
        assert!(budget.try_take(10 * UNIT).is_some());
        assert!(budget.try_take(11 * UNIT).is_none(), "there never is so much room");
        // More than the whole budget is granted once nothing else is taken.
        drop(budget.take(100 * UNIT).await);
    }
}
