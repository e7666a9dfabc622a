//! Compares two JSON Schemas: `narrowed` those of what is read, `widened` those of what is written. A keyword that
//! neither knows must stay as it was.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Keywords that neither accept nor refuse anything; `$defs` are compared where they are referred to.
const WORDS: [&str; 8] = ["$schema", "$id", "$comment", "title", "description", "examples", "$defs", "definitions"];
/// Upper and lower bounds.
const UPPER: [&str; 4] = ["maxLength", "maxItems", "maxProperties", "maximum"];
const LOWER: [&str; 4] = ["minLength", "minItems", "minProperties", "minimum"];
/// Keywords that only refuse: without them, more is accepted.
const ONLY_REFUSE: [&str; 6] = ["pattern", "format", "const", "multipleOf", "not", "propertyNames"];

fn texts(value: &Value) -> BTreeSet<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn all(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// A schema as an object: `true` accepts everything, `false` nothing.
fn object(schema: &Value) -> Value {
    match schema {
        Value::Bool(true) => json!({}),
        Value::Bool(false) => json!({"not": {}}),
        other => other.clone(),
    }
}

/// Two documents, whose parts are compared.
struct Comparison<'a> {
    was: &'a Value,
    is: &'a Value,
    /// The references on the way here: a schema may contain itself.
    within: Vec<String>,
    found: Vec<String>,
}

/// Returns what an earlier schema of inputs accepts and the newer one does not, and fields that are gone.
pub fn narrowed(name: &str, was: &Value, is: &Value) -> Vec<String> {
    let mut comparison = Comparison { was, is, within: Vec::new(), found: Vec::new() };
    comparison.inputs(name, was, is);
    comparison.found
}

/// Returns what a program finds in outputs of the earlier schema, and may not find in those of the newer one.
pub fn widened(name: &str, was: &Value, is: &Value) -> Vec<String> {
    let mut comparison = Comparison { was, is, within: Vec::new(), found: Vec::new() };
    comparison.outputs(name, was, is);
    for group in ["$defs", "definitions"] {
        for (definition, was) in members(&was[group]) {
            comparison.outputs(&format!("{name}.{definition}"), was, &is[group][definition]);
        }
    }
    comparison.found
}

