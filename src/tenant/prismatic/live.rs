//! Converts what the platform returned to the resources of a tenant. What could not be read is unknown there, never
//! absent.

use super::organization::{Organization, Wanted, is_of_doctor};
use super::record::{RecordedObject, RecordedSet, TenantRecord};
use crate::api::{self, *};
use crate::engine::model::field::FieldKind;
use crate::engine::model::inventory::{
    Capabilities, ConnectionFacts, Foreign, IntegrationFacts, Inventory, Publishing, ReadOnly, Ready, RecordIn, Status,
};
use crate::engine::model::item::{Item, ObjectId};
use crate::platform::answer::document::{CustomerName, ReusableConnection};
use crate::platform::answer::organization::{IntegrationAnswer, SetAnswer};
use crate::platform::answer::plan::{components, connection, inputs_of_set, is};
use crate::platform::definition::{self, ParsedDefinition, VariableShape};
use crate::platform::import::{self, UnfitKey, title};
use crate::text;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a tenant on the platform can do.
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    watches: false,
    knows_field_owners: false,
    shows_secrets: false,
    resolves_older_keys: false,
    knows_readiness: true,
    // What the platform knows of an integration is whether it is a draft.
    reports_ready_integrations: false,
    writes_components: false,
    holds_missing_bindings: false,
    takes_code: false,
    publishing: Publishing::ByPerson,
    has_no_empty_inputs: true,
    titles_are_names: true,
    has_labels: false,
    sends_secrets: true,
    merges_inputs: false,
    writes_embedded: false,
    may_sign_out: true,
    has_other_writers: false,
    record: RecordIn::Apart,
};

/// What the project names, so that it is looked for under the same names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// The names of integrations in all tenants, by title.
    names: BTreeMap<String, BTreeSet<String>>,
    /// Those in the tenant's own source.
    own_names: BTreeMap<String, BTreeSet<String>>,
    /// The stable keys that connections and variables name.
    keys: BTreeSet<String>,
    /// The secrets that the tenant's own source names.
    secrets: Vec<SecretRef>,
    /// The credentials of customers that the tenant's own source declares.
    credentials: Vec<Arc<Object<CustomerCredentialsSpec>>>,
}

impl Expected {
    /// Adds the names that a tenant's source or location uses.
    pub fn learn(&mut self, inventory: &Inventory) {
        for integration in inventory.integrations.values() {
            let name = integration.name().to_string();
            self.names.entry(title_of(integration)).or_default().insert(name);
            self.keys.extend(integration.spec.connections.iter().filter_map(Variable::stable_key).map(str::to_string));
        }
        self.keys.extend(inventory.connections.values().map(|connection| connection.spec.stable_key.clone()));
    }

    /// Adds what only the tenant's own source tells: its names of integrations, before those of others, and its
    /// credentials of customers.
    pub fn declare(&mut self, source: &Inventory) {
        for integration in source.integrations.values() {
            self.own_names.entry(title_of(integration)).or_default().insert(integration.name().to_string());
        }
        for connection in source.connections.values() {
            let tests = connection.spec.test.iter().flat_map(|test| test.inputs.values());
            self.secrets.extend(connection.spec.inputs.values().chain(tests).filter_map(|input| match input {
                Input::SecretRef(reference) => Some(reference.clone()),
                _ => None,
            }));
        }
        self.credentials.extend(source.customer_credentials.values().cloned());
    }

    /// Only these credentials of a customer.
    pub(super) fn of_credentials(credentials: Object<CustomerCredentialsSpec>) -> Self {
        Expected { credentials: vec![Arc::new(credentials)], ..Expected::default() }
    }

