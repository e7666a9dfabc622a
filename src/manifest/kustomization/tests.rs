use super::*;

fn texts(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// Integrations with a definition each, in files with their names.
fn wanted(integrations: &[&str]) -> DesiredEntries {
    let manifest = |name: &str| format!("integrations/{name}.yaml");
    let defined = |name: &&str| {
        let definition = format!("integrations/{name}.definition");
        (name.to_string(), DefinedIntegration { manifest: manifest(name), definition })
    };
    let files: BTreeSet<String> = integrations.iter().map(|name| manifest(name)).collect();
    let added = files.clone();
    DesiredEntries {
        files,
        added,
        definitions: integrations.iter().map(defined).collect(),
        ..DesiredEntries::default()
    }
}

#[track_caller]
fn kept(text: &str, wanted: &DesiredEntries) -> String {
    let new = keep(text, wanted).unwrap().unwrap_or_else(|| text.to_string());
    assert_eq!(keep(&new, wanted), Ok(None), "a second time:\n{new}");
    new
}

#[test]
fn a_new_one_lists_everything() {
    let all = DesiredEntries { files: texts(&["connections/crm.yaml", "integrations/lead.yaml"]), ..wanted(&["lead"]) };
    insta::assert_snapshot!(kept(NEW, &all));
    assert_eq!(kept("# ours\n", &all), format!("# ours\n{}", kept(NEW, &all)));
    assert_eq!(keep(NEW, &DesiredEntries::default()), Ok(None));
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
    // It is removed again.
    let gone = DesiredEntries {
        removed: texts(&["integrations/lead.yaml"]),
        gone: texts(&["lead"]),
        ..DesiredEntries::default()
    };
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

/// A file that is not listed is not added, and a listed folder has its own kustomization.
#[test]
fn only_what_is_listed_is_brought() {
    let other = DesiredEntries { added: BTreeSet::new(), ..wanted(&["lead"]) };
    assert_eq!(keep("resources: [x.yaml]\n", &other), Ok(None));
    let folder = kept("resources:\n- ./integrations/\n", &wanted(&["lead"]));
    assert!(folder.starts_with("resources:\n- ./integrations/\nconfigurations:\n"), "{folder}");
    assert!(folder.contains("definition=integrations/lead.definition"), "{folder}");
}

/// The target of a patch is a regular expression, and a hash is appended to the name of a ConfigMap.
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
    let messages = |text: &str, wanted: &DesiredEntries| keep(text, wanted).unwrap_err().to_string();
    let mut strange = lead.clone();
    strange.definitions.get_mut("lead").unwrap().definition = "integrations/a=b".to_string();
    let messages = [
        messages("a: 1\n---\nb: 2\n", &lead),
        messages("a: [\n", &lead),
        messages("resources: 7\n", &lead),
        messages("generatorOptions: {disableNameSuffixHash: true}\n", &lead),
        messages("namePrefix: eu-\n", &lead),
        messages("nameSuffix: -eu\n", &DesiredEntries::default()),
        messages("configMapGenerator: [{name: lead, literals: [a=b]}]\n", &lead),
        messages(
            "patches: [{target: {kind: Integration, name: lead}, patch: '[{\"op\": \"remove\", \"path\": \"/spec/definition\"}]'}]\n",
            &lead,
        ),
        messages("a: &r [x.yaml]\nresources: *r\n", &lead),
        messages("", &strange),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

/// An empty prefix changes no name.
#[test]
fn an_empty_prefix_is_none() {
    let text = kept(NEW, &wanted(&["lead"]));
    assert_eq!(keep(&format!("{text}namePrefix: ''\n"), &wanted(&["lead"])), Ok(None));
}

/// A patch with the same effect in another form is accepted.
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

/// A person excludes a file by a comment, or by naming it in another part.
#[test]
fn what_people_leave_out_is_not_listed() {
    let text = format!(
        "{NEW}resources:\n- a.yaml\n# - connections/b.yaml\n  #- \"./c.yaml\"  # of the base\n# see d.yaml\npatches:\n- path: \
         e.yaml\n"
    );
    let files = texts(&["a.yaml", "connections/b.yaml", "c.yaml", "d.yaml", "e.yaml"]);
    let wanted = DesiredEntries { added: files.clone(), files, ..DesiredEntries::default() };
    let new = kept(&text, &wanted);
    assert_eq!(listed(&new).unwrap().resources, texts(&["a.yaml", "d.yaml"]), "{new}");
    assert_eq!(KustomizationChanges::between(&text, &new).come, ["d.yaml"]);
    let fresh = kept(&text.replace("resources:\n- a.yaml\n", ""), &wanted);
    assert_eq!(listed(&fresh).unwrap().resources, texts(&["a.yaml", "d.yaml"]), "{fresh}");
}

#[test]
fn what_comes_and_goes_is_named() {
    let all = kept(NEW, &wanted(&["a.b"]));
    let changes = KustomizationChanges::between(NEW, &all);
    assert_eq!(changes.come, ["integrations/a.b.yaml", REFERENCES, "the definition of a.b"]);
    assert!(changes.go.is_empty() && KustomizationChanges::between(&all, &all).is_empty());
    assert_eq!(KustomizationChanges::between(&all, NEW).go, changes.come);
    let other = all.replace("a.b.definition", "c.definition");
    let changed = KustomizationChanges { come: vec!["the definition of a.b".to_string()], go: Vec::new() };
    assert_eq!(KustomizationChanges::between(&all, &other), changed);
    assert_eq!(listed(&all).unwrap().definitions, texts(&["a.b"]));
    // Each part is evaluated once, however often aliases repeat it.
    let mut laughs = format!("{NEW}x0: &x0 [lol, lol]\n");
    (1..40).for_each(|n| laughs.push_str(&format!("x{n}: &x{n} [*x{0}, *x{0}]\n", n - 1)));
    assert!(listed(&laughs).is_ok());
}
