//! Reads and writes YAML: documents with positions in files, limits, errors with what to do, and edits in place.
//!
//! A file is cut into documents; each becomes a tree of nodes with positions, is checked against the schema of its
//! kind, and then becomes a resource. There is only one reader: it finds mistakes and reads valid documents.

mod bytes;
mod content;
mod cut;
mod edit;
pub mod editor;
mod files;
mod folder_budget;
mod hidden;
mod json_schema;
pub mod kustomization;
pub mod limits;
mod locate;
mod mask;
mod problem;
mod public;
mod read;
mod scalar;
pub mod scan;
mod schema;
mod shape;
mod sniff;
mod source;
mod syntax;
mod threads;
pub mod tree;
mod typed;
mod words;
mod write;

pub use bytes::is_lfs_pointer;
pub use content::Content;
pub use edit::{DocumentEdit, Edit, EditError, Rewrite, Rewritten, append_document, edit_only, rewrite};
pub use files::{
    FolderContent, FoundFile, begins_as_plan, dangling, find, find_within, is_manifest, may_be_ours, read_file,
    read_files, read_files_like, read_paths, shown, strange,
};
pub use folder_budget::{BudgetExceeded, FolderBudget};
pub use hidden::{Differing, differing, without_secrets};
pub use json_schema::{is_json_schema, json_schema};
pub use locate::{locate, locate_all, problem, text_at, texts_below};
pub use problem::{Excerpt, FileProblem};
pub use public::{InputPlace, PublicLine, PublicParts, ShowsInput, Unshown, public_parts};
pub use read::{DocumentsRead, InvalidDocument, ReadDocument, Unparsed, read_bytes, read_content_like, read_text};
pub use source::{Position, SourceFile, SourcePlace};
pub(crate) use threads::in_parts;
pub use write::{WriteError, to_yaml, value_to_yaml};

#[cfg(test)]
mod tests;
