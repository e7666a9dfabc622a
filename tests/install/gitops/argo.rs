//! examples/argocd: two environments in one cluster, applied with the flags of Argo CD, its tracking annotation, its
//! health check, and pruned as it prunes.

use super::repository::Repository;
use super::{Place, add_a_step, binder, documents_in};
use crate::tools::{error_of, helm, kubectl, of_each, output_of, repository, tool};
use serde_json::{Value, json};
use stablekey_clusters::{Cluster, Options, run, run_with_input};
use stablekey_testing::manifests::documents;
use stablekey_testing::replica::until;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const TRACKING: &str = "argocd.argoproj.io/tracking-id";

/// Argo CD in a cluster: the objects of the example's folder argocd/, by kind and name.
struct ArgoCd<'a> {
    cluster: &'a Cluster,
    repository: &'a Repository,
    objects: BTreeMap<String, Value>,
}

impl<'a> ArgoCd<'a> {
    fn of(repository: &'a Repository, cluster: &'a Cluster) -> Self {
        let checkout = repository.fetch("https://git.example/tenants", "main");
        let objects = all_documents(&checkout.path().join("argocd")).into_iter();
        let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_string();
        let objects = objects.map(|object| (format!("{}/{}", object["kind"].as_str().unwrap(), name(&object)), object));
        ArgoCd { cluster, repository, objects: objects.collect() }
    }

    fn application(&self, name: &str) -> Value {
        let one = self.objects.get(&format!("Application/{name}")).cloned();
        one.or_else(|| self.generated().remove(name)).unwrap_or_else(|| panic!("no Application {name}"))
    }

    /// Returns the Applications that the ApplicationSet makes of the folders that Git has now.
    fn generated(&self) -> BTreeMap<String, Value> {
        let spec = &self.objects["ApplicationSet/tenants"]["spec"];
        let git = &spec["generators"][0]["git"];
        let checkout = self.repository.fetch(git["repoURL"].as_str().unwrap(), git["revision"].as_str().unwrap());
        let folder = git["directories"][0]["path"].as_str().unwrap().strip_suffix("/*").unwrap();
        let entries = std::fs::read_dir(checkout.path().join(folder)).unwrap().map(|entry| entry.unwrap());
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        let application = |name: String| {
            let text = spec["template"].to_string();
            let text = text.replace("{{.path.basename}}", &name).replace("{{.path.path}}", &format!("{folder}/{name}"));
            assert!(!text.contains("{{"), "{text}");
            (name, serde_json::from_str(&text).unwrap())
        };
        names.map(application).collect()
    }

    /// Builds the objects of an Application, as its project allows them, with the tracking annotation.
    fn built(&self, application: &Value) -> Vec<Value> {
        let (spec, name) = (&application["spec"], application["metadata"]["name"].as_str().unwrap());
        let [url, revision, path] =
            ["repoURL", "targetRevision", "path"].map(|field| spec["source"][field].as_str().unwrap());
        let namespace = spec["destination"]["namespace"].as_str().unwrap();
        let checkout = self.repository.fetch(url, revision);
        let folder = checkout.path().join(path);
        let mut objects = if folder.join("Chart.yaml").is_file() {
            let home = tempfile::tempdir().unwrap();
            let values = home.path().join("values.json");
            std::fs::write(&values, spec["source"]["helm"]["valuesObject"].to_string()).unwrap();
            let mut template = helm(home.path());
            template.args(["template", name, "--namespace", namespace, "--values"]).arg(values).arg(folder);
            documents(&output_of(&mut template))
        } else if folder.join("kustomization.yaml").is_file() {
            documents(&output_of(kubectl().arg("kustomize").arg(folder)))
        } else {
            all_documents(&folder)
        };
        for object in &mut objects {
            let (group, kind) = group_and_kind(object);
            if is_namespaced(&kind) && object["metadata"]["namespace"].is_null() {
                object["metadata"]["namespace"] = json!(namespace);
            }
            self.project_allows(spec["project"].as_str().unwrap(), object);
            let id = format!(
                "{name}:{group}/{kind}:{}/{}",
                object["metadata"]["namespace"].as_str().unwrap_or_default(),
                object["metadata"]["name"].as_str().unwrap()
            );
            object["metadata"]["annotations"][TRACKING] = json!(id);
        }
        objects
    }

