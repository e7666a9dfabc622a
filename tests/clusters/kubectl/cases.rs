//! For every CEL rule of crds/: accepted objects, refused objects, and kubectl's message.

use serde_json::{Value, json};
use stablekey::api::Kind::{self, *};
use stablekey::api::rules;

/// A test of one rule. Objects are given by their specs; a Connection's stable key is its name unless the spec has
/// another.
pub struct Case {
    /// The name of its objects.
    pub name: &'static str,
    pub kind: Kind,
    /// The path in kubectl's message.
    pub at: &'static str,
    /// The text of kubectl's message.
    pub message: &'static str,
    /// The spec before, for rules on changes.
    pub before: Option<Value>,
    pub good: Vec<Value>,
    pub bad: Vec<Value>,
}

/// A secret that was written as a literal by mistake: it must never be shown.
pub const SECRET: &str = "hush-hush";

const ONE_INPUT: &str = "an input is exactly one of value, secretRef, perCustomer: true";

pub fn all() -> Vec<Case> {
    [of_connections(), of_changes(), of_customer_credentials(), of_integrations(), of_tenants(), of_syncs()]
        .into_iter()
        .flatten()
        .chain([of_components()])
        .collect()
}

fn connection(inputs: Value) -> Value {
    of_credentials("Customer", inputs)
}

fn of_credentials(credentials: &str, inputs: Value) -> Value {
    json!({"component": {"key": "salesforce"}, "type": "oauth2", "credentials": credentials, "inputs": inputs})
}

fn with(mut spec: Value, field: &str, value: Value) -> Value {
    spec[field] = value;
    spec
}

fn secret_ref() -> Value {
    json!({"secretRef": {"name": "s", "key": "k"}})
}

/// Inputs with no source, and with two.
fn not_one_input() -> [Value; 4] {
    [
        json!({}),
        json!({"value": "x", "perCustomer": true}),
        json!({"value": "x", "secretRef": {"name": "s", "key": "k"}}),
        json!({"secretRef": {"name": "s", "key": "k"}, "perCustomer": true}),
    ]
}

/// Inputs whose names mark them as secret.
fn literals() -> Vec<Value> {
    let names =
        ["clientSecret", "password", "API-Key", "access_token", "privateKey", "Connection String", "bearer", "pwd"];
    names.map(|name| json!({name: {"value": SECRET}})).into()
}

/// Inputs whose names are only about secrets; and a correct secret.
fn no_literals() -> Vec<Value> {
    let about =
        ["tokenUrl", "tokenType", "tokenExpiry", "apiKeyHeaderName", "passwordPolicy", "accessKeyId", "secretHost"];
    vec![
        Value::Object(about.map(|name| (name.to_owned(), json!({"value": "x"}))).into_iter().collect()),
        json!({"clientSecret": secret_ref()}),
    ]
}

