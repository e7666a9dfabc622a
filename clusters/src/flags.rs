//! The flags and files of the servers.

use std::path::Path;

/// Controllers whose work a test can see. Others need nodes, or create unrelated objects.
const CONTROLLERS: &str = "namespace-controller,garbage-collector-controller,resourcequota-controller,\
                           clusterrole-aggregation-controller,serviceaccount-controller,root-ca-certificate-publisher-controller,\
                           validatingadmissionpolicy-status-controller";

/// Logs the metadata of every request, without bodies.
pub(crate) const AUDIT_POLICY: &str =
    r#"{"apiVersion":"audit.k8s.io/v1","kind":"Policy","rules":[{"level":"Metadata"}]}"#;

/// The files of a cluster's folder, named as in the flags.
pub(crate) mod file {
    /// The certificate of the authority that signs all others.
    pub(crate) const AUTHORITY: &str = "authority.crt";
    /// Its key.
    pub(crate) const AUTHORITY_KEY: &str = "authority.key";
    /// The API server's certificate.
    pub(crate) const SERVING: &str = "serving.crt";
    /// Its key.
    pub(crate) const SERVING_KEY: &str = "serving.key";
    /// The key that verifies ServiceAccount tokens.
    pub(crate) const TOKENS: &str = "tokens.pub";
    /// The key that signs them.
    pub(crate) const TOKENS_KEY: &str = "tokens.key";
    pub(crate) const AUDIT_POLICY: &str = "audit-policy.json";
    /// The audit log, one line per request and stage.
    pub(crate) const AUDIT: &str = "audit.jsonl";
    /// The administrator's kubeconfig.
    pub(crate) const KUBECONFIG: &str = "kubeconfig";
}

/// Returns etcd's flags. It listens on sockets in the folder, so it needs no port and nobody else can reach it.
pub(crate) fn etcd(folder: &Path) -> Vec<String> {
    let peers = format!("unix://{}", folder.join("peers.sock").display());
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={}", etcd_socket(folder)),
        // Required, but only for other members, of which there are none.
        "--advertise-client-urls=http://localhost:2379".into(),
        format!("--listen-peer-urls={peers}"),
        // Test data need not survive a power cut.
        "--unsafe-no-fsync".into(),
        // Without it a watch of an idle resource gets no bookmark.
        "--watch-progress-notify-interval=5s".into(),
        "--log-level=warn".into(),
    ]
}

fn etcd_socket(folder: &Path) -> String {
    format!("unix://{}", folder.join("etcd.sock").display())
}

/// Returns kube-apiserver's flags.
pub(crate) fn apiserver(folder: &Path, port: u16, more: &[String]) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut flags = vec![
        format!("--etcd-servers={}", etcd_socket(folder)),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        format!("--secure-port={port}"),
        // The supervisor binds the port too, so that no other process gets it.
        "--permit-port-sharing".into(),
        // A loopback address is not reachable from within, and the server would log errors.
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
        // It would wait for a ServiceAccount named default before it admits a Pod.
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

/// Returns kube-controller-manager's flags.
pub(crate) fn controller_manager(folder: &Path) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--kubeconfig={}", file(file::KUBECONFIG)),
        format!("--controllers={CONTROLLERS}"),
        format!("--root-ca-file={}", file(file::AUTHORITY)),
        "--leader-elect=false".into(),
        // It serves nothing: no port.
        "--secure-port=0".into(),
    ]
}
