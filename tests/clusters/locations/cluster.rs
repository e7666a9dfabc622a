//! Namespaces of a real cluster: the contract, and what only a cluster has.

use crate::locations::contract::Harness;
use crate::locations::directory::Folder;
use crate::locations::fixtures::TENANT;
use crate::locations::transitions::{By, is_released, run_all_transitions};
use kube::config::Kubeconfig;
use serde_json::Value;
use stablekey::apply::consent::Approvals;
use stablekey::engine::model::item::Item;
use stablekey::kubernetes::connect::Servers;
use stablekey::tenant::cluster::ClusterLocation;
use stablekey::tenant::location::Location;
use stablekey_clusters::{Namespace, run, run_with_input, shared};

struct Cluster {
    location: ClusterLocation,
    namespace: Namespace<'static>,
    folder: Folder,
}

impl Cluster {
    fn new() -> Self {
        let us = shared("us");
        let namespace = us.namespace("contract");
        let kubeconfig = Kubeconfig::read_from(us.kubeconfig()).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(Servers::default().connect_by(kubeconfig, "us")).unwrap();
        Cluster { location: ClusterLocation::new(TENANT, server, namespace.name()), namespace, folder: Folder::new() }
    }
}

impl Harness for Cluster {
    fn location(&self) -> &dyn Location {
        &self.location
    }

    fn approvals(&self) -> Box<dyn Approvals + '_> {
        // Approvals belong to no location, but to the person who gave them.
        self.folder.approvals()
    }

    fn by_another_writer(&self, item: &Item) {
        let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=another-writer", "-f", "-"];
        let json = item.to_resource().to_json().unwrap().to_string();
        run_with_input(self.namespace.kubectl().args(apply), &json).unwrap();
    }

    fn edits(&self, item: &Item) {
        let id = item.id();
        let get = run(self.namespace.kubectl().args(["get", id.kind.plural(), &id.name, "-o", "json"])).unwrap();
        let mut object: Value = serde_json::from_str(&get).unwrap();
        let edited = item.to_resource().to_json().unwrap();
        object["spec"] = edited["spec"].clone();
        object["metadata"]["labels"] = edited["metadata"]["labels"].clone();
        run_with_input(self.namespace.kubectl().args(["replace", "-f", "-"]), &object.to_string()).unwrap();
    }
}

/// The same sources lead to the same objects, step by step. One difference: in a cluster a field that a person wrote
/// first and owns is kept when it is no longer desired; a folder knows no owners.
#[test]
fn a_cluster_has_the_same_transitions_as_a_folder() {
    for by in [By::Sync, By::Source] {
        let (there, here) = (run_all_transitions(&Cluster::new(), by), run_all_transitions(&Folder::new(), by));
        for (step, (there, here)) in there.iter().zip(&here).enumerate() {
            let differ = there.iter().filter(|(id, is)| here.get(*id) != Some(is) && !is_released(id, step));
            assert_eq!(differ.collect::<Vec<_>>(), vec![], "step {step}");
        }
    }
}

crate::contract!(Cluster::new());
