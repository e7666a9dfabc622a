//! A Tenant, TenantSync or location that is wrong (duplicate, misplaced, unreadable, out of the root, within another
//! tenant's folder, through a link out of the root) stops that tenant or sync completely.

use crate::edges::files::*;

/// A root without a Tenant is an error of every command, also inside a tenant's folder.
#[test]
fn a_root_with_no_tenant_is_an_error() {
    let root = two_tenants();
    std::fs::create_dir(root.root().join("empty")).unwrap();
    for command in ["plan", "apply", "status", "validate"] {
        root.run(&[command, "empty"]).exits(1).prints("there is no Tenant in empty or below it").does_not_print("✓");
        root.run(&[command, "dev"]).exits(1).prints("there is one in").does_not_print("✓");
    }
    root.run(&["validate", "dev/components/chat.yaml"]).exits(0);
    let file = |name: &str| root.root().join(name).display().to_string();
    root.run(&["validate", &file("dev/components"), &file("dev/connections")]).exits(0);
}

/// Misplaced documents have no effect: an editor of dev's folder decides nothing about prod.
///
/// "Misplaced … neither holds".
#[test]
fn a_tenant_and_a_sync_in_a_tenants_folder_have_no_effect() {
    let theirs = "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: prod}\nspec: {location: {directory: {path: prod}}, acceptFrom: [dev], policy: {actions: [Create, Update, Delete]}}\n---\n";
    let root = two_tenants()
        .edit("tenants.yaml", "  acceptFrom: [dev]\n  policy: {actions: [Create, Update, Delete]}\n", "")
        .without("syncs.yaml")
        .with("dev/aaa.yaml", &format!("{theirs}{}", sync_yaml()));
    let said = root.plan();
    said.exits(1)
        .prints("Tenant/prod lies inside a folder of tenant dev")
        .prints("TenantSync/up lies inside a folder of tenant dev");
    assert_eq!(actions(&root.plan_json()), Vec::<String>::new());
    root.run(&["apply", "--yes"]).exits(1);
    assert!(!root.has("prod/integrations"));
    // The same with a sync in its proper place: prod is as its own document says.
    let root = root.with("syncs.yaml", &sync_yaml()).edit("dev/aaa.yaml", &sync_yaml(), "");
    root.plan().exits(1).prints("prod does not accept syncs from dev");
}

/// Nor has a Tenant in dev's folder that claims the folder with the others.
#[test]
fn a_tenant_that_claims_the_folder_of_the_tenants_has_no_effect() {
    for path in ["envs", "."] {
        let root = two_tenants().without("tenants.yaml").with("envs/tenants.yaml", &tenants_yaml()).with(
            "dev/aaa.yaml",
            &format!("apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: evil}}\nspec: {{location: {{directory: {{path: {path}}}}}}}\n"),
        );
        root.plan().exits(1).prints("Tenant/evil");
        assert!(!actions(&root.plan_json()).iter().any(|action| action.contains("evil/")));
    }
}

/// A sync that names a target twice is an error at the line of the second, and does nothing.
#[test]
fn a_sync_with_a_duplicate_target_has_no_effect() {
    let spec = "spec:\n  from: dev\n  to:\n  - prod\n  - prod\n  integrations: ['*']\n";
    let twice = format!("{}{spec}", sync_yaml().split("spec:").next().unwrap());
    let root = two_tenants().with("syncs.yaml", &twice);
    root.plan().exits(1).prints("each tenant may be listed once in `to`").prints("syncs.yaml:8");
    assert_eq!(actions(&root.plan_json()), Vec::<String>::new());
}

/// Of two documents with one name neither counts, each is reported at its line, and nothing else follows from it.
///
/// "Of two of one name neither holds".
#[test]
fn duplicate_documents_have_no_effect() {
    let tenants = tenants_yaml();
    let prod = tenants.split("---\n").nth(1).unwrap();
    let root = synced().with("more.yaml", prod).edit("dev/connections/chat-main.yaml", "title: Chat", "title: New");
    let said = root.plan();
    said.exits(1).prints("Tenant/prod is there twice").prints("more.yaml:3").prints("tenants.yaml:8");
    for cascade in ["outside every tenant's folders", "is not there, which", "does not accept", "SK0126", "SK0128"] {
        said.does_not_print(cascade);
    }
    assert_eq!(actions(&root.plan_json()), Vec::<String>::new());
    let root =
        synced().with("more.yaml", &sync_yaml()).edit("dev/connections/chat-main.yaml", "title: Chat", "title: New");
    root.plan().exits(1).prints("TenantSync/up is there twice").does_not_print("SK0128");
    assert_eq!(actions(&root.plan_json()), Vec::<String>::new());
}

/// An invalid Tenant's folder is known nevertheless, so nothing else follows from it.
#[test]
fn an_invalid_tenant_is_blocked_completely() {
    let root = synced().edit("tenants.yaml", "acceptFrom: [dev]", "acceptFrom: [dev]\n  bogus: 1");
    let said = root.plan();
    said.exits(1)
        .prints("has no field `bogus`")
        .prints("its Tenant is invalid")
        .does_not_print("outside every tenant's folders");
    let root = synced().with("tenants.yaml", "# stablekey.dev\n a: [\n");
    root.plan().exits(1).prints("tenants.yaml").does_not_print("outside every tenant's folders");
}

