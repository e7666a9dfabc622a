//! In a folder with a `kustomization.yaml`, apply and import maintain in it a configMapGenerator (immutable), one patch
//! per integration that replaces `definition: {file}` by `{configMap}`, and a name reference.

use crate::edges::files::*;

const NEW: &str = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
const FILE: &str = "prod/kustomization.yaml";
const REFERENCES: &str = "prod/stablekey.kustomizeconfig.yaml";

fn defined(name: &str) -> String {
    integration(name, "chat-main", &format!("  definition: {{file: {name}.definition}}\n"))
}

/// Dev has greet with a definition; prod, which is empty, has a kustomization.
fn base() -> Project {
    two_tenants()
        .with("dev/integrations/greet.yaml", &defined("greet"))
        .with("dev/integrations/greet.definition", &definition("Greet", "7", "chat-main"))
        .with(FILE, NEW)
}

/// Returns the items of `resources`.
fn resources(root: &Project) -> Vec<String> {
    let text = root.read(FILE);
    let (_, rest) = text.split_once("resources:\n").unwrap_or_else(|| panic!("{text}"));
    rest.lines().map_while(|line| line.trim_start().strip_prefix("- ").map(str::to_string)).collect()
}

/// A kustomization is not a manifest, although it names Stablekey's kinds.
#[test]
fn a_kustomization_is_skipped() {
    let root = base().apply();
    // Neither the kustomization nor the files that Stablekey writes beside it count as "documents of other kinds".
    root.run(&["validate"]).exits(0).does_not_print("of other kinds");
    let headless = root.read(FILE).replace(NEW, "");
    root.write(FILE, &headless);
    root.run(&["validate"]).exits(0).does_not_print("of other kinds");
    root.plan().exits(0);
}

#[test]
fn created_files_are_listed_and_removed_ones_are_not() {
    let root = base().apply();
    assert_eq!(resources(&root), ["components/chat.yaml", "connections/chat-main.yaml", "integrations/greet.yaml"]);
    let text = root.read(FILE);
    assert!(text.contains("- \"definition=integrations/greet.definition\"\n"), "{text}");
    assert!(text.contains("value: {configMap: {name: \"greet\"}}\n"), "{text}");
    assert!(root.read(REFERENCES).contains("path: spec/definition/configMap/name"));
    // A second run writes nothing.
    let before = root.files("prod");
    let root = root.apply();
    assert_eq!(root.files("prod"), before);
    // Another one is added, one gets a definition of another file, and people's own text is kept.
    let root = root
        .edit(FILE, "resources:\n", "namespace: prod\nresources:\n")
        .with("dev/integrations/wave.yaml", &defined("wave"))
        .with("dev/integrations/wave.definition", &definition("Wave", "7", "chat-main"))
        .apply();
    assert_eq!(resources(&root).last().map(String::as_str), Some("integrations/wave.yaml"));
    assert!(root.read(FILE).contains("namespace: prod\n") && root.read(FILE).contains("wave.definition"));
    let root = root.without("dev/integrations/greet.yaml").without("dev/integrations/greet.definition");
    let root = root.apply();
    assert!(!root.has("prod/integrations/greet.yaml"));
    assert!(!root.read(FILE).contains("greet"), "{}", root.read(FILE));
    assert!(root.read(FILE).contains("wave.definition"));
}

/// An integration that loses its definition loses its patch.
#[test]
fn a_removed_definition_removes_its_entries() {
    let root = base().apply().with("dev/integrations/greet.yaml", &integration("greet", "chat-main", ""));
    let root = root.without("dev/integrations/greet.definition").apply();
    assert!(!root.has("prod/integrations/greet.definition"));
    let text = root.read(FILE);
    assert!(!text.contains("configMapGenerator") && !text.contains("patches") && text.contains("greet.yaml"), "{text}");
}

/// A new kustomization in a folder that is in sync is filled by the next apply; without one nothing is written.
#[test]
fn a_new_kustomization_is_filled_even_alone() {
    let root = base().without(FILE).apply();
    assert!(!root.has(FILE) && !root.has(REFERENCES));
    let root = root.with(FILE, NEW).apply();
    assert_eq!(resources(&root).len(), 3);
    assert!(root.has(REFERENCES) && root.read(FILE).contains("greet.definition"));
    let suspended = root.edit("tenants.yaml", "acceptFrom: [dev]", "suspend: true\n  acceptFrom: [dev]");
    suspended.write(FILE, NEW);
    suspended.run(&["apply", "--yes"]).exits(0);
    assert_eq!(suspended.read(FILE), NEW);
}

