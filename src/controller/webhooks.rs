//! Webhooks of Git servers: a push there means "ask now", and nothing more. What a webhook says is a hint; what is applied
//! comes from the Git server itself, as for every other poll.
//!
//! Everybody who can reach the port can send requests, so everything is bounded: connections, headers, bodies, time, and
//! how many are accepted. A request is answered before anything is done because of it.

use super::bearer::{TokenFile, same};
use super::http_server;
use bytes::Bytes;
use futures_util::future::join_all;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ring::hmac;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::broadcast;
use tokio::time::timeout;
use tracing::{debug, info};

/// The timeout of a connection.
const WHOLE: Duration = Duration::from_secs(10);
/// Maximum size of a request's body.
const LARGEST_BODY: usize = 64 * 1024;
/// How many webhooks are accepted at once, and how many a second.
const BURST: f64 = 20.0;
const PER_SECOND: f64 = 5.0;
/// The header of a webhook that another replica passed on.
const PASSED_ON: &str = "x-stablekey-passed-on";
/// The headers that show who sent a webhook.
const SIGNATURES: [&str; 2] = [GITHUB, GITLAB];
const GITHUB: &str = "x-hub-signature-256";
const GITLAB: &str = "x-gitlab-token";
/// How long a replica may take to answer what is passed on to it, and how many there are at most.
const PASSING: Duration = Duration::from_secs(2);
const MOST_PEERS: usize = 8;
/// How many requests a slow worker may miss. It then asks all servers.
const BACKLOG: usize = 64;

/// The options of the webhooks.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// The address that they are received on.
    pub listen: SocketAddr,
    /// The file with the secret of GitHub's webhooks.
    pub github: Option<TokenFile>,
    /// The file with the token of GitLab's webhooks.
    pub gitlab: Option<TokenFile>,
    /// A host and port at which all replicas are found: one that stands by passes webhooks on to the others.
    pub peers: Option<String>,
}

/// Passes on that Git servers are to be asked now: the addresses of repositories; without one, all.
#[derive(Clone, Debug)]
pub struct PollRequests(broadcast::Sender<Arc<BTreeSet<String>>>);

impl Default for PollRequests {
    fn default() -> Self {
        PollRequests(broadcast::channel(BACKLOG).0)
    }
}

impl PollRequests {
    /// Receives the requests from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<BTreeSet<String>>> {
        self.0.subscribe()
    }

    /// Whether anybody receives them: no replica does that stands by.
    fn has_receivers(&self) -> bool {
        self.0.receiver_count() > 0
    }

    fn send(&self, urls: BTreeSet<String>) {
        // Without a receiver there is nobody to ask.
        let _ = self.0.send(Arc::new(urls));
    }
}

/// The receiver of webhooks.
#[derive(Clone, Debug)]
pub(super) struct Webhooks {
    github: Option<TokenFile>,
    gitlab: Option<TokenFile>,
    peers: Option<String>,
    polls: PollRequests,
    accepted: Arc<Mutex<Bucket>>,
}

/// How many more webhooks are accepted now.
#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let more = now.saturating_duration_since(self.at).as_secs_f64() * PER_SECOND;
        (self.left, self.at) = ((self.left + more).min(BURST), now);
        let is_enough = self.left >= 1.0;
        if is_enough {
            self.left -= 1.0;
        }
        is_enough
    }
}

type Answer = (StatusCode, &'static str);

const ACCEPTED: Answer = (StatusCode::ACCEPTED, "accepted\n");
const UNAUTHORIZED: Answer = (StatusCode::UNAUTHORIZED, "the signature or token is missing or wrong\n");

impl Webhooks {
    pub(super) fn new(options: &WebhookOptions, polls: PollRequests) -> Self {
        let accepted = Arc::new(Mutex::new(Bucket { left: BURST, at: Instant::now() }));
        Webhooks {
            github: options.github.clone(),
            gitlab: options.gitlab.clone(),
            peers: options.peers.clone(),
            polls,
            accepted,
        }
    }

    /// Serves requests until it is dropped.
    pub(super) async fn serve(self, listener: TcpListener) {
        let answer = move |request| {
            let webhooks = self.clone();
            async move {
                let (status, text) = webhooks.answer_to(request).await;
                let mut answer = Response::new(text.to_string());
                *answer.status_mut() = status;
                answer
            }
        };
        http_server::serve(listener, WHOLE, answer).await;
    }

    async fn answer_to(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let (is_github, file) = match head.uri.path() {
            "/github" => (true, &self.github),
            "/gitlab" => (false, &self.gitlab),
            _ => return (StatusCode::NOT_FOUND, "there is /github and /gitlab\n"),
        };
        if head.method != Method::POST {
            return (StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
        }
        let Some(file) = file else { return (StatusCode::NOT_FOUND, "no webhooks of this server are received\n") };
        let Ok(secret) = file.token() else {
            return (StatusCode::SERVICE_UNAVAILABLE, "the file with the secret of these webhooks has none\n");
        };
        if !is_github && !has_token(&head.headers, secret.as_bytes()) {
            return UNAUTHORIZED;
        }
        let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
            return (StatusCode::PAYLOAD_TOO_LARGE, "a webhook has at most 64 kB: send pushes only\n");
        };
        let body = body.to_bytes();
        if is_github && !is_signed(&head.headers, secret.as_bytes(), &body) {
            return UNAUTHORIZED;
        }
        if !self.accepted.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()) {
            return (StatusCode::TOO_MANY_REQUESTS, "too many webhooks: the server is asked at its interval\n");
        }
        if !self.polls.has_receivers() {
            return self.pass_on(&head, body).await;
        }
        let urls = repositories(&body);
        debug!(repositories = ?urls, "a webhook came");
        self.polls.send(urls);
        ACCEPTED
    }

    /// Passes a webhook on to the other replicas, because this one stands by. Whoever gets it checks it again.
    async fn pass_on(&self, head: &Parts, body: Bytes) -> Answer {
        const STANDBY: Answer =
            (StatusCode::SERVICE_UNAVAILABLE, "this replica stands by: the server is asked at its interval\n");
        let Some(peers) = self.peers.as_ref().filter(|_| !head.headers.contains_key(PASSED_ON)) else { return STANDBY };
        let Ok(Ok(addresses)) = timeout(PASSING, lookup_host(peers.as_str())).await else { return STANDBY };
        let addresses: BTreeSet<SocketAddr> = addresses.take(MOST_PEERS).collect();
        let sent = addresses.into_iter().map(|address| timeout(PASSING, send(address, head, body.clone())));
        let accepted = join_all(sent).await.into_iter().flatten().any(|status| status == Some(StatusCode::ACCEPTED));
        if accepted { ACCEPTED } else { STANDBY }
    }
}

