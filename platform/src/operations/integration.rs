//! Imports, versions and deployments of integrations.

use super::inputs::effective;
use super::{Problem, Refusal};
use crate::definition::{ComponentReference, Definition, VERSION};
use crate::kinds::{ManagedBy, Scope, Status};
use crate::store::{Connection, Instance, Integration, Store, Use, Version, Workflow};
use crate::switches::Switches;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An import of a definition.
#[derive(Clone, Default)]
pub struct Import {
    pub definition: String,
    pub integration: Option<String>,
    pub customer: Option<String>,
    pub replace: bool,
}

/// Imports a definition as the draft of a new integration or of the given one, and returns the integration's id.
pub fn import(store: &mut Store, switches: &Switches, request: Import) -> Result<String, Refusal> {
    let current = match request.integration.as_deref() {
        None => None,
        Some(id) => Some(store.integration(id).ok_or(Refusal::NotFound)?.clone()),
    };
    if request.customer.as_deref().is_some_and(|id| store.customer(id).is_none()) {
        return Err(Refusal::NotFound);
    }
    let definition = validate(&request.definition)?;
    let name = definition.name.clone().unwrap_or_default();
    let opposite = current.as_ref().is_some_and(|current| current.is_code_native != definition.is_code_native);
    if opposite && !request.replace {
        let message = "A low-code integration and a code-native one replace each other with \"replace\" only.";
        return Err(Refusal::of("definition", message));
    }
    let customer = current.as_ref().map_or(request.customer, |current| current.customer.clone());
    let mut problems = missing_components(store, &definition);
    let unknown: Vec<String> =
        definition.connections.iter().filter(|key| store.bound(key, customer.as_deref()).is_none()).cloned().collect();
    if switches.refuses_unknown_keys {
        let message = |key: &String| format!("Scoped config variable with stableKey '{key}' not found");
        problems.extend(unknown.iter().map(|key| Problem { field: "definition".into(), messages: vec![message(key)] }));
    }
    if !problems.is_empty() {
        return Err(Refusal::Invalid(problems));
    }
    unknown.iter().for_each(|key| placeholder(store, &definition, key));
    let now = store.tick();
    let id = match current {
        Some(current) => current.id,
        None => {
            let id = store.id("Integration");
            store.integrations.push(Integration { id: id.clone(), customer, created: now, ..Integration::default() });
            id
        }
    };
    let definition = Arc::new(definition);
    let integration = store.integration_mut(&id).ok_or(Refusal::NotFound)?;
    integration.name = name;
    integration.description = definition.description.clone();
    integration.category = definition.category.clone();
    integration.labels = definition.labels.clone();
    integration.is_code_native = definition.is_code_native;
    integration.draft = definition;
    integration.references_deleted = false;
    integration.updated = now;
    test_instance(store, &id);
    Ok(id)
}

/// Parses a definition and checks its form. It looks at nothing else in the organization.
pub fn validate(text: &str) -> Result<Definition, Refusal> {
    let definition = Definition::parse(text).map_err(|message| Refusal::of("definition", message))?;
    let refused = |message: String| Err(Refusal::of("definition", message));
    match definition.version {
        Some(VERSION) => {}
        Some(other) => return refused(format!("Unsupported definition version {other}")),
        None => return refused("The definition has no definitionVersion".to_string()),
    }
    if definition.name.as_deref().is_none_or(|name| name.trim().is_empty()) {
        return refused("The definition has no name".to_string());
    }
    if definition.flows.is_empty() {
        return refused("The definition has no flows".to_string());
    }
    let mut keys = BTreeSet::new();
    if let Some(twice) = definition.variables.iter().find(|variable| !keys.insert(&variable.key)) {
        return refused(format!("The config variable \"{}\" is defined twice", twice.key));
    }
    Ok(definition)
}

fn missing_components(store: &Store, definition: &Definition) -> Vec<Problem> {
    // A code-native integration is a component of its own, with a random key for each build.
    let own =
        |reference: &ComponentReference| definition.is_code_native && reference.key.len() == 36 && !reference.public;
    let missing = |reference: &&ComponentReference| {
        let versions = || store.components.iter().filter(|c| c.key == reference.key && c.public == reference.public);
        !own(reference) && !versions().any(|c| reference.version.is_none_or(|version| version == c.version))
    };
    let message = |reference: &ComponentReference| {
        let version = reference.version.map(|version| format!(" with version {version}")).unwrap_or_default();
        let kind = if reference.public { "Public" } else { "Private" };
        format!("{kind} component '{}'{version} not found", reference.key)
    };
    let problem = |reference| Problem { field: "definition".into(), messages: vec![message(reference)] };
    definition.components.iter().filter(missing).map(problem).collect()
}

