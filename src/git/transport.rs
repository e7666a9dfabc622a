//! Git's requests over the HTTP client of this crate: with one time limit for all requests of an operation, and one limit
//! for the size of their answers. gix's own HTTP clients have a time limit for each read only, so a server that sends a
//! byte now and then would hold them for ever.

use super::failure::FetchError;
use super::quota::QuotaShare;
use crate::http_client::client::{HttpClient, broken};
use bytes::{Buf as _, Bytes};
use gix_transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use std::any::Any;
use std::io::{self, BufRead, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// The client as servers see it. Some answer only to names that begin with `git/`.
pub(super) const AGENT: &str = concat!("git/stablekey-", env!("CARGO_PKG_VERSION"));
/// Maximum size of a request, in bytes: what is wanted, and what is there already.
const LARGEST_REQUEST: usize = 4 << 20;

/// The requests of one operation on a remote.
#[derive(Clone)]
pub(super) struct GitHttp {
    /// The address of the repository. Requests go nowhere else.
    pub url: String,
    pub client: Arc<HttpClient>,
    pub runtime: Handle,
    pub authorization: Option<HeaderValue>,
    pub operation: Arc<Operation>,
}

/// An operation on a remote: its limits, and what went wrong.
pub(super) struct Operation {
    pub limit: Duration,
    pub deadline: Instant,
    /// Maximum size of all answers together, in bytes.
    pub most: u64,
    /// What the answers take of the room for all fetches.
    share: Option<Arc<QuotaShare>>,
    state: Mutex<OperationState>,
}

#[derive(Default)]
struct OperationState {
    read: u64,
    failure: Option<FetchError>,
}

impl Operation {
    /// Begins a part of an operation that ends at this time. `limit` is the time of the whole.
    pub(super) fn until(deadline: Instant, limit: Duration, most: u64, share: Option<Arc<QuotaShare>>) -> Arc<Self> {
        Arc::new(Operation { limit, deadline, most, share, state: Mutex::default() })
    }

    /// What went wrong first, if it was a request. gix's own errors tell only that one failed.
    pub(super) fn failure(&self) -> Option<FetchError> {
        self.state().failure.clone()
    }

    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    fn state(&self) -> MutexGuard<'_, OperationState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what went wrong, and makes an error of it that gix passes on.
    fn failed(&self, failure: FetchError) -> io::Error {
        let error = io::Error::other(failure.to_string());
        self.state().failure.get_or_insert(failure);
        error
    }

    /// Counts bytes of an answer.
    fn count(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        state.read = state.read.saturating_add(bytes);
        let is_too_large = state.read > self.most;
        drop(state);
        if is_too_large {
            return Err(self.failed(FetchError::TooLarge(self.most)));
        }
        let taken = self.share.as_ref().map_or(Ok(()), |share| share.take(bytes));
        taken.map_err(|failure| self.failed(failure))
    }

    /// Whether an answer of this size would be too large.
    fn would_exceed(&self, bytes: u64) -> bool {
        self.state().read.saturating_add(bytes) > self.most
    }
}

/// A request and its answer. The request is sent when the answer is read for the first time: it is whole then.
struct Exchange {
    http: GitHttp,
    method: Method,
    url: String,
    headers: HeaderMap,
    /// The content type of an answer that is Git's.
    expected: &'static str,
    content: Vec<u8>,
    state: ExchangeState,
}

enum ExchangeState {
    Unsent,
    Open(Incoming),
    Over,
}

/// One end of an exchange.
#[derive(Clone)]
struct Shared(Arc<Mutex<Exchange>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    /// Runs what waits for the network, until the time of the operation is over.
    fn wait<T>(&self, work: impl Future<Output = T>) -> io::Result<T> {
        let deadline = tokio::time::Instant::from_std(self.http.operation.deadline);
        let done = self.http.runtime.block_on(async { tokio::time::timeout_at(deadline, work).await });
        let operation = &self.http.operation;
        done.map_err(|_| operation.failed(FetchError::TimedOut(operation.limit)))
    }

    /// Sends the request if that was not done, and checks the head of the answer.
    fn begin(&mut self) -> io::Result<()> {
        if !matches!(self.state, ExchangeState::Unsent) {
            return Ok(());
        }
        self.state = ExchangeState::Over;
        let mut request = Request::new(Full::new(Bytes::from(std::mem::take(&mut self.content))));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.parse().map_err(io::Error::other)?;
        *request.headers_mut() = std::mem::take(&mut self.headers);
        let operation = self.http.operation.clone();
        let answer = self.wait(self.http.client.open(request))?;
        let (head, body) = answer.map_err(|failure| operation.failed(FetchError::of_request(failure)))?.into_parts();
        let has_credentials = self.http.authorization.is_some();
        if let Some(failure) = FetchError::of_answer(head.status, &head.headers, has_credentials) {
            return Err(operation.failed(failure));
        }
        let header = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        if header(header::CONTENT_TYPE) != Some(self.expected) {
            return Err(operation.failed(FetchError::NotGit));
        }
        let length = header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        if length.is_some_and(|length| operation.would_exceed(length)) {
            return Err(operation.failed(FetchError::TooLarge(operation.most)));
        }
        self.state = ExchangeState::Open(body);
        Ok(())
    }

    /// The next bytes of the answer; none if it ended.
    fn next(&mut self) -> io::Result<Bytes> {
        self.begin()?;
        loop {
            let ExchangeState::Open(mut body) = std::mem::replace(&mut self.state, ExchangeState::Over) else {
                return Ok(Bytes::new());
            };
            let operation = &self.http.operation;
            let Some(frame) = self.wait(body.frame())? else { return Ok(Bytes::new()) };
            let frame = frame.map_err(|error| operation.failed(FetchError::of_request(broken(&error))))?;
            self.state = ExchangeState::Open(body);
            // What is no data is a trailer.
            let bytes = frame.into_data().unwrap_or_default();
            operation.count(bytes.len() as u64)?;
            if !bytes.is_empty() {
                return Ok(bytes);
            }
        }
    }
}

/// The body of a request, which gix writes.
pub(super) struct RequestBody(Shared);

impl Write for RequestBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut exchange = self.0.lock();
        if exchange.content.len().saturating_add(bytes.len()) > LARGEST_REQUEST {
            return Err(io::Error::other("the request is too large"));
        }
        exchange.content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The head of an answer, which gix reads line by line. It looks at the content type only.
pub(super) struct AnswerHead {
    exchange: Shared,
    lines: Option<Bytes>,
}

/// The body of an answer.
pub(super) struct AnswerBody {
    exchange: Shared,
    bytes: Bytes,
}

impl BufRead for AnswerHead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.lines.is_none() {
            let mut exchange = self.exchange.lock();
            exchange.begin()?;
            self.lines = Some(Bytes::from(format!("content-type: {}\n", exchange.expected)));
        }
        Ok(self.lines.as_deref().unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        if let Some(lines) = &mut self.lines {
            lines.advance(bytes.min(lines.len()));
        }
    }
}

