//! In broken files, possible secrets are in no message, no help and no excerpt; and nothing panics.

use crate::manifest::*;
use proptest::prelude::*;

const CANARY: &str = "xq7CANARYz9";

/// A file with the canary at every position where a secret can be.
fn file() -> String {
    format!(
        r#"apiVersion: stablekey.dev/v1alpha1
kind: Connection
metadata:
  name: salesforce-oauth
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{{"spec": {{"inputs": {{"a": "{CANARY}"}}}}}}'
spec:
  stableKey: salesforce-oauth
  title: Salesforce # {CANARY}
  component: {{key: salesforce}}
  type: oauth2
  credentials: OrganizationCustomer
  inputs:
    clientSecret: {{value: {CANARY}}}
    scopes: {{value: "{CANARY} and more", perCustomer: true}}
    password: {CANARY}
    list: [{CANARY}, "{CANARY}"]
    certificate:
      value: |
        -----BEGIN-----
        key: {CANARY}
        "{CANARY}": x
        {CANARY}
    folded:
      vaule: >-
        {CANARY}
        {CANARY}
  test:
    inputs:
      username: {{value: '{CANARY}', secretRef: {{name: a, key: b}}}}
      other:
        secretRef: {CANARY}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  stringData:
    password: {CANARY}
- apiVersion: stablekey.dev/v1alpha1
  kind: CustomerCredentials
  metadata: {{name: a}}
  spec: {{customer: Acme, connection: a, inputs: {{token: {{value: "{CANARY}"}}, x: {{valeu: {CANARY}}}}}}}
---
apiVersion: stablekey.dev/v1alpha1
kind: TenantSync
metadata: {{name: a}}
spec:
  from: a
  to: [b, 1]
  integrations: ["*"]
  overrides:
    - {{tenant: b, stableKey: k, input: url, value: "{CANARY}", reason: r, extra: 1}}
    - tenant: b
      stableKey: k
      input: password
      value: {CANARY}
---
{{"apiVersion": "v1", "kind": "Secret", "data": {{"a": "{CANARY}"}}, "stringData": {{"b": "{CANARY}"}}}}
"#
    )
}

/// A way to break a file, at a position given as a fraction of its length.
#[derive(Clone, Debug)]
enum Break {
    Delete(usize, usize),
    Insert(usize, &'static str),
    DeleteLine(usize),
    RepeatLine(usize),
    SwapLines(usize),
    Indent(usize, &'static str),
    Outdent(usize),
    Truncate(usize),
}

fn breaks() -> impl Strategy<Value = Break> {
    let at = any::<proptest::sample::Index>().prop_map(|index| index.index(1 << 20));
    let inserts = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        ":",
        ": ",
        ",",
        "#",
        " #",
        "\t",
        "\n",
        "\r",
        "- ",
        "? ",
        "|",
        ">",
        "&a ",
        "*a",
        "!t ",
        "---\n",
        "\n---\n",
        "%",
        "@",
        "\\",
        "<<: ",
        "~",
        "\u{feff}",
        "\u{1b}[31m",
        "ä",
        " ",
    ]);
    prop_oneof![
        (at.clone(), 1..8_usize).prop_map(|(at, length)| Break::Delete(at, length)),
        (at.clone(), inserts).prop_map(|(at, text)| Break::Insert(at, text)),
        at.clone().prop_map(Break::DeleteLine),
        at.clone().prop_map(Break::RepeatLine),
        at.clone().prop_map(Break::SwapLines),
        (at.clone(), prop::sample::select(vec![" ", "  ", "\t", "- "])).prop_map(|(at, text)| Break::Indent(at, text)),
        at.clone().prop_map(Break::Outdent),
        at.prop_map(Break::Truncate),
    ]
}

