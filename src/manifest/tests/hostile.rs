//! Malicious input: each has a clear error. (Time and memory are measured by `make bench`.)

use super::{of_folder, of_paths};
use crate::file_tree::FileTree;
use crate::manifest::*;
use std::fs::File;
use std::path::Path;

/// The problems of a text.
fn problems_of(bytes: impl Into<Vec<u8>>) -> String {
    let reading = read_bytes("t.yaml", bytes.into());
    assert!(reading.documents.is_empty());
    reading.problems().first().map(ToString::to_string).unwrap_or_default()
}

const HEAD: &str = "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {name: a}\n";

#[test]
fn a_bomb_does_not_go_off() {
    let mut text = String::from(HEAD);
    text.push_str("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{alias}]\n"));
    }
    text.push_str("spec: *a29\n");
    assert!(problems_of(text).contains("has no field `a0`"));
}

#[test]
fn a_bomb_of_merges_does_not_go_off() {
    let mut text = String::from(HEAD);
    let keys: String = (0..2000).map(|n| format!("k{n}: v, ")).collect();
    text.push_str(&format!("base: &base {{{keys}}}\nspec:\n"));
    for n in 0..2000 {
        text.push_str(&format!("  m{n}: {{<<: *base}}\n"));
    }
    assert!(problems_of(text).contains("more than 1000000 keys and values"));
}

#[test]
fn aliases_cannot_make_a_file_large_in_memory() {
    let value = "v".repeat(8000);
    let document = format!(
        "---\napiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {{name: a}}\nspec:\n  from: a\n  to: [b]\n  integrations: [c]\n  overrides:\n  - &o {{tenant: b, stableKey: k, input: i, value: {value}, reason: r}}\n{}",
        "  - *o\n".repeat(255)
    );
    let reading = read_text("t.yaml", document.repeat(30));
    assert!(reading.documents.len() < 15);
    assert!(reading.problems()[0].message.contains("aliases of this file repeat more than 16 MiB"));
}

#[test]
fn many_aliases_are_nothing_special() {
    let text = format!("{HEAD}spec: &s\n  x: [{}]\n", "*s, ".repeat(600));
    assert!(problems_of(text).contains("inside what it repeats"));
    let text = format!("{HEAD}label: &s v\nspec:\n  x: [{}]\n", "*s, ".repeat(600));
    assert!(problems_of(text).contains("no field `label`"));
}

#[test]
fn deep_nesting_is_refused() {
    for text in [
        format!("{HEAD}spec: {}", "[".repeat(20_000)),
        format!("{HEAD}spec: {}", "{a: ".repeat(20_000)),
        format!("{HEAD}spec: {}{}", "[".repeat(20_000), "]".repeat(20_000)),
        format!("{HEAD}spec:\n  {}x", "- ".repeat(20_000)),
        format!("{HEAD}spec:\n  {}x", "? ".repeat(20_000)),
    ] {
        assert!(problems_of(text).contains("nested deeper than 200"));
    }
    let mut text = format!("{HEAD}spec:\n");
    for depth in 1..2_000 {
        text.push_str(&format!("{}a:\n", " ".repeat(depth)));
    }
    assert!(problems_of(text).contains("nested deeper than 200"));
}

#[test]
fn other_encodings_are_named() {
    let utf16 = |text: &str, to: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to).collect::<Vec<u8>>();
    let with_bom = format!("\u{feff}{HEAD}");
    assert!(problems_of(utf16(&with_bom, u16::to_le_bytes)).contains("the file is UTF-16"));
    assert!(problems_of(utf16(&with_bom, u16::to_be_bytes)).contains("the file is UTF-16"));
    assert!(problems_of(utf16(HEAD, u16::to_le_bytes)).contains("the file is UTF-16LE"));
    assert!(problems_of(utf16(HEAD, u16::to_be_bytes)).contains("the file is UTF-16BE"));
    let mut bytes = HEAD.as_bytes().to_vec();
    bytes.extend(b"spec: {title: \xe4}\n");
    let problems = problems_of(bytes);
    assert!(problems.contains("no UTF-8") && problems.contains("t.yaml:4:15"), "{problems}");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let problems = problems_of(format!("{HEAD}spec: {{title: \0}}\n"));
    assert!(problems.contains("NUL byte") && problems.contains("t.yaml:4:15"), "{problems}");
}

