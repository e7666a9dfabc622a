//! Conditions as other tools read them: kstatus, which Flux, kubectl and Cluster API use, the expressions of the example
//! for Flux, and the health check for Argo CD.

use crate::tools::{of_each, repository, tool};
use serde_json::{Value, json};
use stablekey::api::{Kind, NewCondition, Time, conditions};
use stablekey_testing::manifests::documents;

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
    // The verdict of kstatus, of the expressions, and of Argo CD.
    let all = [
        (object(Kind::Connection, vec![ready(true, "Complete")], 2), "Current", "Current", "Healthy"),
        (object(Kind::TenantSync, vec![ready(true, "InSync")], 2), "Current", "Current", "Healthy"),
        (object(Kind::TenantSync, with("Reconciling", "Applying"), 2), "InProgress", "InProgress", "Progressing"),
        (object(Kind::TenantSync, with("Reconciling", "AwaitingApproval"), 2), "InProgress", "Current", "Suspended"),
        (object(Kind::TenantSync, vec![ready(false, "Suspended")], 2), "InProgress", "Current", "Suspended"),
        (object(Kind::TenantSync, with("Stalled", "NotAccepted"), 2), "Failed", "Failed", "Degraded"),
        (object(Kind::Tenant, with("Stalled", "KubeconfigRefused"), 2), "Failed", "no expressions", "Degraded"),
        (object(Kind::Tenant, with("Reconciling", "Unreachable"), 2), "InProgress", "no expressions", "Progressing"),
        (object(Kind::Connection, with("Stalled", "InputMissing"), 2), "Failed", "Failed", "Degraded"),
        (object(Kind::Integration, vec![ready(false, "BindingMissing")], 2), "InProgress", "InProgress", "Progressing"),
        (object(Kind::Integration, with("Stalled", "DefinitionNotDelivered"), 2), "Failed", "Failed", "Degraded"),
        // The condition is about an earlier generation.
        (object(Kind::Connection, vec![ready(true, "Complete")], 3), "InProgress", "InProgress", "Progressing"),
        (object(Kind::Connection, with("Stalled", "InputMissing"), 3), "InProgress", "InProgress", "Progressing"),
        // No condition: kstatus takes that for done, so tools should wait for Ready.
        (object(Kind::Integration, vec![], 1), "Current", "Unknown: ", "Progressing"),
        (object(Kind::Component, vec![], 1), "Current", "no expressions", "Healthy"),
        (object(Kind::Tenant, vec![], 1), "Current", "no expressions", "Healthy"),
    ];
    let objects: Vec<Value> = all.iter().map(|(object, ..)| object.clone()).collect();
    let kstatus = of_each(&mut tool("kstatus"), &objects);
    let argo = of_each(tool("health").arg(repository("manifests/argocd/health.lua")), &objects);
    for example in ["clusters/us/us-prod.yaml", "clusters/eu/eu-prod.yaml"] {
        let text = std::fs::read_to_string(repository(&format!("examples/flux/{example}"))).unwrap();
        let kustomization = documents(&text).pop().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let expressions = folder.path().join("expressions.json");
        std::fs::write(&expressions, kustomization["spec"]["healthCheckExprs"].to_string()).unwrap();
        let flux = of_each(tool("flux").arg("-expressions").arg(expressions), &objects);
        for (index, (object, of_kstatus, of_flux, health)) in all.iter().enumerate() {
            assert!(kstatus[index].starts_with(&format!("{of_kstatus}: ")), "{} {object:#}", kstatus[index]);
            assert!(flux[index].starts_with(of_flux), "{} {object:#}", flux[index]);
            assert!(argo[index].starts_with(&format!("{health}: ")), "{} {object:#}", argo[index]);
        }
    }
}
