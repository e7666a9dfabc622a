//! Rules within one document, with their messages: the same in files as in the CEL rules of the CRDs. Limits and
//! patterns are in the schema, not here.

use super::*;

/// Message: per-customer inputs on a global connection.
pub const GLOBAL_PER_CUSTOMER: &str = "an OrganizationGlobal connection has one set of credentials for all customers: give each input a value or a secretRef";
/// Message: a literal under a name that stands for a secret.
pub const SECRET_LITERAL: &str =
    "a secret is always a reference: write secretRef: {name: …, key: …} instead of a value";
/// Message: a literal that is a secret under any name.
pub const SECRET_VALUE: &str =
    "a URL with a password in it, or a private key, is a secret: write secretRef: {name: …, key: …} instead of a value";
/// Message: a secret in a text for people.
pub const SECRET_TEXT: &str =
    "a URL with a password in it, or a private key, is a secret, and texts are shown to everybody: take it out";
/// Message: per-customer test inputs.
pub const TEST_PER_CUSTOMER: &str = "test inputs are what the test runner uses: give each a value or a secretRef";
/// Message: per-customer inputs in customer credentials.
pub const CUSTOMER_PER_CUSTOMER: &str = "these are the customer's own values: give each input a value or a secretRef";
/// Message: an input name longer than [`names::MAX_INPUT`].
pub const INPUT_NAME: &str = "the name of an input is at most 253 characters: shorten it";
/// Message: a percentage out of range.
pub const PERCENT: &str = "a percentage is 0 to 100";
/// Message: a sync into its own source.
pub const SYNC_TO_ITSELF: &str = "a sync cannot copy a tenant to itself: take it out of `to`";
/// Message: a sync that lists a tenant twice.
pub const SYNC_TWICE: &str = "each tenant may be listed once in `to`: keep one of the two";
/// Message: a sync with both or none of `to` and `stages`.
pub const SYNC_TARGETS: &str = "a sync has either `to` or `stages`: write its targets in one of the two";
/// Message: a stage with the sync's own source.
pub const STAGE_TO_ITSELF: &str = "a sync cannot copy a tenant to itself: take it out of `stages`";
/// Message: a stage that lists a tenant twice.
pub const STAGE_TWICE: &str = "each tenant may be listed once in a stage: keep one of the two";
/// Message: a tenant in two stages.
pub const STAGES_TWICE: &str = "each tenant stands in one stage: keep one of the two";
/// Message: more targets than a sync may have.
pub const STAGES_TARGETS: &str = "a sync has at most 32 targets in all its stages: make two syncs";
/// Message: a source with both or none of `path` and `git`.
pub const SOURCE: &str = "a source is exactly one of path, git";
/// Message: a source in Git with none or several of `branch`, `tag` and `commit`.
pub const GIT_REFERENCE: &str = "a source in Git has exactly one of branch, tag, commit";
/// Message: an override of none of the valid shapes.
pub const OVERRIDE_SHAPE: &str = "an override is one of {stableKey, input, value}, {stableKey, input, secretRef}, {stableKey, field, value}, {integration, variable, stableKey} and {object, field, keep: true}, each with tenant and reason";
/// Message: an override of an unsupported field.
pub const OVERRIDE_FIELD: &str = "an override changes title, description or embeddedWorkflows of a connection";
/// Message: an override of embeddedWorkflows with a value other than `"true"` and `"false"`.
pub const OVERRIDE_EMBEDDED: &str = r#"embeddedWorkflows is "true" or "false""#;
/// Message: an override with an invalid title.
pub const OVERRIDE_TITLE: &str = "a title has at most 253 characters: shorten it";

/// The fields of an override except tenant and reason, each with a letter.
const OVERRIDE_PARTS: [(&str, char); 8] = [
    ("stableKey", 'k'),
    ("input", 'i'),
    ("value", 'v'),
    ("secretRef", 's'),
    ("field", 'f'),
    ("integration", 'n'),
    ("variable", 'r'),
    ("object", 'o'),
];
/// The valid combinations of fields.
const OVERRIDE_SHAPES: [&str; 5] = ["kiv", "kis", "kvf", "knr", "fo"];

