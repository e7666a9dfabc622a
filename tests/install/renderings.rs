//! Kustomize and Helm render manifests/ to the same objects.

use crate::tools::{helm, kubectl, output_of, repository};
use serde_json::{Value, json};
use stablekey_testing::manifests::{self, Objects, by_name, documents, in_namespace};

/// Asserts that the objects are equal, and shows only the differences.
#[track_caller]
fn same(these: &Objects, those: &Objects, what: &str) {
    let names = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(these), names(those), "{what}");
    for (name, object) in these {
        let (this, that) = (format!("{object:#}"), format!("{:#}", those[name]));
        let differs = this.lines().zip(that.lines()).find(|(this, that)| this != that);
        assert!(this == that, "{what}: {name} differs: {differs:?}");
    }
}

/// Renders folders of manifests/ with Kustomize.
pub fn kustomized(folders: &[&str]) -> Objects {
    folders.iter().flat_map(|folder| manifests::kustomized(kubectl(), folder)).collect()
}

/// Renders the chart with Helm, for a namespace, with values.
pub fn helmed(namespace: &str, values: &[&str]) -> Objects {
    by_name(helmed_in_order(namespace, values))
}

/// Like `helmed`, but keeps objects of the same name.
pub fn helmed_in_order(namespace: &str, values: &[&str]) -> Vec<Value> {
    let home = tempfile::tempdir().unwrap();
    let mut helm = helm(home.path());
    helm.args(["template", "stablekey", "--namespace", namespace]).arg(repository("manifests/helm/stablekey"));
    documents(&output_of(helm.args(values.iter().flat_map(|value| [set(value), *value]))))
}

/// Returns the flag for a value: a list is given as JSON.
pub fn set(value: &str) -> &'static str {
    if value.contains("=[") || value.contains("={\"") { "--set-json" } else { "--set" }
}

/// Everything except what needs the CRDs of the Prometheus Operator.
pub const ALL: [&str; 15] = [
    "crds",
    "policies",
    "rbac",
    "binder",
    "syncer",
    "sender",
    "syncer-git",
    "sender-git",
    "tenant-access/git",
    "tenant-access/target",
    "tenant-access/source",
    "tenant-access/secrets",
    "token-renewal/hub",
    "token-renewal/target",
    "token-renewal/source",
];

#[track_caller]
fn agree(values: &[&str], folders: &[&str]) {
    let (chart, folders) = (helmed("somewhere", values), in_namespace(kustomized(folders), "somewhere"));
    same(&chart, &folders, &format!("{values:?}"));
}

#[test]
fn the_chart_and_the_folders_are_the_same() {
    agree(&[], &["crds", "policies", "rbac", "binder", "syncer"]);
    let neither = ["crds=false", "policies=false", "clusterRoles=false"];
    let with = |more: &'static str| [&neither[..], &more.split(' ').collect::<Vec<_>>()[..]].concat();
    agree(&with("syncer.enabled=false tenantAccess=target"), &["binder", "tenant-access/target"]);
    agree(&with("binder.enabled=false tenantAccess=source"), &["syncer", "tenant-access/source"]);
    agree(&with("syncer.enabled=false binder.enabled=false"), &[]);
    let sender = "syncer.enabled=false binder.enabled=false sender.enabled=true";
    agree(&with(sender), &["sender"]);
    let secrets = [&with(sender)[..], &["sender.secretNamespaces={somewhere}"]].concat();
    agree(&secrets, &["sender", "tenant-access/secrets"]);
    // The folders leave the hosts to an overlay.
    let git = |values: &[&str], folders: &[&str], deployment: &str| {
        let chart = helmed("somewhere", values);
        let mut folders = in_namespace(kustomized(folders), "somewhere");
        let env = &mut folders.get_mut(deployment).unwrap()["spec"]["template"]["spec"]["containers"][0]["env"];
        let hosts = env.as_array_mut().unwrap().iter_mut().find(|env| env["name"] == "STABLEKEY_GIT_HOSTS");
        hosts.unwrap()["value"] = json!("git.example");
        same(&chart, &folders, &format!("{values:?}"));
    };
    let hosts = "git.hosts={git.example}";
    git(&[&with("binder.enabled=false")[..], &[hosts]].concat(), &["syncer-git"], "Deployment/stablekey-syncer");
    git(&[&with(sender)[..], &[hosts]].concat(), &["sender-git"], "Deployment/stablekey-sender");
    agree(
        &with("syncer.enabled=false binder.enabled=false tenantAccess=target tenantAccessGit=true"),
        &["tenant-access/target", "tenant-access/git"],
    );
    let renewal = ["tenant-access/target", "token-renewal/target", "token-renewal/hub"];
    let nothing_else = "syncer.enabled=false binder.enabled=false tenantAccess=target tenantAccessRenewal=true";
    agree(&[&with(nothing_else)[..], &["tokenRenewal.enabled=true"]].concat(), &renewal);
    let monitoring = ["service", "podMonitor", "prometheusRule"].map(|part| format!("monitoring.{part}.enabled=true"));
    let mut values = with("syncer.enabled=false binder.enabled=false");
    values.extend(monitoring.iter().map(String::as_str));
    agree(&values, &["monitoring"]);
}

