//! Between our program and a real API server: counts requests, and does to one what networks and
//! servers do.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use stablekey_clusters::Cluster;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is answered.
    Pass,
    /// The server says this instead, and does nothing.
    Say(StatusCode, Option<&'static str>),
    /// The server does it, and says this.
    DoAndSay(StatusCode),
    /// The connection is cut before the server hears of it.
    CutBefore,
    /// The server does it, and the connection is cut.
    CutAfter,
    /// The server does it, which is told here, and nothing is heard of it any more.
    DoAndTell(Sender<()>),
    /// Nothing is heard of it any more.
    Swallow,
}

/// A request as it is seen on its way.
#[derive(Clone, Debug)]
pub struct Seen {
    /// From 1.
    pub number: usize,
    pub method: Method,
    pub path: String,
}

impl Seen {
    pub fn writes(&self) -> bool {
        self.method != Method::GET
    }
}

type Decide = Arc<Mutex<dyn FnMut(&Seen) -> Fate + Send>>;

/// A way to a cluster. It ends with this value.
pub struct Proxy {
    /// For who should go this way: its context has the cluster's name.
    pub kubeconfig: PathBuf,
    seen: Arc<Mutex<Vec<Seen>>>,
    _runtime: Runtime,
    _folder: tempfile::TempDir,
}

struct Way {
    client: kube::Client,
    decide: Decide,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Way {
    fn see(&self, method: Method, path: String) -> Seen {
        let mut all = self.seen.lock().unwrap();
        let seen = Seen { number: all.len() + 1, method, path };
        all.push(seen.clone());
        seen
    }
}

impl Proxy {
    pub fn to(cluster: &Cluster, decide: impl FnMut(&Seen) -> Fate + Send + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (port, task) = runtime.block_on(async {
            let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
            let mut config =
                kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
            config.default_retry = false;
            let client = kube::Client::try_from(config).unwrap();
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let way = Arc::new(Way { client, decide: Arc::new(Mutex::new(decide)), seen: seen.clone() });
            (port, serve(listener, way))
        });
        runtime.spawn(task);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        let name = cluster.name();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {name}\ncontexts: [{{name: {name}, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: \"http://127.0.0.1:{port}\"}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
        );
        std::fs::write(&path, text).unwrap();
        Proxy { kubeconfig: path, seen, _runtime: runtime, _folder: folder }
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, way: Arc<Way>) {
    while let Ok((stream, _)) = listener.accept().await {
        let way = way.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| pass(way.clone(), request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// An error of the service cuts the connection.
async fn pass(way: Arc<Way>, request: Request<Incoming>) -> Result<Answer, std::io::Error> {
    let (parts, body) = request.into_parts();
    let watches = parts.uri.query().is_some_and(|query| query.split('&').any(|part| part == "watch=1"));
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let seen = way.see(parts.method.clone(), path.clone());
    // It may wait: for a kubectl that does something meanwhile.
    let decide = way.decide.clone();
    let fate = tokio::task::spawn_blocking(move || (decide.lock().unwrap())(&seen)).await.unwrap();
    match fate {
        Fate::Say(status, after) => return Ok(status_of(status, after)),
        Fate::CutBefore => return Err(std::io::Error::other("cut")),
        Fate::Swallow => std::future::pending().await,
        Fate::Pass | Fate::DoAndSay(_) | Fate::DoAndTell(_) | Fate::CutAfter => {}
    }
    let bytes = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let mut on = Request::builder().method(parts.method).uri(path);
    *on.headers_mut().unwrap() = end_to_end(&parts.headers);
    let answer = way.client.send(on.body(Body::from(bytes.to_vec())).unwrap()).await.map_err(std::io::Error::other)?;
    let (answer, body) = answer.into_parts();
    let mut back = Response::builder().status(answer.status);
    *back.headers_mut().unwrap() = end_to_end(&answer.headers);
    let body = body.map_err(std::io::Error::other);
    if watches && matches!(fate, Fate::Pass) {
        // It has no end: it is passed on as it comes.
        return Ok(back.body(body.boxed_unsync()).unwrap());
    }
    let bytes = if watches { Bytes::new() } else { body.collect().await?.to_bytes() };
    match fate {
        Fate::DoAndSay(status) => return Ok(status_of(status, None)),
        Fate::CutAfter => return Err(std::io::Error::other("cut")),
        Fate::DoAndTell(tell) => {
            let _ = tell.send(());
            std::future::pending().await
        }
        _ => {}
    }
    Ok(back.body(full(bytes)).unwrap())
}

/// Headers without those that are of one connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for of_connection in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
        kept.remove(of_connection);
    }
    kept
}

fn full(bytes: Bytes) -> UnsyncBoxBody<Bytes, std::io::Error> {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn status_of(code: StatusCode, after: Option<&'static str>) -> Answer {
    let body = format!(
        "{{\"apiVersion\": \"v1\", \"kind\": \"Status\", \"status\": \"Failure\", \"message\": \"made to say {0}\", \"code\": {0}}}",
        code.as_u16()
    );
    let mut answer = Response::builder().status(code).header(header::CONTENT_TYPE, "application/json");
    if let Some(after) = after {
        answer = answer.header(header::RETRY_AFTER, after);
    }
    answer.body(full(Bytes::from(body))).unwrap()
}
