//! The edits of the platform's designer: which connection a step, a data source or a variable of an integration uses. The
//! definition and the Integration change together, the definition first, so that the same edit finishes one that was
//! interrupted.

use super::command::command as command_for;
use super::draft::Draft;
use super::error::AuthorError;
use super::home::{Home, home, inventories, snapshots, tenant};
use super::overrides;
use crate::api::*;
use crate::engine::feeds::bringing;
use crate::engine::model::command::EditCommand;
use crate::engine::model::inventory::{Inventory, Sync, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::manifest::{Edit, SourcePlace, edit_only};
use crate::near_miss::listed;
use crate::platform::definition::{self, ConnectionUser, DefinitionError, Design};
use crate::project::Project;
use crate::tenant::directory::layout::FolderRole;
use crate::tenant::directory::paths::normal;
use crate::tenant::directory::read::beside;
use crate::tenant::location::Snapshot;
use crate::text::quoted;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Gives a step that has no connection yet a connection.
#[derive(Clone, Debug, Default)]
pub struct BindStep {
    /// The tenant.
    pub tenant: String,
    /// The name of the integration.
    pub integration: String,
    /// The step: its name, or its path.
    pub step: String,
    /// The input that takes the connection; absent: as other steps of the component have it.
    pub input: Option<String>,
    /// The stable key; absent: the connections to choose from are returned.
    pub to: Option<String>,
}

/// Moves uses of a connection to another one.
#[derive(Clone, Debug)]
pub struct SwitchConnection {
    /// The tenant.
    pub tenant: String,
    /// The name of the integration; absent: all of the tenant.
    pub integration: Option<String>,
    /// The uses that move.
    pub moved: Moved,
    /// The input, where a step has several connections.
    pub input: Option<String>,
    /// The stable key; absent: the connections to choose from are returned.
    pub to: Option<String>,
    /// Why it differs in this tenant, for an override.
    pub reason: Option<String>,
}

/// The uses that move to another connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// One step: its name, or its path.
    Step(String),
    /// The data source of a config variable.
    DataSource(String),
    /// All that use a variable.
    Variable(String),
    /// All that use the variables which are bound to a stable key.
    Key(String),
}

/// The connections that a step, data source or variable can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    /// What takes the connection.
    pub what: String,
    /// The tenant.
    pub tenant: String,
    /// The connections, by key.
    pub connections: Vec<Choice>,
    /// The command that makes a new one.
    pub new: String,
}

/// A connection to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The stable key.
    pub key: String,
    /// The title, if there is one.
    pub title: Option<String>,
    /// The connection type.
    pub type_: String,
}

/// Fills a draft with a connection of a step. Returns the connections to choose from if none was given.
pub fn bind(draft: &mut Draft<'_>, asked: &BindStep) -> Result<Option<Choices>, AuthorError> {
    let desk = Desk::of(draft.project, &asked.tenant)?;
    let name = desk.integration(&asked.integration)?;
    let site = match desk.place(name)? {
        Place::Here(site) => site,
        Place::Brought(syncs) => {
            let to = asked.to.as_deref();
            return Err(desk.elsewhere(name, &syncs, None, &|from| EditCommand::bind(from, name, &asked.step, to)));
        }
    };
    let design = site.design()?;
    let user = user(design, &asked.step, false, &|user| user.uses.is_empty())?;
    let what = format!("step {} of {name}", user.path());
    let Some(component) = &user.component else {
        return Err(AuthorError::refused(format!("{what} has no component"), "name a step that calls one"));
    };
    let needs = Needs { component: Some(component.clone()), type_: None };
    let Some(to) = &asked.to else { return Ok(Some(desk.choices(&what, &needs))) };
    let connection = desk.fitting(to, &needs, &what)?;
    let key = connection.spec.stable_key.as_str();
    let mut change = SiteChange { line: user.line, ..SiteChange::default() };
    match user.uses.iter().find(|used| asked.input.as_ref().is_none_or(|input| *input == used.input)) {
        // An interrupted edit of the same kind.
        Some(used) if site.means(&used.variable).is_some_and(|means| is_key(&means, key)) => {
            change.declare(&site, &used.variable, key);
        }
        Some(used) => {
            let message = format!("{what} uses variable {:?} already", used.variable);
            let command = EditCommand::switch(desk.name, name, "--step", &user.path(), Some(key));
            let command = command_for(desk.project, command);
            return Err(AuthorError::refused(message, format!("to give it another connection:\n{command}")));
        }
        None => {
            let input = match &asked.input {
                Some(input) => input.clone(),
                None => desk.input_of(design, user, &what)?,
            };
            let variable = site.variable_for(design, connection);
            change.declare(&site, &variable, key);
            change.edits.push(user.bind(&input, &variable));
        }
    }
    write(draft, vec![(&site, change)])?;
    Ok(None)
}

