//! `stablekey import`.

use super::CommandFailure;
use super::options::RootOption;
use super::output::Output;
use crate::api::{IntegrationSpec, Kind, Object, names};
use crate::engine::edit;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, DefinitionFrom};
use crate::engine::model::record::Writer;
use crate::manifest::limits;
use crate::near_miss::meant;
use crate::platform::answer::{QUERY, plan_tenant, read_answer};
use crate::platform::import::{
    Existing, ImportFile, ImportedIntegration, ImportedTenant as Imported, OtherTenant, Reusable, files, plan_import,
    report, tenant_document,
};
use crate::project::{Project, UNNAMED};
use crate::render::Invocation;
use crate::tenant::TenantLocation;
use crate::tenant::directory::FolderLocation;
use crate::tenant::directory::disk;
use crate::tenant::directory::disk::RealDisk;
use crate::tenant::location::{Location as _, LocationError};
use clap::Args;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Import exported integration definitions, or a tenant as the platform has it
///
/// Writes an Integration for each definition, with the definition beside it, and Components inferred from their use.
/// Connections stay the integration's own unless --reusable names them. Secrets are emptied, not written anywhere, and
/// listed, so that you can supply them. A kustomization.yaml in the folder is kept up to date.
///
/// For a tenant as it is today:
///   stablekey import --print-query > query.graphql
///   (send it with curl and the token of `prism me:token`)
///   … | stablekey import --tenant us-prod - definitions/
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ImportArgs {
    /// Exported definitions, folders of them, and `-` or a file for the platform's answer
    #[arg(required_unless_present = "print_query")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    root: RootOption,
    /// The tenant to write into; created if it does not exist
    #[arg(long)]
    tenant: Option<String>,
    /// Make a reusable Connection of this variable, with this stable key; or of `all` (repeatable)
    #[arg(long, value_name = "VARIABLE[=KEY]|all")]
    reusable: Vec<String>,
    /// Print the GraphQL query whose answer can be imported
    #[arg(long)]
    print_query: bool,
}

/// A file that was read.
struct InputFile {
    name: String,
    bytes: Vec<u8>,
}