/// Makes an empty connection for a stable key that an import names.
fn placeholder(store: &mut Store, definition: &Definition, stable_key: &str) {
    let variable = definition.variables.iter().find(|variable| variable.scoped.as_deref() == Some(stable_key));
    let key = variable.map_or(stable_key, |variable| variable.key.as_str()).to_string();
    let (id, now) = (store.id("ScopedConfigVariable"), store.tick());
    store.connections.push(Connection {
        id,
        key,
        stable_key: stable_key.to_string(),
        managed_by: ManagedBy::Customer,
        scope: Scope::Customer,
        status: Some(Status::Pending),
        created: now,
        updated: now,
        ..Connection::default()
    });
}

/// Gives an integration its test instance, which runs the draft.
fn test_instance(store: &mut Store, integration: &str) {
    let is_own = |instance: &Instance| instance.is_system && instance.integration == integration;
    if !store.instances.iter().any(is_own) {
        let (id, now) = (store.id("Instance"), store.tick());
        store.instances.push(Instance {
            id,
            name: "Test Instance".into(),
            integration: integration.into(),
            enabled: true,
            is_system: true,
            created: now,
            updated: now,
            ..Instance::default()
        });
    }
    let at = store.instances.iter().position(is_own);
    at.into_iter().for_each(|at| deploy(store, at));
}

/// Deploys an instance: it takes the present values of every connection that its version binds.
fn deploy(store: &mut Store, at: usize) {
    let instance = &store.instances[at];
    let Some(integration) = store.integration(&instance.integration) else { return };
    let version = integration.version(instance.version);
    let definition = version.map_or(&integration.draft, |version| &version.definition);
    let mut uses = BTreeMap::new();
    let mut deployed = BTreeMap::new();
    for key in &definition.connections {
        let Some(connection) = store.bound(key, integration.customer.as_deref()) else { continue };
        let chosen =
            instance.uses.get(key).and_then(|used| used.credential.as_deref()).and_then(|id| store.credential(id));
        let own = |c: &&crate::store::Credential| {
            c.connection == connection.id && c.is_test == instance.is_system && c.customer == instance.customer
        };
        let credential = chosen.or_else(|| store.credentials.iter().find(own));
        let values = credential.map_or(&[][..], |credential| &credential.inputs);
        deployed.insert(key.clone(), effective(&connection.inputs, values));
        let used = Use { connection: connection.id.clone(), credential: credential.map(|c| c.id.clone()) };
        uses.insert(key.clone(), used);
    }
    let number = version.map(|version| version.number);
    let now = store.tick();
    let instance = &mut store.instances[at];
    instance.uses = uses;
    instance.deployed = deployed;
    instance.deployed_version = number;
    instance.last_deployed = Some(now);
    instance.updated = now;
}

/// Deploys the instances again that use something.
pub(super) fn redeploy(store: &mut Store, uses: impl Fn(&Use) -> bool) {
    for at in 0..store.instances.len() {
        if store.instances[at].uses.values().any(&uses) {
            deploy(store, at);
        }
    }
}

/// Creates an instance of a version for a customer and deploys it. `credentials`: by stable key, the ids of those that
/// it uses instead of the customer's first.
pub fn create_instance(
    store: &mut Store,
    name: &str,
    integration: &str,
    version: i32,
    customer: &str,
    credentials: &[(String, String)],
) -> Result<String, Refusal> {
    let known = store.integration(integration).ok_or(Refusal::NotFound)?.version(version).ok_or(Refusal::NotFound)?;
    if known.references_deleted {
        return Err(Refusal::general(DELETED));
    }
    store.customer(customer).ok_or(Refusal::NotFound)?;
    let chosen = |(key, id): &(String, String)| {
        let credential = store.credential(id).ok_or(Refusal::NotFound)?;
        Ok((key.clone(), Use { connection: credential.connection.clone(), credential: Some(id.clone()) }))
    };
    let uses = credentials.iter().map(chosen).collect::<Result<BTreeMap<_, _>, Refusal>>()?;
    let (id, now) = (store.id("Instance"), store.tick());
    store.instances.push(Instance {
        id: id.clone(),
        name: name.into(),
        customer: Some(customer.into()),
        integration: integration.into(),
        version,
        enabled: true,
        uses,
        created: now,
        updated: now,
        ..Instance::default()
    });
    deploy(store, store.instances.len() - 1);
    Ok(id)
}