    /// The secrets that the project declares for what is there, each once.
    pub(super) fn references(&self, live: &Inventory) -> Vec<SecretRef> {
        let of_inputs = |inputs: &BTreeMap<String, Input>| -> Vec<SecretRef> {
            let reference = |input: &Input| match input {
                Input::SecretRef(reference) if !reference.is_unknown() => Some(reference.clone()),
                _ => None,
            };
            inputs.values().filter_map(reference).collect()
        };
        let mut all: Vec<SecretRef> = self.secrets.to_vec();
        all.extend(live.connections.values().flat_map(|connection| of_inputs(&connection.spec.inputs)));
        all.sort_by(|a, b| (&a.name, &a.key).cmp(&(&b.name, &b.key)));
        all.dedup_by(|a, b| (&a.name, &a.key) == (&b.name, &b.key));
        all
    }

    /// What is to be looked up.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            keys: self.keys.clone(),
            titles: self.names.keys().cloned().collect(),
            imported: BTreeMap::new(),
            credentials_of: self.credentials.iter().map(|credentials| credentials.spec.connection.clone()).collect(),
        }
    }
}

/// The resources of a tenant, with what is recorded of them.
pub(super) fn inventory(
    tenant: &str,
    organization: &Organization,
    record: &TenantRecord,
    expected: &Expected,
) -> Inventory {
    let mut live = Live { tenant, organization, record, expected, inventory: Inventory::default() };
    let knows_readiness = !organization.without.contains("status");
    let writes_embedded = record.doctor.as_ref().is_some_and(|doctor| doctor.embedded.is_some());
    live.inventory.can = Capabilities { knows_readiness, writes_embedded, ..CAPABILITIES };
    for (what, failure) in &organization.unread {
        live.inventory.unparsed.insert(format!("the list of {what} of {tenant} ({failure})"));
    }
    for component in components(&organization.answer, &mut Vec::new()) {
        live.inventory.insert(Item::Component(Arc::new(component)));
    }
    for component in organization.answer.components.iter().filter(|component| !component.is_whole()) {
        let key = text::line(component.key.as_deref().unwrap_or_default());
        live.inventory.unparsed.insert(format!("a part of component {key} of {tenant} (null)"));
    }
    live.connections();
    live.credentials();
    live.integrations();
    live.workflows();
    record.add_to(&mut live.inventory);
    if !writes_embedded {
        for record in live.inventory.records.values_mut() {
            Arc::make_mut(record).fields.retain(|field, _| field.kind != FieldKind::EmbeddedWorkflows);
        }
    }
    live.inventory
}

struct Live<'a> {
    tenant: &'a str,
    organization: &'a Organization,
    record: &'a TenantRecord,
    expected: &'a Expected,
    inventory: Inventory,
}

