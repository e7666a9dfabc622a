//! `stablekey export`: writes a definition with all its bindings for a tenant, or fails.

use super::options::RootOption;
use super::output::Output;
use super::{CommandFailure, naming, planning};
use crate::api::{IntegrationSpec, Kind, Object, Variable};
use crate::engine::check::{Elsewhere, how_to_fix_missing};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::resolve::{Binding, Replacements, resolve_variable};
use crate::platform::definition;
use crate::platform::definition::{DefinitionError, VariableShape};
use crate::project::Project;
use crate::tenant::directory::disk;
use crate::tenant::directory::disk::RealDisk;
use crate::tenant::location::Snapshot;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Export an integration's definition, bound for a tenant
///
/// Every variable that means a reusable connection is bound to that connection in the tenant. If one is missing, it is
/// named, and nothing is written.
///
/// Examples:
///   stablekey export eu-prod lead-router
///   stablekey export eu-prod lead-router --out lead-router.yaml
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, override_usage = "stablekey export [OPTIONS] <TENANT> <INTEGRATION>")]
pub(super) struct Export {
    /// The tenant (unless --tenant names it) and the integration
    #[arg(required = true, num_args = 1..=2, value_names = ["TENANT", "INTEGRATION"])]
    names: Vec<String>,
    #[command(flatten)]
    root: RootOption,
    /// The tenant to bind the definition for
    #[arg(long)]
    tenant: Option<String>,
    /// Write to this file instead of standard output (-). Only a regular file is replaced
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.root.open()?;
        let (tenant, name) = match (self.names.as_slice(), &self.tenant) {
            ([tenant, integration], None) => (tenant.clone(), integration.clone()),
            ([integration], Some(tenant)) => (tenant.clone(), integration.clone()),
            ([integration], None) if project.tenants.len() == 1 => {
                (project.tenants.keys().next().cloned().unwrap_or_default(), integration.clone())
            }
            _ => {
                return Err(CommandFailure::new("no tenant is given", "write: stablekey export TENANT INTEGRATION"));
            }
        };
        let name = Kind::Integration.name_in(&name).to_string();
        planning::known("tenant", &tenant, project.tenants.keys())
            .map_err(|wrong| self.root.or_as_root(&tenant, wrong))?;
        let world = project.world();
        let live = project.tenants.get(&tenant).map(|tenant| tenant.live.as_ref());
        let snapshot = match live {
            Some(Ok(snapshot)) => snapshot,
            Some(Err(why)) => {
                return Err(CommandFailure::new(format!("{tenant} cannot be read: {why}"), "fix that first"));
            }
            None => return Err(CommandFailure::new(format!("{tenant} cannot be read"), "see `stablekey status`")),
        };
        let names = naming::KnownNames { project: &project, tenant: &tenant, snapshot };
        let id = naming::find(names, ObjectId::new(Kind::Integration, &name), output)?;
        let Exported { integration, bytes, inventory } = Exported::live(&project, &tenant, &id, snapshot)?;
        let replacements = Replacements::of(&tenant, &inventory);
        let elsewhere = Elsewhere::of(&world);
        let resolve =
            |variable: &Variable| match resolve_variable(&tenant, &name, variable, &inventory, &replacements).binding {
                Binding::Bound(connection) => Ok(connection.spec.stable_key.clone()),
                Binding::Foreign(_) => Ok(variable.stable_key().unwrap_or_default().to_string()),
                Binding::Own => Err("it is the integration's own".to_string()),
                Binding::Unknown(why) => Err(why),
                Binding::Missing => {
                    let key = variable.stable_key().unwrap_or_default();
                    Err(format!(
                        "{key} is not in {tenant}; {}",
                        how_to_fix_missing(&tenant, key, None, &inventory, &elsewhere).text
                    ))
                }
            };
        let exported = export(&integration.spec, &bytes, &resolve)
            .map_err(|e| CommandFailure::new(e.to_string(), "make what is missing, then export again"))?;
        match &self.out {
            Some(path) if path != Path::new("-") => {
                disk::write_named(&RealDisk, path, &exported).map_err(|e| CommandFailure::writing(path, &e))?;
            }
            _ => output.bytes(&exported)?,
        }
        let left_empty = definition::uses(&exported).map(|uses| uses.left_empty).unwrap_or_default();
        if !left_empty.is_empty() {
            let left: Vec<&str> = left_empty.iter().map(|left| left.what.as_str()).collect();
            output.note(&format!("To fill in on the platform, once it is imported there: {}.", left.join("; ")));
        }
        Ok(0)
    }
}

/// An integration with its definition, and the tenant that it is bound in.
struct Exported {
    integration: Arc<Object<IntegrationSpec>>,
    bytes: Vec<u8>,
    inventory: Arc<Inventory>,
}

impl Exported {
    /// The integration as it is.
    fn live(project: &Project, tenant: &str, id: &ObjectId, snapshot: &Snapshot) -> Result<Self, CommandFailure> {
        let inventory = snapshot.inventory.clone();
        let Some(Item::Integration(integration, _)) = inventory.get(id) else {
            return Err(CommandFailure::new(format!("{} is not in {tenant}", id.name), "see `stablekey status`"));
        };
        let bytes = definition(project, tenant, &id.name)?;
        Ok(Exported { integration, bytes, inventory })
    }
}

