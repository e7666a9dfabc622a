//! The commit of a tenant's source in Git: fetched if it is new, and read. What cannot be read is unknown, never empty.

use super::fetch_folders::{FetchFolder, FetchFolders};
use crate::api::{Definition, Kind, Resource};
use crate::controller::metrics::GitPollOutcome;
use crate::engine::model::inventory::View;
use crate::engine::model::item::ObjectId;
use crate::file_tree::FileKind;
use crate::git::failure::FetchError;
use crate::git::reference::Reference;
use crate::git::remote::Remote;
use crate::git::{ObjectId as CommitId, Repository};
use crate::manifest::{BudgetExceeded, DocumentsRead, FileProblem, FolderBudget, ReadDocument, limits};
use crate::tenant::directory::layout::{Folder, FolderLayout, FolderRole};
use crate::tenant::directory::overlay::Overlay;
use crate::tenant::directory::read::{beside, gather};
use crate::tenant::directory::read_definition;
use crate::tenant::location::{LocationError, Snapshot};
use std::fmt::Display;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How many problems of files a status names.
const FEW: usize = 10;
/// Maximum size of all definitions together, in bytes: each is read once for every integration that names it.
const DEFINITIONS: u64 = 256 << 20;

/// What is read, and how.
#[derive(Debug)]
pub(super) struct GitTarget {
    pub tenant: String,
    pub remote: Remote,
    pub reference: Reference,
    /// The folder below the root of the repository; empty for all of it.
    pub path: PathBuf,
    /// Where commits are fetched to.
    pub folders: FetchFolders,
    /// Maximum size of the manifests, in bytes.
    pub limit: usize,
}

/// A commit that was read.
#[derive(Debug)]
pub(super) struct ReadCommit {
    tenant: String,
    id: CommitId,
    layout: FolderLayout,
    /// The folders of other tenants in it.
    beside: Arc<Vec<Folder>>,
    content: Result<Snapshot, GitFailure>,
    /// Where definitions are read from.
    _folder: Arc<FetchFolder>,
}

/// Why a source cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GitFailure {
    /// One word in CamelCase.
    pub reason: &'static str,
    /// Why, and what to do.
    pub why: String,
    /// Whether it stays so until a person acts.
    pub is_stalled: bool,
    /// Whether there may be room for it once what was fetched before is removed.
    pub is_for_want_of_room: bool,
    /// How long the server asks to wait.
    pub after: Option<Duration>,
}

/// A read to be made, on a thread of its own.
pub(super) struct GitPoll {
    pub target: Arc<GitTarget>,
    /// The folders of other tenants in the same commits.
    pub beside: Arc<Vec<Folder>>,
    /// The commit that was read before. Without one, everything is fetched afresh.
    pub known: Option<CommitId>,
    /// Whether that commit is read again: it was read with other folders beside its own.
    pub is_outdated: bool,
    /// Whether the last one failed.
    pub has_failed: bool,
}

/// The result of a read: a new commit, or none.
#[derive(Debug)]
pub(super) struct GitPollResult(pub Result<Option<Arc<ReadCommit>>, GitFailure>);

impl GitPollResult {
    /// Returns what metrics count.
    pub(super) fn outcome(&self) -> GitPollOutcome {
        match &self.0 {
            Ok(None) => GitPollOutcome::Unchanged,
            Ok(Some(_)) => GitPollOutcome::Fetched,
            Err(_) => GitPollOutcome::Failed,
        }
    }
}

impl GitPoll {
    /// Returns the host that is asked.
    pub(super) fn host(&self) -> String {
        self.target.remote.url().host()
    }

