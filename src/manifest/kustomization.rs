//! A kustomization that brings a tenant's folder to a cluster, definitions included: what must stand in it, kept
//! there line by line beside what people wrote.
//!
//! Kustomize names a generated ConfigMap by what it holds, and writes that name wherever a name reference says. So a
//! changed definition is another ConfigMap, which the Integration names.

use super::cut::cut;
use super::edit::{Edit, EditError, ListEdit, Rewrite, What, edit_lists, rewrite, say_the_same};
use super::node::{self, Id, Tree};
use crate::api::{GROUP, Kind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The names that a kustomization can have, the first first.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// The file beside it that says where an Integration names a ConfigMap.
pub const REFERENCES: &str = "stablekey.kustomizeconfig.yaml";
/// What that file holds.
pub const REFERENCES_TEXT: &str = "\
# Written by Stablekey: where an Integration names the ConfigMap of its definition.
nameReference:
  - kind: ConfigMap
    fieldSpecs:
      - group: stablekey.dev
        kind: Integration
        path: spec/definition/configMap/name
";
/// The label of a ConfigMap that holds a definition.
const LABEL: &str = "stablekey.dev/definition";
/// A kustomization in which nothing stands yet.
const NEW: &str = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
/// The longest name to which Kustomize's hash can still be added.
const LONGEST: usize = 242;

/// What a kustomization must say. Paths are as seen from its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// All files with objects: what is listed where it lists none.
    pub files: BTreeSet<String>,
    /// Files that are new.
    pub added: BTreeSet<String>,
    /// Files that are gone.
    pub removed: BTreeSet<String>,
    /// The definitions, by integration.
    pub definitions: BTreeMap<String, Defined>,
    /// Integrations that have no definition any more.
    pub gone: BTreeSet<String>,
}

/// Where an integration and its definition stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defined {
    /// The file of the Integration.
    pub manifest: String,
    /// The file of its definition.
    pub definition: String,
}

/// Why a kustomization cannot be kept, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KustomizationError {
    /// It is not one document.
    #[error("it holds several documents, and Kustomize reads one: keep one")]
    Documents,
    /// One of its lists is none.
    #[error("{0} is no list: write it as one")]
    NoList(&'static str),
    /// All generated names are without a hash.
    #[error(
        "generatorOptions.disableNameSuffixHash: true gives a changed definition the name of the old one, whose ConfigMap \
         cannot change: take it out"
    )]
    NoHash,
    /// A ConfigMap of the name that a definition takes.
    #[error(
        "configMapGenerator has a {0} without label {LABEL}, and the definition of Integration {0} takes that name: rename it"
    )]
    Generator(String),
    /// A patch of a definition that somebody else wrote.
    #[error("patches has another patch of /spec/definition for Integration {0}: remove it, and it is written anew")]
    Patch(String),
    /// A file whose name Kustomize cannot read.
    #[error("Kustomize reads no definition from {0}, because of the = in its name: rename it")]
    Path(String),
    /// It is written in a way that cannot be edited.
    #[error("{0}")]
    Edit(#[from] EditError),
}

type Result<T> = std::result::Result<T, KustomizationError>;

/// The kustomization with all that is wanted in it; `None` where all of it is there.
pub fn keep(text: &str, wanted: &Wanted) -> Result<Option<String>> {
    let slices = cut(text);
    let mut new = match slices.as_slice() {
        [] => format!("{text}{}{NEW}", if text.is_empty() || text.ends_with('\n') { "" } else { "\n" }),
        [_] => text.to_string(),
        _ => return Err(KustomizationError::Documents),
    };
    let (sets, lists) = {
        let tree = node::parse(&new).ok().flatten().ok_or(EditError::Unreadable)?;
        let mut needed = Needed { file: &Lists { tree: &tree }, wanted, sets: Vec::new(), lists: Vec::new() };
        needed.find()?;
        (needed.sets, needed.lists)
    };
    if !sets.is_empty() {
        let range = cut(&new).first().map(|slice| slice.range.clone()).unwrap_or_default();
        let rewritten = rewrite(&new, &[Rewrite { range, item: None, what: What::Edit(sets) }]);
        rewritten.results.into_iter().collect::<std::result::Result<(), _>>()?;
        new = rewritten.text.ok_or(EditError::Unreadable)?;
    }
    new = edit_lists(&new, &lists)?;
    Ok((new != text).then_some(new))
}

/// The lists of a kustomization.
struct Lists<'a, 't> {
    tree: &'a Tree<'t>,
}

impl Lists<'_, '_> {
    /// The items of a list; none where there is no list.
    fn items(&self, list: &'static str) -> Result<&[Id]> {
        match self.tree.get(self.tree.root, list) {
            None => Ok(&[]),
            Some(id) if self.tree.is_null(id) => Ok(&[]),
            Some(id) => self.tree.list(id).ok_or(KustomizationError::NoList(list)),
        }
    }