/// Puts what `$ref` leads to in its place.
fn resolved(document: &Value, schema: &Value) -> Value {
    let mut schema = object(schema);
    while let Some(to) = schema["$ref"].as_str() {
        let target = document.pointer(to.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{to} is missing"));
        let mut merged: Map<String, Value> = object(target).as_object().unwrap().clone();
        for (keyword, value) in schema.as_object().unwrap().iter().filter(|(keyword, _)| *keyword != "$ref") {
            let same = merged.insert(keyword.clone(), value.clone()).is_none_or(|there| there == *value);
            assert!(same || WORDS.contains(&keyword.as_str()), "{to} and what stands beside it have {keyword}");
        }
        schema = merged.into();
    }
    schema
}

impl Comparison<'_> {
    fn report(&mut self, text: String) {
        self.found.push(text);
    }

    /// Compares parts with one of these functions apart, and returns what it finds.
    fn apart(
        &mut self,
        compare: fn(&mut Self, &str, &Value, &Value),
        path: &str,
        was: &Value,
        is: &Value,
    ) -> Vec<String> {
        let before = std::mem::take(&mut self.found);
        compare(self, path, was, is);
        std::mem::replace(&mut self.found, before)
    }

    /// Follows references on both sides; `None` where this pair is being compared already.
    fn both(&mut self, was: &Value, is: &Value) -> Option<(Value, Value)> {
        let pair = format!("{} {}", was["$ref"], is["$ref"]);
        if was["$ref"].is_string() {
            if self.within.contains(&pair) {
                return None;
            }
            self.within.push(pair);
        }
        Some((resolved(self.was, was), resolved(self.is, is)))
    }

    fn bounds(&mut self, path: &str, was: &Value, is: &Value, tighter: bool) {
        let (a, b) = if tighter { (was, is) } else { (is, was) };
        for (bound, is_upper) in UPPER.map(|bound| (bound, true)).into_iter().chain(LOWER.map(|bound| (bound, false))) {
            let Some(limit) = b[bound].as_f64() else { continue };
            let within = |other: f64| if is_upper { other <= limit } else { other >= limit };
            if !a[bound].as_f64().is_some_and(within) {
                self.report(format!("{path} {bound}: {} became {}", was[bound], is[bound]));
            }
        }
    }

    /// Reports keywords that differ, except those that were compared.
    fn rest(&mut self, path: &str, was: &Value, is: &Value, compared: &[&str]) {
        let keywords: BTreeSet<&String> = members(was).chain(members(is)).map(|(keyword, _)| keyword).collect();
        for keyword in keywords {
            let known = [compared, &WORDS, &UPPER, &LOWER].iter().any(|list| list.contains(&keyword.as_str()));
            if !known && was[keyword] != is[keyword] {
                self.report(format!("{path} {keyword}: {} became {}", was[keyword], is[keyword]));
            }
        }
    }

    fn inputs(&mut self, path: &str, was: &Value, is: &Value) {
        if is.is_null() {
            return self.report(format!("{path} is gone"));
        }
        let depth = self.within.len();
        let Some((was, is)) = self.both(was, is) else { return };
        self.bounds(path, &was, &is, true);
        for keyword in ONLY_REFUSE {
            if !is[keyword].is_null() && was[keyword] != is[keyword] {
                self.report(format!("{path} {keyword}: {} became {}", was[keyword], is[keyword]));
            }
        }
        for flag in ["uniqueItems", "nullable"] {
            // The one refuses, the other accepts.
            let worse = if flag == "nullable" { &was } else { &is };
            if worse[flag] == true && was[flag] != is[flag] {
                self.report(format!("{path} {flag}: {} became {}", was[flag], is[flag]));
            }
        }
        let accepted = all(&is["enum"]);
        if !is["enum"].is_null() && (was["enum"].is_null() || all(&was["enum"]).iter().any(|v| !accepted.contains(v))) {
            self.report(format!("{path} enum: {} became {}", was["enum"], is["enum"]));
        }
        for required in texts(&is["required"]).difference(&texts(&was["required"])) {
            self.report(format!("{path} requires {required}"));
        }
        let rule = |rule: &Value| rule["rule"].as_str().unwrap_or_default().to_string();
        const RULES: &str = "x-kubernetes-validations";
        let rules: Vec<String> = all(&was[RULES]).iter().map(rule).collect();
        for new in all(&is[RULES]).iter().map(rule).filter(|rule| !rules.contains(rule)) {
            self.report(format!("{path} rule: {new}"));
        }
        for (name, was) in members(&was["properties"]) {
            self.inputs(&format!("{path}.{name}"), was, &is["properties"][name]);
        }
        self.inputs_of_names(path, &was, &is);
        if was["items"].is_null() && !is["items"].is_null() && is["items"] != true {
            self.report(format!("{path} items: null became {}", is["items"]));
        } else if !was["items"].is_null() {
            self.inputs(&format!("{path}.items"), &was["items"], &is["items"]);
        }
        self.alternatives(path, &was, &is);
        let compared = [
            &ONLY_REFUSE[..],
            &["uniqueItems", "nullable", "enum", "required", RULES, "properties", "additionalProperties", "items"],
            &["oneOf", "anyOf", "allOf"],
        ];
        self.rest(path, &was, &is, &compared.concat());
        self.within.truncate(depth);
    }

    fn inputs_of_names(&mut self, path: &str, was: &Value, is: &Value) {
        const OTHERS: &str = "additionalProperties";
        match (&was[OTHERS], &is[OTHERS]) {
            (Value::Bool(false), _) => (),
            (Value::Null | Value::Bool(true), Value::Null | Value::Bool(true)) => (),
            (Value::Null | Value::Bool(true), is) => {
                self.report(format!("{path} {OTHERS}: {} became {is}", was[OTHERS]));
            }
            // In a CRD, names without a schema are dropped.
            (was, is) => self.inputs(&format!("{path}.{OTHERS}"), was, is),
        }
    }

    fn alternatives(&mut self, path: &str, was: &Value, is: &Value) {
        for keyword in ["oneOf", "anyOf"] {
            let (before, now) = (all(&was[keyword]), all(&is[keyword]));
            if now.is_empty() {
                continue;
            }
            if before.is_empty() {
                self.report(format!("{path} {keyword} is new"));
                continue;
            }
            let mut taken = BTreeSet::new();
            for (i, was) in before.iter().enumerate() {
                let found = (0..now.len())
                    .find(|n| !taken.contains(n) && self.apart(Self::inputs, path, was, &now[*n]).is_empty());
                match found {
                    Some(n) => {
                        taken.insert(n);
                    }
                    None => self.report(format!("{path} {keyword}[{i}] accepts less")),
                }
            }
            // What two alternatives accept, oneOf refuses: a new one must require a field that is new too.
            for (n, new) in now.iter().enumerate().filter(|(n, _)| keyword == "oneOf" && !taken.contains(n)) {
                let is_new = |field: &&str| was["properties"][field].is_null() && is["properties"][field].is_object();
                if !texts(&new["required"]).iter().any(is_new) {
                    self.report(format!("{path} {keyword}[{n}] is new"));
                }
            }
        }
        for new in all(&is["allOf"]).iter().filter(|new| !all(&was["allOf"]).contains(new)) {
            self.report(format!("{path} allOf: {new} is new"));
        }
    }

    fn outputs(&mut self, path: &str, was: &Value, is: &Value) {
        if is.is_null() {
            return self.report(format!("{path} is gone"));
        }
        let depth = self.within.len();
        let Some((was, is)) = self.both(was, is) else { return };
        // A program may depend on each bound.
        self.bounds(path, &was, &is, false);
        for required in texts(&was["required"]).difference(&texts(&is["required"])) {
            self.report(format!("{path}.{required} may be absent"));
        }
        // A list of words may get more of them.
        let words = |schema: &Value| match &schema["const"] {
            Value::Null => all(&schema["enum"]).to_vec(),
            word => vec![word.clone()],
        };
        let (before, now) = (words(&was), words(&is));
        if before.iter().any(|word| !now.contains(word)) {
            self.report(format!("{path} values: {} became {}", json!(before), json!(now)));
        }
        for (name, was) in members(&was["properties"]) {
            self.outputs(&format!("{path}.{name}"), was, &is["properties"][name]);
        }
        for nested in ["items", "additionalProperties", "propertyNames"] {
            if was[nested].is_object() {
                self.outputs(&format!("{path}.{nested}"), &was[nested], &is[nested]);
            }
        }
        for keyword in ["oneOf", "anyOf"] {
            for (i, was) in all(&was[keyword]).iter().enumerate() {
                let branches: Vec<_> =
                    all(&is[keyword]).iter().map(|is| self.apart(Self::outputs, path, was, is)).collect();
                if branches.iter().any(Vec::is_empty) {
                    continue;
                }
                // The most similar one says best what changed.
                let nearest = branches.into_iter().min_by_key(Vec::len).unwrap_or_default();
                self.report(format!("{path} {keyword}[{i}] is gone or another: {}", nearest.join("; ")));
            }
        }
        let compared = ["required", "const", "enum", "properties", "items", "additionalProperties", "propertyNames"];
        self.rest(path, &was, &is, &[&compared[..], &["oneOf", "anyOf"]].concat());
        self.within.truncate(depth);
    }
}

