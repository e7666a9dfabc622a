//! Alters a connection: in the manifests of its tenant or, where a sync brings the field, as an override of the sync.

use super::brought::is_not_brought;
use super::command::{command, is_not_suspended};
use super::draft::Draft;
use super::error::AuthorError;
use super::home::{Home, home, inventories, tenant, tenants};
use super::overrides;
use super::project_secrets::ProjectSecrets;
use super::secret_steps;
use super::unknown::is_absent;
use super::values::{Values, Without};
use crate::api::{ConnectionSpec, Input, Kind, Object, Override, Resource, TypeInput, names, sensitive};
use crate::engine::feeds::{Origins, feeding};
use crate::engine::model::command::EditCommand;
use crate::engine::model::inventory::{Inventory, Sync, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::engine::overrides::{Here, location as place};
use crate::manifest::{Edit, InputPlace};
use crate::project::Project;
use crate::tenant::directory::layout::FolderRole;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// A change of one connection.
#[derive(Clone, Debug, Default)]
pub struct SetConnection {
    /// The tenant; absent: the one that declares the connection.
    pub tenant: Option<String>,
    /// The stable key, or `Connection/NAME`.
    pub key: String,
    /// The new values.
    pub values: Values,
    /// Why it differs in this tenant, for an override.
    pub reason: Option<String>,
}

/// The field for the toggle of embedded workflows.
const EMBEDDED: &str = "embeddedWorkflows";

/// One changed field.
struct FieldEdit {
    /// The path below spec.
    path: Vec<String>,
    /// The new value; `None` removes the field.
    value: Option<Value>,
    /// The override that sets it, without tenant, key and reason; `None` if no override can.
    as_override: Option<Override>,
    /// Whether no sync carries it.
    is_own: bool,
}

/// Fills a draft with the change of a connection. Returns what to say about it.
pub fn set(draft: &mut Draft<'_>, asked: &SetConnection) -> Result<Vec<String>, AuthorError> {
    let project = draft.project;
    let world = project.world();
    let name = tenant_of(project, &world, asked)?;
    let home = home(project, name)?;
    let id = id(&asked.key);
    let declared = home.find(&id)?;
    let current = current(project, name, &asked.key)?;
    let inventories = inventories(project, name);
    let (values, gone) = without_overrides(&world, name, &id, &asked.values);
    values.check(&current.spec, &inventories)?;
    let feeding = feeding(&world, name, &id.name);
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for field in fields(&values) {
        let is_declared = declared.is_some() && decides(&home, &id, &field.path);
        if !field.is_own && !is_declared && feeding.is_empty() {
            is_not_brought(project, &world, name, &id, &current.spec.stable_key)?;
        }
        match (field.is_own || is_declared || feeding.is_empty(), field.as_override.is_some()) {
            (true, _) => here.push(field),
            (false, true) => there.push(field),
            // An override has a value or a secret; the tenant's own source may declare anything.
            (false, false) if home.role == FolderRole::Source && field.value.is_some() => here.push(field),
            (false, false) => return Err(asked.cannot_be_overridden(project, name, &current, &feeding, &field)),
        }
    }
    match declared {
        Some(at) => draft.edit(at, here.into_iter().map(FieldEdit::edit).collect())?,
        None if here.is_empty() => {}
        None => add(draft, &home, &current, &values, &here)?,
    }
    asked.write_overrides(draft, name, &current, &feeding, &there, &gone)?;
    let mut after = current.spec.clone();
    values.write(&mut after);
    for step in secret_steps::steps_after(project, name, &after, Some(&current.spec)) {
        draft.manual(step);
    }
    let key = &current.spec.stable_key;
    let said = gone.iter().flat_map(|(sync, fields)| {
        fields
            .iter()
            .map(move |field| format!("The override of {field} of {key} in {name} is removed from sync/{sync}."))
    });
    Ok(said.collect())
}

/// The overrides that go, by sync: the paths of their fields.
type Gone = BTreeMap<String, BTreeSet<String>>;

/// The values without the unset fields that overrides of syncs decide in the tenant: there the overrides go.
fn without_overrides(world: &World, tenant: &str, id: &ObjectId, values: &Values) -> (Values, Gone) {
    let mut left = values.clone();
    let mut gone = Gone::new();
    let syncs: Vec<(&String, Here<'_>)> = world
        .syncs
        .iter()
        .filter_map(|sync| match &sync.writer {
            Writer::Sync(name) => Some((name, Here::of(&sync.spec, tenant))),
            _ => None,
        })
        .collect();
    let mut is_overridden = |path: &str| {
        let deciding: Vec<&String> =
            syncs.iter().filter(|(_, here)| here.decides(id, path)).map(|(name, _)| *name).collect();
        for name in &deciding {
            gone.entry((*name).clone()).or_default().insert(path.to_string());
        }
        !deciding.is_empty()
    };
    left.title = left.title.filter(|title| title.is_some() || !is_overridden("title"));
    left.description = left.description.filter(|text| text.is_some() || !is_overridden("description"));
    left.inputs.retain(|name, input| {
        let is_toggle = name == EMBEDDED;
        input.is_some() || !(is_overridden(&format!("inputs.{name}")) || is_toggle && is_overridden(EMBEDDED))
    });
    (left, gone)
}

/// The tenant in which a connection is altered.
fn tenant_of<'p>(project: &'p Project, world: &World, asked: &SetConnection) -> Result<&'p str, AuthorError> {
    match &asked.tenant {
        Some(name) => Ok(tenant(project, name)?.0),
        None => declaring(project, world, asked),
    }
}

