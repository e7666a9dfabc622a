//! `stablekey init`: a project whose first plan works.

use serde_json::{Value, json};
use stablekey_testing::cli::repository;
use stablekey_testing::objects::{Connection, Document as _, Integration};
use stablekey_testing::project::{CommandOutput, Project};
use stablekey_testing::work_tree::WorkTree;
use std::path::Path;
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
    let said = root.run(&["init", "--tenant", "prod", "--ci", "gitlab"]);
    said.exits(1).prints("to add only the files of CI, leave out --tenant").does_not_print("new tenant");
    assert_eq!(root.files(""), before);
}

/// A project that is there gets the same files of CI as a new one.
#[test]
fn the_files_of_ci_are_added_to_a_project_that_is_there() {
    let tenants = ["--tenant", "dev=https://app.prismatic.io", "--tenant", "prod=https://app.eu-west-1.prismatic.io"];
    for ci in
        [&["--ci", "github", "--forks", "--promote", "dev:prod"][..], &["--ci", "gitlab", "--promote", "dev:prod"]]
    {
        let (new, there) = (Project::empty(), Project::empty());
        let with = [&["init"][..], &tenants, ci].concat();
        new.run(&with).exits(0);
        // Where there will be a pipeline, a token is in a variable.
        there.run(&with).exits(0);
        let added = |path: &&String| path.starts_with(".git") && *path != ".gitignore";
        let of_ci: Vec<String> = new.files("").keys().filter(added).cloned().collect();
        assert!(!of_ci.is_empty());
        of_ci.iter().for_each(|path| std::fs::remove_file(there.root().join(path)).unwrap());
        let alone = [&["init"][..], ci].concat();
        there.run(&[&alone[..], &["--dry-run"]].concat()).exits(0).prints("Nothing was written");
        there.run(&alone).exits(0).prints("Next: stablekey plan").does_not_print("does not accept");
        assert_eq!(there.files(""), new.files(""));
        there.run(&alone).exits(1).prints("is there already: nothing was written").prints("--skip .git");
        let wrong = [&["init"][..], &ci[..2], &["--promote", "dev:prd"]].concat();
        there.run(&wrong).exits(1).prints("did you mean prod?");
    }
    let root = Project::empty();
    root.run(&["init", "--tenant", "dev", "--tenant", "prod"]).exits(0);
    root.run(&["init", "--ci", "github", "--promote", "dev:prod"]).exits(0).prints("prod does not accept");
    root.run(&["init", "nowhere", "--ci", "github"]).exits(1).prints("no tenant is given");
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

/// A shell that finds the program under test.
pub fn shell(script: &str, folder: &Path) -> Command {
    let built = std::path::PathBuf::from(env!("CARGO_BIN_EXE_stablekey"));
    let path = format!("{}:{}", built.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(folder).env("PATH", path);
    for name in ["GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_TOKEN", "CI"] {
        shell.env_remove(name);
    }
    shell
}

fn parsed(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The script of a step, by its name.
fn script(steps: &Value, name: &str) -> String {
    let step = steps.as_array().unwrap().iter().find(|step| step["name"] == name).unwrap();
    step["run"].as_str().unwrap().to_string()
}

/// A new project with a branch that was merged, and the description of the pull request.
fn merged(broken: bool) -> WorkTree {
    let root = Project::empty();
    root.run(&["init", "--tenant", "dev", "--ci", "github"]).exits(0);
    let tree = WorkTree::of(root);
    tree.branch("change");
    match broken {
        true => tree.write("dev/broken.yaml", "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\n"),
        false => tree.write("dev/greet.yaml", &Integration::new("greet").yaml()),
    }
    tree.commit("change");
    tree.switch("main");
    tree.git(&["merge", "--quiet", "--no-ff", "--message", "merge", "change"]);
    let repository = json!({"full_name": "acme/connections"});
    let head = json!({"repo": repository, "sha": tree.git(&["rev-parse", "change"])});
    let request = json!({"number": 1, "base": {"ref": "main", "repo": repository}, "head": head});
    std::fs::write(tree.path("../event.json"), json!({ "pull_request": request }).to_string()).unwrap();
    tree
}

/// The steps of the workflow and of the action, run as they are written.
#[test]
fn the_workflow_does_what_it_says() {
    for broken in [false, true] {
        let tree = merged(broken);
        let workflow = parsed(&tree.read(".github/workflows/stablekey.yml"));
        // What a sync or a source brings to a folder is applied after a merge too.
        assert!(tree.has(".github/workflows/stablekey-apply.yml"));
        let action = parsed(&std::fs::read_to_string(repository("action.yml")).unwrap());
        for steps in [&workflow["jobs"]["plan"]["steps"], &action["runs"]["steps"]] {
            let step = if steps[1]["name"] == "Run" { "Run" } else { "Plan" };
            let mut plan = shell(&script(steps, step), tree.root());
            plan.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_PATH", tree.path("../event.json"));
            plan.env("GITHUB_STEP_SUMMARY", tree.path("../summary.md"));
            plan.envs([("COMMAND", "plan"), ("ROOT", "."), ("REPORT", "stablekey-report")]);
            let output = CommandOutput::of(&plan.output().unwrap());
            assert_eq!(output.code, i32::from(broken), "{}", output.all);
            assert!(tree.read("stablekey-report/comment.md").contains("Stablekey"));
            assert!(std::fs::read_to_string(tree.path("../summary.md")).unwrap().contains("Stablekey"));
        }
        let mut apply = shell(&script(&action["runs"]["steps"], "Run"), tree.root());
        apply.envs([("COMMAND", "apply"), ("ROOT", "."), ("APPROVE", "sha256:4f2a9c01be774f2a9c01be774f2a9c01")]);
        let output = CommandOutput::of(&apply.output().unwrap());
        assert_eq!(output.code, i32::from(broken), "{}", output.all);
        assert!(output.err.contains("the approval sha256:4f2a9c01be774f2a9c01be774f2a9c01 is void"), "{}", output.err);
        let mut other = shell(&script(&action["runs"]["steps"], "Run"), tree.root());
        assert_eq!(other.env("COMMAND", "aply").output().unwrap().status.code(), Some(1));
    }
}

/// Where a tenant is elsewhere, a merge is applied, with the tokens of all.
#[test]
fn a_tenant_elsewhere_is_applied_after_a_merge() {
    let tenants = ["--tenant", "us=https://app.prismatic.io", "--tenant", "eu=https://app.eu-west-1.prismatic.io"];
    let root = Project::empty();
    root.run(&[&["init", "--ci", "github"], &tenants[..]].concat()).exits(0);
    let apply = root.read(".github/workflows/stablekey-apply.yml");
    let plan = root.read(".github/workflows/stablekey.yml");
    for (text, jobs) in [(&plan, 1), (&apply, 2)] {
        let tokens = "          STABLEKEY_TOKEN_EU: ${{ secrets.STABLEKEY_TOKEN_EU }}\n          STABLEKEY_TOKEN_US: ${{ secrets.STABLEKEY_TOKEN_US }}\n";
        assert_eq!(text.matches(tokens).count(), jobs, "{text}");
        assert!(!text.contains("such as:\n"), "{text}");
    }
    let jobs = parsed(&apply)["jobs"].clone();
    // Reviewers are waited for by a job that holds up no other one.
    assert_eq!(
        (&jobs["review"]["environment"], &jobs["approve"]["needs"]),
        (&json!("stablekey-approve"), &json!("review"))
    );
    assert!(jobs["review"]["concurrency"].is_null() && parsed(&apply)["concurrency"].is_null(), "{apply}");
    assert_eq!(jobs["approve"]["concurrency"], jobs["apply"]["concurrency"]);
    assert_eq!(script(&jobs["approve"]["steps"], "Apply"), "stablekey ci apply --push --approve \"$APPROVE\"");
    let root = Project::empty();
    root.run(&[&["init", "--ci", "gitlab"], &tenants[..]].concat()).exits(0).prints("export STABLEKEY_TOKEN_EU");
    let text = root.read(".gitlab-ci.yml");
    let pipeline = parsed(&text);
    assert_eq!(pipeline["stablekey-plan"]["script"][1], "stablekey ci plan --report stablekey-report");
    assert_eq!(pipeline["stablekey-apply"]["script"][0], "stablekey ci apply --push");
    assert_eq!(pipeline["stablekey-approve"]["extends"], ".stablekey");
    assert!(!text.contains("plan.yml"), "{text}");
    let script = pipeline["stablekey-approve"]["script"][0].as_str().unwrap();
    let without = shell(script, root.root()).env_remove("STABLEKEY_APPROVE").output().unwrap();
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(!without.status.success() && said.contains("STABLEKEY_APPROVE: run the job with this variable"), "{said}");
    assert!(text.contains("# For tenants on the platform: STABLEKEY_TOKEN_EU, STABLEKEY_TOKEN_US.\n"), "{text}");
    assert!(root.read("tenants.yaml").contains("env: STABLEKEY_TOKEN_US"));
    let folders = Project::empty();
    folders.run(&["init", "--tenant", "dev", "--ci", "gitlab"]).exits(0);
    let text = folders.read(".gitlab-ci.yml");
    assert_eq!(parsed(&text)["stablekey-apply"]["script"][0], "stablekey ci apply --push");
    assert!(!text.contains("For tenants on the platform"), "{text}");
}

/// The text of a file of `ci/`, as a new project gets it.
fn of_ci(path: &str, tokens: &str) -> String {
    let text = std::fs::read_to_string(repository(path)).unwrap();
    let example = "          # The tokens of tenants on the platform, such as:\n          # STABLEKEY_TOKEN_US: ${{ secrets.STABLEKEY_TOKEN_US }}\n";
    text.replace(example, tokens).replace("promote dev prod", "promote us eu")
}

/// "Same text as in ci/": pull requests of forks, and promotions.
#[test]
fn forks_and_promotions_get_the_files_that_are_copied_else() {
    let tenants = ["--tenant", "us=https://app.prismatic.io", "--tenant", "eu=https://app.eu-west-1.prismatic.io"];
    let root = Project::empty();
    let more = ["init", "--ci", "github", "--forks", "--promote", "us:eu"];
    root.run(&[&more[..], &tenants].concat()).exits(0).prints(".github/workflows/stablekey-fork.yml");
    let tokens = "          STABLEKEY_TOKEN_EU: ${{ secrets.STABLEKEY_TOKEN_EU }}\n          STABLEKEY_TOKEN_US: ${{ secrets.STABLEKEY_TOKEN_US }}\n";
    let written = root.files(".github/workflows");
    let copied = std::fs::read_dir(repository("ci/github")).unwrap().count();
    assert_eq!(written.len(), copied, "{:?}", written.keys());
    for name in written.keys() {
        let name = Path::new(name).file_name().unwrap().to_str().unwrap();
        let text = of_ci(&format!("ci/github/{name}"), tokens);
        assert_eq!(root.read(&format!(".github/workflows/{name}")), text, "{name}");
    }
    let promote = parsed(&root.read(".github/workflows/stablekey-promote.yml"));
    assert_eq!(script(&promote["jobs"]["promote"]["steps"], "Promote"), "stablekey ci promote us eu");
    // On GitLab they are one file.
    let root = Project::empty();
    root.run(&[&["init", "--ci", "gitlab", "--promote", "us:eu"], &tenants[..]].concat()).exits(0);
    let text = root.read(".gitlab-ci.yml");
    let parts = ["plan", "apply", "promote"].map(|name| of_ci(&format!("ci/gitlab/{name}.yml"), ""));
    let all = parts.join("\n").replace(" Use it together with plan.yml.", "");
    let all = all.replace("such as STABLEKEY_TOKEN_US.", "STABLEKEY_TOKEN_EU, STABLEKEY_TOKEN_US.");
    assert_eq!(text, all);
    assert_eq!(parsed(&text)["stablekey-promote"]["script"][0], "stablekey ci promote us eu");
}

/// "The target must accept the source (acceptFrom)".
#[test]
fn a_promotion_by_schedule_is_accepted() {
    let root = Project::empty();
    let said = root.run(&["init", "--tenant", "dev", "--tenant", "prod", "--ci", "github", "--promote", "dev:prod"]);
    said.exits(0).prints("prod accepts what is promoted from dev: acceptFrom in tenants.yaml.");
    root.write("dev/crm.yaml", &Connection::new("crm", "crm/basic").yaml());
    root.write("dev/greet.yaml", &Integration::new("greet").binds("CRM", "crm").yaml());
    root.run(&["promote", "dev", "prod", "--fill", "--yes"]).does_not_print("SK0111");
}

/// GitHub and GitLab read their files at the root of a repository only.
#[test]
fn files_of_ci_below_the_root_of_a_repository_are_named() {
    let outer = WorkTree::of(Project::empty());
    for (system, file) in [("github", "one/.github/workflows"), ("gitlab", "two/.gitlab-ci.yml")] {
        let folder = file.split('/').next().unwrap();
        let said = outer.stablekey(&["init", folder, "--tenant", "dev", "--ci", system]);
        assert_eq!(said.code, 0, "{}", said.all);
        let words = format!("at the root of the repository only: move {file} there");
        assert!(said.out.contains(&words) && said.out.contains(&format!("-C {folder}\n")), "{}", said.out);
    }
    let root = outer.stablekey(&["init", "--tenant", "dev", "--ci", "github", "--skip", "README.md"]);
    assert!(!root.out.contains("at the root of the repository only"), "{}", root.out);
}

#[test]
fn a_mistake_in_what_a_pipeline_does_is_named() {
    let root = Project::empty();
    let init = |more: &[&str]| root.run(&[&["init", "--tenant", "dev", "--tenant", "prod"], more].concat());
    init(&["--forks"]).exits(1).prints("--ci");
    init(&["--promote", "dev:prod"]).exits(1).prints("--ci");
    init(&["--ci", "gitlab", "--forks"]).exits(1).prints("no files of GitLab for merge requests of forks");
    init(&["--ci", "github", "--promote", "dev"]).exits(1).prints("names one tenant").prints("--promote FROM:TO");
    init(&["--ci", "github", "--promote", "dev:prd"]).exits(1).prints("did you mean prod?");
    init(&["--ci", "github", "--promote", "dev:dev"]).exits(1).prints("names dev twice");
    assert!(root.files("").is_empty());
}

/// A fork's run has no secrets, and can leave artifacts of any name: nothing of it is taken for the repository's own.
#[test]
fn the_workflows_for_forks_take_nothing_that_a_fork_made() {
    let workflow = |name: &str| parsed(&std::fs::read_to_string(repository(&format!("ci/github/{name}.yml"))).unwrap());
    let (own, fork) = (workflow("stablekey"), workflow("stablekey-fork"));
    let same = |sign: &str| json!(format!("github.event.pull_request.head.repo.full_name {sign} github.repository"));
    assert_eq!((&own["jobs"]["plan"]["if"], &fork["jobs"]["plan-fork"]["if"]), (&same("=="), &same("!=")));
    for of_pull_request in [&own, &fork] {
        assert_eq!(of_pull_request["concurrency"]["cancel-in-progress"], true);
    }
    let fetch = script(&fork["jobs"]["plan-fork"]["steps"], "Fetch the snapshot");
    for condition in [
        "select(.event == \"push\" or .event == \"schedule\")",
        "select(.head_repository.full_name == .repository.full_name)",
    ] {
        assert!(fetch.contains(condition), "{fetch}");
    }
}

/// The files to copy name this version.
#[test]
fn the_files_of_pipelines_install_this_version() {
    let mut installs = 0;
    let workflows = std::fs::read_dir(repository("ci/github")).unwrap().map(|entry| entry.unwrap().path());
    for path in workflows.chain(["ci/gitlab/plan.yml", "action.yml"].map(repository)) {
        let text = std::fs::read_to_string(&path).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        for line in text.lines().filter(|line| line.contains("cargo install")) {
            installs += 1;
            let of_input = line.contains("\"$VERSION\"") && parsed(&text)["inputs"]["version"]["default"] == version;
            assert!(of_input || line.ends_with(&format!("--version {version}")), "{}: {line}", path.display());
        }
    }
    assert_eq!(installs, 9);
}

/// The hook of pre-commit runs in a project, and fails where a manifest is wrong.
#[test]
fn the_hook_of_pre_commit_checks_manifests() {
    let hooks = parsed(&std::fs::read_to_string(repository(".pre-commit-hooks.yaml")).unwrap());
    let [hook] = hooks.as_array().unwrap().as_slice() else { panic!("one hook: {hooks}") };
    let files = hook["files"].as_str().unwrap();
    assert!(files.contains("ya?ml") && files.contains("stablekey\\.lock") && hook["pass_filenames"] == false);
    for broken in [false, true] {
        let tree = merged(broken);
        let output = shell(hook["entry"].as_str().unwrap(), tree.root()).output().unwrap();
        assert_eq!(output.status.success(), !broken);
    }
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
