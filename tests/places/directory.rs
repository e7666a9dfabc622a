//! Directories: the contract, and what a Git working tree asks for besides.

use crate::contract::Harness;
use crate::fixtures::TENANT;
use stablekey::engine::item::Item;
use stablekey::manifest::to_yaml;
use stablekey::tenant::Place;
use stablekey::tenant::directory::DirectoryPlace;
use std::fs;
use tempfile::TempDir;

struct Folder {
    place: DirectoryPlace,
    _root: TempDir,
}

impl Folder {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(TENANT);
        fs::create_dir(&folder).unwrap();
        Folder { place: DirectoryPlace::new(TENANT, folder), _root: root }
    }
}

impl Harness for Folder {
    fn place(&self) -> &dyn Place {
        &self.place
    }

    fn by_another_hand(&self, item: &Item) {
        let id = item.id();
        let path = self.place.folder().join(id.kind.plural()).join(format!("{}.yaml", id.name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, to_yaml(&item.to_resource()).unwrap()).unwrap();
    }
}

crate::contract!(Folder::new());
