//! Probes, flags and exit codes of a process.

use stablekey::api::Credentials;
use stablekey_clusters::{Namespace, run, run_with_input, shared};
use stablekey_testing::objects::{Connection, Document as _};
use stablekey_testing::replica::{Replica, account, command, until};
use std::path::PathBuf;
use std::process::Command;

#[test]
fn probes_and_metrics_are_served() {
    let namespace = shared("us").namespace("probes");
    let mut replica = Replica::start(&namespace, &["--role", "syncer"]);
    replica.wait_for_log("leads");
    let alive = replica.get("/healthz");
    assert_eq!((alive.code, alive.body.as_str()), (200, "alive\n"));
    // Before that it answers what it waits for.
    until("it is ready", || {
        let ready = replica.get("/readyz");
        (ready.code, ready.body.as_str()) == (200, "syncer: leads\n")
    });
    let metrics = replica.get("/metrics");
    assert_eq!(metrics.code, 200);
    assert!(metrics.content.starts_with("application/openmetrics-text; version=1.0.0"), "{metrics:?}");
    assert!(metrics.body.ends_with("# EOF\n"), "{}", metrics.body);
    let server = shared("us").server();
    // A busy server's answer to the create of the lease may be lost: the lease is then found, and renewed.
    let sent = |verb: &str| format!("stablekey_api_requests_total{{target=\"{server}/\",verb=\"{verb}\",code=\"");
    let is_counted =
        |line: &str| ["create", "update"].iter().any(|verb| line.starts_with(&sent(verb))) && !line.ends_with(" 0");
    until("the write of its lease is counted", || replica.get("/metrics").body.lines().any(is_counted));
    assert_eq!(replica.get("/else").code, 404);
}

/// Returns a kubeconfig for the binder's account, with the permissions that manifests/ grant both roles in all of
/// these.
fn both(home: &Namespace<'_>, namespaces: &[&Namespace<'_>]) -> PathBuf {
    for namespace in namespaces {
        for role in ["binder", "syncer"] {
            account(namespace, role);
            for role in [format!("stablekey-{role}"), format!("stablekey-lease-{role}")] {
                let to = format!("--serviceaccount={}:stablekey-binder", home.name());
                let bind = ["create", "rolebinding", &format!("both-{role}"), &format!("--role={role}"), &to];
                run(namespace.kubectl().args(bind)).unwrap();
            }
        }
    }
    account(home, "binder")
}

#[test]
fn flags_and_environment_variables_are_logged() {
    let (namespace, elsewhere) = (shared("us").namespace("probes"), shared("us").namespace("elsewhere"));
    let namespaces = format!("{0},{1},{0}", namespace.name(), elsewhere.name());
    let mut command = Command::new(env!("CARGO_BIN_EXE_stablekey"));
    command.args(["controller", "--resync", "1h"]).env("KUBECONFIG", both(&namespace, &[&namespace, &elsewhere]));
    command.env("STABLEKEY_ROLE", "both").env("STABLEKEY_NAMESPACE", namespaces);
    command.env("STABLEKEY_LISTEN", "127.0.0.1:0").env("STABLEKEY_RESYNC", "2h").env("POD_NAME", "a-pod");
    let mut replica = Replica::by(command);
    let said: serde_json::Value = serde_json::from_str(&replica.log[0]).unwrap();
    assert_eq!(said["message"], "starts");
    assert_eq!(said["roles"], "binder,syncer");
    assert_eq!(said["namespaces"], format!("{},{}", namespace.name(), elsewhere.name()));
    assert_eq!(said["lease_namespace"], namespace.name());
    assert_eq!(said["resync"], "3600s", "a flag is stronger");
    assert_eq!(said["lease_duration"], "15s");
    let leads = replica.wait_for_log("leads");
    assert!(leads["identity"].as_str().unwrap().starts_with("a-pod_"), "{leads}");
}

