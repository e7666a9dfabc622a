//! The operator that a test program starts itself as: the product's own program refuses servers on this machine.

use stablekey::controller::log::LogFormat;
use stablekey::controller::options::GitOptions;
use stablekey::controller::{Options, Role};
use stablekey::git::remote::Limits;
use stablekey::tenant::prismatic::PlatformSettings;
use std::time::Duration;

/// The options of a role in a namespace, which is also the hub. It asks no Git server.
pub fn options(role: Role, pod_name: &str, namespace: String) -> Options {
    Options {
        roles: vec![role],
        lease_namespace: namespace.clone(),
        namespaces: vec![namespace],
        lease_duration: Duration::from_secs(3),
        listen: "127.0.0.1:0".parse().unwrap(),
        metrics_token: None,
        log_format: LogFormat::Json,
        log_level: tracing::Level::INFO,
        request_timeout: Duration::from_secs(3),
        resync: Duration::from_secs(600),
        delete_after: Duration::from_secs(1),
        tenant_limit: 48 << 20,
        pod_name: pod_name.to_string(),
        platform: PlatformSettings::default(),
        git: GitOptions {
            hosts: Vec::new(),
            folder: std::env::temp_dir(),
            limits: Limits::default(),
            allows_loopback: false,
        },
        webhooks: None,
        notifications: None,
    }
}
