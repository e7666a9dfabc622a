//! Imports exported definitions: creates integrations with their definitions, component stubs and, on request, reusable
//! connections. Pure: bytes in, values out.

mod components;
mod files;
mod note;
mod report;
mod reusable;
mod vanished;

#[cfg(test)]
mod tests;

pub use files::{ImportedFile, files, folder_tenant, platform_tenant, tenant_document};
pub use note::{ImportNote, LeftOutWhy, Level, UnfitKey};
pub use report::report;
pub(crate) use reusable::{secret_key, secret_needed};
pub(crate) use vanished::connections as vanished_connections;

use super::definition::{self, DefinitionFormat, ParsedDefinition, VariableShape};
use crate::api::{self, ComponentSpec, ConnectionSpec, IntegrationSpec, Object, Variable, names};
use reusable::{Fulfilled, Wish};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use vanished::AfterImport;

#[derive(Clone, Copy)]
pub struct ImportFile<'a> {
    /// The name of the file in messages.
    pub name: &'a str,
    /// The unchanged bytes.
    pub bytes: &'a [u8],
}

/// Selects the integration's own variables that become reusable connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reusable {
    /// Whether all of them do.
    pub all: bool,
    /// The names of those that do, each with an optional stable key that a person chose.
    pub names: BTreeMap<String, Option<String>>,
}

impl Reusable {
    /// Selects none: they stay the integration's own.
    pub fn none() -> Self {
        Reusable::default()
    }

    /// Selects all.
    pub fn all() -> Self {
        Reusable { all: true, ..Reusable::default() }
    }

    fn is_asked(&self, variable: &str) -> bool {
        self.all || self.names.contains_key(variable)
    }

    fn chosen(&self, variable: &str) -> Option<&str> {
        self.names.get(variable)?.as_deref()
    }
}

/// The objects of another tenant in the root: the same object gets the same name here.
#[derive(Clone, Debug, Default)]
pub struct OtherTenant {
    /// The name of the tenant.
    pub tenant: String,
    /// The integrations of the tenant.
    pub integrations: Vec<Object<IntegrationSpec>>,
    /// The connections of the tenant.
    pub connections: Vec<Object<ConnectionSpec>>,
}

/// The existing objects of the tenant. They do not change, except for an integration that is imported again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Existing<'a> {
    /// The integrations of the tenant.
    pub integrations: &'a [Object<IntegrationSpec>],
    /// The components of the tenant.
    pub components: &'a [Object<ComponentSpec>],
    /// The connections of the tenant.
    pub connections: &'a [Object<ConnectionSpec>],
    /// The objects of the other tenants.
    pub elsewhere: &'a [OtherTenant],
    /// The digests of the values of the tenant's definitions, by the integration's name: of another form of the same
    /// value, such as one with comments, nothing is imported.
    pub digests: &'a [(String, String)],
    /// Integrations that are known by an id of the platform: the title there now, and the name here.
    pub recorded: &'a [(String, String)],
    /// Whether the import covers the whole tenant: missing objects are then reported as gone.
    pub is_all: bool,
}

/// The result of an import, with notes for the person.
#[derive(Clone, Debug, Default)]
pub struct ImportedTenant {
    /// The integrations, sorted by file name.
    pub integrations: Vec<ImportedIntegration>,
    /// The new components.
    pub components: Vec<Object<ComponentSpec>>,
    /// The new connections.
    pub connections: Vec<Object<ConnectionSpec>>,
    /// Notes for the person.
    pub notes: Vec<ImportNote>,
}

/// An imported integration with its definition without secrets.
#[derive(Clone)]
pub struct ImportedIntegration {
    /// The imported file.
    pub file: String,
    /// The resource to write.
    pub object: Object<IntegrationSpec>,
    /// The definition beside its manifest.
    pub definition: Vec<u8>,
    pub state: ImportState,
}

/// What an import makes of an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportState {
    New,
    /// It replaces the one that is there.
    Replaced,
    /// It is as the one that is there.
    Unchanged,
}

impl std::fmt::Debug for ImportedIntegration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = format!("{} bytes", self.definition.len());
        f.debug_struct("ImportedIntegration")
            .field("file", &self.file)
            .field("object", &self.object)
            .field("definition", &size)
            .finish()
    }
}