/// A namespace without permissions is named, and does not block the others; once granted, it is reconciled.
#[test]
fn a_forbidden_namespace_does_not_block_the_others() {
    let (allowed, refused) = (shared("us").namespace("allowed"), shared("us").namespace("refused"));
    let connection = |namespace: &Namespace<'_>| {
        let crm = Connection::new("crm", "c/t").credentials(Credentials::Customer).yaml();
        run_with_input(namespace.kubectl().args(["apply", "--server-side", "-f", "-"]), &crm).unwrap();
    };
    connection(&allowed);
    connection(&refused);
    let is_looked_at = |namespace: &Namespace<'_>| {
        let path = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
        run(namespace.kubectl().args(["get", "connection", "crm", "-o", path])).unwrap() == "True"
    };
    let both_roles = ["--role", "both", "--namespace", refused.name()];
    let replica = Replica::by(command(&allowed, &both(&allowed, &[&allowed]), &both_roles));
    let both_lead = "binder: leads\nsyncer: leads\n";
    until("it is ready", || {
        let ready = replica.get("/readyz");
        ready.code == 200 && ready.body.starts_with(both_lead)
    });
    let body = replica.get("/readyz").body;
    for role in ["binder: goes on without tenants of", "syncer: goes on without tenant"] {
        assert!(body.lines().any(|line| line.starts_with(role) && line.contains(refused.name())), "{role}: {body}");
    }
    assert!(body.contains("not allowed: ") && !body.contains(&format!("namespace {}", allowed.name())), "{body}");
    until("the other is worked on", || is_looked_at(&allowed));
    assert!(!is_looked_at(&refused));
    both(&allowed, &[&refused]);
    until("it is worked on when it is granted", || is_looked_at(&refused));
    until("nothing is refused", || replica.get("/readyz").body == both_lead);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // The cluster hangs, so that the process has something to wait for.
    let cluster = stablekey_clusters::Cluster::start(&stablekey_clusters::Options::named("hangs")).unwrap();
    let there = cluster.namespace("probes");
    let mut replica = Replica::start(&there, &["--role", "binder", "--lease-duration", "60s"]);
    replica.wait_for_log("leads");
    cluster.pause().unwrap();
    replica.signal("-TERM");
    replica.wait_for_log("shutting down");
    replica.signal("-TERM");
    assert_eq!(replica.end().code(), Some(1));
}

/// A process that cannot run logs its error last: with JSON a line like all others, with text like every command.
#[test]
fn an_address_in_use_is_an_error() {
    let namespace = shared("us").namespace("probes");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stablekey"));
        command.args(["controller", "--role", "binder", "--namespace", namespace.name(), "--listen", &address]);
        command.args(["--log-format", format]).env("KUBECONFIG", account(&namespace, "binder"));
        fails(command)
    };
    let last = json_to_the_end(&said("json"));
    assert!(last["why"].as_str().unwrap().contains("cannot be listened on"), "{last}");
    assert_eq!((&last["level"], &last["message"]), (&"ERROR".into(), &"ended".into()));
    assert!(last["help"].as_str().unwrap().starts_with("give a free one"), "{last}");
    let text = said("text");
    assert!(text.contains("cannot be listened on") && text.contains("= help: give a free one"), "{text}");
}

#[test]
fn a_missing_cluster_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stablekey"));
    command.args(["controller", "--role", "binder", "--namespace", "us"]);
    command.env("KUBECONFIG", folder.path().join("none")).env_remove("KUBERNETES_SERVICE_HOST");
    let last = json_to_the_end(&fails(command));
    assert!(last["why"].as_str().unwrap().contains("there is no kubeconfig"), "{last}");
}

/// Runs a command that fails, and returns its error output.
fn fails(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

/// Returns the last line of a log whose lines are all JSON objects.
fn json_to_the_end(log: &str) -> serde_json::Value {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let mut lines: Vec<serde_json::Value> = log.lines().map(read).collect();
    lines.pop().unwrap()
}

#[test]
fn a_missing_metrics_token_is_an_error() {
    let namespace = shared("us").namespace("probes");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stablekey"));
        command.args(["controller", "--role", "binder", "--namespace", namespace.name(), "--listen", "127.0.0.1:0"]);
        command.arg("--metrics-token-file").arg(&file).env("KUBECONFIG", account(&namespace, "binder"));
        command
    };
    let last = json_to_the_end(&fails(start()));
    assert!(last["why"].as_str().unwrap().contains("the metrics' token cannot be read from"), "{last}");
    assert!(last["help"].as_str().unwrap().contains("write a token"), "{last}");
    std::fs::write(&file, "CANARY").unwrap();
    let mut replica = Replica::by(start());
    assert_eq!((replica.get("/metrics").code, replica.get("/healthz").code), (401, 200));
    replica.signal("-TERM");
    replica.end();
    assert!(replica.log[0].contains(&file.display().to_string()) && !replica.log.join("").contains("CANARY"));
}
