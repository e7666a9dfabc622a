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

#[cfg(test)]
mod tests {
    #[test]
    fn the_documentation_has_it() {
        assert!(include_str!("../../../docs/clusters.md").contains(&super::role("integrations")));
    }
}
