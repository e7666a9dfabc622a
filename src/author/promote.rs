//! Carries out a sync that is not written down, on the manifests of its target: a promotion as a diff to commit.

use super::command::goes_on;
use super::draft::Draft;
use super::error::AuthorError;
use super::home::{Home, NewPlace, home, inventories, tenant};
use super::{records, secret_steps};
use crate::api::{ConnectionMode, Definition, Kind, Resource, TenantSyncSpec, matches};
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::inventory::{Capabilities, Inventory, Sync, View, World};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, Note, Plan, Scope};
use crate::engine::model::record::Writer;
use crate::engine::narrowing::plan_narrowed;
use crate::manifest::{Edit, SourcePlace};
use crate::project::Project;
use crate::tenant::directory::layout::FolderRole;
use crate::tenant::directory::read::beside;
use crate::tenant::directory::{disk, edits_of};
use crate::text::{and, one_or_lines};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest number of files that are tried for a definition.
const MOST_NAMES: usize = 1_000;
/// Maximum size of a definition, in bytes.
const DEFINITION_BYTES: u64 = 64_000_000;

/// A promotion, as a person asks for it.
#[derive(Clone, Debug, Default)]
pub struct Promotion {
    /// The tenant that is copied.
    pub from: String,
    /// The tenant whose manifests change.
    pub to: String,
    /// The integrations, by name or pattern; none: all.
    pub integrations: Vec<String>,
    /// Whether connections that the target lacks are written as they are in the source, without secrets.
    pub fill: bool,
}

/// What a promotion did beside the diff.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromotionNotes {
    /// What stays as it is in the target, and what needs an approval when it is applied.
    pub notes: Vec<String>,
    /// The changes that need an approval, where the manifests are live.
    pub needs_approval: Vec<String>,
}

/// Fills a draft with a promotion: the files of the target, and the record of what was written.
pub fn promote(draft: &mut Draft<'_>, asked: &Promotion) -> Result<PromotionNotes, AuthorError> {
    let project = draft.project;
    let (from, _) = tenant(project, &asked.from)?;
    let (to, _) = tenant(project, &asked.to)?;
    if from == to {
        let message = format!("{from} cannot be promoted to itself");
        return Err(AuthorError::refused(message, "name the tenant to copy, then the one whose manifests change"));
    }
    let home = home(project, to)?;
    goes_on(project, to)?;
    let integrations = known_integrations(project, from, &asked.integrations)?;
    let mut world = world(project, &home)?;
    let writer = Writer::Promote(from.to_string());
    let spec = TenantSyncSpec {
        from: from.to_string(),
        to: vec![to.to_string()],
        integrations,
        connections: asked.fill.then_some(ConnectionMode::Create),
        ..TenantSyncSpec::default()
    };
    world.syncs.push(Sync { writer, spec: Arc::new(spec) });
    let scope = Scope {
        tenants: BTreeSet::from([to.to_string()]),
        syncs: BTreeSet::from([format!("{from}:{to}")]),
        ..Scope::default()
    };
    let plan = plan_narrowed(&world, &scope);
    can_be_promoted(&plan, &home, from, asked.fill)?;
    let actions: Vec<&Action> = plan.actions().map(|(_, action)| action).collect();
    // Of an update the object comes first, and of a new object the record: so the same command finishes one that was
    // interrupted.
    let (new, changed): (Vec<&Action>, Vec<&Action>) =
        actions.iter().partition(|action| action.action == ActionKind::Create);
    changed.into_iter().try_for_each(|action| write(draft, &home, action))?;
    let before = &world.tenants.get(to).and_then(|view| view.live.inventory()).map(|live| live.records.clone());
    records::write(draft, home.folder, before.as_ref().unwrap_or(&Default::default()), &actions)?;
    new.iter().try_for_each(|action| write(draft, &home, action))?;
    for action in new {
        if let Some(Item::Connection(connection)) = &action.change.after {
            secret_steps::steps(project, to, &connection.spec).into_iter().for_each(|step| draft.manual(step));
        }
    }
    Ok(notes(draft, &plan, &home))
}

/// The integrations as the engine selects them. Fails if a name is unknown.
pub(super) fn known_integrations(project: &Project, from: &str, wanted: &[String]) -> Result<Vec<String>, AuthorError> {
    if wanted.is_empty() {
        return Ok(vec!["*".to_string()]);
    }
    let read = inventories(project, from);
    let there: BTreeSet<&str> = read.iter().flat_map(|read| read.integrations.keys()).map(String::as_str).collect();
    let is_whole = read.iter().all(|read| read.unparsed.is_empty());
    let mut known = Vec::new();
    for name in wanted {
        let name = Kind::Integration.name_in(name);
        let invalid = read.iter().find_map(|read| read.invalid.get(&ObjectId::new(Kind::Integration, name)));
        if let Some(why) = invalid {
            let what = format!("Integration/{name} of {from}");
            return Err(AuthorError::Unreadable { what, why: why.clone() });
        }
        if is_whole && !there.iter().any(|there| matches(name, there)) {
            return Err(AuthorError::unknown(&format!("integration in {from}:"), name, there));
        }
        known.push(name.to_string());
    }
    Ok(known)
}

