//! Finds and reads manifests in files and folders.

use super::bytes::too_large;
use super::folder_budget::FolderBudget;
use super::problem::FileProblem;
use super::read::{DocumentsRead, read_content_like};
use super::{limits, sniff, threads};
use crate::file_tree::{FileKind, FileTree, TreeEntry};
use crate::io_error;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The content of a folder, at any depth. Links are not followed: only a caller that knows all tenants' folders can
/// decide which tenant their target belongs to.
#[derive(Clone, Debug, Default)]
pub struct FolderContent {
    /// Regular files that are named as manifests, sorted by path.
    pub files: Vec<FoundFile>,
    /// Symbolic links.
    pub links: Vec<PathBuf>,
    /// FIFOs, devices and sockets.
    pub strange: Vec<PathBuf>,
    /// Folders that cannot be listed.
    pub unreadable: Vec<(PathBuf, FileProblem)>,
    /// Entries that `leave_out` excluded.
    pub left_out: Vec<PathBuf>,
    /// The number of other files.
    pub others: usize,
}

/// A regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// The path, relative to the folder as it was given.
    pub path: PathBuf,
    /// The size in bytes.
    pub size: u64,
}

/// Finds the manifests below a folder. `leave_out` is called for each entry, with whether it is a folder.
pub fn find(tree: &FileTree, folder: &Path, leave_out: &dyn Fn(&Path, bool) -> bool) -> FolderContent {
    find_within(tree, folder, leave_out, &mut FolderBudget::default())
}

/// Finds the manifests below a folder, as [`find`], within a budget. Nothing is found of a folder that exceeds it: a part
/// would look like all.
pub fn find_within(
    tree: &FileTree,
    folder: &Path,
    leave_out: &dyn Fn(&Path, bool) -> bool,
    budget: &mut FolderBudget,
) -> FolderContent {
    let mut walk = Walk { tree, leave_out, budget, found: FolderContent::default() };
    walk.folder(folder, 0);
    let Walk { found, budget, .. } = walk;
    match budget.problem(shown(folder)) {
        Some(problem) => {
            FolderContent { unreadable: vec![(folder.to_path_buf(), problem)], ..FolderContent::default() }
        }
        None => found,
    }
}

/// A walk through a folder.
struct Walk<'a> {
    tree: &'a FileTree,
    leave_out: &'a dyn Fn(&Path, bool) -> bool,
    budget: &'a mut FolderBudget,
    found: FolderContent,
}

impl Walk<'_> {
    fn folder(&mut self, path: &Path, depth: usize) {
        if depth > limits::FOLDER_DEPTH {
            return self.unreadable(path, ("folders are nested too deep here", "give a folder further down"));
        }
        match self.tree.entries(path) {
            Ok(entries) => {
                for entry in entries {
                    if !self.budget.take_entry() {
                        return;
                    }
                    self.entry(path, entry, depth);
                }
            }
            Err(error) => self.unreadable(path, cannot_read(path, &error)),
        }
    }

    fn entry(&mut self, folder: &Path, entry: TreeEntry, depth: usize) {
        let name = entry.name.as_encoded_bytes();
        if name.starts_with(b".") {
            return;
        }
        let path = folder.join(&entry.name);
        let kind = match entry.kind {
            Ok(kind) => kind,
            Err(error) => return self.unreadable(&path, cannot_read(&path, &error)),
        };
        if (self.leave_out)(&path, kind == FileKind::Folder) {
            if self.budget.take_file(&path, 0) {
                self.found.left_out.push(path);
            }
            return;
        }
        match kind {
            FileKind::Folder => self.folder(&path, depth + 1),
            FileKind::Submodule => self.unreadable(&path, SUBMODULE),
            FileKind::File if is_manifest(name) => match self.tree.size(&path) {
                Ok(size) if self.budget.take_file(&path, size) => self.found.files.push(FoundFile { path, size }),
                Ok(_) => {}
                Err(error) => self.unreadable(&path, cannot_read(&path, &error)),
            },
            FileKind::File => self.found.others += 1,
            FileKind::Link if self.budget.take_file(&path, 0) => self.found.links.push(path),
            FileKind::Other if self.budget.take_file(&path, 0) => self.found.strange.push(path),
            FileKind::Link | FileKind::Other => {}
        }
    }

    fn unreadable(&mut self, path: &Path, (message, help): (impl Into<String>, impl Into<String>)) {
        if self.budget.take_file(path, 0) {
            self.found.unreadable.push((path.to_path_buf(), FileProblem::of_file(shown(path), message, help)));
        }
    }
}