/// A location out of the root, by its path or through a link, is not opened.
#[test]
fn a_location_out_of_the_root_is_not_opened() {
    let outside = tempfile::tempdir().unwrap();
    let out = outside.path().display().to_string();
    for path in ["../outside", "/tmp", "linked", "linked/deeper", "."] {
        let root = two_tenants().link(&out, "linked").edit("tenants.yaml", "path: prod}", &format!("path: {path}}}"));
        let said = root.plan();
        said.exits(1).prints("prod").does_not_print("✓ dev and prod");
        assert_eq!(actions(&root.plan_json()), Vec::<String>::new(), "{path}");
        root.run(&["apply", "--yes"]).exits(1);
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "{path}");
    }
}

/// Two tenants with one location or one source are errors on both; so are nested folders, also through links, and a
/// source that is another tenant's location.
///
/// "Two tenants with one location or one source are errors on both".
#[test]
fn overlapping_folders_block_both_tenants() {
    let prod = "location: {directory: {path: prod}}";
    for (location, link) in [
        ("location: {directory: {path: dev}}", false),
        ("location: {directory: {path: ./dev}}", false),
        ("location: {directory: {path: dev/prod}}", false),
        ("location: {directory: {path: alias}}", true),
        ("location: {directory: {path: prod}}\n  source: {path: dev}", false),
        ("location: {directory: {path: prod}}\n  source: {path: prod}", false),
    ] {
        let root = two_tenants().edit("tenants.yaml", prod, location);
        let root = if link { root.link("dev", "alias") } else { root };
        let said = root.plan();
        said.exits(1).prints("give each tenant, and each source, a folder of its own");
        assert_eq!(actions(&root.plan_json()), Vec::<String>::new(), "{location}");
    }
}

/// A Tenant without `location`, or with a `secretRef` as kubeconfig, and a TenantSync that names one, are for clusters:
/// they are skipped and counted in the first line, and do not change the exit code.
#[test]
fn tenants_for_clusters_are_skipped_and_counted() {
    let hub = "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: hub}\nspec: {region: us}\n---\napiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: far}\nspec: {location: {kubernetes: {namespace: x, kubeconfig: {secretRef: {name: k, key: far}}}}}\n---\napiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {name: hub-to-far}\nspec: {from: hub, to: [far], integrations: [\"*\"]}\n";
    let root = synced().with("hub.yaml", hub);
    let said = root.plan();
    said.exits(0).prints("3 Tenants and TenantSyncs for clusters passed over");
    let first = said.out.lines().next().unwrap_or_default();
    assert!(first.contains("for clusters"), "{}", said.all);
    let root = Project::empty().with("hub.yaml", hub);
    root.plan().exits(1).prints("are for clusters");
}

/// `.stablekeyignore` may name nothing within a tenant's folder (an error at its line).
///
/// "may name nothing within a tenant's folder (an error at its line)".
#[test]
fn ignored_files_are_not_read_and_no_tenant_can_be_ignored() {
    let stray = connection("stray");
    let root = synced().with("clusters/us/stray.yaml", &stray);
    root.plan().exits(1).prints("outside every tenant's folders");
    let root = root.with(".stablekeyignore", "# what Flux applies\n/clusters/\n");
    root.plan().exits(0);
    for line in ["dev/integrations/", "greet.yaml", "dev", "dev/**"] {
        let root = synced().with(".stablekeyignore", &format!("# comment\n{line}\n"));
        root.plan().exits(1).prints(".stablekeyignore:2").prints("tenant dev");
        assert_eq!(actions(&root.plan_json()), Vec::<String>::new(), "{line}");
    }
}

/// An import does not write into a folder that may belong to another tenant.
#[test]
fn an_import_writes_into_no_possibly_foreign_folder() {
    let with = |root: Project| root.with("in.yml", &definition("Wave", "7", "chat-main"));
    let linked = with(two_tenants()).link("prod", "new");
    linked.run(&["import", "--tenant", "new", "in.yml"]).exits(1).prints("is a folder of tenant prod");
    assert!(!linked.has("prod/integrations"));
    let broken = with(two_tenants()).with("more.yaml", "# stablekey.dev\na: [\n");
    broken.run(&["import", "--tenant", "new", "in.yml"]).exits(1).prints("more.yaml cannot be read");
    let twice = with(two_tenants()).with("more.yaml", tenants_yaml().split("---\n").nth(1).unwrap());
    twice.run(&["import", "--tenant", "prod", "in.yml"]).exits(1).prints("its Tenant is there 2 times");
    assert!(!twice.has("prod/integrations") && !broken.has("new"));
}

/// With `--source`, documents in the tenant's own source still belong to that tenant.
#[test]
fn documents_of_an_unused_source_belong_to_its_tenant() {
    let root = two_tenants()
        .edit(
            "tenants.yaml",
            "location: {directory: {path: prod}}",
            "location: {directory: {path: prod}}\n  source: {path: own}",
        )
        .with("own/components/chat.yaml", &component_yaml())
        .with("other/components/chat.yaml", &component_yaml());
    root.run(&["plan", "--source", "prod=other"]).does_not_print("lies outside").exits(2);
}
