//! What is to be looked at, in which order, and when. It is told the time, and keeps none.

use crate::api::Kind;
use crate::engine::model::item::ObjectId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// The first pause after a failure; doubled each time.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// To look at an object, and to write what it needs.
    Object(ObjectId),
    /// To see to the owners of a definition's ConfigMap.
    Definition(String),
    /// To see what becomes of a binding Secret whose object may be gone.
    Leftover(String),
    /// To ask whether a Secret is still in the way of a binding: no change of it is watched.
    Obstacle(String),
}

impl Task {
    /// What rests on others comes after them.
    fn rank(&self) -> u8 {
        match self {
            Task::Object(id) if id.kind != Kind::Integration => 0,
            Task::Object(_) => 1,
            Task::Definition(_) | Task::Leftover(_) | Task::Obstacle(_) => 2,
        }
    }
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Something changed.
    Changed,
    /// What many rest on changed: who changes one thing does not wait for all of them.
    Spread,
    /// It is looked at to be sure.
    Routine,
}

/// The place in the queue: by haste, by rank, by arrival.
type Place = (Priority, u8, u64);

/// The tasks of one namespace. Each is done once at a time.
#[derive(Debug, Default)]
pub struct WorkQueue {
    queue: BTreeMap<Place, Task>,
    timers: BTreeSet<(Instant, Task)>,
    tasks: HashMap<Task, State>,
    /// Integrations that wait for a connection, by its name.
    parked: HashMap<String, BTreeMap<String, Priority>>,
    arrivals: u64,
}

#[derive(Debug, Default)]
struct State {
    place: Option<Place>,
    since: Option<Instant>,
    timer: Option<Instant>,
    /// The pause after the last failure.
    pause: Option<Duration>,
    busy: bool,
    /// How urgent what is being done is.
    haste: Option<Priority>,
    /// It became due while it was being done.
    again: Option<Priority>,
}

impl WorkQueue {
    /// Something is to be done. What failed before is tried at once: something changed.
    pub fn due(&mut self, task: Task, haste: Priority, now: Instant) {
        let state = self.tasks.entry(task.clone()).or_default();
        if state.busy {
            state.again = Some(state.again.map_or(haste, |before| before.min(haste)));
            return;
        }
        if let Some(place) = state.place {
            if place.0 <= haste {
                return;
            }
            self.queue.remove(&place);
        }
        self.arrivals += 1;
        let place = (haste, task.rank(), self.arrivals);
        state.place = Some(place);
        state.since.get_or_insert(now);
        self.queue.insert(place, task);
    }

    /// Something is to be done then, if not before.
    pub fn at(&mut self, task: Task, then: Instant) {
        let state = self.tasks.entry(task.clone()).or_default();
        if state.timer.is_some_and(|timer| timer <= then) {
            return;
        }
        if let Some(timer) = state.timer.replace(then) {
            self.timers.remove(&(timer, task.clone()));
        }
        self.timers.insert((then, task));
    }

    /// What to do now, and for how long it was due. It is being done until it is [`WorkQueue::done`], has
    /// [`WorkQueue::failed`], or is [`WorkQueue::park`]ed.
    pub fn take(&mut self, now: Instant) -> Option<(Task, Duration)> {
        self.ring(now);
        let ((haste, ..), task) = self.queue.pop_first()?;
        let state = self.tasks.entry(task.clone()).or_default();
        state.haste = Some(haste);
        let waited = state.since.take().map(|since| now.saturating_duration_since(since));
        (state.place, state.busy) = (None, true);
        if let Some(timer) = state.timer.take() {
            // What it was set for is looked at now.
            self.timers.remove(&(timer, task.clone()));
        }
        Some((task, waited.unwrap_or_default()))
    }

    /// Timers that have run down make due what they were set for.
    fn ring(&mut self, now: Instant) {
        while self.timers.first().is_some_and(|(timer, _)| *timer <= now) {
            let Some((_, task)) = self.timers.pop_first() else { return };
            if let Some(state) = self.tasks.get_mut(&task) {
                state.timer = None;
            }
            self.due(task, Priority::Changed, now);
        }
    }

    /// What it became due for while it was being done was seen in time.
    pub fn seen(&mut self, task: &Task) {
        if let Some(state) = self.tasks.get_mut(task) {
            state.again = None;
        }
    }