/// The world in which the manifests of the target are live: what the target has beside them still answers for keys.
fn world(project: &Project, home: &Home<'_>) -> Result<World, AuthorError> {
    let unreadable = |why: String| AuthorError::Unreadable { what: home.tenant.to_string(), why };
    let mut world = project.world();
    let recorded = project.recorded(home.tenant, home.role).map_err(unreadable)?;
    let view = world.tenants.get_mut(home.tenant).ok_or_else(|| unreadable("it is not there".to_string()))?;
    if home.role == FolderRole::Location {
        return Ok(world);
    }
    let live = view.live.inventory().cloned();
    if let Some(why) = view.live.unreachable() {
        return Err(unreadable(why.to_string()));
    }
    let mut manifests = Inventory { can: Capabilities::FILES, ..recorded.inventory.as_ref().clone() };
    if let Some(live) = live {
        let add = |name: &String| !manifests.invalid.contains_key(&ObjectId::new(Kind::Connection, name));
        let lacking = live.connections.iter().filter(|(name, _)| add(name));
        let lacking: Vec<_> = lacking.filter(|(name, _)| !manifests.connections.contains_key(*name)).collect();
        manifests.connections.extend(lacking.into_iter().map(|(name, c)| (name.clone(), Arc::clone(c))));
        let components = live.components.iter().filter(|(name, _)| !manifests.components.contains_key(*name));
        let components: Vec<_> = components.map(|(name, c)| (name.clone(), Arc::clone(c))).collect();
        manifests.components.extend(components);
        manifests.foreign.clone_from(&live.foreign);
        manifests.is_not_asked = live.is_not_asked;
    }
    view.live = View::Read(Arc::new(manifests));
    view.source = None;
    // Written syncs go to the location, not into the manifests.
    for sync in &mut world.syncs {
        if sync.spec.goes_to(home.tenant) {
            Arc::make_mut(&mut sync.spec).drop_target(home.tenant);
        }
    }
    Ok(world)
}

/// Fails if not all of it can be promoted: a promotion is whole or not at all.
fn can_be_promoted(plan: &Plan, home: &Home<'_>, from: &str, fill: bool) -> Result<(), AuthorError> {
    let to = home.tenant;
    let of_target = |finding: &&crate::engine::model::finding::Finding| {
        finding.tenant.as_deref().is_none_or(|tenant| tenant == to || tenant == from)
    };
    let not_accepted = |code: Code| code == Code::SyncNotAccepted;
    let finding = plan.findings.iter().filter(of_target).find(|finding| {
        let is_of_sync = finding.object.as_ref().is_none_or(|id| !id.kind.in_tenant());
        not_accepted(finding.code) || is_of_sync && finding.severity == Severity::Error
    });
    if let Some(finding) = finding {
        return Err(AuthorError::refused(format!("{} {}", finding.code, finding.text), finding.fix.clone()));
    }
    let target = plan.targets.iter().find(|target| target.tenant == to);
    let notes = target.into_iter().flat_map(|target| &target.notes);
    let blocked: Vec<(&ObjectId, Code, &String, &String)> = notes
        .filter_map(|note| match note {
            Note::Blocked { object, code, text, fix, .. } => Some((object, *code, text, fix)),
            _ => None,
        })
        .collect();
    if let Some((_, _, _, fix)) = blocked.first() {
        let is_any_missing = blocked.iter().any(|(_, code, ..)| *code == Code::BindingMissing);
        let texts = blocked.iter().map(|(object, code, text, _)| format!("{code} {to}/{object}: {text}"));
        let texts: Vec<String> = texts.collect();
        let fix = match is_any_missing && !fill {
            true => format!("{fix}; to write the connections that {to} lacks, add --fill"),
            false => (*fix).clone(),
        };
        return Err(AuthorError::refused(one_or_lines(&texts, "resources cannot be promoted"), fix));
    }
    let here: BTreeSet<&str> = plan.actions().map(|(_, action)| action.id.as_str()).collect();
    let mut waits = plan.actions().flat_map(|(_, action)| &action.after).filter(|id| !here.contains(id.as_str()));
    match waits.next() {
        None => Ok(()),
        Some(id) => {
            let help = format!("apply the plan of {from} first, then promote again");
            Err(AuthorError::refused(format!("{id} is planned in {from}, and not applied yet"), help))
        }
    }
}

