//! Stablekey's custom resources in a cluster.

use crate::{Cluster, Error, run};
use std::time::{Duration, Instant};

const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crds");
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Cluster {
    /// Applies crds/, and waits until the resources are served, and kubectl can find and explain them.
    pub fn install_crds(&self) -> Result<(), Error> {
        run(self.kubectl().args(["apply", "--server-side", "-f", CRDS]))?;
        run(self.kubectl().args(["wait", "--for=condition=Established", "--timeout=60s", "-f", CRDS]))?;
        let plurals = plurals()?;
        let start = Instant::now();
        while !self.explains(&plurals) {
            if start.elapsed() > PATIENCE {
                let what = "the API server describes our kinds";
                return Err(Error::Late { what, seconds: PATIENCE.as_secs(), log: self.log_tail(30) });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        self.forget_discovery()
    }

    /// An established resource is served, but its OpenAPI document is available a moment later.
    fn explains(&self, plurals: &[String]) -> bool {
        let described = run(self.kubectl().args(["get", "--raw", "/openapi/v3/apis/stablekey.dev/v1alpha1"]));
        described.is_ok_and(|text| plurals.iter().all(|plural| text.contains(&format!("/{{namespace}}/{plural}\""))))
    }
}

/// Returns the plural names of the resources, from the names of their files.
fn plurals() -> Result<Vec<String>, Error> {
    let files = std::fs::read_dir(CRDS).map_err(Error::io(CRDS))?;
    let stem = |file: std::fs::DirEntry| Some(file.path().file_stem()?.to_string_lossy().into_owned());
    Ok(files.filter_map(Result::ok).filter_map(stem).collect())
}
