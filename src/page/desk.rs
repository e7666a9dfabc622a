//! What all requests share: what was read, the sessions, and the apply that runs.

use super::hub::shown::HubShown;
use super::plans_shown::PlansShown;
use super::running::Running;
use super::session::VisitorSessions;
use super::shown::ShownProject;
use super::{PageOptions, PageSubject, Unopened};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The longest time that a page after a write waits for the reading that shows it. It follows by itself.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What can be shown now.
#[derive(Clone, Default)]
pub(super) struct Reading {
    /// What was read last of a folder; `None` until the first reading is done.
    pub(super) shown: Option<Arc<ShownProject>>,
    /// What was read last of a hub.
    pub(super) hub: Option<Arc<HubShown>>,
    /// Why the last reading failed. What was read before it is still shown.
    pub(super) failure: Option<Unopened>,
    /// When what is shown was read.
    pub(super) read_at: Option<Timestamp>,
    /// Whether it is read and compared now.
    pub(super) is_comparing: bool,
    /// Whether changes are not noticed by themselves, and why.
    pub(super) unwatched: Option<String>,
    /// The tenants in clusters whose changes are not noticed by themselves.
    pub(super) unwatched_tenants: Vec<UnwatchedTenant>,
    /// Counts what was asked to be read.
    pub(super) asked: u64,
    /// Counts the steps of applies.
    pub(super) steps: u64,
    /// Counts parts that were shown before all was planned again.
    pub(super) parts: u64,
    /// Counts readings that are done, those that failed too.
    pub(super) read: u64,
    /// Counts what is worth a look: a new reading, the begin of one, a step of an apply. It grows across restarts, too.
    pub(super) version: u64,
    /// The version in which something new was shown last: a reading, a part of one, or a step of an apply.
    pub(super) news: u64,
}

/// A tenant whose changes are not noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnwatchedTenant {
    pub(super) tenant: String,
    /// The context of its cluster; `None`: the current one.
    pub(super) context: Option<String>,
    pub(super) namespace: String,
    pub(super) why: String,
    /// Whether the account may not watch it.
    pub(super) is_forbidden: bool,
}

/// What has to be read; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ReadScope {
    /// What watches of clusters delivered.
    Watched,
    /// The files, and tenants on the platform.
    Files,
    /// Everything.
    Everything,
}

/// The first version of this process. A window that an earlier one served is older.
fn first_version() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// What ended a wait for something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeskWake {
    /// A reading is wanted, the one that was asked for at this count.
    Reading(ReadScope, u64),
    /// The time is over, at this count.
    Nothing(u64),
    /// The page ends.
    End,
}

/// The shared state of the page.
pub(super) struct PageDesk {
    pub(super) options: PageOptions,
    pub(super) port: u16,
    pub(super) sessions: VisitorSessions,
    /// The apply that runs, or the last one.
    pub(super) running: Running,
    /// The plans that were shown last, to say what changed since.
    pub(super) plans_shown: PlansShown,
    reading: watch::Sender<Reading>,
    /// What was asked to be read.
    wanted: (Mutex<Option<ReadScope>>, Condvar),
    has_ended: AtomicBool,
}

impl PageDesk {
    pub(super) fn new(options: PageOptions, port: u16) -> Self {
        PageDesk {
            options,
            port,
            sessions: VisitorSessions::new(port),
            running: Running::default(),
            plans_shown: PlansShown::default(),
            reading: watch::Sender::new(Reading { is_comparing: true, version: first_version(), ..Reading::default() }),
            wanted: (Mutex::new(Some(ReadScope::Everything)), Condvar::new()),
            has_ended: AtomicBool::new(false),
        }
    }

    /// The name of what is shown: that of its folder, or the namespace of the hub.
    pub(super) fn name(&self) -> String {
        match &self.options.shows {
            PageSubject::Folder(folder) => {
                let root = folder.root.canonicalize().unwrap_or_else(|_| folder.root.clone());
                root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned()
            }
            PageSubject::Hub(hub) => hub.address.namespace.clone(),
        }
    }

    /// Where it is.
    pub(super) fn place(&self) -> String {
        match &self.options.shows {
            PageSubject::Folder(folder) => folder.root.display().to_string(),
            PageSubject::Hub(hub) => {
                let context = hub.address.context.as_ref().map(|context| format!(" of context {context}"));
                format!("namespace {}{}", hub.address.namespace, context.unwrap_or_default())
            }
        }
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
            let before = (reading.read, reading.parts, reading.steps);
            change(reading);
            reading.version += 1;
            if before != (reading.read, reading.parts, reading.steps) {
                reading.news = reading.version;
            }
        });
    }

    /// Changes what can be shown without telling anybody: nothing that matters differs.
    pub(super) fn renew(&self, change: impl FnOnce(&mut Reading)) {
        self.reading.send_if_modified(|reading| {
            change(reading);
            false
        });
    }

    /// Asks for a new reading of everything.
    pub(super) fn read_again(&self) {
        self.read(ReadScope::Everything);
    }

    /// Asks for a new reading.
    pub(super) fn read(&self, scope: ReadScope) {
        let (wanted, changed) = &self.wanted;
        // The count and what is wanted change together: a reading that began before this does not count as it.
        let mut wanted = wanted.lock().unwrap_or_else(PoisonError::into_inner);
        self.change(|reading| {
            reading.asked += 1;
            reading.is_comparing = true;
        });
        *wanted = (*wanted).max(Some(scope));
        changed.notify_all();
    }

    /// Tells that an apply went a step further.
    pub(super) fn step(&self) {
        self.change(|reading| reading.steps += 1);
    }

    /// Waits until more readings are done than these, so that a page after a write shows it; not for long.
    pub(super) fn wait_for_reading(&self, before: u64) {
        let mut follow = self.follow();
        let done = follow.wait_for(|reading| reading.read > before && !reading.is_comparing);
        let handle = tokio::runtime::Handle::current();
        let _ = handle.block_on(async { tokio::time::timeout(LONGEST_WAIT, done).await.map(drop) });
    }

    /// Waits until a reading is wanted, or for this long.
    pub(super) fn wait_until_wanted(&self, longest: Option<Duration>) -> DeskWake {
        let (wanted, changed) = &self.wanted;
        let mut guard = wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let until = longest.map(|longest| Instant::now() + longest);
        while guard.is_none() && !self.has_ended() {
            guard = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return DeskWake::Nothing(self.reading.borrow().asked),
                Some(rest) => changed.wait_timeout(guard, rest).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        match guard.take() {
            Some(scope) if !self.has_ended() => DeskWake::Reading(scope, self.reading.borrow().asked),
            _ => DeskWake::End,
        }
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
