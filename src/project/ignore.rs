//! `.stablekeyignore`: the parts of a root that are not read. It may not name anything in a tenant's folder.

use crate::file_tree::FileTree;
use crate::manifest::{FileProblem, shown};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::path::Path;

const NAME: &str = ".stablekeyignore";
/// A folder with this file is a Helm chart: its templates are not YAML.
const CHART: &str = "Chart.yaml";
/// The maximum size, in bytes.
const MOST: u64 = 1_000_000;

/// The content of a root's `.stablekeyignore`.
#[derive(Clone, Debug, Default)]
pub(super) struct Ignore {
    tree: FileTree,
    matcher: Option<Gitignore>,
    /// The path, as shown to people.
    file: String,
    lines: Vec<String>,
    /// The problems with the file.
    pub problems: Vec<FileProblem>,
}

impl Ignore {
    /// Reads the file, if it exists.
    pub(super) fn read(tree: &FileTree, root: &Path) -> Self {
        let path = root.join(NAME);
        let mut ignore = Ignore { tree: tree.clone(), file: shown(&path), ..Ignore::default() };
        let text = match tree.read(&path, MOST).map(|bytes| bytes.map(String::from_utf8)) {
            Ok(None) => return ignore,
            Ok(Some(Ok(text))) => text,
            Ok(Some(Err(_))) => return ignore.unreadable("a byte here is no UTF-8"),
            Err(error) => return ignore.unreadable(&error.to_string()),
        };
        let mut builder = GitignoreBuilder::new(root);
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if builder.add_line(None, line).is_err() {
                let problem = ignore.at(number, "this is no pattern of gitignore's", "correct it");
                ignore.problems.push(problem);
            }
            ignore.lines.push(line.to_string());
        }
        ignore.matcher = builder.build().ok();
        ignore
    }

    /// The patterns that count, in their order.
    pub(super) fn patterns(&self) -> Vec<&str> {
        let lines = self.lines.iter().map(|line| line.trim_end());
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    }

    /// The tree that the file was read from.
    pub(super) fn tree(&self) -> &FileTree {
        &self.tree
    }

    fn unreadable(mut self, why: &str) -> Self {
        let message = format!("it cannot be read ({why}): nothing is ignored");
        self.problems.push(FileProblem::of_file(&self.file, message, "make it a readable text file"));
        self
    }

    /// Whether a path is skipped: it is listed in the file, or a Helm chart.
    pub(super) fn leaves_out(&self, path: &Path, is_folder: bool) -> bool {
        self.names(path, is_folder) || is_folder && self.tree.is_file(&path.join(CHART))
    }

    fn names(&self, path: &Path, is_folder: bool) -> bool {
        self.matcher.as_ref().is_some_and(|matcher| matcher.matched(path, is_folder).is_ignore())
    }

    /// The error for a line that names a part of a tenant's folder; `None` if the path is skipped as a chart.
    pub(super) fn names_ours(&self, path: &Path, tenant: &str) -> Option<FileProblem> {
        let found = self.matcher.as_ref()?.matched(path, self.tree.is_folder(path));
        let line = found.inner().filter(|_| found.is_ignore())?.original();
        let number = self.lines.iter().rposition(|other| other.trim() == line.trim()).unwrap_or(0);
        let message = format!("this line names {}, a part of tenant {tenant}: it is read all the same", shown(path));
        Some(self.at(number, &message, "name nothing in a tenant's folder here; remove the file there instead"))
    }

    fn at(&self, number: usize, message: &str, help: &str) -> FileProblem {
        let mut problem = FileProblem::of_file(&self.file, message, help);
        (problem.line, problem.column) = (u32::try_from(number + 1).unwrap_or(u32::MAX), 1);
        problem
    }
}
