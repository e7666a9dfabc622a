//! Watches a namespace: each kind is listed once and then watched, until the handle is dropped. A broken watch
//! continues from its last resource version; if the server has dropped that, the kind is listed again.

use super::budget::{Budget, Named, Taken};
use super::cache::{Delta, NamespaceDelta};
use super::client::{ApiRequest, RequestFailure, Server};
use super::error::{RequestContext, RequestError, explained};
use super::kinds;
use super::list::{Listing, NextPage, Pages};
use super::object::Depth;
use super::paths::Paths;
use crate::api::{Kind, TenantSpec};
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long a server keeps one watch open. It then ends the watch, which is opened again.
const HELD_OPEN: Duration = Duration::from_secs(280);
/// The first pause after a failure. It doubles each time.
const PAUSE: Duration = Duration::from_millis(100);
/// Pauses up to this length are not reported.
const MOMENT: Duration = Duration::from_secs(1);
/// The maximum pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often an idle server is asked whether it is up.
const HEARTBEAT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub enum WatchEvent<H> {
    /// A change, and the memory that it takes until it is dropped.
    Changed(H, Room),
    /// The resource cannot be watched for now: the cache may be outdated.
    Lost(&'static str, RequestError),
    /// The resource is watched, or watched again.
    Watched(&'static str),
    /// The resource version went back: the server was restored from an older backup, or is another one.
    Rewound(&'static str),
}

/// Memory of an event that is not in the cache yet. A watch that delivers faster than events are applied has to wait.
#[derive(Debug, Default)]
pub struct Room {
    _taken: Taken,
}

/// Maximum number of events of one collection that are not applied yet.
const ROOM: usize = 512;
/// The size of an event without its object, in bytes.
const LEAST: usize = 256;
/// Memory budget for events of the operator's own cluster, which is trusted.
const OURS: usize = 1024 * 1024 * 1024;
/// Maximum time that a relist waits for its turn, so that a slow one does not block the others.
const TURN_AT_LATEST: Duration = Duration::from_secs(5);
/// Number of events after which other tasks get a turn.
const IN_A_ROW: usize = 64;

/// The resource name under which an unreachable server is reported.
pub const SERVER: &str = "server";

/// Receives the events.
pub type WatchHandler<H> = Arc<dyn Fn(WatchEvent<H>) + Send + Sync>;

/// The resources of a tenant's namespace that are always watched.
pub const WATCHED: [&str; 5] = ["tenants", "components", "connections", "integrations", "configmaps"];
/// The resource that is watched in targets only.
pub const CUSTOMERS: &str = "customercredentials";

/// Watches a tenant's namespace: custom resources except CustomerCredentials, and the definitions. The budget limits
/// how much of it is in memory.
pub fn namespace(
    server: &Server,
    paths: &Paths,
    budget: Budget,
    on_event: WatchHandler<NamespaceDelta>,
) -> WatchSet<NamespaceDelta> {
    let of = Depth::Spec;
    let mut watches = WatchSet { budget, ..WatchSet::new(server, paths, on_event) };
    watches
        .watch(kinds::objects::<TenantSpec>(paths, Kind::Tenant, of), |delta| NamespaceDelta::Tenants(Box::new(delta)));
    for kind in [Kind::Component, Kind::Connection, Kind::Integration] {
        watches.watch(kinds::items(paths, kind, of), move |delta| NamespaceDelta::Items(kind, Box::new(delta)));
    }
    watches.watch(kinds::definitions(paths), NamespaceDelta::Definitions);
    watches
}

/// Watches the CustomerCredentials of a tenant's namespace too.
pub fn customers(watches: &mut WatchSet<NamespaceDelta>) {
    let kind = Kind::CustomerCredentials;
    watches.watch(kinds::items(&watches.paths, kind, Depth::Spec), move |delta| {
        NamespaceDelta::Items(kind, Box::new(delta))
    });
}

/// A running watch, which ends when this is dropped.
#[derive(Debug)]
pub struct WatchHandle {
    _tasks: JoinSet<()>,
}

/// The watches of one server, which end when this is dropped.
pub struct WatchSet<H> {
    server: Server,
    paths: Paths,
    on_event: WatchHandler<H>,
    budget: Budget,
    /// Signals that open watches may be dead and must be opened again.
    reopen: watch::Receiver<()>,
    tasks: JoinSet<()>,
}

impl<H> std::fmt::Debug for WatchSet<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("server", &self.server.name()).finish_non_exhaustive()
    }
}

impl<H: 'static> WatchSet<H> {
    /// Starts the heartbeat of a server.
    pub fn new(server: &Server, paths: &Paths, on_event: WatchHandler<H>) -> Self {
        let (reopened, reopen) = watch::channel(());
        let mut tasks = JoinSet::new();
        tasks.spawn_on(heartbeat(server.clone(), paths.clone(), on_event.clone(), reopened), server.handle());
        WatchSet { server: server.clone(), paths: paths.clone(), on_event, budget: Budget::of(OURS), reopen, tasks }
    }

    /// Starts to watch a collection.
    pub fn watch<T: Named + Send + 'static>(
        &mut self,
        listing: Listing<T>,
        wrap: impl Fn(Delta<T>) -> H + Send + Sync + 'static,
    ) {
        let one = CollectionWatch {
            server: self.server.clone(),
            paths: self.paths.clone(),
            listing,
            on_event: self.on_event.clone(),
            reopen: self.reopen.clone(),
            wrap,
            room: Arc::new(Semaphore::new(ROOM)),
            budget: self.budget.clone(),
            latest: 0,
        };
        self.tasks.spawn_on(one.run(), self.server.handle());
    }

    /// Returns the handle that keeps the watches running.
    pub fn done(self) -> WatchHandle {
        WatchHandle { _tasks: self.tasks }
    }
}