    /// Whether the source is still open: nobody waits for another one.
    pub(super) fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.target) > 1
    }

    /// Asks for the commit, and reads it if it is new.
    pub(super) fn read(self) -> GitPollResult {
        GitPollResult(self.new_commit())
    }

    fn new_commit(&self) -> Result<Option<Arc<ReadCommit>>, GitFailure> {
        let target = &self.target;
        let failed = |error: FetchError| GitFailure::of_fetch(target, &error);
        let unchanged = self.known.filter(|_| !self.is_outdated);
        if unchanged.is_some() && unchanged == Some(target.remote.head(&target.reference).map_err(failed)?) {
            return Ok(None);
        }
        if self.known.is_none() {
            target.folders.begin_afresh();
        }
        let (folder, id) = self.fetched().map_err(failed)?;
        if unchanged == Some(id) {
            return Ok(None);
        }
        let read = ReadCommit::read(target, &self.beside, folder, id);
        if read.is_err() {
            // What is damaged there would stay so.
            target.folders.begin_afresh();
        }
        read.map(|read| Some(Arc::new(read)))
    }

    /// Fetches into the folder of the last fetch. If what is there may be damaged, a fresh folder is next: a reconcile may
    /// still read from that one.
    fn fetched(&self) -> Result<(Arc<FetchFolder>, CommitId), FetchError> {
        let GitTarget { folders, remote, reference, .. } = &*self.target;
        let folder = folders.current();
        match folder.fetch(remote, reference) {
            Err(error) if error.may_be_of_folder() && folder.is_used() => {}
            fetched => return fetched.map(|id| (folder, id)),
        }
        drop(folder);
        folders.begin_afresh();
        let fresh = folders.current();
        let id = fresh.fetch(remote, reference)?;
        Ok((fresh, id))
    }
}

impl GitFailure {
    fn of_fetch(target: &GitTarget, error: &FetchError) -> Self {
        let is_transient = matches!(
            error,
            FetchError::Unreachable(_)
                | FetchError::Broken(_)
                | FetchError::Server(_)
                | FetchError::TimedOut(_)
                | FetchError::TooManyRequests { .. }
                | FetchError::Protocol
                | FetchError::Storage { .. }
                | FetchError::NoRoom(_)
                | FetchError::NoRoomBesideEarlier(_)
        );
        GitFailure {
            reason: error.reason(),
            why: format!("{}: {error}; {}", target.remote.url(), error.help()),
            is_stalled: !is_transient,
            is_for_want_of_room: error.is_for_want_of_room(),
            after: error.after(),
        }
    }

    /// The commit was fetched, and cannot be read from the disk.
    fn of_storage(target: &GitTarget, error: &dyn Display) -> Self {
        let why = format!("{}: what was fetched cannot be read: {error}", target.remote.url());
        GitFailure { reason: "StorageFailed", why, is_stalled: false, is_for_want_of_room: false, after: None }
    }

    pub(super) fn stalled(reason: &'static str, why: String) -> Self {
        GitFailure { reason, why, is_stalled: true, is_for_want_of_room: false, after: None }
    }
}

impl ReadCommit {
    fn read(
        target: &GitTarget,
        beside: &Arc<Vec<Folder>>,
        fetched: Arc<FetchFolder>,
        id: CommitId,
    ) -> Result<Self, GitFailure> {
        let of_storage = |error| GitFailure::of_storage(target, &error);
        let repository = Repository::bare(fetched.path()).map_err(of_storage)?;
        let commit = repository.commit(&id.to_string()).map_err(of_storage)?;
        let root = Path::new("");
        let tree = repository.files(&commit, root, root).map_err(of_storage)?;
        let mut layout = FolderLayout::new(root, Overlay::nothing_over(tree));
        let folder = Folder { tenant: target.tenant.clone(), role: FolderRole::Source, path: target.path.clone() };
        layout.add(folder.clone());
        for other in beside.iter() {
            // A folder may be, or lie behind, a link.
            let path = layout.locate_given(&other.path);
            layout.add(Folder { path, ..other.clone() });
        }
        let content = content(target, id, &layout, &folder);
        if let Some(why) = layout.over.tree().lost() {
            return Err(GitFailure::of_storage(target, &why));
        }
        let (tenant, beside) = (target.tenant.clone(), beside.clone());
        Ok(ReadCommit { tenant, id, layout, beside, content, _folder: fetched })
    }

    /// The folders of other tenants in it.
    pub(super) fn beside(&self) -> &Arc<Vec<Folder>> {
        &self.beside
    }

    /// Whether everything of it could be read so far. If not, it is fetched again.
    pub(super) fn is_whole(&self) -> bool {
        self.layout.over.tree().lost().is_none()
    }

    pub(super) fn id(&self) -> CommitId {
        self.id
    }

    /// Returns why nothing of it is used.
    pub(super) fn failure(&self) -> Option<&GitFailure> {
        self.content.as_ref().err()
    }

