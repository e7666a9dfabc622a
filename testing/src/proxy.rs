//! A proxy to a real API server, which counts requests and injects the faults of networks and servers.

use bytes::Bytes;
use futures_util::stream::unfold;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use stablekey_clusters::Cluster;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is forwarded.
    Pass,
    /// The proxy answers this; the server does not get it.
    Say(StatusCode, Option<&'static str>),
    /// The server gets it, and the proxy answers this.
    DoAndSay(StatusCode),
    /// The connection is cut before the server gets it.
    CutBefore,
    /// The server gets it, and the connection is cut.
    CutAfter,
    /// The server gets it, which is signalled here, and there is no answer.
    DoAndTell(Sender<()>),
    /// The server does not get it, and there is no answer.
    Swallow,
    /// It is forwarded, and every open watch is cut.
    CutWatches,
    /// The server does not get it; the proxy answers with these pieces, by their number, until there is none.
    Pieces(StatusCode, Pieces),
}

/// The answer of something that is not an API server.
#[derive(Clone)]
pub struct Pieces(pub Arc<dyn Fn(usize) -> Option<Bytes> + Send + Sync>);

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pieces")
    }
}

/// A request that passed the proxy.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its number, from 1.
    pub number: usize,
    pub method: Method,
    pub path: String,
}

impl Seen {
    pub fn writes(&self) -> bool {
        self.method != Method::GET
    }

    /// Whether it is caused by the work, unlike those for Leases, probes and events.
    pub fn is_of_work(&self) -> bool {
        !["/leases", "/readyz", "/events"].iter().any(|with_time| self.path.contains(with_time))
    }
}

type Decide = Arc<Mutex<dyn FnMut(&Seen) -> Fate + Send>>;

/// A proxy to a cluster, which ends when this is dropped.
pub struct Proxy {
    /// The kubeconfig for clients of the proxy; its context has the cluster's name.
    pub kubeconfig: PathBuf,
    seen: Arc<Mutex<Vec<Seen>>>,
    cuts: watch::Sender<()>,
    _runtime: Runtime,
    _folder: tempfile::TempDir,
}

struct ProxyState {
    /// The administrator's client.
    client: kube::Client,
    /// A client with the credentials of the forwarded request.
    nobody: kube::Client,
    decide: Decide,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Signals that every watch is cut.
    cuts: watch::Sender<()>,
}

type Answer = UnsyncBoxBody<Bytes, std::io::Error>;

impl ProxyState {
    fn see(&self, method: Method, path: String) -> Seen {
        let mut all = self.seen.lock().unwrap();
        let seen = Seen { number: all.len() + 1, method, path };
        all.push(seen.clone());
        seen
    }
}

impl Proxy {
    /// Starts a proxy with the cluster's own certificate.
    pub fn to(cluster: &Cluster, decide: impl FnMut(&Seen) -> Fate + Send + 'static) -> Self {
        Proxy::of(cluster, cluster.kubeconfig(), decide)
    }

    /// Starts a proxy for the user of this kubeconfig.
    pub fn of(cluster: &Cluster, whose: &Path, decide: impl FnMut(&Seen) -> Fate + Send + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let tls = acceptor(cluster.folder());
        let cuts = watch::Sender::new(());
        let (port, task) = runtime.block_on(async {
            let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
            let mut config =
                kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
            config.default_retry = false;
            config.read_timeout = None;
            let client = kube::Client::try_from(config.clone()).unwrap();
            config.auth_info = Default::default();
            let nobody = kube::Client::try_from(config).unwrap();
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let decide = Arc::new(Mutex::new(decide));
            let way = ProxyState { client, nobody, decide, seen: seen.clone(), cuts: cuts.clone() };
            (port, serve(listener, tls, Arc::new(way)))
        });
        runtime.spawn(task);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        let there = std::fs::read_to_string(whose).unwrap();
        let here = there.replace(cluster.server(), &format!("https://127.0.0.1:{port}"));
        assert_ne!(there, here);
        std::fs::write(&path, here).unwrap();
        Proxy { kubeconfig: path, seen, cuts, _runtime: runtime, _folder: folder }
    }

    /// Cuts every open watch.
    pub fn cut_watches(&self) {
        self.cuts.send_replace(());
    }

