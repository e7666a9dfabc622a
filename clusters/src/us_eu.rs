//! `make clusters`: two clusters with examples/us-eu in them, for a person to try things on.

use crate::authority::write;
use crate::{Cluster, Error, Options, run, run_with_input};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::Write;
use std::path::PathBuf;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/us-eu");

/// A tenant of the example, and where it is put.
struct Tenant {
    name: &'static str,
    region: &'static str,
    environment: &'static str,
    namespace: &'static str,
    accepts: &'static [&'static str],
}

/// The region is the name of the cluster.
const TENANTS: [Tenant; 3] = [
    Tenant { name: "dev", region: "us", environment: "dev", namespace: "integrations-dev", accepts: &[] },
    Tenant { name: "us-prod", region: "us", environment: "prod", namespace: "integrations", accepts: &["dev"] },
    Tenant { name: "eu-prod", region: "eu", environment: "prod", namespace: "integrations", accepts: &["us-prod"] },
];

impl Tenant {
    /// Its Tenant: as in its own namespace, or, with `elsewhere`, as told by others.
    fn document(&self, elsewhere: bool) -> Value {
        let mut spec = json!({"region": self.region, "environment": self.environment, "acceptFrom": self.accepts});
        if elsewhere {
            let place = json!({"namespace": self.namespace, "kubeconfig": {"context": self.region}});
            spec["place"] = json!({"kubernetes": place});
        }
        json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": self.name}, "spec": spec})
    }

    /// Puts what the example has of it into its namespace of `cluster`.
    ///
    /// kubectl takes what is YAML; exported definitions and locks are passed over.
    fn put_into(&self, cluster: &Cluster) -> Result<(), Error> {
        let namespace = ["--namespace", self.namespace];
        run(cluster.kubectl().args(["create", "namespace", self.namespace]))?;
        run_with_input(
            cluster.kubectl().args(namespace).args(["apply", "-f", "-"]),
            &self.document(false).to_string(),
        )?;
        let folder = format!("{EXAMPLE}/{}", self.name);
        run(cluster.kubectl().args(namespace).args(["apply", "--recursive", "-f", &folder]))?;
        Ok(())
    }
}

/// Runs until SIGINT (Ctrl-C), SIGTERM or SIGHUP; then nothing is left.
pub fn run_until_stopped() -> Result<(), Error> {
    let (us, eu) = std::thread::scope(|scope| {
        let eu = scope.spawn(|| start("eu"));
        (start("us"), eu.join())
    });
    let (us, eu) = (us?, eu.unwrap_or(Err(Error::Stopped))?);
    let root = write_root(&us)?;

    // Until here a signal ends us at once; the supervisors see to the rest.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::io("signals"))?;
    say(&text(&us, &eu, &root))?;
    signals.forever().next();
    Ok(())
}

fn start(name: &str) -> Result<Cluster, Error> {
    let cluster = Cluster::start(&Options::named(name).with_controllers())?;
    cluster.install_crds()?;
    TENANTS.iter().filter(|tenant| tenant.region == name).try_for_each(|tenant| tenant.put_into(&cluster))?;
    Ok(cluster)
}

/// A folder to give to stablekey: the tenants by their places in the clusters, and the example's syncs.
fn write_root(cluster: &Cluster) -> Result<PathBuf, Error> {
    let root = cluster.folder().join("us-eu");
    std::fs::create_dir(&root).map_err(Error::io(root.display().to_string()))?;
    let tenants: Vec<String> = TENANTS.iter().map(|tenant| format!("{:#}\n", tenant.document(true))).collect();
    write(&root.join("tenants.yaml"), &tenants.join("---\n"))?;
    let syncs = format!("{EXAMPLE}/syncs.yaml");
    std::fs::copy(&syncs, root.join("syncs.yaml")).map_err(Error::io(syncs))?;
    Ok(root)
}

fn text(us: &Cluster, eu: &Cluster, root: &std::path::Path) -> String {
    let (binaries, root) = (us.binaries().display(), root.display());
    let (us, eu) = (us.kubeconfig().display(), eu.kubeconfig().display());
    format!(
        "\
Two clusters run until Ctrl-C: us, with us-prod in namespace integrations and dev in
integrations-dev, and eu, with eu-prod in integrations. In another terminal, one of them:

  export KUBECONFIG={us}
  export KUBECONFIG={eu}

or both, as contexts, and kubectl of their version:

  export KUBECONFIG={us}:{eu}
  export PATH={binaries}:$PATH

To try:

  kubectl get connections --all-namespaces
  kubectl --context eu --namespace integrations get stablekey
  kubectl explain connection.spec.inputs
  kubectl --context eu --namespace integrations edit connection warehouse
  stablekey plan {root} --sync us-to-eu
"
    )
}

fn say(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::io("standard output"))
}
