//! Every CEL rule of crds/ on a real API server, with its message.

use crate::kubectl::cases::{self, Case};
use crate::kubectl::support::{apply, document, list, repository};
use serde_json::{Value, json};
use stablekey::api::{Kind, crd};
use stablekey_clusters::shared;

const TRY: &str = "--server-side --dry-run=server";

/// Returns the objects of a case, named so that their messages can be distinguished.
fn objects(case: &Case, what: &str, specs: &[Value]) -> Vec<Value> {
    let named = |(position, spec): (usize, &Value)| {
        let name = format!("{}-{what}-{position}", case.name);
        let mut spec = spec.clone();
        if case.kind == Kind::Connection && spec.get("stableKey").is_none() {
            spec["stableKey"] = json!(name);
        }
        document(case.kind, &name, spec)
    };
    specs.iter().enumerate().map(named).collect()
}

/// Returns the earlier version of each object, for a rule on changes.
fn before(case: &Case) -> Vec<Value> {
    let Some(spec) = &case.before else { return Vec::new() };
    let earlier = |what: &str, count: usize| objects(case, what, &vec![spec.clone(); count]);
    [earlier("good", case.good.len()), earlier("bad", case.bad.len())].concat()
}

fn of_all(cases: &[Case], objects: impl Fn(&Case) -> Vec<Value>) -> Value {
    list(&cases.iter().flat_map(objects).collect::<Vec<_>>())
}

/// Returns kubectl's message for one object: a list has a line for each.
fn said_of<'a>(said: &'a str, object: &Value) -> &'a str {
    let name = object["metadata"]["name"].as_str().unwrap();
    let start = format!("{}.stablekey.dev \"{name}\" is invalid: ", object["kind"].as_str().unwrap());
    let line = said.lines().find_map(|line| Some(line.split_once(&start)?.1));
    line.unwrap_or_else(|| panic!("{name} should be refused; said: {said}"))
}

#[test]
fn every_rule_accepts_good_objects_and_explains_bad_ones() {
    let namespace = shared("us").namespace("rules");
    let cases = cases::all();
    apply(&namespace, "--server-side", &of_all(&cases, before)).unwrap();
    apply(&namespace, TRY, &of_all(&cases, |case| objects(case, "good", &case.good))).unwrap();

    let said = apply(&namespace, TRY, &of_all(&cases, |case| objects(case, "bad", &case.bad))).unwrap_err();
    for case in &cases {
        let verdict = if case.before.is_some() { "Forbidden" } else { "Invalid value" };
        for object in objects(case, "bad", &case.bad) {
            let said = said_of(&said, &object);
            let at = said.split_once(&format!("{}: {verdict}: ", case.at)).map(|(_, there)| there);
            let told = at.is_some_and(|there| there.contains(case.message));
            assert!(told, "of {object} kubectl should say at {}: {}\nand says {said}", case.at, case.message);
        }
    }
    assert!(!said.contains(cases::SECRET), "a suspected secret is shown: {said}");
    let (_, said) = said.split_once("): ").unwrap();
    insta::assert_snapshot!("what_kubectl_says", said);
}

/// A rule of a CRD: its path, and its message, or the expression of the message.
fn rules(schema: &Value, at: &str, found: &mut Vec<(String, String)>) {
    if !schema.is_object() {
        return;
    }
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let text = |field: &str| rule[field].as_str().map(str::to_owned);
        let message = text("message").or_else(|| text("messageExpression")).expect("a rule without words");
        found.push((
            format!("{at}{}", text("fieldPath").unwrap_or_default()).trim_start_matches('.').to_owned(),
            message,
        ));
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        rules(schema, &format!("{at}.{name}"), found);
    }
    for member in ["items", "additionalProperties"] {
        rules(&schema[member], &format!("{at}[]"), found);
    }
}

/// Converts `spec.inputs[url]` to the path in the schema: `spec.inputs[]`.
fn without_names(path: &str) -> String {
    let parts: Vec<&str> = path.split(['[', ']']).collect();
    parts.chunks(2).map(|pair| if pair.len() == 2 { format!("{}[]", pair[0]) } else { pair[0].to_owned() }).collect()
}

/// Whether a case's text is the message of a rule. For an expression, its first literal must be in both.
fn same_words(case: &Case, message: &str) -> bool {
    let begins = message.strip_prefix('\'').and_then(|expression| expression.split('\'').next());
    begins.map_or(case.message == message, |begins| case.message.starts_with(begins))
}

#[test]
fn every_rule_has_a_case_and_every_case_a_rule() {
    let cases = cases::all();
    assert!(cases.iter().all(|case| !case.good.is_empty() && !case.bad.is_empty()), "a good and a bad object each");
    let mut written = 0;
    for kind in Kind::ALL {
        let file = repository(&format!("crds/{}.yaml", kind.plural()));
        let is_rule = |line: &&str| line.trim_start_matches([' ', '-']).starts_with("rule:");
        written += std::fs::read_to_string(file).unwrap().lines().filter(is_rule).count();
        let crd = serde_json::to_value(crd(kind)).unwrap();
        let mut found = Vec::new();
        rules(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "", &mut found);
        // A status may repeat a type of the spec, with its rules: they are tried in the spec.
        let (repeated, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|(at, _)| at.starts_with("status."));
        for (at, message) in &repeated {
            assert!(
                found.iter().any(|(_, of_spec)| of_spec == message),
                "{kind} {at}: \"{message}\" is only in the status"
            );
        }
        written -= repeated.len();
        for (at, message) in found {
            let tried = |case: &&Case| case.kind == kind && without_names(case.at) == at && same_words(case, &message);
            assert_eq!(
                cases.iter().filter(tried).count(),
                1,
                "{kind} {at}: \"{message}\" is to be tried once: write a case in tests/clusters/kubectl/cases.rs"
            );
        }
    }
    assert_eq!(written, cases.len(), "the rules in crds/ and the cases");
}

#[test]
fn bounds_are_enforced_too() {
    let namespace = shared("us").namespace("bounds");
    let variable = |name: &str| json!({"name": name, "stableKey": "crm"});
    let twice = document(Kind::Integration, "twice", json!({"connections": [variable("CRM"), variable("CRM")]}));
    let said = apply(&namespace, TRY, &twice).unwrap_err();
    // Server-side apply does not even merge such a list.
    assert!(said.contains("duplicate entries for key [name=\"CRM\"]"), "{said}");
    let said = apply(&namespace, "--dry-run=server", &twice).unwrap_err();
    assert!(said.contains("spec.connections[1]: Duplicate value: {\"name\":\"CRM\"}"), "{said}");

    let mut unknown = document(Kind::Tenant, "unknown", json!({"regoin": "eu"}));
    let said = apply(&namespace, "--dry-run=server", &unknown).unwrap_err();
    assert!(said.contains("unknown field \"spec.regoin\""), "{said}");
    unknown["spec"] = json!({"region": 7});
    let said = apply(&namespace, "--dry-run=server", &unknown).unwrap_err();
    assert!(said.contains("spec.region") && said.contains("string"), "{said}");
}