fn id(key: &str) -> ObjectId {
    ObjectId::new(Kind::Connection, names::of_stable_key(Kind::Connection.name_in(key)))
}

/// The tenant that declares a connection, if it is clear: the only one, or the only one that no sync feeds.
fn declaring<'p>(project: &'p Project, world: &World, asked: &SetConnection) -> Result<&'p str, AuthorError> {
    let key = asked.key.as_str();
    let name = id(key).name;
    let has = |read: &Inventory| read.connections.contains_key(&name);
    let tenants = || tenants(project).into_iter();
    let with_key: Vec<&str> = tenants().filter(|tenant| inventories(project, tenant).into_iter().any(has)).collect();
    let unfed: Vec<&str> = with_key.iter().copied().filter(|t| feeding(world, t, &name).is_empty()).collect();
    // What cannot be read may hold it, too. Where syncs feed it, the one that they do not feed is meant.
    let others = tenants().filter(|tenant| !with_key.contains(tenant));
    let mut others = others.filter(|tenant| unfed.len() != 1 || feeding(world, tenant, &name).is_empty());
    others.try_for_each(|tenant| is_absent(project, tenant, &id(key)))?;
    match (with_key.as_slice(), unfed.as_slice()) {
        ([], _) => {
            let all = tenants().flat_map(|tenant| inventories(project, tenant));
            let keys: BTreeSet<&str> =
                all.flat_map(|read| read.connections.values()).map(|c| c.spec.stable_key.as_str()).collect();
            Err(AuthorError::unknown("connection", Kind::Connection.name_in(key), keys))
        }
        ([one], _) | (_, [one]) => Ok(one),
        (several, _) => {
            let commands = several.iter().map(|tenant| {
                // A value that is wrong, or a secret, is refused before it is repeated.
                let current = current(project, tenant, key)?;
                asked.values.check(&current.spec, &inventories(project, tenant))?;
                let set = asked.command(tenant, &current);
                let needs_reason = !unfed.contains(tenant) && asked.reason.is_none() && !asked.values.is_empty();
                Ok(command(project, if needs_reason { set.with_reason() } else { set }))
            });
            let commands: Vec<String> = commands.collect::<Result<_, AuthorError>>()?;
            let message = format!("{} is in {}", Kind::Connection.name_in(key), several.join(", "));
            Err(AuthorError::refused(message, format!("say which one:\n{}", commands.join("\n"))))
        }
    }
}

