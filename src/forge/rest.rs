//! Requests to a REST API with a token: bounded, repeated where the API asks to wait, and nothing of an answer is quoted.

use super::ForgeError;
use crate::http_client::client::{HttpAnswer, HttpClient, Proxies, Trust};
use crate::http_client::origin::Origin;
use crate::secret::Secret;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The time limit of one request.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest wait that an API may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The wait before a request is repeated that was not answered with a time.
const WAIT: Duration = Duration::from_secs(2);
/// How often a request is sent.
const TIMES: usize = 4;

/// A REST API.
pub(super) struct Rest {
    client: HttpClient,
    /// The address of the API, without a slash at its end.
    url: String,
    origin: String,
    headers: HeaderMap,
    runtime: Runtime,
}

/// An answer with JSON.
pub(super) struct RestAnswer {
    pub body: Value,
    pub headers: HeaderMap,
}

impl Rest {
    /// The API at an address. The token goes nowhere else.
    pub(super) fn new(url: &str, token_header: (&'static str, &str, &Secret)) -> Result<Self, ForgeError> {
        let address = |why: String| ForgeError::Address(why);
        let url = url.trim_end_matches('/').to_string();
        // The origin ends where the path begins.
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let end = url[after_scheme..].find('/').map_or(url.len(), |at| after_scheme + at);
        let origin = Origin::parse(&url[..end]).map_err(|error| address(error.to_string()))?;
        if !origin.is_https() && !origin.is_loopback() {
            return Err(address("it does not begin with https://".to_string()));
        }
        let variable = |name: &str| std::env::var(name).ok();
        let client = HttpClient::to(&origin, &Proxies::of(&variable), &Trust::System).map_err(address)?;
        let (name, prefix, token) = token_header;
        let value = HeaderValue::from_str(&format!("{prefix}{}", token.expose().trim()));
        let mut value = value.map_err(|_| address("the token has characters that no header has".to_string()))?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(name, value);
        headers.insert(header::USER_AGENT, HeaderValue::from_static("stablekey"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| address(error.to_string()))?;
        Ok(Rest { client, origin: url[..end].to_string(), url, headers, runtime })
    }

    /// Sets a header of every request.
    pub(super) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// Sends a request to a path of the API.
    pub(super) fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        what: &'static str,
    ) -> Result<RestAnswer, ForgeError> {
        self.send_to(method, &format!("{}{path}", self.url), body, what)
    }

    /// Gets all pages of a list. `next` finds the address of the next page.
    pub(super) fn all(&self, path: &str, what: &'static str) -> Result<Vec<Value>, ForgeError> {
        /// More pages than that have no comment of ours any more.
        const MOST_PAGES: usize = 200;
        let mut address = format!("{}{path}", self.url);
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            let answer = self.send_to(&Method::GET, &address, None, what)?;
            let Value::Array(page) = answer.body else { return Err(ForgeError::Form { what }) };
            all.extend(page);
            match next_page(&answer.headers) {
                // A page elsewhere would get the token.
                Some(next) if next.starts_with(&format!("{}/", self.origin)) => address = next,
                Some(_) => return Err(ForgeError::Form { what }),
                None => break,
            }
        }
        Ok(all)
    }

    fn send_to(
        &self,
        method: &Method,
        address: &str,
        body: Option<&Value>,
        what: &'static str,
    ) -> Result<RestAnswer, ForgeError> {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let mut last = ForgeError::Form { what };
        for time in 1..=TIMES {
            let mut request = Request::builder().method(method).uri(address);
            if let Some(headers) = request.headers_mut() {
                headers.extend(self.headers.clone());
                if body.is_some() {
                    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                }
            }
            let request = request.body(Full::new(bytes.clone()));
            let request = request.map_err(|_| ForgeError::Address("a part of it cannot be sent".to_string()))?;
            let wait = match self.runtime.block_on(self.client.send(request, LIMIT)) {
                // What was written may be there: only a read is repeated at once.
                Err(failure) => {
                    last = ForgeError::Unreachable { what, why: failure.to_string() };
                    if *method == Method::POST {
                        return Err(last);
                    }
                    WAIT
                }
                Ok(answer) => match judged(&answer, what) {
                    Ok(()) => {
                        let body = serde_json::from_slice(&answer.body).map_err(|_| ForgeError::Form { what })?;
                        return Ok(RestAnswer { body, headers: answer.headers });
                    }
                    Err((error, Some(wait))) if wait <= LONGEST_WAIT => {
                        last = error;
                        wait
                    }
                    Err((error, _)) => return Err(error),
                },
            };
            if time < TIMES {
                std::thread::sleep(wait);
            }
        }
        Err(last)
    }
}

/// Whether an answer is a success; else the error, and how long to wait before the request is sent again.
fn judged(answer: &HttpAnswer, what: &'static str) -> Result<(), (ForgeError, Option<Duration>)> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let after = header("retry-after").and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    let is_used_up = header("x-ratelimit-remaining") == Some("0");
    match status {
        StatusCode::UNAUTHORIZED => Err((ForgeError::Unauthenticated, None)),
        StatusCode::TOO_MANY_REQUESTS => {
            let wait = after.unwrap_or(WAIT);
            Err((ForgeError::Limited(wait), Some(wait)))
        }
        StatusCode::FORBIDDEN if after.is_some() || is_used_up => {
            // The limit of an hour ends later than a pipeline waits.
            let wait = after.unwrap_or(LONGEST_WAIT * 60);
            Err((ForgeError::Limited(wait), Some(wait)))
        }
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            Err((ForgeError::Forbidden { what, status: status.as_u16() }, None))
        }
        status if status.is_server_error() => {
            Err((ForgeError::Refused { what, status: status.as_u16() }, Some(after.unwrap_or(WAIT))))
        }
        status => Err((ForgeError::Refused { what, status: status.as_u16() }, None)),
    }
}

/// The address of the next page, from the header Link.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
    let next = links.flat_map(|links| links.split(',')).find_map(|link| {
        let (address, parameters) = link.split_once(';')?;
        let is_next = parameters.split(';').any(|parameter| parameter.trim().replace('"', "") == "rel=next");
        is_next.then(|| address.trim().trim_start_matches('<').trim_end_matches('>').to_string())
    });
    next.filter(|address| !address.is_empty())
}

/// Writes a part of a path: what is no letter, digit, `-`, `_` or `.` as `%XX`.
pub(super) fn encoded(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