#[test]
fn import_updates_it_too() {
    let root = two_tenants().with("dev/kustomization.yaml", NEW).with("in.yml", &definition("Wave", "7", "chat-main"));
    root.run(&["import", "--tenant", "dev", "in.yml"]).exits(0);
    let text = root.read("dev/kustomization.yaml");
    assert!(text.contains("- integrations/wave.yaml\n") && text.contains("integrations/wave.definition"), "{text}");
    assert!(text.contains("- integrations/greet.yaml\n") && root.has("dev/stablekey.kustomizeconfig.yaml"));
}

/// An edit that is not safe is an error that says what to do, and blocks only what needs it.
#[test]
fn an_unsafe_edit_is_reported_and_blocks_what_needs_it() {
    let root = base().with(FILE, &format!("{NEW}generatorOptions: {{disableNameSuffixHash: true}}\n"));
    let said = root.run(&["apply", "--yes"]);
    said.exits(1)
        .prints("prod/kustomization.yaml: generatorOptions.disableNameSuffixHash: true gives")
        .prints("take it out");
    assert!(root.has("prod/connections/chat-main.yaml") && !root.has("prod/integrations"));
    assert_eq!(resources(&root), ["components/chat.yaml", "connections/chat-main.yaml"]);
    let root = root.edit(FILE, "true", "false").apply();
    assert!(root.read(FILE).contains("greet.definition"));
}

/// A connection's name is its stable key: a kustomization that changes names would build what an API server refuses.
#[test]
fn changed_names_are_reported() {
    let root = base().apply().with("prod/connections/more.yaml", &connection("more"));
    for key in ["namePrefix: prod-", "nameSuffix: -prod"] {
        let kept = root.read(FILE);
        root.write(FILE, &format!("{kept}{key}\n"));
        let (name, _) = key.split_once(':').unwrap();
        let said = root.run(&["validate"]);
        said.exits(0)
            .prints("SK0163")
            .prints(&format!("{name} changes the names of connections"))
            .prints("take it out");
        let before = root.files("prod");
        root.run(&["apply", "--yes"]);
        assert_eq!(root.files("prod"), before);
        root.write(FILE, &kept);
    }
}

/// A file of several objects is listed until the last of them is removed; one with documents of other kinds stays
/// listed.
#[test]
fn a_file_is_unlisted_with_its_last_object() {
    let root = base()
        .with("dev/integrations/wave.yaml", &defined("wave"))
        .with("dev/integrations/wave.definition", &definition("Wave", "7", "chat-main"))
        .apply();
    let both =
        format!("{}---\n{}", root.read("prod/integrations/greet.yaml"), root.read("prod/integrations/wave.yaml"));
    let root = root.with("prod/integrations/both.yaml", &both).without("prod/integrations/greet.yaml");
    let root =
        root.without("prod/integrations/wave.yaml").edit(FILE, "integrations/greet.yaml", "integrations/both.yaml");
    let root = root.edit(FILE, "  - integrations/wave.yaml\n", "");
    let root = root.without("dev/integrations/greet.yaml").without("dev/integrations/greet.definition").apply();
    assert_eq!(resources(&root).last().map(String::as_str), Some("integrations/both.yaml"));
    let root = root.edit(
        "prod/integrations/both.yaml",
        "apiVersion",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\napiVersion",
    );
    let root = root.without("dev/integrations/wave.yaml").without("dev/integrations/wave.definition");
    let said = root.plan();
    let digest = said.all.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap_or_default().to_string();
    root.run(&["apply", "--yes", "--approve", &digest]).exits(0);
    assert!(root.read("prod/integrations/both.yaml").contains("kind: Secret"));
    assert_eq!(resources(&root).last().map(String::as_str), Some("integrations/both.yaml"));
    assert!(!root.read(FILE).contains("wave"), "{}", root.read(FILE));
}

/// A link within the folder is followed, and one that leads out is not written through.
#[test]
fn an_outside_link_is_not_written_through() {
    let root = base().with("shared.yaml", NEW).without(FILE).link("../shared.yaml", FILE);
    root.run(&["apply", "--yes"]).exits(1).prints("a link that leads out of the tenant's folder");
    assert_eq!(root.read("shared.yaml"), NEW);
    let root = base().without(FILE).with("prod/.kustomization.yaml", NEW).link(".kustomization.yaml", FILE).apply();
    assert!(root.read("prod/.kustomization.yaml").contains("greet.definition"));
}

