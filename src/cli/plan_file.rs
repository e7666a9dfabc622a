//! The plan file: the plan as JSON, and what is needed to plan it again. `apply` takes it as consent, not as
//! instructions.

use super::CommandFailure;
use super::output::Output;
use crate::apply::covered;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, PLAN_SCHEMA, Plan, Scope};
use crate::manifest::{self, limits};
use crate::project::Project;
use crate::project::planned;
use crate::render::{self, JsonLayout};
use crate::tenant::directory::KustomizationDue;
use crate::tenant::directory::disk;
use crate::tenant::directory::disk::RealDisk;
use crate::text;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufReader, Read};
use std::path::Path;

const OURS: &str = "internal error: report it";

/// The content of a plan file.
#[derive(Serialize)]
struct WrittenPlan<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sources: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    resumptions: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    kustomizations: BTreeMap<&'a str, String>,
}

/// Writes a plan file that only its owner can read; `-` is standard output. `sources` are those given as options, by
/// tenant, relative to the root.
pub(super) fn save(
    project: &Project,
    plan: &Plan,
    sources: &BTreeMap<String, String>,
    path: &Path,
    output: &mut Output,
) -> Result<(), CommandFailure> {
    let all = plan.actions().chain(plan.waiting());
    let resumptions = all.flat_map(|(_, action)| covered(action).into_iter().skip(1)).collect();
    let edits = planned::kustomizations(project, plan).into_iter();
    let kustomizations = edits.filter_map(|(tenant, edits)| Some((tenant, edits.becomes?.to_string()))).collect();
    let text = render::json(&WrittenPlan { plan, sources, resumptions, kustomizations }, JsonLayout::Pretty)
        .map_err(|error| CommandFailure::new(format!("the plan has no JSON form: {error}"), OURS))?;
    if path == Path::new("-") {
        return output.result(&text);
    }
    if is_something_else(path) {
        let message = format!("{} is there and is no plan: it is not replaced", path.display());
        return Err(CommandFailure::new(message, "name a new file"));
    }
    disk::write_privately(&RealDisk, path, text.as_bytes()).map_err(|error| CommandFailure::writing(path, &error))
}

/// Whether the path is a manifest, named by mistake.
fn is_something_else(path: &Path) -> bool {
    path.file_name().is_some_and(|name| manifest::is_manifest(name.as_encoded_bytes()))
        && path.symlink_metadata().is_ok_and(|there| there.is_file() && there.len() > 0)
        && !manifest::begins_as_plan(path)
}

/// The part of a plan file that apply reads.
#[derive(Debug)]
pub(super) struct PlanFile {
    /// The scope of the plan.
    pub scope: Scope,
    /// The sources that were given as options, relative to the root.
    pub sources: BTreeMap<String, String>,
    /// The digests that the file covers.
    pub covers: BTreeSet<String>,
    /// The content that it shows of each action, by the action's id.
    shown: BTreeMap<String, ShownAction>,
    /// The integrations that its actions name; an apply may have removed them since.
    pub integrations: BTreeSet<String>,
    /// Its findings about kustomizations.
    of_kustomizations: Vec<ShownFinding>,
    /// The digest of each kustomization's new text, by tenant: the finding may show only a part of it.
    kustomizations: BTreeMap<String, String>,
}

/// The part of a finding that a person reads.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct ShownFinding {
    #[serde(default)]
    code: String,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    text: String,
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
    kustomizations: BTreeMap<String, String>,
    #[serde(default)]
    targets: Vec<ParsedTarget>,
    #[serde(default)]
    findings: Vec<ShownFinding>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ParsedScope {
    tenants: BTreeSet<String>,
    integrations: BTreeSet<String>,
    syncs: BTreeSet<String>,
    resend: BTreeSet<String>,
}

#[derive(Deserialize)]
struct ParsedTarget {
    #[serde(default)]
    actions: Vec<ShownAction>,
    /// What waits for an earlier stage is shown too: an apply does it once that is done.
    #[serde(default)]
    waiting: Vec<ShownAction>,
}

