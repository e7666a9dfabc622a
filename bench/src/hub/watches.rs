//! Number of open watches of an operator process.

use crate::Outcome;
use crate::report::Figure;
use stablekey_clusters::Namespace;
use stablekey_clusters::audit::{Mark, Request};
use std::collections::BTreeSet;

/// Compares the open watches in some namespaces of one cluster with the number of kinds in each.
pub fn figure(what: &str, namespaces: &[&Namespace<'_>], since: Mark, kinds: usize) -> Outcome<Figure> {
    let cluster = namespaces.first().ok_or("no namespace")?.cluster();
    let names: BTreeSet<&str> = namespaces.iter().map(|namespace| namespace.name()).collect();
    let requests = cluster.audit_since(since)?;
    // An ended watch has another stage.
    let is_open = |request: &&Request| request.verb == "watch" && request.stage == "ResponseStarted";
    let open = requests.iter().filter(is_open).filter(|request| names.contains(request.namespace.as_str())).count();
    let most = kinds * names.len();
    let namespaces = if names.len() == 1 { "1 namespace".to_string() } else { format!("{} namespaces", names.len()) };
    let against = format!("{kinds} kinds × {namespaces}");
    Ok(Figure::beside(format!("watches that {what}"), open.to_string(), against, open as f64 / most as f64, 1.0))
}
