//! Lists a collection in pages that are all of the same resource version.

use super::budget::{Budget, Taken, Weighs};
use super::client::{ApiRequest, RequestFailure, Server};
use super::error::{RequestContext, RequestError, explained};
use super::paths::Paths;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

/// Page size.
pub const PAGE: usize = 500;
/// Maximum number of objects of one kind in a namespace, and of pages: a hostile server must not send without end.
pub const MOST: usize = 60_000;
const MOST_PAGES: usize = 4_000;
/// Maximum duration of a list, as a multiple of the request timeout.
const MOST_TIME: u32 = 20;
/// The part of the budget that names may take, as a divisor.
const NAMES: usize = 4;
/// Maximum number of restarts of a list whose continuation expired.
const BEGINNINGS: usize = 3;

/// Parses a page. Items that are not objects are skipped.
pub type ReadPage<T> = Arc<dyn Fn(&[Box<RawValue>]) -> Vec<T> + Send + Sync>;

/// A collection to list or watch, and how to parse it.
#[derive(Clone)]
pub struct Listing<T> {
    pub path: String,
    /// The name of the resource, as in Roles.
    pub resource: &'static str,
    /// The selector: empty, or `&labelSelector=…`.
    pub selector: String,
    /// Parses a page.
    pub read: ReadPage<T>,
    /// Maximum number of objects.
    pub most: usize,
    /// Page size.
    pub page: usize,
}

/// The result of a list.
#[derive(Debug)]
pub struct ListedNames<T> {
    pub items: Vec<T>,
    /// The resource version of the list.
    pub revision: String,
    /// The memory that the items take until they are in the cache.
    pub taken: Taken,
}

#[derive(Deserialize)]
struct ListPage {
    metadata: PageMeta,
    #[serde(default)]
    items: Vec<Box<RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct PageMeta {
    #[serde(default, rename = "continue")]
    next: String,
    #[serde(default)]
    resource_version: String,
}

/// Lists a whole collection.
pub async fn list<T: Weighs + Send + 'static>(
    server: &Server,
    paths: &Paths,
    listing: &Listing<T>,
    budget: &Budget,
) -> Result<ListedNames<T>, RequestError> {
    let mut pages = Pages::of(server, paths, listing, budget);
    let (mut items, mut taken) = (Vec::new(), Taken::default());
    loop {
        match pages.next().await? {
            NextPage::Page(page, room) => {
                items.extend(page);
                taken = taken.and(room);
            }
            NextPage::Restart => {
                items.clear();
                taken = Taken::default();
            }
            NextPage::End => return Ok(ListedNames { items, revision: pages.revision, taken }),
        }
    }
}

/// A list, page by page. All pages have the same resource version. Each is parsed while the next one is requested, and
/// its text is dropped afterwards.
pub struct Pages<'l, T> {
    server: &'l Server,
    paths: &'l Paths,
    listing: &'l Listing<T>,
    budget: &'l Budget,
    until: Instant,
    beginnings: usize,
    /// Page size.
    size: usize,
    next: String,
    /// The resource version of the list; empty before the first page.
    pub revision: String,
    parsing: Option<JoinHandle<Vec<T>>>,
    is_last: bool,
    pages: usize,
    objects: usize,
    /// The size of the names that are kept, in bytes.
    names: usize,
}

/// The next part of a list.
pub enum NextPage<T> {
    /// Objects, and the memory that they take until they are in the cache.
    Page(Vec<T>, Taken),
    /// The continuation expired: the list restarts, and earlier pages must be dropped.
    Restart,
    /// There are no more pages.
    End,
}

