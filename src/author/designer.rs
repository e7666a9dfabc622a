//! The edits of the platform's designer: which connection a step, a data source or a variable of an integration uses. The
//! definition and the Integration change together, the definition first, so that the same edit finishes one that was
//! interrupted.

use super::brought::is_not_brought;
use super::command::command as command_for;
use super::draft::Draft;
use super::error::AuthorError;
use super::home::{Home, home, inventories, snapshots, tenant, tenants};
use super::left_out::{LeftOut, unread};
use super::overrides;
use super::unknown::{is_absent, may_name};
use crate::api::*;
use crate::engine::feeds::bringing;
use crate::engine::model::command::EditCommand;
use crate::engine::model::inventory::{Inventory, Sync, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::manifest::{Edit, SourcePlace, edit_only};
use crate::near_miss::listed;
use crate::platform::definition::{self, ConnectionUse, ConnectionUser, DefinitionError, Design, StepKind};
use crate::project::Project;
use crate::tenant::directory::layout::FolderRole;
use crate::tenant::directory::paths::normal;
use crate::tenant::directory::read::beside;
use crate::tenant::location::Snapshot;
use crate::text::{count, quoted};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most steps that an error names.
const NEAREST: usize = 3;

/// The most commands of one kind that an error lists.
const LISTED: usize = 5;

/// Gives a step that has no connection yet a connection.
#[derive(Clone, Debug, Default)]
pub struct BindStep {
    /// The tenant; absent: the only one that has the integration.
    pub tenant: Option<String>,
    /// The name of the integration.
    pub integration: Option<String>,
    /// The step: its name, or its path; absent: the steps to choose from are returned.
    pub step: Option<String>,
    /// The input that takes the connection; absent: as other steps of the component have it.
    pub input: Option<String>,
    /// The stable key; absent: the connections to choose from are returned.
    pub to: Option<String>,
}

/// Moves uses of a connection to another one.
#[derive(Clone, Debug)]
pub struct SwitchConnection {
    /// The tenant; absent: the only one that has the integration.
    pub tenant: Option<String>,
    /// The name of the integration; absent: all of the tenant.
    pub integration: Option<String>,
    /// The uses that move; absent: the steps to choose from are returned.
    pub moved: Option<Moved>,
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
    /// The key of the connection that it uses now.
    pub bound: Option<String>,
    /// The component and the type that it needs, as far as they are known.
    pub component: Option<ComponentRef>,
    pub type_: Option<String>,
    /// The command that makes a new one.
    pub new: String,
}

/// What an edit needs to know yet. Nothing is changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The step.
    Step(Steps),
    /// The stable key.
    Connection(Choices),
}

/// What a switch needs to know yet, and what it does not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switched {
    /// What it needs to know yet.
    pub missing: Option<Missing>,
    /// The integrations that are left out although they cannot be read: nothing of them names the key.
    pub left_out: Vec<String>,
}

/// The steps and data sources of an integration, to choose one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The tenant.
    pub tenant: String,
    /// The integration.
    pub integration: String,
    /// Those that have a connection or, for `bind`, that have none yet, in the order of the definition.
    pub steps: Vec<StepChoice>,
    /// Why there is none, and the command that lists the others.
    pub none: (String, String),
}

/// A step or data source to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepChoice {
    /// Its path; of a data source, its variable.
    pub path: String,
    /// Whether it is a data source.
    pub is_data_source: bool,
    /// What it uses now: `Chat: chat-main`; `None` if it has no connection.
    pub uses: Option<String>,
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

impl BindStep {
    /// The command for this edit with a tenant, and with an integration.
    fn command(&self, tenant: &str, integration: &str) -> EditCommand {
        let words = option("--step", self.step.as_deref()).chain(option("--input", self.input.as_deref()));
        let words = words.chain(option("--to", self.to.as_deref()));
        EditCommand::of(&["bind", tenant, integration].into_iter().chain(words).collect::<Vec<_>>())
    }
}

impl SwitchConnection {
    /// The command for this edit with a tenant, and with an integration or, without one, all of the tenant.
    fn command(&self, tenant: &str, integration: Option<&str>) -> EditCommand {
        let (flag, name) = self.moved.as_ref().map(Moved::option).unzip();
        let words = flag.into_iter().chain(name).chain(option("--input", self.input.as_deref()));
        let words = words.chain(option("--to", self.to.as_deref()));
        let integration = integration.unwrap_or("--all");
        EditCommand::of(&["switch", tenant, integration].into_iter().chain(words).collect::<Vec<_>>())
    }
}

impl Moved {
    /// The option that says it, and its value.
    fn option(&self) -> (&'static str, &str) {
        match self {
            Moved::Step(name) => ("--step", name),
            Moved::DataSource(name) => ("--data-source", name),
            Moved::Variable(name) => ("--variable", name),
            Moved::Key(key) => ("--from", key),
        }
    }
}

/// An option with its value, if it is given.
fn option<'a>(name: &'a str, value: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    value.into_iter().flat_map(move |value| [name, value])
}

