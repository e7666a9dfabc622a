//! What Roles grant, held against what the audit log says was asked.

use serde_json::Value;
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

/// What was asked for by a user in a namespace, with and without the name, so that either kind of rule is met.
pub fn asked(requests: &[Request], user: &str, namespace: &str) -> Rights {
    let ours = requests.iter().filter(|request| request.user == user && request.namespace == namespace);
    let rights = ours.flat_map(|request| {
        let resource = match request.subresource.as_str() {
            "" => request.resource.clone(),
            subresource => format!("{}/{subresource}", request.resource),
        };
        ["", &request.name].map(|name| right(&request.verb, &resource, name))
    });
    let mut rights: Rights = rights.collect();
    // What server-side apply makes is authorized as a patch, and as a create where nothing is there.
    let made =
        requests.iter().filter(|r| r.user == user && r.namespace == namespace && r.verb == "patch" && r.code == 201);
    rights.extend(made.map(|request| right("create", &request.resource, "")));
    rights
}

/// What was refused to a user for want of a right.
pub fn refused(requests: &[Request], user: &str) -> Vec<String> {
    let (refused, allowed): (Vec<&Request>, Vec<&Request>) =
        requests.iter().filter(|request| request.user == user).partition(|request| request.forbidden);
    // An API server that has just started refuses for a moment what its Roles allow.
    let is_allowed = |r: &Request| allowed.iter().any(|a| (&a.verb, &a.resource) == (&r.verb, &r.resource));
    refused.into_iter().filter(|request| !is_allowed(request)).map(ToString::to_string).collect()
}
