//! Which inputs say where credentials are sent: one rule, by their names and by their values. A type may add
//! endpoints, never take one away.

use std::collections::BTreeSet;

/// Endings of names that say it, without separators and in lower case.
pub const ENDINGS: [&str; 37] = [
    "url",
    "urls",
    "uri",
    "uris",
    "host",
    "hosts",
    "hostname",
    "hostnames",
    "hostport",
    "server",
    "servers",
    "domain",
    "domains",
    "endpoint",
    "endpoints",
    "broker",
    "brokers",
    "brokerlist",
    "address",
    "addresses",
    "proxy",
    "proxies",
    "dsn",
    "instance",
    "origin",
    "origins",
    "gateway",
    "authority",
    "datacenter",
    "issuer",
    "node",
    "nodes",
    "fqdn",
    "addr",
    "ipaddr",
    "apibase",
    "uribase",
];
/// Words that say it wherever they stand in a name.
pub const WORDS: [&str; 4] = ["endpoint", "hostname", "baseurl", "baseuri"];
/// Words that say it as the last of a name; in others they are part of a word.
pub const LAST_WORDS: [&str; 1] = ["ip"];
/// What may stand behind a name that says it: `url2`, `hostOverride`, `baseUrlDefault`, `domainName`.
pub const QUALIFIERS: [&str; 28] = [
    "name",
    "value",
    "override",
    "overrides",
    "default",
    "fallback",
    "primary",
    "secondary",
    "backup",
    "alternate",
    "alternative",
    "custom",
    "prod",
    "production",
    "live",
    "staging",
    "sandbox",
    "test",
    "dev",
    "internal",
    "external",
    "public",
    "list",
    "alias",
    "eu",
    "us",
    "uk",
    "apac",
];
/// Names about something else that end like one.
pub const EXEMPT: [&str; 4] = ["mailaddress", "fromaddress", "toaddress", "replyaddress"];

/// Whether an input says where credentials are sent, by its name or by its value.
pub fn is_endpoint(name: &str, value: Option<&str>) -> bool {
    is_named_so(name) || value.is_some_and(looks_like_one)
}

/// Whether the name of an input says so: `baseUrl`, `base_urls`, `HOST_NAME`, `endpointOverride`, `brokers`.
pub fn is_named_so(name: &str) -> bool {
    let folded: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let folded = unqualified(&folded);
    let ends = |endings: &[&str]| endings.iter().any(|ending| folded.ends_with(ending));
    let is_last = || LAST_WORDS.contains(&last_word(name).as_str());
    (ends(&ENDINGS) || WORDS.iter().any(|word| folded.contains(word)) || is_last()) && !ends(&EXEMPT)
}

/// The last word of a name in any of its spellings (`serverIp`, `server_ip`), in lower case and without numbers.
fn last_word(name: &str) -> String {
    let name = name.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    let mut word: Vec<char> = Vec::new();
    for c in name.chars().rev() {
        if !c.is_ascii_alphabetic()
            || word.last().is_some_and(|next| next.is_ascii_uppercase() && c.is_ascii_lowercase())
        {
            break;
        }
        word.push(c);
    }
    word.into_iter().rev().map(|c| c.to_ascii_lowercase()).collect()
}

/// A name without the numbers and the words behind it that say which one it is.
fn unqualified(name: &str) -> &str {
    let counted = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let counted = if counted.len() < name.len() { counted.strip_suffix('v').unwrap_or(counted) } else { counted };
    match QUALIFIERS.iter().find_map(|word| counted.strip_suffix(word)) {
        Some(rest) => unqualified(rest),
        None if counted.len() < name.len() => unqualified(counted),
        None => name,
    }
}

/// Whether a value, trimmed, looks like one: a URL, `//host`, a host with a port or a path, or a list of such.
pub fn looks_like_one(value: &str) -> bool {
    parts(value).any(|part| is_url(part) || is_schemeless(part) || is_short_url(part) || is_host_with_more(part))
}

/// Whether a value is a URL of any scheme.
pub fn is_url(value: &str) -> bool {
    value.trim().split_once("://").is_some_and(|(scheme, rest)| {
        // What stands before it may be quotes, brackets or a name: `<https://a>`, `url=https://a`.
        let scheme = scheme.rsplit(['<', '(', '=', '"', '\'', '[', '{']).next().unwrap_or_default();
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | ':'))
    })
}

/// What stands for a host that a value does not name plainly: it may be any, and says nothing of the value.
pub const UNCLEAR: &str = "a host that is not plain";

/// Schemes that send what anybody on the way can read.
const IN_CLEAR: [&str; 4] = ["ws", "ftp", "telnet", "ldap"];

