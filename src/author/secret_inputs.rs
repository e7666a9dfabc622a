//! The names of inputs that hold secrets although their names do not say so.

use super::home::snapshots;
use crate::api::{Input, Kind};
use crate::engine::check::unread_type;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::Item;
use crate::project::Project;
use std::collections::BTreeSet;

/// The inputs that any type of the project marks as secret, and those of connections whose type cannot be read: any of
/// them may be one. A file that has one beside a change is shown without its value.
pub(super) fn secret_inputs(project: &Project) -> BTreeSet<String> {
    let read: Vec<&Inventory> =
        project.tenants.values().flat_map(snapshots).map(|snapshot| snapshot.inventory.as_ref()).collect();
    let types = read.iter().flat_map(|read| read.components.values()).flat_map(|component| &component.spec.types);
    let marked = types.flat_map(|type_| &type_.inputs).filter(|(_, input)| input.is_secret());
    let mut names: BTreeSet<String> = marked.map(|(name, _)| name.clone()).collect();
    let is_unread =
        |read: &&Inventory| !read.unparsed.is_empty() || read.invalid.keys().any(|id| id.kind == Kind::Component);
    if read.iter().any(is_unread) {
        for connection in read.iter().flat_map(|read| read.connections.values()) {
            if unread_type(&Item::Connection(connection.clone()), &read).is_some() {
                let test = connection.spec.test.iter().flat_map(|test| &test.inputs);
                let inputs = connection.spec.inputs.iter().chain(test);
                let literal = inputs.filter(|(_, input)| matches!(input, Input::Value(_)));
                names.extend(literal.map(|(name, _)| name.clone()));
            }
        }
    }
    names
}
