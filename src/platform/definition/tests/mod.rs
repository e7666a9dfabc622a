mod binding;
mod corpus;
mod emptying;
mod laws;
mod reading;
mod saying;

use std::path::{Path, PathBuf};

/// A folder of tests/definitions, the project's own definitions: file names and bytes, sorted.
fn folder(name: &str) -> Vec<(String, Vec<u8>)> {
    definitions_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions").join(name))
}

/// Our definitions of the current version.
pub(crate) fn current() -> Vec<(String, Vec<u8>)> {
    folder("current")
}

/// Our definitions of older versions: they are kept, and their connections are not read.
pub(crate) fn old() -> Vec<(String, Vec<u8>)> {
    folder("old")
}

/// Our own definitions that an import takes, and those of STABLEKEY_DEFINITIONS, where it names a folder:
/// whatever holds of every definition is tried on these.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let real = std::env::var_os("STABLEKEY_DEFINITIONS").map(|folder| definitions_in(&PathBuf::from(folder)));
    [current(), old(), real.unwrap_or_default()].concat()
}

/// Our own definition of this file name.
pub(crate) fn named(file: &str) -> (String, Vec<u8>) {
    let found =
        [current(), old(), folder("newer"), folder("refused")].concat().into_iter().find(|(name, _)| name == file);
    found.unwrap_or_else(|| panic!("no {file} in tests/definitions"))
}

fn definitions_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let is_definition = |path: &PathBuf| path.extension().is_some_and(|e| e == "yml" || e == "yaml" || e == "json");
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(is_definition)
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    assert!(!files.is_empty(), "no definition in {}", folder.display());
    files.sort();
    files
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