impl ImportedTenant {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.integrations.is_empty() && self.components.is_empty() && self.connections.is_empty()
    }

    /// Adapts it to a tenant that stays on the platform: the secrets are there, components need no stubs, and a key of
    /// `known` need not be a connection of the tenant's own. What people `edited` here since the last import, with the
    /// keys that it is bound to, stays.
    pub fn on_platform(mut self, known: &BTreeSet<&str>, edited: &BTreeMap<String, BTreeSet<String>>) -> Self {
        self.components.retain(|component| !api::is_inferred(&component.metadata));
        let stays = |i: &ImportedIntegration| i.state != ImportState::Unchanged && edited.contains_key(i.object.name());
        let bound: BTreeSet<String> = edited.values().flatten().cloned().collect();
        let stay = self.integrations.iter().filter(|integration| stays(integration));
        let stay: BTreeSet<String> = stay.map(|integration| integration.object.name().to_string()).collect();
        self.integrations.retain(|integration| !stay.contains(integration.object.name()));
        let mut secrets = BTreeSet::new();
        let note = |note: ImportNote| match note {
            ImportNote::SecretNeeded { secret, keys, .. } => {
                secrets.extend(keys.iter().map(|key| format!("{secret}/{key}")));
                None
            }
            ImportNote::WhichType { key, .. } if known.contains(key.as_str()) => None,
            ImportNote::ConnectionUnused { key, .. } if bound.contains(&key) => None,
            ImportNote::Again { name, .. }
            | ImportNote::Rebound { integration: name, .. }
            | ImportNote::BoundVariableGone { integration: name, .. }
            | ImportNote::BoundVariableRenamed { integration: name, .. }
            | ImportNote::BoundVariableDiffers { integration: name, .. }
                if stay.contains(name.as_str()) =>
            {
                None
            }
            note => Some(note),
        };
        self.notes = std::mem::take(&mut self.notes).into_iter().filter_map(note).collect();
        self.notes.extend(stay.into_iter().map(|name| ImportNote::Edited { name }));
        if !secrets.is_empty() {
            self.notes.push(ImportNote::SecretsThere { secrets: secrets.into_iter().collect() });
        }
        self.notes.sort_by_key(ImportNote::level);
        self
    }

    /// Whether a part could not be imported: the exit code is then 1.
    pub fn has_errors(&self) -> bool {
        self.notes.iter().any(|note| note.level() == Level::Error)
    }
}

/// Plans the import of files. Their order does not matter.
pub fn plan_import(files: &[ImportFile<'_>], reusable: &Reusable, existing: &Existing<'_>) -> ImportedTenant {
    let mut files = files.to_vec();
    files.sort_by_key(|file| file.name);
    let mut notes = Vec::new();
    let read: Vec<ReadDefinition<'_>> = files.iter().filter_map(|file| read(file, &mut notes)).collect();
    check_names(reusable, &read, &mut notes);
    let named = integration_names(&read, existing, &mut notes);
    let mut wishes = Vec::new();
    let mut decided: Vec<Vec<Decided>> = Vec::new();
    for (file, (name, before)) in read.iter().zip(&named) {
        let mut integration = Integration { file, name, before: *before, reusable, notes: &mut notes };
        decided.push(integration.variables(&mut wishes));
        integration.note_missing_variables(existing.connections);
    }
    let Fulfilled { keys, made: connections } = reusable::fulfil(&wishes, existing, &mut notes);
    let bound = |decided: Decided| match decided {
        Decided::Is(variable) => variable,
        Decided::Wish(position) => {
            let wish = &wishes[position];
            match keys.get(position).and_then(Option::as_deref) {
                Some(key) => Variable::bound(&wish.variable.name, key),
                None => Variable::own(&wish.variable.name, wish.component.clone(), wish.type_),
            }
        }
    };
    let variables: Vec<Vec<Variable>> = decided.into_iter().map(|all| all.into_iter().map(bound).collect()).collect();
    let own = variables.iter().flatten().filter(|variable| matches!(variable.means, api::Means::Own(_)));
    notes.extend(ImportNote::private(own.map(|variable| variable.name.as_str())));
    let integrations: Vec<_> =
        named.into_iter().zip(variables).map(|((name, before), variables)| (name, before, variables)).collect();
    for (file, (name, ..)) in read.iter().zip(&integrations) {
        ask_types(file, name, &connections, existing, &mut notes);
    }
    // An unreadable file may contain any integration.
    if existing.is_all && !read.is_empty() && read.len() == files.len() {
        let titles: Vec<&str> = read.iter().map(|file| file.definition.name.as_str()).collect();
        let now = AfterImport { integrations: &integrations, titles: &titles, connections: &connections };
        notes.extend(vanished::integrations(existing, &now));
        notes.extend(vanished::unused(existing, &now));
    }
    let definitions: Vec<&ParsedDefinition> = read.iter().map(|file| &file.definition).collect();
    let components = components::new_ones(&definitions, existing.components, &mut notes);
    let integrations: Vec<ImportedIntegration> = read
        .into_iter()
        .zip(integrations)
        .map(|(file, (name, before, variables))| file.into_integration(&name, before, variables, existing.digests))
        .collect();
    let again = integrations.iter().filter(|integration| integration.state == ImportState::Replaced);
    notes.extend(again.map(|integration| ImportNote::Again {
        file: integration.file.clone(),
        name: integration.object.name().to_string(),
    }));
    notes.sort_by_key(ImportNote::level);
    ImportedTenant { integrations, components, connections, notes }
}

/// A definition that can be imported.
struct ReadDefinition<'a> {
    file: &'a str,
    definition: ParsedDefinition,
    kept: Vec<u8>,
}

