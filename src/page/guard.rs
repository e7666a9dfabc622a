//! Decides about each request before it is routed: the host it was sent to, where it comes from, and whose it is.
//!
//! A page of another site can send requests here, and a name of its own can lead here. `Host` stops the name, the cookie
//! the other site, `Origin` and `Sec-Fetch-Site` forms of another port of this machine, which browsers count as the same
//! site.

use super::desk::PageDesk;
use super::reply::{self, Reply};
use super::session::are_equal;
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use std::time::Instant;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visitor {
    /// The value that each form of this session carries.
    pub(super) token: String,
}

/// A request that is not answered, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusedRequest {
    /// It was sent to a name that is not this machine.
    Host,
    /// It comes from another page.
    Origin,
    /// It has no session.
    Session,
    /// The form is not of this session.
    Token,
}

impl RefusedRequest {
    /// The answer.
    pub(super) fn reply(self) -> Reply {
        let (status, title, text) = match self {
            RefusedRequest::Host => (
                421,
                "Another host",
                "This page answers at localhost, 127.0.0.1 and [::1] only, at any port. Use ssh -L for another machine.",
            ),
            RefusedRequest::Origin => (
                403,
                "From another page",
                "This request comes from another page. Open the address that the terminal shows.",
            ),
            RefusedRequest::Session => (
                401,
                "Session ended",
                "Press Enter in the terminal where stablekey ui runs, and open the address that it prints. Each address works once.",
            ),
            RefusedRequest::Token => (
                403,
                "An old form",
                "This form is of an earlier session, and nothing was done. Go back, reload the page, and try again.",
            ),
        };
        reply::bare(status, title, text)
    }
}

/// Checks host and origin of a request.
pub(super) fn comes_from_here(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), RefusedRequest> {
    // One that stands twice is none of both.
    let text = |name| {
        let mut all = headers.get_all(name).iter();
        let first = all.next().map(|value| value.to_str().unwrap_or("?"));
        first.map(|first| if all.next().is_none() { first } else { "?" })
    };
    let host = text(HOST.as_str()).unwrap_or_default();
    // A browser that takes this for a proxy names the host in the address.
    if !is_this_machine(host) || uri.authority().is_some() {
        return Err(RefusedRequest::Host);
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let site = text("sec-fetch-site");
    let is_navigation = text("sec-fetch-mode") == Some("navigate");
    let is_allowed = match site {
        Some("same-origin") | None => true,
        Some("none") => reads,
        // A link elsewhere may lead here: it has no cookie, and shows how to get one.
        Some(_) => reads && is_navigation,
    };
    let own = format!("http://{host}");
    let is_own = match text(ORIGIN.as_str()) {
        Some(origin) => origin.eq_ignore_ascii_case(&own),
        None => reads,
    };
    if is_allowed && is_own { Ok(()) } else { Err(RefusedRequest::Origin) }
}

/// Whether a `Host` names this machine, with any port: SSH forwards change it.
fn is_this_machine(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) => (name, port.strip_prefix(':').or((port.is_empty()).then_some(""))),
            None => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, Some("")),
        },
    };
    let is_port = port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.len() <= 5);
    let is_name = match host.starts_with('[') {
        true => name == "::1",
        false => name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1",
    };
    is_name && is_port
}

/// Whether a browser asks for a page to show it: only that uses up a code. A preview or a prefetch is none.
pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|there| there.as_bytes() == value.as_bytes());
    is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
        && !headers.contains_key("sec-purpose")
        && !headers.contains_key("purpose")
}

/// Whether a person asks: a page that follows changes asks by itself, and is no use of the session.
pub(super) fn is_asked_by_a_person(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-mode").is_none_or(|mode| mode.as_bytes() == b"navigate")
}

/// The visitor whose cookie a request has. `uses` is false for streams: an open tab is no use.
pub(super) fn visitor(desk: &PageDesk, headers: &HeaderMap, uses: bool) -> Result<Visitor, RefusedRequest> {
    let cookies: Vec<&str> = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
    let token = desk.sessions.token(&cookies.join(";"), Instant::now(), uses);
    token.map(|token| Visitor { token }).ok_or(RefusedRequest::Session)
}

/// Checks the token of a form.
pub(super) fn is_form_of(visitor: &Visitor, token: &str) -> Result<(), RefusedRequest> {
    if are_equal(&visitor.token, token) { Ok(()) } else { Err(RefusedRequest::Token) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn only_this_machine_is_a_host() {
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]", "[::1]:80", "127.0.0.1"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "evil.test:80",
            "127.0.0.2",
            "[::1",
            "[::1]x",
            "::1",
            "0.0.0.0",
            "localhost:80:80",
            "localhost:x",
            "[localhost]",
            "user@localhost",
            "127.1",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
        let ask = |uri: &'static str, all: &[(&str, &str)]| {
            comes_from_here(&Method::GET, &Uri::from_static(uri), &headers(all))
        };
        assert_eq!(ask("/", &[("host", "localhost"), ("host", "evil.test")]), Err(RefusedRequest::Host));
        assert_eq!(ask("http://evil.test/", &[("host", "localhost")]), Err(RefusedRequest::Host));
        assert_eq!(ask("/", &[("host", "localhost")]), Ok(()));
    }

    #[test]
    fn forms_come_from_this_page_only() {
        let here = ("host", "127.0.0.1:7");
        let ask = |method: Method, more: &[(&str, &str)]| {
            comes_from_here(&method, &Uri::from_static("/"), &headers(&[&[here], more].concat()))
        };
        assert_eq!(ask(Method::POST, &[("origin", "http://127.0.0.1:7"), ("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(ask(Method::POST, &[("origin", "http://127.0.0.1:7")]), Ok(()));
        for wrong in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "http://127.0.0.1:8")],
            &[("origin", "https://127.0.0.1:7")],
            &[("origin", "http://localhost:7")],
            &[("origin", "http://127.0.0.1:7"), ("origin", "http://127.0.0.1:8")],
            &[("origin", "http://127.0.0.1:7"), ("sec-fetch-site", "same-site")],
            &[("origin", "http://127.0.0.1:7"), ("sec-fetch-site", "none")],
        ] {
            assert_eq!(ask(Method::POST, wrong), Err(RefusedRequest::Origin), "{wrong:?}");
        }
        assert_eq!(ask(Method::GET, &[]), Ok(()));
        assert_eq!(ask(Method::GET, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]), Ok(()));
        assert_eq!(
            ask(Method::GET, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")]),
            Err(RefusedRequest::Origin)
        );
        assert_eq!(
            ask(Method::GET, &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")]),
            Err(RefusedRequest::Origin)
        );
    }

    #[test]
    fn a_page_that_asks_by_itself_is_no_person() {
        assert!(is_asked_by_a_person(&headers(&[("sec-fetch-mode", "navigate")])));
        assert!(is_asked_by_a_person(&headers(&[])));
        assert!(!is_asked_by_a_person(&headers(&[("sec-fetch-mode", "cors")])));
    }

    #[test]
    fn a_prefetch_is_no_navigation() {
        let of = |more: &[(&str, &str)]| is_navigation(&headers(more));
        assert!(of(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]));
        assert!(!of(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("sec-purpose", "prefetch")]));
        assert!(!of(&[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "document")]));
        assert!(!of(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]));
        assert!(!of(&[]));
    }
}
