//! What an earlier version offered to files, clusters, programs and dashboards is still there, in the same shape:
//! docs/compatibility.md promises it.

use super::{Version, earlier};
use crate::tools::output_of;
use serde_json::Value;
use stablekey_testing::manifests::documents;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

fn number(schema: &Value, name: &str) -> Option<f64> {
    schema[name].as_f64()
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Compares two schemas of inputs: all that the earlier one accepts, the newer one accepts.
fn narrowed(path: &str, was: &Value, is: &Value, found: &mut Vec<String>) {
    if is.is_null() {
        return found.push(format!("{path} is gone"));
    }
    for same in ["type", "pattern", "format", "x-kubernetes-list-type", "x-kubernetes-map-type"] {
        if was[same] != is[same] && !is[same].is_null() {
            found.push(format!("{path} {same}: {} became {}", was[same], is[same]));
        }
    }
    let upper = ["maxLength", "maxItems", "maxProperties", "maximum"];
    let lower = ["minLength", "minItems", "minProperties", "minimum"];
    for (bounds, is_upper) in [(upper, true), (lower, false)] {
        for bound in bounds {
            let Some(is) = number(is, bound) else { continue };
            let holds = number(was, bound).is_some_and(|was| if is_upper { was <= is } else { was >= is });
            if !holds {
                found.push(format!("{path} {bound}: {} became {is}", was[bound]));
            }
        }
    }
    if !is["enum"].is_null() && !texts(&was["enum"]).is_subset(&texts(&is["enum"])) {
        found.push(format!("{path} enum: {} became {}", was["enum"], is["enum"]));
    }
    for required in texts(&is["required"]).difference(&texts(&was["required"])) {
        found.push(format!("{path} requires {required}"));
    }
    for (name, was) in was["properties"].as_object().into_iter().flatten() {
        narrowed(&format!("{path}.{name}"), was, &is["properties"][name], found);
    }
    for nested in ["items", "additionalProperties"] {
        if was[nested].is_object() {
            narrowed(&format!("{path}.{nested}"), &was[nested], &is[nested], found);
        }
    }
}

fn yaml(path: &Path) -> Value {
    documents(&fs::read_to_string(path).unwrap()).remove(0)
}

/// Every object that an earlier version accepts is accepted; no field is gone, or of another type.
#[test]
fn custom_resources_accept_what_they_accepted() {
    let this = Version::this();
    for earlier in earlier() {
        let mut found = Vec::new();
        for file in fs::read_dir(earlier.folder.join("crds")).unwrap() {
            let name = file.unwrap().file_name();
            let [was, is] = [earlier, &this].map(|version| yaml(&version.folder.join("crds").join(&name)));
            let version = |crd: &Value| crd["spec"]["versions"][0].clone();
            let name = was["spec"]["names"]["kind"].as_str().unwrap().to_string();
            for same in ["names", "scope", "group"] {
                assert_eq!(was["spec"][same], is["spec"][same], "{name}");
            }
            let [was, is] = [version(&was), version(&is)];
            assert_eq!(was["name"], is["name"], "{name}");
            let schema = |version: &Value| version["schema"]["openAPIV3Schema"].clone();
            narrowed(&name, &schema(&was), &schema(&is), &mut found);
            for field in was["selectableFields"].as_array().into_iter().flatten() {
                assert!(is["selectableFields"].as_array().unwrap().contains(field), "{name} {field}");
            }
        }
        assert_eq!(found, [""; 0]);
    }
}

/// The comparison finds what is narrower: the other way round, it names what was added since.
#[test]
fn a_narrower_schema_is_found() {
    let (this, earlier) = (Version::this(), super::named("before-platform"));
    let schema = |version: &Version| {
        let crd = yaml(&version.folder.join("crds/tenantsyncs.yaml"));
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
    };
    let mut found = Vec::new();
    narrowed("TenantSync", &schema(&this), &schema(earlier), &mut found);
    for wanted in
        ["TenantSync.spec requires to", "TenantSync.spec.stages is gone", "TenantSync.status.receipts is gone"]
    {
        assert!(found.iter().any(|change| change == wanted), "{wanted}: {found:#?}");
    }
}

/// Every value of the chart is still there, and accepts what it accepted.
#[test]
fn the_chart_accepts_the_values_that_it_accepted() {
    let this = Version::this();
    for earlier in earlier() {
        let [was, is] = [earlier, &this].map(|version| {
            let file = version.folder.join("manifests/helm/stablekey/values.schema.json");
            serde_json::from_str::<Value>(&fs::read_to_string(file).unwrap()).unwrap()
        });
        let mut found = Vec::new();
        narrowed("values", &was, &is, &mut found);
        assert_eq!(found, [""; 0]);
    }
}

/// Compares two schemas of outputs: all that a program finds in the earlier one, it finds in the newer one.
fn widened(path: &str, was: &Value, is: &Value, found: &mut Vec<String>) {
    if is.is_null() {
        return found.push(format!("{path} is gone"));
    }
    if was["type"] != is["type"] {
        found.push(format!("{path} type: {} became {}", was["type"], is["type"]));
    }
    for required in texts(&was["required"]).difference(&texts(&is["required"])) {
        found.push(format!("{path}.{required} may be absent"));
    }
    for (name, was) in was["properties"].as_object().into_iter().flatten() {
        widened(&format!("{path}.{name}"), was, &is["properties"][name], found);
    }
    for group in ["$defs", "definitions"] {
        for (name, was) in was[group].as_object().into_iter().flatten() {
            widened(&format!("{path}.{name}"), was, &is[group][name], found);
        }
    }
    if was["items"].is_object() {
        widened(&format!("{path}.items"), &was["items"], &is["items"], found);
    }
}

/// A program that reads plans finds every field that it found.
#[test]
fn the_plan_as_json_has_every_field_that_it_had() {
    let this = Version::this();
    for earlier in earlier() {
        let [was, is] = [earlier, &this].map(|version| {
            let text = fs::read_to_string(version.folder.join("docs/plan.schema.json")).unwrap();
            serde_json::from_str::<Value>(&text).unwrap()
        });
        let mut found = Vec::new();
        widened("plan", &was, &is, &mut found);
        assert_eq!(found, [""; 0]);
    }
}

/// Returns the first cells of the rows of a table that begin with this text.
fn rows(version: &Version, document: &str, begins: &str, cells: usize) -> BTreeSet<Vec<String>> {
    let text = fs::read_to_string(version.folder.join("docs").join(document)).unwrap();
    let rows = text.lines().filter(|line| line.starts_with(begins));
    rows.map(|row| row.trim_matches(['|', ' ']).split(" | ").take(cells).map(str::to_string).collect()).collect()
}

/// A code keeps its meaning: its number and its name, which is the reason of a condition.
#[test]
fn check_codes_keep_their_names() {
    let this = Version::this();
    for earlier in earlier() {
        let [was, is] = [earlier, &this].map(|version| rows(version, "checks.md", "| SK", 2));
        let gone = was.difference(&is).map(|row| row.join(" "));
        assert_eq!(gone.collect::<Vec<_>>(), [""; 0]);
        assert!(was.len() > 40, "{was:?}");
    }
}

/// A dashboard finds every metric that it found, with the same labels.
#[test]
fn metrics_keep_their_names_and_labels() {
    let this = Version::this();
    for earlier in earlier() {
        let metrics = [earlier, &this].map(|version| {
            let rows = rows(version, "operator.md", "| `stablekey_", 2).into_iter();
            rows.map(|row| (row[0].clone(), row[1].split(" (").next().unwrap().to_string())).collect::<BTreeMap<_, _>>()
        });
        let [was, is] = &metrics;
        let changed = was.iter().filter(|(name, labels)| is.get(*name) != Some(labels));
        assert_eq!(changed.map(|(name, labels)| format!("{name}: {labels}")).collect::<Vec<_>>(), [""; 0]);
        assert!(was.len() > 10);
    }
}

/// Returns the commands of a version, each with its options.
fn options(version: &Version) -> BTreeSet<String> {
    let help = |arguments: &[&str]| output_of(Command::new(&version.program).args(arguments).arg("--help"));
    let top = help(&[]);
    let commands = top.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands = commands.filter(|line| !line.starts_with("    ")).filter_map(|line| line.split_whitespace().next());
    let of_command = |command: &str| {
        let text = help(&[command]);
        let options = text.lines().map(str::trim).filter(|line| line.starts_with('-'));
        let options = options.flat_map(|line| line.split([' ', ',', '=']).filter(|word| word.starts_with('-')));
        let mut all: Vec<String> = options.map(|option| format!("{command} {option}")).collect();
        all.push(command.to_string());
        all
    };
    commands.filter(|command| *command != "help").flat_map(of_command).collect()
}

/// A script finds every command and option that it used.
#[test]
fn commands_and_options_are_still_there() {
    let this = Version::this();
    for earlier in earlier() {
        let [was, is] = [earlier, &this].map(options);
        assert_eq!(was.difference(&is).collect::<Vec<_>>(), [""; 0]);
        assert!(was.len() > 60, "{was:?}");
    }
}

/// A role, account, Lease, policy and object of manifests/ keeps its name: overlays and RoleBindings name them.
#[test]
fn manifests_keep_the_names_of_their_objects() {
    let this = Version::this();
    for earlier in earlier() {
        let objects = [earlier, &this].map(|version| {
            let mut found = BTreeSet::new();
            let mut folders = vec![version.folder.join("manifests")];
            while let Some(folder) = folders.pop() {
                for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                    if path.is_dir() && !path.ends_with("helm") {
                        folders.push(path);
                    } else if path.extension().is_some_and(|ending| ending == "yaml") {
                        let path = path.strip_prefix(version.folder.join("manifests")).unwrap();
                        let text = fs::read_to_string(version.folder.join("manifests").join(path)).unwrap();
                        let named =
                            documents(&text).into_iter().filter(|object| object["metadata"]["name"].is_string());
                        found.extend(named.map(|object| {
                            format!("{}: {} {}", path.display(), object["kind"], object["metadata"]["name"])
                        }));
                    }
                }
            }
            found
        });
        let [was, is] = &objects;
        assert_eq!(was.difference(is).collect::<Vec<_>>(), [""; 0]);
        assert!(was.len() > 20, "{was:?}");
    }
}