impl ImportArgs {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        if self.print_query {
            output.result(QUERY)?;
            return Ok(0);
        }
        let inputs = read_inputs(&self.files)?;
        let (answers, definitions): (Vec<_>, Vec<_>) = inputs.into_iter().partition(is_answer);
        let reusable = reusable(&self.reusable)?;
        // If an input cannot be read, nothing is written.
        let answer = match answers.as_slice() {
            [] => None,
            [one] => Some(read_answer(&one.bytes).map_err(|error| {
                let prefix = if one.name == "-" { String::new() } else { format!("{}: ", one.name) };
                CommandFailure::new(format!("{prefix}{error}"), error.help())
            })?),
            _ => {
                return Err(CommandFailure::new(
                    "two answers of the platform were given",
                    "give one; pages of one answer may stand one after the other in one file",
                ));
            }
        };
        if !self.root.root.is_dir() {
            std::fs::create_dir_all(&self.root.root).map_err(|e| CommandFailure::writing(&self.root.root, &e))?;
        }
        let project = self.root.open_new();
        let destination = self.destination(&project)?;
        // The folder of a new tenant is created with the first file.
        let inventory = match destination.location.folder().exists() {
            true => destination.location.snapshot().map(|s| s.inventory).map_err(|e| unread(&e))?,
            false => Arc::default(),
        };
        if let Some(file) = inventory.unparsed.first() {
            let message = format!("{file} cannot be read, and could hold what is imported: nothing was written");
            let problems = project.problems.clone();
            return Err(CommandFailure { problems, ..CommandFailure::new(message, "fix it, then import again") });
        }
        if let Some(name) = &destination.new_tenant
            && let Some(near) = meant(name, project.tenants.keys().map(String::as_str))
        {
            output.note(&format!("Tenant/{name} is new here; there is {near} too, which it is not."));
        }
        let elsewhere = self.elsewhere(&project, destination.location.tenant(), output);
        let is_all = self.files.iter().any(|file| file.is_dir());
        let existing = ExistingObjects { is_all, ..ExistingObjects::of(&inventory, &elsewhere) };
        let files_in: Vec<ImportFile<'_>> =
            definitions.iter().map(|d| ImportFile { name: &d.name, bytes: &d.bytes }).collect();
        let imported = match &answer {
            None => plan_import(&files_in, &reusable, &existing.borrow()),
            Some(answer) => plan_tenant(answer, &files_in, &reusable, &existing.borrow()),
        };
        if !imported.is_empty() {
            self.write(&imported, &inventory, &destination)?;
        }
        let listed = files(&imported).map_err(|e| CommandFailure::new(e.to_string(), "internal error: report it"))?;
        let mut text = report(&imported, &listed, &destination.location.folder().display().to_string());
        let typed = Invocation { root: self.root.typed(), ..Invocation::default() };
        // A folder without tenants is not a project yet.
        let has_status = !imported.is_empty() && destination.location.tenant() != UNNAMED;
        if imported.has_errors() {
            text.push_str("Next: fix the errors, and import again\n");
        } else if has_status {
            text.push_str(&format!("Next: {}\n", typed.status()));
        }
        output.folded(&text)?;
        Ok(u8::from(imported.has_errors()))
    }

    /// The connections of other tenants: the same connection gets the same key.
    fn elsewhere(&self, project: &Project, into: &str, output: &mut Output) -> Vec<OtherTenant> {
        let mut elsewhere = Vec::new();
        for (name, tenant) in project.tenants.iter().filter(|(name, _)| *name != into) {
            let source = tenant.source.as_ref().map(|source| source.as_ref().map(|read| &read.inventory));
            let sides = std::iter::once(tenant.live.as_ref().map(|read| &read.inventory)).chain(source);
            let mut there = OtherTenant { tenant: name.clone(), ..OtherTenant::default() };
            for side in sides {
                match side {
                    Ok(inventory) => {
                        there.integrations.extend(inventory.integrations.values().map(|o| (**o).clone()));
                        there.connections.extend(inventory.connections.values().map(|o| (**o).clone()));
                    }
                    Err(why) => output.note(&format!("Which keys {name} has is not known: {why}")),
                }
            }
            elsewhere.push(there);
        }
        elsewhere
    }

    fn destination(&self, project: &Project) -> Result<Destination, CommandFailure> {
        if let Some(file) = project.unread.first() {
            let message =
                format!("{file} cannot be read, and could hold Tenants: the tenant of each folder is unknown");
            let wrong = CommandFailure::new(message, "fix it, then import again; nothing was written");
            return Err(CommandFailure { problems: project.problems.clone(), ..wrong });
        }
        let has_tenants = !project.tenants.contains_key(UNNAMED);
        match &self.tenant {
            Some(name) => match project.tenants.get(name) {
                Some(tenant) => {
                    let Some(location) = tenant.location.as_ref().and_then(TenantLocation::folder) else {
                        if let Err(why) = &tenant.live {
                            let wrong =
                                CommandFailure::new(format!("{name} is not written to: {why}"), "fix that first");
                            return Err(CommandFailure { problems: project.problems.clone(), ..wrong });
                        }
                        let message = format!("the location of {name} is no folder");
                        return Err(CommandFailure::new(message, "import into a directory tenant"));
                    };
                    if let (false, Some(other)) = (location.folder().exists(), copied_to(project, name)) {
                        let message = format!("the folder of {name} is not there, and {other} was copied from it");
                        let help = format!(
                            "restore {} first: what an import made there would be all that {name} has, and syncs would \
                             remove the rest elsewhere",
                            location.folder().display()
                        );
                        return Err(CommandFailure::new(message, help));
                    }
                    Ok(Destination { location: location.clone(), new_tenant: None })
                }
                None if project.origins.contains_key(&ObjectId::new(Kind::Tenant, name)) => Err(CommandFailure::new(
                    format!("Tenant/{name} is there already, for clusters only"),
                    "give the tenant of these files another name",
                )),
                None if crate::api::names::is_object_name(name) => {
                    let folder = self.root.root.join(name);
                    if let Some(owner) = project.owner(&folder) {
                        let message = format!("{} is a folder of tenant {owner}", folder.display());
                        return Err(CommandFailure::new(message, format!("import into {owner}, or give another name")));
                    }
                    if folder.is_symlink() {
                        let message = format!("{} is a link, perhaps into another tenant's folder", folder.display());
                        return Err(CommandFailure::new(message, "give the tenant another name, or remove the link"));
                    }
                    Ok(Destination { location: FolderLocation::new(name, folder), new_tenant: Some(name.clone()) })
                }
                None => Err(CommandFailure::new(
                    format!("{name} cannot be the name of a tenant"),
                    "use lower-case letters, digits and -",
                )),
            },
            None if has_tenants => {
                let names: Vec<&str> = project.tenants.keys().map(String::as_str).collect();
                Err(CommandFailure::new(
                    "no tenant is given",
                    format!("give --tenant with one of {}, or with a new name", names.join(", ")),
                ))
            }
            None => {
                Ok(Destination { location: FolderLocation::new(UNNAMED, self.root.root.clone()), new_tenant: None })
            }
        }
    }

    /// Writes through the location: under its lock, each file completely or not at all, and with the comments of
    /// existing manifests. A failure does not keep other files from being written.
    fn write(
        &self,
        imported: &Imported,
        inventory: &Inventory,
        destination: &Destination,
    ) -> Result<(), CommandFailure> {
        let folder = destination.location.folder();
        std::fs::create_dir_all(folder).map_err(|e| CommandFailure::writing(folder, &e))?;
        let mut session = destination.location.begin(&[]).map_err(|e| unread(&e))?;
        let components = imported.components.iter().map(|c| (Item::Component(Arc::new(c.clone())), None));
        let connections = imported.connections.iter().map(|c| (Item::Connection(Arc::new(c.clone())), None));
        let integrations =
            imported.integrations.iter().map(|i| (Item::Integration(Arc::new(i.object.clone()), None), Some(i)));
        let tenant = destination.location.tenant();
        let write = |(item, with): (Item, Option<&ImportedIntegration>)| {
            let before = inventory.get(&item.id());
            let mut action = edit::write(tenant, inventory, before, item, with.is_some())?;
            action.change.definition = with.map(|integration| DefinitionFrom {
                tenant: tenant.to_string(),
                source: false,
                integration: integration.object.name().to_string(),
                digest: String::new(),
            });
            Some(action)
        };
        let actions: Vec<Action> = components.chain(connections).chain(integrations).filter_map(write).collect();
        let definitions: BTreeMap<&str, &[u8]> =
            imported.integrations.iter().map(|i| (i.object.name(), i.definition.as_slice())).collect();
        let bytes = |from: &DefinitionFrom| {
            Ok(definitions.get(from.integration.as_str()).map(|bytes| bytes.to_vec()).unwrap_or_default())
        };
        let mut failed = None;
        let all: Vec<&Action> = actions.iter().collect();
        session.apply_all(&all, &bytes, &|| false, &mut |_, outcome| {
            failed = failed.take().or(outcome.err());
        });
        let settled = session.settle();
        if let Some(error) = failed.or(settled.err()) {
            return Err(refused(&error));
        }
        if let Some(name) = &destination.new_tenant {
            let path = self.root.root.join("tenants.yaml");
            let there = disk::read(&path, limits::FILE_BYTES)
                .map_err(|e| CommandFailure::writing(&path, &e))?
                .unwrap_or_default();
            let text = tenant_document(&String::from_utf8_lossy(&there), name, name)
                .map_err(|e| CommandFailure::new(e.to_string(), "internal error: report it"))?;
            disk::write_named(&RealDisk, &path, text.as_bytes()).map_err(|e| CommandFailure::writing(&path, &e))?;
        }
        Ok(())
    }
}