/// Fills a draft with a connection of a step. Returns what it needs to know yet.
pub fn bind(draft: &mut Draft<'_>, asked: &BindStep) -> Result<Option<Missing>, AuthorError> {
    let project = draft.project;
    let command = |tenant: &str, integration: Option<&str>| {
        asked.command(tenant, integration.or(asked.integration.as_deref()).unwrap_or("INTEGRATION"))
    };
    let named = Named {
        tenant: asked.tenant.as_deref(),
        integration: asked.integration.as_deref(),
        from: None,
        command: &command,
    };
    let (desk, name) = named.find(project)?;
    let site = match desk.place(name)? {
        Place::Here(site) => site,
        Place::Brought(syncs) => return Err(desk.elsewhere(name, &syncs, None, &|from| command(from, Some(name)))),
    };
    let Some(step) = &asked.step else { return desk.steps(&site, false).map(Missing::Step).map(Some) };
    let user = user(site.design()?, step, false, &|user| site.uses(user).is_empty())?;
    let what = format!("step {} of {name}", user.path());
    let uses = site.uses(user);
    let used = uses.iter().find(|used| asked.input.as_ref().is_none_or(|input| *input == used.input));
    match (used, &asked.to) {
        // An interrupted edit of the same kind.
        (Some(used), Some(to)) if site.means(&used.variable).is_some_and(|means| is_key(&means, to)) => {
            let mut change = SiteChange { line: user.line, ..SiteChange::default() };
            change.declare(&site, &used.variable, to);
            write(draft, vec![(&site, change)])?;
            Ok(None)
        }
        (Some(used), to) => {
            let message = format!("{what} uses variable {:?} already", used.variable);
            let command = EditCommand::switch(desk.name, name, "--step", &user.path(), to.as_deref());
            let command = command_for(project, command);
            Err(AuthorError::refused(message, format!("to give it another connection:\n{command}")))
        }
        (None, _) => desk.give(draft, &site, (user, &what), asked.input.as_deref(), asked.to.as_deref()),
    }
}

/// Fills a draft with the move of uses to another connection.
pub fn switch(draft: &mut Draft<'_>, asked: &SwitchConnection, all: bool) -> Result<Switched, AuthorError> {
    let project = draft.project;
    let from = match &asked.moved {
        Some(Moved::Key(from)) => Some(from.as_str()),
        _ => None,
    };
    let command = |tenant: &str, integration: Option<&str>| asked.command(tenant, integration);
    let (tenant, integration) = (asked.tenant.as_deref(), asked.integration.as_deref());
    let named = Named { tenant, integration, from, command: &command };
    if all && from.is_none() {
        return Err(AuthorError::refused("--all moves the variables of a key", "name the key: --from KEY"));
    }
    let (desk, name) = match (tenant, all) {
        (Some(tenant), true) => return switch_variables(draft, &Desk::of(project, tenant)?, asked, None),
        _ => named.find(project)?,
    };
    let missing = match &asked.moved {
        Some(Moved::Variable(_) | Moved::Key(_)) => return switch_variables(draft, &desk, asked, Some(name)),
        Some(Moved::Step(step)) => switch_one(draft, &desk, asked, name, (step, false))?,
        Some(Moved::DataSource(variable)) => switch_one(draft, &desk, asked, name, (variable, true))?,
        None => match desk.place(name)? {
            Place::Here(site) => Some(Missing::Step(desk.steps(&site, true)?)),
            Place::Brought(syncs) => {
                return Err(desk.elsewhere(name, &syncs, None, &|from| command(from, Some(name))));
            }
        },
    };
    Ok(Switched { missing, left_out: Vec::new() })
}

/// Moves one step or data source. Returns what it needs to know yet.
fn switch_one(
    draft: &mut Draft<'_>,
    desk: &Desk<'_>,
    asked: &SwitchConnection,
    name: &str,
    (wanted, is_data_source): (&str, bool),
) -> Result<Option<Missing>, AuthorError> {
    let site = match desk.place(name)? {
        Place::Here(site) => site,
        Place::Brought(syncs) => {
            let variable = desk.variable_of(&syncs, name, wanted, is_data_source);
            let variable = variable.as_deref().unwrap_or("VARIABLE");
            let here = EditCommand::switch(desk.name, name, "--variable", variable, asked.to.as_deref()).with_reason();
            return Err(desk.elsewhere(name, &syncs, Some(here), &|from| asked.command(from, Some(name))));
        }
    };
    let design = site.design()?;
    let user = user(design, wanted, is_data_source, &|user| !site.uses(user).is_empty())?;
    let kind = if is_data_source { "data source" } else { "step" };
    let what = format!("{kind} {} of {name}", user.path());
    let all = site.uses(user);
    let is_asked = |used: &&ConnectionUse| asked.input.as_ref().is_none_or(|input| *input == used.input);
    let used = match all.iter().copied().filter(is_asked).collect::<Vec<_>>()[..] {
        [used] => used,
        [] if all.is_empty() => {
            let (input, to) = (asked.input.as_deref(), asked.to.as_deref());
            return desk.give(draft, &site, (user, &what), input, to);
        }
        [] => {
            let inputs = all.iter().map(|used| used.input.as_str());
            return Err(AuthorError::unknown("input with a connection", asked.input.as_deref().unwrap_or(""), inputs));
        }
        [..] => {
            let inputs: Vec<&str> = all.iter().map(|used| used.input.as_str()).collect();
            let message = format!("{what} has several connections: {}", listed(&inputs));
            return Err(AuthorError::refused(message, format!("say which one: --input {}", quoted(inputs[0]))));
        }
    };
    let needs = desk.needs(site.means(&used.variable).as_ref(), user.component.as_ref());
    let Some(to) = &asked.to else { return Ok(Some(Missing::Connection(desk.choices(&what, &needs)))) };
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

/// The tenant and the integration as a person names them.
struct Named<'a> {
    tenant: Option<&'a str>,
    integration: Option<&'a str>,
    /// The stable key whose variables move, if that is asked.
    from: Option<&'a str>,
    /// The complete command with a tenant, and with an integration or, without one, all of the tenant.
    command: &'a dyn Fn(&str, Option<&str>) -> EditCommand,
}

