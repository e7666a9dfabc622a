//! Exported definitions as samples of foreign YAML: nearly every edit of them succeeds.

use super::super::identity::{IDENTITY, identity};
use super::super::*;
use crate::manifest::tree::Id;
use crate::platform::definition;
use serde_json::json;

/// Every path that an edit can use, and whether a scalar is at its end. The name of an item does not count.
fn paths(tree: &Tree<'_>, id: Id, is_item: bool, path: &mut Vec<String>, out: &mut Vec<(Vec<String>, bool)>) {
    for entry in tree.entries(id) {
        let Some(key) = tree.scalar(entry.key).filter(|key| !is_item || !IDENTITY.contains(key)) else { continue };
        path.push(key.to_string());
        out.push((path.clone(), tree.scalar(entry.value).is_some()));
        paths(tree, entry.value, false, path, out);
        path.pop();
    }
    let mut names = std::collections::HashSet::new();
    for item in tree.items(id) {
        let name = identity(|field| tree.scalar(tree.get(*item, field)?));
        if let Some(name) = name
            && names.insert(name)
        {
            path.push(name.to_string());
            out.push((path.clone(), false));
            paths(tree, *item, true, path, out);
            path.pop();
        }
    }
}

#[test]
fn definitions_can_be_edited() {
    let (mut made, mut refused) = (0, Vec::new());
    let texts =
        definition::tests::all().into_iter().map(|(_, bytes)| definition::to_utf8(&bytes).unwrap().into_owned());
    for text in texts.flat_map(|text| [text.replace("\r\n", "\n"), text.replace("\r\n", "\n").replace('\n', "\r\n")]) {
        let mut all = Vec::new();
        let tree = parse(&text).unwrap();
        paths(&tree, tree.root, false, &mut Vec::new(), &mut all);
        let step = all.len() / 6 + 1;
        for (path, is_scalar) in all.into_iter().step_by(step) {
            let edits = match is_scalar {
                true => vec![
                    Edit::Set { path: path.clone(), value: json!("it's: new") },
                    Edit::Remove { path: path.clone() },
                ],
                false => vec![
                    Edit::Set {
                        path: [path.clone(), vec!["new".into()]].concat(),
                        value: json!({"name": "new", "value": "v"}),
                    },
                    Edit::Remove { path: path.clone() },
                ],
            };
            for change in edits {
                match edit(&text, 0..text.len(), None, std::slice::from_ref(&change)) {
                    Ok(_) => made += 1,
                    Err(error) => refused.push(format!("{error} {change:?}")),
                }
            }
        }
    }
    assert!(made > 500, "{made} made");
    let share = refused.len() * 100;
    assert!(share <= made * 2, "{made} made, {} refused: {:#?}", refused.len(), &refused[..refused.len().min(20)]);
}
