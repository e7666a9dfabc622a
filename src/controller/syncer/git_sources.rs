//! The sources in Git of all tenants of a hub: opened according to the Tenants, and closed. Credentials go only to hosts
//! that both the operator's options and their Secret name.

use super::super::context::Context;
use super::super::metrics::GitPollOutcome;
use super::super::named_secret::{NamedSecret, fingerprint};
use super::fetch_folders::FetchFolders;
use super::git_commit::{self, GitPoll, GitPollResult, GitTarget};
use super::git_reads::GitReads;
use super::git_source::GitTenantSource;
use super::hub_objects::HubObjects;
use super::tenant::TenantRefusal;
use crate::api::{GitSource, HOSTS};
use crate::engine::model::inventory::Inventory;
use crate::git::credentials::{CredentialKind, Credentials};
use crate::git::reference::Reference;
use crate::git::remote::{Access, Remote, RemoteError};
use crate::git::url::GitUrl;
use crate::git::{Authorities, Proxies, Secret};
use crate::tenant::directory::layout::{Folder, FolderRole};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::{info, warn};

/// The reason of a source or a location whose Secret is still being read.
pub(super) const UNREAD: &str = "SecretUnread";
/// The keys of the Secret of a source.
const KEYS: [&str; 4] = ["username", "password", "bearerToken", "ca.crt"];
const USERNAME: usize = 0;
const PASSWORD: usize = 1;
const TOKEN: usize = 2;
const AUTHORITIES: usize = 3;

/// A source, or why there is none.
type Opened = Result<Box<GitTenantSource>, TenantRefusal>;

/// What a source was opened by: another one of these needs another connection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OpenedBy {
    spec: GitSource,
    /// Hashes of the values of its Secret.
    secret: [Option<[u8; 32]>; KEYS.len()],
    /// The hosts of the credentials.
    hosts: Option<String>,
}

/// The sources in Git of a hub.
pub(super) struct GitSources {
    context: Context,
    namespace: String,
    /// The folder of this replica for what is fetched.
    folder: PathBuf,
    /// What the sources of all hubs share.
    reads: Arc<GitReads>,
    found: BTreeMap<String, Opened>,
    /// By tenant: what its source was opened by.
    found_by: BTreeMap<String, OpenedBy>,
    epochs: u64,
}

/// A read that is due.
pub(super) struct DuePoll {
    pub tenant: String,
    pub epoch: u64,
    pub poll: GitPoll,
}

/// The folder of a replica and role for what is fetched.
fn folder_of(context: &Context) -> PathBuf {
    context.git.folder.join(context.replica.as_ref()).join(context.role.as_str())
}

/// Removes what an earlier process of this replica fetched and left behind.
pub(super) fn sweep(context: &Context) {
    // Mostly there is none. What cannot be removed is not used either.
    let _ = std::fs::remove_dir_all(folder_of(context));
}

fn refuse<T>(reason: &'static str, why: impl Into<String>) -> Result<T, TenantRefusal> {
    Err(TenantRefusal { reason, why: why.into() })
}

impl GitSources {
    /// Creates the sources of a hub, none of them open.
    pub(super) fn new(context: Context, namespace: &str, reads: Arc<GitReads>) -> Self {
        let (found, found_by) = (BTreeMap::new(), BTreeMap::new());
        let folder = folder_of(&context);
        GitSources { context, namespace: namespace.to_string(), folder, reads, found, found_by, epochs: 0 }
    }

