use super::super::*;
use super::{all, current, definition, folder, named, old, with_inputs};
use crate::api::{OAuth2, User};

#[test]
fn every_definition_is_read() {
    for (file, bytes) in all() {
        let read = read(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(!read.name.is_empty() && read.uses.variables.len() == read.variables.len(), "{file}");
        assert!(
            matches!(read.format, DefinitionFormat::Current | DefinitionFormat::CodeNative)
                || read.variables.is_empty(),
            "{file}"
        );
    }
}

#[test]
fn what_each_of_our_definitions_holds() {
    let mut lines = Vec::new();
    for (file, bytes) in [current(), old()].concat() {
        let read = read(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        let uses: usize = read.uses.variables.values().map(Vec::len).sum();
        lines.push(format!(
            "{file}: {:?}, {:?}, {} variables, {uses} uses, {} components, {} flows",
            read.name,
            read.format,
            read.variables.len(),
            read.components.len(),
            read.uses.flows.len()
        ));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn uses_are_those_of_the_definition() {
    let lines: Vec<String> = current()
        .iter()
        .map(|(file, bytes)| (file, uses(bytes).unwrap()))
        .flat_map(|(file, uses)| {
            let of = |(variable, uses): (String, Vec<crate::api::Use>)| {
                let used = uses.into_iter().map(|u| {
                    let component = u.component.map_or("-".to_string(), |c| c.to_string());
                    let by = match u.by {
                        User::Step { flow, step } => format!("{flow} / {step}"),
                        User::DataSource { variable } => format!("data source of {variable}"),
                    };
                    format!("\n    {by}: {component}, {}", u.input)
                });
                format!("  {variable:?}{}", used.collect::<String>())
            };
            std::iter::once(file.clone()).chain(uses.variables.into_iter().map(of)).collect::<Vec<_>>()
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_version_that_we_do_not_read_is_never_read_as_the_current_one() {
    for (file, bytes) in folder("newer") {
        let read = read(&bytes).unwrap();
        assert!(matches!(read.format, DefinitionFormat::Unread { .. }) && read.uses.unread.is_some(), "{file}");
        assert!(read.variables.is_empty() && read.uses.variables.is_empty(), "{file}");
    }
}

#[test]
fn a_workflow_is_no_integration() {
    let read = read(&named("workflow.yml").1).unwrap();
    assert_eq!((read.format, read.variables.len()), (DefinitionFormat::Workflow, 0));
}

const STEPS: &str = "
      - name: Loop
        action: {key: loop, component: {key: loop, isPublic: true}}
        steps:
          - name: Branch
            branches:
              - name: A
                steps:
                  - name: Deep
                    action: {key: x, component: {key: acme, isPublic: false}}
                    inputs:
                      awsConnection: {type: configVar, value: C}
                      notOne: {type: configVar, value: Other}
                      text: {type: value, value: C}
                      list: {type: complex, value: [{type: configVar, value: C}]}
";

#[test]
fn uses_are_found_at_any_depth_under_any_input_name() {
    let variables = "  - {key: C, dataType: connection, useScopedConfigVar: acme-key}
  - key: Other
    dataType: picklist
    dataSource: {key: pick, component: {key: sheets, isPublic: true}}
    inputs: {conn: {type: configVar, value: C}}
";
    let read = read(definition(variables, STEPS).as_bytes()).unwrap();
    let deep = |input: &str| crate::api::Use {
        by: User::Step { flow: "F".into(), step: "Deep".into() },
        component: Some(ComponentRef::new("acme", false)),
        input: input.into(),
    };
    let picks = crate::api::Use {
        by: User::DataSource { variable: "Other".into() },
        component: Some(ComponentRef::new("sheets", true)),
        input: "conn".into(),
    };
    assert_eq!(read.uses.variables["C"], [deep("awsConnection"), deep("list"), picks]);
    assert!(matches!(&read.variables[0].shape, VariableShape::Reusable { stable_key } if stable_key == "acme-key"));
}

#[test]
fn the_component_of_generated_code_is_no_stub() {
    let read = read(&named("code-native.yaml").1).unwrap();
    assert_eq!(read.format, DefinitionFormat::CodeNative);
    let stubs = component_stubs(&[&read]);
    assert_eq!(stubs.iter().map(|stub| stub.name()).collect::<Vec<_>>(), ["webhook-triggers"]);
}

#[test]
fn stubs_show_what_use_shows() {
    let read = read(&named("shared-own.yml").1).unwrap();
    let stubs = component_stubs(&[&read, &read]);
    let granary = stubs.iter().find(|stub| stub.spec.key == "granary").unwrap();
    let oauth2 = granary.spec.connection_type("oauth2").unwrap();
    assert_eq!(oauth2.oauth2, Some(OAuth2::AuthorizationCode));
    assert_eq!((oauth2.inputs["tokenUrl"].endpoint, oauth2.inputs["tokenUrl"].secret), (Some(true), None));
    assert_eq!((oauth2.inputs["clientSecret"].endpoint, oauth2.inputs["clientSecret"].secret), (None, Some(true)));
    assert!(oauth2.inputs.values().all(|input| input.required.is_none()));
}

#[test]
fn an_input_is_the_organizations_where_the_customer_does_not_see_it() {
    let text = with_inputs(
        "      a: {type: value, value: x, meta: {orgOnly: true}}
      b: {type: value, value: x, meta: {isVisibleToCustomerDeployer: false}}
      c: {type: value, value: x}
      d: {type: configVar, value: V}
      e: {type: value, value: hunter2, meta: {writeOnly: true}}
      f: {type: value, value: ~}
      g: {type: value, value: REDACTED}
",
    );
    let read = read(text.as_bytes()).unwrap();
    let VariableShape::Own { inputs, .. } = &read.variables[0].shape else { panic!() };
    let ours: Vec<bool> = inputs.iter().map(|input| input.of_organization).collect();
    assert_eq!(ours, [true, true, false, false, false, false, false]);
    let values: Vec<String> = inputs.iter().map(|input| format!("{:?}", input.value)).collect();
    assert_eq!(values, ["Text(…)", "Text(…)", "Text(…)", "Refers", "Secret(…)", "Empty", "Placeholder"]);
}

#[test]
fn any_encoding_is_read() {
    let plain = definition("  - {key: C, dataType: connection, useScopedConfigVar: ä-key}\n", "      []\n");
    let wide: Vec<u16> = plain.encode_utf16().collect();
    let little: Vec<u8> = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = wide.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
    let crlf = plain.replace('\n', "\r\n");
    for bytes in [
        plain.clone().into_bytes(),
        crlf.into_bytes(),
        marked(b"\xEF\xBB\xBF", plain.as_bytes()),
        marked(b"\xFF\xFE", &little),
        marked(b"\xFE\xFF", &big),
        little,
        big,
    ] {
        let read = read(&bytes).unwrap();
        assert!(matches!(&read.variables[0].shape, VariableShape::Reusable { stable_key } if stable_key == "ä-key"));
    }
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let nested = format!("name: x\nflows: {}1{}", "[".repeat(201), "]".repeat(201));
    let flow = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let mixed = format!("name: x\nflows:\n  {}{flow}\n", "- ".repeat(150));
    let chain = (1..=200).map(|n| format!("a{n}: &a{n} {{v: *a{}}}\n", n - 1)).collect::<String>();
    let chain = format!("name: x\nflows: []\na0: &a0 {{password: s3cr3t}}\n{chain}");
    let variables = |text: &str| definition(text, "      []\n");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", b"".to_vec()),
        ("a list", b"- a".to_vec()),
        ("Kubernetes", b"apiVersion: v1\nkind: Secret\ndata: {a: s3cr3t}\n".to_vec()),
        ("no name", b"flows: []".to_vec()),
        ("no flows", b"name: x".to_vec()),
        ("broken", b"name: x\nflows: [\n".to_vec()),
        ("not text", b"name: \xFF\xFF".to_vec()),
        ("two", b"name: x\nflows: []\n---\nname: y\n".to_vec()),
        ("duplicate", b"name: x\nflows: []\nname: y\n".to_vec()),
        ("merge", b"a: &a {name: x}\n<<: *a\nflows: []\n".to_vec()),
        ("deep", deep.into_bytes()),
        ("nested", nested.into_bytes()),
        ("lists in blocks and in brackets", mixed.into_bytes()),
        ("a chain of aliases", chain.into_bytes()),
        ("a merge below its key", b"name: x\nflows: []\n<<:\n\n  - x\n".to_vec()),
        ("an alias of itself", b"name: x\nflows: &f\n  - {steps: *f}\n".to_vec()),
        ("no shape", variables("  - {key: C, dataType: connection}\n").into_bytes()),
        ("no key", variables("  - {dataType: connection, useScopedConfigVar: x}\n").into_bytes()),
        ("no type", variables("  - {key: C, connection: {component: {key: x}}}\n").into_bytes()),
        ("twice", variables("  - {key: C, useScopedConfigVar: x}\n  - {key: C, useScopedConfigVar: x}\n").into_bytes()),
        ("old shape", b"definitionVersion: 7\nname: x\nflows: []\nrequiredConfigVars: {secret: s3cr3t}\n".to_vec()),
    ];
    let messages: Vec<String> =
        cases.iter().map(|(case, bytes)| format!("{case}: {}", read(bytes).unwrap_err())).collect();
    insta::assert_snapshot!(messages.join("\n"));
    assert!(!messages.join("").contains("s3cr3t"));
}

#[test]
fn aliases_are_followed_and_bombs_are_not() {
    let text = definition(
        "  - key: C\n    connection: {key: basic, component: &comp {key: acme, isPublic: false}}\n",
        "      - name: S\n        action: {component: *comp}\n        inputs: {x: {type: configVar, value: C}}\n",
    );
    assert_eq!(read(text.as_bytes()).unwrap().uses.variables["C"][0].component, Some(ComponentRef::new("acme", false)));

    let mut bomb = String::from("name: x\ndefinitionVersion: 7\na0: &a0 [{name: s}]\n");
    for i in 1..60 {
        bomb += &format!("a{i}: &a{i} [{{steps: *a{0}}},{{steps: *a{0}}}]\n", i - 1);
    }
    bomb += "flows: *a59\n";
    assert_eq!(read(bomb.as_bytes()).unwrap_err(), DefinitionError::TooManyNodes);
    assert_eq!(empty_secrets(bomb.as_bytes()).unwrap_err(), DefinitionError::TooManyNodes);
    // Few aliases of a long text, too: each is read as often as it is repeated.
    let long = format!("name: x\nflows: []\nx: &a {}\ny: [{}]\n", "s".repeat(500_000), "*a,".repeat(100));
    assert_eq!(read(long.as_bytes()).unwrap_err(), DefinitionError::TooManyNodes);
    assert_eq!(empty_secrets(long.as_bytes()).unwrap_err(), DefinitionError::TooManyNodes);
    let cycle = "name: x\ndefinitionVersion: 7\nflows: &f\n  - {steps: *f}\n";
    let _ = read(cycle.as_bytes());
    let _ = empty_secrets(cycle.as_bytes());
}

/// The deepest that is read is compared too.
#[test]
fn a_difference_at_the_greatest_depth_is_a_difference() {
    let nested = |text: &str, depth: usize| {
        format!("name: x\nflows: {}{text}{}\n", "[".repeat(depth), "]".repeat(depth)).into_bytes()
    };
    let value = |text: &str| read(&nested(text, limits::DEPTH - 1)).unwrap().uses.value;
    assert_ne!(value("one"), value("two"));
    assert!(matches!(read(&nested("one", limits::DEPTH)), Err(DefinitionError::TooDeep { .. })));
}