    /// Fails if the project does not let its Applications write this object.
    #[track_caller]
    fn project_allows(&self, project: &str, object: &Value) {
        let Some(project) = self.objects.get(&format!("AppProject/{project}")) else { return };
        let (group, kind) = group_and_kind(object);
        let spec = &project["spec"];
        let allowed = spec["namespaceResourceWhitelist"].as_array().unwrap();
        let is_allowed = allowed.iter().any(|of| of["group"] == group.as_str() && of["kind"] == kind.as_str());
        let namespace = &object["metadata"]["namespace"];
        let places = spec["destinations"].as_array().unwrap();
        let is_there = places.iter().any(|place| place["namespace"] == *namespace);
        assert!(is_allowed && is_there, "the project does not allow {kind} in {namespace}");
    }

    /// Syncs an Application: applies what it has, then prunes what it had.
    fn sync(&self, name: &str) -> Result<(), String> {
        let application = self.application(name);
        let spec = &application["spec"];
        let namespace = spec["destination"]["namespace"].as_str().unwrap();
        let options: BTreeSet<&str> = spec["syncPolicy"]["syncOptions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|option| option.as_str().unwrap())
            .collect();
        assert!(options.contains("ServerSideApply=true"), "{name}");
        if options.contains("CreateNamespace=true") {
            let text = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}).to_string();
            self.apply(&text)?;
        }
        let objects = self.built(&application);
        // As Argo CD orders them: what others need comes first.
        let first = ["Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "Role", "ConfigMap"];
        let (now, later): (Vec<_>, Vec<_>) =
            objects.iter().partition(|object| first.contains(&object["kind"].as_str().unwrap()));
        for part in [now, later].into_iter().filter(|part| !part.is_empty()) {
            self.apply(&json!({"apiVersion": "v1", "kind": "List", "items": part}).to_string())?;
        }
        if spec["syncPolicy"]["automated"]["prune"] == true {
            assert!(options.contains("PruneLast=true"), "{name}");
            self.prune(name, namespace, &objects);
        }
        Ok(())
    }

    fn apply(&self, text: &str) -> Result<String, String> {
        let mut apply = self.cluster.kubectl();
        apply.args(["apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller"]);
        run_with_input(apply.args(["--filename", "-"]), text).map_err(|error| error.to_string())
    }

    /// Deletes the objects that the annotation says are the Application's, and that it does not have any more.
    fn prune(&self, name: &str, namespace: &str, objects: &[Value]) {
        let id = |object: &Value| object["metadata"]["annotations"][TRACKING].as_str().map(str::to_string);
        let has: BTreeSet<String> = objects.iter().filter_map(id).collect();
        for live in self.live(namespace) {
            let Some(id) = id(&live).filter(|id| id.starts_with(&format!("{name}:")) && !has.contains(id)) else {
                continue;
            };
            // A copy carries the annotation of its original.
            let (group, kind) = group_and_kind(&live);
            let of = live["metadata"]["name"].as_str().unwrap();
            assert_eq!(id, format!("{name}:{group}/{kind}:{namespace}/{of}"));
            run(self.cluster.kubectl().args(["delete", &kind, of, "--namespace", namespace])).unwrap();
        }
    }

