//! examples/flux: two clusters, from empty ones on, by the libraries of Flux's kustomize-controller.

use super::repository::Repository;
use super::{Place, add_a_step, binder, documents_in};
use crate::tools::{output_of, repository, tool};
use serde_json::Value;
use stablekey_clusters::{Cluster, Options, run, run_with_input};
use stablekey_testing::replica::until;
use std::collections::BTreeMap;
use tempfile::TempDir;

/// Flux in one cluster: what it is told by `clusters/<name>`, and what it applied.
struct Flux<'a> {
    cluster: &'a Cluster,
    repository: &'a Repository,
    /// The sources and Kustomizations, by name.
    sources: BTreeMap<String, Value>,
    kustomizations: BTreeMap<String, Value>,
    inventories: TempDir,
}

impl<'a> Flux<'a> {
    /// Reads what `flux bootstrap --path clusters/<name>` would apply.
    fn of(repository: &'a Repository, cluster: &'a Cluster) -> Self {
        let checkout = repository.fetch("https://git.example/tenants", "main");
        let folder = checkout.path().join("clusters").join(cluster.name());
        let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        // With the types of Flux's own API: a field that does not exist is an error.
        output_of(tool("flux").args(&files));
        let (mut sources, mut kustomizations) = (BTreeMap::new(), BTreeMap::new());
        for object in files.iter().flat_map(|file| documents_in(file)) {
            let name = object["metadata"]["name"].as_str().unwrap().to_string();
            let all = if object["kind"] == "Kustomization" { &mut kustomizations } else { &mut sources };
            assert!(all.insert(name.clone(), object).is_none(), "{name} twice");
        }
        Flux { cluster, repository, sources, kustomizations, inventories: tempfile::tempdir().unwrap() }
    }

    /// Returns the Kustomizations in an order in which each comes after those that it depends on.
    fn in_order(&self) -> Vec<&str> {
        let mut order: Vec<&str> = Vec::new();
        while order.len() < self.kustomizations.len() {
            let is_next = |name: &str, of: &Value| {
                let needs = of["spec"]["dependsOn"].as_array().into_iter().flatten();
                let mut needs = needs.map(|needed| needed["name"].as_str().unwrap());
                !order.contains(&name) && needs.all(|needed| order.contains(&needed))
            };
            let next = self.kustomizations.iter().find(|(name, of)| is_next(name, of)).map(|(name, _)| name.as_str());
            order.push(next.expect("each dependency is there, and none is a cycle"));
        }
        order
    }

    /// Reconciles a Kustomization at what Git has now; returns a line an object that changed.
    fn reconcile(&self, name: &str) -> Result<String, String> {
        let kustomization = &self.kustomizations[name];
        let source = &self.sources[kustomization["spec"]["sourceRef"]["name"].as_str().unwrap()]["spec"];
        let reference = source["ref"]["tag"].as_str().or(source["ref"]["branch"].as_str()).unwrap();
        let checkout = self.repository.fetch(source["url"].as_str().unwrap(), reference);
        let mut flux = tool("flux");
        flux.arg("-kubeconfig").arg(self.cluster.kubeconfig()).arg("-checkout").arg(checkout.path());
        flux.arg("-inventory").arg(self.inventories.path().join(name));
        run_with_input(&mut flux, &kustomization.to_string()).map_err(|error| error.to_string())
    }

    /// Reconciles until it is ready, as Flux retries.
    #[track_caller]
    fn until_ready(&self, name: &str) -> String {
        let mut said = Ok(String::new());
        until(format!("Kustomization {name} is ready"), || {
            said = self.reconcile(name);
            if let Err(error) = &said {
                eprintln!("{name}: {error}");
            }
            said.is_ok()
        });
        said.unwrap()
    }

    /// Does what the example does in an empty cluster, and starts the binder.
    fn install(&self, tenant: &'static str) -> Place<'a> {
        run(self.cluster.kubectl().args(["create", "namespace", "flux-system"])).unwrap();
        let order = self.in_order();
        assert_eq!(order.last(), Some(&tenant), "{order:?}");
        for name in &order[..order.len() - 1] {
            self.until_ready(name);
        }
        Place { cluster: self.cluster, namespace: tenant }
    }
}

/// Returns the lines about what was applied or pruned that contain these words.
fn lines<'t>(said: &'t str, words: &str) -> Vec<&'t str> {
    said.lines().filter(|line| line.contains(words)).collect()
}