/// The definition of an integration that is there.
fn definition(project: &Project, tenant: &str, name: &str) -> Result<Vec<u8>, CommandFailure> {
    let bytes = match project.tenants.get(tenant).and_then(|tenant| tenant.location.as_ref()) {
        Some(location) => location.as_location().definition(name),
        None => project.definition_beside(tenant, name),
    };
    bytes.map_err(|e| CommandFailure::new(e.to_string(), "import the definition first: stablekey import FILE"))
}

/// A failure to export a definition.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    /// The definition cannot be read or bound.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The tenant lacks bindings. Nothing is written.
    #[error("nothing is written: {}", list(.0))]
    Missing(Vec<MissingBinding>),
}

/// A variable that cannot be bound in the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MissingBinding {
    pub variable: String,
    /// What is missing, and how to fix it.
    pub why: String,
}

fn list(missing: &[MissingBinding]) -> String {
    let lines = missing.iter().map(|missing| format!("\n  ✗ {}: {}", missing.variable, missing.why));
    let count = if missing.len() == 1 {
        "1 binding is missing".into()
    } else {
        format!("{} bindings are missing", missing.len())
    };
    lines.fold(count, |text, line| text + &line)
}

/// Exports a definition. Each variable that means a reusable connection is bound to the key that `resolve` returns for
/// it in the tenant (`Err`: what is missing). The integration's own connections are not changed.
pub(super) fn export(
    integration: &IntegrationSpec,
    definition: &[u8],
    resolve: &dyn Fn(&Variable) -> Result<String, String>,
) -> Result<Vec<u8>, ExportError> {
    let read = definition::read(definition)?;
    let mut wanted: Vec<Variable> =
        integration.connections.iter().filter(|variable| variable.stable_key().is_some()).cloned().collect();
    let mut missing = Vec::new();
    // Variables that the manifest does not list, or calls its own although the definition has none of its own.
    for declared in &read.variables {
        let VariableShape::Reusable { stable_key } = &declared.shape else { continue };
        match integration.connections.iter().find(|variable| variable.name == declared.name) {
            None => wanted.push(Variable::bound(&declared.name, stable_key)),
            Some(listed) if listed.stable_key().is_none() => {
                let why = format!(
                    "the manifest calls it the integration's own, but the definition is bound to {stable_key}: write stableKey: {stable_key}"
                );
                missing.push(MissingBinding { variable: declared.name.clone(), why });
            }
            Some(_) => {}
        }
    }
    let mut bindings: Vec<(String, String)> = Vec::new();
    for variable in wanted {
        match resolve(&variable) {
            Ok(key) => bindings.push((variable.name, key)),
            Err(why) => missing.push(MissingBinding { variable: variable.name, why }),
        }
    }
    if !missing.is_empty() {
        return Err(ExportError::Missing(missing));
    }
    let bindings: Vec<(&str, &str)> = bindings.iter().map(|(name, key)| (name.as_str(), key.as_str())).collect();
    Ok(definition::bind(definition, &bindings)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::definition::tests::named;
    use crate::platform::import::{Existing, ImportFile, Reusable, plan_import};

    fn imported(file: &str, reusable: &Reusable) -> (Vec<u8>, IntegrationSpec, Vec<u8>) {
        let (name, bytes) = named(file);
        let import = plan_import(&[ImportFile { name: &name, bytes: &bytes }], reusable, &Existing::default());
        let integration = import.integrations.into_iter().next().unwrap();
        (bytes, integration.object.spec, integration.definition)
    }

    #[test]
    fn import_then_export_is_the_same_definition_but_for_emptied_secrets() {
        for file in
            ["shared-own.yml", "reusable-one.yml", "code-native.yaml", "version-none-mapping.yaml", "json-pretty.json"]
        {
            let (original, spec, definition) = imported(file, &Reusable::none());
            let exported = export(&spec, &definition, &|v| Ok(v.stable_key().unwrap().to_string())).unwrap();
            assert_eq!(exported, definition::empty_secrets(&original).unwrap().0, "{file}");
        }
    }

    #[test]
    fn reusable_connections_are_bound_with_the_tenants_keys() {
        let (_, spec, definition) = imported("shared-own.yml", &Reusable::all());
        let exported = export(&spec, &definition, &|v| Ok(format!("{}-eu", v.stable_key().unwrap()))).unwrap();
        let read = definition::read(&exported).unwrap();
        assert!(
            matches!(&read.variables[0].shape, VariableShape::Reusable { stable_key } if stable_key == "granary-oauth2-eu")
        );
    }

    #[test]
    fn a_missing_connection_is_named_and_nothing_is_written() {
        let (_, spec, definition) = imported("code-native.yaml", &Reusable::none());
        let error =
            export(&spec, &definition, &|v| Err(format!("{} is not in eu-prod", v.stable_key().unwrap()))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "nothing is written: 2 bindings are missing\n  ✗ Granary Connection: granary-customer is not in eu-prod\n  ✗ Orchard Connection: orchard-api-key is not in eu-prod"
        );
    }
}
