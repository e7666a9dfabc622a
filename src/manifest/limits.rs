//! Limits for input. Each protects against an input that somebody could construct; docs/limits.md lists them for
//! people.

/// The maximum size of a file, in bytes.
pub const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// The maximum size of a plan file, in bytes: only digests of it are kept in memory.
pub const PLAN_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// The maximum nesting depth of maps and lists in a document.
pub const DEPTH: usize = 200;
/// The maximum number of documents in a file.
pub const DOCUMENTS: usize = 1_000_000;
/// The maximum number of keys and values in a document, including entries that `<<` merges.
pub const NODES: usize = 1_000_000;
/// The maximum amount of text that the aliases of a file may repeat, in bytes. Aliases are expanded only in strings
/// that are read, so nothing else can make a file larger in memory.
pub const ALIASED_BYTES: usize = 16 * 1024 * 1024;
/// The maximum depth of folders.
pub const FOLDER_DEPTH: usize = 64;
/// The maximum number of files and folders below a folder.
pub const FOLDER_ENTRIES: usize = 1_000_000;
/// The maximum total length of the paths of files below a folder, in bytes.
pub const FOLDER_PATH_BYTES: usize = 64 * 1024 * 1024;
/// The maximum number of reported problems per document.
pub const FINDINGS: usize = 100;
/// The maximum number of reported problems per file: of invalid documents, and of unparsed ones.
pub const FILE_FINDINGS: usize = 1_000;
/// The maximum length of a line in a message, in characters.
pub const EXCERPT: usize = 110;
