//! What has to be looked at in one target, and when. It is told the time, and keeps none.

use crate::api::Kind;
use crate::engine::closure::Seeds;
use crate::engine::item::ObjectId;
use std::time::Duration;
use tokio::time::Instant;

/// How long nothing must have changed before the whole is looked at.
const QUIET: Duration = Duration::from_secs(1);
/// How long it is put off at most.
const LATEST: Duration = Duration::from_secs(10);
/// The first pause after a failure; doubled each time.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is to be done now.
#[derive(Debug)]
pub enum Job {
    /// Look at what changed, and at what uses it.
    Part(Seeds),
    /// Look at everything.
    Whole,
}

/// What has to be looked at in one target.
#[derive(Debug, Default)]
pub struct Agenda {
    seeds: Seeds,
    /// When the first of the seeds came.
    since: Option<Instant>,
    whole_at: Option<Instant>,
    /// When it was first put off.
    put_off: Option<Instant>,
    busy: bool,
    not_before: Option<Instant>,
    pause: Option<Duration>,
}

impl Agenda {
    /// These objects changed, here or where they are copied from.
    pub fn changed<'a>(&mut self, objects: impl IntoIterator<Item = &'a ObjectId>, now: Instant) {
        for id in objects {
            self.since.get_or_insert(now);
            match id.kind {
                Kind::Connection => drop(self.seeds.keys.insert(id.name.clone())),
                Kind::Integration => drop(self.seeds.integrations.insert(id.name.clone())),
                // What they mean for others is decided on the whole.
                Kind::Component | Kind::CustomerCredentials | Kind::Tenant | Kind::TenantSync => {}
            }
            let first = *self.put_off.get_or_insert(now);
            self.whole_at = Some((now + QUIET).min(first + LATEST));
        }
    }

    /// Everything has to be looked at, and at once.
    pub fn look_at_everything(&mut self, now: Instant) {
        self.whole_at = Some(now);
        self.since.get_or_insert(now);
    }

    /// Everything has to be looked at by then.
    pub fn look_at_everything_by(&mut self, then: Instant) {
        self.whole_at = Some(self.whole_at.map_or(then, |at| at.min(then)));
    }

    /// A person, or a tool, asks: what failed is tried at once.
    pub fn hurry(&mut self, now: Instant) {
        (self.not_before, self.pause) = (None, None);
        self.look_at_everything(now);
    }

    /// What to do now. What is given out is being done, until [`Agenda::done`] or [`Agenda::failed`].
    pub fn take(&mut self, now: Instant) -> Option<Job> {
        if self.busy || self.not_before.is_some_and(|then| then > now) {
            return None;
        }
        if self.whole_at.is_some_and(|at| at <= now) {
            // The whole includes the parts.
            *self = Agenda { busy: true, pause: self.pause, ..Agenda::default() };
            return Some(Job::Whole);
        }
        if self.seeds.keys.is_empty() && self.seeds.integrations.is_empty() {
            return None;
        }
        (self.busy, self.since) = (true, None);
        Some(Job::Part(std::mem::take(&mut self.seeds)))
    }

    /// What was given out is done.
    pub fn done(&mut self) {
        (self.busy, self.not_before, self.pause) = (false, None, None);
    }

    /// Some of what was given out failed: everything is looked at again, after a pause that grows.
    pub fn failed(&mut self, now: Instant) {
        let pause = self.pause.map_or(PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        (self.busy, self.pause, self.not_before) = (false, Some(pause), Some(now + pause));
        self.look_at_everything(now);
    }

    /// When there is something to do; `None`: not before something changes.
    pub fn wakes(&self) -> Option<Instant> {
        if self.busy {
            return None;
        }
        let parts = self.since.filter(|_| !self.seeds.keys.is_empty() || !self.seeds.integrations.is_empty());
        let next = [parts, self.whole_at].into_iter().flatten().min()?;
        Some(self.not_before.map_or(next, |then| then.max(next)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(name: &str) -> ObjectId {
        ObjectId::new(Kind::Connection, name)
    }

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_change_is_looked_at_at_once_and_the_whole_when_it_is_quiet() {
        let (mut agenda, now) = (Agenda::default(), Instant::now());
        agenda.changed([&connection("a")], now);
        assert!(matches!(agenda.take(now), Some(Job::Part(seeds)) if seeds.keys.contains("a")));
        assert!(agenda.take(now + second(5)).is_none(), "one at a time");
        agenda.done();
        assert!(agenda.take(now).is_none());
        assert_eq!(agenda.wakes(), Some(now + QUIET));
        assert!(matches!(agenda.take(now + QUIET), Some(Job::Whole)));
        agenda.done();
        assert_eq!(agenda.wakes(), None);
    }

    #[test]
    fn where_it_is_never_quiet_the_whole_is_looked_at_all_the_same() {
        let (mut agenda, now) = (Agenda::default(), Instant::now());
        for n in 0..40 {
            agenda.changed([&connection("a")], now + Duration::from_millis(500) * n);
        }
        assert!(matches!(agenda.take(now + LATEST), Some(Job::Whole)));
    }

    #[test]
    fn a_failure_is_tried_again_after_pauses_that_grow_and_end_with_a_success() {
        let (mut agenda, now) = (Agenda::default(), Instant::now());
        agenda.changed([&connection("a")], now);
        agenda.take(now);
        agenda.failed(now);
        assert!(agenda.take(now).is_none());
        assert_eq!(agenda.wakes(), Some(now + PAUSE));
        assert!(matches!(agenda.take(now + PAUSE), Some(Job::Whole)));
        agenda.failed(now + PAUSE);
        assert_eq!(agenda.wakes(), Some(now + PAUSE + PAUSE * 2));
        agenda.hurry(now + PAUSE);
        assert!(matches!(agenda.take(now + PAUSE), Some(Job::Whole)));
        agenda.done();
        agenda.changed([&connection("a")], now);
        agenda.take(now);
        agenda.failed(now);
        assert_eq!(agenda.wakes(), Some(now + PAUSE));
    }

    #[test]
    fn what_comes_while_it_is_busy_is_done_after() {
        let (mut agenda, now) = (Agenda::default(), Instant::now());
        agenda.changed([&connection("a")], now);
        agenda.take(now);
        agenda.changed([&connection("b")], now);
        agenda.done();
        assert!(matches!(agenda.take(now), Some(Job::Part(seeds)) if seeds.keys.contains("b")));
    }
}
