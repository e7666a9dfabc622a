//! Syncs: a new one, and the handover of what a tenant has to the sync that feeds it.

use super::command::goes_on;
use super::draft::Draft;
use super::edited::Edited;
use super::error::AuthorError;
use super::home::{Home, tenant};
use super::promote::known_integrations;
use super::structure;
use super::{overrides, records};
use crate::api::{
    ConnectionMode, Definition, IntegrationSpec, Kind, LocationSpec, Object, Override, Resource, TenantSyncSpec,
    matches, names,
};
use crate::engine::handover::{Handover, Taken, handover};
use crate::engine::model::code::Code;
use crate::engine::model::inventory::{Sync, View, World};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, Plan};
use crate::engine::model::record::Writer;
use crate::manifest::{Edit, SourcePlace, read_text};
use crate::project::Project;
use crate::tenant::directory::read::beside;
use crate::tenant::location::Snapshot;
use crate::text::count;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

/// The reason of overrides for what was there before the sync.
pub const AS_IMPORTED: &str = "as imported";

/// A new sync, as a person asks for it.
#[derive(Clone, Debug, Default)]
pub struct NewSync {
    pub from: String,
    pub to: String,
    /// Its name; by default of the two tenants.
    pub name: Option<String>,
    pub connections: Option<ConnectionMode>,
    /// The integrations; by default all.
    pub integrations: Vec<String>,
    /// Whether the sync removes what it no longer declares.
    pub prune: bool,
}

/// An edit that hands a tenant over to a sync.
#[derive(Debug)]
pub struct HandedOver {
    pub edited: Edited,
    /// The name of the sync.
    pub sync: String,
    /// The tenant that the sync feeds.
    pub tenant: String,
    /// What is handed over, for people.
    pub summary: Vec<String>,
    /// Whether ownership records are kept elsewhere than in files: they follow once the files are written.
    pub records_follow: bool,
}

/// Writes a sync, lets the target accept it, and hands over what the target has: what is equal is taken out of its
/// source, what differs becomes an override. A sync that is there already with the same content is handed over to again.
pub fn new_sync(project: &Project, asked: &NewSync) -> Result<HandedOver, AuthorError> {
    let (from, _) = tenant(project, &asked.from)?;
    let (to, target) = tenant(project, &asked.to)?;
    if from == to {
        let help = "a sync copies one tenant to another";
        return Err(AuthorError::refused(format!("{from} cannot be copied to itself"), help));
    }
    let name = match &asked.name {
        Some(name) => Kind::TenantSync.name_in(name.strip_prefix("sync/").unwrap_or(name)).to_string(),
        None => names::of_text(&format!("{from}-to-{to}")),
    };
    let integrations = known_integrations(project, from, &asked.integrations)?;
    let spec = TenantSyncSpec {
        from: from.to_string(),
        to: vec![to.to_string()],
        integrations,
        connections: asked.connections,
        prune: asked.prune.then_some(true),
        ..TenantSyncSpec::default()
    };
    let writer = Writer::Sync(name.clone());
    if project.stopped.contains_key(&writer) {
        let why = "it is invalid".to_string();
        return Err(AuthorError::Unreadable { what: format!("TenantSync/{name}"), why });
    }
    let there = project.syncs.iter().find(|sync| sync.writer == writer);
    if let Some(there) = there {
        let is_same = TenantSyncSpec { overrides: Vec::new(), ..(*there.spec).clone() } == spec;
        if !is_same {
            let message = format!("TenantSync/{name} is there already, and says something else");
            return Err(AuthorError::refused(message, "give --name another name, or change that sync"));
        }
    } else {
        not_twice(project, &spec, to)?;
    }
    let sync = there.cloned().unwrap_or_else(|| Sync { writer, spec: Arc::new(spec.clone()) });
    let accepts = target.spec.accept_from.iter().any(|accepted| accepted == from);
    let begin = |draft: &mut Draft<'_>, new: &[Override]| {
        if there.is_none() {
            let spec = TenantSyncSpec { overrides: new.to_vec(), ..spec.clone() };
            structure::add(draft, &Resource::from(Object::new(&name, spec)))?;
        } else {
            set_overrides(draft, &name, new)?;
        }
        if !accepts {
            let accepted: Vec<&str> = target.spec.accept_from.iter().map(String::as_str).chain([from]).collect();
            let path = ["spec", "acceptFrom"].map(str::to_string).to_vec();
            let accept = Edit::Set { path, value: json!(accepted) };
            draft.edit(document(project, Kind::Tenant, to)?, vec![accept])?;
        }
        Ok(())
    };
    hand_over_by(project, &sync, to, &begin)
}

/// Hands over what a tenant has to a sync that is there: after an import, or to finish an interrupted one.
pub fn hand_over(project: &Project, sync: &Sync, to: &str) -> Result<HandedOver, AuthorError> {
    let name = sync_name(sync);
    hand_over_by(project, sync, to, &|draft, new| set_overrides(draft, &name, new))
}

