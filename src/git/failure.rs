//! Why a commit cannot be read from a remote. No message quotes what the server answers.

use super::reference::Reference;
use crate::http_client::client::{HttpFailure, retry_after};
use crate::text;
use http::{HeaderMap, StatusCode, header};
use std::time::Duration;

/// Maximum length of the address that a redirect leads to, in a message.
const ADDRESS: usize = 200;

/// Why a commit cannot be read from a remote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The server asks who reads.
    #[error("{}", if *.has_credentials { "it does not accept the credentials (HTTP 401)" } else { "it asks for credentials (HTTP 401), and there are none" })]
    Unauthenticated {
        /// Whether it was given credentials.
        has_credentials: bool,
    },
    /// The server knows who reads, and refuses it.
    #[error("the credentials may not read it (HTTP 403)")]
    Forbidden,
    /// There is no such repository, or it is hidden.
    #[error("there is no repository at this address, or the credentials may not see it (HTTP {0})")]
    NotFound(u16),
    /// There is no such branch, tag or commit.
    #[error("it has no {0}")]
    NoReference(Reference),
    /// A name is that of a branch and of a tag.
    #[error("it has both a branch and a tag with the name of {0}")]
    Ambiguous(Reference),
    /// A tag names something else.
    #[error("its {0} does not name a commit")]
    NotACommit(Reference),
    /// The server cannot be reached.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke.
    #[error("the connection broke before the answer was complete: {0}")]
    Broken(String),
    /// It took too long: the server does not answer, or its bytes come too slowly.
    #[error("it did not answer completely within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// It sends more than is read.
    #[error("it is larger than the {} MiB that are read of a repository", .0 >> 20)]
    TooLarge(u64),
    /// There is no room for it beside what else was fetched.
    #[error("it does not fit beside what is fetched of other repositories: {} MiB together", .0 >> 20)]
    NoRoom(u64),
    /// There is no room for it beside what was fetched of it before.
    #[error("it does not fit beside what was fetched of it before, which is still in use: {} MiB together", .0 >> 20)]
    NoRoomBesideEarlier(u64),
    /// A file of it is larger than what is unpacked.
    #[error("it has a file of more than {} MiB", .0 >> 20)]
    LargeFile(u64),
    /// No authority that is trusted signed its certificate, or it is for another name.
    #[error("its certificate is not accepted ({0})")]
    Certificate(String),
    /// It says that the repository is elsewhere.
    #[error("it redirects elsewhere{}, which is never followed", .0.as_ref().map(|to| format!(" ({to})")).unwrap_or_default())]
    Redirects(Option<String>),
    /// There were too many requests.
    #[error("it says that there are too many requests{}", .after.map(|after| format!(", and to come back after {} s", after.as_secs())).unwrap_or_default())]
    TooManyRequests { after: Option<Duration> },
    /// It has an error of its own.
    #[error("it has an error of its own (HTTP {0})")]
    Server(u16),
    /// It answers with another HTTP status.
    #[error("it refuses the request (HTTP {0})")]
    Refused(u16),
    /// What answers there is no Git server.
    #[error("it does not answer as a Git server does")]
    NotGit,
    /// What it answers breaks the rules of Git's protocol, or the pack is damaged.
    #[error("its answer is damaged, or breaks the rules of Git's protocol")]
    Protocol,
    /// It needs more of Git than this version knows.
    #[error(
        "it needs something of Git that this version of stablekey does not know: objects named by SHA-256, or a server without shallow fetches"
    )]
    Unsupported,
    /// What was fetched cannot be stored.
    #[error("it cannot be stored in {folder}: {why}")]
    Storage { folder: String, why: String },
}