impl Live<'_> {
    /// Adds the connections. Two of one key, or of one name, are unusable, both.
    fn connections(&mut self) {
        let mut by_name: BTreeMap<String, Vec<&ReusableConnection>> = BTreeMap::new();
        // One person's credentials have the key of the connection that they are below.
        let all = self.organization.answer.connections.iter();
        for found in all.filter(|found| !found.is_leaf() && !is_of_doctor(found)) {
            if found.stable_key.is_none() && found.is_of_tenant() {
                self.unnamed("connection");
                continue;
            }
            let key = found.stable_key.as_deref().unwrap_or_default();
            match foreign(found, key) {
                Some(foreign) => drop(self.inventory.foreign.insert(key.to_string(), foreign)),
                None => by_name.entry(names::of_stable_key(key)).or_default().push(found),
            }
        }
        for (name, found) in by_name {
            let id = ObjectId::new(Kind::Connection, &name);
            match found.as_slice() {
                [one] => self.connection(&name, one),
                several => drop(self.inventory.invalid.insert(id, doubled(several))),
            }
        }
    }

    /// Adds that something came without its name: it could be anything.
    fn unnamed(&mut self, what: &str) {
        self.inventory.unparsed.insert(format!("the name of a {what} of {} (null)", self.tenant));
    }

    fn connection(&mut self, name: &str, found: &ReusableConnection) {
        let id = ObjectId::new(Kind::Connection, name);
        if self.organization.unread.contains_key("components") {
            // Which of its inputs are secrets is unknown, so none can be compared.
            return drop(self.inventory.invalid.insert(id, unusable(&UnfitKey::UnreadComponent)));
        }
        let mut spec = match connection(&self.organization.answer, found, &mut Vec::new()) {
            Ok(spec) => spec,
            Err(why) => return drop(self.inventory.invalid.insert(id, unusable(&why))),
        };
        match self.record.object_or_wanted(&id) {
            Some(recorded) => recorded.complete(&mut spec),
            None => RecordedObject::default().complete(&mut spec),
        }
        // Credentials of customers are theirs: the connection itself is ready with its definition. So is one that nobody
        // signs in to, and that therefore has no status.
        let signs_in = self.inventory.connection_type(&spec).is_none_or(|type_| type_.oauth2.is_some());
        let status = match found.status.as_deref() {
            _ if spec.credentials != Credentials::OrganizationGlobal => None,
            None => (signs_in && self.inventory.can.knows_readiness).then(|| Status::parse("")),
            Some(text) => Some(Status::parse(text)),
        };
        let ready = if matches!(status, None | Some(Status::Active)) { Ready::Yes } else { Ready::No };
        self.inventory.readiness.insert(name.to_string(), ready);
        let sets =
            self.organization.sets.iter().filter(|set| {
                set.scoped_config_variable.as_ref().and_then(|of| of.id.as_deref()) == found.id.as_deref()
            });
        let mut statuses: BTreeMap<Status, usize> = BTreeMap::new();
        for set in sets {
            *statuses.entry(Status::parse(set.status.as_deref().unwrap_or_default())).or_default() += 1;
        }
        let facts = ConnectionFacts {
            status,
            sign_in: found
                .authorize_url
                .as_deref()
                .filter(|url| url.starts_with("https://") || url.starts_with("http://"))
                .map(|url| text::line(url).into_owned()),
            last_success: found.last_successful_refresh_at.as_deref().map(|at| text::line(at).into_owned()),
            customers: count(found.customers.total),
            instances: count(found.instances.total),
            integrations: count(found.integrations.total),
            embedded: found.default_for_component,
            is_locked: found.allow_update == Some(false),
            is_kept: found.allow_remove == Some(false),
            sets: count(found.customer_config_variables.total),
            statuses,
        };
        self.inventory.facts.insert(name.to_string(), Arc::new(facts));
        if !self.inventory.can.writes_embedded {
            spec.embedded_workflows = None;
        }
        self.inventory.insert(Item::Connection(Arc::new(Object::new(name, spec))));
    }

    /// Adds the credentials of customers that the source declares, if the platform has them.
    fn credentials(&mut self) {
        let recorded = self
            .record
            .sets()
            .filter(|(name, _)| !self.expected.credentials.iter().any(|declared| declared.name() == name));
        let recorded: Vec<Object<CustomerCredentialsSpec>> =
            recorded.map(|(name, spec)| Object::new(&name, spec)).collect();
        // One set of the platform is one object: a recorded one under another name is that which is declared now.
        let mut by_set: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for declared in &self.expected.credentials {
            if let Some(set) = self.found(&declared.spec).ok().flatten().and_then(|set| set.id.clone()) {
                by_set.entry(set).or_default().push(declared.name().to_string());
            }
        }
        for declared in self.expected.credentials.iter().map(AsRef::as_ref).chain(&recorded) {
            let id = ObjectId::new(Kind::CustomerCredentials, declared.name());
            let set = self.found(&declared.spec).ok().flatten().and_then(|set| set.id.clone());
            let names: Vec<String> = set.and_then(|set| by_set.get(&set).cloned()).unwrap_or_default();
            let is_declared = names.iter().any(|name| name == declared.name());
            if !names.is_empty() && !is_declared {
                continue;
            }
            if names.len() > 1 {
                let why = format!("{} are one set of the platform: keep one of them", names.join(" and "));
                self.inventory.invalid.insert(id, why);
                continue;
            }
            match self.set(declared) {
                Ok(Some(live)) => self.inventory.insert(Item::CustomerCredentials(Arc::new(live))),
                Ok(None) => {}
                Err(why) => drop(self.inventory.invalid.insert(id, why)),
            }
        }
    }

    /// The set of the platform that is meant, as far as the sets of its connection were read.
    fn found(&self, spec: &CustomerCredentialsSpec) -> Result<Option<&SetAnswer>, String> {
        match self.organization.credentials.get(&spec.connection) {
            Some(Ok(sets)) => matching(spec, sets),
            _ => Ok(None),
        }
    }

    /// The set of credentials that a declared one is. A customer is found by the external id, else by the exact name.
    fn set(
        &self,
        declared: &Object<CustomerCredentialsSpec>,
    ) -> Result<Option<Object<CustomerCredentialsSpec>>, String> {
        let connection = &declared.spec.connection;
        if let Some(why) =
            self.inventory.invalid.get(&ObjectId::new(Kind::Connection, names::of_stable_key(connection)))
        {
            return Err(format!("its connection {connection} is unknown: {why}"));
        }
        let Some(sets) = self.organization.credentials.get(connection) else { return Ok(None) };
        let sets =
            sets.as_ref().map_err(|failure| format!("the credentials for {connection} cannot be read: {failure}"))?;
        let (Some(spec), Some(found)) = (
            self.inventory.connection(connection).map(|connection| &connection.spec),
            self.organization
                .answer
                .connections
                .iter()
                .find(|found| found.is_of_tenant() && found.stable_key.as_deref() == Some(connection.as_str())),
        ) else {
            return Ok(None);
        };
        let found_set = matching(&declared.spec, sets)?;
        let id = ObjectId::new(Kind::CustomerCredentials, declared.name());
        if let Some(RecordedSet { customer, connection, name }) = self.record.object(&id).and_then(|o| o.set.clone()) {
            let before = CustomerCredentialsSpec { customer, connection, name, ..declared.spec.clone() };
            let id_of = |set: Option<&SetAnswer>| set.and_then(|set| set.id.clone());
            let old = self.found(&before).ok().flatten();
            if old.is_some() && id_of(old) != id_of(found_set) {
                return Err(format!(
                    "it was that of customer {:?} for {}, and these never change: give the new credentials another name",
                    before.customer, before.connection
                ));
            }
        }
        let Some(set) = found_set else { return Ok(None) };
        if !set.inputs.is_whole() {
            return Err("its inputs came back as null: the platform could not read them".to_string());
        }
        let mut inputs = inputs_of_set(&self.organization.answer, found, spec, &set.inputs.items, declared.name());
        let none = RecordedObject::default();
        self.record.object_or_wanted(&id).unwrap_or(&none).complete_inputs(&mut inputs, declared.name());
        let origin = match spec.credentials {
            Credentials::Customer => Some(Origin::Customer),
            _ => declared.spec.origin,
        };
        let spec = CustomerCredentialsSpec { origin, inputs, ..declared.spec.clone() };
        Ok(Some(Object::new(declared.name(), spec)))
    }

    /// Adds the integrations that belong to no single customer, each under the name that is recorded for its id, or that
    /// the project uses for its title.
    fn integrations(&mut self) {
        let own = || self.organization.integrations.iter().filter(|found| found.customer.is_none());
        let mut by_name: BTreeMap<String, Vec<&IntegrationAnswer>> = BTreeMap::new();
        if own().any(|found| found.name.is_none()) {
            self.unnamed("integration");
        }
        let names = names_of(self.organization, self.record, self.expected);
        for found in own().filter(|found| found.name.is_some()) {
            let name = found.id.as_ref().and_then(|id| names.get(id));
            by_name.entry(name.cloned().unwrap_or_default()).or_default().push(found);
        }
        for (name, found) in by_name {
            let id = ObjectId::new(Kind::Integration, &name);
            let result = match found.as_slice() {
                [one] => self.integration(&name, one),
                several => Err(same_name(several[0].name.as_deref().unwrap_or_default(), several)),
            };
            if let Err(why) = result {
                self.inventory.invalid.insert(id, why);
            }
        }
    }

    fn integration(&mut self, name: &str, found: &IntegrationAnswer) -> Result<(), String> {
        let id = found.id.as_deref().unwrap_or_default();
        let unread = || "its definition was not read".to_string();
        let found_there = self.organization.definitions.get(id).ok_or_else(unread)?.as_ref().map_err(Clone::clone)?;
        let parsed =
            definition::read(&found_there.bytes).map_err(|error| format!("its definition cannot be read: {error}"))?;
        let spec = IntegrationSpec {
            title: Some(title(&parsed.name)),
            connections: variables(&parsed),
            definition: Some(api::Definition::File(format!("{name}.definition"))),
        };
        let recorded = self.record.object(&ObjectId::new(Kind::Integration, name));
        let facts = IntegrationFacts {
            instances: count(found.instances.total),
            version: found.version_number.filter(|version| *version > 0),
            imported_after: recorded.and_then(|recorded| recorded.pending),
            behind: self.organization.behind.get(id).copied(),
        };
        if found.is_code_native == Some(true) {
            self.inventory.read_only.insert(ObjectId::new(Kind::Integration, name), ReadOnly::CodeNative);
        }
        self.inventory.integration_facts.insert(name.to_string(), Arc::new(facts));
        let mut uses = parsed.uses;
        uses.left_empty.clone_from(&found_there.emptied);
        for sent in self.record.definitions_of(&ObjectId::new(Kind::Integration, name)) {
            sent.restore(&mut uses);
        }
        let uses = Arc::new(uses);
        self.inventory.insert(Item::Integration(Arc::new(Object::new(name, spec)), Some(uses)));
        Ok(())
    }

    /// Adds the workflows that name a connection: by its stable key, its id, or the id of a set of credentials.
    fn workflows(&mut self) {
        // The stable key of a connection by what workflows name it with; `None` where it has none.
        let mut keys: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for found in &self.organization.answer.connections {
            let key = found.stable_key.as_deref();
            keys.extend(found.id.as_deref().map(|id| (id, key)));
            let of_it = |set: &&SetAnswer| set.scoped_config_variable.as_ref().is_some_and(|of| of.id == found.id);
            let sets = self.organization.sets.iter().filter(of_it).filter_map(|set| set.id.as_deref());
            keys.extend(sets.map(|set| (set, key)));
        }
        let stable_keys = self.organization.answer.connections.iter().filter_map(|found| found.stable_key.as_deref());
        keys.extend(stable_keys.map(|key| (key, Some(key))));
        for (at, workflow) in self.organization.workflows.iter().enumerate() {
            let called = workflow
                .name
                .as_deref()
                .filter(|name| !name.is_empty())
                .map_or_else(|| format!("workflow {}", at + 1), title);
            let named = workflow.definition.as_deref().map(definition::workflow_connections);
            match named {
                Some(Ok(named)) => {
                    let known = || named.names.iter().map(|name| keys.get(name.as_str()));
                    if named.has_others || known().any(|key| key.is_none()) {
                        // It may use any connection.
                        self.inventory.unread_workflows.insert(called.clone());
                    }
                    let used = known().filter_map(|key| key.copied().flatten()).map(str::to_string);
                    self.inventory.workflows.entry(called).or_default().extend(used);
                }
                Some(Err(_)) | None => drop(self.inventory.unread_workflows.insert(called)),
            }
        }
        if let Some(failure) = self.organization.unread_facts.get("workflows") {
            self.inventory.unread_workflows.insert(format!("the list of workflows ({failure})"));
        }
        if self.organization.without.contains("workflows") {
            self.inventory.unread_workflows.insert("the workflows of this stack, which it does not list".to_string());
        }
    }
}

