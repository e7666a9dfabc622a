//! A canary secret in every location where a secret can be. It must not appear in any byte of output, files or errors
//! of any command, except in the files that a person wrote it into.

use stablekey_testing::cli::{example, files, run, said, stablekey};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

const CANARY: &str = "c4n4ry-Hunter2-9f8e7d";

/// Runs every command that reads a project, and checks all of its outputs.
fn every_command(root: &Path) {
    let commands: &[&[&str]] = &[
        &["validate"],
        &["validate", "-o", "json"],
        &["validate", "-o", "markdown"],
        &["plan"],
        &["plan", "-o", "json", "--out", "plan.json"],
        &["plan", "-o", "markdown"],
        &["plan", "--tenant", "eu-prod", "--integration", "lead-router"],
        &["plan", "--sync", "us-prod:eu-prod"],
        &["status"],
        &["status", "--todo"],
        &["status", "-o", "json"],
        &["status", "-o", "markdown"],
        &["explain", "eu-prod", "lead-router"],
        &["explain", "salesforce-oauth", "-o", "json"],
        &["export", "us-prod", "lead-router"],
        &["render", "us-prod"],
        &["render", "eu-prod"],
        &["render", "dev"],
        &["adopt", "eu-prod", "Connection/slack-bot"],
        &["apply"],
        &["apply", "--plan", "plan.json"],
        &["apply", "--yes"],
        &["apply", "--yes", "-o", "json"],
        &["plan"],
    ];
    let before = files(root);
    for command in commands {
        let output = run(root, command);
        assert!(output.status.code().is_some(), "{command:?} ends by itself");
        assert!(!said(&output).contains(CANARY), "{command:?} says the secret:\n{}", said(&output));
    }
    for (name, bytes) in files(root) {
        let placed = before.get(&name).is_some_and(|b| contains(b));
        assert!(placed || !contains(&bytes), "{name} has the secret");
    }
}

fn contains(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes())
}

/// One location at a time, so that one error does not hide another.
fn with_canary_in(file: &str, change: impl Fn(String) -> String) {
    let root = example("us-eu");
    let path = root.path().join(file);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let changed = change(text.clone());
    assert_ne!(text, changed);
    assert!(changed.contains(CANARY));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, changed).unwrap();
    every_command(root.path());
}

fn with(from: &'static str, to: String) -> impl Fn(String) -> String {
    move |text| text.replace(from, &to)
}

#[test]
fn as_a_value_with_a_secret_name() {
    for tenant in ["us-prod", "dev"] {
        with_canary_in(
            &format!("{tenant}/connections/salesforce-oauth.yaml"),
            with(
                "clientSecret: {secretRef: {name: salesforce-app, key: clientSecret}}",
                format!("clientSecret: {{value: {CANARY}}}"),
            ),
        );
    }
}

#[test]
fn in_place_of_a_map() {
    with_canary_in(
        "us-prod/connections/salesforce-oauth.yaml",
        with("clientSecret: {secretRef: {name: salesforce-app, key: clientSecret}}", format!("clientSecret: {CANARY}")),
    );
    with_canary_in(
        "us-prod/connections/salesforce-oauth.yaml",
        with(
            "clientSecret: {secretRef: {name: salesforce-app, key: clientSecret}}",
            format!("clientSecret: {{secret: {CANARY}}}"),
        ),
    );
}

#[test]
fn as_a_value_that_only_the_type_marks_as_secret() {
    let root = example("us-eu");
    let component = root.path().join("us-prod/components/salesforce.yaml");
    let text = fs::read_to_string(&component).unwrap().replace("scopes: {}", "scopes: {}\n        pin: {secret: true}");
    fs::write(&component, text).unwrap();
    let connection = root.path().join("us-prod/connections/salesforce-oauth.yaml");
    let text = fs::read_to_string(&connection).unwrap() + &format!("    pin: {{value: {CANARY}}}\n");
    fs::write(&connection, text).unwrap();
    every_command(root.path());
}

/// The same in the target, where it would be kept, drifted or changed.
#[test]
fn as_a_value_that_only_the_type_marks_as_secret_in_the_target() {
    for declared in ["{value: x}", "{secretRef: {name: s, key: k}}", "{perCustomer: true}"] {
        let root = example("us-eu");
        for tenant in ["us-prod", "eu-prod"] {
            let component = root.path().join(tenant).join("components/salesforce.yaml");
            let text = fs::read_to_string(&component)
                .unwrap()
                .replace("scopes: {}", "scopes: {}\n        pin: {secret: true}");
            fs::write(&component, text).unwrap();
        }
        for (tenant, pin) in [("us-prod", declared.to_string()), ("eu-prod", format!("{{value: {CANARY}}}"))] {
            let connection = root.path().join(tenant).join("connections/salesforce-oauth.yaml");
            let text = fs::read_to_string(&connection).unwrap();
            fs::write(&connection, text.replace("  inputs:\n", &format!("  inputs:\n    pin: {pin}\n"))).unwrap();
        }
        every_command(root.path());
    }
}

