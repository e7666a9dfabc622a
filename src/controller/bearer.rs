//! Secrets in files that requests must carry: the bearer token of the metrics endpoint, and those of webhooks.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Maximum size of the file, in bytes.
const LARGEST: u64 = 4096;

/// A file with a token. It is read at every request, because a mounted Secret changes while the process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFile(PathBuf);

/// The reason why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The request has no token, or a wrong one.
    Unauthorized,
    /// The file cannot be read or contains no token: every request is denied.
    NoToken,
}

impl TokenFile {
    pub fn new(path: PathBuf) -> Self {
        TokenFile(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Checks that a token can be read from the file. The error does not contain the file's content.
    pub fn check(&self) -> io::Result<()> {
        self.token().map(drop)
    }

    /// Checks that the request carries the token.
    pub fn admits(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let token = self.token().map_err(|_| Denied::NoToken)?;
        let sent = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes).and_then(bearer);
        let is_same = sent.is_some_and(|sent| same(sent, token.as_bytes()));
        if is_same { Ok(()) } else { Err(Denied::Unauthorized) }
    }

    /// Reads the token.
    pub(super) fn token(&self) -> io::Result<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::new());
        let read = File::open(&self.0)?.take(LARGEST + 1).read_to_string(&mut text)?;
        let token = Zeroizing::new(text.trim_ascii().to_string());
        if token.is_empty() || read as u64 > LARGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no token of 1 to 4096 bytes"));
        }
        Ok(token)
    }
}

/// Returns the token of an Authorization header.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Compares in constant time: whole digests are compared, so the duration does not show how much of the token is right.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    let [a, b] = [a, b].map(Sha256::digest);
    a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn admits(file: &TokenFile, header: &str) -> Result<(), Denied> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, header.parse().unwrap())]);
        file.admits(&headers)
    }

    #[test]
    fn only_the_token_of_the_file_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path().join("token"));
        fs::write(file.path(), "right\n").unwrap();
        for header in ["Bearer right", "bearer right", "BEARER  right "] {
            assert_eq!(admits(&file, header), Ok(()), "{header}");
        }
        for header in ["", "Bearer", "Bearer ", "right", "Basic right", "Bearer righ", "Bearer right1", "Bearer\tright"]
        {
            assert_eq!(admits(&file, header), Err(Denied::Unauthorized), "{header}");
        }
        assert_eq!(file.admits(&HeaderMap::new()), Err(Denied::Unauthorized));
        fs::write(file.path(), "another").unwrap();
        assert_eq!(admits(&file, "Bearer right"), Err(Denied::Unauthorized));
        assert_eq!(admits(&file, "Bearer another"), Ok(()));
    }

    #[test]
    fn a_file_without_a_token_denies_every_request() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path().join("token"));
        assert_eq!(admits(&file, "Bearer "), Err(Denied::NoToken));
        assert!(file.check().is_err());
        for content in ["", " \n", &"x".repeat(5000)] {
            fs::write(file.path(), content).unwrap();
            assert_eq!(admits(&file, "Bearer "), Err(Denied::NoToken), "{} bytes", content.len());
            assert!(file.check().is_err());
        }
    }
}
