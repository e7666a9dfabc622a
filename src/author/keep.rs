//! Ends a difference by making the live value the desired one: in the source of the tenant or, where a sync declares it,
//! as an override of the sync.

use super::brought::is_known;
use super::command::goes_on;
use super::draft::Draft;
use super::edited::Edited;
use super::error::AuthorError;
use super::{overrides, records};
use crate::api::{Definition, Input, Kind, Override, True, Variable, rules};
use crate::engine::check;
use crate::engine::feeds::{bringing, feeding};
use crate::engine::model::field::{Field, FieldKind, FieldValue};
use crate::engine::model::inventory::{Inventory, Sync, View, World};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, Note, Op, Plan, Scope};
use crate::engine::model::record::Writer;
use crate::engine::overrides::Here;
use crate::manifest::Edit;
use crate::project::{Project, planned};
use crate::tenant::directory::layout::FolderRole;
use crate::tenant::directory::read::beside;
use std::collections::{BTreeMap, BTreeSet};

/// The live values that become the desired ones.
#[derive(Clone, Debug)]
pub struct KeepLive {
    /// The tenant.
    pub tenant: String,
    /// The object.
    pub object: ObjectId,
    /// The field; absent: all that differ.
    pub field: Option<Field<'static>>,
    /// Why the tenant differs, for an override.
    pub reason: Option<String>,
}

/// Live values that are the desired ones.
#[derive(Debug)]
pub struct Kept {
    /// The changes of files.
    pub edited: Edited,
    /// What follows in the ownership record, if that is not in files.
    pub records: Vec<Action>,
}

/// Makes live values the desired ones. Afterwards a plan finds no difference, and writes nothing for them.
pub fn keep(project: &Project, asked: &KeepLive) -> Result<Kept, AuthorError> {
    goes_on(project, &asked.tenant)?;
    let differing = differing(project, asked);
    // All that differs, or nothing, is certain only where what is desired is known.
    if differing.is_empty() || asked.field.is_none() {
        is_known(project, &asked.tenant, &asked.object)?;
    }
    let fill = || -> Result<Draft<'_>, AuthorError> {
        let mut draft = Draft::new(project);
        declare(&mut draft, asked, &differing)?;
        Ok(draft)
    };
    let edited = fill()?.finish()?;
    // The record follows with the edit, so that nothing is left to do; also where an earlier run was interrupted before
    // it wrote the record.
    let follows = following(&edited.after, asked);
    if follows.is_empty() || project.folder(&asked.tenant, FolderRole::Location).is_none() {
        let records = follows.into_iter().cloned().collect();
        return Ok(Kept { edited, records });
    }
    let mut draft = fill()?;
    records::follow(&mut draft, &asked.tenant, &follows)?;
    Ok(Kept { edited: draft.finish()?, records: Vec::new() })
}

/// The actions on the object that change its record only, that of the field among them.
fn following<'p>(plan: &'p Plan, asked: &KeepLive) -> Vec<&'p Action> {
    let target = plan.targets.iter().filter(|target| target.tenant == asked.tenant);
    let is_asked = |action: &Action| asked.field.as_ref().is_none_or(|f| action.fields.iter().any(|c| c.field == *f));
    let follows = |action: &&Action| {
        action.action == ActionKind::Adopt && action.change.object == asked.object && is_asked(action)
    };
    target.flat_map(|target| &target.actions).filter(follows).collect()
}

/// The fields that differ from what is desired: by drift, whatever the policy does about it, or as the tenant's own. A
/// field that a person names may also be one that the next apply changes.
fn differing(project: &Project, asked: &KeepLive) -> BTreeSet<Field<'static>> {
    // The whole plan: what another tenant gets by it reaches this one too.
    let plan = planned::plan(project, &Scope::default()).plan;
    let targets: Vec<_> = plan.targets.iter().filter(|target| target.tenant == asked.tenant).collect();
    let notes = targets.iter().flat_map(|target| &target.notes).filter(|note| *note.object() == asked.object);
    let noted = notes.filter_map(|note| match note {
        Note::Drift { path, .. } | Note::Kept { path, .. } => Field::parse(&path.join(".")),
        _ => None,
    });
    let actions =
        targets.iter().flat_map(|target| &target.actions).filter(|action| action.change.object == asked.object);
    let changes = actions.filter(|_| asked.field.is_some()).flat_map(|action| &action.fields);
    let waiting = changes.filter(|change| change.op == Op::Set).map(|change| change.field.clone());
    noted.chain(waiting).filter(|field| asked.field.as_ref().is_none_or(|wanted| wanted == field)).collect()
}

