//! Every command on clusters and on mixed locations: files and clusters, two clusters, sources in Git.

use crate::command_line::env::{CommandOutput, TestEnv, connection, integration, sync_yaml};
use stablekey_clusters::{Cluster, Namespace, run, run_with_input, shared_all};
use stablekey_testing::objects::{Document as _, Sync, Tenant};
use stablekey_testing::project::Project;
use std::process::Command;

/// A definition that uses `Use of a` in one step.
fn definition(name: &str, filler: usize) -> String {
    format!(
        "definitionVersion: 7\nname: {name}\ndescription: {}\nconfigPages:\n  - name: Connections\n    elements:\n      - {{type: configVar, value: Use of a}}\n\
         requiredConfigVars:\n  - key: Use of a\n    stableKey: use-of-a\n    dataType: connection\n    connection:\n      component: {{key: salesforce, version: LATEST, isPublic: true}}\n      key: oauth2\n\
         flows:\n  - name: Main\n    isSynchronous: false\n    steps:\n      - name: Trigger\n        isTrigger: true\n        action: {{component: {{key: webhook-triggers, version: LATEST, isPublic: true}}, key: webhook}}\n      \
         - name: Query\n        action: {{component: {{key: salesforce, version: LATEST, isPublic: true}}, key: query}}\n        inputs:\n          connection: {{type: configVar, value: Use of a}}\n",
        "x".repeat(filler)
    )
}

fn with_a_definition(env: &TestEnv, filler: usize) {
    let manifest = integration("one", &["a"]) + "  definition: {file: one.definition}\n";
    env.write("us/integrations/one.yaml", &manifest);
    env.write("us/integrations/one.definition", &definition("one", filler));
}

