//! A tenant's live state in a form that may leave the machine that can read it: without secrets and references to
//! secrets, with customers as counts, and with definitions as digests and the names of their steps.

use super::check::secret_literals;
use super::model::canonical::FieldHash;
use super::model::facts::{Capabilities, ConnectionFacts, Foreign, IntegrationFacts};
use super::model::field::{FieldKind, FieldValue};
use super::model::inventory::{Inventory, ReadOnly, Ready};
use super::model::item::{Item, ObjectId};
use super::model::record::{Record, Writer, Wrote};
use crate::api::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What stands in place of a text with a secret in it.
const HIDDEN: &str = "(hidden)";

/// A tenant's live state without secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredInventory {
    can: Capabilities,
    components: BTreeMap<String, ComponentSpec>,
    connections: BTreeMap<String, StoredConnection>,
    integrations: BTreeMap<String, StoredIntegration>,
    /// The ownership records, as lines.
    records: BTreeMap<String, String>,
    foreign: BTreeMap<String, Foreign>,
    /// The stable keys that embedded workflows use.
    workflows: BTreeMap<String, BTreeSet<String>>,
    unread_workflows: usize,
    invalid: BTreeMap<String, String>,
    read_only: BTreeMap<String, String>,
    code_native: BTreeSet<String>,
    /// How much could not be read.
    unread: usize,
}

/// A connection without secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredConnection {
    /// Its spec, with the inputs that are no secrets.
    spec: ConnectionSpec,
    /// The hash of the reference to each secret; `None` where the secret itself is there.
    secrets: BTreeMap<String, Option<String>>,
    test_secrets: BTreeMap<String, Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ready: Option<StoredReady>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<StoredFacts>,
}

/// An integration; its definition is digests and names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredIntegration {
    spec: IntegrationSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uses: Option<Uses>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ready: Option<StoredReady>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<StoredVersions>,
    definition_gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredReady {
    Yes,
    Was,
    No,
}

/// What the platform knows of a connection, as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredFacts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customers: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sets: Option<usize>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    statuses: BTreeMap<String, usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instances: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    integrations: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    embedded: Option<bool>,
    is_locked: bool,
    is_kept: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredVersions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instances: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    imported_after: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    behind: Option<usize>,
}

/// The object whose stored form cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be read")]
pub struct UnreadableObject(String);

/// References to secrets, by the hash of each. A hash of a stored state that is among them is that reference.
#[derive(Clone, Debug, Default)]
pub struct KnownSecrets(BTreeMap<FieldHash, SecretRef>);

impl KnownSecrets {
    /// Adds the references of a tenant's resources.
    pub fn learn(&mut self, inventory: &Inventory) {
        inventory.items().for_each(|item| item.secret_refs().for_each(|reference| self.add(reference)));
    }

    /// Adds a reference.
    pub fn add(&mut self, reference: &SecretRef) {
        self.0.insert(hash_of(reference), reference.clone());
    }

    fn has(&self, hash: FieldHash) -> bool {
        self.0.contains_key(&hash)
    }

    fn find(&self, hash: &str) -> Input {
        let known = FieldHash::parse(hash).and_then(|hash| self.0.get(&hash));
        // Two of one hash are one secret; which, is not known.
        Input::SecretRef(known.cloned().unwrap_or_else(|| SecretRef::unknown(hash.to_string())))
    }
}

fn hash_of(reference: &SecretRef) -> FieldHash {
    FieldValue::Input(&Input::SecretRef(reference.clone())).hash()
}

/// The reference that stands for a secret that is itself in an input.
fn in_place_of_literal(input: &str) -> SecretRef {
    SecretRef::unknown(input.to_string())
}

/// Whether a value is a secret that is itself in an input: by its type, by the name of the input, or by its text.
fn is_literal(name: &str, value: &str, literals: &BTreeSet<&str>) -> bool {
    literals.contains(name) || sensitive::is_sensitive(name) || is_secret_text(value)
}

fn is_secret_text(text: &str) -> bool {
    sensitive::is_secret_itself(text) || sensitive::looks_like_token(text).is_some()
}

fn hide(text: &mut Option<String>) {
    if text.as_deref().is_some_and(is_secret_text) {
        *text = Some(HIDDEN.to_string());
    }
}