fn of_connections() -> Vec<Case> {
    let tested = |inputs: Value| with(connection(json!({})), "test", json!({"inputs": inputs}));
    vec![
        Case {
            name: "named-by-its-key",
            kind: Connection,
            at: "metadata.name",
            message: "the name must be the stable key in lower case with _ as -: sales-force",
            before: None,
            good: vec![with(connection(json!({})), "stableKey", json!("Named_By_Its-KEY_good_0"))],
            bad: vec![with(connection(json!({})), "stableKey", json!("Sales_Force"))],
        },
        Case {
            name: "one-input",
            kind: Connection,
            at: "spec.inputs[url]",
            message: ONE_INPUT,
            before: None,
            good: vec![connection(json!({"url": {"value": "x"}, "b": {"perCustomer": true}, "c": secret_ref()}))],
            bad: not_one_input().map(|input| connection(json!({"url": input}))).into(),
        },
        Case {
            name: "one-test-input",
            kind: Connection,
            at: "spec.test.inputs[url]",
            message: ONE_INPUT,
            before: None,
            good: vec![tested(json!({"url": {"value": "x"}, "c": secret_ref()}))],
            bad: not_one_input().map(|input| tested(json!({"url": input}))).into(),
        },
        Case {
            name: "global",
            kind: Connection,
            at: "spec.inputs",
            message: rules::GLOBAL_PER_CUSTOMER,
            before: None,
            good: vec![
                of_credentials("OrganizationGlobal", json!({"url": {"value": "x"}, "key": secret_ref()})),
                of_credentials("OrganizationCustomer", json!({"url": {"perCustomer": true}})),
            ],
            bad: vec![of_credentials("OrganizationGlobal", json!({"a": {"value": "x"}, "b": {"perCustomer": true}}))],
        },
        Case {
            name: "literal",
            kind: Connection,
            at: "spec.inputs",
            message: rules::SECRET_LITERAL,
            before: None,
            good: no_literals().into_iter().map(connection).collect(),
            bad: literals().into_iter().map(connection).collect(),
        },
        Case {
            name: "value",
            kind: Connection,
            at: "spec.inputs",
            message: rules::SECRET_VALUE,
            before: None,
            good: no_secret_values().into_iter().map(connection).collect(),
            bad: secret_values().into_iter().map(connection).collect(),
        },
        Case {
            name: "title",
            kind: Connection,
            at: "spec.title",
            message: rules::SECRET_TEXT,
            before: None,
            good: vec![with(connection(json!({})), "title", json!("https://chat.example"))],
            bad: vec![with(connection(json!({})), "title", json!(format!("https://svc:{SECRET}@chat.example")))],
        },
        Case {
            name: "description",
            kind: Connection,
            at: "spec.description",
            message: rules::SECRET_TEXT,
            before: None,
            good: vec![with(connection(json!({})), "description", json!("-----BEGIN PUBLIC KEY-----"))],
            bad: vec![with(
                connection(json!({})),
                "description",
                json!(format!("-----BEGIN PRIVATE KEY-----{SECRET}")),
            )],
        },
        Case {
            name: "test-value",
            kind: Connection,
            at: "spec.test.inputs",
            message: rules::SECRET_VALUE,
            before: None,
            good: no_secret_values().into_iter().map(tested).collect(),
            bad: secret_values().into_iter().map(tested).collect(),
        },
        Case {
            name: "name",
            kind: Connection,
            at: "spec.inputs",
            message: rules::INPUT_NAME,
            before: None,
            good: vec![connection(json!({"n".repeat(253): {"value": "x"}}))],
            bad: vec![connection(json!({"n".repeat(254): {"value": "x"}}))],
        },
        Case {
            name: "test-name",
            kind: Connection,
            at: "spec.test.inputs",
            message: rules::INPUT_NAME,
            before: None,
            good: vec![tested(json!({"n".repeat(253): {"value": "x"}}))],
            bad: vec![tested(json!({"n".repeat(254): {"value": "x"}}))],
        },
        Case {
            name: "test-literal",
            kind: Connection,
            at: "spec.test.inputs",
            message: rules::SECRET_LITERAL,
            before: None,
            good: no_literals().into_iter().map(tested).collect(),
            bad: literals().into_iter().map(tested).collect(),
        },
        Case {
            name: "test-per-customer",
            kind: Connection,
            at: "spec.test.inputs",
            message: rules::TEST_PER_CUSTOMER,
            before: None,
            good: vec![tested(json!({"username": {"value": "x"}}))],
            bad: vec![tested(json!({"username": {"perCustomer": true}}))],
        },
    ]
}

