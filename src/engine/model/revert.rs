//! What a person asks to put back: live values of one object that differ from the desired ones.

use super::field::Field;
use super::item::ObjectId;
use serde::{Serialize, Serializer};

/// The values of one object to put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    /// The tenant.
    pub tenant: String,
    /// The object.
    pub object: ObjectId,
    /// The field; `None`: every drifted or kept field of the object.
    pub field: Option<Field<'static>>,
}

impl Revert {
    /// Whether a field is to be put back.
    pub fn includes(&self, field: &Field<'_>) -> bool {
        self.field.as_ref().is_none_or(|wanted| wanted == field)
    }
}

/// Writes `eu-prod/Connection/crm`, or `eu-prod/Connection/crm inputs.scopes`.
impl std::fmt::Display for Revert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.tenant, self.object)?;
        self.field.iter().try_for_each(|field| write!(f, " {field}"))
    }
}

impl Serialize for Revert {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
