//! The hosts that a value would send credentials to, and the hosts that a Secret is pinned to.
//!
//! A value is checked here and used elsewhere, by a parser that is unknown here. So a value that two parsers could
//! understand differently has no host at all, and is refused if hosts are pinned.

use crate::api::endpoint;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The default ports of the schemes that have one.
const PORTS: [(&str, u16); 4] = [("https", 443), ("http", 80), ("wss", 443), ("ws", 80)];

/// The schemes that a pin for plain http allows.
const HTTP: [&str; 3] = ["http", "ws", "h2c"];

/// A host in lower case, with an optional port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    name: String,
    port: Option<u16>,
    /// The scheme, if it is unencrypted; for a pin: the unencrypted scheme that it allows.
    in_clear: Option<&'static str>,
}

impl Host {
    /// Parses a host of a Secret's annotation: `login.example`, or with a port, `login.example:8443`; with
    /// `http://login.example` also plain http is allowed, and likewise every unencrypted scheme (`redis://db.example`).
    pub fn pinned(text: &str) -> Option<Host> {
        match text.split_once("://") {
            Some((scheme, rest)) => Some(Host { in_clear: Some(endpoint::in_clear(scheme)?), ..host(rest)? }),
            None => host(text),
        }
    }

    /// Returns the host of an endpoint's value: a URL, or a host with an optional port and path. `None` if it has no
    /// host, or parsers could differ about it.
    pub fn of_endpoint(value: &str) -> Option<Host> {
        if !value.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return None;
        }
        let Some((scheme, rest)) = value.split_once("://") else {
            // Without a scheme, the value is a host with an optional port and path.
            let (authority, path) = value.split_at(value.find('/').unwrap_or(value.len()));
            let host = host(authority).filter(|_| !path.starts_with("//"))?;
            return Some(Host { in_clear: (host.port == Some(80)).then_some(HTTP[0]), ..host });
        };
        let is_scheme = endpoint::is_scheme(scheme) && !scheme.contains(':');
        let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // Some parsers end the host at ? and #, others search for the last @.
        let is_unclear = !after.starts_with('/') && after.contains('@') || endpoint::query_names_host(scheme, after);
        let (_, at) = authority.split_once('@').unwrap_or(("", authority));
        let mut host = host(at).filter(|_| is_scheme && !is_unclear)?;
        if host.port.is_none() {
            host.port = PORTS.iter().find(|(s, _)| s.eq_ignore_ascii_case(scheme)).map(|(_, port)| *port);
        }
        host.in_clear = endpoint::in_clear(scheme);
        Some(host)
    }

    /// Whether this pinned host allows an endpoint's host. The port counts only if the pin has one, and an unencrypted
    /// scheme is allowed only if the pin names it. A scheme that implies no encryption either way (`postgres`) is
    /// allowed.
    pub fn allows(&self, endpoint: &Host) -> bool {
        let is_plain_http = |scheme| self.in_clear == Some(HTTP[0]) && HTTP.contains(&scheme);
        self.name == endpoint.name
            && (self.port.is_none() || self.port == endpoint.port)
            && endpoint.in_clear.is_none_or(|scheme| self.in_clear == Some(scheme) || is_plain_http(scheme))
    }
}

impl std::fmt::Display for Host {
    /// Formats the host as in a Secret's annotation, without the default port of its scheme.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(scheme) = self.in_clear {
            write!(f, "{scheme}://")?;
        }
        match self.port {
            Some(port) if !PORTS.iter().any(|(_, default)| *default == port) => write!(f, "{}:{port}", self.name),
            _ => f.write_str(&self.name),
        }
    }
}

