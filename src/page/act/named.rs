//! The object and the field that a form names.

use crate::api::Kind;
use crate::author::AuthorError;
use crate::engine::model::field::Field;
use crate::engine::model::item::ObjectId;
use crate::page::address;
use crate::page::fields::FormFields;
use crate::project::Project;

/// The object and the field that a form names.
pub(super) fn named(fields: &FormFields) -> Result<(String, ObjectId, Option<Field<'static>>), AuthorError> {
    let unknown = |what: &str, given: &str| AuthorError::unknown(what, given, []);
    let (kind, name) = fields.text("object").split_once('/').unwrap_or_default();
    let kind = [Kind::Connection, Kind::Integration, Kind::Component]
        .into_iter()
        .find(|one| one.to_string() == kind)
        .ok_or_else(|| unknown("object", fields.text("object")))?;
    let field = match fields.filled("field") {
        Some(path) => Some(Field::parse(path).ok_or_else(|| unknown("field", path))?),
        None => None,
    };
    Ok((fields.text("tenant").to_string(), ObjectId::new(kind, name), field))
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
