//! What is fuzzed: each function reads any bytes, and panics where a rule of the reader or the editor does not hold. The
//! fuzzer (`fuzz/`) calls them, and a test calls them with the files of `fuzz/corpus`.

use serde_json::Value;
use stablekey::cli::why_no_plan;
use stablekey::manifest::{DocumentEdit, Edit, Rewrite, read_bytes, read_text, rewrite, to_yaml};
use stablekey::platform::definition;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// The fuzz targets, by name.
pub const TARGETS: [(&str, Target); 4] =
    [("definition", definition), ("editor", editor), ("plan", plan), ("reader", reader)];

/// The manifest reader: a resource that it reads is written, and read again, unchanged.
pub fn reader(bytes: &[u8]) {
    for document in read_bytes("fuzzed.yaml", bytes.to_vec()).documents {
        let Ok(written) = to_yaml(&document.resource) else { continue };
        let again = read_text("written.yaml", written);
        let problems: Vec<String> = again.problems().iter().map(|problem| problem.text(100)).collect();
        assert!(problems.is_empty(), "what was written is not read: {problems:?}");
        assert_eq!(again.documents.first().map(|d| &d.resource), Some(&document.resource), "it is read otherwise");
    }
}

/// The manifest editor. The first line may be an edit, `set PATH JSON` or `remove PATH`; else usual edits are made.
pub fn editor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match edit_of(first) {
        Some(edit) => edited(rest, &edit),
        None => usual_edits().iter().for_each(|edit| edited(text, edit)),
    }
}

fn edit_of(line: &str) -> Option<Edit> {
    let path = |path: &str| path.split('.').map(str::to_string).collect();
    let (verb, rest) = line.split_once(' ')?;
    match verb {
        "set" => {
            let (at, value) = rest.split_once(' ')?;
            let value = serde_json::from_str(value).ok().filter(|value: &Value| !value.is_null())?;
            Some(Edit::Set { path: path(at), value })
        }
        "remove" => Some(Edit::Remove { path: path(rest) }),
        _ => None,
    }
}

fn usual_edits() -> [Edit; 4] {
    let path = |path: &str| path.split('.').map(str::to_string).collect::<Vec<_>>();
    [
        Edit::Set { path: path("spec.inputs.scopes"), value: serde_json::json!({"value": "a: b #"}) },
        Edit::Set { path: path("spec.suspend"), value: Value::Bool(true) },
        Edit::Remove { path: path("spec.title") },
        Edit::Remove { path: path("spec.inputs.scopes") },
    ]
}

/// An edit that is made once more changes nothing more, and the document can still be read as well as before.
fn edited(text: &str, edit: &Edit) {
    let places = read_text("fuzzed.yaml", text.to_string()).documents;
    let mut ranges: Vec<_> = places.iter().map(|place| (place.origin.range.clone(), place.origin.item)).collect();
    if ranges.is_empty() {
        ranges.push((0..text.len(), None));
    }
    for (range, item) in ranges.into_iter().take(2) {
        let what = DocumentEdit::Edit(vec![edit.clone()]);
        let once = rewrite(text, &[Rewrite { range: range.clone(), item, what: what.clone() }]);
        let (Some(after), Some(Ok(()))) = (once.text, once.results.first()) else { continue };
        // The document begins where it began, and what follows it is the same.
        let end = after.len() - (text.len() - range.end);
        assert_eq!(after.get(..range.start), text.get(..range.start), "what precedes the document changed");
        assert_eq!(after.get(end..), text.get(range.end..), "what follows the document changed");
        let twice = rewrite(&after, &[Rewrite { range: range.start..end, item, what }]);
        assert_eq!(twice.results, [Ok(())], "{edit:?} is refused the second time");
        assert_eq!(twice.text.as_deref(), Some(after.as_str()), "{edit:?} changes more the second time");
    }
}

/// The reader of exported definitions: what empties secrets leaves none, and a definition that is as readable.
pub fn definition(bytes: &[u8]) {
    let Ok(read) = definition::read(bytes) else { return };
    if let Ok((emptied, _)) = definition::empty_secrets(bytes) {
        let again = definition::read(&emptied).expect("without its secrets it is not read");
        assert_eq!(again.variables.len(), read.variables.len(), "without its secrets it has other variables");
        let (twice, left) = definition::empty_secrets(&emptied).expect("it is emptied only once");
        assert!(twice == emptied, "emptied again it differs: {left:?}");
    }
    let bindings: Vec<(&str, &str)> = read.variables.iter().map(|v| (v.name.as_str(), "fuzzed-key")).collect();
    if let Ok(bound) = definition::bind(bytes, &bindings) {
        definition::read(&bound).expect("bound it is not read");
    }
}

/// The reader of plan files.
pub fn plan(bytes: &[u8]) {
    drop(why_no_plan(bytes));
}
