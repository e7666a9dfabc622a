//! For every document and every request: the edit is made, and every line that it does not concern keeps its bytes.

use super::super::*;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// A line of a generated document, and the path of its value.
#[derive(Clone, Debug)]
struct Line {
    owner: Vec<String>,
    text: String,
}

/// The lines of one input in a style, at an indentation.
fn input(name: &str, style: u8, indent: usize, owner: &[&str]) -> Vec<Line> {
    let pad = " ".repeat(indent);
    let texts: Vec<String> = match style % 10 {
        0 => vec![format!("{pad}{name}: {{value: \"v: #1\"}}   # why {name}")],
        1 => vec![format!("{pad}{name}:"), format!("{pad}  value: plain text # x")],
        2 => vec![format!("{pad}{name}: {{secretRef: {{name: s, key: 'k'}}}}")],
        3 => vec![
            format!("{pad}\"{name}\": # below"),
            format!("{pad}    secretRef:"),
            format!("{pad}      name: s"),
            format!("{pad}      key: k"),
        ],
        4 => vec![
            format!("{pad}{name}:"),
            format!("{pad}  value: |"),
            format!("{pad}    # no comment"),
            String::new(),
            format!("{pad}    two"),
        ],
        5 => vec![format!("{pad}{name}: {{perCustomer: true}}")],
        6 => vec![
            format!("{pad}{name}:"),
            format!("{pad}  {{"),
            format!("{pad}    value: x, # one"),
            format!("{pad}  }}"),
        ],
        7 => vec![format!("{pad}'{name}' : {{ value : 'it''s' }}")],
        8 => vec![format!("{pad}{name}:"), format!("{pad}  value: \"two"), format!("{pad}    lines\"")],
        _ => vec![format!("{pad}{name}: {{\"value\": \"ä\\u00e4\",}}")],
    };
    let mut path: Vec<String> = owner.iter().map(ToString::to_string).collect();
    path.push(name.to_string());
    texts.into_iter().map(|text| Line { owner: path.clone(), text }).collect()
}

fn owned(owner: &str, text: &str) -> Line {
    let owner = if owner.is_empty() { vec![] } else { owner.split('/').map(String::from).collect() };
    Line { owner, text: text.to_string() }
}

fn noise(kind: u8, indent: usize, owner: &str, number: usize) -> Option<Line> {
    match kind % 6 {
        0 => Some(owned(owner, &format!("{}# note {number}", " ".repeat(indent)))),
        1 => Some(owned(owner, "")),
        2 => Some(owned(owner, "# at the edge")),
        _ => None,
    }
}

/// The fields of spec, each as lines.
fn fields(styles: &[u8], noises: &[u8]) -> Vec<Vec<Line>> {
    let style = |n: usize| styles[n % styles.len()];
    let quiet = |n: usize, indent: usize, owner: &str| noise(noises[n % noises.len()], indent, owner, n);
    let inputs = |names: &[&str], owner: &[&str], indent: usize, seed: usize| {
        let mut lines = Vec::new();
        for (n, name) in names.iter().enumerate() {
            lines.extend(quiet(seed + n, indent, &owner.join("/")));
            lines.extend(input(name, style(seed + n), indent, owner));
        }
        lines
    };
    let mut all = vec![
        vec![owned(
            "spec/title",
            ["  title: CRM", "  title: 'CRM'   # t", "  \"title\": \"CRM\"", "  title: ~"][usize::from(style(0) % 4)],
        )],
        vec![owned(
            "spec/replaces",
            ["  replaces: [a, 'b', c] # r", "  replaces: [ a ]", "  replaces: []"][usize::from(style(1) % 3)],
        )],
        vec![owned("spec/component", "  component: {key: salesforce}")],
    ];
    if style(2) % 3 > 0 {
        let mut lines = vec![owned("spec/inputs", "  inputs: # in")];
        let indent = 3 + usize::from(style(2) % 3);
        lines.extend(inputs(&["a", "b", "c"][..usize::from(1 + style(3) % 3)], &["spec", "inputs"], indent, 4));
        all.push(lines);
    }
    if style(8) % 2 > 0 {
        let mut lines = vec![owned("spec/test", "  test:"), owned("spec/test/inputs", "    inputs:")];
        lines.extend(inputs(&["a"], &["spec", "test", "inputs"], 6, 9));
        all.push(lines);
    }
    if style(10) % 2 > 0 {
        let dash = ["  - ", "    - "][usize::from(style(11) % 2)];
        let pad = " ".repeat(dash.len());
        let mut lines = vec![owned("spec/connections", "  connections:")];
        for (n, name) in ["CRM", "Bus One"].iter().enumerate() {
            lines.extend(quiet(20 + n, dash.len() - 2, "spec/connections"));
            let owner = format!("spec/connections/{name}");
            match style(12 + n) % 3 {
                0 => lines.push(owned(&owner, &format!("{dash}{{name: {name}, stableKey: k}} # {n}"))),
                1 => {
                    lines.push(owned(&owner, &format!("{dash}name: {name}")));
                    lines.push(owned(&owner, &format!("{pad}stableKey: \"k\"")));
                }
                _ => {
                    lines.push(owned(&owner, &format!("{dash}stableKey: k # first")));
                    lines.push(owned(&owner, &format!("{pad}name: '{name}'")));
                }
            }
        }
        all.push(lines);
    }
    all
}

