//! The chart's values, and what it does in addition to the folders.

use crate::renderings::{helmed, helmed_in_order, set};
use crate::tools::{error_of, helm, kubectl, output_of, repository};
use serde_json::{Value, json};
use stablekey_testing::manifests::{by_name, documents};

#[track_caller]
fn wrong(values: &str, why: &str) {
    let home = tempfile::tempdir().unwrap();
    let mut helm = helm(home.path());
    helm.args(["template", "stablekey"]).arg(repository("manifests/helm/stablekey")).args([set(values), values]);
    let said = error_of(&mut helm);
    assert!(said.contains("values don't meet the specifications") && said.contains(why), "{values}: {said}");
}

#[test]
fn a_wrong_value_is_refused_with_the_valid_ones() {
    wrong("binder.replicas=two", "at '/binder/replicas': got string, want integer");
    wrong("syncer.replicas=-1", "at '/syncer/replicas': minimum: got -1, want 0");
    wrong("tenantAccess=both", "at '/tenantAccess': value must be one of 'none', 'source', 'target'");
    wrong("sincer.enabled=true", "additional properties 'sincer' not allowed");
    wrong("binder.enabled=maybe", "at '/binder/enabled': got string, want boolean");
    wrong("namespaces={us_prod}", "at '/namespaces/0': 'us_prod' does not match pattern");
    wrong("namespaces=us-prod", "at '/namespaces': got string, want array");
    wrong("settings.logLevel=loud", "at '/settings/logLevel': value must be one of 'error', 'warn', 'info', 'debug'");
    wrong("settings.leaseDuration=1.5s", "at '/settings/leaseDuration': '1.5s' does not match pattern");
    wrong("image.tags=1", "additional properties 'tags' not allowed");
    wrong("syncer.kubeconfigSecrets={*}", "at '/syncer/kubeconfigSecrets/0': '*' does not match pattern");
    wrong("networkPolicy.apiServerPorts=[]", "at '/networkPolicy/apiServerPorts': minItems: got 0, want 1");
    wrong("binder.resources.limits.memory=lots", "'lots' does not match pattern");
    wrong("image.digest=sha256:abc", "at '/image/digest': 'sha256:abc' does not match pattern");
    wrong("networkPolicy.apiServerCIDR=[]", "additional properties 'apiServerCIDR' not allowed");
    wrong("networkPolicy.apiServerCIDRs={10.0.0.1}", "at '/networkPolicy/apiServerCIDRs/0': '10.0.0.1' does not match");
    wrong("monitoring.podmonitor.enabled=true", "additional properties 'podmonitor' not allowed");
    wrong("monitoring.tokenSecret.names=a", "additional properties 'names' not allowed");
    wrong("affinity.nodeAffinities.a=b", "additional properties 'nodeAffinities' not allowed");
    wrong("tokenRenewal.image=docker.io/alpine/kubectl:1.36.0", "at '/tokenRenewal/image': got string, want object");
    wrong("tokenRenewal.image.digest=latest", "at '/tokenRenewal/image/digest': 'latest' does not match pattern");
    wrong("tokenRenewal.image.tag=", "at '/tokenRenewal/image/tag': minLength: got 0, want 1");
    wrong("tokenRenewal.duration=1d", "at '/tokenRenewal/duration': '1d' does not match pattern");
    wrong("fullnameOverride=A_b", "at '/fullnameOverride': 'A_b' does not match pattern");
    wrong("priorityClass=high", "additional properties 'priorityClass' not allowed");
    // Labels and flags that the operator's selectors and settings depend on cannot be overridden.
    wrong(r#"podLabels={"app.kubernetes.io/name":"x"}"#, "'not' failed");
    wrong("extraEnv[0].name=STABLEKEY_NAMESPACE,extraEnv[0].value=x", "'not' failed");
}

/// The platform, Git servers and destinations of notifications have no fixed addresses; API servers may have.
#[test]
fn what_reaches_other_servers_may_go_to_any_address() {
    let limited = |values: &[&str], role: &str| {
        let values = [&["networkPolicy.apiServerCIDRs={10.0.0.1/32}", "sender.enabled=true"][..], values].concat();
        helmed("home", &values)[&format!("NetworkPolicy/stablekey-{role}")].to_string().contains("10.0.0.1/32")
    };
    assert!(limited(&[], "binder") && limited(&[], "syncer") && !limited(&[], "sender"));
    assert!(limited(&["git.hosts={git.example}"], "binder") && !limited(&["git.hosts={git.example}"], "syncer"));
    assert!(["binder", "syncer", "sender"].iter().all(|role| !limited(&["notifications.enabled=true"], role)));
}

/// Each role that reads Git is told of pushes, and only that role.
#[test]
fn webhooks_reach_every_role_that_reads_git() {
    let webhooks = ["git.webhooks.enabled=true", "git.webhooks.githubSecret.name=hooks"];
    let values = [&["sender.enabled=true", "git.hosts={git.example}", "git.volumeSize=3Gi"][..], &webhooks].concat();
    let objects = helmed("home", &values);
    for role in ["syncer", "sender"] {
        for ending in ["webhooks", "peers"] {
            let service = &objects[&format!("Service/stablekey-{role}-{ending}")]["spec"];
            assert_eq!(service["selector"]["app.kubernetes.io/component"], role);
        }
        let pod = &objects[&format!("Deployment/stablekey-{role}")]["spec"]["template"]["spec"];
        let env = pod["containers"][0]["env"].as_array().unwrap();
        let peers = env.iter().find(|env| env["name"] == "STABLEKEY_WEBHOOK_PEERS").unwrap();
        assert_eq!(peers["value"], format!("stablekey-{role}-peers:8081"));
        let volumes = pod["volumes"].as_array().unwrap();
        assert!(volumes.iter().any(|volume| volume["secret"]["secretName"] == "hooks"));
        assert!(volumes.iter().any(|volume| volume["emptyDir"]["sizeLimit"] == "3Gi"));
        let ingress = &objects[&format!("NetworkPolicy/stablekey-{role}")]["spec"]["ingress"][0]["ports"];
        assert!(ingress.as_array().unwrap().iter().any(|port| port["port"] == 8081));
    }
    assert!(!objects["Deployment/stablekey-binder"].to_string().contains("WEBHOOK"));
    let without_git = helmed("home", &[&["sender.enabled=true"][..], &webhooks].concat());
    assert!(!without_git.values().any(|object| object.to_string().contains("8081")));
}

#[test]
fn a_renewal_without_a_secret_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let mut helm = helm(home.path());
    helm.args(["template", "stablekey"]).arg(repository("manifests/helm/stablekey"));
    helm.args(["--set", "tokenRenewal.enabled=true", "--set-json", "syncer.kubeconfigSecrets=[]"]);
    assert!(error_of(&mut helm).contains("there is nothing to renew without syncer.kubeconfigSecrets"));
}

