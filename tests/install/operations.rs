//! Runs the commands of docs/operations.md on real clusters, in its order: an upgrade and back, a backup and a restore,
//! what to do for each alert, and the removal.

use crate::documented::{Shell, blocks, clusters, script};
use crate::installed::until;
use crate::tools::repository;
use crate::upgrades::{Version, earlier};
use serde_json::{Value, json};
use stablekey_clusters::audit::Mark;
use stablekey_clusters::{Cluster, run, run_with_input};
use stablekey_testing::replica::{Replica, wait_for_field};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

const DOCUMENT: &str = "docs/operations.md";
const INSTALLING: &str = "docs/operator.md";

/// Starts a role of a version with the account that its manifests created.
fn process(version: &Version, cluster: &Cluster, namespace: &str, role: &str) -> Replica {
    let token = cluster.token(namespace, &format!("stablekey-{role}")).unwrap();
    let mut command = Command::new(&version.program);
    command.args(["controller", "--role", role, "--namespace", namespace, "--listen", "127.0.0.1:0"]);
    command.args(["--lease-duration", "15s"]).stdin(Stdio::null());
    command.env("KUBECONFIG", cluster.kubeconfig_of(&token).unwrap());
    Replica::by(command)
}

/// The processes of the operator: the hub's binder and syncer, and the tenant's binder.
fn operator(version: &Version, [us, eu]: [&Cluster; 2]) -> [Replica; 3] {
    [
        process(version, us, "us-prod", "binder"),
        process(version, us, "us-prod", "syncer"),
        process(version, eu, "eu-prod", "binder"),
    ]
}

fn end(operator: [Replica; 3]) {
    for mut replica in operator {
        replica.signal("-TERM");
        assert!(replica.end().success());
    }
}

fn until_field(cluster: &Cluster, namespace: &str, object: &str, path: &str, value: &str) {
    let kubectl = || {
        let mut kubectl = cluster.kubectl();
        kubectl.args(["--namespace", namespace]);
        kubectl
    };
    wait_for_field(&format!("{object} {path} is {value}"), kubectl, object, path, value);
}

fn field(cluster: &Cluster, namespace: &str, object: &str, path: &str) -> String {
    let get = ["--namespace", namespace, "get", object, "--output", &format!("jsonpath={{{path}}}")];
    run(cluster.kubectl().args(get)).unwrap_or_default()
}

/// By their names: kubectl knows a category only some time after the CRDs.
const OBJECTS: &str = "tenants,components,connections,customercredentials,integrations,tenantsyncs";

/// Returns the specs, labels and annotations of a namespace's objects and of its ConfigMaps of definitions, with the
/// managers of their fields.
fn everything(cluster: &Cluster, namespace: &str) -> BTreeMap<String, Value> {
    let kinds = format!("{OBJECTS},configmaps");
    let get = ["--namespace", namespace, "get", &kinds, "--show-managed-fields", "--output", "json"];
    let got: Value = serde_json::from_str(&run(cluster.kubectl().args(get)).unwrap()).unwrap();
    let items = got["items"].as_array().unwrap().iter().filter(|item| {
        let name = item["metadata"]["name"].as_str().unwrap();
        !name.starts_with("stablekey-plan-") && name != "kube-root-ca.crt"
    });
    let of = |item: &Value| {
        let metadata = &item["metadata"];
        let managers = metadata["managedFields"].as_array().into_iter().flatten();
        let managers = managers.filter(|entry| entry["subresource"].is_null());
        let owns = |entry: &Value| json!([entry["manager"], entry["operation"], entry["fieldsV1"]]).to_string();
        // The binder makes Integrations the owners of definitions again.
        let managers: BTreeSet<String> = managers.map(owns).filter(|owns| !owns.contains("ownerReferences")).collect();
        let id = format!("{}/{}", item["kind"].as_str().unwrap(), metadata["name"].as_str().unwrap());
        let mut annotations = metadata["annotations"].clone();
        if let Some(all) = annotations.as_object_mut() {
            all.retain(|name, _| !["stablekey.dev/requestedAt", "stablekey.dev/approve"].contains(&name.as_str()));
        }
        let annotations = if annotations == json!({}) { Value::Null } else { annotations };
        let managers: Vec<String> = managers
            .into_iter()
            .filter(|owns| !owns.contains("requestedAt") && !owns.contains("f:stablekey.dev/approve"))
            .collect();
        (id, json!([item["spec"], item["data"], metadata["labels"], annotations, managers]))
    };
    items.map(of).collect()
}

