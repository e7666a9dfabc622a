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
