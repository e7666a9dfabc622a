//! `status --component`: a component and its connections in every tenant.

use crate::edges::files::*;
use serde_json::Value;

#[test]
fn a_component_shows_its_connections_in_every_tenant() {
    let root = synced();
    let found = root.run(&["status", "--component", "CHA", "-C", "."]);
    found.exits(0).prints("chat  types: oauth2").prints("chat-main").prints("dev").prints("prod");
    found.prints("used by 1 integration").prints("stablekey new connection --component chat");
    let json: Value = serde_json::from_str(&root.run(&["status", "-o", "json", "--component"]).out).unwrap();
    let connection = &json["components"][0]["connections"][0];
    assert_eq!(connection["stableKey"], "chat-main");
    assert_eq!(connection["tenants"]["prod"]["state"], "present");
    assert_eq!(connection["tenants"]["prod"]["usedBy"][0], "greet");
}

#[test]
fn a_component_without_connections_is_found_and_an_unknown_one_names_the_nearest() {
    let mail = component_yaml().replace("chat", "mail");
    let root = synced().with("dev/components/mail.yaml", &mail);
    root.run(&["status", "--component", "mail"]).prints("no connection in any tenant");
    root.run(&["status", "--component", "chatt"]).exits(1).prints("did you mean chat?");
    root.run(&["status", "--component", "zzz"]).exits(1).prints("stablekey status --component");
}
