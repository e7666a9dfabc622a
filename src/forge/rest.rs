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
/// When requests that are used up are there again, at the latest.
const HOUR: Duration = Duration::from_secs(3600);
/// The most pages of a list that are read.
const MOST_PAGES: usize = 200;
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
        let (origin, path) = Origin::of_url(&url).map_err(|error| address(error.to_string()))?;
        let end = url.len() - path.len();
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

    /// Gets all pages of a list: a part of it is an error, since what is missing looks as if it were not there.
    pub(super) fn all(&self, path: &str, what: &'static str) -> Result<Vec<Value>, ForgeError> {
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
                None => return Ok(all),
            }
        }
        Err(ForgeError::TooLong { what, pages: MOST_PAGES })
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
                // What was sent may have been carried out: who sent it looks before it is sent again.
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
                    Err((error, _)) if *method == Method::POST && error.is_lost() => return Err(error),
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
        StatusCode::FORBIDDEN if after.is_some() => {
            let wait = after.unwrap_or(WAIT);
            Err((ForgeError::Limited(wait), Some(wait)))
        }
        // These limits end later than a pipeline waits.
        StatusCode::FORBIDDEN if is_used_up => Err((ForgeError::Limited(HOUR), None)),
        StatusCode::FORBIDDEN if is_about_limit(&answer.body) => Err((ForgeError::Limited(LONGEST_WAIT), None)),
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            Err((ForgeError::Forbidden { what, status: status.as_u16() }, None))
        }
        status if status.is_server_error() => {
            Err((ForgeError::Refused { what, status: status.as_u16() }, Some(after.unwrap_or(WAIT))))
        }
        status => Err((ForgeError::Refused { what, status: status.as_u16() }, None)),
    }
}

/// Whether GitHub refuses a request because there were too many: it may say so in nothing but its message.
fn is_about_limit(body: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    answer.get("message").and_then(Value::as_str).is_some_and(|message| message.contains("rate limit"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    /// An API whose list has this many pages of one entry, and the number of requests that it answered.
    fn api(pages: usize) -> (String, std::thread::JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let here = url.clone();
        let server = std::thread::spawn(move || {
            let most = pages.min(MOST_PAGES);
            for (page, stream) in (1..=most).zip(listener.incoming()) {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                while reader.read_line(&mut line).unwrap() > 2 {
                    line.clear();
                }
                let next = format!("link: <{here}/list?page={}>; rel=\"next\"\r\n", page + 1);
                let link = if page < pages { next } else { String::new() };
                let answer = format!("HTTP/1.1 200 OK\r\n{link}content-length: 3\r\nconnection: close\r\n\r\n[1]");
                stream.write_all(answer.as_bytes()).unwrap();
            }
            most
        });
        (url, server)
    }

    fn list(pages: usize) -> Result<usize, ForgeError> {
        let (url, server) = api(pages);
        let rest = Rest::new(&url, ("authorization", "", &Secret::new("token".to_string()))).unwrap();
        let all = rest.all("/list?page=1", "listing the comments");
        assert_eq!(server.join().unwrap(), pages.min(MOST_PAGES));
        all.map(|all| all.len())
    }

    /// "Unread is unknown, never empty": a comment on a page that is not read would be written a second time.
    #[test]
    fn a_list_that_goes_on_is_not_taken_for_whole() {
        assert_eq!(list(1), Ok(1));
        assert_eq!(list(MOST_PAGES), Ok(MOST_PAGES));
        let error = list(MOST_PAGES + 1).unwrap_err();
        assert_eq!(error, ForgeError::TooLong { what: "listing the comments", pages: MOST_PAGES });
        assert!(error.to_string().contains("goes on after 200 pages"), "{error}");
    }
}
