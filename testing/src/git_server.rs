//! A Git server over HTTPS, with a password: `git http-backend` behind a small server.

use crate::certificates::Authority;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The name and the password that the server accepts.
pub const USER: &str = "ann";
pub const PASSWORD: &str = "CANARY-git";

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

/// A running server, until it is dropped.
pub struct GitServer {
    port: u16,
    pushes: Arc<Mutex<Pushes>>,
    _runtime: Runtime,
}

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
        let pushes: Arc<Mutex<Pushes>> = Arc::default();
        let (root, shared) = (folder.to_path_buf(), pushes.clone());
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, root, pushes) = (acceptor.clone(), root.clone(), shared.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| answer(request, root.clone(), pushes.clone()));
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        GitServer { port, pushes, _runtime: runtime }
    }

    /// The address of a repository, without a password.
    pub fn url(&self, repository: &str) -> String {
        format!("https://localhost:{}/{repository}", self.port)
    }

    pub fn pushes(&self, pushes: Pushes) {
        *self.pushes.lock().unwrap() = pushes;
    }
}

async fn answer(
    request: Request<Incoming>,
    root: PathBuf,
    pushes: Arc<Mutex<Pushes>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let plain = |status: StatusCode| Response::builder().status(status).body(Full::default()).unwrap();
    let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    if request.headers().get(header::AUTHORIZATION).is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        let mut response = plain(StatusCode::UNAUTHORIZED);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, "Basic realm=\"git\"".parse().unwrap());
        return Ok(response);
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let is_push = parts.uri.path().ends_with("/git-receive-pack");
    let policy = *pushes.lock().unwrap();
    if is_push && policy == Pushes::Forbidden {
        return Ok(plain(StatusCode::FORBIDDEN));
    }
    let response = tokio::task::spawn_blocking(move || backend(&parts, &body, &root)).await.unwrap();
    Ok(if is_push && policy == Pushes::DoneWithoutAnswer { plain(StatusCode::BAD_GATEWAY) } else { response })
}

/// Runs `git http-backend` for a request.
fn backend(request: &http::request::Parts, body: &[u8], root: &Path) -> Response<Full<Bytes>> {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
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
    let sent = body.to_vec();
    let writing = std::thread::spawn(move || drop(stdin.write_all(&sent)));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    let end = output.stdout.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(output.stdout.len());
    let (head, body) = output.stdout.split_at(end);
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(head).lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => response = response.status(status.split(' ').next().unwrap_or("500")),
            Some((name, value)) => response = response.header(name, value),
            None => {}
        }
    }
    response.body(Full::new(Bytes::copy_from_slice(body.get(4..).unwrap_or_default()))).unwrap()
}
