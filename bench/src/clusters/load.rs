//! A plain client that sends many requests and ignores the answers, to measure the capacity of a server.

use crate::Outcome;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use stablekey::api::{API_VERSION, Kind, Resource};
use stablekey::kubernetes::MANAGER;
use std::path::Path;
use tokio::runtime::{Builder, Runtime};

/// As many as the program has.
const THREADS: usize = 2;

/// A client of one cluster.
pub struct Load {
    runtime: Runtime,
    client: kube::Client,
}

/// An object's name, and the body that creates it.
pub type Named = (String, Vec<u8>);

impl Load {
    /// Creates a client for the administrator of a kubeconfig.
    pub fn on(kubeconfig: &Path) -> Outcome<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let options = KubeConfigOptions::default();
        let config = runtime.block_on(kube::Config::from_custom_kubeconfig(kubeconfig, &options))?;
        let entered = runtime.enter();
        let client = kube::Client::try_from(config)?;
        drop(entered);
        Ok(Load { runtime, client })
    }

    /// Reconstructs the bodies that created the connections of a namespace.
    pub fn bodies(&self, namespace: &str) -> Outcome<Vec<Named>> {
        let list = Request::get(path(Kind::Connection, namespace)).body(Vec::new())?;
        let list: Value = serde_json::from_slice(&self.ask(list)?)?;
        let items = list["items"].as_array().ok_or("this is no list")?;
        let named = items.iter().map(|item| {
            let metadata = &item["metadata"];
            let name = metadata["name"].as_str().unwrap_or_default();
            let body = json!({
                "apiVersion": API_VERSION,
                "kind": Kind::Connection.as_str(),
                "metadata": {"name": name, "resourceVersion": "1", "annotations": metadata["annotations"]},
                "spec": item["spec"],
            });
            (name.to_string(), body.to_string().into_bytes())
        });
        Ok(named.collect())
    }

    /// Creates connections by server-side apply.
    pub fn apply(&self, bodies: &[Named], namespace: &str, in_flight: usize) -> Outcome<()> {
        let folder = path(Kind::Connection, namespace);
        let requests = bodies.iter().map(|(name, body)| {
            let path = format!("{folder}/{name}?fieldManager={MANAGER}&force=true");
            let request = Request::builder().method(Method::PATCH).uri(path);
            Ok(request.header("content-type", "application/apply-patch+yaml").body(body.clone())?)
        });
        self.send_all(requests.collect::<Outcome<_>>()?, in_flight)
    }

    /// Creates resources by POST.
    pub fn create(&self, resources: &[Resource], namespace: &str, in_flight: usize) -> Outcome<()> {
        let requests = resources.iter().map(|resource| {
            let request = Request::post(path(resource.kind(), namespace)).header("content-type", "application/json");
            Ok(request.body(resource.to_json()?.to_string().into_bytes())?)
        });
        self.send_all(requests.collect::<Outcome<_>>()?, in_flight)
    }

    /// Sends requests, this many in flight.
    pub fn send_all(&self, requests: Vec<Request<Vec<u8>>>, in_flight: usize) -> Outcome<()> {
        let sent = stream::iter(requests).map(|request| self.send(request)).buffer_unordered(in_flight);
        self.runtime.block_on(sent.try_for_each(|_| std::future::ready(Ok(()))))
    }

    /// Sends a request, and returns the body of the answer.
    pub fn ask(&self, request: Request<Vec<u8>>) -> Outcome<Vec<u8>> {
        self.runtime.block_on(self.send(request))
    }

    /// Blocks on a future.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    async fn send(&self, request: Request<Vec<u8>>) -> Outcome<Vec<u8>> {
        let answer = self.client.send(request.map(Body::from)).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes().to_vec();
        if status.is_success() { Ok(body) } else { Err(String::from_utf8_lossy(&body).into()) }
    }
}

fn path(kind: Kind, namespace: &str) -> String {
    format!("/apis/{API_VERSION}/namespaces/{namespace}/{}", kind.plural())
}
