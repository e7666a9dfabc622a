//! What a release depends on: one version everywhere, its notes, and workflows that publish only what they should.

use serde_json::Value;
use stablekey_testing::cli::repository;
use std::fs;
use std::path::Path;
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Every file that names the version of Stablekey, and the text before it.
const NAMED: &[(&str, &[&str])] = &[
    ("Cargo.lock", &["name = \"stablekey\"\nversion = \""]),
    ("action.yml", &["default: "]),
    ("ci/github/stablekey-apply.yml", &["--version "]),
    ("ci/github/stablekey-comment.yml", &["--version "]),
    ("ci/github/stablekey-fork.yml", &["--version "]),
    ("ci/github/stablekey-promote.yml", &["--version "]),
    ("ci/github/stablekey-snapshot.yml", &["--version "]),
    ("ci/github/stablekey.yml", &["--version "]),
    ("ci/gitlab/plan.yml", &["--version "]),
    ("docs/install.md", &["VERSION=", "--version ", "checkout v", "stablekey:", "\nstablekey "]),
    ("examples/argocd/argocd/stablekey.yaml", &["targetRevision: v"]),
    ("examples/flux/clusters/eu/sources.yaml", &["tag: v"]),
    ("examples/flux/clusters/us/sources.yaml", &["tag: v"]),
    ("manifests/binder/kustomization.yaml", &["app.kubernetes.io/version: "]),
    ("manifests/helm/stablekey/Chart.yaml", &["\nversion: ", "appVersion: "]),
    ("manifests/operator/deployment.yaml", &["ghcr.io/stablekey/stablekey:"]),
    ("manifests/sender/kustomization.yaml", &["app.kubernetes.io/version: "]),
    ("manifests/syncer/kustomization.yaml", &["app.kubernetes.io/version: "]),
];

fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn versions_are_the_same_everywhere() {
    for (path, before) in NAMED {
        let text = text(path);
        for before in *before {
            let after = text.split(before).skip(1).filter(|after| after.starts_with(|c: char| c.is_ascii_digit()));
            let is_version = |c: char| c.is_ascii_digit() || c == '.';
            let versions: Vec<&str> =
                after.map(|after| &after[..after.find(|c| !is_version(c)).unwrap_or(after.len())]).collect();
            assert!(!versions.is_empty(), "{path}: no version after {before:?}");
            assert!(versions.iter().all(|version| *version == VERSION), "{path}: {before:?} is not {VERSION}");
        }
    }
}

/// A new file with the version is in the list above.
#[test]
fn every_file_with_the_version_is_known() {
    let mut tracked = Command::new("git");
    tracked.args(["grep", "--files-with-matches", "--fixed-strings", VERSION]).current_dir(repository("."));
    let tracked = tracked.output().unwrap();
    let elsewhere = ["bench/", "CHANGELOG.md", "docs/benchmarks.md", "fuzz/", "hack/", "src/", "tests/", ".github/"];
    for path in String::from_utf8(tracked.stdout).unwrap().lines().filter(|path| *path != "Cargo.toml") {
        let known = NAMED.iter().any(|(named, _)| *named == path) || elsewhere.iter().any(|of| path.starts_with(of));
        assert!(known, "{path} names {VERSION}: add it to the list of this file");
    }
}

/// The image that the manifests name is the one that a release makes.
#[test]
fn the_image_and_the_chart_have_one_name() {
    assert!(text("hack/release/image").contains("-name \"ghcr.io/stablekey/stablekey:$version\""));
    assert!(text(".github/workflows/release.yml").contains("hack/release/publish ghcr.io/stablekey "));
    assert!(text("hack/release/publish").contains("image=$registry/stablekey\ncharts=$registry/charts\n"));
    assert!(text("manifests/helm/stablekey/values.yaml").contains("\n  repository: ghcr.io/stablekey/stablekey\n"));
}

fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let all = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    (output.status.success(), all)
}

#[test]
fn notes_are_the_section_of_a_version() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("hack/release/notes");
    fs::create_dir_all(script.parent().unwrap()).unwrap();
    fs::copy(repository("hack/release/notes"), &script).unwrap();
    let text = "# Changelog\n\n## Unreleased\n\n## 0.2.0 (2027-01-02)\n\n### Added\n- two\n\n## 0.1.0\n- one\n";
    fs::write(folder.path().join("CHANGELOG.md"), text).unwrap();
    let notes = |version: &str| said(Command::new("bash").arg(&script).arg(version));
    assert_eq!(notes("0.2.0"), (true, "### Added\n- two\n".to_string()));
    assert_eq!(notes("0.1.0"), (true, "- one\n".to_string()));
    for version in ["0.3.0", "Unreleased", "0.2", "0"] {
        let (success, said) = notes(version);
        assert!(!success && said.contains(&format!("no section \"## {version}\" with text")), "{said}");
    }
}