    fn live(&self, namespace: &str) -> Vec<Value> {
        let words = ["get", "stablekey,configmaps", "--output=json", "--namespace", namespace];
        let list: Value = serde_json::from_str(&run(self.cluster.kubectl().args(words)).unwrap()).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// Returns the health of each custom resource of a namespace that is not healthy, by the script of the example.
    fn unhealthy(&self, namespace: &str) -> Vec<String> {
        let objects = self.live(namespace).into_iter().filter(|object| object["kind"] != "ConfigMap");
        // The program reads one object per line.
        let objects: Vec<Value> =
            objects.map(|object| serde_json::from_str(&object.to_string().replace("\\n", " ")).unwrap()).collect();
        let said = of_each(tool("health").arg(repository("manifests/argocd/health.lua")), &objects);
        let named = objects.iter().zip(said).map(|(object, said)| (object["metadata"]["name"].as_str().unwrap(), said));
        named.filter(|(_, said)| !said.starts_with("Healthy: ")).map(|(name, said)| format!("{name} {said}")).collect()
    }

    #[track_caller]
    fn until_synced(&self, name: &str) {
        self.until_all_synced(&[name]);
    }

    /// Syncs Applications until each succeeds: one may need what another brings.
    #[track_caller]
    fn until_all_synced(&self, names: &[&str]) {
        let mut left = names.to_vec();
        until(format!("{names:?} are synced"), || {
            left.retain(|name| self.sync(name).inspect_err(|error| eprintln!("{name}: {error}")).is_err());
            left.is_empty()
        });
    }

    #[track_caller]
    fn until_healthy(&self, namespace: &str) {
        let mut last = Vec::new();
        until(format!("{namespace} is healthy"), || {
            let now = self.unhealthy(namespace);
            if now != last {
                eprintln!("{namespace}: {now:?}");
                last = now;
            }
            last.is_empty()
        });
    }
}

/// Returns the documents of all files of a folder.
fn all_documents(folder: &Path) -> Vec<Value> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| documents_in(file)).collect()
}

fn group_and_kind(object: &Value) -> (String, String) {
    let version = object["apiVersion"].as_str().unwrap();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    (group.to_string(), object["kind"].as_str().unwrap().to_string())
}

fn is_namespaced(kind: &str) -> bool {
    kind != "Namespace" && stablekey_testing::manifests::is_namespaced(&json!({"kind": kind}))
}

#[test]
fn a_commit_reaches_both_environments() {
    let repository = Repository::of("argocd");
    let cluster = Cluster::start(&Options::named("argocd")).unwrap();
    let argo = ArgoCd::of(&repository, &cluster);
    argo.until_all_synced(&["stablekey", "namespaces"]);
    assert_eq!(argo.generated().keys().collect::<Vec<_>>(), ["prod", "staging"]);
    let [prod, staging] = ["prod", "staging"].map(|namespace| Place { cluster: &cluster, namespace });
    prod.supply_secrets("login.example", "warehouse.example");
    staging.supply_secrets("test.login.example", "warehouse.staging.example");
    let _binder = binder(Place { cluster: &cluster, namespace: "stablekey" });
    for place in [prod, staging] {
        argo.until_synced(place.namespace);
        argo.until_healthy(place.namespace);
        assert_eq!(place.field("integration/lead-router", ".status.bound"), "2/2");
        assert_eq!(place.users("warehouse"), "order-export");
    }
    let host = |place: Place<'_>| place.field("connection/warehouse", ".spec.inputs.host.value");
    assert_eq!([host(prod), host(staging)], ["warehouse.example", "warehouse.staging.example"]);
    let before = prod.definition("lead-router");
    assert_eq!(staging.definition("lead-router"), before, "one definition has one name");
    let at = prod.revisions();
    argo.until_synced("prod");
    assert_eq!(prod.revisions(), at, "a second time there is nothing to do");

    // A person adds a step to the base, checks the overlays, and merges.
    add_a_step(&repository, "base", "base");
    repository.check();
    repository.commit("Keep each lead");
    for place in [prod, staging] {
        argo.until_synced(place.namespace);
        argo.until_healthy(place.namespace);
        assert_ne!(place.definition("lead-router"), before);
        assert!(!place.has(&format!("configmap/{before}")), "it is pruned");
        assert_eq!(place.field("integration/lead-router", ".status.bound"), "3/3");
        place.until_field("connection/warehouse", ".status.usedByCount", "2");
        assert_eq!(place.users("warehouse"), "lead-router order-export");
    }

    an_overlay_has_its_own_definition(&argo, staging, prod);
    a_changed_name_is_refused(&argo, prod);
    only_its_own_objects_are_pruned(&argo, prod);
}

