//! A list by pages that are all of one moment.

use super::budget::{Budget, Taken, Weighs};
use super::client::{Ask, RequestFailure, Server};
use super::error::{RequestContext, RequestError, explained};
use super::paths::Paths;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

/// How many objects a page has at most.
pub const PAGE: usize = 500;
/// How many objects of one kind are read of a namespace, and by how many pages: what a server sends is bounded, whoever
/// runs it.
pub const MOST: usize = 60_000;
const MOST_PAGES: usize = 4_000;
/// How long a list may take at most, in times of what one request may.
const MOST_TIME: u32 = 20;
/// Which part of the room names may take.
const NAMES: usize = 4;
/// How often a list is begun anew, because its continuation was forgotten by the server.
const BEGINNINGS: usize = 3;

/// How a page is read. What is no object at all is passed over.
pub type ReadPage<T> = Arc<dyn Fn(&[Box<RawValue>]) -> Vec<T> + Send + Sync>;

/// What is listed, or watched, and how it is read.
#[derive(Clone)]
pub struct Listing<T> {
    /// The path of the collection.
    pub path: String,
    /// Its name, as roles know it.
    pub resource: &'static str,
    /// What narrows it: nothing, or `&labelSelector=…`.
    pub selector: String,
    /// Reads a page.
    pub read: ReadPage<T>,
    /// How many objects there are at most.
    pub most: usize,
    /// How many a page has at most.
    pub page: usize,
}

/// What a list had.
#[derive(Debug)]
pub struct ListedNames<T> {
    /// All of it.
    pub items: Vec<T>,
    /// As of which revision.
    pub revision: String,
    /// The room that it takes until it is taken in.
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

/// All of a list.
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

/// A list, page by page. Pages after the first are of the same moment as the first; each is parsed while the next is on
/// its way, and no more of its text is kept than that takes.
pub struct Pages<'l, T> {
    server: &'l Server,
    paths: &'l Paths,
    listing: &'l Listing<T>,
    budget: &'l Budget,
    until: Instant,
    beginnings: usize,
    /// How many objects a page has at most.
    size: usize,
    next: String,
    /// As of which revision it is; empty before the first page.
    pub revision: String,
    parsing: Option<JoinHandle<Vec<T>>>,
    is_last: bool,
    pages: usize,
    objects: usize,
    /// How many bytes of names are kept.
    names: usize,
}

/// What comes next of a list.
pub enum NextPage<T> {
    /// More objects, and the room that they take until they are taken in.
    Page(Vec<T>, Taken),
    /// The server forgot the moment of the list: it begins again, and what was read is of no use.
    Restart,
    /// That was all.
    End,
}

impl<'l, T: Weighs + Send + 'static> Pages<'l, T> {
    /// Of a list that is read from its beginning.
    pub fn of(server: &'l Server, paths: &'l Paths, listing: &'l Listing<T>, budget: &'l Budget) -> Self {
        Pages {
            server,
            paths,
            listing,
            budget,
            until: Instant::now() + server.patience() * MOST_TIME,
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

    /// The next page.
    pub async fn next(&mut self) -> Result<NextPage<T>, RequestError> {
        loop {
            if self.is_last {
                return match self.parsing.take() {
                    Some(page) => self.parsed(page).await,
                    None => Ok(NextPage::End),
                };
            }
            let mut ask = format!("{}?limit={}{}", self.listing.path, self.size, self.listing.selector);
            if !self.next.is_empty() {
                ask.push_str(&format!("&continue={}", self.next));
            }
            let in_hand = self.budget.page().await;
            match self.server.ask(&Ask::get(ask)).await {
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
                // Large objects: fewer at a time. What was read goes on where it was.
                Err(RequestFailure::TooLarge) if self.size > 1 => self.size = (self.size / 8).max(1),
                Err(trouble) if trouble.code() == Some(StatusCode::GONE) && self.beginnings < BEGINNINGS => {
                    self.beginnings += 1;
                    self.objects = 0;
                    self.parsing = None;
                    self.next.clear();
                    return Ok(NextPage::Restart);
                }
                Err(trouble) => {
                    let doing = RequestContext { verb: "list", resource: self.listing.resource, object: None };
                    return Err(explained(trouble, self.server, self.paths, &doing));
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

    /// Room for the names of a page whose objects are told one by one, until all of them are known. Names take no more
    /// than a part of all the room: the objects themselves wait for the rest.
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
