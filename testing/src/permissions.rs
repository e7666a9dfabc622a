//! What Roles grant, held against what the audit log says was asked.

use crate::manifests::roles;
use serde_json::Value;
use stablekey_clusters::Cluster;
use stablekey_clusters::audit::Request;
use std::collections::BTreeSet;

/// A verb on a resource, as `patch tenants/status` or, where a rule has names, `list secrets stablekey-kubeconfigs`.
pub type Rights = BTreeSet<String>;

fn words(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What a Role grants.
pub fn granted(role: &Value) -> Rights {
    let rules = role["rules"].as_array().unwrap().iter();
    let rights = rules.flat_map(|rule| {
        let names: Vec<&str> = words(&rule["resourceNames"]).collect();
        let names = if names.is_empty() { vec![""] } else { names };
        words(&rule["resources"]).flat_map(move |resource| {
            let names = names.clone();
            words(&rule["verbs"])
                .flat_map(move |verb| names.clone().into_iter().map(move |name| right(verb, resource, name)))
        })
    });
    rights.collect()
}

fn right(verb: &str, resource: &str, name: &str) -> String {
    format!("{verb} {resource} {name}").trim_end().to_string()
}

fn resource(request: &Request) -> String {
    match request.subresource.as_str() {
        "" => request.resource.clone(),
        subresource => format!("{}/{subresource}", request.resource),
    }
}

/// What was asked for by a user in a namespace, with and without the name, so that either kind of rule is met.
pub fn asked(requests: &[Request], user: &str, namespace: &str) -> Rights {
    let ours = requests.iter().filter(|request| request.user == user && request.namespace == namespace);
    let rights = ours.flat_map(|request| {
        let resource = resource(request);
        ["", &request.name].map(|name| right(&request.verb, &resource, name))
    });
    let mut rights: Rights = rights.collect();
    // What server-side apply makes is authorized as a patch, and as a create where nothing is there.
    let made =
        requests.iter().filter(|r| r.user == user && r.namespace == namespace && r.verb == "patch" && r.code == 201);
    rights.extend(made.map(|request| right("create", &request.resource, "")));
    rights
}

/// What was refused to a user that none of its rights lets it: an API server that has just started refuses for a
/// moment what its Roles allow.
pub fn refused(requests: &[Request], user: &str, granted: &Rights) -> Vec<String> {
    let is_granted = |request: &Request| {
        let resource = resource(request);
        ["", &request.name].iter().any(|name| granted.contains(&right(&request.verb, &resource, name)))
    };
    let refused = requests.iter().filter(|request| request.user == user && request.forbidden && !is_granted(request));
    refused.map(ToString::to_string).collect()
}

/// What the Roles of a folder of manifests/ grant, whether their cluster is up or not.
pub fn rights_of(cluster: &Cluster, folder: &'static str) -> Rights {
    roles(cluster, folder).iter().flat_map(granted).collect()
}
