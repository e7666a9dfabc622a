//! An API server and how it is asked: with a limit in time, again where that is of use, and with its
//! answer told as one of a few kinds of trouble.

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

/// How often one request is sent at most.
const TRIES: u32 = 5;
/// The first pause before a request is sent again, where the server names none; doubled each time.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause that a server may ask for and get.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The most that is read of an answer, in bytes: an object of a cluster has much fewer, and of a list a smaller page is
/// asked for.
pub const LARGEST: usize = 8 * 1024 * 1024;
/// The most that is read of one line of an answer that goes on: it has one object, of which etcd takes 1.5 MiB.
const LARGEST_LINE: usize = 4 * 1024 * 1024;
/// The most that is read of a no, and that is told of its words.
const LARGEST_NO: usize = 64 * 1024;
const WORDS: usize = 1024;
/// How many causes of a no are told.
const CAUSES: usize = 8;

/// How many writes are in flight at once.
pub const IN_FLIGHT: usize = 64;

/// Who is told of each request that is sent: what was asked, the status of the answer where there was
/// one (of every success 200), and how long it took. It must not wait.
pub type Observer = Arc<dyn Fn(&Ask, Option<StatusCode>, Duration) + Send + Sync>;

/// Whether something may still be written: asked before each request that does.
pub type WriteFence = Arc<dyn Fn() -> bool + Send + Sync>;

/// Whose credentials a server is asked with: who is to do something where they are not accepted.
#[derive(Clone, Debug)]
pub enum ServerCredentials {
    /// Of a context of a person's kubeconfig.
    Context(Arc<str>),
    /// Of the ServiceAccount of this pod.
    Pod,
    /// Of a tenant's kubeconfig in a Secret of its hub.
    Secret {
        /// The tenant.
        tenant: Arc<str>,
        /// The Secret and its key.
        secret: SecretKeyRef,
    },
}

impl ServerCredentials {
    /// What to say where the server does not accept them.
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
    /// As people know it: the context, or the address.
    name: Arc<str>,
    credentials: ServerCredentials,
    /// What one request may take.
    patience: Duration,
    observer: Option<Observer>,
    guard: Option<WriteFence>,
    /// Where it is asked for as long as it is there, whether it has just come back.
    settling: Option<Settling>,
    /// What is begun at once of many writes.
    turns: Arc<Semaphore>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.name)
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Ask {
    /// How.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// What the body is.
    pub content: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Ask {
    /// Reads something.
    pub fn get(path: impl Into<String>) -> Self {
        Ask { method: Method::GET, path: path.into(), content: "application/json", body: Vec::new() }
    }

    /// Applies something, as its only owner where others differ.
    pub fn apply(path: impl Into<String>, body: Vec<u8>) -> Self {
        Ask::apply_by(path, super::MANAGER, body)
    }

    /// The same as another manager.
    pub fn apply_by(path: impl Into<String>, manager: &str, body: Vec<u8>) -> Self {
        let path = format!("{}?fieldManager={manager}&force=true", path.into());
        Ask { method: Method::PATCH, path, content: "application/apply-patch+yaml", body }
    }

    /// Changes what a JSON merge patch names.
    pub fn merge(path: impl Into<String>, body: Vec<u8>) -> Self {
        let path = format!("{}?fieldManager={}", path.into(), super::MANAGER);
        Ask { method: Method::PATCH, path, content: "application/merge-patch+json", body }
    }

    /// Makes something that is not there.
    pub fn post(path: impl Into<String>, body: Vec<u8>) -> Self {
        Ask { method: Method::POST, path: path.into(), content: "application/json", body }
    }

    /// Writes something over the version that the body names.
    pub fn put(path: impl Into<String>, body: Vec<u8>) -> Self {
        Ask { method: Method::PUT, path: path.into(), content: "application/json", body }
    }

    /// Deletes something.
    pub fn delete(path: impl Into<String>, body: Vec<u8>) -> Self {
        Ask { method: Method::DELETE, path: path.into(), content: "application/json", body }
    }

    /// The same, to see what the server would say.
    pub fn dry_run(mut self) -> Self {
        self.path.push_str(if self.path.contains('?') { "&dryRun=All" } else { "?dryRun=All" });
        self
    }
}

/// Why there is no answer, or none that helps.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RequestFailure {
    /// It could not be asked: nothing was done.
    #[error("{0}")]
    NotAsked(String),
    /// It was asked and did not answer: a write may have been done.
    #[error("{0}")]
    NoAnswer(String),
    /// It was asked, only to read, and its answer is larger than is read.
    #[error("its answer is larger than {} MiB, or a line of it than {}", LARGEST >> 20, LARGEST_LINE >> 20)]
    TooLarge,
    /// It said no.
    #[error("{}", said(.0))]
    Refused(Box<Refused>),
}

/// A no of an API server.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The HTTP status.
    pub code: StatusCode,
    /// Its words.
    pub message: String,
    /// What exactly, each with the field where there is one.
    pub causes: Vec<String>,
    /// Whether it sent a Status at all: a kind that is not served is answered with plain text.
    pub is_status: bool,
}

