//! `stablekey new tenant`.

use crate::edges::files::*;

#[test]
fn a_directory_tenant_is_written_with_its_folder() {
    let root = two_tenants();
    root.run(&["new", "tenant", "eu-staging", "--accept-from", "dev", "--yes"]).exits(0);
    let tenants = root.read("tenants.yaml");
    assert!(tenants.starts_with(&tenants_yaml()), "{tenants}");
    for part in ["name: eu-staging", "region: eu", "environment: staging", "path: eu-staging", "- dev"] {
        assert!(tenants.contains(part), "{part}\n{tenants}");
    }
    // The folder is kept by Git, and the plan works.
    assert!(root.has("eu-staging/.gitkeep"));
    root.plan().exits(2);
}

#[test]
fn a_tenant_in_a_cluster_or_on_the_platform_has_a_source() {
    let root = Project::empty();
    let url = "https://app.eu-west-1.prismatic.io";
    root.run(&["new", "tenant", "eu", "--url", url, "--profile", "eu", "--dry-run"])
        .exits(0)
        .prints(url)
        .prints("profile: eu");
    root.run(&["new", "tenant", "eu", "--context", "eu", "--path", "declared/eu", "--dry-run"])
        .exits(0)
        .prints("namespace: eu")
        .prints("path: declared/eu");
    root.run(&["new", "tenant", "eu", "--location", "platform", "--dry-run"]).exits(1).prints("give --url");
    root.run(&["new", "tenant", "eu", "--location", "directory", "--url", url, "--dry-run"])
        .exits(1)
        .prints("--url is not for --location directory");
    assert!(root.files("").is_empty());
}

#[test]
fn a_name_or_a_folder_that_is_taken_is_refused() {
    let root = two_tenants().with("notes", "mine");
    let before = root.files("");
    let new = |more: &[&str]| root.run(&[&["new", "tenant"], more, &["--yes"]].concat());
    new(&["dev"]).exits(1).prints("Tenant/dev is there already");
    new(&["Dev"]).exits(1).prints("cannot be the name of a Tenant");
    new(&["test", "--path", "dev/inner"]).exits(1).prints("is a folder of tenant dev");
    new(&["notes"]).exits(1).prints("is no folder");
    new(&["test", "--accept-from", "dve"]).exits(1).prints("there is dev, prod");
    new(&["test", "--path", "../elsewhere"]).exits(1);
    assert_eq!(root.files(""), before);
}
