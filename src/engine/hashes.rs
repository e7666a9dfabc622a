//! Hashes of values that many objects share, made once.

use super::canonical::FieldHash;
use super::field::{FieldKind, FieldValue};
use super::world::Inventory;
use std::collections::HashMap;

/// Hashes by canonical text. Without one, a value is hashed when it is asked for.
#[derive(Debug, Default)]
pub struct Hashes(HashMap<String, FieldHash>);

impl Hashes {
    /// Of the components, types and credentials that the connections of an inventory have.
    pub fn of(inventory: &Inventory) -> Self {
        let mut hashes = Hashes::default();
        for component in inventory.components.values() {
            component.spec.types.iter().for_each(|type_| hashes.add(&FieldValue::Text(&type_.key)));
        }
        for connection in inventory.connections.values() {
            let spec = &connection.spec;
            let credentials = spec.credentials.as_str();
            for value in
                [FieldValue::Component(&spec.component), FieldValue::Text(&spec.type_), FieldValue::Text(credentials)]
            {
                hashes.add(&value);
            }
        }
        hashes
    }

    fn add(&mut self, value: &FieldValue<'_>) {
        self.0.entry(value.canonical()).or_insert_with_key(|text| FieldHash::of(text));
    }

    /// The hash of a value of a field.
    pub fn hash(&self, kind: FieldKind, value: &FieldValue<'_>) -> FieldHash {
        match kind {
            FieldKind::Component | FieldKind::Type | FieldKind::Credentials => {
                let text = value.canonical();
                self.0.get(&text).copied().unwrap_or_else(|| FieldHash::of(&text))
            }
            _ => value.hash(),
        }
    }
}
