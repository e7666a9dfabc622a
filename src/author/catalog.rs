//! The components that a project knows: from Components, which tenants declare, and from use.

use super::command::command;
use super::error::AuthorError;
use super::home::inventories;
use crate::api::{
    ComponentRef, ComponentSpec, ConnectionSpec, ConnectionType, Input, Kind, Means, Object, TypeInput, is_inferred,
};
use crate::engine::model::command::EditCommand;
use crate::engine::model::inventory::Inventory;
use crate::near_miss::near_or_all;
use crate::project::Project;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How much is known of a component. A later one is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ComponentKnowledge {
    /// A connection or an integration uses it.
    Used,
    /// A Component lists what definitions use.
    Inferred,
    /// A Component describes it.
    Declared,
    /// A Component of the tenant itself describes it.
    DeclaredHere,
}

/// A component, with all that is known of its types.
#[derive(Clone, Debug)]
pub(super) struct KnownComponent {
    pub reference: ComponentRef,
    pub types: Vec<ConnectionType>,
    known: ComponentKnowledge,
    /// The Component that describes it best, if any does.
    pub object: Option<Arc<Object<ComponentSpec>>>,
}

impl KnownComponent {
    /// Whether its types are all that there are, so that another one is a mistake.
    pub(super) fn lists_all_types(&self) -> bool {
        self.known >= ComponentKnowledge::Declared && !self.types.is_empty()
    }

    /// Whether a Component describes it, and not only its use.
    pub(super) fn is_declared(&self) -> bool {
        self.known >= ComponentKnowledge::Declared
    }

    /// The name by which a person chooses it: the key, with `.private` where a public component has the same key.
    pub(super) fn name(&self, catalog: &Catalog) -> String {
        let ComponentRef { key, .. } = &self.reference;
        let is_twice = catalog.components.iter().filter(|other| other.reference.key == *key).count() > 1;
        if is_twice && !self.reference.is_public() { self.reference.typed() } else { key.clone() }
    }

    pub(super) fn type_(&self, key: &str) -> Option<&ConnectionType> {
        self.types.iter().find(|known| known.key == key)
    }
}

/// All components that a project knows, by reference.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalog {
    pub components: Vec<KnownComponent>,
}

impl Catalog {
    /// Returns the components, as they are known best for a tenant.
    pub(super) fn of(project: &Project, tenant: &str) -> Self {
        let mut found = FoundComponents::default();
        let others = project.tenants.keys().map(String::as_str).filter(|other| *other != tenant);
        for (is_own, name) in std::iter::once((true, tenant)).chain(others.map(|other| (false, other))) {
            for inventory in inventories(project, name) {
                found.take_declared(inventory, is_own);
                found.take_used(inventory);
            }
        }
        let mut components = found.all;
        components.sort_by(|a, b| a.reference.cmp(&b.reference));
        components.iter_mut().for_each(|component| component.types.sort_by(|a, b| a.key.cmp(&b.key)));
        Catalog { components }
    }

    /// Returns a component by the name that a person gave: its key, or the name of its Component.
    pub(super) fn find(&self, given: &str) -> Option<&KnownComponent> {
        let name = Kind::Component.name_in(given.trim());
        let with = |key: &str, public: bool| {
            self.components.iter().find(|c| c.reference.key == key && c.reference.is_public() == public)
        };
        let private = name.strip_suffix(ComponentRef::PRIVATE).and_then(|key| with(key, false));
        with(name, true).or(private).or_else(|| with(name, false))
    }

    /// Returns a component by its reference.
    pub(super) fn get(&self, reference: &ComponentRef) -> Option<&KnownComponent> {
        self.components.iter().find(|known| known.reference.is(reference))
    }

    /// The names of all components.
    pub(super) fn names(&self) -> Vec<String> {
        self.components.iter().map(|known| known.name(self)).collect()
    }

    /// The error for a component that nothing here knows.
    pub(super) fn unknown(&self, given: &str, project: &Project, tenant: &str) -> AuthorError {
        let names = self.names();
        let lead = match near_or_all(given, names.iter().map(String::as_str)) {
            _ if names.is_empty() => "declare it first".to_string(),
            question if question.ends_with('?') => format!("{question} otherwise declare it first"),
            listed => format!("{listed}; otherwise declare it first"),
        };
        let key = crate::text::line(given);
        AuthorError::refused(
            format!("no tenant declares component {key}"),
            format!("{lead}:\n{}", command(project, EditCommand::new_component(tenant, given))),
        )
    }

    /// The error where nothing here knows any component.
    pub(super) fn none(&self, project: &Project, tenant: &str) -> AuthorError {
        let command = command(project, EditCommand::new_component(tenant, "COMPONENT"));
        AuthorError::refused("no tenant declares a component", format!("declare one first:\n{command}"))
    }
}