fn document(styles: &[u8], noises: &[u8], order: &[usize]) -> Vec<Line> {
    let mut lines = vec![owned("", "# top"), owned("kind", "kind: X"), owned("spec", "spec:")];
    let mut fields = fields(styles, noises);
    for (n, place) in order.iter().enumerate() {
        let place = place % fields.len();
        let n = n % fields.len();
        fields.swap(n, place);
    }
    for (n, field) in fields.into_iter().enumerate() {
        lines.extend(
            noise(noises[(n + 3) % noises.len()], 2, "spec", 100 + n).map(|line| Line { owner: vec![], ..line }),
        );
        lines.extend(field);
    }
    lines.push(owned("metadata", "metadata:"));
    lines.push(owned("metadata/name", "  name: a # n"));
    lines
}

fn edits() -> impl Strategy<Value = Edit> {
    let inputs = prop::sample::select(vec![
        json!({"value": "new"}),
        json!({"value": "on"}),
        json!({"value": "a: b # c"}),
        json!({"value": "two\nlines\n"}),
        json!({"value": ""}),
        json!({"secretRef": {"name": "s2", "key": "k"}}),
        json!({"perCustomer": true}),
        json!({"value": "https://x.example"}),
    ]);
    let inputs_at = (prop::sample::select(vec!["a", "b", "c", "new", "y"]), prop::bool::ANY, inputs).prop_map(
        |(name, test, value)| (format!("{}/{name}", if test { "spec/test/inputs" } else { "spec/inputs" }), value),
    );
    let others = prop::sample::select(vec![
        ("spec/title", json!("New")),
        ("spec/title", json!("it's \"x\"")),
        ("spec/title", json!("0644")),
        ("spec/description", json!("x\n\ny")),
        ("spec/replaces", json!(["a"])),
        ("spec/replaces", json!(["x", "b", "y", "z"])),
        ("spec/embeddedWorkflows", json!(true)),
        ("metadata/labels/l", json!("1")),
        ("metadata/annotations/stablekey.dev", json!("{\"a\": 1}")),
        ("spec/connections/CRM", json!({"name": "CRM", "stableKey": "k2"})),
        ("spec/connections/New", json!({"name": "New", "stableKey": "k"})),
        ("spec/connections/Bus One", json!({"name": "Bus One", "own": {"component": {"key": "c"}, "type": "t"}})),
    ]);
    let others = others.prop_map(|(path, value)| (path.to_string(), value));
    (prop_oneof![inputs_at, others], prop::bool::weighted(0.3)).prop_map(|((path, value), remove)| {
        let path: Vec<String> = path.split('/').map(String::from).collect();
        if remove { Edit::Remove { path } } else { Edit::Set { path, value } }
    })
}

/// The value that another parser reads.
fn json_of(text: &str) -> Json {
    serde_saphyr::from_str(text).unwrap_or(Json::Null)
}

