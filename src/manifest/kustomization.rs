//! Keeps a kustomization.yaml up to date that brings a tenant's folder, including definitions, to a cluster. The
//! entries are edited line by line, beside what people wrote.
//!
//! Kustomize names a generated ConfigMap by a hash of its content, and replaces the name in all name references. So a
//! changed definition is another ConfigMap, to which the Integration refers.

use super::cut::cut;
use super::edit::{DocumentEdit, Edit, EditError, ListEdit, Rewrite, edit_lists, have_same_value, rewrite};
use super::tree::{self, Id, Tree};
use crate::api::{GROUP, Kind};
use crate::engine::model::canonical::Digest;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The file names of a kustomization, in the order of precedence.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// The file that declares the name reference of an Integration to a ConfigMap.
pub const REFERENCES: &str = "stablekey.kustomizeconfig.yaml";
/// The content of that file.
pub const REFERENCES_TEXT: &str = "\
# Written by Stablekey: where an Integration names the ConfigMap of its definition.
nameReference:
  - kind: ConfigMap
    fieldSpecs:
      - group: stablekey.dev
        kind: Integration
        path: spec/definition/configMap/name
";
/// Whether a file is a kustomization, or the file with name references, by its name.
pub fn is_one(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == REFERENCES || NAMES.contains(&name)
}

/// The label of a ConfigMap with a definition.
const LABEL: &str = "stablekey.dev/definition";
/// An empty kustomization.
const NEW: &str = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
/// The maximum length of a name to which Kustomize can append a hash.
const LONGEST: usize = 242;

/// The desired entries of a kustomization. Paths are relative to its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredEntries {
    /// All files with objects, to be listed if it lists none yet.
    pub files: BTreeSet<String>,
    /// New files.
    pub added: BTreeSet<String>,
    /// Removed files.
    pub removed: BTreeSet<String>,
    /// The definitions, by integration.
    pub definitions: BTreeMap<String, DefinedIntegration>,
    /// Integrations that no longer have a definition.
    pub gone: BTreeSet<String>,
}

/// The files of an integration and its definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinedIntegration {
    /// The file of the Integration.
    pub manifest: String,
    /// The file of its definition.
    pub definition: String,
}

/// The reason why a kustomization cannot be kept up to date, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KustomizationError {
    /// It does not consist of one document.
    #[error("it holds several documents, and Kustomize reads one: keep one")]
    Documents,
    /// One of its lists is not a list.
    #[error("{0} is no list: write it as one")]
    NoList(&'static str),
    /// Generated names have no hash.
    #[error(
        "generatorOptions.disableNameSuffixHash: true gives a changed definition the name of the old one, whose ConfigMap \
         cannot change: take it out"
    )]
    NoHash,
    /// The names of all objects are changed.
    #[error(
        "{0} changes the names of connections and components, which are their keys, so that an API server refuses them: \
         take it out"
    )]
    Names(&'static str),
    /// Another ConfigMap has the name that a definition needs.
    #[error(
        "configMapGenerator has a {0} without label {LABEL}, and the definition of Integration {0} takes that name: rename it"
    )]
    Generator(String),
    /// A patch that somebody else wrote for a definition.
    #[error("patches has another patch of /spec/definition for Integration {0}: remove it, and it is written again")]
    Patch(String),
    /// Kustomize cannot parse the name of a file.
    #[error("Kustomize reads no definition from {0}, because of the = in its name: rename it")]
    Path(String),
    /// Its layout cannot be edited.
    #[error("{0}")]
    Edit(#[from] EditError),
}

type EditResult<T> = std::result::Result<T, KustomizationError>;