/// This image reads every kubeconfig, so an administrator must pin its digest.
#[test]
fn the_image_that_renews_tokens_is_pinned_by_digest() {
    let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let image = |objects: &stablekey_testing::manifests::Objects| {
        let job = &objects["CronJob/stablekey-token-renewal"]["spec"]["jobTemplate"]["spec"];
        job["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_string()
    };
    let values = ["tokenRenewal.enabled=true", "tokenRenewal.image.repository=registry.example/kubectl"];
    assert_eq!(image(&helmed("home", &values)), "registry.example/kubectl:1.36.0");
    let pinned = format!("tokenRenewal.image.digest={digest}");
    assert_eq!(image(&helmed("home", &[values[0], values[1], &pinned])), format!("registry.example/kubectl@{digest}"));

    // With Kustomize, by the lines that the folder shows.
    let hub = repository("manifests/token-renewal/hub");
    let shown = std::fs::read_to_string(hub.join("kustomization.yaml")).unwrap();
    let shown = shown.lines().skip_while(|line| *line != "#   images:").take_while(|line| line.starts_with("#   "));
    let images: String = shown.map(|line| line.trim_start_matches("#   ").replace("sha256:…", digest) + "\n").collect();
    let folder = tempfile::tempdir().unwrap();
    let overlay = folder.path().canonicalize().unwrap();
    let up = "../".repeat(overlay.components().count() - 1);
    let text =
        format!("resources: [{up}{}]\n{images}", hub.canonicalize().unwrap().strip_prefix("/").unwrap().display());
    std::fs::write(overlay.join("kustomization.yaml"), text).unwrap();
    let objects = by_name(documents(&output_of(kubectl().arg("kustomize").arg(overlay))));
    assert_eq!(image(&objects), format!("registry.example/kubectl@{digest}"));
}

/// Values that administrators set.
pub const ADMINISTRATORS: [&str; 18] = [
    "fullnameOverride=crm-keys",
    "nameOverride=keys",
    "commonLabels.team=crm",
    "podLabels.cost=low",
    "podAnnotations.checked=yes-it-is",
    "priorityClassName=high",
    "serviceAccount.annotations.role=arn:aws:iam::1:role/x",
    "extraEnv[0].name=HTTPS_PROXY,extraEnv[0].value=http://proxy",
    "image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "networkPolicy.apiServerCIDRs={10.0.0.1/32,2001:db8::/64}",
    r#"affinity={"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[]}}"#,
    r#"topologySpreadConstraints=[{"maxSkew":2,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule"}]"#,
    "monitoring.service.enabled=true",
    "monitoring.tokenSecret.name=metrics-token",
    "monitoring.labels.release=prometheus",
    "tokenRenewal.enabled=true",
    "tenantAccess=source",
    "tenantAccessRenewal=true",
];

#[test]
fn values_of_administrators_are_rendered() {
    let objects = helmed("home", &ADMINISTRATORS);
    let deployment = &objects["Deployment/crm-keys-syncer"];
    assert_eq!(deployment["metadata"]["labels"]["team"], "crm");
    let (template, pod) = (&deployment["spec"]["template"]["metadata"], &deployment["spec"]["template"]["spec"]);
    let selector = json!({"app.kubernetes.io/component": "syncer", "app.kubernetes.io/name": "keys"});
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], selector);
    for (name, value) in [("team", "crm"), ("cost", "low"), ("app.kubernetes.io/name", "keys")] {
        assert_eq!(template["labels"][name], value);
    }
    // Without the token, a Prometheus that uses annotations would be refused.
    assert_eq!(template["annotations"], json!({"checked": "yes-it-is"}));
    assert_eq!(pod["priorityClassName"], "high");
    assert_eq!(pod["affinity"]["nodeAffinity"], json!({"preferredDuringSchedulingIgnoredDuringExecution": []}));
    let spread = &pod["topologySpreadConstraints"];
    assert_eq!((&spread[0]["topologyKey"], &spread[0]["labelSelector"]["matchLabels"]), (&json!("zone"), &selector));
    assert_eq!(spread[1], Value::Null);
    let container = &pod["containers"][0];
    let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    assert_eq!(container["image"], format!("ghcr.io/stablekey/stablekey@{digest}"));
    let environment = environment(deployment);
    let token = json!({"name": "STABLEKEY_METRICS_TOKEN_FILE", "value": "/var/run/stablekey/metrics/token"});
    assert_eq!((&environment[3], &environment[4]), (&token, &json!({"name": "HTTPS_PROXY", "value": "http://proxy"})));
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/var/run/stablekey/metrics");
    let secret = json!({"secretName": "metrics-token", "items": [{"key": "token", "path": "token"}]});
    assert_eq!(pod["volumes"][0]["secret"], secret);
    let to = json!([{"ipBlock": {"cidr": "10.0.0.1/32"}}, {"ipBlock": {"cidr": "2001:db8::/64"}}]);
    for policy in ["crm-keys-binder", "crm-keys-syncer", "stablekey-token-renewal"] {
        let egress = &objects[&format!("NetworkPolicy/{policy}")]["spec"]["egress"];
        assert_eq!((&egress[1]["to"], &egress[0]["to"]), (&to, &Value::Null), "{policy}");
    }
    assert_eq!(objects["Service/crm-keys-metrics"]["spec"]["selector"], json!({"app.kubernetes.io/name": "keys"}));
    assert_eq!(objects["Service/crm-keys-metrics"]["metadata"]["labels"]["release"], "prometheus");
    let account = &objects["ServiceAccount/stablekey-syncer"];
    assert_eq!(account["metadata"]["annotations"], json!({"role": "arn:aws:iam::1:role/x"}));
    assert!(objects.contains_key("Role/stablekey-source-token"));
}

