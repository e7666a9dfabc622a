//! The steps and data sources of definitions, their names and the edits that move them.

use super::super::*;
use super::{all, definition, old};
use crate::manifest::edit_only;

fn users(text: &str) -> Vec<ConnectionUser> {
    Design::read(text.as_bytes()).unwrap().users
}

#[test]
fn a_step_is_named_by_the_end_of_its_path() {
    let steps = "      - name: A\n        steps:\n          - name: B\n        branches:\n          - name: No\n            \
                 steps: [{name: C/D}]\n";
    let users = users(&definition("  []\n", steps));
    let named =
        |wanted: &str| users.iter().filter(|user| user.is_named(wanted)).map(ConnectionUser::path).collect::<Vec<_>>();
    assert_eq!(named("A"), ["F/A"]);
    for name in ["B", "A/B", "F/A/B"] {
        assert_eq!(named(name), ["F/A/B"]);
    }
    for name in ["C/D", "No/C/D", "A/C/D", "A/No/C/D", "F/A/No/C/D"] {
        assert_eq!(named(name), ["F/A/No/C/D"]);
    }
    for name in ["", "D/", "F", "No", "b", "/A", "ranch/C/D"] {
        assert_eq!(named(name), Vec::<String>::new(), "{name:?}");
    }
    assert_eq!(named("D"), ["F/A/No/C/D"]);
}

/// "moves one use at any depth": each use of every definition can be moved, and then the definition says so.
#[test]
fn each_use_of_every_definition_moves_alone() {
    let mut moved = 0;
    for (name, bytes) in all() {
        let Ok(design) = Design::read(&bytes) else { continue };
        let text = to_utf8(&bytes).unwrap().into_owned();
        let paths: Vec<String> = design.users.iter().map(ConnectionUser::path).collect();
        for user in &design.users {
            if paths.iter().filter(|path| **path == user.path()).count() > 1 {
                continue;
            }
            for used in &user.uses {
                let Some(edit) = used.switch("Another one") else { continue };
                let edits = vec![Design::add_variable("Another one", "another"), edit];
                let edited = match edit_only(&text, edits) {
                    Ok(edited) => edited,
                    // An anchor holds the value for other places too.
                    Err(why) if why.to_string().contains("shared by an anchor") => continue,
                    Err(why) => panic!("{name}: {}: {why}", user.path()),
                };
                let now = Design::read(edited.as_bytes()).unwrap();
                assert_eq!(now.variable("Another one").unwrap().stable_key(), Some("another"));
                let of = |design: &Design, with: &str| {
                    let uses = design.users.iter().flat_map(|user| &user.uses);
                    uses.filter(|used| used.variable == with).count()
                };
                assert_eq!(of(&now, "Another one"), 1, "{name}: {}", user.path());
                assert_eq!(of(&now, &used.variable), of(&design, &used.variable) - 1, "{name}: {}", user.path());
                moved += 1;
            }
        }
    }
    assert!(moved > 20, "{moved}");
}

#[test]
fn older_definitions_are_refused() {
    for (name, bytes) in old() {
        assert!(matches!(Design::read(&bytes), Err(DefinitionError::NotDesigned { .. })), "{name}");
    }
}