#[test]
fn each_keyword_that_accepts_less_is_found() {
    let named =
        |is: Value| json!({"type": "object", "properties": {"old": {"type": "string"}, "new": {}}, "oneOf": is});
    for (was, is, wanted) in [
        (json!({"type": "string"}), json!({"type": "integer"}), "x type: \"string\" became \"integer\""),
        (json!({"type": "string"}), json!({}), "x type: \"string\" became null"),
        (json!({}), json!({"type": "string"}), "x type: null became \"string\""),
        (json!({"maxLength": 9}), json!({"maxLength": 8}), "x maxLength: 9 became 8"),
        (json!({}), json!({"maxItems": 8}), "x maxItems: null became 8"),
        (json!({"minimum": 1}), json!({"minimum": 2}), "x minimum: 1 became 2"),
        (json!({}), json!({"pattern": "^a"}), "x pattern: null became \"^a\""),
        (json!({}), json!({"const": 1}), "x const: null became 1"),
        (json!({}), json!({"not": {"required": ["a"]}}), "x not: null became {\"required\":[\"a\"]}"),
        (json!({}), json!(false), "x not: null became {}"),
        (json!({}), json!({"propertyNames": {"maxLength": 1}}), "x propertyNames: null became {\"maxLength\":1}"),
        (json!({}), json!({"uniqueItems": true}), "x uniqueItems: null became true"),
        (json!({"nullable": true}), json!({}), "x nullable: true became null"),
        (json!({"enum": [1, 2]}), json!({"enum": [1]}), "x enum: [1,2] became [1]"),
        (json!({}), json!({"enum": [1]}), "x enum: null became [1]"),
        (json!({}), json!({"required": ["a"]}), "x requires a"),
        (json!({}), json!({"x-kubernetes-validations": [{"rule": "self > 1"}]}), "x rule: self > 1"),
        (json!({}), json!({"default": 1}), "x default: null became 1"),
        (json!({}), json!({"if": {}, "then": false}), "x if: null became {}"),
        (json!({"x-kubernetes-list-type": "map"}), json!({}), "x x-kubernetes-list-type: \"map\" became null"),
        (json!({"properties": {"a": {}}}), json!({"properties": {"b": {}}}), "x.a is gone"),
        (
            json!({"properties": {"a": {}}}),
            json!({"properties": {"a": {"minItems": 1}}}),
            "x.a minItems: null became 1",
        ),
        (json!({}), json!({"additionalProperties": false}), "x additionalProperties: null became false"),
        (
            json!({"additionalProperties": {}}),
            json!({"additionalProperties": false}),
            "x.additionalProperties not: null became {}",
        ),
        (json!({"additionalProperties": {}}), json!({}), "x.additionalProperties is gone"),
        (
            json!({"additionalProperties": {"maxLength": 2}}),
            json!({"additionalProperties": {"maxLength": 1}}),
            "x.additionalProperties maxLength: 2 became 1",
        ),
        (json!({}), json!({"items": {"maxLength": 1}}), "x items: null became {\"maxLength\":1}"),
        (json!({"items": {}}), json!({"items": {"maxLength": 1}}), "x.items maxLength: null became 1"),
        (json!({}), json!({"anyOf": [{"maxLength": 1}]}), "x anyOf is new"),
        (json!({"anyOf": [{}, {}]}), json!({"anyOf": [{}]}), "x anyOf[1] accepts less"),
        (json!({"oneOf": [{"maxLength": 2}]}), json!({"oneOf": [{"maxLength": 1}]}), "x oneOf[0] accepts less"),
        (
            json!({"oneOf": [{"required": ["a"]}]}),
            json!({"oneOf": [{"required": ["a"]}, {"minItems": 1}]}),
            "x oneOf[1] is new",
        ),
        (
            named(json!([{"required": ["new"]}])),
            named(json!([{"required": ["new"]}, {"required": ["old"]}])),
            "x oneOf[1] is new",
        ),
        (json!({}), json!({"allOf": [{"maxLength": 1}]}), "x allOf: {\"maxLength\":1} is new"),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"maxLength": 2}}}),
            json!({"$ref": "#/$defs/b", "$defs": {"b": {"maxLength": 1}}}),
            "x maxLength: 2 became 1",
        ),
    ] {
        let found = narrowed("x", &was, &is);
        assert!(found.iter().any(|change| change == wanted), "{was} {is}: {found:#?}");
    }
}

