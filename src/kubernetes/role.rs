//! The permissions that Stablekey needs in a tenant's namespace, and the Role that grants them.

use crate::api::{GROUP, Kind};

/// The verbs for Stablekey's custom resources.
const VERBS: &str = "get, list, create, patch, delete";
/// The verbs for ConfigMaps, which contain definitions.
const OF_CONFIG_MAPS: &str = "get, list, create, patch";

/// Returns the permissions in a tenant's namespace: API group, resources and verbs.
pub fn needed() -> [(&'static str, &'static [&'static str], Vec<&'static str>); 2] {
    let verbs = |text: &'static str| text.split(", ").collect();
    let kinds: &[&str] = &["tenants", "components", "connections", "customercredentials", "integrations"];
    [(GROUP, kinds, verbs(VERBS)), ("", &["configmaps"], verbs(OF_CONFIG_MAPS))]
}

/// Returns the Role as YAML, for messages about missing permissions.
pub fn role(namespace: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\n\
         kind: Role\n\
         metadata: {{name: stablekey, namespace: {namespace}}}\n\
         rules:\n\
         - apiGroups: [{GROUP}]\n  \
           resources: [tenants, components, connections, customercredentials, integrations]\n  \
           verbs: [{VERBS}]\n\
         - apiGroups: [\"\"]\n  \
           resources: [configmaps]\n  \
           verbs: [{OF_CONFIG_MAPS}]\n"
    )
}

/// Returns the Role for reading a hub. It contains no Secrets.
pub fn hub_role(namespace: &str) -> String {
    of_hub("stablekey-hub-reader", namespace, "")
}

/// Returns the Role for reading a hub and approving.
pub fn approver_role(namespace: &str) -> String {
    let approving = format!(
        "- apiGroups: [{GROUP}]\n  \
           resources: [tenantsyncs]\n  \
           verbs: [patch, approve]\n"
    );
    of_hub("stablekey-approver", namespace, &approving)
}

/// Returns the Role for reading a hub and changing its Tenants or TenantSyncs.
pub fn writer_role(namespace: &str, kind: Kind) -> String {
    let writing = format!(
        "- apiGroups: [{GROUP}]\n  \
           resources: [{}]\n  \
           verbs: [patch]\n",
        kind.plural()
    );
    of_hub("stablekey-hub-writer", namespace, &writing)
}

fn of_hub(name: &str, namespace: &str, more: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\n\
         kind: Role\n\
         metadata: {{name: {name}, namespace: {namespace}}}\n\
         rules:\n\
         - apiGroups: [{GROUP}]\n  \
           resources: [tenants, tenantsyncs]\n  \
           verbs: [get, list]\n\
         - apiGroups: [\"\"]\n  \
           resources: [configmaps]\n  \
           verbs: [get]\n\
         {more}"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documentation_contains_the_role() {
        let documentation = include_str!("../../docs/clusters.md");
        assert!(documentation.contains(&super::role("integrations")));
        assert!(documentation.contains(&super::approver_role("us-prod")));
    }
}
