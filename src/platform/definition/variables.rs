//! The connection variables that a definition declares.

use super::tree::ValueView;
use super::{DefinitionError, error, text};
use crate::api::{ComponentRef, sensitive};
use crate::secret::Secret;
use std::collections::HashSet;
use std::fmt;

/// A connection variable of a definition.
#[derive(Debug)]
pub struct ConnectionVariable {
    /// The display key, by which steps and data sources refer to it.
    pub name: String,
    /// The line of the declaration.
    pub line: usize,
    /// The declared connection of its own, or the reusable one that it is bound to.
    pub shape: VariableShape,
    /// Whether customers see the variable in the config wizard.
    pub visible_to_customer: bool,
}

/// The kind of a connection variable.
#[derive(Debug)]
pub enum VariableShape {
    /// The integration's own connection.
    Own {
        /// The component that it connects to.
        component: ComponentRef,
        /// The component's connection type.
        type_: String,
        /// Its inputs, in order.
        inputs: Vec<DefinitionInput>,
    },
    /// A binding to a reusable connection. The definition does not contain its component and type.
    Reusable {
        /// The bound text, which should be a stable key.
        stable_key: String,
    },
}

/// An input of the integration's own connection.
#[derive(Debug)]
pub struct DefinitionInput {
    /// The name of the input.
    pub name: String,
    /// The line of the input.
    pub line: usize,
    /// The value of the input.
    pub value: InputValue,
    /// Whether the organization supplies it: `orgOnly`, or not visible to customers.
    pub of_organization: bool,
    /// Whether it is secret by name, write-only, or a password.
    pub secret: bool,
}

/// The value of an input in a definition. `Debug` does not show it.
pub enum InputValue {
    /// Absent or empty.
    Empty,
    Placeholder,
    /// A literal that is not secret.
    Text(String),
    /// A literal that is, or may be, secret.
    Secret(Secret),
    /// A config variable, a reference, or a template, which cannot be moved into a connection.
    Refers,
}

impl fmt::Debug for InputValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InputValue::Empty => "Empty",
            InputValue::Placeholder => "Placeholder",
            InputValue::Text(_) => "Text(…)",
            InputValue::Secret(_) => "Secret(…)",
            InputValue::Refers => "Refers",
        })
    }
}

impl InputValue {
    /// Whether both have the same value. Secrets are compared without being copied.
    pub fn agrees_with(&self, other: &InputValue) -> bool {
        match (self, other) {
            (InputValue::Text(a), InputValue::Text(b)) => a == b,
            (InputValue::Secret(a), InputValue::Secret(b)) => a.expose() == b.expose(),
            // Both are omitted.
            (InputValue::Empty | InputValue::Placeholder, InputValue::Empty | InputValue::Placeholder) => true,
            _ => false,
        }
    }
}

/// The entries of `requiredConfigVars` that are connections.
pub(super) fn connections<'t>(root: ValueView<'t>) -> impl Iterator<Item = ValueView<'t>> {
    root.get("requiredConfigVars").into_iter().flat_map(ValueView::items).filter(|entry| is_connection(*entry))
}

pub(super) fn is_connection(entry: ValueView<'_>) -> bool {
    let given = |key| entry.get(key).is_some_and(|value| !value.is_null());
    entry.text_of("dataType") == Some("connection") || given("connection") || given("useScopedConfigVar")
}

pub(super) fn read(root: ValueView<'_>) -> Result<Vec<ConnectionVariable>, DefinitionError> {
    let list = root.get("requiredConfigVars");
    if let Some(list) = list.filter(|list| !list.is_sequence() && !list.is_null()) {
        let what = match list.is_mapping() {
            true => "requiredConfigVars is a map, as in older versions",
            false => "requiredConfigVars is no list",
        };
        return Err(shape(list, what, "export the integration again in version 7"));
    }
    let mut variables = Vec::new();
    let mut seen = HashSet::new();
    for entry in connections(root) {
        let variable = variable(entry)?;
        if !seen.insert(variable.name.clone()) {
            let what = format!("the connection variable {:?} is declared twice", variable.name);
            return Err(shape(entry, what, "keep one"));
        }
        variables.push(variable);
    }
    Ok(variables)
}

fn shape(at: ValueView<'_>, what: impl Into<String>, fix: &'static str) -> DefinitionError {
    DefinitionError::Shape { line: at.line(), what: what.into(), fix }
}