/// Adds missing entries and removes outdated ones; `None` if nothing changes.
pub fn keep(text: &str, wanted: &DesiredEntries) -> EditResult<Option<String>> {
    let slices = cut(text);
    let mut new = match slices.as_slice() {
        [] => format!("{text}{}{NEW}", if text.is_empty() || text.ends_with('\n') { "" } else { "\n" }),
        [_] => text.to_string(),
        _ => return Err(KustomizationError::Documents),
    };
    let (sets, lists) = {
        let tree = tree::parse(&new).ok().flatten().ok_or(EditError::Unreadable)?;
        let lists = KustomizationLists::of(&new, &tree)?;
        let mut needed = Needed { file: &lists, wanted, sets: Vec::new(), lists: Vec::new() };
        needed.find()?;
        (needed.sets, needed.lists)
    };
    if !sets.is_empty() {
        let range = cut(&new).first().map(|slice| slice.range.clone()).unwrap_or_default();
        let rewritten = rewrite(&new, &[Rewrite { range, item: None, what: DocumentEdit::Edit(sets) }]);
        rewritten.results.into_iter().collect::<std::result::Result<(), _>>()?;
        new = rewritten.text.ok_or(EditError::Unreadable)?;
    }
    new = edit_lists(&new, &lists)?;
    Ok((new != text).then_some(new))
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KustomizationEntries {
    /// The items of `resources`.
    pub resources: BTreeSet<String>,
    /// The names of the ConfigMaps for definitions.
    pub definitions: BTreeSet<String>,
}

/// Lists the entries of a kustomization.
pub fn listed(text: &str) -> EditResult<KustomizationEntries> {
    let Some(tree) = tree::parse(text).map_err(|_| EditError::Unreadable)? else {
        return Ok(KustomizationEntries::default());
    };
    let lists = KustomizationLists::of(text, &tree)?;
    let ours = lists.generators.iter().filter(|(_, all)| all.iter().any(|(_, id)| lists.is_ours(*id)));
    Ok(KustomizationEntries {
        resources: lists.resources.keys().map(ToString::to_string).collect(),
        definitions: ours.map(|(name, _)| name.to_string()).collect(),
    })
}

/// The name of the ConfigMap for an integration's definition, to which Kustomize appends a hash.
pub fn definition_name(integration: &str) -> String {
    name_of_generator(integration)
}

/// The differences between two versions of a kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KustomizationChanges {
    /// Entries that are added or changed.
    pub come: Vec<String>,
    /// Entries that are removed.
    pub go: Vec<String>,
}

impl KustomizationChanges {
    /// Compares two versions.
    pub fn between(old: &str, new: &str) -> Self {
        let (old, new) = (entries(old), entries(new));
        let differs = |(entry, says): &(&String, &String)| old.get(*entry) != Some(*says);
        KustomizationChanges {
            come: new.iter().filter(differs).map(|(entry, _)| entry.clone()).collect(),
            go: old.keys().filter(|entry| !new.contains_key(*entry)).cloned().collect(),
        }
    }

    /// Whether there are no differences.
    pub fn is_empty(&self) -> bool {
        self.come.is_empty() && self.go.is_empty()
    }
}

/// The generated entries of a kustomization by description, each with its content.
fn entries(text: &str) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    let Ok(Some(tree)) = tree::parse(text) else { return entries };
    let Ok(lists) = KustomizationLists::of(text, &tree) else { return entries };
    entries.extend(lists.resources.keys().map(|path| (path.to_string(), String::new())));
    let configurations = items(&tree, "configurations").unwrap_or_default();
    let configurations = configurations.iter().filter_map(|id| tree.scalar(*id));
    entries.extend(configurations.map(|path| (plain(path).to_string(), String::new())));
    let mut add = |name: &str, says: String| {
        entries.entry(format!("the definition of {name}")).or_default().push_str(&says);
    };
    for (name, all) in &lists.generators {
        let ours = all.iter().filter(|(_, id)| lists.is_ours(*id));
        ours.for_each(|(_, id)| add(name, all_text(&tree, *id)));
    }
    for (name, all) in &lists.patches {
        all.iter().for_each(|(_, patch)| add(&name.replace("\\.", "."), patch.to_string()));
    }
    entries
}

/// All text in a part of a document; a part that aliases repeat occurs once.
fn all_text(tree: &Tree<'_>, id: Id) -> String {
    scalars(tree, vec![id]).join("\n")
}

