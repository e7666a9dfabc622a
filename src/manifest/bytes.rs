//! Converts bytes to text: only UTF-8, with a clear error for other encodings.

use super::content::Content;
use super::limits;
use super::problem::FileProblem;
use super::source::position;
use std::sync::Arc;

/// The text of a file, or the problem with its bytes, together with them.
pub(super) fn to_text(path: &str, content: Content) -> Result<Arc<String>, Box<(FileProblem, Vec<u8>)>> {
    let bytes = match content {
        Content::Text(text) if other_encoding(text.as_bytes()).is_none() => return Ok(text),
        Content::Text(text) => Arc::unwrap_or_clone(text).into_bytes(),
        Content::Bytes(bytes) => Arc::unwrap_or_clone(bytes),
    };
    if let Some(encoding) = other_encoding(&bytes) {
        let help = format!("save it as UTF-8: iconv -f {encoding} -t UTF-8 {path}");
        let message = format!("the file is {encoding}, and only UTF-8 is read");
        return Err(Box::new((FileProblem::of_file(path, message, help), bytes)));
    }
    String::from_utf8(bytes).map(Arc::new).map_err(|error| {
        let bad = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..bad).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("");
        let place = position(before, 1, before.len());
        let mut problem = FileProblem::of_file(
            path,
            "a byte here is no UTF-8",
            "save the file as UTF-8; if it is no text, keep it out of this folder or name it otherwise",
        );
        (problem.line, problem.column) = (place.line, place.column);
        Box::new((problem, error.into_bytes()))
    })
}

/// Rejects characters that no file may contain.
pub(super) fn check_text(path: &str, text: &str) -> Result<(), FileProblem> {
    if u64::try_from(text.len()).map_or(true, |length| length > limits::FILE_BYTES) {
        return Err(too_large(path));
    }
    if is_lfs_pointer(text.as_bytes()) {
        let help = "keep manifests out of Git LFS: git lfs untrack, then commit the file itself";
        return Err(FileProblem::of_file(path, "this is a pointer of Git LFS: the file itself is not here", help));
    }
    match text.find('\0') {
        None => Ok(()),
        Some(at) => {
            let place = position(text, 1, at);
            let mut problem = FileProblem::of_file(path, "the file holds a NUL byte", "take it away: YAML is text");
            (problem.line, problem.column) = (place.line, place.column);
            Err(problem)
        }
    }
}

/// The problem with a file over the size limit.
pub(super) fn too_large(path: &str) -> FileProblem {
    let most = limits::FILE_BYTES >> 20;
    FileProblem::of_file(path, format!("the file is larger than {most} MiB"), "split it into several files")
}

/// Whether a file is what Git LFS keeps in a commit in place of a file.
pub fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(b"version https://git-lfs.github.com/spec/")
}

fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [0, b, 0, c, ..] if *b != 0 && *c != 0 => Some("UTF-16BE"),
        [b, 0, c, 0, ..] if *b != 0 && *c != 0 => Some("UTF-16LE"),
        _ => None,
    }
}
