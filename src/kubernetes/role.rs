//! The rights that a tenant's namespace must give, and the Role that gives them.

use crate::api::GROUP;

/// What we ask of our own kinds.
const VERBS: &str = "get, list, create, patch, delete";
/// What we ask of ConfigMaps, which hold definitions.
const OF_CONFIG_MAPS: &str = "get, list, create, patch";

/// The Role, as YAML: what somebody who may not do something asks for.
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

/// The Role of whoever looks at a hub: no Secret is in it.
pub fn hub_role(namespace: &str) -> String {
    of_hub("stablekey-hub-reader", namespace, "")
}

/// The Role of whoever approves there too.
pub fn approver_role(namespace: &str) -> String {
    let approving = format!(
        "- apiGroups: [{GROUP}]\n  \
           resources: [tenantsyncs]\n  \
           verbs: [patch, approve]\n"
    );
    of_hub("stablekey-approver", namespace, &approving)
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
    fn the_documentation_has_it() {
        let documentation = include_str!("../../docs/clusters.md");
        assert!(documentation.contains(&super::role("integrations")));
        assert!(documentation.contains(&super::approver_role("us-prod")));
    }
}