/// The hosts that a value names, each in lower case, with its port where that is not the scheme's own; plain http,
/// and every other scheme that sends in clear, is another than https.
pub fn hosts(value: &str) -> BTreeSet<String> {
    parts(value).map(|part| host(part).unwrap_or_else(|| UNCLEAR.to_string())).collect()
}

fn host(part: &str) -> Option<String> {
    let (scheme, rest) = part.split_once("://").unwrap_or(("", part));
    // One reader takes what is before a backslash for the host, another what is behind it; of `\\host\share` all
    // take the same.
    let rest = match rest.strip_prefix(r"\\") {
        Some(share) if scheme.is_empty() && !share.contains('@') => share.split('\\').next().unwrap_or(share),
        _ if rest.contains('\\') => return None,
        _ => rest.trim_start_matches('/'),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(is_plain) {
        return None;
    }
    let is = |other: &str| scheme.eq_ignore_ascii_case(other);
    Some(match () {
        () if is("http") => format!("http://{}", host.strip_suffix(":80").unwrap_or(&host)),
        () if is("https") || is("wss") => host.strip_suffix(":443").unwrap_or(&host).to_string(),
        () if IN_CLEAR.iter().any(|scheme| is(scheme)) => format!("{}://{host}", scheme.to_ascii_lowercase()),
        () => host,
    })
}

/// The items of a list, as clients of clusters take one: `a:9092, b:9092`.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    value.split(|c: char| matches!(c, ',' | ';') || c.is_whitespace()).filter(|part| !part.is_empty())
}

fn is_schemeless(part: &str) -> bool {
    part.strip_prefix("//")
        .or_else(|| part.strip_prefix(r"\\"))
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['))
}

/// `https:host`, as some readers take it, and `file:/x`.
fn is_short_url(part: &str) -> bool {
    let schemes = ["http", "https", "ws", "wss", "ftp", "sftp", "file", "jdbc", "tcp", "tls", "ssl"];
    let scheme = part.split_once(':').filter(|(_, rest)| !rest.is_empty()).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known)))
}

/// `host:port`, `host.example/path`, `[::1]:80`, `user@host.example:22`, `user@host:/path`, and the descriptors of
/// databases: `(HOST=x)`.
fn is_host_with_more(part: &str) -> bool {
    if part.to_ascii_lowercase().contains("host=") {
        return true;
    }
    let (user, part) = part.rsplit_once('@').map_or((None, part), |(user, host)| (Some(user), host));
    if user.is_some_and(|user| !user.is_empty()) && part.contains(":/") {
        return true;
    }
    if let Some(rest) = part.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, after)| {
            address.parse::<std::net::Ipv6Addr>().is_ok() && (is_port(after) || after.starts_with('/'))
        });
    }
    let (name, after) = part.split_at(part.find([':', '/', '?', '#']).unwrap_or(part.len()));
    let port = after.split(['/', '?', '#']).next().unwrap_or(after);
    let is_address = name.parse::<std::net::Ipv4Addr>().is_ok();
    match port.is_empty() {
        // A path needs a host with a dot before it: `read/write` is none.
        true => !after.is_empty() && (is_address || is_domain(name)),
        // A time has a colon too.
        false => {
            // A word of letters and digits with a port behind it is a host; a time has digits only, or a date before it.
            is_port(port) && (is_address || is_domain(name) || is_label_or_domain(name) && !begins_as_date(name))
        }
    }
}

/// `2026-11-27T10`.
fn begins_as_date(name: &str) -> bool {
    let is_date = |(at, byte): (usize, &u8)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() };
    name.len() >= 10 && name.as_bytes().iter().take(10).enumerate().all(is_date)
}

fn is_port(text: &str) -> bool {
    let digits = text.strip_prefix(':').map(|port| port.split(['/', '?', '#']).next().unwrap_or(port));
    digits.is_some_and(|digits| digits.len() >= 2 && digits.parse::<u16>().is_ok())
}

fn is_domain(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_word = last.chars().all(|c| c.is_ascii_alphabetic()) || last.to_ascii_lowercase().starts_with("xn--");
    name.contains('.') && is_word && is_label_or_domain(name)
}