/// The problem with a submodule of Git.
const SUBMODULE: (&str, &str) = (
    "this is a submodule: what it holds is in another repository",
    "copy its files, or move it out of the tenant's folder",
);

/// Reads files in parallel; the results are in their order.
pub fn read_files(tree: &FileTree, files: &[FoundFile]) -> Vec<DocumentsRead> {
    let nothing = DocumentsRead::default();
    read_files_like(tree, files, |_| &nothing)
}

/// Reads files in parallel; the results are in their order. Documents of the same text as in an earlier reading of
/// their file are taken from there.
pub fn read_files_like<'b>(
    tree: &FileTree,
    files: &[FoundFile],
    before: impl Fn(&Path) -> &'b DocumentsRead + Sync,
) -> Vec<DocumentsRead> {
    let one = |file: &FoundFile| read_file_like(tree, &file.path, before(&file.path));
    let read = |files: &[FoundFile]| files.iter().map(one).collect::<Vec<_>>();
    // Opening a file costs more than reading a few bytes.
    let size = |file: &FoundFile| usize::try_from(file.size).unwrap_or(usize::MAX).saturating_add(4096);
    threads::in_parts(files, size, read).into_iter().flatten().collect()
}

/// Reads files and folders on disk that a person named, and standard input for `-`, each file separately. A path that
/// cannot be read is a problem. Links to files are followed; links to folders are not, within folders.
pub fn read_paths(paths: &[PathBuf], stdin: &mut dyn Read) -> Vec<(PathBuf, DocumentsRead)> {
    let disk = FileTree::default();
    let mut readings = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            readings.push((path.clone(), read_stream("-", stdin)));
        } else if let Err(problem) = named(&disk, path, &mut files) {
            readings.push((path.clone(), DocumentsRead::of_problem(problem, true)));
        }
    }
    let mut all = Vec::new();
    for found in files {
        match found {
            Ok(file) => all.push(file),
            Err(wrong) => {
                let (path, problem) = *wrong;
                readings.push((path, DocumentsRead::of_problem(problem, true)));
            }
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all.dedup();
    let read = read_files(&disk, &all);
    readings.extend(all.into_iter().map(|file| file.path).zip(read));
    readings
}

/// A file to read, or a path that cannot be read.
type ReadFile = Result<FoundFile, Box<(PathBuf, FileProblem)>>;

fn named(disk: &FileTree, path: &Path, files: &mut Vec<ReadFile>) -> Result<(), FileProblem> {
    let problem = |error: io::Error| {
        let (message, help) = cannot_read(path, &error);
        FileProblem::of_file(shown(path), message, help)
    };
    match disk.kind_of_target(path).map_err(problem)? {
        FileKind::File => {
            let size = disk.size(path).map_err(problem)?;
            files.push(Ok(FoundFile { path: path.to_path_buf(), size }));
            return Ok(());
        }
        FileKind::Folder => {}
        _ => return Err(FileProblem::of_file(shown(path), NO_FILE.0, NO_FILE.1)),
    }
    let found = find(disk, path, &|_, _| false);
    files.extend(found.files.into_iter().map(Ok));
    files.extend(found.unreadable.into_iter().map(|unreadable| Err(Box::new(unreadable))));
    files.extend(found.strange.into_iter().map(|path| Err(Box::new((path.clone(), strange(&path))))));
    files.extend(found.links.into_iter().filter_map(|link| named_link(disk, link).transpose()));
    Ok(())
}

/// Handles a link in a folder that a person named.
fn named_link(disk: &FileTree, link: PathBuf) -> Result<Option<FoundFile>, Box<(PathBuf, FileProblem)>> {
    let wrong = |message: &str, help: &str| FileProblem::of_file(shown(&link), message, help);
    let problem = match (disk.kind_of_target(&link), disk.size(&link)) {
        (Ok(FileKind::File), Ok(size)) => {
            let is_read = link.file_name().is_some_and(|name| is_manifest(name.as_encoded_bytes()));
            return Ok(is_read.then_some(FoundFile { path: link, size }));
        }
        (Ok(FileKind::Folder), _) => wrong("this link leads to a folder", "name that folder itself"),
        (Ok(_), Ok(_)) => strange(&link),
        (Err(_), _) | (_, Err(_)) => dangling(&link),
    };
    Err(Box::new((link, problem)))
}

/// The problem with a FIFO, a device or a socket.
pub fn strange(path: &Path) -> FileProblem {
    FileProblem::of_file(
        shown(path),
        "this is no regular file: a FIFO, a device or a socket",
        "take it out of the folder",
    )
}

/// The problem with a link whose target does not exist.
pub fn dangling(link: &Path) -> FileProblem {
    FileProblem::of_file(
        shown(link),
        "this link leads nowhere: its content is unknown",
        "restore what it names, or remove the link",
    )
}

const NO_FILE: (&str, &str) = ("this is no regular file", "give a file or a folder; use `-` to read from a pipe");

/// Reads one regular file. Other files are never opened: reading a FIFO would block.
pub fn read_file(tree: &FileTree, path: &Path) -> DocumentsRead {
    read_file_like(tree, path, &DocumentsRead::default())
}

fn read_file_like(tree: &FileTree, path: &Path, before: &DocumentsRead) -> DocumentsRead {
    let name = shown(path);
    let wrong = |(message, help): (String, String)| {
        DocumentsRead::of_problem(FileProblem::of_file(name.clone(), message, help), true)
    };
    let plain = |(message, help): (&str, &str)| wrong((message.to_string(), help.to_string()));
    let Some(_) = path.to_str() else {
        return plain(("the file's name is no UTF-8", "rename it"));
    };
    match tree.kind_of_target(path) {
        Err(error) => return wrong(cannot_read(path, &error)),
        Ok(FileKind::File) => {}
        Ok(_) => return plain(NO_FILE),
    }
    // A plan file below the root may exceed the size limit, and contains no documents.
    if is_plan(tree, path) {
        return DocumentsRead { other_kinds: 1, files: 1, ..DocumentsRead::default() };
    }
    match tree.size(path) {
        Ok(size) if size > limits::FILE_BYTES => {
            let mut reading = DocumentsRead::of_problem(too_large(&name), true);
            reading.unparsed.iter_mut().for_each(|unparsed| unparsed.unsearched = true);
            reading
        }
        Ok(size) => match tree.bytes(path, size, limits::FILE_BYTES) {
            Ok(bytes) => read_limited(&name, bytes, before),
            Err(error) => wrong(cannot_read(path, &error)),
        },
        Err(error) => wrong(cannot_read(path, &error)),
    }
}

/// Whether a file is a plan as JSON, by its name and its beginning.
fn is_plan(tree: &FileTree, path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json") && tree.open(path).is_ok_and(has_head_of_plan)
}

/// Whether a file on disk begins like a plan.
pub fn begins_as_plan(path: &Path) -> bool {
    File::open(path).is_ok_and(has_head_of_plan)
}

fn has_head_of_plan(file: impl Read) -> bool {
    let mut head = Vec::new();
    file.take(sniff::HEAD).read_to_end(&mut head).is_ok() && sniff::is_plan(&head)
}

/// Reads a stream to its end, up to the size limit of a file.
fn read_stream(name: &str, stream: &mut dyn Read) -> DocumentsRead {
    let mut bytes = Vec::new();
    match stream.take(limits::FILE_BYTES + 1).read_to_end(&mut bytes) {
        Err(error) => {
            let (message, help) = cannot_read(Path::new(name), &error);
            DocumentsRead::of_problem(FileProblem::of_file(name, message, help), true)
        }
        Ok(_) => read_limited(name, bytes, &DocumentsRead::default()),
    }
}

fn read_limited(name: &str, bytes: Vec<u8>, before: &DocumentsRead) -> DocumentsRead {
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= limits::FILE_BYTES => read_content_like(name, bytes.into(), before),
        _ => DocumentsRead::of_problem(too_large(name), true),
    }
}

/// Whether the name of Stablekey's API group occurs in a file that is too large to be read. Assumed for an unreadable
/// file.
pub fn may_be_ours(tree: &FileTree, path: &Path) -> bool {
    let Ok(mut file) = tree.open(path) else { return true };
    let mut part = vec![0; 1 << 20];
    let mut kept = 0;
    loop {
        match file.read(&mut part[kept..]) {
            Err(_) => return true,
            Ok(0) => return false,
            Ok(read) => {
                let end = kept + read;
                if sniff::names_us(&part[..end]) {
                    return true;
                }
                // The name may span two chunks.
                kept = end.min(64);
                part.copy_within(end - kept..end, 0);
            }
        }
    }
}

/// Whether a file with this name is a manifest.
pub fn is_manifest(name: &[u8]) -> bool {
    let ends =
        |ending: &&[u8]| name.len() >= ending.len() && name[name.len() - ending.len()..].eq_ignore_ascii_case(ending);
    [b".yaml".as_slice(), b".yml", b".json"].iter().any(ends)
}

fn cannot_read(path: &Path, error: &io::Error) -> (String, String) {
    let words = io_error::reading(path, error);
    (words.why, words.help)
}

/// A path as shown to people.
pub fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}
