//! Decides which inputs are endpoints, that is, decide where credentials are sent: one rule, by name and by value. A
//! connection type may add endpoints, but never remove one.

use super::sensitive;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Endings of the names of endpoints, without separators and in lower case.
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
/// Words that make a name an endpoint at any position.
pub const WORDS: [&str; 4] = ["endpoint", "hostname", "baseurl", "baseuri"];
/// Words that make a name an endpoint only as its last word; elsewhere they are part of other words.
pub const LAST_WORDS: [&str; 1] = ["ip"];
/// Suffixes that may follow the name of an endpoint: `url2`, `hostOverride`, `baseUrlDefault`, `domainName`.
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
/// Names that end like the name of an endpoint, but are none.
pub const EXEMPT: [&str; 4] = ["mailaddress", "fromaddress", "toaddress", "replyaddress"];
/// Endings of names under which an e-mail address identifies a person or an account, not a host.
pub const PEOPLE: [&str; 17] = [
    "user",
    "username",
    "email",
    "emails",
    "mail",
    "mailaddress",
    "login",
    "account",
    "from",
    "fromaddress",
    "toaddress",
    "replyaddress",
    "replyto",
    "sender",
    "recipient",
    "recipients",
    "principal",
];
/// Schemes that send in clear text. An allowlist of hosts covers none of them unless it names the scheme.
pub const IN_CLEAR: [&str; 27] = [
    "http",
    "ws",
    "h2c",
    "ftp",
    "tftp",
    "telnet",
    "rlogin",
    "ldap",
    "redis",
    "valkey",
    "memcached",
    "mqtt",
    "amqp",
    "stomp",
    "nats",
    "smtp",
    "imap",
    "pop3",
    "nntp",
    "irc",
    "sip",
    "rtsp",
    "rtmp",
    "gopher",
    "tcp",
    "udp",
    "plaintext",
];
/// Schemes that some parsers accept without slashes: `https:host`, `file:/x`, `tcp(host:1)`.
const SHORT: [&str; 24] = [
    "http", "https", "ws", "wss", "ftp", "ftps", "sftp", "file", "jdbc", "tcp", "udp", "tls", "ssl", "ssh", "sip",
    "sips", "ldap", "ldaps", "smtp", "smtps", "mqtt", "mqtts", "amqp", "amqps",
];

/// Whether an input is an endpoint, by its name or by its value.
pub fn is_endpoint(name: &str, value: Option<&str>) -> bool {
    is_endpoint_name(name) || value.is_some_and(|value| is_endpoint_text(name, value, false))
}

/// Whether the value of an input is an endpoint, independent of its type. An input that is a secret by its name or type
/// (`is_secret`) mostly has arbitrary characters: only a value that cannot be a password counts.
pub fn is_endpoint_text(name: &str, value: &str, is_secret: bool) -> bool {
    let holds = if is_secret || sensitive::is_sensitive(name) {
        Holds::Secret
    } else if is_of_people(name) {
        Holds::Person
    } else {
        Holds::Anything
    };
    could_be_one(value) && readings(value).iter().any(|text| named_in(text, holds).next().is_some())
}

/// The scheme, as spelled in [`IN_CLEAR`], if it sends in clear text.
pub fn in_clear(scheme: &str) -> Option<&'static str> {
    IN_CLEAR.into_iter().find(|clear| clear.eq_ignore_ascii_case(scheme))
}

/// Whether the query of a URL names another host, as database drivers accept it (`?host=`, `?hostaddr=`). The query of
/// a web URL is not evaluated.
pub fn query_names_host(scheme: &str, rest: &str) -> bool {
    let is_web = ["http", "https", "ws", "wss", "h2c", ""].iter().any(|web| web.eq_ignore_ascii_case(scheme));
    let mut settings = rest.split(['?', '&', ';', '#']).skip(1).filter_map(|part| part.split_once('='));
    !is_web && settings.any(|(name, _)| is_endpoint_name(name) || name.contains('%') || name.starts_with("service"))
}

/// Whether an input is an endpoint by its name: `baseUrl`, `base_urls`, `HOST_NAME`, `endpointOverride`, `brokers`.
pub fn is_endpoint_name(name: &str) -> bool {
    let folded: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let folded = unqualified(&folded);
    let ends = |endings: &[&str]| endings.iter().any(|ending| folded.ends_with(ending));
    let is_last = || LAST_WORDS.contains(&last_word(name).as_str());
    (ends(&ENDINGS) || WORDS.iter().any(|word| folded.contains(word)) || is_last()) && !ends(&EXEMPT)
}

