use super::*;
use serde_json::json;

mod definitions;
mod laws;
mod only_the_target;
mod rewriting;

fn path(path: &str) -> Vec<String> {
    path.split('/').map(str::to_string).collect()
}

fn set(at: &str, value: serde_json::Value) -> Edit {
    Edit::Set { path: path(at), value }
}

fn remove(at: &str) -> Edit {
    Edit::Remove { path: path(at) }
}

#[track_caller]
fn becomes(before: &str, edits: &[Edit], after: &str) {
    for (from, to) in
        [(before.to_string(), after.to_string()), (before.replace('\n', "\r\n"), after.replace('\n', "\r\n"))]
    {
        let edited = edit(&from, 0..from.len(), None, edits);
        assert_eq!(
            edited.as_deref().map_err(ToString::to_string),
            Ok(to.as_str()),
            "\n--- before\n{from}\n--- after\n{}",
            edited.as_deref().unwrap_or("")
        );
        let again = edit(&to, 0..to.len(), None, edits);
        assert_eq!(again.as_deref(), Ok(to.as_str()), "a second time");
    }
}

#[track_caller]
fn refused(before: &str, edits: &[Edit], why: &EditError) {
    match edit(before, 0..before.len(), None, edits) {
        Err(EditError::At { why: found, .. }) => assert_eq!(*found, *why),
        other => panic!("{other:?}"),
    }
}

