//! What hack/release makes, by its own scripts: the image, and a release in which every step is carried out that needs
//! nothing outside.

mod dry_run;
mod image;
mod runs;

use crate::tools::{built, output_of, repository};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// Returns a script of hack/release.
fn script(name: &str) -> Command {
    Command::new(repository("hack/release").join(name))
}

/// Returns crane or cosign.
fn tool(name: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    Command::new(FOLDER.get_or_init(|| built("hack/release-tools/build")).join(name))
}

/// Returns the path that a script prints last.
#[track_caller]
fn path_of(command: &mut Command) -> PathBuf {
    output_of(command).lines().last().unwrap().into()
}

/// Returns the program of a release that `hack/release/try` names.
fn release_binary() -> Option<PathBuf> {
    std::env::var_os("RELEASE_BINARY").map(PathBuf::from)
}

/// Returns the program that is tried: that of a release, or the debug build, linked statically.
fn static_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| release_binary().unwrap_or_else(|| path_of(script("binary").arg("--debug"))))
}

/// The architecture of this machine, as images name it.
fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// Returns a program whose head names another machine, by its number in ELF. It is not run.
fn program_for(machine: u16, folder: &Path) -> PathBuf {
    let mut program = std::fs::read(static_binary()).unwrap();
    program[18..20].copy_from_slice(&machine.to_le_bytes());
    let path = folder.join(machine.to_string());
    std::fs::write(&path, program).unwrap();
    path
}

/// What hack/release/image writes.
struct Image {
    folder: TempDir,
}

impl Image {
    fn of(binaries: &[(&str, &Path)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut make = script("image");
        make.arg(folder.path().join("image"));
        make.args(binaries.iter().map(|(architecture, path)| format!("{architecture}={}", path.display())));
        output_of(&mut make);
        Image { folder }
    }

    fn ours() -> Self {
        Image::of(&[(architecture(), static_binary())])
    }

    /// An index of two architectures. Their programs are the same, but for the architecture that the head names.
    fn of_two_architectures() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [amd64, arm64] = [62, 183].map(|machine| program_for(machine, folder.path()));
        Image::of(&[("arm64", &arm64), ("amd64", &amd64)])
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("image").join(path)
    }

    fn blob(&self, descriptor: &Value) -> PathBuf {
        self.path("layout/blobs").join(descriptor["digest"].as_str().unwrap().replace(':', "/"))
    }

    fn json(&self, descriptor: &Value) -> Value {
        serde_json::from_slice(&std::fs::read(self.blob(descriptor)).unwrap()).unwrap()
    }

    fn index(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("layout/index.json")).unwrap()).unwrap()
    }

    fn layers(&self) -> Vec<PathBuf> {
        let manifest = self.json(&self.index()["manifests"][0]);
        manifest["layers"].as_array().unwrap().iter().map(|layer| self.blob(layer)).collect()
    }

    /// Unpacks its files into a new folder, which another account may enter.
    fn unpacked(&self) -> TempDir {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        for layer in self.layers() {
            output_of(Command::new("tar").arg("-xpzf").arg(layer).arg("-C").arg(root.path()));
        }
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
        root
    }
}