fn scalars<'a>(tree: &'a Tree<'_>, mut parts: Vec<Id>) -> Vec<&'a str> {
    let (mut scalars, mut seen) = (Vec::new(), BTreeSet::new());
    while let Some(id) = parts.pop() {
        if seen.insert(tree.target(id)) {
            scalars.extend(tree.scalar(id));
            parts.extend(tree.items(id));
            parts.extend(tree.entries(id).iter().flat_map(|entry| [entry.value, entry.key]));
        }
    }
    scalars
}

/// The paths that people exclude from `resources`: in a comment (`# - connections/crm.yaml`), or by naming them
/// elsewhere in the file (a patch).
fn left_out(text: &str, tree: &Tree<'_>) -> BTreeSet<String> {
    let commented = text.lines().filter_map(|line| {
        let item = line.trim_start().strip_prefix('#')?.trim_start_matches(['#', ' ']).strip_prefix("- ")?;
        let path = item.split(" #").next().unwrap_or(item).trim().trim_matches(['"', '\'']);
        (!path.is_empty()).then(|| plain(path).to_string())
    });
    let mut left: BTreeSet<String> = commented.collect();
    let elsewhere = |key: &str| !["resources", "configurations", "configMapGenerator"].contains(&key);
    let parts = tree.entries(tree.root).iter().filter(|entry| tree.scalar(entry.key).is_some_and(elsewhere));
    left.extend(
        scalars(tree, parts.map(|entry| entry.value).collect()).into_iter().map(|text| plain(text).to_string()),
    );
    left
}

/// The evaluated parts of a kustomization.
struct KustomizationLists<'a, 't> {
    tree: &'a Tree<'t>,
    /// The paths that people exclude from `resources`.
    left_out: BTreeSet<String>,
    /// The items of `resources`, with their indexes.
    resources: BTreeMap<&'a str, usize>,
    /// The generators of ConfigMaps, by name.
    generators: BTreeMap<&'a str, Vec<(usize, Id)>>,
    /// The patches of definitions, by the name of their target as written.
    patches: BTreeMap<&'a str, Vec<(usize, &'a str)>>,
}

impl<'a, 't> KustomizationLists<'a, 't> {
    fn of(source: &str, tree: &'a Tree<'t>) -> EditResult<Self> {
        let left_out = left_out(source, tree);
        let (resources, generators, patches) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut lists = KustomizationLists { tree, left_out, resources, generators, patches };
        for (at, id) in items(tree, "resources")?.iter().enumerate() {
            if let Some(text) = tree.scalar(*id) {
                lists.resources.insert(plain(text), at);
            }
        }
        for (at, id) in items(tree, "configMapGenerator")?.iter().enumerate() {
            if let Some(name) = text(tree, *id, &["name"]) {
                lists.generators.entry(name).or_default().push((at, *id));
            }
        }
        for (at, id) in items(tree, "patches")?.iter().enumerate() {
            let of = |key: &str| text(tree, *id, &["target", key]);
            let is_ours = of("kind") == Some(Kind::Integration.as_str()) && of("group").is_none_or(|g| g == GROUP);
            let patch = text(tree, *id, &["patch"]).filter(|patch| is_ours && patch.contains("/spec/definition"));
            if let (Some(name), Some(patch)) = (of("name"), patch) {
                lists.patches.entry(name).or_default().push((at, patch));
            }
        }
        Ok(lists)
    }

    /// Whether Stablekey maintains a generator.
    fn is_ours(&self, generator: Id) -> bool {
        text(self.tree, generator, &["options", "labels", LABEL]) == Some("true")
    }

    /// Whether a generator creates the ConfigMap of a definition.
    fn makes(&self, generator: Id, definition: &str) -> bool {
        let files = self.tree.get(generator, "files").map(|id| self.tree.items(id)).unwrap_or_default();
        let [file] = files else { return false };
        let source = self.tree.scalar(*file).and_then(|text| text.strip_prefix("definition="));
        let option = |name: &str| text(self.tree, generator, &["options", name]);
        self.is_ours(generator)
            && source.is_some_and(|path| plain(path) == definition)
            && option("immutable") == Some("true")
            && option("disableNameSuffixHash") != Some("true")
    }