fn variable(entry: ValueView<'_>) -> Result<ConnectionVariable, DefinitionError> {
    let Some(name) = entry.text_of("key").filter(|name| !name.is_empty()) else {
        return Err(shape(entry, "this connection variable has no key", "give it the name that its steps use"));
    };
    let visible = is_visible(entry).unwrap_or(entry.flag("orgOnly") != Some(true));
    let shape = match (entry.text_of("useScopedConfigVar"), entry.get("connection").filter(|c| c.is_mapping())) {
        (Some(key), _) => VariableShape::Reusable { stable_key: key.to_string() },
        (None, Some(connection)) => own(entry, name, connection, visible)?,
        (None, None) => {
            let what = format!("the connection variable {name:?} has neither connection nor useScopedConfigVar");
            return Err(shape(entry, what, "export the integration again, or write useScopedConfigVar: STABLE-KEY"));
        }
    };
    Ok(ConnectionVariable { name: name.to_string(), line: entry.line(), shape, visible_to_customer: visible })
}

fn own(
    entry: ValueView<'_>,
    name: &str,
    connection: ValueView<'_>,
    visible: bool,
) -> Result<VariableShape, DefinitionError> {
    let component = connection.get("component").and_then(component);
    let (Some(component), Some(type_)) = (component, connection.text_of("key").filter(|key| !key.is_empty())) else {
        let what = format!("the connection of {name:?} does not name its component and key");
        return Err(shape(connection, what, "write connection: {key: …, component: {key: …, isPublic: …}}"));
    };
    let inputs = entry.get("inputs").into_iter().flat_map(ValueView::entries);
    let inputs = inputs.filter_map(|(name, input)| Some(read_input(name.text()?, input, visible))).collect();
    Ok(VariableShape::Own { component, type_: type_.to_string(), inputs })
}

/// Reads a component in the form `{key, isPublic}`. Absent isPublic is read as public.
pub(super) fn component(component: ValueView<'_>) -> Option<ComponentRef> {
    let key = component.text_of("key").filter(|key| !key.is_empty())?;
    Some(ComponentRef::new(key, component.flag("isPublic") != Some(false)))
}

/// Whether customers see the variable, in either spelling.
fn is_visible(entry: ValueView<'_>) -> Option<bool> {
    let meta = entry.get("meta")?;
    meta.flag("visibleToCustomerDeployer").or_else(|| meta.flag("isVisibleToCustomerDeployer"))
}

fn read_input(name: &str, input: ValueView<'_>, variable_visible: bool) -> DefinitionInput {
    let org_only = input.get("meta").and_then(|meta| meta.flag("orgOnly"));
    let visible = match (is_visible(input), org_only) {
        (_, Some(true)) => false,
        (Some(visible), _) => visible,
        (None, _) => variable_visible,
    };
    let secret = is_secret_input(name, input);
    DefinitionInput {
        name: name.to_string(),
        line: input.line(),
        value: value(input, secret),
        of_organization: !visible,
        secret,
    }
}

/// Whether an input of a connection is secret by its name or by its declaration.
pub(super) fn is_secret_input(name: &str, input: ValueView<'_>) -> bool {
    let password =
        |view: ValueView<'_>, key| view.text_of(key).is_some_and(|kind| kind.eq_ignore_ascii_case("password"));
    let meta = input.get("meta");
    sensitive::is_sensitive(name)
        || text::is_secret_header(name)
        || meta.is_some_and(|meta| {
            meta.flag("writeOnly") == Some(true) || password(meta, "type") || password(meta, "inputType")
        })
        || input.flag("writeOnly") == Some(true)
        || password(input, "type")
}

/// The literal of an input, if it has one: `value`, or the input itself if it is not a mapping.
pub(super) fn literal<'t>(input: ValueView<'t>) -> Option<ValueView<'t>> {
    if !input.is_mapping() {
        return Some(input);
    }
    match input.text_of("type") {
        Some("configVar" | "reference" | "scopedConfigVar") => None,
        Some("template") => input.get("value").filter(|value| !value.text().is_some_and(text::is_one_expression)),
        _ => input.get("value"),
    }
}

fn value(input: ValueView<'_>, secret: bool) -> InputValue {
    let Some(literal) = literal(input) else {
        return if input.is_mapping() && input.get("value").is_some() { InputValue::Refers } else { InputValue::Empty };
    };
    let Some(written) = literal.text().filter(|text| !text::is_one_expression(text)) else {
        return InputValue::Refers;
    };
    if literal.is_null() || written.trim().is_empty() {
        InputValue::Empty
    } else if text::is_placeholder(written) {
        InputValue::Placeholder
    } else if secret || sensitive::is_secret_itself(written) || sensitive::looks_like_token(written).is_some() {
        InputValue::Secret(Secret::new(written.to_string()))
    } else if input.text_of("type") == Some("template") {
        InputValue::Refers
    } else {
        InputValue::Text(written.to_string())
    }
}

/// The names of the connection variables, for a message.
pub(super) fn names(root: ValueView<'_>) -> String {
    error::list(connections(root).filter_map(|entry| entry.text_of("key")))
}
