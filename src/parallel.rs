//! Parallel execution of pure functions. The results are the same as without it.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of objects below which a thread costs more than it saves.
const WORTH_A_THREAD: usize = 2_000;
/// The number of parts per thread: smaller parts balance the load.
const SHARES: usize = 4;

/// Calls `work` on each item, in parallel if there are many `objects`. The results are in the order of the items.
pub(crate) fn map<T: Sync, R: Send>(objects: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if objects < WORTH_A_THREAD || items.len() < 2 {
        return items.iter().map(work).collect();
    }
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(items.len());
    let shares: Vec<&[T]> = items.chunks(items.len().div_ceil(threads * SHARES)).collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(shares.len()));
    let take = || {
        while let Some(position) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < shares.len()) {
            let results: Vec<R> = shares[position].iter().map(&work).collect();
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((position, results));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(take);
        }
        take();
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_unstable_by_key(|(position, _)| *position);
    done.into_iter().flat_map(|(_, results)| results).collect()
}

/// Calls two functions, in parallel if there are many `objects`.
pub(crate) fn both<A: Send, B>(objects: usize, one: impl Fn() -> A + Sync, other: impl FnOnce() -> B) -> (A, B) {
    if objects < WORTH_A_THREAD {
        return (one(), other());
    }
    std::thread::scope(|scope| {
        let beside = scope.spawn(&one);
        let other = other();
        // What panicked (no panic is known) is computed again.
        (beside.join().unwrap_or_else(|_| one()), other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for (objects, count) in [(0, 0), (0, 5), (WORTH_A_THREAD, 0), (WORTH_A_THREAD, 1), (WORTH_A_THREAD, 10_001)] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(objects, &items, |item| item * 2), items.iter().map(|i| i * 2).collect::<Vec<_>>());
        }
    }
}