/// Fills a draft with the move of uses to another connection. Returns the connections to choose from if none was given.
pub fn switch(draft: &mut Draft<'_>, asked: &SwitchConnection) -> Result<Option<Choices>, AuthorError> {
    let desk = Desk::of(draft.project, &asked.tenant)?;
    let name = match (&asked.integration, &asked.moved) {
        (Some(name), Moved::Step(_) | Moved::DataSource(_)) => desk.integration(name)?,
        (_, Moved::Variable(_) | Moved::Key(_)) => return switch_variables(draft, &desk, asked),
        (None, _) => {
            return Err(AuthorError::refused("no integration is named", "name the integration after the tenant"));
        }
    };
    let (wanted, is_data_source, flag) = match &asked.moved {
        Moved::Step(wanted) => (wanted, false, "--step"),
        Moved::DataSource(wanted) | Moved::Variable(wanted) | Moved::Key(wanted) => (wanted, true, "--data-source"),
    };
    let site = match desk.place(name)? {
        Place::Here(site) => site,
        Place::Brought(syncs) => {
            let to = asked.to.as_deref();
            let in_source = |from: &str| EditCommand::switch(from, name, flag, wanted, to);
            let here = EditCommand::switch(desk.name, name, "--variable", "VARIABLE", to).with_reason();
            return Err(desk.elsewhere(name, &syncs, Some(here), &in_source));
        }
    };
    let design = site.design()?;
    let user = user(design, wanted, is_data_source, &|user| !user.uses.is_empty())?;
    let kind = if is_data_source { "data source" } else { "step" };
    let what = format!("{kind} {} of {name}", user.path());
    let used = match user
        .uses
        .iter()
        .filter(|used| asked.input.as_ref().is_none_or(|i| *i == used.input))
        .collect::<Vec<_>>()[..]
    {
        [used] => used,
        [] if user.uses.is_empty() => return Err(unbound(&desk, name, user, &what, asked.to.as_deref())),
        [] => {
            let inputs = user.uses.iter().map(|used| used.input.as_str());
            return Err(AuthorError::unknown("input with a connection", asked.input.as_deref().unwrap_or(""), inputs));
        }
        [..] => {
            let inputs: Vec<&str> = user.uses.iter().map(|used| used.input.as_str()).collect();
            let message = format!("{what} has several connections: {}", listed(&inputs));
            return Err(AuthorError::refused(message, format!("say which one: --input {}", quoted(inputs[0]))));
        }
    };
    let needs = desk.needs(site.means(&used.variable).as_ref(), user.component.as_ref());
    let Some(to) = &asked.to else { return Ok(Some(desk.choices(&what, &needs))) };
    let connection = desk.fitting(to, &needs, &what)?;
    let key = connection.spec.stable_key.as_str();
    let mut change = SiteChange { line: user.line, ..SiteChange::default() };
    let is_done = site.means(&used.variable).is_some_and(|means| is_key(&means, key));
    let variable = if is_done { used.variable.clone() } else { site.variable_for(design, connection) };
    change.declare(&site, &variable, key);
    if !is_done {
        let edit = used.switch(&variable).ok_or_else(|| {
            let message = format!("the connection of {what} stands in a list whose items have no names");
            AuthorError::refused(
                message,
                format!("move all that use the variable: --variable {}", quoted(&used.variable)),
            )
        })?;
        change.edits.push(edit);
    }
    write(draft, vec![(&site, change)])?;
    Ok(None)
}

/// A step that has no connection, which `bind` gives it.
fn unbound(desk: &Desk<'_>, name: &str, user: &ConnectionUser, what: &str, to: Option<&str>) -> AuthorError {
    let message = format!("{what} uses no connection");
    if user.is_data_source {
        return AuthorError::refused(message, "give it one in the platform's designer");
    }
    let command = command_for(desk.project, EditCommand::bind(desk.name, name, &user.path(), to));
    AuthorError::refused(message, format!("to give it one:\n{command}"))
}

