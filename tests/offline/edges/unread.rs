//! Unread is unknown, never empty: what a file that cannot be read may contain is neither removed, released nor
//! unbound, and the exit code shows it.

use crate::edges::files::*;

#[track_caller]
fn removes_nothing(root: &Project, why: &str) {
    let before = root.files("prod");
    root.plan().exits(1).prints(why);
    let plan = root.plan_json();
    assert!(!actions(&plan).iter().any(|action| action.starts_with("delete")), "{plan:#}");
    root.run(&["apply", "--yes"]).exits(1);
    let after = root.files("prod");
    assert!(before.keys().all(|file| after.contains_key(file)), "{before:?}\n{after:?}");
}

/// An empty or blank file, a dangling link, a link out of the root, a FIFO or a device in a tenant's folder could
/// contain anything.
///
/// "A file within a tenant's folder that … holds nothing but blanks, a dangling link, a link out of the root, a FIFO
/// or a device could hold anything".
#[test]
fn an_unreadable_file_removes_nothing() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("o.yaml"), integration("greet", "chat-main", "")).unwrap();
    let greet = "dev/integrations/greet.yaml";
    let gone = || synced().without(greet);
    removes_nothing(&gone().link("nowhere.yaml", greet), "this link leads nowhere");
    removes_nothing(&gone().link("nowhere", "dev/more"), "this link leads nowhere");
    removes_nothing(&gone().with(greet, "\n \n"), "the file is empty");
    removes_nothing(&gone().with(greet, "a: [\n"), greet);
    let out = outside.path().display().to_string();
    removes_nothing(&gone().link(&format!("{out}/o.yaml"), greet), "leads out of the root");
    removes_nothing(&gone().link(&out, "dev/more"), "leads out of the root");
    let root = gone();
    assert!(std::process::Command::new("mkfifo").arg(root.root().join(greet)).status().unwrap().success());
    removes_nothing(&root, "FIFO");
}

/// An API group that is similar to Stablekey's, or a document whose kind or name cannot be read.
#[test]
fn a_similar_api_group_removes_nothing() {
    let greet = "dev/integrations/greet.yaml";
    for (from, to, why) in [
        ("stablekey.dev/v1alpha1", "stabelkey.dev/v1alpha1", "write `apiVersion: stablekey.dev/v1alpha1`"),
        ("stablekey.dev/v1alpha1", "Stablekey.dev/v1alpha1", "write `apiVersion: stablekey.dev/v1alpha1`"),
        ("stablekey.dev/v1alpha1", "v1alpha1", "write `apiVersion: stablekey.dev/v1alpha1`"),
        ("stablekey.dev/v1alpha1", "stablekey.dev/v9", "there is no version"),
        ("apiVersion: stablekey.dev/v1alpha1\n", "", "has no apiVersion"),
        ("kind: Integration", "kind: Integratoin", "did you mean `Integration`"),
        ("metadata: {name: greet}", "metadata: {}", "metadata.name is missing"),
    ] {
        removes_nothing(&synced().edit(greet, from, to), why);
    }
}

/// A missing folder is reported as SK0131.
///
/// "A folder that is not there".
#[test]
fn a_missing_location_removes_nothing() {
    let root = synced();
    std::fs::rename(root.root().join("dev"), root.root().join("away")).unwrap();
    root.plan().prints("dev is not there").does_not_print("nothing to do: dev");
    // Its files are in no tenant's folder now.
    std::fs::rename(root.root().join("away"), root.root().join(".away")).unwrap();
    removes_nothing(&root, "mkdir -p dev");
    // Git keeps no empty folder.
    root.plan().prints("commit a file in it, such as dev/.gitkeep").prints("touch dev/.gitkeep");
}

#[test]
fn a_missing_source_says_what_to_do() {
    let ours = Tenant::new("ours").in_folder("ours").source("declared").yaml();
    let root = Project::empty().with("tenants.yaml", &ours).with("ours/.gitkeep", "");
    root.plan().exits(1).prints("its source declared is not there").prints("such as declared/.gitkeep");
    root.plan().prints("correct spec.source of the Tenant");
    root.write("declared", "x");
    root.plan().exits(1).prints("its source declared is no folder: move away what has its name");
}

