//! Writes to an organization. The record says that a run writes from before its first write until its receipt, so that a
//! second run writes nothing; and what it wants, so that a run that is killed is taken up by the next one.

use super::definitions;
use super::live;
use super::organization::Organization;
use super::pages::ListFailure;
use super::read;
use super::record::{DoctorRecord, RecordError, Run, RunReceipt, SentDefinition, TenantRecord};
use super::secrets::SecretSource;
use super::write::{Mutation, WriteFailure};
use super::{Expected, LastRead, OrganizationLocation};
use crate::api::*;
use crate::engine::model::canonical::{Digest, Json};
use crate::engine::model::field::FieldKind;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, Change, FieldChange, Op};
use crate::platform::answer::document::{Answer, ComponentAnswer, ReusableConnection};
use crate::platform::answer::organization::IntegrationAnswer;
use crate::platform::definition::{self, Outgoing};
use crate::secret::Secret;
use crate::tenant::location::{Calls, LocationError, Session};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// How often a write is tried whose answer was lost, after a look at what is there.
const TRIES: u32 = 4;
/// After this time a run says in the record that it still writes.
const SIGN_OF_LIFE: u64 = 240;

/// A run that writes.
pub(super) struct OrganizationSession<'a> {
    at: &'a OrganizationLocation,
    last: Arc<LastRead>,
    runtime: Arc<Runtime>,
    secrets: SecretSource<'a>,
    record: TenantRecord,
    /// The run as it stands in the record once it writes.
    run: Run,
    /// Since when the record says that this run writes.
    said: Option<Timestamp>,
    /// Whether the record has to be stored.
    is_changed: bool,
    /// The version of the stored record that the next write replaces.
    version: Option<String>,
    /// The platform's ids of objects.
    ids: BTreeMap<ObjectId, String>,
    /// Reads and writes that were sent before.
    calls: (usize, usize),
    /// Whether the current action may have changed something.
    has_written: Cell<bool>,
    /// Why nothing may be written any more: another run writes.
    lost: Option<LocationError>,
    /// What this run carried out, and how many actions failed, since its last receipt.
    done: CarriedOut,
}

/// What a run carried out.
#[derive(Debug, Default)]
struct CarriedOut {
    digests: Vec<String>,
    counts: ReceiptCounts,
    failed: u64,
}

impl CarriedOut {
    fn receipt(self, who: &str, now: Timestamp) -> Option<RunReceipt> {
        let CarriedOut { digests, counts, failed } = self;
        (!digests.is_empty()).then(|| RunReceipt {
            at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            who: who.to_string(),
            digest: Digest::of(digests.join("\n").as_bytes()).to_string(),
            counts,
            failed: Some(failed).filter(|failed| *failed > 0),
        })
    }
}

impl<'a> OrganizationSession<'a> {
    /// Begins a run. The record says who writes from the first write on.
    pub(super) fn begin(at: &'a OrganizationLocation, coming: &[&Change]) -> Result<Self, LocationError> {
        let last = at.last().ok_or_else(|| at.failed("it was not read"))?;
        let runtime = at.platform.runtime().map_err(|why| at.failed(why))?;
        let stored = at.records.read(&at.tenant).map_err(|error| at.of_record(&error))?;
        if let Some(run) = stored.record.run.as_ref().filter(|run| run.may_be_alive(&at.platform.host())) {
            return Err(LocationError::Busy { who: format!("{} ({})", at.tenant, run.who_since()) });
        }
        if stored.version != last.version {
            return Err(at.failed("another run changed its record since it was read: plan again"));
        }
        let mut record = last.record.clone();
        record.take_up(&last.inventory);
        let done = last.inventory.integration_facts.iter().filter(|(_, facts)| facts.is_done());
        for (name, _) in done {
            record.object_mut(&ObjectId::new(Kind::Integration, name)).pending = None;
        }
        let ids = live::ids(&last.organization, &record, &at.expected);
        for (id, platform_id) in &ids {
            let entry = record.objects.get_mut(&id.to_string()).filter(|entry| entry.id.is_none());
            entry.into_iter().for_each(|entry| entry.id = Some(platform_id.clone()));
        }
        Ok(OrganizationSession {
            secrets: at.secrets(),
            run: Run::now(&at.platform.host(), coming, &last.inventory),
            said: None,
            is_changed: record != last.record,
            version: stored.version,
            calls: at.stack.calls(),
            has_written: Cell::new(false),
            lost: None,
            done: CarriedOut::default(),
            at,
            last,
            runtime,
            record,
            ids,
        })
    }

    /// Names the command that runs.
    pub(super) fn called(mut self, command: &str) -> Self {
        self.run.command = command.to_string();
        self
    }

    /// Names one more object that it is about to write.
    pub(super) fn writing(mut self, object: &ObjectId) -> Self {
        self.run.writes.push(object.to_string());
        self
    }

    /// What doctor found in this tenant, to be changed.
    pub(super) fn doctor(&mut self) -> &mut DoctorRecord {
        self.is_changed = true;
        self.record.doctor.get_or_insert_default()
    }

    /// Ends the run, and stores the record.
    pub(super) fn end(&mut self, message: &str) -> Result<(), LocationError> {
        if self.is_changed || self.said.is_some() { self.store(message) } else { Ok(()) }
    }

    /// Sends a change that can be sent twice.
    pub(super) fn send(
        &self,
        object: &ObjectId,
        mutation: Mutation,
        input: &Map<String, Value>,
    ) -> Result<(), LocationError> {
        self.write(object, mutation, input, &|| Ok(Seen::NotDone)).map(drop)
    }