fn is_label_or_domain(name: &str) -> bool {
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    name.split('.').all(label) && name.contains(|c: char| c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_endpoints() {
        for name in [
            "baseUrl",
            "base_url",
            "base_urls",
            "tokenUrl",
            "redirectUri",
            "host",
            "hosts",
            "HOST",
            "hostname",
            "host_name",
            "host-name",
            "Host Name",
            "server",
            "bootstrap.servers",
            "brokers",
            "brokerList",
            "domain",
            "subdomain",
            "myshopifyDomain",
            "endpoint",
            "endpointOverride",
            "endpoint_override_v2",
            "address",
            "ipAddress",
            "proxy",
            "httpProxy",
            "dsn",
            "instance",
            "snowInstance",
            "dataCenter",
            "baseUrlOverride",
            "url2",
            "host1",
            "hostOverride",
            "server_2",
            "serverName",
            "domainName",
            "instance_name",
            "base_url_v2",
            "hostTest1",
            "brokersProd",
            "hostList",
            "serverList",
            "hostEu",
            "urlEU",
            "serverIp",
            "ip",
            "IP_2",
            "ipAddr",
            "addr",
            "fqdn",
            "apiBase",
            "uri_base",
            "hostAlias",
            "node",
        ] {
            assert!(is_named_so(name), "{name}");
        }
        for name in [
            "scopes",
            "username",
            "clientId",
            "emailAddress",
            "fromAddress",
            "hostile",
            "port",
            "title",
            "timeout",
            "region",
            "instanceId",
            "emailAddress2",
            "zip",
            "recipientZip",
            "membership",
            "status",
            "name",
            "username2",
            "2",
            "test",
            "urlPrefixed",
            "note",
            "account",
        ] {
            assert!(!is_named_so(name), "{name}");
        }
    }

    /// Readers of URLs differ in what is the host beside a backslash; what is sent in clear is another place.
    #[test]
    fn hosts_that_are_not_plain_and_schemes_in_clear() {
        let one = |value: &str| hosts(value).into_iter().next().unwrap();
        assert_eq!(one(r"https://a.example\@evil.example/"), UNCLEAR);
        assert_eq!(one(r"https://a.example\x"), UNCLEAR);
        assert_eq!(one(r"\\host\share"), "host");
        for scheme in ["http", "ws", "ftp"] {
            assert_ne!(one(&format!("{scheme}://a.example")), one("https://a.example"), "{scheme}");
        }
        assert_eq!(one("wss://a.example:443"), one("https://a.example"));
    }

    #[test]
    fn values_of_endpoints() {
        for value in [
            "https://a.example",
            "HTTPS://A.EXAMPLE/x",
            " https://a.example",
            "\thttps://a.example\n",
            "//evil",
            "//evil.example/x",
            "evil.example/path",
            "evil.example:8080",
            "evil.example:8080/x",
            "kafka:9092",
            "10.0.0.1:80",
            "10.0.0.1/x",
            "[::1]:80",
            "postgres://db",
            "file:///etc/x",
            "jdbc:mysql://db/x",
            "a:9092,b:9092",
            "user@sftp.example:22",
            "evil.example?x=y",
            "evil.example:443?x",
            "https:evil.example",
            "file:/etc/x",
            r"\\host\share",
            "ftp+tls://x",
            "jdbc:oracle:thin:@db.example:1521:orcl",
            "(DESCRIPTION=(ADDRESS=(HOST=x)(PORT=1521)))",
            "tcp:x,1433",
            "1evil:8080",
            "evil.xn--p1ai/path",
            "evil.example./x",
            "user@host:/path",
            "url=https://x",
            "<https://x>",
        ] {
            assert!(looks_like_one(value), "{value}");
        }
        for value in [
            "",
            "read",
            "read/write",
            "api refresh",
            "12:30",
            "a: b",
            "evil.example",
            "x:y",
            "crm.objects.read",
            "application/json",
            "1.2/3",
            "key:value",
            "/path",
            "//",
            "://x",
            "a:1",
            "2026-11-27T10:00",
            "50%",
        ] {
            assert!(!looks_like_one(value), "{value}");
        }
    }

    #[test]
    fn hosts_are_compared_without_what_stands_around_them() {
        let one = |value: &str| hosts(value).into_iter().next().unwrap_or_default();
        assert_eq!(one("https://A.Example/x?y"), "a.example");
        assert_eq!(one(" https://u:p@a.example:8443/x"), "a.example:8443");
        assert_eq!(one("//a.example"), "a.example");
        assert_eq!(one("a.example"), "a.example");
        assert_eq!(one("file:///etc/x"), "etc");
        assert_eq!(one("https://a.example:443"), "a.example");
        assert_eq!(one("http://a.example:80/x"), "http://a.example");
        // What names none plainly may be any, and is not shown.
        assert_eq!(hosts("Server=x;Password=pw").into_iter().collect::<Vec<_>>(), [UNCLEAR]);
        assert_eq!(one("https://u:pw@/x"), UNCLEAR);
        assert_eq!(hosts("a:9092, b:9092").len(), 2);
        assert!(hosts(" ").is_empty());
    }
}
