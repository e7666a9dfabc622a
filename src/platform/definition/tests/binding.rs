use super::super::*;
use super::definition;

fn bound(text: &str, key: &str) -> String {
    String::from_utf8(bind(text.as_bytes(), &[("C", key)]).unwrap_or_else(|error| panic!("{error}\n{text}"))).unwrap()
}

#[test]
fn an_own_connection_becomes_the_shape_that_the_platform_exports() {
    let steps = "      - name: S\n        inputs: {connection: {type: configVar, value: C}}\n";
    let own = "  - key: C # ours
    stableKey: c
    dataType: connection
    connection:
      key: basic
      component: {key: x}
    inputs:
      a: {value: 1}
      b:
        value: |
          text

      # the end
    onPremiseConnectionConfig: disallowed
    # about orgOnly
    orgOnly: false
  - key: Next
";
    let want = "  - key: C # ours
    stableKey: c
    dataType: connection
    useScopedConfigVar: acme-key

      # the end
    # about orgOnly
    orgOnly: false
  - key: Next
";
    assert_eq!(bound(&definition(own, steps), "acme-key"), definition(want, steps));
}

#[test]
fn fields_in_any_order_and_style_are_bound() {
    for (own, want) in [
        (
            "  - connection: {key: a, component: {key: b}}\n    dataType: connection\n    inputs:\n    key: C\n",
            "  - useScopedConfigVar: k\n    dataType: connection\n    key: C\n",
        ),
        (
            "  - inputs: {}\n    connection:\n      key: a\n      component: {key: b}\n    key: C\n",
            "  - useScopedConfigVar: k\n    key: C\n",
        ),
        (
            "  - {key: C, connection: {key: a, component: {key: b}}, dataType: connection, inputs: {a: {value: b}}}\n",
            "  - {key: C, useScopedConfigVar: k, dataType: connection}\n",
        ),
        ("  - key: C\n    useScopedConfigVar: 'old' # why\n", "  - key: C\n    useScopedConfigVar: k # why\n"),
        (
            "  - key: C\n    useScopedConfigVar:\n    connection: {key: a, component: {key: b}}\n",
            "  - key: C\n    useScopedConfigVar: k\n",
        ),
        (
            "  - {\"key\": \"C\", \"inputs\": {}, \"connection\": {\"key\": \"a\", \"component\": {\"key\": \"b\"}}}\n",
            "  - {\"key\": \"C\", useScopedConfigVar: k}\n",
        ),
    ] {
        for crlf in [false, true] {
            let convert = |text: &str| {
                let text = definition(text, "      []\n");
                if crlf { text.replace('\n', "\r\n") } else { text }
            };
            assert_eq!(bound(&convert(own), "k"), convert(want));
        }
    }
}

#[test]
fn a_key_that_reads_as_something_else_is_quoted() {
    let text = definition("  - {key: C, useScopedConfigVar: x}\n", "      []\n");
    for key in ["on", "1e3", "0x10", "007", "Null"] {
        let bound = bound(&text, key);
        assert!(bound.contains(&format!("useScopedConfigVar: \"{key}\"}}")), "{bound}");
    }
}

#[test]
fn the_same_key_changes_nothing() {
    let text = definition("  - {key: C, useScopedConfigVar: \"x\"}\n", "      []\n");
    assert_eq!(bound(&text, "x"), text);
}

#[test]
fn a_variable_that_cannot_be_bound_is_an_error() {
    let text = definition("  - {key: C, useScopedConfigVar: x}\n  - {key: D, useScopedConfigVar: y}\n", "      []\n");
    let error = bind(text.as_bytes(), &[("E", "k")]).unwrap_err();
    assert_eq!(error.to_string(), "the definition has no connection variable \"E\": it has \"C\", \"D\"");
    assert!(matches!(bind(text.as_bytes(), &[("C", "a b")]), Err(DefinitionError::NotAStableKey { .. })));
    // The anchor that would be removed is used elsewhere.
    let anchored = definition(
        "  - {key: C, connection: {key: a, component: &x {key: b}}}\n  - {key: D, connection: {key: a, component: *x}}\n",
        "      []\n",
    );
    assert!(matches!(bind(anchored.as_bytes(), &[("C", "k")]), Err(DefinitionError::CannotEdit { line: 4 })));
}