/// Parses `name`, `name:port`, `[v6]` or `[v6]:port`, and nothing else.
fn host(text: &str) -> Option<Host> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), (!after.is_empty()).then_some(after))
        }
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (is_name(name).then(|| name.to_ascii_lowercase())?, (!port.is_empty()).then_some(port))
        }
    };
    let port = match port {
        None => None,
        Some(port) => {
            let digits = port.strip_prefix(':').filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
            Some(digits.parse().ok()?)
        }
    };
    Some(Host { name, port, in_clear: None })
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        !label.is_empty() && label.bytes().all(inner)
    };
    // Some parsers take a numeric last label for an IP address, however short the name is.
    let numeric = name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(label) && (!numeric || name.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allows(pinned: &str, endpoint: &str) -> bool {
        Host::of_endpoint(endpoint).is_some_and(|e| Host::pinned(pinned).unwrap().allows(&e))
    }

    #[test]
    fn hosts_are_compared_exactly_and_ignoring_case() {
        for endpoint in [
            "https://login.example",
            "HTTPS://Login.EXAMPLE/oauth2?x=@y",
            "https://login.example:8443/",
            "postgres://user:pass@login.example:5432/db",
            "login.example",
            "login.example:443",
            "login.example/path",
            "https://login.example/@team",
        ] {
            assert!(allows("Login.example", endpoint), "{endpoint}");
        }
        for endpoint in ["https://example", "https://x.login.example", "https://login.example.evil", "login.example."] {
            assert!(!allows("login.example", endpoint), "{endpoint}");
        }
    }

    #[test]
    fn a_port_counts_only_where_one_is_pinned() {
        assert!(allows("a.example:8443", "https://a.example:8443"));
        assert!(!allows("a.example:8443", "https://a.example"));
        assert!(allows("a.example:443", "https://a.example/x"));
        assert!(!allows("a.example:443", "http://a.example/x"));
        assert!(!allows("a.example:5432", "a.example"));
        assert!(allows("http://[::1]:80", "http://[0:0:0:0:0:0:0:1]/"));
        assert!(allows("10.0.0.1", "https://10.0.0.1:9"));
    }

    /// A pin allows https; plain http only if the pin says so.
    ///
    /// "A pin holds for https; plain http only where the pin says so".
    #[test]
    fn a_pin_means_https() {
        for plain in
            ["http://a.example", "HTTP://a.example/x", "ws://a.example", "a.example:80", "http://a.example:443"]
        {
            assert!(!allows("a.example", plain), "{plain}");
            assert!(allows("http://a.example", plain), "{plain}");
        }
        assert!(allows("http://a.example", "https://a.example") && allows("a.example", "wss://a.example"));
        assert_eq!(Host::pinned("http://a.example").map(|host| host.to_string()).as_deref(), Some("http://a.example"));
    }

    /// The same for every unencrypted scheme in the list of endpoint schemes.
    #[test]
    fn a_pin_allows_no_unencrypted_scheme_that_it_does_not_name() {
        for scheme in endpoint::IN_CLEAR {
            let endpoint = format!("{}://a.example/x", scheme.to_uppercase());
            let named = format!("{scheme}://a.example");
            assert!(!allows("a.example", &endpoint) && !allows("a.example:1", &endpoint), "{scheme}");
            assert!(allows(&named, &endpoint) && allows(&named, "https://a.example"), "{scheme}");
            assert_eq!(Host::pinned(&named).map(|host| host.to_string()), Some(named), "{scheme}");
        }
        assert!(!allows("redis://a.example", "http://a.example") && !allows("http://a.example", "redis://a.example"));
        assert!(!allows("ws://a.example", "http://a.example"));
        assert!(!allows("redis://a.example:6379", "redis://a.example:1"));
        // Encrypted according to the name of the scheme, or configured in the client.
        for scheme in
            ["wss", "ftps", "sftp", "ldaps", "rediss", "mqtts", "amqps", "smtps", "postgres", "mysql", "mongodb"]
        {
            assert!(allows("a.example", &format!("{scheme}://a.example/x")), "{scheme}");
            assert_eq!(Host::pinned(&format!("{scheme}://a.example")), None, "{scheme}");
        }
    }

    /// Database drivers read a host from the query string, and connect to it.
    #[test]
    fn a_host_in_the_query_of_a_database_is_not_the_pinned_one() {
        for endpoint in [
            "postgres://a.example/db?host=evil.example",
            "postgresql://u@a.example/db?sslmode=require&hostaddr=10.0.0.1",
            "postgres://a.example/db?%68ost=evil.example",
            "postgres://a.example/db?service=evil",
            "mysql://a.example/db?proxy=evil.example",
            "sqlserver://a.example;server=evil.example",
        ] {
            assert!(!allows("a.example", endpoint), "{endpoint}");
        }
        assert!(allows("a.example", "postgres://a.example/db?sslmode=require"));
        assert!(allows("a.example", "https://a.example/?host=b.example"));
    }

    #[test]
    fn no_ambiguous_url_matches_a_pinned_host() {
        for endpoint in [
            "https://good.example@evil.example",
            "https://good.example:443@evil.example/",
            "https://evil.example\\@good.example",
            "https://evil.example\\.good.example",
            "https:\\\\good.example",
            "https://evil.example@x@good.example",
            "https://evil.example#@good.example",
            "https://evil.example?@good.example",
            "https:good.example",
            "https:/good.example",
            "https:///good.example",
            "//good.example",
            "good.example//evil.example",
            "javascript:alert(1)//good.example",
            "data:good.example",
            "good.example@evil.example",
            "evil.example#good.example",
            "https://good.example%2eevil.example",
            "https://good.example%00.evil.example",
            " https://good.example",
            "https://good.example\t.evil.example",
            "https://good.example\n",
            "https://gооd.example",
            "https://good.example。evil.example",
            "https://good.example:",
            "https://good.example:99999",
            "https://good.example:+443",
            "https://good.example,evil.example",
            "https://{{host}}.good.example",
            "htt ps://good.example",
            "://good.example",
            "https://good..example",
            "",
        ] {
            assert!(!allows("good.example", endpoint), "{endpoint}");
        }
        // IP addresses that parsers complete differently.
        for unclear in ["https://127.1", "https://2130706433", "https://0x7f.1", "https://1.2.3.4.5", "https://a.0x7f"]
        {
            assert_eq!(Host::of_endpoint(unclear), None, "{unclear}");
        }
    }

    #[test]
    fn a_pin_contains_only_a_host() {
        for bad in [
            "",
            "*",
            "*.example",
            "https://a.example",
            "http://",
            "http://a.example/",
            "a.example/",
            "a b",
            "user@a.example",
            "a.example:x",
        ] {
            assert_eq!(Host::pinned(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(text in ".{0,60}") {
            let _ = (Host::of_endpoint(&text), Host::pinned(&text));
        }

        /// Whatever precedes a host that is not pinned, the endpoint is refused.
        #[test]
        fn no_prefix_bypasses_the_pin(before in "[a-z:/@?#.\\\\%]{0,12}") {
            let value = format!("https://{before}good.example@evil.example/");
            let at_path = before.contains('/');
            prop_assert!(at_path || !allows("good.example", &value), "{}", value);
        }
    }
}
