//! One reconcile, from top to bottom: evaluate the object, write its binding Secrets, apply the answers to the cache,
//! evaluate again, write the status if it changed, report the transition.

use super::affected;
use super::cache::TenantCache;
use super::evaluate::evaluation::{BinderStatus, Evaluation};
use super::evaluate::{self, Evaluated, meaning};
use super::queue::Task;
use super::report::{ReadyTransition, Reporter};
use super::secret::desired::DesiredSecret;
use super::store::{NamespaceStore, SharedStore};
use super::warnings::Delayed;
use super::write::{Deleted, NamespaceWriter, SecretAnswer, SecretWrite};
use crate::api::*;
use crate::controller::metrics::ReconcileOutcome;
use crate::engine::model::item::ObjectId;
use crate::kubernetes::client::RequestFailure;
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{debug, info, warn};

/// Maximum number of attempts to write the binding Secrets in one reconcile, if others change them at the same time.
const ROUNDS: u8 = 3;
/// Maximum time until an object is evaluated again because of a date, since clocks may be adjusted.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// The next step of a reconcile.
enum Next {
    /// An integration waits for a connection that was not reconciled yet, and is enqueued again afterwards.
    WaitForConnection,
    /// Binding Secrets to write before the status.
    WriteSecrets(Vec<DesiredSecret>),
    WriteStatus(Box<StatusWrite>),
}

/// The status to write. The default is that of a deleted object: nothing.
#[derive(Default)]
struct StatusWrite {
    uid: String,
    /// `None` if the status is up to date.
    body: Option<Value>,
    transition: ReadyTransition,
    /// Binding Secrets that the status named before, names no longer, and that are kept.
    unwanted: Vec<String>,
    /// Whether binding Secrets must still be written.
    secrets_are_due: bool,
    /// When the result may change without any event.
    evaluate_again_at: Option<Timestamp>,
}

/// The writes of this reconcile so far.
#[derive(Default)]
struct WrittenSoFar {
    rounds: u8,
    any: bool,
    failed: bool,
}

/// Reconciles an object that was taken from the queue.
pub(super) async fn reconcile(store: &SharedStore, writer: &NamespaceWriter, report: &Reporter, id: &ObjectId) {
    let begun = Instant::now();
    let mut written = WrittenSoFar::default();
    let status = loop {
        // Another worker has the namespace now, and its own queue.
        if writer.is_retired() {
            return;
        }
        let may_write_secrets = !written.failed && written.rounds < ROUNDS;
        let next = next_step(&mut store.lock(), report, id, may_write_secrets);
        match next {
            // The queue has it again when the connection is done.
            Next::WaitForConnection => return,
            Next::WriteStatus(status) => break status,
            Next::WriteSecrets(secrets) => {
                let mut writes = Vec::new();
                for desired in &secrets {
                    writes.push(writer.secret(desired).await);
                }
                apply_secret_answers(&mut store.lock(), report, id, writes, &mut written);
            }
        }
    };
    let answer = match &status.body {
        Some(body) => Some(writer.status(id, body).await),
        None => None,
    };
    let mut store = store.lock();
    if let Some(answer) = answer {
        apply_status_answer(&mut store, report, id, &status, answer, &mut written);
    }
    finish(&mut store, report, id, &status, &written, begun);
}

fn next_step(store: &mut NamespaceStore, report: &Reporter, id: &ObjectId, may_write_secrets: bool) -> Next {
    let (now, time) = (Instant::now(), Timestamp::now());
    if let Some(connection) = connection_to_wait_for(store, id) {
        debug!(object = %id, connection, "waits until the connection was evaluated");
        store.queue.wait_for(&id.name, &connection);
        return Next::WaitForConnection;
    }
    // The evaluation below covers every change until now.
    store.queue.seen(&Task::Object(id.clone()));
    let evaluated = evaluate::evaluate(&store.cache, id, time);
    let secrets = evaluated.as_ref().map(Evaluated::secrets_due).unwrap_or_default();
    if may_write_secrets && !secrets.is_empty() {
        return Next::WriteSecrets(secrets);
    }
    let is_there = store.objects.get(id).is_some_and(|object| !object.is_going);
    if id.kind == Kind::Connection {
        let found = match &evaluated {
            Some(Evaluated::Connection(found)) => Some(found),
            _ => None,
        };
        report.expires(&id.name, found.filter(|_| is_there).and_then(|found| found.status.expires.as_ref()));
        if let (Some(found), Some(object)) = (found.filter(|_| is_there), store.objects.get(id)) {
            let at = found.status.expires.as_ref();
            report.credentials(&store.cache.tenant, (id, &object.uid), &found.conditions, at);
        }
        let users = affected::publish(&mut store.cache, &id.name, found);
        store.enqueue(users, now);
    }
    let status = match evaluated.filter(|_| is_there) {
        None => StatusWrite::default(),
        Some(Evaluated::Connection(found)) => status_write(store, id, &found, time),
        Some(Evaluated::CustomerCredentials(found)) => status_write(store, id, &found, time),
        Some(Evaluated::Integration(found)) => {
            store.gauge.set(&id.name, &found.status.bindings);
            status_write(store, id, &found, time)
        }
    };
    Next::WriteStatus(Box::new(StatusWrite { secrets_are_due: !secrets.is_empty(), ..status }))
}

