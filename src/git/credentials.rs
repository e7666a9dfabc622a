//! Credentials of a Git server. Whoever holds them says which hosts they belong to: who may only change an address sends
//! them nowhere else.

use super::url::GitUrl;
use crate::secret::Secret;
use crate::text;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use zeroize::Zeroizing;

/// A user name and a password, or a token. It cannot be printed.
#[derive(Debug)]
pub struct Credentials {
    /// Where they come from, for messages: `Secret git`.
    pub from: String,
    pub kind: CredentialKind,
    /// The hosts that they belong to, each as `host` or `host:port`.
    pub hosts: Vec<String>,
}

/// How a client shows who it is.
#[derive(Debug)]
pub enum CredentialKind {
    /// A password or access token of a user.
    Password { username: Secret, password: Secret },
    /// A token without a user.
    Bearer(Secret),
}

/// Why credentials are not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// It names no hosts: it could be sent anywhere.
    #[error("{from} does not say to which hosts it belongs: it is sent nowhere")]
    NoHosts { from: String },
    /// It belongs to other hosts.
    #[error("{from} belongs to {belongs_to}, and the url is on {host}: it is not sent there")]
    OtherHost { from: String, belongs_to: String, host: String },
    /// It cannot be sent.
    #[error("{from} cannot be sent: {why}")]
    Malformed { from: String, why: &'static str },
}

impl Credentials {
    /// The header of a request to this address.
    pub(super) fn authorization(&self, url: &GitUrl) -> Result<HeaderValue, CredentialsError> {
        let from = || self.from.clone();
        let hosts: Vec<&str> = self.hosts.iter().map(|host| host.trim()).filter(|host| !host.is_empty()).collect();
        if hosts.is_empty() {
            return Err(CredentialsError::NoHosts { from: from() });
        }
        if !hosts.iter().any(|host| url.is_on(host)) {
            let belongs_to = text::shorten(&text::line(&hosts.join(", ")), 120).into_owned();
            return Err(CredentialsError::OtherHost { from: from(), belongs_to, host: url.host() });
        }
        let malformed = |why| CredentialsError::Malformed { from: from(), why };
        let header = match &self.kind {
            CredentialKind::Password { username, password } => {
                let (username, password) = (username.expose().trim_end_matches(['\r', '\n']), trimmed(password));
                if username.contains(':') {
                    return Err(malformed("the user name has a colon in it"));
                }
                if username.chars().chain(password.chars()).any(char::is_control) {
                    return Err(malformed("the user name or password has a line break or control character in it"));
                }
                let both = Zeroizing::new(format!("{username}:{password}"));
                Zeroizing::new(format!("Basic {}", STANDARD.encode(both.as_bytes())))
            }
            CredentialKind::Bearer(token) => {
                let token = trimmed(token);
                if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(malformed("it is no token: it is empty, or has blanks or other characters"));
                }
                Zeroizing::new(format!("Bearer {token}"))
            }
        };
        let mut header =
            HeaderValue::from_str(&header).map_err(|_| malformed("it has characters that no header has"))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// A secret without the line break that an editor or `echo` adds.
fn trimmed(secret: &Secret) -> &str {
    secret.expose().trim_end_matches(['\r', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_string())
    }

    fn sent(kind: CredentialKind, hosts: &[&str], url: &str) -> Result<String, CredentialsError> {
        let hosts = hosts.iter().map(ToString::to_string).collect();
        let credentials = Credentials { from: "Secret git".to_string(), kind, hosts };
        assert!(!format!("{credentials:?}").contains("CANARY"));
        let header = credentials.authorization(&GitUrl::parse(url).unwrap())?;
        assert!(!format!("{header:?}").contains("CANARY") && header.is_sensitive());
        Ok(header.to_str().unwrap().to_string())
    }

    fn password(username: &str, password: &str) -> CredentialKind {
        CredentialKind::Password { username: secret(username), password: secret(password) }
    }

    /// "Credentials by Secret bound to hosts".
    #[test]
    fn credentials_go_to_their_hosts_only() {
        let url = "https://git.acme.example/x.git";
        let header = sent(password("ann", "CANARY\n"), &["other.example", " git.acme.example "], url);
        assert_eq!(header.unwrap(), format!("Basic {}", STANDARD.encode("ann:CANARY")));
        let token = || CredentialKind::Bearer(secret("CANARY"));
        assert_eq!(sent(token(), &["git.acme.example"], url).unwrap(), "Bearer CANARY");
        for (hosts, url, words) in [
            (&[][..], url, "does not say to which hosts"),
            (&["", " "], url, "does not say to which hosts"),
            (&["*"], url, "belongs to *"),
            (&["acme.example"], url, "belongs to acme.example, and the url is on git.acme.example"),
            (&["git.acme.example"], "https://git.acme.example:8443/x.git", "the url is on git.acme.example:8443"),
            (&["git.acme.example"], "https://git.acme.example.evil.example/x.git", "it is not sent there"),
        ] {
            let error = sent(token(), hosts, url).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_being_shown() {
        let to = |kind| sent(kind, &["git.acme.example"], "https://git.acme.example/x.git").unwrap_err().to_string();
        for error in [
            to(password("ann:CANARY", "x")),
            to(password("ann", "CANARY\r\nX: y")),
            to(CredentialKind::Bearer(secret("CANARY CANARY"))),
            to(CredentialKind::Bearer(secret("\n"))),
        ] {
            assert!(error.starts_with("Secret git cannot be sent: ") && !error.contains("CANARY"), "{error}");
        }
    }
}