fn read<'a>(file: &ImportFile<'a>, notes: &mut Vec<ImportNote>) -> Option<ReadDefinition<'a>> {
    let named = || file.name.to_string();
    let read = definition::read(file.bytes).and_then(|read| Ok((read, definition::empty_secrets(file.bytes)?)));
    let (definition, (kept, emptied)) = match read {
        Ok(read) => read,
        Err(error) => {
            notes.push(ImportNote::Unreadable { file: named(), error });
            return None;
        }
    };
    match definition.format {
        DefinitionFormat::Workflow => {
            notes.push(ImportNote::Workflow { file: named() });
            return None;
        }
        DefinitionFormat::Unread { version } => {
            notes.push(ImportNote::UnreadVersion { file: named(), version });
            return None;
        }
        DefinitionFormat::Older { version } => notes.push(ImportNote::OlderVersion { file: named(), version }),
        DefinitionFormat::Current | DefinitionFormat::CodeNative => {}
    }
    if definition.variables.len() > bounds::VARIABLES {
        notes.push(ImportNote::TooManyVariables { file: named(), count: definition.variables.len() });
        return None;
    }
    if std::str::from_utf8(file.bytes).is_err() || file.bytes.contains(&0) {
        notes.push(ImportNote::Converted { file: named() });
    }
    notes.extend(emptied.into_iter().map(|emptied| ImportNote::SecretEmptied { file: named(), emptied }));
    Some(ReadDefinition { file: file.name, definition, kept })
}

/// The limits of the schemas that an import writes.
pub(crate) mod bounds {
    /// The maximum number of types of a component.
    pub(crate) const TYPES: usize = 32;
    /// The maximum number of variables of an integration.
    pub(crate) const VARIABLES: usize = 64;
    /// The maximum number of inputs of a connection.
    pub(crate) const INPUTS: usize = 64;
    /// The maximum size of a title or a name, in bytes.
    pub(crate) const STRING: usize = 253;
    /// The maximum size of a value, in bytes.
    pub(crate) const VALUE: usize = 8192;
}

/// Cuts a text to the maximum size of a title.
pub fn title(text: &str) -> String {
    text.chars().take(bounds::STRING).collect()
}

fn check_names(reusable: &Reusable, read: &[ReadDefinition<'_>], notes: &mut Vec<ImportNote>) {
    let known: BTreeSet<&str> =
        read.iter().flat_map(|file| &file.definition.variables).map(|variable| variable.name.as_str()).collect();
    for name in reusable.names.keys().filter(|name| !known.contains(name.as_str())) {
        let known = known.iter().map(ToString::to_string).collect();
        notes.push(ImportNote::NoSuchVariable { name: name.clone(), known });
    }
}

/// The name of an integration, and the existing one with its title.
type NamedIntegration<'e> = (String, Option<&'e Object<IntegrationSpec>>);

