//! A list by pages that are all of one moment.

use super::budget::{Budget, Taken, Weighs};
use super::client::{Ask, Server, Trouble};
use super::error::{Doing, RequestError, explained};
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
pub struct Listed<T> {
    /// All of it.
    pub items: Vec<T>,
    /// As of which revision.
    pub revision: String,
    /// The room that it takes until it is taken in.
    pub taken: Taken,
}

#[derive(Deserialize)]
struct Page {
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

/// All of a list. Pages after the first are of the same moment as the first; each is read while the next
/// is on its way, and no more of its text is kept than that takes.
pub async fn list<T: Weighs + Send + 'static>(
    server: &Server,
    paths: &Paths,
    listing: &Listing<T>,
    budget: &Budget,
) -> Result<Listed<T>, RequestError> {
    let mut beginnings = 1;
    let mut all: Vec<T> = Vec::new();
    let mut taken = Taken::default();
    let mut reading: Option<JoinHandle<Vec<T>>> = None;
    let mut next = String::new();
    let (mut page, mut pages) = (listing.page, 0);
    let until = Instant::now() + server.patience() * MOST_TIME;
    let too_much = |what: String| {
        let doing = Doing { verb: "list", resource: listing.resource, object: None };
        let why = format!("{} are more than {what}: nothing of it is used", listing.resource);
        explained(Trouble::NotAsked(why), server, paths, &doing)
    };
    loop {
        let mut ask = format!("{}?limit={page}{}", listing.path, listing.selector);
        if !next.is_empty() {
            ask.push_str(&format!("&continue={next}"));
        }
        let in_hand = budget.page().await;
        match server.ask(&Ask::get(ask)).await {
            Ok(bytes) => {
                pages += 1;
                let Page { metadata, items } = serde_json::from_slice(&bytes).map_err(no_list)?;
                drop(bytes);
                let before = {
                    let read = listing.read.clone();
                    reading.replace(spawn_blocking(move || {
                        let read = read(&items);
                        drop((items, in_hand));
                        read
                    }))
                };
                let done = if metadata.next.is_empty() { reading.take() } else { None };
                for page in before.into_iter().chain(done) {
                    let page = page.await.map_err(no_list)?;
                    let Some(room) = budget.try_take(page.weight()) else {
                        return Err(too_much(format!("{} MiB", budget.most() >> 20)));
                    };
                    taken = taken.and(room);
                    all.extend(page);
                }
                match () {
                    () if all.len() > listing.most => return Err(too_much(format!("{} objects", listing.most))),
                    () if pages > MOST_PAGES => return Err(too_much(format!("{MOST_PAGES} pages"))),
                    () if Instant::now() > until => return Err(too_much("can be read in time".to_string())),
                    () => {}
                }
                if metadata.next.is_empty() {
                    return Ok(Listed { items: all, revision: metadata.resource_version, taken });
                }
                next = metadata.next;
            }
            // Large objects: fewer at a time. What was read goes on where it was.
            Err(Trouble::TooLarge) if page > 1 => page = (page / 8).max(1),
            Err(trouble) if trouble.code() == Some(StatusCode::GONE) && beginnings < BEGINNINGS => {
                beginnings += 1;
                all.clear();
                taken = Taken::default();
                reading = None;
                next.clear();
            }
            Err(trouble) => {
                let doing = Doing { verb: "list", resource: listing.resource, object: None };
                return Err(explained(trouble, server, paths, &doing));
            }
        }
    }
}

fn no_list(error: impl std::fmt::Display) -> RequestError {
    RequestError::Failed { what: "a list".to_string(), why: format!("its answer is no list: {error}") }
}
