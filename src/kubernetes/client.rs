//! A client for one API server: with timeouts, with retries where they are safe, and with few kinds of errors.

use super::certificate::why_not_accepted;
use super::settling::Settling;
use crate::api::SecretKeyRef;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::client::Body;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Maximum number of attempts of one request.
const TRIES: u32 = 5;
/// The first pause before a retry if the server names none. It doubles each time.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause that a server can request.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Maximum size of an answer, in bytes. An object has much less, and a list is read again with smaller pages.
pub const LARGEST: usize = 8 * 1024 * 1024;
/// Maximum size of one line of a watch: it contains one object, and etcd accepts 1.5 MiB.
const LARGEST_LINE: usize = 4 * 1024 * 1024;
/// Maximum size of an error answer, and of its message in a report.
const LARGEST_NO: usize = 64 * 1024;
const WORDS: usize = 1024;
/// Maximum number of causes of an error that are reported.
const CAUSES: usize = 8;

/// Maximum number of concurrent writes.
pub const IN_FLIGHT: usize = 64;

/// Called for each request that is sent: with the request, the status of the answer if there is one (200 for every
/// success), and the duration. It must not block.
pub type Observer = Arc<dyn Fn(&ApiRequest, Option<StatusCode>, Duration) + Send + Sync>;

/// Whether writes are still allowed. Checked before each write request.
pub type WriteFence = Arc<dyn Fn() -> bool + Send + Sync>;

/// The origin of the credentials, which decides who must act if the server does not accept them.
#[derive(Clone, Debug)]
pub enum ServerCredentials {
    /// A context of a person's kubeconfig.
    Context(Arc<str>),
    /// The ServiceAccount of this Pod.
    Pod,
    /// A tenant's kubeconfig in a Secret of its hub.
    Secret {
        tenant: Arc<str>,
        /// The Secret and its key.
        secret: SecretKeyRef,
    },
}

impl ServerCredentials {
    /// Returns the message for when the server does not accept them.
    pub fn not_accepted(&self) -> String {
        match self {
            ServerCredentials::Context(context) => format!(
                "the credentials of context {context} are not accepted: they expired or were revoked; sign in to that \
                 cluster again"
            ),
            ServerCredentials::Pod => {
                "the token of this pod's ServiceAccount is not accepted: the ServiceAccount was deleted, \
                                 perhaps made again; see that it is there, and restart the pod"
                    .to_string()
            }
            ServerCredentials::Secret { tenant, secret: SecretKeyRef { name, key } } => format!(
                "the credentials in the kubeconfig of tenant {tenant} (Secret {name}, key {key}) are not accepted: they \
                 expired or were revoked; write a kubeconfig with a new token to that Secret (docs/operator.md, Renew \
                 tokens)"
            ),
        }
    }
}

/// An API server. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    client: kube::Client,
    runtime: Arc<Runtime>,
    /// The name that people use: the context, or the address.
    name: Arc<str>,
    credentials: ServerCredentials,
    /// The timeout of one request.
    request_timeout: Duration,
    observer: Option<Observer>,
    guard: Option<WriteFence>,
    /// Whether the server has just come back, if that is tracked.
    settling: Option<Settling>,
    /// Limits how many of many writes are in flight.
    turns: Arc<Semaphore>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.name)
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// The content type of the body.
    pub content: &'static str,
    pub body: Vec<u8>,
}

impl ApiRequest {
    /// Creates a GET request.
    pub fn get(path: impl Into<String>) -> Self {
        ApiRequest { method: Method::GET, path: path.into(), content: "application/json", body: Vec::new() }
    }

    /// Creates a forced server-side apply.
    pub fn apply(path: impl Into<String>, body: Vec<u8>) -> Self {
        ApiRequest::apply_by(path, super::MANAGER, body)
    }