/// Moves variables to another connection: in manifests and definitions, or as overrides of the syncs that bring them.
fn switch_variables(
    draft: &mut Draft<'_>,
    desk: &Desk<'_>,
    asked: &SwitchConnection,
) -> Result<Option<Choices>, AuthorError> {
    let names = match &asked.integration {
        Some(name) => vec![desk.integration(name)?],
        None => desk.integrations(),
    };
    let mut needs = Vec::new();
    let mut found = Vec::new();
    let mut bound: BTreeSet<String> = BTreeSet::new();
    for name in &names {
        let keys: Vec<&str> = desk.keys_of(name).collect();
        bound.extend(keys.iter().map(|key| key.to_string()));
        if let (Moved::Key(from), None) = (&asked.moved, &asked.integration)
            && !keys.iter().any(|key| key == from || asked.to.as_deref() == Some(*key))
        {
            continue;
        }
        let place = desk.place(name)?;
        let variables = desk.variables(&place, name);
        bound.extend(variables.values().filter_map(|means| Some(stable_key(means)?.to_string())));
        let picked: Vec<String> = match &asked.moved {
            Moved::Variable(wanted) if variables.contains_key(wanted) => vec![wanted.clone()],
            Moved::Variable(wanted) => {
                let there = variables.keys().map(String::as_str);
                return Err(AuthorError::unknown(&format!("variable in {name}:"), wanted, there));
            }
            Moved::Key(from) => desk.bound_to(&place, &variables, from, asked.to.as_deref()),
            Moved::Step(_) | Moved::DataSource(_) => Vec::new(),
        };
        for variable in picked {
            let component = desk.component_of_uses(name, &variable);
            let what = format!("variable {variable:?} of {name}");
            needs.push((desk.needs(variables.get(&variable), component.as_ref()), what));
            found.push((place.clone(), *name, variable));
        }
    }
    if let (Moved::Key(from), [], Some(to)) = (&asked.moved, found.as_slice(), &asked.to) {
        // All is done already, or the key is misspelt.
        let keys: BTreeSet<&str> = desk.keys().chain(bound.iter().map(String::as_str)).collect();
        desk.connection(to)?;
        return match keys.contains(from.as_str()) {
            true => Ok(None),
            false => Err(AuthorError::unknown(&format!("key in {}:", desk.name), from, keys)),
        };
    }
    let Some(to) = &asked.to else {
        let Some((first, what)) = needs.first() else {
            let from = if let Moved::Key(from) = &asked.moved { from.as_str() } else { "" };
            return Err(AuthorError::unknown("variable that is bound to", from, bound.iter().map(String::as_str)));
        };
        return Ok(Some(desk.choices(what, first)));
    };
    for (needs, what) in &needs {
        desk.fitting(to, needs, what)?;
    }
    let mut sites: Vec<(Site<'_>, SiteChange)> = Vec::new();
    let mut elsewhere = Vec::new();
    for (place, name, variable) in &found {
        match place {
            Place::Here(site) => {
                if let (Some(step), None) = (site.changed_elsewhere(), &asked.integration) {
                    elsewhere.push(step);
                    continue;
                }
                if !sites.iter().any(|(other, _)| other.name == site.name) {
                    sites.push((site.clone(), SiteChange::default()));
                }
                if let Some((_, change)) = sites.iter_mut().find(|(other, _)| other.name == site.name) {
                    site.may_be_designed()?;
                    change.rebind(variable, to);
                }
            }
            Place::Brought(syncs) => desk.override_variable(draft, syncs, name, variable, asked)?,
        }
    }
    if let ([first, ..], true) = (elsewhere.as_slice(), elsewhere.len() == found.len()) {
        return Err(AuthorError::refused(first.clone(), "nothing else is bound to that key"));
    }
    elsewhere.into_iter().for_each(|step| draft.manual(step));
    write(draft, sites.iter().map(|(site, change)| (site, change.clone())).collect())?;
    Ok(None)
}

/// The tenant whose integrations are edited, with what was read of it.
struct Desk<'p> {
    project: &'p Project,
    world: World,
    name: &'p str,
    /// Its source first.
    read: Vec<&'p Inventory>,
    /// The integrations of the project that name each definition, with their tenants.
    definitions: BTreeMap<PathBuf, Vec<(&'p str, &'p str)>>,
}

/// The component and type that a connection must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Needs {
    component: Option<ComponentRef>,
    type_: Option<String>,
}

/// Where an integration of a tenant is edited.
#[derive(Clone)]
enum Place<'p> {
    /// In the manifests of the tenant.
    Here(Site<'p>),
    /// It comes by syncs.
    Brought(Vec<Arc<SyncIn>>),
}

/// A sync that brings an integration.
struct SyncIn {
    name: String,
    from: String,
}

/// An Integration and its definition in the manifests of a tenant.
#[derive(Clone)]
struct Site<'p> {
    name: &'p str,
    object: &'p Arc<Object<IntegrationSpec>>,
    at: &'p SourcePlace,
    definition: Option<Arc<DefinitionFile>>,
}

/// The file of a definition.
struct DefinitionFile {
    path: PathBuf,
    bytes: Vec<u8>,
    design: Result<Design, DefinitionError>,
}

impl<'p> Desk<'p> {
    fn of(project: &'p Project, name: &str) -> Result<Self, AuthorError> {
        let (name, found) = tenant(project, name)?;
        if found.live.is_err() && !matches!(found.source, Some(Ok(_))) {
            // What it has is unknown.
            home(project, name)?;
        }
        let mut definitions: BTreeMap<PathBuf, Vec<(&str, &str)>> = BTreeMap::new();
        for (tenant, read) in read_everywhere(project) {
            for (name, object) in &read.inventory.integrations {
                let at = read.origins.get(&ObjectId::new(Kind::Integration, name));
                if let (Some(Definition::File(file)), Some(at)) = (&object.spec.definition, at) {
                    definitions.entry(normal(&beside(at, file))).or_default().push((tenant, name));
                }
            }
        }
        Ok(Desk { project, world: project.world(), name, read: inventories(project, name), definitions })
    }

