//! The inputs that hold secrets although their names do not say so.

use super::home::snapshots;
use crate::api::sensitive::hides;
use crate::api::{Input, Kind, names};
use crate::engine::check::unread_type;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::Item;
use crate::manifest::InputPlace;
use crate::project::Project;
use std::collections::BTreeSet;

/// The inputs of a project that are secret by their types, and those of which nobody can tell.
#[derive(Clone, Debug, Default)]
pub(super) struct ProjectSecrets {
    /// The inputs that any type of the project marks as secret, and those of connections whose type cannot be read: any
    /// of them may be one.
    names: BTreeSet<String>,
    /// The names of components that cannot be read in some tenant.
    unread: BTreeSet<String>,
    /// The components that are described, where a file that cannot be read may describe others.
    only_known: Option<BTreeSet<String>>,
}

impl ProjectSecrets {
    pub(super) fn of(project: &Project) -> Self {
        let read: Vec<&Inventory> =
            project.tenants.values().flat_map(snapshots).map(|snapshot| snapshot.inventory.as_ref()).collect();
        let unread = read.iter().flat_map(|read| read.invalid.keys()).filter(|id| id.kind == Kind::Component);
        let unread: BTreeSet<String> = unread.map(|id| id.name.clone()).collect();
        // A tenant that describes no component describes none in a broken file either.
        let may_describe = |read: &&Inventory| !read.unparsed.is_empty() && !read.components.is_empty();
        let known = || read.iter().flat_map(|read| read.components.keys()).cloned().collect();
        let only_known = read.iter().any(may_describe).then(known);
        ProjectSecrets { names: secret_names(&read), unread, only_known }
    }

    /// Adds those of another state of the project.
    pub(super) fn extend(&mut self, other: ProjectSecrets) {
        self.names.extend(other.names);
        self.unread.extend(other.unread);
        self.only_known = match (self.only_known.take(), other.only_known) {
            (Some(one), Some(other)) => Some(one.intersection(&other).cloned().collect()),
            (one, other) => one.or(other),
        };
    }

    /// The names of inputs. A file that has one beside a change is shown without its value.
    pub(super) fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// Whether a literal value may be shown: its name and its type say that it is no secret. What customers supplied is
    /// theirs.
    pub(super) fn shows(&self, place: &InputPlace<'_>) -> bool {
        let is_read = match &place.component {
            Some(component) => {
                let name = names::of_component(&component.key, component.is_public());
                !self.unread.contains(&name) && self.only_known.as_ref().is_none_or(|known| known.contains(&name))
            }
            None => self.unread.is_empty() && self.only_known.is_none(),
        };
        let is_ours = place.kind != Kind::CustomerCredentials;
        is_ours && is_read && !hides(place.input) && !self.names.contains(place.input)
    }
}

fn secret_names(read: &[&Inventory]) -> BTreeSet<String> {
    let types = read.iter().flat_map(|read| read.components.values()).flat_map(|component| &component.spec.types);
    let marked = types.flat_map(|type_| &type_.inputs).filter(|(_, input)| input.is_secret());
    let mut names: BTreeSet<String> = marked.map(|(name, _)| name.clone()).collect();
    let is_unread =
        |read: &&Inventory| !read.unparsed.is_empty() || read.invalid.keys().any(|id| id.kind == Kind::Component);
    if read.iter().any(is_unread) {
        for connection in read.iter().flat_map(|read| read.connections.values()) {
            if unread_type(&Item::Connection(connection.clone()), read).is_some() {
                let test = connection.spec.test.iter().flat_map(|test| &test.inputs);
                let inputs = connection.spec.inputs.iter().chain(test);
                let literal = inputs.filter(|(_, input)| matches!(input, Input::Value(_)));
                names.extend(literal.map(|(name, _)| name.clone()));
            }
        }
    }
    names
}
