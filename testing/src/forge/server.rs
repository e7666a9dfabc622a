//! The HTTP server of a fake: it records each request with its answer, and makes the faults that a test asks for.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The token is not known any more: 401.
    BadCredentials,
    /// The token may not do that: 403.
    Forbidden,
    /// Too many requests in a short time: 403 or 429, with Retry-After where it is given.
    SecondaryLimit { status: u16, retry_after: Option<u64> },
    /// The requests of the hour are used up: 403, with the time when there are new ones, in seconds since 1970.
    PrimaryLimit { reset: u64 },
    /// Another status, with a web page.
    Status(u16),
    /// The connection is cut, and nothing is done.
    Cut,
    /// It is done, and the connection is cut.
    CutAfter,
}

/// A fault for the next requests of a method to paths that contain a text.
struct Injected {
    method: String,
    path: String,
    fault: Fault,
    times: usize,
}

/// A request, and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The status of the answer; `None` if the connection was cut.
    pub status: Option<StatusCode>,
    pub answer: Bytes,
}

impl Exchange {
    /// Returns a value of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A request, as a fake sees it.
pub(super) struct Call {
    pub method: String,
    /// The parts of the path, decoded.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    fn of(head: &Parts, body: Bytes) -> Self {
        let decoded = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
        let query = head.uri.query().unwrap_or_default();
        Call {
            method: head.method.to_string(),
            path: head.uri.path().split('/').filter(|part| !part.is_empty()).map(decoded).collect(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: head.headers.clone(),
            body,
        }
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The number of a query parameter, or another one where it is none.
    pub fn number(&self, name: &str, otherwise: usize) -> usize {
        self.query(name).and_then(|text| text.parse().ok()).filter(|number| *number > 0).unwrap_or(otherwise)
    }
}

/// An answer.
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Answer {
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json; charset=utf-8".to_string())];
        Answer { status, headers, body: body.to_string().into() }
    }

    pub fn bytes(content: &str, body: impl Into<Bytes>) -> Self {
        Answer { status: 200, headers: vec![("content-type", content.to_string())], body: body.into() }
    }

    pub fn empty(status: u16) -> Self {
        Answer { status, headers: Vec::new(), body: Bytes::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// A fake: answers calls, and says in its own words what a fault is.
pub(super) trait Api: Send + Sync + 'static {
    fn answer(&self, call: &Call) -> Answer;
    /// The answer of a fault that is not a cut connection.
    fn failure(&self, fault: Fault) -> Answer;
}

#[derive(Default)]
struct Shared {
    exchanges: Mutex<Vec<Exchange>>,
    faults: Mutex<Vec<Injected>>,
}

/// A running server, until it is dropped.
pub(super) struct Server {
    address: String,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl Server {
    /// Starts a server; the fake is made with its address.
    pub fn start<A: Api>(api: impl FnOnce(&str) -> Arc<A>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (api, shared) = (api(&address), Arc::<Shared>::default());
        let seen = shared.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (api, shared) = (api.clone(), seen.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, api.clone(), shared.clone()));
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Server { address, shared, _runtime: runtime }
    }

    pub fn url(&self) -> &str {
        &self.address
    }

    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.exchanges.lock().unwrap().clone()
    }

    pub fn fail(&self, method: &str, path: &str, fault: Fault, times: usize) {
        let injected = Injected { method: method.to_string(), path: path.to_string(), fault, times };
        self.shared.faults.lock().unwrap().push(injected);
    }
}

impl Shared {
    /// Takes the fault for a request.
    fn fault(&self, method: &str, path: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let is_it = |of: &&mut Injected| of.times > 0 && of.method == method && path.contains(&of.path);
        let found = faults.iter_mut().find(is_it)?;
        found.times -= 1;
        Some(found.fault)
    }
}

async fn answer<A: Api>(
    request: Request<Incoming>,
    api: Arc<A>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let call = Call::of(&head, body);
    let fault = shared.fault(&call.method, head.uri.path());
    let answer = match fault {
        Some(Fault::Cut) => None,
        Some(Fault::CutAfter) => {
            api.answer(&call);
            None
        }
        Some(fault) => Some(api.failure(fault)),
        None => Some(api.answer(&call)),
    };
    let exchange = Exchange {
        method: call.method,
        path: head.uri.path().to_string(),
        query: call.query,
        headers: call.headers,
        body: call.body,
        status: answer.as_ref().map(|answer| StatusCode::from_u16(answer.status).unwrap()),
        answer: answer.as_ref().map(|answer| answer.body.clone()).unwrap_or_default(),
    };
    shared.exchanges.lock().unwrap().push(exchange);
    // An error of the service closes the connection.
    let Answer { status, headers, body } = answer.ok_or(std::io::ErrorKind::ConnectionAborted)?;
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::new(body)).map_err(std::io::Error::other)
}
