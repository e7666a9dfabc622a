//! Faults: servers, networks, concurrent writers, admission.

use crate::command_line::env::{CommandOutput, TestEnv, connection};
use http::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use stablekey_clusters::{Cluster, Options, run, run_with_input};
use stablekey_testing::objects::{Document as _, Tenant};
use stablekey_testing::proxy::{Fate, Proxy};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection};

/// A tenant that cannot be reached blocks only itself, and sets the exit code.
fn assert_blocked_alone(env: &TestEnv, why: &str) {
    // A second target, in a folder, is applied nevertheless.
    env.write("west/.keep", "");
    env.write("west.yaml", &Tenant::new("west").in_folder("west").accepts("us").yaml());
    env.write("syncs.yaml", &crate::command_line::env::sync_yaml().replace("[eu]", "[eu, west]"));
    let plan = env.run(&["plan"]);
    assert_eq!(plan.code, 1, "{}", plan.words());
    assert!(plan.words().contains("✗ unreachable"), "{}", plan.out);
    assert!(plan.words().contains(why), "not {why:?}: {}", plan.out);
    assert!(plan.out.contains("west  5 to create"), "{}", plan.out);
    let json = env.run(&["plan", "-o", "json"]);
    assert!(json.out.contains("\"state\": \"unreachable\""), "{}", json.out);
    let status = env.run(&["status"]);
    assert_eq!(status.code, 1, "{}", status.words());
    assert!(status.words().contains("unreachable"), "{}", status.out);
    let apply = env.run(&["apply", "--yes"]);
    assert_eq!(apply.code, 1, "{}", apply.words());
    assert!(env.root().join("west/integrations/one.yaml").exists(), "{}", apply.out);
}

/// Creates a namespace in this cluster for an environment that moves there, with a Tenant that accepts `us`.
fn accept_from_us(cluster: &Cluster) {
    run(cluster.kubectl().args(["create", "namespace", "integrations"])).unwrap();
    let own = Tenant::new("eu").accepts("us").yaml();
    run_with_input(cluster.kubectl().args(["-n", "integrations", "apply", "-f", "-"]), &own).unwrap();
}

#[test]
fn a_stopped_cluster_is_unreachable() {
    let mut env = TestEnv::with_a_source("down");
    // A port without a listener.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = std::fs::read_to_string(&env.kubeconfig).unwrap();
    let elsewhere = text.replace(env.eu.cluster().server(), &format!("https://127.0.0.1:{port}"));
    env.write(".kubeconfig", &elsewhere);
    let path = env.root().join(".kubeconfig");
    env.connect_with(&path);
    assert_blocked_alone(&env, "cannot be reached");
}

#[test]
fn a_cluster_that_drops_packets_is_unreachable_after_a_timeout() {
    let mut env = TestEnv::with_a_source("swallowed");
    let proxy = Proxy::to(env.eu.cluster(), |_| Fate::Swallow);
    env.connect_with(&proxy.kubeconfig);
    env.request_timeout = "1";
    assert_blocked_alone(&env, "no answer within 1 s");
}

#[test]
fn a_frozen_cluster_is_unreachable_and_applied_later() {
    let cluster = Cluster::start(&Options::named("frozen")).unwrap();
    cluster.install_crds().unwrap();
    accept_from_us(&cluster);
    let mut env = TestEnv::with_a_source("frozen");
    env.move_to(&cluster);
    env.request_timeout = "1";
    cluster.pause().unwrap();
    let plan = env.run(&["plan"]);
    cluster.resume().unwrap();
    assert_eq!(plan.code, 1, "{}", plan.words());
    assert!(plan.words().contains("✗ unreachable"), "{}", plan.out);
    env.request_timeout = "30";
    env.apply();
}

#[test]
fn an_apply_to_a_cluster_that_freezes_is_finished_later() {
    let mut env = TestEnv::with_a_source("midway");
    let proxy = Proxy::to(env.eu.cluster(), {
        let mut writes = 0;
        move |seen| {
            writes += usize::from(seen.writes());
            if writes > 3 { Fate::Swallow } else { Fate::Pass }
        }
    });
    env.connect_with(&proxy.kubeconfig);
    env.request_timeout = "1";
    let apply = env.run(&["apply", "--yes"]);
    assert_eq!(apply.code, 1, "{}", apply.words());
    assert!(apply.words().contains("not known whether"), "{}", apply.words());
    env.connect_directly();
    env.apply();
    assert_eq!(env.names().len(), 5);
}

