//! What an import makes of exported definitions: integrations with their definitions beside them,
//! component stubs, and, where asked, reusable connections. Pure: bytes in, values out.

mod components;
mod files;
mod note;
mod report;
mod reusable;

#[cfg(test)]
mod tests;

pub use files::{ImportedFile, files, tenant_document};
pub use note::{LeftOutWhy, Level, Note, Unfit};
pub use report::report;
pub(crate) use reusable::{secret_key, secret_needed};

use super::definition::{self, Definition, Format, Shape};
use crate::api::{self, ComponentSpec, ConnectionSpec, IntegrationSpec, Object, Variable, names};
use reusable::Connections;
use std::collections::{BTreeMap, BTreeSet};

/// A file to import, by the name that messages call it.
#[derive(Clone, Copy)]
pub struct File<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its bytes, as they are.
    pub bytes: &'a [u8],
}

/// Which variables that are the integration's own become reusable connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reusable {
    /// None: they stay the integration's own.
    #[default]
    None,
    /// Every one.
    All,
    /// Those of these names.
    Names(BTreeSet<String>),
}

/// What is in the tenant already. Nothing of it is rewritten but an integration that is imported again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Existing<'a> {
    /// Its integrations.
    pub integrations: &'a [Object<IntegrationSpec>],
    /// Its components.
    pub components: &'a [Object<ComponentSpec>],
    /// Its connections.
    pub connections: &'a [Object<ConnectionSpec>],
}

/// What an import makes, and what a person should know and do.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The integrations, in the order of the files' names.
    pub integrations: Vec<ImportedIntegration>,
    /// New components.
    pub components: Vec<Object<ComponentSpec>>,
    /// New connections.
    pub connections: Vec<Object<ConnectionSpec>>,
    /// What a person should know and do.
    pub notes: Vec<Note>,
}

/// An integration, and its definition without secrets.
#[derive(Clone)]
pub struct ImportedIntegration {
    /// The file that it came from.
    pub file: String,
    /// The resource.
    pub object: Object<IntegrationSpec>,
    /// The definition that lies beside it.
    pub definition: Vec<u8>,
    /// Whether it replaces one of the same name and title.
    pub again: bool,
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

impl Import {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.integrations.is_empty() && self.components.is_empty() && self.connections.is_empty()
    }

    /// Whether anything could not be imported: the exit code is then 1.
    pub fn has_errors(&self) -> bool {
        self.notes.iter().any(|note| note.level() == Level::Error)
    }
}

/// Plans the import of these files. The order of the files does not matter.
pub fn plan_import(files: &[File<'_>], reusable: &Reusable, existing: &Existing<'_>) -> Import {
    let mut files = files.to_vec();
    files.sort_by_key(|file| file.name);
    let mut notes = Vec::new();
    let read: Vec<Read<'_>> = files.iter().filter_map(|file| read(file, &mut notes)).collect();
    check_names(reusable, &read, &mut notes);
    let mut connections = Connections::new(existing.connections);
    let mut integrations = Vec::new();
    let mut taken = BTreeMap::new();
    for file in &read {
        let (name, before) = name(file, existing, &mut taken, &mut notes);
        let mut integration = Integration { file, name: &name, before, reusable, notes: &mut notes };
        let variables = integration.variables(&mut connections);
        integrations.push((name, before, variables));
    }
    let Connections { made, .. } = connections;
    let connections: Vec<_> = made.into_iter().map(|made| made.object).collect();
    for (file, (name, ..)) in read.iter().zip(&integrations) {
        ask_types(file, name, &connections, existing, &mut notes);
    }
    let definitions: Vec<&Definition> = read.iter().map(|file| &file.definition).collect();
    let components = components::new_ones(&definitions, existing.components, &mut notes);
    let integrations = read
        .into_iter()
        .zip(integrations)
        .map(|(file, (name, before, variables))| file.into_integration(&name, before, variables))
        .collect();
    notes.sort_by_key(Note::level);
    Import { integrations, components, connections, notes }
}

/// A file that can be imported.
struct Read<'a> {
    file: &'a str,
    definition: Definition,
    kept: Vec<u8>,
}