const CONNECTION: &str = "\
# The CRM.
apiVersion: stablekey.dev/v1alpha1
kind: Connection
metadata: {name: crm}
spec:
  title: CRM   # as people call it
  # what it needs
  inputs:
    url: {value: \"https://a.example\"}   # the org's

    user: {value: 'bob'}
    # more to come
  replaces: [old, older] # for a while
";

#[test]
fn only_the_scalar_changes() {
    becomes(
        CONNECTION,
        &[set("spec/inputs/url", json!({"value": "https://b.example"}))],
        &CONNECTION.replace("a.example", "b.example"),
    );
    becomes(CONNECTION, &[set("spec/inputs/user", json!({"value": "it's"}))], &CONNECTION.replace("'bob'", "'it''s'"));
    becomes(CONNECTION, &[set("spec/title", json!("Sales"))], &CONNECTION.replace(": CRM ", ": Sales "));
    becomes(CONNECTION, &[set("spec/title", json!("on"))], &CONNECTION.replace(": CRM ", ": \"on\" "));
    becomes(CONNECTION, &[set("spec/title", json!("a: b #c"))], &CONNECTION.replace(": CRM ", ": \"a: b #c\" "));
}

#[test]
fn an_input_of_another_kind_stays_in_its_braces() {
    becomes(
        CONNECTION,
        &[set("spec/inputs/url", json!({"secretRef": {"key": "k", "name": "s"}}))],
        &CONNECTION.replace("{value: \"https://a.example\"}", "{secretRef: {name: s, key: k}}"),
    );
    becomes(
        "inputs:\n  a:\n    # why\n    value: x # c\n  b: {perCustomer: true}\n",
        &[set("inputs/a", json!({"secretRef": {"key": "k", "name": "s"}}))],
        "inputs:\n  a:\n    # why\n    secretRef:\n      name: s\n      key: k # c\n  b: {perCustomer: true}\n",
    );
    becomes("inputs:\n  a: hunter2 # c\n", &[set("inputs/a", json!({"value": "x"}))], "inputs:\n  a: {value: x} # c\n");
}

#[test]
fn entries_are_added_at_the_end_in_the_style_of_the_others() {
    becomes(
        CONNECTION,
        &[set("spec/inputs/scopes", json!({"value": "api refresh"}))],
        &CONNECTION.replace("'bob'}\n", "'bob'}\n    scopes: {value: api refresh}\n"),
    );
    becomes(
        "inputs:\n  a:\n    value: x\n",
        &[set("inputs/b", json!({"secretRef": {"key": "k", "name": "s"}}))],
        "inputs:\n  a:\n    value: x\n  b:\n    secretRef:\n      name: s\n      key: k\n",
    );
    becomes("{a: {value: x}}\n", &[set("b", json!({"value": "v"}))], "{a: {value: x}, b: {value: v}}\n");
    becomes(
        "spec:\n  title: x",
        &[set("spec/inputs/a", json!({"value": "v"})), set("spec/embeddedWorkflows", json!(true))],
        "spec:\n  title: x\n  inputs:\n    a: {value: v}\n  embeddedWorkflows: true",
    );
    becomes(
        "spec:\n  title: x\n",
        &[set("spec/replaces", json!(["a", "b"]))],
        "spec:\n  title: x\n  replaces: [a, b]\n",
    );
}

#[test]
fn maps_on_the_way_are_made() {
    becomes(
        "spec:\n  title: x\n# end\n",
        &[set("spec/test/inputs/a", json!({"value": "v"}))],
        "spec:\n  title: x\n  test:\n    inputs:\n      a: {value: v}\n# end\n",
    );
    becomes(
        "spec:\n  inputs: # none\n  title: x\n",
        &[set("spec/inputs/a", json!({"value": "v"}))],
        "spec:\n  inputs: # none\n    a: {value: v}\n  title: x\n",
    );
    becomes(
        "spec:\n  inputs: {}\n",
        &[set("spec/inputs/a", json!({"value": "v"}))],
        "spec:\n  inputs:\n    a: {value: v}\n",
    );
    becomes(
        "spec: {inputs: , title: x}\n",
        &[set("spec/inputs/a", json!({"value": "v"}))],
        "spec: {inputs: {a: {value: v}} , title: x}\n",
    );
    becomes(
        "metadata: {name: a}\n",
        &[set("metadata/labels/x", json!("1"))],
        "metadata: {name: a, labels: {x: \"1\"}}\n",
    );
    becomes(
        "metadata:\n  name: a\n",
        &[set("metadata/annotations/stablekey.dev~", json!("1"))],
        "metadata:\n  name: a\n  annotations:\n    \"stablekey.dev~\": \"1\"\n",
    );
}

#[test]
fn what_is_removed_takes_its_line_and_no_other() {
    becomes(
        CONNECTION,
        &[remove("spec/inputs/url")],
        &CONNECTION.replace("    url: {value: \"https://a.example\"}   # the org's\n", ""),
    );
    becomes(CONNECTION, &[remove("spec/nothing"), remove("spec/title/x/y")][..1], CONNECTION);
    becomes("a: {x: 1, y: 2, z: 3}\n", &[remove("a/x")], "a: {y: 2, z: 3}\n");
    becomes("a: {x: 1, y: 2, z: 3}\n", &[remove("a/y")], "a: {x: 1, z: 3}\n");
    becomes("a: {x: 1, y: 2, z: 3}\n", &[remove("a/z")], "a: {x: 1, y: 2}\n");
    becomes("a:\n  x: 1\n  y: |\n    t\n\n    u\n\n# c\nb: 2\n", &[remove("a/y")], "a:\n  x: 1\n\n# c\nb: 2\n");
    becomes("a:\n  x: 1\n  y: 2", &[remove("a/y")], "a:\n  x: 1");
}

#[test]
fn what_is_empty_then_goes_too() {
    becomes(
        "spec:\n  title: x\n  test:\n    inputs:\n      a: {value: v}\n",
        &[remove("spec/test/inputs/a")],
        "spec:\n  title: x\n",
    );
    becomes("spec: {title: x, inputs: {a: {value: v}}}\n", &[remove("spec/inputs/a")], "spec: {title: x}\n");
    becomes("metadata: {name: a, labels: {x: y}}\n", &[remove("metadata/labels/x")], "metadata: {name: a}\n");
    becomes("spec:\n  policy:\n    drift: Detect\n", &[remove("spec/policy/drift")], "spec:\n  policy: {}\n");
    becomes(
        "spec:\n  policy: # p\n    drift: Detect # d\n  x: 1\n",
        &[remove("spec/policy/drift")],
        "spec:\n  policy: {} # p # d\n  x: 1\n",
    );
}

const VARIABLES: &str = "\
spec:
  connections:
  # first
  - {name: CRM, stableKey: a} # crm
  - {name: Bus, own: {component: {key: kafka}, type: sasl}}
  title: x
";

#[test]
fn variables_are_found_by_name() {
    becomes(
        VARIABLES,
        &[set("spec/connections/CRM", json!({"name": "CRM", "stableKey": "b"}))],
        &VARIABLES.replace("stableKey: a", "stableKey: b"),
    );
    becomes(
        VARIABLES,
        &[set("spec/connections/Bus", json!({"name": "Bus", "stableKey": "b"}))],
        &VARIABLES.replace("own: {component: {key: kafka}, type: sasl}", "stableKey: b"),
    );
    becomes(
        VARIABLES,
        &[set("spec/connections/New One", json!({"name": "New One", "stableKey": "b"}))],
        &VARIABLES.replace("  title", "  - {name: New One, stableKey: b}\n  title"),
    );
    becomes(
        VARIABLES,
        &[remove("spec/connections/CRM")],
        &VARIABLES.replace("  - {name: CRM, stableKey: a} # crm\n", ""),
    );
    becomes(VARIABLES, &[remove("spec/connections/CRM"), remove("spec/connections/Bus")], "spec:\n  title: x\n");
    becomes(
        "spec:\n  title: x\n",
        &[set("spec/connections/A", json!({"name": "A", "stableKey": "a"}))],
        "spec:\n  title: x\n  connections:\n    - {name: A, stableKey: a}\n",
    );
    becomes(
        "spec:\n  connections:\n    - name: A\n      stableKey: a\n    - name: B\n      stableKey: b\n",
        &[set("spec/connections/C", json!({"name": "C", "stableKey": "c"})), remove("spec/connections/A")],
        "spec:\n  connections:\n    - name: B\n      stableKey: b\n    - name: C\n      stableKey: c\n",
    );
    becomes("c:\n- name: A\n  x: a\n", &[remove("c/A/name")], "c:\n- x: a\n");
}

/// "requiredConfigVars and steps by their key or name, two equal names are an error".
#[test]
fn items_are_found_by_their_name_or_else_their_key() {
    let variable = json!({"key": "New", "dataType": "connection", "useScopedConfigVar": "crm"});
    let item = "  - key: New\n    dataType: connection\n    useScopedConfigVar: crm\n";
    let text = "requiredConfigVars:\n  - key: CRM # c\n    useScopedConfigVar: a\n";
    let add = [set("requiredConfigVars/New", variable)];
    becomes(text, &[set("requiredConfigVars/CRM/useScopedConfigVar", json!("b"))], &text.replace("Var: a", "Var: b"));
    becomes(text, &add, &format!("{text}{item}"));
    becomes("name: x\n", &add, &format!("name: x\nrequiredConfigVars:\n{item}"));
    becomes("requiredConfigVars: []\nx: y\n", &add, &format!("requiredConfigVars:\n{item}x: y\n"));
    becomes("requiredConfigVars: [] # none\n", &add, &format!("requiredConfigVars: # none\n{item}"));
    becomes("requiredConfigVars: null # none\nx: y\n", &add, &format!("requiredConfigVars: # none\n{item}x: y\n"));
    becomes("requiredConfigVars: ~\n", &add, &format!("requiredConfigVars:\n{item}"));
    becomes("requiredConfigVars:\nx: y\n", &add, &format!("requiredConfigVars:\n{item}x: y\n"));
    let steps = "flows:\n  - name: F\n    steps:\n      - name: loop\n        key: k\n        steps:\n          - name: inner\n            action:\n              key: get\n            inputs: {}\n";
    let input =
        "            inputs:\n              connection:\n                type: configVar\n                value: CRM\n";
    becomes(
        steps,
        &[set("flows/F/steps/loop/steps/inner/inputs/connection", json!({"type": "configVar", "value": "CRM"}))],
        &steps.replace("            inputs: {}\n", input),
    );
    // The name goes before the key.
    refused(steps, &[set("flows/F/steps/k/note", json!("x"))], &EditError::NoItem { name: "k".into() });
    becomes(steps, &[set("flows/F/steps/loop/key", json!("l"))], &steps.replace("key: k", "key: l"));
    refused(text, &[set("requiredConfigVars/CRM/key", json!("B"))], &EditError::Name);
    refused(text, &[set("requiredConfigVars/CRM/name", json!("B"))], &EditError::Name);
    refused("a: b\n", &[set("steps/New/note", json!("x"))], &EditError::NoItem { name: "New".into() });
}

#[test]
fn of_two_equal_names_none_is_changed() {
    let doubled = EditError::Doubled { name: "A".into() };
    let text = "steps:\n- {name: A, x: 1}\n- {name: B, x: 1}\n- {name: A, x: 2}\n";
    for edit in
        [set("steps/A/x", json!("3")), set("steps/A", json!({"name": "A"})), remove("steps/A"), remove("steps/A/x")]
    {
        refused(text, &[edit], &doubled);
    }
    becomes(text, &[set("steps/B/x", json!("3"))], &text.replace("B, x: 1", "B, x: \"3\""));
    refused("v:\n- key: A\n- name: A\n", &[set("v/A/x", json!("3"))], &doubled);
}

/// A tag says of which kind a value is: of the old one, not of the new one.
#[test]
fn a_tag_goes_with_its_value() {
    let a = [set("inputs/a", json!({"value": "v"}))];
    becomes("inputs: !!null\n", &a, "inputs:\n  a: {value: v}\n");
    becomes("inputs: !!null # none\nb: 1\n", &a, "inputs: # none\n  a: {value: v}\nb: 1\n");
    becomes("inputs: &i !!null\n", &a, "inputs: &i\n  a: {value: v}\n");
    becomes("{inputs: !!null , b: 1}\n", &a, "{inputs: {a: {value: v}} , b: 1}\n");
    becomes("x: !!str 5 # c\n", &[set("x", json!("new"))], "x: new # c\n");
    becomes("x: !!str 5\n", &[set("x", json!("5"))], "x: !!str 5\n");
    becomes("x: ! 5\n", &[set("x", json!("6"))], "x: \"6\"\n");
    becomes("x: !a &k 5\n", &[set("x", json!("new"))], "x: &k new\n");
    becomes("x: !<tag:a,b> 5\n", &[set("x", json!("new"))], "x: new\n");
    becomes("x: !!str |\n  a\n  b\ny: 1\n", &[set("x", json!("z"))], "x: z\ny: 1\n");
    becomes("x: !!map {a: 1}\n", &[set("x", json!("z"))], "x: z\n");
    becomes("x: !!map\n  a: 1\ny: 1\n", &[set("x", json!("z"))], "x: z\ny: 1\n");
    becomes("x: !!map {}\n", &[set("x/a", json!("z"))], "x: !!map\n  a: z\n");
    becomes("r: [!!str a, b]\n", &[set("r", json!(["c", "b"]))], "r: [c, b]\n");
    becomes("r:\n- !!str a\n- b\n", &[set("r", json!(["c", "b"]))], "r:\n- c\n- b\n");
    becomes("r:\n- !!str a\n- b\n", &[set("r", json!(["b"]))], "r:\n- b\n");
    becomes("a: {x: !!null , y: 2}\n", &[remove("a/x")], "a: {y: 2}\n");
    becomes("a: !!null\nb: 2\n", &[remove("a")], "b: 2\n");
    becomes("a: !!null\nb: 2\n", &[set("a", json!(null))], "a: !!null\nb: 2\n");
}

#[test]
fn the_first_entry_is_written_as_its_neighbours_are() {
    becomes(
        "spec:\n  policy: {} # p\n",
        &[set("spec/policy/drift", json!("Detect"))],
        "spec:\n  policy: # p\n    drift: Detect\n",
    );
    becomes("a:\n  x: {}\n  y:\n    b: 1\n", &[set("a/x/b", json!("v"))], "a:\n  x:\n    b: v\n  y:\n    b: 1\n");
    becomes("a:\n  x: {}\n  y: {b: 1}\n", &[set("a/x/b", json!("v"))], "a:\n  x: {b: v}\n  y: {b: 1}\n");
    becomes("{a: {}}\n", &[set("a/b", json!("v"))], "{a: {b: v}}\n");
    becomes(
        "x: 1\nconnections: []",
        &[set("connections/A", json!({"name": "A", "stableKey": "a"}))],
        "x: 1\nconnections:\n  - {name: A, stableKey: a}",
    );
    becomes("a:\n  {}\n", &[set("a/b", json!("v"))], "a:\n  {b: v}\n");
    becomes("replaces: []\n", &[set("replaces", json!(["a"]))], "replaces: [a]\n");
    refused("a: {\n  # why\n}\n", &[set("a/b", json!("v"))], &EditError::Layout);
}

/// A text that is read otherwise than it was written would be changed again and again.
#[test]
fn an_edit_without_progress_is_refused_at_once() {
    let started = std::time::Instant::now();
    for text in [
        "! :",
        "&:  :",
        "!",
        "? ",
        "?",
        ": ",
        "- ? ",
        "&a :",
        "!!map :",
        "&a !b : c",
        "* :",
        "? &a",
        "{? }",
        "{:}",
        "[: ]",
        "{&a }",
        "{!a : }",
    ] {
        for value in [json!("v"), json!({"b": "v"}), json!(["v"]), json!(null)] {
            for path in ["a", "a/b", "x/y/z"] {
                if let Ok(edited) = edit(text, 0..text.len(), None, &[set(path, value.clone())]) {
                    assert!(parse(&edited).is_ok(), "{text:?} {edited:?}");
                }
                let _ = edit(text, 0..text.len(), None, &[remove(path)]);
            }
        }
    }
    // Each of 204 edits took two seconds.
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn lists_of_texts_change_by_items() {
    becomes(
        CONNECTION,
        &[set("spec/replaces", json!(["old", "older", "oldest"]))],
        &CONNECTION.replace("older]", "older, oldest]"),
    );
    becomes(CONNECTION, &[set("spec/replaces", json!(["older"]))], &CONNECTION.replace("[old, older]", "[older]"));
    becomes(
        CONNECTION,
        &[set("spec/replaces", json!(["x", "old", "older"]))],
        &CONNECTION.replace("[old,", "[x, old,"),
    );
    becomes(CONNECTION, &[set("spec/replaces", json!(["old", "x"]))], &CONNECTION.replace("older]", "x]"));
    becomes("r:\n- a # a\n# b\n- b\n- c\n", &[set("r", json!(["a", "c", "d"]))], "r:\n- a # a\n# b\n- c\n- d\n");
    becomes("r:\n  - b\n", &[set("r", json!(["a", "b"]))], "r:\n  - a\n  - b\n");
    becomes("r:\n- a\n- b\nx: y\n", &[remove("r")], "x: y\n");
}

#[test]
fn texts_of_several_lines_are_replaced_whole() {
    let before = "spec:\n  description: |\n    one\n\n    two\n\n  # c\n  title: x\n";
    becomes(
        before,
        &[set("spec/description", json!("three\nfour\n"))],
        "spec:\n  description: |\n    three\n    four\n\n  # c\n  title: x\n",
    );
    becomes(before, &[set("spec/description", json!("short"))], "spec:\n  description: short\n\n  # c\n  title: x\n");
    becomes("a: >-\n  x\n  y\nb: 1\n", &[set("a", json!("z"))], "a: z\nb: 1\n");
    becomes("a: \"x\n  y\"\nb: 1\n", &[set("a", json!("z"))], "a: \"z\"\nb: 1\n");
    becomes("a: x\n  y\nb: 1\n", &[set("a", json!("z w"))], "a: z w\nb: 1\n");
    becomes("a: |+\n  x\n\n\nb: 1\n", &[set("a", json!("z"))], "a: z\nb: 1\n");
    becomes("a: 1\n", &[set("d", json!("x\ny"))], "a: 1\nd: |-\n  x\n  y\n");
    becomes("a: {b: 1}\n", &[set("a/d", json!("x\ny"))], "a: {b: 1, d: \"x\\ny\"}\n");
}

#[test]
fn nothing_is_filled_in_beside_its_key() {
    becomes("a:\nb: 1\n", &[set("a", json!("x"))], "a: x\nb: 1\n");
    becomes("a: # c\nb: 1\n", &[set("a", json!(true))], "a: true # c\nb: 1\n");
    becomes("a: ~\n", &[set("a", json!("x"))], "a: x\n");
    becomes("{a, b: 1}\n", &[set("a", json!("x"))], "{a: x, b: 1}\n");
}

#[test]
fn json_stays_json() {
    let before =
        "{\n  \"spec\": {\n    \"title\": \"x\",\n    \"inputs\": {\n      \"a\": {\"value\": \"1\"}\n    }\n  }\n}\n";
    let edits = [
        set("spec/inputs/b", json!({"value": "v"})),
        set("spec/title", json!("z\u{7f}")),
        set("spec/replaces", json!(["k"])),
    ];
    becomes(
        before,
        &edits,
        "{\n  \"spec\": {\n    \"title\": \"z\\u007f\",\n    \"inputs\": {\n      \"a\": {\"value\": \"1\"},\n      \"b\": {\"value\": \"v\"}\n    },\n    \"replaces\": [\"k\"]\n  }\n}\n",
    );
    becomes(before, &[remove("spec/inputs/a")], "{\n  \"spec\": {\n    \"title\": \"x\"\n  }\n}\n");
    becomes(before, &[remove("spec/title")], &before.replace("    \"title\": \"x\",\n", ""));
    becomes("{\n  a: 1, # a\n  b: 2 # b\n}\n", &[set("c", json!("x"))], "{\n  a: 1, # a\n  b: 2, # b\n  c: x\n}\n");
    becomes("{\n  a: 1, # a\n  b: 2 # b\n}\n", &[remove("b")], "{\n  a: 1 # a\n}\n");
    becomes("{\n  a: 1,\n  b: 2,\n}\n", &[set("c", json!("x"))], "{\n  a: 1,\n  b: 2,\n  c: x,\n}\n");
    becomes("{\n  a: 1,\n  b: 2,\n}\n", &[remove("b")], "{\n  a: 1,\n}\n");
}

#[test]
fn what_is_shared_is_refused() {
    use EditError::{Layout, NoMap, Shared};
    refused("a: &x {v: 1}\nb: *x\n", &[set("a/v", json!("2"))], &Shared);
    refused("a: &x {v: 1}\nb: *x\n", &[set("b/v", json!("2"))], &Shared);
    refused("a: &x {v: 1}\nb: *x\n", &[remove("a")], &Shared);
    refused("a: &x 1\nb: *x\n", &[set("a", json!("2"))], &Shared);
    refused("a: {b: &x 1}\nc: *x\n", &[set("a", json!("2"))], &Shared);
    refused("x: &x {k: v}\na: {<<: *x, b: 1}\n", &[set("a/k", json!("w"))], &Shared);
    refused("x: &x {k: v}\na: {<<: *x, b: 1}\n", &[set("a/c", json!("w"))], &Shared);
    refused("? a\n: b\n", &[set("c", json!("w"))], &Layout);
    refused("? a\n: b\nc: d\n", &[remove("a")], &Layout);
    refused("a: b\n", &[set("a/c", json!("w"))], &NoMap);
    refused("l: [{name: a}]\n", &[set("l/a/name", json!("b"))], &EditError::Name);
    refused("l: [{name: a}]\n", &[set("l/b", json!({"name": "c"}))], &EditError::Name);
    becomes("x: &x {k: v}\ny: *x\na: {b: 1}\n", &[set("a/b", json!("w"))], "x: &x {k: v}\ny: *x\na: {b: w}\n");
    let message = edit("a: &x 1\nb: *x\n", 0..14, None, &[set("a", json!("hunter2"))]).unwrap_err().to_string();
    assert_eq!(message, "a: it is shared by an anchor, so that other places would change too: edit it manually");
}

#[test]
fn other_documents_keep_every_byte() {
    let text = "\u{feff}a: 1\n---\nb: &x 2 # c\n---\r\nc: [ 1,2 ]\n";
    let slice = cut(text)[1].range.clone();
    let edited = edit(text, slice, None, &[set("d", json!("x"))]).unwrap();
    assert_eq!(edited, "\u{feff}a: 1\n---\nb: &x 2 # c\nd: x\n---\r\nc: [ 1,2 ]\n");
}

const LIST: &str = "apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n  spec:\n    title: x\n- metadata: {name: b} # b\n  spec: {title: y}\n";

#[test]
fn elements_of_lists_are_documents_too() {
    let edited =
        edit(LIST, 0..LIST.len(), Some(1), &[set("spec/title", json!("z")), set("metadata/labels/l", json!("m"))])
            .unwrap();
    assert_eq!(edited, LIST.replace("title: y", "title: z").replace("{name: b}", "{name: b, labels: {l: m}}"));
    let edited = edit(LIST, 0..LIST.len(), Some(0), &[set("spec/type", json!("z")), remove("metadata")]).unwrap();
    assert_eq!(
        edited,
        LIST.replace("- metadata: {name: a}\n  spec:\n    title: x\n", "- spec:\n    title: x\n    type: z\n")
    );
    let removed = remove_document(LIST, 0..LIST.len(), Some(0)).unwrap().unwrap();
    assert_eq!(removed, "apiVersion: v1\nkind: List\nitems:\n- metadata: {name: b} # b\n  spec: {title: y}\n");
    assert_eq!(remove_document(&removed, 0..removed.len(), Some(0)), Ok(None));
}

#[test]
fn documents_are_appended_and_removed() {
    assert_eq!(append_document("", "a: 1\n"), "a: 1\n");
    assert_eq!(append_document("a: 1", "b: 2\n"), "a: 1\n---\nb: 2\n");
    assert_eq!(append_document("a: 1\r\n", "b: 2\n"), "a: 1\r\n---\r\nb: 2\r\n");
    let text = "# a\na: 1\n---\nb: 2\n---\nc: 3\n";
    let slices = cut(text);
    let without = |n: usize| remove_document(text, slices[n].range.clone(), None).unwrap().unwrap();
    assert_eq!(without(0), "---\nb: 2\n---\nc: 3\n");
    assert_eq!(without(1), "# a\na: 1\n---\nc: 3\n");
    assert_eq!(without(2), "# a\na: 1\n---\nb: 2\n");
    assert_eq!(remove_document("a: 1\n", 0..5, None), Ok(None));
    let bare = "a: 1\n---\nb: 2\n...\nc: 3\n";
    assert_eq!(remove_document(bare, cut(bare)[1].range.clone(), None), Err(EditError::Unfaithful));
}

#[test]
fn a_range_that_fits_no_text_is_refused() {
    assert_eq!(edit("ä", 1..2, None, &[]), Err(EditError::Unreadable));
    assert_eq!(edit("a", 0..9, None, &[]), Err(EditError::Unreadable));
    assert_eq!(edit("a: [", 0..4, None, &[]), Err(EditError::Unreadable));
    assert_eq!(remove_document("ä", 1..2, None), Err(EditError::Unreadable));
}

/// Text that is added to JSON, or to braces on several lines, is indented as its neighbours are.
#[test]
fn added_lines_follow_the_indentation_of_the_file() {
    for unit in ["\t", "    ", "  "] {
        let of = |text: &str| text.replace("  ", unit);
        let before = of(
            "{\n  \"spec\": {\n    \"title\": \"CRM\",\n    \"inputs\": {\n      \"url\": {\n        \"value\": \"a\"\n      }\n    }\n  }\n}\n",
        );
        becomes(
            &before,
            &[set("spec/inputs/key", json!({"secretRef": {"name": "s", "key": "k"}}))],
            &before.replace(
                &of("\n      }\n"),
                &of("\n      },\n      \"key\": {\n        \"secretRef\": {\n          \"name\": \"s\",\n          \"key\": \"k\"\n        }\n      }\n"),
            ),
        );
        becomes(
            &before,
            &[set("spec/type", json!("oauth2"))],
            &before.replace(&of("\n    }\n  }"), &of("\n    },\n    \"type\": \"oauth2\"\n  }")),
        );
        becomes(
            &before,
            &[set("spec/inputs/url", json!({"perCustomer": true}))],
            &before.replace("\"value\": \"a\"", "\"perCustomer\": true"),
        );
        let empty = of("{\n  \"spec\": {\n    \"inputs\": {}\n  }\n}\n");
        let filled = of(
            "{\n  \"spec\": {\n    \"inputs\": {\n      \"url\": {\n        \"value\": \"a\"\n      }\n    }\n  }\n}\n",
        );
        becomes(&empty, &[set("spec/inputs/url", json!({"value": "a"}))], &filled);
        let list = of(
            "{\n  \"spec\": {\n    \"connections\": [\n      {\n        \"name\": \"A\",\n        \"stableKey\": \"a\"\n      }\n    ]\n  }\n}\n",
        );
        becomes(
            &list,
            &[set("spec/connections/B", json!({"name": "B", "stableKey": "b"}))],
            &list.replace(
                &of("\n      }\n    ]"),
                &of("\n      },\n      {\n        \"name\": \"B\",\n        \"stableKey\": \"b\"\n      }\n    ]"),
            ),
        );
        if unit == "\t" {
            // YAML does not allow tabs as indentation.
            continue;
        }
        // If the neighbours are on one line each, the new one is too.
        let flat = of("spec: {\n  inputs: {\n    url: {value: a},\n  },\n}\n");
        becomes(
            &flat,
            &[set("spec/inputs/key", json!({"value": "b"}))],
            &flat.replace("a},", &format!("a}},\n{unit}{unit}key: {{value: b}},")),
        );
    }
    let block = "spec:\n    title: CRM\n    component:\n        key: a\n";
    becomes(
        block,
        &[set("spec/inputs/url", json!({"value": "a"}))],
        &format!("{block}    inputs:\n        url:\n            value: a\n"),
    );
    let one_line = "{\"spec\": {\"inputs\": {}}}\n";
    becomes(
        one_line,
        &[set("spec/inputs/url", json!({"value": "a"}))],
        "{\"spec\": {\"inputs\": {\"url\": {\"value\": \"a\"}}}}\n",
    );
}

/// Characters that reorder or hide text are never written unescaped.
#[test]
fn what_would_not_be_seen_is_written_as_an_escape() {
    let title = |text: &str| format!("spec:\n  title: {text}\n");
    becomes(&title("x"), &[set("spec/title", json!("a\u{202e}b"))], &title("\"a\\u202eb\""));
    becomes(&title("'x'"), &[set("spec/title", json!("a\u{e0061}"))], &title("\"a\\U000e0061\""));
    let json = |text: &str| format!("{{\"spec\": {{\"title\": \"{text}\"}}}}\n");
    becomes(&json("x"), &[set("spec/title", json!("a\u{2066}\u{e0061}"))], &json("a\\u2066\\udb40\\udc61"));
    becomes(
        &title("x"),
        &[set("spec/note", json!("a\nb\u{200b}"))],
        &format!("{}  note: \"a\\nb\\u200b\"\n", title("x")),
    );
}

/// "comments and licence headers survive the deletion of a neighbour".
#[test]
fn comments_survive_the_deletion_of_a_neighbour() {
    let removed = |text: &str, position: usize| {
        let range = cut(text)[position].range.clone();
        super::remove_document(text, range, None).unwrap().unwrap()
    };
    let text = "# Copyright\n\na: 1\n# about b\n---\nb: 2\n# the end\n";
    assert_eq!(removed(text, 0), "# Copyright\n\n# about b\n---\nb: 2\n# the end\n");
    assert_eq!(removed(text, 1), "# Copyright\n\na: 1\n# about b\n# the end\n");
    // A text that looks like a comment within a block scalar is not one.
    let text = "a: |\n  x\n  # y\n---\nb: 2\n";
    assert_eq!(removed(text, 0), "---\nb: 2\n");
    assert_eq!(removed("# c\n---\na: 1\n---\nb: 2\n", 0), "# c\n---\nb: 2\n");
    assert_eq!(
        removed("# SPDX-License-Identifier: X\na: 1\n---\nb: 2\n", 0),
        "# SPDX-License-Identifier: X\n---\nb: 2\n"
    );
}

/// "a document appended after a `|` or `>` text without a final line break leaves that text as it was".
#[test]
fn a_document_after_a_text_without_a_line_break_leaves_it_as_it_was() {
    for (text, whole) in [
        ("a: |\n  x", "b: 1\n---\na: |\n  x"),
        ("---\na: >\n  x", "b: 1\n---\na: >\n  x"),
        ("a: |-\n  x", "a: |-\n  x\n---\nb: 1\n"),
        ("a: x", "a: x\n---\nb: 1\n"),
    ] {
        assert_eq!(super::append_document(text, "b: 1\n"), whole, "{text}");
    }
}

#[test]
fn an_item_of_a_list_is_added_and_changed_whatever_the_order_of_its_keys() {
    let one = |value: &str| json!({"tenant": "eu", "stableKey": "a", "input": "b", "value": value, "reason": "d"});
    let two = json!({"tenant": "eu", "stableKey": "crm", "input": "site", "value": "x", "reason": "as imported"});
    let to = |first: &str| [set("spec/overrides", json!([one(first), two]))];
    becomes(
        "spec:\n  from: us # the source\n",
        &[set("spec/overrides", json!([two]))],
        "spec:\n  from: us # the source\n  overrides:\n    - tenant: eu\n      stableKey: crm\n      input: site\n      value: x\n      reason: as imported\n",
    );
    let before = "spec:\n  overrides:\n  - {reason: d, tenant: eu, stableKey: a, input: b, value: c} # why\n  # more\n  to: [eu]\n";
    let added = "  - {tenant: eu, stableKey: crm, input: site, value: x, reason: as imported}\n  # more\n";
    let after = before.replace("  # more\n", added);
    becomes(before, &to("c"), &after);
    becomes(&after, &to("new"), &after.replace("value: c", "value: new"));
    becomes(&after, &[set("spec/overrides", json!([one("c")]))], before);
    becomes(
        "spec: {to: [eu], overrides: []}\n",
        &[set("spec/overrides", json!([two]))],
        "spec: {to: [eu], overrides: [{tenant: eu, stableKey: crm, input: site, value: x, reason: as imported}]}\n",
    );
}
