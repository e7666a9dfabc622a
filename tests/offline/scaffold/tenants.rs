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
    new(&["test", "--accept-from", "dve"]).exits(1).prints("there are dev, prod");
    new(&["test", "--path", "../elsewhere"]).exits(1);
    assert_eq!(root.files(""), before);
}

/// "killed after each write, the same command finishes": also before its first rename.
#[test]
fn the_same_command_finishes_an_interrupted_one() {
    const NEW: [&str; 4] = ["new", "tenant", "zz", "--yes"];
    let start = || {
        let root = Project::empty();
        root.run(&["init", "--tenant", "us", "--tenant", "eu"]).exits(0);
        root
    };
    let whole = start();
    let order = [("zz", "zz/.gitkeep"), (".vscode", ".vscode/settings.json"), ("", "tenants.yaml")];
    let report = whole.run(&[NEW.as_slice(), &["--dry-run", "-o", "json"]].concat()).exits(0).out.clone();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let files: Vec<&str> = report["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(files, order.map(|(_, file)| file));
    whole.run(&NEW).exits(0);
    let wanted = whole.files("");
    // It is there already, and equal.
    whole.run(&NEW).exits(0).prints("Nothing to change");
    whole.run(&["new", "tenant", "zz", "--accept-from", "us", "--yes"]).exits(1).prints("Tenant/zz is there already");
    assert_eq!(whole.files(""), wanted);
    for written in 0..=order.len() {
        let part = start();
        for (position, (folder, file)) in order.iter().enumerate() {
            let name = file.rsplit('/').next().unwrap();
            let staged = format!("{folder}/.stablekey-tmp-{name}");
            let path = if position < written { (*file).to_string() } else { staged };
            part.write(path.trim_start_matches('/'), std::str::from_utf8(&wanted[*file]).unwrap());
        }
        part.run(&NEW).exits(0);
        let left = part.files("");
        assert_eq!(left.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "after {written}");
        assert_eq!(left, wanted, "after {written}");
    }
}

/// The editor's settings of `init` get the folder; others stay, and the command that completes them is named.
#[test]
fn editors_check_the_new_folder_too() {
    const SETTINGS: &str = ".vscode/settings.json";
    let root = Project::empty();
    root.run(&["init", "--tenant", "us"]).exits(0);
    let schema = "stablekey schema --vscode";
    root.run(&["new", "tenant", "eu", "--yes"]).exits(0).does_not_print(schema);
    root.run(&["new", "tenant", "uk", "--url", "https://app.prismatic.io", "--path", "of/uk", "--yes", "--force"]);
    let settings = root.read(SETTINGS);
    for glob in ["us/**/*.yaml", "eu/**/*.yaml", "of/uk/**/*.yaml", "tenants.yaml", "syncs.yaml"] {
        assert!(settings.contains(&format!("\"{glob}\"")), "{glob}\n{settings}");
    }
    let own = settings.replacen('{', "{\n  // Mine.", 1);
    root.write(SETTINGS, &own);
    let output = root.run(&["new", "tenant", "ca", "--yes"]);
    assert!(output.exits(0).has_line(schema), "{}", output.all);
    assert_eq!(root.read(SETTINGS), own);
    root.run(&["schema", "--vscode"]).exits(0);
    assert!(root.read(SETTINGS).contains("ca/**/*.yaml"));
    // Settings that do not have the schema are somebody else's.
    root.write(SETTINGS, "{}\n");
    root.run(&["new", "tenant", "au", "--yes"]).exits(0).does_not_print(schema);
    assert_eq!(root.read(SETTINGS), "{}\n");
}
