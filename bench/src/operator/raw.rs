//! A plain client: what has to be sent, sent at once.

use crate::Outcome;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use stablekey::api::Kind;
use stablekey::engine::item::Item;
use stablekey::engine::item::ObjectId;
use stablekey::tenant::kubernetes::connect::Servers;
use stablekey::tenant::kubernetes::watch::{Follower, Following, Told};
use stablekey::tenant::kubernetes::{Live, News, Paths, Reading, Server, list};
use stablekey_clusters::Cluster;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use tokio::runtime::{Builder, Runtime};

/// A client of one cluster.
pub struct Client {
    runtime: Runtime,
    client: kube::Client,
    server: Server,
}

/// A connection as a watch tells of it: its name, and the value of its input `stamp`.
pub type Stamped = (String, String);

impl Client {
    /// The administrator of a cluster.
    pub fn of(cluster: &Cluster) -> Outcome<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
        let options = KubeConfigOptions::default();
        let config = runtime.block_on(kube::Config::from_custom_kubeconfig(kubeconfig.clone(), &options))?;
        let entered = runtime.enter();
        let client = kube::Client::try_from(config)?;
        drop(entered);
        let server = runtime.block_on(Servers::default().connect_by(kubeconfig, cluster.name()))?;
        Ok(Client { runtime, client, server })
    }

    /// Sets fields of an object.
    pub fn patch(&self, paths: &Paths, id: &ObjectId, patch: &Value) -> Outcome<()> {
        self.runtime.block_on(self.send(merge(paths, id, patch)?)).map(drop)
    }

    /// Sets fields of many objects.
    pub fn patch_all(&self, paths: &Paths, patches: &[(ObjectId, Value)], in_flight: usize) -> Outcome<()> {
        let requests: Vec<_> = patches.iter().map(|(id, patch)| merge(paths, id, patch)).collect::<Outcome<_>>()?;
        let sent = stream::iter(requests).map(|request| self.send(request)).buffer_unordered(in_flight);
        self.runtime.block_on(sent.try_for_each(|_| std::future::ready(Ok(()))))
    }

    /// Reads something.
    pub fn get(&self, path: &str) -> Outcome<Value> {
        let answer = self.runtime.block_on(self.send(Request::get(path).body(Vec::new())?))?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Lists by pages, and looks at nothing but where the next begins.
    pub fn list(&self, path: &str, page: usize) -> Outcome<()> {
        let mut next = String::new();
        loop {
            let answer = self.get(&format!("{path}?limit={page}{next}"))?;
            match answer["metadata"]["continue"].as_str().filter(|next| !next.is_empty()) {
                Some(more) => next = format!("&continue={more}"),
                None => return Ok(()),
            }
        }
    }

    /// What happens to the connections of a namespace from now on.
    pub fn watch(&self, paths: &Paths) -> Outcome<(Receiver<Stamped>, Following)> {
        let (tell, told) = channel();
        let (begun, begins) = channel();
        let tell = Arc::new(move |news: Told<News<Live<Item>>>| match news {
            Told::Heard(News::Set(live)) => {
                if let Ok(Item::Connection(connection)) = live.read
                    && let Some(stablekey::api::Input::Value(stamp)) = connection.spec.inputs.get("stamp")
                {
                    let _ = tell.send((live.name, stamp.clone()));
                }
            }
            Told::Followed(_) => drop(begun.send(())),
            _ => {}
        });
        let mut follower = Follower::new(&self.server, paths, tell);
        follower.follow(list::items(paths, Kind::Connection, Reading::Spec), |news| news);
        let following = follower.done();
        begins.recv()?;
        Ok((told, following))
    }

    async fn send(&self, request: Request<Vec<u8>>) -> Outcome<Vec<u8>> {
        let answer = self.client.send(request.map(Body::from)).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes().to_vec();
        if status.is_success() { Ok(body) } else { Err(String::from_utf8_lossy(&body).into()) }
    }
}

fn merge(paths: &Paths, id: &ObjectId, patch: &Value) -> Outcome<Request<Vec<u8>>> {
    let request = Request::builder().method(Method::PATCH).uri(paths.object(id));
    Ok(request.header("content-type", "application/merge-patch+json").body(patch.to_string().into_bytes())?)
}
