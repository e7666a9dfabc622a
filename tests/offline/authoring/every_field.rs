//! The law of `keep` and `revert`, on every field that a sync or a source declares: afterwards the plan finds no
//! difference there and writes nothing, and nothing else has changed.

use crate::edges::files::*;
use serde_json::Value;
use stablekey::api::Drift as Policy;
use std::collections::BTreeMap;

const CHAT: (&str, &str) = ("Connection/chat-main", "prod/connections/chat-main.yaml");
const GREET: (&str, &str) = ("Integration/greet", "prod/integrations/greet.yaml");
const DEFINITION: (&str, &str) = ("Integration/greet", "prod/integrations/greet.definition");

/// A change that a person makes in the tenant.
struct Drift {
    of: (&'static str, &'static str),
    field: &'static str,
    from: &'static str,
    to: &'static str,
}

static EVERY_FIELD: [Drift; 9] = [
    Drift { of: CHAT, field: "title", from: "title: Chat", to: "title: Talk" },
    Drift { of: CHAT, field: "title", from: "  title: Chat\n", to: "" },
    Drift { of: CHAT, field: "description", from: "description: Ours", to: "description: 'no: \"theirs\"'" },
    Drift { of: CHAT, field: "embeddedWorkflows", from: "embeddedWorkflows: true", to: "embeddedWorkflows: false" },
    Drift { of: CHAT, field: "inputs.scopes", from: "value: read", to: "value: \"no\"" },
    Drift { of: CHAT, field: "inputs.scopes", from: "    scopes:\n      value: read\n", to: "" },
    Drift { of: GREET, field: "title", from: "title: greet", to: "title: Welcome" },
    Drift { of: GREET, field: "connections.Chat", from: "stableKey: chat-main", to: "stableKey: chat-alt" },
    Drift { of: DEFINITION, field: "definition", from: "name: F", to: "name: G" },
];

/// What is desired, in a folder.
fn desired(project: Project, folder: &str) -> Project {
    let chat = connection("chat-main") + "  description: Ours\n  embeddedWorkflows: true\n";
    project
        .with(&format!("{folder}/connections/chat-main.yaml"), &chat)
        .with(&format!("{folder}/connections/chat-alt.yaml"), &connection("chat-alt"))
        .with(
            &format!("{folder}/integrations/greet.yaml"),
            &integration("greet", "chat-main", "  definition: {file: greet.definition}\n"),
        )
        .with(&format!("{folder}/integrations/greet.definition"), &definition("greet", "7", "chat-main"))
}

