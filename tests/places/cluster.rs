//! Namespaces of a real cluster: the contract, and what only a cluster has.

use crate::contract::Harness;
use crate::fixtures::TENANT;
use kube::config::Kubeconfig;
use stablekey::engine::item::Item;
use stablekey::tenant::Place;
use stablekey::tenant::approvals::Approvals;
use stablekey::tenant::kubernetes::connect::Servers;
use stablekey::tenant::kubernetes::{ClusterPlace, ConfigMapApprovals};
use stablekey_clusters::{Namespace, run_with_input, shared};
use std::collections::BTreeSet;

struct Cluster {
    place: ClusterPlace,
    namespace: Namespace<'static>,
}

impl Cluster {
    fn new() -> Self {
        let us = shared("us");
        let namespace = us.namespace("contract");
        let kubeconfig = Kubeconfig::read_from(us.kubeconfig()).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(Servers::default().connect_by(kubeconfig, "us")).unwrap();
        Cluster { place: ClusterPlace::new(TENANT, server, namespace.name()), namespace }
    }
}

impl Harness for Cluster {
    fn place(&self) -> &dyn Place {
        &self.place
    }

    fn approvals(&self) -> Box<dyn Approvals + '_> {
        Box::new(ConfigMapApprovals::of(&self.place, BTreeSet::from(["sync/s".to_string()])))
    }

    fn by_another_hand(&self, item: &Item) {
        let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=another-hand", "-f", "-"];
        let json = item.to_resource().to_json().unwrap().to_string();
        run_with_input(self.namespace.kubectl().args(apply), &json).unwrap();
    }
}

crate::contract!(Cluster::new());
