//! `make clusters`: two clusters with examples/us-eu in them, for a person to try things on: delivered from a folder,
//! definitions included, synced once, and then changed in the source.

use crate::authority::write;
use crate::{Cluster, Error, Options, run, run_with_input};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/us-eu");

/// A tenant of the example, and its location.
struct Tenant {
    name: &'static str,
    region: &'static str,
    environment: &'static str,
    namespace: &'static str,
    accepts: &'static [&'static str],
}

/// The tenant whose namespace also has the syncs.
const HUB: &str = "us-prod";

/// The region is the name of the cluster.
const TENANTS: [Tenant; 3] = [
    Tenant { name: "dev", region: "us", environment: "dev", namespace: "integrations-dev", accepts: &[] },
    Tenant { name: "us-prod", region: "us", environment: "prod", namespace: "integrations", accepts: &["dev"] },
    Tenant { name: "eu-prod", region: "eu", environment: "prod", namespace: "integrations", accepts: &["us-prod"] },
];

impl Tenant {
    /// Returns its Tenant: without a location for its own namespace, or with a kubeconfig for others.
    fn document(&self, kubeconfig: Option<Value>) -> Value {
        let mut spec = json!({"region": self.region, "environment": self.environment, "acceptFrom": self.accepts});
        if let Some(kubeconfig) = kubeconfig {
            spec["location"] = json!({"kubernetes": {"namespace": self.namespace, "kubeconfig": kubeconfig}});
        }
        json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": self.name}, "spec": spec})
    }

    /// Creates its namespace in `cluster`, with its objects of the example.
    fn create_in(&self, cluster: &Cluster) -> Result<(), Error> {
        run(cluster.kubectl().args(["create", "namespace", self.namespace]))?;
        self.apply(cluster, &self.document(None).to_string())?;
        self.deliver(cluster, Path::new(EXAMPLE))
    }

    /// Applies its objects from a folder to its namespace, definitions included.
    fn deliver(&self, cluster: &Cluster, from: &Path) -> Result<(), Error> {
        let rendered = run(stablekey()?.args(["render", self.name, "--root"]).arg(from))?;
        self.apply(cluster, &rendered)
    }

    fn apply(&self, cluster: &Cluster, manifests: &str) -> Result<(), Error> {
        let arguments = ["--namespace", self.namespace, "apply", "--server-side", "-f", "-"];
        run_with_input(cluster.kubectl().args(arguments), manifests).map(drop)
    }
}

/// Returns the command line, which is built beside this program.
fn stablekey() -> Result<Command, Error> {
    let here = std::env::current_exe().map_err(Error::io("this program"))?;
    let path = here.with_file_name("stablekey");
    if path.exists() {
        return Ok(Command::new(path));
    }
    Err(Error::io(format!("{} (`cargo build` makes it)", path.display()))(ErrorKind::NotFound.into()))
}

/// Runs until SIGINT (Ctrl-C), SIGTERM or SIGHUP; then nothing is left.
pub fn run_until_stopped() -> Result<(), Error> {
    let (us, eu) = std::thread::scope(|scope| {
        let eu = scope.spawn(|| start("eu"));
        (start("us"), eu.join())
    });
    let (us, eu) = (us?, eu.unwrap_or(Err(Error::Stopped))?);
    let root = write_root(&us)?;
    sync_once(&us, &eu, &root)?;
    let files = change_source(&us)?;
    make_hub(&us, &eu)?;

    // Before this a signal ends the process at once; the supervisors clean up.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::io("signals"))?;
    say(&text(&us, &eu, &root, &files))?;
    signals.forever().next();
    Ok(())
}

fn start(name: &str) -> Result<Cluster, Error> {
    let cluster = Cluster::start(&Options::named(name).with_controllers())?;
    cluster.install_crds()?;
    TENANTS.iter().filter(|tenant| tenant.region == name).try_for_each(|tenant| tenant.create_in(&cluster))?;
    Ok(cluster)
}

/// Adds the other tenants and the example's syncs to the namespace of us-prod, for the operator.
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

/// Applies us-prod to eu-prod, as far as that needs no approval, which writes the ownership records.
fn sync_once(us: &Cluster, eu: &Cluster, root: &Path) -> Result<(), Error> {
    let kubeconfigs = [us, eu].map(|cluster| cluster.kubeconfig().display().to_string()).join(":");
    let mut apply = stablekey()?;
    apply.arg("apply").arg(root).args(["--sync", "us-to-eu", "--yes"]);
    apply.env("KUBECONFIG", kubeconfigs).env("XDG_STATE_HOME", us.folder());
    let output = apply.output().map_err(Error::io("stablekey"))?;
    // 2 and 3: there is more to do, which waits for an approval or a person.
    if matches!(output.status.code(), Some(0 | 2 | 3)) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::io(format!("stablekey apply: {said}"))(ErrorKind::Other.into()))
}

/// Changes us-prod like a commit: its lead router becomes that of dev. Returns the folder, which stands for the Git
/// repository of the clusters.
fn change_source(us: &Cluster) -> Result<PathBuf, Error> {
    let files = us.folder().join("git");
    copy(Path::new(EXAMPLE), &files)?;
    let definition = |tenant: &str| files.join(tenant).join("integrations/lead-router.definition");
    std::fs::copy(definition("dev"), definition(HUB)).map_err(Error::io("lead-router.definition"))?;
    TENANTS.iter().filter(|tenant| tenant.name == HUB).try_for_each(|tenant| tenant.deliver(us, &files))?;
    Ok(files)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = || Error::io(from.display().to_string());
    std::fs::create_dir(to).map_err(failed())?;
    for entry in std::fs::read_dir(from).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to).map_err(failed())?;
        }
    }
    Ok(())
}

/// Writes a folder for stablekey: the tenants by their locations in the clusters, and the example's syncs.
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

fn text(us: &Cluster, eu: &Cluster, root: &Path, files: &Path) -> String {
    let (binaries, root, files) = (us.binaries().display(), root.display(), files.display());
    let (us, eu) = (us.kubeconfig().display(), eu.kubeconfig().display());
    format!(
        "\
Two clusters run until Ctrl-C: us, with us-prod in namespace integrations and dev in
integrations-dev, and eu, with eu-prod in integrations. us-prod was synced to eu-prod once; since
then its lead router got another step. In another terminal, one of them:

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

A definition in Git is a file. Change one, and bring it to the cluster:

  edit {files}/us-prod/integrations/order-export.definition
  stablekey render us-prod --root {files} |
    kubectl --context us --namespace integrations apply --server-side -f -

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
