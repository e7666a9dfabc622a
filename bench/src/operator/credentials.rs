//! One tenant with connections that have test credentials, and the binder that writes them to binding Secrets.

use super::process::Process;
use super::raw::{Client, secrets};
use super::test_env::{apply, document, each, new_value};
use crate::clusters::load::Load;
use crate::{Outcome, generate};
use serde_json::{Value, json};
use stablekey::api::Kind;
use stablekey::kubernetes::paths::Paths;
use stablekey_clusters::{Namespace, shared};
use std::time::{Duration, Instant};

/// Number of connections with test credentials.
const TESTED: usize = 100;
const LONG: Duration = Duration::from_secs(300);

/// A namespace with this many resources and the measured ones.
pub struct Credentials {
    here: Namespace<'static>,
    client: Client,
    paths: Paths,
}

impl Credentials {
    /// Creates all objects.
    pub fn prepare(resources: usize) -> Outcome<Self> {
        let cluster = shared("bench-us");
        let here = cluster.namespace("tested");
        Load::on(cluster.kubeconfig())?.create(&generate::resources(resources), here.name(), 64)?;
        let mut objects = vec![document("Tenant", "us", json!({}))];
        for number in 0..TESTED {
            objects.extend([tested(number), credential(number), copy(number)]);
        }
        apply(&here, &objects)?;
        let paths = Paths::of(here.name());
        Ok(Credentials { client: Client::of(cluster)?, paths, here })
    }

    /// Returns the namespace of the objects.
    pub fn namespace(&self) -> &Namespace<'static> {
        &self.here
    }

    /// Starts the binder, and waits until everything is reconciled.
    pub fn start(&self) -> Outcome<Process> {
        let process = Process::start("binder", self.here.cluster(), &[&self.here])?;
        let deadline = Instant::now() + LONG;
        loop {
            let all = self.client.get(&self.paths.kind(Kind::Connection))?;
            let items = all["items"].as_array().map_or(&[][..], Vec::as_slice);
            let looked_at = items.iter().filter(|item| item["status"]["conditions"].is_array()).count();
            if looked_at > 0 && looked_at == items.len() {
                return Ok(process);
            }
            if Instant::now() > deadline {
                return Err(format!("of {} connections only {looked_at} were looked at", items.len()).into());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Changes one credential at a time; returns how long each takes to reach its binding Secret.
    pub fn change(&self, samples: usize) -> Outcome<Vec<Duration>> {
        let (told, _following) = self.client.watch(&self.paths, secrets(&self.paths, "stablekey.dev/for=binding"))?;
        each(&told, samples, |number| {
            let value = self.set(number)?;
            Ok(((format!("{}.test-binding", name_of(number)), value), Instant::now()))
        })
    }

    /// The same with a client that only copies what its watch delivers.
    pub fn relay(&self, samples: usize) -> Outcome<Vec<Duration>> {
        let sources = secrets(&self.paths, "stablekey.dev/for=connections");
        let (heard, _hearing) = self.client.watch(&self.paths, sources)?;
        let (told, _following) = self.client.watch(&self.paths, secrets(&self.paths, "bench=copy"))?;
        each(&told, samples, |number| {
            let value = self.set(number)?;
            let changed = Instant::now();
            while heard.recv_timeout(LONG)?.1 != value {}
            let copy = format!("copy-{:03}", number % TESTED);
            self.client.patch(&self.paths.secret(&copy), &json!({"stringData": {"value": value}}))?;
            Ok(((copy, value), changed))
        })
    }

    /// Sets a credential to a new value.
    fn set(&self, number: usize) -> Outcome<String> {
        let value = new_value(number);
        let path = self.paths.secret(&format!("of-{}", name_of(number)));
        self.client.patch(&path, &json!({"stringData": {"value": value}}))?;
        Ok(value)
    }
}

fn name_of(number: usize) -> String {
    format!("tested-{:03}", number % TESTED)
}

fn tested(number: usize) -> Value {
    let name = name_of(number);
    let value = |value: &str| json!({"value": value});
    let inputs = json!({
        "authorizeUrl": value("https://login.example/authorize"), "tokenUrl": value("https://login.example/token"),
        "clientId": value("id"), "instanceUrl": {"perCustomer": true},
        "clientSecret": {"secretRef": {"name": format!("of-{name}"), "key": "value"}},
    });
    let test = json!({"inputs": {"clientSecret": {"secretRef": {"name": format!("of-{name}"), "key": "value"}}}});
    let component = json!({"key": "salesforce", "public": true});
    let spec = json!({
        "stableKey": name, "component": component, "type": "oauth2", "credentials": "OrganizationCustomer",
        "inputs": inputs, "test": test,
    });
    document("Connection", &name, spec)
}

fn credential(number: usize) -> Value {
    let name = format!("of-{}", name_of(number));
    let labels = json!({"stablekey.dev/for": "connections"});
    // Customers supply an endpoint, so the organization's secret must be pinned.
    let annotations = json!({"stablekey.dev/keys": "*", "stablekey.dev/hosts": "login.example"});
    let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"value": "first"}})
}

fn copy(number: usize) -> Value {
    let metadata = json!({"name": format!("copy-{number:03}"), "labels": {"bench": "copy"}});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"value": "first"}})
}
