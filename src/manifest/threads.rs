//! Sharing work between the machine's processors, in order.

use std::num::NonZeroUsize;

/// Below this a thread costs more than it saves.
const WORTH_A_THREAD: usize = 128 * 1024;

/// Does `work` on consecutive parts of `items`, in parallel where their sizes make it worth it. The
/// results come in the order of the items.
pub fn in_parts<T: Sync, R: Send>(items: &[T], size: impl Fn(&T) -> usize, work: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let total: usize = items.iter().map(&size).sum();
    let worth = total / WORTH_A_THREAD;
    // To ask for the processors opens files: for each small manifest that is more than reading it.
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
        // A thread that failed (there is no panic in here that is known) has its share done again.
        running.into_iter().map(|(share, thread)| thread.join().unwrap_or_else(|_| work(share))).collect()
    })
}