/// Returns the operator's writes since a mark, except to statuses, Leases, events and waiting plans.
fn written(cluster: &Cluster, since: Mark) -> Vec<String> {
    let requests = cluster.audit_since(since).unwrap().into_iter();
    let ours = requests.filter(|request| {
        request.writes()
            && request.user.contains(":stablekey-")
            && request.subresource != "status"
            && !["leases", "events"].contains(&request.resource.as_str())
            && !request.name.starts_with("stablekey-plan-")
    });
    ours.map(|request| request.to_string()).collect()
}

fn apply(cluster: &Cluster, namespace: &str, object: &Value) {
    let flags = ["--namespace", namespace, "apply", "--server-side", "--force-conflicts", "--filename", "-"];
    run_with_input(cluster.kubectl().args(flags), &object.to_string()).unwrap();
}

const SYNC: &str = "tenantsync/us-to-eu";
const STATE: &str = ".status.targets[0].state";

/// Approves what the sync wants, and waits until it is done.
fn approve(us: &Cluster) {
    until_field(us, "us-prod", SYNC, STATE, "AwaitingApproval");
    let digest = field(us, "us-prod", SYNC, ".status.targets[0].digest");
    let annotation = format!("stablekey.dev/approve={digest}");
    run(us.kubectl().args(["--namespace=us-prod", "annotate", "--overwrite", SYNC, &annotation])).unwrap();
    until("it is done", || {
        let state = field(us, "us-prod", SYNC, STATE);
        !state.is_empty() && state != "AwaitingApproval" && state != "Applying"
    });
}

/// The numbers of kept and of drifted fields.
const KEPT_AND_DRIFTED: &str = ".status.targets[0].counts.kept} {.status.targets[0].counts.drift";

/// Requests a reconciliation of the sync, and waits for it.
fn reconcile(shell: &Shell<'_>, context: &str, cluster: &Cluster) {
    let annotate = format!("kubectl --context {context} --namespace us-prod annotate --overwrite {SYNC}");
    shell.run(&format!("{annotate} stablekey.dev/requestedAt=$(date +%s%N)"));
    until("it was handled", || {
        field(cluster, "us-prod", SYNC, ".status.lastHandledReconcileAt")
            == field(cluster, "us-prod", SYNC, ".metadata.annotations.stablekey\\.dev/requestedAt")
    });
}

/// A backup that stops leaves no folder of that name, and nothing is restored from a folder that lacks something.
fn an_incomplete_backup_is_not_restored(shell: &Shell<'_>, backup: &str, restore: &str) {
    let reader = format!(
        "kubectl --context us --namespace us-prod create role reads-no-secrets --verb get,list --resource configmaps
        kubectl --context us --namespace us-prod create role reads-objects --verb get,list --resource {}
        for role in reads-no-secrets reads-objects; do
          kubectl --context us --namespace us-prod create rolebinding $role --role $role --user reader
        done",
        OBJECTS.split(',').map(|kind| format!("{kind}.stablekey.dev")).collect::<Vec<_>>().join(",")
    );
    shell.run(&reader);
    let forbidden = backup.replace("us-prod folder=backup/us-prod", "us-prod folder=backup/forbidden");
    let forbidden = forbidden.replace("kubectl --context $context", "kubectl --as reader --context $context");
    let error = shell.error_of_person(&forbidden);
    assert!(error.contains("secrets is forbidden"), "{error}");
    // What kubectl writes then looks complete: only the name of the folder tells.
    assert!(shell.run("cat backup/forbidden.new/secrets.yaml").contains("items: []\nkind: List\n"));
    assert_eq!(
        shell.run("ls backup/forbidden.new; ls backup"),
        "configmaps.yaml\nobjects.yaml\nsecrets.yaml\neu-prod\nforbidden.new\nus-prod\n"
    );
    let error = shell.error_of_person(backup);
    assert!(error.contains("backup/us-prod exists: choose another folder"), "{error}");

    let of = |folder: &str| {
        restore
            .replace("namespace=us-prod folder=backup/us-prod", &format!("namespace=incomplete folder=backup/{folder}"))
    };
    for (damage, lacks) in [
        ("cp -r backup/us-prod backup/damaged; : > backup/damaged/secrets.yaml", "secrets"),
        ("cp -r backup/us-prod backup/damaged; rm backup/damaged/configmaps.yaml", "configmaps"),
        (
            "cp -r backup/us-prod backup/damaged; head -n 20 backup/us-prod/objects.yaml > backup/damaged/objects.yaml",
            "objects",
        ),
    ] {
        shell.run(&format!("rm -rf backup/damaged; {damage}; rm -f backup/damaged/*.json"));
        let error = shell.error_of_person(&of("damaged"));
        assert!(error.contains(&format!("backup/damaged/{lacks}.yaml is missing or incomplete")), "{error}");
        let restored = format!("kubectl --context new --namespace incomplete get {OBJECTS},secrets --output name");
        assert_eq!(shell.run(&restored), "", "{damage}");
        shell.run("kubectl --context new delete namespace incomplete");
    }

    // What is empty is restored as empty.
    let empty = "namespace=empty folder=backup/empty";
    shell.run("kubectl --context us create namespace empty");
    shell.run(&backup.replace("namespace=us-prod folder=backup/us-prod", empty));
    shell.run(&restore.replace("namespace=us-prod folder=backup/us-prod", empty));
}

