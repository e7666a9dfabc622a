//! An edit that can be shown and written: its files, their diff, and what the plan says before and after.

use super::diff;
use super::file_change::FileChange;
use crate::engine::model::code::Severity;
use crate::engine::model::plan::{Note, Plan, Scope};
use crate::project::Project;
use crate::project::planned;
use crate::tenant::directory::layout::FolderRole;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// An edit, before it is written.
#[derive(Debug)]
pub struct Edited {
    /// The root of the project.
    pub root: PathBuf,
    /// The files that change, in the order in which they are written.
    pub files: Vec<FileChange>,
    /// What only a person can do afterwards.
    pub manual: Vec<String>,
    /// The plan of the project as it is.
    pub before: Plan,
    /// The plan of the project after the edit.
    pub after: Plan,
    /// Whether the edit only stops writes, or ends that.
    pub(super) pauses: bool,
    /// The folders that are locked while the files are written.
    pub(super) folders: Vec<PathBuf>,
}

impl Edited {
    pub(super) fn of(project: &Project, mut files: Vec<FileChange>, manual: Vec<String>) -> Self {
        let before = planned::plan(project, &Scope::default()).plan;
        let after = match files.is_empty() {
            true => before.clone(),
            false => {
                let mut edited = project.after(new_files(&files));
                let kustomizations = kustomizations(project, &edited);
                if !kustomizations.is_empty() {
                    files.extend(kustomizations);
                    edited = project.after(new_files(&files));
                }
                planned::plan(&edited, &Scope::default()).plan
            }
        };
        let owned = files.iter().filter_map(|file| project.owner(&file.path));
        let mut folders: Vec<PathBuf> =
            owned.filter_map(|tenant| project.folder(tenant, FolderRole::Location)).map(Into::into).collect();
        folders.sort();
        folders.dedup();
        Edited { root: project.root.clone(), files, manual, before, after, pauses: false, folders }
    }

    /// The unified diff of all files. Literal secrets are hidden.
    pub fn diff(&self) -> String {
        self.files.iter().map(diff::unified).collect()
    }

    /// What the plan says after the edit and did not say before, and makes it worse: errors, and what will not be
    /// reached.
    pub fn worse(&self) -> Vec<String> {
        if self.pauses {
            return Vec::new();
        }
        new(&troubles(&self.before), troubles(&self.after))
    }

    /// What the plan says before the edit and no longer after it.
    pub fn better(&self) -> Vec<String> {
        if self.pauses {
            return Vec::new();
        }
        new(&troubles(&self.after), troubles(&self.before))
    }

    /// Warnings that the plan has after the edit and did not have before.
    pub fn warnings(&self) -> Vec<String> {
        new(&warnings(&self.before), warnings(&self.after))
    }
}

fn new_files(files: &[FileChange]) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    files.iter().map(|file| (file.path.clone(), file.after.clone())).collect()
}

/// The kustomizations that list every manifest of their folder before the edit, and would not after it.
fn kustomizations(before: &Project, after: &Project) -> Vec<FileChange> {
    let mut changes = Vec::new();
    for tenant in after.tenants.keys() {
        for role in [FolderRole::Location, FolderRole::Source] {
            let Some(due) = after.kustomization_due(tenant, role).filter(|due| due.changes.is_ok()) else { continue };
            let was_due = before.kustomization_due(tenant, role).is_some();
            if let (Some(text), false) = (due.text, was_due) {
                let text_before = before.kustomization(tenant, role).map(String::into_bytes);
                changes.push(FileChange { path: due.path, before: text_before, after: Some(text.into_bytes()) });
            }
        }
    }
    changes
}

/// What keeps a plan from being carried out, by what it is about.
fn troubles(plan: &Plan) -> Told {
    let findings = plan.findings.iter().filter(|f| matches!(f.severity, Severity::Error | Severity::Unreached));
    // Errors come first.
    let ranked = findings.map(|finding| {
        let (key, text) = of_finding(finding);
        (format!("{} {key}", u8::from(finding.severity != Severity::Error)), text)
    });
    let mut troubles = told(ranked);
    for target in &plan.targets {
        for note in target.notes.iter().filter(|note| note.is_unresolved()) {
            let about = format!("{}/{}", target.tenant, note.object());
            let (key, text) = match note {
                Note::Blocked { code, text, .. } => (format!("{code} {about}"), format!("{code} {about}: {text}")),
                Note::Drift { path, .. } => drifted("drift", &about, path),
                Note::Kept { path, .. } => drifted("kept", &about, path),
                Note::Overridden { .. } | Note::Manual { .. } => continue,
            };
            troubles.entry(format!("1 {key}")).or_default().insert(text);
        }
    }
    troubles
}

fn drifted(what: &str, about: &str, path: &[String]) -> (String, String) {
    let text = format!("{what}: {about} {}", path.join("."));
    (text.clone(), text)
}

fn warnings(plan: &Plan) -> Told {
    told(plan.findings.iter().filter(|f| f.severity == Severity::Warning).map(of_finding))
}

/// What a plan says, by what it is about.
type Told = BTreeMap<String, BTreeSet<String>>;

fn told(all: impl Iterator<Item = (String, String)>) -> Told {
    let mut told = Told::new();
    for (key, text) in all {
        told.entry(key).or_default().insert(text);
    }
    told
}

fn of_finding(finding: &crate::engine::model::finding::Finding) -> (String, String) {
    let tenant = finding.tenant.as_deref().unwrap_or_default();
    let object = finding.object.as_ref().map(ToString::to_string).unwrap_or_default();
    let about: Vec<&str> = [tenant, &object].into_iter().filter(|part| !part.is_empty()).collect();
    let about = about.join("/");
    let key = format!("{} {about} {}", finding.code, finding.path.join("."));
    let separator = if about.is_empty() { "" } else { ": " };
    (key, format!("{} {about}{separator}{}", finding.code, finding.text))
}

/// The texts of `after` that are new: about something of which `before` says nothing, or less. A text that only changed
/// is not new.
fn new(before: &Told, after: Told) -> Vec<String> {
    let of = |(key, texts): (String, BTreeSet<String>)| {
        let known = before.get(&key);
        let more = texts.len().saturating_sub(known.map_or(0, BTreeSet::len));
        let is_known = |text: &String| known.is_some_and(|known| known.contains(text));
        texts.into_iter().filter(move |text| !is_known(text)).take(more).collect::<Vec<_>>()
    };
    after.into_iter().flat_map(of).collect()
}
