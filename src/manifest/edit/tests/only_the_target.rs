//! "Only its target changes; comments, order, quoting, line endings and blank lines of all else stay byte for byte": for
//! every path of the project's examples and definitions, and of real definitions where STABLEKEY_DEFINITIONS names them.

use super::super::identity::{IDENTITY, identity};
use super::super::*;
use crate::manifest::tree::Id;
use crate::platform::definition;
use serde_json::json;
use std::ops::Range;
use std::path::Path;

/// A path that an edit can use.
struct Target {
    path: Vec<String>,
    /// The lines that a change of it may concern, and those that its removal may concern.
    lines: Range<usize>,
    removed: Range<usize>,
    is_scalar: bool,
    is_container: bool,
    in_flow: bool,
    /// Whether its name occurs twice.
    doubled: bool,
}

/// What surrounds a node.
#[derive(Clone, Default)]
struct Around {
    path: Vec<String>,
    /// The lines of the brackets that it stands in: a change may concern the comma of another line.
    brackets: Option<Range<usize>>,
    /// The lines that go with it if it is the only one of its parent, which is not written when it is empty.
    emptied: Option<Range<usize>>,
    doubled: bool,
}

struct Walk<'a> {
    tree: &'a Tree<'a>,
    targets: Vec<Target>,
}

impl Walk<'_> {
    /// The lines from `start` to the end of a node, as the parser reports it.
    fn lines(&self, start: usize, id: Id) -> Range<usize> {
        let text = self.tree.text;
        let mut end = start;
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let span = self.tree.node(id).span();
            end = end.max(text[..span.end].trim_end().len());
            open.extend(self.tree.entries(id).iter().flat_map(|entry| [entry.key, entry.value]));
            open.extend(self.tree.items(id));
        }
        let line = text[..start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let mut end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
        // Blank lines belong to the text of `|+`.
        while text[start..end].contains(['+']) && text[end..].lines().next().is_some_and(|line| line.trim().is_empty())
        {
            end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
        }
        line..end
    }

    fn target(&mut self, name: &str, start: usize, id: Id, around: &Around) {
        let node = self.tree.node(id);
        let own = self.lines(start, id);
        let lines = around.brackets.clone().unwrap_or_else(|| own.clone());
        let removed = around.emptied.clone().unwrap_or_else(|| lines.clone());
        let path = [around.path.as_slice(), &[name.to_string()]].concat();
        let is_flow = matches!(node.kind, NodeKind::Map { flow: true, .. } | NodeKind::List { flow: true, .. });
        let below = Around {
            path: path.clone(),
            brackets: around.brackets.clone().or(is_flow.then_some(own)),
            emptied: (self.tree.entries(id).len().max(self.tree.items(id).len()) == 1).then(|| removed.clone()),
            doubled: around.doubled,
        };
        self.targets.push(Target {
            path,
            lines,
            removed,
            is_scalar: matches!(node.kind, NodeKind::Scalar { .. }),
            is_container: !matches!(node.kind, NodeKind::Scalar { .. } | NodeKind::Alias(_)),
            in_flow: around.brackets.is_some() || is_flow,
            doubled: around.doubled,
        });
        self.below(id, &below);
    }

    fn below(&mut self, id: Id, around: &Around) {
        for entry in self.tree.entries(id).to_vec() {
            if let Some(key) = self.tree.scalar(entry.key).map(String::from) {
                self.target(&key, self.tree.node(entry.key).span().start, entry.value, around);
            }
        }
        let name = |item: &Id| identity(|field| self.tree.scalar(self.tree.get(*item, field)?)).map(String::from);
        let names: Vec<Option<String>> = self.tree.items(id).iter().map(name).collect();
        for (item, name) in self.tree.items(id).to_vec().into_iter().zip(&names) {
            let Some(name) = name else { continue };
            let is_twice = names.iter().flatten().filter(|other| *other == name).count() > 1;
            let around = Around { doubled: around.doubled || is_twice, ..around.clone() };
            self.target(name, self.tree.node(item).span().start, item, &around);
        }
    }
}

