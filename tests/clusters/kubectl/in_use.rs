//! A connection in use cannot be deleted: manifests/policies/connections-in-use.yaml.

use crate::kubectl::policies::{guarded, used_connection};
use crate::kubectl::support::{apply, connection, error_of, kubectl, list, output_of, set_status, until, with};
use serde_json::json;
use stablekey_clusters::run;

#[test]
fn it_is_kept_however_it_is_deleted() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 5);
    for words in [
        "delete connection crm",
        "delete connection crm --dry-run=server",
        "delete connection crm --force --grace-period=0",
        "delete connection crm --cascade=orphan",
        "delete connections --all",
        "delete stablekey --all",
    ] {
        let said = error_of(&mut kubectl(&namespace, words));
        assert!(
            said.contains(
                "connection crm is in use by Integration lead-router-0, Integration lead-router-1, Integration \
                 lead-router-2 and 2 more. First bind these integrations to another connection. To delete it"
            ),
            "{words}: {said}"
        );
    }
    // All at once, in one request.
    let all = format!("/apis/stablekey.dev/v1alpha1/namespaces/{}/connections", namespace.name());
    let said = error_of(&mut kubectl(&namespace, &format!("delete --raw {all}")));
    assert!(said.contains("is in use"), "{said}");
    output_of(&mut kubectl(&namespace, "get connection crm"));
}

#[test]
fn one_or_two_integrations_are_named() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 1);
    let said = error_of(&mut kubectl(&namespace, "delete connection crm"));
    assert!(said.contains("in use by Integration lead-router-0. First bind"), "{said}");
    used_connection(&namespace, "crm", 2);
    let said = error_of(&mut kubectl(&namespace, "delete connection crm"));
    assert!(said.contains("in use by Integration lead-router-0, Integration lead-router-1. First bind"), "{said}");
    let users = json!([{"kind": "Integration", "name": "one"}]);
    for (count, words) in [(json!(1), "Integration one. First"), (json!(70), "Integration one and 69 more. First")] {
        set_status(&namespace, "connection/crm", &json!({"usedBy": users, "usedByCount": count}));
        let said = error_of(&mut kubectl(&namespace, "delete connection crm"));
        assert!(said.contains(&format!("is in use by {words}")), "{said}");
    }
}

/// The command in the message stands alone on its line, complete and without a full stop. It has no context, which the
/// server does not know.
#[test]
fn the_command_that_allows_the_deletion_can_be_pasted() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 1);
    let said = error_of(&mut kubectl(&namespace, "delete connection crm"));
    let command = said.lines().find_map(|line| line.split_once("then delete it again: kubectl ")).unwrap().1;
    assert_eq!(
        command,
        format!(
            "--namespace {} annotate connections.stablekey.dev crm stablekey.dev/allow-delete=true --overwrite",
            namespace.name()
        )
    );
    output_of(&mut with(guarded().cluster.kubectl(), command));
    output_of(&mut kubectl(&namespace, "delete connection crm"));
}

#[test]
fn an_unused_connection_is_deleted() {
    let namespace = guarded().namespace();
    apply(&namespace, "--server-side", &list(&[connection("never"), connection("no-longer")])).unwrap();
    used_connection(&namespace, "no-longer", 1);
    set_status(&namespace, "connection/no-longer", &json!({"usedBy": [], "usedByCount": 0}));
    output_of(&mut kubectl(&namespace, "delete connection never no-longer"));
}

#[test]
fn a_person_may_override_it() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 1);
    for not_yes in ["false", "yes", ""] {
        let annotate = format!("annotate --overwrite connection crm stablekey.dev/allow-delete={not_yes}");
        output_of(&mut kubectl(&namespace, &annotate));
        error_of(&mut kubectl(&namespace, "delete connection crm"));
    }
    output_of(&mut kubectl(&namespace, "annotate --overwrite connection crm stablekey.dev/allow-delete=true"));
    output_of(&mut kubectl(&namespace, "delete connection crm"));
}

#[test]
fn changes_are_allowed() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 1);
    output_of(kubectl(&namespace, "patch connection crm --type=merge --patch").arg(r#"{"spec":{"title":"CRM"}}"#));
    output_of(&mut kubectl(&namespace, "label connection crm team=sales"));
}

#[test]
fn it_is_deleted_with_its_namespace() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 64);
    output_of(&mut kubectl(&namespace, &format!("delete namespace {} --wait=false", namespace.name())));
    until("the controllers have emptied the namespace", || {
        run(&mut kubectl(&namespace, &format!("get namespace {}", namespace.name()))).err()
    });
}

/// A connection with CustomerCredentials and no integration is in use.
#[test]
fn a_connection_with_customer_credentials_is_kept() {
    let namespace = guarded().namespace();
    apply(&namespace, "--server-side", &connection("crm")).unwrap();
    for (customers, words) in [(1, "credentials of 1 customer."), (12, "credentials of 12 customers.")] {
        set_status(&namespace, "connection crm", &json!({"customers": customers, "usedBy": []}));
        let said = error_of(&mut kubectl(&namespace, "delete connection crm"));
        let words = format!("is in use by {words} First delete the CustomerCredentials of this connection. To");
        assert!(said.contains(&words), "{said}");
    }
    let used_by = json!([{"kind": "Integration", "name": "one"}]);
    set_status(&namespace, "connection crm", &json!({"customers": 2, "usedBy": used_by, "usedByCount": 1}));
    let said = error_of(&mut kubectl(&namespace, "delete connection crm"));
    assert!(
        said.contains(
            "is in use by Integration one, and by credentials of 2 customers. First bind these integrations to \
             another connection, and delete the CustomerCredentials of this connection. To"
        ),
        "{said}"
    );
    set_status(&namespace, "connection crm", &json!({"usedBy": [], "usedByCount": 0}));
    set_status(&namespace, "connection crm", &json!({"customers": 0}));
    output_of(&mut kubectl(&namespace, "delete connection crm"));
}
