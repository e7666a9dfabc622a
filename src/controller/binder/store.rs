//! The state of one namespace, and the only mutable state of the binder: the cache and the queue. Watch events and
//! answers of requests are applied here, and every affected object is enqueued.

use super::affected::{self, Affected, CacheChange, ReadObject};
use super::cache::TenantCache;
use super::definition_owners::{DefinitionMap, Definitions};
use super::evaluate::leftover::{self, Fate};
use super::index::named_by;
use super::metrics::BindingGauge;
use super::objects::KnownObjects;
use super::queue::{Priority, Task, WorkQueue};
use super::report::Reporter;
use super::secret::observed::ObservedSecret;
use super::warnings::DelayedWarnings;
use crate::api::Kind;
use crate::engine::model::item::{Item, ObjectId};
use crate::kubernetes::cache::Delta;
use crate::kubernetes::object::{self, Live, is_after};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tracing::info;

/// Maximum number of affected objects for which a change keeps the highest priority.
const FEW: usize = 16;
/// The first interval after which an occupied name is checked again.
const OBSTACLE_AGAIN: Duration = Duration::from_millis(200);

/// The state of one namespace.
#[derive(Debug)]
pub(super) struct NamespaceStore {
    pub cache: TenantCache,
    pub objects: KnownObjects,
    pub definitions: Definitions,
    pub queue: WorkQueue,
    pub warnings: DelayedWarnings,
    pub gauge: BindingGauge,
    /// Binding Secrets whose connection is gone.
    pub leftovers: BTreeSet<String>,
    /// Whether every watched resource was listed. Before that, a missing object may only be late.
    pub is_read: bool,
    report: Reporter,
}

/// The state of a namespace, shared by its reconciles. The lock is taken for one step at a time, never across a
/// request.
#[derive(Clone, Debug)]
pub(super) struct SharedStore(Arc<Mutex<NamespaceStore>>);

