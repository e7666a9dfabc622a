//! The schema of a kind, compiled from its CustomResourceDefinition for fast checks.
//!
//! There is no separate list of limits: files are checked for the same as the API server checks.

use crate::api::{self, Kind};
use kube::CustomResourceExt;
use regex_lite::Regex;
use serde_json::Value;
use std::sync::OnceLock;

/// The schema of a value.
pub(super) struct Schema {
    /// The shape of the value.
    pub shape: SchemaShape,
    /// Whether the value may be secret or private: it is then never shown.
    pub private: bool,
}

/// A shape with its limits.
pub(super) enum SchemaShape {
    /// A string with a length in characters.
    Text {
        min: usize,
        max: usize,
        pattern: Option<Regex>,
        options: Vec<String>,
    },
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int {
        min: i64,
        max: i64,
    },
    /// A map with these fields; if `one_of` is set, exactly one of those that are alternatives.
    Map {
        fields: Vec<SchemaField>,
        one_of: Option<String>,
    },
    /// A map with any keys.
    Dict {
        value: Box<Schema>,
        max: usize,
    },
    List {
        item: Box<Schema>,
        min: usize,
        max: usize,
    },
    /// A value that the API server writes, or that is not read.
    Any,
}

/// A field of a map.
pub(super) struct SchemaField {
    /// The name of the field.
    pub name: String,
    /// Whether the field is required.
    pub required: bool,
    /// Whether it is one of several fields of which exactly one is set.
    pub is_alternative: bool,
    /// The schema of its value.
    pub schema: Schema,
}

/// The fields of `metadata` that the API server writes; they are accepted and dropped.
pub(super) const SERVER_FIELDS: [&str; 12] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
    "clusterName",
];

/// The schema of documents of this kind, computed once.
pub(super) fn of(kind: Kind) -> &'static Schema {
    static SCHEMAS: [OnceLock<Schema>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
    SCHEMAS[kind as usize].get_or_init(|| document(spec(kind)))
}

/// The schema of a document of unknown kind.
pub(super) fn of_any() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| document(Schema::public(SchemaShape::Any)))
}

/// Whether one of Stablekey's kinds has a field with this name at any level.
pub(super) fn is_field(name: &str) -> bool {
    fn has(schema: &Schema, name: &str) -> bool {
        match &schema.shape {
            SchemaShape::Map { fields, .. } => {
                fields.iter().any(|field| field.name == name || has(&field.schema, name))
            }
            SchemaShape::Dict { value: below, .. } | SchemaShape::List { item: below, .. } => has(below, name),
            _ => false,
        }
    }
    Kind::ALL.into_iter().any(|kind| has(of(kind), name))
}

fn spec(kind: Kind) -> Schema {
    let crd = match kind {
        Kind::Tenant => api::Tenant::crd(),
        Kind::Component => api::Component::crd(),
        Kind::Connection => api::Connection::crd(),
        Kind::CustomerCredentials => api::CustomerCredentials::crd(),
        Kind::Integration => api::Integration::crd(),
        Kind::TenantSync => api::TenantSync::crd(),
    };
    let schema = crd.spec.versions.into_iter().next().and_then(|version| version.schema);
    let schema = schema.and_then(|schema| schema.open_api_v3_schema);
    let schema = serde_json::to_value(schema).unwrap_or(Value::Null);
    compile(&schema["properties"]["spec"], &mut vec!["spec"])
}

fn document(spec: Schema) -> Schema {
    let text = |max| Schema::public(SchemaShape::Text { min: 0, max, pattern: None, options: vec![] });
    let texts = |private| {
        let value = Box::new(Schema { private, ..text(usize::MAX) });
        Schema::public(SchemaShape::Dict { value, max: usize::MAX })
    };
    let any = || Schema::public(SchemaShape::Any);
    let mut metadata = vec![
        SchemaField::new("name", true, text(253)),
        SchemaField::new("namespace", false, text(253)),
        SchemaField::new("labels", false, texts(false)),
        // An annotation can contain a whole object (kubectl's last-applied-configuration).
        SchemaField::new("annotations", false, texts(true)),
    ];
    metadata.extend(SERVER_FIELDS.map(|name| SchemaField::new(name, false, any())));
    Schema::public(SchemaShape::Map {
        fields: vec![
            SchemaField::new("apiVersion", true, text(253)),
            SchemaField::new("kind", true, text(253)),
            SchemaField::new("metadata", true, Schema::public(SchemaShape::Map { fields: metadata, one_of: None })),
            SchemaField::new("spec", true, spec),
            SchemaField::new("status", false, any()),
        ],
        one_of: None,
    })
}

impl Schema {
    fn public(shape: SchemaShape) -> Self {
        Schema { shape, private: false }
    }

    /// The schema of the field with this name, or of any key.
    pub(super) fn child(&self, name: &str) -> Option<&Schema> {
        match &self.shape {
            SchemaShape::Map { fields, .. } => {
                fields.iter().find(|field| field.name == name).map(|field| &field.schema)
            }
            SchemaShape::Dict { value, .. } => Some(value),
            SchemaShape::List { item, .. } => Some(item),
            _ => None,
        }
    }
}

impl SchemaField {
    fn new(name: &str, required: bool, schema: Schema) -> Self {
        SchemaField { name: name.to_string(), required, is_alternative: false, schema }
    }
}