fn is_of_people(name: &str) -> bool {
    let folded: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    PEOPLE.iter().any(|ending| unqualified(&folded).ends_with(ending))
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

/// A name without numbers and qualifiers at its end.
fn unqualified(name: &str) -> &str {
    let counted = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let counted = if counted.len() < name.len() { counted.strip_suffix('v').unwrap_or(counted) } else { counted };
    match QUALIFIERS.iter().find_map(|word| counted.strip_suffix(word)) {
        Some(rest) => unqualified(rest),
        None if counted.len() < name.len() => unqualified(counted),
        None => name,
    }
}

/// Whether a value is a URL of any scheme.
pub fn is_url(value: &str) -> bool {
    value.trim().split_once("://").is_some_and(|(scheme, rest)| {
        // Quotes, brackets or a name may precede the scheme: `<https://a>`, `url=https://a`.
        let scheme = scheme.rsplit(['<', '(', '=', '"', '\'', '[', '{']).next().unwrap_or_default();
        !rest.is_empty() && is_scheme(scheme)
    })
}

/// Whether the text before `://` is a scheme, such as `jdbc:postgresql`, and not a host with a path.
pub fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | ':'))
}

/// Whether a parser that prepends a scheme reads this apparent scheme as a host: `a.example`, `a:443`.
fn is_host_and_port(scheme: &str) -> bool {
    scheme.contains('.') || scheme.split(':').any(|part| part.starts_with(|c: char| c.is_ascii_digit()))
}

/// A placeholder for a host that cannot be parsed: it may be any host. It reveals nothing of the value.
pub const UNCLEAR: &str = "a host that is not plain";

/// The maximum length of a host name.
const LONGEST: usize = 253;
/// The number of bytes that are evaluated around a character: enough for a host with its port. A longer host counts as
/// unclear, so that the time to evaluate a value is linear in its length.
const AROUND: usize = 512;

/// The hosts that a value names, in lower case, with the port if it is not the default of the scheme. A host is
/// different for https and for each scheme that sends in clear text, such as http. For a value that cannot be parsed:
/// all hosts that it may name, and [`UNCLEAR`].
pub fn hosts(value: &str) -> BTreeSet<String> {
    let is_plain = |c: char| c == '\\' || as_read(c) == Some(c);
    let plain = value.trim().chars().all(is_plain).then(|| parts(value).map(host).collect::<Option<_>>()).flatten();
    plain.unwrap_or_else(|| {
        let mut found: BTreeSet<String> =
            readings(value).iter().flat_map(|text| named_in(text, Holds::Anything)).collect();
        found.insert(UNCLEAR.to_string());
        found
    })
}

fn host(part: &str) -> Option<String> {
    let (scheme, rest) = match part.split_once("://") {
        Some((scheme, _)) if !is_scheme(scheme) || is_host_and_port(scheme) => return None,
        Some(split) => split,
        None => ("", part),
    };
    // Parsers differ: the host is the part before a backslash for some and the part behind it for others. They agree on
    // `\\host\share`.
    let rest = match rest.strip_prefix(r"\\") {
        Some(share) if scheme.is_empty() && !share.contains('@') => share.split('\\').next().unwrap_or(share),
        _ if rest.contains('\\') => return None,
        _ => rest.trim_start_matches('/'),
    };
    if query_names_host(scheme, rest) { None } else { host_of(scheme, rest) }
}

/// Parses the host at the beginning of a URL without its scheme.
fn host_of(scheme: &str, rest: &str) -> Option<String> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_lowercase();
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() || host.ends_with(':') || host.len() > LONGEST || !host.chars().all(is_plain) {
        return None;
    }
    // Letters of other scripts resemble ASCII letters.
    let mut shown = String::with_capacity(host.len());
    for c in host.chars() {
        if c.is_ascii() { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    let is = |other: &str| scheme.eq_ignore_ascii_case(other);
    Some(match in_clear(scheme) {
        Some("http") => format!("http://{}", shown.strip_suffix(":80").unwrap_or(&shown)),
        Some(clear) => format!("{clear}://{shown}"),
        None if is("https") || is("wss") => shown.strip_suffix(":443").unwrap_or(&shown).to_string(),
        None => shown,
    })
}

/// The items of a list, as cluster clients accept it: `a:9092, b:9092`.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    value.split(|c: char| matches!(c, ',' | ';') || c.is_whitespace()).filter(|part| !part.is_empty())
}

