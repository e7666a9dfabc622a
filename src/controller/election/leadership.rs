//! Leadership, which the work of a leader checks before each write.

use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::sleep_until;

/// Longer than any process runs.
const ALWAYS: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Whether this process holds the Lease. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Leadership {
    /// Until when, if it is not renewed.
    until: watch::Receiver<Option<Instant>>,
}

impl Leadership {
    pub(super) fn of(until: watch::Receiver<Option<Instant>>) -> Self {
        Leadership { until }
    }

    /// Always leads: for tests, and for commands without replicas.
    pub fn always() -> Self {
        Leadership { until: watch::channel(Some(Instant::now() + ALWAYS)).1 }
    }

    /// Never leads.
    #[cfg(test)]
    pub fn never() -> Self {
        Leadership { until: watch::channel(None).1 }
    }

    /// Whether this process holds the Lease now. Checked before each write. Reads the clock, so that a process that was
    /// suspended for longer than the duration gets false at once.
    pub fn holds(&self) -> bool {
        self.held_until().is_some()
    }

    /// Waits until this process no longer holds the Lease.
    pub async fn lost(&self) {
        let mut until = self.until.clone();
        loop {
            until.borrow_and_update();
            let Some(end) = self.held_until() else { return };
            let end = sleep_until(end.into());
            tokio::select! {
                () = end => {}
                Ok(()) = until.changed() => {}
            }
        }
    }

    fn held_until(&self) -> Option<Instant> {
        let until = *self.until.borrow();
        until.filter(|until| Instant::now() < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leadership_ends_with_the_clock_even_without_news() {
        let (until, known) = watch::channel(Some(Instant::now()));
        let leadership = Leadership::of(known);
        assert!(!leadership.holds());
        until.send_replace(Some(Instant::now() + ALWAYS));
        assert!(leadership.holds());
        until.send_replace(None);
        assert!(!leadership.holds());
    }

    #[tokio::test]
    async fn losing_leadership_is_signalled_and_a_renewal_is_not() {
        let (until, known) = watch::channel(Some(Instant::now() + ALWAYS));
        let leadership = Leadership::of(known);
        let lost = leadership.lost();
        tokio::pin!(lost);
        until.send_replace(Some(Instant::now() + ALWAYS));
        assert!(futures_util::poll!(&mut lost).is_pending());
        until.send_replace(Some(Instant::now()));
        lost.await;
        drop(until);
        leadership.lost().await;
    }

    #[tokio::test]
    async fn always_is_never_lost() {
        let leadership = Leadership::always();
        assert!(leadership.holds());
        let lost = leadership.lost();
        tokio::pin!(lost);
        assert!(futures_util::poll!(&mut lost).is_pending());
    }
}
