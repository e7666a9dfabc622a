//! A repository on a Git server: where its branch or tag stands, and its commit brought to this machine. Only the commit
//! is read, without its history.

use super::credentials::{Credentials, CredentialsError};
use super::failure::FetchError;
use super::quota::QuotaShare;
use super::reference::{RefName, Reference};
use super::transport::{AGENT, GitHttp, Operation};
use super::tree::UNPACKED;
use super::url::{self, GitUrl, GitUrlError};
use crate::http_client::client::{Authorities, HttpClient, Proxies, Trust};
use crate::io_error;
use gix::ObjectId;
use gix::protocol::fetch::refmap::{self, Source};
use gix::protocol::handshake::Ref;
use gix::protocol::transport::{Protocol, Service};
use gix::remote::fetch::{RefMap, Shallow, Tags};
use gix_transport::client::blocking_io::http::Transport;
use http::HeaderValue;
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// The local name of what was fetched last.
const FETCHED: &str = "refs/stablekey/fetched";
/// A pattern that no ref of a remote matches: where nothing is asked for, a server lists all its refs.
const NOTHING: &str = "refs/stablekey/none/*:refs/stablekey/none/*";
/// Maximum size of a list of refs, in bytes. Servers of today list only what is asked for.
const LISTING: u64 = 16 << 20;
/// Maximum number of files that fetches leave. Each fetch adds a pack and its index, and none goes.
const PACK_FILES: usize = 40;
/// Maximum memory for one object, in bytes: a pack can promise more than it holds.
const LARGEST_OBJECT: u64 = 64 << 20;

/// A repository on a Git server.
///
/// Its methods wait for the server: call them outside of futures.
pub struct Remote {
    url: GitUrl,
    /// The same for gix.
    parsed: gix::Url,
    client: Arc<HttpClient>,
    authorization: Option<HeaderValue>,
    limits: Limits,
    runtime: Handle,
}

/// How a repository is reached.
#[derive(Debug)]
pub struct Access {
    pub credentials: Option<Credentials>,
    /// The only authorities whose certificates are accepted; `None`: those that the system trusts.
    pub authorities: Option<Authorities>,
    pub proxies: Proxies,
    pub limits: Limits,
    /// Whether this machine is reached, and with plain HTTP too. For tests.
    pub allows_loopback: bool,
}

/// What one operation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From its begin to its end.
    pub time: Duration,
    /// Maximum size of what the server sends, in bytes.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { time: Duration::from_secs(60), bytes: 256 << 20 }
    }
}

/// Why a repository is not asked at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Its address cannot be used.
    #[error("its url {shown}: {error}")]
    Url {
        /// Without a password.
        shown: String,
        error: GitUrlError,
    },
    /// It is on this machine.
    #[error("its url {0}: a server on this machine is not read")]
    Loopback(String),
    /// Credentials are not sent there.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// There is no client.
    #[error("its url {shown}: {why}")]
    Client { shown: String, why: String },
}

impl Remote {
    /// The repository at this address.
    pub fn new(url: &str, access: Access, runtime: Handle) -> Result<Self, RemoteError> {
        let shown = || url::shown(url);
        let parsed = GitUrl::parse(url).map_err(|error| RemoteError::Url { shown: shown(), error })?;
        if parsed.origin().is_loopback() && !access.allows_loopback {
            return Err(RemoteError::Loopback(shown()));
        }
        let authorization =
            access.credentials.as_ref().map(|credentials| credentials.authorization(&parsed)).transpose()?;
        let failed = |why: String| RemoteError::Client { shown: shown(), why };
        let trust = access.authorities.map_or(Trust::System, Trust::Only);
        let client = HttpClient::to(parsed.origin(), &access.proxies, &trust).map_err(failed)?;
        let for_gix = gix::url::parse(parsed.to_string().as_str());
        let for_gix = for_gix.map_err(|_| failed("it cannot be used".to_string()))?;
        Ok(Remote {
            url: parsed,
            parsed: for_gix,
            client: Arc::new(client),
            authorization,
            limits: access.limits,
            runtime,
        })
    }

    /// The address of the repository.
    pub fn url(&self) -> &GitUrl {
        &self.url
    }

    /// The commit that a branch or tag names now: two small requests. A commit names itself, and nothing is asked.
    pub fn head(&self, reference: &Reference) -> Result<ObjectId, FetchError> {
        match reference {
            Reference::Commit(id) => Ok(*id),
            _ => self.listed(reference, self.deadline()).map(|(id, _)| id),
        }
    }

