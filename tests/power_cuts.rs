//! The power is cut after each step of writing, one after the other: every file is old or new, and
//! the next run, with the same approval, ends where an undisturbed run ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use stablekey::apply::{Consent, Refusal, Report, Tenants, apply};
use stablekey::engine::plan::{DefinitionFrom, Plan, Scope, plan};
use stablekey::tenant::directory::DirectoryPlace;
use stablekey::tenant::disk::{Disk, RealDisk, TEMPORARY};
use stablekey::tenant::project::{Given, Project, open};
use stablekey::tenant::{Place, PlaceError};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A disk that does so many steps and no more. The step in hand may be half done.
struct Failing {
    steps: AtomicUsize,
    cut: usize,
}

impl Failing {
    fn step(&self) -> Step {
        match self.steps.fetch_add(1, Ordering::SeqCst) {
            now if now < self.cut => Step::Whole,
            now if now == self.cut => Step::Cut,
            _ => Step::Dark,
        }
    }
}

#[derive(PartialEq)]
enum Step {
    Whole,
    Cut,
    Dark,
}

fn dark() -> io::Error {
    io::Error::other("the power is out")
}

impl Disk for Failing {
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match self.step() {
            Step::Whole => RealDisk.write_new(path, bytes),
            Step::Cut => RealDisk.write_new(path, &bytes[..bytes.len() / 2]).and(Err(dark())),
            Step::Dark => Err(dark()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.step() == Step::Whole { RealDisk.rename(from, to) } else { Err(dark()) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.step() == Step::Whole { RealDisk.remove(path) } else { Err(dark()) }
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        if self.step() == Step::Whole { RealDisk.create_folder(path) } else { Err(dark()) }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if self.step() == Step::Whole { RealDisk.sync_folder(path) } else { Err(dark()) }
    }
}

struct OnDisk {
    project: Project,
    places: BTreeMap<String, DirectoryPlace>,
}

impl Tenants for OnDisk {
    fn place(&self, tenant: &str) -> Option<&dyn Place> {
        self.places.get(tenant).map(|p| p as &dyn Place)
    }

    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, PlaceError> {
        self.project.definition(from)
    }
}

fn read(root: &Path) -> Project {
    open(&Given { root: root.to_path_buf(), ..Given::default() }, &mut io::empty())
}

fn planned(root: &Path) -> Plan {
    plan(&read(root).world(), &Scope::default())
}

fn run(root: &Path, disk: Arc<dyn Disk>, plan: &Plan, consent: &Consent) -> Result<Report, Refusal> {
    let project = read(root);
    let places = project
        .tenants
        .iter()
        .filter_map(|(name, tenant)| {
            Some((name.clone(), tenant.place.as_ref()?.folder()?.clone().on_disk(disk.clone())))
        })
        .collect();
    apply(&OnDisk { project, places }, plan, consent, &|| false, &mut |_, _| {})
}

fn digests(plan: &Plan) -> BTreeSet<String> {
    plan.actions().map(|(_, action)| action.digest.to_string()).collect()
}

/// Files that people have: without our own bookkeeping and what a cut run leaves.
fn content(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let ours = |name: &String| {
        name.contains(TEMPORARY) || name.ends_with("stablekey.lock") || name.ends_with("stablekey.approved")
    };
    support::files(root).into_iter().filter(|(name, _)| !ours(name)).collect()
}

fn every_cut_of(example: &str, prepare: &dyn Fn(&Path)) {
    let fresh = || {
        let copy = support::example(example);
        prepare(copy.path());
        copy
    };
    let clean = fresh();
    let old = content(clean.path());
    let disk = Arc::new(Failing { steps: AtomicUsize::new(0), cut: usize::MAX });
    let first = planned(clean.path());
    assert!(!first.is_empty(), "there is something to do");
    let report = run(clean.path(), disk.clone(), &first, &Consent::All).unwrap();
    assert_eq!(report.undone().count(), 0);
    assert!(planned(clean.path()).is_empty(), "nothing is left");
    let new = content(clean.path());
    let end = support::files(clean.path());
    let steps = disk.steps.load(Ordering::SeqCst);
    assert!(steps > 20, "the workload writes: {steps} steps");
    for cut in 0..steps {
        let root = fresh();
        let path = root.path();
        let first = planned(path);
        let consent = Consent::PlanFile(digests(&first));
        let failing = Arc::new(Failing { steps: AtomicUsize::new(0), cut });
        let _ = run(path, failing, &first, &consent);
        for (name, bytes) in content(path) {
            let is_old = old.get(&name) == Some(&bytes);
            let is_new = new.get(&name) == Some(&bytes);
            assert!(is_old || is_new, "cut {cut}: {name} is neither old nor new");
        }
        let second = planned(path);
        if !second.is_empty() {
            let report = run(path, Arc::new(RealDisk), &second, &consent);
            let report = report.unwrap_or_else(|refusal| panic!("cut {cut}: the same approval finishes it: {refusal}"));
            assert_eq!(report.undone().collect::<Vec<_>>(), vec![], "cut {cut}");
        }
        assert!(planned(path).is_empty(), "cut {cut}: nothing is left");
        let ended = support::files(path);
        for (name, bytes) in &end {
            assert_eq!(
                ended.get(name).map(|b| String::from_utf8_lossy(b)),
                Some(String::from_utf8_lossy(bytes)),
                "cut {cut}: {name}"
            );
        }
    }
}

#[test]
fn creates_and_updates_over_three_tenants() {
    every_cut_of("us-eu", &|_| {});
}

#[test]
fn a_source_and_a_sync_into_an_empty_folder() {
    every_cut_of("dev-prod", &|_| {});
}

#[test]
fn removals() {
    every_cut_of("dev-prod", &|root| {
        let plan = planned(root);
        run(root, Arc::new(RealDisk), &plan, &Consent::All).unwrap();
        // The integration goes from the source: what was copied is pruned; another one comes.
        for extension in ["yaml", "definition"] {
            let file = |name: &str| root.join(format!("dev/integrations/{name}.{extension}"));
            let text = std::fs::read_to_string(file("invoice-sync")).unwrap().replace("invoice-sync", "invoice-copy");
            std::fs::write(file("invoice-copy"), text).unwrap();
            std::fs::remove_file(file("invoice-sync")).unwrap();
        }
        let declared = root.join("declared/prod/connections/billing-api.yaml");
        let text = std::fs::read_to_string(&declared).unwrap().replace("title: Billing", "title: Billing (new)");
        std::fs::write(&declared, text).unwrap();
    });
}
