//! Renames a stable key. A key never changes: a new connection replaces the one with the old key, in the manifests of
//! every tenant, and integrations name the new key.

use super::command::command;
use super::draft::Draft;
use super::edited::Edited;
use super::error::AuthorError;
use super::home::{Home, find_home, inventories, tenants};
use super::left_out::all_read;
use super::own_values::Replacement;
use super::{overrides, secret_steps};
use crate::api::{
    ConnectionSpec, Credentials, Definition, Kind, LocationSpec, Meta, Object, Override, Resource, Variable, names,
};
use crate::engine::feeds::{bringing, feeding};
use crate::engine::model::command::EditCommand;
use crate::engine::model::inventory::{Inventory, World};
use crate::engine::model::item::{Item, ObjectId, is_bookkeeping};
use crate::engine::model::plan::{Action, ActionKind, Plan};
use crate::engine::model::record::Writer;
use crate::manifest::Edit;
use crate::platform::definition::{self, Design};
use crate::project::Project;
use crate::tenant::directory::layout::FolderRole;
use crate::tenant::directory::read::beside;
use crate::text::count;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What a stable key looks like.
const KEY_SHAPE: &str =
    "a stable key has letters, digits, - and _, begins and ends with a letter or digit, and has at most 63";
/// The maximum number of older keys of a connection.
const MOST_OLDER: usize = 16;

/// A stable key and the one that replaces it.
#[derive(Clone, Copy, Debug)]
pub struct KeyRename<'k> {
    /// The old key.
    pub old: &'k str,
    /// The new key.
    pub new: &'k str,
}

/// The rename of a key.
#[derive(Debug)]
pub struct RenamedKey {
    /// The changes of files.
    pub edited: Edited,
    /// What stays as it is, and why.
    pub notes: Vec<String>,
}

/// Renames a key. The new connections are written first, then the definitions and integrations that name the key, then
/// the overrides of syncs; so the same edit finishes one that was interrupted.
pub fn rename_key(project: &Project, rename: KeyRename<'_>) -> Result<RenamedKey, AuthorError> {
    let mut draft = Draft::new(project);
    let Notes { brought, notes } = fill(&mut draft, rename)?;
    let mut edited = draft.finish()?;
    let steps = steps_of_targets(project, rename, &brought, &edited.after);
    edited.manual.extend(steps);
    Ok(RenamedKey { edited, notes })
}

/// The manual steps in the tenants in which an apply creates the new connection: what they have of their own for the old
/// key and, where a sync brings the new one, its secrets and sign-ins.
fn steps_of_targets(project: &Project, rename: KeyRename<'_>, brought: &BTreeSet<&str>, after: &Plan) -> Vec<String> {
    let [old, new] = [rename.old, rename.new].map(id_of);
    let mut steps = Vec::new();
    for target in &after.targets {
        let tenant = target.tenant.as_str();
        let is_new = |action: &&Action| action.action == ActionKind::Create && action.change.object == new;
        let created = target.actions.iter().find(is_new).and_then(|action| action.change.after.as_ref());
        let Some(item @ Item::Connection(connection)) = created else { continue };
        let is_brought = brought.contains(tenant);
        steps.extend(Replacement { project, tenant, old: &old, new: item, is_brought }.steps());
        if is_brought {
            steps.extend(secret_steps::steps(project, tenant, &connection.spec));
            steps.extend(sign_in(project, tenant, rename, &connection.spec));
        }
    }
    steps
}

/// What is not in the draft.
struct Notes<'p> {
    /// The tenants to which a sync brings the new connection.
    brought: BTreeSet<&'p str>,
    notes: Vec<String>,
}

