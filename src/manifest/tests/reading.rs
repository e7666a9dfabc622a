//! Tests of what is read: documents of every form, files and folders.

use super::{of_folder, of_paths};
use crate::api::{Input, Kind, Resource};
use crate::file_tree::FileTree;
use crate::manifest::*;
use std::fs;
use std::path::{Path, PathBuf};

const SPEC: &str = "spec: {stableKey: a, component: {key: c}, type: t, credentials: Customer}";

fn connection(name: &str) -> String {
    format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {{name: {name}}}\n{}\n",
        SPEC.replace(": a,", &format!(": {name},"))
    )
}

fn names(reading: &DocumentsRead) -> Vec<&str> {
    reading.documents.iter().map(|document| document.resource.metadata().name.as_str()).collect()
}

fn read(text: &str) -> DocumentsRead {
    let reading = read_text("t.yaml", text.to_string());
    assert!(reading.problems().is_empty(), "{}\n{text}", reading.problems()[0]);
    reading
}

#[test]
fn other_kinds_are_passed_over_and_counted() {
    let text = format!(
        "apiVersion: v1\nkind: Secret\n---\n{}---\n{{apiVersion: v1, kind: Pod}}\n---\njust: text\n---\n---\n# nothing\n",
        connection("a")
    );
    let reading = read(&text);
    assert_eq!(names(&reading), ["a"]);
    assert_eq!(reading.other_kinds, 3);
    assert_eq!(reading.documents[0].origin.first_line, 3);
}