#[test]
fn a_missing_location_of_another_tenant_blocks_nobody() {
    let other = Tenant::new("other").in_folder("other").yaml();
    let root = two_tenants().with("tenants.yaml", &yaml::file(&[tenants_yaml(), other]));
    root.plan().exits(1).prints("unreachable").prints("mkdir -p other");
    let said = root.run(&["apply", "--yes"]);
    said.exits(1).prints("2 done");
    assert!(root.has("prod/integrations/greet.yaml") && !root.has("other"));
}

/// Outside tenants' folders only a broken file that contains `stablekey.dev` counts, and prevents every removal; others
/// are skipped.
///
/// "Outside tenants' folders only an unparsable file in which `stablekey.dev` occurs … counts, and stops removal
/// everywhere; any other is passed over".
#[test]
fn a_broken_file_outside_tenants_removes_nothing_anywhere() {
    let gone = || synced().without("dev/integrations/greet.yaml");
    removes_nothing(&gone().with("more.yaml", "# stablekey.dev\na: [\n"), "more.yaml");
    removes_nothing(&gone().with("more.yaml", "kind: TenantSync\na: [\n"), "more.yaml");
    for theirs in
        ["{{- range . }}\nkind: Deployment\n", "a: [\n", "apiVersion: backstage.io/v1\nkind: Component\nx: [\n"]
    {
        let root =
            gone().with("theirs.yaml", theirs).with("chart/Chart.yaml", "name: x\n").with("chart/t.yaml", "{{ x }}");
        let plan = root.plan_json();
        assert!(actions(&plan).contains(&"delete prod/Integration/greet".to_string()), "{plan:#}");
        root.plan().does_not_print("theirs.yaml");
    }
}

/// A sync that a broken file may contain is not gone.
#[test]
fn an_unreadable_sync_drops_nothing() {
    for broken in [
        "# stablekey.dev\na: [\n".to_string(),
        sync_yaml().replace("to: [prod]", "to: prod"),
        format!("{0}---\n{0}", sync_yaml()),
    ] {
        let root = synced().with("syncs.yaml", &broken).without("dev/integrations/greet.yaml");
        removes_nothing(&root, "syncs.yaml");
        root.plan().does_not_print("is gone").does_not_print("SK0128");
    }
}

fn with_definition(version: &str) -> Project {
    let more = "  definition: {file: greet.definition}\n";
    two_tenants()
        .with("dev/integrations/greet.yaml", &integration("greet", "chat-main", more))
        .with("dev/integrations/greet.definition", &definition("Greet", "7", "chat-main"))
        .apply()
        .with("dev/integrations/greet.definition", &definition("Greet", version, "chat-main"))
}

/// With a definition of an unsupported version bindings are kept, its uses are unknown, it is not copied, and nothing
/// is removed.
#[test]
fn a_definition_of_an_unsupported_version_is_unknown() {
    for version in ["8", "7.0", "seven", "[7]", "{a: b}", "99999999999999999999999", "-7"] {
        let root = with_definition(version);
        removes_nothing(&root, "SK0147");
        root.run(&["status"]).prints("1 1 1/1 ! 1 error");
        assert!(root.read("prod/integrations/greet.definition").contains("definitionVersion: 7"), "{version}");
        // The connection that it may use is kept, although no readable object names it.
        let root = root.edit(
            "dev/integrations/greet.yaml",
            "stableKey: chat-main",
            "own: {component: {key: chat}, type: oauth2}",
        );
        removes_nothing(&root, "SK0147");
    }
}

/// The same for an import: what exists is kept, and the exit code is 1.
#[test]
fn an_import_of_an_unsupported_version_keeps_existing_objects() {
    for version in ["8", "7.0", "seven", "[7]"] {
        let root = two_tenants()
            .without("dev/integrations/greet.yaml")
            .with("v7.yml", &definition("Greet", "7", "chat-main"))
            .with("new.yml", &definition("Greet", version, "chat-main"));
        root.run(&["import", "--tenant", "dev", "v7.yml"]).exits(0);
        let root = root.apply();
        let before = root.files("dev");
        root.run(&["import", "--tenant", "dev", "new.yml"]).exits(1).prints("nothing of it was imported");
        assert_eq!(root.files("dev"), before, "{version}");
        root.plan().exits(0);
    }
}