/// The rule on the shape of an override, as a CEL expression.
pub(super) fn cel_override_shape() -> String {
    let parts: Vec<String> =
        OVERRIDE_PARTS.iter().map(|(name, letter)| format!("(has(self.{name}) ? '{letter}' : '')")).collect();
    let shapes = OVERRIDE_SHAPES.map(|shape| format!("'{shape}'")).join(", ");
    format!("{} in [{shapes}] && has(self.keep) == has(self.object)", parts.join(" + "))
}

fn has_override_shape(o: &Override) -> bool {
    let there = [
        o.stable_key.is_some(),
        o.input.is_some(),
        o.value.is_some(),
        o.secret_ref.is_some(),
        o.field.is_some(),
        o.integration.is_some(),
        o.variable.is_some(),
        o.object.is_some(),
    ];
    let shape: String = OVERRIDE_PARTS.iter().zip(there).filter(|(_, there)| *there).map(|((_, c), _)| *c).collect();
    OVERRIDE_SHAPES.contains(&shape.as_str()) && o.keep.is_some() == o.object.is_some()
}

/// A rule that a document breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path in the document: field names and list indexes.
    pub path: Vec<String>,
    /// The problem, and what to do.
    pub message: String,
    /// Whether the value may be shown. A suspected secret may not.
    pub showable: bool,
}

impl Violation {
    fn new(path: &[&str], message: impl Into<String>) -> Self {
        Violation { path: path.iter().map(ToString::to_string).collect(), message: message.into(), showable: true }
    }
}

/// Finds every rule that a resource violates.
pub fn violations(resource: &Resource) -> Vec<Violation> {
    let mut found = Vec::new();
    let name = &resource.metadata().name;
    if !names::is_object_name(name) {
        found.push(Violation::new(
            &["metadata", "name"],
            "a name is lower-case letters, digits, - and ., and begins and ends with a letter or digit, at most 253 characters",
        ));
    }
    match resource {
        Resource::Connection(c) => connection(c, &mut found),
        Resource::CustomerCredentials(c) => {
            inputs(&c.spec.inputs, &["spec", "inputs"], Some(CUSTOMER_PER_CUSTOMER), &mut found)
        }
        Resource::Component(c) => component(c, &mut found),
        Resource::Integration(i) => integration(i, &mut found),
        Resource::TenantSync(s) => sync(s, &mut found),
        Resource::Tenant(t) => tenant(t, &mut found),
    }
    found
}

/// Annotation on an object with inputs whose values look like secrets but are none, comma-separated.
pub const NOT_SECRET: &str = "stablekey.dev/not-secret";

/// Rules that apply to files only: a value must not have the shape of a well-known service's token, unless an
/// annotation excludes it.
pub fn in_files(resource: &Resource) -> Vec<Violation> {
    let mut found = Vec::new();
    let honest = resource.metadata().annotations.get(NOT_SECRET).map(String::as_str).unwrap_or_default();
    let is_honest = |name: &str| honest.split(',').any(|named| named.trim() == name);
    let mut check_value = |name: &str, value: &str, path: &[&str]| {
        if let Some(what) = sensitive::looks_like_token(value).filter(|_| !is_honest(name)) {
            let message = format!(
                "{name} looks like {what}: write a secretRef instead; if it is no secret, annotate {NOT_SECRET}: {name}"
            );
            found.push(Violation { showable: false, ..Violation::new(path, message) });
        }
    };
    let mut inputs = |inputs: &std::collections::BTreeMap<String, Input>, at: &[&str]| {
        for (name, input) in inputs {
            if let Input::Value(value) = input {
                check_value(name, value, &at.iter().copied().chain([name.as_str()]).collect::<Vec<_>>());
            }
        }
    };
    match resource {
        Resource::Connection(c) => {
            inputs(&c.spec.inputs, &["spec", "inputs"]);
            c.spec.test.iter().for_each(|test| inputs(&test.inputs, &["spec", "test", "inputs"]));
        }
        Resource::CustomerCredentials(c) => inputs(&c.spec.inputs, &["spec", "inputs"]),
        Resource::TenantSync(s) => {
            for (position, o) in s.spec.overrides.iter().enumerate() {
                if let (Some(input), Some(value)) = (&o.input, &o.value) {
                    check_value(input, value, &["spec", "overrides", &position.to_string(), "value"]);
                }
            }
        }
        Resource::Tenant(_) | Resource::Component(_) | Resource::Integration(_) => {}
    }
    found
}