/// Returns a connection that must be reconciled first. Otherwise the integration's Ready condition could flap.
fn connection_to_wait_for(store: &NamespaceStore, id: &ObjectId) -> Option<String> {
    if id.kind != Kind::Integration {
        return None;
    }
    let is_stale = |name: &String| store.cache.published.get(name).is_none_or(|published| published.is_stale);
    let is_open = |name: &String| store.queue.is_open(&Task::Object(ObjectId::new(Kind::Connection, name.clone())));
    meaning::bound_by(&store.cache, &id.name).into_iter().find(|name| is_stale(name) && is_open(name))
}

fn status_write<S: BinderStatus>(
    store: &NamespaceStore,
    id: &ObjectId,
    found: &Evaluation<S>,
    now: Timestamp,
) -> StatusWrite {
    let Some(object) = store.objects.get(id) else { return StatusWrite::default() };
    let mut before: S = object.status();
    let body = found.body(&id.name, &before, object.generation, &Time(now));
    let unwanted = unwanted(&store.cache, &before, &found.status);
    let (_, conditions) = before.parts();
    StatusWrite {
        uid: object.uid.clone(),
        body,
        transition: ReadyTransition::new(conditions, found.ready()),
        unwanted,
        secrets_are_due: false,
        evaluate_again_at: found.evaluate_again_at,
    }
}

/// Returns the binding Secrets that the status named before, names no longer, and that are kept.
fn unwanted<S: BinderStatus>(cache: &TenantCache, before: &S, now: &S) -> Vec<String> {
    let pairs = before.bindings().into_iter().zip(now.bindings()).filter(|(before, now)| before != now);
    let names = pairs.filter_map(|(before, _)| Some(before?.name.clone()));
    names.filter(|name| cache.is_ours(name)).collect()
}

fn apply_secret_answers(
    store: &mut NamespaceStore,
    report: &Reporter,
    id: &ObjectId,
    writes: Vec<SecretWrite>,
    written: &mut WrittenSoFar,
) {
    let now = Instant::now();
    written.rounds += 1;
    for SecretWrite { name, answer, changed, deleted } in writes {
        written.any |= changed;
        if let (Some(Deleted { because, .. }), Some(object)) = (&deleted, store.objects.get(id)) {
            report.secret_deleted(id, &object.uid, &name, because);
        }
        match answer {
            SecretAnswer::There(seen) => {
                if changed {
                    info!(object = %id, secret = name, "wrote a binding Secret");
                }
                store.secret(seen, now);
            }
            SecretAnswer::Absent => store.secret_absent(&name, now),
            SecretAnswer::Refused { why, reason } => {
                written.failed = true;
                warn!(object = %id, secret = name, why, "the API server refuses to write a binding Secret");
                report.failed(reason);
                store.secret_refused(name, why, now);
            }
            SecretAnswer::Unknown { why, reason } => {
                written.failed = true;
                warn!(object = %id, secret = name, why, "a binding Secret cannot be written");
                report.failed(reason);
            }
        }
    }
}

fn apply_status_answer(
    store: &mut NamespaceStore,
    report: &Reporter,
    id: &ObjectId,
    status: &StatusWrite,
    answer: Result<Option<Vec<u8>>, RequestFailure>,
    written: &mut WrittenSoFar,
) {
    let now = Instant::now();
    match answer {
        Ok(Some(answer)) => {
            written.any = true;
            info!(object = %id, "wrote its status");
            store.answered(id.kind, &answer, now);
            status.unwanted.iter().for_each(|secret| report.secret_unwanted(id, &status.uid, secret));
            match status.transition.may_be_late() {
                Some(reason) => store.warnings.delay(id, reason, now),
                None => report.ready_changed(id, &status.uid, &status.transition),
            }
        }
        Ok(None) => debug!(object = %id, "is gone"),
        Err(failure) => {
            written.failed = true;
            warn!(object = %id, why = %failure, "its status cannot be written");
            report.failed(failure.reason());
        }
    }
}

/// Reports the result, and schedules the next evaluation.
fn finish(
    store: &mut NamespaceStore,
    report: &Reporter,
    id: &ObjectId,
    status: &StatusWrite,
    written: &WrittenSoFar,
    begun: Instant,
) {
    let (now, task) = (Instant::now(), Task::Object(id.clone()));
    let outcome = if written.failed || status.secrets_are_due {
        ReconcileOutcome::Failed
    } else if written.any {
        ReconcileOutcome::Written
    } else if status.transition.is_ready() {
        ReconcileOutcome::Unchanged
    } else {
        ReconcileOutcome::HeldBack
    };
    report.reconciled(id, outcome, &status.transition, status.evaluate_again_at, begun.elapsed());
    match outcome {
        ReconcileOutcome::Failed => store.queue.failed(&task, now),
        ReconcileOutcome::Unchanged | ReconcileOutcome::Written | ReconcileOutcome::HeldBack => {
            store.queue.done(&task, now)
        }
    }
    match store.warnings.check(id, status.transition.reason(), now) {
        Delayed::Until(then) => store.queue.at(task.clone(), then),
        Delayed::SendNow if store.objects.get(id).is_some() => report.ready(id, &status.uid, &status.transition),
        Delayed::SendNow | Delayed::None => {}
    }
    if let Some(then) = status.evaluate_again_at {
        let wait = Duration::try_from(then.duration_since(Timestamp::now())).unwrap_or_default();
        store.queue.at(task, now + wait.min(LONGEST_WAIT));
    }
}