fn fill<'p>(draft: &mut Draft<'p>, rename: KeyRename<'_>) -> Result<Notes<'p>, AuthorError> {
    let KeyRename { old, new } = rename;
    may_be_renamed(old, new)?;
    let project = draft.project;
    all_read(project, old)?;
    let world = project.world();
    let mut desks = Vec::new();
    let mut notes = Vec::new();
    let mut brought = BTreeSet::new();
    for tenant in tenants(project) {
        let syncs = bringing_key(project, &world, tenant, rename);
        let is_brought = match find_home(project, tenant)? {
            Some(home) => {
                let desk = TenantDesk { project, world: &world, home, rename, is_brought: !syncs.is_empty() };
                let is_brought = desk.is_brought();
                desks.push(desk);
                is_brought
            }
            // It has no manifests: its Tenant has no source.
            None => {
                let has = |read: &&Inventory| read.connection(old).is_some();
                if syncs.is_empty() && inventories(project, tenant).iter().any(has) {
                    notes.push(format!("{tenant} has no manifests here: its connection {old} stays as it is"));
                }
                !syncs.is_empty()
            }
        };
        if is_brought {
            brought.insert(tenant);
            let syncs = syncs.into_iter().collect::<Vec<_>>().join(", ");
            notes.push(format!("{tenant} gets {new} by {syncs}, with the next apply"));
        }
    }
    let mut renamed = brought.clone();
    let mut made = Vec::new();
    for desk in &desks {
        if let Some(connection) = desk.connection(draft)? {
            renamed.insert(desk.home.tenant);
            made.push((desk, connection));
        }
    }
    let bound = desks.iter().any(|desk| desk.binds_old());
    if made.is_empty() && !bound {
        let read = project.tenants.keys().flat_map(|tenant| inventories(project, tenant));
        let keys: BTreeSet<&str> =
            read.flat_map(|read| read.connections.values()).map(|c| c.spec.stable_key.as_str()).collect();
        return Err(AuthorError::unknown("connection", old, keys));
    }
    let mut definitions: BTreeMap<PathBuf, Definitions<'_>> = BTreeMap::new();
    for desk in &desks {
        desk.definitions(&mut definitions, &mut notes)?;
    }
    for (path, of_file) in &definitions {
        let bindings: Vec<(&str, &str)> = of_file.variables.iter().map(|variable| (*variable, new)).collect();
        let refused = |error: definition::DefinitionError| {
            AuthorError::refused(
                format!("{}: {error}", path.display()),
                "nothing was written; bind the variable there yourself",
            )
        };
        let bytes = definition::bind(&of_file.bytes, &bindings).map_err(refused)?;
        draft.put(path, Some(bytes))?;
    }
    for desk in &desks {
        desk.integrations(draft)?;
    }
    rename_overrides(draft, rename, &renamed)?;
    desks.iter().try_for_each(|desk| desk.part(draft))?;
    for (desk, connection) in made {
        desk.steps(draft, &connection);
    }
    notes.extend(credentials_that_stay(project, rename, &renamed));
    Ok(Notes { brought, notes })
}

fn id_of(key: &str) -> ObjectId {
    ObjectId::new(Kind::Connection, names::of_stable_key(key))
}

/// The syncs that mirror the connection into a tenant, by its old or new key, or that wrote it there.
fn bringing_key(project: &Project, world: &World, tenant: &str, rename: KeyRename<'_>) -> BTreeSet<String> {
    let ids = [rename.old, rename.new].map(id_of);
    let feeding = ids.iter().flat_map(|id| feeding(world, tenant, &id.name)).map(|sync| sync.writer.to_string());
    let mut syncs: BTreeSet<String> = feeding.collect();
    let exists = |writer: &&Writer| world.syncs.iter().any(|sync| sync.writer == **writer);
    for read in inventories(project, tenant) {
        let writers = read.record(tenant, &ids[0]).map(|record| record.writers()).unwrap_or_default();
        syncs.extend(writers.into_iter().filter(exists).map(ToString::to_string));
    }
    syncs
}

/// Fails if one key cannot replace another.
fn may_be_renamed(old: &str, new: &str) -> Result<(), AuthorError> {
    if !names::is_stable_key(new) {
        return Err(AuthorError::refused(format!("{new:?} is no stable key"), KEY_SHAPE));
    }
    if old == new {
        return Err(AuthorError::refused(format!("{new} is the old key"), "give another one"));
    }
    if names::of_stable_key(old) == names::of_stable_key(new) {
        let message = format!("{old} and {new} differ only in case, or in _ and -: a tenant cannot have both");
        return Err(AuthorError::refused(message, "choose a key that differs in more"));
    }
    Ok(())
}

/// A definition file, and its variables that are bound to the old key.
struct Definitions<'p> {
    bytes: Vec<u8>,
    variables: BTreeSet<&'p str>,
}