    /// The patches for an integration's definition.
    fn patches_of(&self, integration: &str) -> Vec<(usize, &'a str)> {
        let target = target_name(integration);
        let of = |name: &str| self.patches.get(name).cloned().unwrap_or_default();
        let mut all = of(&target);
        if target != integration {
            all.extend(of(integration));
        }
        all
    }
}

/// The items of a list; empty if it does not exist.
fn items<'a>(tree: &'a Tree<'_>, list: &'static str) -> EditResult<&'a [Id]> {
    match tree.get(tree.root, list) {
        None => Ok(&[]),
        Some(id) if tree.is_null(id) => Ok(&[]),
        Some(id) => tree.list(id).ok_or(KustomizationError::NoList(list)),
    }
}

fn text<'a>(tree: &'a Tree<'_>, id: Id, path: &[&str]) -> Option<&'a str> {
    let found = path.iter().try_fold(id, |id, key| tree.get(id, key))?;
    tree.scalar(found)
}

/// The necessary changes.
struct Needed<'a, 't> {
    file: &'a KustomizationLists<'a, 't>,
    wanted: &'a DesiredEntries,
    sets: Vec<Edit>,
    lists: Vec<ListEdit>,
}

impl Needed<'_, '_> {
    fn find(&mut self) -> EditResult<()> {
        let is_set =
            |key: &&str| text(self.file.tree, self.file.tree.root, &[key]).is_some_and(|text| !text.is_empty());
        if let Some(key) = ["namePrefix", "nameSuffix"].into_iter().find(is_set) {
            return Err(KustomizationError::Names(key));
        }
        let (listed, dropped) = self.resources()?;
        let is_brought = |(_, defined): &(&String, &DefinedIntegration)| is_covered(&defined.manifest, &listed);
        let definitions: Vec<(&String, &DefinedIntegration)> =
            self.wanted.definitions.iter().filter(is_brought).collect();
        let mut generators = Vec::new();
        let mut patches = Vec::new();
        for (integration, defined) in &definitions {
            generators.extend(self.generator(integration, &defined.definition)?);
            patches.extend(self.patch(integration)?);
        }
        let (gone_generators, gone_patches) = self.gone();
        let configurations =
            items(self.file.tree, "configurations")?.iter().filter_map(|id| self.file.tree.scalar(*id));
        let is_referred = configurations.map(plain).any(|path| path == REFERENCES);
        let references: Vec<Value> =
            (!is_referred && !definitions.is_empty()).then(|| json!(REFERENCES)).into_iter().collect();
        let is_new = |path: &String| !self.file.resources.contains_key(path.as_str());
        let added: Vec<Value> = listed.into_iter().filter(is_new).map(|path| json!(path)).collect();
        for (list, gone) in [("resources", dropped), ("configMapGenerator", gone_generators), ("patches", gone_patches)]
        {
            // From the last to the first, so that the other indexes stay valid.
            self.lists.extend(gone.into_iter().rev().map(|index| ListEdit::Drop { list, index }));
        }
        let appended = [
            ("resources", added),
            ("configurations", references),
            ("configMapGenerator", generators),
            ("patches", patches),
        ];
        let appended = appended.into_iter().filter(|(_, items)| !items.is_empty());
        self.lists.extend(appended.map(|(list, items)| ListEdit::Append { list, items }));
        Ok(())
    }

    /// The items of `resources` after the change, and the indexes of removed items.
    fn resources(&self) -> EditResult<(BTreeSet<String>, Vec<usize>)> {
        let is_wanted = |path: &&String| !self.file.left_out.contains(*path);
        if items(self.file.tree, "resources")?.is_empty() {
            return Ok((self.wanted.files.iter().filter(is_wanted).cloned().collect(), Vec::new()));
        }
        let there = &self.file.resources;
        let mut gone: Vec<usize> =
            self.wanted.removed.iter().filter_map(|path| there.get(path.as_str()).copied()).collect();
        gone.sort_unstable();
        let stays = there.keys().map(ToString::to_string).filter(|path| !self.wanted.removed.contains(path));
        let mut listed: BTreeSet<String> = stays.collect();
        // A folder in the list has its own kustomization.
        let new = self.wanted.added.iter().filter(is_wanted).filter(|path| !is_covered(path, &listed));
        let new: Vec<&String> = new.collect();
        listed.extend(new.into_iter().cloned());
        Ok((listed, gone))
    }

