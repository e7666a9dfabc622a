use super::super::*;
use super::{all, folder};
use proptest::prelude::*;
use std::ops::Range;
use std::sync::LazyLock;

const CANARY: &str = "canary-5ecret-in-a-coal-mine";

fn parsed(text: &str) -> tree::DefinitionTree<'_> {
    let Ok(Some(tree)) = tree::DefinitionTree::parse(text) else { panic!("{text}") };
    tree
}

/// The rest of a text without these ranges.
fn without(text: &str, parts: &[Range<usize>]) -> Vec<String> {
    let starts = std::iter::once(0).chain(parts.iter().map(|part| part.end));
    let ends = parts.iter().map(|part| part.start).chain([text.len()]);
    starts.zip(ends).map(|(start, end)| text[start..end].to_string()).collect()
}

/// Each emptied scalar is `""`, and all other bytes are unchanged.
#[test]
fn only_emptied_scalars_differ() {
    for (file, bytes) in all() {
        let (after, emptied) = empty_secrets(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(empty_secrets(&after).unwrap(), (after.clone(), vec![]), "{file}");
        let (before, after) = (to_utf8(&bytes).unwrap(), String::from_utf8(after).unwrap());
        let (old, new) = (parsed(&before), parsed(&after));
        assert_eq!(old.scalars().count(), new.scalars().count(), "{file}");
        let differing: Vec<_> =
            old.scalars().zip(new.scalars()).filter(|(old, new)| old.text() != new.text()).collect();
        let lines: Vec<usize> = differing.iter().map(|(old, _)| old.line()).collect();
        assert_eq!(lines, emptied.iter().map(|e| e.line).collect::<Vec<_>>(), "{file}");
        let cut = |text: &str, written: Vec<Range<usize>>| without(text, &written);
        let old = cut(&before, differing.iter().map(|(old, _)| old.written().unwrap()).collect());
        let written: Vec<_> = differing.iter().map(|(_, new)| new.written().unwrap()).collect();
        assert!(written.iter().all(|range| &after[range.clone()] == "\"\""), "{file}");
        assert_eq!(old, cut(&after, written), "{file}");
    }
}

#[test]
fn binding_nothing_changes_nothing() {
    for (file, bytes) in all() {
        assert_eq!(bind(&bytes, &[]).unwrap(), bytes, "{file}");
    }
}

#[test]
fn binding_changes_only_the_variables() {
    for (file, bytes) in all() {
        let before = read(&bytes).unwrap();
        let names: Vec<(&str, &str)> = before.variables.iter().map(|v| (v.name.as_str(), "a-Key_1")).collect();
        let bound = bind(&bytes, &names).unwrap_or_else(|error| panic!("{file}: {error}"));
        let after = read(&bound).unwrap();
        assert_eq!(after.uses.variables, before.uses.variables, "{file}");
        assert_eq!(after.uses.flows, before.uses.flows, "{file}");
        assert!(
            after
                .variables
                .iter()
                .all(|v| matches!(&v.shape, VariableShape::Reusable { stable_key } if stable_key == "a-Key_1"))
        );
        assert!(
            after
                .variables
                .iter()
                .map(|v| (&v.name, v.visible_to_customer))
                .eq(before.variables.iter().map(|v| (&v.name, v.visible_to_customer)))
        );
        // Variables on a single line are skipped below.
        let text = to_utf8(&bytes).unwrap();
        let on_one_line = |entry: tree::ValueView<'_>| !text[entry.start()..entry.end()].trim_end().contains('\n');
        if variables::connections(parsed(&text).root()).any(on_one_line) {
            continue;
        }
        // Every remaining line occurs in the old text, in the same order, except for the bound fields.
        let mut old = text.lines();
        for line in String::from_utf8(bound).unwrap().lines() {
            let field = line.trim_start().trim_start_matches("- ").trim_end_matches(',');
            assert!(field == "useScopedConfigVar: a-Key_1" || old.any(|other| other == line), "{file}: {line}");
        }
    }
}

#[test]
fn a_canary_in_every_input_of_every_connection_is_nowhere_left() {
    for (file, bytes) in all() {
        let text = to_utf8(&bytes).unwrap();
        let tree = parsed(&text);
        let mut places: Vec<Range<usize>> = Vec::new();
        for entry in variables::connections(tree.root()) {
            for (name, input) in entry.get("inputs").into_iter().flat_map(|inputs| inputs.entries()) {
                if variables::is_secret_input(name.text().unwrap(), input) {
                    places.extend(variables::literal(input).map(|literal| literal.written().unwrap()));
                }
            }
        }
        places.sort_by_key(|place| place.start);
        let mut canaried = text.to_string();
        for place in places.iter().rev() {
            canaried.replace_range(place.clone(), &format!(" {CANARY}"));
        }
        let (after, emptied) = empty_secrets(canaried.as_bytes()).unwrap();
        assert!(emptied.len() >= places.len(), "{file}: {emptied:?}\n{canaried}");
        assert!(!String::from_utf8(after).unwrap().contains(CANARY), "{file}");
        let read = read(canaried.as_bytes()).unwrap();
        assert!(!format!("{emptied:?} {read:?}").contains(CANARY), "{file}");
    }
}

/// The definitions that are mutated. They are read once: a law of texts does not read a disk for each of its cases.
static TO_MUTATE: LazyLock<Vec<(String, Vec<u8>)>> =
    LazyLock::new(|| [all(), folder("newer"), folder("refused")].concat());

/// Mutations: bytes are removed, inserted, doubled.
fn mutated(bytes: &[u8], edits: &[(usize, u8, u8)]) -> Vec<u8> {
    const TELLING: [&[u8]; 12] = [b"\n", b": ", b"- ", b"\"", b"'", b"{", b"}", b"[", b"|\n", b"&a ", b"*a", b"#"];
    let mut bytes = bytes.to_vec();
    for (at, what, how) in edits {
        let at = at % (bytes.len() + 1);
        let to = (at + usize::from(*what)).min(bytes.len());
        match how % 4 {
            0 => drop(bytes.drain(at..to)),
            1 => bytes.insert(at, *what),
            2 => drop(bytes.splice(at..at, bytes[at..to].to_vec())),
            _ => drop(bytes.splice(at..at, TELLING[usize::from(*what) % TELLING.len()].iter().copied())),
        }
    }
    bytes
}

/// Reading, emptying and binding return a result; the result of emptying has the same value.
fn survives(bytes: &[u8]) {
    let _ = uses(bytes);
    if let Ok((after, emptied)) = empty_secrets(bytes) {
        let (again, left) = empty_secrets(&after).unwrap();
        assert!(left.is_empty() && again == after, "{left:?} after {emptied:?}");
    }
    if let Ok(read) = read(bytes) {
        for variable in &read.variables {
            if let Ok(bound) = bind(bytes, &[(&variable.name, "k")]) {
                let after = uses(&bound).unwrap();
                assert_eq!((after.variables, after.flows), (read.uses.variables.clone(), read.uses.flows.clone()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(name: x\n)?(flows: )?[-a-z&*!|>'\"{}\\[\\]:,#? \n\t]{0,200}") {
        survives(text.as_bytes());
    }

    #[test]
    fn no_mutation_of_a_definition_makes_it_panic(
        pick in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..8),
    ) {
        survives(&mutated(&pick.get(&TO_MUTATE).1, &edits));
    }
}