/// Compiles a part of an OpenAPI schema. `path` is its path, with `*` for any key or item.
fn compile<'v>(schema: &'v Value, path: &mut Vec<&'v str>) -> Schema {
    let size = |key: &str, absent: usize| schema[key].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(absent);
    let below = |value: &'v Value, step: &'v str, path: &mut Vec<&'v str>| {
        path.push(step);
        let compiled = compile(value, path);
        path.pop();
        compiled
    };
    let shape = match schema["type"].as_str() {
        Some("string") => SchemaShape::Text {
            min: size("minLength", 0),
            max: size("maxLength", usize::MAX),
            pattern: schema["pattern"].as_str().and_then(|pattern| Regex::new(pattern).ok()),
            options: strings(&schema["enum"]).map(str::to_string).collect(),
        },
        Some("boolean") => SchemaShape::Bool,
        Some("integer") => SchemaShape::Int {
            min: number(&schema["minimum"]).unwrap_or(i64::MIN),
            max: number(&schema["maximum"]).unwrap_or(i64::MAX),
        },
        Some("array") => SchemaShape::List {
            item: Box::new(below(&schema["items"], "*", path)),
            min: size("minItems", 0),
            max: size("maxItems", usize::MAX),
        },
        Some("object") if schema["additionalProperties"].is_object() => SchemaShape::Dict {
            value: Box::new(below(&schema["additionalProperties"], "*", path)),
            max: size("maxProperties", usize::MAX),
        },
        Some("object") => {
            let required: Vec<&str> = strings(&schema["required"]).collect();
            let properties = schema["properties"].as_object();
            let (one_of, alternatives) = union(schema).unzip();
            let alternatives = alternatives.unwrap_or_default();
            SchemaShape::Map {
                fields: properties
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| SchemaField {
                        name: name.clone(),
                        required: required.contains(&name.as_str()),
                        is_alternative: alternatives.contains(&name),
                        schema: below(value, name, path),
                    })
                    .collect(),
                one_of,
            }
        }
        _ => SchemaShape::Any,
    };
    Schema { shape, private: is_private(path) }
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Limits in OpenAPI are floating point numbers.
#[allow(clippy::cast_possible_truncation)]
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|n| n as i64))
}

/// Whether a path is that of input values, in any kind.
fn is_private(path: &[&str]) -> bool {
    matches!(
        path,
        ["spec", "inputs", "*", "value"]
            | ["spec", "test", "inputs", "*", "value"]
            | ["spec", "overrides", "*", "value"]
    ) || matches!(path, ["spec", "inputs", "*"] | ["spec", "test", "inputs", "*"])
}

/// The rule that requires exactly one of several fields of a map, in either form of a union: its message, and the fields.
pub(super) fn union(schema: &Value) -> Option<(String, Vec<&String>)> {
    let names: Vec<&String> = schema["properties"].as_object()?.keys().collect();
    schema["x-kubernetes-validations"].as_array()?.iter().find_map(|validation| {
        let rule = validation["rule"].as_str()?;
        let is_count = rule.ends_with(".filter(x, x).size() == 1");
        let is_either = rule.split(" != ").count() == 2 && rule.split(" != ").all(|side| side.starts_with("has(self."));
        let requires = |name: &&&String| rule.contains(&format!("has(self.{name})"));
        let alternatives: Vec<&String> = names.iter().filter(requires).copied().collect();
        let is_union = is_count && alternatives.len() == names.len() || is_either;
        Some((validation["message"].as_str().filter(|_| is_union)?.to_string(), alternatives))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(schema: &Schema, depth: usize, out: &mut String) {
        use std::fmt::Write;
        let private = if schema.private { " private" } else { "" };
        match &schema.shape {
            SchemaShape::Text { min, max, pattern, options } => {
                let pattern = pattern.as_ref().map_or("", |p| p.as_str());
                writeln!(out, "text {min}..{max} {pattern} {options:?}{private}").unwrap();
            }
            SchemaShape::Bool => writeln!(out, "bool").unwrap(),
            SchemaShape::Int { min, max } => writeln!(out, "int {min}..{max}").unwrap(),
            SchemaShape::Any => writeln!(out, "any").unwrap(),
            SchemaShape::Map { fields, one_of } => {
                writeln!(out, "map {}{private}", one_of.as_deref().unwrap_or("")).unwrap();
                for field in fields {
                    let mark = if field.required { "!" } else { "" };
                    write!(out, "{:depth$}{}{mark}: ", "", field.name).unwrap();
                    dump(&field.schema, depth + 2, out);
                }
            }
            SchemaShape::Dict { value, max } => {
                write!(out, "dict ..{max} of ").unwrap();
                dump(value, depth + 2, out);
            }
            SchemaShape::List { item, min, max } => {
                write!(out, "list {min}..{max} of ").unwrap();
                dump(item, depth + 2, out);
            }
        }
    }

    #[test]
    fn schemas_are_those_of_the_custom_resources() {
        let mut out = String::new();
        for kind in Kind::ALL {
            out.push_str(&format!("{kind}: "));
            if let Some(spec) = of(kind).child("spec") {
                dump(spec, 2, &mut out);
            }
        }
        insta::assert_snapshot!(out);
    }
}
