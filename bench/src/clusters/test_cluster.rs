//! A cluster, and a folder of manifests that stablekey and kubectl apply to it.

use crate::Outcome;
use crate::files::STABLEKEY;
use stablekey::api::{Kubeconfig, KubernetesLocation, LocationSpec, Object, Resource, Source, TenantSpec};
use stablekey::manifest::to_yaml;
use stablekey_clusters::{Cluster, Namespace, Options};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The tenant whose location is measured.
pub const TENANT: &str = "us-prod";
const DECLARED: &str = "declared";

/// A cluster, and the desired objects of a tenant in it.
pub struct TestCluster {
    /// A cluster with the CRDs.
    pub cluster: Cluster,
    root: TempDir,
}

impl TestCluster {
    /// Starts a cluster.
    pub fn prepare(name: &str) -> Outcome<Self> {
        let cluster = Cluster::start(&Options::named(name))?;
        cluster.install_crds()?;
        Ok(TestCluster { cluster, root: tempfile::tempdir()? })
    }

    fn declared(&self) -> PathBuf {
        self.root.path().join(DECLARED)
    }

    /// Writes the desired objects of the tenant, one file per resource.
    pub fn declare(&self, resources: &[Resource]) -> Outcome<()> {
        std::fs::create_dir_all(self.declared())?;
        for resource in resources {
            let file = format!("{}.yaml", resource.metadata().name);
            std::fs::write(self.declared().join(file), to_yaml(resource)?)?;
        }
        Ok(())
    }

    /// Returns the stablekey command, with the tenant in this namespace.
    pub fn stablekey(&self, command: &str, namespace: &Namespace<'_>, arguments: &[&str]) -> Outcome<Command> {
        let source = Some(Source::of_path(DECLARED));
        let spec = TenantSpec { source, ..tenant_in(&self.cluster, namespace.name()) };
        let tenant = Resource::from(Object::new(TENANT, spec));
        std::fs::write(self.root.path().join("tenants.yaml"), to_yaml(&tenant)?)?;
        let mut stablekey = Command::new(STABLEKEY);
        stablekey.env("KUBECONFIG", self.cluster.kubeconfig());
        stablekey.arg(command).arg(self.root.path()).args(arguments);
        Ok(stablekey)
    }

    /// Returns a `kubectl apply` of the same files.
    pub fn kubectl_apply(&self, namespace: &Namespace<'_>) -> Command {
        self.kubectl("apply", namespace)
    }

    /// Returns a `kubectl diff` of the same files.
    pub fn kubectl_diff(&self, namespace: &Namespace<'_>) -> Command {
        self.kubectl("diff", namespace)
    }

    fn kubectl(&self, command: &str, namespace: &Namespace<'_>) -> Command {
        let mut kubectl = namespace.kubectl();
        kubectl.args([command, "--server-side", "-f"]).arg(self.declared());
        kubectl
    }
}

/// Returns a tenant whose location is a namespace of a cluster.
pub fn tenant_in(cluster: &Cluster, namespace: &str) -> TenantSpec {
    let location = KubernetesLocation {
        namespace: namespace.into(),
        kubeconfig: Some(Kubeconfig::Context(cluster.name().into())),
    };
    TenantSpec { location: Some(LocationSpec::Kubernetes(location)), ..TenantSpec::default() }
}