#[test]
fn a_tag_is_that_of_the_version() {
    let version = |tag: &[&str]| said(Command::new(repository("hack/release/version")).args(tag));
    let ours = (true, format!("{VERSION}\n"));
    assert_eq!(version(&[]), ours);
    assert_eq!(version(&[&format!("v{VERSION}")]), ours);
    for other in [VERSION, "v0.0.1", "main"] {
        let (success, said) = version(&[other]);
        assert!(!success && said.contains(&format!("the tag {other} is not v{VERSION}")), "{said}");
    }
}

/// The project's workflows, by their name.
fn workflows() -> Vec<(String, String, Value)> {
    let entries = fs::read_dir(repository(".github/workflows")).unwrap();
    let of = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let parsed = serde_saphyr::from_str(&text).unwrap();
        (path.file_name().unwrap().display().to_string(), text, parsed)
    };
    entries.map(|entry| of(&entry.unwrap().path())).collect()
}

/// A tag of an action can be moved to other code; a commit cannot.
#[test]
fn actions_are_pinned_by_commit() {
    for (name, text, _) in workflows() {
        for line in text.lines().filter(|line| line.contains("uses: ")) {
            let (_, pinned) = line.split_once('@').unwrap_or_else(|| panic!("{name}: {line}"));
            let (commit, version) = pinned.split_once(" # v").unwrap_or_else(|| panic!("{name}: no version: {line}"));
            let is_commit = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(is_commit && version.split('.').count() == 3, "{name}: {line}");
        }
    }
}

#[test]
fn workflows_call_scripts_that_exist() {
    use std::os::unix::fs::PermissionsExt;
    let mut called = 0;
    for (name, text, _) in workflows() {
        let commands = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let words = commands.flat_map(|line| line.split(|c: char| c.is_whitespace() || "()\"".contains(c)));
        for script in words.filter(|word| word.starts_with("hack/") || word.starts_with(".ci/")) {
            let mode = fs::metadata(repository(script)).map(|file| file.permissions().mode());
            assert!(mode.is_ok_and(|mode| mode & 0o111 != 0), "{name}: {script} is no program");
            called += 1;
        }
    }
    assert!(called > 10, "{called}");
}

/// Only the two jobs that publish may write, and what they publish they publish for a tag.
#[test]
fn jobs_have_the_least_permissions() {
    let only_read = serde_json::json!({"contents": "read"});
    for (name, _, workflow) in workflows() {
        assert_eq!(workflow["permissions"], only_read, "{name}");
        for (job, of) in workflow["jobs"].as_object().unwrap() {
            let writes: Vec<&str> = of["permissions"]
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(_, right)| *right != "read")
                .map(|(of, _)| of.as_str())
                .collect();
            let expected: &[&str] = match job.as_str() {
                "registry" => &["attestations", "id-token", "packages"],
                "release" => &["attestations", "contents", "id-token"],
                _ => &[],
            };
            let mut sorted = writes.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, expected, "{name}: {job}");
            for step in of["steps"].as_array().unwrap() {
                if step["uses"].as_str().is_some_and(|uses| uses.starts_with("actions/checkout@")) {
                    assert_eq!(step["with"]["persist-credentials"], false, "{name}: {job}");
                }
                let text = step.to_string();
                let publishes =
                    ["hack/release/publish", "hack/release/login", "actions/attest", "gh release", "hack/release/sign"];
                if publishes.iter().any(|publishes| text.contains(publishes)) {
                    let on_tag = "github.event_name == 'push'";
                    assert!(of["if"] == on_tag || step["if"] == on_tag, "{name}: {job}: {text}");
                }
            }
        }
    }
}

/// GitHub shows a form only if it is valid, and says nothing if it is not.
#[test]
fn issue_forms_are_valid() {
    let mut forms = 0;
    for entry in fs::read_dir(repository(".github/ISSUE_TEMPLATE")).unwrap() {
        let path = entry.unwrap().path();
        let form: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        if path.ends_with("config.yml") {
            let links = form["contact_links"].as_array().unwrap();
            assert!(links.iter().all(|link| ["name", "url", "about"].iter().all(|key| link[*key].is_string())));
            continue;
        }
        assert!(form["name"].is_string() && form["description"].is_string(), "{}", path.display());
        let mut ids = Vec::new();
        for field in form["body"].as_array().unwrap() {
            let attributes = &field["attributes"];
            match field["type"].as_str().unwrap() {
                "markdown" => assert!(attributes["value"].is_string(), "{field}"),
                kind @ ("input" | "textarea" | "dropdown") => {
                    assert!(attributes["label"].is_string(), "{field}");
                    assert_eq!(kind == "dropdown", attributes["options"].is_array(), "{field}");
                    ids.push(field["id"].as_str().unwrap().to_string());
                }
                other => panic!("{}: no field has the type {other}", path.display()),
            }
        }
        let listed = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(listed, ids.len(), "{}: an id is there twice", path.display());
        forms += 1;
    }
    assert_eq!(forms, 2);
}