fn said(refused: &Refused) -> String {
    if refused.message.is_empty() { format!("HTTP {}", refused.code) } else { refused.message.clone() }
}

impl RequestFailure {
    /// The status of a no.
    pub fn code(&self) -> Option<StatusCode> {
        match self {
            RequestFailure::Refused(refused) => Some(refused.code),
            RequestFailure::NotAsked(_) | RequestFailure::NoAnswer(_) | RequestFailure::TooLarge => None,
        }
    }

    /// Whether the object, or its namespace, is not there, though its kind is served.
    pub fn is_absent(&self) -> bool {
        let RequestFailure::Refused(refused) = self else { return false };
        refused.code == StatusCode::NOT_FOUND && refused.is_status
    }

    /// Whether a no may only mean that somebody else was faster, and not that the object cannot be so: what is there
    /// now says. A server names the uid in a cause, or in its words alone.
    pub fn is_race(&self) -> bool {
        let RequestFailure::Refused(refused) = self else { return false };
        let words = || std::iter::once(&refused.message).chain(&refused.causes);
        match refused.code {
            StatusCode::CONFLICT => true,
            StatusCode::UNPROCESSABLE_ENTITY => words().any(|words| words.contains("metadata.uid")),
            _ => self.is_absent() && !refused.message.starts_with("namespaces "),
        }
    }

    /// The failure as one word: in logs, metrics, events and conditions.
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

/// What a server says, as it may be told: on one line, escaped, and cut.
fn words(text: &str) -> String {
    let text = crate::text::line(text.trim());
    let mut end = WORDS.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if end < text.len() { format!("{}… (cut)", &text[..end]) } else { text.into_owned() }
}

impl Server {
    /// A server that `client` reaches.
    pub fn new(client: kube::Client, runtime: Arc<Runtime>, name: &str, patience: Duration) -> Self {
        let turns = Arc::new(Semaphore::new(IN_FLIGHT));
        let credentials = ServerCredentials::Context(name.into());
        Server {
            client,
            runtime,
            name: name.into(),
            credentials,
            patience,
            observer: None,
            guard: None,
            settling: None,
            turns,
        }
    }

    /// The same, of which one request may take so long.
    pub fn with_patience(&self, patience: Duration) -> Self {
        Server { patience, ..self.clone() }
    }

    /// The same, which tells of each request.
    pub fn observed(&self, observer: Observer) -> Self {
        Server { observer: Some(observer), ..self.clone() }
    }

    /// The same, to which nothing is written that `guard` does not let pass: a request that is sent again
    /// is asked for again.
    pub fn guarded(&self, guard: WriteFence) -> Self {
        Server { guard: Some(guard), ..self.clone() }
    }

    /// The same, asked with these credentials.
    pub fn with_credentials(&self, credentials: ServerCredentials) -> Self {
        Server { credentials, ..self.clone() }
    }

    /// The same, of which it is remembered when it was silent: what it refuses for want of rights just after is asked
    /// again before it is believed.
    pub fn settling(&self) -> Self {
        Server { settling: Some(Settling::default()), ..self.clone() }
    }

    /// As people know it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose credentials it is asked with.
    pub fn credentials(&self) -> &ServerCredentials {
        &self.credentials
    }

    /// It did not answer, or ended what goes on.
    pub fn was_silent(&self) {
        if let Some(settling) = &self.settling {
            settling.silent();
        }
    }

    /// Whether it says no for want of rights, and has only just come back: it may not have read its Roles yet.
    pub fn refuses_too_early(&self, trouble: &RequestFailure) -> bool {
        let RequestFailure::Refused(refused) = trouble else { return false };
        refused.is_of_rights() && self.settling.as_ref().is_some_and(|settling| settling.is_settling(Instant::now()))
    }

    /// Waits for one's turn to write one of many changes: whoever has few waits for few of the others. It is
    /// kept until the change is written.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().acquire_owned().await.ok()
    }