/// The manifests of one tenant.
struct TenantDesk<'p, 'w> {
    project: &'p Project,
    world: &'w World,
    home: Home<'p>,
    rename: KeyRename<'w>,
    /// Whether syncs bring the connection to the tenant.
    is_brought: bool,
}

impl<'p> TenantDesk<'p, '_> {
    fn read(&self) -> &'p Inventory {
        &self.home.read.inventory
    }

    /// Whether the connection comes by syncs only: the manifests are live, and an apply writes them, or the source of
    /// the tenant declares nothing of it.
    fn is_brought(&self) -> bool {
        let KeyRename { old, new } = self.rename;
        let declares = |key: &str| self.read().connections.contains_key(&names::of_stable_key(key));
        self.is_brought && (self.home.role == FolderRole::Location || !declares(old) && !declares(new))
    }

    fn binds_old(&self) -> bool {
        let variables = self.read().integrations.values().flat_map(|integration| &integration.spec.connections);
        variables.into_iter().any(|variable| variable.stable_key() == Some(self.rename.old))
    }

    /// Writes the new connection, if the tenant has one to replace. Returns it as it will be.
    fn connection(&self, draft: &mut Draft<'_>) -> Result<Option<ConnectionSpec>, AuthorError> {
        let KeyRename { old, new } = self.rename;
        if self.is_brought() {
            return Ok(None);
        }
        let tenant = self.home.tenant;
        // Invalid documents stop it.
        self.home.find(&id_of(old))?;
        let at = self.home.find(&id_of(new))?;
        let declared = self.read().connection(old);
        let taken = self.read().connections.get(&names::of_stable_key(new));
        if let Some(other) = taken.filter(|other| other.spec.stable_key != new) {
            let message = format!("{tenant} has {}, whose name {new} would take", other.spec.stable_key);
            return Err(AuthorError::refused(message, "choose another key"));
        }
        let live = self.project.tenants.get(tenant).and_then(|found| found.live.as_ref().ok());
        let live = live.and_then(|live| live.inventory.connection(old)).filter(|_| {
            // What is only live counts where the source renamed it in place, or binds to it.
            taken.is_some() || self.binds_old()
        });
        // A folder that is live and was renamed in place: only the targets of its syncs still have the old key.
        let elsewhere = || {
            let new = taken?;
            let read = self.project.tenants.keys().flat_map(|tenant| inventories(self.project, tenant));
            read.filter_map(|read| read.connection(old)).find(|there| there.spec.is_same_kind_as(&new.spec))
        };
        let before = declared.or(live).or_else(elsewhere);
        let Some(before) = before else {
            return Ok(taken.map(|there| there.spec.clone()).filter(|spec| replaces(spec, old)));
        };
        if before.spec.replaces.iter().any(|older| older == new) {
            let message = format!("{old} replaces {new} in {tenant}: each would replace the other");
            return Err(AuthorError::refused(message, format!("take {new} out of replaces of {old} first")));
        }
        let is_other = |other: &&std::sync::Arc<Object<ConnectionSpec>>| {
            other.spec.stable_key != new && replaces(&other.spec, old)
        };
        if let Some(other) = self.read().connections.values().find(is_other) {
            let message = format!("{} replaces {old} in {tenant} already", other.spec.stable_key);
            return Err(AuthorError::refused(
                message,
                format!(
                    "rename that one:\n{}",
                    command(self.project, EditCommand::rename_key(&other.spec.stable_key, new))
                ),
            ));
        }
        let older = std::iter::once(old).chain(before.spec.replaces.iter().map(String::as_str));
        let mut list: Vec<String> = taken.map(|there| there.spec.replaces.clone()).unwrap_or_default();
        for key in older.filter(|key| *key != new) {
            if !list.iter().any(|there| there == key) {
                list.push(key.to_string());
            }
        }
        if list.len() > MOST_OLDER {
            let message = format!("{new} would replace {} keys in {tenant}, and {MOST_OLDER} are the most", list.len());
            return Err(AuthorError::refused(message, "take keys that nothing names any more out of replaces"));
        }
        match (taken, at) {
            (Some(there), Some(at)) => {
                if !there.spec.is_same_kind_as(&before.spec) {
                    let message = format!(
                        "{new} of {tenant} is {}, and {old} is {}",
                        there.spec.kind_in_words(),
                        before.spec.kind_in_words()
                    );
                    return Err(AuthorError::refused(
                        message,
                        "component, type and credentials must be the same: choose another key",
                    ));
                }
                let path = ["spec", "replaces"].map(str::to_string).to_vec();
                if there.spec.replaces != list {
                    draft.edit(at, vec![Edit::Set { path, value: json!(list) }])?;
                }
                Ok(Some(ConnectionSpec { replaces: list, ..there.spec.clone() }))
            }
            _ => {
                let spec = ConnectionSpec { stable_key: new.to_string(), replaces: list, ..before.spec.clone() };
                let kept = |map: &BTreeMap<String, String>| {
                    map.iter().filter(|(name, _)| !is_bookkeeping(name)).map(|(k, v)| (k.clone(), v.clone())).collect()
                };
                let metadata = Meta {
                    labels: kept(&before.metadata.labels),
                    annotations: kept(&before.metadata.annotations),
                    ..Meta::named(names::of_stable_key(new))
                };
                let object = Object { metadata, ..Object::new(names::of_stable_key(new), spec.clone()) };
                draft.add(&self.home, &Resource::from(object))?;
                Ok(Some(spec))
            }
        }
    }

    /// Takes the old connection out of a source that declares a part of it, once the new one has that part: a sync no
    /// longer brings the rest, and what is live stays whole only where nothing declares it.
    fn part(&self, draft: &mut Draft<'_>) -> Result<(), AuthorError> {
        let old = self.home.find(&id_of(self.rename.old))?;
        match old.filter(|_| self.is_brought && self.home.role == FolderRole::Source) {
            Some(at) => draft.remove(at),
            None => Ok(()),
        }
    }

    /// The integrations that are written here, and not brought by a sync.
    fn own_integrations(&self) -> impl Iterator<Item = &'p Object<crate::api::IntegrationSpec>> {
        let (world, home) = (self.world, self.home);
        let is_own = move |name: &str| home.role == FolderRole::Source || bringing(world, home.tenant, name).is_empty();
        self.read().integrations.values().map(AsRef::as_ref).filter(move |integration| is_own(integration.name()))
    }

    /// Collects the definitions whose variables are bound to the old key.
    fn definitions(
        &self,
        out: &mut BTreeMap<PathBuf, Definitions<'p>>,
        notes: &mut Vec<String>,
    ) -> Result<(), AuthorError> {
        let KeyRename { old, new } = self.rename;
        let is_concerned = |variable: &&Variable| variable.stable_key().is_some_and(|key| key == old || key == new);
        for integration in self.own_integrations() {
            let concerned: Vec<&Variable> = integration.spec.connections.iter().filter(is_concerned).collect();
            let Some(Definition::File(file)) = integration.spec.definition.as_ref().filter(|_| !concerned.is_empty())
            else {
                continue;
            };
            let id = ObjectId::new(Kind::Integration, integration.name());
            let path = beside(self.home.document(&id)?, file);
            // Without a readable definition, the manifest says what each variable means.
            let Ok(bytes) = self.project.definition_in(self.home.tenant, self.home.role, integration.name()) else {
                continue;
            };
            let Ok(design) = Design::read(&bytes) else {
                notes.push(format!(
                    "{} is not changed: the manifest of {id} says what its variables mean",
                    path.display()
                ));
                continue;
            };
            let names_old = |variable: &&&Variable| {
                design.variable(&variable.name).is_some_and(|there| there.stable_key() == Some(old))
            };
            let variables: Vec<&str> =
                concerned.iter().filter(names_old).map(|variable| variable.name.as_str()).collect();
            if !variables.is_empty() {
                let of_file = out.entry(path).or_insert_with(|| Definitions { bytes, variables: BTreeSet::new() });
                of_file.variables.extend(variables);
            }
        }
        Ok(())
    }

    /// Binds variables that name the old key to the new one.
    fn integrations(&self, draft: &mut Draft<'_>) -> Result<(), AuthorError> {
        let KeyRename { old, new } = self.rename;
        for integration in self.own_integrations() {
            let bound = integration.spec.connections.iter().filter(|variable| variable.stable_key() == Some(old));
            let edits: Vec<Edit> = bound
                .map(|variable| Edit::Set {
                    path: ["spec", "connections", variable.name.as_str(), "stableKey"].map(str::to_string).to_vec(),
                    value: json!(new),
                })
                .collect();
            if !edits.is_empty() {
                let id = ObjectId::new(Kind::Integration, integration.name());
                draft.edit(self.home.document(&id)?, edits)?;
            }
        }
        Ok(())
    }

    /// What only people can do: the Secrets' annotations and, where the location cannot answer for older keys, the
    /// sign-ins.
    fn steps(&self, draft: &mut Draft<'_>, connection: &ConnectionSpec) {
        let (project, tenant) = (self.project, self.home.tenant);
        let secrets = secret_steps::steps(project, tenant, connection);
        secrets
            .into_iter()
            .chain(sign_in(project, tenant, self.rename, connection))
            .for_each(|step| draft.manual(step));
    }
}

