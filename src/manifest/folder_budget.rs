//! Limits how much of a folder is found and read. A tree of Git can have one folder at many paths, so a commit of a few
//! kilobytes can have more paths than fit into any memory.

use super::limits;
use super::problem::FileProblem;
use std::path::Path;

/// The size of a file in memory at least, in bytes: its path, and what is read of it.
const SMALLEST: u64 = 1024;

/// How much more may be found below a folder, and behind its links.
#[derive(Clone, Debug)]
pub struct FolderBudget {
    /// Number of files and folders.
    entries: usize,
    /// Total length of the paths that are kept.
    path_bytes: usize,
    /// Total size of the files that are read.
    file_bytes: u64,
    exceeded: Option<BudgetExceeded>,
}

/// The limit that a folder exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetExceeded {
    /// It has too many files and folders, or their paths are too long.
    Entries,
    /// Its files are too large together.
    Bytes,
}

impl Default for FolderBudget {
    fn default() -> Self {
        FolderBudget {
            entries: limits::FOLDER_ENTRIES,
            path_bytes: limits::FOLDER_PATH_BYTES,
            file_bytes: u64::MAX,
            exceeded: None,
        }
    }
}

impl FolderBudget {
    /// Creates a budget that also limits the total size of the files. Each counts as 1 KiB at least.
    pub fn of_bytes(file_bytes: u64) -> Self {
        FolderBudget { file_bytes, ..FolderBudget::default() }
    }

    /// Returns the limit that was exceeded first.
    pub fn exceeded(&self) -> Option<BudgetExceeded> {
        self.exceeded
    }

    /// Counts an entry of a folder. Returns whether it is within the limits.
    pub(crate) fn take_entry(&mut self) -> bool {
        match self.entries.checked_sub(1) {
            Some(left) => self.entries = left,
            None => drop(self.exceeded.get_or_insert(BudgetExceeded::Entries)),
        }
        self.exceeded.is_none()
    }

    /// Counts a file, or something else whose path is kept. Returns whether it is within the limits.
    pub(crate) fn take_file(&mut self, path: &Path, size: u64) -> bool {
        match self.path_bytes.checked_sub(path.as_os_str().len()) {
            Some(left) => self.path_bytes = left,
            None => drop(self.exceeded.get_or_insert(BudgetExceeded::Entries)),
        }
        match self.file_bytes.checked_sub(size.max(SMALLEST)) {
            Some(left) => self.file_bytes = left,
            None => drop(self.exceeded.get_or_insert(BudgetExceeded::Bytes)),
        }
        self.exceeded.is_none()
    }

    /// Returns the problem with a folder that exceeds a limit, by its path as it is shown.
    pub(crate) fn problem(&self, folder: impl Into<String>) -> Option<FileProblem> {
        let message = match self.exceeded? {
            BudgetExceeded::Entries => format!(
                "more lies below this folder than is read: {} files and folders, or {} MiB of paths",
                limits::FOLDER_ENTRIES,
                limits::FOLDER_PATH_BYTES >> 20
            ),
            BudgetExceeded::Bytes => "the files below this folder are too large together".to_string(),
        };
        let folder = Some(folder.into()).filter(|folder| !folder.is_empty()).unwrap_or_else(|| ".".to_string());
        let help = "give a folder further down, or leave out with .stablekeyignore what is no manifest";
        Some(FileProblem::of_file(folder, message, help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_tree::FileTree;
    use crate::git::Repository;
    use crate::manifest::files::find_within;
    use stablekey_testing::git_repository::GitRepository;
    use std::fs;

    /// Finds four manifests, two of them in a folder, within a budget.
    fn found(mut budget: FolderBudget) -> (usize, Option<BudgetExceeded>) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("d")).unwrap();
        for name in ["a.yaml", "b.yaml", "d/a.yaml", "d/b.yaml"] {
            fs::write(folder.path().join(name), "a: b\n").unwrap();
        }
        let found = find_within(&FileTree::default(), folder.path(), &|_, _| false, &mut budget);
        if let Some(problem) = budget.problem(folder.path().display().to_string()) {
            // A part of the files would look like all of them.
            assert!(found.files.is_empty());
            assert_eq!(found.unreadable, [(folder.path().to_path_buf(), problem)]);
        }
        (found.files.len(), budget.exceeded())
    }

    /// A commit of a few kilobytes can have 2^40 paths.
    #[test]
    fn a_tree_that_repeats_itself_is_not_walked_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.yaml", "a.txt"] {
            let repository = GitRepository::new(&folder.path().join(file));
            repository.commit_repeating("main", 40, file);
            let repository = Repository::bare(repository.path()).unwrap();
            let files = repository.files(&repository.commit("main").unwrap(), Path::new(""), Path::new("")).unwrap();
            let mut budget = FolderBudget { entries: 2_000, ..FolderBudget::default() };
            let found = find_within(&files, Path::new(""), &|_, _| false, &mut budget);
            assert_eq!(budget.exceeded(), Some(BudgetExceeded::Entries), "{file}");
            assert!(found.files.is_empty() && found.unreadable.len() == 1, "{file}: {found:?}");
        }
    }

    #[test]
    fn a_folder_beyond_a_limit_is_not_read_at_all() {
        let all = FolderBudget::default();
        assert_eq!(found(all.clone()), (4, None));
        assert_eq!(found(FolderBudget { entries: 5, ..all.clone() }), (4, None));
        let too_many = (0, Some(BudgetExceeded::Entries));
        assert_eq!(found(FolderBudget { entries: 4, ..all.clone() }), too_many);
        assert_eq!(found(FolderBudget { path_bytes: 10, ..all }), too_many);
        assert_eq!(found(FolderBudget::of_bytes(4 * SMALLEST)), (4, None));
        assert_eq!(found(FolderBudget::of_bytes(4 * SMALLEST - 1)), (0, Some(BudgetExceeded::Bytes)));
    }
}
