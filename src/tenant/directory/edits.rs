//! Converts an action to edits of its file.

use crate::api::{Definition, Kind, Resource};
use crate::engine::model::canonical::Json;
use crate::engine::model::field::FieldKind;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, FieldChange, Op};
use crate::manifest::{self, DocumentEdit, Edit, EditError, Rewrite, SourceFile, SourcePlace};
use crate::tenant::directory::read::beside;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// The edits of a document.
pub(super) struct DocumentQuery {
    pub edits: Vec<Edit>,
    /// Whether it no longer names a definition.
    pub drops_definition: bool,
}

/// Returns the edits of an update; `definition` is the file that the document must name.
pub(super) fn asked(action: &Action, after: &Item, definition: Option<&str>) -> DocumentQuery {
    let mut edits: Vec<Edit> = action.fields.iter().filter_map(|field| edit(field, after)).collect();
    edits.extend(definition.map(|file| Edit::Set {
        path: vec!["spec".to_string(), "definition".to_string()],
        value: json!({"file": file}),
    }));
    let drops = |field: &FieldChange| field.op == Op::Remove && field.field.kind == FieldKind::Definition;
    DocumentQuery { edits, drops_definition: action.fields.iter().any(drops) }
}

/// Returns the edits of a document that an update makes, apart from the name of a definition file.
pub fn edits_of(action: &Action, after: &Item) -> Vec<Edit> {
    asked(action, after, None).edits
}

/// Returns the edit for a field's change; `None` if only the record changes.
fn edit(change: &FieldChange, after: &Item) -> Option<Edit> {
    let path = change.field.document_path();
    match (change.op, change.field.kind) {
        (Op::Set, FieldKind::Definition) => None,
        (Op::Set, FieldKind::Variable) => {
            let Item::Integration(integration, _) = after else { return None };
            let variable = integration.spec.connections.iter().find(|v| v.name == change.field.name)?;
            Some(Edit::Set { path, value: serde_json::to_value(variable).ok()? })
        }
        (Op::Set, _) => Some(Edit::Set { path, value: change.to.as_ref().map_or(Value::Null, Json::value) }),
        (Op::Remove, _) => Some(Edit::Remove { path }),
        (Op::Record | Op::Forget | Op::Release, _) => None,
    }
}

/// Returns the definition file that a resource names.
pub(super) fn definition_of(resource: &Resource) -> Option<&str> {
    let Resource::Integration(integration) = resource else { return None };
    match &integration.spec.definition {
        Some(Definition::File(file)) => Some(file),
        _ => None,
    }
}

/// Returns the actions that only a person can apply, because of how their documents are written, and why. Reads and
/// writes nothing.
pub fn manual<'a>(
    actions: impl IntoIterator<Item = &'a Action>,
    origins: &'a BTreeMap<ObjectId, SourcePlace>,
    live: &Inventory,
) -> Vec<(ObjectId, String)> {
    // A definition that several documents name is written under a new name for the one that changes.
    let mut naming: HashMap<PathBuf, usize> = HashMap::new();
    for integration in live.integrations.values() {
        let origin = origins.get(&ObjectId::new(Kind::Integration, integration.name()));
        if let (Some(origin), Some(Definition::File(file))) = (origin, &integration.spec.definition) {
            *naming.entry(beside(origin, file)).or_default() += 1;
        }
    }
    let mut of_file: BTreeMap<&str, FileChanges<'a>> = BTreeMap::new();
    for action in actions {
        let id = &action.change.object;
        let Some(origin) = origins.get(id) else { continue };
        let what = match (action.action, &action.change.before, &action.change.after) {
            (ActionKind::Delete, ..) => DocumentEdit::Remove,
            (ActionKind::Update, Some(before), Some(after)) => {
                let resource = before.to_resource();
                let named = definition_of(&resource).map(|file| beside(origin, file));
                let is_own = named.is_some_and(|named| naming.get(&named).copied().unwrap_or_default() <= 1);
                let brings = action.change.definition.as_ref().filter(|_| id.kind == Kind::Integration && !is_own);
                DocumentEdit::Edit(asked(action, after, brings.map(|_| "its.definition")).edits)
            }
            _ => continue,
        };
        let file = of_file.entry(&origin.file.path);
        let file =
            file.or_insert_with(|| FileChanges { file: Arc::clone(&origin.file), of: Vec::new(), all: Vec::new() });
        file.of.push((id, origin));
        file.all.push(Rewrite { range: origin.range.clone(), item: origin.item, what });
    }
    let files: Vec<FileChanges<'a>> = of_file.into_values().collect();
    let refused = manifest::in_parts(
        &files,
        |changes| changes.file.text.len(),
        |files| files.iter().flat_map(FileChanges::refused).collect::<Vec<_>>(),
    );
    refused.into_iter().flatten().collect()
}

/// The actions for one file.
struct FileChanges<'a> {
    file: Arc<SourceFile>,
    of: Vec<(&'a ObjectId, &'a SourcePlace)>,
    all: Vec<Rewrite>,
}

impl FileChanges<'_> {
    fn refused(&self) -> Vec<(ObjectId, String)> {
        let results = manifest::rewrite(&self.file.text, &self.all).results;
        let why = |((id, origin), result): (&(&ObjectId, &SourcePlace), Result<(), EditError>)| {
            let error = result.err()?;
            let path: Vec<&str> = error.path().map(|path| path.split('.').collect()).unwrap_or_default();
            let line = manifest::locate(origin, &path).map_or(origin.first_line, |at| at.line);
            Some(((*id).clone(), format!("{}:{line}: {error}", self.file.path)))
        };
        self.of.iter().zip(results).filter_map(why).collect()
    }
}
