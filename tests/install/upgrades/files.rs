//! Projects in folders: what one version wrote, the other reads as if it had written it itself.

use super::{Version, earlier};
use serde_json::Value;
use stablekey::api::Credentials;
use stablekey_testing::cli::files;
use stablekey_testing::objects::{Connection, CustomerCredentials, Document as _, Integration, Sync, Tenant};
use stablekey_testing::project::{CommandOutput, Project, actions};
use stablekey_testing::yaml;
use std::collections::BTreeMap;
use std::fs;

fn run(version: &Version, project: &Project, arguments: &[&str]) -> CommandOutput {
    CommandOutput::of(&version.command(project.state(), project.root(), arguments).output().unwrap())
}

fn crm(host: &str, scopes: &str) -> String {
    let crm = Connection::new("crm", "salesforce/oauth2").credentials(Credentials::OrganizationGlobal);
    crm.input("tokenUrl", &format!("https://{host}/token")).input("scopes", scopes).secret("clientSecret", "app").yaml()
}

fn chat(title: &str) -> String {
    let chat = Connection::new("chat", "slack/oauth2").credentials(Credentials::OrganizationGlobal);
    chat.title(title).input("channel", "sales").yaml()
}

const DEFINITION: &str = "definitionVersion: 7\nname: Lead\nrequiredConfigVars:\n\
                          - {key: CRM, dataType: connection, useScopedConfigVar: crm}\nflows: []\n";

/// Creates a project in which an earlier version has applied everything that it can: a sync with overrides that prunes,
/// an ad-hoc sync, a source; then a value of the tenant's own, and drift.
fn written_by(version: &Version) -> Project {
    let us = Tenant::new("us").in_folder("us");
    let eu = Tenant::new("eu").in_folder("eu").accepts("us").allows_delete();
    let dev = Tenant::new("dev").in_folder("dev").accepts("us");
    let own = Tenant::new("own").in_folder("own").source("declared/own");
    let sync = Sync::new("us-to-eu", "us", "eu").mirror().prune();
    let sync = sync.overriding_input("eu", "crm", "scopes", "eu").of_integrations(&["lead", "notify"]);
    let project = Project::empty()
        .with("tenants.yaml", &yaml::file(&[us.yaml(), eu.yaml(), dev.yaml(), own.yaml(), sync.yaml()]))
        .with("us/connections/crm.yaml", &crm("login.example", "api"))
        .with("us/connections/chat.yaml", &chat("Chat"))
        .with(
            "us/integrations/lead.yaml",
            &Integration::new("lead").binds("CRM", "crm").definition_file("lead.definition").yaml(),
        )
        .with("us/integrations/lead.definition", DEFINITION)
        .with("us/integrations/notify.yaml", &Integration::new("notify").title("Notify").binds("Chat", "chat").yaml())
        .with("eu/connections/chat.yaml", &chat("Europe's own"))
        .with("eu/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n")
        .with("declared/own/crm.yaml", &crm("own.example", "api"))
        .with("dev/connections/crm.yaml", &crm("dev.example", "api"))
        .with("dev/connections/chat.yaml", &chat("Chat"))
        .with_folder("own");
    let applied = run(version, &project, &["apply", "--yes"]);
    assert!(applied.code != 1, "{}", applied.all);
    run(version, &project, &["apply", "--yes", "--sync", "us:dev"]);
    let project = project.edit("eu/integrations/notify.yaml", "Notify", "Edited by hand");
    let kustomization = project.read("eu/kustomization.yaml");
    assert!(kustomization.contains("configMapGenerator"), "{kustomization}");
    for (folder, writer) in [("eu", "@sync/us-to-eu"), ("dev", "@promote/us"), ("own", "@source")] {
        let lock = project.read(&format!("{folder}/stablekey.lock"));
        assert!(lock.starts_with("stablekey.lock v1\n") && lock.contains(writer), "{folder}: {lock}");
    }
    project
}