/// An older format does not show its connections either: bindings are kept.
#[test]
fn an_import_of_an_older_version_unbinds_nothing() {
    let root =
        two_tenants().without("dev/integrations/greet.yaml").with("v7.yml", &definition("Greet", "7", "chat-main"));
    root.run(&["import", "--tenant", "dev", "v7.yml"]).exits(0);
    let root = root.with("v4.yml", &definition("Greet", "4", "chat-main"));
    root.run(&["import", "--tenant", "dev", "v4.yml"]).exits(0);
    assert!(root.read("dev/integrations/greet.yaml").contains("stableKey: chat-main"));
}

/// An integration of the target that cannot be read may use any of its connections.
#[test]
fn a_connection_that_an_unreadable_integration_may_use_is_kept() {
    let root = synced()
        .with("prod/integrations/theirs.yaml", &integration("theirs", "chat-main", "  bogus: true\n"))
        .edit("prod/connections/chat-main.yaml", "spec:\n", "spec:\n  deletionPolicy: Delete\n")
        .without("dev/integrations/greet.yaml")
        .without("dev/connections/chat-main.yaml");
    let plan = root.plan_json();
    assert_eq!(actions(&plan), ["delete prod/Integration/greet"], "{plan:#}");
    root.plan().exits(1).prints("Integration/theirs may use it: what it uses cannot be read");
}

/// Remains of a file parse as well: the text of a link, a pointer to a large file, an encrypted file, half a document.
#[test]
fn a_file_without_a_resource_removes_nothing() {
    let greet = "dev/integrations/greet.yaml";
    let ours = integration("greet", "chat-main", "");
    let item = ours.trim_end().replace('\n', "\n    ");
    for (text, why) in [
        ("../dev/integrations/greet.yaml", "a text and no resource"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0a1b\nsize 120\n", "a pointer of Git LFS"),
        ("$ANSIBLE_VAULT;1.1;AES256\n3834376539\n", "a text and no resource"),
        ("<<<<<<< HEAD\n", "a text and no resource"),
        ("null\n", "holds no document"),
        ("---\n", "holds no document"),
        ("{}\n", "holds no document"),
        ("[]\n", "holds no document"),
        (&format!("- {}", ours.trim_end().replace('\n', "\n  ")), "a list of resources"),
        (&format!("apiVersion: v1\nkind: Lst\nitems:\n  - {item}\n"), "`kind: List`"),
        ("kind: Integratoin\nmetadata: {name: greet}\n", "did you mean `Integration`"),
        ("apiVersion:\nkind: Integration\nmetadata: {name: greet}\n", "has no apiVersion"),
        ("apiVersion: v1\nkind: Integration\nmetadata: {name: greet}\n", "apiVersion: stablekey.dev/v1alpha1"),
        ("metadata: {name: greet}\nspec: {title: Greet}\n", "has no apiVersion"),
        ("Kind: Integration\nmetadata: {name: greet}\n", "`Kind` is not `kind`"),
        ("apiversion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {name: greet}\n", "is not `apiVersion`"),
        ("apiVersion: [stablekey.dev/v1alpha1]\nkind: Integration\nmetadata: {name: greet}\n", "apiVersion is no text"),
    ] {
        removes_nothing(&synced().with(greet, text), why);
    }
    // What certainly belongs to somebody else is skipped, wherever it is.
    for theirs in [
        "- op: replace\n  path: /spec/title\n  value: x\n",
        "resources: [a.yaml]\n",
        "replicas: 2\nimage: {tag: x}\n",
        "# nothing here yet\n",
        "---\n# nothing here either\n",
        "- hosts: all\n  tasks: []\n",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: x}\nspec:\n  healthChecks:\n  - apiVersion: stablekey.dev/v1alpha1\n    kind: Integration\n    name: greet\n",
    ] {
        synced().with("dev/theirs.yaml", theirs).plan().exits(0);
    }
}

/// File extensions are case-insensitive.
#[test]
fn file_extensions_are_case_insensitive() {
    let greet = "dev/integrations/greet.yaml";
    let root = synced();
    std::fs::rename(root.root().join(greet), root.root().join("dev/integrations/greet.YAML")).unwrap();
    root.plan().exits(0);
}