    /// Opens the sources of the Tenants, and closes those that no Tenant names any more. `secret` returns a Secret.
    pub(super) fn connect_all<'s>(
        &mut self,
        objects: &HubObjects,
        secret: &dyn Fn(&str) -> Result<&'s NamedSecret, TenantRefusal>,
    ) {
        let wanted: BTreeMap<&String, &GitSource> = objects.git_sources().collect();
        for name in self.found.keys().filter(|name| !wanted.contains_key(name)) {
            self.context.metrics.forget_git(name);
        }
        self.found.retain(|name, _| wanted.contains_key(name));
        self.found_by.retain(|name, _| wanted.contains_key(name));
        let folders: BTreeMap<&String, CommitFolder> =
            objects.all_git_sources().filter_map(|(name, spec)| Some((name, CommitFolder::of(spec)?))).collect();
        for (name, spec) in &wanted {
            let own = folders.get(name);
            let of_others: Vec<(&String, &CommitFolder)> = folders
                .iter()
                .filter(|(other, folder)| *other != name && own.is_some_and(|own| own.is_in_commits_of(folder)))
                .map(|(other, folder)| (*other, folder))
                .collect();
            let shared = own.and_then(|own| of_others.iter().find_map(|(other, folder)| own.shares(folder, other)));
            let opened = match shared {
                Some(why) => Some(refuse("SourceShared", why)),
                None => self.open(name, spec, secret).transpose(),
            };
            let Some(opened) = opened else {
                self.set_beside(name, &of_others);
                continue;
            };
            if let Err(refusal) = &opened {
                self.found_by.remove(*name);
                let is_new = !self.found.get(*name).is_some_and(|known| known.as_ref().err() == Some(refusal));
                if refusal.reason != UNREAD && is_new {
                    warn!(tenant = name, reason = refusal.reason, why = %refusal, "its source is not read");
                }
            }
            self.found.insert((*name).clone(), opened);
            self.set_beside(name, &of_others);
        }
    }

    /// Gives an open source the folders of other tenants in the same commits.
    fn set_beside(&mut self, name: &str, of_others: &[(&String, &CommitFolder)]) {
        if let Some(Ok(source)) = self.found.get_mut(name) {
            source.set_beside(beside(of_others), Instant::now());
        }
    }

    /// Opens a source; `None` if the existing one is still right.
    fn open<'s>(
        &mut self,
        name: &str,
        spec: &GitSource,
        secret: &dyn Fn(&str) -> Result<&'s NamedSecret, TenantRefusal>,
    ) -> Result<Option<Box<GitTenantSource>>, TenantRefusal> {
        let secret = spec.secret_ref.as_ref().map(|at| Ok((at.name.as_str(), secret(&at.name)?))).transpose()?;
        let values = KEYS.map(|key| secret.and_then(|(_, secret)| secret.text(key)));
        let by = OpenedBy {
            spec: spec.clone(),
            secret: values.map(|value| value.map(fingerprint)),
            hosts: secret.and_then(|(_, secret)| secret.hosts.clone()),
        };
        if self.found.get(name).is_some_and(Result::is_ok) && self.found_by.get(name) == Some(&by) {
            return Ok(None);
        }
        self.may_read(&spec.url)?;
        let reference = reference(spec)?;
        let Some(path) = git_commit::folder(spec.path.as_deref()) else {
            return refuse("PathRefused", "its path leads out of the repository: write a path below its root");
        };
        let from = secret.map(|(name, _)| format!("Secret {name}")).unwrap_or_default();
        let access = Access {
            credentials: credentials(&from, values, by.hosts.as_deref())?,
            authorities: authorities(&from, values[AUTHORITIES])?,
            proxies: Proxies::of(&|variable| std::env::var(variable).ok()),
            limits: self.context.git.limits,
            allows_loopback: self.context.git.allows_loopback,
        };
        let remote = Remote::new(&spec.url, access, Handle::current()).map_err(|error| TenantRefusal {
            reason: match error {
                RemoteError::Url { .. } | RemoteError::Loopback(_) | RemoteError::Client { .. } => "UrlRefused",
                RemoteError::Credentials(_) => "CredentialsRefused",
            },
            why: match &error {
                RemoteError::Credentials(_) => {
                    format!("{error}; annotate the Secret with {HOSTS}: the hosts that it may be sent to")
                }
                _ => error.to_string(),
            },
        })?;
        let target = GitTarget {
            tenant: name.to_string(),
            remote,
            reference,
            path,
            folders: FetchFolders::below(&self.folder, &self.namespace, name, self.reads.source_quota()),
            limit: self.context.tenant_limit,
        };
        info!(tenant = name, url = spec.url, "its source is read from time to time");
        self.found_by.insert(name.to_string(), by);
        self.epochs += 1;
        self.context.metrics.git_opened(name);
        let waiting = self.context.readiness.waits(self.context.role.as_str(), format!("tenant {name}"));
        Ok(Some(Box::new(GitTenantSource::new(self.epochs, target, spec.interval(), waiting))))
    }

    /// Whether the options allow to read from the host of this address.
    fn may_read(&self, url: &str) -> Result<(), TenantRefusal> {
        let Ok(parsed) = GitUrl::parse(url) else { return Ok(()) };
        if self.context.git.hosts.iter().any(|host| parsed.is_on(host)) {
            return Ok(());
        }
        let host = parsed.host();
        let role = self.context.role;
        refuse(
            "HostRefused",
            format!("the {role} does not read from {host}: start it with --git-host {host}, or correct the url"),
        )
    }

    /// Begins the reads that are due.
    pub(super) fn begin_polls(&mut self, now: Instant) -> Vec<DuePoll> {
        let open = self.found.iter_mut().filter_map(|(name, source)| Some((name, source.as_mut().ok()?)));
        let due = open.filter_map(|(name, source)| {
            let (tenant, epoch) = (name.clone(), source.epoch);
            Some(DuePoll { tenant, epoch, poll: source.begin(now)? })
        });
        due.collect()
    }

    /// Returns when the next read is due.
    pub(super) fn wakes(&self) -> impl Iterator<Item = Instant> {
        self.found.values().filter_map(|source| source.as_ref().ok()?.wakes())
    }

    /// Takes the result of a read; `None` if it panicked. Returns whether anything changed. A read of an earlier
    /// connection changes nothing.
    pub(super) fn on_read(&mut self, tenant: &str, epoch: u64, result: Option<GitPollResult>, now: Instant) -> bool {
        let source = self.found.get_mut(tenant).and_then(|source| source.as_mut().ok());
        let Some(source) = source.filter(|source| source.epoch == epoch) else { return false };
        let outcome = result.as_ref().map_or(GitPollOutcome::Failed, GitPollResult::outcome);
        self.context.metrics.git_polled(tenant, outcome);
        source.on_read(result, now)
    }

    /// Reads the source of a tenant before anything else is reconciled with it.
    pub(super) fn refresh(&mut self, tenant: &str, now: Instant) {
        let source = self.found.get_mut(tenant).and_then(|source| source.as_mut().ok());
        source.into_iter().for_each(|source| source.refresh(now));
    }

    /// Reads the sources at any of these addresses now; without an address, all sources.
    pub(super) fn poll_all_now(&mut self, urls: &BTreeSet<String>, now: Instant) {
        for source in self.found.values_mut().filter_map(|source| source.as_mut().ok()) {
            if urls.is_empty() || urls.iter().any(|url| source.is_at(url)) {
                source.poll_now(now);
            }
        }
    }

    /// Returns the source of a tenant, or why it has none; `None` if it names none, or was not opened yet.
    pub(super) fn get(&self, tenant: &str) -> Option<Result<&GitTenantSource, &TenantRefusal>> {
        Some(self.found.get(tenant)?.as_ref().map(AsRef::as_ref))
    }

    /// Returns what the source of a tenant declares, if it can be read.
    pub(super) fn inventory(&self, tenant: &str) -> Option<Arc<Inventory>> {
        self.get(tenant)?.ok()?.view().inventory().cloned()
    }

    /// Whether the first read of a source is still in progress and has no error.
    pub(super) fn is_being_read(&self, tenant: &str) -> bool {
        match self.get(tenant) {
            Some(Ok(source)) => source.is_being_read(),
            Some(Err(refusal)) => refusal.reason == UNREAD,
            None => false,
        }
    }
}