/// Every block of the document that says how to do something is run: these tests name each section.
#[test]
fn every_section_with_commands_is_run() {
    let text = std::fs::read_to_string(repository(DOCUMENT)).unwrap();
    let (tasks, alerts) = text.split_once("\n## Alerts\n").unwrap();
    let with_commands = |text: &str, mark: &str| -> Vec<String> {
        let heading = format!("\n{mark} ");
        let sections = text.split(&heading).skip(1).filter(|section| section.contains("```sh\n"));
        sections.map(|section| section.lines().next().unwrap().to_string()).collect()
    };
    let wanted = ["Check the state", "Upgrade", "Go back", "Back up", "Restore", "Remove"];
    assert_eq!(with_commands(tasks, "##"), wanted);
    assert!(with_commands(alerts, "###").len() >= 10);
}

#[test]
fn the_documented_operations_work() {
    let all = clusters(["us", "eu", "new"]);
    let [us, eu, new] = &all;
    let (this, older) = (Version::this(), earlier().last().unwrap());
    let (shell, in_older) = (Shell::new(&all), Shell::in_copy(&all, &older.folder));

    // The older version, with the example's tenants, synced once, and with drift.
    in_older.run(&script(INSTALLING, "### With Kustomize"));
    shell.run(&script(INSTALLING, "### A tenant in another cluster"));
    shell.run(&script(INSTALLING, "### A tenant's folder"));
    let app = json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"password": "not to be shown"},
        "metadata": {
            "name": "warehouse", "labels": {"stablekey.dev/for": "connections"},
            "annotations": {"stablekey.dev/keys": "*", "stablekey.dev/expires": "2030-01-31T00:00:00Z"},
        },
    });
    apply(us, "us-prod", &app);
    let running = operator(older, [us, eu]);
    shell.run(&script(INSTALLING, "### Tenants and a sync"));
    approve(us);
    let edited = r#"{"spec":{"title":"Edited"}}"#;
    let edit = ["--namespace=eu-prod", "patch", "integration/lead-router", "--type=merge", "--patch", edited];
    run(eu.kubectl().args(edit)).unwrap();
    until_field(us, "us-prod", SYNC, KEPT_AND_DRIFTED, "5 1");
    shell.run(&script(DOCUMENT, "## Check the state"));

    // Upgrade, and back, and up again.
    let [upgrade, _] = &blocks(DOCUMENT, "## Upgrade")[..2] else { panic!("two ways to upgrade") };
    let compare = &blocks(DOCUMENT, "## Upgrade")[2];
    let back = &blocks(DOCUMENT, "## Go back")[0];
    let before = [everything(us, "us-prod"), everything(eu, "eu-prod")];
    let states = shell.run(compare);
    let marks = [us, eu].map(|cluster| cluster.mark().unwrap());
    let mut running = Some(running);
    for (commands, version, copy) in [(upgrade, &this, &shell), (back, older, &in_older), (upgrade, &this, &shell)] {
        copy.run(commands);
        let next = operator(version, [us, eu]);
        end(running.replace(next).unwrap());
        reconcile(&shell, "us", us);
        assert_eq!([everything(us, "us-prod"), everything(eu, "eu-prod")], before);
    }
    let without_age = |output: &str| -> Vec<Vec<String>> {
        let words = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        output
            .lines()
            .map(|line| {
                let mut words = words(line);
                words.pop();
                words
            })
            .collect()
    };
    assert_eq!(without_age(&shell.run(compare)), without_age(&states));
    assert_eq!([written(us, marks[0]), written(eu, marks[1])].concat(), [""; 0]);

    // Back up both namespaces, and restore them into an empty cluster.
    let backup = script(DOCUMENT, "## Back up");
    let (of_us, of_eu) =
        ("context=us namespace=us-prod folder=backup/us-prod", "context=eu namespace=eu-prod folder=backup/eu-prod");
    assert!(backup.starts_with(of_us));
    shell.run(&backup);
    shell.run(&backup.replace(of_us, of_eu));
    let [restore, install] = &blocks(DOCUMENT, "## Restore")[..] else { panic!("two blocks") };
    let of_us = "context=new namespace=us-prod folder=backup/us-prod";
    assert!(restore.starts_with(of_us));
    shell.run(restore);
    shell.run(&restore.replace(of_us, "context=new namespace=eu-prod folder=backup/eu-prod"));
    assert_eq!(everything(new, "us-prod"), before[0]);
    assert_eq!(everything(new, "eu-prod"), before[1]);
    an_incomplete_backup_is_not_restored(&shell, &backup, restore);

    // The alerts, while the operator runs.
    let text = std::fs::read_to_string(repository(DOCUMENT)).unwrap();
    let alerts = text.split_once("\n## Alerts\n").unwrap().1;
    let keys = json!({"clientSecret": "old", "other": "stays"});
    let of_a_person =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "salesforce-app"}, "stringData": keys});
    apply(us, "us-prod", &of_a_person);
    // As the operator would write it.
    let failing = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "failing"}, "type": "Warning",
        "eventTime": "2030-01-31T00:00:00.000000Z", "action": "Notify", "reason": "NotificationsFailing",
        "note": "of a destination", "reportingController": "stablekey", "reportingInstance": "stablekey",
        "regarding": {"apiVersion": "v1", "kind": "Secret", "namespace": "us-prod", "name": "stablekey-notifications"},
    });
    apply(us, "us-prod", &failing);
    for section in alerts.split("\n### ").skip(1).filter(|section| section.contains("```sh\n")) {
        let name = section.lines().next().unwrap();
        let output = shell.run_typing(" typed \\ value\n", &script(DOCUMENT, &format!("### {name}")));
        assert!(!output.trim().is_empty(), "{name}");
        assert!(!output.contains("typed"), "{output}");
    }
    let template = "go-template={{.data.clientSecret | base64decode}}{{.data.other | base64decode}}";
    let get = ["--namespace=us-prod", "get", "secret", "salesforce-app", "--output", template];
    let stored = run(us.kubectl().args(get)).unwrap();
    assert_eq!(stored, " typed \\ valuestays", "exactly what was typed, without the end of the line");

    // The restored hub goes on where the other one stopped.
    end(running.take().unwrap());
    shell.run(install);
    let mark = eu.mark().unwrap();
    let syncer = process(&this, new, "us-prod", "syncer");
    let binder = process(&this, new, "us-prod", "binder");
    let was = field(us, "us-prod", SYNC, STATE);
    until_field(new, "us-prod", SYNC, STATE, &was);
    assert_eq!(written(eu, mark), [""; 0]);
    drop(binder);

    // The tenant moved too: a new kubeconfig leads to the restored one, where the record holds as before.
    shell.run("kubectl --context new apply --server-side -k examples/install/eu-prod");
    let mark = new.mark().unwrap();
    let kubeconfig = script(INSTALLING, "### A tenant in another cluster");
    shell.run(&kubeconfig.replace("--context us", "--context new").replace("--context eu", "--context new"));
    until_field(new, "us-prod", SYNC, KEPT_AND_DRIFTED, "5 1");
    reconcile(&shell, "new", new);
    assert_eq!(field(new, "us-prod", SYNC, KEPT_AND_DRIFTED), "5 1");
    assert_eq!(everything(new, "eu-prod"), before[1]);
    assert_eq!(written(new, mark), [""; 0]);
    drop(syncer);

    // Without the field owners, no record counts: the changed value is the tenant's own.
    shell.run(&format!("kubectl --context new --namespace eu-prod delete {OBJECTS} --all"));
    shell.run("kubectl --context new --namespace eu-prod create --filename backup/eu-prod/objects.json");
    let syncer = process(&this, new, "us-prod", "syncer");
    until_field(new, "us-prod", SYNC, KEPT_AND_DRIFTED, "6 0");
    // The sync is in mode Plan.
    approve(new);
    let specs = |objects: &BTreeMap<String, Value>| -> BTreeMap<String, Value> {
        objects.iter().map(|(id, parts)| (id.clone(), parts[0].clone())).collect()
    };
    assert_eq!(specs(&everything(new, "eu-prod")), specs(&before[1]));
    assert!(written(new, mark).iter().any(|write| write.contains("/namespaces/eu-prod/")), "it takes them over");
    drop(syncer);

    // Remove the operator: nothing else goes. Then everything.
    let [operator_alone, everything_else] = &blocks(DOCUMENT, "## Remove")[..] else { panic!("two blocks") };
    shell.run(operator_alone);
    assert_eq!(everything(us, "us-prod").len(), before[0].len());
    assert_eq!(everything(eu, "eu-prod").len(), before[1].len());
    let finalizers = shell.run(
        "kubectl --context us --namespace us-prod get stablekey,configmaps,secrets,leases --output 'jsonpath={.items[*].metadata.finalizers}'",
    );
    assert_eq!(finalizers.trim(), "");
    shell.run(everything_else);
    let left = shell.run("kubectl --context us get crd --output name; kubectl --context us --namespace us-prod get secrets,leases --output name");
    assert!(!left.contains("stablekey.dev") && !left.contains("binding") && !left.contains("lease"), "{left}");
    assert!(left.contains("secret/warehouse"), "what people made stays: {left}");
}