/// Adds a second sync into prod, from a tenant that has greet too.
fn with_a_second_sync(spec: &str) -> Project {
    let side = Tenant::new("side").in_folder("side").yaml();
    let second =
        format!("apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {{name: second}}\nspec: {spec}\n");
    synced()
        .with(
            "tenants.yaml",
            &yaml::file(&[tenants_yaml().replace("acceptFrom: [dev]", "acceptFrom: [dev, side]"), side]),
        )
        .with("second.yaml", &second)
        .with("side/connections/chat-main.yaml", &connection("chat-main"))
        .with("side/integrations/greet.yaml", &integration("greet", "chat-main", ""))
        .without("dev/integrations/greet.yaml")
        .with("dev/integrations/other.yaml", &integration("other", "chat-main", ""))
}

#[track_caller]
fn assert_kept(root: &Project, why: &str) {
    root.plan().prints(why);
    root.run(&["apply", "--yes"]);
    assert!(root.has("prod/integrations/greet.yaml"), "{}", root.plan().all);
}

/// Only a writer that was read completely in this plan can drop an object: until then no other writer may remove it.
///
/// "Only a writer that was read whole in this plan can stop declaring".
#[test]
fn possibly_desired_objects_are_kept() {
    let goes = with_a_second_sync("{from: side, to: [prod], integrations: [\"x*\"]}");
    goes.run(&["apply", "--yes"]);
    assert!(!goes.has("prod/integrations/greet.yaml"), "the test's subject works");
    assert_kept(&with_a_second_sync("{from: side, to: [prod], integrations: [\"*\"], suspend: true}"), "is suspended");
    assert_kept(
        &with_a_second_sync("{from: side, to: [prod], integrations: \"*\"}"),
        "cannot be read, and may declare it",
    );
    assert_kept(&with_a_second_sync("{from: sied, to: [prod], integrations: [\"*\"]}"), "may declare it");
    assert_kept(&with_a_second_sync("{from: side, to: [prd], integrations: [\"*\"]}"), "may declare it");
    let overridden = "{from: side, to: [prod], integrations: [\"*\"], overrides: [{tenant: prod, stableKey: chat-man, input: scopes, value: x, reason: r}]}";
    assert_kept(&with_a_second_sync(overridden), "may declare it");
    let whole = "{from: side, to: [prod], integrations: [\"*\"]}";
    assert_kept(&with_a_second_sync(whole).with("side/broken.yaml", "a: [\n"), "side/broken.yaml");
    let twice = with_a_second_sync(whole);
    let text = twice.read("second.yaml");
    assert_kept(&twice.with("third.yaml", &text), "may declare it");
    // Its own source, where the object's document is invalid.
    let own = with_a_second_sync("{from: side, to: [dev], integrations: [\"x\"]}")
        .edit(
            "tenants.yaml",
            "location: {directory: {path: prod}}",
            "location: {directory: {path: prod}}\n  source: {path: own}",
        )
        .with("own/integrations/greet.yaml", &integration("greet", "chat-main", "    - {name: 5}\n"));
    assert_kept(&own, "own/integrations/greet.yaml");
}

/// A sync that is out of scope counts nevertheless.
#[test]
fn a_narrowed_plan_removes_nothing_of_another_sync() {
    for more in ["", ", suspend: true"] {
        let root = with_a_second_sync(&format!("{{from: side, to: [prod], integrations: [\"*\"]{more}}}"));
        root.run(&["apply", "--yes", "--sync", "up"]);
        assert!(root.has("prod/integrations/greet.yaml"));
    }
}

/// A sync with a misspelled name removes nothing.
#[test]
fn a_sync_with_a_misspelled_name_removes_nothing() {
    for (entry, why) in [("greeet", "greeet, which no integration has"), ("gret*", "gret*, which no integration has")] {
        let root = synced().with("dev/integrations/other.yaml", &integration("other", "chat-main", ""));
        let root = root.edit("syncs.yaml", "[\"*\"]", &format!("[other, \"{entry}\"]"));
        assert_kept(&root, why);
    }
    // An object that was copied and is gone from the source is not a misspelled name.
    let root = synced()
        .with("dev/integrations/other.yaml", &integration("other", "chat-main", ""))
        .edit("syncs.yaml", "[\"*\"]", "[other, greet]")
        .without("dev/integrations/greet.yaml");
    root.run(&["apply", "--yes"]);
    assert!(!root.has("prod/integrations/greet.yaml"));
}

