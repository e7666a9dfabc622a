//! The JSON Schema of all kinds, for editors: `stablekey schema`. It comes from the types that the
//! CustomResourceDefinitions come from, and says about a file what the reader says.
//!
//! One schema serves every YAML file: what it demands hangs on `apiVersion` and `kind`, so that a document of somebody
//! else's is never reported. Editors check each document of a file by itself.

use super::schema::{SERVER_FIELDS, union};
use crate::api::*;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json as value};

/// The title of the schema: it shows that `stablekey schema` wrote a file, and may replace it.
const TITLE: &str = "Stablekey's custom resources";

/// Complete documents: a field's examples are its values in them.
const EXAMPLES: &str = include_str!("json_schema/examples.yaml");
/// How many examples of a field an editor shows.
const SHOWN: usize = 3;

/// Renders the JSON Schema of all kinds.
pub fn json_schema() -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&schema())?;
    text.push('\n');
    Ok(text)
}

/// Whether a text is a schema that `stablekey schema` wrote, of any version.
pub fn is_json_schema(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|schema| schema["title"] == TITLE)
}

fn schema() -> Value {
    let examples: Vec<Value> = serde_saphyr::from_multiple(EXAMPLES).unwrap_or_default();
    let kinds: Vec<(Kind, Value)> = Kind::ALL.into_iter().map(|kind| (kind, raw_spec(kind))).collect();
    let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let meanings: Vec<String> = kinds.iter().map(|(_, spec)| description(spec).unwrap_or_default()).collect();
    // A document of ours; lists of ours are whatever a server answers.
    let of_ours = value!({
        "required": ["apiVersion"],
        "properties": {
            "apiVersion": {"type": "string", "pattern": format!("^{}/", GROUP.replace('.', "\\."))},
            "kind": {"not": {"type": "string", "pattern": "List$"}},
        },
    });
    let mut rules = vec![
        value!({
            "if": of_ours,
            "then": {
                "required": ["kind", "metadata", "spec"],
                "properties": {
                    "apiVersion": {"enum": [API_VERSION]},
                    "kind": {"enum": names, "markdownEnumDescriptions": meanings},
                },
            },
        }),
        value!({
            "if": {"required": ["kind", "metadata", "spec"], "properties": {"kind": {"enum": names}},
                   "not": {"required": ["apiVersion"]}},
            "then": {"required": ["apiVersion"]},
        }),
        // A version without a group: nobody else has these kinds there.
        value!({
            "if": {"required": ["apiVersion", "kind"],
                   "properties": {"kind": {"enum": names}, "apiVersion": {"type": "string", "pattern": "^[^/]*$"}}},
            "then": {"properties": {"apiVersion": {"enum": [API_VERSION]}}},
        }),
    ];
    for (kind, spec) in kinds {
        let examples: Vec<&Value> = examples.iter().filter(|example| example["kind"] == kind.as_str()).collect();
        let of_it = value!({
            "required": ["apiVersion", "kind"],
            "properties": {
                "apiVersion": {"type": "string", "pattern": format!("^{}/", GROUP.replace('.', "\\."))},
                "kind": {"const": kind.as_str()},
            },
        });
        rules.push(value!({"if": of_it, "then": document(kind, &spec, &examples)}));
    }
    value!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": TITLE,
        "$comment": "Written by `stablekey schema`: to update it, run that again with the newer stablekey.",
        "type": ["object", "null"],
        "properties": {
            "apiVersion": {
                "type": "string",
                "description": "The group and version of the resource.",
                "examples": [API_VERSION],
            },
            "kind": {"type": "string", "description": "The kind of the resource."},
        },
        "allOf": rules,
    })
}

/// The schema of documents of one kind.
fn document(kind: Kind, spec: &Value, examples: &[&Value]) -> Value {
    let texts = value!({"type": ["object", "null"], "additionalProperties": {"type": "string"}});
    let with = |of: &Value, description: &str| {
        let mut of = of.clone();
        of["description"] = description.into();
        of
    };
    let mut metadata = Map::new();
    let names = distinct(examples.iter().map(|example| &example["metadata"]["name"]));
    metadata.insert(
        "name".into(),
        value!({"type": "string", "minLength": 1, "maxLength": 253, "examples": names,
                "description": format!("The name of the {kind}{}.", name_of(kind))}),
    );
    let namespace = value!({"type": ["string", "null"]});
    metadata.insert("namespace".into(), with(&namespace, "The namespace. In files it is set when they are applied."));
    metadata.insert("labels".into(), with(&texts, "Labels, as of every Kubernetes object. No sync copies them."));
    metadata.insert("annotations".into(), with(&texts, "Annotations. No sync copies them."));
    for field in SERVER_FIELDS {
        metadata.insert(field.into(), value!({"description": "Written by the API server.", "doNotSuggest": true}));
    }
    let spec = node(spec, &examples.iter().map(|example| &example["spec"]).collect::<Vec<_>>());
    value!({
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind.as_str()},
            "metadata": {
                "type": "object",
                "description": "The name, labels and annotations.",
                "required": ["name"],
                "properties": metadata,
                "additionalProperties": false,
            },
            "spec": spec,
            "status": {"description": "The observed state, which the operator writes.", "doNotSuggest": true},
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
    })
}