impl<'l, T: Weighs + Send + 'static> Pages<'l, T> {
    /// Starts a list from its beginning.
    pub fn of(server: &'l Server, paths: &'l Paths, listing: &'l Listing<T>, budget: &'l Budget) -> Self {
        Pages {
            server,
            paths,
            listing,
            budget,
            until: Instant::now() + server.request_timeout() * MOST_TIME,
            beginnings: 1,
            size: listing.page,
            next: String::new(),
            revision: String::new(),
            parsing: None,
            is_last: false,
            pages: 0,
            objects: 0,
            names: 0,
        }
    }

    /// Reads the next page.
    pub async fn next(&mut self) -> Result<NextPage<T>, RequestError> {
        loop {
            if self.is_last {
                return match self.parsing.take() {
                    Some(page) => self.parsed(page).await,
                    None => Ok(NextPage::End),
                };
            }
            let mut request = format!("{}?limit={}{}", self.listing.path, self.size, self.listing.selector);
            if !self.next.is_empty() {
                request.push_str(&format!("&continue={}", self.next));
            }
            let in_hand = self.budget.page().await;
            match self.server.request(&ApiRequest::get(request)).await {
                Ok(bytes) => {
                    self.pages += 1;
                    let ListPage { metadata, items } = serde_json::from_slice(&bytes).map_err(no_list)?;
                    drop(bytes);
                    let read = self.listing.read.clone();
                    let before = self.parsing.replace(spawn_blocking(move || {
                        let read = read(&items);
                        drop((items, in_hand));
                        read
                    }));
                    (self.is_last, self.revision) = (metadata.next.is_empty(), metadata.resource_version);
                    self.next = metadata.next;
                    if let Some(before) = before {
                        return self.parsed(before).await;
                    }
                }
                // Large objects: the list continues with smaller pages.
                Err(RequestFailure::TooLarge) if self.size > 1 => self.size = (self.size / 8).max(1),
                Err(failure) if failure.code() == Some(StatusCode::GONE) && self.beginnings < BEGINNINGS => {
                    self.beginnings += 1;
                    self.objects = 0;
                    self.parsing = None;
                    self.next.clear();
                    return Ok(NextPage::Restart);
                }
                Err(failure) => {
                    let doing = RequestContext { verb: "list", resource: self.listing.resource, object: None };
                    return Err(explained(failure, self.server, self.paths, &doing));
                }
            }
        }
    }

    async fn parsed(&mut self, page: JoinHandle<Vec<T>>) -> Result<NextPage<T>, RequestError> {
        let page = page.await.map_err(no_list)?;
        let Some(room) = self.budget.try_take(page.weight()) else {
            return Err(self.too_much(format!("{} MiB", self.budget.most() >> 20)));
        };
        self.objects += page.len();
        if self.objects > self.listing.most {
            Err(self.too_much(format!("{} objects", self.listing.most)))
        } else if self.pages > MOST_PAGES {
            Err(self.too_much(format!("{MOST_PAGES} pages")))
        } else if Instant::now() > self.until {
            Err(self.too_much("can be read in time".to_string()))
        } else {
            Ok(NextPage::Page(page, room))
        }
    }

    /// Takes memory for the names of a page whose objects are delivered one by one, until the list ends. Names may take
    /// only a part of the budget, because the objects themselves wait for the rest.
    pub fn room_for_names(&mut self, bytes: usize) -> Result<Taken, RequestError> {
        self.names += bytes;
        let room = (self.names <= self.budget.most() / NAMES).then(|| self.budget.try_take(bytes)).flatten();
        room.ok_or_else(|| self.too_much(format!("{} MiB, names included", self.budget.most() >> 20)))
    }

    fn too_much(&self, what: String) -> RequestError {
        let resource = self.listing.resource;
        let doing = RequestContext { verb: "list", resource, object: None };
        let why = format!("{resource} are more than {what}: nothing of it is used");
        explained(RequestFailure::NotAsked(why), self.server, self.paths, &doing)
    }
}

fn no_list(error: impl std::fmt::Display) -> RequestError {
    RequestError::Failed { what: "a list".to_string(), why: format!("its answer is no list: {error}") }
}
