//! The object and the field that a form names.

use crate::api::Kind;
use crate::author::{self, AuthorError};
use crate::engine::model::field::Field;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Plan, Scope};
use crate::page::address;
use crate::page::fields::FormFields;
use crate::project::{Project, planned};
use std::collections::BTreeSet;

/// The object and the field that a form names, each of which is there. Without a plan one is made where it is needed.
pub(super) fn named(
    project: &Project,
    plan: Option<&Plan>,
    fields: &FormFields,
) -> Result<(String, ObjectId, Option<Field<'static>>), AuthorError> {
    let (tenant, found) = author::tenant(project, fields.text("tenant"))?;
    let kinds = [Kind::Connection, Kind::Integration, Kind::Component];
    let (kind, name) = fields.text("object").split_once('/').unwrap_or_default();
    let kind = kinds.into_iter().find(|one| one.as_str() == kind).ok_or_else(|| {
        let given = if kind.is_empty() { fields.text("object") } else { kind };
        AuthorError::unknown("kind", given, kinds.map(Kind::as_str))
    })?;
    let object = ObjectId::new(kind, name);
    if let Ok(live) = &found.live
        && live.inventory.get(&object).is_none()
        && !live.inventory.invalid.contains_key(&object)
    {
        let live = &live.inventory;
        let there: Vec<&str> = match kind {
            Kind::Connection => live.connections.keys().map(String::as_str).collect(),
            Kind::Integration => live.integrations.keys().map(String::as_str).collect(),
            _ => live.components.keys().map(String::as_str).collect(),
        };
        return Err(AuthorError::unknown(&format!("{kind} in {tenant}:"), name, there));
    }
    let field = match (fields.filled("field"), plan) {
        (None, _) => None,
        (Some(path), Some(plan)) => Some(author::named_field(project, plan, tenant, &object, path)?),
        (Some(path), None) => {
            let scope = Scope { tenants: BTreeSet::from([tenant.to_string()]), ..Scope::default() };
            let plan = planned::plan(project, &scope).plan;
            Some(author::named_field(project, &plan, tenant, &object, path)?)
        }
    };
    Ok((tenant.to_string(), object, field))
}

/// Where an object is shown.
pub(super) fn address_of(shown: &Project, tenant: &str, id: &ObjectId) -> String {
    let live = shown.tenants.get(tenant).and_then(|found| found.live.as_ref().ok());
    match id.kind {
        Kind::Connection => {
            let found = live.and_then(|live| live.inventory.connections.get(&id.name));
            address::connection(found.map_or(&id.name, |found| &found.spec.stable_key))
        }
        Kind::Integration => address::integration(&id.name, tenant),
        _ => "/plan".to_string(),
    }
}