/// The uses of an older definition are unknown: no connection that it may use is removed.
#[test]
fn an_older_definition_may_use_any_connection() {
    for version in ["6", "null", "2"] {
        let root = synced()
            .edit("dev/connections/chat-main.yaml", "spec:", "spec:\n  deletionPolicy: Delete")
            .edit("syncs.yaml", "prune: true", "prune: true, connectionDeletion: Delete")
            .with("prod/integrations/old.definition", &definition("Old", version, "chat-main"))
            .with("prod/integrations/old.yaml", &integration("old", "other", "  definition: {file: old.definition}\n"))
            .with("prod/connections/other.yaml", &connection("other"))
            .with("dev/integrations/new.yaml", &integration("new", "other", ""))
            .with("dev/connections/other.yaml", &connection("other"))
            .without("dev/integrations/greet.yaml");
        root.run(&["apply", "--yes"]).prints("may use it");
        assert!(root.has("prod/connections/chat-main.yaml"), "{version}");
    }
}

/// An emptied lock file is invalid.
#[test]
fn an_emptied_lock_blocks_its_tenant() {
    let root = synced().with("prod/stablekey.lock", "");
    root.plan().exits(1).prints("the file is empty: restore it");
}

/// An import does not create the folder of a source that is gone: what it had before would be removed in its targets.
#[test]
fn an_import_does_not_recreate_the_folder_of_a_source() {
    let root = synced().with("exports/new.yml", &definition("New", "7", "chat-main")).without("dev");
    root.run(&["import", "--tenant", "dev", "exports/new.yml"]).exits(1).prints("prod was copied from it");
    assert!(!root.has("dev"));
    // One that was never copied is created.
    let root = two_tenants().with("exports/new.yml", &definition("New", "7", "chat-main")).without("dev");
    root.run(&["import", "--tenant", "dev", "exports/new.yml"]).exits(0);
    assert!(root.has("dev/integrations/new.yaml"));
}

/// A document whose kind or name cannot be read counts as a file that cannot be parsed: so does a name that no object
/// can have, or that kubectl reads otherwise.
///
/// "A document of ours whose kind or name cannot be read counts as a file that cannot be parsed".
#[test]
fn an_invalid_name_removes_nothing() {
    let greet = "dev/integrations/greet.yaml";
    let long = "g".repeat(300);
    for name in ["Greet", "greet_x", "\"greet \"", "../../evil", "12", "yes", &long] {
        let root = synced().edit(greet, "name: greet}", &format!("name: {name}}}"));
        removes_nothing(&root, greet);
    }
    // In the target nothing is created beside it.
    let file = "prod/integrations/greet.yaml";
    let root = synced();
    let text = root.read(file);
    let root = root.with(file, &text.replace("name: greet", "name: Greet"));
    root.run(&["apply", "--yes"]).exits(1);
    assert_eq!(root.read(file).matches("kind: Integration").count(), 1);
    // A connection whose name does not match its key may mean either.
    let root = synced()
        .edit("syncs.yaml", "prune: true", "prune: true, connectionDeletion: Delete")
        .without("dev/integrations/greet.yaml")
        .with("dev/integrations/other.yaml", &integration("other", "other", ""))
        .with("dev/connections/other.yaml", &connection("other"))
        .edit("dev/connections/chat-main.yaml", "name: chat-main}", "name: chat-mian}");
    root.run(&["apply", "--yes"]).exits(1);
    assert!(root.has("prod/connections/chat-main.yaml"));
}

/// Documents of Stablekey in something that is no `v1` List.
#[test]
fn documents_in_a_wrapper_remove_nothing() {
    let ours = integration("greet", "chat-main", "");
    let items = ours.trim_end().replace('\n', "\n    ");
    for (head, list) in [
        ("kind: List\n", "items"),
        ("apiVersion: v2\nkind: List\n", "items"),
        ("apiVersion: v1\nkind: ConfigMapList\n", "items"),
        ("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", "resources"),
        ("apiVersion: example.dev/v1\nkind: BundleList\nmetadata: {name: b}\n", "items"),
    ] {
        let text = format!("{head}{list}:\n  - {items}\n");
        removes_nothing(&synced().with("dev/integrations/greet.yaml", &text), "holds resources of stablekey.dev");
    }
    let list = format!("apiVersion: v1\nkind: List\nitems:\n  - {items}\n");
    synced().with("dev/integrations/greet.yaml", &list).plan().exits(0);
}