/// The set of credentials that is meant. A customer is found by the external id, else by the exact name.
pub(super) fn matching<'s>(
    spec: &CustomerCredentialsSpec,
    sets: &'s [SetAnswer],
) -> Result<Option<&'s SetAnswer>, String> {
    let CustomerCredentialsSpec { customer, name, .. } = spec;
    let is_set = |set: &&SetAnswer| set.key.as_deref().filter(|key| !key.is_empty()) == name.as_deref();
    let by = |is: &dyn Fn(&CustomerName) -> bool| -> Vec<&SetAnswer> {
        sets.iter().filter(is_set).filter(|set| set.customer.as_ref().is_some_and(is)).collect()
    };
    let by_id = by(&|found| found.external_id.as_deref() == Some(customer));
    let by_name = by(&|found| found.name.as_deref() == Some(customer));
    let hits = if by_id.is_empty() { &by_name } else { &by_id };
    let is_other = by_name.iter().any(|set| hits.iter().all(|hit| hit.customer != set.customer));
    let same_customer = |set: &&SetAnswer| hits.first().is_some_and(|first| first.customer == set.customer);
    match hits.as_slice() {
        several if !several.iter().all(same_customer) => {
            Err("several customers have this name: name the customer by its external id".to_string())
        }
        _ if is_other => {
            Err("one customer has this external id, and another this name: name the customer by a text that \
                              only one of them has"
                .to_string())
        }
        [] => Ok(None),
        [set] => Ok(Some(set)),
        several => {
            Err(format!("the platform has {} of these for the customer: delete all but one there", several.len()))
        }
    }
}