/// The connection as it is: as declared, else as it is live, else as a sync brings it with the next apply. A key is
/// compared letter by letter, as integrations do; `Connection/NAME` names the object.
fn current(project: &Project, tenant: &str, typed: &str) -> Result<Arc<Object<ConnectionSpec>>, AuthorError> {
    let read = inventories(project, tenant);
    let (id, key) = (id(typed), Kind::Connection.name_in(typed));
    let is_it =
        |there: &&Arc<Object<ConnectionSpec>>| there.spec.stable_key == key || (key != typed && there.name() == key);
    let world = project.world();
    let coming = feeding(&world, tenant, &id.name);
    let coming = coming.into_iter().flat_map(|sync| inventories(project, &sync.spec.from));
    let found = read.iter().copied().chain(coming).find_map(|read| read.connections.get(&id.name));
    if found.is_none() {
        is_absent(project, tenant, &id)?;
        is_not_brought(project, &world, tenant, &id, key)?;
    }
    found.filter(is_it).cloned().ok_or_else(|| {
        let what = format!("connection in {tenant}:");
        match found {
            Some(there) => AuthorError::unknown(&what, key, [there.spec.stable_key.as_str()]),
            None => {
                let keys = read.iter().flat_map(|read| read.connections.values()).map(|c| c.spec.stable_key.as_str());
                AuthorError::unknown(&what, key, keys)
            }
        }
    })
}

/// Whether the manifest of a connection decides a field although a sync brings it: the source of the tenant declares it,
/// or the live value is the tenant's own.
fn decides(home: &Home<'_>, id: &ObjectId, path: &[String]) -> bool {
    let is_recorded = || {
        let record = home.read.inventory.record(home.tenant, id);
        record.is_some_and(|record| record.fields.keys().any(|field| field.path() == path))
    };
    declares(home, id, path) && (home.role == FolderRole::Source || !is_recorded())
}

/// Whether the manifest of a connection declares a field.
fn declares(home: &Home<'_>, id: &ObjectId, path: &[String]) -> bool {
    let Some(connection) = home.read.inventory.connections.get(&id.name) else { return false };
    let Ok(mut spec) = serde_json::to_value(&connection.spec) else { return false };
    path.iter().all(|step| match spec.get_mut(step) {
        Some(below) => {
            spec = below.take();
            true
        }
        None => false,
    })
}

/// The changed fields of the values.
fn fields(values: &Values) -> Vec<FieldEdit> {
    let text = |field: &str, value: Option<&String>| FieldEdit {
        path: vec![field.to_string()],
        value: value.map(|value| json!(value)),
        as_override: value.map(|value| Override {
            field: Some(field.to_string()),
            value: Some(value.clone()),
            ..Override::default()
        }),
        is_own: false,
    };
    let mut fields = Vec::new();
    fields.extend(values.title.as_ref().map(|title| text("title", title.as_ref())));
    fields.extend(values.description.as_ref().map(|description| text("description", description.as_ref())));
    fields.extend(values.embedded.map(|embedded| {
        let of_text = text(EMBEDDED, Some(&embedded.to_string()));
        FieldEdit { value: Some(json!(embedded)), ..of_text }
    }));
    for (name, input) in &values.inputs {
        let of_input = |value: Option<String>, secret_ref| Override {
            input: Some(name.clone()),
            value,
            secret_ref,
            ..Override::default()
        };
        fields.push(FieldEdit {
            path: vec!["inputs".to_string(), name.clone()],
            value: input.as_ref().map(|input| json!(input)),
            as_override: match input {
                Some(Input::Value(value)) => Some(of_input(Some(value.clone()), None)),
                Some(Input::SecretRef(secret)) => Some(of_input(None, Some(secret.clone()))),
                Some(Input::PerCustomer(_)) | None => None,
            },
            is_own: false,
        });
    }
    fields.extend(values.test.iter().map(|(name, input)| FieldEdit {
        path: ["test", "inputs", name].map(str::to_string).to_vec(),
        value: input.as_ref().map(|input| json!(input)),
        as_override: None,
        is_own: true,
    }));
    fields
}