#[test]
fn a_definition_is_copied_and_exported_byte_for_byte() {
    let env = TestEnv::with_a_source("definition");
    with_a_definition(&env, 10);
    env.apply();
    let maps = env.kubectl(&[
        "get",
        "configmaps",
        "-l",
        "stablekey.dev/definition=true",
        "-o",
        "jsonpath={.items[*].metadata.name} {.items[*].immutable}",
    ]);
    assert!(maps.starts_with("one-") && maps.ends_with(" true"), "{maps}");
    // It is bound, exported and explained from the cluster alone.
    let exported = env.run(&["export", "eu", "one"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    assert!(exported.out.contains("Query"), "{}", exported.out);
    let explained = env.run(&["explain", "eu", "one", "--step", "Query"]);
    assert!(explained.words().contains("Use of a"), "{explained:?}");
    // A new definition is a new ConfigMap, written before the integration refers to it.
    env.write("us/integrations/one.definition", &definition("one", 11));
    let plan = env.run(&["plan"]);
    assert_eq!(plan.code, 2, "{}", plan.words());
    env.apply();
    let now = env.kubectl(&["get", "integration", "one", "-o", "jsonpath={.spec.definition.configMap.name}"]);
    assert!(!maps.contains(&now), "{maps} {now}");
}

#[test]
fn a_too_large_definition_blocks_only_its_integration() {
    let env = TestEnv::with_a_source("too-large");
    with_a_definition(&env, 900_000);
    let apply = env.run(&["apply", "--yes"]);
    assert_eq!(apply.code, 1, "{}", apply.words());
    assert!(apply.words().contains("Integration/one: its definition is"), "{}", apply.words());
    assert!(apply.words().contains("bytes, and eu takes at most 900000"), "{}", apply.words());
    assert_eq!(env.names(), ["connection/a", "connection/c", "integration/two"]);
    with_a_definition(&env, 10);
    env.apply();
}

#[test]
fn drift_is_reported_with_its_manager_and_adopted_or_corrected() {
    let env = TestEnv::with_a_source("drift");
    env.apply();
    let edit = ["patch", "connection", "a", "--type=merge", "--field-manager=kubectl-edit", "-p"];
    let patched = "{\"spec\": {\"inputs\": {\"scopes\": {\"value\": \"edited\"}, \"own\": {\"value\": \"theirs\"}}}}";
    env.kubectl(&[&edit[..], &[patched]].concat());
    let plan = env.run(&["plan"]);
    assert_eq!(plan.code, 3, "{}", plan.words());
    assert!(
        plan.words().contains("inputs.scopes (edited; declared: api) changed in eu by kubectl-edit"),
        "{}",
        plan.out
    );
    let adopt = env.run(&["adopt", "eu", "Connection/a"]);
    assert_eq!(adopt.code, 0, "{adopt:?}");
    // After the adoption the field is updated again; the target's own field is kept.
    env.apply();
    let inputs =
        env.kubectl(&["get", "connection", "a", "-o", "jsonpath={.spec.inputs.scopes.value} {.spec.inputs.own.value}"]);
    assert_eq!(inputs, "api theirs");
    // Drift policy Correct reverts it without asking.
    env.kubectl(&[&edit[..], &[patched]].concat());
    let actions = "actions: [Create, Update, Delete]";
    env.edit_tenants(actions, &format!("{actions}, drift: Correct"));
    // The stricter of the two policies applies: the tenant's own is still Detect.
    assert_eq!(env.run(&["plan"]).code, 3);
    let own = "{\"spec\": {\"policy\": {\"drift\": \"Correct\"}}}";
    env.kubectl(&["patch", "tenant", "eu", "--type=merge", "-p", own]);
    env.apply();
    let scopes = env.kubectl(&["get", "connection", "a", "-o", "jsonpath={.spec.inputs.scopes.value}"]);
    assert_eq!(scopes, "api");
}

/// `revert`, `keep` and `forget` end differences in a cluster as in a folder: the record is on the objects.
#[test]
fn differences_are_ended_by_revert_keep_and_forget() {
    let env = TestEnv::with_a_source("differences");
    env.apply();
    let edit = ["patch", "connection", "a", "--type=merge", "--field-manager=kubectl-edit", "-p"];
    let patched = "{\"spec\": {\"inputs\": {\"scopes\": {\"value\": \"edited\"}, \"own\": {\"value\": \"theirs\"}}}}";
    let inputs = || {
        env.kubectl(&["get", "connection", "a", "-o", "jsonpath={.spec.inputs.scopes.value} {.spec.inputs.own.value}"])
    };
    let command = |arguments: &[&str]| {
        let said = env.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}\n{}", said.words());
        said.words()
    };
    env.kubectl(&[&edit[..], &[patched]].concat());
    command(&["revert", "eu", "Connection/a", "inputs.scopes", "--yes"]);
    assert_eq!(inputs(), "api theirs");
    command(&["plan"]);
    env.kubectl(&[&edit[..], &[patched]].concat());
    let keep = ["keep", "eu", "Connection/a", "inputs.scopes", "--reason", "as kubectl has it", "--yes"];
    assert!(command(&keep).contains("The ownership record of eu follows."));
    // Nothing is left to do, not even to adopt.
    command(&["plan"]);
    assert_eq!(inputs(), "edited theirs");
    env.remove("syncs.yaml");
    assert!(env.run(&["plan"]).words().contains("stablekey forget eu sync/"), "{}", env.run(&["plan"]).words());
    let record = || env.kubectl(&["get", "connection", "a", "-o", "jsonpath={.metadata.annotations}"]);
    assert!(record().contains("sync/"));
    let writer = sync_writer(&record());
    command(&["forget", "eu", &writer, "--yes"]);
    assert!(!record().contains("sync/"), "{}", record());
    assert_eq!(inputs(), "edited theirs");
    assert!(!env.run(&["plan"]).words().contains("stablekey forget"));
}

/// The first sync that a record names.
fn sync_writer(record: &str) -> String {
    let at = record.find("sync/").unwrap();
    record[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-/".contains(*c)).collect()
}

#[test]
fn objects_of_a_create_sync_stay_complete_after_partial_writes() {
    let env = TestEnv::with_a_source("create");
    env.write("syncs.yaml", &sync_yaml().replace("Mirror", "Create"));
    env.apply();
    let before = env.kubectl(&["get", "connection", "a", "-o", "jsonpath={.spec}"]);
    // From here on it is mirrored. It is in sync already, so only recorded, and no owned field is removed.
    env.write("syncs.yaml", &sync_yaml());
    env.apply();
    env.write("us/connections/a.yaml", &connection("a", "api refresh_token"));
    env.apply();
    let after = env.kubectl(&["get", "connection", "a", "-o", "jsonpath={.spec}"]);
    assert_eq!(after, before.replace("\"api\"", "\"api refresh_token\""));
}

#[test]
fn a_tenant_that_accepts_no_sync_gets_none() {
    let env = TestEnv::with_a_source("accepts");
    env.kubectl(&["patch", "tenant", "eu", "--type=merge", "-p", "{\"spec\": {\"acceptFrom\": [\"elsewhere\"]}}"]);
    let plan = env.run(&["plan"]);
    assert_eq!(plan.code, 3, "{}", plan.words());
    assert!(plan.words().contains("does not accept"), "{}", plan.out);
    // No Tenant, two, and one with another name.
    env.kubectl(&["delete", "tenant", "eu"]);
    assert_eq!(env.run(&["plan"]).code, 3);
    for name in ["one", "two"] {
        let tenant = Tenant::new(name).accepts("us");
        run_with_input(env.eu.kubectl().args(["apply", "-f", "-"]), &tenant.yaml()).unwrap();
        let plan = env.run(&["plan"]);
        assert_eq!(plan.code, 1, "{}", plan.words());
        let told =
            if name == "one" { "is that of tenant one" } else { "several Tenants without a location (one, two)" };
        assert!(plan.words().contains(told), "{}", plan.out);
    }
}

/// Applies a folder's objects to a namespace.
fn put(namespace: &Namespace<'_>, text: &str) {
    run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), text).unwrap();
}

