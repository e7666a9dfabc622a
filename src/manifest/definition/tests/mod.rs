mod binding;
mod emptying;
mod laws;
mod reading;

use std::path::PathBuf;

/// Every real definition: file name and bytes. They lie beside the project, or where
/// STABLEKEY_DEFINITIONS says.
pub(crate) fn real() -> Vec<(String, Vec<u8>)> {
    let folder = std::env::var_os("STABLEKEY_DEFINITIONS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/prismatic/definitions"),
        PathBuf::from,
    );
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "these tests read real definitions from {}: {error}; set STABLEKEY_DEFINITIONS to their folder",
            folder.display()
        )
    });
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 20, "{} holds {} definitions: some are missing", folder.display(), files.len());
    files
}

/// The one whose file name contains this.
pub(crate) fn real_named(part: &str) -> (String, Vec<u8>) {
    real().into_iter().find(|(name, _)| name.contains(part)).unwrap()
}

/// A definition with this list of config variables and these steps in flow `F`.
pub(crate) fn definition(variables: &str, steps: &str) -> String {
    format!("definitionVersion: 7\nname: T\nrequiredConfigVars:\n{variables}flows:\n  - name: F\n    steps:\n{steps}")
}

/// One connection variable `C` of component `comp` with these inputs, at the right indentation.
pub(crate) fn with_inputs(inputs: &str) -> String {
    let variable = format!(
        "  - key: C\n    dataType: connection\n    connection:\n      key: basic\n      component: {{key: comp, isPublic: true}}\n    inputs:\n{inputs}"
    );
    definition(&variable, "      []\n")
}
