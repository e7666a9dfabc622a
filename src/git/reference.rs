//! What is read of a remote: one branch, tag or commit.

use gix::ObjectId;
use std::fmt;

/// Maximum length of the name of a branch or tag, in bytes.
const LONGEST: usize = 253;

/// A branch, a tag or a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Branch(RefName),
    Tag(RefName),
    Commit(ObjectId),
    /// A branch or a tag: only the remote knows.
    Named(RefName),
}

/// The name of a branch or a tag, without `refs/heads/` or `refs/tags/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefName(String);

/// Why a text names no branch, tag or commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("the name of a {what} cannot be read: see git check-ref-format for what a name may contain")]
    Name { what: &'static str },
    #[error("the name of a {what} is given without refs/heads/ or refs/tags/")]
    Prefixed { what: &'static str },
    #[error("a commit is given by its full name, 40 hexadecimal digits")]
    Commit,
}

impl Reference {
    /// The branch with this name.
    pub fn branch(name: &str) -> Result<Self, ReferenceError> {
        RefName::of("branch", name).map(Reference::Branch)
    }

    /// The tag with this name.
    pub fn tag(name: &str) -> Result<Self, ReferenceError> {
        RefName::of("tag", name).map(Reference::Tag)
    }

    /// The commit with this full name.
    pub fn commit(name: &str) -> Result<Self, ReferenceError> {
        let id = ObjectId::from_hex(name.as_bytes()).map_err(|_| ReferenceError::Commit)?;
        if id.is_null() { Err(ReferenceError::Commit) } else { Ok(Reference::Commit(id)) }
    }

    /// What a person means by this text: the full name of a commit, `refs/heads/…`, `refs/tags/…`, or a name that is a
    /// branch or a tag.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if let Some(name) = text.strip_prefix("refs/heads/") {
            return Reference::branch(name);
        }
        if let Some(name) = text.strip_prefix("refs/tags/") {
            return Reference::tag(name);
        }
        match Reference::commit(text) {
            Ok(commit) => Ok(commit),
            Err(_) => RefName::of("branch or tag", text).map(Reference::Named),
        }
    }
}

impl RefName {
    fn of(what: &'static str, name: &str) -> Result<Self, ReferenceError> {
        if name.starts_with("refs/") {
            return Err(ReferenceError::Prefixed { what });
        }
        let whole = format!("refs/heads/{name}");
        // A name that begins with a minus sign is legal as a part of a ref, and never what a person means.
        let is_name = name.len() <= LONGEST
            && !name.starts_with('-')
            && !name.chars().any(crate::text::is_dangerous)
            && gix::validate::reference::name(whole.as_str().into()).is_ok();
        if is_name { Ok(RefName(name.to_string())) } else { Err(ReferenceError::Name { what }) }
    }

    /// The full name of the branch.
    pub(super) fn as_branch(&self) -> String {
        format!("refs/heads/{}", self.0)
    }

    /// The full name of the tag.
    pub(super) fn as_tag(&self) -> String {
        format!("refs/tags/{}", self.0)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Branch(RefName(name)) => write!(f, "branch {name}"),
            Reference::Tag(RefName(name)) => write!(f, "tag {name}"),
            Reference::Commit(id) => write!(f, "commit {id}"),
            Reference::Named(RefName(name)) => write!(f, "branch or tag {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_reference_is_a_branch_a_tag_or_a_whole_commit() {
        for (text, shown) in [
            ("main", "branch or tag main"),
            ("refs/heads/release/1.0", "branch release/1.0"),
            ("refs/tags/v1", "tag v1"),
            (COMMIT, &format!("commit {COMMIT}")),
            // Not a whole commit: the remote is asked for a branch or tag with that name.
            ("0123456", "branch or tag 0123456"),
        ] {
            assert_eq!(Reference::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "a..b", "a b", "*", "-x", "a/", "/a", "a~1", "main^", "a:b", "@{1}", "x.lock", "a\u{202e}b"] {
            assert_eq!(Reference::branch(text), Err(ReferenceError::Name { what: "branch" }), "{text}");
            assert!(Reference::parse(text).is_err(), "{text}");
        }
        assert!(Reference::branch(&"a".repeat(LONGEST + 1)).is_err());
        assert_eq!(Reference::tag("refs/tags/v1"), Err(ReferenceError::Prefixed { what: "tag" }));
        for text in ["0123456", &"0".repeat(40), &format!("{COMMIT}0"), "HEAD"] {
            assert_eq!(Reference::commit(text), Err(ReferenceError::Commit), "{text}");
        }
    }
}
