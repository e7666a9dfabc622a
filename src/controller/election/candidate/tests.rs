use super::*;
use proptest::prelude::*;

const LASTS: Duration = Duration::from_secs(15);

fn at(seconds: u64) -> Moment {
    Duration::from_secs(seconds)
}

fn candidate(identity: &str) -> Candidate {
    Candidate::new(identity, Timings::of(LASTS))
}

fn seen(holder: &str, version: &str) -> SeenLease {
    let holder = Some(holder.to_string()).filter(|h| !h.is_empty());
    SeenLease { holder, lasts: LASTS, version: version.to_string() }
}

#[test]
fn two_failed_renewals_fit_before_the_end() {
    let timings = Timings::of(LASTS);
    assert_eq!((timings.renew(), timings.retry(), timings.acts()), (at(5), at(2), at(12)));
    assert!(timings.renew() + timings.request_timeout() + timings.retry() < timings.acts());
}

#[test]
fn a_missing_lease_is_created() {
    let mut a = candidate("a");
    assert_eq!(a.step(at(0)), CandidateStep::Read);
    a.looked(at(1), None);
    assert_eq!(a.step(at(1)), CandidateStep::Create);
    a.asking();
    a.took(at(1), seen("a", "1"));
    assert!(a.holds(at(12)) && !a.holds(at(13)), "from when it was sent, less than it lasts");
    assert_eq!(a.step(at(5)), CandidateStep::Rest(at(6)));
    assert_eq!(a.step(at(6)), CandidateStep::Replace("1".into()));
}

#[test]
fn a_lease_is_taken_over_when_unchanged_for_its_duration() {
    let mut b = candidate("b");
    b.looked(at(100), Some(seen("a", "1")));
    assert_eq!((b.step(at(100)), b.holder()), (CandidateStep::Rest(at(102)), Some("a")));
    b.looked(at(110), Some(seen("a", "2")));
    b.looked(at(124), Some(seen("a", "2")));
    assert_eq!(b.step(at(124)), CandidateStep::Rest(at(125)), "it is looked at when it ends, not later");
    b.looked(at(125), Some(seen("a", "2")));
    assert_eq!(b.step(at(125)), CandidateStep::Replace("2".into()));
}

/// Somebody edits the Lease: the holder that it names may not exist.
#[test]
fn an_edited_duration_is_waited_for_within_bounds() {
    let lasting = |seconds: u64| SeenLease { lasts: at(seconds), ..seen("a", "1") };
    for (says, waits) in [(2_147_483_647, 150), (601, 150), (600, 600), (60, 60), (15, 15), (3, 15), (0, 15)] {
        let mut b = candidate("b");
        b.looked(at(100), Some(lasting(says)));
        b.looked(at(100 + waits - 1), Some(lasting(says)));
        assert_eq!(b.step(at(100 + waits - 1)), CandidateStep::Rest(at(100 + waits)), "{says}");
        b.looked(at(100 + waits), Some(lasting(says)));
        assert_eq!(b.step(at(100 + waits)), CandidateStep::Replace("1".into()), "{says}");
    }
    let waits = |lasts: u64| Timings::of(at(lasts)).waits(at(u64::MAX));
    assert_eq!((waits(3), waits(60), waits(300), waits(600)), (at(30), at(600), at(600), at(600)));
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let mut b = candidate("b");
    b.looked(at(100), Some(seen("a", "1")));
    b.looked(at(102), Some(seen("", "2")));
    assert_eq!(b.step(at(102)), CandidateStep::Replace("2".into()));
}

#[test]
fn a_deleted_lease_counts_as_held_until_it_expires() {
    let mut b = candidate("b");
    b.looked(at(100), Some(seen("a", "1")));
    b.looked(at(102), None);
    assert_eq!(b.step(at(102)), CandidateStep::Rest(at(104)));
    b.looked(at(115), None);
    assert_eq!(b.step(at(115)), CandidateStep::Create);
}

#[test]
fn seeing_another_holder_ends_leadership() {
    let mut a = candidate("a");
    a.took(at(0), seen("a", "1"));
    a.asking();
    a.failed(at(5));
    assert_eq!(a.step(at(7)), CandidateStep::Read, "what became of the renewal is not known");
    assert!(a.holds(at(7)));
    a.looked(at(7), Some(seen("b", "2")));
    assert!(!a.holds(at(7)));
}

/// A request in flight. It still arrives if its sender gave up.
#[derive(Clone, Debug)]
struct Sent {
    by: usize,
    process: u32,
    at: Moment,
    what: Asked,
    answer: Option<Answer>,
}

#[derive(Clone, Debug)]
enum Asked {
    Read,
    Write { over: Option<String>, holder: String },
}

#[derive(Clone, Debug)]
enum Answer {
    Is(Option<SeenLease>),
    Done(SeenLease),
    No,
}

#[derive(Clone, Debug)]
enum Happens {
    /// Time passes, in milliseconds.
    Passes(u16),
    /// A candidate runs its next step, and receives the answer at once.
    Asks(usize),
    /// A candidate sends the request of its next step.
    Steps(usize),
    /// A request in flight reaches the server.
    Arrives(usize),
    /// A candidate receives an answer in flight.
    Heard(usize),
    /// A candidate gives up a request, and does not receive its answer.
    GivesUp(usize),
    /// A candidate resigns and releases the Lease.
    Resigns(usize),
    /// A candidate is killed, and another process takes its place.
    Restarts(usize),
    /// Somebody edits the duration of the Lease.
    Edits(u32),
}