    /// It is done.
    pub fn done(&mut self, task: &Task, now: Instant) {
        if let Some(state) = self.tasks.get_mut(task) {
            state.pause = None;
        }
        self.over(task, now);
    }

    /// It did not work, and is tried again after a pause that grows.
    pub fn failed(&mut self, task: &Task, now: Instant) {
        let state = self.tasks.entry(task.clone()).or_default();
        let pause = state.pause.map_or(PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        state.pause = Some(pause);
        self.at(task.clone(), now + pause);
        self.over(task, now);
    }

    fn over(&mut self, task: &Task, now: Instant) {
        if let Some(state) = self.tasks.get_mut(task) {
            state.busy = false;
            if let Some(haste) = state.again.take() {
                self.due(task.clone(), haste, now);
            }
        }
        self.tidy(task);
        self.let_go(task, now);
    }

    /// An integration that was taken waits until this connection was looked at.
    pub fn park(&mut self, integration: &str, connection: &str) {
        let task = Task::Object(ObjectId::new(Kind::Integration, integration));
        let mut haste = Priority::Changed;
        if let Some(state) = self.tasks.get_mut(&task) {
            haste = state.haste.take().unwrap_or(haste);
            (state.busy, state.again) = (false, None);
        }
        self.parked.entry(connection.to_string()).or_default().insert(integration.to_string(), haste);
        self.tidy(&task);
    }

    fn let_go(&mut self, task: &Task, now: Instant) {
        let Task::Object(ObjectId { kind: Kind::Connection, name }) = task else { return };
        for (integration, haste) in self.parked.remove(name).into_iter().flatten() {
            self.due(Task::Object(ObjectId::new(Kind::Integration, integration)), haste, now);
        }
    }

    /// There is nothing left to do it with.
    pub fn forget(&mut self, task: &Task, now: Instant) {
        if let Some(state) = self.tasks.get_mut(task) {
            if let Some(timer) = state.timer.take() {
                self.timers.remove(&(timer, task.clone()));
            }
            if let Some(place) = state.place.take() {
                self.queue.remove(&place);
            }
            (state.again, state.pause) = (None, None);
        }
        self.tidy(task);
        self.let_go(task, now);
    }

    /// Whatever failed is tried now.
    pub fn hurry(&mut self, now: Instant) {
        let failed: Vec<Task> =
            self.tasks.iter().filter(|(_, state)| state.pause.is_some()).map(|(task, _)| task.clone()).collect();
        for task in failed {
            self.due(task, Priority::Changed, now);
        }
    }

    /// Whether it is due, or being done.
    pub fn is_open(&self, task: &Task) -> bool {
        self.tasks.get(task).is_some_and(|state| state.busy || state.place.is_some())
    }

    /// When there is something to do; `None`: not before something changes.
    pub fn wakes(&self, now: Instant) -> Option<Instant> {
        if self.queue.is_empty() { self.timers.first().map(|(timer, _)| *timer) } else { Some(now) }
    }

    /// How many are due, and since when the one that is next is.
    pub fn depth(&self) -> (usize, Option<Instant>) {
        let next = self.queue.values().next().and_then(|task| self.tasks.get(task)?.since);
        (self.queue.len(), next)
    }

    /// What there is nothing to remember of is not remembered.
    fn tidy(&mut self, task: &Task) {
        let idle = |s: &State| !s.busy && s.place.is_none() && s.timer.is_none() && s.pause.is_none();
        if self.tasks.get(task).is_some_and(idle) {
            self.tasks.remove(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(name: &str) -> Task {
        Task::Object(ObjectId::new(Kind::Connection, name))
    }

    fn integration(name: &str) -> Task {
        Task::Object(ObjectId::new(Kind::Integration, name))
    }

    fn taken(agenda: &mut WorkQueue, now: Instant) -> Vec<Task> {
        std::iter::from_fn(|| agenda.take(now)).map(|(task, _)| task).collect()
    }

    #[test]
    fn what_changed_comes_first_and_what_rests_on_others_after_them() {
        let (mut agenda, now) = (WorkQueue::default(), Instant::now());
        agenda.due(connection("sure"), Priority::Routine, now);
        agenda.due(integration("i"), Priority::Changed, now);
        agenda.due(connection("b"), Priority::Changed, now);
        agenda.due(connection("a"), Priority::Changed, now);
        agenda.due(connection("sure"), Priority::Routine, now);
        assert_eq!(agenda.depth(), (4, Some(now)));
        assert_eq!(taken(&mut agenda, now), [connection("b"), connection("a"), integration("i"), connection("sure")]);
        assert_eq!(agenda.wakes(now), None);
    }

    #[test]
    fn what_was_routine_and_changes_moves_up() {
        let (mut agenda, now) = (WorkQueue::default(), Instant::now());
        agenda.due(connection("a"), Priority::Routine, now);
        agenda.due(connection("b"), Priority::Routine, now);
        agenda.due(connection("b"), Priority::Changed, now);
        assert_eq!(taken(&mut agenda, now), [connection("b"), connection("a")]);
    }

    #[test]
    fn one_at_a_time_and_what_comes_meanwhile_after() {
        let (mut agenda, now) = (WorkQueue::default(), Instant::now());
        agenda.due(connection("a"), Priority::Changed, now);
        assert!(agenda.take(now).is_some());
        agenda.due(connection("a"), Priority::Changed, now);
        assert!(agenda.take(now).is_none() && agenda.is_open(&connection("a")));
        agenda.done(&connection("a"), now);
        assert!(agenda.take(now).is_some());
        agenda.done(&connection("a"), now);
        assert!(!agenda.is_open(&connection("a")) && agenda.tasks.is_empty());
    }

    #[test]
    fn failures_pause_longer_and_longer_until_something_changes() {
        let (mut agenda, now) = (WorkQueue::default(), Instant::now());
        let a = connection("a");
        agenda.due(a.clone(), Priority::Changed, now);
        for pause in [PAUSE, PAUSE * 2, PAUSE * 4] {
            agenda.take(now).unwrap();
            agenda.failed(&a, now);
            assert!(agenda.take(now).is_none());
            assert_eq!(agenda.wakes(now), Some(now + pause));
            agenda.due(a.clone(), Priority::Changed, now);
        }
        agenda.take(now).unwrap();
        agenda.done(&a, now);
        assert_eq!(agenda.wakes(now), None, "nothing is left of the pause");
        for _ in 0..20 {
            agenda.due(a.clone(), Priority::Changed, now);
            agenda.take(now).unwrap();
            agenda.failed(&a, now);
        }
        assert_eq!(agenda.wakes(now), Some(now + LONGEST_PAUSE));
        agenda.hurry(now);
        assert_eq!(taken(&mut agenda, now), [a]);
    }

    #[test]
    fn a_timer_rings_once_and_the_sooner_holds() {
        let (mut agenda, now) = (WorkQueue::default(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        agenda.at(connection("a"), later(10));
        agenda.at(connection("a"), later(5));
        agenda.at(connection("a"), later(7));
        assert_eq!(agenda.wakes(now), Some(later(5)));
        assert_eq!(taken(&mut agenda, later(5)), [connection("a")]);
        assert_eq!(agenda.wakes(now), None);
    }

    #[test]
    fn an_integration_waits_for_its_connection_and_never_for_one_that_is_gone() {
        let (mut agenda, now) = (WorkQueue::default(), Instant::now());
        for end in [WorkQueue::done, WorkQueue::failed, WorkQueue::forget] {
            agenda.due(connection("a"), Priority::Changed, now);
            agenda.due(integration("i"), Priority::Changed, now);
            assert_eq!(taken(&mut agenda, now), [connection("a"), integration("i")]);
            agenda.park("i", "a");
            assert!(agenda.take(now).is_none());
            end(&mut agenda, &connection("a"), now);
            assert_eq!(agenda.take(now).map(|(task, _)| task), Some(integration("i")));
            agenda.done(&integration("i"), now);
            agenda.done(&connection("a"), now);
        }
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let (mut agenda, now) = (WorkQueue::default(), Instant::now());
        agenda.due(connection("a"), Priority::Changed, now);
        agenda.at(connection("a"), now + PAUSE);
        agenda.forget(&connection("a"), now);
        assert!(agenda.wakes(now).is_none() && agenda.tasks.is_empty());
    }
}
