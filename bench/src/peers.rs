//! The programs of the comparisons, built once from the modules in hack/peers.

use crate::Outcome;
use crate::measure::first_line;
use stablekey::engine::model::canonical::Digest;
use std::path::{Path, PathBuf};
use std::process::Command;

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../hack/peers");
const CONTROL_PLANE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../hack/control-plane/build");

/// Returns kubectl, that of the test clusters; `None` if it cannot be built.
pub fn kubectl() -> Option<PathBuf> {
    let folder = first_line(CONTROL_PLANE, &[])?;
    Some(Path::new(&folder).join("kubectl"))
}

/// Returns the binary of a package that hack/peers has as a tool; `None` without Go.
///
/// It is stored in the user's cache, by the digest of hack/peers/go.sum.
pub fn build(package: &str) -> Outcome<Option<PathBuf>> {
    let Some(version) = first_line("go", &["list", "-C", MODULE, "-f", "{{.Module.Version}}", package]) else {
        return Ok(None);
    };
    let folder = cache()?.join(digest_of(&Path::new(MODULE).join("go.sum"))?);
    let binary = folder.join(package.rsplit('/').next().unwrap_or(package));
    if !binary.exists() {
        println!("building {package} {version} …");
        std::fs::create_dir_all(&folder)?;
        let flags = format!("-s -w -X main.version={version}");
        let arguments = ["build", "-C", MODULE, "-trimpath", "-ldflags", &flags, "-o"];
        let status = Command::new("go").env("CGO_ENABLED", "0").args(arguments).arg(&binary).arg(package).status()?;
        if !status.success() {
            return Err(format!("{package} could not be built").into());
        }
    }
    Ok(Some(binary))
}

fn cache() -> Outcome<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    Ok(cache.ok_or("neither XDG_CACHE_HOME nor HOME is set")?.join("stablekey/peers"))
}

fn digest_of(file: &Path) -> Outcome<String> {
    let digest = Digest::of(&std::fs::read(file)?).to_string();
    Ok(digest.trim_start_matches("sha256:").chars().take(12).collect())
}