    /// All integrations that were read, by name.
    fn integrations(&self) -> Vec<&'p str> {
        let names: BTreeSet<&str> =
            self.read.iter().flat_map(|read| read.integrations.keys()).map(String::as_str).collect();
        names.into_iter().collect()
    }

    fn integration(&self, name: &str) -> Result<&'p str, AuthorError> {
        let name = Kind::Integration.name_in(name);
        let there = self.integrations();
        let invalid = self.read.iter().find_map(|read| read.invalid.get(&ObjectId::new(Kind::Integration, name)));
        if let Some(why) = invalid {
            let what = format!("Integration/{name} of {}", self.name);
            return Err(AuthorError::Unreadable { what, why: why.clone() });
        }
        // One that a sync will bring is not there before the first apply.
        let elsewhere = read_everywhere(self.project).flat_map(|(_, read)| read.inventory.integrations.keys());
        let is_brought = |name: &&str| !bringing(&self.world, self.name, name).is_empty();
        let elsewhere = elsewhere.map(String::as_str).filter(|other| *other == name).find(is_brought);
        let found = there.iter().find(|there| **there == name).copied().or(elsewhere);
        found.ok_or_else(|| AuthorError::unknown(&format!("integration in {}:", self.name), name, there))
    }

    /// The stable keys that the variables of an integration are bound to, here or where it comes from.
    fn keys_of(&self, name: &str) -> impl Iterator<Item = &'p str> {
        let objects = self.read.iter().filter_map(move |read| read.integrations.get(name));
        objects.flat_map(|object| &object.spec.connections).filter_map(Variable::stable_key)
    }

    /// Where an integration is edited: in the tenant's source, if that declares it; else where it comes from.
    fn place(&self, name: &'p str) -> Result<Place<'p>, AuthorError> {
        let id = ObjectId::new(Kind::Integration, name);
        let syncs = bringing(&self.world, self.name, name);
        let home = home(self.project, self.name);
        let declared = match &home {
            Ok(home) => home.find(&id)?.map(|at| (home, at)),
            Err(_) => None,
        };
        match declared {
            Some((home, at)) if home.role == FolderRole::Source || syncs.is_empty() => {
                Ok(Place::Here(self.site(home, name, at)?))
            }
            _ if !syncs.is_empty() => {
                Ok(Place::Brought(syncs.into_iter().filter_map(SyncIn::of).map(Arc::new).collect()))
            }
            _ => {
                let home = home?;
                home.document(&id).map(drop)?;
                Err(AuthorError::unknown("integration", name, self.integrations()))
            }
        }
    }

    fn site(&self, home: &Home<'p>, name: &'p str, at: &'p SourcePlace) -> Result<Site<'p>, AuthorError> {
        let object = home.read.inventory.integrations.get(name);
        let unreadable =
            |why: String| AuthorError::Unreadable { what: format!("Integration/{name} of {}", self.name), why };
        let object = object.ok_or_else(|| unreadable("its manifest is invalid".to_string()))?;
        let definition = match &object.spec.definition {
            Some(Definition::File(file)) => {
                let bytes = self.project.definition_in(self.name, home.role, name);
                let bytes = bytes.map_err(|error| unreadable(error.to_string()))?;
                let path = beside(at, file);
                self.is_only_its_own(name, &path)?;
                let design = Design::read(&bytes);
                Some(Arc::new(DefinitionFile { path, bytes, design }))
            }
            Some(Definition::ConfigMap(_)) | None => None,
        };
        Ok(Site { name, object, at, definition })
    }

    /// Fails if the file of a definition is named by another integration, which would change too.
    fn is_only_its_own(&self, name: &str, path: &Path) -> Result<(), AuthorError> {
        let mut others = self.definitions.get(&normal(path)).into_iter().flatten();
        match others.find(|other| **other != (self.name, name)) {
            Some((tenant, other)) => {
                let message = format!("{} is the definition of {tenant}/Integration/{other} too", path.display());
                Err(AuthorError::refused(message, "give each a file of its own first"))
            }
            None => Ok(()),
        }
    }

    /// Everything that the variables of an integration mean in this tenant.
    fn variables(&self, place: &Place<'p>, name: &str) -> BTreeMap<String, Means> {
        match place {
            Place::Here(site) => site.variables(),
            Place::Brought(syncs) => {
                let mut variables = BTreeMap::new();
                let sources = syncs.iter().flat_map(|sync| inventories(self.project, &sync.from));
                // What the tenant has goes before what its sources have; an override before both.
                let objects: Vec<_> =
                    self.read.iter().copied().chain(sources).filter_map(|read| read.integrations.get(name)).collect();
                for object in objects.iter().rev() {
                    variables.extend(object.spec.connections.iter().map(|v| (v.name.clone(), v.means.clone())));
                }
                for sync in syncs {
                    for (variable, key) in self.overrides(sync, name) {
                        variables.insert(variable, Means::StableKey(key));
                    }
                }
                variables
            }
        }
    }

    /// The variables of an integration that a sync overrides in this tenant.
    fn overrides(&self, sync: &SyncIn, integration: &str) -> Vec<(String, String)> {
        let Ok(spec) = overrides::sync(self.project, &sync.name) else { return Vec::new() };
        let here =
            spec.overrides.iter().filter(|o| o.tenant == self.name && o.integration.as_deref() == Some(integration));
        here.filter_map(|o| Some((o.variable.clone()?, o.stable_key.clone()?))).collect()
    }

    /// The variables that are bound to a key. One that a definition binds to it still, while the manifest has the new key
    /// already, counts: that edit was interrupted.
    fn bound_to(
        &self,
        place: &Place<'p>,
        variables: &BTreeMap<String, Means>,
        from: &str,
        to: Option<&str>,
    ) -> Vec<String> {
        let in_definition = |name: &str| match place {
            Place::Here(Site { definition: Some(file), .. }) => {
                let design = file.design.as_ref().ok()?;
                design.variable(name)?.stable_key().map(String::from)
            }
            _ => None,
        };
        let is_it = |(name, means): &(&String, &Means)| {
            let key = stable_key(means);
            key == Some(from) || (key.is_some() && key == to && in_definition(name).as_deref() == Some(from))
        };
        variables.iter().filter(is_it).map(|(name, _)| name.clone()).collect()
    }

    fn connections(&self) -> BTreeMap<&'p str, &'p Arc<Object<ConnectionSpec>>> {
        // Of a connection that is declared and live, the declared one.
        let all = self.read.iter().rev().flat_map(|read| read.connections.values());
        all.map(|connection| (connection.spec.stable_key.as_str(), connection)).collect()
    }

    fn keys(&self) -> impl Iterator<Item = &'p str> {
        self.connections().into_keys()
    }

    /// The connection with this key.
    fn connection(&self, key: &str) -> Result<&'p Arc<Object<ConnectionSpec>>, AuthorError> {
        let name = Kind::Connection.name_in(key);
        let found = self.read.iter().find_map(|read| read.connection(name));
        found.ok_or_else(|| AuthorError::unknown(&format!("connection in {}:", self.name), name, self.keys()))
    }

    /// The connection with this key; an error that lists those that fit if it does not.
    fn fitting(&self, key: &str, needs: &Needs, what: &str) -> Result<&'p Arc<Object<ConnectionSpec>>, AuthorError> {
        let connection = self.connection(key)?;
        if needs.are_met_by(&connection.spec) {
            return Ok(connection);
        }
        let fits = self.choices(what, needs);
        let keys: Vec<&str> = fits.connections.iter().map(|choice| choice.key.as_str()).collect();
        let is = format!("{}/{}", connection.spec.component, connection.spec.type_);
        let message = format!("{what} needs a connection of {needs}, and {key} is one of {is}");
        let help = match keys.as_slice() {
            [] => fits.how_to_make_one(),
            keys => format!("these fit: {}", listed(keys)),
        };
        Err(AuthorError::refused(message, help))
    }

    /// The component and type that a use needs: those of its current connection, if that connects to its component.
    fn needs(&self, means: Option<&Means>, component: Option<&ComponentRef>) -> Needs {
        let current = match means {
            Some(Means::Own(own)) => Some((own.component.clone(), own.type_.clone())),
            Some(Means::StableKey(key)) => {
                let all = self.connections();
                let replaced = || all.values().copied().find(|c| c.spec.replaces.iter().any(|old| old == key));
                let found = all.get(key.as_str()).copied().or_else(replaced);
                found.map(|found| (found.spec.component.clone(), found.spec.type_.clone()))
            }
            None => None,
        };
        match (current, component) {
            (Some((of_it, type_)), user) if user.is_none_or(|user| user.is(&of_it)) => {
                Needs { component: Some(of_it), type_: Some(type_) }
            }
            (_, user) => Needs { component: user.cloned(), type_: None },
        }
    }

    /// The component of the steps and data sources that use a variable.
    fn component_of_uses(&self, integration: &str, variable: &str) -> Option<ComponentRef> {
        let mut uses =
            self.read.iter().filter_map(|read| read.uses.get(integration)?.variables.get(variable)).flatten();
        uses.find_map(|used| used.component.clone())
    }

    fn choices(&self, what: &str, needs: &Needs) -> Choices {
        let fitting = self.connections().into_values().filter(|connection| needs.are_met_by(&connection.spec));
        let choice = |connection: &Arc<Object<ConnectionSpec>>| Choice {
            key: connection.spec.stable_key.clone(),
            title: connection.spec.title.clone(),
            type_: connection.spec.type_.clone(),
        };
        Choices {
            what: what.to_string(),
            tenant: self.name.to_string(),
            new: command_for(self.project, EditCommand::new_connection_of(self.name, needs.component.as_ref())),
            connections: fitting.map(choice).collect(),
        }
    }

    /// The input of a step that takes its connection: as other steps of the component have it, in this definition or in
    /// others; else an empty one that says so by its name.
    fn input_of(&self, design: &Design, user: &ConnectionUser, what: &str) -> Result<String, AuthorError> {
        let is_of = |component: Option<&ComponentRef>| {
            component.zip(user.component.as_ref()).is_some_and(|(theirs, own)| theirs.is(own))
        };
        let others = || design.users.iter().filter(|other| is_of(other.component.as_ref()));
        let same_action = others().filter(|other| other.action == user.action);
        let elsewhere = read_everywhere(self.project).flat_map(|(_, read)| read.inventory.uses.values());
        let elsewhere = elsewhere.flat_map(|uses| uses.variables.values().flatten());
        let found: [BTreeSet<String>; 4] = [
            same_action.flat_map(|other| &other.uses).map(|used| used.input.clone()).collect(),
            others().flat_map(|other| &other.uses).map(|used| used.input.clone()).collect(),
            elsewhere.filter(|used| is_of(used.component.as_ref())).map(|used| used.input.clone()).collect(),
            user.empty.iter().filter(|input| input.to_ascii_lowercase().ends_with("connection")).cloned().collect(),
        ];
        let Some(inputs) = found.into_iter().find(|inputs| !inputs.is_empty()) else {
            // The usual name.
            return Ok("connection".to_string());
        };
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        match inputs.as_slice() {
            [input] => Ok((*input).to_string()),
            several => {
                let message = format!("the input of {what} that takes the connection may be {}", several.join(" or "));
                Err(AuthorError::refused(message, format!("say which one: --input {}", quoted(several[0]))))
            }
        }
    }

    /// The edit must be made where the integration comes from.
    fn elsewhere(
        &self,
        name: &str,
        syncs: &[Arc<SyncIn>],
        here: Option<EditCommand>,
        in_source: &dyn Fn(&str) -> EditCommand,
    ) -> AuthorError {
        let brought = brought_by(syncs);
        let message = format!("{brought} brings Integration/{name} to {}, with its definition", self.name);
        let from = syncs.first().map_or("", |sync| sync.from.as_str());
        let mut help = format!("change it where it comes from:\n{}", command_for(self.project, in_source(from)));
        if let Some(here) = here {
            let here = command_for(self.project, here);
            help.push_str(&format!("\nor all that use one variable, in {} only:\n{here}", self.name));
        }
        AuthorError::refused(message, help)
    }

    /// Binds a variable that syncs bring to another connection in this tenant only. A key that comes from the source
    /// needs no override.
    fn override_variable(
        &self,
        draft: &mut Draft<'_>,
        syncs: &[Arc<SyncIn>],
        name: &str,
        variable: &str,
        asked: &SwitchConnection,
    ) -> Result<(), AuthorError> {
        let to = asked.to.as_deref().unwrap_or_default();
        for sync in syncs {
            let is_it = |o: &Override| {
                o.tenant == self.name && o.changes() == Some(Overridden::Variable { integration: name, variable })
            };
            let mut source =
                inventories(self.project, &sync.from).into_iter().filter_map(|read| read.integrations.get(name));
            let as_in_source = source.any(|object| {
                object.spec.connections.iter().any(|there| there.name == variable && there.stable_key() == Some(to))
            });
            if as_in_source {
                overrides::remove(draft, &sync.name, &is_it)?;
                continue;
            }
            let Some(reason) = asked.reason.as_ref().filter(|reason| !reason.trim().is_empty()) else {
                let message = format!("{} brings variable {variable:?} of {name} to {}", brought_by(syncs), self.name);
                let (option, what) = match &asked.moved {
                    Moved::Key(from) => ("--from", from.as_str()),
                    _ => ("--variable", variable),
                };
                let command = |tenant: &str| EditCommand::switch(tenant, name, option, what, Some(to));
                let help = format!(
                    "to change it everywhere, change it where it comes from:\n{}\nor in {} only, and say why:\n{}",
                    command_for(self.project, command(&sync.from)),
                    self.name,
                    command_for(self.project, command(self.name).with_reason()),
                );
                return Err(AuthorError::refused(message, help));
            };
            let new = Override {
                tenant: self.name.to_string(),
                integration: Some(name.to_string()),
                variable: Some(variable.to_string()),
                stable_key: Some(to.to_string()),
                reason: reason.clone(),
                ..Override::default()
            };
            overrides::set(draft, &sync.name, &[new])?;
        }
        Ok(())
    }
}

