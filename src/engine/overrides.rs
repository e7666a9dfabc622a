//! The overrides of a sync in one of its targets, by the object and field that they decide.

use super::model::command::EditCommand;
use super::model::field::{Field, FieldKind};
use super::model::item::{Item, ObjectId};
use crate::api::*;
use std::collections::BTreeMap;

/// The overrides of one object that a sync declares.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The fields whose value an override sets.
    pub decided: BTreeMap<Field<'static>, Decision>,
    /// The fields that the sync leaves unchanged, each with the object as in the source.
    pub keeps: BTreeMap<Field<'static>, Item>,
}

/// An override that decides a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The position of the override in the sync.
    pub position: usize,
    /// The reason given in the override.
    pub reason: String,
}

impl Overrides {
    /// Whether there are no overrides.
    pub fn is_empty(&self) -> bool {
        self.decided.is_empty() && self.keeps.is_empty()
    }

    /// Whether the sync leaves a field unchanged.
    pub fn leaves_alone(&self, field: &Field<'_>) -> bool {
        // A map with owned names can be read as one with borrowed names.
        let keeps: &BTreeMap<Field<'_>, Item> = &self.keeps;
        keeps.contains_key(field)
    }

    /// The override that sets a field.
    pub fn decision<'a>(&'a self, field: &Field<'a>) -> Option<&'a Decision> {
        let decided: &BTreeMap<Field<'_>, Decision> = &self.decided;
        decided.get(field)
    }
}

/// The overrides of a sync that apply to one tenant.
#[derive(Debug)]
pub struct Here<'a> {
    spec: &'a TenantSyncSpec,
    /// Positions, by object and by the path of the field below spec.
    by_object: BTreeMap<ObjectId, BTreeMap<String, usize>>,
    /// Pairs of positions that change the same item.
    pub doubled: Vec<(usize, usize)>,
}

impl<'a> Here<'a> {
    /// Selects the overrides of a sync for a tenant.
    pub fn of(spec: &'a TenantSyncSpec, tenant: &str) -> Self {
        let mut here = Here { spec, by_object: BTreeMap::new(), doubled: Vec::new() };
        for (position, o) in spec.overrides.iter().enumerate().filter(|(_, o)| o.tenant == tenant) {
            let Some((object, field)) = o.changes().and_then(location) else { continue };
            let of_object = here.by_object.entry(object).or_default();
            match of_object.get(&field) {
                Some(first) => here.doubled.push((*first, position)),
                None => drop(of_object.insert(field, position)),
            }
        }
        here
    }

    /// Whether one of them changes an object.
    pub fn concerns(&self, id: &ObjectId) -> bool {
        self.by_object.contains_key(id)
    }

    fn on(&self, id: &ObjectId) -> impl Iterator<Item = (&str, Decision, &'a Override)> {
        let of_object = self.by_object.get(id).into_iter().flatten();
        of_object.filter_map(|(field, position)| {
            let o = self.spec.overrides.get(*position)?;
            Some((field.as_str(), Decision { position: *position, reason: o.reason.clone() }, o))
        })
    }

    /// The stable key that an override binds a variable of an integration to.
    pub fn variable(&self, integration: &ObjectId, variable: &str) -> Option<(Decision, &'a str)> {
        let mut on_it = self.on(integration).filter(|(.., o)| o.variable.as_deref() == Some(variable));
        on_it.find_map(|(_, decision, o)| Some((decision, o.stable_key.as_deref()?)))
    }

