//! Conditions as other tools read them: kstatus, which Flux, kubectl and Cluster API use, and the health check for Argo
//! CD.

use crate::tools::{of_each, repository, tool};
use serde_json::{Value, json};
use stablekey::api::{Kind, NewCondition, Time, conditions};

fn object(kind: Kind, verdicts: Vec<NewCondition>, generation: i64) -> Value {
    let now: Time = serde_json::from_value(json!("2026-11-23T12:00:00Z")).unwrap();
    let conditions = conditions(&[], verdicts, 2, &now);
    let mut status = json!({"conditions": conditions});
    // A Component has no status, and a status that was never written is empty.
    if conditions.is_empty() {
        status = Value::Null;
    } else {
        status["observedGeneration"] = json!(2);
    }
    json!({
        "apiVersion": "stablekey.dev/v1alpha1", "kind": kind.as_str(),
        "metadata": {"name": "x", "namespace": "us-prod", "generation": generation},
        "spec": {}, "status": status,
    })
}

#[test]
fn conditions_are_understood_by_tools() {
    let ready = |holds, reason: &str| NewCondition::new("Ready", holds, reason, "why");
    let with = |type_, reason: &str| vec![ready(false, reason), NewCondition::new(type_, true, reason, "why")];
    let all = [
        (object(Kind::Connection, vec![ready(true, "Complete")], 2), "Current", "Healthy"),
        (object(Kind::TenantSync, vec![ready(true, "InSync")], 2), "Current", "Healthy"),
        (object(Kind::TenantSync, with("Reconciling", "Applying"), 2), "InProgress", "Progressing"),
        (object(Kind::TenantSync, with("Reconciling", "AwaitingApproval"), 2), "InProgress", "Suspended"),
        (object(Kind::TenantSync, with("Reconciling", "AwaitingStage"), 2), "InProgress", "Progressing"),
        (object(Kind::TenantSync, vec![ready(false, "Suspended")], 2), "InProgress", "Suspended"),
        (object(Kind::TenantSync, with("Stalled", "NotAccepted"), 2), "Failed", "Degraded"),
        (object(Kind::Tenant, with("Stalled", "KubeconfigRefused"), 2), "Failed", "Degraded"),
        (object(Kind::Tenant, with("Reconciling", "Unreachable"), 2), "InProgress", "Progressing"),
        (object(Kind::Connection, with("Stalled", "InputMissing"), 2), "Failed", "Degraded"),
        (object(Kind::Integration, vec![ready(false, "BindingMissing")], 2), "InProgress", "Progressing"),
        (object(Kind::Integration, with("Stalled", "DefinitionNotDelivered"), 2), "Failed", "Degraded"),
        // The condition is about an earlier generation.
        (object(Kind::Connection, vec![ready(true, "Complete")], 3), "InProgress", "Progressing"),
        (object(Kind::Connection, with("Stalled", "InputMissing"), 3), "InProgress", "Progressing"),
        // No condition: kstatus takes that for done, so tools should wait for Ready.
        (object(Kind::Integration, vec![], 1), "Current", "Progressing"),
        (object(Kind::Component, vec![], 1), "Current", "Healthy"),
        (object(Kind::Tenant, vec![], 1), "Current", "Healthy"),
    ];
    let objects: Vec<Value> = all.iter().map(|(object, ..)| object.clone()).collect();
    let flux = of_each(&mut tool("kstatus"), &objects);
    let argo = of_each(tool("health").arg(repository("manifests/argocd/health.lua")), &objects);
    for (((object, kstatus, health), flux), argo) in all.iter().zip(flux).zip(argo) {
        assert!(flux.starts_with(&format!("{kstatus}: ")), "{flux} {object:#}");
        assert!(argo.starts_with(&format!("{health}: ")), "{argo} {object:#}");
    }
}