struct World {
    now: Moment,
    lease: Option<SeenLease>,
    versions: u32,
    candidates: [Candidate; 2],
    /// Each process has its own clock.
    clocks: [Moment; 2],
    processes: [u32; 2],
    waits: [bool; 2],
    sent: Vec<Sent>,
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
        }
    }

    fn clock(&self, who: usize) -> Moment {
        self.now + self.clocks[who]
    }

    fn send(&mut self, who: usize, what: Asked) {
        let sent = Sent { by: who, process: self.processes[who], at: self.clock(who), what, answer: None };
        self.sent.push(sent);
    }

    fn happens(&mut self, event: Happens) {
        match event {
            Happens::Passes(milliseconds) => self.now += Duration::from_millis(milliseconds.into()),
            Happens::Asks(who) if !self.waits[who] => {
                self.steps(who);
                if self.waits[who] {
                    let last = self.sent.len() - 1;
                    self.answer(last);
                    self.hear(last);
                }
            }
            Happens::Steps(who) if !self.waits[who] => self.steps(who),
            Happens::Arrives(which) => self.arrives(which),
            Happens::Heard(which) => self.heard(which),
            Happens::GivesUp(who) if self.waits[who] => {
                self.waits[who] = false;
                self.processes[who] += 1_000; // answers to this process's earlier requests are lost
                let now = self.clock(who);
                self.candidates[who].failed(now);
            }
            Happens::Resigns(who) if self.candidates[who].holds(self.clock(who)) && !self.waits[who] => {
                self.candidates[who].resign();
                let over = self.candidates[who].last.as_ref().map(|seen| seen.version.clone());
                self.candidates[who].asking();
                self.send(who, Asked::Write { over, holder: String::new() });
                self.waits[who] = true;
            }
            Happens::Restarts(who) => {
                self.processes[who] += 1;
                self.waits[who] = false;
                self.candidates[who] = candidate(&format!("{who}-{}", self.processes[who]));
            }
            Happens::Edits(seconds) => {
                self.versions += 1;
                let version = self.versions.to_string();
                let edited = self.lease.take();
                self.lease = edited.map(|lease| SeenLease { lasts: at(seconds.into()), version, ..lease });
            }
            Happens::Asks(_) | Happens::Steps(_) | Happens::GivesUp(_) | Happens::Resigns(_) => {}
        }
    }

    fn steps(&mut self, who: usize) {
        let over = match self.candidates[who].step(self.clock(who)) {
            CandidateStep::Rest(_) => return,
            CandidateStep::Read => {
                self.send(who, Asked::Read);
                self.waits[who] = true;
                return self.candidates[who].asking();
            }
            CandidateStep::Create => None,
            CandidateStep::Replace(version) => Some(version),
        };
        self.candidates[who].asking();
        let holder = self.candidates[who].identity.clone();
        self.send(who, Asked::Write { over, holder });
        self.waits[who] = true;
    }

    fn arrives(&mut self, which: usize) {
        let waiting: Vec<usize> = (0..self.sent.len()).filter(|i| self.sent[*i].answer.is_none()).collect();
        if let Some(index) = which.checked_rem(waiting.len()) {
            self.answer(waiting[index]);
        }
    }

    fn answer(&mut self, index: usize) {
        let answer = match self.sent[index].what.clone() {
            Asked::Read => Answer::Is(self.lease.clone()),
            Asked::Write { over, .. } if over != self.lease.as_ref().map(|lease| lease.version.clone()) => Answer::No,
            Asked::Write { holder, .. } => {
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
        if let Some(index) = which.checked_rem(answered.len()) {
            self.hear(answered[index]);
        }
    }

    fn hear(&mut self, index: usize) {
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
            Answer::Done(lease) if lease.holder.is_some() => candidate.took(sent.at, lease),
            Answer::Done(_) | Answer::No => candidate.failed(now),
        }
    }

    fn both_hold(&self) -> bool {
        (0..2).all(|who| self.candidates[who].holds(self.clock(who)))
    }
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        10 => (0..3_000_u16).prop_map(Happens::Passes),
        10 => (0..2_usize).prop_map(Happens::Asks),
        3 => (0..2_usize).prop_map(Happens::Steps),
        3 => (0..64_usize).prop_map(Happens::Arrives),
        3 => (0..64_usize).prop_map(Happens::Heard),
        1 => (0..2_usize).prop_map(Happens::GivesUp),
        1 => (0..2_usize).prop_map(Happens::Resigns),
        1 => (0..2_usize).prop_map(Happens::Restarts),
        1 => prop_oneof![0..30_u32, Just(u32::MAX)].prop_map(Happens::Edits),
    ]
}

proptest! {
    #[test]
    fn two_candidates_never_hold_the_lease_together(
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
    fn with_answers_one_of_two_leads_soon_and_keeps_leading(pauses in proptest::collection::vec(1..900_u16, 120)) {
        let mut world = World::new([Moment::ZERO, Duration::from_secs(70)]);
        for (number, pause) in pauses.into_iter().enumerate() {
            for who in 0..2 {
                world.happens(Happens::Asks(who));
            }
            world.happens(Happens::Passes(pause));
            let holders = (0..2).filter(|who| world.candidates[*who].holds(world.clock(*who))).count();
            prop_assert!(number < 2 || holders == 1, "after {number}");
        }
    }
}
