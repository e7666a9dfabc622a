//! The content of a file, shared by all who read it: memory for a copy of a large file costs more than parsing what
//! changed in it.

use std::sync::Arc;

/// The content of a file.
#[derive(Clone)]
pub enum Content {
    Text(Arc<String>),
    /// What need not be UTF-8.
    Bytes(Arc<Vec<u8>>),
}

impl Content {
    /// The bytes of the content.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Content::Text(text) => text.as_bytes(),
            Content::Bytes(bytes) => bytes,
        }
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Content::Text(Arc::new(text))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Content::Bytes(Arc::new(bytes))
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Content {}