fn connection(c: &Object<ConnectionSpec>, found: &mut Vec<Violation>) {
    let key = &c.spec.stable_key;
    if names::is_stable_key(key) && !names::is_of_stable_key(c.name(), key) {
        found.push(Violation::new(
            &["metadata", "name"],
            format!("the name must be the stable key in lower case with _ as -: {}", names::of_stable_key(key)),
        ));
    }
    texts(&[("title", c.spec.title.as_ref()), ("description", c.spec.description.as_ref())], found);
    let per_customer = (c.spec.credentials == Credentials::OrganizationGlobal).then_some(GLOBAL_PER_CUSTOMER);
    inputs(&c.spec.inputs, &["spec", "inputs"], per_customer, found);
    if let Some(test) = &c.spec.test {
        inputs(&test.inputs, &["spec", "test", "inputs"], Some(TEST_PER_CUSTOMER), found);
    }
}

/// A CEL rule: a text of a spec is not a secret itself.
pub(super) fn no_secret_text(field: &str) -> kube::core::Rule {
    let secret = sensitive::cel_is_secret_itself(&format!("self.{field}"));
    kube::core::Rule::new(format!("!has(self.{field}) || !{secret}"))
        .message(SECRET_TEXT)
        .field_path(format!(".{field}"))
}

/// Checks texts that are shown wherever an object is shown.
fn texts(texts: &[(&str, Option<&String>)], found: &mut Vec<Violation>) {
    let secret = texts.iter().filter(|(_, text)| text.is_some_and(|text| sensitive::is_secret_itself(text)));
    found.extend(
        secret.map(|(field, _)| Violation { showable: false, ..Violation::new(&["spec", field], SECRET_TEXT) }),
    );
}

fn inputs(
    inputs: &std::collections::BTreeMap<String, Input>,
    at: &[&str],
    per_customer: Option<&str>,
    found: &mut Vec<Violation>,
) {
    for (name, input) in inputs {
        let path = || at.iter().chain([&name.as_str()]).copied().collect::<Vec<_>>();
        if name.chars().count() > names::MAX_INPUT {
            found.push(Violation { showable: false, ..Violation::new(at, INPUT_NAME) });
        }
        match (input, per_customer) {
            (Input::Value(_), _) if sensitive::is_sensitive(name) => {
                found.push(Violation { showable: false, ..Violation::new(&path(), SECRET_LITERAL) });
            }
            (Input::Value(value), _) if sensitive::is_secret_itself(value) => {
                found.push(Violation { showable: false, ..Violation::new(&path(), SECRET_VALUE) });
            }
            (Input::PerCustomer(_), Some(message)) => found.push(Violation::new(&path(), message)),
            _ => {}
        }
    }
}

fn component(c: &Object<ComponentSpec>, found: &mut Vec<Violation>) {
    let name = names::of_component(&c.spec.key, c.spec.is_public());
    if c.name() != name && !name.is_empty() {
        found.push(Violation::new(
            &["metadata", "name"],
            format!("the name must be the component's key made a name, with .private where it is not public: {name}"),
        ));
    }
    for (position, duplicate) in duplicates(c.spec.types.iter().map(|t| t.key.as_str())) {
        found.push(Violation::new(
            &["spec", "types", &position.to_string()],
            format!("connection type {duplicate} is listed twice: keep one"),
        ));
    }
}

fn integration(i: &Object<IntegrationSpec>, found: &mut Vec<Violation>) {
    texts(&[("title", i.spec.title.as_ref())], found);
    for (position, duplicate) in duplicates(i.spec.connections.iter().map(|v| v.name.as_str())) {
        found.push(Violation::new(
            &["spec", "connections", &position.to_string()],
            format!("variable {duplicate:?} is listed twice: keep one"),
        ));
    }
    if let Some(Definition::File(file)) = &i.spec.definition
        && (file.contains('/') || file.contains('\\') || file == "." || file == "..")
    {
        found.push(Violation::new(
            &["spec", "definition", "file"],
            "a definition lies beside its manifest: write the file's name without a folder",
        ));
    }
}