    /// Returns the requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificates = CertificateDer::pem_file_iter(folder.join("serving.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("serving.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(certificates.map(Result::unwrap).collect(), key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, way: Arc<ProxyState>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (way, tls) = (way.clone(), tls.clone());
        tokio::spawn(async move { answer(stream, tls, way).await });
    }
}

async fn answer(stream: TcpStream, tls: TlsAcceptor, way: Arc<ProxyState>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(move |request| pass(way.clone(), request));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Forwards a request. An error cuts the connection.
async fn pass(way: Arc<ProxyState>, request: Request<Incoming>) -> Result<Response<Answer>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let is_watch = path.contains("watch=1");
    let seen = way.see(parts.method.clone(), path.clone());
    // The decision may block, for example on a kubectl that does something meanwhile.
    let decide = way.decide.clone();
    let fate = tokio::task::spawn_blocking(move || (decide.lock().unwrap())(&seen)).await.unwrap();
    match fate {
        Fate::Say(status, after) => return Ok(status_of(status, after)),
        Fate::CutBefore => return Err(std::io::Error::other("cut")),
        Fate::Swallow => std::future::pending().await,
        Fate::Pieces(status, pieces) => {
            let frames = unfold(0, move |number| {
                let piece = (pieces.0)(number);
                async move { piece.map(|piece| (Ok(Frame::data(piece)), number + 1)) }
            });
            let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
            return Ok(answer.body(BodyExt::boxed_unsync(StreamBody::new(frames))).unwrap());
        }
        Fate::Pass | Fate::DoAndSay(_) | Fate::DoAndTell(_) | Fate::CutAfter | Fate::CutWatches => {}
    }
    let bytes = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let mut on = Request::builder().method(parts.method).uri(path);
    *on.headers_mut().unwrap() = end_to_end(&parts.headers);
    let client = if parts.headers.contains_key(header::AUTHORIZATION) { &way.nobody } else { &way.client };
    let cuts = way.cuts.subscribe();
    let answer = client.send(on.body(Body::from(bytes.to_vec())).unwrap()).await.map_err(std::io::Error::other)?;
    let (answer, body) = answer.into_parts();
    let mut back = Response::builder().status(answer.status);
    *back.headers_mut().unwrap() = end_to_end(&answer.headers);
    if is_watch && answer.status.is_success() && matches!(fate, Fate::Pass | Fate::CutWatches) {
        if let Fate::CutWatches = fate {
            way.cuts.send_replace(());
        }
        return Ok(back.body(until_cut(body, cuts)).unwrap());
    }
    let goes_on = is_watch && answer.status.is_success();
    let bytes = if goes_on { Bytes::new() } else { body.collect().await.map_err(std::io::Error::other)?.to_bytes() };
    match fate {
        Fate::DoAndSay(status) => return Ok(status_of(status, None)),
        Fate::CutAfter => return Err(std::io::Error::other("cut")),
        Fate::DoAndTell(tell) => {
            let _ = tell.send(());
            std::future::pending().await
        }
        Fate::CutWatches => way.cuts.send_replace(()),
        _ => {}
    }
    Ok(back.body(whole(bytes)).unwrap())
}

fn whole(bytes: Bytes) -> Answer {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// Streams an answer until every watch is cut.
fn until_cut(body: Body, cuts: watch::Receiver<()>) -> Answer {
    let frames = unfold((body, cuts), |(mut body, mut cuts)| async move {
        let frame = tokio::select! {
            frame = body.frame() => frame?.map_err(std::io::Error::other),
            _ = cuts.changed() => Err(std::io::Error::other("cut")),
        };
        Some((frame.map(|frame| Frame::data(frame.into_data().unwrap_or_default())), (body, cuts)))
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}

/// Returns the headers that are not of one connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for of_connection in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
        kept.remove(of_connection);
    }
    kept
}

fn status_of(code: StatusCode, after: Option<&'static str>) -> Response<Answer> {
    let body = format!(
        "{{\"apiVersion\": \"v1\", \"kind\": \"Status\", \"status\": \"Failure\", \"message\": \"made to say {0}\", \"code\": {0}}}",
        code.as_u16()
    );
    let mut answer = Response::builder().status(code).header(header::CONTENT_TYPE, "application/json");
    if let Some(after) = after {
        answer = answer.header(header::RETRY_AFTER, after);
    }
    answer.body(whole(Bytes::from(body))).unwrap()
}