    /// Creates a forced server-side apply with another field manager.
    pub fn apply_by(path: impl Into<String>, manager: &str, body: Vec<u8>) -> Self {
        let path = format!("{}?fieldManager={manager}&force=true", path.into());
        ApiRequest { method: Method::PATCH, path, content: "application/apply-patch+yaml", body }
    }

    /// Creates a JSON merge patch.
    pub fn merge(path: impl Into<String>, body: Vec<u8>) -> Self {
        let path = format!("{}?fieldManager={}", path.into(), super::MANAGER);
        ApiRequest { method: Method::PATCH, path, content: "application/merge-patch+json", body }
    }

    /// Creates a request that creates an object.
    pub fn post(path: impl Into<String>, body: Vec<u8>) -> Self {
        ApiRequest { method: Method::POST, path: path.into(), content: "application/json", body }
    }

    /// Creates a request that replaces the version that the body names.
    pub fn put(path: impl Into<String>, body: Vec<u8>) -> Self {
        ApiRequest { method: Method::PUT, path: path.into(), content: "application/json", body }
    }

    /// Creates a DELETE request.
    pub fn delete(path: impl Into<String>, body: Vec<u8>) -> Self {
        ApiRequest { method: Method::DELETE, path: path.into(), content: "application/json", body }
    }

    /// Makes the request a dry run.
    pub fn dry_run(mut self) -> Self {
        self.path.push_str(if self.path.contains('?') { "&dryRun=All" } else { "?dryRun=All" });
        self
    }
}

/// Why a request has no answer, or no useful one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RequestFailure {
    /// The request was not sent: nothing was done.
    #[error("{0}")]
    NotAsked(String),
    /// The request was sent, and there is no answer: a write may have been done.
    #[error("{0}")]
    NoAnswer(String),
    /// The answer to a read exceeds the limit.
    #[error("its answer is larger than {} MiB, or a line of it than {}", LARGEST >> 20, LARGEST_LINE >> 20)]
    TooLarge,
    /// The server refused the request.
    #[error("{}", said(.0))]
    Refused(Box<Refused>),
}

/// An error answer of an API server.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The HTTP status.
    pub code: StatusCode,
    pub message: String,
    /// The causes, each with its field if there is one.
    pub causes: Vec<String>,
    /// Whether the answer is a Status object: for a kind that does not exist it is plain text.
    pub is_status: bool,
}

fn said(refused: &Refused) -> String {
    if refused.message.is_empty() { format!("HTTP {}", refused.code) } else { refused.message.clone() }
}

impl RequestFailure {
    /// Returns the HTTP status of an error answer.
    pub fn code(&self) -> Option<StatusCode> {
        match self {
            RequestFailure::Refused(refused) => Some(refused.code),
            RequestFailure::NotAsked(_) | RequestFailure::NoAnswer(_) | RequestFailure::TooLarge => None,
        }
    }

    /// Whether the object, or its namespace, does not exist, although its kind does.
    pub fn is_absent(&self) -> bool {
        let RequestFailure::Refused(refused) = self else { return false };
        refused.code == StatusCode::NOT_FOUND && refused.is_status
    }

    /// Whether another client may have been faster, so that the object must be read again. Servers name the uid in a
    /// cause, or only in the message.
    pub fn is_race(&self) -> bool {
        let RequestFailure::Refused(refused) = self else { return false };
        let words = || std::iter::once(&refused.message).chain(&refused.causes);
        match refused.code {
            StatusCode::CONFLICT => true,
            StatusCode::UNPROCESSABLE_ENTITY => words().any(|words| words.contains("metadata.uid")),
            _ => self.is_absent() && !refused.message.starts_with("namespaces "),
        }
    }

    /// Returns the failure as one word for logs, metrics, events and conditions.
    pub fn reason(&self) -> &'static str {
        let code = match self {
            RequestFailure::NotAsked(_) => return "NotAsked",
            RequestFailure::NoAnswer(_) => return "NoAnswer",
            RequestFailure::TooLarge => return "TooLarge",
            RequestFailure::Refused(refused) => refused.code,
        };
        match code.as_u16() {
            400 => "BadRequest",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            409 => "Conflict",
            413 => "RequestEntityTooLarge",
            422 => "Invalid",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "Other",
        }
    }
}