impl StoredInventory {
    /// Stores a state. Of what was written before, a hash is stored only where it is that of a reference to a secret: one
    /// that the state has, or that is known.
    pub fn of(inventory: &Inventory, known: &KnownSecrets) -> Self {
        let mut known = known.clone();
        known.learn(inventory);
        // The names of customers' credentials may be those of customers.
        let shown = |id: &&ObjectId| id.kind != Kind::CustomerCredentials;
        let connections = inventory.connections.iter().map(|(name, object)| {
            let item = Item::Connection(Arc::clone(object));
            let literals: BTreeSet<&str> = secret_literals(&item, &[inventory]).into_iter().collect();
            let mut spec = object.spec.clone();
            let secrets = take_secrets(&mut spec.inputs, &literals);
            let test_secrets = spec.test.as_mut().map(|test| take_secrets(&mut test.inputs, &literals));
            hide(&mut spec.title);
            hide(&mut spec.description);
            let stored = StoredConnection {
                spec,
                secrets,
                test_secrets: test_secrets.unwrap_or_default(),
                ready: inventory.readiness.get(name).copied().map(StoredReady::from),
                facts: facts(inventory, name),
            };
            (name.clone(), stored)
        });
        let integrations = inventory.integrations.iter().map(|(name, object)| {
            let mut spec = object.spec.clone();
            hide(&mut spec.title);
            let stored = StoredIntegration {
                spec,
                uses: inventory.uses.get(name).map(|uses| uses.as_ref().clone()),
                ready: inventory.ready_integrations.get(name).copied().map(StoredReady::from),
                facts: inventory.integration_facts.get(name).map(|facts| StoredVersions {
                    instances: facts.instances,
                    version: facts.version,
                    imported_after: facts.imported_after,
                    behind: facts.behind,
                }),
                definition_gone: inventory.definitions_gone.contains(name),
            };
            (name.clone(), stored)
        });
        let records = inventory
            .records
            .iter()
            .filter(|(id, _)| shown(id))
            .map(|(id, record)| (id.to_string(), stored_record(inventory, id, record, &known).encode()));
        let (native, read_only): (Vec<_>, Vec<_>) =
            inventory.read_only.iter().filter(|(id, _)| shown(id)).partition(|(_, why)| **why == ReadOnly::CodeNative);
        let hidden = inventory.invalid.keys().filter(|id| !shown(id)).count();
        let invalid = inventory.invalid.iter().filter(|(id, _)| shown(id));
        StoredInventory {
            can: inventory.can,
            components: inventory.components.iter().map(|(name, o)| (name.clone(), o.spec.clone())).collect(),
            connections: connections.collect(),
            integrations: integrations.collect(),
            records: records.collect(),
            foreign: inventory.foreign.clone(),
            workflows: inventory.workflows.clone(),
            unread_workflows: inventory.unread_workflows.len(),
            invalid: invalid.map(|(id, _)| (id.to_string(), "it is invalid there".to_string())).collect(),
            read_only: read_only
                .into_iter()
                .map(|(id, _)| (id.to_string(), "it is only read there".to_string()))
                .collect(),
            code_native: native.into_iter().map(|(id, _)| id.to_string()).collect(),
            unread: inventory.unparsed.len() + inventory.unread.len() + hidden,
        }
    }

