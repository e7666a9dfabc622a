//! The names in a project, for completions: every manifest is scanned, none is parsed.

use super::ignore::Ignore;
use crate::api::Kind;
use crate::file_tree::FileTree;
use crate::manifest::scan::{Mention, scan};
use crate::manifest::{FoundFile, find, in_parts};
use crate::platform::definition;
use crate::tenant::directory::disk;
use crate::tenant::directory::paths::normal;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Larger files take longer than a person waits for a completion.
const MOST: u64 = 64_000_000;

/// The resources in the files of a project, as far as a scan of their lines tells.
#[derive(Debug, Default)]
pub struct ProjectNames {
    root: PathBuf,
    found: Vec<FoundName>,
}

/// A resource with its file.
#[derive(Debug)]
pub struct FoundName {
    /// The kind of the resource.
    pub kind: Kind,
    /// What its lines tell.
    pub mention: Mention,
    file: PathBuf,
}

impl ProjectNames {
    /// Scans the manifests below a root.
    pub fn read(root: &Path) -> Self {
        let disk = FileTree::default();
        let ignore = Ignore::read(&disk, root);
        let files = find(&disk, root, &|path, is_folder| ignore.leaves_out(path, is_folder)).files;
        // Opening a file costs more than scanning a few bytes.
        let size = |file: &FoundFile| usize::try_from(file.size).unwrap_or(usize::MAX).saturating_add(4096);
        let found = in_parts(&files, size, |files| files.iter().flat_map(names_in).collect::<Vec<_>>());
        ProjectNames { root: root.to_path_buf(), found: found.into_iter().flatten().collect() }
    }

    /// The resources of a kind; of a tenant if one is given, as long as it has any.
    pub fn of(&self, kind: Kind, tenant: Option<&str>) -> Vec<&FoundName> {
        let folders = tenant.map(|tenant| self.folders(tenant)).unwrap_or_default();
        let is_below = |found: &&FoundName| {
            let file = normal(&found.file);
            folders.iter().any(|folder| file.starts_with(folder))
        };
        let all = || self.found.iter().filter(|found| found.kind == kind);
        let in_tenant: Vec<&FoundName> = all().filter(is_below).collect();
        if in_tenant.is_empty() { all().collect() } else { in_tenant }
    }

    /// The folders of a tenant.
    fn folders(&self, tenant: &str) -> Vec<PathBuf> {
        let tenants = self.found.iter().filter(|found| found.kind == Kind::Tenant && found.mention.name == tenant);
        tenants.flat_map(|found| &found.mention.folders).map(|folder| normal(&self.root.join(folder))).collect()
    }

    /// The flows and steps of an integration: those of its first definition that can be read.
    pub fn steps(&self, integration: &str, tenant: Option<&str>) -> Vec<definition::NamedStep> {
        let integrations = self.of(Kind::Integration, tenant).into_iter();
        let files = integrations.filter(|found| found.mention.name == integration).filter_map(FoundName::definition);
        files.filter_map(|file| definition::step_names(&disk::read(&file, MOST).ok()??).ok()).next().unwrap_or_default()
    }
}

impl FoundName {
    /// The file with the definition, which lies beside the manifest.
    fn definition(&self) -> Option<PathBuf> {
        let name = self.mention.definition.as_deref()?;
        // A name that leads elsewhere is refused by every command.
        (!name.contains('/')).then(|| self.file.with_file_name(name))
    }
}

fn names_in(found: &FoundFile) -> Vec<FoundName> {
    let Some(bytes) = bytes(found) else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    let mentions = scan(&text).into_iter();
    mentions.map(|(kind, mention)| FoundName { kind, mention, file: found.path.clone() }).collect()
}

/// The bytes of a file that is known as a regular one: opened and read once.
fn bytes(found: &FoundFile) -> Option<Vec<u8>> {
    if found.size > MOST {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.size).ok()?.saturating_add(1));
    File::open(&found.path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
