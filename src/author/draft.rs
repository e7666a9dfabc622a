//! The changes that an edit makes to files, collected before any is made.

use super::edited::Edited;
use super::error::AuthorError;
use super::file_change::FileChange;
use super::home::{Home, NewPlace};
use super::pause::Pause;
use crate::api::Resource;
use crate::engine::model::item::ObjectId;
use crate::manifest::{self, Content, DocumentEdit, Edit, Rewrite, SourceFile, SourcePlace, locate, to_yaml};
use crate::project::Project;
use crate::tenant::directory::disk;
use crate::tenant::directory::paths::normal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Maximum size of a file that is replaced as a whole, in bytes.
const FILE_BYTES: u64 = 64_000_000;

/// The changes of one edit. Files are written in the order in which they were first named, so that an edit that was
/// killed can be finished by the same command.
#[derive(Debug)]
pub struct Draft<'p> {
    /// The project that is edited.
    pub project: &'p Project,
    files: Vec<(PathBuf, FileDraft)>,
    manual: Vec<String>,
    next: Vec<String>,
    pause: Option<Pause>,
}

/// The changes of one file.
#[derive(Debug)]
enum FileDraft {
    /// Some documents of a manifest.
    Documents { file: Option<Arc<SourceFile>>, changes: Vec<(SourcePlace, DocumentEdit)>, added: Vec<String> },
    /// The whole file; `None` removes it.
    Whole { before: Option<Vec<u8>>, after: Option<Vec<u8>> },
}

impl<'p> Draft<'p> {
    /// Starts an edit without changes.
    pub fn new(project: &'p Project) -> Self {
        Draft { project, files: Vec::new(), manual: Vec::new(), next: Vec::new(), pause: None }
    }

    /// Adds what only a person can do afterwards. The same step is listed once.
    pub fn manual(&mut self, step: impl Into<String>) {
        let step = step.into();
        if !self.manual.contains(&step) {
            self.manual.push(step);
        }
    }

    /// Adds a command to run once the edit is written, before the plan.
    pub(super) fn next(&mut self, command: String) {
        self.next.push(command);
    }

    /// Says that the edit only stops writes, or ends that. What the plan then hides is not fixed, and what it shows again
    /// is not new.
    pub fn pauses(&mut self, pause: Pause) {
        self.pause = Some(pause);
    }

    /// Edits a document. Several edits of one document are made in this order.
    pub fn edit(&mut self, at: &SourcePlace, edits: Vec<Edit>) -> Result<(), AuthorError> {
        let changes = self.documents(at)?;
        let is_same = |other: &SourcePlace| other.range == at.range && other.item == at.item;
        match changes.iter_mut().find(|(other, _)| is_same(other)) {
            Some((_, DocumentEdit::Edit(before))) => before.extend(edits),
            Some((_, DocumentEdit::Remove)) => {}
            None => changes.push((at.clone(), DocumentEdit::Edit(edits))),
        }
        Ok(())
    }

    /// Removes a document.
    pub fn remove(&mut self, at: &SourcePlace) -> Result<(), AuthorError> {
        let changes = self.documents(at)?;
        changes.retain(|(other, _)| other.range != at.range || other.item != at.item);
        changes.push((at.clone(), DocumentEdit::Remove));
        Ok(())
    }

    /// Adds an object where a person would: in the file of the others of its kind, or in one of its own. Returns the
    /// file.
    pub fn add(&mut self, home: &Home<'_>, resource: &Resource) -> Result<PathBuf, AuthorError> {
        let id = ObjectId::new(resource.kind(), &resource.metadata().name);
        let unreadable = |why: String| AuthorError::Unreadable { what: id.to_string(), why };
        let yaml = to_yaml(resource).map_err(|error| unreadable(error.to_string()))?;
        match home.file_of_new(&id) {
            NewPlace::In(path) => {
                let origins = home.read.origins.values();
                let file = origins.map(|origin| &origin.file).find(|file| Path::new(&file.path) == path);
                self.append(&path, file.cloned(), yaml)?;
                Ok(path)
            }
            NewPlace::New(path) => {
                self.create(&path, yaml)?;
                Ok(path)
            }
        }
    }

    /// Adds a document to the end of a file that was read, or creates the file.
    pub fn append(&mut self, path: &Path, file: Option<Arc<SourceFile>>, yaml: String) -> Result<(), AuthorError> {
        if file.is_none() {
            return self.create(path, yaml);
        }
        match self.of(path, || FileDraft::Documents { file, changes: Vec::new(), added: Vec::new() }) {
            FileDraft::Documents { added, .. } => added.push(yaml),
            FileDraft::Whole { after, .. } => append_to(after, &yaml),
        }
        Ok(())
    }

    /// Creates a manifest; one that this draft created gets a further document.
    fn create(&mut self, path: &Path, yaml: String) -> Result<(), AuthorError> {
        let key = normal(path);
        if let Some((_, FileDraft::Whole { before: None, after })) = self.files.iter_mut().find(|(p, _)| *p == key) {
            append_to(after, &yaml);
            return Ok(());
        }
        if path.symlink_metadata().is_ok() {
            return Err(AuthorError::Exists(path.to_path_buf()));
        }
        self.files.push((key, FileDraft::Whole { before: None, after: Some(yaml.into_bytes()) }));
        Ok(())
    }

