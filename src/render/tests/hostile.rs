//! Text from YAML never controls the terminal or the structure of a page.

use super::*;
use crate::api::*;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::World;
use crate::engine::model::plan::Note;
use proptest::prelude::*;
use std::sync::Arc;

/// A world in which every free text is `evil`.
fn world(evil: &str) -> World {
    let mut world = sample::busy();
    for tenant in ["us-prod", "eu-prod"] {
        let inventory = sample::live(&mut world, tenant);
        for connection in inventory.connections.values_mut().map(Arc::make_mut) {
            connection.spec.title = Some(format!("{evil}{tenant}"));
            connection.spec.inputs.insert(format!("x{evil}"), Input::value(format!("{tenant}{evil}")));
        }
        let rename = |name: &mut String| *name = format!("{name}{evil}");
        for integration in inventory.integrations.values_mut().map(Arc::make_mut) {
            integration.spec.title = Some(format!("{evil}{tenant}"));
            integration.spec.connections.iter_mut().for_each(|v| rename(&mut v.name));
        }
        for uses in inventory.uses.values_mut().map(Arc::make_mut) {
            let renamed = std::mem::take(&mut uses.variables).into_iter().map(|(mut name, mut uses)| {
                rename(&mut name);
                for use_ in &mut uses {
                    if let User::Step { flow, step } = &mut use_.by {
                        rename(flow);
                        rename(step);
                    }
                }
                (name, uses)
            });
            uses.variables = renamed.collect();
        }
    }
    for o in world.syncs.iter_mut().flat_map(|s| &mut Arc::make_mut(&mut s.spec).overrides) {
        o.reason = evil.to_string();
    }
    world
}

/// The plan of that world, with hostile text in every sentence too.
fn plan(world: &World, evil: &str) -> Plan {
    let mut plan = sample::planned(world);
    for target in &mut plan.targets {
        target.why = target.why.as_ref().map(|_| evil.to_string());
        for note in &mut target.notes {
            match note {
                Note::Blocked { text, fix, .. } => {
                    text.push_str(evil);
                    fix.push_str(evil);
                }
                Note::Kept { path, by, .. } => {
                    path.push(evil.to_string());
                    by.push_str(evil);
                }
                Note::Drift { path, .. } | Note::Overridden { path, .. } => path.push(evil.to_string()),
                Note::Manual { text, object, .. } => {
                    text.push_str(evil);
                    object.name.push_str(evil);
                }
            }
        }
        for action in &mut target.actions {
            action.reason.text.push_str(evil);
            action.change.object.name.push_str(evil);
            action.needs_approval.iter_mut().for_each(|a| a.why.push_str(evil));
            action.impact.integrations.iter_mut().for_each(|i| i.name.push_str(evil));
            action.at = Some(At { file: evil.to_string(), line: 1 });
        }
    }
    for Finding { text, fix, object, .. } in &mut plan.findings {
        text.push_str(evil);
        fix.push_str(evil);
        object.iter_mut().for_each(|o| o.name.push_str(evil));
    }
    plan
}

fn texts(evil: &str) -> Vec<String> {
    let (world, style) = (world(evil), Style::default());
    let plan = plan(&world, evil);
    let status = StatusReport::of(&world, &plan);
    vec![
        plan_text(&plan, &typed(), style),
        bindings_text(&world, &plan, "eu-prod", "lead-router", &typed(), style),
        status_text(&status, &typed(), style),
        explain_integration(&world, "us-prod", "lead-router", None, None).unwrap().text(style),
        explain_key(&world, "salesforce-oauth").unwrap().text(style),
        Findings::new(&plan.findings, 1, 0).text(style),
    ]
}