/// A folder of a branch, tag or commit, the same however it is written.
struct CommitFolder {
    /// The address of the repository in lower case: many servers ignore the case of a path. On one that does not, two
    /// repositories whose names differ in case only count as one.
    repository: String,
    reference: Reference,
    /// Empty for all of the repository.
    path: PathBuf,
}

impl CommitFolder {
    /// Returns the folder of a source; `None` if it cannot be read as it is written, for which it is refused.
    fn of(source: &GitSource) -> Option<Self> {
        let repository = GitUrl::parse(&source.url).ok()?.repository().to_ascii_lowercase();
        let path = git_commit::folder(source.path.as_deref())?;
        Some(CommitFolder { repository, reference: reference(source).ok()?, path })
    }

    /// Whether both are folders of the same commits.
    fn is_in_commits_of(&self, other: &CommitFolder) -> bool {
        self.repository == other.repository && self.reference == other.reference
    }

    /// Why this and the folder of another tenant, in the same commits, have files in common: a file belongs to one tenant.
    fn shares(&self, other: &CommitFolder, name: &str) -> Option<String> {
        let shown = |path: &Path| match path.as_os_str().is_empty() {
            true => "the whole repository".to_string(),
            false => path.display().to_string(),
        };
        if self.path == other.path {
            return Some(format!("{name} has the same source: give each tenant a folder of its own"));
        }
        let how = match (self.path.starts_with(&other.path), other.path.starts_with(&self.path)) {
            (false, false) => return None,
            (true, _) => "lies in",
            (false, true) => "holds",
        };
        let (own, theirs) = (shown(&self.path), shown(&other.path));
        Some(format!(
            "its source ({own}) {how} that of {name} ({theirs}): give each tenant a folder of its own, none within another"
        ))
    }
}

/// The folders of other tenants in the same commits.
fn beside(of_others: &[(&String, &CommitFolder)]) -> Vec<Folder> {
    let of = |(name, folder): &(&String, &CommitFolder)| Folder {
        tenant: (*name).clone(),
        role: FolderRole::Source,
        path: folder.path.clone(),
    };
    of_others.iter().map(of).collect()
}