fn read<'a>(file: &File<'a>, notes: &mut Vec<Note>) -> Option<Read<'a>> {
    let named = || file.name.to_string();
    let read = definition::read(file.bytes).and_then(|read| Ok((read, definition::empty_secrets(file.bytes)?)));
    let (definition, (kept, emptied)) = match read {
        Ok(read) => read,
        Err(error) => {
            notes.push(Note::Unreadable { file: named(), error });
            return None;
        }
    };
    match definition.format {
        Format::Workflow => {
            notes.push(Note::Workflow { file: named() });
            return None;
        }
        Format::Unread { version } => {
            notes.push(Note::UnreadVersion { file: named(), version });
            return None;
        }
        Format::Older { version } => notes.push(Note::OlderVersion { file: named(), version }),
        Format::Current | Format::CodeNative => {}
    }
    if definition.variables.len() > bounds::VARIABLES {
        notes.push(Note::TooManyVariables { file: named(), count: definition.variables.len() });
        return None;
    }
    if std::str::from_utf8(file.bytes).is_err() || file.bytes.contains(&0) {
        notes.push(Note::Converted { file: named() });
    }
    notes.extend(emptied.into_iter().map(|emptied| Note::SecretEmptied { file: named(), emptied }));
    Some(Read { file: file.name, definition, kept })
}

/// Bounds of the shapes that an import fills.
pub(crate) mod bounds {
    /// Types of a component.
    pub const TYPES: usize = 32;
    /// Variables of an integration.
    pub const VARIABLES: usize = 64;
    /// Inputs of a connection.
    pub const INPUTS: usize = 64;
    /// Bytes of a title or a name.
    pub const STRING: usize = 253;
    /// Bytes of a value.
    pub const VALUE: usize = 8192;
}

/// The text, cut to the bound of a title.
pub(crate) fn title(text: &str) -> String {
    text.chars().take(bounds::STRING).collect()
}

fn check_names(reusable: &Reusable, read: &[Read<'_>], notes: &mut Vec<Note>) {
    let Reusable::Names(wanted) = reusable else { return };
    let known: BTreeSet<&str> =
        read.iter().flat_map(|file| &file.definition.variables).map(|variable| variable.name.as_str()).collect();
    for name in wanted.iter().filter(|name| !known.contains(name.as_str())) {
        let known = known.iter().map(ToString::to_string).collect();
        notes.push(Note::NoSuchVariable { name: name.clone(), known });
    }
}

/// The integration's name: its title's, that of the one imported before, or one with a number.
fn name<'e>(
    file: &Read<'_>,
    existing: &Existing<'e>,
    taken: &mut BTreeMap<String, String>,
    notes: &mut Vec<Note>,
) -> (String, Option<&'e Object<IntegrationSpec>>) {
    let title = title(&file.definition.name);
    let again = existing
        .integrations
        .iter()
        .find(|there| there.spec.title.as_deref() == Some(title.as_str()) && !taken.contains_key(there.name()));
    if let Some(there) = again {
        taken.insert(there.name().to_string(), file.file.to_string());
        notes.push(Note::Again { file: file.file.to_string(), name: there.name().to_string() });
        return (there.name().to_string(), Some(there));
    }
    let wanted = names::of_text(&title);
    let base = if wanted.is_empty() { "integration".to_string() } else { wanted.clone() };
    let is_there = |name: &str| existing.integrations.iter().any(|there| there.name() == name);
    let name =
        numbered(&base).find(|name| !taken.contains_key(name) && !is_there(name)).unwrap_or_else(|| base.clone());
    if name != wanted {
        let by = taken.get(&base).cloned();
        notes.push(Note::Renamed { file: file.file.to_string(), title, name: name.clone(), by });
    }
    taken.insert(name.clone(), file.file.to_string());
    (name, None)
}

/// A name, then the same with -2, -3 and so on, none longer than a name may be.
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

