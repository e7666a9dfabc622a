//! A plain client that sends only the necessary requests, at once.

use crate::Outcome;
use crate::clusters::load::Load;
use http::{Method, Request};
use k8s_openapi::ByteString;
use kube::config::Kubeconfig;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use stablekey::api::{API_VERSION, Kind};
use stablekey::kubernetes::cache::Delta;
use stablekey::kubernetes::client::Server;
use stablekey::kubernetes::connect::Servers;
use stablekey::kubernetes::list::{Listing, MOST, PAGE};
use stablekey::kubernetes::paths::Paths;
use stablekey::kubernetes::watch::{WatchEvent, WatchHandle, WatchSet};
use stablekey_clusters::Cluster;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// A client of one cluster.
pub struct Client {
    load: Load,
    server: Server,
}

/// An object of a watch event: its name, and its changed value.
pub type Stamped = (String, String);

impl Client {
    /// Creates a client for the administrator of a cluster.
    pub fn of(cluster: &Cluster) -> Outcome<Self> {
        let load = Load::on(cluster.kubeconfig())?;
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
        let server = load.wait(Servers::default().connect_by(kubeconfig, cluster.name()))?;
        Ok(Client { load, server })
    }

    /// Patches an object.
    pub fn patch(&self, path: &str, patch: &Value) -> Outcome<()> {
        self.load.ask(merge(path, patch)?).map(drop)
    }

    /// Patches many objects.
    pub fn patch_all(&self, patches: &[(String, Value)], in_flight: usize) -> Outcome<()> {
        let requests = patches.iter().map(|(path, patch)| merge(path, patch)).collect::<Outcome<_>>()?;
        self.load.send_all(requests, in_flight)
    }

    /// Reads an object.
    pub fn get(&self, path: &str) -> Outcome<Value> {
        Ok(serde_json::from_slice(&self.load.ask(Request::get(path).body(Vec::new())?)?)?)
    }

    /// Lists by pages, and reads only the continuation.
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

    /// Creates an object in a collection.
    pub fn create(&self, path: &str, object: &Value) -> Outcome<()> {
        self.create_all(&[(path.to_string(), object.clone())], 1)
    }

    /// Creates many objects, each in its collection.
    pub fn create_all(&self, objects: &[(String, Value)], in_flight: usize) -> Outcome<()> {
        let requests = objects.iter().map(|(path, object)| {
            let request = Request::post(path).header("content-type", "application/json");
            Ok(request.body(object.to_string().into_bytes())?)
        });
        self.load.send_all(requests.collect::<Outcome<_>>()?, in_flight)
    }

    /// Writes many objects by server-side apply, as a field manager.
    pub fn apply_all(&self, objects: &[(String, Value)], manager: &str, in_flight: usize) -> Outcome<()> {
        let requests = objects.iter().map(|(path, object)| {
            let path = format!("{path}?fieldManager={manager}&force=true");
            let request = Request::builder().method(Method::PATCH).uri(path);
            Ok(request.header("content-type", "application/apply-patch+yaml").body(object.to_string().into_bytes())?)
        });
        self.load.send_all(requests.collect::<Outcome<_>>()?, in_flight)
    }

    /// Deletes an object.
    pub fn delete(&self, path: &str) -> Outcome<()> {
        self.load.ask(Request::delete(path).body(Vec::new())?).map(drop)
    }

    /// Watches the objects of a list from now on.
    pub fn watch(&self, paths: &Paths, listing: Listing<Stamped>) -> Outcome<(Receiver<Stamped>, WatchHandle)> {
        let (tell, told) = channel();
        let following = self.watch_by(paths, listing, move |stamped| drop(tell.send(stamped)))?;
        Ok((told, following))
    }

    /// Like `watch`, with the time of each event.
    pub fn watch_timed(
        &self,
        paths: &Paths,
        listing: Listing<Stamped>,
    ) -> Outcome<(Receiver<(Instant, Stamped)>, WatchHandle)> {
        let (tell, told) = channel();
        let following = self.watch_by(paths, listing, move |stamped| drop(tell.send((Instant::now(), stamped))))?;
        Ok((told, following))
    }