    /// Brings the commit that a reference names now into a folder, and returns its name. The folder becomes a bare
    /// repository that nothing else uses; what an earlier fetch left there need not be sent again, and is replaced if it
    /// is of no use.
    pub fn fetch(&self, reference: &Reference, into: &Path) -> Result<ObjectId, FetchError> {
        let deadline = self.deadline();
        let named = self.named(reference, deadline)?;
        if !is_worn(into)
            && let Some(repository) = open(into)
        {
            match self.fetch_more(&named, (&repository, into), None, deadline) {
                Err(error) if error.may_be_of_folder() => {}
                result => return result,
            }
        }
        if !is_ours(into) {
            let other = io::Error::other("it has files of somebody else in it");
            return Err(storage(into, &other));
        }
        self.fetch_afresh(&named, into, None, deadline)
    }

    /// Brings the commit that a reference names now into a folder that others read earlier commits from: what is there
    /// is never replaced. It takes this share of the room for all fetches.
    pub fn fetch_within(
        &self,
        reference: &Reference,
        into: &Path,
        share: &Arc<QuotaShare>,
    ) -> Result<ObjectId, FetchError> {
        let deadline = self.deadline();
        let named = self.named(reference, deadline)?;
        let fetched = match open(into) {
            Some(repository) => self.fetch_more(&named, (&repository, into), Some(share), deadline),
            None if is_free(into) => self.fetch_afresh(&named, into, Some(share), deadline),
            None => Err(storage(into, &io::Error::other("what was fetched before is damaged"))),
        };
        share.measure(into);
        fetched
    }

    /// What a reference is: a branch, a tag or a commit, which must be known before it is fetched.
    fn named(&self, reference: &Reference, deadline: Instant) -> Result<Reference, FetchError> {
        match reference {
            Reference::Named(_) => self.listed(reference, deadline).map(|(_, named)| named),
            _ => Ok(reference.clone()),
        }
    }

    /// Fetches into the repository that earlier fetches left.
    fn fetch_more(
        &self,
        named: &Reference,
        (repository, into): (&gix::Repository, &Path),
        share: Option<&Arc<QuotaShare>>,
        deadline: Instant,
    ) -> Result<ObjectId, FetchError> {
        match named {
            Reference::Commit(id) if is_there(repository, *id) => Ok(*id),
            _ => self.fetch_into(named, (repository, into), share, deadline),
        }
    }

    /// Fetches into a new repository, which then takes the place of the folder.
    fn fetch_afresh(
        &self,
        named: &Reference,
        into: &Path,
        share: Option<&Arc<QuotaShare>>,
        deadline: Instant,
    ) -> Result<ObjectId, FetchError> {
        let fresh = beside(into);
        let of_storage = |error: io::Error| storage(into, &error);
        remove(&fresh).map_err(of_storage)?;
        fs::create_dir_all(&fresh).map_err(of_storage)?;
        let repository = create(&fresh).ok_or_else(|| storage(into, &io::Error::other("no repository can be made")))?;
        let fetched = self.fetch_into(named, (&repository, into), share, deadline);
        drop(repository);
        let id = match fetched {
            Ok(id) => id,
            Err(error) => {
                // Another try begins with an empty folder, so that it does not matter if this stays.
                let _ = remove(&fresh);
                return Err(error);
            }
        };
        remove(into).map_err(of_storage)?;
        fs::rename(&fresh, into).map_err(of_storage)?;
        Ok(id)
    }

    /// When an operation that begins now ends.
    fn deadline(&self) -> Instant {
        Instant::now() + self.limits.time
    }

    /// Begins a part of an operation, and returns its requests.
    fn begin(
        &self,
        deadline: Instant,
        bytes: u64,
        share: Option<&Arc<QuotaShare>>,
    ) -> (Arc<Operation>, Transport<GitHttp>) {
        let operation = Operation::until(deadline, self.limits.time, bytes, share.cloned());
        let http = GitHttp {
            url: self.url.to_string(),
            client: self.client.clone(),
            runtime: self.runtime.clone(),
            authorization: self.authorization.clone(),
            operation: operation.clone(),
        };
        (operation, Transport::new_http(http, self.parsed.clone(), Protocol::V2, false))
    }