/// The names that the integrations have here, by the platform's id: as recorded for the id, else as the project calls the
/// one of that title. A name that is recorded for another one that is there is not given twice.
pub(super) fn names_of(
    organization: &Organization,
    record: &TenantRecord,
    expected: &Expected,
) -> BTreeMap<String, String> {
    let own = || organization.integrations.iter().filter(|found| found.customer.is_none());
    let mut recorded = record.names(Kind::Integration);
    // A manifest that got another name is still the integration of its title.
    let renamed = renamed(organization, record, expected);
    recorded.retain(|_, name| !renamed.contains(&ObjectId::new(Kind::Integration, name.clone()).to_string()));
    let of_id = |id: &String| Some((id.clone(), recorded.get(id.as_str())?.clone()));
    let mut names: BTreeMap<String, String> = own().filter_map(|found| of_id(found.id.as_ref()?)).collect();
    let taken: BTreeSet<String> = names.values().cloned().collect();
    for found in own() {
        let Some(id) = found.id.as_ref().filter(|id| !names.contains_key(*id)) else { continue };
        let called = title(found.name.as_deref().unwrap_or_default());
        let known = || expected.own_names.get(&called).or_else(|| expected.names.get(&called));
        let known = match known().map(|names| (names.len(), names.first())) {
            Some((1, Some(name))) => Some(name.clone()),
            _ => None,
        };
        let plain = || Some(import::name_of_title(&called));
        let name = [known, plain()].into_iter().flatten().find(|name| !taken.contains(name));
        names.insert(id.clone(), name.unwrap_or_else(|| import::other_name_of_title(&called)));
    }
    names
}

