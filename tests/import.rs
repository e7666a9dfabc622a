//! Import, apply, export, over every real definition: the law of the round trip, by the real command.
//!
//! The definitions are found by STABLEKEY_DEFINITIONS, or beside the repository.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use stablekey::manifest::definition::{empty_secrets, read};
use std::fs;
use std::path::PathBuf;
use support::{files, repository, run, said};

fn definitions() -> PathBuf {
    let named = std::env::var_os("STABLEKEY_DEFINITIONS").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| repository("../shared/data/prismatic/definitions"));
    assert!(
        folder.is_dir(),
        "{} is not there: set STABLEKEY_DEFINITIONS to a folder of exported definitions",
        folder.display()
    );
    folder
}

#[test]
fn import_then_apply_leaves_nothing_and_export_gives_the_definition_back() {
    let root = tempfile::tempdir().unwrap();
    let imported = run(root.path(), &["import", "--tenant", "us-prod", definitions().to_str().unwrap()]);
    assert_eq!(imported.status.code(), Some(0), "{}", said(&imported));
    let applied = run(root.path(), &["apply", "--yes"]);
    assert!(matches!(applied.status.code(), Some(0 | 3)), "no action is left: {}", said(&applied));
    let mut originals: Vec<Vec<u8>> = fs::read_dir(definitions())
        .unwrap()
        .map(|entry| empty_secrets(&fs::read(entry.unwrap().path()).unwrap()).unwrap().0)
        .collect();
    let integrations: Vec<String> = files(root.path())
        .into_keys()
        .filter_map(|name| Some(name.strip_prefix("us-prod/integrations/")?.strip_suffix(".definition")?.to_string()))
        .collect();
    assert_eq!(integrations.len(), originals.len());
    let mut missing = 0;
    for integration in integrations {
        let beside = fs::read(root.path().join(format!("us-prod/integrations/{integration}.definition"))).unwrap();
        // Byte for byte the original, but for emptied secrets.
        let at = originals.iter().position(|o| *o == beside).unwrap_or_else(|| panic!("{integration} is no original"));
        originals.swap_remove(at);
        let exported = run(root.path(), &["export", "us-prod", &integration]);
        if exported.status.code() == Some(0) {
            assert_eq!(exported.stdout, beside, "{integration}");
        } else {
            missing += 1;
            assert!(exported.stdout.is_empty(), "nothing is written");
            assert!(said(&exported).contains("is not in us-prod"), "{}", said(&exported));
        }
    }
    assert!(missing <= 2, "only what is bound to connections that no definition describes");
}

#[test]
fn with_reusable_connections_export_binds_them_and_nothing_else_changes() {
    let root = tempfile::tempdir().unwrap();
    let imported =
        run(root.path(), &["import", "--tenant", "us-prod", "--reusable", "all", definitions().to_str().unwrap()]);
    assert_eq!(imported.status.code(), Some(0), "{}", said(&imported));
    assert!(said(&imported).contains("reconnect"), "customers must reconnect: {}", said(&imported));
    let checked = run(root.path(), &["validate"]);
    assert!(matches!(checked.status.code(), Some(0 | 3)), "{}", said(&checked));
    let mut bound = 0;
    for (name, beside) in files(root.path()) {
        let Some(integration) = name.strip_prefix("us-prod/integrations/").and_then(|n| n.strip_suffix(".definition"))
        else {
            continue;
        };
        let exported = run(root.path(), &["export", "us-prod", integration]);
        if exported.status.code() != Some(0) {
            continue;
        }
        let (before, after) = (read(&beside).unwrap(), read(&exported.stdout).unwrap());
        assert_eq!(before.uses.variables, after.uses.variables, "{integration}: the same uses");
        assert_eq!(before.name, after.name);
        bound += usize::from(exported.stdout != beside);
    }
    assert!(bound >= 10, "{bound} definitions are bound to reusable connections");
}

#[test]
fn a_second_import_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let arguments =
        ["import", "--tenant", "us-prod", "--reusable", "all", definitions().to_str().unwrap()].map(str::to_string);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(root.path(), &arguments);
    let first = files(root.path());
    let again = run(root.path(), &arguments);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    let second = files(root.path());
    for (name, bytes) in &second {
        assert_eq!(first.get(name).map(|b| String::from_utf8_lossy(b)), Some(String::from_utf8_lossy(bytes)), "{name}");
    }
    assert_eq!(first.len(), second.len());
}

#[test]
fn what_a_person_wrote_in_a_manifest_survives_an_import() {
    let root = tempfile::tempdir().unwrap();
    let one = definitions().join("examples__integrations__salesforce-example.yml");
    run(root.path(), &["import", "--tenant", "us-prod", one.to_str().unwrap()]);
    let manifest = root.path().join("us-prod/integrations/salesforce-example.yaml");
    let text = fs::read_to_string(&manifest).unwrap();
    let commented = format!("# Owned by the sales team\n{text}");
    fs::write(&manifest, &commented).unwrap();
    run(root.path(), &["import", "--tenant", "us-prod", one.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&manifest).unwrap(), commented);
}