    /// Applies the overrides to a connection, and returns the fields that they decide.
    pub fn changed(&self, id: &ObjectId, spec: &mut ConnectionSpec) -> Vec<(Field<'static>, Decision)> {
        let mut decided = Vec::new();
        for (_, decision, o) in self.on(id) {
            if o.stable_key.as_ref() != Some(&spec.stable_key) {
                continue;
            }
            let field = match (&o.input, o.field.as_deref(), &o.value, &o.secret_ref) {
                (Some(input), None, Some(value), None) => {
                    spec.inputs.insert(input.clone(), Input::value(value));
                    Field::named(FieldKind::Input, input).into_owned()
                }
                (Some(input), None, None, Some(secret)) => {
                    spec.inputs.insert(input.clone(), Input::SecretRef(secret.clone()));
                    Field::named(FieldKind::Input, input).into_owned()
                }
                (None, Some("title"), Some(value), None) => {
                    spec.title = Some(value.clone());
                    Field::of(FieldKind::Title)
                }
                (None, Some("description"), Some(value), None) => {
                    spec.description = Some(value.clone());
                    Field::of(FieldKind::Description)
                }
                (None, Some("embeddedWorkflows"), Some(value), None) => {
                    spec.embedded_workflows = Some(value == "true");
                    Field::of(FieldKind::EmbeddedWorkflows)
                }
                _ => continue,
            };
            decided.push((field, decision));
        }
        decided
    }

    /// Whether an override decides a field of an object, given the path as people write it.
    pub fn decides(&self, id: &ObjectId, field: &str) -> bool {
        self.by_object.get(id).is_some_and(|fields| fields.contains_key(field))
    }

    /// The fields of an object that stay unchanged in the tenant. `theirs` is the object that the tenant has or
    /// declares, `ours` that of the source. The positions of matching overrides are added to `matched`.
    pub fn kept(
        &self,
        id: &ObjectId,
        ours: &Item,
        theirs: &[Item],
        matched: &mut Vec<usize>,
    ) -> BTreeMap<Field<'static>, Item> {
        let mut kept = BTreeMap::new();
        for (field, decision, _) in self.on(id).filter(|(.., o)| o.keep.is_some()) {
            let Some(field) = field_of(id.kind, field) else { continue };
            let is_there = |item: &Item| item.written(&field).is_some();
            if field.name.is_empty() || is_there(ours) || theirs.iter().any(is_there) {
                matched.push(decision.position);
                kept.insert(field, ours.clone());
            }
        }
        kept
    }
}

/// The object and the field that an override decides or leaves unchanged; `None` for a field that no sync writes.
pub fn decided_by(o: &Override) -> Option<(ObjectId, Field<'static>)> {
    let (object, path) = location(o.changes()?)?;
    let field = field_of(object.kind, &path)?;
    Some((object, field))
}

/// The command that takes an override of a connection out; `None` for one of an integration.
pub fn removal(o: &Override) -> Option<EditCommand> {
    let (object, path) = location(o.changes()?)?;
    let key = o.stable_key.clone().unwrap_or_else(|| object.to_string());
    let name = path.strip_prefix("inputs.").unwrap_or(&path);
    (object.kind == Kind::Connection).then(|| EditCommand::unset_override(&o.tenant, &key, name))
}

/// The object of an override, and the path of its field below spec.
pub fn location(changes: Overridden<'_>) -> Option<(ObjectId, String)> {
    let connection = |key: &str| ObjectId::new(Kind::Connection, names::of_stable_key(key));
    Some(match changes {
        Overridden::Input { stable_key, input } => (connection(stable_key), format!("inputs.{input}")),
        Overridden::Field { stable_key, field } => (connection(stable_key), field.to_string()),
        Overridden::Variable { integration, variable } => {
            (ObjectId::new(Kind::Integration, integration), format!("connections.{variable}"))
        }
        Overridden::Kept { object, field } => (ObjectId::parse(object)?, field.to_string()),
    })
}

/// Parses the path of a field that a sync can leave unchanged. An immutable field cannot be left unchanged: the result
/// would be a different object.
fn field_of(kind: Kind, text: &str) -> Option<Field<'static>> {
    Field::parse(text).filter(|field| match kind {
        Kind::Connection => matches!(
            field.kind,
            FieldKind::Title
                | FieldKind::Description
                | FieldKind::EmbeddedWorkflows
                | FieldKind::Replaces
                | FieldKind::Input
        ),
        Kind::Integration => {
            matches!(field.kind, FieldKind::Title | FieldKind::Definition | FieldKind::Variable)
        }
        _ => false,
    })
}