impl FetchError {
    /// What to do.
    pub fn help(&self) -> String {
        let help = match self {
            FetchError::Unauthenticated { has_credentials: false } => "give credentials that may read the repository",
            FetchError::Unauthenticated { .. } | FetchError::Forbidden => {
                "renew the credentials: a token that may read this repository, and has not expired"
            }
            FetchError::NotFound(_) => "correct the url, or let the credentials read the repository",
            FetchError::NoReference(Reference::Commit(_)) => {
                "push the commit: a server gives only commits that a branch or tag reaches"
            }
            FetchError::NoReference(_) => "correct the name, or push it",
            FetchError::Ambiguous(_) => "write refs/heads/… or refs/tags/… before the name",
            FetchError::NotACommit(_) => "name a tag of a commit",
            FetchError::Unreachable(_) | FetchError::Broken(_) => {
                "see that the server runs, and that this machine reaches it"
            }
            FetchError::TimedOut(_) => "see why the server or the network is slow",
            FetchError::TooLarge(_) | FetchError::LargeFile(_) => {
                "keep the manifests in a repository of their own, without large files"
            }
            FetchError::NoRoom(_) => {
                "keep manifests in repositories of their own, without large files; or allow more, on a larger volume"
            }
            FetchError::Certificate(_) => {
                "if the server has a certificate authority of its own, give that authority's certificate"
            }
            FetchError::Redirects(_) => "use the address that it redirects to as the url",
            FetchError::TooManyRequests { .. } | FetchError::Server(_) | FetchError::NoRoomBesideEarlier(_) => {
                "nothing: it is tried again"
            }
            FetchError::Refused(_) | FetchError::NotGit => {
                "see that the url is that of a repository, as git clone takes it, and that no proxy answers in its place"
            }
            FetchError::Protocol => "see whether git clone reads it; then look for damage on the server with git fsck",
            FetchError::Unsupported => "use a repository with SHA-1 object names, on a server with Git 2.18 or newer",
            FetchError::Storage { .. } => "see that the folder can be written, and that the disk has room",
        };
        help.to_string()
    }

    /// One word for a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            FetchError::Unauthenticated { .. } => "CredentialsRefused",
            FetchError::Forbidden => "Forbidden",
            FetchError::NotFound(_) => "RepositoryNotFound",
            FetchError::NoReference(_) | FetchError::Ambiguous(_) | FetchError::NotACommit(_) => "RevisionNotFound",
            FetchError::Unreachable(_) | FetchError::Broken(_) | FetchError::Server(_) => "Unreachable",
            FetchError::TimedOut(_) => "TimedOut",
            FetchError::TooLarge(_) | FetchError::LargeFile(_) => "TooLarge",
            FetchError::Certificate(_) => "CertificateRefused",
            FetchError::Redirects(_) => "Redirects",
            FetchError::TooManyRequests { .. } => "TooManyRequests",
            FetchError::Refused(_) | FetchError::NotGit | FetchError::Protocol | FetchError::Unsupported => "NotGit",
            FetchError::Storage { .. } | FetchError::NoRoom(_) | FetchError::NoRoomBesideEarlier(_) => "StorageFailed",
        }
    }

    /// Whether what earlier fetches left in the folder may be the cause: a lock of a process that was killed, a pack that
    /// is cut. A fresh folder shows it.
    pub fn may_be_of_folder(&self) -> bool {
        matches!(self, FetchError::Storage { .. } | FetchError::Protocol)
    }

    /// Whether there may be room for it once what was fetched before is removed.
    pub fn is_for_want_of_room(&self) -> bool {
        matches!(self, FetchError::Storage { .. } | FetchError::NoRoom(_) | FetchError::NoRoomBesideEarlier(_))
    }

    /// How long the server asks to wait.
    pub fn after(&self) -> Option<Duration> {
        match self {
            FetchError::TooManyRequests { after } => *after,
            _ => None,
        }
    }

    /// The failure of a request without an answer.
    pub(super) fn of_request(failure: HttpFailure) -> Self {
        match failure {
            HttpFailure::NotSent(why) => FetchError::Unreachable(why),
            HttpFailure::Certificate(why) => FetchError::Certificate(why),
            HttpFailure::NoAnswer(why) => FetchError::Broken(why),
            HttpFailure::TimedOut(limit) => FetchError::TimedOut(limit),
            HttpFailure::TooLarge => FetchError::Protocol,
        }
    }

    /// The failure that an answer's head tells, if it is one.
    pub(super) fn of_answer(status: StatusCode, headers: &HeaderMap, has_credentials: bool) -> Option<Self> {
        Some(match status.as_u16() {
            200 => return None,
            401 => FetchError::Unauthenticated { has_credentials },
            403 => FetchError::Forbidden,
            code @ (404 | 410) => FetchError::NotFound(code),
            300..=399 => FetchError::Redirects(headers.get(header::LOCATION).and_then(|to| address(to.to_str().ok()?))),
            429 => FetchError::TooManyRequests { after: retry_after(headers) },
            503 if headers.contains_key(header::RETRY_AFTER) => {
                FetchError::TooManyRequests { after: retry_after(headers) }
            }
            code @ 500.. => FetchError::Server(code),
            code => FetchError::Refused(code),
        })
    }
}