/// The syncs that write to a tenant, and that it accepts.
pub fn syncs_into<'p>(project: &'p Project, to: &str) -> Vec<&'p Sync> {
    let accepts = |from: &String| project.tenants.get(to).is_some_and(|tenant| tenant.spec.accept_from.contains(from));
    let writes = |sync: &&Sync| !sync.spec.is_suspended() && sync.spec.goes_to(to) && accepts(&sync.spec.from);
    project.syncs.iter().filter(writes).collect()
}

fn sync_name(sync: &Sync) -> String {
    let writer = sync.writer.to_string();
    writer.strip_prefix("sync/").unwrap_or(&writer).to_string()
}

/// The document of a Tenant or a TenantSync.
fn document<'p>(project: &'p Project, kind: Kind, name: &str) -> Result<&'p SourcePlace, AuthorError> {
    let there = project.origins.keys().filter(|id| id.kind == kind).map(|id| id.name.as_str());
    let found = project.origins.get(&ObjectId::new(kind, name));
    found.ok_or_else(|| AuthorError::unknown(kind.as_str(), name, there))
}

/// Fails if a sync copies the same integrations between these tenants already.
fn not_twice(project: &Project, spec: &TenantSyncSpec, to: &str) -> Result<(), AuthorError> {
    let is_same = |other: &&Sync| other.spec.from == spec.from && other.spec.goes_to(to);
    let overlaps = |other: &&Sync| {
        let same = |a: &String, b: &String| a == b || matches(a, b) || matches(b, a);
        spec.integrations.iter().any(|a| other.spec.integrations.iter().any(|b| same(a, b)))
    };
    let Some(other) = project.syncs.iter().filter(is_same).find(overlaps) else { return Ok(()) };
    let (name, from) = (sync_name(other), &spec.from);
    let message =
        format!("TenantSync/{name} copies {} from {from} to {to} already", other.spec.integrations.join(", "));
    let help = "change that sync, or name other integrations with --integration";
    Err(AuthorError::refused(message, help))
}

fn set_overrides(draft: &mut Draft<'_>, sync: &str, new: &[Override]) -> Result<(), AuthorError> {
    if new.is_empty() { Ok(()) } else { overrides::set(draft, sync, new) }
}

/// Begins a draft with these overrides of the sync.
type Begin<'a> = dyn Fn(&mut Draft<'_>, &[Override]) -> Result<(), AuthorError> + 'a;

fn hand_over_by(project: &Project, sync: &Sync, to: &str, begin: &Begin<'_>) -> Result<HandedOver, AuthorError> {
    goes_on(project, to)?;
    let result = handover(&with_removed_definitions(project, &sync.spec.from, to), sync, to, AS_IMPORTED)
        .map_err(|unread| AuthorError::Unreadable { what: unread.tenant, why: unread.why })?;
    let fill = || -> Result<Draft<'_>, AuthorError> {
        let mut draft = Draft::new(project);
        begin(&mut draft, &result.overrides)?;
        take_out(&mut draft, to, &result.taken)?;
        Ok(draft)
    };
    let mut edited = fill()?.finish()?;
    let follows = following(&edited.after, sync, to);
    let is_folder =
        matches!(project.tenants.get(to).and_then(|t| t.spec.location.as_ref()), Some(LocationSpec::Directory(_)));
    let records_follow = !follows.is_empty() && !is_folder;
    let passed = follows.len();
    if !follows.is_empty() && is_folder {
        let mut draft = fill()?;
        records::follow(&mut draft, to, &follows)?;
        edited = draft.finish()?;
    }
    let is_missing = |line: &String| line.starts_with(Code::BindingMissing.as_str());
    if sync.spec.connections.is_none() && edited.consequences.worse.iter().any(is_missing) {
        let help = format!("let the sync bring what {to} lacks: add --connections Create, or --connections Mirror");
        edited.advice = Some(help);
    }
    let summary = summary(&result, sync, to, passed);
    Ok(HandedOver { edited, sync: sync_name(sync), tenant: to.to_string(), summary, records_follow })
}

/// The actions by which a tenant's ownership record follows a sync; nothing else changes.
pub fn following<'p>(plan: &'p Plan, sync: &Sync, to: &str) -> Vec<&'p Action> {
    let target = plan.targets.iter().find(|target| target.tenant == to);
    let is_following = |action: &&Action| action.action == ActionKind::Adopt && action.writers.contains(&sync.writer);
    target.into_iter().flat_map(|target| &target.actions).filter(is_following).collect()
}

