//! Following a namespace: each kind is listed once and watched from there on, for as long as somebody
//! listens. What is cut is taken up where it was; what the server forgot is listed anew.

use super::budget::{Budget, Named, Taken};
use super::cache::{Delta, NamespaceDelta};
use super::client::{Ask, RequestFailure, Server};
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

/// How long a server holds one watch open: it then ends it, and it is opened again.
const HELD_OPEN: Duration = Duration::from_secs(280);
/// The first pause after a failure; doubled each time.
const PAUSE: Duration = Duration::from_millis(100);
/// Pauses up to this are not worth a word.
const MOMENT: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often a server is asked whether it is there while it has nothing to tell.
const PULSE: Duration = Duration::from_secs(10);

/// What is told of something that is followed.
#[derive(Debug)]
pub enum WatchEvent<H> {
    /// What there is, or what changed. It takes room until it is dropped.
    Heard(H, Room),
    /// This resource cannot be followed for now: what was told of it may be old.
    Lost(&'static str, RequestError),
    /// It is followed, or again.
    Followed(&'static str),
    /// Its history went back: the server was restored from an older backup, or is another one.
    Rewound(&'static str),
}

/// Room for something that was told and is not taken in yet: whoever tells more than is taken in waits.
#[derive(Debug, Default)]
pub struct Room {
    _taken: Taken,
}

/// How many events of one collection may be told and not taken in.
const ROOM: usize = 512;
/// What an event takes that says nothing more of an object.
const LEAST: usize = 256;
/// How much of what our own cluster sends may wait to be taken in: nobody hostile runs it.
const OURS: usize = 1024 * 1024 * 1024;
/// How long a collection that is listed again waits for its turn: one that is slow does not hold up the others.
const TURN_AT_LATEST: Duration = Duration::from_secs(5);
/// After how many events in a row others are let through.
const IN_A_ROW: usize = 64;

/// The name under which a server's silence is told.
pub const SERVER: &str = "server";

/// To whom it is told.
pub type WatchHandler<H> = Arc<dyn Fn(WatchEvent<H>) + Send + Sync>;

/// What of a tenant's namespace is followed, but for what customers gave.
pub const FOLLOWED: [&str; 5] = ["tenants", "components", "connections", "integrations", "configmaps"];
/// What customers gave.
pub const CUSTOMERS: &str = "customercredentials";

/// Follows a tenant's namespace: our kinds but for what customers gave, and the definitions. No more of it is kept at
/// once than the budget has room for.
pub fn namespace(
    server: &Server,
    paths: &Paths,
    budget: Budget,
    tell: WatchHandler<NamespaceDelta>,
) -> Follower<NamespaceDelta> {
    let of = Depth::Spec;
    let mut follower = Follower { budget, ..Follower::new(server, paths, tell) };
    follower
        .follow(kinds::objects::<TenantSpec>(paths, Kind::Tenant, of), |news| NamespaceDelta::Tenants(Box::new(news)));
    for kind in [Kind::Component, Kind::Connection, Kind::Integration] {
        follower.follow(kinds::items(paths, kind, of), move |news| NamespaceDelta::Items(kind, Box::new(news)));
    }
    follower.follow(kinds::definitions(paths), NamespaceDelta::Definitions);
    follower
}

/// Follows what customers gave in a tenant's namespace too.
pub fn customers(follower: &mut Follower<NamespaceDelta>) {
    let kind = Kind::CustomerCredentials;
    follower.follow(kinds::items(&follower.paths, kind, Depth::Spec), move |news| {
        NamespaceDelta::Items(kind, Box::new(news))
    });
}

/// Something that is followed, until this is dropped.
#[derive(Debug)]
pub struct Following {
    _tasks: JoinSet<()>,
}

/// Follows collections of one server, until this is dropped.
pub struct Follower<H> {
    server: Server,
    paths: Paths,
    tell: WatchHandler<H>,
    budget: Budget,
    /// Changes where what is open may be dead, and is to be opened anew.
    reopen: watch::Receiver<()>,
    tasks: JoinSet<()>,
}

impl<H> std::fmt::Debug for Follower<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("server", &self.server.name()).finish_non_exhaustive()
    }
}

impl<H: 'static> Follower<H> {
    /// Of a server; that it is there is looked after too.
    pub fn new(server: &Server, paths: &Paths, tell: WatchHandler<H>) -> Self {
        let (reopened, reopen) = watch::channel(());
        let mut tasks = JoinSet::new();
        tasks.spawn_on(pulse(server.clone(), paths.clone(), tell.clone(), reopened), server.handle());
        Follower { server: server.clone(), paths: paths.clone(), tell, budget: Budget::of(OURS), reopen, tasks }
    }

