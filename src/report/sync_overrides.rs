//! The overrides of a sync as pages show them.

use super::shown_value::SecretInputs;
use crate::api::{Overridden, Override, TenantSyncSpec};
use crate::engine::check::is_secret_override;
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::inventory::{Inventory, View, World};

/// An override, without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownOverride {
    /// The target.
    pub tenant: String,
    /// The item: `input scopes of crm`.
    pub what: String,
    /// What it is there: a value, a Secret, another key.
    pub value: String,
    /// Why it differs.
    pub reason: String,
}

/// The overrides of a sync, in their order.
pub fn overrides(world: &World, spec: &TenantSyncSpec) -> Vec<ShownOverride> {
    let of = |one: &Override| ShownOverride {
        tenant: one.tenant.clone(),
        what: one.changes().map_or_else(|| "what is not valid".to_string(), |changes| changes.to_string()),
        value: value(world, one),
        reason: one.reason.clone(),
    };
    spec.overrides.iter().map(of).collect()
}

fn value(world: &World, one: &Override) -> String {
    if let Some(secret) = &one.secret_ref {
        return format!("Secret {} / {}", secret.name, secret.key);
    }
    let text = one.value.clone().unwrap_or_default();
    match one.changes() {
        Some(Overridden::Input { stable_key, input }) => match may_be_secret(world, one, stable_key, input) {
            true => "hidden".to_string(),
            false => text,
        },
        Some(Overridden::Field { .. }) => text,
        Some(Overridden::Variable { .. }) => one.stable_key.clone().unwrap_or_default(),
        Some(Overridden::Kept { .. }) => "the tenant's own".to_string(),
        None => "hidden".to_string(),
    }
}

fn may_be_secret(world: &World, one: &Override, key: &str, input: &str) -> bool {
    let views = world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]).flatten();
    let read: Vec<&Inventory> = views.filter_map(View::inventory).map(AsRef::as_ref).collect();
    let field = Field::named(FieldKind::Input, input);
    SecretInputs::of(world, key).hides(&field, one.value.as_deref().unwrap_or_default())
        || is_secret_override(one, &read, true)
}
