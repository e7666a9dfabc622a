//! Prints a tenant's folder for a cluster: each object unchanged, and each definition in a ConfigMap before the
//! Integration that refers to it.

use crate::api::{ConfigMapRef, Definition, Resource};
use crate::engine::check;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::kubernetes::config_maps::{LARGEST, name_of_definition, of_definition};
use crate::manifest::{
    self, DocumentEdit, Edit, FileProblem, Rewrite, SourcePlace, problem, text_at, to_yaml, value_to_yaml,
};
use crate::platform::definition;
use crate::tenant::location::{LocationError, Snapshot};
use serde_json::json;
use std::sync::Arc;

const NAMESPACE: [&str; 2] = ["metadata", "namespace"];
const MISTAKE: &str = "internal error: report it";

/// Whether the text of a document can be copied into a YAML stream unchanged: it has complete lines, and is neither
/// JSON nor marked in a way that is valid only at the beginning or end of a file.
fn can_be_streamed(text: &str) -> bool {
    let is_marked = |line: &str| line.starts_with(['%', '\u{feff}', '{']) || line.starts_with("...");
    text.ends_with('\n') && !text.lines().any(is_marked)
}

/// The objects of a folder as one YAML stream, or all problems with it. `bytes` reads the definition of an integration.
pub fn stream(
    snapshot: &Snapshot,
    bytes: &dyn Fn(&str) -> Result<Vec<u8>, LocationError>,
) -> Result<String, Vec<FileProblem>> {
    let mut out = String::new();
    let mut wrong: Vec<FileProblem> = Vec::new();
    for item in snapshot.inventory.items() {
        let Some(origin) = snapshot.origins.get(&item.id()) else { continue };
        wrong.extend(secrets(&item, origin, &snapshot.inventory));
        match documents(&item, origin, bytes) {
            Ok(documents) => documents.iter().for_each(|yaml| append(&mut out, yaml)),
            Err(problem) => wrong.push(*problem),
        }
    }
    if wrong.is_empty() { Ok(out) } else { Err(wrong) }
}

/// Secrets that are literal values: they are rejected without showing them or their line.
fn secrets(item: &Item, origin: &SourcePlace, inventory: &Inventory) -> Vec<FileProblem> {
    let problem = |name: &&str| {
        let line = ["spec", "inputs", name];
        let line = manifest::locate(origin, &line).map_or(origin.first_line, |at| at.line);
        let message = format!("{}: input {name} is a secret and is written as a value", item.id());
        let help = "put it into a Secret and write a secretRef; whoever has the file has the secret: rotate it";
        FileProblem { line, ..FileProblem::of_file(&origin.file.path, message, help) }
    };
    check::secret_literals(item, &[inventory]).iter().map(problem).collect()
}

/// The documents for one object.
fn documents(
    item: &Item,
    origin: &SourcePlace,
    bytes: &dyn Fn(&str) -> Result<Vec<u8>, LocationError>,
) -> Result<Vec<String>, Box<FileProblem>> {
    let id = item.id();
    let wrong = |path: &[&str], message: String, help: &str| Box::new(problem(origin, id.kind, path, message, help));
    let Item::Integration(integration, _) = item else { return Ok(vec![plain(item.to_resource(), origin, &[], &id)?]) };
    let Some(Definition::File(file)) = &integration.spec.definition else {
        return Ok(vec![plain(item.to_resource(), origin, &[], &id)?]);
    };
    let at = ["spec", "definition", "file"];
    let bytes = bytes(&id.name)
        .map_err(|error| wrong(&at, error.to_string(), "put the exported definition beside this manifest"))?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > LARGEST {
        let message = format!("definition {file} is {length} bytes, and a cluster takes at most {LARGEST}");
        return Err(wrong(&at, message, "make the integration smaller, or split it"));
    }
    let name = name_of_definition(&id.name, &definition::digest(&bytes));
    let mut map = of_definition(&name, &bytes);
    if let Some(namespace) = text_at(origin, &NAMESPACE) {
        map["metadata"]["namespace"] = json!(namespace);
    }
    let entries = ["apiVersion", "kind", "metadata", "immutable", "data", "binaryData"];
    let entries = entries.into_iter().filter_map(|key| Some((key, map.get(key)?)));
    let definition = Edit::Set {
        path: vec!["spec".to_string(), "definition".to_string()],
        value: json!({"configMap": {"name": name}}),
    };
    let mut resource = item.to_resource();
    if let Resource::Integration(integration) = &mut resource {
        Arc::make_mut(integration).spec.definition = Some(Definition::ConfigMap(ConfigMapRef { name }));
    }
    Ok(vec![value_to_yaml(entries), plain(resource, origin, &[definition], &id)?])
}

