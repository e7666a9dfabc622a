//! Work that belongs to no object: binding Secrets of deleted objects, foreign Secrets that occupy the name of a
//! binding Secret, and the owners of definitions.

use super::affected;
use super::definition_owners::{DefinitionMap, OwnersStep};
use super::evaluate::leftover::{self, Fate, Origins};
use super::queue::Task;
use super::report::Reporter;
use super::secret::desired::DesiredSecret;
use super::store::{NamespaceStore, SharedStore};
use super::write::{NamespaceWriter, SecretAnswer, SecretWrite};
use crate::api::Kind;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// Deletes or reports a binding Secret whose object may be gone.
pub(super) async fn reconcile_leftover(store: &SharedStore, writer: &NamespaceWriter, report: &Reporter, secret: &str) {
    let Some(write) = decide_leftover(&mut store.lock(), report, secret) else { return };
    let written = match write {
        Leftover::Delete(desired) => writer.secret(&desired).await,
        // A wrong deletion would not be undone by a later reconcile, so the server is asked first: the watch may be
        // late. If the server cannot be reached, the answer is unknown.
        Leftover::DeleteIfWithdrawn(desired, origins) => match writer.is_withdrawn(&origins).await {
            Ok(true) => writer.secret(&desired).await,
            Ok(false) => return store.lock().queue.done(&Task::Leftover(secret.to_string()), Instant::now()),
            Err(answer) => unwritten(&desired, answer),
        },
    };
    take_in(&mut store.lock(), report, written);
}

/// A binding Secret that must be deleted.
enum Leftover {
    Delete(Box<DesiredSecret>),
    /// Deleted only after the server confirms that its source was withdrawn.
    DeleteIfWithdrawn(Box<DesiredSecret>, Origins),
}

fn decide_leftover(store: &mut NamespaceStore, report: &Reporter, secret: &str) -> Option<Leftover> {
    match leftover::fate(&store.cache, secret) {
        Fate::Goes(desired) => return Some(Leftover::Delete(desired)),
        Fate::Withdrawn(desired, origins) => return Some(Leftover::DeleteIfWithdrawn(desired, origins)),
        Fate::Stays => store.forget_leftover(secret),
        Fate::Left(id) => {
            if store.leftovers.insert(secret.to_string()) {
                report.leftover(secret, store.uid_of(secret), &id);
            }
            report.leftovers(store.leftovers.len());
        }
    }
    store.queue.done(&Task::Leftover(secret.to_string()), Instant::now());
    None
}

fn unwritten(desired: &DesiredSecret, answer: SecretAnswer) -> SecretWrite {
    SecretWrite { name: desired.name.clone(), answer, changed: false, deleted: None }
}

fn take_in(store: &mut NamespaceStore, report: &Reporter, SecretWrite { name, answer, deleted, .. }: SecretWrite) {
    let (now, task) = (Instant::now(), Task::Leftover(name.clone()));
    if let Some(deleted) = deleted {
        report.leftover_deleted(&name, &deleted.uid, &deleted.because);
    }
    match answer {
        SecretAnswer::Absent => {
            store.secret_absent(&name, now);
            store.queue.done(&task, now);
        }
        SecretAnswer::There(seen) => {
            store.secret(seen, now);
            store.queue.failed(&task, now);
        }
        SecretAnswer::Refused { why, reason } | SecretAnswer::Unknown { why, reason } => {
            warn!(secret = name, why, "a leftover binding Secret cannot be deleted");
            report.failed(reason);
            store.queue.failed(&task, now);
        }
    }
}

/// Reads a foreign Secret that occupies the name of a binding Secret, because its changes are not watched.
pub(super) async fn check_obstacle(store: &SharedStore, writer: &NamespaceWriter, secret: &str) {
    let task = Task::Obstacle(secret.to_string());
    let is_of_interest = {
        let store = store.lock();
        store.cache.is_in_the_way(secret) && affected::is_wanted(&store.cache, secret)
    };
    let answer = if is_of_interest { Some(writer.read(secret).await) } else { None };
    let (mut store, now) = (store.lock(), Instant::now());
    match answer {
        Some(SecretAnswer::There(seen)) => store.secret(seen, now),
        Some(SecretAnswer::Absent) => store.secret_absent(secret, now),
        Some(SecretAnswer::Refused { .. } | SecretAnswer::Unknown { .. }) => {}
        // No object needs its name any more.
        None if store.cache.is_in_the_way(secret) => store.secret_absent(secret, now),
        None => {}
    }
    // It is read again at growing intervals for as long as it exists.
    if store.cache.is_in_the_way(secret) {
        store.queue.failed(&task, now);
    } else {
        store.queue.done(&task, now);
    }
}

/// Writes the owners of a definition's ConfigMap: the Integrations that name it. `resync`: how long a ConfigMap must
/// have been unnamed before it is collected.
pub(super) async fn reconcile_owners(
    store: &SharedStore,
    writer: &NamespaceWriter,
    report: &Reporter,
    map: &str,
    resync: Duration,
) {
    let (now, task) = (Instant::now(), Task::Definition(map.to_string()));
    let step = {
        let mut store = store.lock();
        // An Integration that cannot be read could name it.
        let sure = !store.cache.inventory.invalid.keys().any(|id| id.kind == Kind::Integration);
        store.definitions.step(map, &writer.paths, sure, resync, now)
    };
    let request = match step {
        OwnersStep::Nothing => return store.lock().queue.done(&task, now),
        OwnersStep::Wait(then) => {
            let mut store = store.lock();
            store.queue.done(&task, now);
            return store.queue.at(task, then);
        }
        OwnersStep::Write(request) => request,
    };
    let answer = writer.owners(&request).await;
    let (mut store, now) = (store.lock(), Instant::now());
    match answer {
        Ok(Some(answer)) => {
            info!(config_map = map, "wrote its owners");
            if let Some(map) = DefinitionMap::parse(&String::from_utf8_lossy(&answer)) {
                store.definition(map, now);
            }
            store.queue.done(&task, now);
        }
        Ok(None) => store.queue.done(&task, now),
        Err(failure) => {
            // After a real conflict the watch delivers the change; a server may also report a conflict where nobody
            // wrote.
            if !failure.is_race() {
                warn!(config_map = map, why = %failure, "its owners cannot be written");
                report.failed(failure.reason());
            }
            store.queue.failed(&task, now);
        }
    }
}
