//! Converts the platform's answer to resources.

use super::document::{Answer, ComponentAnswer, Expression, InputField, ReusableConnection, TypeAnswer};
use super::list::{AnswerList, Literal};
use crate::api::endpoint;
use crate::api::sensitive::is_secret_itself;
use crate::api::{
    ComponentRef, ComponentSpec, ConnectionSpec, ConnectionType, Credentials, Input, OAuth2, Object, TestCredentials,
    TypeInput, names, sensitive,
};
use crate::platform::import::{
    Existing, ImportFile, ImportNote, ImportedTenant, LeftOutWhy, Reusable, UnfitKey, bounds, plan_import, secret_key,
    secret_needed, title, vanished_connections,
};
use std::collections::{BTreeMap, BTreeSet};

/// Plans the import of a tenant: components and connections from the answer, integrations from exported definitions.
/// Existing objects of the folder do not change.
pub fn plan_tenant(
    answer: &Answer,
    files: &[ImportFile<'_>],
    reusable: &Reusable,
    existing: &Existing<'_>,
) -> ImportedTenant {
    let mut notes = Vec::new();
    for (list, gap) in &answer.incomplete {
        notes.push(ImportNote::Incomplete { list, gap: gap.clone() });
    }
    let components = writable_components(answer, &mut notes);
    let connections = connections(answer, &mut notes);
    notes.extend(answer.customers.map(|count| ImportNote::AllCustomers { count }));

    let (new_components, all_components) = beside(components, existing.components, |_| {});
    let differs = |key: &str| notes.push(ImportNote::Differs { key: key.to_string() });
    let (new_connections, all_connections) = beside(connections, existing.connections, differs);
    if answer.incomplete.is_empty() {
        let there = answer.connections.iter().filter_map(|found| found.stable_key.as_deref()).collect();
        notes.extend(vanished_connections(existing.connections, &there, &new_connections));
    }
    let there = Existing { components: &all_components, connections: &all_connections, ..*existing };
    let mut import = plan_import(files, reusable, &there);
    import.components.extend(new_components);
    import.components.sort_by(|a, b| a.name().cmp(b.name()));
    import.connections.extend(new_connections);
    import.connections.sort_by(|a, b| a.name().cmp(b.name()));
    import.notes.extend(notes);
    import.notes.sort_by_key(ImportNote::level);
    import
}

/// Splits objects into new ones and all that exist after the import; notes those that differ in the folder.
fn beside<S: Clone + PartialEq>(
    found: Vec<Object<S>>,
    existing: &[Object<S>],
    mut differs: impl FnMut(&str),
) -> (Vec<Object<S>>, Vec<Object<S>>) {
    let mut all = existing.to_vec();
    let mut new = Vec::new();
    for object in found {
        match existing.iter().find(|there| there.name() == object.name()) {
            Some(there) if there.spec != object.spec => differs(object.name()),
            Some(_) => {}
            None => {
                all.push(object.clone());
                new.push(object);
            }
        }
    }
    (new, all)
}

pub(crate) fn is(text: Option<&str>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

/// The components that a manifest can have.
fn writable_components(answer: &Answer, notes: &mut Vec<ImportNote>) -> Vec<Object<ComponentSpec>> {
    let mut made = components(answer, notes);
    made.retain(|component| {
        let types = &component.spec.types;
        let fits = types.len() <= bounds::TYPES && types.iter().all(|type_| type_.inputs.len() <= bounds::INPUTS);
        if !fits {
            let component = ComponentRef::new(&component.spec.key, component.spec.public != Some(false));
            notes.push(ImportNote::ComponentTooLarge { component });
        }
        fits
    });
    made
}

/// All components, also larger ones than a manifest can have.
pub(crate) fn components(answer: &Answer, notes: &mut Vec<ImportNote>) -> Vec<Object<ComponentSpec>> {
    let used = |component: &ComponentAnswer| {
        let of = |c: &ReusableConnection| c.connection.as_ref().and_then(|t| t.component.as_ref()?.key.clone());
        answer.connections.iter().any(|connection| of(connection) == component.key)
    };
    let mut made: BTreeMap<String, Object<ComponentSpec>> = BTreeMap::new();
    for component in answer.components.iter().filter(|component| component.is_whole()) {
        let Some(key) = component.key.as_deref().filter(|key| fits(key)) else { continue };
        let public = component.public.unwrap_or(true);
        let name = names::of_component(key, public);
        if !names::is_object_name(&name) || made.contains_key(&name) {
            if used(component) {
                notes.push(ImportNote::ComponentLeftOut { component: ComponentRef::new(key, public) });
            }
            continue;
        }
        let types = component.connections.items.iter().filter_map(connection_type).collect();
        let spec = ComponentSpec { key: key.to_string(), public: (!public).then_some(false), types };
        made.insert(name.clone(), Object::new(name, spec));
    }
    made.into_values().collect()
}

impl ComponentAnswer {
    /// Whether all its connection types and their inputs could be read.
    pub(crate) fn is_whole(&self) -> bool {
        let is_read = |type_: &TypeAnswer| {
            let inputs = &type_.inputs;
            type_.key.is_some() && inputs.is_whole() && inputs.items.iter().all(|i| i.key.is_some() && i.kind.is_some())
        };
        self.key.is_some() && self.connections.is_whole() && self.connections.items.iter().all(is_read)
    }

    pub(crate) fn is(&self, reference: &ComponentRef) -> bool {
        self.key.as_deref() == Some(&reference.key) && self.public.unwrap_or(true) == reference.is_public()
    }
}

fn fits(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= bounds::STRING
}

fn connection_type(type_: &TypeAnswer) -> Option<ConnectionType> {
    let key = type_.key.clone().filter(|key| fits(key))?;
    let oauth2 = match type_.oauth2_type.as_deref() {
        grant if is(grant, "authorization_code") => Some(OAuth2::AuthorizationCode),
        grant if is(grant, "client_credentials") => Some(OAuth2::ClientCredentials),
        _ => None,
    };
    let ours = type_.inputs.items.iter().filter(|field| !is(field.kind.as_deref(), "template"));
    let inputs = ours.filter_map(|field| Some((field.key.clone().filter(|key| fits(key))?, type_input(field))));
    Some(ConnectionType { key, oauth2, inputs: inputs.collect() })
}

fn type_input(field: &InputField) -> TypeInput {
    TypeInput {
        required: field.required.filter(|required| *required),
        secret: is(field.kind.as_deref(), "password").then_some(true),
        endpoint: field.key.as_deref().is_some_and(endpoint::is_endpoint_name).then_some(true),
    }
}

fn connections(answer: &Answer, notes: &mut Vec<ImportNote>) -> Vec<Object<ConnectionSpec>> {
    let clashes = clashes(answer);
    let mut made = BTreeMap::new();
    for found in answer.connections.iter().filter(|found| !found.is_leaf()) {
        let key = found.key();
        let mut own_notes = Vec::new();
        let planned = match clashes.get(key) {
            Some(other) if found.is_of_tenant() && other == key => Err(UnfitKey::Twice),
            Some(other) if found.is_of_tenant() => Err(UnfitKey::SameName { other: other.clone() }),
            _ => connection(answer, found, &mut own_notes),
        };
        match planned {
            Ok(spec) => {
                let name = names::of_stable_key(key);
                made.insert(name.clone(), Object::new(name, spec));
                notes.append(&mut own_notes);
            }
            Err(why) => notes.push(ImportNote::Skipped {
                key: key.chars().take(bounds::STRING).collect(),
                title: title(found.key.as_deref().unwrap_or_default()),
                why,
            }),
        }
    }
    made.into_values().collect()
}

impl ReusableConnection {
    /// Whether it is a connection of the tenant: not the platform's own, not of one customer, and not one person's
    /// credentials below a connection.
    pub(crate) fn is_of_tenant(&self) -> bool {
        self.customer.is_none() && !is(self.managed_by.as_deref(), "system") && !self.is_leaf()
    }

    /// Whether it is one person's credentials below a connection.
    pub(crate) fn is_leaf(&self) -> bool {
        self.tree_location.as_deref().is_some_and(|location| location.eq_ignore_ascii_case("leaf"))
    }

    fn key(&self) -> &str {
        self.stable_key.as_deref().unwrap_or_default()
    }
}

/// Keys whose name another connection has as well, each with the key of that one: perhaps the same.
fn clashes(answer: &Answer) -> BTreeMap<String, String> {
    let mut by_name: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for found in answer.connections.iter().filter(|found| found.is_of_tenant()) {
        if let Some(key) = found.stable_key.as_deref().filter(|key| names::is_stable_key(key)) {
            by_name.entry(names::of_stable_key(key)).or_default().push(key);
        }
    }
    let clashing = by_name.into_values().filter(|keys| keys.len() > 1);
    clashing
        .flat_map(|keys| {
            let pair = |key: &&str| {
                let other = keys.iter().find(|other| *other != key).unwrap_or(key);
                (key.to_string(), other.to_string())
            };
            keys.iter().map(pair).collect::<Vec<_>>()
        })
        .collect()
}

/// Converts a connection. Each value that may be a secret becomes a reference to a Secret named like the connection.
pub(crate) fn connection(
    answer: &Answer,
    found: &ReusableConnection,
    notes: &mut Vec<ImportNote>,
) -> Result<ConnectionSpec, UnfitKey> {
    let key = found.key();
    if is(found.managed_by.as_deref(), "system") {
        return Err(UnfitKey::Platform);
    }
    if found.customer.is_some() {
        return Err(UnfitKey::OneCustomer);
    }
    if !names::is_stable_key(key) {
        return Err(UnfitKey::of_text(key));
    }
    let credentials = credentials(found).ok_or(UnfitKey::UnknownCredentials)?;
    let of = found.connection.as_ref().ok_or(UnfitKey::NoType)?;
    let component = of.component.as_ref().ok_or(UnfitKey::NoType)?;
    let component_key = component.key.as_deref().filter(|key| fits(key)).ok_or(UnfitKey::NoType)?;
    let component = ComponentRef::new(component_key, component.public.unwrap_or(true));
    let type_ = of.key.clone().filter(|key| fits(key)).ok_or(UnfitKey::NoType)?;
    if answer.components.iter().any(|read| read.is(&component) && !read.is_whole()) {
        return Err(UnfitKey::UnreadComponent);
    }
    let is_read = |inputs: &AnswerList<Expression>| inputs.is_whole() && inputs.items.iter().all(|i| i.name.is_some());
    if !is_read(&found.inputs) || !found.tests.is_whole() || !found.tests.items.iter().all(|set| is_read(&set.inputs)) {
        return Err(UnfitKey::Unread);
    }
    if found.inputs.items.len() > bounds::INPUTS {
        return Err(UnfitKey::TooManyInputs);
    }
    let fields = fields(answer, found, &component, &type_);
    let mut planned = PlannedInputs { key, credentials, fields, inputs: BTreeMap::new(), notes };
    for expression in &found.inputs.items {
        planned.input(expression);
    }
    planned.missing();
    let (inputs, test) = (planned.inputs.clone(), planned.test(found));
    notes.extend(secret_needed(key, &inputs));
    if let Some(test) = &test {
        notes.extend(secret_needed(key, &test.inputs));
    }
    if !is(found.status.as_deref(), "active")
        && credentials == Credentials::OrganizationGlobal
        && let Some(status) = found.status.as_deref()
    {
        let status = status.chars().filter(|c| c.is_ascii_alphabetic()).take(20).collect();
        notes.push(ImportNote::NotActive { key: key.to_string(), status });
    }
    if let Some(count) = found.customer_config_variables.total.filter(|count| *count > 0) {
        notes.push(ImportNote::Customers { key: key.to_string(), count });
    }
    let description = found.description.as_deref().filter(|text| !text.is_empty());
    Ok(ConnectionSpec {
        stable_key: key.to_string(),
        title: found.key.as_deref().filter(|text| !text.is_empty()).map(title),
        description: description.map(|text| text.chars().take(bounds::VALUE).collect()),
        component,
        type_,
        credentials,
        embedded_workflows: found.default_for_component.filter(|embedded| *embedded),
        inputs,
        test,
        replaces: Vec::new(),
        deletion_policy: None,
    })
}

fn credentials(found: &ReusableConnection) -> Option<Credentials> {
    let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().to_ascii_lowercase();
    match (lower(&found.managed_by).as_str(), lower(&found.variable_scope).as_str()) {
        ("customer", "customer") => Some(Credentials::Customer),
        ("org", "customer") => Some(Credentials::OrganizationCustomer),
        ("org", "org") => Some(Credentials::OrganizationGlobal),
        ("org" | "customer", "user") => Some(Credentials::User),
        _ => None,
    }
}

/// Converts the inputs of a customer's credentials for a connection: secrets become references to a Secret of this name.
pub(crate) fn inputs_of_set(
    answer: &Answer,
    found: &ReusableConnection,
    spec: &ConnectionSpec,
    expressions: &[Expression],
    secret: &str,
) -> BTreeMap<String, Input> {
    kept_inputs(&fields(answer, found, &spec.component, &spec.type_), expressions, secret)
}

fn kept_inputs<'e>(
    fields: &BTreeMap<&str, &InputField>,
    expressions: impl IntoIterator<Item = &'e Expression>,
    secret: &str,
) -> BTreeMap<String, Input> {
    let mut inputs = BTreeMap::new();
    for expression in expressions.into_iter().take(bounds::INPUTS) {
        let Some(name) = expression.name.clone().filter(|name| fits(name)) else { continue };
        let kind = fields.get(name.as_str()).and_then(|field| field.kind.as_deref());
        let (value, is_there) = expression.content();
        if is_there && !is(kind, "template") {
            let input = PlannedInputs::kept(&name, kind, value, secret);
            inputs.insert(name, input);
        }
    }
    inputs
}

/// The known inputs of a connection type, by name.
fn fields<'a>(
    answer: &'a Answer,
    found: &'a ReusableConnection,
    component: &ComponentRef,
    type_: &str,
) -> BTreeMap<&'a str, &'a InputField> {
    let of_component =
        answer.components.iter().find(|read| read.is(component)).into_iter().flat_map(|c| &c.connections.items);
    let of_type = of_component.filter(|t| t.key.as_deref() == Some(type_)).flat_map(|t| &t.inputs.items);
    let own = found.connection.iter().flat_map(|connection| &connection.inputs.items);
    of_type.chain(own).filter(|field| field.kind.is_some()).filter_map(|f| Some((f.key.as_deref()?, f))).collect()
}

