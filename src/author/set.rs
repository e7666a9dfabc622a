//! Alters a connection: in the manifests of its tenant or, where a sync brings the field, as an override of the sync.

use super::draft::Draft;
use super::error::AuthorError;
use super::home::{Home, home, inventories, tenant};
use super::overrides;
use super::values::Values;
use crate::api::{ConnectionSpec, Input, Kind, Object, Override, Resource, names};
use crate::engine::feeds::feeding;
use crate::engine::model::inventory::{Inventory, Sync, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::manifest::Edit;
use crate::project::{Project, UNNAMED};
use crate::tenant::directory::layout::FolderRole;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A change of one connection.
#[derive(Clone, Debug, Default)]
pub struct SetConnection {
    /// The tenant; absent: the one that declares the connection.
    pub tenant: Option<String>,
    /// The stable key.
    pub key: String,
    /// The new values.
    pub values: Values,
    /// Why it differs in this tenant, for an override.
    pub reason: Option<String>,
}

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

/// Fills a draft with the change of a connection.
pub fn set(draft: &mut Draft<'_>, asked: &SetConnection) -> Result<(), AuthorError> {
    let project = draft.project;
    let world = project.world();
    let name = match &asked.tenant {
        Some(name) => tenant(project, name)?.0,
        None => declaring(project, &world, &asked.key)?,
    };
    let home = home(project, name)?;
    let id = ObjectId::new(Kind::Connection, names::of_stable_key(&asked.key));
    let declared = home.find(&id)?;
    let current = current(project, &home, &id, &asked.key)?;
    let inventories = inventories(project, name);
    asked.values.check(&current.spec, &inventories)?;
    let feeding = feeding(&world, name, &id.name);
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for field in fields(&asked.values) {
        let is_declared = declared.is_some() && decides(&home, &id, &field.path);
        match (field.is_own || is_declared || feeding.is_empty(), field.as_override.is_some()) {
            (true, _) => here.push(field),
            (false, true) => there.push(field),
            // An override has a value or a secret; the tenant's own source may declare anything.
            (false, false) if home.role == FolderRole::Source && field.value.is_some() => here.push(field),
            (false, false) => return Err(cannot_override(name, &feeding, &field)),
        }
    }
    match declared {
        Some(at) => draft.edit(at, here.into_iter().map(FieldEdit::edit).collect())?,
        None if here.is_empty() => {}
        None => add(draft, &home, &current, &asked.values, &here)?,
    }
    write_overrides(draft, name, asked, &feeding, &there)
}

/// The tenant that declares a connection, if it is clear: the only one, or the only one that no sync feeds.
fn declaring<'p>(project: &'p Project, world: &World, key: &str) -> Result<&'p str, AuthorError> {
    let name = names::of_stable_key(key);
    let has = |read: &Inventory| read.connections.contains_key(&name);
    let tenants = || project.tenants.keys().map(String::as_str).filter(|tenant| *tenant != UNNAMED);
    let with_key: Vec<&str> = tenants().filter(|tenant| inventories(project, tenant).into_iter().any(has)).collect();
    let unfed: Vec<&str> = with_key.iter().copied().filter(|t| feeding(world, t, &name).is_empty()).collect();
    match (with_key.as_slice(), unfed.as_slice()) {
        ([], _) => {
            let all = tenants().flat_map(|tenant| inventories(project, tenant));
            let keys: BTreeSet<&str> =
                all.flat_map(|read| read.connections.values()).map(|c| c.spec.stable_key.as_str()).collect();
            Err(AuthorError::unknown("connection", key, keys))
        }
        ([one], _) | (_, [one]) => Ok(one),
        (several, _) => {
            let message = format!("{key} is in {}", several.join(", "));
            Err(AuthorError::refused(message, "say which one: --tenant TENANT"))
        }
    }
}

/// The connection as it is: as declared, else as it is live.
fn current(
    project: &Project,
    home: &Home<'_>,
    id: &ObjectId,
    key: &str,
) -> Result<Arc<Object<ConnectionSpec>>, AuthorError> {
    let read = inventories(project, home.tenant);
    // What a sync brings with the next apply is altered as what it brought.
    let world = project.world();
    let coming = feeding(&world, home.tenant, &id.name);
    let coming = coming.into_iter().flat_map(|sync| inventories(project, &sync.spec.from));
    let found = read.iter().copied().chain(coming).find_map(|read| read.connections.get(&id.name)).cloned();
    found.ok_or_else(|| {
        let keys = read.iter().flat_map(|read| read.connections.values()).map(|c| c.spec.stable_key.as_str());
        AuthorError::unknown(&format!("connection in {}:", home.tenant), key, keys)
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
        let of_text = text("embeddedWorkflows", Some(&embedded.to_string()));
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
    let is_here = |step: &str, name: &str| {
        here.iter().any(|f| f.path.iter().any(|s| s == step) && f.path.last().is_some_and(|l| l == name))
    };
    let only = Values {
        title: values.title.clone().filter(|_| is_here("title", "title")),
        description: values.description.clone().filter(|_| is_here("description", "description")),
        embedded: values.embedded.filter(|_| is_here("embeddedWorkflows", "embeddedWorkflows")),
        inputs: values.inputs.clone().into_iter().filter(|(name, _)| is_here("inputs", name)).collect(),
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
    draft.add(home, &Resource::Connection(Object::new(current.name(), new))).map(drop)
}

fn write_overrides(
    draft: &mut Draft<'_>,
    tenant: &str,
    asked: &SetConnection,
    feeding: &[&Sync],
    fields: &[FieldEdit],
) -> Result<(), AuthorError> {
    let Some(first) = fields.first() else { return Ok(()) };
    let Some(reason) = asked.reason.as_ref().filter(|reason| !reason.trim().is_empty()) else {
        let syncs: Vec<String> = feeding.iter().map(|sync| sync.writer.to_string()).collect();
        let message = format!("{} brings {} of {} to {tenant}", syncs.join(", "), first.path.join("."), asked.key);
        let help = "to write an override there, say why it differs: --reason 'REASON'; to change it in every tenant, \
                    leave --tenant away, or name the source of the sync";
        return Err(AuthorError::refused(message, help));
    };
    let new: Vec<Override> = fields
        .iter()
        .filter_map(|field| field.as_override.clone())
        .map(|field| Override {
            tenant: tenant.to_string(),
            stable_key: Some(asked.key.clone()),
            reason: reason.clone(),
            ..field
        })
        .collect();
    for sync in feeding {
        if let Writer::Sync(name) = &sync.writer {
            overrides::set(draft, name, &new)?;
        }
    }
    Ok(())
}

fn cannot_override(tenant: &str, feeding: &[&Sync], field: &FieldEdit) -> AuthorError {
    let path = field.path.join(".");
    let syncs: Vec<String> = feeding.iter().map(|sync| sync.writer.to_string()).collect();
    let from: Vec<&str> = feeding.iter().map(|sync| sync.spec.from.as_str()).collect();
    let message =
        format!("{} brings {path} to {tenant}, and an override holds a value or a secret only", syncs.join(", "));
    AuthorError::refused(
        message,
        format!("change it in {}, or give {tenant} a source that declares {path}", from.join(", ")),
    )
}