/// The world in which integrations of a source have the definitions that an interrupted handover removed, before it
/// could remove their documents: as the tenant has them or, if it lacks them, as the sync brings them.
fn with_removed_definitions(project: &Project, from: &str, to: &str) -> World {
    let mut world = project.world();
    let live = |name: &str| Some(&project.tenants.get(name)?.live.as_ref().ok()?.inventory);
    let Some(Ok(read)) = project.tenants.get(to).and_then(|tenant| tenant.source.as_ref()) else { return world };
    let mut own = (*read.inventory).clone();
    for id in read.inventory.invalid.keys().filter(|id| id.kind == Kind::Integration) {
        let Some(object) = without_its_definition(read, id) else { continue };
        let uses = [to, from].into_iter().find_map(|tenant| live(tenant)?.uses.get(&id.name).cloned());
        own.invalid.remove(id);
        own.insert(Item::Integration(object, uses));
    }
    if let Some(view) = world.tenants.get_mut(to) {
        view.source = Some(View::Read(Arc::new(own)));
    }
    world
}

/// An integration that is invalid only because the file of its definition is gone.
fn without_its_definition(read: &Snapshot, id: &ObjectId) -> Option<Arc<Object<IntegrationSpec>>> {
    let at = read.origins.get(id)?;
    let is_twice = read.problems.iter().any(|problem| problem.message.starts_with(&format!("{id} ")));
    let documents = read_text(&at.file.path, at.file.text.to_string()).documents;
    let object = documents.into_iter().find_map(|document| match document.resource {
        Resource::Integration(object) if object.name() == id.name => Some(object),
        _ => None,
    })?;
    let Some(Definition::File(file)) = &object.spec.definition else { return None };
    let gone = beside(at, file).symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    (gone && !is_twice).then_some(object)
}

/// Takes out of a tenant's source what a sync brings. Definitions go first: no document would name them any more, if
/// this were interrupted between the two.
fn take_out(draft: &mut Draft<'_>, to: &str, taken: &BTreeMap<ObjectId, Taken>) -> Result<(), AuthorError> {
    if taken.is_empty() {
        return Ok(());
    }
    let project = draft.project;
    let home = super::home::home(project, to)?;
    let mut documents = Vec::new();
    for (id, taken) in taken {
        // A document whose definition is gone counts as invalid.
        let at = match home.read.origins.get(id) {
            Some(at) => at,
            None => home.document(id)?,
        };
        if let Some(path) = left_definition(&home, id, at, taken) {
            draft.put(&path, None)?;
        }
        documents.push((at, taken));
    }
    for (at, taken) in documents {
        match taken {
            Taken::Whole => draft.remove(at)?,
            Taken::Fields(fields) => {
                let remove = |path: Vec<String>| Edit::Remove { path };
                draft.edit(at, fields.iter().map(|field| remove(field.document_path())).collect())?;
            }
        }
    }
    Ok(())
}

/// The definition file that no integration of the source names any more.
fn left_definition(home: &Home<'_>, id: &ObjectId, at: &SourcePlace, taken: &Taken) -> Option<PathBuf> {
    let goes = match taken {
        Taken::Whole => true,
        Taken::Fields(fields) => fields.iter().any(|field| field.path() == ["definition"]),
    };
    let named = |name: &str, at: &SourcePlace| match &home.read.inventory.integrations.get(name)?.spec.definition {
        Some(Definition::File(file)) => Some(beside(at, file)),
        _ => None,
    };
    let path = named(&id.name, at).filter(|_| goes && id.kind == Kind::Integration)?;
    let others = home.read.origins.iter().filter(|(other, _)| other.kind == Kind::Integration && *other != id);
    let is_shared = others.into_iter().any(|(other, at)| named(&other.name, at).as_ref() == Some(&path));
    let is_file = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
    (is_file && !is_shared && home.read.inventory.unparsed.is_empty()).then_some(path)
}

/// What is handed over, for people.
fn summary(result: &Handover, sync: &Sync, to: &str, passed: usize) -> Vec<String> {
    let writer = &sync.writer;
    let mut lines = Vec::new();
    let whole = result.taken.values().filter(|taken| **taken == Taken::Whole).count();
    let partly = result.taken.len() - whole;
    if whole > 0 {
        let objects = count(whole, "object", "objects");
        lines.push(format!("{objects} of the source of {to} come from {writer} now, and are taken out there."));
    }
    if partly > 0 {
        let objects = count(partly, "object", "objects");
        lines.push(format!("{objects} of the source of {to} keep only what {writer} does not bring."));
    }
    if !result.overrides.is_empty() {
        let overrides = count(result.overrides.len(), "difference is", "differences are");
        lines.push(format!("{overrides} kept by overrides of {writer}, with the reason \"{AS_IMPORTED}\"."));
    }
    if passed > 0 {
        lines.push(format!("{} pass to {writer} in the ownership record of {to}.", count(passed, "object", "objects")));
    }
    for (id, fields) in &result.stays {
        let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
        lines.push(format!("{to}/{id} keeps its own {}, as {to} has it.", fields.join(", ")));
    }
    for (id, field) in &result.other_kind {
        lines.push(format!("{to}/{id} has another {field} than in {}: it stays as it is.", sync.spec.from));
    }
    lines
}
