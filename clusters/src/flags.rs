//! What the servers are told.

use std::path::Path;

/// Controllers that a test can see the work of. Others need nodes, or make what nobody asked for.
const CONTROLLERS: &str = "namespace-controller,garbage-collector-controller,resourcequota-controller,\
                           clusterrole-aggregation-controller,serviceaccount-controller,root-ca-certificate-publisher-controller,\
                           validatingadmissionpolicy-status-controller";

/// Every request, who made it and what for; bodies are nobody's business.
pub(crate) const AUDIT_POLICY: &str =
    r#"{"apiVersion":"audit.k8s.io/v1","kind":"Policy","rules":[{"level":"Metadata"}]}"#;

/// Files of a cluster's folder, by the names that the flags give them.
pub(crate) mod file {
    /// The certificate of the authority that all others are signed by.
    pub(crate) const AUTHORITY: &str = "authority.crt";
    /// Its key.
    pub(crate) const AUTHORITY_KEY: &str = "authority.key";
    /// The API server's certificate.
    pub(crate) const SERVING: &str = "serving.crt";
    /// Its key.
    pub(crate) const SERVING_KEY: &str = "serving.key";
    /// What ServiceAccount tokens are verified with.
    pub(crate) const TOKENS: &str = "tokens.pub";
    /// What they are signed with.
    pub(crate) const TOKENS_KEY: &str = "tokens.key";
    /// What is audited.
    pub(crate) const AUDIT_POLICY: &str = "audit-policy.json";
    /// What was asked, a line a request and stage.
    pub(crate) const AUDIT: &str = "audit.jsonl";
    /// The administrator's kubeconfig.
    pub(crate) const KUBECONFIG: &str = "kubeconfig";
}

/// etcd's. It listens on sockets in the folder, so it needs no port and nobody else reaches it.
pub(crate) fn etcd(folder: &Path) -> Vec<String> {
    let peers = format!("unix://{}", folder.join("peers.sock").display());
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={}", etcd_socket(folder)),
        // Told to other members, of which there are none; it must be of this form.
        "--advertise-client-urls=http://localhost:2379".into(),
        format!("--listen-peer-urls={peers}"),
        // A test's data need not outlive the power.
        "--unsafe-no-fsync".into(),
        // Without it a watch of an idle kind gets no bookmark.
        "--watch-progress-notify-interval=5s".into(),
        "--log-level=warn".into(),
    ]
}

fn etcd_socket(folder: &Path) -> String {
    format!("unix://{}", folder.join("etcd.sock").display())
}

/// kube-apiserver's.
pub(crate) fn apiserver(folder: &Path, port: u16, more: &[String]) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut flags = vec![
        format!("--etcd-servers={}", etcd_socket(folder)),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        format!("--secure-port={port}"),
        // The supervisor holds the port too, so that nobody else is given it.
        "--permit-port-sharing".into(),
        // There is no way to a loopback address from within, and the server would complain.
        "--endpoint-reconciler-type=none".into(),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        format!("--cert-dir={}", file("certificates")),
        format!("--tls-cert-file={}", file(file::SERVING)),
        format!("--tls-private-key-file={}", file(file::SERVING_KEY)),
        format!("--client-ca-file={}", file(file::AUTHORITY)),
        "--authorization-mode=RBAC".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-key-file={}", file(file::TOKENS)),
        format!("--service-account-signing-key-file={}", file(file::TOKENS_KEY)),
        // It would wait for a ServiceAccount named default before it lets a Pod in.
        "--disable-admission-plugins=ServiceAccount".into(),
        format!("--audit-policy-file={}", file(file::AUDIT_POLICY)),
        format!("--audit-log-path={}", file(file::AUDIT)),
        // In megabytes: one file, however long the test.
        "--audit-log-maxsize=10000".into(),
        "--profiling=false".into(),
    ];
    flags.extend_from_slice(more);
    flags
}

/// kube-controller-manager's.
pub(crate) fn controller_manager(folder: &Path) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--kubeconfig={}", file(file::KUBECONFIG)),
        format!("--controllers={CONTROLLERS}"),
        format!("--root-ca-file={}", file(file::AUTHORITY)),
        "--leader-elect=false".into(),
        // It has nothing to serve: no port.
        "--secure-port=0".into(),
    ]
}