/// Writes each field where it is declared.
fn declare(draft: &mut Draft<'_>, asked: &KeepLive, differing: &BTreeSet<Field<'static>>) -> Result<(), AuthorError> {
    let project = draft.project;
    let (tenant, id) = (&asked.tenant, &asked.object);
    let unread = |why: &str| AuthorError::Unreadable { what: tenant.clone(), why: why.to_string() };
    let found = project.tenants.get(tenant).ok_or_else(|| unread("it is not there"))?;
    let live = found.live.as_ref().map_err(|why| unread(why))?;
    let item = live.inventory.get(id).ok_or_else(|| unread(&format!("it has no {id}")))?;
    let world = project.world();
    refuse_literals(&world, asked, &item, differing)?;
    let source = found.source.as_ref().and_then(|source| source.as_ref().ok());
    let own = source.and_then(|source| source.inventory.get(id));
    let mut of_syncs: BTreeMap<String, Vec<Override>> = BTreeMap::new();
    for field in differing {
        if let Some((source, _)) = source.zip(own.as_ref().and_then(|own| own.written(field))) {
            let at = source.origins.get(id).ok_or_else(|| unread(&format!("{id} is in no file of its source")))?;
            if field.kind == FieldKind::Definition {
                keep_definition(draft, asked, &source.inventory, at)?;
            } else {
                draft.edit(at, vec![edit(&item, field)])?;
            }
            continue;
        }
        let syncs = declaring(&world, tenant, id, field);
        if syncs.is_empty() {
            let message = format!("no file of this project declares {field} of {tenant}/{id}");
            return Err(AuthorError::refused(message, "change it where it is declared: in the hub of its sync"));
        }
        for (sync, theirs) in syncs {
            let new = Override {
                tenant: tenant.clone(),
                reason: reason(asked, sync, field)?,
                ..override_of(id, &item, field, &theirs)
            };
            if let Writer::Sync(name) = &sync.writer {
                of_syncs.entry(name.clone()).or_default().push(new);
            }
        }
    }
    of_syncs.iter().try_for_each(|(sync, new)| overrides::set(draft, sync, new))
}

/// Fails if a live value is a secret: it never goes into a manifest.
fn refuse_literals(
    world: &World,
    asked: &KeepLive,
    item: &Item,
    differing: &BTreeSet<Field<'static>>,
) -> Result<(), AuthorError> {
    let views = world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]).flatten();
    let known: Vec<&Inventory> = views.filter_map(View::inventory).map(AsRef::as_ref).collect();
    if let Some(why) = check::unread_type(item, &known) {
        return Err(AuthorError::Unreadable { what: asked.object.to_string(), why });
    }
    let literals = check::secret_literals(item, &known);
    let found = differing.iter().find(|field| field.is_input() && literals.contains(&field.name.as_ref()));
    match found {
        None => Ok(()),
        Some(field) => {
            let message =
                format!("SK0120: {field} of {}/{} is a secret and is written as a value", asked.tenant, asked.object);
            Err(AuthorError::refused(message, rules::SECRET_LITERAL))
        }
    }
}

/// The edit that gives a document the live value of a field.
fn edit(live: &Item, field: &Field<'_>) -> Edit {
    let path = field.document_path();
    let value = match live.written(field) {
        // A variable is an item of a list, and has its name.
        Some(FieldValue::Variable(variable)) => serde_json::to_value(variable).ok(),
        value => value.map(|value| value.to_json().value()),
    };
    match value {
        Some(value) => Edit::Set { path, value },
        None => Edit::Remove { path },
    }
}

