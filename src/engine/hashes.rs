//! Hashes of values that many objects share, computed once.

use super::model::canonical::FieldHash;
use super::model::field::{FieldKind, FieldValue};
use super::model::inventory::Inventory;
use crate::api::Input;
use std::collections::{HashMap, HashSet};

/// Hashes by canonical text. A value that is not listed is hashed on demand.
#[derive(Debug, Default)]
pub struct Hashes(HashMap<String, FieldHash>);

impl Hashes {
    /// Hashes the components, types and credentials of the connections in an inventory, and the inputs that several
    /// connections share.
    pub fn of(inventory: &Inventory) -> Self {
        let mut hashes = Hashes::default();
        for value in [FieldValue::Bool(true), FieldValue::Bool(false), FieldValue::Input(&Input::PER_CUSTOMER)] {
            hashes.add(&value);
        }
        for component in inventory.components.values() {
            component.spec.types.iter().for_each(|type_| hashes.add(&FieldValue::Text(&type_.key)));
        }
        let (mut texts, mut components) = (HashSet::new(), HashSet::new());
        let (mut once, mut twice) = (HashSet::new(), HashSet::new());
        for connection in inventory.connections.values() {
            let spec = &connection.spec;
            for text in [spec.type_.as_str(), spec.credentials.as_str()] {
                if texts.insert(text) {
                    hashes.add(&FieldValue::Text(text));
                }
            }
            if components.insert((spec.component.key.as_str(), spec.component.public)) {
                hashes.add(&FieldValue::Component(&spec.component));
            }
            for input in spec.inputs.values() {
                if let Input::Value(value) = input
                    && !once.insert(value.as_str())
                    && twice.insert(value.as_str())
                {
                    hashes.add(&FieldValue::Input(input));
                }
            }
        }
        hashes
    }

    fn add(&mut self, value: &FieldValue<'_>) {
        self.0.entry(value.canonical()).or_insert_with_key(|text| FieldHash::of(text));
    }

    /// The hash of a field's value.
    pub fn hash(&self, kind: FieldKind, value: &FieldValue<'_>) -> FieldHash {
        match kind {
            FieldKind::Component
            | FieldKind::Type
            | FieldKind::Credentials
            | FieldKind::EmbeddedWorkflows
            | FieldKind::Input => {
                let text = value.canonical();
                self.0.get(&text).copied().unwrap_or_else(|| FieldHash::of(&text))
            }
            _ => value.hash(),
        }
    }
}