    /// Follows a collection.
    pub fn follow<T: Named + Send + 'static>(
        &mut self,
        listing: Listing<T>,
        hear: impl Fn(Delta<T>) -> H + Send + Sync + 'static,
    ) {
        let one = Follow {
            server: self.server.clone(),
            paths: self.paths.clone(),
            listing,
            tell: self.tell.clone(),
            reopen: self.reopen.clone(),
            hear,
            room: Arc::new(Semaphore::new(ROOM)),
            budget: self.budget.clone(),
            latest: 0,
        };
        self.tasks.spawn_on(one.run(), self.server.handle());
    }

    /// From now on it is followed as long as this is kept.
    pub fn done(self) -> Following {
        Following { _tasks: self.tasks }
    }
}

/// Asks a server now and then whether it is there: one that is frozen, or behind a network that swallows
/// what is sent, ends no watch.
async fn pulse<H>(server: Server, paths: Paths, tell: WatchHandler<H>, reopen: watch::Sender<()>) {
    let mut lost = false;
    loop {
        sleep(PULSE.min(server.patience())).await;
        let trouble = match server.ask(&Ask::get("/readyz")).await {
            Ok(_) => None,
            // What it says no to does not matter, but for who we are.
            Err(RequestFailure::Refused(refused)) if refused.code != StatusCode::UNAUTHORIZED => None,
            Err(trouble) => Some(trouble),
        };
        match trouble {
            Some(trouble) => {
                lost = true;
                let doing = RequestContext { verb: "get", resource: SERVER, object: None };
                tell(WatchEvent::Lost(SERVER, explained(trouble, &server, &paths, &doing)));
            }
            None if lost => {
                lost = false;
                reopen.send_replace(());
                tell(WatchEvent::Followed(SERVER));
            }
            None => {}
        }
    }
}

/// One collection that is followed.
struct Follow<T, H, F> {
    server: Server,
    paths: Paths,
    listing: Listing<T>,
    tell: WatchHandler<H>,
    reopen: watch::Receiver<()>,
    hear: F,
    room: Arc<Semaphore>,
    budget: Budget,
    /// The latest revision that was seen.
    latest: u64,
}

