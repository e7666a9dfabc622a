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
    /// Its display key: what steps and data sources call it.
    pub name: String,
    /// The line where it is declared.
    pub line: usize,
    /// The connection of its own that it declares, or the reusable one that it is bound to.
    pub shape: VariableShape,
    /// Whether the customer sees it in the config wizard.
    pub visible_to_customer: bool,
}

/// What a connection variable is.
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
    /// Bound to a reusable connection. The definition does not say of which component and type.
    Reusable {
        /// By this text, which should be a stable key.
        stable_key: String,
    },
}

/// An input of a connection of the integration's own.
#[derive(Debug)]
pub struct DefinitionInput {
    /// Its name.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// What stands there.
    pub value: InputValue,
    /// Whether the organization supplies it: `orgOnly`, or not visible to the customer.
    pub of_organization: bool,
    /// Whether the name says that it is secret, or the definition that it is write-only or a password.
    pub secret: bool,
}

/// The value of an input in a definition. Its `Debug` shows none.
pub enum InputValue {
    /// None, or an empty one.
    Empty,
    /// One that only keeps a place.
    Placeholder,
    /// A literal that is not secret.
    Text(String),
    /// A literal that is, or may be, secret.
    Secret(Secret),
    /// A config variable, a reference, or a template: nothing that can be moved into a connection.
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
    /// The same value. Secrets are compared, and stay where they are.
    pub fn agrees_with(&self, other: &InputValue) -> bool {
        match (self, other) {
            (InputValue::Text(a), InputValue::Text(b)) => a == b,
            (InputValue::Secret(a), InputValue::Secret(b)) => a.expose() == b.expose(),
            // Both are left out.
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
        return Err(shape(list, "requiredConfigVars is no list", "export the integration again in version 7"));
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

/// A component, as `{key, isPublic}` names it. Absent isPublic is read as public.
pub(super) fn component(component: ValueView<'_>) -> Option<ComponentRef> {
    let key = component.text_of("key").filter(|key| !key.is_empty())?;
    Some(ComponentRef::new(key, component.flag("isPublic") != Some(false)))
}

/// Whether the customer sees it, by either spelling.
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

/// Whether an input of a connection is secret by its name or by what the definition says of it.
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

/// The literal of an input, where it has one: `value`, or the input itself where it is no mapping.
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