/// What `ci plan --report` leaves in the work tree.
#[test]
fn a_report_is_no_manifest() {
    let reading = read_text("report.json", r#"{"exit": 0, "schema": "stablekey.dev/change-report/v1"}"#.to_string());
    assert_eq!((reading.other_kinds, reading.reports), (0, 1));
    assert!(reading.blank.is_empty());
    let reading =
        read_text("x.json", r#"{"apiVersion": "v1", "kind": "Pod", "schema": "stablekey.dev/x"}"#.to_string());
    assert_eq!((reading.other_kinds, reading.reports), (1, 0));
}

#[test]
fn lists_hold_documents() {
    let item = |name: &str| {
        connection(name).lines().map(|line| format!("  {line}\n")).collect::<String>().replacen("  a", "- a", 1)
    };
    let secret = "- {apiVersion: v1, kind: Secret}\n";
    for head in [
        "apiVersion: v1\nkind: List\n",
        "apiVersion: stablekey.dev/v1alpha1\nkind: ConnectionList\nmetadata: {resourceVersion: \"1\"}\n",
    ] {
        let reading = read(&format!("{head}items:\n{}{secret}{}", item("a"), item("b")));
        assert_eq!(names(&reading), ["a", "b"]);
        assert_eq!(reading.other_kinds, 1);
        assert_eq!(reading.documents[1].origin.item, Some(2));
    }
}

#[test]
fn json_is_read() {
    let reading = read_text(
        "t.json",
        "{\n\t\"apiVersion\": \"stablekey.dev/v1alpha1\",\n\t\"kind\": \"Tenant\",\n\t\"metadata\": {\"name\": \"eu\"},\n\t\"spec\": {\"region\": \"\\u00e4\\ud83d\\ude00\\/\", \"location\": {\"directory\": {\"path\": \"eu\"}}}\n}\n".to_string(),
    );
    assert!(reading.problems().is_empty(), "{}", reading.problems()[0]);
    let Resource::Tenant(tenant) = &reading.documents[0].resource else { panic!() };
    assert_eq!(tenant.spec.region.as_deref(), Some("ä😀/"));
}

#[test]
fn what_kubectl_prints_is_accepted() {
    let text = connection("a").replace(
        "metadata: {name: a}",
        "metadata:\n  name: a\n  namespace: prod\n  uid: 1-2\n  generation: 3\n  creationTimestamp: null\n  resourceVersion: \"7\"\n  managedFields: [{manager: kubectl, fieldsV1: {f: {}}}]\n  ownerReferences: []\n  labels: {a: b}\n  annotations: {c: d}",
    ) + "status: {conditions: [], unknown: 1}\n";
    let reading = read(&text);
    assert_eq!(reading.documents[0].namespace.as_deref(), Some("prod"));
    let metadata = reading.documents[0].resource.metadata();
    assert_eq!((metadata.labels["a"].as_str(), metadata.annotations["c"].as_str()), ("b", "d"));
}

#[test]
fn null_is_absent() {
    let reading = read(
        &connection("a").replace("type: t,", "type: t, title: null, description: , inputs: {x: ~}, replaces: null,"),
    );
    let Resource::Connection(c) = &reading.documents[0].resource else { panic!() };
    assert_eq!((&c.spec.title, c.spec.inputs.len()), (&None, 0));
}

#[test]
fn aliases_and_merges_mean_what_they_repeat() {
    let text = connection("a").replace(
        "type: t,",
        "type: t, description: &d hello, title: *d, inputs: {x: &x {value: v}, b: *x, z: {<<: *x}, w: {<<: [*x], perCustomer: null}},",
    );
    let reading = read(&text);
    let Resource::Connection(c) = &reading.documents[0].resource else { panic!() };
    assert_eq!(c.spec.title.as_deref(), Some("hello"));
    for name in ["x", "b", "z", "w"] {
        assert_eq!(c.spec.inputs[name], Input::value("v"), "{name}");
    }
}

#[test]
fn texts_of_every_style_are_texts() {
    let (head, _) =
        connection("a").split_once("spec:").map(|(head, rest)| (head.to_string(), rest.to_string())).unwrap();
    let spec = "\
spec:
  stableKey: a
  component: {key: !!str 12}
  type: 'on'
  credentials: Customer
  title: \"0644\"
  description: |
    yes

    1
  inputs:
    ? a
    : value: >-
        x
        y
";
    let reading = read(&format!("{head}{spec}"));
    let Resource::Connection(c) = &reading.documents[0].resource else { panic!() };
    assert_eq!(c.spec.component.key, "12");
    assert_eq!(c.spec.description.as_deref(), Some("yes\n\n1\n"));
    assert_eq!(c.spec.inputs["a"], Input::value("x y"));
}

#[test]
fn every_scalar_that_kubectl_reads_otherwise_is_refused() {
    for scalar in ["y", "on", "0644", "1e3", "true", "12:30", "1_000", "=", "0x1f", "0b1", "0o7", ".5", ".inf", ".nan"]
    {
        for (from, to) in [
            ("type: t", format!("type: {scalar}")),
            ("type: t", format!("type: t, inputs: {{x: {{value: {scalar}}}}}")),
            ("type: t", format!("type: t, inputs: {{{scalar}: {{value: v}}}}")),
            ("type: t", format!("type: t, replaces: [{scalar}]")),
        ] {
            let reading = read_text("t.yaml", connection("a").replace(from, &to));
            assert_eq!(reading.invalid.len(), 1, "{to}");
            assert!(reading.problems()[0].help.contains("quote it"), "{to}: {}", reading.problems()[0]);
            let quoted = to.replace(scalar, &format!("\"{scalar}\""));
            let reading = read_text("t.yaml", connection("a").replace(from, &quoted));
            assert!(reading.problems().iter().all(|p| !p.help.contains("quote it")), "{quoted}");
        }
    }
}

#[test]
fn one_bad_document_hides_no_other() {
    let text = format!(
        "{}---\na: [\n---\n{}---\n{}",
        connection("a"),
        connection("b"),
        connection("c").replace("type", "typ")
    );
    let reading = read_text("t.yaml", text);
    assert_eq!(names(&reading), ["a", "b"]);
    assert_eq!(reading.unparsed.len(), 1);
    assert_eq!(reading.unparsed[0].problems[0].line, 6);
    assert_eq!((reading.invalid[0].kind, reading.invalid[0].name.as_str()), (Kind::Connection, "c"));
    assert_eq!(reading.invalid[0].problems[0].line, 16);
}

#[test]
fn many_documents_are_read_in_order_on_all_processors() {
    let text: String = (0..5000).map(|n| format!("---\n{}", connection(&format!("c{n}")))).collect();
    let reading = read(&text);
    let expected: Vec<String> = (0..5000).map(|n| format!("c{n}")).collect();
    assert_eq!(names(&reading), expected);
    assert_eq!(reading.documents[4999].origin.first_line, 4999 * 5 + 1);
}

#[test]
fn fields_are_located() {
    let text = "apiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {name: lead}\nspec:\n  title: Lead\n  connections:\n    - {name: CRM, stableKey: a}\n    - name: Bus\n      stableKey: b\n";
    let reading = read(text);
    let at = |path: &[&str]| {
        let p = locate(&reading.documents[0].origin, path).unwrap();
        (p.line, p.column)
    };
    assert_eq!(at(&[]), (1, 1));
    assert_eq!(at(&["spec", "title"]), (5, 10));
    assert_eq!(at(&["spec", "connections"]), (6, 3));
    assert_eq!(at(&["spec", "connections", "Bus"]), (8, 7));
    assert_eq!(at(&["spec", "connections", "Bus", "stableKey"]), (9, 18));
    assert_eq!(at(&["spec", "connections", "0", "stableKey"]), (7, 30));
    assert_eq!(at(&["spec", "definition", "file"]), (4, 1));
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn folders_are_read_recursively_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for (file, name) in [
        ("b.yml", "b"),
        ("a/c.yaml", "c"),
        ("a/d.json", "d"),
        (".git/x.yaml", "x"),
        ("a/.y.yaml", "y"),
        ("z.txt", "z"),
        ("out/o.yaml", "o"),
    ] {
        write(folder.path(), file, &connection(name));
    }
    let out = folder.path().join("out");
    let found = find(&FileTree::default(), folder.path(), &|path, _| path == out);
    assert_eq!((found.left_out, found.others), (vec![out], 1));
    let mut reading = DocumentsRead::default();
    read_files(&FileTree::default(), &found.files).into_iter().for_each(|read| reading.extend(read));
    assert_eq!((names(&reading), reading.files), (vec!["c", "d", "b"], 3));
}

#[test]
fn named_files_folders_and_standard_input_are_read() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.txt", &connection("a"));
    write(folder.path(), "b/b.yaml", &connection("b"));
    let paths =
        [folder.path().join("a.txt"), PathBuf::from("-"), folder.path().join("b"), folder.path().join("none.yaml")];
    let reading = of_paths(&paths, &mut connection("c").as_bytes());
    assert_eq!(names(&reading), ["c", "a", "b"]);
    assert_eq!(reading.unparsed.len(), 1);
    assert!(reading.problems()[0].message.contains("no such file"));
}

#[cfg(unix)]
#[test]
fn links_are_found_and_not_followed_but_where_a_person_names_their_folder() {
    use std::os::unix::fs::symlink;
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(outside.path(), "o.yaml", &connection("o"));
    write(root.path(), "a.yaml", &connection("a"));
    symlink(outside.path().join("o.yaml"), root.path().join("out.yaml")).unwrap();
    symlink(outside.path(), root.path().join("out")).unwrap();
    symlink("gone", root.path().join("dangling.yaml")).unwrap();
    assert_eq!(names(&of_folder(root.path())), ["a"]);
    assert_eq!(find(&FileTree::default(), root.path(), &|_, _| false).links.len(), 3);
    let reading = of_paths(&[root.path().to_path_buf()], &mut std::io::empty());
    assert_eq!(names(&reading), ["a", "o"]);
    let messages: Vec<_> = reading.problems().iter().map(|p| p.message.as_str()).collect();
    assert_eq!(messages, ["this link leads nowhere: its content is unknown", "this link leads to a folder"]);
}

/// "A file … that … holds nothing but blanks" may have contained anything.
#[test]
fn a_file_of_blanks_is_noticed() {
    for text in ["", "\n", " \t\r\n\n", "\u{feff}\n"] {
        assert_eq!(read_text("t.yaml", text.to_string()).blank, ["t.yaml"]);
    }
    assert!(read_text("t.yaml", "# a comment\n".to_string()).blank.is_empty());
}