/// Says who signs in again, where the location does not answer for older keys.
fn sign_in(project: &Project, tenant: &str, rename: KeyRename<'_>, connection: &ConnectionSpec) -> Option<String> {
    let KeyRename { old, new } = rename;
    let found = project.tenants.get(tenant)?;
    if !matches!(found.spec.location, Some(LocationSpec::Prismatic(_))) {
        return None;
    }
    let live = found.live.as_ref().ok();
    let told = live.map_or(0, |live| live.inventory.told_customers(&names::of_stable_key(old)));
    let number = if told > 0 { format!(" ({told})") } else { String::new() };
    let who = match connection.credentials {
        Credentials::Customer => format!("customers{number} sign in again for {new}"),
        Credentials::User => format!("users{number} sign in again for {new}"),
        Credentials::OrganizationCustomer => {
            format!("supply the credentials of each customer{number} again for {new}")
        }
        Credentials::OrganizationGlobal => format!("supply the credentials of {new} again, or sign in once for it"),
    };
    Some(format!("{tenant}: {who}: the platform does not resolve {old} to it"))
}

fn replaces(spec: &ConnectionSpec, old: &str) -> bool {
    spec.replaces.iter().any(|older| older == old)
}

/// Renames the key in the overrides of syncs.
fn rename_overrides(draft: &mut Draft<'_>, rename: KeyRename<'_>, renamed: &BTreeSet<&str>) -> Result<(), AuthorError> {
    let KeyRename { old, new } = rename;
    let object = |key: &str| ObjectId::new(Kind::Connection, names::of_stable_key(key)).to_string();
    for sync in &draft.project.syncs {
        let Writer::Sync(name) = &sync.writer else { continue };
        let from_is_renamed = renamed.contains(sync.spec.from.as_str());
        let change = |there: &Override| {
            let mut there = there.clone();
            // A variable is bound in the target, all else is as the source has it.
            let is_renamed =
                if there.variable.is_some() { renamed.contains(there.tenant.as_str()) } else { from_is_renamed };
            if is_renamed && there.stable_key.as_deref() == Some(old) {
                there.stable_key = Some(new.to_string());
            }
            if from_is_renamed && there.object.as_deref() == Some(object(old).as_str()) {
                there.object = Some(object(new));
            }
            there
        };
        overrides::change(draft, name, &change)?;
    }
    Ok(())
}

/// Says which customer credentials keep the old key, and whether it resolves to the new one there: where only a sync
/// brings the new connection, it serves nothing but what the sync wrote.
fn credentials_that_stay(project: &Project, rename: KeyRename<'_>, renamed: &BTreeSet<&str>) -> Vec<String> {
    let KeyRename { old, new } = rename;
    let of_tenant = |tenant: &String| {
        let mut staying = BTreeSet::new();
        for read in inventories(project, tenant) {
            let naming = read.customer_credentials.values().filter(|credentials| credentials.spec.connection == old);
            staying.extend(naming.map(|credentials| credentials.name()));
        }
        let sets = count(staying.len(), "CustomerCredentials names", "CustomerCredentials name");
        let head = format!("{sets} {old} in {tenant}");
        (!staying.is_empty()).then(|| match renamed.contains(tenant.as_str()) {
            true => format!("{head}, and stay as they are: they resolve to {new}, which replaces it"),
            false => format!(
                "{head}, and serve {old} only: a sync brings {new} there, and its customers sign in again, or give their \
                 values again, for {new}"
            ),
        })
    };
    project.tenants.keys().filter_map(of_tenant).collect()
}