/// Everything that was read, with its tenant.
fn read_everywhere(project: &Project) -> impl Iterator<Item = (&str, &Snapshot)> {
    project.tenants.iter().flat_map(|(name, tenant)| snapshots(tenant).map(move |read| (name.as_str(), read)))
}

fn brought_by(syncs: &[Arc<SyncIn>]) -> String {
    let names: Vec<String> = syncs.iter().map(|sync| format!("sync/{}", sync.name)).collect();
    names.join(", ")
}

impl SyncIn {
    fn of(sync: &Sync) -> Option<Self> {
        match &sync.writer {
            Writer::Sync(name) => Some(SyncIn { name: name.clone(), from: sync.spec.from.clone() }),
            _ => None,
        }
    }
}

impl Site<'_> {
    /// The definition, to change it.
    fn design(&self) -> Result<&Design, AuthorError> {
        match self.definition.as_deref() {
            Some(file) => file.design.as_ref().map_err(|error| refused(&file.path, error)),
            None => {
                let message = format!("Integration/{} has no definition in a file, which names its steps", self.name);
                let help = "put its exported definition beside it, or name a variable: --variable NAME";
                Err(AuthorError::refused(message, help))
            }
        }
    }

    /// Why the definition is only changed elsewhere, if it is.
    fn changed_elsewhere(&self) -> Option<String> {
        match &self.definition.as_deref()?.design {
            Err(DefinitionError::NotDesigned { what, fix }) => Some(format!("{}: {what}: {fix}", self.name)),
            _ => None,
        }
    }

    /// Fails if there is a definition that is not changed.
    fn may_be_designed(&self) -> Result<(), AuthorError> {
        if self.definition.is_some() { self.design().map(drop) } else { Ok(()) }
    }

    /// What a variable means: as the manifest says or, where it does not, the definition.
    fn means(&self, variable: &str) -> Option<Means> {
        self.variables().remove(variable)
    }

    fn variables(&self) -> BTreeMap<String, Means> {
        let design = self.definition.as_deref().and_then(|file| file.design.as_ref().ok());
        let of_definition = design.into_iter().flat_map(|design| &design.variables).map(|variable| {
            let means = match &variable.shape {
                definition::VariableShape::Reusable { stable_key } => Means::StableKey(stable_key.clone()),
                definition::VariableShape::Own { component, type_, .. } => {
                    Means::Own(OwnConnection { component: component.clone(), type_: type_.clone() })
                }
            };
            (variable.name.clone(), means)
        });
        let mut variables: BTreeMap<String, Means> = of_definition.collect();
        variables.extend(self.object.spec.connections.iter().map(|v| (v.name.clone(), v.means.clone())));
        variables
    }

    /// The variable for a connection: one that is bound to it, or a new one with the connection's title.
    fn variable_for(&self, design: &Design, connection: &Object<ConnectionSpec>) -> String {
        let key = connection.spec.stable_key.as_str();
        let variables = self.variables();
        let is_bound = |name: &str| variables.get(name).is_some_and(|means| is_key(means, key));
        if let Some(there) = design.variables.iter().find(|variable| is_bound(&variable.name)) {
            return there.name.clone();
        }
        let in_manifest = self.object.spec.connections.iter().map(|variable| &variable.name);
        if let Some(there) = in_manifest.into_iter().find(|name| is_bound(name) && !design.has_name(name)) {
            return there.clone();
        }
        let title = connection.spec.title.as_deref().map(str::trim).filter(|title| !title.is_empty()).unwrap_or(key);
        let is_free = |name: &str| !design.has_name(name) && !variables.contains_key(name);
        let numbered = (2..).map(|number| format!("{title} {number}"));
        std::iter::once(title.to_string()).chain(numbered).find(|name| is_free(name)).unwrap_or_default()
    }
}