/// Sends a webhook to a replica; `None` if it does not answer.
async fn send(address: SocketAddr, head: &Parts, body: Bytes) -> Option<StatusCode> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let connection = tokio::spawn(connection);
    let mut request = Request::post(head.uri.path()).header(header::HOST, address.to_string()).header(PASSED_ON, "1");
    for name in SIGNATURES {
        if let Some(value) = head.headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = sender.send_request(request.body(Full::new(body)).ok()?).await;
    connection.abort();
    answer.ok().map(|answer| answer.status())
}

/// Listens for webhooks.
pub(super) async fn listen(options: &WebhookOptions) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(options.listen).await?;
    info!(address = %listener.local_addr()?, "receives webhooks");
    Ok(listener)
}

/// Whether a request of GitLab has this token.
fn has_token(headers: &HeaderMap, token: &[u8]) -> bool {
    headers.get(GITLAB).is_some_and(|sent| same(sent.as_bytes(), token))
}

/// Whether a request of GitHub is signed with this secret.
fn is_signed(headers: &HeaderMap, secret: &[u8], body: &[u8]) -> bool {
    let sent = headers.get(GITHUB).and_then(|sent| sent.to_str().ok());
    let Some(signature) = sent.and_then(|sent| bytes(sent.strip_prefix("sha256=")?)) else { return false };
    // Compares in constant time.
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), body, &signature).is_ok()
}

/// Parses 32 bytes in hexadecimal digits.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if hex.len() != 2 * out.len() {
        return None;
    }
    for (byte, at) in out.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(out)
}

/// What a webhook says about its repository.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    repository: Option<Named>,
    project: Option<Named>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    clone_url: Option<String>,
    html_url: Option<String>,
    git_http_url: Option<String>,
    web_url: Option<String>,
}

