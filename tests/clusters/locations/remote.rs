//! An in-memory platform, for tests only, so that the trait also fits a real one. It assigns its own ids, has no field
//! ownership, only shows that a secret exists, cannot change a connection's key, type or credentials, has pages of 100,
//! shows writes with a delay, and may commit and lose the answer.

use crate::locations::contract::Harness;
use stablekey::api::*;
use stablekey::apply::consent::{Approvals, StoredApproval};
use stablekey::engine::model::inventory::{Capabilities, Inventory};
use stablekey::engine::model::item::{Item, ObjectId};
use stablekey::engine::model::plan::{Action, ActionKind, Change};
use stablekey::engine::model::record::Record;
use stablekey::tenant::location::{Location, LocationError, Session, Snapshot};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

const PAGE: usize = 100;

/// An object on the platform.
#[derive(Clone)]
struct Row {
    id: u64,
    version: u64,
    item: Item,
    definition: Option<Vec<u8>>,
}

#[derive(Default)]
struct Platform {
    rows: BTreeMap<u64, Row>,
    /// The rows that lists show: with a delay.
    shown: BTreeMap<u64, Row>,
    next: u64,
    writes: u64,
    /// Loses the answer of every n-th write.
    loses: u64,
}

enum Answer {
    Done,
    Lost,
    Refused(&'static str),
}

impl Platform {
    fn list(&mut self, offset: usize) -> Vec<Row> {
        let page = self.shown.values().skip(offset).take(PAGE).cloned().collect();
        self.shown = self.rows.clone();
        page
    }

    fn answer(&mut self) -> Answer {
        self.writes += 1;
        if self.loses > 0 && self.writes.is_multiple_of(self.loses) { Answer::Lost } else { Answer::Done }
    }

    fn create(&mut self, item: Item, definition: Option<Vec<u8>>) -> Answer {
        self.next += 1;
        let row = Row { id: self.next * 7919, version: self.writes + 1, item: without_secrets(&item), definition };
        self.rows.insert(row.id, row);
        self.answer()
    }

    fn update(&mut self, id: u64, item: &Item, definition: Option<Vec<u8>>) -> Answer {
        let version = self.writes + 1;
        let Some(row) = self.rows.get_mut(&id) else { return Answer::Refused("Record not found") };
        if let (Item::Connection(a), Item::Connection(b)) = (&row.item, item)
            && (a.spec.stable_key != b.spec.stable_key || !a.spec.is_same_kind_as(&b.spec))
        {
            return Answer::Refused("stableKey, connection and managedBy cannot be updated");
        }
        row.item = without_secrets(item);
        row.version = version;
        if definition.is_some() {
            row.definition = definition;
        }
        self.answer()
    }

    fn delete(&mut self, id: u64) -> Answer {
        self.rows.remove(&id);
        self.answer()
    }
}

/// The platform only shows that a secret exists.
fn without_secrets(item: &Item) -> Item {
    let Item::Connection(connection) = item else { return item.clone() };
    let mut connection = (**connection).clone();
    for input in connection.spec.inputs.values_mut() {
        if matches!(input, Input::SecretRef(_)) {
            *input = Input::secret("present", "present");
        }
    }
    Item::Connection(Arc::new(connection))
}

/// What Stablekey stores outside of the platform, which has no annotations.
#[derive(Default)]
struct LocalStore {
    records: BTreeMap<ObjectId, Arc<Record>>,
    secrets: BTreeMap<(ObjectId, String), SecretRef>,
    taken: bool,
}

pub struct Remote {
    platform: Mutex<Platform>,
    local_store: Mutex<LocalStore>,
    approvals: Mutex<Vec<StoredApproval>>,
}

impl Remote {
    fn new(loses: u64) -> Self {
        Remote {
            platform: Mutex::new(Platform { loses, ..Platform::default() }),
            local_store: Mutex::default(),
            approvals: Mutex::default(),
        }
    }

    fn platform(&self) -> MutexGuard<'_, Platform> {
        self.platform.lock().unwrap()
    }

    fn local_store(&self) -> MutexGuard<'_, LocalStore> {
        self.local_store.lock().unwrap()
    }

    /// Returns every row, by pages. Reads twice, because the first answer may be outdated.
    fn rows(&self) -> Vec<Row> {
        let mut platform = self.platform();
        platform.list(0);
        let mut rows = Vec::new();
        loop {
            let page = platform.list(rows.len());
            let last = page.len() < PAGE;
            rows.extend(page);
            if last {
                return rows;
            }
        }
    }

    fn with_references(&self, item: Item) -> Item {
        let Item::Connection(connection) = &item else { return item };
        let beside = self.local_store();
        let mut connection = (**connection).clone();
        let id = item.id();
        for (name, input) in &mut connection.spec.inputs {
            if let (Input::SecretRef(_), Some(known)) = (&*input, beside.secrets.get(&(id.clone(), name.clone()))) {
                *input = Input::SecretRef(known.clone());
            }
        }
        Item::Connection(Arc::new(connection))
    }

    fn find(&self, id: &ObjectId) -> Option<Row> {
        self.rows().into_iter().find(|row| row.item.id() == *id)
    }

    fn remember(&self, item: &Item) {
        if let Item::Connection(connection) = item {
            let mut beside = self.local_store();
            for (name, input) in &connection.spec.inputs {
                if let Input::SecretRef(reference) = input {
                    beside.secrets.insert((item.id(), name.clone()), reference.clone());
                }
            }
        }
    }
}