const DELETED: &str = "It references a deleted connection.";

/// Publishes the draft as the next version, and returns the version's id.
pub fn publish(
    store: &mut Store,
    id: &str,
    comment: Option<String>,
    attributes: Option<String>,
) -> Result<String, Refusal> {
    let integration = store.integration(id).ok_or(Refusal::NotFound)?;
    let missing = |key: &&String| store.bound(key, integration.customer.as_deref()).is_none();
    if let Some(key) = integration.draft.connections.iter().find(missing) {
        return Err(Refusal::general(format!("Scoped config variable with stableKey '{key}' not found")));
    }
    if attributes.as_deref().is_some_and(|text| serde_json::from_str::<serde_json::Value>(text).is_err()) {
        return Err(Refusal::of("attributes", "Value must be valid JSON."));
    }
    let (version, now) = (store.id("Integration"), store.tick());
    let integration = store.integration_mut(id).ok_or(Refusal::NotFound)?;
    integration.updated = now;
    integration.versions.push(Version {
        id: version.clone(),
        number: integration.versions.last().map_or(0, |last| last.number) + 1,
        comment,
        attributes,
        definition: integration.draft.clone(),
        is_available: true,
        references_deleted: false,
        created: now,
    });
    Ok(version)
}

/// Makes a version available or not, by the version's id, and returns that.
pub fn set_available(store: &mut Store, id: &str, available: bool) -> Result<String, Refusal> {
    store.tick();
    let versions = store.integrations.iter_mut().flat_map(|integration| &mut integration.versions);
    let version = versions.into_iter().find(|version| version.id == id).ok_or(Refusal::NotFound)?;
    if available && version.references_deleted {
        return Err(Refusal::general(DELETED));
    }
    version.is_available = available;
    Ok(id.to_string())
}

/// Moves every instance of an integration to the newest available version, and returns the integration's id.
pub fn update_instances(store: &mut Store, id: &str) -> Result<String, Refusal> {
    let integration = store.integration(id).ok_or(Refusal::NotFound)?;
    let Some(latest) = integration.latest_available() else {
        return Err(Refusal::general("This integration has no available version."));
    };
    if latest.references_deleted {
        return Err(Refusal::general(DELETED));
    }
    let number = latest.number;
    for at in 0..store.instances.len() {
        let instance = &mut store.instances[at];
        if !instance.is_system && instance.integration == id {
            instance.version = number;
            deploy(store, at);
        }
    }
    Ok(id.to_string())
}

/// Deletes an integration that no customer has an instance of, and returns it.
pub fn delete(store: &mut Store, id: &str) -> Result<Integration, Refusal> {
    let integration = store.integration(id).ok_or(Refusal::NotFound)?.clone();
    let instance = store.instances.iter().find(|instance| instance.integration == id && !instance.is_system);
    if let Some(instance) = instance {
        return Err(Refusal::general(format!("This integration has the instance \"{}\".", instance.name)));
    }
    store.integrations.retain(|integration| integration.id != id);
    store.instances.retain(|instance| instance.integration != id);
    store.tick();
    Ok(integration)
}

/// Creates a workflow, and returns its id.
pub fn create_workflow(store: &mut Store, definition: &str, customer: Option<String>) -> Result<String, Refusal> {
    let definition = Definition::parse(definition).map_err(|message| Refusal::of("definition", message))?;
    if definition.version != Some(1) || definition.value["definitionType"] != "workflow" {
        return Err(Refusal::of("definition", "The definition is not a workflow of version 1"));
    }
    let problems = missing_components(store, &definition);
    if !problems.is_empty() {
        return Err(Refusal::Invalid(problems));
    }
    let (id, now) = (store.id("Workflow"), store.tick());
    store.workflows.push(Workflow {
        id: id.clone(),
        name: definition.name.clone().unwrap_or_default(),
        description: definition.description.clone(),
        category: definition.category.clone(),
        labels: definition.labels.clone(),
        customer,
        definition: Arc::new(definition),
        references_deleted: false,
        version: 1,
        created: now,
        updated: now,
    });
    Ok(id)
}
