//! Approvals that are stored until their receipt, so that the same approval finishes an interrupted apply.

use crate::api::LocationSpec;
use crate::engine::model::canonical::Digest;
use crate::project::Project;
use crate::tenant::directory::disk;
use crate::tenant::directory::disk::{Disk, RealDisk};
use crate::tenant::location::LocationError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// An approval that was given, and what of it is not carried out yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredApproval {
    /// The digests by which it is given again.
    pub given: BTreeSet<String>,
    /// The writers whose new actions void it; empty: any writer's.
    pub of: BTreeSet<String>,
    /// The digests of the actions that it covers.
    pub covers: BTreeSet<String>,
}

/// The store of approvals, by tenant.
pub trait Approvals {
    /// Returns the stored approvals of a tenant.
    fn kept(&self, tenant: &str) -> Result<Vec<StoredApproval>, LocationError>;

    /// Stores approvals in addition to those of a tenant. One that is given again replaces the older one.
    fn keep(&self, tenant: &str, new: &[StoredApproval]) -> Result<(), LocationError>;

    /// Removes what was carried out. `left` updates a stored approval, and returns whether it is kept.
    fn consume(&self, tenant: &str, left: &mut dyn FnMut(&mut StoredApproval) -> bool) -> Result<(), LocationError>;
}

/// Adds approvals to the stored ones.
fn add(kept: &mut Vec<StoredApproval>, new: &[StoredApproval]) {
    kept.retain(|there| new.iter().all(|new| new.given.is_disjoint(&there.given)));
    kept.extend(new.iter().cloned());
}

/// The schema of a file of approvals.
const SCHEMA: &str = "stablekey.dev/approvals/v1";
/// Maximum size of a file of approvals, in bytes.
const FILE_BYTES: u64 = 256_000_000;

/// A folder of the user's own, outside every project, so that a change of the applied tree cannot approve anything.
/// Keyed by project and target, so that an approval never applies to another one.
///
/// If it cannot be used, the apply continues without storing approvals: [`StateFolder::take_warnings`].
pub struct StateFolder {
    folder: PathBuf,
    /// The project's root, without links.
    root: PathBuf,
    /// The key of each target, made of its name and its location.
    targets: BTreeMap<String, String>,
    disk: Arc<dyn Disk>,
    warnings: Mutex<Vec<String>>,
}

/// The content of a file of approvals.
#[derive(Debug, Serialize, Deserialize)]
struct Kepts {
    schema: String,
    root: String,
    tenant: String,
    kept: Vec<StoredApproval>,
}

impl StateFolder {
    /// Creates the store of a project below a folder of the user's.
    pub fn of(folder: &Path, project: &Project) -> Self {
        let root = project.root.canonicalize().unwrap_or_else(|_| project.root.clone());
        let key = |name: &str, location: &Option<LocationSpec>| {
            let mut target = root.as_os_str().as_encoded_bytes().to_vec();
            target.extend(format!("\0{}", json!([name, location])).into_bytes());
            Digest::of(&target).to_string().chars().skip("sha256:".len()).take(32).collect()
        };
        let targets = project.tenants.iter().map(|(name, t)| (name.clone(), key(name, &t.spec.location)));
        StateFolder {
            folder: folder.join("stablekey").join("approvals"),
            targets: targets.collect(),
            root,
            disk: Arc::new(RealDisk),
            warnings: Mutex::default(),
        }
    }

    /// Replaces the disk, so that tests can cut its power.
    pub fn on_disk(self, disk: Arc<dyn Disk>) -> Self {
        StateFolder { disk, ..self }
    }

    /// Returns why approvals were not stored or found since the last call.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn warn(&self, text: String) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }

    /// Returns the file of a target.
    fn file(&self, tenant: &str) -> Option<PathBuf> {
        Some(self.folder.join(format!("{}.json", self.targets.get(tenant)?)))
    }