impl FieldEdit {
    fn edit(self) -> Edit {
        let path = std::iter::once("spec".to_string()).chain(self.path).collect();
        match self.value {
            Some(value) => Edit::Set { path, value },
            None => Edit::Remove { path },
        }
    }
}

/// Declares a connection in its tenant's source with only its identity and these fields: all else stays as it comes.
fn add(
    draft: &mut Draft<'_>,
    home: &Home<'_>,
    current: &Object<ConnectionSpec>,
    values: &Values,
    here: &[FieldEdit],
) -> Result<(), AuthorError> {
    if home.role != FolderRole::Source {
        let id = ObjectId::new(Kind::Connection, current.name());
        return home.document(&id).map(drop);
    }
    if here.iter().any(|field| field.value.is_none()) {
        let message = format!("{} declares nothing of {}", home.folder.display(), current.spec.stable_key);
        return Err(AuthorError::refused(message, "there is nothing to unset: the value is the tenant's own"));
    }
    let is_here = |path: &[&str]| here.iter().any(|field| field.path == path);
    let only = Values {
        title: values.title.clone().filter(|_| is_here(&["title"])),
        description: values.description.clone().filter(|_| is_here(&["description"])),
        embedded: values.embedded.filter(|_| is_here(&["embeddedWorkflows"])),
        inputs: values.inputs.clone().into_iter().filter(|(name, _)| is_here(&["inputs", name])).collect(),
        test: values.test.clone(),
    };
    let spec = &current.spec;
    let mut new = ConnectionSpec {
        stable_key: spec.stable_key.clone(),
        component: spec.component.clone(),
        type_: spec.type_.clone(),
        credentials: spec.credentials,
        title: None,
        description: None,
        embedded_workflows: None,
        inputs: Default::default(),
        test: None,
        replaces: Vec::new(),
        deletion_policy: None,
    };
    only.write(&mut new);
    draft.add(home, &Resource::from(Object::new(current.name(), new))).map(drop)
}

impl SetConnection {
    /// The command that makes this change in a tenant.
    fn command(&self, tenant: &str, current: &Object<ConnectionSpec>) -> EditCommand {
        let set = EditCommand::set(tenant, &current.spec.stable_key).with(self.values.options(Without::Unset));
        match self.reason.as_deref().filter(|reason| !reason.trim().is_empty()) {
            Some(reason) => set.with(["--reason".to_string(), reason.to_string()]),
            None => set,
        }
    }

    /// The command that makes this change where syncs bring the connection from.
    fn command_at_origin(&self, project: &Project, tenant: &str, current: &Object<ConnectionSpec>) -> Option<String> {
        let from = origin(project, tenant, current)?;
        let there = SetConnection { reason: None, ..self.clone() };
        Some(command(project, there.command(&from, current)))
    }

    fn write_overrides(
        &self,
        draft: &mut Draft<'_>,
        tenant: &str,
        current: &Object<ConnectionSpec>,
        feeding: &[&Sync],
        fields: &[FieldEdit],
        gone: &Gone,
    ) -> Result<(), AuthorError> {
        let new = self.overrides(draft.project, tenant, current, feeding, fields)?;
        let id = ObjectId::new(Kind::Connection, current.name());
        let feeding = feeding.iter().filter(|_| !new.is_empty()).filter_map(|sync| match &sync.writer {
            Writer::Sync(name) => Some(name),
            _ => None,
        });
        let feeding: BTreeSet<&String> = feeding.collect();
        for name in feeding.iter().copied().chain(gone.keys()).collect::<BTreeSet<_>>() {
            let paths = gone.get(name);
            let goes = |there: &Override| {
                let place = there.changes().and_then(place).filter(|(object, _)| *object == id);
                let is_asked = |path: &String| paths.is_some_and(|paths| paths.contains(path));
                there.tenant == tenant && place.is_some_and(|(_, path)| is_asked(&path))
            };
            overrides::alter(draft, name, if feeding.contains(name) { &new } else { &[] }, &goes)?;
        }
        Ok(())
    }