/// What kind of value an input has, according to its name or type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Anything,
    /// A person, possibly as an e-mail address.
    Person,
    /// A secret with arbitrary characters.
    Secret,
}

/// Whether a value has a character that every endpoint has. Most values have none.
fn could_be_one(value: &str) -> bool {
    value
        .bytes()
        .any(|b| !b.is_ascii() || matches!(b, b':' | b'/' | b'\\' | b'@' | b'?' | b'#' | b'=' | b'%' | b'[' | b'('))
}

/// The character as URL parsers read it; `None` if they ignore it or it is invisible.
fn as_read(c: char) -> Option<char> {
    Some(match c {
        ' '..='[' | ']'..='~' => c,
        '\\' | '\u{2044}' | '\u{2215}' | '\u{29f5}' | '\u{29f8}' | '\u{fe68}' | '\u{ff3c}' => '/',
        '\u{2024}' | '\u{3002}' | '\u{fe52}' | '\u{ff61}' => '.',
        '\u{2d0}' | '\u{2236}' | '\u{a789}' | '\u{fe13}' | '\u{fe55}' => ':',
        '\u{fe56}' => '?',
        '\u{fe5f}' => '#',
        '\u{fe66}' => '=',
        '\u{fe6b}' => '@',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0)?,
        // Soft hyphens, joiners, fillers, marks of direction, selectors, tags.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => return None,
        c if c.is_control() || c.is_whitespace() => return None,
        c => c,
    })
}

/// The possible readings of a value: without ignored characters, with blanks in their place, and with `%2F` as `/`.
fn readings(value: &str) -> Vec<String> {
    let value = value.trim();
    let joined: String = value.chars().filter_map(as_read).collect();
    let is_gap = |c: char| c != ' ' && (c.is_control() || c.is_whitespace());
    let spaced: String = value.chars().filter_map(|c| if is_gap(c) { Some(' ') } else { as_read(c) }).collect();
    let mut all = Vec::new();
    all.extend(unescaped(&joined));
    all.extend((spaced != joined).then_some(spaced));
    all.push(joined);
    all
}

/// Decodes `%XX` in a text; `None` if there is none.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|d| !d.starts_with('+')).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    let is_same = bytes.len() == text.len();
    (!is_same).then(|| String::from_utf8_lossy(&bytes).chars().filter_map(as_read).collect())
}

/// Finds hosts anywhere in a text. A scheme, a port, a path, a user or the name of a setting marks a host. Yields
/// [`UNCLEAR`] for a host that cannot be parsed.
fn named_in(text: &str, holds: Holds) -> impl Iterator<Item = String> {
    text.char_indices().filter_map(move |(at, c)| {
        let (before, after) = (last_part(&text[..at]), first_part(&text[at + c.len_utf8()..]));
        match c {
            '/' if before.ends_with('/') => None,
            '/' if after.starts_with('/') => after_slashes(before, after, holds),
            '/' | '?' | '#' => before_path(before, holds),
            ':' => short_url(before, after).or_else(|| before_port(before, after, holds)),
            '(' => short_url(before, after),
            '@' => after_user(before, after, holds),
            '[' => in_brackets(after),
            '=' => setting(before, after),
            '"' => quoted_setting(before, after),
            _ => None,
        }
    })
}

/// About the first [`AROUND`] bytes of a text.
fn first_part(text: &str) -> &str {
    let end = (0..=AROUND.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// About the last [`AROUND`] bytes of a text.
fn last_part(text: &str) -> &str {
    let start = (text.len().saturating_sub(AROUND)..=text.len()).find(|at| text.is_char_boundary(*at));
    &text[start.unwrap_or(text.len())..]
}

fn or_unclear(host: Option<String>) -> Option<String> {
    Some(host.unwrap_or_else(|| UNCLEAR.to_string()))
}

/// Whether a character may occur in a host name. All characters of other scripts may, because parsers map many of them.
fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || !c.is_ascii()
}

/// Splits a text into the part before its last name and that name, which begins with a letter or digit.
fn last_name(text: &str) -> (&str, &str) {
    let start = text.char_indices().rev().take_while(|(_, c)| is_of_name(*c)).last().map_or(text.len(), |(at, _)| at);
    let name = text[start..].trim_start_matches(['.', '-', '_']);
    (name, &text[..text.len() - name.len()])
}

/// Splits a text into its first name and the part behind it.
fn first_name(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_of_name(c)).unwrap_or(text.len()))
}

