//! One file belongs to one tenant.

use crate::edges::files::*;

fn tenants_and(name: &str) -> String {
    yaml::file(&[tenants_yaml(), Tenant::new(name).in_folder(name).yaml()])
}

fn with_canary() -> Project {
    synced().with("tenants.yaml", &tenants_and("canary"))
}

/// A link into another tenant's folder is an error on the link, whichever name comes first, and nothing is removed.
///
/// "A link into another tenant's folder is an error on the link".
#[test]
fn a_link_into_another_tenants_folder_is_an_error_on_the_link() {
    for folder in ["canary", "zulu"] {
        let root = synced()
            .with("tenants.yaml", &tenants_and(folder))
            .link("../dev/integrations/greet.yaml", &format!("{folder}/greet.yaml"));
        root.plan().exits(1).prints(&format!("{folder}/greet.yaml")).prints("leads into the folder of tenant dev");
        assert_eq!(actions(&root.plan_json()), Vec::<String>::new());
        root.run(&["apply", "--yes"]).exits(1);
        assert!(root.has("prod/integrations/greet.yaml"));
    }
}

#[test]
fn a_linked_folder_of_another_tenant_is_an_error_too() {
    let root =
        with_canary().with("canary/a.yaml", "# nothing yet\n").link("../dev/integrations", "canary/integrations");
    root.plan().exits(1).prints("canary/integrations").prints("leads into the folder of tenant dev");
    let root = with_canary().with("canary/a.yaml", "# nothing yet\n").link("..", "canary/all");
    root.plan().exits(1).prints("leads to a folder that holds the folder of tenant");
}

/// A file outside all tenants may be linked from several: it counts in each and is never written through (blocked,
/// naming the tenants that share it).
///
/// "A file outside all tenants may be linked from several: it counts in each and is never written through (blocked,
/// naming who shares it)".
#[test]
fn a_file_outside_all_tenants_counts_in_each_and_is_never_written_through() {
    let root = two_tenants()
        .without("dev/components/chat.yaml")
        .without("prod/components/chat.yaml")
        .with("shared/chat.yaml", &component_yaml())
        .with("shared/chat-main.yaml", &connection("chat-main"))
        .link("../../shared/chat.yaml", "dev/components/chat.yaml")
        .link("../../shared/chat.yaml", "prod/components/chat.yaml")
        .link("../../shared/chat-main.yaml", "prod/connections/chat-main.yaml")
        .apply();
    root.plan().exits(0);
    root.run(&["status"]).exits(0).prints("prod 1 1 1/1 ✓ in sync");
    let root = root.edit("dev/connections/chat-main.yaml", "title: Chat", "title: New");
    let before = root.read("shared/chat-main.yaml");
    let plan = root.plan();
    plan.exits(3)
        .prints("blocked Connection/chat-main SK0146")
        .prints("shared/chat-main.yaml")
        .prints("prod/connections/chat-main.yaml");
    root.run(&["apply", "--yes"]).exits(3);
    assert_eq!(root.read("shared/chat-main.yaml"), before);
}

/// A linked folder, like a library of components.
#[test]
fn a_linked_folder_outside_all_tenants_counts_in_each() {
    let root = two_tenants()
        .without("dev/components")
        .without("prod/components")
        .with("library/components/chat.yaml", &component_yaml())
        .link("../library/components", "dev/components")
        .link("../library/components", "prod/components")
        .apply();
    root.plan().exits(0).does_not_print("outside every tenant's folders");
    // A new component would be written through the link.
    let root = root.with("declared/x.yaml", &component_yaml().replace("chat", "mail"));
    let root = root.edit("tenants.yaml", "path: prod}}", "path: prod}}\n  source: {path: declared}");
    root.run(&["apply", "--yes"]).exits(1).prints("link that leads out of the tenant's folder");
    assert!(!root.has("library/components/mail.yaml"));
}