    /// The overrides that set fields in the tenant.
    fn overrides(
        &self,
        project: &Project,
        tenant: &str,
        current: &Object<ConnectionSpec>,
        feeding: &[&Sync],
        fields: &[FieldEdit],
    ) -> Result<Vec<Override>, AuthorError> {
        let Some(first) = fields.first() else { return Ok(Vec::new()) };
        let key = &current.spec.stable_key;
        let Some(reason) = self.reason.as_ref().filter(|reason| !reason.trim().is_empty()) else {
            let message = format!("{} brings {} of {key} to {tenant}", writers(feeding), first.path.join("."));
            let everywhere = self.command_at_origin(project, tenant, current);
            let everywhere =
                everywhere.map(|there| format!("to change it everywhere, change it where it comes from:\n{there}\nor"));
            let here = command(project, self.command(tenant, current).with_reason());
            let help = format!(
                "{} in {tenant} only, by an override of the sync, and say why:\n{here}",
                everywhere.as_deref().unwrap_or("change it")
            );
            return Err(AuthorError::NoReason { message, help, from: origin(project, tenant, current) });
        };
        let new = fields.iter().filter_map(|field| field.as_override.clone()).map(|field| Override {
            tenant: tenant.to_string(),
            stable_key: Some(key.clone()),
            reason: reason.clone(),
            ..field
        });
        Ok(new.collect())
    }

    fn cannot_be_overridden(
        &self,
        project: &Project,
        tenant: &str,
        current: &Object<ConnectionSpec>,
        feeding: &[&Sync],
        field: &FieldEdit,
    ) -> AuthorError {
        let path = field.path.join(".");
        let message =
            format!("{} brings {path} to {tenant}, and an override holds a value or a secret only", writers(feeding));
        let or = format!("or give {tenant} a source that declares {path}");
        let help = match self.command_at_origin(project, tenant, current) {
            Some(there) => format!("change it where it comes from, {or}:\n{there}"),
            None => format!("change it where it comes from, {or}"),
        };
        AuthorError::refused(message, help)
    }
}

/// The tenant that syncs bring a connection from.
fn origin(project: &Project, tenant: &str, current: &Object<ConnectionSpec>) -> Option<String> {
    let world = project.world();
    Some(Origins::new(&world).of(tenant, current.name())?.to_string())
}

fn writers(feeding: &[&Sync]) -> String {
    feeding.iter().map(|sync| sync.writer.to_string()).collect::<Vec<_>>().join(", ")
}

/// What can be set of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settable {
    /// The tenant in which it is altered.
    pub tenant: String,
    /// The stable key.
    pub key: String,
    /// Its inputs, and those that its type has.
    pub inputs: Vec<SettableInput>,
    /// The title.
    pub title: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// Whether customers may use it in the embedded workflow builder.
    pub embedded: bool,
    /// A command to begin with.
    pub example: String,
}

/// An input that can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettableInput {
    /// The name.
    pub name: String,
    /// Whether it can only be a reference to a Secret.
    pub is_secret: bool,
    /// Whether a literal value is not shown: it may be a secret.
    pub hides_literal: bool,
    /// The present value or reference; `None` if there is none, or each customer has their own.
    pub present: Option<String>,
    /// What becomes of it if it is emptied.
    pub emptied: EmptiedField,
}

/// What becomes of a field that is emptied in one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptiedField {
    /// It is removed.
    Removed,
    /// The override or the declaration of the tenant is removed: then the sync decides.
    GivesWay,
    /// That is refused: a sync brings it, or it is the tenant's own value, and nothing here declares it.
    Refused,
}