/// Asks a server regularly whether it is up. A frozen server, or a network that drops packets, ends no watch.
async fn heartbeat<H>(server: Server, paths: Paths, on_event: WatchHandler<H>, reopen: watch::Sender<()>) {
    let mut lost = false;
    loop {
        sleep(HEARTBEAT.min(server.request_timeout())).await;
        let failure = match server.request(&ApiRequest::get("/readyz")).await {
            Ok(_) => None,
            // Any refusal proves that the server is up, except one of the credentials.
            Err(RequestFailure::Refused(refused)) if refused.code != StatusCode::UNAUTHORIZED => None,
            Err(failure) => Some(failure),
        };
        match failure {
            Some(failure) => {
                lost = true;
                let doing = RequestContext { verb: "get", resource: SERVER, object: None };
                on_event(WatchEvent::Lost(SERVER, explained(failure, &server, &paths, &doing)));
            }
            None if lost => {
                lost = false;
                reopen.send_replace(());
                on_event(WatchEvent::Watched(SERVER));
            }
            None => {}
        }
    }
}

/// The watch of one collection.
struct CollectionWatch<T, H, F> {
    server: Server,
    paths: Paths,
    listing: Listing<T>,
    on_event: WatchHandler<H>,
    reopen: watch::Receiver<()>,
    wrap: F,
    room: Arc<Semaphore>,
    budget: Budget,
    /// The latest resource version that was seen.
    latest: u64,
}

/// Why a watch ended.
enum WatchEnd {
    /// Normally; whether it delivered anything.
    Over(bool),
    /// The server has dropped the resource version.
    Forgotten,
    /// It could not be opened.
    Failed(RequestFailure),
}

