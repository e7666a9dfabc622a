//! The CustomResourceDefinitions of all kinds.

use super::*;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// Annotations that keep the CRDs, and with them every object, where a tool uninstalls or prunes:
/// Helm, Flux, Argo CD.
const KEEP: [(&str, &str); 3] = [
    ("helm.sh/resource-policy", "keep"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("argocd.argoproj.io/sync-options", "Prune=false,Delete=false"),
];

/// The definition of one kind.
pub fn crd(kind: Kind) -> CustomResourceDefinition {
    let mut crd = match kind {
        Kind::Tenant => Tenant::crd(),
        Kind::Component => Component::crd(),
        Kind::Connection => Connection::crd(),
        Kind::CustomerCredentials => CustomerCredentials::crd(),
        Kind::Integration => Integration::crd(),
        Kind::TenantSync => TenantSync::crd(),
    };
    let annotations = crd.metadata.annotations.get_or_insert_default();
    annotations.extend(KEEP.map(|(name, value)| (name.to_string(), value.to_string())));
    crd
}