/// Consent is needed even if only the kustomization is written.
#[test]
fn a_kustomization_alone_is_written_with_consent_only() {
    let root = base().without(FILE).apply().with(FILE, NEW);
    let lacks = "kustomization.yaml lacks components/chat.yaml, connections/chat-main.yaml, integrations/greet.yaml";
    root.plan().exits(0).prints("SK0163").prints(lacks);
    root.run(&["validate"]).exits(0).prints("SK0163").prints("to leave a file out, list it as a comment there");
    let before = root.files("prod");
    root.run(&["apply"]).exits(0).prints("kustomization.yaml of prod is as it was: give --yes");
    root.run(&["plan", "--out", "plan.json"]).exits(0);
    let other = format!("sha256:{}", "0".repeat(64));
    root.run(&["apply", "--approve", &other]).exits(0).prints("is as it was");
    assert_eq!(root.files("prod"), before);
    // A narrowed plan does not include it.
    root.run(&["apply", "--yes", "--tenant", "dev"]).exits(0).does_not_print("kustomization");
    root.run(&["apply", "--yes", "--integration", "greet"]).exits(0).does_not_print("kustomization");
    assert_eq!(root.files("prod"), before);
    let said = root.run(&["apply", "--plan", "plan.json"]);
    said.exits(0).prints("✓ prod/kustomization.yaml").prints("+ connections/chat-main.yaml");
    assert_eq!(resources(&root).len(), 3);
    root.plan().exits(0).does_not_print("kustomization");
}

/// A plan file is consent to what it shows.
#[test]
fn a_plan_file_covers_what_it_shows_of_a_kustomization() {
    let root = base().apply();
    root.run(&["plan", "--out", "plan.json"]).exits(0);
    let root = root.with("prod/connections/more.yaml", &connection("more"));
    let before = root.read(FILE);
    root.run(&["apply", "--plan", "plan.json"]).exits(0).prints("is as it was");
    assert_eq!(root.read(FILE), before);
}

/// The description of a kustomization is truncated; consent is to all of it.
#[test]
fn a_plan_file_covers_only_its_own_content() {
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let added = |root: Project, key: &&str| {
        root.with(&format!("prod/connections/x-{key}.yaml"), &connection(&format!("x-{key}")))
    };
    let root = keys[..7].iter().fold(base().apply(), added);
    root.run(&["plan", "--out", "plan.json"]).exits(0).prints("and 1 more");
    let before = root.read(FILE);
    // One is removed and another is added: the description is the same.
    let root = added(root.without("prod/connections/x-g.yaml"), &keys[7]);
    root.plan().exits(0).prints("and 1 more");
    root.run(&["apply", "--plan", "plan.json"]).exits(0).prints("is as it was");
    assert_eq!(root.read(FILE), before);
}

/// An apply lists files that people added and removes those that they deleted; what they left out on purpose stays out.
#[test]
fn files_that_people_add_and_remove_are_updated_in_it() {
    let root = base().apply().with("prod/connections/more.yaml", &connection("more"));
    root.run(&["validate"]).exits(0).prints("kustomization.yaml lacks connections/more.yaml");
    let root = root.apply();
    assert!(resources(&root).contains(&"connections/more.yaml".to_string()), "{:?}", resources(&root));
    let root = root.without("prod/connections/more.yaml");
    root.plan().exits(0).prints("lists connections/more.yaml, which was removed");
    let root = root.apply();
    assert!(!root.read(FILE).contains("more.yaml"), "{}", root.read(FILE));
    // Left out by a person: as a comment, or because it is one of their patches.
    let root = root.with("prod/connections/more.yaml", &connection("more"));
    let root = root.edit(FILE, "resources:\n", "resources:\n  # - connections/more.yaml\n");
    root.plan().exits(0).does_not_print("kustomization");
    let before = root.files("prod");
    let root = root.apply();
    assert_eq!(root.files("prod"), before);
    // A nested folder with a kustomization of its own is maintained by its author.
    let root = root.with("prod/more/more.yaml", &connection("extra")).with("prod/more/kustomization.yaml", NEW);
    root.plan().exits(0).does_not_print("SK0163");
}

/// Unread is unknown, never empty: a file that may come from elsewhere, or that cannot be read, stays listed.
///
/// "Unread is unknown, never empty".
#[test]
fn possibly_external_files_stay_listed() {
    let root = base().apply();
    let root = root.edit(FILE, "resources:\n", "resources:\n  - made-in-ci.yaml\n");
    root.plan().exits(0).prints("lists made-in-ci.yaml, which is not there").prints("restore the file, or take it out");
    let before = root.files("prod");
    root.run(&["apply", "--yes"]).exits(0);
    assert_eq!(root.files("prod"), before);
    // The integration may be in the base.
    let root = root.edit(FILE, "  - made-in-ci.yaml\n", "  - ../base\n").without("prod/integrations/greet.yaml");
    root.run(&["apply", "--yes", "--tenant", "dev"]);
    root.run(&["validate"])
        .prints("lists integrations/greet.yaml, which was removed")
        .does_not_print("the definition of greet");
}
