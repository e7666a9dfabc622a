//! The permissions of Roles, compared with the requests of the audit log.

use crate::manifests::roles;
use serde_json::Value;
use stablekey_clusters::Cluster;
use stablekey_clusters::audit::Request;
use std::collections::BTreeSet;

/// Verbs on resources: `patch tenants/status` or, if a rule has names, `list secrets stablekey-kubeconfigs`.
pub type Permissions = BTreeSet<String>;

fn words(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Returns what a Role grants.
pub fn granted(role: &Value) -> Permissions {
    let rules = role["rules"].as_array().unwrap().iter();
    let rights = rules.flat_map(|rule| {
        let names: Vec<&str> = words(&rule["resourceNames"]).collect();
        let names = if names.is_empty() { vec![""] } else { names };
        words(&rule["resources"]).flat_map(move |resource| {
            let names = names.clone();
            words(&rule["verbs"])
                .flat_map(move |verb| names.clone().into_iter().map(move |name| permission(verb, resource, name)))
        })
    });
    rights.collect()
}

fn permission(verb: &str, resource: &str, name: &str) -> String {
    format!("{verb} {resource} {name}").trim_end().to_string()
}

fn resource(request: &Request) -> String {
    match request.subresource.as_str() {
        "" => request.resource.clone(),
        subresource => format!("{}/{subresource}", request.resource),
    }
}

/// Returns what a user requested in a namespace, with and without the object's name, to match both kinds of rules.
pub fn requested(requests: &[Request], user: &str, namespace: &str) -> Permissions {
    let ours = requests.iter().filter(|request| request.user == user && request.namespace == namespace);
    let rights = ours.flat_map(|request| {
        let resource = resource(request);
        ["", &request.name].map(|name| permission(&request.verb, &resource, name))
    });
    let mut rights: Permissions = rights.collect();
    // A server-side apply is authorized as a patch, and as a create if there is no object.
    let made =
        requests.iter().filter(|r| r.user == user && r.namespace == namespace && r.verb == "patch" && r.code == 201);
    rights.extend(made.map(|request| permission("create", &request.resource, "")));
    rights
}

/// Returns what was forbidden to a user and is not granted. An API server that has just started forbids for a moment
/// what its Roles grant.
pub fn refused(requests: &[Request], user: &str, granted: &Permissions) -> Vec<String> {
    let is_granted = |request: &Request| {
        let resource = resource(request);
        ["", &request.name].iter().any(|name| granted.contains(&permission(&request.verb, &resource, name)))
    };
    let refused = requests.iter().filter(|request| request.user == user && request.forbidden && !is_granted(request));
    refused.map(ToString::to_string).collect()
}

/// Returns what the Roles of a folder of manifests/ grant. Works without a running cluster.
pub fn permissions_of(cluster: &Cluster, folder: &'static str) -> Permissions {
    roles(cluster, folder).iter().flat_map(granted).collect()
}
