//! Decides who leads, without I/O and without a clock: the next request, and what follows from its answer.
//!
//! Two candidates never hold the Lease at the same time, whatever is delayed, lost or reordered, because
//! - the Lease is changed only by compare-and-swap;
//! - a candidate that renewed it holds it from when the request was *sent*, for less than its duration;
//! - a candidate that does not hold it waits its full duration from when it last *saw* it change, which is later.
//!
//! Each candidate uses its own monotonic clock; clocks are never compared.

use std::time::Duration;

/// A time on one process's monotonic clock, since an arbitrary start.
pub type Moment = Duration;

/// The longest duration that Stablekey writes to a Lease.
pub const LONGEST: Duration = Duration::from_secs(600);
/// A Lease with a longer duration than ours is waited for at most this many times our duration.
const DISBELIEF: u32 = 10;

/// The duration of a Lease, and the intervals that follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    lasts: Duration,
}

impl Timings {
    /// Returns the timings for a Lease of this duration.
    pub fn of(lasts: Duration) -> Self {
        Timings { lasts }
    }

    /// How long other candidates consider it held.
    pub fn lasts(self) -> Duration {
        self.lasts
    }

    /// How long its holder acts on it: less than the duration, to allow for clocks of different speed and for writes in
    /// flight.
    pub fn acts(self) -> Duration {
        self.lasts.saturating_sub(self.lasts / 5)
    }

    /// How long after a renewal the next one is due.
    pub fn renew(self) -> Duration {
        self.lasts / 3
    }

    /// How long after a failure, or after another holder was seen, the Lease is read again.
    pub fn retry(self) -> Duration {
        self.lasts * 2 / 15
    }

    /// How long to wait for a Lease of another holder that has this duration. Never less than our own duration; and a
    /// duration that no replica can have written is capped, because otherwise nobody would lead for years.
    pub fn waits(self, says: Duration) -> Duration {
        let believed = if says > LONGEST { self.lasts.saturating_mul(DISBELIEF).min(LONGEST) } else { says };
        believed.max(self.lasts)
    }

    /// The timeout of one request: two requests fit between a due renewal and the end.
    pub fn request_timeout(self) -> Duration {
        self.lasts / 5
    }
}

/// A Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLease {
    /// The holder; `None` if it was released.
    pub holder: Option<String>,
    /// The duration that it has.
    pub lasts: Duration,
    pub version: String,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandidateStep {
    /// Read the Lease.
    Read,
    /// Create the Lease with this candidate as holder; there is none.
    Create,
    /// Write the Lease with this candidate as holder, if it still has this version.
    Replace(String),
    /// Nothing until then.
    Rest(Moment),
}

/// A process that may hold the Lease.
#[derive(Clone, Debug)]
pub struct Candidate {
    identity: String,
    timings: Timings,
    /// The Lease as it was last seen; kept when it was deleted.
    last: Option<SeenLease>,
    there: bool,
    /// Since when it is known to be unchanged.
    since: Moment,
    /// Whether it may be written as it was seen, without reading it again.
    certain: bool,
    /// Until when this candidate holds it.
    until: Moment,
    /// When the next step is due.
    next: Moment,
}

impl Candidate {
    /// Creates a candidate that has not read the Lease yet. The identity must be unique among all processes, past and
    /// future.
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

    /// Whether this candidate holds it.
    pub fn holds(&self, now: Moment) -> bool {
        now < self.until
    }

    /// Until when this candidate holds it if nothing else happens.
    pub fn until(&self) -> Moment {
        self.until
    }

    /// Returns another holder, if one is known.
    pub fn holder(&self) -> Option<&str> {
        self.last.as_ref()?.holder.as_deref().filter(|holder| *holder != self.identity)
    }

    /// Returns the next step. Call [`Self::asking`] before its request.
    pub fn step(&self, now: Moment) -> CandidateStep {
        match &self.last {
            _ if now < self.next => CandidateStep::Rest(self.next),
            Some(seen) if self.certain && self.there => CandidateStep::Replace(seen.version.clone()),
            _ if self.certain => CandidateStep::Create,
            _ => CandidateStep::Read,
        }
    }

    /// Records that a request is sent: nothing is certain until its answer.
    pub fn asking(&mut self) {
        self.certain = false;
    }

    /// Records that the Lease was read; `None` if there is none.
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

    /// Records that the Lease was written with this candidate as holder, by a request that was sent at `sent`.
    pub fn took(&mut self, sent: Moment, written: SeenLease) {
        self.last = Some(written);
        self.there = true;
        self.since = sent;
        self.certain = true;
        self.until = sent + self.timings.acts();
        self.next = sent + self.timings.renew();
    }

    /// Records that a request failed or got no answer.
    pub fn failed(&mut self, now: Moment) {
        self.certain = false;
        self.next = now + self.timings.retry();
    }

    /// Stops acting on the Lease, so that it can be released.
    pub fn resign(&mut self) {
        self.until = Moment::ZERO;
    }

    fn is_ours(&self) -> bool {
        self.last.as_ref().is_some_and(|seen| seen.holder.as_deref() == Some(&self.identity))
    }

    /// Whether the Lease may be taken: it is this candidate's, or nobody's, or has not changed for its duration. A
    /// deleted Lease counts as held until then, because its holder may not know yet.
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