/// The changes of an Integration and its definition.
#[derive(Clone, Debug, Default)]
struct SiteChange {
    /// The line of what uses the connection, for messages.
    line: usize,
    /// Edits of the definition.
    edits: Vec<Edit>,
    /// Variables of the definition that are bound to another key.
    rebound: Vec<(String, String)>,
    /// Variables of the manifest, by name, with their keys.
    declared: Vec<(String, String)>,
}

impl SiteChange {
    /// Declares a variable in the definition and the manifest, where it is not declared so.
    fn declare(&mut self, site: &Site<'_>, variable: &str, key: &str) {
        let design = site.definition.as_deref().and_then(|file| file.design.as_ref().ok());
        match design.and_then(|design| design.variable(variable)) {
            None => self.edits.push(Design::add_variable(variable, key)),
            Some(there) if there.stable_key() == Some(key) => {}
            Some(_) => self.rebound.push((variable.to_string(), key.to_string())),
        }
        self.declared.push((variable.to_string(), key.to_string()));
    }

    /// Binds a variable to another key.
    fn rebind(&mut self, variable: &str, key: &str) {
        self.rebound.push((variable.to_string(), key.to_string()));
        self.declared.push((variable.to_string(), key.to_string()));
    }
}

/// Writes the changes: all definitions first, so that the manifests still say what is to be done until all is.
fn write(draft: &mut Draft<'_>, changes: Vec<(&Site<'_>, SiteChange)>) -> Result<(), AuthorError> {
    for (site, change) in &changes {
        if let Some(file) = &site.definition {
            draft.put(&file.path, Some(changed(file, change)?))?;
        }
    }
    for (site, change) in changes {
        let edit = |(name, key): &(String, String)| Edit::Set {
            path: ["spec", "connections", name].map(String::from).to_vec(),
            value: json!(Variable::bound(name, key)),
        };
        draft.edit(site.at, change.declared.iter().map(edit).collect())?;
    }
    Ok(())
}

