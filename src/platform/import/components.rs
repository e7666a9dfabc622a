//! Selects the component stubs that an import writes: those that the tenant lacks.

use super::ImportNote;
use crate::api::{ComponentSpec, Object, names};
use crate::platform::definition::{ParsedDefinition, component_stubs};
use std::collections::BTreeMap;

/// The stubs of components that do not exist yet. An existing one does not change: what people wrote is better than
/// what is inferred from use.
pub(super) fn new_ones(
    definitions: &[&ParsedDefinition],
    existing: &[Object<ComponentSpec>],
    notes: &mut Vec<ImportNote>,
) -> Vec<Object<ComponentSpec>> {
    let mut made: BTreeMap<String, Object<ComponentSpec>> = BTreeMap::new();
    for stub in component_stubs(definitions) {
        let there = existing.iter().find(|there| there.spec.reference().is(&stub.spec.reference()));
        if let Some(there) = there {
            let unknown = |key: &str| there.spec.connection_type(key).is_none();
            let types: Vec<String> =
                stub.spec.types.iter().filter(|t| unknown(&t.key)).map(|t| t.key.clone()).collect();
            if !types.is_empty() && !there.spec.types.is_empty() {
                notes.push(ImportNote::TypesNotListed { component: stub.spec.reference(), types });
            }
        } else if !is_name(stub.name())
            || made.contains_key(stub.name())
            || existing.iter().any(|there| there.name() == stub.name())
        {
            notes.push(ImportNote::ComponentLeftOut { component: stub.spec.reference() });
        } else {
            made.insert(stub.name().to_string(), stub);
        }
    }
    made.into_values().collect()
}

fn is_name(name: &str) -> bool {
    names::is_object_name(name)
}
