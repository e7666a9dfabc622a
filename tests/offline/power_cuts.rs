//! Power cuts: the power is cut after each step of a write, one at a time. Every file must be old or new, and the next
//! run with the same approval must end where an undisturbed run ends.

use stablekey::apply::consent::StateFolder;
use stablekey::apply::{Consent, Refusal, Report, Tenants, apply, covered, forget_approvals};
use stablekey::engine::model::plan::{DefinitionFrom, Plan, Scope};
use stablekey::engine::plan::plan;
use stablekey::project::{Project, ProjectArgs, open};
use stablekey::tenant::directory::FolderLocation;
use stablekey::tenant::directory::disk::{Disk, RealDisk, TEMPORARY};
use stablekey::tenant::location::{Location, LocationError};
use stablekey_testing::cli;
use stablekey_testing::project as testing;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A disk that fails after a number of steps. The last step may be half done.
struct Failing {
    steps: AtomicUsize,
    cut: usize,
    /// Files that are written and not synced: a cut truncates each of them.
    staged: Mutex<Vec<PathBuf>>,
}

impl Failing {
    fn after(cut: usize) -> Self {
        Failing { steps: AtomicUsize::new(0), cut, staged: Mutex::default() }
    }

    fn step(&self) -> Step {
        match self.steps.fetch_add(1, Ordering::SeqCst) {
            now if now < self.cut => Step::Whole,
            now if now == self.cut => {
                for path in self.staged.lock().unwrap().drain(..) {
                    let bytes = std::fs::read(&path).unwrap_or_default();
                    let _ = std::fs::write(&path, &bytes[..bytes.len() / 2]);
                }
                Step::Cut
            }
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

    fn write_new_privately(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match self.step() {
            Step::Whole => RealDisk.write_new_privately(path, bytes),
            Step::Cut => RealDisk.write_new_privately(path, &bytes[..bytes.len() / 2]).and(Err(dark())),
            Step::Dark => Err(dark()),
        }
    }

    fn stage(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let step = self.step();
        if step == Step::Dark {
            return Err(dark());
        }
        RealDisk.stage(path, bytes)?;
        if step == Step::Whole {
            self.staged.lock().unwrap().push(path.to_path_buf());
            return Ok(());
        }
        std::fs::write(path, &bytes[..bytes.len() / 2]).and(Err(dark()))
    }

    fn many(&self) -> usize {
        2
    }

    fn sync_staged(&self, folder: &Path) -> io::Result<()> {
        if self.step() != Step::Whole {
            return Err(dark());
        }
        self.staged.lock().unwrap().clear();
        RealDisk.sync_staged(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        // A file that is not synced must not be renamed: otherwise a cut would leave half a file under its name.
        assert!(!self.staged.lock().unwrap().contains(&from.to_path_buf()), "{} is not on the disk", from.display());
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
    locations: BTreeMap<String, FolderLocation>,
}

impl Tenants for OnDisk {
    fn location(&self, tenant: &str) -> Option<&dyn Location> {
        self.locations.get(tenant).map(|p| p as &dyn Location)
    }

    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, LocationError> {
        self.project.definition(from)
    }
}

fn read(root: &Path) -> Project {
    open(&ProjectArgs { root: root.to_path_buf(), ..ProjectArgs::default() }, &mut io::empty())
}

fn planned(root: &Path) -> Plan {
    plan(&read(root).world(), &Scope::default())
}

/// A project, and the state folder of the person who applies it.
struct TestEnv {
    project: testing::Project,
}

impl TestEnv {
    fn of(example: &str) -> Self {
        let env = TestEnv { project: testing::Project::example(example) };
        std::fs::create_dir(env.state()).unwrap();
        env
    }

    fn root(&self) -> &Path {
        self.project.root()
    }

    fn state(&self) -> &Path {
        self.project.state()
    }

    fn run(&self, disk: Arc<dyn Disk>, plan: &Plan, consent: &Consent) -> Result<Report, Refusal> {
        let project = read(self.root());
        let approvals = StateFolder::of(self.state(), &project).on_disk(disk.clone());
        let locations = project
            .tenants
            .iter()
            .filter_map(|(name, tenant)| {
                Some((name.clone(), tenant.location.as_ref()?.folder()?.clone().on_disk(disk.clone())))
            })
            .collect();
        let result = apply(&OnDisk { project, locations }, &approvals, plan, consent, &|| false, &mut |_, _| {});
        forget_approvals(&approvals, &planned(self.root())).unwrap();
        result
    }

    /// Returns the files with approvals.
    fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        cli::files(self.state())
    }
}

/// Returns the consents with a plan file, and with the digests of all writers.
fn consents(plan: &Plan) -> [Consent; 2] {
    let actions = plan.actions().flat_map(|(_, action)| covered(action)).collect();
    let writers = plan.targets.iter().flat_map(|target| target.digests.values()).map(ToString::to_string).collect();
    [Consent::PlanFile(actions), Consent::Digests { digests: writers, safe: false }]
}

/// Returns the files of people, without bookkeeping and temporary files.
fn content(root: &Path) -> BTreeMap<String, Vec<u8>> {
    // A kustomization lists files before they exist.
    let ours = |name: &String| {
        name.contains(TEMPORARY) || ["stablekey.lock", "kustomization.yaml"].iter().any(|file| name.ends_with(file))
    };
    cli::files(root).into_iter().filter(|(name, _)| !ours(name)).collect()
}

fn every_cut_of(example: &str, prepare: &dyn Fn(&TestEnv)) {
    let fresh = || {
        let env = TestEnv::of(example);
        prepare(&env);
        env
    };
    let clean = fresh();
    let old = content(clean.root());
    let disk = Arc::new(Failing::after(usize::MAX));
    let first = planned(clean.root());
    assert!(!first.is_empty(), "there is something to do");
    let report = clean.run(disk.clone(), &first, &Consent::All).unwrap();
    assert_eq!(report.undone().count(), 0);
    assert!(planned(clean.root()).is_empty(), "nothing is left");
    assert!(clean.kept().is_empty(), "no approval is left");
    let new = content(clean.root());
    let end = cli::files(clean.root());
    let steps = disk.steps.load(Ordering::SeqCst);
    assert!(steps > 20, "the workload writes: {steps} steps");
    for cut in (0..steps).flat_map(|cut| [(cut, 0), (cut, 1)]) {
        let env = fresh();
        let path = env.root();
        let first = planned(path);
        let consent = consents(&first)[cut.1].clone();
        let failing = Arc::new(Failing::after(cut.0));
        // Whatever fails after the first write is in the report.
        let report = env.run(failing, &first, &consent);
        if content(path) != old {
            let report = report.unwrap_or_else(|refusal| panic!("{cut:?}: what was done is told: {refusal}"));
            assert_eq!(report.outcomes.len(), first.actions().count(), "{cut:?}");
        }
        for (name, bytes) in content(path) {
            let is_old = old.get(&name) == Some(&bytes);
            let is_new = new.get(&name) == Some(&bytes);
            assert!(is_old || is_new, "{cut:?}: {name} is neither old nor new");
        }
        let second = planned(path);
        if !second.is_empty() {
            let report = env.run(Arc::new(RealDisk), &second, &consent);
            let report = report.unwrap_or_else(|refusal| panic!("{cut:?}: the same approval finishes it: {refusal}"));
            assert_eq!(report.undone().collect::<Vec<_>>(), vec![], "{cut:?}");
        }
        let last = planned(path);
        assert!(last.is_empty(), "{cut:?}: nothing is left");
        forget_approvals(&StateFolder::of(env.state(), &read(path)), &last).unwrap();
        let left: Vec<String> = env.kept().into_keys().filter(|name| !name.contains(TEMPORARY)).collect();
        assert_eq!(left, Vec::<String>::new(), "{cut:?}: no approval is left");
        let ended = cli::files(path);
        for (name, bytes) in &end {
            assert_eq!(
                ended.get(name).map(|b| String::from_utf8_lossy(b)),
                Some(String::from_utf8_lossy(bytes)),
                "{cut:?}: {name}"
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

/// Everything is in sync; then an integration is removed from the source and is pruned, another one is added, and a
/// third changes.
fn with_something_to_remove(env: &TestEnv) {
    let root = env.root();
    let plan = planned(root);
    env.run(Arc::new(RealDisk), &plan, &Consent::All).unwrap();
    for extension in ["yaml", "definition"] {
        let file = |name: &str| root.join(format!("dev/integrations/{name}.{extension}"));
        let text = std::fs::read_to_string(file("invoice-sync")).unwrap().replace("invoice-sync", "invoice-copy");
        std::fs::write(file("invoice-copy"), text).unwrap();
        std::fs::remove_file(file("invoice-sync")).unwrap();
    }
    let declared = root.join("declared/prod/connections/billing-api.yaml");
    let text = std::fs::read_to_string(&declared).unwrap().replace("title: Billing", "title: Billing (new)");
    std::fs::write(&declared, text).unwrap();
}

#[test]
fn removals() {
    every_cut_of("dev-prod", &with_something_to_remove);
}

/// A kustomization lists files before they exist: whatever a cut leaves, the next run completes it.
#[test]
fn into_a_folder_with_a_kustomization() {
    let kustomize = |env: &TestEnv| {
        let text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
        std::fs::write(env.root().join("prod/kustomization.yaml"), text).unwrap();
    };
    every_cut_of("dev-prod", &kustomize);
    every_cut_of("dev-prod", &|env| {
        kustomize(env);
        with_something_to_remove(env);
    });
}

/// A folder that does not exist yet is put in place with all of its files.
#[test]
fn many_into_a_new_folder() {
    every_cut_of("dev-prod", &|env| {
        let declared = env.root().join("declared/prod/connections");
        let text = std::fs::read_to_string(declared.join("billing-api.yaml")).unwrap();
        for name in ["many-a", "many-b", "many-c"] {
            std::fs::write(declared.join(format!("{name}.yaml")), text.replace("billing-api", name)).unwrap();
        }
        let _ = std::fs::remove_dir_all(env.root().join("prod/connections"));
    });
}