impl Expression {
    /// The value, if it is a readable text, and whether there is one.
    fn content(&self) -> (Option<&str>, bool) {
        let value = match &self.value {
            Some(Literal::Text(text)) => Some(text.expose()),
            _ => None,
        };
        let is_there = self.has_value.unwrap_or(match &self.value {
            Some(Literal::Text(text)) => !text.is_empty(),
            Some(Literal::Other) => true,
            None => false,
        });
        (value, is_there)
    }
}

/// The stable key from which the name of the Secret for tests is made.
fn test_secret(key: &str) -> String {
    const ENDING: &str = "-test";
    let cut: String = key.chars().take(names::MAX - ENDING.len()).collect();
    format!("{cut}{ENDING}")
}

/// The inputs of one connection while they are decided.
struct PlannedInputs<'a, 'n> {
    key: &'a str,
    credentials: Credentials,
    fields: BTreeMap<&'a str, &'a InputField>,
    inputs: BTreeMap<String, Input>,
    notes: &'n mut Vec<ImportNote>,
}

impl PlannedInputs<'_, '_> {
    fn input(&mut self, found: &Expression) {
        let Some(name) = found.name.clone().filter(|name| fits(name)) else { return };
        let kind = self.fields.get(name.as_str()).and_then(|field| field.kind.as_deref());
        if is(kind, "template") {
            return;
        }
        let (value, is_there) = found.content();
        let input = match self.is_per_customer(found, is_there) {
            true => Input::PER_CUSTOMER,
            false if !is_there => return,
            false => Self::kept(&name, kind, value, self.key),
        };
        self.inputs.insert(name, input);
    }

