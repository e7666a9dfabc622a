//! Directories: the contract, and what a Git working tree asks for besides.

use crate::contract::Harness;
use crate::fixtures::TENANT;
use stablekey::engine::item::Item;
use stablekey::manifest::to_yaml;
use stablekey::tenant::Place;
use stablekey::tenant::approvals::{Approvals, StateFolder};
use stablekey::tenant::directory::DirectoryPlace;
use stablekey::tenant::project::{Given, open};
use std::fs;
use tempfile::TempDir;

struct Folder {
    place: DirectoryPlace,
    root: TempDir,
    state: TempDir,
}

impl Folder {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(TENANT);
        fs::create_dir(&folder).unwrap();
        let place = format!("place: {{directory: {{path: {TENANT}}}}}");
        let tenant = format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {TENANT}}}\nspec: {{{place}}}\n"
        );
        fs::write(root.path().join("tenants.yaml"), tenant).unwrap();
        Folder { place: DirectoryPlace::new(TENANT, folder), root, state: tempfile::tempdir().unwrap() }
    }
}

impl Harness for Folder {
    fn place(&self) -> &dyn Place {
        &self.place
    }

    fn approvals(&self) -> Box<dyn Approvals + '_> {
        let given = Given { root: self.root.path().to_path_buf(), ..Given::default() };
        Box::new(StateFolder::of(self.state.path(), &open(&given, &mut std::io::empty())))
    }

    fn by_another_hand(&self, item: &Item) {
        let id = item.id();
        let path = self.place.folder().join(id.kind.plural()).join(format!("{}.yaml", id.name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, to_yaml(&item.to_resource()).unwrap()).unwrap();
    }
}

crate::contract!(Folder::new());
