//! The example repositories for Flux and Argo CD, applied to clusters as those tools do, and changed by commits.

mod argo;
mod flux;
mod repository;

use serde_json::{Value, json};
use stablekey_clusters::{Cluster, run, run_with_input};
use stablekey_testing::replica::{Replica, wait_for_field};
use std::path::Path;
use std::process::{Command, Stdio};

/// A namespace that has the name that an example gives it.
#[derive(Clone, Copy)]
struct Place<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
}

impl Place<'_> {
    fn kubectl(&self, words: &str) -> Command {
        let mut kubectl = self.cluster.kubectl();
        kubectl.args(["--namespace", self.namespace]).args(words.split_whitespace());
        kubectl
    }

    /// Returns a field of an object; empty if it has none.
    fn field(&self, object: &str, path: &str) -> String {
        run(self.kubectl("get").args([object, "--output", &format!("jsonpath={{{path}}}")])).unwrap_or_default()
    }

    #[track_caller]
    fn until_field(&self, object: &str, path: &str, value: &str) {
        wait_for_field(&format!("{object} {path} is {value}"), || self.kubectl(""), object, path, value);
    }

    /// Returns the name of the ConfigMap that an integration names. It is there, immutable and labelled.
    #[track_caller]
    fn definition(&self, integration: &str) -> String {
        let name = self.field(&format!("integration/{integration}"), ".spec.definition.configMap.name");
        let map = format!("configmap/{name}");
        assert_eq!(self.field(&map, ".immutable"), "true", "{integration} names {name:?}");
        assert_eq!(self.field(&map, r".metadata.labels.stablekey\.dev/definition"), "true", "{name}");
        name
    }

    fn has(&self, object: &str) -> bool {
        !self.field(object, ".metadata.name").is_empty()
    }

    /// Returns the names of the integrations that use a connection.
    fn users(&self, connection: &str) -> String {
        self.field(&format!("connection/{connection}"), ".status.usedBy[*].name")
    }

    /// Returns the revision of each object of the tenant.
    fn revisions(&self) -> String {
        let columns = "custom-columns=KIND:.kind,NAME:.metadata.name,REVISION:.metadata.resourceVersion";
        run(&mut self.kubectl(&format!("get stablekey,configmaps --no-headers --output {columns}"))).unwrap()
    }

    /// Creates the Secrets that the connections of the examples refer to, as whoever delivers secrets does.
    fn supply_secrets(&self, hosts_of_salesforce: &str, host_of_warehouse: &str) {
        let all = [
            ("salesforce-app", "salesforce-oauth", "clientSecret", Some(hosts_of_salesforce)),
            ("slack-app", "slack-alerts", "botToken", None),
            ("warehouse", "warehouse", "password", Some(host_of_warehouse)),
        ];
        let secrets = all.map(|(name, stable_key, key, hosts)| {
            let mut annotations = json!({"stablekey.dev/keys": stable_key});
            if let Some(hosts) = hosts {
                annotations["stablekey.dev/hosts"] = json!(hosts);
            }
            let labels = json!({"stablekey.dev/for": "connections"});
            let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {key: "any"}})
        });
        let list = json!({"apiVersion": "v1", "kind": "List", "items": secrets});
        run_with_input(&mut self.kubectl("apply --server-side --filename -"), &list.to_string())
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Runs the process of the binder's Deployment with its arguments, variables and account: there are no nodes.
fn binder(place: Place<'_>) -> Replica {
    let text = run(&mut place.kubectl("get deployment stablekey-binder --output=json")).unwrap();
    let deployment: Value = serde_json::from_str(&text).unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let mut binder = Command::new(env!("CARGO_BIN_EXE_stablekey"));
    binder.args(container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()));
    binder.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null());
    for variable in container["env"].as_array().unwrap() {
        let of_pod = variable["valueFrom"]["fieldRef"]["fieldPath"].as_str().map(|path| match path {
            "metadata.namespace" => place.namespace,
            _ => "stablekey-binder-0",
        });
        binder.env(variable["name"].as_str().unwrap(), variable["value"].as_str().or(of_pod).unwrap());
    }
    let token = place.cluster.token(place.namespace, "stablekey-binder").unwrap();
    binder.env("KUBECONFIG", place.cluster.kubeconfig_of(&token).unwrap());
    Replica::by(binder)
}

/// Returns the documents of a file.
fn documents_in(file: &Path) -> Vec<Value> {
    stablekey_testing::manifests::documents(&std::fs::read_to_string(file).unwrap())
}

/// A step that writes each lead to the warehouse, in the definition of lead-router.
const NEW_STEP: &str = "      - name: Keep lead
        action:
          key: insert
          component: {key: postgres, isPublic: true, version: LATEST}
        inputs: {}
";

/// Adds a step to the definition of lead-router, and gives it a connection that the integration did not use before.
#[track_caller]
fn add_a_step(repository: &repository::Repository, tenant: &str, folder: &str) {
    let definition = format!("{folder}/integrations/lead-router.definition");
    let text = repository.project.read(&definition);
    repository.project.write(&definition, &format!("{text}{NEW_STEP}"));
    let bind = ["bind", tenant, "lead-router", "--step", "Keep lead", "--to", "warehouse", "--yes"];
    repository.project.run(&bind).exits(0);
    repository.project.run(&["validate"]).exits(0);
}