/// The names of integrations, each with the existing one: the one that has its id, else the one of that title, else the
/// name for the same title in another tenant, else a name derived from the title. A derived name that is not unique gets
/// an ending derived from the title.
fn integration_names<'e>(
    read: &[ReadDefinition<'_>],
    existing: &Existing<'e>,
    notes: &mut Vec<ImportNote>,
) -> Vec<NamedIntegration<'e>> {
    let titles: Vec<String> = read.iter().map(|file| title(&file.definition.name)).collect();
    let of_title = |there: &Object<IntegrationSpec>, title: &str| there.spec.title.as_deref() == Some(title);
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    let mut named: Vec<Option<NamedIntegration<'e>>> = vec![None; read.len()];
    for (position, file) in read.iter().enumerate() {
        let title = &titles[position];
        let recorded = existing.recorded.iter().find(|(of, _)| of == title).map(|(_, name)| name.as_str());
        let is_other = |there: &Object<IntegrationSpec>| existing.recorded.iter().any(|(_, name)| name == there.name());
        let of_id = recorded.and_then(|name| existing.integrations.iter().find(|there| there.name() == name));
        // Without it, one of that title: somebody gave it another name here.
        let again = |there: &&Object<IntegrationSpec>| {
            of_title(there, title) && !is_other(there) && !taken.contains_key(there.name())
        };
        if let Some(there) = of_id.or_else(|| existing.integrations.iter().find(again)) {
            taken.insert(there.name().to_string(), file.file);
            named[position] = Some((there.name().to_string(), Some(there)));
        }
    }
    for (position, file) in read.iter().enumerate() {
        if named[position].is_some() {
            continue;
        }
        let title = &titles[position];
        let wanted = names::of_text(title);
        let elsewhere = || existing.elsewhere.iter().flat_map(|tenant| &tenant.integrations);
        let is_here = |name: &str| existing.integrations.iter().any(|there| there.name() == name);
        let is_free = |name: &String| !taken.contains_key(name) && !is_here(name);
        let meets = is_here(&wanted)
            || titles.iter().enumerate().any(|(other, text)| other != position && names::of_text(text) == wanted)
            || elsewhere().any(|there| there.name() == wanted && !of_title(there, title));
        let base = if wanted.is_empty() { "integration" } else { &wanted };
        let theirs = elsewhere().filter(|there| of_title(there, title)).map(|there| there.name().to_string()).min();
        let plain = (!wanted.is_empty() && !meets && !names::loses_letters(title)).then(|| wanted.clone());
        let with_ending = names::with_ending(base, &ending(title));
        let recorded = existing.recorded.iter().find(|(of, _)| of == title).map(|(_, name)| name.clone());
        let candidates = recorded.into_iter().chain(theirs).chain(plain).chain([with_ending.clone()]);
        let name = candidates.chain(numbered(&with_ending)).find(is_free).unwrap_or_else(|| base.to_string());
        if name != wanted {
            let by = taken.get(&wanted).map(ToString::to_string);
            notes.push(ImportNote::Renamed {
                file: file.file.to_string(),
                title: title.clone(),
                name: name.clone(),
                by,
            });
        }
        taken.insert(name.clone(), file.file);
        named[position] = Some((name, None));
    }
    named.into_iter().flatten().collect()
}

/// The name of an integration with this title where nothing else names it.
pub(crate) fn name_of_title(title: &str) -> String {
    let plain = names::of_text(title);
    if !plain.is_empty() && !names::loses_letters(title) {
        return plain;
    }
    names::with_ending(if plain.is_empty() { "integration" } else { &plain }, &ending(title))
}

/// The same where another integration has that name.
pub(crate) fn other_name_of_title(title: &str) -> String {
    let plain = names::of_text(title);
    names::with_ending(if plain.is_empty() { "integration" } else { &plain }, &ending(title))
}

/// A few letters derived from a text, the same on every machine.
fn ending(text: &str) -> String {
    const LENGTH: usize = 3;
    Sha256::digest(text.as_bytes()).iter().take(LENGTH).map(|byte| format!("{byte:02x}")).collect()
}

