//! Tests of complete outputs, as people read them.

mod hostile;

use super::*;
use crate::api::{ComponentRef, Kind};
use crate::engine::model::code::Code;
use crate::engine::model::finding::At;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, Approval, Plan};
use crate::report::status::StatusReport;

fn typed() -> Invocation {
    Invocation { root: Some("examples/us-eu".into()), ..Invocation::default() }
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

/// Never "in sync" beside a difference: "What a tenant keeps is named in the first line of its plan".
#[test]
fn a_plan_without_actions_names_what_differs() {
    let world = sample::in_sync();
    let plan = sample::planned(&world);
    assert!(plan.is_empty() && plan.exit == 0);
    let text = plan_text(&plan, &typed(), Style::default());
    assert!(text.starts_with("eu-prod  1 kept") && !text.contains("Nothing to do"), "{text}");
    insta::assert_snapshot!(text);
    insta::assert_snapshot!(plan_markdown(&plan, &typed()));
    insta::assert_snapshot!(status_text(&StatusReport::of(&world, &plan), &typed(), Style::default()));
}

#[test]
fn an_empty_plan_is_one_line() {
    let mut plan = sample::planned(&sample::in_sync());
    plan.findings.clear();
    plan.targets.iter_mut().for_each(|t| t.notes.clear());
    insta::assert_snapshot!(plan_text(&plan, &typed(), Style::default()));
    insta::assert_snapshot!(plan_markdown(&plan, &typed()));
}

/// "its first line says since when and how many wait".
#[test]
fn what_is_suspended_is_said_first() {
    let mut world = sample::busy();
    world.tenants.remove("ap-prod");
    world.tenants.get_mut("eu-prod").unwrap().spec.suspend = Some(true);
    for sync in &mut world.syncs {
        if sync.writer.to_string() == "sync/beta" {
            std::sync::Arc::make_mut(&mut sync.spec).suspend = Some(true);
        }
    }
    let plan = sample::planned(&world);
    let text = plan_text(&plan, &typed(), Style::default());
    insta::assert_snapshot!(text.lines().next().unwrap());
    insta::assert_snapshot!(text.lines().rev().take(4).collect::<Vec<_>>().join("\n"));
    let markdown = plan_markdown(&plan, &typed());
    insta::assert_snapshot!(
        markdown.lines().filter(|l| l.contains("uspended") || l.contains("⏸")).collect::<Vec<_>>().join("\n")
    );
    let status = status_text(&StatusReport::of(&world, &plan), &typed(), Style::default());
    insta::assert_snapshot!(status.lines().take(6).collect::<Vec<_>>().join("\n"));
}

/// "all unreachable": unknown, and never in sync.
#[test]
fn what_cannot_be_read_is_unknown() {
    let mut world = sample::in_sync();
    for view in world.tenants.values_mut() {
        view.live = crate::engine::model::inventory::View::Unreachable("no route to host".into());
    }
    let plan = sample::planned(&world);
    assert_eq!(plan.exit, 1);
    let status = StatusReport::of(&world, &plan);
    let text = status_text(&status, &typed(), Style::default());
    assert!(!text.contains('✓') && !text.contains("in sync"), "{text}");
    insta::assert_snapshot!(text);
    assert!(!status_markdown(&status, &typed()).contains('✅'));
    assert!(json(&status, JsonLayout::Compact).unwrap().contains("\"state\":\"unknown\""));
}

fn replaced() -> crate::engine::model::inventory::World {
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
    let typed = Invocation { narrowed, ..Invocation::default() };
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
    insta::assert_snapshot!(json(&explanation, JsonLayout::Pretty).unwrap());
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
    insta::assert_snapshot!(json(&explain_key(&replaced(), "slack-bot").unwrap(), JsonLayout::Pretty).unwrap());
}

#[test]
fn a_status() {
    let world = sample::busy();
    let status = StatusReport::of(&world, &busy());
    insta::assert_snapshot!(status_text(&status, &typed(), Style::default()));
    insta::assert_snapshot!(status_markdown(&status, &typed()));
    insta::assert_snapshot!(todo_markdown(&status, &typed()));
    insta::assert_snapshot!(json(&status.matrix, JsonLayout::Compact).unwrap());
    assert!(json(&status, JsonLayout::Compact).unwrap().contains("\"schema\":\"stablekey.dev/status/v1\""));
}

#[test]
fn findings_as_text_and_markdown() {
    let plan = busy();
    let findings = Findings::new(&plan.findings, 12, 3);
    insta::assert_snapshot!(findings.text(Style::default()));
    insta::assert_snapshot!(findings.markdown());
    insta::assert_snapshot!(Findings::new(&[], 12, 0).text(Style::default()));
}

#[test]
fn every_operation_is_said() {
    use crate::engine::model::field::{Field, FieldKind};
    use crate::engine::model::plan::{FieldChange, Op};
    use serde_json::json as value;
    let mut plan = busy();
    let target = plan.targets.iter_mut().find(|t| t.tenant == "eu-prod").unwrap();
    let action = target.actions.iter_mut().find(|a| a.change.object.name == "salesforce-oauth").unwrap();
    let change =
        |name: &'static str, op, from: Option<serde_json::Value>, to: Option<serde_json::Value>, by: Option<&str>| {
            let field = Field::named(FieldKind::Input, name).into_owned();
            FieldChange {
                field,
                op,
                from: from.map(Into::into),
                to: to.map(Into::into),
                parts: Vec::new(),
                by: by.map(str::to_string),
            }
        };
    let long =
        |what: &str| format!("Leads from the website, the fair and the {what}, without those that a partner brought");
    action.needs_approval.clear();
    action.fields = vec![
        change("new", Op::Set, None, Some(value!({"perCustomer": true})), None),
        change("changed", Op::Set, Some(value!({"value": long("phone")})), Some(value!({"value": long("chat")})), None),
        change(
            "kind",
            Op::Set,
            Some(value!({"value": "x"})),
            Some(value!({"secretRef": {"name": "a", "key": "b"}})),
            None,
        ),
        change("gone", Op::Remove, Some(value!({"value": "x"})), None, None),
        change("same", Op::Record, None, Some(value!({"value": "x"})), None),
        change("left", Op::Forget, Some(value!({"value": "x"})), None, None),
        change("shared", Op::Release, Some(value!({"value": "x"})), None, Some("kubectl-edit")),
    ];
    let text = plan_text(&plan, &typed(), Style::default());
    let of_action = |text: &str, from: &str, lines: usize| {
        text.lines().skip_while(|l| !l.contains(from)).take(lines).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(of_action(&text, "~ update", 14));
    insta::assert_snapshot!(of_action(&plan_markdown(&plan, &typed()), "**update", 18));
}

#[test]
fn colour_adds_nothing_but_colour() {
    let coloured = plan_text(&busy(), &typed(), Style { colour: true, width: 100, ..Style::default() });
    let mut bare = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        bare.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    bare.push_str(rest);
    assert_eq!(bare, plan_text(&busy(), &typed(), Style::default()));
}

#[test]
fn long_lists_are_cut_with_a_count() {
    use crate::engine::model::plan::ActionKind;
    let mut plan = busy();
    let target = plan.targets.iter_mut().find(|t| t.tenant == "eu-prod").unwrap();
    let create = target.actions.iter().find(|a| a.action == ActionKind::Create).unwrap().clone();
    target.actions.extend(std::iter::repeat_n(create, 2_000));
    let text = plan_text(&plan, &typed(), Style::default());
    assert!(text.contains("… and 1,963 more creates; --output json lists them all"), "{text}");
    assert!(text.lines().count() < 500);
    let markdown = plan_markdown(&plan, &typed());
    assert!(markdown.len() <= markdown::LIMIT && markdown.contains("items are left out**"));
    assert!(markdown.contains("--approve sha256:") && markdown.contains("Next: "));
    assert_eq!(markdown.matches("<details").count(), markdown.matches("</details>").count());
}

/// A program should not have to parse "mail (private)".
#[test]
fn a_component_is_key_and_public_in_json() {
    let mut world = sample::busy();
    sample::edit(&mut world, "us-prod", "slack-alerts", |spec| spec.component = ComponentRef::new("slack", false));
    let key = serde_json::to_value(explain_key(&world, "slack-alerts").unwrap()).unwrap();
    let connections: Vec<_> = key["tenants"].as_array().unwrap().iter().map(|t| &t["connection"]).collect();
    assert!(
        connections.iter().any(|c| c["component"] == serde_json::json!({"key": "slack", "public": false})),
        "{key}"
    );
    let status = StatusReport::of(&world, &sample::planned(&world));
    let text = status_text(&status, &typed(), Style::default());
    let status = serde_json::to_value(status).unwrap();
    assert!(!status["components"].to_string().contains("(private)"), "{status}");
    let rows = status["matrix"]["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["stableKey"] == "slack-alerts").unwrap();
    assert_eq!(row["component"], serde_json::json!({"key": "slack", "public": false}));
    assert_eq!(row["type"], "oauth2");
    assert!(text.contains("slack (private)/oauth2"), "{text}");
}

/// `explain lead-router` shows the integration in every tenant, `explain us-prod` the whole tenant.
#[test]
fn an_integration_everywhere_and_a_tenant_explained() {
    let mut world = sample::busy();
    let after = crate::engine::plan::simulate(&world, &sample::planned(&world));
    let everywhere = explain_everywhere(&world, &after, "lead-alerts").unwrap();
    insta::assert_snapshot!(everywhere.text(Style::default()));
    insta::assert_snapshot!(everywhere.markdown());
    insta::assert_snapshot!(json(&everywhere, JsonLayout::Pretty).unwrap());
    let tenant = explain_tenant(&world, "eu-prod").unwrap();
    insta::assert_snapshot!(tenant.text(Style::default()));
    insta::assert_snapshot!(tenant.markdown());
    assert_eq!(
        explain_tenant(&world, "ap-prod").unwrap_err().to_string(),
        "ap-prod cannot be read, so nothing is known of its bindings: the folder ap-prod is not there"
    );
    let invalid = ObjectId::new(Kind::Integration, "lead-alerts");
    let inventory = sample::live(&mut world, "us-prod");
    inventory.remove(&invalid);
    inventory.invalid.insert(invalid, "spec has no field `conections`".to_string());
    let text = explain_everywhere(&world, &world, "lead-alerts").unwrap().text(Style::default());
    assert!(text.contains("✗ us-prod  is invalid there\n    spec has no field `conections`"), "{text}");
    let error = explain_integration(&world, "us-prod", "lead-alerts", None, None).unwrap_err().to_string();
    assert_eq!(error, "us-prod/Integration/lead-alerts is invalid: spec has no field `conections`");
    assert!(explain_everywhere(&world, &world, "lead-alrets").unwrap_err().to_string().contains("did you mean"));
    let nothing = ExplainError::nothing(&world, "leadrouter").to_string();
    assert_eq!(
        nothing,
        "nothing is called leadrouter: no stable key, no integration, no tenant; did you mean lead-router or lead-scorer?"
    );
}

/// A plan like the busy one, whose only target has this number of actions, each with this number of incompressible
/// characters.
fn large(actions: usize, characters: usize) -> (Plan, String) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut plan = busy();
    plan.targets.retain(|target| target.tenant == "eu-prod");
    let target = &mut plan.targets[0];
    let writer = target.digests.keys().find(|writer| writer.starts_with("sync/")).unwrap().clone();
    let ours = |action: &&Action| action.writers.iter().any(|of| of.to_string() == writer);
    let mut free = target.actions.iter().find(ours).unwrap().clone();
    free.needs_approval.clear();
    let why = Approval { code: Code::CredentialRedirect, why: "it is so".to_string() };
    let asks = Action { needs_approval: vec![why], ..free.clone() };
    let mut seed = 1_u64;
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(ALPHABET[usize::try_from((seed >> 33) % 64).unwrap()])
    };
    target.actions = (0..actions)
        .map(|number| {
            let mut action = if number + 1 == actions { asks.clone() } else { free.clone() };
            action.id = format!("eu-prod/Connection/c{number}");
            action.reason.text = (0..characters).map(|_| noise()).collect();
            action
        })
        .collect();
    plan.recount();
    (plan, writer.trim_start_matches("sync/").to_string())
}

/// "At most 1 MiB, else its first 500 actions": fewer if they are large, and those that need approval first.
#[test]
fn what_is_kept_of_a_plan_fits_into_a_config_map() {
    for (actions, characters, shown) in
        [(3, 10, 3..=3), (1_200, 900, 500..=500), (6, 150_000, 1..=5), (1, 800_000, 0..=0)]
    {
        let (plan, sync) = large(actions, characters);
        let digest = plan.targets[0].digests[&format!("sync/{sync}")].to_string();
        let packed = waiting_plan::pack(&plan, &sync, "eu-prod", &typed()).unwrap();
        assert!(packed.bytes.len() <= 760_000, "{actions}: {} bytes", packed.bytes.len());
        let kept = waiting_plan::unpack(&packed.bytes, &packed.digest, (&sync, "eu-prod", &digest)).unwrap();
        assert_eq!(kept.actions, actions);
        assert!(shown.contains(&kept.shown), "{actions}: {} are shown", kept.shown);
        let first = format!("eu-prod/Connection/c{}", actions - 1);
        assert!(kept.shown == 0 || kept.plan.get().contains(&first), "what asks for consent is shown first");
    }
}