    /// Writes a new file. Fails if there is one, unless it has these bytes already.
    pub fn put_new(&mut self, path: &Path, bytes: Vec<u8>) -> Result<(), AuthorError> {
        let there = read(path)?;
        match there {
            Some(there) if there == bytes => Ok(()),
            Some(_) => Err(AuthorError::Exists(path.to_path_buf())),
            None => self.put(path, Some(bytes)),
        }
    }

    /// Replaces a whole file, or removes it with `None`.
    pub fn put(&mut self, path: &Path, bytes: Option<Vec<u8>>) -> Result<(), AuthorError> {
        let before = read(path)?;
        match self.of(path, || FileDraft::Whole { before, after: None }) {
            FileDraft::Whole { after, .. } => *after = bytes,
            FileDraft::Documents { .. } => {
                let message = format!("{} would be edited and replaced at once", path.display());
                return Err(AuthorError::refused(message, "internal error: report it"));
            }
        }
        Ok(())
    }

    fn of(&mut self, path: &Path, new: impl FnOnce() -> FileDraft) -> &mut FileDraft {
        let key = normal(path);
        let at = self.files.iter().position(|(there, _)| *there == key).unwrap_or_else(|| {
            self.files.push((key, new()));
            self.files.len() - 1
        });
        &mut self.files[at].1
    }

    fn documents(&mut self, at: &SourcePlace) -> Result<&mut Vec<(SourcePlace, DocumentEdit)>, AuthorError> {
        let path = Path::new(&at.file.path);
        if let Some(folder) = path.symlink_metadata().ok().filter(std::fs::Metadata::is_symlink).map(|_| path) {
            let help = "edit the file that it leads to";
            return Err(AuthorError::refused(format!("{} is a link", folder.display()), help));
        }
        if let Some(why) = self.project.shared(at) {
            let help = "copy it into the folder of each tenant, or edit it yourself: it changes all of them";
            return Err(AuthorError::refused(why, help));
        }
        let file = Arc::clone(&at.file);
        let new = || FileDraft::Documents { file: Some(file), changes: Vec::new(), added: Vec::new() };
        match self.of(path, new) {
            FileDraft::Documents { changes, .. } => Ok(changes),
            FileDraft::Whole { .. } => {
                let message = format!("{} would be replaced and edited at once", path.display());
                Err(AuthorError::refused(message, "internal error: report it"))
            }
        }
    }

    /// Makes the changes, in memory, and plans the result.
    pub fn finish(self) -> Result<Edited, AuthorError> {
        let Draft { project, files, manual, next, pause } = self;
        let changed = || files.into_iter().map(|(path, draft)| draft.changed(path)).collect::<Result<Vec<_>, _>>();
        let changes = || changed().map(|all| all.into_iter().filter(|change| change.before != change.after).collect());
        Ok(Edited { next, ..Edited::of(project, changes, manual, pause)? })
    }
}

impl FileDraft {
    fn changed(self, path: PathBuf) -> Result<FileChange, AuthorError> {
        match self {
            FileDraft::Whole { before, after } => {
                Ok(FileChange { path, before: before.map(Content::from), after: after.map(Content::from) })
            }
            FileDraft::Documents { file, changes, added } => {
                let text = file.map(|file| Arc::clone(&file.text));
                let after = rewritten(text.as_deref().map_or("", String::as_str), &changes, &added)?;
                Ok(FileChange { path, before: text.map(Content::Text), after: after.map(Content::from) })
            }
        }
    }
}

fn append_to(after: &mut Option<Vec<u8>>, yaml: &str) {
    let text = String::from_utf8_lossy(after.as_deref().unwrap_or_default()).into_owned();
    *after = Some(manifest::append_document(&text, yaml).into_bytes());
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, AuthorError> {
    disk::read(path, FILE_BYTES).map_err(|error| AuthorError::write(path, &error, "nothing was written"))
}

/// The text of a file after changes of its documents; `None` if no document is left.
fn rewritten(
    text: &str,
    changes: &[(SourcePlace, DocumentEdit)],
    added: &[String],
) -> Result<Option<String>, AuthorError> {
    let rewrites: Vec<Rewrite> = changes
        .iter()
        .map(|(at, what)| Rewrite { range: at.range.clone(), item: at.item, what: what.clone() })
        .collect();
    let mut after = match rewrites.is_empty() {
        true => Some(text.to_string()),
        false => {
            let rewritten = manifest::rewrite(text, &rewrites);
            for ((at, _), result) in changes.iter().zip(rewritten.results) {
                result.map_err(|why| {
                    let path: Vec<&str> = why.path().map(|path| path.split('.').collect()).unwrap_or_default();
                    let line = locate(at, &path).map_or(at.first_line, |position| position.line);
                    AuthorError::Edit { file: at.file.path.clone(), line, why }
                })?;
            }
            rewritten.text
        }
    };
    for yaml in added {
        after = Some(manifest::append_document(after.as_deref().unwrap_or_default(), yaml));
    }
    Ok(after)
}
