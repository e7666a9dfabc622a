//! The tenants' folders of examples/ can be applied as they are.

use crate::kubectl::support::{error_of, kubectl, output_of, repository, with};
use stablekey_clusters::{Namespace, shared};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns every folder of a tenant that has manifests, and the files beside them.
fn folders() -> Vec<PathBuf> {
    let written = |example: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(repository("examples").join(example)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let mut all = [written("us-eu"), written("dev-prod")].concat();
    all.retain(|path| !manifests(path).is_empty());
    all.sort();
    all
}

/// Returns the manifests that kubectl would read from a file or folder.
fn manifests(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        let is_manifest =
            path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml" || ending == "json");
        return is_manifest.then(|| path.to_owned()).into_iter().collect();
    }
    std::fs::read_dir(path).unwrap().flat_map(|entry| manifests(&entry.unwrap().path())).collect()
}

/// Returns the number of documents with custom resources.
fn documents(path: &Path) -> usize {
    let of_file = |path: PathBuf| std::fs::read_to_string(path).unwrap().matches("apiVersion: stablekey.dev/").count();
    manifests(path).into_iter().map(of_file).sum()
}

fn on_folder(namespace: &Namespace, words: &str, folder: &Path) -> Command {
    let mut command = with(namespace.kubectl(), words);
    command.arg("--recursive").arg("-f").arg(folder);
    command
}

fn can_be_applied(path: &Path) {
    for side in ["", "--server-side"] {
        let namespace = shared("us").namespace("folders");
        let applied = output_of(&mut on_folder(&namespace, &format!("apply {side}"), path));
        assert_eq!(applied.lines().count(), documents(path), "every document, and nothing else: {applied}");
        // Nothing was dropped or added: the objects equal the files.
        assert_eq!(output_of(&mut on_folder(&namespace, &format!("diff {side}"), path)), "");
        let again = output_of(&mut on_folder(&namespace, &format!("apply {side}"), path));
        let same = if side.is_empty() { " unchanged" } else { " serverside-applied" };
        assert!(again.lines().all(|line| line.ends_with(same)), "{again}");
    }
}

#[test]
fn the_examples_as_they_are() {
    let folders = folders();
    assert!(folders.len() >= 8, "the examples are not where they were: {folders:?}");
    folders.iter().for_each(|folder| can_be_applied(folder));
}

#[test]
fn kubectl_refuses_a_folder_without_manifests() {
    let namespace = shared("us").namespace("folders");
    let said = error_of(&mut on_folder(&namespace, "apply", &repository("examples/dev-prod/prod")));
    assert!(said.contains("recognized file extensions are [.json .yaml .yml]"), "{said}");
    assert_eq!(output_of(&mut kubectl(&namespace, "get stablekey")), "");
}

#[test]
fn the_output_of_import_can_be_applied() {
    let root = tempfile::tempdir().unwrap();
    let example = repository("examples/from-a-tenant");
    for tenant in ["us-prod", "eu-prod"] {
        let mut import = Command::new(env!("CARGO_BIN_EXE_stablekey"));
        import.args(["import", "--root"]).arg(root.path()).args(["--tenant", tenant]);
        import.args(["answer.json", "definitions/"]).current_dir(example.join(tenant));
        let output = import.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        can_be_applied(&root.path().join(tenant));
    }
    can_be_applied(&root.path().join("tenants.yaml"));
}