/// Sanitizes a server's message: on one line, escaped, truncated.
fn words(text: &str) -> String {
    let text = crate::text::line(text.trim());
    let mut end = WORDS.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if end < text.len() { format!("{}… (cut)", &text[..end]) } else { text.into_owned() }
}

impl Server {
    /// Creates a server that `client` reaches.
    pub fn new(client: kube::Client, runtime: Arc<Runtime>, name: &str, request_timeout: Duration) -> Self {
        let turns = Arc::new(Semaphore::new(IN_FLIGHT));
        let credentials = ServerCredentials::Context(name.into());
        Server {
            client,
            runtime,
            name: name.into(),
            credentials,
            request_timeout,
            observer: None,
            guard: None,
            settling: None,
            turns,
        }
    }

    /// Returns the same server with another request timeout.
    pub fn with_timeout(&self, request_timeout: Duration) -> Self {
        Server { request_timeout, ..self.clone() }
    }

    /// Returns the same server with an observer of its requests.
    pub fn observed(&self, observer: Observer) -> Self {
        Server { observer: Some(observer), ..self.clone() }
    }

    /// Returns the same server, which writes only while `guard` allows it. Retries are checked as well.
    pub fn guarded(&self, guard: WriteFence) -> Self {
        Server { guard: Some(guard), ..self.clone() }
    }

    /// Returns the same server with other credentials.
    pub fn with_credentials(&self, credentials: ServerCredentials) -> Self {
        Server { credentials, ..self.clone() }
    }

    /// Returns the same server, which tracks when it was unreachable. Just after that, a forbidden request is retried
    /// before the answer is believed.
    pub fn settling(&self) -> Self {
        Server { settling: Some(Settling::default()), ..self.clone() }
    }

    /// Returns the name that people use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the origin of the credentials.
    pub fn credentials(&self) -> &ServerCredentials {
        &self.credentials
    }

    /// Records that the server did not answer, or ended a watch.
    pub fn was_silent(&self) {
        if let Some(settling) = &self.settling {
            settling.silent();
        }
    }

    /// Whether this is a forbidden request just after the server came back: it may not have loaded its Roles yet.
    pub fn refuses_too_early(&self, failure: &RequestFailure) -> bool {
        let RequestFailure::Refused(refused) = failure else { return false };
        refused.is_of_rights() && self.settling.as_ref().is_some_and(|settling| settling.is_settling(Instant::now()))
    }

