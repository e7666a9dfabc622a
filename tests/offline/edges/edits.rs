//! An edit that will be refused is shown in the plan. Many objects of one file are changed together, each completely or
//! not at all.

use crate::edges::files::*;

/// prod's own file has an anchor.
fn shared() -> Project {
    synced().edit("prod/connections/chat-main.yaml", "title: Chat", "title: &name Chat\n  description: *name").edit(
        "dev/connections/chat-main.yaml",
        "title: Chat",
        "title: Talk",
    )
}

#[test]
fn an_edit_that_will_be_refused_is_in_the_plan() {
    let root = shared();
    let said = root.plan();
    said.exits(3).prints("blocked Connection/chat-main SK0161").prints("spec.title: it is shared by an anchor");
    // Nothing else waits for it, and apply reports the same.
    let root = root.edit("dev/integrations/greet.yaml", "title: greet", "title: Greetings");
    let before = root.read("prod/connections/chat-main.yaml");
    root.run(&["apply", "--yes"]).exits(3).prints("SK0161").does_not_print("error:");
    assert_eq!(root.read("prod/connections/chat-main.yaml"), before);
    assert!(root.read("prod/integrations/greet.yaml").contains("Greetings"));
    // An anchor elsewhere in the document prevents no other edit.
    let root = root.edit("dev/connections/chat-main.yaml", "title: Talk", "title: Chat");
    let root = root.edit("dev/connections/chat-main.yaml", "{value: read}", "{value: read write}").apply();
    assert!(root.read("prod/connections/chat-main.yaml").contains("title: &name Chat\n"));
    root.plan().exits(0);
}

#[test]
fn a_removal_that_will_be_refused_is_in_the_plan() {
    // A list of two integrations, of which the kept one copies a part of the other.
    let list = "\
apiVersion: v1
kind: List
items:
  - apiVersion: stablekey.dev/v1alpha1
    kind: Integration
    metadata: {name: greet}
    spec: &greet
      title: greet
      connections: [{name: Chat, stableKey: chat-main}]
  - apiVersion: stablekey.dev/v1alpha1
    kind: Integration
    metadata: {name: own}
    spec: *greet
";
    let root = synced()
        .with("prod/integrations/greet.yaml", list)
        .with("dev/integrations/other.yaml", &integration("other", "chat-main", ""))
        .without("dev/integrations/greet.yaml");
    root.plan().exits(2).prints("shared by an anchor").prints("1 kept");
    let before = root.read("prod/integrations/greet.yaml");
    root.run(&["apply", "--yes"]).does_not_print("error:");
    assert_eq!(root.read("prod/integrations/greet.yaml"), before);
}

/// In one file: one object changes in two fields, one is removed, one cannot be changed, one is not managed.
#[test]
fn many_objects_of_one_file_are_changed_together() {
    let names = ["a", "b", "c", "d"];
    let all = |text: fn(&str) -> String| names.map(text).join("---\n");
    let root = two_tenants().without("dev/integrations/greet.yaml");
    root.write("dev/integrations/all.yaml", &all(|name| integration(name, "chat-main", "")));
    let root = root.apply();
    for name in names {
        std::fs::remove_file(root.root().join(format!("prod/integrations/{name}.yaml"))).unwrap();
    }
    let licence = "# Licence: ours\n\n";
    let prod = format!("{licence}{}", all(|name| integration(name, "chat-main", "  # stays\n")));
    let prod = prod.replace("title: c", "title: &c c").replace("name: c}", "name: c, labels: {c: *c}}");
    // An alias comes after its anchor.
    let prod = prod.replace("metadata: {name: c, labels: {c: *c}}\n", "").replace(
        "  # stays\n---\napiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {name: d}",
        "  # stays\nmetadata: {name: c, labels: {c: *c}}\n---\napiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {name: d}",
    );
    root.write("prod/integrations/all.yaml", &prod);
    root.plan().exits(0);
    let dev = all(|name| integration(name, "chat-main", ""))
        .replace("title: a", "title: A")
        .replace("title: c", "title: C")
        .replace("metadata: {name: b}", "metadata: {name: b2}");
    root.write("dev/integrations/all.yaml", &dev);
    root.run(&["apply", "--yes"]).exits(3).prints("blocked Integration/c SK0161");
    let is = root.read("prod/integrations/all.yaml");
    assert!(is.starts_with(licence), "{is}");
    assert!(is.contains("title: A\n") && is.contains("title: &c c\n") && is.contains("title: d\n"), "{is}");
    assert!(!is.contains("name: b}"), "{is}");
    assert_eq!(is.matches("# stays").count(), 3, "{is}");
    assert!(root.has("prod/integrations/b2.yaml"));
}

/// Enough new files to be synced together, in a folder that does not exist yet.
#[test]
fn many_new_objects_are_all_created() {
    let count = 600;
    let all: Vec<String> = (0..count).map(|n| connection(&format!("c{n}"))).collect();
    let tenant = "\
apiVersion: stablekey.dev/v1alpha1
kind: Tenant
metadata: {name: prod}
spec: {location: {directory: {path: prod}}, source: {path: declared}}
";
    let root = Project::empty()
        .with("tenants.yaml", tenant)
        .with("prod/README.txt", "ours\n")
        .with("declared/all.yaml", &all.join("---\n"))
        .apply();
    let files = root.files("prod/connections");
    assert_eq!(files.len(), count);
    assert!(root.files("prod").keys().all(|name| !name.contains("stablekey-tmp")));
    root.plan().exits(0);
    // Later ones are added to the existing folder.
    let more: Vec<String> = (0..2 * count).map(|n| connection(&format!("c{n}"))).collect();
    root.write("declared/all.yaml", &more.join("---\n"));
    let root = root.apply();
    assert_eq!(root.files("prod/connections").len(), 2 * count);
}
