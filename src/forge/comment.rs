//! One text among the comments of a pull request, or among the pull requests of a branch: it is found again, and kept up
//! to date.

use super::rest::Rest;
use super::{ForgeError, OpenedRequest, Posted};
use http::Method;
use serde_json::Value;

/// A list of an API, and how its entries are read and written.
pub(super) struct Entries<'a> {
    pub rest: &'a Rest,
    /// The path of the list; a new entry is posted there.
    pub list: &'a str,
    /// What narrows and sorts it: the oldest entry comes first.
    pub query: &'a str,
    /// Whether an entry is one of ours, whose text may be replaced.
    pub is_ours: &'a dyn Fn(&Value) -> bool,
    /// The names of the number of an entry, of its text, and of the address of its page.
    pub number: &'static str,
    pub text: &'static str,
    pub page: &'static str,
    /// How an entry is updated: the method, and the path above its number.
    pub update: (Method, &'a str),
    /// The words for listing, updating and writing.
    pub what: [&'static str; 3],
}

/// The content of an entry.
pub(super) struct Content<'a> {
    pub text: &'a str,
    /// The whole body of an update, and of a new entry.
    pub update: &'a Value,
    pub create: &'a Value,
}

impl Entries<'_> {
    /// Writes a text: the first entry that may be changed gets it, and where there is none, one is made.
    pub(super) fn keep(&self, content: &Content<'_>) -> Result<OpenedRequest, ForgeError> {
        match self.keep_once(content, Posted::Unchanged) {
            // What was sent may be there all the same: it is looked for before it is sent again.
            Err(error) if error.is_lost() => self.keep_once(content, Posted::Created),
            result => result,
        }
    }

    fn keep_once(&self, content: &Content<'_>, is_there: Posted) -> Result<OpenedRequest, ForgeError> {
        let [listing, updating, writing] = self.what;
        for entry in self.rest.all(&format!("{}?{}", self.list, self.query), listing)? {
            if !(self.is_ours)(&entry) {
                continue;
            }
            let number = entry.get(self.number).and_then(Value::as_u64).ok_or(ForgeError::Form { what: listing })?;
            let text = entry.get(self.text).and_then(Value::as_str).unwrap_or_default();
            // A server may drop blanks at the end.
            if text.trim_end() == content.text.trim_end() {
                return Ok(self.posted(is_there, &entry));
            }
            let (method, path) = &self.update;
            match self.rest.send(method, &format!("{path}/{number}"), Some(content.update), updating) {
                Ok(updated) => return Ok(self.posted(Posted::Updated, &updated.body)),
                // It is somebody else's, who wrote the marker.
                Err(ForgeError::Forbidden { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let created = self.rest.send(&Method::POST, self.list, Some(content.create), writing)?;
        Ok(self.posted(Posted::Created, &created.body))
    }

    fn posted(&self, posted: Posted, entry: &Value) -> OpenedRequest {
        let page = entry.get(self.page).and_then(Value::as_str);
        let page = page.filter(|page| page.starts_with("https://") || page.starts_with("http://"));
        OpenedRequest { posted, page: page.map(str::to_string) }
    }
}