    fn text(&self, id: Id, path: &[&str]) -> Option<&str> {
        let found = path.iter().try_fold(id, |id, key| self.tree.get(id, key))?;
        self.tree.scalar(found)
    }

    /// The texts of a list, with their positions.
    fn texts(&self, list: &'static str) -> Result<Vec<(usize, &str)>> {
        let items = self.items(list)?.iter().enumerate();
        Ok(items.filter_map(|(at, id)| Some((at, self.tree.scalar(*id)?))).collect())
    }

    /// The generators of this name.
    fn generators<'s>(&'s self, name: &'s str) -> Result<impl Iterator<Item = (usize, Id)> + 's> {
        let items = self.items("configMapGenerator")?.iter().copied().enumerate();
        Ok(items.filter(move |(_, id)| self.text(*id, &["name"]) == Some(name)))
    }

    /// Whether a generator is one that we keep.
    fn is_ours(&self, generator: Id) -> bool {
        self.text(generator, &["options", "labels", LABEL]) == Some("true")
    }

    /// Whether a generator makes the ConfigMap of a definition.
    fn makes(&self, generator: Id, definition: &str) -> bool {
        let files = self.tree.get(generator, "files").map(|id| self.tree.items(id)).unwrap_or_default();
        let [file] = files else { return false };
        let source = self.tree.scalar(*file).and_then(|text| text.strip_prefix("definition="));
        self.is_ours(generator)
            && source.is_some_and(|path| plain(path) == definition)
            && self.text(generator, &["options", "immutable"]) == Some("true")
            && self.text(generator, &["options", "disableNameSuffixHash"]) != Some("true")
    }

    /// The patches of an integration's definition.
    fn patches(&self, integration: &str) -> Result<Vec<(usize, &str)>> {
        let target = target_name(integration);
        let is_it = |id: Id| {
            let of = |key: &str| self.text(id, &["target", key]);
            of("kind") == Some(Kind::Integration.as_str())
                && of("group").is_none_or(|group| group == GROUP)
                && of("name").is_some_and(|name| name == target || name == integration)
        };
        let items = self.items("patches")?.iter().enumerate().filter(|(_, id)| is_it(**id));
        let patches = items.filter_map(|(at, id)| Some((at, self.text(*id, &["patch"])?)));
        Ok(patches.filter(|(_, patch)| patch.contains("/spec/definition")).collect())
    }
}

/// What must change.
struct Needed<'a, 't> {
    file: &'a Lists<'a, 't>,
    wanted: &'a Wanted,
    sets: Vec<Edit>,
    lists: Vec<ListEdit>,
}