#[test]
fn a_sync_between_clusters_works_like_one_between_folders() {
    let [us, eu] = shared_all(["us", "eu"]);
    let (from, to) = (us.namespace("two"), eu.namespace("two"));
    put(&from, &Tenant::new("us-prod").yaml());
    put(&to, &Tenant::new("eu-prod").accepts("us-prod").yaml());
    put(&from, &connection("a", "api"));
    let map = format!(
        "{{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {{\"name\": \"one-v1\", \"labels\": {{\"stablekey.dev/definition\": \"true\"}}}}, \"data\": {{\"definition\": {:?}}}}}",
        definition("one", 10)
    );
    put(&from, &map);
    put(&from, &(integration("one", &["a"]) + "  definition: {configMap: {name: one-v1}}\n"));
    let project = Project::empty()
        .with("us-prod.yaml", &Tenant::new("us-prod").in_namespace(from.name(), "us").yaml())
        .with("eu-prod.yaml", &Tenant::new("eu-prod").in_namespace_of_the_current_context(to.name()).yaml())
        .with("syncs.yaml", &Sync::new("us-to-eu", "us-prod", "eu-prod").mirror().prune().yaml());
    // The one without a kubeconfig is in the current context.
    let kubeconfig = format!("{}:{}", eu.kubeconfig().display(), us.kubeconfig().display());
    let stablekey = |arguments: &[&str]| {
        let mut command = project.command_with_state(arguments);
        CommandOutput::of(&command.env("KUBECONFIG", &kubeconfig).output().unwrap())
    };
    let plan = stablekey(&["plan"]);
    assert_eq!(plan.code, 2, "{}", plan.words());
    assert!(plan.out.contains("eu-prod  2 to create"), "{}", plan.out);
    let apply = stablekey(&["apply", "--yes"]);
    assert_eq!(apply.code, 0, "{apply:?}");
    assert_eq!(stablekey(&["plan"]).code, 0);
    // The definition was copied too, unchanged.
    let exported = ["us-prod", "eu-prod"].map(|tenant| stablekey(&["export", tenant, "one"]).out);
    assert!(exported[0].contains("Query"), "{}", exported[0]);
    assert_eq!(exported[0], exported[1]);
    let marks = [us.mark().unwrap(), eu.mark().unwrap()];
    assert_eq!(stablekey(&["apply", "--yes"]).code, 0);
    for (cluster, mark) in [us, eu].into_iter().zip(marks) {
        writes_nothing(cluster, mark, &[from.name(), to.name()]);
    }
    let status = stablekey(&["status"]);
    assert!(status.words().contains("a salesforce/oauth2 ✓ ✓"), "{}", status.out);
}

