//! Workflow files of GitHub: those of the project, those that the documentation shows, and those that `stablekey init`
//! writes. actionlint checks them: syntax, contexts, expressions, and the inputs of actions that it knows.

use crate::tools::{repository, tool};
use serde_json::{Value, json};
use stablekey_testing::project::Project;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A repository with workflow files.
struct Workflows {
    root: TempDir,
    count: usize,
}

impl Workflows {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        // It looks for the root of a repository, and takes its folder of workflows.
        std::fs::create_dir_all(root.path().join(".git")).unwrap();
        std::fs::create_dir_all(root.path().join(".github/workflows")).unwrap();
        Workflows { root, count: 0 }
    }

    /// Adds a file; its name says where it comes from.
    fn add(&mut self, from: &str, text: &str) {
        let name = from.replace(['/', '.', ' '], "-");
        std::fs::write(self.root.path().join(format!(".github/workflows/{name}.yml")), text).unwrap();
        self.count += 1;
    }

    /// Returns what actionlint says about all of them; nothing if they are right. It calls no programs that a machine
    /// may have or not.
    fn lint(&self) -> String {
        let mut lint = tool("actionlint");
        lint.args(["-no-color", "-shellcheck=", "-pyflakes="]).current_dir(self.root.path());
        let output = lint.output().unwrap();
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
        assert_eq!(output.status.success(), said.is_empty(), "{said}");
        said
    }
}

/// Returns the files below a folder, in order.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    entries.into_iter().flat_map(below).collect()
}

/// A text that may be a workflow or an action, and where it comes from.
fn candidates() -> Vec<(String, String)> {
    let named = |path: &Path| path.strip_prefix(repository("")).unwrap().display().to_string();
    let has =
        |path: &Path, endings: &[&str]| path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending));
    let files: Vec<PathBuf> =
        [".github", "ci", "docs", "examples"].iter().flat_map(|f| files_below(&repository(f))).collect();
    let mut all = Vec::new();
    let action = repository("action.yml");
    for path in files.iter().filter(|path| has(path, &["yml", "yaml"])).chain([&action]) {
        all.push((named(path), std::fs::read_to_string(path).unwrap()));
    }
    for path in files.iter().filter(|path| has(path, &["md"])).chain([&repository("README.md")]) {
        let text = std::fs::read_to_string(path).unwrap();
        let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        all.extend(blocks.enumerate().map(|(number, block)| (format!("{} {number}", named(path)), block.to_string())));
    }
    all
}

fn parsed(text: &str) -> Option<Value> {
    serde_saphyr::from_str::<Value>(text).ok().filter(Value::is_object)
}

/// Whether a document is a workflow. GitLab's files have no `jobs`.
fn is_workflow(document: &Value) -> bool {
    document["jobs"].is_object()
}

fn is_composite(document: &Value) -> bool {
    document["runs"]["using"] == "composite"
}

/// Returns the steps of a composite action as a reusable workflow with the same inputs: actionlint checks the steps of
/// workflows only.
#[track_caller]
fn as_workflow(from: &str, action: &Value) -> String {
    let inputs = action["inputs"].as_object().cloned().unwrap_or_default();
    let input = |(name, of): (String, Value)| {
        assert!(of["description"].is_string(), "{from}: input {name} has no description");
        (name, json!({"type": "string", "required": of["required"] == true}))
    };
    let inputs: serde_json::Map<String, Value> = inputs.into_iter().map(input).collect();
    let mut steps = action["runs"]["steps"].as_array().unwrap().clone();
    for step in &mut steps {
        if let Some(script) = step["run"].as_str() {
            assert!(step["shell"].is_string(), "{from}: a step of an action names its shell: {script}");
            assert!(!script.contains("${{"), "{from}: a value becomes code: pass it by env: {script}");
        }
    }
    let workflow = json!({
        "on": {"workflow_call": {"inputs": inputs}},
        "jobs": {"steps": {"runs-on": "ubuntu-latest", "steps": steps}},
    });
    workflow.to_string()
}

#[test]
fn the_workflow_files_of_the_project() {
    let mut all = Workflows::new();
    for (from, text) in candidates() {
        match parsed(&text) {
            Some(document) if is_workflow(&document) => all.add(&from, &text),
            Some(document) if is_composite(&document) => all.add(&from, &as_workflow(&from, &document)),
            _ => {}
        }
    }
    assert!(all.count >= 3, "the action, and the workflows to copy");
    assert_eq!(all.lint(), "");
}

#[test]
fn the_workflow_files_that_init_writes() {
    let mut all = Workflows::new();
    for (name, tenants) in [
        ("folder", &["dev"][..]),
        ("one", &["us=https://app.prismatic.io"]),
        ("two", &["us=https://app.prismatic.io", "eu=https://app.eu-west-1.prismatic.io"]),
    ] {
        let project = Project::empty();
        let tenants: Vec<&str> = tenants.iter().flat_map(|tenant| ["--tenant", *tenant]).collect();
        let promote = if name == "two" { &["--promote", "us:eu"][..] } else { &[] };
        project.run(&[&["init", "--ci", "github", "--forks"], promote, &tenants[..]].concat()).exits(0);
        let written = files_below(&project.path(".github"));
        assert!(!written.is_empty());
        for path in written {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(parsed(&text).is_some_and(|document| is_workflow(&document)), "{text}");
            all.add(&format!("{name} {}", path.file_stem().unwrap().display()), &text);
        }
    }
    assert_eq!(all.lint(), "");
}

/// The two tests above would notice.
#[test]
fn a_faulty_workflow_is_refused() {
    let steps = |step: &str| format!("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - {step}\n");
    for (wrong, why) in [
        (steps("run: echo ${{ secret.TOKEN }}"), "undefined variable \"secret\""),
        (steps("run: echo ${{ github.event.pull_request.title }}"), "potentially untrusted"),
        (steps("runs: echo"), "must run script with \"run\" section"),
        (steps("uses: actions/checkout@v4\n        with: {ref_: main}"), "input \"ref_\" is not defined"),
        (
            "on: pull_requests\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: x}]}}\n".to_string(),
            "unknown Webhook event",
        ),
    ] {
        let mut all = Workflows::new();
        all.add("wrong", &wrong);
        let said = all.lint();
        assert!(said.contains(why), "{said}");
    }
    let action = json!({"runs": {"using": "composite", "steps": [{"run": "echo ${{ inputs.x }}", "shell": "sh"}]}});
    assert!(std::panic::catch_unwind(|| as_workflow("an action", &action)).is_err());
    let action = json!({"runs": {"using": "composite", "steps": [{"uses": "actions/cache@v4"}]}});
    let mut all = Workflows::new();
    all.add("action", &as_workflow("an action", &action));
    assert!(all.lint().contains("which is required by action"));
}