impl Needed<'_, '_> {
    fn find(&mut self) -> Result<()> {
        let (listed, dropped) = self.resources()?;
        let covers = |path: &str| listed.iter().any(|entry| is_covered(path, entry));
        let definitions: Vec<(&String, &Defined)> =
            self.wanted.definitions.iter().filter(|(_, defined)| covers(&defined.manifest)).collect();
        let mut generators = Vec::new();
        let mut patches = Vec::new();
        for (integration, defined) in &definitions {
            generators.extend(self.generator(integration, &defined.definition)?);
            patches.extend(self.patch(integration)?);
        }
        let (gone_generators, gone_patches) = self.gone()?;
        let references: Vec<Value> =
            match self.file.texts("configurations")?.iter().any(|(_, t)| plain(t) == REFERENCES) {
                false if !definitions.is_empty() => vec![json!(REFERENCES)],
                _ => Vec::new(),
            };
        let added: Vec<Value> =
            listed.into_iter().filter(|path| !self.is_listed(path)).map(|path| json!(path)).collect();
        for (list, gone) in [("resources", dropped), ("configMapGenerator", gone_generators), ("patches", gone_patches)]
        {
            // From the last to the first, so that the places of the others stay.
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

    fn is_listed(&self, path: &str) -> bool {
        self.file.texts("resources").is_ok_and(|texts| texts.iter().any(|(_, text)| plain(text) == path))
    }

    /// What `resources` will list, and which of its items go.
    fn resources(&self) -> Result<(BTreeSet<String>, Vec<usize>)> {
        let texts = self.file.texts("resources")?;
        if self.file.items("resources")?.is_empty() {
            return Ok((self.wanted.files.clone(), Vec::new()));
        }
        let is_gone = |text: &str| self.wanted.removed.contains(plain(text));
        let gone: Vec<usize> = texts.iter().filter(|(_, text)| is_gone(text)).map(|(at, _)| *at).collect();
        let stays = texts.iter().filter(|(_, text)| !is_gone(text));
        let mut listed: BTreeSet<String> = stays.map(|(_, text)| plain(text).to_string()).collect();
        for path in &self.wanted.added {
            // A folder in the list has a kustomization of its own.
            if !listed.iter().any(|entry| is_covered(path, entry)) {
                listed.insert(path.clone());
            }
        }
        Ok((listed, gone))
    }

    /// The generator of a definition, where it is to be added; one that says something else is corrected.
    fn generator(&mut self, integration: &str, definition: &str) -> Result<Option<Value>> {
        if definition.contains('=') {
            return Err(KustomizationError::Path(definition.to_string()));
        }
        let options = self.file.tree.get(self.file.tree.root, "generatorOptions");
        if options.is_some_and(|id| self.file.text(id, &["disableNameSuffixHash"]) == Some("true")) {
            return Err(KustomizationError::NoHash);
        }
        let name = name_of_generator(integration);
        let generator = json!({
            "name": name,
            "files": [format!("definition={definition}")],
            "options": {"immutable": true, "labels": {LABEL: "true"}},
        });
        let there = self.file.generators(&name)?.next();
        match there {
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

    /// The patch that has an integration name its ConfigMap, where it is to be added.
    fn patch(&self, integration: &str) -> Result<Option<Value>> {
        let patch = patch_of(integration);
        match self.file.patches(integration)?.as_slice() {
            [] => {
                let target =
                    json!({"group": GROUP, "kind": Kind::Integration.as_str(), "name": target_name(integration)});
                Ok(Some(json!({"target": target, "patch": patch})))
            }
            [(_, there)] if say_the_same(there, &patch) => Ok(None),
            _ => Err(KustomizationError::Patch(integration.to_string())),
        }
    }

    /// The generators and patches of integrations that have no definition any more.
    fn gone(&self) -> Result<(Vec<usize>, Vec<usize>)> {
        let (mut generators, mut patches) = (Vec::new(), Vec::new());
        for integration in &self.wanted.gone {
            let name = name_of_generator(integration);
            let of_name = self.file.generators(&name)?;
            generators.extend(of_name.filter(|(_, id)| self.file.is_ours(*id)).map(|(at, _)| at));
            let ours = patch_of(integration);
            let of_it = self.file.patches(integration)?.into_iter();
            patches.extend(of_it.filter(|(_, patch)| say_the_same(patch, &ours)).map(|(at, _)| at));
        }
        generators.sort_unstable();
        patches.sort_unstable();
        Ok((generators, patches))
    }
}

/// The name of a definition's ConfigMap, to which Kustomize adds a hash.
fn name_of_generator(integration: &str) -> String {
    if integration.len() <= LONGEST {
        return integration.to_string();
    }
    let digest: String = super::definition::digest(integration.as_bytes()).chars().take(16).collect();
    let head: String = integration.chars().take(LONGEST - digest.len() - 1).collect();
    format!("{}-{digest}", head.trim_end_matches(['-', '.']))
}

/// An integration's name as the target of a patch, which is a regular expression.
fn target_name(integration: &str) -> String {
    integration.replace('.', "\\.")
}

fn patch_of(integration: &str) -> String {
    let name = name_of_generator(integration);
    format!("- op: replace\n  path: /spec/definition\n  value: {{configMap: {{name: \"{name}\"}}}}\n")
}

/// A path without what says nothing.
fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_end_matches('/')
}

/// Whether a file is listed by an entry: itself, or the folder that it lies in.
fn is_covered(path: &str, entry: &str) -> bool {
    path == entry || path.strip_prefix(entry).is_some_and(|rest| rest.starts_with('/')) || entry == "."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    /// Integrations with a definition each, in files of their names.
    fn wanted(integrations: &[&str]) -> Wanted {
        let manifest = |name: &str| format!("integrations/{name}.yaml");
        let defined = |name: &&str| {
            let definition = format!("integrations/{name}.definition");
            (name.to_string(), Defined { manifest: manifest(name), definition })
        };
        let files: BTreeSet<String> = integrations.iter().map(|name| manifest(name)).collect();
        let added = files.clone();
        Wanted { files, added, definitions: integrations.iter().map(defined).collect(), ..Wanted::default() }
    }

    #[track_caller]
    fn kept(text: &str, wanted: &Wanted) -> String {
        let new = keep(text, wanted).unwrap().unwrap_or_else(|| text.to_string());
        assert_eq!(keep(&new, wanted), Ok(None), "a second time:\n{new}");
        new
    }

    #[test]
    fn a_new_one_lists_everything() {
        let all = Wanted { files: texts(&["connections/crm.yaml", "integrations/lead.yaml"]), ..wanted(&["lead"]) };
        insta::assert_snapshot!(kept(NEW, &all));
        assert_eq!(kept("# ours\n", &all), format!("# ours\n{}", kept(NEW, &all)));
        assert_eq!(keep(NEW, &Wanted::default()), Ok(None));
    }

    #[test]
    fn what_people_wrote_stays_and_ours_comes_behind_it() {
        let text = "\
# What Flux applies.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: us-prod
resources:
- tenant.yaml   # the tenant itself
- integrations/other.yaml
labels:
- pairs: {team: crm}
configMapGenerator:
- name: theirs
  literals: [a=b]
patches:
- path: theirs.yaml
- target: {kind: Integration, name: lead}
  patch: |-
    - {op: add, path: /metadata/labels, value: {}}
";
        let new = kept(text, &wanted(&["lead"]));
        insta::assert_snapshot!(new);
        // And goes again.
        let gone = Wanted { removed: texts(&["integrations/lead.yaml"]), gone: texts(&["lead"]), ..Wanted::default() };
        let without = kept(&new, &gone);
        assert_eq!(without, format!("{text}configurations:\n  - {REFERENCES}\n"));
    }

    #[test]
    fn a_definition_in_another_file_is_followed() {
        let text = kept(NEW, &wanted(&["lead"]));
        let mut moved = wanted(&["lead"]);
        moved.definitions.get_mut("lead").unwrap().definition = "integrations/lead-2.definition".to_string();
        let new = kept(&text, &moved);
        assert_eq!(
            new,
            text.replace("definition=integrations/lead.definition", "definition=integrations/lead-2.definition")
        );
        let loose = text.replace("immutable: true", "immutable: false");
        assert_eq!(kept(&loose, &wanted(&["lead"])), text);
    }

    /// What it does not list is not ours to bring, and a folder that it lists has a kustomization of its own.
    #[test]
    fn only_what_is_listed_is_brought() {
        let other = Wanted { added: BTreeSet::new(), ..wanted(&["lead"]) };
        assert_eq!(keep("resources: [x.yaml]\n", &other), Ok(None));
        let folder = kept("resources:\n- ./integrations/\n", &wanted(&["lead"]));
        assert!(folder.starts_with("resources:\n- ./integrations/\nconfigurations:\n"), "{folder}");
        assert!(folder.contains("definition=integrations/lead.definition"), "{folder}");
    }

    /// A name is a regular expression where a patch names its target, and a hash is added to that of a ConfigMap.
    #[test]
    fn names_are_written_so_that_they_mean_themselves() {
        let new = kept(NEW, &wanted(&["a.b"]));
        assert!(new.contains("name: \"a\\\\.b\"\n") && new.contains("{configMap: {name: \"a.b\"}}"), "{new}");
        assert_eq!(name_of_generator(&"x".repeat(242)).len(), 242);
        assert!(name_of_generator(&"x".repeat(253)).len() <= 242);
        assert_ne!(name_of_generator(&"x".repeat(253)), name_of_generator(&"x".repeat(252)));
    }

    #[test]
    fn what_cannot_be_kept_says_what_to_do() {
        let lead = wanted(&["lead"]);
        let said = |text: &str, wanted: &Wanted| keep(text, wanted).unwrap_err().to_string();
        let mut strange = lead.clone();
        strange.definitions.get_mut("lead").unwrap().definition = "integrations/a=b".to_string();
        let said = [
            said("a: 1\n---\nb: 2\n", &lead),
            said("a: [\n", &lead),
            said("resources: 7\n", &lead),
            said("generatorOptions: {disableNameSuffixHash: true}\n", &lead),
            said("configMapGenerator: [{name: lead, literals: [a=b]}]\n", &lead),
            said(
                "patches: [{target: {kind: Integration, name: lead}, patch: '[{\"op\": \"remove\", \"path\": \"/spec/definition\"}]'}]\n",
                &lead,
            ),
            said("a: &r [x.yaml]\nresources: *r\n", &lead),
            said("", &strange),
        ];
        insta::assert_snapshot!(said.join("\n"));
    }

    /// A patch of ours that somebody wrote in another form is ours all the same.
    #[test]
    fn the_same_patch_in_another_form_is_enough() {
        let text = kept(NEW, &wanted(&["lead"]));
        let patch =
            r#"    patch: '[{"op": "replace", "path": "/spec/definition", "value": {"configMap": {"name": "lead"}}}]'"#;
        let start = text.find("  - patch: |").unwrap();
        let end = text.find("    target:").unwrap();
        let other = format!("{}  - {}\n{}", &text[..start], patch.trim_start(), &text[end..]);
        assert_eq!(keep(&other, &wanted(&["lead"])), Ok(None), "{other}");
    }
}
