//! The address of a repository: https, a host and a path, and nothing that is secret.

use crate::http_client::origin::{Origin, OriginError};
use crate::text;
use std::fmt;

/// Maximum length of an address, in bytes.
const LONGEST: usize = 1024;

/// The address of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitUrl {
    origin: Origin,
    /// From the first `/` on, as it was written.
    path: String,
}

/// Why a text is no address of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitUrlError {
    #[error("it does not begin with https://; other ways to reach a repository, such as ssh, are not supported")]
    Scheme,
    #[error("it has a user name or password in it: write the address without them, and give them apart")]
    Credentials,
    #[error("it has a query or a fragment, which the address of a repository never has")]
    Query,
    #[error("it has no path: it is the address of a server, not of a repository")]
    NoPath,
    #[error("its path has empty parts, dots, or characters that an address never has")]
    Path,
    #[error("its host or port cannot be read")]
    Host,
    #[error("it is longer than {LONGEST} characters")]
    TooLong,
}

impl GitUrl {
    /// Parses `https://host/path`, perhaps with a port; `http://` is accepted for this machine only.
    pub fn parse(url: &str) -> Result<Self, GitUrlError> {
        let url = url.trim();
        if url.len() > LONGEST {
            return Err(GitUrlError::TooLong);
        }
        let Some((scheme, rest)) = url.split_once("://") else { return Err(GitUrlError::Scheme) };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if rest.contains(['?', '#']) {
            return Err(GitUrlError::Query);
        }
        let origin = Origin::parse(&format!("{scheme}://{host}")).map_err(|error| match error {
            OriginError::Scheme => GitUrlError::Scheme,
            OriginError::Credentials => GitUrlError::Credentials,
            OriginError::More | OriginError::Host | OriginError::Port => GitUrlError::Host,
        })?;
        if !origin.is_https() && !origin.is_loopback() {
            return Err(GitUrlError::Scheme);
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.is_empty() {
            return Err(GitUrlError::NoPath);
        }
        // A server may resolve dots, and then another repository is read than the address seems to name.
        let is_part = |part: &str| {
            let bare = part.to_ascii_lowercase().replace("%2e", ".");
            !part.is_empty() && bare != "." && bare != ".." && part.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        };
        if path.split('/').all(is_part) {
            Ok(GitUrl { origin, path: format!("/{path}") })
        } else {
            Err(GitUrlError::Path)
        }
    }

    /// Whether a host in a list names the server: `host` means the default port of https, `host:port` that port.
    pub fn is_on(&self, listed: &str) -> bool {
        self.origin.is_named_by(listed)
    }

    /// One text for every way to write the address of a repository: the host in lower case, without the default port; the
    /// path without `.git`.
    pub fn repository(&self) -> String {
        let whole = self.to_string();
        let plain = whole.strip_suffix(".git").filter(|plain| !plain.ends_with('/'));
        plain.map_or(whole.clone(), str::to_string)
    }

    /// The host, with the port if it is not the default.
    pub fn host(&self) -> String {
        let origin = self.origin.to_string();
        origin.split_once("://").map_or_else(String::new, |(_, host)| host.to_string())
    }

    /// The path of the repository as its server's API names it: without `/` at its ends, and without `.git`.
    pub fn path_of_repository(&self) -> String {
        let path = self.path.trim_start_matches('/');
        path.strip_suffix(".git").filter(|path| !path.is_empty() && !path.ends_with('/')).unwrap_or(path).to_string()
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// Splits `URL@REF`: an at sign before the path belongs to the host. `None`: there is no REF.
pub fn split_reference(text: &str) -> Option<(&str, &str)> {
    let host = text.find("://").map_or(0, |at| at + 3);
    let path = text.get(host..)?.find('/')? + host;
    let at = text.get(path..)?.rfind('@')? + path;
    Some((&text[..at], &text[at + 1..])).filter(|(_, reference)| !reference.is_empty())
}

/// An address as it was given, for a message: on one line, and without a password.
pub fn shown(url: &str) -> String {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let (has_credentials, host) = match host.rsplit_once('@') {
        Some((_, host)) => ("…@", host),
        None => ("", host),
    };
    let separator = if scheme.is_empty() { "" } else { "://" };
    let whole = format!("{scheme}{separator}{has_credentials}{host}{path}");
    text::shorten(&text::line(&whole), 200).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_path() {
        for (url, shown) in [
            ("https://git.acme.example/team/tenants.git", "https://git.acme.example/team/tenants.git"),
            (" HTTPS://Git.Acme.example:443/Team/tenants/ ", "https://git.acme.example/Team/tenants"),
            ("https://git.acme.example:8443/~ann/x%20y", "https://git.acme.example:8443/~ann/x%20y"),
            ("http://localhost:3000/a/b@c", "http://localhost:3000/a/b@c"),
        ] {
            assert_eq!(GitUrl::parse(url).unwrap().to_string(), shown);
        }
        let long = format!("https://git.acme.example/{}", "a".repeat(LONGEST));
        for (url, why) in [
            ("git@git.acme.example:team/tenants.git", GitUrlError::Scheme),
            ("ssh://git@git.acme.example/team/tenants.git", GitUrlError::Scheme),
            ("http://git.acme.example/team/tenants.git", GitUrlError::Scheme),
            ("file:///etc", GitUrlError::Scheme),
            ("../tenants", GitUrlError::Scheme),
            ("https://ann:CANARY@git.acme.example/x", GitUrlError::Credentials),
            ("https://git.acme.example/x?token=CANARY", GitUrlError::Query),
            ("https://git.acme.example/x#main", GitUrlError::Query),
            ("https://git.acme.example", GitUrlError::NoPath),
            ("https://git.acme.example/", GitUrlError::NoPath),
            ("https://git.acme.example/a//b", GitUrlError::Path),
            ("https://git.acme.example/a/../b", GitUrlError::Path),
            ("https://git.acme.example/a/%2e%2E/b", GitUrlError::Path),
            ("https://git.acme.example/a\\b", GitUrlError::Path),
            ("https://git.acme.example/a b", GitUrlError::Path),
            ("https://git.acme.example/a\r\nX: y", GitUrlError::Path),
            ("https:///x", GitUrlError::Host),
            ("https://git.acme.example:0/x", GitUrlError::Host),
            (long.as_str(), GitUrlError::TooLong),
        ] {
            assert_eq!(GitUrl::parse(url), Err(why), "{url}");
        }
    }

    #[test]
    fn one_repository_has_one_text_however_its_address_is_written() {
        let of = |url: &str| GitUrl::parse(url).unwrap().repository();
        for url in [
            "https://git.acme.example/team/tenants",
            "https://git.acme.example/team/tenants/",
            "https://git.acme.example/team/tenants.git",
            " HTTPS://Git.Acme.example:443/team/tenants.git/",
        ] {
            assert_eq!(of(url), "https://git.acme.example/team/tenants", "{url}");
        }
        for url in [
            "https://git.acme.example:8443/team/tenants",
            "https://git.acme.example/team/Tenants",
            "https://git.acme.example/team/tenants.git.git",
            "https://git.acme.example/team/tenants/.git",
        ] {
            assert_ne!(of(url), "https://git.acme.example/team/tenants", "{url}");
        }
        assert_eq!(of("https://git.acme.example/.git"), "https://git.acme.example/.git");
    }

    #[test]
    fn a_reference_follows_the_last_at_sign_of_the_path() {
        for (text, split) in [
            ("https://git.acme.example/x.git@main", Some(("https://git.acme.example/x.git", "main"))),
            ("https://git.acme.example/a@b/x@release/1.0", Some(("https://git.acme.example/a@b/x", "release/1.0"))),
            ("https://ann:CANARY@git.acme.example/x", None),
            ("https://ann:CANARY@git.acme.example/x@v1", Some(("https://ann:CANARY@git.acme.example/x", "v1"))),
            ("https://git.acme.example/x@", None),
            ("https://git.acme.example@main", None),
            ("", None),
        ] {
            assert_eq!(split_reference(text), split);
        }
    }

    #[test]
    fn no_message_shows_a_password() {
        for (url, text) in [
            ("https://ann:CANARY@git.acme.example/x", "https://…@git.acme.example/x"),
            ("https://a:CANARY@b@git.acme.example/x?CANARY", "https://…@git.acme.example/x"),
            ("https://git.acme.example/x?token=CANARY", "https://git.acme.example/x"),
            ("CANARY@git.acme.example:x", "…@git.acme.example:x"),
        ] {
            assert_eq!(shown(url), text);
        }
    }
}
