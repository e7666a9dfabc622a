//! A hub that pushes to another cluster.

use super::env::*;

#[test]
fn a_change_in_the_source_is_in_the_target() {
    let env = TestEnv::new("pushes");
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    kubectl(&env.eu, &["wait", "--for=create", "integration/lead", "--timeout=60s"]);
    assert_eq!(field(&env.eu, "connection/crm", ".spec.inputs.scopes.value"), "api");
    env.in_us(&[connection("crm", "api refresh")]);
    until_field(&env.eu, "connection/crm", ".spec.inputs.scopes.value", "api refresh");
    kubectl(&env.us, &["wait", "--for=condition=InSync", "tenantsync/us-to-eu", "--timeout=60s"]);
}