    fn watch_by(
        &self,
        paths: &Paths,
        listing: Listing<Stamped>,
        heard: impl Fn(Stamped) + Send + Sync + 'static,
    ) -> Outcome<WatchHandle> {
        let (begun, begins) = channel();
        let has_begun = AtomicBool::new(false);
        let tell = Arc::new(move |news: WatchEvent<Delta<Stamped>>| match news {
            WatchEvent::Changed(Delta::Set(stamped), _) => heard(stamped),
            // The server dropped the watch's resource version: changes since then are among these.
            WatchEvent::Changed(Delta::All(all), _) if has_begun.load(Ordering::Relaxed) => {
                all.into_iter().for_each(&heard)
            }
            WatchEvent::Watched(_) => {
                has_begun.store(true, Ordering::Relaxed);
                let _ = begun.send(());
            }
            _ => {}
        });
        let mut watches = WatchSet::new(&self.server, paths, tell);
        watches.watch(listing, |news| news);
        let following = watches.done();
        begins.recv()?;
        Ok(following)
    }
}

/// The connections of a namespace.
pub fn connections(paths: &Paths) -> Listing<Stamped> {
    let stamped =
        |object: Object| object.spec.inputs.get("stamp").map(|stamp| (object.metadata.name, stamp.value.clone()));
    listing(paths.kind(Kind::Connection), Kind::Connection.plural(), String::new(), stamped)
}

/// The connections of all namespaces, each by its namespace and name.
pub fn connections_everywhere() -> Listing<Stamped> {
    let stamped = |object: Object| {
        let Metadata { name, namespace } = object.metadata;
        object.spec.inputs.get("stamp").map(|stamp| (format!("{namespace}/{name}"), stamp.value.clone()))
    };
    let path = format!("/apis/{API_VERSION}/{}", Kind::Connection.plural());
    listing(path, Kind::Connection.plural(), String::new(), stamped)
}

/// The connections of a namespace, including unchanged ones.
pub fn all_connections(paths: &Paths) -> Listing<Stamped> {
    let named = |object: Object| Some((object.metadata.name, String::new()));
    listing(paths.kind(Kind::Connection), Kind::Connection.plural(), String::new(), named)
}

/// The Secrets of a namespace with a label: name, and the credential in each.
pub fn secrets(paths: &Paths, label: &str) -> Listing<Stamped> {
    let stamped = |object: Object| {
        let value = ["clientSecret", "value"].iter().find_map(|key| object.data.get(*key))?;
        Some((object.metadata.name, String::from_utf8(value.0.clone()).ok()?))
    };
    listing(
        paths.secrets(),
        "secrets",
        format!("&labelSelector={}", label.replace('/', "%2F").replace('=', "%3D")),
        stamped,
    )
}

fn listing(
    path: String,
    resource: &'static str,
    selector: String,
    stamped: impl Fn(Object) -> Option<Stamped> + Send + Sync + 'static,
) -> Listing<Stamped> {
    let read = move |page: &[Box<RawValue>]| {
        page.iter().filter_map(|object| stamped(serde_json::from_str(object.get()).ok()?)).collect()
    };
    Listing { path, resource, selector, read: Arc::new(read), most: MOST, page: PAGE }
}

/// The fields of an object that are read.
#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    data: BTreeMap<String, ByteString>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    inputs: BTreeMap<String, Stamp>,
}

#[derive(Deserialize)]
struct Stamp {
    #[serde(default)]
    value: String,
}

fn merge(path: &str, patch: &Value) -> Outcome<Request<Vec<u8>>> {
    let request = Request::builder().method(Method::PATCH).uri(path);
    Ok(request.header("content-type", "application/merge-patch+json").body(patch.to_string().into_bytes())?)
}
