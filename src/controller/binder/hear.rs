//! What is told of a namespace is taken in, and makes due what may be found otherwise because of it.

use super::agenda::{Priority, Task};
use super::definitions::{ConfigMap, named_by};
use super::desk::NamespaceWorker;
use super::due::Due;
use super::follow::{BinderDelta, DEFINITIONS, SECRETS};
use super::leftovers::Fate;
use super::report;
use super::seen::ObservedSecret;
use super::state::{self, InventoryChange};
use crate::api::Kind;
use crate::engine::model::item::{Item, ObjectId};
use crate::kubernetes::cache::Delta;
use crate::kubernetes::object;
use crate::kubernetes::object::{Live, is_after};
use crate::kubernetes::watch::{SERVER, WatchEvent};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::info;

/// How many may be looked at because of one change before all others.
const FEW: usize = 16;
/// How soon a Secret that is in the way is asked for first.
const OBSTACLE_AGAIN: Duration = Duration::from_millis(200);

impl NamespaceWorker {
    pub fn hear_of_namespace(&mut self, told: WatchEvent<BinderDelta>) {
        let now = Instant::now();
        match told {
            WatchEvent::Heard(BinderDelta::Items(kind, news), _) => self.hear_of_items(kind, news, now),
            WatchEvent::Heard(BinderDelta::Secrets(news), _) => self.hear_of_secrets(news, now),
            WatchEvent::Heard(BinderDelta::Definitions(news), _) => self.hear_of_definitions(news, now),
            WatchEvent::Lost(resource, error) => self.lost(resource, &error),
            // It is there again: whatever failed meanwhile need not wait.
            WatchEvent::Followed(SERVER) => self.agenda.hurry(now),
            WatchEvent::Followed(_) | WatchEvent::Rewound(_) => {}
        }
    }

    fn hear_of_items(&mut self, kind: Kind, news: Delta<Live<Item>>, now: Instant) {
        match news {
            Delta::All(all) => {
                let there: BTreeSet<&str> = all.iter().map(|live| live.name.as_str()).collect();
                let gone = self.known.ids().filter(|id| id.kind == kind && !there.contains(id.name.as_str()));
                for id in gone.cloned().collect::<Vec<_>>() {
                    self.item_gone(&id, None, now);
                }
                all.into_iter().for_each(|live| self.item(kind, live, now));
                self.is_read_now(kind.plural());
            }
            Delta::Set(live) => self.item(kind, live, now),
            Delta::Again => {}
            Delta::Only { names, revision } => {
                let gone = self.known.ids().filter(|id| id.kind == kind && !names.contains(&id.name));
                for id in gone.cloned().collect::<Vec<_>>() {
                    self.item_gone(&id, Some(&revision), now);
                }
            }
            Delta::Gone { name, revision } => self.item_gone(&ObjectId::new(kind, name), Some(&revision), now),
        }
    }

    /// Takes in an object as it is.
    fn item(&mut self, kind: Kind, mut live: Live<Item>, now: Instant) {
        let id = ObjectId::new(kind, live.name.clone());
        let uid_before = self.known.get(&id).map(|known| known.uid.clone());
        if !self.known.put(&id, &mut live) {
            return;
        }
        let Live { read, version, record, .. } = live;
        let record = record.map(|mut record| {
            if self.binder.tenant().is_empty() {
                // Which tenant this is nobody can say: that something came by a sync is believed all the same.
                record.tenant.clear();
            }
            Arc::new(record)
        });
        let before = self.definition_of(&id);
        let inventory = self.binder.inventory();
        let same = uid_before.as_ref() == Some(&version.uid)
            && match &read {
                Ok(item) => {
                    inventory.records.get(&id) == record.as_ref()
                        && inventory.get(&id).is_some_and(|known| says_the_same(&known, item))
                }
                Err(why) => inventory.invalid.get(&id) == Some(why),
            };
        if same {
            // Its status, or what is of no interest, changed.
            if kind != Kind::Component {
                self.agenda.due(Task::Object(id), Priority::Changed, now);
            }
            return;
        }
        let uid = version.uid.clone();
        if kind != Kind::Component {
            // What changed itself is looked at at once, however many rest on it.
            self.agenda.due(Task::Object(id.clone()), Priority::Changed, now);
        }
        let due = self.binder.change(match read {
            Ok(item) => InventoryChange::There(state::LiveObject { item, uid: version.uid, record }),
            Err(why) => InventoryChange::Invalid { id: id.clone(), why },
        });
        self.due(due, now);
        for binding in self.binder.bindings_of(&id) {
            match self.binder.fate(&binding) {
                Fate::Stays => self.is_not_left(&binding),
                _ if self.is_read() => self.see_to_leftovers(vec![binding], Priority::Changed, now),
                _ => {}
            }
        }
        self.definition_named(&id, &uid, before, now);
    }

    fn item_gone(&mut self, id: &ObjectId, revision: Option<&str>, now: Instant) {
        let before = self.definition_of(id);
        if !self.known.gone(id, revision) {
            return;
        }
        let due = self.binder.change(InventoryChange::Gone(id.clone()));
        match id.kind {
            Kind::Connection => {
                report::expires(&self.context, &self.paths, &id.name, None);
                let due = self.binder.tell_of_connection(&id.name, None);
                self.due(due, now);
            }
            Kind::Integration => self.tally.gone(&id.name),
            _ => {}
        }
        self.due(due, now);
        self.agenda.forget(&Task::Object(id.clone()), now);
        self.see_to_leftovers(self.binder.bindings_of(id), Priority::Changed, now);
        self.definition_named(id, "", before, now);
    }

