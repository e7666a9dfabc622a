//! A Git server over HTTPS, with a password: `git http-backend` behind a small server that counts requests and injects
//! the faults of networks and servers.

use crate::certificates::Authority;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::unfold;
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The name and the password that the server accepts.
pub const USER: &str = "ann";
pub const PASSWORD: &str = "CANARY-git";
/// The token that the server accepts too.
pub const TOKEN: &str = "CANARY-git-token";

/// What the server does with a push, besides carrying it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pushes {
    /// It carries them out.
    #[default]
    Done,
    /// It refuses them: the account may only read.
    Forbidden,
    /// It carries them out, and the answer is an error.
    DoneWithoutAnswer,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What the server can do.
    Capabilities,
    /// The branches and tags.
    List,
    /// A commit and its files.
    Fetch,
    Push,
}

/// What the server does in place of answering as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It accepts the request, and never answers.
    Silent,
    /// It answers as it should, a byte at a time, with a pause before each.
    Drip(Duration),
    /// It answers as it should, and cuts the connection after so many bytes.
    Cut(usize),
    /// It answers as it should, but for one bit of the byte at this place before the end.
    Damage(usize),
    /// It answers with a head of its own and this text.
    Say(u16, Vec<(&'static str, String)>, &'static str),
    /// It answers as a Git server does, and the answer has no end.
    Endless,
}

/// A request that the server accepted.
#[derive(Clone, Debug)]
pub struct Seen {
    pub step: Step,
    /// From the first `/` on.
    pub path: String,
    /// Size of the request's body, in bytes.
    pub sent: usize,
    /// Size of the answer's body that the client took, in bytes.
    pub answered: usize,
}

#[derive(Default)]
struct ServerState {
    pushes: Pushes,
    fault: Option<(Step, Fault)>,
    seen: Vec<Seen>,
    /// Number of requests without accepted credentials.
    refused: usize,
}

/// A running server, until it is dropped.
pub struct GitServer {
    port: u16,
    state: Arc<Mutex<ServerState>>,
    _runtime: Runtime,
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

impl GitServer {
    /// Serves the repositories below a folder as https://localhost.
    pub fn start(folder: &Path, authority: &Authority) -> Self {
        let certificate = authority.certificate(&["localhost"]);
        let chain = vec![CertificateDer::from_pem_slice(certificate.pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state: Arc<Mutex<ServerState>> = Arc::default();
        let (root, shared) = (folder.to_path_buf(), state.clone());
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, root, state) = (acceptor.clone(), root.clone(), shared.clone());
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| answer(request, root.clone(), state.clone()));
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        GitServer { port, state, _runtime: runtime }
    }

    /// The address of a repository, without a password.
    pub fn url(&self, repository: &str) -> String {
        format!("https://{}/{repository}", self.host())
    }

    /// The host, with the port.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub fn pushes(&self, pushes: Pushes) {
        self.state.lock().unwrap().pushes = pushes;
    }

    /// Injects a fault into each answer of a step, from now on.
    pub fn fault(&self, step: Step, fault: Fault) {
        self.state.lock().unwrap().fault = Some((step, fault));
    }

    /// Answers as it should, from now on.
    pub fn heal(&self) {
        self.state.lock().unwrap().fault = None;
    }

    /// The accepted requests since the last call.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// Number of requests without accepted credentials.
    pub fn refused(&self) -> usize {
        self.state.lock().unwrap().refused
    }
}

fn whole(status: StatusCode, bytes: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync();
    Response::builder().status(status).body(body).unwrap()
}

