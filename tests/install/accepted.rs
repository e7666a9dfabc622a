//! Applies everything to real API servers.

use crate::installed::{apply, us};
use crate::renderings::{ALL, helmed, kustomized};
use crate::tools::{helm, output_of, repository};
use serde_json::{Value, json};
use stablekey_clusters::{Cluster, Namespace, Options, run, run_with_input};
use stablekey_testing::manifests::{Objects, in_namespace, list};

/// Server-side and strict: an unknown field is an error, and so is a warning.
fn accepted(namespace: &Namespace<'_>, objects: &Objects) {
    let mut kubectl = namespace.kubectl();
    kubectl.args(["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"]);
    kubectl.arg("--warnings-as-errors");
    let said = run_with_input(&mut kubectl, &list(objects).to_string()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(said.lines().count(), objects.len(), "{said}");
}

#[test]
fn an_api_server_accepts_every_object() {
    let namespace = restricted(us(), "accepted");
    accepted(&namespace, &in_namespace(kustomized(&ALL), namespace.name()));
    for access in ["tenantAccess=source", "tenantAccess=target"] {
        accepted(&namespace, &helmed(namespace.name(), &[access]));
    }
    let more = ["nodeSelector.disk=fast", "image.pullSecrets[0].name=registry", "tolerations[0].operator=Exists"];
    accepted(&namespace, &helmed(namespace.name(), &[&more[..], &crate::chart::ADMINISTRATORS].concat()));
    let monitoring = ["service", "podMonitor", "prometheusRule"].map(|part| format!("monitoring.{part}.enabled=true"));
    let mut objects = helmed(namespace.name(), &monitoring.each_ref().map(String::as_str));
    // Their kinds belong to the Prometheus Operator.
    objects.retain(|_, object| object["apiVersion"] != "monitoring.coreos.com/v1");
    assert!(objects.contains_key("Service/stablekey-metrics"));
    accepted(&namespace, &objects);
}

/// Creates a namespace that only accepts Pods of the level `restricted`.
fn restricted(cluster: &'static Cluster, prefix: &str) -> Namespace<'static> {
    let namespace = cluster.namespace(prefix);
    let levels = ["enforce", "warn"].map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted"));
    run(cluster.kubectl().args(["label", "namespace", namespace.name()]).args(levels)).unwrap();
    namespace
}

fn pod(workload: &Value) -> Value {
    let job = &workload["spec"]["jobTemplate"];
    let template = if job.is_null() { &workload["spec"]["template"] } else { &job["spec"]["template"] };
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
    pod["metadata"]["name"] = workload["metadata"]["name"].clone();
    pod
}

fn made(namespace: &Namespace<'_>, pod: &Value) -> Result<String, String> {
    let mut kubectl = namespace.kubectl();
    kubectl.args(["create", "--dry-run=server", "--validate=strict", "-f", "-"]);
    run_with_input(&mut kubectl, &pod.to_string()).map_err(|error| error.to_string())
}

#[test]
fn its_pods_satisfy_the_restricted_level() {
    let namespace = restricted(us(), "restricted");
    let helmed = helmed(namespace.name(), &["crds=false", "policies=false", "tokenRenewal.enabled=true"]);
    for objects in [kustomized(&["binder", "syncer", "token-renewal/hub"]), helmed] {
        for workload in
            ["Deployment/stablekey-binder", "Deployment/stablekey-syncer", "CronJob/stablekey-token-renewal"]
        {
            let pod = pod(&objects[workload]);
            made(&namespace, &pod).unwrap();
            // The level is enforced for each of these settings.
            let weaker: [(&str, Value); 4] = [
                ("/spec/securityContext/runAsNonRoot", json!(false)),
                ("/spec/securityContext/seccompProfile/type", json!("Unconfined")),
                ("/spec/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
                ("/spec/containers/0/securityContext/capabilities/drop", json!([])),
            ];
            for (path, value) in weaker {
                let mut bad = pod.clone();
                *bad.pointer_mut(path).unwrap() = value;
                let said = made(&namespace, &bad).unwrap_err();
                assert!(said.contains("violates PodSecurity \"restricted:latest\""), "{path}: {said}");
            }
        }
    }
}

/// Uninstalling deletes no custom resources.
///
/// "Uninstalling deletes nothing".
#[test]
fn uninstalling_the_chart_keeps_custom_resources() {
    let cluster = Cluster::start(&Options::named("chart")).unwrap();
    let namespace = cluster.namespace("us-prod");
    let home = tempfile::tempdir().unwrap();
    let by_helm = |words: &str| {
        let mut helm = helm(home.path());
        helm.args(words.split(' ')).args(["--namespace", namespace.name()]).env("KUBECONFIG", cluster.kubeconfig());
        helm
    };
    let chart = repository("manifests/helm/stablekey");
    let said = output_of(by_helm("install stablekey").arg(&chart));
    assert!(said.contains(&format!("watches {}.", namespace.name())), "{said}");
    run(namespace.kubectl().args(["wait", "--for=condition=Established", "crd/connections.stablekey.dev"])).unwrap();
    let tenant =
        json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": "us"}, "spec": {}});
    apply(&namespace, &tenant);

    // An upgrade updates the CRDs and the policies.
    let kind = ["crd/connections.stablekey.dev", "--output=jsonpath={.spec.names.shortNames[0]}"];
    let older = json!([{"op": "replace", "path": "/spec/names/shortNames", "value": ["older"]}]).to_string();
    run(namespace.kubectl().args(["patch", kind[0], "--type=json", "--patch", &older])).unwrap();
    output_of(by_helm("upgrade stablekey --set syncer.enabled=false --force-conflicts").arg(&chart));
    assert_eq!(run(namespace.kubectl().arg("get").args(kind)).unwrap(), "conn");
    let names = |kinds: &str| run(namespace.kubectl().args(["get", kinds, "--output=name"])).unwrap();
    assert_eq!(names("deployments"), "deployment.apps/stablekey-binder\n");

    // A second release, in another namespace, leaves out cluster-wide objects.
    let second = cluster.namespace("dev");
    let mut helm = by_helm("install second --set crds=false --set policies=false --set clusterRoles=false");
    output_of(helm.arg(&chart).args(["--namespace", second.name()]));

    output_of(&mut by_helm("uninstall stablekey"));
    assert_eq!(names("deployments,roles,rolebindings,serviceaccounts"), "");
    assert_eq!(names("tenants"), "tenant.stablekey.dev/us\n");
    assert_eq!(names("crds").lines().filter(|name| name.ends_with(".stablekey.dev")).count(), 6);
    // The next installation takes over what was kept.
    output_of(by_helm("install stablekey").arg(&chart));
}