    /// Returns what it declares.
    pub(super) fn view(&self) -> View {
        match &self.content {
            Ok(snapshot) => View::Read(snapshot.inventory.clone()),
            Err(failure) => View::Unreachable(failure.why.clone()),
        }
    }

    /// The full name of the commit.
    pub(super) fn revision(&self) -> String {
        self.id.to_string()
    }

    /// Returns the problems in its files, the first ones in full.
    pub(super) fn problems(&self) -> Vec<String> {
        let Ok(snapshot) = &self.content else { return Vec::new() };
        let all = &snapshot.problems;
        let text = |problem: &FileProblem| {
            let line = if problem.line > 0 { format!(":{}", problem.line) } else { String::new() };
            format!("{}{line}: {}; {}", problem.file, problem.message, problem.help)
        };
        let more = all.len().saturating_sub(FEW);
        let more = (more > 0).then(|| format!("and {more} more problems in its files"));
        all.iter().take(FEW).map(text).chain(more).collect()
    }

    /// Reads the definition of an integration.
    pub(super) fn definition(&self, integration: &str) -> Result<Vec<u8>, LocationError> {
        let id = ObjectId::new(Kind::Integration, integration);
        let missing = || {
            let why = format!("its definition is not in commit {}", self.id);
            LocationError::Refused { object: id.clone(), why }
        };
        let snapshot = self.content.as_ref().map_err(|_| missing())?;
        let object = snapshot.inventory.integrations.get(integration);
        match (object.and_then(|object| object.spec.definition.as_ref()), snapshot.origins.get(&id)) {
            (Some(Definition::File(file)), Some(origin)) => {
                read_definition(&self.layout, &self.tenant, &beside(origin, file))
            }
            _ => Err(missing()),
        }
    }
}

