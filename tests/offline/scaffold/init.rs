//! `stablekey init`: a project whose first plan works.

use stablekey_testing::project::Project;
use std::process::Command;

#[test]
fn the_first_plan_works() {
    let root = Project::empty();
    root.run(&["init", "--tenant", "us-prod", "--tenant", "eu-prod"]).exits(0).prints("Next: stablekey plan");
    root.run(&["validate"]).exits(0);
    root.plan().exits(0).prints("Nothing to do");
    let tenants = root.read("tenants.yaml");
    assert!(tenants.contains("region: us") && tenants.contains("path: eu-prod"), "{tenants}");
    let readme = root.read("README.md");
    assert!(readme.contains("| us-prod | the folder `us-prod/` |"), "{readme}");
}

/// "`init` writes the editor's settings"; settings that are there stay, and the command that completes them is named.
#[test]
fn the_settings_of_an_editor_are_written_or_completed_by_a_command() {
    let root = Project::empty();
    root.run(&["init", "--tenant", "us-prod"]).exits(0);
    let settings = root.read(".vscode/settings.json");
    assert!(settings.contains("\"us-prod/**/*.yaml\"") && settings.contains("\"tenants.yaml\""), "{settings}");
    assert!(root.read(".vscode/stablekey.schema.json").contains("Stablekey's custom resources"));
    let there = Project::empty().with(".vscode/settings.json", "{\"a\": 1} // mine\n");
    there.run(&["init", "--tenant", "us-prod"]).exits(0).prints("stablekey schema --vscode");
    assert_eq!(there.read(".vscode/settings.json"), "{\"a\": 1} // mine\n");
    there.run(&["schema", "--vscode"]).exits(0);
    let settings = there.read(".vscode/settings.json");
    assert!(settings.contains("// mine") && settings.contains("\"a\": 1") && settings.contains("us-prod/**/*.yaml"));
}

/// A folder of its own, with the folders that a person names; a clone has them too.
#[test]
fn a_new_folder_is_made_and_a_clone_of_it_works() {
    let root = Project::empty();
    root.run(&["init", "ours", "--tenant", "dev=tenants/dev"]).exits(0).prints("Next: stablekey plan ours");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(root.root()).args(["-c", "user.name=x", "-c", "user.email=x@x.example"]).args(arguments);
        assert!(git.output().unwrap().status.success(), "git {arguments:?}");
    };
    git(&["-C", "ours", "init", "--quiet"]);
    git(&["-C", "ours", "add", "--all"]);
    git(&["-C", "ours", "commit", "--quiet", "--message", "Start"]);
    git(&["clone", "--quiet", "ours", "clone"]);
    root.run(&["plan", "clone"]).exits(0);
}

/// "never overwrites a file".
#[test]
fn a_file_that_is_there_is_named_and_nothing_is_written() {
    let root = Project::empty().with("README.md", "mine");
    let said = root.run(&["init", "--tenant", "dev"]);
    said.exits(1).prints("README.md is there already: nothing was written").prints("--skip README.md");
    assert_eq!(root.files("").len(), 1);
    root.run(&["init", "--tenant", "dev", "--skip", "README.md"]).exits(0);
    assert_eq!(root.read("README.md"), "mine");
    root.plan().exits(0);
    // A second time it is a project.
    let before = root.files("");
    root.run(&["init", "--tenant", "prod"]).exits(1).prints("is a project already").prints("stablekey new tenant");
    assert_eq!(root.files(""), before);
}

#[test]
fn mistakes_are_named_and_nothing_is_written() {
    let root = Project::empty();
    root.run(&["init"]).exits(1).prints("no tenant is given");
    root.run(&["init", "--tenant", "US"]).exits(1).prints("cannot be the name of a tenant");
    root.run(&["init", "--tenant", "a", "--tenant", "a"]).exits(1).prints("given twice");
    root.run(&["init", "--tenant", "a", "--location", "platform"]).exits(1).prints("give --url");
    root.run(&["init", "--tenant", "a", "--skip", "READM.md"]).exits(1).prints("did you mean README.md?");
    root.run(&["init", "--tenant", "a", "--ci", "gitub"]).exits(1).prints("github");
    root.run(&["init", "--tenant", "a=../b"]).exits(1).prints("cannot be the folder of a");
    root.run(&["init", "--tenant", "a=x", "--tenant", "b=x/"]).exits(1).prints("the folder of two tenants");
    root.run(&["init", "--tenant", "a=x", "--tenant", "b=x/y"]).exits(1).prints("nothing was written");
    root.run(&["init", "--tenant", "a", "--dry-run"]).exits(0).prints("Nothing was written");
    assert!(root.files("").is_empty());
}