impl Read<'_> {
    fn into_integration(
        self,
        name: &str,
        before: Option<&Object<IntegrationSpec>>,
        connections: Vec<Variable>,
    ) -> ImportedIntegration {
        let spec = IntegrationSpec {
            title: Some(title(&self.definition.name)),
            connections,
            definition: Some(api::Definition::File(format!("{name}.definition"))),
        };
        let metadata = before.map_or_else(|| api::Meta::named(name), |there| there.metadata.clone());
        ImportedIntegration {
            file: self.file.to_string(),
            object: Object { metadata, spec },
            definition: self.kept,
            again: before.is_some(),
        }
    }
}

/// One integration while its variables are decided.
struct Integration<'a, 'n> {
    file: &'a Read<'a>,
    name: &'n str,
    before: Option<&'a Object<IntegrationSpec>>,
    reusable: &'a Reusable,
    notes: &'n mut Vec<Note>,
}

impl<'a> Integration<'a, '_> {
    fn variables(&mut self, connections: &mut Connections<'a>) -> Vec<Variable> {
        let file = self.file;
        if let (Format::Older { .. }, Some(before)) = (file.definition.format, self.before) {
            // Its connections are not read: what was bound stays.
            return before.spec.connections.clone();
        }
        file.definition.variables.iter().filter_map(|variable| self.variable(variable, connections)).collect()
    }

    fn variable(
        &mut self,
        variable: &'a definition::ConnectionVariable,
        connections: &mut Connections<'a>,
    ) -> Option<Variable> {
        let name = &variable.name;
        if name.chars().count() > bounds::STRING {
            self.notes.push(Note::NameTooLong { file: self.file.file.to_string(), line: variable.line });
            return None;
        }
        match &variable.shape {
            Shape::Reusable { stable_key } if names::is_stable_key(stable_key) => {
                Some(Variable::bound(name, stable_key))
            }
            Shape::Reusable { stable_key } => {
                self.notes.push(Note::KeyNotOurs {
                    file: self.file.file.to_string(),
                    variable: name.clone(),
                    key: stable_key.clone(),
                    why: Unfit::of_text(stable_key),
                });
                None
            }
            Shape::Own { component, type_, inputs } => {
                if let Some(key) = self.bound_before(name) {
                    return Some(Variable::bound(name, key));
                }
                let own = || Some(Variable::own(name, component.clone(), type_));
                if !self.is_asked(name) {
                    return own();
                }
                if self.file.definition.is_own_component(component) {
                    self.notes.push(Note::OwnComponent { integration: self.name.to_string(), variable: name.clone() });
                    return own();
                }
                let wish = reusable::Wish { integration: self.name, variable, component, type_, inputs };
                match connections.make_or_share(&wish, self.notes) {
                    Some(key) => Some(Variable::bound(name, key)),
                    None => own(),
                }
            }
        }
    }

    /// A binding that a person made since the last import stays.
    fn bound_before(&self, variable: &str) -> Option<&str> {
        let before = self.before?.spec.connections.iter().find(|there| there.name == variable)?;
        before.stable_key()
    }

    fn is_asked(&self, variable: &str) -> bool {
        match self.reusable {
            Reusable::None => false,
            Reusable::All => true,
            Reusable::Names(names) => names.contains(variable),
        }
    }
}

/// Asks for the type of every connection that a definition is bound to and nobody has: the
/// definition tells components at most.
fn ask_types(
    file: &Read<'_>,
    integration: &str,
    made: &[Object<ConnectionSpec>],
    existing: &Existing<'_>,
    notes: &mut Vec<Note>,
) {
    for variable in &file.definition.variables {
        let Shape::Reusable { stable_key } = &variable.shape else { continue };
        let answers = |there: &Object<ConnectionSpec>| {
            there.spec.stable_key == *stable_key || there.spec.replaces.iter().any(|older| older == stable_key)
        };
        if !names::is_stable_key(stable_key) || made.iter().chain(existing.connections).any(answers) {
            continue;
        }
        let uses = file.definition.uses.variables.get(&variable.name).map(Vec::as_slice).unwrap_or_default();
        let components: BTreeSet<_> = uses.iter().filter_map(|used| used.component.clone()).collect();
        notes.push(Note::WhichType {
            integration: integration.to_string(),
            variable: variable.name.clone(),
            key: stable_key.clone(),
            components: components.into_iter().collect(),
        });
    }
}