/// Reads the manifests of a commit.
fn content(target: &GitTarget, id: CommitId, layout: &FolderLayout, folder: &Folder) -> Result<Snapshot, GitFailure> {
    let tree = layout.over.tree();
    let path = &folder.path;
    let shown = if path.as_os_str().is_empty() { "its root".to_string() } else { path.display().to_string() };
    let at = |what: String| format!("{}: commit {id} {what}", target.remote.url());
    let restore = "restore the folder, or correct path: what it declared is unknown now, so nothing of it is removed";
    match tree.kind_of_target(path) {
        Ok(FileKind::Folder) => {}
        Ok(FileKind::Submodule) => {
            let why = format!("has a submodule at {shown}, whose content is in another repository; {restore}");
            return Err(GitFailure::stalled("PathNotFound", at(why)));
        }
        Ok(_) => {
            let why = format!("has no folder at {shown}, but a file; {restore}");
            return Err(GitFailure::stalled("PathNotFound", at(why)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(GitFailure::stalled("PathNotFound", at(format!("has no folder {shown}; {restore}"))));
        }
        Err(error) => {
            return Err(GitFailure::stalled("PathNotFound", at(format!("has no folder {shown}: {error}; {restore}"))));
        }
    }
    let real = layout.locate_given(path);
    let is_shared = |other: &&Folder| real.starts_with(&other.path) || other.path.starts_with(&real);
    let mut others = layout.folders().iter().filter(|other| other.tenant != target.tenant);
    if let Some(Folder { tenant, .. }) = others.find(is_shared) {
        let why = format!(
            "shares files of {shown} with tenant {tenant}, because of a link: give each tenant a folder of its own"
        );
        return Err(GitFailure::stalled("SourceShared", at(why)));
    }
    let too_large = |what: String| Err(GitFailure::stalled("TooLarge", at(format!("{what}: nothing of it is used"))));
    let mut budget = FolderBudget::of_bytes(u64::try_from(target.limit).unwrap_or(u64::MAX));
    let reading = layout.read_within(folder, &mut budget).reading;
    match budget.exceeded() {
        None => {}
        Some(BudgetExceeded::Bytes) => {
            let limit = target.limit >> 20;
            return too_large(format!("has more than {limit} MiB of manifests at {shown} (--tenant-limit)"));
        }
        Some(BudgetExceeded::Entries) => {
            let (entries, paths) = (limits::FOLDER_ENTRIES, limits::FOLDER_PATH_BYTES >> 20);
            return too_large(format!(
                "has more than {entries} files and folders at {shown}, or {paths} MiB of their paths"
            ));
        }
    }
    if size_of_definitions(&reading, layout, &target.tenant) > DEFINITIONS {
        let limit = DEFINITIONS >> 20;
        return too_large(format!("has integrations at {shown} whose definitions have more than {limit} MiB together"));
    }
    Ok(gather(reading, layout, &target.tenant))
}

/// Returns the size of the definitions that documents name, one that several name as often as they do, in bytes.
fn size_of_definitions(reading: &DocumentsRead, layout: &FolderLayout, tenant: &str) -> u64 {
    let size = |document: &ReadDocument| {
        let Resource::Integration(integration) = &document.resource else { return None };
        let Some(Definition::File(file)) = &integration.spec.definition else { return None };
        let path = layout.side_file(tenant, &beside(&document.origin, file)).ok()?;
        layout.over.tree().size(&path).ok()
    };
    reading.documents.iter().filter_map(size).fold(0, u64::saturating_add)
}

/// Returns the folder that a source names; `None` if it leads out of the repository.
pub(super) fn folder(path: Option<&str>) -> Option<PathBuf> {
    let written = Path::new(path.unwrap_or_default());
    let below = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    let plain = |part: &Component<'_>| matches!(part, Component::Normal(_));
    written.components().all(below).then(|| written.components().filter(plain).collect())
}

#[cfg(test)]
impl GitTarget {
    /// A folder of a repository whose server nobody asks; commits are fetched below `parent`.
    pub(super) fn of_test(path: &str, parent: &Path, limit: usize) -> Self {
        use crate::git::Proxies;
        use crate::git::quota::FetchQuota;
        use crate::git::remote::{Access, Limits};
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let access = Access {
            credentials: None,
            authorities: None,
            proxies: Proxies::none(),
            limits: Limits::default(),
            allows_loopback: false,
        };
        GitTarget {
            tenant: "us".to_string(),
            remote: Remote::new("https://git.example/team/tenants.git", access, runtime.handle().clone()).unwrap(),
            reference: Reference::branch("main").unwrap(),
            path: path.into(),
            folders: FetchFolders::below(parent, "hub", "us", FetchQuota::new(1 << 20).source(1 << 20)),
            limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stablekey_testing::git_repository::{File, GitRepository, files};
    use std::fs;

    /// A source, and a folder in which everything of it was fetched.
    struct Fetched {
        target: GitTarget,
        folder: Arc<FetchFolder>,
        repository: GitRepository,
        _parent: tempfile::TempDir,
    }

    fn fetched(path: &str, limit: usize) -> Fetched {
        let parent = tempfile::tempdir().unwrap();
        let target = GitTarget::of_test(path, parent.path(), limit);
        let folder = target.folders.current();
        let repository = GitRepository::new(folder.path());
        Fetched { target, folder, repository, _parent: parent }
    }

    impl Fetched {
        fn read(&self, commit: &str) -> Result<ReadCommit, GitFailure> {
            let id = CommitId::from_hex(commit.as_bytes()).unwrap();
            ReadCommit::read(&self.target, &Arc::default(), self.folder.clone(), id)
        }

        /// Reads folder `us` of a commit, whose folder `eu` is another tenant's.
        fn read_beside_eu(&self, commit: &str) -> Result<ReadCommit, GitFailure> {
            let id = CommitId::from_hex(commit.as_bytes()).unwrap();
            let eu = Folder { tenant: "eu".to_string(), role: FolderRole::Source, path: "eu".into() };
            ReadCommit::read(&self.target, &Arc::new(vec![eu]), self.folder.clone(), id)
        }

        /// Removes the object of a path, as a full disk or an eviction may.
        fn lose(&self, path: &str) {
            let id = self.repository.git(&["rev-parse", &format!("main:{path}")]);
            let (folder, name) = id.split_at(2);
            fs::remove_file(self.repository.path().join("objects").join(folder).join(name)).unwrap();
        }
    }

    fn integration(name: &str) -> String {
        format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {{name: {name}}}\n\
             spec: {{definition: {{file: definition.yaml}}}}\n---\n"
        )
    }

    #[test]
    fn a_path_stays_in_its_repository() {
        assert_eq!(folder(None), Some(PathBuf::new()));
        assert_eq!(folder(Some("./tenants//us/")), Some("tenants/us".into()));
        for path in ["..", "a/../../b", "/etc"] {
            assert_eq!(folder(Some(path)), None, "{path}");
        }
    }

    /// Whoever may push to one tenant's branch must not end the reconciles of all.
    #[test]
    fn a_commit_that_is_larger_than_it_looks_is_not_read() {
        let fetched = fetched("", 2 << 20);
        let large = |commit: &str, why: &str| {
            let read = fetched.read(commit).unwrap();
            let failure = read.failure().unwrap();
            assert_eq!((failure.reason, failure.is_stalled), ("TooLarge", true));
            assert!(failure.why.contains(why), "{}", failure.why);
            assert!(matches!(read.view(), View::Unreachable(_)));
        };
        large(&fetched.repository.commit_repeating("main", 40, "a.yaml"), "more than 2 MiB of manifests at its root");
        // A definition is read for each integration that names it.
        let integrations: String = (0..300).map(|number| integration(&format!("i{number}"))).collect();
        let definition = "x".repeat(1 << 20);
        let texts = [("i.yaml", integrations.as_str()), ("definition.yaml", definition.as_str())];
        large(&fetched.repository.replace("main", &files(&texts)), "more than 256 MiB together");
    }

    /// "One file, one tenant": a link into another tenant's folder is an error on the link.
    #[test]
    fn a_link_into_the_folder_of_another_source_is_an_error() {
        let fetched = fetched("us", 1 << 20);
        let plain = |name: &str| {
            File::Regular(
                format!(
                    "apiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {{name: {name}}}\nspec: {{}}\n"
                )
                .into_bytes(),
            )
        };
        let commit = |us: &[(&str, File)]| {
            let eu = ("eu/crm.yaml".to_string(), plain("crm"));
            let us = us.iter().map(|(path, file)| (path.to_string(), file.clone()));
            fetched.repository.commit("main", &us.chain([eu]).collect())
        };
        let own = commit(&[("us/own.yaml", plain("own")), ("us/both.yaml", File::Link("../both.yaml".to_string()))]);
        assert!(fetched.read_beside_eu(&own).unwrap().failure().is_none());
        for (path, to) in [("us/crm.yaml", "../eu/crm.yaml"), ("us/all", "../eu")] {
            let linked = commit(&[("us/own.yaml", plain("own")), (path, File::Link(to.to_string()))]);
            assert_eq!(fetched.read(&linked).unwrap().problems(), Vec::<String>::new(), "nobody else has it");
            let problems = fetched.read_beside_eu(&linked).unwrap().problems();
            assert!(problems[0].contains("this link leads into the folder of tenant eu"), "{problems:?}");
        }
        let whole = commit(&[("us", File::Link("eu".to_string()))]);
        let read = fetched.read_beside_eu(&whole).unwrap();
        assert_eq!(read.failure().unwrap().reason, "SourceShared");
    }

    /// "what cannot be read is unknown": what the disk lost is no fault of the commit.
    #[test]
    fn a_lost_object_is_a_failure_of_the_storage() {
        let fetched = fetched("", 1 << 20);
        let (manifest, definition) = (integration("i"), "definitionVersion: 7\nname: i\nflows: []\n".to_string());
        let texts = [("us/i.yaml", manifest.as_str()), ("us/definition.yaml", definition.as_str())];
        let commit = fetched.repository.commit("main", &files(&texts));
        let read = fetched.read(&commit).unwrap();
        assert_eq!(read.problems(), Vec::<String>::new());
        assert!(read.definition("i").is_ok() && read.is_whole());
        fetched.lose("us/definition.yaml");
        assert!(read.definition("i").is_err());
        assert!(!read.is_whole(), "it is fetched again");
        for path in ["us/definition.yaml", "us/i.yaml", "us"] {
            if path != "us/definition.yaml" {
                fetched.lose(path);
            }
            let failure = fetched.read(&commit).unwrap_err();
            assert_eq!((failure.reason, failure.is_stalled), ("StorageFailed", false), "{path}");
        }
    }
}
