//! GitHub's own description of its API (OpenAPI), and the check of requests and answers by it.

use super::server::Exchange;
use crate::cli::repository;
use http::StatusCode;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// Where `hack/forges/build` puts it.
const FILE: &str = "node_modules/@octokit/openapi/generated/api.github.com.json";
const OURS: [&str; 2] = ["acme", "connections"];

/// The description of api.github.com.
pub struct Description {
    document: Value,
    /// The validators of schemas, by their place.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

impl Description {
    /// Reads what `hack/forges/build` installs, which needs Node with npm.
    pub fn installed() -> Self {
        let build = repository("hack/forges/build");
        let output = Command::new(&build).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{} failed; what it said is above", build.display());
        let folder = String::from_utf8(output.stdout).unwrap();
        let text = std::fs::read(std::path::Path::new(folder.trim_end()).join(FILE)).unwrap();
        let mut document: Value = serde_json::from_slice(&text).unwrap();
        to_json_schema(&mut document);
        Description { document, validators: Mutex::default() }
    }

    /// Returns what is wrong with requests and their answers, a line each; nothing if they are as described.
    pub fn problems(&self, exchanges: &[Exchange]) -> Vec<String> {
        let problem = |exchange: &Exchange| {
            let what = format!("{} {}", exchange.method, exchange.path);
            self.check(exchange).into_iter().map(move |problem| format!("{what}: {problem}"))
        };
        exchanges.iter().flat_map(problem).collect()
    }

    fn check(&self, exchange: &Exchange) -> Vec<String> {
        let Some((template, values)) = self.template(&exchange.path) else {
            return vec!["there is no such path".to_string()];
        };
        let method = exchange.method.to_lowercase();
        let place = format!("/paths/{}/{method}", escaped(&template));
        let Some(operation) = self.document.pointer(&place) else {
            return vec![format!("{template} has no {method}")];
        };
        let mut problems = self.parameters(operation, &values, &exchange.query);
        problems.extend(self.request(&place, operation, exchange));
        problems.extend(self.answer(&place, operation, exchange));
        problems
    }

