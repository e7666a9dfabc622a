//! A hub that pushes to another cluster.

use super::stage::*;

#[test]
fn a_change_in_the_source_is_in_the_target() {
    let stage = Stage::new("pushes");
    let _syncer = stage.syncer();
    stage.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    kubectl(&stage.eu, &["wait", "--for=create", "integration/lead", "--timeout=60s"]);
    assert_eq!(field(&stage.eu, "connection/crm", ".spec.inputs.scopes.value"), "api");
    stage.in_us(&[connection("crm", "api refresh")]);
    until_field(&stage.eu, "connection/crm", ".spec.inputs.scopes.value", "api refresh");
    kubectl(&stage.us, &["wait", "--for=condition=InSync", "tenantsync/us-to-eu", "--timeout=60s"]);
}