/// The part of an action that a person reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ShownAction {
    id: String,
    digest: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    writers: BTreeSet<String>,
    #[serde(default)]
    needs_approval: Vec<ShownMark>,
    #[serde(default)]
    fields: ShownFields,
}

#[derive(Debug, Deserialize)]
struct ShownMark {
    code: String,
}

/// Hashes of the fields that are shown: the values of a large plan need not be kept.
#[derive(Debug, Default, PartialEq, Eq)]
struct ShownFields {
    whole: u64,
    /// The new value of each field, independent of its value now.
    becomes: BTreeSet<u64>,
}

impl<'de> Deserialize<'de> for ShownFields {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fields = Vec::<Value>::deserialize(from)?;
        let of = |field: &Value, parts: &[&str]| -> Vec<Option<String>> {
            parts.iter().map(|part| field.get(part).map(ToString::to_string)).collect()
        };
        let hash = |value: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = DefaultHasher::new();
            value(&mut hasher);
            hasher.finish()
        };
        // Other owners of a field are not part of the consent.
        let whole =
            hash(&|hasher| fields.iter().for_each(|f| of(f, &["path", "op", "from", "to", "parts"]).hash(hasher)));
        let becomes = fields.iter().map(|field| hash(&|hasher| of(field, &["path", "to"]).hash(hasher))).collect();
        Ok(ShownFields { whole, becomes })
    }
}

impl ShownAction {
    /// The action as a plan file shows it.
    fn of(action: &Action) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(action)?)
    }

    /// The part of a planned action that readers of this action did not see; `None` if it is the same action, or a rest
    /// of it.
    fn hides(&self, planned: &ShownAction) -> Option<&'static str> {
        let is_whole = self.digest == planned.digest;
        let same_kind = self.action == planned.action;
        // The rest of an action is never more than the action: only the ownership record, or the same kind of action.
        let is_rest = planned.action == "adopt" || same_kind && planned.action != "delete";
        let same_fields = match is_whole {
            true => self.fields == planned.fields,
            false => self.fields.becomes.is_superset(&planned.fields.becomes),
        };
        // A create that was interrupted after its ownership record is marked if the record does not tell where secrets
        // go. All its fields were shown.
        let is_create_left = !is_whole && same_kind && planned.action == "create" && self.fields == planned.fields;
        let codes: BTreeSet<&str> = self.needs_approval.iter().map(|mark| mark.code.as_str()).collect();
        let marks = planned.needs_approval.iter().all(|mark| codes.contains(mark.code.as_str()));
        if !(if is_whole { same_kind } else { is_rest }) {
            return Some("it is another action");
        }
        if !same_fields {
            return Some("its fields differ");
        }
        if !self.writers.is_superset(&planned.writers) {
            return Some("its writers differ");
        }
        (!marks && !is_create_left).then_some("what needs approval differs")
    }
}

/// Why a content is no plan file.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPlan {
    #[error("it does not have the shape of one")]
    Shape,
    #[error("{0}")]
    Json(serde_json::Error),
    #[error("its schema is {0}, not {PLAN_SCHEMA}")]
    Schema(String),
    #[error("it shows {0} twice")]
    Twice(String),
}

impl PlanFile {
    /// Rejects a file whose content does not match its digests: whoever read it did not see what would be done.
    pub(super) fn shows(&self, plan: &Plan) -> Result<(), CommandFailure> {
        for (_, action) in plan.actions().filter(|(_, action)| self.covers.contains(&action.digest.to_string())) {
            let planned = ShownAction::of(action).map_err(|e| CommandFailure::new(e.to_string(), OURS))?;
            let hides = self.shown.get(&action.id).map_or(Some("it does not show it"), |shown| shown.hides(&planned));
            if let Some(what) = hides {
                let message = format!(
                    "the plan file was edited: it shows other values of {} than would be written ({what})",
                    action.id
                );
                let help = "make a new one with `stablekey plan --out FILE`, and read it again";
                return Err(CommandFailure::new(message, help));
            }
        }
        Ok(())
    }

