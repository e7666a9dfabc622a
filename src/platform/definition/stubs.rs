//! Components as far as definitions reveal them: stubs that a person can complete.

use super::{DefinitionInput, InputValue, ParsedDefinition, VariableShape};
use crate::api::endpoint;
use crate::api::{ComponentRef, ComponentSpec, ConnectionType, INFERRED, OAuth2, Object, TypeInput, names};
use std::collections::BTreeMap;

/// The components that definitions use: with types and inputs for those of connections, without for those of steps and
/// data sources. Unknown properties (which inputs are required) are omitted, and so is the component that a code-native
/// integration creates for itself.
pub fn component_stubs(definitions: &[&ParsedDefinition]) -> Vec<Object<ComponentSpec>> {
    let mut stubs: BTreeMap<ComponentRef, BTreeMap<String, ConnectionType>> = BTreeMap::new();
    for definition in definitions {
        for component in definition.components.iter().filter(|c| !definition.is_own_component(c)) {
            stubs.entry(component.clone()).or_default();
        }
        for variable in &definition.variables {
            let VariableShape::Own { component, type_, inputs } = &variable.shape else { continue };
            if definition.is_own_component(component) {
                continue;
            }
            let types = stubs.entry(component.clone()).or_default();
            let stub = types.entry(type_.clone()).or_insert_with(|| ConnectionType {
                key: type_.clone(),
                oauth2: None,
                inputs: BTreeMap::new(),
            });
            add_inputs(stub, inputs);
        }
    }
    stubs
        .into_iter()
        .map(|(component, types)| {
            let name = names::of_component(&component.key, component.is_public());
            let types = types.into_values().map(|stub| ConnectionType { oauth2: grant(&stub.inputs), ..stub });
            let spec = ComponentSpec { key: component.key, public: component.public, types: types.collect() };
            let mut stub = Object::new(name, spec);
            stub.metadata.annotations.insert(INFERRED.to_string(), "true".to_string());
            stub
        })
        .collect()
}

fn add_inputs(stub: &mut ConnectionType, inputs: &[DefinitionInput]) {
    for input in inputs {
        let seen = stub.inputs.entry(input.name.clone()).or_default();
        let url = matches!(&input.value, InputValue::Text(value) if endpoint::is_url(value));
        // Scopes may be URLs, but are not endpoints.
        let endpoint =
            endpoint::is_endpoint_name(&input.name) || (url && !input.name.to_ascii_lowercase().contains("scope"));
        seen.secret = (input.secret || seen.is_secret()).then_some(true);
        seen.endpoint = (endpoint || seen.is_endpoint()).then_some(true);
    }
}

/// The OAuth 2.0 grant that inputs with these names indicate.
fn grant(inputs: &BTreeMap<String, TypeInput>) -> Option<OAuth2> {
    inputs.contains_key("tokenUrl").then(|| {
        if inputs.contains_key("authorizeUrl") { OAuth2::AuthorizationCode } else { OAuth2::ClientCredentials }
    })
}
