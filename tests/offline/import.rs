//! Import, apply, export, over whole folders of definitions with the real command: the definition is unchanged.
//!
//! The folders are those of the repository, and the one that STABLEKEY_DEFINITIONS names.

use stablekey::platform::definition::{ParsedDefinition, VariableShape, empty_secrets, read};
use stablekey_testing::cli::{files, repository, run, said};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the folders of definitions that an import accepts without an error.
fn folders() -> Vec<PathBuf> {
    let ours = ["current", "old"].map(|folder| repository("tests/definitions").join(folder));
    ours.into_iter().chain(std::env::var_os("STABLEKEY_DEFINITIONS").map(PathBuf::from)).collect()
}

fn originals(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let definitions: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "yml" || e == "yaml" || e == "json")).collect();
    assert!(!definitions.is_empty(), "no definition in {}", folder.display());
    definitions.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Imports a folder into a tenant of a new root.
fn import(folder: &Path, more: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let arguments = [&["import", "--tenant", "us-prod"], more, &[folder.to_str().unwrap()]].concat();
    let imported = run(root.path(), &arguments);
    assert_eq!(imported.status.code(), Some(0), "{}", said(&imported));
    root
}

/// Returns the imported integrations, each with its definition.
fn imported(root: &Path) -> Vec<(String, Vec<u8>)> {
    let name = |path: &str| Some(path.strip_prefix("us-prod/integrations/")?.strip_suffix(".definition")?.to_string());
    files(root).into_iter().filter_map(|(path, bytes)| Some((name(&path)?, bytes))).collect()
}

fn is_reusable(definition: &ParsedDefinition) -> bool {
    definition.variables.iter().any(|variable| matches!(variable.shape, VariableShape::Reusable { .. }))
}

#[test]
fn import_apply_and_export_return_the_same_definition() {
    for folder in folders() {
        let root = import(&folder, &[]);
        let applied = run(root.path(), &["apply", "--yes"]);
        assert!(matches!(applied.status.code(), Some(0 | 3)), "no action is left: {}", said(&applied));
        let mut originals: Vec<Vec<u8>> =
            originals(&folder).iter().map(|bytes| empty_secrets(bytes).unwrap().0).collect();
        let integrations = imported(root.path());
        assert_eq!(integrations.len(), originals.len());
        for (integration, beside) in integrations {
            // Byte for byte the original, except emptied secrets.
            let at =
                originals.iter().position(|o| *o == beside).unwrap_or_else(|| panic!("{integration} is no original"));
            originals.swap_remove(at);
            let exported = run(root.path(), &["export", "us-prod", &integration]);
            // Only bindings to connections that no definition describes are missing.
            if is_reusable(&read(&beside).unwrap()) {
                assert_ne!(exported.status.code(), Some(0), "{integration}");
                assert!(exported.stdout.is_empty(), "nothing is written");
                assert!(said(&exported).contains("is not in us-prod"), "{}", said(&exported));
            } else {
                assert_eq!(exported.stdout, beside, "{integration}: {}", said(&exported));
            }
        }
    }
}

#[test]
fn with_reusable_connections_export_binds_them_and_nothing_else_changes() {
    let (mut bound, mut as_it_was) = (BTreeSet::new(), BTreeSet::new());
    for folder in folders() {
        let root = import(&folder, &["--reusable", "all"]);
        let checked = run(root.path(), &["validate"]);
        assert!(matches!(checked.status.code(), Some(0 | 3)), "{}", said(&checked));
        for (integration, beside) in imported(root.path()) {
            let before = read(&beside).unwrap();
            let exported = run(root.path(), &["export", "us-prod", &integration]);
            if exported.status.code() != Some(0) {
                assert!(is_reusable(&before), "{integration}: {}", said(&exported));
                continue;
            }
            let after = read(&exported.stdout).unwrap();
            assert_eq!(before.uses.variables, after.uses.variables, "{integration}: the same uses");
            assert_eq!(before.name, after.name);
            for variable in &after.variables {
                let is_bound = match &variable.shape {
                    VariableShape::Reusable { .. } => true,
                    // A connection in the integration's own code is not a reusable connection.
                    VariableShape::Own { component, .. } => after.is_own_component(component),
                };
                assert!(is_bound, "{integration}: {}", variable.name);
            }
            let set = if exported.stdout == beside { &mut as_it_was } else { &mut bound };
            set.insert(before.name);
        }
    }
    for name in ["Lead desk", "Account mirror", "Every connection of its own", "客户同步", "Anchors and aliases"] {
        assert!(bound.contains(name), "{name}: {bound:?}");
    }
    for name in ["Nothing yet", "Cider to the ledger", "Sort the crates", "Test of a component"] {
        assert!(as_it_was.contains(name), "{name}: {as_it_was:?}");
    }
}

#[test]
fn customers_must_reconnect_if_a_connection_becomes_reusable() {
    let root = tempfile::tempdir().unwrap();
    let definition = repository("tests/definitions/current/two-own.yml");
    let imported =
        run(root.path(), &["import", "--tenant", "us-prod", "--reusable", "all", definition.to_str().unwrap()]);
    assert!(said(&imported).contains("every customer of this integration must reconnect"), "{}", said(&imported));
}

/// One that cannot be imported is named, and blocks no other.
#[test]
fn a_refused_definition_blocks_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let [refused, good] = ["refused", "current/two-own.yml"].map(|path| repository("tests/definitions").join(path));
    let arguments = ["import", "--tenant", "us-prod", refused.to_str().unwrap(), good.to_str().unwrap()];
    let imports = run(root.path(), &arguments);
    assert_eq!(imports.status.code(), Some(1), "{}", said(&imports));
    assert!(said(&imports).contains("workflow.yml"), "{}", said(&imports));
    let names: Vec<String> = imported(root.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["lead-desk"]);
}

#[test]
fn a_second_import_changes_nothing() {
    for folder in folders() {
        let root = import(&folder, &["--reusable", "all"]);
        let first = files(root.path());
        let arguments = ["import", "--tenant", "us-prod", "--reusable", "all", folder.to_str().unwrap()];
        let again = run(root.path(), &arguments);
        assert_eq!(again.status.code(), Some(0), "{}", said(&again));
        let second = files(root.path());
        for (name, bytes) in &second {
            let before = first.get(name).map(|b| String::from_utf8_lossy(b));
            assert_eq!(before, Some(String::from_utf8_lossy(bytes)), "{name}");
        }
        assert_eq!(first.len(), second.len());
    }
}

#[test]
fn manual_edits_of_a_manifest_survive_an_import() {
    let root = tempfile::tempdir().unwrap();
    let one = repository("tests/definitions/current/shared-own.yml");
    run(root.path(), &["import", "--tenant", "us-prod", one.to_str().unwrap()]);
    let manifest = root.path().join("us-prod/integrations/account-mirror.yaml");
    let text = fs::read_to_string(&manifest).unwrap();
    let commented = format!("# Owned by the sales team\n{text}");
    fs::write(&manifest, &commented).unwrap();
    run(root.path(), &["import", "--tenant", "us-prod", one.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&manifest).unwrap(), commented);
}