#[test]
fn a_line_of_5_megabytes_is_cropped() {
    let problems = problems_of(format!("{HEAD}spec: {{title: {}}}\n", "x".repeat(5_000_000)));
    assert!(problems.contains("spec lacks") && problems.len() < 3_000, "{problems}");
    let problems = problems_of(format!("{HEAD}spec: {{title: \"{}\n", "x".repeat(5_000_000)));
    assert!(problems.contains("a quote is not closed") && problems.len() < 3_000, "{problems}");
    let problems = problems_of(format!("{HEAD}{}: x\n", "k".repeat(5_000_000)));
    assert!(problems.len() < 3_000, "{problems}");
    let problems = problems_of(format!("{HEAD}spec: {{{}}}\n", "title: 1, ".repeat(90_000)));
    assert!(problems.len() < 3_000, "{problems}");
}

#[test]
fn lone_carriage_returns_end_lines() {
    let problems = problems_of(format!("{}spec: {{titel: x}}\r", HEAD.replace('\n', "\r")));
    assert!(problems.contains("spec lacks") && problems.contains("t.yaml:4:1"), "{problems}");
}

#[test]
fn a_file_of_nothing_but_marks_is_read() {
    let reading = read_text("t.yaml", "---\n".repeat(100_000));
    assert_eq!((reading.problems().len(), reading.other_kinds), (0, 0));
    let reading = read_text("t.yaml", "a\n---\n".repeat(1_000_001));
    assert!(reading.problems()[0].message.contains("1000000 is the most"));
}

#[test]
fn a_file_of_1_gigabyte_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.yaml");
    File::create(&path).unwrap().set_len(1 << 30).unwrap();
    for reading in [
        of_folder(folder.path()),
        of_paths(&[path], &mut std::io::empty()),
        of_paths(&["-".into()], &mut std::io::repeat(b'a')),
    ] {
        assert!(reading.problems()[0].message.contains("larger than 64 MiB"));
    }
}

#[cfg(unix)]
#[test]
fn a_fifo_is_never_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let found = find(&FileTree::default(), folder.path(), &|_, _| false);
    assert_eq!((found.strange.as_slice(), found.files.len()), ([path.clone()].as_slice(), 0));
    let reading = of_paths(&[folder.path().into()], &mut std::io::empty());
    assert_eq!(reading.problems().len(), 1);
    let reading = of_paths(&[path, "/dev/zero".into()], &mut std::io::empty());
    assert_eq!(reading.problems().iter().filter(|p| p.message.contains("no regular file")).count(), 2);
}

#[cfg(unix)]
#[test]
fn links_in_a_cycle_end() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let sub = folder.path().join("a/b");
    std::fs::create_dir_all(&sub).unwrap();
    std::fs::write(sub.join("t.yaml"), "a: b\n").unwrap();
    symlink(folder.path(), sub.join("up")).unwrap();
    symlink(Path::new("self.yaml"), sub.join("self.yaml")).unwrap();
    let found = find(&FileTree::default(), folder.path(), &|_, _| false);
    assert_eq!((found.files.len(), found.links.len(), found.unreadable.len()), (1, 2, 0));
}

#[test]
fn many_invalid_documents_are_all_reported() {
    let text = format!("---\n{HEAD}spec: {{titel: x}}\n").repeat(20_000);
    let reading = read_text("t.yaml", text);
    assert_eq!(reading.invalid.len(), 20_000);
}

#[test]
fn of_very_many_problems_the_first_are_reported_and_the_others_counted() {
    let document = format!("{HEAD}spec: {{x: 1}}\n---\n");
    let each = read_text("t.yaml", document.clone()).problems().len();
    let reading = read_text("t.yaml", document.repeat(3000));
    assert_eq!(reading.invalid.len(), 3000);
    let problems = reading.problems();
    assert_eq!(problems.len(), limits::FILE_FINDINGS + 1);
    let omitted = 3000 * each - limits::FILE_FINDINGS;
    let last = problems.last().unwrap();
    assert_eq!(last.message, format!("{omitted} more mistakes of this file are not shown"));
    assert_eq!(last.line, problems[limits::FILE_FINDINGS - 1].line);

    let reading = read_text("t.yaml", "apiVersion: stablekey.dev/v1alpha1\nkind: Conection\n---\n".repeat(3000));
    assert_eq!((reading.unparsed.len(), reading.problems().len()), (1, limits::FILE_FINDINGS + 1));
}
