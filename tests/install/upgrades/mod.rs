//! Upgrades: from each earlier version that hack/earlier/build builds to this one, and back.

mod cluster;
mod files;
mod newer;
mod platform;
mod schemas;
mod shapes;

use crate::tools::repository;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A version: its program, with its crds/ and manifests/ in a folder.
pub struct Version {
    pub program: PathBuf,
    pub folder: PathBuf,
}

impl Version {
    /// Returns the version under test.
    pub fn this() -> Self {
        Version { program: env!("CARGO_BIN_EXE_stablekey").into(), folder: repository("") }
    }

    /// Returns the command with the state folder of a person, as a person runs it.
    pub fn command(&self, state: &Path, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).args(arguments).stdin(Stdio::null());
        command.env("NO_COLOR", "1").env_remove("CI").env("XDG_STATE_HOME", state);
        command
    }
}

/// Returns the earlier versions, the oldest first.
pub fn earlier() -> &'static [Version] {
    static VERSIONS: OnceLock<Vec<Version>> = OnceLock::new();
    VERSIONS.get_or_init(|| {
        let folders = crate::tools::output_of(&mut Command::new(repository("hack/earlier/build")));
        let version = |folder: &str| Version { program: Path::new(folder).join("stablekey"), folder: folder.into() };
        let versions: Vec<Version> = folders.lines().map(version).collect();
        assert!(!versions.is_empty());
        versions
    })
}

/// Returns an earlier version by its name.
pub fn named(name: &str) -> &'static Version {
    let of_name = |version: &&Version| {
        version.folder.file_name().is_some_and(|folder| folder.to_string_lossy().starts_with(&format!("{name}-")))
    };
    earlier().iter().find(of_name).unwrap()
}