    /// The commit that a branch or tag names, and which of the two it is.
    fn listed(&self, reference: &Reference, deadline: Instant) -> Result<(ObjectId, Reference), FetchError> {
        let (operation, mut transport) = self.begin(deadline, LISTING.min(self.limits.bytes), None);
        let listed = list(reference, &mut transport).map_err(|error| failure(&error, &operation))?;
        let listed = listed.ok_or(FetchError::Unsupported)?;
        let branch =
            |name: &RefName| target(&listed, &name.as_branch()).map(|id| (id, Reference::Branch(name.clone())));
        let tag = |name: &RefName| target(&listed, &name.as_tag()).map(|id| (id, Reference::Tag(name.clone())));
        let found = match reference {
            Reference::Branch(name) => branch(name),
            Reference::Tag(name) => tag(name),
            Reference::Commit(id) => Some((*id, reference.clone())),
            Reference::Named(name) => match (branch(name), tag(name)) {
                (Some(_), Some(_)) => return Err(FetchError::Ambiguous(reference.clone())),
                (one, other) => one.or(other),
            },
        };
        found.ok_or_else(|| FetchError::NoReference(reference.clone()))
    }

    /// Fetches what a branch, tag or commit names into a repository. `folder` is what messages call it.
    fn fetch_into(
        &self,
        reference: &Reference,
        (repository, folder): (&gix::Repository, &Path),
        share: Option<&Arc<QuotaShare>>,
        deadline: Instant,
    ) -> Result<ObjectId, FetchError> {
        let (operation, transport) = self.begin(deadline, self.limits.bytes, share);
        let of_gix = |error: gix::Error| {
            let failure = failure(&error, &operation);
            let disk = error.downcast_any_ref::<io::Error>().filter(|error| error.raw_os_error().is_some());
            match (failure, disk) {
                (FetchError::Protocol, Some(error)) => storage(folder, error),
                // Or names of another kind, which a list tells.
                (FetchError::Protocol, None) if is_about(&error, "Could not decode object ID") => {
                    self.listed(reference, deadline).err().unwrap_or(FetchError::Protocol)
                }
                (FetchError::Protocol, None) if is_missing_commit(reference, &error) => {
                    FetchError::NoReference(reference.clone())
                }
                (failure, _) => failure,
            }
        };
        let remote = repository.remote_at_without_url_rewrite(self.parsed.clone()).map_err(of_gix)?;
        let specs = specs(reference);
        let remote = remote.with_fetch_tags(Tags::None);
        let remote = remote.with_refspecs(specs.iter().map(String::as_str), gix::remote::Direction::Fetch);
        let remote = remote.map_err(of_gix)?;
        // Credentials are in each request; nobody is asked for others.
        let connection = remote.to_connection_with_transport(transport).with_credentials(|_| Ok(None));
        let prepared = connection.prepare_fetch(gix::progress::Discard, Default::default()).map_err(of_gix)?;
        let mapped = mapped(prepared.ref_map()).ok_or_else(|| FetchError::NoReference(reference.clone()))?;
        let one = Shallow::DepthAtRemote(NonZeroU32::MIN);
        let received = until(operation.deadline, |interrupt| {
            prepared.with_shallow(one).receive(gix::progress::Discard, interrupt).map(drop)
        });
        received.map_err(of_gix)?;
        let object = repository.find_object(mapped).map_err(|_| FetchError::Protocol)?;
        match object.peel_to_kind(gix::object::Kind::Commit) {
            Ok(commit) if commit.id == mapped || !matches!(reference, Reference::Commit(_)) => Ok(commit.id),
            _ => Err(FetchError::NotACommit(reference.clone())),
        }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("url", &self.url.to_string()).finish_non_exhaustive()
    }
}

/// The refspecs that bring a reference here, and no other.
fn specs(reference: &Reference) -> Vec<String> {
    let to = |name: String| format!("+{name}:{FETCHED}");
    match reference {
        Reference::Branch(name) => vec![to(name.as_branch())],
        Reference::Tag(name) => vec![to(name.as_tag())],
        Reference::Commit(id) => vec![to(id.to_string()), NOTHING.to_string()],
        Reference::Named(name) => [name.as_branch(), name.as_tag()].into_iter().map(to).collect(),
    }
}

/// The refs that a server has of those that a reference may name. `None` if its objects have names of another kind.
fn list(reference: &Reference, transport: &mut Transport<GitHttp>) -> gix::Result<Option<Vec<Ref>>> {
    let mut progress = gix::progress::Discard;
    let mut shake =
        gix::protocol::handshake(&mut *transport, Service::UploadPack, |_| Ok(None), Vec::new(), &mut progress)?;
    let format = shake.capabilities.capability("object-format");
    if format.and_then(|format| format.value()).is_some_and(|format| format != "sha1") {
        return Ok(None);
    }
    let parse = |spec: &String| {
        let parsed = gix::refspec::parse(spec.as_str().into(), gix::refspec::parse::Operation::Fetch);
        parsed.map(|spec| spec.to_owned())
    };
    // Only the prefixes of these are asked for.
    let fetch_refspecs = match reference {
        Reference::Named(name) => vec![name.as_branch(), name.as_tag()],
        other => specs(other),
    };
    let fetch_refspecs = fetch_refspecs.iter().map(parse).collect::<Result<_, _>>()?;
    let context = refmap::init::Context { fetch_refspecs, extra_refspecs: Vec::new() };
    let obtain = shake.prepare_lsrefs_or_extract_refmap(("agent", Some(AGENT.to_string())), true, context)?;
    Ok(Some(obtain.fetch_blocking(progress, transport, false)?.remote_refs))
}

