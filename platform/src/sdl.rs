//! Holds the fake's inputs and enums to the published schema, of which only hashes are kept.

use crate::schema;
use graphql_parser::schema::{Definition, TypeDefinition, parse_schema};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// One line for each input and enum of the published schema: its name, and the hash of its fields or values.
const PUBLISHED: &str = include_str!("../sdl.hashes");

/// Where the fake knows more than the published schema: the value `USER` came later.
const NEWER: &[&str] = &["ScopedConfigVariableVariableScope"];

/// Hashes every input and enum: of sorted fields with types and defaults, or of sorted values.
fn hashes(sdl: &str) -> BTreeMap<String, String> {
    let document = parse_schema::<String>(sdl).unwrap();
    let mut hashes = BTreeMap::new();
    for definition in document.definitions {
        let (name, mut lines) = match definition {
            Definition::TypeDefinition(TypeDefinition::InputObject(input)) => {
                let line = |field: &graphql_parser::schema::InputValue<'_, String>| match &field.default_value {
                    Some(default) => format!("{}: {} = {default}", field.name, field.value_type),
                    None => format!("{}: {}", field.name, field.value_type),
                };
                (input.name, input.fields.iter().map(line).collect::<Vec<_>>())
            }
            Definition::TypeDefinition(TypeDefinition::Enum(kind)) => {
                (kind.name, kind.values.into_iter().map(|value| value.name).collect())
            }
            _ => continue,
        };
        lines.sort();
        let hash = Sha256::digest(lines.join("\n"));
        hashes.insert(name, hash.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    hashes
}

fn written(hashes: &BTreeMap<String, String>) -> String {
    hashes.iter().map(|(name, hash)| format!("{name} {hash}\n")).collect()
}

#[test]
fn inputs_and_enums_are_those_of_the_published_schema() {
    let published: BTreeMap<&str, &str> = PUBLISHED.lines().filter_map(|line| line.split_once(' ')).collect();
    let own = hashes(&schema::sdl());
    assert!(own.len() > 40, "{own:?}");
    for (name, hash) in &own {
        match NEWER.contains(&name.as_str()) {
            true => assert_ne!(published.get(name.as_str()), Some(&hash.as_str()), "{name} is no longer newer"),
            false => assert_eq!(published.get(name.as_str()), Some(&hash.as_str()), "{name} differs"),
        }
    }
}

/// With `STABLEKEY_SDL` the hashes are made again from that file; with `STABLEKEY_SDL_WRITE` too they are kept.
#[test]
fn the_hashes_are_those_of_the_schema_file() {
    let Some(path) = std::env::var_os("STABLEKEY_SDL") else { return };
    let made = written(&hashes(&std::fs::read_to_string(path).unwrap()));
    if std::env::var_os("STABLEKEY_SDL_WRITE").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/sdl.hashes"), &made).unwrap();
        return;
    }
    assert_eq!(made, PUBLISHED);
}