#[test]
fn what_accepts_more_is_not_found() {
    let tree = |bound: u32| {
        json!({"$ref": "#/$defs/tree", "$defs": {"tree": {
            "maxItems": bound, "properties": {"below": {"items": {"$ref": "#/$defs/tree"}}},
        }}})
    };
    for (was, is) in [
        (json!({"maxLength": 8, "minimum": 2}), json!({"maxLength": 9, "minimum": 1})),
        (json!({"pattern": "^a", "not": {}, "const": 1}), json!({})),
        (json!({"enum": [1], "required": ["a"]}), json!({"enum": [1, 2]})),
        (json!({"additionalProperties": false}), json!({"additionalProperties": {"type": "string"}})),
        (json!({"x-kubernetes-validations": [{"rule": "a", "message": "b"}]}), json!({"x-kubernetes-validations": []})),
        (json!({"anyOf": [{"maxLength": 1}]}), json!({"anyOf": [{"minLength": 9}, {"maxLength": 2}]})),
        (
            json!({"properties": {"a": {}}, "oneOf": [{"required": ["a"]}]}),
            json!({"properties": {"a": {}, "b": {}}, "oneOf": [{"required": ["b"]}, {"required": ["a"]}]}),
        ),
        (json!({"allOf": [{"maxLength": 1}]}), json!({})),
        (json!({"nullable": false, "description": "a"}), json!({"nullable": true, "description": "b"})),
        (tree(1), tree(2)),
    ] {
        assert_eq!(narrowed("x", &was, &is), [""; 0], "{was} {is}");
    }
    assert_eq!(narrowed("x", &tree(2), &tree(1)), ["x maxItems: 2 became 1"]);
}