/// Why a watch ended.
enum WatchEnd {
    /// As every watch does sometime; whether it was of any use.
    Over(bool),
    /// The server no longer knows what was before.
    Forgotten,
    /// It was not even begun.
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
    /// Of a Status.
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

impl<T: Named + Send + 'static, H, F: Fn(Delta<T>) -> H + Send + Sync> Follow<T, H, F> {
    async fn run(mut self) {
        let resource = self.listing.resource;
        let mut pause = PAUSE;
        let mut is_known = false;
        loop {
            // Collections that are listed again do so one after the other: what is known and what is read of it are both in
            // memory until it is taken in, and API servers that come back are asked for all of theirs at once.
            let turn = if is_known { timeout(TURN_AT_LATEST, self.budget.turn()).await.ok() } else { None };
            match self.list(is_known, turn).await {
                Ok(revision) => {
                    is_known = true;
                    (self.tell)(WatchEvent::Followed(resource));
                    let since = Instant::now();
                    self.watch(revision).await;
                    match since.elapsed() > MOMENT {
                        true => pause = PAUSE,
                        // A server that forgets at once, again and again, is not listed as often as it likes.
                        false => {
                            sleep(pause).await;
                            pause = (pause * 2).min(LONGEST_PAUSE);
                        }
                    }
                }
                Err(error) => {
                    (self.tell)(WatchEvent::Lost(resource, error));
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Lists the collection, and tells what is in it; gives back as of which revision. Where it is known already, each
    /// object is told by itself as its page comes: most of them are no news, and would only be in memory twice. A history
    /// that went back is told whole.
    async fn list(&mut self, is_known: bool, turn: Option<Taken>) -> Result<String, RequestError> {
        let mut pages = Pages::of(&self.server, &self.paths, &self.listing, &self.budget);
        let (mut all, mut taken) = (Vec::new(), Taken::default());
        // What of it is told one by one; `None`: it is told whole.
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
                            // Each takes its own room, as it does when it is watched.
                            drop(room);
                            if is_first {
                                self.told(Delta::Again, Taken::default()).await;
                            }
                            taken =
                                taken.and(pages.room_for_names(page.iter().map(|object| object.name().len()).sum())?);
                            for object in page {
                                names.insert(object.name().to_string());
                                let room = self.budget.take(LEAST + object.weight()).await;
                                self.told(Delta::Set(object), room).await;
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
            (self.tell)(WatchEvent::Rewound(self.listing.resource));
        }
        // A list of nothing has no page that says so.
        let names = names.filter(|_| now >= self.latest);
        self.latest = now;
        match names {
            None => self.told(Delta::All(all), taken.and(turn.unwrap_or_default())).await,
            Some(names) => self.told(Delta::Only { names, revision: revision.clone() }, taken).await,
        }
        Ok(revision)
    }

    async fn told(&self, news: Delta<T>, taken: Taken) {
        let room = Room { _taken: taken.and(self.room.clone().acquire_owned().await.ok().into()) };
        (self.tell)(WatchEvent::Heard((self.hear)(news), room));
    }

    /// Watches from a revision on, until the server has forgotten what was before.
    async fn watch(&mut self, mut revision: String) {
        let resource = self.listing.resource;
        let mut pause = PAUSE;
        let mut lost = false;
        loop {
            match self.watch_once(&mut revision, &mut lost).await {
                WatchEnd::Forgotten => return,
                WatchEnd::Over(true) => pause = PAUSE,
                WatchEnd::Over(false) => {
                    // One that ends at once is not opened again at once.
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                WatchEnd::Failed(trouble) => {
                    let passes = !matches!(trouble, RequestFailure::TooLarge)
                        && trouble.code().is_none_or(|code| code.is_server_error() || code.as_u16() == 429)
                        || self.server.refuses_too_early(&trouble);
                    // A server that is started anew is gone for a moment: nobody needs to hear of it.
                    if !passes || pause > MOMENT {
                        lost = true;
                        let doing = RequestContext { verb: "watch", resource, object: None };
                        (self.tell)(WatchEvent::Lost(resource, explained(trouble, &self.server, &self.paths, &doing)));
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
        // What is open now is not dead.
        self.reopen.mark_unchanged();
        let mut lines = match self.server.open(&path).await {
            Ok(lines) => lines,
            Err(trouble) if trouble.code() == Some(StatusCode::GONE) => return WatchEnd::Forgotten,
            Err(trouble) => return WatchEnd::Failed(trouble),
        };
        if std::mem::take(lost) {
            (self.tell)(WatchEvent::Followed(resource));
        }
        let since = Instant::now();
        // The server ends it before: one that goes on for longer is a connection that nobody is at.
        let dead = sleep_until(since + HELD_OPEN + self.server.patience());
        tokio::pin!(dead);
        let mut told = false;
        let mut in_a_row = 0;
        loop {
            // A line that has begun is soon at its end.
            let late = if lines.is_within_a_line() { self.server.patience() } else { HELD_OPEN * 2 };
            let line = tokio::select! {
                line = lines.next() => line,
                _ = self.reopen.changed() => return WatchEnd::Over(true),
                () = &mut dead => return WatchEnd::Over(true),
                () = sleep(late) => return WatchEnd::Failed(RequestFailure::NoAnswer("a line that does not end".to_string())),
            };
            let line = match line {
                Some(Ok(line)) => line,
                Some(Err(trouble)) => return WatchEnd::Failed(trouble),
                None => {
                    // A server ends what it holds open when its time is over, or when it ends itself.
                    if since.elapsed() < HELD_OPEN {
                        self.server.was_silent();
                    }
                    return WatchEnd::Over(told || since.elapsed() > MOMENT);
                }
            };
            in_a_row += 1;
            if in_a_row % IN_A_ROW == 0 {
                yield_now().await;
            }
            let text = String::from_utf8_lossy(&line);
            let Ok(event) = serde_json::from_str::<WatchLine<'_>>(&text) else { return WatchEnd::Forgotten };
            let Ok(named) = serde_json::from_str::<EventObject>(event.object.get()) else { return WatchEnd::Forgotten };
            told = true;
            match event.what {
                "ADDED" | "MODIFIED" => {
                    let objects = [event.object.to_owned()];
                    drop(text);
                    drop(line);
                    for object in (self.listing.read)(&objects) {
                        let room = self.budget.take(LEAST + object.weight()).await;
                        self.told(Delta::Set(object), room).await;
                    }
                }
                "DELETED" => {
                    let revision = named.metadata.resource_version.clone();
                    let room = self.budget.take(LEAST).await;
                    self.told(Delta::Gone { name: named.metadata.name, revision }, room).await;
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
