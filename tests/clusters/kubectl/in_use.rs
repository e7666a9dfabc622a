//! A connection in use is not deleted: manifests/policies/connections-in-use.yaml.

use crate::kubectl::policies::{guarded, used_connection};
use crate::kubectl::support::{apply, connection, kubectl, list, refuses, says, set_status, until, with};
use serde_json::json;
use stablekey_clusters::run;

#[test]
fn it_stays_however_it_is_to_be_deleted() {
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
        let said = refuses(&mut kubectl(&namespace, words));
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
    let said = refuses(&mut kubectl(&namespace, &format!("delete --raw {all}")));
    assert!(said.contains("is in use"), "{said}");
    says(&mut kubectl(&namespace, "get connection crm"));
}

#[test]
fn one_integration_is_named_alone_and_two_by_name() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 1);
    let said = refuses(&mut kubectl(&namespace, "delete connection crm"));
    assert!(said.contains("in use by Integration lead-router-0. First bind"), "{said}");
    used_connection(&namespace, "crm", 2);
    let said = refuses(&mut kubectl(&namespace, "delete connection crm"));
    assert!(said.contains("in use by Integration lead-router-0, Integration lead-router-1. First bind"), "{said}");
    let users = json!([{"kind": "Integration", "name": "one"}]);
    for (count, words) in [(json!(1), "Integration one. First"), (json!(70), "Integration one and 69 more. First")] {
        set_status(&namespace, "connection/crm", &json!({"usedBy": users, "usedByCount": count}));
        let said = refuses(&mut kubectl(&namespace, "delete connection crm"));
        assert!(said.contains(&format!("is in use by {words}")), "{said}");
    }
}

/// "The command to run stands … complete (namespace and context included), without a full stop." The server knows no
/// context.
#[test]
fn the_command_that_lets_it_go_can_be_pasted() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 1);
    let said = refuses(&mut kubectl(&namespace, "delete connection crm"));
    let command = said.lines().find_map(|line| line.split_once("then delete it again: kubectl ")).unwrap().1;
    assert_eq!(
        command,
        format!(
            "--namespace {} annotate connections.stablekey.dev crm stablekey.dev/allow-delete=true --overwrite",
            namespace.name()
        )
    );
    says(&mut with(guarded().cluster.kubectl(), command));
    says(&mut kubectl(&namespace, "delete connection crm"));
}

#[test]
fn one_that_nothing_uses_goes() {
    let namespace = guarded().namespace();
    apply(&namespace, "--server-side", &list(&[connection("never"), connection("no-longer")])).unwrap();
    used_connection(&namespace, "no-longer", 1);
    set_status(&namespace, "connection/no-longer", &json!({"usedBy": [], "usedByCount": 0}));
    says(&mut kubectl(&namespace, "delete connection never no-longer"));
}

#[test]
fn a_person_may_override_it() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 1);
    for not_yes in ["false", "yes", ""] {
        let annotate = format!("annotate --overwrite connection crm stablekey.dev/allow-delete={not_yes}");
        says(&mut kubectl(&namespace, &annotate));
        refuses(&mut kubectl(&namespace, "delete connection crm"));
    }
    says(&mut kubectl(&namespace, "annotate --overwrite connection crm stablekey.dev/allow-delete=true"));
    says(&mut kubectl(&namespace, "delete connection crm"));
}

#[test]
fn changes_are_no_deletion() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 1);
    says(kubectl(&namespace, "patch connection crm --type=merge --patch").arg(r#"{"spec":{"title":"CRM"}}"#));
    says(&mut kubectl(&namespace, "label connection crm team=sales"));
}

#[test]
fn a_namespace_that_is_being_deleted_takes_it_along() {
    let namespace = guarded().namespace();
    used_connection(&namespace, "crm", 64);
    says(&mut kubectl(&namespace, &format!("delete namespace {} --wait=false", namespace.name())));
    until("the controllers have emptied the namespace", || {
        run(&mut kubectl(&namespace, &format!("get namespace {}", namespace.name()))).err()
    });
}

/// "A connection with CustomerCredentials and no integration is in use."
#[test]
fn one_that_customers_gave_credentials_for_stays() {
    let namespace = guarded().namespace();
    apply(&namespace, "--server-side", &connection("crm")).unwrap();
    for (customers, words) in [(1, "credentials of 1 customer."), (12, "credentials of 12 customers.")] {
        set_status(&namespace, "connection crm", &json!({"customers": customers, "usedBy": []}));
        let said = refuses(&mut kubectl(&namespace, "delete connection crm"));
        let words = format!("is in use by {words} First delete the CustomerCredentials of this connection. To");
        assert!(said.contains(&words), "{said}");
    }
    let used_by = json!([{"kind": "Integration", "name": "one"}]);
    set_status(&namespace, "connection crm", &json!({"customers": 2, "usedBy": used_by, "usedByCount": 1}));
    let said = refuses(&mut kubectl(&namespace, "delete connection crm"));
    assert!(
        said.contains(
            "is in use by Integration one, and by credentials of 2 customers. First bind these integrations to \
             another connection, and delete the CustomerCredentials of this connection. To"
        ),
        "{said}"
    );
    set_status(&namespace, "connection crm", &json!({"usedBy": [], "usedByCount": 0}));
    set_status(&namespace, "connection crm", &json!({"customers": 0}));
    says(&mut kubectl(&namespace, "delete connection crm"));
}