/// What the name of a kind's objects is made of.
const fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Connection => ": its stable key in lower case, with - for _",
        Kind::Component => ": its key as a Kubernetes name, with .private if it is not public",
        Kind::Tenant | Kind::CustomerCredentials | Kind::Integration | Kind::TenantSync => "",
    }
}

fn raw_spec(kind: Kind) -> Value {
    fn raw<T: JsonSchema>() -> Value {
        let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
        settings.into_generator().into_root_schema_for::<T>().to_value()
    }
    match kind {
        Kind::Tenant => raw::<TenantSpec>(),
        Kind::Component => raw::<ComponentSpec>(),
        Kind::Connection => raw::<ConnectionSpec>(),
        Kind::CustomerCredentials => raw::<CustomerCredentialsSpec>(),
        Kind::Integration => raw::<IntegrationSpec>(),
        Kind::TenantSync => raw::<TenantSyncSpec>(),
    }
}

/// A schema without Kubernetes' own words, closed, with examples. `examples` are values that it describes.
fn node(raw: &Value, examples: &[&Value]) -> Value {
    let mut out = Map::new();
    if let Some(text) = description(raw) {
        if text.contains('`') {
            out.insert("markdownDescription".into(), text.clone().into());
        }
        out.insert("description".into(), text.into());
    }
    // `anyOf` with null is what an optional enum becomes.
    let wanted = raw["anyOf"].as_array().and_then(|any| any.iter().find(|schema| schema["type"] != "null"));
    let (shape, is_optional) = (wanted.unwrap_or(raw), wanted.is_some() || types(raw).any(|name| name == "null"));
    let options = Options::of(shape);
    if options.names.is_empty() {
        for key in ["minLength", "maxLength", "pattern", "minimum", "maximum", "minItems", "maxItems", "maxProperties"]
        {
            if !shape[key].is_null() {
                out.insert(key.into(), shape[key].clone());
            }
        }
    }
    let mut names: Vec<&str> = types(shape).filter(|name| *name != "null").collect();
    if names.is_empty() && !options.names.is_empty() {
        names.push("string");
    }
    if let [name] = names[..] {
        out.insert("type".into(), if is_optional { value!([name, "null"]) } else { name.into() });
    }
    if !options.names.is_empty() {
        let mut values = options.names;
        let mut meanings = options.meanings;
        if is_optional {
            values.push(Value::Null);
            meanings.push("Absent.".into());
        }
        out.insert("enum".into(), values.into());
        out.insert("markdownEnumDescriptions".into(), meanings.into());
        return out.into();
    }
    match names[..] {
        ["object"] => of_object(shape, examples, &mut out),
        ["array"] => {
            let items: Vec<&Value> = examples.iter().filter_map(|example| example.as_array()).flatten().collect();
            out.insert("items".into(), node(&shape["items"], &items));
        }
        ["boolean"] => {}
        _ => {
            let shown = distinct(examples.iter().copied());
            if !shown.is_empty() {
                out.insert("examples".into(), shown.into());
            }
        }
    }
    out.into()
}

fn of_object(shape: &Value, examples: &[&Value], out: &mut Map<String, Value>) {
    if shape["additionalProperties"].is_object() {
        let values: Vec<&Value> =
            examples.iter().filter_map(|example| example.as_object()).flatten().map(|e| e.1).collect();
        out.insert("additionalProperties".into(), node(&shape["additionalProperties"], &values));
        return;
    }
    let required: Vec<&str> = shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut properties = Map::new();
    for (name, field) in shape["properties"].as_object().into_iter().flatten() {
        let values: Vec<&Value> = examples.iter().map(|example| &example[name]).filter(|e| !e.is_null()).collect();
        let mut field = node(field, &values);
        if !required.contains(&name.as_str()) {
            accept_null(&mut field);
        }
        properties.insert(name.clone(), field);
    }
    if let Some((_, names)) = union(shape) {
        if names.len() == properties.len() {
            out.insert("minProperties".into(), 1.into());
            out.insert("maxProperties".into(), 1.into());
        } else {
            let one = names.iter().map(|name| value!({"required": [name]}));
            out.insert("oneOf".into(), one.collect());
        }
    }
    out.insert("properties".into(), properties.into());
    if !required.is_empty() {
        out.insert("required".into(), required.into());
    }
    out.insert("additionalProperties".into(), false.into());
}