/// A replaced connection is kept while its replacement needs approval, or cannot be written: a second `--yes` sends
/// nothing elsewhere either.
#[test]
fn a_replaced_connection_is_kept_until_its_replacement_exists() {
    let with = |host: &str| {
        two_tenants()
            .edit("syncs.yaml", "prune: true", "prune: true, connectionDeletion: Delete")
            .apply()
            .without("dev/connections/chat-main.yaml")
            .with(
                "dev/connections/new.yaml",
                &connection("new")
                    .replace("https://chat.example", host)
                    .replace("title: Chat\n", "title: Chat\n  replaces: [chat-main]\n"),
            )
    };
    let root = with("https://evil.example");
    for _ in 0..2 {
        root.run(&["apply", "--yes"]).exits(2).prints("needs approval");
        assert!(root.has("prod/connections/chat-main.yaml") && !root.has("prod/connections/new.yaml"));
    }
    let root = with("https://chat.example").with("prod/connections/new.yaml/x", "");
    root.run(&["apply", "--yes"]).exits(1);
    assert!(root.has("prod/connections/chat-main.yaml"));
    let root = with("https://chat.example");
    root.run(&["apply", "--yes"]).exits(0);
    assert!(root.has("prod/connections/new.yaml"));
}

/// If a document of the source is unusable, its desired state is unknown, so the target is not green.
#[test]
fn a_target_with_an_unusable_source_document_is_not_green() {
    let root = synced().edit("dev/connections/chat-main.yaml", "credentials:", "credential:");
    root.plan().exits(1).prints("· prod: nothing to do, as far as is known").does_not_print("✓ prod");
    root.run(&["status"]).does_not_print("prod  ✓").prints("not all that is declared for it could be read");
}

/// Outside tenants' folders, files that only contain Stablekey's resources (values of a chart, a template) are skipped.
#[test]
fn foreign_files_with_resources_outside_tenants_are_skipped() {
    let ours = connection("x").replace('\n', "\n    ");
    let root = synced().with("chart/values.yaml", &format!("extraObjects:\n  - {ours}"));
    root.plan().exits(0);
    let inside = synced().with("prod/values.yaml", &format!("extraObjects:\n  - {ours}"));
    inside.plan().exits(1).prints("SK0124");
}

/// A document that parses and is no resource of any kind counts as a file that cannot be parsed.
///
/// "A document of ours whose kind or name cannot be read counts as a file that cannot be parsed".
#[test]
fn a_document_that_is_no_resource_counts_as_unreadable() {
    for text in [
        "apiVersion: stablek\n",
        "apiVersion:\n",
        "apiVersion: ENC[AES256_GCM,data:x]\nkind: ENC[AES256_GCM,data:y]\nmetadata:\n  name: ENC[x]\nsops:\n  version: 3\n",
        "{\"data\":\"ENC[x]\",\"sops\":{\"version\":\"3\"}}\n",
        "{{ .Files.Get \"greet\" }}\n",
        "404: Not Found\n",
        "Error: template failed\n",
        "{\"message\":\"Not Found\"}\n",
    ] {
        let root = synced()
            .with("dev/integrations/other.yaml", &integration("other", "chat-main", ""))
            .apply()
            .with("dev/integrations/greet.yaml", text);
        root.run(&["apply", "--yes"]).exits(1).prints("SK0124");
        assert!(root.has("prod/integrations/greet.yaml"), "{text}");
    }
}

/// Elsewhere it is skipped.
#[test]
fn a_document_that_is_no_resource_outside_tenants_is_skipped() {
    let root = synced()
        .with("grafana/sources.yaml", "apiVersion: 1\ndatasources: []\n")
        .with("chart/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n")
        .with("settings.yaml", "level: debug\n");
    root.plan().exits(0);
}
