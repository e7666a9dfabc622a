//! The plan file: the plan as JSON, and what is needed to plan it again. To `apply` it is consent, not
//! instructions.

use super::Failure;
use super::output::Output;
use crate::apply::covered;
use crate::engine::item::ObjectId;
use crate::engine::plan::{PLAN_SCHEMA, Plan, Scope};
use crate::manifest::{self, limits};
use crate::render::{self, Layout};
use crate::tenant::disk::{self, RealDisk};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufReader, Read};
use std::path::Path;

/// What is written.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sources: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    resumptions: BTreeSet<String>,
}

/// Writes a plan file, for its owner's eyes only; `-` is standard output. `sources` are those that were
/// given beside what is written down, by tenant, as seen from the root.
pub fn save(plan: &Plan, sources: &BTreeMap<String, String>, path: &Path, output: &mut Output) -> Result<(), Failure> {
    let resumptions = plan.actions().flat_map(|(_, action)| covered(action).into_iter().skip(1)).collect();
    let text = render::json(&Written { plan, sources, resumptions }, Layout::Pretty).map_err(|error| {
        Failure::new(format!("the plan has no JSON form: {error}"), "this is a mistake of ours: report it")
    })?;
    if path == Path::new("-") {
        return output.result(&text);
    }
    if is_something_else(path) {
        let message = format!("{} is there and is no plan: it is not replaced", path.display());
        return Err(Failure::new(message, "name a new file"));
    }
    disk::write_privately(&RealDisk, path, text.as_bytes()).map_err(|error| Failure::writing(path, &error))
}

/// Whether a manifest is there, named by mistake.
fn is_something_else(path: &Path) -> bool {
    path.file_name().is_some_and(|name| manifest::is_manifest(name.as_encoded_bytes()))
        && path.symlink_metadata().is_ok_and(|there| there.is_file() && there.len() > 0)
        && !manifest::begins_as_plan(path)
}

/// What apply reads of it.
#[derive(Debug)]
pub struct PlanFile {
    /// What it is narrowed to.
    pub scope: Scope,
    /// The sources that were given beside what is written down, as seen from the root.
    pub sources: BTreeMap<String, String>,
    /// The digests that it covers.
    pub covers: BTreeSet<String>,
    /// The fields that it shows of each action, hashed, by digest.
    shown: BTreeMap<String, u64>,
    /// The integrations that its actions name: an apply may have removed them since.
    pub integrations: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Parsed {
    schema: String,
    #[serde(default)]
    scope: ParsedScope,
    #[serde(default)]
    sources: BTreeMap<String, String>,
    #[serde(default)]
    resumptions: BTreeSet<String>,
    #[serde(default)]
    targets: Vec<ParsedTarget>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ParsedScope {
    tenants: BTreeSet<String>,
    integrations: BTreeSet<String>,
    syncs: BTreeSet<String>,
}

#[derive(Deserialize)]
struct ParsedTarget {
    #[serde(default)]
    actions: Vec<ParsedAction>,
}

#[derive(Deserialize)]
struct ParsedAction {
    id: String,
    digest: String,
    #[serde(default, deserialize_with = "hashed")]
    fields: u64,
}

/// A hash of the fields that are shown, so that those of a large plan are not held.
fn hashed<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    Value::deserialize(from).map(hash_of)
}

fn hash_of(mut fields: Value) -> u64 {
    for field in fields.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        // Who else holds it is not consented to.
        field.remove("by");
    }
    let mut hasher = DefaultHasher::new();
    fields.to_string().hash(&mut hasher);
    hasher.finish()
}

impl PlanFile {
    /// Refuses a file that shows something else than what its digests stand for: whoever read it did not see what
    /// would be done.
    pub fn shows(&self, plan: &Plan) -> Result<(), Failure> {
        for (_, action) in plan.actions() {
            let Some(shown) = self.shown.get(&action.digest.to_string()) else { continue };
            let fields = serde_json::to_value(&action.fields).unwrap_or_default();
            if hash_of(fields) != *shown {
                let message =
                    format!("the plan file was edited: it shows other values of {} than would be written", action.id);
                return Err(Failure::new(
                    message,
                    "make a new one with `stablekey plan --out FILE`, and read it again",
                ));
            }
        }
        Ok(())
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| {
            let help = "make one with `stablekey plan --out FILE`";
            Failure::new(format!("{} is no plan file: {why}", path.display()), help)
        };
        let metadata = path.metadata().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => wrong("it is not there".to_string()),
            _ => wrong(error.to_string()),
        })?;
        // A FIFO would wait for ever.
        if !metadata.is_file() {
            return Err(wrong("it is not a regular file".to_string()));
        }
        if metadata.len() > limits::PLAN_FILE_BYTES {
            return Err(wrong(format!("it is larger than {} bytes", limits::PLAN_FILE_BYTES)));
        }
        let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
        // Only what is asked of it is held: the rest of a large plan is passed over.
        let parsed: Parsed =
            serde_json::from_reader(BufReader::new(file.take(limits::PLAN_FILE_BYTES))).map_err(|error| {
                wrong(match error.classify() {
                    Category::Data => "it does not have the shape of one".to_string(),
                    _ => error.to_string(),
                })
            })?;
        if parsed.schema != PLAN_SCHEMA {
            return Err(wrong(format!("its schema is {}, not {PLAN_SCHEMA}", parsed.schema)));
        }
        let actions: Vec<ParsedAction> = parsed.targets.into_iter().flat_map(|target| target.actions).collect();
        let object = |id: &str| ObjectId::parse(id.split_once('/')?.1);
        let integrations = actions.iter().filter_map(|action| object(&action.id));
        let integrations = integrations.filter(|id| id.kind == crate::api::Kind::Integration).map(|id| id.name);
        let ParsedScope { tenants, integrations: narrowed, syncs } = parsed.scope;
        Ok(PlanFile {
            integrations: integrations.collect(),
            scope: Scope { tenants, integrations: narrowed, syncs },
            sources: parsed.sources,
            shown: actions.iter().map(|action| (action.digest.clone(), action.fields)).collect(),
            covers: actions.into_iter().map(|action| action.digest).chain(parsed.resumptions).collect(),
        })
    }
}
