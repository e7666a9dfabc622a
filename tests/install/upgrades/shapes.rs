//! What an earlier version offered to files, clusters, programs and dashboards is still there, in the same shape:
//! docs/compatibility.md promises it.

use super::schemas::{narrowed, widened};
use super::{Version, earlier};
use crate::tools::{output_of, repository};
use serde_json::Value;
use stablekey_testing::manifests::documents;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// New rules on fields that were there already. Each accepts every object that the versions before it accept, in which
/// the new field that it names is absent.
const WIDER_RULES: [&str; 5] = [
    "Tenant.spec.location rule: [has(self.directory), has(self.kubernetes), has(self.prismatic)].filter(x, x).size() == 1",
    "Tenant.spec.source rule: has(self.path) != has(self.git)",
    "TenantSync.spec rule: has(self.to) != has(self.stages)",
    "TenantSync.spec rule: !has(self.to) || !self.to.exists(t, t == self.from)",
    "TenantSync.spec rule: !has(self.stages) || !self.stages.exists(s, s.to.exists(t, t == self.from))",
];

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
            found.extend(narrowed(&name, &schema(&was), &schema(&is)));
            for field in was["selectableFields"].as_array().into_iter().flatten() {
                assert!(is["selectableFields"].as_array().unwrap().contains(field), "{name} {field}");
            }
        }
        found.retain(|change| !WIDER_RULES.contains(&change.as_str()));
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
    let found = narrowed("TenantSync", &schema(&this), &schema(earlier));
    for wanted in [
        "TenantSync.spec requires to",
        "TenantSync.spec rule: !self.to.exists(t, t == self.from)",
        "TenantSync.spec.stages is gone",
        "TenantSync.status.receipts is gone",
    ] {
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
        assert_eq!(narrowed("values", &was, &is), [""; 0]);
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
        assert_eq!(widened("plan", &was, &is), [""; 0]);
    }
}

/// The comparison finds what is gone, in alternatives and behind references too.
#[test]
fn a_plan_with_less_is_found() {
    let text = fs::read_to_string(repository("docs/plan.schema.json")).unwrap();
    let is: Value = serde_json::from_str(&text).unwrap();
    for (from, to, wanted) in [
        (r#"{ "const": "kept" }"#, r#"{ "const": "held" }"#, r#"plan.note oneOf[1] is gone or another: "#),
        (r#""redeploys": {"#, r#""deploysAgain": {"#, "plan.targets.items.actions.items.impact.redeploys is gone"),
        (
            r#""required": ["stableKey"], "#,
            "",
            "plan.field oneOf[0] is gone or another: plan.field.from anyOf[7] is gone or another: \
             plan.field.from.stableKey may be absent",
        ),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        let less = serde_json::from_str(&text.replace(from, to)).unwrap();
        let found = widened("plan", &is, &less);
        assert!(found.iter().any(|change| change.starts_with(wanted)), "{wanted}: {found:#?}");
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

/// Returns the commands of a version, those within others too, each with its options.
fn options(version: &Version) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![Vec::<String>::new()];
    while let Some(command) = waiting.pop() {
        let text = output_of(Command::new(&version.program).args(&command).arg("--help"));
        let name = command.join(" ");
        let options = text.lines().map(str::trim).filter(|line| line.starts_with('-'));
        let options = options.flat_map(|line| line.split([' ', ',', '=']).filter(|word| word.starts_with('-')));
        found.extend(options.map(|option| format!("{name} {option}")));
        let commands = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        // What a line of four spaces begins is the rest of a description.
        let commands = commands.filter(|line| !line.starts_with("    ")).filter_map(|line| line.split(' ').nth(2));
        let commands = commands.filter(|command| *command != "help");
        waiting.extend(commands.map(|within| [&command[..], &[within.to_string()]].concat()));
        found.insert(name);
    }
    found
}

/// A script finds every command and option that it used.
#[test]
fn commands_and_options_are_still_there() {
    let this = Version::this();
    for earlier in earlier() {
        let [was, is] = [earlier, &this].map(options);
        assert_eq!(was.difference(&is).collect::<Vec<_>>(), [""; 0]);
        assert!(was.len() > 60, "{was:?}");
        assert!(is.contains("ci plan --base"), "{is:?}");
    }
}

/// A script finds the exit codes in the order in which they were.
#[test]
fn exit_codes_keep_their_meaning() {
    let this = Version::this();
    for earlier in earlier() {
        let codes = [earlier, &this].map(|version| {
            let text = output_of(Command::new(&version.program).arg("--help"));
            text.lines().find(|line| line.starts_with("Exit codes: ")).unwrap().to_string()
        });
        assert_eq!(codes[0], codes[1]);
    }
}

/// Returns the words of a version's documents, manifests and CRDs that this function picks out of their text.
fn words(version: &Version, folders: &[&str], pick: fn(&str) -> Vec<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<_> = folders.iter().map(|folder| version.folder.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.extend(pick(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

/// A label, an annotation and the schema of a file keep their names.
#[test]
fn labels_and_annotations_keep_their_names() {
    let this = Version::this();
    let names = |text: &str| -> Vec<String> {
        let rests = text.split("stablekey.dev/").skip(1);
        let of = |rest: &str| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap().to_string();
        rests.map(of).collect()
    };
    for earlier in earlier() {
        let [was, is] = [earlier, &this].map(|version| words(version, &["crds", "docs", "manifests"], names));
        assert_eq!(was.difference(&is).collect::<Vec<_>>(), [""; 0]);
        assert!(was.contains("wrote") && was.len() > 15, "{was:?}");
    }
}

/// A reason, a state and an event keep their names: each that the earlier documents name is named still.
#[test]
fn reasons_and_states_keep_their_names() {
    let this = Version::this();
    let names = |text: &str| -> Vec<String> {
        let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        let is_name = |word: &&str| {
            word.starts_with(|c: char| c.is_ascii_uppercase())
                && word.contains(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_alphanumeric())
        };
        quoted.filter(is_name).map(str::to_string).collect()
    };
    for earlier in earlier() {
        let [was, is] = [earlier, &this].map(|version| words(version, &["docs"], names));
        assert_eq!(was.difference(&is).collect::<Vec<_>>(), [""; 0]);
        for name in ["HostNotPinned", "AwaitingApproval", "BindingLeft"] {
            assert!(was.contains(name), "{name}: {was:?}");
        }
    }
}

/// A route of an Alertmanager finds every alert by its name.
#[test]
fn alerts_keep_their_names() {
    let this = Version::this();
    for earlier in earlier() {
        let [was, is] = [earlier, &this].map(|version| -> BTreeSet<String> {
            let rules = yaml(&version.folder.join("manifests/alerts/stablekey.yaml"));
            let rules = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
            rules.map(|rule| rule["alert"].as_str().unwrap().to_string()).collect()
        });
        assert_eq!(was.difference(&is).collect::<Vec<_>>(), [""; 0]);
        assert!(was.len() > 10, "{was:?}");
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
