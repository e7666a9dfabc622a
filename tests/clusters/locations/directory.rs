//! Folders: the contract, and what a Git working tree needs in addition.

use crate::locations::contract::{Harness, apply_source, live, run};
use crate::locations::fixtures::{TENANT, definition, id, integration, planned};
use stablekey::api::Kind;
use stablekey::apply::Outcome;
use stablekey::apply::consent::{Approvals, StateFolder};
use stablekey::engine::model::item::Item;
use stablekey::engine::model::plan::Plan;
use stablekey::manifest::to_yaml;
use stablekey::project::{ProjectArgs, open};
use stablekey::tenant::directory::FolderLocation;
use stablekey::tenant::location::{Location, LocationError};
use stablekey_testing::objects::{Document as _, Tenant};
use stablekey_testing::project::Project;
use std::fs;

pub struct Folder {
    location: FolderLocation,
    project: Project,
}

impl Folder {
    pub fn new() -> Self {
        let tenants = Tenant::new(TENANT).in_folder(TENANT).yaml();
        let project = Project::empty().with("tenants.yaml", &tenants).with_folder(TENANT);
        Folder { location: FolderLocation::new(TENANT, project.path(TENANT)), project }
    }
}

impl Harness for Folder {
    fn location(&self) -> &dyn Location {
        &self.location
    }

    fn approvals(&self) -> Box<dyn Approvals + '_> {
        let given = ProjectArgs { root: self.project.root().to_path_buf(), ..ProjectArgs::default() };
        Box::new(StateFolder::of(self.project.state(), &open(&given, &mut std::io::empty())))
    }

    fn by_another_writer(&self, item: &Item) {
        let id = item.id();
        let path = self.location.folder().join(id.kind.plural()).join(format!("{}.yaml", id.name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, to_yaml(&item.to_resource()).unwrap()).unwrap();
    }
}

crate::contract!(Folder::new());

/// A folder with an integration whose definition somebody changes after `source` was planned.
fn beside_a_changed_definition(source: &[Item], is_update: bool) {
    let folder = Folder::new();
    let (first, second) = (definition("first"), definition("second"));
    let before = integration("lead-router", &[], Some(&first));
    apply_source(&folder, &[before, integration("other", &[], None)], &[("lead-router", first)]);
    let plan: Plan = planned(source, live(&folder));
    let path = folder.location.folder().join("integrations/lead-router.definition");
    let theirs = definition("changed in between");
    fs::write(&path, &theirs).unwrap();
    let brings = [("lead-router", second)];
    let report = run(&folder, &plan, if is_update { &brings } else { &[] });
    let undone: Vec<_> = report.undone().collect();
    assert!(matches!(undone.as_slice(), [(_, Outcome::Failed(LocationError::Changed { .. }))]), "{undone:?}");
    assert_eq!(fs::read(&path).unwrap(), theirs);
    assert!(live(&folder).get(&id(Kind::Integration, "lead-router")).is_some());
}

#[test]
fn a_definition_that_changed_since_is_not_overwritten() {
    let second = definition("second");
    let source = [integration("lead-router", &[], Some(&second)), integration("other", &[], None)];
    beside_a_changed_definition(&source, true);
}

#[test]
fn a_definition_that_changed_since_is_not_removed() {
    beside_a_changed_definition(&[integration("other", &[], None)], false);
}