fn reference(spec: &GitSource) -> Result<Reference, TenantRefusal> {
    let parsed = match (&spec.branch, &spec.tag, &spec.commit) {
        (Some(branch), None, None) => Reference::branch(branch),
        (None, Some(tag), None) => Reference::tag(tag),
        (None, None, Some(commit)) => Reference::commit(commit),
        _ => return refuse("ReferenceRefused", crate::api::rules::GIT_REFERENCE),
    };
    parsed.or_else(|error| refuse("ReferenceRefused", error.to_string()))
}

/// Returns the credentials in the values of a Secret.
fn credentials(
    from: &str,
    values: [Option<&Secret>; KEYS.len()],
    hosts: Option<&str>,
) -> Result<Option<Credentials>, TenantRefusal> {
    let again = |secret: &Secret| Secret::new(secret.expose().to_string());
    let kind = match (values[USERNAME], values[PASSWORD], values[TOKEN]) {
        (Some(username), Some(password), None) => {
            CredentialKind::Password { username: again(username), password: again(password) }
        }
        (None, None, Some(token)) => CredentialKind::Bearer(again(token)),
        (None, None, None) => {
            // One that has only authorities says so by not having the others.
            return if from.is_empty() || values[AUTHORITIES].is_some() {
                Ok(None)
            } else {
                refuse("CredentialsMissing", format!("{from} has none of the keys {}", KEYS.join(", ")))
            };
        }
        _ => {
            return refuse(
                "CredentialsRefused",
                format!("{from} has either username and password, or bearerToken: give one of the two, whole"),
            );
        }
    };
    let hosts = hosts.unwrap_or_default().split(',').map(str::to_string).collect();
    Ok(Some(Credentials { from: from.to_string(), kind, hosts }))
}

fn authorities(from: &str, pem: Option<&Secret>) -> Result<Option<Authorities>, TenantRefusal> {
    let parsed = pem.map(|pem| Authorities::parse(pem.expose().as_bytes())).transpose();
    parsed.or_else(|error| refuse("CertificateRefused", format!("ca.crt of {from}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(url: &str) -> GitSource {
        GitSource { url: url.to_string(), branch: Some("main".to_string()), ..GitSource::default() }
    }

    fn shares(one: &GitSource, other: &GitSource) -> bool {
        let (Some(one), Some(other)) = (CommitFolder::of(one), CommitFolder::of(other)) else { return false };
        one.is_in_commits_of(&other) && one.shares(&other, "other").is_some()
    }

    #[test]
    fn one_source_is_found_however_it_is_written() {
        let one = GitSource { path: Some("us".to_string()), ..git("https://git.example/team/tenants.git") };
        let same = GitSource { path: Some("./us/".to_string()), ..git("https://Git.Example:443/team/tenants/") };
        assert!(shares(&one, &same));
        assert!(shares(&one, &GitSource { url: "https://git.example/Team/Tenants".to_string(), ..one.clone() }));
        for other in [
            GitSource { path: Some("eu".to_string()), ..one.clone() },
            GitSource { branch: Some("dev".to_string()), ..one.clone() },
            GitSource { branch: None, tag: Some("main".to_string()), ..one.clone() },
            GitSource { url: "https://git.example/team/other".to_string(), ..one.clone() },
        ] {
            assert!(!shares(&one, &other), "{other:?}");
        }
        let commit = |name: &str| GitSource { branch: None, commit: Some(name.to_string()), ..one.clone() };
        assert!(shares(&commit(&"ab".repeat(20)), &commit(&"AB".repeat(20))));
        // Two that cannot be read are each refused for that.
        assert!(!shares(&git("tenants"), &git("other")));
    }

    /// "One file, one tenant": of two folders, one within the other, a file would count in both.
    #[test]
    fn a_source_within_another_shares_its_files() {
        let at = |path: Option<&str>| GitSource {
            path: path.map(str::to_string),
            ..git("https://git.example/team/tenants.git")
        };
        for (one, other) in [(None, Some("eu")), (Some("."), Some("eu")), (Some("eu"), Some("eu/prod/"))] {
            assert!(shares(&at(one), &at(other)) && shares(&at(other), &at(one)), "{one:?} {other:?}");
        }
        // Whole names count.
        assert!(!shares(&at(Some("eu")), &at(Some("eu-prod"))));
        let folder = |path| CommitFolder::of(&at(path)).unwrap();
        let why = |one, other| folder(one).shares(&folder(other), "eu").unwrap();
        assert!(why(None, Some("eu")).contains("(the whole repository) holds that of eu (eu)"));
        assert!(why(Some("eu/prod"), Some("eu")).contains("(eu/prod) lies in that of eu (eu)"));
    }
}