/// Null means that a field is absent.
fn accept_null(field: &mut Value) {
    let Some(field) = field.as_object_mut() else { return };
    let Some(name) = field.get("type").and_then(Value::as_str).map(str::to_string) else { return };
    field.insert("type".into(), value!([name, "null"]));
    if let Some(values) = field.get_mut("enum").and_then(Value::as_array_mut) {
        values.push(Value::Null);
    }
    if let Some(meanings) = field.get_mut("markdownEnumDescriptions").and_then(Value::as_array_mut) {
        meanings.push("Absent.".into());
    }
}

/// The values of an enum, with their meanings.
#[derive(Default)]
struct Options {
    names: Vec<Value>,
    meanings: Vec<String>,
}

impl Options {
    fn of(shape: &Value) -> Self {
        let mut options = Options::default();
        options.add(shape);
        shape["oneOf"].as_array().into_iter().flatten().for_each(|one| options.add(one));
        options
    }

    fn add(&mut self, shape: &Value) {
        let meaning = if shape["const"].is_null() { None } else { description(shape) };
        let listed = shape["enum"].as_array().into_iter().flatten();
        for name in listed.chain(shape.get("const")).filter(|name| !name.is_null()) {
            self.names.push(name.clone());
            self.meanings.push(meaning.clone().unwrap_or_default());
        }
    }
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let one = schema["type"].as_str();
    one.into_iter().chain(schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str))
}

/// The description, without line breaks within paragraphs.
fn description(schema: &Value) -> Option<String> {
    let text = schema["description"].as_str()?;
    let paragraphs: Vec<String> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
    Some(paragraphs.join("\n\n"))
}