impl SharedStore {
    pub(super) fn new(store: NamespaceStore) -> Self {
        SharedStore(Arc::new(Mutex::new(store)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, NamespaceStore> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NamespaceStore {
    /// Creates the state of a namespace with an empty cache.
    pub(super) fn new(cache: TenantCache, gauge: BindingGauge, report: Reporter) -> Self {
        NamespaceStore {
            cache,
            objects: KnownObjects::default(),
            definitions: Definitions::default(),
            queue: WorkQueue::default(),
            warnings: DelayedWarnings::default(),
            gauge,
            leftovers: BTreeSet::new(),
            is_read: false,
            report,
        }
    }

    /// Records that every watched resource was listed.
    pub(super) fn all_is_read(&mut self, now: Instant) {
        self.is_read = true;
        self.enqueue_leftovers(leftover::leftovers(&self.cache), Priority::Changed, now);
    }

    /// Enqueues all objects for a full resync.
    pub(super) fn enqueue_all(&mut self, now: Instant) {
        for id in self.objects.ids().filter(|id| id.kind != Kind::Component) {
            self.queue.enqueue(Task::Object(id.clone()), Priority::Routine, now);
        }
        for map in self.definitions.names() {
            self.queue.enqueue(Task::Definition(map.clone()), Priority::Routine, now);
        }
        self.enqueue_leftovers(leftover::leftovers(&self.cache), Priority::Routine, now);
    }

    pub(super) fn enqueue(&mut self, affected: Affected, now: Instant) {
        let priority = if affected.len() > FEW { Priority::Spread } else { Priority::Changed };
        for id in affected.objects() {
            self.queue.enqueue(Task::Object(id), priority, now);
        }
    }

    fn enqueue_leftovers(&mut self, secrets: Vec<String>, priority: Priority, now: Instant) {
        for secret in secrets {
            self.queue.enqueue(Task::Leftover(secret), priority, now);
        }
    }

    pub(super) fn items(&mut self, kind: Kind, delta: Delta<Live<Item>>, now: Instant) {
        match delta {
            Delta::All(all) => {
                let there: BTreeSet<&str> = all.iter().map(|live| live.name.as_str()).collect();
                let gone = self.objects.ids().filter(|id| id.kind == kind && !there.contains(id.name.as_str()));
                for id in gone.cloned().collect::<Vec<_>>() {
                    self.item_gone(&id, None, now);
                }
                all.into_iter().for_each(|live| self.item(kind, live, now));
            }
            Delta::Set(live) => self.item(kind, live, now),
            Delta::Again => {}
            Delta::Only { names, revision } => {
                let gone = self.objects.ids().filter(|id| id.kind == kind && !names.contains(&id.name));
                for id in gone.cloned().collect::<Vec<_>>() {
                    self.item_gone(&id, Some(&revision), now);
                }
            }
            Delta::Gone { name, revision } => self.item_gone(&ObjectId::new(kind, name), Some(&revision), now),
        }
    }

    fn item(&mut self, kind: Kind, mut live: Live<Item>, now: Instant) {
        let id = ObjectId::new(kind, live.name.clone());
        let uid_before = self.objects.get(&id).map(|known| known.uid.clone());
        if !self.objects.put(&id, &mut live) {
            return;
        }
        let Live { read, version, record, .. } = live;
        let record = record.map(|mut record| {
            if self.cache.tenant.is_empty() {
                // Without a known tenant the record counts anyway: the object was written by a sync.
                record.tenant.clear();
            }
            Arc::new(record)
        });
        let before = self.definition_of(&id);
        let inventory = &self.cache.inventory;
        let same = uid_before.as_ref() == Some(&version.uid)
            && match &read {
                Ok(item) => {
                    inventory.records.get(&id) == record.as_ref()
                        && inventory.get(&id).is_some_and(|known| has_same_value(&known, item))
                }
                Err(why) => inventory.invalid.get(&id) == Some(why),
            };
        if kind != Kind::Component {
            // The changed object itself has the highest priority, however many objects depend on it.
            self.queue.enqueue(Task::Object(id.clone()), Priority::Changed, now);
        }
        if same {
            // Only the status or an irrelevant field changed.
            return;
        }
        let uid = version.uid.clone();
        let affected = affected::change(
            &mut self.cache,
            match read {
                Ok(item) => CacheChange::There(ReadObject { item, uid: version.uid, record }),
                Err(why) => CacheChange::Invalid { id: id.clone(), why },
            },
        );
        self.enqueue(affected, now);
        for binding in leftover::bindings_of(&self.cache, &id) {
            match leftover::fate(&self.cache, &binding) {
                Fate::Stays => self.forget_leftover(&binding),
                _ if self.is_read => self.enqueue_leftovers(vec![binding], Priority::Changed, now),
                _ => {}
            }
        }
        self.definition_named(&id, &uid, before, now);
    }

    fn item_gone(&mut self, id: &ObjectId, revision: Option<&str>, now: Instant) {
        let before = self.definition_of(id);
        if !self.objects.gone(id, revision) {
            return;
        }
        let affected = affected::change(&mut self.cache, CacheChange::Gone(id.clone()));
        match id.kind {
            Kind::Connection => {
                self.report.connection_gone(id);
                let users = affected::publish(&mut self.cache, &id.name, None);
                self.enqueue(users, now);
            }
            Kind::Integration => self.gauge.gone(&id.name),
            _ => {}
        }
        self.enqueue(affected, now);
        self.queue.forget(&Task::Object(id.clone()), now);
        self.enqueue_leftovers(leftover::bindings_of(&self.cache, id), Priority::Changed, now);
        self.definition_named(id, "", before, now);
    }

    fn definition_of(&self, id: &ObjectId) -> Option<String> {
        let integration = self.cache.inventory.integrations.get(&id.name).filter(|_| id.kind == Kind::Integration)?;
        named_by(&integration.spec).map(str::to_string)
    }

    fn definition_named(&mut self, id: &ObjectId, uid: &str, was: Option<String>, now: Instant) {
        if id.kind != Kind::Integration {
            return;
        }
        let is = self.definition_of(id);
        for map in self.definitions.name(&id.name, uid, was.as_deref(), is.as_deref()) {
            self.queue.enqueue(Task::Definition(map), Priority::Changed, now);
        }
    }

    pub(super) fn secrets(&mut self, delta: Delta<ObservedSecret>, now: Instant) {
        match delta {
            Delta::All(all) => {
                let there: BTreeSet<&str> = all.iter().map(ObservedSecret::name).collect();
                let gone = self.cache.watched_secrets().filter(|name| !there.contains(name));
                for name in gone.map(str::to_string).collect::<Vec<_>>() {
                    self.secret_gone(name, now);
                }
                all.into_iter().for_each(|seen| self.secret(seen, now));
            }
            Delta::Set(seen) => self.secret(seen, now),
            Delta::Again => {}
            Delta::Only { names, revision } => {
                let gone = self.cache.watched_secrets().filter(|name| !names.contains(*name));
                for name in gone.map(str::to_string).collect::<Vec<_>>() {
                    self.secret_gone_as_of(name, &revision, now);
                }
            }
            Delta::Gone { name, revision } => self.secret_gone_as_of(name, &revision, now),
        }
    }

    fn secret_gone_as_of(&mut self, name: String, revision: &str, now: Instant) {
        let late = |known: &str| is_after(known, revision);
        if !self.cache.secret_version(&name).is_some_and(late) {
            self.secret_gone(name, now);
        }
    }

    /// Applies that a Secret was deleted, or lost its label.
    fn secret_gone(&mut self, name: String, now: Instant) {
        if self.cache.is_ours(&name) {
            let namespace = self.cache.namespace.as_str();
            info!(namespace, secret = name, "a binding Secret is gone");
        }
        self.change_secret(&name.clone(), CacheChange::SecretGone(name), now);
    }

    pub(super) fn secret(&mut self, seen: ObservedSecret, now: Instant) {
        let name = seen.name().to_string();
        let late = |known: &str| is_after(known, seen.revision());
        if self.cache.secret_version(&name).is_some_and(late) {
            return;
        }
        self.change_secret(&name, CacheChange::Secret(seen), now);
        let obstacle = Task::Obstacle(name.clone());
        if self.cache.is_in_the_way(&name) && !self.queue.is_open(&obstacle) {
            self.queue.at(obstacle, now + OBSTACLE_AGAIN);
        }
    }

    /// Applies the server's answer that a binding Secret does not exist.
    pub(super) fn secret_absent(&mut self, name: &str, now: Instant) {
        self.change_secret(name, CacheChange::SecretGone(name.to_string()), now);
    }

    /// Applies that the API server refuses to write a binding Secret, and that a retry would not help.
    pub(super) fn secret_refused(&mut self, name: String, why: String, now: Instant) {
        let affected = affected::change(&mut self.cache, CacheChange::Refused { binding: name, why });
        self.enqueue(affected, now);
    }

    fn change_secret(&mut self, name: &str, change: CacheChange, now: Instant) {
        let affected = affected::change(&mut self.cache, change);
        self.enqueue(affected, now);
        if !self.cache.is_ours(name) {
            self.forget_leftover(name);
        }
        if self.is_read {
            self.enqueue_leftovers(leftover::leftovers_of(&self.cache, name), Priority::Changed, now);
        }
    }

    /// Records that a binding Secret is gone, or that its connection exists again.
    pub(super) fn forget_leftover(&mut self, secret: &str) {
        if !self.leftovers.remove(secret) {
            return;
        }
        self.report.leftovers(self.leftovers.len());
        if self.cache.is_ours(secret) {
            self.report.leftover_in_use(secret, self.uid_of(secret));
        }
    }

    /// Returns the uid of a binding Secret.
    pub(super) fn uid_of(&self, secret: &str) -> Option<String> {
        self.cache.bindings.get(secret).map(|binding| binding.uid.clone())
    }

    pub(super) fn definitions(&mut self, delta: Delta<DefinitionMap>, now: Instant) {
        match delta {
            Delta::All(all) => {
                let there: BTreeSet<&str> = all.iter().map(|map| map.name.as_str()).collect();
                let gone = self.definitions.names().filter(|name| !there.contains(name.as_str()));
                for name in gone.cloned().collect::<Vec<_>>() {
                    self.definition_gone(&name, now);
                }
                all.into_iter().for_each(|map| self.definition(map, now));
            }
            Delta::Set(map) => self.definition(map, now),
            Delta::Again => {}
            Delta::Only { names, .. } => {
                let gone = self.definitions.names().filter(|name| !names.contains(*name));
                for name in gone.cloned().collect::<Vec<_>>() {
                    self.definition_gone(&name, now);
                }
            }
            Delta::Gone { name, .. } => self.definition_gone(&name, now),
        }
    }

    pub(super) fn definition(&mut self, map: DefinitionMap, now: Instant) {
        let (name, readable) = (map.name.clone(), map.readable.clone());
        if self.definitions.put(map) {
            self.queue.enqueue(Task::Definition(name.clone()), Priority::Changed, now);
            let change = CacheChange::Definition { config_map: name, readable };
            let affected = affected::change(&mut self.cache, change);
            self.enqueue(affected, now);
        }
    }

    fn definition_gone(&mut self, name: &str, now: Instant) {
        self.definitions.gone(name);
        let affected = affected::change(&mut self.cache, CacheChange::DefinitionGone(name.to_string()));
        self.enqueue(affected, now);
        self.queue.forget(&Task::Definition(name.to_string()), now);
    }

    /// Applies the answer to a write: the object as it is now.
    pub(super) fn answered(&mut self, kind: Kind, answer: &[u8], now: Instant) {
        let text = String::from_utf8_lossy(answer);
        if let Some(live) = object::item_whole(kind, &text) {
            self.item(kind, live, now);
        }
    }
}

/// Whether two objects are equal in the fields that the binder reads.
fn has_same_value(a: &Item, b: &Item) -> bool {
    match (a, b) {
        (Item::Component(a), Item::Component(b)) => a.spec == b.spec,
        (Item::Connection(a), Item::Connection(b)) => a.spec == b.spec,
        (Item::CustomerCredentials(a), Item::CustomerCredentials(b)) => a.spec == b.spec,
        (Item::Integration(a, _), Item::Integration(b, _)) => a.spec == b.spec,
        _ => false,
    }
}