impl Location for Remote {
    fn capabilities(&self) -> Capabilities {
        Capabilities { shows_secrets: false, ..Capabilities::FILES }
    }

    fn snapshot(&self) -> Result<Snapshot, LocationError> {
        let mut inventory = Inventory::default();
        for row in self.rows() {
            assert!(row.id % 7919 == 0, "ids are the platform's");
            inventory.insert(self.with_references(row.item));
        }
        inventory.records = self.local_store().records.clone();
        Ok(Snapshot { inventory: Arc::new(inventory), ..Snapshot::default() })
    }

    fn definition(&self, integration: &str) -> Result<Vec<u8>, LocationError> {
        let object = ObjectId::new(Kind::Integration, integration);
        let row = self.find(&object).and_then(|row| row.definition);
        row.ok_or_else(|| LocationError::Refused { object, why: "it has no definition".to_string() })
    }

    fn begin<'a>(&'a self, _coming: &[&Change]) -> Result<Box<dyn Session + 'a>, LocationError> {
        if std::mem::replace(&mut self.local_store().taken, true) {
            return Err(LocationError::Busy { who: "remote".to_string() });
        }
        Ok(Box::new(RemoteSession { remote: self }))
    }
}

struct RemoteSession<'a> {
    remote: &'a Remote,
}

impl Drop for RemoteSession<'_> {
    fn drop(&mut self) {
        self.remote.local_store().taken = false;
    }
}

impl Session for RemoteSession<'_> {
    fn apply(&mut self, action: &Action, definition: Option<&[u8]>) -> Result<(), LocationError> {
        let change = &action.change;
        let row = self.remote.find(&change.object);
        let now = row.as_ref().map(|row| self.remote.with_references(row.item.clone()).to_json());
        let changed = || LocationError::Changed { object: change.object.clone() };
        // The record is written first, so that after a lost answer the write is known to be Stablekey's.
        let record = |remote: &Remote| match &change.record {
            Some(record) => drop(remote.local_store().records.insert(change.object.clone(), record.clone())),
            None => drop(remote.local_store().records.remove(&change.object)),
        };
        if now != change.before.as_ref().map(Item::to_json) {
            return Err(changed());
        }
        record(self.remote);
        if let Some(after) = &change.after {
            self.remote.remember(after);
        }
        let bytes = definition.map(<[u8]>::to_vec);
        let answer = match (action.action, &change.after, row) {
            (ActionKind::Create, Some(after), None) => self.remote.platform().create(after.clone(), bytes),
            (ActionKind::Update, Some(after), Some(row)) => self.remote.platform().update(row.id, after, bytes),
            (ActionKind::Delete, _, Some(row)) => self.remote.platform().delete(row.id),
            (ActionKind::Adopt, _, Some(_)) => Answer::Done,
            _ => return Err(changed()),
        };
        match answer {
            Answer::Done => Ok(()),
            Answer::Refused(why) => Err(LocationError::Refused { object: change.object.clone(), why: why.to_string() }),
            Answer::Lost => {
                Err(LocationError::Unsure { object: change.object.clone(), why: "the connection was cut".to_string() })
            }
        }
    }

    fn read_one(&mut self, id: &ObjectId) -> Result<Option<Item>, LocationError> {
        Ok(self.remote.find(id).map(|row| self.remote.with_references(row.item)))
    }

    fn settle(&mut self) -> Result<(), LocationError> {
        Ok(())
    }
}

/// Approvals in memory.
struct ApprovalsInMemory<'a>(&'a Mutex<Vec<StoredApproval>>);

impl Approvals for ApprovalsInMemory<'_> {
    fn kept(&self, _: &str) -> Result<Vec<StoredApproval>, LocationError> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn keep(&self, _: &str, new: &[StoredApproval]) -> Result<(), LocationError> {
        let mut kept = self.0.lock().unwrap();
        kept.retain(|there| new.iter().all(|new| new.given.is_disjoint(&there.given)));
        kept.extend(new.iter().cloned());
        Ok(())
    }

    fn consume(&self, _: &str, left: &mut dyn FnMut(&mut StoredApproval) -> bool) -> Result<(), LocationError> {
        self.0.lock().unwrap().retain_mut(left);
        Ok(())
    }
}

impl Harness for Remote {
    fn location(&self) -> &dyn Location {
        self
    }

    fn approvals(&self) -> Box<dyn Approvals + '_> {
        Box::new(ApprovalsInMemory(&self.approvals))
    }

    fn by_another_writer(&self, item: &Item) {
        self.remember(item);
        match self.find(&item.id()) {
            Some(row) => drop(self.platform().update(row.id, item, None)),
            None => drop(self.platform().create(item.clone(), None)),
        }
    }
}

mod that_answers {
    use super::Remote;
    crate::contract!(Remote::new(0));
}

/// Every third answer is lost after the commit: each object is created once nevertheless.
mod that_loses_answers {
    use super::Remote;
    crate::contract!(Remote::new(3));
}
