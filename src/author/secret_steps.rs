//! How the secrets that a connection refers to are supplied: complete commands, in which no secret is an argument.

use super::home::inventories;
use crate::api::{
    ConnectionSpec, FOR, FOR_CONNECTIONS, HOSTS, Input, KEYS, Kubeconfig, LocationSpec, SecretRef, SecretsFrom,
};
use crate::engine::model::hosts::Host;
use crate::engine::model::inventory::Supply;
use crate::engine::redirect::Strictest;
use crate::project::Project;
use crate::tenant::prismatic::variables_of;
use crate::text::quoted;
use std::collections::{BTreeMap, BTreeSet};

/// Where the secrets of a tenant are supplied.
enum Place<'p> {
    /// In a namespace, of a context; `None` is the current one.
    Cluster { namespace: Option<&'p str>, context: Option<&'p str> },
    /// Wherever a person applies a folder.
    Applied { folder: &'p str },
    /// As files or variables, which Stablekey sends.
    Sent(Supply),
}

/// Returns the manual steps that supply the secrets of a new connection, a step for each Secret, file or variable.
pub(super) fn steps(project: &Project, tenant: &str, spec: &ConnectionSpec) -> Vec<String> {
    steps_after(project, tenant, spec, None)
}

/// Returns the manual steps that supply the secrets to which a connection refers and `before`, the same connection, did
/// not.
pub(super) fn steps_after(
    project: &Project,
    tenant: &str,
    spec: &ConnectionSpec,
    before: Option<&ConnectionSpec>,
) -> Vec<String> {
    let mut by_secret: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut references = by_name(spec);
    references.retain(|reference, _| !before.is_some_and(|before| by_name(before).contains_key(reference)));
    for (name, key) in references.keys() {
        by_secret.entry(name).or_default().insert(key);
    }
    let in_cluster = |place: String, namespace, context| {
        let opt_in = OptInStep { project, tenant, spec, before, place, namespace, context };
        by_secret.iter().flat_map(|(name, keys)| opt_in.steps(name, keys)).collect()
    };
    match place(project, tenant) {
        Place::Sent(supply) => {
            let there: Vec<&Supply> = inventories(project, tenant).into_iter().map(|read| &read.supply).collect();
            let absent = references.values().filter(|reference| !there.iter().any(|supply| supply.has(reference)));
            absent.map(|reference| supply.step(tenant, reference, &spec.stable_key)).collect()
        }
        Place::Cluster { namespace, context } => {
            let place = match namespace {
                Some(namespace) => format!("in namespace {namespace}"),
                None => format!("in the namespace of {tenant}"),
            };
            in_cluster(place, namespace, context)
        }
        Place::Applied { folder } => {
            in_cluster(format!("where folder {} is applied to a cluster", folder.trim_end_matches('/')), None, None)
        }
    }
}

fn by_name(spec: &ConnectionSpec) -> BTreeMap<(&str, &str), &SecretRef> {
    references(spec).map(|reference| ((&*reference.name, &*reference.key), reference)).collect()
}

fn references(spec: &ConnectionSpec) -> impl Iterator<Item = &SecretRef> {
    let tests = spec.test.iter().flat_map(|test| test.inputs.values()).filter_map(secret_ref);
    production(spec).chain(tests)
}

fn production(spec: &ConnectionSpec) -> impl Iterator<Item = &SecretRef> {
    spec.inputs.values().filter_map(secret_ref)
}

fn secret_ref(input: &Input) -> Option<&SecretRef> {
    match input {
        Input::SecretRef(reference) => Some(reference),
        _ => None,
    }
}

fn place<'p>(project: &'p Project, tenant: &'p str) -> Place<'p> {
    let spec = project.tenants.get(tenant).map(|tenant| &tenant.spec);
    match spec.and_then(|spec| spec.location.as_ref()) {
        Some(LocationSpec::Kubernetes(cluster)) => Place::Cluster {
            namespace: Some(&cluster.namespace),
            context: match &cluster.kubeconfig {
                Some(Kubeconfig::Context(context)) => Some(context),
                Some(Kubeconfig::SecretRef(_)) | None => None,
            },
        },
        Some(LocationSpec::Prismatic(platform)) => match &platform.secrets {
            None => Place::Sent(Supply::Nothing),
            Some(SecretsFrom::Directory(folder)) => {
                let folder = match project.root.as_os_str() == "." {
                    true => folder.clone(),
                    false => project.root.join(folder).display().to_string(),
                };
                Place::Sent(Supply::Files { folder, there: BTreeMap::new() })
            }
            Some(SecretsFrom::Env(_)) => {
                Place::Sent(Supply::Variables { prefix: variables_of(tenant), there: BTreeSet::new() })
            }
            Some(SecretsFrom::Namespace(namespace)) => Place::Cluster { namespace: Some(namespace), context: None },
        },
        // The folder is applied to a namespace that only whoever applies it knows.
        Some(LocationSpec::Directory(folder)) => Place::Applied { folder: &folder.path },
        None => Place::Cluster { namespace: None, context: None },
    }
}

/// The steps for a Secret of a cluster, which opts in for the connection.
struct OptInStep<'a> {
    project: &'a Project,
    tenant: &'a str,
    spec: &'a ConnectionSpec,
    before: Option<&'a ConnectionSpec>,
    /// Where the Secret is, in words.
    place: String,
    namespace: Option<&'a str>,
    context: Option<&'a str>,
}

