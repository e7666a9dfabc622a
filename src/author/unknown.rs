//! What cannot be read is unknown, never absent: whether an unread part of a tenant may hold an object.

use super::error::AuthorError;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::platform::definition::{MAX_BYTES, to_utf8};
use crate::project::Project;
use crate::tenant::directory::disk;
use std::path::Path;

/// The error where a folder of a tenant cannot be read, at its line if that is known.
pub(super) fn unreadable(project: &Project, tenant: &str, why: &str) -> AuthorError {
    let at = project.problems.iter().find(|problem| problem.message == why);
    let why = at.map_or_else(|| why.to_string(), |problem| format!("{}:{}: {why}", problem.file, problem.line));
    AuthorError::Unreadable { what: tenant.to_string(), why }
}

/// Fails if an object that was not found may be in an unread part of a tenant: in a file that may name it.
pub(super) fn is_absent(project: &Project, tenant: &str, id: &ObjectId) -> Result<(), AuthorError> {
    let Some(found) = project.tenants.get(tenant) else { return Ok(()) };
    for read in [found.source.as_ref(), Some(&found.live)].into_iter().flatten() {
        let read = read.as_ref().map_err(|why| unreadable(project, tenant, why))?;
        is_absent_in(&read.inventory, tenant, id)?;
    }
    Ok(())
}

/// Fails if an object that was not found may be in an unread file of a folder that may name it.
pub(super) fn is_absent_in(read: &Inventory, tenant: &str, id: &ObjectId) -> Result<(), AuthorError> {
    check(read, tenant, id, &|file| may_hold(Path::new(file), &id.name))
}

/// Fails if anything of a folder is unread: a name is free only where all is known.
pub(super) fn is_free(read: &Inventory, tenant: &str, id: &ObjectId) -> Result<(), AuthorError> {
    check(read, tenant, id, &|_| true)
}

fn check(read: &Inventory, tenant: &str, id: &ObjectId, may_hold: &dyn Fn(&str) -> bool) -> Result<(), AuthorError> {
    if let Some(why) = read.invalid.get(id) {
        return Err(AuthorError::Unreadable { what: format!("{id} of {tenant}"), why: why.clone() });
    }
    match read.unparsed.iter().find(|file| may_hold(file)) {
        Some(file) => Err(AuthorError::Unreadable { what: file.clone(), why: format!("it may hold {}", id.name) }),
        None => Ok(()),
    }
}

/// Whether a file may hold an object of this name. A text with a backslash may spell it in another way.
fn may_hold(path: &Path, name: &str) -> bool {
    file_text(path).is_none_or(|text| names_key(&text, name) || text.contains('\\'))
}

/// Whether a file may name a stable key: one that is not there may.
pub(super) fn file_names(path: &Path, key: &str) -> bool {
    file_text(path).is_none_or(|text| names_key(&text, key))
}

/// The text of a file; `None` if it cannot be had.
fn file_text(path: &Path) -> Option<String> {
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let bytes = disk::read(path, limit).ok()??;
    to_utf8(&bytes).ok().map(|text| text.to_string())
}

/// Whether a definition may name a stable key.
pub(super) fn may_name(bytes: &[u8], key: &str) -> bool {
    to_utf8(bytes).map_or(true, |text| names_key(&text, key))
}

/// Whether a text names a stable key, as a word of its own.
pub(super) fn names_key(text: &str, key: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.match_indices(key).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + key.len()..));
        !before.is_some_and(|text| text.ends_with(is_part)) && !after.is_some_and(|text| text.starts_with(is_part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_as_a_whole_word() {
        for text in ["crm", "useScopedConfigVar: crm", "{stableKey: crm}", "'crm'", "crm-eu crm", "\ncrm\n"] {
            assert!(names_key(text, "crm"), "{text}");
        }
        for text in ["", "crm-eu", "my_crm", "crms", "CRM"] {
            assert!(!names_key(text, "crm"), "{text}");
        }
        assert!(may_name("crm".as_bytes(), "crm") && !may_name(b"crm2", "crm"));
    }
}