#[test]
fn a_commit_reaches_both_tenants() {
    let repository = Repository::of("flux");
    let clusters = std::thread::scope(|scope| {
        let start =
            |name: &'static str| scope.spawn(move || Cluster::start(&Options::named(name).with_controllers()).unwrap());
        [start("us"), start("eu")].map(|started| started.join().unwrap())
    });
    let [us_flux, eu_flux] = [0, 1].map(|at| Flux::of(&repository, &clusters[at]));
    let (us, eu) = (us_flux.install("us-prod"), eu_flux.install("eu-prod"));
    us.supply_secrets("login.example", "warehouse.us.example");
    eu.supply_secrets("login.example", "warehouse.eu.example");
    let _binders = [binder(us), binder(eu)];

    // It waits until all are Ready, by the expressions of the example.
    us_flux.until_ready("us-prod");
    eu_flux.until_ready("eu-prod");
    let before = [us.definition("lead-router"), eu.definition("lead-router")];
    assert_eq!(us.field("integration/lead-router", ".status.bound"), "2/2");
    assert_eq!(us.users("warehouse"), "order-export");
    assert_eq!(eu.field("connection/warehouse", ".spec.inputs.host.value"), "warehouse.eu.example");
    let at = us.revisions();
    assert_eq!(us_flux.until_ready("us-prod"), "", "a second time there is nothing to do");
    assert_eq!(us.revisions(), at);

    // A person adds a step, brings Europe along, and merges.
    add_a_step(&repository, "us-prod", "us-prod");
    repository.project.run(&["apply", "--yes"]).exits(0);
    repository.commit("Keep each lead");
    for (flux, place, before) in [(&us_flux, us, &before[0]), (&eu_flux, eu, &before[1])] {
        let said = flux.until_ready(place.namespace);
        let name = format!("{}/lead-router", place.namespace);
        let after = place.definition("lead-router");
        assert_ne!(after, *before);
        assert_eq!(lines(&said, "created"), [format!("ConfigMap/{}/{after} created", place.namespace)], "{said}");
        assert_eq!(lines(&said, "configured"), [format!("Integration/{name} configured")], "{said}");
        assert_eq!(lines(&said, "deleted"), [format!("ConfigMap/{}/{before} deleted", place.namespace)], "{said}");
        assert!(!place.has(&format!("configmap/{before}")));
        assert_eq!(place.field("integration/lead-router", ".status.bound"), "3/3");
        place.until_field("connection/warehouse", ".status.usedByCount", "2");
        assert_eq!(place.users("warehouse"), "lead-router order-export");
    }

    what_people_wrote(&us_flux, us);
    what_the_account_may_not(&us_flux, us);
    a_stalled_connection(&us_flux, us);

    // A revert is a commit like any other.
    repository.revert("Keep each lead");
    us_flux.until_ready("us-prod");
    assert_eq!(us.definition("lead-router"), before[0]);
    us.until_field("connection/warehouse", ".status.usedByCount", "1");
}

/// Flux removes what kubectl wrote and Git lacks, annotations too, and leaves what other managers wrote, such as that of
/// `stablekey approve`.
fn what_people_wrote(flux: &Flux<'_>, place: Place<'_>) {
    let annotate = "annotate connection/warehouse --overwrite";
    run(&mut place.kubectl(&format!("{annotate} example.com/by=kubectl"))).unwrap();
    run(&mut place.kubectl(&format!("{annotate} --field-manager=stablekey-syncer example.com/kept=ours"))).unwrap();
    let said = flux.until_ready(place.namespace);
    assert_eq!(lines(&said, "Connection/"), [format!("Connection/{}/warehouse configured", place.namespace)], "{said}");
    let annotation =
        |name: &str| place.field("connection/warehouse", &format!(r".metadata.annotations.example\.com/{name}"));
    assert_eq!((annotation("by").as_str(), annotation("kept").as_str()), ("", "ours"));
}

/// The account that applies a tenant's folder writes no Tenant, and no sync of mode Apply.
fn what_the_account_may_not(flux: &Flux<'_>, place: Place<'_>) {
    let project = &flux.repository.project;
    let kept = project.read("us-prod/kustomization.yaml");
    let tenant = "metadata: {name: us-prod}\nspec: {acceptFrom: [us-prod]}\n";
    let sync = "metadata: {name: us-to-eu}\nspec: {from: us-prod, to: [eu-prod], integrations: ['*'], mode: Apply}\n";
    for (kind, document, refused) in
        [("Tenant", tenant, "cannot patch resource"), ("TenantSync", sync, "takes the verb approve")]
    {
        // A hidden file is no manifest for the command line, which would refuse it here.
        let text = format!("apiVersion: stablekey.dev/v1alpha1\nkind: {kind}\n{document}");
        project.write("us-prod/.more.yaml", &text);
        project.write("us-prod/kustomization.yaml", &kept.replacen("resources:\n", "resources:\n  - .more.yaml\n", 1));
        flux.repository.commit("Try more");
        let said = flux.reconcile(place.namespace).unwrap_err();
        assert!(said.contains(refused) && !said.contains("deleted"), "{kind}: {said}");
        flux.repository.revert("Try more");
        assert!(!project.has("us-prod/.more.yaml"));
    }
    flux.until_ready(place.namespace);
}

/// A connection that cannot become ready without another commit fails the Kustomization at once, and is named.
fn a_stalled_connection(flux: &Flux<'_>, place: Place<'_>) {
    let project = &flux.repository.project;
    let connection = "us-prod/connections/warehouse.yaml";
    project.write(connection, &project.read(connection).replace("    database: {value: orders}\n", ""));
    flux.repository.commit("Forget the database");
    let said = flux.reconcile(place.namespace).unwrap_err();
    assert!(said.contains("failed early due to stalled resources"), "{said}");
    assert!(said.contains("Connection/us-prod/warehouse status: 'Failed'"), "{said}");
    flux.repository.revert("Forget the database");
    flux.until_ready(place.namespace);
}

#[test]
fn the_example_is_installed_at_this_version() {
    for cluster in ["us", "eu"] {
        let text =
            std::fs::read_to_string(repository(&format!("examples/flux/clusters/{cluster}/sources.yaml"))).unwrap();
        assert!(text.contains(concat!("tag: v", env!("CARGO_PKG_VERSION"))), "{text}");
    }
}