/// What the ref of this name names.
fn target(refs: &[Ref], name: &str) -> Option<ObjectId> {
    refs.iter().find(|found| *found.unpack().0 == name).and_then(object)
}

/// The object that a ref names, behind a tag with a message.
fn object(found: &Ref) -> Option<ObjectId> {
    let (_, target, peeled) = found.unpack();
    peeled.or(target).filter(|id| !id.is_null()).map(ToOwned::to_owned)
}

/// The object that a fetch brings.
fn mapped(map: &RefMap) -> Option<ObjectId> {
    map.mappings.first().and_then(|mapping| match &mapping.remote {
        Source::ObjectId(id) => Some(*id),
        Source::Ref(found) => object(found),
    })
}

/// Why gix failed: mostly because a request did.
fn failure(error: &gix::Error, operation: &Operation) -> FetchError {
    if let Some(failure) = operation.failure() {
        return failure;
    }
    if operation.is_over() {
        return FetchError::TimedOut(operation.limit);
    }
    if error.is_resource_exhausted() {
        return FetchError::LargeFile(LARGEST_OBJECT);
    }
    let needs_more = error.is_unsupported() || is_about(error, "shallow clones need server support");
    if needs_more { FetchError::Unsupported } else { FetchError::Protocol }
}

/// Whether a server says that it does not give the commit that was asked for.
fn is_missing_commit(reference: &Reference, error: &gix::Error) -> bool {
    let texts = ["not our ref", "unadvertised object"];
    matches!(reference, Reference::Commit(_)) && texts.iter().any(|text| is_about(error, text))
}

fn is_about(error: &gix::Error, text: &str) -> bool {
    error.iter_errors().any(|error| error.to_string().contains(text))
}

/// Does work that can be interrupted, and interrupts it at the deadline: a pack can take long to unpack.
fn until<T>(deadline: Instant, work: impl FnOnce(&AtomicBool) -> T) -> T {
    let interrupt = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (done, waits) = channel::<()>();
        scope.spawn(|| {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Err(RecvTimeoutError::Timeout) = { waits }.recv_timeout(left) {
                interrupt.store(true, Ordering::Relaxed);
            }
        });
        let result = work(&interrupt);
        drop(done);
        result
    })
}

/// Options of gix that read no configuration of the user, the machine or the environment.
fn isolated() -> gix::open::Options {
    let overrides = [format!("gitoxide.objects.allocLimit={LARGEST_OBJECT}"), "pack.threads=1".to_string()];
    let overrides = overrides.into_iter().chain(UNPACKED.map(str::to_string));
    gix::open::Options::isolated().open_path_as_is(true).config_overrides(overrides)
}

/// The repository that earlier fetches left in a folder, if it can be opened.
fn open(folder: &Path) -> Option<gix::Repository> {
    isolated().open(folder).ok().map(Into::into)
}

/// Whether so many fetches went into a folder that a fresh one is smaller.
pub fn is_worn(folder: &Path) -> bool {
    fs::read_dir(folder.join("objects").join("pack")).is_ok_and(|packs| packs.count() > PACK_FILES)
}

/// Whether a folder can be replaced: it is missing or empty, or a repository, perhaps a damaged one.
fn is_ours(folder: &Path) -> bool {
    is_free(folder) || folder.join("objects").is_dir()
}

/// Whether a folder is missing or empty.
fn is_free(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn create(folder: &Path) -> Option<gix::Repository> {
    let kind = gix::create::Kind::Bare;
    let made = gix::ThreadSafeRepository::init_opts(folder, kind, Default::default(), isolated());
    made.ok().map(Into::into)
}

/// Whether a commit and its tree are there.
fn is_there(repository: &gix::Repository, id: ObjectId) -> bool {
    repository.find_commit(id).is_ok_and(|commit| commit.tree().is_ok())
}

/// The folder for a fresh repository, beside another.
fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    folder.with_file_name(name)
}

/// Removes a folder that may not be there.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn storage(folder: &Path, error: &io::Error) -> FetchError {
    let folder_text = folder.display().to_string();
    FetchError::Storage { folder: folder_text, why: io_error::writing(folder, error).why }
}
