//! Directories: the contract, and what a Git working tree asks for besides.

use crate::contract::{Harness, bring, live, run};
use crate::fixtures::{TENANT, definition, id, integration, planned};
use stablekey::api::Kind;
use stablekey::apply::Outcome;
use stablekey::apply::consent::{Approvals, StateFolder};
use stablekey::engine::model::item::Item;
use stablekey::engine::model::plan::Plan;
use stablekey::manifest::to_yaml;
use stablekey::project::{ProjectArgs, open};
use stablekey::tenant::directory::DirectoryTenant;
use stablekey::tenant::location::{Location, LocationError};
use std::fs;
use tempfile::TempDir;

pub struct Folder {
    location: DirectoryTenant,
    root: TempDir,
    state: TempDir,
}

impl Folder {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(TENANT);
        fs::create_dir(&folder).unwrap();
        let location = format!("location: {{directory: {{path: {TENANT}}}}}");
        let tenant = format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {TENANT}}}\nspec: {{{location}}}\n"
        );
        fs::write(root.path().join("tenants.yaml"), tenant).unwrap();
        Folder { location: DirectoryTenant::new(TENANT, folder), root, state: tempfile::tempdir().unwrap() }
    }
}

impl Harness for Folder {
    fn location(&self) -> &dyn Location {
        &self.location
    }

    fn approvals(&self) -> Box<dyn Approvals + '_> {
        let given = ProjectArgs { root: self.root.path().to_path_buf(), ..ProjectArgs::default() };
        Box::new(StateFolder::of(self.state.path(), &open(&given, &mut std::io::empty())))
    }

    fn by_another_hand(&self, item: &Item) {
        let id = item.id();
        let path = self.location.folder().join(id.kind.plural()).join(format!("{}.yaml", id.name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, to_yaml(&item.to_resource()).unwrap()).unwrap();
    }
}

crate::contract!(Folder::new());

/// A folder with an integration, whose definition somebody changes after `source` was planned over it.
fn beside_a_changed_definition(source: &[Item], is_update: bool) {
    let folder = Folder::new();
    let (first, second) = (definition("first"), definition("second"));
    let before = integration("lead-router", &[], Some(&first));
    bring(&folder, &[before, integration("other", &[], None)], &[("lead-router", first)]);
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
fn a_definition_that_changed_since_is_not_written_over() {
    let second = definition("second");
    let source = [integration("lead-router", &[], Some(&second)), integration("other", &[], None)];
    beside_a_changed_definition(&source, true);
}

#[test]
fn a_definition_that_changed_since_is_not_taken_away() {
    beside_a_changed_definition(&[integration("other", &[], None)], false);
}
