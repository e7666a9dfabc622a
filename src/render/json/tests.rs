//! The published schema accepts every plan.

use super::*;
use crate::api::*;
use crate::engine::model::canonical::{Digest, Json};
use crate::engine::model::field::{Field, FieldKind, FieldValue};
use crate::engine::model::finding::At;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{ActionKind, FieldChange, Note, Op, Plan, Scope};
use crate::engine::model::record::Writer;
use crate::engine::model::stages::{HeldBy, Hindrance, StageWait};
use crate::render::sample;
use serde_json::Value;
use std::collections::BTreeSet;

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/plan.schema.json")).unwrap();
    jsonschema::draft202012::options().build(&schema).unwrap()
}

fn faults(plan: &Value) -> Vec<String> {
    validator().iter_errors(plan).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

fn holds(plan: &Plan) -> Value {
    let value: Value = serde_json::from_str(&json(plan, JsonLayout::Compact).unwrap()).unwrap();
    assert_eq!(faults(&value), Vec::<String>::new());
    value
}

/// A plan with every form of action, field, value, note and finding that the types allow.
fn every_form() -> Plan {
    let mut plan = sample::planned(&sample::busy());
    let target = plan.targets.iter_mut().find(|t| !t.actions.is_empty()).unwrap();
    let own = Variable::own("x", ComponentRef::new("acme", false), "basic");
    let bound = Variable::bound("x", "crm");
    let (texts, component) = (vec!["sf_old".to_string()], ComponentRef::new("acme", false));
    let Item::Component(slack) =
        sample::component("slack", "oauth2", Some(OAuth2::ClientCredentials), &[("a", "rse"), ("b", "")])
    else {
        panic!()
    };
    let (value, secret) = (Input::value("api"), Input::secret("app", "clientSecret"));
    let in_git = crate::api::Definition::File("a.definition".into());
    let uses = crate::api::Uses { digest: "0123".into(), ..Default::default() };
    let values = [
        FieldValue::Text("t"),
        FieldValue::Bool(true),
        FieldValue::Input(&value),
        FieldValue::Input(&secret),
        FieldValue::Input(&Input::PER_CUSTOMER),
        FieldValue::Component(&component),
        FieldValue::Texts(&texts),
        FieldValue::Types(&slack.spec.types),
        FieldValue::Variable(&own),
        FieldValue::Variable(&bound),
        FieldValue::Definition(&uses),
        FieldValue::Reference(&in_git),
    ]
    .map(|v| v.to_json());
    let field = || Field::named(FieldKind::Input, "x").into_owned();
    let mut action = target.actions[0].clone();
    action.at = Some(At { file: "a.yaml".into(), line: 1 });
    for value in values {
        let change = |op, from: Option<&Json>, to: Option<&Json>, by: Option<&str>| FieldChange {
            field: field(),
            op,
            from: from.cloned(),
            to: to.cloned(),
            parts: Vec::new(),
            by: by.map(str::to_string),
        };
        action.fields.extend([
            change(Op::Set, None, Some(&value), None),
            change(Op::Set, Some(&value), Some(&value), None),
            change(Op::Remove, Some(&value), None, None),
            change(Op::Record, None, Some(&value), None),
            change(Op::Forget, Some(&value), None, None),
            change(Op::Release, Some(&value), None, Some("kubectl-edit")),
        ]);
    }
    for kind in [ActionKind::Create, ActionKind::Update, ActionKind::Adopt, ActionKind::Delete] {
        target.actions.push(crate::engine::model::plan::Action { action: kind, ..action.clone() });
    }
    for writer in ["source", "adopt", "promote/us-prod"] {
        target.digests.insert(writer.into(), Digest::of(b"x"));
    }
    target.suspended = true;
    target.suspended_syncs.insert("sync/us-to-eu".into(), 3);
    target.waiting.push(action);
    let held = |tenant: &str, why| HeldBy { tenant: tenant.into(), why };
    let wait = StageWait {
        stage: Some(2),
        waits_for: 1,
        release: Digest::of(b"release"),
        held_by: vec![held("dev-2", Hindrance::NotReady(vec!["lead-router".into()])), held("dev-3", Hindrance::Absent)],
        digest: Some(Digest::of(b"waiting")),
    };
    target.stages.insert(Writer::Sync("releases".into()), wait.clone());
    let next = StageWait { stage: None, held_by: Vec::new(), digest: None, ..wait };
    target.stages.insert(Writer::Sync("next".into()), next);
    let object = ObjectId::new(Kind::Connection, "x");
    target.notes.extend([
        Note::Kept {
            object: object.clone(),
            path: vec![],
            by: "eu-prod".into(),
            text: Some("it stays".into()),
            from: None,
            to: None,
            parts: vec!["+ step F › S (chat/x)".into()],
        },
        Note::Overridden {
            object: object.clone(),
            path: vec!["title".into()],
            by: Writer::Source,
            writer: Writer::Sync("us-to-eu".into()),
            from: Value::from("EU").into(),
            to: Value::from("US").into(),
            parts: vec!["- flow F".into()],
        },
        Note::Drift {
            object,
            path: vec!["inputs".into(), "scopes".into()],
            left: false,
            by: Some("kubectl-edit".into()),
            from: None,
            to: Some(Value::from("x").into()),
            parts: Vec::new(),
            ignored: true,
        },
    ]);
    plan.findings.iter_mut().for_each(|f| f.at = Some(At { file: "a.yaml".into(), line: 2 }));
    let tenants = BTreeSet::from(["eu-prod".to_string()]);
    plan.scope =
        Scope { integrations: tenants.clone(), syncs: tenants.clone(), resend: tenants.clone(), tenants, revert: None };
    plan.recount();
    plan
}

use crate::engine::model::item::Item;

#[test]
fn the_schema_holds_every_plan() {
    for plan in [sample::planned(&sample::in_sync()), sample::planned(&sample::busy()), every_form()] {
        holds(&plan);
    }
}

#[test]
fn the_sample_has_every_form() {
    let text = json(&every_form(), JsonLayout::Compact).unwrap();
    for form in ["set", "remove", "record", "forget", "release"] {
        assert!(text.contains(&format!("\"op\":\"{form}\"")), "{form}");
    }
    for form in ["blocked", "kept", "overridden", "drift", "manual"] {
        assert!(text.contains(&format!("\"note\":\"{form}\"")), "{form}");
    }
    for form in ["create", "update", "adopt", "delete"] {
        assert!(text.contains(&format!("\"action\":\"{form}\"")), "{form}");
    }
    for form in [
        "\"state\":\"unreachable\"",
        "\"severity\":\"warning\"",
        "\"severity\":\"error\"",
        "\"at\":{",
        "\"suspendedSyncs\":{",
        "\"waiting\":[",
        "\"heldBy\":[",
    ] {
        assert!(text.contains(form), "{form}");
    }
}

#[test]
fn the_schema_is_strict() {
    let plan = holds(&every_form());
    let pointers = [
        "",
        "/scope",
        "/targets/0",
        "/targets/2/actions/0",
        "/targets/2/actions/0/reason",
        "/targets/2/actions/0/impact",
        "/targets/2/actions/0/fields/0",
        "/targets/2/notes/0",
        "/targets/2/stages/sync~1releases",
        "/targets/2/stages/sync~1releases/heldBy/0",
        "/targets/2/waiting/0",
        "/findings/0",
        "/skipped",
        "/counts",
    ];
    for pointer in pointers {
        let mut other = plan.clone();
        other.pointer_mut(pointer).unwrap().as_object_mut().unwrap().insert("unheard".into(), true.into());
        assert!(!faults(&other).is_empty(), "an unknown field at {pointer:?} passes");
    }
    let mut other = plan.clone();
    other["exit"] = 4.into();
    assert!(!faults(&other).is_empty());
}

#[test]
fn pretty_and_compact_have_the_same_value() {
    let plan = every_form();
    let (compact, pretty) = (json(&plan, JsonLayout::Compact).unwrap(), json(&plan, JsonLayout::Pretty).unwrap());
    assert!(compact.starts_with("{\"counts\":{\"adopt\":"), "keys are sorted");
    assert!(pretty.starts_with("{\n  \"counts\": {\n    \"adopt\":") && pretty.ends_with("}\n"));
    let (a, b): (Value, Value) = (serde_json::from_str(&compact).unwrap(), serde_json::from_str(&pretty).unwrap());
    assert_eq!(a, b);
}

/// The text is equal to that of a tree with sorted keys, byte for byte.
#[test]
fn the_keys_of_every_object_are_sorted() {
    let plan = every_form();
    let pretty = json(&plan, JsonLayout::Pretty).unwrap();
    // A tree of serde_json sorts its keys.
    let tree: Value = serde_json::from_str(&pretty).unwrap();
    assert_eq!(pretty, format!("{}\n", serde_json::to_string_pretty(&tree).unwrap()));
    for odd in [
        r#"{}"#,
        r#"[]"#,
        r#"{"b":{},"a":[[],{"d":1,"c":"\"x"}]}"#,
        r#""x""#,
        r#"{"a":1,"A":2,"":3}"#,
        r#"{"API!":1,"API key":2,"API":3}"#,
    ] {
        let tree: Value = serde_json::from_str(odd).unwrap();
        let expected = format!("{}\n", serde_json::to_string_pretty(&tree).unwrap());
        assert_eq!(json(&tree, JsonLayout::Pretty).unwrap(), expected, "{odd}");
    }
    #[derive(Serialize)]
    struct Unsorted<'a> {
        b: Vec<Unsorted<'a>>,
        #[serde(rename = "a\u{202e}")]
        a: &'a str,
    }
    let inner = || Unsorted { b: Vec::new(), a: "\u{202e}" };
    let text = json(&Unsorted { b: vec![inner(), inner()], a: "2" }, JsonLayout::Pretty).unwrap();
    assert!(
        text.starts_with("{\n  \"a\\u202e\": \"2\",\n  \"b\": [\n    {\n      \"a\\u202e\": \"\\u202e\",\n"),
        "{text}"
    );
    assert!(text.ends_with("      \"b\": []\n    }\n  ]\n}\n"), "{text}");
}
