//! The one comment of a report: it is found again by its marker, and kept up to date.

use super::{ForgeError, Posted};
use serde_json::Value;

/// A comment that begins with the marker.
pub(super) struct Marked {
    pub id: u64,
    pub body: String,
}

impl Marked {
    /// Reads a comment as both APIs have it.
    pub(super) fn of(comment: &Value) -> Option<Self> {
        Marked::numbered(comment, "id", "body")
    }

    /// Reads something with a number and a text, by the names of both.
    pub(super) fn numbered(of: &Value, number: &str, text: &str) -> Option<Self> {
        let body = of.get(text).and_then(Value::as_str).unwrap_or_default().to_string();
        Some(Marked { id: of.get(number).and_then(Value::as_u64)?, body })
    }
}

/// How the comments of a pull request are read and written.
pub(super) struct Thread<'a> {
    /// The comments with the marker, the oldest first.
    pub list: &'a dyn Fn() -> Result<Vec<Marked>, ForgeError>,
    pub update: &'a dyn Fn(u64) -> Result<(), ForgeError>,
    pub create: &'a dyn Fn() -> Result<(), ForgeError>,
}

impl Thread<'_> {
    /// Writes the comment: the first one that may be changed gets the text, and where there is none, one is made.
    pub(super) fn keep(&self, text: &str) -> Result<Posted, ForgeError> {
        match self.keep_once(text, Posted::Unchanged) {
            // What was sent may be there all the same: it is looked for before it is sent again.
            Err(error) if error.is_lost() => self.keep_once(text, Posted::Created),
            result => result,
        }
    }

    fn keep_once(&self, text: &str, is_there: Posted) -> Result<Posted, ForgeError> {
        for comment in (self.list)()? {
            // A server may drop blanks at the end.
            if comment.body.trim_end() == text.trim_end() {
                return Ok(is_there);
            }
            match (self.update)(comment.id) {
                Ok(()) => return Ok(Posted::Updated),
                // It is somebody else's, who wrote the marker.
                Err(ForgeError::Forbidden { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        (self.create)().map(|()| Posted::Created)
    }
}