#[derive(Deserialize)]
struct WatchLine<'a> {
    #[serde(rename = "type")]
    what: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct EventObject {
    #[serde(default)]
    metadata: EventMeta,
    /// The code of a Status.
    #[serde(default)]
    code: u16,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct EventMeta {
    #[serde(default)]
    name: String,
    #[serde(default)]
    resource_version: String,
}

impl<T: Named + Send + 'static, H, F: Fn(Delta<T>) -> H + Send + Sync> CollectionWatch<T, H, F> {
    async fn run(mut self) {
        let resource = self.listing.resource;
        let mut pause = PAUSE;
        let mut is_known = false;
        loop {
            // Relists take turns: the old and the new objects are both in memory until they are applied, and a
            // restarted API server gets all relists at once.
            let turn = if is_known { timeout(TURN_AT_LATEST, self.budget.turn()).await.ok() } else { None };
            match self.list(is_known, turn).await {
                Ok(revision) => {
                    is_known = true;
                    (self.on_event)(WatchEvent::Watched(resource));
                    let since = Instant::now();
                    self.watch(revision).await;
                    match since.elapsed() > MOMENT {
                        true => pause = PAUSE,
                        // A server that drops the resource version again and again is not listed without a pause.
                        false => {
                            sleep(pause).await;
                            pause = (pause * 2).min(LONGEST_PAUSE);
                        }
                    }
                }
                Err(error) => {
                    (self.on_event)(WatchEvent::Lost(resource, error));
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Lists the collection, delivers its objects, and returns the resource version. On a relist each object is
    /// delivered by itself, because most are unchanged and would only be in memory twice. If the resource version went
    /// back, the list is delivered as a whole.
    async fn list(&mut self, is_known: bool, turn: Option<Taken>) -> Result<String, RequestError> {
        let mut pages = Pages::of(&self.server, &self.paths, &self.listing, &self.budget);
        let (mut all, mut taken) = (Vec::new(), Taken::default());
        // The names of the objects that are delivered one by one; `None` if the list is delivered as a whole.
        let mut names = is_known.then(BTreeSet::new);
        loop {
            match pages.next().await? {
                NextPage::Page(page, room) => {
                    let is_first = names.as_ref().is_some_and(BTreeSet::is_empty);
                    if is_first && pages.revision.parse().is_ok_and(|now: u64| now < self.latest) {
                        names = None;
                    }
                    match &mut names {
                        None => {
                            all.extend(page);
                            taken = taken.and(room);
                        }
                        Some(names) => {
                            // Each object takes its own memory, as if it were watched.
                            drop(room);
                            if is_first {
                                self.send(Delta::Again, Taken::default()).await;
                            }
                            taken =
                                taken.and(pages.room_for_names(page.iter().map(|object| object.name().len()).sum())?);
                            for object in page {
                                names.insert(object.name().to_string());
                                let room = self.budget.take(LEAST + object.weight()).await;
                                self.send(Delta::Set(object), room).await;
                            }
                        }
                    }
                }
                NextPage::Restart => {
                    all.clear();
                    names.iter_mut().for_each(BTreeSet::clear);
                    taken = Taken::default();
                }
                NextPage::End => break,
            }
        }
        let revision = pages.revision;
        let now = revision.parse().unwrap_or(self.latest);
        if now < self.latest {
            (self.on_event)(WatchEvent::Rewound(self.listing.resource));
        }
        // An empty list has no page that shows that the resource version went back.
        let names = names.filter(|_| now >= self.latest);
        self.latest = now;
        match names {
            None => self.send(Delta::All(all), taken.and(turn.unwrap_or_default())).await,
            Some(names) => self.send(Delta::Only { names, revision: revision.clone() }, taken).await,
        }
        Ok(revision)
    }

    async fn send(&self, delta: Delta<T>, taken: Taken) {
        let room = Room { _taken: taken.and(self.room.clone().acquire_owned().await.ok().into()) };
        (self.on_event)(WatchEvent::Changed((self.wrap)(delta), room));
    }

    /// Watches from a resource version on, until the server has dropped it.
    async fn watch(&mut self, mut revision: String) {
        let resource = self.listing.resource;
        let mut pause = PAUSE;
        let mut lost = false;
        loop {
            match self.watch_once(&mut revision, &mut lost).await {
                WatchEnd::Forgotten => return,
                WatchEnd::Over(true) => pause = PAUSE,
                WatchEnd::Over(false) => {
                    // A watch that ends at once is not opened again at once.
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                WatchEnd::Failed(failure) => {
                    let passes = !matches!(failure, RequestFailure::TooLarge)
                        && failure.code().is_none_or(|code| code.is_server_error() || code.as_u16() == 429)
                        || self.server.refuses_too_early(&failure);
                    // A restarting server is unreachable for a moment, which is not reported.
                    if !passes || pause > MOMENT {
                        lost = true;
                        let doing = RequestContext { verb: "watch", resource, object: None };
                        (self.on_event)(WatchEvent::Lost(
                            resource,
                            explained(failure, &self.server, &self.paths, &doing),
                        ));
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn watch_once(&mut self, revision: &mut String, lost: &mut bool) -> WatchEnd {
        let Listing { path, selector, resource, .. } = &self.listing;
        let seconds = HELD_OPEN.as_secs();
        let path = format!(
            "{path}?watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={revision}{selector}"
        );
        // A watch that is opened now is not dead.
        self.reopen.mark_unchanged();
        let mut lines = match self.server.open(&path).await {
            Ok(lines) => lines,
            Err(failure) if failure.code() == Some(StatusCode::GONE) => return WatchEnd::Forgotten,
            Err(failure) => return WatchEnd::Failed(failure),
        };
        if std::mem::take(lost) {
            (self.on_event)(WatchEvent::Watched(resource));
        }
        let since = Instant::now();
        // The server ends the watch earlier: if it does not, the connection is dead.
        let dead = sleep_until(since + HELD_OPEN + self.server.request_timeout());
        tokio::pin!(dead);
        let mut any = false;
        let mut in_a_row = 0;
        loop {
            // A line that has begun ends soon.
            let late = if lines.is_within_a_line() { self.server.request_timeout() } else { HELD_OPEN * 2 };
            let line = tokio::select! {
                line = lines.next() => line,
                _ = self.reopen.changed() => return WatchEnd::Over(true),
                () = &mut dead => return WatchEnd::Over(true),
                () = sleep(late) => return WatchEnd::Failed(RequestFailure::NoAnswer("a line that does not end".to_string())),
            };
            let line = match line {
                Some(Ok(line)) => line,
                Some(Err(failure)) => return WatchEnd::Failed(failure),
                None => {
                    // A server ends a watch when its time is over, or when the server shuts down.
                    if since.elapsed() < HELD_OPEN {
                        self.server.was_silent();
                    }
                    return WatchEnd::Over(any || since.elapsed() > MOMENT);
                }
            };
            in_a_row += 1;
            if in_a_row % IN_A_ROW == 0 {
                yield_now().await;
            }
            let text = String::from_utf8_lossy(&line);
            let Ok(event) = serde_json::from_str::<WatchLine<'_>>(&text) else { return WatchEnd::Forgotten };
            let Ok(named) = serde_json::from_str::<EventObject>(event.object.get()) else { return WatchEnd::Forgotten };
            any = true;
            match event.what {
                "ADDED" | "MODIFIED" => {
                    let objects = [event.object.to_owned()];
                    drop(text);
                    drop(line);
                    for object in (self.listing.read)(&objects) {
                        let room = self.budget.take(LEAST + object.weight()).await;
                        self.send(Delta::Set(object), room).await;
                    }
                }
                "DELETED" => {
                    let revision = named.metadata.resource_version.clone();
                    let room = self.budget.take(LEAST).await;
                    self.send(Delta::Gone { name: named.metadata.name, revision }, room).await;
                }
                "BOOKMARK" => {}
                _ if named.code == StatusCode::GONE.as_u16() => return WatchEnd::Forgotten,
                _ => return WatchEnd::Over(false),
            }
            *revision = named.metadata.resource_version;
            self.latest = revision.parse().unwrap_or(self.latest).max(self.latest);
        }
    }
}