/// The components found so far, by key and whether they are public: connections are many, and their components few.
#[derive(Default)]
struct FoundComponents<'p> {
    all: Vec<KnownComponent>,
    at: HashMap<(&'p str, bool), usize>,
}

impl<'p> FoundComponents<'p> {
    fn take_declared(&mut self, inventory: &'p Inventory, is_own: bool) {
        for object in inventory.components.values() {
            let known = match (is_inferred(&object.metadata), is_own) {
                (true, _) => ComponentKnowledge::Inferred,
                (false, false) => ComponentKnowledge::Declared,
                (false, true) => ComponentKnowledge::DeclaredHere,
            };
            let Some(there) = self.of(&object.spec.key, object.spec.is_public()).filter(|there| known >= there.known)
            else {
                continue;
            };
            let is_better = known > there.known;
            // What is only inferred, and what several tenants declare, adds up.
            if is_better && known >= ComponentKnowledge::Declared {
                there.types.clear();
            }
            if is_better {
                there.object = Some(Arc::clone(object));
            }
            there.known = known;
            if known == ComponentKnowledge::DeclaredHere && !is_better {
                continue;
            }
            object.spec.types.iter().for_each(|type_| add(&mut there.types, type_));
        }
    }

    /// Adds the components that connections and integrations use: a type that is in use exists.
    fn take_used(&mut self, inventory: &'p Inventory) {
        for connection in inventory.connections.values() {
            let component = &connection.spec.component;
            let there = self.of(&component.key, component.is_public());
            if let Some(there) = there.filter(|there| there.known < ComponentKnowledge::Declared) {
                add_used(&mut there.types, &connection.spec);
            }
        }
        let variables = inventory.integrations.values().flat_map(|integration| &integration.spec.connections);
        for variable in variables {
            let Means::Own(own) = &variable.means else { continue };
            let there = self.of(&own.component.key, own.component.is_public());
            if let Some(there) = there.filter(|there| there.known < ComponentKnowledge::Declared)
                && !there.types.iter().any(|known| known.key == own.type_)
            {
                there.types.push(ConnectionType { key: own.type_.clone(), oauth2: None, inputs: BTreeMap::new() });
            }
        }
    }

    /// The component with this key, which is added where it is new.
    fn of(&mut self, key: &'p str, is_public: bool) -> Option<&mut KnownComponent> {
        let at = *self.at.entry((key, is_public)).or_insert_with(|| {
            let reference = ComponentRef::new(key, is_public);
            self.all.push(KnownComponent {
                reference,
                types: Vec::new(),
                known: ComponentKnowledge::Used,
                object: None,
            });
            self.all.len() - 1
        });
        self.all.get_mut(at)
    }
}

/// Adds what is known of a type to what is known of it already. The stricter mark of an input holds.
fn add(types: &mut Vec<ConnectionType>, new: &ConnectionType) {
    let Some(there) = types.iter_mut().find(|there| there.key == new.key) else {
        types.push(new.clone());
        return;
    };
    there.oauth2 = there.oauth2.or(new.oauth2);
    for (name, input) in &new.inputs {
        let known = there.inputs.entry(name.clone()).or_default();
        let either = |a: Option<bool>, b: Option<bool>| (a == Some(true) || b == Some(true)).then_some(true);
        *known = TypeInput {
            required: either(known.required, input.required),
            secret: either(known.secret, input.secret),
            endpoint: either(known.endpoint, input.endpoint),
        };
    }
}

/// Adds the type of a connection as its use shows it.
fn add_used(types: &mut Vec<ConnectionType>, spec: &ConnectionSpec) {
    let secret = |input: &Input| matches!(input, Input::SecretRef(_)).then_some(true);
    let Some(there) = types.iter_mut().find(|there| there.key == spec.type_) else {
        let input = |(name, input): (&String, &Input)| {
            (name.clone(), TypeInput { secret: secret(input), ..TypeInput::default() })
        };
        let inputs = spec.inputs.iter().map(input).collect();
        types.push(ConnectionType { key: spec.type_.clone(), oauth2: None, inputs });
        return;
    };
    for (name, input) in &spec.inputs {
        let secret = secret(input);
        if let Some(known) = there.inputs.get_mut(name) {
            known.secret = secret.or(known.secret);
        } else {
            there.inputs.insert(name.clone(), TypeInput { secret, ..TypeInput::default() });
        }
    }
}

/// Whether a type uses OAuth 2.0: it says so, or it has the inputs of OAuth 2.0.
pub(super) fn is_oauth(type_: &ConnectionType) -> bool {
    type_.oauth2.is_some() || type_.inputs.contains_key("tokenUrl")
}