/// The files: names and texts.
fn files() -> Vec<(String, String)> {
    fn yaml(folder: &Path, out: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                yaml(&path, out);
            } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json" || e == "definition") {
                out.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut files: Vec<(String, String)> = definition::tests::all()
        .into_iter()
        .map(|(name, bytes)| (name, definition::to_utf8(&bytes).unwrap().into_owned()))
        .collect();
    yaml(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), &mut files);
    assert!(files.len() > 30, "{}", files.len());
    files
}

/// Whether all lines of `old` are in `new`, in this order.
fn has_all_lines(new: &str, old: &str) -> bool {
    let mut new = new.lines();
    old.lines().all(|line| new.any(|other| other == line))
}

#[test]
fn only_the_target_changes() {
    let (mut made, mut refused) = (0, Vec::new());
    for (name, text) in files() {
        let lf = text.replace("\r\n", "\n");
        let lf = lf.trim_start_matches('\u{feff}');
        let versions = [lf.to_string(), lf.replace('\n', "\r\n"), lf.trim_end().to_string(), format!("\u{feff}{lf}")];
        for text in versions {
            for slice in cut(&text) {
                let Ok(tree) = parse(&text[slice.range.clone()]) else { continue };
                let mut walk = Walk { tree: &tree, targets: Vec::new() };
                walk.below(tree.root, &Around::default());
                let step = walk.targets.len() / 12 + 1;
                for target in walk.targets.iter().step_by(step) {
                    for change in changes(target) {
                        match edit(&text, slice.range.clone(), None, std::slice::from_ref(&change)) {
                            Ok(new) => {
                                made += 1;
                                verify(&name, &text, &new, slice.range.start, target, &change);
                            }
                            Err(EditError::At { why, .. })
                                if target.doubled && matches!(*why, EditError::Doubled { .. }) => {}
                            Err(EditError::At { why, .. }) if *why == EditError::Name => {}
                            Err(error) => refused.push(format!("{name}: {error} {change:?}")),
                        }
                    }
                }
            }
        }
    }
    assert!(made > 2_000, "{made} made");
    assert!(
        refused.len() * 100 <= made * 3,
        "{made} made, {} refused: {:#?}",
        refused.len(),
        &refused[..refused.len().min(20)]
    );
}

fn changes(target: &Target) -> Vec<Edit> {
    let mut changes = vec![Edit::Remove { path: target.path.clone() }];
    if target.is_scalar && !target.path.last().is_some_and(|last| IDENTITY.contains(&last.as_str())) {
        changes.push(Edit::Set { path: target.path.clone(), value: json!("it's: new") });
    }
    if target.is_container {
        let path = [target.path.clone(), vec!["new".to_string()]].concat();
        changes.push(Edit::Set { path, value: json!({"name": "new", "value": "v"}) });
    }
    changes
}

/// Verifies that the text outside the lines of the target is the same.
fn verify(name: &str, old: &str, new: &str, start: usize, target: &Target, change: &Edit) {
    let whole = format!("{name}: {change:?}");
    let lines = if matches!(change, Edit::Remove { .. }) { &target.removed } else { &target.lines };
    let (from, mut to) = (start + lines.start, start + lines.end);
    let mut head = &old[..from];
    if to == old.len() {
        // The last line of a file without a line break takes the one before it.
        head = head.trim_end_matches(['\n', '\r']);
    }
    assert!(new.starts_with(head), "{whole} changes what precedes it");
    if old[from..].trim_start_matches([' ', '\u{feff}']).starts_with("- ") {
        // After a dash, the next entry takes the place of the first.
        to += old[to..].len() - old[to..].trim_start_matches(' ').len();
    }
    assert!(new.ends_with(&old[to..]), "{whole} changes what follows it");
    let is_added = matches!(change, Edit::Set { path, .. } if path.len() > target.path.len());
    let was_in_braces = old[from..to].split(" #").next().unwrap().trim_end().ends_with(['}', ']']);
    if is_added && !target.in_flow && !was_in_braces {
        let new = &new[head.len()..new.len() - (old.len() - to)];
        assert!(has_all_lines(new, &old[from..to]), "{whole} changes other lines:\n{new}");
    }
    if old.contains("\r\n") {
        assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "{whole} mixes line breaks");
    }
}
