//! Values of fields as pages show them. A literal that is a secret, by its name, its type or what it is, is hidden.

use super::value;
use crate::api::sensitive::{has_secret, hides};
use crate::api::{Input, names};
use crate::engine::check::unread_type;
use crate::engine::model::canonical::Json;
use crate::engine::model::field::{Field, FieldKind, FieldValue};
use crate::engine::model::inventory::{Inventory, View, World};
use crate::engine::model::item::Item;
use serde_json::Value;
use std::collections::BTreeSet;

/// The value of a field, without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShownValue {
    /// There is none.
    Absent,
    /// As text for people.
    Text(String),
    /// The key of a Secret.
    Secret { name: String, key: String },
    /// A secret that is there, of unknown origin.
    SomeSecret,
    /// Each customer has a value.
    PerCustomer,
    /// A literal that may be a secret.
    Hidden,
}

/// The inputs of a connection that are secret by their type in any tenant.
#[derive(Clone, Debug, Default)]
pub struct SecretInputs {
    names: BTreeSet<String>,
    /// Whether the type could not be read, so that any input may be one.
    any: bool,
}

impl SecretInputs {
    /// The secret inputs of the connection with a stable key, as every tenant and its source declare its type.
    pub fn of(world: &World, key: &str) -> Self {
        let views = world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]).flatten();
        let read: Vec<&Inventory> = views.filter_map(View::inventory).map(AsRef::as_ref).collect();
        let mut found = SecretInputs::default();
        for connection in read.iter().filter_map(|inventory| inventory.connections.get(&names::of_stable_key(key))) {
            let types = read.iter().flat_map(|inventory| inventory.types_of(&connection.spec));
            let secret = types.flat_map(|t| &t.inputs).filter(|(_, input)| input.is_secret());
            found.names.extend(secret.map(|(name, _)| name.clone()));
            found.any |= unread_type(&Item::Connection(connection.clone()), &read).is_some();
        }
        found
    }

    /// Whether a literal value of a field is hidden.
    pub fn hides(&self, field: &Field<'_>, text: &str) -> bool {
        let is_secret = |name: &str| self.any || hides(name) || self.names.contains(name);
        // `example.com/password`: what stands before it is a domain.
        let of_metadata = || {
            let is_it = matches!(field.kind, FieldKind::Label | FieldKind::Annotation);
            is_it && hides(field.name.rsplit('/').next().unwrap_or_default())
        };
        (field.is_input() && is_secret(&field.name)) || of_metadata() || has_secret(text)
    }

    /// Whether an input holds a secret, by its name or type.
    pub fn contains(&self, input: &str) -> bool {
        hides(input) || self.names.contains(input)
    }

    /// A live or declared value.
    pub fn shown(&self, field: &Field<'_>, value: Option<FieldValue<'_>>) -> ShownValue {
        match value {
            None => ShownValue::Absent,
            Some(FieldValue::Input(Input::SecretRef(reference))) if reference.is_unknown() => ShownValue::SomeSecret,
            Some(FieldValue::Input(Input::SecretRef(reference))) => {
                ShownValue::Secret { name: reference.name.clone(), key: reference.key.clone() }
            }
            Some(FieldValue::Input(Input::PerCustomer(_))) => ShownValue::PerCustomer,
            Some(FieldValue::Input(Input::Value(text))) => self.text(field, text),
            Some(FieldValue::Text(text)) => self.text(field, text),
            Some(other) => self.text(field, &value::words(&other.to_json().value())),
        }
    }

    /// A value of a plan.
    pub fn shown_json(&self, field: &Field<'_>, json: Option<&Json>) -> ShownValue {
        let Some(value) = json.map(Json::value) else { return ShownValue::Absent };
        let reference = value.get("secretRef");
        let part = |name: &str| reference.and_then(|r| r.get(name)).and_then(Value::as_str).map(str::to_string);
        match (part("name"), part("key")) {
            (Some(name), Some(_)) if name.is_empty() => ShownValue::SomeSecret,
            (Some(name), Some(key)) => ShownValue::Secret { name, key },
            _ if value.get("perCustomer").is_some() => ShownValue::PerCustomer,
            _ if value.get("hidden").is_some() => ShownValue::Hidden,
            _ => match value::text(&value) {
                Some(text) => self.text(field, text),
                None => self.text(field, &value::words(&value)),
            },
        }
    }

    fn text(&self, field: &Field<'_>, text: &str) -> ShownValue {
        if self.hides(field, text) { ShownValue::Hidden } else { ShownValue::Text(text.to_string()) }
    }
}

impl ShownValue {
    /// Whether there is a value.
    pub fn is_there(&self) -> bool {
        *self != ShownValue::Absent
    }

    /// The value as text: `api`, `Secret app / clientSecret`, `per customer`.
    pub fn words(&self) -> String {
        match self {
            ShownValue::Absent => "none".to_string(),
            ShownValue::Text(text) if text.is_empty() => "\"\"".to_string(),
            ShownValue::Text(text) => text.clone(),
            ShownValue::Secret { name, key } => format!("Secret {name} / {key}"),
            ShownValue::SomeSecret => "a secret of unknown origin".to_string(),
            ShownValue::PerCustomer => "per customer".to_string(),
            ShownValue::Hidden => "hidden".to_string(),
        }
    }
}