impl Named<'_> {
    /// The manifests of the tenant, and the integration in them.
    fn find<'p>(&self, project: &'p Project) -> Result<(Desk<'p>, &'p str), AuthorError> {
        let desk = Desk::of(project, self.tenant(project)?)?;
        match self.integration {
            Some(name) => {
                let name = desk.integration(name)?;
                Ok((desk, name))
            }
            None => Err(self.no_integration(project, Some(desk.name))),
        }
    }

    /// The tenant: the one that is named, else the only one that has the integration, or the only one of those that no
    /// sync feeds.
    fn tenant<'p>(&self, project: &'p Project) -> Result<&'p str, AuthorError> {
        if let Some(name) = self.tenant {
            return Ok(tenant(project, name)?.0);
        }
        let Some(name) = self.integration else { return Err(self.no_integration(project, None)) };
        let name = Kind::Integration.name_in(name);
        let id = ObjectId::new(Kind::Integration, name);
        let tenants = || tenants(project).into_iter();
        let has = |read: &Inventory| read.integrations.contains_key(name) || read.invalid.contains_key(&id);
        let with_it: Vec<&str> = tenants().filter(|tenant| inventories(project, tenant).into_iter().any(has)).collect();
        let world = project.world();
        let is_written = |tenant: &&str| is_origin(project, &world, tenant, name);
        let written: Vec<&str> = with_it.iter().copied().filter(is_written).collect();
        let has_folder = |tenant: &str| {
            [FolderRole::Source, FolderRole::Location].into_iter().any(|role| project.folder(tenant, role).is_some())
        };
        let is_unread = |tenant: &&str| has_folder(tenant) && inventories(project, tenant).is_empty();
        let unread: Vec<&str> = tenants().filter(is_unread).collect();
        // A file that cannot be read may hold it, too.
        let others = tenants().filter(|tenant| !with_it.contains(tenant) && !unread.contains(tenant));
        let unclear = others.filter(|tenant| is_written(tenant) || written.len() != 1);
        let unclear = unclear.map(|tenant| is_absent(project, tenant, &id)).find_map(Result::err);
        let choose = |message: String, among: &[&str]| {
            let commands = among.iter().map(|tenant| self.line(project, tenant, Some(name)));
            AuthorError::refused(message, format!("name the tenant:{}", commands.collect::<String>()))
        };
        // What is not read may have it too.
        if !unread.is_empty() {
            let message = format!("{} cannot be read, and may have Integration/{name}", unread.join(", "));
            return Err(choose(message, if with_it.is_empty() { &unread } else { &with_it }));
        }
        if let Some(error) = unclear {
            return Err(error);
        }
        match (with_it.as_slice(), written.as_slice()) {
            ([], _) => match tenants().find(|tenant| *tenant == name) {
                Some(tenant) => Err(self.no_integration(project, Some(tenant))),
                None => {
                    let all = read_everywhere(project).flat_map(|(_, read)| read.inventory.integrations.keys());
                    let all: BTreeSet<&str> = all.map(String::as_str).collect();
                    Err(AuthorError::unknown("integration", name, all))
                }
            },
            ([one], _) | (_, [one]) => Ok(one),
            (with_it, written) => {
                let among = if written.is_empty() { with_it } else { written };
                Err(choose(format!("Integration/{name} is in {}", with_it.join(", ")), among))
            }
        }
    }

    /// A complete command on a line of its own.
    fn line(&self, project: &Project, tenant: &str, integration: Option<&str>) -> String {
        format!("\n{}", command_for(project, (self.command)(tenant, integration)))
    }

    /// The error where no integration is named: with the complete commands of those that may be meant.
    fn no_integration(&self, project: &Project, tenant: Option<&str>) -> AuthorError {
        let world = project.world();
        let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for name in tenants(project).into_iter().filter(|name| tenant.is_none_or(|tenant| tenant == *name)) {
            let all = inventories(project, name).into_iter().flat_map(|read| read.integrations.values());
            let binds = |object: &&Arc<Object<IntegrationSpec>>| {
                let mut keys = object.spec.connections.iter().filter_map(Variable::stable_key);
                self.from.is_none_or(|from| keys.any(|key| key == from))
            };
            for object in all.filter(binds).filter(|object| is_origin(project, &world, name, object.name())) {
                found.entry(name).or_default().insert(object.name());
            }
        }
        let message = match tenant {
            Some(tenant) => format!("{tenant} is a tenant, and no integration is named"),
            None => "no integration is named".to_string(),
        };
        let pairs = found.iter().flat_map(|(tenant, names)| names.iter().map(|name| (*tenant, Some(*name))));
        let mut lines: Vec<String> =
            pairs.take(LISTED).map(|(tenant, name)| self.line(project, tenant, name)).collect();
        if lines.is_empty() {
            lines.push(self.line(project, tenant.unwrap_or("TENANT"), Some("INTEGRATION")));
        }
        let mut help = format!("in one integration:{}", lines.concat());
        if self.from.is_some() {
            let mut of_all: Vec<&str> = found.keys().copied().take(LISTED).collect();
            if of_all.is_empty() {
                of_all.push(tenant.unwrap_or("TENANT"));
            }
            let of_all = of_all.into_iter().map(|tenant| self.line(project, tenant, None));
            help.push_str(&format!("\nin all integrations of a tenant:{}", of_all.collect::<String>()));
        }
        AuthorError::refused(message, help)
    }
}

