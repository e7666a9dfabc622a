mod binding;
mod corpus;
mod design;
mod emptying;
mod laws;
mod reading;
mod value;

use std::path::{Path, PathBuf};

/// A folder of tests/definitions, the project's own definitions: file names and bytes, sorted.
fn folder(name: &str) -> Vec<(String, Vec<u8>)> {
    definitions_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions").join(name))
}

/// The project's definitions of the current version.
pub(crate) fn current() -> Vec<(String, Vec<u8>)> {
    folder("current")
}

/// The project's definitions of older versions: they are copied, and their connections are not read.
pub(crate) fn old() -> Vec<(String, Vec<u8>)> {
    folder("old")
}

/// The project's definitions that can be imported, and those in the folder that STABLEKEY_DEFINITIONS names, for tests
/// that apply to every definition.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let real = std::env::var_os("STABLEKEY_DEFINITIONS").map(|folder| definitions_in(&PathBuf::from(folder)));
    [current(), old(), real.unwrap_or_default()].concat()
}

/// The project's definition with this file name.
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

/// One connection variable `C` of component `comp` with these inputs, correctly indented.
pub(crate) fn with_inputs(inputs: &str) -> String {
    let variable = format!(
        "  - key: C\n    dataType: connection\n    connection:\n      key: basic\n      component: {{key: comp, isPublic: true}}\n    inputs:\n{inputs}"
    );
    definition(&variable, "      []\n")
}