impl BufRead for AnswerBody {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.bytes.is_empty() {
            self.bytes = self.exchange.lock().next()?;
        }
        Ok(&self.bytes)
    }

    fn consume(&mut self, bytes: usize) {
        self.bytes.advance(bytes.min(self.bytes.len()));
    }
}

impl Read for AnswerHead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        read(self, into)
    }
}

impl Read for AnswerBody {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        read(self, into)
    }
}

fn read(from: &mut impl BufRead, into: &mut [u8]) -> io::Result<usize> {
    let bytes = from.fill_buf()?;
    let length = bytes.len().min(into.len());
    let (Some(bytes), Some(into)) = (bytes.get(..length), into.get_mut(..length)) else { return Ok(0) };
    into.copy_from_slice(bytes);
    from.consume(length);
    Ok(length)
}

impl GitHttp {
    fn exchange(
        &self,
        method: Method,
        tail: &str,
        lines: impl IntoIterator<Item = impl AsRef<str>>,
        expected: &'static str,
    ) -> Shared {
        let mut headers = HeaderMap::new();
        for line in lines {
            let Some((name, value)) = line.as_ref().split_once(':') else { continue };
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.trim().parse::<HeaderValue>()) {
                headers.insert(name, value);
            }
        }
        headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        headers.remove(header::AUTHORIZATION);
        headers.extend(self.authorization.clone().map(|value| (header::AUTHORIZATION, value)));
        Shared(Arc::new(Mutex::new(Exchange {
            http: self.clone(),
            method,
            url: format!("{}{tail}", self.url),
            headers,
            expected,
            content: Vec::new(),
            state: ExchangeState::Unsent,
        })))
    }
}

impl Http for GitHttp {
    type Headers = AnswerHead;
    type ResponseBody = AnswerBody;
    type PostBody = RequestBody;

    fn get(
        &mut self,
        _url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<AnswerHead, AnswerBody>> {
        let tail = "/info/refs?service=git-upload-pack";
        let exchange = self.exchange(Method::GET, tail, headers, "application/x-git-upload-pack-advertisement");
        Ok(GetResponse {
            headers: AnswerHead { exchange: exchange.clone(), lines: None },
            body: AnswerBody { exchange, bytes: Bytes::new() },
        })
    }

    fn post(
        &mut self,
        _url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _body: PostBodyDataKind,
    ) -> gix::Result<PostResponse<AnswerHead, AnswerBody, RequestBody>> {
        let exchange = self.exchange(Method::POST, "/git-upload-pack", headers, "application/x-git-upload-pack-result");
        Ok(PostResponse {
            post_body: RequestBody(exchange.clone()),
            headers: AnswerHead { exchange: exchange.clone(), lines: None },
            body: AnswerBody { exchange, bytes: Bytes::new() },
        })
    }

    fn configure(&mut self, _config: &dyn Any) -> gix::Result {
        Ok(())
    }
}
