//! Who leads, decided without I/O and without a clock: what to ask next, and what follows from the answer.
//!
//! Of two candidates never both hold, whatever is delayed, lost or reordered, because
//! - the Lease is changed only by compare-and-swap;
//! - who renewed it holds it from when the request was *sent*, for less than it lasts;
//! - who does not hold it waits as long as it lasts from when it last *saw* it changed, which is later.
//!
//! Each measures by its own monotonic clock; no clock is ever compared with another's.

use std::time::Duration;

/// A moment: the time since some start, on one process's monotonic clock.
pub type Moment = Duration;

/// The longest that a Lease of ours can say that it lasts.
pub const LONGEST: Duration = Duration::from_secs(600);
/// Of a Lease that says more, so many times as long as ours lasts is waited.
const DISBELIEF: u32 = 10;

/// How long a Lease lasts, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    lasts: Duration,
}

impl Timings {
    /// Of a Lease that lasts so long.
    pub fn of(lasts: Duration) -> Self {
        Timings { lasts }
    }

    /// How long it lasts for others.
    pub fn lasts(self) -> Duration {
        self.lasts
    }

    /// How long its holder acts on it: less, for clocks that run at different speeds and for writes that
    /// are on their way.
    pub fn acts(self) -> Duration {
        self.lasts.saturating_sub(self.lasts / 5)
    }

    /// How long after a renewal the next is due.
    pub fn renew(self) -> Duration {
        self.lasts / 3
    }

    /// How long after a failure, or after somebody else was seen to hold it, it is looked at again.
    pub fn retry(self) -> Duration {
        self.lasts * 2 / 15
    }

    /// How long a Lease that says that it lasts so long is waited for. What no replica of ours can have written is
    /// not believed, or nobody would lead for years; and never less than ours lasts, whoever made it shorter.
    pub fn waits(self, says: Duration) -> Duration {
        let believed = if says > LONGEST { self.lasts.saturating_mul(DISBELIEF).min(LONGEST) } else { says };
        believed.max(self.lasts)
    }

    /// How long one request may take: two fit between a renewal that is due and the end.
    pub fn patience(self) -> Duration {
        self.lasts / 5
    }
}

/// A Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLease {
    /// Who holds it; nobody where it was released.
    pub holder: Option<String>,
    /// How long it lasts, as it says.
    pub lasts: Duration,
    /// Its resourceVersion.
    pub version: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandidateStep {
    /// Read the Lease.
    Look,
    /// Make the Lease, held by us; it is not there.
    Create,
    /// Write the Lease, held by us, over this version and no other.
    Replace(String),
    /// Nothing until then.
    Rest(Moment),
}

/// One who would hold the Lease.
#[derive(Clone, Debug)]
pub struct Candidate {
    identity: String,
    timings: Timings,
    /// What was seen last, and whether it was there still when last looked for.
    last: Option<SeenLease>,
    there: bool,
    /// Since when it is known to be so.
    since: Moment,
    /// Whether it may be written as it was seen, without looking again.
    certain: bool,
    /// Until when we hold it.
    until: Moment,
    /// When something is due.
    next: Moment,
}

impl Candidate {
    /// One that knows nothing yet. An identity is that of one process, and of no other ever.
    pub fn new(identity: &str, timings: Timings) -> Self {
        Candidate {
            identity: identity.to_string(),
            timings,
            last: None,
            there: false,
            since: Moment::ZERO,
            certain: false,
            until: Moment::ZERO,
            next: Moment::ZERO,
        }
    }

    /// Whether we hold it.
    pub fn holds(&self, now: Moment) -> bool {
        now < self.until
    }

    /// Until when we hold it, if nothing else happens.
    pub fn until(&self) -> Moment {
        self.until
    }

    /// Who else holds it, as far as is known.
    pub fn holder(&self) -> Option<&str> {
        self.last.as_ref()?.holder.as_deref().filter(|holder| *holder != self.identity)
    }

    /// What to do now. Before it is done it must be [`Self::asking`].
    pub fn step(&self, now: Moment) -> CandidateStep {
        match &self.last {
            _ if now < self.next => CandidateStep::Rest(self.next),
            Some(seen) if self.certain && self.there => CandidateStep::Replace(seen.version.clone()),
            _ if self.certain => CandidateStep::Create,
            _ => CandidateStep::Look,
        }
    }

    /// Something is asked: until it is answered, nothing is certain.
    pub fn asking(&mut self) {
        self.certain = false;
    }

    /// The Lease was read; `None` where it is not there.
    pub fn looked(&mut self, now: Moment, seen: Option<SeenLease>) {
        self.there = seen.is_some();
        if let Some(seen) = seen
            && self.last.as_ref().is_none_or(|last| last.version != seen.version)
        {
            self.last = Some(seen);
            self.since = now;
        }
        if self.there && !self.is_ours() {
            self.until = Moment::ZERO;
        }
        self.certain = self.is_free(now);
        self.next = if self.certain { now } else { self.expires().min(now + self.timings.retry()) };
    }

    /// The Lease was written, held by us, by a request that was sent then.
    pub fn took(&mut self, sent: Moment, written: SeenLease) {
        self.last = Some(written);
        self.there = true;
        self.since = sent;
        self.certain = true;
        self.until = sent + self.timings.acts();
        self.next = sent + self.timings.renew();
    }

    /// There was no answer, or a no.
    pub fn failed(&mut self, now: Moment) {
        self.certain = false;
        self.next = now + self.timings.retry();
    }

    /// We act on it no more, so that it can be released.
    pub fn resign(&mut self) {
        self.until = Moment::ZERO;
    }

    fn is_ours(&self) -> bool {
        self.last.as_ref().is_some_and(|seen| seen.holder.as_deref() == Some(&self.identity))
    }

    /// Whether it may be taken: it is ours, nobody's, or has not changed for as long as it lasts. One that
    /// somebody deleted counts as held until then: its holder may not know yet.
    fn is_free(&self, now: Moment) -> bool {
        let nobody = self.last.as_ref().is_none_or(|seen| seen.holder.is_none());
        nobody || self.is_ours() || now >= self.expires()
    }

    fn expires(&self) -> Moment {
        self.last.as_ref().map_or(Moment::ZERO, |seen| self.since.saturating_add(self.timings.waits(seen.lasts)))
    }
}

#[cfg(test)]
mod tests;