    /// Whether the file shows the pending update of a kustomization.
    pub(super) fn shows_kustomization(&self, tenant: &str, edits: &KustomizationDue) -> bool {
        let shown = |finding: &Finding| {
            let is_it = |shown: &&ShownFinding| shown.tenant == finding.tenant && shown.text == finding.text;
            self.of_kustomizations.iter().any(|shown| is_it(&shown))
        };
        let becomes = edits.becomes.as_ref().map(ToString::to_string);
        self.kustomizations.get(tenant) == becomes.as_ref()
            && planned::of_kustomization(tenant, edits).iter().all(shown)
    }

    /// Rejects a file of another folder: its tenants do not exist here.
    pub(super) fn is_of(&self, project: &Project) -> Result<(), CommandFailure> {
        let is_here = |tenant: &&str| project.tenants.contains_key(*tenant);
        let tenants: BTreeSet<&str> = self.shown.keys().filter_map(|id| Some(id.split_once('/')?.0)).collect();
        match tenants.iter().find(|tenant| !is_here(tenant)) {
            None => Ok(()),
            Some(stranger) => {
                let root = project.root.display();
                let message = format!("the plan is of tenant {stranger}, and {root} has no tenant of that name");
                Err(CommandFailure::new(message, "give the folder that was planned: stablekey apply ROOT --plan FILE"))
            }
        }
    }

    /// Reads a plan file.
    pub(super) fn read(path: &Path) -> Result<Self, CommandFailure> {
        let wrong = |why: String| {
            let help = "make one with `stablekey plan --out FILE`";
            CommandFailure::new(format!("{} is no plan file: {why}", path.display()), help)
        };
        let metadata = path.metadata().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => wrong("it is not there".to_string()),
            _ => wrong(error.to_string()),
        })?;
        // Reading a FIFO would block.
        if !metadata.is_file() {
            return Err(wrong("it is not a regular file".to_string()));
        }
        if metadata.len() > limits::PLAN_FILE_BYTES {
            return Err(wrong(format!("it is larger than {} bytes", limits::PLAN_FILE_BYTES)));
        }
        let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
        PlanFile::parse(BufReader::new(file.take(limits::PLAN_FILE_BYTES))).map_err(|error| wrong(error.to_string()))
    }

    /// Parses the content of a plan file.
    pub(super) fn parse(content: impl Read) -> Result<Self, NoPlan> {
        // Only the parts that are needed are kept in memory.
        let parsed: Parsed = serde_json::from_reader(content).map_err(|error| match error.classify() {
            Category::Data => NoPlan::Shape,
            _ => NoPlan::Json(error),
        })?;
        if parsed.schema != PLAN_SCHEMA {
            return Err(NoPlan::Schema(text::line(&parsed.schema).into_owned()));
        }
        let actions: Vec<ShownAction> =
            parsed.targets.into_iter().flat_map(|target| target.actions.into_iter().chain(target.waiting)).collect();
        let object = |id: &str| ObjectId::parse(id.split_once('/')?.1);
        let integrations = actions.iter().filter_map(|action| object(&action.id));
        let integrations = integrations.filter(|id| id.kind == crate::api::Kind::Integration).map(|id| id.name);
        let ParsedScope { tenants, integrations: narrowed, syncs, resend } = parsed.scope;
        let integrations = integrations.collect();
        let mut shown: BTreeMap<String, ShownAction> = BTreeMap::new();
        let covers: BTreeSet<String> = actions.iter().map(|a| a.digest.clone()).chain(parsed.resumptions).collect();
        for action in actions {
            if let Some(twice) = shown.insert(action.id.clone(), action) {
                return Err(NoPlan::Twice(text::line(&twice.id).into_owned()));
            }
        }
        Ok(PlanFile {
            integrations,
            scope: Scope { tenants, integrations: narrowed, syncs, resend, revert: None },
            sources: parsed.sources,
            covers,
            shown,
            kustomizations: parsed.kustomizations,
            of_kustomizations: parsed
                .findings
                .into_iter()
                .filter(|f| f.code == Code::KustomizationDiffers.as_str())
                .collect(),
        })
    }
}
