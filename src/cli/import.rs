//! `stablekey import`.

use super::CommandFailure;
use super::new::follow;
use super::options::{RootOption, SourceOption};
use super::output::Output;
use crate::api::{IntegrationSpec, Kind, LocationSpec, Object, PrismaticLocation, TenantSpec, TokenFrom, names};
use crate::author::sync;
use crate::engine::edit;
use crate::engine::model::inventory::{Inventory, Sync};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, DefinitionFrom};
use crate::engine::model::record::Writer;
use crate::manifest::limits;
use crate::near_miss::{meant, what_there_is};
use crate::platform::answer::{Answer, QUERY, plan_tenant, read_answer};
use crate::platform::import::{
    Existing, ImportFile, ImportState, ImportedIntegration, ImportedTenant as Imported, OtherTenant, Reusable, files,
    folder_tenant, plan_import, platform_tenant, report, tenant_document, title,
};
use crate::project::{Project, ProjectTenant, UNNAMED};
use crate::render::Invocation;
use crate::tenant::TenantLocation;
use crate::tenant::directory::FolderLocation;
use crate::tenant::directory::disk;
use crate::tenant::directory::disk::RealDisk;
use crate::tenant::location::{Location as _, LocationError};
use crate::tenant::prismatic::{Expected, is_same_stack};
use crate::text::count;
use clap::Args;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Import a tenant from the platform, or exported integration definitions
///
/// From the platform, with your login of prism (prism login): reads the connections, components and integrations of the organization, writes them as the source of the tenant, and
/// the Tenant with its location into tenants.yaml. Afterwards `stablekey plan` compares the two. Nothing is written to
/// the platform.
///
/// From files: writes an Integration for each definition, with the definition beside it, and Components inferred from
/// their use. Connections stay the integration's own unless --reusable names them. Secrets are emptied, not written
/// anywhere, and listed, so that you can supply them. A kustomization.yaml in the folder is kept up to date.
///
/// Where stablekey cannot reach the platform itself, prism can ask, and export the definitions:
///   prism graphql:query "$(stablekey import --print-query)" |
///     stablekey import --tenant us-prod - definitions/
///
/// Examples:
///   stablekey import --tenant us-prod --from https://app.prismatic.io
///   stablekey import --tenant us-prod --reusable all definitions/
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ImportArgs {
    /// Exported definitions, folders of them, and `-` or a file for the platform's answer
    #[arg(required_unless_present_any = ["print_query", "from", "tenant"])]
    files: Vec<PathBuf>,
    #[command(flatten)]
    root: RootOption,
    /// The tenant to write into; created if it does not exist
    #[arg(long)]
    tenant: Option<String>,
    /// The stack to import the tenant from, such as https://app.prismatic.io; by default that of the Tenant
    #[arg(long, value_name = "URL", conflicts_with_all = ["files", "print_query"], requires = "tenant")]
    from: Option<String>,
    /// The profile of prism with the token of a new tenant; by default as prism itself chooses
    #[arg(long, value_name = "NAME", requires = "from")]
    profile: Option<String>,
    /// The environment variable with the token of a new tenant: STABLEKEY_TOKEN_…
    #[arg(long, value_name = "VARIABLE", requires = "from", conflicts_with = "profile")]
    token_env: Option<String>,
    /// The organization, if you have several on the stack
    #[arg(long, value_name = "ID", requires = "from")]
    tenant_id: Option<String>,
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
        if self.files.is_empty() {
            return self.run_from_platform(output);
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
        let project = self.project()?;
        let destination = self.destination(&project)?;
        let definitions: Vec<ImportFile<'_>> =
            definitions.iter().map(|d| ImportFile { name: &d.name, bytes: &d.bytes }).collect();
        let is_all = self.files.iter().any(|file| file.is_dir());
        let asked = Asked {
            answer: answer.as_ref(),
            definitions: &definitions,
            reusable: &reusable,
            is_all,
            recorded: Vec::new(),
        };
        let imported = self.plan(&project, &destination, asked, output)?;
        self.write(&imported.tenant, &imported.inventory, &destination)?;
        self.report(&imported.tenant, &destination, &[], output)
    }

    /// Imports a tenant from the platform itself.
    fn run_from_platform(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let reusable = reusable(&self.reusable)?;
        let project = self.project()?;
        let destination = self.destination(&project)?;
        let name = destination.location.tenant().to_string();
        let Some(spec) = &destination.platform else {
            let message = format!("the location of {name} is not on the platform, and no files are given");
            return Err(CommandFailure::new(message, "give exported definitions, or --from with a new --tenant"));
        };
        let source = project.tenants.get(&name).and_then(|tenant| tenant.source.as_ref()?.as_ref().ok());
        let mut expected = Expected::default();
        source.iter().for_each(|source| expected.learn(&source.inventory));
        let location = self.root.platform().location(&name, &self.root.root, spec).map_err(|e| unread(&e))?;
        let location = location.expecting(expected);
        let progress = output.progress(&format!("reading {}", spec.url));
        let others = project.tenants.iter().filter(|(other, tenant)| **other != name && self.is_on_platform(tenant));
        let others: Vec<&str> = others.map(|(other, _)| other.as_str()).collect();
        let read = location.read_for_import(&others).map_err(|e| unread(&e))?;
        drop(progress);
        let unreadable: Vec<String> = read
            .integrations()
            .filter_map(|found| Some(format!("integration {:?}: {}", found.name, found.definition.err()?)))
            .collect();
        let definitions: Vec<ImportFile<'_>> = read
            .integrations()
            .filter_map(|found| Some(ImportFile { name: found.name, bytes: found.definition.ok()? }))
            .collect();
        let is_all = unreadable.is_empty();
        let recorded = read.integrations().filter_map(|found| Some((title(found.name), found.recorded?))).collect();
        let asked =
            Asked { answer: Some(read.answer()), definitions: &definitions, reusable: &reusable, is_all, recorded };
        let imported = self.plan(&project, &destination, asked, output)?;
        let (known, edited) = (read.keys().collect(), read.edited(&name, &imported.inventory));
        let imported = PlannedImport { tenant: imported.tenant.on_platform(&known, &edited), ..imported };
        self.write(&imported.tenant, &imported.inventory, &destination)?;
        let source = destination.location.snapshot().map_err(|e| unread(&e))?;
        location.record_import(&read, &source.inventory).map_err(|error| {
            CommandFailure::new(error.to_string(), "the files are written; fix that, and import again to record them")
        })?;
        let mut lines = Vec::new();
        if let Some((tenant_id, organization)) = read.identity() {
            lines.push(format!(
                "From organization {} (tenantId {tenant_id}) at {}; recorded in {}.",
                crate::text::line(organization),
                spec.url,
                location.record_place()
            ));
        }
        let left = [
            (read.integrations_of_customers(), "integration of one customer", "integrations of one customer each"),
            (read.workflows(), "embedded workflow", "embedded workflows"),
        ];
        lines.extend(left.into_iter().filter(|(number, ..)| *number > 0).map(|(number, one, many)| {
            format!("{} not imported: Stablekey reads which connections they use.", count(number, one, many))
        }));
        lines.extend(unreadable.iter().map(|line| format!("error: {line}")));
        let handed_over = self.hand_over(&name, &mut lines, output);
        if let Err(failure) = &handed_over {
            lines.push(format!("error: the files are written, and not handed over to a sync: {}", failure.message));
            lines.push(format!("  {}; then import again", failure.help));
        }
        let code = self.report(&imported.tenant, &destination, &lines, output)?;
        Ok(code.max(u8::from(!unreadable.is_empty() || handed_over.is_err())))
    }

    /// Takes out of the source of a tenant what the syncs that feed it bring, and keeps its differences as overrides.
    fn hand_over(&self, tenant: &str, lines: &mut Vec<String>, output: &mut Output) -> Result<(), CommandFailure> {
        let into =
            |project: &Project| -> Vec<Sync> { sync::syncs_into(project, tenant).into_iter().cloned().collect() };
        let sources = SourceOption::default();
        let number = into(&self.root.open_new()).len();
        for position in 0..number {
            // Each reads what the one before it wrote.
            let project = self.root.open_for_edits(&sources)?;
            let Some(sync) = into(&project).into_iter().nth(position) else { break };
            let handed_over = sync::hand_over(&project, &sync, tenant)?;
            if let Some(worse) = handed_over.edited.consequences.worse.first() {
                lines.push(format!("Nothing is handed over to {}: {worse}", sync.writer));
                continue;
            }
            handed_over.edited.write(&RealDisk)?;
            lines.extend(handed_over.summary.iter().cloned());
            drop(project);
            follow(&self.root, &sources, &handed_over, output)?;
        }
        Ok(())
    }

    /// Reads the files of the project; its tenants on the platform count as their sources declare them.
    fn project(&self) -> Result<Project, CommandFailure> {
        if !self.root.root.is_dir() {
            std::fs::create_dir_all(&self.root.root).map_err(|e| CommandFailure::writing(&self.root.root, &e))?;
        }
        Ok(self.root.open_new())
    }

    /// Plans the import into the destination.
    fn plan(
        &self,
        project: &Project,
        destination: &Destination,
        asked: Asked<'_>,
        output: &mut Output,
    ) -> Result<PlannedImport, CommandFailure> {
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
        if let Some((id, why)) = inventory.invalid.first_key_value() {
            let message = format!("{id} in {} cannot be used ({why}): nothing was written", destination.folder());
            return Err(CommandFailure::new(message, "correct it, or remove it, then import again"));
        }
        if let Some((name, _)) = &destination.new_tenant
            && let Some(near) = meant(name, project.tenants.keys().map(String::as_str))
        {
            output.note(&format!("Tenant/{name} is new here; there is {near} too, which it is not."));
        }
        let elsewhere = self.elsewhere(project, destination.location.tenant(), output);
        let Asked { answer, definitions, reusable, is_all, recorded } = asked;
        let existing = ExistingObjects { is_all, recorded, ..ExistingObjects::of(&inventory, &elsewhere) };
        let tenant = match answer {
            None => plan_import(definitions, reusable, &existing.borrow()),
            Some(answer) => plan_tenant(answer, definitions, reusable, &existing.borrow()),
        };
        Ok(PlannedImport { tenant, inventory })
    }

    /// Reports what was imported, and returns the exit code.
    fn report(
        &self,
        imported: &Imported,
        destination: &Destination,
        lines: &[String],
        output: &mut Output,
    ) -> Result<u8, CommandFailure> {
        let listed = files(imported).map_err(|e| CommandFailure::new(e.to_string(), "internal error: report it"))?;
        let mut text = report(imported, &listed, &destination.location.folder().display().to_string());
        lines.iter().for_each(|line| {
            text.push_str(line);
            text.push('\n');
        });
        let typed = Invocation { root: self.root.typed(), ..Invocation::default() };
        // A folder without tenants is not a project yet.
        let has_status = !imported.is_empty() && destination.location.tenant() != UNNAMED;
        if imported.has_errors() {
            text.push_str("Next: fix the errors, and import again\n");
        } else if destination.platform.is_some() {
            text.push_str(&format!("Next: {}\n", typed.plan()));
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
                Some(tenant) if self.is_on_platform(tenant) => self.source_of(name, tenant),
                Some(_) if self.from.is_some() => Err(CommandFailure::new(
                    format!("{name} is there already, and its location is not on the platform"),
                    "give a new name to --tenant",
                )),
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
                    Ok(Destination { location: location.clone(), new_tenant: None, platform: None })
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
                    if self.files.is_empty() && self.from.is_none() {
                        let known: Vec<&str> = project.tenants.keys().map(String::as_str).collect();
                        let help = format!(
                            "give --from with the stack to import it from, or exported definitions; {}",
                            what_there_is(name, known.into_iter().filter(|name| *name != UNNAMED))
                        );
                        return Err(CommandFailure::new(format!("there is no tenant {name} yet"), help));
                    }
                    let platform = self.new_location()?;
                    let spec = match &platform {
                        Some(location) => platform_tenant(location.clone(), name),
                        None => folder_tenant(name),
                    };
                    let new_tenant = Some((name.clone(), spec));
                    Ok(Destination { location: FolderLocation::new(name, folder), new_tenant, platform })
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
                let location = FolderLocation::new(UNNAMED, self.root.root.clone());
                Ok(Destination { location, new_tenant: None, platform: None })
            }
        }
    }

    fn is_on_platform(&self, tenant: &ProjectTenant) -> bool {
        matches!(tenant.spec.location, Some(LocationSpec::Prismatic(_)))
    }

    /// The source of an existing tenant on the platform.
    fn source_of(&self, name: &str, tenant: &ProjectTenant) -> Result<Destination, CommandFailure> {
        let Some(LocationSpec::Prismatic(location)) = &tenant.spec.location else {
            return Err(CommandFailure::new(format!("{name} is not on the platform"), "give another --tenant"));
        };
        if let Some(from) = self.from.as_ref().filter(|from| !is_same_stack(from, &location.url)) {
            let message = format!("the location of {name} is {}, not {from}", location.url);
            return Err(CommandFailure::new(message, "leave --from out, or give another --tenant"));
        }
        let is_other = |given: &Option<String>, there: Option<&String>| given.is_some() && given.as_ref() != there;
        let (profile, variable) = match &location.token_from {
            Some(TokenFrom::Profile(name)) => (Some(name), None),
            Some(TokenFrom::Env(name)) => (None, Some(name)),
            Some(TokenFrom::SecretRef(_)) | None => (None, None),
        };
        for (option, is_other) in [
            ("--profile", is_other(&self.profile, profile)),
            ("--token-env", is_other(&self.token_env, variable)),
            ("--tenant-id", is_other(&self.tenant_id, location.tenant_id.as_ref())),
        ] {
            if is_other {
                let message = format!("the Tenant {name} is there already, and says something else than {option}");
                return Err(CommandFailure::new(
                    message,
                    format!("leave {option} out, or change the Tenant's location"),
                ));
            }
        }
        let Some(source) = tenant.spec.source_path() else {
            let help = format!("add source: {{path: {name}}} to Tenant {name}, then import again");
            return Err(CommandFailure::new(format!("{name} has no source to write into"), help));
        };
        let folder = FolderLocation::new(name, self.root.root.join(source));
        Ok(Destination { location: folder, new_tenant: None, platform: Some(location.clone()) })
    }

    /// The location of a new tenant on the platform.
    fn new_location(&self) -> Result<Option<PrismaticLocation>, CommandFailure> {
        let Some(from) = &self.from else { return Ok(None) };
        let url = from.trim().trim_end_matches('/').to_string();
        let token_from = match (&self.profile, &self.token_env) {
            (Some(profile), _) => Some(TokenFrom::Profile(profile.clone())),
            (_, Some(variable)) => Some(TokenFrom::Env(variable.clone())),
            (None, None) => None,
        };
        let tenant_id = self.tenant_id.clone();
        Ok(Some(PrismaticLocation { url, tenant_id, token_from, secrets: None, publish: None }))
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
        let is_new = destination.platform.is_some() && destination.new_tenant.is_some();
        if imported.is_empty() && !is_new {
            return Ok(());
        }
        let tenants_file = self.tenants_file(destination)?;
        std::fs::create_dir_all(folder).map_err(|e| CommandFailure::writing(folder, &e))?;
        let mut session = destination.location.begin(&[]).map_err(|e| unread(&e))?;
        let components = imported.components.iter().map(|c| (Item::Component(Arc::new(c.clone())), None));
        let connections = imported.connections.iter().map(|c| (Item::Connection(Arc::new(c.clone())), None));
        let changed = imported.integrations.iter().filter(|i| i.state != ImportState::Unchanged);
        let integrations = changed.map(|i| (Item::Integration(Arc::new(i.object.clone()), None), Some(i)));
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
        if let Some((path, text)) = tenants_file {
            disk::write_named(&RealDisk, &path, text.as_bytes()).map_err(|e| CommandFailure::writing(&path, &e))?;
        }
        Ok(())
    }

    /// The file with the new Tenant, and its text. What keeps it from being written is found before anything is written.
    fn tenants_file(&self, destination: &Destination) -> Result<Option<(PathBuf, String)>, CommandFailure> {
        let Some((name, spec)) = &destination.new_tenant else { return Ok(None) };
        let path = self.root.root.join("tenants.yaml");
        if path.is_symlink() {
            let message = format!("{} is a link, and is not written through; nothing was written", path.display());
            let help = format!("put the file itself there, or add Tenant {name} to it yourself, then import again");
            return Err(CommandFailure::new(message, help));
        }
        let there = disk::read(&path, limits::FILE_BYTES).map_err(|e| CommandFailure::writing(&path, &e))?;
        let text = tenant_document(&String::from_utf8_lossy(&there.unwrap_or_default()), name, spec.clone())
            .map_err(|e| CommandFailure::new(e.to_string(), "internal error: report it"))?;
        Ok(Some((path, text)))
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

impl Destination {
    /// The folder, for people.
    fn folder(&self) -> String {
        self.location.folder().display().to_string()
    }
}

struct Destination {
    /// The folder to write: the location of a tenant in files, the source of one on the platform.
    location: FolderLocation,
    /// The Tenant to add to tenants.yaml.
    new_tenant: Option<(String, TenantSpec)>,
    /// The location on the platform.
    platform: Option<PrismaticLocation>,
}

/// What is to be imported.
struct Asked<'a> {
    answer: Option<&'a Answer>,
    definitions: &'a [ImportFile<'a>],
    reusable: &'a Reusable,
    /// Whether it is the whole tenant.
    is_all: bool,
    /// The integrations that were imported before: the title there now, and the name here.
    recorded: Vec<(String, String)>,
}

/// An import before it is written.
struct PlannedImport {
    tenant: Imported,
    /// The content of the folder before.
    inventory: Arc<Inventory>,
}

/// The existing objects of the tenant, in the form that the import needs.
struct ExistingObjects<'e> {
    is_all: bool,
    recorded: Vec<(String, String)>,
    digests: Vec<(String, String)>,
    elsewhere: &'e [OtherTenant],
    integrations: Vec<Object<IntegrationSpec>>,
    components: Vec<Object<crate::api::ComponentSpec>>,
    connections: Vec<Object<crate::api::ConnectionSpec>>,
}

impl<'e> ExistingObjects<'e> {
    fn of(inventory: &Inventory, elsewhere: &'e [OtherTenant]) -> Self {
        ExistingObjects {
            is_all: false,
            recorded: Vec::new(),
            digests: inventory.uses.iter().map(|(name, uses)| (name.clone(), uses.value.clone())).collect(),
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
            digests: &self.digests,
            recorded: &self.recorded,
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
    if head.starts_with(['{', '[']) && has(&["\"data\"", "\"errors\"", "\"scopedConfigVariables\""]) {
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
