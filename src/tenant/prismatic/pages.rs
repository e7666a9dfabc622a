//! Lists of the platform, page by page. A cursor is a position, so that an element that is deleted meanwhile moves all
//! that follow it: each page begins with the last element of the page before, which must be the same.

use super::document::Document;
use super::stack::{ApiFailure, Stack};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Maximum number of elements of one list.
const LARGEST: usize = 100_000;
/// How often a list is begun again because its pages do not fit.
const READS: usize = 4;

/// An element of a list.
pub(super) trait Listed {
    /// The platform's id.
    fn id(&self) -> Option<&str>;
}

/// A list as it was read.
pub(super) struct Pages<T> {
    pub elements: Vec<T>,
    /// The number of its pages.
    pub count: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages { elements: Vec::new(), count: 0 }
    }
}

/// Why a list is unknown, wholly or in part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListFailure {
    /// A page could not be read.
    #[error("{0}")]
    Api(#[from] ApiFailure),
    /// The list itself is null.
    #[error("the platform returns no list of them")]
    NoList,
    /// An element is null, or has no id: the platform could not read it.
    #[error("{0} of them came back as null: the platform could not read them")]
    Null(usize),
    /// A look-up returned a part of what it found.
    #[error("a look-up found {of}, and returned a part of them")]
    Part { of: u64 },
    /// The list does not say how long it is.
    #[error("the platform does not say how many there are")]
    NoTotal,
    /// A page does not say whether it is the last, or how to go on.
    #[error("a page does not say whether another follows")]
    NoEnd,
    /// The list changed each time while it was read.
    #[error("the list changed each time while it was read")]
    Changing,
    /// The list is longer than is read.
    #[error("there are more than {LARGEST}")]
    TooMany,
}

impl ListFailure {
    /// What to do.
    pub(super) fn help(&self) -> String {
        match self {
            ListFailure::Api(failure) => failure.help(),
            ListFailure::Changing => "run it again when nobody changes the tenant".to_string(),
            _ => "run it again; if it stays so, report it with stablekey --version".to_string(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
struct Page<T> {
    #[serde(default)]
    total_count: Option<u64>,
    #[serde(default)]
    page_info: Option<PageEnd>,
    #[serde(default = "Option::default")]
    edges: Option<Vec<Option<Edge<T>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageEnd {
    #[serde(default)]
    has_next_page: Option<bool>,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Edge<T> {
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default = "Option::default")]
    node: Option<T>,
}

/// Reads a whole list. The document has the variable `after`, besides those that are given, and selects `totalCount`,
/// `pageInfo` and `edges`, in the order of creation: a new element then comes last.
pub(super) async fn read_list<T: DeserializeOwned + Listed>(
    stack: &Stack,
    document: &Document,
    list: &'static str,
    variables: &Map<String, Value>,
) -> Result<Vec<T>, ListFailure> {
    read_pages(stack, document, list, variables).await.map(|pages| pages.elements)
}

/// Reads a whole list, and counts its pages.
pub(super) async fn read_pages<T: DeserializeOwned + Listed>(
    stack: &Stack,
    document: &Document,
    list: &'static str,
    variables: &Map<String, Value>,
) -> Result<Pages<T>, ListFailure> {
    for _ in 0..READS {
        if let Some(pages) = read_once(stack, document, list, variables).await? {
            return Ok(pages);
        }
    }
    Err(ListFailure::Changing)
}

/// Reads a list once; `None` if it changed meanwhile.
async fn read_once<T: DeserializeOwned + Listed>(
    stack: &Stack,
    document: &Document,
    list: &'static str,
    variables: &Map<String, Value>,
) -> Result<Option<Pages<T>>, ListFailure> {
    let mut pages = 0;
    let mut elements: Vec<T> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut variables = variables.clone();
        variables.insert("after".to_string(), json!(after));
        let page: Page<T> = page(stack, document, list, &Value::Object(variables)).await?;
        pages += 1;
        let edges = page.edges.ok_or(ListFailure::NoList)?;
        let total = page.total_count.ok_or(ListFailure::NoTotal)?;
        let has_next = page.page_info.and_then(|end| end.has_next_page).ok_or(ListFailure::NoEnd)?;
        let count = edges.len();
        let cursors: Vec<Option<String>> = edges.iter().map(|edge| edge.as_ref()?.cursor.clone()).collect();
        let nodes = edges.into_iter().flatten().filter_map(|edge| edge.node).filter(|node| node.id().is_some());
        let nodes: Vec<T> = nodes.collect();
        if nodes.len() < count {
            return Err(ListFailure::Null(count - nodes.len()));
        }
        let mut nodes = nodes.into_iter();
        if after.is_some() {
            // The same element as the last of the page before, or one before it is gone.
            let first = nodes.next();
            if first.as_ref().and_then(Listed::id) != elements.last().and_then(Listed::id) {
                return Ok(None);
            }
        }
        elements.extend(nodes);
        if elements.len() > LARGEST {
            return Err(ListFailure::TooMany);
        }
        if u64::try_from(elements.len()).is_ok_and(|read| read > total) {
            // More than there are: it may never end.
            return Ok(None);
        }
        if !has_next {
            let ids: BTreeSet<&str> = elements.iter().filter_map(Listed::id).collect();
            let is_whole = ids.len() == elements.len() && u64::try_from(ids.len()).is_ok_and(|read| read == total);
            return Ok(is_whole.then_some(Pages { elements, count: pages }));
        }
        // A page of one element could not overlap and go on.
        let before_last = cursors.iter().rev().nth(1).cloned().flatten();
        let next = before_last.ok_or(ListFailure::NoEnd)?;
        if after.as_ref() == Some(&next) {
            return Err(ListFailure::NoEnd);
        }
        after = Some(next);
    }
}

async fn page<T: DeserializeOwned>(
    stack: &Stack,
    document: &Document,
    list: &'static str,
    variables: &Value,
) -> Result<Page<T>, ListFailure> {
    // A list of another type than expected must not look like a list that is not there.
    let data: std::collections::BTreeMap<String, Option<Page<T>>> = stack.read(document, variables).await?;
    data.into_iter().find(|(name, _)| name == list).and_then(|(_, page)| page).ok_or(ListFailure::NoList)
}