/// The bytes of a definition after its changes.
fn changed(file: &DefinitionFile, change: &SiteChange) -> Result<Vec<u8>, AuthorError> {
    let design = file.design.as_ref().map_err(|error| refused(&file.path, error))?;
    let known = change.rebound.iter().filter(|(name, _)| design.variable(name).is_some());
    let bindings: Vec<(&str, &str)> = known.map(|(name, key)| (name.as_str(), key.as_str())).collect();
    let bytes = definition::bind(&file.bytes, &bindings).map_err(|error| refused(&file.path, &error))?;
    if change.edits.is_empty() {
        return Ok(bytes);
    }
    let text = definition::to_utf8(&bytes).map_err(|error| refused(&file.path, &error))?;
    match edit_only(&text, change.edits.clone()) {
        Ok(new) => Ok(new.into_bytes()),
        Err(why) => {
            let line = u32::try_from(change.line).unwrap_or(1);
            Err(AuthorError::Edit { file: file.path.display().to_string(), line, why })
        }
    }
}

fn refused(path: &Path, error: &DefinitionError) -> AuthorError {
    AuthorError::refused(
        format!("{}: {error}", path.display()),
        "nothing was written; the rest can be changed without it",
    )
}

fn stable_key(means: &Means) -> Option<&str> {
    match means {
        Means::StableKey(key) => Some(key),
        Means::Own(_) => None,
    }
}