/// The immutable fields of a connection.
fn of_changes() -> Vec<Case> {
    let before = || connection(json!({"url": {"value": "x"}}));
    let public = |public| json!({"key": "salesforce", "public": public});
    let change =
        |name, at, message, good, bad| Case { name, kind: Connection, at, message, before: Some(before()), good, bad };
    let all_else = || {
        let moved = with(connection(json!({"url": {"perCustomer": true}, "b": {"value": "y"}})), "title", json!("CRM"));
        with(with(moved, "embeddedWorkflows", json!(true)), "deletionPolicy", json!("Delete"))
    };
    vec![
        change(
            "same-key",
            "spec.stableKey",
            "a stable key never changes: make a new Connection with replaces: [the old key]",
            vec![all_else()],
            vec![with(before(), "stableKey", json!("Same_Key_bad_0"))],
        ),
        change(
            "same-component",
            "spec.component",
            "the component never changes: make a new Connection with another stable key",
            vec![with(before(), "component", public(true))],
            vec![with(before(), "component", json!({"key": "slack"})), with(before(), "component", public(false))],
        ),
        change(
            "same-type",
            "spec.type",
            "the type never changes: make a new Connection with another stable key",
            vec![all_else()],
            vec![with(before(), "type", json!("basic"))],
        ),
        change(
            "same-credentials",
            "spec.credentials",
            "whose credentials they are never changes: make a new Connection with another stable key",
            vec![all_else()],
            vec![with(before(), "credentials", json!("OrganizationCustomer"))],
        ),
    ]
}

fn of_customer_credentials() -> Vec<Case> {
    let of = |inputs: Value| json!({"customer": "Acme, Inc.", "connection": "crm", "inputs": inputs});
    let case =
        |name, at, message, good, bad| Case { name, kind: CustomerCredentials, at, message, before: None, good, bad };
    let change =
        |name, at, message, good, bad| Case { before: Some(of(json!({}))), ..case(name, at, message, good, bad) };
    vec![
        case(
            "customers-one-input",
            "spec.inputs[url]",
            ONE_INPUT,
            vec![of(json!({"url": {"value": "x"}, "c": secret_ref()}))],
            not_one_input().map(|input| of(json!({"url": input}))).into(),
        ),
        case(
            "customers-own",
            "spec.inputs",
            rules::CUSTOMER_PER_CUSTOMER,
            vec![of(json!({"url": {"value": "x"}}))],
            vec![of(json!({"url": {"perCustomer": true}}))],
        ),
        case(
            "customers-name",
            "spec.inputs",
            rules::INPUT_NAME,
            vec![of(json!({"n".repeat(253): {"value": "x"}}))],
            vec![of(json!({"n".repeat(254): {"value": "x"}}))],
        ),
        case(
            "customers-literal",
            "spec.inputs",
            rules::SECRET_LITERAL,
            no_literals().into_iter().map(of).collect(),
            literals().into_iter().map(of).collect(),
        ),
        case(
            "customers-value",
            "spec.inputs",
            rules::SECRET_VALUE,
            no_secret_values().into_iter().map(of).collect(),
            secret_values().into_iter().map(of).collect(),
        ),
        change(
            "customers-same-customer",
            "spec.customer",
            "whose they are never changes: make other CustomerCredentials",
            vec![of(json!({"url": {"value": "y"}}))],
            vec![with(of(json!({})), "customer", json!("Second"))],
        ),
        change(
            "customers-same-connection",
            "spec.connection",
            "what they are for never changes: make other CustomerCredentials",
            vec![of(json!({"url": {"value": "y"}}))],
            vec![with(of(json!({})), "connection", json!("erp"))],
        ),
    ]
}

/// URLs with a password in them, and private keys.
fn secret_values() -> Vec<Value> {
    let values = [format!("https://svc:{SECRET}@chat.example"), format!("-----BEGIN PRIVATE KEY-----{SECRET}")];
    values.into_iter().map(|value| json!({"url": {"value": value}})).collect()
}

fn no_secret_values() -> Vec<Value> {
    let values = ["https://chat.example/x?y=a:b@c", "https://u:{{password}}@h", "https://user@host"];
    values.into_iter().map(|value| json!({"url": {"value": value}})).collect()
}