fn writes_nothing(cluster: &Cluster, since: stablekey_clusters::audit::Mark, namespaces: &[&str]) {
    let requests = cluster.audit_since(since).unwrap();
    let wrote: Vec<_> = requests.iter().filter(|r| r.writes() && namespaces.contains(&r.namespace.as_str())).collect();
    assert!(wrote.is_empty(), "{wrote:?}");
}

#[test]
fn a_source_in_git_is_applied_to_the_cluster() {
    let env = TestEnv::new("source");
    env.write("syncs.yaml", "");
    env.edit_tenants("  acceptFrom: [us]\n  policy", "  source: {path: declared/eu}\n  policy");
    env.write("us/.keep", "");
    env.write("declared/eu/connections/a.yaml", &connection("a", "api"));
    env.write("declared/eu/integrations/one.yaml", &integration("one", &["a"]));
    // Sources are checked even without a cluster.
    let validate = |expected: i32| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stablekey"));
        let output = command.arg("validate").current_dir(env.root()).env("KUBECONFIG", "/nowhere").output().unwrap();
        let answer = CommandOutput::of(&output);
        assert_eq!(answer.code, expected, "{answer:?}");
    };
    validate(0);
    env.write("declared/eu/integrations/lacks.yaml", &integration("lacks", &["b"]));
    validate(3);
    env.remove("declared/eu/integrations/lacks.yaml");
    env.apply();
    assert_eq!(env.names(), ["connection/a", "integration/one"]);
    let labels = env.run(&["plan", "--source", "eu=declared/eu"]);
    assert_eq!(labels.code, 0, "{}", labels.words());
}

#[test]
fn it_works_as_a_kubectl_plugin() {
    let env = TestEnv::with_a_source("plugin");
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_stablekey"), folder.path().join("kubectl-stablekey")).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let root = env.root().display().to_string();
    let output = env.eu.cluster().kubectl().env("PATH", path).args(["stablekey", "plan", &root]).output().unwrap();
    let answer = CommandOutput::of(&output);
    assert!(answer.out.contains("eu  5 to create"), "{answer:?}");
    assert_eq!(answer.code, 2);
    drop(run(env.eu.kubectl().args(["get", "stablekey"])));
}

/// A namespace that does not exist is never treated as an empty tenant, or as one that lacks connections.
///
/// "A wrong name fails".
#[test]
fn a_missing_namespace_or_context_is_reported_with_existing_ones() {
    let env = TestEnv::with_a_source("absent");
    let name = env.eu.name().to_string();
    let wrong = format!("{name}x");
    env.edit_tenants(&format!("namespace: {name},"), &format!("namespace: {wrong},"));
    for command in ["plan", "status"] {
        let answer = env.run(&[command]);
        assert_eq!(answer.code, 1, "{}", answer.words());
        let told = format!("namespace {wrong} does not exist; did you mean {name}");
        assert!(answer.words().contains(&told), "{}", answer.words());
        assert!(!answer.words().contains("make a Connection"), "{}", answer.words());
    }
    env.edit_tenants("context: eu", "context: eu-prd");
    let answer = env.run(&["plan"]);
    assert_eq!(answer.code, 1, "{}", answer.words());
    assert!(answer.words().contains("there is no context eu-prd in the kubeconfig; there is eu"), "{}", answer.words());
    // A namespace that exists and is empty is empty.
    env.edit_tenants("context: eu-prd", "context: eu");
    env.edit_tenants(&wrong, "default");
    let answer = env.run(&["plan"]);
    assert_eq!(answer.code, 3, "it accepts no sync: {}", answer.words());
}
