//! The diff of a file, as a person reads it before the file is written.

use super::file_change::FileChange;
use crate::manifest;
use crate::platform::definition;
use similar::TextDiff;

/// The lines around a change.
const CONTEXT: usize = 3;

/// The unified diff of one file.
pub(super) fn unified(file: &FileChange) -> String {
    let path = file.path.display();
    let (Some(before), Some(after)) = (text(file, file.before.as_ref()), text(file, file.after.as_ref())) else {
        return format!("{path} changes; its content is not shown\n");
    };
    let name = |content: &Option<Vec<u8>>| match content {
        Some(_) => path.to_string(),
        None => "/dev/null".to_string(),
    };
    let diff = TextDiff::from_lines(&before, &after);
    diff.unified_diff().context_radius(CONTEXT).header(&name(&file.before), &name(&file.after)).to_string()
}

/// The text of a content, in which literal secrets are hidden; `None` if it is not text, or a definition in which secrets
/// cannot be told from the rest.
fn text(file: &FileChange, content: Option<&Vec<u8>>) -> Option<String> {
    let Some(bytes) = content else { return Some(String::new()) };
    if definition::read(bytes).is_ok() {
        return definition::empty_secrets(bytes).ok().and_then(|(emptied, _)| String::from_utf8(emptied).ok());
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let is_manifest = file.path.file_name().is_some_and(|name| manifest::is_manifest(name.as_encoded_bytes()));
    let is_definition = file.path.extension().is_some_and(|extension| extension == "definition");
    match (is_manifest, is_definition) {
        (true, _) => Some(manifest::without_secrets(text)),
        (false, true) => None,
        (false, false) => Some(text.to_string()),
    }
}