/// The steps of the workflow, run as they are written.
#[test]
fn the_workflow_does_what_it_says() {
    let root = Project::empty();
    root.run(&["init", "--tenant", "dev", "--ci", "github"]).exits(0);
    let workflow: serde_json::Value = serde_saphyr::from_str(&root.read(".github/workflows/stablekey.yml")).unwrap();
    let steps = workflow["jobs"]["plan"]["steps"].as_array().unwrap();
    let script = |name: &str| {
        let step = steps.iter().find(|step| step["name"] == name).unwrap();
        step["run"].as_str().unwrap().to_string()
    };
    let run = |script: &str| {
        let built = std::path::PathBuf::from(env!("CARGO_BIN_EXE_stablekey"));
        let path = format!("{}:{}", built.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", script]).current_dir(root.root()).env("PATH", path);
        shell.env("GITHUB_STEP_SUMMARY", root.parent_folder().join("summary.md"));
        shell.output().unwrap()
    };
    assert!(run(&script("Validate")).status.success());
    assert!(run(&script("Plan")).status.success());
    let summary = std::fs::read_to_string(root.parent_folder().join("summary.md")).unwrap();
    assert!(summary.contains("Stablekey plan"), "{summary}");
    // An error fails the check.
    root.write("dev/broken.yaml", "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\n");
    assert!(!run(&script("Validate")).status.success() && !run(&script("Plan")).status.success());
}

#[test]
fn the_job_of_gitlab_is_valid_and_names_its_tokens() {
    let root = Project::empty();
    let tenants = ["--tenant", "us=https://app.prismatic.io", "--tenant", "eu=https://app.eu-west-1.prismatic.io"];
    root.run(&[&["init", "--ci", "gitlab"], &tenants[..]].concat()).exits(0).prints("export STABLEKEY_TOKEN_EU");
    let text = root.read(".gitlab-ci.yml");
    let job: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(job["stablekey"]["script"][1], "stablekey validate");
    assert!(text.contains("STABLEKEY_TOKEN_EU, STABLEKEY_TOKEN_US"), "{text}");
    assert!(root.read("tenants.yaml").contains("env: STABLEKEY_TOKEN_US"));
}

/// "editor schema": the settings apply it to the folders of the tenants, and to further files at the root.
#[test]
fn an_editor_finds_the_schema() {
    let root = Project::empty();
    root.run(&["init", "--tenant", "dev=tenants/dev"]).exits(0);
    let settings: serde_json::Value = serde_json::from_str(&root.read(".vscode/settings.json")).unwrap();
    let globs = settings["yaml.schemas"][".vscode/stablekey.schema.json"].as_array().unwrap();
    for glob in ["tenants.yaml", "syncs.yaml", "tenants/dev/**/*.yaml"] {
        assert!(globs.iter().any(|there| there == glob), "{glob}: {settings}");
    }
    assert_eq!(root.read(".vscode/stablekey.schema.json"), root.run(&["schema"]).out);
}

/// "Nothing is half-written": not even a folder, where a name is wrong or nothing is to be written.
#[test]
fn a_new_folder_is_made_only_with_its_files() {
    let root = Project::empty().with("file", "mine");
    root.run(&["init", "new/one", "--tenant", "dev", "--dry-run"]).exits(0).prints("new/one/tenants.yaml");
    root.run(&["init", "new/one", "--tenant", "Dev_"]).exits(1).prints("cannot be the name of a tenant");
    root.run(&["init", "file", "--tenant", "dev"]).exits(1).prints("file is no folder").prints("stablekey init DIR");
    assert_eq!(root.files("").keys().collect::<Vec<_>>(), ["file"]);
    assert!(!root.has("new"));
    root.run(&["init", "new/one", "--tenant", "dev"]).exits(0);
    root.run(&["plan", "new/one"]).exits(0);
}
