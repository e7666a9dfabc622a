//! A server that has just come back: for a moment it forbids what its Roles allow, because it has not loaded them yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long after its first answer a server may forbid what it will soon allow: on a busy machine some seconds.
const MOMENT: Duration = Duration::from_secs(10);

/// Since when a server answers; `None` if it does not, or nothing is known. Cheap to clone; all clones share the state.
#[derive(Clone, Debug, Default)]
pub(super) struct Settling(Arc<Mutex<Option<Instant>>>);

impl Settling {
    /// Records that the server did not answer, or answered that it is not up.
    pub(super) fn silent(&self) {
        *self.since() = None;
    }

    /// Records an answer.
    pub(super) fn answered(&self, now: Instant) {
        self.since().get_or_insert(now);
    }

    /// Whether the server was unreachable a moment ago.
    pub(super) fn is_settling(&self, now: Instant) -> bool {
        self.since().is_none_or(|since| now < since + MOMENT)
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_starts_with_the_first_answer() {
        let (settling, start) = (Settling::default(), Instant::now());
        let later = |seconds: u64| start + Duration::from_secs(seconds);
        assert!(settling.is_settling(later(60)), "nothing is known yet");
        settling.answered(later(60));
        settling.answered(later(62));
        assert!(settling.is_settling(later(69)) && !settling.is_settling(later(70)));
        settling.silent();
        settling.answered(later(90));
        assert!(settling.is_settling(later(99)) && !settling.is_settling(later(100)));
    }
}