/// The policies match accounts by name: another name would disable them.
#[test]
fn accounts_roles_and_leases_have_fixed_names() {
    let of = |values: &[&str]| -> Vec<String> {
        let objects = helmed("home", &[values, &["tenantAccess=target", "tokenRenewal.enabled=true"]].concat());
        let kinds = ["ServiceAccount/", "Role/", "RoleBinding/", "ClusterRole/", "ValidatingAdmissionPolicy"];
        objects.into_keys().filter(|name| kinds.iter().any(|kind| name.starts_with(kind))).collect()
    };
    assert_eq!(of(&["nameOverride=a", "fullnameOverride=b"]), of(&[]));
    let deployments: Vec<String> =
        helmed("home", &["nameOverride=a"]).into_keys().filter(|name| name.starts_with("Deployment/")).collect();
    assert_eq!(deployments, ["Deployment/a-binder", "Deployment/a-syncer"]);
}

#[test]
fn prometheus_gets_the_token_of_the_operator() {
    let values =
        ["monitoring.podMonitor.enabled=true", "monitoring.tokenSecret.name=t", "monitoring.tokenSecret.key=k"];
    let endpoint = &helmed("home", &values)["PodMonitor/stablekey"]["spec"]["podMetricsEndpoints"][0];
    assert_eq!(endpoint["authorization"]["credentials"], json!({"name": "t", "key": "k"}));
    let open = &helmed("home", &values[..1])["PodMonitor/stablekey"]["spec"]["podMetricsEndpoints"][0];
    assert_eq!(*open, json!({"port": "http", "path": "/metrics"}));
}