    /// Waits for what is asynchronous.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Sends a request, again where the server is busy, or where its answer was lost and it was only
    /// read. What it says is the body of a success.
    pub async fn ask(&self, ask: &Ask) -> Result<Vec<u8>, RequestFailure> {
        let deadline = Instant::now() + self.patience;
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            if ask.method != Method::GET && self.guard.as_ref().is_some_and(|may_write| !may_write()) {
                return Err(RequestFailure::NotAsked("this process leads no more".to_string()));
            }
            let sent = Instant::now();
            let answer = timeout_at(deadline, self.once(ask)).await;
            if let Some(observer) = &self.observer {
                let status = match &answer {
                    Ok(Ok(_)) => Some(StatusCode::OK),
                    Ok(Err((trouble, _))) => trouble.code(),
                    Err(_) => None,
                };
                observer(ask, status, sent.elapsed());
            }
            let (trouble, after) = match answer {
                Ok(Ok(body)) => return Ok(body),
                Ok(Err((trouble, after))) => (trouble, after),
                Err(_) => return Err(self.no_answer_in_time()),
            };
            let again = match &trouble {
                RequestFailure::NotAsked(_) | RequestFailure::TooLarge => false,
                RequestFailure::NoAnswer(_) => ask.method == Method::GET,
                RequestFailure::Refused(refused) => is_passing(refused) || self.refuses_too_early(&trouble),
            };
            let rest = after.unwrap_or(pause).min(LONGEST_PAUSE);
            if !again || tries == TRIES || Instant::now() + rest >= deadline {
                return Err(trouble);
            }
            sleep(rest).await;
            pause *= 2;
            tries += 1;
        }
    }

    /// Opens an answer that goes on: line by line, as they come.
    pub async fn open(&self, path: &str) -> Result<AnswerLines, RequestFailure> {
        match timeout(self.patience, self.send(&Ask::get(path))).await {
            Ok(Ok(body)) => Ok(AnswerLines { body, text: Vec::new(), searched: 0 }),
            Ok(Err((trouble, _))) => Err(trouble),
            Err(_) => Err(self.no_answer_in_time()),
        }
    }

    fn no_answer_in_time(&self) -> RequestFailure {
        self.was_silent();
        RequestFailure::NoAnswer(format!("no answer within {} s", self.patience.as_secs_f32()))
    }

    /// Where what is asynchronous runs.
    pub fn handle(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    /// What one request may take.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    async fn once(&self, ask: &Ask) -> Result<Vec<u8>, (RequestFailure, Option<Duration>)> {
        let body = self.send(ask).await?;
        whole(body, LARGEST).await.map_err(|broken| match broken {
            Broken::TooLarge if ask.method == Method::GET => (RequestFailure::TooLarge, None),
            Broken::TooLarge => (RequestFailure::NoAnswer(RequestFailure::TooLarge.to_string()), None),
            Broken::Cut(error) => (self.cut(&error), None),
        })
    }

    fn cut(&self, error: &kube::Error) -> RequestFailure {
        self.was_silent();
        RequestFailure::NoAnswer(words(&chain(error)))
    }

    /// Sends a request once; of a no as much is read as is told.
    async fn send(&self, ask: &Ask) -> Result<Body, (RequestFailure, Option<Duration>)> {
        let request = Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, ask.content)
            .body(Body::from(ask.body.clone()));
        let request = request.map_err(|error| (RequestFailure::NotAsked(error.to_string()), None))?;
        let answer = self.client.send(request).await.map_err(|error| {
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

/// An answer that goes on.
pub struct AnswerLines {
    body: Body,
    text: Vec<u8>,
    /// How much of the text has no end of a line.
    searched: usize,
}

impl AnswerLines {
    /// Whether a line has begun and has not ended.
    pub fn is_within_a_line(&self) -> bool {
        !self.text.is_empty()
    }

    /// The next line; `None` where the answer has ended. Nothing is lost when it is not waited for to its end.
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
                // A cut is an end: whoever listens begins again where it was.
                Err(_) => return None,
            }
        }
    }
}

/// Why there is no whole body.
enum Broken {
    Cut(kube::Error),
    TooLarge,
}

/// All of a body, copied once: lists are large.
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
    /// Whether it is the rights that are missing, and not an admission policy or a quota that says no.
    pub fn is_of_rights(&self) -> bool {
        let words = ["cannot ", " resource "];
        self.code == StatusCode::FORBIDDEN && words.iter().all(|words| self.message.contains(words))
    }

    /// Whether what was sent is larger than the server, or its store, takes.
    pub fn is_too_large(&self) -> bool {
        let words = ["request is too large", "message larger than max", "Request entity too large"];
        self.code == StatusCode::PAYLOAD_TOO_LARGE
            || self.code == StatusCode::INTERNAL_SERVER_ERROR && words.iter().any(|words| self.message.contains(words))
    }
}

/// Whether a server that says this may soon say something else.
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
    // Nothing was sent where no connection was made, or no credentials could be had.
    let in_full = format!("{error} {error:?}");
    let not_sent = matches!(error, kube::Error::Auth(_) | kube::Error::BuildRequest(_) | kube::Error::HttpError(_))
        || ["tcp connect error", "client error (Connect)", "dns error", "certificate"]
            .iter()
            .any(|words| in_full.contains(words));
    if not_sent { RequestFailure::NotAsked(why) } else { RequestFailure::NoAnswer(why) }
}

/// An error with those that caused it, without what only names a layer, and nothing twice.
fn chain(error: &dyn std::error::Error) -> String {
    const LAYERS: [&str; 3] = ["ServiceError", "HyperError", "client error"];
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if LAYERS.iter().any(|layer| text.starts_with(layer)) && cause.source().is_some() {
            next = cause.source();
            continue;
        }
        if !told.iter().any(|before| before.contains(&text)) {
            told.push(text);
        }
        next = cause.source();
    }
    told.join(": ")
}