fn is_key(means: &Means, key: &str) -> bool {
    stable_key(means) == Some(key)
}

/// The one step or data source that a person means; of several with this name, the one for which `counts`.
fn user<'d>(
    design: &'d Design,
    wanted: &str,
    is_data_source: bool,
    counts: &dyn Fn(&ConnectionUser) -> bool,
) -> Result<&'d ConnectionUser, AuthorError> {
    let of_kind = || design.users.iter().filter(move |user| user.is_data_source == is_data_source);
    let kind = if is_data_source { "data source" } else { "step" };
    let named: Vec<&ConnectionUser> = of_kind().filter(|user| user.is_named(wanted)).collect();
    let exact: Vec<&ConnectionUser> = named.iter().copied().filter(|user| user.path() == wanted).collect();
    let counted: Vec<&ConnectionUser> = named.iter().copied().filter(|user| counts(user)).collect();
    let several = match (exact.as_slice(), counted.as_slice(), named.as_slice()) {
        ([one], _, _) | ([], [one], _) | ([], [], [one]) => return Ok(one),
        ([], [], []) => {
            let names: BTreeSet<&str> = of_kind().map(ConnectionUser::name).collect();
            return Err(AuthorError::unknown(kind, wanted, names));
        }
        ([], [], several) | ([], several, _) | (several, _, _) => several,
    };
    let paths: BTreeSet<String> = several.iter().map(|user| user.path()).collect();
    let paths: Vec<&String> = paths.iter().collect();
    match paths.as_slice() {
        [path] => {
            let message = format!("several steps have the path {path}");
            Err(AuthorError::refused(message, "give all but one another name in the platform's designer"))
        }
        paths => {
            let message = format!("{} {kind}s have the name {wanted}", several.len());
            let flags = paths.iter().map(|path| format!("\n--{} {}", kind.replace(' ', "-"), quoted(path)));
            Err(AuthorError::refused(message, format!("give the path of one:{}", flags.collect::<String>())))
        }
    }
}

impl Needs {
    fn are_met_by(&self, spec: &ConnectionSpec) -> bool {
        self.component.as_ref().is_none_or(|component| component.is(&spec.component))
            && self.type_.as_ref().is_none_or(|type_| *type_ == spec.type_)
    }
}

impl std::fmt::Display for Needs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.component, &self.type_) {
            (Some(component), Some(type_)) => write!(f, "{component}/{type_}"),
            (Some(component), None) => write!(f, "{component}"),
            (None, _) => f.write_str("any component"),
        }
    }
}

impl Choices {
    /// The command that makes a new connection for it.
    pub fn how_to_make_one(&self) -> String {
        format!("{} has none that fits; make one:\n{}", self.tenant, self.new)
    }
}