/// The table of sizes in the values equals the one in the documentation.
#[test]
fn the_documented_sizes_are_current() {
    let values = std::fs::read_to_string(repository("manifests/helm/stablekey/values.yaml")).unwrap();
    let rows: Vec<&str> = values.lines().filter_map(|line| line.strip_prefix("# | to ")).collect();
    let documented = std::fs::read_to_string(repository("docs/operator.md")).unwrap();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        let row = row.replace("(the values below)", "(the default)");
        assert!(documented.contains(&format!("| to {row}")), "docs/operator.md: {row}");
    }
    for deployment in ["Deployment/stablekey-binder", "Deployment/stablekey-syncer"] {
        let container = &helmed("home", &[])[deployment]["spec"]["template"]["spec"]["containers"][0];
        let of = |which: &str| container["resources"][which]["memory"].as_str().unwrap().to_string();
        assert!(rows[0].ends_with(&format!("| {} | {} |", of("requests"), of("limits"))), "{deployment}");
    }
}

fn environment(deployment: &Value) -> Value {
    deployment["spec"]["template"]["spec"]["containers"][0]["env"].clone()
}

#[test]
fn one_operator_can_reconcile_several_namespaces() {
    let documents = helmed_in_order("home", &["namespaces={us,dev}", "tenantAccess=source"]);
    let deployments: Vec<&Value> = documents.iter().filter(|object| object["kind"] == "Deployment").collect();
    for deployment in &deployments {
        assert_eq!(environment(deployment)[2], json!({"name": "STABLEKEY_NAMESPACE", "value": "us,dev"}));
    }
    assert_eq!(deployments.len(), 2);
    let locations = |kind: &str, name: &str| -> Vec<(Value, Value)> {
        let all = documents.iter().filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        all.map(|object| (object["metadata"]["namespace"].clone(), object["subjects"][0]["namespace"].clone()))
            .collect()
    };
    let bound = locations("RoleBinding", "stablekey-syncer");
    assert_eq!(bound, [(json!("us"), json!("home")), (json!("dev"), json!("home"))]);
    assert_eq!(locations("RoleBinding", "stablekey-lease-syncer"), [(json!("home"), json!("home"))]);
    assert_eq!(
        locations("RoleBinding", "stablekey-source"),
        [(json!("us"), json!("us")), (json!("dev"), json!("dev"))]
    );
}

#[test]
fn settings_match_the_flags_of_the_operator() {
    let settings = [
        "settings.leaseDuration=30s",
        "settings.logFormat=text",
        "settings.logLevel=debug",
        "settings.requestTimeout=10s",
        "settings.resync=1h",
    ];
    let objects = helmed("home", &settings);
    let told = environment(&objects["Deployment/stablekey-syncer"]);
    let documented = std::fs::read_to_string(repository("docs/operator.md")).unwrap();
    for (setting, name) in told.as_array().unwrap()[3..].iter().zip([
        "STABLEKEY_LEASE_DURATION",
        "STABLEKEY_LOG_FORMAT",
        "STABLEKEY_LOG_LEVEL",
        "STABLEKEY_REQUEST_TIMEOUT",
        "STABLEKEY_RESYNC",
    ]) {
        assert_eq!(setting["name"], name);
        assert!(documented.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn a_syncer_without_kubeconfigs_reads_no_secret_at_all() {
    let rules = |values: &[&str]| helmed("home", values)["Role/stablekey-syncer"]["rules"].to_string();
    assert!(!rules(&["syncer.kubeconfigSecrets=[]", "crds=false"]).contains("secrets"));
    assert!(rules(&["syncer.kubeconfigSecrets={a,b}"]).contains(r#""resourceNames":["a","b"]"#));
}
