//! What must be reconciled, in which order, and when. The present time is given.

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
    /// To reconcile an object.
    Object(ObjectId),
    /// To write the owners of a definition's ConfigMap.
    Definition(String),
    /// To delete or report a binding Secret whose object may be gone.
    Leftover(String),
    /// To ask whether a Secret is still in the way of a binding: no change of it is watched.
    Obstacle(String),
}

impl Task {
    /// What depends on others comes after them.
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
    /// Something changed that many depend on: who changes one thing does not wait for all of them.
    Spread,
    /// A full resync.
    Routine,
}

/// The position in the queue: by priority, by rank, by arrival.
type QueuePosition = (Priority, u8, u64);

/// The tasks of one namespace. Each is done once at a time.
#[derive(Debug, Default)]
pub struct WorkQueue {
    queue: BTreeMap<QueuePosition, Task>,
    timers: BTreeSet<(Instant, Task)>,
    tasks: HashMap<Task, TaskState>,
    /// Integrations that wait for a connection, by its name.
    waiting: HashMap<String, BTreeMap<String, Priority>>,
    arrivals: u64,
}

#[derive(Debug, Default)]
struct TaskState {
    place: Option<QueuePosition>,
    since: Option<Instant>,
    timer: Option<Instant>,
    /// The pause after the last failure.
    pause: Option<Duration>,
    busy: bool,
    /// The priority of what is being done.
    priority: Option<Priority>,
    /// It became due while it was being done.
    again: Option<Priority>,
}

