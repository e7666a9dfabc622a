//! Who may read the metrics: whoever sends the token that is in a file.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// How large the file may be.
const LARGEST: u64 = 4096;

/// A file with a bearer token. It is read at every request: a mounted Secret changes while the process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFile(PathBuf);

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It has no token, or another one.
    Unauthorized,
    /// The file cannot be read, or holds no token: nobody is let in.
    NoToken,
}

impl TokenFile {
    /// The file at this path.
    pub fn new(path: PathBuf) -> Self {
        TokenFile(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether a token can be read from it, and why not. No content.
    pub fn check(&self) -> io::Result<()> {
        self.token().map(drop)
    }

    /// Whether a request may be answered.
    pub fn admits(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let token = self.token().map_err(|_| Denied::NoToken)?;
        let sent = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes).and_then(bearer);
        let is_same = sent.is_some_and(|sent| same(sent, token.as_bytes()));
        if is_same { Ok(()) } else { Err(Denied::Unauthorized) }
    }

    fn token(&self) -> io::Result<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::new());
        let read = File::open(&self.0)?.take(LARGEST + 1).read_to_string(&mut text)?;
        let token = Zeroizing::new(text.trim_ascii().to_string());
        if token.is_empty() || read as u64 > LARGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no token of 1 to 4096 bytes"));
        }
        Ok(token)
    }
}

/// The token of an Authorization header.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// How long this takes tells nothing about how much of the token is right: digests are compared, and whole.
fn same(a: &[u8], b: &[u8]) -> bool {
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
    fn only_the_token_of_the_file_is_let_in() {
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
    fn a_file_without_a_token_lets_nobody_in() {
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