    /// The state, with those references to secrets that are known here. The credentials of customers are not stored: those
    /// that the source of the tenant declares are taken as carried out.
    pub fn to_inventory(
        &self,
        tenant: &str,
        known: &KnownSecrets,
        source: Option<&Inventory>,
    ) -> Result<Inventory, UnreadableObject> {
        let id = |text: &String| ObjectId::parse(text).ok_or_else(|| UnreadableObject(text.clone()));
        let mut inventory = Inventory {
            can: Capabilities {
                watches: false,
                // Neither is stored.
                knows_field_owners: false,
                has_labels: false,
                // Which secrets can be sent is known where they are.
                sends_secrets: false,
                merges_inputs: true,
                ..self.can
            },
            foreign: self.foreign.clone(),
            workflows: self.workflows.clone(),
            ..Inventory::default()
        };
        for (name, spec) in &self.components {
            inventory.components.insert(name.clone(), Arc::new(Object::new(name, spec.clone())));
        }
        for (name, stored) in &self.connections {
            let mut spec = stored.spec.clone();
            put_secrets(&mut spec.inputs, &stored.secrets, known);
            if let Some(test) = &mut spec.test {
                put_secrets(&mut test.inputs, &stored.test_secrets, known);
            }
            inventory.connections.insert(name.clone(), Arc::new(Object::new(name, spec)));
            inventory.readiness.extend(stored.ready.map(|ready| (name.clone(), ready.into())));
            let facts = stored.facts.as_ref().map(|facts| (name.clone(), Arc::new(facts.to_facts())));
            inventory.facts.extend(facts);
        }
        for (name, stored) in &self.integrations {
            inventory.integrations.insert(name.clone(), Arc::new(Object::new(name, stored.spec.clone())));
            inventory.uses.extend(stored.uses.as_ref().map(|uses| (name.clone(), Arc::new(uses.clone()))));
            inventory.ready_integrations.extend(stored.ready.map(|ready| (name.clone(), ready.into())));
            inventory.definitions_gone.extend(stored.definition_gone.then(|| name.clone()));
            if let Some(StoredVersions { instances, version, imported_after, behind }) = stored.facts.clone() {
                let facts = IntegrationFacts { instances, version, imported_after, behind };
                inventory.integration_facts.insert(name.clone(), Arc::new(facts));
            }
        }
        for (text, line) in &self.records {
            let mut record = Record::decode(line).ok_or_else(|| UnreadableObject(format!("the record of {text}")))?;
            let id = id(text)?;
            if let Some(stored) = self.connections.get(&id.name).filter(|_| id.kind == Kind::Connection) {
                stored.take_unknown_as_written(&mut record, known);
            }
            inventory.records.insert(id, Arc::new(record));
        }
        for (text, why) in &self.invalid {
            inventory.invalid.insert(id(text)?, why.clone());
        }
        for (text, why) in &self.read_only {
            inventory.read_only.insert(id(text)?, ReadOnly::Manual(why.clone()));
        }
        for text in &self.code_native {
            inventory.read_only.insert(id(text)?, ReadOnly::CodeNative);
        }
        for (name, declared) in source.into_iter().flat_map(|source| &source.customer_credentials) {
            let item = Item::CustomerCredentials(Arc::clone(declared));
            let wrote =
                |value: FieldValue<'_>| Wrote { hash: value.hash(), writers: Arc::new([Writer::Source].into()) };
            let fields = item.fields(false).into_iter().map(|(field, value)| (field.into_owned(), wrote(value)));
            let record = Record { made: true, fields: fields.collect(), ..Record::of(tenant) };
            inventory.records.insert(item.id(), Arc::new(record));
            inventory.customer_credentials.insert(name.clone(), Arc::clone(declared));
        }
        if self.unread > 0 {
            let what = "what could not be read when the snapshot was written".to_string();
            inventory.unread.insert(what.clone(), None);
            inventory.unparsed.insert(what);
        }
        if self.unread_workflows > 0 {
            inventory.unread_workflows.insert("a workflow that could not be read".to_string());
        }
        Ok(inventory)
    }
}

/// An ownership record that says no more of a secret than the stored object: a short secret is soon found by its hash.
fn stored_record(inventory: &Inventory, id: &ObjectId, record: &Record, known: &KnownSecrets) -> Record {
    let live = inventory.get(id);
    let literals: BTreeSet<&str> = live.iter().flat_map(|item| secret_literals(item, &[inventory])).collect();
    let mut record = record.clone();
    // Labels and annotations may hold anything, and are not stored.
    record.fields.retain(|field, _| !matches!(field.kind, FieldKind::Label | FieldKind::Annotation));
    for (field, wrote) in &mut record.fields {
        let value = live.as_ref().and_then(|live| live.written(field));
        let is_live = value.is_some_and(|value| value.hash() == wrote.hash);
        let name = field.name.as_ref();
        wrote.hash = match (field.kind, value) {
            (FieldKind::Input | FieldKind::TestInput, Some(FieldValue::Input(Input::Value(text))))
                if is_live && is_literal(name, text, &literals) =>
            {
                hash_of(&in_place_of_literal(name))
            }
            (FieldKind::Title | FieldKind::Description, Some(FieldValue::Text(text)))
                if is_live && is_secret_text(text) =>
            {
                FieldValue::Text(HIDDEN).hash()
            }
            // What was written before may have been a secret itself, whatever is there now.
            (FieldKind::Input | FieldKind::TestInput, _) if !is_live && !known.has(wrote.hash) => {
                let is_gone = live.is_none() && !inventory.invalid.contains_key(id);
                if is_gone && !may_be_secret(inventory, name) { wrote.hash } else { FieldHash::UNKNOWN }
            }
            (FieldKind::Title | FieldKind::Description, _) if !is_live => FieldHash::UNKNOWN,
            _ => wrote.hash,
        };
    }
    record.sent.retain(|secret, _| known.has(*secret));
    record
}