    /// Whether only the user may write there, and it is outside of every applied tree.
    fn is_the_users_own(&self) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        let wrong = |why: &str| io::Error::new(io::ErrorKind::PermissionDenied, why);
        if self.folder.canonicalize()?.starts_with(&self.root) {
            return Err(wrong("it lies within the project"));
        }
        for folder in self.folder.ancestors().take(2) {
            let metadata = folder.metadata()?;
            if !metadata.is_dir() {
                return Err(wrong("it is no folder"));
            }
            if metadata.mode() & 0o022 != 0 || !is_ours(metadata.uid()) {
                return Err(wrong("others may write it"));
            }
        }
        Ok(())
    }

    fn read(&self, tenant: &str) -> io::Result<Vec<StoredApproval>> {
        let Some(path) = self.file(tenant) else { return Ok(Vec::new()) };
        let Some(bytes) = disk::read(&path, FILE_BYTES)? else { return Ok(Vec::new()) };
        self.is_the_users_own()?;
        let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let file: Kepts =
            serde_json::from_slice(&bytes).map_err(|_| wrong("it is no file of approvals".to_string()))?;
        match file {
            Kepts { schema, .. } if schema != SCHEMA => Err(wrong(format!("its schema is not {SCHEMA}"))),
            Kepts { root, tenant: of, .. } if root != self.root.to_string_lossy() || of != tenant => {
                Err(wrong("it is of another project".to_string()))
            }
            Kepts { kept, .. } => Ok(kept),
        }
    }

    fn change(&self, tenant: &str, change: &mut dyn FnMut(&mut Vec<StoredApproval>)) -> io::Result<()> {
        let Some(path) = self.file(tenant) else { return Ok(()) };
        if path.symlink_metadata().is_err() {
            let mut kept = Vec::new();
            change(&mut kept);
            if kept.is_empty() {
                return Ok(());
            }
        }
        self.make_folder()?;
        self.is_the_users_own()?;
        // Two applies to one tenant of a cluster may run at the same time.
        let folder = File::open(&self.folder)?;
        folder.lock()?;
        // A file that cannot be read is useless: the new approvals replace it.
        let before = self.read(tenant).ok();
        let mut kept = before.clone().unwrap_or_default();
        change(&mut kept);
        if before.as_ref() == Some(&kept) {
            return Ok(());
        }
        if kept.is_empty() {
            return disk::remove(self.disk.as_ref(), &path);
        }
        let root = self.root.to_string_lossy().into_owned();
        let file = Kepts { schema: SCHEMA.to_string(), root, tenant: tenant.to_string(), kept };
        let bytes = serde_json::to_vec(&file).map_err(io::Error::other)?;
        disk::write_privately(self.disk.as_ref(), &path, &bytes)
    }

    /// Creates the folder and its parents, for the user only.
    fn make_folder(&self) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let missing: Vec<&Path> = self.folder.ancestors().take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev() {
            self.disk.create_folder(folder)?;
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }
}

impl Approvals for StateFolder {
    fn kept(&self, tenant: &str) -> Result<Vec<StoredApproval>, LocationError> {
        Ok(self.read(tenant).unwrap_or_else(|error| {
            self.warn(format!("approvals kept in {} are not used: {error}", self.folder.display()));
            Vec::new()
        }))
    }

    fn keep(&self, tenant: &str, new: &[StoredApproval]) -> Result<(), LocationError> {
        if let Err(error) = self.change(tenant, &mut |kept| add(kept, new)) {
            self.warn(format!(
                "the approval is not kept in {}: {error}; if this apply is interrupted, plan again and approve \
                 what is left",
                self.folder.display()
            ));
        }
        Ok(())
    }

    fn consume(&self, tenant: &str, left: &mut dyn FnMut(&mut StoredApproval) -> bool) -> Result<(), LocationError> {
        if let Err(error) = self.change(tenant, &mut |kept| kept.retain_mut(&mut *left)) {
            let path = self.file(tenant).unwrap_or_else(|| self.folder.clone());
            self.warn(format!("what was carried out is still approved in {}: {error}; delete it", path.display()));
        }
        Ok(())
    }
}

/// Whether a file with this owner is the user's own.
#[cfg(target_os = "linux")]
fn is_ours(uid: u32) -> bool {
    uid == rustix::process::geteuid().as_raw()
}

#[cfg(not(target_os = "linux"))]
fn is_ours(_: u32) -> bool {
    true
}

/// Stores nothing: an interrupted apply needs a new approval.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotKept;

impl Approvals for NotKept {
    fn kept(&self, _: &str) -> Result<Vec<StoredApproval>, LocationError> {
        Ok(Vec::new())
    }

    fn keep(&self, _: &str, _: &[StoredApproval]) -> Result<(), LocationError> {
        Ok(())
    }

    fn consume(&self, _: &str, _: &mut dyn FnMut(&mut StoredApproval) -> bool) -> Result<(), LocationError> {
        Ok(())
    }
}