/// Returns the addresses of the repository that a webhook is about; none if it does not say.
fn repositories(body: &[u8]) -> BTreeSet<String> {
    let Body { repository, project } = serde_json::from_slice(body).unwrap_or_default();
    let of = |named: Named| [named.clone_url, named.html_url, named.git_http_url, named.web_url];
    repository.into_iter().chain(project).flat_map(of).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    const SECRET: &str = "CANARY-secret";
    const PUSH: &str = r#"{"ref": "refs/heads/main", "repository": {"clone_url": "https://git.example/a.git"}}"#;

    struct Listening {
        address: SocketAddr,
        polls: broadcast::Receiver<Arc<BTreeSet<String>>>,
        _folder: tempfile::TempDir,
    }

    async fn listening() -> Listening {
        listening_with(None).await
    }

    async fn listening_with(peers: Option<String>) -> Listening {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        let options = WebhookOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            github: Some(TokenFile::new(file.clone())),
            gitlab: Some(TokenFile::new(file)),
            peers,
        };
        let requests = PollRequests::default();
        let polls = requests.subscribe();
        let listener = listen(&options).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(Webhooks::new(&options, requests).serve(listener));
        Listening { address, polls, _folder: folder }
    }

    impl Listening {
        async fn post(&self, path: &str, header: &str, body: &str) -> u16 {
            let length = body.len();
            let words = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{header}\r\n{body}");
            let address = self.address;
            let said = tokio::task::spawn_blocking(move || {
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                let mut answer = Vec::new();
                // The server may close the connection while the client still sends.
                let _ = stream.write_all(words.as_bytes()).and_then(|()| stream.read_to_end(&mut answer).map(drop));
                String::from_utf8_lossy(&answer).into_owned()
            });
            let said = said.await.unwrap();
            assert!(!said.contains("CANARY"), "{said}");
            said.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
        }
    }

    fn signed(secret: &str, body: &str) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("X-Hub-Signature-256: sha256={hex}\r\n")
    }

    /// The example of GitHub's documentation.
    #[test]
    fn a_signature_is_as_github_makes_it() {
        let header = signed("It's a Secret to Everybody", "Hello, World!");
        assert!(header.contains("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"), "{header}");
    }

    #[tokio::test]
    async fn a_push_asks_for_a_poll_of_its_repository() {
        let mut here = listening().await;
        assert_eq!(here.post("/github", &signed(SECRET, PUSH), PUSH).await, 202);
        let urls = here.polls.try_recv().unwrap();
        assert_eq!(urls.iter().map(String::as_str).collect::<Vec<_>>(), ["https://git.example/a.git"]);
        let push = r#"{"object_kind": "push", "project": {"git_http_url": "https://git.example/b.git"}}"#;
        assert_eq!(here.post("/gitlab", &format!("X-Gitlab-Token: {SECRET}\r\n"), push).await, 202);
        assert!(here.polls.try_recv().unwrap().contains("https://git.example/b.git"));
        // What does not say which repository it is about is about all.
        for body in ["", "{}", "[1]", "payload=%7B", r#"{"repository": null}"#] {
            assert_eq!(here.post("/github", &signed(SECRET, body), body).await, 202, "{body}");
            assert!(here.polls.try_recv().unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn a_request_that_is_not_signed_does_nothing() {
        let mut here = listening().await;
        for header in
            [String::new(), signed("other", PUSH), signed(SECRET, "other"), "X-Hub-Signature-256: sha256=\r\n".into()]
        {
            assert_eq!(here.post("/github", &header, PUSH).await, 401, "{header}");
        }
        for header in ["", "X-Gitlab-Token: wrong\r\n", "X-Gitlab-Token: \r\n"] {
            assert_eq!(here.post("/gitlab", header, PUSH).await, 401, "{header}");
        }
        assert_eq!(here.post("/", &signed(SECRET, PUSH), PUSH).await, 404);
        assert!(here.polls.try_recv().is_err());
    }

    #[tokio::test]
    async fn large_bodies_and_many_requests_are_refused() {
        let mut here = listening().await;
        let large = "x".repeat(LARGEST_BODY + 1);
        assert!([413, 0].contains(&here.post("/github", &signed(SECRET, &large), &large).await));
        let whole = "x".repeat(LARGEST_BODY);
        assert_eq!(here.post("/github", &signed(SECRET, &whole), &whole).await, 202);
        assert!(here.polls.try_recv().is_ok());
        let mut refused = 0;
        for _ in 0..200 {
            refused += usize::from(here.post("/github", &signed(SECRET, PUSH), PUSH).await == 429);
        }
        assert!(refused > 0);
    }

    #[test]
    fn so_many_webhooks_are_accepted_a_second() {
        let now = Instant::now();
        let mut bucket = Bucket { left: BURST, at: now };
        assert_eq!((0..100).filter(|_| bucket.take(now)).count(), 20);
        assert_eq!((0..100).filter(|_| bucket.take(now + Duration::from_secs(1))).count(), 5);
        assert_eq!((0..100).filter(|_| bucket.take(now + Duration::from_secs(3_600))).count(), 20);
    }

    /// A replica that stands by has nobody to ask.
    #[tokio::test]
    async fn a_standby_says_so() {
        let here = listening().await;
        let Listening { address, polls, _folder } = here;
        drop(polls);
        let here = Listening { address, polls: PollRequests::default().subscribe(), _folder };
        assert_eq!(here.post("/github", &signed(SECRET, PUSH), PUSH).await, 503);
    }

    /// A Service sends a webhook to any replica: one that stands by passes it on to the one that leads.
    #[tokio::test]
    async fn a_standby_passes_webhooks_on() {
        let mut leader = listening().await;
        let Listening { address, polls, _folder } = listening_with(Some(leader.address.to_string())).await;
        drop(polls);
        let standby = Listening { address, polls: PollRequests::default().subscribe(), _folder };
        assert_eq!(standby.post("/github", &signed(SECRET, PUSH), PUSH).await, 202);
        assert_eq!(leader.polls.try_recv().unwrap().len(), 1);
        assert_eq!(standby.post("/github", &signed("other", PUSH), PUSH).await, 401);
        // Two that stand by do not pass it to and fro.
        let Listening { address, polls, _folder } = leader;
        drop(polls);
        let leader = Listening { address, polls: PollRequests::default().subscribe(), _folder };
        assert_eq!(standby.post("/github", &signed(SECRET, PUSH), PUSH).await, 503);
        let passed = format!("{}X-Stablekey-Passed-On: 1\r\n", signed(SECRET, PUSH));
        assert_eq!(leader.post("/github", &passed, PUSH).await, 503);
    }
}