/// The repository that a redirect leads to, if it can be shown.
fn address(location: &str) -> Option<String> {
    let location = location.split("/info/refs").next()?.split(['?', '#']).next()?;
    let is_shown = location.starts_with("https://") && !location.contains('@') && location.len() <= ADDRESS;
    is_shown.then(|| text::line(location).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, headers: &[(header::HeaderName, &str)]) -> Option<FetchError> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        FetchError::of_answer(StatusCode::from_u16(status).unwrap(), &headers, true)
    }

    #[test]
    fn a_status_tells_the_failure() {
        assert_eq!(of(200, &[]), None);
        assert_eq!(of(401, &[]), Some(FetchError::Unauthenticated { has_credentials: true }));
        assert_eq!(of(404, &[]), Some(FetchError::NotFound(404)));
        assert_eq!(of(204, &[]), Some(FetchError::Refused(204)));
        assert_eq!(of(418, &[]), Some(FetchError::Refused(418)));
        assert_eq!(of(503, &[]), Some(FetchError::Server(503)));
        let after = Some(Duration::from_secs(30));
        assert_eq!(of(429, &[(header::RETRY_AFTER, "30")]), Some(FetchError::TooManyRequests { after }));
        assert_eq!(of(503, &[(header::RETRY_AFTER, "30")]), Some(FetchError::TooManyRequests { after }));
        let date = [(header::RETRY_AFTER, "Wed, 21 Oct 2015 07:28:00 GMT")];
        assert_eq!(of(429, &date), Some(FetchError::TooManyRequests { after: None }));
        // Any number can be sent: adding it to a time must not overflow, nor stop the polls for years.
        let after = Some(Duration::from_secs(3600));
        for status in [429, 503] {
            let largest = of(status, &[(header::RETRY_AFTER, "18446744073709551615")]);
            assert_eq!(largest, Some(FetchError::TooManyRequests { after }));
        }
    }

    /// Nothing of an address that could be secret or deceive is shown.
    #[test]
    fn a_redirect_names_the_repository() {
        for (location, shown) in [
            (
                "https://git.acme.example/new.git/info/refs?service=git-upload-pack",
                Some("https://git.acme.example/new.git"),
            ),
            ("https://git.acme.example/login?token=CANARY", Some("https://git.acme.example/login")),
            ("https://ann:CANARY@git.acme.example/x", None),
            ("/login", None),
            ("http://git.acme.example/x", None),
        ] {
            let error = of(301, &[(header::LOCATION, location)]).unwrap();
            assert_eq!(error, FetchError::Redirects(shown.map(str::to_string)), "{location}");
            assert!(!error.to_string().contains("CANARY"));
        }
        assert_eq!(of(302, &[]), Some(FetchError::Redirects(None)));
    }
}