#[test]
fn a_wrong_certificate_is_unreachable() {
    let mut env = TestEnv::with_a_source("certificate");
    let other = Cluster::start(&Options::named("other")).unwrap();
    let ours = std::fs::read_to_string(&env.kubeconfig).unwrap();
    let theirs = std::fs::read_to_string(other.kubeconfig()).unwrap();
    let authority = |text: &str| {
        let from = text.find("certificate-authority-data").unwrap();
        text[from..].split_whitespace().nth(1).unwrap().trim_matches(['"', ',', '}']).to_string()
    };
    env.write(".kubeconfig", &ours.replace(&authority(&ours), &authority(&theirs)));
    let path = env.root().join(".kubeconfig");
    env.connect_with(&path);
    assert_blocked_alone(&env, "the API server's certificate is signed by no authority that is trusted here");
}

/// A server with one self-signed certificate, which the kubeconfig has as its CA.
#[test]
fn a_self_signed_certificate_is_explained() {
    let mut env = TestEnv::with_a_source("self-signed");
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_string()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let key_bytes = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate.der().clone()], key_bytes).unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It ends with the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut tls = ServerConnection::new(config.clone()).unwrap();
            let _ = stream.and_then(|mut stream| tls.complete_io(&mut stream));
        }
    });
    env.write(".ca.pem", &certificate.pem());
    let kubeconfig = format!(
        "{{apiVersion: v1, kind: Config, current-context: eu, contexts: [{{name: eu, context: {{cluster: eu, user: eu}}}}],\n\
         clusters: [{{name: eu, cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority: {}}}}}],\n\
         users: [{{name: eu, user: {{token: x}}}}]}}\n",
        env.root().join(".ca.pem").display()
    );
    env.write(".kubeconfig", &kubeconfig);
    let path = env.root().join(".kubeconfig");
    env.connect_with(&path);
    let says = "of eu: cannot be reached: the API server's certificate is that of a CA (self-signed)";
    assert_blocked_alone(&env, says);
}

#[test]
fn a_busy_server_is_retried_when_it_asks() {
    let mut env = TestEnv::with_a_source("busy");
    let proxy = Proxy::to(env.eu.cluster(), |seen| match seen.number % 3 {
        0 => Fate::Say(StatusCode::TOO_MANY_REQUESTS, Some("0")),
        1 => Fate::Pass,
        _ if seen.number % 2 == 0 => Fate::Say(StatusCode::SERVICE_UNAVAILABLE, None),
        _ => Fate::Pass,
    });
    env.connect_with(&proxy.kubeconfig);
    env.apply();
    assert_eq!(env.names().len(), 5);
}

/// Does something to the cluster once, after the command's reads and before its first write of an object.
fn meanwhile(env: &TestEnv, act: impl Fn() + Send + 'static) -> Proxy {
    let done = AtomicBool::new(false);
    Proxy::to(env.eu.cluster(), move |seen| {
        if seen.writes() && seen.path.contains("/connections/") && !done.swap(true, Ordering::SeqCst) {
            act();
        }
        Fate::Pass
    })
}

fn kubectl_later(env: &TestEnv, arguments: &[&str]) -> impl Fn() + Send + 'static {
    let (eu, namespace) = (env.eu.cluster(), env.eu.name().to_string());
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    move || drop(run(eu.kubectl().args(["-n", &namespace]).args(&arguments)).unwrap())
}

/// `a` exists and is about to change.
fn with_a_change(prefix: &str) -> TestEnv {
    let env = TestEnv::with_a_source(prefix);
    env.apply();
    env.write("us/connections/a.yaml", &connection("a", "api refresh_token"));
    env
}

fn applied_by(mut env: TestEnv, proxy: &Proxy) -> (TestEnv, CommandOutput) {
    env.connect_with(&proxy.kubeconfig);
    let answer = env.run(&["apply", "--yes"]);
    env.connect_directly();
    (env, answer)
}

#[test]
fn a_change_between_plan_and_apply_is_kept() {
    let env = with_a_change("changed");
    let patch = [
        "patch",
        "connection",
        "a",
        "--type=merge",
        "-p",
        "{\"spec\":{\"inputs\":{\"scopes\":{\"value\":\"theirs\"}}}}",
    ];
    let proxy = meanwhile(&env, kubectl_later(&env, &patch));
    let (env, answer) = applied_by(env, &proxy);
    assert_eq!(answer.code, 1, "{}", answer.words());
    assert!(answer.words().contains("changed since it was planned"), "{}", answer.words());
    assert!(env.content().contains("theirs"));
    // The next plan shows it as drift, with its manager.
    let plan = env.run(&["plan"]);
    assert_eq!(plan.code, 3, "{}", plan.words());
    assert!(plan.words().contains("changed in eu by kubectl-patch"), "{}", plan.out);
}