#[test]
fn in_test_inputs_and_customer_credentials() {
    with_canary_in("us-prod/connections/warehouse.yaml", |text| {
        text + &format!("  test: {{inputs: {{password: {{value: {CANARY}}}}}}}\n")
    });
    with_canary_in("eu-prod/customercredentials/acme-salesforce.yaml", |text| {
        text + &format!("    refreshToken: {{value: {CANARY}}}\n")
    });
}

#[test]
fn in_an_override() {
    with_canary_in(
        "syncs.yaml",
        with(
            "input: authorizeUrl\n      value: https://eu.login.example/authorize",
            format!("input: clientSecret\n      value: {CANARY}"),
        ),
    );
}

#[test]
fn in_other_kinds_and_in_broken_files() {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: salesforce-app}}\nstringData:\n  clientSecret: {CANARY}\n"
    );
    with_canary_in("us-prod/secrets.yaml", |_| secret.clone());
    with_canary_in("us-prod/secrets.yaml", |_| format!("{secret}  broken: [\n"));
    with_canary_in("us-prod/secrets.yaml", |_| format!("{secret}\tpassword: {CANARY}\n"));
    with_canary_in("us-prod/secrets.yaml", |_| {
        format!("apiVersion: v1\nkind: Secret\nstringData: {{password: \"{CANARY}\n")
    });
    with_canary_in("us-prod/connections/warehouse.yaml", |text| format!("{text}    password2: {CANARY}: x\n"));
    with_canary_in("us-prod/connections/warehouse.yaml", |text| {
        format!("{text}  password: {CANARY}\n bad indentation\n")
    });
}

const DEFINITION: &str = "definitionVersion: 7
name: With secrets
requiredConfigVars:
  - key: CRM
    dataType: connection
    connection:
      key: oauth2
      component: {key: salesforce, isPublic: true, version: LATEST}
    inputs:
      clientId: {type: value, value: visible, meta: {orgOnly: true}}
      clientSecret: {type: value, value: CANARY, meta: {orgOnly: true}}
      pin: {type: value, value: CANARY, meta: {orgOnly: true, writeOnly: true}}
flows:
  - name: Main
    steps:
      - name: Call
        action: {key: call, component: {key: salesforce, isPublic: true, version: LATEST}}
        inputs:
          connection: {type: configVar, value: CRM}
          password: {type: value, value: CANARY}
";

#[test]
fn in_an_exported_definition() {
    for reusable in [&[][..], &["--reusable", "all"]] {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let file = outside.path().join("definition.yml");
        fs::write(&file, DEFINITION.replace("CANARY", CANARY)).unwrap();
        let mut arguments = vec!["import", file.to_str().unwrap()];
        arguments.extend(reusable);
        let output = run(root.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(!said(&output).contains(CANARY));
        assert!(said(&output).contains("clientSecret"), "the person is told which: {}", said(&output));
        for (name, bytes) in files(root.path()) {
            assert!(!contains(&bytes), "{name}");
        }
        assert!(files(root.path()).keys().any(|name| name.ends_with(".definition")));
    }
}

#[test]
fn in_an_answer_of_the_platform() {
    let answer = format!(
        r#"{{"data": {{"scopedConfigVariables": {{"nodes": [{{"key": "CRM", "stableKey": "salesforce-oauth", "managedBy": "ORG", "variableScope": "ORG",
        "connection": {{"key": "oauth2", "component": {{"key": "salesforce", "public": true}}}},
        "inputs": {{"nodes": [{{"name": "clientSecret", "type": "VALUE", "value": "{CANARY}", "hasValue": true}},
                              {{"name": "pin", "type": "VALUE", "value": "{CANARY}", "hasValue": true}}]}}}}], "pageInfo": {{"hasNextPage": false}}}},
        "components": {{"nodes": [{{"key": "salesforce", "public": true, "connections": {{"nodes": [{{"key": "oauth2", "inputs": {{"nodes": [{{"key": "pin", "type": "PASSWORD"}}]}}}}]}}}}], "pageInfo": {{"hasNextPage": false}}}}}}}}"#
    );
    for text in [answer.clone(), answer.replace("}}", "}"), answer.replace("\"nodes\"", "\"nodez\"")] {
        let root = tempfile::tempdir().unwrap();
        let mut command = stablekey(root.path(), &["import", "--tenant", "us-prod", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!said(&output).contains(CANARY), "{}", said(&output));
        for (name, bytes) in files(root.path()) {
            assert!(!contains(&bytes), "{name}");
        }
    }
}
