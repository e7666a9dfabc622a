//! Divides work between processors and keeps the order of the results.

use std::num::NonZeroUsize;

/// The size below which a thread costs more than it saves.
const WORTH_A_THREAD: usize = 128 * 1024;

/// Calls `work` on consecutive parts of `items`, in parallel if their sizes make it worthwhile. The results are in the
/// order of the items.
pub(crate) fn in_parts<T: Sync, R: Send>(
    items: &[T],
    size: impl Fn(&T) -> usize,
    work: impl Fn(&[T]) -> R + Sync,
) -> Vec<R> {
    let total: usize = items.iter().map(&size).sum();
    let worth = total / WORTH_A_THREAD;
    // Querying the number of processors opens files, which takes longer than reading a small manifest.
    let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let parts = if worth > 1 { worth.min(processors()) } else { 1 };
    if parts == 1 {
        return vec![work(items)];
    }
    let mut shares = Vec::new();
    let (mut start, mut sum) = (0, 0);
    for (position, item) in items.iter().enumerate() {
        sum += size(item);
        if sum > total / parts && shares.len() + 1 < parts {
            shares.push(&items[start..=position]);
            (start, sum) = (position + 1, 0);
        }
    }
    shares.push(&items[start..]);
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = shares.iter().map(|share| (share, scope.spawn(move || work(share)))).collect();
        // The part of a thread that panicked (no panic is known) is computed again.
        running.into_iter().map(|(share, thread)| thread.join().unwrap_or_else(|_| work(share))).collect()
    })
}