/// The part of a URL up to the first character that cannot be in a host.
fn authority(rest: &str) -> &str {
    let ends = |c: char| {
        c.is_whitespace() || matches!(c, '/' | '?' | '#' | ',' | ';' | '|' | ')' | '>' | '}' | '"' | '\'' | '`')
    };
    rest.split(ends).next().unwrap_or(rest)
}

/// Matches `scheme://host` anywhere, and `//host` at the beginning of a word.
fn after_slashes(before: &str, after: &str, holds: Holds) -> Option<String> {
    let rest = after.trim_start_matches('/');
    if let Some(scheme) = before.strip_suffix(':') {
        let (scheme, _) = last_name(scheme);
        return if rest.is_empty() { None } else { or_unclear(host_of(scheme, authority(rest))) };
    }
    let begins = match holds {
        // Base64 contains such sequences.
        Holds::Secret => before.trim().is_empty(),
        _ => before.ends_with(|c: char| !is_of_name(c) && !matches!(c, '/' | '+' | '%')) || before.is_empty(),
    };
    let is_host = rest.starts_with(|c: char| c.is_alphanumeric() || c == '[');
    if begins && is_host { or_unclear(host_of("", authority(rest))) } else { None }
}

/// Whether a name begins a word, where a blank, a comma or an `@` must precede it.
fn begins(before: &str, holds: Holds) -> bool {
    holds != Holds::Secret
        || before.is_empty()
        || before.ends_with(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '@'))
}

/// Whether the text before is a URN or ARN, which names no host: `urn:ietf:rfc:1`, `arn:aws:s3:::a.b/c`.
fn is_in_urn(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || matches!(c, ',' | ';')).next().unwrap_or(before);
    let of = |scheme: &str, colons: usize| word.starts_with(scheme) && word.matches(':').count() >= colons;
    of("urn:", 2) || of("arn:", 3)
}

/// Matches `host.example/path` and `10.0.0.1?x`.
fn before_path(before: &str, holds: Holds) -> Option<String> {
    let (name, before) = last_name(before);
    let is_host = name.parse::<Ipv4Addr>().is_ok() || is_domain(name);
    let is_host_text = is_host && !before.ends_with('/') && begins(before, holds) && !is_in_urn(before);
    if is_host_text { or_unclear(host_of("", name)) } else { None }
}

/// Matches `https:host`, which some parsers accept, `file:/x`, and `tcp(host:1)`.
fn short_url(before: &str, after: &str) -> Option<String> {
    let (scheme, _) = last_name(before);
    let is_one = SHORT.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let rest = after.trim_start_matches('/');
    let is_followed = !rest.is_empty() && !rest.starts_with(char::is_whitespace);
    if is_one && is_followed { or_unclear(host_of("", authority(rest))) } else { None }
}

/// Matches `host:port`.
fn before_port(before: &str, after: &str, holds: Holds) -> Option<String> {
    let (name, before) = last_name(before);
    let digits = after.strip_prefix('+').unwrap_or(after);
    let (port, behind) = digits.split_at(digits.find(|c: char| !c.is_alphanumeric()).unwrap_or(digits.len()));
    let hexadecimal = port.strip_prefix("0x").and_then(|port| u16::from_str_radix(port, 16).ok());
    // `a:1` is ambiguous; `a.example:1` is a host.
    let is_long = || port.len() >= 2 || name.parse::<Ipv4Addr>().is_ok() || is_domain(name);
    let is_decimal = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok() && is_long();
    let is_port = is_decimal || hexadecimal.is_some();
    // The text before an @ is a password.
    let is_one = is_port && !behind.starts_with('@') && may_have_port(name, port);
    let is_host_text = is_one && begins(before, holds) && !is_in_urn(before);
    if is_host_text { or_unclear(host_of("", &format!("{name}:{port}"))) } else { None }
}

