//! "Definitions are compared as values": key order, quoting and defaults that the platform writes are no difference.

use super::super::uses;
use super::definition;
use crate::api::Uses;

fn of(text: &str) -> Uses {
    uses(text.as_bytes()).unwrap()
}

const V7: &str = "definitionVersion: 7
name: Greet
requiredConfigVars:
  - {key: Chat, dataType: connection, useScopedConfigVar: chat-main}
flows:
  - name: F
    steps:
      - {name: S, isTrigger: true, action: {key: x, component: {key: chat, isPublic: true, version: 1}}, inputs: {connection: {type: configVar, value: Chat}}}
";

/// The definition as the platform exports it again.
const READ_BACK: &str = "definitionVersion: 7
documentation: ''
endpointType: flow_specific
flows:
- name: F
  description: ''
  steps:
  - action:
      component:
        isPublic: true
        key: \"chat\"
        version: 1
      key: x
    inputs:
      connection:
        type: configVar
        value: Chat
    isTrigger: true
    name: S
labels: []
name: 'Greet'
requiredConfigVars:
- dataType: connection
  key: Chat
  useScopedConfigVar: chat-main # a comment
";

#[test]
fn the_form_is_no_difference() {
    let (written, back) = (of(V7), of(READ_BACK));
    assert_ne!(written.digest, back.digest);
    assert!(written.has_same_value(&back), "{written:?}\n{back:?}");
    assert!(written.changes_to(&back).is_empty());
}

#[test]
fn whatever_says_something_is_one() {
    for (was, is) in [
        ("value: Chat", "value: Chats"),
        ("name: S,", "name: T,"),
        ("isTrigger: true", "isTrigger: 'true'"),
        ("useScopedConfigVar: chat-main", "useScopedConfigVar: chat"),
        ("version: 1", "version: 2"),
        ("name: Greet", "name: Greet\nendpointType: instance_specific"),
        ("name: Greet", "name: Greets"),
        // An empty string in an input is a value, and defaults of the definition do not apply to a flow.
        ("value: Chat}", "value: Chat}, text: {type: value, value: ''}"),
        ("  - name: F", "  - name: F\n    endpointType: flow_specific"),
    ] {
        let changed = of(&V7.replace(was, is));
        assert!(!of(V7).has_same_value(&changed) && !of(V7).changes_to(&changed).is_empty(), "{is}");
    }
}

#[test]
fn the_version_of_a_component_is_a_difference_of_its_own() {
    let newer = of(&READ_BACK.replace("version: 1", "version: 2"));
    let written = of(V7);
    assert!(!written.has_same_value(&newer) && written.has_same_value_except_versions(&newer));
    assert_eq!(written.changes_to(&newer), ["~ step F › S (chat/x): version of a component"]);
    // A value of an input called component is not a component.
    let typed =
        |version: &str| of(&V7.replace("value: Chat}", &format!("value: Chat}}, component: {{version: {version}}}")));
    assert!(!typed("1").has_same_value_except_versions(&typed("2")));
    // Only versions of components are ignored, not the definition's own version.
    assert!(!written.has_same_value_except_versions(&of(&V7.replace("value: Chat", "value: Chats"))));
}

#[test]
fn steps_and_flows_that_come_go_and_change_are_named() {
    let step = |name: &str, text: &str| {
        format!(
            "      - {{name: {name}, action: {{key: runCode, component: {{key: code, isPublic: true}}}}, inputs: {{code: {{type: value, value: {text}}}}}}}\n"
        )
    };
    let of_steps = |steps: &[(&str, &str)]| {
        of(&definition("  []\n", &steps.iter().map(|(name, text)| step(name, text)).collect::<String>()))
    };
    let (before, after) =
        (of_steps(&[("A", "1"), ("B", "1"), ("C", "1")]), of_steps(&[("B", "2"), ("C", "1"), ("D", "1")]));
    let changes = before.changes_to(&after);
    assert_eq!(changes, ["- step F › A (code/runCode)", "~ step F › B (code/runCode)", "+ step F › D (code/runCode)"]);
    let renamed = of(&V7.replace("name: F", "name: G"));
    let changes = of(V7).changes_to(&renamed);
    assert_eq!(changes, ["- flow F", "- step F › S (chat/x)", "+ flow G", "+ step G › S (chat/x)"]);
    let variables = of(&V7.replace("chat-main", "other"));
    assert_eq!(of(V7).changes_to(&variables), ["~ requiredConfigVars"]);
}