    /// Only values that are known to be public are kept; of others, only that they exist.
    fn kept(name: &str, kind: Option<&str>, value: Option<&str>, secret: &str) -> Input {
        match value.filter(|value| !value.is_empty() && is_public(name, kind, value)) {
            Some(value) => Input::value(value),
            None => Input::secret(names::of_stable_key(secret), secret_key(name)),
        }
    }

    /// The inputs for tests, where the connection has credentials for tests.
    fn test(&self, found: &ReusableConnection) -> Option<TestCredentials> {
        let expressions = found.tests.items.iter().flat_map(|set| &set.inputs.items);
        let inputs = kept_inputs(&self.fields, expressions, &test_secret(self.key));
        (!inputs.is_empty()).then_some(TestCredentials { inputs })
    }

    /// Whether an input is per customer. A global connection has none. For others the scope decides; without a scope,
    /// an input without a value is per customer.
    fn is_per_customer(&self, found: &Expression, is_there: bool) -> bool {
        match (self.credentials, found.meta.as_ref().and_then(|meta| meta.0.as_deref())) {
            (Credentials::OrganizationGlobal, _) => false,
            (_, Some("customer")) => true,
            (_, Some("org")) => false,
            _ => !is_there,
        }
    }

    /// Notes required inputs without a value.
    fn missing(&mut self) {
        let required: BTreeSet<&str> = self
            .fields
            .iter()
            .filter(|(_, field)| field.required == Some(true) && !is(field.kind.as_deref(), "template"))
            .map(|(name, _)| *name)
            .collect();
        for name in required.into_iter().filter(|name| !self.inputs.contains_key(*name)) {
            let secret =
                is(self.fields.get(name).and_then(|f| f.kind.as_deref()), "password") || sensitive::is_sensitive(name);
            self.notes.push(ImportNote::LeftOut {
                key: self.key.to_string(),
                input: name.to_string(),
                secret,
                credentials: self.credentials,
                why: LeftOutWhy::EmptyThere,
            });
        }
    }
}

/// Whether a value may be kept: its type is known and does not hold secrets, and neither its name nor its value looks
/// like a secret.
fn is_public(name: &str, kind: Option<&str>, value: &str) -> bool {
    let known = ["boolean", "date", "string", "text", "timestamp"];
    known.iter().any(|word| is(kind, word))
        && !sensitive::is_sensitive(name)
        && !is_secret_itself(value)
        && sensitive::looks_like_token(value).is_none()
        && value.chars().count() <= bounds::VALUE
}
