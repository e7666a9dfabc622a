//! Workflows of the embedded builder: which connections their steps use. They are another kind of document than the
//! definition of an integration, and only read.

use super::tree::{DefinitionTree, ValueView};
use super::{DefinitionError, MAX_DEPTH};
use std::collections::BTreeSet;

/// What the inputs of a workflow name as connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowConnections {
    /// A stable key, the platform's id of a connection, or the id of a customer's credentials, each.
    pub names: BTreeSet<String>,
    /// Whether an input names a connection in another way, or deeper than is read.
    pub has_others: bool,
}

/// Reads which connections a workflow names.
pub fn workflow_connections(text: &str) -> Result<WorkflowConnections, DefinitionError> {
    let mut found = WorkflowConnections::default();
    if let Some(tree) = DefinitionTree::parse(text)? {
        collect(tree.root(), &mut found, MAX_DEPTH);
    }
    Ok(found)
}

fn collect(value: ValueView<'_>, found: &mut WorkflowConnections, depth: usize) {
    if depth == 0 {
        found.has_others = true;
        return;
    }
    if value.text_of("type") == Some("scopedConfigVar") {
        match value.text_of("value") {
            Some("") => {}
            Some(name) => drop(found.names.insert(name.to_string())),
            None => found.has_others = true,
        }
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
        let found = workflow_connections(text).unwrap();
        assert_eq!(found.names.into_iter().collect::<Vec<_>>(), ["U2N=", "slack-bot"]);
        assert!(!found.has_others);
        assert_eq!(workflow_connections("").unwrap(), WorkflowConnections::default());
        assert!(workflow_connections("a: [").is_err());
        for other in ["{key: slack}", "[a]"] {
            let text = format!("flow:\n- {{type: scopedConfigVar, value: {other}}}\n");
            assert!(workflow_connections(&text).unwrap().has_others, "{other}");
        }
    }
}