/// Writes one action into the manifests.
fn write(draft: &mut Draft<'_>, home: &Home<'_>, action: &Action) -> Result<(), AuthorError> {
    let id = &action.change.object;
    let changed = || AuthorError::Unreadable { what: id.to_string(), why: "it is in no file".to_string() };
    let definition = match &action.change.definition {
        None => None,
        Some(from) => {
            let bytes = draft.project.definition(from);
            Some(bytes.map_err(|error| AuthorError::Unreadable { what: id.to_string(), why: error.to_string() })?)
        }
    };
    match (action.action, &action.change.after) {
        (ActionKind::Create, Some(after)) => {
            let mut resource = after.to_resource();
            if let Resource::Integration(integration) = &mut resource {
                Arc::make_mut(integration).spec.definition = match definition {
                    None => None,
                    Some(bytes) => {
                        let (NewPlace::In(file) | NewPlace::New(file)) = home.file_of_new(id);
                        Some(Definition::File(put_definition(draft, home, &file, id, bytes)?))
                    }
                };
            }
            draft.add(home, &resource).map(drop)
        }
        (ActionKind::Update, Some(after)) => {
            let at = home.find(id)?.ok_or_else(changed)?;
            if !home.holds(&at.file.path) {
                let message = format!("{} lies outside {}, and others may use it", at.file.path, home.folder.display());
                return Err(AuthorError::refused(message, "copy the file into the folder in place of the link"));
            }
            let mut edits = edits_of(action, after);
            if let Some(bytes) = definition {
                match own_definition(home, id, at) {
                    Some(path) => draft.put(&path, Some(bytes))?,
                    None => {
                        let name = put_definition(draft, home, Path::new(&at.file.path), id, bytes)?;
                        let path = ["spec", "definition"].map(str::to_string).to_vec();
                        edits.push(Edit::Set { path, value: json!({"file": name}) });
                    }
                }
            }
            if edits.is_empty() { Ok(()) } else { draft.edit(at, edits) }
        }
        // Only the record changes; a promotion removes nothing.
        _ => Ok(()),
    }
}

/// The definition file that a document names.
fn named_definition(home: &Home<'_>, name: &str, at: &SourcePlace) -> Option<PathBuf> {
    match &home.read.inventory.integrations.get(name)?.spec.definition {
        Some(Definition::File(file)) => Some(beside(at, file)),
        _ => None,
    }
}

/// The definition file of an integration that no other one names, and that is no link.
fn own_definition(home: &Home<'_>, id: &ObjectId, at: &SourcePlace) -> Option<PathBuf> {
    let path = named_definition(home, &id.name, at)?;
    let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    let mut others = home.read.origins.iter().filter(|(other, _)| other.kind == Kind::Integration && *other != id);
    let is_shared = others.any(|(other, at)| named_definition(home, &other.name, at).as_ref() == Some(&path));
    (!is_link && !is_shared).then_some(path)
}

/// Writes a definition beside a manifest, under a free name. Returns the name.
fn put_definition(
    draft: &mut Draft<'_>,
    home: &Home<'_>,
    manifest: &Path,
    id: &ObjectId,
    bytes: Vec<u8>,
) -> Result<String, AuthorError> {
    let folder = manifest.parent().unwrap_or(Path::new(""));
    let named: BTreeSet<PathBuf> = home
        .read
        .origins
        .iter()
        .filter(|(other, _)| other.kind == Kind::Integration && *other != id)
        .filter_map(|(other, at)| named_definition(home, &other.name, at))
        .collect();
    let names = (1..=MOST_NAMES).map(|number| match number {
        1 => format!("{}.definition", id.name),
        _ => format!("{}-{number}.definition", id.name),
    });
    for name in names {
        let path = folder.join(&name);
        let is_free = path.symlink_metadata().is_err()
            || disk::read(&path, DEFINITION_BYTES).is_ok_and(|there| there.as_ref() == Some(&bytes));
        if is_free && !named.contains(&path) {
            draft.put(&path, Some(bytes))?;
            return Ok(name);
        }
    }
    let message = format!("every name for the definition of {id} is taken in {}", folder.display());
    Err(AuthorError::refused(message, "remove files that nothing names"))
}

/// What a person should know, and what only people can do.
fn notes(draft: &mut Draft<'_>, plan: &Plan, home: &Home<'_>) -> PromotionNotes {
    let to = home.tenant;
    let mut out = PromotionNotes::default();
    for target in plan.targets.iter().filter(|target| target.tenant == to) {
        let is_new =
            |id: &ObjectId| target.actions.iter().any(|a| a.action == ActionKind::Create && a.change.object == *id);
        for note in &target.notes {
            match note {
                Note::Kept { object, path, text: None, .. } => {
                    out.notes.push(format!("{to}/{object}: {to} keeps its own {}", path.join(".")));
                }
                Note::Drift { object, path, left: true, .. } => {
                    let path = path.join(".");
                    out.notes.push(format!("{to}/{object}: {path} was changed after it was promoted, and stays"));
                }
                // The commands that supply the Secrets of a new connection are among the steps already.
                Note::Manual { object, secret: Some(_), .. } if is_new(object) => {}
                Note::Manual { who, text, secret, .. } => {
                    let step = secret.as_ref().map_or_else(|| text.clone(), ToString::to_string);
                    draft.manual(format!("{to}: {who}: {step}"));
                }
                _ => {}
            }
        }
        for action in target.actions.iter().filter(|action| !action.needs_approval.is_empty()) {
            let why: Vec<String> =
                action.needs_approval.iter().map(|mark| format!("{} {}", mark.code, mark.why)).collect();
            let text = format!("{}: {}", action.id, and(&why));
            match home.role {
                FolderRole::Location => out.needs_approval.push(text),
                _ => out.notes.push(format!("{text}: the apply of these manifests needs approval")),
            }
        }
    }
    out
}