#[test]
fn a_status_between_plan_and_apply_does_not_prevent_a_write() {
    let env = with_a_change("status");
    let status = "{\"status\":{\"usedBy\":[{\"kind\":\"Integration\",\"name\":\"one\"}]}}";
    let patch = ["patch", "connection", "a", "--subresource=status", "--type=merge", "-p", status];
    let proxy = meanwhile(&env, kubectl_later(&env, &patch));
    let (env, answer) = applied_by(env, &proxy);
    assert_eq!(answer.code, 0, "{}", answer.words());
    assert!(env.content().contains("api refresh_token"));
}

#[test]
fn an_update_does_not_recreate_a_deleted_object() {
    let env = with_a_change("deleted");
    let proxy = meanwhile(&env, kubectl_later(&env, &["delete", "connection", "a"]));
    let (env, answer) = applied_by(env, &proxy);
    assert_eq!(answer.code, 1, "{}", answer.words());
    assert!(!env.names().contains(&"connection/a".to_string()));
    // It is still desired: the next apply creates it.
    env.apply();
    assert!(env.names().contains(&"connection/a".to_string()));
}

#[test]
fn an_object_that_others_recreated_is_not_managed() {
    let env = with_a_change("remade");
    let (eu, namespace) = (env.eu.cluster(), env.eu.name().to_string());
    let proxy = meanwhile(&env, move || {
        run(eu.kubectl().args(["-n", &namespace, "delete", "connection", "a"])).unwrap();
        run_with_input(eu.kubectl().args(["-n", &namespace, "create", "-f", "-"]), &connection("a", "theirs")).unwrap();
    });
    let (env, answer) = applied_by(env, &proxy);
    assert_eq!(answer.code, 1, "{}", answer.words());
    assert!(env.content().contains("theirs"));
    // It has no ownership record: its value is kept, not overwritten.
    let plan = env.run(&["plan"]);
    assert!(plan.words().contains("keeps its own value (set by kubectl-create)"), "{}", plan.out);
}

#[test]
fn a_recreated_object_is_not_removed() {
    let env = TestEnv::with_a_source("removed");
    env.apply();
    env.remove("us/integrations/one.yaml");
    let (eu, namespace) = (env.eu.cluster(), env.eu.name().to_string());
    let remade = AtomicBool::new(false);
    let proxy = Proxy::to(eu, move |seen| {
        if seen.method == http::Method::DELETE
            && seen.path.contains("/integrations/")
            && !remade.swap(true, Ordering::SeqCst)
        {
            run(eu.kubectl().args(["-n", &namespace, "delete", "integration", "one"])).unwrap();
            let theirs = crate::command_line::env::integration("one", &["c"]);
            run_with_input(eu.kubectl().args(["-n", &namespace, "create", "-f", "-"]), &theirs).unwrap();
        }
        Fate::Pass
    });
    let (env, answer) = applied_by(env, &proxy);
    assert_eq!(answer.code, 1, "{}", answer.words());
    assert!(env.names().contains(&"integration/one".to_string()));
    env.apply();
    assert!(env.names().contains(&"integration/one".to_string()), "it is not ours any more");
}

#[test]
fn two_parallel_applies_create_each_key_once() {
    let env = TestEnv::with_a_source("twice");
    for number in 0..40 {
        env.write(&format!("us/connections/k{number}.yaml"), &connection(&format!("k{number}"), "api"));
    }
    let keys: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    env.write("us/integrations/many.yaml", &crate::command_line::env::integration("many", &keys));
    let mut both: Vec<_> = (0..2).map(|_| env.command(&["apply", "--yes"]).spawn().unwrap()).collect();
    let answers: Vec<CommandOutput> =
        both.drain(..).map(|child| CommandOutput::of(&child.wait_with_output().unwrap())).collect();
    for answer in &answers {
        assert!([0, 1, 2].contains(&answer.code), "{answer:?}");
    }
    env.apply();
    assert_eq!(env.names().len(), 46);
    let made = env.eu.audit().unwrap();
    let made: Vec<&str> = made
        .iter()
        .filter(|r| r.group == "stablekey.dev" && r.code == 201 && r.resource == "connections")
        .map(|r| r.name.as_str())
        .collect();
    let once: std::collections::BTreeSet<&str> = made.iter().copied().collect();
    assert_eq!(made.len(), once.len(), "{made:?}");
}