/// A link within a tenant's own folder is the same file: no object exists twice after an update through it.
#[test]
fn a_link_within_a_tenant_is_the_same_file() {
    let root = synced().link("connections/chat-main.yaml", "prod/alias.yaml").link(".", "prod/loop");
    root.plan().exits(0);
    let root = root.edit("dev/connections/chat-main.yaml", "title: Chat", "title: New").apply();
    assert!(root.read("prod/connections/chat-main.yaml").contains("title: New"));
    assert!(root.root().join("prod/alias.yaml").is_symlink());
    root.plan().exits(0);
}

/// Mounted files are behind hidden names, as Kubernetes mounts ConfigMaps.
#[test]
fn files_below_a_hidden_name_are_read_through_their_links() {
    let root = two_tenants()
        .without("dev/connections/chat-main.yaml")
        .with("dev/connections/..2026/chat-main.yaml", &connection("chat-main"))
        .link("..2026", "dev/connections/..data")
        .link("..data/chat-main.yaml", "dev/connections/chat-main.yaml");
    assert_eq!(actions(&root.plan_json()), ["create prod/Connection/chat-main", "create prod/Integration/greet"]);
}

/// A link counts under its own name if its target's name is not read: production is not deleted through it.
#[test]
fn a_link_to_a_file_of_another_name_is_read() {
    let root = synced().link("greet.tmpl", "dev/integrations/greet2.yaml");
    std::fs::rename(root.root().join("dev/integrations/greet.yaml"), root.root().join("dev/integrations/greet.tmpl"))
        .unwrap();
    root.plan().exits(0);
    assert_eq!(actions(&root.plan_json()), Vec::<String>::new());
    // Two links to one file outside, of which one has no name that is read, and its folder too.
    let root = two_tenants()
        .without("dev/connections/chat-main.yaml")
        .with("shared/chat-main.yaml", &connection("chat-main"))
        .link("../shared/chat-main.yaml", "dev/a")
        .link("../shared/chat-main.yaml", "dev/b.yaml")
        .link("../shared", "dev/c");
    root.plan().exits(2).does_not_print("twice");
}

/// A definition may be a link, as mounted files are, but never into another tenant's folder or out of the root, and it
/// is never written through.
#[test]
fn a_linked_definition_is_read_and_never_written_through() {
    let root = || {
        two_tenants().edit("dev/integrations/greet.yaml", "spec:\n", "spec:\n  definition: {file: greet.definition}\n")
    };
    let theirs = definition("Greet", "7", "chat-main");
    let ok = root()
        .with("shared/greet.definition", &theirs)
        .link("../../shared/greet.definition", "dev/integrations/greet.definition");
    ok.plan().exits(2);
    ok.run(&["apply", "--yes"]).exits(0);
    assert_eq!(ok.read("prod/integrations/greet.definition"), theirs);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("g.definition"), &theirs).unwrap();
    let out = outside.path().join("g.definition").display().to_string();
    root().link(&out, "dev/integrations/greet.definition").plan().exits(1).prints("leads out of the root");
    root().link("nowhere", "dev/integrations/greet.definition").plan().exits(1).prints("leads nowhere");
    let into = root()
        .with("prod/more/g.definition", &theirs)
        .link("../../prod/more/g.definition", "dev/integrations/greet.definition");
    into.plan().exits(1).prints("leads into the folder of another tenant");
    // A target whose own definition is a link gets a new file.
    let linked = two_tenants()
        .edit("dev/integrations/greet.yaml", "spec:\n", "spec:\n  definition: {file: greet.definition}\n")
        .with("dev/integrations/greet.definition", &theirs)
        .apply()
        .with("shared/greet.definition", &theirs)
        .without("prod/integrations/greet.definition")
        .link("../../shared/greet.definition", "prod/integrations/greet.definition")
        .with("dev/integrations/greet.definition", &theirs.replace("name: F", "name: G"));
    linked.run(&["apply", "--yes"]).exits(0);
    assert_eq!(linked.read("shared/greet.definition"), theirs);
}