/// Fails if no value of a connection can be set, since its manifest is live in a suspended tenant. What a sync brings
/// becomes an override, which lies elsewhere.
pub fn is_settable(project: &Project, asked: &SetConnection) -> Result<(), AuthorError> {
    let world = project.world();
    let tenant = tenant_of(project, &world, asked)?;
    let id = id(&asked.key);
    match home(project, tenant)?.find(&id)? {
        Some(at) if feeding(&world, tenant, &id.name).is_empty() => is_not_suspended(project, Path::new(&at.file.path)),
        _ => Ok(()),
    }
}

/// Returns what can be set of a connection, in the tenant in which [`set`] would alter it.
pub fn settable(project: &Project, asked: &SetConnection) -> Result<Settable, AuthorError> {
    let world = project.world();
    let tenant = tenant_of(project, &world, asked)?;
    let (home, id) = (home(project, tenant)?, id(&asked.key));
    let declared = home.find(&id)?;
    let is_fed = !feeding(&world, tenant, &id.name).is_empty();
    let of_syncs = world.syncs.iter().filter(|sync| matches!(sync.writer, Writer::Sync(_)));
    let overrides: Vec<Here<'_>> = of_syncs.map(|sync| Here::of(&sync.spec, tenant)).collect();
    let emptied = |input: &str| {
        let path = ["inputs".to_string(), input.to_string()];
        let is_declared = declared.is_some() && (!is_fed || decides(&home, &id, &path));
        let is_overridden = || overrides.iter().any(|here| here.decides(&id, &path.join(".")));
        match is_declared {
            true if is_fed => EmptiedField::GivesWay,
            true => EmptiedField::Removed,
            false if is_overridden() => EmptiedField::GivesWay,
            false => EmptiedField::Refused,
        }
    };
    let current = current(project, tenant, &asked.key)?;
    let read = inventories(project, tenant);
    let types: Vec<_> = read.iter().flat_map(|read| read.types_of(&current.spec)).collect();
    // A literal may be a secret by its type in another tenant, or by a type that cannot be read.
    let secrets = ProjectSecrets::of(project);
    let component = Some(current.spec.component.clone());
    let of_types = types.iter().flat_map(|type_| type_.inputs.keys());
    let names: BTreeSet<&String> = of_types.chain(current.spec.inputs.keys()).collect();
    let inputs = names.into_iter().map(|name| {
        let present = current.spec.inputs.get(name);
        let is_marked = types.iter().any(|type_| type_.inputs.get(name).is_some_and(TypeInput::is_secret));
        let is_secret = is_marked || sensitive::is_sensitive(name) || matches!(present, Some(Input::SecretRef(_)));
        let hides_literal =
            !secrets.shows(&InputPlace { kind: Kind::Connection, component: component.clone(), input: name });
        let present = match present {
            Some(Input::Value(value)) if !is_secret && !hides_literal && !sensitive::has_secret(value) => {
                Some(value.clone())
            }
            Some(Input::SecretRef(of)) if !of.is_unknown() => Some(format!("{}/{}", of.name, of.key)),
            _ => None,
        };
        SettableInput { name: name.clone(), is_secret, hides_literal, present, emptied: emptied(name) }
    });
    let inputs: Vec<SettableInput> = inputs.collect();
    let example = match inputs.iter().find(|input| !input.is_secret) {
        Some(input) => EditCommand::set(tenant, &current.spec.stable_key).value(&input.name),
        None => EditCommand::set(tenant, &current.spec.stable_key).with(["--title".to_string(), "TITLE".to_string()]),
    };
    let ConnectionSpec { stable_key, title, description, embedded_workflows, .. } = &current.spec;
    Ok(Settable {
        tenant: tenant.to_string(),
        key: stable_key.clone(),
        inputs,
        title: title.clone(),
        description: description.clone(),
        embedded: *embedded_workflows == Some(true),
        example: command(project, example),
    })
}
