//! The apply that runs beside the requests: a closed tab stops nothing.

use crate::apply::{Outcome, Receipt, Report};
use crate::engine::model::plan::{FieldChange, Plan};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// An apply, from its begin to its receipt.
pub(super) struct ApplyRun {
    /// What is applied, as a heading.
    pub(super) title: String,
    /// The number of actions that were shown.
    pub(super) total: usize,
    /// When it began.
    pub(super) began: Timestamp,
    /// The address that shows again what was applied.
    pub(super) again: String,
    stop: AtomicBool,
    progress: Mutex<ApplyProgress>,
}

/// How far an apply is.
#[derive(Clone, Default)]
pub(super) struct ApplyProgress {
    /// The actions so far, and what became of each.
    pub(super) outcomes: Vec<(String, Outcome)>,
    pub(super) end: Option<Arc<ApplyEnd>>,
}

/// How an apply ended.
pub(super) enum ApplyEnd {
    /// Nothing was written.
    Refused {
        /// The reason.
        message: String,
        /// What to do.
        help: String,
    },
    /// It was carried out as far as it could be.
    Done(Box<ApplyResult>),
}

/// What an apply did.
pub(super) struct ApplyResult {
    pub(super) report: Report,
    /// The changed fields of the first actions that were carried out, by action.
    pub(super) fields: BTreeMap<String, Vec<FieldChange>>,
    /// The receipt and the plan after it, or why nothing could be read back.
    pub(super) after: Result<(Receipt, Plan), String>,
    /// What is left to people because of what was done: tenant, who, and what.
    pub(super) left: BTreeSet<(String, String, String)>,
    /// The tenants whose kustomization was brought up to date, or could not be.
    pub(super) kustomized: Vec<(String, Result<(), String>)>,
    /// What went wrong with approvals.
    pub(super) warnings: Vec<String>,
}

impl ApplyRun {
    pub(super) fn new(title: String, total: usize, began: Timestamp, again: String) -> Self {
        ApplyRun { title, total, began, again, stop: AtomicBool::new(false), progress: Mutex::default() }
    }

    pub(super) fn progress(&self) -> ApplyProgress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn add(&self, id: &str, outcome: &Outcome) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.outcomes.push((id.to_string(), outcome.clone()));
    }

    pub(super) fn end(&self, end: ApplyEnd) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).end = Some(Arc::new(end));
    }

    /// Asks it to stop after the current write.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Whether anything was carried out, or tried.
    fn has_written(&self) -> bool {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        !progress.outcomes.is_empty() || !matches!(progress.end.as_deref(), Some(ApplyEnd::Refused { .. }))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).end.is_some()
    }
}

/// The apply that runs, or the last one. There is one at a time.
#[derive(Default)]
pub(super) struct Running(Mutex<Option<StartedRun>>);

/// An apply and its thread, until somebody waits for it.
struct StartedRun {
    run: Arc<ApplyRun>,
    /// The last one before it that was not refused as a whole: its receipt is still shown.
    before: Option<Arc<ApplyRun>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The last apply.
    pub(super) fn last(&self) -> Option<Arc<ApplyRun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|started| Arc::clone(&started.run))
    }

    /// The last apply that was not refused as a whole, where that is not the last one.
    pub(super) fn last_written(&self) -> Option<Arc<ApplyRun>> {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().filter(|started| !started.run.has_written()).and_then(|started| started.before.clone())
    }

    /// Starts an apply on a thread of its own. Returns false if another one runs.
    pub(super) fn start(&self, run: Arc<ApplyRun>, work: impl FnOnce(&ApplyRun) + Send + 'static) -> bool {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|started| !started.run.has_ended()) {
            return false;
        }
        let of_thread = Arc::clone(&run);
        let thread = std::thread::spawn(move || {
            let ends = EndsRun(&of_thread);
            work(ends.0);
        });
        let last = running.take();
        let before = last.and_then(|last| if last.run.has_written() { Some(last.run) } else { last.before });
        *running = Some(StartedRun { run, before, thread: Some(thread) });
        true
    }

    /// Stops the apply that runs, after the current write, and waits for its end.
    pub(super) fn stop_and_wait(&self) {
        let thread = {
            let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            running.as_mut().and_then(|started| {
                started.run.stop();
                started.thread.take()
            })
        };
        if let Some(thread) = thread {
            // One that panicked has ended as well.
            let _ = thread.join();
        }
    }
}

/// Ends a run whose thread ends without saying how.
struct EndsRun<'r>(&'r ApplyRun);

impl Drop for EndsRun<'_> {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            self.0.end(ApplyEnd::Refused {
                message: "the apply ended by an internal error".to_string(),
                help: "report it; what was done is listed, and the plan shows what is left".to_string(),
            });
        }
    }
}
