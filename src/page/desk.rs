//! What all requests share: what was read, the sessions, and the apply that runs.

use super::plans_shown::PlansShown;
use super::running::Running;
use super::session::Sessions;
use super::shown::Shown;
use super::{PageOptions, Unopened};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The longest time that a page after a write waits for the reading that shows it. It follows by itself.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What can be shown now.
#[derive(Clone, Default)]
pub(super) struct Reading {
    /// What was read last; `None` until the first reading is done.
    pub(super) shown: Option<Arc<Shown>>,
    /// Why the last reading failed. What was read before it is still shown.
    pub(super) failure: Option<Unopened>,
    /// Whether it is read and compared now.
    pub(super) is_comparing: bool,
    /// Whether changes of files are not noticed by themselves, and why.
    pub(super) unwatched: Option<String>,
    /// Counts readings that are done, those that failed too.
    pub(super) read: u64,
    /// Counts what is worth a look: a new reading, the begin of one, a step of an apply.
    pub(super) version: u64,
}

/// The shared state of the page.
pub(super) struct Desk {
    pub(super) options: PageOptions,
    pub(super) port: u16,
    pub(super) sessions: Sessions,
    /// The apply that runs, or the last one.
    pub(super) running: Running,
    /// The plans of the last forms.
    pub(super) plans_shown: PlansShown,
    reading: watch::Sender<Reading>,
    /// Whether something was asked to be read.
    wanted: (Mutex<bool>, Condvar),
    has_ended: AtomicBool,
}

impl Desk {
    pub(super) fn new(options: PageOptions, port: u16) -> Self {
        Desk {
            options,
            port,
            sessions: Sessions::new(port),
            running: Running::default(),
            plans_shown: PlansShown::default(),
            reading: watch::Sender::new(Reading { is_comparing: true, ..Reading::default() }),
            wanted: (Mutex::new(true), Condvar::new()),
            has_ended: AtomicBool::new(false),
        }
    }

    /// The name of the project: that of its folder.
    pub(super) fn name(&self) -> String {
        let root = self.options.root.canonicalize().unwrap_or_else(|_| self.options.root.clone());
        root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned()
    }

    /// Prints the address with a new code.
    pub(super) fn say_address(&self) {
        match self.sessions.new_code() {
            Some(code) => (self.options.say)(&format!("http://127.0.0.1:{}/?code={code}", self.port)),
            None => (self.options.say)("error: this machine gives no random numbers, so nobody can be let in"),
        }
    }

    /// What can be shown now.
    pub(super) fn reading(&self) -> Reading {
        self.reading.borrow().clone()
    }

    /// Follows what can be shown.
    pub(super) fn follow(&self) -> watch::Receiver<Reading> {
        self.reading.subscribe()
    }

    /// Changes what can be shown, and tells the streams.
    pub(super) fn change(&self, change: impl FnOnce(&mut Reading)) {
        self.reading.send_modify(|reading| {
            change(reading);
            reading.version += 1;
        });
    }

    /// Asks for a new reading.
    pub(super) fn read_again(&self) {
        let (wanted, changed) = &self.wanted;
        *wanted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        self.change(|reading| reading.is_comparing = true);
    }

    /// Waits until more readings are done than these, so that a page after a write shows it; not for long.
    pub(super) fn wait_for_reading(&self, before: u64) {
        let mut follow = self.follow();
        let done = follow.wait_for(|reading| reading.read > before && !reading.is_comparing);
        let handle = tokio::runtime::Handle::current();
        let _ = handle.block_on(async { tokio::time::timeout(LONGEST_WAIT, done).await.map(drop) });
    }

    /// Whether another reading is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        *self.wanted.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a reading is wanted. Returns whether the page goes on.
    pub(super) fn wait_until_wanted(&self) -> bool {
        let (wanted, changed) = &self.wanted;
        let mut guard = wanted.lock().unwrap_or_else(PoisonError::into_inner);
        while !*guard && !self.has_ended() {
            guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        *guard = false;
        !self.has_ended()
    }

    /// Ends the streams and the reader.
    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        let (wanted, changed) = &self.wanted;
        drop(wanted.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
        self.change(|_| {});
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// Waits for the apply that runs: it stops after the current write, as on Ctrl-C.
    pub(super) fn finish_writes(&self) {
        self.running.stop_and_wait();
    }
}
