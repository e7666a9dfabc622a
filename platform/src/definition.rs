//! A definition of an integration or a workflow, read as far as the platform checks it.

use crate::kinds::{DataType, OnPremise};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// The definition's version that the platform takes for integrations.
pub const VERSION: i64 = 7;

/// A parsed definition with its text.
#[derive(Clone, Default)]
pub struct Definition {
    pub text: String,
    pub value: Value,
    pub version: Option<i64>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub category: Option<String>,
    pub labels: Vec<String>,
    pub is_code_native: bool,
    pub variables: Vec<Variable>,
    pub flows: Vec<Flow>,
    /// The components of its steps, connections and data sources, without repetition.
    pub components: Vec<ComponentReference>,
    /// What its config variables and steps name as connections: stable keys, and in workflows ids too.
    pub connections: BTreeSet<String>,
}

/// A config variable of an integration.
#[derive(Clone, Debug, Default)]
pub struct Variable {
    pub key: String,
    pub stable_key: Option<String>,
    pub data_type: Option<DataType>,
    pub description: Option<String>,
    pub default: Option<String>,
    pub org_only: bool,
    pub on_premise: Option<OnPremise>,
    /// The stable key of the connection that it binds.
    pub scoped: Option<String>,
    /// The type of its own connection.
    pub connection: Option<ConnectionReference>,
    /// Names and values of its own connection's inputs.
    pub inputs: Vec<(String, Option<String>)>,
}

/// A flow of an integration.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    pub name: String,
    pub stable_key: Option<String>,
    pub description: Option<String>,
    pub is_synchronous: bool,
}

/// A connection type of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionReference {
    pub component: ComponentReference,
    pub key: String,
}

/// A component, with a version or the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentReference {
    pub key: String,
    pub public: bool,
    pub version: Option<i32>,
}

impl Definition {
    /// Parses YAML. `Err`: it is none, or no map.
    pub fn parse(text: &str) -> Result<Self, String> {
        // As YAML 1.2 has it: `no` and `N` are texts.
        let options = serde_saphyr::options! { strict_booleans: true };
        let value: Value = serde_saphyr::from_str_with_options(text, options)
            .map_err(|_| "The definition is not valid YAML".to_string())?;
        if !value.is_object() {
            return Err("The definition is not a map".to_string());
        }
        let labels = value["labels"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_string);
        let mut definition = Definition {
            text: text.to_string(),
            version: value["definitionVersion"].as_i64(),
            name: string(&value["name"]),
            description: string(&value["description"]),
            category: string(&value["category"]),
            labels: labels.collect(),
            is_code_native: value["isCodeNative"] == true,
            variables: items(&value["requiredConfigVars"]).map(variable).collect(),
            flows: items(&value["flows"]).map(flow).collect(),
            components: Vec::new(),
            connections: BTreeSet::new(),
            value: Value::Null,
        };
        collect(&value, &mut definition);
        definition.value = value;
        Ok(definition)
    }

    /// Whether it binds a variable to this stable key or, in a workflow, names this id.
    pub fn names(&self, connection: &str) -> bool {
        self.connections.contains(connection)
    }
}

/// A definition may hold secrets: it is never printed.
impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition").field("name", &self.name).finish_non_exhaustive()
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_string)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn variable(value: &Value) -> Variable {
    let connection = component(&value["connection"]["component"])
        .and_then(|component| Some(ConnectionReference { component, key: string(&value["connection"]["key"])? }));
    let inputs = value["inputs"].as_object().into_iter().flatten();
    Variable {
        key: string(&value["key"]).unwrap_or_default(),
        stable_key: string(&value["stableKey"]),
        data_type: value["dataType"].as_str().and_then(DataType::parse),
        description: string(&value["description"]),
        default: string(&value["defaultValue"]),
        org_only: value["orgOnly"] == true,
        on_premise: value["onPremiseConnectionConfig"].as_str().and_then(OnPremise::parse),
        scoped: string(&value["useScopedConfigVar"]),
        connection,
        inputs: inputs.map(|(name, input)| (name.clone(), string(&input["value"]))).collect(),
    }
}

fn flow(value: &Value) -> Flow {
    Flow {
        name: string(&value["name"]).unwrap_or_default(),
        stable_key: string(&value["stableKey"]),
        description: string(&value["description"]),
        is_synchronous: value["isSynchronous"] == true,
    }
}

fn component(value: &Value) -> Option<ComponentReference> {
    let version = value["version"].as_i64().and_then(|version| i32::try_from(version).ok());
    Some(ComponentReference { key: string(&value["key"])?, public: value["isPublic"] == true, version })
}

/// Collects the components and connections of every step, however deep it is.
fn collect(value: &Value, into: &mut Definition) {
    match value {
        Value::Object(map) => {
            if let Some(found) = map.get("component").and_then(component)
                && !into.components.contains(&found)
            {
                into.components.push(found);
            }
            let binding = map.get("useScopedConfigVar").and_then(Value::as_str);
            let input = map.get("value").filter(|_| map.get("type").is_some_and(|kind| kind == "scopedConfigVar"));
            into.connections.extend(binding.into_iter().chain(input.and_then(Value::as_str)).map(str::to_string));
            map.values().for_each(|value| collect(value, into));
        }
        Value::Array(all) => all.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_and_components_are_found_however_deep() {
        let text = "
definitionVersion: 7
name: Deep
requiredConfigVars:
  - {key: Acme, dataType: connection, useScopedConfigVar: acme-api-key}
  - key: Own
    dataType: connection
    connection: {key: basic, component: {key: http, isPublic: true, version: LATEST}}
    inputs: {username: {type: value, value: u}}
flows:
  - name: One
    steps:
      - name: Branch
        action: {key: b, component: {key: branch, isPublic: true, version: 3}}
        branches:
          - name: Yes
            steps:
              - {name: Deep, action: {key: x, component: {key: acme, isPublic: false, version: LATEST}}}
";
        let definition = Definition::parse(text).unwrap();
        assert_eq!(definition.connections.iter().collect::<Vec<_>>(), ["acme-api-key"]);
        let components: Vec<_> = definition.components.iter().map(|c| (c.key.as_str(), c.public, c.version)).collect();
        assert_eq!(components.len(), 3, "{components:?}");
        assert!(components.contains(&("acme", false, None)) && components.contains(&("branch", true, Some(3))));
        assert_eq!(definition.variables[1].connection.as_ref().map(|c| c.key.as_str()), Some("basic"));
        assert_eq!(definition.variables[1].inputs, [("username".to_string(), Some("u".to_string()))]);
        assert!(!format!("{definition:?}").contains("username"));
    }

    #[test]
    fn a_workflow_names_connections_in_its_steps() {
        let text = "
definitionVersion: 1
definitionType: workflow
name: W
flow:
  steps:
    - name: Send
      action: {key: post, component: {key: slack, isPublic: true, version: LATEST}}
      inputs: {connection: {type: scopedConfigVar, value: slack-oauth2}}
";
        assert!(Definition::parse(text).unwrap().names("slack-oauth2"));
        assert!(Definition::parse("- a").is_err() && Definition::parse("a: [").is_err());
    }
}