/// The first different values.
fn distinct<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for value in values.filter(|value| !value.is_null()) {
        if found.len() < SHOWN && !found.contains(value) {
            found.push(value.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::read_text;
    use super::*;

    /// Calls `visit` with each field of all kinds, and its path.
    fn fields(schema: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            visit(&path, field);
            fields(field, &path, visit);
        }
        for (below, step) in [("items", "[]"), ("additionalProperties", "*")] {
            if schema[below].is_object() {
                let path = format!("{path}.{step}");
                visit(&path, &schema[below]);
                fields(&schema[below], &path, visit);
            }
        }
    }

    fn specs() -> Vec<(Kind, Value)> {
        let schema = schema();
        let rules = schema["allOf"].as_array().unwrap().clone();
        let of = |kind: Kind| {
            rules.iter().find(|rule| rule["if"]["properties"]["kind"]["const"] == kind.as_str()).unwrap()["then"]
                .clone()
        };
        Kind::ALL.into_iter().map(|kind| (kind, of(kind)["properties"]["spec"].clone())).collect()
    }

    #[test]
    fn every_field_has_a_description_and_every_text_an_example() {
        let mut without = Vec::new();
        for (kind, spec) in specs() {
            fields(&spec, kind.as_str(), &mut |path, field| {
                let is_named = !path.ends_with("[]") && !path.ends_with('*');
                if is_named && field["description"].as_str().is_none_or(str::is_empty) {
                    without.push(format!("{path}: no description"));
                }
                let is_scalar = types(field).any(|name| ["string", "integer"].contains(&name));
                if is_scalar && field["enum"].is_null() && field["examples"].as_array().is_none_or(Vec::is_empty) {
                    without.push(format!("{path}: no example in src/manifest/json_schema/examples.yaml"));
                }
                if let Some(values) = field["enum"].as_array().filter(|_| types(field).any(|name| name == "string")) {
                    let meanings = field["markdownEnumDescriptions"].as_array().unwrap();
                    assert_eq!(values.len(), meanings.len(), "{path}");
                    assert!(meanings.iter().all(|meaning| meaning != ""), "{path}: {meanings:?}");
                }
            });
        }
        assert!(without.is_empty(), "{}", without.join("\n"));
    }

    #[test]
    fn nothing_of_kubernetes_alone_is_left_and_objects_are_closed() {
        let text = json_schema().unwrap();
        assert!(!text.contains("x-kubernetes") && !text.contains("nullable") && !text.contains("$ref"), "{text}");
        for (kind, spec) in specs() {
            fields(&spec, kind.as_str(), &mut |path, field| {
                if types(field).any(|name| name == "object") {
                    assert!(!field["additionalProperties"].is_null(), "{path} is open");
                }
            });
        }
    }

    /// The same fields, bounds and required fields as in the CustomResourceDefinitions.
    #[test]
    fn it_demands_what_the_custom_resources_demand() {
        for (kind, spec) in specs() {
            let crd = serde_json::to_value(crd(kind)).unwrap();
            let crd = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
            let facts = |schema: &Value| {
                let mut facts = Vec::new();
                fields(schema, kind.as_str(), &mut |path, field| {
                    let name = types(field).find(|name| *name != "null").unwrap_or_default().to_string();
                    let limits =
                        ["minLength", "maxLength", "pattern", "maxItems", "minItems"].map(|k| field[k].clone());
                    let mut required: Vec<String> =
                        serde_json::from_value(field["required"].clone()).unwrap_or_default();
                    required.sort();
                    let values = field["enum"].as_array().cloned().unwrap_or_default();
                    let values: Vec<Value> = values.into_iter().filter(|value| !value.is_null()).collect();
                    facts.push(format!("{path} {name} {limits:?} {required:?} {values:?}"));
                });
                facts.sort();
                facts
            };
            assert_eq!(facts(&spec), facts(&crd), "{kind}");
            let required = |schema: &Value| {
                let mut required: Vec<String> = serde_json::from_value(schema["required"].clone()).unwrap_or_default();
                required.sort();
                required
            };
            assert_eq!(required(&spec), required(&crd), "{kind}");
        }
    }

    /// An editor and the reader agree on these documents: what is reported, and what is not.
    #[test]
    fn it_reports_what_the_reader_reports() {
        let schema = jsonschema::draft7::new(&schema()).unwrap();
        assert!(jsonschema::draft7::meta::is_valid(&self::schema()));
        let agree = |text: &str| {
            let value: Value = serde_saphyr::from_str(text).unwrap();
            let reading = read_text("a.yaml", text.to_string());
            let (by_schema, by_reader) = (schema.is_valid(&value), reading.problems().is_empty());
            assert_eq!(by_schema, by_reader, "{text}\n{:?}", reading.problems());
            by_reader
        };
        for text in EXAMPLES.split("\n---\n") {
            assert!(agree(text));
            for (from, to) in [
                ("spec:", "specs:"),
                ("spec:", "spec:\n  other: 1"),
                ("metadata: {name:", "metadata: {nam:"),
                ("metadata: {", "metadata: {finalizers: [a], labels: {a: b}, uid: c, "),
                ("metadata: {", "metadata: {label: {a: b}, "),
                ("v1alpha1", "v1alpha2"),
                ("kind: ", "kind: X"),
                ("\nspec:", "\nstatus: {anything: [1]}\nspec:"),
            ] {
                agree(&text.replacen(from, to, 1));
            }
        }
        let connection = |spec: &str| {
            format!(
                "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {{name: a}}\nspec: {{stableKey: a, \
                 component: {{key: b}}, type: c, {spec}}}\n"
            )
        };
        let (valid, all) = (
            "credentials: User",
            [
                ("credentials: Users", false),
                ("credentials: null", false),
                ("credentials: User, title: null, inputs: null, replaces: null, deletionPolicy: null", true),
                ("credentials: User, deletionPolicy: Keep", false),
                ("credentials: User, inputs: {a: {}}", false),
                ("credentials: User, inputs: {a: {value: x, perCustomer: true}}", false),
                ("credentials: User, inputs: {a: {perCustomer: false}}", false),
                ("credentials: User, inputs: {a: x}", false),
                ("credentials: User, embeddedWorkflows: 'true'", false),
                ("credentials: User, replaces: [a b]", false),
                ("credentials: User, title: 3", false),
            ],
        );
        assert!(agree(&connection(valid)));
        for (spec, is_valid) in all {
            assert_eq!(agree(&connection(spec)), is_valid, "{spec}");
        }
        assert!(!agree("apiVersion: v1\nkind: Tenant\nmetadata: {name: a}\nspec: {}\n"));
        for other in [
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nspec: 3\n",
            "apiVersion: v1\nkind: Secret\n",
            "apiVersion: example.com/v1\nkind: Tenant\n",
            "a: b\n",
        ] {
            assert!(agree(other), "{other}");
        }
    }

    #[test]
    fn examples_are_valid_documents() {
        let reading = read_text("examples.yaml", EXAMPLES.to_string());
        assert!(reading.problems().is_empty(), "{:?}", reading.problems());
        let kinds: std::collections::BTreeSet<Kind> = reading.documents.iter().map(|d| d.resource.kind()).collect();
        assert_eq!(kinds.len(), Kind::ALL.len());
    }
}