    /// Returns the path of the description that a path matches, and the values of its parameters.
    fn template(&self, path: &str) -> Option<(String, BTreeMap<String, String>)> {
        // A link to another page names the repository by its id, which the description does not have.
        let [owner, name] = OURS;
        let path = path.replacen("/repositories/1/", &format!("/repos/{owner}/{name}/"), 1);
        let parts: Vec<&str> = path.split('/').collect();
        let matched = |template: &String| {
            let wanted: Vec<&str> = template.split('/').collect();
            // A path of a file is one parameter.
            let is_file = template.ends_with("/contents/{path}") && parts.len() >= wanted.len();
            if wanted.len() != parts.len() && !is_file {
                return None;
            }
            let mut values = BTreeMap::new();
            for (at, wanted) in wanted.iter().enumerate() {
                match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) if is_file && name == "path" => {
                        drop(values.insert(name.to_string(), parts[at..].join("/")))
                    }
                    Some(name) => drop(values.insert(name.to_string(), parts[at].to_string())),
                    None if *wanted != parts[at] => return None,
                    None => {}
                }
            }
            Some((template.clone(), values))
        };
        let all = self.document["paths"].as_object().unwrap().keys().filter_map(matched);
        // Of several the one with the fewest parameters is meant.
        all.min_by_key(|(_, values)| values.len())
    }

    fn parameters(
        &self,
        operation: &Value,
        values: &BTreeMap<String, String>,
        query: &[(String, String)],
    ) -> Vec<String> {
        let described: Vec<&Value> =
            operation["parameters"].as_array().into_iter().flatten().map(|of| self.resolved(of)).collect();
        let find = |location: &str, name: &str| described.iter().find(|of| of["in"] == location && of["name"] == name);
        let mut problems = Vec::new();
        let mut check = |location: &str, name: &str, value: &str| match find(location, name) {
            None => problems.push(format!("there is no parameter {name} in its {location}")),
            Some(of) => {
                let typed = typed(self.resolved(&of["schema"]), value);
                let validator = self.validator(&format!("parameter {name} {}", of["schema"]), of["schema"].clone());
                let wrong = validator.iter_errors(&typed).map(|error| format!("parameter {name}: {error}"));
                problems.extend(wrong.collect::<Vec<_>>());
            }
        };
        values.iter().for_each(|(name, value)| check("path", name, value));
        query.iter().for_each(|(name, value)| check("query", name, value));
        let is_given = |of: &&&Value| query.iter().any(|(name, _)| of["name"] == *name);
        let missing = described.iter().filter(|of| of["in"] == "query" && of["required"] == true && !is_given(of));
        problems.extend(missing.map(|of| format!("parameter {} is missing", of["name"])));
        problems
    }

    fn request(&self, place: &str, operation: &Value, exchange: &Exchange) -> Vec<String> {
        let content = &self.resolved(&operation["requestBody"])["content"]["application/json"]["schema"];
        if content.is_null() {
            return if exchange.body.is_empty() { Vec::new() } else { vec!["it takes no body".to_string()] };
        }
        let Ok(body) = serde_json::from_slice::<Value>(&exchange.body) else {
            return vec!["its body is not JSON".to_string()];
        };
        let mut problems = Vec::new();
        if !exchange.header("content-type").is_some_and(|content| content.starts_with("application/json")) {
            problems.push("its content-type is not application/json".to_string());
        }
        let validator = self.validator(&format!("{place} request"), content.clone());
        problems.extend(validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())));
        problems.extend(self.unknown_fields(content, &body, ""));
        problems
    }

    /// Fields of a request that the description does not have: it permits them, and the server ignores them.
    fn unknown_fields(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let schema = self.resolved(schema);
        if let Some(items) = value.as_array() {
            let of_items = items.iter().map(|item| self.unknown_fields(&schema["items"], item, &format!("{at}/*")));
            return of_items.flatten().collect();
        }
        let (Some(known), Some(fields)) = (schema["properties"].as_object(), value.as_object()) else {
            return Vec::new();
        };
        let of_field = |(name, value): (&String, &Value)| match known.get(name) {
            None => vec![format!("{at}/{name}: there is no such field")],
            Some(schema) => self.unknown_fields(schema, value, &format!("{at}/{name}")),
        };
        fields.iter().flat_map(of_field).collect()
    }

    fn answer(&self, place: &str, operation: &Value, exchange: &Exchange) -> Vec<String> {
        let Some(status) = exchange.status else { return Vec::new() };
        let described = self.resolved(&operation["responses"][status.as_str()]);
        if described.is_null() {
            // Any operation may answer so.
            let is_common = [
                StatusCode::UNAUTHORIZED,
                StatusCode::FORBIDDEN,
                StatusCode::NOT_FOUND,
                StatusCode::UNPROCESSABLE_ENTITY,
                StatusCode::TOO_MANY_REQUESTS,
            ];
            let is_known = is_common.contains(&status) || status.is_server_error();
            return if is_known { Vec::new() } else { vec![format!("it has no answer {status}")] };
        }
        let schema = &described["content"]["application/json"]["schema"];
        let (false, Ok(answer)) = (schema.is_null(), serde_json::from_slice::<Value>(&exchange.answer)) else {
            return Vec::new();
        };
        let validator = self.validator(&format!("{place} {status}"), schema.clone());
        let wrong = validator.iter_errors(&answer).map(|error| format!("answer {}: {error}", error.instance_path()));
        wrong.collect()
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(place) => self.resolved(self.document.pointer(place).unwrap_or(&Value::Null)),
            None => value,
        }
    }

    /// Returns the validator of a schema, whose references lead into the description.
    fn validator(&self, name: &str, schema: Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let made = || {
            let whole = json!({"allOf": [schema], "components": self.document["components"]});
            Arc::new(jsonschema::draft7::new(&whole).unwrap_or_else(|error| panic!("{name}: {error}")))
        };
        validators.entry(name.to_string()).or_insert_with(made).clone()
    }
}

/// A part of a JSON pointer.
fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// The value of a parameter, as its schema has it.
fn typed(schema: &Value, value: &str) -> Value {
    match schema["type"].as_str() {
        Some("integer") => value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number)),
        Some("boolean") => value.parse::<bool>().map_or_else(|_| json!(value), |flag| json!(flag)),
        // A workflow is named by its file, or by its id.
        None if schema["oneOf"].is_array() => {
            value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number))
        }
        _ => json!(value),
    }
}

/// Rewrites what OpenAPI 3.0 says in its own way: `nullable`.
fn to_json_schema(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(to_json_schema),
        Value::Object(fields) => {
            fields
                .iter_mut()
                .filter(|(name, _)| *name != "example" && *name != "examples")
                .for_each(|(_, value)| to_json_schema(value));
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                make_nullable(fields);
            }
        }
        _ => {}
    }
}

fn make_nullable(fields: &mut Map<String, Value>) {
    fields.remove("nullable");
    let whole = Value::Object(std::mem::take(fields));
    fields.insert("anyOf".to_string(), json!([{"type": "null"}, whole]));
}