/// Whether an integration of a tenant is written there: its source declares it, or no sync brings it.
pub fn is_origin(project: &Project, world: &World, tenant: &str, integration: &str) -> bool {
    let id = ObjectId::new(Kind::Integration, integration);
    let declares = |read: &Snapshot| {
        read.inventory.integrations.contains_key(integration) || read.inventory.invalid.contains_key(&id)
    };
    let source = project.tenants.get(tenant).and_then(|tenant| tenant.source.as_ref()?.as_ref().ok());
    source.is_some_and(declares) || bringing(world, tenant, integration).is_empty()
}

/// The tenants in which an integration is written that syncs bring to a tenant: the ends of the chains of syncs.
fn origins(project: &Project, world: &World, tenant: &str, integration: &str) -> BTreeSet<String> {
    let mut ends = BTreeSet::new();
    let (mut seen, mut left) = (BTreeSet::new(), vec![tenant.to_string()]);
    while let Some(tenant) = left.pop() {
        if !seen.insert(tenant.clone()) {
            continue;
        }
        match is_origin(project, world, &tenant, integration) {
            true => drop(ends.insert(tenant)),
            false => left.extend(bringing(world, &tenant, integration).iter().map(|sync| sync.spec.from.clone())),
        }
    }
    ends
}

/// A variable that moves.
struct MovedVariable<'p> {
    place: Place<'p>,
    integration: &'p str,
    variable: String,
    needs: Needs,
    what: String,
}

/// Moves variables to another connection: in manifests and definitions, or as overrides of the syncs that bring them.
/// Without one integration, in all.
fn switch_variables<'p>(
    draft: &mut Draft<'_>,
    desk: &Desk<'p>,
    asked: &SwitchConnection,
    only: Option<&'p str>,
) -> Result<Switched, AuthorError> {
    let mut found: Vec<MovedVariable<'_>> = Vec::new();
    let mut bound: BTreeSet<String> = BTreeSet::new();
    let mut left_out = Vec::new();
    let (names, from) = match (only, &asked.moved) {
        (None, Some(Moved::Key(from))) => {
            left_out = unread(desk.project, &desk.world, desk.name, from);
            (desk.all_integrations(), Some(from.as_str()))
        }
        (only, _) => (only.into_iter().collect(), None),
    };
    for name in names {
        bound.extend(desk.keys_of(name).map(str::to_string));
        let place = match (desk.place(name), from) {
            (Ok(place), _) => place,
            (Err(error), None) => return Err(error),
            (Err(error), Some(from)) => {
                let may_name_key = desk.keys_of(name).any(|key| key == from);
                left_out.push(LeftOut { what: format!("Integration/{name}"), why: error.to_string(), may_name_key });
                continue;
            }
        };
        let variables = desk.variables(&place, name);
        bound.extend(variables.values().filter_map(|means| Some(stable_key(means)?.to_string())));
        let picked: Vec<String> = match &asked.moved {
            Some(Moved::Variable(wanted)) if variables.contains_key(wanted) => vec![wanted.clone()],
            Some(Moved::Variable(wanted)) => {
                let there = variables.keys().map(String::as_str);
                return Err(AuthorError::unknown(&format!("variable in {name}:"), wanted, there));
            }
            Some(Moved::Key(from)) => desk.bound_to(&place, &variables, from, asked.to.as_deref()),
            Some(Moved::Step(_) | Moved::DataSource(_)) | None => Vec::new(),
        };
        if let Some(why) = from.and_then(|from| desk.left_out(&place, name, from, &picked, asked)) {
            left_out.push(why);
            continue;
        }
        for variable in picked {
            let component = desk.component_of_uses(name, &variable);
            let needs = desk.needs(variables.get(&variable), component.as_ref());
            let what = format!("variable {variable:?} of {name}");
            found.push(MovedVariable { place: place.clone(), integration: name, variable, needs, what });
        }
    }
    let (stays, may_name): (Vec<LeftOut>, Vec<LeftOut>) = left_out.into_iter().partition(|out| !out.may_name_key);
    if let Some(Moved::Key(from)) = &asked.moved {
        desk.kind_stays(from, asked.to.as_deref())?;
        if !may_name.is_empty() {
            let movable: BTreeSet<&str> = found.iter().map(|moved| moved.integration).collect();
            return Err(desk.incomplete(asked, from, &may_name, &movable));
        }
    }
    let left_out: Vec<String> = stays.iter().map(|out| format!("left out: {out}")).collect();
    if let (Some(Moved::Key(from)), [], Some(to)) = (&asked.moved, found.as_slice(), &asked.to) {
        // All is done already, or the key is misspelt.
        let keys: BTreeSet<&str> = desk.keys().chain(bound.iter().map(String::as_str)).collect();
        desk.connection(to)?;
        return match keys.contains(from.as_str()) {
            true => Ok(Switched { missing: None, left_out }),
            false => Err(AuthorError::unknown(&format!("key in {}:", desk.name), from, keys)),
        };
    }
    let Some(to) = &asked.to else {
        let Some(first) = found.first() else {
            let from = if let Some(Moved::Key(from)) = &asked.moved { from.as_str() } else { "" };
            return Err(AuthorError::unknown("variable that is bound to", from, bound.iter().map(String::as_str)));
        };
        let choices = desk.choices(&first.what, &first.needs);
        return Ok(Switched { missing: Some(Missing::Connection(choices)), left_out });
    };
    for moved in &found {
        desk.fitting(to, &moved.needs, &moved.what)?;
    }
    let mut sites: Vec<(Site<'_>, SiteChange)> = Vec::new();
    for MovedVariable { place, integration, variable, .. } in &found {
        match place {
            Place::Here(site) => {
                if !sites.iter().any(|(other, _)| other.name == site.name) {
                    sites.push((site.clone(), SiteChange::default()));
                }
                if let Some((_, change)) = sites.iter_mut().find(|(other, _)| other.name == site.name) {
                    site.may_be_designed()?;
                    change.rebind(variable, to);
                }
            }
            Place::Brought(syncs) => desk.override_variable(draft, syncs, integration, variable, asked)?,
        }
    }
    write(draft, sites.iter().map(|(site, change)| (site, change.clone())).collect())?;
    Ok(Switched { missing: None, left_out })
}

/// The tenant whose integrations are edited, with what was read of it.
struct Desk<'p> {
    project: &'p Project,
    world: World,
    name: &'p str,
    /// Its source first.
    read: Vec<&'p Inventory>,
}