/// Whether a name before a colon and digits is a host rather than a time.
fn may_have_port(name: &str, port: &str) -> bool {
    let is_minute = port.len() == 2 && port.parse::<u8>().is_ok_and(|minute| minute < 60);
    if name.parse::<Ipv4Addr>().is_ok() || is_domain(name) {
        true
    } else if begins_as_date(name) && is_minute {
        false
    } else if is_label_or_domain(name) {
        true
    } else if name.bytes().all(|b| b.is_ascii_digit()) {
        // An IPv4 address as one number, from 1.0.0.0 on; smaller numbers are part of a time.
        name.parse::<u32>().is_ok_and(|address| address >= 1 << 24)
    } else {
        name.matches(['.', '-', '_']).count() >= 2
    }
}

/// Matches `user@host.example` and `user@host:path`. An e-mail address in an input about people does not match.
fn after_user(before: &str, after: &str, holds: Holds) -> Option<String> {
    let (host, behind) = first_name(after);
    let has_user = !before.is_empty() && !before.ends_with(char::is_whitespace);
    let has_path = has_user && !host.is_empty() && behind.len() > 1 && behind.starts_with(':');
    let is_host = is_domain(host) || host.parse::<Ipv4Addr>().is_ok();
    let is_one = match holds {
        Holds::Secret => has_path && behind.starts_with(":/"),
        Holds::Person => has_path || is_host && !is_mail_address(before, host, behind),
        Holds::Anything => has_path || is_host,
    };
    if is_one { or_unclear(host_of("", host)) } else { None }
}

/// Whether the text around an `@` is only an e-mail address: alone, in a list, or as `Name <a@b.example>`.
fn is_mail_address(before: &str, host: &str, behind: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>');
    let user = before.rsplit(ends).next().unwrap_or(before);
    let is_of_user = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'');
    !user.is_empty()
        && user.chars().all(is_of_user)
        && is_domain(host)
        && (behind.is_empty() || behind.starts_with(ends))
}

/// Matches `[::1]`, with or without a port.
fn in_brackets(after: &str) -> Option<String> {
    let (address, behind) = after.split_once(']')?;
    let is_address = address.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    let port = behind.split_at(behind.find(|c: char| !c.is_alphanumeric() && c != ':').unwrap_or(behind.len())).0;
    if is_address { or_unclear(host_of("", &format!("[{address}]{port}"))) } else { None }
}

/// Matches `Server=host`, `Data Source=host` and `(HOST = host)`.
fn setting(before: &str, after: &str) -> Option<String> {
    let (name, above) = last_name(before.trim_end());
    let is_source =
        || name.eq_ignore_ascii_case("source") && last_name(above.trim_end()).0.eq_ignore_ascii_case("data");
    let value = after.trim_start_matches([' ', '"', '\'', '(']);
    let has_value = value.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '[' | '/' | '.' | '{' | '$' | '%'));
    let is_one = has_value && (is_endpoint_name(name) || is_source());
    if is_one { or_unclear(host_of("", first_name(value).0)) } else { None }
}

/// Matches `"host": "x"`.
fn quoted_setting(before: &str, after: &str) -> Option<String> {
    let (name, above) = last_name(before);
    let is_one = above.ends_with('"') && after.trim_start().starts_with(':') && is_endpoint_name(name);
    is_one.then(|| UNCLEAR.to_string())
}

/// Whether a text begins as a date does: `2026-11-27T10`.
fn begins_as_date(name: &str) -> bool {
    let is_date = |(at, byte): (usize, &u8)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() };
    name.len() >= 10 && name.as_bytes().iter().take(10).enumerate().all(is_date)
}