fn markdowns(evil: &str) -> Vec<String> {
    let world = world(evil);
    let plan = plan(&world, evil);
    let status = StatusReport::of(&world, &plan);
    vec![
        plan_markdown(&plan, &typed()),
        status_markdown(&status, &typed()),
        todo_markdown(&status, &typed()),
        explain_integration(&world, "us-prod", "lead-router", None, None).unwrap().markdown(),
        explain_key(&world, "salesforce-oauth").unwrap().markdown(),
        Findings::new(&plan.findings, 1, 0).markdown(),
    ]
}

fn is_harmless_text(text: &str) -> Result<(), String> {
    match text.chars().find(|c| c.is_control() && *c != '\n') {
        Some(c) => Err(format!("{c:?} in\n{text}")),
        None => Ok(()),
    }
}

/// A fence is closed only by its own end; outside of fences there is only the structure of the page.
fn is_harmless_markdown(text: &str) -> Result<(), String> {
    const OURS: [&str; 7] = ["<details>", "<details open>", "</details>", "<summary>", "</summary>", "<b>", "</b>"];
    let mut fence: Option<&str> = None;
    let mut columns = None;
    for line in text.lines() {
        // A fence may be in an item of a list.
        let line = line.strip_prefix("  ").unwrap_or(line);
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(open) if line == open => fence = None,
            Some(open) if ticks >= open.len() => return Err(format!("{line:?} closes a fence of {open}")),
            Some(_) => {}
            None if ticks >= 3 => fence = line.get(..ticks),
            None => {
                let bare = OURS.iter().fold(line.replace("<br>", ""), |line, tag| line.replace(tag, ""));
                if bare.contains(['<', '`', '[', ']', '\\']) && !bare.starts_with("- [ ] ") {
                    return Err(format!("structure in {line:?}"));
                }
                if bare.match_indices('@').any(|(at, _)| !bare[at + 1..].starts_with("&#8203;")) {
                    return Err(format!("a mention in {line:?}"));
                }
                if bare.contains("://") || bare.contains("www.") {
                    return Err(format!("a link in {line:?}"));
                }
                let pipes = bare.matches('|').count();
                match columns {
                    _ if pipes == 0 => columns = None,
                    None => columns = Some(pipes),
                    Some(columns) if columns != pipes => return Err(format!("a table breaks at {line:?}")),
                    Some(_) => {}
                }
            }
        }
    }
    if fence.is_some() { Err("a fence stays open".to_string()) } else { Ok(()) }
}

const ATTACKS: [&str; 8] = [
    "\u{1b}[2J\u{1b}[31m\r\u{8}",
    "\n```\n<script>alert(1)</script>\n```sh\nrm -rf ~\n",
    "</details><img src=x onerror=alert(1)>",
    "@octocat please merge, see [this](https://evil.example) or www.evil.example #1",
    " | a | b |\n|---|---|\n| c |",
    "````````````",
    "# title\n\n- item\n\n> quote\n<!-- ",
    "\u{202e}desrever\u{200b}",
];

#[test]
fn no_text_moves_the_cursor() {
    for evil in ATTACKS {
        texts(evil).iter().for_each(|text| is_harmless_text(text).unwrap());
    }
}

#[test]
fn the_checks_of_these_tests_see_what_they_look_for() {
    for bad in ["a <b", "hi @octocat", "`x", "| a |\n| b | c |", "```\nx", "```\n````\n```", "http://x", "[a](b)"] {
        assert!(is_harmless_markdown(bad).is_err(), "{bad}");
    }
    assert!(is_harmless_text("a\u{1b}b").is_err());
}

#[test]
fn no_markdown_is_injected() {
    for evil in ATTACKS {
        markdowns(evil).iter().for_each(|text| is_harmless_markdown(text).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn nothing_in_yaml_is_obeyed(evil in r"[\n`<>@|*_#\[\]()\\!~a-c\x1b\u{202e}:/. -]{0,40}") {
        for text in texts(&evil) {
            prop_assert_eq!(is_harmless_text(&text), Ok(()));
        }
        for text in markdowns(&evil) {
            prop_assert_eq!(is_harmless_markdown(&text), Ok(()));
        }
    }
}