/// Parses which variables become reusable: `all`, `Variable`, `Variable=key`.
fn reusable(asked: &[String]) -> Result<Reusable, CommandFailure> {
    let mut reusable = Reusable::none();
    for asked in asked {
        match asked.rsplit_once('=') {
            _ if asked == "all" => reusable.all = true,
            Some((variable, key)) if names::is_stable_key(key) => {
                reusable.names.insert(variable.to_string(), Some(key.to_string()));
            }
            Some((_, key)) => {
                return Err(CommandFailure::new(
                    format!("--reusable {asked:?}: {key:?} cannot be a stable key"),
                    "a stable key has letters, digits, - and _ only, and begins and ends with a letter or digit",
                ));
            }
            None => {
                reusable.names.insert(asked.clone(), None);
            }
        }
    }
    Ok(reusable)
}

/// A tenant with an ownership record of an object that was copied from this one.
fn copied_to<'p>(project: &'p Project, from: &str) -> Option<&'p str> {
    let of_it = |writer: &Writer| match writer {
        Writer::Promote(other) => other == from,
        Writer::Sync(_) => project.syncs.iter().any(|sync| sync.writer == *writer && sync.spec.from == from),
        Writer::Source | Writer::Adopt => false,
    };
    let was_copied_to = |inventory: &Inventory| inventory.records.values().any(|r| r.writers().into_iter().any(of_it));
    let mut read = project.tenants.iter().filter_map(|(name, tenant)| Some((name, tenant.live.as_ref().ok()?)));
    read.find(|(_, live)| was_copied_to(&live.inventory)).map(|(name, _)| name.as_str())
}

struct Destination {
    location: FolderLocation,
    new_tenant: Option<String>,
}