    /// Waits for a turn to write one of many changes, so that a large batch does not delay a small one. The turn is
    /// kept until the change is written.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().acquire_owned().await.ok()
    }

    /// Returns the threads that its requests run on.
    pub fn runtime(&self) -> Arc<Runtime> {
        self.runtime.clone()
    }

    /// Blocks on a future.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Sends a request, and retries it if the server is busy, or if the answer to a read was lost. Returns the body of
    /// a success.
    pub async fn request(&self, request: &ApiRequest) -> Result<Vec<u8>, RequestFailure> {
        let deadline = Instant::now() + self.request_timeout;
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            if request.method != Method::GET && self.guard.as_ref().is_some_and(|may_write| !may_write()) {
                return Err(RequestFailure::NotAsked("this process is no longer the leader".to_string()));
            }
            let sent = Instant::now();
            let answer = timeout_at(deadline, self.once(request)).await;
            if let Some(observer) = &self.observer {
                let status = match &answer {
                    Ok(Ok(_)) => Some(StatusCode::OK),
                    Ok(Err((failure, _))) => failure.code(),
                    Err(_) => None,
                };
                observer(request, status, sent.elapsed());
            }
            let (failure, after) = match answer {
                Ok(Ok(body)) => return Ok(body),
                Ok(Err((failure, after))) => (failure, after),
                Err(_) => return Err(self.no_answer_in_time()),
            };
            let again = match &failure {
                RequestFailure::NotAsked(_) | RequestFailure::TooLarge => false,
                RequestFailure::NoAnswer(_) => request.method == Method::GET,
                RequestFailure::Refused(refused) => is_passing(refused) || self.refuses_too_early(&failure),
            };
            let rest = after.unwrap_or(pause).min(LONGEST_PAUSE);
            if !again || tries == TRIES || Instant::now() + rest >= deadline {
                return Err(failure);
            }
            sleep(rest).await;
            pause *= 2;
            tries += 1;
        }
    }

    /// Opens a streaming answer, which is read line by line.
    pub async fn open(&self, path: &str) -> Result<AnswerLines, RequestFailure> {
        match timeout(self.request_timeout, self.send(&ApiRequest::get(path))).await {
            Ok(Ok(body)) => Ok(AnswerLines { body, text: Vec::new(), searched: 0 }),
            Ok(Err((failure, _))) => Err(failure),
            Err(_) => Err(self.no_answer_in_time()),
        }
    }

    fn no_answer_in_time(&self) -> RequestFailure {
        self.was_silent();
        RequestFailure::NoAnswer(format!("no answer within {} s", self.request_timeout.as_secs_f32()))
    }

    /// Returns the handle of the async runtime.
    pub fn handle(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    /// Returns the timeout of one request.
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    async fn once(&self, request: &ApiRequest) -> Result<Vec<u8>, (RequestFailure, Option<Duration>)> {
        let body = self.send(request).await?;
        whole(body, LARGEST).await.map_err(|broken| match broken {
            Broken::TooLarge if request.method == Method::GET => (RequestFailure::TooLarge, None),
            Broken::TooLarge => (RequestFailure::NoAnswer(RequestFailure::TooLarge.to_string()), None),
            Broken::Cut(error) => (self.cut(&error), None),
        })
    }

    fn cut(&self, error: &kube::Error) -> RequestFailure {
        self.was_silent();
        RequestFailure::NoAnswer(words(&chain(error)))
    }

    /// Sends a request once. Of an error answer only what is reported is read.
    async fn send(&self, request: &ApiRequest) -> Result<Body, (RequestFailure, Option<Duration>)> {
        let http_request = Request::builder()
            .method(request.method.clone())
            .uri(&request.path)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, request.content)
            .body(Body::from(request.body.clone()));
        let http_request = http_request.map_err(|error| (RequestFailure::NotAsked(error.to_string()), None))?;
        let answer = self.client.send(http_request).await.map_err(|error| {
            self.was_silent();
            (no_answer(&error), None)
        })?;
        let status = answer.status();
        match &self.settling {
            Some(settling) if status == StatusCode::SERVICE_UNAVAILABLE => settling.silent(),
            Some(settling) => settling.answered(Instant::now()),
            None => {}
        }
        let after = answer.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let body = match whole(answer.into_body(), LARGEST_NO).await {
            Ok(body) => body,
            Err(Broken::TooLarge) => Vec::new(),
            Err(Broken::Cut(error)) => return Err((self.cut(&error), None)),
        };
        Err((RequestFailure::Refused(Box::new(refused(status, &body))), after.map(Duration::from_secs)))
    }
}

/// A streaming answer.
pub struct AnswerLines {
    body: Body,
    text: Vec<u8>,
    /// How much of the buffer has no line end.
    searched: usize,
}

impl AnswerLines {
    /// Whether a line has begun and not ended.
    pub fn is_within_a_line(&self) -> bool {
        !self.text.is_empty()
    }

