//! Workflows of the embedded builder: which connections their steps use. They are another kind of document than the
//! definition of an integration, and only read.

use super::tree::{DefinitionTree, ValueView};
use super::{DefinitionError, MAX_DEPTH};
use std::collections::BTreeSet;

/// Returns what the inputs of a workflow name as a connection: a stable key, the platform's id of a connection, or the
/// id of a customer's credentials.
pub fn workflow_connections(text: &str) -> Result<BTreeSet<String>, DefinitionError> {
    let mut found = BTreeSet::new();
    if let Some(tree) = DefinitionTree::parse(text)? {
        collect(tree.root(), &mut found, MAX_DEPTH);
    }
    Ok(found)
}

fn collect(value: ValueView<'_>, found: &mut BTreeSet<String>, depth: usize) {
    if depth == 0 {
        return;
    }
    if value.text_of("type") == Some("scopedConfigVar") {
        found.extend(value.text_of("value").map(str::to_string));
        return;
    }
    for child in value.items().chain(value.entries().map(|(_, value)| value)) {
        collect(child, found, depth - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_workflow_name_connections_at_any_depth() {
        let text = "definitionVersion: 1\ndefinitionType: workflow\nflow:\n  steps:\n  - name: a\n    inputs:\n      \
                    connection: {type: scopedConfigVar, value: slack-bot}\n    branches:\n    - steps:\n      - inputs: {c: {type: \
                    complex, value: [{type: scopedConfigVar, value: U2N=}]}}\n      - inputs: {c: {type: value, value: not-me}}\n";
        let found: Vec<String> = workflow_connections(text).unwrap().into_iter().collect();
        assert_eq!(found, ["U2N=", "slack-bot"]);
        assert!(workflow_connections("").unwrap().is_empty());
        assert!(workflow_connections("a: [").is_err());
    }
}