/// Replaces the definition beside the document in the source by the live one.
fn keep_definition(
    draft: &mut Draft<'_>,
    asked: &KeepLive,
    source: &Inventory,
    at: &crate::manifest::SourcePlace,
) -> Result<(), AuthorError> {
    let project = draft.project;
    let (tenant, id) = (&asked.tenant, &asked.object);
    let file = |name: &str| match &source.integrations.get(name)?.spec.definition {
        Some(Definition::File(file)) => Some(file.clone()),
        _ => None,
    };
    let Some(path) = file(&id.name).map(|file| beside(at, &file)) else {
        let message = format!("the definition of {tenant}/{id} is in no file");
        return Err(AuthorError::refused(message, "export it, and name the file in definition: {file: …}"));
    };
    let origins = project.tenants.get(tenant).and_then(|tenant| tenant.source.as_ref()?.as_ref().ok());
    let others = origins.into_iter().flat_map(|source| source.origins.iter());
    let mut others = others.filter(|(other, _)| other.kind == Kind::Integration && *other != id);
    if let Some((other, _)) = others.find(|(other, at)| file(&other.name).is_some_and(|f| beside(at, &f) == path)) {
        let message = format!("{} is the definition of {other} too", path.display());
        return Err(AuthorError::refused(message, "give each integration a file of its own"));
    }
    let bytes = project.definition_beside(tenant, &id.name);
    let bytes = bytes.map_err(|error| AuthorError::Unreadable { what: id.to_string(), why: error.to_string() })?;
    draft.put(&path, Some(bytes))
}

/// The syncs that declare a field of an object in a tenant, each with the object in its source.
fn declaring<'w>(world: &'w World, tenant: &str, id: &ObjectId, field: &Field<'_>) -> Vec<(&'w Sync, Item)> {
    let syncs: Vec<&Sync> = match id.kind {
        Kind::Connection => feeding(world, tenant, &id.name),
        Kind::Integration => bringing(world, tenant, &id.name),
        _ => Vec::new(),
    };
    let declares = |sync: &'w Sync| {
        let view = world.tenants.get(&sync.spec.from)?;
        let views = [view.source.as_ref(), Some(&view.live)].into_iter().flatten();
        let theirs = views.filter_map(View::inventory).find_map(|read| read.get(id))?;
        let here = Here::of(&sync.spec, tenant);
        (theirs.written(field).is_some() || here.decides(id, &field.to_string())).then_some((sync, theirs))
    };
    syncs.into_iter().filter_map(declares).collect()
}

fn reason(asked: &KeepLive, sync: &Sync, field: &Field<'_>) -> Result<String, AuthorError> {
    asked.reason.clone().filter(|reason| !reason.trim().is_empty()).ok_or_else(|| {
        let message = format!("{} declares {field} of {} in {}", sync.writer, asked.object, asked.tenant);
        let help = "to keep the live value as an override there, say why it differs: --reason 'REASON'".to_string();
        AuthorError::NoReason { message, help, from: Some(sync.spec.from.clone()) }
    })
}

/// The override that declares the live value of a field; one that leaves the field alone, if no value can say it.
fn override_of(id: &ObjectId, live: &Item, field: &Field<'_>, theirs: &Item) -> Override {
    let name = || Some(field.name.to_string());
    let leave_alone = || Override {
        object: Some(id.to_string()),
        field: Some(field.to_string()),
        keep: Some(True),
        ..Override::default()
    };
    let key = match live {
        Item::Connection(connection) => Some(connection.spec.stable_key.clone()),
        _ => None,
    };
    let of_field = |value: String| Override {
        stable_key: key.clone(),
        field: Some(field.to_string()),
        value: Some(value),
        ..Override::default()
    };
    let is_bound = |variable: &Variable| variable.stable_key().is_some();
    match (id.kind, field.kind, live.written(field)) {
        (Kind::Connection, FieldKind::Input, Some(FieldValue::Input(Input::Value(value)))) => {
            Override { stable_key: key.clone(), input: name(), value: Some(value.clone()), ..Override::default() }
        }
        (Kind::Connection, FieldKind::Input, Some(FieldValue::Input(Input::SecretRef(secret)))) => {
            Override { stable_key: key.clone(), input: name(), secret_ref: Some(secret.clone()), ..Override::default() }
        }
        (Kind::Connection, FieldKind::Title | FieldKind::Description, Some(FieldValue::Text(text))) => {
            of_field(text.to_string())
        }
        (Kind::Connection, FieldKind::EmbeddedWorkflows, Some(FieldValue::Bool(value))) => of_field(value.to_string()),
        (Kind::Integration, FieldKind::Variable, Some(FieldValue::Variable(variable)))
            if is_bound(variable)
                && matches!(theirs.written(field), Some(FieldValue::Variable(theirs)) if is_bound(theirs)) =>
        {
            Override {
                integration: Some(id.name.clone()),
                variable: name(),
                stable_key: variable.stable_key().map(str::to_string),
                ..Override::default()
            }
        }
        _ => leave_alone(),
    }
}