async fn answer(
    request: Request<Incoming>,
    root: PathBuf,
    state: Arc<Mutex<ServerState>>,
) -> Result<Response<Body>, std::io::Error> {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
    let password = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    if given.is_none_or(|given| given != password && given != format!("Bearer {TOKEN}")) {
        state.lock().unwrap().refused += 1;
        let mut response = whole(StatusCode::UNAUTHORIZED, "CANARY-page: log in");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, "Basic realm=\"git\"".parse().unwrap());
        return Ok(response);
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let has = |text: &[u8]| body.windows(text.len()).any(|window| window == text);
    let step = match parts.uri.path() {
        path if path.ends_with("/git-receive-pack") => Step::Push,
        path if path.ends_with("/info/refs") => Step::Capabilities,
        _ if has(b"command=ls-refs") => Step::List,
        _ => Step::Fetch,
    };
    let (pushes, fault, number) = {
        let mut state = state.lock().unwrap();
        let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        state.seen.push(Seen { step, path, sent: body.len(), answered: 0 });
        let fault = state.fault.as_ref().filter(|(at, _)| *at == step).map(|(_, fault)| fault.clone());
        (state.pushes, fault, state.seen.len() - 1)
    };
    if step == Step::Push && pushes == Pushes::Forbidden {
        return Ok(whole(StatusCode::FORBIDDEN, ""));
    }
    match &fault {
        Some(Fault::Silent) => std::future::pending().await,
        Some(Fault::Say(status, headers, text)) => {
            let mut response = whole(StatusCode::from_u16(*status).unwrap(), *text);
            for (name, value) in headers {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            return Ok(response);
        }
        _ => {}
    }
    let (mut response, mut bytes) = tokio::task::spawn_blocking(move || backend(&parts, body, &root)).await.unwrap();
    if step == Step::Push && pushes == Pushes::DoneWithoutAnswer {
        return Ok(whole(StatusCode::BAD_GATEWAY, ""));
    }
    if let Some(fault) = fault {
        bytes = faulty(bytes, fault);
        response = response.header(header::CACHE_CONTROL, "no-cache");
    }
    let frames = unfold((bytes, state), move |(mut bytes, state)| async move {
        let piece = bytes.recv().await?;
        if let (Ok(piece), Some(seen)) = (&piece, state.lock().unwrap().seen.get_mut(number)) {
            seen.answered += piece.len();
        }
        Some((piece.map(Frame::data), (bytes, state)))
    });
    Ok(response.body(BodyExt::boxed_unsync(StreamBody::new(frames))).unwrap())
}

type Pieces = mpsc::Receiver<Result<Bytes, std::io::Error>>;

/// An answer with a fault.
fn faulty(mut real: Pieces, fault: Fault) -> Pieces {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        if fault == Fault::Endless {
            // A line of Git's protocol after the other.
            while sender.send(Ok(Bytes::from(format!("ffe0{}", "0".repeat(0xffdc))))).await.is_ok() {}
            return;
        }
        let mut all = Vec::new();
        while let Some(Ok(piece)) = real.recv().await {
            all.extend_from_slice(&piece);
        }
        match fault {
            Fault::Drip(pause) => {
                let mut ticks = tokio::time::interval(pause);
                for byte in all {
                    ticks.tick().await;
                    if sender.send(Ok(Bytes::from(vec![byte]))).await.is_err() {
                        return;
                    }
                }
            }
            Fault::Cut(after) => {
                all.truncate(after);
                let _ = sender.send(Ok(Bytes::from(all))).await;
                let _ = sender.send(Err(std::io::Error::other("cut"))).await;
            }
            Fault::Damage(before_end) => {
                let at = all.len().saturating_sub(before_end);
                all[at] ^= 1;
                let _ = sender.send(Ok(Bytes::from(all))).await;
            }
            Fault::Silent | Fault::Say(..) | Fault::Endless => {}
        }
    });
    receiver
}

/// Runs `git http-backend` for a request, and passes its answer on as it comes.
fn backend(request: &http::request::Parts, body: Bytes, root: &Path) -> (http::response::Builder, Pieces) {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("REMOTE_USER", USER)
        .env("REQUEST_METHOD", request.method.as_str())
        .env("PATH_INFO", request.uri.path())
        .env("QUERY_STRING", request.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::spawn(move || drop(stdin.write_all(&body)));
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut response = Response::builder();
    loop {
        let mut line = String::new();
        let length = stdout.read_line(&mut line).unwrap_or_default();
        match line.trim_end().split_once(": ") {
            Some(("Status", status)) => response = response.status(status.split(' ').next().unwrap_or("500")),
            Some((name, value)) => response = response.header(name, value),
            None if length == 0 || line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        loop {
            match stdout.read(&mut piece) {
                Ok(length) if length > 0 => {
                    let sent = sender.blocking_send(Ok(Bytes::copy_from_slice(&piece[..length])));
                    if sent.is_err() {
                        break;
                    }
                }
                _ => break,
            }
        }
        // Without a reader it ends at its next write.
        drop(stdout);
        let _ = child.wait();
    });
    (response, receiver)
}
