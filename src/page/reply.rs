//! Answers to requests, each with the headers that keep the page to itself.

use super::html;
use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, Response, StatusCode};
use maud::{DOCTYPE, Markup};

pub(super) type Reply = Response<Body>;

/// What a page may load: its own script, style and stream, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn reply(status: u16, kind: &'static str, body: impl Into<Body>) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fixed = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("content-security-policy"), POLICY),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        // With no-referrer, browsers send the page's own forms with `Origin: null`.
        (HeaderName::from_static("referrer-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
    ];
    for (name, value) in fixed {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// A page.
pub(super) fn page(status: u16, markup: Markup) -> Reply {
    reply(status, "text/html; charset=utf-8", markup.into_string())
}

/// A file of the program. It is asked for again each time, since another version may serve the same port.
pub(super) fn file(kind: &'static str, text: &'static str) -> Reply {
    let mut reply = reply(200, kind, text);
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

/// Text or JSON to be copied or saved.
pub(super) fn text(kind: &'static str, text: String) -> Reply {
    reply(200, kind, text)
}

/// Leads on after a form, so that a reload does not send it again.
pub(super) fn see_other(to: &str) -> Reply {
    let mut reply = reply(303, "text/plain; charset=utf-8", String::new());
    if let Ok(to) = HeaderValue::from_str(to) {
        reply.headers_mut().insert(LOCATION, to);
    }
    reply
}

/// A stream of events.
pub(super) fn stream(body: Body) -> Reply {
    reply(200, "text/event-stream; charset=utf-8", body)
}

/// The answer to the right code: the cookie, and a page that leads on. A redirect would lose the strict cookie.
pub(super) fn welcome(cookie: &str) -> Reply {
    let markup = maud::html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content="0;url=/";
                title { "Stablekey" }
            }
            body { p { a href="/" { "Open the overview" } } }
        }
    };
    let mut reply = page(200, markup);
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        reply.headers_mut().append(SET_COOKIE, cookie);
    }
    reply
}

/// The answer to a method that no address takes.
pub(super) fn no_method() -> Reply {
    let mut reply = bare(405, "Not possible", "This page answers GET, HEAD and POST.");
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    reply
}

/// A page without navigation, for who has no session.
pub(super) fn bare(status: u16, title: &str, text: &str) -> Reply {
    page(status, html::bare(title, maud::html! { p { (text) } }))
}