#[test]
fn each_keyword_that_takes_something_from_a_reader_is_found() {
    let kinds = |text: Value| {
        json!({"oneOf": [
            {"required": ["text"], "properties": {"kind": {"const": "kept"}, "text": text}},
            {"properties": {"kind": {"const": "drift"}}},
        ]})
    };
    for (was, is, wanted) in [
        (json!({"type": "string"}), json!({"type": "integer"}), "x type: \"string\" became \"integer\""),
        (json!({"type": "string"}), json!({}), "x type: \"string\" became null"),
        (json!({"type": "string"}), json!(true), "x type: \"string\" became null"),
        (json!({"pattern": "^a"}), json!({}), "x pattern: \"^a\" became null"),
        (json!({"format": "date"}), json!({"format": "time"}), "x format: \"date\" became \"time\""),
        (json!({"uniqueItems": true}), json!({}), "x uniqueItems: true became null"),
        (json!({"required": ["a"]}), json!({}), "x.a may be absent"),
        (json!({"minItems": 1}), json!({}), "x minItems: 1 became null"),
        (json!({"maximum": 1}), json!({"maximum": 2}), "x maximum: 1 became 2"),
        (json!({"const": "a"}), json!({"const": "b"}), "x values: [\"a\"] became [\"b\"]"),
        (json!({"enum": ["a", "b"]}), json!({"enum": ["a", "c"]}), "x values: [\"a\",\"b\"] became [\"a\",\"c\"]"),
        (json!({"properties": {"a": {}}}), json!({}), "x.a is gone"),
        (json!({"items": {"type": "string"}}), json!({"items": {}}), "x.items type: \"string\" became null"),
        (json!({"items": {}}), json!({}), "x.items is gone"),
        (
            json!({"additionalProperties": {"type": "string"}}),
            json!({"additionalProperties": {"type": "integer"}}),
            "x.additionalProperties type: \"string\" became \"integer\"",
        ),
        (
            json!({"propertyNames": {"pattern": "^a"}}),
            json!({"propertyNames": {"pattern": "^b"}}),
            "x.propertyNames pattern: \"^a\" became \"^b\"",
        ),
        (json!({"anyOf": [{"type": "string"}]}), json!({}), "x anyOf[0] is gone or another: "),
        (
            kinds(json!({"type": "string"})),
            kinds(json!({"type": "integer"})),
            "x oneOf[0] is gone or another: x.text type: \"string\" became \"integer\"",
        ),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"required": ["b"]}}}),
            json!({"$ref": "#/$defs/c", "$defs": {"c": {}}}),
            "x.b may be absent",
        ),
        (json!({"$defs": {"a": {}}}), json!({}), "x.a is gone"),
        (json!({"not": {"required": ["a"]}}), json!({}), "x not: {\"required\":[\"a\"]} became null"),
    ] {
        let found = widened("x", &was, &is);
        assert!(found.iter().any(|change| change == wanted), "{was} {is}: {found:#?}");
    }
}

#[test]
fn what_a_reader_may_ignore_is_not_found() {
    for (was, is) in [
        (json!({"properties": {"a": {}}}), json!({"properties": {"a": {}, "b": {}}, "required": ["b"]})),
        (json!({"enum": ["a"]}), json!({"enum": ["a", "b"]})),
        (json!({"const": "a"}), json!({"enum": ["a", "b"]})),
        (json!({"oneOf": [{"const": "a"}]}), json!({"oneOf": [{"const": "b"}, {"const": "a"}]})),
        (json!({"maximum": 2}), json!({"maximum": 1})),
        (json!({"type": "string"}), json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}})),
    ] {
        assert_eq!(widened("x", &was, &is), [""; 0], "{was} {is}");
    }
}
