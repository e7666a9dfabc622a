//! A tenant's folder without definitions can be given to `kubectl apply -f` as it is. With definitions: `stablekey
//! render TENANT | kubectl apply --server-side -f -`, or `kubectl apply -k`.

use crate::kubectl::support::{get, kubectl, output_of, repository, with};
use serde_json::Value;
use stablekey_clusters::{Namespace, run_with_input, shared};
use stablekey_testing::cli::copy_folder;
use stablekey_testing::objects::{Document as _, Sync, Tenant};
use stablekey_testing::project::Project;
use stablekey_testing::yaml;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const DEFINED: [&str; 4] = ["lead-enrich", "lead-router", "order-export", "support-digest"];
const KUSTOMIZATION: &str =
    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nlabels:\n- pairs: {team: crm}\nnamespace: ";

/// A project with the folder of examples/us-eu/us-prod.
struct UsProd {
    project: Project,
}

impl UsProd {
    fn new() -> Self {
        let project = Project::empty().with("tenants.yaml", &Tenant::new("us-prod").in_folder("us-prod").yaml());
        copy_folder(&repository("examples/us-eu/us-prod"), &project.path("us-prod"));
        UsProd { project }
    }

    /// Adds a kustomization with a namespace, which `apply` filled.
    fn kustomized(namespace: &Namespace) -> Self {
        let project = UsProd::new();
        project.write("us-prod/kustomization.yaml", &format!("{KUSTOMIZATION}{}\n", namespace.name()));
        output_of(&mut project.stablekey("apply --yes"));
        project
    }

    fn folder(&self) -> PathBuf {
        self.project.path("us-prod")
    }

    fn write(&self, path: &str, text: &str) {
        self.project.write(path, text);
    }

    fn definition(&self, integration: &str) -> String {
        fs::read_to_string(self.folder().join(format!("integrations/{integration}.definition"))).unwrap()
    }

    /// Changes a definition in Git.
    fn change(&self, integration: &str) {
        let text = self.definition(integration).replace("description: ", "description: Now ");
        assert_ne!(text, self.definition(integration));
        self.write(&format!("us-prod/integrations/{integration}.definition"), &text);
    }

    fn stablekey(&self, words: &str) -> Command {
        with(self.project.command_with_state(&[]), words)
    }
}

/// Pipes the output of a command to `kubectl apply` with these flags.
#[track_caller]
fn applied(namespace: &Namespace, from: &mut Command, flags: &str) -> String {
    let text = output_of(from);
    let mut apply = kubectl(namespace, &format!("apply {flags} -f -"));
    run_with_input(&mut apply, &text).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the immutable ConfigMap that each integration names.
#[track_caller]
fn applied_definitions(namespace: &Namespace, project: &UsProd) -> BTreeMap<&'static str, String> {
    let of = |integration: &'static str| {
        let object = get(namespace, &format!("integration/{integration}"));
        assert_eq!(object["spec"]["definition"].as_object().unwrap().len(), 1, "{object}");
        let name = object["spec"]["definition"]["configMap"]["name"].as_str().unwrap().to_string();
        let map = get(namespace, &format!("configmap/{name}"));
        assert_eq!(map["data"]["definition"].as_str(), Some(project.definition(integration).as_str()));
        assert_eq!(map["immutable"], true);
        assert_eq!(map["metadata"]["labels"]["stablekey.dev/definition"], "true");
        (integration, name)
    };
    DEFINED.into_iter().map(of).collect()
}

fn revisions(namespace: &Namespace) -> String {
    let columns = "custom-columns=KIND:.kind,NAME:.metadata.name,REVISION:.metadata.resourceVersion";
    output_of(&mut kubectl(namespace, &format!("get stablekey,configmaps --no-headers -o {columns}")))
}

/// Asserts that a change in Git changed only this integration.
#[track_caller]
fn only_differs(before: &BTreeMap<&str, String>, after: &BTreeMap<&str, String>, integration: &str) {
    for (name, map) in before {
        assert_eq!(after[name] != *map, *name == integration, "{name}: {before:?} {after:?}");
    }
}