/// A name, then the same with -2, -3 and so on, within the maximum length.
fn numbered(base: &str) -> impl Iterator<Item = String> + '_ {
    (1..=10_000).map(move |number| match number {
        1 => base.to_string(),
        _ => {
            let suffix = format!("-{number}");
            let room = names::MAX.saturating_sub(suffix.len());
            let cut: String = base.chars().take(room).collect();
            format!("{}{suffix}", cut.trim_end_matches('-'))
        }
    })
}

impl ReadDefinition<'_> {
    fn into_integration(
        self,
        name: &str,
        before: Option<&Object<IntegrationSpec>>,
        connections: Vec<Variable>,
        digests: &[(String, String)],
    ) -> ImportedIntegration {
        let spec = IntegrationSpec {
            title: Some(title(&self.definition.name)),
            connections,
            definition: Some(api::Definition::File(format!("{name}.definition"))),
        };
        let metadata = before.map_or_else(|| api::Meta::named(name), |there| there.metadata.clone());
        let is_as_before = |there: &Object<IntegrationSpec>| {
            let written = definition::uses(&self.kept).map(|uses| uses.value).unwrap_or_default();
            let is_same = |before: &String| !written.is_empty() && *before == written;
            there.spec == spec && digests.iter().any(|(of, before)| of == name && is_same(before))
        };
        let state = match before {
            None => ImportState::New,
            Some(there) if is_as_before(there) => ImportState::Unchanged,
            Some(_) => ImportState::Replaced,
        };
        ImportedIntegration {
            file: self.file.to_string(),
            object: Object { metadata, spec },
            definition: self.kept,
            state,
        }
    }
}

/// An integration while its variables are decided.
struct Integration<'a, 'n> {
    file: &'a ReadDefinition<'a>,
    name: &'n str,
    before: Option<&'a Object<IntegrationSpec>>,
    reusable: &'a Reusable,
    notes: &'n mut Vec<ImportNote>,
}

/// The decision about a variable.
enum Decided {
    Is(Variable),
    /// The index of the wish that decides it.
    Wish(usize),
}