    /// The one connection with this key.
    pub(super) fn only(&self, object: &ObjectId, key: &str) -> Result<ReusableConnection, LocationError> {
        let gone = || LocationError::Changed { object: object.clone() };
        self.connections(key)?.into_iter().next().ok_or_else(gone)
    }

    /// Creates a connection, and returns its id. One whose answer was lost is looked for by its key.
    pub(super) fn create(
        &self,
        object: &ObjectId,
        key: &str,
        input: &Map<String, Value>,
    ) -> Result<String, LocationError> {
        let look = || match self.connections(key)?.as_slice() {
            [] => Ok(Seen::NotDone),
            [one] => Ok(one.id.clone().map_or(Seen::Other, Seen::Done)),
            _ => Ok(Seen::Other),
        };
        self.write(object, Mutation::CreateConnection, input, &look)
    }

    /// Deletes a connection.
    pub(super) fn remove(&self, object: &ObjectId, key: &str, platform_id: &str) -> Result<(), LocationError> {
        let look =
            || Ok(if self.connections(key)?.is_empty() { Seen::Done(platform_id.to_string()) } else { Seen::NotDone });
        self.delete(object, Mutation::DeleteConnection, platform_id, &look)
    }

    /// Lets the record say who writes, before the first write and then from time to time: whoever loses this writes
    /// nothing.
    pub(super) fn announce(&mut self) -> Result<(), LocationError> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone());
        }
        // The time of the clock, since a machine that sleeps is silent too.
        let now = Timestamp::now();
        if self.said.is_some_and(|said| now.duration_since(said).as_secs().unsigned_abs() < SIGN_OF_LIFE) {
            return Ok(());
        }
        if self.said.is_some() {
            self.run.seen = Some(now.to_string());
        }
        self.record.run = Some(self.run.clone());
        let message = format!("stablekey begins to write to {}", self.at.tenant);
        let written = self.at.records.write(&self.record, self.version.as_deref(), &message);
        let version = written.map_err(|error| match error {
            RecordError::Lost { by, .. } => {
                let who = by.map_or(self.at.tenant.clone(), |by| format!("{} ({by})", self.at.tenant));
                LocationError::Busy { who }
            }
            error => self.at.of_record(&error),
        });
        if let Err(error) = &version {
            self.record.run = None;
            self.lost = Some(error.clone());
        }
        self.version = Some(version?);
        self.said = Some(now);
        Ok(())
    }

    /// Sends a mutation, and returns the id of its object. After an answer that was lost, `look` says what is there.
    fn write(
        &self,
        object: &ObjectId,
        mutation: Mutation,
        input: &Map<String, Value>,
        look: &dyn Fn() -> Result<Seen, LocationError>,
    ) -> Result<String, LocationError> {
        let mut tries = 0;
        // Once it may have been carried out, no later failure says that it was not.
        let unsure = |why: String| Err(LocationError::Unsure { object: object.clone(), why });
        loop {
            let failure = match self.runtime.block_on(self.at.stack.write(mutation, input.clone())) {
                Ok(id) => {
                    self.has_written.set(true);
                    return Ok(id);
                }
                Err(failure) => failure,
            };
            let why = match failure {
                WriteFailure::Refused(why) if tries == 0 => {
                    return Err(LocationError::Refused {
                        object: object.clone(),
                        why: format!("the platform refuses it: {why}"),
                    });
                }
                WriteFailure::NotDone(failure) if tries == 0 => {
                    return Err(self.at.failed(format!("{object}: {}", super::with_help(&failure, &failure.help()))));
                }
                WriteFailure::Refused(why) => why,
                WriteFailure::NotDone(failure) | WriteFailure::Unsure(failure) => failure.to_string(),
            };
            tries += 1;
            self.has_written.set(true);
            // What was written may be seen late.
            std::thread::sleep(self.at.stack.pause() * 2_u32.pow(tries));
            match look() {
                Ok(Seen::Done(id)) => return Ok(id),
                Ok(Seen::NotDone) if tries < TRIES => {}
                Ok(Seen::NotDone | Seen::Other) => return unsure(why),
                Err(failure) => return unsure(format!("{why}; {failure}")),
            }
        }
    }

    /// The connections with this key that are there now: the tenant's own, at the root of their tree.
    fn connections(&self, key: &str) -> Result<Vec<ReusableConnection>, LocationError> {
        let found = self.runtime.block_on(read::connections_of(&self.at.stack, key));
        let found =
            found.map_err(|failure| self.at.failed(format!("Connection {key} cannot be looked up: {failure}")))?;
        Ok(found.into_iter().filter(ReusableConnection::is_of_tenant).collect())
    }

    /// A connection as it is now, with what is recorded of it.
    fn connection(&self, id: &ObjectId, key: &str) -> Result<Option<Item>, LocationError> {
        let connections = self.connections(key)?;
        if connections.len() > 1 {
            let ids: Vec<&str> = connections.iter().filter_map(|found| found.id.as_deref()).collect();
            let why =
                format!("there are {} connections with its key: {}; delete all but one", ids.len(), ids.join(", "));
            return Err(LocationError::Refused { object: id.clone(), why });
        }
        let components = self.components_of(&connections);
        let answer = Answer { connections, components, ..Answer::default() };
        let organization = Organization { answer, ..Organization::default() };
        let there = live::inventory(&self.at.tenant, &organization, &self.record.only(&[id]), &Expected::default());
        match there.invalid.get(id) {
            Some(why) => Err(LocationError::Refused { object: id.clone(), why: why.clone() }),
            None => Ok(there.get(id)),
        }
    }

    /// The components that connections are of.
    fn components_of(&self, connections: &[ReusableConnection]) -> Vec<ComponentAnswer> {
        let key = |found: &ReusableConnection| {
            let component = found.connection.as_ref()?.component.as_ref()?;
            Some((component.key.clone()?, component.public))
        };
        let keys: Vec<_> = connections.iter().filter_map(key).collect();
        let is_used = |component: &&ComponentAnswer| {
            keys.iter().any(|(key, public)| component.key.as_ref() == Some(key) && component.public == *public)
        };
        self.last.organization.answer.components.iter().filter(is_used).cloned().collect()
    }

    /// Refuses to make again what was made a moment ago, and is only not shown yet.
    fn is_not_unseen(&self, id: &ObjectId) -> Result<(), LocationError> {
        match self.record.object(id).and_then(|recorded| recorded.may_be_unseen(Timestamp::now())) {
            None => Ok(()),
            Some(ago) => {
                let why = format!(
                    "it was made {ago} s ago, and the platform does not show it yet: apply again in a few minutes; if somebody \
                     deleted it, it is made again then"
                );
                Err(LocationError::Refused { object: id.clone(), why })
            }
        }
    }

    /// Refuses to write over what differs from the plan.
    fn check(&self, change: &Change, now: Option<&Item>) -> Result<(), LocationError> {
        let is_as_planned = Item::same(now, change.before.as_ref());
        if is_as_planned { Ok(()) } else { Err(LocationError::Changed { object: change.object.clone() }) }
    }

    fn create_connection(&self, id: &ObjectId, spec: &ConnectionSpec) -> Result<String, LocationError> {
        let type_id = self.type_id(id, spec)?;
        let (scope, managed_by) = match spec.credentials {
            Credentials::Customer => ("customer", "customer"),
            Credentials::OrganizationCustomer => ("customer", "org"),
            Credentials::OrganizationGlobal => ("org", "org"),
            Credentials::User => ("user", "org"),
        };
        let mut input: Map<String, Value> = Map::new();
        input.insert("key".into(), json!(spec.title.as_ref().unwrap_or(&spec.stable_key)));
        input.insert("stableKey".into(), json!(spec.stable_key));
        input.insert("variableScope".into(), json!(scope));
        input.insert("managedBy".into(), json!(managed_by));
        input.insert("connection".into(), json!(type_id));
        if let Some(description) = &spec.description {
            input.insert("description".into(), json!(description));
        }
        input.insert("inputs".into(), self.inputs(id, &spec.inputs, spec.credentials)?);
        self.create(id, &spec.stable_key, &input)
    }

    /// Looks again after a create. Of two connections with one key, the one that this run made goes if it is the younger,
    /// since nothing uses it yet; else both are there, and a person decides.
    fn only_one(&self, id: &ObjectId, key: &str, made: &str) -> Result<(), LocationError> {
        let there = self.connections(key)?;
        let (ours, others): (Vec<_>, Vec<_>) = there.iter().partition(|found| found.id.as_deref() == Some(made));
        if others.is_empty() {
            return Ok(());
        }
        let made_at = |found: &ReusableConnection| found.created_at.as_deref()?.parse::<Timestamp>().ok();
        let since = ours.first().and_then(|ours| made_at(ours));
        let is_older =
            |other: &&&ReusableConnection| made_at(other).is_some_and(|at| since.is_some_and(|ours| at < ours));
        if others.iter().filter(is_older).count() < others.len() {
            let ids: Vec<&str> = there.iter().filter_map(|found| found.id.as_deref()).collect();
            let why = format!(
                "somebody else made a connection with this key at the same time ({}): delete all but one there",
                ids.join(", ")
            );
            return Err(LocationError::Refused { object: id.clone(), why });
        }
        let input: Map<String, Value> = [("id".to_string(), json!(made))].into_iter().collect();
        let is_gone = || {
            let is_there = self.connections(key)?.iter().any(|found| found.id.as_deref() == Some(made));
            Ok(if is_there { Seen::NotDone } else { Seen::Done(made.to_string()) })
        };
        self.write(id, Mutation::DeleteConnection, &input, &is_gone)?;
        Err(LocationError::Changed { object: id.clone() })
    }

    fn update_connection(
        &self,
        action: &Action,
        spec: &ConnectionSpec,
        platform_id: &str,
    ) -> Result<(), LocationError> {
        let id = &action.change.object;
        let touches = |kind: FieldKind| action.fields.iter().any(|change| change.field.kind == kind);
        let mut input: Map<String, Value> = [("id".to_string(), json!(platform_id))].into_iter().collect();
        if touches(FieldKind::Title) {
            input.insert("key".into(), json!(spec.title.as_ref().unwrap_or(&spec.stable_key)));
        }
        if touches(FieldKind::Description) {
            input.insert("description".into(), json!(spec.description));
        }
        if touches(FieldKind::EmbeddedWorkflows) {
            input.insert("defaultForComponent".into(), json!(spec.embedded_workflows == Some(true)));
        }
        if touches(FieldKind::Input) {
            input.insert("inputs".into(), self.changed_inputs(action, spec)?);
            input.insert("redeploy".into(), json!(true));
        }
        if input.len() == 1 {
            return Ok(());
        }
        // Whether a secret arrived is not seen, so one is sent again.
        let is_shown = !action.fields.iter().any(|change| {
            let is_secret = |value: &Option<Json>| value.as_ref().is_some_and(|v| v.value().get("secretRef").is_some());
            change.field.kind == FieldKind::Input && (is_secret(&change.from) || is_secret(&change.to))
        });
        let look = || match (self.connection(id, &spec.stable_key)?, &action.change.after, &action.change.before) {
            (Some(now), Some(after), _) if !is_shown && Item::same(Some(&now), Some(after)) => Ok(Seen::NotDone),
            (Some(now), Some(after), _) if Item::same(Some(&now), Some(after)) => {
                Ok(Seen::Done(platform_id.to_string()))
            }
            (Some(now), _, Some(before)) if Item::same(Some(&now), Some(before)) => Ok(Seen::NotDone),
            _ => Ok(Seen::Other),
        };
        self.write(id, Mutation::UpdateConnection, &input, &look).map(drop)
    }

    /// The credentials for tests of a connection; instances for tests see them at once.
    fn test_credentials(&self, action: &Action, spec: &ConnectionSpec, platform_id: &str) -> Result<(), LocationError> {
        let id = &action.change.object;
        let test_set = || {
            let sets = self.connections(&spec.stable_key)?.into_iter().flat_map(|found| found.tests.items);
            Ok::<_, LocationError>(sets.filter_map(|set| set.id).next())
        };
        let set = test_set()?;
        let look = || Ok(Seen::NotDone);
        let inputs = spec.test.as_ref().map(|test| &test.inputs);
        match (inputs, set) {
            (None, None) => Ok(()),
            (None, Some(set)) => {
                let input = [("id".to_string(), json!(set))].into_iter().collect();
                let gone = || Ok(if test_set()?.is_none() { Seen::Done(set.clone()) } else { Seen::NotDone });
                self.write(id, Mutation::DeleteCredentials, &input, &gone).map(drop)
            }
            (Some(inputs), set) => {
                let inputs = self.inputs(id, inputs, Credentials::OrganizationGlobal)?;
                let inputs = without_removed(inputs, action, FieldKind::TestInput);
                let mut input: Map<String, Value> = [("inputs".to_string(), inputs)].into_iter().collect();
                let redeployed = |set: &str| {
                    let input = [("id".to_string(), json!(set)), ("redeploy".to_string(), json!(true))];
                    input.into_iter().collect::<Map<String, Value>>()
                };
                match set {
                    Some(set) => {
                        input.extend(redeployed(&set));
                        self.write(id, Mutation::UpdateCredentials, &input, &look).map(drop)
                    }
                    None => {
                        input.insert("scopedConfigVariable".into(), json!(platform_id));
                        input.insert("isTest".into(), json!(true));
                        let look = || Ok(test_set()?.map_or(Seen::NotDone, Seen::Done));
                        let made = self.write(id, Mutation::CreateCredentials, &input, &look)?;
                        // No test uses a new connection yet.
                        if action.action == ActionKind::Create {
                            return Ok(());
                        }
                        self.write(id, Mutation::UpdateCredentials, &redeployed(&made), &|| Ok(Seen::NotDone)).map(drop)
                    }
                }
            }
        }
    }

    /// The inputs of an update: all of them, since an update may replace them; those that go are emptied, since it may
    /// merge them. Where it was seen to merge them, secrets that stay and that nobody supplies are left out.
    fn changed_inputs(&self, action: &Action, spec: &ConnectionSpec) -> Result<Value, LocationError> {
        let id = &action.change.object;
        let of_input = |change: &&FieldChange| change.field.kind == FieldKind::Input;
        let is_set = |name: &str| {
            let mut set = action.fields.iter().filter(of_input).filter(|change| change.op == Op::Set);
            set.any(|change| change.field.name == name)
        };
        let may_be_left_out = |name: &String, input: &Input| match input {
            Input::SecretRef(reference) => {
                let live = &self.last.inventory;
                live.can.merges_inputs && !is_set(name) && !live.supply.has(reference)
            }
            _ => false,
        };
        let sent: BTreeMap<String, Input> = spec
            .inputs
            .iter()
            .filter(|(name, input)| !may_be_left_out(name, input))
            .map(|(name, input)| (name.clone(), input.clone()))
            .collect();
        Ok(without_removed(self.inputs(id, &sent, spec.credentials)?, action, FieldKind::Input))
    }

    /// Refuses to send Secrets with a connection, or with a set of its credentials, if their owners do not allow it.
    fn may_send(
        &self,
        id: &ObjectId,
        spec: &ConnectionSpec,
        inputs: &BTreeMap<String, Input>,
    ) -> Result<(), LocationError> {
        let types = &self.last.inventory;
        let without = BTreeMap::new();
        let refusal = self.secrets.refusal(spec, &without, types).or_else(|| self.secrets.refusal(spec, inputs, types));
        refusal.map_or(Ok(()), |why| Err(LocationError::Refused { object: id.clone(), why }))
    }

    /// The inputs as the platform takes them: all of them, with the content of secrets.
    fn inputs(
        &self,
        id: &ObjectId,
        inputs: &BTreeMap<String, Input>,
        credentials: Credentials,
    ) -> Result<Value, LocationError> {
        let manager = if credentials == Credentials::Customer { "customer" } else { "org" };
        let mut sent = Vec::new();
        for (name, input) in inputs {
            let (value, scope) = match input {
                Input::Value(value) => (value.clone(), "org"),
                Input::PerCustomer(_) => (String::new(), "customer"),
                Input::SecretRef(reference) => {
                    let refused = |why: String| LocationError::Refused { object: id.clone(), why };
                    let content = self.secrets.content(reference).map_err(refused)?;
                    let absent =
                        || refused(format!("inputs.{name}: secret {}/{} is not there", reference.name, reference.key));
                    let content = content.ok_or_else(absent)?;
                    self.at.stack.hide(&content);
                    (content.expose().to_string(), "org")
                }
            };
            let mut expression = json!({"name": name, "type": "value", "value": value});
            if credentials != Credentials::OrganizationGlobal {
                let by = if scope == "customer" { manager } else { "org" };
                expression["meta"] = json!(json!({"managedBy": by, "inputScope": scope}).to_string());
            }
            sent.push(expression);
        }
        Ok(Value::Array(sent))
    }

    /// The platform's id of a connection type.
    fn type_id(&self, id: &ObjectId, spec: &ConnectionSpec) -> Result<String, LocationError> {
        let components = &self.last.organization.answer.components;
        let component = components.iter().find(|component| component.is(&spec.component));
        let types = component.iter().flat_map(|component| &component.connections.items);
        let found = types.filter(|type_| type_.key.as_deref() == Some(&spec.type_)).find_map(|type_| type_.id.clone());
        found.ok_or_else(|| {
            let why = format!("{}/{} is not published in {}", spec.component, spec.type_, self.at.tenant);
            LocationError::Refused { object: id.clone(), why }
        })
    }

    fn delete(
        &self,
        id: &ObjectId,
        mutation: Mutation,
        platform_id: &str,
        look: &dyn Fn() -> Result<Seen, LocationError>,
    ) -> Result<(), LocationError> {
        let input = [("id".to_string(), json!(platform_id))].into_iter().collect();
        self.write(id, mutation, &input, look).map(drop)
    }

    /// The id of an object that was planned with.
    fn id_of(&self, id: &ObjectId) -> Result<String, LocationError> {
        self.ids.get(id).cloned().ok_or_else(|| LocationError::Changed { object: id.clone() })
    }

    fn write_connection(&mut self, action: &Action) -> Result<(), LocationError> {
        let change = &action.change;
        let id = &change.object;
        let spec = |item: &Option<Item>| match item {
            Some(Item::Connection(connection)) => Some(connection.spec.clone()),
            _ => None,
        };
        let (before, after) = (spec(&change.before), spec(&change.after));
        let Some(key) = after.as_ref().or(before.as_ref()).map(|spec| spec.stable_key.clone()) else { return Ok(()) };
        let now = self.connection(id, &key)?;
        self.check(change, now.as_ref())?;
        let is_of_input = |change: &FieldChange| matches!(change.field.kind, FieldKind::Input | FieldKind::TestInput);
        let sends = action.fields.iter().any(is_of_input);
        if let Some(spec) = after.as_ref().filter(|_| sends) {
            self.may_send(id, spec, &spec.test.as_ref().map(|test| test.inputs.clone()).unwrap_or_default())?;
        }
        match after {
            None => {
                let platform_id = self.id_of(id)?;
                self.remove(id, &key, &platform_id)?;
                self.ids.remove(id);
            }
            Some(spec) => {
                let platform_id = match action.action {
                    ActionKind::Create => {
                        let made = self.create_connection(id, &spec)?;
                        // From here on it is there, whatever fails.
                        self.note_made(id, &made);
                        self.only_one(id, &spec.stable_key, &made)?;
                        if spec.embedded_workflows == Some(true) {
                            // The create has no field for it.
                            let input = [("id", json!(made)), ("defaultForComponent", json!(true))];
                            let input = input.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
                            self.write(id, Mutation::UpdateConnection, &input, &|| Ok(Seen::NotDone))?;
                        }
                        made
                    }
                    _ => {
                        let platform_id = self.id_of(id)?;
                        self.update_connection(action, &spec, &platform_id)?;
                        platform_id
                    }
                };
                self.ids.insert(id.clone(), platform_id.clone());
                if action.fields.iter().any(|change| change.field.kind == FieldKind::TestInput) {
                    self.test_credentials(action, &spec, &platform_id)?;
                }
            }
        }
        Ok(())
    }

    /// The platform's id of a connection by its key.
    fn connection_id(&self, object: &ObjectId, key: &str) -> Result<String, LocationError> {
        let known = self.ids.get(&ObjectId::new(Kind::Connection, names::of_stable_key(key))).cloned();
        known.ok_or_else(|| LocationError::Refused {
            object: object.clone(),
            why: format!("{} has no connection {key}", self.at.tenant),
        })
    }

    /// The id of the customer that is meant.
    fn customer_id(&self, object: &ObjectId, customer: &str) -> Result<String, LocationError> {
        let refused = |why: String| LocationError::Refused { object: object.clone(), why };
        let called = self.runtime.block_on(read::customers_called(&self.at.stack, customer));
        let [by_id, by_name] = called
            .map_err(|failure| self.at.failed(format!("customer {customer:?} cannot be looked up: {failure}")))?;
        match (by_id.as_slice(), by_name.as_slice()) {
            ([one], []) | ([], [one]) => Ok(one.clone()),
            ([one], [other]) if one == other => Ok(one.clone()),
            ([], []) => {
                Err(refused(format!("{} has no customer {customer:?}, by external id or name", self.at.tenant)))
            }
            _ => Err(refused(format!("several customers are called {customer:?}: name one by its external id"))),
        }
    }

    fn write_credentials(&mut self, action: &Action) -> Result<(), LocationError> {
        let change = &action.change;
        let id = &change.object;
        let declared = |item: &Option<Item>| match item {
            Some(Item::CustomerCredentials(credentials)) => Some(Arc::clone(credentials)),
            _ => None,
        };
        let (before, after) = (declared(&change.before), declared(&change.after));
        let Some(meant) = after.as_ref().or(before.as_ref()).map(|meant| meant.spec.clone()) else { return Ok(()) };
        let connection = self.connection_id(id, &meant.connection)?;
        let (now, item) = self.credentials(id, &meant, &connection)?;
        self.check(change, item.as_ref())?;
        if after.is_some() {
            // This run may have made it.
            let of_key = ObjectId::new(Kind::Connection, names::of_stable_key(&meant.connection));
            match self.connection(&of_key, &meant.connection)? {
                Some(Item::Connection(connection)) => self.may_send(id, &connection.spec, &meant.inputs)?,
                _ => {
                    let why = format!("{} has no connection {}", self.at.tenant, meant.connection);
                    return Err(LocationError::Refused { object: id.clone(), why });
                }
            }
        }
        let seen = || Ok::<_, LocationError>(self.credentials(id, &meant, &connection)?.0);
        let look = || Ok(seen()?.map_or(Seen::NotDone, Seen::Done));
        let made = match (after, now) {
            (None, None) => None,
            (None, Some(set)) => {
                let gone = || Ok(if seen()?.is_none() { Seen::Done(set.clone()) } else { Seen::NotDone });
                self.delete(id, Mutation::DeleteCredentials, &set, &gone)?;
                None
            }
            (Some(_), Some(set)) => {
                let inputs = self.inputs(id, &meant.inputs, Credentials::OrganizationGlobal)?;
                let inputs = without_removed(inputs, action, FieldKind::Input);
                let input = [("id", json!(set)), ("inputs", inputs), ("redeploy", json!(true))];
                let input = input.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
                // What an update sends can be sent twice, unless somebody else changed it meanwhile.
                let look = || {
                    let now = self.credentials(id, &meant, &connection)?.1;
                    let is = |item: &Option<Item>| Item::same(now.as_ref(), item.as_ref());
                    Ok(if is(&change.before) || is(&change.after) { Seen::NotDone } else { Seen::Other })
                };
                Some(self.write(id, Mutation::UpdateCredentials, &input, &look)?)
            }
            (Some(_), None) => {
                let customer = self.customer_id(id, &meant.customer)?;
                let inputs = self.inputs(id, &meant.inputs, Credentials::OrganizationGlobal)?;
                let mut input: Map<String, Value> = Map::new();
                input.insert("customer".into(), json!(customer));
                input.insert("scopedConfigVariable".into(), json!(connection));
                input.insert("inputs".into(), inputs);
                if let Some(name) = &meant.name {
                    input.insert("key".into(), json!(name));
                }
                Some(self.write(id, Mutation::CreateCredentials, &input, &look)?)
            }
        };
        self.ids.extend(made.map(|made| (id.clone(), made)));
        Ok(())
    }

    /// A set of credentials as it is now: the platform's id, and the object with what is recorded of it.
    fn credentials(
        &self,
        id: &ObjectId,
        meant: &CustomerCredentialsSpec,
        connection: &str,
    ) -> Result<(Option<String>, Option<Item>), LocationError> {
        let failed = |failure: ListFailure| self.at.failed(format!("{id} cannot be looked up: {failure}"));
        let sets = self.runtime.block_on(read::credentials_of(&self.at.stack, connection)).map_err(failed)?;
        let refused = |why| LocationError::Refused { object: id.clone(), why };
        let set = live::matching(meant, &sets).map_err(refused)?.and_then(|set| set.id.clone());
        let connections = self.connections(&meant.connection)?;
        let components = self.components_of(&connections);
        let organization = Organization {
            answer: Answer { connections, components, ..Answer::default() },
            credentials: [(meant.connection.clone(), Ok(sets))].into(),
            ..Organization::default()
        };
        let expected = Expected::of_credentials(Object::new(&id.name, meant.clone()));
        let of_connection = ObjectId::new(Kind::Connection, names::of_stable_key(&meant.connection));
        let record = self.record.only(&[id, &of_connection]);
        let there = live::inventory(&self.at.tenant, &organization, &record, &expected);
        match there.invalid.get(id) {
            Some(why) => Err(refused(why.clone())),
            None => Ok((set, there.get(id))),
        }
    }

    fn write_integration(&mut self, action: &Action, bytes: Option<&[u8]>) -> Result<(), LocationError> {
        let change = &action.change;
        let id = &change.object;
        let refused = |why: String| LocationError::Refused { object: id.clone(), why };
        let Some(Item::Integration(integration, uses)) = &change.after else {
            let platform_id = self.id_of(id)?;
            self.is_as_planned(id, change.before.as_ref())?;
            let title = change.before.as_ref().and_then(|before| match before {
                Item::Integration(integration, _) => integration.spec.title.clone(),
                _ => None,
            });
            let title = title.unwrap_or_else(|| id.name.clone());
            let gone = || {
                let is_there = self.titled(&title)?.iter().any(|found| found.id.as_deref() == Some(&platform_id));
                Ok(if is_there { Seen::NotDone } else { Seen::Done(platform_id.clone()) })
            };
            self.delete(id, Mutation::DeleteIntegration, &platform_id, &gone)?;
            self.ids.remove(id);
            return Ok(());
        };
        let kept;
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => {
                kept = self
                    .at
                    .kept_definition(&id.name)
                    .ok_or_else(|| refused("its definition was not read".to_string()))?;
                kept.as_slice()
            }
        };
        let bindings: Vec<(&str, &str)> =
            integration.spec.connections.iter().filter_map(|v| Some((v.name.as_str(), v.stable_key()?))).collect();
        let from = change.definition.as_ref().map(|from| from.tenant.as_str());
        let sent = Outgoing {
            bindings: &bindings,
            title: integration.spec.title.as_deref(),
            is_latest: from.is_some_and(|from| !self.at.platform.are_on_one_stack(from, &self.at.tenant)),
        };
        let text = definition::outgoing(bytes, &sent).map_err(|error| refused(error.to_string()))?;
        let digest = Digest::of(text.as_bytes()).to_string();
        // It is read without secrets, which a definition in a cluster may have.
        let emptied = definition::empty_secrets(text.as_bytes());
        let sent_uses = emptied.and_then(|(emptied, _)| definition::uses(&emptied)).ok();
        let whole = match &change.before {
            Some(before) => {
                let there = self.is_as_planned(id, Some(before))?;
                self.with_secrets_of(id, &there, &text)?
            }
            None => text.clone(),
        };
        let sent_definition =
            uses.as_deref().zip(sent_uses.as_ref()).map(|(declared, sent)| SentDefinition::of(declared, sent));
        if sent_definition.as_ref().is_some_and(|sent| sent.declared != sent.sent)
            && let Some(wanted) = self.run.wants.get_mut(&id.to_string())
        {
            // What is sent is not as it is declared: if this run ends here, the next one has to know it.
            wanted.definition.clone_from(&sent_definition);
            self.said = None;
            self.announce()?;
        }
        let mut input: Map<String, Value> = [("definition".to_string(), json!(whole))].into_iter().collect();
        let platform_id = match &change.before {
            // What an import replaces can be sent twice, unless somebody else changed it meanwhile.
            Some(before) => {
                let platform_id = self.id_of(id)?;
                input.insert("integrationId".into(), json!(platform_id));
                let look = || {
                    let now = self.definition_now(id)?.1;
                    let is = |item: &Item| match item {
                        Item::Integration(_, Some(uses)) => now.has_same_value(uses),
                        _ => true,
                    };
                    let is_sent = sent_uses.as_ref().is_some_and(|sent| now.has_same_value(sent));
                    Ok(if is_sent || is(before) { Seen::NotDone } else { Seen::Other })
                };
                self.write(id, Mutation::ImportIntegration, &input, &look)?
            }
            None => {
                let title = integration.spec.title.as_deref().unwrap_or(&id.name);
                if !self.titled(title)?.is_empty() {
                    // Somebody made one of this title since it was planned.
                    return Err(LocationError::Changed { object: id.clone() });
                }
                let look = || {
                    Ok(match self.titled(title)?.as_slice() {
                        [] => Seen::NotDone,
                        [one] => one.id.clone().map_or(Seen::Other, Seen::Done),
                        _ => Seen::Other,
                    })
                };
                let made = self.write(id, Mutation::ImportIntegration, &input, &look)?;
                self.note_made(id, &made);
                made
            }
        };
        self.ids.insert(id.clone(), platform_id.clone());
        let version = self.last.inventory.integration_facts.get(&id.name).and_then(|facts| facts.version);
        let before = version.unwrap_or_default();
        let entry = self.record.object_mut(id);
        entry.definition = sent_definition;
        entry.pending = Some(before);
        self.is_changed = true;
        if self.at.spec.publish == Some(true) { self.publish(id, &platform_id, &digest, before) } else { Ok(()) }
    }

    /// The definition that is there now: as it is, and what it is when it is compared.
    fn definition_now(&self, id: &ObjectId) -> Result<(Secret, Uses), LocationError> {
        let failed =
            |why: &dyn std::fmt::Display| self.at.failed(format!("{id}: its definition cannot be read: {why}"));
        let platform_id = self.id_of(id)?;
        let there = self.runtime.block_on(definitions::whole(&self.at.stack, &platform_id));
        let there = there.map_err(|failure| failed(&failure))?;
        let (without, _) = definition::empty_secrets(there.expose().as_bytes()).map_err(|error| failed(&error))?;
        let mut now = definition::uses(&without).map_err(|error| failed(&error))?;
        if let Some(sent) = self.record.object(id).and_then(|recorded| recorded.definition.as_ref()) {
            sent.restore(&mut now);
        }
        Ok((there, now))
    }

    /// Refuses to write over a definition that differs from the plan. Returns what is there.
    fn is_as_planned(&self, id: &ObjectId, before: Option<&Item>) -> Result<Secret, LocationError> {
        let (there, now) = self.definition_now(id)?;
        match before {
            Some(Item::Integration(_, Some(planned))) if !now.has_same_value(planned) => {
                Err(LocationError::Changed { object: id.clone() })
            }
            _ => Ok(there),
        }
    }

    /// A definition with the secrets that only the platform has, where they can stay.
    fn with_secrets_of(&self, id: &ObjectId, there: &Secret, text: &str) -> Result<String, LocationError> {
        let kept = definition::keep_secrets(text, there.expose().as_bytes());
        let (whole, kept) =
            kept.map_err(|error| self.at.failed(format!("{id}: its definition cannot be read: {error}")))?;
        kept.iter().for_each(|secret| self.at.stack.hide(secret));
        Ok(whole)
    }

    /// The integrations of this title, of no single customer.
    fn titled(&self, title: &str) -> Result<Vec<IntegrationAnswer>, LocationError> {
        let found = self.runtime.block_on(read::integrations_of(&self.at.stack, title));
        let found =
            found.map_err(|failure| self.at.failed(format!("integration {title} cannot be looked up: {failure}")))?;
        Ok(found.into_iter().filter(|found| found.customer.is_none()).collect())
    }

    /// Notes that an object is there from now on, whatever fails afterwards.
    fn note_made(&mut self, id: &ObjectId, platform_id: &str) {
        self.ids.insert(id.clone(), platform_id.to_string());
        let entry = self.record.object_mut(id);
        entry.id = Some(platform_id.to_string());
        entry.made = Some(Timestamp::now().to_string());
        self.is_changed = true;
    }

    /// Publishes what was imported; its comment has the digest of the definition, by which it is found again.
    /// An older version may have the same, so only those after `before` count.
    fn publish(&self, id: &ObjectId, platform_id: &str, digest: &str, before: u64) -> Result<(), LocationError> {
        let comment = format!("stablekey {digest}");
        let input =
            [("id".to_string(), json!(platform_id)), ("comment".to_string(), json!(comment))].into_iter().collect();
        let look = || {
            let comments = self.runtime.block_on(read::version_comments(&self.at.stack, platform_id, before));
            let comments =
                comments.map_err(|failure| self.at.failed(format!("{id}: its versions cannot be read: {failure}")))?;
            Ok(if comments.contains(&comment) { Seen::Done(platform_id.to_string()) } else { Seen::NotDone })
        };
        self.write(id, Mutation::PublishIntegration, &input, &look).map(drop)
    }

    /// Records what was written, in memory: the record is stored when the run settles.
    fn remember(&mut self, action: &Action) {
        let change = &action.change;
        let id = &change.object;
        let Some(after) = &change.after else {
            self.record.objects.remove(&id.to_string());
            return;
        };
        let platform_id = self.ids.get(id).cloned();
        let entry = self.record.object_mut(id);
        entry.id = platform_id.or(entry.id.take());
        if action.action == ActionKind::Create {
            entry.made = Some(Timestamp::now().to_string());
        }
        entry.wrote = change.record.as_ref().map(|record| record.encode());
        entry.sent_with(after);
        entry.secret_versions = self.secrets.versions(after);
    }

    fn store(&mut self, message: &str) -> Result<(), LocationError> {
        self.record.run = None;
        let receipt = std::mem::take(&mut self.done).receipt(&self.run.who, Timestamp::now());
        receipt.into_iter().for_each(|receipt| self.record.add_receipt(receipt));
        let written = self.at.records.write(&self.record, self.version.as_deref(), message);
        self.version = Some(written.map_err(|error| self.at.of_record(&error))?);
        (self.said, self.is_changed) = (None, false);
        Ok(())
    }
}