/// Returns the exit code of a plan, its digests and actions, and what it says is kept or drifted.
fn plan(version: &Version, project: &Project) -> Plan {
    let output = run(version, project, &["plan", "-o", "json"]);
    let json: Value = serde_json::from_str(&output.out).unwrap_or_else(|error| panic!("{error}: {}", output.all));
    let notes = json["targets"].as_array().unwrap().iter().flat_map(|target| target["notes"].as_array().unwrap());
    let notes = notes.filter(|note| note["note"] == "kept" || note["note"] == "drift");
    let digests = json["targets"].as_array().unwrap().iter().map(|target| target["digests"].clone());
    Plan {
        code: output.code,
        actions: actions(&json),
        digests: digests.collect(),
        notes: notes.map(|note| format!("{} {} {}", note["note"], note["object"], note["path"])).collect(),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Plan {
    code: i32,
    actions: Vec<String>,
    digests: Vec<Value>,
    notes: Vec<String>,
}

/// Both versions plan the same, and an apply with either of them changes no byte.
#[track_caller]
fn at_rest(project: &Project, versions: [&Version; 2]) {
    let before = files(project.root());
    let plans = versions.map(|version| plan(version, project));
    assert_eq!(plans[0], plans[1]);
    assert_eq!(plans[0].actions, [""; 0]);
    assert_eq!(plans[0].code, 3, "there is drift: {:?}", plans[0]);
    assert_eq!(
        plans[0].notes,
        [r#""kept" "Connection/chat" ["title"]"#, r#""drift" "Integration/notify" ["title"]"#],
        "{:?}",
        plans[0]
    );
    for version in versions {
        let applied = run(version, project, &["apply", "--yes"]);
        assert_eq!(applied.code, 3, "{}", applied.all);
        assert_eq!(changed(&before, &files(project.root())), [""; 0], "{}", applied.all);
    }
}

fn changed(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let names = before.keys().chain(after.keys());
    let mut names: Vec<String> = names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn what_either_version_wrote_is_the_same_to_the_other() {
    let this = Version::this();
    for earlier in earlier() {
        let project = written_by(earlier);
        at_rest(&project, [earlier, &this]);

        // Work goes on, and each version reads the lock of the other.
        for (round, [writer, reader]) in [[&this, earlier], [earlier, &this]].into_iter().enumerate() {
            project.write("us/connections/crm.yaml", &crm("login.example", &format!("api {round}")));
            project.write(
                "us/connections/chat.yaml",
                &chat(&format!("Chat {round}")).replace("sales", &format!("sales-{round}")),
            );
            project.write("declared/own/crm.yaml", &crm("own.example", &format!("api {round}")));
            let added = format!("lead-{round}");
            project
                .write(&format!("us/integrations/{added}.yaml"), &Integration::new(&added).binds("CRM", "crm").yaml());
            let tenants = project.read("tenants.yaml");
            project.write(
                "tenants.yaml",
                &tenants.replace("integrations: [lead", &format!("integrations: [{added}, lead")),
            );
            let plans = [writer, reader].map(|version| plan(version, &project));
            assert_eq!(plans[0], plans[1]);
            assert!(plans[0].actions.len() == 3, "{:?}", plans[0]);
            let applied = run(writer, &project, &["apply", "--yes"]);
            assert_eq!(applied.code, 3, "{}", applied.all);
            assert!(project.has(&format!("eu/integrations/{added}.yaml")));
            at_rest(&project, [reader, writer]);
        }
        // Either removes what the other made.
        for (round, remover) in [(0, earlier), (1, &this)] {
            let added = format!("lead-{round}");
            let tenants = project.read("tenants.yaml");
            project.write("tenants.yaml", &tenants.replace(&format!("{added}, "), ""));
            fs::remove_file(project.path(&format!("us/integrations/{added}.yaml"))).unwrap();
            let applied = run(remover, &project, &["apply", "--yes"]);
            assert_eq!(applied.code, 3, "{}", applied.all);
            assert!(!project.has(&format!("eu/integrations/{added}.yaml")), "{}", applied.all);
            at_rest(&project, [earlier, &this]);
        }
    }
}

/// A plan file of one version is consent for the other, where it shows the same.
#[test]
fn a_plan_file_of_either_version_is_applied_by_the_other() {
    let this = Version::this();
    for earlier in earlier() {
        for [planner, applier] in [[earlier, &this], [&this, earlier]] {
            let project = written_by(planner);
            project.write("us/connections/crm.yaml", &crm("other.example", "api"));
            let planned = run(planner, &project, &["plan", "--out", "the.plan"]);
            assert_eq!(planned.code, 3, "{}", planned.all);
            let before = files(&project.path("eu"));
            let applied = run(applier, &project, &["apply", "--plan", "the.plan"]);
            assert_eq!(applied.code, 3, "{}", applied.all);
            assert_eq!(
                changed(&before, &files(&project.path("eu"))),
                ["connections/crm.yaml", "stablekey.lock"],
                "{}",
                applied.all
            );
            assert!(project.read("eu/connections/crm.yaml").contains("other.example"));
        }
    }
}

/// An approval that was kept for an interrupted apply of one version finishes it with the other; `--yes` uses it with
/// neither, and another change needs another one.
#[test]
fn an_approval_kept_by_either_version_is_neither_lost_nor_granted() {
    let this = Version::this();
    for earlier in earlier() {
        for [first, second] in [[earlier, &this], [&this, earlier]] {
            let project = written_by(first);
            project.write("us/connections/crm.yaml", &crm("other.example", "api"));
            project.write("us/integrations/more.yaml", &Integration::new("more").binds("CRM", "crm").yaml());
            let tenants = project.read("tenants.yaml");
            project.write("tenants.yaml", &tenants.replace("integrations: [lead", "integrations: [more, lead"));
            let digest = {
                let json: Value = serde_json::from_str(&run(first, &project, &["plan", "-o", "json"]).out).unwrap();
                let targets = json["targets"].as_array().unwrap().iter();
                let digest = targets.filter_map(|target| target["digests"]["sync/us-to-eu"].as_str()).next();
                digest.unwrap().to_string()
            };
            // Beside a file with such a long name, one with a longer name cannot be created.
            let [usual, long] =
                ["crm".to_string(), "c".repeat(245)].map(|name| project.path(&format!("eu/connections/{name}.yaml")));
            fs::rename(&usual, &long).unwrap();
            let cut_off = run(first, &project, &["apply", "--approve", &digest]);
            assert_eq!(cut_off.code, 1, "{}", cut_off.all);
            fs::rename(&long, &usual).unwrap();
            let kept = files(project.state());
            assert_eq!(kept.len(), 1, "{}", cut_off.all);

            let unapproved = run(second, &project, &["apply", "--yes"]);
            unapproved.prints("not approved");
            assert!(project.read("eu/connections/crm.yaml").contains("login.example"));
            assert_eq!(files(project.state()), kept);

            let finished = run(second, &project, &["apply", "--approve", &digest]);
            assert!(project.read("eu/connections/crm.yaml").contains("other.example"), "{}", finished.all);
            assert_eq!(files(project.state()).len(), 0, "it is consumed");
            project.write("us/connections/crm.yaml", &crm("third.example", "api"));
            run(second, &project, &["apply", "--approve", &digest]).exits(1).prints("is no digest of this plan");
        }
    }
}

/// Returns the version before tenants on the platform.
fn before_platform() -> &'static Version {
    super::named("before-platform")
}

/// What only this version knows, the earlier one reports with file and line, and writes nothing: never a wrong plan.
#[test]
fn what_an_earlier_version_cannot_read_is_an_error_and_writes_nothing() {
    let (this, earlier) = (Version::this(), before_platform());
    let project = written_by(&this);
    let staged = Sync::new("staged", "us", "own").stages(&[&["own"]]).mirror();
    project.write("staged.yaml", &staged.yaml());
    let tenants = project.read("tenants.yaml");
    project.write(
        "tenants.yaml",
        &tenants.replace("source: {path: declared/own}", "source: {path: declared/own}, acceptFrom: [us]"),
    );
    project.write("us/connections/late.yaml", &chat("Late").replace("chat", "late"));
    project.write("us/integrations/late.yaml", &Integration::new("late").binds("Chat", "late").yaml());
    let before = files(project.root());
    let output = run(earlier, &project, &["apply", "--yes"]);
    output.exits(1).prints("staged.yaml:");
    assert_eq!(changed(&before, &files(project.root())), [""; 0], "{}", output.all);
    run(&this, &project, &["apply", "--yes"]);
    assert!(project.has("own/integrations/late.yaml"));

    // A record of a field that it does not know.
    let further = CustomerCredentials::new("acme", "crm").set(Some("further")).yaml();
    let own = Tenant::new("own").in_folder("own").source("declared/own");
    let project = Project::empty().with("tenants.yaml", &own.yaml()).with("declared/own/acme.yaml", &further);
    let project = project.with("declared/own/crm.yaml", &crm("own.example", "api")).with_folder("own");
    run(&this, &project, &["apply", "--yes"]);
    assert!(project.read("own/stablekey.lock").contains(" name="), "{}", project.read("own/stablekey.lock"));
    project.write("declared/own/crm.yaml", &crm("own.example", "more"));
    let before = files(project.root());
    let output = run(earlier, &project, &["apply", "--yes"]);
    output.exits(1).prints("own/stablekey.lock").prints("not a record");
    assert_eq!(changed(&before, &files(project.root())), [""; 0], "{}", output.all);
}
