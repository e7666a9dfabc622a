//! The identity of list items: by which an edit finds one of them.

use super::EditError;

/// The fields that identify an item, the first that it has: variables, steps and flows have a `name`; a definition's
/// config variables and a component's types have a `key`.
pub(super) const IDENTITY: [&str; 2] = ["name", "key"];

/// Lists of items that have an identity.
pub(super) const KEYED_LISTS: [&str; 5] = ["connections", "requiredConfigVars", "flows", "steps", "types"];

/// The identity of an item, given its fields that are strings.
pub(super) fn identity<T>(string: impl Fn(&str) -> Option<T>) -> Option<T> {
    IDENTITY.into_iter().find_map(string)
}

/// The index of the item with this identity. Two of them are an error: an edit would change only one.
pub(super) fn position<'n>(
    identities: impl IntoIterator<Item = Option<&'n str>>,
    name: &str,
) -> Result<Option<usize>, EditError> {
    let mut of_name = identities.into_iter().enumerate().filter(|(_, identity)| *identity == Some(name));
    match (of_name.next(), of_name.next()) {
        (_, Some(_)) => Err(EditError::Doubled { name: name.to_string() }),
        (found, None) => Ok(found.map(|(index, _)| index)),
    }
}
