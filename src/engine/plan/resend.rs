//! Secrets that are sent again because a person asked for it: the platform does not show what it has, so that a secret
//! with new content looks like the old one.

use super::input::TenantInput;
use crate::api::*;
use crate::engine::diff::{self, Declaration};
use crate::engine::model::code::Code;
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::Publishing;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, FieldChange, Note, Op, Reason};

/// The reason of an import that is made again, so that it can be published.
const PUBLISH: &str = "draft";

/// The reason of an action that does nothing else.
const REASON: &str = "resend";

/// Adds the secrets of a connection that are to be sent again: all, or one input's.
pub(super) fn add(input: &TenantInput<'_>, live: Option<&Item>, fields: &mut diff::Fields, of: &[Declaration]) {
    if let (Some(Item::Integration(live, _)), Item::Integration(..)) = (live, &fields.after) {
        return publish(input, live.name(), fields, of);
    }
    let (Some(Item::Connection(live)), Item::Connection(after)) = (live, &fields.after) else { return };
    if !input.live.can.sends_secrets {
        return;
    }
    let key = &after.spec.stable_key;
    for (name, secret) in after.spec.inputs.iter().filter(|(name, _)| asks_for(input, key, name)) {
        let field = Field::named(FieldKind::Input, name).into_owned();
        let is_set = |change: &FieldChange| change.field == field && matches!(change.op, Op::Set | Op::Remove);
        if !matches!(secret, Input::SecretRef(_)) || fields.changes.iter().any(is_set) {
            continue;
        }
        let value = |item: &Item| item.value(&field).map(|value| value.to_json());
        let (from, to) = (value(&Item::Connection(live.clone())), value(&fields.after));
        fields.changes.retain(|change| change.field != field);
        fields.changes.push(FieldChange { field, op: Op::Set, from, to, parts: Vec::new(), by: None });
        fields.writers.extend(of.iter().map(|declaration| declaration.writer.clone()));
    }
}

/// Adds a draft that Stablekey imported, and whose publication failed: it is imported again, and published.
fn publish(input: &TenantInput<'_>, name: &str, fields: &mut diff::Fields, of: &[Declaration]) {
    let is_draft = input.live.integration_facts.get(name).is_some_and(|facts| facts.is_draft());
    let is_changed = fields.changes.iter().any(|change| matches!(change.op, Op::Set | Op::Remove));
    if input.live.can.publishing != Publishing::ByStablekey || !is_draft || is_changed {
        return;
    }
    let field = Field::of(FieldKind::Definition);
    let Some(value) = fields.after.value(&field).map(|value| value.to_json()) else { return };
    fields.changes.retain(|change| change.field != field);
    let (from, to) = (Some(value.clone()), Some(value));
    fields.changes.push(FieldChange { field: field.into_owned(), op: Op::Set, from, to, parts: Vec::new(), by: None });
    fields.writers.extend(of.iter().map(|declaration| declaration.writer.clone()));
}

fn asks_for(input: &TenantInput<'_>, key: &str, name: &str) -> bool {
    input.view.resend.iter().any(|asked| asked == key || asked.split_once('/') == Some((key, name)))
}

/// The reason of an action that only sends secrets again.
pub(super) fn reason(changes: &[FieldChange]) -> Option<Reason> {
    let is_again = |change: &FieldChange| change.op != Op::Set || change.from == change.to && change.from.is_some();
    let is_only = changes.iter().any(|change| change.op == Op::Set) && changes.iter().all(is_again);
    let is_definition = changes.iter().any(|change| change.field.kind == FieldKind::Definition);
    let (code, text) = match is_definition {
        true => (PUBLISH, "it is a draft, and is to be published"),
        false => (REASON, "its secret is sent again, as --resend asks"),
    };
    is_only.then(|| Reason { code, text: text.to_string() })
}

/// What was asked for and is not planned.
pub(super) fn unmet(input: &TenantInput<'_>, actions: &[Action], notes: &[Note]) -> Vec<Finding> {
    let unmet = input.view.resend.iter().filter_map(|asked| {
        let (key, name) = asked.split_once('/').map_or((asked.as_str(), None), |(key, name)| (key, Some(name)));
        let id = ObjectId::new(Kind::Connection, names::of_stable_key(key));
        let sends = |change: &FieldChange| {
            change.field.kind == FieldKind::Input && name.is_none_or(|name| change.field.name == name)
        };
        let is_planned = actions.iter().any(|action| action.change.object == id && action.fields.iter().any(sends));
        let is_blocked = notes.iter().any(|note| matches!(note, Note::Blocked { object, .. } if *object == id));
        if is_planned || is_blocked {
            return None;
        }
        let (text, fix) = match input.live.connection(key) {
            _ if !input.live.can.sends_secrets => (
                format!("{} takes no secrets: they are read where it is", input.tenant),
                "change the Secret itself, in the tenant's cluster".to_string(),
            ),
            None => (
                format!("{} has no connection {key} whose secret could be sent again", input.tenant),
                "see the stable keys with stablekey status".to_string(),
            ),
            Some(_) => (
                match name {
                    Some(name) => format!("no writer declares the secret {name} of {key}"),
                    None => format!("no writer declares a secret of {key}"),
                },
                "declare the connection with a secretRef, or enter the secret on the platform".to_string(),
            ),
        };
        Some(Finding::of(Code::NameUnknown, input.tenant, id, text, fix))
    });
    unmet.collect()
}
