//! What a release depends on: one version everywhere, its notes, and workflows that publish only what they should.

use serde_json::Value;
use stablekey_testing::cli::repository;
use stablekey_testing::work_tree::git_in;
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
    let mut wrong = Vec::new();
    for (path, before) in NAMED {
        let text = text(path);
        for before in *before {
            let after = text.split(before).skip(1).filter(|after| after.starts_with(|c: char| c.is_ascii_digit()));
            let is_version = |c: char| c.is_ascii_digit() || c == '.';
            let versions: Vec<&str> =
                after.map(|after| &after[..after.find(|c| !is_version(c)).unwrap_or(after.len())]).collect();
            if versions.is_empty() {
                wrong.push(format!("{path}: no version after {before:?}"));
            }
            let others = versions.iter().filter(|version| **version != VERSION);
            wrong.extend(others.map(|version| format!("{path}: {before:?} has {version}, not {VERSION}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A new file with the version is in the list above.
#[test]
fn every_file_with_the_version_is_known() {
    let mut tracked = Command::new("git");
    tracked.args(["grep", "--files-with-matches", "--fixed-strings", VERSION]).current_dir(repository("."));
    let tracked = tracked.output().unwrap();
    assert!(tracked.status.success(), "{}", String::from_utf8_lossy(&tracked.stderr));
    let elsewhere = ["bench/", "CHANGELOG.md", "docs/benchmarks.md", "fuzz/", "hack/", "src/", "tests/", ".github/"];
    let tracked = String::from_utf8(tracked.stdout).unwrap();
    let known = |path: &str| {
        let named = NAMED.iter().any(|(named, _)| *named == path);
        named || path == "Cargo.toml" || elsewhere.iter().any(|of| path.starts_with(of))
    };
    let unknown: Vec<&str> = tracked.lines().filter(|path| !known(path)).collect();
    assert!(unknown.is_empty(), "these name {VERSION}, and are not in the list of this file: {unknown:?}");
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

/// Returns a repository with scripts of hack/release, one commit, and `gh` and others in `bin`.
fn clone_with(scripts: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("hack/release")).unwrap();
    for script in scripts {
        fs::copy(repository("hack/release").join(script), folder.path().join("hack/release").join(script)).unwrap();
    }
    for words in ["init --quiet --initial-branch=main", "add .", "commit --quiet --message=first"] {
        git_in(folder.path(), &words.split(' ').collect::<Vec<_>>());
    }
    folder
}

#[test]
fn only_a_tested_commit_of_main_is_released() {
    use std::os::unix::fs::PermissionsExt;
    let clone = clone_with(&["tested"]);
    let commit = git_in(clone.path(), &["rev-parse", "HEAD"]);
    git_in(clone.path(), &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    git_in(clone.path(), &["commit", "--quiet", "--allow-empty", "--message=not merged"]);
    let later = git_in(clone.path(), &["rev-parse", "HEAD"]);

    // What it asks GitHub, and how that answers.
    let bin = clone.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("gh"), "#!/bin/sh\necho \"$@\" >>\"$ASKED\"\necho \"$ANSWER\"\nexit \"$CODE\"\n").unwrap();
    fs::set_permissions(bin.join("gh"), PermissionsExt::from_mode(0o755)).unwrap();
    let asked = clone.path().join("asked");
    let tested = |commit: &str, answer: &str, code: &str| {
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut tested = Command::new(clone.path().join("hack/release/tested"));
        tested.args(["stablekey/stablekey", commit]).env("PATH", path).env("ASKED", &asked);
        said(tested.env("ANSWER", answer).env("CODE", code))
    };
    assert_eq!(tested(&commit, "1", "0"), (true, String::new()));
    let question = fs::read_to_string(&asked).unwrap();
    assert!(question.contains("actions/workflows/ci.yml/runs?") && question.contains(&commit), "{question}");
    for (answer, code) in [("0", "0"), ("", "0"), ("null", "0"), ("", "1"), ("1", "1")] {
        assert!(!tested(&commit, answer, code).0, "{answer:?} {code}");
    }
    assert!(tested(&commit, "0", "0").1.contains("has not succeeded"));
    let (success, said) = tested(&later, "1", "0");
    assert!(!success && said.contains("is not on main"), "{said}");
    assert!(!tested("v9.9.9", "1", "0").0);
}

#[test]
fn a_release_has_the_time_of_its_commit_or_that_of_the_caller() {
    let clone = clone_with(&["epoch"]);
    let epoch = |time: &str| {
        said(Command::new(clone.path().join("hack/release/epoch")).env("SOURCE_DATE_EPOCH", time).env_remove("GIT_DIR"))
    };
    assert_eq!(epoch(""), (true, format!("{}\n", git_in(clone.path(), &["log", "-1", "--format=%ct"]))));
    fs::rename(clone.path().join(".git"), clone.path().join("elsewhere")).unwrap();
    assert_eq!(epoch("1700000000"), (true, "1700000000\n".to_string()));
    let (success, said) = epoch("");
    assert!(!success && said.contains("set SOURCE_DATE_EPOCH"), "{said}");
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

/// Returns every job of a workflow that may write, and does not wait for a tag.
fn writes_without_a_tag(workflow: &Value) -> Vec<&str> {
    let jobs = workflow["jobs"].as_object().unwrap().iter();
    let writes = |job: &Value| match &job["permissions"] {
        Value::Object(rights) => rights.values().any(|right| right != "read" && right != "none"),
        Value::Null => false,
        // `write-all`, or `read-all`.
        all => all != "read-all",
    };
    let for_a_tag = |job: &Value| job["if"] == "github.event_name == 'push'";
    jobs.filter(|(_, job)| writes(job) && !for_a_tag(job)).map(|(name, _)| name.as_str()).collect()
}

/// Only the jobs that publish may write, and they run for a tag only: whoever starts the workflow by hand chooses the
/// branch whose scripts run.
#[test]
fn jobs_have_the_least_permissions() {
    let only_read = serde_json::json!({"contents": "read"});
    for (name, _, workflow) in workflows() {
        assert_eq!(workflow["permissions"], only_read, "{name}");
        assert!(writes_without_a_tag(&workflow).is_empty(), "{name}: {:?}", writes_without_a_tag(&workflow));
        let starts = serde_json::json!({"push": {"tags": ["v*"]}, "workflow_dispatch": null});
        assert!(name != "release.yml" || workflow["on"] == starts, "{}", workflow["on"]);
        let mut always = workflow.clone();
        for (_, job) in always["jobs"].as_object_mut().unwrap() {
            job["if"] = Value::Null;
        }
        assert_eq!(writes_without_a_tag(&always).len(), if name == "release.yml" { 3 } else { 0 });
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
                "draft" => &["attestations", "contents", "id-token"],
                "release" => &["contents"],
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
                    assert_eq!(of["if"], "github.event_name == 'push'", "{name}: {job}: {text}");
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