/// An overlay may replace a definition, as the README says.
fn an_overlay_has_its_own_definition(argo: &ArgoCd<'_>, staging: Place<'_>, prod: Place<'_>) {
    let project = &argo.repository.project;
    let text =
        project.read("base/integrations/lead-router.definition").replace("to the account team", "to the testers");
    project.write("overlays/staging/lead-router.definition", &text);
    let overlay = project.read("overlays/staging/kustomization.yaml");
    let readme = project.read("README.md");
    let (_, rest) = readme.split_once("```yaml\nconfigMapGenerator:").unwrap();
    let generator = format!("configMapGenerator:{}", rest.split("```").next().unwrap());
    project.write("overlays/staging/kustomization.yaml", &format!("{overlay}{generator}"));
    argo.repository.check();
    argo.repository.commit("Tell the testers");
    let before = prod.definition("lead-router");
    for place in [prod, staging] {
        argo.until_synced(place.namespace);
        argo.until_healthy(place.namespace);
    }
    assert_eq!(prod.definition("lead-router"), before);
    let own = staging.definition("lead-router");
    assert_ne!(own, before);
    assert!(staging.field(&format!("configmap/{own}"), ".data.definition").contains("to the testers"));
}

/// A connection's name is its stable key: `check` and the API server refuse another one, and nothing is pruned.
fn a_changed_name_is_refused(argo: &ArgoCd<'_>, place: Place<'_>) {
    let project = &argo.repository.project;
    let overlay = project.read("overlays/prod/kustomization.yaml");
    project.write("overlays/prod/kustomization.yaml", &format!("{overlay}namePrefix: prod-\n"));
    let said = error_of(&mut argo.repository.check_command());
    assert!(said.contains("the name must be the stable key"), "{said}");
    argo.repository.commit("Prefix");
    let said = argo.sync("prod").unwrap_err();
    assert!(said.contains("the name must be the stable key"), "{said}");
    assert!(place.has("connection/warehouse") && place.has("integration/lead-router"));
    argo.repository.revert("Prefix");
    argo.until_synced("prod");
}

/// What a sync copied carries no annotation of Argo CD, and what has another Application's is not pruned.
fn only_its_own_objects_are_pruned(argo: &ArgoCd<'_>, place: Place<'_>) {
    let text =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "somebody-elses", "namespace": "prod"}});
    run_with_input(&mut place.kubectl("create --filename -"), &text.to_string()).unwrap();
    let project = &argo.repository.project;
    let gone = ["base/integrations/order-export.yaml", "base/integrations/order-export.definition"];
    gone.iter().for_each(|file| std::fs::remove_file(project.path(file)).unwrap());
    // The kustomization is kept by the command line.
    project.run(&["apply", "--yes"]).exits(0);
    argo.repository.check();
    argo.repository.commit("Remove the export");
    argo.until_synced("prod");
    assert!(!place.has("integration/order-export") && place.has("configmap/somebody-elses"));
    place.until_field("connection/warehouse", ".status.usedByCount", "1");
    argo.until_healthy("prod");
}

/// argocd-cm has the health check of manifests/.
#[test]
fn the_health_check_of_the_example_is_current() {
    let map = documents_in(&repository("examples/argocd/argocd/argocd-cm.yaml")).remove(0);
    let text = map["data"]["resource.customizations"].as_str().unwrap();
    let customizations: Value = serde_saphyr::from_str(text).unwrap();
    let script = std::fs::read_to_string(repository("manifests/argocd/health.lua")).unwrap();
    assert_eq!(customizations["stablekey.dev/*"]["health.lua"], script.as_str());
}