impl<'a> Integration<'a, '_> {
    fn variables(&mut self, wishes: &mut Vec<Wish<'a>>) -> Vec<Decided> {
        let file = self.file;
        if let (DefinitionFormat::Older { .. }, Some(before)) = (file.definition.format, self.before) {
            // Its connections are not read: existing bindings are kept.
            return before.spec.connections.iter().cloned().map(Decided::Is).collect();
        }
        file.definition.variables.iter().filter_map(|variable| self.variable(variable, wishes)).collect()
    }

    fn variable(
        &mut self,
        variable: &'a definition::ConnectionVariable,
        wishes: &mut Vec<Wish<'a>>,
    ) -> Option<Decided> {
        let name = &variable.name;
        if name.chars().count() > bounds::STRING {
            self.notes.push(ImportNote::NameTooLong { file: self.file.file.to_string(), line: variable.line });
            return None;
        }
        match &variable.shape {
            VariableShape::Reusable { stable_key } if names::is_stable_key(stable_key) => {
                if let Some(from) = self.bound_before(name).filter(|from| from != stable_key) {
                    self.notes.push(ImportNote::Rebound {
                        integration: self.name.to_string(),
                        variable: name.clone(),
                        from: from.to_string(),
                        to: stable_key.clone(),
                    });
                }
                Some(Decided::Is(Variable::bound(name, stable_key)))
            }
            VariableShape::Reusable { stable_key } => {
                self.notes.push(ImportNote::KeyNotOurs {
                    file: self.file.file.to_string(),
                    variable: name.clone(),
                    key: stable_key.clone(),
                    why: UnfitKey::of_text(stable_key),
                });
                None
            }
            VariableShape::Own { component, type_, inputs } => {
                if let Some(key) = self.bound_before(name) {
                    return Some(Decided::Is(Variable::bound(name, key)));
                }
                if !self.reusable.is_asked(name) {
                    return Some(Decided::Is(Variable::own(name, component.clone(), type_)));
                }
                if self.file.definition.is_own_component(component) {
                    self.notes
                        .push(ImportNote::OwnComponent { integration: self.name.to_string(), variable: name.clone() });
                    return Some(Decided::Is(Variable::own(name, component.clone(), type_)));
                }
                let (integration, chosen) = (self.name.to_string(), self.reusable.chosen(name));
                wishes.push(Wish { integration, variable, component, type_, inputs, chosen });
                Some(Decided::Wish(wishes.len() - 1))
            }
        }
    }

    /// A binding that a person made since the last import is kept.
    fn bound_before(&self, variable: &str) -> Option<&str> {
        let before = self.before?.spec.connections.iter().find(|there| there.name == variable)?;
        before.stable_key()
    }

    /// Variables that a person bound and that are no longer in the definition, such as renamed ones.
    fn note_missing_variables(&mut self, connections: &[Object<ConnectionSpec>]) {
        let (Some(before), file) = (self.before, self.file) else { return };
        if matches!(file.definition.format, DefinitionFormat::Older { .. }) {
            return;
        }
        let now = &file.definition.variables;
        let is_there = |name: &str| now.iter().any(|variable| variable.name == name);
        let is_new = |name: &str| !before.spec.connections.iter().any(|variable| variable.name == name);
        let bound = before.spec.connections.iter().filter_map(|v| Some((v.name.as_str(), v.stable_key()?)));
        let of = |component: &api::ComponentRef, type_: &str| format!("{component}/{type_}");
        for (name, key) in bound.clone() {
            let own = now.iter().find(|variable| variable.name == name).map(|variable| &variable.shape);
            let to = connections.iter().find(|c| c.spec.stable_key == key).map(|c| &c.spec);
            if let (Some(VariableShape::Own { component, type_, .. }), Some(to)) = (own, to)
                && !(to.component.is(component) && to.type_ == *type_)
            {
                self.notes.push(ImportNote::BoundVariableDiffers {
                    integration: self.name.to_string(),
                    variable: name.to_string(),
                    key: key.to_string(),
                    is: of(component, type_),
                    was: of(&to.component, &to.type_),
                });
            }
        }
        for (variable, key) in bound.filter(|(name, _)| !is_there(name)) {
            let bound_to = connections.iter().find(|c| c.spec.stable_key == key).map(|c| &c.spec);
            // A variable with another component or type cannot be the renamed one.
            let may_be = |variable: &&definition::ConnectionVariable| match (&variable.shape, bound_to) {
                (VariableShape::Own { component, type_, .. }, Some(to)) => {
                    to.component.is(component) && to.type_ == *type_
                }
                _ => true,
            };
            let new = now.iter().filter(|v| is_new(&v.name)).filter(may_be);
            let new: Vec<String> = new.map(|v| v.name.clone()).collect();
            let is_bound_so = |v: &&definition::ConnectionVariable| matches!(&v.shape, VariableShape::Reusable { stable_key } if stable_key == key);
            let renamed = now.iter().filter(|v| is_new(&v.name)).find(is_bound_so).map(|v| v.name.clone());
            let (integration, variable, key) = (self.name.to_string(), variable.to_string(), key.to_string());
            self.notes.push(match renamed {
                Some(to) => ImportNote::BoundVariableRenamed { integration, variable, key, to },
                None => ImportNote::BoundVariableGone { integration, variable, key, new },
            });
        }
    }
}

/// Asks for the type of each bound connection that no tenant has: the definition contains at most its component.
fn ask_types(
    file: &ReadDefinition<'_>,
    integration: &str,
    made: &[Object<ConnectionSpec>],
    existing: &Existing<'_>,
    notes: &mut Vec<ImportNote>,
) {
    for variable in &file.definition.variables {
        let VariableShape::Reusable { stable_key } = &variable.shape else { continue };
        let resolves = |there: &Object<ConnectionSpec>| {
            there.spec.stable_key == *stable_key || there.spec.replaces.iter().any(|older| older == stable_key)
        };
        if !names::is_stable_key(stable_key) || made.iter().chain(existing.connections).any(resolves) {
            continue;
        }
        let uses = file.definition.uses.variables.get(&variable.name).map(Vec::as_slice).unwrap_or_default();
        let components: BTreeSet<_> = uses.iter().filter_map(|used| used.component.clone()).collect();
        notes.push(ImportNote::WhichType {
            integration: integration.to_string(),
            variable: variable.name.clone(),
            key: stable_key.clone(),
            components: components.into_iter().collect(),
        });
    }
}