/// Whether an input of an object that is gone may be a secret: of which type it was is not known.
fn may_be_secret(inventory: &Inventory, input: &str) -> bool {
    let types = inventory.components.values().flat_map(|component| &component.spec.types);
    sensitive::is_sensitive(input) || types.filter_map(|t| t.inputs.get(input)).any(TypeInput::is_secret)
}

impl StoredConnection {
    /// A reference that is as it was written, and that nothing names here, stays as it was written.
    fn take_unknown_as_written(&self, record: &mut Record, known: &KnownSecrets) {
        for (field, wrote) in &mut record.fields {
            let secrets = match field.kind {
                FieldKind::Input => &self.secrets,
                FieldKind::TestInput => &self.test_secrets,
                _ => continue,
            };
            if let Some(Some(hash)) = secrets.get(field.name.as_ref())
                && FieldHash::parse(hash) == Some(wrote.hash)
            {
                wrote.hash = FieldValue::Input(&known.find(hash)).hash();
            }
        }
    }
}

/// Takes the secrets out of inputs: the hash of each reference, and `None` for a secret itself.
fn take_secrets(inputs: &mut BTreeMap<String, Input>, literals: &BTreeSet<&str>) -> BTreeMap<String, Option<String>> {
    let mut secrets = BTreeMap::new();
    inputs.retain(|name, input| match input {
        Input::SecretRef(reference) => {
            let is_known = !reference.is_unknown();
            secrets.insert(name.clone(), is_known.then(|| hash_of(reference).to_string()));
            false
        }
        Input::Value(value) if is_literal(name, value, literals) => {
            secrets.insert(name.clone(), None);
            false
        }
        Input::Value(_) | Input::PerCustomer(_) => true,
    });
    secrets
}

fn put_secrets(inputs: &mut BTreeMap<String, Input>, secrets: &BTreeMap<String, Option<String>>, known: &KnownSecrets) {
    for (name, hash) in secrets {
        let input = match hash {
            Some(hash) => known.find(hash),
            None => Input::SecretRef(in_place_of_literal(name)),
        };
        inputs.insert(name.clone(), input);
    }
}

/// What the location tells of a connection, with its customers as a number.
fn facts(inventory: &Inventory, name: &str) -> Option<StoredFacts> {
    let credentials =
        inventory.customer_credentials.values().filter(|c| names::of_stable_key(&c.spec.connection) == name);
    let customers: BTreeSet<&str> = credentials.map(|credentials| credentials.spec.customer.as_str()).collect();
    let facts = inventory.facts.get(name);
    if facts.is_none() && customers.is_empty() {
        return None;
    }
    let known = facts.map(|facts| facts.as_ref().clone()).unwrap_or_default();
    Some(StoredFacts {
        status: known.status.map(|status| status.to_string()),
        customers: known.customers.or((!customers.is_empty()).then_some(customers.len())),
        sets: known.sets,
        statuses: known.statuses.into_iter().map(|(status, number)| (status.to_string(), number)).collect(),
        instances: known.instances,
        integrations: known.integrations,
        embedded: known.embedded,
        is_locked: known.is_locked,
        is_kept: known.is_kept,
    })
}

impl StoredFacts {
    fn to_facts(&self) -> ConnectionFacts {
        use super::model::facts::Status;
        ConnectionFacts {
            status: self.status.as_deref().map(Status::parse),
            sign_in: None,
            last_success: None,
            customers: self.customers,
            sets: self.sets,
            statuses: self.statuses.iter().map(|(status, number)| (Status::parse(status), *number)).collect(),
            instances: self.instances,
            integrations: self.integrations,
            embedded: self.embedded,
            is_locked: self.is_locked,
            is_kept: self.is_kept,
        }
    }
}

impl From<Ready> for StoredReady {
    fn from(ready: Ready) -> Self {
        match ready {
            Ready::Yes => StoredReady::Yes,
            Ready::Was => StoredReady::Was,
            Ready::No => StoredReady::No,
        }
    }
}