fn apply(text: String, change: &Break) -> String {
    let at = |at: usize| {
        let mut at = at % (text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let lines = |at: usize, change: &dyn Fn(usize, &mut Vec<String>)| {
        let mut lines: Vec<String> = text.split_inclusive('\n').map(String::from).collect();
        if !lines.is_empty() {
            change(at % lines.len(), &mut lines);
        }
        lines.concat()
    };
    match *change {
        Break::Delete(start, length) => {
            let (start, end) = (at(start), at((start % (text.len() + 1) + length).min(text.len())));
            format!("{}{}", &text[..start], &text[end.max(start)..])
        }
        Break::Insert(place, what) => format!("{}{what}{}", &text[..at(place)], &text[at(place)..]),
        Break::DeleteLine(line) => lines(line, &|n, lines| drop(lines.remove(n))),
        Break::RepeatLine(line) => lines(line, &|n, lines| lines.insert(n, lines[n].clone())),
        Break::SwapLines(line) => lines(line, &|n, lines| {
            let other = (n + 1) % lines.len();
            lines.swap(n, other);
        }),
        Break::Indent(line, what) => lines(line, &|n, lines| lines[n].insert_str(0, what)),
        Break::Outdent(line) => {
            lines(line, &|n, lines| lines[n] = lines[n].strip_prefix(' ').unwrap_or(&lines[n]).to_string())
        }
        Break::Truncate(place) => text[..at(place)].to_string(),
    }
}

fn check(text: &str) {
    let reading = read_text("t.yaml", text.to_string());
    let problems = reading.problems();
    // An input name that results from a broken file is shown: nothing identifies it as a value.
    let names = |message: &str| message.split_once("inputs.").is_some_and(|(_, name)| name.contains("CANARY"));
    if problems.iter().any(|problem| names(&problem.message)) {
        return;
    }
    for problem in problems {
        let output = format!("{problem}\n{problem:?}");
        assert!(!output.contains("CANARY"), "told:\n{problem}\n\nof:\n{text}");
        assert!(!output.contains('\u{1b}'), "told:\n{problem}");
    }
}

/// A broken file can turn a value into a name.
#[test]
fn a_password_that_became_a_name_is_not_shown() {
    for key in ["\"xq7CANARYz9\"", "xq7CANARYz9", "CANARY-12345"] {
        check(&format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {{name: a}}\nspec:\n  {key}: {{value: b}}\n"
        ));
    }
}

#[test]
fn a_secret_is_never_shown() {
    let reading = read_text("t.yaml", file());
    assert!(reading.problems().len() > 8, "{}", reading.problems().len());
    check(&file());
}

#[test]
fn a_value_that_lost_its_name_is_not_shown() {
    for entry in ["CANARY", "\"CANARY\"", "? CANARY"] {
        let text = format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {{name: a}}\nspec:\n  from: a\n  to: [b]\n  \
             integrations: [c]\n  overrides:\n  - {{tenant: b, stableKey: k, input: url, {entry}, reason: r}}\n"
        );
        assert!(!read_text("t.yaml", text.clone()).problems().is_empty());
        check(&text);
    }
}

#[test]
fn a_line_that_became_part_of_the_text_before_it_is_not_shown() {
    let file = file();
    let goes_on = |name: &str, value: &str| {
        let line = format!("{name}: {value}\n");
        let at = file.find(&line).expect(name);
        let indent = at - file[..at].rfind('\n').map_or(0, |before| before + 1);
        let after = at + line.len();
        check(&format!("{}{:indent$}  passw {CANARY}\n{}", &file[..after], "", &file[after..]));
    };
    goes_on("apiVersion", "stablekey.dev/v1alpha1");
    goes_on("kind", "Connection");
    goes_on("name", "salesforce-oauth");
    goes_on("stableKey", "salesforce-oauth");
    goes_on("type", "oauth2");
    goes_on("credentials", "OrganizationCustomer");
}

#[test]
fn a_value_after_a_removed_comma_is_not_shown() {
    for entry in ["input: al \"CANARY\"", "input: url value 'CANARY'", "input: u\"CANARY\""] {
        let text = format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {{name: a}}\nspec:\n  from: a\n  to: [b]\n  \
             integrations: [c]\n  overrides:\n  - {{{entry}, reason: r}}\n"
        );
        assert!(!read_text("t.yaml", text.clone()).problems().is_empty());
        check(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_secret_is_never_shown_however_the_file_is_broken(changes in prop::collection::vec(breaks(), 1..5)) {
        // A comment that lost its `#` becomes part of the title, which is public: only this comment can do so.
        let file = file().replace(&format!(" # {CANARY}"), "");
        check(&changes.iter().fold(file, apply));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_bytes("t.yaml", bytes);
    }

    #[test]
    fn no_text_makes_the_reader_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "apiVersion: stablekey.dev/v1alpha1\n", "kind: Connection\n", "metadata: {name: a}\n", "spec:", "\n", "  ", "inputs", ": ",
        "{", "}", "[", "]", "&a ", "*a", "<<: *a", "- ", "? ", "|", ">-", "\"", "'", "#", "\t", "\r", "---", "...", "%YAML 1.2", "!!str ",
        "!x ", "~", "1", "ä", "\u{feff}", "\\", ",", "items:\n", "kind: List\n", "apiVersion: v1\n", "😀",
    ]), 0..40)) {
        check(&parts.concat());
    }
}