/// The component and type that a connection must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Needs {
    component: Option<ComponentRef>,
    type_: Option<String>,
    /// The key of the connection that it has now.
    bound: Option<String>,
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
        Ok(Desk { project, world: project.world(), name, read: inventories(project, name) })
    }

    /// All integrations that were read, by name.
    fn integrations(&self) -> Vec<&'p str> {
        let names: BTreeSet<&str> =
            self.read.iter().flat_map(|read| read.integrations.keys()).map(String::as_str).collect();
        names.into_iter().collect()
    }

    /// All integrations that were read, and those that syncs will bring.
    fn all_integrations(&self) -> Vec<&'p str> {
        let elsewhere = read_everywhere(self.project).flat_map(|(_, read)| read.inventory.integrations.keys());
        let elsewhere: BTreeSet<&str> = elsewhere.map(String::as_str).collect();
        let brought = elsewhere.into_iter().filter(|name| !bringing(&self.world, self.name, name).is_empty());
        let names: BTreeSet<&str> = self.integrations().into_iter().chain(brought).collect();
        let is_invalid = |name: &str| {
            let id = ObjectId::new(Kind::Integration, name);
            self.read.iter().any(|read| read.invalid.contains_key(&id))
        };
        names.into_iter().filter(|name| !is_invalid(name)).collect()
    }

    /// Why a move of all variables of a key leaves an integration out, if it does.
    fn left_out(
        &self,
        place: &Place<'p>,
        name: &str,
        from: &str,
        picked: &[String],
        asked: &SwitchConnection,
    ) -> Option<LeftOut> {
        let out = |why: String, may_name_key| Some(LeftOut { what: format!("Integration/{name}"), why, may_name_key });
        match place {
            Place::Here(Site { definition: Some(file), .. }) => match &file.design {
                Err(error) => {
                    let why = format!("{}: {error}", file.path.display());
                    out(why, !picked.is_empty() || may_name(&file.bytes, from))
                }
                Ok(_) => None,
            },
            Place::Here(site) => match &site.object.spec.definition {
                Some(Definition::ConfigMap(map)) => {
                    out(format!("its definition is in ConfigMap {}, and is not read here", map.name), true)
                }
                _ => None,
            },
            Place::Brought(syncs) => {
                let is_decided =
                    |variable: &String| syncs.iter().all(|sync| self.is_so_in(sync, name, variable, asked));
                let has_reason = asked.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
                match has_reason || picked.iter().all(is_decided) {
                    true => None,
                    false => out(format!("{} brings it", brought_by(syncs)), true),
                }
            }
        }
    }

    /// What was read where an integration comes from: the sources of its syncs, and the ends of their chains.
    fn sources(&self, syncs: &[Arc<SyncIn>], name: &str) -> Vec<&'p Inventory> {
        let froms = syncs.iter().map(|sync| sync.from.clone());
        let tenants = froms.chain(origins(self.project, &self.world, self.name, name));
        tenants.flat_map(|tenant| inventories(self.project, &tenant)).collect()
    }

    /// Whether the source of a sync binds a variable to the new key already.
    fn is_so_in(&self, sync: &SyncIn, integration: &str, variable: &str, asked: &SwitchConnection) -> bool {
        let read = inventories(self.project, &sync.from);
        let mut source = read.into_iter().filter_map(|read| read.integrations.get(integration));
        asked.to.is_some()
            && source.any(|object| {
                let mut there = object.spec.connections.iter();
                there.any(|there| there.name == variable && there.stable_key() == asked.to.as_deref())
            })
    }

    /// A move of all variables of a key that would leave out what may name the key.
    fn incomplete(
        &self,
        asked: &SwitchConnection,
        from: &str,
        left_out: &[LeftOut],
        movable: &BTreeSet<&str>,
    ) -> AuthorError {
        let number = count(left_out.len(), "part", "parts");
        let message = format!("{number} of {} would be left out, and may use {from}", self.name);
        let mut help = String::from("nothing was written; left out would be:");
        left_out.iter().for_each(|out| help.push_str(&format!("\n- {out}")));
        let brought = self.all_integrations().into_iter().filter(|name| {
            let what = format!("Integration/{name}");
            left_out.iter().any(|out| out.what == what) && !is_origin(self.project, &self.world, self.name, name)
        });
        let ends: BTreeSet<String> =
            brought.flat_map(|name| origins(self.project, &self.world, self.name, name)).collect();
        if !ends.is_empty() {
            help.push_str("\nwhat a sync brings is changed where it comes from:");
            for end in &ends {
                help.push_str(&format!("\n{}", command_for(self.project, asked.command(end, None))));
            }
            let here = command_for(self.project, asked.command(self.name, None).with_reason());
            help.push_str(&format!("\nor in {} only, and say why:\n{here}", self.name));
        }
        if !movable.is_empty() {
            help.push_str("\nto move the others alone:");
            for name in movable {
                help.push_str(&format!("\n{}", command_for(self.project, asked.command(self.name, Some(name)))));
            }
        }
        AuthorError::refused(message, help)
    }

    /// Fails if the new key is one of another component or type than the old one.
    fn kind_stays(&self, from: &str, to: Option<&str>) -> Result<(), AuthorError> {
        let all = self.connections();
        let (Some(old), Some(to)) = (all.get(Kind::Connection.name_in(from)), to) else { return Ok(()) };
        let needs =
            Needs { component: Some(old.spec.component.clone()), type_: Some(old.spec.type_.clone()), bound: None };
        self.fitting(to, &needs, &format!("what uses {from}")).map(drop)
    }

    /// The variable that a step or data source uses where an integration comes from, if it is clear.
    fn variable_of(&self, syncs: &[Arc<SyncIn>], name: &str, wanted: &str, is_data_source: bool) -> Option<String> {
        let last = wanted.rsplit('/').next().unwrap_or(wanted);
        let is_it = |by: &User| match by {
            User::Step { step, .. } => !is_data_source && (step == wanted || step == last),
            User::DataSource { variable } => is_data_source && variable == wanted,
        };
        let read = self.sources(syncs, name).into_iter();
        let uses = read.filter_map(|read| read.uses.get(name)).flat_map(|uses| &uses.variables);
        let named: BTreeSet<&String> =
            uses.filter(|(_, uses)| uses.iter().any(|used| is_it(&used.by))).map(|(name, _)| name).collect();
        let mut named = named.into_iter();
        named.next().filter(|_| named.next().is_none()).cloned()
    }

    /// The steps and data sources of an integration that have a connection or, without `bound`, the steps that have none
    /// yet.
    fn steps(&self, site: &Site<'p>, bound: bool) -> Result<Steps, AuthorError> {
        let fits = |user: &&ConnectionUser| match site.uses(user).as_slice() {
            [] => !bound && !user.is_data_source && self.takes_none(user).is_none(),
            [..] => bound,
        };
        let choice = |user: &ConnectionUser| {
            let used = |used: &&ConnectionUse| match site.means(&used.variable).as_ref().and_then(stable_key) {
                Some(key) => format!("{}: {key}", used.variable),
                None => used.variable.clone(),
            };
            let uses: Vec<String> = site.uses(user).iter().map(used).collect();
            StepChoice {
                path: user.path(),
                is_data_source: user.is_data_source,
                uses: (!uses.is_empty()).then(|| uses.join(", ")),
            }
        };
        let steps = site.design()?.users.iter().filter(fits).map(choice).collect();
        let (lacks, other, gives) = match bound {
            true => ("has no step that uses a connection", "bind", "to give a step its first connection"),
            false => {
                ("has no step without a connection that could take one", "switch", "to give a step another connection")
            }
        };
        let command = command_for(self.project, EditCommand::of(&[other, self.name, site.name]));
        let none = (format!("{} of {} {lacks}", site.name, self.name), format!("{gives}:\n{command}"));
        Ok(Steps { tenant: self.name.to_string(), integration: site.name.to_string(), steps, none })
    }

    /// Why a step takes no connection, if that is known: it is a trigger, a loop, or calls what has none.
    fn takes_none(&self, user: &ConnectionUser) -> Option<String> {
        let is_of_it = |other: &ComponentRef| user.component.as_ref().is_some_and(|own| own.is(other));
        let components = || self.read.iter().flat_map(|read| read.components.values());
        let mut known = components().filter(|known| is_of_it(&known.spec.reference()) && !is_inferred(&known.metadata));
        let has_types = components().any(|known| is_of_it(&known.spec.reference()) && !known.spec.types.is_empty());
        let has_none = known.any(|known| known.spec.types.is_empty());
        let has_some = has_types || self.connections().values().any(|connection| is_of_it(&connection.spec.component));
        if has_some || !(user.calls_no_connector() || has_none || user.kind != StepKind::Action) {
            return None;
        }
        Some(match (user.kind, &user.component) {
            (StepKind::Trigger, _) => "is a trigger".to_string(),
            (StepKind::Loop, _) => "is a loop".to_string(),
            (StepKind::Branch, _) => "is a branch".to_string(),
            (StepKind::Action, Some(component)) => format!("calls {component}"),
            (StepKind::Action, None) => "calls no component".to_string(),
        })
    }

    /// Gives a step or data source that has no connection its first one. Returns what it needs to know yet.
    fn give(
        &self,
        draft: &mut Draft<'_>,
        site: &Site<'p>,
        (user, what): (&ConnectionUser, &str),
        input: Option<&str>,
        to: Option<&str>,
    ) -> Result<Option<Missing>, AuthorError> {
        let design = site.design()?;
        if let Some(why) = self.takes_none(user) {
            let takes_one = |other: &&ConnectionUser| !other.is_data_source && self.takes_none(other).is_none();
            let own = user.path();
            // Those within it, else all.
            let (within, others): (Vec<_>, Vec<_>) = design
                .users
                .iter()
                .filter(takes_one)
                .map(ConnectionUser::path)
                .partition(|path| path.starts_with(&own));
            let named: Vec<String> =
                within.iter().chain(&others).take(NEAREST).map(|path| format!("\n--step {}", quoted(path))).collect();
            let help = match named.as_slice() {
                [] => "the integration has no step that calls a component with connections".to_string(),
                named => format!("name a step that calls a component with connections:{}", named.concat()),
            };
            return Err(AuthorError::refused(format!("{what} {why}: it takes no connection"), help));
        }
        let needs = Needs { component: user.component.clone(), type_: None, bound: None };
        let Some(to) = to else { return Ok(Some(Missing::Connection(self.choices(what, &needs)))) };
        let connection = self.fitting(to, &needs, what)?;
        let input = match input {
            Some(input) => input.to_string(),
            None => self.input_of(design, user, what)?,
        };
        let variable = site.variable_for(design, connection);
        let mut change = SiteChange { line: user.line, ..SiteChange::default() };
        change.declare(site, &variable, connection.spec.stable_key.as_str());
        change.edits.push(user.bind(&input, &variable));
        write(draft, vec![(site, change)])?;
        Ok(None)
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
        if let Some(found) = there.iter().find(|there| **there == name).copied().or(elsewhere) {
            return Ok(found);
        }
        let id = ObjectId::new(Kind::Integration, name);
        is_absent(self.project, self.name, &id)?;
        is_not_brought(self.project, &self.world, self.name, &id, name)?;
        Err(AuthorError::unknown(&format!("integration in {}:", self.name), name, there))
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
                if home.role == FolderRole::Location {
                    is_not_brought(self.project, &self.world, self.name, &id, name)?;
                }
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
        let (path, file_name) = (normal(path), path.file_name());
        let mut all = read_everywhere(self.project).flat_map(|(tenant, read)| {
            read.inventory.integrations.iter().map(move |(name, it)| (tenant, read, name, it))
        });
        // Paths are compared part by part, which takes long where integrations are many: their last parts tell most.
        let names_it = |read: &Snapshot, name: &str, object: &Object<IntegrationSpec>| match &object.spec.definition {
            Some(Definition::File(file)) if Path::new(file).file_name() == file_name => {
                let at = read.origins.get(&ObjectId::new(Kind::Integration, name));
                at.is_some_and(|at| normal(&beside(at, file)) == path)
            }
            _ => false,
        };
        let other = all.find(|(tenant, read, other, object)| {
            (*tenant, other.as_str()) != (self.name, name) && names_it(read, other, object)
        });
        match other {
            Some((tenant, _, other, _)) => {
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
                let sources = self.sources(syncs, name);
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
        if let Some(found) = self.read.iter().find_map(|read| read.connection(name)) {
            return Ok(found);
        }
        is_absent(self.project, self.name, &ObjectId::new(Kind::Connection, names::of_stable_key(name)))?;
        Err(AuthorError::unknown(&format!("connection in {}:", self.name), name, self.keys()))
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
        let mut bound = None;
        let current = match means {
            Some(Means::Own(own)) => Some((own.component.clone(), own.type_.clone())),
            Some(Means::StableKey(key)) => {
                let all = self.connections();
                let replaced = || all.values().copied().find(|c| c.spec.replaces.iter().any(|old| old == key));
                let found = all.get(key.as_str()).copied().or_else(replaced);
                bound = found.map(|found| found.spec.stable_key.clone());
                found.map(|found| (found.spec.component.clone(), found.spec.type_.clone()))
            }
            None => None,
        };
        match (current, component) {
            (Some((of_it, type_)), user) if user.is_none_or(|user| user.is(&of_it)) => {
                Needs { component: Some(of_it), type_: Some(type_), bound }
            }
            (_, user) => Needs { component: user.cloned(), type_: None, bound },
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
            bound: needs.bound.clone(),
            component: needs.component.clone(),
            type_: needs.type_.clone(),
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
        let open = user.empty.iter().chain(user.undeclared.iter().map(|used| &used.input));
        let found: [BTreeSet<String>; 4] = [
            same_action.flat_map(|other| &other.uses).map(|used| used.input.clone()).collect(),
            others().flat_map(|other| &other.uses).map(|used| used.input.clone()).collect(),
            elsewhere.filter(|used| is_of(used.component.as_ref())).map(|used| used.input.clone()).collect(),
            open.filter(|input| input.to_ascii_lowercase().ends_with("connection")).cloned().collect(),
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
        let mut help = format!("change it where it comes from:{}", self.at_its_origins(name, syncs, in_source));
        if let Some(here) = here {
            let here = command_for(self.project, here);
            help.push_str(&format!("\nor all that use one variable, in {} only:\n{here}", self.name));
        }
        AuthorError::refused(message, help)
    }

    /// The commands where an integration that syncs bring is written, each on its own line.
    fn at_its_origins(&self, name: &str, syncs: &[Arc<SyncIn>], in_source: &dyn Fn(&str) -> EditCommand) -> String {
        let ends = self.ends(name, syncs);
        ends.iter().map(|end| format!("\n{}", command_for(self.project, in_source(end)))).collect()
    }

    /// The tenants that an integration comes from.
    fn ends(&self, name: &str, syncs: &[Arc<SyncIn>]) -> BTreeSet<String> {
        let mut ends = origins(self.project, &self.world, self.name, name);
        if ends.is_empty() {
            // The syncs form a cycle.
            ends.extend(syncs.iter().map(|sync| sync.from.clone()));
        }
        ends
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
            if self.is_so_in(sync, name, variable, asked) {
                overrides::remove(draft, &sync.name, &is_it)?;
                continue;
            }
            let Some(reason) = asked.reason.as_ref().filter(|reason| !reason.trim().is_empty()) else {
                let message = format!("{} brings variable {variable:?} of {name} to {}", brought_by(syncs), self.name);
                let help = format!(
                    "to change it everywhere, change it where it comes from:{}\nor in {} only, and say why:\n{}",
                    self.at_its_origins(name, syncs, &|from| asked.command(from, Some(name))),
                    self.name,
                    command_for(self.project, asked.command(self.name, Some(name)).with_reason()),
                );
                let from = self.ends(name, syncs).into_iter().next();
                return Err(AuthorError::NoReason { message, help, from });
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

    /// The connection variables that a step or data source uses: those that the definition declares, or the manifest.
    fn uses<'d>(&self, user: &'d ConnectionUser) -> Vec<&'d ConnectionUse> {
        let of_manifest = |used: &&ConnectionUse| self.object.spec.connections.iter().any(|v| v.name == used.variable);
        user.uses.iter().chain(user.undeclared.iter().filter(of_manifest)).collect()
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
        ([], [], []) => return Err(no_user(design, wanted, is_data_source)),
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

/// The error for a step or data source that does not exist: with the nearest, or with what has that name.
fn no_user(design: &Design, wanted: &str, is_data_source: bool) -> AuthorError {
    let (kind, other) = if is_data_source { ("data source", "step") } else { ("step", "data source") };
    if let Some(user) = design.users.iter().find(|user| user.is_data_source != is_data_source && user.is_named(wanted))
    {
        let flag = other.replace(' ', "-");
        let help = format!("name it so:\n--{flag} {}", quoted(&user.path()));
        return AuthorError::refused(format!("{wanted} is a {other}, and no {kind}"), help);
    }
    let of_kind = || design.users.iter().filter(|user| user.is_data_source == is_data_source);
    let within = |user: &&ConnectionUser| user.names.iter().rev().skip(1).any(|name| name == wanted);
    let inner: Vec<String> =
        of_kind().filter(within).take(NEAREST).map(|user| format!("\n--step {}", quoted(&user.path()))).collect();
    if !inner.is_empty() {
        let message = format!("{wanted} is no step: it is a flow, or a branch");
        return AuthorError::refused(message, format!("name a step in it:{}", inner.concat()));
    }
    let paths: Vec<String> = of_kind().filter(|_| wanted.contains('/')).map(ConnectionUser::path).collect();
    let names: BTreeSet<&str> = of_kind().map(ConnectionUser::name).filter(|name| !name.is_empty()).collect();
    match paths.is_empty() {
        true => AuthorError::unknown(kind, wanted, names),
        false => AuthorError::unknown(kind, wanted, paths.iter().map(String::as_str)),
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
