//! The binaries: kube-apiserver, etcd, kubectl and kube-controller-manager.

use crate::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A script that builds the binaries if necessary, and prints their folder.
const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../hack/control-plane/build");

/// Returns the folder of the binaries. The first use builds them, which takes minutes and shows its progress on
/// standard error.
pub(crate) fn folder() -> Result<PathBuf, Error> {
    let what = || Error::io(format!("building the control plane: {BUILD}"));
    let output = Command::new(BUILD).stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(what())?;
    if !output.status.success() {
        let stderr = "what it said is above".to_owned();
        return Err(Error::Command { command: BUILD.into(), status: output.status, stderr });
    }
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim_end()).to_owned())
}
