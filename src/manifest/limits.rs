//! The bounds of what is read. Each answers an input that somebody could make; docs/limits.md states
//! them for people.

/// The largest file that is read, in bytes.
pub const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// The largest plan file that is read, in bytes: only digests of it are held.
pub const PLAN_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// How deep maps and lists may be nested in a document.
pub const DEPTH: usize = 200;
/// How many documents a file may hold.
pub const DOCUMENTS: usize = 1_000_000;
/// How many keys and values a document may hold, entries that `<<` brings included.
pub const NODES: usize = 1_000_000;
/// How much text the aliases of a file may repeat, in bytes. Aliases are never expanded but where a
/// string of ours is read, so this is the only way in which a file can become larger in memory.
pub const ALIASED_BYTES: usize = 16 * 1024 * 1024;
/// How deep folders are walked.
pub const FOLDER_DEPTH: usize = 64;
/// How many mistakes of one document are told.
pub const FINDINGS: usize = 100;
/// How many mistakes of one file are told: of invalid documents, and of those that cannot be read.
pub const FILE_FINDINGS: usize = 1_000;
/// How much of a line an error shows, in characters.
pub const EXCERPT: usize = 110;