fn tenant(t: &Object<TenantSpec>, found: &mut Vec<Violation>) {
    let Some(source) = &t.spec.source else { return };
    if source.path.is_some() == source.git.is_some() {
        found.push(Violation::new(&["spec", "source"], SOURCE));
    }
    if let Some(git) = &source.git {
        let named = [git.branch.is_some(), git.tag.is_some(), git.commit.is_some()];
        if named.into_iter().filter(|named| *named).count() != 1 {
            found.push(Violation::new(&["spec", "source", "git"], GIT_REFERENCE));
        }
    }
}

fn sync(s: &Object<TenantSyncSpec>, found: &mut Vec<Violation>) {
    if s.spec.to.is_empty() == s.spec.stages.is_empty() {
        found.push(Violation::new(&["spec"], SYNC_TARGETS));
    }
    if s.spec.to.contains(&s.spec.from) {
        found.push(Violation::new(&["spec", "to"], SYNC_TO_ITSELF));
    }
    for (position, _) in duplicates(s.spec.to.iter().map(String::as_str)) {
        found.push(Violation::new(&["spec", "to", &position.to_string()], SYNC_TWICE));
    }
    stages(&s.spec, found);
    for (position, o) in s.spec.overrides.iter().enumerate() {
        let position = position.to_string();
        let mut wrong = |step: Option<&str>, message: &str| {
            let path: Vec<&str> = ["spec", "overrides", &position].into_iter().chain(step).collect();
            found.push(Violation { showable: false, ..Violation::new(&path, message) });
        };
        if !has_override_shape(o) {
            wrong(None, OVERRIDE_SHAPE);
        }
        if o.value.is_some() && o.input.as_deref().is_some_and(sensitive::is_sensitive) {
            wrong(Some("value"), SECRET_LITERAL);
        }
        if o.value.as_deref().is_some_and(sensitive::is_secret_itself) {
            wrong(Some("value"), if o.input.is_some() { SECRET_VALUE } else { SECRET_TEXT });
        }
        let field = o.field.as_deref().filter(|_| o.object.is_none());
        if field.is_some_and(|field| !FIELDS_WITH_VALUE.contains(&field)) {
            wrong(Some("field"), OVERRIDE_FIELD);
        }
        let value = o.value.as_deref().unwrap_or("true");
        if o.field.as_deref() == Some("embeddedWorkflows") && !["true", "false"].contains(&value) {
            wrong(Some("value"), OVERRIDE_EMBEDDED);
        }
        if o.field.as_deref() == Some("title") && value.chars().count() > 253 {
            wrong(Some("value"), OVERRIDE_TITLE);
        }
    }
}

fn stages(spec: &TenantSyncSpec, found: &mut Vec<Violation>) {
    if spec.stages.iter().map(|stage| stage.to.len()).sum::<usize>() > MOST_TARGETS {
        found.push(Violation::new(&["spec", "stages"], STAGES_TARGETS));
    }
    for (number, stage) in spec.stages.iter().enumerate() {
        let number_in_words = number.to_string();
        let at = ["spec", "stages", number_in_words.as_str(), "to"];
        if stage.to.contains(&spec.from) {
            found.push(Violation::new(&at, STAGE_TO_ITSELF));
        }
        for (position, _) in duplicates(stage.to.iter().map(String::as_str)) {
            found.push(Violation::new(&[&at[..], &[&position.to_string()]].concat(), STAGE_TWICE));
        }
        let before = spec.stages.iter().take(number).flat_map(|stage| &stage.to).collect::<Vec<_>>();
        for (position, _) in stage.to.iter().enumerate().filter(|(_, tenant)| before.contains(tenant)) {
            found.push(Violation::new(&[&at[..], &[&position.to_string()]].concat(), STAGES_TWICE));
        }
    }
}

/// The maximum number of targets of a sync, in all its stages.
const MOST_TARGETS: usize = 32;

/// The positions of items that occurred before.
fn duplicates<'a>(items: impl Iterator<Item = &'a str>) -> Vec<(usize, &'a str)> {
    let mut seen = std::collections::HashSet::new();
    items.enumerate().filter(|(_, item)| !seen.insert(*item)).collect()
}
