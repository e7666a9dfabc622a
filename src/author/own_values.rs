//! What a tenant has of its own in a connection, and the connection that replaces it does not get: as manual steps.

use super::command::command;
use super::home::{home, inventories};
use super::values::shown;
use crate::api::Input;
use crate::engine::check;
use crate::engine::model::command::EditCommand;
use crate::engine::model::field::{Field, FieldKind, FieldValue};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::project::Project;
use crate::tenant::directory::layout::FolderRole;
use std::collections::BTreeSet;

/// A connection that replaces another one in a tenant.
pub(super) struct Replacement<'a> {
    /// The project, before the replacement.
    pub project: &'a Project,
    /// The name of the tenant.
    pub tenant: &'a str,
    /// The object that is replaced.
    pub old: &'a ObjectId,
    /// The connection that an apply creates.
    pub new: &'a Item,
    /// Whether a sync brings it.
    pub is_brought: bool,
}

/// The fields that only the tenant has, by how they are given to the new connection.
#[derive(Default)]
struct OwnFields<'i> {
    /// By `set`, at once.
    set: Vec<(Field<'i>, Vec<String>)>,
    /// By `set`, once the new connection is there.
    set_later: Vec<(Field<'i>, Vec<String>)>,
    /// By `keep`, once the new connection is there and was changed.
    keep: Vec<Field<'i>>,
    /// No command writes them.
    others: Vec<Field<'i>>,
}

impl Replacement<'_> {
    /// The manual steps that give the new connection what the tenant has of its own.
    pub(super) fn steps(&self) -> Vec<String> {
        let Replacement { project, tenant, old, new, .. } = *self;
        let Some(Ok(live)) = project.tenants.get(tenant).map(|tenant| tenant.live.as_ref()) else { return Vec::new() };
        let (Some(before), Item::Connection(after)) = (live.inventory.get(old), new) else { return Vec::new() };
        let Item::Connection(connection) = &before else { return Vec::new() };
        let (from, to) = (&connection.spec.stable_key, &after.spec.stable_key);
        let own = self.own(&before);
        let set = |fields: &[(Field<'_>, Vec<String>)]| {
            let options = fields.iter().flat_map(|(_, options)| options.clone());
            let reason = ["--reason".to_string(), format!("as {from} had it")];
            let reason = reason.into_iter().filter(|_| self.is_brought);
            command(project, EditCommand::set(tenant, to).with(options.chain(reason)))
        };
        let first = |fields: &[(Field<'_>, Vec<String>)]| names(fields.iter().map(|(field, _)| field));
        let mut steps = Vec::new();
        if !own.set.is_empty() {
            let what = first(&own.set);
            steps.push(format!(
                "{tenant}: {from} has {what} of its own, and {to} has not; to give it to {to}:\n{}",
                set(&own.set)
            ));
        }
        if !own.set_later.is_empty() {
            let what = first(&own.set_later);
            steps.push(format!(
                "{tenant}: {from} has {what} of its own, and {to} has not; after the next apply:\n{}",
                set(&own.set_later)
            ));
        }
        if !own.keep.is_empty() {
            let keep = own.keep.iter().map(|field| {
                let reason = ["--reason".to_string(), format!("as {from} had it")];
                command(project, EditCommand::keep(tenant, &new.id(), field).with(reason))
            });
            steps.push(format!(
                "{tenant}: {from} has {} of its own; after the next apply change {to} there as {from} is, then:\n{}",
                names(own.keep.iter()),
                keep.collect::<Vec<_>>().join("\n")
            ));
        }
        if !own.others.is_empty() {
            let what = names(own.others.iter());
            steps.push(format!("{tenant}: {from} has {what} of its own: after the next apply write it to {to} there"));
        }
        steps
    }

    /// The fields whose live value is the tenant's own, and that the new connection will not have.
    fn own<'i>(&self, before: &'i Item) -> OwnFields<'i> {
        let known: Vec<&Inventory> = self.project.tenants.keys().flat_map(|t| inventories(self.project, t)).collect();
        let literals: BTreeSet<&str> = check::secret_literals(before, &known).into_iter().collect();
        let mut fields: BTreeSet<Field<'_>> = before.fields(true).into_iter().map(|(field, _)| field).collect();
        fields.extend(self.new.fields(true).into_iter().map(|(field, _)| field.into_owned()));
        let home = home(self.project, self.tenant).ok().map(|home| home.role);
        let mut own = OwnFields::default();
        for field in fields.into_iter().filter(|field| self.is_lost(before, field)) {
            let options = options(before, &field, &literals);
            let is_test = field.kind == FieldKind::TestInput;
            match (options, home) {
                (Options::None, _) => own.others.push(field),
                (_, None) => own.keep.push(field),
                (Options::Set(options) | Options::Declare(options), Some(FolderRole::Location)) if is_test => {
                    own.set_later.push((field, options));
                }
                (Options::Set(options), _) => own.set.push((field, options)),
                (Options::Declare(options), _) if !self.is_brought => own.set.push((field, options)),
                (Options::Declare(_), _) => own.keep.push(field),
            }
        }
        own
    }

    /// Whether a live value is the tenant's own, and the new connection has another one.
    fn is_lost(&self, before: &Item, field: &Field<'_>) -> bool {
        if field.kind.is_immutable() || field.kind == FieldKind::Replaces {
            return false;
        }
        let (now, then) = (before.value(field), self.new.value(field));
        let is_same = match (&now, &then) {
            (Some(now), Some(then)) => now.is(then),
            (now, then) => now.is_none() && then.is_none(),
        };
        if is_same {
            return false;
        }
        let known = inventories(self.project, self.tenant);
        let record = known.iter().find_map(|read| read.record(self.tenant, self.old));
        let wrote = record.and_then(|record| record.wrote(field));
        match (wrote, now) {
            // Once it is written, a reference to a secret is the tenant's own.
            (_, Some(FieldValue::Input(Input::SecretRef(_)))) => true,
            (Some(wrote), Some(now)) => !now.is_recorded_as(wrote.hash),
            (Some(_), None) => true,
            (None, _) => before.written(field).is_some(),
        }
    }
}

/// How `set` gives a field its value.
enum Options {
    /// Anywhere.
    Set(Vec<String>),
    /// In a manifest only: no override of a sync can say it.
    Declare(Vec<String>),
    /// Not at all.
    None,
}

/// The options of `set` that give a field its live value. Of a secret only the place of its reference is shown.
fn options(before: &Item, field: &Field<'_>, literals: &BTreeSet<&str>) -> Options {
    let name = field.name.as_ref();
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<String>>();
    let of_test = field.kind == FieldKind::TestInput;
    let secret = if of_test { "--test-secret" } else { "--secret" };
    let is_secret = |value: &str| literals.contains(name) || shown(name, value) != value;
    match (field.kind, before.written(field)) {
        (FieldKind::Title, Some(FieldValue::Text(text))) => Options::Set(words(&["--title", shown("title", text)])),
        (FieldKind::Description, Some(FieldValue::Text(text))) => {
            Options::Set(words(&["--description", shown("description", text)]))
        }
        (FieldKind::Title, None) => Options::Declare(words(&["--unset", "title"])),
        (FieldKind::Description, None) => Options::Declare(words(&["--unset", "description"])),
        (FieldKind::EmbeddedWorkflows, value) => {
            let is_on = matches!(value, Some(FieldValue::Bool(true)));
            Options::Set(words(&["--embedded", if is_on { "on" } else { "off" }]))
        }
        (FieldKind::Input | FieldKind::TestInput, Some(FieldValue::Input(Input::Value(value)))) if is_secret(value) => {
            Options::Set(vec![secret.to_string(), format!("{name}=NAME/KEY")])
        }
        (FieldKind::Input, Some(FieldValue::Input(Input::Value(value)))) => {
            Options::Set(vec![format!("{name}={value}")])
        }
        (FieldKind::TestInput, Some(FieldValue::Input(Input::Value(value)))) => {
            Options::Set(vec!["--test".to_string(), format!("{name}={value}")])
        }
        (FieldKind::Input | FieldKind::TestInput, Some(FieldValue::Input(Input::SecretRef(of)))) => {
            let version = of.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
            Options::Set(vec![secret.to_string(), format!("{name}={}/{}{version}", of.name, of.key)])
        }
        (FieldKind::Input, Some(FieldValue::Input(Input::PerCustomer(_)))) => {
            Options::Declare(words(&["--per-customer", name]))
        }
        (FieldKind::Input, None) => Options::Declare(words(&["--unset", name])),
        (FieldKind::TestInput, None) => Options::Declare(vec!["--unset".to_string(), format!("test.{name}")]),
        _ => Options::None,
    }
}

fn names<'f>(fields: impl Iterator<Item = &'f Field<'f>>) -> String {
    fields.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