fn of_integrations() -> Vec<Case> {
    let own = || json!({"component": {"key": "http"}, "type": "basic"});
    let variable = |variable: Value| json!({"connections": [{"name": "CRM", "stableKey": "crm"}, variable]});
    let definition = |definition: Value| json!({"definition": definition});
    vec![
        Case {
            name: "integration-title",
            kind: Integration,
            at: "spec.title",
            message: rules::SECRET_TEXT,
            before: None,
            good: vec![json!({"title": "https://chat.example"})],
            bad: vec![json!({"title": format!("https://svc:{SECRET}@chat.example")})],
        },
        Case {
            name: "one-meaning",
            kind: Integration,
            at: "spec.connections[1]",
            message: "a connection variable is exactly one of stableKey, own",
            before: None,
            good: vec![
                variable(json!({"name": "Warehouse", "stableKey": "warehouse"})),
                variable(json!({"name": "Warehouse", "own": own()})),
            ],
            bad: vec![
                variable(json!({"name": "Warehouse"})),
                variable(json!({"name": "Warehouse", "stableKey": "warehouse", "own": own()})),
            ],
        },
        Case {
            name: "one-definition",
            kind: Integration,
            at: "spec.definition",
            message: "a definition is exactly one of file, configMap",
            before: None,
            good: vec![
                definition(json!({"file": "lead-router.definition"})),
                definition(json!({"configMap": {"name": "lead-router-3f9a"}})),
            ],
            bad: vec![definition(json!({})), definition(json!({"file": "x", "configMap": {"name": "y"}}))],
        },
    ]
}

fn of_tenants() -> Vec<Case> {
    let location = |location: Value| json!({"location": location});
    let kubeconfig =
        |kubeconfig: Value| json!({"location": {"kubernetes": {"namespace": "x", "kubeconfig": kubeconfig}}});
    let prismatic =
        |name: &str, value: Value| location(json!({"prismatic": {"url": "https://app.prismatic.io", name: value}}));
    let token = |token: Value| prismatic("tokenFrom", token);
    let secrets = |secrets: Value| prismatic("secrets", secrets);
    let percent = |percent: i64| json!({"policy": {"approval": {"percent": percent}}});
    let source = |source: Value| json!({"source": source});
    let git = |names: &[&str]| {
        let git = json!({"url": "https://git.example/x.git"});
        names.iter().fold(git, |git, name| with(git, name, json!("0123456789012345678901234567890123456789")))
    };
    let case = |name, at, message, good, bad| Case { name, kind: Tenant, at, message, before: None, good, bad };
    vec![
        case(
            "one-location",
            "spec.location",
            "a location is exactly one of directory, kubernetes, prismatic",
            vec![
                json!({"region": "eu"}),
                location(json!({"directory": {"path": "eu-prod"}})),
                location(json!({"kubernetes": {"namespace": "integrations"}})),
                location(json!({"prismatic": {"url": "https://app.prismatic.io"}})),
            ],
            vec![location(json!({})), location(json!({"directory": {"path": "a"}, "kubernetes": {"namespace": "x"}}))],
        ),
        case(
            "one-token",
            "spec.location.prismatic.tokenFrom",
            "a token comes from exactly one of profile, env, secretRef",
            vec![token(json!({"profile": "us"})), token(json!({"env": "STABLEKEY_TOKEN_US"})), token(secret_ref())],
            vec![token(json!({})), token(json!({"profile": "us", "env": "STABLEKEY_TOKEN_US"}))],
        ),
        case(
            "one-secrets",
            "spec.location.prismatic.secrets",
            "secrets come from exactly one of directory, env: true, namespace",
            vec![
                secrets(json!({"directory": "secrets/us"})),
                secrets(json!({"env": true})),
                secrets(json!({"namespace": "us-prod"})),
            ],
            vec![secrets(json!({})), secrets(json!({"directory": "a", "env": true}))],
        ),
        case(
            "one-kubeconfig",
            "spec.location.kubernetes.kubeconfig",
            "a kubeconfig is exactly one of context, secretRef",
            vec![kubeconfig(json!({"context": "eu"})), kubeconfig(secret_ref())],
            vec![kubeconfig(json!({})), kubeconfig(json!({"context": "eu", "secretRef": {"name": "s", "key": "k"}}))],
        ),
        case(
            "one-source",
            "spec.source",
            rules::SOURCE,
            vec![source(json!({"path": "us-prod"})), source(json!({"git": git(&["branch"]), "prune": true}))],
            vec![source(json!({"prune": true})), source(json!({"path": "us-prod", "git": git(&["branch"])}))],
        ),
        case(
            "one-revision",
            "spec.source.git",
            rules::GIT_REFERENCE,
            ["branch", "tag", "commit"].map(|name| source(json!({"git": git(&[name])}))).into(),
            vec![source(json!({"git": git(&[])})), source(json!({"git": git(&["branch", "tag"])}))],
        ),
        case(
            "percent",
            "spec.policy.approval.percent",
            rules::PERCENT,
            vec![percent(0), percent(100)],
            vec![percent(-1), percent(101)],
        ),
    ]
}

