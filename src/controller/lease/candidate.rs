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

    /// How long one request may take: two fit between a renewal that is due and the end.
    pub fn patience(self) -> Duration {
        self.lasts / 5
    }
}

/// A Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who holds it; nobody where it was released.
    pub holder: Option<String>,
    /// How long it lasts, as its holder says.
    pub lasts: Duration,
    /// Its resourceVersion.
    pub version: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
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
    last: Option<Seen>,
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
    pub fn step(&self, now: Moment) -> Step {
        match &self.last {
            _ if now < self.next => Step::Rest(self.next),
            Some(seen) if self.certain && self.there => Step::Replace(seen.version.clone()),
            _ if self.certain => Step::Create,
            _ => Step::Look,
        }
    }

    /// Something is asked: until it is answered, nothing is certain.
    pub fn asking(&mut self) {
        self.certain = false;
    }

    /// The Lease was read; `None` where it is not there.
    pub fn looked(&mut self, now: Moment, seen: Option<Seen>) {
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
    pub fn took(&mut self, sent: Moment, written: Seen) {
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
        self.last.as_ref().map_or(Moment::ZERO, |seen| self.since.saturating_add(seen.lasts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LASTS: Duration = Duration::from_secs(15);

    fn at(seconds: u64) -> Moment {
        Duration::from_secs(seconds)
    }

    fn candidate(identity: &str) -> Candidate {
        Candidate::new(identity, Timings::of(LASTS))
    }

    fn seen(holder: &str, version: &str) -> Seen {
        let holder = Some(holder.to_string()).filter(|h| !h.is_empty());
        Seen { holder, lasts: LASTS, version: version.to_string() }
    }

    #[test]
    fn two_failed_renewals_fit_before_the_end() {
        let timings = Timings::of(LASTS);
        assert_eq!((timings.renew(), timings.retry(), timings.acts()), (at(5), at(2), at(12)));
        assert!(timings.renew() + timings.patience() + timings.retry() < timings.acts());
    }

    #[test]
    fn one_that_is_not_there_is_made() {
        let mut a = candidate("a");
        assert_eq!(a.step(at(0)), Step::Look);
        a.looked(at(1), None);
        assert_eq!(a.step(at(1)), Step::Create);
        a.asking();
        a.took(at(1), seen("a", "1"));
        assert!(a.holds(at(12)) && !a.holds(at(13)), "from when it was sent, less than it lasts");
        assert_eq!(a.step(at(5)), Step::Rest(at(6)));
        assert_eq!(a.step(at(6)), Step::Replace("1".into()));
    }

    #[test]
    fn one_that_another_holds_is_taken_when_it_has_not_changed_for_as_long_as_it_lasts() {
        let mut b = candidate("b");
        b.looked(at(100), Some(seen("a", "1")));
        assert_eq!((b.step(at(100)), b.holder()), (Step::Rest(at(102)), Some("a")));
        b.looked(at(110), Some(seen("a", "2")));
        b.looked(at(124), Some(seen("a", "2")));
        assert_eq!(b.step(at(124)), Step::Rest(at(125)), "it is looked at when it ends, not later");
        b.looked(at(125), Some(seen("a", "2")));
        assert_eq!(b.step(at(125)), Step::Replace("2".into()));
    }

    #[test]
    fn one_that_was_released_is_taken_at_once() {
        let mut b = candidate("b");
        b.looked(at(100), Some(seen("a", "1")));
        b.looked(at(102), Some(seen("", "2")));
        assert_eq!(b.step(at(102)), Step::Replace("2".into()));
    }

    #[test]
    fn one_that_was_deleted_counts_as_held_until_it_would_have_ended() {
        let mut b = candidate("b");
        b.looked(at(100), Some(seen("a", "1")));
        b.looked(at(102), None);
        assert_eq!(b.step(at(102)), Step::Rest(at(104)));
        b.looked(at(115), None);
        assert_eq!(b.step(at(115)), Step::Create);
    }

    #[test]
    fn who_sees_that_another_holds_it_holds_it_no_more() {
        let mut a = candidate("a");
        a.took(at(0), seen("a", "1"));
        a.asking();
        a.failed(at(5));
        assert_eq!(a.step(at(7)), Step::Look, "what became of the renewal is not known");
        assert!(a.holds(at(7)));
        a.looked(at(7), Some(seen("b", "2")));
        assert!(!a.holds(at(7)));
    }

    /// A request on its way. Who sent it may have given it up: it still arrives.
    #[derive(Clone, Debug)]
    struct Sent {
        by: usize,
        process: u32,
        at: Moment,
        what: Ask,
        answer: Option<Answer>,
    }

    #[derive(Clone, Debug)]
    enum Ask {
        Look,
        Write { over: Option<String>, holder: String },
    }

    #[derive(Clone, Debug)]
    enum Answer {
        Is(Option<Seen>),
        Done(Seen),
        No,
    }

    #[derive(Clone, Debug)]
    enum Happens {
        /// Time goes on, by so many milliseconds.
        Passes(u16),
        /// A candidate does what it would.
        Steps(usize),
        /// A request that waits reaches the server.
        Arrives(usize),
        /// An answer that waits is heard.
        Heard(usize),
        /// A candidate gives a request up, and what comes of it is not heard.
        GivesUp(usize),
        /// A candidate steps down and releases.
        Resigns(usize),
        /// A candidate is killed and another process takes its place.
        Restarts(usize),
    }

    struct World {
        now: Moment,
        lease: Option<Seen>,
        versions: u32,
        candidates: [Candidate; 2],
        /// Each has a clock of its own.
        clocks: [Moment; 2],
        processes: [u32; 2],
        waits: [bool; 2],
        sent: Vec<Sent>,
        /// How often one took it over from the other.
        led: u32,
    }

    impl World {
        fn new(clocks: [Moment; 2]) -> Self {
            World {
                now: Moment::ZERO,
                lease: None,
                versions: 0,
                candidates: [candidate("0-0"), candidate("1-0")],
                clocks,
                processes: [0; 2],
                waits: [false; 2],
                sent: Vec::new(),
                led: 0,
            }
        }

        fn clock(&self, who: usize) -> Moment {
            self.now + self.clocks[who]
        }

        fn send(&mut self, who: usize, what: Ask) {
            let sent = Sent { by: who, process: self.processes[who], at: self.clock(who), what, answer: None };
            self.sent.push(sent);
        }

        fn happens(&mut self, event: Happens) {
            match event {
                Happens::Passes(milliseconds) => self.now += Duration::from_millis(milliseconds.into()),
                Happens::Steps(who) if !self.waits[who] => self.steps(who),
                Happens::Arrives(which) => self.arrives(which),
                Happens::Heard(which) => self.heard(which),
                Happens::GivesUp(who) if self.waits[who] => {
                    self.waits[who] = false;
                    self.processes[who] += 1_000; // answers to this process's requests so far are lost
                    let now = self.clock(who);
                    self.candidates[who].failed(now);
                }
                Happens::Resigns(who) if self.candidates[who].holds(self.clock(who)) && !self.waits[who] => {
                    self.candidates[who].resign();
                    let over = self.candidates[who].last.as_ref().map(|seen| seen.version.clone());
                    self.candidates[who].asking();
                    self.send(who, Ask::Write { over, holder: String::new() });
                    self.waits[who] = true;
                }
                Happens::Restarts(who) => {
                    self.processes[who] += 1;
                    self.waits[who] = false;
                    self.candidates[who] = candidate(&format!("{who}-{}", self.processes[who]));
                }
                Happens::Steps(_) | Happens::GivesUp(_) | Happens::Resigns(_) => {}
            }
        }

        fn steps(&mut self, who: usize) {
            let over = match self.candidates[who].step(self.clock(who)) {
                Step::Rest(_) => return,
                Step::Look => {
                    self.send(who, Ask::Look);
                    self.waits[who] = true;
                    return self.candidates[who].asking();
                }
                Step::Create => None,
                Step::Replace(version) => Some(version),
            };
            self.candidates[who].asking();
            let holder = self.candidates[who].identity.clone();
            self.send(who, Ask::Write { over, holder });
            self.waits[who] = true;
        }

        fn arrives(&mut self, which: usize) {
            let waiting: Vec<usize> = (0..self.sent.len()).filter(|i| self.sent[*i].answer.is_none()).collect();
            let Some(index) = which.checked_rem(waiting.len()).map(|i| waiting[i]) else { return };
            let answer = match self.sent[index].what.clone() {
                Ask::Look => Answer::Is(self.lease.clone()),
                Ask::Write { over, .. } if over != self.lease.as_ref().map(|lease| lease.version.clone()) => Answer::No,
                Ask::Write { holder, .. } => {
                    self.versions += 1;
                    let written = seen(&holder, &self.versions.to_string());
                    self.lease = Some(written.clone());
                    Answer::Done(written)
                }
            };
            self.sent[index].answer = Some(answer);
        }

        fn heard(&mut self, which: usize) {
            let answered: Vec<usize> = (0..self.sent.len()).filter(|i| self.sent[*i].answer.is_some()).collect();
            let Some(index) = which.checked_rem(answered.len()).map(|i| answered[i]) else { return };
            let sent = self.sent.swap_remove(index);
            let who = sent.by;
            if sent.process != self.processes[who] || !self.waits[who] {
                return;
            }
            self.waits[who] = false;
            let now = self.clock(who);
            let candidate = &mut self.candidates[who];
            match sent.answer.unwrap() {
                Answer::Is(lease) => candidate.looked(now, lease),
                Answer::Done(lease) if lease.holder.is_some() => {
                    candidate.took(sent.at, lease);
                    self.led += 1;
                }
                Answer::Done(_) | Answer::No => candidate.failed(now),
            }
        }

        fn both_hold(&self) -> bool {
            (0..2).all(|who| self.candidates[who].holds(self.clock(who)))
        }
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            6 => (0..6_000_u16).prop_map(Happens::Passes),
            8 => (0..2_usize).prop_map(Happens::Steps),
            8 => (0..64_usize).prop_map(Happens::Arrives),
            8 => (0..64_usize).prop_map(Happens::Heard),
            1 => (0..2_usize).prop_map(Happens::GivesUp),
            1 => (0..2_usize).prop_map(Happens::Resigns),
            1 => (0..2_usize).prop_map(Happens::Restarts),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn two_never_both_hold(
            skew in 0..1_000_000_u64,
            events in proptest::collection::vec(happens(), 0..400),
        ) {
            let mut world = World::new([Moment::ZERO, Duration::from_millis(skew)]);
            for event in events {
                world.happens(event);
                prop_assert!(!world.both_hold());
            }
        }

        #[test]
        fn where_answers_come_one_of_two_holds_soon_and_goes_on_holding(pauses in proptest::collection::vec(1..900_u16, 120)) {
            let mut world = World::new([Moment::ZERO, Duration::from_secs(70)]);
            for (number, pause) in pauses.into_iter().enumerate() {
                for who in 0..2 {
                    world.happens(Happens::Steps(who));
                    world.happens(Happens::Arrives(0));
                    world.happens(Happens::Heard(0));
                }
                world.happens(Happens::Passes(pause));
                let holders = (0..2).filter(|who| world.candidates[*who].holds(world.clock(*who))).count();
                prop_assert!(number < 2 || holders == 1, "after {number}");
            }
        }
    }
}
