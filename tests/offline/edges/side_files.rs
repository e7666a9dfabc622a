//! A definition is written to a free name, or to the file that only this object names; it is removed only when no
//! object names it.

use crate::edges::files::*;

fn with_definition(file: &str) -> String {
    format!("  definition: {{file: {file}}}\n")
}

/// A create never overwrites a file that another object names.
#[test]
fn a_definition_is_created_under_a_free_name() {
    let root = two_tenants()
        .with("prod/integrations/other.yaml", &integration("other", "chat-main", &with_definition("greet.definition")))
        .with("prod/integrations/greet.definition", &definition("Other", "7", "chat-main"))
        .with("prod/integrations/greet-2.definition", "nobody's, and left alone\n")
        .with("dev/integrations/greet.yaml", &integration("greet", "chat-main", &with_definition("greet.definition")))
        .with("dev/integrations/greet.definition", &definition("Greet", "7", "chat-main"))
        .apply();
    assert!(root.read("prod/integrations/greet.definition").contains("name: Other"));
    assert_eq!(root.read("prod/integrations/greet-2.definition"), "nobody's, and left alone\n");
    assert!(root.read("prod/integrations/greet-3.definition").contains("name: Greet"));
    assert!(root.read("prod/integrations/greet.yaml").contains("file: greet-3.definition"));
    root.plan().exits(0);
}

/// Two integrations with one file: a removal keeps it, an update gets a new name, and both reach a stable state.
fn shared() -> Project {
    two_tenants()
        .with("dev/integrations/greet.yaml", &integration("greet", "chat-main", &with_definition("both.definition")))
        .with("dev/integrations/leave.yaml", &integration("leave", "chat-main", &with_definition("both.definition")))
        .with("dev/integrations/both.definition", &definition("Both", "7", "chat-main"))
        .apply()
        .without("prod/integrations/leave.definition")
        .edit("prod/integrations/leave.yaml", "leave.definition", "greet.definition")
}

#[test]
fn a_shared_definition_is_kept_while_it_is_named() {
    let root = shared().without("dev/integrations/greet.yaml").apply();
    assert!(!root.has("prod/integrations/greet.yaml"));
    assert!(root.has("prod/integrations/greet.definition"));
    root.plan().exits(0);
    let root = root.without("dev/integrations/leave.yaml");
    let said = root.plan();
    let digest =
        said.all.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap_or_else(|| panic!("{}", said.all));
    root.run(&["apply", "--approve", digest]).exits(0);
    assert!(!root.has("prod/integrations/greet.definition"));
}

#[test]
fn a_shared_definition_is_changed_under_a_new_name() {
    let root = shared().with("dev/integrations/new.definition", &definition("New", "7", "chat-main"));
    let root = root.edit("dev/integrations/greet.yaml", "both.definition", "new.definition").apply();
    assert!(root.read("prod/integrations/greet.definition").contains("name: Both"));
    assert!(root.read("prod/integrations/greet-2.definition").contains("name: New"));
    root.plan().exits(0);
}

/// Two synced integrations with one file reach a stable state.
#[test]
fn two_integrations_on_one_file_settle() {
    let root = shared().edit("dev/integrations/both.definition", "name: Both", "name: Changed").apply();
    root.plan().exits(0);
    // No unused file is left.
    let definitions = root.files("prod/integrations").into_keys().filter(|file| file.ends_with(".definition"));
    assert_eq!(definitions.count(), 2);
    let again = root.files("prod");
    let root = root.apply();
    assert_eq!(root.files("prod"), again);
}

/// `import` too.
#[test]
fn an_import_overwrites_no_shared_definition() {
    let root = two_tenants()
        .with("dev/integrations/other.yaml", &integration("other", "chat-main", &with_definition("wave.definition")))
        .with("dev/integrations/wave.definition", &definition("Other", "7", "chat-main"))
        .with("in.yml", &definition("Wave", "7", "chat-main"));
    root.run(&["import", "--tenant", "dev", "in.yml"]).exits(0);
    assert!(root.read("dev/integrations/wave.definition").contains("name: Other"));
    assert!(root.read("dev/integrations/wave-2.definition").contains("name: Wave"));
}