fn at<'v>(value: &'v Json, path: &[String]) -> Option<&'v Json> {
    path.iter().try_fold(value, |value, step| match value {
        Json::Array(items) => items.iter().find(|item| item["name"] == step.as_str()),
        value => value.get(step),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_are_made_and_touch_no_other_line(
        styles in prop::collection::vec(any::<u8>(), 16),
        noises in prop::collection::vec(any::<u8>(), 24),
        order in prop::collection::vec(any::<usize>(), 6),
        edits in prop::collection::vec(edits(), 1..4),
        (crlf, bom, in_list, end) in any::<(bool, bool, bool, bool)>(),
    ) {
        let newline = if crlf { "\r\n" } else { "\n" };
        let mut lines = document(&styles, &noises, &order);
        let item = in_list.then_some(1);
        if in_list {
            for (n, line) in lines.iter_mut().enumerate() {
                if !line.text.is_empty() && n > 0 {
                    line.text.insert_str(0, if n == 1 { "- " } else { "  " });
                }
            }
            lines.insert(0, owned("", "items:"));
            lines.insert(1, owned("", "- {kind: Secret, data: {a: b}} # other"));
        }
        let mut text: String = lines.iter().map(|line| format!("{}{newline}", line.text)).collect();
        if bom {
            text.insert(0, '\u{feff}');
        }
        let before = format!("first: 1{newline}---{newline}");
        let after = format!("---{newline}last: [ 1 ]{newline}");
        let (whole, range) = if bom { (text.clone(), 0..text.len()) } else {
            // A document begins with its `---`.
            let mark = format!("---{newline}").len();
            let (text, after) = match end {
                true => (text.trim_end_matches(newline), ""),
                false => (text.as_str(), after.as_str()),
            };
            (format!("{before}{text}{after}"), before.len() - mark..before.len() + text.len())
        };
        let edited = edit(&whole, range.clone(), item, &edits);
        prop_assert!(edited.is_ok(), "{edited:?} for {edits:?} of\n{text}");
        let edited = edited.unwrap_or_default();
        let new = &edited[range.start..edited.len() - (whole.len() - range.end)];
        prop_assert_eq!(&edited[..range.start], &whole[..range.start]);

        // Another parser reads the requested values.
        let root = json_of(new);
        let root = if in_list { &root["items"][1] } else { &root };
        for (n, edit) in edits.iter().enumerate() {
            let concerned = edits[n + 1..].iter().any(|later| later.path().starts_with(edit.path()) || edit.path().starts_with(later.path()));
            if !concerned {
                match edit {
                    Edit::Set { path, value } => prop_assert_eq!(at(root, path), Some(value), "{}", new),
                    Edit::Remove { path } => prop_assert_eq!(at(root, path), None, "{}", new),
                }
            }
        }

        // Every line that no edit concerns is unchanged, in order.
        let mut rest = new;
        for line in &lines {
            let concerned = edits.iter().any(|edit| {
                edit.path().starts_with(&line.owner) && !line.owner.is_empty() || line.owner.starts_with(edit.path())
            });
            if !concerned && !line.text.is_empty() {
                let is_last = end && !bom && lines.last().is_some_and(|last| last.text == line.text);
                let whole_line = if is_last { line.text.clone() } else { format!("{}{newline}", line.text) };
                let found = rest.find(&whole_line);
                prop_assert!(found.is_some(), "{:?} is gone from\n{new}\nafter {edits:?} of\n{text}", line.text);
                rest = &rest[found.unwrap_or(0) + whole_line.len()..];
            }
        }
    }

    #[test]
    fn no_text_makes_an_edit_panic_or_lie(
        parts in prop::collection::vec(prop::sample::select(vec![
            "a", "b", "x: ", "a: ", "b: ", "\n", "\r\n", "\r", "  ", "- ", "{", "}", "[", "]", ", ", "&k ", "*k", "<<: *k", "? ", "|\n", ">+\n", "\"", "'", "#", " # c",
            "\t", "!t ", "1", "ä", "\u{feff}", "name: n", "---", "...",
        ]), 0..24),
        which in prop::sample::select(vec!["a", "a/b", "b/n", "x/a/b", "b"]),
        remove in any::<bool>(),
        value in prop::sample::select(vec![json!("v"), json!({"b": "v"}), json!(["v"]), json!(null), json!([]), json!({}), json!("l\nm")]),
    ) {
        let text = parts.concat();
        let path: Vec<String> = which.split('/').map(String::from).collect();
        let edits = [if remove { Edit::Remove { path } } else { Edit::Set { path, value } }];
        for slice in cut(&text) {
            if let Ok(edited) = edit(&text, slice.range.clone(), None, &edits) {
                prop_assert_eq!(cut(&edited).len(), cut(&text).len());
                let _ = edit(&text, slice.range.clone(), Some(0), &edits);
            }
            let _ = remove_document(&text, slice.range, None);
        }
    }
}