/// The recorded integrations that have another name in the source by now: it has one of their title, and none of theirs.
pub(super) fn renamed(organization: &Organization, record: &TenantRecord, expected: &Expected) -> BTreeSet<String> {
    let names: BTreeSet<&String> = expected.own_names.values().flatten().collect();
    let recorded = record.names(Kind::Integration);
    let renamed = organization.integrations.iter().filter_map(|found| {
        let recorded = recorded.get(found.id.as_deref()?)?;
        let of_title = expected.own_names.get(&title(found.name.as_deref()?))?;
        let is_gone = !names.contains(recorded) && of_title.len() == 1;
        is_gone.then(|| ObjectId::new(Kind::Integration, recorded).to_string())
    });
    renamed.collect()
}

/// Why a connection is not one of the tenant's own, if so.
fn foreign(found: &ReusableConnection, key: &str) -> Option<Foreign> {
    if is(found.managed_by.as_deref(), "system") {
        Some(Foreign::Platform)
    } else if found.customer.is_some() {
        Some(Foreign::OneCustomer)
    } else if !names::is_stable_key(key) {
        Some(Foreign::Key)
    } else {
        None
    }
}

/// What has the same name twice, so that no object can be made of it.
pub(super) fn ambiguous(organization: &Organization) -> Vec<String> {
    let mut connections: BTreeMap<String, Vec<&ReusableConnection>> = BTreeMap::new();
    for found in organization.answer.connections.iter().filter(|found| found.is_of_tenant()) {
        let key = found.stable_key.as_deref().filter(|key| names::is_stable_key(key));
        connections.entry(key.map(names::of_stable_key).unwrap_or_default()).or_default().push(found);
    }
    connections.remove("");
    let mut integrations: BTreeMap<&str, Vec<&IntegrationAnswer>> = BTreeMap::new();
    for found in organization.integrations.iter().filter(|found| found.customer.is_none()) {
        integrations.entry(found.name.as_deref().unwrap_or_default()).or_default().push(found);
    }
    let connections = connections.values().filter(|found| found.len() > 1).map(|found| doubled(found));
    let integrations =
        integrations.iter().filter(|(_, found)| found.len() > 1).map(|(name, found)| same_name(name, found));
    connections.chain(integrations).collect()
}