/// The inputs of an update, with those emptied that go: an update may replace all inputs, or merge them.
fn without_removed(mut inputs: Value, action: &Action, kind: FieldKind) -> Value {
    let removed = action.fields.iter().filter(|change| change.field.kind == kind && change.op == Op::Remove);
    if let Value::Array(inputs) = &mut inputs {
        inputs.extend(removed.map(|change| json!({"name": change.field.name, "type": "value", "value": ""})));
    }
    inputs
}

/// What a look shows after an answer was lost.
enum Seen {
    /// It was done, to the object with this id.
    Done(String),
    NotDone,
    /// Neither: somebody else changed it.
    Other,
}

impl Session for OrganizationSession<'_> {
    fn apply(&mut self, action: &Action, definition: Option<&[u8]>) -> Result<(), LocationError> {
        if action.action == ActionKind::Create {
            self.is_not_unseen(&action.change.object)?;
        }
        if action.action != ActionKind::Adopt {
            self.announce()?;
            self.has_written.set(false);
            let id = &action.change.object;
            let result = match id.kind {
                Kind::Connection => self.write_connection(action),
                Kind::CustomerCredentials => self.write_credentials(action),
                Kind::Integration => self.write_integration(action, definition),
                kind => {
                    let why = format!("this version of stablekey does not write a {kind} to the platform");
                    return Err(LocationError::Refused { object: id.clone(), why });
                }
            };
            if let Err(error) = result {
                self.done.failed += 1;
                // A part of it may be done: what is there as it was wanted counts as recorded.
                if let Some(wanted) = self.run.wants.get(&id.to_string()).filter(|_| self.has_written.get()) {
                    self.record.unsure.insert(id.to_string(), wanted.clone());
                    self.is_changed = true;
                }
                return Err(error);
            }
        }
        self.remember(action);
        self.done.digests.push(action.digest.to_string());
        action.action.count_in(&mut self.done.counts);
        self.is_changed = true;
        Ok(())
    }

    fn read_one(&mut self, id: &ObjectId) -> Result<Option<Item>, LocationError> {
        // After each lost answer it was read already.
        Err(self.at.failed(format!("{id} was read again, and its state is not known")))
    }

    fn settle(&mut self) -> Result<(), LocationError> {
        self.end(&format!("stablekey wrote to {}", self.at.tenant))
    }

    fn calls(&self) -> Option<Calls> {
        let (reads, writes) = self.at.stack.calls();
        Some(Calls { reads: reads.saturating_sub(self.calls.0), writes: writes.saturating_sub(self.calls.1) })
    }
}

impl Drop for OrganizationSession<'_> {
    fn drop(&mut self) {
        if self.said.is_some() {
            // The next run need not wait.
            let _ = self.store("stablekey wrote nothing more");
        }
    }
}