/// A policy that refuses titles with a word, bound to one namespace.
fn refuse_titles(env: &TestEnv, word: &str) {
    let name = env.eu.name();
    let text = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: {name}}}\nspec:\n  failurePolicy: Fail\n  \
         matchConstraints: {{resourceRules: [{{apiGroups: [stablekey.dev], apiVersions: ['*'], operations: [CREATE, UPDATE], resources: [connections]}}]}}\n  \
         validations: [{{expression: \"!object.spec.title.contains('{word}')\", message: \"titles must not say {word}\"}}]\n---\n\
         apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: {name}}}\nspec:\n  policyName: {name}\n  \
         validationActions: [Deny]\n  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}}}\n"
    );
    run_with_input(env.eu.cluster().kubectl().args(["apply", "-f", "-"]), &text).unwrap();
    let probe = connection("probe", "x");
    until("the policy is in force", || {
        let probe = probe.replace("Title of", word);
        run_with_input(env.eu.kubectl().args(["apply", "--dry-run=server", "-f", "-"]), &probe).is_err()
    });
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "{what}: not within 30 s");
    }
}

#[test]
fn a_refusing_admission_policy_is_reported_and_blocks_only_dependents() {
    let env = TestEnv::with_a_source("admission");
    refuse_titles(&env, "Title of a");
    let plan = env.run(&["plan", "--server"]);
    assert_eq!(plan.code, 3, "{}", plan.words());
    assert!(plan.words().contains("SK0132") && plan.words().contains("titles must not say Title of a"), "{}", plan.out);
    let apply = env.run(&["apply", "--yes"]);
    assert_eq!(apply.code, 1, "{}", apply.words());
    assert!(apply.words().contains("titles must not say Title of a"), "{}", apply.words());
    assert_eq!(env.names(), ["connection/b", "connection/c", "integration/two"]);
}

#[test]
fn a_quota_is_in_the_server_plan_and_reported_by_apply() {
    let env = TestEnv::with_a_source("quota");
    env.kubectl(&["create", "quota", "few", "--hard=count/connections.stablekey.dev=0"]);
    // Sets what a controller counts: the API server refuses because of it.
    let counted = "{\"status\": {\"hard\": {\"count/connections.stablekey.dev\": \"0\"}, \"used\": {\"count/connections.stablekey.dev\": \"0\"}}}";
    env.kubectl(&["patch", "quota", "few", "--subresource=status", "--type=merge", "-p", counted]);
    let mut plan = env.run(&["plan", "--server"]);
    until("the quota is in force", || {
        plan = env.run(&["plan", "--server"]);
        plan.words().contains("exceeded quota")
    });
    assert_eq!(plan.code, 3, "{}", plan.words());
    let apply = env.run(&["apply", "--yes"]);
    assert_eq!(apply.code, 1, "{}", apply.words());
    assert!(apply.words().contains("exceeded quota"), "{}", apply.words());
    assert_eq!(env.names(), [""; 0]);
}

#[test]
fn a_cluster_without_crds_shows_how_to_install_them() {
    let cluster = Cluster::start(&Options::named("bare")).unwrap();
    let mut env = TestEnv::with_a_source("bare");
    env.move_to(&cluster);
    assert_blocked_alone(&env, "stablekey crds | kubectl apply");
}

#[test]
fn a_cluster_with_older_crds_is_reported() {
    let cluster = Cluster::start(&Options::named("older")).unwrap();
    cluster.install_crds().unwrap();
    let older = run(cluster.kubectl().args(["get", "crd", "connections.stablekey.dev", "-o", "json"])).unwrap();
    let mut older: serde_json::Value = serde_json::from_str(&older).unwrap();
    let spec = older.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    spec["properties"].as_object_mut().unwrap().remove("title");
    let rules = spec["x-kubernetes-validations"].as_array_mut().unwrap();
    rules.retain(|rule| !rule["rule"].as_str().unwrap().contains("self.title"));
    older["metadata"].as_object_mut().unwrap().remove("managedFields");
    run_with_input(cluster.kubectl().args(["replace", "-f", "-"]), &older.to_string()).unwrap();
    accept_from_us(&cluster);
    let mut env = TestEnv::with_a_source("older");
    env.move_to(&cluster);
    let mut told = String::new();
    // The server uses a changed definition with a short delay.
    until("the older definitions are in force", || {
        told = env.run(&["plan", "--server"]).words();
        told.contains("older than this stablekey")
    });
    let apply = env.run(&["apply", "--yes"]);
    assert_eq!(apply.code, 1, "{}", apply.words());
    assert!(apply.words().contains("older than this stablekey"), "{}", apply.words());
}
