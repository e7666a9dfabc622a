//! Records in the user's state folder, for projects without a Git remote: known on one machine only.

use super::{LARGEST, RecordError, RecordStore, StoredRecord, TenantRecord};
use crate::engine::model::canonical::Digest;
use crate::io_error::{self, Words};
use crate::tenant::directory::disk::{self, RealDisk};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Records of one project, each in a file.
#[derive(Debug)]
pub struct FolderRecords {
    folder: PathBuf,
}

impl FolderRecords {
    /// The records of the project in `root`, below a folder of the user's.
    pub fn of(state: &Path, root: &Path) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        let key = Digest::of(root.as_os_str().as_encoded_bytes()).to_string();
        let key: String = key.chars().skip("sha256:".len()).take(32).collect();
        FolderRecords { folder: state.join("stablekey").join("records").join(key) }
    }

    /// Whether there is a record of a tenant.
    pub(super) fn has(&self, tenant: &str) -> bool {
        self.file(tenant).symlink_metadata().is_ok()
    }

    pub(super) fn file(&self, tenant: &str) -> PathBuf {
        self.folder.join(format!("{tenant}.json"))
    }

    fn error(&self, tenant: &str, doing: &'static str, why: String, help: String) -> RecordError {
        RecordError::Place { tenant: tenant.to_string(), place: self.place(), doing, why, help }
    }

    /// Takes the lock of a tenant's record, so that two writers on this machine cannot both think that they were first.
    fn lock(&self, tenant: &str) -> std::io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join(format!("{tenant}.lock")))?;
        file.lock()?;
        Ok(file)
    }
}

/// The version of a record in a folder: a digest of its text.
fn version(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

impl RecordStore for FolderRecords {
    fn read(&self, tenant: &str) -> Result<StoredRecord, RecordError> {
        let path = self.file(tenant);
        let bytes = disk::read(&path, LARGEST).map_err(|error| {
            let Words { why, help } = io_error::reading(&path, &error);
            self.error(tenant, "read", why, help)
        })?;
        let Some(bytes) = bytes else {
            return Ok(StoredRecord { record: TenantRecord::of(tenant), version: None });
        };
        let form = |why| RecordError::Form { tenant: tenant.to_string(), place: self.place(), why };
        let record = TenantRecord::parse(tenant, &bytes).map_err(form)?;
        Ok(StoredRecord { record, version: Some(version(&bytes)) })
    }

    fn probe(&self, tenant: &str) -> Result<(), RecordError> {
        self.read(tenant)?;
        self.lock(tenant).map(drop).map_err(|error| {
            let Words { why, help } = io_error::writing(&self.folder, &error);
            self.error(tenant, "written", why, help)
        })
    }

    fn write(&self, record: &TenantRecord, replaces: Option<&str>, _: &str) -> Result<String, RecordError> {
        let tenant = &record.tenant;
        let path = self.file(tenant);
        let failed = |error: &std::io::Error| {
            let Words { why, help } = io_error::writing(&path, error);
            self.error(tenant, "written", why, help)
        };
        let lock = self.lock(tenant).map_err(|error| failed(&error))?;
        let there = self.read(tenant)?;
        if there.version.as_deref() != replaces {
            return Err(RecordError::Lost { tenant: tenant.clone(), by: there.record.run.map(|run| run.who) });
        }
        let text = record.to_text();
        disk::write_privately(&RealDisk, &path, text.as_bytes()).map_err(|error| failed(&error))?;
        drop(lock);
        Ok(version(text.as_bytes()))
    }

    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    fn caution(&self) -> Option<&'static str> {
        Some("the records of tenants on the platform are known on this machine only: there is no Git remote for them")
    }
}
