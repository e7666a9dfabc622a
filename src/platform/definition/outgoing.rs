//! A definition as it is sent to the platform: bound, with its title, and for another stack with the latest versions of
//! components. All other bytes are unchanged.

use super::tree::ValueView;
use super::{DefinitionError, bind, parse, spliced};
use std::collections::BTreeMap;
use std::ops::Range;

/// The version of a component that is the newest of the stack.
const LATEST: &str = "LATEST";

/// What a definition is sent with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outgoing<'a> {
    /// Variables and the stable keys that they are bound to.
    pub bindings: &'a [(&'a str, &'a str)],
    /// The title, if it is another than the definition has.
    pub title: Option<&'a str>,
    /// Whether components are named by their latest version: another stack has other numbers.
    pub is_latest: bool,
}

/// The text of a definition as it is sent.
pub fn outgoing(bytes: &[u8], with: &Outgoing<'_>) -> Result<String, DefinitionError> {
    let bound = bind(bytes, with.bindings)?;
    let text = super::to_utf8(&bound)?;
    let tree = parse(&text)?;
    let mut edits: BTreeMap<usize, (Range<usize>, String)> = BTreeMap::new();
    let mut edit = |value: ValueView<'_>, with: String| {
        let cannot = DefinitionError::CannotEdit { line: value.line() };
        let range = value.written().ok_or(cannot)?;
        edits.insert(range.start, (range, with));
        Ok::<(), DefinitionError>(())
    };
    if let (Some(title), Some(name)) = (with.title, tree.root().get("name"))
        && name.text().map(str::trim) != Some(title)
    {
        edit(name, serde_json::Value::from(title).to_string())?;
    }
    if with.is_latest {
        let mut versions = Vec::new();
        component_versions(tree.root(), &mut versions);
        for version in versions.into_iter().filter(|version| version.text() != Some(LATEST)) {
            edit(version, LATEST.to_string())?;
        }
    }
    spliced(&text, edits)
}

/// The versions of components that a value names.
fn component_versions<'t>(value: ValueView<'t>, found: &mut Vec<ValueView<'t>>) {
    for item in value.items() {
        component_versions(item, found);
    }
    for (name, value) in value.entries() {
        if name.text() == Some("component") && value.get("key").is_some() {
            found.extend(value.get("version"));
        }
        component_versions(value, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "definitionVersion: 7\nname: Order Sync # the title\nrequiredConfigVars:\n- key: CRM\n  dataType: \
                        connection\n  useScopedConfigVar: crm\nflows:\n- name: F\n  steps:\n  - name: S\n    action:\n      \
                        key: a\n      component: {key: http, version: 12, isPublic: true}\n";

    #[test]
    fn only_what_is_meant_is_another() {
        let sent = |with: &Outgoing<'_>| outgoing(TEXT.as_bytes(), with).unwrap();
        assert_eq!(sent(&Outgoing::default()), TEXT);
        let with = Outgoing { bindings: &[("CRM", "sales")], title: Some("Orders: new"), is_latest: true };
        let expected = TEXT
            .replace("Order Sync #", "\"Orders: new\" #")
            .replace("useScopedConfigVar: crm", "useScopedConfigVar: sales")
            .replace("version: 12", "version: LATEST");
        assert_eq!(sent(&with), expected);
        assert_eq!(sent(&Outgoing { title: Some("Order Sync"), ..Outgoing::default() }), TEXT);
    }
}
