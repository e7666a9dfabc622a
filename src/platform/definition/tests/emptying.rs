use super::super::*;
use super::{definition, with_inputs};

fn emptied(text: &str) -> (String, Vec<String>) {
    let (bytes, emptied) = empty_secrets(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    (String::from_utf8(bytes).unwrap(), emptied.iter().map(|e| format!("{}: {}", e.line, e.place)).collect())
}

/// Asserts that emptying the only secret of the text replaces this part by `""`.
fn becomes(inputs: &str, secret: &str) {
    for text in [with_inputs(inputs), with_inputs(inputs).replace('\n', "\r\n")] {
        let secret = if text.contains('\r') { secret.replace('\n', "\r\n") } else { secret.to_string() };
        assert!(text.contains(&secret));
        assert_eq!(emptied(&text).0, text.replace(&secret, "\"\""), "{text}");
    }
}

#[test]
fn every_way_to_write_a_scalar_is_emptied_exactly() {
    for (inputs, secret) in [
        ("      password: {type: value, value: hunter2}\n", "hunter2"),
        ("      password:\n        type: value\n        value: hunter2 # mine\n", "hunter2"),
        ("      password:\n        value: 'it''s'\n        type: value\n", "'it''s'"),
        ("      password:\n        value: \"a\\nb\"\n", "\"a\\nb\""),
        ("      password:\n        value: 12345\n", "12345"),
        ("      password:\n        value: false\n", "false"),
        ("      password:\n        value: !!str abc\n", "abc"),
        ("      password:\n        value: two\n          lines\n        type: value\n", "two\n          lines"),
        (
            "      password:\n        value: |\n          a\n\n          b\n        type: value\n",
            "|\n          a\n\n          b",
        ),
        ("      password:\n        value: >- # why | this\n          a\n", ">- # why | this\n          a"),
        (
            "      password:\n        value: # why | this\n          |+\n          a\n\n\n        type: value\n",
            "|+\n          a",
        ),
        ("      password:\n        value: &pw !!str |2-\n            a\n        type: value\n", "|2-\n            a"),
        ("      password: hunter2\n", "hunter2"),
        ("      ? password\n      : value: hunter2\n", "hunter2"),
        ("      password: {type: template, value: 'Basic {{ x }}'}\n", "'Basic {{ x }}'"),
        ("      pin: {value: \"1\", meta: {writeOnly: true}}\n", "\"1\""),
        ("      pin: {value: '2', meta: {inputType: PASSWORD}}\n", "'2'"),
        ("      dsn: {value: 'postgres://u:p@db/x'}\n", "'postgres://u:p@db/x'"),
        (
            "      pem:\n        value: |\n          -----BEGIN PRIVATE KEY-----\n          a\n",
            "|\n          -----BEGIN PRIVATE KEY-----\n          a",
        ),
    ] {
        becomes(inputs, secret);
    }
}

#[test]
fn references_and_empty_values_stay() {
    let text = with_inputs(
        "      password: {type: configVar, value: Password}
      clientSecret: {type: reference, value: step.results}
      apiKey: {type: template, value: '{{ configVars.key }}'}
      accessToken: {type: value, value: ''}
      token: {type: value, value: null}
      secret:
      tokenUrl: {type: value, value: 'https://a.example/token'}
      dsn: {type: template, value: 'postgres://u:{{ pw }}@db/x'}
",
    );
    assert_eq!(emptied(&text), (text, vec![]));
}

#[test]
fn secrets_of_steps_data_sources_defaults_and_endpoints_are_emptied() {
    let variables = "  - {key: Api Key, dataType: string, defaultValue: k1}
  - {key: Token kind, dataType: picklist, defaultValue: kept}
  - key: List
    dataType: picklist
    dataSource: {key: pick, component: {key: sheets}}
    inputs: {secretKey: {type: value, value: k2}, max_tokens: {type: value, value: '1000'}}
";
    let steps = "
      - name: S
        inputs:
          apiKey: {type: value, value: k3}
          useToken: {type: value, value: 'true'}
          headers:
            type: complex
            value:
              - {name: Authorization, type: value, value: Bearer k4}
              - {name: {type: value, value: X-Api-Key}, value: {type: value, value: k5}}
              - {name: {type: value, value: Accept}, value: {type: value, value: kept}}
          plain: {type: complex, value: {password: k6, user: kept}}
          secretList: {type: complex, value: [{type: value, value: k7}]}
    organizationApiKeys: [k8, 'k9']
";
    let text = definition(variables, steps);
    let (after, places) = emptied(&text);
    let mut expected = text;
    for secret in ["'k9'", "Bearer k4", "k1", "k2", "k3", "k5", "k6", "k7", "k8"] {
        expected = expected.replace(secret, "\"\"");
    }
    assert_eq!(after, expected);
    insta::assert_snapshot!(places.join("\n"));
}

#[test]
fn an_aliased_secret_is_emptied_at_its_anchor() {
    let text = with_inputs("      note: {value: &pw hunter2}\n      password: {value: *pw}\n");
    assert_eq!(emptied(&text).0, text.replace("hunter2", "\"\""));
}

#[test]
fn a_secret_that_occurs_twice_is_removed_everywhere() {
    let twice =
        with_inputs("      password: {value: correct-horse-battery}\n      note: {value: correct-horse-battery}\n");
    let (after, places) = emptied(&twice);
    assert_eq!(after, twice.replace("correct-horse-battery", "\"\""));
    assert_eq!(places.len(), 2);
    for other in ["      # was correct-horse-battery\n", "      note: {value: \"x correct\\u002dhorse-battery\"}\n"] {
        let text = with_inputs(&format!("      password: {{value: correct-horse-battery}}\n{other}"));
        let error = empty_secrets(text.as_bytes()).unwrap_err();
        assert_eq!(error, DefinitionError::SecretElsewhere { line: 11, secret_line: 10 });
        assert!(!format!("{error} {error:?}").contains("horse"));
    }
}

#[test]
fn old_definitions_lose_their_secrets_too() {
    let (bytes, emptied) = empty_secrets(&super::named("version-none-mapping.yaml").1).unwrap();
    assert_eq!(emptied.len(), 1);
    assert_eq!(emptied[0].place, EmptiedPlace::Default { variable: "secret".into() });
    assert!(String::from_utf8(bytes).unwrap().contains("\n  secret: \"\"\n"));
}

#[test]
fn what_is_emptied_in_each_of_our_definitions() {
    let lines: Vec<String> = [super::current(), super::old()]
        .concat()
        .iter()
        .map(|(file, bytes)| (file, empty_secrets(bytes).unwrap_or_else(|error| panic!("{file}: {error}")).1))
        .flat_map(|(file, emptied)| {
            let line = move |e: Emptied| {
                format!("{file}:{}: {}{}", e.line, e.place, if e.placeholder { " (a placeholder)" } else { "" })
            };
            emptied.into_iter().map(line)
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// A value that equals the name of its input is a placeholder, and the key is kept.
#[test]
fn a_value_that_is_its_inputs_own_name_is_a_placeholder() {
    let (kept, emptied) = empty_secrets(&super::named("placeholder-is-its-key.yml").1).unwrap();
    assert!(String::from_utf8(kept).unwrap().contains("clientSecret:"));
    assert_eq!(emptied.iter().map(|e| (e.line, e.placeholder)).collect::<Vec<_>>(), [(31, true)]);
}

/// "old formats empty the value, not the reference", and "a `{{template}}` … is none".
#[test]
fn a_reference_is_no_secret_in_any_format() {
    let old = |token: &str| {
        format!(
            "name: Old\nrequiredConfigVars:\n  api_key: \"{{{{ x }}}}\"\nsteps:\n  - name: S\n    action: {{componentKey: http, \
             key: get}}\n    inputs:\n      token: {token}\n      password: {{configVar: api_key}}\n      secret: {{type: \
             configVar, value: api_key}}\n      passphrase: {{type: reference, value: s.results.token}}\n"
        )
    };
    for reference in ["\"{{$api_key}}\"", "{value: \"{{ configVars.api_key }}\"}", "{type: value, value: \"{{#a.b}}\"}"]
    {
        let (kept, emptied) = empty_secrets(old(reference).as_bytes()).unwrap();
        assert_eq!((String::from_utf8(kept).unwrap(), emptied), (old(reference), vec![]), "{reference}");
    }
    let (kept, emptied) = empty_secrets(old("{value: s3cr3t}").as_bytes()).unwrap();
    assert_eq!((String::from_utf8(kept).unwrap(), emptied.len()), (old("{value: \"\"}"), 1));
}

/// "by place and type": in lists of named values and in pairs, by the name of a header, and by a token's own shape.
#[test]
fn secrets_in_lists_and_tokens_are_found() {
    let with = |defaults: &str, input: &str| {
        format!(
            "definitionVersion: 7\nname: T\nrequiredConfigVars:\n  - {{key: Form, dataType: jsonForm, defaultValue: {defaults}}}\n\
             flows:\n  - name: F\n    steps:\n      - {{name: S, action: {{key: x, component: {{key: c, isPublic: true, version: 1}}}}, \
             inputs: {{{input}}}}}\n"
        )
    };
    let token = format!("ghp_{}", "a".repeat(36));
    for (defaults, input) in [
        ("{list: [{token: S3CR3T}]}", "a: {type: value, value: x}"),
        ("[{key: Authorization, value: Bearer S3CR3T}, {key: Accept, value: plain}]", "a: {type: value, value: x}"),
        ("x", "a: {type: value, value: [{password: S3CR3T}]}"),
        ("x", "a: {type: value, value: {items: [{apiKey: S3CR3T}]}}"),
        ("x", "authorization: {type: value, value: Basic S3CR3T}"),
        ("x", "token: {type: value, value: \"482913\"}"),
        ("x", &format!("a: {{type: value, value: {token}}}")),
    ] {
        let text = with(defaults, input);
        let (kept, emptied) = empty_secrets(text.as_bytes()).unwrap();
        let kept = String::from_utf8(kept).unwrap();
        assert_eq!(emptied.len(), 1, "{text}");
        assert!(!kept.contains("S3CR3T") && !kept.contains("482913") && !kept.contains("ghp_"), "{kept}");
        assert_eq!(kept.contains("value: plain"), defaults.contains("Accept"), "{kept}");
    }
    for input in [
        "maxTokens: {type: value, value: \"4096\"}",
        "tokenLimit: {type: value, value: \"10\"}",
        "a: {type: value, value: [{name: x}]}",
    ] {
        assert!(empty_secrets(with("x", input).as_bytes()).unwrap().1.is_empty(), "{input}");
    }
}

#[test]
fn utf_16_comes_back_as_utf_8() {
    let text = with_inputs("      password: {value: hunter2}\n");
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (bytes, emptied) = empty_secrets(&[b"\xFF\xFE", wide.as_slice()].concat()).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), text.replace("hunter2", "\"\""));
    assert_eq!(emptied[0].line, 10);
}

/// "by place and type, never by equality with words of the structure; a value equal to its own name … is none".
#[test]
fn words_of_the_structure_are_no_secrets() {
    let definition = |secret: &str| {
        format!(
            "definitionVersion: 7\nname: C\nrequiredConfigVars:\n  - key: Chat\n    dataType: connection\n    connection: \
             {{key: oauth2, component: {{key: microsoft-teams, isPublic: true, version: 1}}}}\n    inputs: {{clientSecret: \
             {{type: value, value: {secret}}}}}\nflows: []\n"
        )
    };
    for secret in ["microsoft-teams", "clientSecret", "client_secret", "definitionVersion"] {
        let (kept, emptied) = empty_secrets(definition(secret).as_bytes()).unwrap();
        let kept = String::from_utf8(kept).unwrap();
        assert_eq!(kept, definition("\"\""), "{secret}");
        assert!(emptied.len() == 1 && emptied[0].placeholder, "{secret}: {emptied:?}");
    }
    // A secret in two inputs is a secret in both, whatever the keys are there.
    let twice = definition("s3cr3t-s3cr3t").replace("flows: []", "flows:\n  - name: F\n    steps:\n      - {name: S, action: {key: x, component: {key: y, isPublic: true, version: 1}}, inputs: {body: {type: complex, value: [{name: {type: value, value: key}, type: complex, value: {key: s3cr3t-s3cr3t}}]}}}");
    match empty_secrets(twice.as_bytes()) {
        Ok((kept, _)) => assert!(!String::from_utf8(kept).unwrap().contains("s3cr3t")),
        Err(error) => assert!(error.to_string().contains("line"), "{error}"),
    }
}

/// Structure is never emptied, not even where an alias of it is a secret's value.
#[test]
fn structure_behind_an_alias_is_not_emptied() {
    for (structure, aliased) in [
        ("name: T", "name: &n T"),
        ("- key: C", "- key: &n C"),
        ("component: {key: comp", "component: {key: &n comp"),
        ("      password: ", "      &n password: "),
    ] {
        let text = with_inputs("      password: {type: value, value: *n}\n").replacen(structure, aliased, 1);
        assert!(text.contains(aliased), "{text}");
        let refused = empty_secrets(text.as_bytes());
        assert!(matches!(refused, Err(DefinitionError::CannotEdit { .. })), "{aliased}: {refused:?}\n{text}");
    }
}