    /// The generator of a definition, if it must be added; an outdated one is corrected.
    fn generator(&mut self, integration: &str, definition: &str) -> EditResult<Option<Value>> {
        if definition.contains('=') {
            return Err(KustomizationError::Path(definition.to_string()));
        }
        let options = self.file.tree.get(self.file.tree.root, "generatorOptions");
        if options.is_some_and(|id| text(self.file.tree, id, &["disableNameSuffixHash"]) == Some("true")) {
            return Err(KustomizationError::NoHash);
        }
        let name = name_of_generator(integration);
        let generator = json!({
            "name": name,
            "files": [format!("definition={definition}")],
            "options": {"immutable": true, "labels": {LABEL: "true"}},
        });
        let there = self.file.generators.get(name.as_str()).and_then(|all| all.first());
        match there.copied() {
            None => Ok(Some(generator)),
            Some((_, id)) if self.file.makes(id, definition) => Ok(None),
            Some((_, id)) if !self.file.is_ours(id) => Err(KustomizationError::Generator(name)),
            Some(_) => {
                let path = vec!["configMapGenerator".to_string(), name];
                self.sets.push(Edit::Set { path, value: generator });
                Ok(None)
            }
        }
    }

    /// The patch that makes an integration refer to its ConfigMap, if it must be added.
    fn patch(&self, integration: &str) -> EditResult<Option<Value>> {
        let patch = patch_of(integration);
        match self.file.patches_of(integration).as_slice() {
            [] => {
                let target =
                    json!({"group": GROUP, "kind": Kind::Integration.as_str(), "name": target_name(integration)});
                Ok(Some(json!({"target": target, "patch": patch})))
            }
            [(_, there)] if have_same_value(there, &patch) => Ok(None),
            _ => Err(KustomizationError::Patch(integration.to_string())),
        }
    }

    /// The generators and patches of integrations that no longer have a definition.
    fn gone(&self) -> (Vec<usize>, Vec<usize>) {
        let (mut generators, mut patches) = (Vec::new(), Vec::new());
        for integration in &self.wanted.gone {
            let of_name = self.file.generators.get(name_of_generator(integration).as_str()).into_iter().flatten();
            generators.extend(of_name.filter(|(_, id)| self.file.is_ours(*id)).map(|(at, _)| at));
            let ours = patch_of(integration);
            let of_it = self.file.patches_of(integration).into_iter();
            patches.extend(of_it.filter(|(_, patch)| have_same_value(patch, &ours)).map(|(at, _)| at));
        }
        generators.sort_unstable();
        patches.sort_unstable();
        (generators, patches)
    }
}

/// The name of a definition's ConfigMap, to which Kustomize appends a hash.
fn name_of_generator(integration: &str) -> String {
    if integration.len() <= LONGEST {
        return integration.to_string();
    }
    let digest = Digest::of(integration.as_bytes()).to_string();
    let digest: String = digest.trim_start_matches("sha256:").chars().take(16).collect();
    let head: String = integration.chars().take(LONGEST - digest.len() - 1).collect();
    format!("{}-{digest}", head.trim_end_matches(['-', '.']))
}

/// The name of an integration as the target of a patch, which is a regular expression.
fn target_name(integration: &str) -> String {
    integration.replace('.', "\\.")
}

fn patch_of(integration: &str) -> String {
    let name = name_of_generator(integration);
    format!("- op: replace\n  path: /spec/definition\n  value: {{configMap: {{name: \"{name}\"}}}}\n")
}

/// A path without redundant parts.
fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_end_matches('/')
}

/// Whether a file is listed, by itself or by a folder that contains it.
fn is_covered(path: &str, listed: &BTreeSet<String>) -> bool {
    let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
    listed.contains(".") || listed.contains(path) || folders.into_iter().any(|folder| listed.contains(folder))
}

#[cfg(test)]
mod tests;
