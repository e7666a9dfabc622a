//! The origin of a server: scheme, host and port, and nothing else. Tokens and credentials are bound to it.

use std::fmt;
use std::net::IpAddr;

/// An origin, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin {
    is_https: bool,
    host: String,
    port: u16,
}

/// Why a text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OriginError {
    /// The scheme is another one, or missing.
    #[error("it does not begin with https://")]
    Scheme,
    /// A user name or password precedes the host.
    #[error("it has a user name or password in it, which is never sent")]
    Credentials,
    /// There is more than an origin: a path, a query or a fragment.
    #[error("it has more than scheme and host: leave out what follows the host")]
    More,
    /// The host is missing or malformed.
    #[error("its host cannot be read")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("its port is no number from 1 to 65535")]
    Port,
}

impl Origin {
    /// Parses `https://host` or `http://host`, each perhaps with a port. One `/` at the end is accepted where a person
    /// copied it from a browser.
    pub(crate) fn parse(text: &str) -> Result<Self, OriginError> {
        let text = text.trim().to_ascii_lowercase();
        let (is_https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(OriginError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(OriginError::Credentials);
        }
        if rest.contains(['/', '?', '#', '\\']) {
            return Err(OriginError::More);
        }
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of an IPv6 address are within brackets.
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().ok().filter(|port| *port > 0).ok_or(OriginError::Port)?)
            }
            _ => (rest, if is_https { 443 } else { 80 }),
        };
        if is_host(host) { Ok(Origin { is_https, host: host.to_string(), port }) } else { Err(OriginError::Host) }
    }

    /// The origin of an address, and what follows it: a path, a query, a fragment, or nothing.
    pub(crate) fn of_url(url: &str) -> Result<(Self, &str), OriginError> {
        let host = url.find("://").ok_or(OriginError::Scheme)? + 3;
        let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
        Ok((Origin::parse(&url[..end])?, &url[end..]))
    }

    /// Whether the connection is encrypted.
    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether it is on this machine. A name counts only if it is `localhost`: what other names resolve to can change.
    pub(crate) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let is_this = |address: IpAddr| {
            // 0.0.0.0 and :: reach this machine too, and ::ffff:127.0.0.1 is 127.0.0.1.
            let address = address.to_canonical();
            address.is_loopback() || address.is_unspecified()
        };
        let is_named = self.host == "localhost" || self.host.ends_with(".localhost");
        // Of a host such as 127.1 the operating system makes an address too.
        let is_short = self.host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        is_named || bare.parse::<IpAddr>().map_or(is_short, is_this)
    }

    /// Whether it is an address where clouds hand out credentials, or none at all.
    pub(crate) fn is_link_local(&self) -> bool {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().is_ok_and(is_link_local)
    }

    /// Whether a host in a list names it: `host` means the default port of https, `host:port` that port.
    pub(crate) fn is_named_by(&self, listed: &str) -> bool {
        let listed = listed.trim().to_ascii_lowercase();
        let with_port = format!("{}:{}", self.host, self.port);
        listed == with_port || (self.port == 443 && self.is_https && listed == self.host)
    }
}

/// Whether an address is link-local, where clouds hand out credentials, or unspecified.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => {
            let mapped = v6.to_ipv4_mapped().is_some_and(|v4| is_link_local(v4.into()));
            mapped
                || v6.is_unicast_link_local()
                || v6.is_unspecified()
                || v6.octets().starts_with(&[0xfd, 0x00, 0x0e, 0xc2])
        }
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default) = if self.is_https { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != default { write!(f, ":{}", self.port) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (text, shown) in [
            ("https://app.prismatic.io", "https://app.prismatic.io"),
            ("HTTPS://App.Prismatic.IO:443/", "https://app.prismatic.io"),
            ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
            ("http://localhost:80", "http://localhost"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("https://[::1]", "https://[::1]"),
        ] {
            assert_eq!(origin(text).to_string(), shown);
        }
        for (text, why) in [
            ("app.prismatic.io", OriginError::Scheme),
            ("file:///etc/passwd", OriginError::Scheme),
            ("https://user:password@app.prismatic.io", OriginError::Credentials),
            ("https://app.prismatic.io@other.example", OriginError::Credentials),
            ("https://app.prismatic.io/api", OriginError::More),
            ("https://app.prismatic.io?x", OriginError::More),
            ("https://app.prismatic.io\\@other.example", OriginError::Credentials),
            ("https://app.prismatic.io\\other", OriginError::More),
            ("https://", OriginError::Host),
            ("https://a..b", OriginError::Host),
            ("https://a b", OriginError::Host),
            ("https://ä.example", OriginError::Host),
            ("https://app.prismatic.io:", OriginError::Port),
            ("https://app.prismatic.io:0", OriginError::Port),
            ("https://app.prismatic.io:99999", OriginError::Port),
        ] {
            assert_eq!(Origin::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn only_addresses_of_this_machine_are_loopback() {
        for text in [
            "http://127.0.0.1:1",
            "http://127.8.9.10",
            "http://[::1]:3",
            "https://localhost",
            "http://0.0.0.0",
            "https://[::]",
            "https://[::ffff:127.0.0.1]",
            "https://127.1",
        ] {
            assert!(origin(text).is_loopback(), "{text}");
        }
        for text in ["http://127.0.0.1.example", "http://10.0.0.1", "http://localhost.example"] {
            assert!(!origin(text).is_loopback(), "{text}");
        }
    }

    #[test]
    fn a_listed_host_means_https_at_its_port() {
        assert!(origin("https://stack.acme.example").is_named_by(" Stack.acme.example "));
        assert!(!origin("http://stack.acme.example").is_named_by("stack.acme.example"));
        assert!(!origin("https://stack.acme.example:8443").is_named_by("stack.acme.example"));
        assert!(origin("https://stack.acme.example:8443").is_named_by("stack.acme.example:8443"));
        assert!(origin("http://127.0.0.1:4010").is_named_by("127.0.0.1:4010"));
        assert!(!origin("https://a.stack.acme.example").is_named_by("stack.acme.example"));
    }
}