fn is_domain(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_word = last.chars().all(char::is_alphabetic) || last.to_ascii_lowercase().starts_with("xn--");
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
            assert!(is_endpoint_name(name), "{name}");
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
            assert!(!is_endpoint_name(name), "{name}");
        }
    }

    /// URL parsers disagree on the host beside a backslash; a host without encryption is another host.
    #[test]
    fn hosts_that_are_not_plain_and_schemes_in_clear() {
        let one = |value: &str| hosts(value).into_iter().next().unwrap();
        assert_eq!(one(r"https://a.example\@evil.example/"), UNCLEAR);
        assert_eq!(one(r"https://a.example\x"), UNCLEAR);
        assert_eq!(one(r"\\host\share"), "host");
        for scheme in IN_CLEAR {
            assert_ne!(one(&format!("{scheme}://a.example")), one("https://a.example"), "{scheme}");
        }
        assert_eq!(one("wss://a.example:443"), one("https://a.example"));
    }

    #[test]
    fn values_of_endpoints() {
        for value in [
            "evil.example:7",
            "10.0.0.1:9",
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
            "://x",
            // Characters that URL parsers ignore or read as another character.
            "\u{1}https://evil.example",
            "https:\t/\t/evil.example",
            "https:/\n/evil.example",
            "\u{feff}https://evil.example",
            "\u{200b}https://evil.example",
            "ht\u{ad}tps:\u{202e}//evil.example",
            "https\u{ff1a}//evil.example",
            "https:\u{ff0f}\u{ff0f}evil.example",
            "https:\u{2215}\u{2215}evil.example",
            "evil\u{3002}example/x",
            "evil\u{ff0e}example\u{ff0f}x",
            "evil.example\u{3000}/x",
            r"evil.example\x",
            r"https:\\evil.example",
            "%68ttps://evil.example/",
            "https%3A//evil.example",
            "https%3A%2F%2Fevil.example",
            "evil%2Eexample/x",
            "https&#58;//evil.example",
            // Unusual ports, and text behind the host.
            "evil.example:0x50",
            "evil.example:+443",
            "evil.example:0443",
            "evil.example:443\u{2}",
            "evil.example.:443",
            "evil_host:5432:db:user",
            "2026-11-27:443",
            "2026-11-27.evil.example:44",
            "3232235777:80",
            "[::ffff:1.2.3.4]",
            "x [::1]:80",
            "'evil.example:443'",
            "(evil.example:443)",
            "-https://evil.example",
            "-evil.example:443",
            "$https://evil.example",
            "\u{e9}xample.com/path",
            "пример.рф/x",
            // Users, settings, schemes without slashes.
            "x@evil.example",
            "@evil.example",
            "mailto:x@evil.example",
            "x@10.0.0.1",
            "git@evil.example:org/repo",
            "git@evil:org/repo",
            "user:pw@tcp(evil.example:3306)/db",
            "tcp(evil.example:3306)/db",
            "user:pw@tcp(evil.example)/db",
            "sip:evil.example",
            "Server=evil.example,1433",
            "Data Source=evil",
            "user=x host = evil",
            "{\"host\": \"evil\"}",
            "Addr=evil",
        ] {
            assert!(is_endpoint_text("setting", value, false), "{value}");
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
            "a:1",
            "2026-11-27T10:00",
            "50%",
            "api refresh_token",
            "read:user user:email",
            "admin.users:read",
            "tweet.read offline.access",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:rfc:7636",
            "arn:aws:iam::123456789012:role/x",
            "arn:aws:s3:::my.bucket/key",
            "1.2.3",
            "v1.2.3-rc.1",
            ">=1.2.3 <2",
            "2026-11-27",
            "2026-11-27T10:00:00Z",
            "2026-11-27T10:00:00+02:00",
            "2026-11-27:10",
            "10:00:00",
            "UTC+02:00",
            "08:00-17:00",
            "*/5 * * * *",
            "a:b:c",
            "application/vnd.api+json; charset=utf-8",
            "report.csv",
            "out/report.csv",
            "/v1/x",
            "/v1/x.y/z",
            "Europe/Berlin",
            "Zoë/Müller",
            "true",
            "42",
            "3.14",
            "1,2,3",
            "123e4567-e89b-12d3-a456-426614174000",
            "aa:bb:cc:dd:ee:ff",
            "key=value",
            "a=b&c=d",
            "user@realm",
            "latest@v1",
            "2 @ 5.00",
            r"C:\Users\x",
            "{{config.host}}/x",
            "a//b",
            "eu-central-1",
            "SELECT Id FROM Account WHERE Name = 'x'",
        ] {
            assert!(!is_endpoint_text("setting", value, false), "{value}");
        }
    }

    /// An e-mail address of a person is no host; any addition to it makes it one, under any name.
    #[test]
    fn mail_addresses_under_names_of_people_are_no_endpoints() {
        for name in
            ["user", "username", "userName2", "email", "clientEmail", "login", "fromAddress", "reply_to", "account"]
        {
            for value in
                ["user@example.com", "o'neil+x@mail.example.com", "a@x.example, b@x.example", "Ann <a@x.example>"]
            {
                assert!(!is_endpoint(name, Some(value)), "{name}: {value}");
            }
            for value in
                ["user@example.com:443", "x:y@example.com", "https://x@example.com", "@example.com", "u@h.example/x"]
            {
                assert!(is_endpoint(name, Some(value)), "{name}: {value}");
            }
        }
        assert!(is_endpoint("note", Some("user@example.com")) && is_endpoint("userHost", Some("user@example.com")));
    }

    /// Passwords and keys have arbitrary characters: only values that cannot be a password are endpoints.
    #[test]
    fn secrets_are_endpoints_only_where_they_plainly_are() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIE//ab+c/d.e\n//abc/+x=\n-----END PRIVATE KEY-----\n";
        for value in ["P@ss.word", "Summer@corp.example", "ab//cd", "!x.y/z", "a(b.c?d", key, "wJalrXUtnFEMI//K7MDENG"]
        {
            assert!(!is_endpoint("password", Some(value)), "{value}");
            assert!(!is_endpoint_text("pin", value, true), "{value}");
        }
        for value in [
            "postgres://u:p@db.example/x",
            "//evil.example",
            "evil.example:443",
            "evil.example/hook",
            "u@evil.example:443",
            "u:p@tcp(evil.example:3306)/db",
            "Server=evil;Pwd=x",
            "\u{1}https://evil.example",
        ] {
            assert!(is_endpoint("password", Some(value)) && is_endpoint_text("pin", value, true), "{value}");
        }
    }

    /// All candidates for an unclear host are listed, so that the approver sees them.
    #[test]
    fn every_candidate_for_an_unclear_host_is_listed() {
        let all = |value: &str| hosts(value).into_iter().collect::<Vec<_>>();
        assert_eq!(all("u:p@tcp(evil.example:3306)/db"), [UNCLEAR, "evil.example:3306"]);
        assert_eq!(all("\u{200b}https://evil.example/x"), [UNCLEAR, "evil.example"]);
        assert_eq!(all("Server=evil.example,1433;Pwd=x"), [UNCLEAR, "evil.example"]);
        assert_eq!(all("https://g\u{43e}od.example"), [r"g\u{43e}od.example"]);
        assert_eq!(all("redis://a.example:1"), ["redis://a.example:1"]);
        assert_eq!(all(&format!("https://{}evil", "a.".repeat(200))), [UNCLEAR]);
        assert!(all("postgres://a.example/db?host=evil.example").contains(&UNCLEAR.to_string()));
        assert_eq!(all("https://a.example/?host=evil.example"), ["a.example"]);
        // A parser that prepends a scheme connects to another host than the one behind the slashes.
        for one in
            ["evil.example/", "evil.example:443/", "evil.example?x=", "evil.example#", "evil.example", "evil:443"]
        {
            assert!(all(&format!("{one}https://good.example")).contains(&UNCLEAR.to_string()), "{one}");
            assert!(all(&format!("{one}://good.example")).contains(&UNCLEAR.to_string()), "{one}");
        }
        assert_eq!(all("jdbc:postgresql://a.example/db"), ["a.example"]);
    }

    /// Values of servers and Secrets may have any length: the time to evaluate them is linear in it. (Evaluating the
    /// whole text at every character would take minutes.)
    #[test]
    fn a_long_value_is_read_in_one_go() {
        for piece in ["https:", "[", "a:1", "a.b:1:", "@a.b", "(", "=(", "\"host\"", "//", "é:"] {
            let long = piece.repeat(100_000 / piece.len());
            hosts(&long);
            for name in ["site", "email", "password"] {
                is_endpoint_text(name, &long, false);
            }
        }
    }

    #[test]
    fn hosts_are_compared_without_the_rest_of_the_url() {
        let one = |value: &str| hosts(value).into_iter().next().unwrap_or_default();
        assert_eq!(one("https://A.Example/x?y"), "a.example");
        assert_eq!(one(" https://u:p@a.example:8443/x"), "a.example:8443");
        assert_eq!(one("//a.example"), "a.example");
        assert_eq!(one("a.example"), "a.example");
        assert_eq!(one("file:///etc/x"), "etc");
        assert_eq!(one("https://a.example:443"), "a.example");
        assert_eq!(one("http://a.example:80/x"), "http://a.example");
        // A value without a parseable host may name any host, and is not shown.
        assert_eq!(hosts("Server=x;Password=pw").into_iter().collect::<Vec<_>>(), [UNCLEAR, "x"]);
        assert_eq!(one("https://u:pw@/x"), UNCLEAR);
        assert_eq!(hosts("a:9092, b:9092").len(), 2);
        assert!(hosts(" ").is_empty());
    }
}
