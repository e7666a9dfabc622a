//! Peak memory of the command with ten thousand resources in each of two clusters.

use super::load::Load;
use super::test_cluster::tenant_in;
use super::{ACTIONS, NOTHING};
use crate::files::STABLEKEY;
use crate::report::Figure;
use crate::{Outcome, generate, measure};
use stablekey::api::{Kind, Object, Resource, TenantSpec};
use stablekey::manifest::to_yaml;
use stablekey_clusters::{Cluster, Options};
use std::process::Command;

const RESOURCES: usize = 10_000;
const MEMORY: u64 = 200_000_000;
const IN_FLIGHT: usize = 64;

/// Measures a sync that copies everything to the second cluster, and then one with nothing to do.
pub fn figures() -> Outcome<Vec<Figure>> {
    let clusters = [start("us")?, start("eu")?];
    let namespaces = clusters.each_ref().map(|cluster| cluster.namespace("large"));
    let resources = generate::resources(RESOURCES);
    let [us, eu] = &clusters;
    let [in_us, in_eu] = namespaces.each_ref().map(|namespace| namespace.name());
    Load::on(us.kubeconfig())?.create(&resources, in_us, IN_FLIGHT)?;
    // A sync copies no components, and the target's own Tenant must accept it.
    let [from, to] = generate::TENANTS;
    let accepting = TenantSpec { accept_from: vec![from.into()], ..TenantSpec::default() };
    let mut own: Vec<Resource> = resources.into_iter().filter(|r| r.kind() == Kind::Component).collect();
    own.push(Resource::from(Object::new(to, accepting)));
    Load::on(eu.kubeconfig())?.create(&own, in_eu, IN_FLIGHT)?;

    let root = tempfile::tempdir()?;
    for (name, spec) in [(from, tenant_in(us, in_us)), (to, tenant_in(eu, in_eu))] {
        let tenant = Resource::from(Object::new(name, spec));
        std::fs::write(root.path().join(format!("{name}.yaml")), to_yaml(&tenant)?)?;
    }
    std::fs::write(root.path().join("sync.yaml"), to_yaml(&generate::sync())?)?;

    let command = |arguments: &[&str]| {
        let mut command = Command::new(STABLEKEY);
        let kubeconfigs = clusters.each_ref().map(|cluster| cluster.kubeconfig().as_os_str());
        command.env("KUBECONFIG", kubeconfigs.join(":".as_ref()));
        command.args(arguments).arg(root.path());
        command
    };
    let mut figures = Vec::new();
    for (what, arguments, exit) in [
        ("plan that makes all of the second", ["plan"].as_slice(), ACTIONS),
        ("apply of that", &["apply", "--yes"], NOTHING),
        ("plan when both are the same", &["plan"], NOTHING),
    ] {
        let memory = measure::memory_of(&command(arguments), exit)?;
        let what = format!("peak memory of the command, {RESOURCES} resources in each of 2 clusters: {what}");
        figures.push(Figure::of_memory(what, memory, MEMORY));
    }
    Ok(figures)
}

fn start(name: &str) -> Outcome<Cluster> {
    let cluster = Cluster::start(&Options::named(name))?;
    cluster.install_crds()?;
    Ok(cluster)
}
