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

/// The tenant whose namespace has the syncs too.
const HUB: &str = "us-prod";

/// The region is the name of the cluster.
const TENANTS: [Tenant; 3] = [
    Tenant { name: "dev", region: "us", environment: "dev", namespace: "integrations-dev", accepts: &[] },
    Tenant { name: "us-prod", region: "us", environment: "prod", namespace: "integrations", accepts: &["dev"] },
    Tenant { name: "eu-prod", region: "eu", environment: "prod", namespace: "integrations", accepts: &["us-prod"] },
];

impl Tenant {
    /// Its Tenant: as in its own namespace, or, with the way to its cluster, as told by others.
    fn document(&self, kubeconfig: Option<Value>) -> Value {
        let mut spec = json!({"region": self.region, "environment": self.environment, "acceptFrom": self.accepts});
        if let Some(kubeconfig) = kubeconfig {
            spec["place"] = json!({"kubernetes": {"namespace": self.namespace, "kubeconfig": kubeconfig}});
        }
        json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": self.name}, "spec": spec})
    }

    /// Puts what the example has of it into its namespace of `cluster`.
    ///
    /// kubectl takes what is YAML; exported definitions and locks are passed over.
    fn put_into(&self, cluster: &Cluster) -> Result<(), Error> {
        let namespace = ["--namespace", self.namespace];
        run(cluster.kubectl().args(["create", "namespace", self.namespace]))?;
        run_with_input(cluster.kubectl().args(namespace).args(["apply", "-f", "-"]), &self.document(None).to_string())?;
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
    make_hub(&us, &eu)?;

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

/// Tells the namespace of us-prod of the other tenants and of the example's syncs: what the operator works on.
fn make_hub(us: &Cluster, eu: &Cluster) -> Result<(), Error> {
    let mut items = Vec::new();
    for (name, cluster) in [("us-kubeconfig", us), ("eu-kubeconfig", eu)] {
        let path = cluster.kubeconfig();
        let text = std::fs::read_to_string(path).map_err(Error::io(path.display().to_string()))?;
        items.push(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"value": text}}),
        );
    }
    let others = TENANTS.iter().filter(|tenant| tenant.name != HUB);
    items.extend(others.map(|tenant| {
        let secret = json!({"name": format!("{}-kubeconfig", tenant.region), "key": "value"});
        tenant.document(Some(json!({"secretRef": secret})))
    }));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let kubectl = |arguments: &[&str]| {
        let mut kubectl = us.kubectl();
        kubectl.args(["--namespace", "integrations", "apply", "-f"]).args(arguments);
        kubectl
    };
    run_with_input(&mut kubectl(&["-"]), &list)?;
    run(&mut kubectl(&[&format!("{EXAMPLE}/syncs.yaml")]))?;
    Ok(())
}

/// A folder to give to stablekey: the tenants by their places in the clusters, and the example's syncs.
fn write_root(cluster: &Cluster) -> Result<PathBuf, Error> {
    let root = cluster.folder().join("us-eu");
    std::fs::create_dir(&root).map_err(Error::io(root.display().to_string()))?;
    let tenants: Vec<String> = TENANTS
        .iter()
        .map(|tenant| format!("{:#}\n", tenant.document(Some(json!({"context": tenant.region})))))
        .collect();
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

And the operator, with the kubeconfig of us; then look at what it says, and approve its plan:

  stablekey controller --role both --namespace integrations --log-format text
  kubectl --context us --namespace integrations get tenants,tenantsyncs
  kubectl --context us --namespace integrations describe tenantsync us-to-eu
"
    )
}

fn say(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::io("standard output"))
}