fn same_name(name: &str, several: &[&IntegrationAnswer]) -> String {
    let ids: Vec<&str> = several.iter().filter_map(|one| one.id.as_deref()).collect();
    format!(
        "the platform has {} integrations that are called {:?} ({}): rename all but one there",
        several.len(),
        title(name),
        text::line(&ids.join(", "))
    )
}

fn title_of(integration: &Object<IntegrationSpec>) -> String {
    integration.spec.title.clone().unwrap_or_else(|| integration.name().to_string())
}

/// The platform's ids of connections and integrations.
pub(super) fn ids(
    organization: &Organization,
    record: &TenantRecord,
    expected: &Expected,
) -> BTreeMap<ObjectId, String> {
    let connections = organization.answer.connections.iter().filter(|found| found.is_of_tenant());
    let connections = connections.filter_map(|found| {
        let name = names::of_stable_key(found.stable_key.as_deref()?);
        Some((ObjectId::new(Kind::Connection, name), found.id.clone()?))
    });
    let integrations = names_of(organization, record, expected).into_iter();
    let integrations = integrations.map(|(id, name)| (ObjectId::new(Kind::Integration, name), id));
    connections.chain(integrations).collect()
}

/// The variables of a definition as an Integration lists them.
fn variables(parsed: &ParsedDefinition) -> Vec<Variable> {
    let of = |variable: &definition::ConnectionVariable| match &variable.shape {
        VariableShape::Reusable { stable_key } if names::is_stable_key(stable_key) => {
            Some(Variable::bound(&variable.name, stable_key))
        }
        VariableShape::Reusable { .. } => None,
        VariableShape::Own { component, type_, .. } => Some(Variable::own(&variable.name, component.clone(), type_)),
    };
    parsed.variables.iter().filter_map(of).collect()
}

fn doubled(several: &[&ReusableConnection]) -> String {
    let listed: Vec<String> = several
        .iter()
        .map(|one| {
            let key = one.stable_key.as_deref().unwrap_or_default();
            format!(
                "{key} ({}, {})",
                one.key.as_deref().map(title).unwrap_or_default(),
                one.id.as_deref().unwrap_or_default()
            )
        })
        .collect();
    let keys: BTreeSet<&str> = several.iter().filter_map(|one| one.stable_key.as_deref()).collect();
    let what =
        if keys.len() == 1 { "with this stable key" } else { "whose stable keys differ only in case or in _ and -" };
    format!(
        "the platform has {} connections {what}: {}; which one integrations find is unknown, and neither is written: \
         delete all but one there",
        several.len(),
        listed.join(", ")
    )
}

fn unusable(why: &UnfitKey) -> String {
    format!("it cannot be used: {why}")
}

/// A word of the platform's, in lower case.
fn count(total: Option<u64>) -> Option<usize> {
    total.and_then(|total| usize::try_from(total).ok())
}