    /// Returns the next line; `None` at the end. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, RequestFailure>> {
        loop {
            if let Some(end) = self.text.iter().skip(self.searched).position(|byte| *byte == b'\n') {
                let rest = self.text.split_off(self.searched + end + 1);
                self.searched = 0;
                return Some(Ok(std::mem::replace(&mut self.text, rest)));
            }
            self.searched = self.text.len();
            if self.searched > LARGEST_LINE {
                self.text = Vec::new();
                return Some(Err(RequestFailure::TooLarge));
            }
            match self.body.frame().await? {
                Ok(frame) => {
                    if let Ok(data) = frame.into_data() {
                        self.text.extend_from_slice(&data);
                    }
                }
                // A broken connection is an end: the watch continues from its last resource version.
                Err(_) => return None,
            }
        }
    }
}

/// Why the body is incomplete.
enum Broken {
    Cut(kube::Error),
    TooLarge,
}

/// Reads a whole body with one copy, because lists are large.
async fn whole(mut body: Body, most: usize) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(Broken::Cut)?.into_data() {
            if bytes.len() + data.len() > most {
                return Err(Broken::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

impl Refused {
    /// Whether permissions are missing, as opposed to an admission policy or a quota that refuses.
    pub fn is_of_rights(&self) -> bool {
        let words = ["cannot ", " resource "];
        self.code == StatusCode::FORBIDDEN && words.iter().all(|words| self.message.contains(words))
    }

    /// Whether the request is larger than the server or its store accepts.
    pub fn is_too_large(&self) -> bool {
        let words = ["request is too large", "message larger than max", "Request entity too large"];
        self.code == StatusCode::PAYLOAD_TOO_LARGE
            || self.code == StatusCode::INTERNAL_SERVER_ERROR && words.iter().any(|words| self.message.contains(words))
    }
}

/// Whether the server may soon give another answer.
fn is_passing(refused: &Refused) -> bool {
    match refused.code {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => true,
        StatusCode::INTERNAL_SERVER_ERROR => {
            !refused.is_too_large() && !refused.message.contains("failed to create typed patch object")
        }
        _ => false,
    }
}

fn refused(code: StatusCode, body: &[u8]) -> Refused {
    let status: Option<Status> = serde_json::from_slice(body).ok();
    let is_status = status.is_some();
    let status = status.unwrap_or_default();
    let cause = |cause: &k8s_openapi::apimachinery::pkg::apis::meta::v1::StatusCause| {
        let text = words(&cause.message.clone().unwrap_or_default());
        match &cause.field {
            Some(field) => format!("{}: {text}", words(field)),
            None => text,
        }
    };
    let causes = status.details.as_ref().and_then(|d| d.causes.as_ref());
    Refused {
        code,
        message: words(&status.message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())),
        causes: causes.into_iter().flatten().take(CAUSES).map(cause).collect(),
        is_status,
    }
}

fn no_answer(error: &kube::Error) -> RequestFailure {
    let why = chain(error);
    let why = words(&why_not_accepted(&why).unwrap_or(why));
    // Without a connection or credentials nothing was sent.
    let in_full = format!("{error} {error:?}");
    let not_sent = matches!(error, kube::Error::Auth(_) | kube::Error::BuildRequest(_) | kube::Error::HttpError(_))
        || ["tcp connect error", "client error (Connect)", "dns error", "certificate"]
            .iter()
            .any(|words| in_full.contains(words));
    if not_sent { RequestFailure::NotAsked(why) } else { RequestFailure::NoAnswer(why) }
}

/// Joins an error and its causes, without repetitions and without those that only name a layer.
fn chain(error: &dyn std::error::Error) -> String {
    const LAYERS: [&str; 3] = ["ServiceError", "HyperError", "client error"];
    let mut causes: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if LAYERS.iter().any(|layer| text.starts_with(layer)) && cause.source().is_some() {
            next = cause.source();
            continue;
        }
        if !causes.iter().any(|before| before.contains(&text)) {
            causes.push(text);
        }
        next = cause.source();
    }
    causes.join(": ")
}