impl OptInStep<'_> {
    /// A Secret that other connections use serves this one too; one that is there gets the keys that nothing names yet;
    /// any other is created.
    fn steps(&self, name: &str, keys: &BTreeSet<&str>) -> Vec<String> {
        let others = self.others(name);
        let is_its_own = self.before.is_some_and(|before| references(before).any(|there| there.name == name));
        let mut steps = Vec::new();
        if !others.is_empty() && !is_its_own {
            steps.push(self.opt_in(name, keys, &others));
        }
        if others.is_empty() && !is_its_own {
            steps.push(self.create(name, keys));
            return steps;
        }
        let named = self.keys_of(name);
        let new: BTreeSet<&str> = keys.iter().copied().filter(|key| !named.contains(key)).collect();
        if !new.is_empty() {
            steps.push(self.add(name, &new));
        }
        steps
    }

    fn opt_in(&self, name: &str, keys: &BTreeSet<&str>, others: &BTreeSet<&str>) -> String {
        let OptInStep { spec, place, .. } = self;
        let all: BTreeSet<&str> = others.iter().copied().chain([spec.stable_key.as_str()]).collect();
        let all = quoted(&joined(&all, ","));
        format!(
            "let Secret {name} {place}, with {}, serve {} beside {}:\n\
             kubectl annotate{} --overwrite secret {name} {KEYS}={all}",
            joined(keys, ", "),
            spec.stable_key,
            joined(others, ", "),
            self.at(),
        )
    }

    fn add(&self, name: &str, keys: &BTreeSet<&str>) -> String {
        let (from, source) = from_files(keys);
        format!(
            "add to Secret {name} {} ({source}):\n\
             kubectl create secret generic {name} {from} --dry-run=client -o json | \
             kubectl patch{} secret {name} --type merge --patch-file /dev/stdin",
            self.place,
            self.at(),
        )
    }

    fn create(&self, name: &str, keys: &BTreeSet<&str>) -> String {
        let OptInStep { spec, place, .. } = self;
        let at = self.at();
        let (from, source) = from_files(keys);
        let hosts = self.hosts();
        let pins = match hosts.is_empty() {
            true => String::new(),
            false => format!(" {HOSTS}={}", quoted(&hosts.into_iter().collect::<Vec<_>>().join(","))),
        };
        let is_for_customers = production(spec).any(|reference| reference.name == name);
        let of_customers = match self.endpoints_of_customers().as_slice() {
            _ if !is_for_customers => String::new(),
            [] => String::new(),
            names => format!(
                "; each customer supplies {}: add the hosts that customers may name to {HOSTS}",
                names.join(", ")
            ),
        };
        format!(
            "create Secret {name} {place} ({source}){of_customers}:\n\
             kubectl create secret generic {name} {from} --dry-run=client -o yaml | \
             kubectl label --local -f - {FOR}={FOR_CONNECTIONS} -o yaml | \
             kubectl annotate --local -f - {KEYS}={}{pins} -o yaml | \
             kubectl create{at} -f -",
            spec.stable_key
        )
    }

    fn at(&self) -> String {
        let context = self.context.map(|context| format!(" --context {}", quoted(context))).unwrap_or_default();
        let namespace = self.namespace.map(|namespace| format!(" -n {}", quoted(namespace))).unwrap_or_default();
        format!("{context}{namespace}")
    }

    /// The keys of other connections of the tenant that name the Secret.
    fn others(&self, secret: &str) -> BTreeSet<&str> {
        let read = inventories(self.project, self.tenant).into_iter();
        let connections = read.flat_map(|inventory| inventory.connections.values()).map(|connection| &connection.spec);
        let naming = connections.filter(|spec| references(spec).any(|reference| reference.name == secret));
        naming.map(|spec| spec.stable_key.as_str()).filter(|key| *key != self.spec.stable_key).collect()
    }

    /// The keys of a Secret that connections of the tenant, this one before its change too, name.
    fn keys_of(&self, secret: &str) -> BTreeSet<&str> {
        let read = inventories(self.project, self.tenant).into_iter();
        let connections = read.flat_map(|inventory| inventory.connections.values()).map(|connection| &connection.spec);
        let references = connections.chain(self.before).flat_map(references);
        references.filter(|reference| reference.name == secret).map(|reference| reference.key.as_str()).collect()
    }

    /// The hosts that the endpoints of the connection name.
    fn hosts(&self) -> BTreeSet<String> {
        let types = self.types();
        let tests = self.spec.test.iter().flat_map(|test| &test.inputs);
        let values = self.spec.inputs.iter().chain(tests).filter_map(|(name, input)| match input {
            Input::Value(value) if types.is_endpoint_value(name, Some(value)) => Some(value),
            _ => None,
        });
        values.filter_map(|value| Some(Host::of_endpoint(value)?.to_string())).collect()
    }

    fn endpoints_of_customers(&self) -> Vec<&str> {
        let types = self.types();
        let theirs = self
            .spec
            .inputs
            .iter()
            .filter(|(name, input)| input.is_per_customer() && types.is_endpoint_value(name, None));
        theirs.map(|(name, _)| name.as_str()).collect()
    }

    fn types(&self) -> Strictest<'_> {
        let read = inventories(self.project, self.tenant).into_iter();
        Strictest::of(read.flat_map(|inventory| inventory.types_of(self.spec)).collect())
    }
}

/// The options that read keys of a Secret, and what they read, in words. No secret is an argument.
fn from_files(keys: &BTreeSet<&str>) -> (String, String) {
    let listed = joined(keys, ", ");
    match keys.iter().collect::<Vec<_>>().as_slice() {
        [one] => (format!("--from-file={one}=/dev/stdin"), format!("its key {listed} is read from standard input")),
        several => {
            let from: Vec<String> = several.iter().map(|key| format!("--from-file={key}")).collect();
            (from.join(" "), format!("each of its keys {listed} is read from a file of that name"))
        }
    }
}

fn joined(words: &BTreeSet<&str>, separator: &str) -> String {
    words.iter().copied().collect::<Vec<_>>().join(separator)
}