/// `examples/notifications` is what the chart renders with notifications.
#[test]
fn an_overlay_adds_notifications() {
    let values = ["crds=false", "policies=false", "clusterRoles=false", "notifications.enabled=true"];
    let overlay = output_of(kubectl().arg("kustomize").arg(repository("examples/notifications")));
    same(&helmed("us-prod", &values), &by_name(documents(&overlay)), "notifications");
}

/// Like `examples/install`.
#[test]
fn an_overlay_sets_the_namespace_of_everything() {
    for (namespace, folders) in [("us-prod", ["binder", "syncer"]), ("eu-prod", ["binder", "tenant-access/target"])] {
        let overlay = output_of(kubectl().arg("kustomize").arg(repository("examples/install").join(namespace)));
        same(&by_name(documents(&overlay)), &in_namespace(kustomized(&folders), namespace), namespace);
    }
}

#[test]
fn copied_files_equal_those_of_the_repository() {
    let text = |path: &str| std::fs::read_to_string(repository(path)).unwrap();
    let names = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(repository(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name != "kustomization.yaml");
        names.sort();
        names
    };
    let chart = "manifests/helm/stablekey/files";
    for (from, copies) in [
        ("crds", vec!["manifests/crds".to_string(), format!("{chart}/crds")]),
        ("manifests/policies", vec![format!("{chart}/policies")]),
        ("manifests/rbac", vec![format!("{chart}/rbac")]),
        ("manifests/alerts", vec![format!("{chart}/alerts")]),
    ] {
        for copy in copies {
            assert_eq!(names(&copy), names(from), "make crds");
            for name in names(from) {
                assert!(text(&format!("{from}/{name}")) == text(&format!("{copy}/{name}")), "{copy}/{name}: make crds");
            }
        }
    }
    let script = |folder: &str| text(&format!("{folder}/renew.sh"));
    assert!(script("manifests/token-renewal/hub") == script(&format!("{chart}/token-renewal")), "make crds");
}

#[test]
fn all_versions_are_current() {
    let version = env!("CARGO_PKG_VERSION");
    let deployment = &kustomized(&["binder"])["Deployment/stablekey-binder"];
    assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/version"], version);
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, format!("ghcr.io/stablekey/stablekey:{version}"));
    let chart = std::fs::read_to_string(repository("manifests/helm/stablekey/Chart.yaml")).unwrap();
    let chart: Value = serde_saphyr::from_str(&chart).unwrap();
    assert_eq!((&chart["version"], &chart["appVersion"]), (&json!(version), &json!(version)));
}