#[test]
fn rendered_and_applied() {
    let (namespace, project) = (shared("us").namespace("rendered"), UsProd::new());
    let apply = || applied(&namespace, &mut project.stablekey("render us-prod"), "--server-side");
    let said = apply();
    let before = applied_definitions(&namespace, &project);
    assert!(said.lines().all(|line| line.ends_with(" serverside-applied")), "{said}");
    let at = revisions(&namespace);
    apply();
    assert_eq!(revisions(&namespace), at, "what is there already stays as it is");
    project.change("lead-router");
    apply();
    only_differs(&before, &applied_definitions(&namespace, &project), "lead-router");
    // The ConfigMap that the integration named before still exists for its readers.
    get(&namespace, &format!("configmap/{}", before["lead-router"]));
}

/// Like Flux's kustomize-controller and Argo CD, each with its manager and flags.
#[test]
fn kustomized_and_applied_by_gitops_tools() {
    for manager in ["kustomize-controller", "argocd-controller"] {
        let namespace = shared("us").namespace("kustomized");
        let project = UsProd::kustomized(&namespace);
        let flags = format!("--server-side --force-conflicts --field-manager={manager}");
        let folder = project.folder();
        let apply = || applied(&namespace, kubectl(&namespace, "kustomize").arg(&folder), &flags);
        apply();
        let before = applied_definitions(&namespace, &project);
        assert_eq!(get(&namespace, "integration/lead-router")["metadata"]["labels"]["team"], "crm");
        let at = revisions(&namespace);
        apply();
        assert_eq!(revisions(&namespace), at);
        // Only in Git: no stablekey command runs.
        project.change("lead-router");
        apply();
        let after = applied_definitions(&namespace, &project);
        only_differs(&before, &after, "lead-router");
        // Both tools prune what Git no longer generates.
        output_of(&mut kubectl(&namespace, &format!("delete configmap {}", before["lead-router"])));
        assert_eq!(applied_definitions(&namespace, &project), after);
    }
}

#[test]
fn kustomized_and_applied_by_kubectl() {
    let namespace = shared("us").namespace("kustomized");
    let project = UsProd::kustomized(&namespace);
    let folder = project.folder();
    // An object that was applied with its `file` before is fixed.
    output_of(kubectl(&namespace, "apply -f").arg(folder.join("integrations/lead-router.yaml")));
    for side in ["", "--server-side --force-conflicts"] {
        output_of(kubectl(&namespace, &format!("apply {side} -k")).arg(&folder));
        applied_definitions(&namespace, &project);
        assert_eq!(output_of(kubectl(&namespace, &format!("diff {side} -k")).arg(&folder)), "");
    }
}

/// An Integration with `definition: {file}` in a cluster is not Ready, and no sync copies it (SK0145).
#[test]
fn a_sync_copies_delivered_integrations_only() {
    let (namespace, project) = (shared("us").namespace("delivered"), UsProd::new());
    output_of(kubectl(&namespace, "apply --recursive -f").arg(project.folder()));
    let us = Tenant::new("us").in_namespace(namespace.name(), "us");
    let eu = Tenant::new("eu").in_folder("eu").accepts("us");
    let elsewhere = Project::empty()
        .with("tenants.yaml", &yaml::file(&[us.yaml(), eu.yaml()]))
        .with("syncs.yaml", &Sync::new("us-to-eu", "us", "eu").create().yaml())
        .with_folder("eu");
    let plan = || -> Value {
        let mut plan = elsewhere.command(&["plan", "-o", "json"]);
        plan.env("KUBECONFIG", namespace.cluster().kubeconfig());
        serde_json::from_slice(&plan.output().unwrap().stdout).unwrap()
    };
    let integrations = |plan: &Value| -> Vec<String> {
        let actions =
            plan["targets"].as_array().unwrap().iter().flat_map(|target| target["actions"].as_array().unwrap());
        let ids = actions.map(|action| action["id"].as_str().unwrap().to_string());
        ids.filter_map(|id| id.strip_prefix("eu/Integration/").map(str::to_string)).collect()
    };
    let left_behind = plan();
    assert_eq!((integrations(&left_behind), &left_behind["exit"]), (vec![], &Value::from(3)));
    let codes: Vec<&str> =
        left_behind["findings"].as_array().unwrap().iter().filter_map(|finding| finding["code"].as_str()).collect();
    assert_eq!(codes.iter().filter(|code| **code == "SK0145").count(), DEFINED.len(), "{codes:?}");
    applied(&namespace, &mut project.stablekey("render us-prod"), "--server-side --force-conflicts");
    assert_eq!(integrations(&plan()), DEFINED);
}