/// A tenant that a sync feeds, and one with a source of its own, both as applied, with a policy for drift.
fn tenants(policy: Policy) -> [(&'static str, Project); 2] {
    let uses_both = integration("other", "chat-alt", "");
    let dev = Tenant::new("dev").in_folder("dev");
    let prod = Tenant::new("prod").in_folder("prod").allows_delete().drift(policy);
    let of_sync = desired(two_tenants(), "dev")
        .with("tenants.yaml", &yaml::file(&[dev.yaml(), prod.clone().accepts("dev").yaml()]))
        .with("dev/integrations/other.yaml", &uses_both)
        .apply();
    let of_source = desired(Project::empty(), "wanted")
        .with("tenants.yaml", &prod.source("wanted").yaml())
        .with("wanted/components/chat.yaml", &component_yaml())
        .with("prod/components/chat.yaml", &component_yaml())
        .apply();
    [("sync", of_sync), ("source", of_source)]
}

/// Everything in the tenant's folder but the ownership record.
fn live(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut files = project.files("prod");
    files.retain(|path, _| !path.ends_with("stablekey.lock"));
    files
}

/// The paths of an object that differ from what is desired, by kind of note.
fn differing(plan: &Value, object: &str) -> Vec<(String, String)> {
    let target = plan["targets"].as_array().unwrap().iter().find(|target| target["tenant"] == "prod");
    let notes = target.into_iter().flat_map(|target| target["notes"].as_array().unwrap());
    let differ = notes.filter(|note| note["object"] == object && (note["note"] == "drift" || note["note"] == "kept"));
    let path = |note: &Value| {
        let names: Vec<&str> = note["path"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        names.join(".")
    };
    differ.map(|note| (note["note"].as_str().unwrap().to_string(), path(note))).collect()
}

fn change(project: &Project, drift: &Drift) -> String {
    let (_, file) = drift.of;
    let before = project.read(file);
    let after = before.replacen(drift.from, drift.to, 1);
    assert_ne!(before, after, "{file} has no {}:\n{before}", drift.from);
    project.write(file, &after);
    before
}

fn is_in_sync(project: &Project, object: &str, story: &str) {
    let plan = project.plan_json();
    assert!(differing(&plan, object).is_empty(), "{story}: {:?}", differing(&plan, object));
    assert_eq!(actions(&plan), [""; 0], "{story}");
    project.plan().exits(0);
}

#[test]
fn after_keep_the_live_value_is_desired_and_nothing_is_written() {
    for drift in &EVERY_FIELD {
        for (of, project) in tenants(Policy::Detect) {
            let ((object, _), field) = (drift.of, drift.field);
            let story = format!("{of}: {object} {field} to {:?}", drift.to);
            change(&project, drift);
            let noted = vec![("drift".to_string(), field.to_string())];
            assert_eq!(differing(&project.plan_json(), object), noted, "{story}");
            let before = live(&project);
            let keep = ["keep", "prod", object, field, "--yes", "--reason", "as it is"];
            project.run(&keep).exits(0).prints(&format!("drift: prod/{object} {field}"));
            assert_eq!(live(&project), before, "{story}");
            is_in_sync(&project, object, &story);
            // Once more there is nothing to do.
            let files = project.files(".");
            project.run(&keep).exits(0).prints("Nothing to change");
            assert_eq!(project.files("."), files, "{story}");
            // An apply has nothing to do either.
            project.run(&["apply", "--yes"]).exits(0);
            assert_eq!(live(&project), before, "{story}");
        }
    }
}

#[test]
fn after_revert_the_desired_value_is_live_and_nothing_is_written() {
    for drift in &EVERY_FIELD {
        for (of, project) in tenants(Policy::Detect) {
            let ((object, file), field) = (drift.of, drift.field);
            let story = format!("{of}: {object} {field} from {:?}", drift.to);
            let mut before = project.files(".");
            change(&project, drift);
            project.run(&["revert", "prod", object, field, "--yes"]).exits(0).prints("no action is left");
            is_in_sync(&project, object, &story);
            let mut after = project.files(".");
            // The value may be quoted, or stand at another line.
            assert!(before.remove(file).is_some() && after.remove(file).is_some(), "{story}");
            assert_eq!(after, before, "{story}");
            project.run(&["revert", "prod", object, field, "--yes"]).exits(0).prints("nothing to put back");
        }
    }
}

/// A whole object, under each policy: also where drift is not reported, and where the next apply would end it.
#[test]
fn a_whole_object_is_kept_or_reverted_whatever_the_policy() {
    let everything = || EVERY_FIELD.iter().filter(|drift| drift.of == CHAT && !drift.to.is_empty());
    for policy in [Policy::Ignore, Policy::Detect, Policy::Correct] {
        for command in ["keep", "revert"] {
            for (of, project) in tenants(policy) {
                let before = live(&project);
                everything().for_each(|drift| drop(change(&project, drift)));
                let changed = live(&project);
                let arguments = [command, "prod", CHAT.0, "--yes"];
                let reason: &[&str] = if command == "keep" { &["--reason", "as it is"] } else { &[] };
                project.run(&[arguments.as_slice(), reason].concat()).exits(0);
                let story = format!("{command} under {policy:?}, {of}");
                is_in_sync(&project, CHAT.0, &story);
                match command {
                    "keep" => assert_eq!(live(&project), changed, "{story}"),
                    _ => {
                        let others = |files: BTreeMap<String, Vec<u8>>| {
                            files.into_iter().filter(|(path, _)| !path.ends_with("chat-main.yaml")).collect::<Vec<_>>()
                        };
                        assert_eq!(others(live(&project)), others(before), "{story}");
                    }
                }
            }
        }
    }
}

/// "killed between its writes, the same command finishes": under Correct an apply has nothing to put back.
#[test]
fn keep_that_was_killed_after_any_write_is_finished_by_the_same_command() {
    for (policy, drift) in [(Policy::Correct, &EVERY_FIELD[4]), (Policy::Detect, &EVERY_FIELD[8])] {
        for at in 0..2 {
            let start = || {
                let [of_sync, of_source] = tenants(policy);
                let (of, project) = if at == 0 { of_sync } else { of_source };
                change(&project, drift);
                (of, project)
            };
            let (object, _) = drift.of;
            let keep = ["keep", "prod", object, drift.field, "--reason", "as it is"];
            let (of, kept) = start();
            let report = kept.run(&[&keep[..], &["--dry-run", "-o", "json"]].concat()).exits(0).out.clone();
            let report: Value = serde_json::from_str(&report).unwrap();
            let files: Vec<&str> =
                report["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
            let keep = [&keep[..], &["--yes"]].concat();
            kept.run(&keep).exits(0);
            is_in_sync(&kept, object, of);
            let all = kept.files("");
            for written in 0..=files.len() {
                let story = format!("{of}, {policy:?}, killed after {written} of {files:?}");
                let (_, killed) = start();
                files[..written].iter().for_each(|file| killed.write(file, &kept.read(file)));
                killed.run(&keep).exits(0);
                is_in_sync(&killed, object, &story);
                assert_eq!(killed.files("").keys().collect::<Vec<_>>(), all.keys().collect::<Vec<_>>(), "{story}");
                all.iter()
                    .for_each(|(path, bytes)| assert_eq!(killed.files("").get(path), Some(bytes), "{story}: {path}"));
            }
        }
    }
}

/// What the next apply changes is kept where a person names the field, and only there.
#[test]
fn a_change_that_waits_for_an_apply_is_kept_by_name() {
    let [(_, project), _] = tenants(Policy::Detect);
    let dev = project.read("dev/connections/chat-main.yaml");
    let changed = dev.replace("value: read", "value: all").replace("{value: read}", "{value: all}");
    assert_ne!(changed, dev);
    let project = project.with("dev/connections/chat-main.yaml", &changed);
    project.plan().exits(2);
    let before = live(&project);
    let keep = ["keep", "prod", CHAT.0, "--yes", "--reason", "as it is"];
    project.run(&keep).exits(0).prints("Nothing to change");
    project.run(&[&keep[..3], &["inputs.scopes"], &keep[3..]].concat()).exits(0);
    is_in_sync(&project, CHAT.0, "a change that waits");
    assert_eq!(live(&project), before);
}