/// The same with Helm: the CRDs stay when the older chart goes back in place.
#[test]
fn the_documented_helm_commands_upgrade_and_go_back() {
    let all = clusters(["us", "eu"]);
    let [us, _] = &all;
    let older = crate::upgrades::named("before-platform");
    let (shell, in_older) = (Shell::new(&all), Shell::in_copy(&all, &older.folder));
    in_older.run(&script(INSTALLING, "### With Helm"));
    // The older chart's defaults have nothing for what is new.
    let commands = blocks(DOCUMENT, "## Upgrade")[1].clone();
    let upgrade = commands.lines().next().unwrap().trim_end_matches(" &&");
    let reuses = upgrade.replace("--reset-then-reuse-values", "--reuse-values --dry-run=server");
    let error = shell.error_of_person(&reuses);
    assert!(error.contains("nil pointer evaluating"), "{error}");
    shell.run(&blocks(DOCUMENT, "## Upgrade")[1]);
    let staged = json!({
        "apiVersion": "stablekey.dev/v1alpha1", "kind": "TenantSync", "metadata": {"name": "staged"},
        "spec": {"from": "us", "stages": [{"to": ["eu"]}], "integrations": ["*"]},
    });
    until("stages are served", || {
        let flags = ["--namespace=us-prod", "apply", "--server-side", "--filename", "-"];
        run_with_input(us.kubectl().args(flags), &staged.to_string()).is_ok()
    });
    in_older.run(&blocks(DOCUMENT, "## Go back")[1]);
    assert_eq!(field(us, "us-prod", "tenantsync/staged", ".spec.stages[0].to[0]"), "eu");
    // A write does not lose it either.
    run(us.kubectl().args(["--namespace=us-prod", "label", "tenantsync/staged", "written=again"])).unwrap();
    assert_eq!(field(us, "us-prod", "tenantsync/staged", ".spec.stages[0].to[0]"), "eu");
    let again = blocks(DOCUMENT, "## Upgrade")[1]
        .replace("--reset-then-reuse-values", "--reset-then-reuse-values --set crds=true");
    shell.run(&again);
    assert_eq!(field(us, "us-prod", "tenantsync/staged", ".spec.stages[0].to[0]"), "eu");
    shell.run("helm uninstall stablekey --kube-context us --namespace us-prod");
    assert_eq!(field(us, "us-prod", "tenantsync/staged", ".spec.stages[0].to[0]"), "eu");
}
