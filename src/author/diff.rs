//! The diff of a file, as a person reads it before the file is written.

use super::file_change::FileChange;
use crate::manifest;
use similar::TextDiff;

/// The lines around a change.
const CONTEXT: usize = 3;

/// The unified diff of one file.
pub(super) fn unified(file: &FileChange) -> String {
    let path = file.path.display();
    let (Some(before), Some(after)) = (text(file, file.before.as_ref()), text(file, file.after.as_ref())) else {
        return format!("Binary file {path} changes\n");
    };
    let name = |content: &Option<Vec<u8>>| match content {
        Some(_) => path.to_string(),
        None => "/dev/null".to_string(),
    };
    let diff = TextDiff::from_lines(&before, &after);
    diff.unified_diff().context_radius(CONTEXT).header(&name(&file.before), &name(&file.after)).to_string()
}

/// The text of a content, in which literal secrets are hidden; `None` if it is not text.
fn text(file: &FileChange, content: Option<&Vec<u8>>) -> Option<String> {
    let text = std::str::from_utf8(content.map_or(&[], Vec::as_slice)).ok()?;
    let is_manifest = file.path.file_name().is_some_and(|name| manifest::is_manifest(name.as_encoded_bytes()));
    Some(if is_manifest { manifest::without_secrets(text) } else { text.to_string() })
}
