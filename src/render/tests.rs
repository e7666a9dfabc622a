//! What people read, looked at as a whole.

use super::*;
use crate::engine::plan::{At, Plan};

fn typed() -> Invocation {
    Invocation { root: Some("examples/us-eu".into()), narrowed: Vec::new() }
}

fn busy() -> Plan {
    let mut plan = sample::planned(&sample::busy());
    for action in plan.targets.iter_mut().flat_map(|t| &mut t.actions) {
        action.at = Some(At { file: format!("eu-prod/{}.yaml", action.change.object.name), line: 9 });
    }
    plan
}

#[test]
fn a_plan_as_text() {
    insta::assert_snapshot!(plan_text(&busy(), &typed(), Style::default()));
}

#[test]
fn a_plan_as_markdown() {
    insta::assert_snapshot!(plan_markdown(&busy(), &typed()));
}

#[test]
fn an_empty_plan_is_one_line() {
    let mut plan = sample::planned(&sample::settled());
    let text = plan_text(&plan, &typed(), Style::default());
    assert_eq!(text.lines().count(), 1, "{text}");
    insta::assert_snapshot!(text);
    plan.findings.clear();
    plan.targets.iter_mut().for_each(|t| t.notes.clear());
    insta::assert_snapshot!(plan_text(&plan, &typed(), Style::default()));
}

fn replaced() -> crate::engine::world::World {
    let mut world = sample::busy();
    sample::edit(&mut world, "us-prod", "slack-alerts", |spec| spec.replaces = vec!["slack-bot".into()]);
    sample::edit(&mut world, "us-prod", "hubspot-crm", |spec| spec.replaces = vec!["salesforce-oauth".into()]);
    world
}

#[test]
fn one_screen_for_one_integration() {
    let world = sample::busy();
    let plan = busy();
    let narrowed = vec!["--integration".into(), "billing-sync".into(), "--tenant".into(), "eu-prod".into()];
    let typed = Invocation { root: None, narrowed };
    let screen = bindings_text(&world, &plan, "eu-prod", "billing-sync", &typed, Style::default());
    insta::assert_snapshot!(screen.lines().take(4).collect::<Vec<_>>().join("\n"));
    let screen = bindings_text(&world, &plan, "eu-prod", "lead-router", &typed, Style::default());
    insta::assert_snapshot!(screen.lines().take(8).collect::<Vec<_>>().join("\n"));
    let screen = bindings_text(&world, &plan, "eu-prod", "led-router", &typed, Style::default());
    assert!(screen.contains("did you mean lead-router"), "{screen}");
    assert!(
        bindings_text(&world, &plan, "ap-prod", "lead-router", &typed, Style::default()).contains("cannot be read")
    );
}

#[test]
fn an_integration_explained() {
    let explanation = explain_integration(&replaced(), "us-prod", "lead-router", None, None).unwrap();
    insta::assert_snapshot!(explanation.text(Style::default()));
    insta::assert_snapshot!(explanation.markdown());
    insta::assert_snapshot!(json(&explanation, Layout::Pretty).unwrap());
    let step = explain_integration(&replaced(), "us-prod", "lead-router", Some("New Lead"), Some("Notify")).unwrap();
    insta::assert_snapshot!(step.text(Style::default()));
}

#[test]
fn what_cannot_be_explained_says_what_there_is() {
    let world = sample::busy();
    let explain = |tenant, integration, flow, step| {
        explain_integration(&world, tenant, integration, flow, step).unwrap_err().to_string()
    };
    insta::assert_snapshot!(
        [
            explain("eu", "lead-router", None, None),
            explain("ap-prod", "lead-router", None, None),
            explain("eu-prod", "lead-ruter", None, None),
            explain("eu-prod", "lead-router", Some("New Leed"), None),
            explain("eu-prod", "lead-router", Some("New Lead"), Some("Notifi")),
            explain_key(&world, "salesforce_oath").unwrap_err().to_string(),
        ]
        .join("\n")
    );
}

#[test]
fn a_key_explained() {
    let explanation = explain_key(&replaced(), "salesforce-oauth").unwrap();
    insta::assert_snapshot!(explanation.text(Style::default()));
    insta::assert_snapshot!(explanation.markdown());
    insta::assert_snapshot!(json(&explain_key(&replaced(), "slack-bot").unwrap(), Layout::Pretty).unwrap());
}

#[test]
fn a_status() {
    let world = sample::busy();
    let status = Status::of(&world, &busy());
    insta::assert_snapshot!(status.text(&typed(), Style::default()));
    insta::assert_snapshot!(status.markdown(&typed()));
    insta::assert_snapshot!(status.todo_markdown(&typed()));
    insta::assert_snapshot!(json(&status.matrix, Layout::Compact).unwrap());
    assert!(json(&status, Layout::Compact).unwrap().contains("\"schema\":\"stablekey.dev/status/v1\""));
}

#[test]
fn findings_as_text_and_markdown() {
    let plan = busy();
    let findings = Findings::new(&plan.findings, 12, 3);
    insta::assert_snapshot!(findings.text(Style::default()));
    insta::assert_snapshot!(findings.markdown());
    insta::assert_snapshot!(Findings::new(&[], 12, 0).text(Style::default()));
}