impl WorkQueue {
    /// Something is to be done. What failed before is tried at once: something changed.
    pub fn enqueue(&mut self, task: Task, priority: Priority, now: Instant) {
        let state = self.tasks.entry(task.clone()).or_default();
        if state.busy {
            state.again = Some(state.again.map_or(priority, |before| before.min(priority)));
            return;
        }
        if let Some(place) = state.place {
            if place.0 <= priority {
                return;
            }
            self.queue.remove(&place);
        }
        self.arrivals += 1;
        let place = (priority, task.rank(), self.arrivals);
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
    /// [`WorkQueue::failed`], or waits for a connection ([`WorkQueue::wait_for`]).
    pub fn take(&mut self, now: Instant) -> Option<(Task, Duration)> {
        self.fire_timers(now);
        let ((priority, ..), task) = self.queue.pop_first()?;
        let state = self.tasks.entry(task.clone()).or_default();
        state.priority = Some(priority);
        let waited = state.since.take().map(|since| now.saturating_duration_since(since));
        (state.place, state.busy) = (None, true);
        if let Some(timer) = state.timer.take() {
            // What it was set for is reconciled now.
            self.timers.remove(&(timer, task.clone()));
        }
        Some((task, waited.unwrap_or_default()))
    }

    /// Timers that have run down make due what they were set for.
    fn fire_timers(&mut self, now: Instant) {
        while self.timers.first().is_some_and(|(timer, _)| *timer <= now) {
            let Some((_, task)) = self.timers.pop_first() else { return };
            if let Some(state) = self.tasks.get_mut(&task) {
                state.timer = None;
            }
            self.enqueue(task, Priority::Changed, now);
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
            if let Some(priority) = state.again.take() {
                self.enqueue(task.clone(), priority, now);
            }
        }
        self.gc(task);
        self.release_waiting(task, now);
    }

    /// An integration that was taken waits until this connection was reconciled.
    pub fn wait_for(&mut self, integration: &str, connection: &str) {
        let task = Task::Object(ObjectId::new(Kind::Integration, integration));
        let mut priority = Priority::Changed;
        if let Some(state) = self.tasks.get_mut(&task) {
            priority = state.priority.take().unwrap_or(priority);
            (state.busy, state.again) = (false, None);
        }
        self.waiting.entry(connection.to_string()).or_default().insert(integration.to_string(), priority);
        self.gc(&task);
    }

    fn release_waiting(&mut self, task: &Task, now: Instant) {
        let Task::Object(ObjectId { kind: Kind::Connection, name }) = task else { return };
        for (integration, priority) in self.waiting.remove(name).into_iter().flatten() {
            self.enqueue(Task::Object(ObjectId::new(Kind::Integration, integration)), priority, now);
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
        self.gc(task);
        self.release_waiting(task, now);
    }

    /// Whatever failed is tried now.
    pub fn retry_now(&mut self, now: Instant) {
        let failed: Vec<Task> =
            self.tasks.iter().filter(|(_, state)| state.pause.is_some()).map(|(task, _)| task.clone()).collect();
        for task in failed {
            self.enqueue(task, Priority::Changed, now);
        }
    }

    /// Whether it is due, or being done.
    pub fn is_open(&self, task: &Task) -> bool {
        self.tasks.get(task).is_some_and(|state| state.busy || state.place.is_some())
    }

    /// When there is something to do; `None`: not before something changes.
    pub fn next_at(&self, now: Instant) -> Option<Instant> {
        if self.queue.is_empty() { self.timers.first().map(|(timer, _)| *timer) } else { Some(now) }
    }

    /// How many are due, and since when the one that is next is.
    pub fn depth(&self) -> (usize, Option<Instant>) {
        let next = self.queue.values().next().and_then(|task| self.tasks.get(task)?.since);
        (self.queue.len(), next)
    }

    /// What there is nothing to remember of is not remembered.
    fn gc(&mut self, task: &Task) {
        let idle = |s: &TaskState| !s.busy && s.place.is_none() && s.timer.is_none() && s.pause.is_none();
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

    fn taken(queue: &mut WorkQueue, now: Instant) -> Vec<Task> {
        std::iter::from_fn(|| queue.take(now)).map(|(task, _)| task).collect()
    }

    #[test]
    fn what_changed_comes_first_and_what_depends_on_others_after_them() {
        let (mut queue, now) = (WorkQueue::default(), Instant::now());
        queue.enqueue(connection("sure"), Priority::Routine, now);
        queue.enqueue(integration("i"), Priority::Changed, now);
        queue.enqueue(connection("b"), Priority::Changed, now);
        queue.enqueue(connection("a"), Priority::Changed, now);
        queue.enqueue(connection("sure"), Priority::Routine, now);
        assert_eq!(queue.depth(), (4, Some(now)));
        assert_eq!(taken(&mut queue, now), [connection("b"), connection("a"), integration("i"), connection("sure")]);
        assert_eq!(queue.next_at(now), None);
    }

    #[test]
    fn what_was_routine_and_changes_moves_up() {
        let (mut queue, now) = (WorkQueue::default(), Instant::now());
        queue.enqueue(connection("a"), Priority::Routine, now);
        queue.enqueue(connection("b"), Priority::Routine, now);
        queue.enqueue(connection("b"), Priority::Changed, now);
        assert_eq!(taken(&mut queue, now), [connection("b"), connection("a")]);
    }

    #[test]
    fn one_at_a_time_and_what_comes_meanwhile_after() {
        let (mut queue, now) = (WorkQueue::default(), Instant::now());
        queue.enqueue(connection("a"), Priority::Changed, now);
        assert!(queue.take(now).is_some());
        queue.enqueue(connection("a"), Priority::Changed, now);
        assert!(queue.take(now).is_none() && queue.is_open(&connection("a")));
        queue.done(&connection("a"), now);
        assert!(queue.take(now).is_some());
        queue.done(&connection("a"), now);
        assert!(!queue.is_open(&connection("a")) && queue.tasks.is_empty());
    }

    #[test]
    fn failures_pause_longer_and_longer_until_something_changes() {
        let (mut queue, now) = (WorkQueue::default(), Instant::now());
        let a = connection("a");
        queue.enqueue(a.clone(), Priority::Changed, now);
        for pause in [PAUSE, PAUSE * 2, PAUSE * 4] {
            queue.take(now).unwrap();
            queue.failed(&a, now);
            assert!(queue.take(now).is_none());
            assert_eq!(queue.next_at(now), Some(now + pause));
            queue.enqueue(a.clone(), Priority::Changed, now);
        }
        queue.take(now).unwrap();
        queue.done(&a, now);
        assert_eq!(queue.next_at(now), None, "nothing is left of the pause");
        for _ in 0..20 {
            queue.enqueue(a.clone(), Priority::Changed, now);
            queue.take(now).unwrap();
            queue.failed(&a, now);
        }
        assert_eq!(queue.next_at(now), Some(now + LONGEST_PAUSE));
        queue.retry_now(now);
        assert_eq!(taken(&mut queue, now), [a]);
    }

    #[test]
    fn a_timer_fires_once_and_the_sooner_holds() {
        let (mut queue, now) = (WorkQueue::default(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        queue.at(connection("a"), later(10));
        queue.at(connection("a"), later(5));
        queue.at(connection("a"), later(7));
        assert_eq!(queue.next_at(now), Some(later(5)));
        assert_eq!(taken(&mut queue, later(5)), [connection("a")]);
        assert_eq!(queue.next_at(now), None);
    }

    #[test]
    fn an_integration_waits_for_its_connection_and_never_for_one_that_is_gone() {
        let (mut queue, now) = (WorkQueue::default(), Instant::now());
        for end in [WorkQueue::done, WorkQueue::failed, WorkQueue::forget] {
            queue.enqueue(connection("a"), Priority::Changed, now);
            queue.enqueue(integration("i"), Priority::Changed, now);
            assert_eq!(taken(&mut queue, now), [connection("a"), integration("i")]);
            queue.wait_for("i", "a");
            assert!(queue.take(now).is_none());
            end(&mut queue, &connection("a"), now);
            assert_eq!(queue.take(now).map(|(task, _)| task), Some(integration("i")));
            queue.done(&integration("i"), now);
            queue.done(&connection("a"), now);
        }
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let (mut queue, now) = (WorkQueue::default(), Instant::now());
        queue.enqueue(connection("a"), Priority::Changed, now);
        queue.at(connection("a"), now + PAUSE);
        queue.forget(&connection("a"), now);
        assert!(queue.next_at(now).is_none() && queue.tasks.is_empty());
    }
}