/// The existing objects of the tenant, in the form that the import needs.
struct ExistingObjects<'e> {
    is_all: bool,
    elsewhere: &'e [OtherTenant],
    integrations: Vec<Object<IntegrationSpec>>,
    components: Vec<Object<crate::api::ComponentSpec>>,
    connections: Vec<Object<crate::api::ConnectionSpec>>,
}

impl<'e> ExistingObjects<'e> {
    fn of(inventory: &Inventory, elsewhere: &'e [OtherTenant]) -> Self {
        ExistingObjects {
            is_all: false,
            elsewhere,
            integrations: inventory.integrations.values().map(|o| (**o).clone()).collect(),
            components: inventory.components.values().map(|o| (**o).clone()).collect(),
            connections: inventory.connections.values().map(|o| (**o).clone()).collect(),
        }
    }

    fn borrow(&self) -> Existing<'_> {
        Existing {
            integrations: &self.integrations,
            components: &self.components,
            connections: &self.connections,
            elsewhere: self.elsewhere,
            is_all: self.is_all,
        }
    }
}

/// Whether an input is the platform's answer to the query, or a failed answer, and not a definition. Through a pipe,
/// and from a JSON file, everything but a definition counts as one: empty input, an error, a login page.
fn is_answer(input: &InputFile) -> bool {
    /// How much of a file is searched for the marks of a definition; some export tools write UTF-16.
    const HEAD: usize = 4096;
    let head = input.bytes.get(..HEAD).unwrap_or(&input.bytes);
    let head = String::from_utf8_lossy(head).replace('\0', "");
    let head = head.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{fffd}'));
    let has = |names: &[&str]| names.iter().any(|name| head.contains(name));
    if head.starts_with('<') {
        return true;
    }
    if head.starts_with(['{', '[']) && has(&["\"data\"", "\"errors\""]) {
        return true;
    }
    let may_be = input.name == "-" || input.name.ends_with(".json");
    may_be && !has(&["definitionVersion", "configPages", "flows", "name:"])
}

/// The bytes of every file, and of the files in folders, sorted by name.
fn read_inputs(paths: &[PathBuf]) -> Result<Vec<InputFile>, CommandFailure> {
    let mut inputs = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().take(limits::FILE_BYTES).read_to_end(&mut bytes);
            read.map_err(|e| {
                CommandFailure::new(format!("standard input cannot be read: {e}"), "give a file instead")
            })?;
            inputs.push(InputFile { name: "-".to_string(), bytes });
        } else {
            read_input(path, true, &mut inputs, 0)?;
        }
    }
    Ok(inputs)
}

fn read_input(path: &Path, named: bool, inputs: &mut Vec<InputFile>, depth: usize) -> Result<(), CommandFailure> {
    let unreadable = |e: &dyn std::fmt::Display| {
        CommandFailure::new(
            format!("{} cannot be read: {e}", path.display()),
            "give a definition as the platform exports it, or a folder of them",
        )
    };
    if path.is_dir() {
        if depth > 64 {
            return Err(unreadable(&"folders are nested too deep"));
        }
        let entries = std::fs::read_dir(path).map_err(|e| CommandFailure::reading(path, &e))?;
        let entries = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut entries: Vec<PathBuf> =
            entries.collect::<Result<_, _>>().map_err(|e| CommandFailure::reading(path, &e))?;
        entries.sort();
        for entry in entries {
            // A link to a folder may form a cycle.
            if entry.is_symlink() && entry.is_dir() {
                return Err(CommandFailure::new(
                    format!("{} is a link to a folder", entry.display()),
                    "name the folder that is meant itself",
                ));
            }
            read_input(&entry, false, inputs, depth + 1)?;
        }
        return Ok(());
    }
    let is_definition = path.extension().is_some_and(|e| e == "yml" || e == "yaml" || e == "json" || e == "definition");
    if named || is_definition {
        let real = std::fs::canonicalize(path).map_err(|e| CommandFailure::reading(path, &e))?;
        let bytes = disk::read(&real, limits::FILE_BYTES)
            .map_err(|e| CommandFailure::reading(path, &e))?
            .ok_or_else(|| unreadable(&"it is not there"))?;
        inputs.push(InputFile { name: path.display().to_string(), bytes });
    }
    Ok(())
}

fn refused(error: &LocationError) -> CommandFailure {
    CommandFailure::new(error.to_string(), "fix that and import again: what else could be written is")
}

fn unread(error: &LocationError) -> CommandFailure {
    CommandFailure::new(error.to_string(), "nothing was written; fix that and import again")
}