impl From<StoredReady> for Ready {
    fn from(ready: StoredReady) -> Self {
        match ready {
            StoredReady::Yes => Ready::Yes,
            StoredReady::Was => Ready::Was,
            StoredReady::No => Ready::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::field::Field;
    use serde_json::{from_value, json};

    fn input(value: serde_json::Value) -> Input {
        from_value(value).unwrap()
    }

    /// "Never a secret, never a hash of one": a Component that calls an input a secret after it was written.
    #[test]
    fn no_hash_of_a_secret_is_stored() {
        let typed = json!({"key": "crm", "types": [{"key": "basic", "inputs": {"pin": {"secret": true}}}]});
        let crm = json!({
            "stableKey": "crm", "component": {"key": "crm"}, "type": "basic", "credentials": "OrganizationGlobal",
            "inputs": {"pin": {"value": "4711"}, "now": {"secretRef": {"name": "app", "key": "now"}}, "team": {"value": "a"}},
        });
        let mut inventory = Inventory::default();
        inventory.components.insert("crm".into(), Arc::new(Object::new("crm", from_value(typed).unwrap())));
        inventory.connections.insert("crm".into(), Arc::new(Object::new("crm", from_value(crm).unwrap())));
        let app = input(json!({"secretRef": {"name": "app", "key": "now"}}));
        let old = input(json!({"secretRef": {"name": "old", "key": "now"}}));
        let hash = |input: &Input| FieldValue::Input(input).hash();
        let (live, before) = (input(json!({"value": "4711"})), input(json!({"value": "0815"})));
        let record = |fields: &[(&str, &Input)]| {
            let wrote = |of: &Input| Wrote { hash: hash(of), writers: Arc::new([Writer::Source].into()) };
            let of = |(name, of): &(&str, &Input)| (Field::named(FieldKind::Input, name).into_owned(), wrote(of));
            let sent = [(hash(&before), FieldHash::of("hosts")), (hash(&old), FieldHash::of("hosts"))].into();
            Arc::new(Record { fields: fields.iter().map(of).collect(), sent, ..Record::of("us") })
        };
        let team = input(json!({"value": "a"}));
        let (crm, gone) = (ObjectId::new(Kind::Connection, "crm"), ObjectId::new(Kind::Connection, "gone"));
        let mut known = KnownSecrets::default();
        known.add(&SecretRef { name: "old".into(), key: "now".into(), version: None });
        let carried = |inventory: &Inventory| {
            let stored = StoredInventory::of(inventory, &known);
            let text = serde_json::to_string(&stored).unwrap();
            for secret in [&live, &before] {
                assert!(!text.contains(&hash(secret).to_string()), "{text}");
            }
            assert!(text.contains(&hash(&app).to_string()), "the hash of a reference is none of a secret: {text}");
            let carried = stored.to_inventory("us", &known, None).unwrap();
            move |id: &ObjectId, name: &str| {
                let field = Field::named(FieldKind::Input, name);
                let hash = carried.records[id].wrote(&field).unwrap().hash;
                let is_as_recorded =
                    carried.get(id).is_some_and(|item| item.written(&field).is_some_and(|v| v.is_recorded_as(hash)));
                (hash, is_as_recorded)
            }
        };
        inventory.records.insert(crm.clone(), record(&[("pin", &live), ("now", &app), ("team", &team)]));
        inventory.records.insert(gone.clone(), record(&[("pin", &before), ("now", &old), ("team", &team)]));
        let recorded = carried(&inventory);
        // What is as it was written stays so; what is not, stays recorded.
        assert!(recorded(&crm, "pin").1 && recorded(&crm, "team").1);
        assert!(recorded(&crm, "now").1, "a reference that nothing names here");
        assert_eq!((recorded(&gone, "pin").0, recorded(&gone, "now").0), (FieldHash::UNKNOWN, hash(&old)));
        assert_eq!(recorded(&gone, "team").0, hash(&team));
        // It was changed by others: to another literal, to a reference, or taken away.
        inventory.records.insert(crm.clone(), record(&[("pin", &before), ("now", &before), ("taken", &before)]));
        let recorded = carried(&inventory);
        for name in ["pin", "now", "taken"] {
            assert_eq!(recorded(&crm, name), (FieldHash::UNKNOWN, false), "{name}");
        }
    }
}