/// The text of a document with edits; formatted again if the object has no document of its own.
fn plain(resource: Resource, origin: &SourcePlace, edits: &[Edit], id: &ObjectId) -> Result<String, Box<FileProblem>> {
    let text = origin.text();
    if origin.item.is_none() && can_be_streamed(text) {
        if edits.is_empty() {
            return Ok(text.to_string());
        }
        if let Ok(edited) = edited(text, edits) {
            return Ok(edited);
        }
    }
    let failed = |message: String| Box::new(problem(origin, id.kind, &["metadata", "name"], message, MISTAKE));
    let yaml = to_yaml(&resource).map_err(|error| failed(error.to_string()))?;
    match text_at(origin, &NAMESPACE) {
        None => Ok(yaml),
        Some(namespace) => {
            let path = NAMESPACE.map(str::to_string).to_vec();
            edited(&yaml, &[Edit::Set { path, value: json!(namespace) }]).map_err(failed)
        }
    }
}

/// Applies edits to the text of one document.
fn edited(text: &str, edits: &[Edit]) -> Result<String, String> {
    let all = Rewrite { range: 0..text.len(), item: None, what: DocumentEdit::Edit(edits.to_vec()) };
    let rewritten = manifest::rewrite(text, &[all]);
    rewritten.results.into_iter().collect::<Result<(), _>>().map_err(|error| error.to_string())?;
    rewritten.text.ok_or_else(|| "nothing is left of it".to_string())
}

/// Appends a document to the stream.
fn append(out: &mut String, yaml: &str) {
    if !yaml.starts_with("---") {
        out.push_str("---\n");
    }
    out.push_str(yaml);
    if !yaml.ends_with('\n') {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::directory::FolderLocation;
    use crate::tenant::location::Location as _;
    use std::fs;

    const DEFINITION: &str = "definitionVersion: 7\nname: Lead\nflows: []\n";

    fn rendered(files: &[(&str, &[u8])]) -> Result<String, Vec<FileProblem>> {
        let folder = tempfile::tempdir().unwrap();
        let tenant = folder.path().join("eu");
        for (name, bytes) in files {
            let path = tenant.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let location = FolderLocation::new("eu", tenant);
        stream(&location.snapshot().unwrap(), &|integration| location.definition(integration))
    }

    fn integration(more: &str) -> String {
        format!(
            "# Routes leads.\napiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {{name: lead{more}}}\n\
             spec:\n  title: Lead # of sales\n  definition: {{file: lead.definition}}\n"
        )
    }

    #[test]
    fn a_definition_comes_before_the_integration_that_names_it_and_comments_stay() {
        let manifest = integration("");
        let text = rendered(&[("i.yaml", manifest.as_bytes()), ("lead.definition", DEFINITION.as_bytes())]).unwrap();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn documents_that_cannot_be_streamed_are_formatted_again_in_their_namespace() {
        let list = r#"{"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs"}},
            {"apiVersion": "stablekey.dev/v1alpha1", "kind": "Integration",
             "metadata": {"name": "lead", "namespace": "here"}, "spec": {"definition": {"file": "lead.definition"}}}]}"#;
        let other = format!("%YAML 1.2\n---\n{}...\n", integration("-2, namespace: there"));
        let text = rendered(&[
            ("i.json", list.as_bytes()),
            ("i.yaml", other.as_bytes()),
            ("lead.definition", b"\xff\xfed\0e\0f\0i\0n\0i\0t\0i\0o\0n\0V\0e\0r\0s\0i\0o\0n\0:\0 \09\0\n\0n\0a\0m\0e\0:\0 \0x\0\n\0f\0l\0o\0w\0s\0:\0 \0[\0]\0"),
        ]);
        insta::assert_snapshot!(text.unwrap());
    }

    #[test]
    fn one_that_is_larger_than_a_cluster_takes_is_an_error_at_its_file() {
        let length = usize::try_from(LARGEST).unwrap() + 1 - DEFINITION.len();
        let definition = format!("{DEFINITION}{}", "#".repeat(length));
        let manifest = integration("");
        let wrong =
            rendered(&[("i.yaml", manifest.as_bytes()), ("lead.definition", definition.as_bytes())]).unwrap_err();
        let [problem] = wrong.as_slice() else { panic!("{wrong:?}") };
        assert_eq!(problem.line, 7);
        assert_eq!(problem.message, "definition lead.definition is 900001 bytes, and a cluster takes at most 900000");
    }
}
