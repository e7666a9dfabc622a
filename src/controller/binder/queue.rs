//! The work queue of a namespace: what must be reconciled, in which order, and when. The current time is an argument.

use crate::api::Kind;
use crate::engine::model::item::ObjectId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// The first retry interval after a failure. It doubles each time.
const PAUSE: Duration = Duration::from_millis(200);
/// The maximum retry interval.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A unit of work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Task {
    /// Reconcile an object.
    Object(ObjectId),
    /// Write the owners of a definition's ConfigMap.
    Definition(String),
    /// Delete or report a binding Secret whose object may be gone.
    Leftover(String),
    /// Read a foreign Secret that occupies the name of a binding Secret; its changes are not watched.
    Obstacle(String),
}

impl Task {
    /// Returns the order among tasks of the same priority: an object comes after those that it depends on.
    fn rank(&self) -> u8 {
        match self {
            Task::Object(id) if id.kind != Kind::Integration => 0,
            Task::Object(_) => 1,
            Task::Definition(_) | Task::Leftover(_) | Task::Obstacle(_) => 2,
        }
    }
}

/// The priority of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Priority {
    /// The object itself changed.
    Changed,
    /// Something changed that many objects depend on. They come after the objects that changed themselves.
    Spread,
    /// A full resync.
    Routine,
}

/// The position in the queue: by priority, by rank, by arrival.
type QueuePosition = (Priority, u8, u64);

/// The tasks of one namespace. A task never runs twice at the same time.
#[derive(Debug, Default)]
pub(super) struct WorkQueue {
    queue: BTreeMap<QueuePosition, Task>,
    timers: BTreeSet<(Instant, Task)>,
    tasks: HashMap<Task, TaskState>,
    /// Integrations that wait for a connection, by the connection's name.
    waiting: HashMap<String, BTreeMap<String, Priority>>,
    arrivals: u64,
}

#[derive(Debug, Default)]
struct TaskState {
    place: Option<QueuePosition>,
    since: Option<Instant>,
    timer: Option<Instant>,
    /// The retry interval after the last failure.
    pause: Option<Duration>,
    busy: bool,
    /// The priority of the running task.
    priority: Option<Priority>,
    /// The priority with which it was enqueued while it was running.
    again: Option<Priority>,
}

impl WorkQueue {
    /// Enqueues a task. A task that waits for its retry is run at once.
    pub(super) fn enqueue(&mut self, task: Task, priority: Priority, now: Instant) {
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

    /// Enqueues a task at a given time, unless it runs before.
    pub(super) fn at(&mut self, task: Task, then: Instant) {
        let state = self.tasks.entry(task.clone()).or_default();
        if state.timer.is_some_and(|timer| timer <= then) {
            return;
        }
        if let Some(timer) = state.timer.replace(then) {
            self.timers.remove(&(timer, task.clone()));
        }
        self.timers.insert((then, task));
    }

    /// Returns the next task, and how long it waited in the queue. It counts as running until [`WorkQueue::done`],
    /// [`WorkQueue::failed`] or [`WorkQueue::wait_for`].
    pub(super) fn take(&mut self, now: Instant) -> Option<(Task, Duration)> {
        self.fire_timers(now);
        let ((priority, ..), task) = self.queue.pop_first()?;
        let state = self.tasks.entry(task.clone()).or_default();
        state.priority = Some(priority);
        let waited = state.since.take().map(|since| now.saturating_duration_since(since));
        (state.place, state.busy) = (None, true);
        if let Some(timer) = state.timer.take() {
            // The reconcile that starts now covers the reason of the timer.
            self.timers.remove(&(timer, task.clone()));
        }
        Some((task, waited.unwrap_or_default()))
    }

    /// Enqueues the tasks whose timers have expired.
    fn fire_timers(&mut self, now: Instant) {
        while self.timers.first().is_some_and(|(timer, _)| *timer <= now) {
            let Some((_, task)) = self.timers.pop_first() else { return };
            if let Some(state) = self.tasks.get_mut(&task) {
                state.timer = None;
            }
            self.enqueue(task, Priority::Changed, now);
        }
    }

    /// Records that the running task has seen all changes until now: it need not run again for them.
    pub(super) fn seen(&mut self, task: &Task) {
        if let Some(state) = self.tasks.get_mut(task) {
            state.again = None;
        }
    }

    /// Ends a task that succeeded.
    pub(super) fn done(&mut self, task: &Task, now: Instant) {
        if let Some(state) = self.tasks.get_mut(task) {
            state.pause = None;
        }
        self.over(task, now);
    }

    /// Ends a task that failed. It is retried after a growing interval.
    pub(super) fn failed(&mut self, task: &Task, now: Instant) {
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

    /// Makes a running integration wait until a connection was reconciled.
    pub(super) fn wait_for(&mut self, integration: &str, connection: &str) {
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

    /// Removes a task whose object is gone.
    pub(super) fn forget(&mut self, task: &Task, now: Instant) {
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

    /// Retries all failed tasks now.
    pub(super) fn retry_now(&mut self, now: Instant) {
        let failed: Vec<Task> =
            self.tasks.iter().filter(|(_, state)| state.pause.is_some()).map(|(task, _)| task.clone()).collect();
        for task in failed {
            self.enqueue(task, Priority::Changed, now);
        }
    }

    /// Whether the task is queued or running.
    pub(super) fn is_open(&self, task: &Task) -> bool {
        self.tasks.get(task).is_some_and(|state| state.busy || state.place.is_some())
    }

    /// Returns when the next task is due; `None` if there is none until something changes.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        if self.queue.is_empty() { self.timers.first().map(|(timer, _)| *timer) } else { Some(now) }
    }

    /// Returns how many tasks are queued, and since when the next one is.
    pub(super) fn depth(&self) -> (usize, Option<Instant>) {
        let next = self.queue.values().next().and_then(|task| self.tasks.get(task)?.since);
        (self.queue.len(), next)
    }

    /// Removes the state of a task that has nothing left to remember.
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
    fn changed_objects_come_first_and_dependent_ones_later() {
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
    fn a_change_raises_the_priority_of_a_resync() {
        let (mut queue, now) = (WorkQueue::default(), Instant::now());
        queue.enqueue(connection("a"), Priority::Routine, now);
        queue.enqueue(connection("b"), Priority::Routine, now);
        queue.enqueue(connection("b"), Priority::Changed, now);
        assert_eq!(taken(&mut queue, now), [connection("b"), connection("a")]);
    }

    #[test]
    fn a_running_task_is_enqueued_again_after_it_ends() {
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
    fn retry_intervals_grow_until_something_changes() {
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
    fn a_timer_fires_once_and_the_earlier_one_wins() {
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
    fn an_integration_waits_for_its_connection_unless_that_is_gone() {
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
    fn a_deleted_object_is_forgotten() {
        let (mut queue, now) = (WorkQueue::default(), Instant::now());
        queue.enqueue(connection("a"), Priority::Changed, now);
        queue.at(connection("a"), now + PAUSE);
        queue.forget(&connection("a"), now);
        assert!(queue.next_at(now).is_none() && queue.tasks.is_empty());
    }
}