fn of_syncs() -> Vec<Case> {
    let to = |to: Value| json!({"from": "us-prod", "to": to, "integrations": ["*"]});
    let stages = |stages: &[&[&str]]| {
        let stages: Vec<Value> = stages.iter().map(|to| json!({"to": to})).collect();
        json!({"from": "us-prod", "stages": stages, "integrations": ["*"]})
    };
    let many: Vec<String> = (0..33).map(|number| format!("t{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let overriding = |overriding: Value| {
        let key = if overriding.get("object").is_some() { json!({}) } else { json!({"stableKey": "crm"}) };
        let base = json!({"tenant": "eu-prod", "reason": "EU org"});
        let base = key.as_object().unwrap().iter().fold(base, |all, (name, value)| with(all, name, value.clone()));
        let members = overriding.as_object().unwrap().clone();
        let whole = members.into_iter().fold(base, |object, (field, value)| with(object, &field, value));
        with(to(json!(["eu-prod"])), "overrides", json!([whole]))
    };
    let case = |name, at, message, good, bad| Case { name, kind: TenantSync, at, message, before: None, good, bad };
    vec![
        case(
            "elsewhere",
            "spec.to",
            rules::SYNC_TO_ITSELF,
            vec![to(json!(["eu-prod", "dev"]))],
            vec![to(json!(["us-prod"])), to(json!(["eu-prod", "us-prod"]))],
        ),
        case(
            "once",
            "spec.to",
            rules::SYNC_TWICE,
            vec![to(json!(["eu-prod", "eu-prod-2"]))],
            vec![to(json!(["eu-prod", "eu-prod"])), to(json!(["eu-prod", "dev", "eu-prod"]))],
        ),
        case(
            "targets",
            "spec",
            rules::SYNC_TARGETS,
            vec![to(json!(["eu-prod"])), stages(&[&["dev-2"], &["eu-prod"]])],
            vec![
                json!({"from": "us-prod", "integrations": ["*"]}),
                with(to(json!(["eu-prod"])), "stages", json!([{"to": ["dev-2"]}])),
            ],
        ),
        case(
            "stage-elsewhere",
            "spec.stages",
            rules::STAGE_TO_ITSELF,
            vec![stages(&[&["dev-2"], &["eu-prod"]])],
            vec![stages(&[&["us-prod"]]), stages(&[&["dev-2"], &["eu-prod", "us-prod"]])],
        ),
        case(
            "stage-once",
            "spec.stages[1].to",
            rules::STAGE_TWICE,
            vec![stages(&[&["dev-2"], &["eu-prod", "eu-prod-2"]])],
            vec![stages(&[&["dev-2"], &["eu-prod", "eu-prod"]])],
        ),
        case(
            "stages-once",
            "spec.stages",
            rules::STAGES_TWICE,
            vec![stages(&[&["dev-2"], &["dev-3"], &["eu-prod"]])],
            vec![stages(&[&["dev-2"], &["dev-2"]]), stages(&[&["dev-2"], &["dev-3"], &["eu-prod", "dev-2"]])],
        ),
        case(
            "stages-targets",
            "spec.stages",
            rules::STAGES_TARGETS,
            vec![stages(&[&many[..16], &many[16..32]])],
            vec![stages(&[&many[..16], &many[16..]])],
        ),
        case(
            "override",
            "spec.overrides[0]",
            rules::OVERRIDE_SHAPE,
            vec![
                overriding(json!({"input": "authorizeUrl", "value": "https://eu.example"})),
                overriding(json!({"integration": "lead-router", "variable": "CRM"})),
                overriding(json!({"input": "clientSecret", "secretRef": {"name": "s", "key": "k"}})),
                overriding(json!({"field": "title", "value": "Salesforce EU"})),
                overriding(json!({"object": "Integration/lead-router", "field": "definition", "keep": true})),
            ],
            vec![
                overriding(json!({})),
                overriding(json!({"field": "title"})),
                overriding(json!({"field": "title", "value": "x", "keep": true})),
                overriding(json!({"object": "Integration/lead-router", "field": "definition"})),
                overriding(json!({"input": "a", "value": "b", "secretRef": {"name": "s", "key": "k"}})),
                overriding(json!({"input": "authorizeUrl"})),
                overriding(json!({"integration": "lead-router"})),
                overriding(json!({"input": "a", "value": "b", "integration": "lead-router", "variable": "CRM"})),
            ],
        ),
        case(
            "override-literal",
            "spec.overrides[0].value",
            rules::SECRET_LITERAL,
            vec![overriding(json!({"input": "tokenUrl", "value": "https://eu.example"}))],
            vec![overriding(json!({"input": "clientSecret", "value": SECRET}))],
        ),
        case(
            "override-value",
            "spec.overrides[0].value",
            rules::SECRET_VALUE,
            vec![overriding(json!({"input": "url", "value": "https://eu.example"}))],
            vec![overriding(json!({"input": "url", "value": format!("https://svc:{SECRET}@eu.example")}))],
        ),
        case(
            "override-text",
            "spec.overrides[0].value",
            rules::SECRET_TEXT,
            vec![overriding(json!({"field": "title", "value": "https://eu.example"}))],
            vec![overriding(json!({"field": "title", "value": format!("https://svc:{SECRET}@eu.example")}))],
        ),
        case(
            "override-field",
            "spec.overrides[0].field",
            rules::OVERRIDE_FIELD,
            vec![overriding(json!({"field": "description", "value": "x"}))],
            vec![overriding(json!({"field": "stableKey", "value": "x"}))],
        ),
        case(
            "override-embedded",
            "spec.overrides[0].value",
            rules::OVERRIDE_EMBEDDED,
            vec![overriding(json!({"field": "embeddedWorkflows", "value": "false"}))],
            vec![overriding(json!({"field": "embeddedWorkflows", "value": "yes"}))],
        ),
        case(
            "override-title",
            "spec.overrides[0].value",
            rules::OVERRIDE_TITLE,
            vec![overriding(json!({"field": "title", "value": "t".repeat(253)}))],
            vec![overriding(json!({"field": "title", "value": "t".repeat(254)}))],
        ),
    ]
}

fn of_components() -> Case {
    let types = |keys: &[&str]| {
        let types: Vec<Value> = keys.iter().map(|key| json!({"key": key})).collect();
        json!({"key": "salesforce", "types": types})
    };
    Case {
        name: "types",
        kind: Component,
        at: "spec.types",
        message: "each connection type may be listed once: keep one of the two",
        before: None,
        good: vec![types(&[]), types(&["oauth2", "basic"])],
        bad: vec![types(&["oauth2", "basic", "oauth2"])],
    }
}
