//! An edit that can be shown and written: its files, their diff, and what the plan says before and after.

use super::command::is_not_suspended;
use super::consequences::Consequences;
use super::diff;
use super::error::AuthorError;
use super::file_change::FileChange;
use super::pause::Pause;
use super::project_secrets::ProjectSecrets;
use super::public_diff::PublicDiff;
use crate::engine::model::canonical::Digest;
use crate::engine::model::command::EditCommand;
use crate::engine::model::plan::{Action, Note, Plan, Scope};
use crate::manifest::Content;
use crate::parallel;
use crate::project::Project;
use crate::project::planned;
use crate::tenant::directory::layout::FolderRole;
use crate::tenant::directory::overlay::NewFiles;
use std::collections::BTreeSet;
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
    /// The commands to run once it is written, before the plan.
    pub next: Vec<String>,
    /// The plan of the project as it is.
    pub before: Plan,
    /// The plan of the project after the edit.
    pub after: Plan,
    /// What to do if the plan becomes worse, where there is more to say than to force the edit.
    pub advice: Option<String>,
    /// That the edit only stops writes, or ends that.
    pub pause: Option<Pause>,
    /// What the edit changes in the plan.
    pub consequences: Consequences,
    /// The inputs that are secret by their types, before or after the edit.
    pub(super) secrets: ProjectSecrets,
    /// The folders that are locked while the files are written.
    pub(super) folders: BTreeSet<PathBuf>,
}

impl Edited {
    /// Plans an edit. `pause` says that it only stops writes, or ends that. The files are made while the project before is
    /// planned.
    pub(super) fn of(
        project: &Project,
        changes: impl FnOnce() -> Result<Vec<FileChange>, AuthorError>,
        manual: Vec<String>,
        pause: Option<Pause>,
    ) -> Result<Self, AuthorError> {
        let plan = |project: &Project| planned::plan(project, &Scope::default()).plan;
        let plan_after = || {
            let mut files = changes()?;
            // Who suspends a tenant, or ends that, writes its Tenant.
            if pause.is_none() {
                files.iter().try_for_each(|file| is_not_suspended(project, &file.path))?;
            }
            if files.is_empty() {
                return Ok((files, None, ProjectSecrets::default()));
            }
            let mut edited = project.after(new_files(&files));
            let kustomizations = kustomizations(project, &edited);
            if !kustomizations.is_empty() {
                files.extend(kustomizations);
                edited = project.after(new_files(&files));
            }
            Ok((files, Some(plan(&edited)), ProjectSecrets::of(&edited)))
        };
        let (before, after) = parallel::both(project.objects(), || plan(project), plan_after);
        let (files, after, mut secret) = after?;
        secret.extend(ProjectSecrets::of(project));
        let after = after.unwrap_or_else(|| before.clone());
        let live = files.iter().filter_map(|file| project.owner_of_live(&file.path)).collect();
        let consequences = Consequences::of(project, (&before, &after), &live, pause.is_some());
        let owners = files.iter().filter_map(|file| project.owner(&file.path));
        let folders =
            owners.filter_map(|tenant| project.folder(tenant, FolderRole::Location).map(Into::into)).collect();
        Ok(Edited {
            root: project.root.clone(),
            files,
            manual,
            next: Vec::new(),
            before,
            after,
            advice: None,
            pause,
            consequences,
            secrets: secret,
            folders,
        })
    }

    /// The actions that the next apply does because of the edit: those that are new, or became others.
    pub fn new_actions(&self) -> impl Iterator<Item = &Action> {
        let before = self.before.targets.iter().flat_map(|target| &target.actions);
        let known: BTreeSet<(&str, &Digest)> = before.map(|action| (action.id.as_str(), &action.digest)).collect();
        let actions = self.after.targets.iter().flat_map(|target| &target.actions);
        actions.filter(move |action| !known.contains(&(action.id.as_str(), &action.digest)))
    }

    /// The heading of new actions that wait.
    pub const WAITS: &'static str = "This waits for a suspended tenant";

    /// The new actions that the next apply carries out, and those that wait for a suspended tenant.
    pub fn new_actions_by_wait(&self) -> (Vec<&Action>, Vec<&Action>) {
        let waits = self.after.held();
        self.new_actions().partition(|action| !waits.contains(action.id.as_str()))
    }

    /// The command that ends the first of what becomes worse, if one does.
    pub fn fix_of_worse(&self) -> Option<&EditCommand> {
        let first = self.consequences.worse.first()?;
        let findings = self.after.findings.iter().map(|finding| (&finding.text, &finding.commands));
        let notes = self.after.targets.iter().flat_map(|target| &target.notes).filter_map(|note| match note {
            Note::Blocked { text, commands, .. } => Some((text, commands)),
            _ => None,
        });
        findings.chain(notes).filter(|(text, _)| first.ends_with(*text)).find_map(|(_, commands)| commands.first())
    }

    /// The unified diff of all files. Literal secrets are hidden.
    pub fn diff(&self) -> String {
        self.files.iter().map(|file| diff::unified(file, self.secrets.names())).collect()
    }

    /// The diff of each file, with only the lines in it that are known to be public.
    pub fn public_diff(&self) -> Vec<PublicDiff> {
        self.files.iter().map(|file| PublicDiff::of(file, &self.secrets)).collect()
    }
}

fn new_files(files: &[FileChange]) -> NewFiles {
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
                let text_before = before.kustomization(tenant, role).map(Content::from);
                changes.push(FileChange { path: due.path, before: text_before, after: Some(text.into()) });
            }
        }
    }
    changes
}