    fn definition_of(&self, id: &ObjectId) -> Option<String> {
        let integration =
            self.binder.inventory().integrations.get(&id.name).filter(|_| id.kind == Kind::Integration)?;
        named_by(&integration.spec).map(str::to_string)
    }

    fn definition_named(&mut self, id: &ObjectId, uid: &str, was: Option<String>, now: Instant) {
        if id.kind != Kind::Integration {
            return;
        }
        let is = self.definition_of(id);
        for map in self.definitions.name(&id.name, uid, was.as_deref(), is.as_deref()) {
            self.agenda.due(Task::Definition(map), Priority::Changed, now);
        }
    }

    fn hear_of_secrets(&mut self, news: Delta<ObservedSecret>, now: Instant) {
        match news {
            Delta::All(all) => {
                let there: BTreeSet<&str> = all.iter().map(ObservedSecret::name).collect();
                let gone = self.binder.watched_secrets().filter(|name| !there.contains(name));
                for name in gone.map(str::to_string).collect::<Vec<_>>() {
                    self.secret_gone(name, now);
                }
                all.into_iter().for_each(|seen| self.secret(seen, now));
                self.is_read_now(SECRETS);
            }
            Delta::Set(seen) => self.secret(seen, now),
            Delta::Again => {}
            Delta::Only { names, revision } => {
                let gone = self.binder.watched_secrets().filter(|name| !names.contains(*name));
                for name in gone.map(str::to_string).collect::<Vec<_>>() {
                    self.secret_gone_as_of(name, &revision, now);
                }
            }
            Delta::Gone { name, revision } => self.secret_gone_as_of(name, &revision, now),
        }
    }

    fn secret_gone_as_of(&mut self, name: String, revision: &str, now: Instant) {
        let late = |known: &str| is_after(known, revision);
        if !self.binder.secret_version(&name).is_some_and(late) {
            self.secret_gone(name, now);
        }
    }

    /// A Secret is watched no longer: somebody deleted it, or took its label away.
    fn secret_gone(&mut self, name: String, now: Instant) {
        if self.binder.is_ours(&name) {
            let namespace = self.paths.namespace();
            info!(namespace, secret = name, "a binding Secret is gone");
        }
        self.change_secret(InventoryChange::SecretGone(name), now);
    }

    /// Takes in a Secret as it is.
    pub fn secret(&mut self, seen: ObservedSecret, now: Instant) {
        let name = seen.name().to_string();
        let late = |known: &str| is_after(known, seen.revision());
        if self.binder.secret_version(&name).is_some_and(late) {
            return;
        }
        self.change_secret(InventoryChange::Secret(seen), now);
        let obstacle = Task::Obstacle(name.clone());
        if self.binder.is_in_the_way(&name) && !self.agenda.is_open(&obstacle) {
            self.agenda.at(obstacle, now + OBSTACLE_AGAIN);
        }
    }

    pub fn change_secret(&mut self, change: InventoryChange, now: Instant) {
        let name = match &change {
            InventoryChange::Secret(seen) => Some(seen.name().to_string()),
            InventoryChange::SecretGone(name) => Some(name.clone()),
            _ => None,
        };
        let due = self.binder.change(change);
        self.due(due, now);
        let Some(name) = name else { return };
        if !self.binder.is_ours(&name) {
            self.is_not_left(&name);
        }
        if self.is_read() {
            self.see_to_leftovers(self.binder.leftovers_of(&name), Priority::Changed, now);
        }
    }

    fn hear_of_definitions(&mut self, news: Delta<ConfigMap>, now: Instant) {
        match news {
            Delta::All(all) => {
                let there: BTreeSet<&str> = all.iter().map(|map| map.name.as_str()).collect();
                let gone = self.definitions.names().filter(|name| !there.contains(name.as_str()));
                for name in gone.cloned().collect::<Vec<_>>() {
                    self.definition_gone(&name, now);
                }
                all.into_iter().for_each(|map| self.definition(map, now));
                self.is_read_now(DEFINITIONS);
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

    pub fn definition(&mut self, map: ConfigMap, now: Instant) {
        let (name, readable) = (map.name.clone(), map.readable.clone());
        if self.definitions.put(map) {
            self.agenda.due(Task::Definition(name.clone()), Priority::Changed, now);
            let due = self.binder.change(InventoryChange::Definition { config_map: name, readable });
            self.due(due, now);
        }
    }

    fn definition_gone(&mut self, name: &str, now: Instant) {
        self.definitions.gone(name);
        let due = self.binder.change(InventoryChange::DefinitionGone(name.to_string()));
        self.due(due, now);
        self.agenda.forget(&Task::Definition(name.to_string()), now);
    }

    /// These are to be looked at.
    pub fn due(&mut self, due: Due, now: Instant) {
        let haste = if due.len() > FEW { Priority::Spread } else { Priority::Changed };
        for id in due.objects() {
            self.agenda.due(Task::Object(id), haste, now);
        }
    }

    /// Takes in the answer to a write of ours.
    pub fn answered(&mut self, kind: Kind, answer: &[u8], now: Instant) {
        let text = String::from_utf8_lossy(answer);
        if let Some(live) = object::item_whole(kind, &text) {
            self.item(kind, live, now);
        }
    }
}

/// Whether two objects say the same, as far as the binder reads them.
fn says_the_same(a: &Item, b: &Item) -> bool {
    match (a, b) {
        (Item::Component(a), Item::Component(b)) => a.spec == b.spec,
        (Item::Connection(a), Item::Connection(b)) => a.spec == b.spec,
        (Item::CustomerCredentials(a), Item::CustomerCredentials(b)) => a.spec == b.spec,
        (Item::Integration(a, _), Item::Integration(b, _)) => a.spec == b.spec,
        _ => false,
    }
}
